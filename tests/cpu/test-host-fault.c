/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Faults of generated code: ours go on at the block's recovery path and say what it was, those of
 * others end in the handler that was there before. */

#include "x86-host-fault.h"

#include <glib.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

typedef X86HostFault (*Stub)(uint32_t mxcsr);

static uint8_t *
new_pages(void)
{
    uint8_t *pages =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    g_assert_true(pages != MAP_FAILED);
    return pages;
}

/* A block with CODE, whose recovery path is at RECOVER of it. */
static Stub
make_block(uint8_t *start, const uint8_t *code, size_t len, uint32_t recover)
{
    X86HostBlock block = { .magic = X86_HOST_BLOCK_MAGIC,
                           .recover_offset = (uint32_t)sizeof(block) + recover };

    memcpy(start, &block, sizeof(block));
    memcpy(start + sizeof(block), code, len);
    return (Stub)(uintptr_t)(start + sizeof(block));
}

static void
test_undefined(void)
{
    /* ud2; recovery: ret */
    static const uint8_t code[] = { 0x0f, 0x0b, 0xc3 };
    uint8_t *pages = new_pages();

    g_assert_cmpint(make_block(pages, code, sizeof(code), 2)(0), ==, X86_HOST_FAULT_UNDEFINED);
    munmap(pages, 4096);
}

static void
test_fp(void)
{
    /* push rdi; ldmxcsr [rsp]; pxor xmm0, xmm0; divps xmm0, xmm0;
     * recovery: mov dword [rsp], 0x1f80; ldmxcsr [rsp]; pop rdx; ret */
    static const uint8_t code[] = { 0x57, 0x0f, 0xae, 0x14, 0x24, 0x66, 0x0f, 0xef, 0xc0,
                                    0x0f, 0x5e, 0xc0, 0xc7, 0x04, 0x24, 0x80, 0x1f, 0x00,
                                    0x00, 0x0f, 0xae, 0x14, 0x24, 0x5a, 0xc3 };
    uint8_t *pages = new_pages();

    g_assert_cmpint(make_block(pages, code, sizeof(code), 12)(0), ==, X86_HOST_FAULT_FP);
    munmap(pages, 4096);
}

/* Without our header it is a program's own fault. */
static void
test_other(void)
{
    static const uint8_t code[] = { 0x0f, 0x0b, 0xc3 };

    if (g_test_subprocess()) {
        uint8_t *pages = new_pages();

        memcpy(pages, code, sizeof(code));
        ((Stub)(uintptr_t)pages)(0);
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_failed();
}

static volatile sig_atomic_t seen;

static void
on_signal(int number, siginfo_t *info, void *context)
{
    seen = number;
}

/* A signal that a process sent is nobody's fault. */
static void
test_sent(void)
{
    g_assert_cmpint(raise(SIGILL), ==, 0);
    g_assert_cmpint(seen, ==, SIGILL);
    seen = 0;
    g_assert_cmpint(raise(SIGFPE), ==, 0);
    g_assert_cmpint(seen, ==, SIGFPE);
}

int
main(int argc, char **argv)
{
    struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };

    g_test_init(&argc, &argv, NULL);
    if (!g_test_subprocess()) {
        sigaction(SIGILL, &action, NULL);
        sigaction(SIGFPE, &action, NULL);
    }
    x86_host_fault_init();
    g_test_add_func("/host-fault/undefined", test_undefined);
    g_test_add_func("/host-fault/fp", test_fp);
    g_test_add_func("/host-fault/other", test_other);
    g_test_add_func("/host-fault/sent", test_sent);
    return g_test_run();
}
