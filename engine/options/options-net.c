/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Options of the network: -nic, -netdev and the old -net. Thread: any; const data. */

#include "options-schema.h"

static const VitOptionKey k_nic[] = {
    K_MAC("mac", NULL, "Hardware address"),
    K_STRING("model", NULL, "NIC model", .flags = VIT_OPT_HELP, .mission = "nic.model.help"),
    K_STRING("name", NULL, "Name for the monitor"),
    K_ADDRESS("addr", NULL, "PCI address"),
    K_INT("vectors", NULL, "MSI-X vectors of virtio cards", .max = 2048),
    K_NEW_ID("id", NULL, "Name of the backend"),
    { 0 },
};

static const VitOptionKey k_net_user[] = {
    K_BOOL("ipv4", "on", "Enable IPv4; if neither family is named both are on"),
    K_BOOL("ipv6", "on", "Enable IPv6"),
    K_ADDRESS("net", "10.0.2.0/24", "Guest IPv4 network; mask dotted or as prefix length"),
    K_ADDRESS("host", NULL, "Address at which the guest sees the host"),
    K_ADDRESS("ipv6-net", "fec0::/64", "Guest IPv6 network; default prefix length 64"),
    K_STRING("ipv6-prefix", NULL, "IPv6 network prefix", .flags = VIT_OPT_DEPRECATED),
    K_INT("ipv6-prefixlen", NULL, "Length of that prefix", .flags = VIT_OPT_DEPRECATED, .max = 128),
    K_ADDRESS("ipv6-host", NULL, "IPv6 address at which the guest sees the host"),
    K_BOOL("restrict", "off",
           "Isolates the guest: no host or outside contact except explicit forwards"),
    K_STRING("hostname", NULL, "Host name handed to the guest by DHCP"),
    K_ADDRESS("dhcpstart", NULL, "First of the 16 addresses DHCP hands out"),
    K_ADDRESS("dns", NULL, "IPv4 address of the virtual name server; must differ from host"),
    K_ADDRESS("ipv6-dns", NULL, "IPv6 address of the virtual name server; must differ from host"),
    K_STRING("dnssearch", NULL, "DNS search suffix sent by DHCP; repeatable",
             .flags = VIT_OPT_REPEATS),
    K_STRING("domainname", NULL, "Domain name sent by DHCP"),
    K_PATH("tftp", VIT_PATH_FOLDER, NULL, "Read-only TFTP server rooted in DIR (binary mode)"),
    K_STRING("tftp-server-name", NULL, "DHCP option 66, to fetch boot files from elsewhere"),
    K_STRING("bootfile", NULL,
             "Boot file name announced by BOOTP/DHCP; with tftp it allows a network boot from a "
             "local directory"),
    K_PATH("smb", VIT_PATH_FOLDER, NULL,
           "Exports DIR as share qemu on server smbserver; needs a Samba daemon on the host"),
    K_ADDRESS("smbserver", NULL, "Address of the SMB server"),
    K_STRING("hostfwd", NULL,
             "Forwards a host port into the guest; repeatable; a busy port is an error",
             .flags = VIT_OPT_REPEATS, .change = VIT_CHANGE_HOT),
    K_STRING(
        "guestfwd", NULL, "Guest connections to an address go to a character device or a command",
        .flags = VIT_OPT_REPEATS, .mission = "netdev.user.guestfwd.dev netdev.user.guestfwd.cmd"),
    { 0 },
};

static const VitOptionKey k_net_tap[] = {
    K_INT("fd", NULL, "Already opened TAP descriptor", .max = 2147483647),
    K_STRING("ifname", NULL, "Interface name"),
    K_PATH("script", VIT_PATH_PROGRAM, "/etc/qemu-ifup",
           "Run to configure the interface; no disables"),
    K_PATH("downscript", VIT_PATH_PROGRAM, "/etc/qemu-ifdown", "Run to deconfigure; no disables"),
    K_STRING("br", "br0", "Bridge the helper joins"),
    K_PATH("helper", VIT_PATH_PROGRAM, NULL, "Privileged helper used when unprivileged"),
    K_INT("queues", "1", "Number of queues", .min = 1, .max = 1024,
          .mission = "x.netdev.tap.queues"),
    K_STRING("fds", NULL, "Opened descriptors, one for each queue"),
    K_BOOL("vhost", "off", "Data path in the kernel", .mission = "x.netdev.tap.vhost"),
    K_INT("vhostfd", NULL, "Opened vhost descriptor", .max = 2147483647),
    K_STRING("vhostfds", NULL, "Opened vhost descriptors"),
    K_BOOL("vhostforce", NULL, "Use vhost for guests without MSI-X too"),
    K_BOOL("vnet_hdr", NULL, "Offload header on the TAP", .mission = "x.netdev.tap.vnet_hdr"),
    K_SIZE("sndbuf", "0", "Limit of the send buffer", .mission = "x.netdev.tap.sndbuf"),
    K_INT("poll-us", NULL, "Busy polling of vhost", .max = 1000000, .unit = "µs"),
    { 0 },
};

