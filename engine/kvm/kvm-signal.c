/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The signal that makes KVM_RUN return. The handler has nothing to do: its delivery is the point.
 * Whoever sends it sets kvm_run.immediate_exit before, so that a signal which comes just ahead of
 * the ioctl is not lost. Linux Documentation/virt/kvm/api.rst, KVM_RUN and immediate_exit.
 *
 * Signal dispositions belong to the process: the previous one is kept and called, as it may be an
 * application's own use of the signal. Thread: any. */

#include "kvm-private.h"

#include <signal.h>

static struct sigaction previous_sigusr1;

static void
on_sigusr1(int signal_number, siginfo_t *info, void *context)
{
    if (previous_sigusr1.sa_flags & SA_SIGINFO) {
        previous_sigusr1.sa_sigaction(signal_number, info, context);
    } else if (previous_sigusr1.sa_handler != SIG_DFL && previous_sigusr1.sa_handler != SIG_IGN) {
        previous_sigusr1.sa_handler(signal_number);
    }
}

void
kvm_signal_init(void)
{
    static gsize done;

    if (g_once_init_enter(&done)) {
        struct sigaction action = { .sa_sigaction = on_sigusr1, .sa_flags = SA_SIGINFO };

        sigemptyset(&action.sa_mask);
        sigaction(SIGUSR1, NULL, &previous_sigusr1);
        sigaction(SIGUSR1, &action, NULL);
        g_once_init_leave(&done, 1);
    }
}

void
kvm_signal_thread(pthread_t thread)
{
    pthread_kill(thread, SIGUSR1);
}
