/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Message signalled interrupts: MSI without per-vector masks, and MSI-X.
 *
 * The MSI-X table and its pending bits are one saved buffer: 16 bytes per vector, then one bit per
 * vector in 64-bit words. A vector that fires while it or the function is masked becomes pending
 * and is sent when both masks are open.
 *
 * PCI Local Bus 3.0, section 6.8. Thread: device lock held. */

#include "vit-pci-internal.h"

#include <string.h>

enum {
    MSI_CONTROL = 2,
    MSI_ADDRESS = 4,
    MSI_ADDRESS_HIGH = 8, /* 64-bit form only */
    MSI_CONTROL_ENABLE = 1u << 0,
    MSI_CONTROL_64BIT = 1u << 7,

    MSIX_CONTROL = 2,
    MSIX_TABLE = 4,
    MSIX_PBA = 8,
    MSIX_CONTROL_MASK_ALL = 1u << 14,
    MSIX_CONTROL_ENABLE = 1u << 15,
    MSIX_ENTRY_BYTES = 16,
    MSIX_ENTRY_DATA = 8,
    MSIX_ENTRY_CONTROL = 12,
    MSIX_ENTRY_MASKED = 1u << 0,
};

struct VitPciMsix {
    VitPciDevice *pci;
    unsigned vectors;
    bool was_open; /* enabled and not masked as a whole, at the last control write */
    VitRegion table, pba;
};

static uint32_t
load32(const uint8_t *bytes)
{
    return bytes[0] | bytes[1] << 8 | bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static void
store32(uint8_t *bytes, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++) {
        bytes[i] = value >> 8 * i;
    }
}

static void
send(VitPciDevice *pci, uint64_t address, uint32_t data)
{
    VitPciBus *bus = pci_bus_of(pci);

    if (bus->ops && bus->ops->send_msi &&
        (vit_pci_get16(pci, VIT_PCI_COMMAND) & VIT_PCI_COMMAND_MASTER)) {
        bus->ops->send_msi(bus->opaque, address, data);
    }
}

/* ---- MSI ---- */

bool
vit_pci_add_msi(VitPciDevice *pci, unsigned vectors, bool is_64bit)
{
    unsigned log2 = 0;

    g_return_val_if_fail(vectors >= 1 && vectors <= 32 && !pci->msi_cap, false);
    while (1u << log2 < vectors) {
        log2++;
    }
    unsigned len = is_64bit ? 14 : 10;
    unsigned at = vit_pci_add_capability(pci, VIT_PCI_CAP_MSI, len);
    unsigned data_at = at + (is_64bit ? 12 : 8);

    vit_pci_set16(pci, at + MSI_CONTROL, log2 << 1 | (is_64bit ? MSI_CONTROL_64BIT : 0));
    pci->write_mask[at + MSI_CONTROL] = MSI_CONTROL_ENABLE | 0x70;
    pci->write_mask[at + MSI_ADDRESS] = 0xfc;
    memset(&pci->write_mask[at + MSI_ADDRESS + 1], 0xff, is_64bit ? 7 : 3);
    memset(&pci->write_mask[data_at], 0xff, 2);
    pci->msi_cap = at;
    pci->msi_vectors = 1u << log2;
    return true;
}

bool
vit_pci_msi_enabled(const VitPciDevice *pci)
{
    return pci->msi_cap && (pci->config[pci->msi_cap + MSI_CONTROL] & MSI_CONTROL_ENABLE);
}

static void
notify_msi(VitPciDevice *pci, unsigned vector)
{
    unsigned at = pci->msi_cap;
    uint16_t control = vit_pci_get16(pci, at + MSI_CONTROL);
    unsigned enabled = MIN(1u << (control >> 4 & 7), pci->msi_vectors);
    uint64_t address = vit_pci_get32(pci, at + MSI_ADDRESS);
    uint16_t data;

    if (control & MSI_CONTROL_64BIT) {
        address |= (uint64_t)vit_pci_get32(pci, at + MSI_ADDRESS_HIGH) << 32;
        data = vit_pci_get16(pci, at + 12);
    } else {
        data = vit_pci_get16(pci, at + 8);
    }
    /* With fewer messages granted than the function has, the vectors share them. */
    send(pci, address, (data & ~(enabled - 1)) | (vector & (enabled - 1)));
}

