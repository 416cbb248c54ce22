/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The socket back end: a TCP or Unix stream socket, as server (one client at a time; others wait
 * in the queue) or as client (with reconnect= it tries again when the peer goes). Optionally
 * telnet. A server with wait=on blocks opening until a client has come.
 *
 * Deviations: no TLS, WebSocket or TN3270 yet: asking for them is refused. Names are resolved
 * once, at opening.
 *
 * Thread: device lock held; opening may block. */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "vit-error.h"

#include "char-address.h"
#include "char-stream.h"
#include "char-telnet.h"

typedef struct {
    VitChardev chr;
    CharStream stream;
    /* properties */
    char *host, *port, *to, *path, *fd_text;
    bool server, telnet, tn3270, websocket, is_abstract, tight, nodelay;
    int32_t wait, delay, ipv4, ipv6; /* on, off, auto */
    uint32_t reconnect_s;
    char *tls_creds, *tls_authz;

    GArray *addresses; /* CharAddress: to connect to, or that which is listened at */
    unsigned next;     /* address to try next */
    int fd, listen_fd; /* -1 = none */
    int connecting_fd; /* -1 = none */
    GSource *accept, *connect, *retry;
    CharTelnet telnet_state;
    GByteArray *encoded; /* telnet: escaped output the socket has not taken */
    bool unlink_path;
    char *peer;
} CharSocket;

static const VitProp props[] = {
    VIT_PROP_STRING(CharSocket, host, "host", NULL, VIT_N_("Address to listen at or connect to")),
    VIT_PROP_STRING(CharSocket, port, "port", NULL, VIT_N_("TCP port number or service")),
    VIT_PROP_STRING(CharSocket, to, "to", NULL,
                    VIT_N_("Last port to try when earlier ones are taken")),
    VIT_PROP_STRING(CharSocket, path, "path", NULL, VIT_N_("Path of a Unix socket")),
    VIT_PROP_STRING(CharSocket, fd_text, "fd", NULL, VIT_N_("A socket that is open already"),
                    .flags = VIT_PROP_HIDDEN),
    VIT_PROP_BOOL(CharSocket, server, "server", false, VIT_N_("Listen instead of connecting")),
    VIT_PROP_ONOFFAUTO(CharSocket, wait, "wait", VIT_AUTO,
                       VIT_N_("Do not start before a client has connected")),
    VIT_PROP_BOOL(CharSocket, telnet, "telnet", false, VIT_N_("Speak the telnet protocol")),
    VIT_PROP_BOOL(CharSocket, tn3270, "tn3270", false, VIT_N_("Speak the TN3270 protocol"),
                  .flags = VIT_PROP_HIDDEN),
    VIT_PROP_BOOL(CharSocket, websocket, "websocket", false, VIT_N_("Speak WebSocket"),
                  .flags = VIT_PROP_HIDDEN),
    VIT_PROP_UINT(CharSocket, reconnect_s, "reconnect", 0, 0, 86400,
                  VIT_N_("Try again after this time when the connection is lost"), .unit = "s"),
    VIT_PROP_BOOL(CharSocket, nodelay, "nodelay", false, VIT_N_("Send small packets at once")),
    VIT_PROP_ONOFFAUTO(CharSocket, delay, "delay", VIT_AUTO, VIT_N_("The contrary of nodelay"),
                       .flags = VIT_PROP_HIDDEN),
    VIT_PROP_ONOFFAUTO(CharSocket, ipv4, "ipv4", VIT_AUTO, VIT_N_("Use IPv4")),
    VIT_PROP_ONOFFAUTO(CharSocket, ipv6, "ipv6", VIT_AUTO, VIT_N_("Use IPv6")),
    VIT_PROP_BOOL(CharSocket, is_abstract, "abstract", false,
                  VIT_N_("The path is an abstract name, not a file")),
    VIT_PROP_BOOL(CharSocket, tight, "tight", true, VIT_N_("The abstract name is not padded")),
    VIT_PROP_STRING(CharSocket, tls_creds, "tls-creds", NULL, VIT_N_("TLS credentials object"),
                    .flags = VIT_PROP_HIDDEN),
    VIT_PROP_STRING(CharSocket, tls_authz, "tls-authz", NULL, VIT_N_("TLS authorization object"),
                    .flags = VIT_PROP_HIDDEN),
    { 0 },
};

static void start_listening(CharSocket *sock);
static void start_connecting(CharSocket *sock);

/* ---- a connection's life ---- */

