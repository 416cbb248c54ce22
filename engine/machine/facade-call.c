/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* A question from the application to the machine thread and its answer as a GTask. The call and
 * its task begin and end in the application's context: the machine thread only fills in the
 * answer, so that no last reference to a façade object is ever dropped there. */

#include "facade-private.h"

#include "vit-error.h"

static gboolean
complete(gpointer data)
{
    FacadeCall *call = data;

    if (call->error) {
        g_task_return_error(call->task, g_steal_pointer(&call->error));
    } else if (call->result) {
        g_task_return_pointer(call->task, g_steal_pointer(&call->result), call->free_result);
    } else {
        g_task_return_boolean(call->task, TRUE);
    }
    return G_SOURCE_REMOVE;
}

static void
call_free(gpointer data)
{
    FacadeCall *call = data;

    g_object_unref(call->task);
    g_main_context_unref(call->app_context);
    g_clear_error(&call->error);
    g_free(call->text);
    g_free(call->more);
    g_free(call);
}

/* Machine thread, lock held. */
static void
run(gpointer data)
{
    FacadeCall *call = data;

    call->run(call);
    facade_post(call->app_context, complete, call, call_free);
}

void
facade_call(Machine *machine, GMainContext *app_context, GTask *task, const FacadeCall *call)
{
    FacadeCall *copy;

    if (!machine) {
        g_task_return_new_error(task, VIT_ERROR, VIT_ERROR_STATE, "the machine is gone");
        g_object_unref(task);
        return;
    }
    copy = g_memdup2(call, sizeof(*call));
    copy->machine = machine;
    copy->app_context = g_main_context_ref(app_context);
    copy->task = task;
    copy->text = g_strdup(call->text);
    copy->more = g_strdup(call->more);
    machine_invoke(machine, run, copy, NULL);
}
