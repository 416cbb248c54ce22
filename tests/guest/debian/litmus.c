/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What CPUs may see of each other's writes. Threads on CPUs of their own go through one turn after
 * another, each with words of its own that start at zero; outcomes that the architecture forbids
 * are counted, and have to be none; one that it allows and that fences forbid is shown. Then code
 * that one CPU writes and others run, and pages that one, then all, unmap under the others. Intel
 * SDM volume 3 sections 9.2 and 9.1.3. usage: litmus TURNS */

#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct Turn {
    volatile int x __attribute__((aligned(64)));
    volatile int y __attribute__((aligned(64)));
    int seen[4] __attribute__((aligned(64)));
} Turn;

typedef enum Fence { NONE, MFENCE, LOCKED, XCHG } Fence;

enum { BATCH = 1000 };

static Turn turns[BATCH];
static pthread_barrier_t barrier;
static unsigned n_turns, failures;
static volatile int gate[BATCH];

static void
fence(Fence kind)
{
    int word = 0;

    if (kind == MFENCE) {
        __asm__ volatile("mfence" ::: "memory");
    } else if (kind == LOCKED) {
        __asm__ volatile("lock orl $0, (%%rsp)" ::: "memory", "cc");
    } else if (kind == XCHG) {
        __asm__ volatile("xchg %0, %1" : "+r"(word), "+m"(word)::"memory");
    } else {
        __asm__ volatile("" ::: "memory");
    }
}

/* All threads leave at nearly the same moment. */
static void
meet(unsigned turn, int threads)
{
    __atomic_fetch_add(&gate[turn], 1, __ATOMIC_SEQ_CST);
    for (unsigned spins = 0; gate[turn] < threads; spins++) {
        __builtin_ia32_pause();
        if (spins > 2000) {
            sched_yield();
        }
    }
}

typedef void Body(Turn *turn, int thread, Fence kind);

/* Each writes one word and reads the other: both may read zero, but not with a fence between. */
static void
store_buffer(Turn *turn, int thread, Fence kind)
{
    if (thread == 0) {
        turn->x = 1;
        fence(kind);
        turn->seen[0] = turn->y;
    } else if (thread == 1) {
        turn->y = 1;
        fence(kind);
        turn->seen[1] = turn->x;
    }
}

/* Writes are seen in their order. */
static void
message(Turn *turn, int thread, Fence kind)
{
    if (thread == 0) {
        turn->x = 1;
        fence(kind);
        turn->y = 1;
    } else if (thread == 1) {
        turn->seen[0] = turn->y;
        fence(kind);
        turn->seen[1] = turn->x;
    }
}

/* A read is not overtaken by a later write. */
static void
load_buffer(Turn *turn, int thread, Fence kind)
{
    if (thread == 0) {
        turn->seen[0] = turn->x;
        fence(kind);
        turn->y = 1;
    } else if (thread == 1) {
        turn->seen[1] = turn->y;
        fence(kind);
        turn->x = 1;
    }
}

/* Two writers, two readers: all see the writes in one order. */
static void
readers(Turn *turn, int thread, Fence kind)
{
    switch (thread) {
    case 0: turn->x = 1; break;
    case 1: turn->y = 1; break;
    case 2:
        turn->seen[0] = turn->x;
        fence(kind);
        turn->seen[1] = turn->y;
        break;
    default:
        turn->seen[2] = turn->y;
        fence(kind);
        turn->seen[3] = turn->x;
        break;
    }
}

typedef struct Test {
    const char *name;
    Body *body;
    int threads;
    int seen[4];          /* the outcome in question */
    bool allowed_without; /* allowed unless there is a fence */
} Test;

typedef struct Job {
    const Test *test;
    Fence kind;
    int thread;
} Job;

static void
pin(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu % (int)sysconf(_SC_NPROCESSORS_ONLN), &set);
    sched_setaffinity(0, sizeof(set), &set);
}

static void *
work(void *data)
{
    const Job *job = data;

    pin(job->thread);
    for (unsigned done = 0; done < n_turns; done += BATCH) {
        pthread_barrier_wait(&barrier);
        for (unsigned i = 0; i < BATCH; i++) {
            meet(i, job->test->threads);
            job->test->body(&turns[i], job->thread, job->kind);
        }
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier); /* the outcome is looked at */
    }
    return NULL;
}

