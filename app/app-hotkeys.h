/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Which keys of the screen are the host's: the release key, which lets go of the grab and, held, is
 * the prefix of the window's own commands. Keys are Linux input codes. Thread: its user's. */

#include "vit-engine.h"

G_BEGIN_DECLS

enum { APP_HOTKEY_MODIFIERS = 3 };

/* Modifiers by what they are, not where: left or right will do, except for those named so. */
typedef struct {
    guint modifiers[APP_HOTKEY_MODIFIERS]; /* KEY_LEFT* for either side, KEY_RIGHT* for that one */
    guint n_modifiers;
    guint key; /* 0: the modifiers alone, pressed and let go together */
} AppReleaseKey;

typedef enum {
    APP_HOTKEY_NONE,    /* the guest's */
    APP_HOTKEY_RELEASE, /* toggle the grab */
    APP_HOTKEY_FULLSCREEN,
    APP_HOTKEY_ENLARGE,
    APP_HOTKEY_SHRINK,
    APP_HOTKEY_UNSCALE,
    APP_HOTKEY_CONSOLE, /* with its number, from 1 */
} AppHotkey;

typedef struct {
    AppReleaseKey release;
    guint32 down[24]; /* bit per key code */
    gboolean armed;   /* the release key is down and nothing else was pressed since */
} AppHotkeys;

/* "ctrl+alt", "ctrl+alt+shift", "right-ctrl", "ctrl+alt+g", "scroll-lock". False: not such a text.
 */
gboolean app_release_key_parse(const char *text, AppReleaseKey *out);
/* As a person reads it: "Ctrl+Alt". Ownership: caller. */
char *app_release_key_describe(const char *text);

void app_hotkeys_init(AppHotkeys *hotkeys, const char *release_key);
/* Takes one key event; tells what it is to the host. OUT_NUMBER: of APP_HOTKEY_CONSOLE. */
AppHotkey app_hotkeys_feed(AppHotkeys *hotkeys, guint key, gboolean down, guint *out_number);
gboolean app_hotkeys_is_down(const AppHotkeys *hotkeys, guint key);
/* All keys are up (focus lost). */
void app_hotkeys_clear(AppHotkeys *hotkeys);

G_END_DECLS
