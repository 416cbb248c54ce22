/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Delivery of exceptions, hardware and software interrupts.
 *
 * Intel SDM volume 3 chapter 6 (6.8.3 RF, 6.12 handlers and gates, 6.14 64-bit mode, 6.15 #DF
 * classes), 21.1.4 (real-address mode), 21.2.3 and 21.3 (v8086, VME redirection); volume 2 INT n.
 * x86_interrupt() makes one try: it commits nothing before its last possible fault, except writes
 * to the new stack, which is memory the fault handler does not look at. x86_deliver() adds what
 * happens when the try itself faults. Thread: the CPU's own. */

#include "x86-exec.h"
#include "x86-log.h"
#include "x86-svm.h"
#include "x86-system.h"

/* ---- Raising ---- */

/* Never inlined: a function must not jump to a buffer it has set itself. */
__attribute__((noinline)) void
x86_fault(X86Core *core, int vector)
{
    core->fault_vector = vector;
    core->fault_has_error = false;
    core->fault_error = 0;
    __builtin_longjmp(core->unwind, 1);
}

__attribute__((noinline)) void
x86_fault_code(X86Core *core, int vector, uint32_t error)
{
    core->fault_vector = vector;
    core->fault_has_error = true;
    core->fault_error = error;
    if (vector == X86_EXC_TS || vector == X86_EXC_NP || vector == X86_EXC_SS ||
        vector == X86_EXC_GP) {
        core->fault_error |= core->event_ext;
    }
    __builtin_longjmp(core->unwind, 1);
}

bool
x86_vector_has_error(int vector)
{
    const uint32_t with_error = 1u << X86_EXC_DF | 1u << X86_EXC_TS | 1u << X86_EXC_NP |
                                1u << X86_EXC_SS | 1u << X86_EXC_GP | 1u << X86_EXC_PF |
                                1u << X86_EXC_AC;
    return vector < 32 && (with_error >> vector & 1);
}

/* RFLAGS as pushed: RF tells the handler's IRET not to take an instruction breakpoint again. */
static uint64_t
flags_image(const X86Core *core, const X86Event *event)
{
    uint64_t flags = core->s.rflags;

    if (event->kind == X86_EVENT_FAULT && event->vector != X86_EXC_DB &&
        event->vector != X86_EXC_DF && event->vector != X86_EXC_MC) {
        flags |= X86_FLAG_RF;
    }
    return flags;
}

static bool
is_software(const X86Event *event)
{
    return event->kind == X86_EVENT_INT_N || event->kind == X86_EVENT_INT3;
}

/* ---- Real mode ---- */

static void
interrupt_real(X86Core *core, const X86Event *event)
{
    X86State *s = &core->s;
    unsigned place = event->vector * 4;

    if (place + 3 > s->idtr.limit) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    uint32_t target = x86_read_system(core, s->idtr.base + place, 4);
    X86Frame stack = x86_frame_here(core);
    x86_frame_push(core, &stack, flags_image(core, event) & 0xffff, 2);
    x86_frame_push(core, &stack, s->seg[X86_CS].selector, 2);
    x86_frame_push(core, &stack, event->return_rip, 2);
    if ((target & 0xffff) > s->seg[X86_CS].limit) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    x86_frame_commit(core, &stack);
    s->rflags &= ~(uint64_t)(X86_FLAG_IF | X86_FLAG_TF | X86_FLAG_AC | X86_FLAG_RF);
    x86_load_segment_real(core, X86_CS, target >> 16);
    core->next_rip = target & 0xffff;
}

/* ---- v8086 with VME: INT n straight to the task's own vector table ---- */

/* Whether the redirection bitmap sends INT n to the v8086 program itself (bit clear). */
static bool
redirected_to_v8086(X86Core *core, unsigned vector)
{
    const X86Segment *tss = &core->s.tr;

    if (!(core->s.cr4 & X86_CR4_VME) || tss->limit < 103) {
        return false;
    }
    uint32_t io_map = x86_read_system(core, tss->base + 102, 2);
    uint32_t place = io_map - 32 + vector / 8;
    if (io_map < 32 || place > tss->limit) {
        return false;
    }
    return !(x86_read_system(core, tss->base + place, 1) >> (vector % 8) & 1);
}

