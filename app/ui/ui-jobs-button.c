/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The jobs list. Each row has its progress and a button to cancel. */

#include "ui-jobs-button.h"

#include <glib/gi18n.h>

static void
on_job_changed(AppJob *job, GtkProgressBar *bar)
{
    double progress = app_job_get_progress(job);

    if (progress < 0) {
        gtk_progress_bar_pulse(bar);
    } else {
        gtk_progress_bar_set_fraction(bar, progress);
    }
}

static GtkWidget *
make_row(gpointer item, gpointer data)
{
    AppJob *job = item;
    GtkWidget *grid = gtk_grid_new();
    GtkWidget *title = gtk_label_new(app_job_get_title(job));
    GtkWidget *bar = gtk_progress_bar_new();
    GtkWidget *cancel = gtk_button_new_with_label(_("Cancel"));
    g_autofree char *spoken = g_strdup_printf(_("Cancel: %s"), app_job_get_title(job));

    gtk_label_set_xalign(GTK_LABEL(title), 0);
    gtk_label_set_ellipsize(GTK_LABEL(title), PANGO_ELLIPSIZE_END);
    gtk_widget_set_hexpand(bar, TRUE);
    gtk_widget_set_valign(bar, GTK_ALIGN_CENTER);
    atk_object_set_name(gtk_widget_get_accessible(cancel), spoken);
    atk_object_set_name(gtk_widget_get_accessible(bar), app_job_get_title(job));
    gtk_grid_set_column_spacing(GTK_GRID(grid), 12);
    gtk_grid_set_row_spacing(GTK_GRID(grid), 3);
    gtk_container_set_border_width(GTK_CONTAINER(grid), 6);
    gtk_grid_attach(GTK_GRID(grid), title, 0, 0, 1, 1);
    gtk_grid_attach(GTK_GRID(grid), bar, 0, 1, 1, 1);
    gtk_grid_attach(GTK_GRID(grid), cancel, 1, 0, 1, 2);
    g_signal_connect_object(job, "changed", G_CALLBACK(on_job_changed), bar, 0);
    g_signal_connect_object(cancel, "clicked", G_CALLBACK(app_job_cancel), job, G_CONNECT_SWAPPED);
    gtk_widget_set_size_request(grid, 320, -1);
    gtk_widget_show_all(grid);
    return grid;
}

static void
on_jobs_changed(GListModel *jobs, guint position, guint removed, guint added, GtkWidget *button)
{
    guint count = g_list_model_get_n_items(jobs);
    g_autofree char *text =
        g_strdup_printf(ngettext("%u job under way", "%u jobs under way", count), count);

    gtk_widget_set_visible(button, count > 0);
    gtk_widget_set_tooltip_text(button, text);
    atk_object_set_name(gtk_widget_get_accessible(button), text);
    if (count == 0) {
        gtk_popover_popdown(gtk_menu_button_get_popover(GTK_MENU_BUTTON(button)));
    }
}

GtkWidget *
ui_jobs_button_new(void)
{
    GtkWidget *button = gtk_menu_button_new();
    GtkWidget *popover = gtk_popover_new(button);
    GtkWidget *list = gtk_list_box_new();
    GtkWidget *spinner = gtk_spinner_new();

    gtk_list_box_set_selection_mode(GTK_LIST_BOX(list), GTK_SELECTION_NONE);
    gtk_list_box_bind_model(GTK_LIST_BOX(list), app_job_list(), make_row, NULL, NULL);
    gtk_spinner_start(GTK_SPINNER(spinner));
    gtk_widget_show(spinner);
    gtk_widget_show(list);
    gtk_container_add(GTK_CONTAINER(button), spinner);
    gtk_container_add(GTK_CONTAINER(popover), list);
    gtk_menu_button_set_popover(GTK_MENU_BUTTON(button), popover);
    g_signal_connect_object(app_job_list(), "items-changed", G_CALLBACK(on_jobs_changed), button,
                            0);
    on_jobs_changed(app_job_list(), 0, 0, 0, button);
    return button;
}
