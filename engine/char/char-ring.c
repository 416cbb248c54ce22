/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* A ring of bytes that forgets the oldest. PUT and TAKE count bytes since the start, so that full
 * and empty differ: 0 <= put - take <= size. Thread: its user's. */

#include "char-ring.h"

#include <glib.h>
#include <string.h>

void
char_ring_init(CharRing *ring, size_t size)
{
    g_assert(size && !(size & (size - 1)));
    *ring = (CharRing){ .data = g_malloc(size), .size = size };
}

void
char_ring_finish(CharRing *ring)
{
    g_clear_pointer(&ring->data, g_free);
}

size_t
char_ring_len(const CharRing *ring)
{
    return ring->put - ring->take;
}

void
char_ring_write(CharRing *ring, const uint8_t *buf, size_t len)
{
    if (len > ring->size) { /* only the end can stay */
        ring->put += len - ring->size;
        buf += len - ring->size;
        len = ring->size;
    }
    size_t at = ring->put & (ring->size - 1);
    size_t first = MIN(len, ring->size - at);

    memcpy(ring->data + at, buf, first);
    memcpy(ring->data, buf + first, len - first);
    ring->put += len;
    if (ring->put - ring->take > ring->size) {
        ring->take = ring->put - ring->size;
    }
}

size_t
char_ring_peek(const CharRing *ring, uint8_t *buf, size_t len)
{
    len = MIN(len, char_ring_len(ring));
    if (len == 0) { /* BUF may be NULL then */
        return 0;
    }
    size_t at = ring->take & (ring->size - 1);
    size_t first = MIN(len, ring->size - at);

    memcpy(buf, ring->data + at, first);
    memcpy(buf + first, ring->data, len - first);
    return len;
}

void
char_ring_skip(CharRing *ring, size_t len)
{
    ring->take += MIN(len, char_ring_len(ring));
}
