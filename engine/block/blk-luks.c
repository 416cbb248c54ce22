/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* LUKS version 1: the header, key slots with anti-forensic splitting, and sector encryption.
 *
 * Specification: "LUKS On-Disk Format Specification" version 1.2.3; XTS, CBC and ECB with initial
 * vectors plain, plain64 and essiv. Ciphers, hashes and PBKDF2 are libgcrypt's. Iterations and
 * lengths that an image names are bounded, so that a hostile one costs seconds at most.
 *
 * Thread: any; nothing is shared. */

#include "blk-luks.h"

#include "vit-error.h"

#include <errno.h>
#include <gcrypt.h>
#include <inttypes.h>
#include <string.h>

enum {
    SECTOR_BYTES = 512,
    STRIPES = 4000,
    MIN_ITERATIONS = 1000,
    MAX_ITERATIONS = 1 << 27,
    MAX_KEY_BYTES = 128,
    SLOT_ALIGN_SECTORS = 8,
    MAX_DIGEST_BYTES = 64,
};

#define SLOT_ACTIVE   0x00ac71f3u
#define SLOT_DISABLED 0x0000deadu

typedef enum IvKind { IV_NONE, IV_PLAIN, IV_PLAIN64, IV_ESSIV } IvKind;

struct BlkCipher {
    int algo, mode, essiv_algo;
    IvKind iv;
    size_t key_bytes, essiv_key_bytes;
    uint8_t key[MAX_KEY_BYTES], essiv_key[MAX_DIGEST_BYTES];
};

/* ---- ciphers ---- */

typedef struct CipherRow {
    const char *name; /* in headers */
    size_t key_bytes;
    int algo;
} CipherRow;

static const CipherRow cipher_rows[] = {
    { "aes", 16, GCRY_CIPHER_AES128 },         { "aes", 24, GCRY_CIPHER_AES192 },
    { "aes", 32, GCRY_CIPHER_AES256 },         { "serpent", 16, GCRY_CIPHER_SERPENT128 },
    { "serpent", 24, GCRY_CIPHER_SERPENT192 }, { "serpent", 32, GCRY_CIPHER_SERPENT256 },
    { "twofish", 16, GCRY_CIPHER_TWOFISH128 }, { "twofish", 32, GCRY_CIPHER_TWOFISH },
    { "cast5", 16, GCRY_CIPHER_CAST5 },
};

static int
find_cipher(const char *name, size_t key_bytes)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(cipher_rows); i++) {
        if (strcmp(cipher_rows[i].name, name) == 0 && cipher_rows[i].key_bytes == key_bytes) {
            return cipher_rows[i].algo;
        }
    }
    return 0;
}

static int
find_hash(const char *name)
{
    static const struct {
        const char *name;
        int algo;
    } rows[] = {
        { "sha1", GCRY_MD_SHA1 },     { "sha224", GCRY_MD_SHA224 }, { "sha256", GCRY_MD_SHA256 },
        { "sha384", GCRY_MD_SHA384 }, { "sha512", GCRY_MD_SHA512 }, { "ripemd160", GCRY_MD_RMD160 },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (g_ascii_strcasecmp(rows[i].name, name) == 0) {
            return rows[i].algo;
        }
    }
    return 0;
}

static bool
set_essiv(BlkCipher *cipher, const char *hash)
{
    int algo = find_hash(hash);

    if (!algo) {
        return false;
    }
    cipher->essiv_key_bytes = gcry_md_get_algo_dlen(algo);
    gcry_md_hash_buffer(algo, cipher->essiv_key, cipher->key, cipher->key_bytes);
    cipher->essiv_algo = find_cipher("aes", cipher->essiv_key_bytes);
    return cipher->essiv_algo != 0;
}

