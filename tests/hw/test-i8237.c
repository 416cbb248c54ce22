/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The DMA controllers by their ports and by what a device transfers. */

#include "hw-rig.h"
#include "pc/i8237.h"

#include <string.h>

extern const VitDeviceKind vit_i8257_kind;

typedef struct Fixture {
    HwRig *rig;
    VitDevice *dma;
} Fixture;

static void
set_up(Fixture *f, gconstpointer data)
{
    f->rig = hw_rig_new();
    f->dma = hw_rig_add(f->rig, &vit_i8257_kind, NULL);
}

static void
tear_down(Fixture *f, gconstpointer data)
{
    vit_device_free(f->dma);
    g_assert_null(f->rig->isa.dma);
    hw_rig_free(f->rig);
}

static void
out(Fixture *f, uint16_t port, uint8_t value)
{
    test_outb(&f->rig->test, port, value);
}

static uint8_t
in(Fixture *f, uint16_t port)
{
    return test_inb(&f->rig->test, port);
}

/* Channel 2: MODE, ADDRESS within page PAGE, COUNT bytes; unmasked. */
static void
program(Fixture *f, uint8_t mode, uint8_t page, uint16_t address, uint16_t count)
{
    out(f, 0x0a, 0x06);
    out(f, 0x0b, mode | 2);
    out(f, 0x0c, 0);
    out(f, 0x04, address);
    out(f, 0x04, address >> 8);
    out(f, 0x05, count - 1);
    out(f, 0x05, (count - 1) >> 8);
    out(f, 0x81, page);
    out(f, 0x0a, 0x02);
}

static size_t
transfer(Fixture *f, unsigned channel, void *buf, size_t len, bool read_memory, bool *tc)
{
    return f->rig->isa.dma->transfer(f->rig->isa.dma_opaque, channel, buf, len, read_memory, tc);
}

static void
test_to_memory(Fixture *f, gconstpointer data)
{
    uint8_t bytes[512];
    bool tc;

    for (unsigned i = 0; i < sizeof(bytes); i++) {
        bytes[i] = i * 7;
    }
    program(f, 0x44, 0x01, 0x2000, 512);
    g_assert_cmpuint(transfer(f, 2, bytes, 300, false, &tc), ==, 300);
    g_assert_false(tc);
    g_assert_cmphex(in(f, 0x04), ==, 0x2c); /* current address 0x212c */
    g_assert_cmphex(in(f, 0x04), ==, 0x21);
    g_assert_cmpuint(transfer(f, 2, bytes + 300, 400, false, &tc), ==, 212);
    g_assert_true(tc);
    g_assert_cmpint(memcmp(f->rig->ram->host + 0x12000, bytes, 512), ==, 0);
    g_assert_cmphex(in(f, 0x08), ==, 0x04);
    g_assert_cmphex(in(f, 0x08), ==, 0x00);
    /* masked at terminal count */
    g_assert_cmpuint(transfer(f, 2, bytes, 1, false, &tc), ==, 0);
}

static void
test_from_memory(Fixture *f, gconstpointer data)
{
    uint8_t bytes[16];
    bool tc;

    for (unsigned i = 0; i < 16; i++) {
        f->rig->ram->host[0x30000 + i] = i;
    }
    program(f, 0x58, 0x03, 0x0000, 8); /* auto-initialise */
    g_assert_cmpuint(transfer(f, 2, bytes, 16, true, &tc), ==, 8);
    g_assert_true(tc);
    g_assert_cmpuint(transfer(f, 2, bytes + 8, 8, true, &tc), ==, 8);
    g_assert_true(tc);
    g_assert_cmpuint(bytes[7], ==, 7);
    g_assert_cmpuint(bytes[15], ==, 7);
    /* the other way round is refused */
    g_assert_cmpuint(transfer(f, 2, bytes, 8, false, &tc), ==, 0);
    g_assert_true(f->rig->test.guest_errors->len > 0);
}

