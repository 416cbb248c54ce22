/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What image formats, protocols and filters implement, and what they may use.
 *
 * A driver is one const descriptor at the end of its one file. A node is an instance of it; edges
 * (BlkChild) go from a node to those below, from a drive or a job to the root. All I/O goes
 * through an edge and needs the permission the edge holds.
 *
 * Ops marked [fiber] run in a fiber of the node's context and may wait; they return 0 (or a value)
 * or a negative errno. Others do not wait. Ranges are in bytes and already aligned to the node's
 * limits, within the length or, on nodes that can grow, beyond it.
 *
 * Thread: the lock of the node's context held. */

#include "blk-context.h"
#include "blk-format.h"
#include "blk-options.h"
#include "blk-range.h"
#include "blk-vec.h"
#include "blk.h"
#include "vit-error.h"
#include "vit-prop.h"

typedef struct BlkChild BlkChild;
typedef struct BlkDriver BlkDriver;

/* What a parent does with a node (perm), and what it lets other parents do (shared). */
enum {
    BLK_PERM_CONSISTENT_READ = 1u << 0, /* reads that see one state of the image */
    BLK_PERM_WRITE = 1u << 1,
    BLK_PERM_WRITE_UNCHANGED = 1u << 2, /* writes that do not change what is read */
    BLK_PERM_RESIZE = 1u << 3,
    BLK_PERM_ALL = 15,
};

typedef enum BlkRole { BLK_ROLE_PROTOCOL, BLK_ROLE_FORMAT, BLK_ROLE_FILTER } BlkRole;

/* Flags of requests. */
enum {
    BLK_REQ_FUA = 1u << 0,         /* on stable storage before it completes */
    BLK_REQ_MAY_UNMAP = 1u << 1,   /* zeroes may become a hole */
    BLK_REQ_NO_FALLBACK = 1u << 2, /* zeroes: fail rather than write a buffer */
};

/* A place for a child in a driver's options: "file", "backing". */
typedef struct BlkChildSlot {
    const char *name;
    bool required;
    bool list;  /* any number of them: "children.0", "children.1", ... */
    bool probe; /* an inline child without a driver is probed; else it is a protocol node */
} BlkChildSlot;

enum {
    BLK_STATUS_DATA = 1u << 0,      /* holds data */
    BLK_STATUS_ZERO = 1u << 1,      /* reads as zeroes */
    BLK_STATUS_ALLOCATED = 1u << 2, /* of this node, not of its backing */
    BLK_STATUS_MAPPED = 1u << 3,    /* lies at map_offset of map_node */
    BLK_STATUS_COMPRESSED = 1u << 4,
};

typedef struct BlkStatus {
    unsigned flags;
    uint64_t len_bytes; /* how far this holds, > 0 */
    BlkNode *map_node;
    uint64_t map_offset;
} BlkStatus;

typedef struct BlkLimits {
    uint32_t request_align;  /* of offsets and lengths, power of two; 1 = bytes */
    uint32_t memory_align;   /* of buffers */
    uint32_t zeroes_align;   /* of write_zeroes; smaller pieces are written as data */
    uint32_t discard_align;  /* of discard; smaller pieces are dropped */
    uint64_t max_zeroes_len; /* per call, 0 = any */
    unsigned write_flags;    /* BLK_REQ_* the driver's write takes */
    unsigned zeroes_flags;
} BlkLimits;

/* What the file of a new image is to be. */
typedef struct BlkNewFile {
    uint64_t len;
    BlkPreallocation prealloc;
    bool no_cow; /* a wish: no copy-on-write of the host's file */
} BlkNewFile;

/* A number that a driver keeps, by the name monitors know it by. */
typedef struct BlkCounter {
    const char *name;
    uint64_t value;
} BlkCounter;

enum { BLK_COUNTERS_MAX = 4 };

struct BlkDriver {
    const char *name;
    const char *title; /* VIT_N_ marked */
    BlkRole role;
    size_t state_size;          /* node->state, zeroed */
    const VitProp *options;     /* fields of the state */
    const BlkChildSlot *slots;  /* ends with a NULL name; NULL = no children */
    const char *const *schemes; /* protocols: "nbd", "nbd+unix" of NAME://...; NULL-terminated */
    const VitProp *create_options;
    size_t create_size; /* of the struct they fill */

