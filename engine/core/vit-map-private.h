/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Between vit-region.c, vit-map.c and vit-access.c only. */

#include "vit-memory.h"

struct VitMapDomain {
    VitLock *lock;
    GPtrArray *spaces; /* VitAddressSpace* */
    unsigned batch_depth;
    uint64_t epoch; /* atomic; grows with each publication */
    GMutex readers_mutex;
    GPtrArray *readers; /* VitMapReader* */
    GPtrArray *retired; /* RetiredView*, freed when every reader has passed their epoch */
};

typedef struct MapListener {
    VitMapListener func;
    void *opaque;
} MapListener;

struct VitAddressSpace {
    char *name;
    VitMapDomain *domain;
    VitRegion *root;
    VitFlatView *view; /* atomic */
    uint32_t generation;
    bool stale;
    GArray *listeners; /* MapListener */
};

/* The tree under SPACE's root changed. */
void vit_map_space_changed(VitAddressSpace *space);
