/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* System functions that both executors share: descriptors, segment loads, event delivery, far
 * transfers, task switches, modes, events. None needs an instruction record. All may raise a fault
 * (unwind through core->unwind) unless said otherwise; all leave the new instruction pointer in
 * core->next_rip. Thread: the CPU's own. */

#include "x86-mem.h"

/* ---- x86-segment.c ---- */

/* System descriptor types (S = 0). */
enum {
    X86_DESC_TSS16 = 1,
    X86_DESC_LDT = 2,
    X86_DESC_TSS16_BUSY = 3,
    X86_DESC_CALL16 = 4,
    X86_DESC_TASK_GATE = 5,
    X86_DESC_INT16 = 6,
    X86_DESC_TRAP16 = 7,
    X86_DESC_TSS32 = 9, /* 64-bit TSS in long mode */
    X86_DESC_TSS32_BUSY = 11,
    X86_DESC_CALL32 = 12,
    X86_DESC_INT32 = 14,
    X86_DESC_TRAP32 = 15,
};

typedef struct X86Descriptor {
    uint64_t address; /* linear, of the descriptor itself */
    uint32_t low, high;
    uint32_t upper; /* third doubleword: base bits 63..32 of 16-byte descriptors */
    uint16_t selector;
} X86Descriptor;

static inline unsigned
x86_desc_type(const X86Descriptor *desc)
{
    return (desc->high >> 8) & 15;
}

static inline unsigned
x86_desc_dpl(const X86Descriptor *desc)
{
    return (desc->high >> 13) & 3;
}

static inline bool
x86_desc_is_code(const X86Descriptor *desc)
{
    return (desc->high & (X86_SEG_S | X86_SEG_CODE)) == (X86_SEG_S | X86_SEG_CODE);
}

static inline bool
x86_desc_is_null(uint16_t selector)
{
    return !(selector & 0xfffc);
}

/* Error code of a selector. */
static inline uint32_t
x86_sel_error(uint16_t selector)
{
    return selector & 0xfffc;
}

/* Reads the descriptor SELECTOR names; false when it lies outside its table. LEN 8 or 16. */
bool x86_desc_read(X86Core *core, uint16_t selector, unsigned len, X86Descriptor *out);
void x86_desc_set_accessed(X86Core *core, X86Descriptor *desc);
/* What the hidden part of a segment register becomes. */
X86Segment x86_desc_segment(const X86Descriptor *desc);
void x86_desc_set_tss_busy(X86Core *core, const X86Descriptor *desc, bool busy);

/* MOV, POP, LDS...: loads any of ES SS DS FS GS in the current mode. */
void x86_load_segment(X86Core *core, unsigned segment, uint16_t selector);
/* Real-mode and v8086 load: base from the selector, the rest as the mode says. No fault. */
void x86_load_segment_real(X86Core *core, unsigned segment, uint16_t selector);
/* All checks of an SS load for privilege CPL, raising VECTOR_BAD (#GP or #TS) or #SS. */
X86Segment x86_check_stack_segment(X86Core *core, uint16_t selector, unsigned cpl, int vector_bad);
void x86_load_ldt(X86Core *core, uint16_t selector, int vector_bad);
void x86_load_tr(X86Core *core, uint16_t selector);
/* LAR, LSL, VERR, VERW: false when the selector does not qualify. */
bool x86_lar(X86Core *core, uint16_t selector, uint32_t *out_rights);
bool x86_lsl(X86Core *core, uint16_t selector, uint32_t *out_limit);
bool x86_verify(X86Core *core, uint16_t selector, bool write);
/* Data segments that the outer level CPL may not keep become null (RET, IRET outward). */
void x86_drop_inner_segments(X86Core *core, unsigned cpl);

/* ---- x86-frame.c ---- */

typedef struct X86Frame {
    X86Segment ss;
    uint64_t rsp;
    unsigned cpl;
    bool switched; /* another stack than before: faults name its selector */
    bool is_64;
} X86Frame;

