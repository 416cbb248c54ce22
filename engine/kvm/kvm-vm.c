/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* One KVM virtual machine: its capabilities and its memory slots.
 *
 * Slots follow the flat view of the address space as it is seen outside SMM (SMM runs in the
 * interpreter): RAM as it is, ROM read-only, whole pages only. Everything else has no slot, and an
 * access to it comes back as an exit. RAM that a display reads has its writes logged by the kernel;
 * the log is fetched when the display asks for dirty pages.
 *
 * Linux Documentation/virt/kvm/api.rst sections 4.2, 4.8, 4.35 (KVM_SET_USER_MEMORY_REGION), 4.42,
 * 4.78. Known deviation: the A20 gate has no effect, KVM has no means for it.
 * Thread: device lock held for changes; the dirty log any. */

#include "kvm-private.h"

#include "vit-error.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    DEFAULT_SLOTS = 32,
    /* three pages and one, in the hole that PC firmware keeps for it */
    TSS_ADDRESS = 0xfeffd000,
    IDENTITY_MAP_ADDRESS = 0xfeffc000,
    DIRTY_INTERVAL_US = 2000, /* a display asks page by page */
    MCE_BANKS = 10,
};

static bool
has(const VitKvm *kvm, int capability)
{
    return ioctl(kvm->fd, KVM_CHECK_EXTENSION, capability) > 0;
}

static void
read_capabilities(VitKvm *kvm)
{
    int slots = ioctl(kvm->fd, KVM_CHECK_EXTENSION, KVM_CAP_NR_MEMSLOTS);
    struct kvm_enable_cap user_msrs = { .cap = KVM_CAP_X86_USER_SPACE_MSR,
                                        .args = { KVM_MSR_EXIT_REASON_UNKNOWN } };

    kvm->max_slots = slots > 0 ? slots : DEFAULT_SLOTS;
    int tsc_khz = ioctl(kvm->vm_fd, KVM_GET_TSC_KHZ, 0);
    kvm->tsc_hz = tsc_khz > 0 ? tsc_khz * UINT64_C(1000) : 0;
    kvm->has_readonly = has(kvm, KVM_CAP_READONLY_MEM);
    kvm->has_xsave = has(kvm, KVM_CAP_XSAVE);
    kvm->has_xcrs = has(kvm, KVM_CAP_XCRS);
    kvm->has_debugregs = has(kvm, KVM_CAP_DEBUGREGS);
    kvm->has_events = has(kvm, KVM_CAP_VCPU_EVENTS);
    int ring_page = ioctl(kvm->fd, KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_MMIO);
    kvm->ring_page = ring_page > 0 ? ring_page : 0;
    if (ioctl(kvm->fd, KVM_X86_GET_MCE_CAP_SUPPORTED, &kvm->mce_cap) == 0) {
        kvm->mce_cap = (kvm->mce_cap & (1ull << 8)) | MCE_BANKS;
    } else {
        kvm->mce_cap = 0;
    }
    if (has(kvm, KVM_CAP_X86_USER_SPACE_MSR)) {
        ioctl(kvm->vm_fd, KVM_ENABLE_CAP, &user_msrs); /* without it unknown ones are #GP */
    }
}

static bool
create_vm(VitKvm *kvm, GError **error)
{
    uint64_t identity_map = IDENTITY_MAP_ADDRESS;
    int run_bytes = ioctl(kvm->fd, KVM_GET_VCPU_MMAP_SIZE, 0);

    kvm->vm_fd = ioctl(kvm->fd, KVM_CREATE_VM, 0);
    if (kvm->vm_fd < 0 || run_bytes <= 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED,
                    "KVM cannot be used: no virtual machine can be made: %s", g_strerror(errno));
        return false;
    }
    kvm->run_bytes = run_bytes;
    kvm->supported = kvm_supported_cpuid(kvm->fd);
    if (!kvm->supported) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED,
                    "KVM cannot be used: it does not tell the features it offers: %s",
                    g_strerror(errno));
        return false;
    }
    read_capabilities(kvm);
    if (has(kvm, KVM_CAP_SET_IDENTITY_MAP_ADDR)) {
        ioctl(kvm->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity_map);
    }
    if (has(kvm, KVM_CAP_SET_TSS_ADDR) &&
        ioctl(kvm->vm_fd, KVM_SET_TSS_ADDR, (unsigned long)TSS_ADDRESS) < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED,
                    "KVM cannot be used: it refuses its task state pages: %s", g_strerror(errno));
        return false;
    }
    return true;
}

