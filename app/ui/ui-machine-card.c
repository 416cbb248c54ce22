/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Cards. Only what is on the screen is drawn, so drawing is what asks for a picture; the queue of
 * cards that have one is short, whatever the number of machines. */

#include "ui-machine-card.h"

#include <glib/gi18n.h>

enum { KEPT_PICTURES = 48 };

struct _UiMachineCard {
    GtkBox parent;
    AppEntry *entry;
    GtkWidget *area;
    GtkLabel *name, *state;
    GtkImage *state_icon;     /* of what runs or went wrong */
    cairo_surface_t *surface; /* NULL: not read, or there is none */
    gboolean asked;
    int width, height; /* of the picture's place */
};

G_DEFINE_FINAL_TYPE(UiMachineCard, ui_machine_card, GTK_TYPE_BOX)

/* ---- Pictures ---- */

/* Cards with a surface, newest first. */
static GQueue *
kept(void)
{
    static GQueue queue = G_QUEUE_INIT;

    return &queue;
}

static void
drop_surface(UiMachineCard *card)
{
    if (card->surface) {
        g_queue_remove(kept(), card);
        g_clear_pointer(&card->surface, cairo_surface_destroy);
    }
    card->asked = FALSE;
}

static void
keep_surface(UiMachineCard *card, cairo_surface_t *surface)
{
    drop_surface(card);
    card->surface = surface;
    card->asked = TRUE;
    g_queue_push_head(kept(), card);
    while (g_queue_get_length(kept()) > KEPT_PICTURES) {
        drop_surface(g_queue_peek_tail(kept()));
    }
    gtk_widget_queue_draw(card->area);
}

static cairo_surface_t *
surface_from_picture(const VitPicture *picture)
{
    cairo_surface_t *surface =
        cairo_image_surface_create(CAIRO_FORMAT_RGB24, picture->width, picture->height);
    int stride = cairo_image_surface_get_stride(surface);

    cairo_surface_flush(surface);
    for (int y = 0; y < picture->height; y++) {
        memcpy(cairo_image_surface_get_data(surface) + (gsize)y * stride,
               picture->pixels + (gsize)y * picture->width, (gsize)picture->width * 4);
    }
    cairo_surface_mark_dirty(surface);
    return surface;
}

typedef struct Load {
    char *path;
    int width, height;
} Load;

static void
load_free(gpointer data)
{
    g_free(((Load *)data)->path);
    g_free(data);
}

/* Worker. */
static void
load(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    const Load *wanted = data;
    GError *error = NULL;
    GdkPixbuf *pixbuf =
        gdk_pixbuf_new_from_file_at_size(wanted->path, wanted->width, wanted->height, &error);

    if (pixbuf) {
        g_task_return_pointer(task, pixbuf, g_object_unref);
    } else {
        g_task_return_error(task, error);
    }
}

static void
on_loaded(GObject *source, GAsyncResult *result, gpointer data)
{
    UiMachineCard *card = UI_MACHINE_CARD(source);
    g_autoptr(GdkPixbuf) pixbuf = g_task_propagate_pointer(G_TASK(result), NULL);

    if (pixbuf && card->entry && !card->surface) {
        keep_surface(card, gdk_cairo_surface_create_from_pixbuf(pixbuf, 1, NULL));
    }
}

static void
ask_picture(UiMachineCard *card)
{
    const VitPicture *picture = app_entry_get_picture(card->entry);
    g_autoptr(GTask) task = NULL;
    Load *wanted;
    char *path;

    card->asked = TRUE;
    if (picture) {
        keep_surface(card, surface_from_picture(picture));
        return;
    }
    path = app_entry_get_picture_path(card->entry);
    if (!path) {
        return;
    }
    wanted = g_new0(Load, 1);
    wanted->path = path;
    wanted->width = card->width * gtk_widget_get_scale_factor(card->area);
    wanted->height = card->height * gtk_widget_get_scale_factor(card->area);
    task = g_task_new(card, NULL, on_loaded, NULL);
    g_task_set_task_data(task, wanted, load_free);
    g_task_run_in_thread(task, load);
}

