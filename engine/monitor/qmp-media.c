/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* QMP commands on drives and their media. A drive is named by its id ("device") or by that of the
 * device that uses it ("id"). Thread: device lock held. */

#include "qmp.h"

#include <string.h>

#include "vit-error.h"

/* The drive the request names; NULL with ERROR. */
static const char *
drive_name(QmpCall *call, GPtrArray **out_drives, GError **error)
{
    VitMonitors *monitors = call->monitors;
    const char *device = qmp_string(call, "device"), *id = qmp_string(call, "id");

    if (!device == !id) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "Need exactly one of 'device' and 'id'");
        return NULL;
    }
    if (!MON_HAVE(monitors, get_drives, error)) {
        return NULL;
    }
    *out_drives = monitors->ops->get_drives(monitors->host);
    const char *name = device ? device : id;
    return mon_find_drive(*out_drives, name, error) ? name : NULL;
}

JsonNode *
qmp_eject(QmpCall *call, GError **error)
{
    g_autoptr(GPtrArray) drives = NULL;
    VitMonitors *monitors = call->monitors;
    const char *name = drive_name(call, &drives, error);

    return qmp_done(
        name && MON_HAVE(monitors, eject, error) &&
        monitors->ops->eject(monitors->host, name, qmp_bool(call, "force", false), error));
}

JsonNode *
qmp_blockdev_remove_medium(QmpCall *call, GError **error)
{
    g_autoptr(GPtrArray) drives = NULL;
    VitMonitors *monitors = call->monitors;
    const char *name = drive_name(call, &drives, error);
    const VitMonitorDrive *drive = name ? mon_find_drive(drives, name, error) : NULL;

    if (drive && drive->has_tray && !drive->tray_open) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_STATE, "Tray of device '%s' is not open", name);
        return NULL;
    }
    return qmp_done(drive && MON_HAVE(monitors, eject, error) &&
                    monitors->ops->eject(monitors->host, name, true, error));
}

JsonNode *
qmp_blockdev_change_medium(QmpCall *call, GError **error)
{
    g_autoptr(GPtrArray) drives = NULL;
    VitMonitors *monitors = call->monitors;
    const char *name = drive_name(call, &drives, error);
    const char *mode = qmp_string(call, "read-only-mode");
    VitMonitorAccess access = g_strcmp0(mode, "read-only") == 0    ? VIT_MONITOR_ACCESS_READ_ONLY
                              : g_strcmp0(mode, "read-write") == 0 ? VIT_MONITOR_ACCESS_READ_WRITE
                                                                   : VIT_MONITOR_ACCESS_RETAIN;

    return qmp_done(name && MON_HAVE(monitors, change_medium, error) &&
                    monitors->ops->change_medium(monitors->host, name, qmp_string(call, "filename"),
                                                 qmp_string(call, "format"), access,
                                                 qmp_bool(call, "force", false), error));
}

static JsonNode *
set_tray(QmpCall *call, bool open, GError **error)
{
    g_autoptr(GPtrArray) drives = NULL;
    VitMonitors *monitors = call->monitors;
    const char *name = drive_name(call, &drives, error);
    bool force = open && qmp_bool(call, "force", false);

    return qmp_done(name && MON_HAVE(monitors, set_tray, error) &&
                    monitors->ops->set_tray(monitors->host, name, open, force, error));
}

JsonNode *
qmp_blockdev_open_tray(QmpCall *call, GError **error)
{
    return set_tray(call, true, error);
}

JsonNode *
qmp_blockdev_close_tray(QmpCall *call, GError **error)
{
    return set_tray(call, false, error);
}

/* ---- queries ---- */

static JsonObject *
describe_image(const VitMonitorDrive *drive)
{
    JsonObject *image = json_object_new();

    json_object_set_int_member(image, "virtual-size", drive->virtual_bytes);
    json_object_set_string_member(image, "filename", drive->file);
    json_object_set_string_member(image, "format", drive->driver);
    json_object_set_int_member(image, "actual-size", drive->actual_bytes);
    json_object_set_boolean_member(image, "dirty-flag", false);
    return image;
}

/* BlockDeviceInfo. */
static JsonObject *
describe_medium(const VitMonitorDrive *drive)
{
    static const char *const zeros[] = {
        "iops_rd",         "iops_wr",           "iops", "bps_rd", "bps_wr", "bps",
        "write_threshold", "backing_file_depth"
    };
    JsonObject *medium = json_object_new(), *cache = json_object_new();

    for (unsigned i = 0; i < G_N_ELEMENTS(zeros); i++) {
        json_object_set_int_member(medium, zeros[i], 0);
    }
    json_object_set_string_member(medium, "detect_zeroes", "off");
    json_object_set_object_member(medium, "image", describe_image(drive));
    json_object_set_boolean_member(medium, "ro", drive->read_only);
    if (drive->node_name) {
        json_object_set_string_member(medium, "node-name", drive->node_name);
    }
    json_object_set_string_member(medium, "drv", drive->driver);
    json_object_set_boolean_member(medium, "encrypted", false);
    json_object_set_boolean_member(cache, "no-flush", drive->no_flush);
    json_object_set_boolean_member(cache, "direct", drive->direct);
    json_object_set_boolean_member(cache, "writeback", drive->writeback);
    json_object_set_object_member(medium, "cache", cache);
    json_object_set_string_member(medium, "file", drive->file);
    return medium;
}

JsonNode *
qmp_query_block(QmpCall *call, GError **error)
{
    VitMonitors *monitors = call->monitors;

    if (!MON_HAVE(monitors, get_drives, error)) {
        return NULL;
    }
    g_autoptr(GPtrArray) drives = monitors->ops->get_drives(monitors->host);
    JsonArray *array = json_array_new();
    for (unsigned i = 0; i < drives->len; i++) {
        const VitMonitorDrive *drive = drives->pdata[i];
        JsonObject *object = json_object_new();
        if (drive->io_status) {
            json_object_set_string_member(object, "io-status", drive->io_status);
        }
        json_object_set_string_member(object, "device", drive->id ? drive->id : "");
        json_object_set_boolean_member(object, "locked", drive->locked);
        json_object_set_boolean_member(object, "removable", drive->removable);
        if (drive->inserted) {
            json_object_set_object_member(object, "inserted", describe_medium(drive));
        }
        if (drive->qdev) {
            json_object_set_string_member(object, "qdev", drive->qdev);
        }
        if (drive->has_tray) {
            json_object_set_boolean_member(object, "tray_open", drive->tray_open);
        }
        json_object_set_string_member(object, "type", "unknown");
        json_array_add_object_element(array, object);
    }
    return qmp_array(array);
}

JsonNode *
qmp_query_named_block_nodes(QmpCall *call, GError **error)
{
    VitMonitors *monitors = call->monitors;

    if (!MON_HAVE(monitors, get_drives, error)) {
        return NULL;
    }
    g_autoptr(GPtrArray) drives = monitors->ops->get_drives(monitors->host);
    JsonArray *array = json_array_new();
    for (unsigned i = 0; i < drives->len; i++) {
        const VitMonitorDrive *drive = drives->pdata[i];
        if (drive->inserted && drive->node_name) {
            json_array_add_object_element(array, describe_medium(drive));
        }
    }
    return qmp_array(array);
}
