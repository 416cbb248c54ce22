/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* LUKS headers: the input changes bytes of a sound one, or is the header. Where the key derivation
 * would take no time, the password is tried too. */

#include "blk-luks.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_ITERATIONS = 2000, MAX_STRIPES = 4000 };

static uint8_t *sound;
static size_t sound_len;

static bool
is_quick(const BlkLuks *luks)
{
    for (unsigned i = 0; i < BLK_LUKS_SLOTS; i++) {
        if (luks->slots[i].active &&
            (luks->slots[i].iterations > MAX_ITERATIONS || luks->slots[i].stripes > MAX_STRIPES)) {
            return false;
        }
    }
    return luks->digest_iterations <= MAX_ITERATIONS && luks->key_bytes <= 64;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const BlkLuksWish wish = { .iter_time_ms = 1 };
    g_autoptr(GError) error = NULL;
    g_autofree uint8_t *area = NULL;
    size_t len;
    BlkLuks luks;

    if (!sound) {
        sound = blk_luks_format(&wish, "open sesame", &sound_len, &error);
        g_assert_no_error(error);
        /* Counts of one: the search is for what the header says, not for the time it takes. */
        memset(sound + 164, 0, 4);
        sound[167] = 1;
        memset(sound + 208 + 4, 0, 4);
        sound[208 + 7] = 1;
    }
    if (size < 2) {
        return 0;
    }
    if (data[0] & 1) {
        len = size - 1;
        area = g_memdup2(data + 1, len);
    } else {
        len = sound_len;
        area = g_memdup2(sound, len);
        for (size_t at = 1; at + 2 < size; at += 3) {
            area[((size_t)data[at] << 8 | data[at + 1]) % BLK_LUKS_HEADER_BYTES] = data[at + 2];
        }
    }
    if (!blk_luks_parse(&luks, area, len, "fuzz", 0, &error)) {
        g_assert_nonnull(error);
        return 0;
    }
    if (is_quick(&luks)) {
        BlkCipher *cipher = blk_luks_unlock(&luks, area, len, "open sesame", &error);
        blk_cipher_free(cipher);
    }
    return 0;
}
