/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Graphs of CPU, disk and network: two lines for the directions where there are two, in the
 * theme's colours, with the newest value as text, which is also what a screen reader says. */

#include "ui-graph.h"

#include <glib/gi18n.h>

typedef struct Graph {
    UiGraphKind kind;
    char *title;
    const AppMeter *meter;
    GtkWidget *area, *label;
} Graph;

static void
get_values(const Graph *graph, guint age, double *out_first, double *out_second)
{
    const AppMeterSample *sample = app_meter_get(graph->meter, age);

    switch (graph->kind) {
    case UI_GRAPH_CPU:
        *out_first = sample->cpu;
        *out_second = 0;
        break;
    case UI_GRAPH_DISK:
        *out_first = sample->disk_read;
        *out_second = sample->disk_written;
        break;
    case UI_GRAPH_NET:
        *out_first = sample->net_received;
        *out_second = sample->net_sent;
        break;
    }
}

static void
draw_line(cairo_t *cr, const Graph *graph, gboolean second, double top, int width, int height)
{
    for (guint age = 0; age < APP_METER_HISTORY; age++) {
        double values[2];
        double x = width - 1 - age * (width - 1) / (double)(APP_METER_HISTORY - 1);

        get_values(graph, age, &values[0], &values[1]);
        cairo_line_to(cr, x, height - 1.5 - (height - 3) * values[second] / top);
    }
    cairo_set_line_width(cr, 1.5);
    cairo_stroke(cr);
}

static gboolean
on_draw(GtkWidget *widget, cairo_t *cr, Graph *graph)
{
    GtkStyleContext *style = gtk_widget_get_style_context(widget);
    int width = gtk_widget_get_allocated_width(widget);
    int height = gtk_widget_get_allocated_height(widget);
    double top = graph->kind == UI_GRAPH_CPU ? 1 : 4096;
    GdkRGBA color;

    gtk_render_background(style, cr, 0, 0, width, height);
    gtk_render_frame(style, cr, 0, 0, width, height);
    if (!graph->meter) {
        return TRUE;
    }
    for (guint age = 0; age < APP_METER_HISTORY; age++) {
        double first = 0, second = 0;

        get_values(graph, age, &first, &second);
        top = MAX(top, MAX(first, second));
    }
    gtk_style_context_get_color(style, gtk_style_context_get_state(style), &color);
    if (graph->kind != UI_GRAPH_CPU) {
        static const double dashes[] = { 3, 2 };

        gdk_cairo_set_source_rgba(cr, &color);
        cairo_set_dash(cr, dashes, G_N_ELEMENTS(dashes), 0);
        draw_line(cr, graph, TRUE, top, width, height);
        cairo_set_dash(cr, NULL, 0, 0);
    }
    if (gtk_style_context_lookup_color(style, "theme_selected_bg_color", &color)) {
        gdk_cairo_set_source_rgba(cr, &color);
    }
    draw_line(cr, graph, FALSE, top, width, height);
    return TRUE;
}

static char *
describe(const Graph *graph)
{
    g_autofree char *first_text = NULL;
    g_autofree char *second_text = NULL;
    double first = 0, second = 0;

    if (graph->meter) {
        get_values(graph, 0, &first, &second);
    }
    if (graph->kind == UI_GRAPH_CPU) {
        /* Translators: load of the guest's processors, as in "CPU: 35 %" */
        return g_strdup_printf(_("%s: %d %%"), graph->title, (int)(first * 100 + 0.5));
    }
    first_text = g_format_size(first);
    second_text = g_format_size(second);
    if (graph->kind == UI_GRAPH_DISK) {
        /* Translators: "Disks: 1.2 MB/s read, 3 kB/s written" */
        return g_strdup_printf(_("%s: %s/s read, %s/s written"), graph->title, first_text,
                               second_text);
    }
    /* Translators: "Network: 1.2 MB/s received, 3 kB/s sent" */
    return g_strdup_printf(_("%s: %s/s received, %s/s sent"), graph->title, first_text,
                           second_text);
}

static void
graph_free(gpointer data)
{
    Graph *graph = data;

    g_free(graph->title);
    g_free(graph);
}

GtkWidget *
ui_graph_new(UiGraphKind kind, const char *title)
{
    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 3);
    Graph *graph = g_new0(Graph, 1);

    graph->kind = kind;
    graph->title = g_strdup(title);
    graph->area = gtk_drawing_area_new();
    graph->label = gtk_label_new(title);
    gtk_label_set_xalign(GTK_LABEL(graph->label), 0);
    gtk_style_context_add_class(gtk_widget_get_style_context(graph->area), "view");
    gtk_widget_set_size_request(graph->area, 300, 60);
    g_signal_connect(graph->area, "draw", G_CALLBACK(on_draw), graph);
    gtk_container_add(GTK_CONTAINER(box), graph->label);
    gtk_container_add(GTK_CONTAINER(box), graph->area);
    g_object_set_data_full(G_OBJECT(box), "graph", graph, graph_free);
    gtk_widget_show_all(box);
    ui_graph_update(box);
    return box;
}

void
ui_graph_set_meter(GtkWidget *widget, const AppMeter *meter)
{
    Graph *graph = g_object_get_data(G_OBJECT(widget), "graph");

    graph->meter = meter;
    ui_graph_update(widget);
}

void
ui_graph_update(GtkWidget *widget)
{
    Graph *graph = g_object_get_data(G_OBJECT(widget), "graph");
    g_autofree char *text = NULL;

    if (gtk_widget_get_mapped(widget) || !graph->meter) {
        text = describe(graph);
        gtk_label_set_text(GTK_LABEL(graph->label), text);
        atk_object_set_name(gtk_widget_get_accessible(graph->area), text);
        gtk_widget_queue_draw(graph->area);
    }
}
