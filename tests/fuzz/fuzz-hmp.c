/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Keys on a human monitor: the line editor, completion and every command. */

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
    terminal_init(&terminal, &rig, VIT_MONITOR_HMP);
    vit_char_vc_input(terminal.chr, data, size);
    terminal_finish(&terminal);
    rig_finish(&rig);
    return 0;
}
