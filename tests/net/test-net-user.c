/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The user network as a guest meets it: DHCP, UDP to the host's loopback, TFTP, forwards in both
 * directions, frame by frame; and the settings that are refused. */

#include <arpa/inet.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vit-char.h"
#include "vit-error.h"
#include "vit-net.h"

#include "net-frames.h"

typedef struct {
    VitLock lock;
    VitClock *clock;
    VitNetdev *netdev;
    VitNetPort nic;
    GPtrArray *frames; /* GBytes the guest got; ARP for it is answered */
    VitChardev *chardev;
    uint8_t frame[2048];
    size_t frame_len;
} Net;

static bool
nic_receive(void *opaque, const uint8_t *frame, size_t len)
{
    Net *net = opaque;
    uint8_t answer[64];
    size_t answer_len = answer_arp(frame, len, answer);

    if (answer_len > 0) {
        vit_net_port_send(&net->nic, answer, answer_len);
    } else {
        g_ptr_array_add(net->frames, g_bytes_new(frame, len));
    }
    return true;
}

static const VitNetPortOps nic_ops = { .receive = nic_receive };

static VitChardev *
get_chardev(void *opaque, const char *text, GError **error)
{
    Net *net = opaque;

    if (!net->chardev) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND, "no device %s", text);
    }
    return net->chardev;
}

/* SPEC: key=value parts separated by semicolons. */
static Net *
net_new(const char *spec, VitChardev *chardev, GError **error)
{
    Net *net = g_new0(Net, 1);
    g_auto(GStrv) parts = g_strsplit(spec, ";", -1);
    bool ok = true;

    vit_lock_init(&net->lock);
    net->clock = vit_clock_new(&net->lock, VIT_CLOCK_REALTIME);
    vit_clock_resume(net->clock);
    net->frames = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    net->chardev = chardev;
    vit_net_port_init(&net->nic, "nic", "test", &nic_ops, net);
    net->netdev = vit_netdev_new(vit_net_find_kind("user", NULL), "net0");
    for (unsigned i = 0; ok && parts[i] && *parts[i]; i++) {
        char *equals = strchr(parts[i], '=');
        *equals = '\0';
        ok = vit_netdev_set(net->netdev, parts[i], equals + 1, error);
    }
    VitNetHost host = {
        .lock = &net->lock, .clock = net->clock, .get_chardev = get_chardev, .opaque = net
    };
    vit_lock_take(&net->lock);
    ok = ok && vit_netdev_open(net->netdev, &host, error) &&
         vit_net_port_connect(&net->nic, &net->netdev->port, error);
    vit_lock_release(&net->lock);
    if (ok) {
        return net;
    }
    vit_netdev_free(net->netdev);
    vit_net_port_finish(&net->nic);
    vit_clock_free(net->clock);
    vit_lock_finish(&net->lock);
    g_ptr_array_unref(net->frames);
    g_free(net);
    return NULL;
}

static void
net_free(Net *net)
{
    vit_lock_take(&net->lock);
    vit_netdev_free(net->netdev);
    vit_net_port_finish(&net->nic);
    vit_lock_release(&net->lock);
    vit_clock_free(net->clock);
    vit_lock_finish(&net->lock);
    g_ptr_array_unref(net->frames);
    g_free(net);
}

static void
guest_sends(Net *net, const uint8_t *frame, size_t len)
{
    vit_lock_take(&net->lock);
    vit_net_port_send(&net->nic, frame, len);
    vit_lock_release(&net->lock);
}

/* The next frame of PROTOCOL to the guest's PORT (0: any), within five seconds; in net->frame. */
static const uint8_t *
wait_frame(Net *net, uint8_t protocol, unsigned port)
{
    int64_t end_us = g_get_monotonic_time() + 5 * G_USEC_PER_SEC;

    while (g_get_monotonic_time() < end_us) {
        while (net->frames->len > 0) {
            g_autoptr(GBytes) bytes = g_ptr_array_steal_index(net->frames, 0);
            const uint8_t *frame = g_bytes_get_data(bytes, &net->frame_len);
            if (is_protocol(frame, net->frame_len, protocol) &&
                (port == 0 || get16(frame + 36) == port)) {
                g_assert_cmpuint(net->frame_len, <=, sizeof(net->frame));
                return memcpy(net->frame, frame, net->frame_len);
            }
        }
        if (!g_main_context_iteration(NULL, FALSE)) {
            g_usleep(500);
        }
    }
    g_assert_not_reached();
}

