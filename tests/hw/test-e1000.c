/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The 82540EM but for what it receives and sends (test-e1000-rx.c, test-e1000-tx.c): EEPROM and
 * PHY, link, interrupts, loopback, reset, saved state, and a guest that does nonsense. */

#include "e1000-fixture.h"

#include <string.h>

/* ---- identity, EEPROM, PHY ---- */

static uint16_t
eerd(E1000Fixture *f, unsigned word)
{
    e1000_write(f, EERD, word << 8 | 1);
    uint32_t value = e1000_read(f, EERD);
    g_assert_cmphex(value & 0x10, ==, 0x10);
    return value >> 16;
}

/* As drivers do: SK 1, CS 2, DI 4, DO 8, REQ 0x40, GNT 0x80. */
static bool
eecd_clock(E1000Fixture *f, bool bit)
{
    uint32_t base = 0x42 | (bit ? 4 : 0);

    e1000_write(f, EECD, base);
    e1000_write(f, EECD, base | 1);
    bool out = e1000_read(f, EECD) & 8;
    e1000_write(f, EECD, base);
    return out;
}

static void
eecd_send(E1000Fixture *f, uint32_t bits, unsigned count)
{
    while (count-- > 0) {
        eecd_clock(f, bits >> count & 1);
    }
}

static uint16_t
eecd_receive(E1000Fixture *f)
{
    uint16_t word = 0;

    for (int i = 0; i < 16; i++) {
        word = word << 1 | eecd_clock(f, false);
    }
    return word;
}

static void
test_eeprom(E1000Fixture *f, gconstpointer data)
{
    uint16_t sum = 0;

    g_assert_cmphex(vit_pci_config_read(&f->bus, DEVFN << 8, 4), ==, 0x100e8086);
    g_assert_cmphex(vit_pci_config_read(&f->bus, DEVFN << 8 | 8, 4), ==, 0x02000003);
    g_assert_cmphex(eerd(f, 0), ==, 0x5452);
    g_assert_cmphex(eerd(f, 1), ==, 0xab00);
    g_assert_cmphex(eerd(f, 2), ==, 0xefcd);
    for (unsigned i = 0; i < 64; i++) {
        sum += eerd(f, i);
    }
    g_assert_cmphex(sum, ==, 0xbaba);
    g_assert_cmphex(e1000_read(f, RAL), ==, 0xab005452);
    g_assert_cmphex(e1000_read(f, RAH), ==, 0x8000efcd);

    e1000_write(f, EECD, 0x40);
    g_assert_cmphex(e1000_read(f, EECD) & 0x180, ==, 0x180); /* granted, present */
    eecd_send(f, 0x6 << 6 | 1, 9);
    g_assert_cmphex(e1000_read(f, EECD) & 8, ==, 0); /* the zero before the data */
    g_assert_cmphex(eecd_receive(f), ==, 0xab00);
    g_assert_cmphex(eecd_receive(f), ==, 0xefcd); /* and on to the next */
    e1000_write(f, EECD, 0x40);
    /* Writing works once enabled. */
    eecd_send(f, 0x5 << 6 | 9, 9);
    eecd_send(f, 0x1234, 16);
    e1000_write(f, EECD, 0x40);
    g_assert_cmphex(eerd(f, 9), ==, 0);
    eecd_send(f, 0x4 << 6 | 0x30, 9);
    e1000_write(f, EECD, 0x40);
    eecd_send(f, 0x5 << 6 | 9, 9);
    eecd_send(f, 0x1234, 16);
    e1000_write(f, EECD, 0x40);
    g_assert_cmphex(eerd(f, 9), ==, 0x1234);
}

static uint16_t
phy_read(E1000Fixture *f, unsigned reg)
{
    e1000_write(f, MDIC, 2u << 26 | 1 << 21 | reg << 16);
    uint32_t value = e1000_read(f, MDIC);
    g_assert_cmphex(value & (3u << 28 | 1 << 30), ==, 1 << 28);
    return value;
}

