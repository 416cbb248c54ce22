/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Commands that start jobs: block-stream, block-commit, blockdev-mirror, blockdev-backup, and
 * drive-mirror and drive-backup, which make their target first. Thread: the graph's lock held,
 * outside of fibers. */

#include "blk-control-private.h"

#include "blk-path.h"
#include "blk-status.h"

#include <errno.h>
#include <string.h>

static BlkOnError
arg_on_error(const BlkControl *control, const char *name)
{
    const char *text = blk_arg_string(control, name);

    return g_strcmp0(text, "ignore") == 0   ? BLK_ON_ERROR_IGNORE
           : g_strcmp0(text, "stop") == 0   ? BLK_ON_ERROR_STOP
           : g_strcmp0(text, "enospc") == 0 ? BLK_ON_ERROR_ENOSPC
                                            : BLK_ON_ERROR_REPORT;
}

/* The job of a drive has its name unless told otherwise. */
static bool
arg_task_options(const BlkControl *control, const VitDrive *drive, BlkTaskOptions *out,
                 GError **error)
{
    const char *id = blk_arg_string(control, "job-id");
    int64_t speed = blk_arg_int(control, "speed", 0);

    if (speed < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "Parameter 'speed' expects a non-negative value");
        return false;
    }
    *out = (BlkTaskOptions){
        .id = id      ? id
              : drive ? drive->id
                      : NULL,
        .speed = (uint64_t)speed,
        .manual_finalize = !blk_arg_bool(control, "auto-finalize", true),
        .manual_dismiss = !blk_arg_bool(control, "auto-dismiss", true),
        .on_source_error = arg_on_error(
            control, blk_arg_has(control, "on-error") ? "on-error" : "on-source-error"),
        .on_target_error = arg_on_error(
            control, blk_arg_has(control, "on-error") ? "on-error" : "on-target-error"),
        .hold = control->hold_jobs,
        .group = control->group,
    };
    return true;
}

static BlkNode *
arg_source(BlkControl *control, VitDrive **out_drive, GError **error)
{
    const char *name = blk_arg_string(control, "device");
    BlkNode *node = blk_control_node(control, name, error);

    *out_drive = NULL;
    for (unsigned i = 0; node && i < control->graph->drives->len; i++) {
        VitDrive *drive = g_ptr_array_index(control->graph->drives, i);
        if (strcmp(drive->id, name) == 0 && blk_drive_get_node(drive) == node) {
            *out_drive = drive;
        }
    }
    return node;
}

/* The image of the chain of NODE whose name, or file name, is NAME. */
static BlkNode *
find_in_chain(BlkNode *node, const char *node_name, const char *filename, GError **error)
{
    for (BlkNode *at = blk_node_skip_filters(node); at;
         at = at->backing ? blk_node_skip_filters(at->backing->node) : NULL) {
        if ((node_name && strcmp(at->name, node_name) == 0) ||
            (filename && at->filename && strcmp(at->filename, filename) == 0)) {
            return at;
        }
    }
    g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND, "'%s' is not in the chain of images of '%s'",
                node_name ? node_name : filename, node->name);
    return NULL;
}

/* By "NAME-node" or, as a file name, "NAME". False with ERROR; OUT_NODE NULL: not given. */
static bool
arg_in_chain(const BlkControl *control, BlkNode *node, const char *name, BlkNode **out_node,
             GError **error)
{
    g_autofree char *node_key = g_strconcat(name, "-node", NULL);
    const char *node_name = blk_arg_string(control, node_key);
    const char *filename = blk_arg_string(control, name);

    *out_node = NULL;
    if (!node_name && !filename) {
        return true;
    }
    *out_node = find_in_chain(node, node_name, filename, error);
    return *out_node != NULL;
}

static JsonNode *
started(BlkControl *control, BlkTask *task)
{
    control->task = task;
    return blk_control_done(task != NULL);
}

