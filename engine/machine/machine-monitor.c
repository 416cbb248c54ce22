/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What monitors need of a machine, answered from the machine's parts. Runs on the machine thread
 * with the device lock held. */

#include "machine-monitor.h"

#include "board.h"
#include "machine-gdb.h"

#include "control/blk-control.h"
#include "hw-kinds.h"
#include "vit-error.h"
#include "vit-monitor.h"
#include "vit-net.h"

#include "x86-log.h"
#include "x86-mmu.h"
#include "x86-system.h"

#include <string.h>

struct MachineMonitors {
    VitMonitors *list;
    GPtrArray *ports; /* VitNetPort*, refilled at each question */
};

/* ---- Running ---- */

static VitRunState
get_status(void *opaque)
{
    Machine *machine = opaque;

    switch (machine->state) {
    case VIT_MACHINE_RUNNING: return VIT_RUN_RUNNING;
    case VIT_MACHINE_STOPPED: return VIT_RUN_SHUTDOWN;
    case VIT_MACHINE_FAILED: return VIT_RUN_INTERNAL_ERROR;
    default:
        if (machine->debugged) {
            return VIT_RUN_DEBUG;
        }
        if (machine->io_stopped) {
            return VIT_RUN_IO_ERROR;
        }
        return machine->has_run ? machine->shut_down ? VIT_RUN_SHUTDOWN : VIT_RUN_PAUSED
                                : VIT_RUN_PRELAUNCH;
    }
}

static bool
stop(void *opaque, GError **error)
{
    machine_set_running(opaque, false);
    return true;
}

static bool
cont(void *opaque, GError **error)
{
    Machine *machine = opaque;

    if (machine->state == VIT_MACHINE_STOPPED || machine->state == VIT_MACHINE_FAILED ||
        machine->shut_down) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_STATE, "Resetting the Virtual Machine is required");
        return false;
    }
    machine_set_running(machine, true);
    return true;
}

static bool
reset(void *opaque, GError **error)
{
    machine_request(opaque, MACHINE_REQUEST_RESET, VIT_CAUSE_HOST_RESET, 0);
    return true;
}

static bool
powerdown(void *opaque, GError **error)
{
    machine_power_button(opaque);
    return true;
}

static void
quit(void *opaque)
{
    machine_request(opaque, MACHINE_REQUEST_SHUTDOWN, VIT_CAUSE_HOST_QUIT, 0);
}

static void
get_identity(void *opaque, VitMonitorIdentity *out)
{
    Machine *machine = opaque;

    *out = (VitMonitorIdentity){
        .machine = machine->board->name,
        .accel = machine->accel_name,
        .name = machine->plan->name,
        .uuid = machine->plan->uuid,
        .ram_bytes = machine->plan->ram_bytes,
        .kvm_present = g_file_test("/dev/kvm", G_FILE_TEST_EXISTS),
    };
}

/* ---- CPUs ---- */

static unsigned
get_n_cpus(void *opaque)
{
    return ((Machine *)opaque)->n_vcpus;
}

static void
get_cpu(void *opaque, unsigned cpu, VitMonitorCpu *out)
{
    Machine *machine = opaque;
    const VitMachinePlan *plan = machine->plan;
    const X86State *state = machine->vcpus[cpu].cpu.state;
    unsigned per_core = plan->threads, per_die = per_core * plan->cores,
             per_socket = per_die * plan->dies;

    *out = (VitMonitorCpu){
        .thread_id = machine->vcpus[cpu].host_thread_id,
        .socket = cpu / per_socket,
        .die = cpu / per_die % plan->dies,
        .core = cpu / per_core % plan->cores,
        .thread = cpu % per_core,
        .halted = state->activity != X86_ACTIVE,
    };
}

static void
dump_registers(void *opaque, unsigned cpu, GString *out)
{
    bool held = machine_vcpus_hold(opaque);

    machine_dump_registers(opaque, cpu, out);
    machine_vcpus_release(opaque, held);
}

static bool
get_register(void *opaque, unsigned cpu, const char *name, uint64_t *out_value)
{
    bool held = machine_vcpus_hold(opaque);
    bool known = machine_get_register(opaque, cpu, name, out_value);

    machine_vcpus_release(opaque, held);
    return known;
}

static bool
translate(void *opaque, unsigned cpu, uint64_t guest_virtual, uint64_t *out_guest_physical)
{
    Machine *machine = opaque;
    bool held = machine_vcpus_hold(machine);
    bool mapped =
        x86_mmu_translate_debug(machine->vcpus[cpu].cpu.state, guest_virtual, out_guest_physical);

    machine_vcpus_release(machine, held);
    return mapped;
}

