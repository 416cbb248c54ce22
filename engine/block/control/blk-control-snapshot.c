/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Snapshots of disks: external ones put a new image over the one in use, internal ones are kept by
 * the format. Thread: the graph's lock held, outside of fibers. */

#include "blk-control-private.h"

#include "blk-path.h"
#include "blk-status.h"

#include <string.h>

/* ---- external ---- */

static BlkNode *
create_overlay(BlkControl *control, BlkNode *old, GError **error)
{
    const char *filename = blk_arg_string(control, "snapshot-file");
    const char *node_name = blk_arg_string(control, "snapshot-node-name");
    const char *format = blk_arg_string(control, "format");
    bool existing = g_strcmp0(blk_arg_string(control, "mode"), "existing") == 0;
    g_autoptr(BlkOptions) open_options = blk_options_new();
    BlkNode *image = blk_node_skip_filters(old);

    format = format ? format : "qcow2";
    if (!existing) {
        g_autoptr(BlkOptions) options = blk_options_new();
        g_autofree char *size = g_strdup_printf("%" G_GUINT64_FORMAT, blk_node_get_len(old));
        g_autofree char *backing = blk_path_as_seen_from(filename, image->filename);
        blk_options_set(options, "size", size);
        blk_options_set(options, "backing_file", backing);
        blk_options_set(options, "backing_fmt", image->driver->name);
        if (!blk_create(control->graph, format, filename, options, error)) {
            return NULL;
        }
    }
    blk_options_set(open_options, "driver", format);
    blk_options_set(open_options, "backing", "");
    blk_options_set(open_options, "cache.direct", image->cache_direct ? "on" : "off");
    blk_options_set(open_options, "cache.no-flush", image->no_flush ? "on" : "off");
    blk_options_set(open_options, "discard", image->discard_unmap ? "unmap" : "ignore");
    if (node_name) {
        blk_options_set(open_options, "node-name", node_name);
    }
    return blk_open(control->graph, filename, open_options, error);
}

static bool
check_overlay(BlkNode *overlay, GError **error)
{
    const char *why = overlay->parents->len > 0 ? "is already in use"
                      : overlay->backing        ? "already has a backing image"
                      : overlay->read_only      ? "is open read-only"
                      : !overlay->driver->format || !overlay->driver->format->change_backing
                          ? "has a format without backing images"
                          : NULL;

    if (why) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "The overlay '%s' %s",
                    overlay->name, why);
    }
    return !why;
}

/* The new edge holds nothing yet: what it needs is settled together with the drive's move. */
static bool
put_over(BlkSnapshotStep *step, GError **error)
{
    blk_node_add_child(step->overlay, "backing", blk_node_ref(step->old));
    if (!blk_node_replace(step->old, step->overlay, NULL, error)) {
        blk_child_detach(step->overlay->backing);
        return false;
    }
    step->old_was_read_only = step->old->read_only;
    if (!step->old_was_read_only) {
        blk_node_set_read_only(step->old, true, NULL);
    }
    return true;
}

bool
blk_snapshot_take(BlkControl *control, const char *type, BlkSnapshotStep *out, GError **error)
{
    bool sync = strcmp(type, "blockdev-snapshot-sync") == 0;
    BlkNode *old, *overlay;
    BlkStandstill *still;
    bool ok;

    if (sync) {
        old = blk_control_arg_node(control, NULL, error);
        overlay = old ? create_overlay(control, old, error) : NULL;
    } else {
        old = blk_control_node(control, blk_arg_string(control, "node"), error);
        overlay = old ? blk_control_node(control, blk_arg_string(control, "overlay"), error) : NULL;
        overlay = overlay ? blk_node_ref(overlay) : NULL;
    }
    if (!overlay || !check_overlay(overlay, error)) {
        blk_node_unref(overlay);
        return false;
    }
    *out = (BlkSnapshotStep){ .old = blk_node_ref(old), .overlay = overlay };
    still = blk_graph_stand_still(control->graph);
    ok = put_over(out, error);
    blk_graph_go_on(still);
    if (!ok) {
        blk_snapshot_keep(out);
    }
    return ok;
}

void
blk_snapshot_keep(BlkSnapshotStep *step)
{
    blk_node_unref(g_steal_pointer(&step->overlay));
    blk_node_unref(g_steal_pointer(&step->old));
}

void
blk_snapshot_undo(BlkSnapshotStep *step)
{
    BlkStandstill *still = blk_graph_stand_still(step->old->graph);

    step->overlay->backing->bears_all = true;
    blk_node_update_perm(step->overlay, NULL);
    if (!step->old_was_read_only) {
        blk_node_set_read_only(step->old, false, NULL);
    }
    blk_node_replace(step->overlay, step->old, step->overlay, NULL);
    blk_child_detach(step->overlay->backing);
    blk_graph_go_on(still);
    blk_snapshot_keep(step);
}

static JsonNode *
take(BlkControl *control, const char *type, GError **error)
{
    BlkSnapshotStep step;

    if (!blk_snapshot_take(control, type, &step, error)) {
        return NULL;
    }
    blk_snapshot_keep(&step);
    return blk_control_done(true);
}

