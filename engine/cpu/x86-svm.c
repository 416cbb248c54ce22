/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* AMD's secure virtual machine: entering and leaving guests, and its instructions.
 *
 * AMD APM volume 2 chapter 15 (15.5 VMRUN, 15.6 #VMEXIT, 15.7 to 15.14 intercepts, 15.15 state,
 * 15.17 GIF, 15.20 event injection, 15.21 interrupts, 15.25 nested paging), appendix B (layout of
 * the control block), appendix C (exit codes); volume 3 of the instructions.
 * The host's state lies in the page VM_HSAVE_PA names, laid out like a control block's. Entering
 * and leaving drop all translations, so address space ids need no more than to be there. Not
 * offered: decode assists, LBR virtualisation, AVIC, TSC scaling, pause filters, SKINIT. A host
 * without PAE cannot enter a guest with nested paging. Thread: the CPU's own. */

#include "x86-svm.h"
#include "x86-sys.h"

#include <string.h>

/* Places in the control block. */
enum {
    CB_CR = 0x000,
    CB_DR = 0x004,
    CB_EXCEPTIONS = 0x008,
    CB_INTERCEPTS = 0x00c, /* three words */
    CB_IOPM = 0x040,
    CB_MSRPM = 0x048,
    CB_TSC_OFFSET = 0x050,
    CB_ASID = 0x058,
    CB_VINTR = 0x060,
    CB_SHADOW = 0x068,
    CB_EXIT_CODE = 0x070,
    CB_EXIT_INFO1 = 0x078,
    CB_EXIT_INFO2 = 0x080,
    CB_EXIT_EVENT = 0x088,
    CB_NESTED = 0x090,
    CB_INJECT = 0x0a8,
    CB_NCR3 = 0x0b0,
    CB_NEXT_RIP = 0x0c8,
    SAVE_ES = 0x400,
    SAVE_CS = 0x410,
    SAVE_SS = 0x420,
    SAVE_DS = 0x430,
    SAVE_FS = 0x440,
    SAVE_GS = 0x450,
    SAVE_GDTR = 0x460,
    SAVE_LDTR = 0x470,
    SAVE_IDTR = 0x480,
    SAVE_TR = 0x490,
    SAVE_CPL = 0x4cb,
    SAVE_EFER = 0x4d0,
    SAVE_CR4 = 0x548,
    SAVE_CR3 = 0x550,
    SAVE_CR0 = 0x558,
    SAVE_DR7 = 0x560,
    SAVE_DR6 = 0x568,
    SAVE_RFLAGS = 0x570,
    SAVE_RIP = 0x578,
    SAVE_RSP = 0x5d8,
    SAVE_RAX = 0x5f8,
    SAVE_STAR = 0x600,
    SAVE_LSTAR = 0x608,
    SAVE_CSTAR = 0x610,
    SAVE_SFMASK = 0x618,
    SAVE_KERNEL_GS = 0x620,
    SAVE_SYSENTER_CS = 0x628,
    SAVE_SYSENTER_ESP = 0x630,
    SAVE_SYSENTER_EIP = 0x638,
    SAVE_CR2 = 0x640,
    SAVE_PAT = 0x668,
    CB_BYTES = 0x700, /* what is looked at */
};

/* The virtual interrupt word. */
enum {
    VINTR_TPR = 0xff,
    VINTR_IRQ = 1u << 8,
    VINTR_PRIORITY_SHIFT = 16,
    VINTR_IGNORE_TPR = 1u << 20,
    VINTR_MASKING = 1u << 24,
};

/* Events to inject and events cut short. */
enum {
    EVENT_TYPE_SHIFT = 8,
    EVENT_HAS_ERROR = 1u << 11,
    EVENT_VALID = 1u << 31,
    EVENT_INTR = 0,
    EVENT_NMI = 2,
    EVENT_EXCEPTION = 3,
    EVENT_SOFTWARE = 4,
};

static uint64_t
get(const uint8_t *block, unsigned at, unsigned size)
{
    return x86_host_load(block + at, size);
}

