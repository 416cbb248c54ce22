/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What the files of this folder share: the state of an open image and the steps of its work.
 *
 * Invariants, which every writer here keeps (power may fail between any two writes of the file
 * that have no flush between them, and writes without one may arrive in any order):
 *  1. A cluster's refcount on disk is never smaller than the references to it on disk. So an
 *     increment is stable before the reference that needs it is written, and a decrement is made
 *     only after the reference's removal is stable (qcow2_free() queues it until then).
 *  2. A table is stable before anything points to it, and what a cluster holds before its L2 entry.
 *  3. A cluster that was freed is not used again before the removal of its reference is stable and
 *     every request that may still have its address has ended.
 *  4. Operations that cannot keep 1 in between (snapshots, changing refcounts as a whole) set the
 *     dirty bit first, where the image's version has one, and clear it last.
 *  5. Tables in memory are changed with the lock held. Looking them up without it is fine: memory
 *     is consistent whenever a fiber waits.
 *
 * Thread: in a fiber, the lock of the node's context held. */

#include "qcow2-format.h"

#include "blk-bitmap.h"
#include "blk-driver.h"
#include "blk-path.h"
#include "fmt-bytes.h"

#include <errno.h>
#include <inttypes.h>

typedef struct Qcow2 Qcow2;
typedef struct Qcow2Cache Qcow2Cache;
typedef struct Qcow2Crypt Qcow2Crypt;

/* One cached piece of a table: an L2 slice or a refcount block, as on disk. */
typedef struct Qcow2Table {
    uint64_t offset;
    uint8_t *data;
    unsigned pins;
    bool is_loading;
    uint32_t dirty_from, dirty_to; /* bytes; equal: clean */
    uint64_t last_used;
    BlkWaitQueue waiters;
} Qcow2Table;

/* What a run of guest bytes is. */
typedef enum Qcow2Type {
    QCOW2_UNALLOCATED,      /* the backing image's, or zeroes */
    QCOW2_UNALLOCATED_HOST, /* the same, with room of its own (subclusters) */
    QCOW2_ZERO,             /* zeroes */
    QCOW2_ZERO_HOST,        /* zeroes, with room of its own */
    QCOW2_NORMAL,           /* at host_offset */
    QCOW2_PACKED,           /* compressed */
    QCOW2_INVALID,
} Qcow2Type;

typedef struct Qcow2Extent {
    Qcow2Type type;
    bool writable;        /* NORMAL: may be written in place */
    uint64_t len;         /* how far the guest's bytes are like this, contiguous on the host */
    uint64_t host_offset; /* NORMAL, *_HOST: of the first byte; PACKED: of the data */
    uint32_t packed_bytes;
} Qcow2Extent;

/* A request that knows host addresses; see invariant 3. */
typedef struct Qcow2Access {
    uint64_t number;
    struct Qcow2Access *previous, *next;
} Qcow2Access;

typedef struct Qcow2Free {
    uint64_t first_cluster, count;
    uint64_t number; /* accesses up to this one may still use it; 0 = not yet stable */
    bool is_discard;
} Qcow2Free;

/* A snapshot's entry in the table; extra keeps what we do not know of. */
typedef struct Qcow2Snapshot {
    BlkSnapshot info;
    uint64_t l1_offset;
    uint32_t l1_size;
    uint8_t *extra;
    uint32_t extra_bytes;
} Qcow2Snapshot;

typedef struct Qcow2Extension {
    uint32_t type, len;
    uint8_t *data;
} Qcow2Extension;

enum {
    QCOW2_OL_HEADER = 1u << 0,
    QCOW2_OL_ACTIVE_L1 = 1u << 1,
    QCOW2_OL_ACTIVE_L2 = 1u << 2,
    QCOW2_OL_REFCOUNT_TABLE = 1u << 3,
    QCOW2_OL_REFCOUNT_BLOCK = 1u << 4,
    QCOW2_OL_SNAPSHOT_TABLE = 1u << 5,
    QCOW2_OL_INACTIVE_L1 = 1u << 6,
    QCOW2_OL_INACTIVE_L2 = 1u << 7,
    QCOW2_OL_BITMAP_DIRECTORY = 1u << 8,
    QCOW2_OL_CONSTANT = QCOW2_OL_HEADER | QCOW2_OL_REFCOUNT_TABLE | QCOW2_OL_SNAPSHOT_TABLE |
                        QCOW2_OL_ACTIVE_L1 | QCOW2_OL_BITMAP_DIRECTORY,
    QCOW2_OL_CACHED =
        QCOW2_OL_CONSTANT | QCOW2_OL_ACTIVE_L2 | QCOW2_OL_REFCOUNT_BLOCK | QCOW2_OL_INACTIVE_L1,
    QCOW2_OL_ALL = 511,
};

