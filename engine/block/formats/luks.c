/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* LUKS volumes as images: header and key material, then the encrypted disk, whose sectors are
 * counted from its start. Read, write, resize, change of passwords.
 *
 * Specification: "LUKS On-Disk Format Specification" version 1.2.3 (blk-luks.c). Without
 * key-secret= a volume can be opened for reading to look at its header; reading data fails then.
 *
 * Thread: in a fiber; sectors are worked on by workers. */

#include "blk-file.h"
#include "luks-amend.h"

#include <json-glib/json-glib.h>
#include <string.h>

enum { CHUNK_BYTES = 1 << 20 };

typedef struct LuksDisk {
    char *key_secret;
    FmtLuks luks;
    uint64_t payload;
} LuksDisk;

/* ---- opening ---- */

static bool
find_payload(BlkNode *node, GError **error)
{
    LuksDisk *disk = node->state;
    uint8_t head[BLK_LUKS_HEADER_BYTES];

    if (!fmt_read(node, node->file, 0, head, sizeof(head), "LUKS header", error) ||
        !blk_luks_parse(&disk->luks.header, head, sizeof(head), node->filename, 0, error)) {
        return false;
    }
    disk->payload = (uint64_t)disk->luks.header.payload_sectors * FMT_SECTOR_BYTES;
    if (disk->payload < sizeof(head) || disk->payload > BLK_LUKS_MAX_AREA_BYTES ||
        disk->payload > fmt_file_len(node->file)) {
        return fmt_set_bad(node, error, 104, "LUKS payload offset",
                           "%" PRIu64 " bytes are not possible", disk->payload);
    }
    disk->luks.file = node->file;
    disk->luks.len = disk->payload;
    return true;
}

static bool
luks_open(BlkNode *node, GError **error)
{
    LuksDisk *disk = node->state;
    char *password = NULL;
    bool ok;

    if (!find_payload(node, error) ||
        (disk->key_secret &&
         !(password = blk_graph_dup_secret_text(node->graph, disk->key_secret, error)))) {
        return false;
    }
    if (!password && !node->read_only) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' is encrypted: define its password with -object secret,id=ID,file=PATH "
                    "and add key-secret=ID.",
                    node->filename);
        return false;
    }
    ok = fmt_luks_open(node, &disk->luks, password, error);
    if (password) {
        explicit_bzero(password, strlen(password));
        g_free(password);
    }
    return ok;
}

static void
luks_close(BlkNode *node)
{
    LuksDisk *disk = node->state;

    blk_cipher_free(disk->luks.master);
}

static bool
luks_set_read_only(BlkNode *node, bool read_only, GError **error)
{
    const LuksDisk *disk = node->state;

    if (!read_only && !disk->luks.master) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' was opened without key-secret= and cannot be written.", node->filename);
        return false;
    }
    return true;
}

static void
luks_refresh_limits(BlkNode *node)
{
    node->limits.request_align = FMT_SECTOR_BYTES;
}

static int64_t
luks_get_len(BlkNode *node)
{
    const LuksDisk *disk = node->state;
    uint64_t len = fmt_file_len(node->file);

    return (int64_t)(len > disk->payload ? (len - disk->payload) & ~UINT64_C(511) : 0);
}

/* ---- data ---- */

static int
run_chunk(BlkNode *node, bool write, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
          uint8_t *buf)
{
    const LuksDisk *disk = node->state;
    uint64_t sector = offset / FMT_SECTOR_BYTES;
    int ret;

    if (write) {
        blk_vec_gather(vec, at, buf, len);
        ret = blk_cipher_run_here(node->context, disk->luks.master, true, sector, buf, len);
        return ret < 0 ? ret : blk_write_buffer(node->file, disk->payload + offset, buf, len, 0);
    }
    ret = blk_read_buffer(node->file, disk->payload + offset, buf, len);
    ret = ret < 0 ? ret
                  : blk_cipher_run_here(node->context, disk->luks.master, false, sector, buf, len);
    if (ret == 0) {
        blk_vec_scatter(vec, at, buf, len);
    }
    return ret;
}

