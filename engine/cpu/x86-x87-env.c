/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* FLDENV, FNSTENV, FRSTOR, FNSAVE: the x87 environment in its four layouts (16 or 32 bits, real or
 * protected). In real and v8086 mode the pointers are stored as linear addresses.
 * Intel SDM volume 1 section 8.1.10 (figures 8-9 to 8-12). Thread: the CPU's own.
 */

#include "x86-exec.h"
#include "x86-fpu.h"
#include "x86-operand.h"

typedef struct Environment {
    uint16_t control, status, tags;
    uint32_t fip, fdp;
    uint16_t fcs, fds, fop;
} Environment;

/* The faults of an operand of SIZE bytes, in the order of hardware: alignment, the first word or
 * doubleword, the last byte. */
static void
probe(X86Core *core, const X86Insn *insn, uint64_t offset, unsigned size, bool write)
{
    unsigned first = insn->operand_size == 2 ? 2 : 4;
    uint8_t bytes[4];

    x86_check_operand_alignment(core, insn->segment, offset, first, first, write);
    if (write) {
        x86_probe_write(core, insn->segment, offset, first);
        x86_probe_write(core, insn->segment, x86_wrap(insn, offset + size - 1), 1);
    } else {
        x86_read_bytes(core, insn->segment, offset, bytes, first);
        x86_read_bytes(core, insn->segment, x86_wrap(insn, offset + size - 1), bytes, 1);
    }
}

/* Moves the image to or from memory as the unit does: words or doublewords of environment,
 * registers as eight and two bytes. Each piece's offset wraps for itself. */
static void
transfer(X86Core *core, const X86Insn *insn, uint64_t offset, unsigned size, uint8_t *image,
         bool write)
{
    unsigned environment = insn->operand_size == 2 ? 14 : 28;
    unsigned unit = insn->operand_size == 2 ? 2 : 4;

    for (unsigned done = 0, len; done < size; done += len) {
        uint64_t at = x86_wrap(insn, offset + done);

        len = done < environment ? unit : (done - environment) % 10 ? 2 : 8;
        if (write) {
            x86_write_bytes(core, insn->segment, at, image + done, len);
        } else {
            x86_read_bytes(core, insn->segment, at, image + done, len);
        }
    }
}

static bool
is_linear_layout(const X86Core *core)
{
    return x86_real_mode(&core->s) || x86_v8086(&core->s);
}

static unsigned
environment_size(const X86Insn *insn)
{
    return insn->operand_size == 2 ? 14 : 28;
}

static void
put16(uint8_t *at, unsigned value)
{
    memcpy(at, &(uint16_t){ (uint16_t)value }, 2);
}

static void
put32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, 4);
}

static uint16_t
get16(const uint8_t *at)
{
    uint16_t value;

    memcpy(&value, at, 2);
    return value;
}

static uint32_t
get32(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, 4);
    return value;
}

static void
pack_environment(const X86Core *core, const X86Insn *insn, uint8_t *out)
{
    const X86Fpu *fpu = &core->s.fpu;
    bool linear = is_linear_layout(core);
    uint32_t fip = (uint32_t)fpu->fip + (linear ? (uint32_t)fpu->fcs << 4 : 0);
    uint32_t fdp = (uint32_t)fpu->fdp + (linear ? (uint32_t)fpu->fds << 4 : 0);
    uint16_t fop = fpu->fop & 0x7ff;

    if (insn->operand_size == 2) {
        put16(out, fpu->fcw);
        put16(out + 2, fpu->fsw);
        put16(out + 4, x86_fpu_full_tags(fpu));
        put16(out + 6, fip);
        put16(out + 8, linear ? (fip >> 16 << 12) | fop : fpu->fcs);
        put16(out + 10, fdp);
        put16(out + 12, linear ? fdp >> 16 << 12 : fpu->fds);
        return;
    }
    put32(out, 0xffff0000u | fpu->fcw);
    put32(out + 4, 0xffff0000u | fpu->fsw);
    put32(out + 8, 0xffff0000u | x86_fpu_full_tags(fpu));
    if (linear) {
        put32(out + 12, 0xffff0000u | fip);
        put32(out + 16, (fip >> 16 << 12) | fop);
        put32(out + 20, 0xffff0000u | fdp);
        put32(out + 24, fdp >> 16 << 12);
    } else {
        put32(out + 12, fip);
        put32(out + 16, fpu->fcs | (uint32_t)fop << 16);
        put32(out + 20, fdp);
        put32(out + 24, 0xffff0000u | fpu->fds);
    }
}

