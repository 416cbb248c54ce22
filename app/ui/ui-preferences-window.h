/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Preferences of the application. Thread: main. */

#include <gtk/gtk.h>

G_BEGIN_DECLS

GtkWidget *ui_preferences_window_new(GtkWindow *parent);

G_END_DECLS
