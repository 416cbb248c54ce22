/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Page walk and TLB: every paging mode against every combination of page rights and access, the
 * error codes as Intel SDM volume 3 4.6 and 4.7 give them, reserved bits, accessed and dirty bits,
 * invalidation, A20, windows and ROM. */

#include "x86-rig.h"

enum { P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80, G = 0x100 };
#define NX (1ull << 63)

typedef enum Mode {
    MODE_32,
    MODE_PSE,
    MODE_PAE,
    MODE_PAE_2M,
    MODE_4,
    MODE_4_2M,
    MODE_4_1G,
    MODE_5,
    MODE_LAST
} Mode;

typedef struct Tables {
    uint64_t leaf, upper; /* places of the entry that maps LINEAR and of the one above */
    unsigned entry_bytes;
    bool has_upper_rights;
} Tables;

static const uint64_t linear = 0x40201000; /* index != 0 at each level of every mode */

/* Builds tables for MODE that map LINEAR to physical 0x200000 or around (large), and turns paging
 * on. Rights all open. */
static Tables
build(Rig *rig, Mode mode)
{
    X86State *s = &rig->core->s;
    Tables t = { .entry_bytes = 8, .has_upper_rights = true };
    const uint64_t all = P | W | U;

    memset(rig_ram(rig, 0x100000), 0, 0x10000);
    s->cr3 = 0x100000;
    s->cr4 = mode >= MODE_PAE ? X86_CR4_PAE : mode == MODE_PSE ? X86_CR4_PSE : 0;
    s->efer = 0;
    if (mode >= MODE_PAE) {
        s->efer |= X86_EFER_NXE;
    }
    if (mode >= MODE_4) {
        s->efer |= X86_EFER_LME | X86_EFER_LMA;
    }
    if (mode == MODE_5) {
        s->cr4 |= X86_CR4_LA57;
    }
    switch (mode) {
    case MODE_32:
        t = (Tables){ 0x101000 + (linear >> 12 & 0x3ff) * 4, 0x100000 + (linear >> 22) * 4, 4,
                      true };
        rig_put(rig, t.upper, 0x101000 | all, 4);
        rig_put(rig, t.leaf, 0x200000 | all, 4);
        break;
    case MODE_PSE:
        t = (Tables){ 0x100000 + (linear >> 22) * 4, 0, 4, false };
        rig_put(rig, t.leaf, 0x400000 | all | PS, 4);
        break;
    case MODE_PAE:
    case MODE_PAE_2M:
        rig_put(rig, 0x100000 + (linear >> 30) * 8, 0x101000 | P, 8);
        t.leaf = 0x101000 + (linear >> 21 & 511) * 8;
        t.has_upper_rights = mode == MODE_PAE;
        if (mode == MODE_PAE_2M) {
            rig_put(rig, t.leaf, 0x200000 | all | PS, 8);
        } else {
            t.upper = t.leaf;
            t.leaf = 0x102000 + (linear >> 12 & 511) * 8;
            rig_put(rig, t.upper, 0x102000 | all, 8);
            rig_put(rig, t.leaf, 0x200000 | all, 8);
        }
        break;
    default: {
        uint64_t table = 0x100000;
        if (mode == MODE_5) {
            rig_put(rig, table, 0x105000 | all, 8);
            table = 0x105000;
        }
        rig_put(rig, table, 0x101000 | all, 8);
        t.upper = table;
        t.leaf = 0x101000 + (linear >> 30 & 511) * 8;
        if (mode == MODE_4_1G) {
            rig_put(rig, t.leaf, all | PS, 8);
            break;
        }
        rig_put(rig, t.leaf, 0x102000 | all, 8);
        t.upper = t.leaf;
        t.leaf = 0x102000 + (linear >> 21 & 511) * 8;
        if (mode == MODE_4_2M) {
            rig_put(rig, t.leaf, 0x200000 | all | PS, 8);
            break;
        }
        rig_put(rig, t.leaf, 0x103000 | all, 8);
        t.upper = t.leaf;
        t.leaf = 0x103000 + (linear >> 12 & 511) * 8;
        rig_put(rig, t.leaf, 0x200000 | all, 8);
    }
    }
    s->cr0 = X86_CR0_PE | X86_CR0_PG | X86_CR0_ET;
    x86_tlb_flush_all(rig->core);
    return t;
}

