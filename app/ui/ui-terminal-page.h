/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A monitor or serial port as a terminal. Thread: main. */

#include "vit-engine.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define UI_TYPE_TERMINAL_PAGE (ui_terminal_page_get_type())
G_DECLARE_FINAL_TYPE(UiTerminalPage, ui_terminal_page, UI, TERMINAL_PAGE, GtkBox)

GtkWidget *ui_terminal_page_new(VitTerminal *terminal);
/* "Monitor", "Serial 1". Ownership: caller. */
char *ui_terminal_page_make_title(VitTerminal *terminal);
/* All that was shown, as far as it is kept. */
gboolean ui_terminal_page_save(UiTerminalPage *page, const char *path, GError **error);
void ui_terminal_page_copy(UiTerminalPage *page);
void ui_terminal_page_paste(UiTerminalPage *page);
/* The terminal widget itself, for the focus. */
GtkWidget *ui_terminal_page_get_view(UiTerminalPage *page);

G_END_DECLS
