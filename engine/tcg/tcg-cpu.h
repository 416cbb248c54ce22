/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The context of one CPU: what RBP points into while translated code runs.
 *
 * One reserved mapping holds everything that code addresses by constant distance from RBP, which is
 * the address of the architectural state: the hot words right before it, the general registers
 * right behind, then the tables. Tables are reserved at their largest; pages that are never
 * touched cost nothing.
 *
 * Register homes: guest RAX RCX RDX RBX RSI RDI are in the host registers of the same name, RSP RBP
 * R8 R9 R12 R13 in R12 R13 R8 R9 R10 R11; guest R10 R11 R14 R15 stay in the state. R14 and R15 are
 * scratch. Host RSP is an ordinary stack, 16-byte aligned between instructions.
 *
 * Flags: OF SF ZF AF PF CF are the host's; the other bits of RFLAGS are in the state, where the six
 * are out of date while translated code runs. Host DF is 0.
 */

#include "x86-exec.h"
#include "x86-mem.h"

#include "tcg.h"

enum {
    TCG_CTX = X86_RBP,
    TCG_T0 = X86_R14,
    TCG_T1 = X86_R15,
};

/* TCG_NO_REG in the map: the register lives in the state. */
extern const uint8_t tcg_home[16];
enum { TCG_IN_STATE = 0xcc00 }; /* these do, one bit each */

/* ---- Mode: what else than its address code depends on ---- */

enum {
    TCG_MODE_VIEW = 3, /* X86View */
    TCG_MODE_SIZE_SHIFT = 2,
    TCG_MODE_CODE64 = 0 << 2,
    TCG_MODE_CODE32 = 1 << 2,
    TCG_MODE_SIZE = 1 << 2,
    TCG_MODE_SSE = 1 << 3,  /* legacy SSE instructions run without a fault */
    TCG_MODE_AVX = 1 << 4,  /* VEX ones too */
    TCG_MODE_X87 = 1 << 5,  /* x87 and MMX ones */
    TCG_MODE_EVEX = 1 << 6, /* AVX-512 ones */
    TCG_MODE_FS = 1 << 7,   /* 32-bit code: FS has the widest limit and may be written */
    TCG_MODE_GS = 1 << 8,
    TCG_MODE_CPL0 = 1 << 9,
    TCG_MODE_SMAP = 1 << 10, /* CR4.SMAP: AC changes the view */
    TCG_MODE_NONE = 0xffff,  /* not translated: the interpreter has it */
};

/* ---- Tables ---- */

enum {
    TCG_TLB_LARGEST = 1 << 16,
    TCG_TLB_DEFAULT = 1 << 12,
    TCG_TLB_SMALLEST = 4,
    TCG_FETCH_BITS = 12,
    TCG_FETCH_ENTRIES = 1 << TCG_FETCH_BITS,
    TCG_FETCH_LOG = 512,
    TCG_JUMP_BITS = 14,
    TCG_JUMP_ENTRIES = 1 << TCG_JUMP_BITS,
    TCG_LOG_ENTRIES = 8192,
    TCG_NEAR_SLOTS = 1 << 12,      /* of reads, and as many of writes */
    TCG_NEAR_EARLY_SLOTS = 1 << 9, /* of these, see TcgNearOwner */
    TCG_NEAR_NONE = 0xffff,
    TCG_NOTES = 64, /* of where code was: hot.c */
    TCG_SPACES = 8,
    TCG_SPACE_DATA = 256,
    TCG_SPACE_CODE = 128,
    TCG_GROUPS = 24, /* of accesses, in a block */
    TCG_STREAMS = 8, /* of accesses, in a loop: emit-loop.c */
    TCG_LIMITS = 4,
    TCG_PATIENCE = 4,
    TCG_BUDGET_MAX = 1 << 30,
};

/* A page that an access may go straight to. An empty entry has the tag of a page that never
 * looks here and is not the neighbour of one that does. */
typedef struct TcgTlbEntry {
    uint64_t tag;   /* minus the page's address */
    uintptr_t host; /* its host address */
} TcgTlbEntry;

/* Who may have slots. They know nothing of rights and some serve several accesses, so each has its
 * own. */
typedef enum TcgNearOwner {
    TCG_NEAR_USER,
    /* What a supervisor runs at low addresses before there are users: boot loaders, firmware,
     * kernels that unpack themselves. */
    TCG_NEAR_EARLY,
    TCG_NEAR_NOBODY,
} TcgNearOwner;

