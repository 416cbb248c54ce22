/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What the files of this folder share beside the public look-ups of vit-option.h. */

#include <stdbool.h>
#include <stddef.h>

#include "vit-option.h"

/* Whether LIST, words between SEPARATORs, holds WORD. */
bool vit_word_in_list(const char *list, const char *word, size_t word_len, char separator);

/* Edits, insertions, deletions and swaps of neighbours; UINT_MAX for absurdly long words. */
unsigned vit_edit_distance(const char *a, const char *b);

/* Finds the candidate nearest to what was wanted, if any is near enough to be a slip. */
typedef struct {
    const char *wanted;
    const char *best;
    unsigned distance, limit;
} VitNearest;

void vit_nearest_init(VitNearest *nearest, const char *wanted);
/* CANDIDATE must stay valid as long as the result is used. */
void vit_nearest_offer(VitNearest *nearest, const char *candidate);

/* The key whose value selects a variant, or NULL. */
const char *vit_option_variant_key(const VitOption *option);

/* The key behind the argument of a plain option; NULL for flags. */
const VitOptionKey *vit_option_plain_key(const VitOption *option);

/* Calls FUNC for every row of the mission table that the schema covers, and for some that exist
 * only here (values of shared tables). A row may come up more than once. */
typedef void (*VitMissionFunc)(const char *id, VitStatus status, const char *where, void *data);
void vit_mission_walk(VitMissionFunc func, void *data);
