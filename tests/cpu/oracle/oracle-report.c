/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Compares what the host and the interpreter made of a case, and says which instruction they
 * disagree about: the case is run again cut off after 1, 2, 3 ... instructions. */

#include "oracle-vendor.h"

#include "x86-interp.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#ifdef HAVE_CAPSTONE
/* capstone uses names of ours. */
#define X86_OP_IMM  CAPSTONE_OP_IMM
#define X86_REG_RIP CAPSTONE_REG_RIP
#include <capstone/capstone.h>
#undef X86_OP_IMM
#undef X86_REG_RIP
#endif

static const char *const register_names[16] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp",
                                                "rsi", "rdi", "r8",  "r9",  "r10", "r11",
                                                "r12", "r13", "r14", "r15" };

/* FIP, FCS, FOP, FDP and FDS in a 32-bit environment. */
enum { POINTERS_BYTES = 16 };

/* Flags that count: the arithmetic ones and DF, AC, ID, NT; not RF, which a frame may carry. */
#define FLAGS_COMPARED \
    (X86_FLAGS_ARITH | X86_FLAG_DF | X86_FLAG_AC | X86_FLAG_ID | X86_FLAG_NT | X86_FLAG_TF)

/* The flags that somebody would have read had the instruction at the fault not faulted. */
static uint16_t
live_flags(const OracleCase *c, const OracleResult *r)
{
    for (unsigned i = 0; i < c->count; i++) {
        if (r->out.rip == c->in.rip + c->start[i]) {
            return c->live[i];
        }
    }
    return X86_FLAGS_ARITH;
}

static uint64_t
compared_flags(const OracleCase *c, const OracleResult *r, const OracleExecutor *executor)
{
    bool keeps_undefined = executor->keeps_undefined;
    uint64_t ignored = keeps_undefined ? 0 : c->undefined[c->count];

    if (!keeps_undefined && r->vector != -1) { /* somewhere in the middle */
        for (unsigned i = 0; i <= c->count; i++) {
            ignored |= c->undefined[i];
        }
    }
    if (executor->loses_dead && r->vector != -1) {
        ignored |= X86_FLAGS_ARITH & ~live_flags(c, r);
    }
    return r->out.rflags & FLAGS_COMPARED & ~ignored;
}

/* Error code as Linux shows it: it never says whether a page is present above the user half, which
 * ends one page early. */
static uint32_t
compared_error(const OracleResult *r)
{
    return r->vector == X86_EXC_PF && r->cr2 >= 0x7ffffffff000 ? r->error | 1 : r->error;
}

static uint64_t
register_mask(const OracleCase *c)
{
    return c->mode == ORACLE_64 ? UINT64_MAX : 0xffffffff;
}

static bool
registers_equal(const OracleCase *c, const OracleResult *a, const OracleResult *b)
{
    unsigned count = c->mode == ORACLE_64 ? 16 : 8;
    uint64_t mask = register_mask(c), differ = 0;

    for (unsigned i = 0; i < count; i++) {
        differ |= (a->out.gpr[i] ^ b->out.gpr[i]) & mask;
    }
    return !differ;
}

/* Bytes of the XSAVE image that are architecture. The x87 pointers count only where the host shows
 * them; AMD's XSAVE does so while an error is pending, Intel's always. FNSTENV in the stream shows
 * them always. */
static bool
vectors_equal(const uint8_t *a, const uint8_t *b)
{
    bool shows_pointers = (a[2] & 0x80) || oracle_vendor() == ORACLE_INTEL;

    return memcmp(a, b, 5) == 0 && memcmp(a + 24, b + 24, 4) == 0 &&
           memcmp(a + 32, b + 32, 384) == 0 && memcmp(a + 576, b + 576, 256) == 0 &&
           (!shows_pointers || memcmp(a + 6, b + 6, 18) == 0);
}

static bool
all_equal(const OracleCase *c, const OracleResult *native, const OracleResult *guest,
          const OracleExecutor *executor)
{
    if (native->vector != guest->vector || compared_error(native) != compared_error(guest) ||
        (native->vector == X86_EXC_PF && native->cr2 != guest->cr2)) {
        return false;
    }
    return native->out.rip == guest->out.rip && registers_equal(c, native, guest) &&
           compared_flags(c, native, executor) == compared_flags(c, guest, executor) &&
           native->data_hash == guest->data_hash &&
           vectors_equal(native->out.xsave, guest->out.xsave);
}

