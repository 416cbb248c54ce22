/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* One end of a network link. A NIC and a back end (or hub) each own a port; two ports are peers.
 * Thread: device lock held. */

#include "vit-types.h"

typedef struct VitNetPortOps {
    /* Takes a frame (without FCS). False: no room now; the sender queues it and the receiver calls
     * vit_net_port_flush() on its own port when there is room. */
    bool (*receive)(void *opaque, const uint8_t *frame, size_t len);
    void (*link_changed)(void *opaque, bool up);
} VitNetPortOps;

#define VIT_NET_QUEUE_MAX 1024

struct VitNetPort {
    char *name;  /* netdev id or device id */
    char *model; /* "user", "e1000" */
    const VitNetPortOps *ops;
    void *opaque;
    VitNetPort *peer;
    bool link_down;
    bool delivering; /* a frame of ours is being handed over: later ones queue up behind it */
    GQueue queue;    /* GBytes waiting for the peer's room; at most VIT_NET_QUEUE_MAX */
    uint64_t sent_frames, sent_bytes, dropped_frames;
    char *info; /* text for "info network" */
};

/* NAME and MODEL are copied. */
void vit_net_port_init(VitNetPort *port, const char *name, const char *model,
                       const VitNetPortOps *ops, void *opaque);
void vit_net_port_finish(VitNetPort *port);
bool vit_net_port_connect(VitNetPort *a, VitNetPort *b, GError **error);
void vit_net_port_disconnect(VitNetPort *port);
/* Sends to the peer: delivered, queued (bounded, then dropped) or dropped when a link is down. */
void vit_net_port_send(VitNetPort *port, const uint8_t *frame, size_t len);
/* PORT can receive again: deliver what its peer has queued for it. */
void vit_net_port_flush(VitNetPort *port);
/* Plugs or unplugs the cable at this end; both ends are told when the link changes. */
void vit_net_port_set_link(VitNetPort *port, bool up);
bool vit_net_port_link_is_up(const VitNetPort *port);
