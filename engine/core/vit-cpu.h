/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What a board needs of a CPU, and what a CPU is given by its board.
 *
 * One VitCpu per guest CPU. An *executor* (the interpreter, the translator, KVM) runs it; the
 * board never knows which. Each VitCpu is run by one thread at a time; any thread may raise
 * events at it. The architectural state lives in engine/cpu (X86State) behind `state`.
 */

#include "vit-log.h"
#include "vit-types.h"

/* Events, raised by any thread with vit_cpu_raise(), looked at by the CPU's own thread between
 * instructions. INTR is a level (raised and lowered by the interrupt controller); the others are
 * edges which the executor clears when it takes them. */
enum {
    VIT_CPU_EVENT_INTR = 1u << 0, /* an interrupt controller has a vector to deliver */
    VIT_CPU_EVENT_NMI = 1u << 1,
    VIT_CPU_EVENT_SMI = 1u << 2,
    VIT_CPU_EVENT_INIT = 1u << 3,
    VIT_CPU_EVENT_SIPI = 1u << 4,        /* start-up IPI, its vector in sipi_vector */
    VIT_CPU_EVENT_MAP_CHANGED = 1u << 5, /* address map or A20 changed: drop cached translations */
    VIT_CPU_EVENT_EXIT = 1u << 6,        /* leave run() with VIT_CPU_EXIT_REQUEST */
    VIT_CPU_EVENT_MCE = 1u << 7,
};

/* Why run() returned. */
typedef enum VitCpuExit {
    VIT_CPU_EXIT_REQUEST,        /* VIT_CPU_EVENT_EXIT was raised (and is now clear) */
    VIT_CPU_EXIT_HALT,           /* HLT or wait-for-SIPI: sleep until an event is pending */
    VIT_CPU_EXIT_SHUTDOWN,       /* triple fault: the board resets or stops the machine */
    VIT_CPU_EXIT_DEBUG,          /* breakpoint, watchpoint or single step reached */
    VIT_CPU_EXIT_INTERNAL_ERROR, /* the executor cannot go on; text in cpu->error */
} VitCpuExit;

/* What the board gives each CPU. Callbacks run on the CPU's thread. The executor takes the
 * device lock around the interrupt-controller calls itself (they are device state). */
typedef struct VitCpuHost {
    VitAddressSpace *memory;     /* as seen outside SMM */
    VitAddressSpace *memory_smm; /* as seen in SMM (SMRAM open) */
    VitAddressSpace *io;         /* 64 KiB of ports */
    VitClock *clock;

    /* Highest-priority vector, acknowledged; -1 when none is left (spurious). */
    int (*interrupt_ack)(void *opaque);
    /* Local APIC: CR8 (0..15), IA32_APIC_BASE, x2APIC MSRs (index = msr - 0x800), TSC deadline.
     * False = the access is a #GP. */
    uint8_t (*apic_get_cr8)(void *opaque);
    void (*apic_set_cr8)(void *opaque, uint8_t value);
    uint64_t (*apic_get_base)(void *opaque);
    bool (*apic_set_base)(void *opaque, uint64_t value);
    bool (*apic_read_msr)(void *opaque, uint32_t index, uint64_t *out_value);
    bool (*apic_write_msr)(void *opaque, uint32_t index, uint64_t value);
    uint64_t (*apic_get_tsc_deadline)(void *opaque);
    /* DEADLINE_NS: the virtual time at which the guest's TSC reaches TSC (the executor knows its
     * rate and offset). When the guest moves its TSC the executor sets the deadline again. */
    void (*apic_set_tsc_deadline)(void *opaque, uint64_t tsc, int64_t deadline_ns);
    /* What mostly ends a halt: the CPU's thread may sleep until then and run it itself. NULL: none.
     */
    VitTimer *apic_timer;
    /* xAPIC registers: every CPU sees its own local APIC at the same physical address, so the
     * executor sends an access to the page VitCpu.apic_page here (device lock taken) and not to
     * the address space. OFFSET is in the page, SIZE 1, 2, 4 or 8. NULL: no local APIC. */
    uint64_t (*apic_mmio_read)(void *opaque, uint32_t offset, unsigned size);
    void (*apic_mmio_write)(void *opaque, uint32_t offset, uint64_t value, unsigned size);
    /* The FERR# pin: an x87 error is pending and CR0.NE is clear. Returns whether the board answers
     * with IGNNE# (the CPU goes on); otherwise it waits for the interrupt. NULL: always goes on. */
    bool (*ferr)(void *opaque);
    /* The CPU took INIT; the board resets what INIT resets (its local APIC). */
    void (*init_taken)(void *opaque);
    /* The guest did something that deserves a line in the guest-error log. */
    void (*guest_error)(void *opaque, const char *message);
    VitLog *log; /* what -d asks for; may be NULL */
    void *opaque;
} VitCpuHost;

