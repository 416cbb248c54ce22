/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* PCI: configuration space, BARs, INTx, MSI/MSI-X, option ROM. PCI Local Bus 3.0.
 * Thread: device lock held. */

#include "vit-device.h"
#include "vit-pci-regs.h"

typedef struct VitPciBus VitPciBus;
typedef struct VitPciDevice VitPciDevice;

/* bus_info of a PCI kind. */
typedef struct VitPciInfo {
    uint16_t vendor_id, device_id;
    uint16_t subsystem_vendor_id, subsystem_id; /* 0: QEMU's default 1af4:1100 */
    uint8_t revision;
    uint8_t prog_if;
    uint16_t class_id;     /* class << 8 | subclass */
    uint8_t header_type;   /* 0 device, 1 bridge */
    uint8_t interrupt_pin; /* 0 none, 1 = INTA# */
    bool multifunction;
    const char *rom_file; /* default option ROM, found through the firmware path; or NULL */
    /* Before the default handling of a configuration read; may be NULL. */
    void (*config_read)(VitPciDevice *pci, uint32_t at, unsigned size);
    /* After the default handling of a configuration write; may be NULL. */
    void (*config_written)(VitPciDevice *pci, uint32_t at, uint32_t value, unsigned size);
} VitPciInfo;

enum { VIT_PCI_BAR_MEM = 0, VIT_PCI_BAR_IO = 1, VIT_PCI_BAR_MEM64 = 4, VIT_PCI_BAR_PREFETCH = 8 };

typedef struct VitPciBar {
    VitRegion *region;  /* the device's, not owned; NULL = no BAR */
    uint64_t len_bytes; /* power of two */
    uint8_t type;
    bool mapped;
    uint64_t address;
} VitPciBar;

enum { VIT_PCI_ROM_BAR = 6, VIT_PCI_BAR_COUNT = 7 };

typedef struct VitPciMsix VitPciMsix;

struct VitPciDevice {
    VitDevice dev;
    int32_t devfn;         /* property addr; -1 until placed */
    bool auto_placed;      /* the slot was chosen, not asked for */
    bool published;        /* the guest may see it */
    int32_t multifunction; /* property, on/off/auto */
    char *rom_path;        /* property romfile */
    int32_t rombar;        /* property */
    /* Beyond the header nothing is writable until the kind's realize sets the masks. */
    uint8_t config[256], write_mask[256], w1c_mask[256];
    VitPciBar bars[VIT_PCI_BAR_COUNT];
    VitRamBlock *rom_block;
    VitRegion rom_region;
    bool irq_level;     /* what the device asks of its pin */
    bool line_asserted; /* what the bus sees: gated by INTx disable, MSI and MSI-X */
    uint8_t next_cap;   /* where the next capability goes, 0 = after the header */
    uint8_t msi_cap;    /* offset, 0 = none */
    uint8_t msi_vectors;
    uint8_t msix_cap;
    uint8_t *msix_bytes; /* vector table, then pending bits; NULL without MSI-X */
    uint32_t msix_len_bytes;
    VitPciMsix *msix;
};

/* Common properties of every PCI kind (addr, multifunction, romfile, rombar), looked up after the
 * kind's own. */
extern const VitProp vit_pci_props[];
/* Common saved fields (config, irq_level, MSI-X table), written as section "PATH/pci". */
extern const VitField vit_pci_state[];

typedef struct VitPciBusOps {
    /* INTx after swizzling at this bus: PIN 0..3 of slot DEVFN goes to line. */
    unsigned (*map_irq)(void *opaque, unsigned devfn, unsigned pin);
    void (*set_irq)(void *opaque, unsigned line, int level);
    void (*send_msi)(void *opaque, uint64_t address, uint32_t data);
} VitPciBusOps;

