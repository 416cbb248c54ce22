/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Compressed clusters: raw deflate or zstd frames, packed behind each other.
 *
 * Specification: "Compressed Clusters Descriptor". A cluster that does not become smaller is
 * written as it is. Compressing runs on the workers, so several requests use several processors.
 * Thread: in a fiber; the codecs on workers. */

#include "qcow2.h"

#include <string.h>
#include <zlib.h>
#include <zstd.h>

#ifdef HAVE_LIBDEFLATE
#include <libdeflate.h>
#endif

/* With libdeflate the window is as long as a cluster, which readers that unpack a whole cluster at
 * once need not know: qemu-img does, and so do we. Without it: zlib moves its hash table each time
 * the window is full, so a short window with a table of its order is what is fast; on text, level 7
 * takes 1.4 times the bytes per second of level 9 and makes them 0.2% longer. */
enum { DEFLATE_LEVEL = 6, WINDOW_BITS = 12, MEM_LEVEL = 7, TRIAL_BYTES = 8192 };

typedef struct Codec {
    uint32_t type;
    const void *in;
    size_t in_len;
    void *out;
    size_t out_len;
} Codec;

#ifdef HAVE_LIBDEFLATE
/* 0: it did not become smaller. */
static int
deflate_bytes(const Codec *codec)
{
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(DEFLATE_LEVEL);
    size_t len;

    if (!compressor) {
        return -ENOMEM;
    }
    len = libdeflate_deflate_compress(compressor, codec->in, codec->in_len, codec->out,
                                      codec->out_len);
    libdeflate_free_compressor(compressor);
    return (int)len;
}

/* False: left to zlib, which takes what is odd. */
static bool
inflate_quickly(const Codec *codec)
{
    struct libdeflate_decompressor *decompressor = libdeflate_alloc_decompressor();
    enum libdeflate_result result;

    if (!decompressor) {
        return false;
    }
    result = libdeflate_deflate_decompress(decompressor, codec->in, codec->in_len, codec->out,
                                           codec->out_len, NULL);
    libdeflate_free_decompressor(decompressor);
    return result == LIBDEFLATE_SUCCESS;
}
#else
static int
deflate_bytes(const Codec *codec)
{
    z_stream stream = { 0 };
    int ret;

    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -WINDOW_BITS, MEM_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        return -ENOMEM;
    }
    stream.next_in = (Bytef *)codec->in;
    stream.avail_in = (uInt)codec->in_len;
    stream.next_out = codec->out;
    stream.avail_out = (uInt)codec->out_len;
    ret = deflate(&stream, Z_FINISH);
    deflateEnd(&stream);
    return ret == Z_STREAM_END ? (int)(codec->out_len - stream.avail_out) : 0;
}

static bool
inflate_quickly(const Codec *codec)
{
    return false;
}
#endif

/* Whether all byte values are about as frequent, as in what is random, encrypted or compressed. */
static bool
is_flat(const uint8_t *data, size_t len)
{
    uint32_t counts[4][256] = { 0 };
    size_t mean = len / 256;

    for (size_t i = 0; i + 4 <= len; i += 4) {
        counts[0][data[i]]++;
        counts[1][data[i + 1]]++;
        counts[2][data[i + 2]]++;
        counts[3][data[i + 3]]++;
    }
    for (unsigned i = 0; i < 256; i++) {
        size_t count = (size_t)counts[0][i] + counts[1][i] + counts[2][i] + counts[3][i];
        if (count < mean / 2 || count > mean + mean / 2) {
            return false;
        }
    }
    return true;
}

/* Most time goes into what cannot be made smaller. Where the bytes look like that, a piece is
 * tried first. */
static int
deflate_buffer(const Codec *codec)
{
    if (codec->in_len >= 4 * TRIAL_BYTES && is_flat(codec->in, codec->in_len)) {
        Codec trial = *codec;
        trial.in_len = TRIAL_BYTES;
        trial.out_len = TRIAL_BYTES - TRIAL_BYTES / 64;
        if (deflate_bytes(&trial) == 0) {
            return 0;
        }
    }
    return deflate_bytes(codec);
}

static int
compress_worker(void *arg)
{
    const Codec *codec = arg;
    size_t len;

    if (codec->type == QCOW2_COMPRESSION_ZLIB) {
        return deflate_buffer(codec);
    }
    len = ZSTD_compress(codec->out, codec->out_len, codec->in, codec->in_len, ZSTD_CLEVEL_DEFAULT);
    return ZSTD_isError(len) ? 0 : (int)len;
}

static int
inflate_buffer(const Codec *codec)
{
    z_stream stream = { 0 };
    int ret;

    if (inflate_quickly(codec)) {
        return 0;
    }
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) {
        return -ENOMEM;
    }
    stream.next_in = (Bytef *)codec->in;
    stream.avail_in = (uInt)codec->in_len;
    stream.next_out = codec->out;
    stream.avail_out = (uInt)codec->out_len;
    ret = inflate(&stream, Z_FINISH);
    inflateEnd(&stream);
    /* What follows the data in its last sector does not matter. */
    return (ret == Z_STREAM_END || ret == Z_BUF_ERROR) && stream.avail_out == 0 ? 0 : -EIO;
}

