/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* qcow2: the driver's descriptor, its options, opening, flushing and closing. What it does with
 * the image is in the other files of the folder; the invariants are in qcow2.h.
 *
 * Specification: docs/interop/qcow2, versions 2 and 3 with every feature bit defined there.
 * Opening reads only; what the first write must change (unknown autoclear bits, bitmaps that go
 * out of date) qcow2_before_write() does. A dirty image that is opened for writing is the one
 * exception: its refcounts are repaired before anything trusts them.
 *
 * Thread: in a fiber unless said otherwise. */

#include "qcow2.h"

#include "qcow2-crypt.h"

#include <string.h>

enum { DEFAULT_L2_CACHE_BYTES = 32 << 20, DEFAULT_ENTRY_BYTES = 65536, MIN_REF_TABLES = 4 };

/* ---- caches ---- */

static bool
choose_cache_sizes(BlkNode *node, uint64_t *out_l2, uint64_t *out_ref, GError **error)
{
    const Qcow2 *q = node->state;
    const Qcow2Options *options = &q->options;
    uint64_t whole_l2 = (qcow2_clusters_for(q, q->size) + 1) * q->entry_bytes;
    uint64_t min_ref = (uint64_t)MIN_REF_TABLES * q->cluster_bytes;

    if (options->cache_size && options->l2_cache_size && options->refcount_cache_size) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s': cache-size, l2-cache-size and refcount-cache-size together say too "
                    "much: leave one out.",
                    node->filename);
        return false;
    }
    if (options->cache_size &&
        MAX(options->l2_cache_size, options->refcount_cache_size) > options->cache_size) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s': %s is more than cache-size.", node->filename,
                    options->l2_cache_size > options->cache_size ? "l2-cache-size"
                                                                 : "refcount-cache-size");
        return false;
    }
    *out_l2 = options->l2_cache_size;
    *out_ref = options->refcount_cache_size;
    if (options->cache_size && !*out_l2 && !*out_ref) {
        *out_l2 = MIN(options->cache_size, whole_l2);
        *out_ref = options->cache_size - *out_l2;
    } else if (options->cache_size) {
        *out_l2 = *out_l2 ? *out_l2 : options->cache_size - *out_ref;
        *out_ref = *out_ref ? *out_ref : options->cache_size - *out_l2;
    }
    *out_l2 = *out_l2 ? *out_l2 : MIN(whole_l2, DEFAULT_L2_CACHE_BYTES);
    *out_ref = MAX(*out_ref, min_ref);
    return true;
}

static bool
make_caches(BlkNode *node, GError **error)
{
    Qcow2 *q = node->state;
    uint64_t l2_bytes, ref_bytes, entry = q->options.l2_cache_entry_size;

    if (entry && (entry < 512 || entry > q->cluster_bytes || (entry & (entry - 1)))) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s': l2-cache-entry-size must be a power of two from 512 to the cluster "
                    "size of %u, not %" PRIu64 ".",
                    node->filename, q->cluster_bytes, entry);
        return false;
    }
    if (!choose_cache_sizes(node, &l2_bytes, &ref_bytes, error)) {
        return false;
    }
    q->slice_bytes = entry ? (uint32_t)entry : MIN(DEFAULT_ENTRY_BYTES, q->cluster_bytes);
    q->l2_cache = qcow2_cache_new(q->slice_bytes, l2_bytes / q->slice_bytes);
    q->ref_cache = qcow2_cache_new(q->cluster_bytes, ref_bytes / q->cluster_bytes);
    return true;
}

/* Frees what has not been used for cache-clean-interval. There is no timer: the next request after
 * it looks, so an idle image keeps its caches and a busy one does not grow. */
