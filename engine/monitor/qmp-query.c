/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* QMP queries on the machine as a whole. Thread: device lock held. */

#include "qmp.h"

#include <string.h>

#include "hmp.h"

JsonNode *
qmp_query_version(QmpCall *call, GError **error)
{
    JsonObject *numbers = json_object_new(), *object = json_object_new();

    json_object_set_int_member(numbers, "micro", MON_VERSION_MICRO);
    json_object_set_int_member(numbers, "minor", MON_VERSION_MINOR);
    json_object_set_int_member(numbers, "major", MON_VERSION_MAJOR);
    json_object_set_object_member(object, "qemu", numbers);
    json_object_set_string_member(object, "package", "Vitrine " VIT_VERSION);
    return qmp_object(object);
}

JsonNode *
qmp_query_status(QmpCall *call, GError **error)
{
    JsonObject *object = json_object_new();
    VitRunState state = call->monitors->ops->get_status
                            ? call->monitors->ops->get_status(call->monitors->host)
                            : VIT_RUN_PAUSED;

    json_object_set_string_member(object, "status", mon_run_state_name(state));
    json_object_set_boolean_member(object, "singlestep", false);
    json_object_set_boolean_member(object, "running", state == VIT_RUN_RUNNING);
    return qmp_object(object);
}

static VitMonitorIdentity
get_identity(QmpCall *call)
{
    VitMonitorIdentity identity = { 0 };

    if (call->monitors->ops->get_identity) {
        call->monitors->ops->get_identity(call->monitors->host, &identity);
    }
    return identity;
}

JsonNode *
qmp_query_name(QmpCall *call, GError **error)
{
    VitMonitorIdentity identity = get_identity(call);
    JsonObject *object = json_object_new();

    if (identity.name) {
        json_object_set_string_member(object, "name", identity.name);
    }
    return qmp_object(object);
}

JsonNode *
qmp_query_uuid(QmpCall *call, GError **error)
{
    VitMonitorIdentity identity = get_identity(call);
    JsonObject *object = json_object_new();

    json_object_set_string_member(
        object, "UUID", identity.uuid ? identity.uuid : "00000000-0000-0000-0000-000000000000");
    return qmp_object(object);
}

JsonNode *
qmp_query_kvm(QmpCall *call, GError **error)
{
    VitMonitorIdentity identity = get_identity(call);
    JsonObject *object = json_object_new();

    json_object_set_boolean_member(object, "enabled", g_strcmp0(identity.accel, "kvm") == 0);
    json_object_set_boolean_member(object, "present", identity.kvm_present);
    return qmp_object(object);
}

JsonNode *
qmp_query_memory_size_summary(QmpCall *call, GError **error)
{
    VitMonitorIdentity identity = get_identity(call);
    JsonObject *object = json_object_new();

    json_object_set_int_member(object, "base-memory", identity.ram_bytes);
    json_object_set_int_member(object, "plugged-memory", 0);
    return qmp_object(object);
}

JsonNode *
qmp_query_target(QmpCall *call, GError **error)
{
    JsonObject *object = json_object_new();

    json_object_set_string_member(object, "arch", "x86_64");
    return qmp_object(object);
}

/* ---- CPUs, boards ---- */

JsonNode *
qmp_query_cpus_fast(QmpCall *call, GError **error)
{
    VitMonitors *monitors = call->monitors;

    if (!MON_HAVE(monitors, get_n_cpus, error) || !MON_HAVE(monitors, get_cpu, error)) {
        return NULL;
    }
    JsonArray *array = json_array_new();
    for (unsigned i = 0; i < monitors->ops->get_n_cpus(monitors->host); i++) {
        JsonObject *object = json_object_new(), *props = json_object_new();
        g_autofree char *path = g_strdup_printf("/machine/unattached/device[%u]", i);
        VitMonitorCpu cpu = { 0 };

        monitors->ops->get_cpu(monitors->host, i, &cpu);
        json_object_set_int_member(props, "core-id", cpu.core);
        json_object_set_int_member(props, "thread-id", cpu.thread);
        json_object_set_int_member(props, "socket-id", cpu.socket);
        json_object_set_int_member(props, "die-id", cpu.die);
        json_object_set_int_member(object, "thread-id", cpu.thread_id);
        json_object_set_object_member(object, "props", props);
        json_object_set_string_member(object, "qom-path", path);
        json_object_set_int_member(object, "cpu-index", i);
        json_object_set_string_member(object, "target", "x86_64");
        json_array_add_object_element(array, object);
    }
    return qmp_array(array);
}

