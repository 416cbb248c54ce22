/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Changing what creation has chosen: compat, refcount bits, size, backing file, lazy refcounts,
 * data file names. Thread: in a fiber. */

#include "qcow2.h"

#include "qcow2-crypt.h"

#include <stdlib.h>
#include <string.h>

typedef struct Amend {
    BlkNode *node;
    const BlkOptions *options;
    GError **error;
} Amend;

static bool refuse(const Amend *amend, const char *format, ...) G_GNUC_PRINTF(2, 3);

static bool
refuse(const Amend *amend, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(amend->error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "'%s': %s.",
                amend->node->filename, text);
    return false;
}

static bool
commit_header(const Amend *amend)
{
    BlkNode *node = amend->node;
    int ret;

    qcow2_lock(node);
    ret = qcow2_commit(node, true);
    ret = ret < 0 ? ret : qcow2_write_header(node);
    ret = ret < 0 ? ret : blk_flush(node->file);
    qcow2_unlock(node);
    return ret < 0 ? refuse(amend, "the header cannot be written: %s", g_strerror(-ret)) : true;
}

static bool
check_keys(const Amend *amend)
{
    static const char *const fixed[] = { "cluster_size", "preallocation", "extended_l2",
                                         "compression_type", "nocow" };
    static const char *const known[] = { "compat",
                                         "refcount_bits",
                                         "size",
                                         "lazy_refcounts",
                                         "backing_file",
                                         "backing_fmt",
                                         "data_file",
                                         "data_file_raw",
                                         "encrypt.state",
                                         "encrypt.new-secret",
                                         "encrypt.old-secret",
                                         "encrypt.keyslot",
                                         "encrypt.iter-time" };
    g_autoptr(BlkOptions) left = blk_options_copy(amend->options);

    for (unsigned i = 0; i < G_N_ELEMENTS(fixed); i++) {
        if (blk_options_get(amend->options, fixed[i])) {
            return refuse(amend, "the option '%s' cannot be changed; convert the image instead",
                          fixed[i]);
        }
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(known); i++) {
        g_free(blk_options_take(left, known[i]));
    }
    if (blk_options_first_key(left)) {
        return refuse(amend, "amend changes no option '%s'", blk_options_first_key(left));
    }
    return true;
}

/* ---- refcount_bits ---- */

static bool
is_version_2(const char *compat)
{
    return strcmp(compat, "0.10") == 0 || strcmp(compat, "v2") == 0;
}

static bool
check_refcount_bits(const Amend *amend)
{
    const Qcow2 *q = amend->node->state;
    const char *text = blk_options_get(amend->options, "refcount_bits");
    const char *compat = blk_options_get(amend->options, "compat");
    uint64_t bits;

    if (!text) {
        return true;
    }
    if (!g_ascii_string_to_unsigned(text, 10, 1, 64, &bits, NULL) || (bits & (bits - 1))) {
        return refuse(amend, "refcount_bits=%s is not a power of two from 1 to 64", text);
    }
    if (bits != 16 && (compat ? is_version_2(compat) : q->version < 3)) {
        return refuse(amend, "refcounts of %s bits need compat=1.1", text);
    }
    return true;
}

static bool
change_refcount_bits(const Amend *amend)
{
    BlkNode *node = amend->node;
    Qcow2 *q = node->state;
    const char *text = blk_options_get(amend->options, "refcount_bits");
    BlkRange gate;
    uint64_t bits;
    bool ok;
    int ret;

    bits = text ? (uint64_t)atoi(text) : 0;
    if (!text || bits == UINT64_C(1) << q->refcount_order) {
        return true;
    }
    qcow2_enter(node, &gate, true);
    qcow2_lock(node);
    ret = qcow2_commit(node, true);
    ret = ret < 0 ? ret : qcow2_commit(node, true);
    /* Lazy refcounts are nowhere but in memory. */
    ret = ret < 0 ? ret : qcow2_mark_clean(node);
    ok = ret == 0 ? qcow2_change_refcount_order(node, (unsigned)__builtin_ctzll(bits), amend->error)
                  : refuse(amend, "it cannot be brought up to date: %s", g_strerror(-ret));
    qcow2_unlock(node);
    qcow2_leave(node, &gate);
    return ok;
}

