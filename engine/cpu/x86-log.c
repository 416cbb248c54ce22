/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The CPU's part of the log. The layouts of "int" and "in_asm" are those that people and scripts
 * know from QEMU. A block, for "exec" and "cpu", begins wherever control arrives other than from
 * the instruction before. Code is read without being touched: no fault, no accessed bit. Thread:
 * the CPU's own. */

#include "x86-log.h"

#include "x86-mmu.h"

#include <inttypes.h>

enum { INSN_MAX = 15, SEEN_MAX = 1 << 20 };

struct X86Log {
    GHashTable *seen; /* linear addresses already shown by in_asm */
    uint64_t next;    /* where the block goes on, linear */
    uint64_t shown;   /* where the text of in_asm goes on */
};

static X86Log *
log_of(X86Core *core)
{
    if (!core->log) {
        core->log = g_new0(X86Log, 1);
        core->log->seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
        core->log->next = core->log->shown = UINT64_MAX;
    }
    return core->log;
}

void
x86_log_free(X86Log *log)
{
    if (log) {
        g_hash_table_unref(log->seen);
        g_free(log);
    }
}

static unsigned
code_size(const X86State *s)
{
    return x86_code64(s) ? 8 : s->seg[X86_CS].attr & X86_SEG_DB ? 4 : 2;
}

static uint64_t
linear_rip(const X86State *s)
{
    return x86_code64(s) ? s->rip : (uint32_t)(s->seg[X86_CS].base + s->rip);
}

/* Bytes of code that can be had, up to INSN_MAX. */
static unsigned
read_code(X86Core *core, uint64_t linear, uint8_t *out)
{
    unsigned done = 0;

    while (done < INSN_MAX) {
        unsigned part = MIN(INSN_MAX - done, VIT_PAGE_SIZE - ((linear + done) & 0xfff));
        uint64_t physical;

        if (!x86_mmu_translate_debug(core, linear + done, &physical)) {
            break;
        }
        x86_phys_read_bytes(core, physical, out + done, part);
        done += part;
    }
    return done;
}

unsigned
x86_disassemble_plainly(const uint8_t *bytes, size_t len, unsigned code_size, GString *out)
{
    X86Insn insn;

    if (x86_decode(bytes, len, code_size, &insn) != X86_DECODE_OK) {
        return 0;
    }
    g_string_append(out, insn.row->mnemonic);
    return insn.length;
}

static void
show_code(X86Core *core, X86Log *log, uint64_t linear, const uint8_t *bytes, unsigned available)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GString) words = g_string_new(NULL);
    unsigned len = x86_disassemble(bytes, available, code_size(&core->s), core->s.rip, words);

    if (linear != log->shown) {
        g_string_append(text, "----------------\nIN: \n");
    }
    g_string_append_printf(text, "0x%08" PRIx64 ":  ", linear);
    for (unsigned i = 0; i < MAX(len, 1u) && i < available; i++) {
        g_string_append_printf(text, "%02x ", bytes[i]);
    }
    g_string_append_printf(text, " %s\n", len ? words->str : "(bad)");
    log->shown = linear + len;
    vit_log_write(core->cpu->host->log, text->str);
}

static void
show_block(X86Core *core, bool exec, bool cpu)
{
    VitLog *out = core->cpu->host->log;
    g_autoptr(GString) text = g_string_new(NULL);

    if (exec) {
        g_string_append_printf(text, "Trace %u: [%08" PRIx64 "/%016" PRIx64 "/%08x]\n",
                               core->cpu->index,
                               x86_code64(&core->s) ? 0 : core->s.seg[X86_CS].base, core->s.rip,
                               (uint32_t)core->s.rflags);
    }
    if (cpu) {
        vit_log_append_registers(out, core->cpu->index, text);
    }
    vit_log_write(out, text->str);
}

void
x86_log_instruction(X86Core *core)
{
    X86Log *log = log_of(core);
    uint64_t linear = linear_rip(&core->s);
    uint8_t bytes[INSN_MAX];
    unsigned available;
    X86Insn insn;
    bool begins = linear != log->next || core->cpu->debug.one_insn_blocks;

    if (!vit_log_in_range(core->cpu->host->log, linear)) {
        log->next = UINT64_MAX;
        return;
    }
    available = read_code(core, linear, bytes);
    if (x86_log_wants(core, VIT_LOG_IN_ASM) && available &&
        !g_hash_table_contains(log->seen, &linear)) {
        if (g_hash_table_size(log->seen) >= SEEN_MAX) {
            g_hash_table_remove_all(log->seen);
        }
        g_hash_table_add(log->seen, g_memdup2(&linear, sizeof(linear)));
        show_code(core, log, linear, bytes, available);
    }
    if (begins && x86_log_wants(core, VIT_LOG_EXEC | VIT_LOG_CPU)) {
        show_block(core, x86_log_wants(core, VIT_LOG_EXEC), x86_log_wants(core, VIT_LOG_CPU));
    }
    log->next = x86_decode(bytes, available, code_size(&core->s), &insn) == X86_DECODE_OK
                    ? linear + insn.length
                    : UINT64_MAX;
}

