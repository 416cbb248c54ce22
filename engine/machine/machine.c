/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* From a configuration to a machine that stands still at its reset vector: what is made in which
 * order, and undone in reverse. Also what devices may ask of their machine (VitPlatformOps). */

#include "board.h"
#include "machine-gdb.h"
#include "machine-icount.h"
#include "machine-qtest.h"
#include "machine-monitor.h"

#include "vit-error.h"

#include <string.h>
#include <sys/random.h>

/* ---- What devices ask ---- */

static void
on_request_reset(void *opaque, VitShutdownCause cause)
{
    machine_request(opaque, MACHINE_REQUEST_RESET, cause, 0);
}

static void
on_request_shutdown(void *opaque, VitShutdownCause cause, int status)
{
    machine_request(opaque, MACHINE_REQUEST_SHUTDOWN, cause, status);
}

static void
on_request_suspend(void *opaque)
{
    machine_request(opaque, MACHINE_REQUEST_SUSPEND, VIT_CAUSE_GUEST_SHUTDOWN, 0);
}

static void
on_set_a20(void *opaque, bool enabled)
{
    Machine *machine = opaque;

    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        vit_cpu_set_a20(&machine->vcpus[i].cpu, enabled);
    }
}

static void
on_raise_smi(void *opaque)
{
    Machine *machine = opaque;

    if (machine->board->raise_smi) {
        machine->board->raise_smi(machine);
    }
}

static void
on_raise_nmi(void *opaque)
{
    Machine *machine = opaque;

    if (machine->board->raise_nmi) {
        machine->board->raise_nmi(machine);
    }
}

static void
on_random_bytes(void *opaque, void *buf, size_t len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t got = getrandom((char *)buf + done, len - done, 0);

        if (got > 0) {
            done += got;
        }
    }
}

static void
on_event(void *opaque, const char *name, const char *json_data)
{
    machine_post_event(opaque, name, json_data);
}

static char *
on_find_firmware(void *opaque, const char *name)
{
    return firmware_find(opaque, name);
}

static void
on_guest_error(void *opaque, const char *line)
{
    machine_post_guest_error(opaque, line);
    machine_log_guest_error(opaque, line);
}

static const VitPlatformOps platform_ops = {
    .request_reset = on_request_reset,
    .request_shutdown = on_request_shutdown,
    .request_suspend = on_request_suspend,
    .set_a20 = on_set_a20,
    .raise_smi = on_raise_smi,
    .raise_nmi = on_raise_nmi,
    .random_bytes = on_random_bytes,
    .event = on_event,
    .find_firmware = on_find_firmware,
    .guest_error = on_guest_error,
};

/* Monitors hear of every event, and so does the application. */
void
machine_post_event(Machine *machine, const char *name, const char *json_data)
{
    machine_monitor_event(machine, name, json_data);
    machine_post_event_to_app(machine, name, json_data);
}

/* ---- Maps and clock ---- */

static void
machine_make_platform(Machine *machine)
{
    vit_lock_init(&machine->lock);
    g_mutex_init(&machine->control);
    g_cond_init(&machine->parked_changed);
    machine->context = g_main_context_new();
    machine->clock =
        vit_clock_new(&machine->lock, machine->is_qtest               ? VIT_CLOCK_STEPPED
                                      : machine_wants_icount(machine) ? VIT_CLOCK_COUNTED
                                                                      : VIT_CLOCK_REALTIME);
    machine->maps = vit_map_domain_new(&machine->lock);
    vit_region_init_container(&machine->memory_root, "system", UINT64_MAX);
    vit_region_init_container(&machine->io_root, "io", 0x10000);
    machine->platform = (VitPlatform){
        .lock = &machine->lock,
        .clock = machine->clock,
        .maps = machine->maps,
        .memory = vit_address_space_new(machine->maps, "memory", &machine->memory_root),
        .io = vit_address_space_new(machine->maps, "I/O", &machine->io_root),
        .memory_root = &machine->memory_root,
        .io_root = &machine->io_root,
        .input = vit_input_hub_new(),
        .consoles = g_ptr_array_new(),
        .context = machine->context,
        .ram_bytes = machine->plan->ram_bytes,
        .ops = &platform_ops,
        .opaque = machine,
    };
    machine->devices = g_ptr_array_new();
    vit_bus_init(&machine->main_bus, VIT_BUS_NONE, "main-system-bus", NULL, &machine->platform);
    machine->chardevs = g_ptr_array_new_with_free_func((GDestroyNotify)vit_chardev_free);
    machine->netdevs = g_ptr_array_new();
    machine->hubs = g_ptr_array_new();
    machine->viewers = g_ptr_array_new();
    machine->live_plans = g_ptr_array_new_with_free_func((GDestroyNotify)vit_machine_plan_free);
}

