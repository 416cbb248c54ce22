/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Every device kind of this build, in the order of the list in meson.build. */

#include "vit-device.h"

/* Ends with NULL. */
extern const VitDeviceKind *const vit_hw_kinds[];