static JsonNode *
block_stream(BlkControl *control, GError **error)
{
    BlkTaskOptions options;
    BlkNode *node, *base, *bottom = NULL;
    VitDrive *drive;

    node = arg_source(control, &drive, error);
    if (!node || !arg_task_options(control, drive, &options, error) ||
        !arg_in_chain(control, node, "base", &base, error)) {
        return NULL;
    }
    if (blk_arg_has(control, "bottom")) {
        bottom = find_in_chain(node, blk_arg_string(control, "bottom"), NULL, error);
        if (!bottom) {
            return NULL;
        }
        base = bottom->backing ? bottom->backing->node : NULL;
    }
    return started(control,
                   blk_stream_start(control->graph, node, base,
                                    blk_arg_string(control, "backing-file"), &options, error));
}

static JsonNode *
block_commit(BlkControl *control, GError **error)
{
    BlkTaskOptions options;
    BlkNode *node, *top, *base;
    VitDrive *drive;

    node = arg_source(control, &drive, error);
    if (!node || !arg_task_options(control, drive, &options, error) ||
        !arg_in_chain(control, node, "top", &top, error) ||
        !arg_in_chain(control, node, "base", &base, error)) {
        return NULL;
    }
    top = top ? top : blk_node_skip_filters(node);
    if (!base) {
        for (base = top; base->backing; base = blk_node_skip_filters(base->backing->node)) {
        }
    }
    if (base == top || !top->backing) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "cannot commit an image into itself");
        return NULL;
    }
    return started(control,
                   blk_commit_start(control->graph, node, top, base,
                                    blk_arg_string(control, "backing-file"), &options, error));
}

/* ---- mirror and backup ---- */

static BlkSync
arg_sync(const BlkControl *control)
{
    const char *text = blk_arg_string(control, "sync");

    return g_strcmp0(text, "top") == 0           ? BLK_SYNC_TOP
           : g_strcmp0(text, "none") == 0        ? BLK_SYNC_NONE
           : g_strcmp0(text, "incremental") == 0 ? BLK_SYNC_BITMAP
           : g_strcmp0(text, "bitmap") == 0      ? BLK_SYNC_BITMAP
                                                 : BLK_SYNC_FULL;
}

static bool
arg_sync_bitmap(BlkControl *control, BlkNode *node, BlkSync sync, BlkBitmap **out_bitmap,
                GError **error)
{
    const char *name = blk_arg_string(control, "bitmap");

    *out_bitmap = NULL;
    if ((sync == BLK_SYNC_BITMAP) != (name != NULL)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    name ? "A bitmap was given, but 'sync' is neither 'bitmap' nor 'incremental'"
                         : "must provide a valid bitmap name for '%s' sync mode",
                    blk_arg_string(control, "sync"));
        return false;
    }
    if (name) {
        *out_bitmap = blk_bitmap_find(blk_node_skip_filters(node), name);
        if (!*out_bitmap) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND, "Bitmap '%s' could not be found",
                        name);
        }
    }
    return !name || *out_bitmap;
}

static JsonNode *
start_mirror(BlkControl *control, BlkNode *source, VitDrive *drive, BlkNode *target,
             bool borrow_backing, GError **error)
{
    BlkMirrorOptions mirror = { .sync = arg_sync(control),
                                .granularity = (uint32_t)blk_arg_int(control, "granularity", 0),
                                .unmap = blk_arg_bool(control, "unmap", true) };
    const char *replaces = blk_arg_string(control, "replaces");
    BlkNode *image = blk_node_skip_filters(source);
    BlkTaskOptions options;

    mirror.write_blocking = g_strcmp0(blk_arg_string(control, "copy-mode"), "write-blocking") == 0;
    if (mirror.sync == BLK_SYNC_BITMAP) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "Sync mode '%s' not supported",
                    blk_arg_string(control, "sync"));
        return NULL;
    }
    if (replaces && !(mirror.replaces = blk_control_node(control, replaces, error))) {
        return NULL;
    }
    if (borrow_backing && mirror.sync == BLK_SYNC_TOP && image->backing) {
        mirror.new_backing = image->backing->node;
    } else if (borrow_backing && mirror.sync == BLK_SYNC_NONE) {
        mirror.new_backing = image;
    }
    if (!arg_task_options(control, drive, &options, error)) {
        return NULL;
    }
    return started(control,
                   blk_mirror_start(control->graph, source, target, &mirror, &options, error));
}

