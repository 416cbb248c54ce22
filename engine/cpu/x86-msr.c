/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Model-specific registers: one table, a row per register or run of registers.
 *
 * Intel SDM volume 4 (numbers, bits), volume 3 11.11 (MTRRs), 11.12 (PAT), 15.3 (machine check),
 * 17.17 (TSC, TSC_ADJUST), 10.12 (x2APIC); AMD APM volume 2 appendix A and the BKDG names of what
 * operating systems touch on AMD models. A register that no row names is #GP, like on hardware.
 * Values marked fixed read as given and swallow writes where hardware lets software write them.
 * Thread: the CPU's own. */

#include "x86-system.h"

#include "vit-clock.h"

typedef struct MsrRow MsrRow;
struct MsrRow {
    uint32_t first, last;
    const char *name;
    uint16_t feature;
    uint16_t offset;     /* in X86State, of FIRST; 0 with no READ: reads FIXED */
    uint64_t write_mask; /* bits that may be set; others are #GP. 0 = read only */
    uint64_t fixed;
    bool swallow; /* writes go nowhere */
    bool (*read)(X86Core *core, const MsrRow *row, uint32_t index, uint64_t *out_value);
    bool (*write)(X86Core *core, const MsrRow *row, uint32_t index, uint64_t value);
};

/* ---- TSC ---- */

uint64_t
x86_tsc(const X86Core *core)
{
    return vit_clock_ticks(core->cpu->host->clock, core->model->tsc_hz) + core->s.tsc_offset +
           core->s.svm.tsc_offset;
}

/* Gives the board the virtual time of the deadline, which moves when the TSC does. */
static void
set_deadline(X86Core *core, uint64_t tsc)
{
    const VitCpuHost *host = core->cpu->host;
    int64_t deadline_ns = 0;

    if (tsc) {
        int64_t left = tsc - x86_tsc(core);
        int64_t now = vit_clock_get_ns(host->clock);
        __int128 left_ns = (__int128)left * VIT_NS_PER_SEC / (int64_t)core->model->tsc_hz;
        __int128 when = left <= 0 ? now : now + left_ns + 1;
        deadline_ns = when > G_MAXINT64 ? G_MAXINT64 : (int64_t)when;
    }
    vit_lock_take(vit_address_space_lock(host->memory));
    host->apic_set_tsc_deadline(host->opaque, tsc, deadline_ns);
    vit_lock_release(vit_address_space_lock(host->memory));
}

static uint64_t
get_deadline(const X86Core *core)
{
    const VitCpuHost *host = core->cpu->host;

    vit_lock_take(vit_address_space_lock(host->memory));
    uint64_t value = host->apic_get_tsc_deadline(host->opaque);
    vit_lock_release(vit_address_space_lock(host->memory));
    return value;
}

static void
move_tsc(X86Core *core, uint64_t delta)
{
    core->s.tsc_offset += delta;
    core->s.tsc_adjust += delta;
    if (core->cpu->host->apic_get_tsc_deadline) {
        uint64_t deadline = get_deadline(core);
        if (deadline) {
            set_deadline(core, deadline);
        }
    }
}

static bool
read_tsc(X86Core *core, const MsrRow *row, uint32_t index, uint64_t *out_value)
{
    *out_value = x86_tsc(core);
    return true;
}

static bool
write_tsc(X86Core *core, const MsrRow *row, uint32_t index, uint64_t value)
{
    move_tsc(core, value - x86_tsc(core));
    return true;
}

static bool
write_tsc_adjust(X86Core *core, const MsrRow *row, uint32_t index, uint64_t value)
{
    move_tsc(core, value - core->s.tsc_adjust);
    return true;
}

static bool
read_tsc_deadline(X86Core *core, const MsrRow *row, uint32_t index, uint64_t *out_value)
{
    if (!core->cpu->host->apic_get_tsc_deadline) {
        return false;
    }
    *out_value = get_deadline(core);
    return true;
}

static bool
write_tsc_deadline(X86Core *core, const MsrRow *row, uint32_t index, uint64_t value)
{
    if (!core->cpu->host->apic_set_tsc_deadline) {
        return false;
    }
    set_deadline(core, value);
    return true;
}

/* ---- Local APIC ---- */

