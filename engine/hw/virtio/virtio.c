/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The transport-neutral part of a virtio device: status, feature negotiation, configuration space,
 * reset. VirtIO 1.2 sections 2.1 to 2.5 and 3.1. The rings are in virtio-queue.c.
 *
 * Deviation: a legacy driver may use a queue before DRIVER_OK, as old Linux drivers do.
 * Thread: device lock held. */

#include "virtio.h"

#include "vit-error.h"

#include <string.h>

static const VitField queue_state[] = {
    VIT_FIELD(VirtQueue, size),
    VIT_FIELD(VirtQueue, vector),
    VIT_FIELD(VirtQueue, enabled),
    VIT_FIELD(VirtQueue, desc_at),
    VIT_FIELD(VirtQueue, driver_at),
    VIT_FIELD(VirtQueue, device_at),
    VIT_FIELD(VirtQueue, next_avail),
    VIT_FIELD(VirtQueue, used_index),
    VIT_FIELD(VirtQueue, signalled),
    VIT_FIELD(VirtQueue, signalled_valid),
    VIT_FIELD(VirtQueue, avail_wrap),
    VIT_FIELD(VirtQueue, used_wrap),
    VIT_TRANSIENT(VirtQueue, virtio),     /* wiring */
    VIT_TRANSIENT(VirtQueue, handle),     /* wiring */
    VIT_TRANSIENT(VirtQueue, index),      /* fixed */
    VIT_TRANSIENT(VirtQueue, max_size),   /* fixed */
    VIT_TRANSIENT(VirtQueue, mapped),     /* found again when used */
    VIT_TRANSIENT(VirtQueue, generation), /* likewise */
    VIT_TRANSIENT(VirtQueue, kick_held),  /* only while the queue is being emptied */
    VIT_TRANSIENT(VirtQueue, desc),
    VIT_TRANSIENT(VirtQueue, driver),
    VIT_TRANSIENT(VirtQueue, device),
    VIT_TRANSIENT(VirtQueue, first_flags), /* between fill and flush */
    { 0 },
};

const VitField virtio_state[] = {
    VIT_FIELD(Virtio, guest_features),
    VIT_FIELD(Virtio, features),
    VIT_FIELD(Virtio, status),
    VIT_FIELD(Virtio, isr),
    VIT_FIELD(Virtio, config_generation),
    VIT_FIELD(Virtio, config_vector),
    VIT_FIELD(Virtio, broken),
    VIT_FIELD_STRUCTS(Virtio, queues, queue_state),
    VIT_TRANSIENT(Virtio, dev), /* wiring, and what properties decide */
    VIT_TRANSIENT(Virtio, ops),
    VIT_TRANSIENT(Virtio, transport),
    VIT_TRANSIENT(Virtio, space),
    VIT_TRANSIENT(Virtio, offered),
    VIT_TRANSIENT(Virtio, queue_count),
    VIT_TRANSIENT(Virtio, iothread),
    VIT_TRANSIENT(Virtio, answer),
    VIT_TRANSIENT(Virtio, rung), /* after loading, all count as rung */
    { 0 },
};

VirtQueue *
virtio_add_queue(Virtio *virtio, unsigned size, void (*handle)(VirtQueue *queue))
{
    VirtQueue *queue = &virtio->queues[virtio->queue_count];

    g_assert(virtio->queue_count < VIRTIO_MAX_QUEUES && size <= VIRTIO_QUEUE_SIZE_MAX);
    *queue = (VirtQueue){
        .virtio = virtio,
        .handle = handle,
        .index = virtio->queue_count,
        .max_size = (uint16_t)size,
    };
    virtio->queue_count++;
    return queue;
}

