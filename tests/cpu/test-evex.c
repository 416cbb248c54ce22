/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* AVX-512 against the host: random encodings of every EVEX and mask row, with random registers,
 * masks, rounding and memory operands (at the edge of what is mapped as well), run by the host
 * itself, by the interpreter and by the translator. All registers, flags, MXCSR and memory must be
 * the same, bit by bit, or the same exception.
 *
 * VIT_EVEX_ROUNDS sets the number of encodings per row (default 24). */

#include "cpu-rig.h"
#include "tcg.h"
#include "x86-fpu.h"

#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

enum {
    EDGE = 0x200000,      /* guest: the page before it is there, what follows is not */
    BLOCK = 512,          /* bytes compared before the edge */
    HOST_PAGES = 2 * 4096 /* the second one may not be touched */
};

/* What an instruction works on. The host's stub knows the offsets. */
typedef struct World {
    X86Vector zmm[32];
    uint64_t opmask[8];
    uint64_t gpr[16]; /* RSP is not loaded */
    uint64_t flags;
    uint32_t mxcsr, host_mxcsr;
    uint64_t host_rsp;
    uint8_t memory[BLOCK];
    int vector; /* exception, or -1 */
} World;

typedef struct Fixture {
    Rig *rig;
    VitCpu tcg_cpu;
    TcgMachine *tcg;
    uint8_t *host_memory; /* BLOCK bytes end at host_memory + 4096 */
    uint8_t *code;
    GRand *rand;
} Fixture;

static sigjmp_buf unwind;
static World *volatile running;

static void
on_signal(int number, siginfo_t *info, void *context)
{
    running->vector = number == SIGFPE        ? X86_EXC_XM
                      : number == SIGILL      ? X86_EXC_UD
                      : info->si_addr == NULL ? X86_EXC_GP
                                              : X86_EXC_PF;
    siglongjmp(unwind, 1);
}

static bool
host_is_able(void)
{
    X86CpuModel model;

    return x86_model_parse("max", &model, NULL, NULL) && x86_model_has(&model, X86_FEATURE_AVX512F);
}

/* Native code: loads the world RDI points to, runs the instruction, stores it again. */

typedef struct Out {
    uint8_t *at;
} Out;

#define PUT(o, ...)                               \
    do {                                          \
        const uint8_t bytes_[] = { __VA_ARGS__ }; \
        memcpy((o)->at, bytes_, sizeof(bytes_));  \
        (o)->at += sizeof(bytes_);                \
    } while (0)

static void
put_offset(Out *o, size_t offset)
{
    uint32_t value = (uint32_t)offset;

    memcpy(o->at, &value, 4);
    o->at += 4;
}

/* Register moves with the world at RDI (BASE 7) or R15 (15, which the instruction never names). */
static void
put_vectors(Out *o, bool store)
{
    for (unsigned n = 0; n < 32; n++) { /* vmovdqu64 [r15 + disp32] */
        PUT(o, 0x62, (uint8_t)(0x41 | (n & 8 ? 0 : 0x80) | (n & 16 ? 0 : 0x10)), 0xfe, 0x48,
            store ? 0x7f : 0x6f, (uint8_t)(0x87 | (n & 7) << 3));
        put_offset(o, offsetof(World, zmm) + n * 64);
    }
    for (unsigned n = 0; n < 8; n++) { /* kmovq */
        PUT(o, 0xc4, 0xc1, 0xf8, store ? 0x91 : 0x90, (uint8_t)(0x87 | n << 3));
        put_offset(o, offsetof(World, opmask) + n * 8);
    }
}

static void
put_generals(Out *o, bool store)
{
    for (unsigned n = 0; n < 15; n++) {
        if (n != X86_RSP) {
            PUT(o, (uint8_t)(0x49 | (n & 8 ? 4 : 0)), store ? 0x89 : 0x8b,
                (uint8_t)(0x87 | (n & 7) << 3));
            put_offset(o, offsetof(World, gpr) + n * 8);
        }
    }
}

static void
put_mxcsr(Out *o, bool store, size_t offset)
{
    PUT(o, 0x41, 0x0f, 0xae, store ? 0x9f : 0x97);
    put_offset(o, offset);
}

