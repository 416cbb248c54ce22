/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The PCI transport: base registers, capabilities, the common configuration structure, bells and
 * interrupts. VirtIO 1.2 section 4.1. The legacy interface is in virtio-pci-legacy.c.
 *
 * BAR 0 is the legacy interface, BAR 1 the MSI-X table, BAR 2 the bells as a port, BAR 4 the modern
 * structures, each in a page. The driver's structures lie where the bus master sees memory.
 *
 * Thread: device lock held. */

#include "virtio-pci.h"

#include "vit-error.h"

#include <string.h>

enum {
    CAP_COMMON = 1,
    CAP_NOTIFY = 2,
    CAP_ISR = 3,
    CAP_DEVICE = 4,
    CAP_PCI_CFG = 5,

    COMMON_AT = 0x0000,
    ISR_AT = 0x1000,
    DEVICE_AT = 0x2000,
    NOTIFY_AT = 0x3000,
    STRUCTURE_BYTES = 0x1000,
    BAR_LEGACY = 0,
    BAR_MSIX = 1,
    BAR_NOTIFY_PIO = 2,
    BAR_MODERN = 4,

    /* in the capability of configuration access */
    CFG_BAR = 4,
    CFG_OFFSET = 8,
    CFG_LEN = 12,
    CFG_DATA = 16,
};

static uint32_t
notify_multiplier(const VirtioPci *proxy)
{
    return proxy->page_per_vq ? VIT_PAGE_SIZE : 4;
}

/* ---- interrupts ---- */

static void
raise_vector(VirtioPci *proxy, uint16_t vector, uint8_t isr_bit)
{
    if (vit_pci_msix_enabled(&proxy->pci)) {
        if (vector != VIRTIO_NO_VECTOR) {
            vit_pci_notify(&proxy->pci, vector);
        }
        return;
    }
    proxy->virtio.isr |= isr_bit;
    vit_pci_set_irq(&proxy->pci, 1);
}

static void
notify_queue(Virtio *virtio, VirtQueue *queue)
{
    raise_vector(virtio_pci_of(virtio), queue->vector, VIRTIO_ISR_QUEUE);
}

static void
notify_config(Virtio *virtio)
{
    raise_vector(virtio_pci_of(virtio), virtio->config_vector,
                 VIRTIO_ISR_CONFIG | VIRTIO_ISR_QUEUE);
}

static bool
can_dma(Virtio *virtio)
{
    return vit_pci_get16(&virtio_pci_of(virtio)->pci, VIT_PCI_COMMAND) & VIT_PCI_COMMAND_MASTER;
}

static const VirtioTransportOps transport_ops = {
    .notify_queue = notify_queue,
    .notify_config = notify_config,
    .can_dma = can_dma,
};

/* ---- the common configuration structure (4.1.4.3) ---- */

static VirtioPci *
proxy_of(VitDevice *dev)
{
    return (VirtioPci *)dev;
}

/* The selected queue, or NULL where there is none with that number. */
static VirtQueue *
selected(VitDevice *dev)
{
    VirtioPci *proxy = proxy_of(dev);

    return proxy->queue_select < proxy->virtio.queue_count
               ? &proxy->virtio.queues[proxy->queue_select]
               : NULL;
}

static uint64_t
read_device_feature(VitDevice *dev, const VitReg *reg)
{
    VirtioPci *proxy = proxy_of(dev);

    return proxy->device_feature_select < 2
               ? proxy->virtio.offered >> 32 * proxy->device_feature_select & 0xffffffff
               : 0;
}

static uint64_t
read_driver_feature(VitDevice *dev, const VitReg *reg)
{
    VirtioPci *proxy = proxy_of(dev);

    return proxy->driver_feature_select < 2
               ? proxy->virtio.guest_features >> 32 * proxy->driver_feature_select & 0xffffffff
               : 0;
}

static void
write_driver_feature(VitDevice *dev, const VitReg *reg, uint64_t value)
{
    VirtioPci *proxy = proxy_of(dev);
    unsigned shift = 32 * proxy->driver_feature_select;

    if (proxy->driver_feature_select < 2) {
        uint64_t others = proxy->virtio.guest_features & ~(0xffffffffull << shift);
        virtio_set_features(&proxy->virtio, others | value << shift);
    }
}

