/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A button that is there while jobs are under way, with the list of them. Thread: main. */

#include "app-job.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

GtkWidget *ui_jobs_button_new(void);

G_END_DECLS