bool
oracle_results_equal(const OracleCase *c, const OracleResult *native, const OracleResult *guest,
                     const OracleExecutor *executor)
{
    OracleResult host, ours;

    if (all_equal(c, native, guest, executor)) {
        return true;
    }
    host = *native;
    ours = *guest;
    return oracle_vendor_level(c, &host, &ours) && all_equal(c, &host, &ours, executor);
}

bool
oracle_executors_equal(const OracleCase *c, const OracleResult *interpreter,
                       const OracleResult *translator, const OracleExecutor *executor)
{
    OracleResult ours = *translator;

    /* the host loses them for the translator, see README.md: switched */
    memcpy(ours.out.xsave + 6, interpreter->out.xsave + 6, 18);
    return oracle_vendor() == ORACLE_AMD || all_equal(c, interpreter, &ours, executor);
}

static bool
differ_in_fault(const OracleCase *c, const OracleResult *a, const OracleResult *b,
                const OracleExecutor *executor)
{
    return a->vector != b->vector || compared_error(a) != compared_error(b) ||
           (a->vector == X86_EXC_PF && a->cr2 != b->cr2) || a->out.rip != b->out.rip ||
           compared_flags(c, a, executor) != compared_flags(c, b, executor);
}

bool
oracle_differ_in_pointers(const OracleCase *c, const OracleResult *native,
                          const uint8_t *native_data, const OracleResult *guest,
                          const uint8_t *guest_data, const OracleExecutor *executor)
{
    uint8_t image[2][ORACLE_XSAVE_BYTES];
    unsigned bytes = 0;

    if (differ_in_fault(c, native, guest, executor) || !registers_equal(c, native, guest)) {
        return false;
    }
    memcpy(image[0], native->out.xsave, ORACLE_XSAVE_BYTES);
    memcpy(image[1], guest->out.xsave, ORACLE_XSAVE_BYTES);
    memcpy(image[0] + 6, image[1] + 6, 18);
    for (unsigned i = 0; i < ORACLE_PATTERN_BYTES; i++) {
        bytes += native_data[i] != guest_data[i];
    }
    return vectors_equal(image[0], image[1]) && bytes <= POINTERS_BYTES * c->count;
}

void
oracle_describe(const OracleCase *c, const OracleResult *native, const OracleResult *guest,
                const OracleExecutor *executor)
{
    printf("case %" PRIu64 " differed once for %s in:", c->number, executor->name);
    if (native->vector != guest->vector || compared_error(native) != compared_error(guest) ||
        (native->vector == X86_EXC_PF && native->cr2 != guest->cr2)) {
        printf(" fault (host %d %x %" PRIx64 ", guest %d %x %" PRIx64 ")", native->vector,
               native->error, native->cr2, guest->vector, guest->error, guest->cr2);
    }
    printf("%s%s%s%s", native->out.rip != guest->out.rip ? " rip" : "",
           registers_equal(c, native, guest) ? "" : " registers",
           compared_flags(c, native, executor) != compared_flags(c, guest, executor) ? " flags"
                                                                                     : "",
           native->data_hash != guest->data_hash ? " memory" : "");
    if (!vectors_equal(native->out.xsave, guest->out.xsave)) {
        unsigned at = 0;

        while (native->out.xsave[at] == guest->out.xsave[at]) {
            at++;
        }
        printf(" vectors, from byte %u of the XSAVE image", at);
    }
    printf("\n");
}

/* ---- Narrowing ---- */

static void
cut(const OracleCase *c, unsigned count, OracleCase *out)
{
    memmove(out, c, sizeof(*out));
    out->count = (uint8_t)count;
    out->code_len = c->start[count];
    out->end = c->entry + out->code_len;
}

/* Whether a branch among the first COUNT instructions goes beyond them. */
static bool
is_branched_over(const OracleCase *c, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (c->target[i] > c->start[count]) {
            return true;
        }
    }
    return false;
}

