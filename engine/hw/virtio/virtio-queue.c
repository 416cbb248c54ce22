/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Queues, whatever the format of their rings: where the rings lie, elements out of descriptors,
 * interrupts. VirtIO 1.2 sections 2.6 to 2.8.
 *
 * Everything in guest memory is untrusted: a count, length or flag that cannot be makes the device
 * wait for a reset (virtio_break) instead of doing part of it. Thread: device lock held. */

#include "virtio-ring.h"

static const VirtqFormat *
format_of(const VirtQueue *queue)
{
    return virtio_has(queue->virtio, VIRTIO_F_RING_PACKED) ? &virtq_packed : &virtq_split;
}

/* ---- where the rings lie ---- */

static bool
map_ring(VirtQueue *queue, VirtRing *ring, uint64_t address, uint64_t len, unsigned alignment)
{
    VitMapped at;

    if (address % alignment || address + len < address) {
        return false;
    }
    *ring = (VirtRing){ .address = address };
    vit_address_space_lookup(queue->virtio->space, address, &at);
    if (at.host && at.writable && at.span >= len) {
        ring->host = at.host;
        ring->block = at.region->block;
        ring->block_offset = at.region->block_offset + at.region_offset;
    }
    return true;
}

static bool
map_rings(VirtQueue *queue)
{
    bool packed = virtio_has(queue->virtio, VIRTIO_F_RING_PACKED);
    uint64_t size = queue->size;

    return map_ring(queue, &queue->desc, queue->desc_at, VIRTQ_DESC_BYTES * size, 16) &&
           map_ring(queue, &queue->driver, queue->driver_at, packed ? 4 : 6 + 2 * size,
                    packed ? 4 : 2) &&
           map_ring(queue, &queue->device, queue->device_at, packed ? 4 : 6 + 8 * size, 4);
}

/* Whether the queue can be used now; brings its host addresses up to date. */
static bool
prepare(VirtQueue *queue)
{
    Virtio *virtio = queue->virtio;
    uint32_t generation;

    if (!queue->enabled || virtio->broken || !virtio->transport->can_dma(virtio)) {
        return false;
    }
    generation = vit_address_space_view(virtio->space)->generation;
    if (queue->mapped && queue->generation == generation) {
        return true;
    }
    if (!map_rings(queue)) {
        virtio_break(virtio, "the address of a ring is not aligned");
        return false;
    }
    queue->generation = generation;
    queue->mapped = true;
    return true;
}

bool
virtq_is_ready(VirtQueue *queue)
{
    Virtio *virtio = queue->virtio;

    if (!queue->enabled || virtio->broken) {
        return false;
    }
    return (virtio->status & VIRTIO_STATUS_DRIVER_OK) || !virtio_has(virtio, VIRTIO_F_VERSION_1);
}

/* ---- elements ---- */

bool
virtq_add_desc(VirtioElement *element, const VirtqDesc *desc)
{
    bool is_write = desc->flags & VIRTQ_DESC_WRITE;
    VitSg *sg = is_write ? &element->in : &element->out;

    if (!is_write && element->in.count > 0) {
        virtio_break(element->queue->virtio, "a readable buffer follows a writable one");
        return false;
    }
    if (desc->len > UINT32_MAX - sg->len_bytes || desc->address + desc->len < desc->address ||
        !vit_sg_add(sg, desc->address, desc->len)) {
        virtio_break(element->queue->virtio, "a buffer is too long");
        return false;
    }
    return true;
}

/* NEXT as the table's format has it: the chain, or simply the next one. */
static bool
walk_table(VirtioElement *element, const uint8_t *table, uint32_t entries, bool packed)
{
    uint32_t at = 0;

    for (uint32_t seen = 0; seen < entries; seen++) {
        VirtqDesc desc;

        memcpy(&desc, table + at * VIRTQ_DESC_BYTES, sizeof(desc));
        if (packed) {
            desc.flags = desc.next;
        }
        if (desc.flags & VIRTQ_DESC_INDIRECT) {
            virtio_break(element->queue->virtio, "an indirect table inside another");
            return false;
        }
        if (!virtq_add_desc(element, &desc)) {
            return false;
        }
        at = packed ? at + 1 : desc.next;
        if (!packed && !(desc.flags & VIRTQ_DESC_NEXT)) {
            return true;
        }
        if (at >= entries) {
            break;
        }
    }
    if (!packed) {
        virtio_break(element->queue->virtio, "a descriptor chain does not end");
    }
    return packed;
}