/* Telnet: writes what is encoded already. */
static bool
drain_encoded(VitChardev *chr)
{
    CharSocket *sock = (CharSocket *)chr;

    if (sock->encoded->len > 0) {
        size_t n = char_stream_write(&sock->stream, sock->encoded->data, sock->encoded->len);
        /* Nothing is left where the connection went meanwhile. */
        g_byte_array_remove_range(sock->encoded, 0, MIN(n, sock->encoded->len));
    }
    return sock->encoded->len == 0;
}

static gboolean
on_retry(gpointer data)
{
    CharSocket *sock = data;

    vit_chardev_lock(&sock->chr);
    if (!char_source_is_dead()) {
        char_source_clear(&sock->retry);
        sock->next = 0;
        start_connecting(sock);
    }
    vit_chardev_unlock(&sock->chr);
    return G_SOURCE_REMOVE;
}

static void
schedule_retry(CharSocket *sock)
{
    if (sock->reconnect_s > 0 && !sock->retry) {
        sock->retry = char_watch_timeout(&sock->chr, sock->reconnect_s * 1000, on_retry);
    }
}

static void
drop_connection(CharSocket *sock)
{
    if (sock->fd < 0) {
        return;
    }
    char_stream_stop(&sock->stream);
    close(sock->fd);
    sock->fd = -1;
    g_clear_pointer(&sock->peer, g_free);
    g_byte_array_set_size(sock->encoded, 0);
}

static void
socket_ended(VitChardev *chr, int error)
{
    CharSocket *sock = (CharSocket *)chr;

    drop_connection(sock);
    if (sock->server) {
        start_listening(sock);
    } else {
        schedule_retry(sock);
    }
    vit_chardev_set_open(chr, false);
}

static void
telnet_data(void *opaque, const uint8_t *buf, size_t len)
{
    vit_chardev_deliver(opaque, buf, len);
}

static void
telnet_break(void *opaque)
{
    vit_chardev_deliver_event(opaque, VIT_CHARDEV_BREAK);
}

static void
socket_received(VitChardev *chr, const uint8_t *buf, size_t len)
{
    CharSocket *sock = (CharSocket *)chr;

    if (sock->telnet) {
        char_telnet_receive(&sock->telnet_state, buf, len, telnet_data, telnet_break, chr);
    } else {
        vit_chardev_deliver(chr, buf, len);
    }
}

static void
set_connected(CharSocket *sock, int fd)
{
    CharAddress peer = { .len = sizeof(peer.addr) };
    int on = 1;

    sock->fd = fd;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    if (!sock->path && (sock->nodelay || sock->delay == VIT_OFF)) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    if (!sock->path && getpeername(fd, (struct sockaddr *)&peer.addr, &peer.len) == 0) {
        sock->peer = char_address_format(&peer);
    }
    char_telnet_init(&sock->telnet_state);
    char_stream_start(&sock->stream, fd, fd);
    if (sock->telnet && sock->server) {
        char_stream_write(&sock->stream, char_telnet_greeting, sizeof(char_telnet_greeting));
    }
    vit_chardev_set_open(&sock->chr, true);
}

/* ---- server ---- */

static gboolean
on_accept(int listen_fd, GIOCondition condition, gpointer data)
{
    CharSocket *sock = data;
    bool go_on = false;

    vit_chardev_lock(&sock->chr);
    if (!char_source_is_dead()) {
        int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
        go_on = fd < 0; /* the client went again */
        if (fd >= 0) {
            char_source_clear(&sock->accept);
            set_connected(sock, fd);
        }
    }
    vit_chardev_unlock(&sock->chr);
    return go_on;
}

static void
start_listening(CharSocket *sock)
{
    if (!sock->accept && sock->listen_fd >= 0) {
        sock->accept = char_watch_fd(&sock->chr, sock->listen_fd, G_IO_IN, on_accept);
    }
}

