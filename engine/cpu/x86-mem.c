/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Memory accessors behind the inline hit path: segment checks, pages without a TLB entry, device
 * windows, accesses that cross pages, read-modify-write.
 *
 * Intel SDM volume 3 5.3 and 5.5 (limits, types), 6.15 #AC, volume 1 3.3.7.1 (canonical form).
 * Everything is checked before the first byte moves. A read-modify-write that cannot work on host
 * memory itself holds the device lock from begin to end, which makes such ones atomic among each
 * other. Thread: the CPU's own. */

#include "x86-exec.h"
#include "x86-system.h"

/* ---- Segments ---- */

bool
x86_segment_within_limit(const X86Segment *seg, uint64_t offset, size_t len)
{
    uint64_t last = offset + len - 1;

    if ((seg->attr & (X86_SEG_CODE | X86_SEG_E | X86_SEG_S)) == (X86_SEG_E | X86_SEG_S)) {
        uint64_t top = seg->attr & X86_SEG_DB ? 0xffffffffu : 0xffffu;
        return offset > seg->limit && last <= top;
    }
    return last <= seg->limit;
}

static bool
type_allows(const X86Segment *seg, X86Access access)
{
    if (!(seg->attr & X86_SEG_P)) {
        return false;
    }
    if (access == X86_ACCESS_WRITE) {
        return (seg->attr & (X86_SEG_CODE | X86_SEG_W)) == X86_SEG_W;
    }
    return !(seg->attr & X86_SEG_CODE) || (seg->attr & X86_SEG_R);
}

int
x86_segment_check(const X86Core *core, const X86Segment *seg, unsigned segment, uint64_t offset,
                  size_t len, X86Access access)
{
    if (x86_code64(&core->s)) {
        uint64_t linear = segment >= X86_FS ? seg->base + offset : offset;
        if (!x86_is_canonical(core, offset) || !x86_is_canonical(core, linear) ||
            !x86_is_canonical(core, linear + len - 1)) {
            return segment == X86_SS ? X86_EXC_SS : X86_EXC_GP;
        }
        return -1;
    }
    bool checks_type = !x86_real_mode(&core->s) && !x86_v8086(&core->s);
    if (checks_type && !type_allows(seg, access)) {
        return X86_EXC_GP;
    }
    if (!x86_segment_within_limit(seg, offset, len)) {
        return segment == X86_SS ? X86_EXC_SS : X86_EXC_GP;
    }
    return -1;
}

uint64_t
x86_linear(X86Core *core, unsigned segment, uint64_t offset, size_t len, X86Access access)
{
    const X86Segment *seg = &core->s.seg[segment];
    int vector = x86_segment_check(core, seg, segment, offset, len, access);

    if (vector >= 0) {
        x86_fault_code(core, vector, 0);
    }
    if (x86_code64(&core->s)) {
        return segment >= X86_FS ? seg->base + offset : offset;
    }
    return (uint32_t)(seg->base + offset);
}

bool
x86_would_fault(X86Core *core, unsigned segment, uint64_t offset, size_t len, X86Access access)
{
    X86Translation unused;
    uint64_t linear;
    uint32_t error;

    if (x86_segment_check(core, &core->s.seg[segment], segment, offset, len, access) >= 0) {
        return true;
    }
    linear = x86_linear(core, segment, offset, len, access);
    return !x86_mmu_translate(core, linear, access, x86_view(core), &unused, &error) ||
           !x86_mmu_translate(core, linear + len - 1, access, x86_view(core), &unused, &error);
}

static void
check_alignment(X86Core *core, uint64_t linear, unsigned size)
{
    if ((linear & (size - 1)) && x86_alignment_checked(core)) {
        x86_fault_code(core, X86_EXC_AC, 0);
    }
}

/* ---- Pages ---- */

void
x86_mark_written_slow(X86Core *core, uint8_t *dirty, uint64_t linear, size_t len)
{
    if (core->hooks && !(__atomic_load_n(dirty, __ATOMIC_SEQ_CST) & VIT_DIRTY_CODE)) {
        core->hooks->code_written(core, dirty, linear & 0xfff, len);
    } else {
        /* not a bit that somebody may have cleared since it was looked at */
        __atomic_fetch_or(dirty, core->hooks ? VIT_DIRTY_ALL & ~VIT_DIRTY_CODE : VIT_DIRTY_ALL,
                          __ATOMIC_RELEASE);
    }
}

void
x86_page_fault(X86Core *core, uint64_t linear, uint32_t error)
{
    core->svm_cr2 = core->s.cr2;
    core->s.cr2 = x86_long_mode(&core->s) ? linear : (uint32_t)linear;
    x86_fault_code(core, X86_EXC_PF, error);
}

