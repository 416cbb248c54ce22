/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The disk images of a machine: a new one made and attached, one that is there looked at, grown,
 * converted and checked, with progress and a way to stop. */

#include "app-settings.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define UI_TYPE_DISK_DIALOG (ui_disk_dialog_get_type())
G_DECLARE_FINAL_TYPE(UiDiskDialog, ui_disk_dialog, UI, DISK_DIALOG, GtkDialog)

/* Makes a new image in the machine's folder and attaches it. */
UiDiskDialog *ui_disk_dialog_new_create(GtkWindow *parent, AppSettings *settings);
/* The image that the instance SERIAL names in its KEY, "file" or "value". */
UiDiskDialog *ui_disk_dialog_new_manage(GtkWindow *parent, AppSettings *settings, uint32_t serial,
                                        const char *key);

G_END_DECLS
