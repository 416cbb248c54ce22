/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What the files options-block*.c share. */

#include "options-schema.h"

extern const VitOptionKey vit_drive_keys[], vit_fsdev_keys[], vit_virtfs_keys[];
extern const VitOptionVariant vit_blockdev_variants[], vit_fsdev_variants[], vit_virtfs_variants[];
