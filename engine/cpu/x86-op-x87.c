/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Opcode rows of the x87 FPU, aliases that CPUs execute included (FCOM at DC D0, FFREEP, ...).
 * Intel SDM volume 2, appendix B.17; opcode map A.5.
 *
 * Roles name the register operands; pushes and pops go unmentioned, the unit itself does them.
 */

#define X86_OP_ROWS
#include "x86-op.h"

#define St0  OPERAND(ST0, 10)
#define St1  .kind = X86_OP_STI, .size = 10, .fixed = 1
#define Sti  OPERAND(STI, 10)
#define Mt   OPERAND(MODRM_M, 10)
#define Menv OPERAND(MODRM_M, X86_SZ_STATE)

#define X87(mn, key, ops)         ROW(mn, key, X87, FPU, 0, FL_NONE, OPS(ops), x87)
#define X87_2(mn, key, dest, src) ROW(mn, key, X87, FPU, 0, FL_NONE, OPS(dest, src), x87)
#define X87_FL(mn, op, digit) \
    ROW(mn, OP1DR(op, digit), X87, CMOV, 0, FL_ARITH, OPS(RD(St0), RD(Sti)), x87)
#define X87_CMOV(mn, op, digit, flags) \
    ROW(mn, OP1DR(op, digit), X87, CMOV, 0, FL_R(flags), OPS(RW(St0), RD(Sti)), x87)
#define CONST_(mn, rm)        X87(mn, OP1RM(0xd9, 5, rm), WR(St0))
#define UNARY(mn, digit, rm)  X87(mn, OP1RM(0xd9, digit, rm), RW(St0))
#define BINARY(mn, digit, rm) X87_2(mn, OP1RM(0xd9, digit, rm), RW(St1), RW(St0))
/* The eight operations on ST0 and a memory operand. */
#define ARITH_MEM(prefix, op, m)                            \
    X87_2(prefix "add", OP1DM(op, 0), RW(St0), RD(m)),      \
        X87_2(prefix "mul", OP1DM(op, 1), RW(St0), RD(m)),  \
        X87_2(prefix "com", OP1DM(op, 2), RD(St0), RD(m)),  \
        X87_2(prefix "comp", OP1DM(op, 3), RD(St0), RD(m)), \
        X87_2(prefix "sub", OP1DM(op, 4), RW(St0), RD(m)),  \
        X87_2(prefix "subr", OP1DM(op, 5), RW(St0), RD(m)), \
        X87_2(prefix "div", OP1DM(op, 6), RW(St0), RD(m)),  \
        X87_2(prefix "divr", OP1DM(op, 7), RW(St0), RD(m))
#define CONTROL(mn, key, ops, fn) ROW(mn, key, X87, FPU, 0, FL_NONE, OPS(ops), fn)