JsonNode *
qmp_query_machines(QmpCall *call, GError **error)
{
    VitMonitors *monitors = call->monitors;
    unsigned count;

    if (!MON_HAVE(monitors, get_boards, error)) {
        return NULL;
    }
    g_autofree VitMonitorBoard *boards = monitors->ops->get_boards(monitors->host, &count);
    JsonArray *array = json_array_new();
    for (unsigned i = 0; i < count; i++) {
        JsonObject *object = json_object_new();
        json_object_set_boolean_member(object, "hotpluggable-cpus", false);
        json_object_set_string_member(object, "name", boards[i].name);
        json_object_set_boolean_member(object, "numa-mem-supported", false);
        json_object_set_int_member(object, "cpu-max", boards[i].max_cpus);
        json_object_set_boolean_member(object, "deprecated", false);
        json_object_set_string_member(object, "default-ram-id", "pc.ram");
        if (boards[i].alias) {
            json_object_set_string_member(object, "alias", boards[i].alias);
        }
        if (boards[i].is_default) {
            json_object_set_boolean_member(object, "is-default", true);
        }
        json_array_add_object_element(array, object);
    }
    return qmp_array(array);
}

JsonNode *
qmp_query_current_machine(QmpCall *call, GError **error)
{
    JsonObject *object = json_object_new();

    json_object_set_boolean_member(object, "wakeup-suspend-support",
                                   call->monitors->ops->wakeup != NULL);
    return qmp_object(object);
}

JsonNode *
qmp_query_cpu_definitions(QmpCall *call, GError **error)
{
    VitMonitors *monitors = call->monitors;

    if (!MON_HAVE(monitors, get_cpu_definitions, error)) {
        return NULL;
    }
    return monitors->ops->get_cpu_definitions(monitors->host);
}

JsonNode *
qmp_query_cpu_model_expansion(QmpCall *call, GError **error)
{
    VitMonitors *monitors = call->monitors;
    const char *type = json_object_get_string_member(call->args, "type");

    if (!MON_HAVE(monitors, expand_cpu_model, error)) {
        return NULL;
    }
    return monitors->ops->expand_cpu_model(monitors->host, strcmp(type, "static") == 0,
                                           json_object_get_object_member(call->args, "model"),
                                           error);
}

/* ---- what this machine has none of ---- */

JsonNode *
qmp_query_nothing(QmpCall *call, GError **error)
{
    return qmp_array(json_array_new());
}

JsonNode *
qmp_query_empty(QmpCall *call, GError **error)
{
    return qmp_empty();
}

JsonNode *
qmp_query_disabled(QmpCall *call, GError **error)
{
    JsonObject *object = json_object_new();

    json_object_set_boolean_member(object, "enabled", false);
    return qmp_object(object);
}

/* "x-query-TOPIC": what "info TOPIC" prints. */
JsonNode *
qmp_query_text(QmpCall *call, GError **error)
{
    g_autofree char *line = g_strconcat("info ", call->command->name + strlen("x-query-"), NULL);
    g_autofree char *text = vit_monitors_run_hmp(call->monitors, line);
    JsonObject *object = json_object_new();

    json_object_set_string_member(object, "human-readable-text", text);
    return qmp_object(object);
}
