/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Moves: MOV MOVZX MOVSX MOVSXD MOVBE MOVNTI LEA XCHG BSWAP CBW CWD XLAT CMOVcc SETcc, flag bytes,
 * hints and fences, RDRAND and RDSEED. Intel SDM volume 2. Thread: the CPU's own. */

#include "x86-int.h"
#include "x86-svm.h"

#include <sched.h>
#include <sys/random.h>

X86_INLINE void
mov_eg_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    x86_rm_write(core, insn, x86_reg_read(core, insn, insn->reg, size), size);
}
BY_SIZE(mov_eg)

X86_INLINE void
mov_ge_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    x86_reg_write(core, insn, insn->reg, x86_rm_read(core, insn, size), size);
}
BY_SIZE(mov_ge)

X86_INLINE void
mov_ei_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    x86_rm_write(core, insn, insn->imm, size);
}
BY_SIZE(mov_ei)

X86_INLINE void
mov_zi_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    x86_reg_write(core, insn, insn->rm, insn->imm, size);
}
BY_SIZE(mov_zi)

X86_INLINE void
mov_ao_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    x86_reg_write(core, insn, X86_RAX, x86_read_fast(core, insn->segment, insn->imm, size), size);
}
BY_SIZE(mov_ao)

X86_INLINE void
mov_oa_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    x86_write_fast(core, insn->segment, insn->imm, core->s.gpr[X86_RAX] & x86_size_mask(size),
                   size);
}
BY_SIZE(mov_oa)

void
x86_exec_movzx_b(X86Core *core, const X86Insn *insn)
{
    x86_reg_write(core, insn, insn->reg, x86_rm_read(core, insn, 1), insn->operand_size);
}

void
x86_exec_movzx_w(X86Core *core, const X86Insn *insn)
{
    x86_reg_write(core, insn, insn->reg, x86_rm_read(core, insn, 2), insn->operand_size);
}

void
x86_exec_movsx_b(X86Core *core, const X86Insn *insn)
{
    uint64_t value = (int8_t)x86_rm_read(core, insn, 1);
    x86_reg_write(core, insn, insn->reg, value, insn->operand_size);
}

void
x86_exec_movsx_w(X86Core *core, const X86Insn *insn)
{
    uint64_t value = (int16_t)x86_rm_read(core, insn, 2);
    x86_reg_write(core, insn, insn->reg, value, insn->operand_size);
}

/* With a 16-bit operand size AMD CPUs still read four bytes. */
void
x86_exec_movsxd(X86Core *core, const X86Insn *insn)
{
    x86_reg_write(core, insn, insn->reg, (int32_t)x86_rm_read(core, insn, 4), insn->operand_size);
}

X86_INLINE uint64_t
swap_bytes(uint64_t value, unsigned size)
{
    return __builtin_bswap64(value) >> (64 - size * 8);
}

X86_INLINE void
movbe_gm_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    x86_reg_write(core, insn, insn->reg, swap_bytes(x86_mem_read(core, insn, size), size), size);
}
BY_SIZE_WDQ(movbe_gm)

X86_INLINE void
movbe_mg_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    x86_mem_write(core, insn, swap_bytes(x86_reg_read(core, insn, insn->reg, size), size), size);
}
BY_SIZE_WDQ(movbe_mg)

X86_INLINE void
movnti_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    x86_mem_write(core, insn, x86_reg_read(core, insn, insn->reg, size), size);
}
BY_SIZE_DQ(movnti)

void
x86_exec_lea(X86Core *core, const X86Insn *insn)
{
    x86_reg_write(core, insn, insn->reg, x86_address(core, insn), insn->operand_size);
}

/* XCHG with memory is LOCKed with or without the prefix. */
X86_INLINE void
xchg_eg_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    uint64_t value = x86_reg_read(core, insn, insn->reg, size);
    X86Rmw rmw;

    if (!insn->is_memory) {
        x86_reg_write(core, insn, insn->reg, x86_reg_read(core, insn, insn->rm, size), size);
        x86_reg_write(core, insn, insn->rm, value, size);
        return;
    }
    x86_rmw_operand(core, insn, size, &rmw);
    switch (size) {
    case 1: __asm__ volatile("xchgb %b0, (%1)" : "+q"(value) : "r"(rmw.host) : "memory"); break;
    case 2: __asm__ volatile("xchgw %w0, (%1)" : "+r"(value) : "r"(rmw.host) : "memory"); break;
    case 4: __asm__ volatile("xchgl %k0, (%1)" : "+r"(value) : "r"(rmw.host) : "memory"); break;
    default: __asm__ volatile("xchgq %q0, (%1)" : "+r"(value) : "r"(rmw.host) : "memory"); break;
    }
    x86_rmw_end(core, &rmw);
    x86_reg_write(core, insn, insn->reg, value, size);
}
BY_SIZE(xchg_eg)

X86_INLINE void
xchg_za_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    uint64_t rax = core->s.gpr[X86_RAX];

    x86_reg_write(core, insn, X86_RAX, core->s.gpr[insn->rm], size);
    x86_reg_write(core, insn, insn->rm, rax, size);
}
BY_SIZE_WDQ(xchg_za)

