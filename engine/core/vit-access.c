/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Accesses through an address space: look-up, splitting and widening for device windows, DMA.
 * Device callbacks are called with the device lock held and see only sizes and alignments they
 * asked for. Nothing there reads as all ones, as an undriven bus does. */

#include "vit-map-private.h"

#include <string.h>

static uint64_t
size_mask(unsigned size)
{
    return size >= 8 ? UINT64_MAX : (1ull << (size * 8)) - 1;
}

static uint64_t
load_le(const uint8_t *host, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, host, size);
    return value;
}

/* One callback access of SIZE, already of a size and alignment the device takes. */
static uint64_t
ops_read(const VitRegion *region, uint64_t offset, unsigned size)
{
    if (!region->ops || !region->ops->read) {
        return size_mask(size);
    }
    return region->ops->read(region->opaque, offset, size) & size_mask(size);
}

static void
ops_write(const VitRegion *region, uint64_t offset, uint64_t value, unsigned size)
{
    if (region->ops && region->ops->write) {
        region->ops->write(region->opaque, offset, value & size_mask(size), size);
    }
}

static void
ops_limits(const VitRegion *region, unsigned *out_min, unsigned *out_max, bool *out_unaligned)
{
    const VitRegionOps *ops = region->ops;

    *out_min = ops && ops->min_size ? ops->min_size : 1;
    *out_max = ops && ops->max_size ? ops->max_size : 4;
    *out_unaligned = ops && ops->unaligned;
}

/* Largest piece the device takes at OFFSET, not more than LEFT. */
static unsigned
piece_size(uint64_t offset, unsigned left, unsigned max, bool unaligned)
{
    unsigned size = max;

    while (size > left || (!unaligned && (offset & (size - 1)))) {
        size /= 2;
    }
    return size;
}

static uint64_t
window_read(const VitRegion *region, uint64_t offset, unsigned size)
{
    unsigned min, max, done = 0;
    bool unaligned;
    uint64_t value = 0;

    ops_limits(region, &min, &max, &unaligned);
    while (done < size) {
        unsigned piece = piece_size(offset + done, size - done, max, unaligned);
        uint64_t part;

        if (piece < min) {
            /* read the aligned unit around it and cut the wanted bytes out */
            uint64_t unit = (offset + done) & ~(uint64_t)(min - 1);
            unsigned skip = offset + done - unit;

            piece = MIN(min - skip, size - done);
            part = ops_read(region, unit, min) >> (skip * 8);
        } else {
            part = ops_read(region, offset + done, piece);
        }
        value |= (part & size_mask(piece)) << (done * 8);
        done += piece;
    }
    return value;
}

static void
window_write(const VitRegion *region, uint64_t offset, uint64_t value, unsigned size)
{
    unsigned min, max, done = 0;
    bool unaligned;

    ops_limits(region, &min, &max, &unaligned);
    while (done < size) {
        unsigned piece = piece_size(offset + done, size - done, max, unaligned);
        uint64_t part = value >> (done * 8);

        if (piece < min) {
            /* the bus drives only the bytes written; the others read as zero at the device */
            uint64_t unit = (offset + done) & ~(uint64_t)(min - 1);
            unsigned skip = offset + done - unit;

            piece = MIN(min - skip, size - done);
            ops_write(region, unit, (part & size_mask(piece)) << (skip * 8), min);
        } else {
            ops_write(region, offset + done, part, piece);
        }
        done += piece;
    }
}

static bool
range_take_lock(VitAddressSpace *space, const VitFlatRange *range)
{
    if (range->region->ops && range->region->ops->lockless) {
        return false;
    }
    vit_lock_take(space->domain->lock);
    vit_lock_take_errands(space->domain->lock);
    return true;
}

static uint8_t *
range_host(const VitFlatRange *range, uint64_t address)
{
    return range->region->block->host + range->region->block_offset + range->region_offset +
           (address - range->start);
}

/* The part of an access of SIZE at ADDRESS that RANGE answers. A device window that takes accesses
 * this wide takes them whole, as a bus cycle has one target, even where another window covers part
 * of it: port CF8h is one doubleword although the reset register CF9h lies inside. */