static void
make_native(Fixture *f, const uint8_t *insn, unsigned len)
{
    static const uint8_t saved[] = { 0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57 };
    static const uint8_t back[] = { 0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b };
    Out o = { f->code };

    memcpy(o.at, saved, sizeof(saved));
    o.at += sizeof(saved);
    PUT(&o, 0x49, 0x89, 0xff); /* mov r15, rdi */
    put_mxcsr(&o, true, offsetof(World, host_mxcsr));
    put_mxcsr(&o, false, offsetof(World, mxcsr));
    put_vectors(&o, false);
    PUT(&o, 0x41, 0xff, 0xb7); /* push [r15 + flags]; popf */
    put_offset(&o, offsetof(World, flags));
    PUT(&o, 0x9d);
    put_generals(&o, false);
    memcpy(o.at, insn, len);
    o.at += len;
    put_generals(&o, true);
    PUT(&o, 0x9c, 0x41, 0x8f, 0x87); /* pushf; pop [r15 + flags] */
    put_offset(&o, offsetof(World, flags));
    put_vectors(&o, true);
    put_mxcsr(&o, true, offsetof(World, mxcsr));
    put_mxcsr(&o, false, offsetof(World, host_mxcsr));
    PUT(&o, 0xc5, 0xf8, 0x77); /* vzeroupper */
    memcpy(o.at, back, sizeof(back));
    o.at += sizeof(back);
    PUT(&o, 0xc3);
}

static void
run_native(Fixture *f, World *w)
{
    void (*run)(World *) = (void (*)(World *))(uintptr_t)f->code;
    static const int signals[] = { SIGILL, SIGFPE, SIGSEGV, SIGBUS };
    const struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
    struct sigaction before[G_N_ELEMENTS(signals)];

    for (unsigned i = 0; i < G_N_ELEMENTS(signals); i++) {
        sigaction(signals[i], &action, &before[i]);
    }
    memcpy(f->host_memory + 4096 - BLOCK, w->memory, BLOCK);
    w->vector = -1;
    running = w;
    if (sigsetjmp(unwind, 1) == 0) {
        run(w);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(signals); i++) {
        sigaction(signals[i], &before[i], NULL);
    }
    memcpy(w->memory, f->host_memory + 4096 - BLOCK, BLOCK);
}

/* The guest */

static void
to_guest(Rig *rig, X86Core *core, const World *w, const uint8_t *insn, unsigned len)
{
    X86State *s = &core->s;

    memcpy(rig_ram(rig, RIG_CODE), insn, len);
    *rig_ram(rig, RIG_CODE + len) = 0xf4;
    memcpy(rig_ram(rig, EDGE - BLOCK), w->memory, BLOCK);
    memcpy(s->zmm, w->zmm, sizeof(w->zmm));
    memcpy(s->opmask, w->opmask, sizeof(w->opmask));
    memcpy(s->gpr, w->gpr, sizeof(w->gpr));
    s->gpr[X86_RSP] = RIG_STACK;
    s->rflags = w->flags;
    s->mxcsr = w->mxcsr;
    s->rip = RIG_CODE;
    s->activity = X86_ACTIVE;
    s->cr2 = 0;
    core->code_generation++;
    if (rig->ram->code_written) {
        rig->ram->code_written(rig->ram, RIG_CODE, 16, rig->ram->code_opaque);
    }
}

static void
from_guest(Rig *rig, const X86Core *core, World *w, unsigned len)
{
    const X86State *s = &core->s;
    uint64_t place = s->rip - 1 - RIG_VECTORS;

    memcpy(w->zmm, s->zmm, sizeof(w->zmm));
    memcpy(w->opmask, s->opmask, sizeof(w->opmask));
    memcpy(w->gpr, s->gpr, sizeof(w->gpr));
    w->flags = s->rflags;
    w->mxcsr = s->mxcsr;
    memcpy(w->memory, rig_ram(rig, EDGE - BLOCK), BLOCK);
    w->vector = place < 32 * 16 ? (int)(place / 16) : -1;
    if (w->vector < 0) {
        g_assert_cmphex(s->rip, ==, RIG_CODE + len + 1);
    }
}

/* AVX-512 on, and nothing mapped behind EDGE. */
static void
set_system(Rig *rig, X86Core *core, const X86State *like)
{
    X86State *s = &core->s;

    if (like != s) {
        memcpy(s->seg, like->seg, sizeof(s->seg));
        s->gdtr = like->gdtr;
        s->idtr = like->idtr;
        s->tr = like->tr;
        s->cr0 = like->cr0;
        s->cr3 = like->cr3;
        s->cr4 = like->cr4;
        s->efer = like->efer;
        s->cpl = like->cpl;
    }
    s->cr0 |= X86_CR0_NE | X86_CR0_MP;
    s->cr4 |= X86_CR4_OSXSAVE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT;
    s->xcr0 = 0xe7;
    rig_store(rig, RIG_TABLES + 0x2000 + 8, 0, 8);
    x86_state_changed(core);
}