static uint16_t
valid_vector(const VirtioPci *proxy, uint64_t vector)
{
    return vector < proxy->vectors ? (uint16_t)vector : VIRTIO_NO_VECTOR;
}

static void
write_config_vector(VitDevice *dev, const VitReg *reg, uint64_t value)
{
    proxy_of(dev)->virtio.config_vector = valid_vector(proxy_of(dev), value);
}

static uint64_t
read_queue_count(VitDevice *dev, const VitReg *reg)
{
    return proxy_of(dev)->virtio.queue_count;
}

static void
write_status(VitDevice *dev, const VitReg *reg, uint64_t value)
{
    VirtioPci *proxy = proxy_of(dev);

    virtio_set_status(&proxy->virtio, (uint8_t)value);
    if (proxy->virtio.status == 0) {
        proxy->device_feature_select = proxy->driver_feature_select = 0;
        proxy->queue_select = 0;
        vit_pci_set_irq(&proxy->pci, 0);
    }
}

static uint64_t
read_queue_size(VitDevice *dev, const VitReg *reg)
{
    VirtQueue *queue = selected(dev);

    return queue ? queue->size : 0;
}

static void
write_queue_size(VitDevice *dev, const VitReg *reg, uint64_t value)
{
    VirtQueue *queue = selected(dev);
    bool packed = virtio_has(&proxy_of(dev)->virtio, VIRTIO_F_RING_PACKED);

    if (!queue || queue->enabled) {
        return;
    }
    if (value == 0 || value > queue->max_size || (!packed && (value & (value - 1)))) {
        vit_guest_error(dev, "queue %u cannot have %u entries", queue->index, (unsigned)value);
        return;
    }
    queue->size = (uint16_t)value;
}

static uint64_t
read_queue_vector(VitDevice *dev, const VitReg *reg)
{
    VirtQueue *queue = selected(dev);

    return queue ? queue->vector : VIRTIO_NO_VECTOR;
}

static void
write_queue_vector(VitDevice *dev, const VitReg *reg, uint64_t value)
{
    VirtQueue *queue = selected(dev);

    if (queue) {
        queue->vector = valid_vector(proxy_of(dev), value);
    }
}

static uint64_t
read_queue_enable(VitDevice *dev, const VitReg *reg)
{
    VirtQueue *queue = selected(dev);

    return queue && queue->enabled;
}

static void
write_queue_enable(VitDevice *dev, const VitReg *reg, uint64_t value)
{
    VirtQueue *queue = selected(dev);

    /* A queue is disabled only by a reset, of it or of the device. */
    if (queue && value == 1) {
        virtq_set_enabled(queue, true);
    }
}

static uint64_t
read_queue_notify_off(VitDevice *dev, const VitReg *reg)
{
    return proxy_of(dev)->queue_select;
}

static uint64_t *
queue_address(VirtQueue *queue, const VitReg *reg)
{
    switch (reg->at & ~7u) {
    case 0x20: return &queue->desc_at;
    case 0x28: return &queue->driver_at;
    default: return &queue->device_at;
    }
}

static uint64_t
read_queue_address(VitDevice *dev, const VitReg *reg)
{
    VirtQueue *queue = selected(dev);

    return queue ? *queue_address(queue, reg) >> 8 * (reg->at & 4) & 0xffffffff : 0;
}

static void
write_queue_address(VitDevice *dev, const VitReg *reg, uint64_t value)
{
    VirtQueue *queue = selected(dev);
    unsigned shift = 8 * (reg->at & 4);

    if (queue && !queue->enabled) {
        uint64_t *address = queue_address(queue, reg);
        *address = (*address & ~(0xffffffffull << shift)) | value << shift;
    }
}

static uint64_t
read_queue_reset(VitDevice *dev, const VitReg *reg)
{
    return 0; /* a reset is over when the write ends */
}

static void
write_queue_reset(VitDevice *dev, const VitReg *reg, uint64_t value)
{
    VirtQueue *queue = selected(dev);

    if (queue && value == 1 && virtio_has(queue->virtio, VIRTIO_F_RING_RESET)) {
        queue->virtio->ops->queue_reset(queue);
        virtq_reset(queue);
    }
}

#define PROXY_FIELD(field) \
    .offset = offsetof(VirtioPci, field), .size = sizeof(((VirtioPci *)0)->field)

