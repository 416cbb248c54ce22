/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Up and Down choose, Enter takes what is chosen, Escape closes; nothing is chosen by itself while
 * typing, so Enter still breaks the line and Tab still leaves the field. */

#include "ui-completion-popup.h"

#include <glib/gi18n.h>

enum { MAX_SHOWN = 60 };

struct UiCompletionPopup {
    GtkTextView *view;
    GtkWidget *popover, *list, *scrolled;
    VitCompletions *completions;
    UiCompletionFunc func;
    gpointer data;
};

static void
on_activated(GtkListBox *list, GtkListBoxRow *row, UiCompletionPopup *popup)
{
    g_autoptr(VitCompletions) completions = g_steal_pointer(&popup->completions);
    int index = gtk_list_box_row_get_index(row);

    ui_completion_popup_hide(popup);
    if (completions && index < (int)completions->n_items) {
        popup->func(completions, &completions->items[index], popup->data);
    }
}

UiCompletionPopup *
ui_completion_popup_new(GtkTextView *view, UiCompletionFunc func, gpointer data)
{
    UiCompletionPopup *popup = g_new0(UiCompletionPopup, 1);

    popup->view = view;
    popup->func = func;
    popup->data = data;
    popup->popover = gtk_popover_new(GTK_WIDGET(view));
    gtk_popover_set_modal(GTK_POPOVER(popup->popover), FALSE);
    gtk_popover_set_position(GTK_POPOVER(popup->popover), GTK_POS_BOTTOM);
    popup->scrolled = gtk_scrolled_window_new(NULL, NULL);
    gtk_scrolled_window_set_policy(GTK_SCROLLED_WINDOW(popup->scrolled), GTK_POLICY_NEVER,
                                   GTK_POLICY_AUTOMATIC);
    gtk_scrolled_window_set_max_content_height(GTK_SCROLLED_WINDOW(popup->scrolled), 220);
    gtk_scrolled_window_set_propagate_natural_height(GTK_SCROLLED_WINDOW(popup->scrolled), TRUE);
    gtk_widget_set_size_request(popup->scrolled, 440, -1);
    popup->list = gtk_list_box_new();
    gtk_widget_set_can_focus(popup->list, FALSE);
    gtk_list_box_set_activate_on_single_click(GTK_LIST_BOX(popup->list), TRUE);
    atk_object_set_name(gtk_widget_get_accessible(popup->list), _("Completions"));
    g_signal_connect(popup->list, "row-activated", G_CALLBACK(on_activated), popup);
    gtk_container_add(GTK_CONTAINER(popup->scrolled), popup->list);
    gtk_container_add(GTK_CONTAINER(popup->popover), popup->scrolled);
    gtk_widget_show_all(popup->scrolled);
    return popup;
}

void
ui_completion_popup_free(UiCompletionPopup *popup)
{
    if (popup) {
        vit_completions_free(popup->completions);
        g_free(popup);
    }
}

static GtkWidget *
make_row(const VitCompletion *item)
{
    GtkWidget *row = gtk_list_box_row_new();
    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 12);
    GtkWidget *name = gtk_label_new(item->label);
    const char *help = item->status == VIT_STATUS_NOT_YET ? _("Not available yet")
                       : item->help && *item->help        ? _(item->help)
                                                          : "";
    GtkWidget *text = gtk_label_new(help);
    g_autofree char *spoken = g_strdup_printf("%s, %s", item->label, help);

    gtk_label_set_xalign(GTK_LABEL(name), 0);
    gtk_label_set_ellipsize(GTK_LABEL(name), PANGO_ELLIPSIZE_MIDDLE);
    gtk_label_set_width_chars(GTK_LABEL(name), 18);
    gtk_label_set_xalign(GTK_LABEL(text), 0);
    gtk_label_set_ellipsize(GTK_LABEL(text), PANGO_ELLIPSIZE_END);
    gtk_widget_set_hexpand(text, TRUE);
    gtk_style_context_add_class(gtk_widget_get_style_context(name), "setting-argument");
    gtk_style_context_add_class(gtk_widget_get_style_context(text), "dim-label");
    gtk_widget_set_sensitive(name, item->status != VIT_STATUS_NOT_YET);
    gtk_container_add(GTK_CONTAINER(box), name);
    gtk_container_add(GTK_CONTAINER(box), text);
    gtk_container_set_border_width(GTK_CONTAINER(box), 3);
    gtk_container_add(GTK_CONTAINER(row), box);
    gtk_widget_set_can_focus(row, FALSE);
    atk_object_set_name(gtk_widget_get_accessible(row), spoken);
    gtk_widget_show_all(row);
    return row;
}

