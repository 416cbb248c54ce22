/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The virtio network card. VirtIO 1.2 section 5.1.
 *
 * One pair of queues, as the networks behind it have one; a control queue. The driver may leave
 * checksums and TCP segmentation to the card, which does them in software; what it receives comes
 * marked as verified where it is. Not offered: large receives, notification of a moved guest,
 * receive-side scaling, several pairs.
 *
 * Thread: device lock held. */

#include "virtio-net.h"

#include "vit-error.h"

#include <string.h>

VIT_DEVICE_LAYOUT(VirtioNet)

enum {
    CONFIG_BYTES = 20,
    CONFIG_STATUS = 6,
    STATUS_LINK_UP = 1,
    CTRL_QUEUE_SIZE = 64,
};

static uint64_t
get_features(Virtio *virtio)
{
    VirtioNet *net = virtio_net_of(virtio);
    uint64_t features = NET_F_MAC;

    features |= net->mrg_rxbuf ? NET_F_MRG_RXBUF : 0;
    features |= net->guest_csum ? NET_F_GUEST_CSUM : 0;
    features |= net->has_status ? NET_F_STATUS : 0;
    features |= net->host_mtu ? NET_F_MTU : 0;
    if (net->csum) {
        features |= NET_F_CSUM;
        features |= net->host_tso4 ? NET_F_HOST_TSO4 : 0;
        features |= net->host_tso6 ? NET_F_HOST_TSO6 : 0;
        features |= net->host_ecn && (net->host_tso4 || net->host_tso6) ? NET_F_HOST_ECN : 0;
    }
    if (net->ctrl_vq) {
        features |= NET_F_CTRL_VQ;
        features |= net->ctrl_rx ? NET_F_CTRL_RX : 0;
        features |= net->ctrl_vlan ? NET_F_CTRL_VLAN : 0;
        features |= net->ctrl_rx && net->ctrl_rx_extra ? NET_F_CTRL_RX_EXTRA : 0;
        features |= net->ctrl_mac_addr ? NET_F_CTRL_MAC_ADDR : 0;
    }
    features |= net->speed_mbps >= 0 || net->duplex ? NET_F_SPEED_DUPLEX : 0;
    return features;
}

static void
features_set(Virtio *virtio)
{
    VirtioNet *net = virtio_net_of(virtio);

    /* Without VLAN filtering every tag passes. */
    memset(net->vlans, virtio_has(virtio, NET_F_CTRL_VLAN) ? 0 : 0xff, sizeof(net->vlans));
}

static void
read_config(Virtio *virtio, uint8_t *out)
{
    VirtioNet *net = virtio_net_of(virtio);
    uint32_t speed = (uint32_t)net->speed_mbps; /* -1: unknown */

    memcpy(out, net->current_mac, 6);
    out[CONFIG_STATUS] =
        net->has_status && vit_net_port_link_is_up(&net->port) ? STATUS_LINK_UP : 0;
    out[8] = 1; /* pairs of queues */
    out[10] = (uint8_t)net->host_mtu;
    out[11] = (uint8_t)(net->host_mtu >> 8);
    for (unsigned i = 0; i < 4; i++) {
        out[12 + i] = (uint8_t)(speed >> 8 * i);
    }
    out[16] = net->duplex ? (uint8_t)(net->duplex - 1) : 0xff;
}

static void
write_config(Virtio *virtio, unsigned at, unsigned len, const uint8_t *data)
{
    /* How legacy drivers without a control queue set the address. */
    if (at < 6 && !virtio_has(virtio, VIRTIO_F_VERSION_1 | NET_F_CTRL_MAC_ADDR)) {
        memcpy(virtio_net_of(virtio)->current_mac, data, 6);
    }
}

static void
net_reset(Virtio *virtio)
{
    VirtioNet *net = virtio_net_of(virtio);

    memcpy(net->current_mac, net->mac, 6);
    net->promiscuous = true; /* until a driver says otherwise */
    net->all_multicast = net->all_unicast = false;
    net->no_multicast = net->no_unicast = net->no_broadcast = false;
    net->unicast_count = net->multicast_count = 0;
    net->unicast_overflow = net->multicast_overflow = false;
    memset(net->macs, 0, sizeof(net->macs));
    memset(net->vlans, 0, sizeof(net->vlans));
}

static void
status_changed(Virtio *virtio)
{
    vit_net_port_flush(&virtio_net_of(virtio)->port);
}

static void
queue_reset(VirtQueue *queue)
{
    /* Nothing outlives the call that took it. */
}

static void
handle_rx(VirtQueue *queue)
{
    vit_net_port_flush(&virtio_net_of(queue->virtio)->port);
}