/* Binds and listens; -1 with errno set. */
static int
listen_at(const CharAddress *address)
{
    const struct sockaddr *sa = (const struct sockaddr *)&address->addr;
    int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;

    if (fd < 0) {
        return -1;
    }
    if (sa->sa_family != AF_UNIX) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    }
    if (bind(fd, sa, address->len) < 0 || listen(fd, 1) < 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

/* Removes a socket file nobody listens at any more. False when somebody does. */
static bool
clear_stale_path(CharSocket *sock, const CharAddress *address, GError **error)
{
    struct stat st;

    if (sock->is_abstract || lstat(sock->path, &st) < 0) {
        return true;
    }
    if (!S_ISSOCK(st.st_mode)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_BUSY,
                    "character device '%s': '%s' exists and is no socket; remove it or choose "
                    "another path",
                    sock->chr.id, sock->path);
        return false;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool in_use =
        fd >= 0 && (connect(fd, (const struct sockaddr *)&address->addr, address->len) == 0 ||
                    errno == EAGAIN);
    if (fd >= 0) {
        close(fd);
    }
    if (in_use) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_BUSY,
                    "character device '%s': another program listens at '%s'; choose another path",
                    sock->chr.id, sock->path);
        return false;
    }
    unlink(sock->path);
    return true;
}

static bool
listen_unix(CharSocket *sock, GError **error)
{
    CharAddress address;

    if (!char_address_unix(sock->path, sock->is_abstract, sock->tight, &address, error) ||
        !clear_stale_path(sock, &address, error)) {
        return false;
    }
    sock->listen_fd = listen_at(&address);
    if (sock->listen_fd < 0) {
        char_set_errno(error, &sock->chr, errno, "cannot listen at '%s'", sock->path);
        return false;
    }
    sock->unlink_path = !sock->is_abstract;
    g_array_append_val(sock->addresses, address);
    return true;
}

static void
set_port(CharAddress *address, uint16_t port)
{
    if (address->addr.ss_family == AF_INET6) {
        ((struct sockaddr_in6 *)&address->addr)->sin6_port = htons(port);
    } else {
        ((struct sockaddr_in *)&address->addr)->sin_port = htons(port);
    }
}

static uint16_t
get_port(const CharAddress *address)
{
    return ntohs(address->addr.ss_family == AF_INET6
                     ? ((const struct sockaddr_in6 *)&address->addr)->sin6_port
                     : ((const struct sockaddr_in *)&address->addr)->sin_port);
}

/* The first of ports FIRST..LAST and addresses that can be had. */
static bool
listen_tcp(CharSocket *sock, int family, GError **error)
{
    g_autoptr(GArray) found =
        char_address_resolve(sock->host, sock->port, family, SOCK_STREAM, true, error);
    uint64_t last = 0;

    if (!found) {
        return false;
    }
    uint16_t first = get_port(&g_array_index(found, CharAddress, 0));
    if (sock->to && (!vit_parse_uint(sock->to, &last) || last < first || last > 65535)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "character device '%s': to=%s is not a port from %u to 65535", sock->chr.id,
                    sock->to, first);
        return false;
    }
    for (unsigned port = first; port <= MAX(first, last); port++) {
        for (unsigned i = 0; i < found->len && sock->listen_fd < 0; i++) {
            CharAddress address = g_array_index(found, CharAddress, i);
            set_port(&address, port);
            sock->listen_fd = listen_at(&address);
        }
    }
    if (sock->listen_fd < 0) {
        char_set_errno(error, &sock->chr, errno,
                       "cannot listen at %s:%s; choose another port, or stop the program that "
                       "uses it",
                       sock->host ? sock->host : "", sock->port);
        return false;
    }
    CharAddress bound = { .len = sizeof(bound.addr) };
    getsockname(sock->listen_fd, (struct sockaddr *)&bound.addr, &bound.len);
    g_array_append_val(sock->addresses, bound);
    return true;
}

static bool
wait_for_client(CharSocket *sock, GError **error)
{
    g_autofree char *where = vit_chardev_describe(&sock->chr);
    int fd;

    vit_chardev_message(&sock->chr, "waiting for connection on: %s", where);
    do {
        fd = accept4(sock->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    } while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (fd < 0) {
        char_set_errno(error, &sock->chr, errno, "cannot accept a connection");
        return false;
    }
    set_connected(sock, fd);
    return true;
}

/* ---- client ---- */

static gboolean
on_connected(int fd, GIOCondition condition, gpointer data)
{
    CharSocket *sock = data;
    int result = 0;
    socklen_t len = sizeof(result);

    vit_chardev_lock(&sock->chr);
    if (!char_source_is_dead()) {
        char_source_clear(&sock->connect);
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &result, &len);
        sock->connecting_fd = -1;
        if (result == 0) {
            set_connected(sock, fd);
        } else {
            close(fd);
            start_connecting(sock);
        }
    }
    vit_chardev_unlock(&sock->chr);
    return G_SOURCE_REMOVE;
}

