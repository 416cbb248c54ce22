/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A source of random bytes, as -object rng-... makes them and entropy devices use them.
 * Thread: device lock held; answers come on the machine thread with it held. */

#include "vit-types.h"

typedef struct VitRng VitRng;

/* LEN bytes at most as many as asked for, at least one. */
typedef void (*VitRngDone)(void *opaque, const uint8_t *bytes, size_t len);

struct VitRng {
    char *id;
    /* Answers once, later; OPAQUE has one request at a time. */
    void (*request)(VitRng *rng, size_t len, VitRngDone done, void *opaque);
    /* The request of OPAQUE will not be answered. */
    void (*cancel)(VitRng *rng, void *opaque);
    void (*free)(VitRng *rng);
    unsigned users; /* devices that hold it */
};
