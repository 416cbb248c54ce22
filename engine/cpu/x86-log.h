/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What the CPU writes to the log (-d). Each function looks for itself whether its item is wanted.
 * Thread: the CPU's own. */

#include "vit-log.h"
#include "x86-disas.h"
#include "x86-interp.h"

static inline bool
x86_log_wants(const X86Core *core, uint32_t items)
{
    return __builtin_expect(vit_log_wants(core->cpu->host->log, items), 0);
}

/* Items that are about every instruction: while one is wanted, all go the careful way. */
enum { X86_LOG_EACH = VIT_LOG_IN_ASM | VIT_LOG_EXEC | VIT_LOG_CPU };

typedef struct X86Log X86Log;
void x86_log_free(X86Log *log);

/* Before the instruction at CS:rIP. */
void x86_log_instruction(X86Core *core);
/* An event is about to be delivered. */
void x86_log_event(X86Core *core, uint8_t vector, uint32_t error, bool is_int, uint64_t rip);
/* "lcall", "ljmp", "lret", "iret". */
void x86_log_far(X86Core *core, const char *what, uint16_t selector, uint64_t offset);
void x86_log_reset(X86Core *core);
/* A page walk: its physical address, or the error code. */
void x86_log_walk(X86Core *core, uint64_t linear, bool found, uint64_t result);
void x86_log_port(X86Core *core, bool write, uint16_t port, unsigned size, uint64_t value);
void x86_log_window(X86Core *core, bool write, uint64_t physical, unsigned size, uint64_t value);
