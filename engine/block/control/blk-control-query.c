/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* query-block, query-blockstats, query-named-block-nodes and the debugging dump of the graph.
 * Thread: the graph's lock held, outside of fibers. */

#include "blk-control-private.h"

#include "blk-backend.h"
#include "blk-info.h"
#include "blk-status.h"

#include <string.h>

static JsonObject *
describe_image(BlkNode *node, bool with_backing)
{
    JsonObject *image = blk_info_json(node, NULL, NULL);

    if (with_backing && node->backing) {
        json_object_set_object_member(
            image, "backing-image",
            describe_image(blk_node_skip_filters(node->backing->node), true));
    }
    return image;
}

static void
add_limits(JsonObject *object, const VitThrottleConfig *config, const char *group)
{
    static const char *const names[VIT_LIMITS] = { "bps",  "bps_rd",  "bps_wr",
                                                   "iops", "iops_rd", "iops_wr" };

    for (unsigned i = 0; i < VIT_LIMITS; i++) {
        const VitLimit *limit = config ? &config->limits[i] : NULL;
        json_object_set_int_member(object, names[i], limit ? (gint64)limit->rate : 0);
        if (limit && limit->max) {
            g_autofree char *max = g_strconcat(names[i], "_max", NULL);
            g_autofree char *length = g_strconcat(max, "_length", NULL);
            json_object_set_int_member(object, max, (gint64)limit->max);
            json_object_set_int_member(object, length, (gint64)MAX(limit->burst_s, 1));
        }
    }
    if (config && config->op_bytes) {
        json_object_set_int_member(object, "iops_size", (gint64)config->op_bytes);
    }
    if (group) {
        json_object_set_string_member(object, "group", group);
    }
}

static JsonArray *
describe_bitmaps(const BlkNode *node)
{
    JsonArray *array = json_array_new();

    for (unsigned i = 0; node->bitmaps && i < node->bitmaps->len; i++) {
        const BlkBitmap *bitmap = g_ptr_array_index(node->bitmaps, i);
        JsonObject *object;
        if (!bitmap->name) {
            continue;
        }
        object = json_object_new();
        json_object_set_string_member(object, "name", bitmap->name);
        json_object_set_boolean_member(object, "recording",
                                       bitmap->enabled && !bitmap->inconsistent);
        json_object_set_boolean_member(object, "busy", bitmap->busy > 0);
        json_object_set_boolean_member(object, "persistent", bitmap->persistent);
        if (bitmap->inconsistent) {
            json_object_set_boolean_member(object, "inconsistent", true);
        }
        json_object_set_int_member(object, "granularity", bitmap->granularity_bytes);
        json_object_set_int_member(
            object, "count",
            (gint64)MIN(bitmap->dirty_count * bitmap->granularity_bytes, bitmap->len_bytes));
        json_array_add_object_element(array, object);
    }
    return array;
}

/* BlockDeviceInfo. DRIVE may be NULL. */
static JsonObject *
describe_node(BlkNode *node, VitDrive *drive, bool flat)
{
    static const char *const detect_words[] = { "off", "on", "unmap" };
    JsonObject *object = json_object_new(), *cache = json_object_new();
    BlkNode *image = blk_node_skip_filters(node);
    const char *group = NULL;
    const VitThrottleConfig *limits = drive ? blk_drive_get_throttle(drive, &group) : NULL;
    JsonArray *bitmaps = describe_bitmaps(node);
    BlkFormatInfo format = { 0 };
    unsigned depth = 0;

    blk_node_get_format_info(image, &format);
    add_limits(object, limits, group);
    for (const BlkNode *at = image; at->backing; at = blk_node_skip_filters(at->backing->node)) {
        depth++;
    }
    json_object_set_int_member(object, "backing_file_depth", depth);
    if (image->backing_file) {
        json_object_set_string_member(object, "backing_file",
                                      image->backing_path ? image->backing_path
                                                          : image->backing_file);
    }
    json_object_set_int_member(object, "write_threshold", (gint64)node->write_threshold);
    json_object_set_string_member(object, "detect_zeroes", detect_words[node->detect_zeroes]);
    json_object_set_object_member(object, "image", describe_image(node, !flat));
    json_object_set_boolean_member(object, "ro", node->read_only);
    json_object_set_string_member(object, "node-name", node->name);
    json_object_set_string_member(object, "drv", node->driver->name);
    json_object_set_boolean_member(object, "encrypted", format.encrypted);
    json_object_set_boolean_member(cache, "no-flush", node->no_flush);
    json_object_set_boolean_member(cache, "direct", node->cache_direct);
    json_object_set_boolean_member(cache, "writeback", !drive || drive->enable_write_cache);
    json_object_set_object_member(object, "cache", cache);
    json_object_set_string_member(object, "file", node->filename ? node->filename : "");
    if (json_array_get_length(bitmaps) > 0) {
        json_object_set_array_member(object, "dirty-bitmaps", bitmaps);
    } else {
        json_array_unref(bitmaps);
    }
    return object;
}