const X86OpRow x86_op_rows_x87[] = {
    /* clang-format off */
    CONTROL("fwait", OP1(0x9b), { X86_OP_NONE }, fwait),

    /* D8 */
    ARITH_MEM("f", 0xd8, Md),
    X87_2("fadd", OP1DR(0xd8, 0), RW(St0), RD(Sti)),
    X87_2("fmul", OP1DR(0xd8, 1), RW(St0), RD(Sti)),
    X87_2("fcom", OP1DR(0xd8, 2), RD(St0), RD(Sti)),
    X87_2("fcomp", OP1DR(0xd8, 3), RD(St0), RD(Sti)),
    X87_2("fsub", OP1DR(0xd8, 4), RW(St0), RD(Sti)),
    X87_2("fsubr", OP1DR(0xd8, 5), RW(St0), RD(Sti)),
    X87_2("fdiv", OP1DR(0xd8, 6), RW(St0), RD(Sti)),
    X87_2("fdivr", OP1DR(0xd8, 7), RW(St0), RD(Sti)),

    /* D9 */
    X87_2("fld", OP1DM(0xd9, 0), WR(St0), RD(Md)),
    X87_2("fst", OP1DM(0xd9, 2), WR(Md), RD(St0)),
    X87_2("fstp", OP1DM(0xd9, 3), WR(Md), RD(St0)),
    CONTROL("fldenv", OP1DM(0xd9, 4), RD(Menv), fldenv),
    CONTROL("fldcw", OP1DM(0xd9, 5), RD(Mw), fldcw),
    CONTROL("fnstenv", OP1DM(0xd9, 6), WR(Menv), fnstenv),
    CONTROL("fnstcw", OP1DM(0xd9, 7), WR(Mw), fnstcw),
    X87_2("fld", OP1DR(0xd9, 0), WR(St0), RD(Sti)),
    X87_2("fxch", OP1DR(0xd9, 1), RW(St0), RW(Sti)),
    X87("fnop", OP1RM(0xd9, 2, 0), { X86_OP_NONE }),
    X87_2("fstp", OP1DR(0xd9, 3), WR(Sti), RD(St0)),
    UNARY("fchs", 4, 0), UNARY("fabs", 4, 1),
    X87("ftst", OP1RM(0xd9, 4, 4), RD(St0)),
    X87("fxam", OP1RM(0xd9, 4, 5), RD(St0)),
    CONST_("fld1", 0), CONST_("fldl2t", 1), CONST_("fldl2e", 2), CONST_("fldpi", 3),
    CONST_("fldlg2", 4), CONST_("fldln2", 5), CONST_("fldz", 6),
    UNARY("f2xm1", 6, 0), BINARY("fyl2x", 6, 1), UNARY("fptan", 6, 2), BINARY("fpatan", 6, 3),
    UNARY("fxtract", 6, 4), BINARY("fprem1", 6, 5),
    X87("fdecstp", OP1RM(0xd9, 6, 6), { X86_OP_NONE }),
    X87("fincstp", OP1RM(0xd9, 6, 7), { X86_OP_NONE }),
    BINARY("fprem", 7, 0), BINARY("fyl2xp1", 7, 1), UNARY("fsqrt", 7, 2), UNARY("fsincos", 7, 3),
    UNARY("frndint", 7, 4), BINARY("fscale", 7, 5), UNARY("fsin", 7, 6), UNARY("fcos", 7, 7),

    /* DA */
    ARITH_MEM("fi", 0xda, Md),
    X87_CMOV("fcmovb", 0xda, 0, CF),
    X87_CMOV("fcmove", 0xda, 1, ZF),
    X87_CMOV("fcmovbe", 0xda, 2, CF | ZF),
    X87_CMOV("fcmovu", 0xda, 3, PF),
    X87_2("fucompp", OP1RM(0xda, 5, 1), RD(St0), RD(St1)),

    /* DB */
    X87_2("fild", OP1DM(0xdb, 0), WR(St0), RD(Md)),
    ROW("fisttp", OP1DM(0xdb, 1), X87, SSE3, 0, FL_NONE, OPS(WR(Md), RD(St0)), x87),
    X87_2("fist", OP1DM(0xdb, 2), WR(Md), RD(St0)),
    X87_2("fistp", OP1DM(0xdb, 3), WR(Md), RD(St0)),
    X87_2("fld", OP1DM(0xdb, 5), WR(St0), RD(Mt)),
    X87_2("fstp", OP1DM(0xdb, 7), WR(Mt), RD(St0)),
    X87_CMOV("fcmovnb", 0xdb, 0, CF),
    X87_CMOV("fcmovne", 0xdb, 1, ZF),
    X87_CMOV("fcmovnbe", 0xdb, 2, CF | ZF),
    X87_CMOV("fcmovnu", 0xdb, 3, PF),
    CONTROL("fneni", OP1RM(0xdb, 4, 0), { X86_OP_NONE }, fnop_control),
    CONTROL("fndisi", OP1RM(0xdb, 4, 1), { X86_OP_NONE }, fnop_control),
    CONTROL("fnclex", OP1RM(0xdb, 4, 2), { X86_OP_NONE }, fnclex),
    CONTROL("fninit", OP1RM(0xdb, 4, 3), { X86_OP_NONE }, fninit),
    CONTROL("fnsetpm", OP1RM(0xdb, 4, 4), { X86_OP_NONE }, fnop_control),
    X87_FL("fucomi", 0xdb, 5),
    X87_FL("fcomi", 0xdb, 6),

    /* DC */
    ARITH_MEM("f", 0xdc, Mq),
    X87_2("fadd", OP1DR(0xdc, 0), RW(Sti), RD(St0)),
    X87_2("fmul", OP1DR(0xdc, 1), RW(Sti), RD(St0)),
    X87_2("fcom", OP1DR(0xdc, 2), RD(St0), RD(Sti)),
    X87_2("fcomp", OP1DR(0xdc, 3), RD(St0), RD(Sti)),
    X87_2("fsubr", OP1DR(0xdc, 4), RW(Sti), RD(St0)),
    X87_2("fsub", OP1DR(0xdc, 5), RW(Sti), RD(St0)),
    X87_2("fdivr", OP1DR(0xdc, 6), RW(Sti), RD(St0)),
    X87_2("fdiv", OP1DR(0xdc, 7), RW(Sti), RD(St0)),

    /* DD */
    X87_2("fld", OP1DM(0xdd, 0), WR(St0), RD(Mq)),
    ROW("fisttp", OP1DM(0xdd, 1), X87, SSE3, 0, FL_NONE, OPS(WR(Mq), RD(St0)), x87),
    X87_2("fst", OP1DM(0xdd, 2), WR(Mq), RD(St0)),
    X87_2("fstp", OP1DM(0xdd, 3), WR(Mq), RD(St0)),
    CONTROL("frstor", OP1DM(0xdd, 4), RD(Menv), frstor),
    CONTROL("fnsave", OP1DM(0xdd, 6), WR(Menv), fnsave),
    CONTROL("fnstsw", OP1DM(0xdd, 7), WR(Mw), fnstsw_m),
    X87("ffree", OP1DR(0xdd, 0), NA(Sti)),
    X87_2("fxch", OP1DR(0xdd, 1), RW(St0), RW(Sti)),
    X87_2("fst", OP1DR(0xdd, 2), WR(Sti), RD(St0)),
    X87_2("fstp", OP1DR(0xdd, 3), WR(Sti), RD(St0)),
    X87_2("fucom", OP1DR(0xdd, 4), RD(St0), RD(Sti)),
    X87_2("fucomp", OP1DR(0xdd, 5), RD(St0), RD(Sti)),

    /* DE */
    ARITH_MEM("fi", 0xde, Mw),
    X87_2("faddp", OP1DR(0xde, 0), RW(Sti), RD(St0)),
    X87_2("fmulp", OP1DR(0xde, 1), RW(Sti), RD(St0)),
    X87_2("fcomp", OP1DR(0xde, 2), RD(St0), RD(Sti)),
    X87_2("fcompp", OP1RM(0xde, 3, 1), RD(St0), RD(St1)),
    X87_2("fsubrp", OP1DR(0xde, 4), RW(Sti), RD(St0)),
    X87_2("fsubp", OP1DR(0xde, 5), RW(Sti), RD(St0)),
    X87_2("fdivrp", OP1DR(0xde, 6), RW(Sti), RD(St0)),
    X87_2("fdivp", OP1DR(0xde, 7), RW(Sti), RD(St0)),

    /* DF */
    X87_2("fild", OP1DM(0xdf, 0), WR(St0), RD(Mw)),
    ROW("fisttp", OP1DM(0xdf, 1), X87, SSE3, 0, FL_NONE, OPS(WR(Mw), RD(St0)), x87),
    X87_2("fist", OP1DM(0xdf, 2), WR(Mw), RD(St0)),
    X87_2("fistp", OP1DM(0xdf, 3), WR(Mw), RD(St0)),
    X87_2("fbld", OP1DM(0xdf, 4), WR(St0), RD(Mt)),
    X87_2("fild", OP1DM(0xdf, 5), WR(St0), RD(Mq)),
    X87_2("fbstp", OP1DM(0xdf, 6), WR(Mt), RD(St0)),
    X87_2("fistp", OP1DM(0xdf, 7), WR(Mq), RD(St0)),
    X87("ffreep", OP1DR(0xdf, 0), NA(Sti)),
    X87_2("fxch", OP1DR(0xdf, 1), RW(St0), RW(Sti)),
    X87_2("fstp", OP1DR(0xdf, 2), WR(Sti), RD(St0)),
    X87_2("fstp", OP1DR(0xdf, 3), WR(Sti), RD(St0)),
    CONTROL("fnstsw", OP1RM(0xdf, 4, 0), WR(AX), fnstsw_ax),
    X87_FL("fucomip", 0xdf, 5),
    X87_FL("fcomip", 0xdf, 6),
    /* clang-format on */
};
const size_t x86_op_count_x87 = VIT_ARRAY_LEN(x86_op_rows_x87);
