/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Drives and their media: making and freeing drives, putting a medium in and taking it out, the
 * tray and its lock, resizing, committing a temporary overlay.
 *
 * Thread: the graph's lock held, outside of fibers. */

#include "blk-backend.h"
#include "blk-overlay.h"
#include "blk-status.h"
#include "jobs/blk-jobs.h"

#include <string.h>

/* ---- drives ---- */

static BlkBackend *
find_backend(BlkGraph *graph, const char *id)
{
    for (unsigned i = 0; i < graph->drives->len; i++) {
        BlkBackend *backend = g_ptr_array_index(graph->drives, i);
        if (!backend->unnamed && strcmp(backend->drive.id, id) == 0) {
            return backend;
        }
    }
    return NULL;
}

bool
blk_graph_has_drive(BlkGraph *graph, const char *id)
{
    return find_backend(graph, id) != NULL;
}

bool
blk_drive_is_from_graph(const VitDrive *drive)
{
    return drive->ops == &blk_backend_ops;
}

static BlkBackend *
new_backend(BlkGraph *graph, const char *id, const BlkDriveConfig *config)
{
    BlkBackend *backend = g_new0(BlkBackend, 1);

    backend->graph = graph;
    backend->loop = blk_context_get_loop(graph->context);
    backend->config = *config;
    backend->drive.ops = &blk_backend_ops;
    backend->drive.id = g_strdup(id);
    backend->drive.enable_write_cache = !config->write_through;
    backend->drive.logical_block_bytes = 512;
    backend->drive.physical_block_bytes = 512;
    g_ptr_array_add(graph->drives, backend);
    return backend;
}

VitDrive *
blk_drive_new(BlkGraph *graph, const char *id, const BlkDriveConfig *config, BlkNode *node,
              GError **error)
{
    BlkBackend *backend;

    if (blk_graph_has_drive(graph, id) || blk_graph_find_node(graph, id)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "The drive name '%s' is already in use. Choose another.", id);
        return NULL;
    }
    backend = new_backend(graph, id, config);
    if (node && !blk_drive_insert(&backend->drive, node, error)) {
        blk_drive_free(&backend->drive);
        return NULL;
    }
    return &backend->drive;
}

static void
remove_root(BlkBackend *backend)
{
    BlkChild *root = backend->root;

    if (root) {
        blk_backend_ops.drain(&backend->drive);
        backend->root = NULL;
        blk_child_detach(root);
    }
}

void
blk_drive_free(VitDrive *drive)
{
    BlkBackend *backend;

    if (!drive) {
        return;
    }
    backend = blk_backend_of(drive);
    blk_backend_ops.drain(&backend->drive);
    remove_root(backend);
    blk_throttle_leave(&backend->throttle);
    g_ptr_array_remove(backend->graph->drives, backend);
    for (unsigned i = 0; i < BLK_LATENCY_LAST; i++) {
        blk_histogram_free(backend->histograms[i]);
    }
    g_free(drive->id);
    g_free(drive->serial);
    g_free(backend);
}

bool
blk_graph_remove_drive(BlkGraph *graph, const char *id, GError **error)
{
    BlkBackend *backend = find_backend(graph, id);

    if (!backend) {
        return blk_graph_remove_blockdev(graph, id, error);
    }
    if (!backend->drive.has_user) {
        blk_drive_free(&backend->drive);
        return true;
    }
    remove_root(backend);
    /* What it had stopped for is gone: the guest gets to know of it. */
    backend->drive.on_read_error = backend->drive.on_write_error = VIT_DRIVE_ON_ERROR_REPORT;
    backend->unnamed = true; /* goes with its device */
    return true;
}

void
blk_graph_free_drives(BlkGraph *graph)
{
    while (graph->drives->len > 0) {
        blk_drive_free(g_ptr_array_index(graph->drives, graph->drives->len - 1));
    }
}

