/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The option ROM behind -kernel: loads what the host laid out through fw_cfg DMA, then starts a
 * Linux setup (real mode), a multiboot kernel or a PVH kernel (protected mode).
 *
 * It is a plug-and-play ROM with a bootstrap entry vector (BIOS Boot Specification 1.01, section
 * 3.3; Plug and Play BIOS Specification 1.0A, section 3.2), so it takes part in the boot order as
 * a device. boot-rom.c fills in the parameters at `params` and both checksums. What the kernels
 * expect: Linux x86 boot protocol; Multiboot 0.6.96 section 3.2; PVH start_info of Xen's
 * arch-x86/hvm/start_info.h.
 */

#define FW_CFG_DMA_PORT 0x514
#define FW_CFG_SELECT_READ 0x0a

/* Offsets in params, as boot-rom.h has them. */
#define P_TYPE      0
#define P_COUNT     4
#define P_ENTRY     8
#define P_INFO      12
#define P_MEMORY    16
#define P_STACK     20
#define P_LOADS     24
#define LOAD_BYTES  12

#define TYPE_LINUX     1
#define TYPE_MULTIBOOT 2
#define TYPE_PVH       3

        .code16
        .text
        .globl  _start
_start:
        .word   0xaa55
        .byte   2                       /* length in 512 byte units */
        jmp     init
        .org    0x18
        .word   0                       /* no PCI data structure */
        .word   pnp
        .org    0x20
params:
        .fill   120, 1, 0

        .balign 16
pnp:
        .ascii  "$PnP"
        .byte   1                       /* structure revision */
        .byte   2                       /* length in 16 byte units */
        .word   0                       /* no further header */
        .byte   0
        .byte   0                       /* checksum, filled in */
        .long   0                       /* device identifier */
        .word   maker
        .word   product
        .byte   0, 0, 0                 /* device type */
        .byte   0x14                    /* may be an IPL device; read cacheable */
        .word   0                       /* boot connection vector */
        .word   0                       /* disconnect vector */
        .word   boot                    /* bootstrap entry vector */
        .word   0
        .word   0

maker:  .asciz  "Vitrine"
product: .asciz "Direct kernel boot"

/* Power-on initialisation: nothing to set up. AX bit 5: an IPL device is attached. */
init:
        movw    $0x20, %ax
        lretw

boot:
        cli
        cld
        xorw    %ax, %ax
        movw    %ax, %ss
        movl    $0x7000, %esp
        pushw   %cs
        popw    %ds

        movw    params + P_COUNT, %cx
        movw    $params + P_LOADS, %si
load_next:
        jcxz    loaded
        call    load
        addw    $LOAD_BYTES, %si
        decw    %cx
        jmp     load_next
loaded:
        cmpb    $TYPE_LINUX, params + P_TYPE
        jne     start_protected

/* Linux: DS..SS = setup segment, SP at the end of its heap, jump to setup + 200h. */
start_linux:
        movl    params + P_STACK, %ebx
        movl    params + P_ENTRY, %eax
        shrl    $4, %eax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %fs
        movw    %ax, %gs
        movw    %ax, %ss
        movl    %ebx, %esp
        addw    $0x20, %ax
        pushw   %ax
        pushw   $0
        xorl    %eax, %eax
        xorl    %ebx, %ebx
        xorl    %ecx, %ecx
        xorl    %edx, %edx
        xorl    %esi, %esi
        xorl    %edi, %edi
        xorl    %ebp, %ebp
        lretw

/* One row of loads at DS:SI: key, address, length. The DMA descriptor is built on the stack, whose
 * segment is 0, in big endian: length and address last to first. */
load:
        movl    8(%si), %eax
        testl   %eax, %eax
        jz      1f
        movl    4(%si), %edx
        bswap   %edx
        pushl   %edx                    /* address, low half */
        pushl   $0                      /* address, high half */
        bswap   %eax
        pushl   %eax                    /* length */
        movl    (%si), %eax
        shll    $16, %eax
        orl     $FW_CFG_SELECT_READ, %eax
        bswap   %eax
        pushl   %eax                    /* control */
        movw    $FW_CFG_DMA_PORT, %dx
        xorl    %eax, %eax
        outl    %eax, %dx
        addw    $4, %dx
        movl    %esp, %eax
        bswap   %eax
        outl    %eax, %dx
        movl    %esp, %ebp
