/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Instructions on control and debug registers, MSRs, counters, TLBs, and those that wait.
 *
 * Intel SDM volume 2: MOV CR, MOV DR, SMSW, LMSW, CLTS, INVD, WBINVD, INVLPG, INVPCID, SWAPGS,
 * RDFSBASE..., XGETBV, XSETBV, RDPKRU, WRPKRU, RDMSR, WRMSR, RDTSC, RDPMC, RDPID, CPUID, HLT,
 * MONITOR, MWAIT; AMD APM volume 3 CLZERO.
 * MWAIT returns after a short pause or when an event is pending, never sleeping on the monitored
 * line: software must check it again anyway. Thread: the CPU's own. */

#include "x86-svm.h"
#include "x86-sys.h"

#include "vit-clock.h"

/* ---- Control registers ---- */

static unsigned
register_width(const X86Core *core)
{
    return x86_code64(&core->s) ? 8 : 4;
}

void
x86_exec_mov_from_cr(X86Core *core, const X86Insn *insn)
{
    const X86State *s = &core->s;
    uint64_t value;

    if (insn->reg != 0 && insn->reg != 2 && insn->reg != 3 && insn->reg != 4 && insn->reg != 8) {
        x86_fault(core, X86_EXC_UD);
    }
    x86_sys_check_cpl0(core);
    x86_svm_check_register(core, SVM_EXIT_READ_CR0, insn->reg);
    switch (insn->reg) {
    case 0: value = s->cr0; break;
    case 2: value = s->cr2; break;
    case 3: value = s->cr3; break;
    case 4: value = s->cr4; break;
    default: value = x86_read_cr8(core); break;
    }
    x86_reg_write(core, insn, insn->rm, value, register_width(core));
}

/* The selective intercept leaves TS and MP alone. */
static void
check_cr0_write(X86Core *core, uint64_t value)
{
    x86_svm_check_register(core, SVM_EXIT_WRITE_CR0, 0);
    if ((value ^ core->s.cr0) & ~(uint64_t)(X86_CR0_TS | X86_CR0_MP)) {
        x86_svm_check(core, SVM_EXIT_CR0_SEL_WRITE);
    }
}

void
x86_exec_mov_to_cr(X86Core *core, const X86Insn *insn)
{
    uint64_t value = x86_reg_read(core, insn, insn->rm, register_width(core));

    if (insn->reg != 0 && insn->reg != 2 && insn->reg != 3 && insn->reg != 4 && insn->reg != 8) {
        x86_fault(core, X86_EXC_UD);
    }
    x86_sys_check_cpl0(core);
    if (insn->reg == 0) {
        check_cr0_write(core, value);
    } else {
        x86_svm_check_register(core, SVM_EXIT_WRITE_CR0, insn->reg);
    }
    switch (insn->reg) {
    case 0: x86_write_cr0(core, value); break;
    case 2: core->s.cr2 = value; break;
    case 3: x86_write_cr3(core, value); break;
    case 4: x86_write_cr4(core, value); break;
    default: x86_write_cr8(core, value); break;
    }
}

void
x86_exec_smsw(X86Core *core, const X86Insn *insn)
{
    x86_sys_check_umip(core);
    x86_svm_check_register(core, SVM_EXIT_READ_CR0, 0);
    x86_sys_write_selector(core, insn, core->s.cr0);
}

void
x86_exec_lmsw(X86Core *core, const X86Insn *insn)
{
    x86_sys_check_cpl0(core);
    uint64_t value = x86_sys_read_e16(core, insn) & 15;
    /* PE can be set but not cleared */
    check_cr0_write(core, (core->s.cr0 & ~(uint64_t)14) | value);
    x86_write_cr0(core, (core->s.cr0 & ~(uint64_t)14) | value);
}

void
x86_exec_clts(X86Core *core, const X86Insn *insn)
{
    x86_sys_check_cpl0(core);
    x86_svm_check_register(core, SVM_EXIT_WRITE_CR0, 0);
    core->s.cr0 &= ~(uint64_t)X86_CR0_TS;
}

/* ---- Debug registers ---- */

