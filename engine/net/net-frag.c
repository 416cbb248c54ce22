/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Reassembly of IPv4 fragments (RFC 791 section 3.2) in front of the user network stack.
 *
 * libslirp can reassemble, but the 4.7.0 that Debian 12 ships reads through a stray pointer when
 * the first fragment it sees of a datagram is the last one: one frame of a guest would end the
 * program. It therefore never gets to see a fragment.
 *
 * A few datagrams are put together at a time; the oldest gives way. Where parts overlap the later
 * bytes win. Thread: device lock held. */

#include "net-frag.h"

#include <string.h>

enum {
    ETH_LEN = 14,
    IP_MIN_LEN = 20,
    DATAGRAMS = 16,
    DATA_MAX = 65536,
    BLOCK = 8, /* fragments begin at multiples of this */
};
#define TIMEOUT_NS (30 * VIT_NS_PER_SEC)

typedef struct {
    bool used;
    int64_t since_ns;
    uint8_t key[11];      /* identification, protocol, source, destination */
    uint32_t header_len;  /* Ethernet and IP; 0 until the first fragment has come */
    uint32_t total_len;   /* data; 0 until the last fragment has come */
    uint32_t blocks_have; /* blocks marked in `have` */
    uint8_t have[DATA_MAX / BLOCK / 8];
    uint8_t frame[ETH_LEN + 60 + DATA_MAX]; /* data behind room for the longest header */
} Datagram;

struct NetFrag {
    Datagram *datagrams[DATAGRAMS]; /* allocated when first needed */
};

NetFrag *
net_frag_new(void)
{
    return g_new0(NetFrag, 1);
}

void
net_frag_free(NetFrag *frag)
{
    if (!frag) {
        return;
    }
    for (unsigned i = 0; i < DATAGRAMS; i++) {
        g_free(frag->datagrams[i]);
    }
    g_free(frag);
}

static unsigned
get16(const uint8_t *at)
{
    return at[0] << 8 | at[1];
}

static void
put16(uint8_t *at, unsigned value)
{
    at[0] = value >> 8;
    at[1] = value;
}

static uint16_t
ip_checksum(const uint8_t *ip, unsigned len)
{
    uint32_t sum = 0;

    for (unsigned i = 0; i < len; i += 2) {
        sum += get16(ip + i);
    }
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return ~sum;
}

/* The datagram with KEY, or a fresh one in a free place or that of the oldest. */
static Datagram *
find_datagram(NetFrag *frag, const uint8_t key[11], int64_t now_ns)
{
    unsigned oldest = 0;

    for (unsigned i = 0; i < DATAGRAMS; i++) {
        Datagram *datagram = frag->datagrams[i];
        if (datagram && datagram->used && now_ns - datagram->since_ns > TIMEOUT_NS) {
            datagram->used = false;
        }
        if (datagram && datagram->used && memcmp(datagram->key, key, 11) == 0) {
            return datagram;
        }
        const Datagram *best = frag->datagrams[oldest];
        if (best && best->used &&
            (!datagram || !datagram->used || datagram->since_ns < best->since_ns)) {
            oldest = i;
        }
    }
    if (!frag->datagrams[oldest]) {
        frag->datagrams[oldest] = g_new0(Datagram, 1);
    }
    Datagram *datagram = frag->datagrams[oldest];
    memset(datagram, 0, offsetof(Datagram, frame));
    datagram->used = true;
    datagram->since_ns = now_ns;
    memcpy(datagram->key, key, 11);
    return datagram;
}

static void
mark_blocks(Datagram *datagram, unsigned offset, unsigned data_len)
{
    for (unsigned block = offset / BLOCK; block < (offset + data_len + BLOCK - 1) / BLOCK;
         block++) {
        uint8_t bit = 1 << block % 8;
        datagram->blocks_have += !(datagram->have[block / 8] & bit);
        datagram->have[block / 8] |= bit;
    }
}

/* The complete frame: header right before the data. */
static const uint8_t *
finish(Datagram *datagram, size_t *out_len)
{
    unsigned ip_len = datagram->header_len - ETH_LEN;
    uint8_t *frame = datagram->frame + ETH_LEN + 60 - datagram->header_len;
    uint8_t *ip = frame + ETH_LEN;

    datagram->used = false;
    if (datagram->total_len + ip_len > 65535) {
        return NULL;
    }
    put16(ip + 2, ip_len + datagram->total_len);
    put16(ip + 6, 0);
    put16(ip + 10, 0);
    put16(ip + 10, ip_checksum(ip, ip_len));
    *out_len = datagram->header_len + datagram->total_len;
    return frame;
}

const uint8_t *
net_frag_take(NetFrag *frag, const uint8_t *frame, size_t len, int64_t now_ns, size_t *out_len)
{
    const uint8_t *ip = frame + ETH_LEN;

    *out_len = len;
    if (len < ETH_LEN + IP_MIN_LEN || get16(frame + 12) != 0x0800 || ip[0] >> 4 != 4 ||
        !(get16(ip + 6) & 0x3fff)) {
        return frame;
    }
    unsigned header_len = (ip[0] & 15) * 4, ip_len = get16(ip + 2);
    unsigned offset = (get16(ip + 6) & 0x1fff) * BLOCK;
    bool more = get16(ip + 6) & 0x2000;
    if (header_len < IP_MIN_LEN || ip_len <= header_len || ip_len > len - ETH_LEN ||
        ip_checksum(ip, header_len) != 0) {
        return NULL;
    }
    unsigned data_len = ip_len - header_len;
    if (offset + data_len > DATA_MAX || (more && data_len % BLOCK)) {
        return NULL;
    }

    uint8_t key[11] = { ip[4], ip[5], ip[9] };
    memcpy(key + 3, ip + 12, 8);
    Datagram *datagram = find_datagram(frag, key, now_ns);
    uint8_t *data = datagram->frame + ETH_LEN + 60;
    memcpy(data + offset, ip + header_len, data_len);
    mark_blocks(datagram, offset, data_len);
    if (offset == 0) {
        datagram->header_len = ETH_LEN + header_len;
        memcpy(data - datagram->header_len, frame, datagram->header_len);
    }
    if (!more) {
        datagram->total_len = offset + data_len;
    }
    if (!datagram->header_len || !datagram->total_len ||
        datagram->blocks_have != (datagram->total_len + BLOCK - 1) / BLOCK) {
        return NULL;
    }
    return finish(datagram, out_len);
}
