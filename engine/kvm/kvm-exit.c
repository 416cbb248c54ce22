/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Accesses that leave the guest: ports, device windows, MSRs the kernel does not know. The kernel
 * completes the instruction at the next KVM_RUN.
 * Linux Documentation/virt/kvm/api.rst section 5 (KVM_EXIT_IO, KVM_EXIT_MMIO, KVM_EXIT_X86_RDMSR).
 * Thread: the CPU's own. */

#include "kvm-private.h"

#include "x86-system.h"

#include <string.h>

/* COUNT > 1: a string instruction. */
static void
port_access(KvmVcpu *vcpu)
{
    const struct kvm_run *run = vcpu->run;
    uint8_t *data = (uint8_t *)run + run->io.data_offset;

    for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
        uint64_t value = 0;

        if (run->io.direction == KVM_EXIT_IO_OUT) {
            memcpy(&value, data, run->io.size);
            vit_address_space_write(vcpu->cpu->host->io, run->io.port, run->io.size, value);
        } else {
            vit_address_space_read(vcpu->cpu->host->io, run->io.port, run->io.size, &value);
            memcpy(data, &value, run->io.size);
        }
    }
}

/* The local APIC's page belongs to each CPU. */
static bool
apic_access(KvmVcpu *vcpu, unsigned size)
{
    const VitCpuHost *host = vcpu->cpu->host;
    struct kvm_run *run = vcpu->run;
    uint64_t page = __atomic_load_n(&vcpu->cpu->apic_page, __ATOMIC_ACQUIRE);
    uint64_t value = 0;

    if (!page || !host->apic_mmio_read || run->mmio.phys_addr < page ||
        run->mmio.phys_addr + size > page + VIT_PAGE_SIZE) {
        return false;
    }
    uint32_t offset = run->mmio.phys_addr - page;
    VitLock *lock = vit_address_space_lock(host->memory);
    vit_lock_take(lock);
    if (run->mmio.is_write) {
        memcpy(&value, run->mmio.data, size);
        host->apic_mmio_write(host->opaque, offset, value, size);
    } else {
        value = host->apic_mmio_read(host->opaque, offset, size);
        memcpy(run->mmio.data, &value, size);
    }
    vit_lock_release(lock);
    return true;
}

static void
mmio_access(KvmVcpu *vcpu)
{
    VitAddressSpace *space = vcpu->cpu->host->memory;
    struct kvm_run *run = vcpu->run;
    unsigned size = MIN(run->mmio.len, 8);
    uint64_t value = 0;

    if ((size == 1 || size == 2 || size == 4 || size == 8)) {
        if (apic_access(vcpu, size)) {
            return;
        }
        if (run->mmio.is_write) {
            memcpy(&value, run->mmio.data, size);
            vit_address_space_write(space, run->mmio.phys_addr, size, value);
        } else {
            vit_address_space_read(space, run->mmio.phys_addr, size, &value);
            memcpy(run->mmio.data, &value, size);
        }
    } else if (run->mmio.is_write) { /* the piece of an access that a page boundary cut */
        vit_address_space_write_bytes(space, run->mmio.phys_addr, run->mmio.data, size);
    } else {
        vit_address_space_read_bytes(space, run->mmio.phys_addr, run->mmio.data, size);
    }
}

static void
msr_access(KvmVcpu *vcpu)
{
    struct kvm_run *run = vcpu->run;
    uint64_t value = 0;

    if (run->exit_reason == KVM_EXIT_X86_WRMSR) {
        run->msr.error = !x86_msr_write(vcpu->core, run->msr.index, run->msr.data);
    } else {
        run->msr.error = !x86_msr_read(vcpu->core, run->msr.index, &value);
        run->msr.data = value;
    }
}

void
kvm_exit_access(KvmVcpu *vcpu)
{
    vcpu->io_pending = true;
    switch (vcpu->run->exit_reason) {
    case KVM_EXIT_IO: port_access(vcpu); break;
    case KVM_EXIT_MMIO: mmio_access(vcpu); break;
    case KVM_EXIT_X86_RDMSR:
    case KVM_EXIT_X86_WRMSR: msr_access(vcpu); break;
    default: vcpu->io_pending = false; break;
    }
}
