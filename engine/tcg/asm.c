/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The host encoder: formats, labels and jumps (see asm.h; instructions by name: asm-insns.c). Intel
 * SDM volume 2 chapter 2.
 *
 * The bounds are looked at once for each instruction; the last bytes of a buffer therefore stay
 * unused. It is put together where it belongs: bytes that were just written elsewhere and are read
 * again by sixteen, to be copied, cost more than the rest.
 * Forward references wait in fixups, chained from their label.
 * Thread: that of the TcgAsm.
 */

#include "asm.h"

#include "x86-insn.h"

#include <string.h>

enum { SLACK = TCG_ASM_SLACK, LONGEST = 15, MOVABLE_MAX = 15 };

/* The instruction under way, at a->at or, where that cannot be, in a->lost. */
typedef struct Insn {
    uint8_t *start, *at;
} Insn;

static inline Insn
begin(TcgAsm *a)
{
    bool room = a->state == TCG_ASM_OK && a->end - a->at >= SLACK;
    uint8_t *at = G_LIKELY(room) ? a->at : a->lost;

    return (Insn){ at, at };
}

static inline void
put(Insn *i, uint8_t byte)
{
    *i->at++ = byte;
}

static inline void
put_value(Insn *i, int64_t value, unsigned size)
{
    memcpy(i->at, &value, 8);
    i->at += size;
}

static inline unsigned
length(const Insn *i)
{
    return (unsigned)(i->at - i->start);
}

static inline void
fail(TcgAsm *a, TcgAsmState state)
{
    if (a->state == TCG_ASM_OK) {
        a->state = state;
    }
}

static inline void
flush(TcgAsm *a, const Insn *i)
{
    if (G_UNLIKELY(length(i) > LONGEST)) {
        fail(a, TCG_ASM_RANGE);
    } else if (G_UNLIKELY(i->start != a->at)) {
        fail(a, TCG_ASM_FULL);
    } else if (G_LIKELY(a->state == TCG_ASM_OK)) {
        a->at = i->at;
    }
}

void
tcg_asm_init(TcgAsm *a, void *start, size_t len_bytes, ptrdiff_t exec_delta)
{
    a->start = a->at = start;
    a->end = a->start + len_bytes;
    a->movable = a->movable_end = NULL;
    a->exec_delta = exec_delta;
    a->state = TCG_ASM_OK;
    a->free_fixup = 0;
    a->used_fixups = 0;
    a->cold = NULL;
    a->fixes = NULL;
    a->n_fixes = 0;
    a->pinned = false;
}

static void
note_at(TcgAsm *a, TcgFixKind kind, const uint8_t *place)
{
    bool cold = a->cold && place >= a->cold;
    size_t offset = (size_t)(place - (cold ? a->cold : a->start));

    if (!a->fixes || a->state != TCG_ASM_OK) {
        return;
    }
    if (a->n_fixes == a->fixes_len || offset > UINT16_MAX) {
        a->pinned = true;
        return;
    }
    a->fixes[a->n_fixes++] = (TcgFix){ (uint16_t)offset, (uint8_t)kind, cold };
}

void
tcg_asm_note(TcgAsm *a, TcgFixKind kind, unsigned ago)
{
    note_at(a, kind, a->at - ago);
}

/* A displacement at OFFSET that leads to TO, both from the start. */
static void
note_across(TcgAsm *a, size_t offset, size_t to)
{
    if (a->cold && (a->start + offset >= a->cold) != (a->start + to >= a->cold)) {
        note_at(a, TCG_FIX_ACROSS, a->start + offset);
    }
}

void
tcg_asm_bytes(TcgAsm *a, const void *bytes, size_t len_bytes)
{
    Insn i = begin(a);

    g_return_if_fail(len_bytes <= LONGEST);
    memcpy(i.at, bytes, len_bytes);
    i.at += len_bytes;
    flush(a, &i);
}

void
tcg_asm_u32(TcgAsm *a, uint32_t value)
{
    tcg_asm_bytes(a, &value, 4);
}

void
tcg_asm_u64(TcgAsm *a, uint64_t value)
{
    tcg_asm_bytes(a, &value, 8);
}

/* The recommended multi-byte sequences: SDM volume 2, NOP. Longest used: nine bytes. */
void
tcg_asm_nop(TcgAsm *a, size_t len_bytes)
{
    static const uint8_t forms[9][9] = {
        { 0x90 },
        { 0x66, 0x90 },
        { 0x0f, 0x1f, 0x00 },
        { 0x0f, 0x1f, 0x40, 0x00 },
        { 0x0f, 0x1f, 0x44, 0x00, 0x00 },
        { 0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00 },
        { 0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00 },
        { 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00 },
        { 0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00 },
    };

    while (len_bytes != 0 && a->state == TCG_ASM_OK) {
        size_t len = MIN(len_bytes, VIT_ARRAY_LEN(forms));
        tcg_asm_bytes(a, forms[len - 1], len);
        len_bytes -= len;
    }
}

