/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What the 82540EM sends: legacy and advanced descriptors, checksums, VLANs, segmentation, and
 * descriptors that make no sense. */

#include "e1000-fixture.h"

#include <string.h>

static void
test_tx_legacy(E1000Fixture *f, gconstpointer data)
{
    size_t len;

    for (unsigned i = 0; i < 200; i++) {
        *e1000_ram(f, TX_BUF + i) = i;
    }
    e1000_start_tx(f);
    e1000_write(f, IMS, 1);
    e1000_add_tx(f, TX_BUF, 50, 0);
    e1000_add_tx(f, TX_BUF + 50, 50 | EOP | RS, 0);
    e1000_add_tx(f, TX_BUF, 20 | EOP, 0); /* short: padded */
    e1000_write(f, TDT, 2);
    const uint8_t *frame = e1000_sent(f, 0, &len);
    g_assert_cmpmem(frame, len, e1000_ram(f, TX_BUF), 100);
    g_assert_cmpuint(e1000_read(f, TDH), ==, 2);
    g_assert_cmphex(*e1000_ram(f, TX_RING + 12), ==, 0);
    g_assert_cmphex(*e1000_ram(f, TX_RING + 16 + 12), ==, 1);
    g_assert_cmpint(f->irq, ==, 1);
    g_assert_cmphex(e1000_read(f, ICR), ==, 3);
    e1000_write(f, TDT, 3);
    frame = e1000_sent(f, 1, &len);
    g_assert_cmpuint(len, ==, 60);
    g_assert_cmpuint(frame[19], ==, 19);
    g_assert_cmpuint(frame[20], ==, 0);
    g_assert_cmphex(e1000_read(f, ICR), ==, 2); /* nobody asked for a report */
    /* Legacy checksum: from byte 20, at 30. */
    e1000_add_tx(f, TX_BUF, 100 | 30 << 16 | EOP | 1 << 26, 20 << 8);
    e1000_put16(e1000_ram(f, TX_BUF + 30), 0);
    e1000_write(f, TDT, 4);
    frame = e1000_sent(f, 2, &len);
    g_assert_cmphex(e1000_sum16(frame + 20, 80, 0), ==, 0xffff);
    g_assert_cmpuint(e1000_read(f, 0x4080), ==, 3);
}

static void
test_tx_ring_end(E1000Fixture *f, gconstpointer data)
{
    size_t len;

    e1000_start_tx(f);
    for (unsigned i = 0; i < 40; i++) {
        *e1000_ram(f, TX_BUF) = i;
        e1000_add_tx(f, TX_BUF, 64 | EOP | RS, 0);
        e1000_write(f, TDT, f->tx_at);
        g_assert_cmpuint(e1000_sent(f, i, &len)[0], ==, i);
    }
    g_assert_cmpuint(e1000_read(f, TDH), ==, 40 % RING_LEN);
}

static void
add_context(E1000Fixture *f, const uint8_t sums[8], uint32_t command, unsigned header_len,
            unsigned mss)
{
    uint64_t first;

    memcpy(&first, sums, 8);
    e1000_add_tx(f, first, command | DEXT, header_len << 8 | mss << 16);
}

static void
test_tx_checksums(E1000Fixture *f, gconstpointer data)
{
    /* IP from 14, at 24; UDP from 34, at 40; to the ends. */
    static const uint8_t sums[8] = { 14, 24, 33, 0, 34, 40, 0, 0 };
    size_t len;

    e1000_start_tx(f);
    memcpy(e1000_ram(f, TX_BUF), US OTHER, 12);
    size_t body_len = e1000_make_ipv4(e1000_ram(f, TX_BUF + 12), 17, 51);
    uint16_t right_ip = e1000_get16(e1000_ram(f, TX_BUF + 24)),
             right_udp = e1000_get16(e1000_ram(f, TX_BUF + 40));
    e1000_put16(e1000_ram(f, TX_BUF + 24), 0);
    e1000_put16(e1000_ram(f, TX_BUF + 40), e1000_sum16(e1000_ram(f, TX_BUF + 26), 8, 17 + 59));
    add_context(f, sums, 1 << 25, 0, 0); /* IPv4, not TCP */
    e1000_add_tx(f, TX_BUF, (12 + body_len) | DATA | DEXT | EOP | RS, 3 << 8);
    e1000_write(f, TDT, 2);
    const uint8_t *frame = e1000_sent(f, 0, &len);
    g_assert_cmpuint(len, ==, 12 + body_len);
    g_assert_cmphex(e1000_get16(frame + 24), ==, right_ip);
    g_assert_cmphex(e1000_get16(frame + 40), ==, right_udp);
    /* The context stays; without the options nothing is put in. */
    e1000_add_tx(f, TX_BUF, (12 + body_len) | DATA | DEXT | EOP | RS, 0);
    e1000_write(f, TDT, 3);
    frame = e1000_sent(f, 1, &len);
    g_assert_cmphex(e1000_get16(frame + 24), ==, 0);
}

