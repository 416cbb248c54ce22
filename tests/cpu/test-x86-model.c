/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* -cpu text, CPUID leaves and the MSR table. Leaves that describe a fixed format (XSAVE areas) are
 * compared with the host's own CPUID. */

#include "x86-model-rows.h"
#include "x86-rig.h"
#include "x86-save.h"

#include <cpuid.h>

static X86CpuModel
parse(const char *text)
{
    X86CpuModel model;
    g_autoptr(GError) error = NULL;
    bool good = x86_model_parse(text, &model, NULL, &error);

    g_assert_no_error(error);
    g_assert_true(good);
    return model;
}

static char *
parse_error(const char *text)
{
    X86CpuModel model;
    GError *error = NULL;

    g_assert_false(x86_model_parse(text, &model, NULL, &error));
    g_assert_nonnull(error);
    char *message = g_strdup(error->message);
    g_error_free(error);
    return message;
}

static void
test_every_model(void)
{
    const char *name, *title;
    unsigned count = 0;

    for (unsigned i = 0; (name = x86_model_name(i, &title)); i++, count++) {
        X86CpuModel model;
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
        bool good = x86_model_parse(name, &model, warnings, &error);
        if (g_str_equal(name, "host")) {
            g_assert_false(good);
            continue;
        }
        g_assert_no_error(error);
        g_assert_nonnull(title);
        g_assert_cmpstr(model.name, ==, name);
        g_assert_cmpuint(strlen(model.vendor), ==, 12);
        g_assert_cmpuint(model.phys_bits, >=, 32);
    }
    g_assert_cmpuint(count, >=, 130);
}

static bool
is_feature(const char *name)
{
    const char *known;

    for (unsigned i = 1; (known = x86_feature_name(i)); i++) {
        if (g_str_equal(name, known)) {
            return true;
        }
    }
    return false;
}

/* Names in the model rows: none may be lost to a slip, and parents come before. */
static void
test_rows(void)
{
    for (unsigned i = 0; i < x86_model_row_count; i++) {
        const X86ModelRow *row = &x86_model_rows[i];
        g_auto(GStrv) names = g_strsplit(row->features, " ", -1);
        bool parent_seen = !row->parent;
        for (unsigned k = 0; k < i; k++) {
            parent_seen |= g_strcmp0(row->parent, x86_model_rows[k].name) == 0;
        }
        g_assert_true(parent_seen);
        for (unsigned k = 0; names[k]; k++) {
            const char *name = names[k] + (*names[k] == '-');
            if (*name && !is_feature(name)) {
                g_error("%s: \"%s\" is no feature", row->name, name);
            }
        }
    }
}

static void
test_settings(void)
{
    X86CpuModel model = parse("qemu64");
    g_assert_cmpstr(model.vendor, ==, "AuthenticAMD");
    g_assert_true(x86_model_has(&model, X86_FEATURE_LM));
    g_assert_true(x86_model_has(&model, X86_FEATURE_HYPERVISOR));
    g_assert_true(x86_model_has(&model, X86_FEATURE_SVM));
    model = parse("qemu64,+smep,-nx,pcid=on,smap,sse3=off");
    g_assert_true(x86_model_has(&model, X86_FEATURE_SMEP));
    g_assert_false(x86_model_has(&model, X86_FEATURE_NX));
    g_assert_true(x86_model_has(&model, X86_FEATURE_PCID));
    g_assert_true(x86_model_has(&model, X86_FEATURE_SMAP));
    g_assert_false(x86_model_has(&model, X86_FEATURE_SSE3));
    model = parse("Nehalem,vendor=GenuineFooXX,model-id=My CPU,family=6,model=0x1a,stepping=3,"
                  "phys-bits=46,tsc-frequency=2G");
    g_assert_cmpstr(model.vendor, ==, "GenuineFooXX");
    g_assert_cmpstr(model.model_id, ==, "My CPU");
    g_assert_cmpuint(model.phys_bits, ==, 46);
    g_assert_cmpuint(model.model, ==, 0x1a);
    model = parse("qemu64,sse4_1=on,tsc_adjust,hv_relaxed,hv-spinlocks=0x1fff,kvm=off,check");
    g_assert_true(x86_model_has(&model, X86_FEATURE_TSC_ADJUST));
    model = parse("486");
    g_assert_false(x86_model_has(&model, X86_FEATURE_TSC));
    g_assert_cmpuint(model.phys_bits, ==, 32);
    model = parse("max");
    g_assert_true(x86_model_has(&model, X86_FEATURE_LA57));
    g_assert_cmpuint(model.virt_bits, ==, 57);
    model = parse("max,-la57");
    g_assert_cmpuint(model.virt_bits, ==, 48);
}

