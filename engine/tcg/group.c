/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Accesses of a block that share a check: see group.h.
 *
 * Every guest register is followed as symbol + offset: an instruction that adds a constant changes
 * the offset (push and pop, ADD, SUB, INC, DEC, LEA, MOV between registers), any other write gives
 * the register a new symbol. Two accesses with the same symbols for base and index, the same scale
 * and segment differ by a constant; those within TCG_GROUP_SPAN make a group. Where the interpreter
 * runs an instruction whose effects are not looked at here, everything gets new symbols and no
 * group goes on. Offsets are modulo 2^64, in 32-bit code modulo 2^32. Thread: the translating
 * CPU's. */

#include "group.h"

/* The symbol of addresses that move with the code. */
#define LINEAR UINT32_MAX

typedef struct Key {
    uint32_t base, index;
    uint8_t scale, segment;
} Key;

typedef struct Finder {
    TcgGroups *groups;
    bool code64;
    unsigned size; /* of addresses and of the stack's items */
    TcgValue value[16];
    uint32_t last_symbol;
    unsigned at;    /* instruction */
    unsigned noted; /* accesses of it */
    unsigned n_open;
    struct {
        Key key;
        uint8_t group;
    } open[TCG_GROUPS];
} Finder;

/* Beyond it no address is canonical, and sums might overflow. */
#define OFFSET_MAX ((int64_t)1 << 60)

TcgEa
tcg_ea_of(const X86Insn *insn, uint64_t next_pc)
{
    TcgEa ea = { .base = insn->base,
                 .index = insn->index,
                 .scale = insn->scale,
                 .address_size = insn->address_size,
                 .segment = insn->segment,
                 .disp = insn->disp };

    if (!insn->has_modrm) { /* A0..A3 */
        ea.base = ea.index = X86_NO_REG;
        ea.disp = (int64_t)insn->imm;
    } else if (insn->base == X86_REG_RIP) {
        ea.base = X86_NO_REG;
        ea.disp += (int64_t)next_pc;
        ea.linear = true;
    }
    return ea;
}

bool
tcg_is_bit_string(const X86Insn *insn)
{
    void (*exec)(X86Core *, const X86Insn *) = insn->row->exec;

    return insn->is_memory && (exec == x86_exec_bt_reg || exec == x86_exec_bts_reg ||
                               exec == x86_exec_btr_reg || exec == x86_exec_btc_reg);
}

TcgEa
tcg_ea_of_stack(bool code64, int64_t disp)
{
    return (TcgEa){ .base = X86_RSP,
                    .index = X86_NO_REG,
                    .address_size = code64 ? 8 : 4,
                    .segment = X86_SS,
                    .disp = disp };
}

/* ---- Values of registers ---- */

static void
set_unknown(Finder *f, unsigned reg)
{
    f->value[reg] = (TcgValue){ .symbol = ++f->last_symbol };
}

static void
set_all_unknown(Finder *f)
{
    for (unsigned reg = 0; reg < 16; reg++) {
        set_unknown(f, reg);
    }
    f->n_open = 0;
}

static void
add(Finder *f, unsigned reg, int64_t value)
{
    f->value[reg].offset += value;
    if (!f->code64) {
        f->value[reg].offset = (int32_t)f->value[reg].offset;
    }
}

static void
set_sum(Finder *f, unsigned reg, unsigned from, int64_t value)
{
    f->value[reg] = f->value[from];
    add(f, reg, value);
}

/* Integer instructions that add a constant or copy. */
static bool
follow_sum(Finder *f, const X86Insn *insn)
{
    void (*exec)(X86Core *, const X86Insn *) = insn->row->exec;

    if (insn->operand_size != f->size) {
        return false;
    }
    if (exec == x86_exec_lea) {
        if (insn->address_size != f->size || insn->index != X86_NO_REG || insn->base >= 16) {
            return false;
        }
        set_sum(f, insn->reg, insn->base, insn->disp);
        return true;
    }
    if (exec == x86_exec_inc_z || exec == x86_exec_dec_z) {
        add(f, insn->rm, exec == x86_exec_inc_z ? 1 : -1);
        return true;
    }
    if (insn->is_memory) {
        return false;
    }
    if (exec == x86_exec_mov_eg) {
        set_sum(f, insn->rm, insn->reg, 0);
    } else if (exec == x86_exec_mov_ge) {
        set_sum(f, insn->reg, insn->rm, 0);
    } else if (exec == x86_exec_add_ei) {
        add(f, insn->rm, (int64_t)insn->imm);
    } else if (exec == x86_exec_sub_ei) {
        add(f, insn->rm, -(int64_t)insn->imm);
    } else if (exec == x86_exec_add_ai) {
        add(f, X86_RAX, (int64_t)insn->imm);
    } else if (exec == x86_exec_sub_ai) {
        add(f, X86_RAX, -(int64_t)insn->imm);
    } else if (exec == x86_exec_inc || exec == x86_exec_dec) {
        add(f, insn->rm, exec == x86_exec_inc ? 1 : -1);
    } else {
        return false;
    }
    return true;
}