static void
test_tx_vlan(E1000Fixture *f, gconstpointer data)
{
    size_t len;

    e1000_write(f, CTRL, e1000_read(f, CTRL) | 1 << 30);
    memcpy(e1000_ram(f, TX_BUF), US OTHER "\x88\xb5xyz", 17);
    e1000_start_tx(f);
    e1000_add_tx(f, TX_BUF, 80 | EOP | VLE, 0x2064u << 16);
    e1000_write(f, TDT, 1);
    const uint8_t *frame = e1000_sent(f, 0, &len);
    g_assert_cmpuint(len, ==, 84);
    g_assert_cmpmem(frame + 12, 9, "\x81\x00\x20\x64\x88\xb5xyz", 9);
}

/* TCP data of 2500 bytes in segments of 1000, over IPv4 or IPv6. */
static void
check_segments(E1000Fixture *f, bool is_ipv6)
{
    unsigned ip_len = is_ipv6 ? 40 : 20, header_len = 14 + ip_len + 20;
    const uint8_t sums[8] = { 14, 24, 33, 0, 14 + ip_len, 14 + ip_len + 16, 0, 0 };
    uint8_t *ip = e1000_ram(f, TX_BUF + 14), *tcp = ip + ip_len;
    uint32_t pseudo;

    memset(e1000_ram(f, TX_BUF), 0, header_len);
    memcpy(e1000_ram(f, TX_BUF), US OTHER, 12);
    e1000_put16(ip - 2, is_ipv6 ? 0x86dd : 0x0800);
    if (is_ipv6) {
        ip[0] = 0x60;
        ip[6] = 6;
        memset(ip + 8, 0x22, 32);
        pseudo = e1000_sum16(ip + 8, 32, 6);
    } else {
        ip[0] = 0x45;
        e1000_put16(ip + 4, 0x1000);
        ip[8] = 64;
        ip[9] = 6;
        memcpy(ip + 12, "\x0a\0\2\2\x0a\0\2\x0f", 8);
        pseudo = e1000_sum16(ip + 12, 8, 6);
    }
    memcpy(tcp + 4, "\xff\xff\xff\x00", 4); /* the sequence number wraps */
    tcp[12] = 5 << 4;
    tcp[13] = 0x19; /* ACK, PSH, FIN */
    e1000_put16(tcp + 16, pseudo);
    for (unsigned i = 0; i < 2500; i++) {
        tcp[20 + i] = i ^ i >> 8;
    }
    g_ptr_array_set_size(f->sent, 0);
    e1000_start_tx(f);
    add_context(f, sums, TSE | 1 << 24 | (is_ipv6 ? 0 : 1 << 25) | 2500, header_len, 1000);
    /* Headers alone, then data cut at odd places. */
    uint32_t options = is_ipv6 ? 2 << 8 : 3 << 8;
    e1000_add_tx(f, TX_BUF, header_len | DATA | DEXT | TSE, options);
    e1000_add_tx(f, TX_BUF + header_len, 1234 | DATA | DEXT | TSE, options);
    e1000_add_tx(f, TX_BUF + header_len + 1234, 1266 | DATA | DEXT | TSE | EOP | RS, options);
    e1000_write(f, TDT, 4);

    g_assert_cmpuint(f->sent->len, ==, 3);
    for (unsigned n = 0; n < 3; n++) {
        size_t len;
        const uint8_t *frame = e1000_sent(f, n, &len), *out_ip = frame + 14, *out = out_ip + ip_len;
        unsigned data_len = n == 2 ? 500 : 1000;
        g_assert_cmpuint(len, ==, header_len + data_len);
        uint32_t sequence = e1000_get16(out + 4) << 16 | e1000_get16(out + 6);
        g_assert_cmphex(sequence, ==, 0xffffff00 + n * 1000);
        g_assert_cmphex(out[13], ==, n == 2 ? 0x19 : 0x10);
        if (is_ipv6) {
            g_assert_cmpuint(e1000_get16(out_ip + 4), ==, 20 + data_len);
            pseudo = e1000_sum16(out_ip + 8, 32, 6 + 20 + data_len);
        } else {
            g_assert_cmpuint(e1000_get16(out_ip + 2), ==, 40 + data_len);
            g_assert_cmphex(e1000_get16(out_ip + 4), ==, 0x1000 + n);
            g_assert_cmphex(e1000_sum16(out_ip, 20, 0), ==, 0xffff);
            pseudo = e1000_sum16(out_ip + 12, 8, 6 + 20 + data_len);
        }
        g_assert_cmphex(e1000_sum16(out, 20 + data_len, pseudo), ==, 0xffff);
        for (unsigned i = 0; i < data_len; i++) {
            unsigned at = n * 1000 + i;
            g_assert_cmphex(out[20 + i], ==, (at ^ at >> 8) & 0xff);
        }
    }
}