/* "xts-plain64", "cbc-essiv:sha256", "ecb". */
static bool
set_mode(BlkCipher *cipher, const char *mode)
{
    g_auto(GStrv) parts = g_strsplit(mode, "-", 2);
    const char *iv = parts[0] ? parts[1] : NULL;

    if (!parts[0]) {
        return false;
    }
    if (strcmp(parts[0], "ecb") == 0) {
        cipher->mode = GCRY_CIPHER_MODE_ECB;
        return true;
    }
    cipher->mode = strcmp(parts[0], "xts") == 0   ? GCRY_CIPHER_MODE_XTS
                   : strcmp(parts[0], "cbc") == 0 ? GCRY_CIPHER_MODE_CBC
                                                  : GCRY_CIPHER_MODE_NONE;
    if (cipher->mode == GCRY_CIPHER_MODE_NONE || !iv) {
        return false;
    }
    if (g_str_has_prefix(iv, "essiv:")) {
        cipher->iv = IV_ESSIV;
        return set_essiv(cipher, iv + strlen("essiv:"));
    }
    cipher->iv = strcmp(iv, "plain") == 0     ? IV_PLAIN
                 : strcmp(iv, "plain64") == 0 ? IV_PLAIN64
                                              : IV_NONE;
    return cipher->iv != IV_NONE;
}

BlkCipher *
blk_cipher_new(const char *name, const char *mode, const uint8_t *key, size_t key_bytes)
{
    BlkCipher *cipher;
    bool ok;

    gcry_check_version(NULL);
    if (key_bytes == 0 || key_bytes > MAX_KEY_BYTES) {
        return NULL;
    }
    cipher = g_new0(BlkCipher, 1);
    cipher->key_bytes = key_bytes;
    memcpy(cipher->key, key, key_bytes);
    ok = set_mode(cipher, mode);
    /* XTS has two keys behind each other. */
    cipher->algo =
        find_cipher(name, cipher->mode == GCRY_CIPHER_MODE_XTS ? key_bytes / 2 : key_bytes);
    if (ok && cipher->algo &&
        (cipher->mode != GCRY_CIPHER_MODE_XTS || gcry_cipher_get_algo_blklen(cipher->algo) == 16)) {
        return cipher;
    }
    blk_cipher_free(cipher);
    return NULL;
}

void
blk_cipher_free(BlkCipher *cipher)
{
    if (cipher) {
        explicit_bzero(cipher, sizeof(*cipher));
        g_free(cipher);
    }
}

static void
put_le(uint8_t *out, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        out[i] = (uint8_t)(value >> i * 8);
    }
}

static bool
make_iv(const BlkCipher *cipher, gcry_cipher_hd_t essiv, uint64_t sector, uint8_t iv[16])
{
    memset(iv, 0, 16);
    put_le(iv, cipher->iv == IV_PLAIN ? (uint32_t)sector : sector, 8);
    return cipher->iv != IV_ESSIV || gcry_cipher_encrypt(essiv, iv, 16, NULL, 0) == 0;
}

static bool
run_sectors(const BlkCipher *cipher, gcry_cipher_hd_t handle, gcry_cipher_hd_t essiv, bool encrypt,
            uint64_t sector, uint8_t *buf, size_t len)
{
    size_t iv_bytes = gcry_cipher_get_algo_blklen(cipher->algo);
    uint8_t iv[16];

    for (size_t at = 0; at < len; at += SECTOR_BYTES, sector++) {
        if (cipher->mode != GCRY_CIPHER_MODE_ECB &&
            (!make_iv(cipher, essiv, sector, iv) || gcry_cipher_setiv(handle, iv, iv_bytes))) {
            return false;
        }
        if (encrypt ? gcry_cipher_encrypt(handle, buf + at, SECTOR_BYTES, NULL, 0)
                    : gcry_cipher_decrypt(handle, buf + at, SECTOR_BYTES, NULL, 0)) {
            return false;
        }
    }
    return true;
}

bool
blk_cipher_run(const BlkCipher *cipher, bool encrypt, uint64_t sector, uint8_t *buf, size_t len)
{
    gcry_cipher_hd_t handle = NULL, essiv = NULL;
    bool ok = gcry_cipher_open(&handle, cipher->algo, cipher->mode, 0) == 0 &&
              gcry_cipher_setkey(handle, cipher->key, cipher->key_bytes) == 0;

    if (ok && cipher->iv == IV_ESSIV) {
        ok = gcry_cipher_open(&essiv, cipher->essiv_algo, GCRY_CIPHER_MODE_ECB, 0) == 0 &&
             gcry_cipher_setkey(essiv, cipher->essiv_key, cipher->essiv_key_bytes) == 0;
    }
    ok = ok && run_sectors(cipher, handle, essiv, encrypt, sector, buf, len);
    gcry_cipher_close(handle);
    gcry_cipher_close(essiv);
    return ok;
}

