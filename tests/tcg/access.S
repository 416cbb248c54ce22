/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors
 *
 * Guest programs of test-access.c: 64-bit code at privilege 0, copied to guest address 0x10000 and
 * run from there to HLT with interrupts off. The pages from 0x200000 on are mapped so that
 * neighbours lie apart (the test makes the table). Results in RBX. */

#define PROGRAM(name) .globl tcg_program_##name; tcg_program_##name:
#define END(name) .globl tcg_program_##name##_end; tcg_program_##name##_end:

    .section .rodata

/* Structures of 40 bytes one after the other over three pages, written and summed by several
 * accesses off one base, which is moved between two of them; 10 times. */
    .balign 16
PROGRAM(structures)
    xorl %ebx, %ebx
    movl $10, %ebp
1:  movl $0x200ff0 - 40 * 60, %edi
    movl $120, %ecx
2:  movq %rcx, (%rdi)
    movl %ecx, 8(%rdi)
    addq $24, %rdi
    movq %rbp, (%rdi)
    movw %cx, 8(%rdi)
    incq (%rdi)
    addq -24(%rdi), %rbx
    movl -16(%rdi), %eax
    addq %rax, %rbx
    addq (%rdi), %rbx
    movzwl 8(%rdi), %eax
    xorq %rax, %rbx
    addq $16, %rdi
    decl %ecx
    jnz 2b
    decl %ebp
    jnz 1b
    hlt
END(structures)

/* A stack that goes over a page boundary: calls with frames, pushes and pops, LEAVE. */
    .balign 16
PROGRAM(stack)
    xorl %ebx, %ebx
    movl $400, %ecx
1:  movl $0x201000, %esp
    leal (%rcx,%rcx,2), %eax
    andl $0xf8, %eax
    addq %rax, %rsp
    pushq %rcx
    pushq %rbx
    call 2f
    popq %rbx
    popq %rcx
    addq %rax, %rbx
    loop 1b
    hlt
2:  pushq %rbp
    movq %rsp, %rbp
    subq $64, %rsp
    movq %rcx, -8(%rbp)
    movq 16(%rbp), %rax
    movq %rax, -40(%rbp)
    pushq -8(%rbp)
    popq %rdx
    leaq -40(%rbp), %rsi
    addq (%rsi), %rdx
    movq %rdx, 8(%rsi)
    movq -32(%rbp), %rax
    xorq 24(%rbp), %rax
    leave
    ret
END(stack)

/* A carry comes into a block by a jump and is read by the first of two accesses that share a check and
 * lie in two pages; other flags are read by nobody. */
    .balign 16
PROGRAM(carries)
    xorl %ebx, %ebx
    movl $64, %ecx
    movl $0x200ff8, %edi
    movq %rbx, (%rdi)
    movq $5, 8(%rdi)
1:  imull $0x9e3779b1, %ecx, %eax
    btl $13, %eax
    jmp 3f
2:  leaq (%rbx,%rbx,2), %rbx
    decl %ecx
    jnz 1b
    hlt
3:  adcq %rcx, (%rdi)
    adcq $0, %rbx
    addq 8(%rdi), %rbx
    addq (%rdi), %rbx
    cmpl $99, %ecx
    jmp 2b
END(carries)

/* Reads of all widths at every place around a page boundary. */
    .balign 16
PROGRAM(across)
    movl $0x200fc0, %edi
    movl $128, %ecx
1:  leal (%rcx,%rcx,4), %eax
    movb %al, -1(%rdi,%rcx)
    loop 1b
    xorl %ebx, %ebx
    movl $64, %ecx
2:  movq (%rdi), %rax
    addq %rax, %rbx
    addl 3(%rdi), %ebx
    movzwl 1(%rdi), %eax
    adcq %rax, %rbx
    rolq $3, %rbx
    cmpq %rbx, 5(%rdi)
    setc %al
    addb %al, %bl
    movups (%rdi), %xmm0
    movups 16(%rdi), %xmm1
    paddb %xmm1, %xmm0
    movq %xmm0, %rax
    xorq %rax, %rbx
    incq %rdi
    loop 2b
    hlt
END(across)

/* A block that reads at one place, and would write beside it but for a jump that is taken. The
 * second time it writes. The sum's flags are dead and cannot be told from registers: its operands are
 * kept, the one in memory is not written although its address is in the register that is. */
    .balign 16
