/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The code cache and the tracking of code pages: units, then several threads that translate, look
 * up, link, store and evict at once. "Code" is data here, which the sanitizers understand: a block
 * begins with what it was made from, and running it is reading that. */

#include "codecache.h"
#include "codepage.h"

#include <string.h>

typedef struct Deaths {
    unsigned count;
    const TcgBlock *last;
} Deaths;

static void
note_death(void *opaque, const TcgBlock *block)
{
    Deaths *deaths = opaque;

    deaths->count++;
    deaths->last = block;
}

typedef struct Rig {
    Deaths deaths;
    TcgCodeCache *cache;
    TcgCodeThread *thread;
} Rig;

static void
setup_with(Rig *rig, size_t size, bool split)
{
    const TcgCodeConfig config = {
        .size_bytes = size,
        .split_wx = split,
        .hooks = { .block_died = note_death, .opaque = &rig->deaths },
    };
    g_autoptr(GError) error = NULL;

    rig->cache = tcg_code_cache_new(&config, &error);
    g_assert_no_error(error);
    rig->thread = tcg_code_thread_new(rig->cache);
}

static void
setup(Rig *rig, gconstpointer split)
{
    setup_with(rig, TCG_CODE_LEAST_BYTES, GPOINTER_TO_INT(split));
}

static void
teardown(Rig *rig, gconstpointer unused)
{
    tcg_code_thread_free(rig->thread);
    tcg_code_cache_free(rig->cache);
}

static TcgBlockKey
key_of(uint64_t phys)
{
    return (TcgBlockKey){ .phys = phys, .mode = 3 };
}

/* A block of LEN bytes with one exit, made from four bytes at PHYS. */
static TcgBlock *
make_block(Rig *rig, uint64_t phys, size_t len)
{
    TcgCodeSpace space;
    TcgCodePage *page;
    TcgBlock *block, *got;
    TcgAsm a;
    bool new_page;

    page = tcg_smc_open(rig->cache, phys, &new_page);
    block = tcg_code_begin(rig->thread, len, &space);
    g_assert_nonnull(block);
    block->key = key_of(phys);
    block->exits = tcg_code_meta(rig->thread, sizeof(TcgExit));
    block->exit_count = 1;
    block->extents = tcg_code_meta(rig->thread, sizeof(TcgExtent));
    block->extent_count = 1;
    block->extents[0] = (TcgExtent){
        .page = page, .offset = phys & 4095, .len_bytes = 4, .version = tcg_smc_version(page)
    };
    tcg_asm_init(&a, space.write, space.len_bytes, space.exec_delta);
    tcg_asm_nop(&a, 6);
    block->exits[0].stub_offset = 64;
    block->exits[0].patch_offset = (uint32_t)tcg_asm_jmp_patchable(&a, block->code + 64);
    g_assert_false(tcg_asm_failed(&a));
    got = tcg_code_insert(rig->thread, block, len);
    tcg_smc_close(page);
    return got;
}

static const void *
goes_to(const TcgBlock *block)
{
    return tcg_asm_patch_target(block->write + block->exits[0].patch_offset,
                                block->code - block->write);
}

static TcgBlock *
find(Rig *rig, uint64_t phys)
{
    TcgBlockKey key = key_of(phys);

    return tcg_code_lookup(tcg_code_table(rig->cache), &key);
}

static void
test_lookup(Rig *rig, gconstpointer split)
{
    TcgBlock *blocks[100];
    TcgCodeStats stats;

    for (unsigned i = 0; i < G_N_ELEMENTS(blocks); i++) {
        blocks[i] = make_block(rig, i * 80, 100 + i);
        g_assert_nonnull(blocks[i]);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(blocks); i++) {
        uintptr_t pc = (uintptr_t)blocks[i]->code;

        g_assert_true(find(rig, i * 80) == blocks[i]);
        g_assert_true(tcg_code_find_pc(rig->cache, pc) == blocks[i]);
        g_assert_true(tcg_code_find_pc(rig->cache, pc + 99 + i) == blocks[i]);
        g_assert_true(tcg_code_find_pc(rig->cache, pc + 100 + i) != blocks[i]);
        g_assert_cmpuint(pc & 15, ==, 0);
    }
    g_assert_null(find(rig, 1));
    g_assert_null(tcg_code_find_pc(rig->cache, (uintptr_t)rig));
    g_assert_false(tcg_code_contains(rig->cache, (uintptr_t)rig));
    /* The one that came first stays. */
    g_assert_true(make_block(rig, 80, 64) == blocks[1]);
    tcg_code_stats(rig->cache, &stats);
    g_assert_cmpuint(stats.blocks, ==, G_N_ELEMENTS(blocks));
    g_assert_cmpint(stats.split_wx, ==, GPOINTER_TO_INT(split));
    g_assert_cmpint(blocks[0]->code != blocks[0]->write, ==, GPOINTER_TO_INT(split));
    tcg_code_kill(rig->cache, blocks[7]);
    g_assert_null(find(rig, 7 * 80));
    g_assert_true(find(rig, 8 * 80) == blocks[8]);
    g_assert_true(rig->deaths.last == blocks[7]);
}

