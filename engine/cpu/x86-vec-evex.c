/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* AVX-512: EVEX instructions by the host's own (x86-vector.h), gathers, scatters, and the
 * instructions on mask registers.
 *
 * Memory under a mask: when the whole operand is plain memory within reach the host works on it.
 * Otherwise the elements that the mask selects are accessed one by one, for the others may not be
 * there; rows marked WHOLE access all of it.
 * Intel SDM volume 1 chapter 15, volume 2 sections 2.7 and 2.8.
 * Thread: the CPU's own.
 */

#include "x86-exec.h"
#include "x86-fpu.h"
#include "x86-operand.h"
#include "x86-vector.h"

static void
evex_check(X86Core *core, const X86Insn *insn)
{
    const X86OpRow *row = insn->row;

    if (insn->vector_bytes < 64 && !(row->flags & (X86_ROW_LIG | X86_ROW_VEX_L0)) &&
        !x86_has_feature(core, X86_FEATURE_AVX512VL)) {
        x86_fault(core, X86_EXC_UD);
    }
    x86_avx512_check(core);
}

/* Which elements of the memory operand are accessed, one bit each. */
static uint64_t
selected_elements(const X86Core *core, const X86Insn *insn, unsigned count)
{
    const X86OpRow *row = insn->row;
    unsigned bits = row->flags & X86_ROW_LIG ? 1 : insn->vector_bytes / row->element;
    uint64_t mask, all = count < 64 ? (UINT64_C(1) << count) - 1 : ~UINT64_C(0), selected = 0;

    if (insn->evex_aaa == 0 || (row->flags & X86_ROW_WHOLE)) {
        return all;
    }
    mask = core->s.opmask[insn->evex_aaa];
    if (bits < 64) {
        mask &= (UINT64_C(1) << bits) - 1;
    }
    if (row->flags & X86_ROW_PACKED) {
        unsigned n = (unsigned)__builtin_popcountll(mask);
        return n < 64 ? (UINT64_C(1) << n) - 1 : all;
    }
    if (count == bits || (row->operand[1].size >= X86_SZ_V && !insn->evex_b)) {
        return mask & all; /* one bit for each, conversions included */
    }
    if (insn->evex_b) { /* those that widen have fewer elements than the length suggests */
        for (unsigned i = 0; i < VIT_ARRAY_LEN(row->operand); i++) {
            if (row->operand[i].kind == X86_OP_VEC_RM) {
                bits = x86_vector_operand_bytes(insn, row->operand[i].size) / row->element;
            }
        }
        return mask & ((UINT64_C(1) << bits) - 1) ? 1 : 0;
    }
    for (unsigned i = 0; i < bits; i++) { /* broadcasts repeat the operand */
        if (mask >> i & 1) {
            selected |= UINT64_C(1) << i % count;
        }
    }
    return selected;
}

typedef enum Transfer { TRANSFER_READ, TRANSFER_PROBE, TRANSFER_WRITE } Transfer;

static void
transfer(X86Core *core, const X86Insn *insn, uint64_t offset, unsigned size, uint8_t *buffer,
         Transfer how)
{
    switch (how) {
    case TRANSFER_READ: x86_read_bytes(core, insn->segment, offset, buffer, size); break;
    case TRANSFER_PROBE: x86_probe_write(core, insn->segment, offset, size); break;
    case TRANSFER_WRITE: x86_write_bytes(core, insn->segment, offset, buffer, size); break;
    }
}

/* The memory operand through BUFFER: in one piece, or the selected elements. */
static void
transfer_selected(X86Core *core, const X86Insn *insn, uint64_t offset, unsigned size,
                  uint8_t *buffer, Transfer how)
{
    unsigned element = insn->row->element, count = element ? size / element : 0;
    uint64_t selected;

    if (count == 0 || insn->evex_aaa == 0 || (insn->row->flags & X86_ROW_WHOLE)) {
        transfer(core, insn, offset, size, buffer, how);
        return;
    }
    selected = selected_elements(core, insn, count);
    for (unsigned i = 0; i < count; i++) {
        if (selected >> i & 1) {
            transfer(core, insn, x86_wrap(insn, offset + i * element), element,
                     buffer + i * element, how);
        }
    }
}

static void
evex_alignment(X86Core *core, const X86Insn *insn, uint64_t offset, unsigned size)
{
    /* Where no element is accessed none is misaligned, on AMD's CPUs. */
    if ((insn->row->flags & X86_ROW_ALIGN) &&
        (x86_linear_unchecked(core, insn->segment, offset) & (size - 1)) &&
        selected_elements(core, insn, size / insn->row->element)) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
}

