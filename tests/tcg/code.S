/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors
 *
 * Guest programs of test-code.c: 64-bit code at privilege 0, copied to guest address 0x10000 and run
 * from there to HLT with interrupts off. They may use 0x20000.. for code they write and the page
 * that begins at 0x200000, of which the table is at 0x103000 (the test makes it). Results in RBX. */

#define PROGRAM(name) .globl tcg_program_##name; tcg_program_##name:
#define END(name) .globl tcg_program_##name##_end; tcg_program_##name##_end:

    .section .rodata

/* A function whose constant is written before each of 4000 calls: RBX = sum of ECX & 3. */
    .balign 16
PROGRAM(patch)
    movl $0x20000, %edi
    movb $0xb8, (%rdi)          /* mov eax, imm32; ret */
    movb $0xc3, 5(%rdi)
    movl $4000, %ecx
    xorl %ebx, %ebx
1:  movl %ecx, %eax
    andl $3, %eax
    movl %eax, 1(%rdi)
    call *%rdi
    addl %eax, %ebx
    decl %ecx
    jnz 1b
    hlt
END(patch)

/* 64 functions of one page are written one after the other by bytes, then each is called ten times;
 * 20 such generations. RBX = sum of what they give. */
    .balign 16
PROGRAM(generate)
    xorl %ebx, %ebx
    movl $20, %ebp
1:  movl $0x20000, %edi
    xorl %ecx, %ecx
2:  movb $0xb8, (%rdi)
    leal (%rbp,%rcx), %eax
    andl $7, %eax
    movb %al, 1(%rdi)
    movb $0, 2(%rdi)
    movb $0, 3(%rdi)
    movb $0, 4(%rdi)
    movb $0xc3, 5(%rdi)
    addl $64, %edi
    incl %ecx
    cmpl $64, %ecx
    jne 2b
    movl $10, %edx
3:  movl $0x20000, %edi
    movl $64, %ecx
4:  call *%rdi
    addl %eax, %ebx
    addl $64, %edi
    decl %ecx
    jnz 4b
    decl %edx
    jnz 3b
    decl %ebp
    jnz 1b
    hlt
END(generate)

/* A counter in the page of the function that is called: RBX = 1000 * 5 + the counter. */
    .balign 16
PROGRAM(beside)
    movl $0x20000, %edi
    movl $0x000005b8, (%rdi)
    movl $0x0000c300, 4(%rdi)
    movl $0, 0x800(%rdi)
    movl $1000, %ecx
    xorl %ebx, %ebx
1:  call *%rdi
    addl %eax, %ebx
    incl 0x800(%rdi)
    decl %ecx
    jnz 1b
    addl 0x800(%rdi), %ebx
    hlt
END(beside)

/* A store into its own way, two instructions on: what runs is what was written. RBX = 7. */
    .balign 16
PROGRAM(ahead)
    leaq 1f(%rip), %rdi
    movl $3, %ecx
2:  movw $0xf4f4, (%rdi)
    movl $0, %ebx
    movw $0x07b3, (%rdi)
    nop
1:  movb $1, %bl
    decl %ecx
    jnz 2b
    hlt
END(ahead)

/* mov eax, imm32 lies over the end of a page, its constant in pages that are changed: by a store,
 * by the page table with INVLPG, by the page table with MOV CR3. RBX = the constants, a digit of 8
 * bits each, the first in the highest. */
    .balign 16
PROGRAM(over)
    movl $0x200ffe, %edi
    movl $0x400ffe, %esi        /* where its first page is */
    movb $0xb8, 1(%rsi)
    movb $0x90, (%rsi)
    movl $1, 0x401000           /* three pages to follow it */
    movb $0xc3, 0x401004
    movl $2, 0x402000
    movb $0xc3, 0x402004
    xorl %ebx, %ebx
    movl $3, %ecx
1:  call *%rdi
    decl %ecx
    jnz 1b
    orl %eax, %ebx              /* 1 */
    movl $3, 0x201000
    call *%rdi
    shll $8, %ebx
    orl %eax, %ebx              /* 3 */
    movq $0x402003, 0x103008
    invlpg 0x201000
    call *%rdi
    shll $8, %ebx
    orl %eax, %ebx              /* 2 */
    movq $0x401003, 0x103008
    movq %cr3, %rax
    movq %rax, %cr3
    call *%rdi
    shll $8, %ebx
    orl %eax, %ebx              /* 3 */
    hlt
END(over)

/* The same instruction with no second page: the fault is at the instruction, for that page. */
    .balign 16
PROGRAM(fault)
    movl $0x200ffe, %edi
    movb $0xb8, 0x400fff
    movb $0x90, 0x400ffe
    movl $1, 0x401000
    movb $0xc3, 0x401004
    call *%rdi
    movl %eax, %ebx
    movq $0, 0x103008
    invlpg 0x201000
    call *%rdi
    hlt
END(fault)

/* A store into the instruction after the next one, each time another constant: RBX = 1 + .. + 100. */
    .balign 16
PROGRAM(next)
    leaq 1f(%rip), %rdi
    movl $100, %ecx
    xorl %edx, %edx
2:  movb %cl, 1(%rdi)
    nop
1:  movb $0, %bl
    movzbl %bl, %eax
    addl %eax, %edx
    decl %ecx
    jnz 2b
    movl %edx, %ebx
    hlt
END(next)

/* Code that reads no flags and code that does take turns at a place that is jumped to with CF = bit
 * 1 of RCX. RBX = how often the latter found it set: 25. */
    .balign 16
PROGRAM(flags)
    leaq 1f(%rip), %rdi
    movl $100, %ecx
    xorl %ebx, %ebx
