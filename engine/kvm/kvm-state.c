/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* X86State to the kernel's register groups and back.
 *
 * General and segment registers every KVM has: when they are refused the CPU cannot go on. The rest
 * is soft: a group or MSR that this kernel does not know, or a value it will not take, is left out,
 * and the canonical state keeps what it had. MSRs go in one call that stops at the first it
 * refuses; it is then begun again behind that one.
 *
 * The time stamp counter is the kernel's while it runs. It is only set when it and ours are more
 * than a millisecond apart (reset, pause, a write in the interpreter): setting it each time would
 * let the CPUs' counters drift.
 *
 * Linux Documentation/virt/kvm/api.rst sections 4.11 to 4.14, 4.18, 4.19, 4.22, 4.31, 4.32, 4.42 to
 * 4.45; Intel SDM volume 1 13.4 (XSAVE area). Known deviations: the selectors of the last x87
 * instruction stay with us; machine-check banks
 * stay where they were written.
 * Thread: the CPU's own, or another's while it is parked. */

#include "kvm-private.h"

#include "x86-system.h"

#include <string.h>
#include <sys/ioctl.h>

/* ---- General registers ---- */

/* struct kvm_regs has RSI, RDI before RSP, RBP. */
static const uint8_t gpr_places[16] = { X86_RAX, X86_RBX, X86_RCX, X86_RDX, X86_RSI, X86_RDI,
                                        X86_RSP, X86_RBP, X86_R8,  X86_R9,  X86_R10, X86_R11,
                                        X86_R12, X86_R13, X86_R14, X86_R15 };
_Static_assert(offsetof(struct kvm_regs, rip) == 16 * 8, "sixteen registers come first");

static bool
get_regs(KvmVcpu *vcpu)
{
    X86State *s = &vcpu->core->s;
    struct kvm_regs regs;
    uint64_t values[16];

    if (ioctl(vcpu->fd, KVM_GET_REGS, &regs) < 0) {
        return false;
    }
    memcpy(values, &regs, sizeof(values));
    for (unsigned i = 0; i < 16; i++) {
        s->gpr[gpr_places[i]] = values[i];
    }
    s->rip = vcpu->core->next_rip = regs.rip;
    s->rflags = regs.rflags;
    return true;
}

static bool
put_regs(KvmVcpu *vcpu)
{
    const X86State *s = &vcpu->core->s;
    struct kvm_regs regs = { .rip = s->rip, .rflags = s->rflags };
    uint64_t values[16];

    for (unsigned i = 0; i < 16; i++) {
        values[i] = s->gpr[gpr_places[i]];
    }
    memcpy(&regs, values, sizeof(values));
    return ioctl(vcpu->fd, KVM_SET_REGS, &regs) == 0;
}

/* ---- Segments and control registers ---- */

static void
segment_from_kvm(X86Segment *seg, const struct kvm_segment *k)
{
    seg->selector = k->selector;
    seg->base = k->base;
    seg->limit = k->limit;
    seg->attr = (uint32_t)k->type << X86_SEG_TYPE_SHIFT | (k->s ? X86_SEG_S : 0) |
                (uint32_t)k->dpl << X86_SEG_DPL_SHIFT |
                (k->present && !k->unusable ? X86_SEG_P : 0) | (k->avl ? X86_SEG_AVL : 0) |
                (k->l ? X86_SEG_L : 0) | (k->db ? X86_SEG_DB : 0) | (k->g ? X86_SEG_G : 0);
}

static struct kvm_segment
segment_to_kvm(const X86Segment *seg)
{
    return (struct kvm_segment){
        .selector = seg->selector,
        .base = seg->base,
        .limit = seg->limit,
        .type = seg->attr >> X86_SEG_TYPE_SHIFT & 15,
        .s = !!(seg->attr & X86_SEG_S),
        .dpl = seg->attr >> X86_SEG_DPL_SHIFT & 3,
        .present = !!(seg->attr & X86_SEG_P),
        .avl = !!(seg->attr & X86_SEG_AVL),
        .l = !!(seg->attr & X86_SEG_L),
        .db = !!(seg->attr & X86_SEG_DB),
        .g = !!(seg->attr & X86_SEG_G),
        .unusable = !(seg->attr & X86_SEG_P),
    };
}

