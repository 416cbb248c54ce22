/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Runs cases on the host CPU, in a child process that has the code and data pages at their fixed
 * addresses.
 *
 * enter_guest loads the case's registers and jumps to it, in 64-bit code or through a far jump to a
 * 32- or 16-bit code segment. The case ends in a jump to leave_guest, which lies (as a copy) at a
 * fixed low address, addresses all it needs absolutely and so can save every register. Faults come
 * as signals on an alternate stack; the handler takes the registers from the frame and leaves by
 * the same way. A batch of cases costs one round trip through two pipes.
 *
 * Linux signal frames: asm/ucontext.h, asm/sigcontext.h; LDT: modify_ldt(2).
 */

#include "oracle.h"

#include <asm/ldt.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define CONTROL_ADDRESS 0x5a5a0000
#define STRING_(x)      #x
#define STRING(x)       STRING_(x)
#define TIMEOUT_MS      20000
#define TICK_US         30000
#define TICKS           4 /* that a case sees when it is endless: on a busy host two come soon */

/* At CONTROL_ADDRESS in the child; the assembly knows the offsets. */
typedef struct Control {
    uint64_t gpr[16];    /* 0x00 */
    uint64_t rflags;     /* 0x80 */
    uint64_t host_rsp;   /* 0x88 */
    uint64_t entry;      /* 0x90 */
    uint32_t far_offset; /* 0x98 */
    uint16_t far_cs;     /* 0x9c */
    uint16_t pad;
    uint32_t host_mxcsr; /* 0xa0 */
    uint32_t inside;     /* 0xa4: running a case */
    uint8_t pad2[0x200 - 0xa8];
    uint8_t xsave[ORACLE_XSAVE_BYTES]; /* 0x200 */
    OracleResult *result;
    uint64_t host_fs_base;
    uint64_t serial, serial_seen; /* of the running case; at the last tick */
    unsigned ticks;               /* that have seen it */
} Control;

#define CONTROL ((Control *)(uintptr_t)CONTROL_ADDRESS)

struct OracleNative {
    OracleBatch *batches; /* shared */
    uint8_t *patterns;    /* shared */
    uint8_t *code;        /* shared, writable alias */
    int code_fd, data_fd;
    int to_child, from_child;
    pid_t pid;
};

