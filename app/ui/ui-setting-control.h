/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The widget that edits one setting, chosen by its declared type. It shows what the configuration
 * says and reports what the user wants; whether that is right the row finds out. */

#include "app-setting.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define UI_TYPE_SETTING_CONTROL (ui_setting_control_get_type())
G_DECLARE_FINAL_TYPE(UiSettingControl, ui_setting_control, UI, SETTING_CONTROL, GtkBox)

/* Signals: "edited" (const char *value or NULL): the user wants this value. */

GtkWidget *ui_setting_control_new(AppSetting *setting);
/* Shows what is set, unless the user is typing. */
void ui_setting_control_update(UiSettingControl *control);
/* The widget that takes the focus. */
GtkWidget *ui_setting_control_get_focus_widget(UiSettingControl *control);

G_END_DECLS
