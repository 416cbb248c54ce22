/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* New qcow2 images: a header, a refcount table and its first block, for a disk of no bytes; then
 * the image is opened and grown like any other. What fails is removed again.
 *
 * Thread: in a fiber. */

#include "qcow2.h"

#include "qcow2-crypt.h"

#include <string.h>

enum { HEADER_CLUSTER, REFTABLE_CLUSTER, REFBLOCK_CLUSTER, FIRST_CLUSTERS };

static const char *const compat_words[] = { "1.1", "0.10", "v3", "v2", NULL };
static const char *const preallocation_words[] = { "off", "metadata", "falloc", "full", NULL };
static const char *const compression_words[] = { "zlib", "zstd", NULL };

uint32_t
qcow2_version_of_compat(int32_t compat)
{
    return compat % 2 == 0 ? 3 : 2;
}

/* ---- what goes together ---- */

static bool
refuse(GError **error, const char *text)
{
    g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "qcow2: %s", text);
    return false;
}

static bool
check_numbers(const Qcow2Create *create, GError **error)
{
    uint64_t cluster = create->cluster_size;
    uint32_t bits = create->refcount_bits;

    if (cluster < 512 || cluster > 2 << 20 || (cluster & (cluster - 1))) {
        return refuse(error, "Cluster size must be a power of two between 512 and 2048k");
    }
    if (bits < 1 || bits > 64 || (bits & (bits - 1))) {
        return refuse(error, "Refcount width must be a power of two and may not exceed 64 bits");
    }
    return true;
}

static bool
check_version(const Qcow2Create *create, GError **error)
{
    if (qcow2_version_of_compat(create->compat) == 3) {
        return true;
    }
    if (create->refcount_bits != 16) {
        return refuse(error, "Different refcount widths than 16 bits require compatibility level "
                             "1.1 or above (use compat=1.1 or greater)");
    }
    if (create->lazy_refcounts || create->extended_l2 || create->data_file ||
        create->compression_type != QCOW2_COMPRESSION_ZLIB) {
        return refuse(error, "Lazy refcounts, extended L2 entries, external data files and zstd "
                             "require compatibility level 1.1 or above (use compat=1.1)");
    }
    return true;
}

static bool
check_features(const Qcow2Create *create, GError **error)
{
    if (create->extended_l2 && create->cluster_size < 16384) {
        return refuse(error, "Extended L2 entries are only supported with cluster sizes of at "
                             "least 16384 bytes");
    }
    if (create->preallocation != BLK_PREALLOC_OFF && create->backing_file && !create->extended_l2) {
        return refuse(error, "Backing file and preallocation can only be used at the same time if "
                             "extended_l2 is enabled");
    }
    if (create->data_file_raw && !create->data_file) {
        return refuse(error, "data-file-raw requires data-file");
    }
    if (create->data_file_raw && create->backing_file) {
        return refuse(error, "Backing file and data-file-raw cannot be used at the same time");
    }
    if (create->backing_fmt && !create->backing_file) {
        return refuse(error, "Backing format cannot be used without backing file");
    }
    if (create->encryption && create->encrypt_format) {
        return refuse(error, "encryption and encrypt.format exclude each other");
    }
    return true;
}

/* ---- the first clusters ---- */

static void
init_state(Qcow2 *q, const Qcow2Create *create)
{
    q->version = qcow2_version_of_compat(create->compat);
    q->cluster_bits = (unsigned)__builtin_ctzll(create->cluster_size);
    q->cluster_bytes = 1u << q->cluster_bits;
    q->refcount_order = (unsigned)__builtin_ctz(create->refcount_bits);
    q->compression_type = (uint32_t)create->compression_type;
    q->reftable_offset = (uint64_t)REFTABLE_CLUSTER << q->cluster_bits;
    q->reftable_clusters = 1;
    q->compatible = create->lazy_refcounts ? QCOW2_COMPAT_LAZY_REFCOUNTS : 0;
    q->incompatible = (create->compression_type ? QCOW2_INCOMPAT_COMPRESSION : 0u) |
                      (create->extended_l2 ? QCOW2_INCOMPAT_EXTENDED_L2 : 0u) |
                      (create->data_file ? QCOW2_INCOMPAT_DATA_FILE : 0u);
    q->autoclear = create->data_file_raw ? QCOW2_AUTOCLEAR_RAW_EXTERNAL_DATA : 0;
    q->data_file_name = create->data_file;
}

/* The first sector, which makes it an image, comes last; before that it is none, also where one was
 * before. */
static int
write_in_order(BlkChild *file, const uint8_t *buf, size_t len)
{
    uint8_t nothing[QCOW2_SECTOR_BYTES] = { 0 };
    int ret = blk_write_buffer(file, 0, nothing, sizeof(nothing), 0);

    ret = ret < 0 ? ret
                  : blk_write_buffer(file, QCOW2_SECTOR_BYTES, buf + QCOW2_SECTOR_BYTES,
                                     len - QCOW2_SECTOR_BYTES, 0);
    return ret < 0 ? ret : blk_write_buffer(file, 0, buf, QCOW2_SECTOR_BYTES, 0);
}