/* Runs the guest through the cases that had the same stream before. */
static void
warm_up(OracleGen *gen, OracleGuest *guest, const OracleCase *c, OracleResult *by_guest)
{
    OracleCase *other = g_aligned_alloc0(1, sizeof(*other), 64);

    for (uint64_t i = c->number - c->number % ORACLE_VARIANTS; i < c->number; i++) {
        oracle_gen_case(gen, i, other);
        cut(other, c->count, other);
        oracle_guest_run(guest, other, by_guest);
    }
    g_aligned_free(other);
}

/* Runs one case alone on both sides. */
static bool
run_alone(OracleGen *gen, OracleNative *native, OracleGuest *guest, const OracleCase *c,
          OracleResult *by_host, OracleResult *by_guest, uint8_t *host_data)
{
    if (!oracle_host_answer(native, c, by_host, host_data)) {
        return false;
    }
    oracle_guest_place(guest, c, 1);
    warm_up(gen, guest, c, by_guest);
    oracle_guest_run(guest, c, by_guest);
    return true;
}

/* ---- Printing ---- */

static void
print_bytes(const char *title, const uint8_t *bytes, unsigned count)
{
    printf("%s", title);
    for (unsigned i = 0; i < count; i++) {
        printf(" %02x", bytes[i]);
    }
    printf("\n");
}

static void
print_instruction(const OracleCase *c, unsigned index)
{
    const uint8_t *bytes = c->code + c->start[index];
    unsigned len = c->start[index + 1] - c->start[index];

    printf("  %08" PRIx64, c->entry + c->moved + c->start[index]);
    print_bytes("", bytes, len);
#ifdef HAVE_CAPSTONE
    static const cs_mode modes[] = { CS_MODE_64, CS_MODE_32, CS_MODE_16 };
    csh handle;
    cs_insn *insn;

    if (cs_open(CS_ARCH_X86, modes[c->mode], &handle) == CS_ERR_OK) {
        if (cs_disasm(handle, bytes, len, c->entry + c->moved + c->start[index], 1, &insn) == 1) {
            printf("           %s %s\n", insn->mnemonic, insn->op_str);
            cs_free(insn, 1);
        }
        cs_close(&handle);
    }
#endif
    printf("           row %s, flags undefined before %03x\n", c->row[index]->mnemonic,
           c->undefined[index]);
}

void
oracle_print_stream(const OracleCase *c)
{
    for (unsigned i = 0; i < c->count; i++) {
        print_instruction(c, i);
    }
}

static void
print_registers(const OracleCase *c, const OracleState *before, const OracleResult *host,
                const OracleResult *guest)
{
    uint64_t mask = register_mask(c);

    for (unsigned i = 0; i < (c->mode == ORACLE_64 ? 16 : 8); i++) {
        uint64_t by_host = host->out.gpr[i] & mask, by_guest = guest->out.gpr[i] & mask;

        printf("  %-4s %016" PRIx64, register_names[i], before->gpr[i] & mask);
        if (by_host != (before->gpr[i] & mask) || by_host != by_guest) {
            printf(" host %016" PRIx64, by_host);
        }
        if (by_host != by_guest) {
            printf(" GUEST %016" PRIx64, by_guest);
        }
        printf("\n");
    }
}

static void
print_image(const OracleState *before, const OracleResult *host, const OracleResult *guest)
{
    static const struct {
        const char *name;
        unsigned at, size;
    } fields[] = { { "fcw", 0, 2 }, { "fsw", 2, 2 },  { "ftw", 4, 1 },   { "fop", 6, 2 },
                   { "fip", 8, 8 }, { "fdp", 16, 8 }, { "mxcsr", 24, 4 } };

    for (unsigned i = 0; i < G_N_ELEMENTS(fields); i++) {
        uint64_t a = 0, b = 0, d = 0;

        memcpy(&a, before->xsave + fields[i].at, fields[i].size);
        memcpy(&b, host->out.xsave + fields[i].at, fields[i].size);
        memcpy(&d, guest->out.xsave + fields[i].at, fields[i].size);
        printf("  %s %" PRIx64 " host %" PRIx64, fields[i].name, a, b);
        if (b != d) {
            printf(" GUEST %" PRIx64, d);
        }
        printf(i % 4 == 3 || i == 6 ? "\n" : "");
    }
    for (unsigned i = 0; i < 40; i++) {
        unsigned at = i < 24 ? 32 + i * 16 : 576 + (i - 24) * 16;
        const uint8_t *old = before->xsave + at, *a = host->out.xsave + at;
        const uint8_t *b = guest->out.xsave + at;
        char name[16];

        g_snprintf(name, sizeof(name),
                   i < 8    ? "  st%u "
                   : i < 24 ? "  xmm%u "
                            : "  ymmh%u ",
                   i < 8    ? i
                   : i < 24 ? i - 8
                            : i - 24);
        if (memcmp(a, b, 16) != 0) {
            print_bytes(name, old, 16);
            print_bytes("    host ", a, 16);
            print_bytes("    GUEST", b, 16);
        } else if (i < 8 || memcmp(a, old, 16) != 0) {
            print_bytes(name, old, 16);
            if (memcmp(a, old, 16) != 0) {
                print_bytes("    host ", a, 16);
            }
        }
    }
}

