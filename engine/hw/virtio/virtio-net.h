/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The virtio network card from the inside: virtio-net.c is the device, virtio-net-rx.c receives,
 * virtio-net-tx.c sends, virtio-net-ctrl.c takes orders, net-offload.c does checksums and segments.
 * VirtIO 1.2 section 5.1. Thread: device lock held. */

#include "virtio-pci.h"
#include "vit-netport.h"

#define NET_F_CSUM          (1ull << 0)
#define NET_F_GUEST_CSUM    (1ull << 1)
#define NET_F_MTU           (1ull << 3)
#define NET_F_MAC           (1ull << 5)
#define NET_F_HOST_TSO4     (1ull << 11)
#define NET_F_HOST_TSO6     (1ull << 12)
#define NET_F_HOST_ECN      (1ull << 13)
#define NET_F_MRG_RXBUF     (1ull << 15)
#define NET_F_STATUS        (1ull << 16)
#define NET_F_CTRL_VQ       (1ull << 17)
#define NET_F_CTRL_RX       (1ull << 18)
#define NET_F_CTRL_VLAN     (1ull << 19)
#define NET_F_CTRL_RX_EXTRA (1ull << 20)
#define NET_F_CTRL_MAC_ADDR (1ull << 23)
#define NET_F_SPEED_DUPLEX  (1ull << 63)

enum {
    NET_QUEUE_RX,
    NET_QUEUE_TX,
    NET_QUEUE_CTRL,

    NET_HEADER_BYTES = 12,        /* with the number of buffers, */
    NET_HEADER_LEGACY_BYTES = 10, /* and without */
    NET_FRAME_MAX = 64 * 1024 + 256,
    NET_MACS_MAX = 64,
};

/* Flags and types of the header before each frame (5.1.6). */
enum {
    NET_HEADER_NEEDS_CSUM = 1,
    NET_HEADER_DATA_VALID = 2,
    NET_GSO_NONE = 0,
    NET_GSO_TCPV4 = 1,
    NET_GSO_TCPV6 = 4,
    NET_GSO_ECN = 0x80,
};

typedef struct NetHeader {
    uint8_t flags, gso_type;
    uint16_t header_len, gso_size, csum_start, csum_offset, buffer_count;
} NetHeader;

typedef struct VirtioNet {
    VirtioPci t; /* first */
    /* properties */
    VitNetPort *netdev;
    uint8_t mac[6];
    int32_t bootindex;
    bool mrg_rxbuf, csum, guest_csum, host_tso4, host_tso6, host_ecn, has_status, ctrl_vq, ctrl_rx,
        ctrl_vlan, ctrl_rx_extra, ctrl_mac_addr;
    uint32_t rx_queue_size, tx_queue_size, host_mtu;
    int32_t speed_mbps, duplex;
    /* the driver's */
    uint8_t current_mac[6];
    bool promiscuous, all_multicast, all_unicast, no_multicast, no_unicast, no_broadcast;
    uint8_t unicast_count, multicast_count;
    bool unicast_overflow, multicast_overflow;
    uint8_t macs[NET_MACS_MAX][6]; /* unicast ones first */
    uint32_t vlans[4096 / 32];
    /* wiring */
    VitNetPort port;
    uint8_t *frame; /* NET_FRAME_MAX bytes for sending */
} VirtioNet;

static inline VirtioNet *
virtio_net_of(Virtio *virtio)
{
    return VIRTIO_DEVICE(VirtioNet, virtio);
}

static inline unsigned
virtio_net_header_len(const VirtioNet *net)
{
    return virtio_has(&net->t.virtio, NET_F_MRG_RXBUF | VIRTIO_F_VERSION_1)
               ? NET_HEADER_BYTES
               : NET_HEADER_LEGACY_BYTES;
}

bool virtio_net_receive(void *opaque, const uint8_t *frame, size_t len);
void virtio_net_handle_tx(VirtQueue *queue);
void virtio_net_handle_ctrl(VirtQueue *queue);

/* ---- net-offload.c: knows frames, not cards ---- */

/* Whether the frame is TCP or UDP, whole, with a correct checksum. */
bool net_offload_verify(const uint8_t *frame, size_t len);
/* Sums FRAME from START to its end into START + OFFSET; false when that is outside. */
bool net_offload_fill(uint8_t *frame, size_t len, unsigned start, unsigned offset);
/* Cuts a TCP frame whose checksum begins at START into segments of MSS bytes, each given to EMIT
 * whole and summed; FRAME is changed. False when it is not such a frame. */
bool net_offload_segment(uint8_t *frame, size_t len, unsigned start, unsigned mss, bool is_ipv6,
                         void (*emit)(void *opaque, const uint8_t *frame, size_t len),
                         void *opaque);