bool
virtq_add_indirect(VirtioElement *element, const VirtqDesc *desc, bool packed)
{
    Virtio *virtio = element->queue->virtio;
    uint32_t entries = desc->len / VIRTQ_DESC_BYTES;
    g_autofree uint8_t *table = NULL;

    if (!virtio_has(virtio, VIRTIO_F_INDIRECT_DESC) || desc->len % VIRTQ_DESC_BYTES ||
        entries == 0 || entries > VIT_SG_SEGMENTS_MAX) {
        virtio_break(virtio, "an indirect table of impossible length");
        return false;
    }
    table = g_malloc(desc->len);
    vit_address_space_read_bytes(virtio->space, desc->address, table, desc->len);
    return walk_table(element, table, entries, packed);
}

static void *
new_element(VirtQueue *queue, size_t size)
{
    VirtioElement *element = g_malloc0(size);

    element->queue = queue;
    vit_sg_init(&element->out, queue->virtio->space, false);
    vit_sg_init(&element->in, queue->virtio->space, true);
    return element;
}

void *
virtq_pop(VirtQueue *queue, size_t size)
{
    const VirtqFormat *format = format_of(queue);
    VirtioElement *element;

    if (!prepare(queue) || !format->has_more(queue)) {
        return NULL;
    }
    element = new_element(queue, size);
    if (!format->take(queue, element)) {
        virtq_drop(element);
        return NULL;
    }
    return element;
}

void *
virtq_refetch(VirtQueue *queue, uint16_t at, uint16_t id, size_t size)
{
    VirtioElement *element;

    if (!prepare(queue) || at >= queue->size) {
        return NULL;
    }
    element = new_element(queue, size);
    element->at = at;
    element->id = id;
    if (!format_of(queue)->take_at(queue, element)) {
        virtq_drop(element);
        return NULL;
    }
    return element;
}

void
virtq_drop(VirtioElement *element)
{
    vit_sg_finish(&element->out, 0);
    vit_sg_finish(&element->in, 0);
    g_free(element);
}

void
virtq_unpop(VirtQueue *queue, VirtioElement *element)
{
    format_of(queue)->untake(queue, element);
    virtq_drop(element);
}

unsigned
virtq_fill(VirtQueue *queue, VirtioElement *element, uint32_t written, unsigned n, unsigned slots)
{
    unsigned taken = 0;

    vit_sg_finish(&element->in, written);
    if (prepare(queue)) {
        taken = format_of(queue)->put(queue, element, written, n, slots);
    }
    virtq_drop(element);
    return taken;
}

void
virtq_flush(VirtQueue *queue, unsigned count, unsigned slots)
{
    if (prepare(queue)) {
        format_of(queue)->publish(queue, count, slots);
    }
}

void
virtq_push(VirtQueue *queue, VirtioElement *element, uint32_t written)
{
    unsigned slots = virtq_fill(queue, element, written, 0, 0);

    virtq_flush(queue, 1, slots);
}

void
virtq_notify(VirtQueue *queue)
{
    if (prepare(queue) && format_of(queue)->wants_interrupt(queue)) {
        queue->virtio->transport->notify_queue(queue->virtio, queue);
    }
}

void
virtq_set_kick(VirtQueue *queue, bool wanted)
{
    if (prepare(queue)) {
        format_of(queue)->set_kick(queue, wanted);
    }
}

bool
virtq_is_empty(VirtQueue *queue)
{
    return !prepare(queue) || !format_of(queue)->has_more(queue);
}
