/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The host's SIGFPE for generated code. */

#include "vit-types.h"

/* Generated code that may raise SIGFPE lies in blocks of this size and alignment, each of which
 * starts with this header; that is how the handler knows its own without any registry. */
#define X86_HOST_BLOCK_SIZE  128u
#define X86_HOST_BLOCK_MAGIC 0x7fb1c3a9e4d25f06ull

typedef struct X86HostBlock {
    uint64_t magic;
    uint32_t recover_offset; /* where to go on, from the block's start */
    uint32_t reserved;
} X86HostBlock;

/* Installs the process-wide SIGFPE handler, once; what was there before gets every signal that is
 * not ours. The threads that run generated code must not block SIGFPE. Thread: any. */
void x86_host_fault_init(void);