static JsonNode *
snapshot_sync(BlkControl *control, GError **error)
{
    return take(control, "blockdev-snapshot-sync", error);
}

static JsonNode *
snapshot(BlkControl *control, GError **error)
{
    return take(control, "blockdev-snapshot", error);
}

/* ---- internal ---- */

typedef struct InternalCall {
    BlkNode *image;
    const BlkSnapshot *wanted; /* NULL: delete NAME */
    const char *name;
    bool ok;
    GError **error;
} InternalCall;

static void
internal_call(void *opaque)
{
    InternalCall *call = opaque;
    const BlkFormatOps *format = call->image->driver->format;

    call->ok = call->wanted ? format->create_snapshot(call->image, call->wanted, call->error)
                            : format->delete_snapshot(call->image, call->name, call->error);
}

static BlkNode *
snapshot_image(BlkControl *control, GError **error)
{
    const char *device = blk_arg_string(control, "device");
    BlkNode *node = blk_control_node(control, device, error);
    BlkNode *image = blk_node_skip_filters(node);

    if (image && (!image->driver->format || !image->driver->format->create_snapshot)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "Block format '%s' used by device '%s' does not support internal snapshots",
                    image->driver->name, device);
        return NULL;
    }
    if (image && image->read_only) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_PERMISSION, "Device '%s' is read-only", device);
        return NULL;
    }
    return image;
}

static bool
run_internal(BlkControl *control, InternalCall *call)
{
    BlkStandstill *still = blk_graph_stand_still(control->graph);
    BlkChild *edge = blk_child_attach(call->image, NULL, NULL,
                                      BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE_UNCHANGED,
                                      BLK_PERM_ALL, call->error);

    if (edge) {
        blk_node_ref(call->image);
        blk_context_run(control->graph->context, internal_call, call);
        blk_child_detach(edge);
    }
    blk_graph_go_on(still);
    return call->ok;
}

bool
blk_snapshot_internal(BlkControl *control, GError **error)
{
    BlkNode *image = snapshot_image(control, error);
    const char *name = blk_arg_string(control, "name");
    int64_t now_us = g_get_real_time();
    BlkSnapshot wanted = { .name = (char *)name,
                           .date_s = (uint64_t)(now_us / 1000000),
                           .date_ns = (uint32_t)(now_us % 1000000 * 1000),
                           .icount = UINT64_MAX };
    InternalCall call = { .image = image, .wanted = &wanted, .error = error };

    if (!image) {
        return false;
    }
    if (!name || !*name) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "Name is empty");
        return false;
    }
    g_autoptr(GPtrArray) snapshots = image->driver->format->list_snapshots(image);
    wanted.disk_bytes = blk_node_get_len(image);
    if (blk_snapshots_find(snapshots, name)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "Snapshot with name '%s' already exists on device '%s'", name,
                    blk_arg_string(control, "device"));
        return false;
    }
    return run_internal(control, &call);
}

static JsonNode *
internal_sync(BlkControl *control, GError **error)
{
    return blk_control_done(blk_snapshot_internal(control, error));
}

static JsonObject *
describe_snapshot(const BlkSnapshot *found)
{
    JsonObject *object = json_object_new();

    json_object_set_string_member(object, "id", found->id);
    json_object_set_string_member(object, "name", found->name);
    json_object_set_int_member(object, "vm-state-size", (gint64)found->vm_state_bytes);
    json_object_set_int_member(object, "date-sec", (gint64)found->date_s);
    json_object_set_int_member(object, "date-nsec", found->date_ns);
    json_object_set_int_member(object, "vm-clock-sec", (gint64)(found->vm_clock_ns / 1000000000));
    json_object_set_int_member(object, "vm-clock-nsec", (gint64)(found->vm_clock_ns % 1000000000));
    return object;
}

static JsonNode *
internal_delete(BlkControl *control, GError **error)
{
    BlkNode *image = snapshot_image(control, error);
    const char *name = blk_arg_string(control, "name"), *id = blk_arg_string(control, "id");
    InternalCall call = { .image = image, .name = id ? id : name, .error = error };
    JsonObject *object;
    JsonNode *result;

    if (!image) {
        return NULL;
    }
    if (!id && !name) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "Name or id must be provided");
        return NULL;
    }
    g_autoptr(GPtrArray) snapshots = image->driver->format->list_snapshots(image);
    const BlkSnapshot *found = blk_snapshots_find(snapshots, call.name);
    if (!found) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                    "Snapshot with id '%s' and name '%s' does not exist on device '%s'",
                    id ? id : "", name ? name : "", blk_arg_string(control, "device"));
        return NULL;
    }
    object = describe_snapshot(found);
    if (!run_internal(control, &call)) {
        json_object_unref(object);
        return NULL;
    }
    result = json_node_new(JSON_NODE_OBJECT);
    json_node_take_object(result, object);
    return result;
}

const BlkControlCommand blk_control_snapshot_commands[] = {
    { "blockdev-snapshot", snapshot },
    { "blockdev-snapshot-sync", snapshot_sync },
    { "blockdev-snapshot-internal-sync", internal_sync },
    { "blockdev-snapshot-delete-internal-sync", internal_delete },
    { 0 },
};