static unsigned
range_clip(const VitFlatRange *range, uint64_t address, unsigned size)
{
    uint64_t room = range->last - address;

    if (room >= size - 1) {
        return size;
    }
    if (!range->region->block) {
        uint64_t offset = range->region_offset + (address - range->start);
        unsigned min, max;
        bool unaligned;
        ops_limits(range->region, &min, &max, &unaligned);
        if (size <= max && (unaligned || !(offset & (size - 1))) &&
            offset + size <= range->region->len_bytes) {
            return size;
        }
    }
    return room + 1;
}

/* A device's window answers the whole access by itself, as nearly always. */
static bool
takes_whole(const VitFlatRange *range, uint64_t address, unsigned size)
{
    const VitRegionOps *ops = range->region->ops;
    uint64_t offset = range->region_offset + (address - range->start);

    return !range->region->block && ops && size >= ops->min_size &&
           size <= (ops->max_size ? ops->max_size : 4) && range->last - address >= size - 1 &&
           !(offset & (size - 1)) && !(size & (size - 1));
}

/* One access that may span ranges; parts with nothing read as ones. The view is looked up again
 * for each part, as the access before may have changed the map. */
VitAccess
vit_address_space_read(VitAddressSpace *space, uint64_t address, unsigned size, uint64_t *out_value)
{
    VitAccess result = VIT_ACCESS_OK;
    uint64_t value = 0;
    unsigned done = 0;

    while (done < size) {
        const VitFlatRange *range =
            vit_flat_view_find(vit_address_space_view(space), address + done);
        unsigned piece = 1;
        uint64_t part = 0xff;

        if (G_LIKELY(range && done == 0 && takes_whole(range, address, size))) {
            bool locked = range_take_lock(space, range);

            *out_value =
                ops_read(range->region, range->region_offset + (address - range->start), size);
            if (locked) {
                vit_lock_release(space->domain->lock);
            }
            return VIT_ACCESS_OK;
        }
        if (!range) {
            result = VIT_ACCESS_NOTHING;
        } else {
            piece = range_clip(range, address + done, size - done);
            if (range->region->block) {
                part = load_le(range_host(range, address + done), piece);
            } else {
                const VitRegion *region = range->region;
                uint64_t offset = range->region_offset + (address + done - range->start);
                bool locked = range_take_lock(space, range);

                part = window_read(region, offset, piece);
                if (locked) {
                    vit_lock_release(space->domain->lock);
                }
            }
        }
        value |= (part & size_mask(piece)) << (done * 8);
        done += piece;
    }
    *out_value = value;
    return result;
}

VitAccess
vit_address_space_write(VitAddressSpace *space, uint64_t address, unsigned size, uint64_t value)
{
    VitAccess result = VIT_ACCESS_OK;
    unsigned done = 0;

    while (done < size) {
        const VitFlatRange *range =
            vit_flat_view_find(vit_address_space_view(space), address + done);
        uint64_t part = value >> (done * 8);
        unsigned piece = 1;

        if (G_LIKELY(range && done == 0 && takes_whole(range, address, size))) {
            bool locked = range_take_lock(space, range);

            ops_write(range->region, range->region_offset + (address - range->start), value, size);
            if (locked) {
                vit_lock_release(space->domain->lock);
            }
            return VIT_ACCESS_OK;
        }
        if (!range) {
            result = VIT_ACCESS_NOTHING;
        } else {
            const VitRegion *region = range->region;
            uint64_t offset = range->region_offset + (address + done - range->start);

            piece = range_clip(range, address + done, size - done);
            if (region->block && !range->readonly) {
                memcpy(range_host(range, address + done), &part, piece);
                vit_ram_block_mark_dirty(region->block, region->block_offset + offset, piece);
            } else if (region->ops) {
                bool locked = range_take_lock(space, range);

                window_write(region, offset, part, piece);
                if (locked) {
                    vit_lock_release(space->domain->lock);
                }
            }
        }
        done += piece;
    }
    return result;
}