const VitReg virtio_pci_common_regs[] = {
    VIT_REG(VirtioPci, "device_feature_select", 0x00, device_feature_select,
            .write_mask = 0xffffffff),
    VIT_REG_FN("device_feature", 0x04, 4, .read = read_device_feature, .flags = VIT_REG_RO),
    VIT_REG(VirtioPci, "driver_feature_select", 0x08, driver_feature_select,
            .write_mask = 0xffffffff),
    VIT_REG_FN("driver_feature", 0x0c, 4, .read = read_driver_feature,
               .write = write_driver_feature),
    VIT_REG(VirtioPci, "config_msix_vector", 0x10, virtio.config_vector, .reset = VIRTIO_NO_VECTOR,
            .write = write_config_vector),
    VIT_REG_FN("num_queues", 0x12, 2, .read = read_queue_count, .flags = VIT_REG_RO),
    VIT_REG(VirtioPci, "device_status", 0x14, virtio.status, .write = write_status),
    VIT_REG(VirtioPci, "config_generation", 0x15, virtio.config_generation, .flags = VIT_REG_RO),
    VIT_REG(VirtioPci, "queue_select", 0x16, queue_select, .write_mask = 0xffff),
    VIT_REG_FN("queue_size", 0x18, 2, .read = read_queue_size, .write = write_queue_size),
    VIT_REG_FN("queue_msix_vector", 0x1a, 2, .read = read_queue_vector,
               .write = write_queue_vector),
    VIT_REG_FN("queue_enable", 0x1c, 2, .read = read_queue_enable, .write = write_queue_enable),
    VIT_REG_FN("queue_notify_off", 0x1e, 2, .read = read_queue_notify_off, .flags = VIT_REG_RO),
    VIT_REG_FN("queue_desc_low", 0x20, 4, .read = read_queue_address, .write = write_queue_address),
    VIT_REG_FN("queue_desc_high", 0x24, 4, .read = read_queue_address,
               .write = write_queue_address),
    VIT_REG_FN("queue_driver_low", 0x28, 4, .read = read_queue_address,
               .write = write_queue_address),
    VIT_REG_FN("queue_driver_high", 0x2c, 4, .read = read_queue_address,
               .write = write_queue_address),
    VIT_REG_FN("queue_device_low", 0x30, 4, .read = read_queue_address,
               .write = write_queue_address),
    VIT_REG_FN("queue_device_high", 0x34, 4, .read = read_queue_address,
               .write = write_queue_address),
    VIT_REG_FN("queue_notify_data", 0x38, 2, .read = read_queue_notify_off, .flags = VIT_REG_RO),
    VIT_REG_FN("queue_reset", 0x3a, 2, .read = read_queue_reset, .write = write_queue_reset),
    { 0 },
};

/* ---- windows ---- */

static uint64_t
common_read(void *opaque, uint64_t offset, unsigned size)
{
    return offset < 0x3c ? vit_regs_read(opaque, virtio_pci_common_regs, offset, size) : 0;
}

static void
common_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    if (offset < 0x3c) {
        vit_regs_write(opaque, virtio_pci_common_regs, offset, value, size);
    }
}

static uint64_t
isr_read(void *opaque, uint64_t offset, unsigned size)
{
    VirtioPci *proxy = opaque;
    uint8_t isr = offset == 0 ? proxy->virtio.isr : 0;

    if (offset == 0) {
        proxy->virtio.isr = 0;
        vit_pci_set_irq(&proxy->pci, 0);
    }
    return isr;
}

static void
ignore_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
}

static uint64_t
device_read(void *opaque, uint64_t offset, unsigned size)
{
    VirtioPci *proxy = opaque;

    return virtio_read_config(&proxy->virtio, (unsigned)offset, size);
}

static void
device_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    VirtioPci *proxy = opaque;

    virtio_write_config(&proxy->virtio, (unsigned)offset, value, size);
}

static uint64_t
read_zero(void *opaque, uint64_t offset, unsigned size)
{
    return 0;
}

static void
notify_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    VirtioPci *proxy = opaque;

    virtio_notify_received(&proxy->virtio, (unsigned)(offset / notify_multiplier(proxy)));
}

static void
notify_pio_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    VirtioPci *proxy = opaque;

    virtio_notify_received(&proxy->virtio, (uint16_t)value);
}

