/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* One client of the NBD server: the agreement, then its requests, each in a fiber of its own, up
 * to MOST_REQUESTS at once. Structured replies, base:allocation and qemu:dirty-bitmap:NAME are
 * offered. Specification: "The NBD protocol". What the client says is checked before anything is
 * allocated or done; who does not keep to the protocol, or stays silent, is hung up on.
 * With credentials everything but STARTTLS waits until the talk is encrypted.
 * Thread: in fibers, the graph's lock held. */

#include "nbd-server.h"
#include "nbd-wire.h"

#include "blk-graph-private.h"

#include <stdlib.h>

enum {
    SILENCE_S = 20,
    MOST_REQUESTS = 16,
    MOST_CONTEXTS = 8,
    MOST_EXTENTS = 1024,
    BASE_CONTEXT = 0
};

typedef struct NbdSession {
    BlkGraph *graph;
    NbdChannel *channel;
    BlkExport *export;
    bool no_zeroes, structured;
    /* Chosen by the client: BASE_CONTEXT, or 1 + index of a bitmap. */
    unsigned contexts[MOST_CONTEXTS], context_count;
    unsigned running;
    bool sending;
    BlkWaitQueue turn, fewer;
} NbdSession;

/* ---- the agreement ---- */

static int
reply(NbdSession *session, uint32_t option, uint32_t type, const void *data, uint32_t len)
{
    g_autofree uint8_t *buf = g_malloc(20 + len);

    nbd_put64(buf, NBD_REPLY_MAGIC);
    nbd_put32(buf + 8, option);
    nbd_put32(buf + 12, type);
    nbd_put32(buf + 16, len);
    if (len > 0) {
        memcpy(buf + 20, data, len);
    }
    return nbd_channel_write(session->channel, buf, 20 + len);
}

static uint16_t
export_flags(const BlkExport *export)
{
    uint16_t flags =
        NBD_FLAG_HAS_FLAGS | NBD_FLAG_FLUSH | NBD_FLAG_FUA | NBD_FLAG_MULTI_CONN | NBD_FLAG_CACHE;

    return flags | (export->writable ? NBD_FLAG_TRIM | NBD_FLAG_ZEROES | NBD_FLAG_FAST_ZERO
                                     : NBD_FLAG_READ_ONLY);
}

static uint64_t
export_size(const BlkExport *export)
{
    return blk_node_get_len(export->edge->node);
}

static int
send_list(NbdSession *session, uint32_t option, uint32_t len)
{
    int ret = 0;

    if (len > 0) {
        return reply(session, option, NBD_REP_ERR_INVALID, NULL, 0);
    }
    for (unsigned i = 0; i < session->graph->exports->len && ret == 0; i++) {
        const BlkExport *export = g_ptr_array_index(session->graph->exports, i);
        uint32_t name_len = (uint32_t)strlen(export->name);
        uint32_t text_len = export->description ? (uint32_t)strlen(export->description) : 0;
        g_autofree uint8_t *data = g_malloc(4 + name_len + text_len);
        nbd_put32(data, name_len);
        memcpy(data + 4, export->name, name_len);
        if (text_len > 0) {
            memcpy(data + 4 + name_len, export->description, text_len);
        }
        ret = reply(session, option, NBD_REP_SERVER, data, 4 + name_len + text_len);
    }
    return ret < 0 ? ret : reply(session, option, NBD_REP_ACK, NULL, 0);
}

/* A counted name at *AT; NULL when there is none. Ownership: caller. */
static char *
take_name(const uint8_t **at, const uint8_t *end)
{
    uint32_t len;
    char *name;

    if (end - *at < 4) {
        return NULL;
    }
    len = nbd_get32(*at);
    if (len > NBD_MAX_NAME || len > (size_t)(end - *at - 4)) {
        return NULL;
    }
    name = g_strndup((const char *)*at + 4, len);
    *at += 4 + len;
    return name;
}

