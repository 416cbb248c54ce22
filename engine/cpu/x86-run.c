/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The interpreter's loop: fetch, decode, execute, and what lies between two instructions.
 *
 * Decoded instructions are kept in a ring by the host address of their first byte and the code
 * mode; each knows its likely successors, a small hashed index finds the rest. A hit compares the
 * instruction's bytes with memory, so self-modifying and cross-modifying code needs no tracking at
 * all and is always right.
 *
 * Between instructions (Intel SDM volume 3 6.9, 17.3): events are looked at before each
 * instruction; single step and data breakpoints are traps after it; STI, MOV SS and POP SS hold
 * events off for one instruction, the latter two also the traps; RF holds off instruction
 * breakpoints for one instruction. step() knows all of that; run_plain() runs while none of it
 * applies and leaves after every system instruction.
 *
 * Thread: the CPU's own.
 */

#include "x86-exec.h"
#include "x86-mem.h"
#include "x86-system.h"

enum {
    CACHE_ENTRIES = 1 << 15,
    INDEX_SETS = 1 << 13,
    INDEX_WAYS = 4,
    INSN_MAX = 15,
};

/* What a decoded instruction depends on beside its bytes. */
enum { MODE_SIZE = 15, MODE_UNPROTECTED = 16 };

/* The first half, up to insn.vvvv, is what a hit and most handlers need: one cache line. */
typedef struct Entry {
    uint64_t key; /* host address and mode, key_of(); 0: never hit by the plain loop */
    void (*exec)(X86Core *core, const X86Insn *insn);
    uint64_t first_bytes; /* of the instruction, up to eight */
    /* Places in the cache of the instructions that followed last time, in line and elsewhere: a
     * guess that is checked, which takes the hash and its latency out of the way. */
    uint16_t next, target;
    uint8_t byte_shift; /* takes what is not of the instruction off the top of eight bytes */
    bool is_long;       /* more than eight bytes */
    bool ends;          /* may change what the plain loop takes as given */
    bool moves;         /* may leave another next_rip than the byte behind it */
    X86Insn insn;
} __attribute__((aligned(64))) Entry;
_Static_assert(sizeof(Entry) == 128, "two cache lines");
_Static_assert(offsetof(Entry, insn) + offsetof(X86Insn, row) == 64, "the first for the hot part");

/* Nearer than this to the end of a page, an instruction's bytes cannot be compared. */
enum { COMPARED_BYTES = sizeof(uint64_t) };

struct X86DecodeCache {
    /* Where the last instruction came from: good while generation and cs_attr hold. */
    uint64_t page;       /* linear; 1 = none */
    const uint8_t *host; /* of the page */
    uint32_t generation;
    uint32_t cs_attr;
    uint8_t mode;
    bool code64;
    unsigned fill;  /* the entry to be overwritten next */
    Entry crossing; /* an instruction that crosses a page or lies in a device window */
    /* Filled in turn, so that what is decoded one after the other lies one after the other. */
    Entry entries[CACHE_ENTRIES];
    /* Finds entries by key: upper half a tag, lower half the place. Not tidied when an entry is
     * overwritten, the key tells. */
    uint32_t index[INDEX_SETS][INDEX_WAYS] __attribute__((aligned(64)));
};

X86DecodeCache *
x86_decode_cache_new(void)
{
    X86DecodeCache *cache = g_aligned_alloc0(1, sizeof(*cache), _Alignof(X86DecodeCache));

    cache->page = 1;
    return cache;
}

void
x86_decode_cache_free(X86DecodeCache *cache)
{
    g_aligned_free(cache);
}

/* ---- Fetch and decode ---- */

/* Host addresses leave the upper byte free. */
static inline uint64_t
key_of(const uint8_t *host, unsigned mode)
{
    return (uintptr_t)host | (uint64_t)mode << 56;
}

static inline uint64_t
linear_of_rip(const X86Core *core, bool code64)
{
    const X86State *s = &core->s;
    return code64 ? s->rip : (uint32_t)(s->seg[X86_CS].base + s->rip);
}

