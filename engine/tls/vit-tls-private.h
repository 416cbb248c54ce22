/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What credentials hold. Thread: const once made. */

#include "gnutls-library.h"
#include "vit-tls.h"

struct VitTlsCreds {
    int ref_count; /* atomic */
    GnutlsLibrary lib;
    VitTlsKind kind;
    bool is_server, verify_peer;
    char *priority;
    gnutls_dh_params_t dh_params; /* or NULL */
    union {
        gnutls_certificate_credentials_t x509;
        gnutls_psk_server_credentials_t psk_server;
        gnutls_psk_client_credentials_t psk_client;
        gnutls_anon_server_credentials_t anon_server;
        gnutls_anon_client_credentials_t anon_client;
        void *any;
    } data;
};
