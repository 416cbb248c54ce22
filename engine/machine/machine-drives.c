/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What drives tell their machine: I/O errors by werror and rerror, moved trays. */

#include "board.h"

#include <errno.h>

static void
on_io_error(void *opaque, VitDrive *drive, bool is_read, int error_code, VitDriveError action)
{
    Machine *machine = opaque;
    static const char *const actions[] = {
        [VIT_DRIVE_REPORT] = "report", [VIT_DRIVE_IGNORE] = "ignore", [VIT_DRIVE_STOP] = "stop"
    };
    g_autofree char *data = g_strdup_printf(
        "{\"device\": \"%s\", \"node-name\": \"\", \"operation\": \"%s\", \"action\": \"%s\", "
        "\"nospace\": %s, \"reason\": \"%s\"}",
        drive->id ? drive->id : "", is_read ? "read" : "write", actions[action],
        error_code == ENOSPC || error_code == -ENOSPC ? "true" : "false",
        g_strerror(ABS(error_code)));

    machine_post_event(machine, "BLOCK_IO_ERROR", data);
    if (action == VIT_DRIVE_STOP) {
        machine->io_stopped = true;
        machine_request(machine, MACHINE_REQUEST_PAUSE, VIT_CAUSE_HOST_QUIT, 0);
    }
}

static void
on_tray_moved(void *opaque, VitDrive *drive, bool open)
{
    g_autofree char *data = g_strdup_printf(
        "{\"device\": \"%s\", \"id\": \"%s\", \"tray-open\": %s}", drive->id ? drive->id : "",
        drive->id ? drive->id : "", open ? "true" : "false");

    machine_post_event(opaque, "DEVICE_TRAY_MOVED", data);
}

static void
on_event(void *opaque, const char *name, const char *data)
{
    machine_post_event(opaque, name, data);
}

void
machine_watch_drives(Machine *machine)
{
    static const BlkDriveEvents events = {
        .io_error = on_io_error,
        .tray_moved = on_tray_moved,
        .event = on_event,
    };

    blk_graph_set_events(machine->blk, &events, machine);
}
