/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A 9P2000.L server: takes whole requests, makes whole answers. It knows no transport; a session
 * (fs9p-session.h) runs it off the device lock. Thread: any, several requests at a time. */

#include "fs9p-fs.h"
#include "fs9p-msg.h"

typedef struct Fs9pServer Fs9pServer;

typedef enum Fs9pMultidevs {
    FS9P_MULTIDEVS_WARN,
    FS9P_MULTIDEVS_REMAP,
    FS9P_MULTIDEVS_FORBID,
} Fs9pMultidevs;

enum {
    FS9P_MSIZE_MIN = 4096,
    FS9P_MSIZE_MAX = 1 << 20,
    FS9P_FIDS_MAX = 65536,
    FS9P_OPEN_MAX = 512, /* files at a time, far below what a process may have */
    FS9P_PATH_MAX = 4096,
    FS9P_XATTR_MAX = 65536,
};

/* FS outlives the server. WARN (may be NULL) takes one line, on any thread. Ownership: caller. */
Fs9pServer *fs9p_server_new(Fs9pFs *fs, Fs9pMultidevs multidevs,
                            void (*warn)(void *opaque, const char *line), void *opaque);
/* No request runs any more. */
void fs9p_server_free(Fs9pServer *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Fs9pServer, fs9p_server_free)

/* Answers the request of LEN bytes; the bytes of the answer, at most ROOM. 0: there is nothing that
 * could be answered. Tflush is answered at once: who runs several requests holds it back itself. */
size_t fs9p_server_handle(Fs9pServer *server, const uint8_t *request, size_t len, uint8_t *answer,
                          size_t room);
/* An answer that says ERRNUM to the request; 0: there is nothing that could be answered. */
size_t fs9p_answer_error(const uint8_t *request, size_t len, unsigned errnum, uint8_t *answer,
                         size_t room);
/* Whether a client has a tree in hand. */
bool fs9p_server_is_mounted(Fs9pServer *server);
/* Forgets the client: all fids go. No request runs. */
void fs9p_server_reset(Fs9pServer *server);
