/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The udp back end: output leaves as datagrams to one peer, datagrams from it are input. Each write
 * is a datagram; what the host cannot send now is lost, as it would be on the way.
 * Thread: device lock held; opening may block on a name. */

#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

#include "vit-error.h"

#include "char-address.h"
#include "char-stream.h"

typedef struct {
    VitChardev chr;
    char *host, *port, *localaddr, *localport; /* properties */
    int32_t ipv4, ipv6;                        /* on, off, auto */
    int fd;
    GSource *in_source;
    uint8_t datagram[65536];
    size_t at, len; /* part of the datagram the front end has not taken */
} CharUdp;

static const VitProp props[] = {
    VIT_PROP_STRING(CharUdp, host, "host", "localhost", VIT_N_("Peer's address")),
    VIT_PROP_STRING(CharUdp, port, "port", NULL, VIT_N_("Peer's port"), .flags = VIT_PROP_REQUIRED),
    VIT_PROP_STRING(CharUdp, localaddr, "localaddr", NULL, VIT_N_("Address to send from")),
    VIT_PROP_STRING(CharUdp, localport, "localport", NULL, VIT_N_("Port to send from")),
    VIT_PROP_ONOFFAUTO(CharUdp, ipv4, "ipv4", VIT_AUTO, VIT_N_("Use IPv4")),
    VIT_PROP_ONOFFAUTO(CharUdp, ipv6, "ipv6", VIT_AUTO, VIT_N_("Use IPv6")),
    { 0 },
};

static void
deliver_rest(CharUdp *udp)
{
    while (udp->at < udp->len) {
        size_t n = MIN(vit_chardev_front_room(&udp->chr), udp->len - udp->at);
        if (n == 0) {
            return;
        }
        udp->at += n;
        vit_chardev_deliver(&udp->chr, udp->datagram + udp->at - n, n);
    }
}

static gboolean
on_readable(int fd, GIOCondition condition, gpointer data)
{
    CharUdp *udp = data;

    vit_chardev_lock(&udp->chr);
    if (!char_source_is_dead()) {
        ssize_t n = recv(fd, udp->datagram, sizeof(udp->datagram), MSG_DONTWAIT);
        /* An error here is an ICMP answer to an earlier datagram: no reason to stop. */
        udp->at = 0;
        udp->len = MAX(n, 0);
        deliver_rest(udp);
        if (udp->at < udp->len) {
            char_source_clear(&udp->in_source);
        }
    }
    vit_chardev_unlock(&udp->chr);
    return G_SOURCE_CONTINUE;
}

static void
udp_accept_input(VitChardev *chr)
{
    CharUdp *udp = (CharUdp *)chr;

    deliver_rest(udp);
    if (udp->at == udp->len && !udp->in_source) {
        udp->in_source = char_watch_fd(chr, udp->fd, G_IO_IN, on_readable);
    }
}

/* Connects a socket to PEER, from a local address of the same family where one is asked for. */
static int
connect_to(CharUdp *udp, const CharAddress *peer, GArray *locals)
{
    const struct sockaddr *sa = (const struct sockaddr *)&peer->addr;
    int fd = socket(sa->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int on = 1, rc = locals ? -1 : 0;

    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    errno = EAFNOSUPPORT;
    for (unsigned i = 0; locals && i < locals->len && rc < 0; i++) {
        const CharAddress *local = &g_array_index(locals, CharAddress, i);
        if (local->addr.ss_family == sa->sa_family) {
            rc = bind(fd, (const struct sockaddr *)&local->addr, local->len);
        }
    }
    if (rc < 0 || connect(fd, sa, peer->len) < 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static bool
udp_open(VitChardev *chr, GMainContext *context, GError **error)
{
    CharUdp *udp = (CharUdp *)chr;
    g_autoptr(GArray) peers = NULL;
    g_autoptr(GArray) locals = NULL;
    int family;

    udp->fd = -1;
    if (!udp->port || !*udp->port) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "character device '%s': the udp back end needs port=PORT", chr->id);
        return false;
    }
    if (!char_address_family(udp->ipv4, udp->ipv6, &family, error)) {
        return false;
    }
    peers = char_address_resolve(udp->host, udp->port, family, SOCK_DGRAM, false, error);
    if (!peers) {
        return false;
    }
    if (udp->localaddr || udp->localport) {
        locals = char_address_resolve(udp->localaddr, udp->localport ? udp->localport : "0", family,
                                      SOCK_DGRAM, true, error);
        if (!locals) {
            return false;
        }
    }
    for (unsigned i = 0; i < peers->len && udp->fd < 0; i++) {
        udp->fd = connect_to(udp, &g_array_index(peers, CharAddress, i), locals);
    }
    if (udp->fd < 0) {
        char_set_errno(error, chr, errno, "cannot send from %s:%s to %s:%s",
                       udp->localaddr ? udp->localaddr : "", udp->localport ? udp->localport : "0",
                       udp->host, udp->port);
        return false;
    }
    vit_chardev_set_open(chr, true);
    return true;
}

static void
udp_close(VitChardev *chr)
{
    CharUdp *udp = (CharUdp *)chr;

    char_source_clear(&udp->in_source);
    close(udp->fd);
}

static size_t
udp_write(VitChardev *chr, const uint8_t *buf, size_t len)
{
    size_t n = MIN(len, 65507); /* the most a datagram holds */

    send(((CharUdp *)chr)->fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    return n;
}

static char *
udp_describe(VitChardev *chr)
{
    CharUdp *udp = (CharUdp *)chr;

    return g_strdup_printf("udp:%s:%s", udp->host, udp->port);
}

const VitChardevKind vit_char_udp_kind = {
    .name = "udp",
    .title = VIT_N_("UDP datagrams to and from one peer"),
    .size = sizeof(CharUdp),
    .props = props,
    .open = udp_open,
    .close = udp_close,
    .write = udp_write,
    .accept_input = udp_accept_input,
    .describe = udp_describe,
};