/* An independent statement of SDM 4.6: may ACCESS be made, and the error code if not. */
static bool
expect(const X86State *s, bool w, bool u, bool nx, X86Access access, X86View view, uint32_t *error)
{
    bool nxe = (s->cr4 & X86_CR4_PAE) && (s->efer & X86_EFER_NXE);
    bool smep = s->cr4 & X86_CR4_SMEP;
    bool ok;

    if (view == X86_VIEW_USER) {
        ok = u && (access != X86_ACCESS_WRITE || w) && (access != X86_ACCESS_EXEC || !nx);
    } else if (access == X86_ACCESS_EXEC) {
        ok = !nx && !(u && smep);
    } else {
        ok = (access != X86_ACCESS_WRITE || w || !(s->cr0 & X86_CR0_WP)) &&
             !(u && view == X86_VIEW_SMAP);
    }
    *error = 1 | (access == X86_ACCESS_WRITE ? 2 : 0) | (view == X86_VIEW_USER ? 4 : 0) |
             (access == X86_ACCESS_EXEC && (nxe || smep) ? 16 : 0);
    return ok;
}

/* Rights bits in the leaf and in the entry above, WP, SMEP, three accesses, three views. */
static void
test_matrix(void)
{
    Rig *rig = rig_new("max,phys-bits=40");
    X86State *s = &rig->core->s;
    unsigned checked = 0;

    for (Mode mode = 0; mode < MODE_LAST; mode++) {
        Tables t = build(rig, mode);
        uint64_t leaf = rig_get(rig, t.leaf, t.entry_bytes) & ~(uint64_t)(W | U);
        uint64_t upper =
            t.has_upper_rights ? rig_get(rig, t.upper, t.entry_bytes) & ~(uint64_t)(W | U) : 0;
        for (unsigned bits = 0; bits < 1u << 8; bits++) {
            bool nx = (bits & 1) && mode >= MODE_PAE, upper_nx = (bits & 2) && mode >= MODE_PAE;
            uint64_t leaf_rights = bits >> 2 & 3, upper_rights = bits >> 4 & 3;
            if (!t.has_upper_rights) {
                upper_nx = false;
                upper_rights = 3;
            } else {
                rig_put(rig, t.upper, upper | upper_rights << 1 | (upper_nx ? NX : 0),
                        t.entry_bytes);
            }
            rig_put(rig, t.leaf, leaf | leaf_rights << 1 | (nx ? NX : 0), t.entry_bytes);
            s->cr0 = (s->cr0 & ~(uint64_t)X86_CR0_WP) | (bits & 64 ? X86_CR0_WP : 0);
            s->cr4 = (s->cr4 & ~(uint64_t)X86_CR4_SMEP) | (bits & 128 ? X86_CR4_SMEP : 0);
            uint64_t rights = leaf_rights & upper_rights;
            for (unsigned pair = 0; pair < 9; pair++) {
                X86Access access = pair / 3;
                X86View view = pair % 3;
                X86Translation found;
                uint32_t error = 0, wanted;
                bool may = expect(s, rights & 1, rights & 2, nx || upper_nx, access, view, &wanted);
                bool got =
                    x86_mmu_translate(rig->core, linear + 0x123, access, view, &found, &error);
                if (got != may || (!got && error != wanted)) {
                    g_error("mode %u bits %02x access %u view %u: got %d error %x, wanted %d %x",
                            mode, bits, access, view, got, error, may, wanted);
                }
                checked++;
            }
        }
    }
    g_test_message("%u combinations", checked);
    rig_free(rig);
}

