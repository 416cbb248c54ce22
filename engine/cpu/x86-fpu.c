/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Availability checks and small parts of the x87, MMX and SIMD state: see x86-fpu.h.
 * Intel SDM volume 1 sections 8.1, 8.7 (error reporting, FERR#), 9.5; volume 3 table 2-2, 14.1.
 * Thread: the CPU's own. */

#include "x86-fpu.h"

void
x86_x87_check(X86Core *core)
{
    if (core->s.cr0 & (X86_CR0_EM | X86_CR0_TS)) {
        x86_fault(core, X86_EXC_NM);
    }
}

/* An unmasked x87 error is pending. With CR0.NE clear the CPU asserts FERR# and stops at the
 * waiting instruction until an interrupt comes or the board answers with IGNNE#. */
static bool
deliver_pending_error(X86Core *core)
{
    const VitCpuHost *host = core->cpu->host;

    if (core->s.cr0 & X86_CR0_NE) {
        x86_fault(core, X86_EXC_MF);
    }
    if (!host->ferr || host->ferr(host->opaque)) {
        return true;
    }
    core->next_rip = core->s.rip;
    return false;
}

bool
x86_fpu_wait(X86Core *core)
{
    return !(core->s.fpu.fsw & X86_FSW_ES) || deliver_pending_error(core);
}

bool
x86_x87_begin(X86Core *core)
{
    x86_x87_check(core);
    return x86_fpu_wait(core);
}

bool
x86_mmx_begin(X86Core *core)
{
    if (core->s.cr0 & X86_CR0_EM) {
        x86_fault(core, X86_EXC_UD);
    }
    if (core->s.cr0 & X86_CR0_TS) {
        x86_fault(core, X86_EXC_NM);
    }
    return x86_fpu_wait(core);
}

void
x86_sse_check(X86Core *core)
{
    if ((core->s.cr0 & X86_CR0_EM) || !(core->s.cr4 & X86_CR4_OSFXSR)) {
        x86_fault(core, X86_EXC_UD);
    }
    if (core->s.cr0 & X86_CR0_TS) {
        x86_fault(core, X86_EXC_NM);
    }
}

void
x86_avx_check(X86Core *core)
{
    const uint64_t need = X86_XSTATE_SSE | X86_XSTATE_AVX;

    if (x86_real_mode(&core->s) || x86_v8086(&core->s) || !(core->s.cr4 & X86_CR4_OSXSAVE) ||
        (core->s.xcr0 & need) != need) {
        x86_fault(core, X86_EXC_UD);
    }
    if (core->s.cr0 & X86_CR0_TS) {
        x86_fault(core, X86_EXC_NM);
    }
}

void
x86_avx512_check(X86Core *core)
{
    const uint64_t need = X86_XSTATE_SSE | X86_XSTATE_AVX | X86_XSTATE_OPMASK |
                          X86_XSTATE_ZMM_HI256 | X86_XSTATE_HI16_ZMM;

    if ((core->s.xcr0 & need) != need) {
        x86_fault(core, X86_EXC_UD);
    }
    x86_avx_check(core);
}

void
x86_fpu_set_top(X86Fpu *fpu, unsigned top)
{
    unsigned turn = (top - x86_fpu_top(fpu)) & 7;

    if (turn != 0) {
        uint8_t old[sizeof(fpu->st)];

        memcpy(old, fpu->st, sizeof(old));
        for (unsigned i = 0; i < 8; i++) {
            memcpy(&fpu->st[i], old + ((i + turn) & 7) * sizeof(fpu->st[0]), sizeof(fpu->st[0]));
        }
        fpu->fsw = (uint16_t)((fpu->fsw & ~X86_FSW_TOP) | top << X86_FSW_TOP_SHIFT);
    }
}

void
x86_mmx_enter(X86Core *core)
{
    x86_fpu_set_top(&core->s.fpu, 0);
    core->s.fpu.ftw = 0xff;
}

void
x86_fpu_init(X86Fpu *fpu)
{
    x86_fpu_set_top(fpu, 0);
    fpu->fcw = 0x37f;
    fpu->fsw = 0;
    fpu->ftw = 0;
    fpu->fop = 0;
    fpu->fip = 0;
    fpu->fdp = 0;
    fpu->fcs = 0;
    fpu->fds = 0;
}

void
x86_fpu_update_summary(X86Fpu *fpu)
{
    fpu->fsw &= (uint16_t) ~(X86_FSW_ES | X86_FSW_B);
    if (fpu->fsw & ~fpu->fcw & X86_FSW_EXCEPTIONS) {
        fpu->fsw |= X86_FSW_ES | X86_FSW_B;
    }
}

uint16_t
x86_fpu_full_tags(const X86Fpu *fpu)
{
    unsigned top = x86_fpu_top(fpu);
    unsigned tags = 0;

    for (unsigned n = 0; n < 8; n++) {
        unsigned exponent = fpu->st[(n - top) & 7].sign_exponent & 0x7fff;
        uint64_t mantissa = fpu->st[(n - top) & 7].mantissa;
        unsigned tag = 0; /* valid */

        if (!(fpu->ftw >> n & 1)) {
            tag = 3; /* empty */
        } else if (exponent == 0 && mantissa == 0) {
            tag = 1; /* zero */
        } else if (exponent == 0 || exponent == 0x7fff || !(mantissa >> 63)) {
            tag = 2; /* special */
        }
        tags |= tag << (2 * n);
    }
    return (uint16_t)tags;
}
