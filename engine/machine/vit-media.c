/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Drives and their media for the application. Each function ending in _media or starting with
 * "do_" runs on the machine thread with the device lock held. */

#include "vit-media.h"

#include "facade-private.h"

#include <string.h>

void
vit_media_free(VitMedia *media)
{
    if (media) {
        g_free(media->id);
        g_free(media->device);
        g_free(media->file);
        g_free(media->format);
        g_free(media);
    }
}

VitMediaRole
facade_media_role(Machine *machine, VitDrive *drive)
{
    const VitDevice *dev = machine_drive_device(machine, drive);

    if (dev && strstr(dev->kind->name, "floppy")) {
        return VIT_MEDIA_FLOPPY;
    }
    if (dev && g_str_has_suffix(dev->kind->name, "-cd")) {
        return VIT_MEDIA_CDROM;
    }
    return VIT_MEDIA_DISK;
}

typedef struct MediaList {
    Machine *machine;
    GPtrArray *list;
} MediaList;

static void
add_media(void *opaque, VitDrive *drive)
{
    MediaList *into = opaque;
    const VitDevice *dev = machine_drive_device(into->machine, drive);
    VitMedia *media = g_new0(VitMedia, 1);
    BlkDriveInfo info;

    blk_drive_get_info(drive, &info);
    media->id = g_strdup(info.id ? info.id : dev ? dev->id : NULL);
    media->device = g_strdup(dev ? dev->id ? dev->id : dev->path : NULL);
    media->role = facade_media_role(into->machine, drive);
    media->removable = info.removable;
    media->tray_open = info.tray_open;
    media->locked = info.locked;
    if (info.node) {
        BlkNodeInfo node;

        blk_node_get_info(info.node, &node);
        media->file = g_strdup(node.filename);
        media->format = g_strdup(node.driver);
        media->read_only = node.read_only;
        media->len_bytes = node.len_bytes;
    }
    g_ptr_array_add(into->list, media);
}

static void
do_list(FacadeCall *call)
{
    MediaList list = { call->machine,
                       g_ptr_array_new_with_free_func((GDestroyNotify)vit_media_free) };

    blk_graph_each_drive(call->machine->blk, add_media, &list);
    call->result = list.list;
    call->free_result = (GDestroyNotify)g_ptr_array_unref;
}

void
vit_machine_list_media_async(VitMachine *machine, GAsyncReadyCallback callback, gpointer data)
{
    vit_machine_call(machine, g_task_new(machine, NULL, callback, data),
                     &(FacadeCall){ .run = do_list });
}

GPtrArray *
vit_machine_list_media_finish(VitMachine *machine, GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

static void
do_insert(FacadeCall *call)
{
    VitDrive *drive = machine_find_drive(call->machine, call->text, &call->error);

    if (drive) {
        blk_drive_change(drive, call->more, NULL, "retain", FALSE, &call->error);
    }
}

void
vit_machine_insert_async(VitMachine *machine, const char *drive, const char *path,
                         GAsyncReadyCallback callback, gpointer data)
{
    vit_machine_call(
        machine, g_task_new(machine, NULL, callback, data),
        &(FacadeCall){ .run = do_insert, .text = (char *)drive, .more = (char *)path });
}

gboolean
vit_machine_insert_finish(VitMachine *machine, GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}

static void
do_eject(FacadeCall *call)
{
    VitDrive *drive = machine_find_drive(call->machine, call->text, &call->error);

    if (drive) {
        blk_drive_eject(drive, call->flag, &call->error);
    }
}

void
vit_machine_eject_async(VitMachine *machine, const char *drive, gboolean force,
                        GAsyncReadyCallback callback, gpointer data)
{
    vit_machine_call(machine, g_task_new(machine, NULL, callback, data),
                     &(FacadeCall){ .run = do_eject, .text = (char *)drive, .flag = force });
}

gboolean
vit_machine_eject_finish(VitMachine *machine, GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}