static void
put(uint8_t *block, unsigned at, uint64_t value, unsigned size)
{
    x86_host_store(block + at, value, size);
}

/* ---- State in a control block ---- */

static void
get_segment(const uint8_t *block, unsigned at, X86Segment *seg)
{
    uint32_t attr = get(block, at + 2, 2);

    seg->selector = get(block, at, 2);
    seg->attr = (attr & 0xff) << 8 | (attr & 0xf00) << 12;
    seg->limit = get(block, at + 4, 4);
    seg->base = get(block, at + 8, 8);
}

static void
put_segment(uint8_t *block, unsigned at, const X86Segment *seg)
{
    put(block, at, seg->selector, 2);
    put(block, at + 2, (seg->attr >> 8 & 0xff) | (seg->attr >> 12 & 0xf00), 2);
    put(block, at + 4, seg->limit, 4);
    put(block, at + 8, seg->base, 8);
}

static void
get_table(const uint8_t *block, unsigned at, X86TableReg *table)
{
    table->limit = get(block, at + 4, 4) & 0xffff;
    table->base = get(block, at + 8, 8);
}

static void
put_table(uint8_t *block, unsigned at, const X86TableReg *table)
{
    put(block, at + 4, table->limit, 4);
    put(block, at + 8, table->base, 8);
}

/* What VMRUN changes and #VMEXIT brings back. */
static void
put_state(const X86Core *core, uint8_t *block, uint64_t rip)
{
    const X86State *s = &core->s;

    put_segment(block, SAVE_ES, &s->seg[X86_ES]);
    put_segment(block, SAVE_CS, &s->seg[X86_CS]);
    put_segment(block, SAVE_SS, &s->seg[X86_SS]);
    put_segment(block, SAVE_DS, &s->seg[X86_DS]);
    put_table(block, SAVE_GDTR, &s->gdtr);
    put_table(block, SAVE_IDTR, &s->idtr);
    put(block, SAVE_EFER, s->efer, 8);
    put(block, SAVE_CR0, s->cr0, 8);
    put(block, SAVE_CR3, s->cr3, 8);
    put(block, SAVE_CR4, s->cr4, 8);
    put(block, SAVE_RFLAGS, s->rflags, 8);
    put(block, SAVE_RIP, rip, 8);
    put(block, SAVE_RSP, s->gpr[X86_RSP], 8);
    put(block, SAVE_RAX, s->gpr[X86_RAX], 8);
}

static void
get_state(X86Core *core, const uint8_t *block)
{
    X86State *s = &core->s;

    get_segment(block, SAVE_ES, &s->seg[X86_ES]);
    get_segment(block, SAVE_CS, &s->seg[X86_CS]);
    get_segment(block, SAVE_SS, &s->seg[X86_SS]);
    get_segment(block, SAVE_DS, &s->seg[X86_DS]);
    get_table(block, SAVE_GDTR, &s->gdtr);
    get_table(block, SAVE_IDTR, &s->idtr);
    s->efer = get(block, SAVE_EFER, 8) & ~(uint64_t)X86_EFER_LMA;
    s->cr0 = (get(block, SAVE_CR0, 8) & UINT32_MAX) | X86_CR0_ET;
    s->cr3 = get(block, SAVE_CR3, 8);
    s->cr4 = get(block, SAVE_CR4, 8);
    s->efer |= (s->efer & X86_EFER_LME) && (s->cr0 & X86_CR0_PG) ? X86_EFER_LMA : 0;
    s->rflags = (get(block, SAVE_RFLAGS, 8) & 0x3f7fd5) | 2;
    s->rip = get(block, SAVE_RIP, 8);
    s->gpr[X86_RSP] = get(block, SAVE_RSP, 8);
    s->gpr[X86_RAX] = get(block, SAVE_RAX, 8);
    if (!(s->efer & X86_EFER_LMA)) {
        s->rip = (uint32_t)s->rip;
    }
    core->next_rip = s->rip;
}

static void
state_replaced(X86Core *core)
{
    core->s.activity = X86_ACTIVE;
    core->event_ext = 0;
    core->debug_pending = 0;
    x86_state_changed(core);
}