static void
test_tx_segments(E1000Fixture *f, gconstpointer data)
{
    check_segments(f, false);
    check_segments(f, true);
}

/* A context that shrinks in the middle of a packet, a header longer than the packet, segments of
 * nothing, packets without end. */
static void
test_tx_nonsense(E1000Fixture *f, gconstpointer data)
{
    static const uint8_t wild[8] = { 255, 255, 255, 255, 255, 255, 255, 255 };

    e1000_start_tx(f);
    add_context(f, wild, TSE | 1 << 24 | 1 << 25, 200, 60000);
    e1000_add_tx(f, TX_BUF, 50000 | DATA | DEXT | TSE, 3 << 8);
    add_context(f, wild, TSE, 10, 1);
    e1000_add_tx(f, TX_BUF, 30 | DATA | DEXT | TSE | EOP, 3 << 8);
    add_context(f, wild, TSE, 255, 5);
    e1000_add_tx(f, TX_BUF, 30 | DATA | DEXT | TSE | EOP, 3 << 8);
    add_context(f, wild, TSE, 0, 0);
    e1000_add_tx(f, TX_BUF, 0xfffff | DATA | DEXT | TSE | EOP, 3 << 8);
    e1000_add_tx(f, TX_BUF, 0xf << 20 | DEXT | EOP | RS, 0);
    e1000_add_tx(f, UINT64_MAX - 10, 100 | EOP, 0);
    e1000_add_tx(f, TX_BUF, 65535, 0);
    e1000_add_tx(f, TX_BUF, 65535 | EOP, 0);
    e1000_add_tx(f, MMIO + TDH, 64 | EOP | RS, 0);
    e1000_write(f, TDT, f->tx_at);
    g_assert_cmpuint(e1000_read(f, TDH), ==, f->tx_at);
    /* A tail outside the ring ends after one round. */
    e1000_write(f, TDT, 0xffff);
    /* A ring in our own registers, a ring of no length. */
    e1000_write(f, TDBAL, MMIO + 0x3800);
    e1000_write(f, TDT, 5);
    e1000_write(f, TDLEN, 0);
    e1000_write(f, TDT, 9);
    g_assert_cmphex(e1000_read(f, STATUS) & 2, ==, 2);
}

static const E1000Test tests[] = {
    { "tx-legacy", test_tx_legacy },       { "tx-ring-end", test_tx_ring_end },
    { "tx-checksums", test_tx_checksums }, { "tx-vlan", test_tx_vlan },
    { "tx-segments", test_tx_segments },   { "tx-nonsense", test_tx_nonsense },
};

int
main(int argc, char **argv)
{
    return e1000_run(argc, argv, tests, G_N_ELEMENTS(tests));
}