typedef struct CipherJob {
    const BlkCipher *cipher;
    bool encrypt;
    uint64_t sector;
    uint8_t *buf;
    size_t len;
} CipherJob;

static int
cipher_worker(void *arg)
{
    const CipherJob *job = arg;

    return blk_cipher_run(job->cipher, job->encrypt, job->sector, job->buf, job->len) ? 0 : -EIO;
}

int
blk_cipher_run_here(BlkContext *context, const BlkCipher *cipher, bool encrypt, uint64_t sector,
                    uint8_t *buf, size_t len)
{
    CipherJob job = {
        .cipher = cipher, .encrypt = encrypt, .sector = sector, .buf = buf, .len = len
    };

    return cipher ? blk_pool_run_here(context, NULL, cipher_worker, &job) : -EACCES;
}

/* ---- the header's bytes ---- */

/* Offsets of fields; a key slot is 48 bytes. */
enum {
    AT_VERSION = 6,
    AT_CIPHER = 8,
    AT_MODE = 40,
    AT_HASH = 72,
    AT_PAYLOAD = 104,
    AT_KEY_BYTES = 108,
    AT_DIGEST = 112,
    AT_DIGEST_SALT = 132,
    AT_DIGEST_ITERATIONS = 164,
    AT_UUID = 168,
    AT_SLOTS = 208,
    SLOT_BYTES = 48,
};

static uint32_t
get_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void
put_be32(uint8_t *p, uint32_t value)
{
    value = GUINT32_TO_BE(value);
    memcpy(p, &value, 4);
}

static bool
bad(GError **error, const char *name, uint64_t offset, const char *field, const char *why)
{
    g_set_error(error, VIT_ERROR, VIT_ERROR_CORRUPT, "'%s', offset %" PRIu64 " (LUKS %s): %s.",
                name, offset, field, why);
    return false;
}

static bool
parse_slot(BlkLuks *luks, unsigned index, const uint8_t *buf, const char *name, uint64_t offset,
           GError **error)
{
    BlkLuksSlot *slot = &luks->slots[index];
    const uint8_t *at = buf + AT_SLOTS + (size_t)index * SLOT_BYTES;
    uint64_t bytes;

    slot->active = get_be32(at) == SLOT_ACTIVE;
    slot->iterations = get_be32(at + 4);
    memcpy(slot->salt, at + 8, sizeof(slot->salt));
    slot->offset_sectors = get_be32(at + 40);
    slot->stripes = get_be32(at + 44);
    bytes = (uint64_t)slot->stripes * luks->key_bytes;
    if (slot->active &&
        (slot->iterations == 0 || slot->iterations > MAX_ITERATIONS || slot->stripes == 0 ||
         bytes > BLK_LUKS_MAX_AREA_BYTES ||
         (uint64_t)slot->offset_sectors * SECTOR_BYTES + bytes > BLK_LUKS_MAX_AREA_BYTES)) {
        return bad(error, name, offset + AT_SLOTS + index * SLOT_BYTES, "key slot",
                   "its iterations, stripes or place are not possible");
    }
    return true;
}

