/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The application's view of one screen. The refresh runs on the machine thread at the rate the
 * viewer asked for; what it finds is announced by one coalesced idle source in the application's
 * context. A screen on which nothing happens is looked at less often, until it changes or somebody
 * presses a key. The object outlives its machine harmlessly: detached, it keeps the last frame. */

#include "facade-private.h"
#include "vit-picture.h"

#include "vit-error.h"

#include <stdatomic.h>
#include <string.h>

struct _VitDisplay {
    GObject parent;
    char *name;
    GMainContext *app_context;

    GMutex mutex;     /* guards machine against detach */
    Machine *machine; /* NULL once detached */
    VitConsole *console;
    DisplayPublisher *publisher;  /* lives until finalize; detached from the console before */
    GSource *timer;               /* on the machine's context */
    _Atomic unsigned wanted_rate; /* frames per second, 0: none; written by the application */
    unsigned rate;                /* what the timer goes by; machine thread */
    unsigned n_still;             /* looks in a row that found nothing new */
    _Atomic bool cursor_posted;
    int width, height; /* of the frame taken last */
};

/* After so many looks in vain the next is only after this long: a tenth of the cost, and a change
 * that no key of the user's caused is seen 60 ms later at most. */
enum { STILL_AFTER = 20, STILL_INTERVAL_MS = 60 };

G_DEFINE_FINAL_TYPE(VitDisplay, vit_display, G_TYPE_OBJECT)

enum { SIGNAL_FRAME, SIGNAL_RESIZED, SIGNAL_CURSOR_CHANGED, SIGNAL_LAST };
static guint signals[SIGNAL_LAST]; /* GObject signal ids, set once in class_init */

/* ---- Machine thread ---- */

static gboolean
emit_frame(gpointer data)
{
    g_signal_emit(data, signals[SIGNAL_FRAME], 0);
    return G_SOURCE_REMOVE;
}

static gboolean
emit_cursor(gpointer data)
{
    VitDisplay *display = data;

    display->cursor_posted = false;
    g_signal_emit(display, signals[SIGNAL_CURSOR_CHANGED], 0);
    return G_SOURCE_REMOVE;
}

static void
on_ready(void *opaque)
{
    VitDisplay *display = opaque;

    facade_post(display->app_context, emit_frame, g_object_ref(display), g_object_unref);
}

static void
on_cursor(void *opaque)
{
    VitDisplay *display = opaque;

    if (!atomic_exchange(&display->cursor_posted, true)) {
        facade_post(display->app_context, emit_cursor, g_object_ref(display), g_object_unref);
    }
}

static void
set_next_look(VitDisplay *display)
{
    gint64 interval_ms = MAX(1000 / display->rate, 1);

    if (display->n_still >= STILL_AFTER) {
        interval_ms = MAX(interval_ms, STILL_INTERVAL_MS);
    }
    g_source_set_ready_time(display->timer, g_get_monotonic_time() + interval_ms * 1000);
}

static gboolean
refresh(gpointer data)
{
    VitDisplay *display = data;
    guint64 before = display_publisher_count(display->publisher);

    display_publisher_refresh(display->publisher);
    if (display_publisher_count(display->publisher) != before) {
        display->n_still = 0;
    } else if (display->n_still < STILL_AFTER) {
        display->n_still++;
    }
    set_next_look(display);
    return G_SOURCE_CONTINUE;
}

static gboolean
dispatch_timer(GSource *source, GSourceFunc callback, gpointer data)
{
    return callback(data);
}

static const GSourceFuncs timer_funcs = { .dispatch = dispatch_timer };

static void
apply_rate(gpointer data)
{
    VitDisplay *display = data;

    display->rate = atomic_load(&display->wanted_rate);
    if (display->timer) {
        g_source_destroy(display->timer);
        g_clear_pointer(&display->timer, g_source_unref);
    }
    if (display->rate && display->machine) {
        display->timer = g_source_new((GSourceFuncs *)&timer_funcs, sizeof(GSource));
        g_source_set_callback(display->timer, refresh, display, NULL);
        display->n_still = 0;
        set_next_look(display);
        g_source_attach(display->timer, display->machine->context);
        display_publisher_refresh(display->publisher);
    }
}