VitDrive *
blk_graph_find_drive(BlkGraph *graph, const char *name, GError **error)
{
    BlkBackend *backend = find_backend(graph, name);
    BlkNode *node = backend ? NULL : blk_graph_find_node(graph, name);
    BlkDriveConfig config = { .on_write_error = BLK_ON_ERROR_ENOSPC };

    if (backend) {
        return &backend->drive;
    }
    if (!node) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                    "There is no drive or block node '%s'. Define it with -drive id=%s or "
                    "-blockdev node-name=%s.",
                    name, name, name);
        return NULL;
    }
    config.read_only = node->read_only;
    backend = new_backend(graph, name, &config);
    backend->unnamed = true;
    if (!blk_drive_insert(&backend->drive, node, error)) {
        blk_drive_free(&backend->drive);
        return NULL;
    }
    return &backend->drive;
}

void
blk_graph_each_drive(BlkGraph *graph, void (*call)(void *opaque, VitDrive *drive), void *opaque)
{
    for (unsigned i = 0; i < graph->drives->len; i++) {
        call(opaque, g_ptr_array_index(graph->drives, i));
    }
}

/* ---- media ---- */

typedef struct OverlayCall {
    BlkGraph *graph;
    BlkNode *image, *overlay;
    GError **error;
} OverlayCall;

static void
overlay_call(void *opaque)
{
    OverlayCall *call = opaque;

    call->overlay = blk_overlay_open(call->graph, call->image, call->error);
}

static void
init_nothing(BlkNode *node, void *opaque)
{
}

static void
keep_reads_call(void *opaque)
{
    OverlayCall *call = opaque;

    call->overlay = blk_node_open_internal(call->graph, &blk_copy_on_read_driver, call->image, NULL,
                                           init_nothing, NULL, call->error);
}

/* A reference to the node that becomes the root: NODE, an overlay or a filter on it. */
static BlkNode *
prepare_root(BlkBackend *backend, BlkNode *node, GError **error)
{
    OverlayCall call = { .graph = backend->graph, .image = node, .error = error };

    if (!backend->config.snapshot || backend->config.read_only) {
        call.overlay = blk_node_ref(node);
    } else {
        blk_context_run(backend->graph->context, overlay_call, &call);
    }
    if (backend->config.copy_on_read && call.overlay && !call.overlay->read_only) {
        BlkNode *below = call.overlay;
        call.image = below;
        call.overlay = NULL;
        blk_context_run(backend->graph->context, keep_reads_call, &call);
        blk_node_unref(below);
    }
    return call.overlay;
}

bool
blk_drive_insert(VitDrive *drive, BlkNode *node, GError **error)
{
    BlkBackend *backend = blk_backend_of(drive);
    BlkNode *root;

    if (backend->root) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_BUSY,
                    "Drive '%s' already has a medium. Eject it first.", drive->id);
        return false;
    }
    root = prepare_root(backend, node, error);
    if (!root) {
        return false;
    }
    backend->root = blk_child_attach(
        root, &blk_backend_user, backend,
        BLK_PERM_CONSISTENT_READ | (root->read_only ? 0 : BLK_PERM_WRITE),
        BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE_UNCHANGED | BLK_PERM_RESIZE, error);
    if (!backend->root) {
        blk_node_unref(root);
        return false;
    }
    if (drive->has_user && drive->user.medium_changed) {
        drive->user.medium_changed(drive->user.opaque, true);
    }
    return true;
}

static void
take_medium(BlkBackend *backend)
{
    VitDrive *drive = &backend->drive;

    if (backend->root) {
        remove_root(backend);
        if (drive->has_user && drive->user.medium_changed) {
            drive->user.medium_changed(drive->user.opaque, false);
        }
    }
}

static bool
check_removable(VitDrive *drive, GError **error)
{
    if (!drive->removable) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_STATE, "Drive '%s' has no removable medium.",
                    drive->id);
    }
    return drive->removable;
}

