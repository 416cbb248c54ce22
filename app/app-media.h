/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What an install medium is, from the volume data of an ISO 9660 image (ECMA-119, 8.4) and its
 * El Torito boot catalogue, or the format of a disk image, and what a machine for it should be
 * like. Thread: any; reads the file. */

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct {
    char *volume;       /* ISO volume identifier; NULL when it is no ISO image */
    char *title;        /* name for the machine, a guess the user may change */
    const char *preset; /* id for app_preset_find(), a guess too */
    const char *format; /* of a disk image, as -drive format= takes it: "qcow2"; "raw" otherwise */
    gboolean is_known;  /* the table has it */
    gboolean is_bootable; /* an ISO with a boot catalogue */
    gboolean is_live;     /* runs without a disk */
    guint64 advised_ram_bytes, advised_disk_bytes;
} AppMedia;

/* NULL with ERROR: not readable. */
AppMedia *app_media_probe(const char *path, GError **error);
void app_media_free(AppMedia *media);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(AppMedia, app_media_free)

G_END_DECLS