static void
setup(Fixture *f, gconstpointer split)
{
    const TcgOptions options = { .exact = true, .split_wx = split != NULL };

    f->rig = rig_new(RIG_LONG64);
    f->tcg = vit_tcg_new(&options, NULL);
    f->tcg_cpu = (VitCpu){ .host = &f->rig->host,
                           .is_bsp = true,
                           .a20_enabled = true,
                           .executor = &vit_tcg_executor,
                           .executor_machine = f->tcg };
    g_assert_true(vit_tcg_executor.create(&f->tcg_cpu, &f->rig->model, NULL));
    set_system(f->rig, f->rig->core, &f->rig->core->s);
    set_system(f->rig, f->tcg_cpu.state, &f->rig->core->s);
    f->host_memory =
        mmap(NULL, HOST_PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    g_assert_cmpint(mprotect(f->host_memory + 4096, 4096, PROT_NONE), ==, 0);
    f->code =
        mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    g_assert_true(f->code != MAP_FAILED);
    f->rand = g_rand_new_with_seed(512);
}

static void
teardown(Fixture *f, gconstpointer unused)
{
    munmap(f->code, 8192);
    munmap(f->host_memory, HOST_PAGES);
    vit_tcg_executor.destroy(&f->tcg_cpu);
    vit_tcg_free(f->tcg);
    rig_free(f->rig);
    g_rand_free(f->rand);
}

/* Encodings */

static unsigned
pick(Fixture *f, unsigned below)
{
    return (unsigned)g_rand_int_range(f->rand, 0, (int)below);
}

/* Memory operands are [rax + disp8], plain or with an index of nothing; for gathers with a vector
 * index. General registers are never RSP and R15. */
static unsigned
make_evex(Fixture *f, const X86OpRow *row, uint8_t *b)
{
    bool memory = row->modrm_form == 1 || (row->modrm_form == 0 && pick(f, 2));
    bool vsib = row->operand[0].kind == X86_OP_VSIB || row->operand[1].kind == X86_OP_VSIB;
    unsigned w = row->flags & X86_ROW_W0 ? 0 : row->flags & X86_ROW_W1 ? 1 : pick(f, 2);
    unsigned aaa = pick(f, 3) ? pick(f, 8) : 0, z = pick(f, 2), bcast = pick(f, 3) == 0;
    unsigned ll = row->flags & X86_ROW_LL2      ? 2
                  : row->flags & X86_ROW_LL12   ? 1 + pick(f, 2)
                  : row->flags & X86_ROW_VEX_L0 ? 0
                                                : pick(f, 3);
    unsigned vvvv = row->flags & X86_ROW_NO_VVVV ? 31 : pick(f, 32);
    unsigned n = 0;

    if (bcast && !memory) {
        ll = pick(f, 4);
    }
    if (vsib) {
        vvvv = 15 | pick(f, 2) << 4;
    }
    b[n++] = 0x62;
    b[n++] = (uint8_t)((pick(f, 16) << 4) | row->map);
    if (memory) {
        b[1] |= vsib ? 0x20 : 0x60; /* base is RAX */
    }
    b[n++] = (uint8_t)(w << 7 | (vvvv & 15) << 3 | 4 | row->pp);
    b[n++] = (uint8_t)((z && aaa) << 7 | ll << 5 | bcast << 4 | (vvvv & 16 ? 8 : 0) | aaa);
    b[n++] = row->opcode;
    b[n] = (uint8_t)(memory ? 0x44 : 0xc0 | pick(f, 8));
    b[n++] |= (uint8_t)((row->modrm_reg >= 0 ? (unsigned)row->modrm_reg : pick(f, 8)) << 3);
    if (memory) {
        b[n++] = vsib ? (uint8_t)(pick(f, 4) << 6 | pick(f, 8) << 3) : 0x20;
        b[n++] = (uint8_t)pick(f, 256);
    }
    b[n++] = (uint8_t)pick(f, 256); /* an immediate, or not */
    return n;
}

static unsigned
make_mask_op(Fixture *f, const X86OpRow *row, uint8_t *b)
{
    unsigned vvvv = row->flags & X86_ROW_NO_VVVV ? 15 : 8 + pick(f, 8);

    b[0] = 0xc4;
    b[1] = 0xe0 | row->map;
    b[2] = (uint8_t)((row->flags & X86_ROW_W1 ? 0x80 : 0) | vvvv << 3 |
                     (row->flags & X86_ROW_VEX_L1 ? 4 : 0) | row->pp);
    b[3] = row->opcode;
    if (row->modrm_form == 1) {
        b[4] = (uint8_t)(0x40 | pick(f, 8) << 3);
        b[5] = (uint8_t)pick(f, 256);
        return 6;
    }
    b[4] = (uint8_t)(0xc0 | pick(f, 64));
    b[5] = (uint8_t)pick(f, 80);
    return 6;
}

static bool
names_register(const X86Insn *insn, unsigned number)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(insn->row->operand); i++) {
        unsigned kind = insn->row->operand[i].kind;

        if ((kind == X86_OP_MODRM_REG && insn->reg == number) ||
            ((kind == X86_OP_MODRM_RM || kind == X86_OP_MODRM_R) && !insn->is_memory &&
             insn->rm == number)) {
            return true;
        }
    }
    return false;
}

