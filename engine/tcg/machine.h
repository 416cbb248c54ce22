/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What the CPUs of a machine share: blocks, the pages they came from, host code that belongs to no
 * block. Everything is guarded by the machine's lock, which is the innermost but for none: whoever
 * holds it takes no other and touches no guest memory through the CPU. */

#include "asm.h"
#include "codemem.h"
#include "pool.h"
#include "tcg-cpu.h"

#include <limits.h>

enum {
    TCG_BLOCK_INSNS = 64,
    TCG_INSN_BYTES = 15,
    TCG_GRANULE = 64,       /* bytes of code that a write is compared with */
    TCG_VERSIONS = 8,       /* dead blocks kept of one address, each of other bytes */
    TCG_WRITES_SEEN = 16,   /* to a page with code: its blocks check themselves from then on */
    TCG_CHECKED_BYTES = 96, /* of a block that does */
    TCG_SOFTS = 6,
    TCG_PARTS = 3,        /* of a block behind direct jumps that it follows */
    TCG_PART_BYTES = 256, /* each, at most */
    TCG_ORIGINALS = 1 << 15,
};

typedef struct TcgBlock TcgBlock;

/* A jump out of a block that can lead straight to another. */
typedef struct TcgLink {
    TcgBlock *from, *to;  /* to: NULL = leads to its stub */
    struct TcgLink *next; /* of the jumps that lead to the same block */
    uint64_t pc;
    uint32_t jump;     /* its displacement, from the start of the code memory */
    uint32_t stub;     /* where it leads while to is NULL, likewise */
    uint16_t mode;     /* where it leads to */
    bool backward;     /* needs the exit test */
    bool in_memory;    /* flags are in hot.exit_flags */
    bool returns;      /* behind a call: see emit-flow.c */
    bool flags_dead;   /* some of the host's may be anything: see flags.h */
    uint8_t ungrouped; /* leads to a block of so many instructions without groups */
} TcgLink;

enum {
    TCG_PLACE_OFFSET = 0xfff,
    TCG_PLACE_FLAGS_DEAD = 0x4000, /* the host's may be anything: see flags.h */
    TCG_PLACE_FLAGS_SAVED = 0x8000,
};

/* For a host fault: which instruction, and whether its flags are in hot.exit_flags. */
typedef struct TcgPlace {
    uint16_t host, guest; /* offset in the code, offset in the guest's page */
} TcgPlace;

/* Fields of a checked block that may change: it reads them when it executes the instruction. */
typedef struct TcgSoft {
    uint8_t at, len; /* in the block's bytes */
} TcgSoft;
typedef struct TcgSofts {
    uint8_t count;
    TcgSoft field[TCG_SOFTS];
} TcgSofts;

/* Bytes in the page that a block goes on with behind a jump. */
typedef struct TcgPart {
    uint16_t offset, len;
} TcgPart;

/* What is looked at of blocks that are passed by on the way to another is in its first line of the
 * cache. */
struct TcgBlock {
    TcgBlock *next_in_hash;
    uint32_t stamp;
    uint16_t offset, len; /* in the page; runs past its end when there is a second */
    bool dead;            /* is not found; lives again if memory has its bytes again */
    bool checked;         /* compares its bytes when it is entered: selfcheck.c */
    bool hot;             /* its accesses have slots: hot.c, tlb-near.c */
    uint8_t ungrouped;    /* a block of so many instructions without groups; 0 = none */
    bool flags_live;      /* somebody reads the flags it is entered with */
    /* Bytes elsewhere in the page that it relies on as well; they follow its own in BYTES, and
     * those of its parts follow them. */
    uint16_t ahead_offset, ahead_len;
    uint16_t n_parts;
    TcgPart parts[TCG_PARTS];
    TcgBlock *next_in_page, **at_in_page; /* AT: what points to it */
    TcgBlock *next_in_second;
    struct TcgPage *second; /* NULL, or the page that its one instruction runs into */
    struct TcgPage *page;