/* ---- DHCP, RFC 2131 ---- */

static const uint8_t *
find_option(const uint8_t *dhcp, size_t len, uint8_t code, size_t *out_len)
{
    for (size_t at = 240; at + 2 <= len && dhcp[at] != 255;) {
        if (dhcp[at] == 0) {
            at++;
        } else if (dhcp[at] == code) {
            *out_len = dhcp[at + 1];
            return dhcp + at + 2;
        } else {
            at += 2 + dhcp[at + 1];
        }
    }
    return NULL;
}

/* Sends a message of TYPE and returns the answer's BOOTP part. */
static const uint8_t *
dhcp(Net *net, uint8_t type, uint32_t wanted, size_t *out_len)
{
    uint8_t message[300] = { 1, 1, 6, 0, 0xde, 0xad, 0xbe, 0xef };
    uint8_t frame[400];

    memcpy(message + 28, GUEST_MAC, 6);
    memcpy(message + 236, "\x63\x82\x53\x63", 4);
    memcpy(message + 240, "\x35\x01", 2);
    message[242] = type;
    memcpy(message + 243, "\x32\x04", 2);
    put32(message + 245, wanted);
    message[249] = 255;
    size_t len = make_udp(frame, 0, 68, 0xffffffff, 67, message, sizeof(message));
    guest_sends(net, frame, len);
    const uint8_t *answer = wait_frame(net, 17, 68);
    *out_len = net->frame_len - FRAME_DATA;
    return answer + FRAME_DATA;
}

static void
check_option(const uint8_t *message, size_t len, uint8_t code, const char *bytes, size_t bytes_len)
{
    size_t option_len = 0;
    const uint8_t *option = find_option(message, len, code, &option_len);

    g_assert_nonnull(option);
    g_assert_cmpmem(option, option_len, bytes, bytes_len);
}

static void
test_dhcp(void)
{
    Net *net = net_new("hostname=guest;domainname=example.org;bootfile=boot.img;"
                       "dnssearch=a.example;dnssearch=b.example",
                       NULL, NULL);
    size_t len;

    const uint8_t *offer = dhcp(net, 1, GUEST_IP, &len);
    g_assert_cmphex(get32(offer + 16), ==, GUEST_IP);
    check_option(offer, len, 53, "\2", 1);
    check_option(offer, len, 1, "\xff\xff\xff\x00", 4);
    check_option(offer, len, 3, "\x0a\x00\x02\x02", 4);
    check_option(offer, len, 6, "\x0a\x00\x02\x03", 4);
    check_option(offer, len, 12, "guest", 5);
    check_option(offer, len, 15, "example.org", 11);
    g_assert_cmpstr((const char *)offer + 108, ==, "boot.img");
    const uint8_t *ack = dhcp(net, 3, GUEST_IP, &len);
    check_option(ack, len, 53, "\5", 1);
    g_assert_cmpstr(net->netdev->port.info, ==, "net=10.0.2.0,restrict=off");
    net_free(net);
}

static void
test_other_net(void)
{
    Net *net = net_new("net=192.168.7.0/255.255.255.0;host=192.168.7.1;dhcpstart=192.168.7.50;"
                       "dns=192.168.7.9",
                       NULL, NULL);
    size_t len;

    const uint8_t *offer = dhcp(net, 1, 0xc0a80732, &len);
    g_assert_cmphex(get32(offer + 16), ==, 0xc0a80732);
    check_option(offer, len, 3, "\xc0\xa8\x07\x01", 4);
    check_option(offer, len, 6, "\xc0\xa8\x07\x09", 4);
    net_free(net);
}

/* ---- out: the guest reaches the host's loopback ---- */

static int
bind_loopback(int type, uint16_t *out_port)
{
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, type, 0);

    g_assert_cmpint(bind(fd, (struct sockaddr *)&addr, len), ==, 0);
    getsockname(fd, (struct sockaddr *)&addr, &len);
    *out_port = ntohs(addr.sin_port);
    return fd;
}