/* Tries the next address without waiting; after the last one, later again. */
static void
start_connecting(CharSocket *sock)
{
    while (sock->next < sock->addresses->len) {
        const CharAddress *address = &g_array_index(sock->addresses, CharAddress, sock->next++);
        const struct sockaddr *sa = (const struct sockaddr *)&address->addr;
        int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0) {
            continue;
        }
        if (connect(fd, sa, address->len) == 0) {
            set_connected(sock, fd);
            return;
        }
        if (errno == EINPROGRESS) {
            sock->connecting_fd = fd;
            sock->connect = char_watch_fd(&sock->chr, fd, G_IO_OUT, on_connected);
            return;
        }
        close(fd);
    }
    schedule_retry(sock);
}

/* Waits for the connection: without reconnect= there is no second try. */
static bool
connect_now(CharSocket *sock, GError **error)
{
    int last_errno = EADDRNOTAVAIL;

    for (unsigned i = 0; i < sock->addresses->len; i++) {
        const CharAddress *address = &g_array_index(sock->addresses, CharAddress, i);
        const struct sockaddr *sa = (const struct sockaddr *)&address->addr;
        int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, sa, address->len) == 0) {
            set_connected(sock, fd);
            return true;
        }
        last_errno = errno;
        if (fd >= 0) {
            close(fd);
        }
    }
    g_autofree char *where =
        sock->path ? g_strdup(sock->path)
                   : g_strdup_printf("%s:%s", sock->host ? sock->host : "", sock->port);
    char_set_errno(error, &sock->chr, last_errno,
                   "cannot connect to %s (start the other side first, or add reconnect=SECONDS)",
                   where);
    return false;
}

static bool
open_client(CharSocket *sock, int family, GError **error)
{
    if (sock->path) {
        CharAddress address;
        if (!char_address_unix(sock->path, sock->is_abstract, sock->tight, &address, error)) {
            return false;
        }
        g_array_append_val(sock->addresses, address);
    } else {
        g_autoptr(GArray) found =
            char_address_resolve(sock->host, sock->port, family, SOCK_STREAM, false, error);
        if (!found) {
            return false;
        }
        g_array_append_vals(sock->addresses, found->data, found->len);
    }
    if (sock->reconnect_s == 0) {
        return connect_now(sock, error);
    }
    start_connecting(sock);
    return true;
}

/* ---- opening ---- */

static bool
refuse(CharSocket *sock, VitError code, const char *why, GError **error)
{
    g_set_error(error, VIT_ERROR, code, "character device '%s': %s", sock->chr.id, why);
    return false;
}

static bool
check_props(CharSocket *sock, GError **error)
{
    VitError bad = VIT_ERROR_INVALID_ARGUMENT;

    if (sock->tls_creds || sock->tls_authz) {
        return refuse(sock, VIT_ERROR_NOT_AVAILABLE_YET, "TLS is not available yet", error);
    }
    if (sock->websocket || sock->tn3270) {
        return refuse(sock, VIT_ERROR_NOT_AVAILABLE_YET,
                      "websocket and tn3270 are not available yet; use telnet or a plain socket",
                      error);
    }
    if (!!sock->path + !!sock->port + !!sock->fd_text != 1) {
        return refuse(
            sock, bad,
            "a socket needs either path= (Unix), or host= and port= (TCP), or fd=", error);
    }
    if (sock->path && !*sock->path) {
        return refuse(sock, bad, "path= is empty", error);
    }
    if (sock->wait != VIT_AUTO && !sock->server) {
        return refuse(sock, bad, "wait= is for servers; add server=on or leave it out", error);
    }
    if (sock->reconnect_s > 0 && sock->server) {
        return refuse(sock, bad, "reconnect= is for clients; leave out server=on", error);
    }
    if (sock->to && (!sock->server || sock->path)) {
        return refuse(sock, bad, "to= is for TCP servers", error);
    }
    return true;
}

static bool
open_fd(CharSocket *sock, GError **error)
{
    uint64_t fd;
    struct stat st;

    if (!vit_parse_uint(sock->fd_text, &fd) || fd > 65535 || fstat(fd, &st) < 0 ||
        !S_ISSOCK(st.st_mode)) {
        return refuse(sock, VIT_ERROR_INVALID_ARGUMENT, "fd= is not the number of an open socket",
                      error);
    }
    if (sock->server) {
        sock->listen_fd = fd;
    } else {
        set_connected(sock, fd);
    }
    return true;
}

