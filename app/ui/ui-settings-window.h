/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The settings of one machine: pages generated from the option schema, and its command line.
 * There is one such window per machine; windows open it through the actions app.settings and
 * app.command-line, whose parameter is the machine's name. */

#include "app-library.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define UI_TYPE_SETTINGS_WINDOW (ui_settings_window_get_type())
G_DECLARE_FINAL_TYPE(UiSettingsWindow, ui_settings_window, UI, SETTINGS_WINDOW, GtkWindow)

/* The page of the command line, for ui_settings_open(). */
#define UI_SETTINGS_COMMAND_LINE "command-line"

/* Shows the window of ENTRY, made when there is none, at PAGE (NULL: where it is). */
UiSettingsWindow *ui_settings_open(GtkApplication *application, GtkWindow *parent, AppEntry *entry,
                                   const char *page);

G_END_DECLS
