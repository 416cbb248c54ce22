/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What the human and the machine monitor do alike: memory, screens, links, look-ups.
 * Thread: device lock held. */

#include "monitor-private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vit-console.h"
#include "vit-error.h"

static const char *const state_names[VIT_RUN_LAST] = {
    [VIT_RUN_PRELAUNCH] = "prelaunch", [VIT_RUN_RUNNING] = "running",
    [VIT_RUN_PAUSED] = "paused",       [VIT_RUN_SHUTDOWN] = "shutdown",
    [VIT_RUN_SUSPENDED] = "suspended", [VIT_RUN_INTERNAL_ERROR] = "internal-error",
    [VIT_RUN_IO_ERROR] = "io-error",   [VIT_RUN_GUEST_PANICKED] = "guest-panicked",
    [VIT_RUN_WATCHDOG] = "watchdog",   [VIT_RUN_DEBUG] = "debug",
    [VIT_RUN_SAVE_VM] = "save-vm",     [VIT_RUN_RESTORE_VM] = "restore-vm",
};

const char *
mon_run_state_name(VitRunState state)
{
    return state < VIT_RUN_LAST ? state_names[state] : "internal-error";
}

bool
mon_have(const void *slot, const char *what, GError **error)
{
    if (!slot) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_AVAILABLE_YET,
                    "not available yet: this machine does not offer %s", what);
        return false;
    }
    return true;
}

bool
mon_is_running(VitMonitors *monitors)
{
    return monitors->ops->get_status &&
           monitors->ops->get_status(monitors->host) == VIT_RUN_RUNNING;
}

/* ---- memory ---- */

bool
mon_read_memory(VitMonitors *monitors, int cpu, uint64_t address, void *buf, size_t len)
{
    uint8_t *to = buf;

    while (len > 0) {
        size_t piece = MIN(len, VIT_PAGE_SIZE - address % VIT_PAGE_SIZE);
        uint64_t physical = address;
        if (cpu >= 0 && (!monitors->ops->translate ||
                         !monitors->ops->translate(monitors->host, cpu, address, &physical))) {
            return false;
        }
        if (vit_address_space_read_bytes(monitors->platform->memory, physical, to, piece) !=
            VIT_ACCESS_OK) {
            return false;
        }
        to += piece;
        address += piece;
        len -= piece;
    }
    return true;
}

bool
mon_save_memory(VitMonitors *monitors, int cpu, uint64_t address, uint64_t len, const char *path,
                GError **error)
{
    FILE *file = fopen(path, "we");
    uint8_t buf[VIT_PAGE_SIZE];
    bool ok = true;

    while (file && ok && len > 0) {
        size_t piece = MIN(len, sizeof(buf));
        if (!mon_read_memory(monitors, cpu, address, buf, piece)) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                        "there is no memory at 0x%" G_GINT64_MODIFIER "x", address);
            fclose(file);
            return false;
        }
        ok = fwrite(buf, 1, piece, file) == piece;
        address += piece;
        len -= piece;
    }
    int saved_errno = errno;
    if (file && fclose(file) != 0) {
        ok = false;
        saved_errno = errno;
    }
    if (!file || !ok) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "cannot write '%s': %s", path,
                    g_strerror(saved_errno));
        return false;
    }
    return true;
}

/* ---- screens ---- */

bool
mon_screendump(VitMonitors *monitors, const char *path, const char *format, const char *device,
               int64_t head, GError **error)
{
    GPtrArray *consoles = monitors->platform->consoles;
    VitConsole *console = NULL;

    for (unsigned i = 0; consoles && i < consoles->len && !console; i++) {
        VitConsole *candidate = consoles->pdata[i];
        if (!device || g_strcmp0(candidate->name, device) == 0) {
            console = candidate;
        }
    }
    if (!console) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                    device ? "there is no display device '%s'" : "this machine has no screen%.0s",
                    device ? device : "");
        return false;
    }
    if (head >= 0 && !device) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'head' must be specified together with 'device'");
        return false;
    }
    if (head > 0) { /* every display device has one */
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                    "display device '%s' has no head %" G_GINT64_FORMAT "; its only one is 0",
                    device, head);
        return false;
    }
    vit_console_update(console, true);
    if (!console->surface) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_STATE, "the screen shows nothing yet");
        return false;
    }
    return vit_surface_save(console->surface, path, format, error);
}

/* ---- look-ups ---- */

bool
mon_set_link(VitMonitors *monitors, const char *name, bool up, GError **error)
{
    if (!MON_HAVE(monitors, get_net_ports, error)) {
        return false;
    }
    const GPtrArray *ports = monitors->ops->get_net_ports(monitors->host);
    for (unsigned i = 0; i < ports->len; i++) {
        VitNetPort *port = ports->pdata[i];
        if (strcmp(port->name, name) == 0) {
            vit_net_port_set_link(port, up);
            return true;
        }
    }
    g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                "Device '%s' not found (\"info network\" lists NICs and back ends)", name);
    return false;
}

VitChardev *
mon_find_chardev(VitMonitors *monitors, const char *id, GError **error)
{
    if (!MON_HAVE(monitors, get_chardevs, error)) {
        return NULL;
    }
    const GPtrArray *chardevs = monitors->ops->get_chardevs(monitors->host);
    for (unsigned i = 0; i < chardevs->len; i++) {
        VitChardev *chr = chardevs->pdata[i];
        if (strcmp(chr->id, id) == 0) {
            return chr;
        }
    }
    g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND, "Chardev '%s' not found", id);
    return NULL;
}

const VitMonitorDrive *
mon_find_drive(GPtrArray *drives, const char *name, GError **error)
{
    for (unsigned i = 0; i < drives->len; i++) {
        const VitMonitorDrive *drive = drives->pdata[i];
        if (g_strcmp0(drive->id, name) == 0 || g_strcmp0(drive->qdev, name) == 0 ||
            g_strcmp0(drive->node_name, name) == 0) {
            return drive;
        }
    }
    g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND, "Device '%s' not found", name);
    return NULL;
}

const VitDeviceKind *
mon_find_kind(VitMonitors *monitors, const char *name, GError **error)
{
    if (!MON_HAVE(monitors, get_kinds, error)) {
        return NULL;
    }
    for (const VitDeviceKind *const *kind = monitors->ops->get_kinds(monitors->host); *kind;
         kind++) {
        if (strcmp((*kind)->name, name) == 0 ||
            ((*kind)->aliases && g_strv_contains((*kind)->aliases, name))) {
            return *kind;
        }
    }
    g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND, "Device '%s' not found", name);
    return NULL;
}