void
ui_completion_popup_show(UiCompletionPopup *popup, VitCompletions *completions,
                         gboolean select_first)
{
    GtkTextBuffer *buffer = gtk_text_view_get_buffer(popup->view);
    g_autoptr(GList) rows = gtk_container_get_children(GTK_CONTAINER(popup->list));
    GtkTextIter iter;
    GdkRectangle place;

    for (GList *l = rows; l; l = l->next) {
        gtk_widget_destroy(l->data);
    }
    vit_completions_free(popup->completions);
    popup->completions = completions;
    if (!completions || completions->n_items == 0) {
        ui_completion_popup_hide(popup);
        return;
    }
    for (unsigned i = 0; i < MIN(completions->n_items, MAX_SHOWN); i++) {
        gtk_container_add(GTK_CONTAINER(popup->list), make_row(&completions->items[i]));
    }
    gtk_list_box_unselect_all(GTK_LIST_BOX(popup->list));
    if (select_first) {
        gtk_list_box_select_row(GTK_LIST_BOX(popup->list),
                                gtk_list_box_get_row_at_index(GTK_LIST_BOX(popup->list), 0));
    }
    gtk_text_buffer_get_iter_at_mark(buffer, &iter, gtk_text_buffer_get_insert(buffer));
    gtk_text_view_get_iter_location(popup->view, &iter, &place);
    gtk_text_view_buffer_to_window_coords(popup->view, GTK_TEXT_WINDOW_WIDGET, place.x, place.y,
                                          &place.x, &place.y);
    place.width = MAX(place.width, 1);
    gtk_popover_set_pointing_to(GTK_POPOVER(popup->popover), &place);
    gtk_popover_popup(GTK_POPOVER(popup->popover));
}

void
ui_completion_popup_hide(UiCompletionPopup *popup)
{
    gtk_popover_popdown(GTK_POPOVER(popup->popover));
}

gboolean
ui_completion_popup_is_shown(UiCompletionPopup *popup)
{
    return gtk_widget_get_visible(popup->popover);
}

static void
choose(UiCompletionPopup *popup, int step)
{
    GtkListBoxRow *row = gtk_list_box_get_selected_row(GTK_LIST_BOX(popup->list));
    int index = row ? gtk_list_box_row_get_index(row) + step : step > 0 ? 0 : -1;
    GtkListBoxRow *next =
        index >= 0 ? gtk_list_box_get_row_at_index(GTK_LIST_BOX(popup->list), index) : NULL;
    GtkAdjustment *adjustment =
        gtk_scrolled_window_get_vadjustment(GTK_SCROLLED_WINDOW(popup->scrolled));
    GtkAllocation place;

    if (next) {
        gtk_list_box_select_row(GTK_LIST_BOX(popup->list), next);
        gtk_widget_get_allocation(GTK_WIDGET(next), &place);
        gtk_adjustment_clamp_page(adjustment, place.y, place.y + place.height);
    }
}

gboolean
ui_completion_popup_key(UiCompletionPopup *popup, GdkEventKey *event)
{
    GtkListBoxRow *row = gtk_list_box_get_selected_row(GTK_LIST_BOX(popup->list));

    if (!ui_completion_popup_is_shown(popup)) {
        return FALSE;
    }
    switch (event->keyval) {
    case GDK_KEY_Down: choose(popup, 1); return TRUE;
    case GDK_KEY_Up: choose(popup, -1); return TRUE;
    case GDK_KEY_Escape: ui_completion_popup_hide(popup); return TRUE;
    case GDK_KEY_Return:
    case GDK_KEY_KP_Enter:
        if (row) {
            on_activated(GTK_LIST_BOX(popup->list), row, popup);
            return TRUE;
        }
        ui_completion_popup_hide(popup);
        return FALSE;
    case GDK_KEY_Tab: ui_completion_popup_hide(popup); return FALSE;
    default: return FALSE;
    }
}
