/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The 82540EM driven as a driver drives it: EEPROM and PHY, rings in guest memory, filters,
 * checksums, segmentation, interrupts, links, and a guest that does nonsense. */

#include "test-platform.h"
#include "vit-netport.h"
#include "hw-kinds.h"
#include "vit-pci.h"

#include <string.h>

enum {
    MMIO = 0xe0000000,
    IOPORT = 0xc000,
    RAM_BYTES = 1 << 20,
    TX_RING = 0x1000,
    RX_RING = 0x2000,
    TX_BUF = 0x10000,
    RX_BUF = 0x40000, /* 2048 bytes each */
    RING_LEN = 16,
    DEVFN = 3 << 3,
};

enum {
    CTRL = 0x0000,
    STATUS = 0x0008,
    EECD = 0x0010,
    EERD = 0x0014,
    MDIC = 0x0020,
    VET = 0x0038,
    ICR = 0x00c0,
    ITR = 0x00c4,
    ICS = 0x00c8,
    IMS = 0x00d0,
    IMC = 0x00d8,
    RCTL = 0x0100,
    TCTL = 0x0400,
    RDBAL = 0x2800,
    RDLEN = 0x2808,
    RDH = 0x2810,
    RDT = 0x2818,
    TDBAL = 0x3800,
    TDLEN = 0x3808,
    TDH = 0x3810,
    TDT = 0x3818,
    RXCSUM = 0x5000,
    MTA = 0x5200,
    RAL = 0x5400,
    RAH = 0x5404,
    VFTA = 0x5600,
};

typedef struct {
    TestPlatform test;
    VitPciBus bus;
    VitRamBlock *block;
    VitRegion ram;
    VitDevice *dev;
    VitNetPort peer;
    GPtrArray *sent; /* GBytes that came out of the NIC */
    int irq;
    unsigned irq_rises;
    unsigned tx_at;
} Rig;

static bool
peer_receive(void *opaque, const uint8_t *frame, size_t len)
{
    g_ptr_array_add(((Rig *)opaque)->sent, g_bytes_new(frame, len));
    return true;
}

static const VitNetPortOps peer_ops = { .receive = peer_receive };

static VitNetPort *
find_netdev(void *opaque, const char *id, GError **error)
{
    return &((Rig *)opaque)->peer;
}

static unsigned
map_irq(void *opaque, unsigned devfn, unsigned pin)
{
    return pin;
}

static void
set_irq(void *opaque, unsigned line, int level)
{
    Rig *rig = opaque;

    rig->irq_rises += level && !rig->irq;
    rig->irq = level;
}

static const VitPciBusOps bus_ops = { .map_irq = map_irq, .set_irq = set_irq };

static uint32_t
rd(Rig *rig, uint32_t at)
{
    return vit_dma_read32(rig->test.platform.memory, MMIO + at);
}

static void
wr(Rig *rig, uint32_t at, uint32_t value)
{
    vit_address_space_write(rig->test.platform.memory, MMIO + at, 4, value);
}

static VitDevice *
make_nic(Rig *rig)
{
    VitPropResolver resolver = { .netdev = find_netdev, .opaque = rig };
    const VitDeviceKind *kind = NULL;

    for (const VitDeviceKind *const *at = vit_hw_kinds; *at; at++) {
        kind = strcmp((*at)->name, "e1000") == 0 ? *at : kind;
    }
    VitDevice *dev = vit_device_new(kind, "nic0");
    g_assert_true(vit_device_set(dev, "mac", "52:54:00:ab:cd:ef", NULL, NULL));
    g_assert_true(vit_device_set(dev, "netdev", "net0", &resolver, NULL));
    g_assert_true(vit_device_set(dev, "addr", "3", NULL, NULL));
    g_assert_true(vit_device_set(dev, "romfile", "", NULL, NULL));
    return dev;
}

static void
set_up(Rig *rig, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    test_platform_init(&rig->test);
    VitPlatform *platform = &rig->test.platform;
    rig->block = vit_ram_block_new("ram", RAM_BYTES, NULL);
    vit_region_init_ram(&rig->ram, "ram", rig->block, 0, RAM_BYTES);
    vit_region_add(platform->memory_root, 0, &rig->ram, 0);
    vit_pci_bus_init(&rig->bus, "pci.0", NULL, platform, &bus_ops, rig, platform->memory_root,
                     platform->io_root);
    rig->bus.dma = platform->memory;
    rig->sent = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    vit_net_port_init(&rig->peer, "net0", "test", &peer_ops, rig);
    rig->dev = make_nic(rig);
    g_assert_true(vit_device_realize(rig->dev, &rig->bus.bus, platform, &error));
    g_assert_no_error(error);
    vit_pci_config_write(&rig->bus, DEVFN << 8 | 0x10, MMIO, 4);
    vit_pci_config_write(&rig->bus, DEVFN << 8 | 0x14, IOPORT, 4);
    vit_pci_config_write(&rig->bus, DEVFN << 8 | 0x04, 7, 2);
    rd(rig, ICR);
}

static void
tear_down(Rig *rig, gconstpointer data)
{
    vit_device_free(rig->dev);
    vit_net_port_finish(&rig->peer);
    g_ptr_array_unref(rig->sent);
    vit_pci_bus_finish(&rig->bus);
    vit_region_finish(&rig->ram);
    vit_ram_block_free(rig->block);
    test_platform_finish(&rig->test);
}

