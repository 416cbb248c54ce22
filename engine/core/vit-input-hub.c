/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Where input events meet the devices that take them. Handlers form a list; the last one of a sort
 * (keyboard, pointer) is the active one. The hub knows which keys and buttons are down, so that a
 * viewer that loses focus can release them and a change of the active device leaves none stuck.
 *
 * Thread: device lock held. */

#include "vit-input-hub.h"

#include <linux/input-event-codes.h>

typedef enum Sort { SORT_KEYBOARD, SORT_POINTER, SORT_LAST } Sort;

struct VitInputHub {
    GPtrArray *handlers; /* const VitInputHandler*, not owned */
    bool keys_down[KEY_MAX + 1];
    bool buttons_down[VIT_BUTTON_LAST];
    bool unsynced[SORT_LAST];
    unsigned leds;
    void (*led_listener)(void *opaque, unsigned leds);
    void *led_opaque;
};

VitInputHub *
vit_input_hub_new(void)
{
    VitInputHub *hub = g_new0(VitInputHub, 1);

    hub->handlers = g_ptr_array_new();
    return hub;
}

void
vit_input_hub_free(VitInputHub *hub)
{
    if (hub) {
        g_ptr_array_unref(hub->handlers);
        g_free(hub);
    }
}

static bool
is_of_sort(const VitInputHandler *handler, Sort sort)
{
    return sort == SORT_KEYBOARD ? handler->key != NULL : handler->relative || handler->absolute;
}

const VitInputHandler *
vit_input_hub_nth_pointer(const VitInputHub *hub, unsigned n)
{
    for (guint i = 0; i < hub->handlers->len; i++) {
        const VitInputHandler *handler = hub->handlers->pdata[i];

        if (is_of_sort(handler, SORT_POINTER) && n-- == 0) {
            return handler;
        }
    }
    return NULL;
}

static const VitInputHandler *
active_handler(const VitInputHub *hub, Sort sort)
{
    for (guint i = hub->handlers->len; i > 0; i--) {
        const VitInputHandler *handler = hub->handlers->pdata[i - 1];

        if (is_of_sort(handler, sort)) {
            return handler;
        }
    }
    return NULL;
}

bool
vit_input_hub_is_active(const VitInputHub *hub, const VitInputHandler *handler)
{
    return handler == active_handler(hub, SORT_KEYBOARD) ||
           handler == active_handler(hub, SORT_POINTER);
}

/* ---- Handlers ---- */

void
vit_input_hub_add(VitInputHub *hub, const VitInputHandler *handler)
{
    vit_input_release_all(hub);
    g_ptr_array_add(hub->handlers, (void *)handler);
}

void
vit_input_hub_remove(VitInputHub *hub, const VitInputHandler *handler)
{
    vit_input_release_all(hub);
    g_ptr_array_remove(hub->handlers, (void *)handler);
}

void
vit_input_hub_activate(VitInputHub *hub, const VitInputHandler *handler)
{
    vit_input_release_all(hub);
    if (g_ptr_array_remove(hub->handlers, (void *)handler)) {
        g_ptr_array_add(hub->handlers, (void *)handler);
    }
}

/* ---- Events ---- */

void
vit_input_key(VitInputHub *hub, unsigned key_code, bool down)
{
    const VitInputHandler *handler = active_handler(hub, SORT_KEYBOARD);

    if (!handler || key_code == 0 || key_code > KEY_MAX || hub->keys_down[key_code] == down) {
        return;
    }
    hub->keys_down[key_code] = down;
    hub->unsynced[SORT_KEYBOARD] = true;
    handler->key(handler->opaque, key_code, down);
}

void
vit_input_relative(VitInputHub *hub, int dx, int dy)
{
    const VitInputHandler *handler = active_handler(hub, SORT_POINTER);

    if (handler && handler->relative) {
        hub->unsynced[SORT_POINTER] = true;
        handler->relative(handler->opaque, dx, dy);
    }
}

void
vit_input_absolute(VitInputHub *hub, int x, int y)
{
    const VitInputHandler *handler = active_handler(hub, SORT_POINTER);

    if (handler && handler->absolute) {
        hub->unsynced[SORT_POINTER] = true;
        handler->absolute(handler->opaque, CLAMP(x, 0, VIT_INPUT_ABS_MAX),
                          CLAMP(y, 0, VIT_INPUT_ABS_MAX));
    }
}

void
vit_input_button(VitInputHub *hub, VitInputButton button, bool down)
{
    const VitInputHandler *handler = active_handler(hub, SORT_POINTER);

    if (!handler || !handler->button || (unsigned)button >= VIT_BUTTON_LAST ||
        hub->buttons_down[button] == down) {
        return;
    }
    hub->buttons_down[button] = down;
    hub->unsynced[SORT_POINTER] = true;
    handler->button(handler->opaque, button, down);
}

void
vit_input_sync(VitInputHub *hub)
{
    for (Sort sort = 0; sort < SORT_LAST; sort++) {
        const VitInputHandler *handler = active_handler(hub, sort);

        if (hub->unsynced[sort] && handler && handler->sync) {
            handler->sync(handler->opaque);
        }
        hub->unsynced[sort] = false;
    }
}

bool
vit_input_wants_absolute(const VitInputHub *hub)
{
    const VitInputHandler *handler = active_handler(hub, SORT_POINTER);

    return handler && handler->absolute;
}

void
vit_input_release_all(VitInputHub *hub)
{
    for (unsigned code = 0; code <= KEY_MAX; code++) {
        if (hub->keys_down[code]) {
            vit_input_key(hub, code, false);
        }
    }
    for (unsigned button = 0; button < VIT_BUTTON_LAST; button++) {
        if (hub->buttons_down[button]) {
            vit_input_button(hub, button, false);
        }
    }
    vit_input_sync(hub);
}

/* ---- LEDs ---- */

void
vit_input_set_leds(VitInputHub *hub, unsigned leds)
{
    if (hub->leds == leds) {
        return;
    }
    hub->leds = leds;
    if (hub->led_listener) {
        hub->led_listener(hub->led_opaque, leds);
    }
}

unsigned
vit_input_get_leds(const VitInputHub *hub)
{
    return hub->leds;
}

void
vit_input_set_led_listener(VitInputHub *hub, void (*listener)(void *opaque, unsigned leds),
                           void *opaque)
{
    hub->led_listener = listener;
    hub->led_opaque = opaque;
}