/* The memory is executable, and what was written through one mapping runs in the other. */
static void
test_execute(Rig *rig, gconstpointer split)
{
    TcgCodeSpace space;
    TcgBlock *block = tcg_code_begin(rig->thread, 64, &space);
    int (*run)(void);
    TcgAsm a;

    block->key = key_of(0);
    tcg_asm_init(&a, space.write, space.len_bytes, space.exec_delta);
    tcg_asm_mov_ri(&a, X86_RAX, 4711);
    tcg_asm_ret(&a);
    g_assert_true(tcg_code_insert(rig->thread, block, tcg_asm_offset(&a)) == block);
    run = (int (*)(void))(uintptr_t)block->code;
    g_assert_cmpint(run(), ==, 4711);
}

static void
test_links(Rig *rig, gconstpointer split)
{
    TcgBlock *a = make_block(rig, 0x1000, 128), *b = make_block(rig, 0x2000, 128);
    TcgBlock *c = make_block(rig, 0x3000, 128);
    TcgCodeStats stats;

    g_assert_true(goes_to(a) == a->code + 64);
    g_assert_true(tcg_code_link(rig->cache, a->exits, c, 0));
    g_assert_true(goes_to(a) == c->code);
    g_assert_false(tcg_code_link(rig->cache, a->exits, b, 0)); /* linked already */
    g_assert_true(tcg_code_link(rig->cache, b->exits, c, 16));
    g_assert_true(goes_to(b) == c->code + 16);
    g_assert_true(tcg_code_link(rig->cache, c->exits, c, 0)); /* a loop */
    g_assert_true(tcg_code_find_pc(rig->cache, (uintptr_t)goes_to(b)) == c);
    tcg_code_unlink(rig->cache, a->exits);
    g_assert_true(goes_to(a) == a->code + 64);
    g_assert_true(tcg_code_link(rig->cache, a->exits, c, 0));
    tcg_code_kill(rig->cache, c);
    g_assert_true(goes_to(a) == a->code + 64);
    g_assert_true(goes_to(b) == b->code + 64);
    g_assert_true(goes_to(c) == c->code + 64);
    g_assert_false(tcg_code_link(rig->cache, a->exits, c, 0)); /* dead */
    g_assert_false(tcg_code_link(rig->cache, c->exits, a, 0));
    /* Killing the source takes it out of the target's list. */
    g_assert_true(tcg_code_link(rig->cache, a->exits, b, 0));
    tcg_code_kill(rig->cache, a);
    tcg_code_kill(rig->cache, b);
    tcg_code_stats(rig->cache, &stats);
    g_assert_cmpuint(stats.linked, ==, stats.unlinked);
    g_assert_cmpuint(stats.blocks, ==, 0);
    g_assert_cmpuint(stats.code_bytes, ==, 0);
}

static void
test_stores(Rig *rig, gconstpointer split)
{
    TcgBlock *a = make_block(rig, 0x5000, 128), *b = make_block(rig, 0x503e, 128);
    TcgBlock *c;

    g_assert_cmpuint(tcg_smc_stored(rig->cache, 0x4fff, 1), ==, 0);
    g_assert_cmpuint(tcg_smc_stored(rig->cache, 0x5080, 8), ==, 0);
    g_assert_cmpuint(tcg_smc_find(rig->cache, 0x5080)->harmless, ==, 1);
    /* The granule is hit, no block is. */
    g_assert_cmpuint(tcg_smc_stored(rig->cache, 0x5004, 8), ==, 0);
    g_assert_false(tcg_block_is_dead(a));
    g_assert_false(tcg_smc_unmark(rig->cache, 0x5000));
    g_assert_cmpuint(tcg_smc_stored(rig->cache, 0x5041, 1), ==, 1);
    g_assert_true(tcg_block_is_dead(b));
    g_assert_cmpuint(tcg_smc_stored(rig->cache, 0x5041, 1), ==, 0);
    c = make_block(rig, 0x5100, 128);
    g_assert_cmpuint(tcg_smc_stored_range(rig->cache, 0x4000, 0x3000), ==, 2);
    g_assert_true(tcg_block_is_dead(a) && tcg_block_is_dead(c));
    g_assert_cmpuint(rig->deaths.count, ==, 3);
    g_assert_true(tcg_smc_is_marked(rig->cache, 0x5123));
    g_assert_true(tcg_smc_unmark(rig->cache, 0x5123));
    g_assert_false(tcg_smc_is_marked(rig->cache, 0x5123));
}

