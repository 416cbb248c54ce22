/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Code that changes: written by itself, generated at the same place, beside data, lying over two
 * pages of which one is mapped anew. Guest programs (code.S) in the translator; what they compute
 * must be right whatever is kept, and what is kept must have been used: figures of the machine. */

#include "tcg-rig.h"

TCG_RIG_PROGRAM(patch);
TCG_RIG_PROGRAM(generate);
TCG_RIG_PROGRAM(beside);
TCG_RIG_PROGRAM(ahead);
TCG_RIG_PROGRAM(over);
TCG_RIG_PROGRAM(fault);
TCG_RIG_PROGRAM(next);
TCG_RIG_PROGRAM(flags);
TCG_RIG_PROGRAM(carry);
TCG_RIG_PROGRAM(fields);
TCG_RIG_PROGRAM(returns);
TCG_RIG_PROGRAM(writer);
TCG_RIG_PROGRAM(reader);

enum { CODE_PAGE = 0x20000, HANDLER = 0x6000 };

static void
fixture_init(TcgRig *f, const TcgOptions *options)
{
    tcg_rig_init(f, options, false);
    rig_put_gate(f->rig, 0x2000 + 16 * X86_EXC_PF, 0x08, HANDLER, 14, 0);
    rig_put(f->rig, 0x2008 + 16 * X86_EXC_PF, 0, 8);
    rig_put(f->rig, HANDLER, 0xf4, 1);
}

static const TcgOptions modes[] = {
    { 0 },
    { .exact = true },
    { .force_exits = true },
    { .one_insn_per_tb = true },
    { .invalidate_every = 7 },
    { .warm_up = 2 },
    { .warm_up = 9, .invalidate_every = 7 },
    { .split_wx = true, .tb_size_bytes = 1 << 20 },
    { .interpret = true },
};

/* The same in every mode of the translator. */
static void
test_values(void)
{
    uint32_t fields = 0;

    for (unsigned i = 0; i < VIT_ARRAY_LEN(modes); i++) {
        TcgRig f;
        unsigned sum = 0;

        for (unsigned generation = 20; generation > 0; generation--) {
            for (unsigned n = 0; n < 64; n++) {
                sum += 10 * ((generation + n) & 7);
            }
        }
        fixture_init(&f, &modes[i]);
        g_assert_cmpuint((uint32_t)TCG_RIG_RUN(&f, patch), ==, 6000);
        g_assert_cmpuint((uint32_t)TCG_RIG_RUN(&f, generate), ==, sum);
        g_assert_cmpuint((uint32_t)TCG_RIG_RUN(&f, beside), ==, 6000);
        g_assert_cmpuint((uint32_t)TCG_RIG_RUN(&f, ahead), ==, 7);
        g_assert_cmphex((uint32_t)TCG_RIG_RUN(&f, over), ==, 0x01030203);
        g_assert_cmpuint((uint32_t)TCG_RIG_RUN(&f, next), ==, 5050);
        g_assert_cmpuint((uint32_t)TCG_RIG_RUN(&f, flags), ==, 25);
        g_assert_cmpuint((uint32_t)TCG_RIG_RUN(&f, returns), ==, 40 * 20031);
        fields = i ? fields : (uint32_t)TCG_RIG_RUN(&f, fields);
        g_assert_cmphex((uint32_t)TCG_RIG_RUN(&f, fields), ==,
                        fields); /* the last mode is the interpreter */
        tcg_rig_finish(&f);
    }
}

/* The constant of the function is soon read when the instruction is executed. */
static void
test_soft(void)
{
    TcgRig f;

    if (tcg_rig_skips()) {
        return;
    }
    fixture_init(&f, &(TcgOptions){ 0 });
    TCG_RIG_RUN(&f, patch);
    g_assert_cmpuint(f.tcg->soft_blocks, >, 0);
    g_assert_cmpuint(f.tcg->soft_blocks, <, 10);
    g_assert_cmpuint(f.tcg->translated_blocks, <, 60);
    g_assert_cmpuint(tcg_cpu_of(f.rig->core)->dispatches, <, 300);
    tcg_rig_finish(&f);
}

