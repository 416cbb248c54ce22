/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Character devices of a plan and what is plugged into them: -chardev, the ports of -serial,
 * -parallel and -debugcon, monitors, the debugger and the device test protocol. A port's one-word
 * device becomes a chardev of its own, named as the manual's program names it (serial0, parallel0,
 * compat_monitor0), so that the monitor's commands find it.
 * Thread: the one that owns the configuration. */

#include <string.h>

#include "vit-chardev-spec.h"
#include "vit-plan-private.h"

enum { MAX_SERIALS = 4, MAX_PARALLELS = 3 };

static void
set_props(VitMachinePlan *plan, VitPlanChardev *chardev, const VitChardevSpec *spec)
{
    VitPlanProp *props = g_new0(VitPlanProp, spec->params->len + 1);

    for (unsigned i = 0; i < spec->params->len; i++) {
        const VitChardevParam *param = &g_array_index(spec->params, VitChardevParam, i);

        props[i] = (VitPlanProp){ vit_plan_keep(plan, param->key),
                                  vit_plan_keep(plan, param->value), chardev->src };
    }
    g_ptr_array_add(plan->owned, props);
    chardev->props = (VitPlanProps){ props, spec->params->len };
}

static void
add_monitor(VitNormalizer *norm, VitPlanSrc src, const char *chardev, bool is_qmp, bool pretty)
{
    VitPlanMonitor *monitor = g_new0(VitPlanMonitor, 1);

    monitor->src = src;
    monitor->is_default = src.serial == 0;
    monitor->chardev = chardev;
    monitor->is_qmp = is_qmp;
    monitor->pretty = pretty;
    g_ptr_array_add(norm->plan->monitors, monitor);
}

/* Two uses of the terminal would read each other's keys. */
static bool
check_stdio(VitNormalizer *norm, VitPlanSrc src, const char *backend)
{
    if (strcmp(backend, "stdio") != 0)
        return true;
    for (unsigned i = 0; i < norm->plan->chardevs->len; i++) {
        const VitPlanChardev *other = norm->plan->chardevs->pdata[i];

        if (strcmp(other->backend, "stdio") != 0)
            continue;
        vit_plan_error(norm, src, VIT_ERROR_BUSY,
                       "standard input and output are already used by '%s'; share them with mon: "
                       "or with a -chardev that has mux=on",
                       other->id);
        return false;
    }
    return true;
}

/* The chardev that TEXT stands for: an existing one, a new one called ID, or NULL for "none" and
 * for what cannot be read (then an error was told). */
static const char *
device_of(VitNormalizer *norm, VitPlanSrc src, const char *text, const char *id, bool *out_none)
{
    g_autoptr(GError) error = NULL;
    VitChardevSpec spec;
    size_t start, end;

    *out_none = false;
    if (!vit_chardev_spec_init(&spec, text, &start, &end, &error)) {
        vit_plan_error(norm, src, (VitError)error->code, "%s", error->message);
        return NULL;
    }
    const char *result = NULL;
    if (spec.is_none) {
        *out_none = true;
    } else if (spec.chardev_id != NULL) {
        result = vit_plan_keep(norm->plan, spec.chardev_id);
    } else if (check_stdio(norm, src, spec.backend)) {
        VitPlanChardev *chardev = vit_plan_add_chardev(norm, src, id, spec.backend);

        chardev->is_default = src.serial == 0;
        chardev->mux = spec.is_mux;
        set_props(norm->plan, chardev, &spec);
        result = chardev->id;
    }
    if (spec.is_mux && result != NULL)
        add_monitor(norm, src, result, false, false);
    vit_chardev_spec_finish(&spec);
    return result;
}

static void
add_port(VitNormalizer *norm, GPtrArray *ports, VitPlanSrc src, const char *text,
         const char *prefix, unsigned limit)
{
    VitPlanPort *port = g_new0(VitPlanPort, 1);
    g_autofree char *id = g_strdup_printf("%s%u", prefix, ports->len);

    if (ports->len >= limit)
        vit_plan_error(norm, src, VIT_ERROR_INVALID_ARGUMENT,
                       "this machine has %u %s ports and no more", limit, prefix);
    port->src = src;
    port->is_default = src.serial == 0;
    port->chardev = device_of(norm, src, text, id, &port->absent);
    g_ptr_array_add(ports, port);
}

static void
add_monitor_on(VitNormalizer *norm, VitPlanSrc src, const char *text, bool is_qmp, bool pretty)
{
    g_autofree char *id = g_strdup_printf("compat_monitor%u", norm->plan->monitors->len);
    bool is_none;
    const char *chardev = device_of(norm, src, text, id, &is_none);

    if (chardev != NULL)
        add_monitor(norm, src, chardev, is_qmp, pretty);
}

