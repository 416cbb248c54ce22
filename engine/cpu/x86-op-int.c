/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Opcode rows of the integer instructions: arithmetic, shifts, bits, moves, stack, near flow,
 * strings, BMI, ADX, fences and hints. Intel SDM volume 2 chapters 3-5 and appendix A; AMD APM
 * volume 3 where an opcode is AMD's.
 *
 * Flags: "read" also names flags that an instruction leaves alone in some cases (a shift count of
 * zero, a repeat count of zero, BSF of zero), because their old value is then still wanted.
 * Undocumented forms that every CPU has (SAL /6, TEST /1, opcode 82, SALC) are rows as well.
 */

#define X86_OP_ROWS
#include "x86-op.h"

#define aCX FIXED(RCX, X86_SZ_ADDR)

/* add or adc sbb and sub xor cmp: BASE opcode, /digit of the immediate group. */
#define ALU(mn, base, digit, lock, acc, fl, fn)                                                \
    ROW(mn, OP1(base + 0), INT, BASE, BYTE | lock, fl, OPS(acc(Eb), RD(Gb)), fn##_eg),         \
        ROW(mn, OP1(base + 1), INT, BASE, lock, fl, OPS(acc(Ev), RD(Gv)), fn##_eg),            \
        ROW(mn, OP1(base + 2), INT, BASE, BYTE, fl, OPS(acc(Gb), RD(Eb)), fn##_ge),            \
        ROW(mn, OP1(base + 3), INT, BASE, 0, fl, OPS(acc(Gv), RD(Ev)), fn##_ge),               \
        ROW(mn, OP1(base + 4), INT, BASE, BYTE, fl, OPS(acc(AL), RD(Ib)), fn##_ai),            \
        ROW(mn, OP1(base + 5), INT, BASE, 0, fl, OPS(acc(rAX), RD(Iz)), fn##_ai),              \
        ROW(mn, OP1D(0x80, digit), INT, BASE, BYTE | lock, fl, OPS(acc(Eb), RD(Ib)), fn##_ei), \
        ROW(mn, OP1D(0x81, digit), INT, BASE, lock, fl, OPS(acc(Ev), RD(Iz)), fn##_ei),        \
        ROW(mn, OP1D(0x82, digit), INT, BASE, BYTE | NO64 | lock, fl, OPS(acc(Eb), RD(Ib)),    \
            fn##_ei),                                                                          \
        ROW(mn, OP1D(0x83, digit), INT, BASE, lock, fl, OPS(acc(Ev), RD(Ib)), fn##_ei)

/* Shifts and rotates: FL1 for a count of one, FLN for any other. */
#define SHIFT(mn, digit, fl1, fln, fn)                                                    \
    ROW(mn, OP1D(0xc0, digit), INT, BASE, BYTE, fln, OPS(RW(Eb), RD(Ib)), fn##_imm),      \
        ROW(mn, OP1D(0xc1, digit), INT, BASE, 0, fln, OPS(RW(Ev), RD(Ib)), fn##_imm),     \
        ROW(mn, OP1D(0xd0, digit), INT, BASE, BYTE, fl1, OPS(RW(Eb), RD(One)), fn##_one), \
        ROW(mn, OP1D(0xd1, digit), INT, BASE, 0, fl1, OPS(RW(Ev), RD(One)), fn##_one),    \
        ROW(mn, OP1D(0xd2, digit), INT, BASE, BYTE, fln, OPS(RW(Eb), RD(CL)), fn##_cl),   \
        ROW(mn, OP1D(0xd3, digit), INT, BASE, 0, fln, OPS(RW(Ev), RD(CL)), fn##_cl)
#define FL_ROT1   FL(0, CF | OF, 0)
#define FL_ROTN   FL(CF | OF, CF, OF)
#define FL_RC1    FL(CF, CF | OF, 0)
#define FL_RCN    FL(CF | OF, CF, OF)
#define FL_SHIFT1 FL(0, ARITH & ~AF, AF)
#define FL_SHIFTN FL(ARITH, ARITH & ~(AF | OF), AF | OF)
#define FL_INC    FL(0, ARITH & ~CF, 0)
#define FL_MUL    FL(0, CF | OF, SF | ZF | AF | PF)
#define FL_UNDEF  FL(0, 0, ARITH)
#define FL_BT     FL(0, CF, OF | SF | AF | PF)
#define FL_BSX    FL(ARITH & ~ZF, ZF, CF | OF | SF | AF | PF)

#define CC_ROWS(F)                                                                               \
    F(0, "o", OF), F(1, "no", OF), F(2, "b", CF), F(3, "ae", CF), F(4, "e", ZF), F(5, "ne", ZF), \
        F(6, "be", CF | ZF), F(7, "a", CF | ZF), F(8, "s", SF), F(9, "ns", SF), F(10, "p", PF),  \
        F(11, "np", PF), F(12, "l", SF | OF), F(13, "ge", SF | OF), F(14, "le", SF | OF | ZF),   \
        F(15, "g", SF | OF | ZF)
#define JCC_SHORT(n, cc, fl) \
    ROW("j" cc, OP1(0x70 + n), FLOW, BASE, DEF64, FL_R(fl), OPS(RD(Jb)), jcc)
#define JCC_NEAR(n, cc, fl) \
    ROW("j" cc, OP2(0x80 + n), FLOW, BASE, DEF64, FL_R(fl), OPS(RD(Jz)), jcc)
#define SETCC(n, cc, fl) ROW("set" cc, OP2(0x90 + n), INT, BASE, BYTE, FL_R(fl), OPS(WR(Eb)), setcc)
#define CMOVCC(n, cc, fl) \
    ROW("cmov" cc, OP2(0x40 + n), INT, CMOV, 0, FL_R(fl), OPS(RW(Gv), RD(Ev)), cmovcc)

#define STRING(mn, op, fl, b_ops, v_ops, fn)                   \
    ROW(mn, OP1(op), STRING, BASE, BYTE | REP, fl, b_ops, fn), \
        ROW(mn, OP1(op + 1), STRING, BASE, REP, fl, v_ops, fn)

#define BIT_OP(mn, op, digit, lock, acc, fn)                                  \
    ROW(mn, OP2(op), INT, BASE, lock, FL_BT, OPS(acc(Ev), RD(Gv)), fn##_reg), \
        ROW(mn, OP2D(ANY, 0xba, digit), INT, BASE, lock, FL_BT, OPS(acc(Ev), RD(Ib)), fn##_imm)

#define NOP_EV(op) ROW("nop", OP2(op), INT, CMOV, 0, FL_NONE, OPS(NA(Ev)), nop)

const X86OpRow x86_op_rows_int[] = {
    /* clang-format off */
    ALU("add", 0x00, 0, LOCK, RW, FL_ARITH, add),
    ALU("or", 0x08, 1, LOCK, RW, FL_LOGIC, or),
    ALU("adc", 0x10, 2, LOCK, RW, FL(CF, ARITH, 0), adc),
    ALU("sbb", 0x18, 3, LOCK, RW, FL(CF, ARITH, 0), sbb),
    ALU("and", 0x20, 4, LOCK, RW, FL_LOGIC, and),
    ALU("sub", 0x28, 5, LOCK, RW, FL_ARITH, sub),
    ALU("xor", 0x30, 6, LOCK, RW, FL_LOGIC, xor),
    ALU("cmp", 0x38, 7, 0, RD, FL_ARITH, cmp),

    ROW("test", OP1(0x84), INT, BASE, BYTE, FL_LOGIC, OPS(RD(Eb), RD(Gb)), test_eg),
    ROW("test", OP1(0x85), INT, BASE, 0, FL_LOGIC, OPS(RD(Ev), RD(Gv)), test_eg),
    ROW("test", OP1(0xa8), INT, BASE, BYTE, FL_LOGIC, OPS(RD(AL), RD(Ib)), test_ai),
    ROW("test", OP1(0xa9), INT, BASE, 0, FL_LOGIC, OPS(RD(rAX), RD(Iz)), test_ai),
    ROW("test", OP1D(0xf6, 0), INT, BASE, BYTE, FL_LOGIC, OPS(RD(Eb), RD(Ib)), test_ei),
    ROW("test", OP1D(0xf7, 0), INT, BASE, 0, FL_LOGIC, OPS(RD(Ev), RD(Iz)), test_ei),
    ROW("test", OP1D(0xf6, 1), INT, BASE, BYTE, FL_LOGIC, OPS(RD(Eb), RD(Ib)), test_ei),
    ROW("test", OP1D(0xf7, 1), INT, BASE, 0, FL_LOGIC, OPS(RD(Ev), RD(Iz)), test_ei),
    ROW("not", OP1D(0xf6, 2), INT, BASE, BYTE | LOCK, FL_NONE, OPS(RW(Eb)), not),
    ROW("not", OP1D(0xf7, 2), INT, BASE, LOCK, FL_NONE, OPS(RW(Ev)), not),
    ROW("neg", OP1D(0xf6, 3), INT, BASE, BYTE | LOCK, FL_ARITH, OPS(RW(Eb)), neg),
    ROW("neg", OP1D(0xf7, 3), INT, BASE, LOCK, FL_ARITH, OPS(RW(Ev)), neg),
    ROW("inc", OP1(0x40), INT, BASE, NO64, FL_INC, OPS(RW(Zv)), inc_z),
    ROW("dec", OP1(0x48), INT, BASE, NO64, FL_INC, OPS(RW(Zv)), dec_z),
    ROW("inc", OP1D(0xfe, 0), INT, BASE, BYTE | LOCK, FL_INC, OPS(RW(Eb)), inc),
    ROW("inc", OP1D(0xff, 0), INT, BASE, LOCK, FL_INC, OPS(RW(Ev)), inc),
    ROW("dec", OP1D(0xfe, 1), INT, BASE, BYTE | LOCK, FL_INC, OPS(RW(Eb)), dec),
    ROW("dec", OP1D(0xff, 1), INT, BASE, LOCK, FL_INC, OPS(RW(Ev)), dec),

    /* Multiply and divide */
    ROW("mul", OP1D(0xf6, 4), INT, BASE, BYTE, FL_MUL, OPS(WR(AX), RD(AL), RD(Eb)), mul),
    ROW("mul", OP1D(0xf7, 4), INT, BASE, 0, FL_MUL, OPS(WR(rDX), RW(rAX), RD(Ev)), mul),
    ROW("imul", OP1D(0xf6, 5), INT, BASE, BYTE, FL_MUL, OPS(WR(AX), RD(AL), RD(Eb)), imul_1),
    ROW("imul", OP1D(0xf7, 5), INT, BASE, 0, FL_MUL, OPS(WR(rDX), RW(rAX), RD(Ev)), imul_1),
    ROW("imul", OP2(0xaf), INT, BASE, 0, FL_MUL, OPS(RW(Gv), RD(Ev)), imul_2),
    ROW("imul", OP1(0x69), INT, BASE, 0, FL_MUL, OPS(WR(Gv), RD(Ev), RD(Iz)), imul_3),
    ROW("imul", OP1(0x6b), INT, BASE, 0, FL_MUL, OPS(WR(Gv), RD(Ev), RD(Ib)), imul_3),
    ROW("div", OP1D(0xf6, 6), INT, BASE, BYTE, FL_UNDEF, OPS(RW(AX), RD(Eb)), div),
    ROW("div", OP1D(0xf7, 6), INT, BASE, 0, FL_UNDEF, OPS(RW(rDX), RW(rAX), RD(Ev)), div),
    ROW("idiv", OP1D(0xf6, 7), INT, BASE, BYTE, FL_UNDEF, OPS(RW(AX), RD(Eb)), idiv),
    ROW("idiv", OP1D(0xf7, 7), INT, BASE, 0, FL_UNDEF, OPS(RW(rDX), RW(rAX), RD(Ev)), idiv),
    ROW("mulx", VEX38(F2, 0xf6), INT, BMI2, L0, FL_NONE, OPS(WR(Gy), WR(By), RD(Ey), RD(yDX)),
        mulx),

    /* Decimal */
    ROW("daa", OP1(0x27), INT, BASE, NO64, FL(AF | CF, ARITH & ~OF, OF), OPS(RW(AL)), daa),
    ROW("das", OP1(0x2f), INT, BASE, NO64, FL(AF | CF, ARITH & ~OF, OF), OPS(RW(AL)), das),
    ROW("aaa", OP1(0x37), INT, BASE, NO64, FL(AF, AF | CF, OF | SF | ZF | PF), OPS(RW(AX)), aaa),
    ROW("aas", OP1(0x3f), INT, BASE, NO64, FL(AF, AF | CF, OF | SF | ZF | PF), OPS(RW(AX)), aas),
    ROW("aam", OP1(0xd4), INT, BASE, NO64, FL(0, SF | ZF | PF, OF | AF | CF),
        OPS(RW(AX), RD(Ib)), aam),
    ROW("aad", OP1(0xd5), INT, BASE, NO64, FL(0, SF | ZF | PF, OF | AF | CF),
        OPS(RW(AX), RD(Ib)), aad),
    ROW("salc", OP1(0xd6), INT, BASE, NO64 | BYTE, FL_R(CF), OPS(WR(AL)), salc),

    /* Shifts and rotates */
    SHIFT("rol", 0, FL_ROT1, FL_ROTN, rol),
    SHIFT("ror", 1, FL_ROT1, FL_ROTN, ror),
    SHIFT("rcl", 2, FL_RC1, FL_RCN, rcl),
    SHIFT("rcr", 3, FL_RC1, FL_RCN, rcr),
    SHIFT("shl", 4, FL_SHIFT1, FL_SHIFTN, shl),
    SHIFT("shr", 5, FL_SHIFT1, FL_SHIFTN, shr),
    SHIFT("shl", 6, FL_SHIFT1, FL_SHIFTN, shl),
    SHIFT("sar", 7, FL_SHIFT1, FL_SHIFTN, sar),
    ROW("shld", OP2(0xa4), INT, BASE, 0, FL_SHIFTN, OPS(RW(Ev), RD(Gv), RD(Ib)), shld_imm),
    ROW("shld", OP2(0xa5), INT, BASE, 0, FL_SHIFTN, OPS(RW(Ev), RD(Gv), RD(CL)), shld_cl),
    ROW("shrd", OP2(0xac), INT, BASE, 0, FL_SHIFTN, OPS(RW(Ev), RD(Gv), RD(Ib)), shrd_imm),
    ROW("shrd", OP2(0xad), INT, BASE, 0, FL_SHIFTN, OPS(RW(Ev), RD(Gv), RD(CL)), shrd_cl),
    ROW("shlx", VEX38(66, 0xf7), INT, BMI2, L0, FL_NONE, OPS(WR(Gy), RD(Ey), RD(By)), shlx),
    ROW("sarx", VEX38(F3, 0xf7), INT, BMI2, L0, FL_NONE, OPS(WR(Gy), RD(Ey), RD(By)), sarx),
    ROW("shrx", VEX38(F2, 0xf7), INT, BMI2, L0, FL_NONE, OPS(WR(Gy), RD(Ey), RD(By)), shrx),
    ROW("rorx", VEX3A(F2, 0xf0), INT, BMI2, L0 | NO_VVVV, FL_NONE, OPS(WR(Gy), RD(Ey), RD(Ib)),
        rorx),

    /* Bits. BT family with a register index and a memory operand reaches outside the operand. */
    BIT_OP("bt", 0xa3, 4, 0, RD, bt),
    BIT_OP("bts", 0xab, 5, LOCK, RW, bts),
    BIT_OP("btr", 0xb3, 6, LOCK, RW, btr),
    BIT_OP("btc", 0xbb, 7, LOCK, RW, btc),
    ROW("bsf", OP2(0xbc), INT, BASE, 0, FL_BSX, OPS(RW(Gv), RD(Ev)), bsf),
    ROW("bsr", OP2(0xbd), INT, BASE, 0, FL_BSX, OPS(RW(Gv), RD(Ev)), bsr),
    /* Without the feature these run as BSF and BSR: the handler looks. */
    ROW("tzcnt", OP2P(F3, 0xbc), INT, BASE, 0, FL(0, CF | ZF, OF | SF | AF | PF),
        OPS(WR(Gv), RD(Ev)), tzcnt),
    ROW("lzcnt", OP2P(F3, 0xbd), INT, BASE, 0, FL(0, CF | ZF, OF | SF | AF | PF),
        OPS(WR(Gv), RD(Ev)), lzcnt),
    ROW("popcnt", OP2P(F3, 0xb8), INT, POPCNT, 0, FL_ARITH, OPS(WR(Gv), RD(Ev)), popcnt),
    ROW("andn", VEX38(NONE, 0xf2), INT, BMI1, L0, FL(0, SF | ZF | OF | CF, AF | PF),
        OPS(WR(Gy), RD(By), RD(Ey)), andn),
    ROW("blsr", VEX38D(NONE, 0xf3, 1), INT, BMI1, L0, FL(0, SF | ZF | OF | CF, AF | PF),
        OPS(WR(By), RD(Ey)), blsr),
    ROW("blsmsk", VEX38D(NONE, 0xf3, 2), INT, BMI1, L0, FL(0, SF | ZF | OF | CF, AF | PF),
        OPS(WR(By), RD(Ey)), blsmsk),
    ROW("blsi", VEX38D(NONE, 0xf3, 3), INT, BMI1, L0, FL(0, SF | ZF | OF | CF, AF | PF),
        OPS(WR(By), RD(Ey)), blsi),
    ROW("bzhi", VEX38(NONE, 0xf5), INT, BMI2, L0, FL(0, SF | ZF | OF | CF, AF | PF),
        OPS(WR(Gy), RD(Ey), RD(By)), bzhi),
    ROW("pext", VEX38(F3, 0xf5), INT, BMI2, L0, FL_NONE, OPS(WR(Gy), RD(By), RD(Ey)), pext),
    ROW("pdep", VEX38(F2, 0xf5), INT, BMI2, L0, FL_NONE, OPS(WR(Gy), RD(By), RD(Ey)), pdep),
    ROW("bextr", VEX38(NONE, 0xf7), INT, BMI1, L0, FL(0, ZF | CF | OF, SF | AF | PF),
        OPS(WR(Gy), RD(Ey), RD(By)), bextr),
    ROW("adcx", OP38(66, 0xf6), INT, ADX, 0, FL(CF, CF, 0), OPS(RW(Gy), RD(Ey)), adcx),
    ROW("adox", OP38(F3, 0xf6), INT, ADX, 0, FL(OF, OF, 0), OPS(RW(Gy), RD(Ey)), adox),
    ROW("crc32", OP38(F2, 0xf0), INT, SSE42, BYTE, FL_NONE, OPS(RW(Gy), RD(Eb)), crc32),
    ROW("crc32", OP38(F2, 0xf1), INT, SSE42, 0, FL_NONE, OPS(RW(Gy), RD(Ev)), crc32),

    /* Moves */
    ROW("mov", OP1(0x88), INT, BASE, BYTE, FL_NONE, OPS(WR(Eb), RD(Gb)), mov_eg),
    ROW("mov", OP1(0x89), INT, BASE, 0, FL_NONE, OPS(WR(Ev), RD(Gv)), mov_eg),
    ROW("mov", OP1(0x8a), INT, BASE, BYTE, FL_NONE, OPS(WR(Gb), RD(Eb)), mov_ge),
    ROW("mov", OP1(0x8b), INT, BASE, 0, FL_NONE, OPS(WR(Gv), RD(Ev)), mov_ge),
    ROW("mov", OP1(0xa0), INT, BASE, BYTE, FL_NONE, OPS(WR(AL), RD(Ob)), mov_ao),
    ROW("mov", OP1(0xa1), INT, BASE, 0, FL_NONE, OPS(WR(rAX), RD(Ov)), mov_ao),
    ROW("mov", OP1(0xa2), INT, BASE, BYTE, FL_NONE, OPS(WR(Ob), RD(AL)), mov_oa),
    ROW("mov", OP1(0xa3), INT, BASE, 0, FL_NONE, OPS(WR(Ov), RD(rAX)), mov_oa),
    ROW("mov", OP1(0xb0), INT, BASE, BYTE, FL_NONE, OPS(WR(Zb), RD(Ib)), mov_zi),
    ROW("mov", OP1(0xb8), INT, BASE, 0, FL_NONE, OPS(WR(Zv), RD(Iv)), mov_zi),
    ROW("mov", OP1D(0xc6, 0), INT, BASE, BYTE, FL_NONE, OPS(WR(Eb), RD(Ib)), mov_ei),
    ROW("mov", OP1D(0xc7, 0), INT, BASE, 0, FL_NONE, OPS(WR(Ev), RD(Iz)), mov_ei),
    ROW("movzx", OP2(0xb6), INT, BASE, 0, FL_NONE, OPS(WR(Gv), RD(Eb)), movzx_b),
    ROW("movzx", OP2(0xb7), INT, BASE, 0, FL_NONE, OPS(WR(Gv), RD(Ew)), movzx_w),
    ROW("movsx", OP2(0xbe), INT, BASE, 0, FL_NONE, OPS(WR(Gv), RD(Eb)), movsx_b),
    ROW("movsx", OP2(0xbf), INT, BASE, 0, FL_NONE, OPS(WR(Gv), RD(Ew)), movsx_w),
    ROW("movsxd", OP1(0x63), INT, BASE, ONLY64, FL_NONE, OPS(WR(Gv), RD(Ed)), movsxd),
    ROW("movbe", OP38M(NFX, 0xf0), INT, MOVBE, 0, FL_NONE, OPS(WR(Gv), RD(Mv)), movbe_gm),
    ROW("movbe", OP38M(NFX, 0xf1), INT, MOVBE, 0, FL_NONE, OPS(WR(Mv), RD(Gv)), movbe_mg),
    ROW("movnti", OP2M(NONE, 0xc3), INT, SSE2, 0, FL_NONE, OPS(WR(My), RD(Gy)), movnti),
    ROW("lea", OP1M(0x8d), INT, BASE, 0, FL_NONE, OPS(WR(Gv), NA(M)), lea),
    ROW("xchg", OP1(0x86), INT, BASE, BYTE | LOCK, FL_NONE, OPS(RW(Eb), RW(Gb)), xchg_eg),
    ROW("xchg", OP1(0x87), INT, BASE, LOCK, FL_NONE, OPS(RW(Ev), RW(Gv)), xchg_eg),
    ROW("nop", OP1P(ANY, 0x90), INT, BASE, REXB0, FL_NONE, OPS_NONE, nop),
    ROW("pause", OP1P(F3, 0x90), INT, BASE, REXB0, FL_NONE, OPS_NONE, pause),
    ROW("xchg", OP1(0x90), INT, BASE, 0, FL_NONE, OPS(RW(Zv), RW(rAX)), xchg_za),
    ROW("xadd", OP2(0xc0), INT, BASE, BYTE | LOCK, FL_ARITH, OPS(RW(Eb), RW(Gb)), xadd),
    ROW("xadd", OP2(0xc1), INT, BASE, LOCK, FL_ARITH, OPS(RW(Ev), RW(Gv)), xadd),
    ROW("cmpxchg", OP2(0xb0), INT, BASE, BYTE | LOCK, FL_ARITH, OPS(RW(Eb), RD(Gb), RW(AL)),
        cmpxchg),
    ROW("cmpxchg", OP2(0xb1), INT, BASE, LOCK, FL_ARITH, OPS(RW(Ev), RD(Gv), RW(rAX)), cmpxchg),
    ROW("cmpxchg8b", OP2DM(ANY, 0xc7, 1), INT, CX8, LOCK | W0, FL_W(ZF),
        OPS(RW(Mq), RW(EDX), RW(EAX), RD(ECX), RD(EBX)), cmpxchg8b),
    ROW("cmpxchg16b", OP2DM(ANY, 0xc7, 1), INT, CX16, LOCK | W1 | ONLY64 | ALIGN, FL_W(ZF),
        OPS(RW(Mdq), RW(FIXED(RDX, 8)), RW(FIXED(RAX, 8)), RD(FIXED(RCX, 8)),
            RD(FIXED(RBX, 8))), cmpxchg16b),
    ROW("bswap", OP2(0xc8), INT, BASE, 0, FL_NONE, OPS(RW(Zv)), bswap),
    ROW("cbw", OP1(0x98), INT, BASE, 0, FL_NONE, OPS(RW(rAX)), cbw),
    ROW("cwd", OP1(0x99), INT, BASE, 0, FL_NONE, OPS(WR(rDX), RD(rAX)), cwd),
    ROW("xlat", OP1(0xd7), INT, BASE, BYTE, FL_NONE, OPS(RW(AL), RD(Xb)), xlat),
    CC_ROWS(SETCC),
    CC_ROWS(CMOVCC),

    /* Flags */
    ROW("sahf", OP1(0x9e), INT, BASE, 0, FL_W(ARITH & ~OF), OPS(RD(AH)), sahf),
    ROW("lahf", OP1(0x9f), INT, BASE, 0, FL_R(ARITH & ~OF), OPS(WR(AH)), lahf),
    ROW("cmc", OP1(0xf5), INT, BASE, 0, FL(CF, CF, 0), OPS_NONE, cmc),
    ROW("clc", OP1(0xf8), INT, BASE, 0, FL_W(CF), OPS_NONE, clc),
    ROW("stc", OP1(0xf9), INT, BASE, 0, FL_W(CF), OPS_NONE, stc),
    ROW("cld", OP1(0xfc), INT, BASE, END, FL_W(DF), OPS_NONE, cld),
    ROW("std", OP1(0xfd), INT, BASE, END, FL_W(DF), OPS_NONE, std),

    /* Stack */
    ROW("push", OP1(0x50), STACK, BASE, DEF64, FL_NONE, OPS(WR(St), RD(Zv)), push_z),
    ROW("pop", OP1(0x58), STACK, BASE, DEF64, FL_NONE, OPS(WR(Zv), RD(St)), pop_z),
    ROW("push", OP1(0x68), STACK, BASE, DEF64, FL_NONE, OPS(WR(St), RD(Iz)), push_i),
    ROW("push", OP1(0x6a), STACK, BASE, DEF64, FL_NONE, OPS(WR(St), RD(Ib)), push_i),
    ROW("push", OP1D(0xff, 6), STACK, BASE, DEF64, FL_NONE, OPS(WR(St), RD(Ev)), push_e),
    ROW("pop", OP1D(0x8f, 0), STACK, BASE, DEF64, FL_NONE, OPS(WR(Ev), RD(St)), pop_e),
    ROW("pusha", OP1(0x60), STACK, BASE, NO64, FL_NONE, OPS(WR(St)), pusha),
    ROW("popa", OP1(0x61), STACK, BASE, NO64, FL_NONE, OPS(RD(St)), popa),
    ROW("enter", OP1(0xc8), STACK, BASE, DEF64, FL_NONE,
        OPS(WR(St), RW(rBP), RD(Iw), RD(Ib)), enter),
    ROW("leave", OP1(0xc9), STACK, BASE, DEF64, FL_NONE, OPS(RD(St), RW(rBP)), leave),

    /* Flow */
    CC_ROWS(JCC_SHORT),
    CC_ROWS(JCC_NEAR),
    ROW("jmp", OP1(0xe9), FLOW, BASE, DEF64, FL_NONE, OPS(RD(Jz)), jmp_rel),
    ROW("jmp", OP1(0xeb), FLOW, BASE, DEF64, FL_NONE, OPS(RD(Jb)), jmp_rel),
    ROW("jmp", OP1D(0xff, 4), FLOW, BASE, DEF64, FL_NONE, OPS(RD(Ev)), jmp_e),
    ROW("call", OP1(0xe8), FLOW, BASE, DEF64, FL_NONE, OPS(RD(Jz), WR(St)), call_rel),
    ROW("call", OP1D(0xff, 2), FLOW, BASE, DEF64, FL_NONE, OPS(RD(Ev), WR(St)), call_e),
    ROW("ret", OP1(0xc3), FLOW, BASE, DEF64, FL_NONE, OPS(RD(St)), ret),
    ROW("ret", OP1(0xc2), FLOW, BASE, DEF64, FL_NONE, OPS(RD(St), RD(Iw)), ret_imm),
    ROW("loopne", OP1(0xe0), FLOW, BASE, DEF64, FL_R(ZF), OPS(RD(Jb), RW(aCX)), loopne),
    ROW("loope", OP1(0xe1), FLOW, BASE, DEF64, FL_R(ZF), OPS(RD(Jb), RW(aCX)), loope),
    ROW("loop", OP1(0xe2), FLOW, BASE, DEF64, FL_NONE, OPS(RD(Jb), RW(aCX)), loop),
    ROW("jrcxz", OP1(0xe3), FLOW, BASE, DEF64, FL_NONE, OPS(RD(Jb), RD(aCX)), jrcxz),

    /* Strings. rSI, rDI and the repeat count are implied by the class. */
    STRING("movs", 0xa4, FL_R(DF), OPS(WR(Yb), RD(Xb)), OPS(WR(Yv), RD(Xv)), movs),
    STRING("cmps", 0xa6, FL(DF | ARITH, ARITH, 0), OPS(RD(Xb), RD(Yb)), OPS(RD(Xv), RD(Yv)), cmps),
    STRING("stos", 0xaa, FL_R(DF), OPS(WR(Yb), RD(AL)), OPS(WR(Yv), RD(rAX)), stos),
    STRING("lods", 0xac, FL_R(DF), OPS(WR(AL), RD(Xb)), OPS(WR(rAX), RD(Xv)), lods),
    STRING("scas", 0xae, FL(DF | ARITH, ARITH, 0), OPS(RD(AL), RD(Yb)), OPS(RD(rAX), RD(Yv)), scas),

    /* Hints, fences, random numbers */
    ROW("prefetchw", OP2M(ANY, 0x0d), INT, 3DNOWPREFETCH, 0, FL_NONE, OPS(NA(Mb)), nop),
    NOP_EV(0x18), NOP_EV(0x19), NOP_EV(0x1a), NOP_EV(0x1b),
    NOP_EV(0x1c), NOP_EV(0x1d), NOP_EV(0x1e), NOP_EV(0x1f),
    ROW("lfence", OP2DR(NONE, 0xae, 5), INT, SSE2, 0, FL_NONE, OPS_NONE, lfence),
    ROW("mfence", OP2DR(NONE, 0xae, 6), INT, SSE2, 0, FL_NONE, OPS_NONE, mfence),
    ROW("sfence", OP2DR(NONE, 0xae, 7), INT, SSE, 0, FL_NONE, OPS_NONE, sfence),
    ROW("clflush", OP2DM(NONE, 0xae, 7), INT, CLFLUSH, 0, FL_NONE, OPS(RD(Mb)), clflush),
    ROW("clflushopt", OP2DM(66, 0xae, 7), INT, CLFLUSHOPT, 0, FL_NONE, OPS(RD(Mb)), clflush),
    ROW("clwb", OP2DM(66, 0xae, 6), INT, CLWB, 0, FL_NONE, OPS(RD(Mb)), clflush),
    ROW("rdrand", OP2DR(NFX, 0xc7, 6), INT, RDRAND, 0, FL_ARITH, OPS(WR(Rv)), rdrand),
    ROW("rdseed", OP2DR(NFX, 0xc7, 7), INT, RDSEED, 0, FL_ARITH, OPS(WR(Rv)), rdseed),
    /* clang-format on */
};
const size_t x86_op_count_int = VIT_ARRAY_LEN(x86_op_rows_int);
