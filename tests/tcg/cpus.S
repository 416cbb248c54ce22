/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors
 *
 * Guest programs of test-cpus.c: 64-bit code at privilege 0. One CPU changes code that others run, by
 * the rule: they serialize themselves when they have heard of it. ESI leads to words that the CPUs
 * share, R14D is how many runners there are, R15D a runner's number from 0. Word 0 is the number of
 * the turn given, word 1 that of the one whose code is written; a runner's own word (16 + number)
 * says which turn it is done with. Turns use the pages from 0x400000 on. */

#define PROGRAM(name) .globl tcg_program_##name; tcg_program_##name:
#define END(name) .globl tcg_program_##name##_end; tcg_program_##name##_end:
#define TURNS 2000

    .section .rodata

/* EDI = the page of turn ECX */
    .macro page_of_turn
    movl %ecx, %edi
    andl $0x1ff, %edi
    shll $12, %edi
    addl $0x400000, %edi
    .endm

/* MOV EAX, imm; RET, whose constant is written long after the first access of a group that it belongs
 * to: what a check said then must still hold. */
    .balign 16
PROGRAM(writer)
    movl $1, %ecx
    fninit
    fld1
1:  page_of_turn
    movl $0, 1(%rdi)
    movb $0xb8, (%rdi)
    movb $0xc3, 5(%rdi)
    movl $0, 0x40(%rdi)         /* the page is nobody's code now: */
    movl $0, 0x40(%rdi)         /* written straight */
    movl %ecx, (%rsi)
    jmp 2f
    .balign 16
2:  movl %ecx, 0x40(%rdi)
    .rept 50
    fcos
    .endr
    movl %ecx, 1(%rdi)
    movl %ecx, 4(%rsi)
    xorl %edx, %edx
3:  pause
    cmpl %ecx, 64(%rsi,%rdx,4)
    jne 3b
    incl %edx
    cmpl %r14d, %edx
    jb 3b
    incl %ecx
    cmpl $TURNS, %ecx
    jbe 1b
    hlt
END(writer)

/* Runs the code once at any time, and again when it has heard of it: EBX = how often that was
 * another constant. */
    .balign 16
PROGRAM(runner)
    xorl %ebp, %ebp
    movl $1, %ecx
    leal 1(%r15), %r8d
1:  cmpl %ecx, (%rsi)
    je 2f
    pause
    jmp 1b
2:  imull $1103515245, %r8d, %r8d
    addl $12345, %r8d
    movl %r8d, %edx
    shrl $16, %edx
    andl $0xff, %edx
3:  decl %edx
    jns 3b
    page_of_turn
    call *%rdi
4:  cmpl %ecx, 4(%rsi)
    je 5f
    pause
    jmp 4b
5:  movl %ecx, %r9d
    xorl %eax, %eax
    cpuid
    movl %r9d, %ecx
    call *%rdi
    cmpl %ecx, %eax
    setne %al
    movzbl %al, %eax
    addl %eax, %ebp
    movl %ecx, 64(%rsi,%r15,4)
    incl %ecx
    cmpl $TURNS, %ecx
    jbe 1b
    movl %ebp, %ebx
    hlt
END(runner)

    .section .note.GNU-stack, "", @progbits