static void
draw_icon(GtkWidget *area, cairo_t *cr, int width, int height)
{
    int size = MIN(width, height) * 3 / 5, scale = gtk_widget_get_scale_factor(area);
    g_autoptr(GtkIconInfo) info = gtk_icon_theme_lookup_icon_for_scale(
        gtk_icon_theme_get_default(), "computer-symbolic", size, scale, GTK_ICON_LOOKUP_FORCE_SIZE);
    g_autoptr(GdkPixbuf) pixbuf = NULL;
    cairo_surface_t *surface;

    if (info) {
        pixbuf = gtk_icon_info_load_symbolic_for_context(info, gtk_widget_get_style_context(area),
                                                         NULL, NULL);
    }
    if (pixbuf) {
        surface = gdk_cairo_surface_create_from_pixbuf(pixbuf, scale, NULL);
        gtk_render_icon_surface(gtk_widget_get_style_context(area), cr, surface, (width - size) / 2,
                                (height - size) / 2);
        cairo_surface_destroy(surface);
    }
}

static gboolean
on_draw(GtkWidget *area, cairo_t *cr, UiMachineCard *card)
{
    int width = gtk_widget_get_allocated_width(area);
    int height = gtk_widget_get_allocated_height(area);
    double scale;

    if (!card->asked) {
        ask_picture(card);
    }
    gtk_render_background(gtk_widget_get_style_context(area), cr, 0, 0, width, height);
    if (!card->surface) {
        draw_icon(area, cr, width, height);
        return TRUE;
    }
    scale = MIN((double)width / cairo_image_surface_get_width(card->surface),
                (double)height / cairo_image_surface_get_height(card->surface));
    cairo_translate(cr, (width - cairo_image_surface_get_width(card->surface) * scale) / 2,
                    (height - cairo_image_surface_get_height(card->surface) * scale) / 2);
    cairo_scale(cr, scale, scale);
    cairo_set_source_surface(cr, card->surface, 0, 0);
    cairo_pattern_set_filter(cairo_get_source(cr), CAIRO_FILTER_GOOD);
    /* a machine that is off shows its last picture dimmed */
    cairo_paint_with_alpha(cr, app_session_is_active(app_entry_get_session(card->entry)) ? 1 : 0.5);
    return TRUE;
}

/* ---- Texts ---- */

static const char *
icon_of(AppEntry *entry)
{
    if (app_entry_get_problem(entry)) {
        return "dialog-warning-symbolic";
    }
    switch (app_session_get_state(app_entry_get_session(entry))) {
    case APP_SESSION_OFF: return NULL;
    case APP_SESSION_FAILED: return "dialog-warning-symbolic";
    case APP_SESSION_PAUSED: return "media-playback-pause-symbolic";
    default: return "media-playback-start-symbolic";
    }
}

static void
update(AppEntry *entry, UiMachineCard *card)
{
    const char *icon = icon_of(entry), *shown;
    g_autofree char *text = app_entry_describe(entry);
    const char *notes = app_entry_get_notes(entry);
    GtkWidget *parent = gtk_widget_get_parent(GTK_WIDGET(card));

    gtk_label_set_text(card->state, text);
    gtk_image_get_icon_name(card->state_icon, &shown, NULL);
    if (g_strcmp0(icon, shown) != 0) { /* the same one would lay out the whole window anew */
        gtk_image_set_from_icon_name(card->state_icon, icon, GTK_ICON_SIZE_MENU);
    }
    gtk_widget_set_visible(GTK_WIDGET(card->state_icon), icon != NULL);
    gtk_widget_set_tooltip_text(GTK_WIDGET(card), *notes ? notes : NULL);
    if (parent) {
        g_autofree char *spoken = g_strdup_printf("%s, %s", app_entry_get_name(entry), text);

        atk_object_set_name(gtk_widget_get_accessible(parent), spoken);
    }
    if (app_session_get_state(app_entry_get_session(entry)) != APP_SESSION_RUNNING) {
        gtk_widget_queue_draw(card->area);
    }
}

