/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The multiplexer of a character device: up to four front ends share one back end. All write to
 * it; input goes to the one in focus. The escape key (Ctrl-a unless set) starts a command:
 * h help, x quit, s commit snapshots, b break, c next front end, t time stamps, the key itself
 * sends it.
 *
 * Input is kept per front end while it has no room, so that the escape key works while a guest
 * does not read; when the store is full the back end waits.
 *
 * Thread: device lock held. */

#include "vit-chardev-mux.h"

#include <string.h>

#include "vit-error.h"

enum { MUX_MAX = 4, KEEP_MAX_BYTES = 4096 };

typedef struct {
    VitChardevFront front;
    GByteArray *kept;
} MuxSlot;

struct VitChardevMux {
    VitChardev *chr;
    MuxSlot slots[MUX_MAX];
    unsigned count;
    int focus; /* -1 while there is no front end */
    bool in_escape;
    bool stamps, at_line_start;
    int64_t stamps_since_us;
};

VitChardevMux *
vit_chardev_mux_new(VitChardev *chr)
{
    VitChardevMux *mux = g_new0(VitChardevMux, 1);

    mux->chr = chr;
    mux->focus = -1;
    return mux;
}

void
vit_chardev_mux_free(VitChardevMux *mux)
{
    if (!mux) {
        return;
    }
    for (unsigned i = 0; i < mux->count; i++) {
        g_byte_array_unref(mux->slots[i].kept);
    }
    g_free(mux);
}

unsigned
vit_chardev_mux_count(const VitChardevMux *mux)
{
    return mux->count;
}

static void
send_event(VitChardevMux *mux, int slot, VitChardevEvent event)
{
    if (slot >= 0 && slot < (int)mux->count && mux->slots[slot].front.event) {
        mux->slots[slot].front.event(mux->slots[slot].front.opaque, event);
    }
}

static void
set_focus(VitChardevMux *mux, int slot)
{
    if (slot == mux->focus) {
        return;
    }
    int old = mux->focus;
    mux->focus = slot;
    send_event(mux, old, VIT_CHARDEV_MUX_OUT);
    send_event(mux, slot, VIT_CHARDEV_MUX_IN);
}

static int
find_slot(const VitChardevMux *mux, const void *front_opaque)
{
    for (unsigned i = 0; i < mux->count; i++) {
        if (mux->slots[i].front.opaque == front_opaque) {
            return i;
        }
    }
    return -1;
}

bool
vit_chardev_mux_attach(VitChardevMux *mux, const VitChardevFront *front, GError **error)
{
    if (mux->count == MUX_MAX) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_BUSY,
                    "character device '%s' is shared by %d users already, which is the most; "
                    "use a device of its own",
                    mux->chr->id, MUX_MAX);
        return false;
    }
    unsigned slot = mux->count++;
    mux->slots[slot] = (MuxSlot){ .front = *front, .kept = g_byte_array_new() };
    if (mux->chr->is_open) {
        send_event(mux, slot, VIT_CHARDEV_OPENED);
    }
    if (!front->yields || mux->focus < 0) {
        set_focus(mux, slot);
    }
    return true;
}

void
vit_chardev_mux_detach(VitChardevMux *mux, void *front_opaque)
{
    int slot = find_slot(mux, front_opaque);

    if (slot < 0) {
        return;
    }
    g_byte_array_unref(mux->slots[slot].kept);
    memmove(&mux->slots[slot], &mux->slots[slot + 1],
            (mux->count - slot - 1) * sizeof(mux->slots[0]));
    mux->count--;
    if (mux->focus > slot) {
        mux->focus--;
    } else if (mux->focus == slot) {
        mux->focus = -1;
        if (mux->count > 0) {
            set_focus(mux, 0);
        }
    }
}

void
vit_chardev_mux_take_focus(VitChardevMux *mux, void *front_opaque)
{
    int slot = find_slot(mux, front_opaque);

    if (slot >= 0) {
        set_focus(mux, slot);
    }
}

/* ---- input ---- */

size_t
vit_chardev_mux_room(VitChardevMux *mux)
{
    if (mux->focus < 0) {
        return 0;
    }
    return KEEP_MAX_BYTES - MIN(mux->slots[mux->focus].kept->len, KEEP_MAX_BYTES);
}

static size_t
front_room(const VitChardevFront *front)
{
    if (!front->receive) {
        return 0;
    }
    return front->can_receive ? front->can_receive(front->opaque) : SIZE_MAX;
}

