/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Control registers, EFER, XCR0: what may be written, and what follows from it.
 *
 * Intel SDM volume 3 2.5 (control registers), 4.1.1 and 4.1.2 (mode changes of paging), 9.8.5
 * (entering long mode), 4.10.4 (invalidation), volume 1 13.3 (XCR0); AMD APM volume 2 3.1.7 EFER.
 * Thread: the CPU's own. */

#include "x86-system.h"
#include "x86-log.h"

static _Noreturn void
bad_value(X86Core *core)
{
    x86_fault_code(core, X86_EXC_GP, 0);
}

/* The four directory pointers that PAE paging would use: #GP(0) when a present one is malformed. */
static void
check_directory_pointers(X86Core *core, uint64_t cr3)
{
    uint64_t reserved = 0x1e6 | ~((1ull << core->model->phys_bits) - 1);

    for (unsigned i = 0; i < 4; i++) {
        uint64_t entry =
            x86_phys_read(core, x86_mmu_table_address(core, (cr3 & 0xffffffe0u) + i * 8), 8);
        if ((entry & 1) && (entry & reserved)) {
            bad_value(core);
        }
    }
}

static bool
pae_paging(const X86Core *core, uint64_t cr0, uint64_t cr4)
{
    return (cr0 & X86_CR0_PG) && (cr4 & X86_CR4_PAE) && !(core->s.efer & X86_EFER_LME);
}

static void
check_long_mode_switch(X86Core *core, bool enable)
{
    const X86State *s = &core->s;

    if (enable) {
        bool tss16 = ((s->tr.attr >> X86_SEG_TYPE_SHIFT) & 13) == X86_DESC_TSS16;
        if (!(s->cr4 & X86_CR4_PAE) || (s->seg[X86_CS].attr & X86_SEG_L) || tss16) {
            bad_value(core);
        }
    } else if (s->seg[X86_CS].attr & X86_SEG_L) {
        bad_value(core);
    }
}

void
x86_write_cr0(X86Core *core, uint64_t value)
{
    const uint64_t defined = X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | X86_CR0_NE |
                             X86_CR0_WP | X86_CR0_AM | X86_CR0_NW | X86_CR0_CD | X86_CR0_PG;
    X86State *s = &core->s;
    uint64_t changed = value ^ s->cr0;

    if (value >> 32 || ((value & X86_CR0_PG) && !(value & X86_CR0_PE)) ||
        ((value & X86_CR0_NW) && !(value & X86_CR0_CD))) {
        bad_value(core);
    }
    if ((changed & X86_CR0_PG) && !(value & X86_CR0_PG) && (s->cr4 & X86_CR4_PCIDE)) {
        bad_value(core);
    }
    if ((changed & X86_CR0_PG) && (s->efer & X86_EFER_LME)) {
        check_long_mode_switch(core, value & X86_CR0_PG);
        s->efer ^= X86_EFER_LMA;
    } else if ((changed & (X86_CR0_PG | X86_CR0_CD | X86_CR0_NW)) &&
               pae_paging(core, value, s->cr4)) {
        check_directory_pointers(core, s->cr3);
    }
    s->cr0 = (value & defined) | X86_CR0_ET;
    if (changed & (X86_CR0_PG | X86_CR0_PE | X86_CR0_WP)) {
        x86_tlb_flush_all(core);
    }
}

void
x86_write_cr3(X86Core *core, uint64_t value)
{
    X86State *s = &core->s;
    bool keep = (s->cr4 & X86_CR4_PCIDE) && (value >> 63);

    if (s->cr4 & X86_CR4_PCIDE) {
        value &= ~(1ull << 63);
    }
    if (x86_long_mode(s) && (value >> core->model->phys_bits)) {
        bad_value(core);
    }
    if (!x86_long_mode(s)) {
        value = (uint32_t)value;
        if (pae_paging(core, s->cr0, s->cr4)) {
            check_directory_pointers(core, value);
        }
    }
    if (x86_log_wants(core, VIT_LOG_MMU)) {
        vit_log_printf(core->cpu->host->log, "CPU %u: CR3 %#" G_GINT64_MODIFIER "x%s\n",
                       core->cpu->index, value, keep ? ", entries kept" : "");
    }
    s->cr3 = value;
    x86_tlb_load_cr3(core, keep);
}

uint64_t
x86_cr4_supported(const X86CpuModel *model)
{
    static const struct {
        uint32_t bit;
        uint16_t feature;
    } rows[] = {
        { X86_CR4_VME | X86_CR4_PVI, X86_FEATURE_VME },
        { X86_CR4_TSD, X86_FEATURE_TSC },
        { X86_CR4_DE, X86_FEATURE_DE },
        { X86_CR4_PSE, X86_FEATURE_PSE },
        { X86_CR4_PAE, X86_FEATURE_PAE },
        { X86_CR4_MCE, X86_FEATURE_MCE },
        { X86_CR4_PGE, X86_FEATURE_PGE },
        { X86_CR4_PCE, X86_FEATURE_BASE },
        { X86_CR4_OSFXSR, X86_FEATURE_FXSR },
        { X86_CR4_OSXMMEXCPT, X86_FEATURE_SSE },
        { X86_CR4_UMIP, X86_FEATURE_UMIP },
        { X86_CR4_LA57, X86_FEATURE_LA57 },
        { X86_CR4_FSGSBASE, X86_FEATURE_FSGSBASE },
        { X86_CR4_PCIDE, X86_FEATURE_PCID },
        { X86_CR4_OSXSAVE, X86_FEATURE_XSAVE },
        { X86_CR4_SMEP, X86_FEATURE_SMEP },
        { X86_CR4_SMAP, X86_FEATURE_SMAP },
        { X86_CR4_PKE, X86_FEATURE_PKU },
    };
    uint64_t supported = 0;

    for (unsigned i = 0; i < VIT_ARRAY_LEN(rows); i++) {
        if (x86_model_has(model, rows[i].feature)) {
            supported |= rows[i].bit;
        }
    }
    return supported;
}

