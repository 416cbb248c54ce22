/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* libssh, loaded when the first image of another host is opened: it draws in Kerberos.
 * Thread: any; most functions may block. */

#include "vit-late-library.h"

#include <libssh/libssh.h>
#include <libssh/sftp.h>
#include <stdbool.h>

#define SSH_LIBRARY_FUNCTIONS(X, ...)           \
    X(sftp_attributes_free, __VA_ARGS__)        \
    X(sftp_close, __VA_ARGS__)                  \
    X(sftp_free, __VA_ARGS__)                   \
    X(sftp_fstat, __VA_ARGS__)                  \
    X(sftp_fsync, __VA_ARGS__)                  \
    X(sftp_get_error, __VA_ARGS__)              \
    X(sftp_init, __VA_ARGS__)                   \
    X(sftp_new, __VA_ARGS__)                    \
    X(sftp_open, __VA_ARGS__)                   \
    X(sftp_read, __VA_ARGS__)                   \
    X(sftp_seek64, __VA_ARGS__)                 \
    X(sftp_setstat, __VA_ARGS__)                \
    X(sftp_unlink, __VA_ARGS__)                 \
    X(sftp_write, __VA_ARGS__)                  \
    X(ssh_clean_pubkey_hash, __VA_ARGS__)       \
    X(ssh_connect, __VA_ARGS__)                 \
    X(ssh_disconnect, __VA_ARGS__)              \
    X(ssh_free, __VA_ARGS__)                    \
    X(ssh_get_error, __VA_ARGS__)               \
    X(ssh_get_publickey_hash, __VA_ARGS__)      \
    X(ssh_get_server_publickey, __VA_ARGS__)    \
    X(ssh_key_free, __VA_ARGS__)                \
    X(ssh_new, __VA_ARGS__)                     \
    X(ssh_options_parse_config, __VA_ARGS__)    \
    X(ssh_options_set, __VA_ARGS__)             \
    X(ssh_session_is_known_server, __VA_ARGS__) \
    X(ssh_userauth_none, __VA_ARGS__)           \
    X(ssh_userauth_publickey_auto, __VA_ARGS__)

typedef struct SshLibrary {
    void *handle;
    SSH_LIBRARY_FUNCTIONS(VIT_LATE_MEMBER)
} SshLibrary;

/* False with ERROR when the library is not installed. */
bool ssh_library_load(SshLibrary *library, GError **error);
void ssh_library_unload(SshLibrary *library);
