/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The device-test protocol, as QEMU's "qtest" speaks it: lines of words, answered by "OK ..." or
 * "FAIL ..." and interrupted by "IRQ raise N" and "IRQ lower N" from the device that is listened
 * to. Numbers are decimal, 0x or 0 octal; data is "0x" and two digits per byte, or base 64.
 *
 *   inb inw inl PORT              outb outw outl PORT VALUE
 *   readb readw readl readq ADDR  writeb writew writel writeq ADDR VALUE
 *   read ADDR SIZE                write ADDR SIZE DATA
 *   b64read ADDR SIZE             b64write ADDR SIZE DATA
 *   memset ADDR SIZE VALUE        endianness
 *   clock_step [NS]               clock_set NS
 *   irq_intercept_in DEVICE       irq_intercept_out DEVICE
 *   set_irq_in DEVICE NAME N LEVEL
 *   module_load PREFIX NAME
 *   x-engine-fault                (ours) the engine cannot go on, as after a fault of its own
 *
 * Deviations: devices are named by id, path or kind; lines have no names of their own, so NAME in
 * set_irq_in counts for nothing; everything is built in, so module_load always succeeds.
 *
 * Thread: device lock held. */

#include "vit-qtest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "vit-error.h"

enum { LINE_MAX_BYTES = 64 << 20, DATA_MAX_BYTES = 16 << 20, LINES_MAX = 256, WORDS_MAX = 5 };

/* An output line with us in between. */
typedef struct {
    VitQtest *qtest;
    VitIrq original;
    int n;
} OutTap;

struct VitQtest {
    VitPlatform *platform;
    const VitQtestOps *ops;
    void *opaque;
    VitChardev *chr;
    VitChardevFront front;
    GString *line;
    bool line_too_long;
    FILE *log;
    int64_t opened_us;
    /* what is listened to */
    VitDevice *device;
    bool is_out;
    OutTap *taps; /* one per output line of the device */
    bool levels[LINES_MAX];
};

/* ---- talking ---- */

static void
write_log(VitQtest *qtest, char direction, const char *text, size_t len)
{
    if (qtest->log) {
        double seconds = (g_get_monotonic_time() - qtest->opened_us) / 1e6;
        fprintf(qtest->log, "[%c +%f] %.*s\n", direction, seconds, (int)len, text);
        fflush(qtest->log);
    }
}

static void
send_line(VitQtest *qtest, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autoptr(GString) text = g_string_new(NULL);
    g_string_append_vprintf(text, format, args);
    va_end(args);
    write_log(qtest, 'S', text->str, text->len);
    g_string_append_c(text, '\n');
    vit_chardev_write_all(qtest->chr, text->str, text->len);
}

/* ---- words ---- */

static bool
parse(const char *text, uint64_t *out)
{
    char *end;

    errno = 0;
    *out = g_ascii_strtoull(text, &end, 0);
    return *text && !*end && !errno;
}

/* Words FIRST.. as numbers; false (and answered) when one is missing or none. */
static bool
numbers(VitQtest *qtest, char **words, unsigned first, unsigned count, uint64_t *out)
{
    for (unsigned i = 0; i < count; i++) {
        if (!words[first + i] || !parse(words[first + i], &out[i])) {
            send_line(qtest, "FAIL %s: a number is wanted as argument %u", words[0], first + i);
            return false;
        }
    }
    return true;
}

static bool
check_len(VitQtest *qtest, char **words, uint64_t len)
{
    if (len > DATA_MAX_BYTES) {
        send_line(qtest, "FAIL %s: at most %d bytes at once", words[0], DATA_MAX_BYTES);
        return false;
    }
    return true;
}

static unsigned
size_of(char letter)
{
    return letter == 'b' ? 1 : letter == 'w' ? 2 : letter == 'l' ? 4 : 8;
}

/* ---- ports and memory ---- */

static void
do_in(VitQtest *qtest, char **words)
{
    uint64_t port, value;

    if (numbers(qtest, words, 1, 1, &port)) {
        vit_address_space_read(qtest->platform->io, port & 0xffff, size_of(words[0][2]), &value);
        send_line(qtest, "OK 0x%04" PRIx64, value);
    }
}

static void
do_out(VitQtest *qtest, char **words)
{
    uint64_t args[2];

    if (numbers(qtest, words, 1, 2, args)) {
        vit_address_space_write(qtest->platform->io, args[0] & 0xffff, size_of(words[0][3]),
                                args[1]);
        send_line(qtest, "OK");
    }
}

