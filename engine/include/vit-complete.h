/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What can stand at a place of an argument text: options, keys, values, kinds, ids of other
 * instances; for files only where one belongs, as nothing is opened here. Thread: any. */

#include "vit-config.h"

G_BEGIN_DECLS

typedef struct {
    char *text;       /* what to put in place of start..end of the list */
    char *label;      /* the name alone */
    const char *help; /* untranslated, may be NULL */
    VitStatus status; /* VIT_STATUS_AVAILABLE for what is not marked */
    bool goes_on;     /* a value or a further part follows at once: "size=" */
} VitCompletion;

typedef struct {
    size_t start, end; /* bytes of the text that a completion replaces */
    VitCompletion *items;
    unsigned n_items;
    VitPathRole role; /* files fit too, unless VIT_PATH_NONE */
    char *typed;      /* what stands there now, without quotes and doubled commas */
    bool in_parts;    /* commas are doubled here */
    char quote;       /* the quote that is open at the end, or 0 */
} VitCompletions;

/* AT is a byte of TEXT. REGISTRY may be NULL. Ownership: caller. */
VitCompletions *vit_complete(const char *text, size_t at, const VitKindRegistry *registry);
/* VALUE, such as a path, as it must be written at that place. Ownership: caller. */
char *vit_completions_spell(const VitCompletions *completions, const char *value);
void vit_completions_free(VitCompletions *completions);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VitCompletions, vit_completions_free)

G_END_DECLS
