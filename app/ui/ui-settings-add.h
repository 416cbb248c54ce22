/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The button that adds an instance or a device to a page of settings. */

#include "app-settings.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

/* NULL when nothing can be added to PAGE. */
GtkWidget *ui_settings_add_new(AppSettings *settings, AppPage page);

G_END_DECLS
