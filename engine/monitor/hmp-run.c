/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Human commands that run, stop and steer the machine. Thread: device lock held. */

#include "hmp.h"

#include <string.h>

#include "vit-error.h"

/* Calls SLOT(host, error) of the machine and prints what went wrong. */
#define RUN_SLOT(call, slot)                                         \
    do {                                                             \
        VitMonitors *run_monitors = (call)->monitors;                \
        GError *run_error = NULL;                                    \
        if (MON_HAVE(run_monitors, slot, &run_error)) {              \
            run_monitors->ops->slot(run_monitors->host, &run_error); \
        }                                                            \
        hmp_error(call, run_error);                                  \
    } while (0)

void
hmp_quit(HmpCall *call)
{
    call->state->quitting = true;
    if (call->monitors->ops->quit) {
        call->monitors->ops->quit(call->monitors->host);
    }
}

void
hmp_stop(HmpCall *call)
{
    RUN_SLOT(call, stop);
}

void
hmp_cont(HmpCall *call)
{
    RUN_SLOT(call, cont);
}

void
hmp_system_reset(HmpCall *call)
{
    RUN_SLOT(call, reset);
}

void
hmp_system_powerdown(HmpCall *call)
{
    RUN_SLOT(call, powerdown);
}

void
hmp_system_wakeup(HmpCall *call)
{
    RUN_SLOT(call, wakeup);
}

void
hmp_nmi(HmpCall *call)
{
    GError *error = NULL;

    if (MON_HAVE(call->monitors, inject_nmi, &error)) {
        call->monitors->ops->inject_nmi(call->monitors->host);
    }
    hmp_error(call, error);
}

void
hmp_cpu(HmpCall *call)
{
    VitMonitors *monitors = call->monitors;
    unsigned count = monitors->ops->get_n_cpus ? monitors->ops->get_n_cpus(monitors->host) : 0;
    int64_t index = hmp_number(call, "index");

    if (index < 0 || index >= count) {
        hmp_print(call, "Error: there is no CPU %" G_GINT64_FORMAT "; CPUs are 0 to %d\n", index,
                  (int)count - 1);
        return;
    }
    call->state->cpu = index;
}

void
hmp_gdbserver(HmpCall *call)
{
    VitMonitors *monitors = call->monitors;
    const char *given = hmp_text(call, "device");
    const char *device = given && *given ? given : "tcp::1234";
    bool none = strcmp(device, "none") == 0;
    GError *error = NULL;

    if (MON_HAVE(monitors, set_gdb_server, &error) &&
        monitors->ops->set_gdb_server(monitors->host, none ? NULL : device, &error)) {
        if (none) {
            hmp_print(call, "Disabled gdbserver\n");
        } else {
            hmp_print(call, "Waiting for gdb connection on device '%s'\n", device);
        }
    }
    hmp_error(call, error);
}

void
hmp_log(HmpCall *call)
{
    VitMonitors *monitors = call->monitors;
    const char *items = hmp_text(call, "items");
    GError *error = NULL;

    if (MON_HAVE(monitors, set_log_items, &error)) {
        monitors->ops->set_log_items(monitors->host, strcmp(items, "none") == 0 ? "" : items,
                                     &error);
    }
    hmp_error(call, error);
}

void
hmp_logfile(HmpCall *call)
{
    VitMonitors *monitors = call->monitors;
    GError *error = NULL;

    if (MON_HAVE(monitors, set_log_file, &error)) {
        monitors->ops->set_log_file(monitors->host, hmp_text(call, "filename"), &error);
    }
    hmp_error(call, error);
}

void
hmp_boot_set(HmpCall *call)
{
    VitMonitors *monitors = call->monitors;
    GError *error = NULL;

    if (MON_HAVE(monitors, set_boot_order, &error) &&
        monitors->ops->set_boot_order(monitors->host, hmp_text(call, "bootdevice"), &error)) {
        hmp_print(call, "boot device list now set to %s\n", hmp_text(call, "bootdevice"));
    }
    hmp_error(call, error);
}

void
hmp_set_link(HmpCall *call)
{
    GError *error = NULL;

    mon_set_link(call->monitors, hmp_text(call, "name"), hmp_number(call, "up"), &error);
    hmp_error(call, error);
}

/* "hostfwd_add [netdev] rule": one word is the rule. */
static void
change_hostfwd(HmpCall *call, bool add)
{
    VitMonitors *monitors = call->monitors;
    const char *first = hmp_text(call, "netdev"), *second = hmp_text(call, "rule");
    GError *error = NULL;

    if (MON_HAVE(monitors, hostfwd, &error) &&
        monitors->ops->hostfwd(monitors->host, second ? first : NULL, second ? second : first, add,
                               &error) &&
        !add) {
        hmp_print(call, "host forwarding rule for %s removed\n", second ? second : first);
    }
    hmp_error(call, error);
}

void
hmp_hostfwd_add(HmpCall *call)
{
    change_hostfwd(call, true);
}

void
hmp_hostfwd_remove(HmpCall *call)
{
    change_hostfwd(call, false);
}

/* ---- character devices ---- */

void
hmp_chardev_send_break(HmpCall *call)
{
    GError *error = NULL;
    VitChardev *chr = mon_find_chardev(call->monitors, hmp_text(call, "id"), &error);

    if (chr) {
        vit_chardev_deliver_event(chr, VIT_CHARDEV_BREAK);
    }
    hmp_error(call, error);
}

static VitChardev *
find_ringbuf(HmpCall *call)
{
    const char *id = hmp_text(call, "device");
    GError *error = NULL;
    VitChardev *chr = mon_find_chardev(call->monitors, id, &error);

    if (chr && !chr->kind->take_kept) {
        g_set_error(&error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "%s is not a ringbuf device",
                    id);
        chr = NULL;
    }
    hmp_error(call, error);
    return chr;
}

void
hmp_ringbuf_read(HmpCall *call)
{
    VitChardev *chr = find_ringbuf(call);

    if (!chr) {
        return;
    }
    g_autoptr(GByteArray) bytes = chr->kind->take_kept(chr, MAX(hmp_number(call, "size"), 0));
    for (unsigned i = 0; i < bytes->len; i++) {
        uint8_t c = bytes->data[i];
        if (c == '\\') {
            hmp_print(call, "\\\\");
        } else if ((c < 0x20 && c != '\n') || c == 0x7f) {
            hmp_print(call, "\\u%04x", c);
        } else {
            hmp_print(call, "%c", c);
        }
    }
    hmp_print(call, "\n");
}

void
hmp_ringbuf_write(HmpCall *call)
{
    VitChardev *chr = find_ringbuf(call);

    if (chr) {
        const char *text = hmp_text(call, "data");
        vit_chardev_write_all(chr, text, strlen(text));
    }
}
