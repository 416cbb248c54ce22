/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The core of character devices: one back end, its front end (or several behind a multiplexer),
 * the log file and what the host has not taken yet.
 *
 * Order of bytes: whatever lies in `pending` goes out before anything newer, so a plain write is
 * refused (0 taken) while something is pending. The log file gets what was written by front ends,
 * when the back end takes it.
 *
 * Thread: machine thread, or any with the device lock held. */

#include "vit-chardev.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "vit-error.h"

#include "vit-chardev-mux.h"

const VitProp vit_chardev_props[] = {
    VIT_PROP_BOOL(VitChardev, mux, "mux", false,
                  VIT_N_("Share the device between several users, switched by escape keys")),
    VIT_PROP_STRING(VitChardev, logfile, "logfile", NULL,
                    VIT_N_("Copy everything written to this file")),
    VIT_PROP_BOOL(VitChardev, logappend, "logappend", false,
                  VIT_N_("Add to the log file instead of starting it anew")),
    { 0 },
};

void
vit_chardev_lock(VitChardev *chr)
{
    if (chr->lock) {
        vit_lock_take(chr->lock);
    }
}

void
vit_chardev_unlock(VitChardev *chr)
{
    if (chr->lock) {
        vit_lock_release(chr->lock);
    }
}

/* ---- life ---- */

VitChardev *
vit_chardev_new(const VitChardevKind *kind, const char *id)
{
    VitChardev *chr = g_malloc0(kind->size);

    chr->kind = kind;
    chr->id = g_strdup(id ? id : "");
    chr->log_fd = -1;
    chr->pending = g_byte_array_new();
    vit_props_set_defaults(vit_chardev_props, chr);
    if (kind->props) {
        vit_props_set_defaults(kind->props, chr);
    }
    return chr;
}

bool
vit_chardev_set(VitChardev *chr, const char *name, const char *text, GError **error)
{
    const VitProp *prop = chr->kind->props ? vit_prop_find(chr->kind->props, name) : NULL;

    if (!prop) {
        prop = vit_prop_find(vit_chardev_props, name);
    }
    if (prop) {
        return vit_prop_parse(prop, chr, text, NULL, error);
    }

    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (prop = chr->kind->props; prop && prop->name; prop++) {
        g_ptr_array_add(names, (gpointer)prop->name);
    }
    for (prop = vit_chardev_props; prop->name; prop++) {
        g_ptr_array_add(names, (gpointer)prop->name);
    }
    const char *near = vit_nearest_name(name, (const char *const *)names->pdata, names->len);
    g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                "character device '%s' (%s) has no parameter '%s'%s%s%s", chr->id, chr->kind->name,
                name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    return false;
}

void
vit_chardev_set_host(VitChardev *chr, const VitChardevHost *host)
{
    chr->host = *host;
}

static bool
open_log(VitChardev *chr, GError **error)
{
    if (!chr->logfile) {
        return true;
    }
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (chr->logappend ? O_APPEND : O_TRUNC);
    chr->log_fd = open(chr->logfile, flags, 0666);
    if (chr->log_fd < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO,
                    "character device '%s': cannot open the log file '%s': %s", chr->id,
                    chr->logfile, g_strerror(errno));
        return false;
    }
    return true;
}

bool
vit_chardev_open(VitChardev *chr, GMainContext *context, VitLock *lock, GError **error)
{
    g_return_val_if_fail(!chr->started, false);
    chr->context = context;
    chr->lock = lock;
    if (!open_log(chr, error)) {
        return false;
    }
    if (chr->mux && !chr->mux_state) {
        chr->mux_state = vit_chardev_mux_new(chr);
    }
    /* A back end may report its state (set_open) before it returns. */
    if (chr->kind->open && !chr->kind->open(chr, context, error)) {
        chr->is_open = false;
        if (chr->log_fd >= 0) {
            close(chr->log_fd);
            chr->log_fd = -1;
        }
        return false;
    }
    chr->started = true;
    return true;
}

void
vit_chardev_free(VitChardev *chr)
{
    if (!chr) {
        return;
    }
    if (chr->started && chr->kind->close) {
        chr->kind->close(chr);
    }
    if (chr->log_fd >= 0) {
        close(chr->log_fd);
    }
    vit_chardev_mux_free(chr->mux_state);
    if (chr->kind->props) {
        vit_props_clear(chr->kind->props, chr);
    }
    vit_props_clear(vit_chardev_props, chr);
    g_byte_array_unref(chr->pending);
    g_free(chr->id);
    g_free(chr);
}