static void
test_places(void)
{
    Rig *rig = rig_new("max,phys-bits=40");
    static const uint64_t wanted[MODE_LAST] = { 0x200123, 0x601123, 0x200123, 0x201123,
                                                0x200123, 0x201123, 0x201123, 0x200123 };

    for (Mode mode = 0; mode < MODE_LAST; mode++) {
        X86Translation found;
        uint32_t error;
        uint64_t physical;
        Tables t = build(rig, mode);
        g_assert_true(x86_mmu_translate_debug(rig->core, linear + 0x123, &physical));
        g_assert_cmphex(physical, ==, wanted[mode]);
        g_assert_cmphex(rig_get(rig, t.leaf, t.entry_bytes) & (A | D), ==, 0);
        g_assert_true(x86_mmu_translate(rig->core, linear + 0x123, X86_ACCESS_READ,
                                        X86_VIEW_SUPERVISOR, &found, &error));
        g_assert_cmphex(found.physical, ==, wanted[mode]);
        /* a write needs another walk until D is set */
        g_assert_cmphex(found.allowed, ==, 1 << X86_ACCESS_READ | 1 << X86_ACCESS_EXEC);
        g_assert_cmphex(rig_get(rig, t.leaf, t.entry_bytes) & (A | D), ==, A);
        if (t.upper) {
            g_assert_cmphex(rig_get(rig, t.upper, t.entry_bytes) & (A | D), ==, A);
        }
        g_assert_true(x86_mmu_translate(rig->core, linear, X86_ACCESS_WRITE, X86_VIEW_SUPERVISOR,
                                        &found, &error));
        g_assert_cmphex(rig_get(rig, t.leaf, t.entry_bytes) & (A | D), ==, A | D);
        g_assert_cmphex(found.allowed, ==, 7);
    }
    rig_free(rig);
}

static void
test_reserved_bits(void)
{
    Rig *rig = rig_new("max,phys-bits=40,-pdpe1gb");
    static const struct {
        Mode mode;
        uint64_t bits;
        bool in_upper;
    } rows[] = {
        { MODE_PAE, 1ull << 40, false },  { MODE_PAE, 1ull << 52, false },
        { MODE_PAE, 1ull << 40, true },   { MODE_PAE_2M, 1u << 13, false },
        { MODE_PAE_2M, 1u << 20, false }, { MODE_4, 1ull << 40, false },
        { MODE_4, 1ull << 51, true },     { MODE_4_2M, 1u << 13, false },
        { MODE_4_1G, 0, false }, /* the model has no 1 GiB pages: PS itself is reserved */
        { MODE_5, 1ull << 45, false },    { MODE_PSE, 1u << 21, false },
    };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(rows); i++) {
        X86Translation found;
        uint32_t error;
        Tables t = build(rig, rows[i].mode);
        uint64_t place = rows[i].in_upper ? t.upper : t.leaf;
        rig_put(rig, place, rig_get(rig, place, t.entry_bytes) | rows[i].bits, t.entry_bytes);
        g_test_message("row %u", i);
        g_assert_false(
            x86_mmu_translate(rig->core, linear, X86_ACCESS_WRITE, X86_VIEW_USER, &found, &error));
        g_assert_cmphex(error, ==, 1 | 2 | 4 | 8);
    }
    /* NX is reserved without EFER.NXE */
    X86Translation found;
    uint32_t error;
    Tables t = build(rig, MODE_4);
    rig_put(rig, t.leaf, rig_get(rig, t.leaf, 8) | NX, 8);
    rig->core->s.efer &= ~(uint64_t)X86_EFER_NXE;
    g_assert_false(
        x86_mmu_translate(rig->core, linear, X86_ACCESS_READ, X86_VIEW_SUPERVISOR, &found, &error));
    g_assert_cmphex(error, ==, 9);
    /* bits 52..62 are the system's own in 4-level paging, and PSE-36 reaches bit 39 */
    t = build(rig, MODE_4);
    rig_put(rig, t.leaf, rig_get(rig, t.leaf, 8) | 0x7ffull << 52, 8);
    g_assert_true(
        x86_mmu_translate(rig->core, linear, X86_ACCESS_READ, X86_VIEW_SUPERVISOR, &found, &error));
    t = build(rig, MODE_PSE);
    rig_put(rig, t.leaf, rig_get(rig, t.leaf, 4) | 1u << 20 | 1u << 13, 4);
    g_assert_true(
        x86_mmu_translate(rig->core, linear, X86_ACCESS_READ, X86_VIEW_SUPERVISOR, &found, &error));
    g_assert_cmphex(found.physical, ==, 1ull << 39 | 1ull << 32 | 0x601000);
    rig_free(rig);
}

static void
test_not_present(void)
{
    Rig *rig = rig_new("max");

    for (Mode mode = 0; mode < MODE_LAST; mode++) {
        X86Translation found;
        uint32_t error;
        Tables t = build(rig, mode);
        rig_put(rig, t.leaf, rig_get(rig, t.leaf, t.entry_bytes) & ~1ull, t.entry_bytes);
        g_assert_false(
            x86_mmu_translate(rig->core, linear, X86_ACCESS_WRITE, X86_VIEW_USER, &found, &error));
        g_assert_cmphex(error, ==, 2 | 4);
    }
    rig_free(rig);
}

