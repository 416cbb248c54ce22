/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The pane around AppCommandLine. Places are bytes of the text in the engine and characters in the
 * text view; the two are converted here and nowhere else. Problems are underlined where they are:
 * errors in red, warnings in amber; what is not understood is also dimmed, as it is kept but does
 * nothing. Undo of typing is Revert; undo of what was applied is the window's. */

#include "ui-command-line-pane.h"

#include "ui-completion-popup.h"

#include <glib/gi18n.h>
#include <string.h>

enum { CHECK_DELAY_MS = 150 };

struct _UiCommandLinePane {
    GtkBox parent;
    GtkInfoBar *outdated_bar;
    GtkTextView *text_view;
    GtkLabel *problem_label;
    GtkWidget *mend_button;
    GtkListBox *changes_list;
    GtkTextBuffer *buffer;
    GtkTextTag *error_tag, *warning_tag, *unknown_tag;
    AppSettings *settings;
    AppCommandLine *line;
    UiCompletionPopup *popup;
    GSimpleActionGroup *actions;
    guint check_timer;
    gboolean is_replacing, wants_popup;
};

G_DEFINE_FINAL_TYPE(UiCommandLinePane, ui_command_line_pane, GTK_TYPE_BOX)

/* ---- Bytes and characters ---- */

static char *
buffer_text(UiCommandLinePane *pane)
{
    GtkTextIter start, end;

    gtk_text_buffer_get_bounds(pane->buffer, &start, &end);
    return gtk_text_buffer_get_text(pane->buffer, &start, &end, TRUE);
}

static void
iter_at_byte(UiCommandLinePane *pane, const char *text, size_t byte, GtkTextIter *out)
{
    size_t len = strlen(text);

    gtk_text_buffer_get_iter_at_offset(pane->buffer, out,
                                       (int)g_utf8_pointer_to_offset(text, text + MIN(byte, len)));
}

static size_t
cursor_byte(UiCommandLinePane *pane, const char *text)
{
    GtkTextIter iter;

    gtk_text_buffer_get_iter_at_mark(pane->buffer, &iter, gtk_text_buffer_get_insert(pane->buffer));
    return (size_t)(g_utf8_offset_to_pointer(text, gtk_text_iter_get_offset(&iter)) - text);
}

/* ---- Problems ---- */

static const VitDiag *
problem_at(UiCommandLinePane *pane, size_t byte)
{
    VitDiagList *diags = app_command_line_get_diags(pane->line);
    const VitDiag *found = NULL;

    for (unsigned i = 0; i < vit_diag_list_get_n(diags); i++) {
        const VitDiag *diag = vit_diag_list_get(diags, i);

        if (byte >= diag->start && byte <= diag->end &&
            (!found || diag->severity > found->severity)) {
            found = diag;
        }
    }
    return found;
}

static char *
problem_text(const VitDiag *diag)
{
    return diag->fix ? g_strdup_printf("%s\n%s", diag->message, diag->fix)
                     : g_strdup(diag->message);
}

static void
set_enabled(UiCommandLinePane *pane, const char *name, gboolean enabled)
{
    GAction *action = g_action_map_lookup_action(G_ACTION_MAP(pane->actions), name);

    g_simple_action_set_enabled(G_SIMPLE_ACTION(action), enabled);
}

/* What is wrong at the cursor, or how much is wrong in all. */
static void
show_problem(UiCommandLinePane *pane)
{
    g_autofree char *text = buffer_text(pane);
    const VitDiag *diag = problem_at(pane, cursor_byte(pane, text));
    VitDiagList *diags = app_command_line_get_diags(pane->line);
    unsigned n_errors = vit_diag_list_count(diags, VIT_SEVERITY_ERROR);
    unsigned n = vit_diag_list_get_n(diags);
    g_autofree char *said = NULL;
    gboolean can_mend = diag && diag->replacement;

    if (diag) {
        said = problem_text(diag);
    } else if (n_errors) {
        said =
            g_strdup_printf(ngettext("%u error: the machine does not start with it",
                                     "%u errors: the machine does not start with them", n_errors),
                            n_errors);
    } else if (n) {
        said = g_strdup_printf(ngettext("%u warning", "%u warnings", n), n);
    } else {
        said = g_strdup(_("No problems found"));
    }
    gtk_label_set_text(pane->problem_label, said);
    gtk_widget_set_visible(pane->mend_button, can_mend);
    set_enabled(pane, "mend", can_mend);
    set_enabled(pane, "next-problem", n > 0);
    set_enabled(pane, "previous-problem", n > 0);
    if (can_mend) {
        /* Translators: button that puts the suggested text in place of the wrong one */
        g_autofree char *label = g_strdup_printf(_("Use “%s”"), diag->replacement);

        gtk_button_set_label(GTK_BUTTON(pane->mend_button), label);
    }
}

