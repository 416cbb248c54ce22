/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Opcode rows of the system instructions: segments, far transfers, interrupts, descriptor tables,
 * control and debug registers, MSRs, ports, flags with privilege. Intel SDM volume 2; AMD APM
 * volume 3 for SVM, CLZERO, MONITORX.
 *
 * PROTECTED is only on rows that are #UD in real and v8086 mode. Privilege, CR4 gates and the like
 * belong to the handlers. X86_CLASS_SYSTEM means that the translator calls the handler.
 */

#define X86_OP_ROWS
#include "x86-op.h"

#define FL_ALL   FL(0, ARITH | TF | IF | DF, 0)
#define FL_STATE FL(ARITH | TF | IF | DF, 0, 0)
#define Rn       OPERAND(MODRM_R, X86_SZ_NATIVE)
#define Gn       OPERAND(MODRM_REG, X86_SZ_NATIVE)

#define PUSH_SEG(op, seg) \
    ROW("push", OP1(op), SYSTEM, BASE, NO64, FL_NONE, OPS(WR(St), RD(Seg(seg))), push_seg)
#define POP_SEG(op, seg) \
    ROW("pop", OP1(op), SYSTEM, BASE, NO64 | END, FL_NONE, OPS(WR(Seg(seg)), RD(St)), pop_seg)
#define LOAD_FAR(mn, key, seg, rowflags) \
    ROW(mn, key, SYSTEM, BASE, rowflags | END, FL_NONE, OPS(WR(Gv), WR(Seg(seg)), RD(Mp)), lxs)
#define SVM_ROW(mn, rm, fn) \
    ROW(mn, OP2RM(NONE, 0x01, 3, rm), SYSTEM, SVM, PROTECTED | END, FL_NONE, OPS_NONE, fn)

