/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The protocol driver "nbd": an export of an NBD server as an image.
 *
 * Up to SLOTS requests are under way at once. A fiber of the node reads the answers and wakes whom
 * they belong to; the sending side takes turns. When the connection breaks every request fails,
 * or, with reconnect-delay, waits for a new connection and is sent again: reads and writes of
 * whole ranges can be repeated, and what a flush has promised was promised by the server itself.
 *
 * Names: nbd://HOST[:PORT]/[EXPORT], nbd+unix:///[EXPORT]?socket=PATH, and the older
 * nbd:HOST:PORT[:exportname=NAME], nbd:unix:PATH[:exportname=NAME].
 *
 * Invariant: `channel` is non-NULL while the reader lives; only the reader frees it.
 * Thread: the lock of the node's context held. */

#include "nbd-client.h"
#include "nbd-wire.h"

#include "blk-graph-private.h"

#include <stdio.h>

enum { SLOTS = 16, SILENCE_S = 10, RETRY_US = 200 * 1000 };

typedef struct NbdRequest {
    bool used, done;
    uint16_t type, flags;
    uint64_t offset;
    uint32_t len;
    const BlkVec *vec;
    uint64_t at;
    int ret;
    bool lost; /* the connection broke before the answer */
    BlkStatus *status;
    BlkWaitQueue waiter;
} NbdRequest;

typedef struct Nbd {
    /* options */
    char *host, *port, *path, *type, *export, *tls_creds, *tls_hostname;
    char *old_host, *old_port, *old_path;
    uint32_t reconnect_delay_s, open_timeout_s;
    /* connection */
    NbdAddress address;
    VitTlsCreds *creds; /* or NULL */
    NbdAgreement agreement;
    NbdChannel *channel;
    bool connecting, closing, reader_runs;
    int64_t lost_us;  /* when the connection broke */
    int64_t retry_us; /* until then, who needs a connection is told that there is none */
    NbdRequest requests[SLOTS];
    uint64_t generation; /* of connections, part of the handle */
    BlkWaitQueue free_slot, turn, connected, reader_gone;
    bool sending;
} Nbd;

/* ---- names ---- */

static bool
parse_old_name(const char *filename, BlkOptions *options, GError **error)
{
    g_autofree char *text = g_strdup(filename + strlen("nbd:"));
    char *name = strstr(text, ":exportname=");

    if (name) {
        *name = 0;
        blk_options_set(options, "export", name + strlen(":exportname="));
    }
    if (g_str_has_prefix(text, "unix:")) {
        blk_options_set(options, "server.type", "unix");
        blk_options_set(options, "server.path", text + strlen("unix:"));
        return true;
    }
    char *colon = strrchr(text, ':');
    if (!colon || colon == text || !colon[1]) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' is no name of an NBD export: write nbd:HOST:PORT or "
                    "nbd://HOST[:PORT]/EXPORT.",
                    filename);
        return false;
    }
    *colon = 0;
    size_t len = strlen(text);
    if (text[0] == '[' && text[len - 1] == ']') {
        text[len - 1] = 0;
    }
    blk_options_set(options, "server.type", "inet");
    blk_options_set(options, "server.host", text[0] == '[' ? text + 1 : text);
    blk_options_set(options, "server.port", colon + 1);
    return true;
}

