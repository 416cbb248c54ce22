/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What the application owes to running machines: it stays while one runs, keeps the host awake,
 * speaks up before a logout, and tells when one stops that nobody looks at. Thread: main. */

#include "app-library.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

typedef struct UiKeeper UiKeeper;

UiKeeper *ui_keeper_new(GtkApplication *application, AppLibrary *library);
void ui_keeper_free(UiKeeper *keeper);
/* Ends the program: at once when nothing runs, else asks what to do with what does. */
void ui_keeper_quit(UiKeeper *keeper);
/* Without asking: presses power buttons, waits a moment, then pulls the plug. Disks are flushed. */
void ui_keeper_quit_by_signal(UiKeeper *keeper);

G_END_DECLS
