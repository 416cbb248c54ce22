/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Transactions with completion-mode=grouped: the backups "ja", of what a bitmap says, and "jb" of
 * another image succeed or fail together. Order of events as QEMU 7.2 has it. */

#include "block-test.h"

#include "blk-bitmap.h"
#include "control/blk-control.h"
#include "jobs/blk-task.h"
#include "vit-error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { LEN = 4 << 20, GRANULE = 65536, DIRTY = 3 };

typedef struct Pair {
    BlkDriveEvents events;
    BlockTest test;
    BlkBitmap *bitmap;
    GString *log;    /* events of block jobs */
    GString *states; /* of jobs, but for created and running */
} Pair;

static void
note_event(void *opaque, const char *name, const char *data)
{
    Pair *pair = opaque;
    char state[16], id[16];

    g_test_message("%s %s", name, data);
    if (!g_str_has_prefix(name, "JOB_")) {
        bool is_a = strstr(data, "\"ja\"") != NULL;
        bool is_pending = strcmp(name, "BLOCK_JOB_PENDING") == 0;
        g_assert_nonnull(strstr(data, is_pending ? "\"id\"" : "\"device\""));
        g_string_append_printf(pair->log, "%s:%s ", is_a ? "ja" : "jb", name);
    } else if (sscanf(data, "{\"status\": \"%15[^\"]\", \"id\": \"%15[^\"]\"}", state, id) == 2 &&
               strcmp(state, "created") != 0 && strcmp(state, "running") != 0) {
        g_string_append_printf(pair->states, "%s:%s ", id, state);
    }
}

/* NULL with ERROR; $D in ARGS is the folder, ' is ". Ownership: caller. */
static JsonNode *
command(Pair *pair, const char *name, const char *args, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(args, "$D", -1);
    g_autofree char *text = g_strjoinv(pair->test.dir, parts);
    g_strdelimit(text, "'", '"');
    g_autoptr(JsonNode) node = json_from_string(text, NULL);

    g_assert_nonnull(node);
    return blk_control_run(pair->test.graph, NULL, name, json_node_get_object(node), error);
}

static void
ok(Pair *pair, const char *name, const char *args)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(JsonNode) result = command(pair, name, args, &error);

    g_assert_no_error(error);
    g_assert_nonnull(result);
}

static void
refused(Pair *pair, const char *name, const char *args, const char *words)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(command(pair, name, args, &error));
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, words));
}

/* Nodes a, b and targets ta, tb, all of raw files; tb fails on demand. The bitmap "m" of a has
 * bits. */
static void
set_up(Pair *pair)
{
    static const char *const names[] = { "a", "b", "ta", "tb" };
    g_autoptr(GError) error = NULL;

    memset(pair, 0, sizeof(*pair));
    pair->log = g_string_new(NULL);
    pair->states = g_string_new(NULL);
    block_test_init(&pair->test);
    pair->events = (BlkDriveEvents){ .event = note_event };
    blk_graph_set_events(pair->test.graph, &pair->events, pair);
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = block_test_image(&pair->test, names[i], LEN);
        g_autofree char *args = g_strdup_printf("{'driver': '%s', 'node-name': '%s', 'file': "
                                                "{'driver': 'file', 'filename': '%s'}}",
                                                i == 3 ? "fault" : "raw", names[i], path);
        ok(pair, "blockdev-add", args);
    }
    BlkNode *node = blk_graph_find_node(pair->test.graph, "a");
    pair->bitmap = blk_bitmap_new(node, "m", GRANULE, &error);
    g_assert_no_error(error);
    for (unsigned i = 0; i < DIRTY; i++) {
        blk_bitmap_set(pair->bitmap, i * (LEN / DIRTY), 1);
    }
}

static void
finish(Pair *pair)
{
    blk_graph_cancel_tasks(pair->test.graph);
    block_test_finish(&pair->test);
    g_string_free(pair->log, TRUE);
    g_string_free(pair->states, TRUE);
}

#define JOB_A                                                                              \
    "{'type': 'blockdev-backup', 'data': {'job-id': 'ja', 'device': 'a', 'target': 'ta', " \
    "'sync': 'incremental', 'bitmap': 'm'"
#define JOB_B                                                                              \
    "{'type': 'blockdev-backup', 'data': {'job-id': 'jb', 'device': 'b', 'target': 'tb', " \
    "'sync': 'full'"
/* After its first step a job has done more than it may in hours. */
#define SLOW    ", 'speed': 1"
#define MANUAL  ", 'auto-finalize': false"
#define GROUPED "'properties': {'completion-mode': 'grouped'}"

