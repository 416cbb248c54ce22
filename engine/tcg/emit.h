/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What emitters of instruction classes share. An emitter gets the instruction at e->insn and emits
 * host code for it, or returns false having emitted nothing: the caller then has the interpreter
 * run that one instruction in place.
 *
 * Rules. Guest state is precise before every memory check and before every host instruction that
 * may fault: nothing of the instruction is committed then, and nothing of the guest is in T0, T1 or
 * the hot words. Host flags are the guest's between instructions; an emitter touches only what
 * the instruction does, unless e->flags_live says that nobody wants the rest.
 */

#include "group.h"
#include "reencode.h"

enum { TCG_COLD_MAX = 3 * TCG_BLOCK_INSNS, TCG_FIXES = 512 };

typedef struct TcgCold {
    TcgLabel slow, again, done;
    TcgLabel hit; /* behind the check; T0 and T1 say where the operand is */
    uint8_t size;
    TcgEa ea;
    uint64_t pc;
    bool is_write, parked, is_flow, flags_saved, keeps;
    bool leaves;       /* of a loop: the dispatcher goes on with the instruction */
    uint16_t span;     /* of a group: what has to be in one page; 0 = one access */
    uint8_t count;     /* of a group: instructions up to its last */
    uint8_t own_write; /* of a group: its first instruction writes */
    uint16_t near;     /* its slot, or TCG_NEAR_NONE */
} TcgCold;

/* Accesses of a loop that lie a constant from each other in every turn, and move by a constant. */
typedef struct TcgStream {
    uint8_t still, still_shift; /* register that stays, X86_NO_REG; shifted as an index */
    uint8_t moving, shift;      /* that has a stride, X86_NO_REG */
    bool write;
    int64_t low, high; /* of the first byte and behind the last, from where the registers lead */
} TcgStream;

/* The instructions up to a jump to the first of them: see emit-loop.c. */
typedef struct TcgLoop {
    unsigned len;                  /* instructions; 0 = there is none */
    bool wanted;                   /* it may be made */
    bool jumps;                    /* the block's jump goes to AGAIN */
    bool emitting;                 /* the loop's instructions; before: the block's */
    bool failed;                   /* it could not be emitted: the block is made without */
    bool pinned;                   /* T0 and T1 hold streams and nothing else in the loop */
    bool bounded;                  /* few instructions until it is prepared again */
    uint8_t pin[2];                /* which streams T0 and T1 hold; TCG_STREAMS = none */
    bool vec_checked, x87_checked; /* at the jump */
    unsigned n_streams, n_limits;
    TcgStream stream[TCG_STREAMS];
    uint8_t limit_of[TCG_LIMITS]; /* registers */
    uint8_t stream_of[TCG_BLOCK_INSNS][2];
    TcgLabel entry, again, prepare, head;
} TcgLoop;

typedef struct TcgEmit {
    TcgAsm a;
    TcgCpu *cpu;
    TcgMachine *machine;
    unsigned mode;
    unsigned view; /* X86View: which tables */
    bool code64;
    uint64_t page_pc;       /* linear address of the page */
    const TcgFetch *second; /* NULL, or where the only instruction runs into */
    uint8_t source[TCG_BLOCK_INSNS * TCG_INSN_BYTES + TCG_INSN_BYTES]; /* guest code */
    unsigned n_insns;
    X86Insn insns[TCG_BLOCK_INSNS];
    TcgRegUse uses[TCG_BLOCK_INSNS];
    uint64_t pcs[TCG_BLOCK_INSNS];
    /* RFLAGS bits that somebody may read in the host's flags before they are written again; and
     * whether those that are not among them leave the block by an indirect jump or a call, which
     * takes them along in hot.exit_flags. */
    uint16_t live_in[TCG_BLOCK_INSNS];
    bool exit_live[TCG_BLOCK_INSNS];
    uint64_t kept; /* instructions whose operands have to be, for flags.c */
    TcgPlace places[2 * TCG_BLOCK_INSNS];
    unsigned n_places;
    TcgFix fixes[TCG_FIXES];
    /* Where the block goes on in its page: flags that are wanted there, and the bytes that say so.
     */
    uint16_t ahead_live, ahead_offset;
    unsigned ahead_len;
    uint8_t ahead[64];
    /* Where it goes on behind jumps; whether one of them was backward, so that all jumps from there
     * on may close a circle. */
    unsigned n_parts, first_len; /* 0: the bytes in line are not known yet */
    TcgPart parts[TCG_PARTS];
    uint8_t part_source[TCG_PARTS][TCG_PART_BYTES];
    bool went_back;
    TcgGroups groups;
    TcgLoop loop;
    unsigned ungrouped; /* see tcg_translate() */
    bool hot;           /* see hot.c */
    bool checked;       /* see selfcheck.c */
    TcgSofts softs;
    const uint8_t *code_host; /* the block's first byte in the host's memory */
    TcgLabel stale;           /* the bytes are others; the flags are in hot.exit_flags */

    /* The current instruction. */
    unsigned index;
    const X86Insn *insn;
    uint64_t pc, next_pc;
    bool flags_live;  /* before it: a check must not touch flags */
    bool keeps;       /* its operands are kept: emit-kept.c */
    bool flags_saved; /* hot.exit_flags are the guest's, the host's may be anything */
    /* T0 is the address of the first byte of this group, as an instruction before left it, and what
     * the current one leaves there; of its access; TCG_GROUP_NONE. */
    uint8_t t0_group, t0_next, used_group;

    TcgCold cold[TCG_COLD_MAX];
    unsigned n_cold;
    struct {
        uint64_t pc;
        size_t jump;
        uint32_t stub; /* offset in the code, as jump */
        bool backward, in_memory, returns;
        uint16_t mode;
        uint8_t ungrouped;
        bool flags_dead;
    } links[TCG_BLOCK_INSNS + 3 + TCG_GROUPS];
    unsigned n_links;
    bool vec_checked; /* residency of vectors was tested in this block (emit-vec.c) */
    bool x87_checked;
    bool ended;
    TcgLabel entry_failed;        /* the tests of the entries lead here */
    TcgLabel entry_failed_parked; /* the same with RCX in T1 */
    bool entry_along;             /* with the flags in hot.exit_flags */
    uint8_t *hot_end;
} TcgEmit;

