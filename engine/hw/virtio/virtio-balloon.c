/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The virtio memory balloon: the guest gives pages back to the host. VirtIO 1.2 section 5.5.
 *
 * Pages of 4 KiB put into the balloon are let go by the host at once and read as zeroes when the
 * guest takes them again. With free-page-reporting the guest also tells of pages it does not use
 * just now. Not offered: statistics, hints for migration, poisoned pages.
 * Thread: device lock held. */

#include "virtio-pci.h"

#include "vit-balloon.h"
#include "vit-error.h"

#include <string.h>

#define BALLOON_F_DEFLATE_ON_OOM (1ull << 2)
#define BALLOON_F_REPORTING      (1ull << 5)

enum {
    CONFIG_BYTES = 8, /* wanted pages, pages in the balloon */
    CONFIG_ACTUAL = 4,
    QUEUE_SIZE = 128,
    QUEUE_REPORTING_SIZE = 32,
    PFN_BYTES = 4,
    PFNS_PER_READ = 256,
};

typedef struct VirtioBalloon {
    VirtioPci t; /* first */
    bool deflate_on_oom, reporting;
    uint32_t wanted_pages, actual_pages;
    VitBalloon interface;
} VirtioBalloon;
VIT_DEVICE_LAYOUT(VirtioBalloon)

static VirtioBalloon *
balloon_of(Virtio *virtio)
{
    return VIRTIO_DEVICE(VirtioBalloon, virtio);
}

/* ---- pages ---- */

/* Lets go of RAM; anything else at these addresses is left alone. */
static void
discard(VirtioBalloon *balloon, uint64_t address, uint64_t len)
{
    VitAddressSpace *space = balloon->t.virtio.space;

    while (len > 0) {
        uint64_t piece = len;
        VitMapped at;

        vit_address_space_lookup(space, address, &at);
        piece = MIN(piece, MAX(at.span, 1));
        if (at.host && at.writable) {
            vit_ram_block_discard(at.region->block, at.region->block_offset + at.region_offset,
                                  piece);
        }
        address += piece;
        len -= piece;
    }
}

/* Page numbers, neighbours together. */
static void
discard_pages(VirtioBalloon *balloon, const VitSg *sg)
{
    uint32_t pfns[PFNS_PER_READ];
    uint64_t at = 0, len;
    uint32_t first = 0, last = 0;
    bool any = false;

    while ((len = vit_sg_read(sg, at, pfns, sizeof(pfns)) / PFN_BYTES) > 0) {
        at += len * PFN_BYTES;
        for (uint64_t i = 0; i < len; i++) {
            if (any && pfns[i] == last + 1) {
                last++;
            } else if (any && first > 0 && pfns[i] == first - 1) {
                first--;
            } else {
                if (any) {
                    discard(balloon, (uint64_t)first * VIT_PAGE_SIZE,
                            ((uint64_t)last - first + 1) * VIT_PAGE_SIZE);
                }
                first = last = pfns[i];
                any = true;
            }
        }
    }
    if (any) {
        discard(balloon, (uint64_t)first * VIT_PAGE_SIZE,
                ((uint64_t)last - first + 1) * VIT_PAGE_SIZE);
    }
}

static void
handle_inflate(VirtQueue *queue)
{
    VirtioElement *element;

    while ((element = virtq_pop(queue, sizeof(*element)))) {
        discard_pages(balloon_of(queue->virtio), &element->out);
        virtq_push(queue, element, 0);
        virtq_notify(queue);
    }
}

static void
handle_deflate(VirtQueue *queue)
{
    VirtioElement *element;

    /* The pages come back, as zeroes, when they are touched. */
    while ((element = virtq_pop(queue, sizeof(*element)))) {
        virtq_push(queue, element, 0);
        virtq_notify(queue);
    }
}

/* Reported pages are the buffers themselves. */
static void
handle_reporting(VirtQueue *queue)
{
    VirtioElement *element;

    while ((element = virtq_pop(queue, sizeof(*element)))) {
        for (unsigned n = 0; n < element->in.count; n++) {
            if (!element->in.entries[n].copy) {
                discard(balloon_of(queue->virtio), element->in.entries[n].address,
                        element->in.iov[n].iov_len);
            }
        }
        virtq_push(queue, element, 0);
        virtq_notify(queue);
    }
}

/* ---- the monitor's side ---- */

static void
set_target(VitBalloon *interface, uint64_t bytes)
{
    VirtioBalloon *balloon = VIT_CONTAINER_OF(interface, VirtioBalloon, interface);
    uint64_t ram_bytes = balloon->t.pci.dev.platform->ram_bytes;

    bytes = MIN(bytes, ram_bytes);
    balloon->wanted_pages = (uint32_t)((ram_bytes - bytes) / VIT_PAGE_SIZE);
    virtio_config_changed(&balloon->t.virtio);
}

static uint64_t
get_actual(VitBalloon *interface)
{
    VirtioBalloon *balloon = VIT_CONTAINER_OF(interface, VirtioBalloon, interface);
    uint64_t ram_bytes = balloon->t.pci.dev.platform->ram_bytes;
    uint64_t taken = (uint64_t)balloon->actual_pages * VIT_PAGE_SIZE;

    return ram_bytes - MIN(taken, ram_bytes);
}

/* ---- configuration ---- */

static void
put32(uint8_t *out, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++) {
        out[i] = (uint8_t)(value >> 8 * i);
    }
}

