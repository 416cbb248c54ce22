/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* One page of settings, or what a search found: groups of rows, with what can be added. */

#include "app-settings.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define UI_TYPE_SETTINGS_PAGE (ui_settings_page_get_type())
G_DECLARE_FINAL_TYPE(UiSettingsPage, ui_settings_page, UI, SETTINGS_PAGE, GtkScrolledWindow)

GtkWidget *ui_settings_page_new(AppSettings *settings, AppPage page);
/* A page of what has the words of ui_settings_page_set_search(). */
GtkWidget *ui_settings_page_new_search(AppSettings *settings);
void ui_settings_page_set_search(UiSettingsPage *page, const char *text);

G_END_DECLS
