/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A memory balloon as monitors see it: how much memory the guest is left with. The device puts one
 * into VitPlatform. Thread: device lock held. */

#include "vit-types.h"

typedef struct VitBalloon {
    /* Asks the guest to leave itself BYTES of its memory. */
    void (*set_target)(struct VitBalloon *balloon, uint64_t bytes);
    uint64_t (*get_actual)(struct VitBalloon *balloon); /* bytes */
} VitBalloon;
