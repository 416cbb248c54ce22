/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* System management mode: entry on SMI, the save-state map, RSM.
 *
 * Models with long mode use the AMD64 map (AMD APM volume 2 10.2.3, revision 0x20064), which is
 * what SeaBIOS and OVMF expect of this kind of machine; 32-bit models the P6 map (Intel SDM volume
 * 3 31.4.1, revision 0x20000). SMBASE relocation is offered; I/O restart is not.
 * The map is written through the SMM view of memory, physically. Thread: the CPU's own. */

#include "x86-system.h"

enum { REVISION_64 = 0x20064, REVISION_32 = 0x20000 };
enum { HALT_RESTART = 0xfec9, NMI_WAS_BLOCKED = 0xfeca };

/* A place in the map as offset from SMBASE. */
static void
put(X86Core *core, unsigned place, uint64_t value, unsigned size)
{
    x86_phys_write(core, core->s.smbase + place, value, size);
}

static uint64_t
get(X86Core *core, unsigned place, unsigned size)
{
    return x86_phys_read(core, core->s.smbase + place, size);
}

/* ---- The AMD64 map ---- */

static void
put_segment64(X86Core *core, unsigned place, const X86Segment *seg)
{
    put(core, place, seg->selector, 2);
    put(core, place + 2, (seg->attr >> 8) & 0xf0ff, 2);
    put(core, place + 4, seg->limit, 4);
    put(core, place + 8, seg->base, 8);
}

static void
get_segment64(X86Core *core, unsigned place, X86Segment *seg)
{
    seg->selector = get(core, place, 2);
    seg->attr = (get(core, place + 2, 2) & 0xf0ff) << 8;
    seg->limit = get(core, place + 4, 4);
    seg->base = get(core, place + 8, 8);
}

static void
save_map64(X86Core *core)
{
    const X86State *s = &core->s;

    for (unsigned i = 0; i < X86_SEG_LAST; i++) {
        put_segment64(core, 0xfe00 + i * 16, &s->seg[i]);
    }
    put(core, 0xfe64, s->gdtr.limit, 4);
    put(core, 0xfe68, s->gdtr.base, 8);
    put_segment64(core, 0xfe70, &s->ldtr);
    put(core, 0xfe84, s->idtr.limit, 4);
    put(core, 0xfe88, s->idtr.base, 8);
    put_segment64(core, 0xfe90, &s->tr);
    put(core, 0xfed0, s->efer, 8);
    put(core, 0xfefc, REVISION_64, 4);
    put(core, 0xff00, s->smbase, 4);
    put(core, 0xff48, s->cr4, 4);
    put(core, 0xff50, s->cr3, 8);
    put(core, 0xff58, s->cr0, 4);
    put(core, 0xff60, s->dr[7], 8);
    put(core, 0xff68, s->dr[6], 8);
    put(core, 0xff70, s->rflags, 8);
    put(core, 0xff78, s->rip, 8);
    for (unsigned i = 0; i < 16; i++) {
        put(core, 0xfff8 - i * 8, s->gpr[i], 8);
    }
}

static void
restore_map64(X86Core *core)
{
    X86State *s = &core->s;

    s->efer = get(core, 0xfed0, 8);
    for (unsigned i = 0; i < X86_SEG_LAST; i++) {
        get_segment64(core, 0xfe00 + i * 16, &s->seg[i]);
    }
    s->gdtr.limit = get(core, 0xfe64, 4);
    s->gdtr.base = get(core, 0xfe68, 8);
    get_segment64(core, 0xfe70, &s->ldtr);
    s->idtr.limit = get(core, 0xfe84, 4);
    s->idtr.base = get(core, 0xfe88, 8);
    get_segment64(core, 0xfe90, &s->tr);
    s->cr4 = get(core, 0xff48, 4);
    s->cr3 = get(core, 0xff50, 8);
    s->cr0 = get(core, 0xff58, 4);
    s->dr[7] = get(core, 0xff60, 8);
    s->dr[6] = get(core, 0xff68, 8);
    s->rflags = get(core, 0xff70, 8);
    s->rip = get(core, 0xff78, 8);
    for (unsigned i = 0; i < 16; i++) {
        s->gpr[i] = get(core, 0xfff8 - i * 8, 8);
    }
}

/* ---- The 32-bit map ---- */

static unsigned
hidden_place32(unsigned segment)
{
    return segment < X86_DS ? 0xff84 + segment * 12 : 0xff2c + (segment - X86_DS) * 12;
}

static void
put_hidden32(X86Core *core, unsigned place, const X86Segment *seg)
{
    put(core, place, (seg->attr >> 8) & 0xf0ff, 4);
    put(core, place + 4, seg->limit, 4);
    put(core, place + 8, seg->base, 4);
}

static void
get_hidden32(X86Core *core, unsigned place, X86Segment *seg)
{
    seg->attr = (get(core, place, 4) & 0xf0ff) << 8;
    seg->limit = get(core, place + 4, 4);
    seg->base = get(core, place + 8, 4);
}