static bool
read_apic_base(X86Core *core, const MsrRow *row, uint32_t index, uint64_t *out_value)
{
    const VitCpuHost *host = core->cpu->host;

    if (!host->apic_get_base) {
        return false;
    }
    vit_lock_take(vit_address_space_lock(host->memory));
    *out_value = host->apic_get_base(host->opaque);
    vit_lock_release(vit_address_space_lock(host->memory));
    return true;
}

static bool
write_apic_base(X86Core *core, const MsrRow *row, uint32_t index, uint64_t value)
{
    const VitCpuHost *host = core->cpu->host;
    uint64_t x2apic = x86_has_feature(core, X86_FEATURE_X2APIC) ? 1u << 10 : 0;
    uint64_t allowed = 0x900 | x2apic | (((1ull << core->model->phys_bits) - 1) & ~0xfffull);

    if (!host->apic_set_base || (value & ~allowed)) {
        return false;
    }
    vit_lock_take(vit_address_space_lock(host->memory));
    bool good = host->apic_set_base(host->opaque, value);
    vit_lock_release(vit_address_space_lock(host->memory));
    return good;
}

static bool
read_x2apic(X86Core *core, const MsrRow *row, uint32_t index, uint64_t *out_value)
{
    const VitCpuHost *host = core->cpu->host;

    if (!host->apic_read_msr) {
        return false;
    }
    vit_lock_take(vit_address_space_lock(host->memory));
    bool good = host->apic_read_msr(host->opaque, index - 0x800, out_value);
    vit_lock_release(vit_address_space_lock(host->memory));
    return good;
}

static bool
write_x2apic(X86Core *core, const MsrRow *row, uint32_t index, uint64_t value)
{
    const VitCpuHost *host = core->cpu->host;

    if (!host->apic_write_msr) {
        return false;
    }
    vit_lock_take(vit_address_space_lock(host->memory));
    bool good = host->apic_write_msr(host->opaque, index - 0x800, value);
    vit_lock_release(vit_address_space_lock(host->memory));
    return good;
}

/* ---- Registers with a shape of their own ---- */

static uint64_t *
state_field(X86Core *core, const MsrRow *row, uint32_t index)
{
    return (uint64_t *)((char *)&core->s + row->offset) + (index - row->first);
}

static bool
write_canonical(X86Core *core, const MsrRow *row, uint32_t index, uint64_t value)
{
    if (!x86_is_canonical(core, value)) {
        return false;
    }
    *state_field(core, row, index) = value;
    return true;
}

static bool
write_segment_base(X86Core *core, const MsrRow *row, uint32_t index, uint64_t value)
{
    if (!x86_is_canonical(core, value)) {
        return false;
    }
    core->s.seg[index == 0xc0000100 ? X86_FS : X86_GS].base = value;
    return true;
}

static bool
read_segment_base(X86Core *core, const MsrRow *row, uint32_t index, uint64_t *out_value)
{
    *out_value = core->s.seg[index == 0xc0000100 ? X86_FS : X86_GS].base;
    return true;
}

static bool
write_efer(X86Core *core, const MsrRow *row, uint32_t index, uint64_t value)
{
    /* LMA follows LME and paging; a write leaves it as it is */
    value = (value & ~(uint64_t)X86_EFER_LMA) | (core->s.efer & X86_EFER_LMA);
    if (!x86_efer_valid(core, value)) {
        return false;
    }
    x86_set_efer(core, value);
    return true;
}

static bool
is_memory_type(uint64_t type, bool is_pat)
{
    return type == 0 || type == 1 || (type >= 4 && type <= 6) || (is_pat && type == 7);
}

static bool
write_memory_types(X86Core *core, const MsrRow *row, uint32_t index, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        if (!is_memory_type(value >> (8 * i) & 0xff, index == 0x277)) {
            return false;
        }
    }
    *state_field(core, row, index) = value;
    return true;
}

static uint64_t *
mtrr_fixed_field(X86Core *core, uint32_t index)
{
    unsigned slot = index == 0x250 ? 0 : index <= 0x259 ? index - 0x258 + 1 : index - 0x268 + 3;

    return &core->s.mtrr_fixed[slot];
}

static bool
read_mtrr_fixed(X86Core *core, const MsrRow *row, uint32_t index, uint64_t *out_value)
{
    *out_value = *mtrr_fixed_field(core, index);
    return true;
}

