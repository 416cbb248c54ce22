/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The null back end: takes everything, gives nothing, and counts as open.
 * Thread: device lock held. */

#include "vit-chardev.h"

static bool
null_open(VitChardev *chr, GMainContext *context, GError **error)
{
    vit_chardev_set_open(chr, true);
    return true;
}

static size_t
null_write(VitChardev *chr, const uint8_t *buf, size_t len)
{
    return len;
}

const VitChardevKind vit_char_null_kind = {
    .name = "null",
    .title = VIT_N_("Nothing: output is dropped"),
    .size = sizeof(VitChardev),
    .open = null_open,
    .write = null_write,
};