static bool
parse_uri(const char *filename, BlkOptions *options, GError **error)
{
    g_autoptr(GUri) uri = g_uri_parse(filename, G_URI_FLAGS_NONE, error);
    g_autoptr(GHashTable) query = NULL;
    const char *path, *socket;

    if (!uri) {
        g_prefix_error(error, "'%s': ", filename);
        return false;
    }
    query = g_uri_get_query(uri)
                ? g_uri_parse_params(g_uri_get_query(uri), -1, "&", G_URI_PARAMS_NONE, NULL)
                : NULL;
    socket = query ? g_hash_table_lookup(query, "socket") : NULL;
    path = g_uri_get_path(uri);
    path += *path == '/';
    if (*path) {
        blk_options_set(options, "export", path);
    }
    if (strcmp(g_uri_get_scheme(uri), "nbd+unix") == 0) {
        if (!socket) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                        "'%s' has no socket: write nbd+unix:///EXPORT?socket=PATH.", filename);
            return false;
        }
        blk_options_set(options, "server.type", "unix");
        blk_options_set(options, "server.path", socket);
        return true;
    }
    g_autofree char *port =
        g_strdup_printf("%d", g_uri_get_port(uri) > 0 ? g_uri_get_port(uri) : NBD_DEFAULT_PORT);
    const char *host = g_uri_get_host(uri);
    blk_options_set(options, "server.type", "inet");
    blk_options_set(options, "server.host", host && *host ? host : "localhost");
    blk_options_set(options, "server.port", port);
    return true;
}

static bool
nbd_parse_filename(const char *filename, BlkOptions *options, GError **error)
{
    return strstr(filename, "://") ? parse_uri(filename, options, error)
                                   : parse_old_name(filename, options, error);
}

/* ---- connection ---- */

/* No answer will come any more. */
static void
fail_requests(BlkNode *node)
{
    Nbd *nbd = node->state;

    for (unsigned i = 0; i < SLOTS; i++) {
        NbdRequest *request = &nbd->requests[i];
        if (request->used && !request->done) {
            request->lost = request->done = true;
            request->ret = -EIO;
            blk_wake_all(node->context, &request->waiter);
        }
    }
}

static NbdRequest *
find_request(Nbd *nbd, uint64_t handle)
{
    NbdRequest *request = &nbd->requests[handle % SLOTS];

    return handle / SLOTS == nbd->generation && request->used && !request->done ? request : NULL;
}

static void
complete(BlkNode *node, NbdRequest *request)
{
    request->done = true;
    blk_wake_all(node->context, &request->waiter);
}

/* A chunk of a read: [offset, offset + len) must lie within what was asked for. */
static bool
is_inside(const NbdRequest *request, uint64_t offset, uint64_t len)
{
    return request->type == NBD_CMD_READ && offset >= request->offset && len <= request->len &&
           offset - request->offset <= request->len - len;
}

static int
read_data_chunk(Nbd *nbd, NbdRequest *request, uint32_t len)
{
    uint8_t head[12];
    uint64_t offset;
    int ret;

    if (len < 8) {
        return -EPROTO;
    }
    ret = nbd_channel_read(nbd->channel, head, 8);
    offset = nbd_get64(head);
    if (ret < 0 || !is_inside(request, offset, len - 8)) {
        return ret < 0 ? ret : -EPROTO;
    }
    return nbd_channel_read_vec(nbd->channel, request->vec,
                                request->at + (offset - request->offset), len - 8);
}

static int
read_hole_chunk(Nbd *nbd, NbdRequest *request, uint32_t len)
{
    uint8_t body[12];
    int ret = len == sizeof(body) ? nbd_channel_read(nbd->channel, body, len) : -EPROTO;

    if (ret < 0) {
        return ret;
    }
    if (!is_inside(request, nbd_get64(body), nbd_get32(body + 8))) {
        return -EPROTO;
    }
    blk_vec_fill(request->vec, request->at + (nbd_get64(body) - request->offset),
                 nbd_get32(body + 8), 0);
    return 0;
}

static int
read_status_chunk(Nbd *nbd, NbdRequest *request, uint32_t len)
{
    uint8_t body[12];
    int ret;

    if (request->type != NBD_CMD_STATUS || len < sizeof(body)) {
        return -EPROTO;
    }
    ret = nbd_channel_read(nbd->channel, body, sizeof(body));
    ret = ret == 0 ? nbd_channel_skip(nbd->channel, len - sizeof(body)) : ret;
    if (ret == 0 && nbd_get32(body) == nbd->agreement.status_context && nbd_get32(body + 4) > 0) {
        uint32_t state = nbd_get32(body + 8);
        request->status->len_bytes = MIN(nbd_get32(body + 4), request->len);
        request->status->flags =
            (state & NBD_STATE_ZERO ? BLK_STATUS_ZERO : BLK_STATUS_DATA) | BLK_STATUS_ALLOCATED;
    }
    return ret;
}

