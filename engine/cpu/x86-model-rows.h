/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The CPU models as data (x86-model-rows.c): each names a parent and what differs from it. */

#include "x86-cpuid.h"

typedef struct X86ModelRow {
    const char *name;
    const char *parent; /* NULL: from nothing */
    const char *vendor;
    unsigned family, model, stepping;
    uint32_t max_leaf, max_extended_leaf; /* at least; features may raise them */
    const char *model_id;
    const char *features; /* names; "-name" takes one of the parent's away */
    const char *title;    /* where it says more than model_id */
    X86Caches caches;     /* the parent's when X86_CACHES_DEFAULT */
} X86ModelRow;

typedef struct X86ModelAlias {
    const char *name, *target;
} X86ModelAlias;

extern const X86ModelRow x86_model_rows[];
extern const unsigned x86_model_row_count;
extern const X86ModelAlias x86_model_aliases[];
extern const unsigned x86_model_alias_count;
