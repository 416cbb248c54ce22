/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Helpers of the 82540EM's tests; see e1000-fixture.h. */

#include "e1000-fixture.h"

#include "hw-kinds.h"

#include <string.h>

static bool
peer_receive(void *opaque, const uint8_t *frame, size_t len)
{
    g_ptr_array_add(((E1000Fixture *)opaque)->sent, g_bytes_new(frame, len));
    return true;
}

static const VitNetPortOps peer_ops = { .receive = peer_receive };

static VitNetPort *
find_netdev(void *opaque, const char *id, GError **error)
{
    return &((E1000Fixture *)opaque)->peer;
}

static unsigned
map_irq(void *opaque, unsigned devfn, unsigned pin)
{
    return pin;
}

static void
set_irq(void *opaque, unsigned line, int level)
{
    E1000Fixture *f = opaque;

    f->irq_rises += level && !f->irq;
    f->irq = level;
}

static const VitPciBusOps bus_ops = { .map_irq = map_irq, .set_irq = set_irq };

uint32_t
e1000_read(E1000Fixture *f, uint32_t at)
{
    return vit_dma_read32(f->test.platform.memory, MMIO + at);
}

void
e1000_write(E1000Fixture *f, uint32_t at, uint32_t value)
{
    vit_address_space_write(f->test.platform.memory, MMIO + at, 4, value);
}

static VitDevice *
make_nic(E1000Fixture *f)
{
    VitPropResolver resolver = { .netdev = find_netdev, .opaque = f };
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
set_up(E1000Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    test_platform_init(&f->test);
    VitPlatform *platform = &f->test.platform;
    f->block = vit_ram_block_new("ram", RAM_BYTES, NULL);
    vit_region_init_ram(&f->ram, "ram", f->block, 0, RAM_BYTES);
    vit_region_add(platform->memory_root, 0, &f->ram, 0);
    vit_pci_bus_init(&f->bus, "pci.0", NULL, platform, &bus_ops, f, platform->memory_root,
                     platform->io_root);
    f->bus.dma = platform->memory;
    f->sent = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    vit_net_port_init(&f->peer, "net0", "test", &peer_ops, f);
    f->dev = make_nic(f);
    g_assert_true(vit_device_realize(f->dev, &f->bus.bus, platform, &error));
    g_assert_no_error(error);
    vit_pci_config_write(&f->bus, DEVFN << 8 | 0x10, MMIO, 4);
    vit_pci_config_write(&f->bus, DEVFN << 8 | 0x14, IOPORT, 4);
    vit_pci_config_write(&f->bus, DEVFN << 8 | 0x04, 7, 2);
    e1000_read(f, ICR);
}

static void
tear_down(E1000Fixture *f, gconstpointer data)
{
    vit_device_free(f->dev);
    vit_net_port_finish(&f->peer);
    g_ptr_array_unref(f->sent);
    vit_pci_bus_finish(&f->bus);
    vit_region_finish(&f->ram);
    vit_ram_block_free(f->block);
    test_platform_finish(&f->test);
}

int
e1000_run(int argc, char **argv, const E1000Test *tests, unsigned count)
{
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < count; i++) {
        g_autofree char *path = g_strdup_printf("/e1000/%s", tests[i].name);
        g_test_add(path, E1000Fixture, NULL, set_up, tests[i].func, tear_down);
    }
    return g_test_run();
}

uint8_t *
e1000_ram(E1000Fixture *f, uint32_t at)
{
    return f->block->host + at;
}

void
e1000_step_ms(E1000Fixture *f, unsigned ms)
{
    VitClock *clock = f->test.platform.clock;

    vit_clock_step_to(clock, vit_clock_get_ns(clock) + ms * VIT_NS_PER_MS);
}

void
e1000_phy_write(E1000Fixture *f, unsigned reg, uint16_t value)
{
    e1000_write(f, MDIC, 1u << 26 | 1 << 21 | reg << 16 | value);
    g_assert_cmphex(e1000_read(f, MDIC) & 1 << 28, ==, 1 << 28);
}

