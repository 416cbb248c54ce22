/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Integer arithmetic and logic: ADD OR ADC SBB AND SUB XOR CMP TEST NOT NEG INC DEC XADD CMPXCHG
 * ADCX ADOX. Intel SDM volume 2. LOCKed forms are host LOCK instructions on guest RAM, so they are
 * atomic between guest CPUs. Thread: the CPU's own. */

#include "x86-int.h"

typedef enum AluOp { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP } AluOp;

X86_INLINE uint64_t
alu(X86Core *core, AluOp op, uint64_t a, uint64_t b, unsigned size)
{
    uint64_t in = core->s.rflags;
    uint32_t ax = 0;

    switch (op) {
    case ALU_ADD: X86_HOST_OP2("", "add", size, a, b, in, ax); break;
    case ALU_OR: X86_HOST_OP2("", "or", size, a, b, in, ax); break;
    case ALU_ADC: X86_HOST_OP2(X86_CARRY_IN, "adc", size, a, b, in, ax); break;
    case ALU_SBB: X86_HOST_OP2(X86_CARRY_IN, "sbb", size, a, b, in, ax); break;
    case ALU_AND: X86_HOST_OP2("", "and", size, a, b, in, ax); break;
    case ALU_SUB: X86_HOST_OP2("", "sub", size, a, b, in, ax); break;
    case ALU_XOR: X86_HOST_OP2("", "xor", size, a, b, in, ax); break;
    case ALU_CMP: X86_HOST_OP2("", "cmp", size, a, b, in, ax); break;
    }
    x86_set_flags(core, ax, X86_FLAGS_ARITH);
    return a;
}

X86_INLINE void
alu_locked(X86Core *core, AluOp op, void *host, uint64_t b, unsigned size)
{
    uint64_t in = core->s.rflags;
    uint32_t ax = 0;

    switch (op) {
    case ALU_ADD: X86_HOST_LOCK2("", "add", size, host, b, in, ax); break;
    case ALU_OR: X86_HOST_LOCK2("", "or", size, host, b, in, ax); break;
    case ALU_ADC: X86_HOST_LOCK2(X86_CARRY_IN, "adc", size, host, b, in, ax); break;
    case ALU_SBB: X86_HOST_LOCK2(X86_CARRY_IN, "sbb", size, host, b, in, ax); break;
    case ALU_AND: X86_HOST_LOCK2("", "and", size, host, b, in, ax); break;
    case ALU_SUB: X86_HOST_LOCK2("", "sub", size, host, b, in, ax); break;
    case ALU_XOR: X86_HOST_LOCK2("", "xor", size, host, b, in, ax); break;
    case ALU_CMP: break;
    }
    x86_set_flags(core, ax, X86_FLAGS_ARITH);
}

/* rm = rm OP b */
X86_INLINE void
alu_to_rm(X86Core *core, const X86Insn *insn, AluOp op, uint64_t b, unsigned size)
{
    X86Rmw rmw;

    if (op == ALU_CMP) {
        alu(core, op, x86_rm_read(core, insn, size), b, size);
        return;
    }
    if (!insn->is_memory) {
        uint64_t a = x86_reg_read(core, insn, insn->rm, size);
        x86_reg_write(core, insn, insn->rm, alu(core, op, a, b, size), size);
        return;
    }
    x86_rmw_operand(core, insn, size, &rmw);
    if (insn->lock) {
        alu_locked(core, op, rmw.host, b, size);
    } else {
        uint64_t a = x86_host_load(rmw.host, size);
        x86_host_store(rmw.host, alu(core, op, a, b, size), size);
    }
    x86_rmw_end(core, &rmw);
}

