/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Credentials from a folder: ca-cert.pem, ca-crl.pem, server-cert.pem and -key.pem or
 * client-cert.pem and -key.pem (x509), keys.psk (pre-shared keys), dh-params.pem (servers). Without
 * dh-params.pem the groups of RFC 7919 serve. Files are read once. Thread: any. */

#include "vit-tls-private.h"

#include "vit-error.h"

#include <string.h>
#include <time.h>

typedef struct Making {
    const VitTlsConfig *config;
    VitTlsCreds *creds;
    const GnutlsLibrary *lib; /* of creds */
    GError **error;
} Making;

static bool
fail(Making *making, const char *path, const char *what)
{
    g_set_error(making->error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "TLS: '%s' %s.", path, what);
    return false;
}

static bool
check(Making *making, int ret, const char *path)
{
    return ret >= 0 || fail(making, path, making->lib->gnutls_strerror(ret));
}

/* PATH of NAME in the folder; NULL when it is not there, with ERROR if it has to be. */
static char *
find_file(Making *making, const char *name, bool required)
{
    g_autofree char *path = g_build_filename(making->config->dir, name, NULL);

    if (g_file_test(path, G_FILE_TEST_EXISTS)) {
        return g_steal_pointer(&path);
    }
    if (required) {
        g_set_error(making->error, VIT_ERROR, VIT_ERROR_NOT_FOUND, "TLS: there is no '%s'.", path);
    }
    return NULL;
}

static bool
load_dh_params(Making *making)
{
    g_autofree char *path = NULL, *text = NULL;
    gnutls_datum_t datum;
    gsize len;

    if (!making->config->is_server || !making->config->dir ||
        !(path = find_file(making, "dh-params.pem", false))) {
        return true;
    }
    if (!g_file_get_contents(path, &text, &len, making->error)) {
        return false;
    }
    datum = (gnutls_datum_t){ .data = (unsigned char *)text, .size = (unsigned)len };
    return check(making, making->lib->gnutls_dh_params_init(&making->creds->dh_params), path) &&
           check(making,
                 making->lib->gnutls_dh_params_import_pkcs3(making->creds->dh_params, &datum,
                                                            GNUTLS_X509_FMT_PEM),
                 path);
}

/* ---- anonymous ---- */

static bool
make_anon(Making *making)
{
    VitTlsCreds *creds = making->creds;

    if (!making->config->is_server) {
        return check(making,
                     making->lib->gnutls_anon_allocate_client_credentials(&creds->data.anon_client),
                     "anonymous credentials");
    }
    if (!check(making,
               making->lib->gnutls_anon_allocate_server_credentials(&creds->data.anon_server),
               "anonymous credentials")) {
        return false;
    }
    if (creds->dh_params) {
        making->lib->gnutls_anon_set_server_dh_params(creds->data.anon_server, creds->dh_params);
    } else {
        making->lib->gnutls_anon_set_server_known_dh_params(creds->data.anon_server,
                                                            GNUTLS_SEC_PARAM_MEDIUM);
    }
    return true;
}

/* ---- pre-shared keys ---- */

/* The hexadecimal key of USERNAME in the text of keys.psk; NULL: there is none. */
static char *
find_key(const char *text, const char *username)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    size_t len = strlen(username);

    for (char **line = lines; *line; line++) {
        if (g_str_has_prefix(*line, username) && (*line)[len] == ':') {
            return g_strdup(g_strstrip(*line + len + 1));
        }
    }
    return NULL;
}

static bool
make_psk_client(Making *making, const char *path)
{
    const char *username = making->config->username ? making->config->username : "qemu";
    g_autofree char *text = NULL, *key = NULL;
    gnutls_datum_t datum;
    bool ok;

    if (!g_file_get_contents(path, &text, NULL, making->error)) {
        return false;
    }
    key = find_key(text, username);
    if (!key) {
        g_set_error(making->error, VIT_ERROR, VIT_ERROR_NOT_FOUND, "TLS: '%s' has no user '%s'.",
                    path, username);
        return false;
    }
    datum = (gnutls_datum_t){ .data = (unsigned char *)key, .size = (unsigned)strlen(key) };
    ok = check(making,
               making->lib->gnutls_psk_allocate_client_credentials(&making->creds->data.psk_client),
               path) &&
         check(making,
               making->lib->gnutls_psk_set_client_credentials(making->creds->data.psk_client,
                                                              username, &datum, GNUTLS_PSK_KEY_HEX),
               path);
    explicit_bzero(key, strlen(key));
    explicit_bzero(text, strlen(text));
    return ok;
}

static bool
make_psk_server(Making *making, const char *path)
{
    VitTlsCreds *creds = making->creds;

    if (!check(making, making->lib->gnutls_psk_allocate_server_credentials(&creds->data.psk_server),
               path) ||
        !check(making,
               making->lib->gnutls_psk_set_server_credentials_file(creds->data.psk_server, path),
               path)) {
        return false;
    }
    if (creds->dh_params) {
        making->lib->gnutls_psk_set_server_dh_params(creds->data.psk_server, creds->dh_params);
    } else {
        making->lib->gnutls_psk_set_server_known_dh_params(creds->data.psk_server,
                                                           GNUTLS_SEC_PARAM_MEDIUM);
    }
    return true;
}

static bool
make_psk(Making *making)
{
    g_autofree char *path = find_file(making, "keys.psk", true);

    return path && (making->config->is_server ? make_psk_server(making, path)
                                              : make_psk_client(making, path));
}

/* ---- certificates ---- */

