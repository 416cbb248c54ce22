/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The user back end: a small network made by libslirp in this process. The guest gets an address
 * by DHCP, sees the host as gateway and a name server, and reaches the world through the host's
 * ordinary sockets: no privileges, nothing to set up.
 *
 * Addresses not given are made from the network: host .2, name server .3, SMB server .4, DHCP from
 * .15 on. The stack's clock is the machine's: connections do not time out while it is paused.
 *
 * Deviations: SMB needs a Samba daemon on the host. libslirp is not thread safe: every call is
 * made with the device lock held.
 *
 * Thread: device lock held. */

#include "net-user.h"

#include <arpa/inet.h>
#include <string.h>

#include "vit-error.h"

static const VitProp props[] = {
    VIT_PROP_BOOL(NetUser, restricted, "restrict", false,
                  VIT_N_("Isolate the guest from the host and the network outside")),
    VIT_PROP_ONOFFAUTO(NetUser, ipv4, "ipv4", VIT_AUTO, VIT_N_("Offer IPv4")),
    VIT_PROP_ONOFFAUTO(NetUser, ipv6, "ipv6", VIT_AUTO, VIT_N_("Offer IPv6")),
    VIT_PROP_STRING(NetUser, net, "net", NULL, VIT_N_("Guest network, as ADDRESS/MASK")),
    VIT_PROP_STRING(NetUser, host, "host", NULL,
                    VIT_N_("Address at which the guest sees the host")),
    VIT_PROP_STRING(NetUser, hostname, "hostname", NULL, VIT_N_("Host name sent by DHCP")),
    VIT_PROP_STRING(NetUser, dhcpstart, "dhcpstart", NULL,
                    VIT_N_("First of the addresses that DHCP gives out")),
    VIT_PROP_STRING(NetUser, dns, "dns", NULL, VIT_N_("Address of the virtual name server")),
    VIT_PROP_STRING(NetUser, domainname, "domainname", NULL, VIT_N_("Domain name sent by DHCP")),
    VIT_PROP_STRING(NetUser, ipv6_net, "ipv6-net", NULL,
                    VIT_N_("Guest IPv6 network, as PREFIX/LENGTH")),
    VIT_PROP_STRING(NetUser, ipv6_prefix, "ipv6-prefix", NULL, VIT_N_("Guest IPv6 prefix"),
                    .flags = VIT_PROP_HIDDEN),
    VIT_PROP_UINT(NetUser, ipv6_prefix_len, "ipv6-prefixlen", 64, 0, 126,
                  VIT_N_("Guest IPv6 prefix length"), .flags = VIT_PROP_HIDDEN),
    VIT_PROP_STRING(NetUser, ipv6_host, "ipv6-host", NULL,
                    VIT_N_("IPv6 address at which the guest sees the host")),
    VIT_PROP_STRING(NetUser, ipv6_dns, "ipv6-dns", NULL,
                    VIT_N_("IPv6 address of the virtual name server")),
    VIT_PROP_STRING(NetUser, tftp, "tftp", NULL, VIT_N_("Folder served by TFTP")),
    VIT_PROP_STRING(NetUser, tftp_server_name, "tftp-server-name", NULL,
                    VIT_N_("TFTP server name sent by DHCP")),
    VIT_PROP_STRING(NetUser, bootfile, "bootfile", NULL, VIT_N_("Boot file name sent by DHCP")),
    VIT_PROP_STRING(NetUser, smb, "smb", NULL, VIT_N_("Folder served as SMB share \"qemu\"")),
    VIT_PROP_STRING(NetUser, smbserver, "smbserver", NULL, VIT_N_("Address of the SMB server")),
    { 0 },
};

