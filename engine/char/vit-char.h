/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What the machine uses of this folder: the kinds of character devices, and the kind that is
 * looked into from outside (vc by terminal views). */

#include "vit-chardev.h"

/* Ends with NULL. */
extern const VitChardevKind *const vit_char_kinds[];

/* By name or alias. NULL with ERROR set: a kind of another host, one that is not there yet, or the
 * nearest name. Thread: any. */
const VitChardevKind *vit_char_find_kind(const char *name, GError **error);
/* Creates (does not open) a device of kind KIND_NAME with N properties. Thread: any. */
VitChardev *vit_char_make(const char *kind_name, const char *id, const char *const *keys,
                          const char *const *values, size_t n, GError **error);
/* Same from a device text that names a kind ("tcp::4444,server=on"). */
VitChardev *vit_char_make_from_text(const VitChardevText *parsed, const char *id, GError **error);

/* ---- vc: a terminal in the display. Thread: device lock held. ---- */

/* Filled by the view; called on the machine thread or a vCPU thread, must not block. */
typedef struct VitCharVcView {
    void (*output)(void *opaque, const uint8_t *buf, size_t len);
    void *opaque;
} VitCharVcView;

bool vit_char_is_vc(const VitChardev *chr);
/* The view first gets what was written before it came, as far as it is kept. */
void vit_char_vc_add_view(VitChardev *chr, const VitCharVcView *view);
void vit_char_vc_remove_view(VitChardev *chr, const VitCharVcView *view);
/* Keys typed in a view. */
void vit_char_vc_input(VitChardev *chr, const uint8_t *buf, size_t len);
/* Size asked for by the user, in characters; 0 = the view's choice. */
void vit_char_vc_get_size(const VitChardev *chr, unsigned *out_columns, unsigned *out_rows);
/* The view has another size; the front end is told. */
void vit_char_vc_set_size(VitChardev *chr, unsigned columns, unsigned rows);
