/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The line below a screen: what the machine does, which devices work, how fast. Thread: main. */

#include "app-session.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define UI_TYPE_STATUS_BAR (ui_status_bar_get_type())
G_DECLARE_FINAL_TYPE(UiStatusBar, ui_status_bar, UI, STATUS_BAR, GtkBox)

GtkWidget *ui_status_bar_new(void);
void ui_status_bar_set_text(UiStatusBar *bar, const char *text);
/* The session's meter has a new sample, or the machine is off. */
void ui_status_bar_update(UiStatusBar *bar, AppSession *session);
/* Menu of the removable drives; borrowed by the button of that role. NULL hides it. */
void ui_status_bar_set_media_menu(UiStatusBar *bar, VitMediaRole role, GMenuModel *menu,
                                  const char *text);
/* Menu of the network cables; signal "net-menu" () when it is about to open. NULL: none.
 * CONNECTED: one is plugged in. */
void ui_status_bar_set_net_menu(UiStatusBar *bar, GMenuModel *menu, gboolean connected);

G_END_DECLS