/* The guest knows it. Shorter vectors have a feature of their own, which this host may have and not
 * the guest. */
static bool
is_offered(const Fixture *f, const X86Insn *insn)
{
    return insn->encoding != X86_ENC_EVEX || insn->vector_bytes == 64 ||
           (insn->row->flags & (X86_ROW_LIG | X86_ROW_VEX_L0)) ||
           x86_model_has(&f->rig->model, X86_FEATURE_AVX512VL);
}

static bool
make_insn(Fixture *f, const X86OpRow *row, uint8_t *b, X86Insn *insn)
{
    for (unsigned tries = 0; tries < 50; tries++) {
        unsigned n = row->encoding == X86_ENC_EVEX ? make_evex(f, row, b) : make_mask_op(f, row, b);

        if (x86_decode(b, n, 8, insn) == X86_DECODE_OK && insn->row == row &&
            !names_register(insn, X86_RSP) && !names_register(insn, X86_R15) &&
            !names_register(insn, X86_RAX) && is_offered(f, insn)) {
            return true;
        }
    }
    return false;
}

/* Contents: integers, and floating-point values of all kinds. */
static uint32_t
interesting(Fixture *f)
{
    static const uint32_t values[] = { 0,          0x80000000, 0x3f800000, 0xbf800000, 0x7f800000,
                                       0xff800000, 0x7fc00000, 0x7f800001, 1,          0x807fffff,
                                       0x7f7fffff, 0x00800000, 0x3ff00000, 0x7ff00000, 0x7ff80000,
                                       0xffffffff, 0x43300000, 0x4f000000 };

    return pick(f, 3) ? (uint32_t)g_rand_int(f->rand) : values[pick(f, G_N_ELEMENTS(values))];
}

static void
fill(Fixture *f, World *w)
{
    for (unsigned i = 0; i < 32 * 16; i++) {
        w->zmm[i / 16].u32[i % 16] = interesting(f);
    }
    for (unsigned i = 0; i < 8; i++) {
        w->opmask[i] = (uint64_t)g_rand_int(f->rand) << 32 | g_rand_int(f->rand);
        w->opmask[i] = pick(f, 8) == 0 ? 0 : pick(f, 8) == 0 ? ~UINT64_C(0) : w->opmask[i];
    }
    for (unsigned i = 0; i < 16; i++) {
        w->gpr[i] = (uint64_t)interesting(f) << 32 | interesting(f);
    }
    for (unsigned i = 0; i < BLOCK; i += 4) {
        uint32_t value = interesting(f);
        memcpy(w->memory + i, &value, 4);
    }
    w->flags = 0x202 | (g_rand_int(f->rand) & X86_FLAGS_ARITH);
    w->mxcsr = 0x1f80 | pick(f, 4) << 13 | (pick(f, 4) ? 0 : 0x8040) | pick(f, 0x40);
    if (pick(f, 6) == 0) {
        w->mxcsr = (w->mxcsr & ~0x1f80u) | (pick(f, 0x40) << 7);
    }
}

