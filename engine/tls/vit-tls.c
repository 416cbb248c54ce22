/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* A TLS session, by GnuTLS. A client checks that the server's certificate is signed by the
 * authority of its folder and made for the host; a server with verify-peer demands a certificate
 * of the client. Specification: RFC 8446, RFC 5246. Thread: see vit-tls.h. */

#include "vit-tls-private.h"

#include "vit-error.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

struct VitTlsSession {
    VitTlsCreds *creds;
    const GnutlsLibrary *lib; /* of creds */
    gnutls_session_t gnutls;
    char *hostname;
    int fd;
};

/* ---- the socket ---- */

static ssize_t
pull(gnutls_transport_ptr_t opaque, void *buf, size_t len)
{
    VitTlsSession *session = opaque;
    ssize_t done = recv(session->fd, buf, len, 0);

    if (done < 0) {
        session->lib->gnutls_transport_set_errno(session->gnutls, errno);
    }
    return done;
}

static ssize_t
push(gnutls_transport_ptr_t opaque, const void *buf, size_t len)
{
    VitTlsSession *session = opaque;
    ssize_t done = send(session->fd, buf, len, MSG_NOSIGNAL);

    if (done < 0) {
        session->lib->gnutls_transport_set_errno(session->gnutls, errno);
    }
    return done;
}

/* ---- making ---- */

static int
set_priority(VitTlsSession *session)
{
    static const char *const also[] = {
        [VIT_TLS_ANON] = ":+ANON-ECDH:+ANON-DH",
        [VIT_TLS_PSK] = ":+ECDHE-PSK:+DHE-PSK:+PSK",
        [VIT_TLS_X509] = "",
    };
    const char *base = session->creds->priority ? session->creds->priority : "NORMAL";
    g_autofree char *priority = g_strconcat(base, also[session->creds->kind], NULL);

    return session->lib->gnutls_priority_set_direct(session->gnutls, priority, NULL);
}

static int
set_credentials(VitTlsSession *session)
{
    static const gnutls_credentials_type_t types[] = {
        [VIT_TLS_ANON] = GNUTLS_CRD_ANON,
        [VIT_TLS_PSK] = GNUTLS_CRD_PSK,
        [VIT_TLS_X509] = GNUTLS_CRD_CERTIFICATE,
    };
    const VitTlsCreds *creds = session->creds;

    if (creds->kind == VIT_TLS_X509 && creds->is_server) {
        session->lib->gnutls_certificate_server_set_request(
            session->gnutls, creds->verify_peer ? GNUTLS_CERT_REQUIRE : GNUTLS_CERT_IGNORE);
    }
    if (creds->kind == VIT_TLS_X509 && creds->verify_peer) {
        session->lib->gnutls_session_set_verify_cert(session->gnutls, session->hostname, 0);
    }
    return session->lib->gnutls_credentials_set(session->gnutls, types[creds->kind],
                                                creds->data.any);
}

VitTlsSession *
vit_tls_session_new(VitTlsCreds *creds, int fd, const char *hostname, GError **error)
{
    VitTlsSession *session = g_new0(VitTlsSession, 1);
    unsigned flags = (creds->is_server ? GNUTLS_SERVER : GNUTLS_CLIENT) | GNUTLS_NONBLOCK;
    int ret;

    session->creds = vit_tls_creds_ref(creds);
    session->lib = &creds->lib;
    ret = session->lib->gnutls_init(&session->gnutls, flags);
    session->fd = fd;
    session->hostname = g_strdup(hostname);
    ret = ret < 0 ? ret : set_priority(session);
    ret = ret < 0 ? ret : set_credentials(session);
    if (ret < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "TLS cannot begin with priority '%s': %s.",
                    creds->priority ? creds->priority : "NORMAL",
                    session->lib->gnutls_strerror(ret));
        vit_tls_session_free(session);
        return NULL;
    }
    if (hostname && !creds->is_server && creds->kind == VIT_TLS_X509) {
        session->lib->gnutls_server_name_set(session->gnutls, GNUTLS_NAME_DNS, hostname,
                                             strlen(hostname));
    }
    session->lib->gnutls_transport_set_ptr(session->gnutls, session);
    session->lib->gnutls_transport_set_pull_function(session->gnutls, pull);
    session->lib->gnutls_transport_set_push_function(session->gnutls, push);
    return session;
}

