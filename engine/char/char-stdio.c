/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The stdio back end: the program's own standard input and output. A terminal is put into raw mode
 * (termios(3)) and back into its own when the device is closed; with signal=on Ctrl-C still ends
 * the program.
 *
 * The descriptors are shared with the shell, so they are never made non-blocking: the stream asks
 * before each write. SIGPIPE is ignored while the device is open, for a reader of our output that
 * goes away. End of input leaves output open.
 *
 * Thread: device lock held. */

#include <signal.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "char-stream.h"

typedef struct {
    VitChardev chr;
    CharStream stream;
    bool signal; /* property */
    bool is_terminal;
    bool ignored_sigpipe;
    struct termios saved;
} CharStdio;

static const VitProp props[] = {
    VIT_PROP_BOOL(CharStdio, signal, "signal", true,
                  VIT_N_("Let Ctrl-C in the terminal end the program")),
    { 0 },
};

static void
set_raw(const CharStdio *stdio)
{
    struct termios raw = stdio->saved;

    raw.c_iflag &= ~(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    raw.c_oflag |= OPOST;
    raw.c_lflag &= ~(ECHO | ECHONL | ICANON | IEXTEN);
    raw.c_cflag = (raw.c_cflag & ~(CSIZE | PARENB)) | CS8;
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    if (!stdio->signal) {
        raw.c_lflag &= ~ISIG;
    }
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

static void
stdio_ended(VitChardev *chr, int error)
{
    CharStdio *stdio = (CharStdio *)chr;

    if (error) { /* the reader of our output is gone, or the terminal is */
        char_stream_stop(&stdio->stream);
    } else {
        stdio->stream.fd_in = -1;
    }
}

static void
stdio_received(VitChardev *chr, const uint8_t *buf, size_t len)
{
    CharStdio *stdio = (CharStdio *)chr;
    struct termios now;

    /* A shell that stopped and continued the program has put its own mode back. */
    if (stdio->is_terminal && tcgetattr(STDIN_FILENO, &now) == 0 && (now.c_lflag & ICANON)) {
        set_raw(stdio);
    }
    vit_chardev_deliver(chr, buf, len);
}

static bool
stdio_open(VitChardev *chr, GMainContext *context, GError **error)
{
    CharStdio *stdio = (CharStdio *)chr;
    struct sigaction action;
    struct stat st;

    char_stream_init(&stdio->stream, chr, stdio_ended);
    stdio->stream.received = stdio_received;
    stdio->stream.may_block = true;
    stdio->stream.is_plain_file = fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode);
    if (sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL) {
        stdio->ignored_sigpipe = true;
        signal(SIGPIPE, SIG_IGN);
    }
    stdio->is_terminal = tcgetattr(STDIN_FILENO, &stdio->saved) == 0;
    if (stdio->is_terminal) {
        set_raw(stdio);
    }
    char_stream_start(&stdio->stream, STDIN_FILENO, STDOUT_FILENO);
    vit_chardev_set_open(chr, true);
    return true;
}

static void
stdio_close(VitChardev *chr)
{
    CharStdio *stdio = (CharStdio *)chr;

    char_stream_stop(&stdio->stream);
    if (stdio->is_terminal) {
        tcsetattr(STDIN_FILENO, TCSANOW, &stdio->saved);
    }
    if (stdio->ignored_sigpipe) {
        signal(SIGPIPE, SIG_DFL);
    }
}

static size_t
stdio_write(VitChardev *chr, const uint8_t *buf, size_t len)
{
    return char_stream_write(&((CharStdio *)chr)->stream, buf, len);
}

static void
stdio_accept_input(VitChardev *chr)
{
    char_stream_accept_input(&((CharStdio *)chr)->stream);
}

const VitChardevKind vit_char_stdio_kind = {
    .name = "stdio",
    .title = VIT_N_("Standard input and output of the program"),
    .size = sizeof(CharStdio),
    .props = props,
    .exclusive = true,
    .open = stdio_open,
    .close = stdio_close,
    .write = stdio_write,
    .accept_input = stdio_accept_input,
};