static void
do_read_value(VitQtest *qtest, char **words)
{
    uint64_t address, value;

    if (numbers(qtest, words, 1, 1, &address)) {
        vit_address_space_read(qtest->platform->memory, address, size_of(words[0][4]), &value);
        send_line(qtest, "OK 0x%016" PRIx64, value);
    }
}

static void
do_write_value(VitQtest *qtest, char **words)
{
    uint64_t args[2];

    if (numbers(qtest, words, 1, 2, args)) {
        vit_address_space_write(qtest->platform->memory, args[0], size_of(words[0][5]), args[1]);
        send_line(qtest, "OK");
    }
}

static void
do_read(VitQtest *qtest, char **words)
{
    uint64_t args[2]; /* address, size */

    if (!numbers(qtest, words, 1, 2, args) || !check_len(qtest, words, args[1])) {
        return;
    }
    g_autofree uint8_t *data = g_malloc(args[1] + 1);
    vit_address_space_read_bytes(qtest->platform->memory, args[0], data, args[1]);
    if (words[0][0] == 'b') {
        g_autofree char *text = g_base64_encode(data, args[1]);
        send_line(qtest, "OK %s", text);
        return;
    }
    g_autoptr(GString) text = g_string_sized_new(args[1] * 2);
    for (uint64_t i = 0; i < args[1]; i++) {
        g_string_append_printf(text, "%02x", data[i]);
    }
    send_line(qtest, "OK 0x%s", text->str);
}

/* "0x0123" into LEN bytes; what is missing is zero. False: not of that form. */
static bool
parse_hex(const char *text, uint8_t *data, size_t len)
{
    size_t digits = strlen(text);

    if (digits < 2 || text[0] != '0' || text[1] != 'x' || (digits & 1)) {
        return false;
    }
    memset(data, 0, len);
    for (size_t i = 0; i < len && 2 * i + 2 < digits; i++) {
        int high = g_ascii_xdigit_value(text[2 + 2 * i]);
        int low = g_ascii_xdigit_value(text[3 + 2 * i]);
        if (high < 0 || low < 0) {
            return false;
        }
        data[i] = high << 4 | low;
    }
    return true;
}

static void
do_write(VitQtest *qtest, char **words)
{
    uint64_t args[2]; /* address, size */

    if (!numbers(qtest, words, 1, 2, args) || !check_len(qtest, words, args[1])) {
        return;
    }
    g_autofree uint8_t *data = g_malloc0(args[1] + 1);
    if (!words[3]) {
        send_line(qtest, "FAIL %s: the data is missing", words[0]);
        return;
    }
    if (words[0][0] == 'b') {
        gsize len;
        g_autofree guchar *decoded = g_base64_decode(words[3], &len);
        memcpy(data, decoded, MIN(len, args[1]));
    } else if (!parse_hex(words[3], data, args[1])) {
        send_line(qtest, "FAIL %s: data is 0x and two digits per byte", words[0]);
        return;
    }
    vit_address_space_write_bytes(qtest->platform->memory, args[0], data, args[1]);
    send_line(qtest, "OK");
}

static void
do_memset(VitQtest *qtest, char **words)
{
    uint64_t args[3]; /* address, size, value */

    if (!numbers(qtest, words, 1, 3, args) || !check_len(qtest, words, args[1])) {
        return;
    }
    g_autofree uint8_t *data = g_malloc(args[1] + 1);
    memset(data, args[2], args[1]);
    vit_address_space_write_bytes(qtest->platform->memory, args[0], data, args[1]);
    send_line(qtest, "OK");
}

static void
do_endianness(VitQtest *qtest, char **words)
{
    send_line(qtest, "OK little");
}

/* ---- time ---- */

static void
answer_time(VitQtest *qtest)
{
    send_line(qtest, "OK %" PRId64, vit_clock_get_ns(qtest->platform->clock));
}

static void
do_clock_step(VitQtest *qtest, char **words)
{
    VitClock *clock = qtest->platform->clock;
    int64_t now_ns = vit_clock_get_ns(clock);
    uint64_t step_ns;

    if (words[1]) {
        if (!numbers(qtest, words, 1, 1, &step_ns)) {
            return;
        }
        step_ns = MIN(step_ns, (uint64_t)(INT64_MAX - now_ns));
    } else {
        int64_t deadline_ns = vit_clock_next_deadline_ns(clock);
        step_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    }
    vit_clock_step_to(clock, now_ns + step_ns);
    answer_time(qtest);
}

