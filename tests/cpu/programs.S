/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors
 *
 * Guest programs of test-x86-programs.c: data to the test, copied to guest address 0x7c00 and run
 * from there. Each leaves marks at 0x500 and ends in HLT with interrupts off. A() is a label's
 * guest address. Guest memory: GDT 0x1000, IDT 0x2000, TSS 0x3000, page tables 0x100000 (the test
 * makes them where a program says so). */

#define BASE 0x7c00
#define PROGRAM(name) .globl x86_program_##name; x86_program_##name:
#define END(name) .globl x86_program_##name##_end; x86_program_##name##_end:
#define A(label) (label - 0b + BASE)

    .section .rodata

/* Real mode -> protected 32 -> long 64 -> compatibility -> 64 -> protected 32 -> 16 -> real.
 * Marks: a letter for each mode passed. Expects page tables at 0x100000. */
    .balign 16
PROGRAM(modes)
0:  .code16
    cli
    xorw %ax, %ax
    movw %ax, %ds
    movb $'r', 0x500
    lgdtl %cs:(A(modes_gdtr))
    movl %cr0, %eax
    orb $1, %al
    movl %eax, %cr0
    ljmpl $0x08, $A(modes_32)
modes_32:
    .code32
    movw $0x10, %ax
    movw %ax, %ds
    movw %ax, %ss
    movw %ax, %es
    movl $0x7000, %esp
    movb $'p', 0x501
    movl %cr4, %eax
    orl $0x20, %eax
    movl %eax, %cr4
    movl $0x100000, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx
    rdmsr
    orl $0x100, %eax
    wrmsr
    movl %cr0, %eax
    orl $0x80000000, %eax
    movl %eax, %cr0
    movb $'c', 0x502          /* compatibility mode now */
    ljmpl $0x18, $A(modes_64)
modes_64:
    .code64
    movb $'l', 0x503
    movabsq $0x1122334455667788, %rax
    movq %rax, %r15
    movq %r15, 0x510
    pushq $0x08               /* far return to compatibility mode */
    pushq $A(modes_compat)
    lretq
modes_compat:
    .code32
    movb $'c', 0x504
    incl %eax                 /* 0x40: INC here, REX in 64-bit code */
    movl %eax, 0x518
    ljmpl $0x18, $A(modes_64_again)
modes_64_again:
    .code64
    movb $'l', 0x505
    movq %r15, 0x520          /* R15 has survived */
    leaq modes_far(%rip), %rbx
    ljmpl *(%rbx)
modes_far:
    .long A(modes_leave)
    .word 0x08
modes_leave:
    .code32
    movl %cr0, %eax
    andl $0x7fffffff, %eax
    movl %eax, %cr0           /* EFER.LMA goes */
    movl $0xc0000080, %ecx
    rdmsr
    movl %eax, 0x528
    andl $0xfffffeff, %eax
    wrmsr
    movb $'p', 0x506
    ljmpl $0x20, $A(modes_16)
modes_16:
    .code16
    movw $0x28, %ax
    movw %ax, %ds
    movw %ax, %ss
    movb $'s', 0x507
    movl %cr0, %eax
    andb $0xfe, %al
    movl %eax, %cr0
    ljmpw $0, $A(modes_real)
modes_real:
    xorw %ax, %ax
    movw %ax, %ds
    movb $'r', 0x508
    hlt
modes_gdtr:
    .word 0x2f
    .long 0x1000
END(modes)

/* 32-bit: STI's shadow, a HLT that an interrupt ends, INT n and IRET, single step.
 * Marks: 0x500 order of events. Vector 0x20: appends 'i'; 0x30: 'n'; 1: 's'; EDI = next mark. */
    .balign 16
PROGRAM(events)
0:  .code32
    movl $0x500, %edi
    int $0x30                 /* "n" */
    pushl $0x102              /* TF */
    popfl
    nop                       /* "s" after this */
    nop                       /* "s" */
    pushl $2                  /* "s" */
    popfl                     /* "s": TF was set as it began */
    movb $'h', (%edi)
    incl %edi
    sti
    hlt                       /* sleeps: the test raises INTR; "i" comes after it */
    cli
    movb $'e', (%edi)
    hlt
events_irq:
    movb $'i', (%edi)
    incl %edi
    iretl
events_int:
    movb $'n', (%edi)
    incl %edi
    iretl
events_step:
    movb $'s', (%edi)
    incl %edi
    movl %dr6, %eax
    movl %eax, 0x600
    iretl
    .globl x86_program_events_irq, x86_program_events_int, x86_program_events_step
    .set x86_program_events_irq, events_irq
    .set x86_program_events_int, events_int
    .set x86_program_events_step, events_step
END(events)

