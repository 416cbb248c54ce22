/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The pipe back end: two named pipes, PATH.in (read) and PATH.out (written), which must exist.
 * Both are opened for reading and writing (fifo(7)): that neither waits for the other side nor
 * ends when it goes. Thread: device lock held. */

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vit-error.h"

#include "char-stream.h"

typedef struct {
    VitChardev chr;
    CharStream stream;
    char *path; /* property */
} CharPipe;

static const VitProp props[] = {
    VIT_PROP_STRING(CharPipe, path, "path", NULL,
                    VIT_N_("Named pipes: PATH.in is read, PATH.out is written"),
                    .flags = VIT_PROP_REQUIRED),
    { 0 },
};

static void
pipe_ended(VitChardev *chr, int error)
{
    CharStream *stream = &((CharPipe *)chr)->stream;
    int fd_in = stream->fd_in, fd_out = stream->fd_out;

    char_stream_stop(stream);
    close(fd_in);
    close(fd_out);
    vit_chardev_set_open(chr, false);
}

static int
open_side(VitChardev *chr, const char *base, const char *suffix, GError **error)
{
    g_autofree char *path = g_strconcat(base, suffix, NULL);
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 && errno == ENOENT) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                    "character device '%s': there is no named pipe '%s'; make it with "
                    "\"mkfifo %s\" (the form with one pipe exists only on Windows hosts)",
                    chr->id, path, path);
    } else if (fd < 0) {
        char_set_errno(error, chr, errno, "cannot open the named pipe '%s'", path);
    }
    return fd;
}

static bool
pipe_open(VitChardev *chr, GMainContext *context, GError **error)
{
    CharPipe *pipe = (CharPipe *)chr;
    int fd_in, fd_out;

    char_stream_init(&pipe->stream, chr, pipe_ended);
    if (!pipe->path || !*pipe->path) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "character device '%s': the pipe back end needs path=PATH", chr->id);
        return false;
    }
    fd_in = open_side(chr, pipe->path, ".in", error);
    if (fd_in < 0) {
        return false;
    }
    fd_out = open_side(chr, pipe->path, ".out", error);
    if (fd_out < 0) {
        close(fd_in);
        return false;
    }
    char_stream_start(&pipe->stream, fd_in, fd_out);
    vit_chardev_set_open(chr, true);
    return true;
}

static void
pipe_close(VitChardev *chr)
{
    if (((CharPipe *)chr)->stream.fd_out >= 0) {
        pipe_ended(chr, 0);
    }
}

static size_t
pipe_write(VitChardev *chr, const uint8_t *buf, size_t len)
{
    return char_stream_write(&((CharPipe *)chr)->stream, buf, len);
}

static void
pipe_accept_input(VitChardev *chr)
{
    char_stream_accept_input(&((CharPipe *)chr)->stream);
}

static char *
pipe_describe(VitChardev *chr)
{
    return g_strdup_printf("pipe:%s", ((CharPipe *)chr)->path);
}

const VitChardevKind vit_char_pipe_kind = {
    .name = "pipe",
    .title = VIT_N_("A pair of named pipes"),
    .size = sizeof(CharPipe),
    .props = props,
    .open = pipe_open,
    .close = pipe_close,
    .write = pipe_write,
    .accept_input = pipe_accept_input,
    .describe = pipe_describe,
};
