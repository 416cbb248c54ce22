/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The pty back end: a new pseudo terminal (pty(7)) in raw mode, whose name is told to the user.
 * The device is open while some program has the terminal open. The kernel tells of a program that
 * comes only when asked, so the device asks four times a second while it is closed; output in that
 * time is dropped. Thread: device lock held. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "char-stream.h"

enum { PROBE_MS = 250 };

typedef struct {
    VitChardev chr;
    CharStream stream;
    int fd;
    char name[64]; /* "/dev/pts/3" */
    GSource *probe;
} CharPty;

static gboolean on_probe(gpointer data);

static void
pty_ended(VitChardev *chr, int error)
{
    CharPty *pty = (CharPty *)chr;

    char_stream_stop(&pty->stream);
    if (!pty->probe) {
        pty->probe = char_watch_timeout(chr, PROBE_MS, on_probe);
    }
    vit_chardev_set_open(chr, false);
}

static bool
probe(CharPty *pty)
{
    struct pollfd pfd = { .fd = pty->fd, .events = POLLOUT };

    if (poll(&pfd, 1, 0) < 0 || (pfd.revents & POLLHUP)) {
        return false;
    }
    char_source_clear(&pty->probe);
    char_stream_start(&pty->stream, pty->fd, pty->fd);
    vit_chardev_set_open(&pty->chr, true);
    return true;
}

static gboolean
on_probe(gpointer data)
{
    CharPty *pty = data;

    vit_chardev_lock(&pty->chr);
    if (!char_source_is_dead()) {
        probe(pty);
    }
    vit_chardev_unlock(&pty->chr);
    return G_SOURCE_CONTINUE; /* probe() has destroyed it when it is done with */
}

static bool
set_raw(const char *name)
{
    struct termios raw;
    int fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    bool ok = fd >= 0 && tcgetattr(fd, &raw) == 0;

    if (ok) {
        cfmakeraw(&raw);
        ok = tcsetattr(fd, TCSAFLUSH, &raw) == 0;
    }
    if (fd >= 0) { /* having closed it once makes the master report "nobody there" */
        close(fd);
    }
    return ok;
}

static bool
pty_open(VitChardev *chr, GMainContext *context, GError **error)
{
    CharPty *pty = (CharPty *)chr;

    char_stream_init(&pty->stream, chr, pty_ended);
    pty->fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (pty->fd < 0 || grantpt(pty->fd) < 0 || unlockpt(pty->fd) < 0 ||
        ptsname_r(pty->fd, pty->name, sizeof(pty->name)) != 0 || !set_raw(pty->name)) {
        char_set_errno(error, chr, errno, "cannot make a pseudo terminal");
        if (pty->fd >= 0) {
            close(pty->fd);
        }
        return false;
    }
    pty->probe = char_watch_timeout(chr, PROBE_MS, on_probe);
    vit_chardev_message(chr, "char device redirected to %s (label %s)", pty->name, chr->id);
    return true;
}

static void
pty_close(VitChardev *chr)
{
    CharPty *pty = (CharPty *)chr;

    char_source_clear(&pty->probe);
    char_stream_stop(&pty->stream);
    close(pty->fd);
}

static size_t
pty_write(VitChardev *chr, const uint8_t *buf, size_t len)
{
    CharPty *pty = (CharPty *)chr;

    if (!chr->is_open && !probe(pty)) {
        return len;
    }
    return char_stream_write(&pty->stream, buf, len);
}

static void
pty_accept_input(VitChardev *chr)
{
    char_stream_accept_input(&((CharPty *)chr)->stream);
}

static char *
pty_describe(VitChardev *chr)
{
    return g_strdup_printf("pty:%s", ((CharPty *)chr)->name);
}

const VitChardevKind vit_char_pty_kind = {
    .name = "pty",
    .title = VIT_N_("A new pseudo terminal"),
    .size = sizeof(CharPty),
    .open = pty_open,
    .close = pty_close,
    .write = pty_write,
    .accept_input = pty_accept_input,
    .describe = pty_describe,
};
