/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What other drivers may use of the local file driver. Thread: in a fiber. */

#include "blk-driver.h"

/* Makes or empties a file and gives it its length. An image in use is refused; on failure a file
 * that was not there before is removed. */
bool blk_file_create(BlkGraph *graph, const char *path, const BlkNewFile *wish, bool *out_is_new,
                     GError **error);
/* A nameless file in the directory for temporary files, gone when the node is closed. */
BlkNode *blk_file_open_temporary(BlkGraph *graph, uint64_t len, GError **error);