static void
test_protection_keys(void)
{
    Rig *rig = rig_new("max");
    X86State *s = &rig->core->s;
    X86Translation found;
    uint32_t error;
    Tables t = build(rig, MODE_4);

    rig_put(rig, t.leaf, rig_get(rig, t.leaf, 8) | 5ull << 59, 8);
    s->cr4 |= X86_CR4_PKE;
    s->pkru = 2u << 10; /* key 5: writes disabled */
    g_assert_true(
        x86_mmu_translate(rig->core, linear, X86_ACCESS_READ, X86_VIEW_USER, &found, &error));
    g_assert_cmpuint(found.key, ==, 5);
    g_assert_false(
        x86_mmu_translate(rig->core, linear, X86_ACCESS_WRITE, X86_VIEW_USER, &found, &error));
    g_assert_cmphex(error, ==, 1 | 2 | 4 | 0x20);
    /* the kernel is held to it only with CR0.WP */
    s->cr0 &= ~(uint64_t)X86_CR0_WP;
    g_assert_true(x86_mmu_translate(rig->core, linear, X86_ACCESS_WRITE, X86_VIEW_SUPERVISOR,
                                    &found, &error));
    s->cr0 |= X86_CR0_WP;
    g_assert_false(x86_mmu_translate(rig->core, linear, X86_ACCESS_WRITE, X86_VIEW_SUPERVISOR,
                                     &found, &error));
    s->pkru = 1u << 10; /* no access; fetches are free */
    g_assert_false(
        x86_mmu_translate(rig->core, linear, X86_ACCESS_READ, X86_VIEW_SUPERVISOR, &found, &error));
    g_assert_true(
        x86_mmu_translate(rig->core, linear, X86_ACCESS_EXEC, X86_VIEW_USER, &found, &error));
    rig_free(rig);
}

/* What CR3 writes, PCIDs, INVLPG and global pages keep and drop. */
static void
test_invalidation(void)
{
    Rig *rig = rig_new("max");
    X86Core *core = rig->core;
    X86View view = X86_VIEW_SUPERVISOR;
    Tables t = build(rig, MODE_4);

    rig_put(rig, 0x200000, 0x11, 8);
    rig_put(rig, 0x201000, 0x22, 8);
    core->s.cpl = 0;
    g_assert_cmphex(x86_read_linear(core, linear, 8, view), ==, 0x11);
    rig_put(rig, t.leaf, 0x201000 | P | W | U, 8);
    g_assert_cmphex(x86_read_linear(core, linear, 8, view), ==, 0x11); /* still cached */
    x86_tlb_flush_page(core, linear + 0x777);
    g_assert_cmphex(x86_read_linear(core, linear, 8, view), ==, 0x22);
    rig_put(rig, t.leaf, 0x200000 | P | W | U, 8);
    g_assert_cmpint(RIG_FAULT(rig, x86_write_cr3(core, 0x100000)), ==, -1);
    g_assert_cmphex(x86_read_linear(core, linear, 8, view), ==, 0x11);

    /* a global page outlives CR3 writes, not INVLPG, not CR4.PGE */
    x86_write_cr4(core, core->s.cr4 | X86_CR4_PGE);
    rig_put(rig, t.leaf, 0x200000 | P | W | U | G, 8);
    g_assert_cmphex(x86_read_linear(core, linear, 8, view), ==, 0x11);
    rig_put(rig, t.leaf, 0x201000 | P | W | U | G, 8);
    x86_write_cr3(core, 0x100000);
    g_assert_cmphex(x86_read_linear(core, linear, 8, view), ==, 0x11);
    x86_tlb_flush_page(core, linear);
    g_assert_cmphex(x86_read_linear(core, linear, 8, view), ==, 0x22);
    rig_put(rig, t.leaf, 0x200000 | P | W | U | G, 8);
    x86_write_cr4(core, core->s.cr4 & ~(uint64_t)X86_CR4_PGE);
    g_assert_cmphex(x86_read_linear(core, linear, 8, view), ==, 0x11);
    rig_free(rig);
}