/* -blockdev options, in order of the table in qcow2.c. */
typedef struct Qcow2Options {
    int32_t lazy_refcounts; /* VIT_AUTO: as the image says */
    int32_t pass_discard_request, pass_discard_snapshot, pass_discard_other;
    int32_t overlap_check;
    int32_t overlap_bits[9]; /* main-header=on, ... */
    uint64_t cache_size, l2_cache_size, refcount_cache_size, l2_cache_entry_size;
    uint64_t cache_clean_interval_s;
    char *key_secret, *encrypt_format;
    bool for_check; /* open what only a check may: dirty and corrupt images, for writing */
} Qcow2Options;

/* Create options, in order of the table in qcow2-create.c. */
typedef struct Qcow2Create {
    uint64_t size;
    int32_t compat, preallocation, compression_type;
    char *backing_file, *backing_fmt, *data_file;
    uint64_t cluster_size;
    uint32_t refcount_bits;
    bool lazy_refcounts, extended_l2, data_file_raw, nocow;
    /* Encryption. */
    bool encryption;
    char *encrypt_format, *key_secret, *cipher_alg, *cipher_mode, *ivgen_alg, *ivgen_hash_alg;
    char *hash_alg;
    uint64_t iter_time_ms;
} Qcow2Create;

struct Qcow2 {
    Qcow2Options options; /* first: the option table points here */

    /* Header. */
    uint32_t version;
    unsigned cluster_bits, refcount_order;
    uint32_t cluster_bytes;
    uint64_t size;
    uint32_t crypt_method, compression_type;
    uint64_t incompatible, compatible, autoclear;
    uint32_t header_length;
    uint64_t reftable_offset;
    uint32_t reftable_clusters;
    uint64_t snapshots_offset, snapshots_bytes;
    char *data_file_name;
    uint64_t crypto_offset, crypto_len;
    uint64_t bitmap_dir_offset, bitmap_dir_bytes;
    uint32_t bitmap_count;
    GArray *extensions;       /* Qcow2Extension: those kept without knowing them */
    GPtrArray *feature_names; /* "type bit name" of the image, for messages */

    /* Derived. */
    bool extended_l2;
    unsigned l2_bits; /* log2 of the entries of an L2 table */
    unsigned entry_bytes;
    unsigned subcluster_bits;
    uint64_t *l1; /* host order */
    uint64_t l1_offset;
    uint32_t l1_size;
    uint32_t l1_dirty_from, l1_dirty_to; /* entries */
    uint64_t *reftable;                  /* host order */
    uint64_t reftable_size;
    uint64_t reftable_used; /* behind these all are 0; looked through at every write */
    uint64_t reftable_dirty_from, reftable_dirty_to;
    unsigned refblock_bits; /* log2 of the entries of a refcount block */
    uint64_t refcount_max;
    GPtrArray *snapshots; /* Qcow2Snapshot * */
    BlkChild *data;       /* where data clusters lie: the file, or the external data file */
    Qcow2Crypt *crypt;

    /* Work. */
    Qcow2Cache *l2_cache, *ref_cache;
    uint32_t slice_bytes;
    bool is_locked;
    BlkWaitQueue lock_waiters;
    BlkRangeSet gate;        /* requests shared, whole-image operations exclusive */
    BlkRangeSet allocations; /* guest ranges whose clusters are being allocated or changed */
    Qcow2Access *first_access, *last_access;
    uint64_t access_number;
    GArray *frees;        /* Qcow2Free */
    uint64_t free_hint;   /* cluster: none before it is free */
    uint64_t packed_next; /* host byte where the next compressed cluster may go, 0 = none */
    bool data_before_l2;  /* data was written that an L2 entry may not precede */
    bool is_corrupt;
    bool is_dirty_marked; /* the dirty bit is set on disk */
    bool is_lazy;
    bool is_prepared;            /* qcow2_before_write() was done */
    bool knows_holes, has_holes; /* ... that data clusters may lie in (qcow2_status) */
    bool keep_dirty;             /* a failed operation left what only a repair mends */
    unsigned overlap_mask;
    bool pass_discard_request, pass_discard_snapshot, pass_discard_other;
    int64_t next_clean_us;
};

/* ---- numbers ---- */

static inline uint64_t
qcow2_clusters_for(const Qcow2 *q, uint64_t bytes)
{
    return (bytes >> q->cluster_bits) + ((bytes & (q->cluster_bytes - 1)) > 0);
}