    /* Protocols: puts what FILENAME (as in schemes, or bare) says into OPTIONS; NULL: it becomes
     * the option "filename". */
    bool (*parse_filename)(const char *filename, BlkOptions *options, GError **error);
    /* How sure the driver is, 0..100, by the first bytes of the image. */
    int (*probe)(const uint8_t *buf, size_t len, const char *filename);
    /* Options are parsed and children attached, but for a backing image that only the header
     * names: set node->backing_file and backing_format, and it is opened afterwards. [fiber] */
    bool (*open)(BlkNode *node, GError **error);
    /* Also after a failed open. No request is in flight. [fiber] */
    void (*close)(BlkNode *node);
    int (*read)(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec,
                uint64_t at); /* [fiber] */
    int (*write)(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
                 unsigned flags); /* [fiber] */
    /* NULL: every child is flushed. [fiber] */
    int (*flush)(BlkNode *node);
    int (*discard)(BlkNode *node, uint64_t offset, uint64_t len);                      /* [fiber] */
    int (*write_zeroes)(BlkNode *node, uint64_t offset, uint64_t len, unsigned flags); /* [fiber] */
    int64_t (*get_len)(BlkNode *node);
    /* [fiber] */
    bool (*truncate)(BlkNode *node, uint64_t len, BlkPreallocation prealloc, GError **error);
    /* Formats with a backing image leave flags 0 for what is not theirs. NULL: all is data, and
     * filters ask the node below. [fiber] */
    int (*status)(BlkNode *node, uint64_t offset, uint64_t len, BlkStatus *out);
    /* Host bytes in use, or negative. Does not wait. */
    int64_t (*get_allocated_len)(BlkNode *node);
    /* What the driver counts for query-blockstats: fills OUT, of BLK_COUNTERS_MAX, and gives how
     * many there are. NULL: nothing. */
    unsigned (*get_counters)(const BlkNode *node, BlkCounter *out);
    void (*refresh_limits)(BlkNode *node);
    /* Whether there is a medium; NULL = always. */
    bool (*is_inserted)(BlkNode *node);
    /* What the node needs of CHILD when its parents need PERM and share SHARED. NULL: formats need
     * reads, and writes and resizing where the node is writable; filters pass on. */
    void (*child_perm)(BlkNode *node, const BlkChild *child, unsigned *perm, unsigned *shared);
    /* Protocols: takes what PERM and SHARED add (locks), keeping what is held; commit drops what
     * is no longer needed, abort goes back. [fiber] */
    bool (*prepare_perm)(BlkNode *node, unsigned perm, unsigned shared, GError **error);
    void (*commit_perm)(BlkNode *node, unsigned perm, unsigned shared);
    void (*abort_perm)(BlkNode *node);
    /* Changes between read-only and writable. NULL: nothing to do. [fiber] */
    bool (*set_read_only)(BlkNode *node, bool read_only, GError **error);
    /* Takes the options of STATE, which differ from those there are, while nothing runs; on failure
     * all is as before. NULL: they cannot be changed. [fiber] */
    bool (*reopen)(BlkNode *node, const void *state, GError **error);
    /* Formats: makes a new, empty image, by blk_make_file(). STATE is the filled create_options.
     * [fiber] */
    bool (*create)(BlkGraph *graph, const char *filename, const void *state, GError **error);
    /* Protocols: makes or empties the file that the options of NODE name, which is not opened, and
     * gives it its length; what was new and failed is removed again. [fiber] */
    bool (*make_file)(BlkNode *node, const BlkNewFile *wish, bool *out_is_new, GError **error);
    /* Removes such a file; NODE is not opened. [fiber] */
    void (*remove_file)(BlkNode *node);
    /* Protocols without make_file: new images go into what is there and keeps its size: an export,
     * a unit, a device. */
    bool holds_images;
    /* Snapshots, checks, compression, ...: see blk-format.h; NULL = none of it. */
    const BlkFormatOps *format;
};

/* Who is at the upper end of an edge without a parent node: a drive, a job, a tool. */
typedef struct BlkUser {
    const char *(*describe)(void *opaque);
    /* Between these the user starts no request; those it has are waited for. */
    void (*drained_begin)(void *opaque);
    void (*drained_end)(void *opaque);
    bool (*is_busy)(void *opaque);
    void (*resized)(void *opaque);
} BlkUser;

struct BlkChild {
    BlkNode *node;
    BlkNode *parent; /* or NULL */
    const char *slot;
    const BlkUser *user; /* may be NULL */
    void *opaque;
    unsigned perm, shared;         /* held */
    unsigned new_perm, new_shared; /* during an update */
    bool bears_all;                /* a commit writes to the node below */
};

