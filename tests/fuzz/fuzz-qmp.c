/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Bytes on a QMP monitor that has negotiated. */

#include "fuzz-monitor.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Rig rig;
    Terminal terminal;

    if (names_a_file_command(data, size)) {
        return 0;
    }
    rig_init(&rig);
    terminal_init(&terminal, &rig, VIT_MONITOR_QMP);
    terminal_type(&terminal, "{\"execute\": \"qmp_capabilities\"}");
    vit_char_vc_input(terminal.chr, data, size);
    /* Whatever came before, this gets it in step. */
    g_assert_nonnull(strstr(terminal_type(&terminal, "\xff{\"execute\": \"query-iothreads\"}"),
                            "{\"return\": []}"));
    terminal_finish(&terminal);
    rig_finish(&rig);
    return 0;
}