static void
do_clock_set(VitQtest *qtest, char **words)
{
    VitClock *clock = qtest->platform->clock;
    uint64_t target_ns;

    if (!numbers(qtest, words, 1, 1, &target_ns)) {
        return;
    }
    if (target_ns <= INT64_MAX && (int64_t)target_ns > vit_clock_get_ns(clock)) {
        vit_clock_step_to(clock, target_ns);
    }
    answer_time(qtest);
}

/* ---- interrupt lines ---- */

static void
report(VitQtest *qtest, int n, int level)
{
    if (n >= 0 && n < LINES_MAX && qtest->levels[n] != !!level) {
        qtest->levels[n] = level;
        send_line(qtest, "IRQ %s %d", level ? "raise" : "lower", n);
    }
}

static void
in_changed(void *opaque, int n, int level)
{
    report(opaque, n, level);
}

static void
out_changed(void *opaque, int n, int level)
{
    OutTap *tap = opaque;

    vit_irq_set(&tap->original, level);
    report(tap->qtest, tap->n, level);
}

static void
stop_listening(VitQtest *qtest)
{
    if (!qtest->device) {
        return;
    }
    if (qtest->is_out) {
        for (unsigned n = 0; n < qtest->device->kind->n_irq_out; n++) {
            qtest->device->irq_out[n] = qtest->taps[n].original;
        }
        g_clear_pointer(&qtest->taps, g_free);
    } else {
        qtest->device->irq_in_tap = (VitIrq){ 0 };
    }
    qtest->device = NULL;
}

static VitDevice *
find_device(VitQtest *qtest, char **words)
{
    VitDevice *dev = words[1] && qtest->ops->find_device
                         ? qtest->ops->find_device(qtest->opaque, words[1])
                         : NULL;

    if (!dev) {
        send_line(qtest, "FAIL Unknown device");
    }
    return dev;
}

static void
do_intercept(VitQtest *qtest, char **words)
{
    bool is_out = strcmp(words[0], "irq_intercept_out") == 0;
    VitDevice *dev = find_device(qtest, words);

    if (!dev) {
        return;
    }
    if (qtest->device && (qtest->device != dev || qtest->is_out != is_out)) {
        send_line(qtest, "FAIL IRQ intercept already enabled");
        return;
    }
    if (!qtest->device) {
        qtest->device = dev;
        qtest->is_out = is_out;
        memset(qtest->levels, 0, sizeof(qtest->levels));
        if (is_out) {
            qtest->taps = g_new0(OutTap, MAX(dev->kind->n_irq_out, 1));
            for (unsigned n = 0; n < dev->kind->n_irq_out; n++) {
                OutTap *tap = &qtest->taps[n];
                *tap = (OutTap){ .qtest = qtest, .original = dev->irq_out[n], .n = n };
                dev->irq_out[n] = (VitIrq){ .func = out_changed, .opaque = tap };
            }
        } else {
            dev->irq_in_tap = (VitIrq){ .func = in_changed, .opaque = qtest };
        }
    }
    send_line(qtest, "OK");
}

/* DEVICE NAME N LEVEL, where NAME may be left out. */
static void
do_set_irq_in(VitQtest *qtest, char **words)
{
    VitDevice *dev = find_device(qtest, words);
    unsigned first = words[1] && words[2] && words[3] && words[4] ? 3 : 2;
    uint64_t args[2]; /* line, level */

    if (!dev || !words[2] || !numbers(qtest, words, first, 2, args)) {
        return;
    }
    if (!dev->kind->irq_in || args[0] >= dev->kind->n_irq_in) {
        send_line(qtest, "FAIL %s has %u input lines", words[1], dev->kind->n_irq_in);
        return;
    }
    VitIrq line = vit_device_irq_in(dev, args[0]);
    vit_irq_set(&line, args[1] != 0);
    send_line(qtest, "OK");
}

static void
do_module_load(VitQtest *qtest, char **words)
{
    send_line(qtest, "OK");
}

/* What the machine and the programs around it do then is what tests want to know. */
static void
do_engine_fault(VitQtest *qtest, char **words)
{
    if (!qtest->ops->fail) {
        send_line(qtest, "FAIL there is no engine to fail");
        return;
    }
    send_line(qtest, "OK");
    qtest->ops->fail(qtest->opaque, "a fault was injected by the test protocol");
}