static void
test_pcid(void)
{
    Rig *rig = rig_new("max");
    X86Core *core = rig->core;
    X86View view = X86_VIEW_SUPERVISOR;
    Tables t = build(rig, MODE_4);
    const uint64_t keep = 1ull << 63;

    rig_put(rig, 0x200000, 0x11, 8);
    rig_put(rig, 0x201000, 0x22, 8);
    g_assert_cmpint(RIG_FAULT(rig, x86_write_cr4(core, core->s.cr4 | X86_CR4_PCIDE)), ==, -1);
    x86_write_cr3(core, 0x100001);
    g_assert_cmphex(x86_read_linear(core, linear, 8, view), ==, 0x11);
    rig_put(rig, t.leaf, 0x201000 | P | W | U, 8);
    rig_put(rig, t.leaf + 8, 0x201000 | P | W | U, 8);
    x86_write_cr3(core, 0x100002);
    g_assert_cmphex(x86_read_linear(core, linear + 0x1000, 8, view), ==, 0x22);
    x86_write_cr3(core, 0x100001 | keep);
    g_assert_cmphex(core->s.cr3, ==, 0x100001);
    g_assert_cmphex(x86_read_linear(core, linear, 8, view), ==, 0x11); /* PCID 1's old entry */
    x86_tlb_flush_pcid(core, 2);
    g_assert_cmphex(x86_read_linear(core, linear, 8, view), ==, 0x11);
    x86_tlb_flush_pcid(core, 1);
    g_assert_cmphex(x86_read_linear(core, linear, 8, view), ==, 0x22);
    /* the same address under another PCID never hits */
    rig_put(rig, t.leaf, 0x200000 | P | W | U, 8);
    x86_write_cr3(core, 0x100003);
    g_assert_cmphex(x86_read_linear(core, linear, 8, view), ==, 0x11);
    rig_put(rig, t.leaf, 0x201000 | P | W | U, 8);
    /* contexts run out and start over */
    for (unsigned i = 0; i < 5000; i++) {
        x86_write_cr3(core, 0x100000 | (i & 7));
        g_assert_cmphex(x86_read_linear(core, linear, 8, view), ==, 0x22);
    }
    /* CR4.PCIDE stays while CR0.PG wants to go, and needs CR3[11:0] = 0 to come */
    g_assert_cmpint(RIG_FAULT(rig, x86_write_cr0(core, X86_CR0_PE)), ==, X86_EXC_GP);
    rig_free(rig);
}

/* INVLPG anywhere in a large page drops all of its pieces. */
static void
test_large_page_invlpg(void)
{
    Rig *rig = rig_new("max");
    X86Core *core = rig->core;
    static const Mode modes[] = { MODE_PSE, MODE_PAE_2M, MODE_4_2M };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(modes); i++) {
        Tables t = build(rig, modes[i]);
        uint64_t entry = rig_get(rig, t.leaf, t.entry_bytes);
        uint64_t page = modes[i] == MODE_PSE ? 0x400000 : 0x200000;
        uint64_t base = linear & ~(page - 1);
        for (unsigned k = 0; k < 8; k++) {
            rig_put(rig, page + k * 0x1000, 0xaa, 1);
            rig_put(rig, k * 0x1000, 0xbb, 1);
            x86_read_linear(core, base + k * 0x1000, 1, X86_VIEW_SUPERVISOR);
        }
        rig_put(rig, t.leaf, entry & 0xfff, t.entry_bytes); /* now physical 0 */
        x86_tlb_flush_page(core, base + 0x1ff000);
        for (unsigned k = 0; k < 8; k++) {
            g_assert_cmphex(x86_read_linear(core, base + k * 0x1000, 1, X86_VIEW_SUPERVISOR), ==,
                            0xbb);
        }
    }
    rig_free(rig);
}

/* A write must set D in the tables although a read has filled the TLB before. */
static void
test_dirty_after_read(void)
{
    Rig *rig = rig_new("max");
    Tables t = build(rig, MODE_4);

    rig->core->s.cpl = 0;
    x86_read_linear(rig->core, linear, 8, X86_VIEW_SUPERVISOR);
    g_assert_cmphex(rig_get(rig, t.leaf, 8) & (A | D), ==, A);
    rig->block->dirty[0x200] = 0;
    x86_write_linear(rig->core, linear + 8, 1, 8, X86_VIEW_SUPERVISOR);
    g_assert_cmphex(rig_get(rig, t.leaf, 8) & (A | D), ==, A | D);
    g_assert_cmphex(rig->block->dirty[0x200], ==, VIT_DIRTY_ALL);
    rig_free(rig);
}