static const VitOptionKey k_net_bridge[] = {
    K_STRING("br", "br0", "Bridge name"),
    K_PATH("helper", VIT_PATH_PROGRAM, NULL, "Helper program"),
    { 0 },
};

static const VitOptionKey k_net_socket[] = {
    K_INT("fd", NULL, "Already connected TCP socket or multicast UDP socket", .max = 2147483647),
    K_STRING("listen", NULL, "Wait for another instance over TCP"),
    K_STRING("connect", NULL, "Connect to a listening instance"),
    K_STRING("mcast", NULL,
             "Shared UDP multicast bus among any number of instances, also on several hosts; "
             "compatible with User Mode Linux"),
    K_STRING("udp", NULL, "Other end of a UDP tunnel", .mission = "x.netdev.socket.udp"),
    K_STRING("localaddr", NULL, "Host address multicast packets leave from"),
    { 0 },
};

static const VitOptionKey k_net_l2tpv3[] = {
    K_ADDRESS("src", NULL, "Local address", .flags = VIT_OPT_REQUIRED),
    K_ADDRESS("dst", NULL, "Remote address", .flags = VIT_OPT_REQUIRED),
    K_BOOL("udp", "off", "UDP instead of raw IP encapsulation"),
    K_INT("srcport", NULL, "Local UDP port", .max = 65535),
    K_INT("dstport", NULL, "Remote UDP port", .max = 65535),
    K_BOOL("ipv6", "off", "Use IPv6"),
    K_INT("txsession", NULL, "Session id sent", .flags = VIT_OPT_REQUIRED),
    K_INT("rxsession", NULL, "Session id expected"),
    K_INT("txcookie", NULL, "Cookie sent, guard against misconfiguration"),
    K_INT("rxcookie", NULL, "Cookie expected"),
    K_BOOL("cookie64", "off", "64-bit cookies"),
    K_BOOL("counter", NULL, "Packet counter in the header; off forces the reduced header"),
    K_BOOL("pincounter", "off",
           "Keeps the counter fixed for peers with broken handling or reordering networks"),
    K_INT("offset", "0", "Extra bytes between header and payload", .max = 65535),
    { 0 },
};

static const VitOptionKey k_net_vde[] = {
    K_PATH("sock", VIT_PATH_SOCKET, NULL, "Switch socket directory"),
    K_INT("port", NULL, "Switch port number", .max = 65535),
    K_STRING("group", NULL, "Group owning the communication port"),
    K_INT("mode", NULL, "Permissions of the communication port", .max = 511),
    { 0 },
};

static const VitOptionKey k_net_vhost_user[] = {
    K_ID("chardev", "chardev", NULL, "Unix socket chardev; another kind is an error",
         .flags = VIT_OPT_REQUIRED),
    K_BOOL("vhostforce", "off", "Force use for guests without MSI-X"),
    K_INT("queues", "1", "Queue pairs for multiqueue", .min = 1, .max = 1024),
    { 0 },
};

static const VitOptionKey k_nic_hubport[] = {
    K_INT("hubid", NULL, "Hub number", .max = 65535),
    { 0 },
};

static const VitOptionKey k_nic_vhost_vdpa[] = {
    K_PATH("vhostdev", VIT_PATH_DEVICE, NULL, "vhost-vdpa device"),
    { 0 },
};

static const VitOptionVariant vr_nic[] = {
    { .name = "none", .help = VIT_N_("No network devices at all, also not the default one") },
    { .name = "user", .help = VIT_N_("NIC on user-mode networking"), .keys = k_net_user },
    { .name = "tap",
      .help = VIT_N_("NIC on a TAP interface"),
      .keys = k_net_tap,
      .status = VIT_STATUS_NOT_YET },
    { .name = "bridge",
      .help = VIT_N_("NIC on a host bridge through the helper"),
      .keys = k_net_bridge,
      .status = VIT_STATUS_NOT_YET },
    { .name = "socket",
      .help = VIT_N_("NIC on a socket tunnel"),
      .keys = k_net_socket,
      .status = VIT_STATUS_NOT_YET },
    { .name = "l2tpv3",
      .help = VIT_N_("NIC on an L2TPv3 tunnel"),
      .keys = k_net_l2tpv3,
      .status = VIT_STATUS_NOT_YET },
    { .name = "vde",
      .help = VIT_N_("NIC on a VDE switch"),
      .keys = k_net_vde,
      .status = VIT_STATUS_NOT_YET },
    { .name = "vhost-user",
      .help = VIT_N_("virtio NIC served by a vhost-user process"),
      .keys = k_net_vhost_user,
      .status = VIT_STATUS_NOT_YET },
    { .name = "hubport",
      .help = VIT_N_("NIC on a port of a hub"),
      .keys = k_nic_hubport,
      .status = VIT_STATUS_NOT_YET,
      .mission = "=netdev.hubport" },
    { .name = "vhost-vdpa",
      .help = VIT_N_("NIC on a vDPA device"),
      .keys = k_nic_vhost_vdpa,
      .status = VIT_STATUS_NOT_YET },
    { .name = "netmap",
      .help = VIT_N_("NIC on netmap"),
      .status = VIT_STATUS_OTHER_HOST,
      .reason = VIT_N_("netmap is a BSD kernel facility and not available on this host") },
    { 0 },
};

