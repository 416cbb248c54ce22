/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Listening, connections and the list of exports of the NBD server. What a client says is answered
 * in nbd-session.c. Thread: the graph's lock held. */

#include "nbd-server.h"

#include "blk-graph-private.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct BlkNbdServer {
    VitTlsCreds *creds; /* or NULL */
    char *authz;
    BlkGraph *graph;
    int fd;
    char *path; /* of a unix socket, removed at the end */
    unsigned port, max_connections;
    bool closing, accepting;
    GPtrArray *channels; /* NbdChannel *: of clients */
    unsigned sessions;
};

/* ---- listening ---- */

static int
listen_unix(const char *path, GError **error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd;

    if (strlen(path) >= sizeof(address.sun_path)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' is too long for a unix socket (%zu bytes).", path,
                    sizeof(address.sun_path) - 1);
        return -1;
    }
    strcpy(address.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(fd, 16) < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "Cannot listen on '%s': %s.", path,
                    g_strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}

static int
listen_tcp(const char *host, const char *port, GError **error)
{
    const struct addrinfo hints = { .ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM };
    struct addrinfo *list;
    int ret = getaddrinfo(host && *host ? host : NULL, port, &hints, &list), fd = -1, on = 1;

    if (ret != 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "Cannot listen on %s:%s: %s.",
                    host ? host : "", port, gai_strerror(ret));
        return -1;
    }
    for (const struct addrinfo *at = list; at && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, at->ai_protocol);
        if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
                        bind(fd, at->ai_addr, at->ai_addrlen) < 0 || listen(fd, 16) < 0)) {
            ret = errno;
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    if (fd < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "Cannot listen on %s:%s: %s.", host ? host : "",
                    port, g_strerror(ret));
    }
    return fd;
}

static unsigned
bound_port(int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);

    if (getsockname(fd, (struct sockaddr *)&address, &len) < 0) {
        return 0;
    }
    return address.ss_family == AF_INET    ? ntohs(((struct sockaddr_in *)&address)->sin_port)
           : address.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&address)->sin6_port)
                                           : 0;
}

/* ---- connections ---- */

typedef struct Session {
    BlkNbdServer *server;
    NbdChannel *channel;
} Session;

static void
session_fiber(void *opaque)
{
    Session *session = opaque;
    BlkNbdServer *server = session->server;

    nbd_session_run(server->graph, session->channel);
    g_ptr_array_remove(server->channels, session->channel);
    nbd_channel_free(session->channel);
    server->sessions--;
    g_free(session);
}

static void
accept_client(BlkNbdServer *server)
{
    int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    Session *session;

    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE) {
            blk_sleep_ns(server->graph->context, 100000000); /* until somebody goes */
        }
        return;
    }
    if (server->max_connections && server->sessions >= server->max_connections) {
        close(fd);
        return;
    }
    session = g_new0(Session, 1);
    session->server = server;
    session->channel = nbd_channel_new(server->graph->context, fd);
    g_ptr_array_add(server->channels, session->channel);
    server->sessions++;
    blk_context_start(server->graph->context, session_fiber, session);
}

static void
accept_fiber(void *opaque)
{
    BlkNbdServer *server = opaque;

    while (!server->closing && blk_wait_fd(server->graph->context, server->fd, POLLIN) == 0 &&
           !server->closing) {
        accept_client(server);
    }
    server->accepting = false;
}

bool
blk_nbd_server_start(BlkGraph *graph, const BlkNbdServerOptions *options, GError **error)
{
    g_autoptr(VitTlsCreds) creds = NULL;
    BlkNbdServer *server;
    int fd;

    if (graph->nbd_server) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_STATE, "NBD server already running");
        return false;
    }
    if (options->tls_creds &&
        !(creds = blk_graph_ref_tls_creds(graph, options->tls_creds, true, error))) {
        return false;
    }
    fd = options->path ? listen_unix(options->path, error)
                       : listen_tcp(options->host, options->port, error);
    if (fd < 0) {
        return false;
    }
    server = g_new0(BlkNbdServer, 1);
    server->graph = graph;
    server->fd = fd;
    server->path = g_strdup(options->path);
    server->port = bound_port(fd);
    server->creds = g_steal_pointer(&creds);
    server->authz = g_strdup(options->tls_authz);
    server->max_connections = options->max_connections;
    server->channels = g_ptr_array_new();
    server->accepting = true;
    graph->nbd_server = server;
    blk_context_start(graph->context, accept_fiber, server);
    return true;
}

static void
remove_all_exports(BlkGraph *graph)
{
    while (graph->exports->len > 0) {
        BlkExport *export = g_ptr_array_index(graph->exports, 0);
        blk_export_remove(graph, export->id, true, NULL);
    }
}

bool
blk_nbd_server_stop(BlkGraph *graph, GError **error)
{
    BlkNbdServer *server = graph->nbd_server;

    if (!server) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_STATE, "NBD server not running");
        return false;
    }
    server->closing = true;
    shutdown(server->fd, SHUT_RDWR);
    for (unsigned i = 0; i < server->channels->len; i++) {
        nbd_channel_shut(g_ptr_array_index(server->channels, i));
    }
    while (server->sessions > 0 || server->accepting) {
        blk_context_poll(graph->context, 100);
    }
    remove_all_exports(graph);
    close(server->fd);
    if (server->path) {
        unlink(server->path);
    }
    g_ptr_array_unref(server->channels);
    vit_tls_creds_unref(server->creds);
    g_free(server->authz);
    g_free(server->path);
    g_free(server);
    graph->nbd_server = NULL;
    return true;
}