static const VitProp list_props[] = {
    { .name = "dnssearch",
      .help = VIT_N_("Domain searched for names"),
      .type = VIT_PROP_TYPE_STRING,
      .offset = offsetof(NetUser, dnssearch) },
    { .name = "hostfwd",
      .help = VIT_N_("Host port led into the guest: tcp|udp:[HOST]:PORT-[GUEST]:PORT"),
      .type = VIT_PROP_TYPE_STRING,
      .offset = offsetof(NetUser, hostfwd) },
    { .name = "guestfwd",
      .help = VIT_N_("Guest connections led to a device or command: "
                     "[tcp]:SERVER:PORT-DEVICE or -cmd:COMMAND"),
      .type = VIT_PROP_TYPE_STRING,
      .offset = offsetof(NetUser, guestfwd) },
    { 0 },
};

static bool
user_add(VitNetdev *netdev, const char *key, const char *value, GError **error)
{
    const VitProp *prop = vit_prop_find(list_props, key);
    GPtrArray **list = (GPtrArray **)((char *)netdev + prop->offset);

    if (!*list) {
        *list = g_ptr_array_new_with_free_func(g_free);
    }
    g_ptr_array_add(*list, g_strdup(value));
    return true;
}

/* ---- addresses ---- */

static bool
fail(const NetUser *user, GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *cause = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "user network '%s': %s",
                user->netdev.id, cause);
    return false;
}

/* "10.0.2.0/24", "10.0.2.0/255.255.255.0", or without a mask: that of the address's class. */
static bool
parse_net(NetUser *user, GError **error)
{
    const char *text = user->net ? user->net : "10.0.2.0/24";
    g_auto(GStrv) parts = g_strsplit(text, "/", 2);
    uint32_t addr, mask;
    uint64_t bits;

    if (!parts[0] || inet_pton(AF_INET, parts[0], &user->net_addr) != 1) {
        return fail(user, error, "net=%s is not an IPv4 network such as 10.0.2.0/24", text);
    }
    addr = ntohl(user->net_addr.s_addr);
    if (!parts[1]) {
        mask = addr >> 31 == 0 ? 0xff000000 : addr >> 30 == 2 ? 0xffff0000 : 0xffffff00;
    } else if (vit_parse_uint(parts[1], &bits)) {
        if (bits < 4 || bits > 30) {
            return fail(user, error, "net=%s: the prefix length must be 4 to 30", text);
        }
        mask = 0xffffffffu << (32 - bits);
    } else {
        struct in_addr dotted;
        if (inet_pton(AF_INET, parts[1], &dotted) != 1) {
            return fail(user, error, "net=%s: '%s' is not a mask", text, parts[1]);
        }
        mask = ntohl(dotted.s_addr);
        if ((~mask & (~mask + 1)) || ~mask < 3) {
            return fail(user, error, "net=%s: '%s' is not a mask", text, parts[1]);
        }
    }
    user->net_mask.s_addr = htonl(mask);
    user->net_addr.s_addr = htonl(addr & mask);
    return true;
}

/* TEXT, or the network's address number DEFAULT_OFFSET. */
static bool
parse_in_net(NetUser *user, const char *key, const char *text, uint32_t default_offset,
             struct in_addr *out, GError **error)
{
    struct in_addr addr;

    if (!text) {
        uint32_t host_bits = ~ntohl(user->net_mask.s_addr);
        addr.s_addr = user->net_addr.s_addr | htonl(default_offset & host_bits);
    } else if (inet_pton(AF_INET, text, &addr) != 1) {
        return fail(user, error, "%s=%s is not an IPv4 address", key, text);
    } else if ((addr.s_addr & user->net_mask.s_addr) != user->net_addr.s_addr) {
        char net[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &user->net_addr, net, sizeof(net));
        return fail(user, error, "%s=%s is not an address of the guest network %s", key, text, net);
    }
    *out = addr;
    return true;
}

