/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Network back ends by name, their properties and life. Names of back ends that exist elsewhere,
 * or that this version does not have, get an answer of their own.
 * Thread: device lock held, except making and setting. */

#include "vit-net.h"

#include <string.h>

#include "vit-error.h"

static const VitAbsentName absent_kinds[] = {
    { "tap", VIT_ERROR_NOT_AVAILABLE_YET, "host TAP interfaces" },
    { "bridge", VIT_ERROR_NOT_AVAILABLE_YET, "host bridges" },
    { "socket", VIT_ERROR_NOT_AVAILABLE_YET, "tunnels between machines" },
    { "stream", VIT_ERROR_NOT_AVAILABLE_YET, "tunnels between machines" },
    { "dgram", VIT_ERROR_NOT_AVAILABLE_YET, "tunnels between machines" },
    { "l2tpv3", VIT_ERROR_NOT_AVAILABLE_YET, "L2TPv3 tunnels" },
    { "vde", VIT_ERROR_NOT_AVAILABLE_YET, "VDE switches" },
    { "vhost-user", VIT_ERROR_NOT_AVAILABLE_YET, "virtio queues served by another process" },
    { "vhost-vdpa", VIT_ERROR_NOT_AVAILABLE_YET, "vDPA devices" },
    { "netmap", VIT_ERROR_OTHER_HOST, "netmap is a facility of BSD kernels" },
    { "vmnet-host", VIT_ERROR_OTHER_HOST, "vmnet exists only on macOS hosts" },
    { "vmnet-shared", VIT_ERROR_OTHER_HOST, "vmnet exists only on macOS hosts" },
    { "vmnet-bridged", VIT_ERROR_OTHER_HOST, "vmnet exists only on macOS hosts" },
};

const VitNetKind *
vit_net_find_kind(const char *name, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    for (const VitNetKind *const *kind = vit_net_kinds; *kind; kind++) {
        if (strcmp((*kind)->name, name) == 0) {
            return *kind;
        }
        g_ptr_array_add(names, (gpointer)(*kind)->name);
    }
    if (vit_set_absent_error(absent_kinds, G_N_ELEMENTS(absent_kinds), "network back end", name,
                             error)) {
        return NULL;
    }
    g_ptr_array_add(names, (gpointer) "hubport");
    const char *near = vit_nearest_name(name, (const char *const *)names->pdata, names->len);
    g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                near ? "there is no network back end '%s'; did you mean '%s'?"
                     : "there is no network back end '%s'; there are user and hubport%.0s",
                name, near ? near : "");
    return NULL;
}

VitNetdev *
vit_netdev_new(const VitNetKind *kind, const char *id)
{
    VitNetdev *netdev = g_malloc0(kind->size);

    netdev->kind = kind;
    netdev->id = g_strdup(id);
    vit_props_set_defaults(kind->props, netdev);
    return netdev;
}

bool
vit_netdev_set(VitNetdev *netdev, const char *key, const char *value, GError **error)
{
    const VitNetKind *kind = netdev->kind;
    const VitProp *prop = vit_prop_find(kind->props, key);

    if (prop) {
        return vit_prop_parse(prop, netdev, value, NULL, error);
    }
    if (vit_prop_find(kind->list_props, key)) {
        return kind->add(netdev, key, value, error);
    }

    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (prop = kind->props; prop->name; prop++) {
        g_ptr_array_add(names, (gpointer)prop->name);
    }
    for (prop = kind->list_props; prop && prop->name; prop++) {
        g_ptr_array_add(names, (gpointer)prop->name);
    }
    const char *near = vit_nearest_name(key, (const char *const *)names->pdata, names->len);
    g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                "network back end '%s' (%s) has no parameter '%s'%s%s%s", netdev->id, kind->name,
                key, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    return false;
}

bool
vit_netdev_open(VitNetdev *netdev, const VitNetHost *host, GError **error)
{
    netdev->host = *host;
    netdev->is_open = true;
    return netdev->kind->open(netdev, error);
}

void
vit_netdev_free(VitNetdev *netdev)
{
    if (!netdev) {
        return;
    }
    if (netdev->is_open) {
        netdev->kind->close(netdev);
    }
    vit_net_port_finish(&netdev->port);
    vit_props_clear(netdev->kind->props, netdev);
    g_free(netdev->id);
    g_free(netdev);
}