static inline uint64_t
qcow2_in_cluster(const Qcow2 *q, uint64_t offset)
{
    return offset & (q->cluster_bytes - 1);
}

static inline uint64_t
qcow2_cluster_start(const Qcow2 *q, uint64_t offset)
{
    return offset & ~(uint64_t)(q->cluster_bytes - 1);
}

static inline bool
qcow2_has_data_file(const Qcow2 *q)
{
    return q->incompatible & QCOW2_INCOMPAT_DATA_FILE;
}

/* L1 entries for a disk of LEN bytes. */
uint64_t qcow2_l1_entries_for(const Qcow2 *q, uint64_t len);

/* ---- qcow2.c ---- */

extern const BlkDriver blk_qcow2_driver;

/* What the first write after opening must do to the image, and no earlier. */
int qcow2_before_write(BlkNode *node);
/* Brings everything to disk and leaves the image as one that is closed. */
int qcow2_settle(BlkNode *node);

/* ---- qcow2-header.c ---- */

/* "'FILE', offset N (FIELD): ..." */
void qcow2_set_bad(BlkNode *node, GError **error, uint64_t offset, const char *field,
                   const char *format, ...) G_GNUC_PRINTF(5, 6);
bool qcow2_read_header(BlkNode *node, GError **error);
/* The whole first cluster: header, extensions, names; at any moment either all of the old ones or
 * all of the new ones are there. 0 or a negative errno. */
int qcow2_write_header(BlkNode *node);
/* The same with another backing file than the node has. */
int qcow2_write_header_with(BlkNode *node, const char *backing_file, const char *backing_format);
/* Only the fixed fields, which lie in one sector. */
int qcow2_update_header(BlkNode *node);
/* Sets or clears bits of the incompatible features on disk, with a flush on both sides. */
int qcow2_change_incompatible(BlkNode *node, uint64_t set, uint64_t clear);
/* Puts the header into BUF of cluster size. False when it does not fit. */
bool qcow2_fill_header(const Qcow2 *q, const char *backing_file, const char *backing_format,
                       uint8_t *buf);
void qcow2_set_refcount_order(Qcow2 *q, unsigned order);
void qcow2_free_header(Qcow2 *q);

/* ---- qcow2-cache.c ---- */

Qcow2Cache *qcow2_cache_new(uint32_t table_bytes, uint64_t max_tables);
void qcow2_cache_free(Qcow2Cache *cache);
/* The table at OFFSET, pinned; FRESH: it is new, all zero and dirty, and is not read. The cache may
 * be larger than its bound while tables are pinned or dirty. */
int qcow2_cache_get(BlkNode *node, Qcow2Cache *cache, uint64_t offset, bool fresh,
                    Qcow2Table **out);
/* The table if it is there, not pinned; for lookups that do not wait. */
Qcow2Table *qcow2_cache_peek(Qcow2Cache *cache, uint64_t offset);
void qcow2_cache_put(Qcow2Table *table);
void qcow2_cache_mark(Qcow2Cache *cache, Qcow2Table *table, uint32_t from, uint32_t to);
bool qcow2_cache_is_dirty(const Qcow2Cache *cache);
/* Too many dirty tables for the bound. */
bool qcow2_cache_is_full(const Qcow2Cache *cache);
/* Writes what is dirty, in order of place. CHECK: what not to overwrite. */
int qcow2_cache_write(BlkNode *node, Qcow2Cache *cache, unsigned check);
/* Forgets clean tables at [offset, offset + len), without writing dirty ones. */
void qcow2_cache_forget(Qcow2Cache *cache, uint64_t offset, uint64_t len);
/* Forgets every table, dirty ones too. None is pinned. */
void qcow2_cache_forget_all(Qcow2Cache *cache);
/* Frees clean tables that were not used since the last call. */
void qcow2_cache_clean(Qcow2Cache *cache);
uint32_t qcow2_cache_table_bytes(const Qcow2Cache *cache);

/* ---- qcow2-refcount.c ---- */