static void
follow_stack(Finder *f, const X86Insn *insn)
{
    void (*exec)(X86Core *, const X86Insn *) = insn->row->exec;
    int64_t size = f->size;

    if (insn->operand_size != f->size) {
        set_all_unknown(f);
    } else if (exec == x86_exec_push_z || exec == x86_exec_push_e || exec == x86_exec_push_i) {
        add(f, X86_RSP, -size);
    } else if (exec == x86_exec_pop_z || (exec == x86_exec_pop_e && !insn->is_memory)) {
        add(f, X86_RSP, size);
        set_unknown(f, insn->rm);
    } else if (exec == x86_exec_leave) {
        set_sum(f, X86_RSP, X86_RBP, size);
        set_unknown(f, X86_RBP);
    } else {
        set_all_unknown(f);
    }
}

static void
follow(Finder *f, const X86Insn *insn, const TcgRegUse *use)
{
    switch (insn->row->class_) {
    case X86_CLASS_STACK: follow_stack(f, insn); return;
    case X86_CLASS_INT:
        if (follow_sum(f, insn)) {
            return;
        }
        break;
    case X86_CLASS_FLOW:
        if (insn->row->exec != x86_exec_jcc && insn->row->exec != x86_exec_jmp_rel) {
            set_unknown(f, X86_RCX); /* LOOP; all others end the block */
        }
        return;
    case X86_CLASS_VEC:
    case X86_CLASS_X87: break;
    default: set_all_unknown(f); return;
    }
    for (unsigned written = use->written; written; written &= written - 1) {
        set_unknown(f, (unsigned)__builtin_ctz(written));
    }
}

/* ---- Accesses ---- */

static bool
same_key(const Key *a, const Key *b)
{
    return a->base == b->base && a->index == b->index && a->scale == b->scale &&
           a->segment == b->segment;
}

static TcgGroup *
open_group(Finder *f, const Key *key, TcgAccess *access)
{
    TcgGroups *groups = f->groups;
    TcgGroup *group;
    unsigned n = 0;

    if (groups->count == TCG_GROUPS) {
        return NULL;
    }
    while (n < f->n_open && !same_key(&f->open[n].key, key)) {
        n++;
    }
    f->n_open = MAX(f->n_open, n + 1);
    f->open[n].key = *key;
    f->open[n].group = access->group = (uint8_t)groups->count;
    group = &groups->group[groups->count++];
    *group = (TcgGroup){ .low = access->offset,
                         .high = access->offset + access->size,
                         .first = (uint8_t)f->at };
    return group;
}

static void
join(Finder *f, const Key *key, TcgAccess *access, bool may_lead)
{
    TcgGroup *group = NULL;

    for (unsigned i = 0; i < f->n_open; i++) {
        if (same_key(&f->open[i].key, key)) {
            TcgGroup *candidate = &f->groups->group[f->open[i].group];
            int64_t low = MIN(candidate->low, access->offset);
            int64_t high = MAX(candidate->high, access->offset + access->size);

            if (high - low <= TCG_GROUP_SPAN) {
                group = candidate;
                group->low = low;
                group->high = high;
                access->group = f->open[i].group;
            }
        }
    }
    if (!group && may_lead) {
        group = open_group(f, key, access);
    }
    if (group) {
        group->last = (uint8_t)f->at;
        group->count++;
        group->write |= access->write;
    }
}

static void
note(Finder *f, TcgEa ea, unsigned size, bool write)
{
    TcgAccess *access = &f->groups->access[f->at][f->noted++];
    Key key = { .scale = ea.scale, .segment = ea.segment };
    int64_t offset = ea.disp;

    if (ea.address_size != f->size || size == 0 || size > 64) {
        return;
    }
    if (ea.segment != X86_FS && ea.segment != X86_GS) {
        key.segment = X86_DS; /* one as the other */
    }
    if (ea.base != X86_NO_REG) {
        key.base = f->value[ea.base].symbol;
        offset += f->value[ea.base].offset;
    }
    if (ea.linear) {
        key.base = LINEAR;
    }
    if (ea.index != X86_NO_REG) {
        key.index = f->value[ea.index].symbol;
        offset += f->value[ea.index].offset * (1 << ea.scale);
    } else {
        key.scale = 0;
    }
    if (!f->code64) {
        offset = (int32_t)offset;
    }
    *access = (TcgAccess){
        .ea = ea, .size = (uint8_t)size, .write = write, .group = TCG_GROUP_NONE, .offset = offset
    };
    if (ea.base != X86_NO_REG) {
        access->base = f->value[ea.base];
    }
    if (ea.index != X86_NO_REG) {
        access->index = f->value[ea.index];
    }
    if (offset < OFFSET_MAX && offset > -OFFSET_MAX) {
        /* the slow path of the first access would pass over the check that the second makes */
        join(f, &key, access, f->noted == 1);
    }
}