void
vit_tls_session_free(VitTlsSession *session)
{
    if (session) {
        if (session->gnutls) {
            session->lib->gnutls_deinit(session->gnutls);
        }
        vit_tls_creds_unref(session->creds);
        g_free(session->hostname);
        g_free(session);
    }
}

/* ---- use ---- */

static void
set_handshake_error(VitTlsSession *session, int ret, GError **error)
{
    gnutls_datum_t reasons = { 0 };

    if (ret == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR &&
        session->lib->gnutls_certificate_verification_status_print(
            session->lib->gnutls_session_get_verify_cert_status(session->gnutls),
            session->lib->gnutls_certificate_type_get(session->gnutls), &reasons, 0) >= 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_PERMISSION,
                    "The peer's certificate is refused%s%s: %s", session->hostname ? " for " : "",
                    session->hostname ? session->hostname : "", (const char *)reasons.data);
        (*session->lib->gnutls_free)(reasons.data);
    } else if (ret == GNUTLS_E_FATAL_ALERT_RECEIVED) {
        g_set_error(
            error, VIT_ERROR, VIT_ERROR_PERMISSION, "The peer refuses the TLS session: %s.",
            session->lib->gnutls_alert_get_name(session->lib->gnutls_alert_get(session->gnutls)));
    } else {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "The TLS session cannot begin: %s.",
                    session->lib->gnutls_strerror(ret));
    }
}

int
vit_tls_session_handshake(VitTlsSession *session, GError **error)
{
    int ret = session->lib->gnutls_handshake(session->gnutls);

    if (ret == GNUTLS_E_SUCCESS) {
        return 1;
    }
    if (!session->lib->gnutls_error_is_fatal(ret)) {
        return 0;
    }
    set_handshake_error(session, ret, error);
    session->lib->gnutls_alert_send_appropriate(session->gnutls, ret);
    return -1;
}

bool
vit_tls_session_wants_write(VitTlsSession *session)
{
    return session->lib->gnutls_record_get_direction(session->gnutls) == 1;
}

static ssize_t
errno_of(VitTlsSession *session, ssize_t ret)
{
    if (ret == GNUTLS_E_PREMATURE_TERMINATION) {
        return 0;
    }
    return ret == GNUTLS_E_AGAIN || ret == GNUTLS_E_INTERRUPTED ||
                   !session->lib->gnutls_error_is_fatal((int)ret)
               ? -EAGAIN
               : -EIO;
}

ssize_t
vit_tls_session_receive(VitTlsSession *session, void *buf, size_t len)
{
    ssize_t ret = session->lib->gnutls_record_recv(session->gnutls, buf, len);

    return ret >= 0 ? ret : errno_of(session, ret);
}

ssize_t
vit_tls_session_send(VitTlsSession *session, const void *buf, size_t len)
{
    ssize_t ret = session->lib->gnutls_record_send(session->gnutls, buf, len);

    return ret >= 0 ? ret : ret == GNUTLS_E_PREMATURE_TERMINATION ? -EPIPE : errno_of(session, ret);
}

void
vit_tls_session_bye(VitTlsSession *session)
{
    session->lib->gnutls_bye(session->gnutls, GNUTLS_SHUT_WR);
}

static char *
dup_certificate_name(VitTlsSession *session)
{
    unsigned count = 0;
    const gnutls_datum_t *list =
        session->lib->gnutls_certificate_get_peers(session->gnutls, &count);
    gnutls_x509_crt_t cert;
    gnutls_datum_t name = { 0 };
    char *copy = NULL;

    if (count == 0 || session->lib->gnutls_x509_crt_init(&cert) < 0) {
        return NULL;
    }
    if (session->lib->gnutls_x509_crt_import(cert, &list[0], GNUTLS_X509_FMT_DER) >= 0 &&
        session->lib->gnutls_x509_crt_get_dn3(cert, &name, 0) >= 0) {
        copy = g_strndup((const char *)name.data, name.size);
        (*session->lib->gnutls_free)(name.data);
    }
    session->lib->gnutls_x509_crt_deinit(cert);
    return copy;
}

char *
vit_tls_session_dup_peer(VitTlsSession *session)
{
    switch (session->creds->kind) {
    case VIT_TLS_X509: return dup_certificate_name(session);
    case VIT_TLS_PSK:
        return g_strdup(session->lib->gnutls_psk_server_get_username(session->gnutls));
    default: return NULL;
    }
}
