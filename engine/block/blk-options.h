/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Options of a node as flat keys and values ("driver", "file.filename", "cache.direct"), the one
 * form that -drive, -blockdev, json: names and image tools come down to. Opening takes out what it
 * understands; what is left over is an error. Thread: any, one at a time. */

#include "vit-types.h"

typedef struct BlkOptions BlkOptions;

BlkOptions *blk_options_new(void);
BlkOptions *blk_options_copy(const BlkOptions *options);
void blk_options_free(BlkOptions *options);
/* {"driver": "raw", "file": {"driver": "file", ...}}; null becomes the empty string. */
BlkOptions *blk_options_from_json(const char *text, GError **error);

/* The same of an object that is there already; may be NULL. */
typedef struct _JsonObject JsonObject;
BlkOptions *blk_options_from_object(JsonObject *object, GError **error);

/* A later value replaces an earlier one. */
void blk_options_set(BlkOptions *options, const char *key, const char *value);
/* Borrowed, or NULL. */
const char *blk_options_get(const BlkOptions *options, const char *key);
/* Removes KEY and gives its value to the caller, or NULL. */
char *blk_options_take(BlkOptions *options, const char *key);
/* Removes every "PREFIX.x" and gives them as "x"; NULL when there is none. */
BlkOptions *blk_options_take_sub(BlkOptions *options, const char *prefix);
/* Adds every key of OTHER that is not set yet. */
void blk_options_add_missing(BlkOptions *options, const BlkOptions *other);
/* Sets "PREFIXkey" for every key of OTHER that is not set yet. */
void blk_options_add_prefixed(BlkOptions *options, const char *prefix, const BlkOptions *other);
/* Any key still there, or NULL. */
const char *blk_options_first_key(const BlkOptions *options);
/* on/off option; false with ERROR set when it is neither. Absent leaves OUT_VALUE alone. */
bool blk_options_take_bool(BlkOptions *options, const char *key, bool *out_value, GError **error);
/* One of VALUES (NULL-terminated) as its index. Absent leaves OUT_INDEX alone. */
bool blk_options_take_enum(BlkOptions *options, const char *key, const char *const *values,
                           int *out_index, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BlkOptions, blk_options_free)