/* enter_guest(state in rdi, far in esi): returns 0 through leave_guest, 1 through the handler. */
__asm__(
    ".text\n"
    "enter_guest:\n"
    "    push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
    "    mov %rsp, " STRING(
        CONTROL_ADDRESS) " + 0x88\n"
                         "    mov $7, %eax\n xor %edx, %edx\n"
                         "    xrstor64 192(%rdi)\n"
                         "    cmp $0, %esi\n"
                         "    je 1f\n"
                         "    pushq 136(%rdi)\n popfq\n"
                         "    mov 0(%rdi), %rax\n mov 8(%rdi), %rcx\n mov 16(%rdi), %rdx\n mov "
                         "24(%rdi), %rbx\n"
                         "    mov 32(%rdi), %rsp\n mov 40(%rdi), %rbp\n mov 48(%rdi), %rsi\n mov "
                         "56(%rdi), %rdi\n"
                         "    ljmp *" STRING(
                             CONTROL_ADDRESS) " + 0x98\n"
                                              "1:  pushq 136(%rdi)\n popfq\n"
                                              "    mov 0(%rdi), %rax\n mov 8(%rdi), %rcx\n mov "
                                              "16(%rdi), %rdx\n mov 24(%rdi), %rbx\n"
                                              "    mov 32(%rdi), %rsp\n mov 40(%rdi), %rbp\n mov "
                                              "48(%rdi), %rsi\n"
                                              "    mov 64(%rdi), %r8\n mov 72(%rdi), %r9\n mov "
                                              "80(%rdi), %r10\n mov 88(%rdi), %r11\n"
                                              "    mov 96(%rdi), %r12\n mov 104(%rdi), %r13\n mov "
                                              "112(%rdi), %r14\n mov 120(%rdi), %r15\n"
                                              "    mov 56(%rdi), %rdi\n"
                                              "    jmp *" STRING(
                                                  CONTROL_ADDRESS) " + 0x90\n"
                                                                   "leave_guest:\n"
                                                                   "    movq %rax, " STRING(
                                                                       CONTROL_ADDRESS) " + 0x00\n"
                                                                                        "    movq "
                                                                                        "%rcx,"
                                                                                        " " STRING(CONTROL_ADDRESS) " + 0x08\n"
                                                                                                                    "    movq %rdx, " STRING(CONTROL_ADDRESS) " + 0x10\n"
                                                                                                                                                              "    movq %rbx, " STRING(CONTROL_ADDRESS) " + 0x18\n"
                                                                                                                                                                                                        "    movq %rsp, " STRING(CONTROL_ADDRESS) " + 0x20\n"
                                                                                                                                                                                                                                                  "    movq %rbp, " STRING(CONTROL_ADDRESS) " + 0x28\n"
                                                                                                                                                                                                                                                                                            "    movq %rsi, " STRING(CONTROL_ADDRESS) " + 0x30\n"
                                                                                                                                                                                                                                                                                                                                      "    movq %rdi, " STRING(CONTROL_ADDRESS) " + 0x38\n"
                                                                                                                                                                                                                                                                                                                                                                                "    movq %r8, " STRING(
                                                                                                                                                                                                                                                                                                                                                                                    CONTROL_ADDRESS) " + 0x40\n"
                                                                                                                                                                                                                                                                                                                                                                                                     "    movq %r9, " STRING(CONTROL_ADDRESS) " + 0x48\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                              "    movq %r10, " STRING(
                                                                                                                                                                                                                                                                                                                                                                                                                                                  CONTROL_ADDRESS) " + 0x50\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                   "    movq %r11, " STRING(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                       CONTROL_ADDRESS) " + 0x58\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                        "    movq %r12, " STRING(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                            CONTROL_ADDRESS) " + 0x60\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                             "    movq %r13, " STRING(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                 CONTROL_ADDRESS) " + 0x68\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                  "    movq %r14, " STRING(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                      CONTROL_ADDRESS) " + 0x70\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                       "    movq %r15, " STRING(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                           CONTROL_ADDRESS) " + 0x78\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                            "    mov $0x2b, %eax\n mov %eax, %ss\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                            "    movq " STRING(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                CONTROL_ADDRESS) " + 0x88, %rsp\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                 "    pushfq\n popq " STRING(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                     CONTROL_ADDRESS) " + 0x80\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                      "    pushq $2\n popfq\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                      "    mov $7, %eax\n xor %edx, %edx\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                      "    xsave64 " STRING(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                          CONTROL_ADDRESS) " + 0x200\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                           "    xor %eax, %eax\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                           "leave_tail:\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                           "    fninit\n ldmxcsr " STRING(CONTROL_ADDRESS) " + 0xa0\n vzeroupper\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                           "    pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                           "    ret\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                           "leave_guest_end:\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                           /* From the signal handler, on the alternate stack. */
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                           "leave_by_signal:\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                           "    movq " STRING(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                               CONTROL_ADDRESS) " + 0x88, %rsp\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                "    mov $1, %eax\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                "    jmp leave_tail\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                /* The guest's AC and TF must not hold in the handler. */
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                "on_signal:\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                "    pushq $2\n popfq\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                "    jmp take_signal\n");

int enter_guest(const OracleState *in, int far);
extern const char leave_guest[], leave_guest_end[];
_Noreturn void leave_by_signal(void);
void on_signal(int number, siginfo_t *info, void *context);
void take_signal(int number, siginfo_t *info, void *context) __attribute__((used));

/* The frame's XSAVE area: components whose bit is clear are in their initial state. */
static void
copy_frame_xsave(uint8_t *out, const uint8_t *frame)
{
    uint64_t present;

    memcpy(&present, frame + 512, 8);
    memcpy(out, frame, ORACLE_XSAVE_BYTES);
    if (!(present & 1)) {
        memset(out, 0, 24);
        memset(out + 32, 0, 128);
        out[0] = 0x7f;
        out[1] = 0x03;
    }
    if (!(present & 2)) {
        memset(out + 160, 0, 256);
    }
    if (!(present & 4)) {
        memset(out + 576, 0, 256);
    }
}

