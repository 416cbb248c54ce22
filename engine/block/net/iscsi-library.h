/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* libiscsi, loaded when the first unit of a target is opened: it draws in RDMA.
 * Thread: any; the functions that end in _sync block. */

#include "vit-late-library.h"

#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <stdbool.h>

#define ISCSI_LIBRARY_FUNCTIONS(X, ...)              \
    X(iscsi_create_context, __VA_ARGS__)             \
    X(iscsi_destroy_context, __VA_ARGS__)            \
    X(iscsi_full_connect_async, __VA_ARGS__)         \
    X(iscsi_get_error, __VA_ARGS__)                  \
    X(iscsi_get_fd, __VA_ARGS__)                     \
    X(iscsi_get_lba_status_task, __VA_ARGS__)        \
    X(iscsi_inquiry_sync, __VA_ARGS__)               \
    X(iscsi_is_logged_in, __VA_ARGS__)               \
    X(iscsi_logout_sync, __VA_ARGS__)                \
    X(iscsi_modesense6_sync, __VA_ARGS__)            \
    X(iscsi_nop_out_async, __VA_ARGS__)              \
    X(iscsi_read10_iov_task, __VA_ARGS__)            \
    X(iscsi_read16_iov_task, __VA_ARGS__)            \
    X(iscsi_readcapacity10_sync, __VA_ARGS__)        \
    X(iscsi_readcapacity16_sync, __VA_ARGS__)        \
    X(iscsi_reconnect, __VA_ARGS__)                  \
    X(iscsi_service, __VA_ARGS__)                    \
    X(iscsi_set_header_digest, __VA_ARGS__)          \
    X(iscsi_set_initiator_username_pwd, __VA_ARGS__) \
    X(iscsi_set_noautoreconnect, __VA_ARGS__)        \
    X(iscsi_set_session_type, __VA_ARGS__)           \
    X(iscsi_set_targetname, __VA_ARGS__)             \
    X(iscsi_set_timeout, __VA_ARGS__)                \
    X(iscsi_synchronizecache10_task, __VA_ARGS__)    \
    X(iscsi_unmap_task, __VA_ARGS__)                 \
    X(iscsi_which_events, __VA_ARGS__)               \
    X(iscsi_write16_iov_task, __VA_ARGS__)           \
    X(iscsi_writesame16_task, __VA_ARGS__)           \
    X(scsi_datain_unmarshall, __VA_ARGS__)           \
    X(scsi_free_scsi_task, __VA_ARGS__)

typedef struct IscsiLibrary {
    void *handle;
    ISCSI_LIBRARY_FUNCTIONS(VIT_LATE_MEMBER)
} IscsiLibrary;

/* False with ERROR when the library is not installed. */
bool iscsi_library_load(IscsiLibrary *library, GError **error);
void iscsi_library_unload(IscsiLibrary *library);