static Environment
unpack_environment(const X86Core *core, const X86Insn *insn, const uint8_t *in)
{
    bool linear = is_linear_layout(core);
    Environment env = { 0 };

    if (insn->operand_size == 2) {
        env = (Environment){ .control = get16(in),
                             .status = get16(in + 2),
                             .tags = get16(in + 4),
                             .fip = get16(in + 6),
                             .fdp = get16(in + 10) };
        if (linear) {
            env.fip |= (uint32_t)(get16(in + 8) >> 12) << 16;
            env.fdp |= (uint32_t)(get16(in + 12) >> 12) << 16;
            env.fop = get16(in + 8) & 0x7ff;
        } else {
            env.fcs = get16(in + 8);
            env.fds = get16(in + 12);
        }
        return env;
    }
    env = (Environment){ .control = get16(in), .status = get16(in + 4), .tags = get16(in + 8) };
    if (linear) {
        env.fip = get16(in + 12) | (get32(in + 16) >> 12 & 0xffff) << 16;
        env.fop = get16(in + 16) & 0x7ff;
        env.fdp = get16(in + 20) | (get32(in + 24) >> 12 & 0xffff) << 16;
    } else {
        env.fip = get32(in + 12);
        env.fcs = get16(in + 16);
        env.fop = get16(in + 18) & 0x7ff;
        env.fdp = get32(in + 20);
        env.fds = get16(in + 24);
    }
    return env;
}

static void
load_environment(X86Fpu *fpu, const Environment *env)
{
    uint8_t used = 0;

    for (unsigned n = 0; n < 8; n++) {
        if ((env->tags >> (2 * n) & 3) != 3) {
            used |= (uint8_t)(1u << n);
        }
    }
    x86_fpu_set_top(fpu, env->status >> X86_FSW_TOP_SHIFT & 7);
    fpu->fcw = x86_fpu_clean_control(env->control);
    fpu->fsw = env->status;
    fpu->ftw = used;
    fpu->fop = env->fop;
    fpu->fip = env->fip;
    fpu->fdp = env->fdp;
    fpu->fcs = env->fcs;
    fpu->fds = env->fds;
    x86_fpu_update_summary(fpu);
}

void
x86_exec_fnstenv(X86Core *core, const X86Insn *insn)
{
    uint8_t image[28];
    uint64_t offset;

    x86_x87_check(core);
    offset = x86_ea(core, insn);
    pack_environment(core, insn, image);
    probe(core, insn, offset, environment_size(insn), true);
    transfer(core, insn, offset, environment_size(insn), image, true);
    core->s.fpu.fcw |= X86_FSW_EXCEPTIONS; /* masks all */
    x86_fpu_update_summary(&core->s.fpu);
}

void
x86_exec_fldenv(X86Core *core, const X86Insn *insn)
{
    uint8_t image[28];
    uint64_t offset;
    Environment env;

    if (!x86_x87_begin(core)) {
        return;
    }
    offset = x86_ea(core, insn);
    probe(core, insn, offset, environment_size(insn), false);
    transfer(core, insn, offset, environment_size(insn), image, false);
    env = unpack_environment(core, insn, image);
    load_environment(&core->s.fpu, &env);
}

void
x86_exec_fnsave(X86Core *core, const X86Insn *insn)
{
    uint8_t image[28 + 80];
    unsigned size = environment_size(insn);
    uint64_t offset;

    x86_x87_check(core);
    offset = x86_ea(core, insn);
    pack_environment(core, insn, image);
    for (unsigned i = 0; i < 8; i++) {
        memcpy(image + size + i * 10, &core->s.fpu.st[i], 10);
    }
    probe(core, insn, offset, size + 80, true);
    transfer(core, insn, offset, size + 80, image, true);
    x86_fpu_init(&core->s.fpu);
}

void
x86_exec_frstor(X86Core *core, const X86Insn *insn)
{
    uint8_t image[28 + 80];
    unsigned size = environment_size(insn);
    uint64_t offset;
    Environment env;

    if (!x86_x87_begin(core)) {
        return;
    }
    offset = x86_ea(core, insn);
    probe(core, insn, offset, size + 80, false);
    transfer(core, insn, offset, size + 80, image, false);
    env = unpack_environment(core, insn, image);
    load_environment(&core->s.fpu, &env);
    for (unsigned i = 0; i < 8; i++) {
        memcpy(&core->s.fpu.st[i], image + size + i * 10, 10);
    }
}
