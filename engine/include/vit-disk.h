/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Disk images that no machine uses at the moment: looking at them, making, growing, converting,
 * compacting and checking them. An image that a machine has open is locked and refused with
 * VIT_ERROR_BUSY or the like. Thread: any that may block; one call uses nothing of another. */

#include <gio/gio.h>
#include <stdbool.h>
#include <stdint.h>

#include "vit-error.h"

G_BEGIN_DECLS

typedef struct {
    char *format;            /* "qcow2" */
    uint64_t len_bytes;      /* as the guest sees it */
    int64_t allocated_bytes; /* on the host, negative when not known */
    char *backing_file;      /* NULL when there is none */
} VitDiskInfo;

/* FORMAT may be NULL everywhere: then it is found out. */
VitDiskInfo *vit_disk_get_info(const char *path, const char *format, GError **error);
void vit_disk_info_free(VitDiskInfo *info);

/* Whether images of FORMAT can be made by this version. */
bool vit_disk_can_create(const char *format);
/* Fails when PATH is there already. */
bool vit_disk_create(const char *path, const char *format, uint64_t len_bytes, GError **error);
/* To a larger size; a smaller one is refused, as it would cut off what lies there. */
bool vit_disk_grow(const char *path, const char *format, uint64_t len_bytes, GError **error);

/* How far it is, 0 to 1. Called in the thread of the call. */
typedef void (*VitDiskProgress)(double fraction, void *data);

/* Copies an image into a new one of TO_FORMAT, holes as holes. When it fails or is cancelled, TO is
 * removed. PROGRESS and CANCELLABLE may be NULL. */
bool vit_disk_convert(const char *from, const char *from_format, const char *to,
                      const char *to_format, VitDiskProgress progress, void *data,
                      GCancellable *cancellable, GError **error);

/* Gives the host back what the image keeps of zeroes, in place. May be cancelled at any time: what
 * was given back by then stays so. PROGRESS and CANCELLABLE may be NULL. */
bool vit_disk_compact(const char *path, const char *format, VitDiskProgress progress, void *data,
                      GCancellable *cancellable, GError **error);

typedef struct {
    uint64_t errors, leaks;               /* found */
    uint64_t errors_mended, leaks_mended; /* of these */
} VitDiskCheck;

/* True when the check could be made, whatever it found. REPAIR mends what can be. */
bool vit_disk_check(const char *path, const char *format, bool repair, VitDiskCheck *out,
                    GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VitDiskInfo, vit_disk_info_free)

G_END_DECLS