/* ---- MSI-X ---- */

static uint8_t *
msix_entry(const VitPciMsix *msix, unsigned vector)
{
    return msix->pci->msix_bytes + vector * MSIX_ENTRY_BYTES;
}

static uint8_t *
msix_pending(const VitPciMsix *msix)
{
    return msix->pci->msix_bytes + msix->vectors * MSIX_ENTRY_BYTES;
}

bool
vit_pci_msix_enabled(const VitPciDevice *pci)
{
    return pci->msix_cap && (pci->config[pci->msix_cap + MSIX_CONTROL + 1] & 0x80);
}

static bool
msix_is_open(const VitPciDevice *pci)
{
    uint16_t control = vit_pci_get16(pci, pci->msix_cap + MSIX_CONTROL);

    return (control & (MSIX_CONTROL_ENABLE | MSIX_CONTROL_MASK_ALL)) == MSIX_CONTROL_ENABLE;
}

static void
msix_send(const VitPciMsix *msix, unsigned vector)
{
    const uint8_t *entry = msix_entry(msix, vector);

    send(msix->pci, load32(entry) | (uint64_t)load32(entry + 4) << 32,
         load32(entry + MSIX_ENTRY_DATA));
}

static void
msix_flush(const VitPciMsix *msix, unsigned vector)
{
    uint8_t *byte = msix_pending(msix) + vector / 8;
    uint8_t bit = 1u << vector % 8;

    if ((*byte & bit) && msix_is_open(msix->pci) &&
        !(load32(msix_entry(msix, vector) + MSIX_ENTRY_CONTROL) & MSIX_ENTRY_MASKED)) {
        *byte &= ~bit;
        msix_send(msix, vector);
    }
}

static void
notify_msix(VitPciMsix *msix, unsigned vector)
{
    if (vector >= msix->vectors) {
        return;
    }
    msix_pending(msix)[vector / 8] |= 1u << vector % 8;
    msix_flush(msix, vector);
}

static uint64_t
table_read(void *opaque, uint64_t offset, unsigned size)
{
    VitPciMsix *msix = opaque;

    return load32(msix->pci->msix_bytes + offset);
}

static void
table_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    VitPciMsix *msix = opaque;

    if (offset % MSIX_ENTRY_BYTES == 0) {
        value &= ~3u; /* messages are aligned doublewords */
    } else if (offset % MSIX_ENTRY_BYTES == MSIX_ENTRY_CONTROL) {
        value &= MSIX_ENTRY_MASKED;
    }
    store32(msix->pci->msix_bytes + offset, value);
    msix_flush(msix, offset / MSIX_ENTRY_BYTES);
}

static uint64_t
pba_read(void *opaque, uint64_t offset, unsigned size)
{
    VitPciMsix *msix = opaque;

    return load32(msix_pending(msix) + offset);
}

static void
pba_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    /* Pending bits are read-only. */
}

static const VitRegionOps table_ops = {
    .read = table_read,
    .write = table_write,
    .min_size = 4,
    .max_size = 4,
};

static const VitRegionOps pba_ops = {
    .read = pba_read,
    .write = pba_write,
    .min_size = 4,
    .max_size = 4,
};