static void
inject_nmi(void *opaque)
{
    Machine *machine = opaque;

    if (machine->board->raise_nmi) {
        machine->board->raise_nmi(machine);
    }
}

static bool
info(void *opaque, const char *topic, unsigned cpu, GString *out, GError **error)
{
    bool held = machine_vcpus_hold(opaque);
    bool known = machine_info(opaque, topic, cpu, out, error);

    machine_vcpus_release(opaque, held);
    return known;
}

static bool
set_log_items(void *opaque, const char *items, GError **error)
{
    return machine_set_log_items(opaque, items, error);
}

static bool
set_log_file(void *opaque, const char *path, GError **error)
{
    return machine_set_log_file(opaque, path, error);
}

static unsigned
disassemble(void *opaque, unsigned cpu, uint64_t guest_virtual, const uint8_t *bytes, size_t len,
            GString *out)
{
    const X86State *s = ((Machine *)opaque)->vcpus[cpu].cpu.state;
    unsigned code_size = x86_code64(s) ? 8 : s->seg[X86_CS].attr & X86_SEG_DB ? 4 : 2;

    return x86_disassemble(bytes, len, code_size, guest_virtual, out);
}

static bool
set_gdb_server(void *opaque, const char *device, GError **error)
{
    return machine_set_gdb(opaque, device, error);
}

/* ---- Devices ---- */

static VitBus *
get_main_bus(void *opaque)
{
    return &((Machine *)opaque)->main_bus;
}

static VitPciBus *
get_pci_bus(void *opaque)
{
    return (VitPciBus *)machine_find_bus(opaque, "pci.0");
}

static const GPtrArray *
get_chardevs(void *opaque)
{
    return ((Machine *)opaque)->chardevs;
}

static const GPtrArray *
get_net_ports(void *opaque)
{
    Machine *machine = opaque;
    GPtrArray *ports = machine->monitors->ports;

    g_ptr_array_set_size(ports, 0);
    for (guint i = 0; i < machine->netdevs->len; i++) {
        VitNetPort *port = &((VitNetdev *)machine->netdevs->pdata[i])->port;

        if (port->peer) {
            g_ptr_array_add(ports, port->peer);
        }
        g_ptr_array_add(ports, port);
    }
    return ports;
}

static const GPtrArray *
get_iothreads(void *opaque)
{
    return ((Machine *)opaque)->iothreads;
}

static const VitDeviceKind *const *
get_kinds(void *opaque)
{
    return vit_hw_kinds;
}

static VitMonitorBoard *
get_boards(void *opaque, unsigned *out_count)
{
    unsigned count = 0;
    VitMonitorBoard *boards;

    while (board_get(count)) {
        count++;
    }
    boards = g_new0(VitMonitorBoard, count);
    for (unsigned i = 0; i < count; i++) {
        const Board *board = board_get(i);

        boards[i] = (VitMonitorBoard){ board->name, NULL, board->title, board->max_cpus, i == 0 };
    }
    *out_count = count;
    return boards;
}

static bool
device_add(void *opaque, const char *driver, const char *const *keys, const char *const *values,
           GError **error)
{
    return machine_device_add(opaque, driver, keys, values, error);
}

static bool
device_del(void *opaque, const char *id, GError **error)
{
    return machine_device_del(opaque, id, error);
}

/* ---- Storage ---- */

typedef struct DriveList {
    Machine *machine;
    GPtrArray *list;
} DriveList;

VitDevice *
machine_drive_device(Machine *machine, VitDrive *drive)
{
    for (guint i = 0; i < machine->devices->len; i++) {
        VitDevice *dev = machine->devices->pdata[i];

        for (const VitProp *prop = dev->kind->props; prop && prop->name; prop++) {
            if (prop->type == VIT_PROP_TYPE_DRIVE &&
                *(VitDrive **)((char *)dev + prop->offset) == drive) {
                return dev;
            }
        }
    }
    return NULL;
}

static const char *
drive_user(Machine *machine, VitDrive *drive)
{
    VitDevice *dev = machine_drive_device(machine, drive);

    return dev ? dev->id ? dev->id : dev->path : NULL;
}

