/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Consoles: the meeting point of a display device and its viewers.
 *
 * The console holds what a viewer that comes late must be told (surface, cursor) and passes on
 * what changes. A listener may add or remove listeners from a callback: the list is walked by
 * index over a copy. Thread: device lock held. */

#include "vit-console.h"

#include <string.h>

VitConsole *
vit_console_new(const char *name, const VitConsoleOps *ops, void *opaque)
{
    VitConsole *console = g_new0(VitConsole, 1);

    console->name = g_strdup(name);
    console->ops = ops;
    console->opaque = opaque;
    console->listeners = g_ptr_array_new();
    return console;
}

static void
cursor_free(VitCursorImage *cursor)
{
    if (cursor) {
        g_free(cursor->argb);
        g_free(cursor);
    }
}

void
vit_console_free(VitConsole *console)
{
    if (!console) {
        return;
    }
    cursor_free(console->cursor);
    g_ptr_array_unref(console->listeners);
    g_free(console->name);
    g_free(console);
}

/* Calls MEMBER of every listener that has it. */
#define NOTIFY(console, member, ...)                                                            \
    do {                                                                                        \
        GPtrArray *list_ = g_ptr_array_copy((console)->listeners, NULL, NULL);                  \
        for (unsigned i_ = 0; i_ < list_->len; i_++) {                                          \
            const VitConsoleListener *listener_ = g_ptr_array_index(list_, i_);                 \
            if (listener_->member && g_ptr_array_find((console)->listeners, listener_, NULL)) { \
                listener_->member(listener_->opaque, __VA_ARGS__);                              \
            }                                                                                   \
        }                                                                                       \
        g_ptr_array_unref(list_);                                                               \
    } while (0)

void
vit_console_set_surface(VitConsole *console, const VitSurface *surface)
{
    console->surface = surface;
    NOTIFY(console, surface_changed, surface);
}

void
vit_console_damage(VitConsole *console, int x, int y, int width, int height)
{
    const VitSurface *surface = console->surface;

    if (!surface) {
        return;
    }
    int x1 = CLAMP(x + width, 0, (int)surface->width);
    int y1 = CLAMP(y + height, 0, (int)surface->height);
    VitRect rect = { .x = MAX(x, 0), .y = MAX(y, 0) };
    rect.width = x1 - rect.x;
    rect.height = y1 - rect.y;
    if (rect.width > 0 && rect.height > 0) {
        NOTIFY(console, damage, rect);
    }
}

void
vit_console_define_cursor(VitConsole *console, VitCursorImage *image)
{
    if (image != console->cursor) {
        cursor_free(console->cursor);
        console->cursor = image;
    }
    NOTIFY(console, cursor_defined, image);
}

void
vit_console_move_cursor(VitConsole *console, int x, int y, bool visible)
{
    console->cursor_x = x;
    console->cursor_y = y;
    console->cursor_visible = visible;
    NOTIFY(console, cursor_moved, x, y, visible);
}

void
vit_console_add_listener(VitConsole *console, const VitConsoleListener *listener)
{
    g_ptr_array_add(console->listeners, (void *)listener);
    if (console->surface && listener->surface_changed) {
        listener->surface_changed(listener->opaque, console->surface);
    }
    if (console->cursor && listener->cursor_defined) {
        listener->cursor_defined(listener->opaque, console->cursor);
    }
    if (console->cursor_visible && listener->cursor_moved) {
        listener->cursor_moved(listener->opaque, console->cursor_x, console->cursor_y, true);
    }
}

void
vit_console_remove_listener(VitConsole *console, const VitConsoleListener *listener)
{
    g_ptr_array_remove(console->listeners, (void *)listener);
}

void
vit_console_update(VitConsole *console, bool full)
{
    if (console->ops && console->ops->update) {
        console->ops->update(console->opaque, full);
    }
}

bool
vit_console_get_text(VitConsole *console, VitTextScreen *out)
{
    return console->ops && console->ops->get_text && console->ops->get_text(console->opaque, out);
}

void
vit_text_screen_clear(VitTextScreen *screen)
{
    g_free(screen->cells);
    memset(screen, 0, sizeof(*screen));
}
