/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* PCI functions: configuration header, its write rules, capabilities, DMA.
 *
 * Configuration space is three byte arrays: the value, which bits the guest may write and which
 * bits it clears by writing ones. Everything a kind adds beyond the header is read-only until it
 * opens the masks. Base registers live in vit-pci-bar.c, messages in vit-pci-msi.c, the bus and
 * mechanism #1 in vit-pci-bus.c.
 *
 * PCI Local Bus 3.0, chapter 6. Not modelled: parity and SERR# signalling, cycles that end in
 * master abort other than by reading ones. Thread: device lock held. */

#include "vit-pci-internal.h"

#include "vit-error.h"

#include <string.h>

enum {
    DEFAULT_SUBSYSTEM_VENDOR = 0x1af4,
    DEFAULT_SUBSYSTEM = 0x1100,
};

const VitProp vit_pci_props[] = {
    VIT_PROP_PCI_SLOT(VitPciDevice, devfn, "addr", VIT_N_("Slot and function on the PCI bus")),
    VIT_PROP_ONOFFAUTO(VitPciDevice, multifunction, "multifunction", VIT_AUTO,
                       VIT_N_("Other functions share the slot of function 0")),
    VIT_PROP_STRING(VitPciDevice, rom_path, "romfile", NULL,
                    VIT_N_("Option ROM file; empty for none")),
    VIT_PROP_UINT(VitPciDevice, rombar, "rombar", 1, 0, 1,
                  VIT_N_("Show the option ROM to the guest")),
    { 0 },
};

const VitField vit_pci_state[] = {
    VIT_FIELD_ARRAY(VitPciDevice, config),
    VIT_FIELD(VitPciDevice, irq_level),
    VIT_FIELD_DYNAMIC(VitPciDevice, msix_bytes, msix_len_bytes),
    { 0 },
};

static void
open_mask16(VitPciDevice *pci, unsigned at, uint16_t mask)
{
    pci->write_mask[at] |= mask & 0xff;
    pci->write_mask[at + 1] |= mask >> 8;
}

static void
build_header(VitPciDevice *pci)
{
    const VitPciInfo *info = pci_info_of(pci);

    memset(pci->config, 0, sizeof(pci->config));
    memset(pci->write_mask, 0, sizeof(pci->write_mask));
    memset(pci->w1c_mask, 0, sizeof(pci->w1c_mask));
    vit_pci_set16(pci, VIT_PCI_VENDOR_ID, info->vendor_id);
    vit_pci_set16(pci, VIT_PCI_DEVICE_ID, info->device_id);
    pci->config[VIT_PCI_REVISION_ID] = info->revision;
    pci->config[VIT_PCI_PROG_IF] = info->prog_if;
    vit_pci_set16(pci, VIT_PCI_CLASS, info->class_id);
    pci->config[VIT_PCI_HEADER_TYPE] = info->header_type;
    pci->config[VIT_PCI_INTERRUPT_PIN] = info->interrupt_pin;
    if (info->header_type == 0) {
        bool own = info->subsystem_vendor_id || info->subsystem_id;
        vit_pci_set16(pci, VIT_PCI_SUBSYSTEM_VENDOR_ID,
                      own ? info->subsystem_vendor_id : DEFAULT_SUBSYSTEM_VENDOR);
        vit_pci_set16(pci, VIT_PCI_SUBSYSTEM_ID, own ? info->subsystem_id : DEFAULT_SUBSYSTEM);
    }

    open_mask16(pci, VIT_PCI_COMMAND,
                VIT_PCI_COMMAND_IO | VIT_PCI_COMMAND_MEMORY | VIT_PCI_COMMAND_MASTER |
                    VIT_PCI_COMMAND_PARITY | VIT_PCI_COMMAND_SERR | VIT_PCI_COMMAND_INTX_DISABLE);
    pci->write_mask[VIT_PCI_CACHE_LINE_SIZE] = 0xff;
    pci->write_mask[VIT_PCI_INTERRUPT_LINE] = 0xff;
    pci->w1c_mask[VIT_PCI_STATUS + 1] = VIT_PCI_STATUS_W1C >> 8;
}

static bool
is_multifunction(const VitPciDevice *pci)
{
    return pci->multifunction == VIT_ON ||
           (pci->multifunction == VIT_AUTO && pci_info_of(pci)->multifunction);
}