/* Checks a MOV DR; gives the register number with the DR4, DR5 aliases resolved. */
static unsigned
check_debug_register(X86Core *core, const X86Insn *insn, unsigned exit_code)
{
    X86State *s = &core->s;
    unsigned number = insn->reg;

    if (number >= 8) {
        x86_fault(core, X86_EXC_UD);
    }
    x86_sys_check_cpl0(core);
    if ((number == 4 || number == 5) && (s->cr4 & X86_CR4_DE)) {
        x86_fault(core, X86_EXC_UD);
    }
    if (s->dr[7] & X86_DR7_GD) {
        s->dr[6] |= X86_DR6_BD;
        x86_fault(core, X86_EXC_DB);
    }
    x86_svm_check_register(core, exit_code, number);
    return number == 4 || number == 5 ? number + 2 : number;
}

void
x86_exec_mov_from_dr(X86Core *core, const X86Insn *insn)
{
    unsigned number = check_debug_register(core, insn, SVM_EXIT_READ_DR0);

    x86_reg_write(core, insn, insn->rm, core->s.dr[number], register_width(core));
}

void
x86_exec_mov_to_dr(X86Core *core, const X86Insn *insn)
{
    X86State *s = &core->s;
    unsigned number = check_debug_register(core, insn, SVM_EXIT_WRITE_DR0);
    uint64_t value = x86_reg_read(core, insn, insn->rm, register_width(core));

    if (number >= 6 && value >> 32) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    if (number == 6) {
        s->dr[6] = (value & 0xefff) | 0xffff0ff0;
    } else if (number == 7) {
        s->dr[7] = (value & 0xffff27ff) | 0x400;
        x86_debug_registers_changed(core);
    } else {
        s->dr[number] = value;
        x86_debug_registers_changed(core);
    }
}

/* ---- Caches and TLBs ---- */

void
x86_exec_invd(X86Core *core, const X86Insn *insn)
{
    x86_sys_check_cpl0(core);
    x86_svm_check(core, SVM_EXIT_INVD);
}

void
x86_exec_wbinvd(X86Core *core, const X86Insn *insn)
{
    x86_sys_check_cpl0(core);
    x86_svm_check(core, SVM_EXIT_WBINVD);
}

static uint64_t
linear_of(const X86Core *core, const X86Insn *insn, uint64_t offset)
{
    const X86Segment *seg = &core->s.seg[insn->segment];

    if (x86_code64(&core->s)) {
        return insn->segment >= X86_FS ? seg->base + offset : offset;
    }
    return (uint32_t)(seg->base + offset);
}

void
x86_exec_invlpg(X86Core *core, const X86Insn *insn)
{
    x86_sys_check_cpl0(core);
    x86_svm_check(core, SVM_EXIT_INVLPG);
    uint64_t linear = linear_of(core, insn, x86_ea(core, insn));
    if (x86_is_canonical(core, linear) || !x86_long_mode(&core->s)) {
        x86_tlb_flush_page(core, linear);
    }
}

void
x86_exec_invpcid(X86Core *core, const X86Insn *insn)
{
    uint8_t descriptor[16];

    x86_sys_check_cpl0(core);
    x86_svm_check(core, SVM_EXIT_INVPCID);
    uint64_t type = x86_reg_read(core, insn, insn->reg, register_width(core));
    x86_read_bytes(core, insn->segment, x86_ea(core, insn), descriptor, sizeof(descriptor));
    uint64_t pcid = x86_host_load(descriptor, 8);
    uint64_t linear = x86_host_load(descriptor + 8, 8);
    bool no_pcids = !(core->s.cr4 & X86_CR4_PCIDE) && pcid;
    if (type > 3 || (type < 2 && (pcid >> 12 || no_pcids)) ||
        (type == 0 && !x86_is_canonical(core, linear))) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    switch (type) {
    case 0: x86_tlb_flush_page(core, linear); break;
    case 1: x86_tlb_flush_pcid(core, pcid); break;
    case 2: x86_tlb_flush_all(core); break;
    default: x86_tlb_flush_nonglobal(core); break;
    }
}

/* ---- FS and GS bases ---- */

void
x86_exec_swapgs(X86Core *core, const X86Insn *insn)
{
    X86State *s = &core->s;
    uint64_t base = s->seg[X86_GS].base;

    x86_sys_check_cpl0(core);
    s->seg[X86_GS].base = s->kernel_gs_base;
    s->kernel_gs_base = base;
}