static bool
check_dates(Making *making, const char *path)
{
    g_autofree char *text = NULL;
    gnutls_x509_crt_t *list = NULL;
    unsigned count = 0;
    gnutls_datum_t datum;
    gsize len;
    bool ok = true;
    time_t now = time(NULL);

    if (!making->config->sanity_check) {
        return true;
    }
    if (!g_file_get_contents(path, &text, &len, making->error)) {
        return false;
    }
    datum = (gnutls_datum_t){ .data = (unsigned char *)text, .size = (unsigned)len };
    if (!check(making,
               making->lib->gnutls_x509_crt_list_import2(&list, &count, &datum, GNUTLS_X509_FMT_PEM,
                                                         0),
               path)) {
        return false;
    }
    for (unsigned i = 0; i < count; i++) {
        if (ok && making->lib->gnutls_x509_crt_get_expiration_time(list[i]) < now) {
            ok = fail(making, path, "holds a certificate that has expired");
        } else if (ok && making->lib->gnutls_x509_crt_get_activation_time(list[i]) > now) {
            ok = fail(making, path, "holds a certificate that is not valid yet");
        }
        making->lib->gnutls_x509_crt_deinit(list[i]);
    }
    (*making->lib->gnutls_free)(list);
    return ok;
}

static bool
load_own_certificate(Making *making)
{
    const VitTlsConfig *config = making->config;
    bool is_server = config->is_server;
    g_autofree char *cert =
        find_file(making, is_server ? "server-cert.pem" : "client-cert.pem", is_server);
    g_autofree char *key = NULL;

    if (!cert) {
        return !is_server; /* clients may go without */
    }
    key = find_file(making, is_server ? "server-key.pem" : "client-key.pem", true);
    return key && check_dates(making, cert) &&
           check(making,
                 making->lib->gnutls_certificate_set_x509_key_file2(
                     making->creds->data.x509, cert, key, GNUTLS_X509_FMT_PEM, config->password, 0),
                 key);
}

static bool
make_x509(Making *making)
{
    VitTlsCreds *creds = making->creds;
    g_autofree char *ca = find_file(making, "ca-cert.pem", true), *crl = NULL;

    if (!ca || !check_dates(making, ca) ||
        !check(making, making->lib->gnutls_certificate_allocate_credentials(&creds->data.x509),
               ca) ||
        !check(making,
               making->lib->gnutls_certificate_set_x509_trust_file(creds->data.x509, ca,
                                                                   GNUTLS_X509_FMT_PEM),
               ca) ||
        !load_own_certificate(making)) {
        return false;
    }
    crl = find_file(making, "ca-crl.pem", false);
    if (crl && !check(making,
                      making->lib->gnutls_certificate_set_x509_crl_file(creds->data.x509, crl,
                                                                        GNUTLS_X509_FMT_PEM),
                      crl)) {
        return false;
    }
    if (creds->dh_params) {
        making->lib->gnutls_certificate_set_dh_params(creds->data.x509, creds->dh_params);
    } else if (creds->is_server) {
        making->lib->gnutls_certificate_set_known_dh_params(creds->data.x509,
                                                            GNUTLS_SEC_PARAM_MEDIUM);
    }
    return true;
}

/* ---- all ---- */

static bool
make(Making *making)
{
    if (!making->config->dir && making->config->kind != VIT_TLS_ANON) {
        g_set_error(making->error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "TLS credentials need dir=, the folder with their files.");
        return false;
    }
    if (!load_dh_params(making)) {
        return false;
    }
    switch (making->config->kind) {
    case VIT_TLS_PSK: return make_psk(making);
    case VIT_TLS_X509: return make_x509(making);
    default: return make_anon(making);
    }
}

VitTlsCreds *
vit_tls_creds_new(const VitTlsConfig *config, GError **error)
{
    VitTlsCreds *creds = g_new0(VitTlsCreds, 1);
    Making making = { config, creds, &creds->lib, error };

    creds->ref_count = 1;
    creds->kind = config->kind;
    creds->is_server = config->is_server;
    creds->verify_peer = config->verify_peer;
    creds->priority = g_strdup(config->priority);
    if (!gnutls_library_load(&creds->lib, error) || !make(&making)) {
        vit_tls_creds_unref(creds);
        return NULL;
    }
    return creds;
}

VitTlsCreds *
vit_tls_creds_ref(VitTlsCreds *creds)
{
    g_atomic_int_inc(&creds->ref_count);
    return creds;
}

static void
free_data(VitTlsCreds *creds)
{
    switch (creds->kind) {
    case VIT_TLS_X509: creds->lib.gnutls_certificate_free_credentials(creds->data.x509); break;
    case VIT_TLS_PSK:
        if (creds->is_server) {
            creds->lib.gnutls_psk_free_server_credentials(creds->data.psk_server);
        } else {
            creds->lib.gnutls_psk_free_client_credentials(creds->data.psk_client);
        }
        break;
    default:
        if (creds->is_server) {
            creds->lib.gnutls_anon_free_server_credentials(creds->data.anon_server);
        } else {
            creds->lib.gnutls_anon_free_client_credentials(creds->data.anon_client);
        }
        break;
    }
}

void
vit_tls_creds_unref(VitTlsCreds *creds)
{
    if (!creds || !g_atomic_int_dec_and_test(&creds->ref_count)) {
        return;
    }
    if (creds->data.any) {
        free_data(creds);
    }
    if (creds->dh_params) {
        creds->lib.gnutls_dh_params_deinit(creds->dh_params);
    }
    gnutls_library_unload(&creds->lib);
    g_free(creds->priority);
    g_free(creds);
}

bool
vit_tls_creds_is_server(const VitTlsCreds *creds)
{
    return creds->is_server;
}
