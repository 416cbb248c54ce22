/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Commands of the machine monitor on images and jobs, on qcow2 files that qemu-img, where it is
 * installed, then examines. */

#include "block-test.h"

#include "blk-histogram.h"
#include "control/blk-control.h"
#include "vit-error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LEN = 4 << 20 };

typedef struct Desk {
    BlkDriveEvents events;
    BlockTest test;
    VitDrive *drive;
    GString *log;
    GString *quorum; /* events of quorums with their data */
} Desk;

static void
note_event(void *opaque, const char *name, const char *data)
{
    Desk *desk = opaque;

    g_test_message("%s %s", name, data);
    if (!g_str_has_prefix(name, "JOB_")) {
        g_string_append_printf(desk->log, "%s ", name);
    }
    if (g_str_has_prefix(name, "QUORUM_")) {
        g_string_append_printf(desk->quorum, "%s %s\n", name, data);
    }
}

/* Runs COMMAND with ARGS, in which $D is the folder. Ownership: caller. */
static JsonNode *
command(Desk *desk, const char *name, const char *args, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(args ? args : "{}", "$D", -1);
    g_autofree char *text = g_strjoinv(desk->test.dir, parts);
    g_strdelimit(text, "'", '"');
    g_autoptr(GError) parse_error = NULL;
    g_autoptr(JsonNode) node = json_from_string(text, &parse_error);

    g_assert_no_error(parse_error);
    return blk_control_run(desk->test.graph, NULL, name, json_node_get_object(node), error);
}

static JsonNode *
run(Desk *desk, const char *name, const char *args)
{
    g_autoptr(GError) error = NULL;
    JsonNode *result = command(desk, name, args, &error);

    if (error) {
        g_error("%s %s: %s", name, args ? args : "", error->message);
    }
    return result;
}

static void
ok(Desk *desk, const char *name, const char *args)
{
    json_node_unref(run(desk, name, args));
}

static void
refused(Desk *desk, const char *name, const char *args, const char *words)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(command(desk, name, args, &error));
    if (!strstr(error->message, words)) {
        g_error("%s: \"%s\" does not say \"%s\"", name, error->message, words);
    }
}

/* Polls until no job is left. */
static void
wait_jobs(Desk *desk)
{
    for (unsigned i = 0; i < 10000; i++) {
        g_autoptr(JsonNode) jobs = run(desk, "query-jobs", NULL);
        if (json_array_get_length(json_node_get_array(jobs)) == 0) {
            return;
        }
        blk_graph_poll(desk->test.graph, 10);
    }
    g_assert_not_reached();
}

static void
wait_event(Desk *desk, const char *name)
{
    for (unsigned i = 0; !strstr(desk->log->str, name); i++) {
        g_assert_cmpuint(i, <, 10000);
        blk_graph_poll(desk->test.graph, 10);
    }
}

static void
write_byte(Desk *desk, uint64_t offset, uint8_t byte)
{
    uint8_t data[4096];

    memset(data, byte, sizeof(data));
    g_assert_cmpint(block_test_drive_write(&desk->test, desk->drive, offset, data, 4096), ==, 0);
}

static uint8_t
byte_at(Desk *desk, uint64_t offset)
{
    uint8_t data[512];

    g_assert_cmpint(block_test_drive_read(&desk->test, desk->drive, offset, data, 512), ==, 0);
    return data[0];
}

static void
set_up(Desk *desk)
{
    const BlkDriveConfig config = { 0 };
    g_autoptr(GError) error = NULL;

    memset(desk, 0, sizeof(*desk));
    desk->log = g_string_new(NULL);
    desk->quorum = g_string_new(NULL);
    block_test_init(&desk->test);
    desk->events = (BlkDriveEvents){ .event = note_event };
    blk_graph_set_events(desk->test.graph, &desk->events, desk);
    g_autofree char *path = block_test_path(&desk->test, "disk");
    g_autoptr(BlkOptions) options = block_test_options("size=4M");
    g_assert_true(blk_create(desk->test.graph, "qcow2", path, options, &error));
    g_autoptr(BlkNode) node = block_test_open(&desk->test, path, "driver=qcow2,node-name=disk");
    desk->drive = blk_drive_new(desk->test.graph, "d0", &config, node, &error);
    g_assert_no_error(error);
    write_byte(desk, 0, 1);
    write_byte(desk, 1 << 20, 1);
}

static void
finish(Desk *desk)
{
    g_clear_pointer(&desk->drive, blk_drive_free);
    block_test_finish(&desk->test);
    g_string_free(desk->log, TRUE);
    g_string_free(desk->quorum, TRUE);
}

