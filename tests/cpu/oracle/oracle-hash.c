/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Hash of the writable data pages. Independent 32-bit lanes, so that compilers make it a vector
 * loop; no claim to anything but noticing a changed byte. */

#include "oracle.h"

#include <string.h>

enum { LANES = 32 };

static void
mix_pages(uint32_t *lanes, const uint8_t *bytes, size_t len)
{
    for (size_t at = 0; at < len; at += LANES * 4) {
        uint32_t words[LANES];

        memcpy(words, bytes + at, sizeof(words));
        for (unsigned i = 0; i < LANES; i++) {
            lanes[i] = (lanes[i] ^ words[i]) * 0x9e3779b1u;
            lanes[i] ^= lanes[i] >> 15;
        }
    }
}

uint64_t
oracle_hash(const uint8_t *pages)
{
    uint32_t lanes[LANES] = { 0 };
    uint64_t hash = 0;

    mix_pages(lanes, pages, 0x2000);
    mix_pages(lanes, pages + 0x4000, 0x1000);
    for (unsigned i = 0; i < LANES; i++) {
        hash = (hash ^ lanes[i]) * 0x9e3779b97f4a7c15ull;
    }
    return hash;
}
