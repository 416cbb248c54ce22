/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The protocol drivers "http", "https", "ftp" and "ftps": files of servers, read only, by libcurl.
 *
 * Requests are made by pool workers, each with a libcurl handle of a small set, so that
 * connections are kept. A server that does not say how long the file is, or cannot give parts of
 * it, is refused. What is read ahead is kept in a few buffers of `readahead` bytes.
 *
 * Names: the URL itself. Specification: libcurl's manual, RFC 9110 section 14 (ranges).
 * Thread: the lock of the node's context held; transfer() runs on workers. */

#include "blk-graph-private.h"

#include "curl-library.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { HANDLES = 4, BUFFERS = 8 };

typedef struct CurlBuffer {
    uint64_t offset, len; /* len 0: free */
    uint8_t *bytes;
    uint64_t used; /* when, for the choice of a victim */
} CurlBuffer;

typedef struct Curl {
    /* options */
    char *url, *username, *password_secret, *proxy_username, *proxy_password_secret;
    char *cookie, *cookie_secret;
    uint64_t readahead;
    uint32_t timeout_s;
    bool sslverify, force_range;
    /* state */
    char *password, *proxy_password, *cookies;
    uint64_t len;
    CURL *handles[HANDLES];
    bool busy[HANDLES];
    BlkWaitQueue free_handle;
    CurlBuffer buffers[BUFFERS];
    uint64_t clock;
    CurlLibrary library;
} Curl;

/* One request, on a worker. */
typedef struct Transfer {
    Curl *curl;
    CURL *handle;
    uint64_t offset, len;
    uint8_t *buf;
    uint64_t got;
    bool accepts_ranges;
    long status;
    curl_off_t total;
    char message[CURL_ERROR_SIZE];
} Transfer;

static size_t
take_data(char *data, size_t size, size_t count, void *opaque)
{
    Transfer *transfer = opaque;
    size_t len = size * count;

    if (len > transfer->len - transfer->got) {
        return 0; /* more than was asked for: the server ignores ranges */
    }
    memcpy(transfer->buf + transfer->got, data, len);
    transfer->got += len;
    return len;
}

/* Without a body libcurl still gives what an FTP server says of the file as if it were data. */
static size_t
drop_data(char *data, size_t size, size_t count, void *opaque)
{
    return size * count;
}

static size_t
take_header(char *data, size_t size, size_t count, void *opaque)
{
    Transfer *transfer = opaque;
    g_autofree char *line = g_strndup(data, size * count);

    if (g_ascii_strncasecmp(line, "accept-ranges:", 14) == 0 && strstr(line + 14, "bytes")) {
        transfer->accepts_ranges = true;
    }
    return size * count;
}

static void
set_common(Transfer *transfer)
{
    const Curl *curl = transfer->curl;
    CURL *handle = transfer->handle;
    __typeof__(curl->library.setopt) set = curl->library.setopt;
    bool is_ftp = g_str_has_prefix(curl->url, "ftp");

    curl->library.reset(handle);
    set(handle, CURLOPT_URL, curl->url);
    set(handle, CURLOPT_NOSIGNAL, 1L);
    set(handle, CURLOPT_FAILONERROR, 1L);
    set(handle, CURLOPT_FOLLOWLOCATION, 1L);
    set(handle, CURLOPT_MAXREDIRS, 8L);
    set(handle, CURLOPT_PROTOCOLS_STR, is_ftp ? "ftp,ftps" : "http,https");
    set(handle, CURLOPT_REDIR_PROTOCOLS_STR, is_ftp ? "ftp,ftps" : "http,https");
    set(handle, CURLOPT_TIMEOUT, (long)curl->timeout_s);
    set(handle, CURLOPT_SSL_VERIFYPEER, curl->sslverify ? 1L : 0L);
    set(handle, CURLOPT_SSL_VERIFYHOST, curl->sslverify ? 2L : 0L);
    set(handle, CURLOPT_ERRORBUFFER, transfer->message);
    set(handle, CURLOPT_WRITEFUNCTION, take_data);
    set(handle, CURLOPT_WRITEDATA, transfer);
    set(handle, CURLOPT_USERNAME, curl->username);
    set(handle, CURLOPT_PASSWORD, curl->password);
    set(handle, CURLOPT_PROXYUSERNAME, curl->proxy_username);
    set(handle, CURLOPT_PROXYPASSWORD, curl->proxy_password);
    set(handle, CURLOPT_COOKIE, curl->cookies ? curl->cookies : curl->cookie);
}

static int
run_head(void *arg)
{
    Transfer *transfer = arg;
    const CurlLibrary *library = &transfer->curl->library;
    CURLcode code;

    set_common(transfer);
    library->setopt(transfer->handle, CURLOPT_NOBODY, 1L);
    library->setopt(transfer->handle, CURLOPT_WRITEFUNCTION, drop_data);
    library->setopt(transfer->handle, CURLOPT_HEADERFUNCTION, take_header);
    library->setopt(transfer->handle, CURLOPT_HEADERDATA, transfer);
    code = library->perform(transfer->handle);
    library->getinfo(transfer->handle, CURLINFO_RESPONSE_CODE, &transfer->status);
    library->getinfo(transfer->handle, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &transfer->total);
    if (code != CURLE_OK && !*transfer->message) {
        g_strlcpy(transfer->message, library->strerror(code), sizeof(transfer->message));
    }
    return code == CURLE_OK ? 0 : -EIO;
}