void
x86_write_cr4(X86Core *core, uint64_t value)
{
    X86State *s = &core->s;
    uint64_t changed = value ^ s->cr4;

    if (value & ~x86_cr4_supported(core->model)) {
        bad_value(core);
    }
    if (x86_long_mode(s) && ((changed & X86_CR4_LA57) || !(value & X86_CR4_PAE))) {
        bad_value(core);
    }
    if ((changed & value & X86_CR4_PCIDE) && (!x86_long_mode(s) || (s->cr3 & 0xfff))) {
        bad_value(core);
    }
    if ((changed & (X86_CR4_PAE | X86_CR4_PGE | X86_CR4_PSE | X86_CR4_SMEP)) &&
        pae_paging(core, s->cr0, value)) {
        check_directory_pointers(core, s->cr3);
    }
    s->cr4 = value;
    if (changed & (X86_CR4_PSE | X86_CR4_PAE | X86_CR4_PGE | X86_CR4_PCIDE | X86_CR4_SMEP |
                   X86_CR4_SMAP | X86_CR4_PKE | X86_CR4_LA57)) {
        x86_tlb_flush_all(core);
    }
}

/* ---- CR8: the local APIC's task priority ---- */

uint64_t
x86_read_cr8(X86Core *core)
{
    const VitCpuHost *host = core->cpu->host;
    uint64_t value = 0;

    if (core->s.svm.masks_interrupts) {
        return core->s.svm.virtual_tpr & 15;
    }
    if (host->apic_get_cr8) {
        vit_lock_take(vit_address_space_lock(host->memory));
        value = host->apic_get_cr8(host->opaque);
        vit_lock_release(vit_address_space_lock(host->memory));
    }
    return value;
}

void
x86_write_cr8(X86Core *core, uint64_t value)
{
    const VitCpuHost *host = core->cpu->host;

    if (value & ~(uint64_t)15) {
        bad_value(core);
    }
    if (core->s.svm.masks_interrupts) {
        core->s.svm.virtual_tpr = value;
        return;
    }
    if (host->apic_set_cr8) {
        vit_lock_take(vit_address_space_lock(host->memory));
        host->apic_set_cr8(host->opaque, value);
        vit_lock_release(vit_address_space_lock(host->memory));
    }
}

/* ---- EFER, XCR0, flags ---- */

bool
x86_efer_valid(const X86Core *core, uint64_t value)
{
    const X86CpuModel *model = core->model;
    uint64_t supported = X86_EFER_LMA;

    supported |= x86_model_has(model, X86_FEATURE_SYSCALL) ? X86_EFER_SCE : 0;
    supported |= x86_model_has(model, X86_FEATURE_LM) ? X86_EFER_LME : 0;
    supported |= x86_model_has(model, X86_FEATURE_NX) ? X86_EFER_NXE : 0;
    supported |= x86_model_has(model, X86_FEATURE_SVM) ? X86_EFER_SVME : 0;
    supported |= x86_model_has(model, X86_FEATURE_FXSR_OPT) ? X86_EFER_FFXSR : 0;
    if (value & ~supported) {
        return false;
    }
    return !((value ^ core->s.efer) & X86_EFER_LME) || !(core->s.cr0 & X86_CR0_PG);
}

void
x86_set_efer(X86Core *core, uint64_t value)
{
    uint64_t changed = value ^ core->s.efer;

    core->s.efer = value;
    if (changed & (X86_EFER_NXE | X86_EFER_LMA)) {
        x86_tlb_flush_all(core);
    }
}

uint64_t
x86_xcr0_supported(const X86CpuModel *model)
{
    uint64_t supported = 3; /* x87, SSE */

    if (!x86_model_has(model, X86_FEATURE_XSAVE)) {
        return 0;
    }
    supported |= x86_model_has(model, X86_FEATURE_AVX) ? 1u << 2 : 0;
    supported |= x86_model_has(model, X86_FEATURE_AVX512F) ? 7u << 5 : 0;
    supported |= x86_model_has(model, X86_FEATURE_PKU) ? 1u << 9 : 0;
    return supported;
}

void
x86_write_xcr0(X86Core *core, uint64_t value)
{
    const uint64_t avx512 = 7u << 5;

    if (!(value & 1) || (value & ~x86_xcr0_supported(core->model)) ||
        ((value & 4) && !(value & 2)) ||
        ((value & avx512) && ((value & avx512) != avx512 || !(value & 4)))) {
        bad_value(core);
    }
    core->s.xcr0 = value;
}

void
x86_write_flags(X86Core *core, uint64_t value, uint64_t writable)
{
    core->s.rflags = (core->s.rflags & ~writable) | (value & writable) | 2;
}
