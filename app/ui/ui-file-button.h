/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A button that shows which file or folder was chosen and asks for another through the desktop's
 * own dialog, which in a sandbox is the portal's. Main thread. */

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define UI_TYPE_FILE_BUTTON ui_file_button_get_type()
G_DECLARE_FINAL_TYPE(UiFileButton, ui_file_button, UI, FILE_BUTTON, GtkButton)

/* Properties: "prompt" (what is shown while nothing is chosen, and the dialog's title), "folder",
 * "patterns" (globs, separated by spaces; all files can still be chosen), "patterns-name".
 * Signal "chosen": the user chose something. */
const char *ui_file_button_get_path(UiFileButton *button); /* NULL: nothing yet */
void ui_file_button_set_path(UiFileButton *button, const char *path);

G_END_DECLS