bool
vit_pci_add_msix(VitPciDevice *pci, unsigned vectors, unsigned bar, uint32_t table_at,
                 uint32_t pba_at)
{
    g_return_val_if_fail(vectors >= 1 && vectors <= 2048 && !pci->msix_cap && bar < 6, false);
    VitRegion *parent = pci->bars[bar].region;
    unsigned table_len = vectors * MSIX_ENTRY_BYTES, pba_len = (vectors + 63) / 64 * 8;
    g_return_val_if_fail(parent && parent->type == VIT_REGION_CONTAINER, false);
    g_return_val_if_fail(!(table_at & 7) && !(pba_at & 7), false);
    g_return_val_if_fail(
        table_at + table_len <= parent->len_bytes && pba_at + pba_len <= parent->len_bytes, false);

    unsigned at = vit_pci_add_capability(pci, VIT_PCI_CAP_MSIX, 12);
    vit_pci_set16(pci, at + MSIX_CONTROL, vectors - 1);
    vit_pci_set32(pci, at + MSIX_TABLE, table_at | bar);
    vit_pci_set32(pci, at + MSIX_PBA, pba_at | bar);
    pci->write_mask[at + MSIX_CONTROL + 1] = 0xc0;
    pci->msix_cap = at;
    pci->msix_len_bytes = table_len + pba_len;
    pci->msix_bytes = g_malloc0(pci->msix_len_bytes);

    VitPciMsix *msix = g_new0(VitPciMsix, 1);
    msix->pci = pci;
    msix->vectors = vectors;
    pci->msix = msix;
    vit_region_init_io(&msix->table, "msix-table", &table_ops, msix, table_len);
    vit_region_init_io(&msix->pba, "msix-pba", &pba_ops, msix, pba_len);
    vit_region_add(parent, table_at, &msix->table, 1);
    vit_region_add(parent, pba_at, &msix->pba, 1);
    vit_pci_msi_reset(pci);
    return true;
}

/* ---- Both ---- */

void
vit_pci_notify(VitPciDevice *pci, unsigned vector)
{
    if (vit_pci_msix_enabled(pci)) {
        notify_msix(pci->msix, vector);
    } else if (vit_pci_msi_enabled(pci)) {
        notify_msi(pci, vector);
    } else {
        vit_pci_set_irq(pci, 1);
        vit_pci_set_irq(pci, 0);
    }
}

void
vit_pci_msi_written(VitPciDevice *pci, uint32_t at, unsigned size)
{
    if (!pci->msix || at + size <= pci->msix_cap + MSIX_CONTROL ||
        at >= pci->msix_cap + MSIX_CONTROL + 2u) {
        return;
    }
    bool open = msix_is_open(pci);
    if (open && !pci->msix->was_open) {
        for (unsigned vector = 0; vector < pci->msix->vectors; vector++) {
            msix_flush(pci->msix, vector);
        }
    }
    pci->msix->was_open = open;
}

void
vit_pci_msi_reset(VitPciDevice *pci)
{
    if (pci->msi_cap) {
        unsigned at = pci->msi_cap;
        unsigned len = pci->config[at + MSI_CONTROL] & MSI_CONTROL_64BIT ? 14 : 10;
        for (unsigned i = 0; i < len; i++) {
            pci->config[at + i] &= ~pci->write_mask[at + i];
        }
    }
    if (pci->msix) {
        pci->config[pci->msix_cap + MSIX_CONTROL + 1] &= ~0xc0;
        pci->msix->was_open = false;
        memset(pci->msix_bytes, 0, pci->msix_len_bytes);
        for (unsigned vector = 0; vector < pci->msix->vectors; vector++) {
            store32(msix_entry(pci->msix, vector) + MSIX_ENTRY_CONTROL, MSIX_ENTRY_MASKED);
        }
    }
}

void
vit_pci_msi_loaded(VitPciDevice *pci)
{
    if (pci->msix) {
        pci->msix->was_open = msix_is_open(pci);
    }
}

void
vit_pci_msi_finish(VitPciDevice *pci)
{
    if (pci->msix) {
        vit_region_finish(&pci->msix->table);
        vit_region_finish(&pci->msix->pba);
        g_clear_pointer(&pci->msix, g_free);
        g_clear_pointer(&pci->msix_bytes, g_free);
        pci->msix_len_bytes = 0;
    }
    pci->msi_cap = pci->msix_cap = pci->next_cap = pci->msi_vectors = 0;
}