/* First slot with no function in it; 0..31, or -1. */
static int
find_free_slot(const VitPciBus *bus)
{
    for (int slot = 0; slot < 32; slot++) {
        bool used = false;
        for (int function = 0; function < 8; function++) {
            used |= bus->slots[VIT_PCI_DEVFN(slot, function)] != NULL;
        }
        if (!used) {
            return slot;
        }
    }
    return -1;
}

/* Function 0 announces whether the others exist, so it must say so before they can be found. */
static bool
check_functions(const VitPciDevice *pci, const VitPciBus *bus, unsigned devfn, GError **error)
{
    unsigned slot = VIT_PCI_SLOT(devfn);

    if (VIT_PCI_FUNCTION(devfn) != 0) {
        const VitPciDevice *first = bus->slots[VIT_PCI_DEVFN(slot, 0)];
        if (first && !(first->config[VIT_PCI_HEADER_TYPE] & VIT_PCI_HEADER_MULTIFUNCTION)) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                        "PCI function %02x.%x (%s): the device in slot %02x.0 (%s) has a single "
                        "function; give it multifunction=on",
                        slot, VIT_PCI_FUNCTION(devfn), pci->dev.kind->name, slot,
                        first->dev.kind->name);
            return false;
        }
        return true;
    }
    if (is_multifunction(pci)) {
        return true;
    }
    for (unsigned function = 1; function < 8; function++) {
        const VitPciDevice *other = bus->slots[VIT_PCI_DEVFN(slot, function)];
        if (other) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                        "PCI function %02x.0 (%s): function %02x.%x (%s) is already there; add "
                        "multifunction=on to function 0",
                        slot, pci->dev.kind->name, slot, function, other->dev.kind->name);
            return false;
        }
    }
    return true;
}

/* Where the device goes; -1 with ERROR set. */
static int
choose_devfn(const VitPciDevice *pci, const VitPciBus *bus, GError **error)
{
    if (pci->devfn < 0) {
        int slot = find_free_slot(bus);
        if (slot < 0) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_BUSY,
                        "%s: PCI bus %s has no free slot; remove a device or put it on another "
                        "bus with bus=",
                        pci->dev.kind->name, bus->bus.name);
            return -1;
        }
        return VIT_PCI_DEVFN(slot, 0);
    }
    if (pci->devfn > 0xff) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "%s: PCI address out of range; slots go from 00.0 to 1f.7",
                    pci->dev.kind->name);
        return -1;
    }
    const VitPciDevice *taken = bus->slots[pci->devfn];
    if (taken) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_BUSY,
                    "%s: PCI slot %02x.%x of bus %s is taken by %s; choose another with addr=",
                    pci->dev.kind->name, VIT_PCI_SLOT(pci->devfn), VIT_PCI_FUNCTION(pci->devfn),
                    bus->bus.name, taken->dev.kind->name);
        return -1;
    }
    return check_functions(pci, bus, pci->devfn, error) ? pci->devfn : -1;
}

bool
vit_pci_attach(VitPciDevice *pci, VitPciBus *bus, GError **error)
{
    int devfn = choose_devfn(pci, bus, error);

    if (devfn < 0) {
        return false;
    }
    pci->auto_placed = pci->devfn < 0;
    pci->devfn = devfn;
    build_header(pci);
    if (is_multifunction(pci)) {
        pci->config[VIT_PCI_HEADER_TYPE] |= VIT_PCI_HEADER_MULTIFUNCTION;
    }
    bus->slots[devfn] = pci;
    return true;
}

bool
vit_pci_publish(VitPciDevice *pci, GError **error)
{
    if (!vit_pci_load_rom(pci, error)) {
        return false;
    }
    pci->published = true;
    return true;
}

void
vit_pci_detach(VitPciDevice *pci)
{
    VitPciBus *bus = pci_bus_of(pci);

    pci->published = false;
    pci->irq_level = false;
    vit_pci_update_pin(pci);
    vit_pci_set16(pci, VIT_PCI_COMMAND, 0);
    vit_pci_update_bars(pci);
    vit_pci_msi_finish(pci);
    memset(pci->bars, 0, sizeof(pci->bars));
    vit_region_finish(&pci->rom_region);
    vit_ram_block_free(pci->rom_block);
    pci->rom_block = NULL;
    if (pci->devfn >= 0 && bus->slots[pci->devfn] == pci) {
        bus->slots[pci->devfn] = NULL;
    }
    if (pci->auto_placed) {
        pci->devfn = -1;
        pci->auto_placed = false;
    }
}