static X86TlbEntry *
fill_or_fault(X86Core *core, uint64_t linear, X86Access access, X86View view)
{
    uint32_t error;
    X86TlbEntry *entry = x86_tlb_slot(core, linear, view);

    if (x86_tlb_hit(core, entry, linear, access)) {
        return entry;
    }
    entry = x86_tlb_fill(core, linear, access, view, &error);
    if (!entry) {
        x86_page_fault(core, linear, error);
    }
    return entry;
}

/* First byte of the next page, wrapped where linear addresses are 32 bits wide. */
static uint64_t
next_page(const X86Core *core, uint64_t linear)
{
    uint64_t next = (linear | 0xfff) + 1;
    return x86_long_mode(&core->s) ? next : (uint32_t)next;
}

/* One piece inside a page: where it lies, copied out of the TLB because filling the second page
 * may evict the first. */
typedef struct Piece {
    uint8_t *host;  /* NULL: not readable as memory */
    uint8_t *dirty; /* NULL: not writable as memory */
    uint64_t physical;
    size_t len;
} Piece;

static Piece
find_piece(X86Core *core, uint64_t linear, size_t len, X86Access access, X86View view)
{
    X86TlbEntry *entry = fill_or_fault(core, linear, access, view);

    if (!x86_long_mode(&core->s)) {
        linear = (uint32_t)linear;
    }
    return (Piece){ .host = entry->host ? (uint8_t *)(entry->host + linear) : NULL,
                    .dirty = entry->dirty,
                    .physical = entry->physical | (linear & 0xfff),
                    .len = len };
}

/* Splits [linear, linear+len) at the page boundary; all faults happen here. */
static unsigned
find_pieces(X86Core *core, uint64_t linear, size_t len, X86Access access, X86View view,
            Piece pieces[2])
{
    size_t first = VIT_PAGE_SIZE - (linear & 0xfff);

    if (len <= first) {
        pieces[0] = find_piece(core, linear, len, access, view);
        return 1;
    }
    pieces[0] = find_piece(core, linear, first, access, view);
    pieces[1] = find_piece(core, next_page(core, linear), len - first, access, view);
    return 2;
}

static void
read_piece(X86Core *core, const Piece *piece, uint8_t *out)
{
    if (piece->host) {
        memcpy(out, piece->host, piece->len);
    } else {
        x86_phys_read_bytes(core, piece->physical, out, piece->len);
    }
}

static void
write_piece(X86Core *core, const Piece *piece, const uint8_t *from)
{
    if (piece->dirty) {
        memcpy(piece->host, from, piece->len);
        x86_mark_written(core, piece->dirty, (uintptr_t)piece->host, piece->len);
    } else {
        x86_phys_write_bytes(core, piece->physical, from, piece->len);
    }
}

uint64_t
x86_read_linear(X86Core *core, uint64_t linear, unsigned size, X86View view)
{
    Piece pieces[2];
    uint8_t buffer[8] = { 0 };

    if (find_pieces(core, linear, size, X86_ACCESS_READ, view, pieces) == 2) {
        read_piece(core, &pieces[0], buffer);
        read_piece(core, &pieces[1], buffer + pieces[0].len);
        return x86_host_load(buffer, 8);
    }
    if (pieces[0].host) {
        return x86_host_load(pieces[0].host, size);
    }
    return x86_phys_read(core, pieces[0].physical, size);
}

void
x86_write_linear(X86Core *core, uint64_t linear, uint64_t value, unsigned size, X86View view)
{
    Piece pieces[2];
    uint8_t buffer[8];

    if (find_pieces(core, linear, size, X86_ACCESS_WRITE, view, pieces) == 2) {
        x86_host_store(buffer, value, 8);
        write_piece(core, &pieces[0], buffer);
        write_piece(core, &pieces[1], buffer + pieces[0].len);
    } else if (pieces[0].dirty) {
        x86_host_store(pieces[0].host, value, size);
        x86_mark_written(core, pieces[0].dirty, (uintptr_t)pieces[0].host, size);
    } else {
        x86_phys_write(core, pieces[0].physical, value, size);
    }
}

void
x86_read_linear_bytes(X86Core *core, uint64_t linear, void *buf, size_t len, X86View view)
{
    Piece pieces[2];
    unsigned count = find_pieces(core, linear, len, X86_ACCESS_READ, view, pieces);
    uint8_t *out = buf;

    for (unsigned i = 0; i < count; i++) {
        read_piece(core, &pieces[i], out);
        out += pieces[i].len;
    }
}

void
x86_write_linear_bytes(X86Core *core, uint64_t linear, const void *buf, size_t len, X86View view)
{
    Piece pieces[2];
    unsigned count = find_pieces(core, linear, len, X86_ACCESS_WRITE, view, pieces);
    const uint8_t *from = buf;

    for (unsigned i = 0; i < count; i++) {
        write_piece(core, &pieces[i], from);
        from += pieces[i].len;
    }
}

