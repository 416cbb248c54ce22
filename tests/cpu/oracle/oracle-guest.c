/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Runs cases in an executor: a long-mode guest whose user half looks like the child process of
 * oracle-native.c. Descriptors carry Linux's selectors; the kernel half lies at the top of the
 * address space and holds page tables, GDT, LDT, IDT, TSS and a stack. A fault is delivered through
 * the IDT as any guest would see it; the handler halts, its address says the vector and the frame
 * says the rest. The interpreter is stepped, which shows when a case strays from its instructions;
 * the translator runs until it halts, the end of a case being a fetch fault at ORACLE_EXIT.
 *
 * Intel SDM volume 3 chapters 3 to 6.
 */

#include "oracle-vendor.h"

#include "machine.h" /* of engine/tcg */
#include "vit-clock.h"
#include "vit-memory.h"
#include "x86-exec.h"
#include "x86-fpu.h"
#include "x86-system.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Physical layout; the kernel half maps the first 2 MiB at KERNEL. */
#define KERNEL         0xffff800000000000ull
#define PHYS_PML4      0x1000u
#define PHYS_KERNEL_L3 0x2000u
#define PHYS_KERNEL_L2 0x3000u
#define PHYS_USER_L3   0x4000u
#define PHYS_USER_L2   0x5000u
#define PHYS_CODE_L1   0x6000u
#define PHYS_DATA_L1   0x7000u
#define PHYS_GDT       0x10000u
#define PHYS_IDT       0x11000u
#define PHYS_TSS       0x12000u
#define PHYS_LDT       0x13000u
#define PHYS_STACK_TOP 0x15000u
#define PHYS_HANDLERS  0x20000u
#define PHYS_PLACES    0x30000u /* level 3, then levels 2, 1, 1 of each place */
#define PHYS_CODE      0x100000u
#define PHYS_CODE_COPY 0x140000u
#define PHYS_DATA      0x180000u
#define RAM_BYTES      0x200000u

#define STEPS_MAX 4000u
/* A case that the translator is in at two such moments counts as endless, if it had the CPU
 * meanwhile; at very many, whatever it had. */
enum { PATIENCE_US = 2000000, ENDLESS_NS = 500000000, PATIENCE_TURNS = 60 };

enum { PTE_P = 1, PTE_W = 2, PTE_U = 4, PTE_AD = 0x60, PTE_PS = 0x80 };
#define PTE_NX (1ull << 63)

struct OracleGuest {
    VitLock lock;
    VitMapDomain *domain;
    VitRamBlock *ram;
    VitRegion root, ram_region, io_root;
    VitAddressSpace *memory, *io;
    VitClock *clock;
    VitCpuHost host;
    VitCpu cpu;
    X86CpuModel model;
    const OracleExecutor *options;
    TcgMachine *tcg;
    X86Core *core;
    uint8_t *pages;   /* the code as it is to be */
    GThread *watcher; /* ends cases that do not end */
    clockid_t cpu_clock;
    GMutex watch_lock;
    GCond watch_changed;
    bool watch_quits;
    uint64_t runs, running; /* of the running case, 0: none; atomic */
    bool timed_out;         /* atomic */
    uint8_t *patterns;
    X86Segment code[ORACLE_MODE_LAST], data32, data16, gs32;
};

static void
put64(OracleGuest *guest, uint32_t physical, uint64_t value)
{
    memcpy(guest->ram->host + physical, &value, 8);
}

static uint64_t
get64(const OracleGuest *guest, uint32_t physical)
{
    uint64_t value;

    memcpy(&value, guest->ram->host + physical, 8);
    return value;
}

/* The pages of the code at CODE and the data, SHIFT pages further than where their tables begin. */
static void
map_pages(OracleGuest *guest, uint32_t code_l1, uint32_t data_l1, uint32_t code, unsigned shift)
{
    for (unsigned i = 0; i < ORACLE_BATCHES * ORACLE_CODE_BYTES / 4096; i++) {
        put64(guest, code_l1 + (shift + i) * 8, (code + i * 4096) | PTE_P | PTE_U | PTE_AD);
    }
    for (unsigned i = 0; i < ORACLE_DATA_PAGES; i++) {
        if (i != 3) {
            put64(guest, data_l1 + (shift + i) * 8,
                  (PHYS_DATA + i * 4096) | PTE_P | (i == 2 ? 0 : PTE_W) | PTE_U | PTE_AD | PTE_NX);
        }
    }
}