static JsonNode *
query_named_block_nodes(BlkControl *control, GError **error)
{
    bool flat = blk_arg_bool(control, "flat", false);
    g_autoptr(GList) names = g_hash_table_get_keys(control->graph->nodes);
    JsonArray *array = json_array_new();

    names = g_list_sort(names, (GCompareFunc)strcmp);
    for (GList *at = names; at; at = at->next) {
        BlkNode *node = blk_graph_find_node(control->graph, at->data);
        json_array_add_object_element(array, describe_node(node, NULL, flat));
    }
    return blk_control_array(array);
}

static const char *
drive_user(BlkControl *control, VitDrive *drive)
{
    return control->host ? control->host->drive_user(control->host->opaque, drive) : NULL;
}

static JsonNode *
query_block(BlkControl *control, GError **error)
{
    JsonArray *array = json_array_new();

    for (unsigned i = 0; i < control->graph->drives->len; i++) {
        BlkBackend *backend = g_ptr_array_index(control->graph->drives, i);
        VitDrive *drive = &backend->drive;
        const char *user = drive_user(control, drive);
        JsonObject *object = json_object_new();
        BlkDriveInfo info;

        blk_drive_get_info(drive, &info);
        json_object_set_string_member(object, "io-status",
                                      backend->stopped_nospace ? "nospace"
                                      : info.stopped           ? "failed"
                                                               : "ok");
        json_object_set_string_member(object, "device", backend->unnamed ? "" : info.id);
        json_object_set_boolean_member(object, "locked", info.locked);
        json_object_set_boolean_member(object, "removable", info.removable);
        if (info.node) {
            json_object_set_object_member(object, "inserted",
                                          describe_node(info.node, drive, false));
        }
        if (user) {
            json_object_set_string_member(object, "qdev", user);
        }
        if (info.has_tray) {
            json_object_set_boolean_member(object, "tray_open", info.tray_open);
        }
        json_object_set_string_member(object, "type", "unknown");
        json_array_add_object_element(array, object);
    }
    return blk_control_array(array);
}

/* For people, who ask by way of the human monitor: the image of a drive and those below it. */
static JsonNode *
query_block_images(BlkControl *control, GError **error)
{
    VitDrive *drive =
        blk_graph_find_drive(control->graph, blk_arg_string(control, "device"), error);
    BlkNode *node = drive ? blk_drive_get_node(drive) : NULL;
    g_autoptr(GString) text = g_string_new(NULL);
    JsonObject *object;
    JsonNode *result;

    if (!drive) {
        return NULL;
    }
    while (node) {
        blk_info_text(text, node, NULL, NULL);
        node = node->backing ? blk_node_skip_filters(node->backing->node) : NULL;
    }
    object = json_object_new();
    json_object_set_string_member(object, "human-readable-text", text->str);
    result = json_node_new(JSON_NODE_OBJECT);
    json_node_take_object(result, object);
    return result;
}

/* ---- counters ---- */

static JsonArray *
describe_numbers(const uint64_t *numbers, unsigned count)
{
    JsonArray *array = json_array_sized_new(count);

    for (unsigned i = 0; i < count; i++) {
        json_array_add_int_element(array, (gint64)numbers[i]);
    }
    return array;
}

