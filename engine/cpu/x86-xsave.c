/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* FXSAVE, FXRSTOR and the XSAVE family. Components: x87, SSE, AVX and what AVX-512 and protection
 * keys add, in the standard layout of Intel CPUs (AMD's AVX-512 areas lie elsewhere; guests take
 * places from CPUID leaf 0DH, which x86_xsave_component() feeds).
 *
 * A component counts as in use when it differs from its initial state. The modified optimization
 * of XSAVEOPT and XSAVES is allowed to be absent, and is. IA32_XSS is always 0.
 *
 * Intel SDM volume 1 sections 10.5 and 13.4 to 13.12. Thread: the CPU's own.
 */

#include "x86-exec.h"
#include "x86-fpu.h"
#include "x86-operand.h"

enum {
    LEGACY_SIZE = 512,
    HEADER_SIZE = 64,
    EXTENDED_START = LEGACY_SIZE + HEADER_SIZE,
    AREA_MAX = 2696,
    MXCSR_OFFSET = 24,
    ST_OFFSET = 32,
    XMM_OFFSET = 160,
};
#define XCOMP_COMPACT (1ull << 63)

static const struct {
    uint16_t offset, size;
} components[] = {
    [2] = { 576, 256 },   /* upper halves of YMM */
    [5] = { 1088, 64 },   /* opmasks */
    [6] = { 1152, 512 },  /* upper halves of ZMM0..15 */
    [7] = { 1664, 1024 }, /* ZMM16..31 */
    [9] = { 2688, 8 },    /* PKRU */
};

unsigned
x86_xsave_component(unsigned index, unsigned *out_size)
{
    if (index >= VIT_ARRAY_LEN(components) || components[index].size == 0) {
        *out_size = 0;
        return 0;
    }
    *out_size = components[index].size;
    return components[index].offset;
}

/* ---- The legacy region ---- */

static uint32_t
load32(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, 4);
    return value;
}

static uint64_t
load64(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, 8);
    return value;
}

/* The pointers are kept in 57 bits, sign-extended. */
static uint64_t
canonical(uint64_t address)
{
    return (uint64_t)((int64_t)(address << 7) >> 7);
}

/* AMD CPUs store zeros for the pointers while no error is pending. */
static bool
hides_pointers(const X86Core *core)
{
    return !(core->s.fpu.fsw & X86_FSW_ES) && (strcmp(core->model->vendor, "AuthenticAMD") == 0 ||
                                               strcmp(core->model->vendor, "HygonGenuine") == 0);
}

static void
pack_x87(const X86Core *core, const X86Insn *insn, uint8_t *out)
{
    const X86Fpu *fpu = &core->s.fpu;

    memset(out, 0, MXCSR_OFFSET);
    memcpy(out, &fpu->fcw, 2);
    memcpy(out + 2, &fpu->fsw, 2);
    out[4] = fpu->ftw;
    if (hides_pointers(core)) {
        /* stay zero */
    } else if (insn->rex_w) {
        memcpy(out + 6, &fpu->fop, 2);
        memcpy(out + 8, &fpu->fip, 8);
        memcpy(out + 16, &fpu->fdp, 8);
    } else {
        memcpy(out + 6, &fpu->fop, 2);
        memcpy(out + 8, &fpu->fip, 4);
        memcpy(out + 12, &fpu->fcs, 2);
        memcpy(out + 16, &fpu->fdp, 4);
        memcpy(out + 20, &fpu->fds, 2);
    }
    for (unsigned i = 0; i < 8; i++) {
        memset(out + ST_OFFSET + i * 16, 0, 16);
        memcpy(out + ST_OFFSET + i * 16, &fpu->st[i], 10);
    }
}

static void
unpack_x87(X86Core *core, const X86Insn *insn, const uint8_t *in)
{
    X86Fpu *fpu = &core->s.fpu;

    memcpy(&fpu->fcw, in, 2);
    memcpy(&fpu->fsw, in + 2, 2);
    fpu->fcw = x86_fpu_clean_control(fpu->fcw);
    fpu->ftw = in[4];
    memcpy(&fpu->fop, in + 6, 2);
    fpu->fop &= 0x7ff;
    fpu->fip = 0;
    fpu->fdp = 0;
    if (insn->rex_w) {
        fpu->fip = canonical(load64(in + 8));
        fpu->fdp = canonical(load64(in + 16));
        fpu->fcs = 0;
        fpu->fds = 0;
    } else {
        memcpy(&fpu->fip, in + 8, 4);
        memcpy(&fpu->fcs, in + 12, 2);
        memcpy(&fpu->fdp, in + 16, 4);
        memcpy(&fpu->fds, in + 20, 2);
    }
    for (unsigned i = 0; i < 8; i++) {
        memcpy(&fpu->st[i], in + ST_OFFSET + i * 16, 10);
    }
    x86_fpu_update_summary(fpu);
}