static void
read_base(X86Core *core, const X86Insn *insn, unsigned segment)
{
    if (!(core->s.cr4 & X86_CR4_FSGSBASE)) {
        x86_fault(core, X86_EXC_UD);
    }
    x86_reg_write(core, insn, insn->rm, core->s.seg[segment].base, insn->rex_w ? 8 : 4);
}

static void
write_base(X86Core *core, const X86Insn *insn, unsigned segment)
{
    uint64_t value = x86_reg_read(core, insn, insn->rm, insn->rex_w ? 8 : 4);

    if (!(core->s.cr4 & X86_CR4_FSGSBASE)) {
        x86_fault(core, X86_EXC_UD);
    }
    if (!x86_is_canonical(core, value)) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    core->s.seg[segment].base = value;
}

void
x86_exec_rdfsbase(X86Core *core, const X86Insn *insn)
{
    read_base(core, insn, X86_FS);
}

void
x86_exec_rdgsbase(X86Core *core, const X86Insn *insn)
{
    read_base(core, insn, X86_GS);
}

void
x86_exec_wrfsbase(X86Core *core, const X86Insn *insn)
{
    write_base(core, insn, X86_FS);
}

void
x86_exec_wrgsbase(X86Core *core, const X86Insn *insn)
{
    write_base(core, insn, X86_GS);
}

/* ---- Values in EDX:EAX ---- */

static uint64_t
edx_eax(const X86Core *core)
{
    return core->s.gpr[X86_RDX] << 32 | (uint32_t)core->s.gpr[X86_RAX];
}

static void
set_edx_eax(X86Core *core, uint64_t value)
{
    core->s.gpr[X86_RAX] = (uint32_t)value;
    core->s.gpr[X86_RDX] = value >> 32;
}

void
x86_exec_xgetbv(X86Core *core, const X86Insn *insn)
{
    uint32_t index = core->s.gpr[X86_RCX];

    if (!(core->s.cr4 & X86_CR4_OSXSAVE)) {
        x86_fault(core, X86_EXC_UD);
    }
    /* index 1: components in use; saying "all that are enabled" is always allowed */
    if (index > 1 || (index == 1 && !x86_has_feature(core, X86_FEATURE_XGETBV1))) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    set_edx_eax(core, core->s.xcr0);
}

void
x86_exec_xsetbv(X86Core *core, const X86Insn *insn)
{
    if (!(core->s.cr4 & X86_CR4_OSXSAVE)) {
        x86_fault(core, X86_EXC_UD);
    }
    x86_sys_check_cpl0(core);
    x86_svm_check(core, SVM_EXIT_XSETBV);
    if ((uint32_t)core->s.gpr[X86_RCX] != 0) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    x86_write_xcr0(core, edx_eax(core));
}

void
x86_exec_rdpkru(X86Core *core, const X86Insn *insn)
{
    if (!(core->s.cr4 & X86_CR4_PKE)) {
        x86_fault(core, X86_EXC_UD);
    }
    if ((uint32_t)core->s.gpr[X86_RCX] != 0) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    set_edx_eax(core, core->s.pkru);
}

void
x86_exec_wrpkru(X86Core *core, const X86Insn *insn)
{
    uint32_t before = core->s.pkru;

    if (!(core->s.cr4 & X86_CR4_PKE)) {
        x86_fault(core, X86_EXC_UD);
    }
    if ((uint32_t)core->s.gpr[X86_RCX] != 0 || (uint32_t)core->s.gpr[X86_RDX] != 0) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    core->s.pkru = core->s.gpr[X86_RAX];
    x86_tlb_pkru_changed(core, before);
}

/* A line for the guest-error log: systems probe, but a guest that dies of a missing register is
 * otherwise hard to understand. */
static void
report_msr(X86Core *core, const char *what, uint64_t value)
{
    const VitCpuHost *host = core->cpu->host;
    char message[120];

    if (host->guest_error) {
        g_snprintf(message, sizeof(message),
                   "%s MSR 0x%x (value 0x%" G_GINT64_MODIFIER "x) at rIP 0x%" G_GINT64_MODIFIER
                   "x: #GP",
                   what, (uint32_t)core->s.gpr[X86_RCX], value, core->s.rip);
        host->guest_error(host->opaque, message);
    }
}

