/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Input: viewers and monitors put events in, the active keyboard and pointer devices get them.
 * Keys are Linux input codes (KEY_*), the one numbering used throughout; names are QEMU's
 * (sendkey). Thread: device lock held. */

#include "vit-types.h"

typedef enum VitInputButton {
    VIT_BUTTON_LEFT,
    VIT_BUTTON_MIDDLE,
    VIT_BUTTON_RIGHT,
    VIT_BUTTON_WHEEL_UP,
    VIT_BUTTON_WHEEL_DOWN,
    VIT_BUTTON_SIDE,
    VIT_BUTTON_EXTRA,
    VIT_BUTTON_WHEEL_LEFT,
    VIT_BUTTON_WHEEL_RIGHT,
    VIT_BUTTON_LAST
} VitInputButton;

#define VIT_INPUT_ABS_MAX 0x7fff

/* Filled by a device. NULL slots: not that sort of device. */
typedef struct VitInputHandler {
    const char *name;
    void (*key)(void *opaque, unsigned key_code, bool down);
    void (*relative)(void *opaque, int dx, int dy);
    void (*absolute)(void *opaque, int x, int y); /* 0..VIT_INPUT_ABS_MAX */
    void (*button)(void *opaque, VitInputButton button, bool down);
    void (*sync)(void *opaque); /* end of a batch */
    void *opaque;
} VitInputHandler;

VitInputHub *vit_input_hub_new(void);
void vit_input_hub_free(VitInputHub *hub);
/* The last added handler of each sort is the active one. */
void vit_input_hub_add(VitInputHub *hub, const VitInputHandler *handler);
void vit_input_hub_remove(VitInputHub *hub, const VitInputHandler *handler);
void vit_input_hub_activate(VitInputHub *hub, const VitInputHandler *handler);
/* The n-th pointer device, NULL after the last. */
const VitInputHandler *vit_input_hub_nth_pointer(const VitInputHub *hub, unsigned n);
bool vit_input_hub_is_active(const VitInputHub *hub, const VitInputHandler *handler);

/* Repeats of a key that is down are dropped: keyboards make their own. */
void vit_input_key(VitInputHub *hub, unsigned key_code, bool down);
void vit_input_relative(VitInputHub *hub, int dx, int dy);
void vit_input_absolute(VitInputHub *hub, int x, int y);
void vit_input_button(VitInputHub *hub, VitInputButton button, bool down);
void vit_input_sync(VitInputHub *hub);
bool vit_input_wants_absolute(const VitInputHub *hub);
/* Releases every key and button that is down. */
void vit_input_release_all(VitInputHub *hub);
/* Keyboard LEDs as the guest set them: bit 0 scroll, 1 num, 2 caps. */
void vit_input_set_leds(VitInputHub *hub, unsigned leds);
unsigned vit_input_get_leds(const VitInputHub *hub);
void vit_input_set_led_listener(VitInputHub *hub, void (*listener)(void *opaque, unsigned leds),
                                void *opaque);

/* ---- Keys (vit-key.c); any thread ---- */

/* One key: its names and what a PC keyboard sends for it. Extended codes are 0xe0NN; 0 = the PC
 * keyboard has no such key. */
typedef struct VitKey {
    uint16_t code; /* KEY_* */
    uint16_t set1, set2;
    uint8_t set3;
    const char *name; /* QEMU's */
} VitKey;

/* NULL when the key is not known. */
const VitKey *vit_key_find(unsigned key_code);
/* "ret", "a", "f1", or a set 1 scan code ("0x1c", extended ones with bit 7: "0x9c") -> key code; 0
 * when unknown. */
unsigned vit_key_from_name(const char *name);
const char *vit_key_name(unsigned key_code);
/* Set 1 number as above -> key code; 0 when unknown. */
unsigned vit_key_from_set1(unsigned number);
/* The n-th key of the table, NULL after the last. */
const VitKey *vit_key_nth(unsigned n);
