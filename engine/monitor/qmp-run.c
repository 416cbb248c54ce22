/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* QMP commands that run, stop and steer the machine. Thread: device lock held. */

#include "qmp.h"

#include <string.h>

#include "vit-error.h"

#include "hmp.h"

JsonNode *
qmp_capabilities(QmpCall *call, GError **error)
{
    JsonNode *enable = qmp_node(call, "enable");

    if (enable && json_array_get_length(json_node_get_array(enable)) > 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "Capability %s not available",
                    json_array_get_string_element(json_node_get_array(enable), 0));
        return NULL;
    }
    return qmp_empty();
}

JsonNode *
qmp_stop(QmpCall *call, GError **error)
{
    return qmp_done(MON_HAVE(call->monitors, stop, error) &&
                    call->monitors->ops->stop(call->monitors->host, error));
}

JsonNode *
qmp_cont(QmpCall *call, GError **error)
{
    return qmp_done(MON_HAVE(call->monitors, cont, error) &&
                    call->monitors->ops->cont(call->monitors->host, error));
}

JsonNode *
qmp_quit(QmpCall *call, GError **error)
{
    if (!MON_HAVE(call->monitors, quit, error)) {
        return NULL;
    }
    call->monitors->ops->quit(call->monitors->host);
    return qmp_empty();
}

JsonNode *
qmp_system_reset(QmpCall *call, GError **error)
{
    return qmp_done(MON_HAVE(call->monitors, reset, error) &&
                    call->monitors->ops->reset(call->monitors->host, error));
}

JsonNode *
qmp_system_powerdown(QmpCall *call, GError **error)
{
    return qmp_done(MON_HAVE(call->monitors, powerdown, error) &&
                    call->monitors->ops->powerdown(call->monitors->host, error));
}

JsonNode *
qmp_system_wakeup(QmpCall *call, GError **error)
{
    return qmp_done(MON_HAVE(call->monitors, wakeup, error) &&
                    call->monitors->ops->wakeup(call->monitors->host, error));
}

JsonNode *
qmp_inject_nmi(QmpCall *call, GError **error)
{
    if (!MON_HAVE(call->monitors, inject_nmi, error)) {
        return NULL;
    }
    call->monitors->ops->inject_nmi(call->monitors->host);
    return qmp_empty();
}

static bool
check_cpu(QmpCall *call, const char *name, int64_t *out, GError **error)
{
    VitMonitors *monitors = call->monitors;
    unsigned count = monitors->ops->get_n_cpus ? monitors->ops->get_n_cpus(monitors->host) : 1;
    int64_t index = qmp_int(call, name, 0);

    if (index < 0 || index >= count) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "Parameter '%s' expects a CPU number", name);
        return false;
    }
    *out = index;
    return true;
}

JsonNode *
qmp_human_monitor_command(QmpCall *call, GError **error)
{
    g_autoptr(GString) out = g_string_new(NULL);
    HmpState state;
    int64_t cpu;

    if (!check_cpu(call, "cpu-index", &cpu, error)) {
        return NULL;
    }
    hmp_state_init(&state, call->monitors);
    state.cpu = cpu;
    hmp_execute(&state, qmp_string(call, "command-line"), out);
    hmp_state_finish(&state);
    /* Clients expect what a terminal would show. */
    g_string_replace(out, "\n", "\r\n", 0);
    JsonNode *node = json_node_alloc();
    return json_node_init_string(node, out->str);
}

JsonNode *
qmp_memsave(QmpCall *call, GError **error)
{
    int64_t cpu;

    return qmp_done(check_cpu(call, "cpu-index", &cpu, error) &&
                    mon_save_memory(call->monitors, cpu, qmp_int(call, "val", 0),
                                    MAX(qmp_int(call, "size", 0), 0), qmp_string(call, "filename"),
                                    error));
}

JsonNode *
qmp_pmemsave(QmpCall *call, GError **error)
{
    return qmp_done(mon_save_memory(call->monitors, -1, qmp_int(call, "val", 0),
                                    MAX(qmp_int(call, "size", 0), 0), qmp_string(call, "filename"),
                                    error));
}

JsonNode *
qmp_screendump(QmpCall *call, GError **error)
{
    const char *format = qmp_string(call, "format");

    return qmp_done(mon_screendump(call->monitors, qmp_string(call, "filename"),
                                   format ? format : "ppm", qmp_string(call, "device"),
                                   qmp_int(call, "head", -1), error));
}

JsonNode *
qmp_set_link(QmpCall *call, GError **error)
{
    return qmp_done(
        mon_set_link(call->monitors, qmp_string(call, "name"), qmp_bool(call, "up", true), error));
}

/* ---- character devices ---- */

JsonNode *
qmp_chardev_send_break(QmpCall *call, GError **error)
{
    VitChardev *chr = mon_find_chardev(call->monitors, qmp_string(call, "id"), error);

    if (!chr) {
        return NULL;
    }
    vit_chardev_deliver_event(chr, VIT_CHARDEV_BREAK);
    return qmp_empty();
}

static VitChardev *
find_ringbuf(QmpCall *call, GError **error)
{
    const char *id = qmp_string(call, "device");
    VitChardev *chr = mon_find_chardev(call->monitors, id, error);

    if (chr && !chr->kind->take_kept) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "%s is not a ringbuf device", id);
        return NULL;
    }
    return chr;
}

JsonNode *
qmp_ringbuf_read(QmpCall *call, GError **error)
{
    VitChardev *chr = find_ringbuf(call, error);
    bool is_base64 = g_strcmp0(qmp_string(call, "format"), "base64") == 0;

    if (!chr) {
        return NULL;
    }
    g_autoptr(GByteArray) bytes =
        chr->kind->take_kept(chr, CLAMP(qmp_int(call, "size", 0), 0, 1 << 24));
    g_autofree char *text = is_base64 ? g_base64_encode(bytes->data, bytes->len)
                                      : g_utf8_make_valid((char *)bytes->data, bytes->len);
    JsonNode *node = json_node_alloc();
    return json_node_init_string(node, text);
}

JsonNode *
qmp_ringbuf_write(QmpCall *call, GError **error)
{
    VitChardev *chr = find_ringbuf(call, error);
    const char *data = qmp_string(call, "data");
    gsize len = strlen(data);

    if (!chr) {
        return NULL;
    }
    if (g_strcmp0(qmp_string(call, "format"), "base64") == 0) {
        g_autofree guchar *decoded = g_base64_decode(data, &len);
        vit_chardev_write_all(chr, decoded, len);
    } else {
        vit_chardev_write_all(chr, data, len);
    }
    return qmp_empty();
}
