/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The preferences, a row for each key of the schema that a person should see, bound to it. */

#include "ui-preferences-window.h"

#include "app-hotkeys.h"
#include "app-prefs.h"
#include "app-typist.h"

#include <glib/gi18n.h>
#include <handy.h>
#include <string.h>

typedef struct Choice {
    const char *value, *title;
} Choice;

static const Choice scalings[] = { { "fit", N_("Fit to the window") },
                                   { "one", N_("Original size") },
                                   { "integer", N_("Whole multiples") },
                                   { "stretch", N_("Stretch") } };
static const Choice filters[] = { { "sharp", N_("Sharp") },
                                  { "linear", N_("Smooth") },
                                  { "nearest", N_("Hard pixels") } };
static const Choice closings[] = { { "ask", N_("Ask") },
                                   { "keep-running", N_("Keep it running") },
                                   { "power-button", N_("Press its power button") },
                                   { "force-off", N_("Force it off") } };
static const char *const release_keys[] = { "ctrl+alt",   "ctrl+alt+shift", "right-ctrl",
                                            "ctrl+alt+g", "scroll-lock",    "f12" };
static const char *const layout_titles[] = { N_("US English"), N_("British"), N_("German"),
                                             N_("French") };

/* ---- Rows ---- */

/* The control is spoken by its row's title, without the mark of the mnemonic. */
static void
name_control(GtkWidget *control, const char *title)
{
    g_auto(GStrv) parts = g_strsplit(title, "_", -1);
    g_autofree char *plain = g_strjoinv("", parts);

    atk_object_set_name(gtk_widget_get_accessible(control), plain);
}

static GtkWidget *
add_row(GtkWidget *group, const char *title, const char *subtitle, GtkWidget *control)
{
    GtkWidget *row = hdy_action_row_new();

    name_control(row, title);
    hdy_preferences_row_set_title(HDY_PREFERENCES_ROW(row), title);
    hdy_preferences_row_set_use_underline(HDY_PREFERENCES_ROW(row), TRUE);
    hdy_action_row_set_use_underline(HDY_ACTION_ROW(row), TRUE);
    hdy_action_row_set_subtitle(HDY_ACTION_ROW(row), subtitle);
    gtk_widget_set_valign(control, GTK_ALIGN_CENTER);
    gtk_container_add(GTK_CONTAINER(row), control);
    hdy_action_row_set_activatable_widget(HDY_ACTION_ROW(row), control);
    gtk_container_add(GTK_CONTAINER(group), row);
    return row;
}

static void
add_switch(GtkWidget *group, const char *key, const char *title, const char *subtitle)
{
    GtkWidget *control = gtk_switch_new();

    g_settings_bind(app_prefs_get(), key, control, "active", G_SETTINGS_BIND_DEFAULT);
    name_control(control, title);
    add_row(group, title, subtitle, control);
}

static void
add_combo_with(GtkWidget *group, const char *key, const char *title, const char *subtitle,
               GtkWidget *combo)
{
    g_settings_bind(app_prefs_get(), key, combo, "active-id", G_SETTINGS_BIND_DEFAULT);
    name_control(combo, title);
    add_row(group, title, subtitle, combo);
}

static void
add_combo(GtkWidget *group, const char *key, const char *title, const char *subtitle,
          const Choice *choices, guint count)
{
    GtkWidget *combo = gtk_combo_box_text_new();

    for (guint i = 0; i < count; i++) {
        gtk_combo_box_text_append(GTK_COMBO_BOX_TEXT(combo), choices[i].value, _(choices[i].title));
    }
    add_combo_with(group, key, title, subtitle, combo);
}

static GtkWidget *
add_group(GtkWidget *page, const char *title, const char *description)
{
    GtkWidget *group = hdy_preferences_group_new();

    hdy_preferences_group_set_title(HDY_PREFERENCES_GROUP(group), title);
    hdy_preferences_group_set_description(HDY_PREFERENCES_GROUP(group), description);
    gtk_container_add(GTK_CONTAINER(page), group);
    return group;
}

static GtkWidget *
add_page(GtkWidget *window, const char *title, const char *icon)
{
    GtkWidget *page = hdy_preferences_page_new();

    hdy_preferences_page_set_title(HDY_PREFERENCES_PAGE(page), title);
    hdy_preferences_page_set_icon_name(HDY_PREFERENCES_PAGE(page), icon);
    gtk_container_add(GTK_CONTAINER(window), page);
    return page;
}

/* ---- Grab: bits of one key ---- */

static gboolean
flags_to_active(GValue *value, GVariant *variant, gpointer data)
{
    const char *const wanted = data;
    g_autofree const char **flags = g_variant_get_strv(variant, NULL);

    g_value_set_boolean(value, g_strv_contains((const char *const *)flags, wanted));
    return TRUE;
}

static GVariant *
active_to_flags(const GValue *value, const GVariantType *type, gpointer data)
{
    g_autoptr(GVariant) old = g_settings_get_value(app_prefs_get(), "grab-on");
    g_autofree const char **flags = g_variant_get_strv(old, NULL);
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE_STRING_ARRAY);
    for (guint i = 0; flags[i]; i++) {
        if (strcmp(flags[i], data) != 0) {
            g_variant_builder_add(&builder, "s", flags[i]);
        }
    }
    if (g_value_get_boolean(value)) {
        g_variant_builder_add(&builder, "s", (const char *)data);
    }
    return g_variant_builder_end(&builder);
}

