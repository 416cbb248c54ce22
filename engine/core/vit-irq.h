/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Interrupt lines: a function and its handle. Raising one costs an indirect call.
 * Thread: device lock held. */

#include "vit-types.h"

typedef void (*VitIrqFunc)(void *opaque, int n, int level);

struct VitIrq {
    VitIrqFunc func;
    void *opaque;
    int n;
};

static inline void
vit_irq_set(const VitIrq *irq, int level)
{
    if (irq->func) {
        irq->func(irq->opaque, irq->n, level);
    }
}

static inline void
vit_irq_pulse(const VitIrq *irq)
{
    vit_irq_set(irq, 1);
    vit_irq_set(irq, 0);
}
