/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Between the GObjects of this folder (vit-machine.c, vit-display.c, vit-input.c). */

#include "display-publisher.h"
#include "machine-private.h"

/* An idle source of default priority in CONTEXT. Any thread. */
void facade_post(GMainContext *context, GSourceFunc func, gpointer data, GDestroyNotify destroy);
/* Glyph of IBM code page 437, control codes as the pictures VGA shows. */
gunichar facade_cp437_to_unicode(uint8_t character);

/* Device lock held. */
VitDisplay *vit_display_new_for_console(Machine *machine, VitConsole *console,
                                        GMainContext *app_context);
/* The machine is going away; device lock not held. */
void vit_display_detach(VitDisplay *display);

VitInput *vit_input_new_for_hub(Machine *machine, VitInputHub *hub, GMainContext *app_context);
void vit_input_detach(VitInput *input);