static int
run_read(void *arg)
{
    Transfer *transfer = arg;
    const CurlLibrary *library = &transfer->curl->library;
    char range[48];
    CURLcode code;

    g_snprintf(range, sizeof(range), "%" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT, transfer->offset,
               transfer->offset + transfer->len - 1);
    set_common(transfer);
    library->setopt(transfer->handle, CURLOPT_RANGE, range);
    code = library->perform(transfer->handle);
    return code == CURLE_OK && transfer->got == transfer->len ? 0 : -EIO;
}

/* ---- handles and buffers ---- */

static unsigned
take_handle(BlkNode *node)
{
    Curl *curl = node->state;

    for (;;) {
        for (unsigned i = 0; i < HANDLES; i++) {
            if (!curl->busy[i]) {
                curl->busy[i] = true;
                return i;
            }
        }
        blk_wait(node->context, &curl->free_handle);
    }
}

static int
run(BlkNode *node, Transfer *transfer, int (*func)(void *arg))
{
    Curl *curl = node->state;
    unsigned i = take_handle(node);
    int ret;

    if (!curl->handles[i]) {
        curl->handles[i] = curl->library.init();
    }
    transfer->curl = curl;
    transfer->handle = curl->handles[i];
    ret = transfer->handle ? blk_pool_run(node->context, func, transfer) : -ENOMEM;
    curl->busy[i] = false;
    blk_wake_first(node->context, &curl->free_handle);
    return ret;
}

static CurlBuffer *
find_buffer(Curl *curl, uint64_t offset)
{
    for (unsigned i = 0; i < BUFFERS; i++) {
        CurlBuffer *buffer = &curl->buffers[i];
        if (offset >= buffer->offset && offset - buffer->offset < buffer->len) {
            buffer->used = ++curl->clock;
            return buffer;
        }
    }
    return NULL;
}

static void
keep_buffer(Curl *curl, uint8_t *bytes, uint64_t offset, uint64_t len)
{
    CurlBuffer *victim = &curl->buffers[0];

    for (unsigned i = 1; i < BUFFERS; i++) {
        if (curl->buffers[i].used < victim->used) {
            victim = &curl->buffers[i];
        }
    }
    g_free(victim->bytes);
    *victim = (CurlBuffer){ .offset = offset, .len = len, .bytes = bytes, .used = ++curl->clock };
}

/* At most what one transfer brings; how many bytes, or a negative errno. */
static int64_t
read_some(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    Curl *curl = node->state;
    const CurlBuffer *buffer = find_buffer(curl, offset);
    uint64_t want = MIN(MAX(len, curl->readahead), curl->len - offset);
    Transfer transfer = { .offset = offset, .len = want };
    int ret;

    if (buffer) {
        uint64_t skip = offset - buffer->offset;
        len = MIN(len, buffer->len - skip);
        blk_vec_scatter(vec, at, buffer->bytes + skip, len);
        return (int64_t)len;
    }
    transfer.buf = g_try_malloc(want);
    if (!transfer.buf) {
        return -ENOMEM;
    }
    ret = run(node, &transfer, run_read);
    if (ret < 0) {
        g_free(transfer.buf);
        return ret;
    }
    len = MIN(len, want);
    blk_vec_scatter(vec, at, transfer.buf, len);
    keep_buffer(curl, transfer.buf, offset, want);
    return (int64_t)len;
}

static int
curl_read(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    Curl *curl = node->state;
    uint64_t there = offset >= curl->len ? 0 : MIN(len, curl->len - offset);

    if (there < len) {
        blk_vec_fill(vec, at + there, len - there, 0);
    }
    while (there > 0) {
        int64_t done = read_some(node, offset, MIN(there, 4u << 20), vec, at);
        if (done < 0) {
            return (int)done;
        }
        offset += (uint64_t)done;
        at += (uint64_t)done;
        there -= (uint64_t)done;
    }
    return 0;
}

/* ---- opening ---- */

static bool
take_secret(BlkNode *node, const char *id, char **out_text, GError **error)
{
    if (id) {
        *out_text = blk_graph_dup_secret_text(node->graph, id, error);
    }
    return !id || *out_text;
}

static bool
check_options(BlkNode *node, GError **error)
{
    Curl *curl = node->state;
    g_autofree char *scheme = g_uri_parse_scheme(curl->url);

    if (!scheme || strcmp(scheme, node->driver->name) != 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' is no URL of the protocol '%s'.", curl->url, node->driver->name);
        return false;
    }
    if (curl->readahead % 512 || curl->readahead == 0 || curl->readahead > 64u << 20) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "readahead is a multiple of 512 up to 64M, not %" G_GUINT64_FORMAT ".",
                    curl->readahead);
        return false;
    }
    if (!node->read_only && !node->auto_read_only) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_PERMISSION,
                    "'%s' can only be read: add read-only=on, or snapshot=on for changes that "
                    "are forgotten.",
                    curl->url);
        return false;
    }
    node->read_only = true;
    return take_secret(node, curl->password_secret, &curl->password, error) &&
           take_secret(node, curl->proxy_password_secret, &curl->proxy_password, error) &&
           take_secret(node, curl->cookie_secret, &curl->cookies, error);
}

