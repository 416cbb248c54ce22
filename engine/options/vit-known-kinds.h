/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The generated table of names that the product will know one day; ends with a NULL name. */

#include "vit-kinds.h"

typedef struct {
    VitKindClass klass;
    const char *name;
    const char *title;
    VitStatus status;
} VitKnownKind;

extern const VitKnownKind vit_known_kinds[];