/* ---- Leaving ---- */

/* EXITINTINFO of an event that was being delivered. */
static uint64_t
event_word(const X86Event *event)
{
    uint64_t type = event->kind == X86_EVENT_EXTERNAL ? EVENT_INTR
                    : event->kind == X86_EVENT_NMI    ? EVENT_NMI
                    : event->kind == X86_EVENT_INT_N  ? EVENT_SOFTWARE
                                                      : EVENT_EXCEPTION;

    return event->vector | type << EVENT_TYPE_SHIFT | (event->has_error ? EVENT_HAS_ERROR : 0) |
           EVENT_VALID | (event->has_error ? (uint64_t)event->error << 32 : 0);
}

static bool
is_instruction(uint64_t code)
{
    return code < SVM_EXIT_EXCEPTION ||
           (code >= SVM_EXIT_CR0_SEL_WRITE && code != SVM_EXIT_TASK_SWITCH &&
            code != SVM_EXIT_SHUTDOWN && code < SVM_EXIT_NESTED_PAGE);
}

void
x86_svm_leave_with(X86Core *core, const X86Event *event, uint64_t code, uint64_t info1,
                   uint64_t info2)
{
    X86State *s = &core->s;
    X86Svm *svm = &s->svm;
    uint8_t block[CB_BYTES];

    if (s->pmu.counts_instructions) {
        x86_pmu_settle(core);
    }
    x86_phys_read_bytes(core, svm->control_block, block, sizeof(block));
    put_state(core, block, s->rip);
    put(block, SAVE_CPL, s->cpl, 1);
    put(block, SAVE_CR2, s->cr2, 8);
    put(block, SAVE_DR6, s->dr[6], 8);
    put(block, SAVE_DR7, s->dr[7], 8);
    if (svm->nested_paging) {
        put(block, SAVE_PAT, s->pat, 8);
    }
    put(block, CB_VINTR, svm->virtual_tpr | (svm->virtual_irq ? VINTR_IRQ : 0), 2);
    put(block, CB_SHADOW, s->interrupt_shadow | (s->rflags & X86_FLAG_IF ? 2 : 0), 8);
    put(block, CB_EXIT_CODE, code, 8);
    put(block, CB_EXIT_INFO1, info1, 8);
    put(block, CB_EXIT_INFO2, info2, 8);
    put(block, CB_EXIT_EVENT, event ? event_word(event) : 0, 8);
    put(block, CB_INJECT, 0, 8);
    put(block, CB_NEXT_RIP,
        is_instruction(code) && x86_model_has(core->model, X86_FEATURE_NRIP_SAVE) ? core->next_rip
                                                                                  : 0,
        8);
    x86_phys_write_bytes(core, svm->control_block, block, sizeof(block));

    uint64_t host_pat = svm->host_pat;
    bool nmi_blocked = svm->host_nmi_blocked;
    *svm = (X86Svm){ .interrupts_off = true };
    x86_phys_read_bytes(core, s->vm_hsave_pa, block, sizeof(block));
    get_state(core, block);
    s->cr0 |= X86_CR0_PE;
    s->rflags &= ~(uint64_t)X86_FLAG_VM;
    s->cpl = 0;
    s->dr[7] = 0x400;
    s->pat = host_pat;
    s->interrupt_shadow = false;
    s->nmi_blocked = nmi_blocked;
    state_replaced(core);
}

void
x86_svm_leave(X86Core *core, const X86Event *event)
{
    x86_svm_leave_with(core, event, core->svm_code, core->svm_info[0], core->svm_info[1]);
}

void
x86_svm_exit(X86Core *core, uint64_t code, uint64_t info1, uint64_t info2)
{
    core->svm_code = code;
    core->svm_info[0] = info1;
    core->svm_info[1] = info2;
    x86_fault(core, X86_EXC_VMEXIT);
}

/* ---- Intercepts that need a look ---- */