static const VitOptionKey k_netdev[] = {
    K_STRING("type", NULL, "Kind of backend", .flags = VIT_OPT_REQUIRED | VIT_OPT_HELP),
    K_NEW_ID("id", NULL, "Name used by the NIC and the monitor", .flags = VIT_OPT_REQUIRED),
    { 0 },
};

static const VitOptionKey k_netdev_hubport[] = {
    K_INT("hubid", NULL, "Hub number", .flags = VIT_OPT_REQUIRED, .max = 65535),
    K_ID("netdev", "netdev", NULL, "Connects the port to another backend instead of a NIC"),
    { 0 },
};

static const VitOptionKey k_netdev_vhost_vdpa[] = {
    K_PATH("vhostdev", VIT_PATH_DEVICE, NULL, "vhost-vdpa character device",
           .flags = VIT_OPT_REQUIRED),
    K_INT("vhostfd", NULL, "Opened descriptor", .max = 2147483647),
    K_INT("queues", NULL, "Queue pairs", .min = 1, .max = 1024),
    K_BOOL("x-svq", "off", "Shadow virtqueues"),
    { 0 },
};

static const VitOptionKey k_netdev_stream[] = {
    K_STRING("addr", NULL, "Address: addr.type, addr.host, addr.port or addr.path",
             .flags = VIT_OPT_DOTTED),
    K_BOOL("server", "off", "Listen"),
    K_INT("reconnect", NULL, "Seconds between attempts", .max = 86400),
    { 0 },
};

static const VitOptionKey k_netdev_dgram[] = {
    K_STRING("local", NULL, "Local address", .flags = VIT_OPT_DOTTED),
    K_STRING("remote", NULL, "Remote address", .flags = VIT_OPT_DOTTED),
    { 0 },
};

static const VitOptionVariant vr_netdev[] = {
    { .name = "user",
      .help = VIT_N_(
          "User-mode NAT network with DHCP, DNS relay and optional services; needs no privileges"),
      .keys = k_net_user },
    { .name = "tap",
      .help = VIT_N_("Backend on a host TAP interface"),
      .keys = k_net_tap,
      .status = VIT_STATUS_NOT_YET },
    { .name = "bridge",
      .help = VIT_N_("TAP attached to a host bridge by the helper"),
      .keys = k_net_bridge,
      .status = VIT_STATUS_NOT_YET },
    { .name = "socket",
      .help = VIT_N_("Links guests' networks over TCP or UDP multicast; exactly one of fd, listen, "
                     "connect, mcast"),
      .keys = k_net_socket,
      .status = VIT_STATUS_NOT_YET },
    { .name = "l2tpv3",
      .help = VIT_N_(
          "Ethernet over an L2TPv3 pseudowire (RFC 3931) to a router, Linux host or other guest"),
      .keys = k_net_l2tpv3,
      .status = VIT_STATUS_NOT_YET },
    { .name = "vde",
      .help = VIT_N_("Port of a running vde_switch"),
      .keys = k_net_vde,
      .status = VIT_STATUS_NOT_YET },
    { .name = "vhost-user",
      .help = VIT_N_(
          "virtio queues served by another process over a Unix socket; needs shared guest RAM"),
      .keys = k_net_vhost_user,
      .status = VIT_STATUS_NOT_YET },
    { .name = "hubport",
      .help = VIT_N_("Port on an emulated hub, for connecting more than two parties"),
      .keys = k_netdev_hubport,
      .status = VIT_STATUS_NOT_YET },
    { .name = "vhost-vdpa",
      .help = VIT_N_("virtio data path in a host vDPA device"),
      .keys = k_netdev_vhost_vdpa,
      .status = VIT_STATUS_NOT_YET },
    { .name = "netmap",
      .help = VIT_N_("BSD netmap"),
      .status = VIT_STATUS_OTHER_HOST,
      .reason = VIT_N_("netmap is a BSD kernel facility and not available on this host") },
    { .name = "stream",
      .help = VIT_N_("Stream socket"),
      .keys = k_netdev_stream,
      .status = VIT_STATUS_NOT_YET,
      .since = "7.2",
      .mission = "x.netdev.stream" },
    { .name = "dgram",
      .help = VIT_N_("Datagram socket"),
      .keys = k_netdev_dgram,
      .status = VIT_STATUS_NOT_YET,
      .since = "7.2",
      .mission = "x.netdev.dgram" },
    { 0 },
};

