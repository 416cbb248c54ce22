/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Watching and moving bytes of file descriptors for back ends. A read watch exists only while the
 * front end has room, a write watch only while output waits, so an idle device costs nothing.
 *
 * The machine's context may belong to another thread than the caller's (a vCPU writes to a port):
 * a callback can be waiting for the lock while its source is destroyed. Each therefore asks, once
 * it has the lock, whether it is still wanted.
 *
 * Thread: device lock held; callbacks on the machine thread take it. */

#include "char-stream.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vit-error.h"

/* ---- sources ---- */

GSource *
char_watch_fd(VitChardev *chr, int fd, GIOCondition condition, GUnixFDSourceFunc func)
{
    GSource *source = g_unix_fd_source_new(fd, condition);

    g_source_set_callback(source, G_SOURCE_FUNC(func), chr, NULL);
    g_source_attach(source, chr->context);
    return source;
}

GSource *
char_watch_timeout(VitChardev *chr, unsigned ms, GSourceFunc func)
{
    GSource *source = g_timeout_source_new(ms);

    g_source_set_callback(source, func, chr, NULL);
    g_source_attach(source, chr->context);
    return source;
}

void
char_source_clear(GSource **source)
{
    if (*source) {
        g_source_destroy(*source);
        g_clear_pointer(source, g_source_unref);
    }
}

bool
char_source_is_dead(void)
{
    return g_source_is_destroyed(g_main_current_source());
}

static VitError
error_code(int errno_value)
{
    switch (errno_value) {
    case EACCES:
    case EPERM: return VIT_ERROR_PERMISSION;
    case ENOENT:
    case ENODEV:
    case ENXIO: return VIT_ERROR_NOT_FOUND;
    case EADDRINUSE:
    case EBUSY: return VIT_ERROR_BUSY;
    case ENOMEM: return VIT_ERROR_NO_MEMORY;
    default: return VIT_ERROR_IO;
    }
}

void
char_set_errno(GError **error, const VitChardev *chr, int errno_value, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *what = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, VIT_ERROR, error_code(errno_value), "character device '%s': %s: %s", chr->id,
                what, g_strerror(errno_value));
}

/* ---- streams ---- */

/* The stream is found through the chardev: kinds put it right behind their VitChardev. */
typedef struct {
    VitChardev chr;
    CharStream stream;
} StreamDevice;

static CharStream *
stream_of(VitChardev *chr)
{
    return &((StreamDevice *)chr)->stream;
}

void
char_stream_init(CharStream *stream, VitChardev *chr, void (*ended)(VitChardev *chr, int error))
{
    g_assert(stream == stream_of(chr));
    stream->chr = chr;
    stream->fd_in = stream->fd_out = -1;
    stream->ended = ended;
}

/* True while the watch is to go on. */
static bool
read_some(CharStream *stream, GSource *source)
{
    VitChardev *chr = stream->chr;
    uint8_t buf[4096];
    size_t room = vit_chardev_front_room(chr);
    ssize_t n;

    if (room == 0) { /* accept_input comes back to it */
        g_clear_pointer(&stream->in_source, g_source_unref);
        return false;
    }
    n = read(stream->fd_in, buf, MIN(room, sizeof(buf)));
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return true;
    }
    if (n <= 0) {
        g_clear_pointer(&stream->in_source, g_source_unref);
        stream->ended(chr, n < 0 ? errno : 0);
        return false;
    }
    if (stream->received) {
        stream->received(chr, buf, n);
    } else {
        vit_chardev_deliver(chr, buf, n);
    }
    return stream->in_source == source;
}

static gboolean
on_readable(int fd, GIOCondition condition, gpointer data)
{
    VitChardev *chr = data;
    bool go_on;

    vit_chardev_lock(chr);
    go_on = !char_source_is_dead() && read_some(stream_of(chr), g_main_current_source());
    vit_chardev_unlock(chr);
    return go_on;
}

static gboolean
on_writable(int fd, GIOCondition condition, gpointer data)
{
    VitChardev *chr = data;

    vit_chardev_lock(chr);
    if (!char_source_is_dead()) {
        CharStream *stream = stream_of(chr);
        g_clear_pointer(&stream->out_source, g_source_unref);
        if (!stream->drain || stream->drain(chr)) {
            vit_chardev_notify_writable(chr);
        }
    }
    vit_chardev_unlock(chr);
    return G_SOURCE_REMOVE;
}

void
char_stream_accept_input(CharStream *stream)
{
    if (stream->fd_in >= 0 && !stream->in_source && vit_chardev_front_room(stream->chr) > 0) {
        stream->in_source = char_watch_fd(stream->chr, stream->fd_in, G_IO_IN, on_readable);
    }
}

void
char_stream_start(CharStream *stream, int fd_in, int fd_out)
{
    stream->fd_in = fd_in;
    stream->fd_out = fd_out;
    char_stream_accept_input(stream);
}

void
char_stream_stop(CharStream *stream)
{
    char_source_clear(&stream->in_source);
    char_source_clear(&stream->out_source);
    stream->fd_in = stream->fd_out = -1;
}

/* Bytes of LEN that can be written now without blocking; 0 = none. */
static size_t
write_room(const CharStream *stream, size_t len)
{
    struct pollfd pfd = { .fd = stream->fd_out, .events = POLLOUT };

    if (!stream->may_block || stream->is_plain_file) {
        return len;
    }
    return poll(&pfd, 1, 0) > 0 ? MIN(len, 512) : 0;
}

size_t
char_stream_write(CharStream *stream, const uint8_t *buf, size_t len)
{
    size_t done = 0;

    if (stream->out_source) {
        return 0;
    }
    while (done < len && stream->fd_out >= 0) {
        size_t room = write_room(stream, len - done);
        ssize_t n = -1;

        errno = EAGAIN;
        if (room > 0) {
            n = stream->is_socket ? send(stream->fd_out, buf + done, room, MSG_NOSIGNAL)
                                  : write(stream->fd_out, buf + done, room);
        }
        if (n > 0) {
            done += n;
        } else if (errno == EAGAIN) {
            stream->out_source = char_watch_fd(stream->chr, stream->fd_out, G_IO_OUT, on_writable);
            return done;
        } else if (errno != EINTR) {
            stream->ended(stream->chr, errno);
            return len; /* nobody is left to take it */
        }
    }
    return len;
}
