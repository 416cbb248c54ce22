/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Encryption of data clusters: LUKS, whose header lies in the image (initial vectors count sectors
 * of the file), and the old AES-128-CBC with the password as key (they count the guest's).
 *
 * Specification: "Full disk encryption header pointer", "Data encryption". Without a password an
 * image can be opened for reading to look at everything but data; reading that fails.
 *
 * Thread: in a fiber; keys and sectors are worked on by workers. */

#include "qcow2-crypt.h"

#include "luks-amend.h"

#include "fmt.h"

#include <json-glib/json-glib.h>
#include <string.h>

struct Qcow2Crypt {
    bool is_luks;
    FmtLuks luks; /* its master is the cipher of AES images too; NULL: no password was given */
};

/* ---- opening ---- */

static bool
open_luks(BlkNode *node, Qcow2Crypt *crypt, const char *password, GError **error)
{
    const Qcow2 *q = node->state;

    if (q->crypto_len < BLK_LUKS_HEADER_BYTES || q->crypto_len > BLK_LUKS_MAX_AREA_BYTES ||
        q->crypto_offset > INT64_MAX - BLK_LUKS_MAX_AREA_BYTES) {
        qcow2_set_bad(node, error, q->header_length, "crypto header extension",
                      "%" PRIu64 " bytes at 0x%" PRIx64 " cannot be a LUKS header", q->crypto_len,
                      q->crypto_offset);
        return false;
    }
    crypt->luks.file = node->file;
    crypt->luks.offset = q->crypto_offset;
    crypt->luks.len = q->crypto_len;
    return fmt_luks_open(node, &crypt->luks, password, error);
}

static bool
open_aes(BlkNode *node, Qcow2Crypt *crypt, const char *password, GError **error)
{
    uint8_t key[16] = { 0 };

    if (password) {
        memcpy(key, password, MIN(strlen(password), sizeof(key)));
        crypt->luks.master = blk_cipher_new("aes", "cbc-plain64", key, sizeof(key));
        explicit_bzero(key, sizeof(key));
    }
    return true;
}

static bool
check_wish(BlkNode *node, const char *password, GError **error)
{
    const Qcow2 *q = node->state;
    const char *given = q->options.encrypt_format;
    const char *format = q->crypt_method == QCOW2_CRYPT_LUKS ? "luks" : "aes";

    if (given && strcmp(given, format) != 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' is encrypted with '%s', not '%s'.", node->filename, format, given);
        return false;
    }
    if (!password && !node->read_only && !q->options.for_check) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' is encrypted: define its password with -object secret,id=ID,file=PATH "
                    "and add encrypt.key-secret=ID.",
                    node->filename);
        return false;
    }
    return true;
}

bool
qcow2_crypt_open(BlkNode *node, GError **error)
{
    Qcow2 *q = node->state;
    const char *id = q->options.key_secret;
    char *password = NULL;
    bool ok;

    if (q->crypt_method == QCOW2_CRYPT_NONE) {
        return true;
    }
    if (id && !(password = blk_graph_dup_secret_text(node->graph, id, error))) {
        return false;
    }
    q->crypt = g_new0(Qcow2Crypt, 1);
    q->crypt->is_luks = q->crypt_method == QCOW2_CRYPT_LUKS;
    ok = check_wish(node, password, error) &&
         (q->crypt->is_luks ? open_luks(node, q->crypt, password, error)
                            : open_aes(node, q->crypt, password, error));
    if (password) {
        explicit_bzero(password, strlen(password));
        g_free(password);
    }
    return ok;
}

void
qcow2_crypt_free(Qcow2Crypt *crypt)
{
    if (crypt) {
        blk_cipher_free(crypt->luks.master);
        g_free(crypt);
    }
}

/* ---- data ---- */

int
qcow2_crypt_run(BlkContext *context, Qcow2Crypt *crypt, bool encrypt, uint64_t guest_offset,
                uint64_t host_offset, void *buf, size_t len)
{
    uint64_t offset = crypt->is_luks ? host_offset : guest_offset;

    return blk_cipher_run_here(context, crypt->luks.master, encrypt, offset / QCOW2_SECTOR_BYTES,
                               buf, len);
}