/* Bytes that change between reading and inserting. */
static void
test_changed_bytes(Rig *rig, gconstpointer split)
{
    TcgCodeSpace space;
    TcgCodePage *page;
    TcgBlock *block;
    TcgExtent extent;
    bool new_page;

    page = tcg_smc_open(rig->cache, 0x7000, &new_page);
    g_assert_true(new_page);
    g_assert_false(tcg_smc_unmark(rig->cache, 0x7000));
    extent = (TcgExtent){ .page = page, .len_bytes = 8, .version = tcg_smc_version(page) };
    tcg_smc_stored(rig->cache, 0x7800, 1); /* anywhere in the page while it is open */
    block = tcg_code_begin(rig->thread, 64, &space);
    block->key = key_of(0x7000);
    block->extents = tcg_code_meta(rig->thread, sizeof(extent));
    block->extents[0] = extent;
    block->extent_count = 1;
    g_assert_null(tcg_code_insert(rig->thread, block, 16));
    g_assert_null(find(rig, 0x7000));
    tcg_smc_close(page);
    g_assert_nonnull(make_block(rig, 0x7000, 128));
    tcg_smc_open(rig->cache, 0x7000, &new_page);
    g_assert_false(new_page);
    tcg_smc_close(page);
}

/* Twenty times what the cache holds: the oldest go, the newest stay. */
static void
test_eviction(Rig *rig, gconstpointer split)
{
    TcgCodeStats stats;
    unsigned alive = 0;

    for (unsigned i = 0; i < 5000; i++) {
        g_assert_nonnull(make_block(rig, i * 64, 4000));
        g_assert_nonnull(find(rig, i * 64));
        if (tcg_code_quiesce_wanted(rig->thread)) {
            tcg_code_quiesce(rig->thread);
        }
    }
    tcg_code_stats(rig->cache, &stats);
    g_assert_cmpuint(stats.evicted_chunks, >, 15 * stats.chunk_count);
    g_assert_cmpuint(stats.code_bytes, <=, stats.size_bytes);
    for (unsigned i = 0; i < 5000; i++) {
        alive += find(rig, i * 64) != NULL;
    }
    g_assert_cmpuint(alive, ==, stats.blocks);
    g_assert_cmpuint(alive, >, 5000 / 20 / 2);
    g_assert_null(find(rig, 0));
    tcg_code_flush(rig->cache);
    tcg_code_stats(rig->cache, &stats);
    g_assert_cmpuint(stats.blocks, ==, 0);
    g_assert_nonnull(make_block(rig, 0, 4000));
}

static void
test_limits(Rig *rig, gconstpointer split)
{
    TcgCodeSpace space;
    TcgCodeStats stats;
    TcgBlock *block;

    tcg_code_stats(rig->cache, &stats);
    g_assert_null(tcg_code_begin(rig->thread, stats.chunk_bytes + 1, &space));
    block = tcg_code_begin(rig->thread, stats.chunk_bytes, &space);
    g_assert_nonnull(block);
    g_assert_cmpuint(space.len_bytes, ==, stats.chunk_bytes);
    g_assert_null(tcg_code_meta(rig->thread, SIZE_MAX));
    g_assert_null(tcg_code_meta(rig->thread, SIZE_MAX / 2));
    while (tcg_code_meta(rig->thread, 1000)) {
    }
    tcg_code_drop(rig->thread, true);
    for (size_t mib = 0; mib < 3; mib++) { /* sizes out of range are brought into it */
        static const size_t sizes[] = { 1, 0, SIZE_MAX };
        const TcgCodeConfig config = { .size_bytes = sizes[mib] };
        TcgCodeCache *cache = tcg_code_cache_new(&config, NULL);

        g_assert_nonnull(cache);
        tcg_code_cache_free(cache);
    }
}

