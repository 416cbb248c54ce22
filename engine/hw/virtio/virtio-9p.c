/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The virtio 9P transport: carries the messages of a file sharing protocol between the guest and an
 * fsdev. VirtIO 1.2 section 5.9; the mount tag stands in the configuration space.
 *
 * Requests are copied out of the ring and answered in any order. A reset waits for those in flight,
 * which need nothing that is locked here. Before the state is saved they are waited for, too; what
 * the guest has mounted stays with the server, so a state in which something is mounted cannot be
 * loaded. Thread: device lock held. */

#include "virtio-pci.h"

#include "vit-error.h"
#include "vit-fsdev.h"

#include <string.h>

typedef struct Virtio9p {
    VirtioPci t; /* first */
    VitFsdev *fsdev;
    char *mount_tag;
    bool mounted; /* when the state was saved */
} Virtio9p;
VIT_DEVICE_LAYOUT(Virtio9p)

#define F_MOUNT_TAG (1ull << 0)

enum { QUEUE_SIZE = 128, TAG_MAX = 255, MESSAGE_MIN = 7 };

static Virtio9p *
device_of(Virtio *virtio)
{
    return VIRTIO_DEVICE(Virtio9p, virtio);
}

static void
answered(void *opaque, void *cookie, const uint8_t *answer, size_t len)
{
    Virtio9p *p9 = opaque;
    VirtioElement *element = cookie;
    VirtQueue *queue = element->queue;

    if (len == 0) {
        virtq_drop(element);
        virtio_break(&p9->t.virtio, "9p: a request without room for an answer");
        return;
    }
    vit_sg_write(&element->in, 0, answer, len);
    virtq_push(queue, element, (uint32_t)len);
    virtq_notify(queue);
}

static void
handle_queue(VirtQueue *queue)
{
    Virtio9p *p9 = device_of(queue->virtio);
    VirtioElement *element;

    while (!queue->virtio->broken && (element = virtq_pop(queue, sizeof(*element)))) {
        size_t len = (size_t)MIN(element->out.len_bytes, VIT_FSDEV_MESSAGE_MAX);
        size_t room = (size_t)MIN(element->in.len_bytes, VIT_FSDEV_MESSAGE_MAX);
        g_autofree uint8_t *request = NULL;

        if (len < MESSAGE_MIN) {
            virtq_drop(element);
            virtio_break(queue->virtio, "9p: a request shorter than its header");
            return;
        }
        request = g_malloc(len);
        vit_sg_read(&element->out, 0, request, len);
        p9->fsdev->request(p9->fsdev, request, len, room, answered, p9, element);
    }
}

static uint64_t
get_features(Virtio *virtio)
{
    return F_MOUNT_TAG;
}

static void
read_config(Virtio *virtio, uint8_t *out)
{
    const Virtio9p *p9 = device_of(virtio);
    size_t len = p9->mount_tag ? MIN(strlen(p9->mount_tag), TAG_MAX - 2) : 0;

    memset(out, 0, TAG_MAX);
    out[0] = (uint8_t)len;
    memcpy(out + 2, p9->mount_tag ? p9->mount_tag : "", len);
}

static void
p9_reset(Virtio *virtio)
{
    Virtio9p *p9 = device_of(virtio);

    if (p9->fsdev) {
        p9->fsdev->drain(p9->fsdev);
        p9->fsdev->reset(p9->fsdev);
    }
    p9->mounted = false;
}

/* The server's side lives on: the guest may set the queue up again and go on. */
static void
queue_reset(VirtQueue *queue)
{
    Virtio9p *p9 = device_of(queue->virtio);

    p9->fsdev->drain(p9->fsdev);
}

static bool
p9_realize(Virtio *virtio, GError **error)
{
    Virtio9p *p9 = device_of(virtio);

    if (!p9->fsdev || !p9->mount_tag || !*p9->mount_tag) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    p9->fsdev ? "the device needs the name that the guest mounts: mount_tag=TAG"
                              : "the device needs a shared folder: fsdev=ID of an -fsdev");
        return false;
    }
    if (strlen(p9->mount_tag) > TAG_MAX - 2) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "mount_tag is longer than %d characters; choose a shorter one", TAG_MAX - 2);
        return false;
    }
    if (p9->fsdev->users > 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_BUSY,
                    "the shared folder '%s' has a device already; add an -fsdev for each device",
                    p9->fsdev->id);
        return false;
    }
    p9->fsdev->users++;
    virtio_add_queue(virtio, QUEUE_SIZE, handle_queue);
    return true;
}

