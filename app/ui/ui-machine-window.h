/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The window of one machine: its screen, and what can be done to it as win.* actions. */

#include "app-session.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define UI_TYPE_MACHINE_WINDOW (ui_machine_window_get_type())
G_DECLARE_FINAL_TYPE(UiMachineWindow, ui_machine_window, UI, MACHINE_WINDOW, GtkApplicationWindow)

UiMachineWindow *ui_machine_window_new(GtkApplication *application, AppSession *session,
                                       const char *title);
AppSession *ui_machine_window_get_session(UiMachineWindow *window);

G_END_DECLS