static int
read_error_chunk(Nbd *nbd, NbdRequest *request, uint32_t len)
{
    uint8_t body[6];
    int ret = len >= sizeof(body) ? nbd_channel_read(nbd->channel, body, sizeof(body)) : -EPROTO;

    if (ret == 0) {
        request->ret = nbd_error_from(nbd_get32(body));
        request->ret = request->ret ? request->ret : -EIO;
        ret = nbd_channel_skip(nbd->channel, len - sizeof(body));
    }
    return ret;
}

static int
read_structured(BlkNode *node)
{
    Nbd *nbd = node->state;
    uint8_t head[16];
    int ret = nbd_channel_read(nbd->channel, head, sizeof(head));
    uint16_t flags = nbd_get16(head), type = nbd_get16(head + 2);
    NbdRequest *request = ret == 0 ? find_request(nbd, nbd_get64(head + 4)) : NULL;
    uint32_t len = nbd_get32(head + 12);

    if (!request || len > NBD_MAX_PAYLOAD + 8 || !nbd->agreement.structured) {
        return ret < 0 ? ret : -EPROTO;
    }
    switch (type) {
    case NBD_CHUNK_NONE: ret = len == 0 ? 0 : -EPROTO; break;
    case NBD_CHUNK_DATA: ret = read_data_chunk(nbd, request, len); break;
    case NBD_CHUNK_HOLE: ret = read_hole_chunk(nbd, request, len); break;
    case NBD_CHUNK_STATUS: ret = read_status_chunk(nbd, request, len); break;
    default: ret = type & 0x8000 ? read_error_chunk(nbd, request, len) : -EPROTO; break;
    }
    if (ret == 0 && (flags & NBD_CHUNK_DONE)) {
        complete(node, request);
    }
    return ret;
}

static int
read_simple(BlkNode *node)
{
    Nbd *nbd = node->state;
    uint8_t head[12];
    int ret = nbd_channel_read(nbd->channel, head, sizeof(head));
    NbdRequest *request = ret == 0 ? find_request(nbd, nbd_get64(head + 4)) : NULL;

    if (!request) {
        return ret < 0 ? ret : -EPROTO;
    }
    request->ret = nbd_error_from(nbd_get32(head));
    if (request->type == NBD_CMD_READ && request->ret == 0) {
        if (nbd->agreement.structured) {
            return -EPROTO;
        }
        ret = nbd_channel_read_vec(nbd->channel, request->vec, request->at, request->len);
        if (ret < 0) {
            return ret;
        }
    }
    complete(node, request);
    return 0;
}

static void
reader_fiber(void *opaque)
{
    BlkNode *node = opaque;
    Nbd *nbd = node->state;
    uint8_t magic[4];
    int ret;

    do {
        ret = nbd_channel_read(nbd->channel, magic, sizeof(magic));
        if (ret == 0) {
            ret = nbd_get32(magic) == NBD_SIMPLE_MAGIC       ? read_simple(node)
                  : nbd_get32(magic) == NBD_STRUCTURED_MAGIC ? read_structured(node)
                                                             : -EPROTO;
        }
    } while (ret == 0);
    nbd_channel_shut(nbd->channel);
    nbd->lost_us = g_get_monotonic_time();
    nbd->generation++;
    /* A sender may be in the middle of a request. */
    while (nbd->sending) {
        blk_wait(node->context, &nbd->turn);
    }
    blk_wake_first(node->context, &nbd->turn);
    g_clear_pointer(&nbd->channel, nbd_channel_free);
    nbd->reader_runs = false;
    fail_requests(node);
    blk_wake_all(node->context, &nbd->reader_gone);
}

