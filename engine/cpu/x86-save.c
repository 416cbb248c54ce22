/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The saved fields of a CPU, and what a loaded state must satisfy before it may run.
 *
 * The stream is untrusted: values that the rest of engine/cpu takes for granted (because the guest
 * can only set them through checked instructions) are checked here once. The TSC travels as its
 * offset from the virtual clock, which is saved with the machine.
 * Thread: the machine's, while the CPU is stopped. */

#include "x86-save.h"

#include "vit-error.h"
#include "x86-fpu.h"
#include "x86-system.h"

static const VitField segment_fields[] = {
    VIT_FIELD(X86Segment, selector),
    VIT_FIELD(X86Segment, attr),
    VIT_FIELD(X86Segment, limit),
    VIT_FIELD(X86Segment, base),
    { 0 },
};

static const VitField table_fields[] = {
    VIT_FIELD(X86TableReg, base),
    VIT_FIELD(X86TableReg, limit),
    { 0 },
};

static const VitField svm_fields[] = {
    VIT_FIELD(X86Svm, guest),
    VIT_FIELD(X86Svm, interrupts_off),
    VIT_FIELD(X86Svm, nested_paging),
    VIT_FIELD(X86Svm, masks_interrupts),
    VIT_FIELD(X86Svm, host_if),
    VIT_FIELD(X86Svm, host_nmi_blocked),
    VIT_FIELD(X86Svm, virtual_irq),
    VIT_FIELD(X86Svm, virtual_ignores_tpr),
    VIT_FIELD(X86Svm, virtual_tpr),
    VIT_FIELD(X86Svm, virtual_priority),
    VIT_FIELD(X86Svm, virtual_vector),
    VIT_FIELD(X86Svm, cr_intercepts),
    VIT_FIELD(X86Svm, dr_intercepts),
    VIT_FIELD(X86Svm, exceptions),
    VIT_FIELD_ARRAY(X86Svm, intercepts),
    VIT_FIELD(X86Svm, control_block),
    VIT_FIELD(X86Svm, io_map),
    VIT_FIELD(X86Svm, msr_map),
    VIT_FIELD(X86Svm, nested_cr3),
    VIT_FIELD(X86Svm, tsc_offset),
    VIT_FIELD(X86Svm, host_pat),
    VIT_FIELD(X86Svm, host_cr4),
    VIT_FIELD(X86Svm, host_efer),
    { 0 },
};

static const VitField pmu_fields[] = {
    VIT_FIELD_ARRAY(X86Pmu, select),
    VIT_FIELD_ARRAY(X86Pmu, count),
    VIT_FIELD(X86Pmu, fixed_control),
    VIT_FIELD_ARRAY(X86Pmu, fixed),
    VIT_FIELD(X86Pmu, global_control),
    VIT_FIELD(X86Pmu, global_status),
    VIT_TRANSIENT(X86Pmu, counts_instructions), /* follows from the controls */
    { 0 },
};