static void
test_crossing(void)
{
    Rig *rig = rig_new("max");
    X86Core *core = rig->core;
    Tables t = build(rig, MODE_4);

    rig_put(rig, t.leaf + 8, 0x205000 | P, 8); /* read only, kernel */
    core->s.cr0 |= X86_CR0_WP;
    rig_put(rig, 0x200ffc, 0x44332211, 4);
    rig_put(rig, 0x205000, 0x88776655, 4);
    g_assert_cmphex(x86_read_linear(core, linear + 0xffc, 8, X86_VIEW_SUPERVISOR), ==,
                    0x8877665544332211);
    /* the second page refuses: nothing of the first may have changed */
    g_assert_cmpint(
        RIG_FAULT(rig, x86_write_linear(core, linear + 0xffc, 0, 8, X86_VIEW_SUPERVISOR)), ==,
        X86_EXC_PF);
    g_assert_cmphex(core->s.cr2, ==, linear + 0x1000);
    g_assert_cmphex(core->fault_error, ==, 3);
    g_assert_cmphex(rig_get(rig, 0x200ffc, 4), ==, 0x44332211);
    rig_free(rig);
}

static void
test_windows(void)
{
    Rig *rig = rig_new("max");
    X86Core *core = rig->core;
    X86Rmw rmw;

    rig_protected(rig, 0);
    x86_write(core, X86_DS, RIG_WINDOW + 8, 0x12345678, 4);
    g_assert_cmphex(rig->window_value, ==, 0x12345678);
    g_assert_cmphex(x86_read(core, X86_DS, RIG_WINDOW, 4), ==, 0x12345678);
    x86_rmw_begin(core, X86_DS, RIG_WINDOW, 4, &rmw);
    g_assert_true(rmw.bounced);
    g_assert_true(vit_lock_is_held(&rig->lock));
    *(uint32_t *)rmw.host += 1;
    x86_rmw_end(core, &rmw);
    g_assert_false(vit_lock_is_held(&rig->lock));
    g_assert_cmphex(rig->window_value, ==, 0x12345679);
    g_assert_cmpuint(rig->window_writes, ==, 2);
    /* ROM reads, and keeps what it has */
    rig->rom_block->host[4] = 0x5a;
    x86_write(core, X86_DS, RIG_ROM + 4, 0, 1);
    g_assert_cmphex(x86_read(core, X86_DS, RIG_ROM + 4, 1), ==, 0x5a);
    /* nothing there: ones */
    g_assert_cmphex(x86_read(core, X86_DS, 0x70000000, 4), ==, 0xffffffff);
    /* RAM gives itself */
    x86_rmw_begin(core, X86_DS, 0x5000, 4, &rmw);
    g_assert_true(rmw.host == rig_ram(rig, 0x5000));
    x86_rmw_end(core, &rmw);
    rig_free(rig);
}

static void
test_a20(void)
{
    Rig *rig = rig_new("max");
    X86Core *core = rig->core;

    rig_protected(rig, 0);
    rig_put(rig, 0x5000, 1, 4);
    rig_put(rig, 0x105000, 2, 4);
    g_assert_cmphex(x86_read(core, X86_DS, 0x105000, 4), ==, 2);
    vit_cpu_set_a20(&rig->cpu, false);
    VitCpuExit exit;
    g_assert_true(x86_take_events(core, &exit));
    g_assert_cmphex(x86_read(core, X86_DS, 0x105000, 4), ==, 1);
    vit_cpu_set_a20(&rig->cpu, true);
    g_assert_true(x86_take_events(core, &exit));
    g_assert_cmphex(x86_read(core, X86_DS, 0x105000, 4), ==, 2);
    rig_free(rig);
}

