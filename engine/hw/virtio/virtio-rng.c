/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The virtio entropy device: fills the driver's buffers with random bytes. VirtIO 1.2 section 5.4.
 *
 * Bytes come from an entropy object, one buffer at a time, or without one from the machine's gate
 * for randomness. max-bytes in period bounds what a guest can draw; buffers then wait for the next
 * period. A buffer that waits for its bytes when the state is saved goes back into the ring, and is
 * taken again when time goes on. Thread: device lock held. */

#include "virtio-pci.h"

#include "vit-rng.h"

typedef struct VirtioRng {
    VirtioPci t; /* first */
    VitRng *source;
    uint64_t max_bytes;
    uint32_t period_ms;
    uint64_t left_bytes; /* in this period */
    VitTimer timer, retry_timer;
    VirtioElement *waiting; /* for bytes of the source */
} VirtioRng;
VIT_DEVICE_LAYOUT(VirtioRng)

enum { QUEUE_SIZE = 8, PIECE_BYTES = 4096, BUFFER_MAX_BYTES = 64 * 1024 };

static VirtioRng *
rng_of(Virtio *virtio)
{
    return VIRTIO_DEVICE(VirtioRng, virtio);
}

/* Fills LEN bytes of the buffer. */
static void
fill(VirtioRng *rng, VitSg *sg, uint64_t len)
{
    VitPlatform *platform = rng->t.pci.dev.platform;
    uint8_t piece[PIECE_BYTES];

    for (uint64_t at = 0; at < len; at += PIECE_BYTES) {
        uint64_t count = MIN(len - at, PIECE_BYTES);
        platform->ops->random_bytes(platform->opaque, piece, count);
        vit_sg_write(sg, at, piece, count);
    }
}

static void
start_period(VirtioRng *rng)
{
    if (!vit_timer_is_armed(&rng->timer)) {
        rng->left_bytes = rng->max_bytes;
        vit_timer_mod(&rng->timer,
                      vit_clock_get_ns(rng->timer.clock) + (int64_t)rng->period_ms * VIT_NS_PER_MS);
    }
}

static void handle_queue(VirtQueue *queue);

static void
bytes_came(void *opaque, const uint8_t *bytes, size_t len)
{
    VirtioRng *rng = opaque;
    VirtioElement *element = g_steal_pointer(&rng->waiting);
    VirtQueue *queue = element->queue;

    len = (size_t)vit_sg_write(&element->in, 0, bytes, len);
    rng->left_bytes -= rng->max_bytes != INT64_MAX ? MIN(len, rng->left_bytes) : 0;
    virtq_push(queue, element, (uint32_t)len);
    virtq_notify(queue);
    handle_queue(queue);
}

/* Asks the source for bytes of the next buffer. */
static void
ask_source(VirtioRng *rng, VirtQueue *queue, bool limited)
{
    uint64_t len;

    if (rng->waiting || (limited && rng->left_bytes == 0)) {
        return;
    }
    rng->waiting = virtq_pop(queue, sizeof(*rng->waiting));
    if (rng->waiting) {
        len = MIN(rng->waiting->in.len_bytes, BUFFER_MAX_BYTES);
        len = MAX(limited ? MIN(len, rng->left_bytes) : len, 1);
        rng->source->request(rng->source, len, bytes_came, rng);
    }
}

static void
handle_queue(VirtQueue *queue)
{
    VirtioRng *rng = rng_of(queue->virtio);
    const VitPlatform *platform = rng->t.pci.dev.platform;
    bool limited = rng->max_bytes != INT64_MAX;
    VirtioElement *element;

    if (!rng->source && (!platform->ops || !platform->ops->random_bytes)) {
        return;
    }
    if (limited && !virtq_is_empty(queue)) {
        start_period(rng);
    }
    if (rng->source) {
        ask_source(rng, queue, limited);
        return;
    }
    while ((!limited || rng->left_bytes > 0) && (element = virtq_pop(queue, sizeof(*element)))) {
        uint64_t len = MIN(element->in.len_bytes, BUFFER_MAX_BYTES);

        len = limited ? MIN(len, rng->left_bytes) : len;
        fill(rng, &element->in, len);
        rng->left_bytes -= limited ? len : 0;
        virtq_push(queue, element, (uint32_t)len);
        virtq_notify(queue);
    }
}

static void
period_over(void *opaque)
{
    VirtioRng *rng = opaque;

    rng->left_bytes = rng->max_bytes;
    if (virtq_is_ready(&rng->t.virtio.queues[0])) {
        handle_queue(&rng->t.virtio.queues[0]);
    }
}

static uint64_t
get_features(Virtio *virtio)
{
    return 0;
}

static void
read_config(Virtio *virtio, uint8_t *out)
{
}