static bool
write_mtrr_fixed(X86Core *core, const MsrRow *row, uint32_t index, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        if (!is_memory_type(value >> (8 * i) & 0xff, false)) {
            return false;
        }
    }
    *mtrr_fixed_field(core, index) = value;
    return true;
}

static uint64_t *
mtrr_variable_field(X86Core *core, uint32_t index)
{
    unsigned slot = (index - 0x200) / 2;

    return index & 1 ? &core->s.mtrr_mask[slot] : &core->s.mtrr_base[slot];
}

static bool
read_mtrr_variable(X86Core *core, const MsrRow *row, uint32_t index, uint64_t *out_value)
{
    *out_value = *mtrr_variable_field(core, index);
    return true;
}

static bool
write_mtrr_variable(X86Core *core, const MsrRow *row, uint32_t index, uint64_t value)
{
    uint64_t low = index & 1 ? 0x800 : 0xff;

    if ((value >> core->model->phys_bits) || (value & 0xfff & ~low) ||
        (!(index & 1) && !is_memory_type(value & 0xff, false))) {
        return false;
    }
    *mtrr_variable_field(core, index) = value;
    return true;
}

static bool
write_mtrr_default(X86Core *core, const MsrRow *row, uint32_t index, uint64_t value)
{
    if ((value & ~0xcffull) || !is_memory_type(value & 0xff, false)) {
        return false;
    }
    core->s.mtrr_def_type = value;
    return true;
}

static bool
write_mce_bank(X86Core *core, const MsrRow *row, uint32_t index, uint64_t value)
{
    /* control is free; status, address and misc can only be cleared */
    if ((index & 3) && value) {
        return false;
    }
    *state_field(core, row, index) = value;
    return true;
}

static bool
write_mcg_ctl(X86Core *core, const MsrRow *row, uint32_t index, uint64_t value)
{
    if (value != 0 && value != UINT64_MAX) {
        return false;
    }
    core->s.mcg_ctl = value;
    return true;
}

static bool
write_feature_control(X86Core *core, const MsrRow *row, uint32_t index, uint64_t value)
{
    if ((core->s.feature_control & 1) || (value & ~0x100005ull)) {
        return false; /* locked */
    }
    core->s.feature_control = value;
    return true;
}

/* A microcode update "succeeds" without changing anything. */
static bool
write_nothing(X86Core *core, const MsrRow *row, uint32_t index, uint64_t value)
{
    return true;
}

static bool
read_arch_capabilities(X86Core *core, const MsrRow *row, uint32_t index, uint64_t *out_value)
{
    static const uint16_t bits[] = {
        X86_FEATURE_RDCTL_NO,           X86_FEATURE_IBRS_ALL, X86_FEATURE_RSBA,
        X86_FEATURE_SKIP_L1DFL_VMENTRY, X86_FEATURE_SSB_NO,   X86_FEATURE_MDS_NO,
        X86_FEATURE_PSCHANGE_MC_NO,     X86_FEATURE_TSX_CTRL, X86_FEATURE_TAA_NO,
    };

    *out_value = 0;
    for (unsigned i = 0; i < VIT_ARRAY_LEN(bits); i++) {
        *out_value |= (uint64_t)x86_has_feature(core, bits[i]) << i;
    }
    return true;
}

/* SVM is disabled where there is none. */
static bool
read_vm_cr(X86Core *core, const MsrRow *row, uint32_t index, uint64_t *out_value)
{
    *out_value = x86_has_feature(core, X86_FEATURE_SVM) ? 0 : 0x10;
    return true;
}

/* Ratio of the maximum non-turbo frequency to 100 MHz, in bits 8..15. */
static bool
read_platform_info(X86Core *core, const MsrRow *row, uint32_t index, uint64_t *out_value)
{
    *out_value = (core->model->tsc_hz / 100000000 & 0xff) << 8;
    return true;
}

static bool
read_perf_status(X86Core *core, const MsrRow *row, uint32_t index, uint64_t *out_value)
{
    *out_value = 1000ull | 4ull << 40; /* what guests know as "no frequency control" */
    return true;
}

/* On AMD models without counters the registers are there and do nothing. */
static bool
read_pmu(X86Core *core, const MsrRow *row, uint32_t index, uint64_t *out_value)
{
    *out_value = 0;
    return !core->model->has_pmu || x86_pmu_read(core, index, out_value);
}

