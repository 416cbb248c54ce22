/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Network back ends and hubs of a machine. */

#include "board.h"

#include "vit-error.h"
#include "vit-net.h"

static VitChardev *
get_chardev(void *opaque, const char *text, GError **error)
{
    VitChardev *chr = machine_find_chardev(opaque, text);

    if (!chr) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                    "there is no character device \"%s\"; add -chardev BACKEND,id=%s", text, text);
    }
    return chr;
}

static VitNetHub *
hub_get(Machine *machine, int id)
{
    VitNetHub *hub;

    for (guint i = 0; i < machine->hubs->len; i++) {
        if (vit_net_hub_get_id(machine->hubs->pdata[i]) == id) {
            return machine->hubs->pdata[i];
        }
    }
    hub = vit_net_hub_new(id);
    g_ptr_array_add(machine->hubs, hub);
    return hub;
}

char *
machine_make_hub_port(Machine *machine, int id)
{
    return g_strdup(vit_net_hub_add_port(hub_get(machine, id), NULL)->name);
}

bool
machine_add_netdev(Machine *machine, const VitPlanNetdev *plan, GError **error)
{
    VitNetHost host = {
        .context = machine->context,
        .lock = &machine->lock,
        .clock = machine->clock,
        .get_chardev = get_chardev,
        .opaque = machine,
    };
    const VitNetKind *kind = vit_net_find_kind(plan->type, error);
    g_autoptr(VitNetdev) netdev = NULL;

    if (!kind) {
        return false;
    }
    netdev = vit_netdev_new(kind, plan->id);
    for (unsigned i = 0; i < plan->props.n_props; i++) {
        if (!vit_netdev_set(netdev, plan->props.props[i].key, plan->props.props[i].value, error)) {
            return false;
        }
    }
    if (!vit_netdev_open(netdev, &host, error)) {
        return false;
    }
    if (plan->hub >= 0 &&
        !vit_net_port_connect(&netdev->port,
                              vit_net_hub_add_port(hub_get(machine, plan->hub), NULL), error)) {
        return false;
    }
    g_ptr_array_add(machine->netdevs, g_steal_pointer(&netdev));
    return true;
}

bool
machine_add_netdevs(Machine *machine, VitDiagList *diags, GError **error)
{
    for (guint i = 0; i < machine->plan->netdevs->len; i++) {
        const VitPlanNetdev *plan = machine->plan->netdevs->pdata[i];

        if (!machine_add_netdev(machine, plan, error)) {
            return machine_plan_error(machine, diags, plan->src, error);
        }
    }
    return true;
}

void
machine_free_netdevs(Machine *machine)
{
    g_ptr_array_set_free_func(machine->netdevs, (GDestroyNotify)vit_netdev_free);
    g_ptr_array_set_size(machine->netdevs, 0);
    g_ptr_array_set_free_func(machine->hubs, (GDestroyNotify)vit_net_hub_free);
    g_ptr_array_set_size(machine->hubs, 0);
}

VitNetPort *
machine_find_netdev(Machine *machine, const char *id)
{
    for (guint i = 0; i < machine->netdevs->len; i++) {
        VitNetdev *netdev = machine->netdevs->pdata[i];

        if (g_strcmp0(netdev->id, id) == 0) {
            return &netdev->port;
        }
    }
    for (guint i = 0; i < machine->hubs->len; i++) {
        VitNetHub *hub = machine->hubs->pdata[i];

        for (unsigned p = 0; p < vit_net_hub_get_n_ports(hub); p++) {
            if (g_strcmp0(vit_net_hub_get_port(hub, p)->name, id) == 0) {
                return vit_net_hub_get_port(hub, p);
            }
        }
    }
    return NULL;
}
