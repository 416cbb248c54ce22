/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Entry of the demo guest: a multiboot kernel (Multiboot Specification 0.6.96, 3.1.1), and the
 * interrupt stubs of its three sources: timer, keyboard, mouse. */

#define MAGIC 0x1badb002
#define FLAGS 0x00000003        /* page-aligned modules, memory information */

        .section .multiboot, "a"
        .balign 4
        .long   MAGIC
        .long   FLAGS
        .long   -(MAGIC + FLAGS)

        .text
        .globl  _start
_start:
        cli
        cld
        movl    $stack_top, %esp
        lgdt    gdt_pointer
        ljmp    $8, $1f
1:      movw    $16, %cx
        movw    %cx, %ds
        movw    %cx, %es
        movw    %cx, %fs
        movw    %cx, %gs
        movw    %cx, %ss
        pushl   %ebx
        pushl   %eax
        call    demo_main
2:      cli
        hlt
        jmp     2b

        .macro  interrupt name, handler
        .globl  \name
\name:
        pushal
        cld
        call    \handler
        popal
        iret
        .endm

        interrupt timer_entry, on_timer
        interrupt keyboard_entry, on_keyboard
        interrupt mouse_entry, on_mouse
        .globl  ignore_entry
ignore_entry:
        iret

        .balign 8
gdt:    .quad   0
        .quad   0x00cf9b000000ffff
        .quad   0x00cf93000000ffff
gdt_pointer:
        .word   . - gdt - 1
        .long   gdt

        .bss
        .balign 16
        .skip   16384
stack_top:
        .section .note.GNU-stack, "", @progbits
