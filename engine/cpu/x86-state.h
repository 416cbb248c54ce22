/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The architectural state of one x86 CPU: the one canonical form that the interpreter, the
 * translator, KVM, the monitor, gdb and save-state share.
 * Intel SDM volume 1 chapters 3, 8, 10, 13; volume 3 chapters 2-6, 31 (SMM). */

#include "vit-types.h"

enum {
    X86_RAX,
    X86_RCX,
    X86_RDX,
    X86_RBX,
    X86_RSP,
    X86_RBP,
    X86_RSI,
    X86_RDI,
    X86_R8,
    X86_R9,
    X86_R10,
    X86_R11,
    X86_R12,
    X86_R13,
    X86_R14,
    X86_R15
};
enum { X86_ES, X86_CS, X86_SS, X86_DS, X86_FS, X86_GS, X86_SEG_LAST };

/* RFLAGS */
enum {
    X86_FLAG_CF = 1u << 0,
    X86_FLAG_PF = 1u << 2,
    X86_FLAG_AF = 1u << 4,
    X86_FLAG_ZF = 1u << 6,
    X86_FLAG_SF = 1u << 7,
    X86_FLAG_TF = 1u << 8,
    X86_FLAG_IF = 1u << 9,
    X86_FLAG_DF = 1u << 10,
    X86_FLAG_OF = 1u << 11,
    X86_FLAG_IOPL = 3u << 12,
    X86_FLAG_NT = 1u << 14,
    X86_FLAG_RF = 1u << 16,
    X86_FLAG_VM = 1u << 17,
    X86_FLAG_AC = 1u << 18,
    X86_FLAG_VIF = 1u << 19,
    X86_FLAG_VIP = 1u << 20,
    X86_FLAG_ID = 1u << 21,
};
#define X86_FLAGS_ARITH \
    (X86_FLAG_CF | X86_FLAG_PF | X86_FLAG_AF | X86_FLAG_ZF | X86_FLAG_SF | X86_FLAG_OF)

/* CR0, CR4, EFER */
enum {
    X86_CR0_PE = 1u << 0,
    X86_CR0_MP = 1u << 1,
    X86_CR0_EM = 1u << 2,
    X86_CR0_TS = 1u << 3,
    X86_CR0_ET = 1u << 4,
    X86_CR0_NE = 1u << 5,
    X86_CR0_WP = 1u << 16,
    X86_CR0_AM = 1u << 18,
    X86_CR0_NW = 1u << 29,
    X86_CR0_CD = 1u << 30,
    X86_CR0_PG = 1u << 31,
};
enum {
    X86_CR4_VME = 1u << 0,
    X86_CR4_PVI = 1u << 1,
    X86_CR4_TSD = 1u << 2,
    X86_CR4_DE = 1u << 3,
    X86_CR4_PSE = 1u << 4,
    X86_CR4_PAE = 1u << 5,
    X86_CR4_MCE = 1u << 6,
    X86_CR4_PGE = 1u << 7,
    X86_CR4_PCE = 1u << 8,
    X86_CR4_OSFXSR = 1u << 9,
    X86_CR4_OSXMMEXCPT = 1u << 10,
    X86_CR4_UMIP = 1u << 11,
    X86_CR4_LA57 = 1u << 12,
    X86_CR4_VMXE = 1u << 13,
    X86_CR4_FSGSBASE = 1u << 16,
    X86_CR4_PCIDE = 1u << 17,
    X86_CR4_OSXSAVE = 1u << 18,
    X86_CR4_SMEP = 1u << 20,
    X86_CR4_SMAP = 1u << 21,
    X86_CR4_PKE = 1u << 22,
};
enum {
    X86_EFER_SCE = 1u << 0,
    X86_EFER_LME = 1u << 8,
    X86_EFER_LMA = 1u << 10,
    X86_EFER_NXE = 1u << 11,
    X86_EFER_SVME = 1u << 12,
    X86_EFER_FFXSR = 1u << 14,
};

/* Segment attributes: bits 8..23 of the high doubleword of a descriptor, in their place. */
enum {
    X86_SEG_TYPE_SHIFT = 8,
    X86_SEG_S = 1u << 12,
    X86_SEG_DPL_SHIFT = 13,
    X86_SEG_P = 1u << 15,
    X86_SEG_AVL = 1u << 20,
    X86_SEG_L = 1u << 21,
    X86_SEG_DB = 1u << 22,
    X86_SEG_G = 1u << 23,
    /* type bits of code and data segments */
    X86_SEG_A = 1u << 8,
    X86_SEG_W = 1u << 9,
    X86_SEG_R = 1u << 9,
    X86_SEG_E = 1u << 10,
    X86_SEG_C = 1u << 10,
    X86_SEG_CODE = 1u << 11,
};

typedef struct X86Segment {
    uint16_t selector;
    uint32_t attr;  /* X86_SEG_*; 0 in the place of P = unusable (null selector) */
    uint32_t limit; /* in bytes, granularity applied */
    uint64_t base;
} X86Segment;

typedef struct X86TableReg {
    uint64_t base;
    uint32_t limit;
} X86TableReg;