static void
on_parent_set(GtkWidget *widget, GtkWidget *old_parent, gpointer data)
{
    UiMachineCard *card = UI_MACHINE_CARD(widget);

    if (card->entry && gtk_widget_get_parent(widget)) {
        update(card->entry, card);
    }
}

static void
on_picture(AppEntry *entry, UiMachineCard *card)
{
    const VitPicture *picture = app_entry_get_picture(entry);

    if (picture && gtk_widget_get_mapped(card->area)) {
        keep_surface(card, surface_from_picture(picture));
    } else {
        drop_surface(card);
    }
}

AppEntry *
ui_machine_card_get_entry(UiMachineCard *card)
{
    return card->entry;
}

/* ---- Life ---- */

static void
ui_machine_card_dispose(GObject *object)
{
    UiMachineCard *card = UI_MACHINE_CARD(object);

    drop_surface(card);
    g_clear_object(&card->entry);
    G_OBJECT_CLASS(ui_machine_card_parent_class)->dispose(object);
}

static void
ui_machine_card_class_init(UiMachineCardClass *klass)
{
    G_OBJECT_CLASS(klass)->dispose = ui_machine_card_dispose;
}

static void
ui_machine_card_init(UiMachineCard *card)
{
    card->area = gtk_drawing_area_new();
    card->name = GTK_LABEL(gtk_label_new(NULL));
    card->state = GTK_LABEL(gtk_label_new(NULL));
    card->state_icon = GTK_IMAGE(gtk_image_new());
    gtk_widget_set_no_show_all(GTK_WIDGET(card->state_icon), TRUE);
    gtk_style_context_add_class(gtk_widget_get_style_context(GTK_WIDGET(card->state)), "state");
    gtk_style_context_add_class(gtk_widget_get_style_context(card->area), "machine-picture");
    gtk_label_set_ellipsize(card->name, PANGO_ELLIPSIZE_END);
    gtk_label_set_ellipsize(card->state, PANGO_ELLIPSIZE_END);
    g_signal_connect(card->area, "draw", G_CALLBACK(on_draw), card);
    g_signal_connect(card, "parent-set", G_CALLBACK(on_parent_set), NULL);
}

GtkWidget *
ui_machine_card_new(AppEntry *entry, GtkOrientation orientation)
{
    UiMachineCard *card = g_object_new(UI_TYPE_MACHINE_CARD, "orientation", orientation, "spacing",
                                       orientation == GTK_ORIENTATION_VERTICAL ? 4 : 12, NULL);
    gboolean grid = orientation == GTK_ORIENTATION_VERTICAL;
    GtkWidget *line = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);

    card->entry = g_object_ref(entry);
    card->width = grid ? 200 : 64;
    card->height = grid ? 125 : 40;
    gtk_widget_set_size_request(card->area, card->width, card->height);
    gtk_label_set_text(card->name, app_entry_get_name(entry));
    gtk_label_set_xalign(card->name, grid ? 0.5 : 0);
    gtk_label_set_max_width_chars(card->name, grid ? 24 : -1);
    gtk_label_set_max_width_chars(card->state, grid ? 24 : 60);
    gtk_widget_set_halign(line, grid ? GTK_ALIGN_CENTER : GTK_ALIGN_END);
    gtk_box_pack_start(GTK_BOX(line), GTK_WIDGET(card->state_icon), FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(line), GTK_WIDGET(card->state), FALSE, FALSE, 0);
    gtk_label_set_lines(card->state, 1);
    gtk_box_pack_start(GTK_BOX(card), card->area, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(card), GTK_WIDGET(card->name), !grid, !grid, 0);
    gtk_box_pack_start(GTK_BOX(card), line, FALSE, FALSE, 0);
    g_signal_connect_object(entry, "changed", G_CALLBACK(update), card, 0);
    g_signal_connect_object(entry, "picture", G_CALLBACK(on_picture), card, 0);
    update(entry, card);
    gtk_widget_show_all(GTK_WIDGET(card));
    return GTK_WIDGET(card);
}
