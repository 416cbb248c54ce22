/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What is told of an image, how large one would become, and the name of its backing image.
 * Thread: in a fiber where it is said in blk-format.h. */

#include "qcow2.h"

#include "qcow2-crypt.h"

#include <json-glib/json-glib.h>
#include <string.h>

void
qcow2_get_info(BlkNode *node, BlkFormatInfo *out)
{
    const Qcow2 *q = node->state;

    *out = (BlkFormatInfo){ .cluster_bytes = q->cluster_bytes,
                            .encrypted = q->crypt_method != QCOW2_CRYPT_NONE,
                            .dirty = q->incompatible & QCOW2_INCOMPAT_DIRTY,
                            .corrupt = q->incompatible & QCOW2_INCOMPAT_CORRUPT,
                            .has_vm_state_area = true };
}

static JsonArray *
describe_bitmaps(BlkNode *node)
{
    JsonArray *array = json_array_new();

    for (unsigned i = 0; i < node->bitmaps->len; i++) {
        const BlkBitmap *bitmap = g_ptr_array_index(node->bitmaps, i);
        JsonObject *object;
        JsonArray *flags;
        if (!bitmap->persistent) {
            continue;
        }
        object = json_object_new();
        flags = json_array_new();
        if (bitmap->inconsistent) {
            json_array_add_string_element(flags, "in-use");
        }
        if (bitmap->enabled) {
            json_array_add_string_element(flags, "auto");
        }
        json_object_set_array_member(object, "flags", flags);
        json_object_set_string_member(object, "name", bitmap->name);
        json_object_set_int_member(object, "granularity", bitmap->granularity_bytes);
        json_array_add_object_element(array, object);
    }
    return array;
}

JsonObject *
qcow2_describe(BlkNode *node)
{
    const Qcow2 *q = node->state;
    JsonObject *object = json_object_new();

    json_object_set_string_member(object, "compat", q->version == 2 ? "0.10" : "1.1");
    json_object_set_string_member(object, "compression-type",
                                  q->compression_type == QCOW2_COMPRESSION_ZSTD ? "zstd" : "zlib");
    if (q->version >= 3) {
        json_object_set_boolean_member(object, "lazy-refcounts",
                                       q->compatible & QCOW2_COMPAT_LAZY_REFCOUNTS);
    }
    if (q->version >= 3 && node->bitmaps && q->bitmap_count > 0) {
        json_object_set_array_member(object, "bitmaps", describe_bitmaps(node));
    }
    json_object_set_int_member(object, "refcount-bits", 1 << q->refcount_order);
    if (q->crypt) {
        json_object_set_object_member(object, "encrypt", qcow2_crypt_describe(q->crypt));
    }
    if (qcow2_has_data_file(q)) {
        if (q->data_file_name) {
            json_object_set_string_member(object, "data-file", q->data_file_name);
        }
        json_object_set_boolean_member(object, "data-file-raw",
                                       q->autoclear & QCOW2_AUTOCLEAR_RAW_EXTERNAL_DATA);
    }
    if (q->version >= 3) {
        json_object_set_boolean_member(object, "corrupt", q->incompatible & QCOW2_INCOMPAT_CORRUPT);
    }
    if (q->version >= 3) {
        json_object_set_boolean_member(object, "extended-l2", q->extended_l2);
    }
    return object;
}

bool
qcow2_change_backing(BlkNode *node, const char *filename, const char *format, GError **error)
{
    Qcow2 *q = node->state;
    BlkRange gate;
    int ret;

    if (filename && (q->autoclear & QCOW2_AUTOCLEAR_RAW_EXTERNAL_DATA)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' has a data file that must stay a raw image: it cannot have a backing "
                    "image.",
                    node->filename);
        return false;
    }
    qcow2_enter(node, &gate, false);
    qcow2_lock(node);
    /* What was written because of the new name comes before it. */
    ret = qcow2_commit(node, true);
    ret = ret < 0 ? ret : qcow2_write_header_with(node, filename, format);
    ret = ret < 0 ? ret : blk_flush(node->file);
    qcow2_unlock(node);
    qcow2_leave(node, &gate);
    if (ret < 0) {
        g_set_error(error, VIT_ERROR, ret == -ENOSPC ? VIT_ERROR_INVALID_ARGUMENT : VIT_ERROR_IO,
                    "'%s': the name of the backing image cannot be written: %s.", node->filename,
                    ret == -ENOSPC ? "it does not fit into the header" : g_strerror(-ret));
    }
    return ret == 0;
}

/* ---- measuring ---- */

static uint64_t
ceil_div(uint64_t a, uint64_t b)
{
    return a / b + (a % b > 0);
}