static uint8_t *
ram(Rig *rig, uint32_t at)
{
    return rig->block->host + at;
}

static void
step_ms(Rig *rig, unsigned ms)
{
    VitClock *clock = rig->test.platform.clock;

    vit_clock_step_to(clock, vit_clock_get_ns(clock) + ms * VIT_NS_PER_MS);
}

/* ---- identity, EEPROM, PHY ---- */

static uint16_t
eerd(Rig *rig, unsigned word)
{
    wr(rig, EERD, word << 8 | 1);
    uint32_t value = rd(rig, EERD);
    g_assert_cmphex(value & 0x10, ==, 0x10);
    return value >> 16;
}

/* As drivers do: SK 1, CS 2, DI 4, DO 8, REQ 0x40, GNT 0x80. */
static bool
eecd_clock(Rig *rig, bool bit)
{
    uint32_t base = 0x42 | (bit ? 4 : 0);

    wr(rig, EECD, base);
    wr(rig, EECD, base | 1);
    bool out = rd(rig, EECD) & 8;
    wr(rig, EECD, base);
    return out;
}

static void
eecd_send(Rig *rig, uint32_t bits, unsigned count)
{
    while (count-- > 0) {
        eecd_clock(rig, bits >> count & 1);
    }
}

static uint16_t
eecd_receive(Rig *rig)
{
    uint16_t word = 0;

    for (int i = 0; i < 16; i++) {
        word = word << 1 | eecd_clock(rig, false);
    }
    return word;
}

static void
test_eeprom(Rig *rig, gconstpointer data)
{
    uint16_t sum = 0;

    g_assert_cmphex(vit_pci_config_read(&rig->bus, DEVFN << 8, 4), ==, 0x100e8086);
    g_assert_cmphex(vit_pci_config_read(&rig->bus, DEVFN << 8 | 8, 4), ==, 0x02000003);
    g_assert_cmphex(eerd(rig, 0), ==, 0x5452);
    g_assert_cmphex(eerd(rig, 1), ==, 0xab00);
    g_assert_cmphex(eerd(rig, 2), ==, 0xefcd);
    for (unsigned i = 0; i < 64; i++) {
        sum += eerd(rig, i);
    }
    g_assert_cmphex(sum, ==, 0xbaba);
    g_assert_cmphex(rd(rig, RAL), ==, 0xab005452);
    g_assert_cmphex(rd(rig, RAH), ==, 0x8000efcd);

    wr(rig, EECD, 0x40);
    g_assert_cmphex(rd(rig, EECD) & 0x180, ==, 0x180); /* granted, present */
    eecd_send(rig, 0x6 << 6 | 1, 9);
    g_assert_cmphex(rd(rig, EECD) & 8, ==, 0); /* the zero before the data */
    g_assert_cmphex(eecd_receive(rig), ==, 0xab00);
    g_assert_cmphex(eecd_receive(rig), ==, 0xefcd); /* and on to the next */
    wr(rig, EECD, 0x40);
    /* Writing works once enabled. */
    eecd_send(rig, 0x5 << 6 | 9, 9);
    eecd_send(rig, 0x1234, 16);
    wr(rig, EECD, 0x40);
    g_assert_cmphex(eerd(rig, 9), ==, 0);
    eecd_send(rig, 0x4 << 6 | 0x30, 9);
    wr(rig, EECD, 0x40);
    eecd_send(rig, 0x5 << 6 | 9, 9);
    eecd_send(rig, 0x1234, 16);
    wr(rig, EECD, 0x40);
    g_assert_cmphex(eerd(rig, 9), ==, 0x1234);
}

static uint16_t
phy_read(Rig *rig, unsigned reg)
{
    wr(rig, MDIC, 2u << 26 | 1 << 21 | reg << 16);
    uint32_t value = rd(rig, MDIC);
    g_assert_cmphex(value & (3u << 28 | 1 << 30), ==, 1 << 28);
    return value;
}

static void
phy_write(Rig *rig, unsigned reg, uint16_t value)
{
    wr(rig, MDIC, 1u << 26 | 1 << 21 | reg << 16 | value);
    g_assert_cmphex(rd(rig, MDIC) & 1 << 28, ==, 1 << 28);
}

static void
test_phy(Rig *rig, gconstpointer data)
{
    g_assert_cmphex(phy_read(rig, 2), ==, 0x0141);
    g_assert_cmphex(phy_read(rig, 3), ==, 0x0c20);
    g_assert_cmphex(phy_read(rig, 1) & 0x24, ==, 0x24);
    g_assert_cmphex(phy_read(rig, 17) & 0xac00, ==, 0xac00);
    g_assert_cmphex(rd(rig, STATUS) & 0xc3, ==, 0x83); /* up, full duplex, 1000 */
    wr(rig, MDIC, 2u << 26 | 2 << 21);                 /* there is no PHY 2 */
    g_assert_cmphex(rd(rig, MDIC) >> 28 & 7, ==, 5);
    wr(rig, IMS, 1 << 9);
    wr(rig, MDIC, 1u << 29 | 2u << 26 | 1 << 21);
    g_assert_cmphex(rd(rig, ICR), ==, 1 << 9);

    /* Negotiation takes its time, then the link change is told. */
    phy_write(rig, 0, 0x1340);
    g_assert_cmphex(rd(rig, STATUS) & 2, ==, 0);
    rd(rig, ICR);
    step_ms(rig, 200);
    g_assert_cmphex(rd(rig, ICR), ==, 4);
    g_assert_cmphex(rd(rig, STATUS) & 2, ==, 2);
    /* The failure shows once in the latched bit. */
    g_assert_cmphex(phy_read(rig, 1) & 4, ==, 0);
    g_assert_cmphex(phy_read(rig, 1) & 4, ==, 4);
}