/* ---- compat ---- */

static bool
check_downgrade(const Amend *amend)
{
    const Qcow2 *q = amend->node->state;

    if (q->refcount_order != 4) {
        return refuse(amend, "compat=0.10 needs refcounts of 16 bits");
    }
    if (q->incompatible & ~(uint64_t)(QCOW2_INCOMPAT_DIRTY | QCOW2_INCOMPAT_CORRUPT)) {
        return refuse(amend, "compat=0.10 has no external data files, zstd or extended L2 entries");
    }
    if (q->bitmap_count) {
        return refuse(amend, "compat=0.10 has no bitmaps; remove them first");
    }
    for (unsigned i = 0; i < q->snapshots->len; i++) {
        const Qcow2Snapshot *snapshot = g_ptr_array_index(q->snapshots, i);
        if (snapshot->info.disk_bytes != q->size) {
            return refuse(amend, "compat=0.10 cannot have snapshots of other sizes");
        }
    }
    if (q->snapshots->len > 0) {
        return refuse(amend, "its snapshots may hold zero clusters, which compat=0.10 does not "
                             "know; delete them first");
    }
    return true;
}

/* Zero clusters become data, or unallocated where nothing lies below. */
static int
expand_zeroes(BlkNode *node, BlkProgressFunc progress, void *opaque)
{
    const Qcow2 *q = node->state;
    uint64_t end = qcow2_clusters_for(q, q->size) << q->cluster_bits, offset = 0;
    g_autofree uint8_t *zeroes = g_malloc0(q->cluster_bytes);
    int ret = 0;

    while (offset < end && ret == 0) {
        Qcow2Extent extent;
        ret = qcow2_lookup(node, offset, end - offset, &extent);
        if (ret == 0 && (extent.type == QCOW2_ZERO || extent.type == QCOW2_ZERO_HOST)) {
            if (!node->backing_file && !node->backing) {
                ret = qcow2_drop(node, offset, extent.len);
            } else {
                struct iovec iov = { .iov_base = zeroes, .iov_len = q->cluster_bytes };
                BlkVec vec = blk_vec_make(&iov, 1);
                extent.len = q->cluster_bytes;
                ret = qcow2_write_inside(node, offset, q->cluster_bytes, &vec, 0);
            }
        }
        offset += extent.len;
        if (ret == 0 && progress && !progress(opaque, offset, end)) {
            ret = -ECANCELED;
        }
    }
    return ret;
}

static bool
change_version(const Amend *amend, BlkProgressFunc progress, void *opaque)
{
    Qcow2 *q = amend->node->state;
    const char *compat = blk_options_get(amend->options, "compat");
    uint32_t version;
    int ret;

    if (!compat) {
        return true;
    }
    if (is_version_2(compat)) {
        version = 2;
    } else if (strcmp(compat, "1.1") == 0 || strcmp(compat, "v3") == 0) {
        version = 3;
    } else {
        return refuse(amend, "compat=%s is not 0.10 or 1.1", compat);
    }
    if (version == q->version) {
        return true;
    }
    if (version == 2) {
        if (!check_downgrade(amend)) {
            return false;
        }
        ret = expand_zeroes(amend->node, progress, opaque);
        if (ret < 0) {
            return refuse(amend, "its zero clusters cannot be written as data: %s",
                          g_strerror(-ret));
        }
        q->is_lazy = false;
        ret = qcow2_settle(amend->node);
        if (ret < 0) {
            return refuse(amend, "it cannot be brought up to date: %s", g_strerror(-ret));
        }
        q->compatible = q->autoclear = q->incompatible = 0;
    }
    q->version = version;
    return commit_header(amend);
}

/* ---- the others ---- */

static bool
change_lazy_refcounts(const Amend *amend)
{
    Qcow2 *q = amend->node->state;
    const char *text = blk_options_get(amend->options, "lazy_refcounts");
    bool on;

    if (!text) {
        return true;
    }
    if (!vit_parse_bool(text, &on)) {
        return refuse(amend, "lazy_refcounts=%s is not on or off", text);
    }
    if (on && q->version < 3) {
        return refuse(amend, "lazy refcounts need compat=1.1");
    }
    if (!on) {
        q->is_lazy = false;
        int ret = qcow2_settle(amend->node);
        if (ret < 0) {
            return refuse(amend, "it cannot be brought up to date: %s", g_strerror(-ret));
        }
    }
    q->compatible = on ? q->compatible | QCOW2_COMPAT_LAZY_REFCOUNTS
                       : q->compatible & ~(uint64_t)QCOW2_COMPAT_LAZY_REFCOUNTS;
    return commit_header(amend);
}

