/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Network back ends (-netdev): one const kind each, and the hub. A back end owns a port; the
 * machine connects it to a NIC's port or a hub's.
 * Thread: device lock held, except making and setting. */

#include "vit-chardev.h"
#include "vit-clock.h"
#include "vit-netport.h"
#include "vit-prop.h"

typedef struct VitNetdev VitNetdev;
typedef struct VitNetHub VitNetHub;

/* What a back end is given by its machine. */
typedef struct VitNetHost {
    GMainContext *context;
    VitLock *lock; /* device lock; may be NULL in tests */
    VitClock *clock;
    /* The character device of guestfwd=...-TEXT: an id or a device text. Not owned. */
    VitChardev *(*get_chardev)(void *opaque, const char *text, GError **error);
    void (*guest_error)(void *opaque, const char *line); /* may be NULL */
    void *opaque;
} VitNetHost;

typedef struct VitNetKind {
    const char *name; /* as in -netdev NAME */
    const char *title;
    size_t size; /* VitNetdev first */
    const VitProp *props;
    /* Keys that may be given several times ("hostfwd"); NULL-terminated, or NULL. */
    const VitProp *list_props;
    bool (*add)(VitNetdev *netdev, const char *key, const char *value, GError **error);
    bool (*open)(VitNetdev *netdev, GError **error);
    void (*close)(VitNetdev *netdev); /* also after a failed open */
} VitNetKind;

struct VitNetdev {
    const VitNetKind *kind;
    char *id;
    VitNetHost host;
    VitNetPort port;
    bool is_open;
};

/* Ends with NULL. */
extern const VitNetKind *const vit_net_kinds[];

/* NULL with ERROR set: one that is not there yet, of another host, or the nearest name. */
const VitNetKind *vit_net_find_kind(const char *name, GError **error);
VitNetdev *vit_netdev_new(const VitNetKind *kind, const char *id);
bool vit_netdev_set(VitNetdev *netdev, const char *key, const char *value, GError **error);
/* HOST is copied. On failure the back end may only be freed. */
bool vit_netdev_open(VitNetdev *netdev, const VitNetHost *host, GError **error);
void vit_netdev_free(VitNetdev *netdev);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VitNetdev, vit_netdev_free)

/* ---- user networking while it runs ---- */

bool vit_net_is_user(const VitNetdev *netdev);
/* "tcp:[HOST]:PORT-[GUEST]:PORT", as in hostfwd=. */
bool vit_net_user_add_hostfwd(VitNetdev *netdev, const char *rule, GError **error);
/* "tcp:[HOST]:PORT". */
bool vit_net_user_remove_hostfwd(VitNetdev *netdev, const char *rule, GError **error);
/* Connections and forwards, as text. Ownership: caller. */
char *vit_net_user_info(VitNetdev *netdev);

/* ---- hub: every frame that comes in at one port leaves at the others ---- */

VitNetHub *vit_net_hub_new(int id);
/* Ports are disconnected. */
void vit_net_hub_free(VitNetHub *hub);
int vit_net_hub_get_id(const VitNetHub *hub);
/* A new port, owned by the hub; "hub0port0" when NAME is NULL. */
VitNetPort *vit_net_hub_add_port(VitNetHub *hub, const char *name);
void vit_net_hub_remove_port(VitNetHub *hub, VitNetPort *port);
unsigned vit_net_hub_get_n_ports(const VitNetHub *hub);
VitNetPort *vit_net_hub_get_port(VitNetHub *hub, unsigned index);
