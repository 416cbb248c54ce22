/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Human commands on drives and their media. Thread: device lock held. */

#include "hmp.h"

#include <string.h>

#include "vit-error.h"

void
hmp_eject(HmpCall *call)
{
    VitMonitors *monitors = call->monitors;
    GError *error = NULL;

    if (MON_HAVE(monitors, eject, &error)) {
        monitors->ops->eject(monitors->host, hmp_text(call, "device"), hmp_flag(call, "f"), &error);
    }
    hmp_error(call, error);
}

void
hmp_change(HmpCall *call)
{
    VitMonitors *monitors = call->monitors;
    const char *mode = hmp_text(call, "read-only-mode");
    VitMonitorAccess access = VIT_MONITOR_ACCESS_RETAIN;
    GError *error = NULL;

    if (strcmp(hmp_text(call, "device"), "vnc") == 0) {
        hmp_print(call, "Error: change vnc: not available yet\n");
        return;
    }
    if (g_strcmp0(mode, "read-only") == 0) {
        access = VIT_MONITOR_ACCESS_READ_ONLY;
    } else if (g_strcmp0(mode, "read-write") == 0) {
        access = VIT_MONITOR_ACCESS_READ_WRITE;
    }
    if (MON_HAVE(monitors, change_medium, &error)) {
        monitors->ops->change_medium(monitors->host, hmp_text(call, "device"),
                                     hmp_text(call, "filename"), hmp_text(call, "format"), access,
                                     hmp_flag(call, "f"), &error);
    }
    hmp_error(call, error);
}

void
hmp_commit(HmpCall *call)
{
    VitMonitors *monitors = call->monitors;
    GError *error = NULL;

    if (MON_HAVE(monitors, commit, &error)) {
        monitors->ops->commit(monitors->host, hmp_text(call, "device"), &error);
    }
    hmp_error(call, error);
}

/* The address is of times when controllers were made with their drives; nothing reads it. */
void
hmp_drive_add(HmpCall *call)
{
    VitMonitors *monitors = call->monitors;
    GError *error = NULL;

    if (MON_HAVE(monitors, drive_add, &error) &&
        monitors->ops->drive_add(monitors->host, hmp_text(call, "options"), hmp_flag(call, "n"),
                                 &error) &&
        !hmp_flag(call, "n")) {
        hmp_print(call, "OK\n");
    }
    hmp_error(call, error);
}

void
hmp_drive_del(HmpCall *call)
{
    VitMonitors *monitors = call->monitors;
    GError *error = NULL;

    if (MON_HAVE(monitors, drive_del, &error)) {
        monitors->ops->drive_del(monitors->host, hmp_text(call, "id"), &error);
    }
    hmp_error(call, error);
}

static void
print_drive(HmpCall *call, const VitMonitorDrive *drive)
{
    hmp_print(call, "%s", drive->id ? drive->id : drive->node_name);
    if (drive->inserted) {
        hmp_print(call, "%s%s%s: %s (%s%s)\n", drive->id && drive->node_name ? " (" : "",
                  drive->id && drive->node_name ? drive->node_name : "",
                  drive->id && drive->node_name ? ")" : "", drive->file, drive->driver,
                  drive->read_only ? ", read-only" : "");
    } else {
        hmp_print(call, ": [not inserted]\n");
    }
    if (drive->qdev) {
        hmp_print(call, "    Attached to:      %s\n", drive->qdev);
    }
    if (drive->io_status && strcmp(drive->io_status, "ok") != 0) {
        hmp_print(call, "    I/O status:       %s\n", drive->io_status);
    }
    if (drive->removable) {
        hmp_print(call, "    Removable device: %slocked%s\n", drive->locked ? "" : "not ",
                  !drive->has_tray   ? ""
                  : drive->tray_open ? ", tray open"
                                     : ", tray closed");
    }
    if (drive->inserted) {
        hmp_print(call, "    Cache mode:       %s%s%s\n",
                  drive->writeback ? "writeback" : "writethrough", drive->direct ? ", direct" : "",
                  drive->no_flush ? ", ignore flushes" : "");
    }
    if (drive->inserted && drive->id) {
        hmp_print_medium(call, drive->id, hmp_flag(call, "v"));
    }
}

void
hmp_info_block(HmpCall *call)
{
    VitMonitors *monitors = call->monitors;
    const char *name = hmp_text(call, "device");
    GError *error = NULL;

    if (hmp_flag(call, "n")) {
        hmp_print_nodes(call);
        return;
    }
    if (!MON_HAVE(monitors, get_drives, &error)) {
        hmp_error(call, error);
        return;
    }
    g_autoptr(GPtrArray) drives = monitors->ops->get_drives(monitors->host);
    if (name) {
        const VitMonitorDrive *drive = mon_find_drive(drives, name, &error);
        if (drive) {
            print_drive(call, drive);
        }
        hmp_error(call, error);
        return;
    }
    for (unsigned i = 0; i < drives->len; i++) {
        if (i > 0) {
            hmp_print(call, "\n");
        }
        print_drive(call, drives->pdata[i]);
    }
}