    uint64_t pc;
    uint16_t mode;
    uint16_t near_first[2], near_end[2];  /* tcg_near_next() before and behind its accesses */
    uint16_t n_links, n_insns, n_places;  /* places: those of the block, then those of its loop */
    uint16_t n_fixes;                     /* 0: it cannot be copied */
    uint32_t len_bytes;                   /* with all that belongs to it */
    uint64_t kept;                        /* instructions whose operands are: flags.h */
    TcgSofts softs;                       /* of one that is checked */
    const uint8_t *bytes;                 /* what it was made from */
    const uint8_t *start, *end;           /* of the host code */
    const uint8_t *cold_start, *cold_end; /* of what is rarely executed */
    const uint8_t *entry;                 /* no test: forward jumps inside the page */
    const uint8_t *entry_loop;            /* exit test: backward jumps inside the page */
    const uint8_t *entry_far;             /* page still mapped, exit test: all others */
    const uint8_t *entry_indirect;        /* the same with the flags in hot.exit_flags */
    TcgLink *incoming;
    TcgLink *links;
    TcgPlace *places;
    TcgFix *fixes; /* of its host code: copy.c */
};

/* A guest page of code at one linear address in one mode. */
typedef struct TcgPage {
    uint64_t linear;
    uint32_t stamp;
    uint16_t mode;
    struct TcgPhysical *physical;
    struct TcgPage *next; /* of the same physical page */
    TcgBlock *blocks;
} TcgPage;

/* A guest page of code, by its host address. */
typedef struct TcgPhysical {
    const uint8_t *host;
    uint8_t *dirty;    /* NULL: ROM */
    uint64_t granules; /* with code */
    uint64_t claim;    /* when it was taken for code, see safepoint.c; 0 = never */
    TcgPage *pages;
    struct TcgPhysical *next_gone;
    TcgBlock *running_in; /* blocks whose second page this is */
    unsigned writes;      /* seen while it was watched */
    bool checked;         /* not watched: blocks of it check themselves */
    unsigned patience_ms; /* how long, next time */
    int64_t checked_until_us;
    struct TcgPhysical *next_checked;
} TcgPhysical;

/* A block that was left before its first instruction. */
typedef enum TcgLeft {
    TCG_LEFT = -1,
    TCG_LEFT_IN_MEMORY = -2, /* the flags are in hot.exit_flags */
} TcgLeft;

/* Host code common to all blocks, in execution addresses. */
typedef struct TcgThunks {
    /* C: runs CODE until it leaves. */
    void (*enter)(X86State *state, const void *code);
    const uint8_t *leave;       /* rIP is in the state */
    const uint8_t *leave_at;    /* T1 = guest rIP */
    const uint8_t *leave_block; /* called: followed by a TcgBlock's address; pushed before that:
                                   the number of the link, or a TcgLeft */
    /* called: T1 = guest rIP, T0 = the X86Insn there; comes back or leaves */
    const uint8_t *interpret;
    const uint8_t *rep_slow; /* the same, and the pages that were touched are entered */
    const uint8_t *rep[X86_VIEW_LAST][2][4]; /* the same; MOVS and STOS, log2 of the size */
    /* jumped to: T1 = guest rIP, T0 = the X86Insn there or 0; it is executed, then leaves */
    const uint8_t *interpret_leave, *interpret_leave_in_memory; /* flags in hot.exit_flags */
    const uint8_t *slow, *slow_group;      /* called: T0 = address; see emit-mem.c */
    const uint8_t *near[X86_VIEW_LAST][2]; /* called: see tlb-near.c */
    const uint8_t *no_frame;               /* returned to where nothing was called */
    const uint8_t *jump_miss;              /* T0 = guest rIP, T1 = the jump's own, to spare[1] */
    /* called: see fpstate.h */
    const uint8_t *vec_load[4], *x87_load, *fp_spill, *fp_reload;
} TcgThunks;

/* The thread of hot.c. */
typedef struct TcgLooker {
    GMutex lock; /* outside the machine's */
    GCond wake;
    GThread *thread; /* NULL: not needed so far */
    bool asleep;     /* atomic */
    bool quit;
} TcgLooker;

struct TcgMachine {
    unsigned stop_every; /* vit_tcg_set_stop_every() */
    GMutex lock;
    TcgOptions options;
    TcgThunks thunks;
    TcgCpu *cpus;
    struct TcgEmit *emit; /* work space of the translation under way */
    bool host_has[X86_FEATURE_LAST];
    X86Heat *heat;        /* NULL: all code is translated at once */
    uint64_t heat_blocks; /* translated when it was last cleared */

