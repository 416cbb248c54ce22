/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Is there a KVM, may we use it, does it work? Three different answers when not, each with what to
 * do about it. Linux Documentation/virt/kvm/api.rst sections 4.1 (KVM_GET_API_VERSION), 4.4
 * (KVM_CHECK_EXTENSION), 4.46 (KVM_GET_SUPPORTED_CPUID). Thread: any. */

#include "kvm-private.h"

#include "vit-error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void
set_open_error(const char *path, int number, GError **error)
{
    bool in_flatpak = access("/.flatpak-info", F_OK) == 0;

    if (number == EACCES || number == EPERM) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_PERMISSION,
                    "KVM is there but this user may not use it: %s: %s; add yourself to the group "
                    "kvm (sudo usermod -aG kvm $USER) and log in again",
                    path, g_strerror(number));
    } else if (number == ENOENT || number == ENODEV || number == ENXIO) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                    "there is no KVM on this host: %s: %s; %s", path, g_strerror(number),
                    in_flatpak ? "allow the application the device kvm "
                                 "(flatpak override --device=kvm), then load the module as below: "
                                 "modprobe kvm-intel or kvm-amd"
                               : "load the module (modprobe kvm-intel or kvm-amd); if that fails, "
                                 "switch on VT-x or AMD-V (SVM) in the firmware setup, or nested "
                                 "virtualization when this host is itself a virtual machine");
    } else {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "KVM cannot be used: %s: %s", path,
                    g_strerror(number));
    }
}

/* What nothing here works without. */
static const struct {
    int capability;
    const char *name;
} needed[] = {
    { KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY" },
    { KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT" },
    { KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID" },
    { KVM_CAP_DESTROY_MEMORY_REGION_WORKS, "KVM_CAP_DESTROY_MEMORY_REGION_WORKS" },
};

static bool
check_device(const char *path, int fd, GError **error)
{
    int version = ioctl(fd, KVM_GET_API_VERSION, 0);

    if (version < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED,
                    "KVM cannot be used: %s does not answer as KVM does (%s); it should be the "
                    "kernel's device, major 10 minor 232",
                    path, g_strerror(errno));
        return false;
    }
    if (version != KVM_API_VERSION) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED,
                    "KVM cannot be used: %s speaks version %d of its interface, not %d; the "
                    "kernel is too old",
                    path, version, KVM_API_VERSION);
        return false;
    }
    for (unsigned i = 0; i < VIT_ARRAY_LEN(needed); i++) {
        if (ioctl(fd, KVM_CHECK_EXTENSION, needed[i].capability) <= 0) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED,
                        "KVM cannot be used: this kernel's lacks %s; Linux 4.13 or later has it",
                        needed[i].name);
            return false;
        }
    }
    return true;
}

int
kvm_open(const char *path, GError **error)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);

    if (fd < 0) {
        set_open_error(path, errno, error);
        return -1;
    }
    if (!check_device(path, fd, error)) {
        close(fd);
        return -1;
    }
    return fd;
}

struct kvm_cpuid2 *
kvm_supported_cpuid(int fd)
{
    for (unsigned count = 128; count <= 4096; count *= 2) {
        struct kvm_cpuid2 *list =
            g_malloc0(sizeof(*list) + count * sizeof(struct kvm_cpuid_entry2));

        list->nent = count;
        if (ioctl(fd, KVM_GET_SUPPORTED_CPUID, list) == 0) {
            return list;
        }
        g_free(list);
        if (errno != E2BIG) {
            return NULL;
        }
    }
    return NULL;
}

const struct kvm_cpuid_entry2 *
kvm_find_cpuid(const struct kvm_cpuid2 *list, uint32_t leaf, uint32_t subleaf)
{
    for (unsigned i = 0; i < list->nent; i++) {
        const struct kvm_cpuid_entry2 *entry = &list->entries[i];

        if (entry->function == leaf &&
            (!(entry->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || entry->index == subleaf)) {
            return entry;
        }
    }
    return NULL;
}
