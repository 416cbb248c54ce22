/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Encodings that mean nothing: random bytes of the shape of an instruction for which there is no
 * row. The host must raise #UD; if it does not, a row is missing or too strict. */

#include "oracle-encode.h"
#include "oracle-vendor.h"

/* Encodings that are none of ours but may mean something to the host: opmask instructions and EVEX
 * of AVX-512; 0F 01, where hypervisors and the like live; with LOCK, AMD's MOV CR8 for 32-bit code
 * and a VERW that does not mind. */
static bool
belongs_to_host(const X86Insn *insn, const uint8_t *bytes)
{
    if (insn->encoding == X86_ENC_VEX) {
        return (insn->map == X86_MAP_0F && ((insn->opcode >= 0x41 && insn->opcode <= 0x4b) ||
                                            (insn->opcode >= 0x90 && insn->opcode <= 0x99))) ||
               (insn->map == X86_MAP_0F3A && insn->opcode >= 0x30 && insn->opcode <= 0x33);
    }
    if (insn->map == X86_MAP_0F && insn->lock &&
        (insn->opcode == 0x00 || insn->opcode == 0x20 || insn->opcode == 0x22)) {
        return true;
    }
    return insn->encoding == X86_ENC_EVEX || (insn->map == X86_MAP_0F && insn->opcode == 0x01) ||
           bytes[insn->opcode_offset] == 0x62;
}

bool
oracle_encode_hole(OracleContext *ctx, uint8_t *out, X86Insn *out_insn)
{
    static const uint8_t prefixes[] = { 0, 0, 0x66, 0xf3, 0xf2 }, code_size[] = { 8, 4, 2 };
    OracleRng *rng = ctx->rng;
    uint8_t prefix = prefixes[oracle_below(rng, G_N_ELEMENTS(prefixes))];
    unsigned len = 0;

    if (oracle_chance(rng, 40)) { /* VEX; its fields are random but for the map */
        out[len++] = 0xc4;
        out[len++] = (uint8_t)((ctx->mode == ORACLE_64 ? oracle_random(rng) & 0xe0 : 0xe0) |
                               (1 + oracle_below(rng, 3)));
        out[len++] = (uint8_t)oracle_random(rng);
    } else {
        unsigned map = oracle_below(rng, 4);

        if (prefix) {
            out[len++] = prefix;
        }
        if (oracle_chance(rng, 5)) {
            out[len++] = 0xf0;
        }
        if (ctx->mode == ORACLE_64 && oracle_chance(rng, 40)) {
            out[len++] = (uint8_t)(0x40 | (oracle_random(rng) & 15));
        }
        if (map > 0) {
            out[len++] = 0x0f;
        }
        if (map > 1) {
            out[len++] = map == 2 ? 0x38 : 0x3a;
        }
    }
    while (len < 15) {
        out[len++] = (uint8_t)oracle_random(rng);
    }
    return x86_decode(out, len, code_size[ctx->mode], out_insn) == X86_DECODE_UD &&
           !belongs_to_host(out_insn, out) && !oracle_vendor_knows(out_insn, out);
}