    TcgCodeMemory memory;
    uint8_t *code, *code_exec; /* its writable and executable mapping */
    size_t code_len;
    /* What blocks execute fills the memory from code_fixed on, what they rarely come to from
     * cold_start on: the more of the former is in a page or a cache line the better. */
    size_t code_used, code_fixed, cold_used, cold_start;
    bool flush_wanted;        /* atomic */
    GMutex flush_lock;        /* outermost: held while everything is dropped */
    uint8_t *barrier_page;    /* see safepoint.c; NULL = the host has membarrier() */
    uint64_t claims, settled; /* of pages that became code: all, those that may be read */

    TcgPool pool; /* of the blocks */
    /* By host address. Reserved at its largest, so that it never moves. */
    TcgBlock **blocks;
    size_t n_blocks;
    TcgBlock **hash;
    size_t hash_len;
    TcgBlock *originals[TCG_ORIGINALS]; /* to be copied, by hash of their bytes */
    GHashTable *physical;               /* host page -> TcgPhysical */
    GHashTable *by_dirty;               /* dirty byte -> TcgPhysical */
    GPtrArray *rams;                    /* VitRamBlock that tell of writes to code */
    TcgPhysical *gone;                  /* of memory that is no more; dead blocks know them */
    TcgPhysical *checked; /* those that are not watched; atomic to see whether there are any */
    GHashTable *insns;    /* X86Insn as a set: those that blocks hand to the interpreter */
    uint32_t last_stamp;
    unsigned near_given[TCG_NEAR_NOBODY][2]; /* slots, of the stack's none */
    uint64_t far_sites[1024];                /* instructions that get none, by hash */
    uint16_t near_site[2 * TCG_NEAR_SLOTS];  /* that hash */

    uint64_t hot_blocks[1024]; /* by hash */
    TcgLooker looker;

    uint64_t translated_blocks, translated_insns, translated_guest_bytes, host_bytes, cold_bytes;
    uint64_t copied_blocks;
    uint64_t links_made, invalidated, revived, full_flushes, writes_beside, given_up;
    uint64_t far_count, hot_count;
    uint64_t checked_blocks, soft_blocks, stale, waits;
    uint64_t timed_insns; /* of some translations, what they took */
    int64_t timed_ns;
};

/* What its instructions are. */
static inline unsigned
tcg_block_guest_bytes(const TcgBlock *block)
{
    unsigned bytes = block->len;

    for (unsigned i = 0; i < block->n_parts; i++) {
        bytes += block->parts[i].len;
    }
    return bytes;
}

/* The block's bytes from OFFSET in its page on, where an instruction of it is. */
static inline const uint8_t *
tcg_block_source(const TcgBlock *block, unsigned offset, unsigned *out_len)
{
    const uint8_t *bytes = block->bytes + block->len + block->ahead_len;

    for (unsigned i = 0; i < block->n_parts; i++) {
        const TcgPart *part = &block->parts[i];
        if (offset - part->offset < part->len) {
            *out_len = part->len - (offset - part->offset);
            return bytes + (offset - part->offset);
        }
        bytes += part->len;
    }
    *out_len = block->len - (offset - block->offset);
    return block->bytes + (offset - block->offset);
}

static inline ptrdiff_t
tcg_exec_delta(const TcgMachine *machine)
{
    return machine->code_exec - machine->code;
}

/* ---- safepoint.c ---- */

/* A CPU is about to enter translated code, and out of it. */
void tcg_begin(TcgCpu *cpu);
void tcg_end(TcgCpu *cpu);
/* Everything translated is dropped, with all CPUs out of it. In or between turns; ends the turn. */
void tcg_flush_everything(TcgCpu *cpu);
/* Comes back in another turn when no CPU can write any more what it must not: pages claimed so far
 * may then be settled. */
void tcg_wait_claimed(TcgCpu *cpu);
void tcg_barrier_init(TcgMachine *machine);
void tcg_barrier_finish(TcgMachine *machine);

/* ---- machine.c ---- */
/* INSN to be executed later by the interpreter; lock held. It stays until everything is dropped. */
const X86Insn *tcg_insn_keep(TcgMachine *machine, const X86Insn *insn);

/* ---- thunk.c ---- */
bool tcg_thunks_make(TcgMachine *machine);

/* ---- translate.c ---- */
/* Makes the block at PC, whose page's entry is FETCH; SECOND is not NULL when the instruction there
 * runs into the next page; UNGROUPED not 0: so many instructions, each access checked for itself.
 * SOFTS: fields to be read as it is executed. Lock held. NULL: no room left. */
