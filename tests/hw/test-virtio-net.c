/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The virtio network card against a peer that notes frames.
 * mission: virtio-net virtio-net-pci virtio-net-pci-transitional virtio-net-pci-non-transitional */

#include "virtio-driver.h"
#include "vit-netport.h"

#include <string.h>

extern const VitDeviceKind vit_virtio_net_pci_kind;

enum { RX, TX, CTRL, HEADER_BYTES = 12, FRAME = VD_BUFFERS_AT, BUFFER = VD_BUFFERS_AT + 0x8000 };
#define F_CSUM     (1ull << 0)
#define F_TSO4     (1ull << 11)
#define F_MRG      (1ull << 15)
#define F_STATUS   (1ull << 16)
#define F_CTRL     (1ull << 17 | 1ull << 18)
#define F_GUEST_CS (1ull << 1)

static const uint8_t card_mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };

typedef struct Fixture {
    HwRig *rig;
    VitDevice *dev;
    VitNetPort peer;
    GPtrArray *frames; /* GBytes */
    VirtioDriver vd;
} Fixture;

static bool
peer_receive(void *opaque, const uint8_t *frame, size_t len)
{
    g_ptr_array_add(((Fixture *)opaque)->frames, g_bytes_new(frame, len));
    return true;
}

static const VitNetPortOps peer_ops = { .receive = peer_receive };

static VitNetPort *
resolve_netdev(void *opaque, const char *id, GError **error)
{
    return &((Fixture *)opaque)->peer;
}

static void
setup(Fixture *f, uint64_t features)
{
    VitPropResolver resolver = { .netdev = resolve_netdev, .opaque = f };
    g_autoptr(GError) error = NULL;

    f->rig = hw_rig_new();
    f->frames = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    vit_net_port_init(&f->peer, "peer", "test", &peer_ops, f);
    f->dev = hw_rig_create(f->rig, &vit_virtio_net_pci_kind);
    vit_device_set(f->dev, "netdev", "peer", &resolver, &error);
    g_assert_no_error(error);
    vit_device_realize(f->dev, &f->rig->pci.bus, &f->rig->test.platform, &error);
    g_assert_no_error(error);
    hw_rig_map_pci(f->rig, f->dev);
    vd_init(&f->vd, f->rig, f->dev);
    g_assert_cmpuint(vd_negotiate(&f->vd, features | VD_VERSION_1) & 8, ==, 8);
    for (unsigned n = 0; n < 3; n++) {
        vd_setup_queue(&f->vd, n, 16);
    }
    vd_driver_ok(&f->vd);
}

static void
teardown(Fixture *f)
{
    vit_device_free(f->dev);
    vit_net_port_finish(&f->peer);
    g_ptr_array_unref(f->frames);
    hw_rig_free(f->rig);
}

