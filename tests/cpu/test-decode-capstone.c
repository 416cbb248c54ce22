/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The decoder against an independent one: random bytes, biased towards real encodings, must get
 * the same length from capstone wherever both know the instruction. The differences that are
 * decisions of ours or faults of capstone are listed in is_known_difference().
 *
 * VIT_DECODE_ROUNDS sets the number of encodings per mode (default 60000). */

/* Two enumerators have the same name in both worlds. */
#define X86_REG_RIP CAPSTONE_REG_RIP
#define X86_OP_IMM  CAPSTONE_OP_IMM
#include <capstone/capstone.h>
#undef X86_REG_RIP
#undef X86_OP_IMM

#include "x86-insn.h"

#include <stdlib.h>
#include <string.h>

static void
random_bytes(GRand *rand, uint8_t bytes[16])
{
    static const uint8_t prefixes[] = { 0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x2e, 0x64,
                                        0x65, 0x48, 0x41, 0x4f, 0x40, 0x44 };
    unsigned n = 0;

    for (unsigned i = 0; i < 16; i++) {
        bytes[i] = g_rand_int(rand);
    }
    while (n < 4 && g_rand_int_range(rand, 0, 3) == 0) {
        bytes[n++] = prefixes[g_rand_int_range(rand, 0, G_N_ELEMENTS(prefixes))];
    }
    switch (g_rand_int_range(rand, 0, 6)) {
    case 0: bytes[n] = 0x0f; break;
    case 1:
        bytes[n++] = 0x0f;
        bytes[n++] = g_rand_boolean(rand) ? 0x38 : 0x3a;
        bytes[n] = g_rand_boolean(rand) ? 0xf0 | (bytes[n] & 15) : bytes[n];
        break;
    case 2:
        bytes[n] = g_rand_boolean(rand) ? 0xc4 : 0xc5;
        bytes[n + 1] |= 0xc0;
        if (bytes[n] == 0xc4) {
            bytes[n + 1] = (bytes[n + 1] & 0xe0) | g_rand_int_range(rand, 1, 4);
        }
        break;
    default: break;
    }
}

/* Other names for the same instruction, and capstone 4's mistakes. */
static const struct {
    const char *ours, *theirs;
} aliases[] = {
    { "cbw", "cwde" },       { "cbw", "cdqe" },        { "cwd", "cdq" },
    { "cwd", "cqo" },        { "shl", "sal" },         { "callf", "lcall" },
    { "jmpf", "ljmp" },      { "jrcxz", "jcxz" },      { "jrcxz", "jecxz" },
    { "ud1", "ud2b" },       { "nop", "prefetcht0" },  { "nop", "prefetcht1" },
    { "nop", "prefetcht2" }, { "nop", "prefetchnta" }, { "prefetchw", "prefetch" },
    { "xchg", "nop" }, /* 66 41 90 */
};

/* Length and mnemonic that capstone is right about and we decide otherwise, or the reverse. */
static bool
is_known_difference(const X86Insn *insn, const cs_insn *theirs, unsigned code_size)
{
    const char *name = insn->row->mnemonic;

    /* Near branches with 66 in 64-bit code, where we side with AMD; with a repeat prefix as well
     * capstone forgets the 66 in 32-bit code too. */
    if (insn->row->class_ == X86_CLASS_FLOW && (code_size == 8 || insn->rep || insn->repne)) {
        return true;
    }
    if (strcmp(name, "push") == 0 && insn->operand_size == 2 && (insn->rep || insn->repne)) {
        return true; /* the same */
    }
    /* MOV to and from CR and DR takes no memory form; capstone reads a displacement. */
    if (insn->row->flags & X86_ROW_MOD3) {
        return true;
    }
    /* Capstone forgets the ModRM byte of UD0 and UD1, and F2 on INSERTQ in 16-bit code. */
    return strcmp(theirs->mnemonic, "vmread") == 0 || strcmp(name, "ud0") == 0 ||
           strcmp(name, "ud1") == 0;
}

/* The last word of a mnemonic such as "lock add" or "repne scasb". */
static const char *
bare(const char *mnemonic)
{
    const char *space = strrchr(mnemonic, ' ');
    return space ? space + 1 : mnemonic;
}