void
tcg_asm_align(TcgAsm *a, size_t alignment)
{
    tcg_asm_nop(a, -(uintptr_t)tcg_asm_here(a) & (alignment - 1));
}

/* The ModRM byte, SIB and displacement of MEM. TAIL bytes of immediate follow. DISP_SHIFT: EVEX
 * counts short displacements in units of 1 << DISP_SHIFT. */
static inline void
put_memory(TcgAsm *a, Insn *i, unsigned reg, const TcgMem *mem, unsigned tail, unsigned disp_shift)
{
    uint8_t digit = (uint8_t)((reg & 7) << 3);
    int32_t small = mem->disp >> disp_shift;
    bool fits = !mem->long_disp && small == (int8_t)small && small * (1 << disp_shift) == mem->disp;
    unsigned mod;

    if (mem->base == TCG_NO_REG && mem->index == TCG_NO_REG) {
        const uint8_t *next = tcg_asm_here(a) + length(i) + 5 + tail;
        ptrdiff_t distance = (const uint8_t *)mem->target - next;

        a->pinned |= mem->target != NULL;
        if (mem->target && distance == (int32_t)distance) {
            put(i, digit | 5);
            put_value(i, distance, 4);
            return;
        }
        if (mem->target && (uintptr_t)mem->target > INT32_MAX) {
            fail(a, TCG_ASM_RANGE);
        }
        put(i, digit | 4);
        put(i, 0x25);
        put_value(i, mem->target ? (int32_t)(uintptr_t)mem->target : mem->disp, 4);
        return;
    }
    if (mem->base == TCG_NO_REG) { /* index alone: always a long displacement */
        put(i, digit | 4);
        put(i, (uint8_t)(mem->scale << 6 | (mem->index & 7) << 3 | 5));
        put_value(i, mem->disp, 4);
        return;
    }
    mod = mem->disp == 0 && (mem->base & 7) != 5 ? 0 : fits ? 0x40 : 0x80;
    if (mem->index == TCG_NO_REG && (mem->base & 7) != 4) {
        put(i, (uint8_t)(mod | digit | (mem->base & 7)));
    } else {
        unsigned index = mem->index == TCG_NO_REG ? 4 : mem->index & 7;

        put(i, (uint8_t)(mod | digit | 4));
        put(i, (uint8_t)(mem->scale << 6 | index << 3 | (mem->base & 7)));
    }
    if (mod == 0x40) {
        put(i, (uint8_t)small);
    } else if (mod == 0x80) {
        put_value(i, mem->disp, 4);
    }
}

static inline unsigned
mem_rex(const TcgMem *mem)
{
    return (mem->base != TCG_NO_REG && (mem->base & 8) ? 1 : 0) |
           (mem->index != TCG_NO_REG && (mem->index & 8) ? 2 : 0);
}

/* Prefixes, REX and opcode. REX: the register extension bits. */
static inline void
put_opcode(TcgAsm *a, Insn *i, const TcgOp *op, unsigned rex, bool force_rex, uint8_t opcode)
{
    unsigned map = op->opcode >> 8;

    if (op->lock) {
        put(i, 0xf0);
    }
    if (op->opsize && op->prefix != 0x66) {
        put(i, 0x66);
    }
    if (op->prefix) {
        put(i, op->prefix);
    }
    rex |= op->wide ? 8 : 0;
    if (rex || force_rex) {
        if (op->no_rex) {
            fail(a, TCG_ASM_RANGE);
        }
        put(i, (uint8_t)(0x40 | rex));
    }
    if (map != X86_MAP_1B) {
        put(i, 0x0f);
        if (map != X86_MAP_0F) {
            put(i, map == X86_MAP_0F38 ? 0x38 : 0x3a);
        }
    }
    put(i, opcode);
}

static inline bool
needs_rex(bool byte, unsigned reg)
{
    return byte && reg >= 4 && reg < 8;
}

void
tcg_asm_op_rr(TcgAsm *a, const TcgOp *op, unsigned reg, unsigned rm)
{
    Insn i = begin(a);

    put_opcode(a, &i, op, (reg >> 3 & 1) << 2 | (rm >> 3 & 1),
               needs_rex(op->byte_reg, reg) || needs_rex(op->byte_rm, rm), (uint8_t)op->opcode);
    put(&i, (uint8_t)(0xc0 | (reg & 7) << 3 | (rm & 7)));
    put_value(&i, op->value, op->imm_size);
    flush(a, &i);
}