/* qemu-img finds nothing wrong with NAME. */
static void
judge(Desk *desk, const char *name)
{
    g_autofree char *path = block_test_path(&desk->test, name);
    g_autofree char *line = g_strdup_printf("qemu-img check -q -U -f qcow2 %s", path);
    int status = 0;

    if (test_has_program("qemu-img")) {
        g_assert_true(g_spawn_command_line_sync(line, NULL, NULL, &status, NULL));
        g_assert_cmpint(status, ==, 0);
    }
}

/* A chain made by snapshots, then shortened from both ends. */
static void
test_snapshots(void)
{
    Desk desk;

    set_up(&desk);
    ok(&desk, "blockdev-snapshot-sync",
       "{'device': 'd0', 'snapshot-file': '$D/s1', 'snapshot-node-name': 's1'}");
    write_byte(&desk, 0, 2);
    ok(&desk, "blockdev-add", "{'driver': 'null-co', 'node-name': 'nothing', 'size': 65536}");
    refused(&desk, "blockdev-snapshot", "{'node': 's1', 'overlay': 'nothing'}", "without backing");
    ok(&desk, "blockdev-del", "{'node-name': 'nothing'}");
    refused(&desk, "blockdev-del", "{'node-name': 'nothing'}", "nothing");
    ok(&desk, "blockdev-snapshot-sync",
       "{'node-name': 's1', 'snapshot-file': '$D/s2', 'snapshot-node-name': 's2'}");
    write_byte(&desk, 4096, 3);
    g_assert_cmpuint(byte_at(&desk, 0), ==, 2);
    g_assert_cmpuint(byte_at(&desk, 4096), ==, 3);
    g_assert_cmpuint(byte_at(&desk, 1 << 20), ==, 1);
    /* the middle into the base */
    ok(&desk, "block-commit", "{'device': 'd0', 'top-node': 's1', 'base-node': 'disk'}");
    wait_jobs(&desk);
    g_assert_null(blk_graph_find_node(desk.test.graph, "s1"));
    g_assert_cmpuint(byte_at(&desk, 0), ==, 2);
    /* the base into the top */
    ok(&desk, "block-stream", "{'device': 'd0', 'job-id': 'pull'}");
    wait_jobs(&desk);
    g_assert_null(blk_graph_find_node(desk.test.graph, "disk"));
    g_assert_cmpuint(byte_at(&desk, 0), ==, 2);
    g_assert_cmpuint(byte_at(&desk, 1 << 20), ==, 1);
    g_assert_cmpstr(desk.log->str, ==, "BLOCK_JOB_COMPLETED BLOCK_JOB_COMPLETED ");
    g_clear_pointer(&desk.drive, blk_drive_free);
    judge(&desk, "disk");
    judge(&desk, "s2");
    finish(&desk);
}

static void
test_mirror(void)
{
    Desk desk;

    set_up(&desk);
    ok(&desk, "drive-mirror",
       "{'device': 'd0', 'target': '$D/copy', 'sync': 'full', 'node-name': 'copy'}");
    wait_event(&desk, "BLOCK_JOB_READY");
    write_byte(&desk, 8192, 7);
    refused(&desk, "block-job-dismiss", "{'id': 'd0'}", "cannot accept");
    ok(&desk, "block-job-complete", "{'device': 'd0'}");
    wait_jobs(&desk);
    g_assert_cmpuint(byte_at(&desk, 8192), ==, 7);
    g_assert_true(blk_drive_get_node(desk.drive) == blk_graph_find_node(desk.test.graph, "copy"));
    g_clear_pointer(&desk.drive, blk_drive_free);
    judge(&desk, "copy");
    finish(&desk);
}

static void
test_bitmaps(void)
{
    Desk desk;

    set_up(&desk);
    ok(&desk, "block-dirty-bitmap-add", "{'node': 'disk', 'name': 'b', 'granularity': 4096}");
    refused(&desk, "block-dirty-bitmap-add", "{'node': 'disk', 'name': 'b'}", "already");
    refused(&desk, "block-dirty-bitmap-add", "{'node': 'disk', 'name': 'c', 'granularity': 3}",
            "ranularity");
    /* a full backup and a clean bitmap at the same moment */
    ok(&desk, "transaction",
       "{'actions': [{'type': 'block-dirty-bitmap-clear', 'data': {'node': 'disk', 'name': 'b'}},"
       "{'type': 'drive-backup', 'data': {'device': 'd0', 'target': '$D/copy', 'sync': 'full', "
       "'job-id': 'full'}}]}");
    wait_jobs(&desk);
    write_byte(&desk, 4096, 9);
    ok(&desk, "blockdev-add",
       "{'driver': 'qcow2', 'node-name': 'copy', 'file': {'driver': 'file', 'filename': "
       "'$D/copy'}}");
    ok(&desk, "blockdev-backup",
       "{'device': 'disk', 'target': 'copy', 'sync': 'incremental', 'bitmap': 'b', 'job-id': "
       "'more'}");
    wait_jobs(&desk);
    ok(&desk, "blockdev-del", "{'node-name': 'copy'}");
    g_autofree char *path = block_test_path(&desk.test, "copy");
    g_autoptr(BlkNode) copy = block_test_open(&desk.test, path, "driver=qcow2,read-only=on");
    g_autoptr(BlkImage) image = blk_image_new(copy, false, NULL);
    uint8_t byte;
    g_assert_cmpint(blk_image_read(image, 4096, &byte, 1), ==, 0);
    g_assert_cmpuint(byte, ==, 9);
    g_assert_cmpint(blk_image_read(image, 0, &byte, 1), ==, 0);
    g_assert_cmpuint(byte, ==, 1);
    g_clear_pointer(&image, blk_image_free);
    g_clear_pointer(&copy, blk_node_unref);
    judge(&desk, "copy");
    ok(&desk, "block-dirty-bitmap-remove", "{'node': 'disk', 'name': 'b'}");
    refused(&desk, "block-dirty-bitmap-remove", "{'node': 'disk', 'name': 'b'}", "not found");
    finish(&desk);
}

