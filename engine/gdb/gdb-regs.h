/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The registers as the debugger numbers them, and the target description that says so. */

#include <glib.h>

#include "x86-state.h"

enum { GDB_REG_BYTES_MAX = 16 };

/* How many there are; the last number is one less. */
unsigned gdb_regs_count(bool has_long_mode);
/* Those that a `g` packet holds: all of them. Value of register NUMBER, little endian; returns its
 * bytes, 0 when there is none. */
unsigned gdb_regs_read(const X86State *s, bool has_long_mode, unsigned number,
                       uint8_t out_value[GDB_REG_BYTES_MAX]);
/* Bytes taken, 0 when there is none. What the debugger must not change is taken and dropped. */
unsigned gdb_regs_write(X86State *s, bool has_long_mode, unsigned number,
                        const uint8_t value[GDB_REG_BYTES_MAX]);
unsigned gdb_regs_size(bool has_long_mode, unsigned number);
/* target.xml. Ownership: caller. */
char *gdb_regs_describe(bool has_long_mode);
