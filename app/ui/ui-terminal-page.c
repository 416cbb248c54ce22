/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* A VTE terminal on a VitTerminal. Ctrl-Up, Ctrl-Down, Ctrl-PageUp and Ctrl-PageDown scroll, as
 * the manual says of text consoles; Ctrl-Shift-C and -V copy and paste; every other key is the
 * machine's, the multiplexer's Ctrl-a among them. */

#include "ui-terminal-page.h"

#include <glib/gi18n.h>
#include <vte/vte.h>

enum { SCROLLBACK_LINES = 10000 };

struct _UiTerminalPage {
    GtkBox parent;
    VteTerminal *view;
    VitTerminal *terminal;
    glong columns, rows;
};

G_DEFINE_FINAL_TYPE(UiTerminalPage, ui_terminal_page, GTK_TYPE_BOX)

static void
on_output(VitTerminal *terminal, GBytes *bytes, UiTerminalPage *page)
{
    gsize len;
    const char *data = g_bytes_get_data(bytes, &len);

    vte_terminal_feed(page->view, data, len);
}

static void
on_commit(VteTerminal *view, const char *text, guint len, UiTerminalPage *page)
{
    vit_terminal_write(page->terminal, text, len);
}

static void
on_size(GtkWidget *view, GtkAllocation *allocation, UiTerminalPage *page)
{
    glong columns = vte_terminal_get_column_count(page->view);
    glong rows = vte_terminal_get_row_count(page->view);

    if (columns != page->columns || rows != page->rows) {
        page->columns = columns;
        page->rows = rows;
        vit_terminal_set_size(page->terminal, columns, rows);
    }
}

static void
scroll(UiTerminalPage *page, double lines)
{
    GtkAdjustment *adjustment = gtk_scrollable_get_vadjustment(GTK_SCROLLABLE(page->view));
    double top = gtk_adjustment_get_upper(adjustment) - gtk_adjustment_get_page_size(adjustment);

    gtk_adjustment_set_value(adjustment,
                             CLAMP(gtk_adjustment_get_value(adjustment) + lines, 0, top));
}

static gboolean
on_key(GtkWidget *view, GdkEventKey *event, UiTerminalPage *page)
{
    GdkModifierType state = event->state & gtk_accelerator_get_default_mod_mask();

    if (state == (GDK_CONTROL_MASK | GDK_SHIFT_MASK)) {
        switch (event->keyval) {
        case GDK_KEY_C: ui_terminal_page_copy(page); return TRUE;
        case GDK_KEY_V: ui_terminal_page_paste(page); return TRUE;
        default: return FALSE;
        }
    }
    if (state != GDK_CONTROL_MASK) {
        return FALSE;
    }
    switch (event->keyval) {
    case GDK_KEY_Up: scroll(page, -1); return TRUE;
    case GDK_KEY_Down: scroll(page, 1); return TRUE;
    case GDK_KEY_Page_Up: scroll(page, -page->rows); return TRUE;
    case GDK_KEY_Page_Down: scroll(page, page->rows); return TRUE;
    default: return FALSE;
    }
}

char *
ui_terminal_page_make_title(VitTerminal *terminal)
{
    guint number = vit_terminal_get_number(terminal) + 1;

    switch (vit_terminal_get_role(terminal)) {
    case VIT_TERMINAL_MONITOR:
        return number == 1 ? g_strdup(_("Monitor")) : g_strdup_printf(_("Monitor %u"), number);
    case VIT_TERMINAL_SERIAL: return g_strdup_printf(_("Serial %u"), number);
    case VIT_TERMINAL_PARALLEL: return g_strdup_printf(_("Parallel %u"), number);
    default: return g_strdup(vit_terminal_get_id(terminal));
    }
}

gboolean
ui_terminal_page_save(UiTerminalPage *page, const char *path, GError **error)
{
    g_autoptr(GFile) file = g_file_new_for_path(path);
    g_autoptr(GFileOutputStream) stream =
        g_file_replace(file, NULL, FALSE, G_FILE_CREATE_NONE, NULL, error);

    return stream &&
           vte_terminal_write_contents_sync(page->view, G_OUTPUT_STREAM(stream), VTE_WRITE_DEFAULT,
                                            NULL, error) &&
           g_output_stream_close(G_OUTPUT_STREAM(stream), NULL, error);
}

void
ui_terminal_page_copy(UiTerminalPage *page)
{
    vte_terminal_copy_clipboard_format(page->view, VTE_FORMAT_TEXT);
}

void
ui_terminal_page_paste(UiTerminalPage *page)
{
    vte_terminal_paste_clipboard(page->view);
}

GtkWidget *
ui_terminal_page_get_view(UiTerminalPage *page)
{
    return GTK_WIDGET(page->view);
}

static void
ui_terminal_page_dispose(GObject *object)
{
    UiTerminalPage *page = UI_TERMINAL_PAGE(object);

    if (page->terminal) {
        g_signal_handlers_disconnect_by_data(page->terminal, page);
    }
    g_clear_object(&page->terminal);
    G_OBJECT_CLASS(ui_terminal_page_parent_class)->dispose(object);
}

static void
ui_terminal_page_class_init(UiTerminalPageClass *klass)
{
    G_OBJECT_CLASS(klass)->dispose = ui_terminal_page_dispose;
}

static void
ui_terminal_page_init(UiTerminalPage *page)
{
    GtkWidget *scrolled = gtk_scrolled_window_new(NULL, NULL);

    page->view = VTE_TERMINAL(vte_terminal_new());
    vte_terminal_set_scrollback_lines(page->view, SCROLLBACK_LINES);
    vte_terminal_set_backspace_binding(page->view, VTE_ERASE_ASCII_DELETE);
    vte_terminal_set_scroll_on_keystroke(page->view, TRUE);
    vte_terminal_set_scroll_on_output(page->view, FALSE);
    vte_terminal_set_mouse_autohide(page->view, TRUE);
    gtk_scrolled_window_set_policy(GTK_SCROLLED_WINDOW(scrolled), GTK_POLICY_NEVER,
                                   GTK_POLICY_ALWAYS);
    gtk_container_add(GTK_CONTAINER(scrolled), GTK_WIDGET(page->view));
    gtk_box_pack_start(GTK_BOX(page), scrolled, TRUE, TRUE, 0);
    g_signal_connect(page->view, "commit", G_CALLBACK(on_commit), page);
    g_signal_connect_after(page->view, "size-allocate", G_CALLBACK(on_size), page);
    g_signal_connect(page->view, "key-press-event", G_CALLBACK(on_key), page);
    gtk_widget_show_all(scrolled);
}

GtkWidget *
ui_terminal_page_new(VitTerminal *terminal)
{
    UiTerminalPage *page = g_object_new(UI_TYPE_TERMINAL_PAGE, "visible", TRUE, NULL);
    g_autofree char *title = ui_terminal_page_make_title(terminal);

    page->terminal = g_object_ref(terminal);
    atk_object_set_name(gtk_widget_get_accessible(GTK_WIDGET(page->view)), title);
    g_signal_connect(terminal, "output", G_CALLBACK(on_output), page);
    vit_terminal_open(terminal);
    return GTK_WIDGET(page);
}