static const VitRegionOps common_ops = { common_read, common_write, 1, 4 };
static const VitRegionOps isr_ops = { isr_read, ignore_write, 1, 1 };
static const VitRegionOps device_ops = { device_read, device_write, 1, 4 };
static const VitRegionOps notify_ops = { read_zero, notify_write, 1, 4 };
static const VitRegionOps notify_pio_ops = { read_zero, notify_pio_write, 1, 4 };
/* With an iothread a bell touches nothing that the device lock guards (vit-iothread.h). */
static const VitRegionOps notify_free_ops = { read_zero, notify_write, 1, 4, .lockless = true };
static const VitRegionOps notify_pio_free_ops = { read_zero, notify_pio_write, 1, 4,
                                                  .lockless = true };

/* ---- configuration access by configuration space (4.1.4.9) ---- */

static bool
cfg_window(VirtioPci *proxy, VitRegion **out_region, uint32_t *out_at, unsigned *out_len)
{
    const VitPciDevice *pci = &proxy->pci;
    uint8_t bar = pci->config[proxy->cfg_cap + CFG_BAR];
    uint32_t at = vit_pci_get32(pci, proxy->cfg_cap + CFG_OFFSET);
    uint32_t len = vit_pci_get32(pci, proxy->cfg_cap + CFG_LEN);
    VitRegion *regions[] = { &proxy->common, &proxy->isr, &proxy->device, &proxy->notify };

    if ((len != 1 && len != 2 && len != 4) || at % len) {
        return false;
    }
    *out_len = len;
    if (bar == BAR_LEGACY && proxy->has_legacy && at + len <= proxy->legacy.len_bytes) {
        *out_region = &proxy->legacy;
        *out_at = at;
        return true;
    }
    for (unsigned i = 0; bar == BAR_MODERN && i < VIT_ARRAY_LEN(regions); i++) {
        if (at >= regions[i]->offset && at - regions[i]->offset < regions[i]->len_bytes) {
            *out_region = regions[i];
            *out_at = at - (uint32_t)regions[i]->offset;
            return true;
        }
    }
    return false;
}

static bool
touches_cfg_data(const VirtioPci *proxy, uint32_t at, unsigned size)
{
    uint32_t data = proxy->cfg_cap + CFG_DATA;

    return proxy->cfg_cap && at < data + 4 && at + size > data;
}

void
virtio_pci_config_read(VitPciDevice *pci, uint32_t at, unsigned size)
{
    VirtioPci *proxy = (VirtioPci *)pci;
    VitRegion *region;
    uint32_t offset, value = 0;
    unsigned len;

    if (!touches_cfg_data(proxy, at, size) || !cfg_window(proxy, &region, &offset, &len)) {
        return;
    }
    for (unsigned done = 0; done < len; done += MIN(len, region->ops->max_size)) {
        unsigned piece = MIN(len, region->ops->max_size);
        value |= (uint32_t)region->ops->read(region->opaque, offset + done, piece) << 8 * done;
    }
    vit_pci_set32(pci, proxy->cfg_cap + CFG_DATA, value);
}

void
virtio_pci_config_written(VitPciDevice *pci, uint32_t at, uint32_t value, unsigned size)
{
    VirtioPci *proxy = (VirtioPci *)pci;
    VitRegion *region;
    uint32_t offset;
    unsigned len;

    if (touches_cfg_data(proxy, at, size) && cfg_window(proxy, &region, &offset, &len) &&
        len <= region->ops->max_size) {
        region->ops->write(
            region->opaque, offset,
            vit_pci_get32(pci, proxy->cfg_cap + CFG_DATA) & (UINT32_MAX >> (32 - 8 * len)), len);
    }
}

/* ---- realize ---- */

static uint8_t
add_cap(VirtioPci *proxy, uint8_t type, uint8_t bar, uint32_t at, uint32_t len, uint8_t cap_len)
{
    uint8_t cap = vit_pci_add_capability(&proxy->pci, VIT_PCI_CAP_VENDOR, cap_len);
    uint8_t *config = proxy->pci.config + cap;

    config[2] = cap_len;
    config[3] = type;
    config[CFG_BAR] = bar;
    vit_pci_set32(&proxy->pci, cap + CFG_OFFSET, at);
    vit_pci_set32(&proxy->pci, cap + CFG_LEN, len);
    return cap;
}

