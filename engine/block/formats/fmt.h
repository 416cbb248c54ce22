/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What the image formats of this folder share: a lock among fibers, errors that name file, offset
 * and field, cached tables, new files, and the mapping of a disk in blocks (FmtMap).
 *
 * Thread: in a fiber, the lock of the node's context held. */

#include "blk-driver.h"
#include "blk-luks.h"
#include "fmt-bytes.h"

#include <errno.h>
#include <inttypes.h>

enum { FMT_SECTOR_BYTES = 512 };

/* ---- numbers ---- */

static inline uint64_t
fmt_round_up(uint64_t value, uint64_t unit)
{
    return (value + unit - 1) / unit * unit;
}

static inline uint64_t
fmt_div_up(uint64_t value, uint64_t unit)
{
    return value / unit + (value % unit > 0);
}

/* ---- locks ---- */

/* Lets one fiber in at a time, in order of arrival. Zeroed memory is a free lock. */
typedef struct FmtLock {
    bool is_held;
    BlkWaitQueue waiters;
} FmtLock;

void fmt_lock(BlkNode *node, FmtLock *lock);
void fmt_unlock(BlkNode *node, FmtLock *lock);

/* ---- errors and reading of headers ---- */

/* "'FILE', offset N (FIELD): ..."; always false. */
bool fmt_set_bad(BlkNode *node, GError **error, uint64_t offset, const char *field,
                 const char *format, ...) G_GNUC_PRINTF(5, 6);
/* Whether RET, of writing what an image that is closed has to hold, is 0. */
bool fmt_check_settled(const BlkNode *node, int ret, GError **error);
/* The bytes at OFFSET, which the file must have. FIELD says what they are. */
bool fmt_read(BlkNode *node, BlkChild *file, uint64_t offset, void *buf, size_t len,
              const char *field, GError **error);
/* blk_luks_format() on a worker. Ownership: caller. */
uint8_t *fmt_format_luks(BlkContext *context, const BlkLuksWish *wish, const char *password,
                         size_t *out_len, GError **error);
bool fmt_write(BlkChild *file, uint64_t offset, const void *buf, size_t len, GError **error);
uint64_t fmt_file_len(const BlkChild *file);
/* Another file beside the image as a protocol node in SLOT, opened as NODE is. */
bool fmt_open_beside(BlkNode *node, const char *path, const char *slot, GError **error);

/* For formats that are only read: makes NODE read-only where it may, else refuses. */
bool fmt_make_read_only(BlkNode *node, GError **error);
/* Their set_read_only. */
bool fmt_refuse_writing(BlkNode *node, bool read_only, GError **error);

/* ---- new files ---- */

typedef bool (*FmtFill)(BlkChild *file, const void *create, GError **error);
/* Makes FILENAME and lets FILL write it; see blk_make_file(). */
bool fmt_create_file(BlkGraph *graph, const char *filename, bool no_cow, FmtFill fill,
                     const void *create, bool *out_is_new, GError **error);