static void
test_errors(void)
{
    static const struct {
        const char *text, *part;
    } rows[] = {
        { "Haswel", "\"Haswell\"" },
        { "qemu64,+smepp", "\"smep\"" },
        { "qemu64,smepp=on", "\"smep\"" },
        { "qemu64,smep=perhaps", "perhaps" },
        { "qemu64,vendor=short", "12 characters" },
        { "qemu64,family=1000", "family" },
        { "qemu64,phys-bits=20", "phys-bits" },
        { "qemu64,+vmx,enforce", "vmx" },
        { "host", "-accel kvm" },
        { "Haswell,legacy-cache=off", "legacy-cache" },
    };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(rows); i++) {
        g_autofree char *message = parse_error(rows[i].text);
        if (!strstr(message, rows[i].part)) {
            g_error("\"%s\" says \"%s\", without %s", rows[i].text, message, rows[i].part);
        }
    }
    /* without enforce: a warning that names the feature, and on with it */
    X86CpuModel model;
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    g_assert_true(x86_model_parse("qemu64,+vmx", &model, warnings, NULL));
    g_assert_cmpuint(warnings->len, ==, 1);
    g_assert_nonnull(strstr(g_ptr_array_index(warnings, 0), "vmx"));
}

static void
test_leaves(void)
{
    X86CpuModel model = parse("max,model-id=Some CPU text");
    X86State *s = g_aligned_alloc0(1, sizeof(*s), 64);
    uint32_t r[4];

    s->xcr0 = 1;
    x86_cpuid(&model, s, 0, 0, 0, r);
    g_assert_cmpuint(r[0], >=, 0xd);
    g_assert_cmpmem(&r[1], 4, "Auth", 4);
    g_assert_cmpmem(&r[3], 4, "enti", 4);
    g_assert_cmpmem(&r[2], 4, "cAMD", 4);
    x86_cpuid(&model, s, 5, 1, 0, r);
    g_assert_cmphex(r[0], ==, 0x00060fb1);
    g_assert_cmphex(r[1] >> 24, ==, 5);
    g_assert_cmphex(r[2] & 1u << 27, ==, 0);
    s->cr4 |= X86_CR4_OSXSAVE | X86_CR4_PKE;
    x86_cpuid(&model, s, 5, 1, 0, r);
    g_assert_cmphex(r[2] & 1u << 27, ==, x86_model_has(&model, X86_FEATURE_XSAVE) ? 1u << 27 : 0);
    x86_cpuid(&model, s, 0, 7, 0, r);
    g_assert_cmphex(r[2] & 0x18, ==, 0x18); /* PKU and OSPKE */
    x86_cpuid(&model, s, 0, 0x40000000, 0, r);
    g_assert_cmpmem(&r[1], 12, "TCGTCGTCGTCG", 12);
    char brand[49] = { 0 };
    for (unsigned i = 0; i < 3; i++) {
        x86_cpuid(&model, s, 0, 0x80000002 + i, 0, (uint32_t *)(brand + 16 * i));
    }
    g_assert_cmpstr(brand, ==, "Some CPU text");
    x86_cpuid(&model, s, 0, 0x80000008, 0, r);
    g_assert_cmphex(r[0] & 0xffff, ==, 57 << 8 | 40);
    /* beyond the last leaf */
    uint32_t last[4];
    x86_cpuid(&model, s, 0, 0x7fffffff, 0, r);
    x86_cpuid(&model, s, 0, model.max_leaf, 0, last);
    g_assert_cmpmem(r, 16, last, 16);
    g_aligned_free(s);
}