static void
test_link(Rig *rig, gconstpointer data)
{
    wr(rig, IMS, 4);
    vit_net_port_set_link(&rig->peer, false);
    g_assert_cmpint(rig->irq, ==, 1);
    g_assert_cmphex(rd(rig, ICR), ==, 4);
    g_assert_cmpint(rig->irq, ==, 0);
    g_assert_cmphex(rd(rig, STATUS) & 2, ==, 0);
    vit_net_port_set_link(&rig->peer, true);
    step_ms(rig, 200);
    g_assert_cmphex(rd(rig, STATUS) & 2, ==, 2);
    g_assert_cmphex(rd(rig, ICR), ==, 4);
}

static void
test_io_window(Rig *rig, gconstpointer data)
{
    test_outl(&rig->test, IOPORT, RAL);
    g_assert_cmphex(test_inl(&rig->test, IOPORT + 4), ==, 0xab005452);
    test_outl(&rig->test, IOPORT, VFTA + 8);
    test_outl(&rig->test, IOPORT + 4, 0xcafe);
    g_assert_cmphex(rd(rig, VFTA + 8), ==, 0xcafe);
    test_outl(&rig->test, IOPORT, 0xfffffffc); /* beyond the registers */
    g_assert_cmphex(test_inl(&rig->test, IOPORT + 4), ==, 0);
    /* The 82542's places. */
    g_assert_cmphex(rd(rig, 0x40), ==, 0xab005452);
    wr(rig, 0x128, 7);
    g_assert_cmphex(rd(rig, RDT), ==, 7);
}

static void
test_interrupts(Rig *rig, gconstpointer data)
{
    wr(rig, ICS, 0x81);
    g_assert_cmpint(rig->irq, ==, 0);
    wr(rig, IMS, 0x80);
    g_assert_cmpint(rig->irq, ==, 1);
    wr(rig, IMC, 0x80);
    g_assert_cmpint(rig->irq, ==, 0);
    wr(rig, IMS, 1);
    g_assert_cmphex(rd(rig, IMS), ==, 1);
    wr(rig, ICR, 1); /* writing ones clears too */
    g_assert_cmpint(rig->irq, ==, 0);
    g_assert_cmphex(rd(rig, ICR), ==, 0x80);
    g_assert_cmphex(rd(rig, ICR), ==, 0);

    /* Throttled: at most one each 256 * 4000 ns. */
    wr(rig, ITR, 4000);
    unsigned before = rig->irq_rises;
    for (int i = 0; i < 10; i++) {
        wr(rig, ICS, 1);
        rd(rig, ICR);
    }
    wr(rig, ICS, 1);
    g_assert_cmpuint(rig->irq_rises - before, ==, 1);
    step_ms(rig, 2);
    g_assert_cmpuint(rig->irq_rises - before, ==, 2);
    g_assert_cmpint(rig->irq, ==, 1);
}

/* ---- receiving ---- */

static void
start_rx(Rig *rig, uint32_t rctl)
{
    for (unsigned i = 0; i < RING_LEN; i++) {
        uint8_t *entry = ram(rig, RX_RING + 16 * i);
        uint64_t buffer = RX_BUF + 2048 * i;
        memcpy(entry, &buffer, 8);
        memset(entry + 8, 0xee, 8);
    }
    wr(rig, RDBAL, RX_RING);
    wr(rig, RDLEN, RING_LEN * 16);
    wr(rig, RDH, 0);
    wr(rig, RDT, RING_LEN - 1);
    wr(rig, RCTL, rctl | 2);
}

static void
arrive(Rig *rig, const char *to, const uint8_t *rest, size_t rest_len)
{
    uint8_t frame[9100] = { 0 };

    memcpy(frame, to, 6);
    memcpy(frame + 6, "\x02\0\0\0\0\1", 6);
    memcpy(frame + 12, rest, rest_len);
    vit_net_port_send(&rig->peer, frame, 12 + rest_len);
}

#define US    "\x52\x54\x00\xab\xcd\xef"
#define OTHER "\x52\x54\x00\x00\x00\x01"
#define ALL   "\xff\xff\xff\xff\xff\xff"
#define GROUP "\x01\x00\x5e\x00\x00\xfb"

/* Fields of descriptor N. */
static unsigned
rx_len(Rig *rig, unsigned n)
{
    const uint8_t *entry = ram(rig, RX_RING + 16 * n);
    return entry[8] | entry[9] << 8;
}

static uint8_t
rx_status(Rig *rig, unsigned n)
{
    return ram(rig, RX_RING + 16 * n)[12];
}

static uint8_t
rx_errors(Rig *rig, unsigned n)
{
    return ram(rig, RX_RING + 16 * n)[13];
}