static void
test_udp_to_host(void)
{
    Net *net = net_new("", NULL, NULL);
    struct sockaddr_in from;
    socklen_t from_len = sizeof(from);
    uint16_t port;
    int fd = bind_loopback(SOCK_DGRAM, &port);
    uint8_t frame[100];
    char buf[16];

    guest_sends(net, frame, make_udp(frame, GUEST_IP, 5000, HOST_IP, port, "ping", 4));
    g_assert_cmpint(recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &from_len), ==, 4);
    g_assert_cmpint(sendto(fd, "pong!", 5, 0, (struct sockaddr *)&from, from_len), ==, 5);
    const uint8_t *got = wait_frame(net, 17, 5000);
    g_assert_cmphex(get32(got + 26), ==, HOST_IP);
    g_assert_cmpmem(got + FRAME_DATA, net->frame_len - FRAME_DATA, "pong!", 5);
    close(fd);
    net_free(net);
}

static void
test_restrict(void)
{
    Net *net = net_new("restrict=on", NULL, NULL);
    uint16_t port;
    int fd = bind_loopback(SOCK_DGRAM, &port);
    uint8_t frame[100];
    char buf[16];

    guest_sends(net, frame, make_udp(frame, GUEST_IP, 5000, HOST_IP, port, "ping", 4));
    for (int i = 0; i < 20; i++) {
        g_main_context_iteration(NULL, FALSE);
        g_usleep(1000);
    }
    g_assert_cmpint(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), ==, -1);
    close(fd);
    net_free(net);
}