/* ---- front ends ---- */

bool
vit_chardev_attach(VitChardev *chr, const VitChardevFront *front, GError **error)
{
    if (chr->mux) {
        if (!chr->mux_state) {
            chr->mux_state = vit_chardev_mux_new(chr);
        }
        if (!vit_chardev_mux_attach(chr->mux_state, front, error)) {
            return false;
        }
    } else if (chr->has_front) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_BUSY,
                    "character device '%s' is in use already; give it mux=on to share it", chr->id);
        return false;
    } else {
        chr->front = *front;
        chr->has_front = true;
        if (chr->is_open && front->event) {
            front->event(front->opaque, VIT_CHARDEV_OPENED);
        }
    }
    vit_chardev_accept_input(chr);
    return true;
}

void
vit_chardev_detach(VitChardev *chr, void *front_opaque)
{
    if (chr->mux_state) {
        vit_chardev_mux_detach(chr->mux_state, front_opaque);
    } else if (chr->has_front && chr->front.opaque == front_opaque) {
        chr->has_front = false;
        memset(&chr->front, 0, sizeof(chr->front));
    }
}

bool
vit_chardev_is_attached(const VitChardev *chr)
{
    return chr->mux_state ? vit_chardev_mux_count(chr->mux_state) > 0 : chr->has_front;
}

void
vit_chardev_take_focus(VitChardev *chr, void *front_opaque)
{
    if (chr->mux_state) {
        vit_chardev_mux_take_focus(chr->mux_state, front_opaque);
    }
}

/* ---- output ---- */

static void
write_log(VitChardev *chr, const uint8_t *buf, size_t len)
{
    while (chr->log_fd >= 0 && len > 0) {
        ssize_t n = write(chr->log_fd, buf, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) { /* the log is a copy: a full disk must not stop the guest */
            return;
        }
        buf += n;
        len -= n;
    }
}

static size_t
write_backend(VitChardev *chr, const uint8_t *buf, size_t len)
{
    size_t taken = chr->started && chr->kind->write ? chr->kind->write(chr, buf, len) : len;

    write_log(chr, buf, MIN(taken, len));
    return MIN(taken, len);
}

static bool
flush_pending(VitChardev *chr)
{
    while (chr->pending->len > 0) {
        size_t taken = write_backend(chr, chr->pending->data, chr->pending->len);
        if (taken == 0) {
            return false;
        }
        g_byte_array_remove_range(chr->pending, 0, taken);
    }
    return true;
}

static void
keep_pending(VitChardev *chr, const uint8_t *buf, size_t len)
{
    size_t room = VIT_CHARDEV_PENDING_MAX - MIN(chr->pending->len, VIT_CHARDEV_PENDING_MAX);

    g_byte_array_append(chr->pending, buf, MIN(len, room));
}

/* Output of a multiplexer with time stamps on. A stamp is never cut: what the host does not take
 * is kept, so that the count returned is about BUF alone. */
static size_t
write_stamped(VitChardev *chr, const uint8_t *buf, size_t len)
{
    size_t done = 0;

    while (done < len) {
        g_autofree char *stamp = NULL;
        size_t n = vit_chardev_mux_stamp(chr->mux_state, buf + done, len - done, &stamp);
        if (stamp) {
            size_t stamp_len = strlen(stamp);
            size_t taken = write_backend(chr, (const uint8_t *)stamp, stamp_len);
            keep_pending(chr, (const uint8_t *)stamp + taken, stamp_len - taken);
        }
        size_t taken = chr->pending->len ? 0 : write_backend(chr, buf + done, n);
        keep_pending(chr, buf + done + taken, n - taken);
        done += n;
        if (chr->pending->len) {
            break;
        }
    }
    return done;
}

size_t
vit_chardev_write(VitChardev *chr, const void *buf, size_t len)
{
    if (!flush_pending(chr)) {
        return 0;
    }
    if (chr->mux_state && vit_chardev_mux_has_stamps(chr->mux_state)) {
        return write_stamped(chr, buf, len);
    }
    return write_backend(chr, buf, len);
}