#define ALU_HANDLERS(name, op)                                                          \
    X86_INLINE void name##_eg_body(X86Core *core, const X86Insn *insn, unsigned size)   \
    {                                                                                   \
        alu_to_rm(core, insn, op, x86_reg_read(core, insn, insn->reg, size), size);     \
    }                                                                                   \
    X86_INLINE void name##_ei_body(X86Core *core, const X86Insn *insn, unsigned size)   \
    {                                                                                   \
        alu_to_rm(core, insn, op, insn->imm, size);                                     \
    }                                                                                   \
    X86_INLINE void name##_ge_body(X86Core *core, const X86Insn *insn, unsigned size)   \
    {                                                                                   \
        uint64_t b = x86_rm_read(core, insn, size);                                     \
        uint64_t a = alu(core, op, x86_reg_read(core, insn, insn->reg, size), b, size); \
        if (op != ALU_CMP) {                                                            \
            x86_reg_write(core, insn, insn->reg, a, size);                              \
        }                                                                               \
    }                                                                                   \
    X86_INLINE void name##_ai_body(X86Core *core, const X86Insn *insn, unsigned size)   \
    {                                                                                   \
        uint64_t a = alu(core, op, core->s.gpr[X86_RAX], insn->imm, size);              \
        if (op != ALU_CMP) {                                                            \
            x86_reg_write(core, insn, X86_RAX, a, size);                                \
        }                                                                               \
    }                                                                                   \
    BY_SIZE(name##_eg)                                                                  \
    BY_SIZE(name##_ei)                                                                  \
    BY_SIZE(name##_ge)                                                                  \
    BY_SIZE(name##_ai)

ALU_HANDLERS(add, ALU_ADD)
ALU_HANDLERS(or, ALU_OR)
ALU_HANDLERS(adc, ALU_ADC)
ALU_HANDLERS(sbb, ALU_SBB)
ALU_HANDLERS(and, ALU_AND)
ALU_HANDLERS(sub, ALU_SUB)
ALU_HANDLERS(xor, ALU_XOR)
ALU_HANDLERS(cmp, ALU_CMP)

X86_INLINE void
test_eg_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    uint64_t a = x86_rm_read(core, insn, size);

    alu(core, ALU_AND, a, x86_reg_read(core, insn, insn->reg, size), size);
}
BY_SIZE(test_eg)

X86_INLINE void
test_ei_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    alu(core, ALU_AND, x86_rm_read(core, insn, size), insn->imm, size);
}
BY_SIZE(test_ei)

X86_INLINE void
test_ai_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    alu(core, ALU_AND, core->s.gpr[X86_RAX], insn->imm, size);
}
BY_SIZE(test_ai)

typedef enum UnaryOp { UNARY_NOT, UNARY_NEG, UNARY_INC, UNARY_DEC } UnaryOp;

X86_INLINE uint32_t
unary_mask(UnaryOp op)
{
    return op == UNARY_NOT ? 0 : op == UNARY_NEG ? X86_FLAGS_ARITH : X86_FLAGS_ARITH & ~X86_FLAG_CF;
}

X86_INLINE uint64_t
unary(X86Core *core, UnaryOp op, uint64_t a, unsigned size)
{
    uint32_t ax = 0;

    switch (op) {
    case UNARY_NOT: return ~a;
    case UNARY_NEG: X86_HOST_OP1("", "neg", size, a, a, ax); break;
    case UNARY_INC: X86_HOST_OP1("", "inc", size, a, a, ax); break;
    case UNARY_DEC: X86_HOST_OP1("", "dec", size, a, a, ax); break;
    }
    x86_set_flags(core, ax, unary_mask(op));
    return a;
}

X86_INLINE void
unary_locked(X86Core *core, UnaryOp op, void *host, unsigned size)
{
    uint32_t ax = 0;

    switch (op) {
    case UNARY_NOT: X86_HOST_LOCK1("not", size, host, ax); break;
    case UNARY_NEG: X86_HOST_LOCK1("neg", size, host, ax); break;
    case UNARY_INC: X86_HOST_LOCK1("inc", size, host, ax); break;
    case UNARY_DEC: X86_HOST_LOCK1("dec", size, host, ax); break;
    }
    x86_set_flags(core, ax, unary_mask(op));
}

X86_INLINE void
unary_rm(X86Core *core, const X86Insn *insn, UnaryOp op, unsigned size)
{
    X86Rmw rmw;

    if (!insn->is_memory) {
        uint64_t a = x86_reg_read(core, insn, insn->rm, size);
        x86_reg_write(core, insn, insn->rm, unary(core, op, a, size), size);
        return;
    }
    x86_rmw_operand(core, insn, size, &rmw);
    if (insn->lock) {
        unary_locked(core, op, rmw.host, size);
    } else {
        x86_host_store(rmw.host, unary(core, op, x86_host_load(rmw.host, size), size), size);
    }
    x86_rmw_end(core, &rmw);
}

#define UNARY_HANDLER(name, op)                                                    \
    X86_INLINE void name##_body(X86Core *core, const X86Insn *insn, unsigned size) \
    {                                                                              \
        unary_rm(core, insn, op, size);                                            \
    }                                                                              \
    BY_SIZE(name)

UNARY_HANDLER(not, UNARY_NOT)
UNARY_HANDLER(neg, UNARY_NEG)
UNARY_HANDLER(inc, UNARY_INC)
UNARY_HANDLER(dec, UNARY_DEC)

/* 40..4F: the record's rm is the register of the opcode. */
X86_INLINE void
inc_z_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    unary_rm(core, insn, UNARY_INC, size);
}
BY_SIZE_WDQ(inc_z)

