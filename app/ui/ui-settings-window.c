/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The window around the settings pages and the command line of one machine. */

#include "ui-settings-window.h"

#include <glib/gi18n.h>

struct _UiSettingsWindow {
    GtkWindow parent;
    AppEntry *entry;
};

G_DEFINE_FINAL_TYPE(UiSettingsWindow, ui_settings_window, GTK_TYPE_WINDOW)

static UiSettingsWindow *
find_window(GtkApplication *application, AppEntry *entry)
{
    for (GList *l = gtk_application_get_windows(application); l; l = l->next) {
        if (UI_IS_SETTINGS_WINDOW(l->data) && UI_SETTINGS_WINDOW(l->data)->entry == entry) {
            return l->data;
        }
    }
    return NULL;
}

UiSettingsWindow *
ui_settings_open(GtkApplication *application, GtkWindow *parent, AppEntry *entry, const char *page)
{
    UiSettingsWindow *window = find_window(application, entry);

    if (!window) {
        window = g_object_new(UI_TYPE_SETTINGS_WINDOW, "application", application, "transient-for",
                              parent, NULL);
        window->entry = g_object_ref(entry);
    }
    gtk_window_present(GTK_WINDOW(window));
    return window;
}

static void
ui_settings_window_dispose(GObject *object)
{
    g_clear_object(&UI_SETTINGS_WINDOW(object)->entry);
    G_OBJECT_CLASS(ui_settings_window_parent_class)->dispose(object);
}

static void
ui_settings_window_class_init(UiSettingsWindowClass *klass)
{
    G_OBJECT_CLASS(klass)->dispose = ui_settings_window_dispose;
}

static void
ui_settings_window_init(UiSettingsWindow *window)
{
}