void
x86_log_event(X86Core *core, uint8_t vector, uint32_t error, bool is_int, uint64_t rip)
{
    const X86State *s = &core->s;
    VitLog *out = core->cpu->host->log;
    g_autoptr(GString) text = NULL;

    if (!vit_log_in_range(out, linear_rip(s))) {
        return;
    }
    text = g_string_new(NULL);
    g_string_append_printf(
        text,
        "%6" PRIu64 ": v=%02x e=%04x i=%d cpl=%d IP=%04x:%016" PRIx64 " pc=%016" PRIx64
        " SP=%04x:%016" PRIx64,
        core->log_events++, vector, error, is_int, s->cpl, s->seg[X86_CS].selector, rip,
        x86_code64(s) ? rip : s->seg[X86_CS].base + rip, s->seg[X86_SS].selector, s->gpr[X86_RSP]);
    if (vector == X86_EXC_PF) {
        g_string_append_printf(text, " CR2=%016" PRIx64 "\n", s->cr2);
    } else {
        g_string_append_printf(text, " env->regs[R_EAX]=%016" PRIx64 "\n", s->gpr[X86_RAX]);
    }
    vit_log_append_registers(out, core->cpu->index, text);
    vit_log_write(out, text->str);
}

void
x86_log_far(X86Core *core, const char *what, uint16_t selector, uint64_t offset)
{
    VitLog *out = core->cpu->host->log;
    g_autoptr(GString) text = NULL;

    if (!vit_log_in_range(out, linear_rip(&core->s))) {
        return;
    }
    text = g_string_new(NULL);
    if (selector || offset) {
        g_string_append_printf(text, "%s %04x:%016" PRIx64 "\n", what, selector, offset);
    } else {
        g_string_append_printf(text, "%s\n", what);
    }
    vit_log_append_registers(out, core->cpu->index, text);
    vit_log_write(out, text->str);
}

void
x86_log_reset(X86Core *core)
{
    g_autoptr(GString) text = g_string_new(NULL);

    g_string_append_printf(text, "CPU Reset (CPU %u)\n", core->cpu->index);
    vit_log_append_registers(core->cpu->host->log, core->cpu->index, text);
    vit_log_write(core->cpu->host->log, text->str);
}

void
x86_log_walk(X86Core *core, uint64_t linear, bool found, uint64_t result)
{
    if (vit_log_in_range(core->cpu->host->log, linear)) {
        vit_log_printf(core->cpu->host->log, "CPU %u: walk %016" PRIx64 " %s %" PRIx64 "\n",
                       core->cpu->index, linear, found ? "->" : "#PF", result);
    }
}

/* "trace:PATTERN": a window's name with _read or _write is what a pattern is to match. */
static void
trace(X86Core *core, const VitAddressSpace *space, bool write, uint64_t address, unsigned size,
      uint64_t value)
{
    g_autofree char *name = NULL;
    VitLock *lock = vit_address_space_lock(space);
    VitMapped mapped;

    vit_lock_take(lock);
    vit_address_space_lookup(space, address, &mapped);
    name = g_strconcat(mapped.region ? mapped.region->name : "nothing", write ? "_write" : "_read",
                       NULL);
    vit_lock_release(lock);
    if (vit_log_traces(core->cpu->host->log, name)) {
        vit_log_printf(core->cpu->host->log,
                       "%s cpu %u at 0x%" PRIx64 " offset 0x%" PRIx64 " size %u value 0x%" PRIx64
                       "\n",
                       name, core->cpu->index, address, mapped.region ? mapped.region_offset : 0,
                       size, value & (UINT64_MAX >> (64 - 8 * size)));
    }
}

void
x86_log_port(X86Core *core, bool write, uint16_t port, unsigned size, uint64_t value)
{
    if (x86_log_wants(core, VIT_LOG_TRACE)) {
        trace(core, core->cpu->host->io, write, port, size, value);
    }
    if (!x86_log_wants(core, VIT_LOG_IOPORT)) {
        return;
    }
    vit_log_printf(core->cpu->host->log, "%s%c: %04x %0*" PRIx64 "\n", write ? "out" : "in",
                   size == 1   ? 'b'
                   : size == 2 ? 'w'
                               : 'l',
                   port, (int)size * 2, value & (UINT64_MAX >> (64 - 8 * size)));
}

void
x86_log_window(X86Core *core, bool write, uint64_t physical, unsigned size, uint64_t value)
{
    if (x86_log_wants(core, VIT_LOG_TRACE)) {
        trace(core, core->mmu->space, write, physical, size, value);
    }
    if (!x86_log_wants(core, VIT_LOG_MMIO)) {
        return;
    }
    vit_log_printf(core->cpu->host->log, "%s%u: %016" PRIx64 " %0*" PRIx64 "\n",
                   write ? "write" : "read", size, physical, (int)size * 2,
                   value & (UINT64_MAX >> (64 - 8 * size)));
}