static unsigned
xmm_count(const X86Core *core)
{
    return x86_code64(&core->s) ? 16 : 8;
}

static void
pack_xmm(const X86Core *core, uint8_t *out)
{
    for (unsigned i = 0; i < xmm_count(core); i++) {
        memcpy(out + XMM_OFFSET + i * 16, core->s.zmm[i].u8, 16);
    }
}

static void
unpack_xmm(X86Core *core, const uint8_t *in)
{
    for (unsigned i = 0; i < xmm_count(core); i++) {
        memcpy(core->s.zmm[i].u8, in + XMM_OFFSET + i * 16, 16);
    }
}

static void
check_mxcsr(X86Core *core, const uint8_t *area)
{
    if (load32(area + MXCSR_OFFSET) & ~x86_mxcsr_mask(core)) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
}

static void
store_mxcsr(const X86Core *core, uint8_t *area)
{
    uint32_t mask = x86_mxcsr_mask(core);

    memcpy(area + MXCSR_OFFSET, &core->s.mxcsr, 4);
    memcpy(area + MXCSR_OFFSET + 4, &mask, 4);
}

/* Offset of the operand, which must be aligned: FXSAVE areas to 16 bytes, XSAVE areas to 64. With
 * alignment checking on, the former raise #AC where not even a doubleword is aligned. Before that
 * is looked at, the segment must hold a first doubleword or byte, as the processor has it. */
static uint64_t
aligned_operand(X86Core *core, const X86Insn *insn, unsigned alignment)
{
    uint64_t offset = x86_ea(core, insn);
    uint64_t linear =
        x86_linear(core, insn->segment, offset, alignment == 16 ? 4 : 1, X86_ACCESS_READ);

    if (alignment == 16 && (linear & 3) && x86_alignment_checked(core)) {
        x86_fault_code(core, X86_EXC_AC, 0);
    }
    if (linear & (alignment - 1)) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    return offset;
}

/* AMD: with EFER.FFXSR the XMM registers stay out of it in 64-bit supervisor code. */
static bool
skips_xmm(const X86Core *core)
{
    return (core->s.efer & X86_EFER_FFXSR) && x86_code64(&core->s) && core->s.cpl == 0;
}

static unsigned
fx_length(const X86Core *core)
{
    return skips_xmm(core) ? XMM_OFFSET : XMM_OFFSET + xmm_count(core) * 16;
}

/* One byte of the operand, for its faults. */
static void
probe_read(X86Core *core, const X86Insn *insn, uint64_t offset)
{
    uint8_t byte;

    x86_read_bytes(core, insn->segment, x86_wrap(insn, offset), &byte, 1);
}

static void
probe_write(X86Core *core, const X86Insn *insn, uint64_t offset)
{
    x86_probe_write(core, insn->segment, x86_wrap(insn, offset), 1);
}

/* Parts of an area. Offsets wrap at the address size, which the alignment keeps from falling inside
 * a piece of 16 bytes; those of 64 bits do not wrap between addresses that are canonical. */
static unsigned
piece_length(const X86Insn *insn, unsigned left)
{
    return insn->address_size == 8 ? left : MIN(left, 16);
}

static void
read_area(X86Core *core, const X86Insn *insn, uint64_t offset, uint8_t *out, unsigned len)
{
    for (unsigned done = 0, piece; done < len; done += piece) {
        piece = piece_length(insn, len - done);
        x86_read_bytes(core, insn->segment, x86_wrap(insn, offset + done), out + done, piece);
    }
}

static void
write_area(X86Core *core, const X86Insn *insn, uint64_t offset, const uint8_t *bytes, unsigned len)
{
    for (unsigned done = 0, piece; done < len; done += piece) {
        piece = piece_length(insn, len - done);
        x86_write_bytes(core, insn->segment, x86_wrap(insn, offset + done), bytes + done, piece);
    }
}

void
x86_exec_fxsave(X86Core *core, const X86Insn *insn)
{
    uint8_t area[LEGACY_SIZE];
    uint64_t offset;

    x86_x87_check(core);
    offset = aligned_operand(core, insn, 16);
    pack_x87(core, insn, area);
    store_mxcsr(core, area);
    pack_xmm(core, area);
    probe_write(core, insn, offset + LEGACY_SIZE - 1);
    probe_write(core, insn, offset);
    write_area(core, insn, offset, area, fx_length(core));
}

