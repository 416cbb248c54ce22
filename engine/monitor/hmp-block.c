/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Human commands on images and jobs: each is one of the machine monitor's, with the arguments in
 * the order people are used to. Thread: device lock held. */

#include "hmp.h"

#include <json-glib/json-glib.h>
#include <string.h>

#include "vit-error.h"

/* Runs COMMAND with ARGS (taken) and prints its error. Ownership of the result: caller. */
static JsonNode *
run(HmpCall *call, const char *command, JsonObject *args)
{
    VitMonitors *monitors = call->monitors;
    GError *error = NULL;
    JsonNode *result = NULL;

    if (MON_HAVE(monitors, block, &error)) {
        result = monitors->ops->block(monitors->host, command, args, &error);
    }
    json_object_unref(args);
    hmp_error(call, error);
    return result;
}

static void
run_quietly(HmpCall *call, const char *command, JsonObject *args)
{
    JsonNode *result = run(call, command, args);

    g_clear_pointer(&result, json_node_unref);
}

/* Copies the text argument FROM, if it was given, as TO. */
static void
add_text(HmpCall *call, JsonObject *args, const char *from, const char *to)
{
    const char *text = hmp_text(call, from);

    if (text) {
        json_object_set_string_member(args, to, text);
    }
}

static void
add_number(HmpCall *call, JsonObject *args, const char *from, const char *to)
{
    if (hmp_value(call, from)->given) {
        json_object_set_int_member(args, to, hmp_number(call, from));
    }
}

/* 10G, 512k; a bare number counts mebibytes. */
static bool
parse_size(const char *text, int64_t *out_bytes)
{
    static const char suffixes[] = "bkmgtpe";
    char *end;
    double number = g_ascii_strtod(text, &end);
    const char *suffix = *end ? strchr(suffixes, g_ascii_tolower(*end)) : suffixes + 2;

    if (end == text || !suffix || (*end && end[1]) || number < 0) {
        return false;
    }
    for (const char *at = suffixes; at < suffix; at++) {
        number *= 1024;
    }
    *out_bytes = (int64_t)number;
    return number < 9e18;
}

void
hmp_block_resize(HmpCall *call)
{
    JsonObject *args;
    int64_t bytes;

    if (!parse_size(hmp_text(call, "size"), &bytes)) {
        hmp_print(call, "Error: '%s' is not a size: write 10G or 512M\n", hmp_text(call, "size"));
        return;
    }
    args = json_object_new();
    add_text(call, args, "device", "device");
    json_object_set_int_member(args, "size", bytes);
    run_quietly(call, "block_resize", args);
}

/* Six numbers in one piece: the table of commands has no room for more arguments. */
void
hmp_block_set_io_throttle(HmpCall *call)
{
    static const char *const names[] = { "bps", "bps_rd", "bps_wr", "iops", "iops_rd", "iops_wr" };
    g_auto(GStrv) words = g_strsplit_set(hmp_text(call, "limits"), " \t", -1);
    JsonObject *args = json_object_new();
    unsigned count = 0;

    for (char **word = words; *word; word++) {
        int64_t value;
        if (!**word) {
            continue;
        }
        if (count == G_N_ELEMENTS(names) ||
            !g_ascii_string_to_signed(*word, 10, 0, G_MAXINT64, &value, NULL)) {
            count = 0;
            break;
        }
        json_object_set_int_member(args, names[count++], value);
    }
    if (count != G_N_ELEMENTS(names)) {
        hmp_print(call, "Error: six numbers are needed: bps bps_rd bps_wr iops iops_rd iops_wr\n");
        json_object_unref(args);
        return;
    }
    add_text(call, args, "device", "device");
    run_quietly(call, "block_set_io_throttle", args);
}

void
hmp_block_stream(HmpCall *call)
{
    JsonObject *args = json_object_new();

    add_text(call, args, "device", "device");
    add_number(call, args, "speed", "speed");
    add_text(call, args, "base", "base");
    run_quietly(call, "block-stream", args);
}