/* ---- emit-mem.c ---- */

/* The current instruction's memory operand, and the stack at guest rSP + DISP. */
TcgEa tcg_ea_operand(const TcgEmit *e);
TcgEa tcg_ea_stack(const TcgEmit *e, int64_t disp);
/* LEA of it into T0. May use T1. Flags are left alone. */
void tcg_emit_ea(TcgEmit *e, const TcgEa *ea);
/* Checks an access of SIZE bytes (1..64; writes: also read-modify-write). The operand is then at
 * [T0 + T1]; both are taken until it has been used. The slow path runs the whole instruction in the
 * interpreter and goes on behind the place where tcg_emit_mem_done() was called. */
TcgMem tcg_emit_mem(TcgEmit *e, const TcgEa *ea, unsigned size, bool write);
/* The same with the operand at T0 and a displacement, and T1 free. */
TcgMem tcg_emit_mem_single(TcgEmit *e, const TcgEa *ea, unsigned size, bool write);
/* T0 = host address of the item of SIZE bytes that is pushed next; T1 stays. Where the slow path
 * has entered the page the instruction begins anew at the code's offset AGAIN. False: nothing was
 * emitted. */
bool tcg_emit_push_in_t0(TcgEmit *e, unsigned size, size_t again);
/* PREFETCH0..2, NTA and W of the current instruction's operand. */
void tcg_emit_prefetch(TcgEmit *e);
/* After the last host instruction of an instruction with checks. */
void tcg_emit_mem_done(TcgEmit *e);
/* The slow paths, behind the block. */
void tcg_emit_cold(TcgEmit *e);
/* An entry's member where T1 is the place in the table. */
TcgMem tcg_tlb_mem(unsigned view, bool write, size_t member);
/* The check alone, of SIZE bytes at T0: T0 = offset in the page, T1 = the page. Flags are lost. */
void tcg_asm_check(TcgAsm *a, unsigned view, unsigned size, bool write, TcgLabel *fail);

/* ---- emit-loop.c ---- */
/* Whether the instructions begin with a loop, before groups are looked for. */
void tcg_loop_find(TcgEmit *e);
/* What of its accesses may be prepared. */
void tcg_loop_plan(TcgEmit *e);
/* The jump back; false: it is to be emitted as any other. */
bool tcg_emit_loop_jump(TcgEmit *e, TcgCond cond);
/* Behind the block. */
void tcg_emit_loop(TcgEmit *e);
/* An access in a loop's own instructions; false: it has to be checked. */
bool tcg_loop_operand(TcgEmit *e, const TcgEa *ea, unsigned size, bool write, TcgMem *out_mem);

/* ---- log.c ---- */
/* -d out_asm. */
void tcg_log_block(const TcgCpu *cpu, const TcgBlock *block);

/* ---- translate.c ---- */
/* Whether the block goes on where instruction INDEX, a direct jump, leads to. */
bool tcg_is_followed(const TcgEmit *e, unsigned index);
void tcg_emit_insn(TcgEmit *e, unsigned index);