/* A bit of a permission map in the host's memory. */
static uint32_t
map_bits(X86Core *core, uint64_t map, uint64_t bit, unsigned count)
{
    uint8_t bytes[2];

    x86_phys_read_bytes(core, map + bit / 8, bytes, sizeof(bytes));
    return (bytes[0] | bytes[1] << 8) >> (bit & 7) & ((1u << count) - 1);
}

void
x86_svm_check_msr(X86Core *core, uint32_t index, bool is_write)
{
    uint64_t place;

    if (!x86_svm_intercepts(core, SVM_EXIT_MSR)) {
        return;
    }
    if (index <= 0x1fff) {
        place = index * 2ull;
    } else if (index >= 0xc0000000 && index <= 0xc0001fff) {
        place = 0x800 * 8 + (index - 0xc0000000) * 2ull;
    } else if (index >= 0xc0010000 && index <= 0xc0011fff) {
        place = 0x1000 * 8 + (index - 0xc0010000) * 2ull;
    } else {
        x86_svm_exit(core, SVM_EXIT_MSR, is_write, 0);
    }
    if (map_bits(core, core->s.svm.msr_map, place + is_write, 1)) {
        x86_svm_exit(core, SVM_EXIT_MSR, is_write, 0);
    }
}

void
x86_svm_check_io(X86Core *core, const X86Insn *insn, uint16_t port, unsigned size, bool is_in,
                 bool is_string)
{
    bool repeated = is_string && (insn->rep || insn->repne);
    uint64_t info = (uint64_t)port << 16 | (uint64_t)is_in | (uint64_t)is_string << 2 |
                    (uint64_t)repeated << 3 | (uint64_t)size << 4;

    if (!x86_svm_intercepts(core, SVM_EXIT_IOIO) ||
        !map_bits(core, core->s.svm.io_map, port, size)) {
        return;
    }
    info |= (uint64_t)insn->address_size << 6; /* bits 7, 8, 9 of 2, 4, 8 bytes */
    if (is_string) {
        info |= (uint64_t)(is_in ? X86_ES : insn->segment) << 10;
    }
    x86_svm_exit(core, SVM_EXIT_IOIO, info, core->next_rip);
}

void
x86_svm_check_exception(X86Core *core, unsigned vector)
{
    if (core->s.svm.guest && (core->s.svm.exceptions >> vector & 1)) {
        x86_svm_exit(core, SVM_EXIT_EXCEPTION + vector, 0, 0);
    }
}

bool
x86_svm_takes_exception(X86Core *core, const X86Event *event, const X86Event *previous)
{
    X86State *s = &core->s;
    uint64_t info2 = 0;

    if (!s->svm.guest || event->kind != X86_EVENT_FAULT || event->injected ||
        !(s->svm.exceptions >> event->vector & 1)) {
        return false;
    }
    if (event->vector == X86_EXC_PF) { /* CR2 stays what it was */
        info2 = s->cr2;
        s->cr2 = core->svm_cr2;
    }
    x86_svm_leave_with(core, previous, SVM_EXIT_EXCEPTION + event->vector,
                       event->has_error ? event->error : 0, info2);
    return true;
}

/* Whether the host's own interrupts can come now: by its flag, or by the guest's. */
static bool
physical_interrupts_on(const X86State *s)
{
    return s->svm.masks_interrupts ? s->svm.host_if
                                   : (s->rflags & X86_FLAG_IF) && !s->interrupt_shadow;
}

int
x86_svm_virtual_interrupt(const X86Core *core)
{
    const X86State *s = &core->s;
    const X86Svm *svm = &s->svm;

    if (!svm->guest || !svm->virtual_irq || !(s->rflags & X86_FLAG_IF) || s->interrupt_shadow ||
        (!svm->virtual_ignores_tpr && svm->virtual_priority <= (svm->virtual_tpr & 15))) {
        return -1;
    }
    return svm->virtual_vector;
}

