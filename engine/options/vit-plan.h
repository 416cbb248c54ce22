/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A configuration with all shorthands resolved: what the machine builder builds. Every structure
 * names the item and parameter it came from, so that a later failure can point at its place with
 * vit_config_diag_error(config, src.serial, src.param, error, diags).
 *
 * Strings live as long as the plan. Lists are GPtrArrays of the type named beside them, in the
 * order they are to be created. Default devices (the CD drive, the floppy drive, a serial port, a
 * monitor, a NIC, the VGA card) are filled in unless -nodefaults or something explicit in their
 * place; they are marked `is_default`. Thread: any; a plan is immutable once made. */

#include "vit-config.h"
#include "vit-types.h"

G_BEGIN_DECLS

/* CPUs of one machine, those that may be plugged in included. */
#define VIT_PLAN_CPUS_MAX 1024

typedef struct {
    uint32_t serial; /* item; 0 when it is a default */
    int param;       /* parameter of the item, -1 for the whole */
} VitPlanSrc;

typedef struct {
    const char *key;
    const char *value;
    VitPlanSrc src;
} VitPlanProp;

/* Properties of something, in order; a repeated key appears repeatedly. */
typedef struct {
    const VitPlanProp *props;
    unsigned n_props;
} VitPlanProps;

/* The last value of KEY, or NULL. */
const char *vit_plan_props_get(const VitPlanProps *props, const char *key);
const VitPlanProp *vit_plan_props_find(const VitPlanProps *props, const char *key);

typedef struct {
    VitPlanSrc src;
    const char *name; /* tcg, kvm, qtest */
    VitPlanProps props;
} VitPlanAccel;

typedef enum {
    VIT_PLAN_IF_NONE, /* backend only */
    VIT_PLAN_IF_IDE,
    VIT_PLAN_IF_FLOPPY,
    VIT_PLAN_IF_PFLASH,
    VIT_PLAN_IF_VIRTIO,
    VIT_PLAN_IF_SCSI,
    VIT_PLAN_IF_SD,
    VIT_PLAN_IF_MTD,
} VitPlanInterface;

/* What a guest's disk request error leads to. */
typedef enum {
    VIT_PLAN_ON_ERROR_REPORT,
    VIT_PLAN_ON_ERROR_IGNORE,
    VIT_PLAN_ON_ERROR_STOP,
    VIT_PLAN_ON_ERROR_ENOSPC,
} VitPlanOnError;

typedef struct {
    VitPlanSrc src;
    bool is_default;
    const char *id; /* generated as QEMU does when not given: ide0-hd0, ide1-cd0, floppy0 */
    VitPlanInterface interface;
    int bus, unit; /* resolved for interfaces with slots, else -1 */
    bool is_cdrom;
    const char *file;   /* NULL: an empty removable drive */
    int file_param;     /* parameter of src's item that holds it */
    const char *format; /* NULL: probe */
    bool read_only;
    bool snapshot;
    bool copy_on_read;
    bool cache_writeback, cache_direct, cache_no_flush;
    const char *aio;           /* threads, native, io_uring */
    const char *discard;       /* ignore, unmap */
    const char *detect_zeroes; /* off, on, unmap */
    VitPlanOnError on_read_error, on_write_error;
    VitPlanProps props; /* everything as given, for block drivers: file.driver=..., throttling */
} VitPlanDrive;

typedef struct {
    VitPlanSrc src;
    const char *driver, *node_name;
    VitPlanProps props; /* nested ones with dots: file.filename */
} VitPlanBlockdev;

typedef struct {
    VitPlanSrc src;
    const char *id;
    const char *type; /* user, tap, socket, ... */
    int hub;          /* hub the backend is plugged into, -1 when it is used by one NIC */
    const char *name; /* name= of -net */
    VitPlanProps props;
} VitPlanNetdev;

typedef struct {
    VitPlanSrc src;
    bool is_default;
    const char *model;  /* NULL: the board's own */
    const char *mac;    /* NULL: automatic */
    const char *netdev; /* id of a VitPlanNetdev; NULL when on a hub */
    int hub;            /* -1 when on a netdev */
    const char *name, *addr;
    int vectors;        /* -1: the device's default */
    VitPlanProps props; /* everything else, for the device */
} VitPlanNic;

typedef struct {
    VitPlanSrc src;
    bool is_default;
    const char *id;
    const char *backend; /* stdio, file, socket, vc, null, pty, pipe, udp, ... */
    bool mux;
    VitPlanProps props;
} VitPlanChardev;

/* A port of the board: index is the port number. */
typedef struct {
    VitPlanSrc src;
    bool is_default;
    bool absent;         /* "none": the board has no such port */
    const char *chardev; /* id of a VitPlanChardev */
} VitPlanPort;

typedef struct {
    VitPlanSrc src;
    bool is_default;
    const char *chardev;
    bool is_qmp, pretty;
} VitPlanMonitor;

/* -device and -object: name is the driver or type. */
typedef struct {
    VitPlanSrc src;
    const char *name, *id;
    VitPlanProps props; /* without the driver and the id */
} VitPlanDevice;

typedef struct {
    VitPlanSrc src;
    const char *driver, *property, *value;
} VitPlanGlobal;

typedef struct {
    VitPlanSrc src;
    const char *name, *file, *string, *gen_id;
} VitPlanFwCfg;

/* -smbios and -acpitable: properties as given. */
typedef struct {
    VitPlanSrc src;
    int type; /* SMBIOS structure; -1: file= */
    VitPlanProps props;
} VitPlanTable;

typedef struct {
    VitPlanSrc src;
    const char *type; /* gtk, none, sdl, curses, vnc, spice-app, egl-headless, dbus */
    bool is_default;
    VitPlanProps props;
} VitPlanDisplay;