static void
save_map32(X86Core *core)
{
    const X86State *s = &core->s;

    put(core, 0xfffc, s->cr0, 4);
    put(core, 0xfff8, s->cr3, 4);
    put(core, 0xfff4, s->rflags, 4);
    put(core, 0xfff0, s->rip, 4);
    for (unsigned i = 0; i < 8; i++) {
        put(core, 0xffd0 + i * 4, s->gpr[i], 4);
    }
    put(core, 0xffcc, s->dr[6], 4);
    put(core, 0xffc8, s->dr[7], 4);
    put(core, 0xffc4, s->tr.selector, 4);
    put(core, 0xffc0, s->ldtr.selector, 4);
    for (unsigned i = 0; i < X86_SEG_LAST; i++) {
        put(core, 0xffa8 + i * 4, s->seg[i].selector, 4);
        put_hidden32(core, hidden_place32(i), &s->seg[i]);
    }
    put_hidden32(core, 0xff5c, &s->tr);
    put_hidden32(core, 0xff78, &s->ldtr);
    put(core, 0xff70, s->gdtr.limit, 4);
    put(core, 0xff74, s->gdtr.base, 4);
    put(core, 0xff54, s->idtr.limit, 4);
    put(core, 0xff58, s->idtr.base, 4);
    put(core, 0xff14, s->cr4, 4);
    put(core, 0xfefc, REVISION_32, 4);
    put(core, 0xfef8, s->smbase, 4);
}

static void
restore_map32(X86Core *core)
{
    X86State *s = &core->s;

    s->cr0 = get(core, 0xfffc, 4);
    s->cr3 = get(core, 0xfff8, 4);
    s->rflags = get(core, 0xfff4, 4);
    s->rip = get(core, 0xfff0, 4);
    for (unsigned i = 0; i < 8; i++) {
        s->gpr[i] = get(core, 0xffd0 + i * 4, 4);
    }
    s->dr[6] = get(core, 0xffcc, 4);
    s->dr[7] = get(core, 0xffc8, 4);
    for (unsigned i = 0; i < X86_SEG_LAST; i++) {
        get_hidden32(core, hidden_place32(i), &s->seg[i]);
        s->seg[i].selector = get(core, 0xffa8 + i * 4, 2);
    }
    get_hidden32(core, 0xff5c, &s->tr);
    s->tr.selector = get(core, 0xffc4, 2);
    get_hidden32(core, 0xff78, &s->ldtr);
    s->ldtr.selector = get(core, 0xffc0, 2);
    s->gdtr.limit = get(core, 0xff70, 4);
    s->gdtr.base = get(core, 0xff74, 4);
    s->idtr.limit = get(core, 0xff54, 4);
    s->idtr.base = get(core, 0xff58, 4);
    s->cr4 = get(core, 0xff14, 4);
}

/* ---- Entry and return ---- */

static void
load_smm_segments(X86State *s)
{
    for (unsigned i = 0; i < X86_SEG_LAST; i++) {
        s->seg[i] = (X86Segment){
            .attr = X86_SEG_P | X86_SEG_S | X86_SEG_W | X86_SEG_A | X86_SEG_G,
            .limit = 0xffffffff,
        };
    }
    s->seg[X86_CS].selector = (s->smbase >> 4) & 0xffff;
    s->seg[X86_CS].base = s->smbase;
}

void
x86_smm_enter(X86Core *core)
{
    X86State *s = &core->s;
    bool wide = x86_model_has(core->model, X86_FEATURE_LM);

    s->in_smm = true;
    x86_tlb_flush_all(core); /* memory as SMM sees it, for the map already */
    if (wide) {
        save_map64(core);
    } else {
        save_map32(core);
    }
    put(core, HALT_RESTART, s->activity == X86_HALTED, 1);
    put(core, NMI_WAS_BLOCKED, s->nmi_blocked, 1);

    s->activity = X86_ACTIVE;
    s->nmi_blocked = true;
    s->interrupt_shadow = false;
    s->rflags = 2;
    s->rip = 0x8000;
    s->cr0 &= ~(uint64_t)(X86_CR0_PE | X86_CR0_EM | X86_CR0_TS | X86_CR0_PG);
    s->cr4 = 0;
    s->efer = 0;
    s->dr[7] = 0x400;
    load_smm_segments(s);
    x86_set_cpl(core, 0);
    x86_state_changed(core);
}

/* State no processor would resume to, which RSM answers with shutdown (SDM volume 3 31.3.3). */
static bool
is_resumable(const X86Core *core)
{
    const X86State *s = &core->s;
    bool pg = s->cr0 & X86_CR0_PG;

    return !(pg && !(s->cr0 & X86_CR0_PE)) && !((s->cr0 & X86_CR0_NW) && !(s->cr0 & X86_CR0_CD)) &&
           !((s->efer & X86_EFER_LMA) && !(pg && (s->cr4 & X86_CR4_PAE)));
}

void
x86_smm_resume(X86Core *core)
{
    X86State *s = &core->s;

    if (!s->in_smm) {
        x86_fault(core, X86_EXC_UD);
    }
    bool wide = x86_model_has(core->model, X86_FEATURE_LM);
    bool halted = get(core, HALT_RESTART, 1) & 1;
    bool nmi_blocked = get(core, NMI_WAS_BLOCKED, 1) & 1;
    uint64_t smbase = get(core, wide ? 0xff00 : 0xfef8, 4);
    if (wide) {
        restore_map64(core);
    } else {
        restore_map32(core);
    }
    s->smbase = smbase;
    s->cr0 |= X86_CR0_ET;
    s->rflags |= 2;
    s->nmi_blocked = nmi_blocked;
    s->in_smm = false;
    s->activity = halted ? X86_HALTED : X86_ACTIVE;
    core->next_rip = s->rip;
    if (!is_resumable(core)) {
        s->activity = X86_SHUTDOWN;
    }
    bool v8086 = x86_v8086(s);
    x86_set_cpl(core, x86_real_mode(s) ? 0 : v8086 ? 3 : (s->seg[X86_SS].attr >> 13) & 3);
    x86_state_changed(core);
}