static void
p9_unrealize(Virtio *virtio)
{
    Virtio9p *p9 = device_of(virtio);

    p9->fsdev->drain(p9->fsdev);
    p9->fsdev->reset(p9->fsdev);
    p9->fsdev->users--;
}

static void
p9_pre_save(VitDevice *dev)
{
    Virtio9p *p9 = (Virtio9p *)dev;

    p9->fsdev->drain(p9->fsdev);
    p9->mounted = p9->fsdev->is_mounted(p9->fsdev);
}

static bool
p9_post_load(VitDevice *dev, unsigned version, GError **error)
{
    const Virtio9p *p9 = (const Virtio9p *)dev;

    if (p9->mounted) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "the guest had the shared folder '%s' mounted when this was saved, and the "
                    "host's side of that is gone; unmount it before saving",
                    p9->mount_tag);
        return false;
    }
    return virtio_pci_post_load(dev, version, error);
}

static const VirtioOps p9_ops = {
    .device_type = 9,
    .legacy_device = 0x1009,
    .config_len = TAG_MAX,
    .get_features = get_features,
    .read_config = read_config,
    .reset = p9_reset,
    .queue_reset = queue_reset,
};

static const VitProp props[] = {
    VIT_PROP_BACKEND(Virtio9p, fsdev, "fsdev", VIT_PROP_TYPE_FSDEV,
                     VIT_N_("The shared folder: id of an -fsdev"), .flags = VIT_PROP_REQUIRED),
    VIT_PROP_STRING(Virtio9p, mount_tag, "mount_tag", NULL,
                    VIT_N_("Name by which the guest mounts the folder"),
                    .flags = VIT_PROP_REQUIRED),
    VIRTIO_PCI_PROPS(Virtio9p, t),
    { 0 },
};

static const VitField state[] = {
    VIRTIO_PCI_STATE(Virtio9p, t),
    VIT_FIELD(Virtio9p, mounted),
    { 0 },
};

static const VirtioPciInfo as_told =
    VIRTIO_PCI_INFO(VIRTIO_PCI_AS_TOLD, &p9_ops, p9_realize, p9_unrealize, 0x0180);
static const VirtioPciInfo transitional =
    VIRTIO_PCI_INFO(VIRTIO_PCI_TRANSITIONAL, &p9_ops, p9_realize, p9_unrealize, 0x0180);
static const VirtioPciInfo modern =
    VIRTIO_PCI_INFO(VIRTIO_PCI_MODERN, &p9_ops, p9_realize, p9_unrealize, 0x0180);

static const char *const aliases[] = { "virtio-9p", NULL };

const VitDeviceKind vit_virtio_9p_pci_kind = VIRTIO_PCI_KIND(
    Virtio9p, "virtio-9p-pci", VIT_N_("Shared folder (virtio 9P)"), VIT_CATEGORY_STORAGE, props,
    state, as_told, .aliases = aliases, .post_load = p9_post_load, .pre_save = p9_pre_save);
const VitDeviceKind vit_virtio_9p_pci_transitional_kind = VIRTIO_PCI_KIND(
    Virtio9p, "virtio-9p-pci-transitional",
    VIT_N_("Shared folder (virtio 9P), legacy and modern interface"), VIT_CATEGORY_STORAGE, props,
    state, transitional, .post_load = p9_post_load, .pre_save = p9_pre_save);
const VitDeviceKind vit_virtio_9p_pci_non_transitional_kind = VIRTIO_PCI_KIND(
    Virtio9p, "virtio-9p-pci-non-transitional",
    VIT_N_("Shared folder (virtio 9P), modern interface only"), VIT_CATEGORY_STORAGE, props, state,
    modern, .post_load = p9_post_load, .pre_save = p9_pre_save);
