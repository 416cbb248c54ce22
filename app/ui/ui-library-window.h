/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The library: a card for each machine, as a grid or a list. Thread: main. */

#include "app-library.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define UI_TYPE_LIBRARY_WINDOW (ui_library_window_get_type())
G_DECLARE_FINAL_TYPE(UiLibraryWindow, ui_library_window, UI, LIBRARY_WINDOW, GtkApplicationWindow)

UiLibraryWindow *ui_library_window_new(GtkApplication *application, AppLibrary *library);
void ui_library_window_show_error(UiLibraryWindow *window, const char *text);
/* The card that is selected; NULL. */
AppEntry *ui_library_window_get_selected(UiLibraryWindow *window);
void ui_library_window_select(UiLibraryWindow *window, AppEntry *entry);

G_END_DECLS
