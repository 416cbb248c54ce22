/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The pc board's bridges through their ports: configuration mechanism, shadow RAM, SMRAM, interrupt
 * routing, reset control, power management. */

#include "pci/i440fx.h"
#include "pci/piix3.h"
#include "pci/piix4-pm.h"
#include "test-platform.h"

#include <string.h>

enum { ROM_BYTES = 0x40000 };

typedef struct Fixture {
    TestPlatform test;
    VitDevice *host, *pmc, *piix, *pm;
    VitRamBlock *ram, *rom;
    VitRegion bios, bios_alias;
    int isa[16], sci;
} Fixture;

static void
isa_irq(void *opaque, int n, int level)
{
    ((Fixture *)opaque)->isa[n] = level;
}

static void
sci_irq(void *opaque, int n, int level)
{
    ((Fixture *)opaque)->sci = level;
}

static VitDevice *
realize(Fixture *f, const VitDeviceKind *kind, const char *addr)
{
    g_autoptr(GError) error = NULL;
    VitDevice *dev = vit_device_new(kind, NULL);
    VitBus *bus = f->host ? &vit_i440fx_bus(f->host)->bus : NULL;

    if (!f->host) {
        vit_i440fx_init_memory(dev, f->ram, 8 * VIT_MIB, 4 * VIT_MIB);
    }
    if (addr) {
        g_assert_true(vit_device_set(dev, "addr", addr, NULL, &error));
    }
    g_assert_true(vit_device_realize(dev, bus, &f->test.platform, &error));
    g_assert_no_error(error);
    return dev;
}

static void
set_up(Fixture *f, gconstpointer data)
{
    test_platform_init(&f->test);
    f->ram = vit_ram_block_new("ram", 12 * VIT_MIB, NULL);
    f->rom = vit_ram_block_new("rom", ROM_BYTES, NULL);
    memset(f->rom->host, 0xb1, ROM_BYTES);
    f->host = realize(f, &vit_i440FX_pcihost_kind, NULL);
    f->pmc = realize(f, &vit_i440FX_kind, "0");
    f->piix = realize(f, &vit_PIIX3_kind, "1.0");
    f->pm = realize(f, &vit_PIIX4_PM_kind, "1.3");

    VitRegion *pci = vit_i440fx_pci_memory(f->host);
    vit_region_init_rom(&f->bios, "bios", f->rom, 0, ROM_BYTES);
    vit_region_init_alias(&f->bios_alias, "isa-bios", &f->bios, ROM_BYTES - 0x20000, 0x20000);
    vit_region_add(pci, 4 * VIT_GIB - ROM_BYTES, &f->bios, 0);
    vit_region_add(pci, 0xe0000, &f->bios_alias, 1);
    for (int n = 0; n < 4; n++) {
        vit_device_connect(f->host, n, vit_device_irq_in(f->piix, n));
    }
    for (int n = 0; n < 16; n++) {
        vit_device_connect(f->piix, n, (VitIrq){ isa_irq, f, n });
    }
    vit_device_connect(f->pm, 0, (VitIrq){ sci_irq, f, 0 });
}

static void
tear_down(Fixture *f, gconstpointer data)
{
    vit_region_finish(&f->bios_alias);
    vit_region_finish(&f->bios);
    vit_device_free(f->pm);
    vit_device_free(f->piix);
    vit_device_free(f->pmc);
    vit_device_free(f->host);
    vit_ram_block_free(f->rom);
    vit_ram_block_free(f->ram);
    test_platform_finish(&f->test);
}

static void
config_at(Fixture *f, unsigned devfn, unsigned at)
{
    test_outl(&f->test, 0xcf8, 0x80000000 | devfn << 8 | (at & 0xfc));
}

static void
config_out(Fixture *f, unsigned devfn, unsigned at, uint32_t value, unsigned size)
{
    config_at(f, devfn, at);
    vit_address_space_write(f->test.platform.io, 0xcfc + (at & 3), size, value);
}