static void
machine_free_platform(Machine *machine)
{
    vit_address_space_free(machine->platform.memory);
    vit_address_space_free(machine->platform.io);
    vit_region_finish(&machine->memory_root);
    vit_region_finish(&machine->io_root);
    vit_map_domain_free(machine->maps);
    vit_ram_block_free(machine->ram);
    vit_input_hub_free(machine->platform.input);
    g_ptr_array_unref(machine->platform.consoles);
    vit_clock_free(machine->clock);
    g_main_context_unref(machine->context);
    g_cond_clear(&machine->parked_changed);
    g_mutex_clear(&machine->control);
    vit_lock_finish(&machine->lock);
}

static bool
machine_set_clock(Machine *machine, VitDiagList *diags, GError **error)
{
    const VitMachinePlan *plan = machine->plan;
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autoptr(GDateTime) base = NULL;
    int64_t sec = g_date_time_to_unix(now);

    if (plan->rtc_base == VIT_PLAN_RTC_LOCALTIME) {
        g_autoptr(GDateTime) local = g_date_time_to_local(now);
        sec += g_date_time_get_utc_offset(local) / G_TIME_SPAN_SECOND;
    } else if (plan->rtc_base == VIT_PLAN_RTC_DATETIME) {
        g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
        g_autofree char *full = strchr(plan->rtc_datetime, 'T')
                                    ? g_strdup(plan->rtc_datetime)
                                    : g_strconcat(plan->rtc_datetime, "T00:00:00", NULL);
        base = g_date_time_new_from_iso8601(full, utc);
        if (!base) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                        "-rtc base=%s is not a date such as 2006-06-17T16:01:21",
                        plan->rtc_datetime);
            return false;
        }
        sec = g_date_time_to_unix(base);
    }
    vit_clock_set_wall_base(machine->clock, sec,
                            plan->rtc_clock == VIT_PLAN_CLOCK_HOST &&
                                plan->rtc_base != VIT_PLAN_RTC_DATETIME);
    return true;
}

/* ---- CPUs ---- */

static bool
machine_choose_accel(Machine *machine, VitDiagList *diags, GError **error)
{
    for (guint i = 0; i < machine->plan->accels->len; i++) {
        const VitPlanAccel *accel = machine->plan->accels->pdata[i];
        g_clear_error(error);
        if (machine_try_accel(machine, accel, error)) {
            return true;
        }
        if (i + 1 < machine->plan->accels->len && error && *error) {
            g_printerr("-accel %s: %s; trying %s\n", accel->name, (*error)->message,
                       ((const VitPlanAccel *)machine->plan->accels->pdata[i + 1])->name);
        } else {
            return machine_plan_error(machine, diags, accel->src, error);
        }
    }
    return false;
}

/* Ids from 255 up can only be reached in x2APIC mode. */
static bool
machine_check_apic_ids(Machine *machine, VitDiagList *diags, GError **error)
{
    const VitMachinePlan *plan = machine->plan;
    uint32_t last = x86_topology_apic_id(&machine->cpu_model, plan->max_cpus - 1);

    if (last < 255 || x86_model_has(&machine->cpu_model, X86_FEATURE_X2APIC)) {
        return true;
    }
    g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                "the last of %u CPUs would have the APIC id %u, and without x2APIC ids end at 254: "
                "use -accel tcg and a CPU model that has it, as in -cpu %s,+x2apic, or fewer CPUs",
                plan->max_cpus, last, machine->cpu_model.name);
    return machine_plan_error(machine, diags, plan->smp_src, error);
}

