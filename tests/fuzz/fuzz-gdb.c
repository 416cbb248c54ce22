/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Packets for the debugger stub: each line of the input is one, framed here, as hardly any random
 * bytes have the right sum; then the input as it is. */

#include "gdb-rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char commands[] = "gGpPmMXzZcCsSHTDqQv?";
    Rig *rig = rig_new(size & 1);
    size_t start = 0;

    for (size_t i = 0; i <= size; i++) {
        if (i == size || data[i] == '\n') {
            g_autofree char *line = g_strndup((const char *)data + start, i - start);

            if (i > start && !(data[start] & 0x80)) { /* often a command that exists */
                line[0] = commands[data[start] % (sizeof(commands) - 1)];
            }
            g_free(rig_ask_bytes(rig, line, i - start));
            start = i + 1;
        }
    }
    rig_type(rig, (const char *)data, size);
    rig_type(rig, "##000", 5); /* out of whatever packet this left open */
    g_string_truncate(rig->seen, 0);
    rig->running = false;
    rig_expect(rig, "qAttached", "1");
    rig_free(rig);
    return 0;
}
