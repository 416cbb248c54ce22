/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* F(symbol, "name", leaf, subleaf, register, bit); register 0..3 = EAX EBX ECX EDX. */
#define X86_FEATURE_LIST(F)   \
    F(FPU, "fpu", 1, 0, 3, 0) \
    F(TSC, "tsc", 1, 0, 3, 4)
