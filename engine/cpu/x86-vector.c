/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Stub maker and cache: see x86-vector.h.
 *
 * A stub is one 128-byte block of an executable buffer: header (x86-host-fault.h), loads of the
 * operands the row reads, the guest's opcode re-encoded, stores of the operands the row writes.
 * Register homes while a stub runs (all below 8, so the opcode needs no register extension bits):
 *
 *   operand          vector/MMX   pointer   general
 *   ModRM.reg        xmm1/mm1     r8        rax
 *   ModRM.rm         xmm2/mm2     rsi       rcx      (memory: [rsi])
 *   VEX.vvvv         xmm3         rdx       rdx
 *   imm8[7:4]        xmm4         rcx       -
 *   implicit XMM0    xmm0         r9        -
 *
 * Legacy SSE loads and stores 16 bytes, which keeps the upper part of the guest register; VEX
 * loads and stores 32, of which a 128-bit operation has zeroed the upper half.
 *
 * The buffer is a memfd mapped twice, once to write and once to execute. When it is full all
 * stubs are dropped, and the CPU is serialized before any of its memory gets a second life (Intel
 * SDM volume 3 section 9.1.3: code written through another linear address). A first life needs no
 * such care: nothing can have fetched there before. Intel SDM volume 2 chapter 2 (encodings).
 */

#include "x86-vector.h"

#include "vit-error.h"
#include "x86-host-fault.h"

#include <cpuid.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_STUBS  8192u
#define INDEX_BITS 14
#define CODE_BYTES ((size_t)MAX_STUBS * X86_HOST_BLOCK_SIZE)

struct X86VectorUnit {
    uint8_t *write_base;
    uint8_t *exec_base; /* another view of the same memory, or the same */
    unsigned count;
    uint16_t index[1u << INDEX_BITS]; /* open addressing; plan number + 1, 0 = free */
    X86VectorPlan plans[MAX_STUBS];
};

/* Host register numbers. */
enum { H_RAX, H_RCX, H_RDX, H_RSI = 6, H_RDI, H_R8, H_R9 };
enum { V_FIXED0, V_REG, V_RM, V_VVVV, V_IS4 };

typedef struct Emitter {
    uint8_t *start, *at;
    bool vex; /* 256-bit moves */
} Emitter;

static void
emit(Emitter *e, unsigned count, const uint8_t *bytes)
{
    if ((size_t)(e->at - e->start) + count <= X86_HOST_BLOCK_SIZE) {
        memcpy(e->at, bytes, count);
    }
    e->at += count; /* an overflow shows in the final length */
}

#define EMIT(e, ...) \
    emit(e, sizeof((const uint8_t[]){ __VA_ARGS__ }), (const uint8_t[]){ __VA_ARGS__ })

/* Vector register VEC from or to [POINTER]. */
static void
emit_vec_move(Emitter *e, bool store, unsigned vec, unsigned pointer)
{
    uint8_t modrm = (uint8_t)(vec << 3 | (pointer & 7));

    if (e->vex) { /* vmovdqu ymm */
        EMIT(e, 0xc4, pointer & 8 ? 0xc1 : 0xe1, 0x7e, store ? 0x7f : 0x6f, modrm);
    } else { /* movups xmm */
        EMIT(e, pointer & 8 ? 0x41 : 0x40, 0x0f, store ? 0x11 : 0x10, modrm);
    }
}

static void
emit_mmx_move(Emitter *e, bool store, unsigned vec, unsigned pointer)
{
    EMIT(e, pointer & 8 ? 0x41 : 0x40, 0x0f, store ? 0x7f : 0x6f,
         (uint8_t)(vec << 3 | (pointer & 7)));
}

/* A field of X86StubCall at [rdi + OFFSET]. */
static void
emit_gpr_move(Emitter *e, bool store, unsigned gpr)
{
    EMIT(e, 0x48, store ? 0x89 : 0x8b, (uint8_t)(0x47 | gpr << 3),
         (uint8_t)(offsetof(X86StubCall, gpr) + gpr * 8));
}

static void
emit_ldmxcsr(Emitter *e, size_t offset)
{
    EMIT(e, 0x0f, 0xae, 0x57, (uint8_t)offset);
}