static bool
parse_ipv4(NetUser *user, SlirpConfig *config, GError **error)
{
    if (!parse_net(user, error) ||
        !parse_in_net(user, "host", user->host, 2, &user->host_addr, error) ||
        !parse_in_net(user, "dns", user->dns, 3, &user->dns_addr, error) ||
        !parse_in_net(user, "dhcpstart", user->dhcpstart, 15, &user->dhcp_addr, error)) {
        return false;
    }
    if (user->host_addr.s_addr == user->dns_addr.s_addr) {
        return fail(user, error, "dns= must differ from host=");
    }
    if (user->dhcp_addr.s_addr == user->host_addr.s_addr ||
        user->dhcp_addr.s_addr == user->dns_addr.s_addr) {
        return fail(user, error, "dhcpstart= must differ from host= and dns=");
    }
    config->vnetwork = user->net_addr;
    config->vnetmask = user->net_mask;
    config->vhost = user->host_addr;
    config->vnameserver = user->dns_addr;
    config->vdhcp_start = user->dhcp_addr;
    return true;
}

static bool
parse_ipv6_in_net(NetUser *user, const char *key, const char *text, uint8_t default_last,
                  const SlirpConfig *config, struct in6_addr *out, GError **error)
{
    if (!text) {
        *out = config->vprefix_addr6;
        out->s6_addr[15] |= default_last;
        return true;
    }
    if (inet_pton(AF_INET6, text, out) != 1) {
        return fail(user, error, "%s=%s is not an IPv6 address", key, text);
    }
    for (unsigned bit = 0; bit < config->vprefix_len; bit++) {
        uint8_t differs = out->s6_addr[bit / 8] ^ config->vprefix_addr6.s6_addr[bit / 8];
        if (differs & 0x80 >> bit % 8) {
            return fail(user, error, "%s=%s is not an address of the guest's IPv6 network", key,
                        text);
        }
    }
    return true;
}

static bool
parse_ipv6(NetUser *user, SlirpConfig *config, GError **error)
{
    const char *text = user->ipv6_net      ? user->ipv6_net
                       : user->ipv6_prefix ? user->ipv6_prefix
                                           : "fec0::";
    g_auto(GStrv) parts = g_strsplit(text, "/", 2);
    uint64_t bits = user->ipv6_prefix_len;

    if (!parts[0] || inet_pton(AF_INET6, parts[0], &config->vprefix_addr6) != 1 ||
        (parts[1] && !vit_parse_uint(parts[1], &bits)) || bits > 126) {
        return fail(user, error, "'%s' is not an IPv6 network such as fec0::/64", text);
    }
    config->vprefix_len = bits;
    for (unsigned bit = bits; bit < 128; bit++) {
        config->vprefix_addr6.s6_addr[bit / 8] &= ~(0x80 >> bit % 8);
    }
    if (!parse_ipv6_in_net(user, "ipv6-host", user->ipv6_host, 2, config, &config->vhost6, error) ||
        !parse_ipv6_in_net(user, "ipv6-dns", user->ipv6_dns, 3, config, &config->vnameserver6,
                           error)) {
        return false;
    }
    if (memcmp(&config->vhost6, &config->vnameserver6, sizeof(config->vhost6)) == 0) {
        return fail(user, error, "ipv6-dns= must differ from ipv6-host=");
    }
    return true;
}

/* ---- what the stack calls ---- */

static ssize_t
send_packet(const void *buf, size_t len, void *opaque)
{
    vit_net_port_send(&((NetUser *)opaque)->netdev.port, buf, len);
    return len;
}

static void
guest_error(const char *message, void *opaque)
{
    const VitNetHost *host = &((NetUser *)opaque)->netdev.host;

    if (host->guest_error) {
        host->guest_error(host->opaque, message);
    }
}

static int64_t
clock_get_ns(void *opaque)
{
    return vit_clock_get_ns(((NetUser *)opaque)->netdev.host.clock);
}

typedef struct {
    VitTimer timer;
    NetUser *user;
    SlirpTimerId id;
    void *cb_opaque;
} UserTimer;