X86_INLINE void
dec_z_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    unary_rm(core, insn, UNARY_DEC, size);
}
BY_SIZE_WDQ(dec_z)

/* Old value of *HOST, atomically increased by ADDEND. */
X86_INLINE uint64_t
fetch_add(void *host, uint64_t addend, unsigned size)
{
    switch (size) {
    case 1:
        __asm__ volatile("lock xaddb %b0, (%1)" : "+q"(addend) : "r"(host) : "cc", "memory");
        break;
    case 2:
        __asm__ volatile("lock xaddw %w0, (%1)" : "+r"(addend) : "r"(host) : "cc", "memory");
        break;
    case 4:
        __asm__ volatile("lock xaddl %k0, (%1)" : "+r"(addend) : "r"(host) : "cc", "memory");
        break;
    default:
        __asm__ volatile("lock xaddq %q0, (%1)" : "+r"(addend) : "r"(host) : "cc", "memory");
        break;
    }
    return addend;
}

X86_INLINE void
xadd_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    uint64_t addend = x86_reg_read(core, insn, insn->reg, size), old;
    X86Rmw rmw;

    if (!insn->is_memory) {
        old = x86_reg_read(core, insn, insn->rm, size);
        x86_reg_write(core, insn, insn->reg, old, size);
        x86_reg_write(core, insn, insn->rm, alu(core, ALU_ADD, old, addend, size), size);
        return;
    }
    x86_rmw_operand(core, insn, size, &rmw);
    if (insn->lock) {
        old = fetch_add(rmw.host, addend, size);
        alu(core, ALU_ADD, old, addend, size);
    } else {
        old = x86_host_load(rmw.host, size);
        x86_host_store(rmw.host, alu(core, ALU_ADD, old, addend, size), size);
    }
    x86_rmw_end(core, &rmw);
    x86_reg_write(core, insn, insn->reg, old, size);
}
BY_SIZE(xadd)

/* The value found in *HOST, which becomes REPLACEMENT if it was EXPECTED. */
X86_INLINE uint64_t
compare_exchange(void *host, uint64_t expected, uint64_t replacement, unsigned size)
{
    uint64_t rax = expected;

    switch (size) {
    case 1:
        __asm__ volatile("lock cmpxchgb %b2, (%1)"
                         : "+a"(rax)
                         : "r"(host), "q"(replacement)
                         : "cc", "memory");
        break;
    case 2:
        __asm__ volatile("lock cmpxchgw %w2, (%1)"
                         : "+a"(rax)
                         : "r"(host), "r"(replacement)
                         : "cc", "memory");
        break;
    case 4:
        __asm__ volatile("lock cmpxchgl %k2, (%1)"
                         : "+a"(rax)
                         : "r"(host), "r"(replacement)
                         : "cc", "memory");
        break;
    default:
        __asm__ volatile("lock cmpxchgq %q2, (%1)"
                         : "+a"(rax)
                         : "r"(host), "r"(replacement)
                         : "cc", "memory");
        break;
    }
    return rax & x86_size_mask(size);
}

