/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The public face of the block layer for images at rest. Each call opens a graph of its own without
 * an event loop, as the image tool does, and closes it before it returns. Thread: any. */

#include "vit-disk.h"

#include "blk-format.h"
#include "blk.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

enum { COPY_BYTES = 1 << 20, HOLE_BYTES = 1 << 16 };

static BlkNode *
open_image(BlkGraph *graph, const char *path, const char *format, bool write, GError **error)
{
    g_autoptr(BlkOptions) options = blk_options_new();

    if (format != NULL) {
        blk_options_set(options, "driver", format);
    }
    blk_options_set(options, "read-only", write ? "off" : "on");
    blk_options_set(options, "discard", "unmap");
    return blk_open(graph, path, options, error);
}

/* ---- Looking ---- */

VitDiskInfo *
vit_disk_get_info(const char *path, const char *format, GError **error)
{
    g_autoptr(BlkGraph) graph = blk_graph_new(NULL, NULL, error);
    g_autoptr(BlkNode) node = graph ? open_image(graph, path, format, false, error) : NULL;
    BlkNodeInfo found;
    VitDiskInfo *info;

    if (!node) {
        return NULL;
    }
    blk_node_get_info(node, &found);
    info = g_new0(VitDiskInfo, 1);
    info->format = g_strdup(found.driver);
    info->len_bytes = found.len_bytes;
    info->allocated_bytes = found.allocated_bytes;
    info->backing_file = g_strdup(found.backing_file);
    return info;
}

void
vit_disk_info_free(VitDiskInfo *info)
{
    if (info) {
        g_free(info->format);
        g_free(info->backing_file);
        g_free(info);
    }
}

/* ---- Making and growing ---- */

static bool
create(BlkGraph *graph, const char *path, const char *format, uint64_t len_bytes, GError **error)
{
    g_autoptr(BlkOptions) options = blk_options_new();
    g_autofree char *size = g_strdup_printf("%" G_GUINT64_FORMAT, len_bytes);

    if (g_file_test(path, G_FILE_TEST_EXISTS)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_BUSY,
                    "%s is there already: choose another name for the new image", path);
        return false;
    }
    blk_options_set(options, "size", size);
    return blk_create(graph, format, path, options, error);
}

bool
vit_disk_create(const char *path, const char *format, uint64_t len_bytes, GError **error)
{
    g_autoptr(BlkGraph) graph = blk_graph_new(NULL, NULL, error);

    return graph && create(graph, path, format ? format : "raw", len_bytes, error);
}

bool
vit_disk_can_create(const char *format)
{
    g_autofree char *folder = g_dir_make_tmp("vitrine-XXXXXX", NULL);
    g_autofree char *path = folder ? g_build_filename(folder, "try", NULL) : NULL;
    bool can = path && vit_disk_create(path, format, 1 << 20, NULL);

    if (path) {
        g_unlink(path);
        g_rmdir(folder);
    }
    return can;
}

bool
vit_disk_grow(const char *path, const char *format, uint64_t len_bytes, GError **error)
{
    g_autoptr(BlkGraph) graph = blk_graph_new(NULL, NULL, error);
    g_autoptr(BlkNode) node = graph ? open_image(graph, path, format, true, error) : NULL;
    g_autoptr(BlkImage) image = node ? blk_image_new(node, true, error) : NULL;

    if (!image) {
        return false;
    }
    if (len_bytes < blk_image_get_len(image)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "%s would become smaller, and what lies beyond its new end would be lost: "
                    "give a size of at least %" G_GUINT64_FORMAT " bytes",
                    path, blk_image_get_len(image));
        return false;
    }
    return blk_image_resize(image, len_bytes, BLK_PREALLOC_OFF, error);
}

/* ---- Converting ---- */

typedef struct Conversion {
    BlkImage *from, *to;
    const char *from_path, *to_path;
    uint8_t *buffer;
    uint64_t at, len;
} Conversion;

static bool
fail(int ret, const char *what, const char *path, GError **error)
{
    g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "cannot %s %s: %s", what, path, g_strerror(-ret));
    return false;
}

/* Works on what lies at `at`, and moves it. */
typedef bool Piece(Conversion *conversion, GError **error);

/* One piece: a hole of any length, or up to a buffer of data. */
static bool
copy_piece(Conversion *conversion, GError **error)
{
    bool zero, data;
    int64_t run = blk_image_get_run(conversion->from, conversion->at,
                                    conversion->len - conversion->at, &zero, &data);
    int ret;

    if (run <= 0) {
        return fail(run < 0 ? (int)run : -EIO, "read", conversion->from_path, error);
    }
    if (!zero) {
        run = MIN(run, COPY_BYTES);
        ret = blk_image_read(conversion->from, conversion->at, conversion->buffer, (size_t)run);
        if (ret < 0) {
            return fail(ret, "read", conversion->from_path, error);
        }
        /* the target is new: what is zero needs no writing */
        if (!blk_is_zero(conversion->buffer, (size_t)run)) {
            ret = blk_image_write(conversion->to, conversion->at, conversion->buffer, (size_t)run);
            if (ret < 0) {
                return fail(ret, "write", conversion->to_path, error);
            }
        }
    }
    conversion->at += (uint64_t)run;
    return true;
}

