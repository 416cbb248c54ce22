/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The handlers that opcode rows name, and what the instruction loop and the system side of the
 * interpreter want of each other. Every handler keeps the invariants of x86-interp.h; operand and
 * address sizes are in the record (operand_size is 1 for byte rows).
 *
 * The loop is done with before a handler runs: features of the row, modes of the row, LOCK, code
 * size. A handler checks what is left: privilege, CR0/CR4 gates, operand values.
 *
 * Thread: the CPU's own.
 */

#include "x86-interp.h"

#define X86_EXEC_DECLARE(name) void x86_exec_##name(X86Core *core, const X86Insn *insn);

/* clang-format off */ /* lists of names: it cannot fill them line by line */

/* Integer, stack, flow, strings: x86-int-*.c */
#define X86_EXEC_INT_LIST(F) \
    F(add_eg) F(add_ge) F(add_ai) F(add_ei) F(or_eg) F(or_ge) F(or_ai) F(or_ei) F(adc_eg) \
    F(adc_ge) F(adc_ai) F(adc_ei) F(sbb_eg) F(sbb_ge) F(sbb_ai) F(sbb_ei) F(and_eg) F(and_ge) \
    F(and_ai) F(and_ei) F(sub_eg) F(sub_ge) F(sub_ai) F(sub_ei) F(xor_eg) F(xor_ge) F(xor_ai) \
    F(xor_ei) F(cmp_eg) F(cmp_ge) F(cmp_ai) F(cmp_ei) F(test_eg) F(test_ai) F(test_ei) F(not) \
    F(neg) F(inc_z) F(dec_z) F(inc) F(dec) F(mul) F(imul_1) F(imul_2) F(imul_3) F(div) F(idiv) \
    F(mulx) F(daa) F(das) F(aaa) F(aas) F(aam) F(aad) F(salc) F(rol_imm) F(rol_one) F(rol_cl) \
    F(ror_imm) F(ror_one) F(ror_cl) F(rcl_imm) F(rcl_one) F(rcl_cl) F(rcr_imm) F(rcr_one) \
    F(rcr_cl) F(shl_imm) F(shl_one) F(shl_cl) F(shr_imm) F(shr_one) F(shr_cl) F(sar_imm) \
    F(sar_one) F(sar_cl) F(shld_imm) F(shld_cl) F(shrd_imm) F(shrd_cl) F(shlx) F(sarx) F(shrx) \
    F(rorx) F(bt_reg) F(bt_imm) F(bts_reg) F(bts_imm) F(btr_reg) F(btr_imm) F(btc_reg) F(btc_imm) \
    F(bsf) F(bsr) F(tzcnt) F(lzcnt) F(popcnt) F(andn) F(blsr) F(blsmsk) F(blsi) F(bzhi) F(pext) \
    F(pdep) F(bextr) F(adcx) F(adox) F(crc32) F(mov_eg) F(mov_ge) F(mov_ao) F(mov_oa) F(mov_zi) \
    F(mov_ei) F(movzx_b) F(movzx_w) F(movsx_b) F(movsx_w) F(movsxd) F(movbe_gm) F(movbe_mg) \
    F(movnti) F(lea) F(xchg_eg) F(nop) F(pause) F(xchg_za) F(xadd) F(cmpxchg) F(cmpxchg8b) \
    F(cmpxchg16b) F(bswap) F(cbw) F(cwd) F(xlat) F(setcc) F(cmovcc) F(sahf) F(lahf) F(cmc) F(clc) \
    F(stc) F(cld) F(std) F(push_z) F(pop_z) F(push_i) F(push_e) F(pop_e) F(pusha) F(popa) \
    F(enter) F(leave) F(jcc) F(jmp_rel) F(jmp_e) F(call_rel) F(call_e) F(ret) F(ret_imm) \
    F(loopne) F(loope) F(loop) F(jrcxz) F(movs) F(cmps) F(stos) F(lods) F(scas) F(lfence) \
    F(mfence) F(sfence) F(clflush) F(rdrand) F(rdseed)