static int
run_request(BlkNode *node, bool write, uint64_t offset, uint64_t len, const BlkVec *vec,
            uint64_t at)
{
    const LuksDisk *disk = node->state;
    g_autofree uint8_t *buf = NULL;
    int ret = disk->luks.master ? 0 : -EACCES;

    if (ret == 0) {
        buf = g_try_malloc(MIN(len, CHUNK_BYTES));
        ret = buf ? 0 : -ENOMEM;
    }
    while (len > 0 && ret == 0) {
        uint64_t piece = MIN(len, CHUNK_BYTES);
        ret = run_chunk(node, write, offset, piece, vec, at, buf);
        offset += piece;
        at += piece;
        len -= piece;
    }
    return ret;
}

static int
luks_read(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    return run_request(node, false, offset, len, vec, at);
}

static int
luks_write(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
           unsigned flags)
{
    return run_request(node, true, offset, len, vec, at);
}

/* ---- size ---- */

static bool
luks_truncate(BlkNode *node, uint64_t len, BlkPreallocation prealloc, GError **error)
{
    const LuksDisk *disk = node->state;

    if (len > INT64_MAX - FMT_SECTOR_BYTES - disk->payload) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s': %" PRIu64 " bytes is too large.", node->filename, len);
        return false;
    }
    return blk_truncate(node->file, disk->payload + fmt_round_up(len, FMT_SECTOR_BYTES), prealloc,
                        error);
}

/* ---- new volumes ---- */

typedef struct LuksCreate {
    uint64_t size, iter_time_ms;
    int32_t preallocation;
    char *key_secret, *cipher_alg, *cipher_mode, *ivgen_alg, *ivgen_hash_alg, *hash_alg;
    bool nocow;
} LuksCreate;

static BlkLuksWish
wish_of(const LuksCreate *create)
{
    return (BlkLuksWish){ .cipher_alg = create->cipher_alg,
                          .cipher_mode = create->cipher_mode,
                          .ivgen_alg = create->ivgen_alg,
                          .ivgen_hash_alg = create->ivgen_hash_alg,
                          .hash_alg = create->hash_alg,
                          .iter_time_ms = create->iter_time_ms };
}

typedef struct Fill {
    const LuksCreate *create;
    uint8_t *area;
    size_t area_len;
    uint64_t disk_len;
} Fill;

static bool
fill_volume(BlkChild *file, const void *opaque, GError **error)
{
    const Fill *fill = opaque;

    return fmt_write(file, 0, fill->area, fill->area_len, error) &&
           blk_truncate(file, fill->area_len + fill->disk_len,
                        (BlkPreallocation)fill->create->preallocation, error);
}

static bool
luks_create(BlkGraph *graph, const char *filename, const void *state, GError **error)
{
    const LuksCreate *create = state;
    BlkLuksWish wish = wish_of(create);
    Fill fill = { .create = create };
    g_autofree char *password = NULL;
    bool ok;

    if (!fmt_take_size("luks", create->size, INT64_MAX / 2, &fill.disk_len, error)) {
        return false;
    }
    if (!create->key_secret) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "luks: a new volume needs a password: key-secret=ID of an --object secret.");
        return false;
    }
    password = blk_graph_dup_secret_text(graph, create->key_secret, error);
    if (!password) {
        return false;
    }
    fill.area =
        fmt_format_luks(blk_graph_get_context(graph), &wish, password, &fill.area_len, error);
    ok = fill.area &&
         fmt_create_file(graph, filename, create->nocow, fill_volume, &fill, NULL, error);
    explicit_bzero(password, strlen(password));
    g_free(fill.area);
    return ok;
}

static bool
luks_measure(BlkGraph *graph, const void *state, BlkNode *source, BlkMeasure *out, GError **error)
{
    const LuksCreate *create = state;
    BlkLuksWish wish = wish_of(create);
    size_t header = blk_luks_area_bytes(&wish);

    if (!header) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "luks: this combination of cipher, mode, ivgen and hash is not available.");
        return false;
    }
    out->required_bytes = header + (source ? blk_node_get_len(source) : create->size);
    out->fully_allocated_bytes = out->required_bytes;
    return true;
}

/* ---- passwords, info ---- */