static bool
machine_choose_cpu(Machine *machine, VitDiagList *diags, GError **error)
{
    const VitMachinePlan *plan = machine->plan;
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    uint64_t offered[X86_FEATURE_WORDS];
    g_autoptr(GString) text =
        g_string_new(plan->cpu_model ? plan->cpu_model : machine->board->default_cpu);

    for (unsigned i = 0; i < plan->cpu_props.n_props; i++) {
        const VitPlanProp *prop = &plan->cpu_props.props[i];
        g_string_append_printf(text, ",%s=%s", prop->key, prop->value);
    }
    if (machine->kvm) {
        vit_kvm_features(machine->kvm, offered);
    } else {
        x86_interpreter_features(offered);
    }
    if (!x86_model_resolve(text->str, offered, machine->kvm != NULL, &machine->cpu_model, warnings,
                           error)) {
        return machine_plan_error(machine, diags, plan->cpu_src, error);
    }
    if (machine->kvm) {
        vit_kvm_settle_model(machine->kvm, &machine->cpu_model);
    }
    for (guint i = 0; i < warnings->len; i++) {
        g_printerr("warning: %s\n", (const char *)warnings->pdata[i]);
    }
    x86_topology_set(&machine->cpu_model, plan->sockets, plan->dies, plan->cores, plan->threads);
    return machine_check_apic_ids(machine, diags, error);
}

/* CPUs keep translations of what they have seen of the map: a change makes them look again. */
static void
on_map_changed(void *opaque, VitAddressSpace *space, const VitFlatView *old_view,
               const VitFlatView *new_view)
{
    Machine *machine = opaque;

    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        vit_cpu_raise(&machine->vcpus[i].cpu, VIT_CPU_EVENT_MAP_CHANGED);
    }
}

static void
machine_watch_maps(Machine *machine)
{
    vit_address_space_add_listener(machine->platform.memory, on_map_changed, machine);
    if (machine->memory_smm) {
        vit_address_space_add_listener(machine->memory_smm, on_map_changed, machine);
    }
    on_map_changed(machine, NULL, NULL, NULL);
}

/* ---- Build ---- */

static bool
machine_check_limits(Machine *machine, VitDiagList *diags, GError **error)
{
    const VitMachinePlan *plan = machine->plan;

    if (plan->max_cpus > machine->board->max_cpus) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "the board %s takes at most %u CPUs, not %u: give -smp a smaller number",
                    machine->board->name, machine->board->max_cpus, plan->max_cpus);
        return machine_plan_error(machine, diags, plan->smp_src, error);
    }
    if (plan->ram_bytes > machine->board->max_ram_bytes || plan->ram_bytes < VIT_MIB) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "the board %s takes 1 MiB to %" G_GUINT64_FORMAT " GiB of memory: change -m",
                    machine->board->name, (guint64)(machine->board->max_ram_bytes / VIT_GIB));
        return machine_plan_error(machine, diags, plan->ram_src, error);
    }
    return true;
}

/* -icount needs an executor that counts. */
static bool
machine_check_count(Machine *machine, GError **error)
{
    if (!machine->icount) {
        return true;
    }
    if (!machine->executor->count || machine->is_qtest) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "-icount counts instructions, which -accel %s does not: use -accel tcg",
                    machine->accel_name);
        return false;
    }
    machine_start_icount(machine);
    return true;
}

static bool
machine_build(Machine *machine, VitDiagList *diags, GError **error)
{
    const VitMachinePlan *plan = machine->plan;

    if (!machine_start_log(machine, error)) {
        return false;
    }
    machine->board = board_find(plan->machine, error);
    if (!machine->board) {
        return machine_plan_error(machine, diags, plan->machine_src, error);
    }
    if (!machine_check_limits(machine, diags, error) ||
        !machine_read_icount(machine, diags, error) ||
        !machine_choose_accel(machine, diags, error) ||
        !machine_choose_cpu(machine, diags, error)) {
        return false;
    }
    machine->blk = blk_graph_new(machine->context, &machine->lock, error);
    if (!machine->blk) {
        return false;
    }
    machine_watch_drives(machine);
    if (!machine_set_clock(machine, diags, error) || !machine_add_backends(machine, diags, error)) {
        return false;
    }
    machine->ram = vit_ram_block_new("pc.ram", plan->ram_bytes, error);
    if (!machine->ram) {
        return machine_plan_error(machine, diags, plan->ram_src, error);
    }
    if (!machine_vcpus_create(machine, error) || !machine_check_count(machine, error) ||
        !machine->board->build(machine, diags, error)) {
        return false;
    }
    machine_watch_maps(machine);
    return machine_add_plan_devices(machine, diags, error) &&
           machine->board->finish(machine, error) && machine_add_monitors(machine, diags, error) &&
           machine_add_gdb(machine, diags, error) && machine_add_qtest(machine, diags, error);
}

