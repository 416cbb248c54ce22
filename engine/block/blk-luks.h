/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* LUKS version 1 headers, and sectors encrypted as they say. The header lies wherever the user of
 * this keeps it; he reads and writes it whole.
 *
 * Thread: pure computation that takes long; call it on workers. A BlkCipher is constant once it is
 * made and may be used by several threads. */

#include "blk-context.h"
#include "vit-types.h"

#include <glib.h>

enum {
    BLK_LUKS_HEADER_BYTES = 592,
    BLK_LUKS_SLOTS = 8,
    BLK_LUKS_MAX_AREA_BYTES = 16 << 20, /* header and key material */
};

/* How sectors of 512 bytes are encrypted. */
typedef struct BlkCipher BlkCipher;

typedef struct BlkLuksSlot {
    bool active;
    uint32_t iterations, stripes;
    uint32_t offset_sectors;
    uint8_t salt[32];
} BlkLuksSlot;

typedef struct BlkLuks {
    char cipher[33], mode[33], hash[33], uuid[41];
    uint32_t payload_sectors, key_bytes, digest_iterations;
    uint8_t digest[20], digest_salt[32];
    BlkLuksSlot slots[BLK_LUKS_SLOTS];
} BlkLuks;

/* What a new header is to be; NULL for the defaults (aes-256, xts, plain64, sha256). */
typedef struct BlkLuksWish {
    const char *cipher_alg, *cipher_mode, *ivgen_alg, *ivgen_hash_alg, *hash_alg;
    uint64_t iter_time_ms;
} BlkLuksWish;

/* CIPHER "aes-256", MODE "xts-plain64" as headers name them. NULL when there is no such thing. */
BlkCipher *blk_cipher_new(const char *cipher, const char *mode, const uint8_t *key,
                          size_t key_bytes);
void blk_cipher_free(BlkCipher *cipher);
/* LEN is a multiple of 512; SECTOR the number of the first. False only when memory is short. */
bool blk_cipher_run(const BlkCipher *cipher, bool encrypt, uint64_t sector, uint8_t *buf,
                    size_t len);
/* The same where it holds up nobody else; 0 or a negative errno. CIPHER may be NULL: -EACCES.
 * [fiber]
 */
int blk_cipher_run_here(BlkContext *context, const BlkCipher *cipher, bool encrypt, uint64_t sector,
                        uint8_t *buf, size_t len);

/* False with ERROR naming the field; NAME and OFFSET say where the header lies. */
bool blk_luks_parse(BlkLuks *luks, const uint8_t *buf, size_t len, const char *name,
                    uint64_t offset, GError **error);
/* The cipher of the master key, found with PASSWORD. AREA: header and key material. */
BlkCipher *blk_luks_unlock(const BlkLuks *luks, const uint8_t *area, size_t len,
                           const char *password, GError **error);
/* A new header with one key slot. Bytes of the area, owned by the caller; the payload begins where
 * it ends. NULL with ERROR when the wish cannot be fulfilled. */
uint8_t *blk_luks_format(const BlkLuksWish *wish, const char *password, size_t *out_len,
                         GError **error);
/* Bytes such an area takes for the default key length of WISH. */
size_t blk_luks_area_bytes(const BlkLuksWish *wish);
/* "aes-256" of a header. Ownership: caller. */
char *blk_luks_dup_cipher_alg(const BlkLuks *luks);

/* ---- changing key slots; the caller writes what has changed of AREA ---- */

/* Where a slot's key material lies in the area of LEN bytes; false when it does not fit. */
bool blk_luks_slot_place(const BlkLuks *luks, unsigned slot, size_t len, size_t *out_at,
                         size_t *out_len);
/* Puts the key of MASTER into SLOT under PASSWORD, its material into AREA. Takes ITER_TIME_MS. */
bool blk_luks_set_key(BlkLuks *luks, uint8_t *area, size_t len, unsigned slot,
                      const BlkCipher *master, const char *password, uint64_t iter_time_ms);
bool blk_luks_slot_opens(const BlkLuks *luks, const uint8_t *area, size_t len, unsigned slot,
                         const char *password);
/* Marks SLOT as unused and fills its material with noise. */
void blk_luks_clear_key(BlkLuks *luks, uint8_t *area, size_t len, unsigned slot);
void blk_luks_put_header(const BlkLuks *luks, uint8_t *area);