bool
x86_svm_takes_event(X86Core *core, uint32_t events)
{
    static const struct {
        uint32_t event;
        unsigned code;
    } rows[] = { { VIT_CPU_EVENT_INIT, SVM_EXIT_INIT },
                 { VIT_CPU_EVENT_SMI, SVM_EXIT_SMI },
                 { VIT_CPU_EVENT_NMI, SVM_EXIT_NMI } };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(rows); i++) {
        if ((events & rows[i].event) && x86_svm_intercepts(core, rows[i].code)) {
            x86_svm_leave_with(core, NULL, rows[i].code, 0, 0);
            return true;
        }
    }
    if ((events & VIT_CPU_EVENT_INTR) && physical_interrupts_on(&core->s) &&
        x86_svm_intercepts(core, SVM_EXIT_INTR)) {
        x86_svm_leave_with(core, NULL, SVM_EXIT_INTR, 0, 0);
        return true;
    }
    if (x86_svm_intercepts(core, SVM_EXIT_VINTR) && x86_svm_virtual_interrupt(core) >= 0) {
        x86_svm_leave_with(core, NULL, SVM_EXIT_VINTR, 0, 0);
        return true;
    }
    return false;
}

/* ---- Entering ---- */

/* Checks that VMRUN makes of a guest's state. */
static bool
is_valid(const X86Core *core, const uint8_t *block)
{
    uint64_t cr0 = get(block, SAVE_CR0, 8), cr4 = get(block, SAVE_CR4, 8);
    uint64_t efer = get(block, SAVE_EFER, 8);
    uint32_t cs = get(block, SAVE_CS + 2, 2);
    bool is_long = (efer & X86_EFER_LME) && (cr0 & X86_CR0_PG);
    const uint64_t efer_known =
        X86_EFER_SCE | X86_EFER_LME | X86_EFER_LMA | X86_EFER_NXE | X86_EFER_SVME | X86_EFER_FFXSR;
    uint64_t inject = get(block, CB_INJECT, 8);
    unsigned type = inject >> EVENT_TYPE_SHIFT & 7;

    if (!(efer & X86_EFER_SVME) || (efer & ~efer_known) || (cr0 >> 32) ||
        ((cr0 & X86_CR0_NW) && !(cr0 & X86_CR0_CD)) || (cr4 & ~x86_cr4_supported(core->model)) ||
        (get(block, SAVE_DR6, 8) >> 32) || (get(block, SAVE_DR7, 8) >> 32) ||
        (get(block, SAVE_CR3, 8) >> 52)) {
        return false;
    }
    if (is_long && (!(cr0 & X86_CR0_PE) || !(cr4 & X86_CR4_PAE) ||
                    ((cs & 0x200) && (cs & 0x400)))) { /* L and D */
        return false;
    }
    if (!(get(block, CB_INTERCEPTS + 4, 4) & 1) || !get(block, CB_ASID, 4)) {
        return false;
    }
    if ((inject & EVENT_VALID) && ((type != EVENT_INTR && type != EVENT_NMI &&
                                    type != EVENT_EXCEPTION && type != EVENT_SOFTWARE) ||
                                   (type == EVENT_EXCEPTION && (inject & 0xff) > 31))) {
        return false;
    }
    return !(get(block, CB_NESTED, 8) & 1) || (core->s.cr4 & X86_CR4_PAE);
}

static void
get_controls(X86Core *core, const uint8_t *block)
{
    X86State *s = &core->s;
    X86Svm *svm = &s->svm;
    uint64_t virtual_word = get(block, CB_VINTR, 8);

    svm->cr_intercepts = get(block, CB_CR, 4);
    svm->dr_intercepts = get(block, CB_DR, 4);
    svm->exceptions = get(block, CB_EXCEPTIONS, 4);
    for (unsigned i = 0; i < VIT_ARRAY_LEN(svm->intercepts); i++) {
        svm->intercepts[i] = get(block, CB_INTERCEPTS + 4 * i, 4);
    }
    svm->io_map = get(block, CB_IOPM, 8) & 0x000ffffffffff000;
    svm->msr_map = get(block, CB_MSRPM, 8) & 0x000ffffffffff000;
    svm->tsc_offset = get(block, CB_TSC_OFFSET, 8);
    svm->nested_paging =
        (get(block, CB_NESTED, 8) & 1) && x86_model_has(core->model, X86_FEATURE_NPT);
    svm->nested_cr3 = get(block, CB_NCR3, 8);
    svm->virtual_tpr = virtual_word & VINTR_TPR;
    svm->virtual_irq = virtual_word & VINTR_IRQ;
    svm->virtual_priority = virtual_word >> VINTR_PRIORITY_SHIFT & 15;
    svm->virtual_ignores_tpr = virtual_word & VINTR_IGNORE_TPR;
    svm->masks_interrupts = virtual_word & VINTR_MASKING;
    svm->virtual_vector = virtual_word >> 32;
    s->interrupt_shadow = get(block, CB_SHADOW, 8) & 1;
}

