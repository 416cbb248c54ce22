/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The file-descriptor part of a back end: watches its descriptors on the machine's context, reads
 * as much as the front end has room for, and writes without blocking.
 * Thread: device lock held; the watches take it. */

#include <glib-unix.h>

#include "vit-chardev.h"

typedef struct CharStream {
    VitChardev *chr;
    int fd_in, fd_out;  /* -1 = none; owned by the back end */
    bool is_socket;     /* send() without SIGPIPE */
    bool may_block;     /* the descriptors are shared with other programs: ask before each write */
    bool is_plain_file; /* output never blocks */
    GSource *in_source, *out_source;
    /* End of input or an error (errno, 0 = end). Reading has stopped; may stop the stream. */
    void (*ended)(VitChardev *chr, int error);
    /* Takes LEN bytes read; NULL: delivered as they are. */
    void (*received)(VitChardev *chr, const uint8_t *buf, size_t len);
    /* There is room again: writes what the back end itself keeps. False while some is left; the
     * front end is not asked for more then. NULL where nothing is kept. */
    bool (*drain)(VitChardev *chr);
} CharStream;

void char_stream_init(CharStream *stream, VitChardev *chr,
                      void (*ended)(VitChardev *chr, int error));
/* Starts watching. */
void char_stream_start(CharStream *stream, int fd_in, int fd_out);
/* Stops watching; descriptors stay open. */
void char_stream_stop(CharStream *stream);
size_t char_stream_write(CharStream *stream, const uint8_t *buf, size_t len);
void char_stream_accept_input(CharStream *stream);

/* A watch on the device's context; the callback must take the lock and then ask
 * char_source_is_dead(). Ownership: caller, destroy and unref with char_source_clear(). */
GSource *char_watch_fd(VitChardev *chr, int fd, GIOCondition condition, GUnixFDSourceFunc func);
GSource *char_watch_timeout(VitChardev *chr, unsigned ms, GSourceFunc func);
void char_source_clear(GSource **source);
/* The running source was destroyed by another thread while it waited for the lock. */
bool char_source_is_dead(void);

/* Sets an error from ERRNO_VALUE: "character device 'id': WHAT: reason". */
void char_set_errno(GError **error, const VitChardev *chr, int errno_value, const char *format, ...)
    G_GNUC_PRINTF(4, 5);