bool
blk_drive_open_tray(VitDrive *drive, bool force, GError **error)
{
    BlkBackend *backend = blk_backend_of(drive);

    if (!check_removable(drive, error)) {
        return false;
    }
    if (backend->tray_open) {
        return true;
    }
    if (backend->locked && drive->has_user && drive->user.eject_requested) {
        drive->user.eject_requested(drive->user.opaque, force);
    }
    if (backend->locked && !force) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_BUSY,
                    "Drive '%s' is locked by the guest, which has been asked to release it. "
                    "Try again, or force it.",
                    drive->id);
        return false;
    }
    backend->locked = false;
    blk_backend_ops.set_tray(drive, true);
    return true;
}

bool
blk_drive_close_tray(VitDrive *drive, GError **error)
{
    if (!check_removable(drive, error)) {
        return false;
    }
    blk_backend_ops.set_tray(drive, false);
    return true;
}

bool
blk_drive_eject(VitDrive *drive, bool force, GError **error)
{
    if (!blk_drive_open_tray(drive, force, error)) {
        return false;
    }
    take_medium(blk_backend_of(drive));
    return true;
}

static BlkNode *
open_medium(BlkBackend *backend, const char *filename, const char *format,
            const char *read_only_mode, GError **error)
{
    g_autoptr(BlkOptions) options = blk_options_new();
    bool read_only = backend->root ? backend->root->node->read_only : backend->config.read_only;

    if (read_only_mode && strcmp(read_only_mode, "retain") != 0) {
        read_only = strcmp(read_only_mode, "read-only") == 0;
        if (!read_only && strcmp(read_only_mode, "read-write") != 0) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                        "'%s' is not a way to open a medium: use retain, read-only or read-write.",
                        read_only_mode);
            return NULL;
        }
    }
    if (format && *format) {
        blk_options_set(options, "driver", format);
    }
    blk_options_set(options, "read-only", read_only || backend->config.snapshot ? "on" : "off");
    blk_options_set(options, "auto-read-only", "on");
    return blk_open(backend->graph, filename, options, error);
}

bool
blk_drive_change(VitDrive *drive, const char *filename, const char *format,
                 const char *read_only_mode, bool force, GError **error)
{
    BlkBackend *backend = blk_backend_of(drive);
    g_autoptr(BlkNode) node = NULL;

    if (!check_removable(drive, error)) {
        return false;
    }
    node = open_medium(backend, filename, format, read_only_mode, error);
    if (!node || !blk_drive_eject(drive, force, error)) {
        return false;
    }
    if (!blk_drive_insert(drive, node, error)) {
        return false;
    }
    blk_backend_ops.set_tray(drive, false);
    return true;
}

BlkNode *
blk_drive_get_node(VitDrive *drive)
{
    BlkBackend *backend = blk_backend_of(drive);

    return backend->root ? backend->root->node : NULL;
}

/* ---- limits ---- */

void
blk_drive_set_throttle(VitDrive *drive, const char *group_name, const VitThrottleConfig *config)
{
    BlkBackend *backend = blk_backend_of(drive);
    BlkThrottleGroup *group;
    bool any = false;

    for (unsigned i = 0; i < VIT_LIMITS; i++) {
        any |= config->limits[i].rate > 0;
    }
    if (!any && !group_name) {
        blk_backend_ops.drain(drive);
        blk_throttle_leave(&backend->throttle);
        return;
    }
    if (!group_name) {
        group_name =
            backend->throttle.group ? blk_throttle_group_name(backend->throttle.group) : drive->id;
    }
    group = blk_throttle_group_get(backend->graph, group_name);
    blk_throttle_group_configure(group, config);
    if (group == backend->throttle.group) {
        blk_throttle_group_unref(group);
        return;
    }
    blk_backend_ops.drain(drive);
    blk_throttle_leave(&backend->throttle);
    blk_throttle_join(&backend->throttle, backend->graph, group);
}