const X86OpRow x86_op_rows_sys[] = {
    /* clang-format off */
    /* Segment registers */
    PUSH_SEG(0x06, ES), PUSH_SEG(0x0e, CS), PUSH_SEG(0x16, SS), PUSH_SEG(0x1e, DS),
    POP_SEG(0x07, ES), POP_SEG(0x17, SS), POP_SEG(0x1f, DS),
    ROW("push", OP2(0xa0), SYSTEM, BASE, DEF64, FL_NONE, OPS(WR(St), RD(Seg(FS))), push_seg),
    ROW("push", OP2(0xa8), SYSTEM, BASE, DEF64, FL_NONE, OPS(WR(St), RD(Seg(GS))), push_seg),
    ROW("pop", OP2(0xa1), SYSTEM, BASE, DEF64 | END, FL_NONE, OPS(WR(Seg(FS)), RD(St)), pop_seg),
    ROW("pop", OP2(0xa9), SYSTEM, BASE, DEF64 | END, FL_NONE, OPS(WR(Seg(GS)), RD(St)), pop_seg),
    /* Stores 2 bytes to memory, operand size to a register. */
    ROW("mov", OP1(0x8c), SYSTEM, BASE, 0, FL_NONE, OPS(WR(Ev), RD(Sw)), mov_from_seg),
    ROW("mov", OP1(0x8e), SYSTEM, BASE, END, FL_NONE, OPS(WR(Sw), RD(Ew)), mov_to_seg),
    LOAD_FAR("les", OP1M(0xc4), ES, NO64),
    LOAD_FAR("lds", OP1M(0xc5), DS, NO64),
    LOAD_FAR("lss", OP2M(ANY, 0xb2), SS, 0),
    LOAD_FAR("lfs", OP2M(ANY, 0xb4), FS, 0),
    LOAD_FAR("lgs", OP2M(ANY, 0xb5), GS, 0),
    ROW("bound", OP1M(0x62), SYSTEM, BASE, NO64, FL_NONE, OPS(RD(Gv), RD(Ma)), bound),
    ROW("arpl", OP1(0x63), SYSTEM, BASE, NO64 | PROTECTED, FL_W(ZF), OPS(RW(Ew), RD(Gw)), arpl),

    /* Far transfers and interrupts */
    ROW("callf", OP1(0x9a), SYSTEM, BASE, NO64 | END, FL_NONE, OPS(RD(Ap), WR(St)), call_far),
    ROW("jmpf", OP1(0xea), SYSTEM, BASE, NO64 | END, FL_NONE, OPS(RD(Ap)), jmp_far),
    ROW("callf", OP1DM(0xff, 3), SYSTEM, BASE, END, FL_NONE, OPS(RD(Mp), WR(St)), call_far_m),
    ROW("jmpf", OP1DM(0xff, 5), SYSTEM, BASE, END, FL_NONE, OPS(RD(Mp)), jmp_far_m),
    ROW("retf", OP1(0xcb), SYSTEM, BASE, END, FL_NONE, OPS(RD(St)), ret_far),
    ROW("retf", OP1(0xca), SYSTEM, BASE, END, FL_NONE, OPS(RD(St), RD(Iw)), ret_far),
    ROW("iret", OP1(0xcf), SYSTEM, BASE, END, FL_ALL, OPS(RD(St)), iret),
    ROW("int3", OP1(0xcc), SYSTEM, BASE, END, FL_STATE, OPS_NONE, int3),
    ROW("int", OP1(0xcd), SYSTEM, BASE, END, FL_STATE, OPS(RD(Ib)), int_n),
    ROW("into", OP1(0xce), SYSTEM, BASE, NO64 | END, FL_STATE, OPS_NONE, into),
    ROW("int1", OP1(0xf1), SYSTEM, BASE, END, FL_STATE, OPS_NONE, int1),
    ROW("ud2", OP2(0x0b), SYSTEM, BASE, END, FL_NONE, OPS_NONE, ud),
    ROW("ud1", OP2(0xb9), SYSTEM, BASE, END, FL_NONE, OPS(NA(Gv), NA(Ev)), ud),
    ROW("ud0", OP2(0xff), SYSTEM, BASE, END, FL_NONE, OPS(NA(Gv), NA(Ev)), ud),
    ROW("syscall", OP2(0x05), SYSTEM, SYSCALL, END, FL_ALL, OPS_NONE, syscall),
    ROW("sysret", OP2(0x07), SYSTEM, SYSCALL, END, FL_ALL, OPS_NONE, sysret),
    ROW("sysenter", OP2(0x34), SYSTEM, SEP, END, FL_W(IF), OPS_NONE, sysenter),
    ROW("sysexit", OP2(0x35), SYSTEM, SEP, END, FL_NONE, OPS_NONE, sysexit),
    ROW("rsm", OP2(0xaa), SYSTEM, BASE, END, FL_ALL, OPS_NONE, rsm),

    /* Flags with privilege */
    ROW("pushf", OP1(0x9c), SYSTEM, BASE, DEF64, FL_STATE, OPS(WR(St)), pushf),
    ROW("popf", OP1(0x9d), SYSTEM, BASE, DEF64 | END, FL_ALL, OPS(RD(St)), popf),
    ROW("cli", OP1(0xfa), SYSTEM, BASE, END, FL_W(IF), OPS_NONE, cli),
    ROW("sti", OP1(0xfb), SYSTEM, BASE, END, FL_W(IF), OPS_NONE, sti),
    ROW("clac", OP2RM(NONE, 0x01, 1, 2), SYSTEM, SMAP, END, FL_NONE, OPS_NONE, clac),
    ROW("stac", OP2RM(NONE, 0x01, 1, 3), SYSTEM, SMAP, END, FL_NONE, OPS_NONE, stac),

    /* Descriptor tables and tasks */
    ROW("sldt", OP2D(ANY, 0x00, 0), SYSTEM, BASE, PROTECTED, FL_NONE, OPS(WR(Ev)), sldt),
    ROW("str", OP2D(ANY, 0x00, 1), SYSTEM, BASE, PROTECTED, FL_NONE, OPS(WR(Ev)), str),
    ROW("lldt", OP2D(ANY, 0x00, 2), SYSTEM, BASE, PROTECTED | END, FL_NONE, OPS(RD(Ew)), lldt),
    ROW("ltr", OP2D(ANY, 0x00, 3), SYSTEM, BASE, PROTECTED | END, FL_NONE, OPS(RD(Ew)), ltr),
    ROW("verr", OP2D(ANY, 0x00, 4), SYSTEM, BASE, PROTECTED, FL_W(ZF), OPS(RD(Ew)), verr),
    ROW("verw", OP2D(ANY, 0x00, 5), SYSTEM, BASE, PROTECTED, FL_W(ZF), OPS(RD(Ew)), verw),
    ROW("lar", OP2(0x02), SYSTEM, BASE, PROTECTED, FL(ZF, ZF, 0), OPS(RW(Gv), RD(Ew)), lar),
    ROW("lsl", OP2(0x03), SYSTEM, BASE, PROTECTED, FL(ZF, ZF, 0), OPS(RW(Gv), RD(Ew)), lsl),
    ROW("sgdt", OP2DM(ANY, 0x01, 0), SYSTEM, BASE, FORCE64, FL_NONE, OPS(WR(Ms)), sgdt),
    ROW("sidt", OP2DM(ANY, 0x01, 1), SYSTEM, BASE, FORCE64, FL_NONE, OPS(WR(Ms)), sidt),
    ROW("lgdt", OP2DM(ANY, 0x01, 2), SYSTEM, BASE, FORCE64 | END, FL_NONE, OPS(RD(Ms)), lgdt),
    ROW("lidt", OP2DM(ANY, 0x01, 3), SYSTEM, BASE, FORCE64 | END, FL_NONE, OPS(RD(Ms)), lidt),
    ROW("smsw", OP2D(ANY, 0x01, 4), SYSTEM, BASE, 0, FL_NONE, OPS(WR(Ev)), smsw),
    ROW("lmsw", OP2D(ANY, 0x01, 6), SYSTEM, BASE, END, FL_NONE, OPS(RD(Ew)), lmsw),

    /* Control and debug registers */
    ROW("mov", OP2(0x20), SYSTEM, BASE, FORCE64 | MOD3, FL(0, 0, ARITH), OPS(WR(Rn), RD(Cn)),
        mov_from_cr),
    ROW("mov", OP2(0x21), SYSTEM, BASE, FORCE64 | MOD3, FL(0, 0, ARITH), OPS(WR(Rn), RD(Dn)),
        mov_from_dr),
    ROW("mov", OP2(0x22), SYSTEM, BASE, FORCE64 | MOD3 | END, FL(0, 0, ARITH),
        OPS(WR(Cn), RD(Rn)), mov_to_cr),
    ROW("mov", OP2(0x23), SYSTEM, BASE, FORCE64 | MOD3 | END, FL(0, 0, ARITH),
        OPS(WR(Dn), RD(Rn)), mov_to_dr),
    ROW("clts", OP2(0x06), SYSTEM, BASE, END, FL_NONE, OPS_NONE, clts),
    ROW("invd", OP2(0x08), SYSTEM, BASE, END, FL_NONE, OPS_NONE, invd),
    ROW("wbinvd", OP2(0x09), SYSTEM, BASE, END, FL_NONE, OPS_NONE, wbinvd),
    ROW("invlpg", OP2DM(ANY, 0x01, 7), SYSTEM, BASE, END, FL_NONE, OPS(NA(Mb)), invlpg),
    ROW("invpcid", OP38M(66, 0x82), SYSTEM, INVPCID, END | FORCE64, FL_NONE,
        OPS(RD(Gn), RD(Mdq)), invpcid),
    ROW("swapgs", OP2RM(ANY, 0x01, 7, 0), SYSTEM, BASE, ONLY64 | END, FL_NONE, OPS_NONE, swapgs),
    ROW("rdfsbase", OP2DR(F3, 0xae, 0), SYSTEM, FSGSBASE, ONLY64, FL_NONE, OPS(WR(Ry)), rdfsbase),
    ROW("rdgsbase", OP2DR(F3, 0xae, 1), SYSTEM, FSGSBASE, ONLY64, FL_NONE, OPS(WR(Ry)), rdgsbase),
    ROW("wrfsbase", OP2DR(F3, 0xae, 2), SYSTEM, FSGSBASE, ONLY64 | END, FL_NONE, OPS(RD(Ry)),
        wrfsbase),
    ROW("wrgsbase", OP2DR(F3, 0xae, 3), SYSTEM, FSGSBASE, ONLY64 | END, FL_NONE, OPS(RD(Ry)),
        wrgsbase),
    ROW("xgetbv", OP2RM(NONE, 0x01, 2, 0), SYSTEM, XSAVE, 0, FL_NONE,
        OPS(WR(EDX), WR(EAX), RD(ECX)), xgetbv),
    ROW("xsetbv", OP2RM(NONE, 0x01, 2, 1), SYSTEM, XSAVE, END, FL_NONE,
        OPS(RD(EDX), RD(EAX), RD(ECX)), xsetbv),
    ROW("rdpkru", OP2RM(NONE, 0x01, 5, 6), SYSTEM, PKU, 0, FL_NONE,
        OPS(WR(EDX), WR(EAX), RD(ECX)), rdpkru),
    ROW("wrpkru", OP2RM(NONE, 0x01, 5, 7), SYSTEM, PKU, END, FL_NONE,
        OPS(RD(EDX), RD(EAX), RD(ECX)), wrpkru),

    /* MSRs, counters, identification */
    ROW("wrmsr", OP2(0x30), SYSTEM, MSR, END, FL_NONE, OPS(RD(EDX), RD(EAX), RD(ECX)), wrmsr),
    ROW("rdmsr", OP2(0x32), SYSTEM, MSR, 0, FL_NONE, OPS(WR(EDX), WR(EAX), RD(ECX)), rdmsr),
    ROW("rdtsc", OP2(0x31), SYSTEM, TSC, 0, FL_NONE, OPS(WR(EDX), WR(EAX)), rdtsc),
    ROW("rdtscp", OP2RM(ANY, 0x01, 7, 1), SYSTEM, RDTSCP, 0, FL_NONE,
        OPS(WR(EDX), WR(EAX), WR(ECX)), rdtscp),
    ROW("rdpmc", OP2(0x33), SYSTEM, BASE, 0, FL_NONE, OPS(WR(EDX), WR(EAX), RD(ECX)), rdpmc),
    ROW("rdpid", OP2DR(F3, 0xc7, 7), SYSTEM, RDPID, FORCE64, FL_NONE, OPS(WR(Rn)), rdpid),
    ROW("cpuid", OP2(0xa2), SYSTEM, BASE, 0, FL_NONE, OPS(RW(EAX), WR(EBX), RW(ECX), WR(EDX)),
        cpuid),

    /* Ports */
    ROW("in", OP1(0xe4), SYSTEM, BASE, BYTE, FL_NONE, OPS(WR(AL), RD(Ib)), in_i),
    ROW("in", OP1(0xe5), SYSTEM, BASE, 0, FL_NONE, OPS(WR(zAX), RD(Ib)), in_i),
    ROW("out", OP1(0xe6), SYSTEM, BASE, BYTE, FL_NONE, OPS(RD(Ib), RD(AL)), out_i),
    ROW("out", OP1(0xe7), SYSTEM, BASE, 0, FL_NONE, OPS(RD(Ib), RD(zAX)), out_i),
    ROW("in", OP1(0xec), SYSTEM, BASE, BYTE, FL_NONE, OPS(WR(AL), RD(DX)), in_dx),
    ROW("in", OP1(0xed), SYSTEM, BASE, 0, FL_NONE, OPS(WR(zAX), RD(DX)), in_dx),
    ROW("out", OP1(0xee), SYSTEM, BASE, BYTE, FL_NONE, OPS(RD(DX), RD(AL)), out_dx),
    ROW("out", OP1(0xef), SYSTEM, BASE, 0, FL_NONE, OPS(RD(DX), RD(zAX)), out_dx),
    ROW("ins", OP1(0x6c), SYSTEM, BASE, BYTE | REP, FL_R(DF), OPS(WR(Yb), RD(DX)), ins),
    ROW("ins", OP1(0x6d), SYSTEM, BASE, REP, FL_R(DF), OPS(WR(Yz), RD(DX)), ins),
    ROW("outs", OP1(0x6e), SYSTEM, BASE, BYTE | REP, FL_R(DF), OPS(RD(DX), RD(Xb)), outs),
    ROW("outs", OP1(0x6f), SYSTEM, BASE, REP, FL_R(DF), OPS(RD(DX), RD(Xz)), outs),

    /* Waiting */
    ROW("hlt", OP1(0xf4), SYSTEM, BASE, END, FL_NONE, OPS_NONE, hlt),
    ROW("monitor", OP2RM(NONE, 0x01, 1, 0), SYSTEM, MONITOR, 0, FL_NONE,
        OPS(RD(FIXED(RAX, X86_SZ_ADDR)), RD(ECX), RD(EDX)), monitor),
    ROW("mwait", OP2RM(NONE, 0x01, 1, 1), SYSTEM, MONITOR, END, FL_NONE, OPS(RD(EAX), RD(ECX)),
        mwait),
    ROW("clzero", OP2RM(ANY, 0x01, 7, 4), SYSTEM, CLZERO, 0, FL_NONE,
        OPS(RD(FIXED(RAX, X86_SZ_ADDR))), clzero),

    /* Virtualization: AMD's; of VMX there is nothing. */
    ROW("vmcall", OP2RM(NONE, 0x01, 0, 1), SYSTEM, BASE, END, FL_NONE, OPS_NONE, ud),
    SVM_ROW("vmrun", 0, vmrun), SVM_ROW("vmmcall", 1, vmmcall), SVM_ROW("vmload", 2, vmload),
    SVM_ROW("vmsave", 3, vmsave), SVM_ROW("stgi", 4, stgi), SVM_ROW("clgi", 5, clgi),
    SVM_ROW("skinit", 6, ud), SVM_ROW("invlpga", 7, invlpga),
    /* clang-format on */
};
const size_t x86_op_count_sys = VIT_ARRAY_LEN(x86_op_rows_sys);
