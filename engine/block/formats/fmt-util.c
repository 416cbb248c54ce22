/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Locks among fibers, errors with their place, new files, and packing, for the formats of this
 * folder. Thread: in a fiber. */

#include "fmt.h"

#include <bzlib.h>
#include <string.h>
#include <zlib.h>

/* ---- locks ---- */

void
fmt_lock(BlkNode *node, FmtLock *lock)
{
    while (lock->is_held) {
        blk_wait(node->context, &lock->waiters);
    }
    lock->is_held = true;
}

void
fmt_unlock(BlkNode *node, FmtLock *lock)
{
    lock->is_held = false;
    blk_wake_first(node->context, &lock->waiters);
}

/* ---- errors and reading of headers ---- */

bool
fmt_set_bad(BlkNode *node, GError **error, uint64_t offset, const char *field, const char *format,
            ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, VIT_ERROR, VIT_ERROR_CORRUPT, "'%s', offset %" PRIu64 " (%s): %s.",
                node->filename, offset, field, text);
    return false;
}

uint64_t
fmt_file_len(const BlkChild *file)
{
    return blk_node_get_len(file->node);
}

bool
fmt_check_settled(const BlkNode *node, int ret, GError **error)
{
    if (ret < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "'%s' cannot be brought up to date: %s.",
                    node->filename, g_strerror(-ret));
    }
    return ret >= 0;
}

bool
fmt_read(BlkNode *node, BlkChild *file, uint64_t offset, void *buf, size_t len, const char *field,
         GError **error)
{
    uint64_t file_len = fmt_file_len(file);
    int ret;

    if (offset > file_len || len > file_len - offset) {
        return fmt_set_bad(node, error, offset, field,
                           "'%s' has only %" PRIu64 " bytes, it ends within this",
                           file->node->filename, file_len);
    }
    ret = blk_read_buffer(file, offset, buf, len);
    if (ret < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "'%s' cannot be read at %" PRIu64 " (%s): %s.",
                    file->node->filename, offset, field, g_strerror(-ret));
    }
    return ret == 0;
}

bool
fmt_write(BlkChild *file, uint64_t offset, const void *buf, size_t len, GError **error)
{
    int ret = blk_write_buffer(file, offset, buf, len, 0);

    if (ret < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "'%s' cannot be written at %" PRIu64 ": %s.",
                    file->node->filename, offset, g_strerror(-ret));
    }
    return ret == 0;
}

bool
fmt_open_beside(BlkNode *node, const char *path, const char *slot, GError **error)
{
    g_autoptr(BlkOptions) options = blk_options_new();
    BlkNode *file;

    blk_options_set(options, "filename", path);
    blk_options_set(options, "read-only", node->read_only ? "on" : "off");
    blk_options_set(options, "auto-read-only", node->auto_read_only ? "on" : "off");
    blk_options_set(options, "cache.direct", node->cache_direct ? "on" : "off");
    blk_options_set(options, "cache.no-flush", node->no_flush ? "on" : "off");
    blk_options_set(options, "discard", "unmap");
    if (node->force_share) {
        blk_options_set(options, "force-share", "on");
    }
    file = blk_open_in_fiber(node->graph, options, true, error);
    if (!file) {
        g_prefix_error(error, "'%s' needs another file: ", node->filename);
        return false;
    }
    blk_node_add_child(node, slot, file);
    return blk_node_update_perm(node, error);
}

bool
fmt_refuse_writing(BlkNode *node, bool read_only, GError **error)
{
    if (!read_only) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s': images like this one, in format '%s', can only be read: open it with "
                    "read-only=on, or convert it.",
                    node->filename, node->driver->name);
    }
    return read_only;
}

bool
fmt_make_read_only(BlkNode *node, GError **error)
{
    if (!node->read_only && !node->auto_read_only) {
        return fmt_refuse_writing(node, false, error);
    }
    node->read_only = true;
    return true;
}

/* ---- new files ---- */

typedef struct Filling {
    FmtFill fill;
    const void *create;
} Filling;

static const char *
describe_creator(void *opaque)
{
    return "the making of an image";
}

static bool
fill_file(BlkNode *file, const void *opaque, GError **error)
{
    static const BlkUser creator = { .describe = describe_creator };
    const Filling *filling = opaque;
    BlkChild *edge =
        blk_child_attach(file, &creator, NULL, BLK_PERM_ALL, BLK_PERM_CONSISTENT_READ, error);
    bool ok;

    if (!edge) {
        return false;
    }
    blk_node_ref(file);
    ok = filling->fill(edge, filling->create, error);
    blk_child_detach(edge);
    return ok;
}

