/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Fiber stacks and the switch between them.
 *
 * On x86-64 the switch saves what the System V ABI (section 3.2.1) makes callee-saved: rbx, rbp,
 * r12-r15 and the two floating point control words. Other hosts use ucontext, whose swapcontext
 * costs a system call per switch. Stacks are mapped with a guard page below; only touched pages
 * cost memory. Sanitizers are told of every switch.
 *
 * Thread: a fiber runs on whichever thread resumes it; the caller sees to it that this is one at
 * a time. */

#include "blk-fiber.h"

#include <glib.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef __x86_64__
#include <ucontext.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
#define FIBER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define FIBER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FIBER_TSAN 1
#endif
#endif
#ifdef FIBER_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef FIBER_TSAN
#include <sanitizer/tsan_interface.h>
#endif

enum { STACK_BYTES = 256 * 1024 };

struct BlkFiber {
#ifdef __x86_64__
    void *own_sp, *caller_sp;
#else
    ucontext_t own_context, caller_context;
#endif
    uint8_t *stack; /* lowest address, the guard page */
    size_t stack_bytes;
    BlkFiberFunc func;
    void *opaque;
    bool ended;
    BlkFiber *next;
    void *home;
#ifdef FIBER_ASAN
    void *own_fake_stack, *caller_fake_stack;
    const void *caller_stack;
    size_t caller_stack_bytes;
#endif
#ifdef FIBER_TSAN
    void *own_tsan, *caller_tsan;
#endif
};

static void
enter_fiber(BlkFiber *fiber)
{
#ifdef FIBER_ASAN
    __sanitizer_finish_switch_fiber(fiber->own_fake_stack, &fiber->caller_stack,
                                    &fiber->caller_stack_bytes);
#else
    (void)fiber;
#endif
}

#ifdef __x86_64__

void blk_fiber_switch_stack(void **save_sp, void *load_sp);
void blk_fiber_start_stack(void);

/* rdi: where to keep the old stack pointer; rsi: the new one. */
__asm__(".text\n"
        ".globl blk_fiber_switch_stack\n"
        ".hidden blk_fiber_switch_stack\n"
        ".type blk_fiber_switch_stack, @function\n"
        "blk_fiber_switch_stack:\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    subq $8, %rsp\n"
        "    stmxcsr (%rsp)\n"
        "    fnstcw 4(%rsp)\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    ldmxcsr (%rsp)\n"
        "    fldcw 4(%rsp)\n"
        "    addq $8, %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    ret\n"
        ".size blk_fiber_switch_stack, . - blk_fiber_switch_stack\n"
        ".globl blk_fiber_start_stack\n"
        ".hidden blk_fiber_start_stack\n"
        ".type blk_fiber_start_stack, @function\n"
        "blk_fiber_start_stack:\n"
        "    xorl %ebp, %ebp\n"
        "    movq %r12, %rdi\n"
        "    callq *%r13\n"
        "    ud2\n"
        ".size blk_fiber_start_stack, . - blk_fiber_start_stack\n");

static inline void
switch_in(BlkFiber *fiber)
{
    blk_fiber_switch_stack(&fiber->caller_sp, fiber->own_sp);
}

static inline void
switch_out(BlkFiber *fiber)
{
    blk_fiber_switch_stack(&fiber->own_sp, fiber->caller_sp);
}

#else

static inline void
switch_in(BlkFiber *fiber)
{
    swapcontext(&fiber->caller_context, &fiber->own_context);
}

static inline void
switch_out(BlkFiber *fiber)
{
    swapcontext(&fiber->own_context, &fiber->caller_context);
}

#endif

static void
leave_fiber(BlkFiber *fiber)
{
#ifdef FIBER_ASAN
    __sanitizer_start_switch_fiber(&fiber->own_fake_stack, fiber->caller_stack,
                                   fiber->caller_stack_bytes);
#endif
#ifdef FIBER_TSAN
    __tsan_switch_to_fiber(fiber->caller_tsan, 0);
#endif
    switch_out(fiber);
    enter_fiber(fiber);
}