void
tcg_asm_op_rm(TcgAsm *a, const TcgOp *op, unsigned reg, TcgMem mem)
{
    Insn i = begin(a);

    if (mem.address32) {
        put(&i, 0x67);
    }
    put_opcode(a, &i, op, (reg >> 3 & 1) << 2 | mem_rex(&mem), needs_rex(op->byte_reg, reg),
               (uint8_t)op->opcode);
    put_memory(a, &i, reg, &mem, op->imm_size, 0);
    put_value(&i, op->value, op->imm_size);
    flush(a, &i);
}

void
tcg_asm_op_o(TcgAsm *a, const TcgOp *op, unsigned reg)
{
    Insn i = begin(a);

    put_opcode(a, &i, op, reg >> 3 & 1, needs_rex(op->byte_rm, reg),
               (uint8_t)(op->opcode | (reg & 7)));
    put_value(&i, op->value, op->imm_size);
    flush(a, &i);
}

void
tcg_asm_op(TcgAsm *a, const TcgOp *op)
{
    Insn i = begin(a);

    put_opcode(a, &i, op, 0, false, (uint8_t)op->opcode);
    put_value(&i, op->value, op->imm_size);
    flush(a, &i);
}

/* The two-byte form when X, B and W are clear and the map is 0F. */
static inline void
put_vex(Insn *i, const TcgOp *op, bool l, unsigned rex, unsigned vvvv)
{
    unsigned pp = op->prefix == 0x66 ? 1 : op->prefix == 0xf3 ? 2 : op->prefix == 0xf2 ? 3 : 0;
    unsigned low = (~vvvv & 15) << 3 | (l ? 4 : 0) | pp;
    unsigned map = op->opcode >> 8;

    if (map == X86_MAP_0F && !op->wide && !(rex & 3)) {
        put(i, 0xc5);
        put(i, (uint8_t)((rex & 4 ? 0 : 0x80) | low));
    } else {
        put(i, 0xc4);
        put(i, (uint8_t)((~rex & 7) << 5 | map));
        put(i, (uint8_t)((op->wide ? 0x80 : 0) | low));
    }
    put(i, (uint8_t)op->opcode);
}

void
tcg_asm_vex_rr(TcgAsm *a, const TcgOp *op, bool l, unsigned reg, unsigned vvvv, unsigned rm)
{
    Insn i = begin(a);

    put_vex(&i, op, l, (reg >> 3 & 1) << 2 | (rm >> 3 & 1), vvvv);
    put(&i, (uint8_t)(0xc0 | (reg & 7) << 3 | (rm & 7)));
    put_value(&i, op->value, op->imm_size);
    flush(a, &i);
}

void
tcg_asm_vex_rm(TcgAsm *a, const TcgOp *op, bool l, unsigned reg, unsigned vvvv, TcgMem mem)
{
    Insn i = begin(a);

    if (mem.address32) {
        put(&i, 0x67);
    }
    put_vex(&i, op, l, (reg >> 3 & 1) << 2 | mem_rex(&mem), vvvv);
    put_memory(a, &i, reg, &mem, op->imm_size, 0);
    put_value(&i, op->value, op->imm_size);
    flush(a, &i);
}

/* REX: extension bits 3 (R, X, B); HIGH: R' of the register. */
static inline void
put_evex(Insn *i, const TcgOp *op, const TcgEvex *evex, unsigned rex, bool high)
{
    unsigned pp = op->prefix == 0x66 ? 1 : op->prefix == 0xf3 ? 2 : op->prefix == 0xf2 ? 3 : 0;

    put(i, 0x62);
    put(i, (uint8_t)((~rex & 7) << 5 | (high ? 0 : 0x10) | op->opcode >> 8));
    put(i, (uint8_t)((op->wide ? 0x80 : 0) | (~evex->vvvv & 15) << 3 | 4 | pp));
    put(i, (uint8_t)((evex->z ? 0x80 : 0) | evex->ll << 5 | (evex->b ? 0x10 : 0) |
                     (evex->vvvv & 16 ? 0 : 8) | evex->aaa));
    put(i, (uint8_t)op->opcode);
}

void
tcg_asm_evex_rr(TcgAsm *a, const TcgOp *op, const TcgEvex *evex, unsigned reg, unsigned rm)
{
    Insn i = begin(a);

    /* X extends rm, which has no index. */
    put_evex(&i, op, evex, (reg >> 3 & 1) << 2 | (rm >> 4 & 1) << 1 | (rm >> 3 & 1), reg & 16);
    put(&i, (uint8_t)(0xc0 | (reg & 7) << 3 | (rm & 7)));
    put_value(&i, op->value, op->imm_size);
    flush(a, &i);
}

