/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* -d and -D: what goes to the log. */

#include "machine-monitor.h"

#include <stdio.h>
#include <string.h>

static bool
wants(Machine *machine, const char *item)
{
    g_auto(GStrv) items =
        g_strsplit(machine->plan->log_items ? machine->plan->log_items : "", ",", -1);

    return g_strv_contains((const char *const *)items, item);
}

void
machine_log_guest_error(Machine *machine, const char *line)
{
    FILE *file = stderr;

    if (!wants(machine, "guest_errors")) {
        return;
    }
    if (machine->plan->log_file) {
        file = fopen(machine->plan->log_file, "ae");
    }
    if (file) {
        fprintf(file, "%s\n", line);
        if (file != stderr) {
            fclose(file);
        }
    }
}
