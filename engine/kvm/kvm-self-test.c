/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* A present /dev/kvm may not be usable: nested and software ones start a VM and then fail on
 * instructions that every guest needs. Some twenty of these run here in a VM of their own: real
 * mode, x87, the switch to protected mode, paging with a page that is not where it seems. The
 * result has to be right and in memory, and all within a time limit.
 *
 * Linux Documentation/virt/kvm/api.rst sections 4.2, 4.7, 4.10 to 4.13, 4.35, 5. Thread: any; the
 * caller's thread runs the guest, another one ends it when it takes too long. */

#include "kvm-private.h"

#include "vit-error.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    MEMORY_BYTES = 0x10000,
    CODE = 0x1000, /* the second part, in protected mode, is at CODE + 0x80 */
    PAGE_DIRECTORY = 0x2000,
    PAGE_TABLE = 0x3000,
    DATA = 0x4000, /* floats 1 and 2, their sum, the GDT and its pseudo-descriptor */
    ANSWER = 0x5000,
    ANSWER_LINEAR = 0x7000,
    TIME_LIMIT_MS = 3000,
    TSS_ADDRESS = 0xfeffd000,
};
#define ANSWER_VALUE 0x40400000u /* 3.0f */

extern const uint8_t vit_kvm_self_test_code[], vit_kvm_self_test_code_end[];
__asm__(".pushsection .rodata\n"
        ".balign 128\n"
        ".globl vit_kvm_self_test_code\n"
        ".hidden vit_kvm_self_test_code\n"
        "vit_kvm_self_test_code:\n"
        ".code16\n"
        "  fninit\n"
        "  flds 0x4000\n"
        "  fadds 0x4004\n"
        "  fstps 0x4008\n"
        "  fwait\n"
        "  lgdtl 0x4080\n"
        "  movl %cr0, %eax\n"
        "  orl $1, %eax\n"
        "  movl %eax, %cr0\n"
        "  ljmpl $8, $0x1080\n"
        ".balign 128\n"
        ".code32\n"
        "  movl $16, %eax\n"
        "  movl %eax, %ds\n"
        "  movl %eax, %ss\n"
        "  movl $0x6ff0, %esp\n"
        "  movl $0x2000, %eax\n"
        "  movl %eax, %cr3\n"
        "  movl %cr0, %eax\n"
        "  orl $0x80000000, %eax\n"
        "  movl %eax, %cr0\n"
        "  movl 0x4008, %eax\n"
        "  pushl %eax\n"
        "  popl %ecx\n"
        "  movl %ecx, 0x7000\n"
        "  hlt\n"
        ".code64\n"
        ".globl vit_kvm_self_test_code_end\n"
        ".hidden vit_kvm_self_test_code_end\n"
        "vit_kvm_self_test_code_end:\n"
        ".popsection\n");

typedef struct SelfTest {
    int vm_fd, vcpu_fd;
    uint8_t *memory;
    struct kvm_run *run;
    size_t run_bytes;
    /* the watcher */
    GMutex lock;
    GCond ended_changed;
    bool ended;
    bool late; /* atomic */
    pthread_t runner;
} SelfTest;

static bool
fail(GError **error, const char *what)
{
    g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED, "KVM cannot be used: its self-test: %s: %s",
                what, g_strerror(errno));
    return false;
}

static void
store32(uint8_t *memory, unsigned address, uint32_t value)
{
    memcpy(memory + address, &value, 4);
}

static void
fill_memory(uint8_t *memory)
{
    memcpy(memory + CODE, vit_kvm_self_test_code,
           vit_kvm_self_test_code_end - vit_kvm_self_test_code);
    store32(memory, PAGE_DIRECTORY, PAGE_TABLE | 3);
    for (unsigned page = 0; page < MEMORY_BYTES / VIT_PAGE_SIZE; page++) {
        store32(memory, PAGE_TABLE + page * 4, page * VIT_PAGE_SIZE | 3);
    }
    store32(memory, PAGE_TABLE + ANSWER_LINEAR / VIT_PAGE_SIZE * 4, ANSWER | 3);
    store32(memory, DATA, 0x3f800000);
    store32(memory, DATA + 4, 0x40000000);
    /* flat code and data */
    store32(memory, DATA + 0x48, 0x0000ffff);
    store32(memory, DATA + 0x4c, 0x00cf9b00);
    store32(memory, DATA + 0x50, 0x0000ffff);
    store32(memory, DATA + 0x54, 0x00cf9300);
    store32(memory, DATA + 0x80, (DATA + 0x40) << 16 | 23);
}