static void *
evex_memory(X86Core *core, const X86Insn *insn, const X86VectorPlan *plan, uint64_t offset,
            X86Vector *buffer)
{
    unsigned size = plan->memory_size;
    bool write = plan->memory_access & X86_ACC_W;
    void *host;

    evex_alignment(core, insn, offset, size);
    host = x86_direct_operand(core, insn->segment, offset, size, write);
    if (host) {
        return host;
    }
    memset(buffer, 0, sizeof(*buffer));
    if (write && (insn->row->flags & X86_ROW_WHOLE) && insn->evex_aaa) {
        transfer(core, insn, offset, size, buffer->u8, TRANSFER_READ); /* what is merged with */
    }
    transfer_selected(core, insn, offset, size, buffer->u8, write ? TRANSFER_PROBE : TRANSFER_READ);
    return buffer;
}

static uint64_t *
general_operand(X86Core *core, const X86Insn *insn, unsigned source)
{
    return &core->s.gpr[source == X86_GPR_REG ? insn->reg : insn->rm];
}

void
x86_exec_evex(X86Core *core, const X86Insn *insn)
{
    const X86VectorPlan *plan;
    X86StubCall call = { .mxcsr = core->s.mxcsr, .host_mxcsr = X86_MXCSR_DEFAULT };
    X86Vector buffer;
    uint64_t offset = 0;
    X86HostFault fault;
    void *memory = NULL;

    evex_check(core, insn);
    plan = x86_vector_plan(core->vector_unit, insn);
    if (plan->memory_size) {
        offset = x86_ea(core, insn);
        memory = evex_memory(core, insn, plan, offset, &buffer);
    }
    for (unsigned i = 0; i < X86_STUB_GPR_LAST; i++) {
        if (plan->gpr_in[i] != X86_GPR_NONE) {
            call.gpr[i] = *general_operand(core, insn, plan->gpr_in[i]);
        }
    }
    fault = plan->evex(&call, memory, core->s.zmm, NULL, core->s.opmask);
    if (fault == X86_HOST_FAULT_UNDEFINED) {
        x86_fault(core, X86_EXC_UD);
    }
    if (fault == X86_HOST_FAULT_FP) {
        core->s.mxcsr = call.mxcsr;
        x86_fault(core, core->s.cr4 & X86_CR4_OSXMMEXCPT ? X86_EXC_XM : X86_EXC_UD);
    }
    if (memory == &buffer && (plan->memory_access & X86_ACC_W)) {
        transfer_selected(core, insn, offset, plan->memory_size, buffer.u8, TRANSFER_WRITE);
    }
    if (insn->row->flags & X86_ROW_FP_EXC) {
        core->s.mxcsr = call.mxcsr;
    }
    for (unsigned i = 0; i < X86_STUB_GPR_LAST; i++) {
        if (plan->gpr_out[i] != X86_GPR_NONE) {
            *general_operand(core, insn, plan->gpr_out[i]) = call.gpr[i];
        }
    }
    if (insn->row->flags_written) {
        core->s.rflags =
            (core->s.rflags & ~(uint64_t)X86_FLAGS_ARITH) | (call.flags & X86_FLAGS_ARITH);
    }
}

/* Gathers and scatters: each element that is done clears its mask bit, so that the instruction can
 * be begun again after a fault. */

typedef struct Elements {
    unsigned count, size, index_size;
    uint64_t base;
    const X86Vector *index;
    uint64_t *mask;
} Elements;

static Elements
elements_of(X86Core *core, const X86Insn *insn)
{
    unsigned index_size = insn->opcode & 1 ? 8 : 4, size = insn->row->element;

    return (Elements){
        .count = insn->vector_bytes / MAX(index_size, size),
        .size = size,
        .index_size = index_size,
        .base = (insn->base == X86_NO_REG ? 0 : core->s.gpr[insn->base]) + (uint64_t)insn->disp,
        .index = &core->s.zmm[insn->index],
        .mask = &core->s.opmask[insn->evex_aaa],
    };
}

static uint64_t
element_offset(const Elements *e, const X86Insn *insn, unsigned i)
{
    int64_t at = e->index_size == 4 ? (int32_t)e->index->u32[i] : (int64_t)e->index->u64[i];

    return x86_wrap(insn, e->base + ((uint64_t)at << insn->scale));
}

void
x86_exec_evex_gather(X86Core *core, const X86Insn *insn)
{
    X86Vector *dest = &core->s.zmm[insn->reg];
    bool begun = false;
    Elements e;

    evex_check(core, insn);
    if (insn->reg == insn->index) {
        x86_fault(core, X86_EXC_UD);
    }
    e = elements_of(core, insn);
    for (unsigned i = 0; i < e.count; i++) {
        if (*e.mask >> i & 1) {
            uint64_t value = 0, offset = element_offset(&e, insn, i);

            if (begun && x86_trap_comes_first(core, insn, offset, e.size, X86_ACCESS_READ)) {
                return;
            }
            begun = true;
            x86_read_bytes(core, insn->segment, offset, &value, e.size);
            memcpy(dest->u8 + i * e.size, &value, e.size);
        }
        *e.mask &= ~(UINT64_C(1) << i);
    }
    *e.mask = 0;
    memset(dest->u8 + e.count * e.size, 0, sizeof(*dest) - e.count * e.size);
}