static void
test_rx(Rig *rig, gconstpointer data)
{
    uint8_t body[100] = "\x88\xb5 hello";

    arrive(rig, US, body, 100); /* not enabled: lost */
    start_rx(rig, 1 << 15);
    g_assert_cmpuint(rd(rig, RDH), ==, 0);
    wr(rig, IMS, 0x80);
    arrive(rig, US, body, 100);
    g_assert_cmpint(rig->irq, ==, 1);
    g_assert_cmphex(rd(rig, ICR) & 0x80, ==, 0x80);
    g_assert_cmpuint(rd(rig, RDH), ==, 1);
    g_assert_cmpuint(rx_len(rig, 0), ==, 116); /* with FCS */
    g_assert_cmphex(rx_status(rig, 0), ==, 7); /* done, end, no checksum looked at */
    g_assert_cmpmem(ram(rig, RX_BUF), 6, US, 6);
    g_assert_cmpmem(ram(rig, RX_BUF + 12), 8, body, 8);
    /* Short ones are padded; without FCS where asked. */
    wr(rig, RCTL, 2 | 1 << 15 | 1 << 26);
    arrive(rig, ALL, body, 4);
    g_assert_cmpuint(rx_len(rig, 1), ==, 60);
    /* Counted. */
    g_assert_cmpuint(rd(rig, 0x4074), ==, 2);
    g_assert_cmpuint(rd(rig, 0x4074), ==, 0);
    g_assert_cmpuint(rd(rig, 0x4078), ==, 1);
    g_assert_cmpuint(rd(rig, 0x4088), ==, 116 + 64);
    g_assert_cmpuint(rd(rig, 0x408c), ==, 0);
    g_assert_cmpuint(rd(rig, 0x4088), ==, 0);
}

static void
test_rx_filters(Rig *rig, gconstpointer data)
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
        start_rx(rig, cases[i].rctl);
        arrive(rig, cases[i].to, body, sizeof(body));
        g_assert_cmpuint(rd(rig, RDH), ==, cases[i].passes);
    }
    /* The hash of each offset: 01:00:5e:00:00:fb, upper bytes 00 fb. */
    for (unsigned offset = 0; offset < 4; offset++) {
        unsigned hash = (0xfb00 >> (unsigned[]){ 4, 3, 2, 0 }[offset]) & 0xfff;
        for (unsigned hit = 0; hit < 2; hit++) {
            wr(rig, MTA + (hash >> 5) * 4, hit << (hash & 31));
            start_rx(rig, offset << 12);
            arrive(rig, GROUP, body, sizeof(body));
            g_assert_cmpuint(rd(rig, RDH), ==, hit);
            if (hit) {
                g_assert_cmphex(rx_status(rig, 0) & 0x80, ==, 0x80); /* inexact */
            }
        }
        wr(rig, MTA + (hash >> 5) * 4, 0);
    }
    /* A second exact address. */
    wr(rig, RAL + 8, 0x00005452);
    wr(rig, RAH + 8, 0x80000100);
    start_rx(rig, 0);
    arrive(rig, OTHER, body, sizeof(body));
    g_assert_cmpuint(rd(rig, RDH), ==, 1);
}

static void
test_rx_vlan(Rig *rig, gconstpointer data)
{
    uint8_t body[80] = { 0x81, 0x00, 0x20, 0x64, 0x88, 0xb5, 'x' };

    wr(rig, CTRL, rd(rig, CTRL) | 1 << 30);
    start_rx(rig, 1 << 18);
    arrive(rig, US, body, sizeof(body));
    g_assert_cmpuint(rd(rig, RDH), ==, 0);
    wr(rig, VFTA + (100 >> 5) * 4, 1 << (100 & 31));
    arrive(rig, US, body, sizeof(body));
    g_assert_cmpuint(rd(rig, RDH), ==, 1);
    g_assert_cmphex(rx_status(rig, 0) & 8, ==, 8);
    g_assert_cmpuint(rx_len(rig, 0), ==, 92 - 4 + 4);
    const uint8_t *entry = ram(rig, RX_RING);
    g_assert_cmphex(entry[14] | entry[15] << 8, ==, 0x2064);
    g_assert_cmpmem(ram(rig, RX_BUF + 12), 3, "\x88\xb5x", 3);
}

static void
test_rx_long(Rig *rig, gconstpointer data)
{
    uint8_t body[9000];

    for (unsigned i = 0; i < sizeof(body); i++) {
        body[i] = i * 3;
    }
    start_rx(rig, 0);
    arrive(rig, US, body, 1700);
    g_assert_cmpuint(rd(rig, RDH), ==, 0);
    start_rx(rig, 1 << 5); /* long packets */
    arrive(rig, US, body, sizeof(body));
    g_assert_cmpuint(rd(rig, RDH), ==, 5);
    g_assert_cmphex(rx_status(rig, 0), ==, 1);
    g_assert_cmphex(rx_status(rig, 4) & 3, ==, 3);
    g_assert_cmpuint(rx_len(rig, 4), ==, 9016 - 4 * 2048);
    g_assert_cmpmem(ram(rig, RX_BUF + 12), 2036, body, 2036);
    g_assert_cmpmem(ram(rig, RX_BUF + 2048), 2048, body + 2036, 2048);
}