static bool
change_data_file(const Amend *amend)
{
    Qcow2 *q = amend->node->state;
    const char *name = blk_options_get(amend->options, "data_file");
    const char *raw = blk_options_get(amend->options, "data_file_raw");
    bool on = q->autoclear & QCOW2_AUTOCLEAR_RAW_EXTERNAL_DATA, old = on;

    if (!name && !raw) {
        return true;
    }
    if (!qcow2_has_data_file(q)) {
        return refuse(amend, "it keeps its data itself; data_file only renames one that is there");
    }
    if (raw && !vit_parse_bool(raw, &on)) {
        return refuse(amend, "data_file_raw=%s is not on or off", raw);
    }
    if (on && !old) {
        return refuse(amend, "data_file_raw cannot be set on images that exist");
    }
    if (name) {
        g_free(q->data_file_name);
        q->data_file_name = *name ? g_strdup(name) : NULL;
    }
    q->autoclear = on ? q->autoclear : q->autoclear & ~(uint64_t)QCOW2_AUTOCLEAR_RAW_EXTERNAL_DATA;
    return commit_header(amend);
}

static bool
change_backing_names(const Amend *amend)
{
    BlkNode *node = amend->node;
    const char *file = blk_options_get(amend->options, "backing_file");
    const char *format = blk_options_get(amend->options, "backing_fmt");

    if (!file && !format) {
        return true;
    }
    /* Copies: what is recorded now is freed by the call. */
    g_autofree char *new_file = g_strdup(file ? file : node->backing_file);
    g_autofree char *new_format = g_strdup(format ? format : node->backing_format);
    return blk_node_change_backing_file(node, new_file, new_format, amend->error);
}

static bool
change_size(const Amend *amend)
{
    const Qcow2 *q = amend->node->state;
    const char *text = blk_options_get(amend->options, "size");
    BlkRange gate;
    uint64_t size;
    bool ok;

    if (!text) {
        return true;
    }
    if (!vit_parse_size(text, 'B', &size)) {
        return refuse(amend, "'%s' is not a size", text);
    }
    if (size < q->size) {
        return refuse(amend, "amend does not make a disk smaller; use resize --shrink");
    }
    qcow2_enter(amend->node, &gate, true);
    ok = size == q->size || qcow2_truncate(amend->node, size, BLK_PREALLOC_OFF, amend->error);
    qcow2_leave(amend->node, &gate);
    return ok;
}

/* Passwords, where one of those options is there. */
static bool
change_passwords(const Amend *amend, bool force)
{
    static const char *const keys[] = { "encrypt.state", "encrypt.new-secret", "encrypt.old-secret",
                                        "encrypt.keyslot", "encrypt.iter-time" };

    for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (blk_options_get(amend->options, keys[i])) {
            return qcow2_crypt_amend(amend->node, amend->options, force, amend->error);
        }
    }
    return true;
}

bool
qcow2_amend(BlkNode *node, const BlkOptions *options, bool force, BlkProgressFunc progress,
            void *opaque, GError **error)
{
    Amend amend = { .node = node, .options = options, .error = error };
    const Qcow2 *q = node->state;
    int ret = qcow2_before_write(node);

    if (ret < 0) {
        return refuse(&amend, "it cannot be written: %s", g_strerror(-ret));
    }
    /* Version 2 knows 16 bits only: there they come first. */
    return check_keys(&amend) && check_refcount_bits(&amend) &&
           (q->version < 3 || change_refcount_bits(&amend)) &&
           change_version(&amend, progress, opaque) && change_refcount_bits(&amend) &&
           change_size(&amend) && change_backing_names(&amend) && change_lazy_refcounts(&amend) &&
           change_data_file(&amend) && change_passwords(&amend, force);
}
