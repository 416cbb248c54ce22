/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Both tellings of an image have the same facts; what a format alone knows (BlkFormatOps.describe)
 * is one JSON object, of which the text is a walk. */

#include "blk-info.h"

#include "blk-driver.h"
#include "blk-path.h"

#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <string.h>

char *
blk_size_text(uint64_t bytes)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    unsigned unit = 0;
    double value = (double)bytes;

    /* 999.5 and more would be printed with an exponent. */
    while (value >= 999.5 && unit + 1 < G_N_ELEMENTS(units)) {
        value /= 1024;
        unit++;
    }
    return g_strdup_printf("%.3g %s", value, units[unit]);
}

/* ---- for people ---- */

static void
add_value(GString *out, JsonNode *node)
{
    if (json_node_get_value_type(node) == G_TYPE_BOOLEAN) {
        g_string_append(out, json_node_get_boolean(node) ? "true\n" : "false\n");
    } else if (json_node_get_value_type(node) == G_TYPE_STRING) {
        g_string_append_printf(out, "%s\n", json_node_get_string(node));
    } else {
        g_string_append_printf(out, "%" G_GINT64_FORMAT "\n", json_node_get_int(node));
    }
}

static void add_object(GString *out, JsonObject *object, int depth);

static void
add_array(GString *out, JsonArray *array, int depth)
{
    for (guint i = 0; i < json_array_get_length(array); i++) {
        JsonNode *element = json_array_get_element(array, i);
        bool is_leaf = JSON_NODE_HOLDS_VALUE(element);
        g_string_append_printf(out, "%*s[%u]:%c", depth * 4, "", i, is_leaf ? ' ' : '\n');
        if (is_leaf) {
            add_value(out, element);
        } else {
            add_object(out, json_node_get_object(element), depth + 1);
        }
    }
}

static void
add_object(GString *out, JsonObject *object, int depth)
{
    g_autoptr(GList) keys = json_object_get_members(object);

    for (GList *at = keys; at; at = at->next) {
        JsonNode *node = json_object_get_member(object, at->data);
        g_autofree char *key = g_strdelimit(g_strdup(at->data), "-", ' ');
        g_string_append_printf(out, "%*s%s:%c", depth * 4, "", key,
                               JSON_NODE_HOLDS_VALUE(node) ? ' ' : '\n');
        if (JSON_NODE_HOLDS_OBJECT(node)) {
            add_object(out, json_node_get_object(node), depth + 1);
        } else if (JSON_NODE_HOLDS_ARRAY(node)) {
            add_array(out, json_node_get_array(node), depth + 1);
        } else {
            add_value(out, node);
        }
    }
}

static void
add_backing(GString *out, const BlkNodeInfo *info, const char *path)
{
    if (!info->backing_file) {
        return;
    }
    g_string_append_printf(out, "backing file: %s", info->backing_file);
    if (path && strcmp(path, info->backing_file) != 0) {
        g_string_append_printf(out, " (actual path: %s)", path);
    }
    g_string_append_c(out, '\n');
    if (info->backing_format) {
        g_string_append_printf(out, "backing file format: %s\n", info->backing_format);
    }
}

static char *
clock_text(uint64_t ns)
{
    uint64_t s = ns / 1000000000;

    return g_strdup_printf("%02" G_GUINT64_FORMAT ":%02d:%02d.%03d", s / 3600, (int)(s / 60 % 60),
                           (int)(s % 60), (int)(ns / 1000000 % 1000));
}

void
blk_snapshots_text(GString *out, const GPtrArray *snapshots)
{
    g_string_append_printf(out, "%-10s%-17s%8s%20s%13s%11s\n", "ID", "TAG", "VM SIZE", "DATE",
                           "VM CLOCK", "ICOUNT");
    for (unsigned i = 0; i < snapshots->len; i++) {
        const BlkSnapshot *snapshot = g_ptr_array_index(snapshots, i);
        g_autoptr(GDateTime) date = g_date_time_new_from_unix_local((gint64)snapshot->date_s);
        g_autofree char *text = date ? g_date_time_format(date, "%Y-%m-%d %H:%M:%S") : g_strdup("");
        g_autofree char *clock = clock_text(snapshot->vm_clock_ns);
        g_autofree char *size = blk_size_text(snapshot->vm_state_bytes);
        g_autofree char *icount = snapshot->icount == UINT64_MAX
                                      ? g_strdup("")
                                      : g_strdup_printf("%" G_GUINT64_FORMAT, snapshot->icount);
        g_string_append_printf(out, "%-9s %-16s %8s%20s%13s%11s\n", snapshot->id, snapshot->name,
                               size, text, clock, icount);
    }
}

/* A backing image that was not opened by its name has no path yet. NULL: none. */
static char *
backing_path_of(const BlkNodeInfo *info, const char *given)
{
    const char *known = given ? given : info->backing_path;

    return !info->backing_file ? NULL
           : known             ? g_strdup(known)
                               : blk_path_resolve(info->filename, info->backing_file, NULL);
}