/* Puts the memory operand somewhere in the block, often at the edge or beyond. */
static uint64_t
choose_offset(Fixture *f, const X86Insn *insn)
{
    int64_t at = pick(f, 4) == 0   ? (int64_t)BLOCK - (int64_t)pick(f, 72)
                 : pick(f, 3) == 0 ? (int64_t)pick(f, BLOCK - 80)
                                   : (int64_t)(64 * pick(f, BLOCK / 64 - 1));

    return (uint64_t)(at - insn->disp);
}

/* Vector indices that stay near. */
static void
tame_index(Fixture *f, World *w, const X86Insn *insn)
{
    X86Vector *index = &w->zmm[insn->index];
    bool wide = insn->opcode & 1;

    for (unsigned i = 0; i < (wide ? 8 : 16); i++) {
        int64_t value = (int64_t)pick(f, 24) - 12;

        if (wide) {
            index->u64[i] = (uint64_t)value;
        } else {
            index->u32[i] = (uint32_t)value;
        }
    }
}

static bool
worlds_equal(const World *a, const World *b)
{
    if (a->vector != b->vector) {
        return false;
    }
    /* A fault may leave gathers half done, and MXCSR is not taken from the signal. */
    return memcmp(a->memory, b->memory, BLOCK) == 0 &&
           (a->vector >= 0 ||
            (memcmp(a->zmm, b->zmm, sizeof(a->zmm)) == 0 &&
             memcmp(a->opmask, b->opmask, sizeof(a->opmask)) == 0 && a->mxcsr == b->mxcsr &&
             (a->flags & X86_FLAGS_ARITH) == (b->flags & X86_FLAGS_ARITH)));
}

static bool
generals_equal(const World *host, const World *guest)
{
    for (unsigned i = 1; i < 15; i++) {
        if (i != X86_RSP && host->gpr[i] != guest->gpr[i] && host->vector < 0) {
            return false;
        }
    }
    return true;
}

static void
describe(const char *who, const X86Insn *insn, const World *host, const World *guest)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (unsigned i = 0; i < insn->length; i++) {
        g_string_append_printf(text, "%02x ", insn->bytes[i]);
    }
    g_string_append_printf(text, "%s, %s: vector %d, host %d; mxcsr %x, host %x;",
                           insn->row->mnemonic, who, guest->vector, host->vector, guest->mxcsr,
                           host->mxcsr);
    for (unsigned i = 0; i < 32; i++) {
        if (memcmp(&host->zmm[i], &guest->zmm[i], 64) != 0) {
            unsigned k = 0;
            while (host->zmm[i].u32[k] == guest->zmm[i].u32[k]) {
                k++;
            }
            g_string_append_printf(text, " zmm%u[%u] %08x, host %08x;", i, k, guest->zmm[i].u32[k],
                                   host->zmm[i].u32[k]);
        }
    }
    for (unsigned i = 0; i < 8; i++) {
        if (host->opmask[i] != guest->opmask[i]) {
            g_string_append_printf(text,
                                   " k%u %" G_GINT64_MODIFIER "x, host %" G_GINT64_MODIFIER "x;", i,
                                   guest->opmask[i], host->opmask[i]);
        }
    }
    if (insn->is_memory && insn->evex_aaa) {
        g_string_append_printf(
            text, " %d bytes before the edge under mask %" G_GINT64_MODIFIER "x;",
            (int)(EDGE - guest->gpr[X86_RAX] - (uint64_t)insn->disp), host->opmask[insn->evex_aaa]);
    }
    if (memcmp(host->memory, guest->memory, BLOCK) != 0) {
        g_string_append(text, " memory differs;");
    }
    g_test_message("%s", text->str);
}