static void
clean_caches(Qcow2 *q)
{
    int64_t interval_us = (int64_t)q->options.cache_clean_interval_s * G_USEC_PER_SEC;
    int64_t now_us = interval_us ? g_get_monotonic_time() : 0;

    if (interval_us && now_us >= q->next_clean_us) {
        q->next_clean_us = now_us + interval_us;
        qcow2_cache_clean(q->l2_cache);
        qcow2_cache_clean(q->ref_cache);
    }
}

/* ---- options ---- */

enum { CHECK_NONE, CHECK_CONSTANT, CHECK_CACHED, CHECK_ALL };

static unsigned
overlap_mask(const Qcow2Options *options)
{
    static const unsigned templates[] = { [CHECK_NONE] = 0,
                                          [CHECK_CONSTANT] = QCOW2_OL_CONSTANT,
                                          [CHECK_CACHED] = QCOW2_OL_CACHED,
                                          [CHECK_ALL] = QCOW2_OL_ALL };
    unsigned mask = templates[options->overlap_check];

    for (unsigned i = 0; i < G_N_ELEMENTS(options->overlap_bits); i++) {
        if (options->overlap_bits[i] != VIT_AUTO) {
            mask = options->overlap_bits[i] == VIT_ON ? mask | 1u << i : mask & ~(1u << i);
        }
    }
    return mask;
}

static void
apply_options(BlkNode *node)
{
    Qcow2 *q = node->state;
    const Qcow2Options *options = &q->options;

    q->overlap_mask = overlap_mask(options);
    q->pass_discard_request = options->pass_discard_request == VIT_AUTO
                                  ? node->discard_unmap
                                  : options->pass_discard_request == VIT_ON;
    q->pass_discard_snapshot = options->pass_discard_snapshot != VIT_OFF;
    q->pass_discard_other = options->pass_discard_other == VIT_ON;
    q->is_lazy =
        q->version >= 3 && !node->read_only &&
        (options->lazy_refcounts == VIT_AUTO ? (q->compatible & QCOW2_COMPAT_LAZY_REFCOUNTS) != 0
                                             : options->lazy_refcounts == VIT_ON);
}

/* ---- opening ---- */

static BlkChild *
find_child(const BlkNode *node, const char *slot)
{
    for (unsigned i = 0; i < node->children->len; i++) {
        BlkChild *child = g_ptr_array_index(node->children, i);
        if (strcmp(child->slot, slot) == 0) {
            return child;
        }
    }
    return NULL;
}

static bool
open_named_data_file(BlkNode *node, GError **error)
{
    Qcow2 *q = node->state;
    g_autoptr(BlkOptions) options = blk_options_new();
    g_autofree char *path = blk_path_resolve(node->file->node->filename, q->data_file_name, error);
    BlkNode *data;

    if (!path) {
        return false;
    }
    blk_options_set(options, "filename", path);
    blk_options_set(options, "read-only", node->read_only ? "on" : "off");
    blk_options_set(options, "cache.direct", node->cache_direct ? "on" : "off");
    blk_options_set(options, "cache.no-flush", node->no_flush ? "on" : "off");
    blk_options_set(options, "discard", "unmap");
    if (node->force_share) {
        blk_options_set(options, "force-share", "on");
    }
    data = blk_open_in_fiber(node->graph, options, true, error);
    if (!data) {
        g_prefix_error(error, "'%s' keeps its data in another file: ", node->filename);
        return false;
    }
    blk_node_add_child(node, "data-file", data);
    return blk_node_update_perm(node, error);
}

static bool
open_data_file(BlkNode *node, GError **error)
{
    Qcow2 *q = node->state;
    BlkChild *child = find_child(node, "data-file");

    q->data = node->file;
    if (!qcow2_has_data_file(q)) {
        if (child) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                        "'%s' keeps its data itself: data-file= is not possible.", node->filename);
        }
        return !child;
    }
    if (!child && !q->data_file_name) {
        qcow2_set_bad(node, error, q->header_length, "external data file name",
                      "the data lies in another file, whose name is missing; add data-file=");
        return false;
    }
    if (!child && !open_named_data_file(node, error)) {
        return false;
    }
    q->data = find_child(node, "data-file");
    return true;
}

