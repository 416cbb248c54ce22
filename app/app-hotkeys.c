/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The release key and what follows it. The letters are those of the manual's section on keys in
 * graphical windows: f, +, -, u, and 1 to 9. */

#include "app-hotkeys.h"

#include <glib/gi18n.h>
#include <linux/input-event-codes.h>
#include <string.h>

static const struct {
    const char *name, *title;
    guint key;
    gboolean is_modifier;
} names[] = {
    { "ctrl", N_("Ctrl"), KEY_LEFTCTRL, TRUE },
    { "alt", N_("Alt"), KEY_LEFTALT, TRUE },
    { "shift", N_("Shift"), KEY_LEFTSHIFT, TRUE },
    { "super", N_("Super"), KEY_LEFTMETA, TRUE },
    { "right-ctrl", N_("Right Ctrl"), KEY_RIGHTCTRL, TRUE },
    { "right-alt", N_("Right Alt"), KEY_RIGHTALT, TRUE },
    { "right-shift", N_("Right Shift"), KEY_RIGHTSHIFT, TRUE },
    { "g", "G", KEY_G, FALSE },
    { "f12", "F12", KEY_F12, FALSE },
    { "scroll-lock", N_("Scroll Lock"), KEY_SCROLLLOCK, FALSE },
    { "pause", N_("Pause"), KEY_PAUSE, FALSE },
    { "menu", N_("Menu"), KEY_COMPOSE, FALSE },
};

gboolean
app_release_key_parse(const char *text, AppReleaseKey *out)
{
    g_auto(GStrv) parts = g_strsplit(text, "+", -1);
    AppReleaseKey found = { 0 };

    for (guint i = 0; parts[i]; i++) {
        guint j;

        for (j = 0; j < G_N_ELEMENTS(names) && strcmp(names[j].name, parts[i]) != 0; j++) {
        }
        if (j == G_N_ELEMENTS(names) || found.key ||
            (names[j].is_modifier && found.n_modifiers == APP_HOTKEY_MODIFIERS)) {
            return FALSE;
        }
        if (names[j].is_modifier) {
            found.modifiers[found.n_modifiers++] = names[j].key;
        } else {
            found.key = names[j].key;
        }
    }
    if (!found.key && !found.n_modifiers) {
        return FALSE;
    }
    *out = found;
    return TRUE;
}

char *
app_release_key_describe(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, "+", -1);
    GString *out = g_string_new(NULL);

    for (guint i = 0; parts[i]; i++) {
        const char *title = parts[i];

        for (guint j = 0; j < G_N_ELEMENTS(names); j++) {
            if (strcmp(names[j].name, parts[i]) == 0) {
                title = _(names[j].title);
            }
        }
        g_string_append_printf(out, "%s%s", i ? "+" : "", title);
    }
    return g_string_free(out, FALSE);
}

void
app_hotkeys_init(AppHotkeys *hotkeys, const char *release_key)
{
    memset(hotkeys, 0, sizeof(*hotkeys));
    if (!release_key || !app_release_key_parse(release_key, &hotkeys->release)) {
        app_release_key_parse("ctrl+alt", &hotkeys->release);
    }
}

gboolean
app_hotkeys_is_down(const AppHotkeys *hotkeys, guint key)
{
    return key < sizeof(hotkeys->down) * 8 && hotkeys->down[key / 32] >> (key % 32) & 1;
}

void
app_hotkeys_clear(AppHotkeys *hotkeys)
{
    memset(hotkeys->down, 0, sizeof(hotkeys->down));
    hotkeys->armed = FALSE;
}

static guint
other_side(guint modifier)
{
    switch (modifier) {
    case KEY_LEFTCTRL: return KEY_RIGHTCTRL;
    case KEY_LEFTSHIFT: return KEY_RIGHTSHIFT;
    case KEY_LEFTMETA: return KEY_RIGHTMETA;
    default: return modifier; /* Right Alt is AltGr and types characters: not meant by Alt */
    }
}

static gboolean
prefix_is_held(const AppHotkeys *hotkeys)
{
    const AppReleaseKey *release = &hotkeys->release;

    for (guint i = 0; i < release->n_modifiers; i++) {
        if (!app_hotkeys_is_down(hotkeys, release->modifiers[i]) &&
            !app_hotkeys_is_down(hotkeys, other_side(release->modifiers[i]))) {
            return FALSE;
        }
    }
    return release->n_modifiers > 0;
}

static gboolean
is_own_modifier(const AppReleaseKey *release, guint key)
{
    for (guint i = 0; i < release->n_modifiers; i++) {
        if (key == release->modifiers[i] || key == other_side(release->modifiers[i])) {
            return TRUE;
        }
    }
    return FALSE;
}

static AppHotkey
command_of(guint key, guint *out_number)
{
    switch (key) {
    case KEY_F: return APP_HOTKEY_FULLSCREEN;
    case KEY_EQUAL:
    case KEY_KPPLUS: return APP_HOTKEY_ENLARGE;
    case KEY_MINUS:
    case KEY_KPMINUS: return APP_HOTKEY_SHRINK;
    case KEY_U: return APP_HOTKEY_UNSCALE;
    case KEY_G: return APP_HOTKEY_RELEASE;
    default:
        if (key >= KEY_1 && key <= KEY_9) {
            *out_number = key - KEY_1 + 1;
            return APP_HOTKEY_CONSOLE;
        }
        return APP_HOTKEY_NONE;
    }
}

AppHotkey
app_hotkeys_feed(AppHotkeys *hotkeys, guint key, gboolean down, guint *out_number)
{
    const AppReleaseKey *release = &hotkeys->release;
    gboolean was_down = app_hotkeys_is_down(hotkeys, key);

    if (key >= sizeof(hotkeys->down) * 8) {
        return APP_HOTKEY_NONE;
    }
    if (down) {
        hotkeys->down[key / 32] |= 1u << (key % 32);
        if (release->key && key == release->key &&
            (release->n_modifiers == 0 || prefix_is_held(hotkeys))) {
            return APP_HOTKEY_RELEASE;
        }
        hotkeys->armed = !release->key && is_own_modifier(release, key) && prefix_is_held(hotkeys);
        return prefix_is_held(hotkeys) ? command_of(key, out_number) : APP_HOTKEY_NONE;
    }
    hotkeys->down[key / 32] &= ~(1u << (key % 32));
    if (was_down && hotkeys->armed) {
        hotkeys->armed = FALSE;
        return APP_HOTKEY_RELEASE;
    }
    return APP_HOTKEY_NONE;
}