uint64_t qcow2_refcount_read(const Qcow2 *q, const uint8_t *block, uint64_t index);
void qcow2_refcount_write(const Qcow2 *q, uint8_t *block, uint64_t index, uint64_t value);
int qcow2_get_refcount(BlkNode *node, uint64_t cluster, uint64_t *out);
/* OUT: the end of the last cluster below CLUSTERS that is counted; 0 or a negative errno. */
int qcow2_find_used_end(BlkNode *node, uint64_t clusters, uint64_t *out);
/* Adds DELTA to the refcounts of COUNT clusters. -EIO where one would leave 0..max. Lock held. */
int qcow2_change_refcount(BlkNode *node, uint64_t cluster, uint64_t count, int delta);
/* COUNT clusters next to each other, refcount one. Their offset or a negative errno. Lock held. */
int64_t qcow2_alloc(BlkNode *node, uint64_t count);
/* The same, but as many as there are together, at least one. */
int64_t qcow2_alloc_some(BlkNode *node, uint64_t *count);
/* Exactly there, as many as are free. */
int qcow2_alloc_at(BlkNode *node, uint64_t offset, uint64_t *count);
/* Room for LEN bytes of compressed data. */
int64_t qcow2_alloc_packed(BlkNode *node, uint32_t len);
/* One reference less, once that is stable. */
void qcow2_free(Qcow2 *q, uint64_t offset, uint64_t bytes, bool is_discard);
/* Gives those of the clusters back to the host that nothing refers to. [fiber] */
void qcow2_discard_unused(BlkNode *node, uint64_t first_cluster, uint64_t count);
/* Makes the queued decrements whose time has come. Lock held. */
int qcow2_apply_frees(BlkNode *node);
/* Grows the refcount table in memory and on disk to ENTRIES at least. */
int qcow2_grow_reftable(BlkNode *node, uint64_t entries);
bool qcow2_load_reftable(BlkNode *node, GError **error);
/* After the table was replaced: how many entries are in use. */
void qcow2_count_reftable(Qcow2 *q);

/* ---- qcow2-commit.c ---- */

void qcow2_lock(BlkNode *node);
void qcow2_unlock(BlkNode *node);
void qcow2_enter(BlkNode *node, BlkRange *range, bool exclusive);
void qcow2_leave(BlkNode *node, BlkRange *range);
void qcow2_begin_access(Qcow2 *q, Qcow2Access *access);
void qcow2_end_access(Qcow2 *q, Qcow2Access *access);
/* Writes all dirty metadata in the order the invariants ask for; FLUSH: and makes it stable, so
 * that queued frees may be applied. Lock held. */
int qcow2_commit(BlkNode *node, bool flush);
/* Commits when a cache has grown over its bound. Lock held. */
int qcow2_relieve(BlkNode *node);
/* Before refcounts on disk may become wrong: sets the dirty bit where there is one. */
int qcow2_mark_dirty(BlkNode *node);
/* After everything is written: clears it. */
int qcow2_mark_clean(BlkNode *node);
/* Writes metadata that is not cached, after looking for overlaps. */
int qcow2_write_meta(BlkNode *node, uint64_t offset, const void *buf, size_t len, unsigned check);

/* ---- qcow2-overlap.c ---- */

/* Whether [offset, offset + len) is free of metadata other than those in IGNORE; otherwise marks
 * the image corrupt and gives -EIO. */
int qcow2_check_overlap(BlkNode *node, uint64_t offset, uint64_t len, unsigned ignore);
/* No more writing; v3 images remember. */
void qcow2_set_corrupt(BlkNode *node);

/* ---- qcow2-map.c ---- */

bool qcow2_load_l1(BlkNode *node, GError **error);
/* What the guest's bytes at OFFSET are, at most LEN of them. 0 or a negative errno. */
int qcow2_lookup(BlkNode *node, uint64_t offset, uint64_t len, Qcow2Extent *out);
/* Decodes entry INDEX of SLICE from subcluster SUB on; extent.len is that of alike subclusters. */
void qcow2_decode(const Qcow2 *q, const uint8_t *entry, unsigned sub, Qcow2Extent *out);
/* The slice with the entry for OFFSET, in a table that may be changed; made when there is none.
 * OUT_INDEX: of the entry in the slice. Pinned. Lock held. */
int qcow2_get_slice(BlkNode *node, uint64_t offset, Qcow2Table **out, unsigned *out_index);
void qcow2_set_entry(const Qcow2 *q, Qcow2Table *slice, unsigned index, uint64_t entry,
                     uint64_t bitmap);
uint64_t qcow2_get_entry(const Qcow2 *q, const Qcow2Table *slice, unsigned index,
                         uint64_t *out_bitmap);
/* Queues the release of what ENTRY refers to. */
void qcow2_free_entry(Qcow2 *q, uint64_t entry, bool is_discard);
int qcow2_grow_l1(BlkNode *node, uint64_t entries);
int qcow2_write_l1(BlkNode *node);
void qcow2_mark_l1(Qcow2 *q, uint32_t index);
/* Of a compressed cluster's entry. */
void qcow2_packed_place(const Qcow2 *q, uint64_t entry, uint64_t *out_offset, uint32_t *out_bytes);