static void
segments_from_kvm(X86State *s, const struct kvm_sregs *k)
{
    segment_from_kvm(&s->seg[X86_ES], &k->es);
    segment_from_kvm(&s->seg[X86_CS], &k->cs);
    segment_from_kvm(&s->seg[X86_SS], &k->ss);
    segment_from_kvm(&s->seg[X86_DS], &k->ds);
    segment_from_kvm(&s->seg[X86_FS], &k->fs);
    segment_from_kvm(&s->seg[X86_GS], &k->gs);
    segment_from_kvm(&s->ldtr, &k->ldt);
    segment_from_kvm(&s->tr, &k->tr);
    s->gdtr = (X86TableReg){ .base = k->gdt.base, .limit = k->gdt.limit };
    s->idtr = (X86TableReg){ .base = k->idt.base, .limit = k->idt.limit };
}

static bool
get_sregs(KvmVcpu *vcpu)
{
    X86State *s = &vcpu->core->s;
    struct kvm_sregs k;

    if (ioctl(vcpu->fd, KVM_GET_SREGS, &k) < 0) {
        return false;
    }
    segments_from_kvm(s, &k);
    s->cr0 = k.cr0;
    s->cr2 = k.cr2;
    s->cr3 = k.cr3;
    s->cr4 = k.cr4;
    s->efer = k.efer;
    s->cpl = x86_real_mode(s) ? 0 : x86_v8086(s) ? 3 : k.ss.dpl;
    return true;
}

static bool
put_sregs(KvmVcpu *vcpu)
{
    const X86State *s = &vcpu->core->s;
    const VitCpuHost *host = vcpu->cpu->host;
    struct kvm_sregs k = {
        .es = segment_to_kvm(&s->seg[X86_ES]),
        .cs = segment_to_kvm(&s->seg[X86_CS]),
        .ss = segment_to_kvm(&s->seg[X86_SS]),
        .ds = segment_to_kvm(&s->seg[X86_DS]),
        .fs = segment_to_kvm(&s->seg[X86_FS]),
        .gs = segment_to_kvm(&s->seg[X86_GS]),
        .ldt = segment_to_kvm(&s->ldtr),
        .tr = segment_to_kvm(&s->tr),
        .gdt = { .base = s->gdtr.base, .limit = s->gdtr.limit },
        .idt = { .base = s->idtr.base, .limit = s->idtr.limit },
        .cr0 = s->cr0,
        .cr2 = s->cr2,
        .cr3 = s->cr3,
        .cr4 = s->cr4,
        .efer = s->efer,
        .apic_base = 0xfee00800u | (vcpu->cpu->is_bsp ? 0x100 : 0),
    };
    VitLock *lock = vit_address_space_lock(host->memory);

    if (host->apic_get_base) {
        vit_lock_take(lock);
        k.apic_base = host->apic_get_base(host->opaque);
        k.cr8 = host->apic_get_cr8(host->opaque);
        vit_lock_release(lock);
    }
    vcpu->run->cr8 = vcpu->cr8 = k.cr8;
    vcpu->run->apic_base = vcpu->apic_base = k.apic_base;
    return ioctl(vcpu->fd, KVM_SET_SREGS, &k) == 0;
}

/* ---- x87 and vectors ---- */

enum {
    AREA_BYTES = sizeof(struct kvm_xsave),
    X87_BYTES = 160, /* up to the XMM registers */
    MXCSR_AT = 24,
    XMM_AT = 160,
    XSTATE_BV_AT = 512,
    COMPONENT_X87 = 0,
    COMPONENT_SSE = 1,
    COMPONENT_AVX = 2,
    COMPONENT_OPMASK = 5,
    COMPONENT_ZMM_HIGH = 6,
    COMPONENT_ZMM_16_31 = 7,
    COMPONENT_PKRU = 9,
};

