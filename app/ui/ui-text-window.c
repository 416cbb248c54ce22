/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Text to look at. Ctrl+F searches, Ctrl+S saves, Escape closes. */

#include "ui-text-window.h"

#include <glib/gi18n.h>
#include <string.h>

struct _UiTextWindow {
    GtkWindow parent;
    GtkTextView *view;
    GtkTextBuffer *buffer;
    GtkSearchBar *search_bar;
    GtkSearchEntry *search_entry;
    char *file_name;
};

G_DEFINE_FINAL_TYPE(UiTextWindow, ui_text_window, GTK_TYPE_WINDOW)

static void
find_next(UiTextWindow *window)
{
    const char *text = gtk_entry_get_text(GTK_ENTRY(window->search_entry));
    GtkTextIter at, start, end;

    if (!*text) {
        return;
    }
    gtk_text_buffer_get_selection_bounds(window->buffer, NULL, &at);
    if (!gtk_text_iter_forward_search(&at, text, GTK_TEXT_SEARCH_CASE_INSENSITIVE, &start, &end,
                                      NULL)) {
        gtk_text_buffer_get_start_iter(window->buffer, &at);
        if (!gtk_text_iter_forward_search(&at, text, GTK_TEXT_SEARCH_CASE_INSENSITIVE, &start, &end,
                                          NULL)) {
            return;
        }
    }
    gtk_text_buffer_select_range(window->buffer, &start, &end);
    gtk_text_view_scroll_to_iter(window->view, &start, 0.1, FALSE, 0, 0);
}

static void
on_save_response(GtkNativeDialog *dialog, int response, UiTextWindow *window)
{
    if (response == GTK_RESPONSE_ACCEPT) {
        g_autofree char *path = gtk_file_chooser_get_filename(GTK_FILE_CHOOSER(dialog));
        g_autofree char *text = NULL;
        g_autoptr(GError) error = NULL;

        g_object_get(window->buffer, "text", &text, NULL);
        if (!g_file_set_contents(path, text, -1, &error)) {
            GtkWidget *message =
                gtk_message_dialog_new(GTK_WINDOW(window), GTK_DIALOG_MODAL, GTK_MESSAGE_ERROR,
                                       GTK_BUTTONS_CLOSE, "%s", error->message);

            g_signal_connect(message, "response", G_CALLBACK(gtk_widget_destroy), NULL);
            gtk_widget_show(message);
        }
    }
    g_object_unref(dialog);
}

static void
on_save(GtkButton *button, UiTextWindow *window)
{
    GtkFileChooserNative *dialog =
        gtk_file_chooser_native_new(gtk_window_get_title(GTK_WINDOW(window)), GTK_WINDOW(window),
                                    GTK_FILE_CHOOSER_ACTION_SAVE, _("_Save"), _("_Cancel"));

    gtk_file_chooser_set_current_name(GTK_FILE_CHOOSER(dialog), window->file_name);
    gtk_file_chooser_set_do_overwrite_confirmation(GTK_FILE_CHOOSER(dialog), TRUE);
    g_signal_connect(dialog, "response", G_CALLBACK(on_save_response), window);
    gtk_native_dialog_show(GTK_NATIVE_DIALOG(dialog));
}

static gboolean
on_key(GtkWidget *widget, GdkEventKey *event)
{
    UiTextWindow *window = UI_TEXT_WINDOW(widget);

    if (event->keyval == GDK_KEY_Escape && !gtk_search_bar_get_search_mode(window->search_bar)) {
        gtk_window_close(GTK_WINDOW(window));
        return TRUE;
    }
    if (event->keyval == GDK_KEY_s && event->state & GDK_CONTROL_MASK) {
        on_save(NULL, window);
        return TRUE;
    }
    if (event->keyval == GDK_KEY_f && event->state & GDK_CONTROL_MASK) {
        gtk_search_bar_set_search_mode(window->search_bar, TRUE);
        gtk_widget_grab_focus(GTK_WIDGET(window->search_entry));
        return TRUE;
    }
    return GTK_WIDGET_CLASS(ui_text_window_parent_class)->key_press_event(widget, event);
}

