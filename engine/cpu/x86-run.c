/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The interpreter's loop: fetch, decode, execute, and what lies between two instructions.
 *
 * Decoded instructions are kept in a direct-mapped cache by the host address of their first byte
 * and the code mode. A hit compares the instruction's bytes with memory, so self-modifying and
 * cross-modifying code needs no tracking at all and is always right.
 *
 * Between instructions (Intel SDM volume 3 6.9, 17.3): events are looked at before each
 * instruction; single step and data breakpoints are traps after it; STI, MOV SS and POP SS hold
 * events off for one instruction, the latter two also the traps; RF holds off instruction
 * breakpoints for one instruction. The rare cases run through step_carefully().
 *
 * Thread: the CPU's own.
 */

#include "x86-exec.h"
#include "x86-mem.h"

#include <emmintrin.h>

enum { CACHE_BITS = 14, CACHE_ENTRIES = 1 << CACHE_BITS, INSN_MAX = 15 };

/* What a decoded instruction depends on beside its bytes. */
enum { MODE_SIZE = 15, MODE_UNPROTECTED = 16 };

typedef struct Entry {
    const uint8_t *host; /* NULL: empty */
    void (*exec)(X86Core *core, const X86Insn *insn);
    X86Insn insn;
    uint8_t mode;
} Entry;

struct X86DecodeCache {
    /* Where the last instruction came from: good while all four hold. */
    uint64_t page; /* linear; 1 = none */
    const uint8_t *host;
    uint32_t generation;
    uint32_t cs_attr;
    /* of the current code */
    uint8_t mode;
    bool code64;
    Entry crossing; /* an instruction that crosses a page or lies in a device window */
    Entry entries[CACHE_ENTRIES];
};

X86DecodeCache *
x86_decode_cache_new(void)
{
    X86DecodeCache *cache = g_new0(X86DecodeCache, 1);

    cache->page = 1;
    return cache;
}

void
x86_decode_cache_free(X86DecodeCache *cache)
{
    g_free(cache);
}

static inline Entry *
entry_of(X86DecodeCache *cache, const uint8_t *host)
{
    uintptr_t address = (uintptr_t)host;
    return &cache->entries[(address ^ address >> CACHE_BITS) & (CACHE_ENTRIES - 1)];
}

/* Takes up mode, base and page of CS:rIP. Faults as the fetch does. */
static void
find_page(X86Core *core, X86DecodeCache *cache, uint64_t linear)
{
    const X86State *s = &core->s;
    uint64_t physical;
    const uint8_t *host;
    unsigned size;

    cache->page = 1;
    cache->code64 = x86_code64(s);
    size = cache->code64 ? 8 : s->seg[X86_CS].attr & X86_SEG_DB ? 4 : 2;
    cache->mode = size | (x86_real_mode(s) || x86_v8086(s) ? MODE_UNPROTECTED : 0);
    cache->cs_attr = s->seg[X86_CS].attr;
    host = x86_fetch_page(core, linear, &physical);
    cache->host = host - (linear & 0xfff);
    cache->generation = core->code_generation;
    /* the copy of a device window is good for this one fetch only */
    if (cache->host != core->mmu->window_code) {
        cache->page = linear & ~(uint64_t)0xfff;
    }
}

static bool
row_allowed(const X86Core *core, const X86OpRow *row, unsigned mode)
{
    if (!x86_model_has(core->model, row->feature)) {
        return false;
    }
    return !(mode & MODE_UNPROTECTED) ||
           !((row->flags & X86_ROW_PROTECTED) || row->encoding != X86_ENC_LEGACY);
}

/* Decodes what lies at HOST, all AVAILABLE bytes of it readable. False: more bytes are needed. */
static bool
decode_into(X86Core *core, Entry *entry, const uint8_t *host, size_t available, unsigned mode)
{
    X86DecodeResult result = x86_decode(host, available, mode & MODE_SIZE, &entry->insn);

    entry->host = NULL;
    switch (result) {
    case X86_DECODE_SHORT: return false;
    case X86_DECODE_TOO_LONG: x86_fault_code(core, X86_EXC_GP, 0);
    case X86_DECODE_UD: x86_fault(core, X86_EXC_UD);
    case X86_DECODE_OK: break;
    }
    if (!row_allowed(core, entry->insn.row, mode)) {
        x86_fault(core, X86_EXC_UD);
    }
    entry->exec = entry->insn.row->exec;
    entry->mode = mode;
    return true;
}