bool
blk_drive_throttle(VitDrive *drive, const BlkOptions *limits, GError **error)
{
    g_autoptr(BlkOptions) left = blk_options_copy(limits);
    g_autofree char *group = blk_options_take(left, "group");
    VitThrottleConfig config = { 0 };
    const char *key;

    if (!blk_throttle_take_options(left, "", &config, NULL, error)) {
        return false;
    }
    key = blk_options_first_key(left);
    if (key) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "There is no limit 'throttling.%s'.", key);
        return false;
    }
    blk_drive_set_throttle(drive, group, &config);
    return true;
}

const VitThrottleConfig *
blk_drive_get_throttle(VitDrive *drive, const char **out_group)
{
    BlkBackend *backend = blk_backend_of(drive);

    if (!backend->throttle.group) {
        return NULL;
    }
    *out_group = blk_throttle_group_name(backend->throttle.group);
    return blk_throttle_group_config(backend->throttle.group);
}

/* ---- size, commit, information ---- */

typedef struct ResizeCall {
    BlkChild *root;
    uint64_t len;
    bool ok;
    GError **error;
} ResizeCall;

static void
resize_call(void *opaque)
{
    ResizeCall *call = opaque;

    call->ok = blk_truncate(call->root, call->len, BLK_PREALLOC_OFF, call->error);
}

bool
blk_drive_resize(VitDrive *drive, uint64_t len, GError **error)
{
    BlkBackend *backend = blk_backend_of(drive);
    ResizeCall call = { .root = backend->root, .len = len, .error = error };
    unsigned perm;

    if (!backend->root) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_STATE, "Drive '%s' has no medium.", drive->id);
        return false;
    }
    perm = backend->root->perm;
    if (!blk_child_set_perm(backend->root, perm | BLK_PERM_RESIZE, backend->root->shared, error)) {
        return false;
    }
    blk_context_run(backend->graph->context, resize_call, &call);
    blk_child_set_perm(backend->root, perm, backend->root->shared, NULL);
    return call.ok;
}

bool
blk_drive_commit(VitDrive *drive, GError **error)
{
    BlkNode *node = blk_node_skip_filters(blk_drive_get_node(drive));
    bool ok;

    if (node && node->backing && !blk_node_is_overlay(node)) {
        return blk_commit_now(node, error);
    }
    if (!node || !blk_node_is_overlay(node)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_STATE,
                    "Drive '%s' has no temporary changes to commit: it was not started with "
                    "snapshot=on.",
                    drive->id);
        return false;
    }
    blk_node_drained_begin(node);
    ok = blk_overlay_commit(node, error);
    blk_node_drained_end(node);
    return ok;
}

typedef struct FlushCall {
    BlkChild *root;
    int ret;
} FlushCall;

static void
flush_call(void *opaque)
{
    FlushCall *call = opaque;

    call->ret = blk_flush(call->root);
}

bool
blk_graph_flush(BlkGraph *graph, GError **error)
{
    bool ok = true;

    for (unsigned i = 0; i < graph->drives->len; i++) {
        BlkBackend *backend = g_ptr_array_index(graph->drives, i);
        FlushCall call = { .root = backend->root };
        if (call.root) {
            blk_context_run(graph->context, flush_call, &call);
        }
        if (call.ret < 0 && ok) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "Drive '%s' cannot be flushed: %s.",
                        backend->drive.id, g_strerror(-call.ret));
            ok = false;
        }
    }
    return ok;
}

void
blk_drive_get_info(VitDrive *drive, BlkDriveInfo *out)
{
    const BlkBackend *backend = blk_backend_of(drive);

    *out = (BlkDriveInfo){
        .id = drive->id,
        .node = blk_drive_get_node(drive),
        .removable = drive->removable,
        .locked = backend->locked,
        .tray_open = backend->tray_open,
        .has_tray = drive->removable && drive->has_user && drive->user.eject_requested,
        .write_through = !drive->enable_write_cache,
        .stopped = backend->stopped,
        .on_read_error = backend->config.on_read_error,
        .on_write_error = backend->config.on_write_error,
        .stats = backend->stats,
    };
}
