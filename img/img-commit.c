/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* vitrine-img commit: writes what an image has changed into the image below it, or one further
 * down, and then empties it. Stopping midway loses nothing: the image still has all it had.
 *
 * The images below are opened without locks, as the one that is written is opened and locked once
 * more by itself. */

#include "img.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER_BYTES = 2 << 20 };

typedef struct Commit {
    ImgOpen how;
    const char *base_name;
    bool keep, quiet;
    uint64_t rate_bytes_s;
    ImgProgress progress;
    BlkImage *image, *base;
    unsigned base_depth;
} Commit;

static int
commit_run(const Commit *commit, uint64_t offset, const BlkRun *run, uint8_t *buf)
{
    int ret;

    if (!run->present || run->depth >= commit->base_depth) {
        return 0;
    }
    if (run->zero) {
        return blk_image_write_zeroes(commit->base, offset, run->len_bytes, true);
    }
    ret = blk_image_read(commit->image, offset, buf, run->len_bytes);
    return ret < 0 ? ret : blk_image_write(commit->base, offset, buf, run->len_bytes);
}

static void
keep_rate(const Commit *commit, int64_t started_us, uint64_t done)
{
    if (commit->rate_bytes_s) {
        int64_t due_us =
            started_us + (int64_t)((double)done / (double)commit->rate_bytes_s * G_USEC_PER_SEC);
        int64_t now_us = g_get_monotonic_time();
        if (due_us > now_us) {
            g_usleep((gulong)(due_us - now_us));
        }
    }
}

static int
commit_content(Commit *commit)
{
    uint64_t len = blk_image_get_len(commit->image), offset = 0;
    int64_t started_us = g_get_monotonic_time();
    uint8_t *buf = NULL;
    int ret = posix_memalign((void **)&buf, 4096, BUFFER_BYTES) == 0 ? 0 : -ENOMEM;

    while (offset < len && ret == 0) {
        BlkRun run;
        if (img_is_cancelled()) {
            free(buf);
            return img_error("stopped");
        }
        ret = blk_image_describe_run(commit->image, offset, len - offset, &run);
        if (!run.zero) {
            run.len_bytes = MIN(run.len_bytes, BUFFER_BYTES);
        }
        ret = ret < 0 ? ret : commit_run(commit, offset, &run, buf);
        offset += run.len_bytes;
        img_progress_show(&commit->progress, offset, len);
        keep_rate(commit, started_us, offset);
    }
    free(buf);
    ret = ret < 0 ? ret : blk_image_flush(commit->base);
    return ret < 0 ? img_error("error while committing at byte %" G_GUINT64_FORMAT ": %s", offset,
                               g_strerror(-ret))
                   : IMG_OK;
}

/* The image to write into, opened for that; sets how many images lie above it. */
static BlkNode *
open_base(BlkGraph *graph, Commit *commit, BlkNode *top)
{
    ImgOpen how = { .write = true, .cache = commit->how.cache, .quiet = true };
    g_autofree char *path = NULL, *format = NULL;
    BlkNodeInfo info;

    blk_node_get_info(top, &info);
    for (BlkNode *at = info.backing; at && !path; at = info.backing) {
        const char *named = info.backing_file;
        blk_node_get_info(at, &info);
        commit->base_depth++;
        if (!commit->base_name || g_strcmp0(commit->base_name, named) == 0 ||
            g_strcmp0(commit->base_name, info.filename) == 0) {
            path = g_strdup(info.filename);
            format = g_strdup(info.driver);
        }
    }
    if (!path) {
        if (commit->base_name) {
            img_error("Did not find '%s' in the backing chain", commit->base_name);
        } else {
            img_error("Image does not have a backing file");
        }
        return NULL;
    }
    how.format = format;
    return img_open(graph, path, &how);
}

static bool
make_room(const Commit *commit)
{
    uint64_t len = blk_image_get_len(commit->image);
    GError *error = NULL;

    if (blk_image_get_len(commit->base) < len &&
        !blk_image_resize(commit->base, len, BLK_PREALLOC_OFF, &error)) {
        img_error_take(error);
        return false;
    }
    return true;
}

static int
run_commit(BlkGraph *graph, Commit *commit, const char *filename)
{
    BlkNode *top, *base;
    int status = IMG_FAILED, ret = 0;

    commit->how.write = true;
    commit->how.backing_unlocked = true;
    top = img_open(graph, filename, &commit->how);
    base = top ? open_base(graph, commit, top) : NULL;
    commit->image = base ? img_attach(top, true) : NULL;
    commit->base = commit->image ? img_attach(base, true) : NULL;
    if (commit->base && make_room(commit)) {
        status = commit_content(commit);
    }
    /* Only an image that is directly above shows the same when it is empty. */
    if (status == IMG_OK && !commit->keep && commit->base_depth == 1) {
        ret = blk_node_make_empty(top);
        ret = ret < 0 ? ret : blk_image_flush(commit->image);
        if (ret < 0 && ret != -ENOTSUP) {
            status = img_error("Could not empty %s: %s", filename, g_strerror(-ret));
        }
    }
    blk_image_free(commit->base);
    blk_image_free(commit->image);
    blk_node_unref(base);
    blk_node_unref(top);
    if (status == IMG_OK && !commit->quiet) {
        img_progress_end(&commit->progress);
        printf("Image committed.\n");
    }
    return status;
}

static int
run(BlkGraph *graph, int argc, char **argv)
{
    Commit commit = { .progress = { .last = -1 } };
    ImgArgs args;
    int id;

    img_args_init(&args, &img_commit_command, graph, argc, argv);
    while ((id = img_args_next(&args)) != -1) {
        switch (id) {
        case 'b': commit.base_name = args.value; break;
        case 'd': commit.keep = true; break;
        case 'p': commit.progress.enabled = true; break;
        case 'q': commit.quiet = true; break;
        case 'r':
            args.stop = !img_take_size(args.value, &commit.rate_bytes_s);
            args.status = IMG_FAILED;
            break;
        default: img_open_take(&commit.how, id, args.value); break;
        }
    }
    img_args_finish(&args);
    if (args.stop) {
        return args.status;
    }
    if (img_args_operands(&args) != 1) {
        img_error("commit needs the name of one image");
        return img_usage();
    }
    return run_commit(graph, &commit, argv[args.first]);
}

static const ImgOption options[] = {
    IMG_ROW_HELP,
    IMG_ROW_FORMAT,
    { 'b', NULL, "BASE", "write into this image of the chain" },
    { 'd', NULL, NULL, "do not empty the image afterwards" },
    { 'r', NULL, "BYTES", "limit of the speed, per second" },
    IMG_ROW_CACHE,
    IMG_ROW_PROGRESS,
    IMG_ROW_QUIET,
    IMG_ROW_IMAGE_OPTS,
    IMG_ROW_OBJECT,
    { 0 },
};

const ImgCommand img_commit_command = {
    .name = "commit",
    .operands = "FILE",
    .help = "write an image's changes into its backing image",
    .options = options,
    .run = run,
};