static uint32_t
config_in(Fixture *f, unsigned devfn, unsigned at, unsigned size)
{
    config_at(f, devfn, at);
    return test_in(&f->test, 0xcfc + (at & 3), size);
}

static uint8_t
peek(Fixture *f, uint64_t at)
{
    return vit_dma_read8(f->test.platform.memory, at);
}

static void
poke(Fixture *f, uint64_t at, uint8_t value)
{
    vit_dma_write8(f->test.platform.memory, at, value);
}

static void
test_config_ports(Fixture *f, gconstpointer data)
{
    test_outl(&f->test, 0xcf8, 0x80000000);
    g_assert_cmphex(test_inl(&f->test, 0xcf8), ==, 0x80000000);
    g_assert_cmphex(test_inl(&f->test, 0xcfc), ==, 0x12378086);
    g_assert_cmphex(test_inw(&f->test, 0xcfe), ==, 0x1237);
    g_assert_cmphex(test_inb(&f->test, 0xcff), ==, 0x12);
    /* narrow writes do not reach CONFIG_ADDRESS */
    test_outb(&f->test, 0xcf8, 0x40);
    test_outw(&f->test, 0xcf8, 0x40);
    g_assert_cmphex(test_inl(&f->test, 0xcf8), ==, 0x80000000);
    /* without the enable bit nothing answers */
    test_outl(&f->test, 0xcf8, 0);
    g_assert_cmphex(test_inl(&f->test, 0xcfc), ==, 0xffffffff);
    g_assert_cmphex(config_in(f, 0x08, 0, 4), ==, 0x70008086);
    g_assert_cmphex(config_in(f, 0x08, 0x0e, 1), ==, 0x80);
    g_assert_cmphex(config_in(f, 0x0b, 0, 4), ==, 0x71138086);
    g_assert_cmphex(config_in(f, 0x10, 0, 4), ==, 0xffffffff);
}

static void
test_memory_map(Fixture *f, gconstpointer data)
{
    poke(f, 0x9ffff, 1);
    poke(f, 0x100000, 2);
    poke(f, 8 * VIT_MIB - 1, 3);
    poke(f, 4 * VIT_GIB, 4);
    g_assert_cmphex(f->ram->host[0x9ffff], ==, 1);
    g_assert_cmphex(f->ram->host[0x100000], ==, 2);
    g_assert_cmphex(f->ram->host[8 * VIT_MIB - 1], ==, 3);
    g_assert_cmphex(f->ram->host[8 * VIT_MIB], ==, 4);
    /* holes: the VGA window, above RAM, above the end */
    poke(f, 0xa0000, 5);
    g_assert_cmphex(peek(f, 0xa0000), ==, 0xff);
    g_assert_cmphex(peek(f, 8 * VIT_MIB), ==, 0xff);
    g_assert_cmphex(peek(f, 4 * VIT_GIB + 4 * VIT_MIB), ==, 0xff);
    g_assert_cmphex(peek(f, 0xc0000), ==, 0xff);
    g_assert_cmphex(peek(f, 0xfffff), ==, 0xb1);
    g_assert_cmphex(peek(f, 0xfffffff0), ==, 0xb1);
}

