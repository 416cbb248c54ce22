/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The Bochs display interface: every depth through the linear frame buffer and through banks,
 * virtual screens, page flips, limits, and the monitor's EDID. */

#include "vga-fixture.h"

enum { LFB = 0xe0000000, REGISTERS = 0xf0000000 };

static void
enable(VgaFixture *f, unsigned width, unsigned height, unsigned bits, unsigned flags)
{
    vga_vbe(f, 4, 0);
    vga_vbe(f, 1, width);
    vga_vbe(f, 2, height);
    vga_vbe(f, 3, bits);
    vga_vbe(f, 4, 0x41 | flags);
    vga_show(f);
}

static void
set_dac(VgaFixture *f)
{
    test_outb(&f->test, 0x3c6, 0xff);
    test_outb(&f->test, 0x3c8, 0);
    for (unsigned n = 0; n < 256; n++) {
        uint8_t levels[3];
        vga_levels(n, levels);
        for (unsigned i = 0; i < 3; i++) {
            test_outb(&f->test, 0x3c9, levels[i]);
        }
    }
}

/* A value of BITS bits for pixel X, Y. */
static uint32_t
value_at(unsigned bits, unsigned x, unsigned y)
{
    uint32_t value = x * 2654435761u ^ y * 40503u * 65537u;

    return value >> 3 & (bits == 32 ? 0xffffff : (1u << bits) - 1);
}

static uint32_t
widen(uint32_t value, unsigned bits)
{
    return value << (8 - bits) | value >> (2 * bits - 8);
}

static uint32_t
expected_color(unsigned bits, uint32_t value)
{
    switch (bits) {
    case 8: return vga_color(value);
    case 15:
        return widen(value >> 10, 5) << 16 | widen(value >> 5 & 31, 5) << 8 | widen(value & 31, 5);
    case 16:
        return widen(value >> 11, 5) << 16 | widen(value >> 5 & 63, 6) << 8 | widen(value & 31, 5);
    default: return value;
    }
}

static unsigned
pixel_bytes(unsigned bits)
{
    return (bits + 7) / 8;
}

static void
write_pixel(VgaFixture *f, unsigned bits, uint64_t at, uint32_t value)
{
    vit_address_space_write_bytes(f->test.platform.memory, at, &value, pixel_bytes(bits));
}

static void
test_depths(VgaFixture *f, gconstpointer data)
{
    static const unsigned depths[] = { 8, 15, 16, 24, 32 };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(depths); i++) {
        unsigned bits = depths[i];
        enable(f, 648, 100, bits, 0);
        set_dac(f);
        for (unsigned y = 0; y < 100; y++) {
            for (unsigned x = 0; x < 648; x++) {
                write_pixel(f, bits, LFB + (y * 648 + x) * pixel_bytes(bits), value_at(bits, x, y));
            }
        }
        vga_refresh(f);
        g_assert_cmpuint(f->console->surface->width, ==, 648);
        g_assert_cmpuint(f->console->surface->height, ==, 100);
        for (unsigned y = 0; y < 100; y++) {
            for (unsigned x = 0; x < 648; x++) {
                g_assert_cmphex(vga_pixel(f, x, y), ==, expected_color(bits, value_at(bits, x, y)));
            }
        }
    }
}

static void
test_planar(VgaFixture *f, gconstpointer data)
{
    vga_set_mode(f, &vga_mode_12);
    enable(f, 800, 600, 4, 0);
    for (unsigned plane = 0; plane < 4; plane++) {
        vga_index(f, 0x3c4, 2, 1 << plane);
        for (unsigned y = 0; y < 600; y++) {
            for (unsigned x = 0; x < 800; x += 8) {
                uint8_t byte = 0;
                for (unsigned i = 0; i < 8; i++) {
                    byte = byte << 1 | (value_at(4, x + i, y) >> plane & 1);
                }
                vga_poke(f, 0xa0000 + y * 100 + x / 8, byte);
            }
        }
    }
    vga_refresh(f);
    for (unsigned y = 0; y < 600; y++) {
        for (unsigned x = 0; x < 800; x++) {
            g_assert_cmphex(vga_pixel(f, x, y), ==, vga_color(vga_mode_12.ar[value_at(4, x, y)]));
        }
    }
}