void
x86_probe_linear(X86Core *core, uint64_t linear, size_t len, X86Access access, X86View view)
{
    Piece pieces[2];

    find_pieces(core, linear, len, access, view, pieces);
}

/* ---- By segment ---- */

uint64_t
x86_read_slow(X86Core *core, unsigned segment, uint64_t offset, unsigned size)
{
    uint64_t linear = x86_linear(core, segment, offset, size, X86_ACCESS_READ);

    check_alignment(core, linear, size);
    uint64_t value = x86_read_linear(core, linear, size, x86_view(core));
    if (core->mmu->watching) {
        x86_debug_note_access(core, linear, size, false);
    }
    return value;
}

void
x86_write_slow(X86Core *core, unsigned segment, uint64_t offset, uint64_t value, unsigned size)
{
    uint64_t linear = x86_linear(core, segment, offset, size, X86_ACCESS_WRITE);

    check_alignment(core, linear, size);
    x86_write_linear(core, linear, value, size, x86_view(core));
    if (core->mmu->watching) {
        x86_debug_note_access(core, linear, size, true);
    }
}

uint64_t
x86_read(X86Core *core, unsigned segment, uint64_t offset, unsigned size)
{
    return x86_read_fast(core, segment, offset, size);
}

void
x86_write(X86Core *core, unsigned segment, uint64_t offset, uint64_t value, unsigned size)
{
    x86_write_fast(core, segment, offset, value, size);
}

void
x86_read_bytes(X86Core *core, unsigned segment, uint64_t offset, void *buf, size_t len)
{
    uint64_t linear = x86_linear(core, segment, offset, len, X86_ACCESS_READ);

    x86_read_linear_bytes(core, linear, buf, len, x86_view(core));
    if (core->mmu->watching) {
        x86_debug_note_access(core, linear, len, false);
    }
}

void
x86_write_bytes(X86Core *core, unsigned segment, uint64_t offset, const void *buf, size_t len)
{
    uint64_t linear = x86_linear(core, segment, offset, len, X86_ACCESS_WRITE);

    x86_write_linear_bytes(core, linear, buf, len, x86_view(core));
    if (core->mmu->watching) {
        x86_debug_note_access(core, linear, len, true);
    }
}

void
x86_probe_write(X86Core *core, unsigned segment, uint64_t offset, size_t len)
{
    uint64_t linear = x86_linear(core, segment, offset, len, X86_ACCESS_WRITE);

    x86_probe_linear(core, linear, len, X86_ACCESS_WRITE, x86_view(core));
}

/* ---- Read-modify-write ---- */

void
x86_rmw_begin(X86Core *core, unsigned segment, uint64_t offset, unsigned size, X86Rmw *rmw)
{
    uint64_t linear = 0;
    Piece pieces[2];

    rmw->size = size;
    if (x86_linear_fast(core, segment, offset, size, true, &linear) &&
        (linear & 0xfff) + size <= VIT_PAGE_SIZE &&
        (!(linear & (size - 1)) || !x86_alignment_checked(core))) {
        const X86TlbEntry *entry = x86_tlb_slot(core, linear, x86_view(core));
        if (x86_tlb_hit(core, entry, linear, X86_ACCESS_WRITE)) {
            rmw->address = linear;
            rmw->host = (void *)(entry->host + linear);
            rmw->bounced = false;
            return;
        }
    }
    linear = x86_linear(core, segment, offset, size, X86_ACCESS_WRITE);
    check_alignment(core, linear, size > 8 ? 8 : size);
    unsigned count = find_pieces(core, linear, size, X86_ACCESS_WRITE, x86_view(core), pieces);
    rmw->address = linear;
    rmw->bounced = count == 2 || !pieces[0].dirty;
    rmw->host = rmw->bounced ? rmw->buffer : pieces[0].host;
    if (rmw->bounced) {
        vit_lock_take(vit_address_space_lock(core->mmu->space));
        if (count == 1 && size <= 8) {
            x86_host_store(rmw->buffer, x86_phys_read(core, pieces[0].physical, size), size);
        } else {
            read_piece(core, &pieces[0], rmw->buffer);
            if (count == 2) {
                read_piece(core, &pieces[1], rmw->buffer + pieces[0].len);
            }
        }
    }
}