/* Takes up the mode of the code and the page of CS:rIP. Faults as the fetch does. */
static __attribute__((noinline)) void
find_page(X86Core *core, X86DecodeCache *cache)
{
    const X86State *s = &core->s;
    uint64_t physical, linear;
    const uint8_t *host;
    unsigned size;

    cache->page = 1;
    cache->code64 = x86_code64(s);
    size = cache->code64 ? 8 : s->seg[X86_CS].attr & X86_SEG_DB ? 4 : 2;
    cache->mode = size | (x86_real_mode(s) || x86_v8086(s) ? MODE_UNPROTECTED : 0);
    cache->cs_attr = s->seg[X86_CS].attr;
    if (!cache->code64 && s->rip > s->seg[X86_CS].limit) {
        x86_fault_code(core, X86_EXC_GP, 0); /* before anything the page could say */
    }
    linear = linear_of_rip(core, cache->code64);
    host = x86_fetch_page(core, linear, &physical);
    cache->host = host - (linear & 0xfff);
    cache->generation = core->code_generation;
    /* the copy of a device window is good for this one fetch only */
    if (cache->host != core->mmu->window_code) {
        cache->page = linear & ~(uint64_t)0xfff;
    }
}

static inline bool
page_is_stale(const X86Core *core, const X86DecodeCache *cache)
{
    return cache->generation != core->code_generation || cache->cs_attr != core->s.seg[X86_CS].attr;
}

static bool
row_allowed(const X86Core *core, const X86OpRow *row, unsigned mode)
{
    if (!x86_model_has(core->model, row->feature) &&
        /* AMD APM volume 3 PREFETCH: long mode or 3DNow! alone bring it too */
        !(row->feature == X86_FEATURE_3DNOWPREFETCH &&
          (x86_model_has(core->model, X86_FEATURE_LM) ||
           x86_model_has(core->model, X86_FEATURE_3DNOW)))) {
        return false;
    }
    return !(mode & MODE_UNPROTECTED) ||
           !((row->flags & X86_ROW_PROTECTED) || row->encoding != X86_ENC_LEGACY);
}

static inline uint64_t
load_bytes(const uint8_t *host)
{
    uint64_t bytes;

    memcpy(&bytes, host, COMPARED_BYTES);
    return bytes;
}

/* Decodes what lies at HOST, all AVAILABLE bytes of it readable. False: more bytes are needed. The
 * decoder looks at bytes several times: it gets a copy, as another CPU may be changing them, and an
 * operand of one moment with bytes of another would be taken for right from then on. */
static bool
decode_into(X86Core *core, Entry *entry, const uint8_t *host, size_t available, unsigned mode)
{
    uint8_t bytes[INSN_MAX + 1];
    X86DecodeResult result;
    const X86OpRow *row;

    if (G_LIKELY(available >= sizeof(bytes))) {
        memcpy(bytes, host, sizeof(bytes));
    } else {
        memcpy(bytes, host, available);
    }
    result = x86_decode(bytes, available, mode & MODE_SIZE, &entry->insn);
    row = entry->insn.row;

    entry->key = 0;
    switch (result) {
    case X86_DECODE_SHORT: return false;
    case X86_DECODE_TOO_LONG: x86_fault_code(core, X86_EXC_GP, 0);
    case X86_DECODE_UD: x86_fault(core, X86_EXC_UD);
    case X86_DECODE_OK: break;
    }
    if (!row_allowed(core, row, mode)) {
        x86_fault(core, X86_EXC_UD);
    }
    entry->exec = row->exec;
    entry->first_bytes = load_bytes(entry->insn.bytes);
    entry->is_long = entry->insn.length > COMPARED_BYTES;
    entry->byte_shift = entry->is_long ? 0 : 64 - 8 * entry->insn.length;
    entry->ends = row->class_ == X86_CLASS_SYSTEM;
    entry->moves = row->class_ != X86_CLASS_INT && row->class_ != X86_CLASS_STACK;
    return true;
}

/* The instruction at LINEAR runs into the next page. */
static Entry *
fetch_crossing(X86Core *core, X86DecodeCache *cache, uint64_t linear)
{
    uint8_t bytes[INSN_MAX];
    unsigned first = VIT_PAGE_SIZE - (linear & 0xfff);
    uint64_t next = linear + first, physical;

    /* the limit comes before the page */
    if (!cache->code64 && core->s.rip + first > core->s.seg[X86_CS].limit) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }

    memcpy(bytes, cache->host + (linear & 0xfff), first);
    memcpy(bytes + first, x86_fetch_page(core, cache->code64 ? next : (uint32_t)next, &physical),
           INSN_MAX - first);
    decode_into(core, &cache->crossing, bytes, INSN_MAX, cache->mode);
    return &cache->crossing;
}

/* Whether memory at HOST still begins with the instruction's bytes. */
static inline bool
same_bytes(const Entry *entry, const uint8_t *host)
{
    if (G_UNLIKELY((load_bytes(host) ^ entry->first_bytes) << entry->byte_shift)) {
        return false;
    }
    return G_LIKELY(!entry->is_long) ||
           memcmp(entry->insn.bytes + COMPARED_BYTES, host + COMPARED_BYTES,
                  entry->insn.length - COMPARED_BYTES) == 0;
}

