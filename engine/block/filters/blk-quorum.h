/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Children of a quorum while it is used: x-blockdev-change. Thread: the graph's lock held, at a
 * standstill, outside of fibers. */

#include "blk-driver.h"

extern const BlkDriver blk_quorum_driver;

bool blk_quorum_add(BlkNode *quorum, BlkNode *node, GError **error);
/* SLOT is what info shows: "children.1". */
bool blk_quorum_remove(BlkNode *quorum, const char *slot, GError **error);
