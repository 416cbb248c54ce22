/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The pair of 8259A interrupt controllers of a PC. Inputs 0..15 are ISA interrupt lines (2 is the
 * cascade and ignored), output 0 is INTR. Thread: device lock held. */

#include "vit-device.h"

/* Interrupt acknowledge cycle: the vector, always valid (a spurious one when nothing waits). */
int vit_i8259_ack(VitDevice *dev);
/* Whether INTR is asserted. */
bool vit_i8259_intr(const VitDevice *dev);
