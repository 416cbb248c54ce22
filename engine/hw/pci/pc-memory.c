/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The memory map of a PC.
 *
 * All RAM is one region that is never mapped itself: aliases show its parts, so that neighbouring
 * parts join into one range of the flat view. The PCI container lies below everything else and is
 * seen in every hole: the VGA window, shadow segments that are off, and the space below 4 GiB.
 *
 * Intel 82441FX (PMC) data sheet, sections 3.2.16 (PAM), 3.2.22 (SMRAM) and 4.1 (memory map).
 * Deviation: D_CLS, which sends SMM data accesses to PCI, is not modelled. Thread: device lock
 * held. */

#include "pc-memory.h"

#include <string.h>

enum {
    WINDOW_BASE = 0xa0000, /* VGA window, SMRAM behind it */
    WINDOW_BYTES = 0x20000,
    SHADOW_BASE = 0xc0000,
    SEGMENT_BYTES = 0x4000,
    EXTENDED_BASE = 0x100000,
};

#define HIGH_BASE (4 * VIT_GIB)

/* ---- A segment that is read from PCI and written to RAM, as while a BIOS copies itself ---- */

static uint64_t
write_only_read(void *opaque, uint64_t offset, unsigned size)
{
    VitPcSegment *segment = opaque;
    uint64_t value;

    vit_address_space_read(segment->memory->pci_space, segment->base + offset, size, &value);
    return value;
}

static void
write_only_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    VitPcSegment *segment = opaque;
    VitRamBlock *block = segment->memory->block;
    uint64_t at = segment->base + offset;

    if (at + size <= segment->memory->ram.len_bytes) {
        memcpy(block->host + at, &value, size);
        vit_ram_block_mark_dirty(block, at, size);
    }
}

static const VitRegionOps write_only_ops = {
    .read = write_only_read,
    .write = write_only_write,
    .min_size = 1,
    .max_size = 8,
    .unaligned = true,
};

static uint32_t
segment_bytes(unsigned n)
{
    return n == VIT_PC_PAM_SEGMENTS - 1 ? 4 * SEGMENT_BYTES : SEGMENT_BYTES;
}

static void
add_hidden(VitRegion *parent, uint64_t offset, VitRegion *child, int priority)
{
    child->enabled = false;
    vit_region_add(parent, offset, child, priority);
}

static void
init_segment(VitPcMemory *memory, unsigned n)
{
    VitPcSegment *segment = &memory->segments[n];
    uint32_t len = segment_bytes(n);

    segment->memory = memory;
    segment->base = SHADOW_BASE + n * SEGMENT_BYTES;
    vit_region_init_alias(&segment->ram, "pam-ram", &memory->ram, segment->base, len);
    vit_region_init_alias(&segment->ram_read, "pam-ram-read", &memory->ram_readonly, segment->base,
                          len);
    vit_region_init_io(&segment->write_only, "pam-write-only", &write_only_ops, segment, len);
    add_hidden(memory->root, segment->base, &segment->ram, 1);
    add_hidden(memory->root, segment->base, &segment->ram_read, 1);
    add_hidden(memory->root, segment->base, &segment->write_only, 1);
}

static void
init_smm(VitPcMemory *memory)
{
    vit_region_init_container(&memory->smm_root, "memory-smm", memory->root->len_bytes);
    vit_region_init_alias(&memory->smm_base, "memory-smm-base", memory->root, 0,
                          memory->root->len_bytes);
    vit_region_init_alias(&memory->smm_ram, "smram", &memory->ram, WINDOW_BASE, WINDOW_BYTES);
    vit_region_init_alias(&memory->open_ram, "smram-open", &memory->ram, WINDOW_BASE, WINDOW_BYTES);
    vit_region_add(&memory->smm_root, 0, &memory->smm_base, 0);
    add_hidden(&memory->smm_root, WINDOW_BASE, &memory->smm_ram, 1);
    add_hidden(memory->root, WINDOW_BASE, &memory->open_ram, 2);
}