static bool
write_pmu(X86Core *core, const MsrRow *row, uint32_t index, uint64_t value)
{
    return !core->model->has_pmu || x86_pmu_write(core, index, value);
}

static bool
write_pmu_status(X86Core *core, const MsrRow *row, uint32_t index, uint64_t value)
{
    return x86_pmu_clear_status(core, value);
}

/* ---- The table ---- */

#define AT(field)          .offset = offsetof(X86State, field)
#define ONE(number)        .first = number, .last = number
#define RUN(number, count) .first = number, .last = (number) + (count)-1
#define READ_ONLY(value)   .fixed = value
#define SWALLOW            .swallow = true
#define ANY_VALUE          .write_mask = UINT64_MAX
#define FEATURE(name)      .feature = X86_FEATURE_##name

/* Sorted by number. */
static const MsrRow msr_rows[] = {
    { RUN(0x000, 2), "P5_MC", FEATURE(MCE), SWALLOW },
    { ONE(0x010), "TIME_STAMP_COUNTER", FEATURE(TSC), .read = read_tsc, .write = write_tsc },
    { ONE(0x017), "PLATFORM_ID" },
    { ONE(0x01b), "APIC_BASE", FEATURE(APIC), .read = read_apic_base, .write = write_apic_base },
    { ONE(0x02a), "EBL_CR_POWERON", SWALLOW },
    { ONE(0x02c), "EBC_FREQUENCY_ID" },
    { ONE(0x033), "TEST_CTRL", SWALLOW },
    { ONE(0x03a), "FEATURE_CONTROL", AT(feature_control), .write = write_feature_control },
    { ONE(0x03b), "TSC_ADJUST", FEATURE(TSC_ADJUST), AT(tsc_adjust), .write = write_tsc_adjust },
    { ONE(0x048), "SPEC_CTRL", AT(spec_ctrl), .write_mask = 7 },
    { ONE(0x049), "PRED_CMD", .write = write_nothing },
    { ONE(0x079), "BIOS_UPDT_TRIG", .write = write_nothing },
    { ONE(0x08b), "BIOS_SIGN_ID", AT(microcode_version), .write = write_nothing },
    { ONE(0x09b), "SMM_MONITOR_CTL" },
    { ONE(0x09e), "SMBASE", AT(smbase) },
    { RUN(0x0c1, 4), "PMC", .read = read_pmu, .write = write_pmu },
    { ONE(0x0cd), "FSB_FREQ", READ_ONLY(3) },
    { ONE(0x0ce), "PLATFORM_INFO", .read = read_platform_info },
    { ONE(0x0fe), "MTRRCAP", FEATURE(MTRR), READ_ONLY(0x500 | X86_MTRR_VARIABLE) },
    { ONE(0x10a), "ARCH_CAPABILITIES", FEATURE(ARCH_CAPABILITIES), .read = read_arch_capabilities },
    { ONE(0x10b), "FLUSH_CMD", .write = write_nothing },
    { ONE(0x119), "BBL_CR_CTL", SWALLOW },
    { ONE(0x11e), "BBL_CR_CTL3", SWALLOW, .fixed = 0x01000101 },
    { ONE(0x122), "TSX_CTRL", FEATURE(TSX_CTRL), AT(tsx_ctrl), .write_mask = 3 },
    { ONE(0x140), "MISC_FEATURES_ENABLES", SWALLOW },
    { ONE(0x174), "SYSENTER_CS", FEATURE(SEP), AT(sysenter_cs), ANY_VALUE },
    { ONE(0x175), "SYSENTER_ESP", FEATURE(SEP), AT(sysenter_esp), .write = write_canonical },
    { ONE(0x176), "SYSENTER_EIP", FEATURE(SEP), AT(sysenter_eip), .write = write_canonical },
    { ONE(0x179), "MCG_CAP", FEATURE(MCA), READ_ONLY(0x100 | 10) },
    { ONE(0x17a), "MCG_STATUS", FEATURE(MCA), AT(mcg_status), .write_mask = 7 },
    { ONE(0x17b), "MCG_CTL", FEATURE(MCA), AT(mcg_ctl), .write = write_mcg_ctl },
    { RUN(0x186, 4), "PERFEVTSEL", .read = read_pmu, .write = write_pmu },
    { ONE(0x198), "PERF_STATUS", .read = read_perf_status },
    { ONE(0x199), "PERF_CTL", SWALLOW },
    { RUN(0x19a, 3), "CLOCK_MODULATION, THERM_INTERRUPT, THERM_STATUS", FEATURE(ACPI), SWALLOW },
    { ONE(0x1a0), "MISC_ENABLE", AT(misc_enable), ANY_VALUE },
    { ONE(0x1a2), "TEMPERATURE_TARGET" },
    { ONE(0x1b0), "ENERGY_PERF_BIAS", SWALLOW },
    { ONE(0x1c9), "LASTBRANCH_TOS" },
    { ONE(0x1d9), "DEBUGCTL", AT(debugctl), .write_mask = 0xffff },
    { RUN(0x1db, 4), "LASTBRANCH, LASTINT" },
    { RUN(0x200, 2 * X86_MTRR_VARIABLE), "MTRR_PHYSBASE, MTRR_PHYSMASK", FEATURE(MTRR),
      .read = read_mtrr_variable, .write = write_mtrr_variable },
    { ONE(0x250), "MTRR_FIX64K", FEATURE(MTRR), .read = read_mtrr_fixed,
      .write = write_mtrr_fixed },
    { RUN(0x258, 2), "MTRR_FIX16K", FEATURE(MTRR), .read = read_mtrr_fixed,
      .write = write_mtrr_fixed },
    { RUN(0x268, 8), "MTRR_FIX4K", FEATURE(MTRR), .read = read_mtrr_fixed,
      .write = write_mtrr_fixed },
    { ONE(0x277), "PAT", FEATURE(PAT), AT(pat), .write = write_memory_types },
    { ONE(0x2ff), "MTRR_DEF_TYPE", FEATURE(MTRR), AT(mtrr_def_type), .write = write_mtrr_default },
    { RUN(0x309, 3), "FIXED_CTR", .read = read_pmu, .write = write_pmu },
    { RUN(0x38d, 3), "FIXED_CTR_CTRL, GLOBAL_STATUS, GLOBAL_CTRL", .read = read_pmu,
      .write = write_pmu },
    { ONE(0x390), "GLOBAL_OVF_CTRL", .write = write_pmu_status },
    { RUN(0x400, 40), "MCi", FEATURE(MCA), AT(mce_banks), .write = write_mce_bank },
    { ONE(0x6e0), "TSC_DEADLINE", FEATURE(TSC_DEADLINE), .read = read_tsc_deadline,
      .write = write_tsc_deadline },
    { RUN(0x800, 0x100), "x2APIC", FEATURE(X2APIC), .read = read_x2apic, .write = write_x2apic },
    { ONE(0xda0), "XSS", FEATURE(XSAVES), AT(xss), READ_ONLY(0), SWALLOW },
    { ONE(0xc0000080), "EFER", AT(efer), .write = write_efer },
    { ONE(0xc0000081), "STAR", FEATURE(SYSCALL), AT(star), ANY_VALUE },
    { ONE(0xc0000082), "LSTAR", FEATURE(LM), AT(lstar), .write = write_canonical },
    { ONE(0xc0000083), "CSTAR", FEATURE(LM), AT(cstar), .write = write_canonical },
    { ONE(0xc0000084), "SFMASK", FEATURE(LM), AT(sfmask), .write_mask = 0xffffffff },
    { RUN(0xc0000100, 2), "FS_BASE, GS_BASE", FEATURE(LM), .read = read_segment_base,
      .write = write_segment_base },
    { ONE(0xc0000102), "KERNEL_GS_BASE", FEATURE(LM), AT(kernel_gs_base),
      .write = write_canonical },
    { ONE(0xc0000103), "TSC_AUX", AT(tsc_aux), .write_mask = 0xffffffff },
    { RUN(0xc0010000, 8), "PERFEVTSEL, PERFCTR", .read = read_pmu, .write = write_pmu },
    { ONE(0xc0010010), "SYSCFG", SWALLOW },
    { ONE(0xc0010015), "HWCR", AT(hwcr), ANY_VALUE },
    { RUN(0xc0010016, 4), "IORR", SWALLOW },
    { ONE(0xc001001a), "TOP_MEM", SWALLOW },
    { ONE(0xc001001d), "TOP_MEM2", SWALLOW },
    { ONE(0xc001001f), "NB_CFG", SWALLOW },
    { ONE(0xc0010055), "INT_PENDING", SWALLOW },
    { ONE(0xc0010058), "MMIO_CFG_BASE", SWALLOW },
    { ONE(0xc0010112), "SMM_ADDR", SWALLOW },
    { ONE(0xc0010113), "SMM_MASK", SWALLOW },
    { ONE(0xc0010114), "VM_CR", .read = read_vm_cr, .write = write_nothing },
    { ONE(0xc0010117), "VM_HSAVE_PA", AT(vm_hsave_pa), .write_mask = 0x000ffffffffff000 },
    { RUN(0xc0010140, 2), "OSVW", FEATURE(OSVW), SWALLOW },
    { RUN(0xc0011020, 12), "LS_CFG ... BU_CFG", READ_ONLY(2), SWALLOW }, /* LFENCE serialises */
};