static bool
connect_once(BlkNode *node, GError **error)
{
    Nbd *nbd = node->state;
    NbdAgreement agreement;
    NbdChannel *channel = nbd_connect(node->context, &nbd->address, error);

    if (!channel) {
        return false;
    }
    NbdWanted wanted = {
        .export = nbd->export ? nbd->export : "",
        .title = node->filename,
        .creds = nbd->creds,
        .hostname = nbd->tls_hostname ? nbd->tls_hostname : nbd->address.host,
        .timeout_s = nbd->open_timeout_s ? MIN(nbd->open_timeout_s, SILENCE_S) : SILENCE_S,
    };
    if (!nbd_negotiate(channel, &wanted, &agreement, error)) {
        nbd_channel_free(channel);
        return false;
    }
    if (node->opened && agreement.size != nbd->agreement.size) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "The NBD export has changed its size.");
        nbd_channel_free(channel);
        return false;
    }
    nbd->agreement = agreement;
    nbd->channel = channel;
    nbd->reader_runs = true;
    blk_context_start(node->context, reader_fiber, node);
    return true;
}

/* One fiber connects, the others wait for it. False when there is no connection in time; those who
 * come soon after that are not kept waiting for the same answer. Without reconnect-delay it is
 * tried once, so that a machine which an error has stopped goes on when the server is back. */
static bool
reconnect(BlkNode *node)
{
    Nbd *nbd = node->state;
    int64_t end_us = nbd->lost_us + (int64_t)nbd->reconnect_delay_s * 1000000;

    while (nbd->connecting) {
        blk_wait(node->context, &nbd->connected);
    }
    if (nbd->channel || nbd->closing) {
        return nbd->channel != NULL;
    }
    if (g_get_monotonic_time() < nbd->retry_us) {
        return false;
    }
    int64_t begun_us = g_get_monotonic_time();
    nbd->connecting = true;
    while (!connect_once(node, NULL) && !nbd->closing && node->graph->drain_depth == 0 &&
           g_get_monotonic_time() < end_us) {
        blk_sleep_ns(node->context, 200 * 1000000);
    }
    nbd->connecting = false;
    /* A server that is silent costs each attempt its patience: at most half of the time. */
    int64_t now_us = g_get_monotonic_time(), spent_us = now_us - begun_us;
    nbd->retry_us = nbd->channel ? 0 : now_us + MAX(spent_us, RETRY_US);
    blk_wake_all(node->context, &nbd->connected);
    return nbd->channel != NULL;
}

/* ---- requests ---- */

static NbdRequest *
take_slot(BlkNode *node)
{
    Nbd *nbd = node->state;

    for (;;) {
        for (unsigned i = 0; i < SLOTS; i++) {
            if (!nbd->requests[i].used) {
                nbd->requests[i].used = true;
                return &nbd->requests[i];
            }
        }
        blk_wait(node->context, &nbd->free_slot);
    }
}

static int
send_request(BlkNode *node, NbdRequest *request)
{
    Nbd *nbd = node->state;
    uint8_t head[NBD_REQUEST_BYTES];
    int ret;

    while (nbd->sending) {
        blk_wait(node->context, &nbd->turn);
    }
    if (!nbd->channel || request->done) {
        blk_wake_first(node->context, &nbd->turn);
        return -EIO;
    }
    nbd->sending = true;
    nbd_put32(head, NBD_REQUEST_MAGIC);
    nbd_put16(head + 4, request->flags);
    nbd_put16(head + 6, request->type);
    nbd_put64(head + 8, nbd->generation * SLOTS + (uint64_t)(request - nbd->requests));
    nbd_put64(head + 16, request->offset);
    nbd_put32(head + 24, request->len);
    ret = nbd_channel_write(nbd->channel, head, sizeof(head));
    if (ret == 0 && request->type == NBD_CMD_WRITE) {
        ret = nbd_channel_write_vec(nbd->channel, request->vec, request->at, request->len);
    }
    if (ret < 0) {
        nbd_channel_shut(nbd->channel); /* the reader notices and tidies up */
    }
    nbd->sending = false;
    blk_wake_first(node->context, &nbd->turn);
    return ret;
}