static void
emit_stmxcsr(Emitter *e)
{
    EMIT(e, 0x0f, 0xae, 0x5f, offsetof(X86StubCall, mxcsr));
}

static void
emit_store_flags(Emitter *e)
{
    EMIT(e, 0x9c, 0x8f, 0x47, offsetof(X86StubCall, flags)); /* pushfq; pop [rdi + flags] */
}

unsigned
x86_vector_operand_bytes(const X86Insn *insn, uint8_t size)
{
    unsigned vector = insn->vector_bytes ? insn->vector_bytes : 16;

    switch (size) {
    case X86_SZ_VEC: return vector;
    case X86_SZ_VEC_HALF: return vector / 2;
    case X86_SZ_VEC_QUARTER: return vector / 4;
    case X86_SZ_VEC_EIGHTH: return vector / 8;
    case X86_SZ_Y: return insn->rex_w && insn->code_size == 8 ? 8 : 4;
    case X86_SZ_V:
    case X86_SZ_Z: return insn->operand_size;
    default: return size;
    }
}

/* How an operand kind is held by a stub. */
typedef enum Home { HOME_NONE, HOME_VEC, HOME_MMX, HOME_GPR, HOME_MEMORY } Home;
typedef struct Slot {
    Home home;
    unsigned host;    /* vector or general register */
    unsigned pointer; /* where vectors are loaded from */
    uint8_t source;   /* X86_GPR_* for general registers */
} Slot;

static Slot
slot_of(const X86Insn *insn, const X86Operand *op)
{
    bool memory = insn->is_memory;

    switch (op->kind) {
    case X86_OP_VEC_REG: return (Slot){ HOME_VEC, V_REG, H_R8, 0 };
    case X86_OP_MMX_REG: return (Slot){ HOME_MMX, V_REG, H_R8, 0 };
    case X86_OP_MODRM_REG: return (Slot){ HOME_GPR, H_RAX, 0, X86_GPR_REG };
    case X86_OP_VEC_RM: return (Slot){ memory ? HOME_MEMORY : HOME_VEC, V_RM, H_RSI, 0 };
    case X86_OP_MMX_RM: return (Slot){ memory ? HOME_MEMORY : HOME_MMX, V_RM, H_RSI, 0 };
    case X86_OP_MODRM_M:
    case X86_OP_MODRM_R:
    case X86_OP_MODRM_RM: return (Slot){ memory ? HOME_MEMORY : HOME_GPR, H_RCX, 0, X86_GPR_RM };
    case X86_OP_VEC_VVVV: return (Slot){ HOME_VEC, V_VVVV, H_RDX, 0 };
    case X86_OP_VVVV: return (Slot){ HOME_GPR, H_RDX, 0, X86_GPR_VVVV };
    case X86_OP_VEC_IS4: return (Slot){ HOME_VEC, V_IS4, H_RCX, 0 };
    case X86_OP_VEC_FIXED0: return (Slot){ HOME_VEC, V_FIXED0, H_R9, 0 };
    case X86_OP_FIXED_REG:
        return (Slot){ op->fixed < X86_STUB_GPR_LAST ? HOME_GPR : HOME_NONE, op->fixed, 0,
                       X86_GPR_FIXED };
    default: return (Slot){ HOME_NONE, 0, 0, 0 };
    }
}

static void
note_operand(X86VectorPlan *plan, const X86Insn *insn, const X86Operand *op, const Slot *slot)
{
    switch (slot->home) {
    case HOME_MEMORY:
        plan->memory_size = (uint8_t)x86_vector_operand_bytes(insn, op->size);
        plan->memory_access = op->access;
        plan->needs_alignment = insn->encoding == X86_ENC_LEGACY && plan->memory_size == 16;
        break;
    case HOME_MMX: plan->uses_mmx = true; break;
    case HOME_VEC:
        plan->uses_vec = true;
        plan->writes_vex |= insn->encoding == X86_ENC_VEX && (op->access & X86_ACC_W);
        break;
    case HOME_GPR:
        plan->any_gpr = true;
        if (op->access & X86_ACC_R) {
            plan->gpr_in[slot->host] = slot->source;
        }
        if (op->access & X86_ACC_W) {
            plan->gpr_out[slot->host] = slot->source;
        }
        break;
    default: break;
    }
    if (slot->home == HOME_MMX && op->kind == X86_OP_MMX_REG) {
        plan->reg_is_mmx = true;
        plan->writes_mmx_reg = op->access & X86_ACC_W;
    } else if (slot->home == HOME_MMX) {
        plan->rm_is_mmx = true;
        plan->writes_mmx_rm = op->access & X86_ACC_W;
    }
}

