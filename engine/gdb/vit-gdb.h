/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The debugger stub of one machine: GDB's remote serial protocol on a character device.
 *
 * Thread: every function and every slot runs on the machine thread with the device lock held. A
 * slot that has to wait for CPUs may let go of the lock meanwhile. */

#include "vit-chardev.h"
#include "vit-cpu.h"
#include "x86-state.h"

typedef struct VitGdb VitGdb;

typedef enum VitGdbAction {
    VIT_GDB_STAY, /* the CPU does not run */
    VIT_GDB_CONTINUE,
    VIT_GDB_STEP,
} VitGdbAction;

/* What the stub needs of the machine. CPUs are parked whenever a slot below "stopped" is called. */
typedef struct VitGdbHostOps {
    unsigned (*get_n_cpus)(void *opaque);
    bool (*is_running)(void *opaque);
    /* Parks all CPUs; nothing is reported for it. */
    void (*stop)(void *opaque);
    /* ACTIONS has one for each CPU. False: the machine cannot go on (powered off, failed). */
    bool (*resume)(void *opaque, const VitGdbAction *actions, bool step_masks_irqs);
    void (*kill)(void *opaque);
    /* Takes over the debugger's points, for all CPUs; they stay the caller's until the next call.
     * False: the executor cannot serve as many or cannot be debugged. */
    bool (*set_points)(void *opaque, const VitDebugPoint *points, unsigned n_points);
    /* One line of the human monitor; what it prints, ownership: caller. */
    char *(*run_monitor)(void *opaque, const char *line);

    /* ---- stopped ---- */
    X86State *(*get_state)(void *opaque, unsigned cpu);
    /* get_state()'s was written to. */
    void (*state_changed)(void *opaque, unsigned cpu);
    /* False: not mapped, nothing there. By linear or by physical address; writes reach ROM too
     * where the machine can. */
    bool (*read_memory)(void *opaque, unsigned cpu, bool physical, uint64_t address, void *buf,
                        size_t len);
    bool (*write_memory)(void *opaque, unsigned cpu, bool physical, uint64_t address,
                         const void *buf, size_t len);
} VitGdbHostOps;

/* Puts a stub on CHR, whose front end it becomes. HAS_LONG_MODE: the CPUs are 64-bit ones, which
 * settles the registers that are described. OPS, OPAQUE and CHR outlive it. */
VitGdb *vit_gdb_new(VitChardev *chr, bool has_long_mode, const VitGdbHostOps *ops, void *opaque,
                    GError **error);
/* Lets the guest go: points are taken away. */
void vit_gdb_free(VitGdb *gdb);
VitChardev *vit_gdb_get_chardev(const VitGdb *gdb);

/* All CPUs stopped as CPU met what DEBUG tells; the machine has parked them. */
void vit_gdb_stopped(VitGdb *gdb, unsigned cpu, const VitCpuDebug *debug);
/* They were stopped by something else: a monitor, a power-off. The debugger is told of an
 * interrupt. Does nothing when it knows them stopped. */
void vit_gdb_paused(VitGdb *gdb);
/* The machine has ended. */
void vit_gdb_exited(VitGdb *gdb, int status);
