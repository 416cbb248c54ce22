/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Where things lie on a FAT disk, its boot sectors and its table.
 *
 * Specification: Microsoft "FAT32 File System Specification" 1.03. Disks have a partition that
 * starts at sector 63 of a geometry of 16 heads and 63 sectors, floppies have none. The number of
 * clusters decides which FAT it is, so sizes are chosen to fit. Thread: any. */

#include "vvfat.h"

#include <string.h>

enum {
    HEADS = 16,
    SPT = 63,
    MIN_CLUSTERS_16 = 4085,
    MIN_CLUSTERS_32 = 65525,
    MAX_CLUSTERS_32 = 1 << 26,
};

static void
put(uint8_t *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        at[i] = (uint8_t)(value >> 8 * i);
    }
}

static uint32_t
div_up(uint64_t value, uint64_t unit)
{
    return (uint32_t)((value + unit - 1) / unit);
}

/* Sectors of a table for as many clusters as the rest has room for. */
static void
place_data(FatLayout *layout)
{
    uint32_t room = layout->sectors - layout->start - layout->reserved - layout->root_sectors;

    layout->clusters = room / layout->spc;
    layout->fat_sectors =
        div_up(((uint64_t)layout->clusters + FAT_FIRST_CLUSTER) * layout->bits, 8 * FAT_SECTOR);
    layout->clusters = (room - 2 * layout->fat_sectors) / layout->spc;
    layout->data =
        layout->start + layout->reserved + 2 * layout->fat_sectors + layout->root_sectors;
}

static void
choose_disk(FatLayout *layout, uint64_t bytes)
{
    layout->heads = HEADS;
    layout->spt = SPT;
    layout->start = SPT;
    layout->root_entries = layout->bits == 32 ? 0 : 512;
    layout->reserved = layout->bits == 32 ? 32 : 1;
    layout->spc = layout->bits == 32 ? 8 : 16;
    layout->sectors = (layout->bits == 12 ? 64 : 1024) * HEADS * SPT;
    if (layout->bits == 32) {
        /* Room for half as much again. */
        uint64_t cylinders = (bytes + bytes / 2) / FAT_SECTOR / (HEADS * SPT) + 256;
        while (cylinders * HEADS * SPT / layout->spc > MAX_CLUSTERS_32 && layout->spc < 64) {
            layout->spc *= 2;
        }
        cylinders = MIN(cylinders, UINT32_MAX / (HEADS * SPT));
        layout->sectors = MAX(layout->sectors, (uint32_t)cylinders * HEADS * SPT);
    }
}

static void
choose_floppy(FatLayout *layout, unsigned wanted_bits)
{
    layout->heads = 2;
    layout->reserved = 1;
    /* 2.88 MB, or 1.44 MB where FAT12 was asked for. */
    layout->spt = wanted_bits == 12 ? 18 : 36;
    layout->spc = wanted_bits == 0 ? 2 : 1;
    layout->root_entries = wanted_bits == 12 ? 224 : 240;
    layout->sectors = 80 * 2 * layout->spt;
}

bool
fat_lay_out(FatLayout *layout, unsigned bits, bool floppy, uint64_t bytes, GError **error)
{
    *layout = (FatLayout){ .is_floppy = floppy, .bits = bits ? bits : floppy ? 12 : 16 };
    if (floppy) {
        choose_floppy(layout, bits);
    } else {
        choose_disk(layout, bytes);
    }
    layout->root_sectors = layout->root_entries * FAT_ENTRY / FAT_SECTOR;
    place_data(layout);
    if ((layout->bits == 16 && layout->clusters < MIN_CLUSTERS_16) ||
        (layout->bits == 32 && layout->clusters < MIN_CLUSTERS_32) ||
        (layout->bits == 12 && layout->clusters >= MIN_CLUSTERS_16)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "A %s has %u clusters: FAT%u is not possible there.",
                    floppy ? "floppy" : "disk of this size", layout->clusters, layout->bits);
        return false;
    }
    return true;
}

/* ---- the table ---- */

uint32_t
fat_get(const FatLayout *layout, const uint8_t *fat, uint32_t cluster)
{
    const uint8_t *at;

    if (layout->bits == 12) {
        at = fat + cluster + cluster / 2;
        return (cluster & 1 ? at[0] >> 4 | at[1] << 4 : at[0] | (at[1] & 15) << 8) & 0xfff;
    }
    if (layout->bits == 16) {
        at = fat + (size_t)cluster * 2;
        return (uint32_t)(at[0] | at[1] << 8);
    }
    at = fat + (size_t)cluster * 4;
    return (at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24) &
           0x0fffffff;
}