static void
test_shadow(Fixture *f, gconstpointer data)
{
    /* write-only: the classic copy of a BIOS onto itself */
    config_out(f, 0, 0x59, 0x20, 1);
    for (uint32_t at = 0xf0000; at < 0x100000; at += 0x1000) {
        poke(f, at, peek(f, at));
    }
    g_assert_cmphex(f->ram->host[0xf0000], ==, 0xb1);
    g_assert_cmphex(f->ram->host[0xf0001], ==, 0);
    poke(f, 0xf0002, 0x77);
    g_assert_cmphex(peek(f, 0xf0002), ==, 0xb1);
    /* read-only */
    config_out(f, 0, 0x59, 0x10, 1);
    g_assert_cmphex(peek(f, 0xf0002), ==, 0x77);
    poke(f, 0xf0002, 0x78);
    g_assert_cmphex(peek(f, 0xf0002), ==, 0x77);
    g_assert_cmphex(peek(f, 0xeffff), ==, 0xb1);
    /* both */
    config_out(f, 0, 0x59, 0x30, 1);
    poke(f, 0xf0002, 0x79);
    g_assert_cmphex(peek(f, 0xf0002), ==, 0x79);
    /* each nibble of PAM1 to PAM6 is one segment of 16 KiB */
    for (unsigned n = 0; n < 12; n++) {
        uint32_t base = 0xc0000 + n * 0x4000;
        uint8_t before = peek(f, base);
        config_out(f, 0, 0x5a + n / 2, 3 << (n & 1 ? 4 : 0), 1);
        poke(f, base, 0x11 + n);
        poke(f, base + 0x3fff, 0x21 + n);
        g_assert_cmphex(peek(f, base), ==, 0x11 + n);
        g_assert_cmphex(peek(f, base + 0x3fff), ==, 0x21 + n);
        config_out(f, 0, 0x5a + n / 2, 0, 1);
        g_assert_cmphex(peek(f, base), ==, before);
    }
    vit_device_reset(f->pmc);
    g_assert_cmphex(peek(f, 0xf0002), ==, 0xb1);
}

static void
test_smram(Fixture *f, gconstpointer data)
{
    VitAddressSpace *smm = vit_i440fx_smm_memory(f->host);

    g_assert_cmphex(config_in(f, 0, 0x72, 1), ==, 0x02);
    vit_dma_write8(smm, 0x200000, 0x31);
    g_assert_cmphex(peek(f, 0x200000), ==, 0x31);
    g_assert_cmphex(vit_dma_read8(smm, 0xa0000), ==, 0xff);
    /* open: everybody sees it */
    config_out(f, 0, 0x72, 0x4a, 1);
    poke(f, 0xa0000, 0x66);
    g_assert_cmphex(peek(f, 0xa0000), ==, 0x66);
    g_assert_cmphex(vit_dma_read8(smm, 0xa0000), ==, 0x66);
    /* closed: only SMM does */
    config_out(f, 0, 0x72, 0x0a, 1);
    g_assert_cmphex(peek(f, 0xa0000), ==, 0xff);
    g_assert_cmphex(vit_dma_read8(smm, 0xa0000), ==, 0x66);
    vit_dma_write8(smm, 0xbffff, 0x67);
    g_assert_cmphex(f->ram->host[0xbffff], ==, 0x67);
    /* locked: cannot be opened until reset */
    config_out(f, 0, 0x72, 0x5a, 1);
    g_assert_cmphex(config_in(f, 0, 0x72, 1), ==, 0x1a);
    config_out(f, 0, 0x72, 0x4a, 1);
    g_assert_cmphex(config_in(f, 0, 0x72, 1), ==, 0x1a);
    g_assert_cmphex(peek(f, 0xa0000), ==, 0xff);
    vit_device_reset(f->pmc);
    config_out(f, 0, 0x72, 0x4a, 1);
    g_assert_cmphex(peek(f, 0xa0000), ==, 0x66);
}