static void
map_places(OracleGuest *guest)
{
    const uint64_t table = PTE_P | PTE_W | PTE_U | PTE_AD;

    put64(guest, PHYS_PML4 + (ORACLE_HIGH >> 39) * 8, PHYS_PLACES | table);
    for (unsigned i = 0; i < ORACLE_PLACES; i++) {
        uint32_t l2 = PHYS_PLACES + 0x1000 + i * 0x3000, code_l1 = l2 + 0x1000;
        uint32_t data_l1 = l2 + 0x2000;

        put64(guest, PHYS_PLACES + (oracle_places[i] >> 30 & 511) * 8, l2 | table);
        put64(guest, l2 + (ORACLE_CODE >> 21) * 8, code_l1 | table);
        put64(guest, l2 + (ORACLE_DATA >> 21) * 8, data_l1 | table);
        map_pages(guest, code_l1, data_l1, i & 1 ? PHYS_CODE_COPY : PHYS_CODE,
                  oracle_places[i] >> 12 & 511);
    }
}

static void
make_page_tables(OracleGuest *guest)
{
    const uint64_t table = PTE_P | PTE_W | PTE_U | PTE_AD;

    put64(guest, PHYS_PML4 + 0 * 8, PHYS_USER_L3 | table);
    put64(guest, PHYS_PML4 + 256 * 8, PHYS_KERNEL_L3 | table);
    put64(guest, PHYS_KERNEL_L3, PHYS_KERNEL_L2 | table);
    put64(guest, PHYS_KERNEL_L2, PTE_P | PTE_W | PTE_AD | PTE_PS);
    put64(guest, PHYS_USER_L3, PHYS_USER_L2 | table);
    put64(guest, PHYS_USER_L2 + (ORACLE_CODE >> 21) * 8, PHYS_CODE_L1 | table);
    put64(guest, PHYS_USER_L2 + (ORACLE_DATA >> 21) * 8, PHYS_DATA_L1 | table);
    map_pages(guest, PHYS_CODE_L1, PHYS_DATA_L1, PHYS_CODE, 0);
    map_places(guest);
}

static uint64_t
descriptor(uint32_t base, uint32_t limit, uint32_t attr)
{
    uint32_t units = attr & X86_SEG_G ? limit >> 12 : limit;

    return (units & 0xffff) | (uint64_t)(base & 0xffffff) << 16 |
           (uint64_t)((attr & 0xf0ff00) | (units & 0xf0000) | (base & 0xff000000)) << 32;
}

/* The hidden part of a segment register, and the descriptor it comes from at PHYSICAL. */
static X86Segment
make_segment(OracleGuest *guest, uint32_t physical, uint16_t selector, uint32_t base,
             uint32_t limit, uint32_t type, uint32_t extra)
{
    uint32_t attr = X86_SEG_P | 3u << X86_SEG_DPL_SHIFT | X86_SEG_S | X86_SEG_A | type | extra;

    put64(guest, physical, descriptor(base, limit, attr));
    return (X86Segment){ .selector = selector, .attr = attr, .limit = limit, .base = base };
}