PROGRAM(dirty)
    movl $0x200100, %edi
    movl 0x104000, %edx         /* the test puts it there */
    movl %edi, %esi
    addq (%rsi), %rsi
    movl 16(%rsi), %eax
    cmpl $0, (%rdi)
    je 1f
    movl %edx, 8(%rdi)
1:  movl 0x103000, %ebx         /* the page's entry */
    hlt
END(dirty)

/* Several accesses of a device window off one base, and of memory beside them. */
    .balign 16
PROGRAM(window)
    movl $0x202000, %edi
    movl $0x200000, %esi
    movl $3, %ecx
1:  movl %ecx, (%rdi)
    movl 4(%rdi), %eax
    addl %eax, 8(%rdi)
    movl %eax, 16(%rsi)
    addl %eax, 24(%rsi)
    addl 16(%rsi), %eax
    loop 1b
    movl 24(%rsi), %ebx
    shll $8, %ebx
    addl %eax, %ebx
    hlt
END(window)

/* A block that ends by a jump to code which does not read the flags, until it is changed to do so:
 * the check of the access between must no longer destroy them. RBX = 3. */
    .balign 16
PROGRAM(ahead)
    movl $0x200000, %esi
    xorl %ebx, %ebx
    movl $3, %edi
    movl $2, %edx
    movl $6, %ecx
1:  cmpl %edx, %edi
    movl (%rsi), %eax
    jmp 2f
    .fill 192, 1, 0x90
2:  xorl %eax, %eax             /* from the fourth time on setnc %al */
    nop
    movzbl %al, %eax
    addl %eax, %ebx
    cmpl $4, %ecx
    jne 3f
    movb $0x0f, 2b(%rip)
    movb $0x93, 2b+1(%rip)
    movb $0xc0, 2b+2(%rip)
3:  decl %ecx
    jnz 1b
    hlt
END(ahead)

/* Loops of one block, from page to page: up by several strides with accesses that lie over the
 * boundaries, down, by an index that ends at zero, with registers that live in the state, pushes. */
    .balign 16
PROGRAM(loops)
    xorl %ebx, %ebx
    movl $0x200003, %edi        /* up, never aligned */
    movl $0x203000, %esi
    movl $700, %ecx
1:  movq %rcx, (%rdi)
    addl %ecx, 3(%rdi)
    movq -8(%rsi), %rax
    addq %rax, %rbx
    xorq %rbx, 24(%rsi)
    addq $8, %rdi
    addq $20, %rsi
    decl %ecx
    jnz 1b
    movl $0x205ff8, %edi        /* down */
    movl $400, %ecx
2:  addq (%rdi), %rbx
    rolq $7, %rbx
    movw %bx, 2(%rdi)
    leaq -24(%rdi), %rdi
    decl %ecx
    jnz 2b
    movl $0x204000, %edi        /* an index up to zero, another in the state, one that stays */
    movq $-1030, %rcx
    xorl %r9d, %r9d
    movl $3, %r10d
    movl $0x200000, %r8d
3:  movl (%rdi,%rcx,4), %eax
    addl 0x800(%r8,%r9,2), %eax
    addl 0x40(%rdi,%r10,8), %eax
    addq %rax, %rbx
    movb %bl, 0x900(%r8,%r9,2)
    addq $1, %r9
    incl 0x40(%rdi,%r10,8)
    incq %rcx
    jnz 3b
    movl $0x205210, %esp        /* pushes */
    movl $160, %ecx
4:  pushq %rbx
    addq 8(%rsp), %rbx
    decl %ecx
    jnz 4b
    movl $0x8000, %esp
    movq $0x7fffffffffffff00, %rcx /* an index that goes from plus to minus */
    movl $320, %edx
    movl $0x204000, %edi
5:  addq (%rdi,%rcx,8), %rbx
    rolq $1, (%rdi,%rcx,8)
    incq %rcx
    decl %edx
    jnz 5b
    movl $0x203000, %edi        /* a jump out of the middle, a page that is left at every turn */
    movl $0x200800, %esi
    movl $200, %ecx
6:  movzbl (%rdi), %eax
    addq (%rsi,%rax,8), %rbx
    cmpb $0x7f, %bl
    je 7f
    addq $7, %rdi
    decl %ecx
    jnz 6b
7:  addq %rdi, %rbx
    hlt
END(loops)

/* Runs into a page that is not there, in the middle of a turn; the flags of the comparison are read
 * by nobody else. The handler halts. */
    .balign 16