/* The memory form always writes (the old value when the comparison fails), so it faults and marks
 * pages dirty as a write. Only what is assigned is extended to 64 bits: a register destination when
 * the operands are equal, RAX when they are not. */
X86_INLINE void
cmpxchg_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    uint64_t expected = core->s.gpr[X86_RAX] & x86_size_mask(size);
    uint64_t replacement = x86_reg_read(core, insn, insn->reg, size), found;
    X86Rmw rmw;

    if (insn->is_memory) {
        x86_rmw_operand(core, insn, size, &rmw);
        if (insn->lock) {
            found = compare_exchange(rmw.host, expected, replacement, size);
        } else {
            found = x86_host_load(rmw.host, size);
            x86_host_store(rmw.host, found == expected ? replacement : found, size);
        }
        x86_rmw_end(core, &rmw);
    } else {
        found = x86_reg_read(core, insn, insn->rm, size);
        if (found == expected) {
            x86_reg_write(core, insn, insn->rm, replacement, size);
        }
    }
    alu(core, ALU_CMP, expected, found, size);
    if (found != expected) {
        x86_reg_write(core, insn, X86_RAX, found, size);
    }
}
BY_SIZE(cmpxchg)

static void
cmpxchg_wide(X86Core *core, const X86Insn *insn, unsigned half)
{
    uint64_t *gpr = core->s.gpr, lo, hi;
    X86Rmw rmw;
    bool equal;

    if (half == 8 && (x86_address(core, insn) & 15) != 0) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    x86_rmw_operand(core, insn, half * 2, &rmw);
    lo = gpr[X86_RAX] & x86_size_mask(half);
    hi = gpr[X86_RDX] & x86_size_mask(half);
    if (half == 8) {
        __asm__ volatile("lock cmpxchg16b (%[mem])"
                         : "+a"(lo), "+d"(hi), "=@ccz"(equal)
                         : [mem] "r"(rmw.host), "b"(gpr[X86_RBX]), "c"(gpr[X86_RCX])
                         : "memory");
    } else {
        __asm__ volatile("lock cmpxchg8b (%[mem])"
                         : "+a"(lo), "+d"(hi), "=@ccz"(equal)
                         : [mem] "r"(rmw.host), "b"(gpr[X86_RBX]), "c"(gpr[X86_RCX])
                         : "memory");
    }
    x86_rmw_end(core, &rmw);
    x86_set_flag(core, X86_FLAG_ZF, equal);
    if (!equal) {
        x86_reg_write(core, insn, X86_RAX, lo, half);
        x86_reg_write(core, insn, X86_RDX, hi, half);
    }
}

void
x86_exec_cmpxchg8b(X86Core *core, const X86Insn *insn)
{
    cmpxchg_wide(core, insn, 4);
}

void
x86_exec_cmpxchg16b(X86Core *core, const X86Insn *insn)
{
    cmpxchg_wide(core, insn, 8);
}

/* ADCX and ADOX: ADC whose carry is one flag and which touches no other. */
X86_INLINE void
add_with_flag(X86Core *core, const X86Insn *insn, uint32_t flag, unsigned size)
{
    uint64_t b = x86_rm_read(core, insn, size);
    uint64_t a = x86_reg_read(core, insn, insn->reg, size);
    bool carry = core->s.rflags & flag;
    uint64_t sum;

    if (size == 4) {
        sum = a + b + carry;
        carry = sum >> 32;
    } else {
        bool first = __builtin_add_overflow(a, b, &sum);
        carry = __builtin_add_overflow(sum, (uint64_t)carry, &sum) | first;
    }
    x86_reg_write(core, insn, insn->reg, sum, size);
    x86_set_flag(core, flag, carry);
}

X86_INLINE void
adcx_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    add_with_flag(core, insn, X86_FLAG_CF, size);
}
BY_SIZE_DQ(adcx)

X86_INLINE void
adox_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    add_with_flag(core, insn, X86_FLAG_OF, size);
}
BY_SIZE_DQ(adox)
