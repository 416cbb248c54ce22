/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The state after power-up, reset and INIT.
 *
 * Intel SDM volume 3 table 9-1 and 9.1.4; volume 3 10.4.7 (INIT). The BSP begins at 0xFFFFFFF0,
 * the others wait for a start-up IPI. Thread: the CPU's own, or the machine while it is stopped. */

#include "x86-system.h"
#include "x86-log.h"

static void
reset_segments(X86State *s)
{
    const uint32_t data = X86_SEG_P | X86_SEG_S | X86_SEG_W | X86_SEG_A;

    for (unsigned i = 0; i < X86_SEG_LAST; i++) {
        s->seg[i] = (X86Segment){ .attr = data, .limit = 0xffff };
    }
    s->seg[X86_CS].selector = 0xf000;
    s->seg[X86_CS].base = 0xffff0000;
    s->ldtr =
        (X86Segment){ .attr = X86_SEG_P | X86_DESC_LDT << X86_SEG_TYPE_SHIFT, .limit = 0xffff };
    s->tr = (X86Segment){ .attr = X86_SEG_P | X86_DESC_TSS32_BUSY << X86_SEG_TYPE_SHIFT,
                          .limit = 0xffff };
    s->gdtr = s->idtr = (X86TableReg){ .limit = 0xffff };
}

static void
reset_fpu_and_msrs(X86Core *core)
{
    X86State *s = &core->s;

    memset(&s->fpu, 0, sizeof(s->fpu));
    s->fpu.fcw = 0x40;
    s->fpu.ftw = 0xff; /* eight registers holding +0 */
    s->fpu.mxcsr = s->mxcsr = 0x1f80;
    memset(s->zmm, 0, sizeof(s->zmm));
    memset(s->opmask, 0, sizeof(s->opmask));
    s->pkru = 0;
    s->xcr0 = 1;
    s->star = s->lstar = s->cstar = s->sfmask = s->kernel_gs_base = s->tsc_aux = 0;
    s->sysenter_cs = s->sysenter_esp = s->sysenter_eip = 0;
    s->pat = 0x0007040600070406;
    s->misc_enable = 1; /* fast strings */
    s->debugctl = s->feature_control = 0;
    s->pmu = (X86Pmu){ 0 };
    s->spec_ctrl = s->tsx_ctrl = s->xss = s->vm_hsave_pa = 0;
    s->hwcr = 0;
    bool amd = g_str_equal(core->model->vendor, "AuthenticAMD");
    s->microcode_version = amd ? 0x01000065 : 0x100000000;
    /* counts from the machine's start, not from the reset: CPUs are reset one after the other
     * while time runs, and their counters must agree */
    s->tsc_offset = 0;
    s->tsc_adjust = 0;
    s->mtrr_def_type = 0;
    memset(s->mtrr_fixed, 0, sizeof(s->mtrr_fixed));
    memset(s->mtrr_base, 0, sizeof(s->mtrr_base));
    memset(s->mtrr_mask, 0, sizeof(s->mtrr_mask));
    s->mcg_status = 0;
    s->mcg_ctl = UINT64_MAX;
    memset(s->mce_banks, 0, sizeof(s->mce_banks));
    for (unsigned i = 0; i < VIT_ARRAY_LEN(s->mce_banks); i++) {
        s->mce_banks[i][0] = UINT64_MAX;
    }
    s->smbase = 0x30000;
}

void
x86_state_reset(X86Core *core, bool is_init)
{
    X86State *s = &core->s;
    uint32_t leaf1[4];

    /* not while it is being made */
    if (core->cpu->state && x86_log_wants(core, VIT_LOG_CPU_RESET)) {
        x86_log_reset(core);
    }
    memset(s->gpr, 0, sizeof(s->gpr));
    x86_cpuid(core->model, s, core->cpu->apic_id, 1, 0, leaf1);
    s->gpr[X86_RDX] = leaf1[0];
    s->rip = core->next_rip = 0xfff0;
    s->rflags = 2;
    reset_segments(s);
    uint64_t cache_bits = is_init ? s->cr0 & (X86_CR0_CD | X86_CR0_NW) : X86_CR0_CD | X86_CR0_NW;
    s->cr0 = cache_bits | X86_CR0_ET;
    s->cr2 = s->cr3 = s->cr4 = s->efer = 0;
    memset(s->dr, 0, sizeof(s->dr));
    s->dr[6] = 0xffff0ff0;
    s->dr[7] = 0x400;
    s->cpl = 0;
    s->activity = core->cpu->is_bsp ? X86_ACTIVE : X86_WAIT_FOR_SIPI;
    s->nmi_blocked = s->smi_blocked = s->interrupt_shadow = s->in_smm = false;
    s->pending_vector = -1;
    s->svm = (X86Svm){ 0 };
    if (!is_init) {
        reset_fpu_and_msrs(core);
    }
    core->event_ext = 0;
    core->debug_pending = 0;
    x86_state_changed(core);
}

void
x86_state_changed(X86Core *core)
{
    core->code_generation++;
    x86_tlb_flush_all(core);
    x86_debug_registers_changed(core);
    if (core->s.pending_vector >= 0) {
        vit_cpu_raise(core->cpu, VIT_CPU_EVENT_MAP_CHANGED); /* so that events are looked at */
    }
}