void
vit_display_wake(VitDisplay *display)
{
    bool was_still = display->n_still >= STILL_AFTER;

    display->n_still = 0;
    if (was_still && display->timer) {
        set_next_look(display);
    }
}

guint64
vit_display_count_frames(VitDisplay *display)
{
    return display_publisher_count(display->publisher);
}

/* ---- Creation by the machine ---- */

VitDisplay *
vit_display_new_for_console(Machine *machine, VitConsole *console, GMainContext *app_context)
{
    VitDisplay *display = g_object_new(VIT_TYPE_DISPLAY, NULL);
    DisplayPublisherEvents events = { .ready = on_ready, .cursor = on_cursor, .opaque = display };

    display->machine = machine;
    display->console = console;
    display->app_context = g_main_context_ref(app_context);
    display->name = g_strdup(console->name);
    display->publisher = display_publisher_new(console, machine->clock, &events);
    g_ptr_array_add(machine->viewers, display);
    return display;
}

static void
detach(gpointer data)
{
    VitDisplay *display = data;

    atomic_store(&display->wanted_rate, 0);
    apply_rate(display);
    g_ptr_array_remove(display->machine->viewers, display);
    display_publisher_detach(display->publisher);
}

void
vit_display_detach(VitDisplay *display)
{
    machine_invoke_wait(display->machine, detach, display);
    g_mutex_lock(&display->mutex);
    display->machine = NULL;
    display->console = NULL;
    g_mutex_unlock(&display->mutex);
}

/* ---- Application's side ---- */

const VitFrame *
vit_display_take_frame(VitDisplay *display)
{
    const VitFrame *frame = display_publisher_take(display->publisher);

    if (frame && (frame->width != display->width || frame->height != display->height)) {
        display->width = frame->width;
        display->height = frame->height;
        g_signal_emit(display, signals[SIGNAL_RESIZED], 0, frame->width, frame->height);
    }
    return frame;
}

void
vit_display_release_frame(VitDisplay *display)
{
    display_publisher_release(display->publisher);
}

void
vit_display_set_rate(VitDisplay *display, unsigned frames_per_second)
{
    unsigned rate = MIN(frames_per_second, 1000u);

    if (!display->machine || atomic_exchange(&display->wanted_rate, rate) == rate) {
        return;
    }
    machine_invoke(display->machine, apply_rate, g_object_ref(display), g_object_unref);
}

const char *
vit_display_get_name(VitDisplay *display)
{
    return display->name;
}

void
vit_display_get_size(VitDisplay *display, int *out_width, int *out_height)
{
    *out_width = display->width;
    *out_height = display->height;
}

typedef struct PointerQuery {
    VitDisplay *display;
    VitPointerImage *image;
} PointerQuery;

static void
query_pointer(gpointer data)
{
    PointerQuery *query = data;
    const VitConsole *console = query->display->console;
    const VitCursorImage *cursor = console->cursor;

    if (cursor) {
        query->image = g_new0(VitPointerImage, 1);
        query->image->width = cursor->width;
        query->image->height = cursor->height;
        query->image->hot_x = cursor->hot_x;
        query->image->hot_y = cursor->hot_y;
        query->image->x = console->cursor_x;
        query->image->y = console->cursor_y;
        query->image->visible = console->cursor_visible;
        query->image->argb =
            g_memdup2(cursor->argb, (gsize)cursor->width * cursor->height * sizeof(uint32_t));
    }
}

VitPointerImage *
vit_display_dup_pointer(VitDisplay *display)
{
    PointerQuery query = { .display = display };

    if (display->machine) {
        machine_invoke_wait(display->machine, query_pointer, &query);
    }
    return query.image;
}

void
vit_pointer_image_free(VitPointerImage *image)
{
    if (image) {
        g_free(image->argb);
        g_free(image);
    }
}

typedef struct TextQuery {
    VitDisplay *display;
    char *text;
} TextQuery;