/* System: x86-sys-*.c. REP INS and OUTS do one or more items and leave core->next_rip at
 * core->s.rip when there is more to do, as the integer strings do. */
#define X86_EXEC_SYS_LIST(F) \
    F(push_seg) F(pop_seg) F(mov_from_seg) F(mov_to_seg) F(lxs) F(bound) F(arpl) F(call_far) \
    F(jmp_far) F(call_far_m) F(jmp_far_m) F(ret_far) F(iret) F(int3) F(int_n) F(into) F(int1) \
    F(ud) F(syscall) F(sysret) F(sysenter) F(sysexit) F(rsm) F(pushf) F(popf) F(cli) F(sti) \
    F(clac) F(stac) F(sldt) F(str) F(lldt) F(ltr) F(verr) F(verw) F(lar) F(lsl) F(sgdt) F(sidt) \
    F(vmrun) F(vmmcall) F(vmload) F(vmsave) F(stgi) F(clgi) F(invlpga) \
    F(lgdt) F(lidt) F(smsw) F(lmsw) F(mov_from_cr) F(mov_from_dr) F(mov_to_cr) F(mov_to_dr) \
    F(clts) F(invd) F(wbinvd) F(invlpg) F(invpcid) F(swapgs) F(rdfsbase) F(rdgsbase) F(wrfsbase) \
    F(wrgsbase) F(xgetbv) F(xsetbv) F(rdpkru) F(wrpkru) F(wrmsr) F(rdmsr) F(rdtsc) F(rdtscp) \
    F(rdpmc) F(rdpid) F(cpuid) F(in_i) F(out_i) F(in_dx) F(out_dx) F(ins) F(outs) F(hlt) \
    F(monitor) F(mwait) F(clzero)
/* clang-format on */

X86_EXEC_INT_LIST(X86_EXEC_DECLARE)
X86_EXEC_SYS_LIST(X86_EXEC_DECLARE)

/* x87 and vectors declare theirs in their own headers. */
#include "x86-exec-vec.h"

/* Instruction fetch at LINEAR: a pointer to that byte, readable to the end of its 4 KiB page, with
 * every check of a fetch made (canonical, paging, NX, SMEP, user/supervisor). The CS limit is the
 * loop's business. RAM and ROM give host memory itself, which the loop compares with what it
 * decoded before; code in device windows is copied into a buffer that lives until the next call.
 * OUT_PHYSICAL is the guest-physical address of the byte. Faults. */
const uint8_t *x86_fetch_page(X86Core *core, uint64_t linear, uint64_t *out_physical);

/* Delivers the exception in core->fault_* at core->s.rip through the IDT, nested faults and double
 * fault included (with an unwind buffer of its own). False: shutdown, reason in OUT_EXIT. */
bool x86_deliver_exception(X86Core *core, VitCpuExit *out_exit);

/* Called between instructions while cpu->events is not zero or the activity is not ACTIVE: takes
 * what can be taken now (IF, interrupt_shadow, NMI and SMI masks considered) - interrupts, NMI,
 * SMI, INIT, SIPI, changed maps, requests to leave. False: leave run() with OUT_EXIT. */
bool x86_take_events(X86Core *core, VitCpuExit *out_exit);

/* After an instruction: raises the #DB traps it earned - core->debug_pending (data breakpoints,
 * task switch), and single step when SINGLE_STEP (TF was set before it). Sets DR6 and faults with
 * core->s.rip already at the next instruction. */
void x86_debug_trap(X86Core *core, bool single_step);
/* Before an instruction at LINEAR, while core->code_breakpoints and not RFLAGS.RF: #DB fault when
 * DR0..3 say so. */
void x86_check_code_breakpoint(X86Core *core, uint64_t linear);

