/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* A guest that writes, with a job beside it, for crash.py to end at any moment.
 *
 *   crash-writer guest|stream|commit|pivot|mirror|backup DIR SEED
 *   crash-writer write DIR SEED FORMAT         a guest alone, on DIR/disk.FORMAT
 *   crash-writer remote SOCKET SEED            a guest alone, on the NBD server there
 *   crash-writer fill IMAGE SEED [FORMAT]
 *   crash-writer judge FORMAT OUT TOP [IMAGE...]
 *
 * Every sector it writes holds the number of the write, eight bytes at a time. It tells the shim
 * "w NUMBER OFFSET LENGTH" before a write or zeroing ("z") begins, "f NUMBER" when a flush after
 * write NUMBER has ended, "x NUMBER" when a write has failed, "p NAME" when the disk is in another
 * file from now on, "c" when the job has ended well.
 *
 * judge prints for every image its corruptions, leaks and whether it is dirty, or why it cannot be
 * opened, and writes what TOP shows to OUT. A dirty image is first mended by being opened, as it
 * promises. */

#include "block-test.h"

#include "jobs/blk-jobs.h"

#include <stdio.h>
#include <string.h>

/* Of crash-shim.c; missing when the program runs without it. */
void crash_mark(const char *text) __attribute__((weak));

enum { SECTOR = 512, WRITES = 120 };

#define SECRET "open sesame" /* of luks images; crash.py makes them */

/* Options that open an image of FORMAT. Ownership: caller. */
static char *
format_options(const char *format, const char *more)
{
    bool is_secret = strcmp(format, "luks") == 0;

    return g_strdup_printf("driver=%s%s%s", format, is_secret ? ",key-secret=s0" : "", more);
}

typedef struct Writer {
    BlkDriveEvents events;
    BlockTest test;
    const char *job, *dir;
    VitDrive *drive;
    GRand *rand;
    uint64_t sectors, number;
    bool completed;
} Writer;

static void G_GNUC_PRINTF(1, 2) mark(const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    if (crash_mark) {
        crash_mark(text);
    }
}

static void
note_event(void *opaque, const char *name, const char *data)
{
    Writer *writer = opaque;

    if (strcmp(name, "BLOCK_JOB_COMPLETED") == 0) {
        writer->completed = !strstr(data, "\"error\"");
    }
}

/* ---- the guest ---- */

static void
note_result(Writer *writer, int ret)
{
    if (ret < 0) {
        mark("x %" G_GUINT64_FORMAT, writer->number);
    }
}

static void
write_something(Writer *writer)
{
    uint64_t first = g_rand_int(writer->rand) % writer->sectors;
    uint64_t count = 1 + g_rand_int(writer->rand) % 40;
    g_autofree uint64_t *buf = NULL;

    count = MIN(count, writer->sectors - first);
    buf = g_new(uint64_t, count * SECTOR / 8);
    writer->number++;
    for (uint64_t i = 0; i < count * SECTOR / 8; i++) {
        buf[i] = writer->number;
    }
    mark("w %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, writer->number, first,
         count);
    note_result(writer, block_test_drive_write(&writer->test, writer->drive, first * SECTOR, buf,
                                               count * SECTOR));
}

static void
zero_something(Writer *writer)
{
    uint64_t first = g_rand_int(writer->rand) % (writer->sectors / 8) * 8;
    uint64_t count = (1 + g_rand_int(writer->rand) % 20) * 8;
    Pending pending = { 0 };

    count = MIN(count, writer->sectors - first);
    writer->number++;
    mark("z %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, writer->number, first,
         count);
    writer->drive->ops->write_zeroes(writer->drive, first * SECTOR, count * SECTOR, true,
                                     block_test_done, &pending);
    note_result(writer, block_test_wait(&writer->test, &pending));
}

static void
act(Writer *writer)
{
    unsigned kind = g_rand_int(writer->rand) % 12;

    if (kind == 0) {
        if (block_test_drive_flush(&writer->test, writer->drive) == 0) {
            mark("f %" G_GUINT64_FORMAT, writer->number);
        }
    } else if (kind == 1) {
        zero_something(writer);
    } else {
        write_something(writer);
    }
}

