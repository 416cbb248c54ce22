/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* TLS on connected sockets.
 *
 * Thread: credentials may be shared; a session belongs to one thread at a time, but for one that
 * sends while another receives. Nothing here waits. */

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

typedef struct VitTlsCreds VitTlsCreds;
typedef struct VitTlsSession VitTlsSession;

typedef enum VitTlsKind { VIT_TLS_ANON, VIT_TLS_PSK, VIT_TLS_X509 } VitTlsKind;

typedef struct VitTlsConfig {
    VitTlsKind kind;
    bool is_server;
    const char *dir;      /* NULL: only anonymous credentials need none */
    const char *username; /* of PSK clients */
    const char *priority; /* GnuTLS's words for what is allowed; NULL: its default */
    const char *password; /* of the private key, or NULL */
    bool verify_peer;     /* x509 */
    bool sanity_check;    /* x509: look at the dates of the certificates */
} VitTlsConfig;

VitTlsCreds *vit_tls_creds_new(const VitTlsConfig *config, GError **error);
VitTlsCreds *vit_tls_creds_ref(VitTlsCreds *creds);
void vit_tls_creds_unref(VitTlsCreds *creds);
bool vit_tls_creds_is_server(const VitTlsCreds *creds);

/* FD stays the caller's and must not block. HOSTNAME: what a server's certificate has to be for;
 * NULL for servers. Takes a reference to CREDS. */
VitTlsSession *vit_tls_session_new(VitTlsCreds *creds, int fd, const char *hostname,
                                   GError **error);
void vit_tls_session_free(VitTlsSession *session);
/* 1: done; 0: wait and call again; -1 with ERROR: there will be no session. */
int vit_tls_session_handshake(VitTlsSession *session, GError **error);
/* Whether the last call that has to be repeated waits for room to write. */
bool vit_tls_session_wants_write(VitTlsSession *session);
/* How many bytes, 0 at the end, -EAGAIN or another negative errno. */
ssize_t vit_tls_session_receive(VitTlsSession *session, void *buf, size_t len);
/* After -EAGAIN the same bytes have to be sent again. */
ssize_t vit_tls_session_send(VitTlsSession *session, const void *buf, size_t len);
/* Tells the peer that nothing more comes. */
void vit_tls_session_bye(VitTlsSession *session);
/* Who the peer is: a certificate's distinguished name or a PSK user; NULL: nobody knows.
 * Ownership: caller. */
char *vit_tls_session_dup_peer(VitTlsSession *session);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VitTlsCreds, vit_tls_creds_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VitTlsSession, vit_tls_session_free)
