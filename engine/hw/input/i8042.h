/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Keyboard controller. Thread: device lock held. */

#include "vit-device.h"

/* Plugs realized PS/2 devices in; either may be NULL. They are freed before the controller: keys
 * that are down are let go then. */
void vit_i8042_attach(VitDevice *dev, VitDevice *keyboard, VitDevice *mouse);