static void
test_topology(void)
{
    X86CpuModel model = parse("Haswell");
    X86State *s = g_aligned_alloc0(1, sizeof(*s), 64);
    uint32_t r[4];

    x86_topology_set(&model, 2, 1, 3, 2);
    x86_cpuid(&model, s, 0, 1, 0, r);
    g_assert_cmpuint(r[1] >> 16 & 0xff, ==, 6);
    g_assert_cmphex(r[3] & 1u << 28, !=, 0);
    x86_cpuid(&model, s, 3, 0xb, 0, r);
    g_assert_cmpuint(r[0], ==, 1);
    g_assert_cmpuint(r[1], ==, 2);
    g_assert_cmphex(r[2], ==, 0x100);
    g_assert_cmpuint(r[3], ==, 3);
    x86_cpuid(&model, s, 3, 0xb, 1, r);
    g_assert_cmpuint(r[0], ==, 3);
    g_assert_cmpuint(r[1], ==, 6);
    x86_cpuid(&model, s, 3, 0xb, 2, r);
    g_assert_cmphex(r[1] | (r[2] & 0xff00), ==, 0);
    /* numbers of APIC ids, which go by powers of two */
    x86_cpuid(&model, s, 0, 4, 3, r);
    g_assert_cmpuint(r[0] >> 14 & 0xfff, ==, 7);
    g_assert_cmpuint(r[0] >> 26, ==, 3);
    g_aligned_free(s);
}

static void
test_apic_ids(void)
{
    X86CpuModel model = parse("Skylake-Server");
    X86State *s = g_aligned_alloc0(1, sizeof(*s), 64);
    uint32_t r[4];

    x86_topology_set(&model, 2, 2, 3, 2);
    g_assert_cmpuint(x86_topology_apic_id(&model, 0), ==, 0);
    g_assert_cmpuint(x86_topology_apic_id(&model, 5), ==, 5);
    g_assert_cmpuint(x86_topology_apic_id(&model, 6), ==, 8);
    g_assert_cmpuint(x86_topology_apic_id(&model, 12), ==, 16);
    g_assert_cmpuint(x86_topology_apic_id(&model, 23), ==, 29);
    x86_cpuid(&model, s, 29, 0x1f, 2, r); /* dies raise the last leaf */
    g_assert_cmphex(r[0], ==, 4);
    g_assert_cmphex(r[1], ==, 12);
    g_assert_cmphex(r[2], ==, 0x502);
    g_assert_cmphex(r[3], ==, 29);
    model = parse("Skylake-Server,level=13");
    x86_topology_set(&model, 1, 2, 2, 2);
    g_assert_cmphex(model.max_leaf, ==, 13);
    model = parse("qemu64");
    x86_topology_set(&model, 300, 1, 1, 1);
    g_assert_cmpuint(x86_topology_apic_id(&model, 299), ==, 299);
    model = parse("Haswell,cpuid-0xb=off");
    x86_cpuid(&model, s, 0, 0xb, 0, r);
    g_assert_cmphex(r[0] | r[1] | r[2] | r[3], ==, 0);
    g_aligned_free(s);
}