/* All or none. */
static void
test_transaction(void)
{
    Desk desk;

    set_up(&desk);
    ok(&desk, "block-dirty-bitmap-add", "{'node': 'disk', 'name': 'b', 'granularity': 4096}");
    write_byte(&desk, 0, 4);
    refused(&desk, "transaction",
            "{'actions': ["
            "{'type': 'block-dirty-bitmap-clear', 'data': {'node': 'disk', 'name': 'b'}},"
            "{'type': 'block-dirty-bitmap-add', 'data': {'node': 'disk', 'name': 'n'}},"
            "{'type': 'drive-backup', 'data': {'device': 'd0', 'target': '$D/copy', 'sync': "
            "'full'}},"
            "{'type': 'blockdev-snapshot-sync', 'data': {'device': 'd0', 'snapshot-file': '$D/s'}},"
            "{'type': 'abort', 'data': {}}]}",
            "aborted");
    /* a backup that was not begun has copied nothing */
    refused(&desk, "transaction",
            "{'actions': [{'type': 'drive-backup', 'data': {'device': 'd0', 'target': '$D/more', "
            "'sync': 'incremental', 'bitmap': 'b'}}, {'type': 'abort', 'data': {}}]}",
            "aborted");
    g_assert_true(blk_drive_get_node(desk.drive) == blk_graph_find_node(desk.test.graph, "disk"));
    write_byte(&desk, 8192, 4);
    g_autoptr(JsonNode) nodes = run(&desk, "query-named-block-nodes", NULL);
    g_autofree char *text = json_to_string(nodes, FALSE);
    g_assert_nonnull(strstr(text, "\"count\":8192"));
    g_assert_null(strstr(text, "\"name\":\"n\""));
    wait_jobs(&desk);
    ok(&desk, "transaction",
       "{'actions': [{'type': 'blockdev-snapshot-sync', 'data': {'device': 'd0', 'snapshot-file': "
       "'$D/s', 'snapshot-node-name': 'snap'}}]}");
    g_assert_true(blk_drive_get_node(desk.drive) == blk_graph_find_node(desk.test.graph, "snap"));
    write_byte(&desk, 0, 5);
    g_clear_pointer(&desk.drive, blk_drive_free);
    judge(&desk, "s");
    judge(&desk, "disk");
    finish(&desk);
}