bool
blk_luks_parse(BlkLuks *luks, const uint8_t *buf, size_t len, const char *name, uint64_t offset,
               GError **error)
{
    *luks = (BlkLuks){ 0 };
    if (len < BLK_LUKS_HEADER_BYTES || memcmp(buf, "LUKS\xba\xbe", 6) != 0) {
        return bad(error, name, offset, "magic", "this is not a LUKS header");
    }
    if (buf[AT_VERSION] != 0 || buf[AT_VERSION + 1] != 1) {
        return bad(error, name, offset + AT_VERSION, "version", "it is not 1");
    }
    memcpy(luks->cipher, buf + AT_CIPHER, 32);
    memcpy(luks->mode, buf + AT_MODE, 32);
    memcpy(luks->hash, buf + AT_HASH, 32);
    memcpy(luks->uuid, buf + AT_UUID, 40);
    luks->payload_sectors = get_be32(buf + AT_PAYLOAD);
    luks->key_bytes = get_be32(buf + AT_KEY_BYTES);
    memcpy(luks->digest, buf + AT_DIGEST, 20);
    memcpy(luks->digest_salt, buf + AT_DIGEST_SALT, 32);
    luks->digest_iterations = get_be32(buf + AT_DIGEST_ITERATIONS);
    if (luks->key_bytes == 0 || luks->key_bytes > MAX_KEY_BYTES) {
        return bad(error, name, offset + AT_KEY_BYTES, "key length", "it is not possible");
    }
    if (luks->digest_iterations == 0 || luks->digest_iterations > MAX_ITERATIONS) {
        return bad(error, name, offset + AT_DIGEST_ITERATIONS, "digest iterations",
                   "the number is not possible");
    }
    if (!find_hash(luks->hash)) {
        return bad(error, name, offset + AT_HASH, "hash", "it is not a known one");
    }
    for (unsigned i = 0; i < BLK_LUKS_SLOTS; i++) {
        if (!parse_slot(luks, i, buf, name, offset, error)) {
            return false;
        }
    }
    return true;
}

void
blk_luks_put_header(const BlkLuks *luks, uint8_t *buf)
{
    memcpy(buf, "LUKS\xba\xbe\0\1", 8);
    memcpy(buf + AT_CIPHER, luks->cipher, 32);
    memcpy(buf + AT_MODE, luks->mode, 32);
    memcpy(buf + AT_HASH, luks->hash, 32);
    put_be32(buf + AT_PAYLOAD, luks->payload_sectors);
    put_be32(buf + AT_KEY_BYTES, luks->key_bytes);
    memcpy(buf + AT_DIGEST, luks->digest, 20);
    memcpy(buf + AT_DIGEST_SALT, luks->digest_salt, 32);
    put_be32(buf + AT_DIGEST_ITERATIONS, luks->digest_iterations);
    memcpy(buf + AT_UUID, luks->uuid, 40);
    for (unsigned i = 0; i < BLK_LUKS_SLOTS; i++) {
        const BlkLuksSlot *slot = &luks->slots[i];
        uint8_t *at = buf + AT_SLOTS + (size_t)i * SLOT_BYTES;
        put_be32(at, slot->active ? SLOT_ACTIVE : SLOT_DISABLED);
        put_be32(at + 4, slot->iterations);
        memcpy(at + 8, slot->salt, 32);
        put_be32(at + 40, slot->offset_sectors);
        put_be32(at + 44, slot->stripes);
    }
}

char *
blk_luks_dup_cipher_alg(const BlkLuks *luks)
{
    size_t bytes = g_str_has_prefix(luks->mode, "xts") ? luks->key_bytes / 2 : luks->key_bytes;

    return g_strdup_printf("%s-%u", luks->cipher, (unsigned)bytes * 8);
}

/* ---- keys ---- */

static bool
derive(const char *hash, const void *secret, size_t secret_len, const uint8_t salt[32],
       uint32_t iterations, uint8_t *out, size_t len)
{
    return gcry_kdf_derive(secret, secret_len, GCRY_KDF_PBKDF2, find_hash(hash), salt, 32,
                           iterations, len, out) == 0;
}

/* Each piece of a digest's length is replaced by the hash of its number and itself. */
static void
diffuse(int hash, uint8_t *block, size_t len)
{
    size_t digest_bytes = gcry_md_get_algo_dlen(hash);
    uint8_t in[4 + MAX_DIGEST_BYTES], out[MAX_DIGEST_BYTES];

    for (size_t at = 0, i = 0; at < len; at += digest_bytes, i++) {
        size_t piece = MIN(digest_bytes, len - at);
        put_be32(in, (uint32_t)i);
        memcpy(in + 4, block + at, piece);
        gcry_md_hash_buffer(hash, out, in, 4 + piece);
        memcpy(block + at, out, piece);
    }
}

