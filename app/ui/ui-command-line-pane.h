/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Every argument of a machine as text: edited, completed, checked while it is typed, applied in one
 * step, copied as a command for a shell. */

#include "app-command-line.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define UI_TYPE_COMMAND_LINE_PANE (ui_command_line_pane_get_type())
G_DECLARE_FINAL_TYPE(UiCommandLinePane, ui_command_line_pane, UI, COMMAND_LINE_PANE, GtkBox)

GtkWidget *ui_command_line_pane_new(AppSettings *settings);
/* Whether there is text that was not applied. */
gboolean ui_command_line_pane_has_changes(UiCommandLinePane *pane);
void ui_command_line_pane_apply(UiCommandLinePane *pane);

G_END_DECLS
