/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The hub behind -net and -netdev hubport: what comes in at one port leaves at all others. A port
 * whose peer has no room keeps frames of its own; the sender never waits.
 * Thread: device lock held. */

#include "vit-net.h"

typedef struct {
    VitNetPort port;
    VitNetHub *hub;
} HubPort;

struct VitNetHub {
    int id;
    unsigned next_number;
    GPtrArray *ports; /* HubPort * */
};

static bool
hub_receive(void *opaque, const uint8_t *frame, size_t len)
{
    HubPort *from = opaque;

    for (unsigned i = 0; i < from->hub->ports->len; i++) {
        HubPort *to = from->hub->ports->pdata[i];
        if (to != from && to->port.peer) {
            vit_net_port_send(&to->port, frame, len);
        }
    }
    return true;
}

static const VitNetPortOps hub_ops = { .receive = hub_receive };

static void
free_port(gpointer data)
{
    HubPort *port = data;

    vit_net_port_finish(&port->port);
    g_free(port);
}

VitNetHub *
vit_net_hub_new(int id)
{
    VitNetHub *hub = g_new0(VitNetHub, 1);

    hub->id = id;
    hub->ports = g_ptr_array_new_with_free_func(free_port);
    return hub;
}

void
vit_net_hub_free(VitNetHub *hub)
{
    if (hub) {
        g_ptr_array_unref(hub->ports);
        g_free(hub);
    }
}

int
vit_net_hub_get_id(const VitNetHub *hub)
{
    return hub->id;
}

VitNetPort *
vit_net_hub_add_port(VitNetHub *hub, const char *name)
{
    HubPort *port = g_new0(HubPort, 1);
    g_autofree char *own_name = g_strdup_printf("hub%dport%u", hub->id, hub->next_number++);

    port->hub = hub;
    vit_net_port_init(&port->port, name ? name : own_name, "hubport", &hub_ops, port);
    g_ptr_array_add(hub->ports, port);
    return &port->port;
}

void
vit_net_hub_remove_port(VitNetHub *hub, VitNetPort *port)
{
    g_ptr_array_remove(hub->ports, VIT_CONTAINER_OF(port, HubPort, port));
}

unsigned
vit_net_hub_get_n_ports(const VitNetHub *hub)
{
    return hub->ports->len;
}

VitNetPort *
vit_net_hub_get_port(VitNetHub *hub, unsigned index)
{
    return &((HubPort *)hub->ports->pdata[index])->port;
}
