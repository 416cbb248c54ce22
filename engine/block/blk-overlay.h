/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Temporary overlays: snapshot=on. Thread: the lock of the graph held. */

#include "blk-driver.h"

/* A writable node over IMAGE whose changes vanish when it is closed. Ownership: caller.
 * [fiber] */
BlkNode *blk_overlay_open(BlkGraph *graph, BlkNode *image, GError **error);
bool blk_node_is_overlay(const BlkNode *node);
/* Writes the changes into the image below and forgets them. Drained, not in a fiber. */
bool blk_overlay_commit(BlkNode *node, GError **error);