PROGRAM(loop_fault)
    movl $0x200ff0, %edi
    movl $0x203000, %esi
    movl $5000, %ecx
    xorl %eax, %eax
1:  addl (%rdi), %eax
    addq $4, %rsi
    movl %eax, 0xff0(%rdi)
    addq $4, %rdi
    cmpq %rdi, %rsi
    movl %eax, -4(%rsi)
    decl %ecx
    jnz 1b
    hlt
END(loop_fault)

/* Divides until a divisor is zero, with that exception unmasked. */
    .balign 16
PROGRAM(loop_divide)
    movl $0x1d80, 0x104000
    ldmxcsr 0x104000
    movl $0x200f00, %edi
    movl $0x3f800000, %eax
    movd %eax, %xmm0
    movl $200, %ecx
    movl %ecx, %edx
1:  movl %eax, (%rdi)
    addq $4, %rdi
    decl %edx
    jnz 1b
    movl $0, -400(%rdi)
    movl $0x200f00, %edi
2:  addq $4, %rdi
    divss -4(%rdi), %xmm0
    decl %ecx
    jnz 2b
    hlt
END(loop_divide)

/* REP MOVS and STOS of all sizes over pages, onto themselves, over the device window, up and down,
 * with flags that have to live through them; RBX sums what is left in the registers and memory. */
    .balign 16
PROGRAM(strings)
    xorl %ebx, %ebx
    movl $2, %ebp
1:  movl $0x200f01, %edi
    movl $0x1300, %ecx
    leal 0x41(%rbp), %eax
    stc
    rep stosb
    adcq %rdi, %rbx
    movl $0x203ff0, %edi
    movl $0x300, %ecx
    movabsq $0x123456789abcdef, %rax
    rep stosq
    addq %rdi, %rbx
    movl $0x203ffd, %edi        /* an element in two pages */
    movl $5, %ecx
    rep stosl
    movl $0x203f00, %esi        /* each byte eight further on */
    movl $0x203f08, %edi
    movl $0x900, %ecx
    cmpl %esi, %edi
    rep movsb
    setae %al
    addb %al, %bl
    leaq (%rbx,%rdi,2), %rbx
    leaq (%rbx,%rsi,2), %rbx
    movl $0x200000, %esi
    movl $0x204800, %edi
    movl $0x260, %ecx
    rep movsq
    movl $0x200002, %esi
    movl $0x205700, %edi
    movl $0x860, %ecx
    rep movsw
    xorl %ecx, %ecx             /* nothing at all, to nowhere */
    movq $-1, %rdi
    rep movsl
    rep stosb
    movl $0x202ff8, %edi        /* the window's end and what is behind */
    movl $4, %ecx
    rep stosl
    addq %rdi, %rbx
    std
    movl $0x203010, %esi
    movl $0x204010, %edi
    movl $0x20, %ecx
    rep movsl
    cld
    addq %rsi, %rbx
    movl $0x200f00, %esi
    movl $0x4f8, %ecx
2:  rolq $5, %rbx
    xorq (%rsi), %rbx
    addq $16, %rsi
    cmpq $0x202000, %rsi
    jne 3f
    movl $0x203000, %esi
3:  decl %ecx
    jnz 2b
    decl %ebp
    jnz 1b
    hlt
END(strings)

/* Into a page that is not there, in the middle. */
    .balign 16
PROGRAM(string_fault)
    movl $0x203100, %esi
    movl $0x204000, %edi
    movl $0x2000, %ecx
    cmpl %edi, %esi
    rep movsb
    hlt
END(string_fault)

/* The same by a call, whose push is checked in between, and one that reads them from the start.
 * RBX = 3 + 6. */
    .balign 16
PROGRAM(ahead_call)
    xorl %ebx, %ebx
    movl $3, %edi
    movl $2, %edx
    movl $6, %ecx
1:  cmpl %edx, %edi
    call 2f
    cmpl %edi, %edx
    call 4f
    cmpl $4, %ecx
    jne 3f
    movb $0x0f, 2f(%rip)
    movb $0x93, 2f+1(%rip)
    movb $0xc0, 2f+2(%rip)
3:  decl %ecx
    jnz 1b
    hlt
    .fill 192, 1, 0x90
2:  xorl %eax, %eax             /* from the fourth time on setnc %al */
    nop
    movzbl %al, %eax
    addl %eax, %ebx
    ret
    .fill 192, 1, 0x90
4:  adcl $0, %ebx
    ret
END(ahead_call)

    .section .note.GNU-stack, "", @progbits
