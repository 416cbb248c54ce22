/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* CPUID under KVM: which features a guest can have, and the leaves a CPU is given.
 *
 * Offered is what the kernel lists and the interpreter has as well, since the interpreter must be
 * able to take over at any instruction. Leaves are those of x86_cpuid(); of leaf 0DH the places of
 * the XSAVE components are the host's, because its own XSAVE runs.
 *
 * Linux Documentation/virt/kvm/api.rst sections 4.46, 4.55, 4.69; Intel SDM volume 2 CPUID.
 * Thread: any. */

#include "kvm-private.h"

#include "vit-error.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

enum { A, B, C, D, LEAVES_MAX = 200 };

static const struct {
    uint32_t leaf, subleaf;
    uint8_t reg, bit;
} feature_places[] = { { 0 },
#define PLACE(symbol, name, leaf, subleaf, reg, bit) { leaf, subleaf, reg, bit },
                       X86_FEATURE_LIST(PLACE)
#undef PLACE
};

static void
set_feature(uint64_t *words, unsigned feature, bool value)
{
    uint64_t bit = 1ull << (feature % 64);

    words[feature / 64] = value ? words[feature / 64] | bit : words[feature / 64] & ~bit;
}

void
vit_kvm_features(const VitKvm *kvm, uint64_t out_words[X86_FEATURE_WORDS])
{
    uint64_t ours[X86_FEATURE_WORDS];

    x86_interpreter_features(ours);
    memset(out_words, 0, sizeof(ours));
    for (unsigned i = 1; i < X86_FEATURE_LAST; i++) {
        const struct kvm_cpuid_entry2 *entry =
            kvm_find_cpuid(kvm->supported, feature_places[i].leaf, feature_places[i].subleaf);
        uint32_t regs[4] = { 0 };

        if (entry) {
            memcpy(regs, (uint32_t[4]){ entry->eax, entry->ebx, entry->ecx, entry->edx },
                   sizeof(regs));
        }
        set_feature(out_words, i,
                    (ours[i / 64] >> (i % 64) & 1) &&
                        (regs[feature_places[i].reg] >> feature_places[i].bit & 1));
    }
    /* a guest's guest is in the kernel alone, out of the interpreter's reach */
    set_feature(out_words, X86_FEATURE_SVM, false);
    /* MWAIT would not leave the guest */
    set_feature(out_words, X86_FEATURE_MONITOR, false);
    /* ours to give, in software; vit_kvm_settle_model() has the last word on the other two */
    set_feature(out_words, X86_FEATURE_APIC, true);
    set_feature(out_words, X86_FEATURE_HYPERVISOR, true);
    set_feature(out_words, X86_FEATURE_X2APIC, true);
    set_feature(out_words, X86_FEATURE_TSC_DEADLINE, true);
}

void
vit_kvm_settle_model(const VitKvm *kvm, X86CpuModel *model)
{
    /* The kernel handles these registers only with a local APIC of its own. */
    set_feature(model->features, X86_FEATURE_X2APIC, false);
    set_feature(model->features, X86_FEATURE_TSC_DEADLINE, false);
    model->hypervisor_leaves = false;
    if (kvm->tsc_hz) {
        model->tsc_hz = kvm->tsc_hz;
    }
}

/* ---- Leaves ---- */

/* How many subleaves LEAF has for us. */
static unsigned
subleaf_count(uint32_t leaf)
{
    switch (leaf) {
    case 4: return 5;
    case 7: return 2;
    case 0x0b: return 3;
    case 0x0d: return 10;
    case 0x14: return 2;
    case 0x1f: return 4;
    case 0x8000001d: return 5;
    default: return 1;
    }
}

static void
add_leaf(const KvmVcpu *vcpu, struct kvm_cpuid2 *list, uint32_t leaf, uint32_t subleaf)
{
    struct kvm_cpuid_entry2 *entry = &list->entries[list->nent];
    const struct kvm_cpuid_entry2 *host = NULL;
    uint32_t r[4];

    if (list->nent >= LEAVES_MAX) {
        return;
    }
    list->nent++;
    x86_cpuid(vcpu->core->model, &vcpu->core->s, vcpu->cpu->apic_id, leaf, subleaf, r);
    if (leaf == 0x0d && subleaf >= 2 && r[A]) {
        host = kvm_find_cpuid(vcpu->kvm->supported, leaf, subleaf);
    }
    if (host) {
        r[A] = host->eax;
        r[B] = host->ebx;
    }
    *entry = (struct kvm_cpuid_entry2){
        .function = leaf,
        .index = subleaf,
        .flags = subleaf_count(leaf) > 1 ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
        .eax = r[A],
        .ebx = r[B],
        .ecx = r[C],
        .edx = r[D],
    };
}

static void
add_leaves(const KvmVcpu *vcpu, struct kvm_cpuid2 *list, uint32_t first, uint32_t last)
{
    for (uint32_t leaf = first; leaf <= last; leaf++) {
        for (unsigned subleaf = 0; subleaf < subleaf_count(leaf); subleaf++) {
            add_leaf(vcpu, list, leaf, subleaf);
        }
    }
}

bool
kvm_cpuid_set(KvmVcpu *vcpu, GError **error)
{
    const X86CpuModel *model = vcpu->core->model;
    g_autofree struct kvm_cpuid2 *list =
        g_malloc0(sizeof(*list) + LEAVES_MAX * sizeof(struct kvm_cpuid_entry2));

    add_leaves(vcpu, list, 0, MIN(model->max_leaf, 0x3fu));
    if (model->max_extended_leaf >= 0x80000000) {
        add_leaves(vcpu, list, 0x80000000, MIN(model->max_extended_leaf, 0x8000003fu));
    }
    if (ioctl(vcpu->fd, KVM_SET_CPUID2, list) < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED,
                    "KVM refuses the features of CPU model %s: %s; try another -cpu, or -accel tcg",
                    model->name, g_strerror(errno));
        return false;
    }
    return true;
}
