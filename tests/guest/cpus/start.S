/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Entries of the CPU probe: a multiboot kernel (Multiboot Specification 0.6.96, 3.1.1), the real
 * mode code that application processors start in, and the stubs of its two interrupts. */

#define MAGIC 0x1badb002
#define FLAGS 0x00000003        /* page-aligned modules, memory information */
#define AP_PAGE 0x8000
#define STACK_BYTES 2048

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
        movl    $bsp_stack_top, %esp
        lgdt    gdt_pointer
        ljmp    $8, $1f
1:      movw    $16, %cx
        movw    %cx, %ds
        movw    %cx, %es
        movw    %cx, %ss
        pushl   %ebx
        pushl   %eax
        call    probe_main
2:      cli
        hlt
        jmp     2b

/* Copied to AP_PAGE, where every application processor begins. */
        .globl  ap_code, ap_code_end
        .code16
ap_code:
        cli
        xorw    %ax, %ax
        movw    %ax, %ds
        lgdtl   AP_PAGE + ap_gdt_pointer - ap_code
        movl    %cr0, %eax
        orl     $1, %eax
        movl    %eax, %cr0
        ljmpl   $8, $ap_protected
        .balign 4
ap_gdt_pointer:
        .word   23
        .long   gdt
ap_code_end:

        .code32
ap_protected:
        movw    $16, %cx
        movw    %cx, %ds
        movw    %cx, %es
        movw    %cx, %ss
        movl    $1, %eax
        lock xaddl %eax, ap_next
        imull   $STACK_BYTES, %eax, %ecx
        leal    ap_stacks + STACK_BYTES(%ecx), %esp
        pushl   %eax
        call    probe_ap
1:      hlt
        jmp     1b

        .globl  ipi_entry, timer_entry
ipi_entry:
        pushal
        call    on_ipi
        popal
        iret
timer_entry:
        pushal
        call    on_timer
        popal
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
        .space  16384
bsp_stack_top:
        .globl  ap_next
ap_next:
        .space  16
ap_stacks:
        .space  STACK_BYTES * 1024