static inline uint32_t
hash_of(uint64_t key)
{
    return key * 0x9e3779b97f4a7c15ull >> 32;
}

/* Where entries with KEY are told of. Code that is executed for the first time is looked for in
 * line: the sets of 32 bytes of it lie in one cache line. */
static inline uint32_t *
index_set(X86DecodeCache *cache, uint64_t key)
{
    uint32_t group = hash_of(key >> 5) % (INDEX_SETS / 4);

    return cache->index[group * 4 + (key >> 3) % 4];
}

/* The entry with KEY, NULL when there is none. */
static Entry *
find_entry(X86DecodeCache *cache, uint64_t key)
{
    uint32_t hash = hash_of(key);
    const uint32_t *set = index_set(cache, key);

    for (unsigned way = 0; way < INDEX_WAYS; way++) {
        Entry *entry = &cache->entries[set[way] % CACHE_ENTRIES];
        if ((set[way] ^ hash) >> 16 == 0 && entry->key == key) {
            return entry;
        }
    }
    return NULL;
}

/* The oldest entry, to be decoded into. */
static Entry *
take_entry(X86DecodeCache *cache)
{
    Entry *next = &cache->entries[(cache->fill + 2) % CACHE_ENTRIES];

    __builtin_prefetch(next, 1);
    __builtin_prefetch((char *)next + 64, 1);
    return &cache->entries[cache->fill++ % CACHE_ENTRIES];
}

static void
publish_entry(X86DecodeCache *cache, Entry *entry, uint64_t key)
{
    uint32_t hash = hash_of(key), place = entry - cache->entries;

    entry->key = key;
    index_set(cache, key)[cache->fill % INDEX_WAYS] = (hash & 0xffff0000) | place;
}

/* The instruction at CS:rIP, decoded, by whatever it takes; LINK then leads to it. Faults. */
static __attribute__((noinline)) Entry *
fetch(X86Core *core, X86DecodeCache *cache, uint16_t *link)
{
    uint64_t linear, key;
    unsigned offset;
    const uint8_t *host;
    Entry *entry;

    if (cache->page != (linear_of_rip(core, cache->code64) & ~(uint64_t)0xfff) ||
        page_is_stale(core, cache)) {
        find_page(core, cache);
    }
    linear = linear_of_rip(core, cache->code64);
    offset = linear & 0xfff;
    host = cache->host + offset;
    key = key_of(host, cache->mode);
    /* the last bytes of a page cannot be compared by eight: they are decoded each time */
    if (cache->page == 1 || offset > VIT_PAGE_SIZE - COMPARED_BYTES) {
        entry = &cache->crossing;
        return decode_into(core, entry, host, VIT_PAGE_SIZE - offset, cache->mode)
                   ? entry
                   : fetch_crossing(core, cache, linear);
    }
    entry = find_entry(cache, key);
    if (!entry || !same_bytes(entry, host)) {
        bool known = entry;
        entry = known ? entry : take_entry(cache);
        if (!decode_into(core, entry, host, VIT_PAGE_SIZE - offset, cache->mode)) {
            cache->fill -= !known; /* not used after all */
            return fetch_crossing(core, cache, linear);
        }
        if (known) {
            entry->key = key;
        } else {
            publish_entry(cache, entry, key);
        }
    }
    *link = entry - cache->entries;
    return entry;
}

/* ---- Execute ---- */