static uint64_t
queue_features(const Virtio *virtio, bool modern)
{
    uint64_t features = 0;

    features |= virtio->indirect_desc ? VIRTIO_F_INDIRECT_DESC : 0;
    features |= virtio->event_idx ? VIRTIO_F_EVENT_IDX : 0;
    features |= virtio->notify_on_empty ? VIRTIO_F_NOTIFY_ON_EMPTY : 0;
    features |= virtio->any_layout ? VIRTIO_F_ANY_LAYOUT : 0;
    if (modern) {
        features |= VIRTIO_F_VERSION_1;
        features |= virtio->packed ? VIRTIO_F_RING_PACKED : 0;
        features |= virtio->access_platform ? VIRTIO_F_ACCESS_PLATFORM : 0;
        features |= virtio->queue_reset && virtio->ops->queue_reset ? VIRTIO_F_RING_RESET : 0;
    }
    return features;
}

void
virtio_realize(Virtio *virtio, VitDevice *dev, const VirtioOps *ops,
               const VirtioTransportOps *transport, VitAddressSpace *space, bool modern)
{
    virtio->dev = dev;
    virtio->ops = ops;
    virtio->transport = transport;
    virtio->space = space;
    virtio->offered = queue_features(virtio, modern) | ops->get_features(virtio);
}

/* ---- life ---- */

void
virtq_reset(VirtQueue *queue)
{
    queue->size = queue->max_size;
    queue->vector = VIRTIO_NO_VECTOR;
    queue->enabled = queue->mapped = queue->kick_held = false;
    queue->desc_at = queue->driver_at = queue->device_at = 0;
    queue->next_avail = queue->used_index = queue->signalled = 0;
    queue->signalled_valid = false;
    queue->avail_wrap = queue->used_wrap = true;
}

void
virtio_reset(Virtio *virtio)
{
    virtio->ops->reset(virtio);
    virtio->guest_features = virtio->features = 0;
    virtio->status = virtio->isr = 0;
    virtio->config_generation = 0;
    virtio->config_vector = VIRTIO_NO_VECTOR;
    virtio->broken = false;
    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++) {
        virtq_reset(&virtio->queues[i]);
    }
}

static bool
features_are_good(const Virtio *virtio)
{
    return !(virtio->guest_features & ~virtio->offered) && virtio_has(virtio, VIRTIO_F_VERSION_1) &&
           (!(virtio->offered & VIRTIO_F_ACCESS_PLATFORM) ||
            virtio_has(virtio, VIRTIO_F_ACCESS_PLATFORM));
}

void
virtio_set_status(Virtio *virtio, uint8_t status)
{
    uint8_t old = virtio->status;

    if (status == 0) {
        virtio_reset(virtio);
        return;
    }
    if ((status & VIRTIO_STATUS_FEATURES_OK) && !(old & VIRTIO_STATUS_FEATURES_OK) &&
        !features_are_good(virtio)) {
        vit_guest_error(virtio->dev, "features %016" G_GINT64_MODIFIER "x are not possible",
                        virtio->guest_features);
        status &= (uint8_t)~VIRTIO_STATUS_FEATURES_OK;
    }
    virtio->status = status | (old & VIRTIO_STATUS_NEEDS_RESET);
    if ((old ^ virtio->status) & VIRTIO_STATUS_DRIVER_OK) {
        if (virtio->ops->status_changed) {
            virtio->ops->status_changed(virtio);
        }
        /* What the driver offered before it was ready, without a bell since. */
        for (unsigned i = 0; i < virtio->queue_count; i++) {
            virtio_notify_received(virtio, i);
        }
    }
}

void
virtio_set_features(Virtio *virtio, uint64_t features)
{
    if (virtio->status & VIRTIO_STATUS_FEATURES_OK) {
        vit_guest_error(virtio->dev, "features changed after they were agreed on");
        return;
    }
    virtio->guest_features = features;
    virtio->features = features & virtio->offered;
    if (virtio->ops->features_set) {
        virtio->ops->features_set(virtio);
    }
}

void
virtio_break(Virtio *virtio, const char *what)
{
    vit_guest_error(virtio->dev, "%s; the device waits for a reset", what);
    virtio->broken = true;
    if (virtio_has(virtio, VIRTIO_F_VERSION_1)) {
        virtio->status |= VIRTIO_STATUS_NEEDS_RESET;
        virtio_config_changed(virtio);
    }
}

