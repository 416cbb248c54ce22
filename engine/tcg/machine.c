/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What the CPUs of a machine share: making and freeing it, its code memory, its figures.
 * Thread: made and freed before and after the CPUs run; figures any. */

#include "emit.h"

#include "vit-error.h"

#include <sys/mman.h>

enum { HASH_LEN_MAX = 1 << 19, CODE_BYTES_PER_BUCKET = 512 };

/* ---- Instructions for the interpreter ---- */

static guint
insn_hash(gconstpointer key)
{
    const X86Insn *insn = key;
    guint hash = insn->code_size;

    for (unsigned i = 0; i < insn->length; i++) {
        hash = hash * 31 + insn->bytes[i];
    }
    return hash;
}

static gboolean
insn_equal(gconstpointer x, gconstpointer y)
{
    const X86Insn *a = x, *b = y;

    return a->length == b->length && a->code_size == b->code_size && a->row == b->row &&
           memcmp(a->bytes, b->bytes, a->length) == 0;
}

const X86Insn *
tcg_insn_keep(TcgMachine *machine, const X86Insn *insn)
{
    X86Insn *kept = g_hash_table_lookup(machine->insns, insn);

    if (!kept) {
        kept = g_memdup2(insn, sizeof(*insn));
        g_hash_table_add(machine->insns, kept);
    }
    return kept;
}

/* ---- Life ---- */

/* No block is smaller than this. */
static size_t
blocks_len(const TcgMachine *machine)
{
    return machine->code_len / 32 * sizeof(TcgBlock *);
}

static bool
map_code(TcgMachine *machine, GError **error)
{
    if (!tcg_code_memory_map(&machine->memory, machine->code_len, machine->options.split_wx,
                             error)) {
        return false;
    }
    machine->code = machine->memory.write;
    machine->code_exec = machine->memory.exec;
    return true;
}

/* Checks that touch no flag need PEXT and RORX, the hash of jumps CRC32. */
bool
vit_tcg_is_able(void)
{
    return x86_host_has(X86_FEATURE_BMI2) && x86_host_has(X86_FEATURE_SSE42);
}

TcgMachine *
vit_tcg_new(const TcgOptions *options, GError **error)
{
    TcgMachine *machine = g_new0(TcgMachine, 1);

    machine->options = *options;
    machine->code_len = options->tb_size_bytes ? options->tb_size_bytes : 256 * VIT_MIB;
    machine->code_len = CLAMP(machine->code_len, VIT_MIB, 1024 * VIT_MIB);
    g_mutex_init(&machine->lock);
    g_mutex_init(&machine->flush_lock);
    machine->hash_len = 1024; /* it is cleared whenever everything is dropped */
    while (machine->hash_len < HASH_LEN_MAX &&
           machine->hash_len < machine->code_len / CODE_BYTES_PER_BUCKET) {
        machine->hash_len *= 2;
    }
    machine->hash = g_new0(TcgBlock *, machine->hash_len);
    machine->physical = g_hash_table_new(NULL, NULL);
    machine->by_dirty = g_hash_table_new(NULL, NULL);
    machine->rams = g_ptr_array_new();
    machine->insns = g_hash_table_new_full(insn_hash, insn_equal, g_free, NULL);
    machine->last_stamp = 128; /* so that each takes four bytes in code that is copied */
    machine->emit = g_new0(TcgEmit, 1);
    tcg_pool_init(&machine->pool);
    if (options->warm_up) {
        machine->heat = g_new0(X86Heat, 1);
        machine->heat->warm = options->warm_up;
    }
    for (unsigned i = 0; i < X86_FEATURE_LAST; i++) {
        machine->host_has[i] = x86_host_has(i);
    }
    machine->options.interpret |= !vit_tcg_is_able();
    machine->blocks = mmap(NULL, blocks_len(machine), PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (machine->blocks == MAP_FAILED) {
        machine->blocks = NULL;
        g_set_error(error, VIT_ERROR, VIT_ERROR_NO_MEMORY,
                    "no memory for the list of translated blocks: give -accel tcg,tb-size=MIB a "
                    "smaller size");
    }
    if (!machine->blocks || !map_code(machine, error)) {
        vit_tcg_free(machine);
        return NULL;
    }
    if (!tcg_thunks_make(machine)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED, "the translator's own code has no room");
        vit_tcg_free(machine);
        return NULL;
    }
    tcg_hot_init(machine);
    tcg_barrier_init(machine);
    tcg_recover_init();
    tcg_recover_add(machine);
    return machine;
}

