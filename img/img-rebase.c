/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* vitrine-img rebase: gives an image another backing image. Safely: what would read differently is
 * first written into the image itself; with -u only the name is changed. Stopping midway leaves
 * the old backing image, with which everything still reads the same. */

#include "img.h"

#include "blk-path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER_BYTES = 1 << 20 };

typedef struct Rebase {
    ImgOpen how;
    const char *backing, *format;
    bool unsafe;
    ImgProgress progress;
    BlkImage *image, *target; /* target: the new backing, NULL when there is none */
    uint8_t *have, *would;
} Rebase;

/* What would be read at OFFSET without own data. */
static int
read_new_backing(const Rebase *rebase, uint64_t offset, uint64_t len)
{
    uint64_t target_len = rebase->target ? blk_image_get_len(rebase->target) : 0;
    uint64_t there = offset >= target_len ? 0 : MIN(len, target_len - offset);

    memset(rebase->would + there, 0, len - there);
    return there ? blk_image_read(rebase->target, offset, rebase->would, there) : 0;
}

/* Keeps [offset, offset + len), which is not the image's own, where the new backing differs. */
static int
keep_range(const Rebase *rebase, uint64_t offset, uint64_t len)
{
    int ret = blk_image_read(rebase->image, offset, rebase->have, len);

    ret = ret < 0 ? ret : read_new_backing(rebase, offset, len);
    for (uint64_t at = 0; at < len && ret == 0;) {
        uint64_t run = 0;
        while (at + run < len && memcmp(rebase->have + at + run, rebase->would + at + run,
                                        MIN(4096, len - at - run)) != 0) {
            run += MIN(4096, len - at - run);
        }
        if (run > 0) {
            ret = blk_image_write(rebase->image, offset + at, rebase->have + at, run);
        }
        at += MAX(run, MIN(4096, len - at));
    }
    return ret;
}

static int
keep_content(Rebase *rebase)
{
    uint64_t len = blk_image_get_len(rebase->image), offset = 0;
    int ret = 0;

    while (offset < len && ret == 0) {
        BlkRun run;
        if (img_is_cancelled()) {
            return img_error("stopped");
        }
        ret = blk_image_describe_run(rebase->image, offset, len - offset, &run);
        run.len_bytes = MIN(run.len_bytes, BUFFER_BYTES);
        if (ret == 0 && !(run.present && run.depth == 0)) {
            ret = keep_range(rebase, offset, run.len_bytes);
        }
        offset += run.len_bytes;
        img_progress_show(&rebase->progress, offset, len);
    }
    ret = ret < 0 ? ret : blk_image_flush(rebase->image);
    return ret < 0 ? img_error("error while copying at byte %" G_GUINT64_FORMAT ": %s", offset,
                               g_strerror(-ret))
                   : IMG_OK;
}

static int
run_safe(BlkGraph *graph, Rebase *rebase, BlkNode *node, const char *filename)
{
    ImgOpen how = { .format = rebase->format, .force_share = true, .cache = rebase->how.cache };
    g_autoptr(BlkNode) target = NULL;
    g_autofree char *path = NULL;
    GError *error = NULL;
    int status = IMG_FAILED;

    if (rebase->backing && *rebase->backing) {
        path = blk_path_resolve(filename, rebase->backing, &error);
        target = path ? img_try_open(graph, path, &how, &error) : NULL;
        if (!target) {
            g_prefix_error(&error, "the new backing image cannot be used: ");
            return img_error_take(error);
        }
    }
    rebase->image = img_attach(node, true);
    rebase->target = target ? img_attach(target, false) : NULL;
    if (rebase->image && (!target || rebase->target) &&
        posix_memalign((void **)&rebase->have, 4096, BUFFER_BYTES) == 0 &&
        posix_memalign((void **)&rebase->would, 4096, BUFFER_BYTES) == 0) {
        status = keep_content(rebase);
    }
    free(rebase->have);
    free(rebase->would);
    blk_image_free(rebase->image);
    blk_image_free(rebase->target);
    return status;
}

static int
run_rebase(BlkGraph *graph, Rebase *rebase, const char *filename)
{
    g_autoptr(BlkNode) node = NULL;
    GError *error = NULL;

    rebase->how.write = true;
    rebase->how.no_backing = rebase->unsafe;
    node = img_open(graph, filename, &rebase->how);
    if (!node || (!rebase->unsafe && run_safe(graph, rebase, node, filename) != IMG_OK)) {
        return IMG_FAILED;
    }
    if (!blk_node_set_backing_name(node, rebase->backing, rebase->format, &error)) {
        return img_error_take(error);
    }
    img_progress_end(&rebase->progress);
    return IMG_OK;
}

static int
run(BlkGraph *graph, int argc, char **argv)
{
    Rebase rebase = { .progress = { .last = -1 } };
    bool given = false;
    ImgArgs args;
    int id;

    img_args_init(&args, &img_rebase_command, graph, argc, argv);
    while ((id = img_args_next(&args)) != -1) {
        switch (id) {
        case 'b':
            rebase.backing = args.value;
            given = true;
            break;
        case 'F': rebase.format = args.value; break;
        case 'u': rebase.unsafe = true; break;
        case 'p': rebase.progress.enabled = true; break;
        default: img_open_take(&rebase.how, id, args.value); break;
        }
    }
    img_args_finish(&args);
    if (args.stop) {
        return args.status;
    }
    if (img_args_operands(&args) != 1 || (!rebase.unsafe && !given)) {
        img_error(given ? "rebase needs the name of one image"
                        : "rebase needs the new backing image: -b FILE, or -b \"\" for none");
        return img_usage();
    }
    return run_rebase(graph, &rebase, argv[args.first]);
}

static const ImgOption options[] = {
    IMG_ROW_HELP,
    IMG_ROW_FORMAT,
    { 'b', NULL, "BACKING", "the new backing image; empty: none" },
    { 'F', NULL, "FMT", "its format" },
    { 'u', NULL, NULL, "change the name only" },
    IMG_ROW_CACHE,
    IMG_ROW_SRC_CACHE,
    IMG_ROW_PROGRESS,
    IMG_ROW_QUIET,
    IMG_ROW_FORCE_SHARE,
    IMG_ROW_IMAGE_OPTS,
    IMG_ROW_OBJECT,
    { 0 },
};

const ImgCommand img_rebase_command = {
    .name = "rebase",
    .operands = "-b BACKING FILE",
    .help = "give an image another backing image",
    .options = options,
    .run = run,
};
