/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* One machine, as the files of this folder share it. The GObject that the application holds
 * (vit-machine.c) wraps it; nothing here calls into the application except through the post
 * functions at the end.
 *
 * Threads: the *machine thread* (machine-thread.c) runs the device side with the device lock held;
 * each vCPU has a thread (machine-vcpu.c); the application's thread only sends requests.
 *
 * Invariants:
 *  1. run_wanted and the request_* fields change under `control`; the machine thread alone acts.
 *  2. Device lock before `control`, never the other way round.
 *  3. Nobody waits for vCPU threads to park while holding the device lock.
 */

#include "vit-chardev.h"
#include "vit-console.h"
#include "vit-cpu.h"
#include "vit-device.h"
#include "vit-input-hub.h"
#include "vit-isa.h"
#include "vit-machine.h"
#include "vit-pci.h"
#include "vit-plan.h"

#include "vit-kvm.h"
#include "tcg.h"
#include "x86-cpuid.h"

#include "blk.h"

typedef struct Machine Machine;
typedef struct Board Board;
typedef struct MachineMonitors MachineMonitors;
typedef struct MachineGdb MachineGdb;
typedef struct MachineIcount MachineIcount;

typedef struct MachineVcpu {
    VitCpu cpu;
    VitCpuHost host;
    Machine *machine;
    GThread *thread;
    VitMapReader reader;
    GCond wake;             /* with machine->control */
    int64_t host_thread_id; /* gettid(); -1 before it runs */
    bool parked;            /* not in run(), guarded by control */
    bool watching;          /* sleeps on the disks' results and wake_fd, not on wake; same */
    int wake_fd;            /* eventfd; -1: the host had none left */
    bool crashed;           /* took a triple fault or internal error since the last reset */
    bool held; /* kept from running by the debugger until the next stop; guarded by control */
    bool debug_stopped; /* its last exit was VIT_CPU_EXIT_DEBUG, not reported yet; same */
    VitDevice *lapic;
    int64_t cpu_time_ns; /* atomic; once its thread has ended */
} MachineVcpu;

/* What the machine thread is asked to do; bits of Machine.requests. */
enum {
    MACHINE_REQUEST_RESET = 1u << 0,
    MACHINE_REQUEST_SHUTDOWN = 1u << 1,
    MACHINE_REQUEST_FAIL = 1u << 2,
    MACHINE_REQUEST_QUIT_THREAD = 1u << 3,
    MACHINE_REQUEST_SUSPEND = 1u << 4,
    MACHINE_REQUEST_PAUSE = 1u << 5, /* a drive's error policy */
    MACHINE_REQUEST_EJECT = 1u << 7, /* the guest gave PCI slots free */
    MACHINE_REQUEST_DEBUG = 1u << 6, /* a CPU met what the debugger waits for */
};

struct Machine {
    /* the time and maps that devices get */
    VitLock lock;
    VitClock *clock;
    VitMapDomain *maps;
    VitRegion memory_root, io_root;
    VitPlatform platform;
    VitLog *log;
    VitAddressSpace *memory_smm; /* as seen in SMM; the board's */
    VitRamBlock *ram;

    /* configuration */
    VitConfig *config; /* as the machine is now */
    VitMachinePlan *plan;
    VitMachinePlan *live_plan; /* of config, when it was changed since; one of live_plans */
    GPtrArray *live_plans;     /* VitMachinePlan, owned: parts keep their strings */
    X86CpuModel cpu_model;
    const VitExecutor *executor;
    const char *accel_name;
    VitKvm *kvm;     /* NULL under any other accelerator */
    TcgMachine *tcg; /* likewise */
    bool is_qtest;

    /* contents */
    const Board *board;
    VitBus main_bus; /* of devices that are on no other */
    void *board_data;
    GPtrArray *devices;        /* VitDevice*, in the order made; owned */
    GPtrArray *chardevs;       /* VitChardev*, owned */
    GPtrArray *netdevs;        /* VitNetdev*, owned */
    GPtrArray *hubs;           /* VitNetHub*, owned */
    MachineMonitors *monitors; /* machine-monitor.c */
    struct VitQtest *qtest;    /* machine-qtest.c; NULL: not tested from outside */
    MachineGdb *gdb;           /* machine-gdb.c; NULL: no debugger stub */
    MachineIcount *icount;     /* machine-icount.c; NULL: time is real */
    BlkGraph *blk;
    MachineVcpu *vcpus;
    unsigned n_vcpus;

    /* machine-turns.c */
    bool is_single_thread; /* thread=single */
    MachineVcpu *turn_of;  /* who runs on the one thread, NULL: nobody; atomic */
    uint64_t turns;
    GThread *turn_keeper;
    GCond turn_began;

