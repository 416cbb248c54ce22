/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Locks that tell other programs (and other nodes of this one) what is done with an image file.
 * Thread: any, one at a time per descriptor. */

#include "vit-types.h"

/* Takes what PERM and SHARED (BLK_PERM_*) need beside HELD_*, and looks for others that object.
 * On failure the descriptor's locks are those of HELD_*. FILENAME is for the message.
 * OUT_SUPPORTED false: the file system has no such locks; nothing is locked, no error. */
bool blk_file_lock_add(int fd, const char *filename, unsigned held_perm, unsigned held_shared,
                       unsigned perm, unsigned shared, bool *out_supported, GError **error);
/* Drops what PERM and SHARED do not need. */
void blk_file_lock_keep(int fd, unsigned perm, unsigned shared);
/* Takes the locks on another descriptor of the same file without asking anybody. */
bool blk_file_lock_copy(int fd, unsigned perm, unsigned shared);