/* Condition NUMBER (low four bits of Jcc, SETcc, CMOVcc opcodes) of RFLAGS. */
static inline bool
x86_condition(uint64_t rflags, unsigned number)
{
    bool value;

    switch (number >> 1 & 7) {
    case 0: value = rflags & X86_FLAG_OF; break;
    case 1: value = rflags & X86_FLAG_CF; break;
    case 2: value = rflags & X86_FLAG_ZF; break;
    case 3: value = rflags & (X86_FLAG_CF | X86_FLAG_ZF); break;
    case 4: value = rflags & X86_FLAG_SF; break;
    case 5: value = rflags & X86_FLAG_PF; break;
    case 6: value = !!(rflags & X86_FLAG_SF) != !!(rflags & X86_FLAG_OF); break;
    default:
        value = (rflags & X86_FLAG_ZF) || !!(rflags & X86_FLAG_SF) != !!(rflags & X86_FLAG_OF);
        break;
    }
    return value != (number & 1);
}

/* Instruction loop, x86-run.c. */
typedef struct X86DecodeCache X86DecodeCache;
X86DecodeCache *x86_decode_cache_new(void);
void x86_decode_cache_free(X86DecodeCache *cache);
/* Runs until an event or instruction asks to leave. */
VitCpuExit x86_interp_run(X86Core *core);

/* How often code has been jumped to, by a hash of its address: for an executor that translates what
 * is warm and leaves the rest to the interpreter. CPUs may share one; a count that is lost, or is
 * of two addresses, does no harm. */
enum { X86_HEAT_BITS = 17 };
typedef struct X86Heat {
    uint8_t warm;                      /* from this count on */
    uint8_t count[1 << X86_HEAT_BITS]; /* atomic */
} X86Heat;

/* Counts a jump to RIP; whether it is warm. */
static inline bool
x86_heat_add(X86Heat *heat, uint64_t rip)
{
    uint8_t *count = &heat->count[rip * 0x9e3779b97f4a7c15ull >> (64 - X86_HEAT_BITS)];
    uint8_t before = __atomic_load_n(count, __ATOMIC_RELAXED);

    if (before >= heat->warm) {
        return true;
    }
    __atomic_store_n(count, before + 1, __ATOMIC_RELAXED);
    return false;
}

/* The parts of x86_interp_run(), for an executor with a loop of its own. All but the last two want
 * core->unwind set to come back to that loop on a fault, with the fault in core->fault_*. */

/* What only x86_interp_pass() can handle: pending events, traps, shadows, another activity. */
bool x86_interp_needs_care(const X86Core *core);
/* Events, and one instruction whatever is in force. False: leave, reason in OUT_EXIT. */
bool x86_interp_pass(X86Core *core, VitCpuExit *out_exit);
/* #DB traps that earlier instructions have earned. */
void x86_interp_pending_traps(X86Core *core);
/* The instruction at rIP, once. For when nothing needs care, apart from single data traps. */
void x86_interp_one(X86Core *core);
/* The same when the caller knows where it lies in the host's memory; CODE_SIZE 4 or 8, in protected
 * mode. */
void x86_interp_one_at(X86Core *core, const uint8_t *host, unsigned code_size);
/* The same when the caller has INSN decoded and knows that it is there, in protected mode. */
void x86_interp_decoded(X86Core *core, const X86Insn *insn);
/* Instructions until one may have changed mode, map or what needs care, or an event comes. */
void x86_interp_stretch(X86Core *core);
/* The same, and no further than to a jump to code that is warm by HEAT, which it counts in. */
void x86_interp_cold(X86Core *core, X86Heat *heat);
/* The feature and mode that ROW asks for. */
bool x86_interp_row_allowed(const X86Core *core, const X86OpRow *row);
/* Delivers the fault that came back. False: leave. */
bool x86_interp_deliver(X86Core *core, VitCpuExit *out_exit);

/* A CPU's interpreter context with reset state; cpu->state of whoever embeds the interpreter. */
X86Core *x86_core_new(VitCpu *cpu, const X86CpuModel *model, GError **error);
void x86_core_free(X86Core *core);
/* The same inside a zeroed core of the caller's. */
bool x86_core_init(X86Core *core, VitCpu *cpu, const X86CpuModel *model, GError **error);
void x86_core_finish(X86Core *core);

/* The interpreter as an executor. */
extern const VitExecutor vit_interp_executor;