static void
interrupt_v8086_redirected(X86Core *core, const X86Event *event)
{
    X86State *s = &core->s;
    uint32_t target = x86_read_linear(core, event->vector * 4, 4, X86_VIEW_USER);
    uint64_t flags = s->rflags;
    bool full = ((flags & X86_FLAG_IOPL) == X86_FLAG_IOPL);

    if (!full) { /* the program sees IOPL 3 and its virtual interrupt flag */
        flags = (flags & ~(uint64_t)X86_FLAG_IF) | X86_FLAG_IOPL |
                (flags & X86_FLAG_VIF ? X86_FLAG_IF : 0);
    }
    X86Frame stack = x86_frame_here(core);
    x86_frame_push(core, &stack, flags & 0xffff, 2);
    x86_frame_push(core, &stack, s->seg[X86_CS].selector, 2);
    x86_frame_push(core, &stack, event->return_rip, 2);
    x86_frame_commit(core, &stack);
    s->rflags &= ~(uint64_t)(X86_FLAG_TF | X86_FLAG_RF | (full ? X86_FLAG_IF : X86_FLAG_VIF));
    x86_load_segment_real(core, X86_CS, target >> 16);
    core->next_rip = target & 0xffff;
}

/* ---- Protected and long mode ---- */

typedef struct Gate {
    unsigned type, dpl, ist;
    bool present;
    uint16_t selector;
    uint64_t offset;
} Gate;

static uint32_t
idt_error(const X86Event *event)
{
    return event->vector * 8 + 2; /* x86_fault_code adds EXT */
}

static Gate
read_gate(X86Core *core, const X86Event *event)
{
    const X86State *s = &core->s;
    bool long_mode = x86_long_mode(s);
    unsigned len = long_mode ? 16 : 8;
    unsigned place = event->vector * len;

    if (place + len - 1 > s->idtr.limit) {
        x86_fault_code(core, X86_EXC_GP, idt_error(event));
    }
    uint64_t entry = x86_read_system(core, s->idtr.base + place, 8);
    Gate gate = {
        .type = (entry >> 40) & 15,
        .dpl = (entry >> 45) & 3,
        .present = entry >> 47 & 1,
        .selector = entry >> 16,
        .offset = (entry & 0xffff) | ((entry >> 48) << 16),
    };
    if (entry >> 44 & 1) {
        gate.type = 0; /* not a system descriptor */
    }
    if (long_mode) {
        gate.ist = (entry >> 32) & 7;
        gate.offset |= x86_read_system(core, s->idtr.base + place + 8, 4) << 32;
    } else if (gate.type == X86_DESC_INT16 || gate.type == X86_DESC_TRAP16) {
        gate.offset &= 0xffff;
    }
    return gate;
}

static void
check_gate(X86Core *core, const X86Event *event, const Gate *gate)
{
    const uint32_t legacy = 1u << X86_DESC_TASK_GATE | 1u << X86_DESC_INT16 |
                            1u << X86_DESC_TRAP16 | 1u << X86_DESC_INT32 | 1u << X86_DESC_TRAP32;
    const uint32_t long_mode = 1u << X86_DESC_INT32 | 1u << X86_DESC_TRAP32;
    uint32_t valid = x86_long_mode(&core->s) ? long_mode : legacy;

    if (!(valid >> gate->type & 1) || (is_software(event) && gate->dpl < core->s.cpl)) {
        x86_fault_code(core, X86_EXC_GP, idt_error(event));
    }
    if (!gate->present) {
        x86_fault_code(core, X86_EXC_NP, idt_error(event));
    }
}

static void
interrupt_task_gate(X86Core *core, const X86Event *event, uint16_t selector)
{
    X86Descriptor desc;

    if ((selector & 4) || x86_desc_is_null(selector) || !x86_desc_read(core, selector, 8, &desc) ||
        (desc.high & X86_SEG_S) ||
        (x86_desc_type(&desc) != X86_DESC_TSS16 && x86_desc_type(&desc) != X86_DESC_TSS32)) {
        x86_fault_code(core, X86_EXC_GP, x86_sel_error(selector));
    }
    if (!(desc.high & X86_SEG_P)) {
        x86_fault_code(core, X86_EXC_NP, x86_sel_error(selector));
    }
    if (event->kind == X86_EVENT_FAULT) {
        core->s.rflags = flags_image(core, event);
    }
    x86_task_switch(core, &desc, X86_TASK_GATE, event->return_rip, event->has_error, event->error);
}

