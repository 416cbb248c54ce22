/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The telnet protocol on a byte stream: taking commands out of input, doubling IAC in output.
 * Thread: its user's. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct CharTelnet {
    uint8_t state;
    bool after_cr;
    bool peer_binary; /* the peer sends 8-bit data as it is */
} CharTelnet;

/* What a server says first: it echoes, no go-ahead, 8-bit both ways. */
extern const uint8_t char_telnet_greeting[12];

void char_telnet_init(CharTelnet *telnet);
/* Hands what is data in BUF to DATA, and tells of breaks in their place between. */
void char_telnet_receive(CharTelnet *telnet, const uint8_t *buf, size_t len,
                         void (*data)(void *opaque, const uint8_t *buf, size_t len),
                         void (*break_seen)(void *opaque), void *opaque);