static void
add_grab_switch(GtkWidget *group, const char *flag, const char *title)
{
    GtkWidget *control = gtk_switch_new();

    g_settings_bind_with_mapping(app_prefs_get(), "grab-on", control, "active",
                                 G_SETTINGS_BIND_DEFAULT, flags_to_active, active_to_flags,
                                 (gpointer)flag, NULL);
    name_control(control, title);
    add_row(group, title, NULL, control);
}

/* ---- Lists of words in an entry ---- */

static gboolean
words_to_text(GValue *value, GVariant *variant, gpointer data)
{
    g_autofree const char **words = g_variant_get_strv(variant, NULL);

    g_value_take_string(value, g_strjoinv(" ", (char **)words));
    return TRUE;
}

static GVariant *
text_to_words(const GValue *value, const GVariantType *type, gpointer data)
{
    g_auto(GStrv) parts = g_strsplit(g_value_get_string(value), " ", -1);
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE_STRING_ARRAY);
    for (guint i = 0; parts[i]; i++) {
        if (*parts[i]) {
            g_variant_builder_add(&builder, "s", parts[i]);
        }
    }
    return g_variant_builder_end(&builder);
}

static void
add_words(GtkWidget *group, const char *key, const char *title, const char *subtitle)
{
    GtkWidget *entry = gtk_entry_new();
    g_autoptr(GVariant) value = g_settings_get_value(app_prefs_get(), key);
    g_autofree const char **words = g_variant_get_strv(value, NULL);
    g_autofree char *text = g_strjoinv(" ", (char **)words);

    gtk_entry_set_width_chars(GTK_ENTRY(entry), 24);
    gtk_entry_set_text(GTK_ENTRY(entry), text);
    /* what is being typed is not put in order under the cursor */
    g_settings_bind_with_mapping(app_prefs_get(), key, entry, "text", G_SETTINGS_BIND_SET,
                                 words_to_text, text_to_words, NULL, NULL);
    name_control(entry, title);
    add_row(group, title, subtitle, entry);
}

/* ---- Pages ---- */

static void
fill_screen_page(GtkWidget *window)
{
    GtkWidget *page = add_page(window, _("Screen"), "video-display-symbolic");
    GtkWidget *group = add_group(page, _("New windows"), NULL);

    add_combo(group, "scaling", _("_Size of the picture"), NULL, scalings, G_N_ELEMENTS(scalings));
    add_combo(group, "filter", _("S_moothing"), _("Sharp keeps the edges of pixels at every size"),
              filters, G_N_ELEMENTS(filters));
    add_switch(group, "correct-aspect", _("_Old screen modes in 4:3"),
               _("Text and VGA modes were made for screens of this shape"));
    add_switch(group, "show-status-bar", _("S_tatus bar"),
               _("Speed and device activity below the screen"));
}

static void
fill_input_page(GtkWidget *window)
{
    GtkWidget *page = add_page(window, _("Keyboard"), "input-keyboard-symbolic");
    GtkWidget *group = add_group(page, _("Keyboard and pointer go to the guest alone"), NULL);
    GtkWidget *combo = gtk_combo_box_text_new();

    add_grab_switch(group, "click", _("On a _click into the screen"));
    add_grab_switch(group, "focus", _("When the screen gets the _focus"));
    add_grab_switch(group, "fullscreen", _("In f_ull screen"));
    for (guint i = 0; i < G_N_ELEMENTS(release_keys); i++) {
        g_autofree char *title = app_release_key_describe(release_keys[i]);

        gtk_combo_box_text_append(GTK_COMBO_BOX_TEXT(combo), release_keys[i], title);
    }
    add_combo_with(group, "release-key", _("_Release key"),
                   _("Lets go, and is the prefix of the window's own commands"), combo);

    group = add_group(page, _("Keys"), NULL);
    add_words(group, "host-keys", _("Keys that stay with the _host"),
              _("Such as XF86AudioMute or <Control>Print"));
    add_words(group, "key-combinations", _("_Own key combinations to send"),
              _("Such as ctrl-alt-f2"));
    combo = gtk_combo_box_text_new();
    for (guint i = 0; app_typist_list_layouts()[i]; i++) {
        gtk_combo_box_text_append(GTK_COMBO_BOX_TEXT(combo), app_typist_list_layouts()[i],
                                  _(layout_titles[i]));
    }
    add_combo_with(group, "typing-layout", _("Keyboard _layout of guests"),
                   _("For typing the clipboard"), combo);
}

static void
fill_machines_page(GtkWidget *window)
{
    GtkWidget *page = add_page(window, _("Machines"), "computer-symbolic");
    GtkWidget *group = add_group(page, _("Running"), NULL);

    add_combo(group, "closing", _("_Closing the window of a running machine"), NULL, closings,
              G_N_ELEMENTS(closings));
    add_switch(group, "keep-awake", _("Keep this computer _awake"),
               _("It does not suspend by itself while a machine runs"));
    add_switch(group, "notifications", _("_Notifications"),
               _("Tell when a machine stops that is not looked at"));
    group = add_group(page, _("Library"), NULL);
    add_switch(group, "thumbnails", _("_Pictures of running machines"),
               _("Kept in the machine's folder"));
}

GtkWidget *
ui_preferences_window_new(GtkWindow *parent)
{
    GtkWidget *window =
        g_object_new(HDY_TYPE_PREFERENCES_WINDOW, "transient-for", parent, "modal", FALSE, "title",
                     _("Preferences"), "destroy-with-parent", TRUE, NULL);

    fill_screen_page(window);
    fill_input_page(window);
    fill_machines_page(window);
    gtk_widget_show_all(window);
    return window;
}