/* BSWAP of a 16-bit register is undefined: CPUs of today clear it. */
void
x86_exec_bswap(X86Core *core, const X86Insn *insn)
{
    uint64_t value = core->s.gpr[insn->rm];
    unsigned size = insn->operand_size;

    x86_reg_write(core, insn, insn->rm, size == 2 ? 0 : swap_bytes(value, size), size);
}

void
x86_exec_cbw(X86Core *core, const X86Insn *insn)
{
    unsigned size = insn->operand_size;
    uint64_t rax = core->s.gpr[X86_RAX];

    x86_reg_write(core, insn, X86_RAX, x86_sign(rax, size / 2), size);
}

void
x86_exec_cwd(X86Core *core, const X86Insn *insn)
{
    unsigned size = insn->operand_size;

    x86_reg_write(core, insn, X86_RDX, x86_sign(core->s.gpr[X86_RAX], size) >> 63, size);
}

void
x86_exec_xlat(X86Core *core, const X86Insn *insn)
{
    uint64_t offset = core->s.gpr[X86_RBX] + (core->s.gpr[X86_RAX] & 0xff);

    offset = x86_wrap(offset, insn->address_size);
    x86_reg_write(core, insn, X86_RAX, x86_read_fast(core, insn->segment, offset, 1), 1);
}

void
x86_exec_setcc(X86Core *core, const X86Insn *insn)
{
    x86_rm_write(core, insn, x86_condition(core->s.rflags, insn->opcode), 1);
}

/* The source is read (and faults) and a 32-bit destination is extended whatever the condition. */
X86_INLINE void
cmovcc_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    uint64_t value = x86_rm_read(core, insn, size);

    if (!x86_condition(core->s.rflags, insn->opcode)) {
        value = x86_reg_read(core, insn, insn->reg, size);
    }
    x86_reg_write(core, insn, insn->reg, value, size);
}
BY_SIZE_WDQ(cmovcc)

/* ---- Flags ---- */

static void
check_lahf(X86Core *core)
{
    if (x86_code64(&core->s) && !x86_has_feature(core, X86_FEATURE_LAHF_LM)) {
        x86_fault(core, X86_EXC_UD);
    }
}

void
x86_exec_sahf(X86Core *core, const X86Insn *insn)
{
    const uint32_t mask = X86_FLAGS_ARITH & 0xff;

    check_lahf(core);
    core->s.rflags = (core->s.rflags & ~(uint64_t)mask) | (core->s.gpr[X86_RAX] >> 8 & mask);
}

void
x86_exec_lahf(X86Core *core, const X86Insn *insn)
{
    uint64_t ah = (core->s.rflags & X86_FLAGS_ARITH & 0xff) | 2;

    check_lahf(core);
    core->s.gpr[X86_RAX] = (core->s.gpr[X86_RAX] & ~0xff00ull) | ah << 8;
}

void
x86_exec_cmc(X86Core *core, const X86Insn *insn)
{
    core->s.rflags ^= X86_FLAG_CF;
}

void
x86_exec_clc(X86Core *core, const X86Insn *insn)
{
    core->s.rflags &= ~(uint64_t)X86_FLAG_CF;
}

void
x86_exec_stc(X86Core *core, const X86Insn *insn)
{
    core->s.rflags |= X86_FLAG_CF;
}

void
x86_exec_cld(X86Core *core, const X86Insn *insn)
{
    core->s.rflags &= ~(uint64_t)X86_FLAG_DF;
}

void
x86_exec_std(X86Core *core, const X86Insn *insn)
{
    core->s.rflags |= X86_FLAG_DF;
}

/* ---- Hints, fences, random numbers ---- */

void
x86_exec_nop(X86Core *core, const X86Insn *insn)
{
}

void
x86_exec_pause(X86Core *core, const X86Insn *insn)
{
    x86_svm_check(core, SVM_EXIT_PAUSE);
    if (core->cpu->takes_turns) {
        vit_cpu_raise(core->cpu, VIT_CPU_EVENT_EXIT);
    } else if (core->cpu->is_crowded) {
        sched_yield();
    } else {
        __builtin_ia32_pause();
    }
}

void
x86_exec_lfence(X86Core *core, const X86Insn *insn)
{
}

void
x86_exec_mfence(X86Core *core, const X86Insn *insn)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void
x86_exec_sfence(X86Core *core, const X86Insn *insn)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Caches are coherent; what is left is the fault a load would raise. */
void
x86_exec_clflush(X86Core *core, const X86Insn *insn)
{
    x86_mem_read(core, insn, 1);
}

/* Both draw from the kernel's generator, which needs no feature of the host CPU. CF says that
 * there was a number. */
static void
random_number(X86Core *core, const X86Insn *insn)
{
    uint64_t value = 0;
    bool drawn = getrandom(&value, sizeof(value), GRND_NONBLOCK) == sizeof(value);

    x86_reg_write(core, insn, insn->rm, drawn ? value : 0, insn->operand_size);
    core->s.rflags = (core->s.rflags & ~(uint64_t)X86_FLAGS_ARITH) | (drawn ? X86_FLAG_CF : 0);
}

void
x86_exec_rdrand(X86Core *core, const X86Insn *insn)
{
    random_number(core, insn);
}

void
x86_exec_rdseed(X86Core *core, const X86Insn *insn)
{
    random_number(core, insn);
}
