/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* PCI base address registers and the option ROM.
 *
 * A base register's size shows through its write mask: address bits below the size read as zero.
 * A window is in the map while its kind of access is enabled in the command register and the
 * address is one a window can have: not zero, and not one whose end leaves the space, which is
 * what the register holds while the guest asks for the size.
 *
 * PCI Local Bus 3.0, sections 6.2.5 and 6.3. Thread: device lock held. */

#include "vit-pci-internal.h"

#include "vit-error.h"

#include <string.h>

enum { ROM_MAX_BYTES = 16 * 1024 * 1024 };

#define UNMAPPED UINT64_MAX

unsigned
vit_pci_bar_at(const VitPciDevice *pci, unsigned n)
{
    if (n == VIT_PCI_ROM_BAR) {
        bool is_bridge = (pci_info_of(pci)->header_type & 0x7f) == 1;
        return is_bridge ? VIT_PCI_BRIDGE_ROM : VIT_PCI_ROM;
    }
    return VIT_PCI_BAR0 + 4 * n;
}

static void
set_mask32(VitPciDevice *pci, unsigned at, uint32_t mask)
{
    for (unsigned i = 0; i < 4; i++) {
        pci->write_mask[at + i] = mask >> 8 * i;
    }
}

void
vit_pci_add_bar(VitPciDevice *pci, unsigned n, uint8_t type, VitRegion *region)
{
    uint64_t len = region->len_bytes;
    unsigned at = vit_pci_bar_at(pci, n);
    uint64_t mask = ~(len - 1);

    g_assert(n < VIT_PCI_BAR_COUNT && !pci->bars[n].region);
    g_assert(len && !(len & (len - 1)) && len >= (type & VIT_PCI_BAR_IO ? 4 : 16));

    pci->bars[n] = (VitPciBar){ .region = region, .len_bytes = len, .type = type };
    if (n == VIT_PCI_ROM_BAR) {
        vit_pci_set32(pci, at, 0);
        set_mask32(pci, at, mask | VIT_PCI_ROM_ENABLE);
        return;
    }
    vit_pci_set32(pci, at, type);
    set_mask32(pci, at, mask);
    if (type & VIT_PCI_BAR_MEM64) {
        g_assert(n < 5);
        vit_pci_set32(pci, at + 4, 0);
        set_mask32(pci, at + 4, mask >> 32);
    }
}

/* Where the registers put window N, or UNMAPPED. */
static uint64_t
decode_bar(const VitPciDevice *pci, unsigned n)
{
    const VitPciBar *bar = &pci->bars[n];
    unsigned at = vit_pci_bar_at(pci, n);
    uint16_t command = vit_pci_get16(pci, VIT_PCI_COMMAND);
    uint64_t address = vit_pci_get32(pci, at);
    uint64_t limit = UINT32_MAX;

    if (bar->type & VIT_PCI_BAR_IO) {
        if (!(command & VIT_PCI_COMMAND_IO)) {
            return UNMAPPED;
        }
        limit = 0x10000;
    } else {
        if (!(command & VIT_PCI_COMMAND_MEMORY) ||
            (n == VIT_PCI_ROM_BAR && !(address & VIT_PCI_ROM_ENABLE))) {
            return UNMAPPED;
        }
        if (bar->type & VIT_PCI_BAR_MEM64) {
            address |= (uint64_t)vit_pci_get32(pci, at + 4) << 32;
            limit = UINT64_MAX;
        }
    }
    address &= ~(bar->len_bytes - 1);
    uint64_t last = address + bar->len_bytes - 1;
    return address == 0 || last <= address || last >= limit ? UNMAPPED : address;
}

void
vit_pci_update_bars(VitPciDevice *pci)
{
    VitPciBus *bus = pci_bus_of(pci);
    VitMapDomain *maps = pci->dev.platform->maps;
    bool open = false;

    for (unsigned n = 0; n < VIT_PCI_BAR_COUNT; n++) {
        VitPciBar *bar = &pci->bars[n];
        if (!bar->region) {
            continue;
        }
        uint64_t address = decode_bar(pci, n);
        bool map = address != UNMAPPED;
        if (map == bar->mapped && (!map || address == bar->address)) {
            continue;
        }
        if (!open) {
            vit_map_begin(maps);
            open = true;
        }
        if (bar->mapped) {
            vit_region_remove(bar->region);
        }
        bar->mapped = map;
        bar->address = map ? address : 0;
        if (map) {
            VitRegion *parent = bar->type & VIT_PCI_BAR_IO ? bus->io : bus->memory;
            vit_region_add(parent, address, bar->region, 1);
        }
    }
    if (open) {
        vit_map_commit(maps);
    }
}

/* The path to read, newly allocated; NULL with *OUT_WANTED telling whether that is an error. */
static char *
find_rom(const VitPciDevice *pci, bool *out_wanted)
{
    const VitPlatform *platform = pci->dev.platform;
    const char *name = pci->rom_path ? pci->rom_path : pci_info_of(pci)->rom_file;

    *out_wanted = false;
    if (!name || !*name || !pci->rombar) {
        return NULL;
    }
    if (platform->ops && platform->ops->find_firmware) {
        *out_wanted = true;
        return platform->ops->find_firmware(platform->opaque, name);
    }
    /* No firmware path, as in a device test: only a file that was asked for is missed. */
    *out_wanted = pci->rom_path != NULL;
    return pci->rom_path ? g_strdup(name) : NULL;
}

bool
vit_pci_load_rom(VitPciDevice *pci, GError **error)
{
    const char *kind = pci->dev.kind->name;
    bool wanted;
    g_autofree char *path = find_rom(pci, &wanted);
    g_autofree char *contents = NULL;
    gsize len = 0;

    if (!path) {
        if (wanted) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                        "%s: option ROM \"%s\" is not on the firmware path; name its folder with "
                        "-L, or give romfile= (empty for none)",
                        kind, pci->rom_path ? pci->rom_path : pci_info_of(pci)->rom_file);
        }
        return !wanted;
    }
    g_autoptr(GError) cause = NULL;
    if (!g_file_get_contents(path, &contents, &len, &cause)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND, "%s: option ROM: %s", kind,
                    cause->message);
        return false;
    }
    if (len == 0 || len > ROM_MAX_BYTES) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "%s: option ROM \"%s\" has %" G_GSIZE_FORMAT " bytes; it must have 1 byte to "
                    "16 MiB",
                    kind, path, len);
        return false;
    }
    uint64_t size = 2048;
    while (size < len) {
        size *= 2;
    }
    g_autofree char *name = g_strdup_printf("%s.rom", kind);
    pci->rom_block = vit_ram_block_new(name, MAX(size, VIT_PAGE_SIZE), error);
    if (!pci->rom_block) {
        return false;
    }
    memcpy(pci->rom_block->host, contents, len);
    vit_region_init_rom(&pci->rom_region, name, pci->rom_block, 0, size);
    vit_pci_add_bar(pci, VIT_PCI_ROM_BAR, VIT_PCI_BAR_MEM, &pci->rom_region);
    return true;
}
