/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Copy-on-write overlay for one session (snapshot=on): changed granules lie in a nameless sparse
 * file at the same offset as in the image, and one bit each says which they are. A write that
 * covers a granule in part first brings the rest over from the image.
 *
 * Invariants:
 *  1. A granule's bit is set after all of it is in the file, and cleared only by a commit.
 *  2. Whoever sets a bit for a granule written in part holds that granule's range exclusively;
 *     everybody else holds what he touches shared.
 *  3. The image is read only below backing_len: what a shrink cut off never comes back.
 *
 * Nothing is ever flushed: the file is worthless after the session. Thread: in a fiber. */

#include "blk-overlay.h"

#include "blk-file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { GRANULE_BITS = 16, GRANULE_BYTES = 1 << GRANULE_BITS, COPY_BYTES = 1 << 20 };

typedef struct BlkOverlay {
    uint64_t len, backing_len;
    uint64_t granules;
    uint8_t *present; /* one bit per granule */
    BlkRangeSet ranges;
    bool is_committing;
} BlkOverlay;

static bool
is_present(const BlkOverlay *overlay, uint64_t granule)
{
    return granule < overlay->granules && (overlay->present[granule / 8] & 1u << granule % 8);
}

static void
set_present(BlkOverlay *overlay, uint64_t first, uint64_t end)
{
    for (uint64_t granule = first; granule < MIN(end, overlay->granules); granule++) {
        overlay->present[granule / 8] |= (uint8_t)(1u << granule % 8);
    }
}

/* How far from OFFSET on, at most LEN, granules are alike. */
static uint64_t
find_run(const BlkOverlay *overlay, uint64_t offset, uint64_t len, bool *out_present)
{
    uint64_t granule = offset >> GRANULE_BITS, end = offset + len;
    bool present = is_present(overlay, granule);

    do {
        granule++;
    } while (granule << GRANULE_BITS < end && is_present(overlay, granule) == present);
    *out_present = present;
    return MIN(granule << GRANULE_BITS, end) - offset;
}

static bool
is_all_present(const BlkOverlay *overlay, uint64_t offset, uint64_t len)
{
    bool present;

    return find_run(overlay, offset, len, &present) == len && present;
}

/* ---- reading ---- */

static int
read_backing(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    const BlkOverlay *overlay = node->state;
    uint64_t there = offset >= overlay->backing_len ? 0 : MIN(len, overlay->backing_len - offset);
    int ret = there > 0 ? blk_read(node->backing, offset, there, vec, at) : 0;

    if (ret == 0 && there < len) {
        blk_vec_fill(vec, at + there, len - there, 0);
    }
    return ret;
}

static int
read_runs(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    const BlkOverlay *overlay = node->state;
    int ret = 0;

    while (len > 0 && ret == 0) {
        bool present;
        uint64_t run = find_run(overlay, offset, len, &present);
        ret = present ? blk_read(node->file, offset, run, vec, at)
                      : read_backing(node, offset, run, vec, at);
        offset += run;
        at += run;
        len -= run;
    }
    return ret;
}

static int
overlay_read(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    BlkOverlay *overlay = node->state;
    BlkRange range;
    int ret;

    blk_range_acquire(node->context, &overlay->ranges, &range, offset, offset + len, false);
    ret = read_runs(node, offset, len, vec, at);
    blk_range_release(node->context, &overlay->ranges, &range);
    return ret;
}

/* ---- writing ---- */

/* Brings [from, to), within one granule, over from the image. */
static int
copy_up(BlkNode *node, uint64_t from, uint64_t to)
{
    uint8_t *buf = NULL;
    int ret;

    if (from >= to) {
        return 0;
    }
    if (posix_memalign((void **)&buf, 4096, to - from) != 0) {
        return -ENOMEM;
    }
    struct iovec iov = { .iov_base = buf, .iov_len = to - from };
    BlkVec vec = blk_vec_make(&iov, 1);
    ret = read_backing(node, from, to - from, &vec, 0);
    if (ret == 0) {
        ret = blk_write(node->file, from, to - from, &vec, 0, 0);
    }
    free(buf);
    return ret;
}

/* The parts of the first and last granule that [offset, end) leaves out. */
static int
copy_up_edges(BlkNode *node, uint64_t offset, uint64_t end)
{
    const BlkOverlay *overlay = node->state;
    uint64_t first = offset >> GRANULE_BITS, last = (end - 1) >> GRANULE_BITS;
    int ret = 0;

    if (!is_present(overlay, first)) {
        ret = copy_up(node, first << GRANULE_BITS, offset);
    }
    if (ret == 0 && !is_present(overlay, last)) {
        ret = copy_up(node, end, MIN((last + 1) << GRANULE_BITS, MAX(overlay->len, end)));
    }
    return ret;
}

