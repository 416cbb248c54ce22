/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Between options-machine.c and the files of its larger options. */

#include "options-schema.h"

extern const VitOptionVariant vit_numa_variants[];