2:  movl $0x9090c031, %eax      /* xor eax, eax; nop; nop; nop; nop */
    movl $0x9090, %edx
    testb $1, %cl
    jz 3f
    movl $0x0fc0920f, %eax      /* setc al; movzx eax, al */
    movl $0xc0b6, %edx
3:  movl %eax, (%rdi)
    movw %dx, 4(%rdi)
    btl $1, %ecx
    jmp 1f
    .balign 64
1:  .fill 6, 1, 0x90
    movzbl %al, %eax
    leal (%rbx,%rax), %ebx
    decl %ecx
    jnz 2b
    hlt
END(flags)

/* A carry goes into a block by a direct jump, over an instruction that keeps it and one that the
 * page of 0x201000, which is not there, stops in the last of 400 turns; in that one alone it is set.
 * The other flags are told from EDX, nobody reads them. RBX = 0. */
    .balign 16
PROGRAM(carry)
    movq $0, 0x103008
    invlpg 0x201000
    movl $400, %ecx
    xorl %ebx, %ebx
    xorl %edx, %edx
2:  xorl %eax, %eax
    cmpl $1, %ecx
    sete %al
    shll $12, %eax
    leal 0x200000(%rax), %edi
    cmpl $2, %ecx
    jmp 1f
    .balign 64
1:  incl %edx
    movl %eax, (%rdi)
    setc %bl
    xorl %eax, %eax
    decl %ecx
    jnz 2b
    hlt
END(carry)

/* Immediates and displacements of a function, changed before each of 200 calls. RBX = a digest. */
    .balign 16
PROGRAM(fields)
    leaq 9f(%rip), %rsi
    movl $0x20000, %edi
    movl $(8f - 9f), %ecx
    rep movsb
    movl $0x20000, %edi
    movl $200, %ecx
    xorl %ebx, %ebx
1:  movl %ecx, %eax
    imull $0x01010101, %eax
    movl %eax, 1f - 9f - 4(%rdi)
    movl %eax, 2f - 9f - 4(%rdi)
    movb %al, 3f - 9f - 1(%rdi)
    movl %eax, 4f - 9f - 4(%rdi)
    movl %ecx, 5f - 9f - 4(%rdi)
    movl %eax, 6f - 9f - 4(%rdi)
    notl %eax
    movl %eax, 6f - 9f - 8(%rdi)
    call *%rdi
    roll $5, %ebx
    xorl %eax, %ebx
    xorl %edx, %ebx
    movq %r9, %rax
    shrq $32, %rax
    xorl %eax, %ebx
    decl %ecx
    jnz 1b
    hlt
9:  movl $0x12345678, %eax
1:  addl $0x12345678, %eax
2:  adcl $0x10, %eax
3:  movl %eax, %r9d
    xorl $0x12345678, %r9d
4:  movzbl 0x12345678(%rdi), %edx
5:  movabsq $0x1234567812345678, %r9
6:  addq %rax, %r9
    sbbl $0, %edx
    ret
8:
END(fields)

/* Two CPUs, 4000 times: one writes a constant into the other's code and says so; the other, when it
 * has heard of that and serialized itself, executes it. At 0x30000 the number given, 4 on the number
 * done, 8 on the constant's address. RBX of the reader = how often it was another. */
    .balign 16
PROGRAM(writer)
    movl $0x30000, %esi
1:  pause
    movq 8(%rsi), %rdi
    testq %rdi, %rdi
    jz 1b
    movl $1, %ecx
2:  movb %cl, (%rdi)
    movl %ecx, (%rsi)
3:  pause
    cmpl %ecx, 4(%rsi)
    jne 3b
    incl %ecx
    cmpl $4000, %ecx
    jbe 2b
    hlt
END(writer)

    .balign 16
PROGRAM(reader)
    movl $0x30000, %esi
    leaq 9f(%rip), %rax
    incq %rax
    movq %rax, 8(%rsi)
    movl $1, %ebp
    xorl %edi, %edi
1:  pause
    cmpl %ebp, (%rsi)
    jne 1b
    xorl %eax, %eax
    cpuid
9:  movb $0, %bl
    cmpb %bpl, %bl
    setne %al
    movzbl %al, %eax
    addl %eax, %edi
    movl %ebp, 4(%rsi)
    incl %ebp
    cmpl $4000, %ebp
    jbe 1b
    movl %edi, %ebx
    hlt
END(reader)

/* Calls and returns that do not match, 40 times: 20000 calls deep and back, a return address that is
 * changed, one that is dropped with two frames below it, one that is taken for the address of code,
 * a return that drops arguments, calls by a register. RBX = 40 * (20000 + 1 + 2 + 4 + 8 + 16). */
    .balign 16
PROGRAM(returns)
    movl $0x3ff000, %esp
    xorl %ebx, %ebx
    movl $40, %ebp
1:  movl $20000, %ecx
    call deep
    call changed
    call dropped
    call 2f
2:  popq %rax
    leaq 2b(%rip), %rdx
    cmpq %rdx, %rax
    sete %al
    movzbl %al, %eax
    leal (%rbx,%rax,4), %ebx
    pushq %rbx
    pushq %rbx
    call arguments
    leaq by_register(%rip), %rax
    call *%rax
    decl %ebp
    jnz 1b
    hlt
deep:
    jecxz 3f
    decl %ecx
    call deep
    incl %ebx
3:  ret
changed:
    call 4f
    hlt
4:  leaq 5f(%rip), %rax
    movq %rax, (%rsp)
    ret
5:  incl %ebx
    ret
dropped:
    movq %rsp, %rsi
    call 6f
    hlt
6:  call 7f
    hlt
7:  movq %rsi, %rsp
    addl $2, %ebx
    ret
arguments:
    addl $8, %ebx
    ret $16
by_register:
    addl $16, %ebx
    ret
END(returns)

    .section .note.GNU-stack, "", @progbits
