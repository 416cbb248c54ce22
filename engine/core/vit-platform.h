/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What one machine offers to its devices: time, maps, requests. Handed to each device when it is
 * realized, which is also what makes a device testable alone. Thread: device lock held. */

#include "vit-clock.h"
#include "vit-memory.h"
#include "vit-types.h"

typedef enum VitShutdownCause {
    VIT_CAUSE_GUEST_SHUTDOWN, /* ACPI or APM power off */
    VIT_CAUSE_GUEST_RESET,    /* port 0x64, 0x92, 0xcf9, triple fault */
    VIT_CAUSE_GUEST_PANIC,
    VIT_CAUSE_HOST_RESET,
    VIT_CAUSE_HOST_QUIT,
    VIT_CAUSE_DEBUG_EXIT, /* isa-debug-exit: status in the value */
} VitShutdownCause;

typedef struct VitPlatformOps {
    /* Take effect soon after the current access returns. */
    void (*request_reset)(void *opaque, VitShutdownCause cause);
    void (*request_shutdown)(void *opaque, VitShutdownCause cause, int status);
    void (*request_suspend)(void *opaque); /* ACPI S3 */
    void (*set_a20)(void *opaque, bool enabled);
    void (*raise_smi)(void *opaque); /* at the CPU that runs, or all */
    void (*raise_nmi)(void *opaque);
    /* Random bytes: the one gate for randomness in devices. */
    void (*random_bytes)(void *opaque, void *buf, size_t len);
    /* An event for QMP listeners ("RTC_CHANGE", ...), DATA is JSON text or NULL. */
    void (*event)(void *opaque, const char *name, const char *json_data);
    /* Path of a firmware file by its name on the firmware path, or of NAME itself where that is a
     * file; newly allocated, NULL = not found. */
    char *(*find_firmware)(void *opaque, const char *name);
    /* One line of the guest-error log; rate limit is done by the caller. */
    void (*guest_error)(void *opaque, const char *line);
} VitPlatformOps;

struct VitPlatform {
    VitLock *lock; /* the device lock */
    VitClock *clock;
    VitMapDomain *maps;
    VitAddressSpace *memory, *io;
    VitRegion *memory_root, *io_root; /* roots of the two spaces */
    VitInputHub *input;
    GPtrArray *consoles;        /* VitConsole*, in the order made; a display device adds its own */
    uint64_t ram_bytes;         /* of the guest, as configured */
    struct VitBalloon *balloon; /* NULL: none */
    unsigned scsi_buses;        /* named so far: scsi.0, scsi.1, ... */
    GMainContext *context;      /* the machine thread's; NULL in unit tests */
    const VitPlatformOps *ops;
    void *opaque;
};

static inline void
vit_platform_request_reset(VitPlatform *platform, VitShutdownCause cause)
{
    if (platform->ops && platform->ops->request_reset) {
        platform->ops->request_reset(platform->opaque, cause);
    }
}

static inline void
vit_platform_request_shutdown(VitPlatform *platform, VitShutdownCause cause, int status)
{
    if (platform->ops && platform->ops->request_shutdown) {
        platform->ops->request_shutdown(platform->opaque, cause, status);
    }
}

static inline void
vit_platform_set_a20(VitPlatform *platform, bool enabled)
{
    if (platform->ops && platform->ops->set_a20) {
        platform->ops->set_a20(platform->opaque, enabled);
    }
}