static void
timer_fired(void *opaque)
{
    UserTimer *timer = opaque;

    slirp_handle_timer(timer->user->slirp, timer->id, timer->cb_opaque);
}

static void *
timer_new(SlirpTimerId id, void *cb_opaque, void *opaque)
{
    NetUser *user = opaque;
    UserTimer *timer = g_new0(UserTimer, 1);

    timer->user = user;
    timer->id = id;
    timer->cb_opaque = cb_opaque;
    vit_timer_init(&timer->timer, user->netdev.host.clock, timer_fired, timer);
    g_ptr_array_add(user->timers, timer);
    return timer;
}

static void
timer_destroy(gpointer data)
{
    UserTimer *timer = data;

    vit_timer_del(&timer->timer);
    g_free(timer);
}

static void
timer_free(void *timer, void *opaque)
{
    g_ptr_array_remove(((NetUser *)opaque)->timers, timer);
}

static void
timer_mod(void *timer, int64_t expire_ms, void *opaque)
{
    vit_timer_mod(&((UserTimer *)timer)->timer, expire_ms * VIT_NS_PER_MS);
}

static void
poll_fd_changed(int fd, void *opaque)
{
    /* Every sleep asks for the whole set. */
}

static void
notify(void *opaque)
{
    NetUser *user = opaque;

    net_user_forward_kick(user);
    if (user->poll) {
        net_user_poll_wake(user->poll);
    }
}

static void
init_completed(Slirp *slirp, void *opaque)
{
    ((NetUser *)opaque)->slirp = slirp; /* timers may fire from here on */
}

static const SlirpCb callbacks = {
    .send_packet = send_packet,
    .guest_error = guest_error,
    .clock_get_ns = clock_get_ns,
    .timer_free = timer_free,
    .timer_mod = timer_mod,
    .register_poll_fd = poll_fd_changed,
    .unregister_poll_fd = poll_fd_changed,
    .notify = notify,
    .init_completed = init_completed,
    .timer_new_opaque = timer_new,
};

/* ---- the port ---- */

static bool
user_receive(void *opaque, const uint8_t *frame, size_t len)
{
    NetUser *user = opaque;
    int64_t now_ns = vit_clock_get_ns(user->netdev.host.clock);

    frame = net_frag_take(user->frag, frame, len, now_ns, &len);
    if (frame) {
        slirp_input(user->slirp, frame, len);
    }
    net_user_poll_wake(user->poll);
    return true;
}

static const VitNetPortOps port_ops = { .receive = user_receive };

/* ---- opening ---- */

static bool
check_families(NetUser *user, SlirpConfig *config, GError **error)
{
    /* Asking for one alone turns the other off. */
    config->in_enabled = user->ipv4 == VIT_ON || (user->ipv4 == VIT_AUTO && user->ipv6 != VIT_ON);
    config->in6_enabled = user->ipv6 == VIT_ON || (user->ipv6 == VIT_AUTO && user->ipv4 != VIT_ON);
    if (!config->in_enabled && !config->in6_enabled) {
        return fail(user, error, "ipv4=off and ipv6=off leave no network");
    }
    return true;
}

static bool
check_texts(NetUser *user, GError **error)
{
    if (user->tftp && !g_file_test(user->tftp, G_FILE_TEST_IS_DIR)) {
        return fail(user, error, "tftp=%s is not a folder", user->tftp);
    }
    if (user->domainname && !*user->domainname) {
        return fail(user, error, "domainname= is empty");
    }
    /* DHCP and BOOTP fields, RFC 2131 and RFC 2132. */
    if (user->bootfile && strlen(user->bootfile) > 127) {
        return fail(user, error, "bootfile= has more than 127 bytes");
    }
    if (user->tftp_server_name && strlen(user->tftp_server_name) > 255) {
        return fail(user, error, "tftp-server-name= has more than 255 bytes");
    }
    return true;
}