static void
run(const Test *test, Fence kind)
{
    static const char *const names[] = { "none", "mfence", "lock", "xchg" };
    pthread_t thread[4];
    Job jobs[4];
    unsigned count = 0;

    pthread_barrier_init(&barrier, NULL, (unsigned)test->threads + 1);
    for (int i = 0; i < test->threads; i++) {
        jobs[i] = (Job){ test, kind, i };
        pthread_create(&thread[i], NULL, work, &jobs[i]);
    }
    for (unsigned done = 0; done < n_turns; done += BATCH) {
        memset(turns, 0, sizeof(turns));
        memset((void *)gate, 0, sizeof(gate));
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
        for (unsigned i = 0; i < BATCH; i++) {
            count += memcmp(turns[i].seen, test->seen, sizeof(test->seen)) == 0;
        }
        pthread_barrier_wait(&barrier);
    }
    for (int i = 0; i < test->threads; i++) {
        pthread_join(thread[i], NULL);
    }
    pthread_barrier_destroy(&barrier);
    bool allowed = test->allowed_without && kind == NONE;
    failures += !allowed && count;
    printf("%s fence %s: %u of %u%s\n", test->name, names[kind], count, n_turns,
           allowed ? ", allowed"
           : count ? ", FORBIDDEN"
                   : "");
}

/* ---- Locked instructions ---- */

static volatile uint64_t counter, wide[2] __attribute__((aligned(16)));

static void *
count_up(void *data)
{
    int thread = *(int *)data;

    pin(thread);
    for (unsigned i = 0; i < n_turns; i++) {
        uint64_t a, d;

        __asm__ volatile("lock incq %0" : "+m"(counter)::"cc");
        a = 1;
        __asm__ volatile("lock xaddq %0, %1" : "+r"(a), "+m"(counter)::"cc", "memory");
        a = wide[0];
        d = wide[1];
        for (bool done = false; !done;) {
            __asm__ volatile("lock cmpxchg16b %1"
                             : "=@cce"(done), "+m"(wide), "+a"(a), "+d"(d)
                             : "b"(a + 1), "c"(d + 3)
                             : "memory");
        }
    }
    return NULL;
}

static void
locked(int threads)
{
    pthread_t thread[4];
    int number[4];
    uint64_t all = (uint64_t)threads * n_turns;

    for (int i = 0; i < threads; i++) {
        number[i] = i;
        pthread_create(&thread[i], NULL, count_up, &number[i]);
    }
    for (int i = 0; i < threads; i++) {
        pthread_join(thread[i], NULL);
    }
    bool right = counter == 2 * all && wide[0] == all && wide[1] == 3 * all;
    failures += !right;
    printf("locked: %s\n", right ? "right" : "FORBIDDEN");
}

/* ---- Code that another CPU writes ---- */

static uint8_t *code;
static volatile unsigned published, stop;

static void *
run_code(void *data)
{
    unsigned wrong = 0, newest = 0;

    pin(*(int *)data);
    while (!stop) {
        unsigned before = published, got, leaf = 0;

        /* after this instruction what was written before is run */
        __asm__ volatile("cpuid" : "+a"(leaf)::"rbx", "rcx", "rdx", "memory");
        got = ((unsigned (*)(void))(uintptr_t)code)();
        wrong += got < before || got < newest;
        newest = got;
    }
    failures += wrong;
    printf("code of another CPU: %u times old\n", wrong);
    return NULL;
}

static void
cross_modify(int threads)
{
    pthread_t thread[4];
    int number[4];

    code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(code + 3, "\xb8\0\0\0\0\xc3", 6); /* MOV EAX, the number aligned; RET */
    code += 3;
    for (int i = 1; i < threads; i++) {
        number[i] = i;
        pthread_create(&thread[i], NULL, run_code, &number[i]);
    }
    pin(0);
    for (unsigned i = 1; i <= n_turns / 20; i++) {
        __atomic_store_n((uint32_t *)(code + 1), i, __ATOMIC_SEQ_CST);
        published = i;
        for (volatile unsigned pause = 0; pause < (i & 127); pause++) {
        }
    }
    stop = 1;
    for (int i = 1; i < threads; i++) {
        pthread_join(thread[i], NULL);
    }
}

/* ---- Pages that go ---- */

static volatile uint32_t *page;
static volatile int present; /* odd: the page may be going */
static __thread sigjmp_buf back;

static void
on_fault(int number)
{
    siglongjmp(back, number);
}

static void *
touch(void *data)
{
    volatile unsigned wrong = 0;

    pin(*(int *)data);
    while (!stop) {
        int before = present;
        volatile uint32_t value = 0;
        bool faulted = sigsetjmp(back, 1) != 0;

        if (!faulted) {
            value = *page;
            __atomic_thread_fence(__ATOMIC_SEQ_CST);
        }
        /* while nothing changed: 0 mod 4 is readable, 2 mod 4 is not */
        if (before == present && !(before & 1)) {
            wrong += before % 4 == 0 ? faulted || value != 0x51525354 : !faulted;
        }
    }
    failures += wrong;
    printf("pages of another CPU: %u times wrong\n", wrong);
    return NULL;
}

