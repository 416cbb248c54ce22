/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The application's preferences: GSettings of org.vitrine.Vitrine. Facts about a machine are not
 * here but in its folder. Thread: main. */

#include <gio/gio.h>

G_BEGIN_DECLS

/* One for the process. Where the schema is not installed, as in a build folder, the one that was
 * compiled there is used. Ownership: borrowed. */
GSettings *app_prefs_get(void);

/* Puts PATH in front of a list of recent things, without doubles, at most ten. */
void app_prefs_add_recent(const char *key, const char *path);

G_END_DECLS
