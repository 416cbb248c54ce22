/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The host side of a machine's devices: character devices, block nodes and drives, network back
 * ends, made from the plan in order, and found by id when a device names them. */

#include "board.h"
#include "machine-iothread.h"
#include "machine-fsdev.h"
#include "machine-rng.h"

#include "vit-char.h"
#include "vit-error.h"

#include <string.h>

bool
machine_plan_error(Machine *machine, VitDiagList *diags, VitPlanSrc src, GError **error)
{
    if (diags && error && *error && src.serial) {
        vit_config_diag_error(machine->config, src.serial, src.param, *error, diags);
    }
    return false;
}

/* ---- Character devices ---- */

static void
chardev_message(void *opaque, const char *text)
{
    g_printerr("%s\n", text);
}

static void
chardev_quit(void *opaque)
{
    machine_request(opaque, MACHINE_REQUEST_SHUTDOWN, VIT_CAUSE_HOST_QUIT, 0);
}

static void
commit_drive(void *opaque, VitDrive *drive)
{
    g_autoptr(GError) error = NULL;

    if (!blk_drive_commit(drive, &error)) {
        g_printerr("%s\n", error->message);
    }
}

static void
chardev_commit(void *opaque)
{
    Machine *machine = opaque;

    blk_graph_each_drive(machine->blk, commit_drive, NULL);
}

bool
machine_add_chardev(Machine *machine, const VitPlanChardev *plan, GError **error)
{
    VitChardevHost host = {
        .message = chardev_message,
        .quit = chardev_quit,
        .commit = chardev_commit,
        .mux_escape = machine->plan->mux_escape,
        .opaque = machine,
    };
    g_autoptr(VitChardev) chr = vit_char_make(plan->backend, plan->id, NULL, NULL, 0, error);

    if (!chr) {
        return false;
    }
    for (unsigned i = 0; i < plan->props.n_props; i++) {
        if (!vit_chardev_set(chr, plan->props.props[i].key, plan->props.props[i].value, error)) {
            return false;
        }
    }
    if (plan->mux && !vit_chardev_set(chr, "mux", "on", error)) {
        return false;
    }
    vit_chardev_set_host(chr, &host);
    if (!vit_chardev_open(chr, machine->context, &machine->lock, error)) {
        return false;
    }
    g_ptr_array_add(machine->chardevs, g_steal_pointer(&chr));
    return true;
}

VitChardev *
machine_find_chardev(Machine *machine, const char *id)
{
    for (guint i = 0; i < machine->chardevs->len; i++) {
        VitChardev *chr = machine->chardevs->pdata[i];

        if (g_strcmp0(chr->id, id) == 0) {
            return chr;
        }
    }
    return NULL;
}

/* ---- Drives ---- */

static BlkOnError
on_error_of(VitPlanOnError action)
{
    switch (action) {
    case VIT_PLAN_ON_ERROR_IGNORE: return BLK_ON_ERROR_IGNORE;
    case VIT_PLAN_ON_ERROR_STOP: return BLK_ON_ERROR_STOP;
    case VIT_PLAN_ON_ERROR_ENOSPC: return BLK_ON_ERROR_ENOSPC;
    default: return BLK_ON_ERROR_REPORT;
    }
}

/* Keys of -drive that are about the drive, not about the node it opens. */
static bool
is_drive_key(const char *key)
{
    static const char *const keys[] = {
        "if",           "bus",     "unit",          "index",           "media",  "snapshot", "id",
        "format",       "cache",   "werror",        "rerror",          "file",   "readonly", "aio",
        "copy-on-read", "discard", "detect-zeroes", "read-only",       "serial", "addr",     "cyls",
        "heads",        "secs",    "trans",         "cache.writeback", NULL,
    };

    return g_strv_contains(keys, key);
}

static BlkOptions *
drive_options(const VitPlanDrive *plan)
{
    BlkOptions *options = blk_options_new();

    for (unsigned i = 0; i < plan->props.n_props; i++) {
        if (!is_drive_key(plan->props.props[i].key)) {
            blk_options_set(options, plan->props.props[i].key, plan->props.props[i].value);
        }
    }
    if (plan->format) {
        blk_options_set(options, "driver", plan->format);
    }
    blk_options_set(options, "cache.direct", plan->cache_direct ? "on" : "off");
    blk_options_set(options, "cache.no-flush", plan->cache_no_flush ? "on" : "off");
    /* What lies below a temporary overlay is not written either. */
    if (plan->read_only || plan->is_cdrom || plan->snapshot) {
        blk_options_set(options, "read-only", "on");
    }
    if (!blk_options_get(options, "auto-read-only")) {
        blk_options_set(options, "auto-read-only", "on");
    }
    /* The default is nothing an image over the network could refuse. */
    if (plan->file && plan->aio && strcmp(plan->aio, "threads") != 0) {
        blk_options_set(options, "aio", plan->aio);
    }
    if (plan->discard) {
        blk_options_set(options, "discard", plan->discard);
    }
    if (plan->detect_zeroes) {
        blk_options_set(options, "detect-zeroes", plan->detect_zeroes);
    }
    return options;
}