TcgBlock *tcg_translate(TcgCpu *cpu, const TcgFetch *fetch, const TcgFetch *second, uint64_t pc,
                        unsigned ungrouped, const TcgSofts *softs);

/* ---- copy.c, lock held ---- */
/* Whether host code of the page of FETCH may be copied for other addresses. */
bool tcg_may_copy(const TcgMachine *machine, const TcgFetch *fetch);
/* BLOCK, which is new, may be copied. */
void tcg_copy_offer(TcgMachine *machine, TcgBlock *block);
/* The block at PC as a copy of one that was made of the same bytes for another address. NULL: there
 * is none, or no room. */
TcgBlock *tcg_copy(TcgMachine *machine, const TcgFetch *fetch, uint64_t pc);

/* ---- smc.c, lock held unless said otherwise ---- */
TcgPage *tcg_page_get(TcgCpu *cpu, uint64_t linear, const uint8_t *host, uint16_t mode,
                      uint64_t physical);
/* Whether the bytes of PHYSICAL may be read for translation. Else writes to it are heard of from
 * now on, and it may be when the CPU has waited and settled. */
bool tcg_page_claim(TcgCpu *cpu, TcgPhysical *physical);
/* What the CPU has waited for is done. */
void tcg_settle(TcgCpu *cpu);
/* Whether some CPU waits until it may read the bytes. */
bool tcg_is_claimed(const TcgMachine *machine, const TcgPhysical *physical);
void tcg_code_written(TcgMachine *machine, TcgCpu *writer, uint8_t *dirty, unsigned offset,
                      size_t len); /* takes the lock */
void tcg_block_add(TcgMachine *machine, TcgBlock *block);
/* The block made of the bytes at OFFSET of FETCH's page (and on in SECOND's); one that died is
 * brought back when it was made of the same. NULL: there is none; OUT_SOFTS has the fields that
 * changed since the last one. */
TcgBlock *tcg_block_find(TcgMachine *machine, const TcgFetch *fetch, const TcgFetch *second,
                         unsigned offset, unsigned ungrouped, TcgSofts *out_softs);
/* Whether PAGE has those of BLOCK's bytes that are not in line. */
bool tcg_same_elsewhere(const TcgBlock *block, const uint8_t *page);
/* Whether blocks of the page of FETCH (and SECOND, nullable) check themselves. */
bool tcg_is_checked(const TcgFetch *fetch, const TcgFetch *second);
/* Pages that have not been watched for long enough are watched again. Takes the lock. */
void tcg_watch_due(TcgMachine *machine);
void tcg_link(TcgMachine *machine, TcgLink *link, TcgBlock *to);
/* LINK leads to its stub. */
void tcg_unpatch(TcgMachine *machine, const TcgLink *link);
/* Everything translated is dropped; no CPU is in translated code. */
void tcg_drop_all(TcgMachine *machine);
/* No RAM block knows the machine any more. Takes no lock. */
void tcg_rams_forget(TcgMachine *machine);

/* A block at OFFSET of the page with STAMP, NULL: there is none. */
TcgBlock *tcg_block_at(TcgMachine *machine, uint32_t stamp, unsigned offset);
/* BLOCK is not come to any more and does not live again. */
void tcg_block_retire(TcgMachine *machine, TcgBlock *block);

/* ---- tlb-near.c ---- */
static inline TcgNearOwner
tcg_near_owner(unsigned view, uint64_t pc)
{
    return view == X86_VIEW_USER                            ? TCG_NEAR_USER
           : view == X86_VIEW_SUPERVISOR && pc <= INT32_MAX ? TCG_NEAR_EARLY
                                                            : TCG_NEAR_NOBODY;
}

/* A slot for an access of INSN at PC, whose BYTES these are; TCG_NEAR_NONE: it is to look in the
 * tables. Lock held. */
uint16_t tcg_near_slot(TcgMachine *machine, TcgNearOwner owner, uint64_t pc, const X86Insn *insn,
                       const uint8_t *bytes, bool write);