static void
add_histograms(JsonObject *object, BlkHistogram *const *histograms)
{
    static const char *const names[BLK_LATENCY_LAST] = {
        [BLK_LATENCY_READ] = "rd_latency_histogram",
        [BLK_LATENCY_WRITE] = "wr_latency_histogram",
        [BLK_LATENCY_FLUSH] = "flush_latency_histogram",
    };

    for (unsigned i = 0; i < BLK_LATENCY_LAST; i++) {
        const BlkHistogram *histogram = histograms[i];
        if (histogram) {
            JsonObject *shown = json_object_new();
            json_object_set_array_member(
                shown, "boundaries",
                describe_numbers(histogram->bounds_ns, histogram->bound_count));
            json_object_set_array_member(
                shown, "bins", describe_numbers(histogram->bins, histogram->bound_count + 1));
            json_object_set_object_member(object, names[i], shown);
        }
    }
}

static JsonObject *
describe_stats(const BlkBackend *backend, uint64_t highest)
{
    const BlkDriveStats *stats = &backend->stats;
    const BlkDriveConfig *config = &backend->config;
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        { "rd_bytes", stats->read_bytes },
        { "wr_bytes", stats->write_bytes },
        { "unmap_bytes", stats->discard_bytes },
        { "rd_operations", stats->read_count },
        { "wr_operations", stats->write_count },
        { "flush_operations", stats->flush_count },
        { "unmap_operations", stats->discard_count },
        { "rd_total_time_ns", stats->read_ns },
        { "wr_total_time_ns", stats->write_ns },
        { "flush_total_time_ns", stats->flush_ns },
        { "unmap_total_time_ns", stats->discard_ns },
        { "wr_highest_offset", highest },
        { "rd_merged", 0 },
        { "wr_merged", 0 },
        { "unmap_merged", 0 },
        { "failed_rd_operations", stats->failed_reads },
        { "failed_wr_operations", stats->failed_writes },
        { "failed_flush_operations", stats->failed_flushes },
        { "failed_unmap_operations", stats->failed_discards },
        { "invalid_rd_operations", stats->invalid_reads },
        { "invalid_wr_operations", stats->invalid_writes },
        { "invalid_flush_operations", 0 },
        { "invalid_unmap_operations", stats->invalid_discards },
    };
    JsonObject *object = json_object_new();

    for (unsigned i = 0; i < VIT_ARRAY_LEN(rows); i++) {
        json_object_set_int_member(object, rows[i].name, (gint64)rows[i].value);
    }
    if (stats->last_us) {
        json_object_set_int_member(object, "idle_time_ns",
                                   (g_get_monotonic_time() - stats->last_us) * 1000);
    }
    json_object_set_boolean_member(object, "account_invalid", !config->skip_invalid);
    json_object_set_boolean_member(object, "account_failed", !config->skip_failed);
    json_object_set_array_member(object, "timed_stats", json_array_new());
    add_histograms(object, backend->histograms);
    return object;
}

/* BlockStatsSpecific */
static JsonObject *
describe_counters(const BlkNode *node)
{
    JsonObject *object = json_object_new();
    BlkCounter counters[BLK_COUNTERS_MAX];
    unsigned count = node->driver->get_counters(node, counters);

    json_object_set_string_member(object, "driver", node->driver->name);
    for (unsigned i = 0; i < count; i++) {
        json_object_set_int_member(object, counters[i].name, (gint64)counters[i].value);
    }
    return object;
}

/* The counters of nodes: only how far they were written, and what their drivers count. */
static JsonObject *
describe_node_stats(const BlkNode *node, const BlkBackend *backend)
{
    /* nothing of a node is accounted for */
    const BlkBackend none = { .config = { .skip_invalid = true, .skip_failed = true } };
    JsonObject *object = json_object_new();

    if (node) {
        json_object_set_string_member(object, "node-name", node->name);
    }
    if (node && node->driver->get_counters) {
        json_object_set_object_member(object, "driver-specific", describe_counters(node));
    }
    backend = backend ? backend : &none;
    json_object_set_object_member(object, "stats",
                                  describe_stats(backend, node ? node->highest_offset : 0));
    if (node && node->file) {
        json_object_set_object_member(object, "parent",
                                      describe_node_stats(node->file->node, NULL));
    }
    if (node && node->backing) {
        json_object_set_object_member(object, "backing",
                                      describe_node_stats(node->backing->node, NULL));
    }
    return object;
}

