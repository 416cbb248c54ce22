/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A line over the last minute. Thread: main. */

#include "app-meter.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

typedef enum {
    UI_GRAPH_CPU,
    UI_GRAPH_DISK,
    UI_GRAPH_NET,
} UiGraphKind;

/* TITLE is spoken together with the newest value. METER is borrowed and may be cleared, not freed,
 * while the widget is there; ui_graph_set_meter(NULL) lets go of it. */
GtkWidget *ui_graph_new(UiGraphKind kind, const char *title);
void ui_graph_set_meter(GtkWidget *graph, const AppMeter *meter);
/* A new sample is there. */
void ui_graph_update(GtkWidget *graph);

G_END_DECLS
