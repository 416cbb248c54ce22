/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A bare CPU for tests: flat RAM from 0, a scratch device window and ports that remember what was
 * written, no interrupt controller unless the test plays one. */

#include "vit-clock.h"
#include "vit-memory.h"
#include "x86-exec.h"
#include "x86-system.h"

#include <string.h>

enum {
    RIG_RAM_BYTES = 8 << 20,
    RIG_WINDOW = 0x10000000, /* 4 KiB device window */
    RIG_ROM = 0x0fff0000,    /* 64 KiB */
};

typedef struct Rig {
    VitLock lock;
    VitMapDomain *domain;
    VitRegion root, ram, rom, window, io_root, ports;
    VitRamBlock *block, *rom_block;
    VitClock *clock;
    VitCpuHost host;
    VitCpu cpu;
    X86CpuModel model;
    X86Core *core;
    uint64_t window_value; /* last write to the window */
    unsigned window_reads, window_writes;
    uint32_t port_value[64]; /* by port - 0x100 */
    int pending_vector;      /* given by the next interrupt_ack, -1 = none */
    uint8_t cr8;
    uint64_t apic_base;
    uint64_t deadline;
    int64_t deadline_ns;
} Rig;

/* MODEL: text of -cpu. */
Rig *rig_new(const char *model);
void rig_free(Rig *rig);

static inline uint8_t *
rig_ram(Rig *rig, uint64_t address)
{
    return rig->block->host + address;
}

static inline void
rig_put(Rig *rig, uint64_t address, uint64_t value, unsigned size)
{
    memcpy(rig_ram(rig, address), &value, size);
}

static inline uint64_t
rig_get(Rig *rig, uint64_t address, unsigned size)
{
    uint64_t value = 0;
    memcpy(&value, rig_ram(rig, address), size);
    return value;
}

/* A descriptor as the processor reads it: ATTR is X86_SEG_*, LIMIT in the descriptor's own unit. */
void rig_put_descriptor(Rig *rig, uint64_t address, uint32_t base, uint32_t limit, uint32_t attr);
void rig_put_gate(Rig *rig, uint64_t address, uint16_t selector, uint32_t offset, unsigned type,
                  unsigned dpl);
/* 32-bit protected mode, flat segments: 0x08 code, 0x10 data, 0x1b code 3, 0x23 data 3, GDT at
 * 0x1000 with room for 32 descriptors, IDT at 0x2000, TSS (0x28, busy) at 0x3000 with SS0:ESP0 =
 * 0x10:0x9000. CPL chosen; ESP = 0x8000. */
void rig_protected(Rig *rig, unsigned cpl);
/* 64-bit mode on 4-level tables at 0x100000 mapping the first GiB 1:1 with 2 MiB pages (user,
 * writable); GDT as above with 0x08 64-bit code, 0x10 data, 0x1b compatibility code 3, 0x23 data
 * 3, 0x2b 64-bit code 3; TSS at 0x38; IDT at 0x2000. */
void rig_long(Rig *rig, unsigned cpl);

/* Runs EXPR; the vector of the fault it raised, or -1. */
#define RIG_FAULT(rig, expr)                         \
    ({                                               \
        int vector_ = -1;                            \
        (rig)->core->fault_error = 0xdead;           \
        if (__builtin_setjmp((rig)->core->unwind)) { \
            vector_ = rig_fault_vector(rig);         \
        } else {                                     \
            expr;                                    \
        }                                            \
        vector_;                                     \
    })
/* Not inline: reads the core again after the unwind. */
int rig_fault_vector(Rig *rig);
