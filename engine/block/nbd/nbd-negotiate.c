/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The beginning of a connection, on the client's side: fixed newstyle with NBD_OPT_GO where the
 * server has it, else NBD_OPT_EXPORT_NAME; the old style as well. Structured replies and the
 * context base:allocation are asked for. Specification: "The NBD protocol", baseline and
 * "structured replies", "metadata querying". Lengths the server says are bounded before anything is
 * allocated. With credentials nothing is said
 * before STARTTLS. Who stays silent is hung up on after a while. Thread: in a fiber. */

#include "nbd-client.h"

#include "nbd-wire.h"

#include <netdb.h>
#include <stddef.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- connecting, on a worker ---- */

typedef struct ConnectJob {
    const NbdAddress *address;
    int fd;
    const char *reason; /* of a name that cannot be resolved */
} ConnectJob;

static int
connect_unix(ConnectJob *job)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t len = strlen(job->address->path);
    int fd;

    if (len >= sizeof(address.sun_path)) {
        return -ENAMETOOLONG;
    }
    memcpy(address.sun_path, job->address->path, len + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    if (connect(fd, (struct sockaddr *)&address,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1)) < 0) {
        int ret = -errno;
        close(fd);
        return ret;
    }
    job->fd = fd;
    return 0;
}

static int
connect_tcp(ConnectJob *job)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *list;
    int ret = getaddrinfo(job->address->host, job->address->port, &hints, &list), on = 1;

    if (ret != 0) {
        job->reason = gai_strerror(ret);
        return -EHOSTUNREACH;
    }
    ret = -EHOSTUNREACH;
    for (const struct addrinfo *at = list; at; at = at->ai_next) {
        int fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
        if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) == 0) {
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
            setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
            job->fd = fd;
            ret = 0;
            break;
        }
        ret = -errno;
        if (fd >= 0) {
            close(fd);
        }
    }
    freeaddrinfo(list);
    return ret;
}

static int
connect_worker(void *arg)
{
    ConnectJob *job = arg;

    return job->address->path ? connect_unix(job) : connect_tcp(job);
}

NbdChannel *
nbd_connect(BlkContext *context, const NbdAddress *address, GError **error)
{
    ConnectJob job = { .address = address };
    int ret = blk_pool_run(context, connect_worker, &job);

    if (ret < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "Cannot connect to the NBD server %s%s%s: %s.",
                    address->path ? address->path : address->host, address->path ? "" : ":",
                    address->path ? "" : address->port, job.reason ? job.reason : g_strerror(-ret));
        return NULL;
    }
    return nbd_channel_new(context, job.fd);
}

/* ---- negotiating ---- */

typedef struct Talk {
    NbdChannel *channel;
    const char *title; /* of the server, for messages */
    const NbdWanted *wanted;
    GError **error;
} Talk;

static bool
fail(Talk *talk, const char *text)
{
    g_set_error(talk->error, VIT_ERROR, VIT_ERROR_IO, "The NBD server %s %s.", talk->title, text);
    return false;
}

static bool
check(Talk *talk, int ret)
{
    if (ret < 0) {
        g_set_error(talk->error, VIT_ERROR, VIT_ERROR_IO,
                    "The connection to the NBD server %s broke: %s.", talk->title,
                    g_strerror(-ret));
    }
    return ret == 0;
}

static bool
send_option(Talk *talk, uint32_t option, const void *data, uint32_t len)
{
    g_autofree uint8_t *buf = g_malloc(16 + len);

    nbd_put64(buf, NBD_OPTION_MAGIC);
    nbd_put32(buf + 8, option);
    nbd_put32(buf + 12, len);
    if (len > 0) {
        memcpy(buf + 16, data, len);
    }
    return check(talk, nbd_channel_write(talk->channel, buf, 16 + len));
}

/* The reply's type, and its data (ownership: caller), NULL and false when the talk is over. */
static bool
read_reply(Talk *talk, uint32_t option, uint32_t *out_type, uint8_t **out_data, uint32_t *out_len)
{
    uint8_t head[20];

    *out_data = NULL;
    if (!check(talk, nbd_channel_read(talk->channel, head, sizeof(head)))) {
        return false;
    }
    *out_type = nbd_get32(head + 12);
    *out_len = nbd_get32(head + 16);
    if (nbd_get64(head) != NBD_REPLY_MAGIC || nbd_get32(head + 8) != option ||
        *out_len > NBD_MAX_OPTION) {
        return fail(talk, "does not answer as the protocol says");
    }
    *out_data = g_malloc(*out_len + 1);
    (*out_data)[*out_len] = 0;
    return check(talk, nbd_channel_read(talk->channel, *out_data, *out_len));
}