static void
make_descriptors(OracleGuest *guest)
{
    const uint32_t code = X86_SEG_CODE | X86_SEG_R, big = X86_SEG_DB | X86_SEG_G;

    put64(guest, PHYS_GDT + 0x10, 0x00af9b000000ffffull); /* kernel code */
    put64(guest, PHYS_GDT + 0x18, 0x00cf93000000ffffull);
    guest->code[ORACLE_32] =
        make_segment(guest, PHYS_GDT + 0x20, ORACLE_CS32, 0, 0xffffffff, code, big);
    guest->data32 = make_segment(guest, PHYS_GDT + 0x28, ORACLE_DS, 0, 0xffffffff, X86_SEG_W, big);
    guest->code[ORACLE_64] = make_segment(guest, PHYS_GDT + 0x30, ORACLE_CS64, 0, 0xffffffff, code,
                                          X86_SEG_L | X86_SEG_G);
    put64(guest, PHYS_GDT + 0x40,
          0x0000000000000067ull | (uint64_t)PHYS_TSS << 16 | 0x8bull << 40 |
              (KERNEL & 0xff000000) << 32);
    put64(guest, PHYS_GDT + 0x48, KERNEL >> 32);
    for (unsigned i = 0; i < ORACLE_CODE_SEGMENTS; i++) {
        make_segment(guest, PHYS_LDT + (ORACLE_LDT_CODE + i) * 8,
                     ORACLE_LDT_SELECTOR(ORACLE_LDT_CODE + i), ORACLE_CODE + i * 0x10000, 0xffff,
                     code, 0);
    }
    guest->data16 =
        make_segment(guest, PHYS_LDT + ORACLE_LDT_DATA * 8, ORACLE_LDT_SELECTOR(ORACLE_LDT_DATA),
                     ORACLE_DATA, 0xffff, X86_SEG_W, 0);
    guest->gs32 =
        make_segment(guest, PHYS_LDT + ORACLE_LDT_GS * 8, ORACLE_LDT_SELECTOR(ORACLE_LDT_GS),
                     ORACLE_GS_BASE, ORACLE_GS_LIMIT, X86_SEG_W, X86_SEG_DB);
    put64(guest, PHYS_TSS + 4, KERNEL + PHYS_STACK_TOP); /* RSP0 */
    put64(guest, PHYS_TSS + 0x60, 0x68ull << 48);        /* no I/O permission map */
    for (unsigned i = 0; i < 32; i++) {
        uint64_t handler = KERNEL + PHYS_HANDLERS + i * 16;

        guest->ram->host[PHYS_HANDLERS + i * 16] = 0xf4; /* HLT */

        put64(guest, PHYS_IDT + i * 16,
              (handler & 0xffff) | 0x10ull << 16 | 0xee00ull << 32 |
                  (handler >> 16 & 0xffff) << 48);
        put64(guest, PHYS_IDT + i * 16 + 8, handler >> 32);
    }
}

static void
set_system_state(OracleGuest *guest)
{
    X86State *s = &guest->core->s;

    s->cr0 =
        X86_CR0_PE | X86_CR0_MP | X86_CR0_ET | X86_CR0_NE | X86_CR0_WP | X86_CR0_AM | X86_CR0_PG;
    s->cr3 = PHYS_PML4;
    s->cr4 = X86_CR4_PAE | X86_CR4_PGE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT | X86_CR4_UMIP |
             X86_CR4_FSGSBASE | X86_CR4_OSXSAVE | X86_CR4_MCE | X86_CR4_DE;
    s->efer = X86_EFER_SCE | X86_EFER_LME | X86_EFER_LMA | X86_EFER_NXE;
    s->xcr0 =
        (X86_XSTATE_X87 | X86_XSTATE_SSE | X86_XSTATE_AVX) & x86_xcr0_supported(&guest->model);
    if (g_getenv("VIT_ORACLE_AVX512")) { /* the translator then keeps all of the vectors */
        s->xcr0 = x86_xcr0_supported(&guest->model) & 0xff;
    }
    s->gdtr = (X86TableReg){ KERNEL + PHYS_GDT, 0x7f };
    s->idtr = (X86TableReg){ KERNEL + PHYS_IDT, 32 * 16 - 1 };
    s->ldtr = (X86Segment){ .selector = 0x50,
                            .attr = X86_SEG_P | X86_DESC_LDT << X86_SEG_TYPE_SHIFT,
                            .limit = ORACLE_LDT_ENTRIES * 8 - 1,
                            .base = KERNEL + PHYS_LDT };
    s->tr = (X86Segment){ .selector = 0x40,
                          .attr = X86_SEG_P | X86_DESC_TSS32_BUSY << X86_SEG_TYPE_SHIFT,
                          .limit = 0x67,
                          .base = KERNEL + PHYS_TSS };
    s->activity = X86_ACTIVE;
    x86_state_changed(guest->core);
}

