/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* One instruction of a given row, as bytes. */

#include "oracle-rng.h"
#include "oracle.h"

/* What the encoder knows of the registers at this place of the stream. */
typedef struct OracleContext {
    OracleRng *rng;
    OracleMode mode;
    uint64_t value[16];
    uint16_t known;        /* value[] still holds */
    uint16_t relied;       /* value[] was used */
    uint16_t pointers;     /* meant to point at data: better not overwritten */
    uint16_t fixed;        /* counts the turns of a loop: not to be written */
    uint16_t index_vecs;   /* vector registers that hold small indices */
    bool initial_seen;     /* a component may be in its initial state: see add_xsave() */
    uint32_t next_address; /* of the instruction, for rip-relative operands */
} OracleContext;

/* Encodes ROW into OUT (at least 16 bytes) and decodes it again into OUT_INSN, whose row may turn
 * out to be another. False: does not decode, try again; unless ALLOW_UD and it is #UD. */
bool oracle_encode(OracleContext *context, const X86OpRow *row, bool allow_ud, uint8_t *out,
                   X86Insn *out_insn);
/* Fifteen bytes that decode to nothing, and that the host has no meaning of its own for. False: try
 * again. */
bool oracle_encode_hole(OracleContext *context, uint8_t *out, X86Insn *out_insn);