static JsonNode *
start_backup(BlkControl *control, BlkNode *source, VitDrive *drive, BlkNode *target, GError **error)
{
    BlkBackupOptions backup = { .sync = arg_sync(control),
                                .compress = blk_arg_bool(control, "compress", false) };
    const char *mode = blk_arg_string(control, "bitmap-mode");
    BlkTaskOptions options;

    backup.bitmap_mode = g_strcmp0(mode, "never") == 0    ? BLK_BITMAP_NEVER
                         : g_strcmp0(mode, "always") == 0 ? BLK_BITMAP_ALWAYS
                                                          : BLK_BITMAP_ON_SUCCESS;
    if (backup.compress && (!target->driver->format || !target->driver->format->write_compressed)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "Compression is not supported for this drive %s", target->name);
        return NULL;
    }
    if (!arg_sync_bitmap(control, source, backup.sync, &backup.bitmap, error) ||
        !arg_task_options(control, drive, &options, error)) {
        return NULL;
    }
    return started(control,
                   blk_backup_start(control->graph, source, target, &backup, &options, error));
}

static JsonNode *
blockdev_mirror(BlkControl *control, GError **error)
{
    VitDrive *drive;
    BlkNode *source = arg_source(control, &drive, error);
    BlkNode *target =
        source ? blk_control_node(control, blk_arg_string(control, "target"), error) : NULL;

    return target ? start_mirror(control, source, drive, target, false, error) : NULL;
}

static JsonNode *
blockdev_backup(BlkControl *control, GError **error)
{
    VitDrive *drive;
    BlkNode *source = arg_source(control, &drive, error);
    BlkNode *target =
        source ? blk_control_node(control, blk_arg_string(control, "target"), error) : NULL;

    return target ? start_backup(control, source, drive, target, error) : NULL;
}

/* ---- drive-mirror, drive-backup ---- */

static bool
create_target(BlkControl *control, BlkNode *source, const char *filename, const char *format,
              GError **error)
{
    g_autoptr(BlkOptions) options = blk_options_new();
    BlkNode *image = blk_node_skip_filters(source), *below = NULL;
    BlkSync sync = arg_sync(control);
    g_autofree char *size = g_strdup_printf("%" G_GUINT64_FORMAT, blk_node_get_len(source));

    if (sync == BLK_SYNC_TOP) {
        below = image->backing ? blk_node_skip_filters(image->backing->node) : NULL;
    } else if (sync == BLK_SYNC_NONE) {
        below = image;
    }
    blk_options_set(options, "size", size);
    if (below) {
        g_autofree char *backing = blk_path_as_seen_from(filename, below->filename);
        blk_options_set(options, "backing_file", backing);
        blk_options_set(options, "backing_fmt", below->driver->name);
    }
    return blk_create(control->graph, format, filename, options, error);
}

/* A reference to the node of the target file, without the images below it. */
static BlkNode *
make_target(BlkControl *control, BlkNode *source, GError **error)
{
    const char *filename = blk_arg_string(control, "target");
    const char *node_name = blk_arg_string(control, "node-name");
    const char *format = blk_arg_string(control, "format");
    bool existing = g_strcmp0(blk_arg_string(control, "mode"), "existing") == 0;
    g_autoptr(BlkOptions) options = blk_options_new();

    if (!existing) {
        format = format ? format : blk_node_skip_filters(source)->driver->name;
        if (!create_target(control, source, filename, format, error)) {
            return NULL;
        }
    }
    if (format) {
        const BlkDriver *driver = blk_graph_find_driver(control->graph, format);
        blk_options_set(options, "driver", format);
        if (driver && driver->format) {
            blk_options_set(options, "backing", "");
        }
    }
    if (node_name) {
        blk_options_set(options, "node-name", node_name);
    }
    blk_options_set(options, "discard", "unmap");
    return blk_open(control->graph, filename, options, error);
}