/* The length of a new disk in whole sectors; false with ERROR beyond MAX. */
bool fmt_take_size(const char *format, uint64_t size, uint64_t max, uint64_t *out, GError **error);
bool fmt_is_power_of_two(uint64_t value);
/* 16 bytes of a random (version 4) UUID, its first fields little-endian. */
void fmt_put_uuid(uint8_t *out);
/* A finding of a check, for people. */
void fmt_report(const BlkCheck *check, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* ---- compression, on workers ---- */

typedef enum FmtCodec { FMT_ZLIB, FMT_BZIP2 } FmtCodec;
/* How many bytes came out, OUT_LEN at most, or a negative errno. */
int fmt_unpack(BlkContext *context, FmtCodec codec, const void *in, size_t in_len, void *out,
               size_t out_len);
/* By zlib. The length, or a negative errno. */
int fmt_pack(BlkContext *context, const void *in, size_t in_len, void *out, size_t out_len);
size_t fmt_pack_bound(size_t len);

/* ---- tables of the file, kept in memory; written through ---- */

typedef struct FmtTables FmtTables;
FmtTables *fmt_tables_new(uint32_t table_bytes, unsigned max_tables);
void fmt_tables_free(FmtTables *tables);
/* The table at OFFSET of FILE; valid until the caller waits. 0 or a negative errno. */
int fmt_tables_get(BlkNode *node, FmtTables *tables, BlkChild *file, uint64_t offset,
                   const uint8_t **out);
/* Changes LEN bytes at AT of that table, in the file and then here. */
int fmt_tables_put(BlkNode *node, FmtTables *tables, BlkChild *file, uint64_t offset, uint32_t at,
                   const void *bytes, size_t len);
void fmt_tables_forget(FmtTables *tables);

/* ---- disks in blocks ---- */

typedef enum FmtKind {
    FMT_ABSENT, /* the backing image shows, or zeroes */
    FMT_ZERO,
    FMT_DATA,
    FMT_PACKED, /* a compressed block */
} FmtKind;

typedef struct FmtExtent {
    FmtKind kind;
    uint64_t len;   /* how far this holds */
    BlkChild *file; /* DATA and PACKED */
    uint64_t host;  /* DATA: where the first byte is; PACKED: what the driver likes */
    uint64_t block_start, block_len; /* PACKED: the whole block */
    uint64_t packed_len;
    uint32_t type;
} FmtExtent;

/* A place for a new block. */
typedef struct FmtRoom {
    BlkChild *file;
    uint64_t host;
    uint64_t note; /* the driver's */
} FmtRoom;

/* How a driver maps its disk. All but lookup and unpack only for formats that are written; those
 * are called with map->lock held but where it is said. 0 or a negative errno. */
typedef struct FmtMapOps {
    /* What the guest's bytes from OFFSET are, at most LEN of them. Lock not needed. */
    int (*lookup)(BlkNode *node, uint64_t offset, uint64_t len, FmtExtent *out);
    /* The whole block of a PACKED extent. Lock not needed. */
    int (*unpack)(BlkNode *node, const FmtExtent *extent, uint8_t *out);
    /* The block around OFFSET; may reach beyond the end of the disk. Does not wait. */
    void (*get_block)(BlkNode *node, uint64_t offset, uint64_t *out_start, uint64_t *out_len);
    /* Before every write; lock not held. May be NULL. */
    int (*before_write)(BlkNode *node);
    /* Before a block of this image is written in place; lock not held. May be NULL. */
    int (*before_overwrite)(BlkNode *node, uint64_t offset, uint64_t len);
    /* Room for the block that starts at START. */
    int (*reserve)(BlkNode *node, uint64_t start, FmtRoom *out);
    /* The block's data is written: the disk has it from now on. */
    int (*link)(BlkNode *node, uint64_t start, const FmtRoom *room);
    /* The block, which has no data here, reads as zeroes from now on. NULL: no such mark. */
    int (*link_zero)(BlkNode *node, uint64_t start);
    /* Instead of reserve and link, for images that are written compressed: the whole block. */
    int (*write_block)(BlkNode *node, uint64_t start, const uint8_t *buf, uint64_t len);
} FmtMapOps;

/* First member of the state of drivers that use it. */
typedef struct FmtMap {
    const FmtMapOps *ops;
    FmtLock lock; /* blocks are made one at a time */
    /* The block that was unpacked last. */
    uint8_t *unpacked;
    uint64_t unpacked_start, unpacked_len;
    bool is_prepared; /* before_write was done; drivers reset it */
} FmtMap;

void fmt_map_clear(FmtMap *map);
/* These are the drivers' ops. */
int fmt_map_read(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at);
int fmt_map_write(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
                  unsigned flags);
int fmt_map_write_zeroes(BlkNode *node, uint64_t offset, uint64_t len, unsigned flags);
int fmt_map_status(BlkNode *node, uint64_t offset, uint64_t len, BlkStatus *out);
/* Extends FILE to END, where it is shorter. */
int fmt_extend(BlkChild *file, uint64_t end);
/* Lengthens FILE some MiB beyond END and flushes it, once for many blocks: a table may name what
 * lies before *ROOM_END, also when all that is not flushed gets lost. */
int fmt_secure_room(BlkChild *file, uint64_t end, uint64_t *room_end);
/* Gives back what lies beyond END; if that fails the file stays longer. */
void fmt_trim_room(BlkChild *file, uint64_t end, uint64_t *room_end);
