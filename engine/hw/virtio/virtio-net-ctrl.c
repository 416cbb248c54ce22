/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The control queue: receive filters, addresses, VLANs. VirtIO 1.2 section 5.1.6.5.
 * Thread: device lock held. */

#include "virtio-net.h"

#include <string.h>

enum {
    CLASS_RX = 0,
    CLASS_MAC = 1,
    CLASS_VLAN = 2,
    MAC_TABLE_SET = 0,
    MAC_ADDR_SET = 1,
    VLAN_ADD = 0,
    VLAN_DELETE = 1,
    ACK_OK = 0,
    ACK_ERROR = 1,
};

static bool
set_rx_mode(VirtioNet *net, uint8_t command, const VitSg *out)
{
    bool *const modes[] = { &net->promiscuous,  &net->all_multicast, &net->all_unicast,
                            &net->no_multicast, &net->no_unicast,    &net->no_broadcast };
    uint8_t on;

    if (command >= VIT_ARRAY_LEN(modes) || vit_sg_read(out, 0, &on, 1) < 1 ||
        !virtio_has(&net->t.virtio, command < 2 ? NET_F_CTRL_RX : NET_F_CTRL_RX_EXTRA)) {
        return false;
    }
    *modes[command] = on != 0;
    return true;
}

/* Reads one table of addresses at *AT; those that do not fit set *OVERFLOW. */
static bool
read_table(VirtioNet *net, const VitSg *out, uint64_t *at, unsigned from, uint8_t *count,
           bool *overflow)
{
    uint8_t bytes[4];
    uint32_t entries;

    if (vit_sg_read(out, *at, bytes, 4) < 4) {
        return false;
    }
    entries = bytes[0] | bytes[1] << 8 | bytes[2] << 16 | (uint32_t)bytes[3] << 24;
    *at += 4;
    if (entries > (out->len_bytes - *at) / 6) {
        return false;
    }
    *overflow = entries > NET_MACS_MAX - from;
    *count = *overflow ? 0 : (uint8_t)entries;
    if (*count) {
        vit_sg_read(out, *at, net->macs[from], 6u * *count);
    }
    *at += 6ull * entries;
    return true;
}

static bool
set_mac_table(VirtioNet *net, const VitSg *out)
{
    uint64_t at = 0;

    return read_table(net, out, &at, 0, &net->unicast_count, &net->unicast_overflow) &&
           read_table(net, out, &at, net->unicast_count, &net->multicast_count,
                      &net->multicast_overflow);
}

static bool
set_mac(VirtioNet *net, uint8_t command, const VitSg *out)
{
    if (command == MAC_TABLE_SET) {
        return set_mac_table(net, out);
    }
    return command == MAC_ADDR_SET && virtio_has(&net->t.virtio, NET_F_CTRL_MAC_ADDR) &&
           vit_sg_read(out, 0, net->current_mac, 6) == 6;
}

static bool
set_vlan(VirtioNet *net, uint8_t command, const VitSg *out)
{
    uint8_t bytes[2];
    unsigned id;

    if (vit_sg_read(out, 0, bytes, 2) < 2) {
        return false;
    }
    id = bytes[0] | bytes[1] << 8;
    if (id >= 4096 || command > VLAN_DELETE) {
        return false;
    }
    if (command == VLAN_ADD) {
        net->vlans[id / 32] |= 1u << id % 32;
    } else {
        net->vlans[id / 32] &= ~(1u << id % 32);
    }
    return true;
}

static bool
run_command(VirtioNet *net, VitSg *out)
{
    uint8_t head[2];

    if (vit_sg_read(out, 0, head, 2) < 2) {
        return false;
    }
    vit_sg_drop_front(out, 2);
    switch (head[0]) {
    case CLASS_RX: return set_rx_mode(net, head[1], out);
    case CLASS_MAC: return set_mac(net, head[1], out);
    case CLASS_VLAN: return set_vlan(net, head[1], out);
    default: return false;
    }
}

void
virtio_net_handle_ctrl(VirtQueue *queue)
{
    VirtioNet *net = virtio_net_of(queue->virtio);
    VirtioElement *element;

    while ((element = virtq_pop(queue, sizeof(*element)))) {
        uint8_t ack;

        if (element->in.len_bytes < 1) {
            virtio_break(queue->virtio, "a control command without room for its answer");
            virtq_drop(element);
            return;
        }
        ack = run_command(net, &element->out) ? ACK_OK : ACK_ERROR;
        vit_sg_write(&element->in, 0, &ack, 1);
        virtq_push(queue, element, 1);
        virtq_notify(queue);
        /* Filters may let through what waits. */
        vit_net_port_flush(&net->port);
    }
}