2:      movl    %ss:(%bp), %eax
        testl   $0xfeffffff, %eax       /* busy until only the error bit is left */
        jnz     2b
        addw    $16, %sp
1:      ret

/* Memory map of the BIOS (INT 15h, E820h) to ES:DI = params.memory, 24 bytes each: for multiboot
 * {20, base, length, type}, for PVH {base, length, type, 0}. Number of entries in BP. */
memory_map:
        movl    params + P_MEMORY, %eax
        movw    %ax, %di
        xorw    %ax, %ax
        movw    %ax, %es
        xorw    %bp, %bp
        xorl    %ebx, %ebx
1:      cmpw    $64, %bp
        jae     3f
        cmpb    $TYPE_MULTIBOOT, params + P_TYPE
        jne     2f
        movl    $20, %es:(%di)
        addw    $4, %di
2:      movl    $0, %es:20(%di)
        movl    $0xe820, %eax
        movl    $0x534d4150, %edx
        movl    $20, %ecx
        sti
        int     $0x15
        cli
        jc      3f
        cmpl    $0x534d4150, %eax
        jne     3f
        incw    %bp
        addw    $20, %di
        cmpb    $TYPE_MULTIBOOT, params + P_TYPE
        je      4f
        addw    $4, %di
4:      testl   %ebx, %ebx
        jnz     1b
3:      ret

/* Linear address of the ACPI RSDP in EAX, 0 when there is none: 16 byte steps from F0000h. */
find_rsdp:
        pushw   %es
        movl    $0xf000, %eax
1:      movw    %ax, %es
        cmpl    $0x20445352, %es:0      /* "RSD " */
        jne     2f
        cmpl    $0x20525450, %es:4      /* "PTR " */
        je      3f
2:      incl    %eax
        cmpl    $0x10000, %eax
        jb      1b
        xorl    %eax, %eax
3:      shll    $4, %eax
        popw    %es
        ret

start_protected:
        call    memory_map
        movl    params + P_INFO, %eax
        movw    %ax, %di                /* ES is 0 */
        movzwl  %bp, %ecx
        movl    params + P_MEMORY, %edx
        cmpb    $TYPE_PVH, params + P_TYPE
        je      1f
        imull   $24, %ecx, %ecx
        movl    %ecx, %es:44(%di)       /* mmap_length */
        movl    %edx, %es:48(%di)       /* mmap_addr */
        movl    $0x2badb002, %esi
        jmp     2f
1:      movl    %edx, %es:40(%di)       /* memmap_paddr */
        movl    %ecx, %es:48(%di)       /* memmap_entries */
        call    find_rsdp
        movl    %eax, %es:32(%di)       /* rsdp_paddr */
        xorl    %esi, %esi
2:
        movl    params + P_INFO, %ebx
        movl    params + P_ENTRY, %ebp
        /* the GDT register wants a linear address; the ROM's place is only known now */
        movw    %cs, %ax
        movzwl  %ax, %eax
        shll    $4, %eax
        movl    %eax, %ecx
        addl    $gdt, %eax
        pushl   %eax
        pushw   $gdt_end - gdt - 1
        movw    %sp, %di
        lgdtl   %ss:(%di)
        addl    $in_protected, %ecx
        pushl   $8
        pushl   %ecx
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        lretl

        .code32
in_protected:
        movw    $16, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %fs
        movw    %ax, %gs
        movw    %ax, %ss
        movl    %esi, %eax
        jmp     *%ebp

        .balign 8
gdt:
        .quad   0
        .quad   0x00cf9b000000ffff      /* 08: flat 32-bit code */
        .quad   0x00cf93000000ffff      /* 10: flat data */
gdt_end:
        .org    1024
