/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A board: what -machine names. One const descriptor per family of boards. */

#include "machine-private.h"

struct Board {
    const char *name;
    const char *const *aliases; /* NULL-terminated: versioned names */
    const char *title;
    const char *default_cpu, *default_nic, *default_vga;
    unsigned max_cpus;
    uint64_t default_ram_bytes, max_ram_bytes;
    /* Makes RAM, CPUs' interrupt side, bridges and fixed devices. */
    bool (*build)(Machine *machine, VitDiagList *diags, GError **error);
    /* After all devices are there: firmware tables, boot order. Also at each reset. */
    bool (*finish)(Machine *machine, GError **error);
    /* Before and after the devices at a machine reset. */
    void (*reset_done)(Machine *machine);
    void (*power_button)(Machine *machine);
    /* The bus a -device of TYPE goes to when it names none; NULL = there is none. */
    VitBus *(*default_bus)(Machine *machine, VitBusType type, GError **error);
    /* A device was added to the machine that exists; may be NULL. */
    void (*plugged)(Machine *machine, VitDevice *dev);
    /* Asks the guest to give DEV free. False without ERROR: it needs not be asked. May be NULL. */
    bool (*unplug)(Machine *machine, VitDevice *dev, GError **error);
    /* PCI slots, as bits, that the guest has given free. May be NULL. */
    uint32_t (*take_ejected)(Machine *machine);
    void (*raise_smi)(Machine *machine);
    void (*raise_nmi)(Machine *machine);
    void (*free_data)(Machine *machine);
};

/* By name or alias; NULL with ERROR naming the nearest. */
const Board *board_find(const char *name, GError **error);
/* Index up to NULL. */
const Board *board_get(unsigned index);

extern const Board board_pc;

/* ---- for boards (machine-devices.c) ---- */

/* Creates a device of KIND, sets "key=value" pairs (NULL-terminated), realizes it on BUS and puts
 * it in the reset order. */
VitDevice *machine_add_device(Machine *machine, const VitDeviceKind *kind, const char *id,
                              VitBus *bus, GError **error, ...) G_GNUC_NULL_TERMINATED;
/* The same in two steps, for devices that are connected in between. */
VitDevice *machine_make_device(Machine *machine, const VitDeviceKind *kind, const char *id,
                               GError **error, ...) G_GNUC_NULL_TERMINATED;
bool machine_realize_device(Machine *machine, VitDevice *dev, VitBus *bus, GError **error);
const VitDeviceKind *machine_find_kind(const char *name);
/* A realized device by id, path, or as the object /machine/peripheral/ID; NULL. */
VitDevice *machine_find_device(Machine *machine, const char *id);
/* Finds a bus by name ("pci.0", "ide.1") in the tree of devices. */
VitBus *machine_find_bus(Machine *machine, const char *name);
/* The first bus of TYPE, or NULL. */
VitBus *machine_find_bus_of_type(Machine *machine, VitBusType type);

/* The kind -device NAME means; the bus a device of KIND goes to, by name or the board's own. */
const VitDeviceKind *machine_find_kind_for_user(const char *name, GError **error);
VitBus *machine_bus_for(Machine *machine, const VitDeviceKind *kind, const char *name,
                        GError **error);
bool machine_apply_globals(Machine *machine, VitDevice *dev, GError **error);

/* ---- hot plug (machine-hotplug.c) ---- */

/* KEYS and VALUES end with NULL; "id" and "bus" among them. */
bool machine_device_add(Machine *machine, const char *driver, const char *const *keys,
                        const char *const *values, GError **error);
/* By id or path; DEVICE_DELETED tells when it is gone. */
bool machine_device_del(Machine *machine, const char *id, GError **error);

/* -device of the plan, in order. */
bool machine_add_plan_devices(Machine *machine, VitDiagList *diags, GError **error);

/* ---- back ends (machine-backends.c) ---- */

bool machine_add_backends(Machine *machine, VitDiagList *diags, GError **error);
/* One of them alone, of a machine that exists. */
bool machine_add_drive(Machine *machine, const VitPlanDrive *plan, GError **error);
/* What NEXT means, checked (vit-live.c). Ownership: machine->live_plans, once parts use it. */
VitMachinePlan *machine_make_plan(VitConfig *next, GError **error);
/* TEXT is what follows -drive (if=none), or what follows -blockdev (machine-drives.c). */
bool machine_plug_drive(Machine *machine, const char *text, GError **error);
bool machine_plug_node(Machine *machine, const char *text, GError **error);
bool machine_add_chardev(Machine *machine, const VitPlanChardev *plan, GError **error);
bool machine_add_netdev(Machine *machine, const VitPlanNetdev *plan, GError **error);
void machine_free_backends(Machine *machine);
/* machine-netdevs.c */
bool machine_add_netdevs(Machine *machine, VitDiagList *diags, GError **error);
/* -object, before what names them. */
bool machine_add_objects(Machine *machine, VitDiagList *diags, GError **error);
void machine_free_netdevs(Machine *machine);
/* Name, to be used as netdev=, of a new port of hub HUB. Ownership: caller. */
char *machine_make_hub_port(Machine *machine, int hub);
/* Pauses on I/O errors as werror/rerror ask, tells of trays. */
void machine_watch_drives(Machine *machine);
const VitPropResolver *machine_resolver(Machine *machine, VitPropResolver *out);
VitChardev *machine_find_chardev(Machine *machine, const char *id);
VitNetPort *machine_find_netdev(Machine *machine, const char *id);
/* Reports ERROR at SRC in DIAGS, and returns false. */
bool machine_plan_error(Machine *machine, VitDiagList *diags, VitPlanSrc src, GError **error);

/* ---- firmware files (firmware-path.c) ---- */

/* Newly allocated path of NAME: as it is when it names a file, else in the -L folders and the
 * system's. NULL: not found. */
char *firmware_find(const Machine *machine, const char *name);
/* Its contents; the error names the folders that were looked in and the package to install. */
GBytes *firmware_load(const Machine *machine, const char *name, GError **error);
/* Calls FUNC for each folder that is looked in without -L. */
void firmware_list_dirs(VitKindFunc func, void *func_data);