static void
drain(VitChardevMux *mux, int slot)
{
    while (slot == mux->focus && slot >= 0) {
        GByteArray *kept = mux->slots[slot].kept;
        VitChardevFront front = mux->slots[slot].front;
        size_t n = MIN(front_room(&front), kept->len);
        if (n == 0) {
            return;
        }
        /* The front end may attach or detach from inside: work on a copy. */
        g_autofree uint8_t *copy = g_memdup2(kept->data, n);
        g_byte_array_remove_range(kept, 0, n);
        front.receive(front.opaque, copy, n);
        if (slot >= (int)mux->count || mux->slots[slot].kept != kept) {
            return;
        }
    }
}

static void
say(VitChardevMux *mux, const char *text)
{
    vit_chardev_write_all(mux->chr, text, strlen(text));
}

static void
show_help(VitChardevMux *mux, uint8_t escape)
{
    char key[16];

    if (escape >= 1 && escape <= 26) {
        g_snprintf(key, sizeof(key), "C-%c", escape - 1 + 'a');
    } else {
        g_snprintf(key, sizeof(key), "0x%02x", escape);
    }
    g_autofree char *text = g_strdup_printf("\r\n"
                                            "%1$s h    print this help\r\n"
                                            "%1$s x    exit the emulator\r\n"
                                            "%1$s s    commit the snapshot of every drive\r\n"
                                            "%1$s t    time stamps on or off\r\n"
                                            "%1$s b    send break (magic SysRq)\r\n"
                                            "%1$s c    next user of this terminal\r\n"
                                            "%1$s %1$s  send %1$s\r\n",
                                            key);
    say(mux, text);
}

/* True: the byte belongs to the front end. */
static bool
escape_command(VitChardevMux *mux, uint8_t byte, uint8_t escape)
{
    const VitChardevHost *host = &mux->chr->host;

    if (byte == escape) {
        return true;
    }
    switch (byte) {
    case '?':
    case 'h': show_help(mux, escape); break;
    case 'x':
        say(mux, "\r\nterminated by the escape key\r\n");
        if (host->quit) {
            host->quit(host->opaque);
        }
        break;
    case 's':
        if (host->commit) {
            host->commit(host->opaque);
        }
        break;
    case 'b': send_event(mux, mux->focus, VIT_CHARDEV_BREAK); break;
    case 'c': set_focus(mux, mux->count ? (mux->focus + 1) % (int)mux->count : -1); break;
    case 't':
        mux->stamps = !mux->stamps;
        mux->at_line_start = false;
        mux->stamps_since_us = g_get_monotonic_time();
        break;
    default: break;
    }
    return false;
}

void
vit_chardev_mux_deliver(VitChardevMux *mux, const uint8_t *buf, size_t len)
{
    uint8_t escape = mux->chr->host.mux_escape ? mux->chr->host.mux_escape : 1;

    for (size_t i = 0; i < len; i++) {
        bool mine = false;
        if (mux->in_escape) {
            mux->in_escape = false;
            mine = !escape_command(mux, buf[i], escape);
        } else if (buf[i] == escape) {
            mux->in_escape = true;
            mine = true;
        }
        if (!mine && mux->focus >= 0) {
            g_byte_array_append(mux->slots[mux->focus].kept, &buf[i], 1);
        }
        /* Hand over before the focus moves on, and at the end. */
        if (i + 1 == len || buf[i + 1] == escape) {
            drain(mux, mux->focus);
        }
    }
}

void
vit_chardev_mux_accept_input(VitChardevMux *mux)
{
    drain(mux, mux->focus);
}

/* ---- events and output ---- */

void
vit_chardev_mux_event(VitChardevMux *mux, VitChardevEvent event)
{
    if (event == VIT_CHARDEV_BREAK) {
        send_event(mux, mux->focus, event);
        return;
    }
    for (unsigned i = 0; i < mux->count; i++) {
        send_event(mux, i, event);
    }
}

void
vit_chardev_mux_can_write(VitChardevMux *mux)
{
    for (unsigned i = 0; i < mux->count; i++) {
        if (mux->slots[i].front.can_write) {
            mux->slots[i].front.can_write(mux->slots[i].front.opaque);
        }
    }
}

bool
vit_chardev_mux_has_stamps(const VitChardevMux *mux)
{
    return mux->stamps;
}

size_t
vit_chardev_mux_stamp(VitChardevMux *mux, const uint8_t *buf, size_t len, char **out_stamp)
{
    if (mux->at_line_start) {
        int64_t ms = (g_get_monotonic_time() - mux->stamps_since_us) / 1000;
        *out_stamp =
            g_strdup_printf("[%02d:%02d:%02d.%03d] ", (int)(ms / 3600000), (int)(ms / 60000 % 60),
                            (int)(ms / 1000 % 60), (int)(ms % 1000));
        mux->at_line_start = false;
    }
    const uint8_t *end = memchr(buf, '\n', len);
    if (!end) {
        return len;
    }
    mux->at_line_start = true;
    return end + 1 - buf;
}
