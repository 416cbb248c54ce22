/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* I/O APIC. Input n is pin n; the board wires ISA line 0 to pin 2. Thread: device lock held. */

#include "vit-device.h"

#define VIT_IOAPIC_PINS 24

/* Before realize. BUS is a realized "apic-bus" or NULL. */
void vit_ioapic_attach(VitDevice *dev, VitDevice *bus);