/* ---- lines ---- */

static const struct {
    const char *name;
    void (*run)(VitQtest *qtest, char **words);
} commands[] = {
    { "inb", do_in },
    { "inw", do_in },
    { "inl", do_in },
    { "outb", do_out },
    { "outw", do_out },
    { "outl", do_out },
    { "readb", do_read_value },
    { "readw", do_read_value },
    { "readl", do_read_value },
    { "readq", do_read_value },
    { "writeb", do_write_value },
    { "writew", do_write_value },
    { "writel", do_write_value },
    { "writeq", do_write_value },
    { "read", do_read },
    { "b64read", do_read },
    { "write", do_write },
    { "b64write", do_write },
    { "memset", do_memset },
    { "endianness", do_endianness },
    { "clock_step", do_clock_step },
    { "clock_set", do_clock_set },
    { "irq_intercept_in", do_intercept },
    { "irq_intercept_out", do_intercept },
    { "set_irq_in", do_set_irq_in },
    { "module_load", do_module_load },
    { "x-engine-fault", do_engine_fault },
};

static void
run_line(VitQtest *qtest, char *line)
{
    char *words[WORDS_MAX + 2] = { NULL };
    unsigned count = 0;

    write_log(qtest, 'R', line, MIN(strlen(line), 1000));
    for (char *at = line; *at && count <= WORDS_MAX;) {
        at += strspn(at, " \t\r");
        size_t len = strcspn(at, " \t\r");
        if (len > 0) {
            words[count++] = at;
        }
        at += len;
        if (*at) {
            *at++ = '\0';
        }
    }
    if (count == 0) {
        return;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (strcmp(words[0], commands[i].name) == 0) {
            commands[i].run(qtest, words);
            return;
        }
    }
    send_line(qtest, "FAIL Unknown command '%.100s'", words[0]);
}

static void
receive(void *opaque, const uint8_t *buf, size_t len)
{
    VitQtest *qtest = opaque;

    for (size_t i = 0; i < len; i++) {
        if (buf[i] != '\n') {
            qtest->line_too_long |= qtest->line->len >= LINE_MAX_BYTES;
            if (!qtest->line_too_long) {
                g_string_append_c(qtest->line, buf[i] ? buf[i] : ' ');
            }
            continue;
        }
        if (qtest->line_too_long) {
            send_line(qtest, "FAIL the line is too long");
        } else {
            run_line(qtest, qtest->line->str);
        }
        g_string_truncate(qtest->line, 0);
        qtest->line_too_long = false;
    }
}

static void
on_event(void *opaque, VitChardevEvent event)
{
    VitQtest *qtest = opaque;

    if (event == VIT_CHARDEV_OPENED) {
        qtest->opened_us = g_get_monotonic_time();
        g_string_truncate(qtest->line, 0);
        memset(qtest->levels, 0, sizeof(qtest->levels));
    } else if (event == VIT_CHARDEV_CLOSED) {
        stop_listening(qtest);
    }
}

VitQtest *
vit_qtest_new(VitPlatform *platform, const VitQtestOps *ops, void *opaque, VitChardev *chr,
              const char *log_path, GError **error)
{
    g_autoptr(VitQtest) qtest = g_new0(VitQtest, 1);

    qtest->platform = platform;
    qtest->ops = ops;
    qtest->opaque = opaque;
    qtest->chr = chr;
    qtest->line = g_string_new(NULL);
    qtest->opened_us = g_get_monotonic_time();
    if (log_path && strcmp(log_path, "none") != 0) {
        qtest->log = fopen(log_path, "we");
        if (!qtest->log) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "-qtest-log: cannot write '%s': %s",
                        log_path, g_strerror(errno));
            return NULL;
        }
    }
    qtest->front = (VitChardevFront){ .receive = receive, .event = on_event, .opaque = qtest };
    if (!vit_chardev_attach(chr, &qtest->front, error)) {
        return NULL;
    }
    return g_steal_pointer(&qtest);
}

void
vit_qtest_free(VitQtest *qtest)
{
    if (!qtest) {
        return;
    }
    stop_listening(qtest);
    vit_chardev_detach(qtest->chr, qtest);
    if (qtest->log) {
        fclose(qtest->log);
    }
    g_string_free(qtest->line, TRUE);
    g_free(qtest);
}