/* Bottom of every fiber stack. The stack outlives the work and takes the next. */
static void
fiber_main(BlkFiber *fiber)
{
    enter_fiber(fiber);
    for (;;) {
        fiber->func(fiber->opaque);
        fiber->ended = true;
        leave_fiber(fiber);
    }
}

#ifdef __x86_64__

static void
prepare_stack(BlkFiber *fiber)
{
    /* What blk_fiber_switch_stack pops, lowest first: control words, r15, r14, r13, r12, rbx,
     * rbp, return address; two more words keep the start aligned as after a call. */
    uint64_t *sp = (uint64_t *)(fiber->stack + fiber->stack_bytes) - 10;
    uint32_t mxcsr;
    uint16_t fpu_control;

    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    __asm__ volatile("fnstcw %0" : "=m"(fpu_control));
    sp[0] = mxcsr | (uint64_t)fpu_control << 32;
    sp[3] = (uint64_t)(uintptr_t)fiber_main;
    sp[4] = (uint64_t)(uintptr_t)fiber;
    sp[7] = (uint64_t)(uintptr_t)blk_fiber_start_stack;
    fiber->own_sp = sp;
}

#else

/* makecontext passes ints only. */
static void
fiber_main_halves(unsigned high, unsigned low)
{
    fiber_main((BlkFiber *)((uintptr_t)high << 16 << 16 | low));
}

static void
prepare_stack(BlkFiber *fiber)
{
    getcontext(&fiber->own_context);
    fiber->own_context.uc_stack.ss_sp = fiber->stack;
    fiber->own_context.uc_stack.ss_size = fiber->stack_bytes;
    makecontext(&fiber->own_context, (void (*)(void))fiber_main_halves, 2,
                (unsigned)((uintptr_t)fiber >> 16 >> 16), (unsigned)(uintptr_t)fiber);
}

#endif

BlkFiber *
blk_fiber_new(void)
{
    size_t guard = (size_t)sysconf(_SC_PAGESIZE);
    size_t len = STACK_BYTES + guard;
    uint8_t *stack = mmap(NULL, len, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    BlkFiber *fiber;

    if (stack == MAP_FAILED) {
        return NULL;
    }
    if (mprotect(stack, guard, PROT_NONE) < 0) {
        munmap(stack, len);
        return NULL;
    }
    fiber = g_new0(BlkFiber, 1);
    fiber->stack = stack;
    fiber->stack_bytes = len;
    fiber->ended = true;
    prepare_stack(fiber);
#ifdef FIBER_TSAN
    fiber->own_tsan = __tsan_create_fiber(0);
#endif
    return fiber;
}

void
blk_fiber_free(BlkFiber *fiber)
{
    if (!fiber) {
        return;
    }
    g_assert(fiber->ended);
#ifdef FIBER_TSAN
    __tsan_destroy_fiber(fiber->own_tsan);
#endif
    munmap(fiber->stack, fiber->stack_bytes);
    g_free(fiber);
}

void
blk_fiber_set(BlkFiber *fiber, BlkFiberFunc func, void *opaque)
{
    g_assert(fiber->ended);
    fiber->func = func;
    fiber->opaque = opaque;
    fiber->ended = false;
}

bool
blk_fiber_resume(BlkFiber *fiber)
{
#ifdef FIBER_ASAN
    void *fake_stack = NULL;

    __sanitizer_start_switch_fiber(&fake_stack, fiber->stack, fiber->stack_bytes);
#endif
#ifdef FIBER_TSAN
    fiber->caller_tsan = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(fiber->own_tsan, 0);
#endif
    switch_in(fiber);
#ifdef FIBER_ASAN
    __sanitizer_finish_switch_fiber(fake_stack, NULL, NULL);
#endif
    return fiber->ended;
}

void
blk_fiber_suspend(BlkFiber *fiber)
{
    leave_fiber(fiber);
}

BlkFiber **
blk_fiber_next(BlkFiber *fiber)
{
    return &fiber->next;
}

void **
blk_fiber_home(BlkFiber *fiber)
{
    return &fiber->home;
}
