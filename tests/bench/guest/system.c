/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What the kernel does for a program, code that is made while running, and two CPUs at once. Runs
 * in the guest. */

#define _GNU_SOURCE
#include "bench.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- sys ---- */

static uint64_t
syscalls(unsigned reps)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < reps * 100; i++) {
        sum += syscall(SYS_getppid) != -1;
    }
    return sum;
}

static uint64_t
pipes(unsigned reps)
{
    int to[2], from[2];
    uint64_t sum = 0;
    char byte = 0;
    pid_t child;

    if (pipe(to) || pipe(from) || (child = fork()) < 0) {
        return 0;
    }
    if (child == 0) {
        close(to[1]);
        while (read(to[0], &byte, 1) == 1 && write(from[1], &byte, 1) == 1) {
        }
        _exit(0);
    }
    for (unsigned i = 0; i < reps * 10; i++) {
        byte = (char)i;
        if (write(to[1], &byte, 1) != 1 || read(from[0], &byte, 1) != 1) {
            break;
        }
        sum += (uint8_t)byte;
    }
    close(to[1]);
    close(to[0]);
    waitpid(child, NULL, 0);
    close(from[0]);
    close(from[1]);
    return sum;
}

static uint64_t
forks(unsigned reps)
{
    uint64_t sum = 0;

    while (reps--) {
        pid_t child = fork();
        int status = 0;

        if (child == 0) {
            _exit(3);
        }
        waitpid(child, &status, 0);
        sum += WEXITSTATUS(status);
    }
    return sum;
}

static uint64_t
faults(unsigned reps)
{
    enum { N = 1024 };
    uint64_t sum = 0;

    while (reps--) {
        uint8_t *memory =
            mmap(NULL, N * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        madvise(memory, N * 4096, MADV_NOHUGEPAGE);
        for (unsigned i = 0; i < N; i++) {
            sum += ++memory[i * 4096];
        }
        munmap(memory, N * 4096);
    }
    return sum;
}

static volatile uint64_t signals_seen;

static void
on_signal(int number)
{
    signals_seen += number != 0;
}

static uint64_t
signals(unsigned reps)
{
    signal(SIGUSR1, on_signal);
    signals_seen = 0;
    for (unsigned i = 0; i < reps * 10; i++) {
        raise(SIGUSR1);
    }
    return signals_seen;
}

static uint64_t
files(unsigned reps)
{
    static char block[4096];
    char path[] = "/tmp/bench-XXXXXX";
    int made = mkstemp(path);
    uint64_t sum = 0;

    while (reps--) {
        int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

        for (unsigned i = 0; i < 16; i++) {
            sum += (uint64_t)write(fd, block, sizeof(block));
        }
        sum += (uint64_t)pread(fd, block, sizeof(block), 4096);
        close(fd);
        unlink(path);
    }
    close(made);
    return sum;
}

/* ---- jit ---- */

enum { FUNCTIONS = 256, CODE_BYTES = 64 };

static uint8_t *
code_memory(void)
{
    return mmap(NULL, FUNCTIONS * CODE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* lea eax, [rdi + CONSTANT]; imul eax, eax, 3; ret */
static void
emit(uint8_t *at, uint32_t constant)
{
    static const uint8_t code[] = { 0x8d, 0x87, 0, 0, 0, 0, 0x6b, 0xc0, 3, 0xc3 };

    memcpy(at, code, sizeof(code));
    memcpy(at + 2, &constant, 4);
}

static uint64_t
generated(unsigned reps)
{
    uint8_t *code = code_memory();
    uint32_t value = 1;

    while (reps--) {
        for (unsigned i = 0; i < FUNCTIONS; i++) {
            emit(code + i * CODE_BYTES, i + reps);
        }
        for (unsigned call = 0; call < 20 * FUNCTIONS; call++) {
            value = ((uint32_t(*)(uint32_t))(void *)(code + call % FUNCTIONS * CODE_BYTES))(value);
        }
    }
    munmap(code, FUNCTIONS * CODE_BYTES);
    return value;
}

static uint64_t
modified(unsigned reps)
{
    uint8_t *code = code_memory();
    uint32_t value = 1;

    emit(code, 0);
    for (uint32_t i = 0; i < reps * 100; i++) {
        memcpy(code + 2, &i, 4);
        value = ((uint32_t(*)(uint32_t))(void *)code)(value);
    }
    munmap(code, FUNCTIONS * CODE_BYTES);
    return value;
}

/* Data that is written beside code that runs, in one page. */
static uint64_t
beside(unsigned reps)
{
    uint8_t *code = code_memory();
    uint64_t *data = (uint64_t *)(void *)(code + 2048);
    uint32_t value = 1;

    emit(code, 5);
    for (uint32_t i = 0; i < reps * 100; i++) {
        value = ((uint32_t(*)(uint32_t))(void *)code)(value);
        data[i % 64] += value;
    }
    value ^= (uint32_t)data[17];
    munmap(code, FUNCTIONS * CODE_BYTES);
    return value;
}

/* ---- smp ---- */

static uint64_t shared;
static unsigned work;

static void *
add_shared(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < work; i++) {
        __atomic_fetch_add(&shared, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

static uint64_t
atomic1(unsigned reps)
{
    shared = 0;
    work = reps * 1000;
    add_shared(NULL);
    return shared;
}

static void
run_two(void *(*function)(void *))
{
    pthread_t threads[2];

    for (unsigned i = 0; i < 2; i++) {
        pthread_create(&threads[i], NULL, function, (void *)(uintptr_t)i);
    }
    for (unsigned i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
}

static uint64_t
atomic2(unsigned reps)
{
    shared = 0;
    work = reps * 1000;
    run_two(add_shared);
    return shared;
}

static uint64_t results[2];

static void *
compute(void *which)
{
    uint64_t value = (uintptr_t)which + 1;

    for (uint64_t i = 0; i < (uint64_t)work * 1000; i++) {
        value = value * 6364136223846793005ull + (value >> 33 ^ i);
    }
    results[(uintptr_t)which] = value;
    return NULL;
}

static uint64_t
both_busy(unsigned reps)
{
    work = reps;
    run_two(compute);
    return results[0] ^ results[1];
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static unsigned turn;

static void *
take_turns(void *which)
{
    for (unsigned i = 0; i < work; i++) {
        pthread_mutex_lock(&mutex);
        while (turn % 2 != (uintptr_t)which) {
            pthread_cond_wait(&turned, &mutex);
        }
        turn++;
        pthread_cond_broadcast(&turned);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static uint64_t
futex(unsigned reps)
{
    turn = 0;
    work = reps;
    run_two(take_turns);
    return turn;
}

const Bench bench_system[] = {
    { "syscall", "sys", syscalls, 5000, 0 },
    { "pipe", "sys", pipes, 500, 0 },
    { "fork", "sys", forks, 1500, 0 },
    { "fault", "sys", faults, 60, 0 },
    { "signal", "sys", signals, 5000, 0 },
    { "files", "sys", files, 2000, 0 },
    { "generated", "jit", generated, 300, 0 },
    { "modified", "jit", modified, 500, 0 },
    { "beside", "jit", beside, 5000, 0 },
    { "atomic1", "smp", atomic1, 30000, 0 },
    { "atomic2", "smp", atomic2, 10000, BENCH_TWO_CPUS },
    { "both-busy", "smp", both_busy, 60000, BENCH_TWO_CPUS },
    { "futex", "smp", futex, 3000, BENCH_TWO_CPUS },
    { 0 },
};