/* Where COMPONENT lies in this host's area; NULL when the kernel does not offer it. */
static uint8_t *
component_at(const VitKvm *kvm, uint8_t *area, unsigned component, unsigned len)
{
    const struct kvm_cpuid_entry2 *all = kvm_find_cpuid(kvm->supported, 0x0d, 0);
    const struct kvm_cpuid_entry2 *one = kvm_find_cpuid(kvm->supported, 0x0d, component);

    if (!all || !one || !(all->eax >> component & 1) || one->eax < len ||
        one->ebx + len > AREA_BYTES) {
        return NULL;
    }
    return area + one->ebx;
}

/* The vector state beyond SSE, in the order of the area: one piece per call of COPY. */
static void
each_piece(KvmVcpu *vcpu, uint8_t *area,
           void (*copy)(uint8_t *in_area, void *ours, unsigned len, bool in_use), uint64_t in_use,
           uint64_t *out_present)
{
    X86State *s = &vcpu->core->s;
    static const uint8_t list[] = { COMPONENT_AVX, COMPONENT_OPMASK, COMPONENT_ZMM_HIGH,
                                    COMPONENT_ZMM_16_31, COMPONENT_PKRU };
    static const uint16_t sizes[] = { 256, 64, 512, 1024, 4 };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(list); i++) {
        uint8_t *at = component_at(vcpu->kvm, area, list[i], sizes[i]);
        bool used = in_use >> list[i] & 1;

        if (!at) {
            continue;
        }
        *out_present |= 1ull << list[i];
        switch (list[i]) {
        case COMPONENT_AVX:
            for (unsigned n = 0; n < 16; n++) {
                copy(at + n * 16, &s->zmm[n].u8[16], 16, used);
            }
            break;
        case COMPONENT_OPMASK: copy(at, s->opmask, 64, used); break;
        case COMPONENT_ZMM_HIGH:
            for (unsigned n = 0; n < 16; n++) {
                copy(at + n * 32, &s->zmm[n].u8[32], 32, used);
            }
            break;
        case COMPONENT_ZMM_16_31: copy(at, &s->zmm[16], 1024, used); break;
        default: copy(at, &s->pkru, 4, used); break;
        }
    }
}

static void
piece_from_area(uint8_t *in_area, void *ours, unsigned len, bool in_use)
{
    if (in_use) {
        memcpy(ours, in_area, len);
    } else {
        memset(ours, 0, len); /* initial state, not stored */
    }
}

static void
piece_to_area(uint8_t *in_area, void *ours, unsigned len, bool in_use)
{
    memcpy(in_area, ours, len);
}

/* The FXSAVE part; MXCSR is the canonical state's own. */
static void
legacy_from_area(X86State *s, const uint8_t *area, uint64_t in_use)
{
    uint32_t mask = s->fpu.mxcsr_mask;

    if (in_use & 1u << COMPONENT_X87) {
        memcpy(&s->fpu, area, X87_BYTES);
    } else {
        memset(&s->fpu, 0, X87_BYTES);
        s->fpu.fcw = 0x37f;
    }
    s->fpu.mxcsr = 0x1f80;
    s->fpu.mxcsr_mask = mask;
    memcpy(&s->mxcsr, area + MXCSR_AT, 4);
    for (unsigned n = 0; n < 16; n++) {
        piece_from_area((uint8_t *)area + XMM_AT + n * 16, s->zmm[n].u8, 16,
                        in_use & 1u << COMPONENT_SSE);
    }
}

static void
legacy_to_area(const X86State *s, uint8_t *area)
{
    memcpy(area, &s->fpu, X87_BYTES);
    memcpy(area + MXCSR_AT, &s->mxcsr, 4);
    for (unsigned n = 0; n < 16; n++) {
        memcpy(area + XMM_AT + n * 16, s->zmm[n].u8, 16);
    }
}

static void
get_xsave(KvmVcpu *vcpu)
{
    g_autofree struct kvm_xsave *xsave = g_new0(struct kvm_xsave, 1);
    uint8_t *area = (uint8_t *)xsave->region;
    uint64_t in_use, present = 0;

    if (ioctl(vcpu->fd, KVM_GET_XSAVE, xsave) < 0) {
        return;
    }
    memcpy(&in_use, area + XSTATE_BV_AT, 8);
    legacy_from_area(&vcpu->core->s, area, in_use);
    each_piece(vcpu, area, piece_from_area, in_use, &present);
}

