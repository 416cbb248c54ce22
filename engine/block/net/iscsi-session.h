/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A session with an iSCSI target's unit. One thread of its own serves the connection, so that
 * answers, timeouts and reconnecting wait for nobody. Thread: the lock of the context held, and in
 * a fiber. */

#include "blk-driver.h"

typedef struct IscsiSession IscsiSession;

typedef struct IscsiConfig {
    const char *portal, *target;
    const char *user, *password; /* of CHAP, or NULL */
    const char *initiator;
    const char *header_digest; /* NULL: the target decides */
    uint32_t lun, timeout_s;   /* 0: none */
} IscsiConfig;

/* What the unit says of itself. */
typedef struct IscsiUnit {
    uint64_t blocks;
    uint32_t block_bytes;
    bool is_cd, write_protected, has_fua;
    bool has_unmap, has_write_same, can_zero_by_unmap; /* what was unmapped reads as zeroes */
    bool has_status;
    uint32_t max_transfer_blocks, max_unmap_blocks, unmap_granularity_blocks; /* 0: any */
    uint64_t max_write_same_blocks;                                           /* 0: any */
} IscsiUnit;

typedef enum IscsiOp {
    ISCSI_OP_READ,
    ISCSI_OP_WRITE,
    ISCSI_OP_FLUSH,
    ISCSI_OP_UNMAP,
    ISCSI_OP_WRITE_SAME, /* zeroes */
    ISCSI_OP_STATUS,
} IscsiOp;

typedef struct IscsiJob {
    IscsiOp op;
    uint64_t lba;
    uint32_t blocks;
    bool fua;   /* writes */
    bool unmap; /* write same */
    const BlkVec *vec;
    uint64_t at;
    /* Answers of ISCSI_OP_STATUS. */
    uint64_t run_blocks;
    bool is_mapped;
} IscsiJob;

/* Connects, logs in and looks at the unit. NULL with ERROR. */
IscsiSession *iscsi_session_new(BlkContext *context, const IscsiConfig *config, IscsiUnit *out,
                                GError **error);
/* No job may be under way. NULL is fine. */
void iscsi_session_free(IscsiSession *session);
/* 0 or a negative errno; -ENOTSUP: the unit does not have the command. */
int iscsi_session_run(IscsiSession *session, IscsiJob *job);
