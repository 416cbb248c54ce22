/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What "info" tells about the machine as a whole. Thread: device lock held. */

#include "hmp.h"

#include <inttypes.h>
#include <string.h>

#include "vit-error.h"

void
hmp_info_status(HmpCall *call)
{
    VitMonitors *monitors = call->monitors;
    VitRunState state = VIT_RUN_PAUSED;

    if (monitors->ops->get_status) {
        state = monitors->ops->get_status(monitors->host);
    }
    if (state == VIT_RUN_RUNNING || state == VIT_RUN_PAUSED) {
        hmp_print(call, "VM status: %s\n", mon_run_state_name(state));
    } else {
        hmp_print(call, "VM status: paused (%s)\n", mon_run_state_name(state));
    }
}

void
hmp_info_version(HmpCall *call)
{
    hmp_print(call, "%d.%d.%d (Vitrine %s)\n", MON_VERSION_MAJOR, MON_VERSION_MINOR,
              MON_VERSION_MICRO, VIT_VERSION);
}

static VitMonitorIdentity
get_identity(HmpCall *call)
{
    VitMonitorIdentity identity = { 0 };

    if (call->monitors->ops->get_identity) {
        call->monitors->ops->get_identity(call->monitors->host, &identity);
    }
    return identity;
}

void
hmp_info_name(HmpCall *call)
{
    VitMonitorIdentity identity = get_identity(call);

    if (identity.name) {
        hmp_print(call, "%s\n", identity.name);
    }
}

void
hmp_info_uuid(HmpCall *call)
{
    VitMonitorIdentity identity = get_identity(call);

    hmp_print(call, "%s\n", identity.uuid ? identity.uuid : "00000000-0000-0000-0000-000000000000");
}

void
hmp_info_kvm(HmpCall *call)
{
    VitMonitorIdentity identity = get_identity(call);

    if (!identity.kvm_present) {
        hmp_print(call, "kvm support: not compiled\n");
    } else {
        hmp_print(call, "kvm support: %s\n",
                  g_strcmp0(identity.accel, "kvm") == 0 ? "enabled" : "disabled");
    }
}

void
hmp_info_memory_size_summary(HmpCall *call)
{
    VitMonitorIdentity identity = get_identity(call);

    hmp_print(call, "base memory: %" PRIu64 "\nplugged memory: 0\n", identity.ram_bytes);
}

void
hmp_info_cpus(HmpCall *call)
{
    VitMonitors *monitors = call->monitors;
    GError *error = NULL;

    if (!MON_HAVE(monitors, get_n_cpus, &error) || !MON_HAVE(monitors, get_cpu, &error)) {
        hmp_error(call, error);
        return;
    }
    for (unsigned i = 0; i < monitors->ops->get_n_cpus(monitors->host); i++) {
        VitMonitorCpu cpu = { 0 };
        monitors->ops->get_cpu(monitors->host, i, &cpu);
        hmp_print(call, "%c CPU #%u: thread_id=%" PRId64 "%s\n", i == call->state->cpu ? '*' : ' ',
                  i, cpu.thread_id, cpu.halted ? " (halted)" : "");
    }
}

void
hmp_info_registers(HmpCall *call)
{
    VitMonitors *monitors = call->monitors;
    GError *error = NULL;

    if (!MON_HAVE(monitors, get_n_cpus, &error) || !MON_HAVE(monitors, dump_registers, &error)) {
        hmp_error(call, error);
        return;
    }
    unsigned count = monitors->ops->get_n_cpus(monitors->host);
    bool all = hmp_flag(call, "a");
    for (unsigned i = all ? 0 : call->state->cpu; i < (all ? count : call->state->cpu + 1); i++) {
        hmp_print(call, "%sCPU#%u\n", i && all ? "\n" : "", i);
        if (i < count) {
            monitors->ops->dump_registers(monitors->host, i, call->out);
        }
    }
}

void
hmp_info_history(HmpCall *call)
{
    for (unsigned i = 0; i < call->state->history->len; i++) {
        hmp_print(call, "%u: '%s'\n", i, (char *)call->state->history->pdata[i]);
    }
}

void
hmp_info_roms(HmpCall *call)
{
    VitMonitors *monitors = call->monitors;
    GError *error = NULL;
    unsigned count;

    if (!MON_HAVE(monitors, get_roms, &error)) {
        hmp_error(call, error);
        return;
    }
    g_autofree VitMonitorRom *roms = monitors->ops->get_roms(monitors->host, &count);
    for (unsigned i = 0; i < count; i++) {
        if (roms[i].in_fw_cfg) {
            hmp_print(call, "fw=%s/%s size=0x%06" PRIx64 " name=\"%s\"\n", "genroms", roms[i].name,
                      roms[i].len_bytes, roms[i].name);
        } else {
            hmp_print(call, "addr=%016" PRIx64 " size=0x%06" PRIx64 " mem=rom name=\"%s\"\n",
                      roms[i].guest_address, roms[i].len_bytes, roms[i].name);
        }
    }
}

void
hmp_info_usernet(HmpCall *call)
{
    GError *error = NULL;

    if (MON_HAVE(call->monitors, describe_usernet, &error)) {
        call->monitors->ops->describe_usernet(call->monitors->host, call->out);
    }
    hmp_error(call, error);
}

void
hmp_info_usb(HmpCall *call)
{
    hmp_print(call, "USB support not enabled\n");
}

void
hmp_info_topic(HmpCall *call)
{
    VitMonitors *monitors = call->monitors;
    GError *error = NULL;

    if (!monitors->ops->info || !monitors->ops->info(monitors->host, call->command->name,
                                                     call->state->cpu, call->out, &error)) {
        if (!error || g_error_matches(error, VIT_ERROR, VIT_ERROR_NOT_FOUND)) {
            g_clear_error(&error);
            hmp_print(call, "Error: info %s: not available yet\n", call->command->name);
        }
        hmp_error(call, error);
    }
}