/* Values that virtual CPUs of these names are known by. */
static void
test_caches(void)
{
    static const struct {
        const char *text;
        uint32_t leaf, subleaf, regs[4];
    } rows[] = {
        { "Haswell", 2, 0, { 1, 0, 0x4d, 0x2c307d } },
        { "Haswell", 4, 0, { 0x121, 0x01c0003f, 0x3f, 1 } },
        { "Haswell", 4, 2, { 0x143, 0x03c0003f, 0xfff, 1 } },
        { "Haswell", 4, 3, { 0x163, 0x03c0003f, 0x3fff, 6 } },
        { "Haswell", 4, 4, { 0 } },
        { "Haswell,l3-cache=off", 4, 3, { 0 } },
        { "Haswell,l3-cache=off", 2, 0, { 1, 0, 0, 0x2c307d } },
        { "qemu64", 2, 0, { 0 } },
        { "qemu64", 0x80000005, 0, { 0x01ff01ff, 0x01ff01ff, 0x40020140, 0x40020140 } },
        { "qemu64", 0x80000006, 0, { 0, 0x42004200, 0x02008140, 0x00808140 } },
        { "qemu64,l3-cache=off", 0x80000006, 0, { 0, 0x42004200, 0x02008140, 0 } },
        { "EPYC", 0x80000005, 0, { 0x01ff01ff, 0x01ff01ff, 0x20080140, 0x40040140 } },
        { "EPYC", 0x80000006, 0, { 0, 0x42004200, 0x02006140, 0x00408140 } },
        { "EPYC-v3", 0x8000001d, 1, { 0x122, 0x00c0003f, 0xff, 1 } },
        { "EPYC-Rome", 0x80000006, 0, { 0, 0x42004200, 0x02006140, 0x00808140 } },
        { "EPYC-Milan", 0x8000001d, 3, { 0x163, 0x03c0003f, 0x7fff, 6 } },
        { "EPYC,legacy-cache=on", 0x80000006, 0, { 0, 0x42004200, 0x02008140, 0x00808140 } },
    };
    X86State *s = g_aligned_alloc0(1, sizeof(*s), 64);

    for (unsigned i = 0; i < VIT_ARRAY_LEN(rows); i++) {
        X86CpuModel model = parse(rows[i].text);
        uint32_t r[4];
        x86_cpuid(&model, s, 0, rows[i].leaf, rows[i].subleaf, r);
        if (memcmp(r, rows[i].regs, sizeof(r)) != 0) {
            g_error("%s leaf %x.%u: %x %x %x %x", rows[i].text, rows[i].leaf, rows[i].subleaf, r[0],
                    r[1], r[2], r[3]);
        }
    }
    g_aligned_free(s);
}

/* mission: x.cpu.hypervisor-props */
static void
test_warnings(void)
{
    static const struct {
        const char *text, *part;
    } rows[] = {
        { "Haswell,+intel-pt", "TCG doesn't support requested feature: CPUID.07H:EBX.intel-pt "
                               "[bit 25]" },
        { "Denverton", "MSR(10AH).rdctl-no [bit 0]" },
        { "qemu64,hv_relaxed", "Hyper-V" },
    };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(rows); i++) {
        g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
        X86CpuModel model;
        bool found = false;

        g_assert_true(x86_model_parse(rows[i].text, &model, warnings, NULL));
        for (unsigned w = 0; w < warnings->len; w++) {
            found |= strstr(g_ptr_array_index(warnings, w), rows[i].part) != NULL;
        }
        if (!found) {
            g_error("%s: nothing is said of \"%s\"", rows[i].text, rows[i].part);
        }
    }
    /* what hangs on another goes with it */
    X86CpuModel model = parse("max,-xsave");
    g_assert_false(x86_model_has(&model, X86_FEATURE_XSAVEOPT));
    model = parse("max,migratable=on");
    g_assert_false(x86_model_has(&model, X86_FEATURE_INVTSC));
    model = parse("max,migratable=on,+invtsc");
    g_assert_true(x86_model_has(&model, X86_FEATURE_INVTSC));
}

static void
test_xsave_areas_against_host(void)
{
    X86CpuModel model = parse("max");
    X86State *s = g_aligned_alloc0(1, sizeof(*s), 64);
    unsigned h[4] = { 0 };
    uint32_t r[4];

    if (!x86_model_has(&model, X86_FEATURE_XSAVE) || !x86_model_has(&model, X86_FEATURE_AVX) ||
        !__get_cpuid_count(0xd, 2, &h[0], &h[1], &h[2], &h[3])) {
        g_test_skip("no XSAVE or AVX here");
    } else {
        x86_cpuid(&model, s, 0, 0xd, 2, r);
        g_assert_cmpuint(r[0], ==, h[0]);
        g_assert_cmpuint(r[1], ==, h[1]);
        s->xcr0 = 7;
        x86_cpuid(&model, s, 0, 0xd, 0, r);
        g_assert_cmpuint(r[1], ==, 832);
    }
    g_aligned_free(s);
}

/* ---- MSRs ---- */

static void
test_msr_table(void)
{
    uint32_t first, last, before = 0;

    for (unsigned i = 0; x86_msr_name(i, &first, &last); i++) {
        g_assert_cmphex(first, <=, last);
        if (i) {
            g_assert_cmphex(first, >, before); /* the search needs order */
        }
        before = last;
    }
}

