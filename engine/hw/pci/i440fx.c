/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Intel 82441FX PCI and memory controller (PMC) of the pc board.
 *
 * Two kinds: the host side with the configuration ports and the bus, and the function 00.0 whose
 * PAM and SMRAM registers shape the memory map.
 *
 * Intel 82441FX data sheet (order 290549), chapter 3; configuration mechanism #1 of PCI Local Bus
 * 2.1. Deviations: DRAM timing, arbitration and error registers only keep what is written.
 * Thread: device lock held. */

#include "i440fx.h"

#include "pc-memory.h"

enum {
    PMC_PAM0 = 0x59, /* high nibble: F0000h; PAM1..6 two segments each from C0000h */
    PMC_SMRAM = 0x72,
    PMC_SMRAM_RESET = 0x02, /* C_BASE_SEG: A0000h, the only value */
    PMC_SMRAM_WRITABLE = 0x78,
    PMC_PAM_WRITABLE = 0x33,
};

typedef struct Host {
    VitDevice dev;
    VitPciBus bus;
    VitRegion pci_memory, config_address_region, config_data_region;
    uint32_t config_address;
    VitRamBlock *block;
    uint64_t below_4g_bytes, above_4g_bytes;
    VitPcMemory memory;
} Host;
VIT_DEVICE_LAYOUT(Host)

/* ---- Configuration ports ---- */

/* Only doublewords reach CONFIG_ADDRESS; narrower cycles go on to the bus, where CF9h lives. */
static uint64_t
config_address_read(void *opaque, uint64_t offset, unsigned size)
{
    Host *host = opaque;

    return size == 4 ? host->config_address : UINT64_MAX;
}

static void
config_address_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Host *host = opaque;

    if (size == 4) {
        host->config_address = value & 0x80fffffc;
    }
}

static uint64_t
config_data_read(void *opaque, uint64_t offset, unsigned size)
{
    Host *host = opaque;

    if (!(host->config_address >> 31)) {
        return UINT64_MAX;
    }
    return vit_pci_config_read(&host->bus, (host->config_address & 0xfffffc) | offset, size);
}

static void
config_data_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Host *host = opaque;

    if (host->config_address >> 31) {
        vit_pci_config_write(&host->bus, (host->config_address & 0xfffffc) | offset, value, size);
    }
}

static const VitRegionOps config_address_ops = {
    .read = config_address_read,
    .write = config_address_write,
    .max_size = 4,
};

static const VitRegionOps config_data_ops = {
    .read = config_data_read,
    .write = config_data_write,
    .max_size = 4,
};

/* ---- The bus ---- */

/* The pc board wires slot 1's INTA# to PIRQA# and turns one line per slot. */
static unsigned
bus_map_irq(void *opaque, unsigned devfn, unsigned pin)
{
    return (VIT_PCI_SLOT(devfn) + pin - 1) & 3;
}

static void
bus_set_irq(void *opaque, unsigned line, int level)
{
    Host *host = opaque;

    vit_irq_set(&host->dev.irq_out[line], level);
}

static void
bus_send_msi(void *opaque, uint64_t address, uint32_t data)
{
    Host *host = opaque;

    vit_dma_write32(host->dev.platform->memory, address, data);
}

static const VitPciBusOps bus_ops = {
    .map_irq = bus_map_irq,
    .set_irq = bus_set_irq,
    .send_msi = bus_send_msi,
};

/* ---- Host device ---- */

void
vit_i440fx_init_memory(VitDevice *dev, VitRamBlock *block, uint64_t below_4g_bytes,
                       uint64_t above_4g_bytes)
{
    Host *host = (Host *)dev;

    host->block = block;
    host->below_4g_bytes = below_4g_bytes;
    host->above_4g_bytes = above_4g_bytes;
}

VitPciBus *
vit_i440fx_bus(VitDevice *dev)
{
    return &((Host *)dev)->bus;
}

VitRegion *
vit_i440fx_pci_memory(VitDevice *dev)
{
    return &((Host *)dev)->pci_memory;
}

