/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Objects that images, exports and their connections name by id: secrets (in clear, or encrypted
 * with AES-256-CBC by another secret; from a file, the command line or the kernel's keyring), TLS
 * credentials, authorisation, throttle groups. Each kind is one row below.
 * Thread: the graph's lock held. */

#include "blk-graph-private.h"

#include "vit-authz.h"
#include "vit-tls.h"

#include <errno.h>
#include <gcrypt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { KEY_BYTES = 32, IV_BYTES = 16, KEYCTL_READ_COMMAND = 11, KEYRING_MAX = 65536 };

static bool
is_on(const BlkOptions *props, const char *key, bool def)
{
    const char *value = blk_options_get(props, key);

    return value
               ? strcmp(value, "on") == 0 || strcmp(value, "yes") == 0 || strcmp(value, "true") == 0
               : def;
}

/* ---- secrets ---- */

/* A secret while it is made. The bytes are wiped when it is done. */
typedef struct Plain {
    char *bytes;
    size_t len;
} Plain;

static void
plain_clear(Plain *plain)
{
    if (plain->bytes) {
        explicit_bzero(plain->bytes, plain->len);
    }
    g_clear_pointer(&plain->bytes, g_free);
}

static bool
read_given(const BlkOptions *props, const char *id, Plain *out, GError **error)
{
    const char *data = blk_options_get(props, "data"), *file = blk_options_get(props, "file");
    g_autoptr(GError) cause = NULL;

    if (!data == !file) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "The secret '%s' needs data= or file=, and not both.", id);
        return false;
    }
    if (data) {
        out->bytes = g_strdup(data);
        out->len = strlen(data);
    } else if (!g_file_get_contents(file, &out->bytes, &out->len, &cause)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "The secret '%s' cannot be read: %s", id,
                    cause->message);
        return false;
    }
    return true;
}

static bool
read_keyring(const BlkOptions *props, const char *id, Plain *out, GError **error)
{
    const char *serial_text = blk_options_get(props, "serial");
    int serial = serial_text ? atoi(serial_text) : 0;
    long len = 0;

    if (serial == 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "The secret '%s' needs serial=, the number of a key in the kernel's keyring.",
                    id);
        return false;
    }
    out->bytes = g_malloc0(KEYRING_MAX);
    out->len = KEYRING_MAX;
    len = syscall(SYS_keyctl, KEYCTL_READ_COMMAND, serial, out->bytes, KEYRING_MAX, 0);
    if (len < 0 || len > KEYRING_MAX) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO,
                    "The secret '%s' cannot be read from the kernel's keyring: %s.", id,
                    len < 0 ? g_strerror(errno) : "it is too long");
        return false;
    }
    out->len = (size_t)len;
    return true;
}

static bool
decode(const char *id, Plain *plain, GError **error)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789+/=\r\n";
    char *text = g_strndup(plain->bytes, plain->len);
    bool ok = strspn(text, allowed) == plain->len;

    plain_clear(plain);
    if (ok) {
        g_base64_decode_inplace(text, &plain->len);
        plain->bytes = text;
    } else {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "The secret '%s' is not base64, as its format says.", id);
        g_free(text);
    }
    return ok;
}

/* Undoes AES-256-CBC and the padding of PKCS#7. */
static bool
decrypt_with(const guchar *key, const guchar *iv, Plain *plain)
{
    gcry_cipher_hd_t cipher;
    bool ok;

    if (plain->len == 0 || plain->len % IV_BYTES ||
        gcry_cipher_open(&cipher, GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_CBC, 0)) {
        return false;
    }
    ok = !gcry_cipher_setkey(cipher, key, KEY_BYTES) && !gcry_cipher_setiv(cipher, iv, IV_BYTES) &&
         !gcry_cipher_decrypt(cipher, plain->bytes, plain->len, NULL, 0);
    gcry_cipher_close(cipher);
    if (ok) {
        uint8_t padding = (uint8_t)plain->bytes[plain->len - 1];
        ok = padding > 0 && padding <= IV_BYTES;
        for (uint8_t i = 1; ok && i <= padding; i++) {
            ok = (uint8_t)plain->bytes[plain->len - i] == padding;
        }
        plain->len -= ok ? padding : 0;
    }
    return ok;
}