/* A slot belongs to an access, or to some of them: the page that it went to last,
 * which the tables had then. Reads have the first half, writes the other; the first ones
 * of each are those of all accesses of the stack, one a view: tlb-near.c. */
typedef struct TcgNear {
    TcgTlbEntry page[2 * TCG_NEAR_SLOTS];
    int32_t left[2 * TCG_NEAR_SLOTS];  /* misses until its accesses are looked at, one by one */
    uint64_t last[2 * TCG_NEAR_SLOTS]; /* of those: where the last one was */
    uint32_t same[2 * TCG_NEAR_SLOTS]; /* and how many were where the one before was */
    uint32_t n_used;
    uint16_t used[2 * TCG_NEAR_SLOTS]; /* that are not empty */
    bool drop_writes;                  /* atomic; before the next turn */
} TcgNear;

/* A page of code as mapped now. */
typedef struct TcgFetch {
    uint64_t page; /* linear; 1 = none */
    const uint8_t *host;
    struct TcgPage *code;
    uint32_t stamp; /* of (linear page, physical page, mode); 0 = not valid */
    uint16_t mode;
    bool global;
} TcgFetch;

/* Where code at an address is. */
typedef struct TcgJump {
    uint64_t key; /* the address */
    const void *code;
} TcgJump;

/* Most used by translated code: reached with one byte of displacement. */
typedef struct TcgHot {
    uint64_t park;           /* RCX during a check that touches no flags */
    uint64_t spare[2];       /* scratch of emitters inside one instruction */
    uint64_t floor;          /* atomic; at the next test leave if host rSP is below: TCG_FLOOR_* */
    uint64_t tlb_index_bits; /* (entries - 1) << 12 */
    uint64_t page_bits;      /* ~0xfff */
    uint32_t tlb_mask;       /* (entries - 1) << 4 */
    uint32_t reserve_2;
    uint16_t flags;       /* AX after LAHF and SETO AL, while out of translated code */
    uint8_t vec_resident; /* guest registers in the host's: TcgVecLevel, see fpstate.h */
    uint8_t x87_resident;
    uint8_t after_exit;                         /* TCG_EXIT_* */
    uint8_t vec_was_resident, x87_was_resident; /* before the call that is under way */
    uint8_t x87_unsettled;                      /* for tcg_fp_settle() */
    struct TcgLink *link; /* the jump that led out, to be pointed to where it goes */
    uint32_t host_mxcsr, mxcsr_aside;
    uint64_t x87_data;    /* FPU_DP, while x87 registers are resident */
    uint32_t x87_segment; /* X86_DS.. whose selector goes with it, X86_SEG_LAST = as it is */
    uint32_t x87_env[7];  /* what FNSTENV tells of the last x87 instruction */
    uint16_t exit_flags;  /* the same at a jump that leaves them here: see emit-flow.c */
    uint16_t ungrouped;   /* so many instructions are wanted without groups, from rIP on */
    uint16_t stale;       /* the block at rIP is of other bytes than memory has */
    uint16_t reserve;
} TcgHot;
_Static_assert(sizeof(TcgHot) == 128, "reached with one byte");

enum { TCG_EXIT_LOOKUP, TCG_EXIT_INTERPRET };

/* Translated code keeps the guest's calls on the host's stack (emit-flow.c), so many bytes of them;
 * a request to leave is a floor that is above every stack. */
enum { TCG_FRAMES_BYTES = 128 * 1024 };
#define TCG_FLOOR_LEAVE INT64_MAX

enum { TCG_SITES = 1 << 10 };

/* A place in host code and the block it lies in. */
typedef struct TcgSite {
    const uint8_t *pc;
    const struct TcgBlock *block;
    uint64_t age; /* full_flushes then */
} TcgSite;

/* Pages that an address space had in the tables when it was left: tlb-space.c. */
typedef struct TcgSpace {
    uint32_t context; /* of X86Mmu; 0 = none */
    uint32_t used;    /* when: counts switches */
    uint16_t n_data, n_code;
    uint64_t data[TCG_SPACE_DATA]; /* page, low bits as in the log */
    struct {
        uint64_t page;
        uint16_t mode;
    } code[TCG_SPACE_CODE];
} TcgSpace;

