/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Internet checksums and TCP segmentation in software, for drivers that leave them to the card.
 * RFC 1071 (the sum), RFC 791, 8200 (the pseudo headers), 9293 (TCP). Everything comes from a
 * guest: no length is believed before it is compared with the frame's. */

#include "virtio-net.h"

#include <string.h>

enum {
    ETHER_BYTES = 14,
    ETHERTYPE_IPV4 = 0x0800,
    ETHERTYPE_IPV6 = 0x86dd,
    ETHERTYPE_VLAN = 0x8100,
    PROTOCOL_TCP = 6,
    PROTOCOL_UDP = 17,
    TCP_FIN_PSH = 0x09,
    TCP_CWR = 0x80,
};

static uint16_t
get16(const uint8_t *in)
{
    return (uint16_t)(in[0] << 8 | in[1]);
}

static void
put16(uint8_t *out, uint32_t value)
{
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
}

static void
put32(uint8_t *out, uint32_t value)
{
    put16(out, value >> 16);
    put16(out + 2, value);
}

/* Ones' complement sum of big-endian words; an odd byte is the high half of one. */
static uint64_t
sum_bytes(const uint8_t *data, size_t len, uint64_t sum)
{
    for (; len >= 2; data += 2, len -= 2) {
        sum += get16(data);
    }
    return len ? sum + ((uint64_t)data[0] << 8) : sum;
}

static uint16_t
fold(uint64_t sum)
{
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)~sum;
}

typedef struct IpFrame {
    unsigned ip_at, payload_at;
    size_t end;
    uint8_t protocol;
    bool is_v6, is_fragment;
} IpFrame;

static bool
parse_ip(const uint8_t *frame, size_t len, IpFrame *out)
{
    unsigned at = ETHER_BYTES;
    const uint8_t *ip;

    if (len >= 18 && get16(frame + 12) == ETHERTYPE_VLAN) {
        at += 4;
    }
    if (len < at + 20u) {
        return false;
    }
    ip = frame + at;
    *out = (IpFrame){ .ip_at = at };
    if (get16(frame + at - 2) == ETHERTYPE_IPV4 && ip[0] >> 4 == 4 && (ip[0] & 15) >= 5) {
        out->payload_at = at + (ip[0] & 15) * 4;
        out->end = at + get16(ip + 2);
        out->protocol = ip[9];
        out->is_fragment = get16(ip + 6) & 0x3fff;
    } else if (get16(frame + at - 2) == ETHERTYPE_IPV6 && len >= at + 40u && ip[0] >> 4 == 6) {
        out->payload_at = at + 40;
        out->end = out->payload_at + get16(ip + 4);
        out->protocol = ip[6];
        out->is_v6 = true;
    } else {
        return false;
    }
    return out->end <= len && out->payload_at <= out->end;
}

static uint64_t
pseudo_sum(const uint8_t *frame, const IpFrame *ip)
{
    unsigned at = ip->ip_at + (ip->is_v6 ? 8 : 12), bytes = ip->is_v6 ? 32 : 8;

    return sum_bytes(frame + at, bytes, ip->protocol + (uint64_t)(ip->end - ip->payload_at));
}

bool
net_offload_verify(const uint8_t *frame, size_t len)
{
    IpFrame ip;
    size_t payload;

    if (!parse_ip(frame, len, &ip) || ip.is_fragment ||
        (ip.protocol != PROTOCOL_TCP && ip.protocol != PROTOCOL_UDP)) {
        return false;
    }
    payload = ip.end - ip.payload_at;
    if (payload < 8 || (ip.protocol == PROTOCOL_UDP && get16(frame + ip.payload_at + 6) == 0)) {
        return false;
    }
    return fold(sum_bytes(frame + ip.payload_at, payload, pseudo_sum(frame, &ip))) == 0;
}

bool
net_offload_fill(uint8_t *frame, size_t len, unsigned start, unsigned offset)
{
    uint16_t sum;

    if ((size_t)start + offset + 2 > len) {
        return false;
    }
    /* The driver left the sum of the pseudo header in the field. */
    sum = fold(sum_bytes(frame + start, len - start, 0));
    put16(frame + start + offset, sum ? sum : 0xffff);
    return true;
}

/* Puts lengths, numbers and sums of one segment into the headers before its data. */
static void
write_headers(uint8_t *segment, size_t len, const IpFrame *whole, unsigned index)
{
    IpFrame ip = *whole;
    uint8_t *head = segment + ip.ip_at, *tcp = segment + ip.payload_at;

    ip.end = len;
    if (ip.is_v6) {
        put16(head + 4, (uint32_t)(len - ip.payload_at));
    } else {
        put16(head + 2, (uint32_t)(len - ip.ip_at));
        put16(head + 4, get16(head + 4) + index);
        put16(head + 10, 0);
        put16(head + 10, fold(sum_bytes(head, ip.payload_at - ip.ip_at, 0)));
    }
    put16(tcp + 16, 0);
    put16(tcp + 16, fold(sum_bytes(tcp, len - ip.payload_at, pseudo_sum(segment, &ip))));
}

bool
net_offload_segment(uint8_t *frame, size_t len, unsigned start, unsigned mss, bool is_ipv6,
                    void (*emit)(void *opaque, const uint8_t *frame, size_t len), void *opaque)
{
    uint8_t *headers = frame, *segment;
    unsigned header_len, index = 0;
    uint32_t sequence;
    IpFrame ip;
    uint8_t flags;
    size_t at;

    /* The IP length of a frame to be cut says nothing: it may exceed what 16 bits hold. */
    if (len < ETHER_BYTES + 40 || mss == 0) {
        return false;
    }
    ip = (IpFrame){ .ip_at = get16(frame + 12) == ETHERTYPE_VLAN ? ETHER_BYTES + 4 : ETHER_BYTES,
                    .payload_at = start,
                    .protocol = PROTOCOL_TCP,
                    .is_v6 = is_ipv6 };
    if (start < ip.ip_at + (is_ipv6 ? 40u : 20u) || (size_t)start + 20 > len ||
        frame[ip.ip_at] >> 4 != (is_ipv6 ? 6 : 4)) {
        return false;
    }
    header_len = start + (frame[start + 12] >> 4) * 4u;
    if (header_len < start + 20 || header_len > len || header_len + mss > NET_FRAME_MAX) {
        return false;
    }
    sequence = (uint32_t)get16(frame + start + 4) << 16 | get16(frame + start + 6);
    flags = frame[start + 13];
    segment = g_malloc(header_len + mss);
    for (at = header_len; at < len; index++) {
        size_t piece = MIN(mss, len - at);
        bool last = at + piece == len;

        memcpy(segment, headers, header_len);
        memcpy(segment + header_len, frame + at, piece);
        put32(segment + start + 4, sequence + (uint32_t)(at - header_len));
        segment[start + 13] = flags & (uint8_t) ~((last ? 0 : TCP_FIN_PSH) | (index ? TCP_CWR : 0));
        write_headers(segment, header_len + piece, &ip, index);
        emit(opaque, segment, header_len + piece);
        at += piece;
    }
    g_free(segment);
    return true;
}