static void
put_xsave(KvmVcpu *vcpu)
{
    g_autofree struct kvm_xsave *xsave = g_new0(struct kvm_xsave, 1);
    uint8_t *area = (uint8_t *)xsave->region;
    uint64_t in_use = 1u << COMPONENT_X87 | 1u << COMPONENT_SSE;

    legacy_to_area(&vcpu->core->s, area);
    each_piece(vcpu, area, piece_to_area, 0, &in_use);
    memcpy(area + XSTATE_BV_AT, &in_use, 8);
    ioctl(vcpu->fd, KVM_SET_XSAVE, xsave);
}

/* The older form: x87 and SSE only. */
static void
get_fpu(KvmVcpu *vcpu)
{
    X86State *s = &vcpu->core->s;
    struct kvm_fpu k;

    if (ioctl(vcpu->fd, KVM_GET_FPU, &k) < 0) {
        return;
    }
    s->fpu.fcw = k.fcw;
    s->fpu.fsw = k.fsw;
    s->fpu.ftw = k.ftwx;
    s->fpu.fop = k.last_opcode;
    s->fpu.fip = k.last_ip;
    s->fpu.fdp = k.last_dp;
    memcpy(s->fpu.st, k.fpr, sizeof(s->fpu.st));
    s->mxcsr = k.mxcsr;
    for (unsigned n = 0; n < 16; n++) {
        memcpy(s->zmm[n].u8, k.xmm[n], 16);
    }
}

static void
put_fpu(KvmVcpu *vcpu)
{
    const X86State *s = &vcpu->core->s;
    struct kvm_fpu k = { .fcw = s->fpu.fcw,
                         .fsw = s->fpu.fsw,
                         .ftwx = s->fpu.ftw,
                         .last_opcode = s->fpu.fop,
                         .last_ip = s->fpu.fip,
                         .last_dp = s->fpu.fdp,
                         .mxcsr = s->mxcsr };

    memcpy(k.fpr, s->fpu.st, sizeof(k.fpr));
    for (unsigned n = 0; n < 16; n++) {
        memcpy(k.xmm[n], s->zmm[n].u8, 16);
    }
    ioctl(vcpu->fd, KVM_SET_FPU, &k);
}

static void
get_xcr0(KvmVcpu *vcpu)
{
    struct kvm_xcrs xcrs;

    if (vcpu->kvm->has_xcrs && ioctl(vcpu->fd, KVM_GET_XCRS, &xcrs) == 0) {
        for (unsigned i = 0; i < MIN(xcrs.nr_xcrs, KVM_MAX_XCRS); i++) {
            if (xcrs.xcrs[i].xcr == 0) {
                vcpu->core->s.xcr0 = xcrs.xcrs[i].value;
            }
        }
    }
}

static void
put_xcr0(KvmVcpu *vcpu)
{
    struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs[0].value = vcpu->core->s.xcr0 };

    if (vcpu->kvm->has_xcrs) {
        ioctl(vcpu->fd, KVM_SET_XCRS, &xcrs);
    }
}

/* ---- MSRs ---- */

#define AT(field) offsetof(X86State, field)
static const struct {
    uint32_t first;
    uint16_t count, step_bytes;
    uint16_t offset;
} msr_rows[] = {
    { 0x03a, 1, 0, AT(feature_control) },     { 0x03b, 1, 0, AT(tsc_adjust) },
    { 0x048, 1, 0, AT(spec_ctrl) },           { 0x122, 1, 0, AT(tsx_ctrl) },
    { 0x174, 1, 0, AT(sysenter_cs) },         { 0x175, 1, 0, AT(sysenter_esp) },
    { 0x176, 1, 0, AT(sysenter_eip) },        { 0x17a, 1, 0, AT(mcg_status) },
    { 0x1a0, 1, 0, AT(misc_enable) },         { 0x1d9, 1, 0, AT(debugctl) },
    { 0x250, 1, 0, AT(mtrr_fixed[0]) },       { 0x258, 2, 8, AT(mtrr_fixed[1]) },
    { 0x268, 8, 8, AT(mtrr_fixed[3]) },       { 0x277, 1, 0, AT(pat) },
    { 0x2ff, 1, 0, AT(mtrr_def_type) },       { 0xda0, 1, 0, AT(xss) },
    { 0xc0000081, 1, 0, AT(star) },           { 0xc0000082, 1, 0, AT(lstar) },
    { 0xc0000083, 1, 0, AT(cstar) },          { 0xc0000084, 1, 0, AT(sfmask) },
    { 0xc0000102, 1, 0, AT(kernel_gs_base) }, { 0xc0000103, 1, 0, AT(tsc_aux) },
    { 0xc0010015, 1, 0, AT(hwcr) },
};
enum { MSR_TSC = 0x10, MSR_MTRR_VARIABLE = 0x200, MSRS_MAX = 64 };