static void
underline(UiCommandLinePane *pane)
{
    const char *text = app_command_line_get_text(pane->line);
    VitDiagList *diags = app_command_line_get_diags(pane->line);
    GtkTextIter start, end;

    gtk_text_buffer_get_bounds(pane->buffer, &start, &end);
    gtk_text_buffer_remove_tag(pane->buffer, pane->error_tag, &start, &end);
    gtk_text_buffer_remove_tag(pane->buffer, pane->warning_tag, &start, &end);
    gtk_text_buffer_remove_tag(pane->buffer, pane->unknown_tag, &start, &end);
    for (unsigned i = 0; i < vit_diag_list_get_n(diags); i++) {
        const VitDiag *diag = vit_diag_list_get(diags, i);

        iter_at_byte(pane, text, diag->start, &start);
        iter_at_byte(pane, text, MAX(diag->end, diag->start + 1), &end);
        gtk_text_buffer_apply_tag(pane->buffer,
                                  diag->severity == VIT_SEVERITY_ERROR ? pane->error_tag
                                                                       : pane->warning_tag,
                                  &start, &end);
    }
    for (guint i = 0; i < vit_diag_list_get_n(diags); i++) {
        const VitDiag *diag = vit_diag_list_get(diags, i);

        if (diag->code == VIT_ERROR_NOT_FOUND && diag->serial) {
            iter_at_byte(pane, text, diag->start, &start);
            iter_at_byte(pane, text, diag->end, &end);
            gtk_text_buffer_apply_tag(pane->buffer, pane->unknown_tag, &start, &end);
        }
    }
}

static void
go_to_problem(UiCommandLinePane *pane, gboolean backward)
{
    const char *text = app_command_line_get_text(pane->line);
    const VitDiag *diag =
        app_command_line_next_problem(pane->line, cursor_byte(pane, text), backward);
    GtkTextIter iter;

    if (diag) {
        iter_at_byte(pane, text, diag->start, &iter);
        gtk_text_buffer_place_cursor(pane->buffer, &iter);
        gtk_text_view_scroll_to_iter(pane->text_view, &iter, 0.1, FALSE, 0, 0);
        gtk_widget_grab_focus(GTK_WIDGET(pane->text_view));
        show_problem(pane);
    }
}

static gboolean
on_query_tooltip(GtkWidget *view, int x, int y, gboolean keyboard, GtkTooltip *tooltip,
                 UiCommandLinePane *pane)
{
    const char *text = app_command_line_get_text(pane->line);
    const VitDiag *diag;
    GtkTextIter iter;
    int buffer_x, buffer_y;
    g_autofree char *said = NULL;

    if (keyboard) {
        diag = problem_at(pane, cursor_byte(pane, text));
    } else {
        gtk_text_view_window_to_buffer_coords(pane->text_view, GTK_TEXT_WINDOW_WIDGET, x, y,
                                              &buffer_x, &buffer_y);
        if (!gtk_text_view_get_iter_at_location(pane->text_view, &iter, buffer_x, buffer_y)) {
            return FALSE;
        }
        diag = problem_at(
            pane, (size_t)(g_utf8_offset_to_pointer(text, MIN(gtk_text_iter_get_offset(&iter),
                                                              g_utf8_strlen(text, -1))) -
                           text));
    }
    if (!diag) {
        return FALSE;
    }
    said = problem_text(diag);
    gtk_tooltip_set_text(tooltip, said);
    return TRUE;
}

/* ---- Changes ---- */