static void
xor_into(uint8_t *to, const uint8_t *from, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        to[i] ^= from[i];
    }
}

/* All stripes but the last, merged. */
static void
merge_stripes(int hash, const uint8_t *stripes, uint32_t count, uint8_t *out, size_t len)
{
    memset(out, 0, len);
    for (uint32_t i = 0; i + 1 < count; i++) {
        xor_into(out, stripes + (size_t)i * len, len);
        diffuse(hash, out, len);
    }
}

static bool
try_slot(const BlkLuks *luks, const BlkLuksSlot *slot, const uint8_t *area, size_t len,
         const char *password, uint8_t *key)
{
    size_t start = (size_t)slot->offset_sectors * SECTOR_BYTES;
    size_t bytes = (size_t)slot->stripes * luks->key_bytes;
    size_t whole = (bytes + SECTOR_BYTES - 1) / SECTOR_BYTES * SECTOR_BYTES;
    g_autofree uint8_t *material = NULL;
    uint8_t slot_key[MAX_KEY_BYTES], digest[20];
    BlkCipher *cipher;
    bool ok;

    if (!slot->active || start + bytes > len ||
        !derive(luks->hash, password, strlen(password), slot->salt, slot->iterations, slot_key,
                luks->key_bytes)) {
        return false;
    }
    material = g_malloc0(whole);
    memcpy(material, area + start, MIN(whole, len - start));
    cipher = blk_cipher_new(luks->cipher, luks->mode, slot_key, luks->key_bytes);
    ok = cipher && blk_cipher_run(cipher, false, 0, material, whole);
    blk_cipher_free(cipher);
    if (ok) {
        merge_stripes(find_hash(luks->hash), material, slot->stripes, key, luks->key_bytes);
        xor_into(key, material + (size_t)(slot->stripes - 1) * luks->key_bytes, luks->key_bytes);
        ok = derive(luks->hash, key, luks->key_bytes, luks->digest_salt, luks->digest_iterations,
                    digest, sizeof(digest)) &&
             memcmp(digest, luks->digest, sizeof(digest)) == 0;
    }
    explicit_bzero(material, whole);
    explicit_bzero(slot_key, sizeof(slot_key));
    return ok;
}

BlkCipher *
blk_luks_unlock(const BlkLuks *luks, const uint8_t *area, size_t len, const char *password,
                GError **error)
{
    uint8_t key[MAX_KEY_BYTES] = { 0 };
    BlkCipher *cipher = NULL;
    bool found = false;

    gcry_check_version(NULL);
    for (unsigned i = 0; i < BLK_LUKS_SLOTS && !found; i++) {
        found = try_slot(luks, &luks->slots[i], area, len, password, key);
    }
    if (found) {
        cipher = blk_cipher_new(luks->cipher, luks->mode, key, luks->key_bytes);
    }
    explicit_bzero(key, sizeof(key));
    if (!cipher) {
        g_set_error(error, VIT_ERROR, found ? VIT_ERROR_NOT_AVAILABLE_YET : VIT_ERROR_PERMISSION,
                    found ? "its cipher is not available"
                          : "the password is wrong: it opens none of the key slots");
    }
    return cipher;
}

/* ---- new headers ---- */

static const char *
or_default(const char *text, const char *def)
{
    return text && *text ? text : def;
}

static bool
fulfil(const BlkLuksWish *wish, BlkLuks *luks)
{
    const char *alg = or_default(wish->cipher_alg, "aes-256");
    const char *mode = or_default(wish->cipher_mode, "xts");
    const char *ivgen = or_default(wish->ivgen_alg, "plain64"), *dash = strrchr(alg, '-');
    unsigned bits = dash ? (unsigned)atoi(dash + 1) : 0;
    bool is_essiv = strcmp(ivgen, "essiv") == 0, is_ecb = strcmp(mode, "ecb") == 0;
    uint8_t probe[MAX_KEY_BYTES] = { 0 };
    BlkCipher *cipher;

    if (!dash || (size_t)(dash - alg) > 31 || bits == 0 || bits > 256) {
        return false;
    }
    memcpy(luks->cipher, alg, (size_t)(dash - alg));
    luks->key_bytes = bits / 8 * (strcmp(mode, "xts") == 0 ? 2 : 1);
    g_snprintf(luks->mode, 32, "%s%s%s%s%s", mode, is_ecb ? "" : "-", is_ecb ? "" : ivgen,
               is_essiv ? ":" : "", is_essiv ? or_default(wish->ivgen_hash_alg, "sha256") : "");
    g_strlcpy(luks->hash, or_default(wish->hash_alg, "sha256"), 32);
    cipher = blk_cipher_new(luks->cipher, luks->mode, probe, luks->key_bytes);
    blk_cipher_free(cipher);
    return cipher && find_hash(luks->hash);
}