static bool
make_machine(OracleGuest *guest, GError **error)
{
    vit_lock_init(&guest->lock);
    guest->domain = vit_map_domain_new(&guest->lock);
    guest->ram = vit_ram_block_new("oracle", RAM_BYTES, error);
    if (!guest->ram) {
        return false;
    }
    vit_lock_take(&guest->lock);
    vit_region_init_container(&guest->root, "memory", UINT64_MAX);
    vit_region_init_ram(&guest->ram_region, "ram", guest->ram, 0, RAM_BYTES);
    vit_region_add(&guest->root, 0, &guest->ram_region, 0);
    vit_region_init_container(&guest->io_root, "io", 0x10000);
    guest->memory = vit_address_space_new(guest->domain, "memory", &guest->root);
    guest->io = vit_address_space_new(guest->domain, "io", &guest->io_root);
    guest->clock = vit_clock_new(&guest->lock, VIT_CLOCK_STEPPED);
    vit_lock_release(&guest->lock);
    guest->host = (VitCpuHost){
        .memory = guest->memory, .memory_smm = guest->memory, .io = guest->io, .clock = guest->clock
    };
    guest->cpu = (VitCpu){ .host = &guest->host, .is_bsp = true, .a20_enabled = true };
    /* by the vendor it knows whether images of state show the x87 pointers */
    return x86_model_parse(oracle_vendor() == ORACLE_AMD ? "max" : "max,vendor=GenuineIntel",
                           &guest->model, NULL, error);
}