typedef struct MsrList {
    unsigned count;
    uint32_t index[MSRS_MAX];
    uint64_t *field[MSRS_MAX];
} MsrList;

/* The kernel's structure ends in an array of open length. */
typedef union MsrCall {
    struct kvm_msrs head;
    uint8_t bytes[sizeof(struct kvm_msrs) + MSRS_MAX * sizeof(struct kvm_msr_entry)];
} MsrCall;

static void
list_msrs(X86State *s, MsrList *list)
{
    list->count = 0;
    for (unsigned i = 0; i < VIT_ARRAY_LEN(msr_rows); i++) {
        for (unsigned n = 0; n < msr_rows[i].count; n++) {
            list->index[list->count] = msr_rows[i].first + n;
            list->field[list->count++] =
                (uint64_t *)((char *)s + msr_rows[i].offset + n * msr_rows[i].step_bytes);
        }
    }
    for (unsigned n = 0; n < X86_MTRR_VARIABLE; n++) {
        list->index[list->count] = MSR_MTRR_VARIABLE + n * 2;
        list->field[list->count++] = &s->mtrr_base[n];
        list->index[list->count] = MSR_MTRR_VARIABLE + n * 2 + 1;
        list->field[list->count++] = &s->mtrr_mask[n];
    }
}

/* Get or set, leaving out what is refused. */
static void
transfer_msrs(KvmVcpu *vcpu, bool get)
{
    MsrCall call;
    MsrList list;
    unsigned at = 0;

    list_msrs(&vcpu->core->s, &list);
    while (at < list.count) {
        unsigned count = list.count - at;
        int done;

        memset(&call, 0, sizeof(call));
        call.head.nmsrs = count;
        for (unsigned i = 0; i < count; i++) {
            call.head.entries[i].index = list.index[at + i];
            call.head.entries[i].data = *list.field[at + i];
        }
        done = ioctl(vcpu->fd, get ? KVM_GET_MSRS : KVM_SET_MSRS, &call);
        for (int i = 0; get && i < done; i++) {
            *list.field[at + i] = call.head.entries[i].data;
        }
        at += MAX(done, 0) + 1;
    }
}

static bool
read_tsc(KvmVcpu *vcpu, uint64_t *out_tsc)
{
    MsrCall call = { .head.nmsrs = 1 };

    call.head.entries[0].index = MSR_TSC;
    if (ioctl(vcpu->fd, KVM_GET_MSRS, &call) != 1) {
        return false;
    }
    *out_tsc = call.head.entries[0].data;
    return true;
}

static void
get_tsc(KvmVcpu *vcpu)
{
    uint64_t tsc;

    if (read_tsc(vcpu, &tsc)) {
        vcpu->core->s.tsc_offset += tsc - x86_tsc(vcpu->core);
    }
}

static void
put_tsc(KvmVcpu *vcpu)
{
    MsrCall call = { .head.nmsrs = 1 };
    uint64_t limit = vcpu->core->model->tsc_hz / 1000, theirs, ours;

    if (read_tsc(vcpu, &theirs)) {
        ours = x86_tsc(vcpu->core);
        if (theirs - ours > limit && ours - theirs > limit) {
            call.head.entries[0].index = MSR_TSC;
            call.head.entries[0].data = ours;
            ioctl(vcpu->fd, KVM_SET_MSRS, &call);
        }
    }
}