/* Anything else that is given once or repeatedly and used as a whole. */
typedef struct {
    VitPlanSrc src;
    const char *option; /* canonical name */
    const char *value;  /* of plain options, and the variant of the others */
    VitPlanProps props;
} VitPlanOther;

typedef enum {
    VIT_PLAN_RTC_UTC,
    VIT_PLAN_RTC_LOCALTIME,
    VIT_PLAN_RTC_DATETIME,
} VitPlanRtcBase;

typedef enum {
    VIT_PLAN_CLOCK_HOST,
    VIT_PLAN_CLOCK_RT,
    VIT_PLAN_CLOCK_VM,
} VitPlanClock;

typedef struct {
    /* machine */
    const char *machine; /* as given or "pc" */
    VitPlanSrc machine_src;
    VitPlanProps machine_props; /* without type and accel */
    bool usb, acpi, hpet, smm, graphics;

    /* execution */
    GPtrArray *accels;     /* VitPlanAccel, in the order to try; at least one */
    const char *cpu_model; /* NULL: the board's default */
    VitPlanSrc cpu_src;
    VitPlanProps cpu_props; /* key "feat" value "on" or "off" for +feat and -feat */
    /* resolved, all >= 1; max_cpus at most VIT_PLAN_CPUS_MAX */
    unsigned cpus, max_cpus, sockets, dies, clusters, cores, threads;
    VitPlanSrc smp_src;

    /* memory */
    uint64_t ram_bytes, max_ram_bytes;
    unsigned ram_slots;
    VitPlanSrc ram_src;
    const char *mem_path;
    bool mem_prealloc;

    /* firmware and direct boot */
    const char *bios, *kernel, *initrd, *append, *dtb;
    VitPlanSrc bios_src, kernel_src, initrd_src, append_src, dtb_src;
    GPtrArray *data_dirs;   /* const char *, of -L, in order */
    GPtrArray *option_roms; /* VitPlanOther, value is the file, props may hold bootindex */
    const char *boot_order, *boot_once; /* letters; NULL: the board's own */
    bool boot_menu, boot_strict;
    const char *boot_splash;
    int64_t boot_splash_time_ms, boot_reboot_timeout_ms; /* -1: not set */
    VitPlanSrc boot_src;
    bool fd_bootchk;

    /* lists */
    GPtrArray *objects;     /* VitPlanDevice */
    GPtrArray *chardevs;    /* VitPlanChardev */
    GPtrArray *blockdevs;   /* VitPlanBlockdev */
    GPtrArray *drives;      /* VitPlanDrive */
    GPtrArray *netdevs;     /* VitPlanNetdev */
    GPtrArray *nics;        /* VitPlanNic */
    GPtrArray *audiodevs;   /* VitPlanDevice */
    GPtrArray *devices;     /* VitPlanDevice */
    GPtrArray *globals;     /* VitPlanGlobal */
    GPtrArray *fw_cfg;      /* VitPlanFwCfg */
    GPtrArray *smbios;      /* VitPlanTable */
    GPtrArray *acpi_tables; /* VitPlanTable */
    GPtrArray *monitors;    /* VitPlanMonitor */
    GPtrArray *serials;     /* VitPlanPort, index is the port */
    GPtrArray *parallels;   /* VitPlanPort */
    GPtrArray *debugcons;   /* VitPlanPort, debug console at 0xe9 */
    GPtrArray *others;      /* VitPlanOther: -gdb, -trace, -incoming, -fsdev, -tpmdev, ... */

    /* output */
    VitPlanDisplay display;
    GPtrArray *remote_displays; /* VitPlanDisplay: vnc, spice */
    const char *vga;            /* std, cirrus, ..., none */
    VitPlanSrc vga_src;
    bool vga_is_default;
    bool nographic, full_screen;
    const char *keyboard_layout; /* NULL: en-us */

    /* clock */
    VitPlanRtcBase rtc_base;
    const char *rtc_datetime; /* with VIT_PLAN_RTC_DATETIME */
    VitPlanClock rtc_clock;
    bool rtc_slew;

    /* identity and behaviour */
    const char *name, *process_name, *uuid;
    uint8_t uuid_bytes[16];
    bool has_uuid, debug_threads;
    bool start_paused, snapshot, nodefaults, singlestep, daemonize;
    bool reboot_ends, shutdown_pauses; /* -no-reboot, -no-shutdown, -action */
    const char *panic_action, *watchdog_action;
    const char *pidfile, *log_file, *log_items, *log_filter;
    const char *qtest_chardev, *qtest_log;
    VitPlanSrc qtest_src;
    bool msg_timestamp, msg_guest_name;
    uint8_t mux_escape; /* -echr; 1 is Ctrl-a */

    /* private */
    GStringChunk *strings;
    GPtrArray *owned;
} VitMachinePlan;

/* Resolves CONFIG. Contradictions that only show here (two drives in one slot, an id used twice,
 * too many ports) are added to DIAGS; returns NULL when there was one. CONFIG must have passed
 * vit_config_validate(). */
VitMachinePlan *vit_config_normalize(VitConfig *config, VitDiagList *diags);
void vit_machine_plan_free(VitMachinePlan *plan);

VitPlanChardev *vit_plan_find_chardev(const VitMachinePlan *plan, const char *id);
VitPlanDrive *vit_plan_find_drive(const VitMachinePlan *plan, const char *id);
VitPlanNetdev *vit_plan_find_netdev(const VitMachinePlan *plan, const char *id);
VitPlanOther *vit_plan_find_other(const VitMachinePlan *plan, const char *option);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VitMachinePlan, vit_machine_plan_free)

G_END_DECLS
