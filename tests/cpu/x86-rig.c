/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The bare CPU of x86-rig.h. Thread: the test's. */

#include "x86-rig.h"

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
    .read = window_read, .write = window_write, .min_size = 1, .max_size = 8
};

static uint64_t
port_read(void *opaque, uint64_t offset, unsigned size)
{
    Rig *rig = opaque;

    return rig->port_value[offset % 64];
}

static void
port_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Rig *rig = opaque;

    rig->port_value[offset % 64] = value;
}

static const VitRegionOps port_ops = {
    .read = port_read, .write = port_write, .min_size = 1, .max_size = 4
};

static int
interrupt_ack(void *opaque)
{
    Rig *rig = opaque;
    int vector = rig->pending_vector;

    rig->pending_vector = -1;
    vit_cpu_lower(&rig->cpu, VIT_CPU_EVENT_INTR);
    return vector;
}

static uint8_t
get_cr8(void *opaque)
{
    return ((Rig *)opaque)->cr8;
}

static void
set_cr8(void *opaque, uint8_t value)
{
    ((Rig *)opaque)->cr8 = value;
}

static uint64_t
get_base(void *opaque)
{
    return ((Rig *)opaque)->apic_base;
}

static bool
set_base(void *opaque, uint64_t value)
{
    ((Rig *)opaque)->apic_base = value;
    return true;
}

static uint64_t
get_deadline(void *opaque)
{
    return ((Rig *)opaque)->deadline;
}

static void
set_deadline(void *opaque, uint64_t tsc, int64_t deadline_ns)
{
    ((Rig *)opaque)->deadline = tsc;
    ((Rig *)opaque)->deadline_ns = deadline_ns;
}

static void
build_maps(Rig *rig)
{
    vit_lock_init(&rig->lock);
    vit_lock_take(&rig->lock);
    rig->domain = vit_map_domain_new(&rig->lock);
    rig->block = vit_ram_block_new("ram", RIG_RAM_BYTES, NULL);
    rig->rom_block = vit_ram_block_new("rom", 0x10000, NULL);
    vit_region_init_container(&rig->root, "root", UINT64_MAX);
    vit_region_init_ram(&rig->ram, "ram", rig->block, 0, RIG_RAM_BYTES);
    vit_region_init_rom(&rig->rom, "rom", rig->rom_block, 0, 0x10000);
    vit_region_init_io(&rig->window, "window", &window_ops, rig, VIT_PAGE_SIZE);
    vit_region_add(&rig->root, 0, &rig->ram, 0);
    vit_region_add(&rig->root, RIG_ROM, &rig->rom, 0);
    vit_region_add(&rig->root, RIG_WINDOW, &rig->window, 0);
    vit_region_init_container(&rig->io_root, "io", 0x10000);
    vit_region_init_io(&rig->ports, "ports", &port_ops, rig, 64);
    vit_region_add(&rig->io_root, 0x100, &rig->ports, 0);
    rig->clock = vit_clock_new(&rig->lock, VIT_CLOCK_STEPPED);
    rig->host.memory = vit_address_space_new(rig->domain, "memory", &rig->root);
    rig->host.memory_smm = rig->host.memory;
    rig->host.io = vit_address_space_new(rig->domain, "io", &rig->io_root);
    vit_lock_release(&rig->lock);
}

Rig *
rig_new(const char *model)
{
    Rig *rig = g_new0(Rig, 1);
    g_autoptr(GError) error = NULL;
    bool parsed = x86_model_parse(model, &rig->model, NULL, &error);

    g_assert_no_error(error);
    g_assert_true(parsed);
    build_maps(rig);
    rig->host.clock = rig->clock;
    rig->host.opaque = rig;
    rig->host.interrupt_ack = interrupt_ack;
    rig->host.apic_get_cr8 = get_cr8;
    rig->host.apic_set_cr8 = set_cr8;
    rig->host.apic_get_base = get_base;
    rig->host.apic_set_base = set_base;
    rig->host.apic_get_tsc_deadline = get_deadline;
    rig->host.apic_set_tsc_deadline = set_deadline;
    rig->apic_base = 0xfee00900;
    rig->pending_vector = -1;
    rig->cpu.host = &rig->host;
    rig->cpu.is_bsp = true;
    rig->cpu.a20_enabled = true;
    rig->core = x86_core_new(&rig->cpu, &rig->model, &error);
    g_assert_no_error(error);
    rig->cpu.state = rig->core;
    return rig;
}

void
rig_free(Rig *rig)
{
    x86_core_free(rig->core);
    vit_lock_take(&rig->lock);
    vit_address_space_free(rig->host.memory);
    vit_address_space_free(rig->host.io);
    vit_region_finish(&rig->ports);
    vit_region_finish(&rig->io_root);
    vit_region_finish(&rig->window);
    vit_region_finish(&rig->rom);
    vit_region_finish(&rig->ram);
    vit_region_finish(&rig->root);
    vit_map_domain_free(rig->domain);
    vit_clock_free(rig->clock);
    vit_ram_block_free(rig->block);
    vit_ram_block_free(rig->rom_block);
    vit_lock_release(&rig->lock);
    vit_lock_finish(&rig->lock);
    g_free(rig);
}