void
vit_pc_memory_init(VitPcMemory *memory, VitPlatform *platform, VitRegion *root, VitRegion *pci,
                   VitRamBlock *block, uint64_t below_4g_bytes, uint64_t above_4g_bytes)
{
    uint64_t low = MIN(below_4g_bytes, WINDOW_BASE);

    memset(memory, 0, sizeof(*memory));
    memory->platform = platform;
    memory->block = block;
    memory->root = root;
    memory->pci = pci;
    vit_map_begin(platform->maps);
    vit_region_init_ram(&memory->ram, "pc.ram", block, 0, below_4g_bytes + above_4g_bytes);
    vit_region_init_rom(&memory->ram_readonly, "pc.ram", block, 0, below_4g_bytes + above_4g_bytes);
    vit_region_add(root, 0, pci, -1);
    vit_region_init_alias(&memory->low, "ram-low", &memory->ram, 0, low);
    vit_region_add(root, 0, &memory->low, 0);
    if (below_4g_bytes > EXTENDED_BASE) {
        vit_region_init_alias(&memory->extended, "ram-extended", &memory->ram, EXTENDED_BASE,
                              below_4g_bytes - EXTENDED_BASE);
        vit_region_add(root, EXTENDED_BASE, &memory->extended, 0);
    }
    if (above_4g_bytes) {
        vit_region_init_alias(&memory->high, "ram-above-4g", &memory->ram, below_4g_bytes,
                              above_4g_bytes);
        vit_region_add(root, HIGH_BASE, &memory->high, 0);
    }
    for (unsigned n = 0; n < VIT_PC_PAM_SEGMENTS; n++) {
        init_segment(memory, n);
    }
    init_smm(memory);
    memory->pci_space = vit_address_space_new(platform->maps, "pci-memory", pci);
    memory->smm_space = vit_address_space_new(platform->maps, "memory-smm", &memory->smm_root);
    vit_map_commit(platform->maps);
}

void
vit_pc_memory_finish(VitPcMemory *memory)
{
    if (!memory->platform) {
        return;
    }
    vit_map_begin(memory->platform->maps);
    vit_region_remove(memory->pci);
    vit_address_space_free(memory->smm_space);
    vit_address_space_free(memory->pci_space);
    vit_region_finish(&memory->open_ram);
    vit_region_finish(&memory->smm_ram);
    vit_region_finish(&memory->smm_base);
    vit_region_finish(&memory->smm_root);
    for (unsigned n = 0; n < VIT_PC_PAM_SEGMENTS; n++) {
        vit_region_finish(&memory->segments[n].ram);
        vit_region_finish(&memory->segments[n].ram_read);
        vit_region_finish(&memory->segments[n].write_only);
    }
    vit_region_finish(&memory->high);
    vit_region_finish(&memory->extended);
    vit_region_finish(&memory->low);
    vit_region_finish(&memory->ram_readonly);
    vit_region_finish(&memory->ram);
    vit_map_commit(memory->platform->maps);
    memory->platform = NULL;
}

void
vit_pc_memory_set_segments(VitPcMemory *memory, const uint8_t access[VIT_PC_PAM_SEGMENTS])
{
    if (!memory->platform) {
        return;
    }
    vit_map_begin(memory->platform->maps);
    for (unsigned n = 0; n < VIT_PC_PAM_SEGMENTS; n++) {
        VitPcSegment *segment = &memory->segments[n];
        unsigned mode = access[n] & (VIT_PC_PAM_READ | VIT_PC_PAM_WRITE);
        vit_region_set_enabled(&segment->ram, mode == (VIT_PC_PAM_READ | VIT_PC_PAM_WRITE));
        vit_region_set_enabled(&segment->ram_read, mode == VIT_PC_PAM_READ);
        vit_region_set_enabled(&segment->write_only, mode == VIT_PC_PAM_WRITE);
    }
    vit_map_commit(memory->platform->maps);
}

void
vit_pc_memory_set_smram(VitPcMemory *memory, uint8_t reg)
{
    if (!memory->platform) {
        return;
    }
    bool enabled = reg & VIT_PC_SMRAM_ENABLE;

    vit_map_begin(memory->platform->maps);
    vit_region_set_enabled(&memory->smm_ram, enabled);
    vit_region_set_enabled(&memory->open_ram, enabled && (reg & VIT_PC_SMRAM_OPEN));
    vit_map_commit(memory->platform->maps);
}
