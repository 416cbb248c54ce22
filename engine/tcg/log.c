/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* -d out_asm: the host code of a block when it is made, in the layout that people know from QEMU.
 * The part that is rarely executed follows the other; between its calls lie bytes that are no code.
 * Thread: the translating CPU's, machine's lock held. */

#include "emit.h"
#include "vit-log.h"
#include "x86-disas.h"

#include <inttypes.h>

static unsigned
append_insn(GString *text, const uint8_t *at, size_t len)
{
    g_autoptr(GString) words = g_string_new(NULL);
    unsigned taken = x86_disassemble(at, len, 8, (uintptr_t)at, words);
    unsigned n = taken ? taken : 1;

    g_string_append_printf(text, "0x%08" PRIxPTR ":  ", (uintptr_t)at);
    for (unsigned i = 0; i < n; i++) {
        g_string_append_printf(text, "%02x ", at[i]);
    }
    if (n < 8) {
        g_string_append_printf(text, "%*s", (int)(3 * (8 - n)), "");
    }
    g_string_append_printf(text, " %s\n", taken ? words->str : ".byte");
    return n;
}

static void
append_code(GString *text, const TcgBlock *block, const uint8_t *start, const uint8_t *end,
            bool with_places)
{
    unsigned place = 0;

    for (const uint8_t *at = start; at < end;) {
        for (; with_places && place < block->n_places &&
               block->places[place].host <= at - block->start;
             place++) {
            g_string_append_printf(text, "  -- guest addr 0x%016" PRIx64 "\n",
                                   (block->pc & ~(uint64_t)0xfff) |
                                       (block->places[place].guest & TCG_PLACE_OFFSET));
        }
        at += append_insn(text, at, (size_t)(end - at));
    }
}

void
tcg_log_block(const TcgCpu *cpu, const TcgBlock *block)
{
    VitLog *log = cpu->core.cpu->host->log;
    g_autoptr(GString) text = NULL;

    if (!vit_log_wants(log, VIT_LOG_OUT_ASM) || !vit_log_in_range(log, block->pc)) {
        return;
    }
    text = g_string_new(NULL);
    g_string_append_printf(
        text, "OUT: [size=%zu]\n",
        (size_t)(block->end - block->start + block->cold_end - block->cold_start));
    append_code(text, block, block->start, block->end, true);
    g_string_append(text, "  -- rarely executed\n");
    append_code(text, block, block->cold_start, block->cold_end, false);
    g_string_append_c(text, '\n');
    vit_log_write(log, text->str);
}
