/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* SIMD memory accesses under a mask: masked moves, byte-masked stores and gathers. An element whose
 * mask bit is clear is not accessed and cannot fault, so these go element by element.
 * Intel SDM volume 2: VMASKMOV, VPMASKMOV, MASKMOVQ, MASKMOVDQU, VPGATHER*, VGATHER*.
 * Thread: the CPU's own.
 */

#include "x86-exec.h"
#include "x86-fpu.h"
#include "x86-operand.h"

static inline unsigned
vector_bytes(const X86Insn *insn)
{
    return insn->vex_l ? 32 : 16;
}

static inline bool
element_selected(const X86Vector *mask, unsigned index, unsigned size)
{
    return mask->u8[index * size + size - 1] & 0x80;
}

/* Elements are exempt from alignment checking, so the byte accessors do it. */
static uint64_t
read_element(X86Core *core, unsigned segment, uint64_t offset, unsigned size)
{
    uint64_t value = 0;

    x86_read_bytes(core, segment, offset, &value, size);
    return value;
}

static inline uint64_t
get_element(const X86Vector *v, unsigned index, unsigned size)
{
    return size == 4 ? v->u32[index] : v->u64[index];
}

static inline void
set_element(X86Vector *v, unsigned index, unsigned size, uint64_t value)
{
    if (size == 4) {
        v->u32[index] = (uint32_t)value;
    } else {
        v->u64[index] = value;
    }
}

/* VMASKMOVPS (2C, 2E) has 4-byte elements, VMASKMOVPD (2D, 2F) 8; VPMASKMOV (8C, 8E) goes by W. */
static unsigned
masked_element_size(const X86Insn *insn)
{
    if (insn->opcode < 0x80) {
        return insn->opcode & 1 ? 8 : 4;
    }
    return insn->rex_w ? 8 : 4;
}

void
x86_exec_vmaskmov(X86Core *core, const X86Insn *insn)
{
    const X86Vector *mask = &core->s.zmm[insn->vvvv];
    X86Vector *reg = &core->s.zmm[insn->reg];
    unsigned size = masked_element_size(insn), count = vector_bytes(insn) / size;
    uint64_t offset;

    x86_avx_check(core);
    offset = x86_ea(core, insn);
    if (insn->row->operand[0].kind == X86_OP_VEC_REG) { /* load */
        X86Vector result = { 0 };

        for (unsigned i = 0; i < count; i++) {
            if (element_selected(mask, i, size)) {
                set_element(
                    &result, i, size,
                    read_element(core, insn->segment, x86_wrap(insn, offset + i * size), size));
            }
        }
        *reg = result;
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        if (element_selected(mask, i, size)) {
            x86_probe_write(core, insn->segment, x86_wrap(insn, offset + i * size), size);
        }
    }
    for (unsigned i = 0; i < count; i++) {
        if (element_selected(mask, i, size)) {
            uint64_t value = get_element(reg, i, size);

            x86_write_bytes(core, insn->segment, x86_wrap(insn, offset + i * size), &value, size);
        }
    }
}

/* Bytes of DATA selected by the high bits of MASK, to DS:rDI. The whole operand is checked,
 * whatever the mask: AMD's CPUs do, the SDM allows it. */
static void
store_selected_bytes(X86Core *core, const X86Insn *insn, const uint8_t *data, const uint8_t *mask,
                     unsigned count)
{
    uint64_t offset = x86_wrap(insn, core->s.gpr[X86_RDI]);

    x86_check_operand_alignment(core, insn->segment, offset, count, 8, true);
    x86_probe_write(core, insn->segment, offset, count);
    for (unsigned i = 0; i < count; i++) {
        if (mask[i] & 0x80) {
            x86_write(core, insn->segment, offset + i, data[i], 1);
        }
    }
}

void
x86_exec_maskmovdqu(X86Core *core, const X86Insn *insn)
{
    if (insn->encoding == X86_ENC_VEX) {
        x86_avx_check(core);
    } else {
        x86_sse_check(core);
    }
    store_selected_bytes(core, insn, core->s.zmm[insn->reg].u8, core->s.zmm[insn->rm].u8, 16);
}

void
x86_exec_maskmovq(X86Core *core, const X86Insn *insn)
{
    if (x86_mmx_begin(core)) {
        x86_mmx_enter(core); /* even if the store faults */
        store_selected_bytes(core, insn, (const uint8_t *)x86_mmx_reg(core, insn->reg & 7),
                             (const uint8_t *)x86_mmx_reg(core, insn->rm & 7), 8);
    }
}

/* VPGATHERDx and VGATHERDPx (90, 92) have 4-byte indices, the Q forms 8; W gives the element. */
void
x86_exec_vgather(X86Core *core, const X86Insn *insn)
{
    unsigned index_size = insn->opcode & 1 ? 8 : 4, size = insn->rex_w ? 8 : 4;
    unsigned count = vector_bytes(insn) / (index_size > size ? index_size : size);
    X86Vector *dest = &core->s.zmm[insn->reg], *mask = &core->s.zmm[insn->vvvv];
    const X86Vector *index = &core->s.zmm[insn->index];
    uint64_t base = insn->base == X86_NO_REG ? 0 : core->s.gpr[insn->base];
    bool begun = false;

    x86_avx_check(core);
    if (insn->reg == insn->vvvv || insn->reg == insn->index || insn->vvvv == insn->index) {
        x86_fault(core, X86_EXC_UD);
    }
    /* What is gathered before a fault stays, with its mask elements cleared. */
    for (unsigned i = 0; i < count; i++) {
        if (element_selected(mask, i, size)) {
            int64_t at = index_size == 4 ? (int32_t)index->u32[i] : (int64_t)index->u64[i];
            uint64_t offset =
                x86_wrap(insn, base + (uint64_t)insn->disp + ((uint64_t)at << insn->scale));

            if (begun && x86_trap_comes_first(core, insn, offset, size, X86_ACCESS_READ)) {
                return;
            }
            begun = true;
            set_element(dest, i, size, read_element(core, insn->segment, offset, size));
        }
        set_element(mask, i, size, 0);
    }
    memset(mask->u8, 0, sizeof(*mask));
    memset(dest->u8 + count * size, 0, sizeof(*dest) - count * size);
}
