/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Network links: two ports and a queue in each direction. A frame is handed to the peer at once
 * when it has room and nothing waits before it; else it is kept, up to a bound, and dropped beyond
 * that, as a switch would. Frames sent while one of the same port is being handed over wait behind
 * it, so that order holds when a receiver answers from inside.
 *
 * Thread: device lock held. */

#include "vit-netport.h"

#include <string.h>

#include "vit-error.h"

void
vit_net_port_init(VitNetPort *port, const char *name, const char *model, const VitNetPortOps *ops,
                  void *opaque)
{
    memset(port, 0, sizeof(*port));
    port->name = g_strdup(name);
    port->model = g_strdup(model);
    port->ops = ops;
    port->opaque = opaque;
    g_queue_init(&port->queue);
}

static void
drop_queue(VitNetPort *port)
{
    port->dropped_frames += port->queue.length;
    g_queue_clear_full(&port->queue, (GDestroyNotify)g_bytes_unref);
}

void
vit_net_port_finish(VitNetPort *port)
{
    vit_net_port_disconnect(port);
    drop_queue(port);
    g_clear_pointer(&port->name, g_free);
    g_clear_pointer(&port->model, g_free);
    g_clear_pointer(&port->info, g_free);
}

bool
vit_net_port_connect(VitNetPort *a, VitNetPort *b, GError **error)
{
    const VitNetPort *taken = a->peer ? a : b->peer ? b : NULL;

    if (taken) {
        g_set_error(
            error, VIT_ERROR, VIT_ERROR_BUSY,
            "network port '%s' is connected to '%s' already; use -netdev hubport to connect "
            "more than two",
            taken->name, taken->peer->name);
        return false;
    }
    a->peer = b;
    b->peer = a;
    return true;
}

void
vit_net_port_disconnect(VitNetPort *port)
{
    VitNetPort *peer = port->peer;

    if (!peer) {
        return;
    }
    drop_queue(port);
    drop_queue(peer);
    port->peer = NULL;
    peer->peer = NULL;
}

bool
vit_net_port_link_is_up(const VitNetPort *port)
{
    return port->peer && !port->link_down && !port->peer->link_down;
}

/* Hands over what waits, as far as the peer takes it. */
static void
deliver_queue(VitNetPort *port)
{
    while (!port->delivering && port->peer && port->queue.length > 0) {
        GBytes *frame = g_queue_pop_head(&port->queue);
        size_t len;
        const uint8_t *data = g_bytes_get_data(frame, &len);

        port->delivering = true;
        bool taken = port->peer->ops->receive(port->peer->opaque, data, len);
        port->delivering = false;
        if (!taken) {
            g_queue_push_head(&port->queue, frame);
            return;
        }
        g_bytes_unref(frame);
    }
}

void
vit_net_port_send(VitNetPort *port, const uint8_t *frame, size_t len)
{
    port->sent_frames++;
    port->sent_bytes += len;
    if (!vit_net_port_link_is_up(port)) {
        port->dropped_frames++;
        return;
    }
    if (!port->delivering && port->queue.length == 0) {
        port->delivering = true;
        bool taken = port->peer->ops->receive(port->peer->opaque, frame, len);
        port->delivering = false;
        if (taken) {
            deliver_queue(port);
            return;
        }
        /* What was sent from inside must not get before this frame. */
        g_queue_push_head(&port->queue, g_bytes_new(frame, len));
    } else if (port->queue.length < VIT_NET_QUEUE_MAX) {
        g_queue_push_tail(&port->queue, g_bytes_new(frame, len));
    } else {
        port->dropped_frames++;
    }
}

void
vit_net_port_flush(VitNetPort *port)
{
    if (port->peer) {
        deliver_queue(port->peer);
    }
}

void
vit_net_port_set_link(VitNetPort *port, bool up)
{
    VitNetPort *peer = port->peer;

    if (port->link_down == !up) {
        return;
    }
    port->link_down = !up;
    if (!up) {
        drop_queue(port);
        if (peer) {
            drop_queue(peer);
        }
    }
    if (port->ops->link_changed) {
        port->ops->link_changed(port->opaque, up);
    }
    if (peer && peer->ops->link_changed) {
        peer->ops->link_changed(peer->opaque, up && !peer->link_down);
    }
}