static bool
ask_structured(Talk *talk, NbdAgreement *out)
{
    g_autofree uint8_t *data = NULL;
    uint32_t type, len;

    if (!send_option(talk, NBD_OPT_STRUCTURED_REPLY, NULL, 0) ||
        !read_reply(talk, NBD_OPT_STRUCTURED_REPLY, &type, &data, &len)) {
        return false;
    }
    if (type == NBD_REP_ERR_TLS_REQD) {
        return fail(talk, "accepts only encrypted connections: add tls-creds=ID");
    }
    out->structured = type == NBD_REP_ACK;
    return true;
}

static bool
ask_status_context(Talk *talk, const char *export, NbdAgreement *out)
{
    static const char context[] = "base:allocation";
    uint32_t name_len = (uint32_t)strlen(export), context_len = sizeof(context) - 1;
    uint32_t request_len = 4 + name_len + 4 + 4 + context_len, type, len;
    g_autofree uint8_t *request = g_malloc(request_len);

    nbd_put32(request, name_len);
    memcpy(request + 4, export, name_len);
    nbd_put32(request + 4 + name_len, 1);
    nbd_put32(request + 8 + name_len, context_len);
    memcpy(request + 12 + name_len, context, context_len);
    if (!send_option(talk, NBD_OPT_SET_META, request, request_len)) {
        return false;
    }
    for (;;) {
        g_autofree uint8_t *data = NULL;
        if (!read_reply(talk, NBD_OPT_SET_META, &type, &data, &len)) {
            return false;
        }
        if (type != NBD_REP_META_CONTEXT) {
            return true; /* done, or the server does not have it */
        }
        if (len == 4 + context_len && memcmp(data + 4, context, context_len) == 0) {
            out->has_status = true;
            out->status_context = nbd_get32(data);
        }
    }
}

static void
take_info(NbdAgreement *out, const uint8_t *data, uint32_t len)
{
    if (len == 12 && nbd_get16(data) == NBD_INFO_EXPORT) {
        out->size = nbd_get64(data + 2);
        out->flags = nbd_get16(data + 10);
    } else if (len == 14 && nbd_get16(data) == NBD_INFO_BLOCK_SIZE) {
        out->min_block = nbd_get32(data + 2);
        out->max_payload = nbd_get32(data + 10);
    }
}

static bool
set_refusal(Talk *talk, const char *export, uint32_t type, const uint8_t *data, uint32_t len)
{
    g_autofree char *said = len ? g_utf8_make_valid((const char *)data, MIN(len, 256)) : NULL;

    g_set_error(talk->error, VIT_ERROR,
                type == NBD_REP_ERR_UNKNOWN ? VIT_ERROR_NOT_FOUND : VIT_ERROR_IO,
                type == NBD_REP_ERR_UNKNOWN ? "The NBD server %s has no export '%s'.%s%s"
                : type == NBD_REP_ERR_TLS_REQD
                    ? "The NBD server %s gives '%s' only over encrypted connections: add "
                      "tls-creds=ID.%s%s"
                    : "The NBD server %s refuses the export '%s'.%s%s",
                talk->title, export, said ? " It says: " : "", said ? said : "");
    return false;
}

/* OUT_UNSUPPORTED: the server is too old for this option. */
static bool
go(Talk *talk, const char *export, NbdAgreement *out, bool *out_unsupported)
{
    uint32_t name_len = (uint32_t)strlen(export), request_len = 4 + name_len + 2 + 2, type, len;
    g_autofree uint8_t *request = g_malloc(request_len);

    nbd_put32(request, name_len);
    memcpy(request + 4, export, name_len);
    nbd_put16(request + 4 + name_len, 1);
    nbd_put16(request + 6 + name_len, NBD_INFO_BLOCK_SIZE);
    if (!send_option(talk, NBD_OPT_GO, request, request_len)) {
        return false;
    }
    for (;;) {
        g_autofree uint8_t *data = NULL;
        if (!read_reply(talk, NBD_OPT_GO, &type, &data, &len)) {
            return false;
        }
        if (type == NBD_REP_INFO) {
            take_info(out, data, len);
        } else if (type == NBD_REP_ERR_UNSUP) {
            *out_unsupported = true;
            return true;
        } else {
            return type == NBD_REP_ACK || set_refusal(talk, export, type, data, len);
        }
    }
}

static bool
ask_export_name(Talk *talk, const char *export, bool no_zeroes, NbdAgreement *out)
{
    uint8_t answer[10];

    if (!send_option(talk, NBD_OPT_EXPORT_NAME, export, (uint32_t)strlen(export)) ||
        !check(talk, nbd_channel_read(talk->channel, answer, sizeof(answer))) ||
        !(no_zeroes || check(talk, nbd_channel_skip(talk->channel, 124)))) {
        return false;
    }
    out->size = nbd_get64(answer);
    out->flags = nbd_get16(answer + 8);
    return true;
}