static void
print_data_differences(const uint8_t *host, const uint8_t *guest)
{
    unsigned shown = 0;

    for (unsigned i = 0; i < ORACLE_PATTERN_BYTES && shown < 40; i++) {
        if (host[i] != guest[i]) {
            unsigned address = ORACLE_DATA + (i < 0x3000 ? i : i + 0x1000);

            printf("  memory %08x host %02x GUEST %02x\n", address, host[i], guest[i]);
            shown++;
        }
    }
}

static void
print_end(const char *who, const OracleCase *c, const OracleResult *r)
{
    if (r->vector < 0) {
        printf("  %s: rip %" PRIx64 " flags %06" PRIx64 "%s\n", who, r->out.rip, r->out.rflags,
               r->vector == -2 ? " DID NOT END" : "");
    } else {
        printf("  %s: vector %d error %x cr2 %" PRIx64 " rip %" PRIx64 " flags %06" PRIx64 "\n",
               who, r->vector, r->error, r->cr2, r->out.rip, r->out.rflags);
    }
}

void
oracle_print_both(const OracleCase *c, const OracleState *before, const OracleResult *native,
                  const uint8_t *native_data, const OracleResult *guest, const uint8_t *guest_data)
{
    print_end("host ", c, native);
    print_end("GUEST", c, guest);
    printf("  flags before %06" PRIx64 ", undefined now %03x\n", before->rflags,
           c->undefined[c->count]);
    print_registers(c, before, native, guest);
    print_image(before, native, guest);
    print_data_differences(native_data, guest_data);
}

bool
oracle_report(const OracleOptions *options, OracleGen *gen, OracleNative *native,
              OracleGuest *guest, const OracleCase *c, unsigned *reported)
{
    static OracleCase part_space;
    static OracleResult result_space[2];
    OracleCase *part = &part_space;
    OracleResult *by_host = &result_space[0], *by_guest = &result_space[1];
    g_autofree uint8_t *data = g_malloc0(2 * ORACLE_PATTERN_BYTES);
    static const char *const mode_names[] = { "64", "32", "16" };
    OracleState before = c->in;
    unsigned i;

    for (i = 1; i <= c->count; i++) {
        if (is_branched_over(c, i)) {
            continue; /* cannot end here */
        }
        cut(c, i, part);
        if (!run_alone(gen, native, guest, part, by_host, by_guest, data)) {
            printf("case %" PRIu64 ": the host is not the same twice\n", c->number);
            break;
        }
        if (!oracle_results_equal(part, by_host, by_guest, oracle_guest_executor(guest))) {
            break;
        }
        before = by_host->out;
    }
    if (i > c->count) {
        return false;
    }
    ++*reported;
    oracle_guest_data(guest, data + ORACLE_PATTERN_BYTES);
    printf("difference of %s in case %" PRIu64 ", instruction %u of %u, %s-bit code:\n",
           oracle_guest_executor(guest)->name, c->number, i, c->count, mode_names[c->mode]);
    print_instruction(c, i - 1);
    oracle_print_both(part, &before, by_host, data, by_guest, data + ORACLE_PATTERN_BYTES);
    printf("  again: cpu-oracle --seed %" PRIu64 " --case %" PRIu64 " --length %u%s\n",
           options->seed, c->number, options->length, options->selection);
    fflush(stdout);
    return true;
}