static void
test_phy(E1000Fixture *f, gconstpointer data)
{
    g_assert_cmphex(phy_read(f, 2), ==, 0x0141);
    g_assert_cmphex(phy_read(f, 3), ==, 0x0c20);
    g_assert_cmphex(phy_read(f, 1) & 0x24, ==, 0x24);
    g_assert_cmphex(phy_read(f, 17) & 0xac00, ==, 0xac00);
    g_assert_cmphex(e1000_read(f, STATUS) & 0xc3, ==, 0x83); /* up, full duplex, 1000 */
    e1000_write(f, MDIC, 2u << 26 | 2 << 21);                /* there is no PHY 2 */
    g_assert_cmphex(e1000_read(f, MDIC) >> 28 & 7, ==, 5);
    e1000_write(f, IMS, 1 << 9);
    e1000_write(f, MDIC, 1u << 29 | 2u << 26 | 1 << 21);
    g_assert_cmphex(e1000_read(f, ICR), ==, 1 << 9);

    /* Negotiation takes its time, then the link change is told. */
    e1000_phy_write(f, 0, 0x1340);
    g_assert_cmphex(e1000_read(f, STATUS) & 2, ==, 0);
    e1000_read(f, ICR);
    e1000_step_ms(f, 200);
    g_assert_cmphex(e1000_read(f, ICR), ==, 4);
    g_assert_cmphex(e1000_read(f, STATUS) & 2, ==, 2);
    /* The failure shows once in the latched bit. */
    g_assert_cmphex(phy_read(f, 1) & 4, ==, 0);
    g_assert_cmphex(phy_read(f, 1) & 4, ==, 4);
}

static void
test_link(E1000Fixture *f, gconstpointer data)
{
    e1000_write(f, IMS, 4);
    vit_net_port_set_link(&f->peer, false);
    g_assert_cmpint(f->irq, ==, 1);
    g_assert_cmphex(e1000_read(f, ICR), ==, 4);
    g_assert_cmpint(f->irq, ==, 0);
    g_assert_cmphex(e1000_read(f, STATUS) & 2, ==, 0);
    vit_net_port_set_link(&f->peer, true);
    e1000_step_ms(f, 200);
    g_assert_cmphex(e1000_read(f, STATUS) & 2, ==, 2);
    g_assert_cmphex(e1000_read(f, ICR), ==, 4);
}

static void
test_io_window(E1000Fixture *f, gconstpointer data)
{
    test_outl(&f->test, IOPORT, RAL);
    g_assert_cmphex(test_inl(&f->test, IOPORT + 4), ==, 0xab005452);
    test_outl(&f->test, IOPORT, VFTA + 8);
    test_outl(&f->test, IOPORT + 4, 0xcafe);
    g_assert_cmphex(e1000_read(f, VFTA + 8), ==, 0xcafe);
    test_outl(&f->test, IOPORT, 0xfffffffc); /* beyond the registers */
    g_assert_cmphex(test_inl(&f->test, IOPORT + 4), ==, 0);
    /* The 82542's places. */
    g_assert_cmphex(e1000_read(f, 0x40), ==, 0xab005452);
    e1000_write(f, 0x128, 7);
    g_assert_cmphex(e1000_read(f, RDT), ==, 7);
}

static void
test_interrupts(E1000Fixture *f, gconstpointer data)
{
    e1000_write(f, ICS, 0x81);
    g_assert_cmpint(f->irq, ==, 0);
    e1000_write(f, IMS, 0x80);
    g_assert_cmpint(f->irq, ==, 1);
    e1000_write(f, IMC, 0x80);
    g_assert_cmpint(f->irq, ==, 0);
    e1000_write(f, IMS, 1);
    g_assert_cmphex(e1000_read(f, IMS), ==, 1);
    e1000_write(f, ICR, 1); /* writing ones clears too */
    g_assert_cmpint(f->irq, ==, 0);
    g_assert_cmphex(e1000_read(f, ICR), ==, 0x80);
    g_assert_cmphex(e1000_read(f, ICR), ==, 0);

    /* Throttled: at most one each 256 * 4000 ns. */
    e1000_write(f, ITR, 4000);
    unsigned before = f->irq_rises;
    for (int i = 0; i < 10; i++) {
        e1000_write(f, ICS, 1);
        e1000_read(f, ICR);
    }
    e1000_write(f, ICS, 1);
    g_assert_cmpuint(f->irq_rises - before, ==, 1);
    e1000_step_ms(f, 2);
    g_assert_cmpuint(f->irq_rises - before, ==, 2);
    g_assert_cmpint(f->irq, ==, 1);
}

/* ---- life ---- */

static void
test_loopback(E1000Fixture *f, gconstpointer data)
{
    memcpy(e1000_ram(f, TX_BUF), US OTHER "\x88\xb5 loop", 19);
    e1000_start_rx(f, 0);
    e1000_start_tx(f);
    e1000_phy_write(f, 0, 0x4140);
    e1000_add_tx(f, TX_BUF, 80 | EOP, 0);
    e1000_write(f, TDT, 1);
    g_assert_cmpuint(f->sent->len, ==, 0);
    g_assert_cmpuint(e1000_read(f, RDH), ==, 1);
    g_assert_cmpmem(e1000_ram(f, RX_BUF), 80, e1000_ram(f, TX_BUF), 80);
}

