/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What monitors need of a machine. The machine fills one const table; everything that the core
 * already describes (devices, buses, address spaces, consoles, character devices, network ports,
 * input) the monitors read for themselves.
 *
 * Thread: every slot is called on the machine thread (or the thread that runs a command for the
 * application) with the device lock held. A slot that has to wait for CPUs may let go of the lock
 * meanwhile. Slots return at once otherwise. A NULL slot makes its commands answer "not available
 * yet". Ownership is said per slot. */

#include "vit-chardev.h"
#include "vit-cpu.h"
#include "vit-device.h"
#include "vit-netport.h"
#include "vit-pci.h"
#include "vit-platform.h"

typedef struct _JsonNode JsonNode;
typedef struct _JsonObject JsonObject;

/* Run states, named as query-status names them. */
typedef enum VitRunState {
    VIT_RUN_PRELAUNCH, /* not started yet: -S */
    VIT_RUN_RUNNING,
    VIT_RUN_PAUSED,
    VIT_RUN_SHUTDOWN, /* powered off, kept by -no-shutdown */
    VIT_RUN_SUSPENDED,
    VIT_RUN_INTERNAL_ERROR,
    VIT_RUN_IO_ERROR,
    VIT_RUN_GUEST_PANICKED,
    VIT_RUN_WATCHDOG,
    VIT_RUN_DEBUG,
    VIT_RUN_SAVE_VM,
    VIT_RUN_RESTORE_VM,
    VIT_RUN_LAST
} VitRunState;

typedef struct VitMonitorIdentity {
    const char *machine; /* board: "pc-i440fx-6.2" */
    const char *accel;   /* "tcg", "kvm", "qtest" */
    const char *name;    /* -name; NULL when not given */
    const char *uuid;    /* "8-4-4-4-12"; NULL when not given */
    uint64_t ram_bytes;
    bool kvm_present;
} VitMonitorIdentity;

typedef struct VitMonitorCpu {
    int64_t thread_id; /* of the host; -1 when it has none */
    unsigned socket, die, core, thread;
    bool halted;
} VitMonitorCpu;

/* One drive, as query-block and "info block" show it. Strings live until the list is freed. */
typedef struct VitMonitorDrive {
    const char *id;   /* "ide1-cd0" */
    const char *qdev; /* id or path of the device that uses it; NULL when none does */
    bool removable, locked, has_tray, tray_open, inserted;
    const char *file;      /* of an inserted medium */
    const char *driver;    /* format: "raw" */
    const char *node_name; /* NULL: none was given */
    bool read_only, writeback, direct, no_flush;
    uint64_t virtual_bytes, actual_bytes;
    const char *io_status; /* "ok", "failed", "nospace"; NULL: not tracked */
} VitMonitorDrive;

typedef struct VitMonitorBoard {
    const char *name, *alias, *title; /* alias may be NULL */
    unsigned max_cpus;
    bool is_default;
} VitMonitorBoard;

typedef struct VitMonitorRom {
    const char *name;
    uint64_t guest_address, len_bytes;
    bool in_fw_cfg; /* has no address of its own */
} VitMonitorRom;

/* What to do with an image that is put into a drive. */
typedef enum VitMonitorAccess {
    VIT_MONITOR_ACCESS_RETAIN, /* as the drive had it */
    VIT_MONITOR_ACCESS_READ_ONLY,
    VIT_MONITOR_ACCESS_READ_WRITE,
} VitMonitorAccess;

