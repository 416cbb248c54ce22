/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Speed of a drive on a raw file: requests through VitDrive, no guest. One line of JSON per case.
 * Usage: bench-block [FILE]; the file is overwritten. `qemu-img bench -d DEPTH -s BYTES -t CACHE
 * -f raw` asks the same of its block layer. */

#include "blk.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FILE_BYTES = 256 << 20, MAX_DEPTH = 64 };

typedef struct Case {
    const char *name;
    bool write, direct;
    unsigned depth, len_bytes, count;
} Case;

static const Case cases[] = {
    { "block-read-4k-d1-cached", false, false, 1, 4096, 100000 },
    { "block-read-4k-d32-cached", false, false, 32, 4096, 100000 },
    { "block-write-4k-d1-cached", true, false, 1, 4096, 50000 },
    { "block-write-4k-d32-cached", true, false, 32, 4096, 50000 },
    { "block-read-4k-d32-direct", false, true, 32, 4096, 30000 },
    { "block-read-256k-d4-cached", false, false, 4, 256 << 10, 8000 },
};

typedef struct Bench {
    const Case *row;
    VitDrive *drive;
    unsigned started, ended;
    uint64_t offset;
} Bench;

typedef struct Slot {
    Bench *bench;
    struct iovec iov;
} Slot;

static void next_request(void *opaque, int ret);

static void
submit(Slot *slot)
{
    Bench *bench = slot->bench;
    VitDrive *drive = bench->drive;

    bench->started++;
    bench->offset += bench->row->len_bytes;
    if (bench->offset + bench->row->len_bytes > FILE_BYTES) {
        bench->offset = 0;
    }
    if (bench->row->write) {
        drive->ops->write(drive, bench->offset, &slot->iov, 1, false, next_request, slot);
    } else {
        drive->ops->read(drive, bench->offset, &slot->iov, 1, next_request, slot);
    }
}

static void
next_request(void *opaque, int ret)
{
    Slot *slot = opaque;

    if (ret < 0) {
        fprintf(stderr, "bench-block: %s\n", g_strerror(-ret));
        exit(1);
    }
    slot->bench->ended++;
    if (slot->bench->started < slot->bench->row->count) {
        submit(slot);
    }
}

static void
run_case(BlkGraph *graph, const char *path, const Case *row)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(BlkOptions) options = blk_options_new();
    BlkDriveConfig config = { 0 };
    Slot slots[MAX_DEPTH] = { { 0 } };
    Bench bench = { .row = row };
    void *memory;
    int64_t start;

    blk_options_set(options, "driver", "raw");
    blk_options_set(options, "cache.direct", row->direct ? "on" : "off");
    g_autoptr(BlkNode) node = blk_open(graph, path, options, &error);
    bench.drive = node ? blk_drive_new(graph, "bench", &config, node, &error) : NULL;
    if (!bench.drive || posix_memalign(&memory, 4096, (size_t)row->depth * row->len_bytes)) {
        printf("{ \"name\": \"%s\", \"skipped\": \"%s\" }\n", row->name,
               error ? error->message : "no memory");
        return;
    }
    start = g_get_monotonic_time();
    for (unsigned i = 0; i < row->depth; i++) {
        slots[i] =
            (Slot){ &bench, { (char *)memory + (size_t)i * row->len_bytes, row->len_bytes } };
        submit(&slots[i]);
    }
    while (bench.ended < row->count) {
        blk_graph_poll(graph, -1);
    }
    double seconds = (double)(g_get_monotonic_time() - start) / 1e6;
    printf("{ \"name\": \"%s\", \"value\": %.1f, \"unit\": \"k requests/s\" }\n", row->name,
           row->count / seconds / 1e3);
    blk_drive_free(bench.drive);
    free(memory);
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(BlkGraph) graph = blk_graph_new(NULL, NULL, &error);
    g_autofree char *path =
        argc > 1 ? g_strdup(argv[1]) : g_build_filename(g_get_tmp_dir(), "bench-block.raw", NULL);
    g_autoptr(BlkOptions) options = blk_options_new();
    g_autofree char *size = g_strdup_printf("%d", FILE_BYTES);

    blk_options_set(options, "size", size);
    blk_options_set(options, "preallocation", "full");
    if (!graph || !blk_create(graph, "raw", path, options, &error)) {
        fprintf(stderr, "bench-block: %s\n", error->message);
        return 1;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        run_case(graph, path, &cases[i]);
    }
    if (argc < 2) {
        g_unlink(path);
    }
    return 0;
}
