/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The memory map of a PC under its host bridge: low RAM, the legacy megabyte with its shadow
 * segments and SMRAM, the PCI hole, RAM above 4 GiB; and a second view for processors in system
 * management mode. Thread: device lock held. */

#include "vit-platform.h"

enum {
    VIT_PC_PAM_SEGMENTS = 13,   /* twelve of 16 KiB from C0000h, one of 64 KiB at F0000h */
    VIT_PC_PAM_READ = 1u << 0,  /* reads come from RAM */
    VIT_PC_PAM_WRITE = 1u << 1, /* writes go to RAM */

    VIT_PC_SMRAM_OPEN = 1u << 6,   /* D_OPEN */
    VIT_PC_SMRAM_CLOSED = 1u << 5, /* D_CLS */
    VIT_PC_SMRAM_LOCKED = 1u << 4, /* D_LCK */
    VIT_PC_SMRAM_ENABLE = 1u << 3, /* G_SMRAME */
};

typedef struct VitPcMemory VitPcMemory;

typedef struct VitPcSegment {
    VitPcMemory *memory;
    uint32_t base;
    VitRegion ram;        /* reads and writes go to RAM */
    VitRegion ram_read;   /* RAM, writes ignored */
    VitRegion write_only; /* reads go to PCI, writes to RAM */
} VitPcSegment;

struct VitPcMemory {
    VitPlatform *platform;
    VitRamBlock *block;
    VitRegion *root, *pci;
    VitRegion smm_root, smm_base; /* the view in SMM: ROOT with SMRAM over it */
    VitRegion smm_ram;            /* SMRAM there */
    VitRegion open_ram;           /* SMRAM in ROOT, while D_OPEN */
    VitRegion ram, ram_readonly;  /* the whole block, shown through aliases */
    VitRegion low, extended, high;
    VitPcSegment segments[VIT_PC_PAM_SEGMENTS];
    VitAddressSpace *pci_space;
    VitAddressSpace *smm_space;
};

/* Builds the map in ROOT. PCI is a container, shown wherever there is no RAM. */
void vit_pc_memory_init(VitPcMemory *memory, VitPlatform *platform, VitRegion *root, VitRegion *pci,
                        VitRamBlock *block, uint64_t below_4g_bytes, uint64_t above_4g_bytes);
void vit_pc_memory_finish(VitPcMemory *memory);
/* ACCESS holds VIT_PC_PAM_* per segment, in address order. */
void vit_pc_memory_set_segments(VitPcMemory *memory, const uint8_t access[VIT_PC_PAM_SEGMENTS]);
/* REG is the SMRAM control register. */
void vit_pc_memory_set_smram(VitPcMemory *memory, uint8_t reg);