static int
send_info(NbdSession *session, uint32_t option, const BlkExport *export)
{
    uint32_t align = export->edge->node->limits.request_align;
    uint8_t info[14];
    int ret;

    nbd_put16(info, NBD_INFO_BLOCK_SIZE);
    nbd_put32(info + 2, 1);
    nbd_put32(info + 6, MAX(align, 4096));
    nbd_put32(info + 10, NBD_MAX_PAYLOAD);
    ret = reply(session, option, NBD_REP_INFO, info, 14);
    if (ret == 0 && export->description) {
        uint32_t len = (uint32_t)strlen(export->description);
        g_autofree uint8_t *text = g_malloc(2 + len);
        nbd_put16(text, NBD_INFO_DESCRIPTION);
        memcpy(text + 2, export->description, len);
        ret = reply(session, option, NBD_REP_INFO, text, 2 + len);
    }
    nbd_put16(info, NBD_INFO_EXPORT);
    nbd_put64(info + 2, export_size(export));
    nbd_put16(info + 10,
              (uint16_t)(export_flags(export) | (session->structured ? NBD_FLAG_DF : 0)));
    ret = ret == 0 ? reply(session, option, NBD_REP_INFO, info, 12) : ret;
    return ret == 0 ? reply(session, option, NBD_REP_ACK, NULL, 0) : ret;
}

static int
handle_go(NbdSession *session, uint32_t option, const uint8_t *data, uint32_t len, bool *out_done)
{
    const uint8_t *at = data, *end = data + len;
    g_autofree char *name = take_name(&at, end);
    BlkExport *export = name ? nbd_export_by_name(session->graph, name) : NULL;
    int ret;

    if (!name || end - at < 2 || (size_t)(end - at - 2) != 2u * nbd_get16(at)) {
        return reply(session, option, NBD_REP_ERR_INVALID, NULL, 0);
    }
    if (!export) {
        static const char text[] = "no such export";
        return reply(session, option, NBD_REP_ERR_UNKNOWN, text, sizeof(text) - 1);
    }
    ret = send_info(session, option, export);
    if (option == NBD_OPT_GO && ret == 0) {
        session->export = export;
        *out_done = true;
    }
    return ret;
}

static char *
context_name(const BlkExport *export, unsigned context)
{
    return context == BASE_CONTEXT
               ? g_strdup("base:allocation")
               : g_strconcat("qemu:dirty-bitmap:",
                             (char *)g_ptr_array_index(export->bitmaps, context - 1), NULL);
}

/* "base:" and "qemu:" ask for all of a kind when listing. */
static bool
matches(const char *query, const char *name, bool list)
{
    size_t len = strlen(query);

    return strcmp(query, name) == 0 ||
           (list && len > 0 && query[len - 1] == ':' && g_str_has_prefix(name, query));
}

static int
send_context(NbdSession *session, uint32_t option, const BlkExport *export, unsigned context)
{
    g_autofree char *name = context_name(export, context);
    uint32_t len = (uint32_t)strlen(name);
    g_autofree uint8_t *data = g_malloc(4 + len);

    nbd_put32(data, option == NBD_OPT_SET_META ? context : 0);
    memcpy(data + 4, name, len);
    if (option == NBD_OPT_SET_META) {
        session->contexts[session->context_count++] = context;
    }
    return reply(session, option, NBD_REP_META_CONTEXT, data, 4 + len);
}

static bool
is_chosen(const NbdSession *session, unsigned context)
{
    for (unsigned i = 0; i < session->context_count; i++) {
        if (session->contexts[i] == context) {
            return true;
        }
    }
    return false;
}

static int
answer_query(NbdSession *session, uint32_t option, const BlkExport *export, const char *query)
{
    bool list = option == NBD_OPT_LIST_META;
    int ret = 0;

    for (unsigned context = 0; context <= export->bitmaps->len && ret == 0; context++) {
        g_autofree char *name = context_name(export, context);
        if (matches(query, name, list) &&
            (list || (session->context_count < MOST_CONTEXTS && !is_chosen(session, context)))) {
            ret = send_context(session, option, export, context);
        }
    }
    return ret;
}

static int
handle_meta(NbdSession *session, uint32_t option, const uint8_t *data, uint32_t len)
{
    const uint8_t *at = data, *end = data + len;
    g_autofree char *name = take_name(&at, end);
    BlkExport *export = name ? nbd_export_by_name(session->graph, name) : NULL;
    uint32_t count;
    int ret = 0;

    if (!name || end - at < 4 || !session->structured) {
        return reply(session, option, NBD_REP_ERR_INVALID, NULL, 0);
    }
    if (!export) {
        return reply(session, option, NBD_REP_ERR_UNKNOWN, NULL, 0);
    }
    count = nbd_get32(at);
    at += 4;
    if (option == NBD_OPT_SET_META) {
        session->context_count = 0;
    }
    for (unsigned context = 0;
         option == NBD_OPT_LIST_META && count == 0 && context <= export->bitmaps->len && ret == 0;
         context++) {
        ret = send_context(session, option, export, context);
    }
    for (uint32_t i = 0; i < count && ret == 0; i++) {
        g_autofree char *query = take_name(&at, end);
        if (!query) {
            return reply(session, option, NBD_REP_ERR_INVALID, NULL, 0);
        }
        ret = answer_query(session, option, export, query);
    }
    return ret == 0 ? reply(session, option, NBD_REP_ACK, NULL, 0) : ret;
}