static bool
is_amd(const X86CpuModel *model)
{
    return g_str_equal(model->vendor, "AuthenticAMD") || g_str_equal(model->vendor, "HygonGenuine");
}

/* Whether the model has an AMD register: those rows answer for AMD models alone. */
static bool
vendor_has(const X86CpuModel *model, uint32_t index)
{
    return index < 0xc0010000 || index > 0xc001ffff || is_amd(model);
}

static bool
feature_has(const X86CpuModel *model, const MsrRow *row)
{
    switch (row->first) {
    case 0x0c1:
    case 0x186:
    case 0x309:
    case 0x38d:
    case 0x390: return model->has_pmu && !is_amd(model);
    case 0x048: /* each of several features brings it */
        return x86_model_has(model, X86_FEATURE_SPEC_CTRL) ||
               x86_model_has(model, X86_FEATURE_STIBP) || x86_model_has(model, X86_FEATURE_SSBD) ||
               x86_model_has(model, X86_FEATURE_IBRS) ||
               x86_model_has(model, X86_FEATURE_AMD_STIBP) ||
               x86_model_has(model, X86_FEATURE_AMD_SSBD);
    case 0x049:
        return x86_model_has(model, X86_FEATURE_SPEC_CTRL) ||
               x86_model_has(model, X86_FEATURE_IBPB);
    case 0xc0000080:
        return x86_model_has(model, X86_FEATURE_LM) || x86_model_has(model, X86_FEATURE_NX) ||
               x86_model_has(model, X86_FEATURE_SYSCALL);
    case 0xc0000103:
        return x86_model_has(model, X86_FEATURE_RDTSCP) || x86_model_has(model, X86_FEATURE_RDPID);
    default: return x86_model_has(model, row->feature);
    }
}

