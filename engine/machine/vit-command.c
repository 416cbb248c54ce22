/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Monitor lines for the application. */

#include "vit-command.h"

#include "facade-private.h"

static void
do_run(FacadeCall *call)
{
    call->result = machine_run_hmp(call->machine, call->text);
    call->free_result = g_free;
}

void
vit_machine_run_command_async(VitMachine *machine, const char *line, GAsyncReadyCallback callback,
                              gpointer data)
{
    vit_machine_call(machine, g_task_new(machine, NULL, callback, data),
                     &(FacadeCall){ .run = do_run, .text = (char *)line });
}

char *
vit_machine_run_command_finish(VitMachine *machine, GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

static void
do_complete(FacadeCall *call)
{
    call->result = machine_complete_hmp(call->machine, call->text);
    call->free_result = (GDestroyNotify)g_strfreev;
}

void
vit_machine_complete_command_async(VitMachine *machine, const char *line,
                                   GAsyncReadyCallback callback, gpointer data)
{
    vit_machine_call(machine, g_task_new(machine, NULL, callback, data),
                     &(FacadeCall){ .run = do_complete, .text = (char *)line });
}

char **
vit_machine_complete_command_finish(VitMachine *machine, GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}