int
rig_fault_vector(Rig *rig)
{
    return rig->core->fault_vector;
}

void
rig_put_descriptor(Rig *rig, uint64_t address, uint32_t base, uint32_t limit, uint32_t attr)
{
    rig_put(rig, address, (limit & 0xffff) | (uint64_t)(base & 0xffff) << 16, 4);
    rig_put(rig, address + 4, (base >> 16 & 0xff) | (base & 0xff000000) | (limit & 0xf0000) | attr,
            4);
}

void
rig_put_gate(Rig *rig, uint64_t address, uint16_t selector, uint32_t offset, unsigned type,
             unsigned dpl)
{
    rig_put(rig, address, (offset & 0xffff) | (uint32_t)selector << 16, 4);
    rig_put(rig, address + 4, (offset & 0xffff0000) | X86_SEG_P | dpl << 13 | type << 8, 4);
}

#define CODE (X86_SEG_P | X86_SEG_S | X86_SEG_CODE | X86_SEG_R | X86_SEG_A | X86_SEG_G)
#define DATA (X86_SEG_P | X86_SEG_S | X86_SEG_W | X86_SEG_A | X86_SEG_G | X86_SEG_DB)

/* Loads the hidden part from the descriptor as it stands in memory. */
static X86Segment
segment_at(Rig *rig, uint16_t selector)
{
    X86Descriptor desc = { .selector = selector };

    desc.low = rig_get(rig, 0x1000 + (selector & ~7u), 4);
    desc.high = rig_get(rig, 0x1004 + (selector & ~7u), 4);
    return x86_desc_segment(&desc);
}

static void
load_flat(Rig *rig, uint16_t code, uint16_t data, unsigned cpl)
{
    X86State *s = &rig->core->s;

    s->cpl = cpl;
    s->seg[X86_CS] = segment_at(rig, code);
    s->seg[X86_SS] = s->seg[X86_DS] = s->seg[X86_ES] = segment_at(rig, data);
    s->seg[X86_FS] = s->seg[X86_GS] = (X86Segment){ 0 };
    s->gdtr = (X86TableReg){ .base = 0x1000, .limit = 32 * 8 - 1 };
    s->gpr[X86_RSP] = 0x8000;
    x86_state_changed(rig->core);
}

void
rig_protected(Rig *rig, unsigned cpl)
{
    X86State *s = &rig->core->s;

    rig_put_descriptor(rig, 0x1008, 0, 0xfffff, CODE | X86_SEG_DB);
    rig_put_descriptor(rig, 0x1010, 0, 0xfffff, DATA);
    rig_put_descriptor(rig, 0x1018, 0, 0xfffff, CODE | X86_SEG_DB | 3 << 13);
    rig_put_descriptor(rig, 0x1020, 0, 0xfffff, DATA | 3 << 13);
    rig_put_descriptor(rig, 0x1028, 0x3000, 0x67, X86_SEG_P | X86_DESC_TSS32_BUSY << 8);
    rig_put(rig, 0x3004, 0x9000, 4);
    rig_put(rig, 0x3008, 0x10, 4);
    rig_put(rig, 0x3066, 0x68, 2);
    s->cr0 = X86_CR0_PE | X86_CR0_ET;
    s->cr4 = s->efer = 0;
    s->idtr = (X86TableReg){ .base = 0x2000, .limit = 0x7ff };
    s->tr = segment_at(rig, 0x28);
    s->rflags = 2;
    load_flat(rig, cpl ? 0x1b : 0x08, cpl ? 0x23 : 0x10, cpl);
}

void
rig_long(Rig *rig, unsigned cpl)
{
    X86State *s = &rig->core->s;

    rig_protected(rig, 0);
    rig_put_descriptor(rig, 0x1008, 0, 0xfffff, CODE | X86_SEG_L);
    rig_put_descriptor(rig, 0x1028, 0, 0xfffff, CODE | X86_SEG_L | 3 << 13);
    rig_put_descriptor(rig, 0x1038, 0x3000, 0x67, X86_SEG_P | X86_DESC_TSS32_BUSY << 8);
    rig_put(rig, 0x1040, 0, 8);
    rig_put(rig, 0x3004, 0x9000, 8);
    s->tr = segment_at(rig, 0x38);
    rig_put(rig, 0x100000, 0x101007, 8);
    rig_put(rig, 0x101000, 0x102007, 8);
    for (unsigned i = 0; i < 512; i++) {
        rig_put(rig, 0x102000 + i * 8, (uint64_t)i << 21 | 0x87, 8);
    }
    s->cr3 = 0x100000;
    s->cr4 = X86_CR4_PAE;
    s->efer = X86_EFER_LME | X86_EFER_LMA | X86_EFER_NXE | X86_EFER_SCE;
    s->cr0 |= X86_CR0_PG | X86_CR0_WP;
    s->idtr = (X86TableReg){ .base = 0x2000, .limit = 0xfff };
    load_flat(rig, cpl ? 0x2b : 0x08, cpl ? 0x23 : 0x10, cpl);
}