void
x86_exec_evex_scatter(X86Core *core, const X86Insn *insn)
{
    const X86Vector *source = &core->s.zmm[insn->reg];
    bool begun = false;
    Elements e;

    evex_check(core, insn);
    e = elements_of(core, insn);
    for (unsigned i = 0; i < e.count; i++) {
        if (*e.mask >> i & 1) {
            uint64_t offset = element_offset(&e, insn, i);

            if (begun && x86_trap_comes_first(core, insn, offset, e.size, X86_ACCESS_WRITE)) {
                return;
            }
            begun = true;
            x86_write_bytes(core, insn->segment, offset, source->u8 + i * e.size, e.size);
        }
        *e.mask &= ~(UINT64_C(1) << i);
    }
    *e.mask = 0;
}

/* Mask registers */

/* Width in bits: prefix and W choose. */
static unsigned
mask_width(const X86Insn *insn)
{
    if (insn->map == X86_MAP_0F3A) { /* KSHIFT: 30 and 32 are byte and word, 31 and 33 the others */
        return insn->opcode & 1 ? (insn->rex_w ? 64 : 32) : (insn->rex_w ? 16 : 8);
    }
    if (insn->pp == X86_PP_F2) { /* KMOV with a general register */
        return insn->rex_w && insn->code_size == 8 ? 64 : 32;
    }
    return insn->pp == X86_PP_66 ? (insn->rex_w ? 32 : 8) : (insn->rex_w ? 64 : 16);
}

static inline uint64_t
low_bits(unsigned width)
{
    return width < 64 ? (UINT64_C(1) << width) - 1 : ~UINT64_C(0);
}

static uint64_t
mask_shift(const X86Insn *insn, uint64_t value, unsigned width)
{
    unsigned count = insn->imm & 0xff;

    if (count >= width) {
        return 0;
    }
    return insn->opcode >= 0x32 ? value << count : value >> count;
}

static void
mask_test(X86Core *core, const X86Insn *insn, uint64_t a, uint64_t b, uint64_t all)
{
    bool zero, carry;

    if (insn->opcode == 0x98) { /* KORTEST */
        zero = ((a | b) & all) == 0;
        carry = ((a | b) & all) == all;
    } else {
        zero = (a & b & all) == 0;
        carry = (~a & b & all) == 0;
    }
    core->s.rflags = (core->s.rflags & ~(uint64_t)X86_FLAGS_ARITH) | (zero ? X86_FLAG_ZF : 0) |
                     (carry ? X86_FLAG_CF : 0);
}

static uint64_t
mask_arithmetic(const X86Insn *insn, uint64_t a, uint64_t b, unsigned width)
{
    switch (insn->opcode) {
    case 0x41: return a & b;
    case 0x42: return ~a & b;
    case 0x44: return ~b;
    case 0x45: return a | b;
    case 0x46: return ~(a ^ b);
    case 0x47: return a ^ b;
    case 0x4a: return a + b;
    default: return a << width / 2 | (b & low_bits(width / 2)); /* KUNPCK */
    }
}

/* KUNPCK names the width of its halves: BW (66), WD (none), DQ (W1). */
static unsigned
unpack_width(const X86Insn *insn)
{
    return insn->pp == X86_PP_66 ? 16 : insn->rex_w ? 64 : 32;
}

static void
mask_move(X86Core *core, const X86Insn *insn, uint64_t all)
{
    uint64_t *k = core->s.opmask;
    unsigned bytes = mask_width(insn) / 8;

    switch (insn->opcode) {
    case 0x90:
        k[insn->reg] = insn->is_memory ? x86_read(core, insn->segment, x86_ea(core, insn), bytes)
                                       : k[insn->rm] & all;
        break;
    case 0x91: x86_write(core, insn->segment, x86_ea(core, insn), k[insn->reg] & all, bytes); break;
    case 0x92: k[insn->reg] = core->s.gpr[insn->rm] & all; break;
    default: core->s.gpr[insn->reg] = k[insn->rm] & all; break;
    }
}

void
x86_exec_kop(X86Core *core, const X86Insn *insn)
{
    uint64_t *k = core->s.opmask;
    unsigned width = insn->opcode == 0x4b ? unpack_width(insn) : mask_width(insn);
    uint64_t all = low_bits(width);

    x86_avx512_check(core);
    if (insn->map == X86_MAP_0F3A) {
        k[insn->reg] = mask_shift(insn, k[insn->rm] & all, width) & all;
    } else if (insn->opcode >= 0x98) {
        mask_test(core, insn, k[insn->reg], k[insn->rm], all);
    } else if (insn->opcode >= 0x90) {
        mask_move(core, insn, all);
    } else {
        k[insn->reg] = mask_arithmetic(insn, k[insn->vvvv], k[insn->rm], width) & all;
    }
}
