/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The machine's side of the debugger stub (engine/gdb/vit-gdb.h). A vCPU that meets a breakpoint
 * requests MACHINE_REQUEST_DEBUG and waits; the machine thread parks the others and tells the stub.
 * What the debugger wants of single CPUs (held, step) lasts until the next stop, so that a
 * monitor's "cont" always means all of them. Thread: machine thread, device lock held. */

#include "machine-gdb.h"

#include "board.h"
#include "machine-monitor.h"

#include "vit-char.h"
#include "vit-error.h"
#include "vit-gdb.h"
#include "x86-mmu.h"

#include <string.h>

struct MachineGdb {
    VitGdb *stub;
    VitChardev *own; /* made for "gdbserver"; NULL where the plan's is used */
};

/* ---- What the stub asks ---- */

static unsigned
get_n_cpus(void *opaque)
{
    return ((Machine *)opaque)->n_vcpus;
}

static bool
is_running(void *opaque)
{
    return ((Machine *)opaque)->state == VIT_MACHINE_RUNNING;
}

static void
stop(void *opaque)
{
    Machine *machine = opaque;

    machine->debugged = true;
    machine_set_running(machine, false);
}

static void
set_debug(MachineVcpu *vcpu, bool step, bool masks_irqs)
{
    vcpu->cpu.debug.single_step = step;
    vcpu->cpu.debug.step_masks_irqs = masks_irqs;
    vcpu->cpu.executor->debug_changed(&vcpu->cpu);
}

/* A watchpoint that a second CPU met at the same time would be forgotten: it is told of first. */
static bool
report_second_stop(Machine *machine, const VitGdbAction *actions)
{
    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        MachineVcpu *vcpu = &machine->vcpus[i];

        if (vcpu->debug_stopped && actions[i] != VIT_GDB_STAY &&
            vcpu->cpu.debug.stop == VIT_DEBUG_STOP_WATCHPOINT) {
            vcpu->debug_stopped = false;
            vit_gdb_stopped(machine->gdb->stub, i, &vcpu->cpu.debug);
            return true;
        }
        vcpu->debug_stopped = false;
    }
    return false;
}

static bool
resume(void *opaque, const VitGdbAction *actions, bool step_masks_irqs)
{
    Machine *machine = opaque;

    if (machine->state == VIT_MACHINE_STOPPED || machine->state == VIT_MACHINE_FAILED ||
        machine->shut_down || machine->is_qtest) {
        return false;
    }
    if (machine->state == VIT_MACHINE_RUNNING || report_second_stop(machine, actions)) {
        return true;
    }
    g_mutex_lock(&machine->control);
    machine->requests &= ~(uint32_t)MACHINE_REQUEST_DEBUG; /* of a stop that has been seen */
    g_mutex_unlock(&machine->control);
    for (unsigned i = 0; machine->executor->debug_changed && i < machine->n_vcpus; i++) {
        machine->vcpus[i].held = actions[i] == VIT_GDB_STAY;
        set_debug(&machine->vcpus[i], actions[i] == VIT_GDB_STEP, step_masks_irqs);
    }
    machine_set_running(machine, true);
    return true;
}

static void
kill_machine(void *opaque)
{
    machine_request(opaque, MACHINE_REQUEST_SHUTDOWN, VIT_CAUSE_HOST_QUIT, 0);
}

static bool
set_points(void *opaque, const VitDebugPoint *points, unsigned n_points)
{
    Machine *machine = opaque;
    bool was_running = is_running(machine);

    if (!machine->executor->debug_changed) {
        return n_points == 0;
    }
    if (was_running) {
        stop(machine);
    }
    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        VitCpu *cpu = &machine->vcpus[i].cpu;

        cpu->debug.points = points;
        cpu->debug.n_points = n_points;
        cpu->executor->debug_changed(cpu);
    }
    if (was_running) {
        machine_set_running(machine, true);
    }
    return true;
}

static char *
run_monitor(void *opaque, const char *line)
{
    return machine_run_hmp(opaque, line);
}

static X86State *
get_state(void *opaque, unsigned cpu)
{
    return ((Machine *)opaque)->vcpus[cpu].cpu.state;
}

static void
state_changed(void *opaque, unsigned cpu)
{
    VitCpu *vcpu = &((Machine *)opaque)->vcpus[cpu].cpu;

    if (vcpu->executor->sync_in) {
        vcpu->executor->sync_in(vcpu);
    }
}

/* ---- Memory ---- */

/* The physical piece at ADDRESS within its page; false: not mapped or nothing there. */
static bool
find_piece(Machine *machine, unsigned cpu, bool physical, uint64_t address, size_t len,
           uint64_t *out_physical, size_t *out_len)
{
    VitMapped mapped;

    *out_physical = address;
    *out_len = MIN(len, VIT_PAGE_SIZE - (address & (VIT_PAGE_SIZE - 1)));
    if (!physical &&
        !x86_mmu_translate_debug(machine->vcpus[cpu].cpu.state, address, out_physical)) {
        return false;
    }
    vit_address_space_lookup(machine->platform.memory, *out_physical, &mapped);
    if (!mapped.region) {
        return false;
    }
    *out_len = MIN(*out_len, mapped.span);
    return true;
}

