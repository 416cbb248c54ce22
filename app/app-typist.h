/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Types a text into a guest as key presses, at a pace that firmware and installers follow. The
 * guest turns keys into characters by its own layout, so the text is translated for one that is
 * named. Thread: main. */

#include "vit-engine.h"

G_BEGIN_DECLS

#define APP_TYPE_TYPIST (app_typist_get_type())
G_DECLARE_FINAL_TYPE(AppTypist, app_typist, APP, TYPIST, GObject)

/* Signals: "done" (). */

/* Names of layouts, NULL-terminated: "us", "uk", "de", "fr". */
/* The layout that -k NAME means ("en-gb"); NULL: not known. */
const char *app_typist_layout_for(const char *k_name);
const char *const *app_typist_list_layouts(void);
/* The characters of TEXT that LAYOUT has no key for, each once, or NULL when all can be typed.
 * Ownership: caller. */
char *app_typist_untypable(const char *layout, const char *text);
AppTypist *app_typist_new(VitInput *input);
/* Begins, after what is still being typed. False: a character cannot be typed; nothing was. */
gboolean app_typist_type(AppTypist *typist, const char *layout, const char *text, GError **error);
void app_typist_stop(AppTypist *typist);
gboolean app_typist_is_busy(AppTypist *typist);

G_END_DECLS