/* Calls are the host's as long as its stack has room for them, and returns that do not match find
 * their way without the dispatcher. */
static void
test_returns(void)
{
    TcgRig f;

    if (tcg_rig_skips()) {
        return;
    }
    fixture_init(&f, &(TcgOptions){ 0 });
    TCG_RIG_RUN(&f, returns);
    g_assert_cmpuint(tcg_cpu_of(f.rig->core)->dispatches, >, 40); /* 8192 frames at most */
    g_assert_cmpuint(tcg_cpu_of(f.rig->core)->dispatches, <, 1000);
    tcg_rig_finish(&f);
}

/* The page is given up, so few of the 7680 writes are seen one by one. */
static void
test_generations(void)
{
    TcgRig f;

    if (tcg_rig_skips()) {
        return;
    }
    fixture_init(&f, &(TcgOptions){ 0 });
    TCG_RIG_RUN(&f, generate);
    g_assert_cmpuint(f.tcg->given_up, >, 0);
    g_assert_cmpuint(f.tcg->writes_beside, <, 1000);
    g_assert_cmpuint(f.tcg->translated_blocks, <, 8 * 64 + 40);
    tcg_rig_finish(&f);
}

/* Versions beyond those that are kept are translated again, and nothing else happens. */
static void
test_many_versions(void)
{
    static const uint8_t before[] = { 0x31, 0xdb, 0xb3, 0, 0xf4 }; /* xor ebx, ebx; mov bl; hlt */
    TcgRig f;

    if (tcg_rig_skips()) {
        return;
    }
    fixture_init(&f, &(TcgOptions){ 0 });
    for (unsigned turn = 0; turn < 3; turn++) {
        for (uint8_t n = 0; n < 2 * TCG_VERSIONS; n++) {
            uint8_t code[sizeof(before)];
            memcpy(code, before, sizeof(code));
            code[3] = n;
            g_assert_cmpuint(tcg_rig_run(&f, code, code + sizeof(code)), ==, n);
        }
    }
    g_assert_cmpuint(f.tcg->translated_blocks, ==, 3 * 2 * TCG_VERSIONS);
    tcg_rig_finish(&f);
}

/* A page that is written is left alone for a while only, and its code is right before and after. */
static void
test_watched_again(void)
{
    TcgRig f;

    if (tcg_rig_skips()) {
        return;
    }
    fixture_init(&f, &(TcgOptions){ 0 });
    for (unsigned turn = 0; turn < 3; turn++) {
        TcgPhysical *page;
        g_assert_cmpuint((uint32_t)TCG_RIG_RUN(&f, beside), ==, 6000);
        g_assert_cmpuint(f.tcg->given_up, ==, turn + 1);
        g_assert_cmpuint(f.tcg->writes_beside, <, 40 * (turn + 1));
        g_assert_nonnull(f.tcg->checked);
        tcg_watch_due(f.tcg);
        page = f.tcg->checked;
        g_assert_nonnull(page);
        page->checked_until_us = 0;
        tcg_watch_due(f.tcg);
        g_assert_null(f.tcg->checked);
    }
    g_assert_cmpuint(f.tcg->revived, >, 0);
    tcg_rig_finish(&f);
}

/* A device writes code: by DMA, in the page that an instruction runs into too. */
static void
test_dma(void)
{
    static const uint8_t code[] = { 0xbb, 1, 0, 0, 0, 0xf4 };
    TcgRig f;
    X86State *s;

    fixture_init(&f, &(TcgOptions){ 0 });
    s = &f.rig->core->s;
    for (uint8_t n = 0; n < 6; n++) {
        uint8_t byte = n % 3;
        if (n == 0) {
            vit_address_space_write_bytes(f.rig->host.memory, CODE_PAGE + 0xffe, code,
                                          sizeof(code));
        }
        vit_address_space_write_bytes(f.rig->host.memory, CODE_PAGE + 0x1000, &byte, 1);
        s->rip = CODE_PAGE + 0xffe;
        s->activity = X86_ACTIVE;
        x86_state_changed(f.rig->core);
        g_assert_cmpint(vit_tcg_executor.run(&f.rig->cpu), ==, VIT_CPU_EXIT_HALT);
        g_assert_cmphex(s->gpr[X86_RBX], ==, 1 | (uint32_t)byte << 8);
    }
    tcg_rig_finish(&f);
}