static void socket_close(VitChardev *chr);

static bool
open_checked(CharSocket *sock, GError **error)
{
    int family;

    if (!check_props(sock, error) || !char_address_family(sock->ipv4, sock->ipv6, &family, error)) {
        return false;
    }
    if (sock->fd_text ? !open_fd(sock, error)
                      : !sock->server && !open_client(sock, family, error)) {
        return false;
    }
    if (!sock->server) {
        return true;
    }
    if (sock->listen_fd < 0 &&
        !(sock->path ? listen_unix(sock, error) : listen_tcp(sock, family, error))) {
        return false;
    }
    if (sock->wait != VIT_OFF && !wait_for_client(sock, error)) {
        return false;
    }
    fcntl(sock->listen_fd, F_SETFL, fcntl(sock->listen_fd, F_GETFL) | O_NONBLOCK);
    if (sock->fd < 0) {
        start_listening(sock);
    }
    return true;
}

static bool
socket_open(VitChardev *chr, GMainContext *context, GError **error)
{
    CharSocket *sock = (CharSocket *)chr;

    char_stream_init(&sock->stream, chr, socket_ended);
    sock->stream.received = socket_received;
    sock->stream.is_socket = true;
    sock->stream.drain = drain_encoded;
    sock->fd = sock->listen_fd = sock->connecting_fd = -1;
    sock->addresses = g_array_new(FALSE, TRUE, sizeof(CharAddress));
    sock->encoded = g_byte_array_new();
    if (!open_checked(sock, error)) {
        socket_close(chr);
        return false;
    }
    return true;
}

static void
socket_close(VitChardev *chr)
{
    CharSocket *sock = (CharSocket *)chr;

    char_source_clear(&sock->accept);
    char_source_clear(&sock->connect);
    char_source_clear(&sock->retry);
    drop_connection(sock);
    if (sock->connecting_fd >= 0) {
        close(sock->connecting_fd);
    }
    if (sock->listen_fd >= 0) {
        close(sock->listen_fd);
    }
    if (sock->unlink_path) {
        unlink(sock->path);
    }
    g_clear_pointer(&sock->addresses, g_array_unref);
    g_clear_pointer(&sock->encoded, g_byte_array_unref);
    g_clear_pointer(&sock->peer, g_free);
}

/* ---- output ---- */

/* IAC is doubled. What is encoded counts as taken, so only one chunk at a time is. */
static size_t
write_telnet(CharSocket *sock, const uint8_t *buf, size_t len)
{
    size_t done = 0;

    while (drain_encoded(&sock->chr) && done < len) {
        for (unsigned i = 0; i < 4096 && done < len; i++, done++) {
            g_byte_array_append(sock->encoded, &buf[done], 1);
            if (buf[done] == 0xff) {
                g_byte_array_append(sock->encoded, &buf[done], 1);
            }
        }
    }
    return done;
}

static size_t
socket_write(VitChardev *chr, const uint8_t *buf, size_t len)
{
    CharSocket *sock = (CharSocket *)chr;

    if (sock->fd < 0) {
        return len;
    }
    return sock->telnet ? write_telnet(sock, buf, len) : char_stream_write(&sock->stream, buf, len);
}

static void
socket_accept_input(VitChardev *chr)
{
    char_stream_accept_input(&((CharSocket *)chr)->stream);
}

static char *
socket_describe(VitChardev *chr)
{
    CharSocket *sock = (CharSocket *)chr;
    GString *text = g_string_new(sock->fd < 0 ? "disconnected:" : NULL);

    if (sock->path) {
        g_string_append_printf(text, "unix:%s", sock->path);
    } else {
        g_string_append(text, sock->telnet ? "telnet:" : "tcp:");
        if (sock->addresses && sock->addresses->len > 0) {
            g_autofree char *address =
                char_address_format(&g_array_index(sock->addresses, CharAddress, 0));
            g_string_append(text, address);
        }
    }
    g_string_append(text, sock->server ? ",server=on" : "");
    if (sock->peer) {
        g_string_append_printf(text, " <-> %s", sock->peer);
    }
    return g_string_free(text, FALSE);
}

const VitChardevKind vit_char_socket_kind = {
    .name = "socket",
    .title = VIT_N_("A TCP or Unix socket"),
    .size = sizeof(CharSocket),
    .props = props,
    .open = socket_open,
    .close = socket_close,
    .write = socket_write,
    .accept_input = socket_accept_input,
    .describe = socket_describe,
};