static void
test_nodes(void)
{
    Desk desk;

    set_up(&desk);
    ok(&desk, "block_resize", "{'device': 'd0', 'size': 8388608}");
    g_assert_cmpuint(desk.drive->ops->get_len(desk.drive), ==, 8 << 20);
    ok(&desk, "block_set_io_throttle",
       "{'device': 'd0', 'bps': 0, 'bps_rd': 0, 'bps_wr': 0, 'iops': 100, 'iops_rd': 0, 'iops_wr': "
       "0, 'iops_max': 200}");
    g_autoptr(JsonNode) drives = run(&desk, "query-block", NULL);
    g_autofree char *text = json_to_string(drives, FALSE);
    g_assert_nonnull(strstr(text, "\"iops\":100"));
    g_assert_nonnull(strstr(text, "\"iops_max\":200"));
    g_assert_nonnull(strstr(text, "\"group\":\"d0\""));
    ok(&desk, "block_set_io_throttle",
       "{'device': 'd0', 'bps': 0, 'bps_rd': 0, 'bps_wr': 0, 'iops': 0, 'iops_rd': 0, 'iops_wr': "
       "0}");
    ok(&desk, "block-set-write-threshold", "{'node-name': 'disk', 'write-threshold': 2097152}");
    write_byte(&desk, 1 << 20, 1);
    g_assert_cmpstr(desk.log->str, ==, "");
    write_byte(&desk, 3 << 20, 1);
    g_assert_cmpstr(desk.log->str, ==, "BLOCK_WRITE_THRESHOLD ");
    ok(&desk, "blockdev-reopen",
       "{'options': [{'driver': 'qcow2', 'node-name': 'disk', 'discard': 'unmap'}]}");
    ok(&desk, "blockdev-reopen",
       "{'options': [{'driver': 'qcow2', 'node-name': 'disk', 'lazy-refcounts': true, "
       "'l2-cache-size': 65536, 'refcount-cache-size': 262144, 'l2-cache-entry-size': 4096, "
       "'overlap-check': 'all', 'cache-clean-interval': 5, 'pass-discard-other': true}]}");
    write_byte(&desk, 2 << 20, 1);
    refused(&desk, "blockdev-reopen",
            "{'options': [{'driver': 'qcow2', 'node-name': 'disk', 'cache-size': 65536, "
            "'l2-cache-size': 131072}]}",
            "l2-cache-size");
    refused(&desk, "blockdev-reopen",
            "{'options': [{'driver': 'qcow2', 'node-name': 'disk', 'encrypt.format': 'luks'}]}",
            "encrypt.format");
    write_byte(&desk, 2 << 20, 2);
    ok(&desk, "blockdev-reopen",
       "{'options': [{'driver': 'qcow2', 'node-name': 'disk', 'overlap-check.template': 'none'}]}");
    write_byte(&desk, 2 << 20, 3);
    refused(&desk, "blockdev-reopen",
            "{'options': [{'driver': 'qcow2', 'node-name': 'disk', 'read-only': true}]}",
            "read-only");
    refused(&desk, "blockdev-reopen", "{'options': [{'driver': 'raw', 'node-name': 'disk'}]}",
            "driver");
    ok(&desk, "blockdev-create",
       "{'job-id': 'make', 'options': {'driver': 'qcow2', 'filename': '$D/new', 'size': 1048576, "
       "'cluster-size': 4096}}");
    wait_event(&desk, "BLOCK_JOB_COMPLETED");
    ok(&desk, "job-dismiss", "{'id': 'make'}");
    judge(&desk, "new");
    g_autoptr(JsonNode) stats = run(&desk, "query-blockstats", NULL);
    g_autofree char *stats_text = json_to_string(stats, FALSE);
    g_assert_nonnull(strstr(stats_text, "\"wr_operations\":7"));
    g_autoptr(JsonNode) graph = run(&desk, "x-debug-query-block-graph", NULL);
    g_assert_nonnull(graph);
    finish(&desk);
}

static void
test_internal_snapshots(void)
{
    Desk desk;

    set_up(&desk);
    ok(&desk, "blockdev-snapshot-internal-sync", "{'device': 'd0', 'name': 'one'}");
    refused(&desk, "blockdev-snapshot-internal-sync", "{'device': 'd0', 'name': 'one'}",
            "already exists");
    write_byte(&desk, 0, 8);
    ok(&desk, "blockdev-snapshot-delete-internal-sync", "{'device': 'd0', 'name': 'one'}");
    refused(&desk, "blockdev-snapshot-delete-internal-sync", "{'device': 'd0', 'name': 'one'}",
            "does not exist");
    g_clear_pointer(&desk.drive, blk_drive_free);
    judge(&desk, "disk");
    finish(&desk);
}