void
take_signal(int number, siginfo_t *info, void *context)
{
    static const int registers[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                       REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                       REG_R12, REG_R13, REG_R14, REG_R15 };
    const ucontext_t *uc = context;
    const greg_t *regs = uc->uc_mcontext.gregs;
    OracleResult *result = CONTROL->result;

    if (number == SIGALRM) {
        CONTROL->ticks = CONTROL->serial == CONTROL->serial_seen ? CONTROL->ticks + 1 : 1;
        CONTROL->serial_seen = CONTROL->serial;
        if (!CONTROL->inside || CONTROL->ticks < TICKS) {
            return;
        }
    } else if (!CONTROL->inside) {
        _exit(99); /* a fault of the harness itself */
    }
    for (unsigned i = 0; i < 16; i++) {
        result->out.gpr[i] = (uint64_t)regs[registers[i]];
    }
    result->out.rip = (uint64_t)regs[REG_RIP];
    result->out.rflags = (uint64_t)regs[REG_EFL];
    result->vector = number == SIGALRM ? -2 : (int32_t)regs[REG_TRAPNO];
    result->error = (uint32_t)regs[REG_ERR];
    result->cr2 = (uint64_t)regs[REG_CR2];
    copy_frame_xsave(result->out.xsave, (const uint8_t *)uc->uc_mcontext.fpregs);
    leave_by_signal();
}

/* Stray code may have loaded FS, which is where the C library finds its thread. */
static void
restore_fs(void)
{
    uint16_t selector;
    uint64_t base;

    __asm__ volatile("mov %%fs, %0\n rdfsbase %1" : "=r"(selector), "=r"(base));
    if (selector != 0 || base != CONTROL->host_fs_base) {
        __asm__ volatile("mov %0, %%fs\n wrfsbase %1" : : "r"(0), "r"(CONTROL->host_fs_base));
    }
}

static void
load_segments(OracleMode mode)
{
    uint16_t data = mode == ORACLE_16 ? ORACLE_LDT_SELECTOR(ORACLE_LDT_DATA) : ORACLE_DS;
    uint16_t ds = mode == ORACLE_64 ? 0 : data;
    uint16_t gs = mode == ORACLE_32 ? ORACLE_LDT_SELECTOR(ORACLE_LDT_GS) : 0;
    uint64_t base = ORACLE_GS_BASE;

    /* SS too: a case that ended in a signal leaves its own. */
    __asm__ volatile("mov %0, %%ds\n mov %0, %%es\n mov %1, %%gs\n mov %2, %%ss"
                     :
                     : "r"(ds), "r"(gs), "r"(data));
    if (mode == ORACLE_64) {
        __asm__ volatile("wrgsbase %0" : : "r"(base));
    }
}

static void
run_case(const OracleCase *c, OracleResult *result)
{
    CONTROL->result = result;
    CONTROL->entry = c->entry + c->moved;
    CONTROL->far_offset = (uint32_t)c->in.rip;
    CONTROL->far_cs = c->cs;
    CONTROL->serial++;
    load_segments(c->mode);
    CONTROL->inside = 1; /* now, as the way out by a signal takes the stack of enter_guest() */
    if (enter_guest(&c->in, c->mode != ORACLE_64) == 0) {
        memcpy(result->out.gpr, CONTROL->gpr, sizeof(result->out.gpr));
        result->out.rflags = CONTROL->rflags;
        result->out.rip = ORACLE_EXIT;
        memcpy(result->out.xsave, CONTROL->xsave, ORACLE_XSAVE_BYTES);
        result->vector = -1;
        result->error = 0;
        result->cr2 = 0;
    }
    restore_fs();
    CONTROL->inside = 0;
}

static void
load_pattern(const uint8_t *pattern)
{
    uint8_t *data = (uint8_t *)(uintptr_t)ORACLE_DATA;

    memcpy(data, pattern, 0x2000);
    memcpy(data + 0x4000, pattern + 0x3000, 0x1000);
}

/* The pages of code and data, MOVED from where they lie first. Populated, and locked where that is
 * allowed: a forbidden write to a page that is not mapped yet, or that the kernel took out of the
 * page tables when it looked for memory, has another error code, each time. */
