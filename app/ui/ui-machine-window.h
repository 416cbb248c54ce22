/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The window of one machine: its screen, its terminals, and what can be done to it as win.*
 * actions. Thread: main. */

#include "app-entry.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define UI_TYPE_MACHINE_WINDOW (ui_machine_window_get_type())
G_DECLARE_FINAL_TYPE(UiMachineWindow, ui_machine_window, UI, MACHINE_WINDOW, GtkApplicationWindow)

/* CONFIG is what reports show; may be NULL. */
UiMachineWindow *ui_machine_window_new(GtkApplication *application, AppSession *session,
                                       VitConfig *config, const char *title);
AppSession *ui_machine_window_get_session(UiMachineWindow *window);
/* A bar above the screen with TEXT. */
void ui_machine_window_show_info(UiMachineWindow *window, GtkMessageType type, const char *text);

G_END_DECLS