static void
test_msrs(void)
{
    Rig *rig = rig_new("max");
    X86Core *core = rig->core;
    uint64_t value;

    rig_long(rig, 0);
    g_assert_false(x86_msr_read(core, 0x12345678, &value));
    g_assert_false(x86_msr_write(core, 0x12345678, 0));
    g_assert_true(x86_msr_write(core, 0xc0000100, 0xffff800000001234));
    g_assert_cmphex(core->s.seg[X86_FS].base, ==, 0xffff800000001234);
    g_assert_true(x86_msr_read(core, 0xc0000100, &value));
    g_assert_cmphex(value, ==, 0xffff800000001234);
    g_assert_true(x86_msr_read(core, 0x277, &value));
    g_assert_cmphex(value, ==, 0x0007040600070406);
    g_assert_false(x86_msr_write(core, 0x277, 2)); /* no such memory type */
    /* EFER: LMA follows paging, LME holds while paging is on */
    g_assert_true(x86_msr_read(core, 0xc0000080, &value));
    g_assert_cmphex(value & 0x500, ==, 0x500);
    g_assert_false(x86_msr_write(core, 0xc0000080, value & ~0x100ull));
    g_assert_false(x86_msr_write(core, 0xc0000080, value | 1u << 13)); /* LMSLE */
    g_assert_true(x86_msr_write(core, 0xc0000080, value & ~0x400ull));
    g_assert_true(x86_long_mode(&core->s));
    /* MTRRs */
    g_assert_true(x86_msr_read(core, 0xfe, &value));
    g_assert_cmphex(value, ==, 0x508);
    g_assert_true(x86_msr_write(core, 0x200, 0x80000006));
    g_assert_false(x86_msr_write(core, 0x200, 0x80000002));
    g_assert_true(x86_msr_write(core, 0x20f, 0xff80000800));
    g_assert_false(x86_msr_write(core, 0x20f, 1ull << 41));
    g_assert_true(x86_msr_write(core, 0x26f, 0x0606060606060606));
    g_assert_cmphex(core->s.mtrr_fixed[10], ==, 0x0606060606060606);
    g_assert_true(x86_msr_write(core, 0x2ff, 0xc06));
    g_assert_false(x86_msr_write(core, 0x2ff, 0x1000));
    /* canonical registers, in 5-level paging too */
    g_assert_false(x86_msr_write(core, 0xc0000082, 0x0100000000000000));
    g_assert_true(x86_msr_write(core, 0xc0000103, 0xffffffff));
    g_assert_false(x86_msr_write(core, 0xc0000103, 1ull << 32));
    rig_free(rig);
}

static void
test_tsc(void)
{
    Rig *rig = rig_new("max,tsc-frequency=2000000000");
    X86Core *core = rig->core;
    uint64_t value;

    g_assert_cmpuint(x86_tsc(core), ==, 0);
    vit_lock_take(&rig->lock);
    vit_clock_step_to(rig->clock, 1000);
    vit_lock_release(&rig->lock);
    g_assert_cmpuint(x86_tsc(core), ==, 2000);
    g_assert_true(x86_msr_write(core, 0x10, 5000));
    g_assert_cmpuint(x86_tsc(core), ==, 5000);
    g_assert_true(x86_msr_read(core, 0x3b, &value)); /* TSC_ADJUST saw the step */
    g_assert_cmpuint(value, ==, 3000);
    g_assert_true(x86_msr_write(core, 0x3b, 0));
    g_assert_cmpuint(x86_tsc(core), ==, 2000);
    /* 4000 ticks are 2000 ns from now, rounded up */
    g_assert_true(x86_msr_write(core, 0x6e0, 6000));
    g_assert_cmpint(rig->deadline_ns, ==, 3001);
    g_assert_true(x86_msr_write(core, 0x10, 4000)); /* the deadline comes nearer */
    g_assert_cmpint(rig->deadline_ns, ==, 2001);
    g_assert_true(x86_msr_write(core, 0x6e0, 0));
    g_assert_cmpuint(rig->deadline, ==, 0);
    rig_free(rig);
}