/* ---- rings ---- */

void
e1000_start_rx(E1000Fixture *f, uint32_t rctl)
{
    for (unsigned i = 0; i < RING_LEN; i++) {
        uint8_t *entry = e1000_ram(f, RX_RING + 16 * i);
        uint64_t buffer = RX_BUF + 2048 * i;
        memcpy(entry, &buffer, 8);
        memset(entry + 8, 0xee, 8);
    }
    e1000_write(f, RDBAL, RX_RING);
    e1000_write(f, RDLEN, RING_LEN * 16);
    e1000_write(f, RDH, 0);
    e1000_write(f, RDT, RING_LEN - 1);
    e1000_write(f, RCTL, rctl | 2);
}

void
e1000_arrive(E1000Fixture *f, const char *to, const uint8_t *rest, size_t rest_len)
{
    uint8_t frame[9100] = { 0 };

    memcpy(frame, to, 6);
    memcpy(frame + 6, "\x02\0\0\0\0\1", 6);
    memcpy(frame + 12, rest, rest_len);
    vit_net_port_send(&f->peer, frame, 12 + rest_len);
}

void
e1000_start_tx(E1000Fixture *f)
{
    e1000_write(f, TDBAL, TX_RING);
    e1000_write(f, TDLEN, RING_LEN * 16);
    e1000_write(f, TDH, 0);
    e1000_write(f, TDT, 0);
    e1000_write(f, TCTL, 0xa);
    f->tx_at = 0;
}

void
e1000_add_tx(E1000Fixture *f, uint64_t buffer, uint32_t lower, uint32_t upper)
{
    uint8_t *entry = e1000_ram(f, TX_RING + 16 * f->tx_at);

    memcpy(entry, &buffer, 8);
    memcpy(entry + 8, &lower, 4);
    memcpy(entry + 12, &upper, 4);
    f->tx_at = (f->tx_at + 1) % RING_LEN;
}

const uint8_t *
e1000_sent(E1000Fixture *f, unsigned n, size_t *out_len)
{
    g_assert_cmpuint(n, <, f->sent->len);
    return g_bytes_get_data(f->sent->pdata[n], out_len);
}

/* ---- contents of frames ---- */

uint16_t
e1000_sum16(const uint8_t *at, size_t len, uint32_t sum)
{
    for (size_t i = 0; i < len; i++) {
        sum += i & 1 ? at[i] : at[i] << 8;
    }
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

void
e1000_put16(uint8_t *at, unsigned value)
{
    at[0] = value >> 8;
    at[1] = value;
}

unsigned
e1000_get16(const uint8_t *at)
{
    return at[0] << 8 | at[1];
}

size_t
e1000_make_ipv4(uint8_t *body, uint8_t protocol, size_t len)
{
    unsigned header_len = protocol == 6 ? 20 : 8, total = 20 + header_len + len;
    uint8_t *ip = body + 2, *transport = ip + 20;

    memset(body, 0, 2 + total);
    e1000_put16(body, 0x0800);
    ip[0] = 0x45;
    e1000_put16(ip + 2, total);
    e1000_put16(ip + 4, 0x1000);
    ip[8] = 64;
    ip[9] = protocol;
    memcpy(ip + 12, "\x0a\0\2\2\x0a\0\2\x0f", 8);
    e1000_put16(ip + 10, ~e1000_sum16(ip, 20, 0));
    if (protocol == 6) {
        transport[12] = 5 << 4;
    } else {
        e1000_put16(transport + 4, 8 + len);
    }
    for (size_t i = 0; i < len; i++) {
        transport[header_len + i] = i * 5 + 1;
    }
    e1000_put16(transport + (protocol == 6 ? 16 : 6),
                ~e1000_sum16(transport, header_len + len,
                             e1000_sum16(ip + 12, 8, protocol + header_len + len)));
    return 2 + total;
}
