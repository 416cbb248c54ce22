/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors
 *
 * Guest programs of test-hot.c: 64-bit user code up to HLT, which a user may not. */

    .section .rodata

/* RBX = 3000 times the sum of what an access finds that goes to one page and another in turn, and
 * of what another finds that stays. The loop is of two blocks. */
    .balign 16
    .globl tcg_program_hot, tcg_program_hot_loop, tcg_program_hot_end
tcg_program_hot:
    leaq 3f(%rip), %rsi
    xorl %ebx, %ebx
    xorl %eax, %eax
    movl $3000, %ecx
tcg_program_hot_loop:
    addq (%rsi,%rax), %rbx
    xorl $0x1000, %eax
    addq 8(%rsi), %rbx
    jmp 2f
    .balign 64
2:  decl %ecx
    jnz tcg_program_hot_loop
    hlt
    .org tcg_program_hot + 0x1000
3:  .quad 3, 5
    .org tcg_program_hot + 0x2000
    .quad 10
tcg_program_hot_end:

/* Pops ECX times from one page and another in turn, and then from where no page can be. */
    .balign 16
    .globl tcg_program_nowhere, tcg_program_nowhere_end
tcg_program_nowhere:
    leaq 2f(%rip), %rsp
    movabsq $0xc000000000000000, %rdx
1:  popq %rax
    leaq -8(%rsp), %rsp
    xorq $0x1000, %rsp
    decl %ecx
    jnz 1b
    movq %rdx, %rsp
    popq %rbx
    hlt
    .org tcg_program_nowhere + 0x2000
2:  .quad 1
    .org tcg_program_nowhere + 0x3000
    .quad 2
tcg_program_nowhere_end:

    .section .note.GNU-stack,"",@progbits