static bool
same_name(const X86Insn *insn, const char *theirs)
{
    const char *ours = insn->row->mnemonic;

    if (g_str_has_prefix(theirs, ours)) {
        return true; /* movsb for movs, pushaw for pusha */
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(aliases); i++) {
        if (strcmp(aliases[i].ours, ours) == 0 && strcmp(aliases[i].theirs, theirs) == 0) {
            return true;
        }
    }
    return false;
}

/* SIMD and x87 have too many spellings, and capstone 4 overlooks a selecting prefix in 16-bit code
 * or away from the opcode. */
static bool
has_comparable_name(const X86Insn *insn)
{
    return insn->row->class_ != X86_CLASS_VEC && insn->row->class_ != X86_CLASS_X87 &&
           (insn->row->pp == X86_PP_ANY || insn->encoding == X86_ENC_VEX);
}

static void
run_mode(unsigned code_size, cs_mode mode)
{
    const char *text = g_getenv("VIT_DECODE_ROUNDS");
    unsigned rounds = text ? strtoul(text, NULL, 10) : 60000, both = 0, only_theirs = 0;
    g_autoptr(GRand) rand = g_rand_new_with_seed(code_size * 77 + 5);
    g_autoptr(GHashTable) missing = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    csh handle;

    g_assert_cmpint(cs_open(CS_ARCH_X86, mode, &handle), ==, CS_ERR_OK);
    for (unsigned i = 0; i < rounds; i++) {
        uint8_t bytes[16];
        X86Insn insn;
        cs_insn *theirs = NULL;
        size_t count;
        bool ours;

        random_bytes(rand, bytes);
        ours = x86_decode(bytes, 15, code_size, &insn) == X86_DECODE_OK;
        count = cs_disasm(handle, bytes, 15, 0x1000, 1, &theirs);
        if (count == 1 && ours) {
            both++;
            if (insn.length != theirs->size && !is_known_difference(&insn, theirs, code_size)) {
                g_autofree char *hex = g_strdup("");
                for (unsigned k = 0; k < 15; k++) {
                    char *longer = g_strdup_printf("%s %02x", hex, bytes[k]);
                    g_free(hex);
                    hex = longer;
                }
                g_test_message("mode %u:%s: ours %s %u bytes, capstone %s %s %u", code_size, hex,
                               insn.row->mnemonic, insn.length, theirs->mnemonic, theirs->op_str,
                               theirs->size);
                g_test_fail();
            }
            if (has_comparable_name(&insn) && !same_name(&insn, bare(theirs->mnemonic))) {
                g_test_message(
                    "mode %u: %02x %02x %02x %02x %02x %02x %02x: %s is %s %s to capstone",
                    code_size, bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6],
                    insn.row->mnemonic, theirs->mnemonic, theirs->op_str);
                g_test_fail();
            }
        } else if (count == 1) {
            only_theirs++;
            if (g_test_verbose() && !insn.lock) {
                char *key = g_strdup(theirs->mnemonic);
                gpointer n = g_hash_table_lookup(missing, key);
                g_hash_table_replace(missing, key, GINT_TO_POINTER(GPOINTER_TO_INT(n) + 1));
            }
        }
        if (count) {
            cs_free(theirs, count);
        }
    }
    if (g_test_verbose()) {
        GHashTableIter iter;
        gpointer key, value;
        g_hash_table_iter_init(&iter, missing);
        while (g_hash_table_iter_next(&iter, &key, &value)) {
            g_test_message("only capstone: %s %d", (char *)key, GPOINTER_TO_INT(value));
        }
    }
    g_test_message("%u decoded by both, %u by capstone only", both, only_theirs);
    g_assert_cmpuint(both, >, rounds / 4);
    cs_close(&handle);
}

static void
test_16(void)
{
    run_mode(2, CS_MODE_16);
}

static void
test_32(void)
{
    run_mode(4, CS_MODE_32);
}

static void
test_64(void)
{
    run_mode(8, CS_MODE_64);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/decode/capstone/16", test_16);
    g_test_add_func("/decode/capstone/32", test_32);
    g_test_add_func("/decode/capstone/64", test_64);
    return g_test_run();
}