static void
job_command(HmpCall *call, const char *command)
{
    JsonObject *args = json_object_new();

    add_text(call, args, "device", "device");
    add_number(call, args, "speed", "speed");
    if (hmp_flag(call, "f")) {
        json_object_set_boolean_member(args, "force", TRUE);
    }
    run_quietly(call, command, args);
}

void
hmp_block_job_cancel(HmpCall *call)
{
    job_command(call, "block-job-cancel");
}

void
hmp_block_job_complete(HmpCall *call)
{
    job_command(call, "block-job-complete");
}

void
hmp_block_job_pause(HmpCall *call)
{
    job_command(call, "block-job-pause");
}

void
hmp_block_job_resume(HmpCall *call)
{
    job_command(call, "block-job-resume");
}

void
hmp_block_job_set_speed(HmpCall *call)
{
    job_command(call, "block-job-set-speed");
}

/* -n: the target is there already; -f: all of the disk rather than its own image; -c: compress. */
static JsonObject *
copy_args(HmpCall *call)
{
    JsonObject *args = json_object_new();

    add_text(call, args, "device", "device");
    add_text(call, args, "target", "target");
    add_text(call, args, "format", "format");
    json_object_set_string_member(args, "sync", hmp_flag(call, "f") ? "full" : "top");
    json_object_set_string_member(args, "mode",
                                  hmp_flag(call, "n") ? "existing" : "absolute-paths");
    return args;
}

void
hmp_drive_mirror(HmpCall *call)
{
    run_quietly(call, "drive-mirror", copy_args(call));
}

void
hmp_drive_backup(HmpCall *call)
{
    JsonObject *args = copy_args(call);

    if (hmp_flag(call, "c")) {
        json_object_set_boolean_member(args, "compress", TRUE);
    }
    run_quietly(call, "drive-backup", args);
}

void
hmp_snapshot_blkdev(HmpCall *call)
{
    JsonObject *args;

    if (!hmp_text(call, "snapshot-file")) {
        hmp_print(call, "Error: Parameter 'snapshot-file' is missing\n");
        return;
    }
    args = json_object_new();
    add_text(call, args, "device", "device");
    add_text(call, args, "snapshot-file", "snapshot-file");
    add_text(call, args, "format", "format");
    json_object_set_string_member(args, "mode",
                                  hmp_flag(call, "n") ? "existing" : "absolute-paths");
    run_quietly(call, "blockdev-snapshot-sync", args);
}

void
hmp_snapshot_blkdev_internal(HmpCall *call)
{
    JsonObject *args = json_object_new();

    add_text(call, args, "device", "device");
    add_text(call, args, "name", "name");
    run_quietly(call, "blockdev-snapshot-internal-sync", args);
}

void
hmp_snapshot_delete_blkdev_internal(HmpCall *call)
{
    JsonObject *args = json_object_new();

    add_text(call, args, "device", "device");
    add_text(call, args, "name", "name");
    add_text(call, args, "id", "id");
    run_quietly(call, "blockdev-snapshot-delete-internal-sync", args);
}

/* ---- NBD server ---- */

/* HOST:PORT, or unix:PATH. */
static JsonObject *
server_address(const char *uri)
{
    JsonObject *address = json_object_new(), *data = json_object_new();
    const char *colon = strrchr(uri, ':');

    if (g_str_has_prefix(uri, "unix:")) {
        json_object_set_string_member(address, "type", "unix");
        json_object_set_string_member(data, "path", uri + strlen("unix:"));
    } else {
        g_autofree char *host = g_strndup(uri, colon ? (size_t)(colon - uri) : 0);
        json_object_set_string_member(address, "type", "inet");
        json_object_set_string_member(data, "host", host);
        json_object_set_string_member(data, "port", colon ? colon + 1 : uri);
    }
    json_object_set_object_member(address, "data", data);
    return address;
}

