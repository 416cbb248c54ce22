/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What the 82540EM receives: rings, filters, VLANs, long frames, a full ring, checksums. */

#include "e1000-fixture.h"

#include <string.h>

/* Fields of descriptor N. */
static unsigned
rx_len(E1000Fixture *f, unsigned n)
{
    const uint8_t *entry = e1000_ram(f, RX_RING + 16 * n);
    return entry[8] | entry[9] << 8;
}

static uint8_t
rx_status(E1000Fixture *f, unsigned n)
{
    return e1000_ram(f, RX_RING + 16 * n)[12];
}

static uint8_t
rx_errors(E1000Fixture *f, unsigned n)
{
    return e1000_ram(f, RX_RING + 16 * n)[13];
}

static void
test_rx(E1000Fixture *f, gconstpointer data)
{
    uint8_t body[100] = "\x88\xb5 hello";

    e1000_arrive(f, US, body, 100); /* not enabled: lost */
    e1000_start_rx(f, 1 << 15);
    g_assert_cmpuint(e1000_read(f, RDH), ==, 0);
    e1000_write(f, IMS, 0x80);
    e1000_arrive(f, US, body, 100);
    g_assert_cmpint(f->irq, ==, 1);
    g_assert_cmphex(e1000_read(f, ICR) & 0x80, ==, 0x80);
    g_assert_cmpuint(e1000_read(f, RDH), ==, 1);
    g_assert_cmpuint(rx_len(f, 0), ==, 116); /* with FCS */
    g_assert_cmphex(rx_status(f, 0), ==, 7); /* done, end, no checksum looked at */
    g_assert_cmpmem(e1000_ram(f, RX_BUF), 6, US, 6);
    g_assert_cmpmem(e1000_ram(f, RX_BUF + 12), 8, body, 8);
    /* Short ones are padded; without FCS where asked. */
    e1000_write(f, RCTL, 2 | 1 << 15 | 1 << 26);
    e1000_arrive(f, ALL, body, 4);
    g_assert_cmpuint(rx_len(f, 1), ==, 60);
    /* Counted. */
    g_assert_cmpuint(e1000_read(f, 0x4074), ==, 2);
    g_assert_cmpuint(e1000_read(f, 0x4074), ==, 0);
    g_assert_cmpuint(e1000_read(f, 0x4078), ==, 1);
    g_assert_cmpuint(e1000_read(f, 0x4088), ==, 116 + 64);
    g_assert_cmpuint(e1000_read(f, 0x408c), ==, 0);
    g_assert_cmpuint(e1000_read(f, 0x4088), ==, 0);
}

static void
test_rx_filters(E1000Fixture *f, gconstpointer data)
{
    static const struct {
        uint32_t rctl;
        const char *to;
        bool passes;
    } cases[] = {
        { 0, US, true },         { 0, OTHER, false },      { 0, ALL, false },
        { 1 << 15, ALL, true },  { 1 << 3, OTHER, true },  { 1 << 3, GROUP, false },
        { 1 << 4, GROUP, true }, { 1 << 4, OTHER, false },
    };
    uint8_t body[60] = { 0x88, 0xb5 };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        e1000_start_rx(f, cases[i].rctl);
        e1000_arrive(f, cases[i].to, body, sizeof(body));
        g_assert_cmpuint(e1000_read(f, RDH), ==, cases[i].passes);
    }
    /* The hash of each offset: 01:00:5e:00:00:fb, upper bytes 00 fb. */
    for (unsigned offset = 0; offset < 4; offset++) {
        unsigned hash = (0xfb00 >> (unsigned[]){ 4, 3, 2, 0 }[offset]) & 0xfff;
        for (unsigned hit = 0; hit < 2; hit++) {
            e1000_write(f, MTA + (hash >> 5) * 4, hit << (hash & 31));
            e1000_start_rx(f, offset << 12);
            e1000_arrive(f, GROUP, body, sizeof(body));
            g_assert_cmpuint(e1000_read(f, RDH), ==, hit);
            if (hit) {
                g_assert_cmphex(rx_status(f, 0) & 0x80, ==, 0x80); /* inexact */
            }
        }
        e1000_write(f, MTA + (hash >> 5) * 4, 0);
    }
    /* A second exact address. */
    e1000_write(f, RAL + 8, 0x00005452);
    e1000_write(f, RAH + 8, 0x80000100);
    e1000_start_rx(f, 0);
    e1000_arrive(f, OTHER, body, sizeof(body));
    g_assert_cmpuint(e1000_read(f, RDH), ==, 1);
}

