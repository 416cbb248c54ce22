/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Packed rings: one ring of descriptors that both sides write, told apart by two flags against
 * wrap counters. VirtIO 1.2 section 2.8. Thread: device lock held. */

#include "virtio-ring.h"

enum {
    DESC_ID = 12,
    DESC_FLAGS = 14,
    EVENT_OFFSET = 0, /* bit 15: wrap counter */
    EVENT_FLAGS = 2,
    EVENT_ENABLE = 0,
    EVENT_DISABLE = 1,
    EVENT_DESC = 2,
};

static uint64_t
desc_at(uint16_t slot)
{
    return (uint64_t)slot * VIRTQ_DESC_BYTES;
}

static bool
packed_has_more(VirtQueue *queue)
{
    uint16_t flags = ring_read16(queue, &queue->desc, desc_at(queue->next_avail) + DESC_FLAGS);
    bool avail = flags & VIRTQ_DESC_AVAIL, used = flags & VIRTQ_DESC_USED;

    /* The rest of a descriptor is read after the flags that give it to us. */
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return avail == queue->avail_wrap && used != queue->avail_wrap;
}

static bool
packed_take_at(VirtQueue *queue, VirtioElement *element)
{
    uint16_t slot = element->at;

    for (unsigned seen = 1; seen <= queue->size; seen++) {
        VirtqDesc desc;
        uint16_t flags, id;

        ring_read(queue, &queue->desc, desc_at(slot), &desc, sizeof(desc));
        id = desc.flags; /* here the id comes before the flags */
        flags = desc.next;
        desc.flags = flags;
        element->id = id;
        element->descs = (uint16_t)seen;
        if (flags & VIRTQ_DESC_INDIRECT) {
            if (flags & VIRTQ_DESC_NEXT) {
                virtio_break(queue->virtio, "an indirect descriptor has a successor");
                return false;
            }
            return virtq_add_indirect(element, &desc, true);
        }
        if (!virtq_add_desc(element, &desc)) {
            return false;
        }
        if (!(flags & VIRTQ_DESC_NEXT)) {
            return true;
        }
        slot = slot + 1 == queue->size ? 0 : slot + 1;
    }
    virtio_break(queue->virtio, "a descriptor chain does not end");
    return false;
}

static bool
packed_take(VirtQueue *queue, VirtioElement *element)
{
    element->at = queue->next_avail;
    if (!packed_take_at(queue, element)) {
        return false;
    }
    queue->next_avail += element->descs;
    if (queue->next_avail >= queue->size) {
        queue->next_avail -= queue->size;
        queue->avail_wrap = !queue->avail_wrap;
    }
    return true;
}

static void
packed_untake(VirtQueue *queue, const VirtioElement *element)
{
    if (element->descs > queue->next_avail) {
        queue->avail_wrap = !queue->avail_wrap;
    }
    queue->next_avail = element->at;
}

/* Position SLOTS after the used one. */
static uint16_t
used_slot(const VirtQueue *queue, unsigned slots, bool *out_wrap)
{
    unsigned at = queue->used_index + slots;

    *out_wrap = queue->used_wrap;
    if (at >= queue->size) {
        at -= queue->size;
        *out_wrap = !*out_wrap;
    }
    return (uint16_t)(at % queue->size);
}

static unsigned
packed_put(VirtQueue *queue, const VirtioElement *element, uint32_t written, unsigned n,
           unsigned slots)
{
    bool wrap;
    uint64_t at = desc_at(used_slot(queue, slots, &wrap));
    uint16_t flags =
        (wrap ? VIRTQ_DESC_AVAIL | VIRTQ_DESC_USED : 0) | (written ? VIRTQ_DESC_WRITE : 0);

    ring_write(queue, &queue->desc, at + 8, &written, sizeof(written));
    ring_write16(queue, &queue->desc, at + DESC_ID, element->id);
    if (n > 0) {
        ring_write16(queue, &queue->desc, at + DESC_FLAGS, flags);
    } else {
        /* The first of a batch is shown last, by publish; until then its flags stay. */
        queue->first_flags = flags;
    }
    return element->descs;
}

static void
packed_publish(VirtQueue *queue, unsigned count, unsigned slots)
{
    if (count == 0 || slots == 0) {
        return;
    }
    __atomic_thread_fence(__ATOMIC_RELEASE);
    ring_write16(queue, &queue->desc, desc_at(queue->used_index) + DESC_FLAGS,
                 (uint16_t)queue->first_flags);
    queue->used_index += slots;
    if (queue->used_index >= queue->size) {
        queue->used_index -= queue->size;
        queue->used_wrap = !queue->used_wrap;
        queue->signalled -= queue->size;
    }
    queue->used_index %= queue->size; /* a driver's ids may lie about their slots */
}

static bool
packed_wants_interrupt(VirtQueue *queue)
{
    uint16_t old = queue->signalled, where, flags, event;
    bool was_valid = queue->signalled_valid;

    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    flags = ring_read16(queue, &queue->driver, EVENT_FLAGS) & 3;
    where = ring_read16(queue, &queue->driver, EVENT_OFFSET);
    queue->signalled = queue->used_index;
    queue->signalled_valid = true;
    if (flags == EVENT_DISABLE) {
        return false;
    }
    if (flags == EVENT_ENABLE || !virtio_has(queue->virtio, VIRTIO_F_EVENT_IDX)) {
        return true;
    }
    event = where & 0x7fff;
    if ((where >> 15) != queue->used_wrap) {
        event -= queue->size;
    }
    return !was_valid || virtq_event_passed(event, queue->used_index, old);
}

static void
packed_set_kick(VirtQueue *queue, bool wanted)
{
    if (!wanted) {
        ring_write16(queue, &queue->device, EVENT_FLAGS, EVENT_DISABLE);
        return;
    }
    if (virtio_has(queue->virtio, VIRTIO_F_EVENT_IDX)) {
        ring_write16(queue, &queue->device, EVENT_OFFSET,
                     (uint16_t)(queue->next_avail | queue->avail_wrap << 15));
        __atomic_thread_fence(__ATOMIC_RELEASE);
        ring_write16(queue, &queue->device, EVENT_FLAGS, EVENT_DESC);
    } else {
        ring_write16(queue, &queue->device, EVENT_FLAGS, EVENT_ENABLE);
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

const VirtqFormat virtq_packed = {
    .has_more = packed_has_more,
    .take = packed_take,
    .take_at = packed_take_at,
    .untake = packed_untake,
    .put = packed_put,
    .publish = packed_publish,
    .wants_interrupt = packed_wants_interrupt,
    .set_kick = packed_set_kick,
};