static const MsrRow *
find_msr(const X86Core *core, uint32_t index)
{
    size_t low = 0, high = VIT_ARRAY_LEN(msr_rows);

    while (low < high) {
        size_t middle = (low + high) / 2;
        const MsrRow *row = &msr_rows[middle];
        if (index < row->first) {
            high = middle;
        } else if (index > row->last) {
            low = middle + 1;
        } else {
            return vendor_has(core->model, index) && feature_has(core->model, row) ? row : NULL;
        }
    }
    return NULL;
}

bool
x86_msr_read(X86Core *core, uint32_t index, uint64_t *out_value)
{
    const MsrRow *row = find_msr(core, index);

    if (!row) {
        return false;
    }
    if (row->read) {
        return row->read(core, row, index, out_value);
    }
    if (row->write == write_nothing && !row->offset) {
        return false; /* command registers are write only */
    }
    *out_value = row->offset ? *state_field(core, row, index) : row->fixed;
    return true;
}

bool
x86_msr_write(X86Core *core, uint32_t index, uint64_t value)
{
    const MsrRow *row = find_msr(core, index);

    if (!row) {
        return false;
    }
    if (row->write) {
        return row->write(core, row, index, value);
    }
    if (row->swallow) {
        return true;
    }
    if (!row->write_mask || (value & ~row->write_mask)) {
        return false;
    }
    *state_field(core, row, index) = value;
    return true;
}

const char *
x86_msr_name(unsigned row, uint32_t *out_first, uint32_t *out_last)
{
    if (row >= VIT_ARRAY_LEN(msr_rows)) {
        return NULL;
    }
    *out_first = msr_rows[row].first;
    *out_last = msr_rows[row].last;
    return msr_rows[row].name;
}