static void
link_changed(void *opaque, bool up)
{
    VirtioNet *net = opaque;

    virtio_config_changed(&net->t.virtio);
}

static const VitNetPortOps port_ops = {
    .receive = virtio_net_receive,
    .link_changed = link_changed,
};

static bool
check_sizes(const VirtioNet *net, GError **error)
{
    if ((net->rx_queue_size & (net->rx_queue_size - 1)) ||
        (net->tx_queue_size & (net->tx_queue_size - 1))) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "%s: rx_queue_size=%u, tx_queue_size=%u: they must be powers of two up to %u.",
                    net->t.pci.dev.kind->name, net->rx_queue_size, net->tx_queue_size,
                    VIRTIO_QUEUE_SIZE_MAX);
        return false;
    }
    return true;
}

static bool
net_realize(Virtio *virtio, GError **error)
{
    VirtioNet *net = virtio_net_of(virtio);
    VitDevice *dev = virtio->dev;
    static const uint8_t no_mac[6] = { 0 };
    static const uint8_t default_mac[6] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };

    if (!check_sizes(net, error)) {
        return false;
    }
    if (memcmp(net->mac, no_mac, 6) == 0) {
        memcpy(net->mac, default_mac, 6);
    }
    vit_net_port_init(&net->port, dev->id ? dev->id : dev->kind->name, dev->kind->name, &port_ops,
                      net);
    if (net->netdev && !vit_net_port_connect(&net->port, net->netdev, error)) {
        vit_net_port_finish(&net->port);
        return false;
    }
    net->port.info =
        g_strdup_printf("macaddr=%02x:%02x:%02x:%02x:%02x:%02x", net->mac[0], net->mac[1],
                        net->mac[2], net->mac[3], net->mac[4], net->mac[5]);
    net->frame = g_malloc(NET_FRAME_MAX);
    virtio_add_queue(virtio, net->rx_queue_size, handle_rx);
    virtio_add_queue(virtio, net->tx_queue_size, virtio_net_handle_tx);
    if (net->ctrl_vq) {
        virtio_add_queue(virtio, CTRL_QUEUE_SIZE, virtio_net_handle_ctrl);
    }
    return true;
}

static void
net_unrealize(Virtio *virtio)
{
    VirtioNet *net = virtio_net_of(virtio);

    vit_net_port_finish(&net->port);
    g_clear_pointer(&net->frame, g_free);
}

static bool
net_post_load(VitDevice *dev, unsigned version, GError **error)
{
    VirtioNet *net = (VirtioNet *)dev;

    if (net->unicast_count > NET_MACS_MAX ||
        net->multicast_count > NET_MACS_MAX - net->unicast_count) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_CORRUPT,
                    "saved state of %s: more addresses than its table holds", dev->path);
        return false;
    }
    return virtio_pci_post_load(dev, version, error);
}

static const VirtioOps net_ops = {
    .device_type = 1,
    .legacy_device = 0x1000,
    .config_len = CONFIG_BYTES,
    .get_features = get_features,
    .features_set = features_set,
    .read_config = read_config,
    .write_config = write_config,
    .status_changed = status_changed,
    .reset = net_reset,
    .queue_reset = queue_reset,
};

static const char *const duplex_words[] = { "unknown", "half", "full", NULL };