void
x86_exec_fxrstor(X86Core *core, const X86Insn *insn)
{
    uint8_t area[LEGACY_SIZE];
    uint64_t offset;

    x86_x87_check(core);
    offset = aligned_operand(core, insn, 16);
    probe_read(core, insn, offset + LEGACY_SIZE - 1);
    read_area(core, insn, offset, area, LEGACY_SIZE);
    check_mxcsr(core, area);
    core->s.mxcsr = load32(area + MXCSR_OFFSET);
    unpack_x87(core, insn, area);
    if (!skips_xmm(core)) {
        unpack_xmm(core, area);
    }
}

/* ---- Extended components ---- */

/* Registers of component INDEX as bytes of the area, and back. COUNT vector registers. */
static void
pack_component(const X86Core *core, unsigned index, unsigned count, uint8_t *out)
{
    switch (index) {
    case 2:
        for (unsigned i = 0; i < count; i++) {
            memcpy(out + i * 16, core->s.zmm[i].u8 + 16, 16);
        }
        break;
    case 5: memcpy(out, core->s.opmask, 64); break;
    case 6:
        for (unsigned i = 0; i < count; i++) {
            memcpy(out + i * 32, core->s.zmm[i].u8 + 32, 32);
        }
        break;
    case 7: memcpy(out, &core->s.zmm[16], 1024); break;
    case 9: memcpy(out, &(uint64_t){ core->s.pkru }, 8); break;
    default: break;
    }
}

static void
unpack_component(X86Core *core, unsigned index, const uint8_t *in)
{
    unsigned count = xmm_count(core);
    uint32_t old_pkru = core->s.pkru;

    switch (index) {
    case 2:
        for (unsigned i = 0; i < count; i++) {
            memcpy(core->s.zmm[i].u8 + 16, in + i * 16, 16);
        }
        break;
    case 5: memcpy(core->s.opmask, in, 64); break;
    case 6:
        for (unsigned i = 0; i < count; i++) {
            memcpy(core->s.zmm[i].u8 + 32, in + i * 32, 32);
        }
        break;
    case 7:
        if (count == 16) {
            memcpy(&core->s.zmm[16], in, 1024);
        }
        break;
    case 9:
        core->s.pkru = load32(in);
        x86_tlb_pkru_changed(core, old_pkru);
        break;
    default: break;
    }
}

static bool
is_zero(const uint8_t *bytes, size_t count)
{
    while (count > 0) {
        if (bytes[--count]) {
            return false;
        }
    }
    return true;
}

static bool
x87_in_use(const X86Fpu *fpu)
{
    if (fpu->fcw != 0x37f || fpu->fsw || fpu->ftw || fpu->fop || fpu->fip || fpu->fdp || fpu->fcs ||
        fpu->fds) {
        return true;
    }
    for (unsigned i = 0; i < 8; i++) {
        if (fpu->st[i].mantissa || fpu->st[i].sign_exponent) {
            return true;
        }
    }
    return false;
}

/* Whether words FIRST..LAST of COUNT vector registers from REG on are not all zero. */
static bool
words_in_use(const X86Core *core, unsigned reg, unsigned count, unsigned first, unsigned last)
{
    uint64_t all = 0;

    for (unsigned i = reg; i < reg + count; i++) {
        for (unsigned word = first; word <= last; word++) {
            all |= core->s.zmm[i].u64[word];
        }
    }
    return all;
}

static bool
component_in_use(const X86Core *core, unsigned index)
{
    switch (index) {
    case 0: return x87_in_use(&core->s.fpu);
    case 1: return words_in_use(core, 0, 16, 0, 1);
    case 2: return words_in_use(core, 0, 16, 2, 3);
    case 5: return !is_zero((const uint8_t *)core->s.opmask, sizeof(core->s.opmask));
    case 6: return words_in_use(core, 0, 16, 4, 7);
    case 7: return words_in_use(core, 16, 16, 0, 7);
    case 9: return core->s.pkru;
    default: return false;
    }
}

/* Whatever the mode can see of them. */
static uint64_t
components_in_use(const X86Core *core, uint64_t wanted)
{
    uint64_t used = 0;

    for (unsigned i = 0; i < VIT_ARRAY_LEN(components); i++) {
        if (wanted >> i & 1) {
            used |= (uint64_t)component_in_use(core, i) << i;
        }
    }
    return used;
}