/* Sends and waits. OUT_LOST: the connection broke. */
static int
run_once(BlkNode *node, const NbdRequest *wanted, bool *out_lost)
{
    NbdRequest *request = take_slot(node);
    Nbd *nbd = node->state;
    int ret;

    *request = *wanted;
    request->used = true;
    ret = send_request(node, request);
    while (ret == 0 && !request->done) {
        blk_wait(node->context, &request->waiter);
    }
    /* Also after a failed send: the reader gives the slot up with the connection. */
    while (ret < 0 && !request->done && nbd->reader_runs) {
        blk_wait(node->context, &request->waiter);
    }
    *out_lost = ret < 0 || request->lost;
    ret = ret < 0 ? -EIO : request->ret;
    request->used = false;
    blk_wake_first(node->context, &nbd->free_slot);
    return ret;
}

static int
run_request(BlkNode *node, const NbdRequest *wanted)
{
    Nbd *nbd = node->state;
    bool lost;
    int ret;

    do {
        if (!nbd->channel && !reconnect(node)) {
            return -EIO;
        }
        ret = run_once(node, wanted, &lost);
    } while (lost && nbd->reconnect_delay_s > 0 && !nbd->closing);
    return ret;
}

/* In pieces the server takes. */
static int
run_pieces(BlkNode *node, NbdRequest wanted, uint64_t len, uint64_t max)
{
    int ret = 0;

    while (len > 0 && ret == 0) {
        wanted.len = (uint32_t)MIN(len, max);
        ret = run_request(node, &wanted);
        wanted.offset += wanted.len;
        wanted.at += wanted.len;
        len -= wanted.len;
    }
    return ret;
}

static int
nbd_read(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    Nbd *nbd = node->state;
    uint64_t size = nbd->agreement.size;
    uint64_t there = offset >= size ? 0 : MIN(len, size - offset);

    if (there < len) {
        blk_vec_fill(vec, at + there, len - there, 0);
    }
    return run_pieces(node,
                      (NbdRequest){ .type = NBD_CMD_READ, .offset = offset, .vec = vec, .at = at },
                      there, nbd->agreement.max_payload);
}

static int
nbd_write(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
          unsigned flags)
{
    Nbd *nbd = node->state;
    NbdRequest wanted = { .type = NBD_CMD_WRITE, .offset = offset, .vec = vec, .at = at };

    if (offset > nbd->agreement.size || len > nbd->agreement.size - offset) {
        return -ENOSPC;
    }
    wanted.flags = flags & BLK_REQ_FUA ? NBD_CMD_FLAG_FUA : 0;
    return run_pieces(node, wanted, len, nbd->agreement.max_payload);
}

static int
nbd_write_zeroes(BlkNode *node, uint64_t offset, uint64_t len, unsigned flags)
{
    Nbd *nbd = node->state;
    NbdRequest wanted = { .type = NBD_CMD_ZEROES, .offset = offset };

    if (!(nbd->agreement.flags & NBD_FLAG_ZEROES)) {
        return -ENOTSUP;
    }
    if (offset > nbd->agreement.size || len > nbd->agreement.size - offset) {
        return -ENOSPC;
    }
    wanted.flags = (flags & BLK_REQ_FUA ? NBD_CMD_FLAG_FUA : 0) |
                   (flags & BLK_REQ_MAY_UNMAP ? 0 : NBD_CMD_FLAG_NO_HOLE);
    return run_pieces(node, wanted, len, 1u << 30);
}

static int
nbd_discard(BlkNode *node, uint64_t offset, uint64_t len)
{
    Nbd *nbd = node->state;

    if (!(nbd->agreement.flags & NBD_FLAG_TRIM) || offset >= nbd->agreement.size) {
        return 0;
    }
    return run_pieces(node, (NbdRequest){ .type = NBD_CMD_TRIM, .offset = offset },
                      MIN(len, nbd->agreement.size - offset), 1u << 30);
}

static int
nbd_flush(BlkNode *node)
{
    Nbd *nbd = node->state;

    if (node->no_flush || !(nbd->agreement.flags & NBD_FLAG_FLUSH)) {
        return 0;
    }
    return run_request(node, &(NbdRequest){ .type = NBD_CMD_FLUSH });
}

