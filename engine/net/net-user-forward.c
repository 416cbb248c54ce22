/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Forwards of the user network: host ports led into the guest (hostfwd), and guest connections led
 * to a character device or a command of the host (guestfwd).
 *
 * A rule is SIDE-SIDE, a side ADDRESS:PORT with an IPv6 address in brackets; an empty host address
 * is any, an empty guest address the first that DHCP gives out.
 *
 * Thread: device lock held. */

#include "net-user.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "vit-error.h"

static bool
fail(const char *key, const char *rule, GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *cause = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "%s=%s: %s", key, rule, cause);
    return false;
}

/* ---- hostfwd ---- */

typedef struct {
    struct sockaddr_storage addr;
    socklen_t len;
} Side;

/* [ADDRESS]:PORT at *AT up to END (a character, or 0); moves past it. DEFAULT_ADDR where the
 * address is empty. NULL on success, else what is wrong. */
static const char *
parse_side(const char **at, char end, in_addr_t default_addr, unsigned min_port, Side *out)
{
    bool is_ipv6 = **at == '[';
    const char *host = *at + is_ipv6;
    size_t host_len = strcspn(host, is_ipv6 ? "]" : ":-");
    const char *port = host + host_len + is_ipv6;
    g_autofree char *address = g_strndup(host, host_len);
    char *after;

    if (is_ipv6 && host[host_len] != ']') {
        return "a bracket is not closed";
    }
    if (*port != ':') {
        return "an address and a port are wanted, with a colon between";
    }
    if (!g_ascii_isdigit(port[1])) {
        return "the port number is missing";
    }
    errno = 0;
    unsigned long number = strtoul(port + 1, &after, 10);
    if (errno || number > 65535 || number < min_port || *after != end) {
        return "the port is not a number from 1 to 65535";
    }
    memset(out, 0, sizeof(*out));
    if (is_ipv6) {
        struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&out->addr;
        sin6->sin6_family = AF_INET6;
        sin6->sin6_port = htons(number);
        out->len = sizeof(*sin6);
        if (inet_pton(AF_INET6, address, &sin6->sin6_addr) != 1) {
            return "what is in brackets is not an IPv6 address";
        }
    } else {
        struct sockaddr_in *sin = (struct sockaddr_in *)&out->addr;
        sin->sin_family = AF_INET;
        sin->sin_port = htons(number);
        sin->sin_addr.s_addr = default_addr;
        out->len = sizeof(*sin);
        if (*address && inet_pton(AF_INET, address, &sin->sin_addr) != 1) {
            return "an address is not a dotted IPv4 address";
        }
    }
    *at = after + (end != 0);
    return NULL;
}

/* "tcp:", "udp:" or ":" at *AT. */
static const char *
parse_protocol(const char **at, bool *out_is_udp)
{
    *out_is_udp = g_str_has_prefix(*at, "udp:");
    if (*out_is_udp || g_str_has_prefix(*at, "tcp:")) {
        *at += 4;
    } else if (**at == ':') {
        *at += 1;
    } else {
        return "it begins with tcp: or udp:";
    }
    return NULL;
}

bool
net_user_add_hostfwd(NetUser *user, const char *rule, GError **error)
{
    const char *at = rule, *wrong;
    Side host, guest;
    bool is_udp;

    wrong = parse_protocol(&at, &is_udp);
    if (!wrong) {
        wrong = parse_side(&at, '-', htonl(INADDR_ANY), 0, &host);
    }
    if (!wrong) {
        wrong = parse_side(&at, 0, user->dhcp_addr.s_addr, 1, &guest);
    }
    if (!wrong && host.addr.ss_family != guest.addr.ss_family) {
        wrong = "both addresses must be of one family";
    }
    if (wrong) {
        return fail("hostfwd", rule, error,
                    "%s; write tcp|udp:[HOST]:PORT-[GUEST]:PORT, e.g. tcp::2222-:22", wrong);
    }
    errno = 0;
    if (slirp_add_hostxfwd(user->slirp, (struct sockaddr *)&host.addr, host.len,
                           (struct sockaddr *)&guest.addr, guest.len,
                           is_udp ? SLIRP_HOSTFWD_UDP : 0) < 0) {
        unsigned port = ntohs(((struct sockaddr_in *)&host.addr)->sin_port);
        VitError code = errno == EADDRINUSE ? VIT_ERROR_BUSY
                        : errno == EACCES   ? VIT_ERROR_PERMISSION
                                            : VIT_ERROR_IO;
        g_set_error(error, VIT_ERROR, code, "hostfwd=%s: cannot use host port %u: %s; %s", rule,
                    port, g_strerror(errno),
                    code == VIT_ERROR_BUSY ? "choose another port, or stop the program that "
                                             "uses it"
                    : code == VIT_ERROR_PERMISSION ? "choose a port above 1023"
                                                   : "check the host address");
        return false;
    }
    net_user_poll_wake(user->poll);
    return true;
}