void
tcg_asm_evex_rm(TcgAsm *a, const TcgOp *op, const TcgEvex *evex, unsigned reg, TcgMem mem)
{
    Insn i = begin(a);

    if (mem.address32) {
        put(&i, 0x67);
    }
    put_evex(&i, op, evex, (reg >> 3 & 1) << 2 | mem_rex(&mem), reg & 16);
    put_memory(a, &i, reg, &mem, op->imm_size, evex->disp_shift);
    put_value(&i, op->value, op->imm_size);
    flush(a, &i);
}

/* Labels */

static void
store_displacement(TcgAsm *a, uint32_t offset, unsigned size, int64_t distance)
{
    if (size == 1) {
        if (distance != (int8_t)distance) {
            fail(a, TCG_ASM_RANGE);
        }
        a->start[offset] = (uint8_t)distance;
    } else {
        int32_t value = (int32_t)distance;
        memcpy(a->start + offset, &value, 4);
    }
}

void
tcg_asm_bind(TcgAsm *a, TcgLabel *label)
{
    size_t here = tcg_asm_offset(a);

    while (label->uses != 0) {
        uint16_t n = label->uses;
        unsigned size = a->fixups[n].size;

        store_displacement(a, a->fixups[n].offset, size,
                           (int64_t)here - (int64_t)(a->fixups[n].offset + size));
        note_across(a, a->fixups[n].offset, here);
        label->uses = a->fixups[n].next;
        a->fixups[n].next = a->free_fixup;
        a->free_fixup = n;
    }
    label->place = (uint32_t)here + 1;
}

static void
add_fixup(TcgAsm *a, TcgLabel *label, unsigned size)
{
    uint16_t n = a->free_fixup;

    if (a->state != TCG_ASM_OK) {
        return;
    }
    if (n != 0) {
        a->free_fixup = a->fixups[n].next;
    } else if (a->used_fixups + 1 < TCG_ASM_FIXUPS) {
        n = ++a->used_fixups;
    } else {
        fail(a, TCG_ASM_RANGE);
        return;
    }
    a->fixups[n].offset = (uint32_t)tcg_asm_offset(a) - size;
    a->fixups[n].size = (uint8_t)size;
    a->fixups[n].next = label->uses;
    label->uses = n;
}

/* A jump with short form SHORT_OP and near form NEAR_OP (0 = none; above FF: 0F and the byte). */
static void
jump(TcgAsm *a, TcgLabel *label, unsigned short_op, unsigned near_op, bool want_short)
{
    Insn i = begin(a);
    int64_t distance =
        label->place ? (int64_t)label->place - 1 - (int64_t)tcg_asm_offset(a) - 2 : 0;
    bool is_short = short_op && (label->place ? distance == (int8_t)distance : want_short);

    if (is_short || !near_op) {
        put(&i, (uint8_t)short_op);
        if (distance != (int8_t)distance) {
            fail(a, TCG_ASM_RANGE);
        }
        put(&i, (uint8_t)distance);
    } else {
        if (near_op > 0xff) {
            put(&i, 0x0f);
        }
        put(&i, (uint8_t)near_op);
        put_value(&i, distance + 2 - (length(&i) + 4), 4);
    }
    flush(a, &i);
    if (!label->place) {
        add_fixup(a, label, is_short || !near_op ? 1 : 4);
    } else if (!is_short && near_op) {
        note_across(a, tcg_asm_offset(a) - 4, label->place - 1);
    }
}

void
tcg_asm_jmp(TcgAsm *a, TcgLabel *label)
{
    jump(a, label, 0xeb, 0xe9, false);
}

void
tcg_asm_jmp_short(TcgAsm *a, TcgLabel *label)
{
    jump(a, label, 0xeb, 0, true);
}

void
tcg_asm_jcc(TcgAsm *a, TcgCond cond, TcgLabel *label)
{
    jump(a, label, 0x70 + cond, 0x0f80 + cond, false);
}

void
tcg_asm_jcc_short(TcgAsm *a, TcgCond cond, TcgLabel *label)
{
    jump(a, label, 0x70 + cond, 0, true);
}

void
tcg_asm_jrcxz(TcgAsm *a, TcgLabel *label)
{
    jump(a, label, 0xe3, 0, true);
}

void
tcg_asm_jecxz(TcgAsm *a, TcgLabel *label)
{
    Insn i = begin(a);

    put(&i, 0x67);
    flush(a, &i);
    jump(a, label, 0xe3, 0, true);
}

