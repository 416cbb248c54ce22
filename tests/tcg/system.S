/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors
 *
 * Guest programs of test-system.c: 64-bit code at privilege 0, copied to guest address 0x10000 and
 * run from there with interrupts off to HLT. The page at 0x205000 is not mapped; a page fault, #UD
 * and #GP end at HLT as well. An interrupt adds 0x1000000 to RBX. Results in RBX. */

#define PROGRAM(name) .globl tcg_program_##name; tcg_program_##name:
#define END(name) .globl tcg_program_##name##_end; tcg_program_##name##_end:

    .section .rodata

/* Of interrupts: R15 = where it came. */
    .balign 64
PROGRAM(handler)
    addl $0x1000000, %ebx
    movq (%rsp), %r15
    iretq
END(handler)

/* Flags that a check has destroyed and nobody reads, shown by a fault of an instruction that the
 * interpreter runs: ZF and PF. */
    .balign 64
PROGRAM(stopped)
    movl $5, %eax
    movl $0x20000, %edi
    movl $0x205000, %esi
    movl %ecx, (%rdi)
    jmp 1f
1:  cmpl $5, %eax
    movl %ecx, (%rdi)
    sldt (%rsi)
    cmpl %ecx, %eax
    hlt
END(stopped)

/* The same where that instruction is done but has written the block's own bytes, so that the block
 * is left, and the next one faults. */
    .balign 64
PROGRAM(left)
    movl $5, %eax
    movl $0x20000, %edi
    movl $0x205000, %esi
    movl %ecx, (%rdi)
    jmp 1f
    .balign 64
9:  .word 0
1:  cmpl $5, %eax
    movl %ecx, (%rdi)
    sldt 9b(%rip)
    movl (%rsi), %edx
    cmpl %ecx, %eax
    hlt
END(left)

/* Shown by a repeated instruction that has counted RCX down before it faults: PF of RCX as it was. */
    .balign 64
PROGRAM(repeated)
    movl $0x20000, %esi
    movl $0x204ff0, %edi
    movl $0x10, %ecx
    jmp 1f
1:  orl $7, %ecx
    movl %eax, (%rsi)
    rep movsl
    cmpl %ecx, %eax
    hlt
END(repeated)

/* What system instructions give, all summed up. */
    .balign 64
PROGRAM(values)
    xorl %ebx, %ebx
    movl $0x7fffffff, %eax
    addl $1, %eax
    pushfq
    jno 8f
    popq %rcx
    leaq (%rbx,%rcx,4), %rbx
    movl $1, %eax
    subl $2, %eax
    pushfq
    jnc 8f
    popq %r9
    leaq (%r9,%rbx,4), %rbx
    std
    pushfq
    cld
    popq %rcx
    leaq (%rcx,%rbx,2), %rbx
    sti
    pushfq
    cli
    popq %rcx
    leaq (%rcx,%rbx,2), %rbx
    movq %rsp, %rbp
    movl $0x201004, %esp        /* over two pages */
    pushfq
    popq %rcx
    movq %rbp, %rsp
    leaq (%rcx,%rbx,2), %rbx
    movq %cr0, %rdx
    addq %rdx, %rbx
    movq $0x123456789, %rdx
    movq %rdx, %cr2
    movq %cr2, %r10
    addq %r10, %rbx
    movq %cr3, %rdx
    addq %rdx, %rbx
    movq %cr4, %rdx
    addq %rdx, %rbx
    movq $-1, %rdx
    movl %ds, %edx
    addq %rdx, %rbx
    movq %cs, %r11
    addq %r11, %rbx
    movl $0x55, %eax
    xorl %ecx, %ecx
    movq $-1, %rdx
    cmpl $0x55, %eax
    rdpkru
    jnz 8f
    addq %rax, %rbx
    addq %rdx, %rbx
    hlt
8:  movl $1, %ebx
    hlt
END(values)

/* RDPKRU with ECX not zero, and with keys off. */
    .balign 64
PROGRAM(no_key)
    movl $1, %ecx
    rdpkru
    hlt
END(no_key)

    .balign 64
PROGRAM(keys_off)
    xorl %ecx, %ecx
    rdpkru
    hlt
END(keys_off)

/* RBX = times that the TSC went back or an instruction harmed what it must not, R8 = what it said
 * last, R10 = RCX of RDTSCP. Ends in HLT or its fault. */
    .balign 64
PROGRAM(times)
    xorl %ebx, %ebx
    xorl %r8d, %r8d
    movl $300, %esi
1:  movq $-1, %rcx
    movq %rcx, %rax
    movq %rcx, %rdx
    cmpl $5, %ebx
    rdtsc
    jnb 2f
    incq %rcx
    jnz 2f
    shlq $32, %rdx
    orq %rdx, %rax
    cmpq %r8, %rax
    jb 2f
    movq %rax, %r8
    movq $-1, %rdx
    rdtscp
    movq %rcx, %r10
    shlq $32, %rdx
    orq %rdx, %rax
    cmpq %r8, %rax
    jb 2f
    movq %rax, %r8
    jmp 3f
2:  incl %ebx
3:  decl %esi
    jnz 1b
    hlt
END(times)

/* RBX = 1000 */
    .balign 64
PROGRAM(open_close)
    xorl %ebx, %ebx
1:  sti
    incl %ebx
    cli
    cmpw $1000, %bx
    jne 1b
    hlt
END(open_close)

/* An interrupt that waits is taken behind the HLT that follows STI. */
    .balign 64
PROGRAM(open_halt)
    movl $7, %ebx
    sti
    hlt
    cli
    hlt
END(open_halt)

/* One that waits comes behind the INC. */
    .balign 64
PROGRAM(open_one)
    movl $7, %ebx
    sti
    incl %ebx
    incl %ebx
    cli
    hlt
END(open_one)

/* Two address spaces with PCIDs, CR3 of the first in R8, of the second in R9, both with the bit
 * that keeps translations. Each page holds its number in its first word: the first space has the
 * pages from 0x200000 on as 511, 510.., the second as 0, 1... The tables change under entries that
 * are kept, and the entries are told to go in three ways. */
    .balign 64
PROGRAM(spaces)
    xorl %ebx, %ebx
    movl $100, %ecx
1:  addl 0x200000, %ebx
    addl 0x201000, %ebx
    incl 0x202000
    movq %r9, %cr3
    addl 0x203000, %ebx
    addl 0x204000, %ebx
    incl 0x206000
    movq %r8, %cr3
    decl %ecx
    jnz 1b
    movq %r9, %cr3
    movq $0x407003, 0x103000
    movq %r8, %rax
    btrq $63, %rax
    movq %rax, %cr3             /* not kept */
    addl 0x200000, %ebx
    movq $0x409003, 0x103008
    invlpg 0x201000
    movq %r9, %cr3
    movq %r8, %cr3
    addl 0x201000, %ebx
    movq %r9, %cr3
    movq $0x40b003, 0x103008
    movq $1, 0x20100
    movq $0, 0x20108
    movl $1, %eax
    invpcid 0x20100, %rax
    movq %r8, %cr3
    addl 0x201000, %ebx
    hlt
END(spaces)

    .section .note.GNU-stack, "", @progbits