typedef struct Change {
    BlkNode *node;
    uint64_t offset, len;
    const BlkVec *vec; /* NULL: zeroes */
    uint64_t at;
} Change;

static int
apply_change(const Change *change)
{
    if (change->vec) {
        return blk_write(change->node->file, change->offset, change->len, change->vec, change->at,
                         0);
    }
    return blk_write_zeroes(change->node->file, change->offset, change->len, BLK_REQ_MAY_UNMAP);
}

static int
run_change(const Change *change)
{
    BlkNode *node = change->node;
    BlkOverlay *overlay = node->state;
    uint64_t offset = change->offset, end = offset + change->len;
    bool exclusive = !is_all_present(overlay, offset, change->len);
    uint64_t start = exclusive ? offset & ~(uint64_t)(GRANULE_BYTES - 1) : offset;
    BlkRange range;
    int ret;

    blk_range_acquire(node->context, &overlay->ranges, &range, start,
                      exclusive ? ((end - 1) | (GRANULE_BYTES - 1)) + 1 : end, exclusive);
    ret = exclusive ? copy_up_edges(node, offset, end) : 0;
    if (ret == 0) {
        ret = apply_change(change);
    }
    if (ret == 0 && exclusive) {
        set_present(overlay, offset >> GRANULE_BITS, ((end - 1) >> GRANULE_BITS) + 1);
    }
    blk_range_release(node->context, &overlay->ranges, &range);
    return ret;
}

static int
overlay_write(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
              unsigned flags)
{
    return run_change(&(Change){ node, offset, len, vec, at });
}

static int
overlay_write_zeroes(BlkNode *node, uint64_t offset, uint64_t len, unsigned flags)
{
    return run_change(&(Change){ node, offset, len, NULL, 0 });
}

/* ---- size and state ---- */

static int64_t
overlay_get_len(BlkNode *node)
{
    const BlkOverlay *overlay = node->state;

    return (int64_t)overlay->len;
}

static bool
resize_map(BlkOverlay *overlay, uint64_t len)
{
    uint64_t granules = (len + GRANULE_BYTES - 1) >> GRANULE_BITS;
    uint64_t old_bytes = (overlay->granules + 7) / 8, bytes = (granules + 7) / 8;
    uint8_t *present = g_try_realloc(overlay->present, MAX(bytes, 1));

    if (!present) {
        return false;
    }
    if (bytes > old_bytes) {
        memset(present + old_bytes, 0, bytes - old_bytes);
    }
    for (uint64_t granule = granules; granule < MIN(bytes * 8, overlay->granules); granule++) {
        present[granule / 8] &= (uint8_t) ~(1u << granule % 8);
    }
    overlay->present = present;
    overlay->granules = granules;
    overlay->len = len;
    return true;
}

static bool
overlay_truncate(BlkNode *node, uint64_t len, BlkPreallocation prealloc, GError **error)
{
    BlkOverlay *overlay = node->state;

    if (!blk_truncate(node->file, len, BLK_PREALLOC_OFF, error)) {
        return false;
    }
    if (!resize_map(overlay, len)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NO_MEMORY,
                    "No memory for an overlay of %" G_GUINT64_FORMAT " bytes.", len);
        return false;
    }
    overlay->backing_len = MIN(overlay->backing_len, len);
    return true;
}

static int
overlay_status(BlkNode *node, uint64_t offset, uint64_t len, BlkStatus *out)
{
    const BlkOverlay *overlay = node->state;
    bool present;
    uint64_t run = find_run(overlay, offset, len, &present);

    if (present) {
        return blk_get_status(node->file, offset, run, out);
    }
    if (offset >= overlay->backing_len) {
        *out = (BlkStatus){ .flags = BLK_STATUS_ZERO, .len_bytes = run };
        return 0;
    }
    int ret = blk_get_status(node->backing, offset, MIN(run, overlay->backing_len - offset), out);
    out->flags &= ~(unsigned)BLK_STATUS_ALLOCATED;
    return ret;
}

static bool
overlay_open(BlkNode *node, GError **error)
{
    BlkOverlay *overlay = node->state;

    overlay->len = overlay->backing_len = blk_node_get_len(node->backing->node);
    if (!resize_map(overlay, overlay->len)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NO_MEMORY,
                    "'%s' is too large for a temporary overlay.", node->filename);
        return false;
    }
    node->limits.write_flags = node->limits.zeroes_flags = BLK_REQ_FUA | BLK_REQ_MAY_UNMAP;
    return true;
}