void
vit_address_space_lookup(const VitAddressSpace *space, uint64_t address, VitMapped *out)
{
    const VitFlatView *view = vit_address_space_view(space);
    const VitFlatRange *range = vit_flat_view_find(view, address);

    *out = (VitMapped){ 0 };
    if (!range) {
        out->span = 1;
        return;
    }
    out->region = range->region;
    out->region_offset = range->region_offset + (address - range->start);
    out->span = range->last - address + 1;
    if (range->region->block) {
        uint64_t block_offset = range->region->block_offset + out->region_offset;

        out->host = range->region->block->host + block_offset;
        out->writable = !range->readonly;
        if (out->writable) {
            out->dirty = &range->region->block->dirty[block_offset / VIT_PAGE_SIZE];
        }
    }
}

/* ---- DMA ---- */

static VitAccess
bytes_move(VitAddressSpace *space, uint64_t address, uint8_t *buf, uint64_t len, bool is_write)
{
    VitAccess result = VIT_ACCESS_OK;

    while (len > 0) {
        VitMapped at;
        uint64_t piece, value = 0;

        vit_address_space_lookup(space, address, &at);
        if (at.host && (at.writable || !is_write)) {
            piece = MIN(len, at.span);
            if (is_write) {
                memcpy(at.host, buf, piece);
                vit_ram_block_mark_dirty(at.region->block,
                                         at.region->block_offset + at.region_offset, piece);
            } else {
                memcpy(buf, at.host, piece);
            }
        } else {
            /* device window, ROM or nothing: the widest aligned accesses that fit */
            VitAccess access;

            piece = piece_size(address, MIN(len, 8), 8, false);
            if (is_write) {
                memcpy(&value, buf, piece);
                access = vit_address_space_write(space, address, piece, value);
            } else {
                access = vit_address_space_read(space, address, piece, &value);
                memcpy(buf, &value, piece);
            }
            if (access != VIT_ACCESS_OK) {
                result = access;
            }
        }
        address += piece;
        buf += piece;
        len -= piece;
    }
    return result;
}

VitAccess
vit_address_space_read_bytes(VitAddressSpace *space, uint64_t address, void *buf, uint64_t len)
{
    return bytes_move(space, address, buf, len, false);
}

VitAccess
vit_address_space_write_bytes(VitAddressSpace *space, uint64_t address, const void *buf,
                              uint64_t len)
{
    return bytes_move(space, address, (uint8_t *)buf, len, true);
}

uint8_t
vit_dma_read8(VitAddressSpace *space, uint64_t address)
{
    uint64_t value;

    vit_address_space_read(space, address, 1, &value);
    return value;
}

uint16_t
vit_dma_read16(VitAddressSpace *space, uint64_t address)
{
    uint64_t value;

    vit_address_space_read(space, address, 2, &value);
    return value;
}

uint32_t
vit_dma_read32(VitAddressSpace *space, uint64_t address)
{
    uint64_t value;

    vit_address_space_read(space, address, 4, &value);
    return value;
}

uint64_t
vit_dma_read64(VitAddressSpace *space, uint64_t address)
{
    uint64_t value;

    vit_address_space_read(space, address, 8, &value);
    return value;
}

void
vit_dma_write8(VitAddressSpace *space, uint64_t address, uint8_t value)
{
    vit_address_space_write(space, address, 1, value);
}

void
vit_dma_write16(VitAddressSpace *space, uint64_t address, uint16_t value)
{
    vit_address_space_write(space, address, 2, value);
}

void
vit_dma_write32(VitAddressSpace *space, uint64_t address, uint32_t value)
{
    vit_address_space_write(space, address, 4, value);
}

void
vit_dma_write64(VitAddressSpace *space, uint64_t address, uint64_t value)
{
    vit_address_space_write(space, address, 8, value);
}

void *
vit_dma_map(VitAddressSpace *space, uint64_t address, uint64_t *len, bool for_write)
{
    VitMapped at;

    vit_address_space_lookup(space, address, &at);
    if (!at.host || (for_write && !at.writable)) {
        return NULL;
    }
    *len = MIN(*len, at.span);
    return at.host;
}

void
vit_dma_unmap(VitAddressSpace *space, uint64_t address, void *host, uint64_t written)
{
    VitMapped at;

    if (written == 0) {
        return;
    }
    vit_address_space_lookup(space, address, &at);
    if (at.host == host && at.writable) {
        vit_ram_block_mark_dirty(at.region->block, at.region->block_offset + at.region_offset,
                                 MIN(written, at.span));
    }
}