static GtkWidget *
make_change_row(const AppCommandChange *change, gboolean running)
{
    GtkWidget *row = gtk_list_box_row_new();
    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 12);
    GtkWidget *label = gtk_label_new(change->text);

    gtk_label_set_xalign(GTK_LABEL(label), 0);
    gtk_label_set_line_wrap(GTK_LABEL(label), TRUE);
    gtk_label_set_line_wrap_mode(GTK_LABEL(label), PANGO_WRAP_WORD_CHAR);
    gtk_container_set_border_width(GTK_CONTAINER(box), 6);
    gtk_box_pack_start(GTK_BOX(box), label, TRUE, TRUE, 0);
    if (running) {
        GtkWidget *badge = gtk_label_new(app_change_text(change->change));

        gtk_style_context_add_class(gtk_widget_get_style_context(badge), "setting-badge");
        gtk_widget_set_valign(badge, GTK_ALIGN_CENTER);
        gtk_box_pack_end(GTK_BOX(box), badge, FALSE, FALSE, 0);
    }
    gtk_container_add(GTK_CONTAINER(row), box);
    gtk_list_box_row_set_activatable(GTK_LIST_BOX_ROW(row), FALSE);
    atk_object_set_name(gtk_widget_get_accessible(row), change->text);
    gtk_widget_show_all(row);
    return row;
}

static void
show_changes(UiCommandLinePane *pane)
{
    g_autoptr(GList) rows = gtk_container_get_children(GTK_CONTAINER(pane->changes_list));
    g_autoptr(GPtrArray) changes = app_command_line_list_changes(pane->line);
    AppEntry *entry = app_settings_get_entry(pane->settings);
    gboolean running = entry && app_session_is_active(app_entry_get_session(entry));

    for (GList *l = rows; l; l = l->next) {
        gtk_widget_destroy(l->data);
    }
    for (guint i = 0; i < changes->len; i++) {
        gtk_container_add(GTK_CONTAINER(pane->changes_list),
                          make_change_row(changes->pdata[i], running));
    }
    set_enabled(pane, "apply", app_command_line_is_changed(pane->line));
    set_enabled(pane, "revert", app_command_line_is_changed(pane->line));
    gtk_info_bar_set_revealed(pane->outdated_bar, app_command_line_is_outdated(pane->line));
}

/* ---- Typing ---- */

static void
on_checked(AppCommandLine *line, UiCommandLinePane *pane)
{
    g_autofree char *text = buffer_text(pane);

    if (strcmp(text, app_command_line_get_text(line)) == 0) {
        underline(pane);
        show_problem(pane);
        show_changes(pane);
    }
}

static void
on_replaced(AppCommandLine *line, UiCommandLinePane *pane)
{
    g_autofree char *text = buffer_text(pane);
    GtkTextIter iter;
    int offset;

    if (strcmp(text, app_command_line_get_text(line)) != 0) {
        gtk_text_buffer_get_iter_at_mark(pane->buffer, &iter,
                                         gtk_text_buffer_get_insert(pane->buffer));
        offset = gtk_text_iter_get_offset(&iter);
        pane->is_replacing = TRUE;
        gtk_text_buffer_set_text(pane->buffer, app_command_line_get_text(line), -1);
        pane->is_replacing = FALSE;
        gtk_text_buffer_get_iter_at_offset(
            pane->buffer, &iter, MIN(offset, gtk_text_buffer_get_char_count(pane->buffer)));
        gtk_text_buffer_place_cursor(pane->buffer, &iter);
    }
    on_checked(line, pane);
}

static void
complete(UiCommandLinePane *pane, gboolean select_first)
{
    const char *text = app_command_line_get_text(pane->line);

    ui_completion_popup_show(
        pane->popup, app_command_line_complete(pane->line, cursor_byte(pane, text)), select_first);
}

static void
check_now(UiCommandLinePane *pane)
{
    g_autofree char *text = buffer_text(pane);

    g_clear_handle_id(&pane->check_timer, g_source_remove);
    if (strcmp(text, app_command_line_get_text(pane->line)) != 0) {
        app_command_line_set_text(pane->line, text);
    }
}

static gboolean
on_check_timer(gpointer data)
{
    UiCommandLinePane *pane = data;

    pane->check_timer = 0;
    check_now(pane);
    if (pane->wants_popup && gtk_widget_has_focus(GTK_WIDGET(pane->text_view))) {
        complete(pane, FALSE);
    }
    pane->wants_popup = FALSE;
    return G_SOURCE_REMOVE;
}

