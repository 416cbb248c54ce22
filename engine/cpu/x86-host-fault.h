/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The host's SIGFPE and SIGILL for generated code. */

#include "vit-types.h"

/* Generated code that may raise them lies in blocks of this size and alignment, each of which
 * starts with this header; that is how the handler knows its own without any registry. */
#define X86_HOST_BLOCK_SIZE  128u
#define X86_HOST_BLOCK_MAGIC 0x7fb1c3a9e4d25f06ull

typedef struct X86HostBlock {
    uint64_t magic;
    uint32_t recover_offset; /* where to go on, from the block's start; RAX: X86HostFault */
    uint32_t reserved;
} X86HostBlock;

/* What a block's recovery path finds in RAX. */
typedef enum X86HostFault {
    X86_HOST_FAULT_NONE,
    X86_HOST_FAULT_FP,       /* an unmasked exception, now in MXCSR */
    X86_HOST_FAULT_UNDEFINED /* this host's CPU knows no such instruction */
} X86HostFault;

/* Installs the process-wide handlers, once; what was there before gets every signal that is not
 * ours. The threads that run generated code must not block the two. Thread: any. */
void x86_host_fault_init(void);