/* ---- configuration ---- */

void
virtio_config_changed(Virtio *virtio)
{
    if (virtio->status & VIRTIO_STATUS_DRIVER_OK) {
        virtio->config_generation++;
        virtio->transport->notify_config(virtio);
    }
}

uint64_t
virtio_read_config(Virtio *virtio, unsigned at, unsigned size)
{
    uint8_t config[VIRTIO_CONFIG_MAX] = { 0 };
    uint64_t value = 0;

    virtio->ops->read_config(virtio, config);
    for (unsigned i = 0; i < size; i++) {
        uint8_t byte = at + i < virtio->ops->config_len ? config[at + i] : 0xff;
        value |= (uint64_t)byte << 8 * i;
    }
    return value;
}

void
virtio_write_config(Virtio *virtio, unsigned at, uint64_t value, unsigned size)
{
    uint8_t config[VIRTIO_CONFIG_MAX] = { 0 };

    if (at + size > virtio->ops->config_len || !virtio->ops->write_config) {
        return;
    }
    virtio->ops->read_config(virtio, config);
    for (unsigned i = 0; i < size; i++) {
        config[at + i] = (uint8_t)(value >> 8 * i);
    }
    virtio->ops->write_config(virtio, at, size, config);
}

/* ---- bells ---- */

void
virtq_set_enabled(VirtQueue *queue, bool enabled)
{
    queue->enabled = enabled;
    queue->mapped = false;
}

static void
handle(VirtQueue *queue)
{
    if (virtq_is_ready(queue) && queue->handle) {
        queue->handle(queue);
    }
}

/* On the iothread. A bell that rings from here on is answered the next time. */
static void
answer_bells(void *opaque)
{
    Virtio *virtio = opaque;
    uint32_t rung = __atomic_exchange_n(&virtio->rung, 0, __ATOMIC_ACQUIRE);

    for (unsigned i = 0; i < virtio->queue_count; i++) {
        if (rung & 1u << i) {
            handle(&virtio->queues[i]);
        }
    }
}

void
virtio_notify_received(Virtio *virtio, unsigned index)
{
    if (index >= virtio->queue_count) {
        return;
    }
    if (!virtio->iothread) {
        handle(&virtio->queues[index]);
        return;
    }
    __atomic_fetch_or(&virtio->rung, 1u << index, __ATOMIC_RELEASE);
    vit_iothread_post(virtio->iothread, &virtio->answer);
}

void
virtio_use_iothread(Virtio *virtio, VitIothread *thread)
{
    virtio->iothread = thread;
    virtio->answer = (VitIothreadCall){ .func = answer_bells, .opaque = virtio };
    virtio->rung = 0;
    if (thread) {
        vit_iothread_hold(thread);
    }
}

void
virtio_leave_iothread(Virtio *virtio)
{
    if (virtio->iothread) {
        vit_iothread_cancel(virtio->iothread, &virtio->answer);
        vit_iothread_release(virtio->iothread);
        virtio->iothread = NULL;
    }
}

bool
virtio_post_load(Virtio *virtio, GError **error)
{
    bool packed = virtio_has(virtio, VIRTIO_F_RING_PACKED);
    bool good = !(virtio->features & ~virtio->offered);

    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++) {
        VirtQueue *queue = &virtio->queues[i];

        queue->mapped = false;
        good &= queue->size <= queue->max_size && (queue->size > 0 || queue->max_size == 0) &&
                (packed ? queue->next_avail < MAX(queue->size, 1) &&
                              queue->used_index < MAX(queue->size, 1)
                        : !(queue->size & (queue->size - 1)));
    }
    if (!good) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_CORRUPT,
                    "saved state of %s: its virtio queues are impossible", virtio->dev->path);
    }
    if (good && virtio->iothread) {
        /* Bells are not saved; where none had rung there is nothing in the ring. */
        __atomic_store_n(&virtio->rung, UINT32_MAX, __ATOMIC_RELEASE);
        vit_iothread_post(virtio->iothread, &virtio->answer);
    }
    return good;
}