void
x86_rmw_end(X86Core *core, X86Rmw *rmw)
{
    X86View view = x86_view(core);
    Piece pieces[2];

    /* begin filled the pages with write rights: nothing below can fault */
    if (!rmw->bounced) {
        const X86TlbEntry *entry = fill_or_fault(core, rmw->address, X86_ACCESS_WRITE, view);
        x86_mark_written(core, entry->dirty, rmw->address, rmw->size);
    } else {
        unsigned count = find_pieces(core, rmw->address, rmw->size, X86_ACCESS_WRITE, view, pieces);
        if (count == 1 && rmw->size <= 8 && !pieces[0].dirty) {
            x86_phys_write(core, pieces[0].physical, x86_host_load(rmw->buffer, rmw->size),
                           rmw->size);
        } else {
            write_piece(core, &pieces[0], rmw->buffer);
            if (count == 2) {
                write_piece(core, &pieces[1], rmw->buffer + pieces[0].len);
            }
        }
        vit_lock_release(vit_address_space_lock(core->mmu->space));
    }
    if (core->mmu->watching) {
        x86_debug_note_access(core, rmw->address, rmw->size, true);
    }
}

/* ---- Stack ---- */

void
x86_stack_write(X86Core *core, int64_t rsp_offset, uint64_t value, unsigned size)
{
    uint64_t offset = (core->s.gpr[X86_RSP] + rsp_offset) & x86_stack_mask(core);

    x86_write_fast(core, X86_SS, offset, value, size);
}

uint64_t
x86_stack_read(X86Core *core, int64_t rsp_offset, unsigned size)
{
    uint64_t offset = (core->s.gpr[X86_RSP] + rsp_offset) & x86_stack_mask(core);

    return x86_read_fast(core, X86_SS, offset, size);
}

void
x86_stack_adjust(X86Core *core, int64_t delta)
{
    x86_set_stack_pointer(core, core->s.gpr[X86_RSP] + delta);
}

void
x86_push(X86Core *core, uint64_t value, unsigned size)
{
    x86_stack_write(core, -(int64_t)size, value, size);
    x86_stack_adjust(core, -(int64_t)size);
}

uint64_t
x86_pop(X86Core *core, unsigned size)
{
    uint64_t value = x86_stack_read(core, 0, size);

    x86_stack_adjust(core, size);
    return value;
}

/* ---- System structures ---- */

uint64_t
x86_read_system(X86Core *core, uint64_t linear, unsigned size)
{
    if (!x86_is_canonical(core, linear) && x86_long_mode(&core->s)) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    X86View view = x86_view_implicit(core);
    const X86TlbEntry *entry = x86_tlb_slot(core, linear, view);

    if (X86_LIKELY(x86_tlb_hit(core, entry, linear, X86_ACCESS_READ) && entry->host &&
                   (linear & 0xfff) <= VIT_PAGE_SIZE - size && x86_long_mode(&core->s))) {
        return x86_host_load((const void *)(entry->host + linear), size);
    }
    return x86_read_linear(core, linear, size, view);
}

void
x86_write_system(X86Core *core, uint64_t linear, uint64_t value, unsigned size)
{
    if (!x86_is_canonical(core, linear) && x86_long_mode(&core->s)) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    x86_write_linear(core, linear, value, size, x86_view_implicit(core));
}

/* ---- Code ---- */

const uint8_t *
x86_fetch_page(X86Core *core, uint64_t linear, uint64_t *out_physical)
{
    X86View view = core->s.cpl == 3 ? X86_VIEW_USER : X86_VIEW_SUPERVISOR;

    if (x86_code64(&core->s) && !x86_is_canonical(core, linear)) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    Piece piece = find_piece(core, linear, 1, X86_ACCESS_EXEC, view);
    *out_physical = piece.physical;
    if (piece.host) {
        return piece.host;
    }
    unsigned offset = linear & 0xfff;
    x86_phys_read_bytes(core, piece.physical, core->mmu->window_code + offset,
                        VIT_PAGE_SIZE - offset);
    return core->mmu->window_code + offset;
}

/* ---- Addresses ---- */

uint64_t
x86_ea(const X86Core *core, const X86Insn *insn)
{
    uint64_t ea = insn->disp;

    if (insn->base == X86_REG_RIP) {
        ea += core->s.rip + insn->length;
    } else if (insn->base != X86_NO_REG) {
        ea += core->s.gpr[insn->base];
    }
    if (insn->index != X86_NO_REG) {
        ea += core->s.gpr[insn->index] << insn->scale;
    }
    return insn->address_size == 8 ? ea : insn->address_size == 4 ? (uint32_t)ea : (uint16_t)ea;
}

/* ---- Branches ---- */

void
x86_check_branch(X86Core *core, uint64_t target)
{
    bool good =
        x86_code64(&core->s) ? x86_is_canonical(core, target) : target <= core->s.seg[X86_CS].limit;
    if (!good) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
}

bool
x86_has_feature(const X86Core *core, unsigned feature)
{
    return x86_model_has(core->model, feature);
}