bool
net_user_remove_hostfwd(NetUser *user, const char *rule, GError **error)
{
    const char *at = rule, *wrong;
    Side host;
    bool is_udp;

    wrong = parse_protocol(&at, &is_udp);
    if (!wrong) {
        wrong = parse_side(&at, 0, htonl(INADDR_ANY), 1, &host);
    }
    if (wrong) {
        return fail("hostfwd", rule, error, "%s; write tcp|udp:[HOST]:PORT", wrong);
    }
    if (slirp_remove_hostxfwd(user->slirp, (struct sockaddr *)&host.addr, host.len,
                              is_udp ? SLIRP_HOSTFWD_UDP : 0) < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                    "there is no host forward %s on '%s'; \"info usernet\" lists them", rule,
                    user->netdev.id);
        return false;
    }
    return true;
}

/* ---- guestfwd ---- */

struct NetUserForward {
    NetUser *user;
    VitChardev *chr;
    struct in_addr server;
    int port;
    VitChardevFront front;
};

static ssize_t
forward_write(const void *buf, size_t len, void *opaque)
{
    vit_chardev_write_all(((NetUserForward *)opaque)->chr, buf, len);
    return len;
}

static size_t
forward_can_receive(void *opaque)
{
    NetUserForward *forward = opaque;

    return slirp_socket_can_recv(forward->user->slirp, forward->server, forward->port);
}

static void
forward_receive(void *opaque, const uint8_t *buf, size_t len)
{
    NetUserForward *forward = opaque;

    slirp_socket_recv(forward->user->slirp, forward->server, forward->port, buf, len);
    net_user_poll_wake(forward->user->poll);
}

void
net_user_forward_free(NetUserForward *forward)
{
    vit_chardev_detach(forward->chr, forward);
    g_free(forward);
}

void
net_user_forward_kick(NetUser *user)
{
    for (unsigned i = 0; user->forwards && i < user->forwards->len; i++) {
        vit_chardev_accept_input(((NetUserForward *)user->forwards->pdata[i])->chr);
    }
}

static bool
forward_to_device(NetUser *user, const char *rule, const Side *server, const char *text,
                  GError **error)
{
    const struct sockaddr_in *sin = (const struct sockaddr_in *)&server->addr;
    struct in_addr addr = sin->sin_addr;
    VitChardev *chr;

    if (!user->netdev.host.get_chardev) {
        return fail("guestfwd", rule, error, "there are no character devices here");
    }
    chr = user->netdev.host.get_chardev(user->netdev.host.opaque, text, error);
    if (!chr) {
        return false;
    }
    NetUserForward *forward = g_new0(NetUserForward, 1);
    *forward =
        (NetUserForward){ .user = user, .chr = chr, .server = addr, .port = ntohs(sin->sin_port) };
    forward->front = (VitChardevFront){ .can_receive = forward_can_receive,
                                        .receive = forward_receive,
                                        .opaque = forward };
    if (slirp_add_guestfwd(user->slirp, forward_write, forward, &addr, forward->port) < 0) {
        g_free(forward);
        return fail("guestfwd", rule, error,
                    "this address and port are not to be had: the address must be one of the guest "
                    "network, other than the host's and the name server's");
    }
    if (!vit_chardev_attach(chr, &forward->front, error)) {
        slirp_remove_guestfwd(user->slirp, addr, forward->port);
        g_free(forward);
        return false;
    }
    g_ptr_array_add(user->forwards, forward);
    return true;
}

bool
net_user_add_guestfwd(NetUser *user, const char *rule, GError **error)
{
    const char *at = rule, *wrong;
    bool is_udp;
    Side server;

    wrong = parse_protocol(&at, &is_udp);
    if (!wrong && is_udp) {
        wrong = "only TCP can be led on";
    }
    if (!wrong) {
        wrong = parse_side(&at, '-', 0, 1, &server);
    }
    if (!wrong && server.addr.ss_family != AF_INET) {
        wrong = "only IPv4 can be led on";
    }
    if (!wrong && !*at) {
        wrong = "the device or command is missing";
    }
    if (wrong) {
        return fail("guestfwd", rule, error,
                    "%s; write tcp:SERVER:PORT-DEVICE or tcp:SERVER:PORT-cmd:COMMAND", wrong);
    }
    if (!g_str_has_prefix(at, "cmd:")) {
        return forward_to_device(user, rule, &server, at, error);
    }
    struct sockaddr_in *sin = (struct sockaddr_in *)&server.addr;
    if (slirp_add_exec(user->slirp, at + 4, &sin->sin_addr, ntohs(sin->sin_port)) < 0) {
        return fail("guestfwd", rule, error,
                    "this address and port are not to be had: the address must be one of the guest "
                    "network, other than the host's and the name server's");
    }
    return true;
}