void
vit_pci_reset(VitPciDevice *pci)
{
    pci->irq_level = false;
    vit_pci_msi_reset(pci);
    for (unsigned at = VIT_PCI_COMMAND; at < VIT_PCI_STATUS + 2; at++) {
        pci->config[at] &= ~(pci->write_mask[at] | pci->w1c_mask[at]);
    }
    pci->config[VIT_PCI_CACHE_LINE_SIZE] = 0;
    pci->config[VIT_PCI_INTERRUPT_LINE] = 0;
    for (unsigned n = 0; n < VIT_PCI_BAR_COUNT; n++) {
        if (!pci->bars[n].region) {
            continue;
        }
        unsigned at = vit_pci_bar_at(pci, n);
        unsigned len = pci->bars[n].type & VIT_PCI_BAR_MEM64 ? 8 : 4;
        for (unsigned i = 0; i < len; i++) {
            pci->config[at + i] &= ~pci->write_mask[at + i];
        }
    }
    vit_pci_update_bars(pci);
    vit_pci_update_pin(pci);
}

void
vit_pci_loaded(VitPciDevice *pci)
{
    vit_pci_msi_loaded(pci);
    vit_pci_update_bars(pci);
    vit_pci_update_pin(pci);
}

uint8_t
vit_pci_add_capability(VitPciDevice *pci, uint8_t id, uint8_t len_bytes)
{
    unsigned at = pci->next_cap ? pci->next_cap : VIT_PCI_HEADER_LEN;
    unsigned len = (len_bytes + 3u) & ~3u;

    g_assert(len >= 4 && at + len <= sizeof(pci->config));
    pci->config[at] = id;
    pci->config[at + 1] = pci->config[VIT_PCI_CAPABILITIES];
    pci->config[VIT_PCI_CAPABILITIES] = at;
    pci->config[VIT_PCI_STATUS] |= VIT_PCI_STATUS_CAPABILITIES;
    pci->next_cap = at + len;
    return at;
}

uint32_t
vit_pci_device_config_read(VitPciDevice *pci, uint32_t at, unsigned size)
{
    const VitPciInfo *info = pci_info_of(pci);
    uint32_t value = 0;

    if (info->config_read) {
        info->config_read(pci, at, size);
    }
    for (unsigned i = 0; i < size; i++) {
        uint8_t byte = at + i < sizeof(pci->config) ? pci->config[at + i] : 0xff;
        value |= (uint32_t)byte << 8 * i;
    }
    return value;
}

static bool
touches(uint32_t at, unsigned size, unsigned from, unsigned len)
{
    return at < from + len && from < at + size;
}

void
vit_pci_device_config_write(VitPciDevice *pci, uint32_t at, uint32_t value, unsigned size)
{
    const VitPciInfo *info = pci_info_of(pci);
    bool is_bridge = (info->header_type & 0x7f) == 1;

    for (unsigned i = 0; i < size && at + i < sizeof(pci->config); i++) {
        uint8_t byte = value >> 8 * i;
        uint8_t mask = pci->write_mask[at + i];
        uint8_t *config = &pci->config[at + i];
        *config = (*config & ~mask) | (byte & mask);
        *config &= ~(byte & pci->w1c_mask[at + i]);
    }
    vit_pci_msi_written(pci, at, size);
    if (touches(at, size, VIT_PCI_COMMAND, 2) ||
        touches(at, size, VIT_PCI_BAR0, is_bridge ? 8 : 24) ||
        touches(at, size, is_bridge ? VIT_PCI_BRIDGE_ROM : VIT_PCI_ROM, 4)) {
        vit_pci_update_bars(pci);
    }
    vit_pci_update_pin(pci);
    if (info->config_written) {
        info->config_written(pci, at, value, size);
    }
}

bool
vit_pci_dma_read(VitPciDevice *pci, uint64_t address, void *buf, uint64_t len)
{
    if (!(vit_pci_get16(pci, VIT_PCI_COMMAND) & VIT_PCI_COMMAND_MASTER)) {
        memset(buf, 0xff, len);
        return false;
    }
    return vit_address_space_read_bytes(pci_bus_of(pci)->dma, address, buf, len) == VIT_ACCESS_OK;
}

bool
vit_pci_dma_write(VitPciDevice *pci, uint64_t address, const void *buf, uint64_t len)
{
    if (!(vit_pci_get16(pci, VIT_PCI_COMMAND) & VIT_PCI_COMMAND_MASTER)) {
        return false;
    }
    return vit_address_space_write_bytes(pci_bus_of(pci)->dma, address, buf, len) == VIT_ACCESS_OK;
}