static void
read_config(Virtio *virtio, uint8_t *out)
{
    put32(out, balloon_of(virtio)->wanted_pages);
    put32(out + CONFIG_ACTUAL, balloon_of(virtio)->actual_pages);
}

static void
write_config(Virtio *virtio, unsigned at, unsigned len, const uint8_t *data)
{
    VirtioBalloon *balloon = balloon_of(virtio);
    VitPlatform *platform = virtio->dev->platform;
    const uint8_t *in = data + CONFIG_ACTUAL;
    uint32_t actual = in[0] | in[1] << 8 | in[2] << 16 | (uint32_t)in[3] << 24;

    if (at < CONFIG_ACTUAL || actual == balloon->actual_pages) {
        return;
    }
    balloon->actual_pages = actual;
    if (platform->ops && platform->ops->event) {
        g_autofree char *text =
            g_strdup_printf("{\"actual\": %" G_GUINT64_FORMAT "}", get_actual(&balloon->interface));
        platform->ops->event(platform->opaque, "BALLOON_CHANGE", text);
    }
}

/* ---- the device ---- */

static uint64_t
get_features(Virtio *virtio)
{
    VirtioBalloon *balloon = balloon_of(virtio);

    return (balloon->deflate_on_oom ? BALLOON_F_DEFLATE_ON_OOM : 0) |
           (balloon->reporting ? BALLOON_F_REPORTING : 0);
}

static void
balloon_reset(Virtio *virtio)
{
    balloon_of(virtio)->actual_pages = 0;
}

static void
queue_reset(VirtQueue *queue)
{
}

static bool
balloon_realize(Virtio *virtio, GError **error)
{
    VirtioBalloon *balloon = balloon_of(virtio);
    VitPlatform *platform = virtio->dev->platform;

    if (platform->balloon) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_BUSY,
                    "%s: the machine has a balloon already; it can have one.",
                    virtio->dev->kind->name);
        return false;
    }
    balloon->interface = (VitBalloon){ set_target, get_actual };
    platform->balloon = &balloon->interface;
    balloon->wanted_pages = 0;
    virtio_add_queue(virtio, QUEUE_SIZE, handle_inflate);
    virtio_add_queue(virtio, QUEUE_SIZE, handle_deflate);
    if (balloon->reporting) {
        virtio_add_queue(virtio, QUEUE_REPORTING_SIZE, handle_reporting);
    }
    return true;
}

static void
balloon_unrealize(Virtio *virtio)
{
    virtio->dev->platform->balloon = NULL;
}

static const VirtioOps balloon_ops = {
    .device_type = 5,
    .legacy_device = 0x1002,
    .config_len = CONFIG_BYTES,
    .get_features = get_features,
    .read_config = read_config,
    .write_config = write_config,
    .reset = balloon_reset,
    .queue_reset = queue_reset,
};

static const VitProp props[] = {
    VIT_PROP_BOOL(VirtioBalloon, deflate_on_oom, "deflate-on-oom", false,
                  VIT_N_("The guest may take pages back before it runs out of memory")),
    VIT_PROP_BOOL(VirtioBalloon, reporting, "free-page-reporting", false,
                  VIT_N_("The guest tells of pages it does not use")),
    VIRTIO_PCI_PROPS(VirtioBalloon, t),
    { 0 },
};

static const VitField state[] = {
    VIRTIO_PCI_STATE(VirtioBalloon, t),
    VIT_FIELD(VirtioBalloon, wanted_pages),
    VIT_FIELD(VirtioBalloon, actual_pages),
    VIT_TRANSIENT(VirtioBalloon, interface), /* wiring */
    { 0 },
};

static const VirtioPciInfo as_told =
    VIRTIO_PCI_INFO(VIRTIO_PCI_AS_TOLD, &balloon_ops, balloon_realize, balloon_unrealize, 0x00ff);
static const VirtioPciInfo transitional = VIRTIO_PCI_INFO(
    VIRTIO_PCI_TRANSITIONAL, &balloon_ops, balloon_realize, balloon_unrealize, 0x00ff);
static const VirtioPciInfo modern =
    VIRTIO_PCI_INFO(VIRTIO_PCI_MODERN, &balloon_ops, balloon_realize, balloon_unrealize, 0x00ff);

static const char *const aliases[] = { "virtio-balloon", NULL };

const VitDeviceKind vit_virtio_balloon_pci_kind = VIRTIO_PCI_KIND(
    VirtioBalloon, "virtio-balloon-pci", VIT_N_("Virtio memory balloon"), VIT_CATEGORY_MISC, props,
    state, as_told, .aliases = aliases, .post_load = virtio_pci_post_load);
const VitDeviceKind vit_virtio_balloon_pci_transitional_kind =
    VIRTIO_PCI_KIND(VirtioBalloon, "virtio-balloon-pci-transitional",
                    VIT_N_("Virtio memory balloon, legacy and modern interface"), VIT_CATEGORY_MISC,
                    props, state, transitional, .post_load = virtio_pci_post_load);
const VitDeviceKind vit_virtio_balloon_pci_non_transitional_kind =
    VIRTIO_PCI_KIND(VirtioBalloon, "virtio-balloon-pci-non-transitional",
                    VIT_N_("Virtio memory balloon, modern interface only"), VIT_CATEGORY_MISC,
                    props, state, modern, .post_load = virtio_pci_post_load);
