/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Limits of bytes and requests per second, shared by the members of a group: drives with
 * throttling.*, and nodes of the filter "throttle". Thread: the graph's lock held. */

#include "blk-driver.h"

#include "vit-throttle.h"

typedef struct BlkThrottleGroup BlkThrottleGroup;

/* One user of a group. Embedded; zeroed before the first use. */
typedef struct BlkThrottleMember {
    BlkThrottleGroup *group;
    BlkContext *context;
    BlkGraph *graph;
    bool turn_taken[2];      /* of reads, writes: a request of this member waits in the group */
    BlkWaitQueue waiting[2]; /* behind it */
    unsigned waiting_count;
} BlkThrottleMember;

/* Takes PREFIX "bps-total", "bps-total-max", "bps-total-max-length", ..., "iops-size" out of
 * OPTIONS over what CONFIG has. OUT_ANY (may be NULL): whether there was one. */
bool blk_throttle_take_options(BlkOptions *options, const char *prefix, VitThrottleConfig *config,
                               bool *out_any, GError **error);

/* The group NAME, made if it does not exist; a reference. */
BlkThrottleGroup *blk_throttle_group_get(BlkGraph *graph, const char *name);
/* NULL when there is none; borrowed. */
BlkThrottleGroup *blk_throttle_group_find(BlkGraph *graph, const char *name);
void blk_throttle_group_unref(BlkThrottleGroup *group);
const char *blk_throttle_group_name(const BlkThrottleGroup *group);
void blk_throttle_group_configure(BlkThrottleGroup *group, const VitThrottleConfig *config);
const VitThrottleConfig *blk_throttle_group_config(const BlkThrottleGroup *group);

/* Takes the reference to GROUP. */
void blk_throttle_join(BlkThrottleMember *member, BlkGraph *graph, BlkThrottleGroup *group);
/* No request may be waiting. */
void blk_throttle_leave(BlkThrottleMember *member);
/* Limits of a drive. GROUP NULL: the one it has, or one of its own; no limits and no group: none.
 */
void blk_drive_set_throttle(VitDrive *drive, const char *group, const VitThrottleConfig *config);
/* NULL when there are none. Borrowed. */
const VitThrottleConfig *blk_drive_get_throttle(VitDrive *drive, const char **out_group);
/* Waits until LEN bytes may go, and counts them. [fiber] */
void blk_throttle_wait(BlkThrottleMember *member, bool is_write, uint64_t len);