static bool
start_tls(Talk *talk)
{
    g_autofree uint8_t *data = NULL;
    g_autoptr(GError) cause = NULL;
    uint32_t type, len;

    if (!send_option(talk, NBD_OPT_STARTTLS, NULL, 0) ||
        !read_reply(talk, NBD_OPT_STARTTLS, &type, &data, &len)) {
        return false;
    }
    if (type != NBD_REP_ACK) {
        return fail(talk, "does not encrypt, but credentials (tls-creds=) were given");
    }
    if (!nbd_channel_start_tls(talk->channel, talk->wanted->creds, talk->wanted->hostname,
                               &cause)) {
        g_set_error(talk->error, VIT_ERROR, cause->code, "The NBD server %s: %s", talk->title,
                    cause->message);
        return false;
    }
    return true;
}

static bool
negotiate_new(Talk *talk, const char *export, NbdAgreement *out)
{
    bool unsupported = false;
    uint8_t buf[4];
    uint16_t hello;

    if (!check(talk, nbd_channel_read(talk->channel, buf, 2))) {
        return false;
    }
    hello = nbd_get16(buf);
    nbd_put32(buf, hello & (NBD_HELLO_FIXED | NBD_HELLO_NO_ZEROES));
    if (!check(talk, nbd_channel_write(talk->channel, buf, 4))) {
        return false;
    }
    if (talk->wanted->creds && (!(hello & NBD_HELLO_FIXED) || !start_tls(talk))) {
        return hello & NBD_HELLO_FIXED ? false : fail(talk, "is too old for encryption");
    }
    if (!(hello & NBD_HELLO_FIXED)) {
        return ask_export_name(talk, export, hello & NBD_HELLO_NO_ZEROES, out);
    }
    if (!ask_structured(talk, out) || (out->structured && !ask_status_context(talk, export, out)) ||
        !go(talk, export, out, &unsupported)) {
        return false;
    }
    return !unsupported || ask_export_name(talk, export, hello & NBD_HELLO_NO_ZEROES, out);
}

static bool
negotiate_old(Talk *talk, const char *export, NbdAgreement *out)
{
    uint8_t rest[136];

    if (*export || talk->wanted->creds) {
        return fail(talk, *export ? "is of the old sort that has no names of exports"
                                  : "is too old for encryption");
    }
    if (!check(talk, nbd_channel_read(talk->channel, rest, sizeof(rest)))) {
        return false;
    }
    out->size = nbd_get64(rest);
    out->flags = (uint16_t)nbd_get32(rest + 8);
    return true;
}

static bool
check_agreement(Talk *talk, NbdAgreement *out)
{
    if (out->size > INT64_MAX) {
        return fail(talk, "says a size that cannot be");
    }
    if (out->min_block == 0) {
        out->min_block = 1;
    }
    if (out->min_block > 65536 || (out->min_block & (out->min_block - 1))) {
        return fail(talk, "wants blocks of a size that cannot be");
    }
    if (out->max_payload < out->min_block || out->max_payload > NBD_MAX_PAYLOAD) {
        out->max_payload = NBD_MAX_PAYLOAD;
    }
    out->max_payload &= ~(out->min_block - 1);
    return true;
}

static bool
negotiate(Talk *talk, NbdAgreement *out)
{
    const char *export = talk->wanted->export;
    uint8_t magic[16];
    bool ok;

    *out = (NbdAgreement){ 0 };
    if (!check(talk, nbd_channel_read(talk->channel, magic, sizeof(magic)))) {
        return false;
    }
    if (nbd_get64(magic) != NBD_MAGIC) {
        return fail(talk, "is none: it does not greet as one");
    }
    if (nbd_get64(magic + 8) == NBD_OPTION_MAGIC) {
        ok = negotiate_new(talk, export, out);
    } else if (nbd_get64(magic + 8) == NBD_OLD_MAGIC) {
        ok = negotiate_old(talk, export, out);
    } else {
        return fail(talk, "speaks a version nobody knows");
    }
    return ok && check_agreement(talk, out);
}

bool
nbd_negotiate(NbdChannel *channel, const NbdWanted *wanted, NbdAgreement *out, GError **error)
{
    Talk talk = { channel, wanted->title, wanted, error };
    bool ok;

    nbd_channel_limit_time(channel, wanted->timeout_s);
    ok = negotiate(&talk, out);
    nbd_channel_unlimit_time(channel);
    return ok;
}
