/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What Intel's CPUs answer otherwise than AMD's, whom the interpreter follows where they differ.
 *
 * Two means. An encoding that means something else to Intel is not generated there. Where only part
 * of what an instruction leaves is up to the CPU, nearly always after a fault, that part of the
 * guest's result is made the host's before the two are compared. On AMD's CPUs neither does
 * anything. Each rule names who says so: SDM is Intel's manual, APM is AMD's. */

#include "oracle-vendor.h"

#include "x86-interp.h"

#include <cpuid.h>
#include <string.h>

static OracleVendor
read_vendor(void)
{
    unsigned a, b, c, d;

    __cpuid(0, a, b, c, d);
    if (b == signature_AMD_ebx && c == signature_AMD_ecx && d == signature_AMD_edx) {
        return ORACLE_AMD;
    }
    return b == signature_INTEL_ebx && c == signature_INTEL_ecx && d == signature_INTEL_edx
               ? ORACLE_INTEL
               : ORACLE_OTHER;
}

OracleVendor
oracle_vendor(void)
{
    static OracleVendor vendor; /* asked once: a hypervisor answers, which takes its time */

    if (vendor == ORACLE_UNKNOWN) {
        vendor = read_vendor();
    }
    return vendor;
}

/* APM volume 3 appendix E.4: CPUID 80000001.ECX bit 7, 80000008.EBX bit 2. */
bool
oracle_vendor_lacks(unsigned feature)
{
    return oracle_vendor() != ORACLE_AMD &&
           (feature == X86_FEATURE_MISALIGNSSE || feature == X86_FEATURE_XSAVEERPTR);
}

uint32_t
oracle_vendor_components(void)
{
    const uint32_t avx512 = 0xe0; /* AMD's have no more; Intel's have AMX too */
    uint32_t low, high;

    if (oracle_vendor() == ORACLE_AMD) {
        return avx512;
    }
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return avx512 | (low & ~7u);
}

static bool
is_named(const X86OpRow *row, const char *name)
{
    return strcmp(row->mnemonic, name) == 0;
}

/* ---- Encodings ---- */

/* APM volume 3, near branches: 66 makes RIP 16 bits, F3 and F2 choose between LOOPE and LOOPNE. SDM
 * volume 2 JMP, Jcc, CALL, RET, LOOP: the operand size is 64 bits whatever the prefix, and nothing
 * of F3 and F2. */
static bool
is_odd_branch(const X86Insn *insn)
{
    return insn->row->class_ == X86_CLASS_FLOW &&
           ((insn->code_size == 8 && insn->operand_size == 2) ||
            (strncmp(insn->row->mnemonic, "loop", 4) == 0 && (insn->rep || insn->repne)));
}

/* SDM volume 2 PUSH: of a segment register the CPU may write the low 16 bits alone. */
static bool
is_wide_segment_push(const X86Insn *insn)
{
    return is_named(insn->row, "push") && insn->row->operand[1].kind == X86_OP_SEG_FIXED &&
           insn->operand_size == 4;
}

/* SDM volume 2 MOVSXD: with a 16-bit operand size it reads as much; APM volume 3: 32 bits. */
static bool
is_short_movsxd(const X86Insn *insn)
{
    return is_named(insn->row, "movsxd") && insn->operand_size == 2 && insn->is_memory;
}

/* APM volume 3 NOP: with REX.B, F3 90 is XCHG R8,rAX. SDM volume 2 PAUSE: F3 90, of REX nothing. */
static bool
is_pause_or_xchg(const X86Insn *insn)
{
    return insn->opcode == 0x90 && insn->rep && is_named(insn->row, "xchg");
}

/* SDM volume 2: W0 is #UD for VPERMQ and VPERMPD; outside 64-bit code VPEXTRD and VPINSRD are what
 * VPEXTRQ and VPINSRQ are with W1, which APM volume 4 has as #UD. */
static bool
has_odd_w(const X86Insn *insn)
{
    if (insn->encoding != X86_ENC_VEX || insn->map != X86_MAP_0F3A) {
        return false;
    }
    return insn->opcode <= 0x01 ? !insn->rex_w
                                : (insn->opcode == 0x16 || insn->opcode == 0x22) && insn->rex_w &&
                                      insn->code_size != 8;
}

bool
oracle_vendor_agrees(const X86Insn *insn)
{
    return oracle_vendor() == ORACLE_AMD ||
           !(is_odd_branch(insn) || is_wide_segment_push(insn) || is_pause_or_xchg(insn) ||
             is_short_movsxd(insn) || has_odd_w(insn));
}

/* Repeated with a count in ECX, Intel's CPUs clear the upper halves of RCX, RSI and RDI before the
 * first repetition, be there one or none; the manuals say nothing of it. */