/* "none": it has gone. */
static const char *
state_of(Pair *pair, const char *id)
{
    g_autoptr(JsonNode) jobs = command(pair, "query-jobs", "{}", NULL);
    JsonArray *array = json_node_get_array(jobs);

    for (unsigned i = 0; i < json_array_get_length(array); i++) {
        JsonObject *job = json_array_get_object_element(array, i);
        if (strcmp(json_object_get_string_member(job, "id"), id) == 0) {
            return g_intern_string(json_object_get_string_member(job, "status"));
        }
    }
    return "none";
}

static void
wait_state(Pair *pair, const char *id, const char *state)
{
    for (unsigned i = 0; strcmp(state_of(pair, id), state) != 0; i++) {
        g_assert_cmpuint(i, <, 2000);
        blk_graph_poll(pair->test.graph, 10);
    }
}

static void
wait_end(Pair *pair)
{
    wait_state(pair, "ja", "none");
    wait_state(pair, "jb", "none");
    g_assert_cmpuint(pair->bitmap->busy, ==, 0);
}

/* What was done first waits, however long the other takes. */
static void
test_success(void)
{
    Pair pair;

    set_up(&pair);
    ok(&pair, "transaction", "{'actions': [" JOB_A "}}, " JOB_B SLOW "}}], " GROUPED "}");
    wait_state(&pair, "ja", "waiting");
    for (unsigned i = 0; i < 5; i++) {
        blk_graph_poll(pair.test.graph, 20);
    }
    g_assert_cmpstr(state_of(&pair, "ja"), ==, "waiting");
    g_assert_cmpstr(state_of(&pair, "jb"), ==, "running");
    g_assert_cmpuint(pair.bitmap->busy, ==, 1);
    g_assert_cmpstr(pair.log->str, ==, "");
    refused(&pair, "job-finalize", "{'id': 'ja'}", "in state 'waiting'");
    refused(&pair, "block-job-set-speed", "{'device': 'ja', 'speed': 1}", "in state 'waiting'");
    ok(&pair, "block-job-set-speed", "{'device': 'jb', 'speed': 0}");
    wait_end(&pair);
    g_assert_cmpstr(pair.log->str, ==, "jb:BLOCK_JOB_COMPLETED ja:BLOCK_JOB_COMPLETED ");
    g_assert_cmpstr(pair.states->str, ==,
                    "ja:waiting jb:waiting jb:pending ja:pending "
                    "jb:concluded jb:null ja:concluded ja:null ");
    g_assert_cmpuint(pair.bitmap->dirty_count, ==, 0);
    finish(&pair);
}

/* Pending when both are done; finalizing either finalizes both. */
static void
test_finalize(void)
{
    for (unsigned variant = 0; variant < 2; variant++) {
        Pair pair;

        set_up(&pair);
        ok(&pair, "transaction",
           "{'actions': [" JOB_A MANUAL "}}, " JOB_B SLOW "}}], " GROUPED "}");
        wait_state(&pair, "ja", "waiting");
        ok(&pair, "block-job-set-speed", "{'device': 'jb', 'speed': 0}");
        wait_state(&pair, "jb", "pending");
        g_assert_cmpstr(state_of(&pair, "ja"), ==, "pending");
        g_assert_cmpstr(pair.log->str, ==, "ja:BLOCK_JOB_PENDING ");
        ok(&pair, "job-finalize", variant ? "{'id': 'ja'}" : "{'id': 'jb'}");
        wait_end(&pair);
        g_assert_cmpstr(pair.log->str, ==,
                        "ja:BLOCK_JOB_PENDING jb:BLOCK_JOB_COMPLETED ja:BLOCK_JOB_COMPLETED ");
        g_assert_cmpuint(pair.bitmap->dirty_count, ==, 0);
        finish(&pair);
    }
}

/* jb fails while ja waits, runs, is paused, or has not been started. */
static void
test_failure(void)
{
    static const char *const actions[] = {
        "{'actions': [" JOB_A "}}, " JOB_B SLOW "}}], " GROUPED "}",
        "{'actions': [" JOB_A SLOW "}}, " JOB_B SLOW "}}], " GROUPED "}",
        "{'actions': [" JOB_A SLOW "}}, " JOB_B SLOW "}}], " GROUPED "}",
        "{'actions': [" JOB_B "}}, " JOB_A "}}], " GROUPED "}",
    };

    for (unsigned variant = 0; variant < G_N_ELEMENTS(actions); variant++) {
        Pair pair;

        set_up(&pair);
        Fault *fault = block_test_fault(blk_graph_find_node(pair.test.graph, "tb"));
        fault->fail_write = variant == 3 ? ENOSPC : 0;
        ok(&pair, "transaction", actions[variant]);
        if (variant == 2) {
            ok(&pair, "job-pause", "{'id': 'ja'}");
            wait_state(&pair, "ja", "paused");
        } else if (variant == 0) {
            wait_state(&pair, "ja", "waiting");
        }
        fault->fail_write = ENOSPC;
        if (variant < 3) {
            ok(&pair, "block-job-set-speed", "{'device': 'jb', 'speed': 0}");
        }
        wait_end(&pair);
        g_assert_cmpstr(pair.log->str, ==,
                        variant < 3
                            ? "jb:BLOCK_JOB_ERROR jb:BLOCK_JOB_COMPLETED ja:BLOCK_JOB_CANCELLED "
                            : "jb:BLOCK_JOB_ERROR ja:BLOCK_JOB_CANCELLED jb:BLOCK_JOB_COMPLETED ");
        g_assert_null(strstr(pair.states->str, "pending"));
        g_assert_cmpuint(pair.bitmap->dirty_count, ==, DIRTY);
        finish(&pair);
    }
}

