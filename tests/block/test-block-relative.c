/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Names in headers are meant from where the image lies, names that people give from where the
 * program runs: what snapshots and jobs record leads to the same files from anywhere. And what
 * query-block tells of an image. */

#include "block-test.h"

#include "control/blk-control.h"
#include "blk-path.h"

#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <string.h>

typedef struct Place {
    BlockTest test;
    VitDrive *drive;
    char *old_dir;
} Place;

static JsonNode *
run(Place *place, const char *name, const char *args)
{
    g_autofree char *text = g_strdelimit(g_strdup(args), "'", '"');
    g_autoptr(JsonNode) node = json_from_string(text, NULL);
    g_autoptr(GError) error = NULL;
    JsonNode *result =
        blk_control_run(place->test.graph, NULL, name, json_node_get_object(node), &error);

    g_assert_no_error(error);
    return result;
}

static void
make(Place *place, const char *name, const char *options)
{
    g_autoptr(BlkOptions) parsed = block_test_options(options);
    g_autoptr(GError) error = NULL;

    blk_create(place->test.graph, "qcow2", name, parsed, &error);
    g_assert_no_error(error);
}

/* "vms/top" over "vms/mid" over "vms/base", as a drive, from the folder above. */
static void
set_up(Place *place)
{
    const BlkDriveConfig config = { 0 };
    const uint8_t data[512] = { 42 };
    g_autoptr(GError) error = NULL;

    memset(place, 0, sizeof(*place));
    block_test_init(&place->test);
    place->old_dir = g_get_current_dir();
    g_assert_cmpint(g_chdir(place->test.dir), ==, 0);
    g_assert_cmpint(g_mkdir("vms", 0700), ==, 0);
    g_assert_cmpint(g_mkdir("else", 0700), ==, 0);
    make(place, "vms/base", "size=1M");
    g_autoptr(BlkNode) base = block_test_open(&place->test, "vms/base", "driver=qcow2");
    g_autoptr(BlkImage) image = blk_image_new(base, true, &error);
    g_assert_cmpint(blk_image_write(image, 0, data, sizeof(data)), ==, 0);
    g_clear_pointer(&image, blk_image_free);
    g_clear_pointer(&base, blk_node_unref);
    make(place, "vms/mid", "size=1M,backing_file=base,backing_fmt=qcow2");
    make(place, "vms/top", "size=1M,backing_file=mid,backing_fmt=qcow2");
    g_autoptr(BlkNode) top = block_test_open(&place->test, "vms/top", "driver=qcow2");
    place->drive = blk_drive_new(place->test.graph, "d0", &config, top, &error);
    g_assert_no_error(error);
}

static void
wait_jobs(Place *place)
{
    for (unsigned i = 0; i < 10000; i++) {
        g_autoptr(JsonNode) jobs = run(place, "query-jobs", "{}");
        if (json_array_get_length(json_node_get_array(jobs)) == 0) {
            return;
        }
        blk_graph_poll(place->test.graph, 10);
    }
    g_assert_not_reached();
}

/* IMAGE says BACKING ($D: the folder of the test) and has the data of the base, read from another
 * folder. Ends the drive. */
static void
check_and_finish(Place *place, const char *image, const char *backing)
{
    g_auto(GStrv) parts = g_strsplit(backing, "$D", -1);
    g_autofree char *wanted = g_strjoinv(place->test.dir, parts);
    g_autofree char *path = block_test_path(&place->test, image);
    BlkNodeInfo info;
    uint8_t byte = 0;

    g_clear_pointer(&place->drive, blk_drive_free);
    g_assert_cmpint(g_chdir("/"), ==, 0);
    g_autoptr(BlkNode) node = block_test_open(&place->test, path, "driver=qcow2");
    g_autoptr(BlkImage) reader = blk_image_new(node, false, NULL);
    blk_node_get_info(node, &info);
    g_assert_cmpstr(info.backing_file, ==, wanted);
    g_assert_cmpint(blk_image_read(reader, 0, &byte, 1), ==, 0);
    g_assert_cmpint(byte, ==, 42);
    g_clear_pointer(&reader, blk_image_free);
    g_clear_pointer(&node, blk_node_unref);
    g_assert_cmpint(g_chdir(place->old_dir), ==, 0);
    g_free(place->old_dir);
    block_test_finish(&place->test);
}

static void
test_paths(void)
{
    static const struct {
        const char *base, *name, *seen; /* $: the current folder */
    } cases[] = {
        { "vms/top", "/abs/disk", "/abs/disk" },
        { "vms/top", "nbd://host/x", "nbd://host/x" },
        { "vms/top", "json:{}", "json:{}" },
        { "vms/top", "vms/base", "base" },
        { "vms/top", "./vms/deep/../base", "base" },
        { "vms/top", "vms/deep/base", "deep/base" },
        { "vms/top", "vmsx/base", "$/vmsx/base" },
        { "vms/top", "base", "$/base" },
        { "top", "base", "base" },
        { "/elsewhere/top", "base", "$/base" },
        { "ssh://host/top", "base", "$/base" },
        { "json:{}", "vms/base", "$/vms/base" },
        { NULL, "base", "$/base" },
    };
    g_autofree char *here = g_get_current_dir();

    g_assert_null(blk_path_as_seen_from("vms/top", NULL));
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(GStrv) parts = g_strsplit(cases[i].seen, "$", -1);
        g_autofree char *wanted = g_strjoinv(here, parts);
        g_autofree char *seen = blk_path_as_seen_from(cases[i].base, cases[i].name);
        g_assert_cmpstr(seen, ==, wanted);
    }
}