static void
test_rx_full(Rig *rig, gconstpointer data)
{
    uint8_t body[60] = { 0x88, 0xb5 };

    start_rx(rig, 0);
    wr(rig, RDT, 2);
    for (unsigned i = 0; i < 5; i++) {
        body[2] = i;
        arrive(rig, US, body, sizeof(body));
    }
    g_assert_cmpuint(rd(rig, RDH), ==, 2);
    g_assert_cmphex(rd(rig, ICR) & 0x10, ==, 0x10); /* below the threshold */
    wr(rig, RDT, 4);
    g_assert_cmpuint(rd(rig, RDH), ==, 4);
    wr(rig, RDT, 10);
    g_assert_cmpuint(rd(rig, RDH), ==, 5);
    for (unsigned i = 0; i < 5; i++) {
        g_assert_cmpuint(ram(rig, RX_BUF + 2048 * i)[14], ==, i);
    }
    /* Round the ring's end. */
    wr(rig, RDT, 4);
    for (unsigned i = 0; i < 14; i++) {
        arrive(rig, US, body, sizeof(body));
    }
    g_assert_cmpuint(rd(rig, RDH), ==, 3);
}

static uint16_t
sum16(const uint8_t *at, size_t len, uint32_t sum)
{
    for (size_t i = 0; i < len; i++) {
        sum += i & 1 ? at[i] : at[i] << 8;
    }
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

static void
put16(uint8_t *at, unsigned value)
{
    at[0] = value >> 8;
    at[1] = value;
}

static unsigned
get16(const uint8_t *at)
{
    return at[0] << 8 | at[1];
}

/* Ethertype, IPv4 and UDP or TCP headers with correct sums, LEN bytes of data. */
static size_t
make_ipv4(uint8_t *body, uint8_t protocol, size_t len)
{
    unsigned header_len = protocol == 6 ? 20 : 8, total = 20 + header_len + len;
    uint8_t *ip = body + 2, *transport = ip + 20;

    memset(body, 0, 2 + total);
    put16(body, 0x0800);
    ip[0] = 0x45;
    put16(ip + 2, total);
    put16(ip + 4, 0x1000);
    ip[8] = 64;
    ip[9] = protocol;
    memcpy(ip + 12, "\x0a\0\2\2\x0a\0\2\x0f", 8);
    put16(ip + 10, ~sum16(ip, 20, 0));
    if (protocol == 6) {
        transport[12] = 5 << 4;
    } else {
        put16(transport + 4, 8 + len);
    }
    for (size_t i = 0; i < len; i++) {
        transport[header_len + i] = i * 5 + 1;
    }
    put16(transport + (protocol == 6 ? 16 : 6),
          ~sum16(transport, header_len + len, sum16(ip + 12, 8, protocol + header_len + len)));
    return 2 + total;
}

static void
test_rx_checksums(Rig *rig, gconstpointer data)
{
    uint8_t body[300];

    wr(rig, RXCSUM, 0x300);
    for (unsigned i = 0; i < 2; i++) {
        uint8_t protocol = i ? 6 : 17;
        size_t len = make_ipv4(body, protocol, 99);
        start_rx(rig, 0);
        arrive(rig, US, body, len);
        g_assert_cmphex(rx_status(rig, 0) & 0x64, ==, 0x60);
        g_assert_cmphex(rx_errors(rig, 0), ==, 0);
        body[len - 1] ^= 1;
        arrive(rig, US, body, len);
        g_assert_cmphex(rx_status(rig, 1) & 0x64, ==, 0x60);
        g_assert_cmphex(rx_errors(rig, 1), ==, 0x20);
        body[len - 1] ^= 1;
        body[10] ^= 1; /* time to live */
        arrive(rig, US, body, len);
        g_assert_cmphex(rx_errors(rig, 2), ==, 0x40);
    }
    /* UDP without a sum, and something else. */
    size_t len = make_ipv4(body, 17, 20);
    put16(body + 2 + 26, 0);
    start_rx(rig, 0);
    arrive(rig, US, body, len);
    g_assert_cmphex(rx_status(rig, 0) & 0x64, ==, 0x40);
    put16(body, 0x88b5);
    arrive(rig, US, body, len);
    g_assert_cmphex(rx_status(rig, 1) & 0x64, ==, 0x04);
}

/* ---- transmitting ---- */

static void
start_tx(Rig *rig)
{
    wr(rig, TDBAL, TX_RING);
    wr(rig, TDLEN, RING_LEN * 16);
    wr(rig, TDH, 0);
    wr(rig, TDT, 0);
    wr(rig, TCTL, 0xa);
    rig->tx_at = 0;
}

/* A descriptor: buffer, dword 2, dword 3. */
static void
add_tx(Rig *rig, uint64_t buffer, uint32_t lower, uint32_t upper)
{
    uint8_t *entry = ram(rig, TX_RING + 16 * rig->tx_at);

    memcpy(entry, &buffer, 8);
    memcpy(entry + 8, &lower, 4);
    memcpy(entry + 12, &upper, 4);
    rig->tx_at = (rig->tx_at + 1) % RING_LEN;
}

static const uint8_t *
sent(Rig *rig, unsigned n, size_t *out_len)
{
    g_assert_cmpuint(n, <, rig->sent->len);
    return g_bytes_get_data(rig->sent->pdata[n], out_len);
}

enum { EOP = 1 << 24, RS = 1 << 27, DEXT = 1 << 29, VLE = 1 << 30, TSE = 1 << 26, DATA = 1 << 20 };

static void
test_tx_legacy(Rig *rig, gconstpointer data)
{
    size_t len;

    for (unsigned i = 0; i < 200; i++) {
        *ram(rig, TX_BUF + i) = i;
    }
    start_tx(rig);
    wr(rig, IMS, 1);
    add_tx(rig, TX_BUF, 50, 0);
    add_tx(rig, TX_BUF + 50, 50 | EOP | RS, 0);
    add_tx(rig, TX_BUF, 20 | EOP, 0); /* short: padded */
    wr(rig, TDT, 2);
    const uint8_t *frame = sent(rig, 0, &len);
    g_assert_cmpmem(frame, len, ram(rig, TX_BUF), 100);
    g_assert_cmpuint(rd(rig, TDH), ==, 2);
    g_assert_cmphex(*ram(rig, TX_RING + 12), ==, 0);
    g_assert_cmphex(*ram(rig, TX_RING + 16 + 12), ==, 1);
    g_assert_cmpint(rig->irq, ==, 1);
    g_assert_cmphex(rd(rig, ICR), ==, 3);
    wr(rig, TDT, 3);
    frame = sent(rig, 1, &len);
    g_assert_cmpuint(len, ==, 60);
    g_assert_cmpuint(frame[19], ==, 19);
    g_assert_cmpuint(frame[20], ==, 0);
    g_assert_cmphex(rd(rig, ICR), ==, 2); /* nobody asked for a report */
    /* Legacy checksum: from byte 20, at 30. */
    add_tx(rig, TX_BUF, 100 | 30 << 16 | EOP | 1 << 26, 20 << 8);
    put16(ram(rig, TX_BUF + 30), 0);
    wr(rig, TDT, 4);
    frame = sent(rig, 2, &len);
    g_assert_cmphex(sum16(frame + 20, 80, 0), ==, 0xffff);
    g_assert_cmpuint(rd(rig, 0x4080), ==, 3);
}

static void
test_tx_ring_end(Rig *rig, gconstpointer data)
{
    size_t len;

    start_tx(rig);
    for (unsigned i = 0; i < 40; i++) {
        *ram(rig, TX_BUF) = i;
        add_tx(rig, TX_BUF, 64 | EOP | RS, 0);
        wr(rig, TDT, rig->tx_at);
        g_assert_cmpuint(sent(rig, i, &len)[0], ==, i);
    }
    g_assert_cmpuint(rd(rig, TDH), ==, 40 % RING_LEN);
}

static void
add_context(Rig *rig, const uint8_t sums[8], uint32_t command, unsigned header_len, unsigned mss)
{
    uint64_t first;

    memcpy(&first, sums, 8);
    add_tx(rig, first, command | DEXT, header_len << 8 | mss << 16);
}

static void
test_tx_checksums(Rig *rig, gconstpointer data)
{
    /* IP from 14, at 24; UDP from 34, at 40; to the ends. */
    static const uint8_t sums[8] = { 14, 24, 33, 0, 34, 40, 0, 0 };
    size_t len;

    start_tx(rig);
    memcpy(ram(rig, TX_BUF), US OTHER, 12);
    size_t body_len = make_ipv4(ram(rig, TX_BUF + 12), 17, 51);
    uint16_t right_ip = get16(ram(rig, TX_BUF + 24)), right_udp = get16(ram(rig, TX_BUF + 40));
    put16(ram(rig, TX_BUF + 24), 0);
    put16(ram(rig, TX_BUF + 40), sum16(ram(rig, TX_BUF + 26), 8, 17 + 59));
    add_context(rig, sums, 1 << 25, 0, 0); /* IPv4, not TCP */
    add_tx(rig, TX_BUF, (12 + body_len) | DATA | DEXT | EOP | RS, 3 << 8);
    wr(rig, TDT, 2);
    const uint8_t *frame = sent(rig, 0, &len);
    g_assert_cmpuint(len, ==, 12 + body_len);
    g_assert_cmphex(get16(frame + 24), ==, right_ip);
    g_assert_cmphex(get16(frame + 40), ==, right_udp);
    /* The context stays; without the options nothing is put in. */
    add_tx(rig, TX_BUF, (12 + body_len) | DATA | DEXT | EOP | RS, 0);
    wr(rig, TDT, 3);
    frame = sent(rig, 1, &len);
    g_assert_cmphex(get16(frame + 24), ==, 0);
}

static void
test_tx_vlan(Rig *rig, gconstpointer data)
{
    size_t len;

    wr(rig, CTRL, rd(rig, CTRL) | 1 << 30);
    memcpy(ram(rig, TX_BUF), US OTHER "\x88\xb5xyz", 17);
    start_tx(rig);
    add_tx(rig, TX_BUF, 80 | EOP | VLE, 0x2064u << 16);
    wr(rig, TDT, 1);
    const uint8_t *frame = sent(rig, 0, &len);
    g_assert_cmpuint(len, ==, 84);
    g_assert_cmpmem(frame + 12, 9, "\x81\x00\x20\x64\x88\xb5xyz", 9);
}

/* TCP data of 2500 bytes in segments of 1000, over IPv4 or IPv6. */
static void
check_segments(Rig *rig, bool is_ipv6)
{
    unsigned ip_len = is_ipv6 ? 40 : 20, header_len = 14 + ip_len + 20;
    const uint8_t sums[8] = { 14, 24, 33, 0, 14 + ip_len, 14 + ip_len + 16, 0, 0 };
    uint8_t *ip = ram(rig, TX_BUF + 14), *tcp = ip + ip_len;
    uint32_t pseudo;

    memset(ram(rig, TX_BUF), 0, header_len);
    memcpy(ram(rig, TX_BUF), US OTHER, 12);
    put16(ip - 2, is_ipv6 ? 0x86dd : 0x0800);
    if (is_ipv6) {
        ip[0] = 0x60;
        ip[6] = 6;
        memset(ip + 8, 0x22, 32);
        pseudo = sum16(ip + 8, 32, 6);
    } else {
        ip[0] = 0x45;
        put16(ip + 4, 0x1000);
        ip[8] = 64;
        ip[9] = 6;
        memcpy(ip + 12, "\x0a\0\2\2\x0a\0\2\x0f", 8);
        pseudo = sum16(ip + 12, 8, 6);
    }
    memcpy(tcp + 4, "\xff\xff\xff\x00", 4); /* the sequence number wraps */
    tcp[12] = 5 << 4;
    tcp[13] = 0x19; /* ACK, PSH, FIN */
    put16(tcp + 16, pseudo);
    for (unsigned i = 0; i < 2500; i++) {
        tcp[20 + i] = i ^ i >> 8;
    }
    g_ptr_array_set_size(rig->sent, 0);
    start_tx(rig);
    add_context(rig, sums, TSE | 1 << 24 | (is_ipv6 ? 0 : 1 << 25) | 2500, header_len, 1000);
    /* Headers alone, then data cut at odd places. */
    uint32_t options = is_ipv6 ? 2 << 8 : 3 << 8;
    add_tx(rig, TX_BUF, header_len | DATA | DEXT | TSE, options);
    add_tx(rig, TX_BUF + header_len, 1234 | DATA | DEXT | TSE, options);
    add_tx(rig, TX_BUF + header_len + 1234, 1266 | DATA | DEXT | TSE | EOP | RS, options);
    wr(rig, TDT, 4);

    g_assert_cmpuint(rig->sent->len, ==, 3);
    for (unsigned n = 0; n < 3; n++) {
        size_t len;
        const uint8_t *frame = sent(rig, n, &len), *out_ip = frame + 14, *out = out_ip + ip_len;
        unsigned data_len = n == 2 ? 500 : 1000;
        g_assert_cmpuint(len, ==, header_len + data_len);
        uint32_t sequence = get16(out + 4) << 16 | get16(out + 6);
        g_assert_cmphex(sequence, ==, 0xffffff00 + n * 1000);
        g_assert_cmphex(out[13], ==, n == 2 ? 0x19 : 0x10);
        if (is_ipv6) {
            g_assert_cmpuint(get16(out_ip + 4), ==, 20 + data_len);
            pseudo = sum16(out_ip + 8, 32, 6 + 20 + data_len);
        } else {
            g_assert_cmpuint(get16(out_ip + 2), ==, 40 + data_len);
            g_assert_cmphex(get16(out_ip + 4), ==, 0x1000 + n);
            g_assert_cmphex(sum16(out_ip, 20, 0), ==, 0xffff);
            pseudo = sum16(out_ip + 12, 8, 6 + 20 + data_len);
        }
        g_assert_cmphex(sum16(out, 20 + data_len, pseudo), ==, 0xffff);
        for (unsigned i = 0; i < data_len; i++) {
            unsigned at = n * 1000 + i;
            g_assert_cmphex(out[20 + i], ==, (at ^ at >> 8) & 0xff);
        }
    }
}

static void
test_tx_segments(Rig *rig, gconstpointer data)
{
    check_segments(rig, false);
    check_segments(rig, true);
}

/* A context that shrinks in the middle of a packet, a header longer than the packet, segments of
 * nothing, packets without end. */
static void
test_tx_nonsense(Rig *rig, gconstpointer data)
{
    static const uint8_t wild[8] = { 255, 255, 255, 255, 255, 255, 255, 255 };

    start_tx(rig);
    add_context(rig, wild, TSE | 1 << 24 | 1 << 25, 200, 60000);
    add_tx(rig, TX_BUF, 50000 | DATA | DEXT | TSE, 3 << 8);
    add_context(rig, wild, TSE, 10, 1);
    add_tx(rig, TX_BUF, 30 | DATA | DEXT | TSE | EOP, 3 << 8);
    add_context(rig, wild, TSE, 255, 5);
    add_tx(rig, TX_BUF, 30 | DATA | DEXT | TSE | EOP, 3 << 8);
    add_context(rig, wild, TSE, 0, 0);
    add_tx(rig, TX_BUF, 0xfffff | DATA | DEXT | TSE | EOP, 3 << 8);
    add_tx(rig, TX_BUF, 0xf << 20 | DEXT | EOP | RS, 0);
    add_tx(rig, UINT64_MAX - 10, 100 | EOP, 0);
    add_tx(rig, TX_BUF, 65535, 0);
    add_tx(rig, TX_BUF, 65535 | EOP, 0);
    add_tx(rig, MMIO + TDH, 64 | EOP | RS, 0);
    wr(rig, TDT, rig->tx_at);
    g_assert_cmpuint(rd(rig, TDH), ==, rig->tx_at);
    /* A tail outside the ring ends after one round. */
    wr(rig, TDT, 0xffff);
    /* A ring in our own registers, a ring of no length. */
    wr(rig, TDBAL, MMIO + 0x3800);
    wr(rig, TDT, 5);
    wr(rig, TDLEN, 0);
    wr(rig, TDT, 9);
    g_assert_cmphex(rd(rig, STATUS) & 2, ==, 2);
}

static void
test_loopback(Rig *rig, gconstpointer data)
{
    memcpy(ram(rig, TX_BUF), US OTHER "\x88\xb5 loop", 19);
    start_rx(rig, 0);
    start_tx(rig);
    phy_write(rig, 0, 0x4140);
    add_tx(rig, TX_BUF, 80 | EOP, 0);
    wr(rig, TDT, 1);
    g_assert_cmpuint(rig->sent->len, ==, 0);
    g_assert_cmpuint(rd(rig, RDH), ==, 1);
    g_assert_cmpmem(ram(rig, RX_BUF), 80, ram(rig, TX_BUF), 80);
}

/* ---- life ---- */

static void
test_reset(Rig *rig, gconstpointer data)
{
    start_rx(rig, 1 << 15);
    wr(rig, IMS, 0xff);
    wr(rig, RAL, 0);
    wr(rig, CTRL, 1 << 26);
    g_assert_cmphex(rd(rig, CTRL) & 1 << 26, ==, 0);
    g_assert_cmphex(rd(rig, RCTL), ==, 0);
    g_assert_cmphex(rd(rig, IMS), ==, 0);
    g_assert_cmphex(rd(rig, RAL), ==, 0xab005452);
    g_assert_cmphex(rd(rig, VET), ==, 0x8100);
    g_assert_cmphex(rd(rig, STATUS) & 2, ==, 2);
}

static void
test_state(Rig *rig, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    uint8_t body[60] = { 0x88, 0xb5 };

    start_rx(rig, 1 << 15);
    start_tx(rig);
    add_tx(rig, TX_BUF, 50, 0); /* half a packet */
    wr(rig, TDT, 1);
    wr(rig, IMS, 0x80);
    arrive(rig, US, body, sizeof(body));
    VitStateWriter *writer = vit_state_writer_new();
    vit_device_save(rig->dev, writer);
    g_autoptr(GBytes) bytes = vit_state_writer_finish(writer);
    vit_device_reset(rig->dev);
    g_assert_cmpint(rig->irq, ==, 0);
    VitStateReader *reader = vit_state_reader_new(bytes, &error);
    g_assert_no_error(error);
    g_assert_true(vit_device_load(rig->dev, reader, &error));
    vit_state_reader_free(reader);
    g_assert_cmpint(rig->irq, ==, 1);
    g_assert_cmpuint(rd(rig, RDH), ==, 1);
    add_tx(rig, TX_BUF + 50, 50 | EOP, 0);
    wr(rig, TDT, 2);
    size_t len;
    sent(rig, 0, &len);
    g_assert_cmpuint(len, ==, 100);
}

/* Random registers, random ring contents, frames in between. */
static void
test_random(Rig *rig, gconstpointer data)
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
        wr(rig, at & ~3u, value);
        if (i % 16 == 0) {
            uint32_t ram_at = g_test_rand_int_range(0, RAM_BYTES - 64);
            for (unsigned j = 0; j < 64; j++) {
                *ram(rig, ram_at + j) = g_test_rand_int();
            }
            memset(body, i, sizeof(body));
            arrive(rig, i % 32 ? US : ALL, body, g_test_rand_int_range(0, sizeof(body)));
            g_ptr_array_set_size(rig->sent, 0);
            step_ms(rig, 1);
            rd(rig, (uint32_t)g_test_rand_int() & 0x1fffc);
        }
    }
}

static const struct {
    const char *name;
    void (*func)(Rig *rig, gconstpointer data);
} tests[] = {
    { "eeprom", test_eeprom },
    { "phy", test_phy },
    { "link", test_link },
    { "io-window", test_io_window },
    { "interrupts", test_interrupts },
    { "rx", test_rx },
    { "rx-filters", test_rx_filters },
    { "rx-vlan", test_rx_vlan },
    { "rx-long", test_rx_long },
    { "rx-full", test_rx_full },
    { "rx-checksums", test_rx_checksums },
    { "tx-legacy", test_tx_legacy },
    { "tx-ring-end", test_tx_ring_end },
    { "tx-checksums", test_tx_checksums },
    { "tx-vlan", test_tx_vlan },
    { "tx-segments", test_tx_segments },
    { "tx-nonsense", test_tx_nonsense },
    { "loopback", test_loopback },
    { "reset", test_reset },
    { "state", test_state },
    { "random", test_random },
};

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_autofree char *path = g_strdup_printf("/e1000/%s", tests[i].name);
        g_test_add(path, Rig, NULL, set_up, tests[i].func, tear_down);
    }
    return g_test_run();
}
