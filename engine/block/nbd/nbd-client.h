/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Coming to an agreement with an NBD server. Thread: in a fiber. */

#include "nbd-channel.h"

typedef struct NbdAddress {
    char *host, *port; /* or */
    char *path;
} NbdAddress;

/* What the server says of its export. */
typedef struct NbdAgreement {
    uint64_t size;
    uint16_t flags;
    uint32_t min_block, max_payload;
    bool structured;
    bool has_status;
    uint32_t status_context;
} NbdAgreement;

/* A connected channel, or NULL with ERROR. [fiber] */
NbdChannel *nbd_connect(BlkContext *context, const NbdAddress *address, GError **error);
/* What is asked for. */
typedef struct NbdWanted {
    const char *export; /* "" is the server's default */
    const char *title;  /* of the server, for messages */
    VitTlsCreds *creds; /* or NULL: not encrypted */
    const char *hostname;
    unsigned timeout_s;
} NbdWanted;

/* [fiber] */
bool nbd_negotiate(NbdChannel *channel, const NbdWanted *wanted, NbdAgreement *out, GError **error);