/* By the user: the one that runs, the one that waits, one of two that are pending. */
static void
test_cancel(void)
{
    for (unsigned variant = 0; variant < 3; variant++) {
        Pair pair;

        set_up(&pair);
        ok(&pair, "transaction",
           variant < 2 ? "{'actions': [" JOB_A "}}, " JOB_B SLOW "}}], " GROUPED "}"
                       : "{'actions': [" JOB_A MANUAL "}}, " JOB_B "}}], " GROUPED "}");
        wait_state(&pair, "ja", variant < 2 ? "waiting" : "pending");
        ok(&pair, "job-cancel", variant == 0 ? "{'id': 'jb'}" : "{'id': 'ja'}");
        wait_end(&pair);
        g_assert_true(
            g_str_has_suffix(pair.log->str, "jb:BLOCK_JOB_CANCELLED ja:BLOCK_JOB_CANCELLED "));
        g_assert_null(strstr(pair.log->str, "COMPLETED"));
        g_assert_true(g_str_has_suffix(pair.states->str, "jb:aborting jb:concluded jb:null "
                                                         "ja:aborting ja:concluded ja:null "));
        g_assert_cmpuint(pair.bitmap->dirty_count, ==, DIRTY);
        finish(&pair);
    }
}

/* Nothing is done when an action cannot be grouped, or fails. */
static void
test_refused(void)
{
    static const char *const others[] = {
        "'blockdev-snapshot', 'data': {'node': 'a', 'overlay': 'b'}",
        "'blockdev-snapshot-sync', 'data': {'node-name': 'a', 'snapshot-file': '$D/s', "
        "'snapshot-node-name': 's'}",
        "'blockdev-snapshot-internal-sync', 'data': {'device': 'a', 'name': 's'}",
        "'block-dirty-bitmap-add', 'data': {'node': 'a', 'name': 's'}",
        "'block-dirty-bitmap-clear', 'data': {'node': 'a', 'name': 'm'}",
        "'block-dirty-bitmap-remove', 'data': {'node': 'a', 'name': 'm'}",
        "'abort', 'data': {}",
    };
    Pair pair;

    set_up(&pair);
    for (unsigned i = 0; i < G_N_ELEMENTS(others); i++) {
        g_autofree char *args = g_strdup_printf(
            "{'actions': [{'type': 'drive-backup', 'data': {'job-id': 'jb', 'device': 'b', "
            "'target': '$D/copy', 'format': 'raw', 'sync': 'full'}}, " JOB_A
            "}}, {'type': %s}], " GROUPED "}",
            others[i]);
        g_autofree char *copy = block_test_path(&pair.test, "copy");
        bool aborted = g_str_has_prefix(others[i], "'abort'");

        refused(&pair, "transaction", args, aborted ? "aborted" : "does not support");
        g_assert_cmpint(g_file_test(copy, G_FILE_TEST_EXISTS), ==, aborted);
        wait_end(&pair);
        g_assert_null(blk_graph_find_node(pair.test.graph, "s"));
        g_assert_true(blk_bitmap_find(blk_graph_find_node(pair.test.graph, "a"), "m") ==
                      pair.bitmap);
        g_assert_cmpuint(pair.bitmap->dirty_count, ==, DIRTY);
    }
    g_assert_cmpstr(pair.log->str, ==, "");
    refused(&pair, "transaction",
            "{'actions': [" JOB_A "}}], 'properties': {'completion-mode': 'pairs'}}",
            "'pairs': it is 'individual' or 'grouped'");
    ok(&pair, "transaction",
       "{'actions': [" JOB_A "}}], 'properties': {'completion-mode': 'individual'}}");
    wait_end(&pair);
    g_assert_cmpstr(pair.log->str, ==, "ja:BLOCK_JOB_COMPLETED ");
    finish(&pair);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/block/group/success", test_success);
    g_test_add_func("/block/group/finalize", test_finalize);
    g_test_add_func("/block/group/failure", test_failure);
    g_test_add_func("/block/group/cancel", test_cancel);
    g_test_add_func("/block/group/refused", test_refused);
    return g_test_run();
}