static void
add_drive_row(void *opaque, VitDrive *drive)
{
    DriveList *list = opaque;
    VitMonitorDrive *row = g_new0(VitMonitorDrive, 1);
    BlkDriveInfo drive_info;

    blk_drive_get_info(drive, &drive_info);
    row->id = drive_info.id;
    row->qdev = drive_user(list->machine, drive);
    row->removable = drive_info.removable;
    row->locked = drive_info.locked;
    row->has_tray = drive_info.has_tray;
    row->tray_open = drive_info.tray_open;
    row->inserted = drive_info.node != NULL;
    row->writeback = !drive_info.write_through;
    row->io_status = drive_info.stopped ? "failed" : "ok";
    if (drive_info.node) {
        BlkNodeInfo node;

        blk_node_get_info(drive_info.node, &node);
        row->file = node.filename;
        row->driver = node.driver;
        row->node_name = node.node_name;
        row->read_only = node.read_only;
        row->direct = node.cache_direct;
        row->no_flush = node.no_flush;
        row->virtual_bytes = node.len_bytes;
        row->actual_bytes = MAX(node.allocated_bytes, 0);
    }
    g_ptr_array_add(list->list, row);
}

static GPtrArray *
get_drives(void *opaque)
{
    DriveList list = { opaque, g_ptr_array_new_with_free_func(g_free) };

    blk_graph_each_drive(list.machine->blk, add_drive_row, &list);
    return list.list;
}

/* DEV may be NULL. */
static VitDrive *
drive_of_device(VitDevice *dev)
{
    for (const VitProp *prop = dev ? dev->kind->props : NULL; prop && prop->name; prop++) {
        if (prop->type == VIT_PROP_TYPE_DRIVE) {
            VitDrive *drive = *(VitDrive **)((char *)dev + prop->offset);

            if (drive) {
                return drive;
            }
        }
    }
    return NULL;
}

VitDrive *
machine_find_drive(Machine *machine, const char *name, GError **error)
{
    VitDrive *drive = drive_of_device(machine_find_device(machine, name));

    return drive ? drive : blk_graph_find_drive(machine->blk, name, error);
}

static bool
drive_add(void *opaque, const char *options, bool as_node, GError **error)
{
    return as_node ? machine_plug_node(opaque, options, error)
                   : machine_plug_drive(opaque, options, error);
}

static bool
drive_del(void *opaque, const char *id, GError **error)
{
    return blk_graph_remove_drive(((Machine *)opaque)->blk, id, error);
}

static bool
eject(void *opaque, const char *name, bool force, GError **error)
{
    VitDrive *drive = machine_find_drive(opaque, name, error);

    return drive && blk_drive_eject(drive, force, error);
}

static bool
change_medium(void *opaque, const char *name, const char *file, const char *format,
              VitMonitorAccess access, bool force, GError **error)
{
    static const char *const modes[] = { "retain", "read-only", "read-write" };
    VitDrive *drive = machine_find_drive(opaque, name, error);

    return drive && blk_drive_change(drive, file, format, modes[access], force, error);
}

static bool
set_tray(void *opaque, const char *name, bool open, bool force, GError **error)
{
    VitDrive *drive = machine_find_drive(opaque, name, error);

    return drive &&
           (open ? blk_drive_open_tray(drive, force, error) : blk_drive_close_tray(drive, error));
}

static VitDrive *
find_drive_for_block(void *opaque, const char *name, GError **error)
{
    VitDevice *dev = machine_find_device(opaque, name);
    VitDrive *drive = drive_of_device(dev);

    if (!drive) {
        g_set_error(error, VIT_ERROR, dev ? VIT_ERROR_INVALID_ARGUMENT : VIT_ERROR_NOT_FOUND,
                    dev ? "Device '%s' does not have a block device backend"
                        : "Device '%s' not found",
                    name);
    }
    return drive;
}

static const char *
drive_user_for_block(void *opaque, VitDrive *drive)
{
    return drive_user(opaque, drive);
}

static JsonNode *
block(void *opaque, const char *command, JsonObject *args, GError **error)
{
    Machine *machine = opaque;
    const BlkControlHost host = { find_drive_for_block, drive_user_for_block, machine };

    return blk_control_run(machine->blk, &host, command, args, error);
}

typedef struct Commit {
    GError **error;
    bool ok;
} Commit;

static void
commit_one(void *opaque, VitDrive *drive)
{
    Commit *commit = opaque;

    if (commit->ok) {
        commit->ok = blk_drive_commit(drive, commit->error);
    }
}

static bool
commit(void *opaque, const char *name, GError **error)
{
    Machine *machine = opaque;
    Commit all = { error, true };
    VitDrive *drive;

    if (strcmp(name, "all") == 0) {
        blk_graph_each_drive(machine->blk, commit_one, &all);
        return all.ok;
    }
    drive = machine_find_drive(machine, name, error);
    return drive && blk_drive_commit(drive, error);
}

