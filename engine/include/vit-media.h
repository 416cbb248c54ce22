/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Drives of a running machine and the media in them. Questions go to the machine thread; the answer
 * comes back as a GAsyncResult, so that an image on a slow disk never stops the caller.
 * "media-changed" of VitMachine tells when to ask again. Thread: the machine's context. */

#include "vit-machine.h"

G_BEGIN_DECLS

typedef enum { VIT_MEDIA_DISK, VIT_MEDIA_CDROM, VIT_MEDIA_FLOPPY, VIT_MEDIA_LAST } VitMediaRole;

typedef struct {
    char *id;     /* what insert and eject take: "ide1-cd0", "floppy0" */
    char *device; /* id or path of the device that uses it; NULL when none does */
    char *file;   /* of the medium; NULL when empty */
    char *format; /* "raw", "qcow2"; NULL when empty */
    VitMediaRole role;
    gboolean removable, tray_open, locked, read_only;
    guint64 len_bytes;
} VitMedia;

void vit_media_free(VitMedia *media);

/* All drives in the order made. The array owns its VitMedia; ownership: caller. */
void vit_machine_list_media_async(VitMachine *machine, GAsyncReadyCallback callback, gpointer data);
GPtrArray *vit_machine_list_media_finish(VitMachine *machine, GAsyncResult *result, GError **error);

/* Puts the image at PATH into the drive: opened first, so that on failure the old medium stays. */
void vit_machine_insert_async(VitMachine *machine, const char *drive, const char *path,
                              GAsyncReadyCallback callback, gpointer data);
gboolean vit_machine_insert_finish(VitMachine *machine, GAsyncResult *result, GError **error);

/* VIT_ERROR_BUSY: the guest holds the tray locked and was asked to let go; FORCE takes it. */
void vit_machine_eject_async(VitMachine *machine, const char *drive, gboolean force,
                             GAsyncReadyCallback callback, gpointer data);
gboolean vit_machine_eject_finish(VitMachine *machine, GAsyncResult *result, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VitMedia, vit_media_free)

G_END_DECLS