/* The device of the next test. */
static void
dma_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Rig *rig = opaque;
    uint8_t byte = (uint8_t)value;

    (void)size;
    vit_address_space_write_bytes(rig->host.memory, CODE_PAGE + 3 + offset, &byte, 1);
}

static uint64_t
dma_read(void *opaque, uint64_t offset, unsigned size)
{
    (void)opaque;
    (void)offset;
    (void)size;
    return 0;
}

/* A device writes into the block that gave it the order, behind the instruction that did. */
static void
test_dma_ahead(void)
{
    static const uint8_t code[] = { 0xe6, 0x02, 0xb3, 0x00, 0xf4 }; /* out 2, al; mov bl, 0; hlt */
    static const VitRegionOps ops = { .read = dma_read, .write = dma_write, .max_size = 4 };
    VitRegion port;
    TcgRig f;
    X86State *s;

    fixture_init(&f, &(TcgOptions){ 0 });
    s = &f.rig->core->s;
    vit_region_init_io(&port, "order", &ops, f.rig, 2);
    vit_lock_take(&f.rig->lock);
    vit_region_add(&f.rig->io_root, 2, &port, 0);
    vit_lock_release(&f.rig->lock);
    vit_address_space_write_bytes(f.rig->host.memory, CODE_PAGE, code, sizeof(code));
    for (unsigned n = 1; n < 60; n++) {
        s->rip = CODE_PAGE;
        s->gpr[X86_RAX] = n;
        s->gpr[X86_RBX] = 0;
        s->activity = X86_ACTIVE;
        x86_state_changed(f.rig->core);
        g_assert_cmpint(vit_tcg_executor.run(&f.rig->cpu), ==, VIT_CPU_EXIT_HALT);
        g_assert_cmpuint(s->gpr[X86_RBX], ==, n);
    }
    vit_lock_take(&f.rig->lock);
    vit_region_remove(&port);
    vit_region_finish(&port);
    vit_lock_release(&f.rig->lock);
    tcg_rig_finish(&f);
}

static void
kick_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Rig *rig = opaque;

    (void)offset;
    (void)value;
    (void)size;
    vit_tcg_executor.kick(&rig->cpu);
}

static uint64_t
kick_read(void *opaque, uint64_t offset, unsigned size)
{
    kick_write(opaque, offset, 0, size);
    return 0xffffffff;
}

/* Flags of an instruction that the interpreter has run, where a request to leave came with it. */
static void
test_leave_with_flags(void)
{
    static const uint8_t code[] = {
        0x31, 0xdb,             /* xor ebx, ebx */
        0x01, 0x07,             /* add [rdi], eax */
        0x0f, 0x92, 0xc3,       /* setc bl */
        0xf8,                   /* clc */
        0x66, 0x0f, 0xa3, 0x07, /* bt [rdi], ax: the interpreter has it */
        0x0f, 0x92, 0xc7,       /* setc bh */
        0xf4,                   /* hlt */
    };
    static const VitRegionOps ops = { .read = kick_read, .write = kick_write, .max_size = 4 };
    enum { PLACE = 0x1000000 };
    VitRegion window;
    TcgRig f;
    X86State *s;

    fixture_init(&f, &(TcgOptions){ 0 });
    s = &f.rig->core->s;
    vit_region_init_io(&window, "window", &ops, f.rig, 0x1000);
    vit_lock_take(&f.rig->lock);
    vit_region_add(&f.rig->root, PLACE, &window, 0);
    vit_lock_release(&f.rig->lock);
    vit_address_space_write_bytes(f.rig->host.memory, CODE_PAGE, code, sizeof(code));
    for (unsigned n = 0; n < 4; n++) {
        VitCpuExit reason;
        s->rip = CODE_PAGE;
        s->gpr[X86_RAX] = 1;
        s->gpr[X86_RDI] = PLACE;
        s->activity = X86_ACTIVE;
        x86_state_changed(f.rig->core);
        do {
            reason = vit_tcg_executor.run(&f.rig->cpu);
        } while (reason == VIT_CPU_EXIT_REQUEST);
        g_assert_cmpint(reason, ==, VIT_CPU_EXIT_HALT);
        g_assert_cmphex(s->gpr[X86_RBX], ==, 0x101);
    }
    vit_lock_take(&f.rig->lock);
    vit_region_remove(&window);
    vit_region_finish(&window);
    vit_lock_release(&f.rig->lock);
    tcg_rig_finish(&f);
}

