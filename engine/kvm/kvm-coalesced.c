/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Writes the kernel collects: a device window whose writes may come late (VitRegionOps.late_writes)
 * costs no exit for each. They lie in a ring that all CPUs of the VM share, and are carried out
 * before the exit that follows them, so that a register write after them still finds them done.
 *
 * A picture may wait for the next exit: a display that looks gets the CPU out (kvm_ring_hurry).
 *
 * Linux Documentation/virt/kvm/api.rst section 4.116 (KVM_(UN)REGISTER_COALESCED_MMIO); the ring's
 * page is KVM_COALESCED_MMIO_PAGE_OFFSET of a CPU's shared pages.
 * Thread: zones with the device lock held; draining a CPU's own, no lock held. */

#include "kvm-private.h"

#include <string.h>
#include <sys/ioctl.h>

/* KVM_COALESCED_MMIO_MAX, whose PAGE_SIZE is not for user space */
enum {
    RING_ENTRIES = (VIT_PAGE_SIZE - sizeof(struct kvm_coalesced_mmio_ring)) /
                   sizeof(struct kvm_coalesced_mmio),
};

void
kvm_ring_attach(KvmVcpu *vcpu)
{
    VitKvm *kvm = vcpu->kvm;

    g_mutex_lock(&kvm->lock);
    if (kvm->ring_page && !kvm->ring_vcpu) {
        kvm->ring_vcpu = vcpu;
        kvm->ring = (void *)((uint8_t *)vcpu->run + kvm->ring_page * VIT_PAGE_SIZE);
    }
    g_mutex_unlock(&kvm->lock);
}

void
kvm_ring_detach(KvmVcpu *vcpu)
{
    VitKvm *kvm = vcpu->kvm;

    g_mutex_lock(&kvm->lock);
    if (kvm->ring_vcpu == vcpu) {
        kvm->ring_vcpu = NULL;
        kvm->ring = NULL;
    }
    g_mutex_unlock(&kvm->lock);
}

static bool
is_empty(const struct kvm_coalesced_mmio_ring *ring)
{
    return __atomic_load_n(&ring->first, __ATOMIC_RELAXED) ==
           __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE);
}

void
kvm_ring_drain(KvmVcpu *vcpu)
{
    VitKvm *kvm = vcpu->kvm;
    struct kvm_coalesced_mmio_ring *ring = kvm->ring;

    if (!ring || is_empty(ring)) {
        return;
    }
    g_mutex_lock(&kvm->ring_lock);
    while (!is_empty(ring)) {
        const struct kvm_coalesced_mmio *entry = &ring->coalesced_mmio[ring->first];
        unsigned size = MIN(entry->len, 8);

        vit_address_space_write_bytes(vcpu->cpu->host->memory, entry->phys_addr, entry->data, size);
        __atomic_store_n(&ring->first, (ring->first + 1) % RING_ENTRIES, __ATOMIC_RELEASE);
    }
    g_mutex_unlock(&kvm->ring_lock);
}

void
kvm_ring_hurry(VitKvm *kvm)
{
    KvmVcpu *vcpu = kvm->ring_vcpu;

    if (vcpu && !is_empty(kvm->ring) && __atomic_load_n(&vcpu->in_kvm, __ATOMIC_SEQ_CST)) {
        kvm_signal_thread(vcpu->thread);
    }
}

void
kvm_ring_update_zones(VitKvm *kvm, const VitFlatView *view)
{
    struct kvm_coalesced_mmio_zone zone = { 0 };

    if (!kvm->ring_page) {
        return;
    }
    for (guint i = 0; i < kvm->zones->len; i++) {
        ioctl(kvm->vm_fd, KVM_UNREGISTER_COALESCED_MMIO,
              &g_array_index(kvm->zones, struct kvm_coalesced_mmio_zone, i));
    }
    g_array_set_size(kvm->zones, 0);
    for (uint32_t i = 0; i < view->count; i++) {
        const VitFlatRange *range = &view->ranges[i];

        if (range->region->type == VIT_REGION_IO && range->region->ops->late_writes) {
            zone.addr = range->start;
            zone.size = range->last - range->start + 1;
            if (ioctl(kvm->vm_fd, KVM_REGISTER_COALESCED_MMIO, &zone) == 0) {
                g_array_append_val(kvm->zones, zone);
            }
        }
    }
}