/* The handler's code segment; the privilege it runs at in *OUT_CPL. */
static X86Descriptor
handler_code(X86Core *core, uint16_t selector, unsigned *out_cpl)
{
    X86State *s = &core->s;
    X86Descriptor desc;

    if (x86_desc_is_null(selector)) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    if (!x86_desc_read(core, selector, 8, &desc) || !x86_desc_is_code(&desc) ||
        x86_desc_dpl(&desc) > s->cpl) {
        x86_fault_code(core, X86_EXC_GP, x86_sel_error(selector));
    }
    if (x86_long_mode(s) && (desc.high & (X86_SEG_L | X86_SEG_DB)) != X86_SEG_L) {
        x86_fault_code(core, X86_EXC_GP, x86_sel_error(selector));
    }
    if (!(desc.high & X86_SEG_P)) {
        x86_fault_code(core, X86_EXC_NP, x86_sel_error(selector));
    }
    *out_cpl = desc.high & X86_SEG_C ? s->cpl : x86_desc_dpl(&desc);
    if (x86_v8086(s) && *out_cpl != 0) {
        x86_fault_code(core, X86_EXC_GP, x86_sel_error(selector));
    }
    return desc;
}

static void
push_frame(X86Core *core, const X86Event *event, X86Frame *stack, unsigned size)
{
    static const uint8_t v8086_segments[] = { X86_GS, X86_FS, X86_DS, X86_ES };
    X86State *s = &core->s;

    if (stack->switched || stack->is_64) {
        if (x86_v8086(s)) {
            for (unsigned i = 0; i < VIT_ARRAY_LEN(v8086_segments); i++) {
                x86_frame_push(core, stack, s->seg[v8086_segments[i]].selector, size);
            }
        }
        x86_frame_push(core, stack, s->seg[X86_SS].selector, size);
        x86_frame_push(core, stack, s->gpr[X86_RSP], size);
    }
    x86_frame_push(core, stack, flags_image(core, event), size);
    x86_frame_push(core, stack, s->seg[X86_CS].selector, size);
    x86_frame_push(core, stack, event->return_rip, size);
    if (event->has_error) {
        x86_frame_push(core, stack, event->error, size);
    }
}

static void
interrupt_protected(X86Core *core, const X86Event *event)
{
    X86State *s = &core->s;
    Gate gate = read_gate(core, event);
    unsigned cpl;

    check_gate(core, event, &gate);
    if (gate.type == X86_DESC_TASK_GATE) {
        interrupt_task_gate(core, event, gate.selector);
        return;
    }
    X86Descriptor code = handler_code(core, gate.selector, &cpl);
    bool is_64 = x86_long_mode(s);
    if (is_64 ? !x86_is_canonical(core, gate.offset)
              : gate.offset > x86_desc_segment(&code).limit) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    X86Frame stack = x86_frame_for(core, cpl, gate.ist);
    if (is_64) {
        stack.rsp &= ~(uint64_t)15;
    }
    push_frame(core, event, &stack, is_64 ? 8 : gate.type >= X86_DESC_INT32 ? 4 : 2);
    x86_desc_set_accessed(core, &code);

    bool from_v8086 = x86_v8086(s);
    x86_frame_commit(core, &stack);
    s->rflags &= ~(uint64_t)(X86_FLAG_TF | X86_FLAG_NT | X86_FLAG_RF | X86_FLAG_VM);
    if (!(gate.type & 1)) {
        s->rflags &= ~(uint64_t)X86_FLAG_IF;
    }
    if (from_v8086) {
        s->seg[X86_ES] = s->seg[X86_DS] = s->seg[X86_FS] = s->seg[X86_GS] = (X86Segment){ 0 };
    }
    x86_commit_cs(core, &code, gate.selector, cpl);
    core->next_rip = gate.offset;
}

void
x86_interrupt(X86Core *core, const X86Event *event)
{
    X86State *s = &core->s;

    core->event_ext = !is_software(event);
    if (x86_real_mode(s)) {
        interrupt_real(core, event);
    } else {
        if (x86_v8086(s) && event->kind == X86_EVENT_INT_N) {
            if (redirected_to_v8086(core, event->vector)) {
                interrupt_v8086_redirected(core, event);
                return;
            }
            if ((s->rflags & X86_FLAG_IOPL) != X86_FLAG_IOPL) {
                x86_fault_code(core, X86_EXC_GP, 0);
            }
        }
        interrupt_protected(core, event);
    }
    core->event_ext = 0;
    if (event->kind == X86_EVENT_NMI) {
        s->nmi_blocked = true;
    }
}

/* ---- Nested faults ---- */

typedef enum FaultClass { CLASS_BENIGN, CLASS_CONTRIBUTORY, CLASS_PAGE, CLASS_DOUBLE } FaultClass;

