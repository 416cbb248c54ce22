/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The vc back end: a terminal in the display. The device itself is only the stream: it keeps the
 * last output and hands it, and everything after, to the views that terminal widgets attach. With
 * no display it just keeps. Keys wait here while the front end has no room.
 * Thread: device lock held. */

#include "vit-char.h"

#include "char-ring.h"

enum { KEEP_BYTES = 128 << 10, KEYS_MAX_BYTES = 64 << 10 };

typedef struct {
    VitChardev chr;
    uint32_t width, height, columns, rows; /* properties; 0 = not given */
    CharRing ring;
    GPtrArray *views; /* VitCharVcView *, not owned */
    GByteArray *keys;
    unsigned view_columns, view_rows; /* 0 before a view said */
} CharVc;

static const VitProp props[] = {
    VIT_PROP_UINT(CharVc, width, "width", 0, 0, 16384, VIT_N_("Width"), .unit = "pixels"),
    VIT_PROP_UINT(CharVc, height, "height", 0, 0, 16384, VIT_N_("Height"), .unit = "pixels"),
    VIT_PROP_UINT(CharVc, columns, "cols", 0, 0, 1000, VIT_N_("Width"), .unit = "characters"),
    VIT_PROP_UINT(CharVc, rows, "rows", 0, 0, 1000, VIT_N_("Height"), .unit = "characters"),
    { 0 },
};

static bool
vc_open(VitChardev *chr, GMainContext *context, GError **error)
{
    CharVc *vc = (CharVc *)chr;

    char_ring_init(&vc->ring, KEEP_BYTES);
    vc->views = g_ptr_array_new();
    vc->keys = g_byte_array_new();
    vit_chardev_set_open(chr, true);
    return true;
}

static void
vc_close(VitChardev *chr)
{
    CharVc *vc = (CharVc *)chr;

    char_ring_finish(&vc->ring);
    g_ptr_array_unref(vc->views);
    g_byte_array_unref(vc->keys);
}

static size_t
vc_write(VitChardev *chr, const uint8_t *buf, size_t len)
{
    CharVc *vc = (CharVc *)chr;

    char_ring_write(&vc->ring, buf, len);
    for (unsigned i = 0; i < vc->views->len; i++) {
        const VitCharVcView *view = vc->views->pdata[i];
        view->output(view->opaque, buf, len);
    }
    return len;
}

static void
vc_accept_input(VitChardev *chr)
{
    CharVc *vc = (CharVc *)chr;

    while (vc->keys->len > 0) {
        size_t n = MIN(vit_chardev_front_room(chr), vc->keys->len);
        if (n == 0) {
            return;
        }
        /* The front end may ask for more from inside. */
        g_autofree uint8_t *copy = g_memdup2(vc->keys->data, n);
        g_byte_array_remove_range(vc->keys, 0, n);
        vit_chardev_deliver(chr, copy, n);
    }
}

static void
vc_get_size(VitChardev *chr, unsigned *out_columns, unsigned *out_rows)
{
    const CharVc *vc = (const CharVc *)chr;

    vit_char_vc_get_size(chr, out_columns, out_rows);
    if (vc->view_columns) {
        *out_columns = vc->view_columns;
        *out_rows = vc->view_rows;
    }
}

const VitChardevKind vit_char_vc_kind = {
    .name = "vc",
    .title = VIT_N_("A terminal in the display"),
    .size = sizeof(CharVc),
    .props = props,
    .open = vc_open,
    .close = vc_close,
    .write = vc_write,
    .accept_input = vc_accept_input,
    .get_size = vc_get_size,
};

bool
vit_char_is_vc(const VitChardev *chr)
{
    return chr->kind == &vit_char_vc_kind;
}

void
vit_char_vc_add_view(VitChardev *chr, const VitCharVcView *view)
{
    CharVc *vc = (CharVc *)chr;
    size_t len = char_ring_len(&vc->ring);
    g_autofree uint8_t *kept = g_malloc(len + 1);

    char_ring_peek(&vc->ring, kept, len);
    if (len > 0) {
        view->output(view->opaque, kept, len);
    }
    g_ptr_array_add(vc->views, (gpointer)view);
}

void
vit_char_vc_remove_view(VitChardev *chr, const VitCharVcView *view)
{
    g_ptr_array_remove(((CharVc *)chr)->views, (gpointer)view);
}

void
vit_char_vc_input(VitChardev *chr, const uint8_t *buf, size_t len)
{
    CharVc *vc = (CharVc *)chr;
    size_t room = KEYS_MAX_BYTES - vc->keys->len;

    g_byte_array_append(vc->keys, buf, MIN(len, room));
    vc_accept_input(chr);
}

void
vit_char_vc_get_size(const VitChardev *chr, unsigned *out_columns, unsigned *out_rows)
{
    const CharVc *vc = (const CharVc *)chr;

    /* A character cell is 8 by 16 pixels, as on a VGA text screen. */
    *out_columns = vc->columns ? vc->columns : vc->width / 8;
    *out_rows = vc->rows ? vc->rows : vc->height / 16;
}

void
vit_char_vc_set_size(VitChardev *chr, unsigned columns, unsigned rows)
{
    CharVc *vc = (CharVc *)chr;

    if (vc->view_columns != columns || vc->view_rows != rows) {
        vc->view_columns = columns;
        vc->view_rows = rows;
        vit_chardev_deliver_event(chr, VIT_CHARDEV_RESIZED);
    }
}
