/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The test rig of cpu-rig.h. Descriptor tables are written into guest memory as an operating system
 * would; the registers that point to them are set from outside. */

#include "cpu-rig.h"

#include "vit-clock.h"

#include <stdlib.h>
#include <string.h>

enum { SEL_CODE = 0x08, SEL_DATA = 0x10, SEL_TSS = 0x18 };

static uint64_t
window_read(void *opaque, uint64_t offset, unsigned size)
{
    Rig *rig = opaque;
    rig->window_reads++;
    return rig->window_value;
}

static void
window_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Rig *rig = opaque;
    rig->window_writes++;
    rig->window_value = value;
}

static const VitRegionOps window_ops = {
    .read = window_read,
    .write = window_write,
    .min_size = 1,
    .max_size = 8,
};

static int
no_interrupt(void *opaque)
{
    return -1;
}

uint8_t *
rig_ram(Rig *rig, uint64_t address)
{
    g_assert_cmpuint(address, <, RIG_RAM_BYTES);
    return rig->ram->host + address;
}

uint64_t
rig_load(Rig *rig, uint64_t address, unsigned size)
{
    uint64_t value = 0;
    memcpy(&value, rig_ram(rig, address), size);
    return value;
}

void
rig_store(Rig *rig, uint64_t address, uint64_t value, unsigned size)
{
    memcpy(rig_ram(rig, address), &value, size);
}

static void
set_segment(X86Segment *seg, uint16_t selector, uint32_t attr, uint32_t limit)
{
    *seg = (X86Segment){ .selector = selector, .attr = attr, .limit = limit };
}

static void
set_segments(X86State *s, RigMode mode)
{
    uint32_t common = X86_SEG_P | X86_SEG_S | X86_SEG_A;
    uint32_t data = common | X86_SEG_W, code = common | X86_SEG_CODE | X86_SEG_R;
    uint32_t limit = mode == RIG_REAL16 ? 0xffff : 0xffffffff;

    switch (mode) {
    case RIG_REAL16: break;
    case RIG_PROT16:
        code |= X86_SEG_G;
        data |= X86_SEG_G;
        break;
    case RIG_PROT32:
        code |= X86_SEG_G | X86_SEG_DB;
        data |= X86_SEG_G | X86_SEG_DB;
        break;
    case RIG_LONG64:
        code |= X86_SEG_G | X86_SEG_L;
        data |= X86_SEG_G | X86_SEG_DB;
        break;
    }
    for (unsigned i = 0; i < X86_SEG_LAST; i++) {
        set_segment(&s->seg[i], i == X86_CS ? SEL_CODE : SEL_DATA, i == X86_CS ? code : data,
                    limit);
    }
    if (mode == RIG_REAL16) {
        for (unsigned i = 0; i < X86_SEG_LAST; i++) {
            s->seg[i].selector = 0;
        }
    }
    if (mode == RIG_REAL16 || mode == RIG_PROT16) {
        /* 16-bit code reaches its places through bases */
        s->seg[X86_CS].base = RIG_CODE;
        s->seg[X86_CS].selector = mode == RIG_REAL16 ? RIG_CODE >> 4 : SEL_CODE;
        s->seg[X86_DS].base = s->seg[X86_ES].base = RIG_DATA;
        s->seg[X86_SS].base = RIG_STACK - 0x10000;
    }
}

static void
write_tables(Rig *rig, RigMode mode)
{
    uint64_t flat = mode == RIG_LONG64 ? 0x00af9b000000ffff : 0x00cf9b000000ffff;

    memset(rig_ram(rig, RIG_VECTORS), 0xf4, 32 * 16);
    rig_store(rig, RIG_GDT + SEL_CODE, flat, 8);
    rig_store(rig, RIG_GDT + SEL_DATA, 0x00cf93000000ffff, 8);
    for (unsigned i = 0; i < 32; i++) {
        uint64_t target = RIG_VECTORS + i * 16;
        uint64_t gate =
            (target & 0xffff) | SEL_CODE << 16 | 0x8e0000000000 | (target >> 16 & 0xffff) << 48;
        if (mode == RIG_REAL16) {
            rig_store(rig, i * 4, target, 4);
        } else if (mode == RIG_LONG64) {
            rig_store(rig, RIG_IDT + i * 16, gate, 8);
            rig_store(rig, RIG_IDT + i * 16 + 8, 0, 8);
        } else {
            rig_store(rig, RIG_IDT + i * 8, gate, 8);
        }
    }
    /* 64-bit: identity map of 2 MiB pages, one GiB */
    rig_store(rig, RIG_TABLES, (RIG_TABLES + 0x1000) | 7, 8);
    rig_store(rig, RIG_TABLES + 0x1000, (RIG_TABLES + 0x2000) | 7, 8);
    for (unsigned i = 0; i < 512; i++) {
        rig_store(rig, RIG_TABLES + 0x2000 + i * 8, (uint64_t)i << 21 | 0x87, 8);
    }
}