static int
nbd_status(BlkNode *node, uint64_t offset, uint64_t len, BlkStatus *out)
{
    Nbd *nbd = node->state;
    NbdRequest wanted = { .type = NBD_CMD_STATUS,
                          .flags = NBD_CMD_FLAG_REQ_ONE,
                          .offset = offset,
                          .len = (uint32_t)MIN(len, 1u << 30),
                          .status = out };
    int ret;

    out->flags = BLK_STATUS_DATA | BLK_STATUS_ALLOCATED | BLK_STATUS_MAPPED;
    out->map_node = node;
    out->map_offset = offset;
    if (!nbd->agreement.has_status) {
        return 0;
    }
    wanted.len -= wanted.len % nbd->agreement.min_block;
    ret = wanted.len > 0 ? run_request(node, &wanted) : 0;
    out->flags |= BLK_STATUS_MAPPED;
    return ret;
}

static int64_t
nbd_get_len(BlkNode *node)
{
    return (int64_t)((Nbd *)node->state)->agreement.size;
}

/* ---- opening ---- */

/* host=, port= and path= are from before there was server=. */
static bool
take_old_keys(Nbd *nbd, GError **error)
{
    if (!nbd->old_host && !nbd->old_port && !nbd->old_path) {
        return true;
    }
    if (nbd->type || nbd->host || nbd->port || nbd->path || !nbd->old_host == !nbd->old_path ||
        (nbd->old_port && !nbd->old_host)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "nbd takes host= and port=, or path=, and then neither the other nor server=.");
        return false;
    }
    nbd->host = g_strdup(nbd->old_host);
    nbd->port = g_strdup(nbd->old_port);
    nbd->path = g_strdup(nbd->old_path);
    return true;
}

static bool
check_address(BlkNode *node, GError **error)
{
    Nbd *nbd = node->state;
    bool is_unix;

    if (!take_old_keys(nbd, error)) {
        return false;
    }
    is_unix = nbd->path && (!nbd->type || strcmp(nbd->type, "unix") == 0);
    if (!is_unix && (!nbd->host || (nbd->type && strcmp(nbd->type, "inet") != 0))) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "nbd needs a server: server.type=inet,server.host=...,server.port=... or "
                    "server.type=unix,server.path=...");
        return false;
    }
    if (nbd->export && strlen(nbd->export) > NBD_MAX_NAME) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "nbd: the name of the export is longer than %d bytes.", NBD_MAX_NAME);
        return false;
    }
    nbd->address = (NbdAddress){ .host = is_unix ? NULL : nbd->host,
                                 .port = is_unix     ? NULL
                                         : nbd->port ? nbd->port
                                                     : (char *)"10809",
                                 .path = is_unix ? nbd->path : NULL };
    g_free(node->filename);
    node->filename =
        is_unix
            ? g_strdup_printf("nbd+unix:///%s?socket=%s", nbd->export ? nbd->export : "", nbd->path)
            : g_strdup_printf("nbd://%s:%s%s%s", nbd->host, nbd->address.port,
                              nbd->export ? "/" : "", nbd->export ? nbd->export : "");
    return true;
}

static bool
nbd_open(BlkNode *node, GError **error)
{
    Nbd *nbd = node->state;
    int64_t end_us = g_get_monotonic_time() + (int64_t)nbd->open_timeout_s * 1000000;
    g_autoptr(GError) cause = NULL;

    if (!check_address(node, error)) {
        return false;
    }
    if (nbd->tls_creds &&
        !(nbd->creds = blk_graph_ref_tls_creds(node->graph, nbd->tls_creds, false, error))) {
        return false;
    }
    while (!connect_once(node, &cause)) {
        if (g_get_monotonic_time() >= end_us) {
            g_propagate_error(error, g_steal_pointer(&cause));
            return false;
        }
        g_clear_error(&cause);
        blk_sleep_ns(node->context, 200 * 1000000);
    }
    if ((nbd->agreement.flags & NBD_FLAG_READ_ONLY) && !node->read_only) {
        if (!node->auto_read_only) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_PERMISSION,
                        "The NBD export %s can only be read: add read-only=on.", node->filename);
            return false;
        }
        node->read_only = true;
    }
    node->limits.write_flags = nbd->agreement.flags & NBD_FLAG_FUA ? BLK_REQ_FUA : 0;
    node->limits.zeroes_flags = node->limits.write_flags | BLK_REQ_MAY_UNMAP;
    return true;
}