const VitField x86_state_fields[] = {
    VIT_FIELD_ARRAY(X86State, gpr),
    VIT_FIELD(X86State, rip),
    VIT_FIELD(X86State, rflags),
    VIT_FIELD_STRUCTS(X86State, seg, segment_fields),
    VIT_FIELD_NESTED(X86State, ldtr, segment_fields),
    VIT_FIELD_NESTED(X86State, tr, segment_fields),
    VIT_FIELD_NESTED(X86State, gdtr, table_fields),
    VIT_FIELD_NESTED(X86State, idtr, table_fields),
    VIT_FIELD(X86State, cr0),
    VIT_FIELD(X86State, cr2),
    VIT_FIELD(X86State, cr3),
    VIT_FIELD(X86State, cr4),
    VIT_FIELD(X86State, efer),
    VIT_FIELD(X86State, xcr0),
    VIT_FIELD_ARRAY(X86State, dr),
    VIT_FIELD(X86State, cpl),
    VIT_FIELD_BYTES(X86State, fpu),
    VIT_FIELD_BYTES(X86State, zmm),
    VIT_FIELD_ARRAY(X86State, opmask),
    VIT_FIELD(X86State, mxcsr),
    VIT_FIELD(X86State, pkru),
    VIT_FIELD(X86State, star),
    VIT_FIELD(X86State, lstar),
    VIT_FIELD(X86State, cstar),
    VIT_FIELD(X86State, sfmask),
    VIT_FIELD(X86State, kernel_gs_base),
    VIT_FIELD(X86State, tsc_aux),
    VIT_FIELD(X86State, sysenter_cs),
    VIT_FIELD(X86State, sysenter_esp),
    VIT_FIELD(X86State, sysenter_eip),
    VIT_FIELD(X86State, pat),
    VIT_FIELD(X86State, misc_enable),
    VIT_FIELD(X86State, debugctl),
    VIT_FIELD(X86State, feature_control),
    VIT_FIELD(X86State, tsc_offset),
    VIT_FIELD(X86State, tsc_adjust),
    VIT_FIELD(X86State, mtrr_def_type),
    VIT_FIELD_ARRAY(X86State, mtrr_fixed),
    VIT_FIELD_ARRAY(X86State, mtrr_base),
    VIT_FIELD_ARRAY(X86State, mtrr_mask),
    VIT_FIELD(X86State, mcg_status),
    VIT_FIELD(X86State, mcg_ctl),
    VIT_FIELD_BYTES(X86State, mce_banks),
    VIT_FIELD(X86State, smbase),
    VIT_FIELD(X86State, spec_ctrl),
    VIT_FIELD(X86State, tsx_ctrl),
    VIT_FIELD(X86State, xss),
    VIT_FIELD(X86State, hwcr),
    VIT_FIELD(X86State, vm_hsave_pa),
    VIT_FIELD(X86State, microcode_version),
    VIT_FIELD_NESTED(X86State, svm, svm_fields),
    VIT_FIELD_NESTED(X86State, pmu, pmu_fields),
    VIT_FIELD(X86State, activity),
    VIT_FIELD(X86State, in_smm),
    VIT_FIELD(X86State, nmi_blocked),
    VIT_FIELD(X86State, smi_blocked),
    VIT_FIELD(X86State, interrupt_shadow),
    VIT_FIELD(X86State, pending_vector),
    VIT_FIELD(X86State, pending_has_error),
    VIT_FIELD(X86State, pending_is_soft),
    VIT_FIELD(X86State, pending_error),
    { 0 },
};

/* The first rule a state breaks, or NULL. */
static const char *
broken_rule(const X86Core *core)
{
    const X86State *s = &core->s;
    const X86CpuModel *model = core->model;
    bool pg = s->cr0 & X86_CR0_PG, pe = s->cr0 & X86_CR0_PE;
    bool lma = s->efer & X86_EFER_LMA;
    const uint64_t efer_known =
        X86_EFER_SCE | X86_EFER_LME | X86_EFER_LMA | X86_EFER_NXE | X86_EFER_SVME | X86_EFER_FFXSR;

    if (s->cpl > 3) {
        return "cpl";
    }
    if (s->activity > X86_SHUTDOWN) {
        return "activity";
    }
    if ((s->cr0 >> 32) || (pg && !pe)) {
        return "cr0";
    }
    if (s->cr4 & ~x86_cr4_supported(model)) {
        return "cr4";
    }
    if (s->cr3 >> model->phys_bits) {
        return "cr3";
    }
    if ((s->efer & ~efer_known) || lma != (pg && (s->efer & X86_EFER_LME)) ||
        (lma && (!(s->cr4 & X86_CR4_PAE) || !x86_model_has(model, X86_FEATURE_LM)))) {
        return "efer";
    }
    if ((s->svm.guest || (s->efer & X86_EFER_SVME)) && !x86_model_has(model, X86_FEATURE_SVM)) {
        return "svm";
    }
    if (s->xcr0 & ~(x86_xcr0_supported(model) | 1)) {
        return "xcr0";
    }
    if (s->mxcsr & ~x86_mxcsr_mask(core)) {
        return "mxcsr"; /* the host's LDMXCSR would fault */
    }
    if (s->pending_vector < -1 || s->pending_vector > 255) {
        return "pending_vector";
    }
    return NULL;
}

bool
x86_state_accept(X86Core *core, GError **error)
{
    X86State *s = &core->s;
    const char *broken = broken_rule(core);

    if (broken) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_CORRUPT,
                    "saved state of CPU %u: \"%s\" holds a value that -cpu %s cannot have",
                    core->cpu->index, broken, core->model->name);
        return false;
    }
    s->rflags = (s->rflags & 0x3f7fd5) | 2;
    s->cr0 |= X86_CR0_ET;
    s->fpu.mxcsr = X86_MXCSR_DEFAULT; /* the image's own MXCSR is never the guest's */
    s->fpu.mxcsr_mask = 0;
    core->next_rip = s->rip;
    core->event_ext = 0;
    core->debug_pending = 0;
    x86_state_changed(core);
    x86_pmu_restart(core);
    return true;
}
