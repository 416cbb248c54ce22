/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A machine in the library: picture, name, state. The picture is read when the card is first drawn,
 * on a worker, and given back when many others were drawn since. Thread: main. */

#include "app-entry.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define UI_TYPE_MACHINE_CARD (ui_machine_card_get_type())
G_DECLARE_FINAL_TYPE(UiMachineCard, ui_machine_card, UI, MACHINE_CARD, GtkBox)

/* ORIENTATION: vertical in a grid, horizontal in a list. */
GtkWidget *ui_machine_card_new(AppEntry *entry, GtkOrientation orientation);
AppEntry *ui_machine_card_get_entry(UiMachineCard *card);

G_END_DECLS