/* The instruction at LINEAR runs into the next page. */
static Entry *
fetch_crossing(X86Core *core, X86DecodeCache *cache, uint64_t linear)
{
    uint8_t bytes[INSN_MAX];
    unsigned first = VIT_PAGE_SIZE - (linear & 0xfff);
    uint64_t next = linear + first, physical;

    memcpy(bytes, cache->host + (linear & 0xfff), first);
    memcpy(bytes + first, x86_fetch_page(core, cache->code64 ? next : (uint32_t)next, &physical),
           INSN_MAX - first);
    /* the second page may have taken the place of the first in the window buffer */
    if (cache->host == core->mmu->window_code) {
        cache->page = 1;
    }
    decode_into(core, &cache->crossing, bytes, INSN_MAX, cache->mode);
    return &cache->crossing;
}

/* The slow half of fetch(): decodes and fills the cache. */
static Entry *
fetch_miss(X86Core *core, X86DecodeCache *cache, uint64_t linear)
{
    unsigned offset = linear & 0xfff;
    const uint8_t *host = cache->host + offset;
    bool keep = cache->page != 1;
    Entry *entry = keep ? entry_of(cache, host) : &cache->crossing;

    if (!decode_into(core, entry, host, VIT_PAGE_SIZE - offset, cache->mode)) {
        return fetch_crossing(core, cache, linear);
    }
    if (keep) {
        entry->host = host;
    }
    return entry;
}

/* Whether memory at HOST still holds the instruction's bytes. OFFSET is its place in the page. */
static inline bool
same_bytes(const Entry *entry, const uint8_t *host, unsigned offset)
{
    if (G_LIKELY(offset <= VIT_PAGE_SIZE - 16)) {
        __m128i now = _mm_loadu_si128((const __m128i *)host);
        __m128i then = _mm_loadu_si128((const __m128i *)entry->insn.bytes);
        unsigned equal = _mm_movemask_epi8(_mm_cmpeq_epi8(now, then));
        return !(~equal & ((1u << entry->insn.length) - 1));
    }
    return memcmp(entry->insn.bytes, host, entry->insn.length) == 0;
}
_Static_assert(sizeof(((Entry *)0)->insn.bytes) == 15 &&
                   offsetof(Entry, insn) + offsetof(X86Insn, bytes) + 16 <= sizeof(Entry),
               "same_bytes() reads one byte beyond the record's bytes");

static inline uint64_t
linear_of_rip(const X86Core *core, const X86DecodeCache *cache)
{
    const X86State *s = &core->s;
    return cache->code64 ? s->rip : (uint32_t)(s->seg[X86_CS].base + s->rip);
}

/* The instruction at CS:rIP, decoded. Faults. */
static inline const Entry *
fetch(X86Core *core, X86DecodeCache *cache)
{
    uint64_t linear = linear_of_rip(core, cache);
    unsigned offset;
    const uint8_t *host;
    const Entry *entry;

    if (G_UNLIKELY(cache->page != (linear & ~(uint64_t)0xfff) ||
                   cache->generation != core->code_generation ||
                   cache->cs_attr != core->s.seg[X86_CS].attr)) {
        cache->code64 = x86_code64(&core->s);
        linear = linear_of_rip(core, cache);
        find_page(core, cache, linear);
    }
    offset = linear & 0xfff;
    host = cache->host + offset;
    entry = entry_of(cache, host);
    if (G_UNLIKELY(entry->host != host || entry->mode != cache->mode ||
                   !same_bytes(entry, host, offset))) {
        entry = fetch_miss(core, cache, linear);
    }
    if (!cache->code64 &&
        G_UNLIKELY(core->s.rip + entry->insn.length - 1 > core->s.seg[X86_CS].limit)) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    return entry;
}

static inline void
execute(X86Core *core, const X86DecodeCache *cache, const Entry *entry)
{
    uint64_t next = core->s.rip + entry->insn.length;

    core->next_rip = cache->code64 ? next : (uint32_t)next;
    core->instructions++;
    entry->exec(core, &entry->insn);
    core->s.rip = core->next_rip;
}