static bool
add_all(NetUser *user, GPtrArray *rules,
        bool (*add)(NetUser *user, const char *rule, GError **error), GError **error)
{
    for (unsigned i = 0; rules && i < rules->len; i++) {
        if (!add(user, rules->pdata[i], error)) {
            return false;
        }
    }
    return true;
}

static bool
user_open(VitNetdev *netdev, GError **error)
{
    NetUser *user = (NetUser *)netdev;
    SlirpConfig config = { .version = SLIRP_CONFIG_VERSION_MAX };
    char net[INET_ADDRSTRLEN];

    user->timers = g_ptr_array_new_with_free_func(timer_destroy);
    user->forwards = g_ptr_array_new_with_free_func((GDestroyNotify)net_user_forward_free);
    user->frag = net_frag_new();
    vit_net_port_init(&netdev->port, netdev->id, "user", &port_ops, user);
    if (!check_families(user, &config, error) || !parse_ipv4(user, &config, error) ||
        !parse_ipv6(user, &config, error) || !check_texts(user, error)) {
        return false;
    }
    if (user->dnssearch) {
        g_ptr_array_add(user->dnssearch, NULL);
        config.vdnssearch = (const char **)user->dnssearch->pdata;
    }
    config.restricted = user->restricted;
    config.vhostname = user->hostname;
    config.tftp_server_name = user->tftp_server_name;
    config.tftp_path = user->tftp;
    config.bootfile = user->bootfile;
    config.vdomainname = user->domainname;
    user->slirp = slirp_new(&config, &callbacks, user);
    if (!user->slirp) {
        return fail(user, error, "the network stack does not take these settings");
    }
    user->poll = net_user_poll_new(user);
    if (!add_all(user, user->hostfwd, net_user_add_hostfwd, error) ||
        !add_all(user, user->guestfwd, net_user_add_guestfwd, error) ||
        (user->smb && !net_user_start_smb(user, error))) {
        return false;
    }
    inet_ntop(AF_INET, &user->net_addr, net, sizeof(net));
    netdev->port.info = g_strdup_printf("net=%s,restrict=%s", net, user->restricted ? "on" : "off");
    return true;
}

static void
user_close(VitNetdev *netdev)
{
    NetUser *user = (NetUser *)netdev;

    vit_net_port_disconnect(&netdev->port);
    if (user->poll) {
        g_source_destroy(user->poll);
        g_clear_pointer(&user->poll, g_source_unref);
    }
    g_clear_pointer(&user->forwards, g_ptr_array_unref);
    if (user->slirp) {
        slirp_cleanup(user->slirp);
        user->slirp = NULL;
    }
    net_user_stop_smb(user);
    g_clear_pointer(&user->frag, net_frag_free);
    g_clear_pointer(&user->timers, g_ptr_array_unref);
    g_clear_pointer(&user->dnssearch, g_ptr_array_unref);
    g_clear_pointer(&user->hostfwd, g_ptr_array_unref);
    g_clear_pointer(&user->guestfwd, g_ptr_array_unref);
}

const VitNetKind vit_net_user_kind = {
    .name = "user",
    .title = VIT_N_("Shared with the host, without privileges (NAT)"),
    .size = sizeof(NetUser),
    .props = props,
    .list_props = list_props,
    .add = user_add,
    .open = user_open,
    .close = user_close,
};

bool
vit_net_is_user(const VitNetdev *netdev)
{
    return netdev->kind == &vit_net_user_kind;
}

bool
vit_net_user_add_hostfwd(VitNetdev *netdev, const char *rule, GError **error)
{
    return net_user_add_hostfwd((NetUser *)netdev, rule, error);
}

bool
vit_net_user_remove_hostfwd(VitNetdev *netdev, const char *rule, GError **error)
{
    return net_user_remove_hostfwd((NetUser *)netdev, rule, error);
}

char *
vit_net_user_info(VitNetdev *netdev)
{
    return slirp_connection_info(((NetUser *)netdev)->slirp);
}
