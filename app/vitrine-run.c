/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* vitrine-run: the engine behind the manual's command line. Needs no display server and loads no
 * GTK; -display gtk hands over to the application's program, which shows the machine in a window
 * of its own. Also installed as qemu-system-x86_64. */

#include "vit-engine.h"

#include <glib-unix.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Run {
    VitMachine *machine;
    GMainLoop *loop;
    int status;
} Run;

static void
on_state_changed(VitMachine *machine, int state, Run *run)
{
    if (state == VIT_MACHINE_STOPPED) {
        run->status = vit_machine_get_exit_status(machine);
        g_main_loop_quit(run->loop);
    } else if (state == VIT_MACHINE_FAILED) {
        g_printerr("%s: %s\n", g_get_prgname(), vit_machine_get_reason(machine));
        run->status = 1;
        g_main_loop_quit(run->loop);
    }
}

static gboolean
on_signal(gpointer data)
{
    Run *run = data;

    vit_machine_stop(run->machine);
    return G_SOURCE_CONTINUE;
}

static void
print_diags(const VitDiagList *diags, const char *text)
{
    for (unsigned i = 0; i < vit_diag_list_get_n(diags); i++) {
        g_autofree char *line =
            vit_diag_format(vit_diag_list_get(diags, i), text, g_get_prgname(), 100);
        g_printerr("%s\n", line);
    }
}

int
main(int argc, char **argv)
{
    g_autoptr(VitDiagList) diags = vit_diag_list_new();
    g_autoptr(VitConfig) config = NULL;
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;
    Run run = { 0 };

    g_set_prgname("vitrine-run");
    config = vit_config_parse_argv(argc - 1, (const char *const *)argv + 1, diags);
    text = vit_config_to_text(config);
    run.machine = vit_machine_new(config, NULL, diags, &error);
    print_diags(diags, text);
    if (!run.machine) {
        if (vit_diag_list_count(diags, VIT_SEVERITY_ERROR) == 0) {
            g_printerr("%s: %s\n", g_get_prgname(), error->message);
        }
        return EXIT_FAILURE;
    }
    run.loop = g_main_loop_new(NULL, FALSE);
    g_signal_connect(run.machine, "state-changed", G_CALLBACK(on_state_changed), &run);
    g_unix_signal_add(SIGINT, on_signal, &run);
    g_unix_signal_add(SIGTERM, on_signal, &run);
    g_unix_signal_add(SIGHUP, on_signal, &run);
    if (!vit_config_find(config, "S", NULL)) {
        vit_machine_start(run.machine);
    }
    g_main_loop_run(run.loop);
    g_object_unref(run.machine);
    g_main_loop_unref(run.loop);
    return run.status;
}