static const VitProp props[] = {
    VIT_PROP_MAC(VirtioNet, mac, "mac", VIT_N_("Ethernet address")),
    VIT_PROP_BACKEND(VirtioNet, netdev, "netdev", VIT_PROP_TYPE_NETDEV, VIT_N_("Network it is on")),
    VIT_PROP_INT(VirtioNet, bootindex, "bootindex", -1, -1, INT32_MAX,
                 VIT_N_("Place in boot order")),
    VIT_PROP_BOOL(VirtioNet, mrg_rxbuf, "mrg_rxbuf", true,
                  VIT_N_("A received frame may take several buffers")),
    VIT_PROP_BOOL(VirtioNet, csum, "csum", true, VIT_N_("Makes checksums of sent frames")),
    VIT_PROP_BOOL(VirtioNet, guest_csum, "guest_csum", true,
                  VIT_N_("Tells which received frames have a good checksum")),
    VIT_PROP_BOOL(VirtioNet, host_tso4, "host_tso4", true,
                  VIT_N_("Cuts TCP over IPv4 to segments")),
    VIT_PROP_BOOL(VirtioNet, host_tso6, "host_tso6", true,
                  VIT_N_("Cuts TCP over IPv6 to segments")),
    VIT_PROP_BOOL(VirtioNet, host_ecn, "host_ecn", true,
                  VIT_N_("Keeps congestion marks when it cuts")),
    VIT_PROP_BOOL(VirtioNet, has_status, "status", true, VIT_N_("Tells when the link goes")),
    VIT_PROP_BOOL(VirtioNet, ctrl_vq, "ctrl_vq", true, VIT_N_("Has a control queue")),
    VIT_PROP_BOOL(VirtioNet, ctrl_rx, "ctrl_rx", true, VIT_N_("Receive modes can be chosen")),
    VIT_PROP_BOOL(VirtioNet, ctrl_vlan, "ctrl_vlan", true, VIT_N_("VLANs can be chosen")),
    VIT_PROP_BOOL(VirtioNet, ctrl_rx_extra, "ctrl_rx_extra", true, VIT_N_("More receive modes")),
    VIT_PROP_BOOL(VirtioNet, ctrl_mac_addr, "ctrl_mac_addr", true,
                  VIT_N_("The address can be set by a command")),
    VIT_PROP_UINT(VirtioNet, rx_queue_size, "rx_queue_size", 256, 64, VIRTIO_QUEUE_SIZE_MAX,
                  VIT_N_("Entries of the receive queue, a power of two")),
    VIT_PROP_UINT(VirtioNet, tx_queue_size, "tx_queue_size", 256, 64, VIRTIO_QUEUE_SIZE_MAX,
                  VIT_N_("Entries of the send queue, a power of two")),
    VIT_PROP_UINT(VirtioNet, host_mtu, "host_mtu", 0, 0, 65535,
                  VIT_N_("Largest packet of the network, told to the driver; 0 = not told")),
    VIT_PROP_INT(VirtioNet, speed_mbps, "speed", -1, -1, INT32_MAX,
                 VIT_N_("Link speed in Mbit/s; -1 = not told")),
    VIT_PROP_ENUM(VirtioNet, duplex, "duplex", duplex_words, 0, VIT_N_("Duplex of the link")),
    VIRTIO_PCI_PROPS(VirtioNet, t),
    { 0 },
};

static const VitField state[] = {
    VIRTIO_PCI_STATE(VirtioNet, t),
    VIT_FIELD_ARRAY(VirtioNet, current_mac),
    VIT_FIELD(VirtioNet, promiscuous),
    VIT_FIELD(VirtioNet, all_multicast),
    VIT_FIELD(VirtioNet, all_unicast),
    VIT_FIELD(VirtioNet, no_multicast),
    VIT_FIELD(VirtioNet, no_unicast),
    VIT_FIELD(VirtioNet, no_broadcast),
    VIT_FIELD(VirtioNet, unicast_count),
    VIT_FIELD(VirtioNet, multicast_count),
    VIT_FIELD(VirtioNet, unicast_overflow),
    VIT_FIELD(VirtioNet, multicast_overflow),
    VIT_FIELD_BYTES(VirtioNet, macs),
    VIT_FIELD_ARRAY(VirtioNet, vlans),
    VIT_TRANSIENT(VirtioNet, port),  /* the link, and frames on the wire, which may be lost */
    VIT_TRANSIENT(VirtioNet, frame), /* while sending */
    { 0 },
};

#define NET_INFO(mode_)                                                  \
    VIRTIO_PCI_INFO(mode_, &net_ops, net_realize, net_unrealize, 0x0200, \
                    .rom_file = "efi-virtio.rom")

static const VirtioPciInfo as_told = NET_INFO(VIRTIO_PCI_AS_TOLD);
static const VirtioPciInfo transitional = NET_INFO(VIRTIO_PCI_TRANSITIONAL);
static const VirtioPciInfo modern = NET_INFO(VIRTIO_PCI_MODERN);

static const char *const aliases[] = { "virtio-net", NULL };

const VitDeviceKind vit_virtio_net_pci_kind = VIRTIO_PCI_KIND(
    VirtioNet, "virtio-net-pci", VIT_N_("Virtio network card"), VIT_CATEGORY_NETWORK, props, state,
    as_told, .aliases = aliases, .post_load = net_post_load);
const VitDeviceKind vit_virtio_net_pci_transitional_kind =
    VIRTIO_PCI_KIND(VirtioNet, "virtio-net-pci-transitional",
                    VIT_N_("Virtio network card, legacy and modern interface"),
                    VIT_CATEGORY_NETWORK, props, state, transitional, .post_load = net_post_load);
const VitDeviceKind vit_virtio_net_pci_non_transitional_kind =
    VIRTIO_PCI_KIND(VirtioNet, "virtio-net-pci-non-transitional",
                    VIT_N_("Virtio network card, modern interface only"), VIT_CATEGORY_NETWORK,
                    props, state, modern, .post_load = net_post_load);
