/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Shared by the files of this folder. Thread: the graph's lock held, outside of fibers. */

#include "blk-control.h"
#include "blk-graph-private.h"
#include "jobs/blk-jobs.h"

typedef struct BlkControl {
    BlkGraph *graph;
    const BlkControlHost *host;
    JsonObject *args;
    bool hold_jobs;      /* transaction: jobs are made and not started */
    BlkTaskGroup *group; /* transaction: what the job becomes part of; may be NULL */
    BlkTask *task;       /* the job the command made */
} BlkControl;

typedef JsonNode *BlkControlFunc(BlkControl *control, GError **error);

typedef struct BlkControlCommand {
    const char *name;
    BlkControlFunc *run;
} BlkControlCommand;

/* Each file's commands; they end with a NULL name. */
extern const BlkControlCommand blk_control_query_commands[], blk_control_node_commands[],
    blk_control_job_commands[], blk_control_start_commands[], blk_control_bitmap_commands[],
    blk_control_transaction_commands[], blk_control_export_commands[];

/* ---- arguments: NULL or DEF when not given ---- */

const char *blk_arg_string(const BlkControl *control, const char *name);
int64_t blk_arg_int(const BlkControl *control, const char *name, int64_t def);
bool blk_arg_bool(const BlkControl *control, const char *name, bool def);
bool blk_arg_has(const BlkControl *control, const char *name);
/* {} */
JsonNode *blk_control_done(bool ok);
JsonNode *blk_control_array(JsonArray *array /* taken */);

/* ---- finding ---- */

/* A node by its name, or a drive's; NULL with ERROR. */
BlkNode *blk_control_node(BlkControl *control, const char *name, GError **error);
/* By the arguments "device", "id" or "node-name". OUT_DRIVE (may be NULL): the drive, if one was
 * named. */
BlkNode *blk_control_arg_node(BlkControl *control, VitDrive **out_drive, GError **error);
VitDrive *blk_control_arg_drive(BlkControl *control, GError **error);
BlkBitmap *blk_control_bitmap(BlkControl *control, const char *node, const char *name,
                              BlkNode **out_node, GError **error);
/* A bitmap nobody uses, neither broken nor read-only; false with ERROR. */
bool blk_control_check_bitmap(const BlkBitmap *bitmap, GError **error);

/* ---- snapshots (blk-control-snapshot.c) ---- */

/* A snapshot that has been taken and may be taken back. */
typedef struct BlkSnapshotStep {
    BlkNode *old, *overlay; /* references */
    bool old_was_read_only;
} BlkSnapshotStep;

bool blk_snapshot_take(BlkControl *control, const char *type, BlkSnapshotStep *out, GError **error);
void blk_snapshot_undo(BlkSnapshotStep *step);
void blk_snapshot_keep(BlkSnapshotStep *step);
bool blk_snapshot_internal(BlkControl *control, GError **error);
extern const BlkControlCommand blk_control_snapshot_commands[];
