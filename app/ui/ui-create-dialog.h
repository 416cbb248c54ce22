/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* New machine, on one page: from an ISO image, a disk image, a machine’s folder, an argument text
 * or a shell script with one. */

#include "app-library.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define UI_TYPE_CREATE_DIALOG (ui_create_dialog_get_type())
G_DECLARE_FINAL_TYPE(UiCreateDialog, ui_create_dialog, UI, CREATE_DIALOG, GtkDialog)

/* Signals: "created" (AppEntry *). The dialog destroys itself after it or a cancel. */
UiCreateDialog *ui_create_dialog_new(GtkWindow *parent, AppLibrary *library);
/* Fills in the page for PATH, whatever of these it is. */
void ui_create_dialog_set_file(UiCreateDialog *dialog, const char *path);
/* Fills in an argument text. */
void ui_create_dialog_set_text(UiCreateDialog *dialog, const char *text);

G_END_DECLS