static void
add_modern(VirtioPci *proxy)
{
    uint32_t notify_len = MAX(STRUCTURE_BYTES, notify_multiplier(proxy) * VIRTIO_MAX_QUEUES);
    uint64_t bar_len = 0x4000;
    uint8_t cap;

    while (bar_len < NOTIFY_AT + notify_len) {
        bar_len *= 2;
    }
    vit_region_init_container(&proxy->modern, "virtio-pci", bar_len);
    vit_region_init_io(&proxy->common, "virtio-pci-common", &common_ops, proxy, STRUCTURE_BYTES);
    vit_region_init_io(&proxy->isr, "virtio-pci-isr", &isr_ops, proxy, STRUCTURE_BYTES);
    vit_region_init_io(&proxy->device, "virtio-pci-device", &device_ops, proxy, STRUCTURE_BYTES);
    vit_region_init_io(&proxy->notify, "virtio-pci-notify",
                       proxy->virtio.iothread ? &notify_free_ops : &notify_ops, proxy, notify_len);
    vit_region_add(&proxy->modern, COMMON_AT, &proxy->common, 0);
    vit_region_add(&proxy->modern, ISR_AT, &proxy->isr, 0);
    vit_region_add(&proxy->modern, DEVICE_AT, &proxy->device, 0);
    vit_region_add(&proxy->modern, NOTIFY_AT, &proxy->notify, 0);
    vit_pci_add_bar(&proxy->pci, BAR_MODERN, VIT_PCI_BAR_MEM64 | VIT_PCI_BAR_PREFETCH,
                    &proxy->modern);
    if (proxy->modern_pio_notify) {
        vit_region_init_io(&proxy->notify_pio, "virtio-pci-notify-pio",
                           proxy->virtio.iothread ? &notify_pio_free_ops : &notify_pio_ops, proxy,
                           4);
        vit_pci_add_bar(&proxy->pci, BAR_NOTIFY_PIO, VIT_PCI_BAR_IO, &proxy->notify_pio);
        cap = add_cap(proxy, CAP_NOTIFY, BAR_NOTIFY_PIO, 0, 4, 20);
        vit_pci_set32(&proxy->pci, cap + 16, 0);
    }
    add_cap(proxy, CAP_COMMON, BAR_MODERN, COMMON_AT, STRUCTURE_BYTES, 16);
    add_cap(proxy, CAP_ISR, BAR_MODERN, ISR_AT, STRUCTURE_BYTES, 16);
    add_cap(proxy, CAP_DEVICE, BAR_MODERN, DEVICE_AT, STRUCTURE_BYTES, 16);
    cap = add_cap(proxy, CAP_NOTIFY, BAR_MODERN, NOTIFY_AT, notify_len, 20);
    vit_pci_set32(&proxy->pci, cap + 16, notify_multiplier(proxy));
    proxy->cfg_cap = add_cap(proxy, CAP_PCI_CFG, 0, 0, 0, 20);
    proxy->pci.write_mask[proxy->cfg_cap + CFG_BAR] = 0xff;
    memset(proxy->pci.write_mask + proxy->cfg_cap + CFG_OFFSET, 0xff, 12);
}

static bool
choose_interfaces(VirtioPci *proxy, const VirtioPciInfo *info, GError **error)
{
    bool has_device = info->ops->legacy_device != 0;

    proxy->has_legacy = has_device && proxy->disable_legacy != VIT_ON;
    proxy->has_modern = !proxy->disable_modern;
    if (info->mode == VIRTIO_PCI_TRANSITIONAL) {
        proxy->has_legacy = proxy->has_modern = true;
    } else if (info->mode == VIRTIO_PCI_MODERN) {
        proxy->has_legacy = false;
        proxy->has_modern = true;
    }
    if (!proxy->has_legacy && !proxy->has_modern) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "%s: with neither legacy nor modern interface no driver could use it. Drop "
                    "disable-modern=on%s.",
                    proxy->pci.dev.kind->name, has_device ? " or disable-legacy=on" : "");
        return false;
    }
    if (proxy->has_legacy && proxy->virtio.access_platform) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "%s: iommu_platform=on needs disable-legacy=on: legacy drivers know nothing "
                    "of it.",
                    proxy->pci.dev.kind->name);
        return false;
    }
    return true;
}

