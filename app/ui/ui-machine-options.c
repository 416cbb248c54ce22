/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What -display gtk,... or sdl,... and the old switches beside it ask of a machine's window. They
 * count when the window is made, and again when they change. What is not said is as the preferences
 * have it. */

#include "ui-machine-window-private.h"

#include "app-prefs.h"

#include <glib/gi18n.h>
#include <string.h>

static gboolean
is_on(VitConfig *config, const char *key, gboolean otherwise)
{
    bool on;

    return vit_config_get(config, "display", key) &&
                   vit_config_get_bool(config, "display", key, &on)
               ? on
               : otherwise;
}

static gboolean
has(VitConfig *config, const char *option)
{
    return vit_config_find(config, option, NULL) != NULL;
}

/* The release key that the arguments name; NULL: the preferences' own. */
const char *
ui_machine_window_option_release_key(VitConfig *config)
{
    static const struct {
        const char *mod, *key;
    } mods[] = {
        { "lshift-lctrl-lalt", "ctrl+alt+shift" },
        { "rctrl", "right-ctrl" },
        { "lctrl-lalt", "ctrl+alt" },
    };
    const char *mod = vit_config_get(config, "display", "grab-mod");

    for (guint i = 0; mod && i < G_N_ELEMENTS(mods); i++) {
        if (strcmp(mods[i].mod, mod) == 0) {
            return mods[i].key;
        }
    }
    if (has(config, "alt-grab") || is_on(config, "alt_grab", FALSE)) {
        return "ctrl+alt+shift";
    }
    return has(config, "ctrl-grab") || is_on(config, "ctrl_grab", FALSE) ? "right-ctrl" : NULL;
}

typedef struct {
    gboolean show_cursor, grab_on_hover;
} Pointer;

static void
set_pointer(UiDisplay *display, gpointer data)
{
    const Pointer *pointer = data;

    ui_display_set_show_cursor(display, pointer->show_cursor);
    ui_display_set_grab_on_hover(display, pointer->grab_on_hover);
}

static void
show_buttons(GtkWidget *widget, gpointer show)
{
    gtk_widget_set_visible(widget, GPOINTER_TO_INT(show));
}

static void
set_painter(UiDisplay *display, gpointer name)
{
    ui_display_set_painter(display, name);
}

/* Not said: whichever fits. */
static void
apply_painter(UiMachineWindow *window, VitConfig *config)
{
    const char *name = !vit_config_get(config, "display", "gl") ? NULL
                       : is_on(config, "gl", FALSE)             ? "gl"
                                                                : "cairo";

    if (name || (window->shown && vit_config_get(window->shown, "display", "gl"))) {
        ui_machine_window_each_display(window, set_painter, (gpointer)name);
    }
}

/* Sets ACTION when the option is not what it was when looked at last. */
static void
follow(UiMachineWindow *window, const char *action, const char *key, VitConfig *before,
       VitConfig *now, gboolean otherwise)
{
    gboolean on = is_on(now, key, otherwise);

    if (before ? on != is_on(before, key, otherwise) : on != otherwise) {
        g_action_group_change_action_state(G_ACTION_GROUP(window), action,
                                           g_variant_new_boolean(on));
    }
}

void
ui_machine_window_apply_options(UiMachineWindow *window, VitConfig *config)
{
    VitConfig *before = window->shown;
    Pointer pointer = { is_on(config, "show-cursor", FALSE),
                        is_on(config, "grab-on-hover", FALSE) };
    const char *zoom = vit_config_get(config, "display", "zoom-to-fit");
    gboolean whole = has(config, "full-screen");

    apply_painter(window, config);
    follow(window, "show-consoles", "show-tabs", before, config, FALSE);
    follow(window, "fullscreen", "full-screen", before, config, FALSE);
    if (whole && !(before && has(before, "full-screen"))) {
        g_action_group_change_action_state(G_ACTION_GROUP(window), "fullscreen",
                                           g_variant_new_boolean(TRUE));
    }
    if (zoom && (!before || g_strcmp0(zoom, vit_config_get(before, "display", "zoom-to-fit")))) {
        g_action_group_change_action_state(
            G_ACTION_GROUP(window), "scale-mode",
            g_variant_new_string(is_on(config, "zoom-to-fit", TRUE) ? "fit" : "one"));
    }
    ui_machine_window_each_display(window, set_pointer, &pointer);
    gtk_container_foreach(GTK_CONTAINER(window->header), show_buttons,
                          GINT_TO_POINTER(is_on(config, "show-menubar", TRUE)));
    window->keep_open = !is_on(config, "window-close", TRUE) || has(config, "no-quit");
    g_clear_object(&window->shown);
    window->shown = vit_config_copy(config);
    ui_machine_window_update_release_key(window);
}

/* The window of -display sdl is ours as well. */
const char *
ui_machine_window_option_note(VitConfig *config)
{
    const char *type = vit_config_get(config, "display", "type");

    if (g_strcmp0(type, "sdl") == 0 || (!type && has(config, "sdl"))) {
        return _("-display sdl is shown in Vitrine's own window; its grab keys are as asked for.");
    }
    return NULL;
}