bool
oracle_vendor_cuts_pointers(const X86Insn *insn)
{
    return oracle_vendor() != ORACLE_AMD && insn->row->class_ == X86_CLASS_STRING &&
           (insn->rep || insn->repne) && insn->code_size == 8 && insn->address_size == 4;
}

/* SDM volume 2, and the programming reference of future extensions, of VEX in map 0F38: AMX,
 * AVX-VNNI and its INT8 and INT16, AVX-NE-CONVERT, AVX-IFMA, SHA512, SM3, SM4, CMPCCXADD. */
static bool
is_newer_vex(const X86Insn *insn)
{
    static const uint8_t spans[][2] = { { 0x48, 0x4b }, { 0x50, 0x53 }, { 0x5c, 0x5e },
                                        { 0xb0, 0xb1 }, { 0xb4, 0xb5 }, { 0xcb, 0xcd },
                                        { 0xd2, 0xd3 }, { 0xda, 0xda }, { 0xe0, 0xef } };

    for (unsigned i = 0; i < G_N_ELEMENTS(spans); i++) {
        if (insn->opcode >= spans[i][0] && insn->opcode <= spans[i][1]) {
            return insn->map == X86_MAP_0F38;
        }
    }
    return insn->map == X86_MAP_0F3A && insn->opcode == 0xde; /* SM3 */
}

/* SDM volume 2: MOVDIRI, MOVDIR64B and ENQCMD; XBEGIN and XABORT; PTWRITE; the registers' form of
 * PREFETCHW, a NOP. No row has these. */
bool
oracle_vendor_knows(const X86Insn *insn, const uint8_t *bytes)
{
    unsigned map = insn->map, opcode = insn->opcode, modrm = bytes[insn->opcode_offset + 1];

    if (oracle_vendor() == ORACLE_AMD) {
        return false;
    }
    if (insn->encoding == X86_ENC_VEX) {
        return is_newer_vex(insn);
    }
    return (map == X86_MAP_0F38 && (opcode == 0xf8 || opcode == 0xf9)) ||
           (map == X86_MAP_1B && (opcode & 0xfe) == 0xc6 && modrm == 0xf8) ||
           (map == X86_MAP_0F && opcode == 0xae && (modrm >> 3 & 7) == 4 &&
            insn->pp == X86_PP_F3) ||
           (map == X86_MAP_0F && opcode == 0x0d);
}

/* ---- Results ---- */

/* Where a result stopped. */
static bool
find_fault(const OracleCase *c, const OracleResult *r, X86Insn *out_insn)
{
    static const uint8_t code_size[] = { 8, 4, 2 };

    for (unsigned i = 0; r->vector >= 0 && i < c->count; i++) {
        if (r->out.rip == c->in.rip + c->start[i]) {
            return x86_decode(c->code + c->start[i], 15, code_size[c->mode], out_insn) ==
                   X86_DECODE_OK;
        }
    }
    return false;
}

static bool
has_operand(const X86Insn *insn, unsigned kind)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(insn->row->operand); i++) {
        if (insn->row->operand[i].kind == kind) {
            return true;
        }
    }
    return false;
}

/* SDM volume 1 8.1.8 and 8.1.9: FOP and FDP are those of the last unmasked exception, FCS and FDS
 * zero (CPUID.7.EBX bits 6 and 13). APM volume 1 chapter 6: those of the last instruction. */
static void
level_pointers(const OracleResult *native, OracleResult *guest)
{
    memcpy(guest->out.xsave + 6, native->out.xsave + 6, 2);
    memcpy(guest->out.xsave + 16, native->out.xsave + 16, 8);
}

/* SDM volume 2 VGATHER: the mask's elements are first widened from their sign bits, and Intel's
 * CPUs clear what is beyond the vector's length then too. */
static void
level_gather(const X86Insn *insn, OracleResult *r)
{
    unsigned element = insn->rex_w ? 8 : 4;

    for (unsigned at = 0; at < 32; at += element) {
        uint8_t *mask = r->out.xsave + (at < 16 ? 160 : 576 - 16) + insn->vvvv * 16 + at;
        bool set = at < (insn->vex_l ? 32u : 16u) && mask[element - 1] & 0x80;

        memset(mask, set ? 0xff : 0, element);
    }
    if (!insn->vex_l) {
        memset(r->out.xsave + 576 + insn->reg * 16, 0, 16);
    }
}

/* SDM volume 2 REP: CMPS and SCAS that fault leave the flags as they were before the first of their
 * repetitions, AMD's CPUs as the last left them. Which of two faults of CMPS is told is open. */