/* "commit" of the human monitor: what the image has goes into its backing image. */
static void
test_commit_now(void)
{
    g_autoptr(GError) error = NULL;
    Desk desk;

    set_up(&desk);
    ok(&desk, "blockdev-snapshot-sync", "{'device': 'd0', 'snapshot-file': '$D/s'}");
    write_byte(&desk, 0, 6);
    g_assert_true(blk_drive_commit(desk.drive, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(byte_at(&desk, 0), ==, 6);
    g_clear_pointer(&desk.drive, blk_drive_free);
    judge(&desk, "s");
    judge(&desk, "disk");
    g_autofree char *path = block_test_path(&desk.test, "disk");
    g_autoptr(BlkNode) base = block_test_open(&desk.test, path, "driver=qcow2,read-only=on");
    g_autoptr(BlkImage) image = blk_image_new(base, false, NULL);
    uint8_t byte;
    g_assert_cmpint(blk_image_read(image, 0, &byte, 1), ==, 0);
    g_assert_cmpuint(byte, ==, 6);
    g_clear_pointer(&image, blk_image_free);
    g_clear_pointer(&base, blk_node_unref);
    finish(&desk);
}

/* What queries say of the quorum "q" of leg1, leg2 and leg0, which its name opens again. */
static void
show_quorum(Desk *desk)
{
    g_autoptr(JsonNode) nodes = run(desk, "query-named-block-nodes", NULL);
    JsonArray *array = json_node_get_array(nodes);
    JsonObject *image = NULL;

    for (unsigned i = 0; i < json_array_get_length(array); i++) {
        JsonObject *object = json_array_get_object_element(array, i);
        if (strcmp(json_object_get_string_member(object, "node-name"), "q") == 0) {
            image = json_object_get_object_member(object, "image");
        }
    }
    g_assert_cmpstr(json_object_get_string_member(image, "format"), ==, "quorum");
    g_assert_cmpint(json_object_get_int_member(image, "virtual-size"), ==, 65536);
    g_assert_cmpint(json_object_get_int_member(image, "actual-size"), >=, 3 * 4096);
    g_autofree char *name = g_strdup(json_object_get_string_member(image, "filename"));
    g_assert_true(g_str_has_prefix(name, "json:{\"driver\":\"quorum\",\"children\":[{"));
    g_assert_nonnull(strstr(name, "\"vote-threshold\":2}"));
    const char *one = strstr(name, "leg1\""), *two = strstr(name, "leg2\"");
    g_assert_true(one && two && one < two && two < strstr(name, "leg0\""));
    g_autoptr(BlkOptions) read_only = block_test_options("read-only=on");
    g_autoptr(GError) error = NULL;
    g_autoptr(BlkNode) again = blk_open(desk->test.graph, name, read_only, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(blk_node_get_len(again), ==, 65536);
}

/* Three equal images of 64 KiB as nodes of DRIVER: leg0, leg1, leg2. */
static void
add_legs(Desk *desk, const char *driver)
{
    for (unsigned i = 0; i < 3; i++) {
        g_autofree char *name = g_strdup_printf("leg%u", i);
        g_autofree char *path = block_test_path(&desk->test, name);
        g_autofree char *args = g_strdup_printf(
            "{'driver': '%s', 'node-name': '%s', 'file': {'driver': 'file', 'filename': '%s'}}",
            driver, name, path);
        g_assert_true(g_file_set_contents(path, "abcdefgh", 8, NULL));
        g_assert_cmpint(truncate(path, 65536), ==, 0);
        ok(desk, "blockdev-add", args);
    }
}

/* Children of a quorum come and go under writes; what differs is told.
 * mission: x-blockdev-change quorum */
static void
test_quorum(void)
{
    Desk desk;
    uint8_t byte = 9;

    set_up(&desk);
    add_legs(&desk, "raw");
    ok(&desk, "blockdev-add",
       "{'driver': 'quorum', 'node-name': 'q', 'vote-threshold': 2, 'children': ['leg0', 'leg1']}");
    g_autoptr(BlkImage) image =
        blk_image_new(blk_graph_find_node(desk.test.graph, "q"), true, NULL);
    ok(&desk, "x-blockdev-change", "{'parent': 'q', 'node': 'leg2'}");
    g_assert_cmpint(blk_image_write(image, 4096, &byte, 1), ==, 0);
    refused(&desk, "x-blockdev-change", "{'parent': 'q', 'child': 'children.7'}", "no child");
    refused(&desk, "x-blockdev-change", "{'parent': 'q'}", "Either");
    refused(&desk, "x-blockdev-change", "{'parent': 'leg0', 'node': 'leg1'}", "no quorum");
    ok(&desk, "x-blockdev-change", "{'parent': 'q', 'child': 'children.0'}");
    refused(&desk, "x-blockdev-change", "{'parent': 'q', 'child': 'children.1'}", "votes");
    byte = 8;
    g_assert_cmpint(blk_image_write(image, 4096, &byte, 1), ==, 0);
    g_assert_cmpint(blk_image_flush(image), ==, 0);
    for (unsigned i = 0; i < 3; i++) {
        g_autofree char *name = g_strdup_printf("leg%u", i);
        g_autofree char *path = block_test_path(&desk.test, name);
        g_autofree char *bytes = NULL;
        g_assert_true(g_file_get_contents(path, &bytes, NULL, NULL));
        g_assert_cmpint(bytes[4096], ==, i == 0 ? 9 : 8);
        if (i == 2) {
            bytes[100] = 1;
            g_assert_true(
                g_file_set_contents_full(path, bytes, 65536, G_FILE_SET_CONTENTS_NONE, 0644, NULL));
        }
    }
    /* nobody knows which of two is right */
    uint8_t sectors[600];
    g_assert_cmpint(blk_image_read(image, 100, sectors, sizeof(sectors)), ==, -EIO);
    g_assert_cmpstr(
        desk.quorum->str, ==,
        "QUORUM_FAILURE {\"reference\": \"q\", \"sector-num\": 0, \"sectors-count\": 2}\n");
    g_string_truncate(desk.quorum, 0);
    /* of three, two are */
    ok(&desk, "x-blockdev-change", "{'parent': 'q', 'node': 'leg0'}");
    g_assert_cmpint(blk_image_read(image, 100, sectors, sizeof(sectors)), ==, 0);
    g_assert_cmpstr(desk.quorum->str, ==,
                    "QUORUM_REPORT_BAD {\"type\": \"read\", \"node-name\": \"leg2\", "
                    "\"sector-num\": 0, \"sectors-count\": 2}\n");
    g_clear_pointer(&image, blk_image_free);
    show_quorum(&desk);
    ok(&desk, "blockdev-del", "{'node-name': 'q'}");
    finish(&desk);
}

/* Errors of the children are what the quorum fails with, and a drive's name is told. */
static void
test_quorum_errors(void)
{
    const BlkDriveConfig config = { 0 };
    uint8_t data[512] = { 0 };
    Desk desk;

    set_up(&desk);
    add_legs(&desk, "fault");
    ok(&desk, "blockdev-add",
       "{'driver': 'quorum', 'node-name': 'q', 'vote-threshold': 2, "
       "'children': ['leg0', 'leg1', 'leg2']}");
    BlkNode *node = blk_graph_find_node(desk.test.graph, "q");
    VitDrive *drive = blk_drive_new(desk.test.graph, "many", &config, node, NULL);
    for (unsigned i = 0; i < 3; i++) {
        g_autofree char *name = g_strdup_printf("leg%u", i);
        Fault *fault = block_test_fault(blk_graph_find_node(desk.test.graph, name));
        fault->fail_write = i == 0 ? EIO : ENOSPC;
        fault->fail_flush = i > 0 ? EIO : 0;
    }
    g_assert_cmpint(block_test_drive_write(&desk.test, drive, 512, data, 512), ==, -ENOSPC);
    g_assert_nonnull(strstr(desk.quorum->str, "\"type\": \"write\", \"error\": \"No space left"));
    g_assert_nonnull(strstr(desk.quorum->str, "QUORUM_FAILURE {\"reference\": \"many\", "
                                              "\"sector-num\": 1, \"sectors-count\": 1}"));
    g_string_truncate(desk.quorum, 0);
    g_assert_cmpint(block_test_drive_flush(&desk.test, drive), ==, -EIO);
    g_assert_nonnull(strstr(desk.quorum->str, "\"type\": \"flush\""));
    g_assert_null(strstr(desk.quorum->str, "QUORUM_FAILURE"));
    for (unsigned i = 0; i < 3; i++) {
        g_autofree char *name = g_strdup_printf("leg%u", i);
        block_test_fault(blk_graph_find_node(desk.test.graph, name))->fail_flush = 0;
    }
    blk_drive_free(drive);
    finish(&desk);
}

/* A latency that is a boundary belongs above it. */
static void
test_bins(void)
{
    const uint64_t bounds[] = { 1, 10, 11, INT64_MAX }, expected[] = { 1, 2, 1, 2, 2 },
                   latencies[] = { 0, 1, 9, 10, 11, INT64_MAX - 1, INT64_MAX, UINT64_MAX };
    g_autoptr(BlkHistogram) histogram = blk_histogram_new(bounds, G_N_ELEMENTS(bounds));

    for (unsigned i = 0; i < G_N_ELEMENTS(latencies); i++) {
        blk_histogram_add(histogram, latencies[i]);
    }
    g_assert_cmpmem(histogram->bins, sizeof(expected), expected, sizeof(expected));
}

/* The histogram NAME of the first drive as "boundaries: bins"; "-" when there is none. */
static char *
histogram(Desk *desk, const char *name)
{
    g_autoptr(JsonNode) all = run(desk, "query-blockstats", NULL);
    JsonObject *drive = json_array_get_object_element(json_node_get_array(all), 0);
    JsonObject *stats = json_object_get_object_member(drive, "stats");

    if (!json_object_has_member(stats, name)) {
        return g_strdup("-");
    }
    JsonObject *shown = json_object_get_object_member(stats, name);
    g_autofree char *bounds = json_to_string(json_object_get_member(shown, "boundaries"), FALSE);
    g_autofree char *bins = json_to_string(json_object_get_member(shown, "bins"), FALSE);
    return g_strconcat(bounds, ": ", bins, NULL);
}

static void
shows(Desk *desk, const char *reads, const char *writes, const char *flushes)
{
    g_autofree char *seen_reads = histogram(desk, "rd_latency_histogram");
    g_autofree char *seen_writes = histogram(desk, "wr_latency_histogram");
    g_autofree char *seen_flushes = histogram(desk, "flush_latency_histogram");

    g_assert_cmpstr(seen_reads, ==, reads);
    g_assert_cmpstr(seen_writes, ==, writes);
    g_assert_cmpstr(seen_flushes, ==, flushes);
}

/* The first drive "d0" becomes one whose requests take at least 1 ms each, and whose reads fail at
 * once. */
static void
set_up_slow(Desk *desk)
{
    const BlkDriveConfig config = { .skip_failed = true };
    g_autoptr(GError) error = NULL;

    set_up(desk);
    blk_drive_free(desk->drive);
    ok(desk, "blockdev-add",
       "{'driver': 'fault', 'node-name': 'slow', 'file': {'driver': 'null-co', 'size': 1048576, "
       "'latency-ns': 1000000}}");
    BlkNode *node = blk_graph_find_node(desk->test.graph, "slow");
    block_test_fault(node)->fail_read = EIO;
    desk->drive = blk_drive_new(desk->test.graph, "d0", &config, node, &error);
    g_assert_no_error(error);
}

/* Requests are counted by how long they took, failed ones too, in bins that begin anew when they
 * are set again. mission: block-latency-histogram-set query-blockstats */
static void
test_histograms(void)
{
    uint8_t data[512];
    Desk desk;

    set_up_slow(&desk);
    shows(&desk, "-", "-", "-");
    write_byte(&desk, 0, 1);
    ok(&desk, "block-latency-histogram-set", "{'id': 'd0', 'boundaries': [1000, 3600000000000]}");
    shows(&desk, "[1000,3600000000000]: [0,0,0]", "[1000,3600000000000]: [0,0,0]",
          "[1000,3600000000000]: [0,0,0]");
    write_byte(&desk, 0, 1);
    write_byte(&desk, 4096, 1);
    g_assert_cmpint(block_test_drive_flush(&desk.test, desk.drive), ==, 0);
    shows(&desk, "[1000,3600000000000]: [0,0,0]", "[1000,3600000000000]: [0,2,0]",
          "[1000,3600000000000]: [0,1,0]");
    /* some of them */
    ok(&desk, "block-latency-histogram-set",
       "{'id': 'd0', 'boundaries-read': [3600000000000], 'boundaries-write': [1, 2, 3]}");
    write_byte(&desk, 0, 1);
    g_assert_cmpint(block_test_drive_read(&desk.test, desk.drive, 0, data, 512), ==, -EIO);
    /* beyond the end: no latency */
    g_assert_cmpint(block_test_drive_read(&desk.test, desk.drive, 1 << 20, data, 512), ==, -EINVAL);
    shows(&desk, "[3600000000000]: [1,0]", "[1,2,3]: [0,0,0,1]", "[1000,3600000000000]: [0,1,0]");
    /* one otherwise than the rest */
    ok(&desk, "block-latency-histogram-set",
       "{'id': 'd0', 'boundaries': [7], 'boundaries-flush': [8, 9]}");
    shows(&desk, "[7]: [0,0]", "[7]: [0,0]", "[8,9]: [0,0,0]");
    ok(&desk, "block-latency-histogram-set", "{'id': 'd0'}");
    write_byte(&desk, 0, 1);
    shows(&desk, "-", "-", "-");
    /* a drive goes with its histograms */
    ok(&desk, "block-latency-histogram-set", "{'id': 'd0', 'boundaries': [5]}");
    finish(&desk);
}

/* What is wrong with a list is told, and all is as before. */
static void
test_bad_histograms(void)
{
    static const char *const lists[] = { "[]",     "[0]",    "[0, 5]",
                                         "[5, 5]", "[5, 4]", "[1, 2, 9223372036854775807, 3]",
                                         "[-1]" };
    g_autoptr(GString) many = g_string_new("[1");
    Desk desk;

    set_up_slow(&desk);
    ok(&desk, "block-latency-histogram-set", "{'id': 'd0', 'boundaries': [1]}");
    write_byte(&desk, 0, 1);
    for (unsigned i = 0; i < G_N_ELEMENTS(lists); i++) {
        g_autofree char *general = g_strdup_printf("{'id': 'd0', 'boundaries': %s}", lists[i]);
        g_autofree char *last =
            g_strdup_printf("{'id': 'd0', 'boundaries': [8], 'boundaries-flush': %s}", lists[i]);
        refused(&desk, "block-latency-histogram-set", general, "'boundaries' expects");
        refused(&desk, "block-latency-histogram-set", last, "'boundaries-flush' expects");
    }
    for (unsigned i = 2; i <= 1024; i++) {
        g_string_append_printf(many, ", %u", i);
    }
    g_autofree char *too_many = g_strdup_printf("{'id': 'd0', 'boundaries': %s, 1025]}", many->str);
    g_autofree char *most = g_strdup_printf("{'id': 'd0', 'boundaries-read': %s]}", many->str);
    refused(&desk, "block-latency-histogram-set", too_many, "1 to 1024");
    refused(&desk, "block-latency-histogram-set", "{'id': 'd1', 'boundaries': [1]}",
            "Device 'd1' not found");
    refused(&desk, "block-latency-histogram-set", "{'id': 'slow'}", "Device 'slow' not found");
    shows(&desk, "[1]: [0,0]", "[1]: [0,1]", "[1]: [0,0]");
    ok(&desk, "block-latency-histogram-set", most);
    finish(&desk);
}

static void
discard(Desk *desk, VitDrive *drive, uint64_t offset, uint64_t len, int result)
{
    Pending pending = { 0 };

    drive->ops->discard(drive, offset, len, block_test_done, &pending);
    g_assert_cmpint(block_test_wait(&desk->test, &pending), ==, result);
}

static void
zero(Desk *desk, VitDrive *drive, uint64_t offset, uint64_t len)
{
    Pending pending = { 0 };

    drive->ops->write_zeroes(drive, offset, len, true, block_test_done, &pending);
    g_assert_cmpint(block_test_wait(&desk->test, &pending), ==, 0);
}

/* What the driver of node "f", and of the one below drive "df", counts. */
static void
counts(Desk *desk, const char *expected)
{
    static const char *const args[] = { "{}", "{'query-nodes': true}" };

    for (unsigned i = 0; i < G_N_ELEMENTS(args); i++) {
        g_autoptr(JsonNode) all = run(desk, "query-blockstats", args[i]);
        JsonArray *array = json_node_get_array(all);
        JsonObject *found = NULL;
        for (unsigned j = 0; j < json_array_get_length(array); j++) {
            JsonObject *object = json_array_get_object_element(array, j);
            const char *name = json_object_get_string_member(object, "node-name");
            if (i == 0 && strcmp(name, "r") == 0) {
                g_assert_false(json_object_has_member(object, "driver-specific"));
                found = json_object_get_object_member(object, "parent");
            } else if (i == 1 && strcmp(name, "f") == 0) {
                found = object;
            }
        }
        g_assert_nonnull(found);
        g_autofree char *text =
            json_to_string(json_object_get_member(found, "driver-specific"), FALSE);
        g_assert_cmpstr(text, ==, expected);
    }
}

/* Discards of a file are counted, by how they ended; zeroes are none. mission: query-blockstats */
static void
test_discards(void)
{
    const BlkDriveConfig config = { 0 };
    int fd = memfd_create("disk", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    Desk desk;

    set_up(&desk);
    g_assert_cmpint(ftruncate(fd, 1 << 20), ==, 0);
    g_autofree char *args =
        g_strdup_printf("{'driver': 'raw', 'node-name': 'r', 'discard': 'unmap', 'file': "
                        "{'driver': 'file', 'node-name': 'f', 'discard': 'unmap', 'filename': "
                        "'/proc/self/fd/%d'}}",
                        fd);
    ok(&desk, "blockdev-add", args);
    BlkNode *node = blk_graph_find_node(desk.test.graph, "r");
    VitDrive *drive = blk_drive_new(desk.test.graph, "df", &config, node, NULL);
    counts(&desk, "{\"driver\":\"file\",\"discard-nb-ok\":0,\"discard-nb-failed\":0,"
                  "\"discard-bytes-ok\":0}");
    discard(&desk, drive, 0, 65536, 0);
    discard(&desk, drive, 131072, 4096, 0);
    zero(&desk, drive, 0, 65536);
    counts(&desk, "{\"driver\":\"file\",\"discard-nb-ok\":2,\"discard-nb-failed\":0,"
                  "\"discard-bytes-ok\":69632}");
    g_assert_cmpint(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), ==, 0);
    discard(&desk, drive, 0, 4096, -EPERM);
    counts(&desk, "{\"driver\":\"file\",\"discard-nb-ok\":2,\"discard-nb-failed\":1,"
                  "\"discard-bytes-ok\":69632}");
    g_assert_nonnull(blk_graph_find_driver(desk.test.graph, "host_device")->get_counters);
    blk_drive_free(drive);
    close(fd);
    finish(&desk);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/block/control/snapshots", test_snapshots);
    g_test_add_func("/block/control/mirror", test_mirror);
    g_test_add_func("/block/control/bitmaps", test_bitmaps);
    g_test_add_func("/block/control/transaction", test_transaction);
    g_test_add_func("/block/control/nodes", test_nodes);
    g_test_add_func("/block/control/internal", test_internal_snapshots);
    g_test_add_func("/block/control/commit", test_commit_now);
    g_test_add_func("/block/control/quorum", test_quorum);
    g_test_add_func("/block/control/quorum-errors", test_quorum_errors);
    g_test_add_func("/block/control/bins", test_bins);
    g_test_add_func("/block/control/histograms", test_histograms);
    g_test_add_func("/block/control/bad-histograms", test_bad_histograms);
    g_test_add_func("/block/control/discards", test_discards);
    return g_test_run();
}
