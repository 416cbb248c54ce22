/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Hash of the writable data pages. Independent 32-bit lanes; no claim to anything but noticing a
 * changed byte. */

#include "oracle.h"

#include <string.h>

typedef uint32_t Lanes __attribute__((vector_size(32)));
enum { VECTORS = 4 };

__attribute__((target("avx2"))) static void
mix_pages(Lanes *state, const uint8_t *bytes, size_t len)
{
    for (size_t at = 0; at < len; at += VECTORS * sizeof(Lanes)) {
        for (unsigned i = 0; i < VECTORS; i++) {
            Lanes words;

            memcpy(&words, bytes + at + i * sizeof(words), sizeof(words));
            state[i] = (state[i] ^ words) * 0x9e3779b1u;
            state[i] ^= state[i] >> 15;
        }
    }
}

uint64_t
oracle_hash(const uint8_t *pages)
{
    Lanes state[VECTORS] = { 0 };
    uint64_t words[VECTORS * 4], hash = 0;

    mix_pages(state, pages, 0x2000);
    mix_pages(state, pages + 0x4000, 0x1000);
    memcpy(words, state, sizeof(words));
    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
        hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15ull;
        hash ^= hash >> 29;
    }
    return hash;
}