static bool
machine_parse(Machine *machine, VitDiagList *diags, GError **error)
{
    g_autoptr(VitDiagList) found = vit_diag_list_new();
    VitDiagList *list = diags ? diags : found;

    vit_config_validate(machine->config, vit_engine_get_registry(), list);
    if (vit_diag_list_to_error(list, error)) {
        machine->plan = vit_config_normalize(machine->config, list);
    } else {
        return false;
    }
    if (!machine->plan) {
        if (vit_diag_list_to_error(list, error)) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED, "the configuration contradicts itself");
        }
        return false;
    }
    return true;
}

Machine *
machine_new(VitConfig *config, GMainContext *app_context, VitDiagList *diags, GError **error)
{
    g_autoptr(GError) local_error = NULL;
    Machine *machine = g_new0(Machine, 1);
    bool ok;

    machine->config = vit_config_copy(config);
    machine->app_context = g_main_context_ref(app_context);
    if (!machine_parse(machine, diags, error)) {
        g_clear_pointer(&machine->plan, vit_machine_plan_free);
        g_object_unref(machine->config);
        g_main_context_unref(machine->app_context);
        g_free(machine);
        return NULL;
    }
    for (guint i = 0; i < machine->plan->accels->len; i++) {
        const VitPlanAccel *accel = machine->plan->accels->pdata[i];
        machine->is_qtest |= strcmp(accel->name, "qtest") == 0;
    }
    machine_make_platform(machine);
    vit_lock_take(&machine->lock);
    ok = machine_build(machine, diags, &local_error);
    if (ok) {
        machine_reset_devices(machine);
    }
    vit_lock_release(&machine->lock);
    if (!ok) {
        if (!local_error) {
            g_set_error(&local_error, VIT_ERROR, VIT_ERROR_FAILED, "the machine cannot be built");
        }
        machine_free(machine);
        g_propagate_error(error, g_steal_pointer(&local_error));
        return NULL;
    }
    return machine;
}

/* Everything in reverse; also of a machine that was half built. No thread of it runs any more. */
void
machine_free(Machine *machine)
{
    vit_lock_take(&machine->lock);
    machine_free_qtest(machine);
    machine_free_gdb(machine);
    machine_free_monitors(machine);
    if (machine->blk) {
        blk_graph_drain(machine->blk);
    }
    while (machine->devices->len) {
        VitDevice *dev = machine->devices->pdata[machine->devices->len - 1];
        g_ptr_array_remove_index(machine->devices, machine->devices->len - 1);
        vit_device_free(dev);
    }
    if (machine->board && machine->board->free_data) {
        machine->board->free_data(machine);
    }
    machine_vcpus_destroy(machine);
    machine_free_backends(machine);
    vit_lock_release(&machine->lock);
    g_ptr_array_unref(machine->devices);
    vit_bus_finish(&machine->main_bus);
    g_ptr_array_unref(machine->netdevs);
    g_ptr_array_unref(machine->hubs);
    machine_free_platform(machine);
    machine_free_icount(machine);
    vit_log_free(machine->log);
    vit_machine_plan_free(machine->plan);
    g_ptr_array_unref(machine->live_plans);
    g_ptr_array_unref(machine->viewers);
    g_object_unref(machine->config);
    g_main_context_unref(machine->app_context);
    g_free(machine->failure);
    g_free(machine);
}

/* ---- Reset and power ---- */

void
machine_reset_devices(Machine *machine)
{
    vit_map_begin(machine->maps);
    for (guint i = 0; i < machine->devices->len; i++) {
        vit_device_reset(machine->devices->pdata[i]);
    }
    vit_map_commit(machine->maps);
    on_set_a20(machine, true);
    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        MachineVcpu *vcpu = &machine->vcpus[i];

        vcpu->crashed = false;
        vit_cpu_lower(&vcpu->cpu, ~0u);
        machine->executor->reset(&vcpu->cpu);
        vit_cpu_raise(&vcpu->cpu, VIT_CPU_EVENT_MAP_CHANGED);
    }
    if (machine->board->reset_done) {
        machine->board->reset_done(machine);
    }
}

void
machine_power_button(Machine *machine)
{
    machine_post_event(machine, "POWERDOWN", NULL);
    if (machine->board->power_button) {
        machine->board->power_button(machine);
    }
}

void
machine_flush_drives(Machine *machine)
{
    g_autoptr(GError) error = NULL;

    blk_graph_drain(machine->blk);
    if (!blk_graph_flush(machine->blk, &error)) {
        g_printerr("%s\n", error->message);
    }
}