static bool
check_state_bits(BlkNode *node, GError **error)
{
    const Qcow2 *q = node->state;

    if ((q->incompatible & QCOW2_INCOMPAT_CORRUPT) && !node->read_only && !q->options.for_check) {
        qcow2_set_bad(node, error, QCOW2_AT_INCOMPATIBLE_FEATURES, "corrupt bit",
                      "the image is marked as corrupt and can only be read; repair it with "
                      "check -r all");
        return false;
    }
    return true;
}

/* A dirty image has refcounts that nobody may trust. */
static bool
repair_dirty(BlkNode *node, GError **error)
{
    Qcow2 *q = node->state;
    BlkCheck check = { .fix_leaks = true, .fix_errors = true };

    q->is_dirty_marked = q->incompatible & QCOW2_INCOMPAT_DIRTY;
    if (!q->is_dirty_marked || node->read_only || q->options.for_check) {
        return true;
    }
    if (!qcow2_check_inside(node, &check, error)) {
        return false;
    }
    if (check.corruptions > check.corruptions_fixed || check.check_errors) {
        qcow2_set_bad(node, error, QCOW2_AT_INCOMPATIBLE_FEATURES, "dirty bit",
                      "the image was not closed and cannot be repaired by itself; try check -r "
                      "all");
        return false;
    }
    return true;
}

static bool
qcow2_open(BlkNode *node, GError **error)
{
    Qcow2 *q = node->state;
    uint32_t snapshots;
    uint8_t count[4];

    q->frees = g_array_new(FALSE, FALSE, sizeof(Qcow2Free));
    q->snapshots = g_ptr_array_new();
    if (!qcow2_read_header(node, error) || !open_data_file(node, error) ||
        !check_state_bits(node, error) || !qcow2_crypt_open(node, error) ||
        !make_caches(node, error) || !qcow2_load_l1(node, error) ||
        !qcow2_load_reftable(node, error)) {
        return false;
    }
    apply_options(node);
    snapshots =
        blk_read_buffer(node->file, QCOW2_AT_NB_SNAPSHOTS, count, 4) == 0 ? fmt_be32(count) : 0;
    if (!qcow2_load_snapshots(node, snapshots, error) || !repair_dirty(node, error) ||
        !qcow2_load_bitmaps(node, error)) {
        return false;
    }
    node->limits.zeroes_flags = BLK_REQ_MAY_UNMAP;
    return true;
}

static void
qcow2_refresh_limits(BlkNode *node)
{
    const Qcow2 *q = node->state;

    node->limits.zeroes_align = 1u << q->subcluster_bits;
    node->limits.discard_align = q->cluster_bytes;
    node->limits.request_align = q->crypt ? QCOW2_SECTOR_BYTES : 1;
}

/* ---- other options while it is open ---- */

static bool
same_fixed_options(BlkNode *node, const Qcow2Options *now, const Qcow2Options *wanted,
                   GError **error)
{
    const char *key = NULL;

    if (wanted->encrypt_format && g_strcmp0(now->encrypt_format, wanted->encrypt_format) != 0) {
        key = "encrypt.format";
    } else if (wanted->key_secret && g_strcmp0(now->key_secret, wanted->key_secret) != 0) {
        key = "encrypt.key-secret";
    } else if (wanted->for_check != now->for_check) {
        key = "x-for-check";
    }
    if (key) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "Cannot change the option '%s' of '%s' while it is open", key, node->name);
    }
    return !key;
}

/* Both caches are made anew, empty; what they held is on disk. */
static bool
replace_caches(BlkNode *node, GError **error)
{
    Qcow2 *q = node->state;
    Qcow2Cache *l2_cache = q->l2_cache, *ref_cache = q->ref_cache;
    uint32_t slice_bytes = q->slice_bytes;

    if (!make_caches(node, error)) {
        q->l2_cache = l2_cache;
        q->ref_cache = ref_cache;
        q->slice_bytes = slice_bytes;
        return false;
    }
    qcow2_cache_free(l2_cache);
    qcow2_cache_free(ref_cache);
    return true;
}

