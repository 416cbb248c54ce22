/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Random configurations made from the schema, for property tests. */

#include "vit-config.h"

/* A configuration of up to MAX_ITEMS options with random keys and values, many of them unusual:
 * quotes, commas, line breaks, dollar signs, letters beyond ASCII. */
VitConfig *random_config(GRand *rand, unsigned max_items);

/* A random option with arguments, added to CONFIG; 0 when it cannot be written down. */
uint32_t random_item(GRand *rand, VitConfig *config);

/* An argument text in many spellings that reads as CONFIG. Ownership: caller. */
char *random_spelling(GRand *rand, VitConfig *config);

/* A value that fits KEY most of the time. Ownership: caller. */
char *random_value(GRand *rand, const VitOptionKey *key);