static gpointer
run_other(gpointer opaque)
{
    VitCpu *cpu = opaque;

    while (vit_tcg_executor.run(cpu) == VIT_CPU_EXIT_REQUEST) {
    }
    return NULL;
}

/* Code that was jumped to often enough is translated, no other. */
static void
test_warm_up(void)
{
    if (tcg_rig_skips()) {
        return;
    }
    for (unsigned i = 0; i < 2; i++) {
        TcgRig f;

        fixture_init(&f, &(TcgOptions){ .warm_up = i ? 4 : 255 });
        g_assert_cmpuint((uint32_t)TCG_RIG_RUN(&f, next), ==, 5050); /* a loop of a hundred turns */
        if (i) {
            g_assert_cmpuint(vit_tcg_get_dispatches(&f.rig->cpu), >, 0);
        } else {
            g_assert_cmpuint(vit_tcg_get_dispatches(&f.rig->cpu), ==, 0);
        }
        tcg_rig_finish(&f);
    }
}

/* Code that another CPU changes, and the rule for doing so. Intel SDM volume 3 section 9.1.3. */
static void
test_two_cpus(void)
{
    static const TcgOptions two[] = {
        { 0 }, { .force_exits = true }, { .one_insn_per_tb = true }, { .warm_up = 3 }
    };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(two); i++) {
        g_autoptr(GError) error = NULL;
        GThread *thread;
        VitCpu other;
        X86Core *core;
        TcgRig f;

        fixture_init(&f, &two[i]);
        f.rig->cpu.is_crowded = true;
        other = f.rig->cpu;
        other.index = 1;
        vit_tcg_executor.create(&other, &f.rig->model, &error);
        g_assert_no_error(error);
        core = other.state;
        core->s = f.rig->core->s;
        core->s.rip = TCG_RIG_BASE + 0x2000;
        core->s.gpr[X86_RSP] = 0x7000;
        x86_state_changed(core);
        vit_address_space_write_bytes(f.rig->host.memory, core->s.rip, tcg_program_writer,
                                      (size_t)(tcg_program_writer_end - tcg_program_writer));
        thread = g_thread_new("writer", run_other, &other);
        g_assert_cmpuint((uint32_t)TCG_RIG_RUN(&f, reader), ==, 0);
        g_thread_join(thread);
        vit_tcg_executor.destroy(&other);
        tcg_rig_finish(&f);
    }
}

static void
test_fault(void)
{
    for (unsigned i = 0; i < VIT_ARRAY_LEN(modes); i++) {
        TcgRig f;
        X86State *s;
        uint64_t frame;

        fixture_init(&f, &modes[i]);
        s = &f.rig->core->s;
        g_assert_cmpuint((uint32_t)TCG_RIG_RUN(&f, fault), ==, 1);
        g_assert_cmphex(s->rip, ==, HANDLER + 1);
        g_assert_cmphex(s->cr2, ==, 0x201000);
        frame = s->gpr[X86_RSP];
        g_assert_cmphex(rig_get(f.rig, frame + 8, 8), ==, 0x200fff);
        tcg_rig_finish(&f);
    }
}

