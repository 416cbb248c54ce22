/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The statistics registers of the 82540EM (manual section 13.7) and the checksum arithmetic both
 * directions use (RFC 1071). Counters stick at their maximum and are cleared by reading; 64-bit
 * ones by reading their upper half. Lengths include the FCS. Thread: device lock held. */

#include "e1000.h"

#include <string.h>

/* Indexes from 4000h, in 32-bit words. */
enum {
    PRC64 = 0x5c / 4,
    GPRC = 0x74 / 4,
    BPRC,
    MPRC,
    GPTC,
    GORCL = 0x88 / 4,
    GORCH,
    GOTCL,
    GOTCH,
    TORL = 0xc0 / 4,
    TORH,
    TOTL,
    TOTH,
    TPR,
    TPT,
    PTC64,
    MPTC = 0xf0 / 4,
    BPTC,
};

static void
count(uint32_t *counter)
{
    *counter += *counter != UINT32_MAX;
}

static void
add64(uint32_t *low, size_t len)
{
    uint64_t value = low[0] | (uint64_t)low[1] << 32;

    value = value > UINT64_MAX - len ? UINT64_MAX : value + len;
    low[0] = value;
    low[1] = value >> 32;
}

/* The counter for frames of LEN bytes, from that of 64 bytes on. */
static unsigned
size_class(size_t len)
{
    return len <= 64 ? 0 : len < 128 ? 1 : len < 256 ? 2 : len < 512 ? 3 : len < 1024 ? 4 : 5;
}

void
e1000_count_rx(E1000 *nic, const uint8_t *frame, size_t len)
{
    uint32_t *stats = nic->stats;
    static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

    len += FCS_BYTES;
    count(&stats[PRC64 + size_class(len)]);
    count(&stats[GPRC]);
    count(&stats[TPR]);
    add64(&stats[GORCL], len);
    add64(&stats[TORL], len);
    if (memcmp(frame, broadcast, 6) == 0) {
        count(&stats[BPRC]);
    } else if (frame[0] & 1) {
        count(&stats[MPRC]);
    }
}

void
e1000_count_tx(E1000 *nic, const uint8_t *frame, size_t len)
{
    uint32_t *stats = nic->stats;
    static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

    len += FCS_BYTES;
    count(&stats[PTC64 + size_class(len)]);
    count(&stats[GPTC]);
    count(&stats[TPT]);
    add64(&stats[GOTCL], len);
    add64(&stats[TOTL], len);
    if (memcmp(frame, broadcast, 6) == 0) {
        count(&stats[BPTC]);
    } else if (frame[0] & 1) {
        count(&stats[MPTC]);
    }
}

uint32_t
e1000_read_stat(E1000 *nic, unsigned index)
{
    uint32_t value = nic->stats[index];

    if (index == GORCL || index == GOTCL || index == TORL || index == TOTL) {
        return value;
    }
    nic->stats[index] = 0;
    if (index == GORCH || index == GOTCH || index == TORH || index == TOTH) {
        nic->stats[index - 1] = 0;
    }
    return value;
}

uint32_t
e1000_sum(const uint8_t *buf, size_t len, uint32_t sum)
{
    uint64_t total = sum;

    while (len >= 2) {
        total += e1000_get16(buf);
        buf += 2;
        len -= 2;
    }
    if (len) {
        total += buf[0] << 8;
    }
    return (total & 0xffffffff) + (total >> 32);
}

uint16_t
e1000_fold(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    return (sum & 0xffff) + (sum >> 16);
}