static inline void
execute(X86Core *core, const X86Insn *insn, void (*exec)(X86Core *, const X86Insn *), bool code64)
{
    uint64_t next = core->s.rip + insn->length;

    if (!code64 && G_UNLIKELY(next - 1 > core->s.seg[X86_CS].limit)) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    core->next_rip = code64 ? next : (uint32_t)next;
    core->instructions++;
    exec(core, insn);
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

/* One instruction whatever is in force. */
static void
step(X86Core *core, X86DecodeCache *cache)
{
    uint64_t flags = core->s.rflags, rip = core->s.rip;
    bool shadowed = core->s.interrupt_shadow;
    uint16_t link;
    const X86Insn *insn;
    const Entry *entry;

    if (core->code_breakpoints && !(flags & X86_FLAG_RF)) {
        x86_check_code_breakpoint(core, linear_of_rip(core, x86_code64(&core->s)));
    }
    entry = fetch(core, cache, &link);
    insn = &entry->insn;
    execute(core, &entry->insn, entry->exec, cache->code64);
    if ((flags & X86_FLAG_RF) && !is_iret(insn) && core->s.rip != rip) {
        core->s.rflags &= ~(uint64_t)X86_FLAG_RF;
    }
    if (shadowed) {
        core->s.interrupt_shadow = false;
    } else if (core->s.interrupt_shadow && !is_sti(insn)) {
        return; /* traps on MOV SS and POP SS wait or are lost */
    }
    if ((flags & X86_FLAG_TF) && steps_after(core, insn)) {
        x86_debug_trap(core, true);
    }
    if (core->debug_pending) {
        x86_debug_trap(core, false);
    }
}

/* Events, and one instruction. False: leave, reason in OUT_EXIT. */
static bool
pass(X86Core *core, X86DecodeCache *cache, VitCpuExit *out_exit)
{
    if (vit_cpu_events(core->cpu) || core->s.activity != X86_ACTIVE || core->s.svm.virtual_irq) {
        if (!x86_take_events(core, out_exit)) {
            return false;
        }
        if (core->s.activity != X86_ACTIVE) {
            return true;
        }
    }
    if (G_UNLIKELY(core->host_debug) && x86_host_debug_before(core)) {
        *out_exit = VIT_CPU_EXIT_DEBUG;
        return false;
    }
    step(core, cache);
    if (G_UNLIKELY(core->host_debug) && x86_host_debug_after(core)) {
        *out_exit = VIT_CPU_EXIT_DEBUG;
        return false;
    }
    return true;
}

/* Events that can be taken: an interrupt that waits for IF is no reason to slow down. */
static inline uint32_t
event_mask(const X86Core *core)
{
    return (core->s.rflags & X86_FLAG_IF) || core->s.svm.guest ? UINT32_MAX
                                                               : ~(uint32_t)VIT_CPU_EVENT_INTR;
}

/* What the plain loop has no eye for. */
static inline bool
needs_care(const X86Core *core)
{
    return (core->s.rflags & (X86_FLAG_TF | X86_FLAG_RF)) | core->s.interrupt_shadow |
           core->code_breakpoints | core->host_debug | core->s.activity | core->s.svm.virtual_irq |
           (vit_cpu_events(core->cpu) & event_mask(core));
}
_Static_assert(X86_ACTIVE == 0, "needs_care() takes any other activity for work");

/* Runs instructions until one may have changed mode, map or needs_care(), or an event comes.
 * RIP stays in a register here: through memory it would be the longest chain of all. HEAT, not
 * NULL: jumps are counted, and it returns at one to warm code. */
static inline __attribute__((always_inline)) void
run_plain(X86Core *core, X86DecodeCache *cache, bool code64, bool counted, X86Heat *heat)
{
    uint16_t *link = &cache->crossing.next;
    const VitCpu *cpu = core->cpu;
    uint32_t events = event_mask(core);
    uint64_t rip = core->s.rip;

    for (;;) {
        uint64_t linear = code64 ? rip : (uint32_t)(core->s.seg[X86_CS].base + rip), in_line;
        const uint8_t *host = cache->host + (linear & 0xfff);
        Entry *entry = &cache->entries[*link];

        if (G_UNLIKELY((linear & ~(uint64_t)0xfff) != cache->page ||
                       entry->key != key_of(host, cache->mode) || !same_bytes(entry, host))) {
            entry = fetch(core, cache, link);
        }
        in_line = rip + entry->insn.length;
        if (!code64) {
            if (G_UNLIKELY(in_line - 1 > core->s.seg[X86_CS].limit)) {
                x86_fault_code(core, X86_EXC_GP, 0);
            }
            in_line = (uint32_t)in_line;
        }
        core->next_rip = in_line;
        core->instructions++;
        entry->exec(core, &entry->insn);
        rip = in_line;
        link = &entry->next;
        if (entry->moves && core->next_rip != in_line) {
            rip = core->next_rip;
            link = &entry->target;
            if (heat && x86_heat_add(heat, rip)) {
                core->s.rip = rip;
                return;
            }
        }
        core->s.rip = rip;
        if (G_UNLIKELY(entry->ends | core->debug_pending | (vit_cpu_events(cpu) & events))) {
            return;
        }
        if (counted && core->instructions >= cpu->count_limit) {
            return;
        }
    }
}

/* -icount: the same up to the limit. */
static __attribute__((noinline)) void
run_counted(X86Core *core, X86DecodeCache *cache, X86Heat *heat)
{
    if (cache->code64) {
        run_plain(core, cache, true, true, heat);
    } else {
        run_plain(core, cache, false, true, heat);
    }
}

/* Apart from x86_interp_run(): a function with setjmp in it keeps nothing in registers. */
static __attribute__((noinline)) void
loop(X86Core *core, X86DecodeCache *cache, VitCpuExit *out_exit)
{
    for (;;) {
        if (core->debug_pending && !core->s.interrupt_shadow) {
            x86_debug_trap(core, false);
        }
        if (core->cpu->count_limit && core->instructions >= core->cpu->count_limit) {
            *out_exit = VIT_CPU_EXIT_REQUEST;
            return;
        }
        if (needs_care(core)) {
            if (!pass(core, cache, out_exit)) {
                return;
            }
            continue;
        }
        if (page_is_stale(core, cache)) {
            find_page(core, cache);
        }
        if (core->cpu->count_limit) {
            run_counted(core, cache, NULL);
        } else if (cache->code64) {
            run_plain(core, cache, true, false, NULL);
        } else {
            run_plain(core, cache, false, false, NULL);
        }
    }
}

static bool
deliver(X86Core *core, VitCpuExit *out_exit)
{
    core->s.interrupt_shadow = false;
    if (!x86_deliver_exception(core, out_exit)) {
        return false;
    }
    if (G_UNLIKELY(core->host_debug) && x86_host_debug_after(core)) {
        *out_exit = VIT_CPU_EXIT_DEBUG;
        return false;
    }
    return true;
}

VitCpuExit
x86_interp_run(X86Core *core)
{
    VitCpuExit reason = VIT_CPU_EXIT_REQUEST;

    if (!__builtin_setjmp(core->unwind) || deliver(core, &reason)) {
        loop(core, core->decode_cache, &reason);
    }
    return reason;
}

bool
x86_interp_needs_care(const X86Core *core)
{
    return needs_care(core);
}

bool
x86_interp_pass(X86Core *core, VitCpuExit *out_exit)
{
    return pass(core, core->decode_cache, out_exit);
}

void
x86_interp_pending_traps(X86Core *core)
{
    if (core->debug_pending && !core->s.interrupt_shadow) {
        x86_debug_trap(core, false);
    }
}

void
x86_interp_one(X86Core *core)
{
    uint16_t link;
    const Entry *entry = fetch(core, core->decode_cache, &link);

    execute(core, &entry->insn, entry->exec, core->decode_cache->code64);
}

void
x86_interp_one_at(X86Core *core, const uint8_t *host, unsigned code_size)
{
    const Entry *entry = find_entry(core->decode_cache, key_of(host, code_size));

    if (((uintptr_t)host & 0xfff) > VIT_PAGE_SIZE - COMPARED_BYTES || !entry ||
        !same_bytes(entry, host)) {
        x86_interp_one(core);
        return;
    }
    execute(core, &entry->insn, entry->exec, code_size == 8);
}

void
x86_interp_decoded(X86Core *core, const X86Insn *insn)
{
    execute(core, insn, insn->row->exec, insn->code_size == 8);
}

void
x86_interp_stretch(X86Core *core)
{
    X86DecodeCache *cache = core->decode_cache;

    if (page_is_stale(core, cache)) {
        find_page(core, cache);
    }
    if (core->cpu->count_limit) {
        run_counted(core, cache, NULL);
    } else {
        run_plain(core, cache, cache->code64, false, NULL);
    }
}

void
x86_interp_cold(X86Core *core, X86Heat *heat)
{
    X86DecodeCache *cache = core->decode_cache;

    if (page_is_stale(core, cache)) {
        find_page(core, cache);
    }
    if (core->cpu->count_limit) {
        run_counted(core, cache, heat);
    } else if (cache->code64) {
        run_plain(core, cache, true, false, heat);
    } else {
        run_plain(core, cache, false, false, heat);
    }
}

bool
x86_interp_row_allowed(const X86Core *core, const X86OpRow *row)
{
    bool unprotected = x86_real_mode(&core->s) || x86_v8086(&core->s);

    return row_allowed(core, row, unprotected ? MODE_UNPROTECTED : 0);
}

bool
x86_interp_deliver(X86Core *core, VitCpuExit *out_exit)
{
    return deliver(core, out_exit);
}

bool
x86_interp_step(X86Core *core, VitCpuExit *out_exit)
{
    bool more;

    if (__builtin_setjmp(core->unwind)) {
        return deliver(core, out_exit);
    }
    more = pass(core, core->decode_cache, out_exit);
    /* not a tail call, which clang would make of it: the unwind needs this frame */
    __asm__ volatile("" : "+r"(more));
    return more;
}