static bool
write_first_clusters(BlkChild *file, const Qcow2Create *create, GError **error)
{
    Qcow2 q = { 0 };
    g_autofree uint8_t *buf = NULL;
    int ret;

    init_state(&q, create);
    buf = g_malloc0((size_t)FIRST_CLUSTERS << q.cluster_bits);
    if (!qcow2_fill_header(&q, create->backing_file, create->backing_fmt, buf)) {
        return refuse(error, "The names of the backing file and the data file do not fit into the "
                             "header; use shorter ones or larger clusters");
    }
    fmt_put_be64(buf + q.cluster_bytes, (uint64_t)REFBLOCK_CLUSTER << q.cluster_bits);
    for (uint64_t i = 0; i < FIRST_CLUSTERS; i++) {
        qcow2_refcount_write(&q, buf + ((size_t)REFBLOCK_CLUSTER << q.cluster_bits), i, 1);
    }
    ret = write_in_order(file, buf, (size_t)FIRST_CLUSTERS << q.cluster_bits);
    if (ret < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "The new image '%s' cannot be written: %s.",
                    file->node->filename, g_strerror(-ret));
    }
    return ret == 0;
}

/* ---- steps ---- */

static const char *
describe_creator(void *opaque)
{
    return "the making of an image";
}

static const BlkUser creator = { .describe = describe_creator };

static bool
write_empty_image(BlkNode *file, const Qcow2Create *create, GError **error)
{
    BlkChild *edge =
        blk_child_attach(file, &creator, NULL, BLK_PERM_ALL, BLK_PERM_CONSISTENT_READ, error);
    bool ok;

    if (!edge) {
        return false;
    }
    blk_node_ref(file);
    ok = write_first_clusters(edge, create, error);
    blk_child_detach(edge);
    return ok;
}

/* The new image as a node over FILE, without its backing image. */
static BlkNode *
open_image(BlkNode *file, const char *key_secret, GError **error)
{
    g_autoptr(BlkOptions) options = blk_options_new();

    blk_options_set(options, "driver", "qcow2");
    blk_options_set(options, "file", file->name);
    blk_options_set(options, "backing", "");
    blk_options_set(options, "cache.no-flush", "on");
    blk_options_set(options, "overlap-check", "none");
    if (key_secret) {
        blk_options_set(options, "encrypt.key-secret", key_secret);
    }
    return blk_open_in_fiber(file->graph, options, false, error);
}

static bool
grow_image(BlkNode *file, const Qcow2Create *create, GError **error)
{
    g_autoptr(BlkNode) node = open_image(file, create->key_secret, error);
    BlkChild *edge;
    bool ok;

    if (!node) {
        return false;
    }
    edge = blk_child_attach(node, &creator, NULL, BLK_PERM_ALL, BLK_PERM_CONSISTENT_READ, error);
    if (!edge) {
        return false;
    }
    blk_node_ref(node);
    /* Disks are whole sectors. */
    ok = blk_truncate(edge,
                      (create->size + QCOW2_SECTOR_BYTES - 1) & ~(uint64_t)(QCOW2_SECTOR_BYTES - 1),
                      (BlkPreallocation)create->preallocation, error);
    if (ok) {
        int ret = qcow2_settle(node);
        if (ret < 0) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "'%s' cannot be written: %s.",
                        file->filename, g_strerror(-ret));
            ok = false;
        }
    }
    blk_child_detach(edge);
    return ok;
}

static bool
encrypt_image(BlkNode *file, const Qcow2Create *create, GError **error)
{
    g_autoptr(BlkNode) node = NULL;

    if (!create->encryption && !create->encrypt_format) {
        return true;
    }
    node = open_image(file, NULL, error);
    return node && qcow2_crypt_format_image(node, create, error);
}

/* A data file that is there keeps what it has. */
static bool
make_data_file(BlkGraph *graph, const char *path, const Qcow2Create *create, bool *out_is_new,
               GError **error)
{
    const BlkNewFile wish = { .no_cow = create->nocow };
    g_autoptr(BlkOptions) options = blk_options_new();
    g_autoptr(BlkNode) node = NULL;
    GError *cause = NULL;

    blk_options_set(options, "filename", path);
    blk_options_set(options, "read-only", "on");
    node = blk_open_in_fiber(graph, options, true, &cause);
    if (node) {
        return true;
    }
    if (!g_error_matches(cause, VIT_ERROR, VIT_ERROR_NOT_FOUND)) {
        g_propagate_error(error, cause);
        return false;
    }
    g_error_free(cause);
    return blk_make_file(graph, path, &wish, NULL, NULL, out_is_new, error);
}

