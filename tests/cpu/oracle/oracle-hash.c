/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Hash of the writable data pages. Independent lanes of AES rounds; no claim to anything but
 * noticing a changed byte. */

#include "oracle.h"

#include <immintrin.h>
#include <string.h>

enum { LANES = 8 };

__attribute__((target("aes"))) static void
mix_pages(__m128i *state, const uint8_t *bytes, size_t len)
{
    for (size_t at = 0; at < len; at += LANES * 16) {
        for (unsigned i = 0; i < LANES; i++) {
            __m128i words = _mm_loadu_si128((const void *)(bytes + at + i * 16));

            state[i] = _mm_aesenc_si128(state[i], words);
        }
    }
}

uint64_t
oracle_hash(const uint8_t *pages)
{
    __m128i state[LANES];
    uint64_t words[LANES * 2], hash = 0;

    memset(state, 0, sizeof(state));
    mix_pages(state, pages, 0x2000);
    mix_pages(state, pages + 0x4000, 0x1000);
    memcpy(words, state, sizeof(words));
    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
        hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15ull;
        hash ^= hash >> 29;
    }
    return hash;
}