static uint64_t
requested(const X86Core *core)
{
    uint64_t mask = (uint32_t)core->s.gpr[X86_RAX] | core->s.gpr[X86_RDX] << 32;

    return mask & core->s.xcr0;
}

static void
check_xsave(X86Core *core)
{
    if (!(core->s.cr4 & X86_CR4_OSXSAVE)) {
        x86_fault(core, X86_EXC_UD);
    }
    if (core->s.cr0 & X86_CR0_TS) {
        x86_fault(core, X86_EXC_NM);
    }
}

/* Offset of component INDEX in an area of FORMAT (XCOMP_BV; 0 = standard). */
static unsigned
component_offset(uint64_t format, unsigned index)
{
    unsigned offset = EXTENDED_START;

    if (!(format & XCOMP_COMPACT)) {
        return components[index].offset;
    }
    for (unsigned i = 2; i < index; i++) {
        offset += format >> i & 1 ? components[i].size : 0;
    }
    return offset;
}

static unsigned
area_size(uint64_t format, uint64_t mask)
{
    unsigned size = EXTENDED_START;

    for (unsigned i = 2; i < VIT_ARRAY_LEN(components); i++) {
        if (mask >> i & 1) {
            size = MAX(size, component_offset(format, i) + components[i].size);
        }
    }
    return size;
}

/* The faults of a save to an area of SIZE bytes: its two ends, in the order of hardware. */
static void
probe_area(X86Core *core, const X86Insn *insn, uint64_t offset, unsigned size)
{
    probe_write(core, insn, offset);
    probe_write(core, insn, offset + size - 1);
}

/* Stores components MASK of the area at OFFSET, which has been probed. */
static void
store_components(X86Core *core, const X86Insn *insn, uint64_t offset, uint64_t format,
                 uint64_t mask, bool with_mxcsr)
{
    uint8_t area[LEGACY_SIZE], bytes[1024] = { 0 };

    pack_x87(core, insn, area);
    store_mxcsr(core, area);
    pack_xmm(core, area);
    if (mask & X86_XSTATE_X87) {
        write_area(core, insn, offset, area, MXCSR_OFFSET);
        write_area(core, insn, offset + ST_OFFSET, area + ST_OFFSET, 128);
    }
    if (with_mxcsr) {
        write_area(core, insn, offset + MXCSR_OFFSET, area + MXCSR_OFFSET, 8);
    }
    if (mask & X86_XSTATE_SSE) {
        write_area(core, insn, offset + XMM_OFFSET, area + XMM_OFFSET, xmm_count(core) * 16);
    }
    for (unsigned i = 2; i < VIT_ARRAY_LEN(components); i++) {
        if (mask >> i & 1) {
            unsigned size = i == 2 ? xmm_count(core) * 16 : components[i].size;

            pack_component(core, i, xmm_count(core), bytes);
            write_area(core, insn, offset + component_offset(format, i), bytes, size);
        }
    }
}

static void
save_standard(X86Core *core, const X86Insn *insn, bool skip_initial)
{
    uint64_t offset, mask, used, header;

    check_xsave(core);
    offset = aligned_operand(core, insn, 64);
    mask = requested(core);
    probe_area(core, insn, offset, area_size(0, mask));
    header = x86_read(core, insn->segment, x86_wrap(insn, offset + LEGACY_SIZE), 8);
    used = components_in_use(core, mask);
    store_components(core, insn, offset, 0, skip_initial ? used : mask,
                     mask & (X86_XSTATE_SSE | X86_XSTATE_AVX));
    x86_write(core, insn->segment, x86_wrap(insn, offset + LEGACY_SIZE), (header & ~mask) | used,
              8);
}

void
x86_exec_xsave(X86Core *core, const X86Insn *insn)
{
    save_standard(core, insn, false);
}

void
x86_exec_xsaveopt(X86Core *core, const X86Insn *insn)
{
    save_standard(core, insn, true);
}

void
x86_exec_xsavec(X86Core *core, const X86Insn *insn)
{
    uint64_t offset, mask, used, format;

    check_xsave(core);
    offset = aligned_operand(core, insn, 64);
    mask = requested(core);
    format = mask | XCOMP_COMPACT;
    probe_area(core, insn, offset, area_size(format, mask));
    used = components_in_use(core, mask);
    if ((mask & X86_XSTATE_SSE) && core->s.mxcsr != X86_MXCSR_DEFAULT) {
        used |= X86_XSTATE_SSE;
    }
    store_components(core, insn, offset, format, used, used & X86_XSTATE_SSE);
    x86_write(core, insn->segment, x86_wrap(insn, offset + LEGACY_SIZE), used, 8);
    x86_write(core, insn->segment, x86_wrap(insn, offset + LEGACY_SIZE + 8), format, 8);
}

