/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Instructions as text. Apart from the other headers of this folder, some names of which capstone
 * has too. Thread: any. */

#include <glib.h>
#include <stdint.h>

/* One instruction at BYTES (LEN of them) as text, for code of CODE_SIZE (2, 4, 8); returns its
 * length, 0 when there is none. */
unsigned x86_disassemble(const uint8_t *bytes, size_t len, unsigned code_size, uint64_t rip,
                         GString *out);
/* The mnemonic alone, by our own decoder (x86-log.c). */
unsigned x86_disassemble_plainly(const uint8_t *bytes, size_t len, unsigned code_size,
                                 GString *out);
