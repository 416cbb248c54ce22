/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Reception: filters, and frames into the driver's buffers, one or several each. A frame for which
 * there are not enough buffers stays with its sender until the driver offers more. VirtIO 1.2
 * sections 5.1.6.3 and 5.1.6.5. Thread: device lock held. */

#include "virtio-net.h"

#include <string.h>

enum { BUFFERS_MAX = 64 };

/* ---- filters ---- */

static bool
in_table(const VirtioNet *net, unsigned from, unsigned count, const uint8_t *address)
{
    for (unsigned i = from; i < from + count; i++) {
        if (memcmp(net->macs[i], address, 6) == 0) {
            return true;
        }
    }
    return false;
}

static bool
passes(const VirtioNet *net, const uint8_t *frame, size_t len)
{
    static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

    if (net->promiscuous) {
        return true;
    }
    if (len >= 18 && frame[12] == 0x81 && frame[13] == 0x00 &&
        virtio_has(&net->t.virtio, NET_F_CTRL_VLAN)) {
        unsigned id = (frame[14] & 15) << 8 | frame[15];
        if (!(net->vlans[id / 32] >> id % 32 & 1)) {
            return false;
        }
    }
    if (memcmp(frame, broadcast, 6) == 0) {
        return !net->no_broadcast;
    }
    if (frame[0] & 1) {
        return !net->no_multicast &&
               (net->all_multicast || net->multicast_overflow ||
                in_table(net, net->unicast_count, net->multicast_count, frame));
    }
    return !net->no_unicast &&
           (net->all_unicast || net->unicast_overflow || memcmp(frame, net->current_mac, 6) == 0 ||
            in_table(net, 0, net->unicast_count, frame));
}

/* ---- buffers ---- */

/* Takes buffers for TOTAL bytes; how many, or 0 with none taken. */
static unsigned
take_buffers(VirtioNet *net, VirtQueue *queue, size_t total, VirtioElement **out)
{
    bool mergeable = virtio_has(&net->t.virtio, NET_F_MRG_RXBUF);
    unsigned count = 0;
    size_t room = 0;

    while (room < total && count < (mergeable ? BUFFERS_MAX : 1)) {
        VirtioElement *element = virtq_pop(queue, sizeof(*element));
        if (!element) {
            break;
        }
        out[count++] = element;
        room += element->in.len_bytes;
    }
    if (room >= total) {
        return count;
    }
    if (count == 1 && !mergeable) {
        vit_guest_error(net->t.virtio.dev, "a receive buffer of %zu bytes for a frame of %zu", room,
                        total);
        virtq_push(queue, out[0], 0);
        return UINT_MAX;
    }
    while (count > 0) {
        virtq_unpop(queue, out[--count]);
    }
    return 0;
}

static void
make_header(VirtioNet *net, const uint8_t *frame, size_t len, unsigned buffers, uint8_t *out)
{
    memset(out, 0, NET_HEADER_BYTES);
    if (virtio_has(&net->t.virtio, NET_F_GUEST_CSUM) && net_offload_verify(frame, len)) {
        out[0] = NET_HEADER_DATA_VALID;
    }
    out[10] = (uint8_t)buffers;
    out[11] = (uint8_t)(buffers >> 8);
}

static void
store(VirtioNet *net, VirtQueue *queue, VirtioElement **buffers, unsigned count,
      const uint8_t *frame, size_t len)
{
    unsigned header_len = virtio_net_header_len(net), slots = 0;
    uint8_t header[NET_HEADER_BYTES];
    size_t done = 0;

    make_header(net, frame, len, count, header);
    for (unsigned i = 0; i < count; i++) {
        VitSg *sg = &buffers[i]->in;
        unsigned skip = i == 0 ? header_len : 0;
        uint64_t piece;

        if (skip) {
            vit_sg_write(sg, 0, header, header_len);
        }
        piece = vit_sg_write(sg, skip, frame + done, len - done);
        done += piece;
        slots += virtq_fill(queue, buffers[i], (uint32_t)(piece + skip), i, slots);
    }
    virtq_flush(queue, count, slots);
    virtq_notify(queue);
}

bool
virtio_net_receive(void *opaque, const uint8_t *frame, size_t len)
{
    VirtioNet *net = opaque;
    VirtQueue *queue = &net->t.virtio.queues[NET_QUEUE_RX];
    VirtioElement *buffers[BUFFERS_MAX];
    unsigned count;

    if (!(net->t.virtio.status & VIRTIO_STATUS_DRIVER_OK) || len < 14 || len > NET_FRAME_MAX ||
        !virtq_is_ready(queue) || !passes(net, frame, len)) {
        return true; /* nobody wants it */
    }
    count = take_buffers(net, queue, len + virtio_net_header_len(net), buffers);
    if (count == UINT_MAX) {
        return true;
    }
    if (count == 0) {
        return net->t.virtio.broken;
    }
    store(net, queue, buffers, count, frame, len);
    return true;
}
