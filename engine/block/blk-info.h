/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What is told of an image, to programs (QEMU's ImageInfo) and to people, by vitrine-img and the
 * monitors alike. FILENAME and BACKING_PATH NULL: as the node knows them. Does not wait. Thread:
 * the graph's lock held. */

#include "blk-format.h"

#include <glib.h>

/* Ownership: caller. */
JsonObject *blk_info_json(BlkNode *node, const char *filename, const char *backing_path);
/* Lines, appended to OUT. */
void blk_info_text(GString *out, BlkNode *node, const char *filename, const char *backing_path);

/* Elements BlkSnapshot *; a line of titles and one of each. */
void blk_snapshots_text(GString *out, const GPtrArray *snapshots);
/* "1.5 GiB". Ownership: caller. */
char *blk_size_text(uint64_t bytes);