/* ---- Network ---- */

static void
describe_usernet(void *opaque, GString *out)
{
    Machine *machine = opaque;

    for (guint i = 0; i < machine->netdevs->len; i++) {
        VitNetdev *netdev = machine->netdevs->pdata[i];

        if (vit_net_is_user(netdev)) {
            g_autofree char *text = vit_net_user_info(netdev);
            g_string_append(out, text);
        }
    }
}

static bool
hostfwd(void *opaque, const char *name, const char *rule, bool add, GError **error)
{
    Machine *machine = opaque;

    for (guint i = 0; i < machine->netdevs->len; i++) {
        VitNetdev *netdev = machine->netdevs->pdata[i];

        if (vit_net_is_user(netdev) && (!name || g_strcmp0(netdev->id, name) == 0)) {
            return add ? vit_net_user_add_hostfwd(netdev, rule, error)
                       : vit_net_user_remove_hostfwd(netdev, rule, error);
        }
    }
    g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND, "there is no user network back end%s%s",
                name ? " " : "", name ? name : "");
    return false;
}

/* ---- Table ---- */

static const VitMonitorHostOps host_ops = {
    .get_status = get_status,
    .stop = stop,
    .cont = cont,
    .reset = reset,
    .powerdown = powerdown,
    .quit = quit,
    .get_identity = get_identity,
    .get_n_cpus = get_n_cpus,
    .get_cpu = get_cpu,
    .dump_registers = dump_registers,
    .get_register = get_register,
    .translate = translate,
    .inject_nmi = inject_nmi,
    .info = info,
    .set_gdb_server = set_gdb_server,
    .set_log_items = set_log_items,
    .set_log_file = set_log_file,
    .disassemble = disassemble,
    .get_main_bus = get_main_bus,
    .get_pci_bus = get_pci_bus,
    .get_chardevs = get_chardevs,
    .get_net_ports = get_net_ports,
    .get_iothreads = get_iothreads,
    .get_kinds = get_kinds,
    .get_boards = get_boards,
    .device_add = device_add,
    .device_del = device_del,
    .get_drives = get_drives,
    .drive_add = drive_add,
    .drive_del = drive_del,
    .eject = eject,
    .change_medium = change_medium,
    .set_tray = set_tray,
    .commit = commit,
    .block = block,
    .get_cpu_definitions = machine_cpu_definitions,
    .expand_cpu_model = machine_expand_cpu_model,
    .describe_usernet = describe_usernet,
    .hostfwd = hostfwd,
};

bool
machine_add_monitors(Machine *machine, VitDiagList *diags, GError **error)
{
    machine->monitors = g_new0(MachineMonitors, 1);
    machine->monitors->ports = g_ptr_array_new();
    machine->monitors->list = vit_monitors_new(&host_ops, machine, &machine->platform);
    for (guint i = 0; i < machine->plan->monitors->len; i++) {
        const VitPlanMonitor *plan = machine->plan->monitors->pdata[i];
        VitChardev *chr = machine_find_chardev(machine, plan->chardev);
        VitMonitorMode mode = !plan->is_qmp  ? VIT_MONITOR_HMP
                              : plan->pretty ? VIT_MONITOR_QMP_PRETTY
                                             : VIT_MONITOR_QMP;

        if (!chr) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                        "there is no character device \"%s\" for the monitor", plan->chardev);
            return machine_plan_error(machine, diags, plan->src, error);
        }
        if (!vit_monitors_add(machine->monitors->list, chr, mode, error)) {
            return machine_plan_error(machine, diags, plan->src, error);
        }
    }
    return true;
}

void
machine_free_monitors(Machine *machine)
{
    if (machine->monitors) {
        vit_monitors_free(machine->monitors->list);
        g_ptr_array_unref(machine->monitors->ports);
        g_clear_pointer(&machine->monitors, g_free);
    }
}

void
machine_monitor_event(Machine *machine, const char *name, const char *json_data)
{
    if (machine->monitors) {
        vit_monitors_emit(machine->monitors->list, name, json_data);
    }
}

char *
machine_run_hmp(Machine *machine, const char *line)
{
    return vit_monitors_run_hmp(machine->monitors->list, line);
}

char **
machine_complete_hmp(Machine *machine, const char *line)
{
    return vit_monitors_complete(machine->monitors->list, line);
}