static void
rng_reset(Virtio *virtio)
{
    VirtioRng *rng = rng_of(virtio);

    vit_timer_del(&rng->timer);
    vit_timer_del(&rng->retry_timer);
    rng->left_bytes = rng->max_bytes;
    if (rng->waiting) {
        rng->source->cancel(rng->source, rng);
        virtq_drop(g_steal_pointer(&rng->waiting));
    }
}

static void
queue_reset(VirtQueue *queue)
{
    rng_reset(queue->virtio);
}

static void
retry(void *opaque)
{
    VirtioRng *rng = opaque;

    if (virtq_is_ready(&rng->t.virtio.queues[0])) {
        handle_queue(&rng->t.virtio.queues[0]);
    }
}

static void
rng_pre_save(VitDevice *dev)
{
    VirtioRng *rng = (VirtioRng *)dev;

    if (rng->waiting) {
        rng->source->cancel(rng->source, rng);
        virtq_unpop(&rng->t.virtio.queues[0], g_steal_pointer(&rng->waiting));
        vit_timer_mod(&rng->retry_timer, vit_clock_get_ns(rng->timer.clock));
    }
}

static bool
rng_realize(Virtio *virtio, GError **error)
{
    VirtioRng *rng = rng_of(virtio);

    vit_timer_init(&rng->timer, virtio->dev->platform->clock, period_over, rng);
    vit_timer_init(&rng->retry_timer, virtio->dev->platform->clock, retry, rng);
    if (rng->source) {
        rng->source->users++;
    }
    virtio_add_queue(virtio, QUEUE_SIZE, handle_queue);
    return true;
}

static void
rng_unrealize(Virtio *virtio)
{
    VirtioRng *rng = rng_of(virtio);

    vit_timer_del(&rng->timer);
    vit_timer_del(&rng->retry_timer);
    if (rng->source) {
        rng->source->users--;
    }
}

static const VirtioOps rng_ops = {
    .device_type = 4,
    .legacy_device = 0x1005,
    .get_features = get_features,
    .read_config = read_config,
    .reset = rng_reset,
    .queue_reset = queue_reset,
};

static const VitProp props[] = {
    VIT_PROP_BACKEND(VirtioRng, source, "rng", VIT_PROP_TYPE_RNG,
                     VIT_N_("Object the bytes come from; none: the machine's own generator")),
    VIT_PROP_UINT(VirtioRng, max_bytes, "max-bytes", INT64_MAX, 1, INT64_MAX,
                  VIT_N_("Bytes the guest gets in a period"), .unit = "bytes"),
    VIT_PROP_UINT(VirtioRng, period_ms, "period", 65536, 1, INT32_MAX, VIT_N_("Length of a period"),
                  .unit = "ms"),
    VIRTIO_PCI_PROPS(VirtioRng, t),
    { 0 },
};

static const VitField state[] = {
    VIRTIO_PCI_STATE(VirtioRng, t),
    VIT_FIELD(VirtioRng, left_bytes),
    VIT_FIELD_TIMER(VirtioRng, timer),
    VIT_FIELD_TIMER(VirtioRng, retry_timer),
    VIT_TRANSIENT(VirtioRng, waiting), /* given back before a save */
    { 0 },
};

static const VirtioPciInfo as_told =
    VIRTIO_PCI_INFO(VIRTIO_PCI_AS_TOLD, &rng_ops, rng_realize, rng_unrealize, 0x00ff);
static const VirtioPciInfo transitional =
    VIRTIO_PCI_INFO(VIRTIO_PCI_TRANSITIONAL, &rng_ops, rng_realize, rng_unrealize, 0x00ff);
static const VirtioPciInfo modern =
    VIRTIO_PCI_INFO(VIRTIO_PCI_MODERN, &rng_ops, rng_realize, rng_unrealize, 0x00ff);

static const char *const aliases[] = { "virtio-rng", NULL };

const VitDeviceKind vit_virtio_rng_pci_kind = VIRTIO_PCI_KIND(
    VirtioRng, "virtio-rng-pci", VIT_N_("Virtio entropy device"), VIT_CATEGORY_MISC, props, state,
    as_told, .aliases = aliases, .post_load = virtio_pci_post_load, .pre_save = rng_pre_save);
const VitDeviceKind vit_virtio_rng_pci_transitional_kind = VIRTIO_PCI_KIND(
    VirtioRng, "virtio-rng-pci-transitional",
    VIT_N_("Virtio entropy device, legacy and modern interface"), VIT_CATEGORY_MISC, props, state,
    transitional, .post_load = virtio_pci_post_load, .pre_save = rng_pre_save);
const VitDeviceKind vit_virtio_rng_pci_non_transitional_kind = VIRTIO_PCI_KIND(
    VirtioRng, "virtio-rng-pci-non-transitional",
    VIT_N_("Virtio entropy device, modern interface only"), VIT_CATEGORY_MISC, props, state, modern,
    .post_load = virtio_pci_post_load, .pre_save = rng_pre_save);