static void
test_vendors(void)
{
    Rig *intel = rig_new("max,vendor=GenuineIntel");
    Rig *amd = rig_new("max");
    uint64_t value;

    g_assert_false(x86_msr_read(intel->core, 0xc0010015, &value));
    g_assert_true(x86_msr_read(amd->core, 0xc0010015, &value));
    g_assert_true(x86_msr_write(amd->core, 0xc0010015, 1u << 24));
    g_assert_true(x86_msr_read(amd->core, 0xc0010015, &value));
    g_assert_cmphex(value, ==, 1u << 24);
    rig_free(intel);
    rig_free(amd);
}

/* ---- SMM: what RSM brings back is what SMI saved ---- */

static void
test_smm(const void *data)
{
    Rig *rig = rig_new(data);
    X86State *s = &rig->core->s;
    X86State *before = g_aligned_alloc0(1, sizeof(*before), 64);

    if (x86_model_has(&rig->model, X86_FEATURE_LM)) {
        rig_long(rig, 3);
    } else {
        rig_protected(rig, 3);
    }
    for (unsigned i = 0; i < (x86_model_has(&rig->model, X86_FEATURE_LM) ? 16 : 8); i++) {
        s->gpr[i] = 0x1111 * (i + 1);
    }
    s->rip = 0x4321;
    s->rflags = 2 | X86_FLAG_IF | X86_FLAG_CF;
    s->smbase = 0x30000;
    s->activity = X86_HALTED;
    *before = *s;
    x86_smm_enter(rig->core);
    g_assert_true(s->in_smm);
    g_assert_cmphex(s->rip, ==, 0x8000);
    g_assert_cmphex(s->seg[X86_CS].base, ==, 0x30000);
    g_assert_true(x86_real_mode(s));
    g_assert_cmphex(rig_get(rig, 0x3fefc, 4), ==,
                    x86_model_has(&rig->model, X86_FEATURE_LM) ? 0x20064 : 0x20000);
    /* SMBASE relocation */
    rig_put(rig, x86_model_has(&rig->model, X86_FEATURE_LM) ? 0x3ff00 : 0x3fef8, 0xa0000, 4);
    g_assert_cmpint(RIG_FAULT(rig, x86_smm_resume(rig->core)), ==, -1);
    g_assert_cmphex(s->smbase, ==, 0xa0000);
    s->smbase = 0x30000;
    g_assert_cmpint(s->activity, ==, X86_HALTED);
    g_assert_cmphex(rig->core->next_rip, ==, 0x4321);
    g_assert_cmpmem(s->gpr, sizeof(s->gpr), before->gpr, sizeof(before->gpr));
    g_assert_cmphex(s->rflags, ==, before->rflags);
    g_assert_cmphex(s->cr0, ==, before->cr0);
    g_assert_cmphex(s->cr3, ==, before->cr3);
    g_assert_cmphex(s->cr4, ==, before->cr4);
    g_assert_cmphex(s->efer, ==, before->efer);
    g_assert_cmpuint(s->cpl, ==, 3);
    for (unsigned i = 0; i < X86_SEG_LAST; i++) {
        g_assert_cmphex(s->seg[i].selector, ==, before->seg[i].selector);
        g_assert_cmphex(s->seg[i].attr, ==, before->seg[i].attr);
        g_assert_cmphex(s->seg[i].limit, ==, before->seg[i].limit);
        g_assert_cmphex(s->seg[i].base, ==, before->seg[i].base);
    }
    g_assert_cmphex(s->tr.base, ==, before->tr.base);
    g_assert_cmphex(s->idtr.limit, ==, before->idtr.limit);
    g_assert_cmpint(RIG_FAULT(rig, x86_smm_resume(rig->core)), ==, X86_EXC_UD);
    g_aligned_free(before);
    rig_free(rig);
}

/* ---- Saved state ---- */

