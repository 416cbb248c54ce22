/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Framing of the remote serial protocol: $payload#checksum, 7Dh escapes, acknowledgements.
 * "Debugging with GDB", appendix Remote Serial Protocol, Overview. Run-length encoding is for
 * answers alone and not made here. Thread: any; a framer belongs to one. */

#include "gdb-packet.h"

void
gdb_framer_init(GdbFramer *framer)
{
    *framer = (GdbFramer){ .payload = g_string_new(NULL) };
}

void
gdb_framer_finish(GdbFramer *framer)
{
    g_string_free(framer->payload, TRUE);
    framer->payload = NULL;
}

static GdbFrame
feed_idle(GdbFramer *framer, uint8_t byte)
{
    switch (byte) {
    case '$':
        g_string_truncate(framer->payload, 0);
        framer->sum = 0;
        framer->too_long = framer->bad_sum = false;
        framer->state = GDB_BODY;
        return GDB_FRAME_NONE;
    case '+': return GDB_FRAME_ACK;
    case '-': return GDB_FRAME_NAK;
    case 3: return GDB_FRAME_INTERRUPT;
    default: return GDB_FRAME_NONE; /* noise of a line */
    }
}

static void
append(GdbFramer *framer, uint8_t byte)
{
    if (framer->payload->len < GDB_PACKET_MAX) {
        g_string_append_c(framer->payload, (char)byte);
    } else {
        framer->too_long = true;
    }
}

static void
feed_body(GdbFramer *framer, uint8_t byte)
{
    if (byte == '#') {
        framer->state = GDB_SUM1;
        return;
    }
    framer->sum += byte;
    if (byte == '}') {
        framer->state = GDB_ESCAPED;
    } else {
        append(framer, byte);
    }
}

GdbFrame
gdb_framer_feed(GdbFramer *framer, uint8_t byte)
{
    int digit;

    switch (framer->state) {
    case GDB_IDLE: return feed_idle(framer, byte);
    case GDB_BODY: feed_body(framer, byte); return GDB_FRAME_NONE;
    case GDB_ESCAPED:
        framer->sum += byte;
        append(framer, byte ^ 0x20);
        framer->state = GDB_BODY;
        return GDB_FRAME_NONE;
    case GDB_SUM1:
    case GDB_SUM2: break;
    }
    digit = g_ascii_xdigit_value((char)byte);
    framer->bad_sum |= digit < 0;
    framer->wanted = (uint8_t)(framer->wanted << 4 | (digit & 15));
    if (framer->state == GDB_SUM1) {
        framer->state = GDB_SUM2;
        return GDB_FRAME_NONE;
    }
    framer->state = GDB_IDLE;
    return framer->bad_sum || framer->too_long || framer->wanted != framer->sum ? GDB_FRAME_BAD
                                                                                : GDB_FRAME_PACKET;
}

GString *
gdb_frame(const char *payload, size_t len)
{
    GString *out = g_string_sized_new(len + 4);
    uint8_t sum = 0;

    g_string_append_c(out, '$');
    for (size_t i = 0; i < len; i++) {
        char byte = payload[i];

        if (byte == '$' || byte == '#' || byte == '}' || byte == '*') {
            g_string_append_c(out, '}');
            sum += '}';
            byte ^= 0x20;
        }
        g_string_append_c(out, byte);
        sum += (uint8_t)byte;
    }
    g_string_append_printf(out, "#%02x", sum);
    return out;
}

void
gdb_append_hex(GString *out, const void *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = bytes;

    for (size_t i = 0; i < len; i++) {
        g_string_append_c(out, digits[from[i] >> 4]);
        g_string_append_c(out, digits[from[i] & 15]);
    }
}

bool
gdb_parse_hex(const char *text, void *out_bytes, size_t len)
{
    uint8_t *to = out_bytes;

    for (size_t i = 0; i < len; i++) {
        int high = g_ascii_xdigit_value(text[2 * i]);
        int low = high < 0 ? -1 : g_ascii_xdigit_value(text[2 * i + 1]);

        if (low < 0) {
            return false;
        }
        to[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

bool
gdb_parse_number(const char **text, uint64_t *out_value)
{
    const char *at = *text;
    uint64_t value = 0;

    while (g_ascii_isxdigit(*at)) {
        if (value >> 60) {
            return false;
        }
        value = value << 4 | (uint64_t)g_ascii_xdigit_value(*at++);
    }
    if (at == *text) {
        return false;
    }
    *text = at;
    *out_value = value;
    return true;
}
