/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Copying images for convert: several fibers, each with a buffer, take pieces in turn, read and
 * write them. Writes begin in the order of the source, so that the target is laid out like it,
 * unless that is given up for speed; compressed pieces never wait for each other, since it is the
 * processors they keep busy. A piece lets the next one go when its last write has begun: the host
 * always has the next write at hand.
 *
 * Invariants: one fiber at a time looks for the next piece (is_scanning); write_at is the end of
 * what was begun in order. Thread: fibers of the graph's context. */

#include "img.h"

#include "blk-driver.h"
#include "blk-status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Small enough for all buffers to stay in the processors' caches between reading and writing. */
enum { BUFFER_BYTES = 1 << 20, MAX_PARALLEL = 16 };

typedef enum PieceKind { PIECE_DATA, PIECE_ZERO, PIECE_SKIP } PieceKind;

typedef struct Piece {
    uint64_t offset, len;
    PieceKind kind;
} Piece;

typedef struct Run {
    const ImgCopy *copy;
    BlkContext *context;
    BlkChild *target;
    ImgProgress progress;
    uint64_t total, next, write_at, done;
    uint64_t run_end; /* what lies at next reaches so far and is ... */
    PieceKind run_kind;
    bool is_scanning, failed;
    BlkWaitQueue scan_waiters, write_waiters;
    unsigned live;
    int64_t started_us;
} Run;

static int
fail(Run *run, const char *what, uint64_t offset, int ret)
{
    if (!run->failed) {
        img_error("error while %s at byte %" G_GUINT64_FORMAT ": %s", what, offset,
                  g_strerror(-ret));
    }
    run->failed = true;
    return IMG_FAILED;
}

/* ---- the sources as one ---- */

/* The source that has OFFSET, and where in it. */
static BlkChild *
find_source(const Run *run, uint64_t offset, uint64_t *out_offset, uint64_t *out_left)
{
    for (unsigned i = 0; i < run->copy->source_count; i++) {
        uint64_t len = blk_image_get_len(run->copy->sources[i]);
        if (offset < len) {
            *out_offset = offset;
            *out_left = len - offset;
            return blk_image_get_root(run->copy->sources[i]);
        }
        offset -= len;
    }
    return NULL;
}

static int
read_sources(const Run *run, uint64_t offset, uint8_t *buf, uint64_t len)
{
    int ret = 0;

    while (len > 0 && ret == 0) {
        uint64_t local, left;
        BlkChild *source = find_source(run, offset, &local, &left);
        left = MIN(left, len);
        ret = blk_read_buffer(source, local, buf, left);
        offset += left;
        buf += left;
        len -= left;
    }
    return ret;
}

/* Sector by sector where a whole piece cannot be read; what is lost becomes zeroes. */
static void
salvage(const Run *run, uint64_t offset, uint8_t *buf, uint64_t len)
{
    for (uint64_t at = 0; at < len; at += 512) {
        uint64_t piece = MIN(512, len - at);
        int ret = read_sources(run, offset + at, buf + at, piece);
        if (ret < 0) {
            img_warning("error while reading offset %" G_GUINT64_FORMAT ": %s", offset + at,
                        g_strerror(-ret));
            memset(buf + at, 0, piece);
        }
    }
}

/* ---- the next piece ---- */

static int
look_further(Run *run)
{
    uint64_t local, left;
    BlkChild *source = find_source(run, run->next, &local, &left);
    BlkRun what;
    int ret = blk_describe_run(source, local, left, &what);

    if (ret < 0) {
        if (!run->copy->salvage) {
            return fail(run, "looking for data", run->next, ret);
        }
        what = (BlkRun){ .len_bytes = MIN(left, 65536), .data = true, .present = true };
    }
    run->run_end = run->next + what.len_bytes;
    if (run->copy->only_top && !(what.present && what.depth == 0)) {
        run->run_kind = PIECE_SKIP;
    } else {
        run->run_kind = what.zero ? PIECE_ZERO : PIECE_DATA;
    }
    return IMG_OK;
}