static int
handle_export_name(NbdSession *session, const uint8_t *data, uint32_t len, bool *out_done)
{
    g_autofree char *name = g_strndup((const char *)data, len);
    uint8_t answer[134] = { 0 };

    session->export = nbd_export_by_name(session->graph, name);
    if (!session->export) {
        return -ENOENT; /* this option has no way to say so */
    }
    *out_done = true;
    nbd_put64(answer, export_size(session->export));
    nbd_put16(answer + 8,
              (uint16_t)(export_flags(session->export) | (session->structured ? NBD_FLAG_DF : 0)));
    return nbd_channel_write(session->channel, answer, session->no_zeroes ? 10 : 134);
}

static int
handle_starttls(NbdSession *session, uint32_t len)
{
    VitTlsCreds *creds = nbd_server_creds(session->graph);
    g_autofree char *peer = NULL;
    g_autoptr(GError) error = NULL;
    int ret;

    if (len > 0 || !creds || nbd_channel_is_encrypted(session->channel)) {
        return reply(session, NBD_OPT_STARTTLS,
                     len > 0 || creds ? NBD_REP_ERR_INVALID : NBD_REP_ERR_POLICY, NULL, 0);
    }
    ret = reply(session, NBD_OPT_STARTTLS, NBD_REP_ACK, NULL, 0);
    if (ret < 0) {
        return ret;
    }
    if (!nbd_channel_start_tls(session->channel, creds, NULL, &error)) {
        g_info("NBD client: %s", error->message);
        return -EPROTO;
    }
    peer = nbd_channel_dup_peer(session->channel);
    return blk_graph_is_authorised(session->graph, nbd_server_authz(session->graph), peer)
               ? 0
               : -EACCES;
}

/* What may be said before the talk is encrypted, when it has to be. */
static bool
is_early(const NbdSession *session, uint32_t option)
{
    return !nbd_server_creds(session->graph) || nbd_channel_is_encrypted(session->channel) ||
           option == NBD_OPT_STARTTLS || option == NBD_OPT_ABORT;
}

static int
handle_option(NbdSession *session, uint32_t option, const uint8_t *data, uint32_t len,
              bool *out_done)
{
    if (!is_early(session, option)) {
        return option == NBD_OPT_EXPORT_NAME
                   ? -EACCES
                   : reply(session, option, NBD_REP_ERR_TLS_REQD, NULL, 0);
    }
    switch (option) {
    case NBD_OPT_STARTTLS: return handle_starttls(session, len);
    case NBD_OPT_EXPORT_NAME: return handle_export_name(session, data, len, out_done);
    case NBD_OPT_ABORT: reply(session, option, NBD_REP_ACK, NULL, 0); return -ECONNABORTED;
    case NBD_OPT_LIST: return send_list(session, option, len);
    case NBD_OPT_INFO:
    case NBD_OPT_GO: return handle_go(session, option, data, len, out_done);
    case NBD_OPT_STRUCTURED_REPLY:
        session->structured |= len == 0;
        return reply(session, option, len ? NBD_REP_ERR_INVALID : NBD_REP_ACK, NULL, 0);
    case NBD_OPT_LIST_META:
    case NBD_OPT_SET_META: return handle_meta(session, option, data, len);
    default: return reply(session, option, NBD_REP_ERR_UNSUP, NULL, 0);
    }
}

static int
greet(NbdSession *session)
{
    uint8_t hello[18], flags[4];
    int ret;

    nbd_put64(hello, NBD_MAGIC);
    nbd_put64(hello + 8, NBD_OPTION_MAGIC);
    nbd_put16(hello + 16, NBD_HELLO_FIXED | NBD_HELLO_NO_ZEROES);
    ret = nbd_channel_write(session->channel, hello, sizeof(hello));
    ret = ret == 0 ? nbd_channel_read(session->channel, flags, sizeof(flags)) : ret;
    if (ret == 0 && (nbd_get32(flags) & ~3u)) {
        return -EPROTO;
    }
    session->no_zeroes = nbd_get32(flags) & NBD_HELLO_NO_ZEROES;
    return ret;
}