static void
level_compare(const X86Insn *insn, const OracleResult *native, OracleResult *guest)
{
    if (insn->rep || insn->repne) {
        guest->out.rflags ^= (guest->out.rflags ^ native->out.rflags) & X86_FLAGS_ARITH;
    }
    if (is_named(insn->row, "cmps")) {
        guest->vector = native->vector;
        guest->error = native->error;
        guest->cr2 = native->cr2;
    }
}

/* SDM volume 1 9.5: an MMX instruction sets TOP to 0; nothing says whether one that faults does. */
static void
level_mmx(const OracleResult *native, OracleResult *guest)
{
    memcpy(guest->out.xsave + 2, native->out.xsave + 2, 2);
    memcpy(guest->out.xsave + 32, native->out.xsave + 32, 128);
}

/* Which byte of a masked operand CR2 names is open, and whether the elements wrap at 64 KiB each
 * for itself (SDM volume 1 3.3.7): Intel's do not. */
static void
level_masked_move(const OracleResult *native, OracleResult *guest)
{
    if ((uint16_t)(guest->cr2 - native->cr2 + 32) < 64) {
        guest->cr2 = native->cr2;
    }
}

/* SDM volume 2 FXSAVE, XSAVE: whether a misaligned area is #AC or #GP is up to the CPU where AC is
 * set; and nothing says what is told of an area that has several faults, a bad header among them,
 * or which of its pages is touched first. */
static void
level_area(const X86Insn *insn, const OracleResult *native, OracleResult *guest)
{
    if (native->vector != guest->vector ||
        guest->cr2 - native->cr2 + ORACLE_XSAVE_BYTES < 2 * ORACLE_XSAVE_BYTES) {
        guest->vector = native->vector;
        guest->error = native->error;
        guest->cr2 = native->cr2;
    }
    if (strstr(insn->row->mnemonic,
               "rstor")) { /* part of it may be there before MXCSR is looked at */
        memcpy(guest->out.xsave, native->out.xsave, ORACLE_XSAVE_BYTES);
    }
}

/* What a store in several parts has written when one faults, and a CALL to an address that is not
 * canonical: nothing in the manuals; Intel's CPUs push first. */
static bool
leaves_memory(const X86Insn *insn, const OracleResult *r)
{
    const X86Operand *dest = &insn->row->operand[0];

    return (is_named(insn->row, "call") && r->vector == X86_EXC_GP) ||
           (insn->row->class_ == X86_CLASS_X87 && insn->is_memory && dest->access == X86_ACC_W &&
            dest->size > 8);
}

static void
level_fault(const X86Insn *insn, OracleResult *native, OracleResult *guest)
{
    if (has_operand(insn, X86_OP_VSIB)) {
        level_gather(insn, guest);
        level_gather(insn, native);
    }
    if (insn->row->map == X86_MAP_0F && insn->row->operand[0].size == X86_SZ_STATE) {
        level_area(insn, native, guest);
    }
    if (has_operand(insn, X86_OP_MMX_RM) || has_operand(insn, X86_OP_MMX_REG)) {
        level_mmx(native, guest);
    }
    if (is_named(insn->row, "cmps") || is_named(insn->row, "scas")) {
        level_compare(insn, native, guest);
    }
    if (strstr(insn->row->mnemonic, "maskmov")) {
        level_masked_move(native, guest);
    }
    if (leaves_memory(insn, native)) {
        guest->data_hash = native->data_hash;
    }
    if (is_named(insn->row, "vcvtps2ph")) { /* told in MXCSR before the store */
        memcpy(guest->out.xsave + 24, native->out.xsave + 24, 1);
    }
}

/* ---- Faults of one vendor alone ---- */

static unsigned
vector_operand_bytes(const X86Insn *insn)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(insn->row->operand); i++) {
        const X86Operand *op = &insn->row->operand[i];

        if (insn->is_memory && (op->kind == X86_OP_VEC_RM || op->kind == X86_OP_MODRM_M)) {
            return op->size == X86_SZ_VEC        ? (insn->vex_l ? 32 : 16)
                   : op->size == X86_SZ_VEC_HALF ? (insn->vex_l ? 16 : 8)
                                                 : op->size & 0x7f;
        }
    }
    return 0;
}

/* SDM volume 2 chapter 2, exception classes 2, 4 and 11, volume 3 6.15: operands of 16 bytes and
 * more need not give #AC, those of VCVTPH2PS and VCVTPS2PH do not. APM volume 2 chapter 8: all do.
 */
static bool
is_wide_alignment(const OracleResult *guest, const X86Insn *insn)
{
    return guest->vector == X86_EXC_AC &&
           (vector_operand_bytes(insn) >= 16 || insn->row->feature == X86_FEATURE_F16C);
}

