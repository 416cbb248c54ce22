/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The log of one machine: what -d, -D and -dfilter ask for. Users of an item look at
 * vit_log_wants() first, which costs one load while nothing is wanted.
 * Thread: any; lines of different threads do not mix. */

#include "vit-types.h"

typedef enum VitLogItem {
    VIT_LOG_IN_ASM = 1u << 0,
    VIT_LOG_OUT_ASM = 1u << 1,
    VIT_LOG_INT = 1u << 2,
    VIT_LOG_EXEC = 1u << 3,
    VIT_LOG_CPU = 1u << 4,
    VIT_LOG_FPU = 1u << 5,
    VIT_LOG_MMU = 1u << 6,
    VIT_LOG_PCALL = 1u << 7,
    VIT_LOG_CPU_RESET = 1u << 8,
    VIT_LOG_UNIMP = 1u << 9,
    VIT_LOG_GUEST_ERRORS = 1u << 10,
    VIT_LOG_NOCHAIN = 1u << 11,
    VIT_LOG_IOPORT = 1u << 12,
    VIT_LOG_MMIO = 1u << 13,
    VIT_LOG_TRACE = 1u << 14, /* "trace:PATTERN"; see vit_log_traces() */
} VitLogItem;

typedef struct VitLogPrivate VitLogPrivate;

typedef struct VitLog {
    uint32_t items; /* atomic; VIT_LOG_* */
    bool has_filter;
    VitLogPrivate *priv;
} VitLog;

VitLog *vit_log_new(void);
void vit_log_free(VitLog *log);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VitLog, vit_log_free)

/* ITEMS as -d has them, NULL or "none": nothing. On failure all stays as it was. */
bool vit_log_set_items(VitLog *log, const char *items, GError **error);
/* Whether a pattern that was asked for matches trace point NAME. */
bool vit_log_traces(const VitLog *log, const char *name);
/* PATH as -D has it: %d is the process; NULL: standard error. The file is made when the first line
 * is written. */
bool vit_log_set_file(VitLog *log, const char *path, GError **error);
/* RANGES as -dfilter has them: A+SIZE, A-SIZE, A..B; NULL: everything. */
bool vit_log_set_filter(VitLog *log, const char *ranges, GError **error);
bool vit_log_in_range(const VitLog *log, uint64_t guest_address);

static inline bool
vit_log_wants(const VitLog *log, uint32_t items)
{
    return log && (__atomic_load_n(&log->items, __ATOMIC_RELAXED) & items);
}

void vit_log_write(VitLog *log, const char *text);
void vit_log_printf(VitLog *log, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Text of a CPU's registers, by whoever can tell. Set once, while no CPU runs. */
void vit_log_set_dump(VitLog *log,
                      void (*dump)(void *opaque, unsigned cpu, bool with_fpu, GString *out),
                      void *opaque);
/* Appends them to TEXT, with the FPU when that item is wanted. */
void vit_log_append_registers(VitLog *log, unsigned cpu, GString *text);