/* What flags are told from, should they be wanted: see tcg_recover_later(). */
typedef struct TcgUnsure {
    const uint8_t *pc; /* NULL: the state's are right */
    uint64_t rip, rflags, gpr[16];
} TcgUnsure;

typedef struct TcgCpu {
    TcgMachine *machine;
    struct TcgCpu *next;               /* of the machine; under its lock */
    uint16_t view_mode[X86_VIEW_LAST]; /* what the tables of a view hold */
    bool drop_everything;              /* before it runs again: memory was written from outside */
    bool code_dropped;                 /* a write of this CPU's dropped translations */
    bool log_full;                     /* entries are in the tables that are not in the log */
    /* Filled TLB entries: of pages that are not global, and of those that are. */
    unsigned log_len[2];
    uint32_t log[2][TCG_LOG_ENTRIES];
    unsigned fetch_log_len;
    struct TcgFetch *fetch_log[TCG_FETCH_LOG]; /* filled for pages that are not global */
    unsigned fills_since_flush;
    uint64_t dispatches, slow, interpreted, fills, flushes, cold;
    unsigned tlb_entries;
    uint32_t space, space_switches; /* the current context */
    TcgSpace spaces[TCG_SPACES];
    TcgUnsure unsure;
    TcgSite sites[TCG_SITES];
    const uint8_t *fault_pc; /* a host fault has ended translated code there; NULL = none */
    uint32_t turn;           /* atomic; odd: in translated code, or holding what belongs to it */
    /* hot.c */
    bool look_wanted;        /* atomic: where it leaves is to be noted */
    uint32_t turn_looked_at; /* machine's lock */
    unsigned n_notes;
    uint64_t notes[TCG_NOTES]; /* where it was going */
    uint64_t claimed;          /* claims of pages up to here are settled; 0 = none of them new */

    uint8_t across[128] __attribute__((aligned(64))); /* what a read found in two pages */
    uint64_t offset_bits;                             /* 0xfff, for PEXT */
    uint64_t kept[3], shifted[2];                     /* see tcg_flags_tell() */
    uint64_t bit_mask[2];                             /* 31 and 63 */
    uint64_t sign_bit;                                /* 1 << 63, for PEXT */
    const X86Insn *insn;           /* at TCG_EXIT_INTERPRET; NULL: whatever is at rIP */
    uintptr_t frames;              /* host rSP with no calls on the stack */
    uintptr_t across_at;           /* where in it, aligned as in the guest */
    uintptr_t rep[3];              /* of emit-string.c */
    int32_t budget;                /* instructions that may be executed yet: emit-count.c */
    int32_t budget_given;          /* what it began with */
    int32_t uncounted;             /* taken from it and not executed, where a block has called C */
    uint32_t patience;             /* so many turns of loops until one is prepared */
    uintptr_t stream[TCG_STREAMS]; /* of the loop under way: see emit-loop.c */
    int64_t limit[TCG_LIMITS];
    uintptr_t group[TCG_GROUPS];             /* host address of a group's first byte: see group.h */
    X86Fpu x87_image;                        /* what FXSAVE gave; see fpstate.c */
    TcgHot hot __attribute__((aligned(64))); /* right before the core: see TcgHot */
    X86Core core __attribute__((aligned(64)));
    TcgNear near;
    TcgFetch fetch[X86_VIEW_LAST][TCG_FETCH_ENTRIES];
    TcgJump jump[X86_VIEW_LAST][TCG_JUMP_ENTRIES];
    uint32_t jump_stamp[X86_VIEW_LAST][TCG_JUMP_ENTRIES]; /* for the dispatcher */
    TcgTlbEntry tlb[X86_VIEW_LAST][2][TCG_TLB_LARGEST] __attribute__((aligned(4096)));
} TcgCpu;

#define TCG_OFFSET(member) ((int32_t)(offsetof(TcgCpu, member) - offsetof(TcgCpu, core)))
#define TCG_GPR(n)         ((int32_t)(offsetof(X86State, gpr) + 8 * (n)))
#define TCG_RIP            ((int32_t)offsetof(X86State, rip))

static inline TcgCpu *
tcg_cpu_of(X86Core *core)
{
    return (TcgCpu *)((char *)core - offsetof(TcgCpu, core));
}

static inline unsigned
tcg_fetch_slot(uint64_t page)
{
    return (uint32_t)(page >> 12) * 0x9e3779b1u >> (32 - TCG_FETCH_BITS);
}