void
ui_text_window_set_text(UiTextWindow *window, const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);

    gtk_text_buffer_set_text(window->buffer, valid, -1);
}

void
ui_text_window_append(UiTextWindow *window, const char *line)
{
    g_autofree char *valid = g_utf8_make_valid(line, -1);
    GtkAdjustment *adjustment = gtk_scrollable_get_vadjustment(GTK_SCROLLABLE(window->view));
    gboolean at_end =
        gtk_adjustment_get_value(adjustment) + gtk_adjustment_get_page_size(adjustment) >=
        gtk_adjustment_get_upper(adjustment) - 2;
    GtkTextIter end;

    gtk_text_buffer_get_end_iter(window->buffer, &end);
    gtk_text_buffer_insert(window->buffer, &end, valid, -1);
    gtk_text_buffer_insert(window->buffer, &end, "\n", 1);
    if (at_end) {
        gtk_text_view_scroll_mark_onscreen(window->view,
                                           gtk_text_buffer_get_insert(window->buffer));
    }
}

static void
ui_text_window_finalize(GObject *object)
{
    g_free(UI_TEXT_WINDOW(object)->file_name);
    G_OBJECT_CLASS(ui_text_window_parent_class)->finalize(object);
}

static void
ui_text_window_class_init(UiTextWindowClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = ui_text_window_finalize;
    GTK_WIDGET_CLASS(klass)->key_press_event = on_key;
}

static void
ui_text_window_init(UiTextWindow *window)
{
    GtkWidget *header = gtk_header_bar_new();
    GtkWidget *save = gtk_button_new_with_mnemonic(_("_Save…"));
    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0);
    GtkWidget *scrolled = gtk_scrolled_window_new(NULL, NULL);
    GtkWidget *search_bar = gtk_search_bar_new();
    GtkWidget *entry = gtk_search_entry_new();
    GtkWidget *view = gtk_text_view_new();

    window->view = GTK_TEXT_VIEW(view);
    window->buffer = gtk_text_view_get_buffer(window->view);
    window->search_bar = GTK_SEARCH_BAR(search_bar);
    window->search_entry = GTK_SEARCH_ENTRY(entry);
    gtk_header_bar_set_show_close_button(GTK_HEADER_BAR(header), TRUE);
    gtk_header_bar_pack_start(GTK_HEADER_BAR(header), save);
    gtk_window_set_titlebar(GTK_WINDOW(window), header);
    gtk_window_set_default_size(GTK_WINDOW(window), 760, 520);
    gtk_text_view_set_editable(window->view, FALSE);
    gtk_text_view_set_monospace(window->view, TRUE);
    gtk_text_view_set_accepts_tab(window->view, FALSE);
    gtk_text_view_set_left_margin(window->view, 6);
    gtk_text_view_set_right_margin(window->view, 6);
    gtk_container_add(GTK_CONTAINER(search_bar), entry);
    gtk_search_bar_connect_entry(window->search_bar, GTK_ENTRY(entry));
    gtk_container_add(GTK_CONTAINER(scrolled), view);
    gtk_box_pack_start(GTK_BOX(box), search_bar, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(box), scrolled, TRUE, TRUE, 0);
    gtk_container_add(GTK_CONTAINER(window), box);
    g_signal_connect(save, "clicked", G_CALLBACK(on_save), window);
    g_signal_connect_swapped(entry, "search-changed", G_CALLBACK(find_next), window);
    g_signal_connect_swapped(entry, "activate", G_CALLBACK(find_next), window);
    gtk_widget_show_all(header);
    gtk_widget_show_all(box);
    gtk_widget_grab_focus(view);
}

UiTextWindow *
ui_text_window_new(GtkWindow *parent, const char *title, const char *file_name)
{
    UiTextWindow *window = g_object_new(UI_TYPE_TEXT_WINDOW, "title", title, "transient-for",
                                        parent, "destroy-with-parent", TRUE, NULL);

    window->file_name = g_strdup(file_name);
    atk_object_set_name(gtk_widget_get_accessible(GTK_WIDGET(window->view)), title);
    return window;
}