static bool
decrypt(BlkGraph *graph, const BlkOptions *props, const char *id, Plain *plain, GError **error)
{
    const char *key_id = blk_options_get(props, "keyid"), *iv_text = blk_options_get(props, "iv");
    GBytes *key = blk_graph_find_secret(graph, key_id, error);
    g_autofree guchar *iv = NULL;
    gsize iv_len = 0;

    if (!key) {
        return false;
    }
    iv = iv_text ? g_base64_decode(iv_text, &iv_len) : NULL;
    if (iv_len != IV_BYTES || g_bytes_get_size(key) != KEY_BYTES) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    iv_len != IV_BYTES
                        ? "The secret '%s' needs iv=, 16 bytes in base64 (key: '%s')."
                        : "The secret '%s' needs a key of 32 bytes; '%s' has another length.",
                    id, key_id);
        return false;
    }
    if (!decrypt_with(g_bytes_get_data(key, NULL), iv, plain)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "The secret '%s' cannot be decrypted with the key '%s'.", id, key_id);
        return false;
    }
    return true;
}

static bool
add_any_secret(BlkGraph *graph, const char *id, const BlkOptions *props,
               bool (*read)(const BlkOptions *, const char *, Plain *, GError **), GError **error)
{
    Plain plain = { 0 };
    bool ok =
        read(props, id, &plain, error) &&
        (g_strcmp0(blk_options_get(props, "format"), "base64") != 0 || decode(id, &plain, error)) &&
        (!blk_options_get(props, "keyid") || decrypt(graph, props, id, &plain, error));

    if (ok) {
        g_autoptr(GBytes) secret = g_bytes_new(plain.bytes, plain.len);
        blk_graph_add_secret(graph, id, secret);
    }
    plain_clear(&plain);
    return ok;
}

static bool
add_secret(BlkGraph *graph, const char *id, const BlkOptions *props, GError **error)
{
    return add_any_secret(graph, id, props, read_given, error);
}

static bool
add_keyring_secret(BlkGraph *graph, const char *id, const BlkOptions *props, GError **error)
{
    return add_any_secret(graph, id, props, read_keyring, error);
}

static bool
remove_secret(BlkGraph *graph, const char *id, GError **error)
{
    blk_graph_remove_secret(graph, id);
    return true;
}

/* ---- TLS ---- */

static bool
add_creds(BlkGraph *graph, const char *id, const BlkOptions *props, VitTlsKind kind, GError **error)
{
    const char *endpoint = blk_options_get(props, "endpoint");
    const char *password_id = blk_options_get(props, "passwordid");
    g_autofree char *password =
        password_id ? blk_graph_dup_secret_text(graph, password_id, error) : NULL;
    VitTlsConfig config = {
        .kind = kind,
        .is_server = g_strcmp0(endpoint, "server") == 0,
        .dir = blk_options_get(props, "dir"),
        .username = blk_options_get(props, "username"),
        .priority = blk_options_get(props, "priority"),
        .password = password,
        .verify_peer = is_on(props, "verify-peer", true),
        .sanity_check = is_on(props, "sanity-check", true),
    };
    VitTlsCreds *creds;

    if (password_id && !password) {
        return false;
    }
    if (endpoint && !config.is_server && strcmp(endpoint, "client") != 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "The endpoint of '%s' is client or server, not '%s'.", id, endpoint);
        return false;
    }
    creds = vit_tls_creds_new(&config, error);
    if (creds) {
        g_hash_table_replace(graph->tls_creds, g_strdup(id), creds);
    }
    return creds != NULL;
}

static bool
add_x509(BlkGraph *graph, const char *id, const BlkOptions *props, GError **error)
{
    return add_creds(graph, id, props, VIT_TLS_X509, error);
}

static bool
add_psk(BlkGraph *graph, const char *id, const BlkOptions *props, GError **error)
{
    return add_creds(graph, id, props, VIT_TLS_PSK, error);
}

