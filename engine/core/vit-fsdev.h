/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A file tree of the host, as -fsdev declares it and file sharing devices use it: takes the
 * messages of one protocol and answers them. Thread: device lock held; answers come on the machine
 * thread with it held, or from within drain. */

#include "vit-types.h"

typedef struct VitFsdev VitFsdev;

enum { VIT_FSDEV_MESSAGE_MAX = 1 << 20 }; /* bytes */

/* LEN 0: the request was none. Answers come in any order. */
typedef void (*VitFsdevDone)(void *opaque, void *cookie, const uint8_t *answer, size_t len);

struct VitFsdev {
    char *id;
    unsigned users; /* devices that hold it: one at most */
    /* Answers once; ROOM bytes at most. REQUEST is copied. */
    void (*request)(VitFsdev *fsdev, const uint8_t *request, size_t len, size_t room,
                    VitFsdevDone done, void *opaque, void *cookie);
    /* Waits until all is answered. */
    void (*drain)(VitFsdev *fsdev);
    /* Forgets the client; drained before. */
    void (*reset)(VitFsdev *fsdev);
    /* Whether a client has the tree in hand, which no saved state can carry over. */
    bool (*is_mounted)(VitFsdev *fsdev);
    void (*free)(VitFsdev *fsdev);
};