static int
unzstd_buffer(const Codec *codec)
{
    ZSTD_DStream *stream = ZSTD_createDStream();
    ZSTD_inBuffer in = { .src = codec->in, .size = codec->in_len };
    ZSTD_outBuffer out = { .dst = codec->out, .size = codec->out_len };
    int ret = stream ? 0 : -ENOMEM;

    while (ret == 0 && out.pos < out.size) {
        size_t in_before = in.pos, out_before = out.pos;
        size_t left = ZSTD_decompressStream(stream, &out, &in);
        if (ZSTD_isError(left) || (in.pos == in_before && out.pos == out_before)) {
            ret = -EIO;
        }
    }
    ZSTD_freeDStream(stream);
    return ret;
}

static int
uncompress_worker(void *arg)
{
    const Codec *codec = arg;

    return codec->type == QCOW2_COMPRESSION_ZLIB ? inflate_buffer(codec) : unzstd_buffer(codec);
}

int
qcow2_compress(BlkContext *context, uint32_t type, const void *in, size_t in_len, void *out,
               size_t out_len)
{
    Codec codec = { .type = type, .in = in, .in_len = in_len, .out = out, .out_len = out_len };

    return blk_pool_run_here(context, NULL, compress_worker, &codec);
}

int
qcow2_uncompress(BlkContext *context, uint32_t type, const void *in, size_t in_len, void *out,
                 size_t out_len)
{
    Codec codec = { .type = type, .in = in, .in_len = in_len, .out = out, .out_len = out_len };

    return blk_pool_run_here(context, NULL, uncompress_worker, &codec);
}

/* ---- writing ---- */

static uint64_t
packed_entry(const Qcow2 *q, uint64_t offset, uint32_t len)
{
    unsigned offset_bits = 62 - (q->cluster_bits - 8);
    uint64_t last = offset + len - 1;
    uint64_t sectors = last / QCOW2_SECTOR_BYTES - offset / QCOW2_SECTOR_BYTES;

    return QCOW2_COMPRESSED | offset | sectors << offset_bits;
}

static int
link_packed(BlkNode *node, uint64_t guest, uint64_t offset, uint32_t len)
{
    Qcow2 *q = node->state;
    Qcow2Table *slice;
    unsigned index;
    int ret;

    qcow2_lock(node);
    ret = qcow2_get_slice(node, guest, &slice, &index);
    if (ret == 0) {
        uint64_t old = qcow2_get_entry(q, slice, index, NULL);
        qcow2_set_entry(q, slice, index, packed_entry(q, offset, len), 0);
        qcow2_free_entry(q, old, false);
        q->data_before_l2 = true;
        qcow2_cache_put(slice);
        ret = qcow2_relieve(node);
    } else {
        qcow2_free(q, offset, len, false);
    }
    qcow2_unlock(node);
    return ret;
}

static int
write_packed(BlkNode *node, uint64_t guest, const void *data, uint32_t len)
{
    Qcow2 *q = node->state;
    int64_t offset;
    int ret;

    qcow2_lock(node);
    offset = qcow2_alloc_packed(node, len);
    qcow2_unlock(node);
    if (offset < 0) {
        return (int)offset;
    }
    ret = qcow2_check_overlap(node, (uint64_t)offset, len, 0);
    ret = ret < 0 ? ret : blk_write_buffer(node->file, (uint64_t)offset, data, len, 0);
    if (ret < 0) {
        qcow2_lock(node);
        qcow2_free(q, (uint64_t)offset, len, false);
        qcow2_unlock(node);
        return ret;
    }
    return link_packed(node, guest, (uint64_t)offset, len);
}

static int
write_one(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    Qcow2 *q = node->state;
    g_autofree uint8_t *in = g_malloc(q->cluster_bytes);
    g_autofree uint8_t *out = g_malloc(q->cluster_bytes);
    BlkRange range;
    int ret;

    blk_vec_gather(vec, at, in, len);
    memset(in + len, 0, q->cluster_bytes - len);
    ret = qcow2_compress(node->context, q->compression_type, in, q->cluster_bytes, out,
                         q->cluster_bytes - 1);
    if (ret < 0) {
        return ret;
    }
    if (ret == 0) {
        return qcow2_write_inside(node, offset, len, vec, at);
    }
    blk_range_acquire(node->context, &q->allocations, &range, offset, offset + q->cluster_bytes,
                      true);
    ret = write_packed(node, offset, out, (uint32_t)ret);
    blk_range_release(node->context, &q->allocations, &range);
    return ret;
}

int
qcow2_write_compressed(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    Qcow2 *q = node->state;
    BlkRange gate;
    int ret = 0;

    if (qcow2_has_data_file(q) || q->crypt_method != QCOW2_CRYPT_NONE) {
        return -ENOTSUP;
    }
    if (qcow2_in_cluster(q, offset) || (qcow2_in_cluster(q, len) && offset + len != q->size)) {
        return -EINVAL;
    }
    qcow2_enter(node, &gate, false);
    while (len > 0 && ret == 0) {
        uint64_t piece = MIN(len, q->cluster_bytes);
        ret = write_one(node, offset, piece, vec, at);
        offset += piece;
        at += piece;
        len -= piece;
    }
    qcow2_leave(node, &gate);
    return ret;
}
