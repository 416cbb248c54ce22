/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Thumbnails. A take has a life of its own: it holds what it needs, and a thumbnail that is gone by
 * its end is found empty. Nearly black pictures do not replace one that shows something. */

#include "app-thumbnail.h"

#include "app-prefs.h"

#include <string.h>

enum { PERIOD_TICKS = 5, FIRST_TICKS = 2, DARK_LEVEL = 24 };

struct AppThumbnail {
    void (*changed)(gpointer data);
    gpointer data;
    char *path;
    VitPicture *picture;
    guint ticks;
    struct Take *take; /* under way */
};

typedef struct Take {
    AppThumbnail *thumbnail; /* NULL: it is gone */
    char *path;
    VitPicture *large;
} Take;

AppThumbnail *
app_thumbnail_new(void (*changed)(gpointer data), gpointer data)
{
    AppThumbnail *thumbnail = g_new0(AppThumbnail, 1);

    thumbnail->changed = changed;
    thumbnail->data = data;
    thumbnail->ticks = PERIOD_TICKS - FIRST_TICKS;
    return thumbnail;
}

void
app_thumbnail_free(AppThumbnail *thumbnail)
{
    if (thumbnail->take) {
        thumbnail->take->thumbnail = NULL;
    }
    g_clear_pointer(&thumbnail->picture, vit_picture_free);
    g_free(thumbnail->path);
    g_free(thumbnail);
}

void
app_thumbnail_set_path(AppThumbnail *thumbnail, char *path)
{
    g_free(thumbnail->path);
    thumbnail->path = path;
}

const VitPicture *
app_thumbnail_get(AppThumbnail *thumbnail)
{
    return thumbnail->picture;
}

gboolean
app_thumbnail_is_dark(const VitPicture *picture)
{
    gsize count = (gsize)picture->width * picture->height, bright = 0;

    for (gsize i = 0; i < count; i++) {
        guint32 pixel = picture->pixels[i];

        bright += (pixel >> 16 & 0xff) > DARK_LEVEL || (pixel >> 8 & 0xff) > DARK_LEVEL ||
                  (pixel & 0xff) > DARK_LEVEL;
    }
    return bright * 500 < count;
}

static void
take_free(gpointer data)
{
    Take *take = data;

    if (take->thumbnail) {
        take->thumbnail->take = NULL;
    }
    g_clear_pointer(&take->large, vit_picture_free);
    g_free(take->path);
    g_free(take);
}

/* Worker. */
static void
shrink(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Take *take = data;
    VitPicture *small = vit_picture_shrink(take->large, APP_THUMBNAIL_WIDTH, APP_THUMBNAIL_HEIGHT);

    if (take->path && !app_thumbnail_is_dark(small)) {
        vit_picture_save(small, take->path, NULL); /* the next one may do better */
    }
    g_task_return_pointer(task, small, (GDestroyNotify)vit_picture_free);
}

static gboolean
is_same(const VitPicture *a, const VitPicture *b)
{
    return a && a->width == b->width && a->height == b->height &&
           memcmp(a->pixels, b->pixels, (gsize)a->width * a->height * 4) == 0;
}

static void
on_shrunk(GObject *source, GAsyncResult *result, gpointer data)
{
    Take *take = g_task_get_task_data(G_TASK(result));
    VitPicture *small = g_task_propagate_pointer(G_TASK(result), NULL);
    AppThumbnail *thumbnail = take->thumbnail;

    if (!thumbnail || is_same(thumbnail->picture, small) ||
        (thumbnail->picture && app_thumbnail_is_dark(small))) {
        vit_picture_free(small);
        return;
    }
    vit_picture_free(thumbnail->picture);
    thumbnail->picture = small;
    thumbnail->changed(thumbnail->data);
}

static void
on_taken(GObject *source, GAsyncResult *result, gpointer data)
{
    Take *take = data;
    g_autoptr(GTask) task = NULL;

    take->large = vit_display_take_picture_finish(VIT_DISPLAY(source), result, NULL);
    if (!take->large || !take->thumbnail) {
        take_free(take);
        return;
    }
    task = g_task_new(NULL, NULL, on_shrunk, NULL);
    g_task_set_task_data(task, take, take_free);
    g_task_run_in_thread(task, shrink);
}

void
app_thumbnail_tick(AppThumbnail *thumbnail, AppSession *session)
{
    VitMachine *machine = app_session_get_machine(session);
    VitDisplay *screen = machine ? vit_machine_get_display(machine, 0) : NULL;
    Take *take;

    if (++thumbnail->ticks < PERIOD_TICKS || thumbnail->take || !screen ||
        !g_settings_get_boolean(app_prefs_get(), "thumbnails")) {
        return;
    }
    thumbnail->ticks = 0;
    take = g_new0(Take, 1);
    take->thumbnail = thumbnail;
    take->path = g_strdup(thumbnail->path);
    thumbnail->take = take;
    vit_display_take_picture_async(screen, on_taken, take);
}
