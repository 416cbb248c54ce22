/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Declarative register banks: name, place, width, masks and hooks of each register once. Decode,
 * width splitting, reset values and trace names come from the table. For banks that are a set of
 * plain registers; chips with indexed or moded access implement VitRegionOps themselves. */

#include "vit-types.h"

enum {
    VIT_REG_RO = 1u << 0,  /* writes are ignored */
    VIT_REG_W1C = 1u << 1, /* writing ones clears the masked bits */
    VIT_REG_RC = 1u << 2,  /* reading clears */
};

struct VitReg {
    const char *name; /* datasheet name */
    uint32_t at;      /* offset in the bank, bytes */
    uint8_t width;    /* 1, 2, 4, 8 */
    uint8_t flags;
    uint32_t offset; /* of the backing field; ignored where both hooks are set */
    uint8_t size;    /* of the backing field, 0 = none */
    uint64_t reset, write_mask;
    uint64_t (*read)(VitDevice *dev, const VitReg *reg);
    void (*write)(VitDevice *dev, const VitReg *reg, uint64_t value);
    /* After a masked store into the field. */
    void (*written)(VitDevice *dev, const VitReg *reg, uint64_t old_value);
};

/* A register kept in a field. */
#define VIT_REG(Type, name_, at_, field, ...)                                              \
    {                                                                                      \
        .name = name_, .at = at_, .width = sizeof(((Type *)0)->field),                     \
        .offset = offsetof(Type, field), .size = sizeof(((Type *)0)->field), ##__VA_ARGS__ \
    }
/* A register made of hooks. */
#define VIT_REG_FN(name_, at_, width_, ...)                      \
    {                                                            \
        .name = name_, .at = at_, .width = width_, ##__VA_ARGS__ \
    }

/* REGS ends with a NULL name. Accesses that straddle registers are split; holes read as ones and
 * are reported as guest errors. */
uint64_t vit_regs_read(VitDevice *dev, const VitReg *regs, uint64_t at, unsigned size);
void vit_regs_write(VitDevice *dev, const VitReg *regs, uint64_t at, uint64_t value, unsigned size);
/* Stores reset values into backing fields. */
void vit_regs_reset(VitDevice *dev, const VitReg *regs);
