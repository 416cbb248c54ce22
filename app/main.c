/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* vitrine: the application's start. "vitrine --run ARGS" is one machine in one window, what
 * vitrine-run -display gtk becomes. */

#include "ui-application.h"

#include <glib/gi18n.h>
#include <locale.h>
#include <string.h>

/* The demo's kernel: installed, or beside this program in a build folder. */
static char *
find_demo(const char *argv0)
{
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *dir = g_path_get_dirname(self ? self : argv0);
    const char *const candidates[] = { "../share/vitrine/demo/demo.elf", "../data/demo/demo.elf" };
    const char *override = g_getenv("VITRINE_DEMO");

    if (override) {
        return g_strdup(override);
    }
    for (guint i = 0; i < G_N_ELEMENTS(candidates); i++) {
        g_autofree char *path = g_build_filename(dir, candidates[i], NULL);

        if (g_file_test(path, G_FILE_TEST_EXISTS)) {
            return g_canonicalize_filename(path, NULL);
        }
    }
    return NULL;
}

int
main(int argc, char **argv)
{
    g_autoptr(UiApplication) application = NULL;
    g_autofree char *demo = NULL;

    setlocale(LC_ALL, "");
    /* the other place is for tests and translators, who try a catalogue before it is installed */
    bindtextdomain("vitrine", g_getenv("VITRINE_LOCALEDIR") ? g_getenv("VITRINE_LOCALEDIR")
                                                            : VITRINE_LOCALEDIR);
    bind_textdomain_codeset("vitrine", "UTF-8");
    textdomain("vitrine");
    if (argc > 1 && strcmp(argv[1], "--run") == 0) {
        g_set_prgname("vitrine-run");
        return ui_application_run_single(argc - 2, argv + 2);
    }
    demo = find_demo(argv[0]);
    application = ui_application_new(demo);
    return g_application_run(G_APPLICATION(application), argc, argv);
}