static bool
qcow2_reopen(BlkNode *node, const void *state, GError **error)
{
    Qcow2 *q = node->state;
    const Qcow2Options *wanted = state;
    Qcow2Options old = q->options;
    int ret = 0;

    if (!same_fixed_options(node, &old, wanted, error)) {
        return false;
    }
    if (!node->read_only && !q->is_corrupt) {
        qcow2_lock(node);
        ret = qcow2_commit(node, true);
        ret = ret < 0 ? ret : qcow2_commit(node, false);
        ret = ret < 0 ? ret : qcow2_mark_clean(node);
        qcow2_unlock(node);
    }
    if (ret < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "'%s' cannot be brought up to date: %s.",
                    node->filename, g_strerror(-ret));
        return false;
    }
    q->options = *wanted;
    q->options.encrypt_format = old.encrypt_format;
    q->options.key_secret = old.key_secret;
    if (!replace_caches(node, error)) {
        q->options = old;
        return false;
    }
    apply_options(node);
    return true;
}

/* ---- writing begins and ends ---- */

int
qcow2_before_write(BlkNode *node)
{
    Qcow2 *q = node->state;
    uint64_t unknown;
    int ret = 0;

    clean_caches(q);
    if (q->is_prepared) {
        return 0;
    }
    qcow2_lock(node);
    unknown = q->autoclear & ~(uint64_t)QCOW2_AUTOCLEAR_KNOWN;
    if (!q->is_prepared && unknown) {
        q->autoclear &= ~unknown;
        ret = qcow2_update_header(node);
        ret = ret < 0 ? ret : blk_flush(node->file);
    }
    if (!q->is_prepared && ret == 0) {
        ret = qcow2_mark_bitmaps_used(node);
    }
    q->is_prepared = q->is_prepared || ret == 0;
    qcow2_unlock(node);
    return ret;
}

static int
qcow2_flush(BlkNode *node)
{
    Qcow2 *q = node->state;
    int ret;

    if (q->is_corrupt) {
        return -EIO;
    }
    qcow2_lock(node);
    ret = qcow2_commit(node, true);
    qcow2_unlock(node);
    return ret;
}

int
qcow2_settle(BlkNode *node)
{
    Qcow2 *q = node->state;
    GError *error = NULL;
    int ret;

    if (q->is_corrupt) {
        return 0;
    }
    qcow2_store_bitmaps(node, false, &error);
    g_clear_error(&error);
    qcow2_lock(node);
    ret = qcow2_commit(node, true);
    /* The decrements that has allowed. */
    ret = ret < 0 ? ret : qcow2_commit(node, false);
    ret = ret < 0 ? ret : qcow2_mark_clean(node);
    q->is_prepared = q->is_prepared && ret < 0;
    qcow2_unlock(node);
    return ret;
}

static bool
qcow2_set_read_only(BlkNode *node, bool read_only, GError **error)
{
    Qcow2 *q = node->state;
    int ret = read_only ? qcow2_settle(node) : 0;

    if (ret < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "'%s' cannot be brought up to date: %s.",
                    node->filename, g_strerror(-ret));
        return false;
    }
    if (!read_only && !check_state_bits(node, error)) {
        return false;
    }
    for (unsigned i = 0; node->bitmaps && i < node->bitmaps->len; i++) {
        BlkBitmap *bitmap = g_ptr_array_index(node->bitmaps, i);
        bitmap->read_only = bitmap->persistent && read_only;
    }
    q->is_lazy = q->is_lazy && !read_only;
    return true;
}