/* Bytes of refcount table and blocks that count CLUSTERS and themselves. */
static uint64_t
refcount_bytes(uint64_t clusters, uint64_t cluster, uint32_t refcount_bits)
{
    uint64_t per_block = cluster * 8 / refcount_bits, per_table = cluster / 8;
    uint64_t blocks = 0, table = 0, last;

    do {
        last = blocks + table;
        blocks = ceil_div(clusters + last, per_block);
        table = ceil_div(blocks, per_table);
    } while (blocks + table != last);
    return (blocks + table) * cluster;
}

/* The file of an image whose every cluster is allocated. */
static uint64_t
full_bytes(uint64_t len, uint64_t cluster, uint32_t refcount_bits, bool extended_l2)
{
    uint64_t data = ceil_div(len, cluster) * cluster;
    uint64_t per_table = cluster / (extended_l2 ? 16 : 8);
    uint64_t l2_tables = ceil_div(data / cluster, per_table);
    uint64_t l1_clusters = ceil_div(l2_tables, cluster / 8);
    uint64_t meta = cluster + (l2_tables + l1_clusters) * cluster;

    return meta + data + refcount_bytes((meta + data) / cluster, cluster, refcount_bits);
}

/* Bytes of the clusters that SOURCE has data for. */
static int
count_data(BlkChild *source, uint64_t cluster, uint64_t *out)
{
    uint64_t len = blk_node_get_len(source->node), offset = 0, counted = 0;
    BlkStatus status;

    while (offset < len) {
        int ret = blk_get_status(source, offset, len - offset, &status);
        uint64_t end = offset + status.len_bytes;
        if (ret < 0) {
            return ret;
        }
        if ((status.flags & BLK_STATUS_DATA) && !(status.flags & BLK_STATUS_ZERO)) {
            uint64_t from = MAX(offset / cluster * cluster, counted);
            uint64_t to = ceil_div(end, cluster) * cluster;
            *out += to > from ? to - from : 0;
            counted = MAX(to, counted);
        }
        offset = end;
    }
    return 0;
}

static uint64_t
bitmap_bytes(BlkNode *source, uint64_t len, uint64_t cluster)
{
    uint64_t bytes = 0, directory = 0;

    for (unsigned i = 0; source->bitmaps && i < source->bitmaps->len; i++) {
        const BlkBitmap *bitmap = g_ptr_array_index(source->bitmaps, i);
        if (!bitmap->persistent || bitmap->inconsistent) {
            continue;
        }
        uint64_t granules = ceil_div(len, bitmap->granularity_bytes);
        uint64_t clusters = ceil_div(ceil_div(granules, 8), cluster);
        bytes += clusters * cluster + ceil_div(clusters * 8, cluster) * cluster;
        directory += (24 + strlen(bitmap->name) + 7) / 8 * 8;
    }
    return bytes + ceil_div(directory, cluster) * cluster;
}

bool
qcow2_measure(BlkGraph *graph, const void *state, BlkNode *source, BlkMeasure *out, GError **error)
{
    const Qcow2Create *create = state;
    uint64_t cluster = create->cluster_size, len = create->size, data = 0;
    BlkChild *edge;
    int ret = 0;

    if (cluster < 512 || cluster > 2 << 20 || (cluster & (cluster - 1)) ||
        create->refcount_bits < 1 || create->refcount_bits > 64 ||
        (create->refcount_bits & (create->refcount_bits - 1)) || len > INT64_MAX - (2 << 20)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "qcow2: cluster_size, refcount_bits or size is not possible.");
        return false;
    }
    if (source) {
        len = blk_node_get_len(source);
        edge = blk_child_attach_reader(source, error);
        if (!edge) {
            return false;
        }
        ret = count_data(edge, cluster, &data);
        blk_child_detach(edge);
        out->has_bitmaps =
            source->driver == &blk_qcow2_driver && ((const Qcow2 *)source->state)->version >= 3;
        out->bitmaps_bytes = out->has_bitmaps ? bitmap_bytes(source, len, cluster) : 0;
    }
    if (ret < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "'%s' cannot be read: %s.", source->filename,
                    g_strerror(-ret));
        return false;
    }
    len = ceil_div(len, QCOW2_SECTOR_BYTES) * QCOW2_SECTOR_BYTES;
    uint64_t full = full_bytes(len, cluster, create->refcount_bits, create->extended_l2);
    uint64_t rounded = ceil_div(len, cluster) * cluster;
    full += qcow2_crypt_measure(create);
    out->fully_allocated_bytes = full;
    out->required_bytes = create->preallocation != BLK_PREALLOC_OFF ? full : full - rounded + data;
    return true;
}
