/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The speaker port. Thread: device lock held. */

#include "vit-device.h"

/* The interval timer whose counter 2 it gates; PIT outlives DEV's use of it. NULL detaches. */
void vit_pcspk_attach(VitDevice *dev, VitDevice *pit);
/* Whether the loudspeaker follows counter 2 now. */
bool vit_pcspk_is_on(const VitDevice *dev);