VitKvm *
vit_kvm_new(const char *device_path, uint32_t flags, GError **error)
{
    int fd = kvm_open(device_path, error);
    VitKvm *kvm;

    if (fd < 0) {
        return NULL;
    }
    if (!(flags & VIT_KVM_NO_SELF_TEST) && !kvm_self_test(fd, error)) {
        close(fd);
        return NULL;
    }
    kvm = g_new0(VitKvm, 1);
    kvm->fd = fd;
    kvm->vm_fd = -1;
    kvm->slots = g_array_new(FALSE, TRUE, sizeof(KvmSlot));
    kvm->zones = g_array_new(FALSE, TRUE, sizeof(struct kvm_coalesced_mmio_zone));
    g_mutex_init(&kvm->lock);
    g_mutex_init(&kvm->ring_lock);
    kvm_signal_init();
    if (!create_vm(kvm, error)) {
        g_clear_pointer(&kvm, vit_kvm_free);
    }
    return kvm;
}

unsigned
vit_kvm_failures(const VitKvm *kvm, bool *out_given_up)
{
    *out_given_up = __atomic_load_n(&kvm->given_up, __ATOMIC_ACQUIRE);
    return __atomic_load_n(&kvm->failures, __ATOMIC_ACQUIRE);
}

void
kvm_vm_give_up(VitKvm *kvm, const char *why)
{
    if (!__atomic_exchange_n(&kvm->given_up, true, __ATOMIC_SEQ_CST)) {
        g_printerr("warning: KVM cannot run this guest (%s); its CPUs go on in the interpreter, "
                   "slower; use -accel tcg to begin there\n",
                   why);
    }
}

/* ---- Slots ---- */

/* The slot RANGE calls for; false for none. */
static bool
slot_wanted(const VitKvm *kvm, const VitFlatRange *range, KvmSlot *out_slot)
{
    const VitRegion *region = range->region;
    uint64_t start = (range->start + VIT_PAGE_SIZE - 1) & ~(uint64_t)(VIT_PAGE_SIZE - 1);
    uint64_t end = (range->last + 1) & ~(uint64_t)(VIT_PAGE_SIZE - 1);
    uint64_t offset = region->block_offset + range->region_offset + (start - range->start);

    if ((region->type != VIT_REGION_RAM && region->type != VIT_REGION_ROM) || end <= start ||
        offset % VIT_PAGE_SIZE || (range->readonly && !kvm->has_readonly)) {
        return false;
    }
    *out_slot = (KvmSlot){
        .region = { .flags = (range->readonly ? KVM_MEM_READONLY : 0) |
                             (region->log_display_dirty ? KVM_MEM_LOG_DIRTY_PAGES : 0),
                    .guest_phys_addr = start,
                    .memory_size = end - start,
                    .userspace_addr = (uintptr_t)region->block->host + offset },
        .block = region->block,
        .block_offset = offset,
    };
    return true;
}

static bool
slot_same(const KvmSlot *a, const KvmSlot *b)
{
    return a->region.guest_phys_addr == b->region.guest_phys_addr &&
           a->region.memory_size == b->region.memory_size &&
           a->region.userspace_addr == b->region.userspace_addr &&
           a->region.flags == b->region.flags;
}

/* Marks what the guest wrote in a logged slot. Lock held. */
static void
slot_fetch_dirty(VitKvm *kvm, const KvmSlot *slot)
{
    uint64_t pages = slot->region.memory_size / VIT_PAGE_SIZE;
    g_autofree uint64_t *bitmap = g_new0(uint64_t, (pages + 63) / 64);
    struct kvm_dirty_log log = { .slot = slot->region.slot, .dirty_bitmap = bitmap };

    if (ioctl(kvm->vm_fd, KVM_GET_DIRTY_LOG, &log) < 0) {
        /* the picture must be right even so */
        vit_ram_block_mark_dirty(slot->block, slot->block_offset, slot->region.memory_size);
        return;
    }
    for (uint64_t word = 0; word < (pages + 63) / 64; word++) {
        for (uint64_t bits = bitmap[word]; bits; bits &= bits - 1) {
            uint64_t page = word * 64 + __builtin_ctzll(bits);
            vit_ram_block_mark_dirty(slot->block, slot->block_offset + page * VIT_PAGE_SIZE, 1);
        }
    }
}

/* What a display calls before it looks for dirty pages of BLOCK. Thread: any. */
static void
sync_dirty(VitRamBlock *block, void *opaque)
{
    VitKvm *kvm = opaque;
    int64_t now = g_get_monotonic_time();

    if (now - __atomic_load_n(&kvm->dirty_synced_us, __ATOMIC_RELAXED) < DIRTY_INTERVAL_US) {
        return;
    }
    g_mutex_lock(&kvm->lock);
    kvm_ring_hurry(kvm);
    for (guint i = 0; i < kvm->slots->len; i++) {
        const KvmSlot *slot = &g_array_index(kvm->slots, KvmSlot, i);
        if (slot->region.memory_size && (slot->region.flags & KVM_MEM_LOG_DIRTY_PAGES)) {
            slot_fetch_dirty(kvm, slot);
        }
    }
    __atomic_store_n(&kvm->dirty_synced_us, now, __ATOMIC_RELAXED);
    g_mutex_unlock(&kvm->lock);
}

