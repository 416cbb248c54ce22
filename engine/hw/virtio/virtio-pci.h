/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* virtio over PCI: what a device kind needs to be one. VirtIO 1.2 section 4.1.
 * Thread: device lock held. */

#include "virtio.h"
#include "vit-pci.h"

/* Which interfaces a kind has, whatever its properties say. */
typedef enum VirtioPciMode {
    VIRTIO_PCI_AS_TOLD, /* disable-legacy, disable-modern */
    VIRTIO_PCI_TRANSITIONAL,
    VIRTIO_PCI_MODERN,
} VirtioPciMode;

/* bus_info of a virtio kind: the common PCI facts first. */
typedef struct VirtioPciInfo {
    VitPciInfo pci;
    VirtioPciMode mode;
    const VirtioOps *ops;
    /* Adds the queues and what else the device needs; the transport is made after it. */
    bool (*realize)(Virtio *virtio, GError **error);
    void (*unrealize)(Virtio *virtio);
} VirtioPciInfo;

typedef struct VirtioPci {
    VitPciDevice pci;
    Virtio virtio;
    /* properties */
    int32_t disable_legacy;
    bool disable_modern, page_per_vq, modern_pio_notify;
    uint32_t vectors;
    /* the driver's */
    uint32_t device_feature_select, driver_feature_select;
    uint16_t queue_select;
    /* wiring */
    bool has_legacy, has_modern;
    uint8_t cfg_cap; /* offset of the configuration access capability */
    VitRegion legacy, msix, modern, common, isr, device, notify, notify_pio;
} VirtioPci;

bool virtio_pci_realize(VitDevice *dev, GError **error);
void virtio_pci_unrealize(VitDevice *dev);
void virtio_pci_reset(VitDevice *dev);
bool virtio_pci_post_load(VitDevice *dev, unsigned version, GError **error);
/* config_read and config_written of the PCI facts. */
void virtio_pci_config_read(VitPciDevice *pci, uint32_t at, unsigned size);
void virtio_pci_config_written(VitPciDevice *pci, uint32_t at, uint32_t value, unsigned size);
/* The common configuration structure. */
extern const VitReg virtio_pci_common_regs[];
/* Interrupts a device wants by itself when vectors= does not say: one per queue and one more. */
enum { VIRTIO_PCI_VECTORS_AUTO = 0xffff };

static inline VirtioPci *
virtio_pci_of(Virtio *virtio)
{
    return VIT_CONTAINER_OF(virtio, VirtioPci, virtio);
}

/* The device structure whose first member is a VirtioPci. */
#define VIRTIO_DEVICE(Type, virtio_) ((Type *)virtio_pci_of(virtio_))

/* ---- virtio-pci-legacy.c ---- */
void virtio_pci_add_legacy(VirtioPci *proxy);

/* Rows that every virtio kind lists; member T of Type is its VirtioPci. */
#define VIRTIO_PCI_PROPS(Type, t)                                                            \
    VIT_PROP_ONOFFAUTO(Type, t.disable_legacy, "disable-legacy", VIT_AUTO,                   \
                       VIT_N_("Leave out the legacy interface; auto keeps it")),             \
        VIT_PROP_BOOL(Type, t.disable_modern, "disable-modern", false,                       \
                      VIT_N_("Leave out the modern interface")),                             \
        VIT_PROP_UINT(Type, t.vectors, "vectors", VIRTIO_PCI_VECTORS_AUTO, 0, 0xffff,        \
                      VIT_N_("MSI-X vectors; 0 for none, 65535 as many as it can use")),     \
        VIT_PROP_BOOL(Type, t.page_per_vq, "page-per-vq", false,                             \
                      VIT_N_("Each queue's bell has a page of its own")),                    \
        VIT_PROP_BOOL(Type, t.modern_pio_notify, "modern-pio-notify", false,                 \
                      VIT_N_("The bells of the modern interface are also an I/O port")),     \
        VIT_PROP_BOOL(Type, t.virtio.indirect_desc, "indirect_desc", true,                   \
                      VIT_N_("Offer indirect descriptors")),                                 \
        VIT_PROP_BOOL(Type, t.virtio.event_idx, "event_idx", true,                           \
                      VIT_N_("Offer event indices, which save interrupts and bells")),       \
        VIT_PROP_BOOL(Type, t.virtio.notify_on_empty, "notify_on_empty", true,               \
                      VIT_N_("Offer an interrupt when a queue runs empty")),                 \
        VIT_PROP_BOOL(Type, t.virtio.any_layout, "any_layout", true,                         \
                      VIT_N_("Buffers may be cut anywhere")),                                \
        VIT_PROP_BOOL(Type, t.virtio.packed, "packed", false, VIT_N_("Offer packed rings")), \
        VIT_PROP_BOOL(Type, t.virtio.access_platform, "iommu_platform", false,               \
                      VIT_N_("The driver must use the platform's addresses for DMA")),       \
        VIT_PROP_BOOL(Type, t.virtio.queue_reset, "queue_reset", true,                       \
                      VIT_N_("Offer to reset single queues"))

#define VIRTIO_PCI_STATE(Type, t)                                                                  \
    VIT_FIELD_NESTED(Type, t.virtio, virtio_state), VIT_FIELD(Type, t.device_feature_select),      \
        VIT_FIELD(Type, t.driver_feature_select), VIT_FIELD(Type, t.queue_select), /* wiring: */   \
        VIT_TRANSIENT(Type, t.has_legacy), VIT_TRANSIENT(Type, t.has_modern),                      \
        VIT_TRANSIENT(Type, t.cfg_cap), VIT_TRANSIENT(Type, t.legacy),                             \
        VIT_TRANSIENT(Type, t.msix), VIT_TRANSIENT(Type, t.modern), VIT_TRANSIENT(Type, t.common), \
        VIT_TRANSIENT(Type, t.isr), VIT_TRANSIENT(Type, t.device), VIT_TRANSIENT(Type, t.notify),  \
        VIT_TRANSIENT(Type, t.notify_pio)

/* The three kinds of a virtio device: symbol SYMBOL, name NAME (with -pci), of structure Type with
 * tables PROPS and STATE, from OPS, REALIZE and UNREALIZE. */
#define VIRTIO_PCI_INFO(mode_, ops_, realize_, unrealize_, class_, ...)           \
    {                                                                             \
        .pci = { .vendor_id = 0x1af4,                                             \
                 .class_id = class_,                                              \
                 .interrupt_pin = 1,                                              \
                 .config_read = virtio_pci_config_read,                           \
                 .config_written = virtio_pci_config_written,                     \
                 ##__VA_ARGS__ },                                                 \
        .mode = mode_, .ops = ops_, .realize = realize_, .unrealize = unrealize_, \
    }
#define VIRTIO_PCI_KIND(Type, name_, title_, category_, props_, state_, info_, ...)           \
    {                                                                                         \
        .name = name_, .title = title_, .bus = VIT_BUS_PCI, .category = category_,            \
        VIT_DEVICE_SIZE(Type, VitPciDevice), .regs = virtio_pci_common_regs, .props = props_, \
        .state = state_, .state_version = 1, .bus_info = &(info_).pci,                        \
        .realize = virtio_pci_realize, .unrealize = virtio_pci_unrealize,                     \
        .reset = virtio_pci_reset, ##__VA_ARGS__                                              \
    }
