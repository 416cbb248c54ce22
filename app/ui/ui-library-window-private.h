/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Between ui-library-window.c (views) and ui-library-actions.c (what can be done). */

#include "ui-library-window.h"

struct _UiLibraryWindow {
    GtkApplicationWindow parent;
    GtkHeaderBar *header;
    GtkStack *views;
    GtkFlowBox *grid;
    GtkListBox *list;
    GtkSearchBar *search_bar;
    GtkSearchEntry *search_entry;
    GtkInfoBar *info_bar;
    GtkLabel *info_label;
    GtkWidget *undo_button, *machine_button, *menu_button;
    GtkWidget *first_hint; /* while there is no machine of the user's own */
    GMenuModel *card_menu;
    AppLibrary *library;
    GFile *trashed; /* what Undo brings back */
    gboolean is_list;
};

void ui_library_window_add_actions(UiLibraryWindow *window);
/* The selection or the state of what is selected is another. */
void ui_library_window_update_actions(UiLibraryWindow *window);
void ui_library_window_show_info(UiLibraryWindow *window, GtkMessageType type, const char *text,
                                 gboolean with_undo);
/* Which of views and hints is in sight. */
void ui_library_window_update_views(UiLibraryWindow *window);
void ui_library_window_set_view(UiLibraryWindow *window, gboolean list);