static void
test_save(void)
{
    Rig *rig = rig_new("max");
    X86State *s = &rig->core->s;
    X86State *before = g_aligned_alloc0(1, sizeof(*before), 64);
    g_autoptr(GError) error = NULL;

    rig_long(rig, 3);
    for (unsigned i = 0; i < 16; i++) {
        s->gpr[i] = 0x0101010101010101 * i;
        s->zmm[i].u64[7] = i + 1;
    }
    s->mce_banks[3][2] = 77;
    *before = *s;
    VitStateWriter *writer = vit_state_writer_new();
    vit_state_write_section(writer, "cpu0", "x86-cpu", X86_STATE_VERSION, x86_state_fields, s);
    g_autoptr(GBytes) bytes = vit_state_writer_finish(writer);
    x86_state_reset(rig->core, false);
    VitStateReader *reader = vit_state_reader_new(bytes, &error);
    unsigned version;
    g_assert_true(vit_state_read_section(reader, "cpu0", "x86-cpu", X86_STATE_VERSION,
                                         x86_state_fields, s, &version, &error));
    g_assert_no_error(error);
    vit_state_reader_free(reader);
    g_assert_true(x86_state_accept(rig->core, &error));
    /* compared as a stream again: padding is nobody's */
    VitStateWriter *again = vit_state_writer_new();
    vit_state_write_section(again, "cpu0", "x86-cpu", X86_STATE_VERSION, x86_state_fields, s);
    g_autoptr(GBytes) same = vit_state_writer_finish(again);
    g_assert_true(g_bytes_equal(bytes, same));
    g_assert_cmphex(s->mce_banks[3][2], ==, 77);
    g_assert_cmphex(s->zmm[15].u64[7], ==, 16);
    g_assert_cmphex(s->gpr[15], ==, before->gpr[15]);
    /* what no instruction could have made is refused */
    s->cpl = 4;
    g_assert_false(x86_state_accept(rig->core, &error));
    g_assert_nonnull(strstr(error->message, "cpl"));
    g_clear_error(&error);
    *s = *before;
    s->mxcsr = 0xffffffff;
    g_assert_false(x86_state_accept(rig->core, &error));
    g_clear_error(&error);
    *s = *before;
    s->efer &= ~(uint64_t)X86_EFER_LME;
    g_assert_false(x86_state_accept(rig->core, &error));
    g_aligned_free(before);
    rig_free(rig);
}

/* Bytes of X86State that no field names: none but padding. */
static void
test_save_covers_state(void)
{
    uint8_t *seen = g_malloc0(sizeof(X86State));
    unsigned missing = 0;

    for (const VitField *field = x86_state_fields; field->name; field++) {
        memset(seen + field->offset, 1, (size_t)field->size * field->count);
    }
    for (size_t i = 0; i < sizeof(X86State); i++) {
        missing += !seen[i];
    }
    /* alignment after cpl (with the FXSAVE image on 64 bytes), bools and the end */
    g_assert_cmpuint(missing, <, 192);
    for (size_t i = 0; i + 8 < sizeof(X86State); i += 8) {
        bool hole = true;
        for (unsigned k = 0; k < 8; k++) {
            hole &= !seen[i + k];
        }
        bool before_image = i > offsetof(X86State, cpl) && i < offsetof(X86State, fpu);
        bool before_vectors =
            i >= offsetof(X86State, fpu) + sizeof(X86Fpu) && i < offsetof(X86State, zmm);
        bool at_end = i > offsetof(X86State, pending_error);
        g_assert_true(!hole || before_image || before_vectors || at_end);
    }
    g_free(seen);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/x86/model/every", test_every_model);
    g_test_add_func("/x86/model/rows", test_rows);
    g_test_add_func("/x86/model/settings", test_settings);
    g_test_add_func("/x86/model/errors", test_errors);
    g_test_add_func("/x86/cpuid/leaves", test_leaves);
    g_test_add_func("/x86/cpuid/topology", test_topology);
    g_test_add_func("/x86/cpuid/apic-ids", test_apic_ids);
    g_test_add_func("/x86/cpuid/caches", test_caches);
    g_test_add_func("/x86/cpuid/warnings", test_warnings);
    g_test_add_func("/x86/cpuid/xsave", test_xsave_areas_against_host);
    g_test_add_func("/x86/msr/table", test_msr_table);
    g_test_add_func("/x86/msr/registers", test_msrs);
    g_test_add_func("/x86/msr/tsc", test_tsc);
    g_test_add_func("/x86/msr/vendors", test_vendors);
    g_test_add_data_func("/x86/smm/64", "max", test_smm);
    g_test_add_data_func("/x86/smm/32", "pentium3", test_smm);
    g_test_add_func("/x86/save/round-trip", test_save);
    g_test_add_func("/x86/save/covers-state", test_save_covers_state);
    return g_test_run();
}