static JsonNode *
drive_mirror(BlkControl *control, GError **error)
{
    VitDrive *drive;
    BlkNode *source = arg_source(control, &drive, error);
    g_autoptr(BlkNode) target = source ? make_target(control, source, error) : NULL;

    return target ? start_mirror(control, source, drive, target, true, error) : NULL;
}

static JsonNode *
drive_backup(BlkControl *control, GError **error)
{
    VitDrive *drive;
    BlkNode *source = arg_source(control, &drive, error);
    g_autoptr(BlkNode) target = source ? make_target(control, source, error) : NULL;

    return target ? start_backup(control, source, drive, target, error) : NULL;
}

/* ---- blockdev-create ---- */

typedef struct Create {
    BlkTask task;
    char *driver, *filename;
    BlkOptions *options;
} Create;

static int
create_run(BlkTask *task, GError **error)
{
    Create *create = (Create *)task;

    task->len = 1;
    if (!blk_create(task->graph, create->driver, create->filename, create->options, error)) {
        return -EIO;
    }
    task->offset = 1;
    return 0;
}

static void
create_cleanup(BlkTask *task)
{
    Create *create = (Create *)task;

    g_free(create->driver);
    g_free(create->filename);
    blk_options_free(create->options);
}

static const BlkTaskType create_type = {
    .name = "create",
    .size = sizeof(Create),
    .run = create_run,
    .cleanup = create_cleanup,
};

/* "cluster-size" is "cluster_size" in the tables of the formats, except where it is not. */
static BlkOptions *
create_options(BlkControl *control, const char *driver, BlkOptions *given)
{
    const VitProp *props = blk_driver_create_options(control->graph, driver);
    BlkOptions *options = blk_options_new();
    const char *key;

    while ((key = blk_options_first_key(given))) {
        g_autofree char *own_key = g_strdup(key);
        if (!props || !vit_prop_find(props, key)) {
            g_strdelimit(own_key, "-", '_');
        }
        g_autofree char *value = blk_options_take(given, key);
        blk_options_set(options, own_key, value);
    }
    return options;
}

/* MORE (may be NULL) of DRIVER, FILE if it is not NULL. */
static char *
dup_description(const char *driver, JsonObject *more, const char *file)
{
    g_autoptr(JsonNode) root = json_node_new(JSON_NODE_OBJECT);
    JsonObject *object = json_object_new();
    g_autofree char *text = NULL;
    JsonObjectIter iter;
    const char *key;
    JsonNode *value;

    json_node_take_object(root, object);
    json_object_set_string_member(object, "driver", driver);
    if (file) {
        json_object_set_string_member(object, "file", file);
    }
    if (more) {
        json_object_iter_init(&iter, more);
        while (json_object_iter_next(&iter, &key, &value)) {
            json_object_set_member(object, key, json_node_copy(value));
        }
    }
    text = json_to_string(root, FALSE);
    return g_strconcat("json:", text, NULL);
}

/* The name of what is to be made: "filename" or "location" of a protocol, the node "file" of a
 * format. A local file goes by its own name, from which relative ones are meant. */
static char *
take_name(BlkControl *control, const char *driver, BlkOptions *options, GError **error)
{
    JsonObject *args = json_object_get_object_member(control->args, "options");
    g_autofree char *filename = blk_options_take(options, "filename");
    g_autofree char *file = blk_options_take(options, "file");
    g_autoptr(BlkOptions) location = blk_options_take_sub(options, "location");
    BlkNode *node;

    if (filename) {
        return g_steal_pointer(&filename);
    }
    if (location) {
        return dup_description(driver, json_object_get_object_member(args, "location"), NULL);
    }
    if (!file) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "Parameter '%s' is missing",
                    "file");
        return NULL;
    }
    node = blk_control_node(control, file, error);
    if (!node || node->driver == &blk_file_driver) {
        return node ? g_strdup(node->filename) : NULL;
    }
    return dup_description(driver, NULL, node->name);
}