/* How many an owner has for reads, and for writes; those of the stack, one a view, come first. */
static inline unsigned
tcg_near_slots(TcgNearOwner owner)
{
    return owner == TCG_NEAR_USER    ? TCG_NEAR_SLOTS - TCG_NEAR_EARLY_SLOTS - X86_VIEW_LAST
           : owner == TCG_NEAR_EARLY ? TCG_NEAR_EARLY_SLOTS
                                     : 1;
}

/* Which of these comes next. */
static inline unsigned
tcg_near_next(const TcgMachine *machine, TcgNearOwner owner, bool write)
{
    return owner == TCG_NEAR_NOBODY ? 0 : machine->near_given[owner][write] % tcg_near_slots(owner);
}

/* The one of the stack. */
static inline unsigned
tcg_near_stack(unsigned view, bool write)
{
    return view + (write ? TCG_NEAR_SLOTS : 0);
}

void tcg_near_make_thunks(TcgThunks *t, TcgAsm *a);

/* ---- hot.c ---- */
void tcg_hot_init(TcgMachine *machine);
void tcg_hot_finish(TcgMachine *machine);
/* The thread sleeps and a CPU runs. */
void tcg_hot_wake(TcgMachine *machine);
/* CPU was asked to leave and has; it was in MODE. */
void tcg_hot_note(TcgCpu *cpu, unsigned mode);
/* Whether the block of these LEN bytes at OFFSET of a page is; lock held. */
bool tcg_is_hot(TcgMachine *machine, unsigned offset, const uint8_t *bytes, unsigned len);

/* ---- selfcheck.c ---- */
/* Whether all that differs between BLOCK's bytes and PAGE are fields that can be read when the
 * instruction is executed; they are added to those that already are. */
bool tcg_softs_find(const TcgBlock *block, const uint8_t *page, TcgSofts *out_softs);

/* ---- exec.c ---- */
/* Microseconds of the host; in lockstep something that a second run finds the same. */
int64_t tcg_now_us(const TcgMachine *machine);
/* Takes up a page of code whose entry of the interpreter's TLB is FROM; lock held. */
void tcg_fetch_enter(TcgCpu *cpu, TcgFetch *fetch, const X86TlbEntry *from, uint64_t page,
                     uint16_t mode);

/* ---- exec.c: what translated code calls; where to go on, from behind the call, or ---- */
#define TCG_LEAVE INT_MIN
/* The instruction at rIP, in the mode of the block it was in. Faults. */
void tcg_interpret_one(TcgCpu *cpu);
bool tcg_must_leave(const TcgCpu *cpu);
/* What a helper answers when its block goes no further; EXECUTED: its instruction has been run. */
int tcg_leave_behind(TcgCpu *cpu, bool executed);
int tcg_helper_interpret(X86State *state, const X86Insn *insn, const uint8_t *site);
int tcg_helper_rep(X86State *state, const X86Insn *insn, const uint8_t *site);
int tcg_helper_slow(X86State *state, uint64_t linear, const uint8_t *site);

/* ---- recover.c ---- */
void tcg_recover_init(void);
/* The guest instruction that host code at PC stands for: its address and bytes (as they were
 * translated), whether its flags are in hot.exit_flags (nullable). False: PC is in
 * no block. */
bool tcg_recover_rip(const TcgMachine *machine, const uint8_t *pc, uint64_t *out_rip,
                     const uint8_t **out_bytes, bool *out_flags_saved);
/* The block that host code at PC lies in, NULL: none. */
TcgBlock *tcg_recover_block(TcgCpu *cpu, const uint8_t *pc);
/* After a spill at host code PC, with rIP at the instruction: the flags before it to the state. */
void tcg_recover_flags(TcgCpu *cpu, const uint8_t *pc);
/* The same put off, as what the interpreter executes rarely shows flags that nobody reads: then
 * either _now(), EXECUTED when the instruction was not stopped by a fault, or _not() and the block
 * goes on. */
void tcg_recover_later(TcgCpu *cpu, const uint8_t *pc);
void tcg_recover_now(TcgCpu *cpu, bool executed);
void tcg_recover_not(TcgCpu *cpu);
/* Instructions of the block from the one on that the fault has stopped. */
unsigned tcg_recover_left(TcgCpu *cpu, const uint8_t *pc);
/* The same where LINK has led out. */
void tcg_recover_flags_of_link(TcgCpu *cpu, const TcgLink *link);
void tcg_recover_add(TcgMachine *machine);
void tcg_recover_remove(TcgMachine *machine);