/* Stress */

enum { THREADS = 4, PAGES = 24, SLOTS = 4, ROUNDS = 4000, CODE_BYTES = 6000 };

typedef struct Stress {
    TcgCodeCache *cache;
    uint64_t memory[PAGES][SLOTS * 64]; /* a slot every 512 bytes; values only grow */
    uint32_t writable[THREADS][PAGES];  /* the write entries of each thread's "TLB" */
    uint32_t kicked;
    unsigned checked, translated, stored;
} Stress;

typedef struct Worker {
    Stress *stress;
    unsigned number;
    GRand *rand;
    TcgCodeThread *thread;
    unsigned checked, translated, stored;
} Worker;

static uint64_t *
slot_at(Stress *stress, unsigned page, unsigned slot)
{
    return &stress->memory[page][slot * 64];
}

static uint64_t
slot_address(unsigned page, unsigned slot)
{
    return page * 4096u + slot * 512u;
}

/* "Runs" a block: what it was made from, from both ends of its code. */
static uint64_t
run_block(const TcgBlock *block)
{
    uint64_t first, last;

    memcpy(&first, block->code, 8);
    memcpy(&last, block->code + CODE_BYTES - 8, 8);
    g_assert_cmphex(first ^ block->key.phys, ==, last);
    return first;
}

static TcgBlock *
translate(Worker *w, unsigned page_number, unsigned slot)
{
    Stress *stress = w->stress;
    uint64_t address = slot_address(page_number, slot), value, last;
    TcgCodeSpace space;
    TcgCodePage *page;
    TcgBlock *block;
    uint32_t version;
    bool new_page;

    page = tcg_smc_open(stress->cache, address, &new_page);
    if (new_page) {
        for (unsigned t = 0; t < THREADS; t++) {
            __atomic_store_n(&stress->writable[t][page_number], 0, __ATOMIC_SEQ_CST);
        }
        tcg_code_grace(w->thread);
    }
    version = tcg_smc_version(page);
    value = __atomic_load_n(slot_at(stress, page_number, slot), __ATOMIC_SEQ_CST);
    block = tcg_code_begin(w->thread, CODE_BYTES, &space);
    block->key = key_of(address);
    block->extents = tcg_code_meta(w->thread, sizeof(TcgExtent));
    block->extent_count = 1;
    block->extents[0] =
        (TcgExtent){ .page = page, .offset = address & 4095, .len_bytes = 8, .version = version };
    block->exits = tcg_code_meta(w->thread, sizeof(TcgExit));
    block->exit_count = 1;
    block->exits[0].patch_offset = 64;
    block->exits[0].stub_offset = 128;
    tcg_asm_patch(space.write + 64, 0, space.write + 128);
    last = value ^ address;
    memcpy(space.write, &value, 8);
    memcpy(space.write + CODE_BYTES - 8, &last, 8);
    block = tcg_code_insert(w->thread, block, CODE_BYTES);
    tcg_smc_close(page);
    w->translated++;
    return block;
}

/* The fast way where the thread has a write entry, else the slow way. Each slot has one writer. */
static void
store(Worker *w, unsigned page_number, unsigned slot)
{
    Stress *stress = w->stress;
    uint64_t address = slot_address(page_number, slot);
    uint64_t *place = slot_at(stress, page_number, slot), value = *place + 1;
    uint32_t *entry = &stress->writable[w->number][page_number];
    TcgBlockKey key = key_of(address);
    TcgBlock *block;

    if (__atomic_load_n(entry, __ATOMIC_RELAXED)) {
        __atomic_store_n(place, value, __ATOMIC_RELAXED);
        w->stored++;
        return;
    }
    __atomic_store_n(place, value, __ATOMIC_RELAXED);
    tcg_smc_stored(stress->cache, address, 8);
    block = tcg_code_lookup(tcg_code_table(stress->cache), &key);
    if (block) {
        g_assert_cmpuint(run_block(block), >=, value);
        w->checked++;
    }
    if (tcg_smc_unmark(stress->cache, address)) {
        __atomic_store_n(entry, 1, __ATOMIC_SEQ_CST);
        if (tcg_smc_is_marked(stress->cache, address)) {
            __atomic_store_n(entry, 0, __ATOMIC_SEQ_CST);
        }
    }
}

