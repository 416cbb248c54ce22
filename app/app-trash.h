/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The desktop's trash, with the way back that GIO does not have. freedesktop.org Trash
 * Specification 1.0, the home trash. Thread: main; moves within a file system. */

#include <gio/gio.h>

G_BEGIN_DECLS

/* Puts FILE back that was moved to the trash last from this place. */
gboolean app_trash_restore(GFile *file, GError **error);
/* What is in FOLDER, a line each with its size, for a person; and the sum. Ownership: caller. */
char *app_trash_describe(GFile *folder, guint64 *out_bytes);

G_END_DECLS
