/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The check of the host behind settings and command line. A worker has a copy of the configuration
 * and a list of its own; the answer is taken on the main thread, and only if nothing newer was
 * asked meanwhile. */

#include "app-host-check.h"

struct AppHostCheck {
    AppHostCheckFunc found;
    gpointer data;
    guint delay_ms, timer;
    VitConfig *config; /* asked for */
    VitDiagList *diags;
    GCancellable *running; /* NULL: no worker is at it */
};

typedef struct Work {
    AppHostCheck *check; /* gone when the task is cancelled */
    VitConfig *config;
    VitDiagList *into, *seen;
} Work;

static void
work_free(gpointer data)
{
    Work *work = data;

    g_object_unref(work->config);
    vit_diag_list_unref(work->into);
    vit_diag_list_unref(work->seen);
    g_free(work);
}

/* Worker. */
static void
run(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Work *work = data;

    vit_config_check_host(work->config, NULL, NULL, work->seen);
    g_task_return_boolean(task, TRUE);
}

static void
on_done(GObject *source, GAsyncResult *result, gpointer data)
{
    Work *work = g_task_get_task_data(G_TASK(result));
    AppHostCheck *check = work->check;

    if (!g_task_propagate_boolean(G_TASK(result), NULL)) {
        return; /* cancelled: something newer was asked, or nobody wants to know any more */
    }
    g_clear_object(&check->running);
    for (unsigned i = 0; i < vit_diag_list_get_n(work->seen); i++) {
        const VitDiag *diag = vit_diag_list_get(work->seen, i);

        vit_diag_list_add(work->into, diag->start, diag->end, diag->severity, diag->code,
                          diag->serial, diag->fix, diag->replacement, "%s", diag->message);
    }
    if (vit_diag_list_get_n(work->seen) > 0) {
        vit_diag_list_sort(work->into);
        check->found(check->data);
    }
}

static gboolean
on_timer(gpointer data)
{
    AppHostCheck *check = data;
    Work *work = g_new0(Work, 1);
    g_autoptr(GTask) task = NULL;

    check->timer = 0;
    check->running = g_cancellable_new();
    work->check = check;
    work->config = vit_config_copy(check->config);
    work->into = g_steal_pointer(&check->diags);
    work->seen = vit_diag_list_new();
    g_clear_object(&check->config);
    task = g_task_new(NULL, check->running, on_done, NULL);
    g_task_set_task_data(task, work, work_free);
    g_task_run_in_thread(task, run);
    return G_SOURCE_REMOVE;
}

static void
forget(AppHostCheck *check)
{
    g_clear_handle_id(&check->timer, g_source_remove);
    if (check->running) {
        g_cancellable_cancel(check->running);
        g_clear_object(&check->running);
    }
    g_clear_object(&check->config);
    g_clear_pointer(&check->diags, vit_diag_list_unref);
}

void
app_host_check_ask(AppHostCheck *check, VitConfig *config, VitDiagList *diags)
{
    forget(check);
    check->config = g_object_ref(config);
    check->diags = vit_diag_list_ref(diags);
    check->timer = g_timeout_add(check->delay_ms, on_timer, check);
}

AppHostCheck *
app_host_check_new(guint delay_ms, AppHostCheckFunc found, gpointer data)
{
    AppHostCheck *check = g_new0(AppHostCheck, 1);

    check->delay_ms = delay_ms;
    check->found = found;
    check->data = data;
    return check;
}

void
app_host_check_free(AppHostCheck *check)
{
    if (check) {
        forget(check);
        g_free(check);
    }
}
