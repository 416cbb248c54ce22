/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The list of what can stand at the cursor of a text view. The text view keeps the focus; it gives
 * its keys to ui_completion_popup_key() first. */

#include "vit-engine.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

typedef struct UiCompletionPopup UiCompletionPopup;

/* Called with what the user took. */
typedef void (*UiCompletionFunc)(const VitCompletions *completions, const VitCompletion *taken,
                                 gpointer data);

UiCompletionPopup *ui_completion_popup_new(GtkTextView *view, UiCompletionFunc func, gpointer data);
void ui_completion_popup_free(UiCompletionPopup *popup);
/* Shows COMPLETIONS (taken over) at the cursor, or hides the list when there are none. With
 * SELECT_FIRST the first is chosen, so that Enter takes it. */
void ui_completion_popup_show(UiCompletionPopup *popup, VitCompletions *completions,
                              gboolean select_first);
void ui_completion_popup_hide(UiCompletionPopup *popup);
gboolean ui_completion_popup_is_shown(UiCompletionPopup *popup);
/* TRUE when the key was for the list. */
gboolean ui_completion_popup_key(UiCompletionPopup *popup, GdkEventKey *event);

G_END_DECLS
