/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Character devices: byte streams between a front end (serial port, monitor, debug console) and a
 * host back end (stdio, file, socket, pty, vc). One const kind per back end.
 * Thread: machine thread or device lock held; callbacks likewise, on the machine thread. */

#include "vit-lock.h"
#include "vit-prop.h"
#include "vit-types.h"

typedef enum VitChardevEvent {
    VIT_CHARDEV_OPENED,
    VIT_CHARDEV_CLOSED,
    VIT_CHARDEV_BREAK,
    VIT_CHARDEV_MUX_IN, /* this front end became the mux's focus */
    VIT_CHARDEV_MUX_OUT,
} VitChardevEvent;

/* Filled by the front end. */
typedef struct VitChardevFront {
    size_t (*can_receive)(void *opaque); /* bytes it takes now */
    void (*receive)(void *opaque, const uint8_t *buf, size_t len);
    void (*event)(void *opaque, VitChardevEvent event);
    /* There is room to write again after a short write. */
    void (*can_write)(void *opaque);
    void *opaque;
} VitChardevFront;

typedef struct VitChardevSerialParams {
    unsigned speed, data_bits, stop_bits;
    char parity; /* 'N', 'E', 'O' */
} VitChardevSerialParams;
enum {
    VIT_TIOCM_CTS = 1,
    VIT_TIOCM_CAR = 2,
    VIT_TIOCM_DSR = 4,
    VIT_TIOCM_RI = 8,
    VIT_TIOCM_DTR = 16,
    VIT_TIOCM_RTS = 32
};

/* Attaches a front end; false (with error) where it is taken and not a mux. NULL front detaches. */
bool vit_chardev_attach(VitChardev *chr, const VitChardevFront *front, GError **error);
void vit_chardev_detach(VitChardev *chr, void *front_opaque);
/* Writes; returns bytes taken (may be short when the back end is full, can_write follows). */
size_t vit_chardev_write(VitChardev *chr, const void *buf, size_t len);
/* Writes everything: the back end buffers what the host does not take now. */
void vit_chardev_write_all(VitChardev *chr, const void *buf, size_t len);
/* The front end has room again. */
void vit_chardev_accept_input(VitChardev *chr);
bool vit_chardev_is_open(const VitChardev *chr);
void vit_chardev_set_serial(VitChardev *chr, const VitChardevSerialParams *params);
unsigned vit_chardev_get_modem(VitChardev *chr);
void vit_chardev_set_modem(VitChardev *chr, unsigned bits);
void vit_chardev_send_break(VitChardev *chr);

/* ---- for back ends ---- */

typedef struct VitChardevKind {
    const char *name; /* as in -chardev NAME */
    const char *const *aliases;
    const char *title;
    size_t size; /* VitChardev first */
    const VitProp *props;
    bool (*open)(VitChardev *chr, GMainContext *context, GError **error);
    void (*close)(VitChardev *chr);
    size_t (*write)(VitChardev *chr, const uint8_t *buf, size_t len);
    void (*accept_input)(VitChardev *chr);
    void (*set_serial)(VitChardev *chr, const VitChardevSerialParams *params);
    unsigned (*get_modem)(VitChardev *chr);
    void (*set_modem)(VitChardev *chr, unsigned bits);
    void (*send_break)(VitChardev *chr);
    char *(*describe)(VitChardev *chr); /* for "info chardev", e.g. "pty:/dev/pts/3" */
} VitChardevKind;

struct VitChardev {
    const VitChardevKind *kind;
    char *id;
    VitLock *lock; /* device lock, taken around callbacks that start in the back end */
    GMainContext *context;
    VitChardevFront front;
    bool has_front, is_open;
    bool mux;       /* property of every back end */
    char *logfile;  /* property */
    bool logappend; /* property */
    int log_fd;
    void *mux_state;     /* chardev-mux */
    GByteArray *pending; /* written but not yet taken by the host */
};

/* What the back end calls. */
size_t vit_chardev_front_room(VitChardev *chr);
void vit_chardev_deliver(VitChardev *chr, const uint8_t *buf, size_t len);
void vit_chardev_set_open(VitChardev *chr, bool is_open);
void vit_chardev_notify_writable(VitChardev *chr);
void vit_chardev_deliver_event(VitChardev *chr, VitChardevEvent event);

VitChardev *vit_chardev_new(const VitChardevKind *kind, const char *id);
bool vit_chardev_open(VitChardev *chr, GMainContext *context, VitLock *lock, GError **error);
void vit_chardev_free(VitChardev *chr);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VitChardev, vit_chardev_free)
