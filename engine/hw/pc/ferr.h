/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The PC/AT's answer to x87 errors. Output 0 is IRQ 13. Thread: device lock held. */

#include "vit-device.h"

/* A CPU asserts FERR#. True when IGNNE# is asserted, so that the CPU goes on. */
bool vit_ferr_raise(VitDevice *dev);
