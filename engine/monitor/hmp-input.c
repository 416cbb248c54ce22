/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Human commands for keyboard, mouse and screen. Thread: device lock held. */

#include "hmp.h"

#include <string.h>

#include "vit-error.h"
#include "vit-input-hub.h"

void
hmp_sendkey(HmpCall *call)
{
    g_auto(GStrv) names = g_strsplit(hmp_text(call, "keys"), "-", -1);
    unsigned codes[MON_KEYS_MAX], count = 0;
    const HmpValue *hold = hmp_value(call, "hold-time");

    for (char **name = names; *name; name++) {
        const char *text = strcmp(*name, "<") == 0 ? "less" : *name;
        if (count == MON_KEYS_MAX) {
            hmp_print(call, "too many keys; at most %d at once\n", MON_KEYS_MAX);
            return;
        }
        codes[count] = vit_key_from_name(text);
        if (codes[count++] == 0) {
            hmp_print(call, "invalid parameter: %s\n", *name);
            return;
        }
    }
    mon_keys_press(call->monitors->keys, codes, count,
                   hold->given ? CLAMP(hold->number, 1, 60000) : MON_KEYS_HOLD_MS);
}

static bool
parse_offset(HmpCall *call, const char *name, int *out)
{
    const char *text = hmp_text(call, name), *at = text;
    int64_t value = 0;
    GError *error = NULL;

    if (text && !hmp_expression(call->state, &at, false, &value, &error)) {
        hmp_error(call, error);
        return false;
    }
    *out = CLAMP(value, -32768, 32767);
    return true;
}

void
hmp_mouse_move(HmpCall *call)
{
    VitInputHub *hub = call->monitors->platform->input;
    int dx, dy, dz;

    if (!parse_offset(call, "dx", &dx) || !parse_offset(call, "dy", &dy) ||
        !parse_offset(call, "dz", &dz)) {
        return;
    }
    vit_input_relative(hub, dx, dy);
    for (int i = 0; i < MIN(ABS(dz), 100); i++) {
        VitInputButton wheel = dz < 0 ? VIT_BUTTON_WHEEL_UP : VIT_BUTTON_WHEEL_DOWN;
        vit_input_button(hub, wheel, true);
        vit_input_button(hub, wheel, false);
    }
    vit_input_sync(hub);
}

void
hmp_mouse_button(HmpCall *call)
{
    static const VitInputButton buttons[] = { VIT_BUTTON_LEFT, VIT_BUTTON_MIDDLE,
                                              VIT_BUTTON_RIGHT };
    VitMonitors *monitors = call->monitors;
    unsigned state = hmp_number(call, "button_state");

    for (unsigned i = 0; i < G_N_ELEMENTS(buttons); i++) {
        if ((state ^ monitors->mouse_buttons) >> i & 1) {
            vit_input_button(monitors->platform->input, buttons[i], state >> i & 1);
        }
    }
    monitors->mouse_buttons = state;
    vit_input_sync(monitors->platform->input);
}

void
hmp_mouse_set(HmpCall *call)
{
    VitInputHub *hub = call->monitors->platform->input;
    const VitInputHandler *handler = vit_input_hub_nth_pointer(hub, hmp_number(call, "index"));

    if (handler) {
        vit_input_hub_activate(hub, handler);
    } else {
        hmp_print(call, "Error: there is no such pointer device; \"info mice\" lists them\n");
    }
}

void
hmp_info_mice(HmpCall *call)
{
    VitInputHub *hub = call->monitors->platform->input;
    const VitInputHandler *handler;
    unsigned n;

    for (n = 0; (handler = vit_input_hub_nth_pointer(hub, n)); n++) {
        hmp_print(call, "%c Mouse #%u: %s%s\n", vit_input_hub_is_active(hub, handler) ? '*' : ' ',
                  n, handler->name, handler->absolute ? " (absolute)" : "");
    }
    if (n == 0) {
        hmp_print(call, "No mouse devices connected\n");
    }
}

void
hmp_screendump(HmpCall *call)
{
    const char *path = hmp_text(call, "filename"), *format = hmp_text(call, "f");
    GError *error = NULL;

    if (!format) { /* as the name says */
        g_autofree char *lower = g_ascii_strdown(path, -1);
        format = g_str_has_suffix(lower, ".png") ? "png" : "ppm";
    }
    mon_screendump(call->monitors, path, format, hmp_text(call, "device"),
                   hmp_value(call, "head")->given ? hmp_number(call, "head") : -1, &error);
    hmp_error(call, error);
}
