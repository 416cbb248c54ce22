/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A row of a settings page: title, help, how it is written as an argument, its control, when a
 * change counts, a button back to the default, and below it what is wrong. */

#include "app-settings.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define UI_TYPE_SETTING_ROW (ui_setting_row_get_type())
G_DECLARE_FINAL_TYPE(UiSettingRow, ui_setting_row, UI, SETTING_ROW, GtkBox)

GtkWidget *ui_setting_row_new(AppSettings *settings, AppSetting *setting);
AppSetting *ui_setting_row_get_setting(UiSettingRow *row);
void ui_setting_row_focus(UiSettingRow *row);

G_END_DECLS