void
vit_chardev_write_all(VitChardev *chr, const void *buf, size_t len)
{
    const uint8_t *at = buf;

    while (len > 0) {
        size_t taken = vit_chardev_write(chr, at, len);
        if (taken == 0) {
            keep_pending(chr, at, len);
            return;
        }
        at += taken;
        len -= taken;
    }
}

void
vit_chardev_notify_writable(VitChardev *chr)
{
    if (!flush_pending(chr)) {
        return;
    }
    if (chr->mux_state) {
        vit_chardev_mux_can_write(chr->mux_state);
    } else if (chr->has_front && chr->front.can_write) {
        chr->front.can_write(chr->front.opaque);
    }
}

/* ---- input ---- */

size_t
vit_chardev_front_room(VitChardev *chr)
{
    if (chr->mux_state) {
        return vit_chardev_mux_room(chr->mux_state);
    }
    if (!chr->has_front || !chr->front.receive) {
        return 0;
    }
    return chr->front.can_receive ? chr->front.can_receive(chr->front.opaque) : SIZE_MAX;
}

void
vit_chardev_deliver(VitChardev *chr, const uint8_t *buf, size_t len)
{
    if (len == 0) {
        return;
    }
    if (chr->mux_state) {
        vit_chardev_mux_deliver(chr->mux_state, buf, len);
    } else if (chr->has_front && chr->front.receive) {
        chr->front.receive(chr->front.opaque, buf, len);
    }
}

void
vit_chardev_deliver_event(VitChardev *chr, VitChardevEvent event)
{
    if (chr->mux_state) {
        vit_chardev_mux_event(chr->mux_state, event);
    } else if (chr->has_front && chr->front.event) {
        chr->front.event(chr->front.opaque, event);
    }
}

void
vit_chardev_set_open(VitChardev *chr, bool is_open)
{
    if (chr->is_open == is_open) {
        return;
    }
    chr->is_open = is_open;
    if (!is_open) {
        /* Meant for whoever has just gone. */
        g_byte_array_set_size(chr->pending, 0);
    }
    vit_chardev_deliver_event(chr, is_open ? VIT_CHARDEV_OPENED : VIT_CHARDEV_CLOSED);
    /* A writer that waited for the lost peer must not wait for ever. */
    vit_chardev_notify_writable(chr);
}

void
vit_chardev_accept_input(VitChardev *chr)
{
    if (chr->mux_state) {
        vit_chardev_mux_accept_input(chr->mux_state);
    }
    if (chr->started && chr->kind->accept_input) {
        chr->kind->accept_input(chr);
    }
}

bool
vit_chardev_is_open(const VitChardev *chr)
{
    return chr->is_open;
}

/* ---- the line ---- */

void
vit_chardev_set_serial(VitChardev *chr, const VitChardevSerialParams *params)
{
    if (chr->started && chr->kind->set_serial) {
        chr->kind->set_serial(chr, params);
    }
}

void
vit_chardev_get_size(VitChardev *chr, unsigned *out_columns, unsigned *out_rows)
{
    *out_columns = *out_rows = 0;
    if (chr->started && chr->kind->get_size) {
        chr->kind->get_size(chr, out_columns, out_rows);
    }
}

unsigned
vit_chardev_get_modem(VitChardev *chr)
{
    if (chr->started && chr->kind->get_modem) {
        return chr->kind->get_modem(chr);
    }
    /* A stream has no modem lines: somebody is there, or not. */
    return chr->is_open ? VIT_TIOCM_CTS | VIT_TIOCM_DSR | VIT_TIOCM_CAR : 0;
}

void
vit_chardev_set_modem(VitChardev *chr, unsigned bits)
{
    if (chr->started && chr->kind->set_modem) {
        chr->kind->set_modem(chr, bits);
    }
}

void
vit_chardev_send_break(VitChardev *chr)
{
    if (chr->started && chr->kind->send_break) {
        chr->kind->send_break(chr);
    }
}

char *
vit_chardev_describe(VitChardev *chr)
{
    char *text = chr->kind->describe ? chr->kind->describe(chr) : NULL;

    return text ? text : g_strdup(chr->kind->name);
}

void
vit_chardev_message(VitChardev *chr, const char *format, ...)
{
    va_list args;

    if (!chr->host.message) {
        return;
    }
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    chr->host.message(chr->host.opaque, text);
}
