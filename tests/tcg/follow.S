/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors
 *
 * Guest programs of test-follow.c: 64-bit code at privilege 0 from 0x10000 on, up to HLT. They may
 * use 0x20000.. for code they write and the pages from 0x200000 on. Results in RBX. */

#define PROGRAM(name) .globl tcg_program_##name; tcg_program_##name:
#define END(name) .globl tcg_program_##name##_end; tcg_program_##name##_end:

    .section .rodata

/* Flags that go over jumps forward and back, read by all that reads flags. */
    .balign 16
PROGRAM(over_jumps)
    movl $300, %ecx
    xorl %ebx, %ebx
    jmp 1f
    .balign 64
2:  adcl $3, %ebx
    pushfq
    popq %rdx
    andl $0x8d5, %edx
    addl %edx, %ebx
    jmp 4f
    .balign 64
1:  movl %ecx, %eax
    cmpl $100, %eax
    jmp 3f
    .balign 64
3:  lahf
    movzbl %ah, %eax
    leal (%rbx,%rax,8), %ebx
    seto %al
    movzbl %al, %eax
    leal (%rbx,%rax,4), %ebx
    movl %ecx, %eax
    subl $150, %eax
    jmp 2b
    .balign 64
4:  testl $1, %ecx
    jmp 6f
    .balign 64
5:  decl %ecx
    jnz 1b
    hlt
    .balign 64
6:  jz 5b
    rcll $1, %ebx
    jmp 5b
END(over_jumps)

/* A function whose constant, behind a jump, is written before each of 4000 calls: RBX = the sum of
 * ECX & 3. */
    .balign 16
PROGRAM(part_written)
    movl $0x20000, %edi
    movw $0x7eeb, (%rdi)        /* jmp 0x20080: mov eax, imm32; ret */
    movb $0xb8, 0x80(%rdi)
    movb $0xc3, 0x85(%rdi)
    movl $4000, %ecx
    xorl %ebx, %ebx
1:  movl %ecx, %eax
    andl $3, %eax
    movl %eax, 0x81(%rdi)
    call *%rdi
    addl %eax, %ebx
    decl %ecx
    jnz 1b
    hlt
END(part_written)

/* A store into what is behind the next jump, each time another constant: RBX = 1 + .. + 100. */
    .balign 16
PROGRAM(own_part)
    leaq 1f(%rip), %rdi
    movl $100, %ecx
    xorl %edx, %edx
2:  movb %cl, 1(%rdi)
    jmp 1f
    .balign 128
1:  movb $0, %bl
    movzbl %bl, %eax
    addl %eax, %edx
    decl %ecx
    jnz 2b
    movl %edx, %ebx
    hlt
END(own_part)

/* Round and round by one jump back that a block goes on behind, and one forward, until an NMI. */
    .balign 16
PROGRAM(circle)
    xorl %ebx, %ebx
    jmp 2f
    .balign 64
1:  incl %ebx
    cmpl $0, %ebx
    jne 2f
    hlt
    .balign 64
2:  nop
    jmp 1b
END(circle)

/* A called function maps the caller's page anew before it returns, to where the code behind the
 * call is another, each time: RBX = 100 * 1 + 100 * 1000. */
    .balign 16
PROGRAM(mapped_anew)
    movl $0x400000, %edi        /* 0x200000 is this, or the page behind it */
    call 5f
    movl $0x401000, %edi
    call 5f
    movl $1, 0x400000 + 8f - 6f - 4
    movl $1000, 0x401000 + 8f - 6f - 4
    movq $0x400003, 0x103000
    invlpg 0x200000
    leaq 4f(%rip), %rbp
    movl $200, %ecx
    xorl %ebx, %ebx
    movl $0x200000, %eax
    jmp *%rax
5:  leaq 6f(%rip), %rsi
    movl $(9f - 6f), %edx
7:  movb -1(%rsi,%rdx), %al
    movb %al, -1(%rdi,%rdx)
    decl %edx
    jnz 7b
    ret
4:  xorq $0x1000, 0x103000
    invlpg 0x200000
    ret
6:  call *%rbp
    addl $0, %ebx
    .byte 0x81, 0xc3            /* add ebx, what is written */
    .long 0
8:  decl %ecx
    jnz 6b
    hlt
9:
END(mapped_anew)

/* Shifts by nothing leave flags that only a fault shows: those of CMP, at 0x201000. */
    .balign 16
PROGRAM(by_nothing)
    movq $0, 0x103008
    invlpg 0x201000
    xorl %ebx, %ebx
    movl $3, %esi
    movl $32, %ecx
    movl $0x200000, %edi
    movl $2, %edx
1:  cmpl %esi, %edx
    shll %cl, %esi
    sarl %cl, %edx
    movl (%rdi), %eax
    leal 0x1000(%rdi), %edi
    shrq %cl, %rax
    addl $1, %ebx
    jmp 1b
END(by_nothing)

/* A carry goes over an access that finds a page and, in turn, the end of the one before: RBX = a
 * digest of both. */
    .balign 16
PROGRAM(carried)
    movabsq $0x1122334455667788, %rax
    movq %rax, 0x200ff8
    movabsq $0x0102030405060708, %rax
    movq %rax, 0x201000
    movl $0x201000, %esi
    movl $40, %ecx
    xorl %ebx, %ebx
1:  cmpl $25, %ecx
    movq (%rsi), %rax
    adcq %rax, %rbx
    xorl $0x1ffc, %esi          /* 0x200ffc and back */
    decl %ecx
    jnz 1b
    hlt
END(carried)

    .section .note.GNU-stack,"",@progbits
