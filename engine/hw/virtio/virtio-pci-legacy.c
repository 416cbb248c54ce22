/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The legacy interface of transitional devices: one I/O window with everything in it. VirtIO 1.2
 * sections 4.1.4.10 (registers), 2.7.2 (ring layout by page frame number).
 *
 * A queue lives where a single page frame number says: descriptors, driver ring, and on the next
 * page border the device ring. Two registers for vectors appear before the device's configuration
 * while MSI-X is on. Thread: device lock held. */

#include "virtio-pci.h"

enum {
    LEGACY_DEVICE_FEATURES = 0,
    LEGACY_DRIVER_FEATURES = 4,
    LEGACY_QUEUE_PFN = 8,
    LEGACY_QUEUE_SIZE = 12,
    LEGACY_QUEUE_SELECT = 14,
    LEGACY_QUEUE_NOTIFY = 16,
    LEGACY_STATUS = 18,
    LEGACY_ISR = 19,
    LEGACY_CONFIG_VECTOR = 20,
    LEGACY_QUEUE_VECTOR = 22,
    LEGACY_CONFIG = 20,
    LEGACY_CONFIG_MSIX = 24,
};

static VirtQueue *
selected(VirtioPci *proxy)
{
    return proxy->queue_select < proxy->virtio.queue_count
               ? &proxy->virtio.queues[proxy->queue_select]
               : NULL;
}

static unsigned
config_at(const VirtioPci *proxy)
{
    return vit_pci_msix_enabled(&proxy->pci) ? LEGACY_CONFIG_MSIX : LEGACY_CONFIG;
}

static void
set_page(VirtioPci *proxy, uint32_t pfn)
{
    VirtQueue *queue = selected(proxy);

    if (!queue) {
        return;
    }
    if (pfn == 0) {
        /* How a legacy driver lets go of a queue: the device is reset as a whole. */
        virtio_reset(&proxy->virtio);
        return;
    }
    queue->size = queue->max_size;
    queue->desc_at = (uint64_t)pfn * VIT_PAGE_SIZE;
    queue->driver_at = queue->desc_at + 16ull * queue->size;
    queue->device_at = (queue->driver_at + 6 + 2ull * queue->size + VIT_PAGE_SIZE - 1) &
                       ~(uint64_t)(VIT_PAGE_SIZE - 1);
    virtq_set_enabled(queue, true);
}

static uint64_t
read_register(VirtioPci *proxy, uint64_t offset)
{
    Virtio *virtio = &proxy->virtio;
    VirtQueue *queue = selected(proxy);
    uint8_t isr;

    switch (offset) {
    case LEGACY_DEVICE_FEATURES: return (uint32_t)virtio->offered;
    case LEGACY_DRIVER_FEATURES: return (uint32_t)virtio->guest_features;
    case LEGACY_QUEUE_PFN: return queue && queue->enabled ? queue->desc_at / VIT_PAGE_SIZE : 0;
    case LEGACY_QUEUE_SIZE: return queue ? queue->max_size : 0;
    case LEGACY_QUEUE_SELECT: return proxy->queue_select;
    case LEGACY_STATUS: return virtio->status;
    case LEGACY_ISR:
        isr = virtio->isr;
        virtio->isr = 0;
        vit_pci_set_irq(&proxy->pci, 0);
        return isr;
    case LEGACY_CONFIG_VECTOR: return virtio->config_vector;
    case LEGACY_QUEUE_VECTOR: return queue ? queue->vector : VIRTIO_NO_VECTOR;
    default: return 0;
    }
}

static void
write_status(VirtioPci *proxy, uint8_t status)
{
    uint16_t command = vit_pci_get16(&proxy->pci, VIT_PCI_COMMAND);

    /* Old drivers never switched bus mastering on, and devices did not mind. */
    if ((status & VIRTIO_STATUS_DRIVER_OK) && !(command & VIT_PCI_COMMAND_MASTER)) {
        vit_pci_device_config_write(&proxy->pci, VIT_PCI_COMMAND, command | VIT_PCI_COMMAND_MASTER,
                                    2);
    }
    virtio_set_status(&proxy->virtio, status);
    if (status == 0) {
        proxy->queue_select = 0;
        vit_pci_set_irq(&proxy->pci, 0);
    }
}

static uint16_t
valid_vector(const VirtioPci *proxy, uint64_t vector)
{
    return vector < proxy->vectors ? (uint16_t)vector : VIRTIO_NO_VECTOR;
}

static void
write_register(VirtioPci *proxy, uint64_t offset, uint64_t value)
{
    VirtQueue *queue = selected(proxy);

    switch (offset) {
    case LEGACY_DRIVER_FEATURES: virtio_set_features(&proxy->virtio, (uint32_t)value); break;
    case LEGACY_QUEUE_PFN: set_page(proxy, (uint32_t)value); break;
    case LEGACY_QUEUE_SELECT: proxy->queue_select = (uint16_t)value; break;
    case LEGACY_QUEUE_NOTIFY: virtio_notify_received(&proxy->virtio, (uint16_t)value); break;
    case LEGACY_STATUS: write_status(proxy, (uint8_t)value); break;
    case LEGACY_CONFIG_VECTOR: proxy->virtio.config_vector = valid_vector(proxy, value); break;
    case LEGACY_QUEUE_VECTOR:
        if (queue) {
            queue->vector = valid_vector(proxy, value);
        }
        break;
    default: break;
    }
}

static uint64_t
legacy_read(void *opaque, uint64_t offset, unsigned size)
{
    VirtioPci *proxy = opaque;
    unsigned config = config_at(proxy);

    if (offset >= config) {
        return virtio_read_config(&proxy->virtio, (unsigned)offset - config, size);
    }
    return read_register(proxy, offset);
}

static void
legacy_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    VirtioPci *proxy = opaque;
    unsigned config = config_at(proxy);

    if (offset >= config) {
        virtio_write_config(&proxy->virtio, (unsigned)offset - config, value, size);
    } else {
        write_register(proxy, offset, value);
    }
}

static const VitRegionOps legacy_ops = { legacy_read, legacy_write, 1, 4 };

void
virtio_pci_add_legacy(VirtioPci *proxy)
{
    uint64_t len = 32;

    while (len < LEGACY_CONFIG_MSIX + (uint64_t)proxy->virtio.ops->config_len) {
        len *= 2;
    }
    vit_region_init_io(&proxy->legacy, "virtio-pci-legacy", &legacy_ops, proxy, len);
    vit_pci_add_bar(&proxy->pci, 0, VIT_PCI_BAR_IO, &proxy->legacy);
}
