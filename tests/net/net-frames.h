/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Building and reading Ethernet, IPv4, UDP and TCP (RFC 791, 768, 793) for tests. Addresses and
 * ports in host order. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define GUEST_IP   0x0a00020fu /* 10.0.2.15 */
#define HOST_IP    0x0a000202u /* 10.0.2.2 */
#define GUEST_MAC  "\x52\x54\x00\x12\x34\x56"
#define ANY_MAC    "\xff\xff\xff\xff\xff\xff"
#define FRAME_DATA 42 /* of UDP: after 14 + 20 + 8 bytes */

static inline void
put16(uint8_t *at, unsigned value)
{
    at[0] = value >> 8;
    at[1] = value;
}

static inline void
put32(uint8_t *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value);
}

static inline unsigned
get16(const uint8_t *at)
{
    return at[0] << 8 | at[1];
}

static inline uint32_t
get32(const uint8_t *at)
{
    return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static inline uint16_t
checksum(const uint8_t *at, size_t len, uint32_t sum)
{
    for (size_t i = 0; i < len; i++) {
        sum += i & 1 ? at[i] : at[i] << 8;
    }
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return ~sum;
}

/* An IPv4 frame from the guest with LEN bytes of protocol data behind 34 bytes of headers. */
static inline void
finish_ip(uint8_t *frame, uint8_t protocol, uint32_t from, uint32_t to, size_t len)
{
    uint8_t *ip = frame + 14;
    unsigned sum_at = protocol == 6 ? 16 : 6;
    uint32_t pseudo = (from >> 16) + (from & 0xffff) + (to >> 16) + (to & 0xffff) + protocol + len;

    memcpy(frame, ANY_MAC, 6);
    memcpy(frame + 6, GUEST_MAC, 6);
    put16(frame + 12, 0x0800);
    memset(ip, 0, 20);
    ip[0] = 0x45;
    put16(ip + 2, 20 + len);
    ip[8] = 64;
    ip[9] = protocol;
    put32(ip + 12, from);
    put32(ip + 16, to);
    put16(ip + 10, checksum(ip, 20, 0));
    put16(ip + 20 + sum_at, 0);
    put16(ip + 20 + sum_at, checksum(ip + 20, len, pseudo));
}

/* Returns the frame's length. FRAME has room for LEN + 42 bytes. */
static inline size_t
make_udp(uint8_t *frame, uint32_t from, unsigned from_port, uint32_t to, unsigned to_port,
         const void *data, size_t len)
{
    uint8_t *udp = frame + 34;

    put16(udp, from_port);
    put16(udp + 2, to_port);
    put16(udp + 4, 8 + len);
    memcpy(udp + 8, data, len);
    finish_ip(frame, 17, from, to, 8 + len);
    return FRAME_DATA + len;
}

enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_PSH = 8, TCP_ACK = 16 };

static inline size_t
make_tcp(uint8_t *frame, unsigned from_port, uint32_t to, unsigned to_port, uint32_t seq,
         uint32_t ack, uint8_t flags, const void *data, size_t len)
{
    uint8_t *tcp = frame + 34;

    memset(tcp, 0, 20);
    put16(tcp, from_port);
    put16(tcp + 2, to_port);
    put32(tcp + 4, seq);
    put32(tcp + 8, ack);
    tcp[12] = 5 << 4;
    tcp[13] = flags;
    put16(tcp + 14, 8192);
    if (len > 0) {
        memcpy(tcp + 20, data, len);
    }
    finish_ip(frame, 6, GUEST_IP, to, 20 + len);
    return 54 + len;
}

static inline bool
is_protocol(const uint8_t *frame, size_t len, uint8_t protocol)
{
    return len >= FRAME_DATA && get16(frame + 12) == 0x0800 && frame[23] == protocol;
}

/* An ARP answer (RFC 826) of the guest to the request FRAME; returns its length, 0 where FRAME is
 * no request for the guest. */
static inline size_t
answer_arp(const uint8_t *frame, size_t len, uint8_t *answer)
{
    if (len < 42 || get16(frame + 12) != 0x0806 || get16(frame + 20) != 1 ||
        get32(frame + 38) != GUEST_IP) {
        return 0;
    }
    memcpy(answer, frame + 6, 6);
    memcpy(answer + 6, GUEST_MAC, 6);
    memcpy(answer + 12, frame + 12, 8);
    put16(answer + 20, 2);
    memcpy(answer + 22, GUEST_MAC, 6);
    put32(answer + 28, GUEST_IP);
    memcpy(answer + 32, frame + 22, 10);
    return 42;
}
