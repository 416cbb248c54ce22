/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What the files of this folder share about the graph itself; not for drivers. */

#include "blk-driver.h"
#include "vit-iothread.h"

struct BlkGraph {
    BlkContext *context;
    GMainContext *main_context;  /* or NULL */
    VitWorkers workers;          /* there, as -object main-loop says */
    VitIothread *iothread;       /* the first drive's, whose workers there are; NULL: none */
    GPtrArray *drivers;          /* const BlkDriver * added beside those built in */
    GHashTable *nodes;           /* name -> BlkNode *, every open node */
    GHashTable *block_devs;      /* name -> BlkNode *, a reference each: -blockdev */
    GPtrArray *drives;           /* BlkBackend *, owned */
    GHashTable *throttle_groups; /* name -> BlkThrottleGroup * */
    GHashTable *secrets;         /* id -> GBytes * */
    GHashTable *tls_creds;       /* id -> VitTlsCreds * */
    GHashTable *authz;           /* id -> VitAuthz * */
    GHashTable *defaults;        /* driver -> BlkOptions * */
    GPtrArray *tasks;            /* BlkTask * */
    GPtrArray *exports;          /* BlkExport * */
    struct BlkNbdServer *nbd_server;
    struct BlkAio *aio[2]; /* by BlkAioKind: a list, one per event loop */
    GArray *fd_members;    /* of descriptor sets */
    unsigned next_node_name;
    unsigned drain_depth; /* somebody waits until nothing is in flight */
    const BlkDriveEvents *events;
    void *events_opaque;
};

BlkNode *blk_node_new(BlkGraph *graph, const BlkDriver *driver);
/* Gives NODE its name (NULL: a generated one) and lists it. */
bool blk_node_set_name(BlkNode *node, const char *name, GError **error);
const char *blk_child_describe(const BlkChild *child);
/* No new requests reach NODE from above until drained_end; waits for those there are. */
void blk_node_drained_begin(BlkNode *node);
void blk_node_drained_end(BlkNode *node);
/* The unaligned cases of read and write: NODE's range is held by the caller. [fiber] */
int blk_read_bounced(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at);
int blk_write_bounced(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
                      unsigned flags);
int blk_write_aligned(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
                      unsigned flags);
/* Reads and writes of drivers whose library takes one piece of memory: FUNC gets a copy. [fiber] */
typedef int (*BlkBufferFunc)(BlkNode *node, uint64_t offset, uint64_t len, uint8_t *buf);
int blk_read_by_copy(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
                     BlkBufferFunc func);
int blk_write_by_copy(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
                      BlkBufferFunc func);
bool blk_graph_has_drive(BlkGraph *graph, const char *id);
/* Puts FILENAME into OPTIONS as options of a protocol node, keys preceded by PREFIX. */
bool blk_options_add_protocol_name(BlkGraph *graph, BlkOptions *options, const char *prefix,
                                   const char *filename, GError **error);
/* The same for options of an image: its file, unless "driver" is a protocol itself. */
bool blk_options_add_filename(BlkGraph *graph, BlkOptions *options, const char *filename,
                              GError **error);
GHashTable *blk_secrets_new(void);
/* Sets ERROR when NAME is a driver that this build lacks a library for. */
bool blk_set_optional_driver_error(const char *name, GError **error);
/* A duplicate of the member of /dev/fdset/N with the access of FLAGS, or a negative errno. */
int blk_graph_open_fdset(BlkGraph *graph, const char *path, int flags);
bool blk_path_is_fdset(const char *path);
/* Tells the machine; DATA is a JSON object. */
void blk_graph_emit(BlkGraph *graph, const char *event, const char *data);

/* ---- changes while the graph is in use; outside of fibers (blk-replace.c) ---- */

typedef struct BlkStandstill BlkStandstill;
/* No drive, job or export starts a request until blk_graph_go_on(); waits for those there are. */
BlkStandstill *blk_graph_stand_still(BlkGraph *graph);
void blk_graph_go_on(BlkStandstill *still);
/* Every edge to FROM leads to TO from now on, but for those from below TO and that of EXCEPT (an
 * edge's opaque). At a standstill. On failure all is as before. */
bool blk_node_replace(BlkNode *from, BlkNode *to, const void *except, GError **error);
/* Puts BACKING (NULL: nothing) below NODE; the header stays as it is. At a standstill. */
bool blk_node_set_backing(BlkNode *node, BlkNode *backing, GError **error);
/* Writes FILE (NULL: BACKING's name) and BACKING's format into NODE's header. */
bool blk_node_record_backing(BlkNode *node, const char *file, BlkNode *backing, GError **error);
/* Takes read-only=, cache.*, discard=, ... out of OPTIONS into NODE. */
bool blk_node_take_generic_options(BlkNode *node, BlkOptions *options, GError **error);
/* blockdev-reopen; takes from OPTIONS. */
bool blk_node_reopen(BlkNode *node, BlkOptions *options, GError **error);
/* Whether the parents of NODE bear each other. */
bool blk_node_check_perm(BlkNode *node, GError **error);

void blk_graph_free_throttle_groups(BlkGraph *graph);
/* Frees every drive. */
void blk_graph_free_drives(BlkGraph *graph);

static inline uint64_t
blk_round_down(uint64_t value, uint64_t align)
{
    return value & ~(align - 1);
}

static inline uint64_t
blk_round_up(uint64_t value, uint64_t align)
{
    return (value + align - 1) & ~(align - 1);
}