/* What the emitters will ask for, in the registers' values before the instruction. */
static void
note_accesses(Finder *f, const X86Insn *insn, uint64_t next_pc)
{
    void (*exec)(X86Core *, const X86Insn *) = insn->row->exec;
    unsigned class_ = insn->row->class_;
    bool push, pop;

    if (class_ == X86_CLASS_STRING || class_ == X86_CLASS_SYSTEM || tcg_is_bit_string(insn)) {
        return;
    }
    if (insn->is_memory || !insn->has_modrm) {
        unsigned access = tcg_memory_access(insn);
        if (access && exec != x86_exec_pop_e) {
            note(f, tcg_ea_of(insn, next_pc), tcg_memory_size(insn), access & X86_ACC_W);
        }
    }
    if (class_ != X86_CLASS_STACK && class_ != X86_CLASS_FLOW) {
        return;
    }
    push = exec == x86_exec_push_z || exec == x86_exec_push_e || exec == x86_exec_push_i ||
           exec == x86_exec_call_rel || exec == x86_exec_call_e;
    pop = exec == x86_exec_pop_z || exec == x86_exec_pop_e || exec == x86_exec_ret ||
          exec == x86_exec_ret_imm;
    if (push) {
        note(f, tcg_ea_of_stack(f->code64, -(int64_t)f->size), f->size, true);
    } else if (pop) {
        note(f, tcg_ea_of_stack(f->code64, 0), f->size, false);
    } else if (exec == x86_exec_leave) {
        TcgEa ea = tcg_ea_of_stack(f->code64, 0);
        ea.base = X86_RBP;
        note(f, ea, f->size, false);
    }
}

/* At the end of a loop. */
static void
note_strides(Finder *f)
{
    for (unsigned reg = 0; reg < 16; reg++) {
        if (f->value[reg].symbol == reg + 1) {
            f->groups->stride_known |= 1u << reg;
            f->groups->stride[reg] = f->value[reg].offset;
        }
    }
}

void
tcg_groups_find(TcgGroups *groups, const X86Insn *insns, const TcgRegUse *uses, const uint64_t *pcs,
                unsigned n, bool code64, unsigned loop_len)
{
    Finder finder = { .groups = groups, .code64 = code64, .size = code64 ? 8 : 4 };

    groups->count = 0;
    groups->stride_known = 0;
    groups->n_insns = n;
    set_all_unknown(&finder);
    for (unsigned i = 0; i < n; i++) {
        groups->access[i][0].size = groups->access[i][1].size = 0;
        finder.at = i;
        finder.noted = 0;
        note_accesses(&finder, &insns[i], pcs[i] + insns[i].length);
        follow(&finder, &insns[i], &uses[i]);
        if (i + 1 == loop_len) {
            note_strides(&finder);
        }
    }
}

void
tcg_groups_forget(TcgGroups *groups, unsigned index)
{
    for (unsigned i = 0; i < groups->count; i++) {
        groups->group[i].ready &= groups->group[i].first != index;
    }
}

const TcgAccess *
tcg_groups_any(const TcgGroups *groups, unsigned index, const TcgEa *ea, unsigned size, bool write)
{
    for (unsigned i = 0; i < 2 && index < groups->n_insns; i++) {
        const TcgAccess *access = &groups->access[index][i];

        if (access->size == size && access->write == write && access->ea.base == ea->base &&
            access->ea.index == ea->index && access->ea.scale == ea->scale &&
            access->ea.segment == ea->segment && access->ea.address_size == ea->address_size &&
            access->ea.disp == ea->disp) {
            return access;
        }
    }
    return NULL;
}

const TcgAccess *
tcg_groups_access(const TcgGroups *groups, unsigned index, const TcgEa *ea, unsigned size,
                  bool write)
{
    const TcgAccess *access = tcg_groups_any(groups, index, ea, size, write);

    return access && access->group != TCG_GROUP_NONE && groups->group[access->group].count > 1
               ? access
               : NULL;
}