static void
on_buffer_changed(GtkTextBuffer *buffer, UiCommandLinePane *pane)
{
    if (!pane->is_replacing) {
        g_clear_handle_id(&pane->check_timer, g_source_remove);
        pane->check_timer = g_timeout_add(CHECK_DELAY_MS, on_check_timer, pane);
    }
}

static void
on_cursor_moved(GtkTextBuffer *buffer, GParamSpec *pspec, UiCommandLinePane *pane)
{
    if (!pane->is_replacing && !pane->check_timer) {
        show_problem(pane);
    }
}

static void
on_completion(const VitCompletions *completions, const VitCompletion *taken, gpointer data)
{
    UiCommandLinePane *pane = data;
    g_autofree char *text = buffer_text(pane);
    GtkTextIter start, end;

    iter_at_byte(pane, text, completions->start, &start);
    iter_at_byte(pane, text, completions->end, &end);
    gtk_text_buffer_begin_user_action(pane->buffer);
    gtk_text_buffer_delete(pane->buffer, &start, &end);
    gtk_text_buffer_insert(pane->buffer, &start, taken->text, -1);
    gtk_text_buffer_end_user_action(pane->buffer);
    check_now(pane);
    if (taken->goes_on) {
        complete(pane, FALSE);
    }
}

static gboolean
on_key(GtkWidget *view, GdkEventKey *event, UiCommandLinePane *pane)
{
    guint state = event->state & gtk_accelerator_get_default_mod_mask();

    if (ui_completion_popup_key(pane->popup, event)) {
        return TRUE;
    }
    if (event->keyval == GDK_KEY_space && state == GDK_CONTROL_MASK) {
        check_now(pane);
        complete(pane, TRUE);
        return TRUE;
    }
    if (event->keyval == GDK_KEY_F8 && (state == 0 || state == GDK_SHIFT_MASK)) {
        check_now(pane);
        go_to_problem(pane, state == GDK_SHIFT_MASK);
        return TRUE;
    }
    if (event->keyval == GDK_KEY_Return && state == GDK_CONTROL_MASK) {
        ui_command_line_pane_apply(pane);
        return TRUE;
    }
    /* typing asks for what could follow, moving about does not */
    pane->wants_popup = state == 0 && gdk_keyval_to_unicode(event->keyval) > ' ';
    if (!pane->wants_popup && ui_completion_popup_is_shown(pane->popup) &&
        event->keyval != GDK_KEY_BackSpace && !event->is_modifier) {
        ui_completion_popup_hide(pane->popup);
    }
    return FALSE;
}

static gboolean
on_focus_out(GtkWidget *view, GdkEventFocus *event, UiCommandLinePane *pane)
{
    check_now(pane);
    return FALSE;
}

/* ---- Actions ---- */

static void
act_apply(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    ui_command_line_pane_apply(data);
}

static void
act_revert(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    app_command_line_revert(UI_COMMAND_LINE_PANE(data)->line);
}

static void
act_next_problem(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    go_to_problem(data, FALSE);
}

static void
act_previous_problem(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    go_to_problem(data, TRUE);
}

static void
act_mend(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    UiCommandLinePane *pane = data;
    g_autofree char *text = buffer_text(pane);
    const VitDiag *diag = problem_at(pane, cursor_byte(pane, text));
    GtkTextIter start, end;

    if (!diag || !diag->replacement) {
        return;
    }
    iter_at_byte(pane, text, diag->start, &start);
    iter_at_byte(pane, text, diag->end, &end);
    gtk_text_buffer_delete(pane->buffer, &start, &end);
    gtk_text_buffer_insert(pane->buffer, &start, diag->replacement, -1);
    check_now(pane);
    gtk_widget_grab_focus(GTK_WIDGET(pane->text_view));
}

static void
act_copy(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    UiCommandLinePane *pane = data;
    g_autofree char *shell = app_config_to_shell(app_settings_get_config(pane->settings),
                                                 g_variant_get_string(parameter, NULL));

    gtk_clipboard_set_text(gtk_widget_get_clipboard(GTK_WIDGET(pane), GDK_SELECTION_CLIPBOARD),
                           shell, -1);
}

static const GActionEntry actions[] = {
    { .name = "apply", .activate = act_apply },
    { .name = "revert", .activate = act_revert },
    { .name = "next-problem", .activate = act_next_problem },
    { .name = "previous-problem", .activate = act_previous_problem },
    { .name = "mend", .activate = act_mend },
    { .name = "copy", .parameter_type = "s", .activate = act_copy },
};

