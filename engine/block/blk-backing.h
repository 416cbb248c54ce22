/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Backing images while a chain is opened; not for drivers. Thread: the graph's lock held. */

#include "blk-graph-private.h"

enum { BLK_CHAIN_MAX = 200 };

/* The images above the one that is being opened, innermost first. */
typedef struct BlkOpenScope {
    const struct BlkOpenScope *above;
    BlkNode *node;
} BlkOpenScope;

/* Prepares OPTIONS (what the user said of the backing, may be empty) to open what NODE's header
 * names. OUT_WANTED false: there is none. Refuses chains that are too long or go in circles. */
bool blk_backing_prepare(BlkNode *node, const BlkOpenScope *scope, BlkOptions *options,
                         bool *out_wanted, GError **error);