struct VitPciBus {
    VitBus bus;
    uint8_t number;
    const VitPciBusOps *ops;
    void *opaque;
    VitRegion *memory; /* where memory BARs appear */
    VitRegion *io;
    VitAddressSpace *dma; /* what bus masters see */
    VitPciDevice *slots[256];
    uint16_t line_count[8]; /* asserted pins per line: wired OR */
};

void vit_pci_bus_init(VitPciBus *bus, const char *name, VitDevice *owner, VitPlatform *platform,
                      const VitPciBusOps *ops, void *opaque, VitRegion *memory, VitRegion *io);
void vit_pci_bus_finish(VitPciBus *bus);

/* The steps of a PCI device's life around its kind's own callbacks; vit-device.c calls them.
 * attach: before realize; finds the slot and builds the configuration header.
 * publish: after realize; loads the option ROM and makes the function visible to the guest.
 * detach: undoes both, after unrealize or a failed realize.
 * reset: before the kind's reset. loaded: after config and MSI-X table were read from a state. */
bool vit_pci_attach(VitPciDevice *pci, VitPciBus *bus, GError **error);
bool vit_pci_publish(VitPciDevice *pci, GError **error);
void vit_pci_detach(VitPciDevice *pci);
void vit_pci_reset(VitPciDevice *pci);
void vit_pci_loaded(VitPciDevice *pci);

/* Called by a kind's realize, in the order of the BARs. REGION's length is the BAR's size. */
void vit_pci_add_bar(VitPciDevice *pci, unsigned n, uint8_t type, VitRegion *region);
/* Level of the device's INTx pin. */
void vit_pci_set_irq(VitPciDevice *pci, int level);
/* Adds a capability; returns its offset. */
uint8_t vit_pci_add_capability(VitPciDevice *pci, uint8_t id, uint8_t len_bytes);
bool vit_pci_add_msi(VitPciDevice *pci, unsigned vectors, bool is_64bit);
/* BAR's region is a container: the table and the pending bits are put into it. */
bool vit_pci_add_msix(VitPciDevice *pci, unsigned vectors, unsigned bar, uint32_t table_at,
                      uint32_t pba_at);
/* MSI-X, else MSI, else INTx pulse per the device's enables. True when a message was sent. */
bool vit_pci_msi_enabled(const VitPciDevice *pci);
bool vit_pci_msix_enabled(const VitPciDevice *pci);
void vit_pci_notify(VitPciDevice *pci, unsigned vector);
/* Bus mastering (command bit 2) gates DMA: these do nothing when it is off. */
bool vit_pci_dma_read(VitPciDevice *pci, uint64_t address, void *buf, uint64_t len);
bool vit_pci_dma_write(VitPciDevice *pci, uint64_t address, const void *buf, uint64_t len);

/* One function's configuration space, as the bus accesses it. */
uint32_t vit_pci_device_config_read(VitPciDevice *pci, uint32_t at, unsigned size);
void vit_pci_device_config_write(VitPciDevice *pci, uint32_t at, uint32_t value, unsigned size);

/* Configuration mechanism #1 data access: address is bus/devfn/register as in CONFIG_ADDRESS. */
uint32_t vit_pci_config_read(VitPciBus *root, uint32_t address, unsigned size);
void vit_pci_config_write(VitPciBus *root, uint32_t address, uint32_t value, unsigned size);

static inline uint16_t
vit_pci_get16(const VitPciDevice *pci, unsigned at)
{
    return pci->config[at] | pci->config[at + 1] << 8;
}

static inline uint32_t
vit_pci_get32(const VitPciDevice *pci, unsigned at)
{
    return vit_pci_get16(pci, at) | (uint32_t)vit_pci_get16(pci, at + 2) << 16;
}

static inline void
vit_pci_set16(VitPciDevice *pci, unsigned at, uint16_t value)
{
    pci->config[at] = value;
    pci->config[at + 1] = value >> 8;
}

static inline void
vit_pci_set32(VitPciDevice *pci, unsigned at, uint32_t value)
{
    vit_pci_set16(pci, at, value);
    vit_pci_set16(pci, at + 2, value >> 16);
}
