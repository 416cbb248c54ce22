/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* QMP commands on images, jobs and exports: the monitor checks names and types of the arguments,
 * the machine's block layer does the rest. Thread: device lock held. */

#include "qmp.h"

#include "vit-error.h"

JsonNode *
qmp_block(QmpCall *call, GError **error)
{
    VitMonitors *monitors = call->monitors;

    return MON_HAVE(monitors, block, error)
               ? monitors->ops->block(monitors->host, call->command->name, call->args, error)
               : NULL;
}

/* ---- arguments ---- */

static const char *const sync_modes[] = { "full", "top", "none", "incremental", "bitmap", NULL };
static const char *const new_image_modes[] = { "existing", "absolute-paths", NULL };
static const char *const error_modes[] = { "report", "ignore", "stop", "enospc", "auto", NULL };
static const char *const bitmap_modes[] = { "on-success", "never", "always", NULL };
static const char *const copy_modes[] = { "background", "write-blocking", NULL };
static const char *const cbw_modes[] = { "break-guest-write", "break-snapshot", NULL };

#define TEXT(n)       \
    {                 \
        n, QMP_STRING \
    }
#define OPT_TEXT(n)                     \
    {                                   \
        n, QMP_STRING, .optional = true \
    }
#define OPT_INT(n)                   \
    {                                \
        n, QMP_INT, .optional = true \
    }
#define OPT_BOOL(n)                   \
    {                                 \
        n, QMP_BOOL, .optional = true \
    }
#define OPT_ENUM(n, v)                             \
    {                                              \
        n, QMP_ENUM, .optional = true, .values = v \
    }
#define OPT_INTS(n)                                        \
    {                                                      \
        n, QMP_ARRAY, .optional = true, .element = QMP_INT \
    }
#define JOB_LIFE OPT_BOOL("auto-finalize"), OPT_BOOL("auto-dismiss")

const QmpMember qmp_any_args[] = { { "*", QMP_ANY, .optional = true }, { 0 } };
const QmpMember qmp_node_name_args[] = { TEXT("node-name"), { 0 } };
const QmpMember qmp_query_blockstats_args[] = { OPT_BOOL("query-nodes"), { 0 } };

const QmpMember qmp_blockdev_reopen_args[] = {
    { "options", QMP_ARRAY, .element = QMP_OBJECT },
    { 0 },
};

const QmpMember qmp_blockdev_create_args[] = {
    TEXT("job-id"),
    { "options", QMP_OBJECT },
    { 0 },
};

const QmpMember qmp_blockdev_amend_args[] = {
    TEXT("job-id"), TEXT("node-name"), { "options", QMP_OBJECT }, OPT_BOOL("force"), { 0 },
};

const QmpMember qmp_insert_medium_args[] = {
    OPT_TEXT("device"), OPT_TEXT("id"), TEXT("node-name"), { 0 }
};
const QmpMember qmp_blockdev_change_args[] = {
    TEXT("parent"), OPT_TEXT("child"), OPT_TEXT("node"), { 0 }
};
const QmpMember qmp_block_resize_args[] = {
    OPT_TEXT("device"),
    OPT_TEXT("node-name"),
    { "size", QMP_INT },
    { 0 },
};

const QmpMember qmp_io_throttle_args[] = {
    OPT_TEXT("device"),
    OPT_TEXT("id"),
    { "bps", QMP_INT },
    { "bps_rd", QMP_INT },
    { "bps_wr", QMP_INT },
    { "iops", QMP_INT },
    { "iops_rd", QMP_INT },
    { "iops_wr", QMP_INT },
    OPT_INT("bps_max"),
    OPT_INT("bps_rd_max"),
    OPT_INT("bps_wr_max"),
    OPT_INT("iops_max"),
    OPT_INT("iops_rd_max"),
    OPT_INT("iops_wr_max"),
    OPT_INT("bps_max_length"),
    OPT_INT("bps_rd_max_length"),
    OPT_INT("bps_wr_max_length"),
    OPT_INT("iops_max_length"),
    OPT_INT("iops_rd_max_length"),
    OPT_INT("iops_wr_max_length"),
    OPT_INT("iops_size"),
    OPT_TEXT("group"),
    { 0 },
};

const QmpMember qmp_snapshot_args[] = { TEXT("node"), TEXT("overlay"), { 0 } };

const QmpMember qmp_snapshot_sync_args[] = {
    OPT_TEXT("device"),
    OPT_TEXT("node-name"),
    TEXT("snapshot-file"),
    OPT_TEXT("snapshot-node-name"),
    OPT_TEXT("format"),
    OPT_ENUM("mode", new_image_modes),
    { 0 },
};

const QmpMember qmp_snapshot_internal_args[] = { TEXT("device"), TEXT("name"), { 0 } };
const QmpMember qmp_snapshot_delete_args[] = {
    TEXT("device"), OPT_TEXT("id"), OPT_TEXT("name"), { 0 }
};

const QmpMember qmp_block_stream_args[] = {
    OPT_TEXT("job-id"),
    TEXT("device"),
    OPT_TEXT("base"),
    OPT_TEXT("base-node"),
    OPT_TEXT("backing-file"),
    OPT_TEXT("bottom"),
    OPT_INT("speed"),
    OPT_ENUM("on-error", error_modes),
    OPT_TEXT("filter-node-name"),
    JOB_LIFE,
    { 0 },
};

