/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors
 *
 * The guest program of test-host.c: integer instructions that not every host has. 64-bit code at
 * privilege 0 that runs to HLT; RBX = the answer. */

    .section .rodata
    .balign 64
    .globl tcg_program_integer
tcg_program_integer:
    movabsq $0x8000123400f00ff0, %rcx
    movl $0x20000, %edi
    movq %rcx, (%rdi)
    xorl %ebx, %ebx
    movl $3, %esi
1:  movbeq (%rdi), %rax
    addq %rax, %rbx
    popcntq %rcx, %rdx
    addq %rdx, %rbx
    lzcntl %ecx, %edx
    addq %rdx, %rbx
    tzcntq (%rdi), %rdx
    addq %rdx, %rbx
    andnq %rcx, %rbx, %rdx
    addq %rdx, %rbx
    blsrq %rcx, %rdx
    addq %rdx, %rbx
    adcxq %rcx, %rbx
    adoxq %rcx, %rbx
    adcxq (%rdi), %rbx
    pextq %rcx, %rbx, %rdx
    addq %rdx, %rbx
    shlxq %rsi, %rbx, %rdx
    xorq %rdx, %rbx
    decl %esi
    jnz 1b
    hlt
    .globl tcg_program_integer_end
tcg_program_integer_end:

    .section .note.GNU-stack, "", @progbits
