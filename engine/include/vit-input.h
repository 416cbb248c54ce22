/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What a person does to a machine: keys and pointer. Keys are Linux input codes (KEY_*).
 * Thread: the machine's context; events are queued, never waited for. */

#include <glib-object.h>

G_BEGIN_DECLS

#define VIT_TYPE_INPUT (vit_input_get_type())
G_DECLARE_FINAL_TYPE(VitInput, vit_input, VIT, INPUT, GObject)

/* Signals: "leds-changed" (unsigned leds): bit 0 scroll, 1 num, 2 caps;
 *          "pointer-mode-changed" (): absolute or relative. */

typedef enum {
    VIT_POINTER_LEFT,
    VIT_POINTER_MIDDLE,
    VIT_POINTER_RIGHT,
    VIT_POINTER_WHEEL_UP,
    VIT_POINTER_WHEEL_DOWN,
    VIT_POINTER_SIDE,
    VIT_POINTER_EXTRA,
    VIT_POINTER_WHEEL_LEFT,
    VIT_POINTER_WHEEL_RIGHT,
} VitPointerButton;

void vit_input_send_key(VitInput *input, unsigned key_code, gboolean down);
/* Keys in order down, then up in reverse: "ctrl-alt-delete" of the monitor's names. */
gboolean vit_input_send_combination(VitInput *input, const char *names, GError **error);
void vit_input_send_motion(VitInput *input, int dx, int dy);
/* Position on the screen, 0..32767 each way. */
void vit_input_send_position(VitInput *input, int x, int y);
void vit_input_send_button(VitInput *input, VitPointerButton button, gboolean down);
/* Lets go of all that is down (focus lost). */
void vit_input_release_everything(VitInput *input);
gboolean vit_input_is_absolute(VitInput *input);
unsigned vit_input_get_led_state(VitInput *input);

G_END_DECLS