/* Vector operands go first: their pointers share registers with the general operands. */
static void
emit_loads(Emitter *e, X86VectorPlan *plan, const X86Insn *insn)
{
    const X86OpRow *row = insn->row;

    for (unsigned i = 0; i < VIT_ARRAY_LEN(row->operand); i++) {
        const X86Operand *op = &row->operand[i];
        Slot slot = slot_of(insn, op);

        note_operand(plan, insn, op, &slot);
        if (!(op->access & X86_ACC_R)) {
            continue;
        }
        if (slot.home == HOME_VEC) {
            emit_vec_move(e, false, slot.host, slot.pointer);
        } else if (slot.home == HOME_MMX) {
            emit_mmx_move(e, false, slot.host, slot.pointer);
        }
    }
    for (unsigned gpr = 0; gpr < X86_STUB_GPR_LAST; gpr++) {
        if (plan->gpr_in[gpr] != X86_GPR_NONE) {
            emit_gpr_move(e, false, gpr);
        }
    }
}

static void
emit_stores(Emitter *e, const X86VectorPlan *plan, const X86Insn *insn)
{
    const X86OpRow *row = insn->row;

    for (unsigned i = 0; i < VIT_ARRAY_LEN(row->operand); i++) {
        const X86Operand *op = &row->operand[i];
        Slot slot = slot_of(insn, op);

        if (!(op->access & X86_ACC_W)) {
            continue;
        }
        if (slot.home == HOME_VEC) {
            emit_vec_move(e, true, slot.host, slot.pointer);
        } else if (slot.home == HOME_MMX) {
            emit_mmx_move(e, true, slot.host, slot.pointer);
        }
    }
    for (unsigned gpr = 0; gpr < X86_STUB_GPR_LAST; gpr++) {
        if (plan->gpr_out[gpr] != X86_GPR_NONE) {
            emit_gpr_move(e, true, gpr);
        }
    }
}

/* ModRM with the stub's registers. */
static uint8_t
host_modrm(const X86Insn *insn)
{
    const X86OpRow *row = insn->row;
    unsigned reg = V_REG, rm = insn->is_memory ? H_RSI : V_RM;

    for (unsigned i = 0; i < VIT_ARRAY_LEN(row->operand); i++) {
        Slot slot = slot_of(insn, &row->operand[i]);

        if (slot.home == HOME_GPR && slot.source == X86_GPR_REG) {
            reg = slot.host;
        } else if (slot.home == HOME_GPR && slot.source == X86_GPR_RM) {
            rm = slot.host;
        }
    }
    if (row->modrm_reg >= 0) {
        reg = (unsigned)row->modrm_reg;
    }
    if (row->modrm_rm >= 0) {
        rm = (unsigned)row->modrm_rm;
    }
    return (uint8_t)((insn->is_memory ? 0 : 0xc0) | reg << 3 | rm);
}

static bool
has_general_operand(const X86OpRow *row)
{
    for (unsigned i = 0; i < VIT_ARRAY_LEN(row->operand); i++) {
        uint8_t kind = row->operand[i].kind;

        if (kind == X86_OP_MODRM_REG || kind == X86_OP_MODRM_RM || kind == X86_OP_MODRM_R ||
            kind == X86_OP_FIXED_REG) {
            return true;
        }
    }
    return false;
}

static bool
uses_operand(const X86OpRow *row, uint8_t kind)
{
    for (unsigned i = 0; i < VIT_ARRAY_LEN(row->operand); i++) {
        if (row->operand[i].kind == kind) {
            return true;
        }
    }
    return false;
}