static void
export_drive(HmpCall *call, const char *device, const char *name)
{
    JsonObject *args = json_object_new();

    json_object_set_string_member(args, "device", device);
    if (name) {
        json_object_set_string_member(args, "name", name);
    }
    json_object_set_boolean_member(args, "writable", hmp_flag(call, "w"));
    run_quietly(call, "nbd-server-add", args);
}

/* -a: every drive with a medium is exported by its name. */
static void
export_all(HmpCall *call)
{
    g_autoptr(JsonNode) result = run(call, "query-block", json_object_new());
    JsonArray *drives = result ? json_node_get_array(result) : NULL;

    for (unsigned i = 0; drives && i < json_array_get_length(drives); i++) {
        JsonObject *drive = json_array_get_object_element(drives, i);
        if (json_object_has_member(drive, "inserted")) {
            export_drive(call, json_object_get_string_member(drive, "device"), NULL);
        }
    }
}

void
hmp_nbd_server_start(HmpCall *call)
{
    JsonObject *args;
    JsonNode *result;

    if (hmp_flag(call, "w") && !hmp_flag(call, "a")) {
        hmp_print(call, "Error: -w only valid together with -a\n");
        return;
    }
    args = json_object_new();
    json_object_set_object_member(args, "addr", server_address(hmp_text(call, "uri")));
    result = run(call, "nbd-server-start", args);
    if (result && hmp_flag(call, "a")) {
        export_all(call);
    }
    g_clear_pointer(&result, json_node_unref);
}

void
hmp_nbd_server_add(HmpCall *call)
{
    export_drive(call, hmp_text(call, "device"), hmp_text(call, "name"));
}

void
hmp_nbd_server_remove(HmpCall *call)
{
    JsonObject *args = json_object_new();

    add_text(call, args, "name", "name");
    json_object_set_string_member(args, "mode", hmp_flag(call, "f") ? "hard" : "safe");
    run_quietly(call, "nbd-server-remove", args);
}

void
hmp_nbd_server_stop(HmpCall *call)
{
    run_quietly(call, "nbd-server-stop", json_object_new());
}

/* ---- info ---- */

void
hmp_info_block_jobs(HmpCall *call)
{
    g_autoptr(JsonNode) result = run(call, "query-block-jobs", json_object_new());
    JsonArray *jobs = result ? json_node_get_array(result) : NULL;

    if (jobs && json_array_get_length(jobs) == 0) {
        hmp_print(call, "No active jobs\n");
    }
    for (unsigned i = 0; jobs && i < json_array_get_length(jobs); i++) {
        JsonObject *job = json_array_get_object_element(jobs, i);
        const char *type = json_object_get_string_member(job, "type");
        hmp_print(call,
                  "%s: Type %s, device %s: Completed %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT
                  " bytes, speed limit %" G_GINT64_FORMAT " bytes/s\n",
                  json_object_get_string_member(job, "device"), type,
                  json_object_get_string_member(job, "device"),
                  json_object_get_int_member(job, "offset"), json_object_get_int_member(job, "len"),
                  json_object_get_int_member(job, "speed"));
    }
}

void
hmp_info_blockstats(HmpCall *call)
{
    static const char *const names[] = { "rd_bytes",         "wr_bytes",
                                         "rd_operations",    "wr_operations",
                                         "flush_operations", "wr_total_time_ns",
                                         "rd_total_time_ns", "flush_total_time_ns",
                                         "rd_merged",        "wr_merged" };
    g_autoptr(JsonNode) result = run(call, "query-blockstats", json_object_new());
    JsonArray *drives = result ? json_node_get_array(result) : NULL;

    for (unsigned i = 0; drives && i < json_array_get_length(drives); i++) {
        JsonObject *drive = json_array_get_object_element(drives, i);
        JsonObject *stats = json_object_get_object_member(drive, "stats");
        hmp_print(call, "%s:", json_object_get_string_member(drive, "device"));
        for (unsigned name = 0; name < G_N_ELEMENTS(names); name++) {
            hmp_print(call, " %s=%" G_GINT64_FORMAT, names[name],
                      json_object_get_int_member(stats, names[name]));
        }
        hmp_print(call, "\n");
    }
}

