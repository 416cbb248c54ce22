/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Framing of the remote serial protocol: bytes to packets and back. Knows no command. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Longest packet taken, as qSupported tells. */
enum { GDB_PACKET_MAX = 0x4000 };

typedef enum GdbFrame {
    GDB_FRAME_NONE,      /* more bytes are needed */
    GDB_FRAME_PACKET,    /* a good packet is in `payload` */
    GDB_FRAME_BAD,       /* wrong checksum or too long: to be asked for again */
    GDB_FRAME_INTERRUPT, /* the byte 03h outside a packet */
    GDB_FRAME_ACK,
    GDB_FRAME_NAK,
} GdbFrame;

typedef struct GdbFramer {
    enum { GDB_IDLE, GDB_BODY, GDB_ESCAPED, GDB_SUM1, GDB_SUM2 } state;
    GString *payload; /* unescaped; a NUL follows */
    uint8_t sum, wanted;
    bool too_long, bad_sum;
} GdbFramer;

void gdb_framer_init(GdbFramer *framer);
void gdb_framer_finish(GdbFramer *framer);
GdbFrame gdb_framer_feed(GdbFramer *framer, uint8_t byte);

/* $PAYLOAD#SUM with what has to be escaped escaped. Ownership: caller. */
GString *gdb_frame(const char *payload, size_t len);

/* Hexadecimal texts. */
void gdb_append_hex(GString *out, const void *bytes, size_t len);
/* LEN bytes from TEXT; false where it is no such text. */
bool gdb_parse_hex(const char *text, void *out_bytes, size_t len);
/* A number at *TEXT, which is moved behind it; false where there is none or it overflows. */
bool gdb_parse_number(const char **text, uint64_t *out_value);