/* Somebody who is told of every write to a node. [fiber] */
typedef struct BlkWriteHook {
    /* Before the write begins; it may read the node. A negative errno fails the write. */
    int (*before)(void *opaque, uint64_t offset, uint64_t len);
    /* After it has ended with RET. */
    void (*after)(void *opaque, uint64_t offset, uint64_t len, int ret);
    void *opaque;
} BlkWriteHook;

typedef enum BlkDetectZeroes {
    BLK_DETECT_ZEROES_OFF,
    BLK_DETECT_ZEROES_ON,
    BLK_DETECT_ZEROES_UNMAP,
} BlkDetectZeroes;

struct BlkNode {
    const BlkDriver *driver;
    BlkGraph *graph;
    BlkContext *context;
    char *name;
    char *filename; /* for people */
    /* What the image's header says of its backing, set by the driver's open; NULL = none. The graph
     * opens it after that, unless "backing" was given: a format NULL is probed. */
    char *backing_file, *backing_format;
    char *backing_path; /* backing_file as seen from here */
    GPtrArray *hooks;   /* BlkWriteHook *, or NULL */
    GPtrArray *bitmaps; /* BlkBitmap *, or NULL */
    void *state;
    unsigned ref_count;
    GPtrArray *children, *parents; /* BlkChild; a child is owned by its upper end */
    BlkChild *file, *backing;      /* of the children, or NULL */
    bool read_only, auto_read_only, force_share;
    bool cache_direct, no_flush;
    bool discard_unmap;
    bool opened;       /* the driver's open succeeded */
    bool format_given; /* false: probing chose the driver */
    int detect_zeroes;
    BlkLimits limits;
    unsigned in_flight;
    unsigned drain_depth;
    BlkRangeSet ranges;
    uint64_t write_threshold;            /* tells when a write reaches beyond it, once; 0: never */
    uint64_t highest_offset;             /* end of the last byte written */
    uint64_t write_count, flushed_count; /* writes completed; of these, flushed */
    bool is_flushing;
    BlkWaitQueue flush_waiters;
};

/* ---- edges ---- */

/* OPAQUE and USER describe the upper end. Takes the reference to NODE on success. */
BlkChild *blk_child_attach(BlkNode *node, const BlkUser *user, void *opaque, unsigned perm,
                           unsigned shared, GError **error);
/* Gives up the reference. NULL is fine. */
void blk_child_detach(BlkChild *child);
/* An edge that only looks, for a moment, and bears everything; NULL when even that is refused.
 * Takes a reference of its own. */
BlkChild *blk_child_attach_reader(BlkNode *node, GError **error);
bool blk_child_set_perm(BlkChild *child, unsigned perm, unsigned shared, GError **error);
/* Recomputes what NODE needs of its children, and they of theirs; on failure all is as before. */
bool blk_node_update_perm(BlkNode *node, GError **error);
/* What all parents need and all share. */
void blk_node_get_perm(const BlkNode *node, unsigned *out_perm, unsigned *out_shared);
/* Adds CHILD of NODE in SLOT before the driver's open. Takes the reference. */
void blk_node_add_child(BlkNode *node, const char *slot, BlkNode *child);

/* ---- I/O through an edge [fiber] ---- */

int blk_read(BlkChild *child, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at);
int blk_write(BlkChild *child, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
              unsigned flags);
int blk_read_buffer(BlkChild *child, uint64_t offset, void *buf, size_t len);
int blk_write_buffer(BlkChild *child, uint64_t offset, const void *buf, size_t len, unsigned flags);
int blk_write_compressed(BlkChild *child, uint64_t offset, const void *buf, size_t len);
int blk_flush(BlkChild *child);
int blk_discard(BlkChild *child, uint64_t offset, uint64_t len);
int blk_write_zeroes(BlkChild *child, uint64_t offset, uint64_t len, unsigned flags);
/* Brings what the chain above BASE (NULL: all of it) has below the image of CHILD into it, with the
 * range to itself; what the image has stays. How many bytes that were, or a negative errno. */
int64_t blk_copy_up(BlkChild *child, BlkNode *base, uint64_t offset, uint64_t len);
/* Resolved through the chain: what is not ALLOCATED here says what the backing has, or zeroes. */
int blk_get_status(BlkChild *child, uint64_t offset, uint64_t len, BlkStatus *out);
bool blk_truncate(BlkChild *child, uint64_t len, BlkPreallocation prealloc, GError **error);