static bool
add_anon(BlkGraph *graph, const char *id, const BlkOptions *props, GError **error)
{
    return add_creds(graph, id, props, VIT_TLS_ANON, error);
}

static bool
remove_creds(BlkGraph *graph, const char *id, GError **error)
{
    g_hash_table_remove(graph->tls_creds, id);
    return true;
}

VitTlsCreds *
blk_graph_ref_tls_creds(BlkGraph *graph, const char *id, bool for_server, GError **error)
{
    VitTlsCreds *creds = g_hash_table_lookup(graph->tls_creds, id);

    if (!creds) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                    "There are no TLS credentials '%s'. Define them with -object "
                    "tls-creds-x509,id=%s,endpoint=%s,dir=FOLDER.",
                    id, id, for_server ? "server" : "client");
        return NULL;
    }
    if (vit_tls_creds_is_server(creds) != for_server) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "The TLS credentials '%s' are for the other side: endpoint=%s is needed.", id,
                    for_server ? "server" : "client");
        return NULL;
    }
    return vit_tls_creds_ref(creds);
}

/* ---- authorisation ---- */

static bool
add_authz_simple(BlkGraph *graph, const char *id, const BlkOptions *props, GError **error)
{
    const char *identity = blk_options_get(props, "identity");

    if (!identity) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "The object '%s' (authz-simple) needs identity=.", id);
        return false;
    }
    g_hash_table_replace(graph->authz, g_strdup(id), vit_authz_new_simple(identity));
    return true;
}

static bool
add_authz_list_file(BlkGraph *graph, const char *id, const BlkOptions *props, GError **error)
{
    const char *filename = blk_options_get(props, "filename");
    VitAuthz *authz;

    if (!filename) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "The object '%s' (authz-list-file) needs filename=.", id);
        return false;
    }
    authz = vit_authz_new_list_file(filename, is_on(props, "refresh", true), error);
    if (authz) {
        g_hash_table_replace(graph->authz, g_strdup(id), authz);
    }
    return authz != NULL;
}

static bool
remove_authz(BlkGraph *graph, const char *id, GError **error)
{
    g_hash_table_remove(graph->authz, id);
    return true;
}

bool
blk_graph_is_authorised(BlkGraph *graph, const char *id, const char *identity)
{
    VitAuthz *authz = id ? g_hash_table_lookup(graph->authz, id) : NULL;

    return !id || (authz && identity && vit_authz_is_allowed(authz, identity));
}

/* ---- all ---- */

static const struct {
    const char *kind;
    bool (*add)(BlkGraph *graph, const char *id, const BlkOptions *props, GError **error);
    bool (*remove)(BlkGraph *graph, const char *id, GError **error);
} kinds[] = {
    { "secret", add_secret, remove_secret },
    { "secret_keyring", add_keyring_secret, remove_secret },
    { "tls-creds-x509", add_x509, remove_creds },
    { "tls-creds-psk", add_psk, remove_creds },
    { "tls-creds-anon", add_anon, remove_creds },
    { "authz-simple", add_authz_simple, remove_authz },
    { "authz-list-file", add_authz_list_file, remove_authz },
    { "authz-listfile", add_authz_list_file, remove_authz },
    { "throttle-group", blk_graph_add_throttle_group, blk_graph_remove_throttle_group },
};

static int
find_kind(const char *kind)
{
    for (unsigned i = 0; i < VIT_ARRAY_LEN(kinds); i++) {
        if (strcmp(kinds[i].kind, kind) == 0) {
            return (int)i;
        }
    }
    return -1;
}

bool
blk_object_is_known(const char *kind)
{
    return find_kind(kind) >= 0;
}

bool
blk_graph_add_object(BlkGraph *graph, const char *kind, const char *id, const BlkOptions *props,
                     GError **error)
{
    int i = find_kind(kind);

    g_return_val_if_fail(i >= 0, false);
    return kinds[i].add(graph, id, props, error);
}

bool
blk_graph_remove_object(BlkGraph *graph, const char *kind, const char *id, GError **error)
{
    int i = find_kind(kind);

    g_return_val_if_fail(i >= 0, false);
    return kinds[i].remove(graph, id, error);
}