static void
test_routing(Fixture *f, gconstpointer data)
{
    VitPciBus *bus = vit_i440fx_bus(f->host);

    /* off after reset */
    bus->ops->set_irq(bus->opaque, 1, 1);
    g_assert_cmpint(f->isa[11], ==, 0);
    config_out(f, 0x08, 0x61, 11, 1);
    g_assert_cmpint(f->isa[11], ==, 1);
    /* a second one on the same interrupt holds it */
    config_out(f, 0x08, 0x62, 11, 1);
    bus->ops->set_irq(bus->opaque, 2, 1);
    bus->ops->set_irq(bus->opaque, 1, 0);
    g_assert_cmpint(f->isa[11], ==, 1);
    /* moving the route moves the level */
    config_out(f, 0x08, 0x62, 10, 1);
    g_assert_cmpint(f->isa[11], ==, 0);
    g_assert_cmpint(f->isa[10], ==, 1);
    config_out(f, 0x08, 0x62, 0x8a, 1);
    g_assert_cmpint(f->isa[10], ==, 0);
    /* slot 1 pin A is PIRQA, slot 2 pin A PIRQB, slot 3 pin D PIRQB */
    g_assert_cmpuint(bus->ops->map_irq(bus->opaque, 0x08, 0), ==, 0);
    g_assert_cmpuint(bus->ops->map_irq(bus->opaque, 0x10, 0), ==, 1);
    g_assert_cmpuint(bus->ops->map_irq(bus->opaque, 0x18, 3), ==, 1);
    g_assert_cmpuint(bus->ops->map_irq(bus->opaque, 0x00, 0), ==, 3);
}

static void
test_reset_control(Fixture *f, gconstpointer data)
{
    test_outl(&f->test, 0xcf8, 0x80000000);
    test_outb(&f->test, 0xcf9, 0x02);
    g_assert_cmphex(test_inb(&f->test, 0xcf9), ==, 0x02);
    g_assert_cmpuint(f->test.resets, ==, 0);
    test_outb(&f->test, 0xcf9, 0x06);
    g_assert_cmpuint(f->test.resets, ==, 1);
    g_assert_cmpint(f->test.last_cause, ==, VIT_CAUSE_GUEST_RESET);
    g_assert_cmphex(test_inl(&f->test, 0xcf8), ==, 0x80000000);
    /* the doubleword that spans the register is an address, not a reset */
    test_outl(&f->test, 0xcf8, 0x80000600);
    g_assert_cmpuint(f->test.resets, ==, 1);
}

static void
place_pm(Fixture *f)
{
    config_out(f, 0x0b, 0x40, 0x601, 4);
    config_out(f, 0x0b, 0x80, 1, 1);
    config_out(f, 0x0b, 0x90, 0x701, 4);
    config_out(f, 0x0b, 0xd2, 9, 1);
}

static void
test_pm_place(Fixture *f, gconstpointer data)
{
    g_assert_cmphex(test_inl(&f->test, 0x600), ==, 0xffffffff);
    place_pm(f);
    g_assert_cmphex(test_inl(&f->test, 0x600), ==, 0);
    config_out(f, 0x0b, 0x40, 0xb001, 4);
    g_assert_cmphex(test_inl(&f->test, 0x600), ==, 0xffffffff);
    g_assert_cmphex(test_inl(&f->test, 0xb000), ==, 0);
    config_out(f, 0x0b, 0x80, 0, 1);
    g_assert_cmphex(test_inl(&f->test, 0xb000), ==, 0xffffffff);
}

static void
test_pm_timer(Fixture *f, gconstpointer data)
{
    VitClock *clock = f->test.platform.clock;

    place_pm(f);
    vit_clock_step_to(clock, VIT_NS_PER_SEC);
    g_assert_cmpuint(test_inl(&f->test, 0x608), ==, 3579545);
    test_outw(&f->test, 0x602, 1);
    g_assert_cmpint(f->sci, ==, 0);
    /* bit 23 changes after 2^23 ticks, 2.343 s */
    vit_clock_step_to(clock, 2343 * VIT_NS_PER_MS);
    g_assert_cmpint(f->sci, ==, 0);
    vit_clock_step_to(clock, 2344 * VIT_NS_PER_MS);
    g_assert_cmpint(f->sci, ==, 1);
    g_assert_cmphex(test_inw(&f->test, 0x600), ==, 1);
    test_outw(&f->test, 0x600, 1);
    g_assert_cmpint(f->sci, ==, 0);
    vit_clock_step_to(clock, 4687 * VIT_NS_PER_MS);
    g_assert_cmpint(f->sci, ==, 1);
    g_assert_cmpuint(test_inl(&f->test, 0x608), <, 0x1000000);
}