static bool
map_place(const OracleNative *native, uint64_t moved)
{
    const int fixed = MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_POPULATE;
    const int rw = PROT_READ | PROT_WRITE;
    uint8_t *code = (uint8_t *)(uintptr_t)(ORACLE_CODE + moved);
    uint8_t *data = (uint8_t *)(uintptr_t)(ORACLE_DATA + moved);

    if (mmap(code, ORACLE_BATCHES * ORACLE_CODE_BYTES, PROT_READ | PROT_EXEC, fixed,
             native->code_fd, 0) == MAP_FAILED ||
        mmap(data, 0x2000, rw, fixed, native->data_fd, 0) == MAP_FAILED ||
        mmap(data + 0x2000, 0x1000, PROT_READ, fixed, native->data_fd, 0x2000) == MAP_FAILED ||
        mmap(data + 0x4000, 0x1000, rw, fixed, native->data_fd, 0x3000) == MAP_FAILED) {
        return false;
    }
    mlock(code, ORACLE_BATCHES * ORACLE_CODE_BYTES);
    mlock(data, 0x3000);
    mlock(data + 0x4000, 0x1000);
    return true;
}

static void
child_map(const OracleNative *native)
{
    const int fixed = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    const int rw = PROT_READ | PROT_WRITE;
    size_t exit_len = (size_t)(leave_guest_end - leave_guest);
    bool mapped = map_place(native, 0);

    for (unsigned i = 0; i < ORACLE_PLACES; i++) {
        mapped = mapped && map_place(native, oracle_places[i]);
    }
    if (!mapped || mmap(CONTROL, 4096, rw, fixed, -1, 0) == MAP_FAILED ||
        mmap((void *)ORACLE_EXIT, 4096, rw, fixed, -1, 0) == MAP_FAILED) {
        _exit(98);
    }
    memcpy((void *)ORACLE_EXIT, leave_guest, exit_len);
    mprotect((void *)ORACLE_EXIT, 4096, PROT_READ | PROT_EXEC);
    CONTROL->host_mxcsr = 0x1f80;
    __asm__ volatile("rdfsbase %0" : "=r"(CONTROL->host_fs_base));
}

static void
set_descriptor(unsigned index, uint32_t base, uint32_t limit, unsigned contents, bool big)
{
    struct user_desc desc = {
        .entry_number = index,
        .base_addr = base,
        .limit = limit,
        .seg_32bit = big,
        .contents = contents,
        .useable = 1,
    };

    if (syscall(SYS_modify_ldt, 0x11, &desc, sizeof(desc)) != 0) {
        _exit(97);
    }
}

static void
child_signals(void)
{
    static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGALRM };
    struct sigaction action = { .sa_sigaction = on_signal,
                                .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART };
    struct itimerval tick = { { 0, TICK_US }, { 0, TICK_US } };
    size_t size = 65536;
    stack_t stack = { .ss_sp = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                                    -1, 0),
                      .ss_size = size };

    sigaltstack(&stack, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(signals); i++) {
        sigaction(signals[i], &action, NULL);
    }
    setitimer(ITIMER_REAL, &tick, NULL);
}

static _Noreturn void
child_main(const OracleNative *native, int in, int out)
{
    uint8_t *data = (uint8_t *)(uintptr_t)ORACLE_DATA;
    uint8_t index;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    child_map(native);
    for (unsigned i = 0; i < ORACLE_CODE_SEGMENTS; i++) {
        set_descriptor(ORACLE_LDT_CODE + i, ORACLE_CODE + i * 0x10000, 0xffff, 2, false);
    }
    set_descriptor(ORACLE_LDT_DATA, ORACLE_DATA, 0xffff, 0, false);
    set_descriptor(ORACLE_LDT_GS, ORACLE_GS_BASE, ORACLE_GS_LIMIT, 0, true);
    child_signals();
    while (read(in, &index, 1) == 1) {
        OracleBatch *batch = &native->batches[index];

        for (unsigned i = 0; i < batch->count; i++) {
            load_pattern(native->patterns + batch->cases[i].pattern * ORACLE_PATTERN_BYTES);
            run_case(&batch->cases[i], &batch->results[i]);
            batch->results[i].data_hash = oracle_hash(data);
        }
        memcpy(batch->data, data, 0x3000);
        memcpy(batch->data + 0x3000, data + 0x4000, 0x1000);
        if (write(out, &index, 1) != 1) {
            break;
        }
    }
    _exit(0);
}

static bool
start_child(OracleNative *native, GError **error)
{
    int down[2], up[2];

    if (pipe(down) != 0 || pipe(up) != 0) {
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "oracle: no pipe");
        return false;
    }
    native->pid = fork();
    if (native->pid == 0) {
        close(down[1]);
        close(up[0]);
        child_main(native, down[0], up[1]);
    }
    close(down[0]);
    close(up[1]);
    native->to_child = down[1];
    native->from_child = up[0];
    if (native->pid < 0) {
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "oracle: no child");
        return false;
    }
    return true;
}

