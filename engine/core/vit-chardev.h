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
    VIT_CHARDEV_RESIZED, /* see vit_chardev_get_size() */
} VitChardevEvent;

/* Filled by the front end. */
typedef struct VitChardevFront {
    size_t (*can_receive)(void *opaque); /* bytes it takes now */
    void (*receive)(void *opaque, const uint8_t *buf, size_t len);
    void (*event)(void *opaque, VitChardevEvent event);
    /* There is room to write again after a short write. */
    void (*can_write)(void *opaque);
    bool yields; /* on a multiplexer: does not take the input from who has it (monitors) */
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

/* What back ends and multiplexers ask of the machine they belong to. Slots may be NULL. */
typedef struct VitChardevHost {
    /* A line for the user: where a pty is, who is waited for. */
    void (*message)(void *opaque, const char *text);
    /* Escape keys of a multiplexer: x and s. */
    void (*quit)(void *opaque);
    void (*commit)(void *opaque);
    uint8_t mux_escape; /* 0 = Ctrl-a */
    void *opaque;
} VitChardevHost;

/* Attaches a front end; false (with error) where it is taken and not a mux, or the mux is full. On
 * a mux the last one attached gets the focus. An open device tells it so at once. */
bool vit_chardev_attach(VitChardev *chr, const VitChardevFront *front, GError **error);
void vit_chardev_detach(VitChardev *chr, void *front_opaque);
bool vit_chardev_is_attached(const VitChardev *chr);
/* Gives a mux's input to the front end with this opaque. */
void vit_chardev_take_focus(VitChardev *chr, void *front_opaque);
/* Writes; returns bytes taken (may be short when the back end is full, can_write follows). */
size_t vit_chardev_write(VitChardev *chr, const void *buf, size_t len);
/* Writes everything: what the host does not take now is kept, up to VIT_CHARDEV_PENDING_MAX;
 * beyond that bytes are lost, as nobody reads them. */
void vit_chardev_write_all(VitChardev *chr, const void *buf, size_t len);
#define VIT_CHARDEV_PENDING_MAX (16u << 20)
/* The front end has room again. */
void vit_chardev_accept_input(VitChardev *chr);
bool vit_chardev_is_open(const VitChardev *chr);
void vit_chardev_set_serial(VitChardev *chr, const VitChardevSerialParams *params);
unsigned vit_chardev_get_modem(VitChardev *chr);
void vit_chardev_set_modem(VitChardev *chr, unsigned bits);
void vit_chardev_send_break(VitChardev *chr);
/* Size of the terminal at the other end, in characters; zeros where that is not known. */
void vit_chardev_get_size(VitChardev *chr, unsigned *out_columns, unsigned *out_rows);
/* "pty:/dev/pts/3"; newly allocated. */
char *vit_chardev_describe(VitChardev *chr);

/* ---- for back ends ---- */

typedef struct VitChardevKind {
    const char *name; /* as in -chardev NAME */
    const char *const *aliases;
    const char *title;
    size_t size; /* VitChardev first */
    const VitProp *props;
    bool exclusive; /* at most one in a process */
    bool (*open)(VitChardev *chr, GMainContext *context, GError **error);
    void (*close)(VitChardev *chr);
    /* Bytes taken. Short: the back end calls vit_chardev_notify_writable() later. A device that
     * nobody listens to takes and drops everything. */
    size_t (*write)(VitChardev *chr, const uint8_t *buf, size_t len);
    void (*accept_input)(VitChardev *chr);
    void (*set_serial)(VitChardev *chr, const VitChardevSerialParams *params);
    unsigned (*get_modem)(VitChardev *chr);
    void (*set_modem)(VitChardev *chr, unsigned bits);
    void (*send_break)(VitChardev *chr);
    void (*get_size)(VitChardev *chr, unsigned *out_columns, unsigned *out_rows);
    char *(*describe)(VitChardev *chr); /* for "info chardev", e.g. "pty:/dev/pts/3" */
    /* Takes up to MAX bytes of kept output, oldest first; kinds that keep some. Caller owns. */
    GByteArray *(*take_kept)(VitChardev *chr, size_t max);
} VitChardevKind;

typedef struct VitChardevMux VitChardevMux;

struct VitChardev {
    const VitChardevKind *kind;
    char *id;
    VitLock *lock; /* device lock, taken around callbacks that start in the back end; may be NULL */
    GMainContext *context;
    VitChardevHost host;
    VitChardevFront front;
    bool has_front, is_open;
    bool started;   /* open() succeeded */
    bool mux;       /* property of every back end */
    char *logfile;  /* property */
    bool logappend; /* property */
    int log_fd;
    VitChardevMux *mux_state; /* while mux is on */
    GByteArray *pending;      /* written but not yet taken by the host */
};

/* Properties of every back end, looked up after the kind's own: mux, logfile, logappend. */
extern const VitProp vit_chardev_props[];

/* What the back end calls, with the lock held. */
size_t vit_chardev_front_room(VitChardev *chr);
void vit_chardev_deliver(VitChardev *chr, const uint8_t *buf, size_t len);
void vit_chardev_set_open(VitChardev *chr, bool is_open);
void vit_chardev_notify_writable(VitChardev *chr);
void vit_chardev_deliver_event(VitChardev *chr, VitChardevEvent event);
void vit_chardev_message(VitChardev *chr, const char *format, ...) G_GNUC_PRINTF(2, 3);
void vit_chardev_lock(VitChardev *chr);
void vit_chardev_unlock(VitChardev *chr);

/* ---- for the machine ---- */

VitChardev *vit_chardev_new(const VitChardevKind *kind, const char *id);
/* Sets a property before opening. An unknown name is an error that gives the nearest one. */
bool vit_chardev_set(VitChardev *chr, const char *name, const char *text, GError **error);
/* HOST is copied; before opening. */
void vit_chardev_set_host(VitChardev *chr, const VitChardevHost *host);
bool vit_chardev_open(VitChardev *chr, GMainContext *context, VitLock *lock, GError **error);
void vit_chardev_free(VitChardev *chr);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VitChardev, vit_chardev_free)

/* ---- device texts as -serial, -monitor and guestfwd write them ---- */

typedef struct VitChardevText {
    char *kind;               /* "socket"; NULL for "none" and "chardev:ID" */
    char *existing_id;        /* "chardev:ID" */
    bool none;                /* "none" */
    bool with_monitor;        /* "mon:..." or implied: mux=on and a monitor beside the front end */
    GPtrArray *keys, *values; /* properties in order; char *, owned */
} VitChardevText;

/* NULL with ERROR set naming the faulty part and its place. Looks at nothing but TEXT. */
VitChardevText *vit_chardev_text_parse(const char *text, GError **error);
void vit_chardev_text_free(VitChardevText *parsed);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VitChardevText, vit_chardev_text_free)