static void
emit_opcode_legacy(Emitter *e, const X86Insn *insn)
{
    static const uint8_t prefix[] = { [X86_PP_66] = 0x66, [X86_PP_F3] = 0xf3, [X86_PP_F2] = 0xf2 };
    const X86OpRow *row = insn->row;

    if (row->pp >= X86_PP_66 && row->pp <= X86_PP_F2) {
        EMIT(e, prefix[row->pp]);
    }
    if (insn->rex_w && insn->code_size == 8) {
        EMIT(e, 0x48);
    }
    EMIT(e, 0x0f);
    if (row->map == X86_MAP_0F38) {
        EMIT(e, 0x38);
    } else if (row->map == X86_MAP_0F3A) {
        EMIT(e, 0x3a);
    }
}

static void
emit_opcode_vex(Emitter *e, const X86Insn *insn)
{
    const X86OpRow *row = insn->row;
    /* W chooses the size of a general register only in 64-bit code. */
    bool w = insn->rex_w && (insn->code_size == 8 || !has_general_operand(row));
    unsigned vvvv = uses_operand(row, X86_OP_VEC_VVVV) ? V_VVVV
                    : uses_operand(row, X86_OP_VVVV)   ? H_RDX
                                                       : 0;

    EMIT(e, 0xc4, (uint8_t)(0xe0 | row->map),
         (uint8_t)((w ? 0x80 : 0) | (~vvvv & 15) << 3 | (insn->vex_l ? 4 : 0) | row->pp));
}

static void
emit_opcode(Emitter *e, const X86Insn *insn)
{
    const X86OpRow *row = insn->row;
    unsigned immediates = 0;

    if (row->encoding == X86_ENC_VEX) {
        emit_opcode_vex(e, insn);
    } else {
        emit_opcode_legacy(e, insn);
    }
    EMIT(e, row->opcode, host_modrm(insn));
    for (unsigned i = 0; i < VIT_ARRAY_LEN(row->operand); i++) {
        if (row->operand[i].kind == X86_OP_IMM) {
            EMIT(e, (uint8_t)(immediates++ == 0 ? insn->imm : insn->imm2));
        }
    }
    if (uses_operand(row, X86_OP_VEC_IS4)) {
        EMIT(e, (uint8_t)(V_IS4 << 4 | (insn->imm & 15)));
    }
}

static void
emit_simd(Emitter *e, X86VectorPlan *plan, const X86Insn *insn, X86HostBlock *block)
{
    const X86OpRow *row = insn->row;
    bool floating = row->flags & X86_ROW_FP_EXC;

    e->vex = row->encoding == X86_ENC_VEX;
    if (floating) {
        emit_ldmxcsr(e, offsetof(X86StubCall, mxcsr));
    }
    emit_loads(e, plan, insn);
    emit_opcode(e, insn);
    emit_stores(e, plan, insn);
    if (row->flags_written) {
        emit_store_flags(e);
    }
    EMIT(e, 0x31, 0xc0); /* X86_HOST_FAULT_NONE; a fault goes on behind it, with its own in EAX */
    block->recover_offset = (uint32_t)(e->at - e->start);
    if (floating) {
        emit_stmxcsr(e);
        emit_ldmxcsr(e, offsetof(X86StubCall, host_mxcsr));
    }
    if (plan->uses_mmx) {
        EMIT(e, 0x0f, 0x77); /* emms */
    }
    if (e->vex) {
        EMIT(e, 0xc5, 0xf8, 0x77); /* vzeroupper */
    }
    EMIT(e, 0xc3);
}

/* EVEX. These stubs work on the registers of the guest's own numbers, so that only memory and
 * general operands are replaced: RDX points to the vectors, R8 to the mask registers, RSI to
 * memory. */

static void
emit_zmm_move(Emitter *e, bool store, unsigned vec)
{
    EMIT(e, 0x62, (uint8_t)(0x61 | (vec & 8 ? 0 : 0x80) | (vec & 16 ? 0 : 0x10)), 0xfe, 0x48,
         store ? 0x7f : 0x6f, (uint8_t)(0x42 | (vec & 7) << 3), (uint8_t)vec);
}