static bool
make_vm(SelfTest *test, int fd, GError **error)
{
    struct kvm_userspace_memory_region slot = { .memory_size = MEMORY_BYTES };
    int run_bytes = ioctl(fd, KVM_GET_VCPU_MMAP_SIZE, 0);

    test->vm_fd = ioctl(fd, KVM_CREATE_VM, 0);
    if (test->vm_fd < 0 || run_bytes <= 0) {
        return fail(error, "no virtual machine can be made");
    }
    if (ioctl(fd, KVM_CHECK_EXTENSION, KVM_CAP_SET_TSS_ADDR) > 0) {
        ioctl(test->vm_fd, KVM_SET_TSS_ADDR, (unsigned long)TSS_ADDRESS);
    }
    test->memory =
        mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (test->memory == MAP_FAILED) {
        return fail(error, "no memory");
    }
    fill_memory(test->memory);
    slot.userspace_addr = (uintptr_t)test->memory;
    if (ioctl(test->vm_fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0) {
        return fail(error, "memory is refused");
    }
    test->vcpu_fd = ioctl(test->vm_fd, KVM_CREATE_VCPU, 0);
    if (test->vcpu_fd < 0) {
        return fail(error, "no CPU can be made");
    }
    test->run_bytes = run_bytes;
    test->run = mmap(NULL, run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, test->vcpu_fd, 0);
    if (test->run == MAP_FAILED) {
        return fail(error, "the CPU's shared page cannot be mapped");
    }
    return true;
}

static bool
set_registers(SelfTest *test, int fd, GError **error)
{
    struct kvm_regs regs = { .rip = CODE, .rflags = 2 };
    struct kvm_sregs sregs;
    g_autofree struct kvm_cpuid2 *cpuid = kvm_supported_cpuid(fd);

    if (!cpuid || ioctl(test->vcpu_fd, KVM_SET_CPUID2, cpuid) < 0) {
        return fail(error, "CPUID is refused");
    }
    if (ioctl(test->vcpu_fd, KVM_GET_SREGS, &sregs) < 0) {
        return fail(error, "registers cannot be read");
    }
    sregs.cs.base = 0;
    sregs.cs.selector = 0;
    if (ioctl(test->vcpu_fd, KVM_SET_SREGS, &sregs) < 0 ||
        ioctl(test->vcpu_fd, KVM_SET_REGS, &regs) < 0) {
        return fail(error, "registers cannot be set");
    }
    return true;
}

static gpointer
watch(gpointer data)
{
    SelfTest *test = data;
    int64_t until = g_get_monotonic_time() + TIME_LIMIT_MS * 1000;

    g_mutex_lock(&test->lock);
    while (!test->ended) {
        if (!g_cond_wait_until(&test->ended_changed, &test->lock, until)) {
            __atomic_store_n(&test->late, true, __ATOMIC_SEQ_CST);
            __atomic_store_n(&test->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
            kvm_signal_thread(test->runner);
            until = g_get_monotonic_time() + 100 * 1000;
        }
    }
    g_mutex_unlock(&test->lock);
    return NULL;
}

/* Runs to HLT or the first other thing; 0 or errno. */
static int
run_guest(SelfTest *test)
{
    GThread *watcher;
    int number = 0;

    test->runner = pthread_self();
    kvm_signal_init();
    watcher = g_thread_new("kvm self-test", watch, test);
    while (ioctl(test->vcpu_fd, KVM_RUN, 0) < 0) {
        number = errno;
        if ((number != EINTR && number != EAGAIN) ||
            __atomic_load_n(&test->late, __ATOMIC_SEQ_CST)) {
            break;
        }
        number = 0;
    }
    g_mutex_lock(&test->lock);
    test->ended = true;
    g_cond_signal(&test->ended_changed);
    g_mutex_unlock(&test->lock);
    g_thread_join(watcher);
    return number;
}

/* Where the guest got to, in words. */
static char *
describe_place(const SelfTest *test)
{
    struct kvm_regs regs;
    struct kvm_sregs sregs;

    if (ioctl(test->vcpu_fd, KVM_GET_REGS, &regs) < 0 ||
        ioctl(test->vcpu_fd, KVM_GET_SREGS, &sregs) < 0) {
        return g_strdup("at an unknown place");
    }
    return g_strdup_printf("at %#llx in %s", (unsigned long long)regs.rip,
                           sregs.cr0 & X86_CR0_PG   ? "protected mode with paging"
                           : sregs.cr0 & X86_CR0_PE ? "protected mode"
                           : regs.rip < CODE + 16   ? "real mode (x87)"
                                                    : "real mode");
}

static bool
judge(SelfTest *test, int number, GError **error)
{
    g_autofree char *place = describe_place(test);
    uint32_t answer;

    memcpy(&answer, test->memory + ANSWER, 4);
    if (number != 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED, "KVM cannot be used: its self-test %s %s",
                    test->late ? "hangs" : g_strerror(number), place);
    } else if (test->run->exit_reason == KVM_EXIT_INTERNAL_ERROR) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED,
                    "KVM cannot be used: its self-test fails %s: the kernel cannot execute the "
                    "instruction there (internal error %u); a nested KVM may lack what the host "
                    "below could give it",
                    place, test->run->internal.suberror);
    } else if (test->run->exit_reason != KVM_EXIT_HLT) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED,
                    "KVM cannot be used: its self-test ends %s with exit %u", place,
                    test->run->exit_reason);
    } else if (answer != ANSWER_VALUE) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED,
                    "KVM cannot be used: its self-test computes %#x where %#x is right", answer,
                    ANSWER_VALUE);
    } else {
        return true;
    }
    return false;
}

static void
self_test_finish(SelfTest *test)
{
    if (test->run && test->run != MAP_FAILED) {
        munmap(test->run, test->run_bytes);
    }
    if (test->vcpu_fd >= 0) {
        close(test->vcpu_fd);
    }
    if (test->vm_fd >= 0) {
        close(test->vm_fd);
    }
    if (test->memory && test->memory != MAP_FAILED) {
        munmap(test->memory, MEMORY_BYTES);
    }
    g_mutex_clear(&test->lock);
    g_cond_clear(&test->ended_changed);
}

bool
kvm_self_test(int fd, GError **error)
{
    SelfTest test = { .vm_fd = -1, .vcpu_fd = -1 };
    bool good;

    g_mutex_init(&test.lock);
    g_cond_init(&test.ended_changed);
    good = make_vm(&test, fd, error) && set_registers(&test, fd, error) &&
           judge(&test, run_guest(&test), error);
    self_test_finish(&test);
    return good;
}