/* A file by a protocol alone is a raw image. */
static const char *
format_of(BlkControl *control, const char *name)
{
    const BlkDriver *driver = blk_graph_find_driver(control->graph, name);

    return driver && driver->make_file ? "raw" : name;
}

static JsonNode *
blockdev_create(BlkControl *control, GError **error)
{
    const BlkTaskOptions task_options = { .id = blk_arg_string(control, "job-id"),
                                          .manual_dismiss = true };
    g_autoptr(BlkOptions) options =
        blk_options_from_object(json_object_get_object_member(control->args, "options"), error);
    g_autofree char *driver = options ? blk_options_take(options, "driver") : NULL;
    g_autofree char *filename = NULL;
    Create *create;

    if (options && !driver) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "Parameter '%s' is missing",
                    "driver");
    }
    filename = driver ? take_name(control, driver, options, error) : NULL;
    if (!filename) {
        return NULL;
    }
    create = blk_task_new(control->graph, &create_type, &task_options, error);
    if (!create) {
        return NULL;
    }
    create->driver = g_strdup(format_of(control, driver));
    create->filename = g_steal_pointer(&filename);
    create->options = create_options(control, create->driver, options);
    blk_task_start(&create->task);
    return blk_control_done(true);
}

/* ---- x-blockdev-amend ---- */

typedef struct AmendTask {
    BlkTask task;
    BlkNode *node;
    BlkOptions *options;
    bool force;
} AmendTask;

static int
amend_run(BlkTask *task, GError **error)
{
    AmendTask *amend = (AmendTask *)task;

    task->len = 1;
    if (!amend->node->driver->format->amend(amend->node, amend->options, amend->force, NULL, NULL,
                                            error)) {
        return -EIO;
    }
    task->offset = 1;
    return 0;
}

static void
amend_cleanup(BlkTask *task)
{
    AmendTask *amend = (AmendTask *)task;

    g_clear_pointer(&amend->node, blk_node_unref);
    g_clear_pointer(&amend->options, blk_options_free);
}

static const BlkTaskType amend_type = {
    .name = "amend",
    .size = sizeof(AmendTask),
    .run = amend_run,
    .cleanup = amend_cleanup,
};

static JsonNode *
blockdev_amend(BlkControl *control, GError **error)
{
    const BlkTaskOptions task_options = { .id = blk_arg_string(control, "job-id"),
                                          .manual_dismiss = true };
    g_autoptr(BlkOptions) options =
        blk_options_from_object(json_object_get_object_member(control->args, "options"), error);
    g_autofree char *driver = options ? blk_options_take(options, "driver") : NULL;
    BlkNode *node =
        options ? blk_control_node(control, blk_arg_string(control, "node-name"), error) : NULL;
    AmendTask *amend;

    if (!node) {
        return NULL;
    }
    if (g_strcmp0(driver, node->driver->name) != 0 || !node->driver->format ||
        !node->driver->format->amend) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "x-blockdev-amend: node '%s' is of driver '%s', which %s.", node->name,
                    node->driver->name,
                    g_strcmp0(driver, node->driver->name) == 0 ? "has nothing that can be changed"
                                                               : "is not the one that was named");
        return NULL;
    }
    amend = blk_task_new(control->graph, &amend_type, &task_options, error);
    if (!amend) {
        return NULL;
    }
    amend->node = blk_node_ref(node);
    amend->options = g_steal_pointer(&options);
    amend->force = blk_arg_bool(control, "force", false);
    blk_task_start(&amend->task);
    return blk_control_done(true);
}

const BlkControlCommand blk_control_start_commands[] = {
    { "block-stream", block_stream },
    { "block-commit", block_commit },
    { "blockdev-mirror", blockdev_mirror },
    { "blockdev-backup", blockdev_backup },
    { "drive-mirror", drive_mirror },
    { "drive-backup", drive_backup },
    { "blockdev-create", blockdev_create },
    { "x-blockdev-amend", blockdev_amend },
    { 0 },
};
