/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A ring of bytes that forgets the oldest. Thread: its user's. */

#include <stddef.h>
#include <stdint.h>

typedef struct CharRing {
    uint8_t *data;
    size_t size;        /* power of two */
    uint64_t put, take; /* running counts */
} CharRing;

void char_ring_init(CharRing *ring, size_t size);
void char_ring_finish(CharRing *ring);
void char_ring_write(CharRing *ring, const uint8_t *buf, size_t len);
size_t char_ring_len(const CharRing *ring);
/* Copies up to LEN bytes from the oldest on, without taking them. */
size_t char_ring_peek(const CharRing *ring, uint8_t *buf, size_t len);
void char_ring_skip(CharRing *ring, size_t len);