static void
set_ids(VirtioPci *proxy, const VirtioOps *ops)
{
    VitPciDevice *pci = &proxy->pci;

    if (proxy->has_legacy) {
        vit_pci_set16(pci, VIT_PCI_DEVICE_ID, ops->legacy_device);
        vit_pci_set16(pci, VIT_PCI_SUBSYSTEM_ID, ops->device_type);
        pci->config[VIT_PCI_REVISION_ID] = 0;
    } else {
        vit_pci_set16(pci, VIT_PCI_DEVICE_ID, 0x1040 + ops->device_type);
        pci->config[VIT_PCI_REVISION_ID] = 1;
    }
    vit_pci_set16(pci, VIT_PCI_SUBSYSTEM_VENDOR_ID, 0x1af4);
}

static void
add_msix(VirtioPci *proxy)
{
    uint64_t len = VIT_PAGE_SIZE;
    uint32_t table_len;

    if (proxy->vectors == VIRTIO_PCI_VECTORS_AUTO) {
        proxy->vectors = proxy->virtio.queue_count + 1u;
    }
    proxy->vectors = MIN(proxy->vectors, VIRTIO_MAX_QUEUES + 1);
    if (proxy->vectors == 0) {
        return;
    }
    table_len = proxy->vectors * 16;
    while (len < 2 * table_len) {
        len *= 2;
    }
    vit_region_init_container(&proxy->msix, "virtio-pci-msix", len);
    vit_pci_add_bar(&proxy->pci, BAR_MSIX, VIT_PCI_BAR_MEM, &proxy->msix);
    vit_pci_add_msix(&proxy->pci, proxy->vectors, BAR_MSIX, 0, (uint32_t)len / 2);
}

bool
virtio_pci_realize(VitDevice *dev, GError **error)
{
    VirtioPci *proxy = (VirtioPci *)dev;
    const VirtioPciInfo *info = dev->kind->bus_info;

    if (!choose_interfaces(proxy, info, error)) {
        return false;
    }
    proxy->virtio.queue_count = 0;
    memset(proxy->virtio.queues, 0, sizeof(proxy->virtio.queues));
    proxy->virtio.dev = dev;
    if (!info->realize(&proxy->virtio, error)) {
        return false;
    }
    virtio_realize(&proxy->virtio, dev, info->ops, &transport_ops, ((VitPciBus *)dev->bus)->dma,
                   proxy->has_modern);
    set_ids(proxy, info->ops);
    add_msix(proxy);
    if (proxy->has_legacy) {
        virtio_pci_add_legacy(proxy);
    }
    if (proxy->has_modern) {
        add_modern(proxy);
    }
    return true;
}

void
virtio_pci_unrealize(VitDevice *dev)
{
    VirtioPci *proxy = (VirtioPci *)dev;
    const VirtioPciInfo *info = dev->kind->bus_info;

    virtio_leave_iothread(&proxy->virtio);
    proxy->virtio.ops->reset(&proxy->virtio);
    if (info->unrealize) {
        info->unrealize(&proxy->virtio);
    }
    vit_region_finish(&proxy->common);
    vit_region_finish(&proxy->isr);
    vit_region_finish(&proxy->device);
    vit_region_finish(&proxy->notify);
    vit_region_finish(&proxy->notify_pio);
    vit_region_finish(&proxy->modern);
    vit_region_finish(&proxy->msix);
    vit_region_finish(&proxy->legacy);
    proxy->cfg_cap = 0;
}

void
virtio_pci_reset(VitDevice *dev)
{
    VirtioPci *proxy = (VirtioPci *)dev;

    virtio_reset(&proxy->virtio);
    proxy->device_feature_select = proxy->driver_feature_select = 0;
    proxy->queue_select = 0;
    if (proxy->cfg_cap) {
        proxy->pci.config[proxy->cfg_cap + CFG_BAR] = 0;
        memset(proxy->pci.config + proxy->cfg_cap + CFG_OFFSET, 0, 12);
    }
}

bool
virtio_pci_post_load(VitDevice *dev, unsigned version, GError **error)
{
    return virtio_post_load(&((VirtioPci *)dev)->virtio, error);
}
