/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* vitrine-img bench: how fast requests of one kind are served. Each of the requests in flight is a
 * fiber that takes the next offset when it is done. */

#include "img.h"

#include "blk-driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_FLUSH_INTERVAL = IMG_OPT_OWN, OPT_NO_DRAIN, OPT_PATTERN };

typedef struct Bench {
    ImgOpen how;
    uint64_t count, depth, size, step, offset, flush_interval, pattern;
    bool write, quiet, no_drain;
    BlkChild *root;
    BlkContext *context;
    uint64_t issued, next, image_len, live;
    int ret;
} Bench;

static uint64_t
take_offset(Bench *bench)
{
    uint64_t offset = bench->next;

    bench->next += bench->step;
    if (bench->next + bench->size > bench->image_len) {
        bench->next = bench->next % MAX(bench->image_len - bench->size + 1, 1);
    }
    bench->issued++;
    return offset;
}

static int
request(Bench *bench, uint64_t offset, void *buf)
{
    int ret = bench->write ? blk_write_buffer(bench->root, offset, buf, bench->size, 0)
                           : blk_read_buffer(bench->root, offset, buf, bench->size);

    if (ret == 0 && bench->flush_interval && bench->issued % bench->flush_interval == 0) {
        ret = blk_flush(bench->root);
    }
    return ret;
}

static void
bench_fiber(void *opaque)
{
    Bench *bench = opaque;
    void *buf = NULL;

    if (posix_memalign(&buf, 4096, bench->size) == 0) {
        memset(buf, (int)bench->pattern, bench->size);
        while (bench->issued < bench->count && bench->ret == 0 && !img_is_cancelled()) {
            int ret = request(bench, take_offset(bench), buf);
            bench->ret = bench->ret < 0 ? bench->ret : ret;
        }
        free(buf);
    }
    bench->live--;
}

static int
run_bench(BlkGraph *graph, Bench *bench, const char *filename)
{
    g_autoptr(BlkNode) node = NULL;
    g_autoptr(BlkImage) image = NULL;
    int64_t start_us;

    bench->how.write = bench->write;
    node = img_open(graph, filename, &bench->how);
    image = node ? img_attach(node, bench->write) : NULL;
    if (!image) {
        return IMG_FAILED;
    }
    bench->image_len = blk_image_get_len(image);
    bench->step = bench->step ? bench->step : bench->size;
    bench->next = bench->offset;
    bench->root = blk_image_get_root(image);
    bench->context = blk_graph_get_context(graph);
    if (bench->size == 0 || bench->size > bench->image_len ||
        bench->offset > bench->image_len - bench->size) {
        return img_error("requests of %" G_GUINT64_FORMAT " bytes at %" G_GUINT64_FORMAT
                         " do not fit into the image",
                         bench->size, bench->offset);
    }
    if (!bench->quiet) {
        printf("Sending %" G_GUINT64_FORMAT " %s requests, %" G_GUINT64_FORMAT
               " bytes each, %" G_GUINT64_FORMAT
               " in parallel (starting at offset %" G_GUINT64_FORMAT
               ", step size %" G_GUINT64_FORMAT ")\n",
               bench->count, bench->write ? "write" : "read", bench->size, bench->depth,
               bench->offset, bench->step);
    }
    start_us = g_get_monotonic_time();
    bench->live = bench->depth;
    for (uint64_t i = 0; i < bench->depth; i++) {
        blk_context_start(bench->context, bench_fiber, bench);
    }
    while (bench->live > 0) {
        blk_graph_poll(graph, 1000);
    }
    if (bench->ret < 0) {
        return img_error("Failed request: %s", g_strerror(-bench->ret));
    }
    printf("Run completed in %3.3f seconds.\n",
           (double)(g_get_monotonic_time() - start_us) / G_USEC_PER_SEC);
    return img_is_cancelled() ? IMG_FAILED : IMG_OK;
}

static bool
take_option(Bench *bench, int id, const char *value)
{
    switch (id) {
    case 'c': return img_take_size(value, &bench->count);
    case 'd': return img_take_size(value, &bench->depth);
    case 's': return img_take_size(value, &bench->size);
    case 'S': return img_take_size(value, &bench->step);
    case 'o': return img_take_size(value, &bench->offset);
    case OPT_FLUSH_INTERVAL: return img_take_size(value, &bench->flush_interval);
    case OPT_PATTERN: return img_take_size(value, &bench->pattern);
    case OPT_NO_DRAIN: bench->no_drain = true; return true;
    case 'n':
    case 'i': return true; /* how the host does I/O is the file's own choice */
    case 'w': bench->write = true; return true;
    case 'q': bench->quiet = true; return true;
    default: img_open_take(&bench->how, id, value); return true;
    }
}

static int
run(BlkGraph *graph, int argc, char **argv)
{
    Bench bench = { .count = 75000, .depth = 64, .size = 4096 };
    ImgArgs args;
    int id;

    img_args_init(&args, &img_bench_command, graph, argc, argv);
    while ((id = img_args_next(&args)) != -1) {
        if (!take_option(&bench, id, args.value)) {
            args.stop = true;
            args.status = IMG_FAILED;
        }
    }
    img_args_finish(&args);
    if (args.stop) {
        return args.status;
    }
    if (img_args_operands(&args) != 1 || bench.depth == 0 || bench.depth > 1024 ||
        bench.size > 1 << 30) {
        img_error("bench needs the name of one image, a depth up to 1024 and a size up to 1G");
        return img_usage();
    }
    return run_bench(graph, &bench, argv[args.first]);
}

static const ImgOption options[] = {
    IMG_ROW_HELP,
    IMG_ROW_FORMAT,
    { 'c', NULL, "COUNT", "number of requests" },
    { 'd', NULL, "DEPTH", "requests in flight" },
    { 's', NULL, "BYTES", "size of a request" },
    { 'S', NULL, "BYTES", "from one request to the next" },
    { 'o', NULL, "BYTES", "where to begin" },
    { 'w', NULL, NULL, "write instead of reading" },
    { OPT_PATTERN, "pattern", "BYTE", "what to write" },
    { OPT_FLUSH_INTERVAL, "flush-interval", "COUNT", "flush after so many writes" },
    { OPT_NO_DRAIN, "no-drain", NULL, "do not wait for the others at a flush" },
    { 'n', "native", NULL, "use native AIO" },
    { 'i', NULL, "AIO", "threads, native or io_uring" },
    IMG_ROW_CACHE,
    IMG_ROW_QUIET,
    IMG_ROW_FORCE_SHARE,
    IMG_ROW_IMAGE_OPTS,
    IMG_ROW_OBJECT,
    { 0 },
};

const ImgCommand img_bench_command = {
    .name = "bench",
    .operands = "FILE",
    .help = "measure the speed of requests",
    .options = options,
    .run = run,
};
