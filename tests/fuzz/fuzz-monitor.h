/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What the fuzz targets of the monitors share. */

#include "monitor-rig.h"

/* A fuzzer must not write files where it likes: inputs that name such a command are left out. */
static inline bool
names_a_file_command(const uint8_t *data, size_t size)
{
    return memmem(data, size, "save", 4) || memmem(data, size, "dump", 4) ||
           memmem(data, size, "\\u", 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