void
blk_info_text(GString *out, BlkNode *node, const char *filename, const char *backing_path)
{
    g_autoptr(GPtrArray) snapshots = blk_node_list_snapshots(node);
    g_autoptr(JsonObject) specific = blk_node_describe(node);
    BlkFormatInfo format;
    BlkNodeInfo info;

    blk_node_get_info(node, &info);
    blk_node_get_format_info(node, &format);
    g_autofree char *len = blk_size_text(info.len_bytes);
    g_autofree char *allocated = info.allocated_bytes < 0
                                     ? g_strdup("unavailable")
                                     : blk_size_text((uint64_t)info.allocated_bytes);
    g_string_append_printf(out,
                           "image: %s\nfile format: %s\nvirtual size: %s (%" G_GUINT64_FORMAT
                           " bytes)\ndisk size: %s\n",
                           filename        ? filename
                           : info.filename ? info.filename
                                           : "",
                           info.driver, len, info.len_bytes, allocated);
    if (format.encrypted) {
        g_string_append(out, "encrypted: yes\n");
    }
    if (format.cluster_bytes) {
        g_string_append_printf(out, "cluster_size: %u\n", format.cluster_bytes);
    }
    if (format.dirty) {
        g_string_append(out, "cleanly shut down: no\n");
    }
    g_autofree char *path = backing_path_of(&info, backing_path);
    add_backing(out, &info, path);
    if (snapshots && snapshots->len > 0) {
        g_string_append(out, "Snapshot list:\n");
        blk_snapshots_text(out, snapshots);
    }
    if (specific) {
        g_string_append(out, "Format specific information:\n");
        add_object(out, specific, 1);
    }
}

/* ---- for programs ---- */

static void
set_string(JsonObject *object, const char *key, const char *value)
{
    if (value) {
        json_object_set_string_member(object, key, value);
    }
}

static JsonObject *
snapshot_json(const BlkSnapshot *snapshot)
{
    JsonObject *object = json_object_new();

    if (snapshot->icount != UINT64_MAX) {
        json_object_set_int_member(object, "icount", (gint64)snapshot->icount);
    }
    json_object_set_int_member(object, "vm-clock-nsec",
                               (gint64)(snapshot->vm_clock_ns % 1000000000));
    json_object_set_string_member(object, "name", snapshot->name);
    json_object_set_int_member(object, "date-sec", (gint64)snapshot->date_s);
    json_object_set_int_member(object, "date-nsec", snapshot->date_ns);
    json_object_set_int_member(object, "vm-clock-sec",
                               (gint64)(snapshot->vm_clock_ns / 1000000000));
    json_object_set_string_member(object, "id", snapshot->id);
    json_object_set_int_member(object, "vm-state-size", (gint64)snapshot->vm_state_bytes);
    return object;
}

static void
set_snapshots(JsonObject *object, BlkNode *node)
{
    g_autoptr(GPtrArray) snapshots = blk_node_list_snapshots(node);
    JsonArray *array;

    if (!snapshots || snapshots->len == 0) {
        return;
    }
    array = json_array_new();
    for (unsigned i = 0; i < snapshots->len; i++) {
        json_array_add_object_element(array, snapshot_json(g_ptr_array_index(snapshots, i)));
    }
    json_object_set_array_member(object, "snapshots", array);
}

JsonObject *
blk_info_json(BlkNode *node, const char *filename, const char *backing_path)
{
    JsonObject *object = json_object_new(), *data = blk_node_describe(node);
    BlkFormatInfo format;
    BlkNodeInfo info;

    blk_node_get_info(node, &info);
    blk_node_get_format_info(node, &format);
    filename = filename ? filename : info.filename;
    g_autofree char *path = backing_path_of(&info, backing_path);
    set_snapshots(object, node);
    set_string(object, "backing-filename-format", info.backing_file ? info.backing_format : NULL);
    json_object_set_int_member(object, "virtual-size", (gint64)info.len_bytes);
    json_object_set_string_member(object, "filename", filename ? filename : "");
    if (format.cluster_bytes) {
        json_object_set_int_member(object, "cluster-size", format.cluster_bytes);
    }
    json_object_set_string_member(object, "format", info.driver);
    if (info.allocated_bytes >= 0) {
        json_object_set_int_member(object, "actual-size", info.allocated_bytes);
    }
    if (format.encrypted) {
        json_object_set_boolean_member(object, "encrypted", TRUE);
    }
    if (data) {
        JsonObject *specific = json_object_new();
        json_object_set_string_member(specific, "type", info.driver);
        json_object_set_object_member(specific, "data", data);
        json_object_set_object_member(object, "format-specific", specific);
    }
    set_string(object, "full-backing-filename", path);
    set_string(object, "backing-filename", info.backing_file);
    json_object_set_boolean_member(object, "dirty-flag", format.dirty);
    return object;
}