static const VitOptionKey k_net[] = {
    K_STRING("name", NULL, "Name of the hub port"),
    { 0 },
};

static const VitOptionKey k_net_nic[] = {
    K_ID("netdev", "netdev", NULL, "Backend to use instead of the hub"),
    K_MAC("macaddr", NULL, "Hardware address"),
    K_STRING("model", NULL, "NIC model; default may change over releases, so naming it is advised",
             .flags = VIT_OPT_HELP, .mission = "net.nic.model.help"),
    K_STRING("name", NULL, "Name for monitor commands"),
    K_STRING("addr", NULL, "PCI address, PCI cards only"),
    K_INT("vectors", NULL, "MSI-X vectors, virtio cards only; 0 disables MSI-X", .max = 2048),
    { 0 },
};

static const VitOptionVariant vr_net[] = {
    { .name = "nic",
      .help = VIT_N_("Old way to add a NIC on hub 0 or on a given netdev"),
      .keys = k_net_nic },
    { .name = "none", .help = VIT_N_("No network") },
    { .name = "user", .help = VIT_N_("User backend on hub 0"), .keys = k_net_user },
    { .name = "tap",
      .help = VIT_N_("TAP backend on hub 0"),
      .keys = k_net_tap,
      .status = VIT_STATUS_NOT_YET },
    { .name = "bridge",
      .help = VIT_N_("Bridge backend on hub 0"),
      .keys = k_net_bridge,
      .status = VIT_STATUS_NOT_YET },
    { .name = "socket",
      .help = VIT_N_("Socket backend on hub 0"),
      .keys = k_net_socket,
      .status = VIT_STATUS_NOT_YET },
    { .name = "l2tpv3",
      .help = VIT_N_("L2TPv3 backend on hub 0"),
      .keys = k_net_l2tpv3,
      .status = VIT_STATUS_NOT_YET },
    { .name = "vde",
      .help = VIT_N_("VDE backend on hub 0"),
      .keys = k_net_vde,
      .status = VIT_STATUS_NOT_YET },
    { .name = "vhost-user",
      .help = VIT_N_("virtio queues served by another process"),
      .keys = k_net_vhost_user,
      .status = VIT_STATUS_NOT_YET },
    { 0 },
};

static const VitOption options[] = {
    { .name = "nic",
      .syntax = VIT_SYNTAX_KEYS,
      .repeat = VIT_REPEAT_LIST,
      .metavar = VIT_N_("BACKEND[,OPTION=VALUE[,...]][,mac=ADDR][,model=NAME]"),
      .help = VIT_N_("Creates a guest NIC and its host backend in one step; backend options are "
                     "those of -netdev"),
      .section = VIT_N_("Network"),
      .page = VIT_N_("Network"),
      .implied = "type",
      .id_key = "id",
      .group = "netdev",
      .keys = k_nic,
      .variants = vr_nic,
      .status = VIT_STATUS_AVAILABLE,
      .mission = "nic.default" },
    { .name = "netdev",
      .syntax = VIT_SYNTAX_KEYS,
      .repeat = VIT_REPEAT_LIST,
      .metavar = VIT_N_("TYPE,id=ID[,OPTION=VALUE[,...]]"),
      .help = VIT_N_("Creates a host network backend used by one NIC"),
      .section = VIT_N_("Network"),
      .page = VIT_N_("Network"),
      .implied = "type",
      .id_key = "id",
      .keys = k_netdev,
      .variants = vr_netdev,
      .flags = VIT_OPT_HELP | VIT_OPT_JSON,
      .change = VIT_CHANGE_HOT,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "net",
      .syntax = VIT_SYNTAX_KEYS,
      .repeat = VIT_REPEAT_LIST,
      .metavar = VIT_N_("nic|BACKEND[,OPTION=VALUE[,...]]"),
      .help = VIT_N_("Old way: a NIC or a backend on hub 0"),
      .section = VIT_N_("Network"),
      .page = VIT_N_("Network"),
      .implied = "type",
      .keys = k_net,
      .variants = vr_net,
      .flags = VIT_OPT_DEPRECATED,
      .status = VIT_STATUS_AVAILABLE },
};

const VitOptionArea vit_options_net_area = { options, VIT_ARRAY_LEN(options) };
