/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Layout facts that other files rely on, checked at build time. */

#include "x86-interp.h"

_Static_assert(offsetof(X86Core, s) == 0, "cpu->state is both X86Core and X86State");
_Static_assert(offsetof(X86Fpu, st) == 32, "ST(0) of an FXSAVE image");
_Static_assert(sizeof(X86Vector) == 64, "one ZMM register");
