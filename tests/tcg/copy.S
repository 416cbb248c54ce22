/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors
 *
 * Guest program of test-copy.c: 64-bit user code that runs wherever its three pages are mapped, up
 * to HLT, which a user may not. EDI, unless 0, is written into the function in its second page; ESI,
 * unless 0, asks for an access that faults. RBX = address of the program + 100 times (7 + the
 * function's constant); RBP = address behind the last call. */

    .section .rodata

    .balign 16
    .globl tcg_program_copied, tcg_program_copied_end, tcg_program_copied_fault
    .globl tcg_program_copied_called
tcg_program_copied:
    leaq tcg_program_copied(%rip), %rbx
    testl %edi, %edi
    jz 1f
    movb %dil, 4f+1(%rip)
1:  movl $100, %ecx
    movl $0, 5f+8(%rip)
2:  call 4f
tcg_program_copied_called:
    addq 5f(%rip), %rbx
    incl 5f+8(%rip)
    cmpl 5f+8(%rip), %ecx
    ja 2b
    leaq 3f(%rip), %rax
    jmp *%rax
3:  testl %esi, %esi
    jz 6f
tcg_program_copied_fault:
    movq %rax, 0x40000000(%rip)
6:  hlt
    .org tcg_program_copied + 0x1000
4:  movl $5, %eax
    addq %rax, %rbx
    movq (%rsp), %rbp
    ret
    .org tcg_program_copied + 0x2000
5:  .quad 7, 0
tcg_program_copied_end:

    .section .note.GNU-stack,"",@progbits
