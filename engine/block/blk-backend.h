/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A drive from the inside: blk-backend.c moves data, blk-medium.c media. */

#include "blk-graph-private.h"
#include "blk-histogram.h"
#include "filters/blk-throttle.h"

typedef enum BlkRequestType {
    BLK_REQUEST_READ,
    BLK_REQUEST_WRITE,
    BLK_REQUEST_FLUSH,
    BLK_REQUEST_DISCARD,
    BLK_REQUEST_ZEROES,
} BlkRequestType;

/* Requests whose latencies histograms show. */
typedef enum BlkLatency {
    BLK_LATENCY_READ,
    BLK_LATENCY_WRITE,
    BLK_LATENCY_FLUSH,
    BLK_LATENCY_LAST,
} BlkLatency;

typedef struct BlkBackend {
    VitDrive drive; /* first */
    BlkGraph *graph;
    BlkDriveConfig config;
    BlkChild *root; /* NULL: no medium */
    bool tray_open, locked, stopped, stopped_nospace;
    bool unnamed; /* made for -device drive=NODE; gone with its device */
    unsigned in_flight, drain_depth;
    VitDriveRequest *waiting_first, *waiting_last; /* while drained */
    BlkDriveStats stats;
    BlkHistogram *histograms[BLK_LATENCY_LAST]; /* NULL: nobody asked for one */
    BlkThrottleMember throttle;
    VitIothread *iothread; /* the device's wish; NULL: none */
    BlkLoop *loop;         /* requests end there */
} BlkBackend;

struct VitDriveRequest {
    BlkBackend *backend;
    BlkRequestType type;
    uint64_t offset, len;
    BlkVec vec;
    unsigned flags;
    VitDriveDone done;
    void *opaque;
    int64_t start_us;
    int ret;
    BlkDeferred deferred;
    VitDriveRequest *next;
};

extern const VitDriveOps blk_backend_ops;
extern const BlkUser blk_backend_user;

static inline BlkBackend *
blk_backend_of(VitDrive *drive)
{
    return (BlkBackend *)drive;
}