/* Compressed clusters are written whole: a run that ends within one makes it data. */
static void
shape_compressed(const Run *run, Piece *piece)
{
    uint64_t cluster = run->copy->cluster_bytes;

    if (piece->kind != PIECE_DATA && (piece->len >= cluster || run->run_end == run->total)) {
        piece->len = run->run_end == run->total ? piece->len : piece->len / cluster * cluster;
        return;
    }
    piece->kind = PIECE_DATA;
    piece->len = MIN(cluster, run->total - piece->offset);
}

static void
shape_plain(const Run *run, Piece *piece)
{
    uint64_t cluster = MAX(run->copy->cluster_bytes, 512);

    if (piece->kind == PIECE_DATA) {
        piece->len = MIN(piece->len, BUFFER_BYTES);
        if (piece->len > cluster && piece->offset + piece->len < run->total) {
            piece->len -= (piece->offset + piece->len) % cluster;
        }
    }
}

/* False when there is nothing left, or it was stopped. */
static bool
take_piece(Run *run, Piece *piece)
{
    int status = IMG_OK;

    while (run->is_scanning) {
        blk_wait(run->context, &run->scan_waiters);
    }
    if (img_is_cancelled() && !run->failed) {
        img_error("stopped");
        run->failed = true;
    }
    if (run->failed || run->next >= run->total) {
        blk_wake_all(run->context, &run->scan_waiters);
        return false;
    }
    run->is_scanning = true;
    if (run->next >= run->run_end) {
        status = look_further(run);
    }
    if (status == IMG_OK) {
        *piece =
            (Piece){ .offset = run->next, .len = run->run_end - run->next, .kind = run->run_kind };
        if (run->copy->compressed) {
            shape_compressed(run, piece);
        } else {
            shape_plain(run, piece);
        }
        run->next += piece->len;
    }
    run->is_scanning = false;
    blk_wake_first(run->context, &run->scan_waiters);
    return status == IMG_OK;
}

/* ---- writing ---- */

/* Bytes from AT on that are zero, or that are not, in steps of GRANULE. */
static uint64_t
find_run(const uint8_t *at, uint64_t len, uint64_t granule, bool *out_zero)
{
    uint64_t run = MIN(granule, len);

    *out_zero = blk_is_zero(at, run);
    while (run < len) {
        uint64_t step = MIN(granule, len - run);
        if (blk_is_zero(at + run, step) != *out_zero) {
            break;
        }
        run += step;
    }
    return run;
}

static int
write_zeroes(Run *run, uint64_t offset, uint64_t len)
{
    return run->copy->target_is_zero
               ? 0
               : blk_write_zeroes(run->target, offset, len, BLK_REQ_MAY_UNMAP);
}

/* The next piece's writes may begin. They do so when this fiber waits, that is, when its own last
 * write is on its way. */
static void
pass_turn(Run *run, uint64_t end)
{
    run->write_at = end;
    blk_wake_all(run->context, &run->write_waiters);
}

static int
write_plain(Run *run, uint64_t offset, const uint8_t *buf, uint64_t len)
{
    /* A cluster that has any data is allocated whole. */
    uint64_t granule = MAX(run->copy->sparse_bytes, MIN(run->copy->cluster_bytes, 65536));
    int ret = 0;

    if (run->copy->sparse_bytes == 0) {
        pass_turn(run, offset + len);
        return blk_write_buffer(run->target, offset, buf, len, 0);
    }
    while (len > 0 && ret == 0) {
        bool zero;
        uint64_t part = find_run(buf, len, granule, &zero);
        if (part == len) {
            pass_turn(run, offset + len);
        }
        ret = zero ? write_zeroes(run, offset, part)
                   : blk_write_buffer(run->target, offset, buf, part, 0);
        buf += part;
        offset += part;
        len -= part;
    }
    return ret;
}