/* Of the thread that runs cases. */
static int64_t
cpu_time_ns(const OracleGuest *guest)
{
    struct timespec now = { 0 };

    clock_gettime(guest->cpu_clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static gpointer
watch(gpointer data)
{
    OracleGuest *guest = data;
    uint64_t seen = 0, now;
    int64_t since_ns = 0;
    unsigned turns = 0;

    g_mutex_lock(&guest->watch_lock);
    while (!guest->watch_quits) {
        g_cond_wait_until(&guest->watch_changed, &guest->watch_lock,
                          g_get_monotonic_time() + PATIENCE_US);
        now = __atomic_load_n(&guest->running, __ATOMIC_SEQ_CST);
        if (now != seen) {
            since_ns = cpu_time_ns(guest);
            turns = 0;
        }
        if (now && now == seen &&
            (cpu_time_ns(guest) - since_ns > ENDLESS_NS || ++turns > PATIENCE_TURNS)) {
            __atomic_store_n(&guest->timed_out, true, __ATOMIC_SEQ_CST);
            vit_cpu_raise(&guest->cpu, VIT_CPU_EVENT_EXIT);
        }
        seen = now;
    }
    g_mutex_unlock(&guest->watch_lock);
    return NULL;
}

static bool
make_cpu(OracleGuest *guest, GError **error)
{
    if (guest->options->is_tcg) {
        guest->tcg = vit_tcg_new(&guest->options->tcg, error);
        if (!guest->tcg) {
            return false;
        }
        pthread_getcpuclockid(pthread_self(), &guest->cpu_clock);
        guest->watcher = g_thread_new("watch", watch, guest);
    }
    guest->cpu.executor = guest->tcg ? &vit_tcg_executor : &vit_interp_executor;
    guest->cpu.executor_machine = guest->tcg;
    if (!guest->cpu.executor->create(&guest->cpu, &guest->model, error)) {
        return false;
    }
    guest->core = guest->cpu.state;
    return true;
}

const OracleExecutor *
oracle_guest_executor(const OracleGuest *guest)
{
    return guest->options;
}

OracleGuest *
oracle_guest_new(uint64_t seed, const OracleExecutor *executor, GError **error)
{
    OracleGuest *guest = g_new0(OracleGuest, 1);

    guest->options = executor;
    g_mutex_init(&guest->watch_lock);
    g_cond_init(&guest->watch_changed);
    if (!make_machine(guest, error) || !make_cpu(guest, error)) {
        g_free(guest); /* the program ends */
        return NULL;
    }
    guest->pages = g_malloc0(ORACLE_BATCHES * ORACLE_CODE_BYTES);
    guest->patterns = g_malloc(ORACLE_PATTERNS * ORACLE_PATTERN_BYTES);
    for (unsigned i = 0; i < ORACLE_PATTERNS; i++) {
        oracle_gen_pattern(seed, i, guest->patterns + i * ORACLE_PATTERN_BYTES);
    }
    memcpy(guest->ram->host + PHYS_DATA + 0x2000, guest->patterns + 0x2000, 0x1000);
    make_page_tables(guest);
    make_descriptors(guest);
    set_system_state(guest);
    return guest;
}

void
oracle_guest_free(OracleGuest *guest)
{
    if (!guest) {
        return;
    }
    if (guest->watcher) {
        g_mutex_lock(&guest->watch_lock);
        guest->watch_quits = true;
        g_cond_signal(&guest->watch_changed);
        g_mutex_unlock(&guest->watch_lock);
        g_thread_join(guest->watcher);
    }
    guest->cpu.executor->destroy(&guest->cpu);
    vit_tcg_free(guest->tcg);
    g_free(guest->pages);
    g_mutex_clear(&guest->watch_lock);
    g_cond_clear(&guest->watch_changed);
    vit_lock_take(&guest->lock);
    vit_clock_free(guest->clock);
    vit_address_space_free(guest->memory);
    vit_address_space_free(guest->io);
    vit_region_finish(&guest->ram_region);
    vit_region_finish(&guest->root);
    vit_region_finish(&guest->io_root);
    vit_ram_block_free(guest->ram);
    vit_lock_release(&guest->lock);
    vit_map_domain_free(guest->domain);
    vit_lock_finish(&guest->lock);
    g_free(guest->patterns);
    g_free(guest);
}

static void
load_vectors(X86State *s, const uint8_t *image)
{
    memset(&s->fpu, 0, sizeof(s->fpu));
    memcpy(&s->fpu, image, 24);
    s->fpu.mxcsr = X86_MXCSR_DEFAULT;
    for (unsigned i = 0; i < 8; i++) {
        memcpy(&s->fpu.st[i], image + 32 + i * 16, 10);
    }
    memcpy(&s->mxcsr, image + 24, 4);
    for (unsigned i = 0; i < 16; i++) {
        memcpy(s->zmm[i].u8, image + 160 + i * 16, 16);
        memcpy(s->zmm[i].u8 + 16, image + 576 + i * 16, 16);
    }
}

static void
store_vectors(const X86State *s, uint8_t *image)
{
    memset(image, 0, ORACLE_XSAVE_BYTES);
    memcpy(image, &s->fpu, 24);
    memcpy(image + 24, &s->mxcsr, 4);
    for (unsigned i = 0; i < 8; i++) {
        memcpy(image + 32 + i * 16, &s->fpu.st[i], 10);
    }
    for (unsigned i = 0; i < 16; i++) {
        memcpy(image + 160 + i * 16, s->zmm[i].u8, 16);
        memcpy(image + 576 + i * 16, s->zmm[i].u8 + 16, 16);
    }
}

static void
load_case(OracleGuest *guest, const OracleCase *c)
{
    const uint8_t *pattern = guest->patterns + c->pattern * ORACLE_PATTERN_BYTES;
    X86State *s = &guest->core->s;
    X86Segment data = c->mode == ORACLE_16 ? guest->data16 : guest->data32;

    memcpy(guest->ram->host + PHYS_DATA, pattern, 0x2000);
    memcpy(guest->ram->host + PHYS_DATA + 0x4000, pattern + 0x3000, 0x1000);
    memcpy(s->gpr, c->in.gpr, sizeof(s->gpr));
    s->rip = c->in.rip;
    s->rflags = c->in.rflags;
    s->cpl = 3;
    s->interrupt_shadow = false;
    s->seg[X86_CS] = guest->code[c->mode];
    if (c->mode == ORACLE_16) {
        s->seg[X86_CS] = guest->code[ORACLE_32];
        s->seg[X86_CS].attr &= ~(uint32_t)(X86_SEG_DB | X86_SEG_G);
        s->seg[X86_CS].base = c->code_base;
        s->seg[X86_CS].limit = 0xffff;
        s->seg[X86_CS].selector = c->cs;
    }
    s->seg[X86_SS] = data;
    s->seg[X86_DS] = s->seg[X86_ES] = c->mode == ORACLE_64 ? (X86Segment){ 0 } : data;
    s->seg[X86_FS] = (X86Segment){ 0 };
    s->seg[X86_GS] = c->mode == ORACLE_64   ? (X86Segment){ .base = ORACLE_GS_BASE }
                     : c->mode == ORACLE_32 ? guest->gs32
                                            : (X86Segment){ 0 };
    load_vectors(s, c->in.xsave);
    guest->core->debug_pending = 0;
}

/* What the delivered exception says of the interrupted program. */
static void
take_frame(OracleGuest *guest, OracleResult *result)
{
    static const uint32_t with_code =
        1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 17 | 1 << 21;
    X86State *s = &guest->core->s;
    uint32_t at = (uint32_t)(s->gpr[X86_RSP] - KERNEL);

    result->vector = (int32_t)((s->rip - KERNEL - PHYS_HANDLERS) / 16); /* at or behind its HLT */
    result->error = 0;
    if (with_code >> result->vector & 1) {
        result->error = (uint32_t)get64(guest, at);
        at += 8;
    }
    result->out.rip = get64(guest, at);
    result->out.rflags = get64(guest, at + 16);
    memcpy(result->out.gpr, s->gpr, sizeof(s->gpr));
    result->out.gpr[X86_RSP] = get64(guest, at + 24);
    result->cr2 = s->cr2;
}

/* By way of the address space, so that whoever keeps translations hears of it. */
static void
rewrite(OracleGuest *guest, const OracleCase *c)
{
    uint32_t at = c->entry - ORACLE_CODE;
    uint32_t len = MIN(c->end + 24 - c->entry, ORACLE_BATCHES * ORACLE_CODE_BYTES - at);

    if (memcmp(guest->ram->host + PHYS_CODE + at, guest->pages + at, len) != 0) {
        vit_address_space_write_bytes(guest->memory, PHYS_CODE + at, guest->pages + at, len);
        vit_address_space_write_bytes(guest->memory, PHYS_CODE_COPY + at, guest->pages + at, len);
    }
}

/* A reset forgets all code, and that these pages were ever written: otherwise the translator would
 * soon treat them as pages that are written often. */
void
oracle_guest_place(OracleGuest *guest, const OracleCase *cases, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (i == 0 || cases[i].entry != cases[i - 1].entry) {
            oracle_place_code(&cases[i], guest->pages);
            if (guest->options->rewrites) {
                rewrite(guest, &cases[i]);
            }
        }
    }
    if (!guest->options->rewrites) {
        memcpy(guest->ram->host + PHYS_CODE, guest->pages, ORACLE_BATCHES * ORACLE_CODE_BYTES);
        memcpy(guest->ram->host + PHYS_CODE_COPY, guest->pages, ORACLE_BATCHES * ORACLE_CODE_BYTES);
        guest->cpu.executor->reset(&guest->cpu);
        set_system_state(guest);
    }
    guest->core->code_generation++;
}

static inline bool
is_code(uint64_t linear)
{
    return linear - ORACLE_CODE < ORACLE_BATCHES * ORACLE_CODE_BYTES;
}

/* Whether control has left the case's own instructions in their order, for something else in the
 * code pages: the generator knows nothing of the flags there. NEXT is the first instruction that
 * may come. */
static inline bool
strays(const OracleCase *c, uint64_t rip, unsigned *next)
{
    uint64_t offset = rip - c->in.rip, linear = rip + c->code_base;

    if (c->loop_at && offset == c->start[c->loop_start] && *next > c->loop_start) {
        *next = c->loop_start;
    }
    while (*next < c->count && c->start[*next] < offset) {
        ++*next;
    }
    return offset != c->start[*next] && (is_code(linear) || is_code(linear - c->moved));
}

static bool
has_x87(const OracleCase *c)
{
    for (unsigned i = 0; i < c->count; i++) {
        if (c->row[i]->class_ == X86_CLASS_X87) {
            return true;
        }
    }
    return false;
}

/* What happened is in the frame on the stack, unless nothing did. */
static void
run_by_translator(OracleGuest *guest, const OracleCase *c, OracleResult *out_result)
{
    X86Core *core = guest->core;
    OracleDisturbed before = { 0 }, after = { 0 };
    VitCpuExit reason;

    out_result->has_x87 = has_x87(c);
    if (out_result->has_x87) { /* the others are the same whatever happens */
        before = oracle_disturbed();
    }

    __atomic_store_n(&guest->timed_out, false, __ATOMIC_SEQ_CST);
    __atomic_store_n(&guest->running, ++guest->runs, __ATOMIC_RELAXED);
    do {
        reason = guest->cpu.executor->run(&guest->cpu);
    } while (reason == VIT_CPU_EXIT_REQUEST &&
             !__atomic_load_n(&guest->timed_out, __ATOMIC_SEQ_CST));
    __atomic_store_n(&guest->running, 0, __ATOMIC_RELAXED);
    out_result->strayed = false;
    if (out_result->has_x87) {
        after = oracle_disturbed();
    }
    out_result->disturbed.switches = after.switches - before.switches;
    out_result->disturbed.signals = after.signals - before.signals;
    out_result->executed = 0;
    if (core->s.cpl == 3 || reason != VIT_CPU_EXIT_HALT) {
        memcpy(out_result->out.gpr, core->s.gpr, sizeof(core->s.gpr));
        out_result->out.rip = core->s.rip;
        out_result->out.rflags = core->s.rflags;
        out_result->vector = -2;
        out_result->error = 0;
        out_result->cr2 = 0;
        return;
    }
    take_frame(guest, out_result);
    if (out_result->vector == X86_EXC_PF && out_result->cr2 == ORACLE_EXIT &&
        out_result->out.rip == ORACLE_EXIT) {
        out_result->vector = -1;
        out_result->error = 0;
        out_result->cr2 = 0;
    } else {
        out_result->strayed = out_result->vector == X86_EXC_PF &&
                              out_result->cr2 - ORACLE_PRIVATE < ORACLE_PRIVATE_BYTES;
    }
}

static void
run_by_steps(OracleGuest *guest, const OracleCase *c, OracleResult *out_result)
{
    X86Core *core = guest->core;
    VitCpuExit reason;
    unsigned steps = 0, next = 0;

    out_result->strayed = out_result->has_x87 = false;
    while (core->s.rip != ORACLE_EXIT && core->s.cpl == 3 && steps++ < STEPS_MAX) {
        out_result->strayed |= strays(c, core->s.rip, &next);
        if (!x86_interp_step(core, &reason)) {
            break;
        }
    }
    if (core->s.cpl != 3) {
        take_frame(guest, out_result);
        /* where the child has pages of its own */
        out_result->strayed |= out_result->vector == X86_EXC_PF &&
                               out_result->cr2 - ORACLE_PRIVATE < ORACLE_PRIVATE_BYTES;
    } else {
        memcpy(out_result->out.gpr, core->s.gpr, sizeof(core->s.gpr));
        out_result->out.rip = core->s.rip;
        out_result->out.rflags = core->s.rflags;
        out_result->vector = core->s.rip == ORACLE_EXIT ? -1 : -2;
        out_result->error = 0;
        out_result->cr2 = 0;
    }
    out_result->executed = steps;
}

/* What hot.c does to what is found running often: all that is translated is made anew with slots.
 */
static void
heat_up(TcgMachine *machine)
{
    g_mutex_lock(&machine->lock);
    memset(machine->hot_blocks, 0xff, sizeof(machine->hot_blocks));
    for (size_t i = 0; i < machine->n_blocks; i++) {
        TcgBlock *block = machine->blocks[i];

        if (!block->hot && !block->dead && !block->ungrouped && !block->checked && !block->second) {
            machine->hot_count++;
            tcg_block_retire(machine, block);
        }
    }
    g_mutex_unlock(&machine->lock);
}

void
oracle_guest_run(OracleGuest *guest, const OracleCase *c, OracleResult *out_result)
{
    X86Core *core = guest->core;

    if (guest->tcg && guest->options->heats) {
        if (c->number % ORACLE_VARIANTS == 0) {
            memset(guest->tcg->hot_blocks, 0, sizeof(guest->tcg->hot_blocks));
        } else if (c->number % ORACLE_VARIANTS == ORACLE_VARIANTS / 2) {
            heat_up(guest->tcg);
        }
    }
    load_case(guest, c);
    if (guest->tcg) {
        run_by_translator(guest, c, out_result);
    } else {
        run_by_steps(guest, c, out_result);
    }
    store_vectors(&core->s, out_result->out.xsave);
    out_result->data_hash = oracle_hash(guest->ram->host + PHYS_DATA);
    core->s.activity = X86_ACTIVE;
}

void
oracle_guest_print_statistics(const OracleGuest *guest)
{
    g_autoptr(GString) text = g_string_new(NULL);

    if (guest->tcg) {
        vit_tcg_print_statistics(guest->tcg, text);
        fputs(text->str, stdout);
    }
}

void
oracle_guest_data(const OracleGuest *guest, uint8_t *out_bytes)
{
    memcpy(out_bytes, guest->ram->host + PHYS_DATA, 0x3000);
    memcpy(out_bytes + 0x3000, guest->ram->host + PHYS_DATA + 0x4000, 0x1000);
}
