/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* SSE, AVX, x87, MMX: all by the interpreter, in place. Thread: the translating CPU's. */

#include "emit.h"

bool
tcg_emit_vec(TcgEmit *e)
{
    (void)e;
    return false;
}
