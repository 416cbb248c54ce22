/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What a CPU waits for of the others: that they are out of translated code, or have been.
 *
 * A CPU's turn is odd from tcg_begin() to tcg_end(): it may be in translated code or hold what
 * belongs to it. Blocks test hot.floor in every cycle, so a turn ends soon after that is
 * set.
 *
 * Everything dropped (the code memory is full): all turns are over and none begins meanwhile.
 *
 * Code taken up from a page that was data: another CPU may have looked the page up before write
 * access to it was withdrawn, and write it later in the same turn. It would do so unheard. So bytes
 * are read for translation only when every turn that was under way then is over. Writes of the
 * interpreter and of C code look at the page's dirty byte behind the write; that one has come first
 * is seen to by a barrier on every host CPU that runs a thread of this process. Numbers of claims
 * tell which pages are past that: one CPU's wait is good for all earlier claims.
 *
 * membarrier(2); where the host refuses it, an mprotect() that must reach all its CPUs.
 * Thread: each CPU's own. Whoever waits is in no turn itself and holds nothing. */

#include "machine.h"

#include <linux/membarrier.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SPINS = 2000, YIELDS = 50, SLEEP_US = 50 };

void
tcg_begin(TcgCpu *cpu)
{
    TcgMachine *machine = cpu->machine;

    __atomic_store_n(&cpu->turn, cpu->turn + 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&machine->flush_wanted, __ATOMIC_SEQ_CST)) {
        tcg_end(cpu);
        g_mutex_lock(&machine->flush_lock); /* held by whoever flushes */
        g_mutex_unlock(&machine->flush_lock);
        __atomic_store_n(&cpu->turn, cpu->turn + 1, __ATOMIC_SEQ_CST);
    }
    tcg_near_begin(cpu);
}

void
tcg_end(TcgCpu *cpu)
{
    if (cpu->turn & 1) {
        __atomic_store_n(&cpu->turn, cpu->turn + 1, __ATOMIC_RELEASE);
    }
}

/* Until OTHER's turn, if it is in one, is over. */
static void
wait_for(TcgCpu *other)
{
    uint32_t turn = __atomic_load_n(&other->turn, __ATOMIC_SEQ_CST);

    if (!(turn & 1)) {
        return;
    }
    tcg_request_exit(other);
    for (unsigned n = 0; __atomic_load_n(&other->turn, __ATOMIC_ACQUIRE) == turn; n++) {
        if (n < SPINS && !other->core.cpu->is_crowded) {
            __builtin_ia32_pause();
        } else if (n < SPINS + YIELDS) {
            sched_yield();
        } else {
            g_usleep(SLEEP_US);
        }
    }
}

static void
wait_for_others(const TcgCpu *cpu)
{
    for (TcgCpu *other = cpu->machine->cpus; other; other = other->next) {
        if (other != cpu) {
            wait_for(other);
        }
    }
}

void
tcg_flush_everything(TcgCpu *cpu)
{
    TcgMachine *machine = cpu->machine;
    uint64_t before = machine->full_flushes;

    tcg_end(cpu);
    g_mutex_lock(&machine->flush_lock);
    if (machine->full_flushes == before) {
        __atomic_store_n(&machine->flush_wanted, true, __ATOMIC_SEQ_CST);
        wait_for_others(cpu);
        g_mutex_lock(&machine->lock);
        tcg_drop_all(machine);
        g_mutex_unlock(&machine->lock);
        __atomic_store_n(&machine->flush_wanted, false, __ATOMIC_SEQ_CST);
    }
    g_mutex_unlock(&machine->flush_lock);
}

/* ---- Pages that become code ---- */

void
tcg_barrier_init(TcgMachine *machine)
{
    if (syscall(__NR_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0) {
        return;
    }
    machine->barrier_page =
        mmap(NULL, VIT_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    machine->barrier_page = machine->barrier_page == MAP_FAILED ? NULL : machine->barrier_page;
}

void
tcg_barrier_finish(TcgMachine *machine)
{
    if (machine->barrier_page) {
        munmap(machine->barrier_page, VIT_PAGE_SIZE);
    }
}

/* Every thread of this process has done what it was about to store when it is seen to have loaded
 * anything. */
static void
barrier_everywhere(TcgMachine *machine)
{
    if (!machine->barrier_page) {
        syscall(__NR_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
        return;
    }
    /* rights that are taken away are taken out of the address tables of all host CPUs */
    mprotect(machine->barrier_page, VIT_PAGE_SIZE, PROT_READ | PROT_WRITE);
    __atomic_store_n(machine->barrier_page, 1, __ATOMIC_SEQ_CST);
    mprotect(machine->barrier_page, VIT_PAGE_SIZE, PROT_READ);
}

void
tcg_wait_claimed(TcgCpu *cpu)
{
    tcg_end(cpu);
    barrier_everywhere(cpu->machine);
    wait_for_others(cpu);
    tcg_begin(cpu);
}