void
tcg_asm_call(TcgAsm *a, TcgLabel *label)
{
    jump(a, label, 0, 0xe8, false);
}

/* Jumps and calls to addresses. OPCODE as above. False = out of reach. */
static bool
jump_to(TcgAsm *a, unsigned opcode, const void *target)
{
    Insn i = begin(a);
    ptrdiff_t distance;

    if (opcode > 0xff) {
        put(&i, 0x0f);
    }
    put(&i, (uint8_t)opcode);
    distance = (const uint8_t *)target - (tcg_asm_here(a) + length(&i) + 4);
    if (distance != (int32_t)distance) {
        return false;
    }
    put_value(&i, distance, 4);
    flush(a, &i);
    return true;
}

void
tcg_asm_jmp_to(TcgAsm *a, const void *target)
{
    if (!jump_to(a, 0xe9, target)) {
        fail(a, TCG_ASM_RANGE);
    }
    tcg_asm_note(a, TCG_FIX_OUT, 4);
}

void
tcg_asm_jcc_to(TcgAsm *a, TcgCond cond, const void *target)
{
    if (!jump_to(a, 0x0f80 + cond, target)) {
        fail(a, TCG_ASM_RANGE);
    }
    tcg_asm_note(a, TCG_FIX_OUT, 4);
}

void
tcg_asm_call_to(TcgAsm *a, const void *target)
{
    if (!jump_to(a, 0xe8, target)) {
        fail(a, TCG_ASM_RANGE);
    }
    tcg_asm_note(a, TCG_FIX_OUT, 4);
}

void
tcg_asm_jmp_far(TcgAsm *a, const void *target, unsigned scratch)
{
    a->pinned = true;
    if (!jump_to(a, 0xe9, target)) {
        tcg_asm_mov_ri(a, scratch, (uintptr_t)target);
        tcg_asm_jmp_r(a, scratch);
    }
}

void
tcg_asm_call_far(TcgAsm *a, const void *target, unsigned scratch)
{
    a->pinned = true;
    if (!jump_to(a, 0xe8, target)) {
        tcg_asm_mov_ri(a, scratch, (uintptr_t)target);
        tcg_asm_call_r(a, scratch);
    }
}

void
tcg_asm_may_move(TcgAsm *a, uint8_t *start)
{
    bool short_enough = a->state == TCG_ASM_OK && a->at - start <= MOVABLE_MAX;

    a->movable = short_enough ? start : NULL;
    a->movable_end = short_enough ? a->at : NULL;
}

static size_t
jump_patchable(TcgAsm *a, unsigned opcode, const void *target)
{
    unsigned head = opcode > 0xff ? 2 : 1;
    size_t pad = -((uintptr_t)tcg_asm_here(a) + head) & 3;

    if (pad && head == 2 && a->movable_end == a->at && a->movable < a->at) {
        size_t len = (size_t)(a->at - a->movable);
        uint8_t bytes[MOVABLE_MAX];
        memcpy(bytes, a->movable, len);
        a->at = a->movable;
        tcg_asm_nop(a, pad);
        tcg_asm_bytes(a, bytes, len);
    } else {
        tcg_asm_nop(a, pad);
    }
    if (!jump_to(a, opcode, target)) {
        fail(a, TCG_ASM_RANGE);
        return 0;
    }
    return a->state == TCG_ASM_OK ? tcg_asm_offset(a) - 4 : 0;
}

size_t
tcg_asm_jmp_patchable(TcgAsm *a, const void *target)
{
    return jump_patchable(a, 0xe9, target);
}

size_t
tcg_asm_call_patchable(TcgAsm *a, const void *target)
{
    return jump_patchable(a, 0xe8, target);
}

size_t
tcg_asm_jcc_patchable(TcgAsm *a, TcgCond cond, const void *target)
{
    return jump_patchable(a, 0x0f80 + cond, target);
}

bool
tcg_asm_patch(void *write, ptrdiff_t exec_delta, const void *target)
{
    ptrdiff_t distance = (const uint8_t *)target - ((uint8_t *)write + exec_delta + 4);

    if (distance != (int32_t)distance || ((uintptr_t)write & 3)) {
        return false;
    }
    __atomic_store_n((int32_t *)write, (int32_t)distance, __ATOMIC_RELEASE);
    return true;
}

const void *
tcg_asm_patch_target(const void *write, ptrdiff_t exec_delta)
{
    return (const uint8_t *)write + exec_delta + 4 +
           __atomic_load_n((const int32_t *)write, __ATOMIC_RELAXED);
}