static int
write_piece(Run *run, const Piece *piece, const uint8_t *buf)
{
    switch (piece->kind) {
    case PIECE_SKIP: return 0;
    case PIECE_ZERO: return write_zeroes(run, piece->offset, piece->len);
    case PIECE_DATA:
        if (!run->copy->compressed) {
            return write_plain(run, piece->offset, buf, piece->len);
        }
        if (run->copy->sparse_bytes && blk_is_zero(buf, piece->len)) {
            return write_zeroes(run, piece->offset, piece->len);
        }
        return blk_write_compressed(run->target, piece->offset, buf, piece->len);
    }
    return 0;
}

static void
keep_rate(Run *run)
{
    uint64_t rate = run->copy->rate_bytes_s;
    int64_t due_us, now_us = g_get_monotonic_time();

    if (rate > 0) {
        due_us = run->started_us + (int64_t)((double)run->done / (double)rate * G_USEC_PER_SEC);
        if (due_us > now_us) {
            blk_sleep_ns(run->context, (due_us - now_us) * 1000);
        }
    }
}

static void
wait_for_turn(Run *run, const Piece *piece)
{
    while (!run->failed && run->write_at != piece->offset) {
        blk_wait(run->context, &run->write_waiters);
    }
}

static void
copy_piece(Run *run, const Piece *piece, uint8_t *buf)
{
    bool in_order = !run->copy->out_of_order && !run->copy->compressed;
    int ret = piece->kind == PIECE_DATA ? read_sources(run, piece->offset, buf, piece->len) : 0;

    if (ret < 0 && run->copy->salvage) {
        salvage(run, piece->offset, buf, piece->len);
    } else if (ret < 0) {
        fail(run, "reading", piece->offset, ret);
        blk_wake_all(run->context, &run->write_waiters);
    }
    if (in_order) {
        wait_for_turn(run, piece);
    }
    if (!run->failed) {
        ret = write_piece(run, piece, buf);
        if (ret < 0) {
            fail(run, "writing", piece->offset, ret);
        }
    }
    if (in_order && run->write_at == piece->offset) {
        pass_turn(run, piece->offset + piece->len);
    }
    run->done += piece->len;
    if (!run->failed) {
        img_progress_show(&run->progress, run->done, run->total);
        keep_rate(run);
    }
}

static void
copy_fiber(void *opaque)
{
    Run *run = opaque;
    uint8_t *buf = NULL;
    Piece piece;

    if (posix_memalign((void **)&buf, 4096, MAX(BUFFER_BYTES, run->copy->cluster_bytes)) != 0) {
        fail(run, "allocating memory", 0, -ENOMEM);
    }
    while (buf && take_piece(run, &piece)) {
        copy_piece(run, &piece, buf);
    }
    free(buf);
    run->live--;
}

int
img_copy(BlkGraph *graph, const ImgCopy *copy)
{
    Run run = { .copy = copy,
                .context = blk_graph_get_context(graph),
                .target = blk_image_get_root(copy->target),
                .progress = copy->progress,
                .started_us = g_get_monotonic_time() };
    unsigned parallel = CLAMP(copy->parallel, 1, MAX_PARALLEL);
    int ret;

    for (unsigned i = 0; i < copy->source_count; i++) {
        run.total += blk_image_get_len(copy->sources[i]);
    }
    run.live = parallel;
    img_progress_show(&run.progress, 0, run.total);
    for (unsigned i = 0; i < parallel; i++) {
        blk_context_start(run.context, copy_fiber, &run);
    }
    while (run.live > 0) {
        blk_graph_poll(graph, 1000);
    }
    if (run.failed) {
        return IMG_FAILED;
    }
    img_progress_show(&run.progress, run.total, run.total);
    img_progress_end(&run.progress);
    ret = blk_image_flush(copy->target);
    return ret < 0 ? img_error("error while flushing the target: %s", g_strerror(-ret)) : IMG_OK;
}