VitTlsCreds *
nbd_server_creds(BlkGraph *graph)
{
    return graph->nbd_server->creds;
}

const char *
nbd_server_authz(BlkGraph *graph)
{
    return graph->nbd_server->authz;
}

unsigned
blk_nbd_server_port(BlkGraph *graph)
{
    return graph->nbd_server ? graph->nbd_server->port : 0;
}

unsigned
blk_nbd_server_clients(BlkGraph *graph)
{
    return graph->nbd_server ? graph->nbd_server->sessions : 0;
}

/* ---- exports ---- */

static const char *
describe_export(void *opaque)
{
    return ((BlkExport *)opaque)->id;
}

static void
drained_begin(void *opaque)
{
    ((BlkExport *)opaque)->drain_depth++;
}

static void
drained_end(void *opaque)
{
    BlkExport *export = opaque;

    if (--export->drain_depth == 0) {
        blk_wake_all(export->graph->context, &export->resumed);
    }
}

static bool
is_busy(void *opaque)
{
    return ((BlkExport *)opaque)->in_flight > 0;
}

static const BlkUser export_user = {
    .describe = describe_export,
    .drained_begin = drained_begin,
    .drained_end = drained_end,
    .is_busy = is_busy,
};

BlkExport *
blk_export_find(BlkGraph *graph, const char *id)
{
    for (unsigned i = 0; i < graph->exports->len; i++) {
        BlkExport *export = g_ptr_array_index(graph->exports, i);
        if (strcmp(export->id, id) == 0) {
            return export;
        }
    }
    return NULL;
}

/* The empty name is the first export there is. */
BlkExport *
nbd_export_by_name(BlkGraph *graph, const char *name)
{
    for (unsigned i = 0; i < graph->exports->len; i++) {
        BlkExport *export = g_ptr_array_index(graph->exports, i);
        if (!export->closing && strcmp(export->name, name) == 0) {
            return export;
        }
    }
    return NULL;
}

GPtrArray *
blk_exports(BlkGraph *graph)
{
    return graph->exports;
}

static bool
check_export(BlkGraph *graph, const char *id, BlkNode *node, const char *name, bool writable,
             const char *const *bitmaps, GError **error)
{
    if (!graph->nbd_server) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_STATE, "NBD server not running");
    } else if (blk_export_find(graph, id)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "Block export id '%s' is already "
                    "in use",
                    id);
    } else if (nbd_export_by_name(graph, name)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "NBD server already has export named '%s'", name);
    } else if (strlen(name) > 4096) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "export name '%.20s...' too long",
                    name);
    } else if (writable && node->read_only) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_PERMISSION,
                    "Cannot export read-only node as "
                    "writable");
    } else {
        for (unsigned i = 0; bitmaps && bitmaps[i]; i++) {
            if (!blk_bitmap_find(node, bitmaps[i])) {
                g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND, "Bitmap '%s' is not found",
                            bitmaps[i]);
                return false;
            }
        }
        return true;
    }
    return false;
}

BlkExport *
blk_export_add(BlkGraph *graph, const char *id, BlkNode *node, const char *name,
               const char *description, bool writable, const char *const *bitmaps, GError **error)
{
    BlkExport *export;

    name = name ? name : id;
    if (!check_export(graph, id, node, name, writable, bitmaps, error)) {
        return NULL;
    }
    export = g_new0(BlkExport, 1);
    export->graph = graph;
    export->id = g_strdup(id);
    export->name = g_strdup(name);
    export->description = g_strdup(description);
    export->writable = writable;
    export->bitmaps = g_ptr_array_new_with_free_func(g_free);
    for (unsigned i = 0; bitmaps && bitmaps[i]; i++) {
        g_ptr_array_add(export->bitmaps, g_strdup(bitmaps[i]));
    }
    g_ptr_array_add(graph->exports, export);
    export->edge = blk_child_attach(
        node, &export_user, export, BLK_PERM_CONSISTENT_READ | (writable ? BLK_PERM_WRITE : 0),
        BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE_UNCHANGED | BLK_PERM_WRITE, error);
    if (!export->edge) {
        blk_export_remove(graph, id, true, NULL);
        return NULL;
    }
    blk_node_ref(node);
    return export;
}

bool
blk_export_remove(BlkGraph *graph, const char *id, bool hard, GError **error)
{
    BlkExport *export = blk_export_find(graph, id);
    g_autofree char *data = g_strdup_printf("{\"id\": \"%s\"}", id);

    if (!export) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND, "Export '%s' is not found", id);
        return false;
    }
    if (export->clients > 0 && !hard) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_BUSY, "export '%s' still in use", id);
        return false;
    }
    export->closing = true;
    while (export->clients > 0) {
        for (unsigned i = 0; graph->nbd_server && i < graph->nbd_server->channels->len; i++) {
            nbd_channel_shut(g_ptr_array_index(graph->nbd_server->channels, i));
        }
        blk_context_poll(graph->context, 100);
    }
    g_ptr_array_remove(graph->exports, export);
    if (export->edge) {
        blk_child_detach(export->edge);
        blk_graph_emit(graph, "BLOCK_EXPORT_DELETED", data);
    }
    g_ptr_array_unref(export->bitmaps);
    g_free(export->id);
    g_free(export->name);
    g_free(export->description);
    g_free(export);
    return true;
}