/* A guest that writes a foreign header into what was taken for raw would have it read as that
 * format the next time; so such writes to the first sector are refused (blk-raw.c). */
static void
warn_of_probing(BlkNode *node, const VitPlanDrive *plan)
{
    BlkNodeInfo info;

    blk_node_get_info(node, &info);
    if (info.probed && !info.read_only && strcmp(info.driver, "raw") == 0) {
        g_printerr("warning: nobody said which format '%s' has, and it looks like raw. Writes to "
                   "its first sector are restricted; add format=raw to allow them.\n",
                   plan->file);
    }
}

bool
machine_add_drive(Machine *machine, const VitPlanDrive *plan, GError **error)
{
    BlkDriveConfig config = {
        .on_read_error = on_error_of(plan->on_read_error),
        .on_write_error = on_error_of(plan->on_write_error),
        .read_only = plan->read_only || plan->is_cdrom,
        .write_through = !plan->cache_writeback,
        .snapshot = plan->snapshot,
        .copy_on_read = plan->copy_on_read,
    };
    g_autoptr(BlkOptions) options = drive_options(plan);
    g_autofree char *account_invalid = blk_options_take(options, "stats-account-invalid");
    g_autofree char *account_failed = blk_options_take(options, "stats-account-failed");
    g_autoptr(BlkOptions) limits = blk_options_take_throttle(options);
    g_autoptr(BlkNode) node = NULL;
    VitDrive *drive;
    bool account;
    bool has_medium = plan->file || vit_plan_props_get(&plan->props, "driver") ||
                      blk_options_get(options, "file.driver") ||
                      blk_options_get(options, "file.filename");

    config.skip_invalid =
        account_invalid && vit_value_parse_bool(account_invalid, &account) && !account;
    config.skip_failed =
        account_failed && vit_value_parse_bool(account_failed, &account) && !account;
    if (has_medium && !(node = blk_open(machine->blk, plan->file, options, error))) {
        return false;
    }
    if (node && plan->file && !plan->format) {
        warn_of_probing(node, plan);
    }
    drive = blk_drive_new(machine->blk, plan->id, &config, node, error);
    return drive && (!limits || blk_drive_throttle(drive, limits, error));
}

static bool
add_blockdev(Machine *machine, const VitPlanBlockdev *plan, GError **error)
{
    g_autoptr(BlkOptions) options = blk_options_new();

    for (unsigned i = 0; i < plan->props.n_props; i++) {
        blk_options_set(options, plan->props.props[i].key, plan->props.props[i].value);
    }
    if (plan->driver) {
        blk_options_set(options, "driver", plan->driver);
    }
    if (plan->node_name) {
        blk_options_set(options, "node-name", plan->node_name);
    }
    return blk_graph_add_blockdev(machine->blk, options, error) != NULL;
}

/* -add-fd: files somebody else has opened. */
static bool
add_fds(Machine *machine, VitDiagList *diags, GError **error)
{
    for (guint i = 0; i < machine->plan->others->len; i++) {
        const VitPlanOther *plan = machine->plan->others->pdata[i];
        const char *fd = vit_plan_props_get(&plan->props, "fd");
        const char *set = vit_plan_props_get(&plan->props, "set");

        if (strcmp(plan->option, "add-fd") == 0 && fd && set &&
            !blk_graph_add_fd(machine->blk, (unsigned)g_ascii_strtoull(set, NULL, 10),
                              (int)g_ascii_strtoll(fd, NULL, 10), error)) {
            return machine_plan_error(machine, diags, plan->src, error);
        }
    }
    return true;
}

/* -iscsi: what iSCSI images take that do not say it themselves. Targets know this machine by its
 * UUID, else by its name. */