static bool
curl_node_open(BlkNode *node, GError **error)
{
    Curl *curl = node->state;
    Transfer head = { .total = -1 };
    int ret;

    g_free(node->filename);
    node->filename = g_strdup(curl->url);
    if (!check_options(node, error) || !curl_library_load(&curl->library, error)) {
        return false;
    }
    ret = run(node, &head, run_head);
    if (ret < 0) {
        g_set_error(error, VIT_ERROR, head.status == 404 ? VIT_ERROR_NOT_FOUND : VIT_ERROR_IO,
                    "'%s' cannot be opened: %s.", curl->url,
                    *head.message ? head.message : g_strerror(-ret));
        return false;
    }
    if (head.total < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "The server does not say how long '%s' is.",
                    curl->url);
        return false;
    }
    if (g_str_has_prefix(curl->url, "http") && !head.accepts_ranges && !curl->force_range) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO,
                    "The server does not give parts of '%s' (no byte ranges): download it first.",
                    curl->url);
        return false;
    }
    curl->len = (uint64_t)head.total;
    return true;
}

static void
curl_node_close(BlkNode *node)
{
    Curl *curl = node->state;

    for (unsigned i = 0; i < HANDLES; i++) {
        if (curl->handles[i]) {
            curl->library.cleanup(curl->handles[i]);
        }
    }
    for (unsigned i = 0; i < BUFFERS; i++) {
        g_free(curl->buffers[i].bytes);
    }
    curl_library_unload(&curl->library);
    g_free(curl->password);
    g_free(curl->proxy_password);
    g_free(curl->cookies);
}

static int64_t
curl_get_len(BlkNode *node)
{
    return (int64_t)((Curl *)node->state)->len;
}

static bool
curl_parse_filename(const char *filename, BlkOptions *options, GError **error)
{
    blk_options_set(options, "url", filename);
    return true;
}

static const VitProp options[] = {
    VIT_PROP_STRING(Curl, url, "url", NULL, VIT_N_("URL of the image"), .flags = VIT_PROP_REQUIRED),
    VIT_PROP_SIZE(Curl, readahead, "readahead", 256 * 1024, 0, INT64_MAX,
                  VIT_N_("Bytes fetched at least with each request")),
    VIT_PROP_UINT(Curl, timeout_s, "timeout", 5, 1, 86400, VIT_N_("Longest time for a request"),
                  .unit = "s"),
    VIT_PROP_BOOL(Curl, sslverify, "sslverify", 1, VIT_N_("Check the server's certificate")),
    VIT_PROP_BOOL(Curl, force_range, "force-range", 0,
                  VIT_N_("Ask for parts although the server does not say that it gives them")),
    VIT_PROP_STRING(Curl, username, "username", NULL, VIT_N_("User")),
    VIT_PROP_STRING(Curl, password_secret, "password-secret", NULL,
                    VIT_N_("Secret with the password")),
    VIT_PROP_STRING(Curl, proxy_username, "proxy-username", NULL, VIT_N_("User of the proxy")),
    VIT_PROP_STRING(Curl, proxy_password_secret, "proxy-password-secret", NULL,
                    VIT_N_("Secret with the proxy's password")),
    VIT_PROP_STRING(Curl, cookie, "cookie", NULL, VIT_N_("Cookies sent with each request")),
    VIT_PROP_STRING(Curl, cookie_secret, "cookie-secret", NULL, VIT_N_("Secret with the cookies")),
    { 0 },
};

static const char *const http_schemes[] = { "http", NULL };
static const char *const https_schemes[] = { "https", NULL };
static const char *const ftp_schemes[] = { "ftp", NULL };
static const char *const ftps_schemes[] = { "ftps", NULL };

#define CURL_OPS                                                                             \
    .role = BLK_ROLE_PROTOCOL, .state_size = sizeof(Curl), .options = options,               \
    .parse_filename = curl_parse_filename, .open = curl_node_open, .close = curl_node_close, \
    .read = curl_read, .get_len = curl_get_len

const BlkDriver blk_http_driver = {
    .name = "http",
    .title = VIT_N_("File of a web server"),
    .schemes = http_schemes,
    CURL_OPS,
};

const BlkDriver blk_https_driver = {
    .name = "https",
    .title = VIT_N_("File of a web server, encrypted"),
    .schemes = https_schemes,
    CURL_OPS,
};

const BlkDriver blk_ftp_driver = {
    .name = "ftp",
    .title = VIT_N_("File of an FTP server"),
    .schemes = ftp_schemes,
    CURL_OPS,
};

const BlkDriver blk_ftps_driver = {
    .name = "ftps",
    .title = VIT_N_("File of an FTP server, encrypted"),
    .schemes = ftps_schemes,
    CURL_OPS,
};