static void
check_snapshot(const char *overlay, const char *backing)
{
    g_autofree char *args = g_strdup_printf("{'device': 'd0', 'snapshot-file': '%s'}", overlay);
    Place place;

    set_up(&place);
    json_node_unref(run(&place, "blockdev-snapshot-sync", args));
    check_and_finish(&place, overlay, backing);
}

static void
test_snapshots(void)
{
    check_snapshot("vms/over", "top");
    check_snapshot("else/over", "$D/vms/top");
}

static void
test_stream(void)
{
    Place place;

    set_up(&place);
    json_node_unref(run(&place, "block-stream", "{'device': 'd0', 'base': 'vms/base'}"));
    wait_jobs(&place);
    check_and_finish(&place, "vms/top", "base");
}

static void
test_mirror(void)
{
    Place place;

    set_up(&place);
    json_node_unref(run(&place, "drive-mirror",
                        "{'device': 'd0', 'sync': 'top', 'target': 'else/copy', 'job-id': 'j'}"));
    for (unsigned i = 0; i < 100; i++) {
        blk_graph_poll(place.test.graph, 1);
    }
    json_node_unref(run(&place, "block-job-complete", "{'device': 'j'}"));
    wait_jobs(&place);
    check_and_finish(&place, "else/copy", "$D/vms/mid");
}

/* mission: query-block */
static void
test_query(void)
{
    Place place;

    set_up(&place);
    json_node_unref(
        run(&place, "blockdev-snapshot-internal-sync", "{'device': 'd0', 'name': 's1'}"));
    g_autoptr(JsonNode) drives = run(&place, "query-block", "{}");
    JsonObject *drive = json_array_get_object_element(json_node_get_array(drives), 0);
    JsonObject *medium = json_object_get_object_member(drive, "inserted");
    JsonObject *image = json_object_get_object_member(medium, "image");
    JsonObject *specific = json_object_get_object_member(image, "format-specific");
    JsonArray *snapshots = json_object_get_array_member(image, "snapshots");
    g_assert_cmpstr(json_object_get_string_member(specific, "type"), ==, "qcow2");
    g_assert_cmpstr(
        json_object_get_string_member(json_object_get_object_member(specific, "data"), "compat"),
        ==, "1.1");
    g_assert_cmpint(json_array_get_length(snapshots), ==, 1);
    g_assert_cmpstr(
        json_object_get_string_member(json_array_get_object_element(snapshots, 0), "name"), ==,
        "s1");
    g_assert_cmpstr(json_object_get_string_member(image, "full-backing-filename"), ==, "vms/mid");
    g_autoptr(JsonNode) images = run(&place, "x-query-block-images", "{'device': 'd0'}");
    const char *text =
        json_object_get_string_member(json_node_get_object(images), "human-readable-text");
    g_assert_nonnull(strstr(text, "image: vms/top\nfile format: qcow2\n"));
    g_assert_nonnull(strstr(text, "backing file: mid (actual path: vms/mid)\n"));
    g_assert_nonnull(strstr(text, "Snapshot list:\n"));
    g_assert_nonnull(strstr(text, "    compat: 1.1\n"));
    g_assert_nonnull(strstr(text, "image: vms/base\n"));
    check_and_finish(&place, "vms/top", "mid");
}

/* A server that hangs must not hold up who asks what there is. */
static void
test_query_reads_nothing(void)
{
    static const char *const queries[] = { "query-block", "query-named-block-nodes",
                                           "query-blockstats" };
    const BlkDriveConfig config = { 0 };
    Place place;
    g_autoptr(GError) error = NULL;

    set_up(&place);
    g_autofree char *raw = block_test_image(&place.test, "raw", 65536);
    g_autoptr(BlkNode) node = block_test_open(&place.test, raw, "driver=raw,file.driver=fault");
    VitDrive *drive = blk_drive_new(place.test.graph, "d1", &config, node, &error);
    g_assert_no_error(error);
    unsigned reads = block_test_fault(node)->reads;
    for (unsigned i = 0; i < G_N_ELEMENTS(queries); i++) {
        json_node_unref(run(&place, queries[i], "{}"));
    }
    g_assert_cmpuint(block_test_fault(node)->reads, ==, reads);
    blk_drive_free(drive);
    g_clear_pointer(&node, blk_node_unref);
    check_and_finish(&place, "vms/top", "mid");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/block/relative/paths", test_paths);
    g_test_add_func("/block/relative/snapshots", test_snapshots);
    g_test_add_func("/block/relative/stream", test_stream);
    g_test_add_func("/block/relative/mirror", test_mirror);
    g_test_add_func("/block/relative/query", test_query);
    g_test_add_func("/block/relative/query-reads-nothing", test_query_reads_nothing);
    return g_test_run();
}