static int
agree(NbdSession *session)
{
    int ret = greet(session);
    bool done = false;

    while (ret == 0 && !done) {
        uint8_t head[16];
        uint32_t len;
        ret = nbd_channel_read(session->channel, head, sizeof(head));
        if (ret < 0) {
            break;
        }
        len = nbd_get32(head + 12);
        if (nbd_get64(head) != NBD_OPTION_MAGIC || len > NBD_MAX_OPTION) {
            return -EPROTO;
        }
        g_autofree uint8_t *data = g_malloc(MAX(len, 1));
        ret = nbd_channel_read(session->channel, data, len);
        ret = ret == 0 ? handle_option(session, nbd_get32(head + 8), data, len, &done) : ret;
    }
    return ret;
}

/* ---- requests ---- */

typedef struct Request {
    NbdSession *session;
    uint16_t flags, type;
    uint64_t handle, offset;
    uint32_t len;
    uint8_t *buf;
} Request;

static void
take_turn(NbdSession *session)
{
    while (session->sending) {
        blk_wait(session->graph->context, &session->turn);
    }
    session->sending = true;
}

static void
give_turn(NbdSession *session)
{
    session->sending = false;
    blk_wake_first(session->graph->context, &session->turn);
}

static int
send_parts(NbdSession *session, const void *head, size_t head_len, const void *body,
           size_t body_len)
{
    struct iovec iov[2] = { { (void *)head, head_len }, { (void *)body, body_len } };
    BlkVec vec = blk_vec_make(iov, body_len ? 2 : 1);
    int ret;

    take_turn(session);
    ret = nbd_channel_write_vec(session->channel, &vec, 0, head_len + body_len);
    if (ret < 0) {
        nbd_channel_shut(session->channel);
    }
    give_turn(session);
    return ret;
}

static void
send_simple(const Request *request, int err, const void *data, size_t len)
{
    uint8_t head[16];

    nbd_put32(head, NBD_SIMPLE_MAGIC);
    nbd_put32(head + 4, nbd_error_of(err));
    nbd_put64(head + 8, request->handle);
    send_parts(request->session, head, sizeof(head), data, err ? 0 : len);
}

static void
put_chunk(uint8_t *head, const Request *request, uint16_t flags, uint16_t type, uint32_t len)
{
    nbd_put32(head, NBD_STRUCTURED_MAGIC);
    nbd_put16(head + 4, flags);
    nbd_put16(head + 6, type);
    nbd_put64(head + 8, request->handle);
    nbd_put32(head + 16, len);
}

static void
send_error(const Request *request, int err)
{
    uint8_t head[26];

    if (!request->session->structured) {
        send_simple(request, err, NULL, 0);
        return;
    }
    put_chunk(head, request, NBD_CHUNK_DONE, NBD_CHUNK_ERROR, 6);
    nbd_put32(head + 20, nbd_error_of(err));
    nbd_put16(head + 24, 0);
    send_parts(request->session, head, sizeof(head), NULL, 0);
}

static void
send_done(const Request *request)
{
    uint8_t head[20];

    if (!request->session->structured) {
        send_simple(request, 0, NULL, 0);
        return;
    }
    put_chunk(head, request, NBD_CHUNK_DONE, NBD_CHUNK_NONE, 0);
    send_parts(request->session, head, sizeof(head), NULL, 0);
}

static void
send_data(const Request *request)
{
    uint8_t head[28];

    if (!request->session->structured) {
        send_simple(request, 0, request->buf, request->len);
        return;
    }
    put_chunk(head, request, NBD_CHUNK_DONE, NBD_CHUNK_DATA, 8 + request->len);
    nbd_put64(head + 20, request->offset);
    send_parts(request->session, head, sizeof(head), request->buf, request->len);
}

/* ---- block status ---- */

typedef struct Extents {
    uint8_t body[4 + MOST_EXTENTS * 8];
    unsigned count, most;
    uint32_t last_flags;
} Extents;