/* x87 and MMX as an FXSAVE64 image, so that host FXSAVE/FXRSTOR can work on it. Its XMM and MXCSR
 * parts are unused (vectors live in X86State.zmm) but kept loadable: mxcsr = 0x1f80. */
typedef struct X86Fpu {
    uint16_t fcw, fsw;
    uint8_t ftw; /* abridged: bit set = register in use */
    uint8_t reserved;
    uint16_t fop;
    uint64_t fip, fdp;
    uint32_t mxcsr, mxcsr_mask;
    struct {
        uint64_t mantissa;
        uint16_t sign_exponent;
        uint8_t reserved[6];
    } st[8]; /* ST(i), stack order, as FXSAVE stores them */
    uint8_t xmm_area[256];
    uint8_t rest[48];
    /* FXSAVE leaves these bytes to software: the selectors that go with fip and fdp, which the
     * 64-bit image has no place for. */
    uint16_t fcs, fds;
    uint8_t available[44];
} __attribute__((aligned(64))) X86Fpu;
_Static_assert(sizeof(X86Fpu) == 512, "FXSAVE image");

typedef union X86Vector {
    uint8_t u8[64];
    uint16_t u16[32];
    uint32_t u32[16];
    uint64_t u64[8];
} __attribute__((aligned(64))) X86Vector;

/* What keeps the CPU from executing. */
typedef enum X86Activity { X86_ACTIVE, X86_HALTED, X86_WAIT_FOR_SIPI, X86_SHUTDOWN } X86Activity;

#define X86_MTRR_VARIABLE 8

/* A guest of the guest, in AMD's secure virtual machine: what VMRUN took from its control block. */
typedef struct X86Svm {
    bool guest;          /* between VMRUN and #VMEXIT */
    bool interrupts_off; /* the inverse of the global interrupt flag */
    bool nested_paging;
    bool masks_interrupts; /* the host's own IF decides over physical interrupts */
    bool host_if, host_nmi_blocked;
    bool virtual_irq, virtual_ignores_tpr;
    uint8_t virtual_tpr, virtual_priority, virtual_vector;
    uint32_t cr_intercepts, dr_intercepts; /* reads in the low half, writes in the high one */
    uint32_t exceptions, intercepts[3];
    uint64_t control_block, io_map, msr_map; /* physical addresses */
    uint64_t nested_cr3, tsc_offset;
    uint64_t host_pat, host_cr4, host_efer;
} X86Svm;

#define X86_PMU_COUNTERS 4
#define X86_PMU_FIXED    3
typedef struct X86Pmu {
    uint64_t select[X86_PMU_COUNTERS], count[X86_PMU_COUNTERS];
    uint64_t fixed_control, fixed[X86_PMU_FIXED];
    uint64_t global_control, global_status;
    bool counts_instructions; /* follows from the others: the CPU must be interpreted */
} X86Pmu;

typedef struct X86State {
    uint64_t gpr[16];
    uint64_t rip;
    uint64_t rflags; /* always materialised between instructions */

    X86Segment seg[X86_SEG_LAST];
    X86Segment ldtr, tr;
    X86TableReg gdtr, idtr;
    uint64_t cr0, cr2, cr3, cr4, efer, xcr0;
    uint64_t dr[8]; /* 4 and 5 unused */
    uint8_t cpl;

    X86Fpu fpu;
    X86Vector zmm[32];
    uint64_t opmask[8];
    uint32_t mxcsr;
    uint32_t pkru;

    /* MSRs */
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base, tsc_aux;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t pat, misc_enable, debugctl, feature_control;
    uint64_t tsc_offset, tsc_adjust; /* guest TSC = clock in TSC units + offset */
    uint64_t mtrr_def_type, mtrr_fixed[11], mtrr_base[X86_MTRR_VARIABLE],
        mtrr_mask[X86_MTRR_VARIABLE];
    uint64_t mcg_status, mcg_ctl, mce_banks[10][4];
    uint64_t smbase;
    uint64_t spec_ctrl, tsx_ctrl, xss, hwcr, vm_hsave_pa, microcode_version;
    X86Svm svm;

    X86Pmu pmu;

    /* Between instructions */
    X86Activity activity;
    bool in_smm;
    bool nmi_blocked;
    bool smi_blocked;
    bool interrupt_shadow; /* STI, MOV SS, POP SS: interrupts wait for one instruction */
    /* An event being delivered when state was taken (KVM hand-over); vector < 0 = none. */
    int16_t pending_vector;
    bool pending_has_error, pending_is_soft;
    uint32_t pending_error;
} X86State;

static inline bool
x86_long_mode(const X86State *s)
{
    return s->efer & X86_EFER_LMA;
}

/* True in 64-bit code (not compatibility mode). */
static inline bool
x86_code64(const X86State *s)
{
    return (s->efer & X86_EFER_LMA) && (s->seg[X86_CS].attr & X86_SEG_L);
}

static inline bool
x86_v8086(const X86State *s)
{
    return (s->rflags & X86_FLAG_VM) && (s->cr0 & X86_CR0_PE);
}

static inline bool
x86_real_mode(const X86State *s)
{
    return !(s->cr0 & X86_CR0_PE);
}