static void
test_power_button(Fixture *f, gconstpointer data)
{
    place_pm(f);
    vit_piix4_pm_power_button(f->pm);
    g_assert_cmpint(f->sci, ==, 0);
    test_outw(&f->test, 0x602, 0x100);
    g_assert_cmpint(f->sci, ==, 1);
    g_assert_cmphex(test_inb(&f->test, 0x601), ==, 0x01);
    test_outb(&f->test, 0x600, 0xff); /* the other byte */
    g_assert_cmpint(f->sci, ==, 1);
    test_outw(&f->test, 0x600, 0x100);
    g_assert_cmpint(f->sci, ==, 0);
}

static void
test_sleep(Fixture *f, gconstpointer data)
{
    place_pm(f);
    test_outw(&f->test, 0x604, 0x2400); /* S3 */
    g_assert_cmpuint(f->test.suspends, ==, 1);
    test_outw(&f->test, 0x604, 0x0000);
    g_assert_cmpuint(f->test.shutdowns, ==, 0);
    test_outw(&f->test, 0x604, 0x2000); /* S5 */
    g_assert_cmpuint(f->test.shutdowns, ==, 1);
    g_assert_cmpint(f->test.last_cause, ==, VIT_CAUSE_GUEST_SHUTDOWN);
    g_assert_cmphex(test_inw(&f->test, 0x604), ==, 0);
    test_outw(&f->test, 0x604, 0x3c00);
    g_assert_cmpuint(f->test.shutdowns, ==, 1);
    g_assert_nonnull(strstr(f->test.guest_errors->str, "sleep type 7"));
}

static void
test_apm_and_gpe(Fixture *f, gconstpointer data)
{
    place_pm(f);
    test_outb(&f->test, 0xb2, 0xf1);
    g_assert_cmphex(test_inw(&f->test, 0x604), ==, 1);
    g_assert_cmpuint(f->test.smis, ==, 0);
    test_outb(&f->test, 0xb2, 0xf0);
    g_assert_cmphex(test_inw(&f->test, 0x604), ==, 0);
    config_out(f, 0x0b, 0x58, 1u << 25, 4);
    test_outb(&f->test, 0xb3, 0x5a);
    test_outb(&f->test, 0xb2, 0x01);
    g_assert_cmpuint(f->test.smis, ==, 1);
    g_assert_cmphex(test_inb(&f->test, 0xb3), ==, 0x5a);

    vit_piix4_pm_gpe(f->pm, 9);
    g_assert_cmpint(f->sci, ==, 0);
    test_outw(&f->test, 0xafe2, 0x200);
    g_assert_cmpint(f->sci, ==, 1);
    g_assert_cmphex(test_inw(&f->test, 0xafe0), ==, 0x200);
    test_outw(&f->test, 0xafe0, 0x200);
    g_assert_cmpint(f->sci, ==, 0);
}

static void
test_smbus(Fixture *f, gconstpointer data)
{
    place_pm(f);
    test_outb(&f->test, 0x704, 0xa1);
    test_outb(&f->test, 0x702, 0x48);
    g_assert_cmphex(test_inb(&f->test, 0x700), ==, 0x04);
    test_outb(&f->test, 0x700, 0x04);
    g_assert_cmphex(test_inb(&f->test, 0x700), ==, 0);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name) g_test_add("/pci-pc/" #name, Fixture, NULL, set_up, test_##name, tear_down)
    ADD(config_ports);
    ADD(memory_map);
    ADD(shadow);
    ADD(smram);
    ADD(routing);
    ADD(reset_control);
    ADD(pm_place);
    ADD(pm_timer);
    ADD(power_button);
    ADD(sleep);
    ADD(apm_and_gpe);
    ADD(smbus);
    return g_test_run();
}