static bool
luks_amend(BlkNode *node, const BlkOptions *options, bool force, BlkProgressFunc progress,
           void *opaque, GError **error)
{
    static const char *const known[] = { "state",   "new-secret", "old-secret",
                                         "keyslot", "iter-time",  NULL };
    g_autoptr(BlkOptions) left = blk_options_copy(options);
    LuksDisk *disk = node->state;

    for (unsigned i = 0; known[i]; i++) {
        g_free(blk_options_take(left, known[i]));
    }
    if (blk_options_first_key(left)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s': the option '%s' of a LUKS volume cannot be changed.", node->filename,
                    blk_options_first_key(left));
        return false;
    }
    return fmt_luks_amend(node, &disk->luks, options, "", force, error);
}

static void
luks_get_info(BlkNode *node, BlkFormatInfo *out)
{
    *out = (BlkFormatInfo){ .encrypted = true };
}

static JsonObject *
luks_describe(BlkNode *node)
{
    const LuksDisk *disk = node->state;

    return fmt_luks_describe(&disk->luks.header);
}

static int
luks_probe(const uint8_t *buf, size_t len, const char *filename)
{
    return len >= 8 && memcmp(buf, "LUKS\xba\xbe\0\1", 8) == 0 ? 100 : 0;
}

static const char *const preallocation_words[] = { "off", "metadata", "falloc", "full", NULL };

static const VitProp create_options[] = {
    VIT_PROP_SIZE(LuksCreate, size, "size", 0, 0, INT64_MAX, VIT_N_("Virtual disk size"),
                  .flags = VIT_PROP_REQUIRED),
    VIT_PROP_ENUM(LuksCreate, preallocation, "preallocation", preallocation_words, BLK_PREALLOC_OFF,
                  VIT_N_("Reserve space on the host now")),
    VIT_PROP_STRING(LuksCreate, key_secret, "key-secret", NULL,
                    VIT_N_("Secret that holds the password")),
    VIT_PROP_STRING(LuksCreate, cipher_alg, "cipher-alg", NULL,
                    VIT_N_("Name of the cipher and its key length")),
    VIT_PROP_STRING(LuksCreate, cipher_mode, "cipher-mode", NULL,
                    VIT_N_("Name of the cipher's mode")),
    VIT_PROP_STRING(LuksCreate, ivgen_alg, "ivgen-alg", NULL,
                    VIT_N_("How initial vectors are made")),
    VIT_PROP_STRING(LuksCreate, ivgen_hash_alg, "ivgen-hash-alg", NULL,
                    VIT_N_("Hash used in making initial vectors")),
    VIT_PROP_STRING(LuksCreate, hash_alg, "hash-alg", NULL,
                    VIT_N_("Hash used in deriving the key")),
    VIT_PROP_UINT(LuksCreate, iter_time_ms, "iter-time", 2000, 1, 3600000,
                  VIT_N_("Time to spend in deriving the key"), .unit = "ms"),
    VIT_PROP_BOOL(LuksCreate, nocow, "nocow", 0, VIT_N_("Turn off copy-on-write of the file")),
    { 0 }
};

static const VitProp options[] = { VIT_PROP_STRING(LuksDisk, key_secret, "key-secret", NULL,
                                                   VIT_N_("Secret that holds the password")),
                                   { 0 } };

static const BlkChildSlot slots[] = { { .name = "file", .required = true }, { 0 } };

static const BlkFormatOps format_ops = { .get_info = luks_get_info,
                                         .describe = luks_describe,
                                         .amend = luks_amend,
                                         .measure = luks_measure };

const BlkDriver blk_luks_driver = {
    .name = "luks",
    .title = VIT_N_("LUKS volume"),
    .role = BLK_ROLE_FORMAT,
    .state_size = sizeof(LuksDisk),
    .options = options,
    .slots = slots,
    .create_options = create_options,
    .create_size = sizeof(LuksCreate),
    .probe = luks_probe,
    .open = luks_open,
    .close = luks_close,
    .read = luks_read,
    .write = luks_write,
    .get_len = luks_get_len,
    .truncate = luks_truncate,
    .refresh_limits = luks_refresh_limits,
    .set_read_only = luks_set_read_only,
    .create = luks_create,
    .format = &format_ops,
};