static bool
read_memory(void *opaque, unsigned cpu, bool physical, uint64_t address, void *buf, size_t len)
{
    Machine *machine = opaque;
    uint8_t *to = buf;

    while (len) {
        uint64_t at;
        size_t part;

        if (!find_piece(machine, cpu, physical, address, len, &at, &part)) {
            return false;
        }
        vit_address_space_read_bytes(machine->platform.memory, at, to, part);
        address += part;
        to += part;
        len -= part;
    }
    return true;
}

static bool
write_memory(void *opaque, unsigned cpu, bool physical, uint64_t address, const void *buf,
             size_t len)
{
    Machine *machine = opaque;
    const uint8_t *from = buf;

    while (len) {
        VitMapped mapped;
        uint64_t at;
        size_t part;

        if (!find_piece(machine, cpu, physical, address, len, &at, &part)) {
            return false;
        }
        vit_address_space_lookup(machine->platform.memory, at, &mapped);
        if (mapped.host && !mapped.writable) {
            memcpy(mapped.host, from, part); /* ROM: a debugger patches it */
        } else {
            vit_address_space_write_bytes(machine->platform.memory, at, from, part);
        }
        address += part;
        from += part;
        len -= part;
    }
    return true;
}

static const VitGdbHostOps gdb_ops = {
    .get_n_cpus = get_n_cpus,
    .is_running = is_running,
    .stop = stop,
    .resume = resume,
    .kill = kill_machine,
    .set_points = set_points,
    .run_monitor = run_monitor,
    .get_state = get_state,
    .state_changed = state_changed,
    .read_memory = read_memory,
    .write_memory = write_memory,
};

/* ---- What the machine tells ---- */

void
machine_gdb_parked(Machine *machine)
{
    int stopped = -1;

    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        MachineVcpu *vcpu = &machine->vcpus[i];

        if (stopped < 0 && vcpu->debug_stopped) {
            stopped = (int)i;
            vcpu->debug_stopped = false;
        }
        if (vcpu->held || vcpu->cpu.debug.single_step) {
            vcpu->held = false;
            set_debug(vcpu, false, false);
        }
    }
    if (!machine->gdb) {
        return;
    }
    if (stopped >= 0) {
        machine->debugged = true;
        vit_gdb_stopped(machine->gdb->stub, (unsigned)stopped, &machine->vcpus[stopped].cpu.debug);
    } else {
        vit_gdb_paused(machine->gdb->stub);
    }
}

void
machine_gdb_exited(Machine *machine)
{
    if (machine->gdb) {
        vit_gdb_exited(machine->gdb->stub, machine->exit_status);
    }
}

/* ---- Life ---- */

static bool
add_stub(Machine *machine, VitChardev *chr, VitChardev *own, GError **error)
{
    bool has_long_mode = x86_model_has(&machine->cpu_model, X86_FEATURE_LM);
    VitGdb *stub = vit_gdb_new(chr, has_long_mode, &gdb_ops, machine, error);

    if (!stub) {
        return false;
    }
    machine->gdb = g_new0(MachineGdb, 1);
    machine->gdb->stub = stub;
    machine->gdb->own = own;
    return true;
}

bool
machine_add_gdb(Machine *machine, VitDiagList *diags, GError **error)
{
    for (guint i = 0; i < machine->plan->others->len; i++) {
        const VitPlanOther *plan = machine->plan->others->pdata[i];

        if (strcmp(plan->option, "gdb") != 0) {
            continue;
        }
        VitChardev *chr = machine_find_chardev(machine, plan->value);
        if (!chr) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                        "there is no character device \"%s\" for the debugger; add -chardev "
                        "BACKEND,id=%s",
                        plan->value, plan->value);
        }
        if (!chr || !add_stub(machine, chr, NULL, error)) {
            return machine_plan_error(machine, diags, plan->src, error);
        }
    }
    return true;
}

void
machine_free_gdb(Machine *machine)
{
    if (machine->gdb) {
        vit_gdb_free(machine->gdb->stub);
        vit_chardev_free(machine->gdb->own);
        g_clear_pointer(&machine->gdb, g_free);
    }
}

/* The attributes that a TCP device has to have here, as -gdb adds them. */
static VitChardev *
make_chardev(Machine *machine, const char *device, GError **error)
{
    g_autofree char *text = g_str_has_prefix(device, "tcp:")
                                ? g_strconcat(device, ",wait=off,nodelay=on,server=on", NULL)
                                : g_strdup(device);
    g_autoptr(VitChardevText) parsed = vit_chardev_text_parse(text, error);
    g_autoptr(VitChardev) chr = parsed ? vit_char_make_from_text(parsed, "gdb", error) : NULL;

    if (!chr || !vit_chardev_open(chr, machine->context, &machine->lock, error)) {
        return NULL;
    }
    return g_steal_pointer(&chr);
}

bool
machine_set_gdb(Machine *machine, const char *device, GError **error)
{
    VitChardev *chr;

    machine_free_gdb(machine);
    if (!device || strcmp(device, "none") == 0) {
        return true;
    }
    if (g_str_has_prefix(device, "chardev:")) {
        chr = machine_find_chardev(machine, device + strlen("chardev:"));
        if (!chr) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                        "there is no character device \"%s\"", device + strlen("chardev:"));
        }
        return chr && add_stub(machine, chr, NULL, error);
    }
    chr = make_chardev(machine, device, error);
    if (!chr) {
        return false;
    }
    if (!add_stub(machine, chr, chr, error)) {
        vit_chardev_free(chr);
        return false;
    }
    return true;
}