static JsonNode *
query_blockstats(BlkControl *control, GError **error)
{
    JsonArray *array = json_array_new();

    if (blk_arg_bool(control, "query-nodes", false)) {
        g_autoptr(GList) names = g_hash_table_get_keys(control->graph->nodes);
        names = g_list_sort(names, (GCompareFunc)strcmp);
        for (GList *at = names; at; at = at->next) {
            json_array_add_object_element(
                array, describe_node_stats(blk_graph_find_node(control->graph, at->data), NULL));
        }
        return blk_control_array(array);
    }
    for (unsigned i = 0; i < control->graph->drives->len; i++) {
        BlkBackend *backend = g_ptr_array_index(control->graph->drives, i);
        const char *user = drive_user(control, &backend->drive);
        JsonObject *object = describe_node_stats(blk_drive_get_node(&backend->drive), backend);
        json_object_set_string_member(object, "device", backend->unnamed ? "" : backend->drive.id);
        if (user) {
            json_object_set_string_member(object, "qdev", user);
        }
        json_array_add_object_element(array, object);
    }
    return blk_control_array(array);
}

/* ---- the graph itself ---- */

static JsonArray *
perm_words(unsigned perm)
{
    static const char *const words[] = { "consistent-read", "write", "write-unchanged", "resize" };
    JsonArray *array = json_array_new();

    for (unsigned i = 0; i < VIT_ARRAY_LEN(words); i++) {
        if (perm >> i & 1) {
            json_array_add_string_element(array, words[i]);
        }
    }
    return array;
}

static gint64
graph_id(GPtrArray *ids, gpointer object)
{
    guint index;

    if (!g_ptr_array_find(ids, object, &index)) {
        index = ids->len;
        g_ptr_array_add(ids, object);
    }
    return (gint64)index + 1;
}

static void
add_graph_node(JsonArray *nodes, gint64 id, const char *type, const char *name)
{
    JsonObject *object = json_object_new();

    json_object_set_int_member(object, "id", id);
    json_object_set_string_member(object, "type", type);
    json_object_set_string_member(object, "name", name);
    json_array_add_object_element(nodes, object);
}

static void
add_graph_edge(JsonArray *edges, GPtrArray *ids, const BlkChild *edge)
{
    JsonObject *object = json_object_new();
    gpointer upper = edge->parent ? (gpointer)edge->parent : edge->opaque;

    json_object_set_int_member(object, "parent", graph_id(ids, upper));
    json_object_set_int_member(object, "child", graph_id(ids, edge->node));
    json_object_set_string_member(object, "name", edge->slot);
    json_object_set_array_member(object, "perm", perm_words(edge->perm));
    json_object_set_array_member(object, "shared-perm", perm_words(edge->shared));
    json_array_add_object_element(edges, object);
}

static JsonNode *
debug_graph(BlkControl *control, GError **error)
{
    JsonArray *nodes = json_array_new(), *edges = json_array_new();
    g_autoptr(GPtrArray) ids = g_ptr_array_new();
    JsonObject *object = json_object_new();
    JsonNode *result = json_node_new(JSON_NODE_OBJECT);
    GHashTableIter iter;
    gpointer value;

    for (unsigned i = 0; i < control->graph->drives->len; i++) {
        VitDrive *drive = g_ptr_array_index(control->graph->drives, i);
        add_graph_node(nodes, graph_id(ids, drive), "block-backend", drive->id);
    }
    for (unsigned i = 0; i < control->graph->tasks->len; i++) {
        BlkTask *task = g_ptr_array_index(control->graph->tasks, i);
        add_graph_node(nodes, graph_id(ids, task), "block-job", task->id);
    }
    g_hash_table_iter_init(&iter, control->graph->nodes);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        BlkNode *node = value;
        add_graph_node(nodes, graph_id(ids, node), "block-driver", node->name);
        for (unsigned i = 0; i < node->parents->len; i++) {
            add_graph_edge(edges, ids, g_ptr_array_index(node->parents, i));
        }
    }
    json_object_set_array_member(object, "nodes", nodes);
    json_object_set_array_member(object, "edges", edges);
    json_node_take_object(result, object);
    return result;
}

const BlkControlCommand blk_control_query_commands[] = {
    { "query-block", query_block },
    { "query-blockstats", query_blockstats },
    { "query-named-block-nodes", query_named_block_nodes },
    { "x-query-block-images", query_block_images },
    { "x-debug-query-block-graph", debug_graph },
    { 0 },
};