/* False when there is no room. Neighbours that are alike become one. */
static bool
add_extent(Extents *extents, uint64_t len, uint32_t flags)
{
    uint8_t *at;

    if (extents->count > 0 && extents->last_flags == flags) {
        at = extents->body + 4 + (extents->count - 1) * 8;
        if (len <= UINT32_MAX - nbd_get32(at)) {
            nbd_put32(at, nbd_get32(at) + (uint32_t)len);
            return true;
        }
    }
    if (extents->count == extents->most) {
        return false;
    }
    at = extents->body + 4 + extents->count++ * 8;
    nbd_put32(at, (uint32_t)len);
    nbd_put32(at + 4, flags);
    extents->last_flags = flags;
    return true;
}

static int
fill_allocation(const Request *request, Extents *extents)
{
    uint64_t at = request->offset, end = at + request->len;

    while (at < end) {
        BlkStatus status;
        uint32_t flags;
        int ret = blk_get_status(request->session->export->edge, at, end - at, &status);
        if (ret < 0) {
            return ret;
        }
        flags = (status.flags & BLK_STATUS_ALLOCATED ? 0u : NBD_STATE_HOLE) |
                (status.flags & BLK_STATUS_ZERO ? NBD_STATE_ZERO : 0u);
        if ((status.flags & BLK_STATUS_ZERO) && !(status.flags & BLK_STATUS_DATA)) {
            flags |= NBD_STATE_HOLE;
        } else if (status.flags & BLK_STATUS_DATA) {
            flags &= ~(uint32_t)NBD_STATE_HOLE;
        }
        if (!add_extent(extents, status.len_bytes, flags)) {
            break;
        }
        at += status.len_bytes;
    }
    return 0;
}

static int
fill_bitmap(const Request *request, unsigned context, Extents *extents)
{
    const BlkExport *export = request->session->export;
    const BlkBitmap *bitmap =
        blk_bitmap_find(export->edge->node, g_ptr_array_index(export->bitmaps, context - 1));
    uint64_t at = request->offset, end = at + request->len;

    if (!bitmap) {
        return -EIO;
    }
    while (at < end) {
        uint64_t dirty_at = end, dirty_len = 0;
        if (!blk_bitmap_next_run(bitmap, at, &dirty_at, &dirty_len) || dirty_at > end) {
            dirty_at = end;
        }
        if (dirty_at > at && !add_extent(extents, dirty_at - at, 0)) {
            break;
        }
        dirty_len = MIN(dirty_len, end - dirty_at);
        if (dirty_len > 0 && !add_extent(extents, dirty_len, 1)) {
            break;
        }
        at = dirty_at + dirty_len;
    }
    return 0;
}

static void
send_status(const Request *request)
{
    NbdSession *session = request->session;
    g_autofree Extents *extents = g_malloc(sizeof(*extents));

    for (unsigned i = 0; i < session->context_count; i++) {
        bool last = i + 1 == session->context_count;
        uint8_t head[20];
        int ret;

        extents->count = 0;
        extents->most = request->flags & NBD_CMD_FLAG_REQ_ONE ? 1 : MOST_EXTENTS;
        ret = session->contexts[i] == BASE_CONTEXT
                  ? fill_allocation(request, extents)
                  : fill_bitmap(request, session->contexts[i], extents);
        if (ret < 0) {
            send_error(request, -ret);
            return;
        }
        nbd_put32(extents->body, session->contexts[i]);
        put_chunk(head, request, last ? NBD_CHUNK_DONE : 0, NBD_CHUNK_STATUS,
                  4 + extents->count * 8);
        if (send_parts(session, head, sizeof(head), extents->body, 4 + extents->count * 8) < 0) {
            return;
        }
    }
}

/* ---- doing what was asked ---- */

static int
check_request(const Request *request)
{
    const BlkExport *export = request->session->export;
    uint64_t size = export_size(export);

    switch (request->type) {
    case NBD_CMD_FLUSH: return 0;
    case NBD_CMD_WRITE:
    case NBD_CMD_ZEROES:
    case NBD_CMD_TRIM:
        if (!export->writable) {
            return -EPERM;
        }
        break;
    case NBD_CMD_STATUS:
        if (request->session->context_count == 0 || request->len == 0) {
            return -EINVAL;
        }
        break;
    case NBD_CMD_READ:
    case NBD_CMD_CACHE: break;
    default: return -EINVAL;
    }
    if (request->offset > size || request->len > size - request->offset) {
        return request->type == NBD_CMD_WRITE || request->type == NBD_CMD_ZEROES ? -ENOSPC
                                                                                 : -EINVAL;
    }
    return 0;
}