/* By CRC32: code that a compiler at run time lays out at even distances would meet in a few slots
 * by anything that leaves bits of the address out. Translated code does the same: emit_indirect().
 */
static inline unsigned
tcg_jump_slot(uint64_t pc)
{
    uint64_t crc = 0;

    __asm__("crc32q %1, %0" : "+r"(crc) : "rm"(pc));
    return (unsigned)crc >> 4 & (TCG_JUMP_ENTRIES - 1);
}

/* A key that is never looked up in SLOT: address 0 leads to slot 0 and address 1 to another. */
static inline uint64_t
tcg_jump_none(unsigned slot)
{
    return slot == 0;
}

/* CPU leaves translated code soon. Any thread. */
static inline void
tcg_request_exit(TcgCpu *cpu)
{
    __atomic_store_n(&cpu->hot.floor, TCG_FLOOR_LEAVE, __ATOMIC_SEQ_CST);
}

static inline bool
tcg_exit_requested(const TcgCpu *cpu)
{
    return __atomic_load_n(&cpu->hot.floor, __ATOMIC_ACQUIRE) == TCG_FLOOR_LEAVE;
}

/* Flags between their two forms. */
static inline void
tcg_flags_to_state(TcgCpu *cpu)
{
    unsigned ah = cpu->hot.flags >> 8, of = cpu->hot.flags & 1;

    cpu->core.s.rflags = (cpu->core.s.rflags & ~(uint64_t)X86_FLAGS_ARITH) |
                         (ah & X86_FLAGS_ARITH & 0xff) | (of ? X86_FLAG_OF : 0);
}

static inline void
tcg_flags_from_state(TcgCpu *cpu)
{
    uint64_t flags = cpu->core.s.rflags;

    cpu->hot.flags = (flags & X86_FLAGS_ARITH & 0xff) << 8 | !!(flags & X86_FLAG_OF);
}

/* ---- emit-count.c ---- */
/* Around translated code: what core.instructions and tcg_count() tell is exact behind. */
void tcg_count_begin(TcgCpu *cpu);
void tcg_count_end(TcgCpu *cpu);
uint64_t tcg_count(const VitCpu *vit_cpu);

/* ---- tlb.c ---- */

void tcg_tlb_init(TcgCpu *cpu, unsigned entries);
void tcg_tlb_flush(TcgCpu *cpu);
/* Forgets where code is. */
void tcg_jumps_clear(TcgCpu *cpu, unsigned view);
extern const X86CoreHooks tcg_core_hooks;
/* Enters the page of LINEAR when an access may go straight to it. May raise no fault: false =
 * somebody else has to make this access. */
bool tcg_tlb_fill(TcgCpu *cpu, uint64_t linear, bool write, X86View view);
/* Enters a page that the interpreter's TLB has, in FROM; for writing: lock held, all dirty. */
void tcg_tlb_enter(TcgCpu *cpu, const X86TlbEntry *from, uint64_t page, bool write, X86View view);
/* The host's page of LINEAR for reading, entered first when it has to be; NULL as above. */
const uint8_t *tcg_tlb_page(TcgCpu *cpu, uint64_t linear, X86View view);

/* ---- tlb-near.c ---- */
void tcg_near_init(TcgCpu *cpu);
void tcg_near_clear(TcgCpu *cpu);
void tcg_near_clear_page(TcgCpu *cpu, uint64_t page);
/* CPU writes to the page at HOST no more, from its next turn on if it is not OWN, the thread's. */
void tcg_near_protect(TcgCpu *cpu, TcgCpu *own, const uint8_t *host);
/* In a turn, before translated code. */
void tcg_near_begin(TcgCpu *cpu);
/* The access at host code PC has missed in SLOT. Whether that was because it had been looked at for
 * long enough; it is to try again. */
bool tcg_near_missed(TcgCpu *cpu, unsigned slot, const uint8_t *pc);

/* ---- tlb-space.c ---- */

/* Notes what the current context has, before it is dropped; enters what CONTEXT had. */
void tcg_space_leave(TcgCpu *cpu);
void tcg_space_enter(TcgCpu *cpu, uint32_t context);
/* Contexts are numbered anew. */
void tcg_space_forget(TcgCpu *cpu);

/* Takes write entries that lead to the page at HOST out of every CPU's tables; lock held. CPU is
 * the thread's own. */
void tcg_tlb_protect(TcgCpu *cpu, const uint8_t *host);
