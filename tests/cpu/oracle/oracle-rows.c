/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What the generator must know of an opcode row: its class, whether it may be generated at all,
 * what it does to a case. Instructions that would leave the child (system calls), that two runs
 * answer differently (time, random numbers, CPU identity) or that another system answers are
 * forbidden. */

#include "oracle-rows.h"
#include "oracle-vendor.h"

#include <string.h>

static const char *const class_names[CLASS_LAST + 1] = { "int",    "stack", "flow",  "string",
                                                         "system", "x87",   "mmx",   "sse",
                                                         "avx",    "state", "holes", NULL };
static bool
is_forbidden(const X86OpRow *row)
{
    static const char *const names[] = {
        /* leave the child or change what the harness needs */
        "syscall",
        "sysret",
        "sysenter",
        "sysexit",
        "int",
        "int3",
        "int1",
        "into",
        "iret",
        "hlt",
        "wrfsbase",
        "wrgsbase",
        "rdfsbase",
        "rdgsbase",
        "swapgs",
        "callf",
        "jmpf",
        "retf",
        "lss",
        "lds",
        "les",
        "lfs",
        "lgs",
        "ud0",
        "ud1",
        "vmmcall",
        "vmcall",
        "icebp",
        "monitor",
        "mwait",
        "monitorx",
        "mwaitx",
        "umonitor",
        "umwait",
        "tpause",
        "clzero",
        /* a hypervisor under the host answers them */
        "vmrun",
        "vmload",
        "vmsave",
        "stgi",
        "clgi",
        "skinit",
        "invlpga",
        /* the answer is not the same twice */
        "rdtsc",
        "rdtscp",
        "rdpmc",
        "rdrand",
        "rdseed",
        "cpuid",
        "rdpid",
        "xgetbv",
        "rdpru",
        "rdpkru",
        "wrpkru",
        /* Linux emulates them or has other descriptors */
        "sgdt",
        "sidt",
        "sldt",
        "str",
        "smsw",
        "lar",
        "lsl",
        "verr",
        "verw",
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        if (strcmp(row->mnemonic, names[i]) == 0) {
            return true;
        }
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(row->operand); i++) {
        if (row->operand[i].kind == X86_OP_SEG_REG || row->operand[i].kind == X86_OP_SEG_FIXED) {
            return row->operand[i].access & X86_ACC_W;
        }
    }
    return false;
}

/* tests/cpu/test-evex.c has these. */
static bool
is_avx512(const X86OpRow *row)
{
    bool masks = false;

    for (unsigned i = 0; i < G_N_ELEMENTS(row->operand); i++) {
        masks |= row->operand[i].kind >= X86_OP_KREG && row->operand[i].kind <= X86_OP_KVVVV;
    }
    return masks || row->encoding == X86_ENC_EVEX;
}

static OracleClass
class_of(const X86OpRow *row)
{
    bool vector = false;

    for (unsigned i = 0; i < G_N_ELEMENTS(row->operand); i++) {
        uint8_t kind = row->operand[i].kind;

        vector |=
            (kind >= X86_OP_MMX_REG && kind <= X86_OP_VSIB) || row->operand[i].size == X86_SZ_STATE;
    }
    switch (row->class_) {
    case X86_CLASS_INT: return CLASS_INT;
    case X86_CLASS_STACK: return CLASS_STACK;
    case X86_CLASS_FLOW: return CLASS_FLOW;
    case X86_CLASS_STRING: return CLASS_STRING;
    case X86_CLASS_X87: return row->map == X86_MAP_1B ? CLASS_X87 : CLASS_MMX;
    case X86_CLASS_VEC: return row->encoding == X86_ENC_VEX ? CLASS_AVX : CLASS_SSE;
    default: return vector || strstr(row->mnemonic, "mxcsr") ? CLASS_STATE : CLASS_SYSTEM;
    }
}

bool
oracle_row_is_relative(const X86OpRow *row)
{
    return row->operand[0].kind == X86_OP_REL || row->operand[1].kind == X86_OP_REL;
}

/* Rows that end most cases. */
static bool
ends_case(const X86OpRow *row)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(row->operand); i++) {
        if (row->operand[i].size == X86_SZ_STATE || row->operand[i].kind == X86_OP_VSIB ||
            row->operand[i].kind == X86_OP_VEC_VVVV) {
            return false;
        }
    }
    return (row->class_ == X86_CLASS_FLOW && !oracle_row_is_relative(row)) ||
           row->class_ == X86_CLASS_SYSTEM || strncmp(row->mnemonic, "popf", 4) == 0;
}

/* With a part of the host's features taken away (VITRINE_HOST_WITHOUT) the guest's images of state
 * are other than the host's. */
static bool
is_missing(const X86OpRow *row, const X86CpuModel *offered)
{
    static const uint8_t shown[] = { X86_FEATURE_AVX,        X86_FEATURE_XSAVE,
                                     X86_FEATURE_XSAVEC,     X86_FEATURE_XSAVEOPT,
                                     X86_FEATURE_XSAVES,     X86_FEATURE_XGETBV1,
                                     X86_FEATURE_XSAVEERPTR, X86_FEATURE_MISALIGNSSE };
    bool whole = true;

    for (unsigned i = 0; i < G_N_ELEMENTS(shown); i++) {
        whole &= x86_model_has(offered, shown[i]) || oracle_vendor_lacks(shown[i]);
    }
    return !x86_model_has(offered, row->feature) ||
           (row->class_ == X86_CLASS_VEC && row->encoding == X86_ENC_VEX &&
            !x86_model_has(offered, X86_FEATURE_AVX)) ||
           (!whole && (strstr(row->mnemonic, "xsave") || strstr(row->mnemonic, "xrstor")));
}

OracleRow
oracle_row_inspect(const X86OpRow *row, const X86CpuModel *offered)
{
    bool saves = strncmp(row->mnemonic, "xsave", 5) == 0;
    bool restores = strncmp(row->mnemonic, "xrstor", 6) == 0;

    return (OracleRow){
        .row = row,
        .class_ = class_of(row),
        .forbidden = is_forbidden(row) || is_avx512(row) || row->feature == X86_FEATURE_3DNOW ||
                     is_missing(row, offered),
        .ends_case = ends_case(row),
        .divides = strstr(row->mnemonic, "div") && row->class_ == X86_CLASS_INT,
        .is_xsave = saves,
        .is_xrstor = restores,
        .stores_pointers = strcmp(row->mnemonic, "fnstenv") == 0 ||
                           strcmp(row->mnemonic, "fnsave") == 0 ||
                           strcmp(row->mnemonic, "fxsave") == 0,
        .brings_initial_values =
            strstr(row->mnemonic, "rstor") || strncmp(row->mnemonic, "vzero", 5) == 0,
    };
}

const char *
oracle_class_name(unsigned index)
{
    return index <= CLASS_LAST ? class_names[index] : NULL;
}