static void
check_supervisor(X86Core *core)
{
    check_xsave(core);
    if (core->s.cpl != 0) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
}

void
x86_exec_xsaves(X86Core *core, const X86Insn *insn)
{
    check_supervisor(core);
    x86_exec_xsavec(core, insn);
}

/* The header checks of section 13.8.1 and 13.8.2. Returns XCOMP_BV. */
static uint64_t
check_header(X86Core *core, const uint8_t *header, bool must_be_compact)
{
    uint64_t present = load64(header), format = load64(header + 8);
    bool bad;

    if (format & XCOMP_COMPACT) {
        bad = (format & ~XCOMP_COMPACT & ~core->s.xcr0) || (present & ~(format & ~XCOMP_COMPACT)) ||
              !is_zero(header + 16, HEADER_SIZE - 16) || !x86_has_feature(core, X86_FEATURE_XSAVEC);
    } else {
        bad = must_be_compact || format || (present & ~core->s.xcr0) || !is_zero(header + 16, 8);
    }
    if (bad) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    return format;
}

static void
init_legacy(X86Core *core, uint64_t mask)
{
    if (mask & X86_XSTATE_X87) {
        x86_fpu_init(&core->s.fpu);
        memset(core->s.fpu.st, 0, sizeof(core->s.fpu.st));
    }
    if (mask & X86_XSTATE_SSE) {
        for (unsigned i = 0; i < xmm_count(core); i++) {
            memset(core->s.zmm[i].u8, 0, 16);
        }
    }
}

static void
load_mxcsr(X86Core *core, const uint8_t *area, uint64_t format, uint64_t mask, uint64_t present)
{
    if (!(format & XCOMP_COMPACT)) {
        if (mask & (X86_XSTATE_SSE | X86_XSTATE_AVX)) {
            core->s.mxcsr = load32(area + MXCSR_OFFSET);
        }
    } else if (mask & X86_XSTATE_SSE) {
        core->s.mxcsr = present & X86_XSTATE_SSE ? load32(area + MXCSR_OFFSET) : X86_MXCSR_DEFAULT;
    }
}

static void
restore(X86Core *core, const X86Insn *insn, bool must_be_compact)
{
    static const uint8_t zero[1024];
    uint8_t area[AREA_MAX];
    uint64_t offset, mask, present, format;
    bool loads_mxcsr;

    offset = aligned_operand(core, insn, 64);
    mask = requested(core);
    probe_read(core, insn, offset);
    read_area(core, insn, offset + LEGACY_SIZE, area + LEGACY_SIZE, HEADER_SIZE);
    format = check_header(core, area + LEGACY_SIZE, must_be_compact);
    probe_read(core, insn, offset + area_size(format, mask) - 1);
    read_area(core, insn, offset, area, LEGACY_SIZE);
    present = load64(area + LEGACY_SIZE) & mask;
    for (unsigned i = 2; i < VIT_ARRAY_LEN(components); i++) {
        if (present >> i & 1) {
            unsigned at = component_offset(format, i);

            read_area(core, insn, offset + at, area + at, components[i].size);
        }
    }
    loads_mxcsr = format & XCOMP_COMPACT ? present & X86_XSTATE_SSE
                                         : mask & (X86_XSTATE_SSE | X86_XSTATE_AVX);
    if (loads_mxcsr) {
        check_mxcsr(core, area);
    }
    load_mxcsr(core, area, format, mask, present);
    init_legacy(core, mask & ~present);
    if (present & X86_XSTATE_X87) {
        unpack_x87(core, insn, area);
    }
    if (present & X86_XSTATE_SSE) {
        unpack_xmm(core, area);
    }
    for (unsigned i = 2; i < VIT_ARRAY_LEN(components); i++) {
        if ((mask >> i & 1) && components[i].size) {
            unpack_component(core, i, present >> i & 1 ? area + component_offset(format, i) : zero);
        }
    }
}

void
x86_exec_xrstor(X86Core *core, const X86Insn *insn)
{
    check_xsave(core);
    restore(core, insn, false);
}

void
x86_exec_xrstors(X86Core *core, const X86Insn *insn)
{
    check_supervisor(core);
    restore(core, insn, true);
}