/* ---- qcow2-read.c, qcow2-write.c, qcow2-zero.c ---- */

int qcow2_read(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at);
/* Without taking the gate. */
int qcow2_read_inside(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at);
int qcow2_read_inside_buffer(BlkNode *node, uint64_t offset, void *buf, size_t len);
int qcow2_write(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
                unsigned flags);
int qcow2_write_inside(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec,
                       uint64_t at);
int qcow2_write_zeroes(BlkNode *node, uint64_t offset, uint64_t len, unsigned flags);
int qcow2_discard(BlkNode *node, uint64_t offset, uint64_t len);
/* Drops whole clusters so that the backing image, or zeroes, show through. Lock not held. */
int qcow2_drop(BlkNode *node, uint64_t offset, uint64_t len);
int qcow2_make_empty(BlkNode *node);
int qcow2_status(BlkNode *node, uint64_t offset, uint64_t len, BlkStatus *out);
/* Allocates [offset, offset + len) without writing data. */
int qcow2_preallocate(BlkNode *node, uint64_t offset, uint64_t len, uint64_t *out_host_end);

/* ---- qcow2-compress.c ---- */

/* Both on a worker. Compress gives the length, 0 when it would not become smaller. */
int qcow2_compress(BlkContext *context, uint32_t type, const void *in, size_t in_len, void *out,
                   size_t out_len);
int qcow2_uncompress(BlkContext *context, uint32_t type, const void *in, size_t in_len, void *out,
                     size_t out_len);
int qcow2_write_compressed(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec,
                           uint64_t at);

/* ---- qcow2-snapshot.c ---- */

bool qcow2_load_snapshots(BlkNode *node, uint32_t count, GError **error);
void qcow2_free_snapshots(Qcow2 *q);
int qcow2_write_snapshots(BlkNode *node);
GPtrArray *qcow2_list_snapshots(BlkNode *node);
bool qcow2_create_snapshot(BlkNode *node, const BlkSnapshot *wanted, GError **error);
bool qcow2_apply_snapshot(BlkNode *node, const char *id_or_name, GError **error);
bool qcow2_delete_snapshot(BlkNode *node, const char *id_or_name, GError **error);
bool qcow2_show_snapshot(BlkNode *node, const char *id_or_name, GError **error);
int qcow2_read_vm_state(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec,
                        uint64_t at);
int qcow2_write_vm_state(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec,
                         uint64_t at);

/* ---- qcow2-bitmap.c ---- */

bool qcow2_load_bitmaps(BlkNode *node, GError **error);
/* Marks those in the image as not up to date. */
int qcow2_mark_bitmaps_used(BlkNode *node);
bool qcow2_store_bitmaps(BlkNode *node, bool force, GError **error);
bool qcow2_remove_stored_bitmap(BlkNode *node, const char *name, GError **error);
bool qcow2_can_store_bitmap(BlkNode *node, const char *name, uint32_t granularity, GError **error);
/* Every range of host bytes that bitmaps occupy. False when CALL gives false. */
bool qcow2_each_bitmap_range(BlkNode *node,
                             bool (*call)(void *opaque, uint64_t offset, uint64_t len),
                             void *opaque, GError **error);

/* ---- qcow2-check.c ---- */

bool qcow2_check(BlkNode *node, BlkCheck *check, GError **error);
bool qcow2_check_inside(BlkNode *node, BlkCheck *check, GError **error);
/* Counts all references and writes them anew with 1 << ORDER bits each. Everything is committed,
 * the gate held alone, the lock held. */
bool qcow2_change_refcount_order(BlkNode *node, unsigned order, GError **error);

/* ---- qcow2-resize.c, qcow2-create.c, qcow2-info.c ---- */

bool qcow2_truncate(BlkNode *node, uint64_t len, BlkPreallocation prealloc, GError **error);
bool qcow2_create(BlkGraph *graph, const char *filename, const void *state, GError **error);
extern const VitProp qcow2_create_options[];
/* 2 or 3; the index of Qcow2Create.compat. */
uint32_t qcow2_version_of_compat(int32_t compat);
bool qcow2_measure(BlkGraph *graph, const void *state, BlkNode *source, BlkMeasure *out,
                   GError **error);
void qcow2_get_info(BlkNode *node, BlkFormatInfo *out);
JsonObject *qcow2_describe(BlkNode *node);
bool qcow2_amend(BlkNode *node, const BlkOptions *options, bool force, BlkProgressFunc progress,
                 void *opaque, GError **error);
bool qcow2_change_backing(BlkNode *node, const char *filename, const char *format, GError **error);