static void
shoot_down(int threads)
{
    pthread_t thread[4];
    int number[4];

    stop = 0;
    signal(SIGSEGV, on_fault);
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *page = 0x51525354;
    for (int i = 1; i < threads; i++) {
        number[i] = i;
        pthread_create(&thread[i], NULL, touch, &number[i]);
    }
    pin(0);
    for (unsigned i = 0; i < n_turns / 50; i++) {
        __atomic_fetch_add(&present, 1, __ATOMIC_SEQ_CST);
        mprotect((void *)page, 4096, i & 1 ? PROT_READ | PROT_WRITE : PROT_NONE);
        __atomic_fetch_add(&present, 1, __ATOMIC_SEQ_CST);
        for (volatile unsigned pause = 0; pause < (i & 511); pause++) {
        }
    }
    stop = 1;
    for (int i = 1; i < threads; i++) {
        pthread_join(thread[i], NULL);
    }
}

/* ---- All CPUs take pages away, and look at the others' ---- */

typedef struct Slot {
    volatile uint32_t *page;
    volatile unsigned version; /* odd: the page may be going; its owner alone writes it */
} Slot;

enum { STORM_PAGES = 8 };
static Slot slots[4][STORM_PAGES];
static int storm_threads;

/* By version: page with the version in it, no page, page that only reads. */
static void
change_slot(Slot *slot)
{
    unsigned next = slot->version + 2;

    __atomic_fetch_add(&slot->version, 1, __ATOMIC_SEQ_CST);
    if (next / 2 % 3 == 0) {
        mmap((void *)slot->page, 4096, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        *slot->page = next;
    } else if (next / 2 % 3 == 1) {
        mprotect((void *)slot->page, 4096, PROT_READ);
    } else {
        munmap((void *)slot->page, 4096);
    }
    __atomic_fetch_add(&slot->version, 1, __ATOMIC_SEQ_CST);
}

/* 1: what was seen is not what SLOT was all the time. */
static unsigned
look_at_slot(Slot *slot)
{
    volatile unsigned before = slot->version, value = 0, write = slot->page == NULL;
    volatile bool faulted = sigsetjmp(back, 1) != 0;

    if (!faulted) {
        value = *slot->page;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (before / 2 % 3 == 1) {
            write = 1;
            slot->page[1] = 1; /* is to fault */
            write = 2;
        }
    }
    if ((before & 1) || before != slot->version) {
        return 0;
    }
    switch (before / 2 % 3) {
    case 0: return faulted || value != before;
    case 1: return write != 1 || value != before - 2;
    default: return !faulted;
    }
}

static void *
storm(void *data)
{
    int mine = *(int *)data;
    unsigned wrong = 0, seed = (unsigned)mine + 1;

    pin(mine);
    for (unsigned i = 0; i < n_turns / 50; i++) {
        change_slot(&slots[mine][i % STORM_PAGES]);
        for (unsigned j = 0; j < 4; j++) {
            seed = seed * 1103515245 + 12345;
            wrong += look_at_slot(&slots[(seed >> 16) % (unsigned)storm_threads][seed >> 29]);
        }
    }
    failures += wrong;
    printf("storm: %u times wrong\n", wrong);
    return NULL;
}

static void
storms(int threads)
{
    pthread_t thread[4];
    int number[4];

    storm_threads = threads;
    for (int i = 0; i < threads; i++) {
        for (unsigned j = 0; j < STORM_PAGES; j++) {
            /* a page apart, so that the kernel keeps them apart */
            uint8_t *at = mmap(NULL, 3 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            slots[i][j].page = (uint32_t *)(at + 4096);
            slots[i][j].version = 4; /* the next change maps it */
            munmap(at + 4096, 4096);
        }
    }
    for (int i = 0; i < threads; i++) {
        number[i] = i;
        pthread_create(&thread[i], NULL, storm, &number[i]);
    }
    for (int i = 0; i < threads; i++) {
        pthread_join(thread[i], NULL);
    }
}

int
main(int argc, char **argv)
{
    static const Test tests[] = {
        { "store buffer", store_buffer, 2, { 0, 0 }, true },
        { "message", message, 2, { 1, 0 }, false },
        { "load buffer", load_buffer, 2, { 1, 1 }, false },
        { "readers", readers, 4, { 1, 0, 1, 0 }, false },
    };
    int cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
    int threads = cpus < 2 ? 2 : cpus > 4 ? 4 : cpus;

    n_turns = argc > 1 ? (unsigned)atoi(argv[1]) / BATCH * BATCH : 100 * BATCH;
    for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        if (tests[i].threads > cpus) {
            continue; /* the words would be seen in the order of a scheduler */
        }
        for (Fence kind = NONE; kind <= XCHG; kind++) {
            run(&tests[i], kind);
        }
    }
    locked(threads);
    cross_modify(threads);
    shoot_down(threads);
    storms(threads);
    printf("litmus: %u failures\n", failures);
    return failures != 0;
}
