/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Something that takes long, with its progress, and a way to stop it. All jobs under way are in one
 * list. Thread: main; app_job_set_progress() and the cancellable from any. */

#include <gio/gio.h>

G_BEGIN_DECLS

#define APP_TYPE_JOB (app_job_get_type())
G_DECLARE_FINAL_TYPE(AppJob, app_job, APP, JOB, GObject)

/* Signals: "changed" (): progress or state. */

/* All jobs under way: a GListModel of AppJob. Ownership: borrowed. */
GListModel *app_job_list(void);

/* Adds a job to the list. Ownership: caller. */
AppJob *app_job_new(const char *title);
const char *app_job_get_title(AppJob *job);
GCancellable *app_job_get_cancellable(AppJob *job);
double app_job_get_progress(AppJob *job); /* 0..1; negative: not known */
void app_job_set_progress(AppJob *job, double fraction);
void app_job_cancel(AppJob *job);
/* It is over: it leaves the list. */
void app_job_finish(AppJob *job);

/* Copies a folder with all in it, sparse files as such, on a worker; on failure or cancel nothing
 * is left behind. */
void app_copy_folder_async(GFile *from, GFile *to, AppJob *job, GAsyncReadyCallback callback,
                           gpointer data);
gboolean app_copy_folder_finish(GAsyncResult *result, GError **error);
/* Copies one file, holes as holes, and says how far JOB is. Thread: any that may block. */
gboolean app_copy_file(const char *from, const char *to, AppJob *job, GError **error);
/* Removes a folder with all in it. */
void app_remove_folder(const char *path);

G_END_DECLS
