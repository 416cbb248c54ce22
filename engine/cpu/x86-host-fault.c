/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Unmasked SIMD floating-point exceptions of a guest are taken by the host CPU: the stub that runs
 * the instruction loads the guest's MXCSR, masks and all, and the kernel turns #XM into SIGFPE.
 * What our tables allow and this CPU does not (a W bit that vendors differ about) is a SIGILL.
 * The handler claims either only when the faulting address lies in a block of generated code (its
 * header says so) and moves the instruction pointer to the block's recovery path; the exception
 * flags are in MXCSR by then, exactly as hardware sets them. Everything else goes to the handler
 * that was installed before.
 *
 * Signal dispositions belong to the process, so the previous ones are the one piece of state here
 * that does; they are written once, before the handler can run.
 *
 * Thread: the handler runs on the thread that faulted.
 */

#include "x86-host-fault.h"

#include <signal.h>
#include <string.h>
#include <ucontext.h>

static struct sigaction previous_sigfpe, previous_sigill;

static void
chain(int signal_number, siginfo_t *info, void *context)
{
    const struct sigaction *previous =
        signal_number == SIGILL ? &previous_sigill : &previous_sigfpe;

    if (previous->sa_flags & SA_SIGINFO) {
        previous->sa_sigaction(signal_number, info, context);
    } else if (previous->sa_handler == SIG_DFL || previous->sa_handler == SIG_IGN) {
        /* A synchronous fault cannot be ignored: on return it happens again and ends the process
         * as it would have without us. */
        struct sigaction fallback = { .sa_handler = SIG_DFL };
        sigaction(signal_number, &fallback, NULL);
    } else {
        previous->sa_handler(signal_number);
    }
}

static void
on_fault(int signal_number, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    uintptr_t pc = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
    X86HostBlock block;

    /* Code is readable where it executes, and a block does not cross pages. A signal sent by
     * kill() (si_code <= 0) may find any PC and is never ours. */
    if (info->si_code > 0) {
        memcpy(&block, (const void *)(pc & ~(uintptr_t)(X86_HOST_BLOCK_SIZE - 1)), sizeof(block));
        if (block.magic == X86_HOST_BLOCK_MAGIC && block.recover_offset < X86_HOST_BLOCK_SIZE) {
            uc->uc_mcontext.gregs[REG_RIP] =
                (greg_t)((pc & ~(uintptr_t)(X86_HOST_BLOCK_SIZE - 1)) + block.recover_offset);
            uc->uc_mcontext.gregs[REG_RAX] =
                signal_number == SIGILL ? X86_HOST_FAULT_UNDEFINED : X86_HOST_FAULT_FP;
            return;
        }
    }
    chain(signal_number, info, context);
}

void
x86_host_fault_init(void)
{
    static gsize done;

    if (g_once_init_enter(&done)) {
        struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

        sigemptyset(&action.sa_mask);
        sigaction(SIGFPE, NULL, &previous_sigfpe);
        sigaction(SIGILL, NULL, &previous_sigill);
        sigaction(SIGFPE, &action, NULL);
        sigaction(SIGILL, &action, NULL);
        g_once_init_leave(&done, 1);
    }
}