VitAddressSpace *
vit_i440fx_smm_memory(VitDevice *dev)
{
    return ((Host *)dev)->memory.smm_space;
}

VitRegion *
vit_i440fx_smm_root(VitDevice *dev)
{
    return &((Host *)dev)->memory.smm_root;
}

static bool
host_realize(VitDevice *dev, GError **error)
{
    Host *host = (Host *)dev;
    VitPlatform *platform = dev->platform;

    vit_region_init_container(&host->pci_memory, "pci", UINT64_MAX);
    if (host->block) {
        vit_pc_memory_init(&host->memory, platform, platform->memory_root, &host->pci_memory,
                           host->block, host->below_4g_bytes, host->above_4g_bytes);
    } else {
        vit_region_add(platform->memory_root, 0, &host->pci_memory, -1);
    }
    vit_pci_bus_init(&host->bus, "pci.0", dev, platform, &bus_ops, host, &host->pci_memory,
                     platform->io_root);
    vit_region_init_io(&host->config_address_region, "pci-config-address", &config_address_ops,
                       host, 4);
    vit_region_init_io(&host->config_data_region, "pci-config-data", &config_data_ops, host, 4);
    vit_region_add(platform->io_root, 0xcf8, &host->config_address_region, 0);
    vit_region_add(platform->io_root, 0xcfc, &host->config_data_region, 0);
    return true;
}

static void
host_unrealize(VitDevice *dev)
{
    Host *host = (Host *)dev;

    vit_region_finish(&host->config_address_region);
    vit_region_finish(&host->config_data_region);
    vit_pci_bus_finish(&host->bus);
    vit_pc_memory_finish(&host->memory);
    vit_region_finish(&host->pci_memory);
}

static void
host_reset(VitDevice *dev)
{
    ((Host *)dev)->config_address = 0;
}

static const VitField host_state[] = {
    VIT_FIELD(Host, config_address),
    VIT_TRANSIENT(Host, bus),                   /* its devices save themselves */
    VIT_TRANSIENT(Host, pci_memory),            /* wiring */
    VIT_TRANSIENT(Host, config_address_region), /* wiring */
    VIT_TRANSIENT(Host, config_data_region),    /* wiring */
    VIT_TRANSIENT(Host, block),                 /* set by the board */
    VIT_TRANSIENT(Host, below_4g_bytes),        /* set by the board */
    VIT_TRANSIENT(Host, above_4g_bytes),        /* set by the board */
    VIT_TRANSIENT(Host, memory),                /* follows PAM and SMRAM */
    { 0 },
};

const VitDeviceKind vit_i440FX_pcihost_kind = {
    .name = "i440FX-pcihost",
    .title = VIT_N_("Host to PCI bridge (82441FX)"),
    .bus = VIT_BUS_NONE,
    .category = VIT_CATEGORY_BRIDGE,
    VIT_DEVICE_SIZE(Host, VitDevice),
    .internal = true,
    .state = host_state,
    .state_version = 1,
    .n_irq_out = 4,
    .realize = host_realize,
    .unrealize = host_unrealize,
    .reset = host_reset,
};

/* ---- Function 00.0 ---- */

typedef struct Pmc {
    VitPciDevice pci;
} Pmc;
VIT_DEVICE_LAYOUT(Pmc)

static VitPcMemory *
pmc_memory(Pmc *pmc)
{
    VitDevice *owner = pmc->pci.dev.bus->owner;

    return owner && owner->kind == &vit_i440FX_pcihost_kind ? &((Host *)owner)->memory : NULL;
}

static void
pmc_update_pam(Pmc *pmc)
{
    VitPcMemory *memory = pmc_memory(pmc);
    const uint8_t *pam = &pmc->pci.config[PMC_PAM0];
    uint8_t access[VIT_PC_PAM_SEGMENTS];

    for (unsigned n = 0; n < VIT_PC_PAM_SEGMENTS - 1; n++) {
        access[n] = pam[1 + n / 2] >> (n & 1 ? 4 : 0) & 3;
    }
    access[VIT_PC_PAM_SEGMENTS - 1] = pam[0] >> 4 & 3;
    if (memory) {
        vit_pc_memory_set_segments(memory, access);
    }
}