    /* threads */
    GMainContext *context; /* the machine thread's */
    GThread *thread;
    GMutex control;
    GCond parked_changed;
    bool run_wanted; /* vCPUs may run; guarded by control */
    bool vcpus_quit;
    GPtrArray *fsdevs;    /* VitFsdev *, of -fsdev; NULL: none */
    GPtrArray *rngs;      /* VitRng *, of -object; NULL: none */
    GPtrArray *iothreads; /* VitIothread *, likewise */
    bool has_main_loop;   /* there is an object that sets it */
    uint32_t requests;    /* MACHINE_REQUEST_*, guarded by control */
    VitShutdownCause cause;
    int exit_status;
    char *failure; /* text of the last failure */

    /* state as the machine thread sees it */
    VitMachineState state;
    VitStopCause stop_cause;
    bool has_run;    /* since it was built */
    bool shut_down;  /* powered off, and kept by -no-shutdown */
    bool debugged;   /* paused, as the debugger stopped it */
    bool io_stopped; /* by a drive's rerror or werror, until it runs again */

    /* to the application */
    GPtrArray *viewers; /* VitDisplay *, not owned: woken by input */
    VitMachine *facade; /* borrowed; cleared before it goes */
    GMainContext *app_context;
};

/* ---- life (machine.c) ---- */

/* Builds everything from CONFIG; NULL with ERROR and a diagnostic with its place. */
Machine *machine_new(VitConfig *config, GMainContext *app_context, VitDiagList *diags,
                     GError **error);
void machine_free(Machine *machine);

/* ---- machine-thread.c ---- */

void machine_thread_start(Machine *machine);
void machine_thread_stop(Machine *machine);
/* Runs FUNC on the machine thread with the device lock held; does not wait. Any thread. */
void machine_invoke(Machine *machine, void (*func)(gpointer data), gpointer data,
                    GDestroyNotify destroy);
/* Same, and waits; not from the machine thread or with the device lock held. */
void machine_invoke_wait(Machine *machine, void (*func)(gpointer data), gpointer data);
/* Sets request bits and wakes the thread. Any thread. */
void machine_request(Machine *machine, uint32_t bits, VitShutdownCause cause, int status);
/* Fails the machine with a text (taken). Any thread. */
void machine_request_failure(Machine *machine, char *text);
/* On the machine thread. */
void machine_set_running(Machine *machine, bool running);
/* Empties the PCI slots that the guest gave free (machine-hotplug.c). */
void machine_do_ejects(Machine *machine);
void machine_do_reset(Machine *machine, VitShutdownCause cause);

/* Reset in the order made; CPUs last. vCPUs parked, device lock held (machine.c). */
void machine_reset_devices(Machine *machine);
void machine_flush_drives(Machine *machine);
void machine_power_button(Machine *machine);

/* ---- machine-accel.c ---- */

/* Takes ACCEL as the machine's executor; false when it cannot be used here. */
bool machine_try_accel(Machine *machine, const VitPlanAccel *accel, GError **error);

/* ---- machine-vcpu.c ---- */

bool machine_vcpus_create(Machine *machine, GError **error);
void machine_vcpus_start(Machine *machine);
/* Wait until none runs. The device lock, if held, is let go meanwhile. */
void machine_vcpus_park(Machine *machine);
void machine_vcpus_unpark(Machine *machine);
/* The CPUs' registers are in host registers or the kernel's while they run: stands them still for a
 * look. Machine thread, device lock held; the lock is let go while they come to a stop. What it
 * returns is for machine_vcpus_release(). */
bool machine_vcpus_hold(Machine *machine);
void machine_vcpus_release(Machine *machine, bool held);
void machine_vcpus_stop(Machine *machine);
void machine_vcpus_destroy(Machine *machine);
/* One run() of the executor and what follows from its end. The CPU's thread. */
void machine_vcpu_run(MachineVcpu *vcpu);
/* Whether a halted CPU has something that ends its halt; true for one that is not. */
bool machine_vcpu_has_work(const MachineVcpu *vcpu);
/* The vCPU that runs on the calling thread, or NULL. */
MachineVcpu *machine_current_vcpu(Machine *machine);

/* One human monitor command; what it prints, ownership: caller. Lock held. */
char *machine_run_hmp(Machine *machine, const char *line);
/* Ways to go on with its last word. Ownership: caller. Lock held. */
char **machine_complete_hmp(Machine *machine, const char *line);
/* By drive id, or by the device that uses it. Lock held. */
VitDrive *machine_find_drive(Machine *machine, const char *name, GError **error);
/* The device that uses DRIVE; NULL. Lock held. */
VitDevice *machine_drive_device(Machine *machine, VitDrive *drive);

/* ---- to the application ---- */

/* Emits in the application's context. Any thread. */
void machine_post_state(Machine *machine);
void machine_post_event(Machine *machine, const char *name, const char *json_data);
void machine_post_event_to_app(Machine *machine, const char *name, const char *json_data);
void machine_post_guest_error(Machine *machine, const char *line);