static void
run_and_link(Worker *w, unsigned page, unsigned slot)
{
    Stress *stress = w->stress;
    TcgBlockKey key = key_of(slot_address(page, slot));
    TcgBlock *block = tcg_code_lookup(tcg_code_table(stress->cache), &key);

    if (!block) {
        block = translate(w, page, slot);
    }
    if (block) {
        TcgBlock *next;

        run_block(block);
        w->checked++;
        key = key_of(slot_address((page + 1) % PAGES, slot));
        next = tcg_code_lookup(tcg_code_table(stress->cache), &key);
        if (next) {
            tcg_code_link(stress->cache, block->exits, next, 0);
        }
        /* Wherever the jump goes now, there is a block with its bytes. */
        if (block->exits) {
            const uint8_t *to = tcg_asm_patch_target(block->write + 64, 0);
            if (to != block->code + 128) {
                TcgBlock *target = tcg_code_find_pc(stress->cache, (uintptr_t)to);
                g_assert_nonnull(target);
                run_block(target);
            }
        }
    }
}

static gpointer
work(gpointer data)
{
    Worker *w = data;

    for (unsigned i = 0; i < ROUNDS; i++) {
        /* The higher the number the more seldom a page has code. */
        unsigned page = (unsigned)g_rand_int_range(w->rand, 0, PAGES);
        unsigned code_page = (unsigned)g_rand_int_range(w->rand, 0, (int)page + 1);

        code_page = (unsigned)g_rand_int_range(w->rand, 0, (int)code_page + 1);
        switch (g_rand_int_range(w->rand, 0, 8)) {
        case 0:
        case 1:
        case 2: store(w, page, w->number); break;
        case 3:
            tcg_code_offline(w->thread);
            tcg_code_online(w->thread);
            break;
        default: run_and_link(w, code_page, (unsigned)g_rand_int_range(w->rand, 0, SLOTS)); break;
        }
        if (tcg_code_quiesce_wanted(w->thread)) {
            tcg_code_quiesce(w->thread);
        }
    }
    tcg_code_offline(w->thread);
    return NULL;
}

static void
kick_all(void *opaque)
{
    __atomic_fetch_add(&((Stress *)opaque)->kicked, 1, __ATOMIC_RELAXED);
}

static void
test_stress(void)
{
    g_autofree Stress *stress = g_new0(Stress, 1);
    const TcgCodeConfig config = { .size_bytes = TCG_CODE_LEAST_BYTES,
                                   .hooks = { .kick = kick_all, .opaque = stress } };
    Worker workers[THREADS];
    GThread *threads[THREADS];
    TcgCodeStats stats;

    stress->cache = tcg_code_cache_new(&config, NULL);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (Worker){ .stress = stress,
                               .number = i,
                               .rand = g_rand_new_with_seed(i + 1),
                               .thread = tcg_code_thread_new(stress->cache) };
    }
    for (unsigned i = 0; i < THREADS; i++) {
        threads[i] = g_thread_new("worker", work, &workers[i]);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        g_thread_join(threads[i]);
        stress->checked += workers[i].checked;
        stress->translated += workers[i].translated;
        stress->stored += workers[i].stored;
        g_rand_free(workers[i].rand);
    }
    tcg_code_stats(stress->cache, &stats);
    g_test_message("%u runs, %u translations, %u fast stores; %" G_GUINT64_FORMAT
                   " chunks evicted, %" G_GUINT64_FORMAT " links, %" G_GUINT64_FORMAT " waits",
                   stress->checked, stress->translated, stress->stored, stats.evicted_chunks,
                   stats.linked, stats.waits);
    g_assert_cmpuint(stress->translated, >, 100);
    g_assert_cmpuint(stats.killed, >, 0);
    g_assert_cmpuint(stats.linked, >, 0);
    for (unsigned i = 0; i < THREADS; i++) {
        tcg_code_thread_free(workers[i].thread);
    }
    tcg_code_cache_free(stress->cache);
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(Rig *, gconstpointer);
    } tests[] = {
        { "lookup", test_lookup }, { "execute", test_execute },       { "links", test_links },
        { "stores", test_stores }, { "changed", test_changed_bytes }, { "eviction", test_eviction },
        { "limits", test_limits },
    };

    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < 2 * G_N_ELEMENTS(tests); i++) {
        g_autofree char *path =
            g_strconcat("/tcg/codecache/", tests[i / 2].name, i & 1 ? "/split-wx" : "/rwx", NULL);
        g_test_add(path, Rig, GINT_TO_POINTER(i & 1), setup, tests[i / 2].run, teardown);
    }
    g_test_add_func("/tcg/codecache/stress", test_stress);
    return g_test_run();
}