static void
slot_remove(VitKvm *kvm, KvmSlot *slot)
{
    struct kvm_userspace_memory_region none = slot->region;

    if (slot->region.flags & KVM_MEM_LOG_DIRTY_PAGES) {
        slot_fetch_dirty(kvm, slot);
        slot->block->sync_dirty = NULL;
    }
    none.memory_size = 0;
    none.flags = 0;
    ioctl(kvm->vm_fd, KVM_SET_USER_MEMORY_REGION, &none);
    slot->region.memory_size = 0;
}

static void
slot_add(VitKvm *kvm, const KvmSlot *wanted)
{
    KvmSlot *slot = NULL;
    guint number;

    for (number = 0; number < kvm->slots->len; number++) {
        slot = &g_array_index(kvm->slots, KvmSlot, number);
        if (slot->region.memory_size == 0) {
            break;
        }
    }
    if (number >= kvm->max_slots) {
        kvm_vm_give_up(kvm, "it has too few memory slots");
        return;
    }
    if (number == kvm->slots->len) {
        g_array_set_size(kvm->slots, number + 1);
    }
    slot = &g_array_index(kvm->slots, KvmSlot, number);
    *slot = *wanted;
    slot->region.slot = number;
    if (ioctl(kvm->vm_fd, KVM_SET_USER_MEMORY_REGION, &slot->region) < 0) {
        g_autofree char *why =
            g_strdup_printf("memory at %#llx is refused: %s",
                            (unsigned long long)slot->region.guest_phys_addr, g_strerror(errno));
        slot->region.memory_size = 0;
        kvm_vm_give_up(kvm, why);
    } else if (slot->region.flags & KVM_MEM_LOG_DIRTY_PAGES) {
        slot->block->sync_opaque = kvm;
        slot->block->sync_dirty = sync_dirty;
    }
}

static void
update_slots(VitKvm *kvm, const VitFlatView *view)
{
    g_autoptr(GArray) wanted = g_array_new(FALSE, FALSE, sizeof(KvmSlot));
    KvmSlot slot;

    for (uint32_t i = 0; i < view->count; i++) {
        if (slot_wanted(kvm, &view->ranges[i], &slot)) {
            g_array_append_val(wanted, slot);
        }
    }
    g_mutex_lock(&kvm->lock);
    for (guint i = 0; i < kvm->slots->len; i++) {
        KvmSlot *old = &g_array_index(kvm->slots, KvmSlot, i);
        bool stays = false;

        for (guint j = 0; old->region.memory_size && j < wanted->len; j++) {
            if (slot_same(old, &g_array_index(wanted, KvmSlot, j))) {
                g_array_remove_index_fast(wanted, j);
                stays = true;
                break;
            }
        }
        if (old->region.memory_size && !stays) {
            slot_remove(kvm, old);
        }
    }
    for (guint j = 0; j < wanted->len; j++) {
        slot_add(kvm, &g_array_index(wanted, KvmSlot, j));
    }
    kvm_ring_update_zones(kvm, view);
    g_mutex_unlock(&kvm->lock);
}

static void
on_map_changed(void *opaque, VitAddressSpace *space, const VitFlatView *old_view,
               const VitFlatView *new_view)
{
    update_slots(opaque, new_view);
}

void
kvm_vm_watch(VitKvm *kvm, VitAddressSpace *space)
{
    if (!kvm->space) {
        kvm->space = space;
        vit_address_space_add_listener(space, on_map_changed, kvm);
        update_slots(kvm, vit_address_space_view(space));
    }
}

/* Device lock held, like for the map changes. */
void
vit_kvm_free(VitKvm *kvm)
{
    if (!kvm) {
        return;
    }
    if (kvm->space) {
        vit_address_space_remove_listener(kvm->space, kvm);
    }
    for (guint i = 0; i < kvm->slots->len; i++) {
        /* a slot is there only as long as its region, and so its block */
        KvmSlot *slot = &g_array_index(kvm->slots, KvmSlot, i);
        if (slot->region.memory_size) {
            slot_remove(kvm, slot);
        }
    }
    g_array_unref(kvm->slots);
    g_array_unref(kvm->zones);
    if (kvm->vm_fd >= 0) {
        close(kvm->vm_fd);
    }
    close(kvm->fd);
    g_free(kvm->supported);
    g_mutex_clear(&kvm->ring_lock);
    g_mutex_clear(&kvm->lock);
    g_free(kvm);
}