static void
add_iscsi_defaults(Machine *machine)
{
    const VitMachinePlan *plan = machine->plan;
    const char *name = plan->has_uuid ? plan->uuid : plan->name;
    g_autofree char *initiator =
        g_strconcat("iqn.2008-11.org.linux-kvm", name ? ":" : "", name ? name : "", NULL);
    g_autoptr(BlkOptions) defaults = blk_options_new();

    blk_options_set(defaults, "initiator-name", initiator);
    for (guint i = 0; i < plan->others->len; i++) {
        const VitPlanOther *other = plan->others->pdata[i];
        for (unsigned p = 0; strcmp(other->option, "iscsi") == 0 && p < other->props.n_props; p++) {
            blk_options_set(defaults, other->props.props[p].key, other->props.props[p].value);
        }
    }
    blk_graph_set_defaults(machine->blk, "iscsi", defaults);
}

/* ---- All ---- */

bool
machine_add_backends(Machine *machine, VitDiagList *diags, GError **error)
{
    const VitMachinePlan *plan = machine->plan;

    for (guint i = 0; i < plan->chardevs->len; i++) {
        const VitPlanChardev *chardev = plan->chardevs->pdata[i];
        if (!machine_add_chardev(machine, chardev, error)) {
            return machine_plan_error(machine, diags, chardev->src, error);
        }
    }
    if (!add_fds(machine, diags, error)) {
        return false;
    }
    add_iscsi_defaults(machine);
    if (!machine_add_objects(machine, diags, error)) {
        return false;
    }
    for (guint i = 0; i < plan->blockdevs->len; i++) {
        const VitPlanBlockdev *blockdev = plan->blockdevs->pdata[i];
        if (!add_blockdev(machine, blockdev, error)) {
            return machine_plan_error(machine, diags, blockdev->src, error);
        }
    }
    for (guint i = 0; i < plan->drives->len; i++) {
        const VitPlanDrive *drive = plan->drives->pdata[i];
        if (!machine_add_drive(machine, drive, error)) {
            VitPlanSrc src = drive->src;
            if (drive->file && drive->file_param >= 0) {
                src.param = drive->file_param;
            }
            return machine_plan_error(machine, diags, src, error);
        }
    }
    return machine_add_netdevs(machine, diags, error) && machine_add_fsdevs(machine, diags, error);
}

void
machine_free_backends(Machine *machine)
{
    machine_free_netdevs(machine);
    machine_free_fsdevs(machine);
    machine_free_rngs(machine);
    machine_free_iothreads(machine);
    g_clear_pointer(&machine->blk, blk_graph_free);
    g_clear_pointer(&machine->chardevs, g_ptr_array_unref);
}

/* ---- By id ---- */

static VitChardev *
resolve_chardev(void *opaque, const char *id, GError **error)
{
    VitChardev *chr = machine_find_chardev(opaque, id);

    if (!chr) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                    "there is no character device \"%s\"; add -chardev BACKEND,id=%s", id, id);
    }
    return chr;
}

static VitDrive *
resolve_drive(void *opaque, const char *id, GError **error)
{
    Machine *machine = opaque;

    return blk_graph_find_drive(machine->blk, id, error);
}

static VitNetPort *
resolve_netdev(void *opaque, const char *id, GError **error)
{
    VitNetPort *port = machine_find_netdev(opaque, id);

    if (!port) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                    "there is no network back end \"%s\"; add -netdev user,id=%s", id, id);
    }
    return port;
}

static VitRng *
resolve_rng(void *opaque, const char *id, GError **error)
{
    VitRng *rng = machine_find_rng(opaque, id);

    if (!rng) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                    "there is no source of entropy \"%s\"; add -object rng-random,id=%s", id, id);
    }
    return rng;
}

static VitIothread *
resolve_iothread(void *opaque, const char *id, GError **error)
{
    VitIothread *thread = machine_find_iothread(opaque, id);

    if (!thread) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                    "there is no iothread \"%s\"; add -object iothread,id=%s", id, id);
    }
    return thread;
}

static VitFsdev *
resolve_fsdev(void *opaque, const char *id, GError **error)
{
    VitFsdev *fsdev = machine_find_fsdev(opaque, id);

    if (!fsdev) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                    "there is no shared folder \"%s\"; add -fsdev local,id=%s,path=FOLDER,"
                    "security_model=mapped-xattr",
                    id, id);
    }
    return fsdev;
}

const VitPropResolver *
machine_resolver(Machine *machine, VitPropResolver *out)
{
    *out = (VitPropResolver){
        .chardev = resolve_chardev,
        .drive = resolve_drive,
        .netdev = resolve_netdev,
        .rng = resolve_rng,
        .iothread = resolve_iothread,
        .fsdev = resolve_fsdev,
        .opaque = machine,
    };
    return out;
}