/* A fault shows the carry that came into the block, which the code goes on to read, not the one
 * that the dispatcher last entered with. */
static void
test_fault_carry(void)
{
    for (unsigned i = 0; i < VIT_ARRAY_LEN(modes); i++) {
        TcgRig f;
        X86State *s;
        uint64_t flags;

        fixture_init(&f, &modes[i]);
        s = &f.rig->core->s;
        g_assert_cmpuint((uint32_t)TCG_RIG_RUN(&f, carry), ==, 0);
        g_assert_cmphex(s->rip, ==, HANDLER + 1);
        g_assert_cmphex(s->cr2, ==, 0x201000);
        g_assert_cmpuint(s->gpr[X86_RDX], ==, 400);
        flags = rig_get(f.rig, s->gpr[X86_RSP] + 24, 8);
        g_assert_cmphex(flags & X86_FLAGS_ARITH, ==, X86_FLAG_CF | X86_FLAG_PF | X86_FLAG_AF);
        tcg_rig_finish(&f);
    }
}

/* The memory of a device that goes has had code: nothing of it is touched any more. */
static void
test_memory_goes(void)
{
    static const uint8_t code[] = { 0xbb, 5, 0, 0, 0, 0xf4 }; /* mov ebx, 5; hlt */
    enum { PLACE = 0x1000000 };
    VitRamBlock *block = vit_ram_block_new("device", 0x10000, NULL);
    VitRegion region;
    TcgRig f;
    X86State *s;

    fixture_init(&f, &(TcgOptions){ 0 });
    s = &f.rig->core->s;
    vit_region_init_ram(&region, "device", block, 0, 0x10000);
    vit_lock_take(&f.rig->lock);
    vit_region_add(&f.rig->root, PLACE, &region, 0);
    vit_lock_release(&f.rig->lock);
    x86_state_changed(f.rig->core);
    vit_address_space_write_bytes(f.rig->host.memory, PLACE, code, sizeof(code));
    s->rip = PLACE;
    g_assert_cmpint(vit_tcg_executor.run(&f.rig->cpu), ==, VIT_CPU_EXIT_HALT);
    g_assert_cmphex(s->gpr[X86_RBX], ==, 5);

    vit_lock_take(&f.rig->lock);
    vit_region_remove(&region);
    vit_region_finish(&region);
    vit_lock_release(&f.rig->lock);
    x86_state_changed(f.rig->core);
    vit_ram_block_free(block);
    g_assert_true(!vit_tcg_is_able() || f.tcg->gone);
    vit_tcg_executor.reset(&f.rig->cpu); /* drops everything */
    rig_long(f.rig, 0);
    g_assert_cmpuint((uint32_t)TCG_RIG_RUN(&f, patch), ==, 6000);
    g_assert_null(f.tcg->gone);
    tcg_rig_finish(&f);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tcg/code/values", test_values);
    g_test_add_func("/tcg/code/soft", test_soft);
    g_test_add_func("/tcg/code/returns", test_returns);
    g_test_add_func("/tcg/code/generations", test_generations);
    g_test_add_func("/tcg/code/many-versions", test_many_versions);
    g_test_add_func("/tcg/code/watched-again", test_watched_again);
    g_test_add_func("/tcg/code/dma", test_dma);
    g_test_add_func("/tcg/code/dma-ahead", test_dma_ahead);
    g_test_add_func("/tcg/code/leave-with-flags", test_leave_with_flags);
    g_test_add_func("/tcg/code/warm-up", test_warm_up);
    g_test_add_func("/tcg/code/two-cpus", test_two_cpus);
    g_test_add_func("/tcg/code/fault", test_fault);
    g_test_add_func("/tcg/code/fault-carry", test_fault_carry);
    g_test_add_func("/tcg/code/memory-goes", test_memory_goes);
    return g_test_run();
}
