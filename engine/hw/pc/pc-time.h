/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Arithmetic shared by the timers of the PC. */

#include "vit-clock.h"

/* A guest that programs a timer with a tiny period gets coalesced interrupts rather than the whole
 * of the machine thread. */
#define PC_TIMER_MIN_PERIOD_NS 10000

/* First virtual time at which vit_clock_ticks() of an oscillator of HZ gives TICKS or more. */
static inline int64_t
pc_ticks_to_ns(uint64_t ticks, uint64_t hz)
{
    unsigned __int128 ns = ((unsigned __int128)ticks * (uint64_t)VIT_NS_PER_SEC + hz - 1) / hz;

    return ns > INT64_MAX ? INT64_MAX : (int64_t)ns;
}
