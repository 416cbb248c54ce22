/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What the files of the settings model share. */

#include "app-settings.h"

GPtrArray *app_setting_groups_new(void);
AppSettingGroup *app_setting_group_new(const char *title, const char *subtitle);
AppPage app_settings_page_of_item(VitConfigItem *item);