static void
add_chardev(VitNormalizer *norm, const VitConfigItem *item)
{
    const char *id = vit_config_item_get(item, "id"),
               *backend = vit_config_item_get(item, "backend");
    VitPlanSrc src = vit_plan_src(item, -1);

    if (id == NULL || backend == NULL || !check_stdio(norm, src, backend))
        return;
    if (strcmp(backend, "tty") == 0)
        backend = "serial";
    else if (strcmp(backend, "parport") == 0)
        backend = "parallel";
    else if (strcmp(backend, "memory") == 0)
        backend = "ringbuf";
    VitPlanChardev *chardev = vit_plan_add_chardev(norm, src, id, backend);
    chardev->mux = vit_plan_bool(item, "mux", false);
    chardev->props = vit_plan_props_of(norm->plan, item, "backend id mux");
}

static void
add_gdb(VitNormalizer *norm, VitPlanSrc src, const char *text)
{
    VitPlanOther *other;
    bool is_none;
    /* a debugger connects to us, whenever it likes */
    g_autofree char *tcp = g_str_has_prefix(text, "tcp:")
                               ? g_strconcat(text, ",wait=off,nodelay=on,server=on", NULL)
                               : NULL;
    const char *chardev = device_of(norm, src, tcp ? tcp : text, "gdb", &is_none);

    if (chardev == NULL)
        return;
    other = g_new0(VitPlanOther, 1);
    other->src = src;
    other->option = "gdb";
    other->value = chardev;
    g_ptr_array_add(norm->plan->others, other);
}

static void
add_qtest(VitNormalizer *norm, VitPlanSrc src, const char *text)
{
    bool is_none;

    norm->plan->qtest_src = src;
    norm->plan->qtest_chardev = device_of(norm, src, text, "qtest", &is_none);
}

void
vit_plan_char(VitNormalizer *norm, const VitConfigItem *item)
{
    const char *value = vit_config_item_get(item, "value"), *name = item->name;
    VitPlanSrc src = vit_plan_src(item, item->option->syntax == VIT_SYNTAX_DEV ? 0 : -1);
    bool shares = value != NULL && g_str_has_prefix(value, "mon:");

    if (strcmp(name, "chardev") == 0) {
        add_chardev(norm, item);
    } else if (strcmp(name, "serial") == 0) {
        norm->default_serial = false;
        norm->default_monitor = norm->default_monitor && !shares;
        add_port(norm, norm->plan->serials, src, value, "serial", MAX_SERIALS);
    } else if (strcmp(name, "parallel") == 0) {
        norm->default_parallel = false;
        norm->default_monitor = norm->default_monitor && !shares;
        add_port(norm, norm->plan->parallels, src, value, "parallel", MAX_PARALLELS);
    } else if (strcmp(name, "debugcon") == 0) {
        add_port(norm, norm->plan->debugcons, src, value, "debugcon", 4);
    } else if (strcmp(name, "monitor") == 0) {
        norm->default_monitor = false;
        add_monitor_on(norm, src, value, false, false);
    } else if (strcmp(name, "qmp") == 0 || strcmp(name, "qmp-pretty") == 0) {
        norm->default_monitor = false;
        add_monitor_on(norm, src, value, true, strcmp(name, "qmp-pretty") == 0);
    } else if (strcmp(name, "mon") == 0) {
        norm->default_monitor = false;
        add_monitor(norm, src, vit_plan_keep(norm->plan, vit_config_item_get(item, "chardev")),
                    g_strcmp0(vit_config_item_get(item, "mode"), "control") == 0,
                    vit_plan_bool(item, "pretty", false));
    } else if (strcmp(name, "gdb") == 0) {
        add_gdb(norm, src, value);
    } else if (strcmp(name, "s") == 0) {
        add_gdb(norm, src, "tcp::1234");
    } else if (strcmp(name, "qtest") == 0) {
        add_qtest(norm, src, value);
    }
}

void
vit_plan_char_defaults(VitNormalizer *norm)
{
    const VitPlanSrc none = { 0, -1 };
    bool on_terminal = norm->plan->nographic;
    const char *console = on_terminal ? "stdio" : "vc:80Cx24C";

    if (norm->default_parallel)
        add_port(norm, norm->plan->parallels, none, on_terminal ? "null" : console, "parallel",
                 MAX_PARALLELS);
    if (on_terminal && norm->default_serial && norm->default_monitor) {
        add_port(norm, norm->plan->serials, none, "mon:stdio", "serial", MAX_SERIALS);
        return;
    }
    if (norm->default_serial)
        add_port(norm, norm->plan->serials, none, console, "serial", MAX_SERIALS);
    if (norm->default_monitor)
        add_monitor_on(norm, none, console, false, false);
}