/* ---- Debug registers and events ---- */

static void
get_debugregs(KvmVcpu *vcpu)
{
    X86State *s = &vcpu->core->s;
    struct kvm_debugregs k;

    if (vcpu->kvm->has_debugregs && ioctl(vcpu->fd, KVM_GET_DEBUGREGS, &k) == 0) {
        memcpy(s->dr, k.db, sizeof(k.db));
        s->dr[6] = k.dr6;
        s->dr[7] = k.dr7;
    }
}

static void
put_debugregs(KvmVcpu *vcpu)
{
    const X86State *s = &vcpu->core->s;
    struct kvm_debugregs k = { .dr6 = s->dr[6], .dr7 = s->dr[7] };

    memcpy(k.db, s->dr, sizeof(k.db));
    if (vcpu->kvm->has_debugregs) {
        ioctl(vcpu->fd, KVM_SET_DEBUGREGS, &k);
    }
}

static void
get_events(KvmVcpu *vcpu)
{
    X86State *s = &vcpu->core->s;
    struct kvm_vcpu_events k;

    s->pending_vector = -1;
    s->pending_has_error = s->pending_is_soft = false;
    s->pending_error = 0;
    if (!vcpu->kvm->has_events || ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &k) < 0) {
        return;
    }
    s->interrupt_shadow = k.interrupt.shadow;
    s->nmi_blocked = k.nmi.masked;
    if (k.exception.injected) {
        s->pending_vector = k.exception.nr;
        s->pending_has_error = k.exception.has_error_code;
        s->pending_error = k.exception.error_code;
    } else if (k.nmi.injected) {
        s->pending_vector = X86_EXC_NMI;
    } else if (k.interrupt.injected) {
        s->pending_vector = k.interrupt.nr;
        s->pending_is_soft = k.interrupt.soft;
    }
    if (k.nmi.pending) {
        vit_cpu_raise(vcpu->cpu, VIT_CPU_EVENT_NMI);
    }
}

static void
put_events(KvmVcpu *vcpu)
{
    const X86State *s = &vcpu->core->s;
    struct kvm_vcpu_events k = { .flags =
                                     KVM_VCPUEVENT_VALID_SHADOW | KVM_VCPUEVENT_VALID_NMI_PENDING };
    int vector = s->pending_vector;

    k.interrupt.shadow =
        s->interrupt_shadow ? KVM_X86_SHADOW_INT_STI | KVM_X86_SHADOW_INT_MOV_SS : 0;
    k.nmi.masked = s->nmi_blocked;
    if (vector == X86_EXC_NMI) {
        k.nmi.injected = 1;
    } else if (vector >= 0 && vector < 32 && !s->pending_is_soft && !x86_real_mode(s)) {
        k.exception.injected = 1;
        k.exception.nr = vector;
        k.exception.has_error_code = s->pending_has_error;
        k.exception.error_code = s->pending_error;
    } else if (vector >= 0) {
        k.interrupt.injected = 1;
        k.interrupt.nr = vector;
        k.interrupt.soft = s->pending_is_soft;
    }
    if (vcpu->kvm->has_events) {
        ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &k);
    }
}

/* ---- All of it ---- */

bool
kvm_state_get(KvmVcpu *vcpu)
{
    if (!get_regs(vcpu) || !get_sregs(vcpu)) {
        return false;
    }
    get_xcr0(vcpu);
    if (vcpu->kvm->has_xsave) {
        get_xsave(vcpu);
    } else {
        get_fpu(vcpu);
    }
    transfer_msrs(vcpu, true);
    get_tsc(vcpu);
    get_debugregs(vcpu);
    get_events(vcpu);
    return true;
}

bool
kvm_state_put(KvmVcpu *vcpu)
{
    if (!put_sregs(vcpu) || !put_regs(vcpu)) {
        return false;
    }
    put_xcr0(vcpu);
    if (vcpu->kvm->has_xsave) {
        put_xsave(vcpu);
    } else {
        put_fpu(vcpu);
    }
    transfer_msrs(vcpu, false);
    put_tsc(vcpu);
    put_debugregs(vcpu);
    put_events(vcpu);
    return true;
}
