/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A small picture of a machine's screen, made every few seconds while it runs, kept in its folder.
 * Shrinking and writing happen on a worker. Thread: main. */

#include "app-session.h"

G_BEGIN_DECLS

enum { APP_THUMBNAIL_WIDTH = 320, APP_THUMBNAIL_HEIGHT = 240 };

typedef struct AppThumbnail AppThumbnail;

/* CHANGED is called with DATA when there is another picture. */
AppThumbnail *app_thumbnail_new(void (*changed)(gpointer data), gpointer data);
void app_thumbnail_free(AppThumbnail *thumbnail);
/* Where it is written; taken. NULL: nowhere. */
void app_thumbnail_set_path(AppThumbnail *thumbnail, char *path);
/* A second of running has passed. */
void app_thumbnail_tick(AppThumbnail *thumbnail, AppSession *session);
/* NULL before the first. Borrowed. */
const VitPicture *app_thumbnail_get(AppThumbnail *thumbnail);
/* Whether a picture shows next to nothing. */
gboolean app_thumbnail_is_dark(const VitPicture *picture);

G_END_DECLS