/* One piece, in which holes are made of zeroes that are stored. */
static bool
compact_piece(Conversion *conversion, GError **error)
{
    BlkRun run = { 0 };
    int ret = blk_image_describe_run(conversion->to, conversion->at,
                                     conversion->len - conversion->at, &run);
    size_t len = (size_t)MIN(run.len_bytes, COPY_BYTES);

    if (ret < 0 || run.len_bytes == 0) {
        return fail(ret < 0 ? ret : -EIO, "read", conversion->to_path, error);
    }
    if (run.zero || !run.data || run.depth > 0) {
        conversion->at += run.len_bytes;
        return true;
    }
    ret = blk_image_read(conversion->to, conversion->at, conversion->buffer, len);
    if (ret < 0) {
        return fail(ret, "read", conversion->to_path, error);
    }
    for (size_t at = 0, piece; at < len && ret >= 0; at += piece) {
        piece = HOLE_BYTES - (conversion->at + at) % HOLE_BYTES;
        piece = MIN(piece, len - at);
        if (blk_is_zero(conversion->buffer + at, piece)) {
            ret = blk_image_write_zeroes(conversion->to, conversion->at + at, piece, true);
        }
    }
    conversion->at += len;
    return ret >= 0 || fail(ret, "write", conversion->to_path, error);
}

static bool
walk_all(Conversion *conversion, Piece *piece, VitDiskProgress progress, void *data,
         GCancellable *cancellable, GError **error)
{
    int ret;

    conversion->len = blk_image_get_len(conversion->from);
    while (conversion->at < conversion->len) {
        if (g_cancellable_set_error_if_cancelled(cancellable, error) || !piece(conversion, error)) {
            return false;
        }
        if (progress) {
            progress((double)conversion->at / (double)conversion->len, data);
        }
    }
    ret = blk_image_flush(conversion->to);
    return ret >= 0 || fail(ret, "write", conversion->to_path, error);
}

bool
vit_disk_convert(const char *from, const char *from_format, const char *to, const char *to_format,
                 VitDiskProgress progress, void *data, GCancellable *cancellable, GError **error)
{
    g_autoptr(BlkGraph) graph = blk_graph_new(NULL, NULL, error);
    g_autoptr(BlkNode) source = graph ? open_image(graph, from, from_format, false, error) : NULL;
    g_autoptr(BlkImage) reader = source ? blk_image_new(source, false, error) : NULL;
    g_autofree uint8_t *buffer = g_malloc(COPY_BYTES);
    bool ok;

    if (!reader || !create(graph, to, to_format, blk_image_get_len(reader), error)) {
        return false;
    }
    {
        g_autoptr(BlkNode) target = open_image(graph, to, to_format, true, error);
        g_autoptr(BlkImage) writer = target ? blk_image_new(target, true, error) : NULL;
        Conversion conversion = { reader, writer, from, to, buffer, 0, 0 };

        ok = writer && walk_all(&conversion, copy_piece, progress, data, cancellable, error);
    }
    if (!ok) {
        g_unlink(to);
    }
    return ok;
}

bool
vit_disk_compact(const char *path, const char *format, VitDiskProgress progress, void *data,
                 GCancellable *cancellable, GError **error)
{
    g_autoptr(BlkGraph) graph = blk_graph_new(NULL, NULL, error);
    g_autoptr(BlkNode) node = graph ? open_image(graph, path, format, true, error) : NULL;
    g_autoptr(BlkImage) image = node ? blk_image_new(node, true, error) : NULL;
    g_autofree uint8_t *buffer = g_malloc(COPY_BYTES);
    Conversion work = { image, image, path, path, buffer, 0, 0 };

    return image && walk_all(&work, compact_piece, progress, data, cancellable, error);
}

/* ---- Checking ---- */

bool
vit_disk_check(const char *path, const char *format, bool repair, VitDiskCheck *out, GError **error)
{
    g_autoptr(BlkGraph) graph = blk_graph_new(NULL, NULL, error);
    g_autoptr(BlkNode) node = graph ? open_image(graph, path, format, repair, error) : NULL;
    BlkCheck check = { .fix_leaks = repair, .fix_errors = repair };

    if (!node || !blk_node_check(node, &check, error)) {
        return false;
    }
    *out = (VitDiskCheck){
        .errors = check.corruptions + check.check_errors,
        .leaks = check.leaks,
        .errors_mended = check.corruptions_fixed,
        .leaks_mended = check.leaks_fixed,
    };
    return true;
}