/* D_LCK closes D_OPEN and holds the register until reset. */
static void
pmc_update_smram(Pmc *pmc)
{
    VitPcMemory *memory = pmc_memory(pmc);
    uint8_t *reg = &pmc->pci.config[PMC_SMRAM];

    if (*reg & VIT_PC_SMRAM_LOCKED) {
        *reg &= ~VIT_PC_SMRAM_OPEN;
        pmc->pci.write_mask[PMC_SMRAM] = 0;
    } else {
        pmc->pci.write_mask[PMC_SMRAM] = PMC_SMRAM_WRITABLE;
    }
    if (memory) {
        vit_pc_memory_set_smram(memory, *reg);
    }
}

static void
pmc_config_written(VitPciDevice *pci, uint32_t at, uint32_t value, unsigned size)
{
    Pmc *pmc = (Pmc *)pci;

    if (at < PMC_PAM0 + 7 && at + size > PMC_PAM0) {
        pmc_update_pam(pmc);
    }
    if (at <= PMC_SMRAM && at + size > PMC_SMRAM) {
        pmc_update_smram(pmc);
    }
}

static bool
pmc_realize(VitDevice *dev, GError **error)
{
    VitPciDevice *pci = (VitPciDevice *)dev;
    /* PMCCFG to DRAMC, DRB and FDHC, MTT and CLT, ERRCMD and ERRSTS. */
    static const struct {
        uint8_t first, last;
    } kept[] = { { 0x50, 0x58 }, { 0x60, 0x68 }, { 0x70, 0x71 }, { 0x90, 0x93 } };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(kept); i++) {
        for (unsigned at = kept[i].first; at <= kept[i].last; at++) {
            pci->write_mask[at] = 0xff;
        }
    }
    for (unsigned n = 0; n < 7; n++) {
        pci->write_mask[PMC_PAM0 + n] = PMC_PAM_WRITABLE;
    }
    return true;
}

static void
pmc_reset(VitDevice *dev)
{
    Pmc *pmc = (Pmc *)dev;
    uint8_t *config = pmc->pci.config;

    vit_pci_set16(&pmc->pci, VIT_PCI_COMMAND, VIT_PCI_COMMAND_MEMORY | VIT_PCI_COMMAND_MASTER);
    vit_pci_set16(&pmc->pci, VIT_PCI_STATUS,
                  VIT_PCI_STATUS_FAST_BACK | VIT_PCI_STATUS_DEVSEL_MEDIUM);
    for (unsigned at = 0x50; at < 0x94; at++) {
        config[at] = 0;
    }
    config[PMC_SMRAM] = PMC_SMRAM_RESET;
    pmc_update_pam(pmc);
    pmc_update_smram(pmc);
}

static bool
pmc_post_load(VitDevice *dev, unsigned version, GError **error)
{
    pmc_update_pam((Pmc *)dev);
    pmc_update_smram((Pmc *)dev);
    return true;
}

static const VitPciInfo pmc_info = {
    .vendor_id = 0x8086,
    .device_id = 0x1237,
    .revision = 2,
    .class_id = 0x0600,
    .config_written = pmc_config_written,
};

static const VitField pmc_state[] = { { 0 } };

const VitDeviceKind vit_i440FX_kind = {
    .name = "i440FX",
    .title = VIT_N_("Host bridge function (82441FX)"),
    .bus = VIT_BUS_PCI,
    .category = VIT_CATEGORY_BRIDGE,
    VIT_DEVICE_SIZE(Pmc, VitPciDevice),
    .internal = true,
    .state = pmc_state,
    .state_version = 1,
    .bus_info = &pmc_info,
    .realize = pmc_realize,
    .reset = pmc_reset,
    .post_load = pmc_post_load,
};