static uint32_t
slot_sectors(const BlkLuks *luks)
{
    uint32_t sectors = (luks->key_bytes * STRIPES + SECTOR_BYTES - 1) / SECTOR_BYTES;

    return (sectors + SLOT_ALIGN_SECTORS - 1) / SLOT_ALIGN_SECTORS * SLOT_ALIGN_SECTORS;
}

static void
lay_out(BlkLuks *luks)
{
    for (unsigned i = 0; i < BLK_LUKS_SLOTS; i++) {
        luks->slots[i].offset_sectors = SLOT_ALIGN_SECTORS + i * slot_sectors(luks);
        luks->slots[i].stripes = STRIPES;
    }
    luks->payload_sectors = SLOT_ALIGN_SECTORS + BLK_LUKS_SLOTS * slot_sectors(luks);
}

size_t
blk_luks_area_bytes(const BlkLuksWish *wish)
{
    BlkLuks luks = { 0 };

    if (!fulfil(wish, &luks)) {
        return 0;
    }
    lay_out(&luks);
    return (size_t)luks.payload_sectors * SECTOR_BYTES;
}

/* How many iterations take TIME_MS here. */
static uint32_t
calibrate(const BlkLuks *luks, uint64_t time_ms)
{
    uint8_t out[MAX_KEY_BYTES], salt[32] = { 0 };
    uint64_t iterations = 2000;

    for (;;) {
        int64_t start_us = g_get_monotonic_time(), took_us;
        if (!derive(luks->hash, "vitrine", 7, salt, (uint32_t)iterations, out, luks->key_bytes)) {
            return MIN_ITERATIONS;
        }
        took_us = g_get_monotonic_time() - start_us;
        took_us = MAX(took_us, 1);
        if (took_us > 20000 || took_us > (int64_t)time_ms * 1000) {
            iterations = iterations * time_ms * 1000 / (uint64_t)took_us;
            return (uint32_t)CLAMP(iterations, MIN_ITERATIONS, MAX_ITERATIONS);
        }
        iterations *= 2;
    }
}

static bool
fill_slot(const BlkLuks *luks, const BlkLuksSlot *slot, const char *password, const uint8_t *key,
          uint8_t *area)
{
    uint8_t *stripes = area + (size_t)slot->offset_sectors * SECTOR_BYTES;
    size_t key_bytes = luks->key_bytes, last_at = (size_t)(slot->stripes - 1) * key_bytes;
    size_t whole = (last_at + key_bytes + SECTOR_BYTES - 1) / SECTOR_BYTES * SECTOR_BYTES;
    uint8_t slot_key[MAX_KEY_BYTES], last[MAX_KEY_BYTES];
    BlkCipher *cipher;
    bool ok;

    gcry_randomize(stripes, last_at, GCRY_STRONG_RANDOM);
    merge_stripes(find_hash(luks->hash), stripes, slot->stripes, last, key_bytes);
    xor_into(last, key, key_bytes);
    memcpy(stripes + last_at, last, key_bytes);
    ok = derive(luks->hash, password, strlen(password), slot->salt, slot->iterations, slot_key,
                key_bytes);
    cipher = ok ? blk_cipher_new(luks->cipher, luks->mode, slot_key, key_bytes) : NULL;
    ok = cipher && blk_cipher_run(cipher, true, 0, stripes, whole);
    blk_cipher_free(cipher);
    explicit_bzero(slot_key, sizeof(slot_key));
    explicit_bzero(last, sizeof(last));
    return ok;
}