/* Each view has entries of its own: what the kernel may read does not open for the user. */
static void
test_views(void)
{
    Rig *rig = rig_new("max");
    X86Core *core = rig->core;
    Tables t = build(rig, MODE_4);

    rig_put(rig, t.leaf, 0x200000 | P | W, 8);
    x86_read_linear(core, linear, 8, X86_VIEW_SUPERVISOR);
    g_assert_cmpint(RIG_FAULT(rig, x86_read_linear(core, linear, 8, X86_VIEW_USER)), ==,
                    X86_EXC_PF);
    g_assert_cmphex(core->fault_error, ==, 5);
    rig_put(rig, t.leaf, 0x200000 | P | W | U, 8);
    g_assert_cmpint(RIG_FAULT(rig, x86_read_linear(core, linear, 8, X86_VIEW_USER)), ==, -1);
    g_assert_cmpint(RIG_FAULT(rig, x86_read_linear(core, linear, 8, X86_VIEW_SMAP)), ==,
                    X86_EXC_PF);
    g_assert_cmphex(core->fault_error, ==, 1);
    rig_free(rig);
}

static void
test_alignment_check(void)
{
    Rig *rig = rig_new("max");
    X86Core *core = rig->core;

    rig_protected(rig, 3);
    core->s.cr0 |= X86_CR0_AM;
    core->s.rflags |= X86_FLAG_AC;
    g_assert_cmpint(RIG_FAULT(rig, x86_read(core, X86_DS, 0x5000, 4)), ==, -1);
    g_assert_cmpint(RIG_FAULT(rig, x86_read(core, X86_DS, 0x5002, 4)), ==, X86_EXC_AC);
    g_assert_cmphex(core->fault_error, ==, 0);
    g_assert_cmpint(RIG_FAULT(rig, x86_write(core, X86_DS, 0x5001, 0, 2)), ==, X86_EXC_AC);
    core->s.rflags &= ~(uint64_t)X86_FLAG_AC;
    g_assert_cmpint(RIG_FAULT(rig, x86_read(core, X86_DS, 0x5002, 4)), ==, -1);
    rig_free(rig);
}

static void
test_limits(void)
{
    Rig *rig = rig_new("max");
    X86Core *core = rig->core;
    X86Segment *ds = &core->s.seg[X86_DS];

    rig_protected(rig, 0);
    ds->limit = 0x5fff;
    g_assert_cmpint(RIG_FAULT(rig, x86_read(core, X86_DS, 0x5ffc, 4)), ==, -1);
    g_assert_cmpint(RIG_FAULT(rig, x86_read(core, X86_DS, 0x5ffd, 4)), ==, X86_EXC_GP);
    core->s.seg[X86_SS].limit = 0x5fff;
    g_assert_cmpint(RIG_FAULT(rig, x86_read(core, X86_SS, 0x6000, 1)), ==, X86_EXC_SS);
    /* expand down: valid above the limit */
    ds->attr |= X86_SEG_E;
    g_assert_cmpint(RIG_FAULT(rig, x86_read(core, X86_DS, 0x6000, 4)), ==, -1);
    g_assert_cmpint(RIG_FAULT(rig, x86_read(core, X86_DS, 0x5fff, 4)), ==, X86_EXC_GP);
    ds->attr &= ~(uint32_t)X86_SEG_DB;
    g_assert_cmpint(RIG_FAULT(rig, x86_read(core, X86_DS, 0xfffe, 2)), ==, -1);
    g_assert_cmpint(RIG_FAULT(rig, x86_read(core, X86_DS, 0xffff, 2)), ==, X86_EXC_GP);
    /* writes need a writable segment, reads of code a readable one */
    ds->attr &= ~(uint32_t)(X86_SEG_W | X86_SEG_E);
    g_assert_cmpint(RIG_FAULT(rig, x86_write(core, X86_DS, 0x100, 0, 1)), ==, X86_EXC_GP);
    g_assert_cmpint(RIG_FAULT(rig, x86_write(core, X86_CS, 0x100, 0, 1)), ==, X86_EXC_GP);
    core->s.seg[X86_CS].attr &= ~(uint32_t)X86_SEG_R;
    g_assert_cmpint(RIG_FAULT(rig, x86_read(core, X86_CS, 0x100, 1)), ==, X86_EXC_GP);
    g_assert_cmpint(RIG_FAULT(rig, x86_read(core, X86_FS, 0, 1)), ==, X86_EXC_GP); /* null */
    rig_free(rig);
}