/* ---- Life ---- */

GtkWidget *
ui_command_line_pane_new(AppSettings *settings)
{
    UiCommandLinePane *pane = g_object_new(UI_TYPE_COMMAND_LINE_PANE, NULL);

    pane->settings = g_object_ref(settings);
    pane->line = app_command_line_new(settings);
    g_signal_connect_object(pane->line, "checked", G_CALLBACK(on_checked), pane, 0);
    g_signal_connect_object(pane->line, "replaced", G_CALLBACK(on_replaced), pane, 0);
    g_signal_connect_object(pane->line, "outdated", G_CALLBACK(show_changes), pane,
                            G_CONNECT_SWAPPED);
    on_replaced(pane->line, pane);
    return GTK_WIDGET(pane);
}

gboolean
ui_command_line_pane_has_changes(UiCommandLinePane *pane)
{
    check_now(pane);
    return app_command_line_is_changed(pane->line);
}

void
ui_command_line_pane_apply(UiCommandLinePane *pane)
{
    check_now(pane);
    app_command_line_apply(pane->line);
}

static void
ui_command_line_pane_dispose(GObject *object)
{
    UiCommandLinePane *pane = UI_COMMAND_LINE_PANE(object);

    g_clear_handle_id(&pane->check_timer, g_source_remove);
    g_clear_object(&pane->line);
    g_clear_object(&pane->settings);
    g_clear_object(&pane->actions);
    g_clear_pointer(&pane->popup, ui_completion_popup_free);
    G_OBJECT_CLASS(ui_command_line_pane_parent_class)->dispose(object);
}

static void
ui_command_line_pane_class_init(UiCommandLinePaneClass *klass)
{
    GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(klass);

    G_OBJECT_CLASS(klass)->dispose = ui_command_line_pane_dispose;
    gtk_widget_class_set_template_from_resource(widget_class,
                                                "/org/vitrine/Vitrine/ui-command-line-pane.ui");
    gtk_widget_class_bind_template_child(widget_class, UiCommandLinePane, outdated_bar);
    gtk_widget_class_bind_template_child(widget_class, UiCommandLinePane, text_view);
    gtk_widget_class_bind_template_child(widget_class, UiCommandLinePane, problem_label);
    gtk_widget_class_bind_template_child(widget_class, UiCommandLinePane, mend_button);
    gtk_widget_class_bind_template_child(widget_class, UiCommandLinePane, changes_list);
    gtk_widget_class_bind_template_callback(widget_class, on_query_tooltip);
}

static void
ui_command_line_pane_init(UiCommandLinePane *pane)
{
    static const GdkRGBA red = { 0.88, 0.11, 0.14, 1 }, amber = { 0.80, 0.55, 0, 1 };

    gtk_widget_init_template(GTK_WIDGET(pane));
    pane->actions = g_simple_action_group_new();
    g_action_map_add_action_entries(G_ACTION_MAP(pane->actions), actions, G_N_ELEMENTS(actions),
                                    pane);
    gtk_widget_insert_action_group(GTK_WIDGET(pane), "command-line", G_ACTION_GROUP(pane->actions));
    pane->buffer = gtk_text_view_get_buffer(pane->text_view);
    pane->unknown_tag =
        gtk_text_buffer_create_tag(pane->buffer, NULL, "style", PANGO_STYLE_ITALIC, NULL);
    pane->warning_tag = gtk_text_buffer_create_tag(
        pane->buffer, NULL, "underline", PANGO_UNDERLINE_SINGLE, "underline-rgba", &amber, NULL);
    pane->error_tag = gtk_text_buffer_create_tag(
        pane->buffer, NULL, "underline", PANGO_UNDERLINE_ERROR, "underline-rgba", &red, NULL);
    pane->popup = ui_completion_popup_new(pane->text_view, on_completion, pane);
    g_signal_connect(pane->buffer, "changed", G_CALLBACK(on_buffer_changed), pane);
    g_signal_connect(pane->buffer, "notify::cursor-position", G_CALLBACK(on_cursor_moved), pane);
    g_signal_connect(pane->text_view, "key-press-event", G_CALLBACK(on_key), pane);
    g_signal_connect(pane->text_view, "focus-out-event", G_CALLBACK(on_focus_out), pane);
}