/* Returns the number of differences. */
static unsigned
run_one(Fixture *f, const X86Insn *insn)
{
    World *in = g_aligned_alloc0(1, sizeof(World), 64);
    World *host = g_aligned_alloc0(1, sizeof(World), 64);
    World *guest = g_aligned_alloc0(1, sizeof(World), 64);
    X86Core *cores[] = { f->rig->core, f->tcg_cpu.state };
    unsigned different = 0;
    uint64_t offset;

    fill(f, in);
    offset = insn->is_memory ? choose_offset(f, insn) : 0;
    if (insn->row->operand[0].kind == X86_OP_VSIB || insn->row->operand[1].kind == X86_OP_VSIB) {
        tame_index(f, in, insn);
        offset = BLOCK / 2 - (uint64_t)insn->disp + pick(f, 300);
    }
    *host = *in;
    host->gpr[X86_RAX] = (uintptr_t)f->host_memory + 4096 - BLOCK + offset;
    run_native(f, host);
    for (unsigned i = 0; i < G_N_ELEMENTS(cores); i++) {
        *guest = *in;
        guest->gpr[X86_RAX] = EDGE - BLOCK + offset;
        to_guest(f->rig, cores[i], guest, insn->bytes, insn->length);
        if (i == 0) {
            g_assert_cmpint(x86_interp_run(f->rig->core), ==, VIT_CPU_EXIT_HALT);
        } else {
            g_assert_cmpint(vit_tcg_executor.run(&f->tcg_cpu), ==, VIT_CPU_EXIT_HALT);
        }
        from_guest(f->rig, cores[i], guest, insn->length);
        if (!worlds_equal(host, guest) || !generals_equal(host, guest)) {
            describe(i ? "translated" : "interpreted", insn, host, guest);
            different++;
        }
    }
    g_aligned_free(guest);
    g_aligned_free(host);
    g_aligned_free(in);
    return different;
}

static void
test_rows(Fixture *f, gconstpointer split)
{
    const char *text = g_getenv("VIT_EVEX_ROUNDS"), *only = g_getenv("VIT_EVEX_ONLY");
    unsigned rounds = text ? (unsigned)strtoul(text, NULL, 10) : split ? 4 : 24;
    unsigned different = 0, run = 0, rows = 0;
    const X86OpRow *row;

    for (size_t i = 0; (row = x86_op_row(i)) != NULL; i++) {
        unsigned hits = 0, differences = 0;

        if ((row->encoding != X86_ENC_EVEX && row->exec != x86_exec_kop) ||
            !x86_model_has(&f->rig->model, row->feature) ||
            (only && !g_str_equal(only, row->mnemonic))) {
            continue;
        }
        for (unsigned k = 0; k < rounds; k++) {
            uint8_t bytes[24];
            X86Insn insn;

            if (make_insn(f, row, bytes, &insn)) {
                make_native(f, insn.bytes, insn.length);
                differences += run_one(f, &insn) != 0;
                hits++;
            }
        }
        g_assert_cmpuint(hits, >, 0);
        run += hits;
        rows++;
        different += differences;
    }
    g_test_message("%u rows, %u instructions, %u different", rows, run, different);
    g_assert_cmpuint(different, ==, 0);
}

/* What VEX does to the bits above its own, and to the registers it does not name. */
static void
test_vex(Fixture *f, gconstpointer unused)
{
    static const struct {
        uint8_t bytes[8], len;
    } insns[] = {
        { { 0xc5, 0xf4, 0x58, 0xc2 }, 4 },             /* vaddps ymm0, ymm1, ymm2 */
        { { 0xc5, 0xf9, 0x6f, 0xe9 }, 4 },             /* vmovdqa xmm5, xmm1 */
        { { 0xc5, 0xf9, 0x7f, 0xe9 }, 4 },             /* vmovdqa xmm1, xmm5 */
        { { 0xc4, 0xe3, 0x79, 0x62, 0xd1, 0x0c }, 6 }, /* vpcmpistrm xmm2, xmm1: xmm0 */
        { { 0xc5, 0xe9, 0x72, 0xd3, 0x05 }, 5 },       /* vpsrld xmm2, xmm3, 5 */
        { { 0xc5, 0xf8, 0x77 }, 3 },                   /* vzeroupper */
        { { 0xc5, 0xfc, 0x77 }, 3 },                   /* vzeroall */
        { { 0x0f, 0x58, 0xc2 }, 3 },                   /* addps xmm0, xmm2 */
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(insns); i++) {
        X86Insn insn;

        g_assert_cmpint(x86_decode(insns[i].bytes, insns[i].len, 8, &insn), ==, X86_DECODE_OK);
        make_native(f, insn.bytes, insn.length);
        g_assert_cmpuint(run_one(f, &insn), ==, 0);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!host_is_able()) {
        printf("1..0 # SKIP the host has no AVX-512\n");
        return 0;
    }
    g_test_add("/cpu/evex/vex", Fixture, NULL, setup, test_vex, teardown);
    g_test_add("/cpu/evex/rows", Fixture, NULL, setup, test_rows, teardown);
    g_test_add("/cpu/evex/rows-split-wx", Fixture, "split-wx", setup, test_rows, teardown);
    return g_test_run();
}