static void
emit_mask_move(Emitter *e, bool store, unsigned k)
{
    EMIT(e, 0xc4, 0xc1, 0xf8, store ? 0x91 : 0x90, (uint8_t)(0x40 | k << 3), (uint8_t)(k * 8));
}

/* The register of operand OP, or -1 when it is none of vectors and masks. */
static int
evex_register(const X86Insn *insn, const X86Operand *op, bool *out_mask)
{
    *out_mask = op->kind == X86_OP_KREG || op->kind == X86_OP_KRM || op->kind == X86_OP_KVVVV;
    switch (op->kind) {
    case X86_OP_VEC_REG:
    case X86_OP_KREG: return insn->reg;
    case X86_OP_VEC_RM:
    case X86_OP_KRM: return insn->is_memory ? -1 : insn->rm;
    case X86_OP_VEC_VVVV:
    case X86_OP_KVVVV: return insn->vvvv;
    default: return -1;
    }
}

static void
emit_evex_registers(Emitter *e, const X86Insn *insn, bool store)
{
    for (unsigned i = 0; i < VIT_ARRAY_LEN(insn->row->operand); i++) {
        const X86Operand *op = &insn->row->operand[i];
        bool mask;
        int number = evex_register(insn, op, &mask);

        if (number < 0 || (store && !(op->access & X86_ACC_W))) {
            continue;
        }
        if (mask) {
            emit_mask_move(e, store, (unsigned)number);
        } else {
            emit_zmm_move(e, store, (unsigned)number);
        }
    }
    if (!store && insn->evex_aaa) {
        emit_mask_move(e, false, insn->evex_aaa);
    }
}

static void
emit_opcode_evex(Emitter *e, const X86VectorPlan *plan, const X86Insn *insn)
{
    const X86OpRow *row = insn->row;
    bool w = insn->rex_w && (insn->code_size == 8 || !has_general_operand(row));
    unsigned reg = insn->reg, rm = insn->is_memory ? H_RSI : insn->rm, vvvv = insn->vvvv;

    if (row->modrm_reg >= 0) {
        reg = (unsigned)row->modrm_reg;
    }
    for (unsigned i = 0; i < X86_STUB_GPR_LAST; i++) {
        unsigned used = plan->gpr_in[i] | plan->gpr_out[i];

        reg = used == X86_GPR_REG ? i : reg;
        rm = used == X86_GPR_RM ? i : rm;
    }
    EMIT(e, 0x62,
         (uint8_t)((reg & 8 ? 0 : 0x80) | (rm & 16 ? 0 : 0x40) | (rm & 8 ? 0 : 0x20) |
                   (reg & 16 ? 0 : 0x10) | row->map),
         (uint8_t)((w ? 0x80 : 0) | (~vvvv & 15) << 3 | 4 | row->pp),
         (uint8_t)((insn->evex_z ? 0x80 : 0) | insn->evex_ll << 5 | (insn->evex_b ? 0x10 : 0) |
                   (vvvv & 16 ? 0 : 8) | insn->evex_aaa),
         row->opcode, (uint8_t)((insn->is_memory ? 0 : 0xc0) | (reg & 7) << 3 | (rm & 7)));
    if (uses_operand(row, X86_OP_IMM)) {
        EMIT(e, (uint8_t)insn->imm);
    }
}

static void
emit_evex(Emitter *e, X86VectorPlan *plan, const X86Insn *insn, X86HostBlock *block)
{
    const X86OpRow *row = insn->row;
    bool floating = row->flags & X86_ROW_FP_EXC;

    if (floating) {
        emit_ldmxcsr(e, offsetof(X86StubCall, mxcsr));
    }
    for (unsigned i = 0; i < VIT_ARRAY_LEN(row->operand); i++) {
        Slot slot = slot_of(insn, &row->operand[i]);

        note_operand(plan, insn, &row->operand[i], &slot);
    }
    plan->needs_alignment = false;
    if (insn->evex_b && insn->is_memory) {
        plan->memory_size = row->element;
    }
    emit_evex_registers(e, insn, false);
    for (unsigned gpr = 0; gpr < X86_STUB_GPR_LAST; gpr++) {
        if (plan->gpr_in[gpr] != X86_GPR_NONE) {
            emit_gpr_move(e, false, gpr);
        }
    }
    emit_opcode_evex(e, plan, insn);
    if (row->flags_written) {
        emit_store_flags(e);
    }
    for (unsigned gpr = 0; gpr < X86_STUB_GPR_LAST; gpr++) {
        if (plan->gpr_out[gpr] != X86_GPR_NONE) {
            emit_gpr_move(e, true, gpr);
        }
    }
    emit_evex_registers(e, insn, true);
    EMIT(e, 0x31, 0xc0); /* as above */
    block->recover_offset = (uint32_t)(e->at - e->start);
    if (floating) {
        emit_stmxcsr(e);
        emit_ldmxcsr(e, offsetof(X86StubCall, host_mxcsr));
    }
    EMIT(e, 0xc5, 0xf8, 0x77, 0xc3); /* vzeroupper; ret */
}