/* Reads through node->backing; beyond its end, and without one, are zeroes. */
int blk_read_backing(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at);

/* What a filter does with requests that are not its business: the node's file gets them. */
int blk_pass_read(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at);
int blk_pass_write(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
                   unsigned flags);
int blk_pass_write_zeroes(BlkNode *node, uint64_t offset, uint64_t len, unsigned flags);
int blk_pass_discard(BlkNode *node, uint64_t offset, uint64_t len);
bool blk_pass_truncate(BlkNode *node, uint64_t len, BlkPreallocation prealloc, GError **error);

/* HOOK stays until it is removed, which takes a standstill. */
void blk_node_add_hook(BlkNode *node, BlkWriteHook *hook);
void blk_node_remove_hook(BlkNode *node, BlkWriteHook *hook);

/* ---- for the layer itself ---- */

/* Writes FILE (NULL or "": none) into NODE's header, and nothing else. [fiber] */
bool blk_node_change_backing_file(BlkNode *node, const char *file, const char *format,
                                  GError **error);

/* Opens like blk_open() but inside a fiber; PROTOCOL: without "driver" the filename's protocol is
 * used and no format is probed. */
BlkNode *blk_open_in_fiber(BlkGraph *graph, BlkOptions *options, bool protocol, GError **error);
/* Whether NODE, which keeps its size (holds_images), has room for LEN bytes of an image. */
bool blk_fits(BlkNode *node, uint64_t len, BlkPreallocation prealloc, GError **error);
/* A protocol node for a new file TITLE whose options are parsed, but which is not opened. NULL with
 * ERROR also where nothing new can be made. OPTIONS are used up. [fiber] */
BlkNode *blk_open_new_file(BlkGraph *graph, BlkOptions *options, const char *title, GError **error);
/* Writes an image into FILE, which is open for that. [fiber] */
typedef bool (*BlkFill)(BlkNode *file, const void *opaque, GError **error);
/* Makes the file of a new image, whatever the protocol of FILENAME (a path, SCHEME:...,
 * json:{...}), and lets FILL (may be NULL) write it. What fails is removed again if it was new.
 * OUT_IS_NEW may be NULL. [fiber] */
bool blk_make_file(BlkGraph *graph, const char *filename, const BlkNewFile *wish, BlkFill fill,
                   const void *opaque, bool *out_is_new, GError **error);
/* An unnamed node of DRIVER whose state INIT prepares in place of parsed options. [fiber] */
BlkNode *blk_node_open_internal(BlkGraph *graph, const BlkDriver *driver, BlkNode *file,
                                BlkNode *backing, void (*init)(BlkNode *node, void *opaque),
                                void *opaque, GError **error);
/* For tools that run fibers of their own. Borrowed. */
BlkChild *blk_image_get_root(BlkImage *image);
BlkContext *blk_graph_get_context(BlkGraph *graph);
/* Credentials of -object for one side of a connection. Ownership: caller has a reference. */
struct VitTlsCreds *blk_graph_ref_tls_creds(BlkGraph *graph, const char *id, bool for_server,
                                            GError **error);
/* Whether the authorisation object ID (NULL: there is none) lets IDENTITY (may be NULL) in. An
 * object that has gone lets nobody in. */
bool blk_graph_is_authorised(BlkGraph *graph, const char *id, const char *identity);
/* Borrowed; NULL: there are none. */
const BlkOptions *blk_graph_get_defaults(BlkGraph *graph, const char *driver);
const BlkDriver *blk_graph_find_driver(BlkGraph *graph, const char *name);
/* The driver for an image that starts with BUF; that of raw images where nothing recognises it. */
const BlkDriver *blk_probe(BlkGraph *graph, const uint8_t *buf, size_t len, const char *filename);
/* Title of the format that BUF looks like; NULL for plain data. */
const char *blk_probe_title(BlkGraph *graph, const uint8_t *buf, size_t len);
enum { BLK_PROBE_BYTES = 2048 };
/* Sets ERROR for a driver name that is not there: not available yet, or unknown. */
void blk_set_unknown_driver_error(BlkGraph *graph, const char *name, GError **error);

/* Every driver built in, NULL-terminated; generated from the build list. */
extern const BlkDriver *const blk_builtin_drivers[];
extern const BlkDriver blk_file_driver, blk_raw_driver, blk_overlay_driver, blk_copy_on_read_driver;