bool
fmt_create_file(BlkGraph *graph, const char *filename, bool no_cow, FmtFill fill,
                const void *create, bool *out_is_new, GError **error)
{
    const BlkNewFile wish = { .no_cow = no_cow };
    const Filling filling = { .fill = fill, .create = create };

    return blk_make_file(graph, filename, &wish, fill_file, &filling, out_is_new, error);
}

bool
fmt_take_size(const char *format, uint64_t size, uint64_t max, uint64_t *out, GError **error)
{
    if (size > max) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "%s: a disk of %" PRIu64 " bytes is too large; the format has at most %" PRIu64
                    " bytes.",
                    format, size, max);
        return false;
    }
    *out = fmt_round_up(size, FMT_SECTOR_BYTES);
    return true;
}

bool
fmt_is_power_of_two(uint64_t value)
{
    return value && !(value & (value - 1));
}

void
fmt_put_uuid(uint8_t *out)
{
    for (unsigned i = 0; i < 16; i += 4) {
        fmt_put_le32(out + i, g_random_int());
    }
    out[7] = (uint8_t)((out[7] & 0x0f) | 0x40);
    out[8] = (uint8_t)((out[8] & 0x3f) | 0x80);
}

void
fmt_report(const BlkCheck *check, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    if (check->report) {
        va_start(args, format);
        text = g_strdup_vprintf(format, args);
        va_end(args);
        check->report(check->opaque, text);
    }
}

/* ---- compression ---- */

typedef struct PackJob {
    FmtCodec codec;
    const void *in;
    size_t in_len;
    void *out;
    size_t out_len;
} PackJob;

static int
inflate_job(const PackJob *job)
{
    z_stream stream = { .next_in = (Bytef *)job->in,
                        .avail_in = (uInt)job->in_len,
                        .next_out = job->out,
                        .avail_out = (uInt)job->out_len };
    int ret;

    if (inflateInit(&stream) != Z_OK) {
        return -ENOMEM;
    }
    ret = inflate(&stream, Z_FINISH);
    inflateEnd(&stream);
    return ret == Z_STREAM_END || ((ret == Z_BUF_ERROR || ret == Z_OK) && stream.avail_out == 0)
               ? (int)(job->out_len - stream.avail_out)
               : -EIO;
}

static int
bunzip_job(const PackJob *job)
{
    bz_stream stream = { .next_in = (char *)job->in,
                         .avail_in = (unsigned)job->in_len,
                         .next_out = job->out,
                         .avail_out = (unsigned)job->out_len };
    int ret;

    if (BZ2_bzDecompressInit(&stream, 0, 0) != BZ_OK) {
        return -ENOMEM;
    }
    ret = BZ2_bzDecompress(&stream);
    BZ2_bzDecompressEnd(&stream);
    return ret == BZ_STREAM_END || (ret == BZ_OK && stream.avail_out == 0)
               ? (int)(job->out_len - stream.avail_out)
               : -EIO;
}

static int
unpack_worker(void *arg)
{
    const PackJob *job = arg;

    return job->codec == FMT_ZLIB ? inflate_job(job) : bunzip_job(job);
}

int
fmt_unpack(BlkContext *context, FmtCodec codec, const void *in, size_t in_len, void *out,
           size_t out_len)
{
    PackJob job = { .codec = codec, .in = in, .in_len = in_len, .out = out, .out_len = out_len };

    if (in_len > INT32_MAX || out_len > INT32_MAX) {
        return -EFBIG;
    }
    return blk_pool_run_here(context, NULL, unpack_worker, &job);
}

static int
pack_worker(void *arg)
{
    PackJob *job = arg;
    uLongf len = job->out_len;

    return compress2(job->out, &len, job->in, job->in_len, Z_DEFAULT_COMPRESSION) == Z_OK ? (int)len
                                                                                          : -EIO;
}

int
fmt_pack(BlkContext *context, const void *in, size_t in_len, void *out, size_t out_len)
{
    PackJob job = { .in = in, .in_len = in_len, .out = out, .out_len = out_len };

    return blk_pool_run_here(context, NULL, pack_worker, &job);
}

size_t
fmt_pack_bound(size_t len)
{
    return compressBound(len);
}

/* ---- LUKS ---- */

typedef struct LuksJob {
    const BlkLuksWish *wish;
    const char *password;
    uint8_t *area;
    size_t len;
    GError *error;
} LuksJob;

static int
luks_worker(void *arg)
{
    LuksJob *job = arg;

    job->area = blk_luks_format(job->wish, job->password, &job->len, &job->error);
    return 0;
}

uint8_t *
fmt_format_luks(BlkContext *context, const BlkLuksWish *wish, const char *password, size_t *out_len,
                GError **error)
{
    LuksJob job = { .wish = wish, .password = password };

    blk_pool_run(context, luks_worker, &job);
    if (!job.area) {
        g_propagate_error(error, job.error);
        return NULL;
    }
    *out_len = job.len;
    return job.area;
}