/* ---- the jobs ---- */

static BlkNode *
find(Writer *writer, const char *name)
{
    return blk_graph_find_node(writer->test.graph, name);
}

static BlkNode *
open_target(Writer *writer)
{
    g_autofree char *path = g_build_filename(writer->dir, "target.qcow2", NULL);

    return block_test_open(&writer->test, path, "driver=qcow2,node-name=target,backing=");
}

static BlkTask *
start_job(Writer *writer)
{
    static const BlkTaskOptions options = { .id = "j" };
    BlkGraph *graph = writer->test.graph;
    BlkNode *top = find(writer, "top");
    g_autoptr(GError) error = NULL;
    BlkTask *task = NULL;

    if (strcmp(writer->job, "stream") == 0) {
        task = blk_stream_start(graph, top, NULL, NULL, &options, &error);
    } else if (strcmp(writer->job, "commit") == 0) {
        task = blk_commit_start(graph, top, find(writer, "mid"), find(writer, "base"), NULL,
                                &options, &error);
    } else if (strcmp(writer->job, "pivot") == 0) {
        task = blk_commit_start(graph, top, top, find(writer, "base"), NULL, &options, &error);
    } else if (strcmp(writer->job, "mirror") == 0) {
        g_autoptr(BlkNode) target = open_target(writer);
        BlkMirrorOptions mirror = { .sync = BLK_SYNC_FULL };
        task = blk_mirror_start(graph, top, target, &mirror, &options, &error);
    } else if (strcmp(writer->job, "backup") == 0) {
        g_autoptr(BlkNode) target = open_target(writer);
        BlkBackupOptions backup = { .sync = BLK_SYNC_FULL };
        mark("b %" G_GUINT64_FORMAT, writer->number);
        task = blk_backup_start(graph, top, target, &backup, &options, &error);
    }
    return task;
}

static void
run_job(Writer *writer)
{
    BlkTask *task = start_job(writer);
    unsigned done = 0;

    while (task && (task = blk_task_find(writer->test.graph, "j"))) {
        if (task->is_ready && done >= WRITES / 2) {
            g_autoptr(GError) error = NULL;
            blk_task_complete(task, &error);
            g_clear_error(&error); /* it was asked already */
        } else if (done < WRITES / 2) {
            act(writer);
            done++;
        }
        blk_graph_poll(writer->test.graph, 10);
    }
    if (writer->completed) {
        if (strcmp(writer->job, "pivot") == 0) {
            mark("p base.qcow2");
        } else if (strcmp(writer->job, "mirror") == 0) {
            mark("p target.qcow2");
        }
        mark("c");
    }
}

static void
begin(Writer *writer, const char *path, const char *open_options, const char *seed)
{
    const BlkDriveConfig config = { 0 };
    g_autoptr(GError) error = NULL;
    BlkNode *top;

    block_test_init(&writer->test);
    block_test_add_secret(&writer->test, "s0", SECRET);
    blk_graph_set_events(writer->test.graph, &writer->events, writer);
    writer->rand = g_rand_new_with_seed((guint32)atoi(seed));
    writer->number = (uint64_t)atoi(seed) * 1000; /* so that no two fillings look alike */
    top = block_test_open(&writer->test, path, open_options);
    writer->drive = blk_drive_new(writer->test.graph, "d0", &config, top, &error);
    g_assert_no_error(error);
    writer->sectors = writer->drive->ops->get_len(writer->drive) / SECTOR;
    blk_node_unref(top);
}

static void
end(Writer *writer)
{
    g_clear_pointer(&writer->drive, blk_drive_free);
    g_rand_free(writer->rand);
    block_test_finish(&writer->test);
}

