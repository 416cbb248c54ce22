/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The application: one process, one library, a window for each machine that is shown. */

#include "app-library.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define UI_TYPE_APPLICATION (ui_application_get_type())
G_DECLARE_FINAL_TYPE(UiApplication, ui_application, UI, APPLICATION, GtkApplication)

/* DEMO_GUEST: path of the demo's kernel, or NULL. */
UiApplication *ui_application_new(const char *demo_guest);
/* One machine in one window, for vitrine-run -display gtk: no library, ends with the machine. */
int ui_application_run_single(int argc, char **argv);

G_END_DECLS