static void
qcow2_close(BlkNode *node)
{
    Qcow2 *q = node->state;

    if (node->opened && !node->read_only) {
        qcow2_settle(node);
    }
    qcow2_cache_free(q->l2_cache);
    qcow2_cache_free(q->ref_cache);
    qcow2_crypt_free(q->crypt);
    qcow2_free_snapshots(q);
    qcow2_free_header(q);
    g_clear_pointer(&q->frees, g_array_unref);
    g_free(q->l1);
    g_free(q->reftable);
}

/* Does not wait. */
static int64_t
qcow2_get_len(BlkNode *node)
{
    const Qcow2 *q = node->state;

    return (int64_t)q->size;
}

static void
qcow2_child_perm(BlkNode *node, const BlkChild *child, unsigned *perm, unsigned *shared)
{
    if (child == node->backing) {
        *perm &= BLK_PERM_CONSISTENT_READ;
        *shared = (*shared & BLK_PERM_CONSISTENT_READ) | BLK_PERM_WRITE_UNCHANGED;
        return;
    }
    *perm |= BLK_PERM_CONSISTENT_READ;
    if (!node->read_only) {
        *perm |= BLK_PERM_WRITE | BLK_PERM_RESIZE;
    }
    *shared &= ~(unsigned)(BLK_PERM_WRITE | BLK_PERM_RESIZE);
    *shared |= BLK_PERM_WRITE_UNCHANGED;
}

static int
qcow2_probe(const uint8_t *buf, size_t len, const char *filename)
{
    return len >= 8 && fmt_be32(buf) == QCOW2_MAGIC && fmt_be32(buf + 4) >= 2 ? 100 : 0;
}

/* ---- the descriptor ---- */

static const char *const overlap_words[] = { "none", "constant", "cached", "all", NULL };

#define OVERLAP_BIT(i, name_, help_) \
    VIT_PROP_ONOFFAUTO(Qcow2Options, overlap_bits[i], "overlap-check." name_, VIT_AUTO, help_)

static const VitProp options[] = {
    VIT_PROP_ONOFFAUTO(Qcow2Options, lazy_refcounts, "lazy-refcounts", VIT_AUTO,
                       VIT_N_("Put off writing refcounts until the image is closed")),
    VIT_PROP_ONOFFAUTO(Qcow2Options, pass_discard_request, "pass-discard-request", VIT_AUTO,
                       VIT_N_("Pass discards of the guest on to the host")),
    VIT_PROP_ONOFFAUTO(Qcow2Options, pass_discard_snapshot, "pass-discard-snapshot", VIT_AUTO,
                       VIT_N_("Give clusters of deleted snapshots back to the host")),
    VIT_PROP_ONOFFAUTO(Qcow2Options, pass_discard_other, "pass-discard-other", VIT_AUTO,
                       VIT_N_("Give other freed clusters back to the host")),
    VIT_PROP_ENUM(Qcow2Options, overlap_check, "overlap-check", overlap_words, CHECK_CACHED,
                  VIT_N_("Which metadata to guard against being overwritten")),
    VIT_PROP_ENUM(Qcow2Options, overlap_check, "overlap-check.template", overlap_words,
                  CHECK_CACHED, VIT_N_("Which metadata to guard against being overwritten")),
    OVERLAP_BIT(0, "main-header", VIT_N_("Guard the header")),
    OVERLAP_BIT(1, "active-l1", VIT_N_("Guard the active L1 table")),
    OVERLAP_BIT(2, "active-l2", VIT_N_("Guard the active L2 tables")),
    OVERLAP_BIT(3, "refcount-table", VIT_N_("Guard the refcount table")),
    OVERLAP_BIT(4, "refcount-block", VIT_N_("Guard the refcount blocks")),
    OVERLAP_BIT(5, "snapshot-table", VIT_N_("Guard the snapshot table")),
    OVERLAP_BIT(6, "inactive-l1", VIT_N_("Guard the L1 tables of snapshots")),
    OVERLAP_BIT(7, "inactive-l2", VIT_N_("Guard the L2 tables of snapshots")),
    OVERLAP_BIT(8, "bitmap-directory", VIT_N_("Guard the bitmap directory")),
    VIT_PROP_SIZE(Qcow2Options, cache_size, "cache-size", 0, 0, INT32_MAX,
                  VIT_N_("Memory for all cached metadata")),
    VIT_PROP_SIZE(Qcow2Options, l2_cache_size, "l2-cache-size", 0, 0, INT32_MAX,
                  VIT_N_("Memory for cached L2 tables")),
    VIT_PROP_SIZE(Qcow2Options, refcount_cache_size, "refcount-cache-size", 0, 0, INT32_MAX,
                  VIT_N_("Memory for cached refcount blocks")),
    VIT_PROP_SIZE(Qcow2Options, l2_cache_entry_size, "l2-cache-entry-size", 0, 0, 2 << 20,
                  VIT_N_("Size of a cached piece of an L2 table")),
    VIT_PROP_UINT(Qcow2Options, cache_clean_interval_s, "cache-clean-interval", 600, 0, 4294967295,
                  VIT_N_("Time after which unused cached metadata is dropped"), .unit = "s"),
    VIT_PROP_STRING(Qcow2Options, encrypt_format, "encrypt.format", NULL,
                    VIT_N_("Encryption of the image: aes or luks")),
    VIT_PROP_STRING(Qcow2Options, key_secret, "encrypt.key-secret", NULL,
                    VIT_N_("Secret that holds the password")),
    VIT_PROP_BOOL(Qcow2Options, for_check, "x-for-check", 0,
                  VIT_N_("Open what only a check may open for writing"), .flags = VIT_PROP_HIDDEN),
    { 0 }
};