/* ---- new images ---- */

static BlkLuksWish
wish_of(const Qcow2Create *create)
{
    return (BlkLuksWish){ .cipher_alg = create->cipher_alg,
                          .cipher_mode = create->cipher_mode,
                          .ivgen_alg = create->ivgen_alg,
                          .ivgen_hash_alg = create->ivgen_hash_alg,
                          .hash_alg = create->hash_alg,
                          .iter_time_ms = create->iter_time_ms };
}

/* Puts the header AREA into clusters of its own. */
static int
write_luks(BlkNode *node, const uint8_t *area, size_t len)
{
    Qcow2 *q = node->state;
    int64_t offset;
    int ret;

    qcow2_lock(node);
    offset = qcow2_alloc(node, qcow2_clusters_for(q, len));
    ret = offset < 0 ? (int)offset : qcow2_commit(node, true);
    ret = ret < 0 ? ret : blk_write_buffer(node->file, (uint64_t)offset, area, len, 0);
    ret = ret < 0 ? ret : blk_flush(node->file);
    if (ret == 0) {
        q->crypto_offset = (uint64_t)offset;
        q->crypto_len = len;
        q->crypt_method = QCOW2_CRYPT_LUKS;
        ret = qcow2_write_header(node);
    }
    qcow2_unlock(node);
    return ret;
}

static bool
format_luks(BlkNode *node, const Qcow2Create *create, const char *password, GError **error)
{
    BlkLuksWish wish = wish_of(create);
    size_t len;
    g_autofree uint8_t *area = fmt_format_luks(node->context, &wish, password, &len, error);
    int ret;

    if (!area) {
        return false;
    }
    ret = write_luks(node, area, len);
    if (ret < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "'%s': the LUKS header cannot be written: %s.",
                    node->filename, g_strerror(-ret));
    }
    return ret == 0;
}

bool
qcow2_crypt_format_image(BlkNode *node, const Qcow2Create *create, GError **error)
{
    Qcow2 *q = node->state;
    const char *format = create->encryption ? "aes" : create->encrypt_format;
    g_autofree char *password = NULL;
    int ret;

    if (strcmp(format, "aes") != 0 && strcmp(format, "luks") != 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "qcow2: encrypt.format=%s is not aes or luks.", format);
        return false;
    }
    if (!create->key_secret) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "qcow2: an encrypted image needs a password: encrypt.key-secret=ID of an "
                    "--object secret.");
        return false;
    }
    password = blk_graph_dup_secret_text(node->graph, create->key_secret, error);
    if (!password) {
        return false;
    }
    if (strcmp(format, "luks") == 0) {
        return format_luks(node, create, password, error);
    }
    q->crypt_method = QCOW2_CRYPT_AES;
    ret = qcow2_write_header(node);
    if (ret < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "'%s': the header cannot be written: %s.",
                    node->filename, g_strerror(-ret));
    }
    return ret == 0;
}

uint64_t
qcow2_crypt_measure(const Qcow2Create *create)
{
    BlkLuksWish wish = wish_of(create);
    uint64_t cluster = create->cluster_size;

    if (!create->encrypt_format || strcmp(create->encrypt_format, "luks") != 0) {
        return 0;
    }
    return (blk_luks_area_bytes(&wish) + cluster - 1) / cluster * cluster;
}

/* ---- info, passwords ---- */

JsonObject *
qcow2_crypt_describe(const Qcow2Crypt *crypt)
{
    JsonObject *object =
        crypt->is_luks ? fmt_luks_describe(&crypt->luks.header) : json_object_new();

    json_object_set_string_member(object, "format", crypt->is_luks ? "luks" : "aes");
    return object;
}

bool
qcow2_crypt_amend(BlkNode *node, const BlkOptions *options, bool force, GError **error)
{
    Qcow2 *q = node->state;

    if (!q->crypt || !q->crypt->is_luks) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' is not encrypted with LUKS: it has no passwords that could be changed.",
                    node->filename);
        return false;
    }
    return fmt_luks_amend(node, &q->crypt->luks, options, "encrypt.", force, error);
}
