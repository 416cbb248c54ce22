/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What drives tell their machine: I/O errors by werror and rerror, moved trays. Drives and nodes
 * that come while it exists: drive_add. Thread: machine thread, device lock held. */

#include "board.h"

#include "vit-error.h"

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

/* ---- drive_add ---- */

/* The keys of one option, as on the command line. NULL with ERROR. */
static VitConfig *
parse_option(const char *option, const char *text, GError **error)
{
    const char *argv[] = { option, text };
    g_autoptr(VitDiagList) diags = vit_diag_list_new();
    g_autoptr(VitConfig) config = vit_config_parse_argv(2, argv, diags);

    if (!vit_diag_list_to_error(diags, error)) {
        return NULL;
    }
    if (vit_config_get_n_items(config) != 1) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "'%s' is not one drive", text);
        return NULL;
    }
    return g_steal_pointer(&config);
}

/* The machine's configuration with ITEM after all others, so that it may name what is there. */
static VitConfig *
config_with(Machine *machine, const VitConfigItem *item, uint32_t *out_serial, GError **error)
{
    g_autoptr(VitConfig) config = vit_config_copy(machine->config);
    g_autoptr(GPtrArray) keys = g_ptr_array_new(), values = g_ptr_array_new();

    for (unsigned i = 0; i < vit_config_item_get_n_params(item); i++) {
        g_ptr_array_add(keys, (gpointer)vit_config_item_get_param_key(item, i));
        g_ptr_array_add(values, (gpointer)vit_config_item_get_param_value(item, i));
    }
    g_ptr_array_add(keys, NULL);
    g_ptr_array_add(values, NULL);
    *out_serial =
        vit_config_addv(config, VIT_ORIGIN_TEXT, "drive", (const char *const *)keys->pdata,
                        (const char *const *)values->pdata, error);
    return *out_serial ? g_steal_pointer(&config) : NULL;
}

bool
machine_plug_drive(Machine *machine, const char *text, GError **error)
{
    g_autoptr(VitConfig) option = parse_option("-drive", text, error);
    const VitConfigItem *item = option ? vit_config_get_item(option, 0) : NULL;
    const char *interface = item ? vit_config_item_get(item, "if") : NULL;
    g_autoptr(VitConfig) config = NULL;
    VitMachinePlan *plan;
    uint32_t serial;

    if (!item) {
        return false;
    }
    if (g_strcmp0(interface, "none") != 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "A running machine takes no drive of if=%s. Use if=none with id=, then "
                    "device_add with drive= and that id.",
                    interface ? interface : "ide");
        return false;
    }
    config = config_with(machine, item, &serial, error);
    plan = config ? machine_make_plan(config, error) : NULL;
    if (!plan) {
        return false;
    }
    g_ptr_array_add(machine->live_plans, plan); /* the drive keeps its strings */
    for (guint i = 0; i < plan->drives->len; i++) {
        const VitPlanDrive *drive = plan->drives->pdata[i];
        if (drive->src.serial == serial) {
            return machine_add_drive(machine, drive, error);
        }
    }
    g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED, "'%s' describes no drive", text);
    return false;
}

bool
machine_plug_node(Machine *machine, const char *text, GError **error)
{
    g_autoptr(VitConfig) option = parse_option("-blockdev", text, error);
    g_autoptr(BlkOptions) options = blk_options_new();

    if (!option) {
        return false;
    }
    const VitConfigItem *item = vit_config_get_item(option, 0);
    for (unsigned i = 0; i < vit_config_item_get_n_params(item); i++) {
        blk_options_set(options, vit_config_item_get_param_key(item, i),
                        vit_config_item_get_param_value(item, i));
    }
    return blk_graph_add_blockdev(machine->blk, options, error) != NULL;
}