/* Whether single step, wanted before INSN, still is after it. INT n and its kin take the trap
 * away; SYSCALL and SYSRET trap by what TF has become. */
static bool
steps_after(const X86Core *core, const X86Insn *insn)
{
    if (insn->map == X86_MAP_1B && insn->encoding == X86_ENC_LEGACY) {
        switch (insn->opcode) {
        case 0xcc:
        case 0xcd:
        case 0xf1: return false;
        case 0xce: return core->s.rflags & X86_FLAG_TF;
        }
    } else if (insn->map == X86_MAP_0F && (insn->opcode == 0x05 || insn->opcode == 0x07)) {
        return core->s.rflags & X86_FLAG_TF;
    }
    return true;
}

static bool
is_sti(const X86Insn *insn)
{
    return insn->map == X86_MAP_1B && insn->opcode == 0xfb;
}

/* Loads RF itself: IRET. */
static bool
is_iret(const X86Insn *insn)
{
    return insn->map == X86_MAP_1B && insn->opcode == 0xcf;
}

/* One instruction while TF, RF, an interrupt shadow or instruction breakpoints are in force. */
static void
step_carefully(X86Core *core, X86DecodeCache *cache)
{
    uint64_t flags = core->s.rflags, rip = core->s.rip;
    bool shadowed = core->s.interrupt_shadow, code64 = x86_code64(&core->s);
    const Entry *entry;
    X86Insn insn;

    if (core->code_breakpoints && !(flags & X86_FLAG_RF)) {
        x86_check_code_breakpoint(core, code64 ? rip : (uint32_t)(core->s.seg[X86_CS].base + rip));
    }
    entry = fetch(core, cache);
    insn = entry->insn;
    execute(core, cache, entry);
    if ((flags & X86_FLAG_RF) && !is_iret(&insn) && core->s.rip != rip) {
        core->s.rflags &= ~(uint64_t)X86_FLAG_RF;
    }
    if (shadowed) {
        core->s.interrupt_shadow = false;
    } else if (core->s.interrupt_shadow && !is_sti(&insn)) {
        return; /* traps on MOV SS and POP SS are lost or wait */
    }
    if (flags & X86_FLAG_TF && steps_after(core, &insn)) {
        x86_debug_trap(core, true);
    }
}

static inline bool
needs_care(const X86Core *core)
{
    return (core->s.rflags & (X86_FLAG_TF | X86_FLAG_RF)) | core->s.interrupt_shadow |
           core->code_breakpoints;
}

/* One pass of the loop. False: leave, reason in OUT_EXIT. */
static inline bool
pass(X86Core *core, X86DecodeCache *cache, VitCpuExit *out_exit)
{
    if (G_UNLIKELY(vit_cpu_events(core->cpu) || core->s.activity != X86_ACTIVE)) {
        if (!x86_take_events(core, out_exit)) {
            return false;
        }
        if (core->s.activity != X86_ACTIVE) {
            return true;
        }
    }
    if (G_UNLIKELY(needs_care(core))) {
        step_carefully(core, cache);
    } else {
        execute(core, cache, fetch(core, cache));
    }
    if (G_UNLIKELY(core->debug_pending) && !core->s.interrupt_shadow) {
        x86_debug_trap(core, false);
    }
    return true;
}

static bool
deliver(X86Core *core, VitCpuExit *out_exit)
{
    core->s.interrupt_shadow = false;
    return x86_deliver_exception(core, out_exit);
}

VitCpuExit
x86_interp_run(X86Core *core)
{
    VitCpuExit reason = VIT_CPU_EXIT_REQUEST;

    if (__builtin_setjmp(core->unwind) && !deliver(core, &reason)) {
        return reason;
    }
    while (pass(core, core->decode_cache, &reason)) {
    }
    return reason;
}

bool
x86_interp_step(X86Core *core, VitCpuExit *out_exit)
{
    if (__builtin_setjmp(core->unwind)) {
        return deliver(core, out_exit);
    }
    return pass(core, core->decode_cache, out_exit);
}
