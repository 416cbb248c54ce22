/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Opcode rows as the generator sees them. */

#include "oracle.h"

typedef enum OracleClass {
    CLASS_INT,
    CLASS_STACK,
    CLASS_FLOW,
    CLASS_STRING,
    CLASS_SYSTEM,
    CLASS_X87,
    CLASS_MMX,
    CLASS_SSE,
    CLASS_AVX,
    CLASS_STATE, /* masked moves, gathers, FXSAVE, XSAVE */
    CLASS_HOLES, /* what no row decodes */
    CLASS_LAST
} OracleClass;

/* What the generator asks of a row again and again. */
typedef struct OracleRow {
    const X86OpRow *row;
    OracleClass class_;
    bool forbidden;
    bool ends_case; /* mostly: fewer of them */
    bool divides;
    bool is_xsave, is_xrstor, brings_initial_values;
    bool stores_pointers; /* of x87, to memory */
    unsigned generated;
} OracleRow;

/* OFFERED: what there is to be generated. */
OracleRow oracle_row_inspect(const X86OpRow *row, const X86CpuModel *offered);
/* A branch by displacement. */
bool oracle_row_is_relative(const X86OpRow *row);