static void
test_rx_vlan(E1000Fixture *f, gconstpointer data)
{
    uint8_t body[80] = { 0x81, 0x00, 0x20, 0x64, 0x88, 0xb5, 'x' };

    e1000_write(f, CTRL, e1000_read(f, CTRL) | 1 << 30);
    e1000_start_rx(f, 1 << 18);
    e1000_arrive(f, US, body, sizeof(body));
    g_assert_cmpuint(e1000_read(f, RDH), ==, 0);
    e1000_write(f, VFTA + (100 >> 5) * 4, 1 << (100 & 31));
    e1000_arrive(f, US, body, sizeof(body));
    g_assert_cmpuint(e1000_read(f, RDH), ==, 1);
    g_assert_cmphex(rx_status(f, 0) & 8, ==, 8);
    g_assert_cmpuint(rx_len(f, 0), ==, 92 - 4 + 4);
    const uint8_t *entry = e1000_ram(f, RX_RING);
    g_assert_cmphex(entry[14] | entry[15] << 8, ==, 0x2064);
    g_assert_cmpmem(e1000_ram(f, RX_BUF + 12), 3, "\x88\xb5x", 3);
}

static void
test_rx_long(E1000Fixture *f, gconstpointer data)
{
    uint8_t body[9000];

    for (unsigned i = 0; i < sizeof(body); i++) {
        body[i] = i * 3;
    }
    e1000_start_rx(f, 0);
    e1000_arrive(f, US, body, 1700);
    g_assert_cmpuint(e1000_read(f, RDH), ==, 0);
    e1000_start_rx(f, 1 << 5); /* long packets */
    e1000_arrive(f, US, body, sizeof(body));
    g_assert_cmpuint(e1000_read(f, RDH), ==, 5);
    g_assert_cmphex(rx_status(f, 0), ==, 1);
    g_assert_cmphex(rx_status(f, 4) & 3, ==, 3);
    g_assert_cmpuint(rx_len(f, 4), ==, 9016 - 4 * 2048);
    g_assert_cmpmem(e1000_ram(f, RX_BUF + 12), 2036, body, 2036);
    g_assert_cmpmem(e1000_ram(f, RX_BUF + 2048), 2048, body + 2036, 2048);
}

static void
test_rx_full(E1000Fixture *f, gconstpointer data)
{
    uint8_t body[60] = { 0x88, 0xb5 };

    e1000_start_rx(f, 0);
    e1000_write(f, RDT, 2);
    for (unsigned i = 0; i < 5; i++) {
        body[2] = i;
        e1000_arrive(f, US, body, sizeof(body));
    }
    g_assert_cmpuint(e1000_read(f, RDH), ==, 2);
    g_assert_cmphex(e1000_read(f, ICR) & 0x10, ==, 0x10); /* below the threshold */
    e1000_write(f, RDT, 4);
    g_assert_cmpuint(e1000_read(f, RDH), ==, 4);
    e1000_write(f, RDT, 10);
    g_assert_cmpuint(e1000_read(f, RDH), ==, 5);
    for (unsigned i = 0; i < 5; i++) {
        g_assert_cmpuint(e1000_ram(f, RX_BUF + 2048 * i)[14], ==, i);
    }
    /* Round the ring's end. */
    e1000_write(f, RDT, 4);
    for (unsigned i = 0; i < 14; i++) {
        e1000_arrive(f, US, body, sizeof(body));
    }
    g_assert_cmpuint(e1000_read(f, RDH), ==, 3);
}

static void
test_rx_checksums(E1000Fixture *f, gconstpointer data)
{
    uint8_t body[300];

    e1000_write(f, RXCSUM, 0x300);
    for (unsigned i = 0; i < 2; i++) {
        uint8_t protocol = i ? 6 : 17;
        size_t len = e1000_make_ipv4(body, protocol, 99);
        e1000_start_rx(f, 0);
        e1000_arrive(f, US, body, len);
        g_assert_cmphex(rx_status(f, 0) & 0x64, ==, 0x60);
        g_assert_cmphex(rx_errors(f, 0), ==, 0);
        body[len - 1] ^= 1;
        e1000_arrive(f, US, body, len);
        g_assert_cmphex(rx_status(f, 1) & 0x64, ==, 0x60);
        g_assert_cmphex(rx_errors(f, 1), ==, 0x20);
        body[len - 1] ^= 1;
        body[10] ^= 1; /* time to live */
        e1000_arrive(f, US, body, len);
        g_assert_cmphex(rx_errors(f, 2), ==, 0x40);
    }
    /* UDP without a sum, and something else. */
    size_t len = e1000_make_ipv4(body, 17, 20);
    e1000_put16(body + 2 + 26, 0);
    e1000_start_rx(f, 0);
    e1000_arrive(f, US, body, len);
    g_assert_cmphex(rx_status(f, 0) & 0x64, ==, 0x40);
    e1000_put16(body, 0x88b5);
    e1000_arrive(f, US, body, len);
    g_assert_cmphex(rx_status(f, 1) & 0x64, ==, 0x04);
}

static const E1000Test tests[] = {
    { "rx", test_rx },           { "rx-filters", test_rx_filters },
    { "rx-vlan", test_rx_vlan }, { "rx-long", test_rx_long },
    { "rx-full", test_rx_full }, { "rx-checksums", test_rx_checksums },
};

int
main(int argc, char **argv)
{
    return e1000_run(argc, argv, tests, G_N_ELEMENTS(tests));
}
