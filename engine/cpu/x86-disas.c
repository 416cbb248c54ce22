/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Instructions as text, for logs and the monitor's x/i: by capstone where the build has it, else
 * the mnemonics of our own decoder. Thread: any. */

#include "x86-disas.h"

#ifdef VIT_HAVE_CAPSTONE
#include <capstone/capstone.h>

static unsigned
by_capstone(const uint8_t *bytes, size_t len, unsigned code_size, uint64_t rip, GString *out)
{
    cs_mode mode = code_size == 8 ? CS_MODE_64 : code_size == 4 ? CS_MODE_32 : CS_MODE_16;
    unsigned taken = 0;
    cs_insn *insn;
    csh handle;

    if (cs_open(CS_ARCH_X86, mode, &handle) != CS_ERR_OK) {
        return 0;
    }
    cs_option(handle, CS_OPT_SYNTAX, CS_OPT_SYNTAX_ATT);
    if (cs_disasm(handle, bytes, len, rip, 1, &insn) == 1) {
        g_string_append_printf(out, "%-8s %s", insn->mnemonic, insn->op_str);
        taken = insn->size;
        cs_free(insn, 1);
    }
    cs_close(&handle);
    return taken;
}
#endif

unsigned
x86_disassemble(const uint8_t *bytes, size_t len, unsigned code_size, uint64_t rip, GString *out)
{
#ifdef VIT_HAVE_CAPSTONE
    unsigned taken = by_capstone(bytes, len, code_size, rip, out);
    if (taken) {
        return taken;
    }
#endif
    return x86_disassemble_plainly(bytes, len, code_size, out);
}