static void
test_canonical(void)
{
    Rig *rig = rig_new("max");
    X86Core *core = rig->core;

    rig_long(rig, 0);
    g_assert_cmpint(RIG_FAULT(rig, x86_read(core, X86_DS, 0x5000, 8)), ==, -1);
    g_assert_cmpint(RIG_FAULT(rig, x86_read(core, X86_DS, 0x800000000000, 8)), ==, X86_EXC_GP);
    g_assert_cmpint(RIG_FAULT(rig, x86_read(core, X86_SS, 0x7ffffffffffc, 8)), ==, X86_EXC_SS);
    g_assert_cmpint(RIG_FAULT(rig, x86_read(core, X86_DS, 0x7ffffffffff0, 8)), ==, X86_EXC_PF);
    core->s.seg[X86_FS].base = 0x5000;
    rig_put(rig, 0x5008, 0x77, 8);
    g_assert_cmphex(x86_read(core, X86_FS, 8, 8), ==, 0x77);
    rig_free(rig);
}

static uint64_t
translated(X86Core *core, X86Access access)
{
    X86Translation found;
    uint32_t error;

    return x86_mmu_translate(core, linear, access, X86_VIEW_SUPERVISOR, &found, &error)
               ? found.physical
               : UINT64_MAX;
}

/* The last page table is remembered: until INVLPG at the latest, and not against an access that the
 * tables allow. */
static void
test_tables_kept(void)
{
    static const Mode modes[] = { MODE_PAE, MODE_4, MODE_5 };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(modes); i++) {
        Rig *rig = rig_new("max,la57=on");
        X86Core *core = rig->core;
        Tables t;
        uint64_t upper, other = 0x10e000;

        rig_protected(rig, 0);
        t = build(rig, modes[i]);
        x86_state_changed(core);
        core->s.cr0 |= X86_CR0_WP;
        upper = rig_get(rig, t.upper, 8);
        rig_put(rig, other + (linear >> 12 & 511) * 8, 0x300000 | P | W | U, 8);
        g_assert_cmphex(translated(core, X86_ACCESS_READ), ==, 0x200000);
        rig_put(rig, t.upper, other | P | W | U, 8);
        x86_tlb_flush_page(core, linear);
        g_assert_cmphex(translated(core, X86_ACCESS_READ), ==, 0x300000);
        rig_put(rig, t.upper, 0, 8);
        x86_tlb_load_cr3(core, false);
        g_assert_cmphex(translated(core, X86_ACCESS_READ), ==, UINT64_MAX);
        if (t.has_upper_rights) {
            rig_put(rig, t.upper, upper & ~(uint64_t)W, 8);
            g_assert_cmphex(translated(core, X86_ACCESS_READ), ==, 0x200000);
            g_assert_cmphex(translated(core, X86_ACCESS_WRITE), ==, UINT64_MAX);
            g_assert_cmphex(translated(core, X86_ACCESS_READ), ==, 0x200000);
            rig_put(rig, t.upper, upper, 8);
            g_assert_cmphex(translated(core, X86_ACCESS_WRITE), ==, 0x200000);
        }
        rig_free(rig);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/x86/mmu/rights-matrix", test_matrix);
    g_test_add_func("/x86/mmu/places", test_places);
    g_test_add_func("/x86/mmu/reserved-bits", test_reserved_bits);
    g_test_add_func("/x86/mmu/not-present", test_not_present);
    g_test_add_func("/x86/mmu/protection-keys", test_protection_keys);
    g_test_add_func("/x86/mmu/invalidation", test_invalidation);
    g_test_add_func("/x86/mmu/pcid", test_pcid);
    g_test_add_func("/x86/mmu/large-page-invlpg", test_large_page_invlpg);
    g_test_add_func("/x86/mmu/dirty-after-read", test_dirty_after_read);
    g_test_add_func("/x86/mmu/crossing", test_crossing);
    g_test_add_func("/x86/mmu/windows", test_windows);
    g_test_add_func("/x86/mmu/a20", test_a20);
    g_test_add_func("/x86/mmu/views", test_views);
    g_test_add_func("/x86/mmu/alignment-check", test_alignment_check);
    g_test_add_func("/x86/mmu/limits", test_limits);
    g_test_add_func("/x86/mmu/canonical", test_canonical);
    g_test_add_func("/x86/mmu/tables-kept", test_tables_kept);
    return g_test_run();
}
