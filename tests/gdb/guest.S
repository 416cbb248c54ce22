/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What the debugger's tests debug: a multiboot kernel that counts, in 64-bit code where the CPU has
 * it, else in 32-bit code. Memory from 0 is also at FFFFFFFF80000000h. */

        .set    PAGES, 0x200000
        .set    STACK, 0x1f0000

        .text
        .code32
        .globl  _start
        .align  4
        .long   0x1badb002, 0, -0x1badb002

_start:
        movl    $STACK, %esp
        movl    $0x80000001, %eax
        cpuid
        btl     $29, %edx
        jnc     count32

        /* PML4 at PAGES, PDPT behind it, PD behind that: 1 GiB in 2 MiB pages */
        cld
        movl    $PAGES, %edi
        xorl    %eax, %eax
        movl    $3 * 1024, %ecx
        rep stosl
        movl    $PAGES + 0x1003, PAGES
        movl    $PAGES + 0x1003, PAGES + 511 * 8
        movl    $PAGES + 0x2003, PAGES + 0x1000
        movl    $PAGES + 0x2003, PAGES + 0x1000 + 510 * 8
        movl    $0x83, %eax
        movl    $PAGES + 0x2000, %edi
        movl    $512, %ecx
1:      movl    %eax, (%edi)
        addl    $0x200000, %eax
        addl    $8, %edi
        loop    1b
        movl    $PAGES, %eax
        movl    %eax, %cr3
        movl    %cr4, %eax
        orl     $0x620, %eax            /* PAE, OSFXSR, OSXMMEXCPT */
        movl    %eax, %cr4
        movl    $0xc0000080, %ecx
        rdmsr
        orl     $0x100, %eax            /* LME */
        wrmsr
        movl    %cr0, %eax
        orl     $0x80000002, %eax       /* PG, MP */
        andl    $~4, %eax               /* EM */
        movl    %eax, %cr0
        lgdt    table
        ljmpl   $8, $start64

        .globl  count32
count32:
        incl    counter
        call    tick32
        jmp     count32
        .globl  tick32
tick32:
        movl    counter, %eax
        ret

        .code64
start64:
        movl    $STACK, %esp
        movups  pattern, %xmm3
        fninit
        fldpi
        movabsq $0x1122334455667788, %r12
        .globl  count64
count64:
        incq    counter
        call    tick64
        jmp     count64
        .globl  tick64
tick64:
        movq    counter, %rax
        .globl  after_load
after_load:
        movq    %rax, copy
        ret

        .globl  refuse
refuse:                                 /* reached by the debugger alone: #DE with no IDT */
        xorl    %ecx, %ecx
        divl    %ecx

        .align  8
segments:
        .quad   0, 0x00af9b000000ffff, 0x00cf93000000ffff
table:
        .word   23
        .long   segments
        .align  16
pattern:
        .quad   0x0123456789abcdef, 0xfedcba9876543210
        .globl  counter, copy
counter:
        .quad   0
copy:
        .quad   0
        .section .note.GNU-stack, "", @progbits
