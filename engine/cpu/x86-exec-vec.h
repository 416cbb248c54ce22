/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Handlers that the rows of x86-op-vec.c and x86-op-x87.c name. Included by x86-exec.h. */

#define X86_EXEC_VEC_LIST(F) F(movu_load) F(movu_store)
#define X86_EXEC_X87_LIST(F) F(fld_m) F(fld_sti)

X86_EXEC_VEC_LIST(X86_EXEC_DECLARE)
X86_EXEC_X87_LIST(X86_EXEC_DECLARE)
