/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A window with text to read, select, search and save: the log, the guest's text screen.
 * Thread: main. */

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define UI_TYPE_TEXT_WINDOW (ui_text_window_get_type())
G_DECLARE_FINAL_TYPE(UiTextWindow, ui_text_window, UI, TEXT_WINDOW, GtkWindow)

UiTextWindow *ui_text_window_new(GtkWindow *parent, const char *title, const char *file_name);
void ui_text_window_set_text(UiTextWindow *window, const char *text);
/* Adds a line, and shows it when the end was shown. */
void ui_text_window_append(UiTextWindow *window, const char *line);

G_END_DECLS