static void
test_tftp(void)
{
    g_autofree char *dir = g_dir_make_tmp("vitrine-test-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "file", NULL);
    g_autofree char *spec = g_strdup_printf("tftp=%s", dir);
    uint8_t frame[100];

    g_assert_true(g_file_set_contents(path, "contents", -1, NULL));
    Net *net = net_new(spec, NULL, NULL);
    guest_sends(net, frame, make_udp(frame, GUEST_IP, 6000, HOST_IP, 69, "\0\1file\0octet\0", 13));
    const uint8_t *got = wait_frame(net, 17, 6000);
    g_assert_cmpmem(got + FRAME_DATA, net->frame_len - FRAME_DATA, "\0\3\0\1contents", 12);
    net_free(net);
    g_unlink(path);
    g_rmdir(dir);
}

/* ---- in: forwards ---- */

static void
test_hostfwd(void)
{
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    uint16_t port;
    int spare = bind_loopback(SOCK_STREAM, &port);
    g_autoptr(GError) error = NULL;
    size_t len;

    close(spare);
    g_autofree char *spec = g_strdup_printf("hostfwd=tcp:127.0.0.1:%u-:22", port);
    g_autofree char *rule = g_strdup_printf("tcp:127.0.0.1:%u", port);
    Net *net = net_new(spec, NULL, &error);
    g_assert_no_error(error);
    dhcp(net, 1, GUEST_IP, &len); /* so that the stack knows the guest */
    g_autofree char *info = vit_net_user_info(net->netdev);
    g_assert_nonnull(strstr(info, "HOST_FORWARD"));

    /* Busy for a second machine. */
    g_assert_null(net_new(spec, NULL, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_BUSY);
    g_assert_nonnull(strstr(error->message, "choose another port"));
    g_clear_error(&error);

    int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    addr.sin_port = htons(port);
    g_assert_cmpint(connect(client, (struct sockaddr *)&addr, sizeof(addr)), ==, -1);
    g_assert_cmpint(errno, ==, EINPROGRESS);
    const uint8_t *syn = wait_frame(net, 6, 22);
    g_assert_cmpuint(syn[47] & (TCP_SYN | TCP_ACK), ==, TCP_SYN);
    g_assert_cmphex(get32(syn + 30), ==, GUEST_IP);
    close(client);

    g_assert_true(vit_net_user_remove_hostfwd(net->netdev, rule, NULL));
    g_assert_false(vit_net_user_remove_hostfwd(net->netdev, rule, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND);
    net_free(net);
}

/* A TCP connection of the guest to SERVER; returns our next sequence number. */
static uint32_t
tcp_connect(Net *net, uint32_t server, unsigned port, uint32_t *out_ack)
{
    uint8_t frame[100];

    guest_sends(net, frame, make_tcp(frame, 7000, server, port, 1000, 0, TCP_SYN, NULL, 0));
    const uint8_t *answer = wait_frame(net, 6, 7000);
    g_assert_cmpuint(answer[47] & (TCP_SYN | TCP_ACK), ==, TCP_SYN | TCP_ACK);
    g_assert_cmpuint(get32(answer + 42), ==, 1001);
    *out_ack = get32(answer + 38) + 1;
    guest_sends(net, frame, make_tcp(frame, 7000, server, port, 1001, *out_ack, TCP_ACK, NULL, 0));
    return 1001;
}

/* The data of the next segment that has any. */
static void
expect_data(Net *net, const char *text)
{
    const uint8_t *frame;
    size_t header_len, data_len;

    do {
        frame = wait_frame(net, 6, 7000);
        header_len = 34 + (frame[46] >> 4) * 4;
        data_len = get16(frame + 16) + 14 - header_len;
    } while (data_len == 0);
    g_assert_cmpmem(frame + header_len, data_len, text, strlen(text));
}

static void
test_guestfwd_device(void)
{
    VitChardev *ring = vit_char_make("ringbuf", "ring", NULL, NULL, 0, NULL);
    uint8_t frame[100];
    uint32_t seq, ack;

    g_assert_true(vit_chardev_open(ring, NULL, NULL, NULL));
    Net *net = net_new("guestfwd=tcp:10.0.2.100:80-ring", ring, NULL);
    seq = tcp_connect(net, 0x0a000264, 80, &ack);
    guest_sends(net, frame,
                make_tcp(frame, 7000, 0x0a000264, 80, seq, ack, TCP_ACK | TCP_PSH, "hello", 5));
    wait_frame(net, 6, 7000);
    g_autoptr(GByteArray) got = ring->kind->take_kept(ring, 100);
    g_assert_cmpmem(got->data, got->len, "hello", 5);
    g_assert_cmpuint(vit_chardev_front_room(ring), >, 4);
    vit_chardev_deliver(ring, (const uint8_t *)"back", 4);
    expect_data(net, "back");
    net_free(net);
    g_assert_false(vit_chardev_is_attached(ring));
    vit_chardev_free(ring);
}

static void
test_guestfwd_command(void)
{
    Net *net = net_new("guestfwd=tcp:10.0.2.100:81-cmd:echo out", NULL, NULL);
    uint32_t ack;

    tcp_connect(net, 0x0a000264, 81, &ack);
    expect_data(net, "out\n");
    net_free(net);
}

/* ---- refusals ---- */

static const struct {
    const char *spec, *part;
} refused[] = {
    { "net=10.0.2.0/33", "prefix length" },
    { "net=10.0.2.0/255.0.255.0", "not a mask" },
    { "net=ten", "not an IPv4 network" },
    { "host=10.0.3.2", "not an address of the guest network 10.0.2.0" },
    { "dns=10.0.2.2", "must differ from host=" },
    { "dhcpstart=10.0.2.3", "must differ" },
    { "ipv4=off;ipv6=off", "no network" },
    { "ipv6-net=fec0::/200", "not an IPv6 network" },
    { "ipv6-host=fec1::2", "not an address of the guest's IPv6" },
    { "ipv6-dns=fec0::2", "must differ" },
    { "tftp=/nonexistent", "not a folder" },
    { "hostfwd=22", "tcp: or udp:" },
    { "hostfwd=tcp:22", "colon" },
    { "hostfwd=tcp::22", "port" },
    { "hostfwd=tcp::22-:0", "from 1 to 65535" },
    { "hostfwd=tcp::99999-:22", "65535" },
    { "hostfwd=tcp:localhost:22-:22", "dotted" },
    { "hostfwd=tcp:[::1:22-:22", "bracket" },
    { "hostfwd=tcp:[::1]:2022-:22", "one family" },
    { "guestfwd=udp:10.0.2.100:1-x", "only TCP" },
    { "guestfwd=tcp:10.0.2.100:1-", "missing" },
    { "guestfwd=tcp:10.0.2.100:1-nothing", "no device nothing" },
    { "guestfwd=tcp:10.0.2.2:1-cmd:true", "not to be had" },
    { "hostfw=tcp::1-:1", "did you mean 'hostfwd'" },
};

static void
test_refused(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(net_new(refused[i].spec, NULL, &error));
        if (!error || !strstr(error->message, refused[i].part)) {
            g_error("'%s' should be in: %s", refused[i].part, error ? error->message : "(nothing)");
        }
    }
}

static void
test_kinds(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(vit_net_find_kind("tap", &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_NOT_AVAILABLE_YET);
    g_clear_error(&error);
    g_assert_null(vit_net_find_kind("netmap", &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_OTHER_HOST);
    g_clear_error(&error);
    g_assert_null(vit_net_find_kind("usr", &error));
    g_assert_nonnull(strstr(error->message, "'user'"));
    g_clear_error(&error);
    g_assert_null(vit_net_find_kind("xyzzy", &error));
    g_assert_cmpstr(error->message, ==,
                    "there is no network back end 'xyzzy'; there are user and hubport");
}

/* ---- fragments ---- */

/* The part of UDP datagram WHOLE (a frame) from byte OFFSET of the IP data on. */
static void
send_fragment(Net *net, const uint8_t *whole, unsigned offset, unsigned len, bool more)
{
    uint8_t frame[1600];

    memcpy(frame, whole, 34);
    memcpy(frame + 34, whole + 34 + offset, len);
    put16(frame + 16, 20 + len);
    put16(frame + 20, offset / 8 | (more ? 0x2000 : 0));
    put16(frame + 24, 0);
    put16(frame + 24, checksum(frame + 14, 20, 0));
    guest_sends(net, frame, 34 + len);
}

static void
test_fragments(void)
{
    static const uint8_t orders[][3] = { { 0, 1, 2 }, { 2, 1, 0 }, { 1, 2, 0 }, { 2, 0, 1 } };
    Net *net = net_new("", NULL, NULL);
    uint16_t port;
    int fd = bind_loopback(SOCK_DGRAM, &port);
    uint8_t data[3000], got[4000], whole[3100];

    for (unsigned order = 0; order < G_N_ELEMENTS(orders); order++) {
        for (unsigned i = 0; i < sizeof(data); i++) {
            data[i] = i * 7 + order;
        }
        make_udp(whole, GUEST_IP, 5000, HOST_IP, port, data, sizeof(data));
        put16(whole + 18, 100 + order);
        for (unsigned i = 0; i < 3; i++) {
            unsigned part = orders[order][i];
            send_fragment(net, whole, part * 1024, part == 2 ? 3008 - 2048 : 1024, part < 2);
            send_fragment(net, whole, 0, 1024, true); /* twice is no harm */
        }
        g_assert_cmpint(recv(fd, got, sizeof(got), MSG_DONTWAIT), ==, sizeof(data));
        g_assert_cmpmem(got, sizeof(data), data, sizeof(data));
    }
    /* The last part alone, of many datagrams. */
    for (unsigned i = 0; i < 100; i++) {
        put16(whole + 18, 1000 + i);
        send_fragment(net, whole, 2048, 960, false);
    }
    g_assert_cmpint(recv(fd, got, sizeof(got), MSG_DONTWAIT), ==, -1);
    close(fd);
    net_free(net);
}

/* Frames a broken guest might send must not hurt. */
static void
test_random_frames(void)
{
    Net *net = net_new("", NULL, NULL);
    uint8_t frame[1600];

    for (int i = 0; i < 3000; i++) {
        size_t len = g_test_rand_int_range(0, sizeof(frame));
        for (size_t j = 0; j < len; j++) {
            frame[j] = g_test_rand_int();
        }
        if (len > 60 && i % 2) { /* as far as IP, to the host */
            put16(frame + 12, i % 4 == 1 ? 0x0800 : 0x86dd);
            frame[14] = i % 4 == 1 ? 0x45 : 0x60;
            frame[23] = (uint8_t[]){ 1, 6, 17, 58 }[i / 4 % 4];
            put32(frame + 30, HOST_IP);
            put16(frame + 24, 0);
            put16(frame + 24, checksum(frame + 14, 20, 0));
        }
        guest_sends(net, frame, len);
        g_ptr_array_set_size(net->frames, 0);
        g_main_context_iteration(NULL, FALSE);
    }
    net_free(net);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/net-user/dhcp", test_dhcp);
    g_test_add_func("/net-user/other-net", test_other_net);
    g_test_add_func("/net-user/udp-to-host", test_udp_to_host);
    g_test_add_func("/net-user/restrict", test_restrict);
    g_test_add_func("/net-user/tftp", test_tftp);
    g_test_add_func("/net-user/hostfwd", test_hostfwd);
    g_test_add_func("/net-user/guestfwd-device", test_guestfwd_device);
    g_test_add_func("/net-user/guestfwd-command", test_guestfwd_command);
    g_test_add_func("/net-user/refused", test_refused);
    g_test_add_func("/net-user/kinds", test_kinds);
    g_test_add_func("/net-user/fragments", test_fragments);
    g_test_add_func("/net-user/random-frames", test_random_frames);
    return g_test_run();
}