/* The current stack. */
X86Frame x86_frame_here(const X86Core *core);
/* The stack for privilege CPL from the TSS (the current one at the same privilege); in long mode
 * IST selects one of its table. RSP is not yet aligned. */
X86Frame x86_frame_for(X86Core *core, unsigned cpl, unsigned ist);
void x86_frame_push(X86Core *core, X86Frame *frame, uint64_t value, unsigned size);
void x86_frame_commit(X86Core *core, const X86Frame *frame);

/* ---- x86-exception.c ---- */

typedef enum X86EventKind {
    X86_EVENT_EXTERNAL, /* INTR */
    X86_EVENT_NMI,
    X86_EVENT_FAULT, /* exceptions, except the two below */
    X86_EVENT_INT_N, /* INT n */
    X86_EVENT_INT3,  /* INT3 and INTO */
    X86_EVENT_INT1,  /* INT1 (ICEBP) */
} X86EventKind;

typedef struct X86Event {
    uint8_t vector;
    X86EventKind kind;
    bool has_error;
    uint32_t error;
    uint64_t return_rip; /* pushed */
    bool injected;       /* by VMRUN: not intercepted itself */
} X86Event;

/* One try at delivery: raises faults met on the way, sets CS, next_rip, stack, flags. */
void x86_interrupt(X86Core *core, const X86Event *event);
/* Delivery to the end: faults met become #DF, then shutdown. On success s.rip is the handler's and
 * true is returned; false = triple fault, s.activity is X86_SHUTDOWN. Never unwinds. */
bool x86_deliver(X86Core *core, const X86Event *event);
/* Whether VECTOR pushes an error code. */
bool x86_vector_has_error(int vector);

/* ---- x86-debug.c ---- */

/* Notes data breakpoints that an access of LEN bytes hits (trap after the instruction). */
void x86_debug_note_access(X86Core *core, uint64_t linear, size_t len, bool write);
void x86_debug_note_io(X86Core *core, uint16_t port, unsigned size);
/* DR0..3 or DR7 were written. */
void x86_debug_registers_changed(X86Core *core);

/* ---- x86-host-debug.c: breakpoints of a debugger outside the guest (VitCpu.debug) ---- */

/* What the log wants was changed. */
void x86_host_debug_refresh(X86Core *core);
/* cpu->debug was changed. */
void x86_host_debug_changed(X86Core *core);
/* Whether a point on data lies in the 4 KiB page of LINEAR. */
bool x86_host_debug_watches_page(const X86Core *core, uint64_t linear);
void x86_host_debug_note_access(X86Core *core, uint64_t linear, size_t len, bool write);
/* Before an instruction: true = stop at a breakpoint on it. */
bool x86_host_debug_before(X86Core *core);
/* After an instruction or the delivery of an exception: true = stop. */
bool x86_host_debug_after(X86Core *core);
/* Events that are not taken now. */
uint32_t x86_host_debug_masked_events(const X86Core *core);

enum {
    X86_DR6_BD = 1u << 13, /* debug register access with DR7.GD */
    X86_DR6_BS = 1u << 14, /* single step */
    X86_DR6_BT = 1u << 15, /* task switch */
};
enum { X86_DR7_GD = 1u << 13 };

/* ---- x86-transfer.c, x86-iret.c, x86-syscall.c ---- */

void x86_far_jump(X86Core *core, uint16_t selector, uint64_t offset, unsigned operand_size);
void x86_far_call(X86Core *core, uint16_t selector, uint64_t offset, unsigned operand_size);
void x86_far_return(X86Core *core, unsigned operand_size, unsigned release_bytes);
void x86_iret(X86Core *core, unsigned operand_size);
/* Checks and commit that far RET and IRET share. */
X86Descriptor x86_check_return_code(X86Core *core, uint16_t selector);
X86Segment x86_check_return_stack(X86Core *core, uint16_t selector, const X86Descriptor *code);
void x86_commit_return(X86Core *core, X86Descriptor *code, const X86Segment *ss, uint64_t rip,
                       uint64_t rsp);
