/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Opcode rows of the x87 FPU. Intel SDM volume 2, appendix B.17. */

#define X86_OP_ROWS
#include "x86-op.h"

#define St0 OPERAND(ST0, 10)
#define Sti OPERAND(STI, 10)

const X86OpRow x86_op_rows_x87[] = {
    /* clang-format off */
    ROW("fld", OP1DM(0xd9, 0), X87, FPU, 0, FL_NONE, OPS(WR(St0), RD(Md)), fld_m),
    ROW("fld", OP1DM(0xdd, 0), X87, FPU, 0, FL_NONE, OPS(WR(St0), RD(Mq)), fld_m),
    ROW("fld", OP1DR(0xd9, 0), X87, FPU, 0, FL_NONE, OPS(WR(St0), RD(Sti)), fld_sti),
    /* clang-format on */
};
const size_t x86_op_count_x87 = VIT_ARRAY_LEN(x86_op_rows_x87);