static void
overlay_close(BlkNode *node)
{
    BlkOverlay *overlay = node->state;

    g_free(overlay->present);
}

static void
overlay_child_perm(BlkNode *node, const BlkChild *child, unsigned *perm, unsigned *shared)
{
    const BlkOverlay *overlay = node->state;

    if (child == node->file) {
        *perm = BLK_PERM_ALL;
        *shared = 0;
        return;
    }
    *perm = BLK_PERM_CONSISTENT_READ;
    if (overlay->is_committing) {
        *perm |= BLK_PERM_WRITE | BLK_PERM_RESIZE;
    }
    *shared = BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE_UNCHANGED;
}

/* ---- making and committing ---- */

static void
init_overlay(BlkNode *node, void *opaque)
{
    BlkNode *image = opaque;

    node->filename = g_strdup(image->filename);
    node->discard_unmap = true;
}

BlkNode *
blk_overlay_open(BlkGraph *graph, BlkNode *image, GError **error)
{
    g_autoptr(BlkNode) file = blk_file_open_temporary(graph, blk_node_get_len(image), error);

    return file ? blk_node_open_internal(graph, &blk_overlay_driver, file, image, init_overlay,
                                         image, error)
                : NULL;
}

bool
blk_node_is_overlay(const BlkNode *node)
{
    return node->driver == &blk_overlay_driver;
}

static int
copy_down(BlkNode *node)
{
    BlkOverlay *overlay = node->state;
    g_autofree uint8_t *buf = g_malloc(COPY_BYTES);
    uint64_t offset = 0;
    int ret = 0;

    while (offset < overlay->len && ret == 0) {
        bool present;
        uint64_t run = find_run(overlay, offset, overlay->len - offset, &present);
        if (present) {
            run = MIN(run, COPY_BYTES);
            ret = blk_read_buffer(node->file, offset, buf, run);
            ret = ret < 0 ? ret : blk_write_buffer(node->backing, offset, buf, run, 0);
        }
        offset += run;
    }
    return ret < 0 ? ret : blk_flush(node->backing);
}

static bool
commit_writable(BlkNode *node, GError **error)
{
    BlkOverlay *overlay = node->state;
    int ret;

    if (blk_node_get_len(node->backing->node) != overlay->len &&
        !blk_truncate(node->backing, overlay->len, BLK_PREALLOC_OFF, error)) {
        return false;
    }
    ret = copy_down(node);
    if (ret < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO,
                    "The changes cannot be written into '%s': %s. They are still in the "
                    "temporary file; make room and try again.",
                    node->filename, g_strerror(-ret));
        return false;
    }
    overlay->backing_len = overlay->len;
    memset(overlay->present, 0, (overlay->granules + 7) / 8);
    blk_discard(node->file, 0, overlay->len);
    return true;
}

typedef struct CommitCall {
    BlkNode *node;
    bool ok;
    GError **error;
} CommitCall;

static void
commit_call(void *opaque)
{
    CommitCall *call = opaque;
    BlkOverlay *overlay = call->node->state;

    overlay->is_committing = true;
    call->ok =
        blk_node_update_perm(call->node, call->error) && commit_writable(call->node, call->error);
    overlay->is_committing = false;
    blk_node_update_perm(call->node, NULL);
}

bool
blk_overlay_commit(BlkNode *node, GError **error)
{
    BlkNode *image = node->backing->node;
    CommitCall call = { .node = node, .error = error };
    bool was_read_only = image->read_only;

    if (was_read_only && !blk_node_set_read_only(image, false, error)) {
        return false;
    }
    blk_context_run(node->context, commit_call, &call);
    if (was_read_only) {
        blk_node_set_read_only(image, true, NULL);
    }
    return call.ok;
}

static const BlkChildSlot slots[] = { { .name = "file" }, { .name = "backing" }, { 0 } };

const BlkDriver blk_overlay_driver = {
    .name = "overlay",
    .title = VIT_N_("Temporary overlay"),
    .role = BLK_ROLE_FORMAT,
    .state_size = sizeof(BlkOverlay),
    .slots = slots,
    .open = overlay_open,
    .close = overlay_close,
    .read = overlay_read,
    .write = overlay_write,
    .write_zeroes = overlay_write_zeroes,
    .get_len = overlay_get_len,
    .truncate = overlay_truncate,
    .status = overlay_status,
    .child_perm = overlay_child_perm,
};