const QmpMember qmp_block_commit_args[] = {
    OPT_TEXT("job-id"),
    TEXT("device"),
    OPT_TEXT("base-node"),
    OPT_TEXT("base"),
    OPT_TEXT("top-node"),
    OPT_TEXT("top"),
    OPT_TEXT("backing-file"),
    OPT_INT("speed"),
    OPT_ENUM("on-error", error_modes),
    OPT_TEXT("filter-node-name"),
    JOB_LIFE,
    { 0 },
};

#define MIRROR_ARGS                                                                           \
    OPT_TEXT("job-id"), TEXT("device"), TEXT("target"), OPT_TEXT("replaces"),                 \
        { "sync", QMP_ENUM, .values = sync_modes }, OPT_INT("speed"), OPT_INT("granularity"), \
        OPT_INT("buf-size"), OPT_ENUM("on-source-error", error_modes),                        \
        OPT_ENUM("on-target-error", error_modes), OPT_ENUM("copy-mode", copy_modes), JOB_LIFE

const QmpMember qmp_blockdev_mirror_args[] = { MIRROR_ARGS, OPT_TEXT("filter-node-name"), { 0 } };
const QmpMember qmp_drive_mirror_args[] = {
    MIRROR_ARGS,           OPT_TEXT("format"),
    OPT_TEXT("node-name"), OPT_ENUM("mode", new_image_modes),
    OPT_BOOL("unmap"),     { 0 }
};

#define BACKUP_ARGS                                                                         \
    OPT_TEXT("job-id"), TEXT("device"), TEXT("target"),                                     \
        { "sync", QMP_ENUM, .values = sync_modes }, OPT_INT("speed"), OPT_TEXT("bitmap"),   \
        OPT_ENUM("bitmap-mode", bitmap_modes), OPT_BOOL("compress"),                        \
        OPT_ENUM("on-source-error", error_modes), OPT_ENUM("on-target-error", error_modes), \
        OPT_ENUM("on-cbw-error", cbw_modes), OPT_TEXT("filter-node-name"), JOB_LIFE

const QmpMember qmp_blockdev_backup_args[] = { BACKUP_ARGS, { 0 } };
const QmpMember qmp_drive_backup_args[] = {
    BACKUP_ARGS, OPT_TEXT("format"), OPT_ENUM("mode", new_image_modes), { 0 }
};

const QmpMember qmp_block_job_args[] = { TEXT("device"), { 0 } };
const QmpMember qmp_block_job_cancel_args[] = { TEXT("device"), OPT_BOOL("force"), { 0 } };
const QmpMember qmp_block_job_speed_args[] = { TEXT("device"), { "speed", QMP_INT }, { 0 } };
const QmpMember qmp_job_args[] = { TEXT("id"), { 0 } };

const QmpMember qmp_bitmap_args[] = { TEXT("node"), TEXT("name"), { 0 } };
const QmpMember qmp_bitmap_add_args[] = { TEXT("node"),           TEXT("name"),
                                          OPT_INT("granularity"), OPT_BOOL("persistent"),
                                          OPT_BOOL("disabled"),   { 0 } };
const QmpMember qmp_bitmap_merge_args[] = {
    TEXT("node"),
    TEXT("target"),
    { "bitmaps", QMP_ARRAY, .element = QMP_ANY },
    { 0 },
};

const QmpMember qmp_transaction_args[] = {
    { "actions", QMP_ARRAY, .element = QMP_OBJECT },
    { "properties", QMP_OBJECT, .optional = true },
    { 0 },
};

const QmpMember qmp_write_threshold_args[] = { TEXT("node-name"),
                                               { "write-threshold", QMP_INT },
                                               { 0 } };

const QmpMember qmp_latency_histogram_args[] = {
    TEXT("id"),
    OPT_INTS("boundaries"),
    OPT_INTS("boundaries-read"),
    OPT_INTS("boundaries-write"),
    OPT_INTS("boundaries-flush"),
    { 0 },
};

const QmpMember qmp_nbd_start_args[] = {
    { "addr", QMP_OBJECT },
    OPT_TEXT("tls-creds"),
    OPT_TEXT("tls-authz"),
    OPT_INT("max-connections"),
    { 0 },
};

const QmpMember qmp_nbd_add_args[] = {
    TEXT("device"),       OPT_TEXT("name"),   OPT_TEXT("description"),
    OPT_BOOL("writable"), OPT_TEXT("bitmap"), { 0 },
};

static const char *const removal_modes[] = { "safe", "hard", NULL };

const QmpMember qmp_nbd_remove_args[] = { TEXT("name"), OPT_ENUM("mode", removal_modes), { 0 } };
const QmpMember qmp_export_del_args[] = { TEXT("id"), OPT_ENUM("mode", removal_modes), { 0 } };

const QmpMember qmp_export_add_args[] = {
    TEXT("type"),
    TEXT("id"),
    TEXT("node-name"),
    OPT_BOOL("writable"),
    OPT_BOOL("writethrough"),
    OPT_BOOL("fixed-iothread"),
    OPT_TEXT("iothread"),
    OPT_TEXT("name"),
    OPT_TEXT("description"),
    { "bitmaps", QMP_ARRAY, .optional = true, .element = QMP_ANY },
    OPT_BOOL("allocation-depth"),
    { 0 },
};