static const BlkChildSlot slots[] = {
    { .name = "file", .required = true },
    { .name = "backing", .probe = true },
    { .name = "data-file" },
    { 0 },
};

static const BlkFormatOps format_ops = {
    .get_info = qcow2_get_info,
    .describe = qcow2_describe,
    .check = qcow2_check,
    .write_compressed = qcow2_write_compressed,
    .change_backing = qcow2_change_backing,
    .make_empty = qcow2_make_empty,
    .amend = qcow2_amend,
    .measure = qcow2_measure,
    .list_snapshots = qcow2_list_snapshots,
    .create_snapshot = qcow2_create_snapshot,
    .apply_snapshot = qcow2_apply_snapshot,
    .delete_snapshot = qcow2_delete_snapshot,
    .show_snapshot = qcow2_show_snapshot,
    .read_vm_state = qcow2_read_vm_state,
    .write_vm_state = qcow2_write_vm_state,
    .can_store_bitmap = qcow2_can_store_bitmap,
    .store_bitmaps = qcow2_store_bitmaps,
    .remove_stored_bitmap = qcow2_remove_stored_bitmap,
};

const BlkDriver blk_qcow2_driver = {
    .name = "qcow2",
    .title = VIT_N_("QEMU copy-on-write image, version 2 and 3"),
    .role = BLK_ROLE_FORMAT,
    .state_size = sizeof(Qcow2),
    .options = options,
    .slots = slots,
    .create_options = qcow2_create_options,
    .create_size = sizeof(Qcow2Create),
    .probe = qcow2_probe,
    .open = qcow2_open,
    .close = qcow2_close,
    .read = qcow2_read,
    .write = qcow2_write,
    .flush = qcow2_flush,
    .discard = qcow2_discard,
    .write_zeroes = qcow2_write_zeroes,
    .get_len = qcow2_get_len,
    .truncate = qcow2_truncate,
    .status = qcow2_status,
    .refresh_limits = qcow2_refresh_limits,
    .child_perm = qcow2_child_perm,
    .set_read_only = qcow2_set_read_only,
    .reopen = qcow2_reopen,
    .create = qcow2_create,
    .format = &format_ops,
};