/* ---- emit-alu.c ---- */
bool tcg_emit_int(TcgEmit *e);
bool tcg_emit_stack(TcgEmit *e);
/* The instruction again, its memory operand checked; what lives in the state is brought to scratch
 * registers and back. */
bool tcg_emit_pass_through(TcgEmit *e);
/* The host register of guest REG, loaded into SCRATCH when it lives in the state. */
unsigned tcg_emit_use(TcgEmit *e, unsigned reg, unsigned scratch);
/* guest REG = host register FROM, 8 bytes (4: zero-extended). */
void tcg_emit_set(TcgEmit *e, unsigned reg, unsigned from, unsigned size);
/* guest REG += VALUE at the stack's or address's width, flags left alone. */
void tcg_emit_add(TcgEmit *e, unsigned reg, int32_t value, unsigned size);

/* ---- emit-kept.c ---- */
/* Before the current instruction: keeps those of its operands that are in registers. */
void tcg_emit_keep(TcgEmit *e);
/* The current instruction, which keeps its operands, with the one in memory. */
void tcg_emit_kept_memory(TcgEmit *e);

/* ---- emit-home.c ---- */
/* The current instruction on a register that lives in the state, without scratch registers but T1.
 * False: nothing was emitted. */
bool tcg_emit_on_state(TcgEmit *e);

/* ---- emit-vec.c ---- */
/* SSE, AVX, x87, MMX. */
bool tcg_emit_vec(TcgEmit *e);
/* LDMXCSR, STMXCSR. */
bool tcg_emit_mxcsr(TcgEmit *e);

/* ---- emit-count.c: nothing where instructions are not counted ---- */
/* To FAIL unless the block may be executed; counts its instructions. */
void tcg_count_block(TcgEmit *e, bool flags_live, TcgLabel *fail);
/* Behind the current instruction: how many of the block's were not executed; they are given back.
 * T0 is used. */
unsigned tcg_count_left(const TcgEmit *e);
void tcg_count_leave(TcgEmit *e);
/* The same for those from the one at PC on. */
void tcg_count_give_back(TcgEmit *e, uint64_t pc);
/* C code is called for the instruction at PC, which counts by itself. */
void tcg_count_tell(TcgEmit *e, uint64_t pc);

/* ---- emit-flow.c ---- */
bool tcg_emit_flow(TcgEmit *e); /* sets e->ended where nothing follows */
/* The flags to hot.exit_flags and back. T1 is used. */
void tcg_emit_save_flags(TcgEmit *e);
void tcg_emit_restore_flags(TcgEmit *e);
/* Leaves for PC by a jump that can be linked; the second form for code in another mode. */
void tcg_emit_goto(TcgEmit *e, uint64_t pc);
void tcg_emit_goto_mode(TcgEmit *e, uint64_t pc, unsigned mode);
/* To COUNT instructions from PC on, in a block without groups. */
void tcg_emit_goto_ungrouped(TcgEmit *e, uint64_t pc, unsigned count, bool flags_saved);

/* ---- selfcheck.c ---- */
/* Goes to e->stale unless the LEN bytes of the block are in memory. The flags are free. */
void tcg_emit_self_check(TcgEmit *e, unsigned len);
bool tcg_checked_goes_on(const X86Insn *insn);
/* The current instruction's displacement in memory, where it is a soft field. */
const uint8_t *tcg_soft_disp(const TcgEmit *e);
bool tcg_is_soft(const TcgEmit *e);
/* The instruction with its immediate read from memory. False: it is as it was decoded. */
bool tcg_emit_soft_immediate(TcgEmit *e);

/* ---- emit-string.c ---- */
bool tcg_emit_string(TcgEmit *e);
/* t->rep_slow is there. */
void tcg_rep_make_thunks(TcgThunks *t, TcgAsm *a);
void tcg_mem_make_thunks(TcgThunks *t, TcgAsm *a); /* behind t->slow */

/* ---- emit-system.c ---- */
/* System instructions that need no helper. */
bool tcg_emit_system(TcgEmit *e);
bool tcg_is_inline_system(const TcgEmit *e, const X86Insn *insn);
void tcg_emit_entry(TcgEmit *e, TcgBlock *block, unsigned fetch_slot, uint32_t stamp);
void tcg_emit_links(TcgEmit *e, TcgBlock *block);
/* One instruction by the interpreter, in place. */
void tcg_emit_interpret(TcgEmit *e);
void tcg_emit_interpret_leave(TcgEmit *e);
/* The same for one that is not what was decoded. */
void tcg_emit_interpret_soft(TcgEmit *e);