/* ---- Debugging from outside the guest ---- */

typedef enum VitDebugKind {
    VIT_DEBUG_EXECUTE,
    VIT_DEBUG_WRITE,
    VIT_DEBUG_READ,
    VIT_DEBUG_ACCESS,
} VitDebugKind;

typedef struct VitDebugPoint {
    uint64_t address; /* linear */
    uint32_t len;     /* bytes; of EXECUTE without meaning */
    VitDebugKind kind;
} VitDebugPoint;

typedef enum VitDebugStop {
    VIT_DEBUG_STOP_NONE,
    VIT_DEBUG_STOP_STEP,
    VIT_DEBUG_STOP_BREAKPOINT, /* before the instruction at `address` */
    VIT_DEBUG_STOP_WATCHPOINT, /* after the instruction that touched `address` */
} VitDebugStop;

/* What a debugger wants of a CPU, and what it met. Changed while the CPU is parked, then
 * executor->debug_changed() is called. The guest's own debug registers are not touched. */
typedef struct VitCpuDebug {
    const VitDebugPoint *points; /* the debugger's, for all CPUs */
    unsigned n_points;
    bool single_step;     /* run() leaves after one instruction or one delivery of an exception */
    bool one_insn_blocks; /* -singlestep */
    bool step_masks_irqs; /* no INTR, NMI or SMI is taken while stepping, but to end a halt */
    /* out, with VIT_CPU_EXIT_DEBUG */
    VitDebugStop stop;
    VitDebugKind watch_kind;
    uint64_t address;
} VitCpuDebug;

typedef struct VitExecutor VitExecutor;

struct VitCpu {
    const VitExecutor *executor;
    const VitCpuHost *host;
    unsigned index;
    uint32_t apic_id;
    bool is_bsp;
    /* The machine has more CPUs than the host: who waits in a loop of PAUSEs lets others run. */
    bool is_crowded;
    bool takes_turns; /* one thread runs all CPUs: who waits in such a loop gives up its turn */
    bool a20_enabled; /* written under the device lock, then MAP_CHANGED raised */
    /* Physical address of the local APIC's page while it is in xAPIC mode, 0 = none. Kept by the
     * local APIC; MAP_CHANGED is raised when it changes. */
    uint64_t apic_page;        /* atomic */
    uint32_t events;           /* atomic; VIT_CPU_EVENT_* */
    uint8_t sipi_vector;       /* atomic */
    void (*kick)(VitCpu *cpu); /* wakes the CPU's thread out of halt; set by the machine */
    void *kick_opaque;
    void *state; /* X86State, owned by the executor's create() */
    void *executor_data;
    void *executor_machine; /* what the executor shares among a machine's CPUs; the board's */
    char *error;            /* text of the last INTERNAL_ERROR, owned */
    VitCpuDebug debug;
    /* run() leaves with EXIT_REQUEST when executor->count() reaches this; 0: it does not look. */
    uint64_t count_limit;
};

/* An executor: one const descriptor per implementation. */
struct VitExecutor {
    const char *name; /* as in -accel NAME */
    /* Creates the CPU's state (reset values) and executor data. `model` is an X86CpuModel. */
    bool (*create)(VitCpu *cpu, const void *model, GError **error);
    void (*destroy)(VitCpu *cpu);
    void (*reset)(VitCpu *cpu);
    /* Runs guest code until there is a reason to return. Called without the device lock. */
    VitCpuExit (*run)(VitCpu *cpu);
    /* Makes run() look at events soon; any thread. May be NULL when polling suffices. */
    void (*kick)(VitCpu *cpu);
    /* Bring cpu->state up to date / take it over; the CPU is stopped. NULL where it always is. */
    void (*sync_out)(VitCpu *cpu);
    void (*sync_in)(VitCpu *cpu);
    /* cpu->debug was changed; the CPU is stopped. NULL: this executor cannot be debugged. */
    void (*debug_changed)(VitCpu *cpu);
    /* Instructions executed since the CPU was made, exact between and in instructions; any thread.
     * NULL: this executor does not count. */
    uint64_t (*count)(const VitCpu *cpu);
};

/* Raises events (any thread) and wakes the CPU where it sleeps or runs. */
void vit_cpu_raise(VitCpu *cpu, uint32_t events);
/* Lowers events (any thread). */
void vit_cpu_lower(VitCpu *cpu, uint32_t events);
/* Start-up IPI with VECTOR (any thread). */
void vit_cpu_sipi(VitCpu *cpu, uint8_t vector);
/* A20 gate; device lock held. */
void vit_cpu_set_a20(VitCpu *cpu, bool enabled);
static inline uint32_t
vit_cpu_events(const VitCpu *cpu)
{
    return __atomic_load_n(&cpu->events, __ATOMIC_ACQUIRE);
}