static bool
fill_image(BlkNode *file, const void *opaque, GError **error)
{
    const Qcow2Create *create = opaque;

    return write_empty_image(file, create, error) && encrypt_image(file, create, error) &&
           grow_image(file, create, error);
}

bool
qcow2_create(BlkGraph *graph, const char *filename, const void *state, GError **error)
{
    const Qcow2Create *create = state;
    const BlkNewFile wish = { .no_cow = create->nocow };
    g_autofree char *data_path = NULL;
    bool is_new = false;

    if (!check_numbers(create, error) || !check_version(create, error) ||
        !check_features(create, error)) {
        return false;
    }
    if (create->data_file) {
        data_path = blk_path_resolve(filename, create->data_file, error);
        if (!data_path || !make_data_file(graph, data_path, create, &is_new, error)) {
            return false;
        }
    }
    if (!blk_make_file(graph, filename, &wish, fill_image, create, NULL, error)) {
        if (is_new) {
            blk_remove_file(graph, data_path);
        }
        return false;
    }
    return true;
}

const VitProp qcow2_create_options[] = {
    VIT_PROP_SIZE(Qcow2Create, size, "size", 0, 0, INT64_MAX, VIT_N_("Virtual disk size")),
    VIT_PROP_ENUM(Qcow2Create, compat, "compat", compat_words, 0,
                  VIT_N_("Compatibility level (v2 [0.10] or v3 [1.1])")),
    VIT_PROP_STRING(Qcow2Create, backing_file, "backing_file", NULL,
                    VIT_N_("File name of a base image")),
    VIT_PROP_STRING(Qcow2Create, backing_fmt, "backing_fmt", NULL,
                    VIT_N_("Image format of the base image")),
    VIT_PROP_STRING(Qcow2Create, data_file, "data_file", NULL,
                    VIT_N_("File name of an external data file")),
    VIT_PROP_BOOL(Qcow2Create, data_file_raw, "data_file_raw", 0,
                  VIT_N_("The external data file must stay valid as a raw image")),
    VIT_PROP_BOOL(Qcow2Create, extended_l2, "extended_l2", 0, VIT_N_("Extended L2 tables")),
    VIT_PROP_SIZE(Qcow2Create, cluster_size, "cluster_size", 65536, 0, INT64_MAX,
                  VIT_N_("qcow2 cluster size")),
    VIT_PROP_ENUM(Qcow2Create, preallocation, "preallocation", preallocation_words,
                  BLK_PREALLOC_OFF, VIT_N_("Preallocation mode (off, metadata, falloc, full)")),
    VIT_PROP_BOOL(Qcow2Create, lazy_refcounts, "lazy_refcounts", 0,
                  VIT_N_("Postpone refcount updates")),
    VIT_PROP_UINT(Qcow2Create, refcount_bits, "refcount_bits", 16, 0, UINT32_MAX,
                  VIT_N_("Width of a reference count entry in bits")),
    VIT_PROP_ENUM(Qcow2Create, compression_type, "compression_type", compression_words,
                  QCOW2_COMPRESSION_ZLIB, VIT_N_("Compression method used for image clusters")),
    VIT_PROP_BOOL(Qcow2Create, nocow, "nocow", 0,
                  VIT_N_("Turn off copy-on-write of the host's file")),
    VIT_PROP_BOOL(Qcow2Create, encryption, "encryption", 0,
                  VIT_N_("Encrypt the image with format 'aes' (old; use encrypt.format=luks)")),
    VIT_PROP_STRING(Qcow2Create, encrypt_format, "encrypt.format", NULL,
                    VIT_N_("Encrypt the image: aes or luks")),
    VIT_PROP_STRING(Qcow2Create, key_secret, "encrypt.key-secret", NULL,
                    VIT_N_("Secret that holds the password")),
    VIT_PROP_STRING(Qcow2Create, cipher_alg, "encrypt.cipher-alg", NULL,
                    VIT_N_("Name of the cipher and its key length")),
    VIT_PROP_STRING(Qcow2Create, cipher_mode, "encrypt.cipher-mode", NULL,
                    VIT_N_("Name of the cipher's mode")),
    VIT_PROP_STRING(Qcow2Create, ivgen_alg, "encrypt.ivgen-alg", NULL,
                    VIT_N_("How initial vectors are made")),
    VIT_PROP_STRING(Qcow2Create, ivgen_hash_alg, "encrypt.ivgen-hash-alg", NULL,
                    VIT_N_("Hash used in making initial vectors")),
    VIT_PROP_STRING(Qcow2Create, hash_alg, "encrypt.hash-alg", NULL,
                    VIT_N_("Hash used in deriving the key")),
    VIT_PROP_UINT(Qcow2Create, iter_time_ms, "encrypt.iter-time", 2000, 1, 3600000,
                  VIT_N_("Time to spend in deriving the key"), .unit = "ms"),
    { 0 }
};