static void
emit_x87(Emitter *e, X86VectorPlan *plan, const X86Insn *insn)
{
    const X86OpRow *row = insn->row;
    uint8_t modrm = insn->modrm;

    if (insn->is_memory) {
        modrm = (uint8_t)((insn->modrm & 0x38) | H_RSI);
        for (unsigned i = 0; i < VIT_ARRAY_LEN(row->operand); i++) {
            if (row->operand[i].kind == X86_OP_MODRM_M) {
                plan->memory_size = (uint8_t)x86_vector_operand_bytes(insn, row->operand[i].size);
                plan->memory_access = row->operand[i].access;
            }
        }
    }
    EMIT(e, 0x48, 0x0f, 0xae, 0x0a); /* fxrstor64 [rdx] */
    if (row->flags_read) {
        EMIT(e, 0x8a, 0x67, offsetof(X86StubCall, flags), 0x9e); /* mov ah, flags; sahf */
    }
    EMIT(e, row->opcode, modrm);
    if (row->flags_written) {
        emit_store_flags(e);
    }
    EMIT(e, 0x48, 0x0f, 0xae, 0x02, 0xdb, 0xe3, 0xc3); /* fxsave64 [rdx]; fninit; ret */
}

/* MMX rows are of class X87 too, for their register file, but run as SIMD stubs. */
static inline bool
is_x87(const X86OpRow *row)
{
    return row->map == X86_MAP_1B && row->encoding == X86_ENC_LEGACY;
}

static void
serialize(void)
{
    unsigned a, b, c, d;

    __cpuid(0, a, b, c, d);
}

static void
make_plan(X86VectorUnit *unit, X86VectorPlan *plan, const X86Insn *insn)
{
    size_t place = (size_t)(plan - unit->plans) * X86_HOST_BLOCK_SIZE;
    uint8_t *start = unit->write_base + place;
    const uint8_t *exec_start = unit->exec_base + place;
    Emitter e = { .start = start, .at = start + sizeof(X86HostBlock) };
    X86HostBlock block = { .recover_offset = X86_HOST_BLOCK_SIZE };
    uint64_t key = plan->key;

    *plan = (X86VectorPlan){ .key = key };
    if (is_x87(insn->row)) {
        emit_x87(&e, plan, insn);
        plan->x87 = (X86X87Stub)(uintptr_t)(exec_start + sizeof(block));
    } else if (insn->encoding == X86_ENC_EVEX) {
        emit_evex(&e, plan, insn, &block);
        block.magic = X86_HOST_BLOCK_MAGIC;
        plan->evex = (X86EvexStub)(uintptr_t)(exec_start + sizeof(block));
    } else {
        emit_simd(&e, plan, insn, &block);
        block.magic = X86_HOST_BLOCK_MAGIC;
        plan->simd = (X86SimdStub)(uintptr_t)(exec_start + sizeof(block));
    }
    g_assert((size_t)(e.at - e.start) <= X86_HOST_BLOCK_SIZE);
    memcpy(start, &block, sizeof(block));
}

/* Rows are aligned to 8 and their addresses fit 48 bits, which leaves room for all that a stub
 * depends on: memory or register form, W, L, the immediates; for x87 the ModRM byte. */
