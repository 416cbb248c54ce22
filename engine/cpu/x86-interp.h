/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The interpreter's working context and what instruction handlers may call.
 *
 * Invariants every handler keeps:
 *  1. All faults come before the first commit: a handler that faults leaves no register, flag or
 *     memory changed (string instructions and others the SDM lets stop midway excepted).
 *  2. core->s.rip is the address of the current instruction until the handler returns; the loop
 *     then stores core->next_rip. A branch writes core->next_rip.
 *  3. rflags are complete when a handler returns; a handler computes only the flags its row names.
 * Faults unwind to the loop with __builtin_longjmp; nothing with a destructor may be live.
 *
 * Thread: the CPU's own. The device lock is not held; port and device-window access take it in
 * the address space.
 */

#include "vit-cpu.h"
#include "vit-host-time.h"
#include "x86-cpuid.h"
#include "x86-insn.h"
#include "x86-state.h"

/* Exception vectors. */
enum {
    X86_EXC_DE = 0,
    X86_EXC_DB = 1,
    X86_EXC_NMI = 2,
    X86_EXC_BP = 3,
    X86_EXC_OF = 4,
    X86_EXC_BR = 5,
    X86_EXC_UD = 6,
    X86_EXC_NM = 7,
    X86_EXC_DF = 8,
    X86_EXC_TS = 10,
    X86_EXC_NP = 11,
    X86_EXC_SS = 12,
    X86_EXC_GP = 13,
    X86_EXC_PF = 14,
    X86_EXC_MF = 16,
    X86_EXC_AC = 17,
    X86_EXC_MC = 18,
    X86_EXC_XM = 19,
};

typedef struct X86Mmu X86Mmu; /* x86-mmu.h: software TLB */

/* What happened to the TLB. */
typedef enum X86TlbChange {
    X86_TLB_ALL,       /* everything is gone */
    X86_TLB_CONTEXT,   /* another context is current: pages that are not global are other ones */
    X86_TLB_NONGLOBAL, /* pages that are not global are gone */
    X86_TLB_PAGE,      /* the page around an address is gone */
    X86_TLB_SPAN,      /* more than that page, as large ones are among what is gone */
} X86TlbChange;

/* For an executor that keeps tables of its own beside the interpreter's. Thread: the CPU's own. */
typedef struct X86CoreHooks {
    void (*tlb_changed)(X86Core *core, X86TlbChange change, uint64_t linear);
    /* LEN bytes at OFFSET of a page with VIT_DIRTY_CODE clear were or will be written at once; sets
     * the page's dirty bits. */
    void (*code_written)(X86Core *core, uint8_t *dirty, unsigned offset, size_t len);
} X86CoreHooks;

struct X86Core {
    X86State s; /* first member: cpu->state points here */
    uint64_t next_rip;
    VitCpu *cpu;
    const X86CpuModel *model;
    X86Mmu *mmu;
    void *vector_unit;                   /* x86-vector.h: host stubs for SIMD and x87 */
    void *unwind[5];                     /* __builtin_setjmp buffer of the loop */
    struct X86DecodeCache *decode_cache; /* x86-run.c */
    /* Counted up by whatever may change what an instruction fetch sees: CR0, CR3, CR4, EFER, CPL,
     * INVLPG, A20, address map. The loop then asks x86_fetch_page() again. */
    uint32_t code_generation;
    uint32_t debug_pending; /* DR6 bits of a #DB trap to raise after this instruction */
    bool code_breakpoints;  /* DR7 has an execution breakpoint armed */
    bool host_debug;        /* cpu->debug or the log wants every instruction: no plain loop */
    bool log_each;          /* the log does */
    bool host_watching;     /* among them points on data */
    bool host_hit;          /* one of these was touched; cpu->debug says which */
    /* The fault that is being raised, read by the loop after the unwind. */
    int fault_vector;
    bool fault_has_error;
    uint32_t fault_error;
    /* #VMEXIT that is being raised (fault_vector X86_EXC_VMEXIT), and CR2 before the last #PF. */
    uint64_t svm_code, svm_info[2], svm_cr2;
    uint32_t event_ext;    /* EXT bit of error codes while an event is being delivered */
    uint64_t instructions; /* executed since reset */
    uint64_t pmu_instructions, pmu_tsc; /* when counters were brought up to date */
    struct X86Log *log;                 /* x86-log.c; NULL until something was logged */
    uint64_t log_events;                /* numbered in the log */
    const X86CoreHooks *hooks;          /* NULL: none */
    /* What RDTSC told the time by, for the translator; VIT_TSC_LINE_NONE where it may not. */
    VitTscLine tsc_line;
};

/* Raise an exception on the current instruction. */
_Noreturn void x86_fault(X86Core *core, int vector);
_Noreturn void x86_fault_code(X86Core *core, int vector, uint32_t error);

/* Memory through segment (X86_ES..) and offset, every check the architecture makes: segment type
 * and limit, canonical form, #AC, paging with SMEP/SMAP/PKU. SIZE 1, 2, 4, 8; little endian;
 * may cross pages. The offset must already be wrapped to the address size (x86_ea does). */