static void
test_reset(E1000Fixture *f, gconstpointer data)
{
    e1000_start_rx(f, 1 << 15);
    e1000_write(f, IMS, 0xff);
    e1000_write(f, RAL, 0);
    e1000_write(f, CTRL, 1 << 26);
    g_assert_cmphex(e1000_read(f, CTRL) & 1 << 26, ==, 0);
    g_assert_cmphex(e1000_read(f, RCTL), ==, 0);
    g_assert_cmphex(e1000_read(f, IMS), ==, 0);
    g_assert_cmphex(e1000_read(f, RAL), ==, 0xab005452);
    g_assert_cmphex(e1000_read(f, VET), ==, 0x8100);
    g_assert_cmphex(e1000_read(f, STATUS) & 2, ==, 2);
}

static void
test_state(E1000Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    uint8_t body[60] = { 0x88, 0xb5 };

    e1000_start_rx(f, 1 << 15);
    e1000_start_tx(f);
    e1000_add_tx(f, TX_BUF, 50, 0); /* half a packet */
    e1000_write(f, TDT, 1);
    e1000_write(f, IMS, 0x80);
    e1000_arrive(f, US, body, sizeof(body));
    VitStateWriter *writer = vit_state_writer_new();
    vit_device_save(f->dev, writer);
    g_autoptr(GBytes) bytes = vit_state_writer_finish(writer);
    vit_device_reset(f->dev);
    g_assert_cmpint(f->irq, ==, 0);
    VitStateReader *reader = vit_state_reader_new(bytes, &error);
    g_assert_no_error(error);
    g_assert_true(vit_device_load(f->dev, reader, &error));
    vit_state_reader_free(reader);
    g_assert_cmpint(f->irq, ==, 1);
    g_assert_cmpuint(e1000_read(f, RDH), ==, 1);
    e1000_add_tx(f, TX_BUF + 50, 50 | EOP, 0);
    e1000_write(f, TDT, 2);
    size_t len;
    e1000_sent(f, 0, &len);
    g_assert_cmpuint(len, ==, 100);
}

/* Random registers, random ring contents, frames in between. */
static void
test_random(E1000Fixture *f, gconstpointer data)
{
    static const uint32_t places[] = { CTRL,  EECD, EERD, MDIC,   ICR,   ITR, ICS, IMS,
                                       IMC,   RCTL, TCTL, RDBAL,  RDLEN, RDH, RDT, TDBAL,
                                       TDLEN, TDH,  TDT,  RXCSUM, MTA,   RAL, RAH, VFTA };
    uint8_t body[2000];

    for (unsigned i = 0; i < 30000; i++) {
        uint32_t value = g_test_rand_int();
        uint32_t at = g_test_rand_int_range(0, 4)
                          ? places[g_test_rand_int_range(0, G_N_ELEMENTS(places))]
                          : (uint32_t)g_test_rand_int() & 0x1ffff;
        if (at == RDBAL || at == TDBAL) {
            value &= 0xfffff;
        } else if (at == RDLEN || at == TDLEN) {
            value &= 0x780;
        } else if (at == RDT || at == TDT || at == RDH || at == TDH) {
            value &= 0x7f;
        }
        e1000_write(f, at & ~3u, value);
        if (i % 16 == 0) {
            uint32_t ram_at = g_test_rand_int_range(0, RAM_BYTES - 64);
            for (unsigned j = 0; j < 64; j++) {
                *e1000_ram(f, ram_at + j) = g_test_rand_int();
            }
            memset(body, i, sizeof(body));
            e1000_arrive(f, i % 32 ? US : ALL, body, g_test_rand_int_range(0, sizeof(body)));
            g_ptr_array_set_size(f->sent, 0);
            e1000_step_ms(f, 1);
            e1000_read(f, (uint32_t)g_test_rand_int() & 0x1fffc);
        }
    }
}

static const E1000Test tests[] = {
    { "eeprom", test_eeprom },
    { "phy", test_phy },
    { "link", test_link },
    { "io-window", test_io_window },
    { "interrupts", test_interrupts },
    { "loopback", test_loopback },
    { "reset", test_reset },
    { "state", test_state },
    { "random", test_random },
};

int
main(int argc, char **argv)
{
    return e1000_run(argc, argv, tests, G_N_ELEMENTS(tests));
}
