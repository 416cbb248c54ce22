/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* One interpreted CPU on flat memory, for tests: no board, no devices but a window that counts.
 *
 * Memory map: RAM from 0 to RIG_RAM_BYTES; a device window at RIG_WINDOW. Code goes to RIG_CODE,
 * data to RIG_DATA, the stack grows down from RIG_STACK. Every exception vector N lands on a HLT at
 * RIG_VECTORS + N * 16, so that a test sees which fault came and what was pushed. */

#include "vit-memory.h"
#include "x86-exec.h"
#include "x86-system.h"

enum {
    RIG_RAM_BYTES = 4 << 20,
    RIG_IDT = 0x1000,
    RIG_GDT = 0x2000,
    RIG_TABLES = 0x3000, /* page tables of the 64-bit mode: 3 pages */
    RIG_TSS = 0x6000,
    RIG_VECTORS = 0x7000, /* below 64 KiB: real mode reaches them */
    RIG_CODE = 0x10000,
    RIG_DATA = 0x20000,
    RIG_STACK = 0x30000,
    RIG_WINDOW = 0x800000,
    RIG_WINDOW_BYTES = 0x1000,
};

typedef enum RigMode { RIG_REAL16, RIG_PROT16, RIG_PROT32, RIG_LONG64 } RigMode;

typedef struct Rig {
    VitLock lock;
    VitMapDomain *maps;
    VitMapReader reader;
    VitRamBlock *ram;
    VitRegion root, ram_region, window, io_root;
    VitAddressSpace *memory, *io;
    VitClock *clock;
    VitCpuHost host;
    VitCpu cpu;
    X86CpuModel model;
    X86Core *core;
    unsigned window_reads, window_writes;
    uint64_t window_value;
} Rig;

Rig *rig_new(RigMode mode);
void rig_free(Rig *rig);
/* Takes the state back to what rig_new gave it, RAM included. */
void rig_reset(Rig *rig, RigMode mode);
/* Code in hex, with a HLT behind it; returns its length without the HLT. */
size_t rig_code(Rig *rig, const char *hex);
/* Runs from RIG_CODE until HLT. */
void rig_run(Rig *rig);
/* Runs COUNT instructions (or event deliveries). */
void rig_step(Rig *rig, unsigned count);
/* The vector whose handler the CPU has halted in, or -1. */
int rig_vector(const Rig *rig);
uint8_t *rig_ram(Rig *rig, uint64_t address);
uint64_t rig_load(Rig *rig, uint64_t address, unsigned size);
void rig_store(Rig *rig, uint64_t address, uint64_t value, unsigned size);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Rig, rig_free)
