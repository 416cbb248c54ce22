/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The serial back end: a terminal line of the host, in raw mode (termios(3)). Speed, format, modem
 * lines and break follow the guest's port. A speed the host does not know keeps the old one.
 * Thread: device lock held. */

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "vit-error.h"

#include "char-stream.h"

typedef struct {
    VitChardev chr;
    CharStream stream;
    char *path; /* property */
    int fd;
    struct termios saved;
} CharSerial;

static const VitProp props[] = {
    VIT_PROP_STRING(CharSerial, path, "path", NULL, VIT_N_("Terminal device of the host"),
                    .flags = VIT_PROP_REQUIRED),
    { 0 },
};

static const struct {
    unsigned baud;
    speed_t code;
} speeds[] = {
    { 50, B50 },         { 75, B75 },         { 110, B110 },       { 134, B134 },
    { 150, B150 },       { 200, B200 },       { 300, B300 },       { 600, B600 },
    { 1200, B1200 },     { 1800, B1800 },     { 2400, B2400 },     { 4800, B4800 },
    { 9600, B9600 },     { 19200, B19200 },   { 38400, B38400 },   { 57600, B57600 },
    { 115200, B115200 }, { 230400, B230400 }, { 460800, B460800 }, { 921600, B921600 },
};

static void
serial_ended(VitChardev *chr, int error)
{
    char_stream_stop(&((CharSerial *)chr)->stream);
    vit_chardev_set_open(chr, false);
}

static bool
serial_open(VitChardev *chr, GMainContext *context, GError **error)
{
    CharSerial *serial = (CharSerial *)chr;
    struct termios raw;

    char_stream_init(&serial->stream, chr, serial_ended);
    if (!serial->path || !*serial->path) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "character device '%s': the serial back end needs path=DEVICE", chr->id);
        return false;
    }
    serial->fd = open(serial->path, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (serial->fd < 0) {
        char_set_errno(error, chr, errno, "cannot open the terminal line '%s'", serial->path);
        return false;
    }
    if (tcgetattr(serial->fd, &serial->saved) < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "character device '%s': '%s' is no terminal line; use a device such as "
                    "/dev/ttyS0",
                    chr->id, serial->path);
        close(serial->fd);
        return false;
    }
    raw = serial->saved;
    cfmakeraw(&raw);
    raw.c_cflag |= CLOCAL | CREAD;
    tcsetattr(serial->fd, TCSANOW, &raw);
    char_stream_start(&serial->stream, serial->fd, serial->fd);
    vit_chardev_set_open(chr, true);
    return true;
}

static void
serial_close(VitChardev *chr)
{
    CharSerial *serial = (CharSerial *)chr;

    char_stream_stop(&serial->stream);
    tcsetattr(serial->fd, TCSANOW, &serial->saved);
    close(serial->fd);
}

static size_t
serial_write(VitChardev *chr, const uint8_t *buf, size_t len)
{
    return char_stream_write(&((CharSerial *)chr)->stream, buf, len);
}

static void
serial_accept_input(VitChardev *chr)
{
    char_stream_accept_input(&((CharSerial *)chr)->stream);
}

static void
serial_set_serial(VitChardev *chr, const VitChardevSerialParams *params)
{
    CharSerial *serial = (CharSerial *)chr;
    static const tcflag_t sizes[] = { CS5, CS6, CS7, CS8 };
    struct termios line;

    if (tcgetattr(serial->fd, &line) < 0) {
        return;
    }
    /* The nearest speed within 2 %: a divisor seldom hits one exactly. */
    for (unsigned i = 0; i < G_N_ELEMENTS(speeds); i++) {
        unsigned slack = speeds[i].baud / 50;
        if (params->speed + slack >= speeds[i].baud && params->speed <= speeds[i].baud + slack) {
            cfsetspeed(&line, speeds[i].code);
        }
    }
    line.c_cflag &= ~(CSIZE | CSTOPB | PARENB | PARODD);
    line.c_cflag |= sizes[CLAMP(params->data_bits, 5, 8) - 5];
    line.c_cflag |= params->stop_bits == 2 ? CSTOPB : 0;
    line.c_cflag |= params->parity == 'O' ? PARENB | PARODD : params->parity == 'E' ? PARENB : 0;
    tcsetattr(serial->fd, TCSANOW, &line);
}

static const struct {
    int host;
    unsigned vit;
} modem_lines[] = {
    { TIOCM_CTS, VIT_TIOCM_CTS }, { TIOCM_CAR, VIT_TIOCM_CAR }, { TIOCM_DSR, VIT_TIOCM_DSR },
    { TIOCM_RI, VIT_TIOCM_RI },   { TIOCM_DTR, VIT_TIOCM_DTR }, { TIOCM_RTS, VIT_TIOCM_RTS },
};

static unsigned
serial_get_modem(VitChardev *chr)
{
    int host = 0;
    unsigned bits = 0;

    if (ioctl(((CharSerial *)chr)->fd, TIOCMGET, &host) < 0) {
        return VIT_TIOCM_CTS | VIT_TIOCM_DSR | VIT_TIOCM_CAR; /* a line without modem wires */
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(modem_lines); i++) {
        bits |= host & modem_lines[i].host ? modem_lines[i].vit : 0;
    }
    return bits;
}

static void
serial_set_modem(VitChardev *chr, unsigned bits)
{
    int fd = ((CharSerial *)chr)->fd;
    int host = 0;

    if (ioctl(fd, TIOCMGET, &host) < 0) {
        return;
    }
    host &= ~(TIOCM_DTR | TIOCM_RTS);
    host |= bits & VIT_TIOCM_DTR ? TIOCM_DTR : 0;
    host |= bits & VIT_TIOCM_RTS ? TIOCM_RTS : 0;
    ioctl(fd, TIOCMSET, &host);
}

static void
serial_send_break(VitChardev *chr)
{
    tcsendbreak(((CharSerial *)chr)->fd, 1);
}

static char *
serial_describe(VitChardev *chr)
{
    return g_strdup_printf("serial:%s", ((CharSerial *)chr)->path);
}

static const char *const aliases[] = { "tty", NULL };

const VitChardevKind vit_char_serial_kind = {
    .name = "serial",
    .aliases = aliases,
    .title = VIT_N_("A serial line of the host"),
    .size = sizeof(CharSerial),
    .props = props,
    .open = serial_open,
    .close = serial_close,
    .write = serial_write,
    .accept_input = serial_accept_input,
    .set_serial = serial_set_serial,
    .get_modem = serial_get_modem,
    .set_modem = serial_set_modem,
    .send_break = serial_send_break,
    .describe = serial_describe,
};