static uint64_t
plan_key(const X86Insn *insn)
{
    if (insn->encoding == X86_ENC_EVEX) { /* all fields but those of the memory operand */
        unsigned low = insn->is_memory ? 0 : insn->rm;

        return UINT64_C(1) << 63 | (uint64_t)(insn->code_size == 8) << 62 |
               (uint64_t)insn->is_memory << 61 | (uint64_t)insn->rex_w << 60 |
               (uint64_t)insn->pp << 58 | (uint64_t)insn->map << 56 | (uint64_t)insn->opcode << 48 |
               (uint64_t)insn->reg << 43 | (uint64_t)low << 38 | (uint64_t)insn->vvvv << 33 |
               (uint64_t)insn->evex_ll << 31 | (uint64_t)insn->evex_b << 30 |
               (uint64_t)insn->evex_z << 29 | (uint64_t)insn->evex_aaa << 26 | (insn->imm & 0xff);
    }
    uint64_t key = (uint64_t)(uintptr_t)insn->row << 16;

    key |= (uint64_t)insn->is_memory << 16 | (uint64_t)insn->rex_w << 17 |
           (uint64_t)insn->vex_l << 18 | (uint64_t)(insn->code_size == 8) << 6 |
           (insn->imm2 & 0x3f);
    return key | (is_x87(insn->row) ? insn->modrm : insn->imm & 0xff) << 8;
}

const X86VectorPlan *
x86_vector_plan(X86VectorUnit *unit, const X86Insn *insn)
{
    uint64_t key = plan_key(insn);
    unsigned slot = (unsigned)(key * 0x9e3779b97f4a7c15ull >> (64 - INDEX_BITS));
    X86VectorPlan *plan;

    while (unit->index[slot] != 0) {
        plan = &unit->plans[unit->index[slot] - 1];
        if (plan->key == key) {
            return plan;
        }
        slot = (slot + 1) & ((1u << INDEX_BITS) - 1);
    }
    if (unit->count == MAX_STUBS) {
        memset(unit->index, 0, sizeof(unit->index));
        unit->count = 0;
        serialize();
        return x86_vector_plan(unit, insn);
    }
    plan = &unit->plans[unit->count];
    unit->index[slot] = (uint16_t)++unit->count;
    plan->key = key;
    make_plan(unit, plan, insn);
    return plan;
}

/* The same memory twice, once to write and once to execute. */
static bool
map_twice(X86VectorUnit *unit)
{
    int fd = memfd_create("vitrine-stubs", MFD_CLOEXEC);
    void *w = MAP_FAILED, *x = MAP_FAILED;

    if (fd >= 0 && ftruncate(fd, (off_t)CODE_BYTES) == 0) {
        w = mmap(NULL, CODE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        x = mmap(NULL, CODE_BYTES, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    }
    if (fd >= 0) {
        close(fd);
    }
    if (w != MAP_FAILED && x != MAP_FAILED) {
        unit->write_base = w;
        unit->exec_base = x;
        return true;
    }
    if (w != MAP_FAILED) {
        munmap(w, CODE_BYTES);
    }
    return false;
}

static bool
map_code(X86VectorUnit *unit, GError **error)
{
    void *both;

    if (map_twice(unit)) {
        return true;
    }
    /* Where a memfd may not be executed, plain memory perhaps may. */
    both = mmap(NULL, CODE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
                -1, 0);
    if (both == MAP_FAILED) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED,
                    "CPU: no executable memory for SIMD and x87 instructions (%s); allow the "
                    "program to map executable memory",
                    g_strerror(errno));
        return false;
    }
    unit->write_base = unit->exec_base = both;
    return true;
}

X86VectorUnit *
x86_vector_unit_new(GError **error)
{
    X86VectorUnit *unit = g_new0(X86VectorUnit, 1);

    if (!map_code(unit, error)) {
        x86_vector_unit_free(unit);
        return NULL;
    }
    x86_host_fault_init();
    return unit;
}

void
x86_vector_unit_free(X86VectorUnit *unit)
{
    if (!unit) {
        return;
    }
    if (unit->write_base) {
        munmap(unit->write_base, CODE_BYTES);
    }
    if (unit->exec_base && unit->exec_base != unit->write_base) {
        munmap(unit->exec_base, CODE_BYTES);
    }
    g_free(unit);
}
