/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* One line of the human monitor, run by the application. Each line stands alone: what a session
 * would remember (the CPU chosen, the last format of x) starts anew.
 * Thread: the machine's context. */

#include "vit-machine.h"

G_BEGIN_DECLS

/* What LINE prints; an error of the command is part of the text. Ownership: caller. */
void vit_machine_run_command_async(VitMachine *machine, const char *line,
                                   GAsyncReadyCallback callback, gpointer data);
char *vit_machine_run_command_finish(VitMachine *machine, GAsyncResult *result, GError **error);

/* Words that the last word of LINE can become. Ownership: caller. */
void vit_machine_complete_command_async(VitMachine *machine, const char *line,
                                        GAsyncReadyCallback callback, gpointer data);
char **vit_machine_complete_command_finish(VitMachine *machine, GAsyncResult *result,
                                           GError **error);

G_END_DECLS
