/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Split rings: a descriptor table, the driver's ring of chain heads, the device's ring of used
 * ones. VirtIO 1.2 section 2.7. Thread: device lock held. */

#include "virtio-ring.h"

enum {
    RING_FLAGS = 0,
    RING_INDEX = 2,
    RING_ENTRIES = 4,
    AVAIL_NO_INTERRUPT = 1,
    USED_NO_NOTIFY = 1,
    USED_BYTES = 8,
};

static uint64_t
used_event_at(const VirtQueue *queue)
{
    return RING_ENTRIES + 2ull * queue->size;
}

static uint64_t
avail_event_at(const VirtQueue *queue)
{
    return RING_ENTRIES + (uint64_t)USED_BYTES * queue->size;
}

static bool
split_has_more(VirtQueue *queue)
{
    uint16_t index = ring_read16(queue, &queue->driver, RING_INDEX);
    uint16_t ahead = (uint16_t)(index - queue->next_avail);

    if (ahead > queue->size) {
        virtio_break(queue->virtio, "the driver's index is further than the ring is long");
        return false;
    }
    /* The entries are read after the index that announces them. */
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return ahead > 0;
}

static bool
split_take_at(VirtQueue *queue, VirtioElement *element)
{
    VirtqDesc desc;
    uint16_t at = element->id;

    for (unsigned seen = 0; seen < queue->size; seen++) {
        if (at >= queue->size) {
            virtio_break(queue->virtio, "a descriptor outside its table");
            return false;
        }
        ring_read(queue, &queue->desc, (uint64_t)at * VIRTQ_DESC_BYTES, &desc, sizeof(desc));
        if (desc.flags & VIRTQ_DESC_INDIRECT) {
            if (desc.flags & VIRTQ_DESC_NEXT) {
                virtio_break(queue->virtio, "an indirect descriptor has a successor");
                return false;
            }
            return virtq_add_indirect(element, &desc, false);
        }
        if (!virtq_add_desc(element, &desc)) {
            return false;
        }
        if (!(desc.flags & VIRTQ_DESC_NEXT)) {
            return true;
        }
        at = desc.next;
    }
    virtio_break(queue->virtio, "a descriptor chain does not end");
    return false;
}

static bool
split_take(VirtQueue *queue, VirtioElement *element)
{
    element->at = queue->next_avail % queue->size;
    element->id = ring_read16(queue, &queue->driver, RING_ENTRIES + 2ull * element->at);
    element->descs = 1;
    if (!split_take_at(queue, element)) {
        return false;
    }
    queue->next_avail++;
    if (virtio_has(queue->virtio, VIRTIO_F_EVENT_IDX) && !queue->kick_held) {
        ring_write16(queue, &queue->device, avail_event_at(queue), queue->next_avail);
    }
    return true;
}

static void
split_untake(VirtQueue *queue, const VirtioElement *element)
{
    queue->next_avail--;
}

static unsigned
split_put(VirtQueue *queue, const VirtioElement *element, uint32_t written, unsigned n,
          unsigned slots)
{
    uint32_t entry[2] = { element->id, written };
    uint16_t at = (uint16_t)(queue->used_index + n) % queue->size;

    ring_write(queue, &queue->device, RING_ENTRIES + (uint64_t)USED_BYTES * at, entry,
               sizeof(entry));
    return 1;
}

static void
split_publish(VirtQueue *queue, unsigned count, unsigned slots)
{
    uint16_t old = queue->used_index;

    queue->used_index = (uint16_t)(old + count);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    ring_write16(queue, &queue->device, RING_INDEX, queue->used_index);
    if ((int16_t)(queue->used_index - queue->signalled) < (uint16_t)(queue->used_index - old)) {
        queue->signalled_valid = false;
    }
}

static bool
split_wants_interrupt(VirtQueue *queue)
{
    const Virtio *virtio = queue->virtio;
    uint16_t old = queue->signalled, event;
    bool was_valid = queue->signalled_valid;

    /* What the driver asks is read after it can see the used index. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (virtio_has(virtio, VIRTIO_F_NOTIFY_ON_EMPTY) &&
        queue->next_avail == ring_read16(queue, &queue->driver, RING_INDEX) &&
        queue->used_index == queue->next_avail) {
        return true;
    }
    if (!virtio_has(virtio, VIRTIO_F_EVENT_IDX)) {
        return !(ring_read16(queue, &queue->driver, RING_FLAGS) & AVAIL_NO_INTERRUPT);
    }
    queue->signalled_valid = true;
    queue->signalled = queue->used_index;
    event = ring_read16(queue, &queue->driver, used_event_at(queue));
    return !was_valid || virtq_event_passed(event, queue->used_index, old);
}

static void
split_set_kick(VirtQueue *queue, bool wanted)
{
    queue->kick_held = !wanted;
    if (virtio_has(queue->virtio, VIRTIO_F_EVENT_IDX)) {
        /* The event index stays behind while it is not wanted, so that it is never passed. */
        if (wanted) {
            ring_write16(queue, &queue->device, avail_event_at(queue), queue->next_avail);
        }
    } else {
        ring_write16(queue, &queue->device, RING_FLAGS, wanted ? 0 : USED_NO_NOTIFY);
    }
    if (wanted) {
        /* The driver sees this before the caller looks at the ring once more. */
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    }
}

const VirtqFormat virtq_split = {
    .has_more = split_has_more,
    .take = split_take,
    .take_at = split_take_at,
    .untake = split_untake,
    .put = split_put,
    .publish = split_publish,
    .wants_interrupt = split_wants_interrupt,
    .set_kick = split_set_kick,
};