static void
get_guest(X86Core *core, const uint8_t *block)
{
    X86State *s = &core->s;

    get_state(core, block);
    s->cr2 = get(block, SAVE_CR2, 8);
    s->dr[6] = (get(block, SAVE_DR6, 8) & 0xefff) | 0xffff0ff0;
    s->dr[7] = (get(block, SAVE_DR7, 8) & 0xffff27ff) | 0x400;
    s->cpl = x86_real_mode(s) ? 0 : x86_v8086(s) ? 3 : get(block, SAVE_CPL, 1) & 3;
    if (s->svm.nested_paging) {
        s->pat = get(block, SAVE_PAT, 8);
    }
    if (x86_code64(s)) {
        s->seg[X86_CS].attr &= ~(uint32_t)X86_SEG_DB;
    }
}

static void
inject(X86Core *core, uint64_t word)
{
    static const uint8_t kinds[8] = { [EVENT_INTR] = X86_EVENT_EXTERNAL,
                                      [EVENT_NMI] = X86_EVENT_NMI,
                                      [EVENT_EXCEPTION] = X86_EVENT_FAULT,
                                      [EVENT_SOFTWARE] = X86_EVENT_INT_N };
    X86Event event = {
        .vector = word,
        .kind = kinds[word >> EVENT_TYPE_SHIFT & 7],
        .has_error = (word & EVENT_HAS_ERROR) && !x86_real_mode(&core->s),
        .error = word >> 32,
        .return_rip = core->s.rip,
        .injected = true,
    };

    if (event.kind == X86_EVENT_FAULT &&
        (event.vector == X86_EXC_BP || event.vector == X86_EXC_OF)) {
        event.kind = X86_EVENT_INT3;
    }
    x86_deliver(core, &event);
}

/* ---- Instructions ---- */

static void
check_mode(X86Core *core)
{
    if (!(core->s.efer & X86_EFER_SVME) || x86_real_mode(&core->s)) {
        x86_fault(core, X86_EXC_UD);
    }
    x86_sys_check_cpl0(core);
}

/* The page rAX names. */
static uint64_t
block_address(X86Core *core, const X86Insn *insn)
{
    uint64_t address = x86_sys_wrap(insn, core->s.gpr[X86_RAX]);

    if ((address & 0xfff) || (address >> core->model->phys_bits)) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    return address;
}

void
x86_exec_vmrun(X86Core *core, const X86Insn *insn)
{
    X86State *s = &core->s;
    uint8_t block[CB_BYTES], host[CB_BYTES];

    check_mode(core);
    x86_svm_check(core, SVM_EXIT_VMRUN);
    uint64_t address = block_address(core, insn);
    x86_phys_read_bytes(core, address, block, sizeof(block));
    x86_phys_read_bytes(core, s->vm_hsave_pa, host, sizeof(host));
    put_state(core, host, core->next_rip);
    x86_phys_write_bytes(core, s->vm_hsave_pa, host, sizeof(host));
    if (!is_valid(core, block)) {
        put(block, CB_EXIT_CODE, SVM_EXIT_INVALID, 8);
        put(block, CB_EXIT_EVENT, 0, 8);
        x86_phys_write_bytes(core, address, block, sizeof(block));
        s->svm.interrupts_off = true;
        return;
    }
    if (s->pmu.counts_instructions) {
        x86_pmu_settle(core);
    }
    s->svm = (X86Svm){ .guest = true,
                       .control_block = address,
                       .host_if = s->rflags & X86_FLAG_IF,
                       .host_nmi_blocked = s->nmi_blocked,
                       .host_pat = s->pat,
                       .host_cr4 = s->cr4,
                       .host_efer = s->efer };
    s->nmi_blocked = false;
    get_controls(core, block);
    get_guest(core, block);
    state_replaced(core);
    if (get(block, CB_INJECT, 8) & EVENT_VALID) {
        inject(core, get(block, CB_INJECT, 8));
    }
    core->next_rip = s->rip;
}