static void
test_banks(VgaFixture *f, gconstpointer data)
{
    vga_set_mode(f, &vga_mode_13);
    enable(f, 640, 480, 8, 0);
    for (unsigned bank = 0; bank < 5; bank++) {
        vga_vbe(f, 5, bank);
        for (unsigned at = 0; at < 0x10000; at += 0x100) {
            vga_poke(f, 0xa0000 + at, bank * 16 + (at >> 12));
        }
    }
    for (unsigned at = 0; at < 640 * 480; at += 0x100) {
        g_assert_cmphex(vga_peek(f, LFB + at), ==, (at >> 16) * 16 + (at >> 12 & 15));
    }
    /* B0000h is not part of the bank window */
    g_assert_cmphex(vga_peek(f, 0xb0000), ==, 0xff);
    /* a bank beyond memory wraps */
    vga_vbe(f, 5, 256 + 2);
    g_assert_cmpuint(vga_vbe_get(f, 5), ==, 2);
}

static void
test_shared_surface(VgaFixture *f, gconstpointer data)
{
    VitMapped at;

    enable(f, 1024, 768, 32, 0);
    vga_refresh(f);
    vit_address_space_lookup(f->test.platform.memory, LFB, &at);
    g_assert_true(f->console->surface->pixels == at.host);
    g_assert_cmpuint(f->console->surface->stride_bytes, ==, 4096);
    vga_refresh(f);
    g_assert_cmpuint(f->damages, ==, 0);
    vit_dma_write32(f->test.platform.memory, LFB + 100 * 4096 + 40, 0x123456);
    vga_refresh(f);
    g_assert_cmpint(f->damage.y, ==, 100);
    g_assert_cmpint(f->damage.height, ==, 1);
    /* page flip: another part of memory, told as a new surface */
    unsigned surfaces = f->surfaces;
    vga_vbe(f, 9, 768);
    vga_refresh(f);
    g_assert_cmpuint(f->surfaces, ==, surfaces + 1);
    g_assert_true(f->console->surface->pixels == at.host + 768 * 4096);
    g_assert_cmpint(f->damage.height, ==, 768);
    /* leaving it gives pixels of its own again */
    vga_vbe(f, 4, 0);
    vga_set_mode(f, &vga_mode_13);
    vga_refresh(f);
    g_assert_true(f->console->surface->owns_pixels);
}

static void
test_virtual_screen(VgaFixture *f, gconstpointer data)
{
    enable(f, 640, 480, 16, 0);
    vga_vbe(f, 6, 1000);
    g_assert_cmpuint(vga_vbe_get(f, 6), ==, 1000);
    g_assert_cmpuint(vga_vbe_get(f, 7), ==, 16 * 1024 * 1024 / 2000);
    vga_vbe(f, 8, 37);
    vga_vbe(f, 9, 21);
    for (unsigned y = 0; y < 600; y++) {
        for (unsigned x = 0; x < 1000; x++) {
            write_pixel(f, 16, LFB + (y * 1000 + x) * 2, value_at(16, x, y));
        }
    }
    vga_refresh(f);
    for (unsigned y = 0; y < 480; y += 3) {
        for (unsigned x = 0; x < 640; x++) {
            g_assert_cmphex(vga_pixel(f, x, y), ==,
                            expected_color(16, value_at(16, x + 37, y + 21)));
        }
    }
}

static void
test_limits(VgaFixture *f, gconstpointer data)
{
    g_assert_cmphex(vga_vbe_get(f, 0), ==, 0xb0c5);
    vga_vbe(f, 0, 0xb0c2);
    g_assert_cmphex(vga_vbe_get(f, 0), ==, 0xb0c2);
    vga_vbe(f, 0, 0x1234);
    g_assert_cmphex(vga_vbe_get(f, 0), ==, 0xb0c2);
    g_assert_cmpuint(vga_vbe_get(f, 10), ==, 256);
    vga_vbe(f, 4, 2);
    g_assert_cmpuint(vga_vbe_get(f, 1), >=, 1920);
    g_assert_cmpuint(vga_vbe_get(f, 3), ==, 32);
    vga_vbe(f, 4, 0);
    /* absurd sizes become ones that memory holds, and nothing reaches outside */
    static const uint16_t sizes[] = { 0, 1, 7, 640, 5000, 16000, 65535 };
    static const uint16_t depths[] = { 0, 1, 4, 8, 15, 16, 24, 32, 99 };
    for (unsigned i = 0; i < VIT_ARRAY_LEN(sizes); i++) {
        for (unsigned j = 0; j < VIT_ARRAY_LEN(depths); j++) {
            enable(f, sizes[i], sizes[(i * 3 + j) % VIT_ARRAY_LEN(sizes)], depths[j], 0x80);
            vga_vbe(f, 6, sizes[(i + j) % VIT_ARRAY_LEN(sizes)]);
            vga_vbe(f, 8, sizes[(i + j + 1) % VIT_ARRAY_LEN(sizes)]);
            vga_vbe(f, 9, sizes[(i + j + 2) % VIT_ARRAY_LEN(sizes)]);
            if (vga_vbe_get(f, 1) <= 5000 && vga_vbe_get(f, 2) <= 700) {
                vga_refresh(f);
            }
            uint64_t bits = vga_vbe_get(f, 3);
            uint64_t pitch = vga_vbe_get(f, 6) * (bits == 15 ? 16 : bits) / 8;
            g_assert_cmpuint(vga_vbe_get(f, 9) * pitch + vga_vbe_get(f, 2) * pitch, <=,
                             16 * 1024 * 1024);
        }
    }
}