static int
do_request(Request *request)
{
    BlkChild *edge = request->session->export->edge;
    unsigned fua = request->flags & NBD_CMD_FLAG_FUA ? BLK_REQ_FUA : 0;
    int ret;

    switch (request->type) {
    case NBD_CMD_READ:
        if (posix_memalign((void **)&request->buf, 4096, MAX(request->len, 1)) != 0) {
            return -ENOMEM;
        }
        return blk_read_buffer(edge, request->offset, request->buf, request->len);
    case NBD_CMD_WRITE:
        return blk_write_buffer(edge, request->offset, request->buf, request->len, fua);
    case NBD_CMD_ZEROES:
        if (request->flags & NBD_CMD_FLAG_FAST_ZERO) {
            fua |= BLK_REQ_NO_FALLBACK;
        }
        ret =
            blk_write_zeroes(edge, request->offset, request->len,
                             fua | (request->flags & NBD_CMD_FLAG_NO_HOLE ? 0 : BLK_REQ_MAY_UNMAP));
        return ret;
    case NBD_CMD_TRIM:
        ret = blk_discard(edge, request->offset, request->len);
        return ret == 0 && fua ? blk_flush(edge) : ret;
    case NBD_CMD_FLUSH: return blk_flush(edge);
    default: return 0;
    }
}

static void
answer(const Request *request, int ret)
{
    if (ret < 0) {
        send_error(request, -ret);
    } else if (request->type == NBD_CMD_READ) {
        send_data(request);
    } else if (request->type == NBD_CMD_STATUS) {
        send_status(request);
    } else {
        send_done(request);
    }
}

static void
request_fiber(void *opaque)
{
    Request *request = opaque;
    NbdSession *session = request->session;
    BlkExport *export = session->export;
    int ret = check_request(request);

    while (export->drain_depth > 0) {
        blk_wait(session->graph->context, &export->resumed);
    }
    export->in_flight++;
    ret = ret == 0 ? do_request(request) : ret;
    if (request->type != NBD_CMD_STATUS || ret < 0) {
        export->in_flight--;
        answer(request, ret);
    } else {
        answer(request, ret);
        export->in_flight--;
    }
    free(request->buf);
    g_free(request);
    session->running--;
    blk_wake_all(session->graph->context, &session->fewer);
}

/* The next request with its data; negative when the client is gone, 1 when it says goodbye. */
static int
read_request(NbdSession *session, Request *out)
{
    uint8_t head[NBD_REQUEST_BYTES];
    int ret = nbd_channel_read(session->channel, head, sizeof(head));

    if (ret < 0) {
        return ret;
    }
    *out = (Request){ .session = session,
                      .flags = nbd_get16(head + 4),
                      .type = nbd_get16(head + 6),
                      .handle = nbd_get64(head + 8),
                      .offset = nbd_get64(head + 16),
                      .len = nbd_get32(head + 24) };
    if (nbd_get32(head) != NBD_REQUEST_MAGIC) {
        return -EPROTO;
    }
    if (out->type == NBD_CMD_DISCONNECT) {
        return 1;
    }
    if ((out->type == NBD_CMD_READ || out->type == NBD_CMD_WRITE) && out->len > NBD_MAX_PAYLOAD) {
        return -EPROTO;
    }
    if (out->type == NBD_CMD_WRITE) {
        if (posix_memalign((void **)&out->buf, 4096, MAX(out->len, 1)) != 0) {
            return -ENOMEM;
        }
        ret = nbd_channel_read(session->channel, out->buf, out->len);
        if (ret < 0) {
            free(out->buf);
        }
    }
    return ret;
}

static void
serve(NbdSession *session)
{
    Request next;

    while (read_request(session, &next) == 0) {
        session->running++;
        blk_context_start(session->graph->context, request_fiber, g_memdup2(&next, sizeof(next)));
        while (session->running >= MOST_REQUESTS) {
            blk_wait(session->graph->context, &session->fewer);
        }
    }
}

void
nbd_session_run(BlkGraph *graph, NbdChannel *channel)
{
    NbdSession session = { .graph = graph, .channel = channel };
    int ret;

    nbd_channel_limit_time(channel, SILENCE_S);
    ret = agree(&session);
    nbd_channel_unlimit_time(channel);
    if (ret < 0) {
        return;
    }
    session.export->clients++;
    serve(&session);
    while (session.running > 0) {
        blk_wait(graph->context, &session.fewer);
    }
    session.export->clients--;
}