typedef struct VitMonitorHostOps {
    /* ---- running ---- */
    VitRunState (*get_status)(void *opaque);
    bool (*stop)(void *opaque, GError **error);
    bool (*cont)(void *opaque, GError **error); /* also starts a machine that waits (-S) */
    bool (*reset)(void *opaque, GError **error);
    bool (*powerdown)(void *opaque, GError **error); /* ACPI power button */
    bool (*wakeup)(void *opaque, GError **error);
    void (*quit)(void *opaque);
    void (*get_identity)(void *opaque, VitMonitorIdentity *out);

    /* ---- CPUs ---- */
    unsigned (*get_n_cpus)(void *opaque);
    void (*get_cpu)(void *opaque, unsigned cpu, VitMonitorCpu *out);
    /* Text of "info registers". */
    void (*dump_registers)(void *opaque, unsigned cpu, GString *out);
    /* "rip", "eax", "cr3": for expressions. False: no such register. */
    bool (*get_register)(void *opaque, unsigned cpu, const char *name, uint64_t *out_value);
    /* False: not mapped. */
    bool (*translate)(void *opaque, unsigned cpu, uint64_t guest_virtual,
                      uint64_t *out_guest_physical);
    void (*inject_nmi)(void *opaque);
    /* One instruction at BYTES as text; returns its length, 0 when it is none. */
    unsigned (*disassemble)(void *opaque, unsigned cpu, uint64_t guest_virtual,
                            const uint8_t *bytes, size_t len, GString *out);

    /* The debugger stub goes to DEVICE, a device text; NULL: no stub. */
    bool (*set_gdb_server)(void *opaque, const char *device, GError **error);

    /* ---- what only the machine can tell, by topic of "info" ----
     * "irq", "pic", "lapic", "tlb", "mem", "jit", "ramblock", "numa", ... False with
     * VIT_ERROR_NOT_FOUND for topics it does not have. */
    bool (*info)(void *opaque, const char *topic, unsigned cpu, GString *out, GError **error);

    /* ---- devices ---- */
    VitBus *(*get_main_bus)(void *opaque);   /* root of "info qtree"; NULL before the board */
    VitPciBus *(*get_pci_bus)(void *opaque); /* NULL: none */
    const GPtrArray *(*get_chardevs)(void *opaque);  /* VitChardev *, in order */
    const GPtrArray *(*get_net_ports)(void *opaque); /* VitNetPort *: NICs and back ends */
    const GPtrArray *(*get_iothreads)(void *opaque); /* VitIothread *; may give NULL */
    const VitDeviceKind *const *(*get_kinds)(void *opaque);
    /* Ownership: caller frees with g_free(); strings are const. */
    VitMonitorBoard *(*get_boards)(void *opaque, unsigned *out_count);
    /* Results of query-cpu-definitions and, for MODEL with a name, of query-cpu-model-expansion.
     * Ownership: caller. */
    JsonNode *(*get_cpu_definitions)(void *opaque);
    JsonNode *(*expand_cpu_model)(void *opaque, bool is_static, JsonObject *model, GError **error);
    VitMonitorRom *(*get_roms)(void *opaque, unsigned *out_count);

    /* KEYS and VALUES end with NULL; "id" and "bus" may be among them. */
    bool (*device_add)(void *opaque, const char *driver, const char *const *keys,
                       const char *const *values, GError **error);
    bool (*device_del)(void *opaque, const char *id, GError **error);

    /* ---- storage ---- */
    /* VitMonitorDrive *, with a free function. Ownership: caller. */
    GPtrArray *(*get_drives)(void *opaque);
    /* OPTIONS as after -drive; AS_NODE: as after -blockdev. */
    bool (*drive_add)(void *opaque, const char *options, bool as_node, GError **error);
    bool (*drive_del)(void *opaque, const char *id, GError **error);
    /* DRIVE is an id, a qdev id or path, or a node name. */
    bool (*eject)(void *opaque, const char *drive, bool force, GError **error);
    /* FORMAT NULL: probe. */
    bool (*change_medium)(void *opaque, const char *drive, const char *file, const char *format,
                          VitMonitorAccess access, bool force, GError **error);
    bool (*set_tray)(void *opaque, const char *drive, bool open, bool force, GError **error);
    bool (*commit)(void *opaque, const char *drive, GError **error); /* "all" */
    /* QMP commands on images, jobs and exports, arguments checked. ARGS may be NULL. NULL with
     * ERROR, or the result. Ownership: caller. */
    JsonNode *(*block)(void *opaque, const char *command, JsonObject *args, GError **error);

    /* ---- network ---- */
    /* Text of "info usernet" for all user back ends. */
    void (*describe_usernet)(void *opaque, GString *out);
    /* NETDEV NULL: the only one. */
    bool (*hostfwd)(void *opaque, const char *netdev, const char *rule, bool add, GError **error);

    /* ---- logs, boot ---- */
    bool (*set_log_items)(void *opaque, const char *items, GError **error); /* as -d */
    bool (*set_log_file)(void *opaque, const char *path, GError **error);   /* as -D */
    bool (*set_boot_order)(void *opaque, const char *order, GError **error);

    /* Every kind of character device; NULL-terminated, const. */
    const VitChardevKind *const *(*get_chardev_kinds)(void *opaque);
} VitMonitorHostOps;