/* SDM volume 2 SHA1RNDS4 and so on: type 4, #GP where misaligned. AMD's CPUs take them. */
static bool
is_misaligned_sha(const OracleResult *native, const X86Insn *insn)
{
    return native->vector == X86_EXC_GP && insn->row->feature == X86_FEATURE_SHA_NI;
}

/* SDM volume 3 6.9, APM volume 2 8.5: in which order one instruction's faults are told is open. A
 * store with an unmasked exception stores nothing on Intel's CPUs and goes on; AMD's ask for the
 * memory first. */
static bool
is_pending_store(const OracleCase *c, const OracleResult *native, const OracleResult *guest,
                 const X86Insn *insn)
{
    return insn->row->class_ == X86_CLASS_X87 && insn->is_memory &&
           insn->row->operand[0].access == X86_ACC_W && (guest->out.xsave[0] & 0x3f) != 0x3f &&
           (native->out.rip != guest->out.rip || native->vector == X86_EXC_MF || c->loop_at);
}

/* The same of VCVTPS2PH and its #XM. */
static bool
is_pending_convert(const OracleResult *native, const X86Insn *insn)
{
    return native->vector == X86_EXC_XM && is_named(insn->row, "vcvtps2ph");
}

/* SDM volume 3 5.3: accesses that wrap at 4 GiB may give the segment's fault or none; whether that
 * or #AC is told of a misaligned one is open, as at the canonical addresses' end. */
static bool
is_wrapped(const OracleResult *native, const OracleResult *guest, const X86Insn *insn)
{
    bool wraps =
        insn->code_size == 4 && native->vector == X86_EXC_PF && (uint32_t)native->cr2 + 32 < 64;

    return (guest->vector == X86_EXC_SS || guest->vector == X86_EXC_GP) &&
           (wraps || native->vector == X86_EXC_AC);
}

/* SDM volume 2 VMASKMOV: elements that are not selected do not fault; of the segment's limit it
 * says nothing, and Intel's CPUs check the whole operand against it. */
static bool
is_masked_limit(const OracleResult *native, const X86Insn *insn)
{
    return insn->code_size != 8 && strstr(insn->row->mnemonic, "maskmov") &&
           (native->vector == X86_EXC_GP || native->vector == X86_EXC_SS);
}

/* SDM volume 1 3.3.7.1: the linear address is to be canonical; AMD's CPUs ask it of the offset in
 * FS and GS too. */
static bool
is_odd_offset(const OracleResult *native, const OracleResult *guest, const X86Insn *insn)
{
    return insn->code_size == 8 && insn->segment >= X86_FS && guest->vector == X86_EXC_GP &&
           native->vector != X86_EXC_GP;
}

/* SDM volume 2 BOUND: in which order the limits are read is open; Intel's CPUs read the upper one
 * for an index that is above the lower. */
static bool
is_half_bound(const OracleResult *native, const OracleResult *guest, const X86Insn *insn)
{
    return native->vector == X86_EXC_BR && guest->vector == X86_EXC_PF &&
           is_named(insn->row, "bound");
}

/* SDM volume 1 13.7 to 13.10: of components that are not asked for it does not say whether their
 * part of the area may fault; AMD's CPUs ask for all of it. */
static bool
is_untouched_area(const OracleResult *native, const OracleResult *guest, const X86Insn *insn)
{
    return guest->vector == X86_EXC_PF && native->out.rip != guest->out.rip &&
           strncmp(insn->row->mnemonic, "xsave", 5) == 0;
}

static bool
is_other_fault(const OracleCase *c, const OracleResult *native, const OracleResult *guest)
{
    X86Insn insn;

    if (find_fault(c, native, &insn) &&
        (is_misaligned_sha(native, &insn) || is_masked_limit(native, &insn) ||
         is_pending_convert(native, &insn))) {
        return true;
    }
    return find_fault(c, guest, &insn) &&
           (is_wide_alignment(guest, &insn) || is_pending_store(c, native, guest, &insn) ||
            is_wrapped(native, guest, &insn) || is_odd_offset(native, guest, &insn) ||
            is_half_bound(native, guest, &insn) || is_untouched_area(native, guest, &insn));
}

bool
oracle_vendor_level(const OracleCase *c, OracleResult *native, OracleResult *guest)
{
    X86Insn insn;

    if (oracle_vendor() == ORACLE_AMD) {
        return false;
    }
    if (is_other_fault(c, native, guest)) {
        *guest = *native;
        return true;
    }
    level_pointers(native, guest);
    if (native->out.rip == guest->out.rip && find_fault(c, guest, &insn)) {
        level_fault(&insn, native, guest);
    }
    return true;
}