void
fat_set(const FatLayout *layout, uint8_t *fat, uint32_t cluster, uint32_t value)
{
    uint8_t *at;

    if (layout->bits == 12) {
        at = fat + cluster + cluster / 2;
        if (cluster & 1) {
            at[0] = (uint8_t)((at[0] & 15) | value << 4);
            at[1] = (uint8_t)(value >> 4);
        } else {
            at[0] = (uint8_t)value;
            at[1] = (uint8_t)((at[1] & 0xf0) | (value >> 8 & 15));
        }
        return;
    }
    put(fat + (size_t)cluster * (layout->bits / 8), value, layout->bits / 8);
}

uint32_t
fat_end_mark(const FatLayout *layout)
{
    return layout->bits == 12 ? 0xfff : layout->bits == 16 ? 0xffff : 0x0fffffff;
}

bool
fat_is_end(const FatLayout *layout, uint32_t value)
{
    return value >= (fat_end_mark(layout) & ~7u);
}

/* ---- boot sectors ---- */

static void
put_chs(const FatLayout *layout, uint8_t *at, uint32_t sector)
{
    uint32_t cylinder = sector / layout->spt / layout->heads;

    if (cylinder > 1023) {
        memcpy(at, "\xfe\xff\xff", 3);
        return;
    }
    at[0] = (uint8_t)(sector / layout->spt % layout->heads);
    at[1] = (uint8_t)((sector % layout->spt + 1) | (cylinder >> 8) << 6);
    at[2] = (uint8_t)cylinder;
}

static void
fill_mbr(const FatDisk *disk, uint8_t *out)
{
    const FatLayout *layout = &disk->layout;
    uint8_t *entry = out + 446;

    put(out + 440, disk->serial, 4);
    entry[0] = 0x80;
    put_chs(layout, entry + 1, layout->start);
    entry[4] = layout->bits == 12 ? 1 : layout->bits == 16 ? 6 : 0x0c;
    put_chs(layout, entry + 5, layout->sectors - 1);
    put(entry + 8, layout->start, 4);
    put(entry + 12, layout->sectors - layout->start, 4);
    put(out + 510, 0xaa55, 2);
}

static void
fill_boot(const FatDisk *disk, uint8_t *out)
{
    const FatLayout *layout = &disk->layout;
    uint32_t sectors = layout->sectors - layout->start;
    uint8_t *more = out + (layout->bits == 32 ? 64 : 36);

    memcpy(out, "\xeb\x3e\x90MSWIN4.1", 11);
    put(out + 11, FAT_SECTOR, 2);
    out[13] = (uint8_t)layout->spc;
    put(out + 14, layout->reserved, 2);
    out[16] = 2;
    put(out + 17, layout->root_entries, 2);
    put(out + 19, sectors < 65536 && layout->bits != 32 ? sectors : 0, 2);
    out[21] = layout->is_floppy ? 0xf0 : 0xf8;
    put(out + 22, layout->bits == 32 ? 0 : layout->fat_sectors, 2);
    put(out + 24, layout->spt, 2);
    put(out + 26, layout->heads, 2);
    put(out + 28, layout->start, 4);
    put(out + 32, sectors < 65536 && layout->bits != 32 ? 0 : sectors, 4);
    if (layout->bits == 32) {
        put(out + 36, layout->fat_sectors, 4);
        put(out + 44, disk->root->chain[0], 4);
        put(out + 48, 1, 2); /* FSInfo */
        put(out + 50, 6, 2); /* the copy */
        memcpy(out, "\xeb\x58\x90", 3);
    }
    more[0] = layout->is_floppy ? 0 : 0x80;
    more[2] = 0x29;
    put(more + 3, disk->serial, 4);
    memcpy(more + 7, disk->label, 11);
    memcpy(more + 18,
           layout->bits == 12   ? "FAT12   "
           : layout->bits == 16 ? "FAT16   "
                                : "FAT32   ",
           8);
    put(out + 510, 0xaa55, 2);
}

static void
fill_fsinfo(uint8_t *out)
{
    put(out, 0x41615252, 4);
    put(out + 484, 0x61417272, 4);
    put(out + 488, UINT32_MAX, 4); /* not known */
    put(out + 492, UINT32_MAX, 4);
    put(out + 508, 0xaa550000, 4);
}

void
fat_fill_reserved(const FatDisk *disk, uint32_t sector, uint8_t *out)
{
    uint32_t start = disk->layout.start;
    bool is_32 = disk->layout.bits == 32;

    memset(out, 0, FAT_SECTOR);
    if (sector == start || (is_32 && sector == start + 6)) {
        fill_boot(disk, out);
    } else if (sector == 0) {
        fill_mbr(disk, out);
    } else if (is_32 && (sector == start + 1 || sector == start + 7)) {
        fill_fsinfo(out);
    } else if (is_32 && (sector == start + 2 || sector == start + 8)) {
        put(out + 508, 0xaa550000, 4);
    }
}