static FaultClass
fault_class(int vector)
{
    switch (vector) {
    case X86_EXC_DE:
    case X86_EXC_TS:
    case X86_EXC_NP:
    case X86_EXC_SS:
    case X86_EXC_GP: return CLASS_CONTRIBUTORY;
    case X86_EXC_PF: return CLASS_PAGE;
    case X86_EXC_DF: return CLASS_DOUBLE;
    default: return CLASS_BENIGN;
    }
}

/* What follows when SECOND is met while FIRST is delivered (SDM volume 3 table 6-5). */
static X86Event
combine(const X86Core *core, const X86Event *first)
{
    FaultClass before = first->kind == X86_EVENT_FAULT ? fault_class(first->vector) : CLASS_BENIGN;
    FaultClass now = fault_class(core->fault_vector);
    X86Event event = {
        .kind = X86_EVENT_FAULT,
        .vector = core->fault_vector,
        .has_error = core->fault_has_error && !x86_real_mode(&core->s),
        .error = core->fault_error,
        .return_rip = core->s.rip,
    };

    if ((before == CLASS_CONTRIBUTORY && now == CLASS_CONTRIBUTORY) ||
        (before == CLASS_PAGE && (now == CLASS_CONTRIBUTORY || now == CLASS_PAGE))) {
        event.vector = X86_EXC_DF;
        event.has_error = !x86_real_mode(&core->s);
        event.error = 0;
    }
    return event;
}

/* One try; false = it faulted (core->fault_* tell). Apart from x86_deliver() so that nothing of
 * that lives across the unwind. */
static __attribute__((noinline)) bool
try_interrupt(X86Core *core, const X86Event *event)
{
    void *outer[5];

    memcpy(outer, core->unwind, sizeof(outer));
    if (__builtin_setjmp(core->unwind)) {
        memcpy(core->unwind, outer, sizeof(outer));
        core->event_ext = 0;
        return false;
    }
    x86_interrupt(core, event);
    memcpy(core->unwind, outer, sizeof(outer));
    return true;
}

static void
report_shutdown(X86Core *core)
{
    const VitCpuHost *host = core->cpu->host;
    char message[120];

    if (host->guest_error) {
        g_snprintf(
            message, sizeof(message),
            "triple fault at CS:rIP %04x:0x%" G_GINT64_MODIFIER "x, last vector %d error 0x%x",
            core->s.seg[X86_CS].selector, core->s.rip, core->fault_vector, core->fault_error);
        host->guest_error(host->opaque, message);
    }
}

bool
x86_deliver(X86Core *core, const X86Event *first)
{
    X86Event event = *first, previous;

    if (x86_svm_takes_exception(core, first, NULL)) {
        return true;
    }
    if (x86_log_wants(core, VIT_LOG_INT)) {
        x86_log_event(core, event.vector, event.has_error ? event.error : 0,
                      event.kind == X86_EVENT_INT_N || event.kind == X86_EVENT_INT3, core->s.rip);
    }
    while (!try_interrupt(core, &event)) {
        if (core->fault_vector == X86_EXC_VMEXIT) {
            x86_svm_leave(core, &event);
            return true;
        }
        bool was_double = event.kind == X86_EVENT_FAULT && event.vector == X86_EXC_DF;
        if (was_double && fault_class(core->fault_vector) != CLASS_BENIGN) {
            if (x86_svm_intercepts(core, SVM_EXIT_SHUTDOWN)) {
                x86_svm_leave_with(core, NULL, SVM_EXIT_SHUTDOWN, 0, 0);
                return true;
            }
            report_shutdown(core);
            core->s.activity = X86_SHUTDOWN;
            return false;
        }
        previous = event;
        event = combine(core, &previous);
        if (x86_svm_takes_exception(core, &event, &previous)) {
            return true;
        }
    }
    core->s.rip = core->next_rip;
    core->s.interrupt_shadow = false;
    return true;
}

bool
x86_deliver_exception(X86Core *core, VitCpuExit *out_exit)
{
    X86Event event = {
        .kind = X86_EVENT_FAULT,
        .vector = core->fault_vector,
        .has_error = core->fault_has_error && !x86_real_mode(&core->s),
        .error = core->fault_error,
        .return_rip = core->s.rip,
    };

    if (core->fault_vector == X86_EXC_VMEXIT) {
        x86_svm_leave(core, NULL);
        return true;
    }
    core->event_ext = 0;
    core->debug_pending = 0;
    if (event.vector == X86_EXC_DB) {
        core->s.dr[7] &= ~(uint64_t)X86_DR7_GD;
    }
    if (!x86_deliver(core, &event)) {
        *out_exit = VIT_CPU_EXIT_SHUTDOWN;
        return false;
    }
    return true;
}