void
vit_tcg_free(TcgMachine *machine)
{
    if (!machine) {
        return;
    }
    tcg_hot_finish(machine);
    tcg_recover_remove(machine);
    tcg_drop_all(machine);
    tcg_rams_forget(machine);
    tcg_barrier_finish(machine);
    tcg_code_memory_unmap(&machine->memory);
    if (machine->blocks) {
        munmap(machine->blocks, blocks_len(machine));
    }
    g_hash_table_unref(machine->physical);
    g_hash_table_unref(machine->by_dirty);
    g_hash_table_unref(machine->insns);
    g_ptr_array_unref(machine->rams);
    g_free(machine->hash);
    tcg_pool_finish(&machine->pool);
    g_free(machine->emit);
    g_free(machine->heat);
    g_mutex_clear(&machine->lock);
    g_mutex_clear(&machine->flush_lock);
    g_free(machine);
}

void
vit_tcg_set_stop_every(TcgMachine *machine, unsigned dispatches)
{
    machine->stop_every = dispatches;
}

void
vit_tcg_print_statistics(TcgMachine *machine, GString *out)
{
    double ns_per_insn;

    g_mutex_lock(&machine->lock);
    ns_per_insn = (double)machine->timed_ns / (double)MAX(machine->timed_insns, 1);
    g_string_append_printf(
        out,
        "translated code   %zu of %zu KiB\n"
        "blocks            %" G_GUINT64_FORMAT
        " (%.1f instructions, %.1f bytes each), %" G_GUINT64_FORMAT " copied from other addresses\n"
        "host bytes        %.2f per guest byte, %.0f %% of them rarely executed\n"
        "translation       %.0f ns per instruction, %.0f ms in all\n"
        "links             %" G_GUINT64_FORMAT "\n"
        "dropped blocks    %" G_GUINT64_FORMAT ", all code %" G_GUINT64_FORMAT " times\n"
        "writes beside     %" G_GUINT64_FORMAT ", pages given up %" G_GUINT64_FORMAT "\n"
        "checked blocks    %" G_GUINT64_FORMAT " (%" G_GUINT64_FORMAT
        " with soft fields), found stale %" G_GUINT64_FORMAT ", revived %" G_GUINT64_FORMAT "\n"
        "waits for others  %" G_GUINT64_FORMAT "\n"
        "hot blocks        %" G_GUINT64_FORMAT
        ", accesses that are all the same too scattered %" G_GUINT64_FORMAT "\n",
        (machine->code_used + machine->cold_used - machine->cold_start) / 1024,
        machine->code_len / 1024, machine->translated_blocks,
        (double)machine->translated_insns / MAX(machine->translated_blocks, 1),
        (double)machine->translated_guest_bytes / MAX(machine->translated_blocks, 1),
        machine->copied_blocks,
        (double)machine->host_bytes / MAX(machine->translated_guest_bytes, 1),
        100.0 * (double)machine->cold_bytes / MAX(machine->host_bytes, 1), ns_per_insn,
        ns_per_insn * (double)machine->translated_insns / 1e6, machine->links_made,
        machine->invalidated, machine->full_flushes, machine->writes_beside, machine->given_up,
        machine->checked_blocks, machine->soft_blocks, machine->stale, machine->revived,
        machine->waits, machine->hot_count, machine->far_count);
    for (const TcgCpu *cpu = machine->cpus; cpu; cpu = cpu->next) {
        g_string_append_printf(out,
                               "CPU %u: %" G_GUINT64_FORMAT " dispatches, %" G_GUINT64_FORMAT
                               " slow accesses (%" G_GUINT64_FORMAT " fills), %" G_GUINT64_FORMAT
                               " by the interpreter, %" G_GUINT64_FORMAT
                               " flushes, cold %" G_GUINT64_FORMAT " times for %" G_GUINT64_FORMAT
                               " instructions\n",
                               cpu->core.cpu->index, cpu->dispatches, cpu->slow, cpu->fills,
                               cpu->interpreted, cpu->flushes, cpu->cold, cpu->core.instructions);
    }
    g_mutex_unlock(&machine->lock);
}