/* ---- changing key slots ---- */

bool
blk_luks_slot_place(const BlkLuks *luks, unsigned index, size_t len, size_t *out_at,
                    size_t *out_len)
{
    const BlkLuksSlot *slot = &luks->slots[index];

    *out_at = (size_t)slot->offset_sectors * SECTOR_BYTES;
    *out_len =
        ((size_t)slot->stripes * luks->key_bytes + SECTOR_BYTES - 1) / SECTOR_BYTES * SECTOR_BYTES;
    return slot->stripes > 0 && slot->stripes <= BLK_LUKS_MAX_AREA_BYTES / luks->key_bytes &&
           *out_at >= BLK_LUKS_HEADER_BYTES && *out_at <= len && *out_len <= len - *out_at;
}

bool
blk_luks_set_key(BlkLuks *luks, uint8_t *area, size_t len, unsigned index, const BlkCipher *master,
                 const char *password, uint64_t iter_time_ms)
{
    BlkLuksSlot *slot = &luks->slots[index];
    size_t at, bytes;

    if (!blk_luks_slot_place(luks, index, len, &at, &bytes) ||
        master->key_bytes != luks->key_bytes) {
        return false;
    }
    gcry_randomize(slot->salt, sizeof(slot->salt), GCRY_STRONG_RANDOM);
    slot->iterations = calibrate(luks, iter_time_ms);
    slot->active = true;
    return fill_slot(luks, slot, password, master->key, area);
}

bool
blk_luks_slot_opens(const BlkLuks *luks, const uint8_t *area, size_t len, unsigned index,
                    const char *password)
{
    uint8_t key[MAX_KEY_BYTES];
    bool opens = try_slot(luks, &luks->slots[index], area, len, password, key);

    explicit_bzero(key, sizeof(key));
    return opens;
}

void
blk_luks_clear_key(BlkLuks *luks, uint8_t *area, size_t len, unsigned index)
{
    size_t at, bytes;

    luks->slots[index].active = false;
    luks->slots[index].iterations = 0;
    memset(luks->slots[index].salt, 0, sizeof(luks->slots[index].salt));
    if (blk_luks_slot_place(luks, index, len, &at, &bytes)) {
        gcry_randomize(area + at, bytes, GCRY_STRONG_RANDOM);
    }
}

/* ---- new volumes ---- */

uint8_t *
blk_luks_format(const BlkLuksWish *wish, const char *password, size_t *out_len, GError **error)
{
    BlkLuks luks = { 0 };
    uint8_t key[MAX_KEY_BYTES], *area;
    g_autofree char *uuid = g_uuid_string_random();
    bool ok;

    gcry_check_version(NULL);
    if (!fulfil(wish, &luks)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "LUKS with this combination of cipher, mode, ivgen and hash is not available.");
        return NULL;
    }
    lay_out(&luks);
    g_strlcpy(luks.uuid, uuid, sizeof(luks.uuid));
    gcry_randomize(key, luks.key_bytes, GCRY_VERY_STRONG_RANDOM);
    gcry_randomize(luks.digest_salt, sizeof(luks.digest_salt), GCRY_STRONG_RANDOM);
    gcry_randomize(luks.slots[0].salt, sizeof(luks.slots[0].salt), GCRY_STRONG_RANDOM);
    luks.digest_iterations = calibrate(&luks, MAX(wish->iter_time_ms / 8, 1));
    luks.slots[0].iterations = calibrate(&luks, wish->iter_time_ms);
    luks.slots[0].active = true;
    *out_len = (size_t)luks.payload_sectors * SECTOR_BYTES;
    area = g_malloc0(*out_len);
    ok = derive(luks.hash, key, luks.key_bytes, luks.digest_salt, luks.digest_iterations,
                luks.digest, sizeof(luks.digest)) &&
         fill_slot(&luks, &luks.slots[0], password, key, area);
    blk_luks_put_header(&luks, area);
    explicit_bzero(key, sizeof(key));
    if (!ok) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED, "The key slot cannot be encrypted.");
        g_clear_pointer(&area, g_free);
    }
    return area;
}
