/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The block layer as machines, monitors and image tools see it.
 *
 * A BlkGraph holds the nodes and drives of one machine (or one tool). Formats, protocols and
 * filters are nodes; a drive is what a device model sees (VitDrive) and has a node as its medium,
 * or none. Nodes are reference counted.
 *
 * Thread: the lock given at creation held (a machine's device lock); calls that open, close, drain
 * or do I/O synchronously wait for the host and may run completions of other requests. */

#include "blk-options.h"
#include "vit-throttle.h"
#include "vit-drive.h"
#include "vit-iothread.h"
#include "vit-lock.h"
#include "vit-types.h"

typedef struct BlkGraph BlkGraph;
typedef struct BlkNode BlkNode;
typedef struct BlkDriver BlkDriver;

typedef enum BlkPreallocation {
    BLK_PREALLOC_OFF,
    BLK_PREALLOC_METADATA,
    BLK_PREALLOC_FALLOC,
    BLK_PREALLOC_FULL,
} BlkPreallocation;

/* ---- the graph ---- */

/* MAIN_CONTEXT: where completions are dispatched, NULL to poll only. LOCK may be NULL. */
BlkGraph *blk_graph_new(GMainContext *main_context, VitLock *lock, GError **error);
/* Threads for blocking calls, unless an iothread dispatches and says how many. */
void blk_graph_set_workers(BlkGraph *graph, VitWorkers workers);
/* All drives are freed; nodes must not be held any more. */
void blk_graph_free(BlkGraph *graph);
/* One more driver beside those built in. */
void blk_graph_add_driver(BlkGraph *graph, const BlkDriver *driver);
/* What nodes of DRIVER take where their own options say nothing (-iscsi); copied. */
void blk_graph_set_defaults(BlkGraph *graph, const char *driver, const BlkOptions *options);
/* Waits for every request. */
void blk_graph_drain(BlkGraph *graph);
/* Flushes every drive; false with the first failure. */
bool blk_graph_flush(BlkGraph *graph, GError **error);
/* Dispatches completions for up to TIMEOUT_MS; for callers without a main context. */
bool blk_graph_poll(BlkGraph *graph, int timeout_ms);
/* For a thread that is about to sleep: the descriptor that becomes readable when requests without
 * an iothread have ended, which then is the caller's to see to; -1: nothing is expected there, or
 * another thread is at it already. The second call ends it and takes completions. */
int blk_graph_watch(BlkGraph *graph);
void blk_graph_unwatch(BlkGraph *graph);

/* Names of drivers for help; NULL-terminated, free the array only. */
const char **blk_graph_list_drivers(BlkGraph *graph);
const char *blk_driver_title(BlkGraph *graph, const char *name);
/* What blk_create() takes for format NAME, ends with a NULL name; NULL: unknown, or nothing. */
const VitProp *blk_driver_create_options(BlkGraph *graph, const char *name);

/* -add-fd: a duplicate of FD becomes a member of /dev/fdset/SET. */
bool blk_graph_add_fd(BlkGraph *graph, unsigned set, int fd, GError **error);
/* Passwords and keys that options name by id (-object secret). Replaces one of the same id. */
void blk_graph_add_secret(BlkGraph *graph, const char *id, GBytes *secret);
void blk_graph_remove_secret(BlkGraph *graph, const char *id);
/* Borrowed; NULL with ERROR when there is none. */
GBytes *blk_graph_find_secret(BlkGraph *graph, const char *id, GError **error);
/* The same as text, without a line end; NULL with ERROR when it is not text. Ownership: caller. */
char *blk_graph_dup_secret_text(BlkGraph *graph, const char *id, GError **error);
/* -object KIND for the kinds that the block layer has a use for: secret, secret_keyring,
 * tls-creds-x509, -psk, -anon, authz-simple, authz-list-file, throttle-group. */
bool blk_object_is_known(const char *kind);
bool blk_graph_add_object(BlkGraph *graph, const char *kind, const char *id,
                          const BlkOptions *props, GError **error);
bool blk_graph_remove_object(BlkGraph *graph, const char *kind, const char *id, GError **error);
/* -object throttle-group; OPTIONS are its properties. */
bool blk_graph_add_throttle_group(BlkGraph *graph, const char *id, const BlkOptions *options,
                                  GError **error);
bool blk_graph_remove_throttle_group(BlkGraph *graph, const char *id, GError **error);

/* ---- nodes ---- */

/* Opens a node from flat options: driver=, node-name=, read-only=, file=NODE or file.filename=, ...
 * Without driver= the format is probed. FILENAME may be NULL, a path, PROTOCOL:..., json:{...}.
 * OPTIONS is not changed; may be NULL. Ownership: caller has a reference. */
BlkNode *blk_open(BlkGraph *graph, const char *filename, const BlkOptions *options, GError **error);
BlkNode *blk_node_ref(BlkNode *node);
/* The last reference closes the node. */
void blk_node_unref(BlkNode *node);
BlkNode *blk_graph_find_node(BlkGraph *graph, const char *name);
/* -blockdev and blockdev-add: opens and keeps; node-name is required. */
BlkNode *blk_graph_add_blockdev(BlkGraph *graph, const BlkOptions *options, GError **error);
/* FOLDER as a disk: the "fat:..." name with the FAT that has room for all of it. NULL with ERROR
 * when it cannot be read or shown. Looks at every file. Thread: any. Ownership: caller. */
char *blk_dup_folder_filename(const char *folder, bool writable, GError **error);
bool blk_graph_remove_blockdev(BlkGraph *graph, const char *name, GError **error);
/* CALL for every named node. */
void blk_graph_each_node(BlkGraph *graph, void (*call)(void *opaque, BlkNode *node), void *opaque);

typedef struct BlkNodeInfo {
    const char *node_name, *driver, *filename;
    uint64_t len_bytes;
    int64_t allocated_bytes; /* on the host, negative when not known */
    bool read_only, cache_direct, no_flush;
    bool discard_unmap;
    bool probed;       /* nobody said which format it is */
    int detect_zeroes; /* 0 off, 1 on, 2 unmap */
    BlkNode *file, *backing;
    /* What the header says of the backing image, and where that is; NULL: nothing. */
    const char *backing_file, *backing_format, *backing_path;
} BlkNodeInfo;

/* Borrowed strings. Does not wait. */
void blk_node_get_info(BlkNode *node, BlkNodeInfo *out);
uint64_t blk_node_get_len(BlkNode *node);
/* Bytes on the host: of a format's files together, without the image below it. -1: not known. */
int64_t blk_node_get_allocated_len(BlkNode *node);
/* Reopens for writing or reading only, with the files below it. */
bool blk_node_set_read_only(BlkNode *node, bool read_only, GError **error);

/* ---- an image as a tool uses it, synchronously ---- */

typedef struct BlkImage BlkImage;
/* WRITE: the node must be writable, and others may not write. Takes a reference to NODE. */
BlkImage *blk_image_new(BlkNode *node, bool write, GError **error);
void blk_image_free(BlkImage *image);
uint64_t blk_image_get_len(BlkImage *image);
/* 0 or a negative errno. */
int blk_image_read(BlkImage *image, uint64_t offset, void *buf, size_t len);
int blk_image_write(BlkImage *image, uint64_t offset, const void *buf, size_t len);
/* Whole clusters of a format that compresses, or up to the end. */
int blk_image_write_compressed(BlkImage *image, uint64_t offset, const void *buf, size_t len);
int blk_image_write_zeroes(BlkImage *image, uint64_t offset, uint64_t len, bool may_unmap);
int blk_image_discard(BlkImage *image, uint64_t offset, uint64_t len);
int blk_image_flush(BlkImage *image);
bool blk_image_resize(BlkImage *image, uint64_t len, BlkPreallocation prealloc, GError **error);
/* Length of the run at OFFSET that is data, or zeroes (out_zero), at most LEN; negative errno. */
int64_t blk_image_get_run(BlkImage *image, uint64_t offset, uint64_t len, bool *out_zero,
                          bool *out_data);
/* Where the bytes of a run come from. */
typedef struct BlkRun {
    uint64_t len_bytes;
    bool data, zero; /* as read through the whole chain */
    bool present;    /* an image of the chain has it: at DEPTH images below the top */
    bool compressed;
    unsigned depth;
    bool has_offset; /* lies at OFFSET of FILENAME (borrowed) */
    uint64_t offset;
    const char *filename;
} BlkRun;

/* 0 or a negative errno. */
int blk_image_describe_run(BlkImage *image, uint64_t offset, uint64_t len, BlkRun *out);
/* Whether LEN bytes at BUF are all zero. */
bool blk_is_zero(const void *buf, size_t len);
/* Makes a new image of FORMAT; OPTIONS: size=, preallocation=, ... */
bool blk_create(BlkGraph *graph, const char *format, const char *filename,
                const BlkOptions *options, GError **error);

/* Whether a new image FILENAME gets a file of its own, which reads as zeroes; what keeps its size
 * (an export, a unit, a device) also keeps what it held. */
bool blk_makes_file(BlkGraph *graph, const char *filename);
/* Removes the file of an image that was made and came to nothing; what keeps its size stays. */
void blk_remove_file(BlkGraph *graph, const char *filename);

/* ---- drives ---- */

typedef enum BlkOnError {
    BLK_ON_ERROR_REPORT,
    BLK_ON_ERROR_IGNORE,
    BLK_ON_ERROR_STOP,
    BLK_ON_ERROR_ENOSPC, /* stop when the host is full, else report */
} BlkOnError;

/* Takes throttling.* and the older keys (bps, iops_rd, group, ...) out of OPTIONS, without the
 * prefix; NULL: there are none. */
BlkOptions *blk_options_take_throttle(BlkOptions *options);
/* Limits DRIVE by these: bps-total=, ..., group=. */
bool blk_drive_throttle(VitDrive *drive, const BlkOptions *limits, GError **error);

typedef struct BlkDriveConfig {
    BlkOnError on_read_error, on_write_error;
    bool read_only;     /* of media put in later */
    bool write_through; /* cache.writeback=off: every write is flushed before it completes */
    bool snapshot;      /* changes go to a temporary file */
    bool copy_on_read;  /* what is read from a backing image is kept */
    /* stats-account-invalid=off, stats-account-failed=off: such requests are counted, but their
     * time is not, and they do not end the time the drive is idle. */
    bool skip_invalid, skip_failed;
} BlkDriveConfig;

/* What a machine is told. STOP: pause the guest; blk_graph_resume() when it runs again. */
typedef struct BlkDriveEvents {
    void (*io_error)(void *opaque, VitDrive *drive, bool is_read, int error, VitDriveError action);
    void (*tray_moved)(void *opaque, VitDrive *drive, bool open);
    /* Anything else monitors tell their clients: the event's name and its data, a JSON object. */
    void (*event)(void *opaque, const char *name, const char *data);
} BlkDriveEvents;

void blk_graph_set_events(BlkGraph *graph, const BlkDriveEvents *events, void *opaque);
/* Repeats the requests that errors stopped. */
void blk_graph_resume(BlkGraph *graph);

/* NODE may be NULL: no medium. Takes a reference of its own. Ownership: the graph. */
VitDrive *blk_drive_new(BlkGraph *graph, const char *id, const BlkDriveConfig *config,
                        BlkNode *node, GError **error);
/* Detach the device first. */
void blk_drive_free(VitDrive *drive);
/* drive_del: the drive of that id, or the node of that name, goes. A device that still uses the
 * drive is left without a medium, its requests fail, and the id is free. */
bool blk_graph_remove_drive(BlkGraph *graph, const char *id, GError **error);
/* By drive id, else a new unnamed drive on the node of that name (as -device drive=NODE means);
 * free that with its device. */
VitDrive *blk_graph_find_drive(BlkGraph *graph, const char *name, GError **error);
void blk_graph_each_drive(BlkGraph *graph, void (*call)(void *opaque, VitDrive *drive),
                          void *opaque);

/* Medium of a removable drive. Eject asks the guest first when it holds the tray locked, and then
 * fails with VIT_ERROR_BUSY; FORCE takes it. Change opens FILENAME first, so that on failure the
 * old medium stays. FORMAT and READ_ONLY_MODE ("retain", "read-only", "read-write") may be NULL. */
bool blk_drive_eject(VitDrive *drive, bool force, GError **error);
bool blk_drive_change(VitDrive *drive, const char *filename, const char *format,
                      const char *read_only_mode, bool force, GError **error);
bool blk_drive_insert(VitDrive *drive, BlkNode *node, GError **error);
bool blk_drive_open_tray(VitDrive *drive, bool force, GError **error);
bool blk_drive_close_tray(VitDrive *drive, GError **error);
bool blk_drive_resize(VitDrive *drive, uint64_t len, GError **error);
/* Writes what a snapshot=on drive holds into its image. */
bool blk_drive_commit(VitDrive *drive, GError **error);
BlkNode *blk_drive_get_node(VitDrive *drive); /* borrowed, NULL when empty */

typedef struct BlkDriveStats {
    uint64_t read_count, write_count, flush_count, discard_count;
    uint64_t read_bytes, write_bytes, discard_bytes;
    uint64_t read_ns, write_ns, flush_ns; /* total time of the requests */
    uint64_t failed_reads, failed_writes, failed_flushes, failed_discards;
    uint64_t invalid_reads, invalid_writes, invalid_discards; /* beyond the end */
    uint64_t discard_ns;
    int64_t last_us; /* monotonic end of the last request that counts; 0: none yet */
} BlkDriveStats;

typedef struct BlkDriveInfo {
    const char *id;
    BlkNode *node; /* NULL when empty */
    bool removable, locked, tray_open, has_tray, write_through, stopped;
    BlkOnError on_read_error, on_write_error;
    BlkDriveStats stats;
} BlkDriveInfo;

void blk_drive_get_info(VitDrive *drive, BlkDriveInfo *out);
/* Whether it is one of the drives above, rather than a test's. */
bool blk_drive_is_from_graph(const VitDrive *drive);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BlkNode, blk_node_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BlkGraph, blk_graph_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BlkImage, blk_image_free)
