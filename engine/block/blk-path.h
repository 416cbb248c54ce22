/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* File names of images. Thread: any. */

#include "vit-types.h"

/* Length of the scheme of "nbd:..." or "http://...", 0 for paths. */
size_t blk_path_scheme_len(const char *name);
/* NAME as meant by somebody who stands where BASE lies. NULL with ERROR when BASE is a description
 * (json:) and NAME is relative. Ownership: caller. */
char *blk_path_resolve(const char *base, const char *name, GError **error);
/* The other way: NAME, which is meant from the folder this process runs in, as somebody has to say
 * it who stands where BASE lies; relative where it lies there or below. NULL gives NULL. Ownership:
 * caller. */
char *blk_path_as_seen_from(const char *base, const char *name);