/* A code segment checked for entry: loads CS with CPL as RPL and sets s.cpl. */
void x86_commit_cs(X86Core *core, const X86Descriptor *desc, uint16_t selector, unsigned cpl);
void x86_set_cpl(X86Core *core, unsigned cpl);
void x86_syscall(X86Core *core);
void x86_sysret(X86Core *core, unsigned operand_size);
void x86_sysenter(X86Core *core);
void x86_sysexit(X86Core *core, unsigned operand_size);

/* ---- x86-task.c ---- */

typedef enum X86TaskReason {
    X86_TASK_JUMP,
    X86_TASK_CALL,
    X86_TASK_IRET,
    X86_TASK_GATE
} X86TaskReason;

/* Switches to the task whose TSS descriptor DESC is (already checked for the reason's rights).
 * RETURN_RIP is saved in the old TSS. An error code is pushed on the new stack when HAS_ERROR. */
void x86_task_switch(X86Core *core, const X86Descriptor *desc, X86TaskReason reason,
                     uint64_t return_rip, bool has_error, uint32_t error);
/* SS:rSP for privilege CPL from the current TSS; raises #TS. */
void x86_tss_stack(X86Core *core, unsigned cpl, uint16_t *out_ss, uint64_t *out_rsp);
/* 64-bit TSS: RSPn (ist 0) or ISTn. */
uint64_t x86_tss_stack64(X86Core *core, unsigned cpl, unsigned ist);

/* ---- x86-control.c ---- */

/* Writes with the checks of MOV CR; raise #GP(0). */
void x86_write_cr0(X86Core *core, uint64_t value);
void x86_write_cr3(X86Core *core, uint64_t value);
void x86_write_cr4(X86Core *core, uint64_t value);
uint64_t x86_read_cr8(X86Core *core);
void x86_write_cr8(X86Core *core, uint64_t value);
bool x86_efer_valid(const X86Core *core, uint64_t value);
void x86_set_efer(X86Core *core, uint64_t value);
/* POPF, IRET: which flags a write of OPERAND_SIZE may change at this CPL and IOPL. */
void x86_write_flags(X86Core *core, uint64_t value, uint64_t writable);
/* Checks and commits XCR0; raises #GP(0). */
void x86_write_xcr0(X86Core *core, uint64_t value);
/* CR4 and XCR0 bits the model offers. */
uint64_t x86_cr4_supported(const X86CpuModel *model);
uint64_t x86_xcr0_supported(const X86CpuModel *model);

/* ---- x86-msr.c ---- */

/* False = #GP. */
bool x86_msr_read(X86Core *core, uint32_t index, uint64_t *out_value);
bool x86_msr_write(X86Core *core, uint32_t index, uint64_t value);
uint64_t x86_tsc(const X86Core *core);
/* Rows of the table, for listings and tests; NULL past the end. */
const char *x86_msr_name(unsigned row, uint32_t *out_first, uint32_t *out_last);

/* ---- x86-pmu.c: performance counters ---- */

/* Brings counters up to date; before CPL changes and whenever they are looked at. */
void x86_pmu_settle(X86Core *core);
bool x86_pmu_read(X86Core *core, uint32_t index, uint64_t *out_value);
bool x86_pmu_write(X86Core *core, uint32_t index, uint64_t value);
bool x86_pmu_clear_status(X86Core *core, uint64_t value);
bool x86_pmu_rdpmc(X86Core *core, uint32_t index, uint64_t *out_value);
/* The state came from elsewhere: time and instructions until now are not counted. */
void x86_pmu_restart(X86Core *core);

/* ---- x86-smm.c ---- */

void x86_smm_enter(X86Core *core);
void x86_smm_resume(X86Core *core); /* RSM; raises #UD outside SMM */

/* ---- x86-reset.c ---- */

/* INIT keeps what SDM table 9-1 says it keeps; reset sets everything. */
void x86_state_reset(X86Core *core, bool is_init);
/* Brings caches of the state up to date after it was written from outside. */
void x86_state_changed(X86Core *core);

/* ---- x86-events.c ---- */

/* Whether anything that x86_take_events() would act on is pending: a halted CPU sleeps if not. */
bool x86_has_events(const X86Core *core);
