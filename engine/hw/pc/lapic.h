/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Local APIC, one per CPU. A board creates one with property apic-id, attaches it, realizes it and
 * gives the CPU a VitCpuHost filled from it. Thread: device lock held. */

#include "vit-cpu.h"
#include "vit-device.h"

/* Before realize. BUS is a realized "apic-bus" or NULL (no messages); CPU may be NULL in tests.
 * PIC_ACK acknowledges the 8259s for an ExtINT; -1 = nothing. */
void vit_lapic_attach(VitDevice *dev, VitDevice *bus, VitCpu *cpu, int (*pic_ack)(void *opaque),
                      void *pic_opaque);
/* The "ferr" device that answers x87 errors of CPUs with CR0.NE clear; NULL = always go on. */
void vit_lapic_set_ferr(VitDevice *dev, VitDevice *ferr);
/* Sets interrupt_ack, ferr, init_taken, guest_error, opaque and everything apic_ in HOST. */
void vit_lapic_fill_host(VitDevice *dev, VitCpuHost *host);