uint64_t x86_read(X86Core *core, unsigned segment, uint64_t offset, unsigned size);
void x86_write(X86Core *core, unsigned segment, uint64_t offset, uint64_t value, unsigned size);
/* Any length up to 4096 bytes; all checks before the first byte moves. */
void x86_read_bytes(X86Core *core, unsigned segment, uint64_t offset, void *buf, size_t len);
void x86_write_bytes(X86Core *core, unsigned segment, uint64_t offset, const void *buf, size_t len);
/* Faults exactly as the write would, writes nothing. */
void x86_probe_write(X86Core *core, unsigned segment, uint64_t offset, size_t len);

/* Read-modify-write of SIZE bytes (up to 16): a pointer to the operand with write rights checked.
 * Plain RAM gives the host address itself, so that LOCKed handlers can use host atomics on it;
 * windows, ROM and split pages give a bounce buffer which x86_rmw_end() stores. Between the two no
 * other accessor may be called and no fault raised. */
typedef struct X86Rmw {
    void *host;
    uint64_t address; /* linear */
    uint8_t size;
    bool bounced;
    uint8_t buffer[16] __attribute__((aligned(16)));
} X86Rmw;
void x86_rmw_begin(X86Core *core, unsigned segment, uint64_t offset, unsigned size, X86Rmw *rmw);
void x86_rmw_end(X86Core *core, X86Rmw *rmw);

/* Effective address (offset in insn->segment) of the memory operand, wrapped. */
uint64_t x86_ea(const X86Core *core, const X86Insn *insn);

/* Stack in SS with the stack's own width (SS.B, or 8 in 64-bit code); SIZE 2, 4, 8. x86_push
 * commits rSP after the write; x86_pop after the read. Instructions with several steps compute
 * with x86_stack_read/write at an offset and commit rSP once at the end. */
void x86_push(X86Core *core, uint64_t value, unsigned size);
uint64_t x86_pop(X86Core *core, unsigned size);
uint64_t x86_stack_read(X86Core *core, int64_t rsp_offset, unsigned size);
void x86_stack_write(X86Core *core, int64_t rsp_offset, uint64_t value, unsigned size);
void x86_stack_adjust(X86Core *core, int64_t delta); /* rSP += delta, wrapped */

/* Linear access with supervisor rights (descriptor tables, TSS). */
uint64_t x86_read_system(X86Core *core, uint64_t linear, unsigned size);
void x86_write_system(X86Core *core, uint64_t linear, uint64_t value, unsigned size);

/* Ports, after the permission check (IOPL, TSS bitmap) which faults. SIZE 1, 2, 4. */
void x86_check_io(X86Core *core, uint16_t port, unsigned size);
uint32_t x86_port_read(X86Core *core, uint16_t port, unsigned size);
void x86_port_write(X86Core *core, uint16_t port, uint32_t value, unsigned size);

/* Bounds of a near branch target: canonical or CS limit, else #GP(0). */
void x86_check_branch(X86Core *core, uint64_t target);

/* Whether the CPU model offers FEATURE (X86_FEATURE_*). */
bool x86_has_feature(const X86Core *core, unsigned feature);

/* General registers as instructions name them. Byte registers honour REX (AH..BH without). Writes
 * of 4 bytes clear the upper half; 1 and 2 keep the rest. */
static inline uint64_t
x86_reg_read(const X86Core *core, const X86Insn *insn, unsigned reg, unsigned size)
{
    const uint64_t *gpr = core->s.gpr;
    switch (size) {
    case 1:
        if (reg >= 4 && reg < 8 && !insn->rex_present) {
            return (gpr[reg - 4] >> 8) & 0xff;
        }
        return gpr[reg] & 0xff;
    case 2: return gpr[reg] & 0xffff;
    case 4: return gpr[reg] & 0xffffffff;
    default: return gpr[reg];
    }
}

static inline void
x86_reg_write(X86Core *core, const X86Insn *insn, unsigned reg, uint64_t value, unsigned size)
{
    uint64_t *gpr = core->s.gpr;
    switch (size) {
    case 1:
        if (reg >= 4 && reg < 8 && !insn->rex_present) {
            gpr[reg - 4] = (gpr[reg - 4] & ~0xff00ull) | ((value & 0xff) << 8);
        } else {
            gpr[reg] = (gpr[reg] & ~0xffull) | (value & 0xff);
        }
        break;
    case 2: gpr[reg] = (gpr[reg] & ~0xffffull) | (value & 0xffff); break;
    case 4: gpr[reg] = (uint32_t)value; break;
    default: gpr[reg] = value; break;
    }
}

/* One instruction (or one event delivery) by interpretation, for any executor that needs the
 * fallback. Returns false when the CPU is to leave run(), with the reason in OUT_EXIT. */
bool x86_interp_step(X86Core *core, VitCpuExit *out_exit);
