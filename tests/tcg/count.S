/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors
 *
 * The guest program of test-count.c: 64-bit code at privilege 0, for ever. It uses 0x20000 to 0x2ffff
 * and the two pages from 0x200000 on, the second of which is not there at first: the handler at
 * count_fault makes it present. */

    .section .rodata
    .globl tcg_counted, tcg_counted_end
    .balign 16
tcg_counted:
    movl $0x20000, %esi
    movl $0x28000, %edi
    fninit
1:  incl %ebp
    movl $40, %ecx
2:  leal (%rcx,%rbp), %eax      /* a loop over memory */
    movl %eax, (%rsi,%rcx,4)
    addl %eax, %ebx
    decl %ecx
    jnz 2b
    testb $3, %bpl
    jz 3f                       /* ways out of the middle of a block */
    addl $5, %ebx
    testb $4, %bpl
    jnz 3f
    call 7f
3:  leaq 7f(%rip), %rax
    call *%rax
    cld
    pushq %rsi                  /* over pages, and not aligned with them */
    pushq %rdi
    movl $0x20ffd, %esi
    movl $0x28ff1, %edi
    movl %ebp, %ecx
    andl $0x7f, %ecx
    rep movsb
    movl $0x20ffe, %edi
    movl $3, %ecx
    rep stosl
    movl $0x20f00, %edi
    movl $600, %ecx
    movb $0xee, %al
    repne scasb
    popq %rdi
    popq %rsi
    movl %ebp, %eax             /* a divide error, each eighth time: its handler goes on behind it */
    xorl %edx, %edx
    movl %ebp, %ecx
    andl $7, %ecx
    divl %ecx
    movl $0x200ffc, %edx        /* an access in two pages, one of which was taken away */
    movq %rbp, (%rdx)
    addq (%rdx), %rbx
    testb $15, %bpl
    jnz 4f
    movq $0, 0x103008
    invlpg 0x201000
4:  movl $3, %ecx
5:  loop 5b
    jrcxz 6f
    nop
6:  pushfq
    orl $1, (%rsp)
    popfq
    adcl $0, %ebx
    fld1
    fadd %st(0), %st(0)
    fistpl (%rsi)
    addl (%rsi), %ebx
    xorl %eax, %eax
    pushq %rbx
    cpuid
    popq %rbx
    jmp 1b
7:  addl $7, %ebx
    ret
tcg_counted_end:

/* #PF: the page is there again. #DE: goes on behind the two bytes of the division. */
    .globl tcg_counted_fault, tcg_counted_fault_end, tcg_counted_divide, tcg_counted_divide_end
    .balign 16
tcg_counted_fault:
    movq $0x401003, 0x103008
    addq $8, %rsp
    iretq
tcg_counted_fault_end:
    .balign 16
tcg_counted_divide:
    addq $2, (%rsp)
    iretq
tcg_counted_divide_end:

    .section .note.GNU-stack, "", @progbits