/* Nothing when nothing is limited. */
static void
print_limits(HmpCall *call, JsonObject *medium)
{
    static const char *const names[] = { "bps",        "bps_rd",     "bps_wr",      "bps_max",
                                         "bps_rd_max", "bps_wr_max", "iops",        "iops_rd",
                                         "iops_wr",    "iops_max",   "iops_rd_max", "iops_wr_max",
                                         "iops_size" };
    g_autoptr(GString) line = g_string_new(NULL);
    bool is_limited = false;

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        gint64 value = json_object_get_int_member_with_default(medium, names[i], 0);
        is_limited |= value != 0;
        g_string_append_printf(line, " %s=%" G_GINT64_FORMAT, names[i], value);
    }
    if (is_limited) {
        hmp_print(call, "    I/O throttling:  %s group=%s\n", line->str,
                  json_object_get_string_member_with_default(medium, "group", ""));
    }
}

/* What query-block or query-named-block-nodes says of a node beyond its name and cache. */
static void
print_node(HmpCall *call, JsonObject *node)
{
    const char *detect = json_object_get_string_member(node, "detect_zeroes");

    if (json_object_has_member(node, "backing_file")) {
        hmp_print(call, "    Backing file:     %s (chain depth: %" G_GINT64_FORMAT ")\n",
                  json_object_get_string_member(node, "backing_file"),
                  json_object_get_int_member(node, "backing_file_depth"));
    }
    if (strcmp(detect, "off") != 0) {
        hmp_print(call, "    Detect zeroes:    %s\n", detect);
    }
    print_limits(call, node);
}

static void
print_images(HmpCall *call, const char *drive)
{
    JsonObject *args = json_object_new();
    JsonNode *result;

    json_object_set_string_member(args, "device", drive);
    result = run(call, "x-query-block-images", args);
    if (result) {
        hmp_print(call, "\nImages:\n%s",
                  json_object_get_string_member_with_default(json_node_get_object(result),
                                                             "human-readable-text", ""));
        json_node_unref(result);
    }
}

void
hmp_print_medium(HmpCall *call, const char *drive, bool with_images)
{
    g_autoptr(JsonNode) result = run(call, "query-block", json_object_new());
    JsonArray *drives = result ? json_node_get_array(result) : NULL;

    for (unsigned i = 0; drives && i < json_array_get_length(drives); i++) {
        JsonObject *object = json_array_get_object_element(drives, i);
        if (strcmp(json_object_get_string_member(object, "device"), drive) == 0 &&
            json_object_has_member(object, "inserted")) {
            print_node(call, json_object_get_object_member(object, "inserted"));
        }
    }
    if (with_images) {
        print_images(call, drive);
    }
}

void
hmp_print_nodes(HmpCall *call)
{
    g_autoptr(JsonNode) result = run(call, "query-named-block-nodes", json_object_new());
    JsonArray *nodes = result ? json_node_get_array(result) : NULL;

    for (unsigned i = 0; nodes && i < json_array_get_length(nodes); i++) {
        JsonObject *node = json_array_get_object_element(nodes, i);
        JsonObject *cache = json_object_get_object_member(node, "cache");
        hmp_print(call, "%s%s: %s (%s%s)\n    Cache mode:       writeback%s%s\n", i ? "\n" : "",
                  json_object_get_string_member(node, "node-name"),
                  json_object_get_string_member(node, "file"),
                  json_object_get_string_member(node, "drv"),
                  json_object_get_boolean_member(node, "ro") ? ", read-only" : "",
                  json_object_get_boolean_member(cache, "direct") ? ", direct" : "",
                  json_object_get_boolean_member(cache, "no-flush") ? ", ignore flushes" : "");
        print_node(call, node);
    }
}