static void
stop_child(OracleNative *native)
{
    close(native->to_child);
    close(native->from_child);
    if (native->pid > 0) {
        kill(native->pid, SIGKILL);
        waitpid(native->pid, NULL, 0);
    }
}

static void *
shared_memory(size_t size)
{
    return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

OracleNative *
oracle_native_new(uint64_t seed, GError **error)
{
    OracleNative *native = g_new0(OracleNative, 1);
    size_t code_bytes = ORACLE_BATCHES * ORACLE_CODE_BYTES;

    native->batches = shared_memory(ORACLE_BATCHES * sizeof(OracleBatch));
    native->patterns = shared_memory(ORACLE_PATTERNS * ORACLE_PATTERN_BYTES);
    native->code_fd = memfd_create("oracle-code", MFD_CLOEXEC);
    native->data_fd = memfd_create("oracle-data", MFD_CLOEXEC);
    if (ftruncate(native->code_fd, (off_t)code_bytes) == 0) {
        native->code =
            mmap(NULL, code_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, native->code_fd, 0);
    }
    for (unsigned i = 0; i < ORACLE_PATTERNS; i++) {
        oracle_gen_pattern(seed, i, native->patterns + i * ORACLE_PATTERN_BYTES);
    }
    /* the read-only page is the same in all patterns */
    if (pwrite(native->data_fd, native->patterns, ORACLE_PATTERN_BYTES, 0) !=
        ORACLE_PATTERN_BYTES) {
        g_printerr("oracle: no memory for the data pages\n");
    }
    if (!start_child(native, error)) {
        g_free(native);
        return NULL;
    }
    return native;
}

void
oracle_native_free(OracleNative *native)
{
    if (native) {
        stop_child(native);
        close(native->code_fd);
        close(native->data_fd);
        g_free(native);
    }
}

OracleBatch *
oracle_native_batch(OracleNative *native, unsigned index)
{
    return &native->batches[index];
}

void
oracle_native_submit(OracleNative *native, unsigned index)
{
    OracleBatch *batch = &native->batches[index];
    uint8_t byte = (uint8_t)index;

    for (unsigned i = 0; i < batch->count; i++) {
        if (i == 0 || batch->cases[i].entry != batch->cases[i - 1].entry) {
            oracle_place_code(&batch->cases[i], native->code);
        }
    }
    if (write(native->to_child, &byte, 1) != 1) {
        g_printerr("oracle: the child is gone\n");
    }
}

bool
oracle_native_wait(OracleNative *native, unsigned index)
{
    struct pollfd pfd = { .fd = native->from_child, .events = POLLIN };
    uint8_t byte;

    int ready;

    do {
        ready = poll(&pfd, 1, TIMEOUT_MS);
    } while (ready < 0 && errno == EINTR);
    if (ready == 1 && read(native->from_child, &byte, 1) == 1) {
        g_assert(byte == index);
        return true;
    }
    stop_child(native);
    if (!start_child(native, NULL)) {
        g_error("oracle: the child cannot be started again");
    }
    return false;
}

/* The code as it lies in memory: the case, then the way back. */
void
oracle_place_code(const OracleCase *c, uint8_t *pages)
{
    uint8_t *at = pages + (c->entry - ORACLE_CODE);

    memcpy(at, c->code, c->code_len);
    at = pages + (c->end - ORACLE_CODE);
    if (c->mode == ORACLE_64) {
        /* jmp [rip + gap]; the pointer is aligned, AC may be set. */
        uint8_t gap = -(c->end + 6) & 7;
        uint8_t jump[] = { 0xff, 0x25, gap, 0, 0, 0 };

        memcpy(at, jump, sizeof(jump));
        memcpy(at + sizeof(jump) + gap, &(uint64_t){ ORACLE_EXIT }, 8);
    } else {
        if (c->mode == ORACLE_16) {
            *at++ = 0x66;
        }
        *at++ = 0xea;
        memcpy(at, &(uint32_t){ ORACLE_EXIT }, 4);
        memcpy(at + 4, &(uint16_t){ ORACLE_CS64 }, 2);
    }
}