static void
test_clear(VgaFixture *f, gconstpointer data)
{
    vga_poke(f, LFB + 1000, 0x5a);
    enable(f, 640, 480, 8, 0x80);
    g_assert_cmphex(vga_peek(f, LFB + 1000), ==, 0x5a);
    enable(f, 640, 480, 8, 0);
    g_assert_cmphex(vga_peek(f, LFB + 1000), ==, 0);
}

static void
test_dac_8bit(VgaFixture *f, gconstpointer data)
{
    enable(f, 640, 480, 8, 0x20);
    test_outb(&f->test, 0x3c6, 0xff);
    test_outb(&f->test, 0x3c8, 7);
    test_outb(&f->test, 0x3c9, 0x12);
    test_outb(&f->test, 0x3c9, 0xab);
    test_outb(&f->test, 0x3c9, 0xfe);
    vga_poke(f, LFB, 7);
    vga_refresh(f);
    g_assert_cmphex(vga_pixel(f, 0, 0), ==, 0x12abfe);
}

static void
test_memory_registers(VgaFixture *f, gconstpointer data)
{
    VitAddressSpace *memory = f->test.platform.memory;

    vit_dma_write16(memory, REGISTERS + 0x500 + 2 * 1, 1152);
    vit_dma_write16(memory, REGISTERS + 0x500 + 2 * 2, 864);
    vit_dma_write16(memory, REGISTERS + 0x500 + 2 * 3, 32);
    vit_dma_write16(memory, REGISTERS + 0x500 + 2 * 4, 0x41);
    vit_dma_write8(memory, REGISTERS + 0x400, 0x20);
    vga_refresh(f);
    g_assert_cmpuint(f->console->surface->width, ==, 1152);
    g_assert_cmpuint(vit_dma_read16(memory, REGISTERS + 0x500), ==, 0xb0c5);
    g_assert_cmphex(vit_dma_read32(memory, REGISTERS + 0x600), ==, 8);
    g_assert_cmphex(vit_dma_read32(memory, REGISTERS + 0x604), ==, 0x1e1e1e1e);
}

static void
read_edid(VgaFixture *f, uint8_t edid[128])
{
    vit_address_space_read_bytes(f->test.platform.memory, REGISTERS, edid, 128);
}

static void
check_edid(const uint8_t *edid, unsigned width, unsigned height)
{
    static const uint8_t magic[8] = { 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0 };
    const uint8_t *dtd = edid + 54;
    uint8_t sum = 0;

    for (unsigned i = 0; i < 128; i++) {
        sum += edid[i];
    }
    g_assert_cmpuint(sum, ==, 0);
    g_assert_cmpmem(edid, 8, magic, 8);
    g_assert_cmpuint(dtd[2] | (dtd[4] & 0xf0) << 4, ==, width);
    g_assert_cmpuint(dtd[5] | (dtd[7] & 0xf0) << 4, ==, height);
    unsigned h_total = width + (dtd[3] | (dtd[4] & 15) << 8);
    unsigned v_total = height + (dtd[6] | (dtd[7] & 15) << 8);
    unsigned clock_khz = (dtd[0] | dtd[1] << 8) * 10;
    double hz = clock_khz * 1000.0 / h_total / v_total;
    g_assert_cmpfloat_with_epsilon(hz, 60, 0.1);
}

static void
test_edid(VgaFixture *f, gconstpointer data)
{
    uint8_t edid[128];

    read_edid(f, edid);
    check_edid(edid, 1280, 800);
    /* a viewer's size is what the guest is offered next */
    f->console->ops->size_hint(f->console->opaque, 1600, 1000);
    read_edid(f, edid);
    check_edid(edid, 1600, 1000);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name) \
    g_test_add("/vga-vbe/" #name, VgaFixture, NULL, vga_set_up, test_##name, vga_tear_down)
    ADD(depths);
    ADD(planar);
    ADD(banks);
    ADD(shared_surface);
    ADD(virtual_screen);
    ADD(limits);
    ADD(clear);
    ADD(dac_8bit);
    ADD(memory_registers);
    ADD(edid);
    return g_test_run();
}