void
x86_exec_rdmsr(X86Core *core, const X86Insn *insn)
{
    uint64_t value;

    x86_sys_check_cpl0(core);
    x86_svm_check_msr(core, core->s.gpr[X86_RCX], false);
    if (!x86_msr_read(core, core->s.gpr[X86_RCX], &value)) {
        report_msr(core, "RDMSR from", 0);
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    set_edx_eax(core, value);
}

void
x86_exec_wrmsr(X86Core *core, const X86Insn *insn)
{
    x86_sys_check_cpl0(core);
    x86_svm_check_msr(core, core->s.gpr[X86_RCX], true);
    if (!x86_msr_write(core, core->s.gpr[X86_RCX], edx_eax(core))) {
        report_msr(core, "WRMSR to", edx_eax(core));
        x86_fault_code(core, X86_EXC_GP, 0);
    }
}

static void
check_tsc_access(X86Core *core)
{
    if ((core->s.cr4 & X86_CR4_TSD) && core->s.cpl != 0) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
}

static void
read_tsc(X86Core *core)
{
    set_edx_eax(core, x86_tsc(core));
    if (core->model->tsc_hz != VIT_NS_PER_SEC ||
        !vit_clock_line(core->cpu->host->clock, &core->tsc_line)) {
        core->tsc_line = VIT_TSC_LINE_NONE;
    }
}

void
x86_exec_rdtsc(X86Core *core, const X86Insn *insn)
{
    check_tsc_access(core);
    x86_svm_check(core, SVM_EXIT_RDTSC);
    read_tsc(core);
}

void
x86_exec_rdtscp(X86Core *core, const X86Insn *insn)
{
    check_tsc_access(core);
    x86_svm_check(core, SVM_EXIT_RDTSCP);
    read_tsc(core);
    core->s.gpr[X86_RCX] = (uint32_t)core->s.tsc_aux;
}

void
x86_exec_rdpmc(X86Core *core, const X86Insn *insn)
{
    uint64_t value;

    if ((core->s.cpl != 0 && !(core->s.cr4 & X86_CR4_PCE) && !x86_real_mode(&core->s)) ||
        !x86_pmu_rdpmc(core, core->s.gpr[X86_RCX], &value)) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    x86_svm_check(core, SVM_EXIT_RDPMC);
    set_edx_eax(core, value);
}

void
x86_exec_rdpid(X86Core *core, const X86Insn *insn)
{
    x86_reg_write(core, insn, insn->rm, (uint32_t)core->s.tsc_aux, register_width(core));
}

void
x86_exec_cpuid(X86Core *core, const X86Insn *insn)
{
    uint32_t regs[4];

    x86_svm_check(core, SVM_EXIT_CPUID);
    x86_cpuid(core->model, &core->s, core->cpu->apic_id, core->s.gpr[X86_RAX], core->s.gpr[X86_RCX],
              regs);
    core->s.gpr[X86_RAX] = regs[0];
    core->s.gpr[X86_RBX] = regs[1];
    core->s.gpr[X86_RCX] = regs[2];
    core->s.gpr[X86_RDX] = regs[3];
}

/* ---- Waiting ---- */

void
x86_exec_hlt(X86Core *core, const X86Insn *insn)
{
    x86_sys_check_cpl0(core);
    x86_svm_check(core, SVM_EXIT_HLT);
    core->s.activity = X86_HALTED;
}

static void
check_monitor(X86Core *core)
{
    if (core->s.cpl != 0) {
        x86_fault(core, X86_EXC_UD);
    }
}

void
x86_exec_monitor(X86Core *core, const X86Insn *insn)
{
    check_monitor(core);
    x86_svm_check(core, SVM_EXIT_MONITOR);
    if ((uint32_t)core->s.gpr[X86_RCX] != 0) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    x86_read(core, insn->segment, x86_sys_wrap(insn, core->s.gpr[X86_RAX]), 1);
}

void
x86_exec_mwait(X86Core *core, const X86Insn *insn)
{
    check_monitor(core);
    x86_svm_check(core, SVM_EXIT_MWAIT);
    if ((uint32_t)core->s.gpr[X86_RCX] & ~1u) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    if (!vit_cpu_events(core->cpu)) {
        g_usleep(50);
    }
}

void
x86_exec_clzero(X86Core *core, const X86Insn *insn)
{
    static const uint8_t zeros[64];
    uint64_t offset = x86_sys_wrap(insn, core->s.gpr[X86_RAX]) & ~(uint64_t)63;

    x86_write_bytes(core, insn->segment, offset, zeros, sizeof(zeros));
}