void
rig_reset(Rig *rig, RigMode mode)
{
    X86State *s = &rig->core->s;

    memset(rig->ram->host, 0, RIG_RAM_BYTES);
    write_tables(rig, mode);
    x86_state_reset(rig->core, false);
    set_segments(s, mode);
    s->gdtr = (X86TableReg){ RIG_GDT, 0xff };
    s->idtr = (X86TableReg){ mode == RIG_REAL16 ? 0 : RIG_IDT, 0xfff };
    s->tr = (X86Segment){ SEL_TSS, X86_SEG_P | 11 << X86_SEG_TYPE_SHIFT, 0x67, RIG_TSS };
    s->rip = mode == RIG_REAL16 || mode == RIG_PROT16 ? 0 : RIG_CODE;
    memset(s->gpr, 0, sizeof(s->gpr)); /* reset leaves the CPU's signature in EDX */
    s->gpr[X86_RSP] = mode == RIG_REAL16 || mode == RIG_PROT16 ? 0xfff0 : RIG_STACK;
    s->rflags = 2;
    s->cr4 |= X86_CR4_OSFXSR;
    if (mode != RIG_REAL16) {
        s->cr0 |= X86_CR0_PE;
    }
    if (mode == RIG_LONG64) {
        s->cr0 |= X86_CR0_PG;
        s->cr3 = RIG_TABLES;
        s->cr4 |= X86_CR4_PAE;
        s->efer |= X86_EFER_LME | X86_EFER_LMA;
    }
    s->activity = X86_ACTIVE;
    x86_state_changed(rig->core);
    rig->window_reads = rig->window_writes = 0;
}

Rig *
rig_new(RigMode mode)
{
    Rig *rig = g_new0(Rig, 1);
    g_autoptr(GError) error = NULL;

    vit_lock_init(&rig->lock);
    rig->maps = vit_map_domain_new(&rig->lock);
    rig->ram = vit_ram_block_new("rig", RIG_RAM_BYTES, &error);
    g_assert_no_error(error);
    vit_lock_take(&rig->lock);
    vit_region_init_container(&rig->root, "root", 1ull << 40);
    vit_region_init_container(&rig->io_root, "io", 65536);
    vit_region_init_ram(&rig->ram_region, "ram", rig->ram, 0, RIG_RAM_BYTES);
    vit_region_init_io(&rig->window, "window", &window_ops, rig, RIG_WINDOW_BYTES);
    vit_region_add(&rig->root, 0, &rig->ram_region, 0);
    vit_region_add(&rig->root, RIG_WINDOW, &rig->window, 0);
    rig->memory = vit_address_space_new(rig->maps, "memory", &rig->root);
    rig->io = vit_address_space_new(rig->maps, "io", &rig->io_root);
    rig->clock = vit_clock_new(&rig->lock, VIT_CLOCK_REALTIME);
    vit_lock_release(&rig->lock);
    vit_map_reader_register(rig->maps, &rig->reader);

    rig->host = (VitCpuHost){ .memory = rig->memory,
                              .memory_smm = rig->memory,
                              .io = rig->io,
                              .clock = rig->clock,
                              .interrupt_ack = no_interrupt,
                              .opaque = rig };
    rig->cpu = (VitCpu){ .host = &rig->host, .is_bsp = true, .a20_enabled = true };
    g_assert_true(x86_model_parse("max", &rig->model, NULL, &error));
    rig->core = x86_core_new(&rig->cpu, &rig->model, &error);
    g_assert_no_error(error);
    rig->cpu.state = rig->core;
    rig_reset(rig, mode);
    return rig;
}

void
rig_free(Rig *rig)
{
    x86_core_free(rig->core);
    vit_map_reader_unregister(&rig->reader);
    vit_lock_take(&rig->lock);
    vit_address_space_free(rig->memory);
    vit_address_space_free(rig->io);
    vit_region_finish(&rig->window);
    vit_region_finish(&rig->ram_region);
    vit_region_finish(&rig->root);
    vit_region_finish(&rig->io_root);
    vit_clock_free(rig->clock);
    vit_lock_release(&rig->lock);
    vit_ram_block_free(rig->ram);
    vit_map_domain_free(rig->maps);
    vit_lock_finish(&rig->lock);
    g_free(rig);
}

size_t
rig_code(Rig *rig, const char *hex)
{
    uint8_t *code = rig_ram(rig, RIG_CODE);
    size_t n = 0;
    char *end;

    for (;;) {
        unsigned long byte = strtoul(hex, &end, 16);
        if (end == hex) {
            break;
        }
        code[n++] = byte;
        hex = end;
    }
    code[n] = 0xf4;
    return n;
}

void
rig_run(Rig *rig)
{
    g_assert_cmpint(x86_interp_run(rig->core), ==, VIT_CPU_EXIT_HALT);
}

void
rig_step(Rig *rig, unsigned count)
{
    VitCpuExit reason;

    while (count--) {
        g_assert_true(x86_interp_step(rig->core, &reason));
    }
}

int
rig_vector(const Rig *rig)
{
    uint64_t place = rig->core->s.seg[X86_CS].base + rig->core->s.rip - 1;

    if (place < RIG_VECTORS || place >= RIG_VECTORS + 32 * 16) {
        return -1;
    }
    return (place - RIG_VECTORS) / 16;
}