void
x86_exec_vmmcall(X86Core *core, const X86Insn *insn)
{
    x86_svm_check(core, SVM_EXIT_VMMCALL);
    x86_fault(core, X86_EXC_UD);
}

void
x86_exec_vmload(X86Core *core, const X86Insn *insn)
{
    X86State *s = &core->s;
    uint8_t block[CB_BYTES];

    check_mode(core);
    x86_svm_check(core, SVM_EXIT_VMLOAD);
    x86_phys_read_bytes(core, block_address(core, insn), block, sizeof(block));
    get_segment(block, SAVE_FS, &s->seg[X86_FS]);
    get_segment(block, SAVE_GS, &s->seg[X86_GS]);
    get_segment(block, SAVE_TR, &s->tr);
    get_segment(block, SAVE_LDTR, &s->ldtr);
    s->kernel_gs_base = get(block, SAVE_KERNEL_GS, 8);
    s->star = get(block, SAVE_STAR, 8);
    s->lstar = get(block, SAVE_LSTAR, 8);
    s->cstar = get(block, SAVE_CSTAR, 8);
    s->sfmask = get(block, SAVE_SFMASK, 8) & UINT32_MAX;
    s->sysenter_cs = get(block, SAVE_SYSENTER_CS, 8);
    s->sysenter_esp = get(block, SAVE_SYSENTER_ESP, 8);
    s->sysenter_eip = get(block, SAVE_SYSENTER_EIP, 8);
    core->code_generation++;
}

void
x86_exec_vmsave(X86Core *core, const X86Insn *insn)
{
    const X86State *s = &core->s;
    uint8_t block[CB_BYTES];

    check_mode(core);
    x86_svm_check(core, SVM_EXIT_VMSAVE);
    uint64_t address = block_address(core, insn);
    x86_phys_read_bytes(core, address, block, sizeof(block));
    put_segment(block, SAVE_FS, &s->seg[X86_FS]);
    put_segment(block, SAVE_GS, &s->seg[X86_GS]);
    put_segment(block, SAVE_TR, &s->tr);
    put_segment(block, SAVE_LDTR, &s->ldtr);
    put(block, SAVE_KERNEL_GS, s->kernel_gs_base, 8);
    put(block, SAVE_STAR, s->star, 8);
    put(block, SAVE_LSTAR, s->lstar, 8);
    put(block, SAVE_CSTAR, s->cstar, 8);
    put(block, SAVE_SFMASK, s->sfmask, 8);
    put(block, SAVE_SYSENTER_CS, s->sysenter_cs, 8);
    put(block, SAVE_SYSENTER_ESP, s->sysenter_esp, 8);
    put(block, SAVE_SYSENTER_EIP, s->sysenter_eip, 8);
    x86_phys_write_bytes(core, address, block, sizeof(block));
}

void
x86_exec_stgi(X86Core *core, const X86Insn *insn)
{
    check_mode(core);
    x86_svm_check(core, SVM_EXIT_STGI);
    core->s.svm.interrupts_off = false;
}

void
x86_exec_clgi(X86Core *core, const X86Insn *insn)
{
    check_mode(core);
    x86_svm_check(core, SVM_EXIT_CLGI);
    core->s.svm.interrupts_off = true;
}

void
x86_exec_invlpga(X86Core *core, const X86Insn *insn)
{
    check_mode(core);
    x86_svm_check(core, SVM_EXIT_INVLPGA);
    x86_tlb_flush_all(core);
}