static void
nbd_refresh_limits(BlkNode *node)
{
    Nbd *nbd = node->state;
    uint32_t align = nbd->agreement.min_block;

    node->limits.request_align = node->limits.zeroes_align = node->limits.discard_align = align;
}

static void
nbd_close(BlkNode *node)
{
    Nbd *nbd = node->state;

    nbd->closing = true;
    if (nbd->channel) {
        uint8_t head[NBD_REQUEST_BYTES] = { 0 };
        nbd_put32(head, NBD_REQUEST_MAGIC);
        nbd_put16(head + 6, NBD_CMD_DISCONNECT);
        nbd_channel_write(nbd->channel, head, sizeof(head));
        if (nbd->channel) {
            nbd_channel_shut(nbd->channel);
        }
    }
    while (nbd->reader_runs) {
        blk_wait(node->context, &nbd->reader_gone);
    }
    g_clear_pointer(&nbd->creds, vit_tls_creds_unref);
}

static const VitProp options[] = {
    VIT_PROP_STRING(Nbd, type, "server.type", NULL, VIT_N_("inet or unix")),
    VIT_PROP_STRING(Nbd, host, "server.host", NULL, VIT_N_("Host of the server")),
    VIT_PROP_STRING(Nbd, port, "server.port", NULL, VIT_N_("Its port, 10809 if not given")),
    VIT_PROP_STRING(Nbd, path, "server.path", NULL, VIT_N_("Its unix socket")),
    VIT_PROP_STRING(Nbd, old_host, "host", NULL, VIT_N_("The same as server.host")),
    VIT_PROP_STRING(Nbd, old_port, "port", NULL, VIT_N_("The same as server.port")),
    VIT_PROP_STRING(Nbd, old_path, "path", NULL, VIT_N_("The same as server.path")),
    VIT_PROP_STRING(Nbd, export, "export", NULL, VIT_N_("Name of the export")),
    VIT_PROP_STRING(Nbd, tls_creds, "tls-creds", NULL, VIT_N_("Credentials for TLS")),
    VIT_PROP_STRING(Nbd, tls_hostname, "tls-hostname", NULL,
                    VIT_N_("What the server's certificate has to be for, if not the host")),
    VIT_PROP_UINT(Nbd, reconnect_delay_s, "reconnect-delay", 0, 0, UINT32_MAX,
                  VIT_N_("How long requests wait for a broken connection to come back"),
                  .unit = "s"),
    VIT_PROP_UINT(Nbd, open_timeout_s, "open-timeout", 0, 0, UINT32_MAX,
                  VIT_N_("How long the first connection is tried"), .unit = "s"),
    { 0 },
};

static const char *const schemes[] = { "nbd", "nbd+tcp", "nbd+unix", NULL };

const BlkDriver blk_nbd_driver = {
    .name = "nbd",
    .title = VIT_N_("Export of an NBD server"),
    .role = BLK_ROLE_PROTOCOL,
    .state_size = sizeof(Nbd),
    .options = options,
    .schemes = schemes,
    .parse_filename = nbd_parse_filename,
    .holds_images = true,
    .open = nbd_open,
    .close = nbd_close,
    .read = nbd_read,
    .write = nbd_write,
    .write_zeroes = nbd_write_zeroes,
    .discard = nbd_discard,
    .flush = nbd_flush,
    .status = nbd_status,
    .get_len = nbd_get_len,
    .refresh_limits = nbd_refresh_limits,
};
