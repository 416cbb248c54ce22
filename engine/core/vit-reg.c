/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Register banks: decode by table. An access that covers parts of several registers is cut at
 * their borders; part of a register is read whole and cut, written by merging with the field. */

#include "vit-device.h"

#include <string.h>

static uint64_t
width_mask(unsigned width)
{
    return width >= 8 ? UINT64_MAX : (1ull << (width * 8)) - 1;
}

static const VitReg *
reg_at(const VitReg *regs, uint64_t at)
{
    for (; regs->name; regs++) {
        if (at >= regs->at && at < (uint64_t)regs->at + regs->width) {
            return regs;
        }
    }
    return NULL;
}

static uint64_t
reg_load(VitDevice *dev, const VitReg *reg)
{
    uint64_t value = 0;

    memcpy(&value, (char *)dev + reg->offset, reg->size);
    return value;
}

static void
reg_store(VitDevice *dev, const VitReg *reg, uint64_t value)
{
    memcpy((char *)dev + reg->offset, &value, reg->size);
}

static uint64_t
reg_read(VitDevice *dev, const VitReg *reg)
{
    uint64_t value = reg->read ? reg->read(dev, reg) : reg->size ? reg_load(dev, reg) : 0;

    if ((reg->flags & VIT_REG_RC) && reg->size) {
        reg_store(dev, reg, 0);
    }
    return value & width_mask(reg->width);
}

static void
reg_write(VitDevice *dev, const VitReg *reg, uint64_t value)
{
    uint64_t old_value;

    if (reg->flags & VIT_REG_RO) {
        return;
    }
    if (reg->write) {
        reg->write(dev, reg, value);
        return;
    }
    if (!reg->size) {
        return;
    }
    old_value = reg_load(dev, reg);
    if (reg->flags & VIT_REG_W1C) {
        reg_store(dev, reg, old_value & ~(value & reg->write_mask));
    } else {
        reg_store(dev, reg, (old_value & ~reg->write_mask) | (value & reg->write_mask));
    }
    if (reg->written) {
        reg->written(dev, reg, old_value);
    }
}

uint64_t
vit_regs_read(VitDevice *dev, const VitReg *regs, uint64_t at, unsigned size)
{
    uint64_t value = 0;
    unsigned done = 0;

    while (done < size) {
        const VitReg *reg = reg_at(regs, at + done);
        unsigned piece = 1;
        uint64_t part = 0xff;

        if (reg) {
            unsigned skip = at + done - reg->at;
            piece = MIN(reg->width - skip, size - done);
            part = reg_read(dev, reg) >> (skip * 8);
        } else {
            vit_guest_error(dev, "read of unassigned register 0x%x", (unsigned)(at + done));
        }
        value |= (part & width_mask(piece)) << (done * 8);
        done += piece;
    }
    return value;
}

void
vit_regs_write(VitDevice *dev, const VitReg *regs, uint64_t at, uint64_t value, unsigned size)
{
    unsigned done = 0;

    while (done < size) {
        const VitReg *reg = reg_at(regs, at + done);
        uint64_t part = value >> (done * 8);
        unsigned piece = 1;

        if (reg) {
            unsigned skip = at + done - reg->at;

            piece = MIN(reg->width - skip, size - done);
            part &= width_mask(piece);
            if (piece < reg->width && reg->size && !(reg->flags & VIT_REG_W1C)) {
                /* keep the bytes of the register that this access does not drive */
                uint64_t keep = ~(width_mask(piece) << (skip * 8));
                part = (reg_load(dev, reg) & keep) | part << (skip * 8);
            } else {
                part <<= skip * 8;
            }
            reg_write(dev, reg, part);
        } else {
            vit_guest_error(dev, "write to unassigned register 0x%x", (unsigned)(at + done));
        }
        done += piece;
    }
}

void
vit_regs_reset(VitDevice *dev, const VitReg *regs)
{
    for (; regs && regs->name; regs++) {
        if (regs->size) {
            reg_store(dev, regs, regs->reset);
        }
    }
}
