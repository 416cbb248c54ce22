/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* GnuTLS, loaded with the first credentials: with what it draws in, and its tests of itself, it is
 * a quarter of the time that a small program of ours needs to start. Thread: any. */

#include "vit-late-library.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdbool.h>

#define GNUTLS_LIBRARY_FUNCTIONS(X, ...)                         \
    X(gnutls_alert_get, __VA_ARGS__)                             \
    X(gnutls_alert_get_name, __VA_ARGS__)                        \
    X(gnutls_alert_send_appropriate, __VA_ARGS__)                \
    X(gnutls_anon_allocate_client_credentials, __VA_ARGS__)      \
    X(gnutls_anon_allocate_server_credentials, __VA_ARGS__)      \
    X(gnutls_anon_free_client_credentials, __VA_ARGS__)          \
    X(gnutls_anon_free_server_credentials, __VA_ARGS__)          \
    X(gnutls_anon_set_server_dh_params, __VA_ARGS__)             \
    X(gnutls_anon_set_server_known_dh_params, __VA_ARGS__)       \
    X(gnutls_bye, __VA_ARGS__)                                   \
    X(gnutls_certificate_allocate_credentials, __VA_ARGS__)      \
    X(gnutls_certificate_free_credentials, __VA_ARGS__)          \
    X(gnutls_certificate_get_peers, __VA_ARGS__)                 \
    X(gnutls_certificate_server_set_request, __VA_ARGS__)        \
    X(gnutls_certificate_set_dh_params, __VA_ARGS__)             \
    X(gnutls_certificate_set_known_dh_params, __VA_ARGS__)       \
    X(gnutls_certificate_set_x509_crl_file, __VA_ARGS__)         \
    X(gnutls_certificate_set_x509_key_file2, __VA_ARGS__)        \
    X(gnutls_certificate_set_x509_trust_file, __VA_ARGS__)       \
    X(gnutls_certificate_type_get, __VA_ARGS__)                  \
    X(gnutls_certificate_verification_status_print, __VA_ARGS__) \
    X(gnutls_credentials_set, __VA_ARGS__)                       \
    X(gnutls_deinit, __VA_ARGS__)                                \
    X(gnutls_dh_params_deinit, __VA_ARGS__)                      \
    X(gnutls_dh_params_import_pkcs3, __VA_ARGS__)                \
    X(gnutls_dh_params_init, __VA_ARGS__)                        \
    X(gnutls_error_is_fatal, __VA_ARGS__)                        \
    X(gnutls_free, __VA_ARGS__)                                  \
    X(gnutls_handshake, __VA_ARGS__)                             \
    X(gnutls_init, __VA_ARGS__)                                  \
    X(gnutls_priority_set_direct, __VA_ARGS__)                   \
    X(gnutls_psk_allocate_client_credentials, __VA_ARGS__)       \
    X(gnutls_psk_allocate_server_credentials, __VA_ARGS__)       \
    X(gnutls_psk_free_client_credentials, __VA_ARGS__)           \
    X(gnutls_psk_free_server_credentials, __VA_ARGS__)           \
    X(gnutls_psk_server_get_username, __VA_ARGS__)               \
    X(gnutls_psk_set_client_credentials, __VA_ARGS__)            \
    X(gnutls_psk_set_server_credentials_file, __VA_ARGS__)       \
    X(gnutls_psk_set_server_dh_params, __VA_ARGS__)              \
    X(gnutls_psk_set_server_known_dh_params, __VA_ARGS__)        \
    X(gnutls_record_get_direction, __VA_ARGS__)                  \
    X(gnutls_record_recv, __VA_ARGS__)                           \
    X(gnutls_record_send, __VA_ARGS__)                           \
    X(gnutls_server_name_set, __VA_ARGS__)                       \
    X(gnutls_session_get_verify_cert_status, __VA_ARGS__)        \
    X(gnutls_session_set_verify_cert, __VA_ARGS__)               \
    X(gnutls_strerror, __VA_ARGS__)                              \
    X(gnutls_transport_set_errno, __VA_ARGS__)                   \
    X(gnutls_transport_set_ptr, __VA_ARGS__)                     \
    X(gnutls_transport_set_pull_function, __VA_ARGS__)           \
    X(gnutls_transport_set_push_function, __VA_ARGS__)           \
    X(gnutls_x509_crt_deinit, __VA_ARGS__)                       \
    X(gnutls_x509_crt_get_activation_time, __VA_ARGS__)          \
    X(gnutls_x509_crt_get_dn3, __VA_ARGS__)                      \
    X(gnutls_x509_crt_get_expiration_time, __VA_ARGS__)          \
    X(gnutls_x509_crt_import, __VA_ARGS__)                       \
    X(gnutls_x509_crt_init, __VA_ARGS__)                         \
    X(gnutls_x509_crt_list_import2, __VA_ARGS__)

typedef struct GnutlsLibrary {
    void *handle;
    GNUTLS_LIBRARY_FUNCTIONS(VIT_LATE_MEMBER)
} GnutlsLibrary;

/* False with ERROR when the library is not installed. */
bool gnutls_library_load(GnutlsLibrary *library, GError **error);
void gnutls_library_unload(GnutlsLibrary *library);