static uint32_t
sum16(const uint8_t *data, size_t len, uint32_t sum)
{
    for (size_t i = 0; i < len; i++) {
        sum += data[i] << (i & 1 ? 0 : 8);
    }
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

/* An IPv4 TCP frame with DATA_LEN bytes; the checksum field holds the pseudo header's sum. */
static unsigned
make_tcp(uint8_t *frame, unsigned data_len, const uint8_t *to)
{
    unsigned ip_len = 40 + data_len;
    uint8_t *ip = frame + 14, *tcp = frame + 34;
    uint32_t sum;

    memset(frame, 0, 54);
    memcpy(frame, to, 6);
    frame[12] = 8;
    ip[0] = 0x45;
    ip[2] = ip_len >> 8;
    ip[3] = ip_len;
    ip[5] = 7;
    ip[9] = 6;
    memcpy(ip + 12, (uint8_t[]){ 10, 0, 2, 15, 10, 0, 2, 2 }, 8);
    sum = sum16(ip, 20, 0);
    ip[10] = ~sum >> 8;
    ip[11] = ~sum;
    tcp[7] = 100; /* sequence */
    tcp[12] = 5 << 4;
    tcp[13] = 0x19; /* ACK PSH FIN */
    for (unsigned i = 0; i < data_len; i++) {
        frame[54 + i] = i * 7;
    }
    sum = sum16(ip + 12, 8, 6 + 20 + data_len);
    tcp[16] = sum >> 8;
    tcp[17] = sum;
    return 54 + data_len;
}

static bool
tcp_is_good(const uint8_t *frame, size_t len)
{
    return sum16(frame + 34, len - 34, sum16(frame + 26, 8, 6 + len - 34)) == 0xffff &&
           sum16(frame + 14, 20, 0) == 0xffff && (size_t)(frame[16] << 8 | frame[17]) == len - 14;
}

static void
send(Fixture *f, const uint8_t header[HEADER_BYTES], unsigned len)
{
    VdBuf bufs[2] = { { FRAME - HEADER_BYTES, HEADER_BYTES, false }, { FRAME, len, false } };

    memcpy(vd_ram(&f->vd, FRAME - HEADER_BYTES), header, HEADER_BYTES);
    vd_transfer(&f->vd, TX, bufs, 2);
}

static void
test_send(void)
{
    Fixture f;
    unsigned len;
    gsize got;
    const uint8_t *frame;

    setup(&f, F_CSUM);
    len = make_tcp(vd_ram(&f.vd, FRAME), 101, card_mac);
    send(&f, (uint8_t[12]){ 0 }, len); /* as it is */
    g_assert_cmpuint(f.frames->len, ==, 1);
    frame = g_bytes_get_data(f.frames->pdata[0], &got);
    g_assert_cmpmem(frame, got, vd_ram(&f.vd, FRAME), len);
    send(&f, (uint8_t[12]){ 1, 0, 0, 0, 0, 0, 34, 0, 16, 0 }, len);
    frame = g_bytes_get_data(f.frames->pdata[1], &got);
    g_assert_cmpuint(got, ==, len);
    g_assert_true(tcp_is_good(frame, got));
    send(&f, (uint8_t[12]){ 1, 0, 0, 0, 0, 0, 0xff, 0xff, 16, 0 }, len); /* outside the frame */
    send(&f, (uint8_t[12]){ 1, 1, 0, 0, 0, 1, 34, 0, 16, 0 }, len);      /* not agreed on */
    g_assert_cmpuint(f.frames->len, ==, 2);
    g_assert_cmpuint(vd_status(&f.vd), ==, 15);
    teardown(&f);
}

static void
test_segments(void)
{
    Fixture f;
    unsigned len, at = 0;

    setup(&f, F_CSUM | F_TSO4);
    len = make_tcp(vd_ram(&f.vd, FRAME), 3000, card_mac);
    send(&f, (uint8_t[12]){ 1, 1, 54, 0, 0xe8, 3, 34, 0, 16, 0 }, len); /* 1000 bytes each */
    g_assert_cmpuint(f.frames->len, ==, 3);
    for (unsigned i = 0; i < 3; i++) {
        gsize got;
        const uint8_t *frame = g_bytes_get_data(f.frames->pdata[i], &got);
        g_assert_cmpuint(got, ==, 1054);
        g_assert_true(tcp_is_good(frame, got));
        g_assert_cmpuint(frame[19], ==, 7 + i); /* identification */
        g_assert_cmpuint(frame[40] << 8 | frame[41], ==, 100 + at);
        g_assert_cmpuint(frame[47], ==, i == 2 ? 0x19 : 0x10);
        g_assert_cmpmem(frame + 54, 1000, vd_ram(&f.vd, FRAME + 54 + at), 1000);
        at += 1000;
    }
    /* headers longer than the frame, no segment size */
    vd_ram(&f.vd, FRAME)[46] = 0xf0;
    send(&f, (uint8_t[12]){ 1, 1, 54, 0, 0xe8, 3, 34, 0, 16, 0 }, 60);
    send(&f, (uint8_t[12]){ 1, 1, 54, 0, 0, 0, 34, 0, 16, 0 }, 60);
    g_assert_cmpuint(f.frames->len, ==, 3);
    teardown(&f);
}

static void
test_receive(void)
{
    Fixture f;
    uint8_t frame[600];
    unsigned len = make_tcp(frame, 500, card_mac);
    uint32_t used;
    uint32_t sum = 0xffff ^ sum16(frame + 34, len - 34, 0);

    frame[50] = sum >> 8;
    frame[51] = sum;
    setup(&f, F_MRG | F_GUEST_CS);
    vit_net_port_send(&f.peer, frame, len); /* no buffers: it waits */
    g_assert_false(vd_take(&f.vd, RX, &used));
    for (unsigned i = 0; i < 3; i++) {
        VdBuf buf = { BUFFER + 0x1000 * i, 256, true };
        vd_add(&f.vd, RX, &buf, 1);
        vd_kick(&f.vd, RX);
        g_assert_cmpuint(vd_take(&f.vd, RX, &used), ==, i == 2);
    }
    g_assert_cmpuint(used, ==, 256);
    g_assert_cmpuint(vd_ram(&f.vd, BUFFER)[0], ==, 2); /* checked */
    g_assert_cmpuint(vd_ram(&f.vd, BUFFER)[10], ==, 3);
    g_assert_cmpmem(vd_ram(&f.vd, BUFFER + 12), 244, frame, 244);
    g_assert_cmpmem(vd_ram(&f.vd, BUFFER + 0x1000), 256, frame + 244, 256);
    g_assert_true(vd_take(&f.vd, RX, &used));
    g_assert_true(vd_take(&f.vd, RX, &used));
    g_assert_cmpuint(used, ==, len + 12 - 512);
    teardown(&f);
}

static void
test_filter(void)
{
    Fixture f;
    uint8_t frame[64] = { 2, 0, 0, 0, 0, 9 };
    VdBuf order[3] = { { FRAME, 2, false }, { FRAME + 2, 20, false }, { FRAME + 64, 1, true } };
    VdBuf buf = { BUFFER, 256, true };
    uint32_t used;

    setup(&f, F_CTRL);
    memcpy(vd_ram(&f.vd, FRAME), (uint8_t[3]){ 0, 0, 0 }, 3); /* promiscuous off */
    vd_transfer(&f.vd, CTRL, order, 3);
    g_assert_cmpuint(vd_ram(&f.vd, FRAME)[64], ==, 0);
    vd_add(&f.vd, RX, &buf, 1);
    vit_net_port_send(&f.peer, frame, sizeof(frame));
    g_assert_false(vd_take(&f.vd, RX, &used));
    /* one unicast address, no multicast ones */
    memcpy(vd_ram(&f.vd, FRAME), (uint8_t[16]){ 1, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 9 }, 16);
    vd_transfer(&f.vd, CTRL, order, 3);
    g_assert_cmpuint(vd_ram(&f.vd, FRAME)[64], ==, 0);
    vit_net_port_send(&f.peer, frame, sizeof(frame));
    g_assert_true(vd_take(&f.vd, RX, &used));
    g_assert_cmpuint(used, ==, 76);
    /* a table longer than the command */
    memset(vd_ram(&f.vd, FRAME) + 2, 0xff, 4);
    vd_transfer(&f.vd, CTRL, order, 3);
    g_assert_cmpuint(vd_ram(&f.vd, FRAME)[64], ==, 1);
    teardown(&f);
}

static void
test_link(void)
{
    Fixture f;

    setup(&f, F_STATUS);
    g_assert_cmpuint(vd_config_read(&f.vd, 6, 2), ==, 1);
    vit_net_port_set_link(&f.peer, false);
    g_assert_cmpuint(vd_config_read(&f.vd, 6, 2), ==, 0);
    g_assert_cmpuint(f.rig->pci_lines, !=, 0);
    teardown(&f);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/virtio-net/send", test_send);
    g_test_add_func("/virtio-net/segments", test_segments);
    g_test_add_func("/virtio-net/receive", test_receive);
    g_test_add_func("/virtio-net/filter", test_filter);
    g_test_add_func("/virtio-net/link", test_link);
    return g_test_run();
}
