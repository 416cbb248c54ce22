/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The NBD server of a graph: nodes as exports for other programs. One server at most.
 * Thread: the graph's lock held, outside of fibers unless said otherwise. */

#include "blk-bitmap.h"
#include "nbd-channel.h"

typedef struct BlkExport {
    char *id, *name, *description;
    BlkGraph *graph;
    BlkChild *edge;
    bool writable, closing;
    GPtrArray *bitmaps; /* char *: offered as qemu:dirty-bitmap:NAME */
    unsigned in_flight, drain_depth, clients;
    BlkWaitQueue resumed;
} BlkExport;

typedef struct BlkNbdServerOptions {
    const char *host, *port; /* or */
    const char *path;
    unsigned max_connections; /* 0: any number */
    const char *tls_creds;    /* NULL: not encrypted; else nothing else is accepted */
    const char *tls_authz;    /* who may; NULL: whoever the credentials let in */
} BlkNbdServerOptions;

bool blk_nbd_server_start(BlkGraph *graph, const BlkNbdServerOptions *options, GError **error);
/* Ends every connection and export. */
bool blk_nbd_server_stop(BlkGraph *graph, GError **error);
/* The port it listens on; 0 for a unix socket, or when there is none. */
unsigned blk_nbd_server_port(BlkGraph *graph);
/* How many clients there are. */
unsigned blk_nbd_server_clients(BlkGraph *graph);

/* NAME NULL: the id. Bitmaps are named; NULL: none. */
BlkExport *blk_export_add(BlkGraph *graph, const char *id, BlkNode *node, const char *name,
                          const char *description, bool writable, const char *const *bitmaps,
                          GError **error);
BlkExport *blk_export_find(BlkGraph *graph, const char *id);
/* HARD: although clients use it. */
bool blk_export_remove(BlkGraph *graph, const char *id, bool hard, GError **error);
/* In order of creation; borrowed. */
GPtrArray *blk_exports(BlkGraph *graph);

/* ---- for the server's own files ---- */

typedef struct BlkNbdServer BlkNbdServer;

/* One client; runs until it goes. [fiber] */
void nbd_session_run(BlkGraph *graph, NbdChannel *channel);
BlkExport *nbd_export_by_name(BlkGraph *graph, const char *name);
/* Borrowed; NULL: the server does not encrypt. */
VitTlsCreds *nbd_server_creds(BlkGraph *graph);
const char *nbd_server_authz(BlkGraph *graph);