static void
test_wrap_and_decrement(Fixture *f, gconstpointer data)
{
    uint8_t bytes[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    uint8_t *ram = f->rig->ram->host;
    bool tc;

    program(f, 0x44, 0x02, 0xfffc, 8); /* stays in its 64 KiB page */
    g_assert_cmpuint(transfer(f, 2, bytes, 8, false, &tc), ==, 8);
    g_assert_cmpuint(ram[0x2ffff], ==, 4);
    g_assert_cmpuint(ram[0x20000], ==, 5);
    g_assert_cmpuint(ram[0x30000], ==, 0);
    program(f, 0x64, 0x02, 0x1003, 4); /* downwards */
    g_assert_cmpuint(transfer(f, 2, bytes, 8, false, &tc), ==, 4);
    g_assert_cmpuint(ram[0x21003], ==, 1);
    g_assert_cmpuint(ram[0x21000], ==, 4);
    /* verify counts and touches nothing */
    program(f, 0x40, 0x02, 0x4000, 4);
    g_assert_cmpuint(transfer(f, 2, bytes, 8, false, &tc), ==, 4);
    g_assert_true(tc);
    g_assert_cmpuint(ram[0x24000], ==, 0);
}

static void
test_sixteen_bit(Fixture *f, gconstpointer data)
{
    uint8_t bytes[7] = { 1, 2, 3, 4, 5, 6, 7 };
    VitDmaChannelInfo info;
    bool tc;

    out(f, 0xd6, 0x45);
    out(f, 0xd8, 0);
    out(f, 0xc4, 0x00); /* word address 0x8000 in page 4: byte 0x50000 */
    out(f, 0xc4, 0x80);
    out(f, 0xc6, 0x02);
    out(f, 0xc6, 0x00);
    out(f, 0x8b, 0x05); /* the page's low bit is not used */
    out(f, 0xd4, 0x01);
    vit_i8237_get_channel(f->dma, 5, &info);
    g_assert_cmphex(info.address, ==, 0x50000);
    g_assert_cmpuint(info.left_bytes, ==, 6);
    g_assert_cmpuint(transfer(f, 5, bytes, 7, false, &tc), ==, 6);
    g_assert_true(tc);
    g_assert_cmpint(memcmp(f->rig->ram->host + 0x50000, bytes, 6), ==, 0);
}

static void
test_control(Fixture *f, gconstpointer data)
{
    uint8_t byte = 0;
    bool tc;

    g_assert_cmphex(in(f, 0x0f), ==, 0x0f);
    program(f, 0x44, 0, 0, 100);
    out(f, 0x08, 0x04); /* controller off */
    g_assert_cmpuint(transfer(f, 2, &byte, 1, false, &tc), ==, 0);
    out(f, 0x08, 0x00);
    g_assert_cmpuint(transfer(f, 2, &byte, 1, false, &tc), ==, 1);
    f->rig->isa.dma->set_request(f->rig->isa.dma_opaque, 2, true);
    g_assert_cmphex(in(f, 0x08), ==, 0x40);
    out(f, 0x0d, 0);
    g_assert_cmphex(in(f, 0x0f), ==, 0x0f);
    out(f, 0x0e, 0);
    g_assert_cmphex(in(f, 0x0f), ==, 0x00);
    g_assert_cmpuint(transfer(f, 8, &byte, 1, false, &tc), ==, 0);
    out(f, 0x84, 0x12); /* a page register without channel is memory */
    g_assert_cmphex(in(f, 0x84), ==, 0x12);
}

#define ADD(name, func) g_test_add("/i8237/" name, Fixture, NULL, set_up, func, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("to-memory", test_to_memory);
    ADD("from-memory", test_from_memory);
    ADD("wrap-and-decrement", test_wrap_and_decrement);
    ADD("sixteen-bit", test_sixteen_bit);
    ADD("control", test_control);
    return g_test_run();
}