/* 32-bit: data, code and I/O breakpoints. Vector 1 stores DR6 and the return address in a list
 * at 0x600 (EDI) and clears DR6. */
    .balign 16
PROGRAM(breakpoints)
0:  .code32
    movl $0x600, %edi
    movl $0x700, %eax
    movl %eax, %dr0           /* writes of 4 bytes at 0x700 */
    movl $A(bp_code), %eax
    movl %eax, %dr1           /* execution */
    movl $0x110, %eax
    movl %eax, %dr2           /* I/O at port 0x110 */
    movl %cr4, %eax
    orl $8, %eax              /* DE */
    movl %eax, %cr4
    movl $0x020d002a, %eax    /* G0 G1 G2; RW0 = write, LEN0 = 4, RW1 = execute, RW2 = I/O */
    movl %eax, %dr7
    movl 0x700, %eax          /* a read: nothing */
    movl $1, 0x700            /* hit 1 */
bp_1:
    movb $1, 0x703            /* hit 2: overlaps */
bp_2:
    movb $1, 0x704
bp_code:
    nop                       /* hit 3, once: IRET restores RF */
    movw $0x110, %dx
    outb %al, %dx             /* hit 4 */
bp_4:
    xorl %eax, %eax
    movl %eax, %dr7
    movl $1, 0x700
    hlt
bp_handler:
    movl %dr6, %eax
    movl %eax, (%edi)
    movl (%esp), %eax
    movl %eax, 4(%edi)
    addl $8, %edi
    movl $0xffff0ff0, %eax
    movl %eax, %dr6
    testb $2, -8(%edi)        /* the execution breakpoint is a fault: set RF and go on */
    jz 1f
    orl $0x10000, 8(%esp)
1:  iretl
    .globl x86_program_bp_handler, x86_program_bp_1, x86_program_bp_2, x86_program_bp_code
    .globl x86_program_bp_4
    .set x86_program_bp_handler, bp_handler
    .set x86_program_bp_1, bp_1
    .set x86_program_bp_2, bp_2
    .set x86_program_bp_code, bp_code
    .set x86_program_bp_4, bp_4
END(breakpoints)

/* 64-bit kernel and user: SYSCALL, a demand page, SMAP and SMEP. The handler of #PF stores CR2 and
 * the error code in a list at 0x600 (R15), then for CR2 = 0x400000 maps the page, for others goes
 * to the address in R14. The user page 0x200000 holds the user part; page tables from the test. */
    .balign 16
PROGRAM(user)
0:  .code64
    movl $0x600, %r15d
    /* SMAP: the kernel may not read a user page ... */
    leaq 1f(%rip), %r14
    movl 0x200000, %eax
1:  stac                      /* ... but with AC it may */
    movl 0x200000, %ebx
    clac
    /* SMEP: nor run it */
    leaq 2f(%rip), %r14
    movl $0x200000, %eax
    jmpq *%rax
2:  movl $0x202, %r11d        /* to the user part */
    movl $0x200000, %ecx
    sysretq
user_syscall:
    movl $'k', 0x500
    movq %rcx, 0x508
    movq %r11, 0x510
    hlt
user_fault:
    pushq %rax
    movq %cr2, %rax
    movq %rax, (%r15)
    movq 8(%rsp), %rax
    movq %rax, 8(%r15)
    addq $16, %r15
    cmpl $0x400000, -16(%r15)
    jne 3f
    movq $0x200087, 0x102010  /* a user page on physical 0x200000 */
    popq %rax
    addq $8, %rsp
    iretq
3:  popq %rax
    addq $8, %rsp
    movq %r14, (%rsp)
    iretq
    .globl x86_program_user_syscall, x86_program_user_fault
    .set x86_program_user_syscall, user_syscall
    .set x86_program_user_fault, user_fault
END(user)

/* The user part, at 0x200000. */
    .balign 16
PROGRAM(user_part)
    .code64
    movl 0x400000, %eax       /* not there until the handler maps it */
    leaq 1f(%rip), %r14
    movl $1, 0x500            /* the kernel's */
1:  syscall
END(user_part)

/* v8086 program at 0x20000 (CS 0x2000): CLI, STI, PUSHF, INT under VME with IOPL 0, then a HLT that
 * is #GP and ends the test in the monitor. */
    .balign 16
PROGRAM(v8086)
    .code16
    cli
    pushfw
    popw %ax                  /* IF as VIF shows it: clear; IOPL shows 3 */
    sti
    pushfw
    popw %bx
    int $0x40                 /* redirected: handler in the v8086 table adds to CX */
    int $0x40
    pushw $0x0002
    popfw                     /* VIF goes */
    pushfw
    popw %dx
    hlt
END(v8086)

    .section .note.GNU-stack, "", @progbits