static int
write_with_job(const char *job, const char *dir, const char *seed)
{
    Writer writer = { .job = job, .dir = dir, .events = { .event = note_event } };
    g_autofree char *path = g_build_filename(dir, "top.qcow2", NULL);

    begin(&writer, path,
          "driver=qcow2,discard=unmap,node-name=top,backing.node-name=mid,"
          "backing.backing.node-name=base",
          seed);
    for (unsigned i = 0; i < WRITES; i++) {
        if (i == WRITES / 4) {
            run_job(&writer);
        }
        act(&writer);
    }
    end(&writer);
    return 0;
}

static int
write_image(const char *path, const char *seed, const char *options, unsigned count)
{
    Writer writer = { .job = "", .events = { .event = note_event } };

    begin(&writer, path, options, seed);
    for (unsigned i = 0; i < count; i++) {
        act(&writer);
    }
    end(&writer);
    return 0;
}

/* ---- judging ---- */

static void
judge_image(BlkGraph *graph, const char *format, const char *path)
{
    g_autofree char *text = format_options(format, strcmp(format, "qcow2") == 0 ? ",backing=" : "");
    g_autoptr(BlkOptions) options = block_test_options(text);
    g_autoptr(GError) error = NULL;
    BlkCheck check = { 0 };
    g_autoptr(BlkNode) node = NULL;
    BlkFormatInfo info;

    node = blk_open(graph, path, options, &error);
    if (node) {
        blk_node_get_format_info(node, &info);
        if (blk_node_can_check(node)) {
            blk_node_check(node, &check, &error);
        }
    }
    if (error) {
        printf("failed %s\n", error->message);
    } else {
        printf("%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %d\n",
               check.corruptions + check.check_errors, check.leaks, info.dirty);
    }
}

static int
judge(const char *format, const char *out, char **images)
{
    g_autofree char *text = format_options(format, ",read-only=on");
    g_autoptr(BlkOptions) options = block_test_options(text);
    g_autoptr(GError) error = NULL;
    BlockTest test;

    block_test_init(&test);
    block_test_add_secret(&test, "s0", SECRET);
    for (char **image = images; *image; image++) {
        judge_image(test.graph, format, *image);
    }
    g_autoptr(BlkNode) node = blk_open(test.graph, images[0], options, &error);
    g_autoptr(BlkImage) image = node ? blk_image_new(node, false, &error) : NULL;
    if (image) {
        uint64_t len = blk_image_get_len(image);
        g_autofree char *buf = g_malloc(len + 1);
        if (blk_image_read(image, 0, buf, len) == 0) {
            g_file_set_contents(out, buf, (gssize)len, &error);
        } else {
            printf("failed to be read\n");
        }
    }
    if (error) {
        printf("failed %s\n", error->message);
    }
    g_clear_pointer(&image, blk_image_free);
    g_clear_pointer(&node, blk_node_unref);
    block_test_finish(&test);
    return 0;
}

int
main(int argc, char **argv)
{
    if (argc >= 5 && strcmp(argv[1], "judge") == 0) {
        return judge(argv[2], argv[3], argv + 4);
    }
    if ((argc == 4 || argc == 5) && strcmp(argv[1], "fill") == 0) {
        const char *format = argc == 5 ? argv[4] : "qcow2";
        g_autofree char *options = format_options(format, ",discard=unmap");
        return write_image(argv[2], argv[3], options, WRITES / 4);
    }
    if (argc == 5 && strcmp(argv[1], "write") == 0) {
        g_autofree char *path = g_strdup_printf("%s/disk.%s", argv[2], argv[4]);
        g_autofree char *options = format_options(argv[4], ",discard=unmap");
        return write_image(path, argv[3], options, WRITES);
    }
    if (argc == 4 && strcmp(argv[1], "remote") == 0) {
        g_autofree char *url = g_strconcat("nbd:unix:", argv[2], NULL);
        return write_image(url, argv[3], "driver=raw", WRITES);
    }
    if (argc == 4) {
        return write_with_job(argv[1], argv[2], argv[3]);
    }
    fprintf(stderr, "usage: crash-writer JOB DIR SEED | write DIR SEED FORMAT | "
                    "judge FORMAT OUT TOP [IMAGE...]\n");
    return 2;
}
