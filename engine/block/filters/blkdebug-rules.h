/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The rules by which the filter "blkdebug" lets requests fail. Thread: the node's context. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum DebugIo {
    DEBUG_IO_READ,
    DEBUG_IO_WRITE,
    DEBUG_IO_WRITE_ZEROES,
    DEBUG_IO_DISCARD,
    DEBUG_IO_FLUSH,
    DEBUG_IO_STATUS,
    DEBUG_IO_LAST,
} DebugIo;

/* One section of a rule file, or inject-error.N.*, as text; NULL: not given. */
typedef struct DebugRuleText {
    char *event, *iotype, *error, *sector, *once, *immediately, *state, *new_state;
} DebugRuleText;

typedef struct DebugRules DebugRules;

DebugRules *debug_rules_new(void);
void debug_rules_free(DebugRules *rules);
bool debug_rules_add(DebugRules *rules, bool set_state, const DebugRuleText *text, GError **error);
/* Sections [inject-error] and [set-state] with KEY = "VALUE" lines. */
bool debug_rules_add_file(DebugRules *rules, const char *filename, GError **error);
/* What a request of this kind and place has to end with: 0, or a negative errno. OUT_AT_ONCE: it
 * fails before it waits for anything. */
int debug_rules_check(DebugRules *rules, DebugIo io, uint64_t offset, uint64_t len,
                      bool *out_at_once);
