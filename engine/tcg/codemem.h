/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Host memory that holds code: one mapping to write and execute, or two of the same memory. */

#include "vit-types.h"

typedef struct TcgCodeMemory {
    uint8_t *write, *exec; /* equal when there is one mapping */
    size_t len_bytes;
} TcgCodeMemory;

/* LEN_BYTES (pages), near the program's own code where the address space allows, so that calls from
 * the one to the other reach. SPLIT: two mappings; also when one is refused. */
bool tcg_code_memory_map(TcgCodeMemory *memory, size_t len_bytes, bool split, GError **error);
void tcg_code_memory_unmap(TcgCodeMemory *memory);
