/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Sending: a header that says what the driver left to do, then the frame. Checksums and TCP
 * segments are made here, as the network behind the card takes plain frames. VirtIO 1.2 section
 * 5.1.6.2. Thread: device lock held. */

#include "virtio-net.h"

#include <string.h>

static void
read_header(const VirtioElement *element, unsigned len, NetHeader *out)
{
    uint8_t bytes[NET_HEADER_BYTES] = { 0 };

    vit_sg_read(&element->out, 0, bytes, len);
    *out = (NetHeader){
        .flags = bytes[0],
        .gso_type = bytes[1],
        .header_len = (uint16_t)(bytes[2] | bytes[3] << 8),
        .gso_size = (uint16_t)(bytes[4] | bytes[5] << 8),
        .csum_start = (uint16_t)(bytes[6] | bytes[7] << 8),
        .csum_offset = (uint16_t)(bytes[8] | bytes[9] << 8),
    };
}

static void
emit(void *opaque, const uint8_t *frame, size_t len)
{
    VirtioNet *net = opaque;

    vit_net_port_send(&net->port, frame, len);
}

/* Whether the driver may ask for segments of TYPE. */
static bool
gso_is_agreed(const VirtioNet *net, uint8_t type)
{
    switch (type & ~NET_GSO_ECN) {
    case NET_GSO_TCPV4: return virtio_has(&net->t.virtio, NET_F_HOST_TSO4);
    case NET_GSO_TCPV6: return virtio_has(&net->t.virtio, NET_F_HOST_TSO6);
    default: return false;
    }
}

static bool
send_frame(VirtioNet *net, const NetHeader *header, size_t len)
{
    bool needs_csum = header->flags & NET_HEADER_NEEDS_CSUM;

    if (header->gso_type != NET_GSO_NONE) {
        return needs_csum && gso_is_agreed(net, header->gso_type) &&
               net_offload_segment(net->frame, len, header->csum_start, header->gso_size,
                                   (header->gso_type & ~NET_GSO_ECN) == NET_GSO_TCPV6, emit, net);
    }
    if (needs_csum &&
        (!virtio_has(&net->t.virtio, NET_F_CSUM) ||
         !net_offload_fill(net->frame, len, header->csum_start, header->csum_offset))) {
        return false;
    }
    emit(net, net->frame, len);
    return true;
}

static void
send_element(VirtioNet *net, VirtioElement *element)
{
    unsigned header_len = virtio_net_header_len(net);
    NetHeader header;
    size_t len;

    if (element->out.len_bytes < header_len + 14u ||
        element->out.len_bytes - header_len > NET_FRAME_MAX) {
        vit_guest_error(net->t.virtio.dev, "a frame of %u bytes to send",
                        (unsigned)element->out.len_bytes);
        return;
    }
    read_header(element, header_len, &header);
    len = vit_sg_read(&element->out, header_len, net->frame, NET_FRAME_MAX);
    if (!send_frame(net, &header, len)) {
        vit_guest_error(net->t.virtio.dev, "a frame with impossible checksum or segment data");
    }
}

void
virtio_net_handle_tx(VirtQueue *queue)
{
    VirtioNet *net = virtio_net_of(queue->virtio);
    VirtioElement *element;

    do {
        virtq_set_kick(queue, false);
        while ((element = virtq_pop(queue, sizeof(*element)))) {
            send_element(net, element);
            virtq_push(queue, element, 0);
        }
        virtq_notify(queue);
        virtq_set_kick(queue, true);
    } while (!virtq_is_empty(queue));
}
