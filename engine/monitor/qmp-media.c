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