static void
query_text(gpointer data)
{
    TextQuery *query = data;
    VitTextScreen screen = { 0 };
    g_autoptr(GString) lines = NULL;

    if (!vit_console_get_text(query->display->console, &screen)) {
        return;
    }
    lines = g_string_new(NULL);
    for (int y = 0; y < screen.rows; y++) {
        for (int x = 0; x < screen.columns; x++) {
            g_string_append_unichar(
                lines, facade_cp437_to_unicode(screen.cells[y * screen.columns + x].character));
        }
        while (lines->len && lines->str[lines->len - 1] == ' ') {
            g_string_truncate(lines, lines->len - 1);
        }
        g_string_append_c(lines, '\n');
    }
    vit_text_screen_clear(&screen);
    query->text = g_string_free(g_steal_pointer(&lines), FALSE);
}

char *
vit_display_dup_text(VitDisplay *display)
{
    TextQuery query = { .display = display };

    if (display->machine) {
        machine_invoke_wait(display->machine, query_text, &query);
    }
    return query.text;
}

static void
do_take_picture(FacadeCall *call)
{
    VitDisplay *display = call->object;
    const VitSurface *surface;
    VitPicture *picture;

    if (display->console) {
        vit_console_update(display->console, false);
    }
    surface = display->console ? display->console->surface : NULL;
    if (!surface || !surface->width || !surface->height) {
        g_set_error(&call->error, VIT_ERROR, VIT_ERROR_STATE,
                    "the screen of %s has shown nothing yet: start the machine first",
                    display->name);
        return;
    }
    picture = g_new0(VitPicture, 1);
    picture->width = surface->width;
    picture->height = surface->height;
    picture->pixels = g_new(uint32_t, (gsize)picture->width * picture->height);
    display_publisher_convert(surface, picture->pixels);
    call->result = picture;
    call->free_result = (GDestroyNotify)vit_picture_free;
}

void
vit_display_take_picture_async(VitDisplay *display, GAsyncReadyCallback callback, gpointer data)
{
    facade_call(display->machine, display->app_context, g_task_new(display, NULL, callback, data),
                &(FacadeCall){ .run = do_take_picture, .object = display });
}

VitPicture *
vit_display_take_picture_finish(VitDisplay *display, GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

gboolean
vit_display_save_screenshot(VitDisplay *display, const char *path, GError **error)
{
    const VitFrame *frame = vit_display_take_frame(display);
    VitSurface surface;

    if (!frame) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_STATE,
                    "the screen of %s has shown nothing yet: start the machine first",
                    display->name);
        return FALSE;
    }
    surface = (VitSurface){
        .width = frame->width,
        .height = frame->height,
        .stride_bytes = frame->stride_bytes,
        .format = VIT_PIXEL_XRGB8888,
        .pixels = (uint8_t *)frame->pixels,
    };
    return vit_surface_save(&surface, path, g_str_has_suffix(path, ".ppm") ? "ppm" : "png", error);
}

/* ---- GObject ---- */

static void
vit_display_finalize(GObject *object)
{
    VitDisplay *display = VIT_DISPLAY(object);

    display_publisher_free(display->publisher);
    g_main_context_unref(display->app_context);
    g_mutex_clear(&display->mutex);
    g_free(display->name);
    G_OBJECT_CLASS(vit_display_parent_class)->finalize(object);
}

static void
vit_display_class_init(VitDisplayClass *klass)
{
    GType type = G_TYPE_FROM_CLASS(klass);

    G_OBJECT_CLASS(klass)->finalize = vit_display_finalize;
    signals[SIGNAL_FRAME] =
        g_signal_new("frame", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
    signals[SIGNAL_RESIZED] = g_signal_new("resized", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                           G_TYPE_NONE, 2, G_TYPE_INT, G_TYPE_INT);
    signals[SIGNAL_CURSOR_CHANGED] = g_signal_new("cursor-changed", type, G_SIGNAL_RUN_LAST, 0,
                                                  NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
vit_display_init(VitDisplay *display)
{
    g_mutex_init(&display->mutex);
}
