/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Reception of the 82540EM (manual chapter 3.2): address and VLAN filters, descriptors, checksum
 * verification, thresholds. A frame for which there are no descriptors stays with its sender until
 * the tail moves.
 *
 * Deviations: the FCS that is stored without SECRC is zero; the delays RDTR and RADV are none;
 * flexible and wake-up filters do nothing. Thread: device lock held. */

#include "e1000.h"

#include <string.h>

enum {
    STATUS_DD = 1 << 0,
    STATUS_EOP = 1 << 1,
    STATUS_IXSM = 1 << 2,
    STATUS_VP = 1 << 3,
    STATUS_TCPCS = 1 << 5,
    STATUS_IPCS = 1 << 6,
    STATUS_PIF = 1 << 7,
    ERROR_TCPE = 1 << 5,
    ERROR_IPE = 1 << 6,

    FRAME_MIN = 60,
    FRAME_MAX = 1522, /* with FCS and VLAN tag, unless long packets are enabled */
    FRAME_LONG_MAX = 16384,

    ETHERTYPE_IPV4 = 0x0800,
    ETHERTYPE_IPV6 = 0x86dd,
    PROTOCOL_TCP = 6,
    PROTOCOL_UDP = 17,
};

/* What will be written to the last descriptor. */
typedef struct {
    uint8_t status, errors;
    uint16_t checksum, special;
} RxResult;

/* ---- filters ---- */

static bool
matches_exact(const E1000 *nic, const uint8_t *frame)
{
    for (unsigned i = 0; i < 16; i++) {
        uint32_t low = nic->ra[2 * i], high = nic->ra[2 * i + 1];
        const uint8_t *address = frame + (high & RAH_ASEL_SOURCE ? 6 : 0);
        if ((high & RAH_AV) && e1000_le32(address) == low &&
            (address[4] | address[5] << 8) == (high & 0xffff)) {
            return true;
        }
    }
    return false;
}

static bool
matches_hash(const E1000 *nic, const uint8_t *frame)
{
    static const uint8_t shifts[4] = { 4, 3, 2, 0 };
    unsigned bits = frame[4] | frame[5] << 8;
    unsigned hash = bits >> shifts[nic->rctl >> 12 & 3] & 0xfff;

    return nic->mta[hash >> 5] >> (hash & 31) & 1;
}

/* True: to be received; sets PIF where only the inexact filter let it in. */
static bool
passes_address(const E1000 *nic, const uint8_t *frame, RxResult *result)
{
    static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

    if (matches_exact(nic, frame)) {
        return true;
    }
    if (memcmp(frame, broadcast, 6) == 0 && (nic->rctl & RCTL_BAM)) {
        return true;
    }
    if (frame[0] & 1) {
        if (nic->rctl & RCTL_MPE) {
            return true;
        }
        if (matches_hash(nic, frame)) {
            result->status |= STATUS_PIF;
            return true;
        }
    } else if (nic->rctl & RCTL_UPE) {
        return true;
    }
    return false;
}

static bool
is_tagged(const E1000 *nic, const uint8_t *frame)
{
    return e1000_get16(frame + 12) == (nic->vet & 0xffff);
}

static bool
passes_vlan(const E1000 *nic, const uint8_t *frame)
{
    unsigned tag = e1000_get16(frame + 14);

    if (!(nic->rctl & RCTL_VFE) || !is_tagged(nic, frame)) {
        return true;
    }
    if ((nic->rctl & RCTL_CFIEN) && !!(tag & 0x1000) != !!(nic->rctl & RCTL_CFI)) {
        return false;
    }
    return nic->vfta[tag >> 5 & 0x7f] >> (tag & 31) & 1;
}

static bool
passes_length(const E1000 *nic, size_t len)
{
    return len + FCS_BYTES <= (nic->rctl & RCTL_LPE ? FRAME_LONG_MAX : FRAME_MAX);
}

/* ---- checksums ---- */

/* TCP or UDP over IPV4; DATA is the IP packet of LEN bytes with a header of HEADER_LEN. */
static void
check_transport(const E1000 *nic, const uint8_t *data, unsigned len, unsigned header_len,
                RxResult *result)
{
    unsigned protocol = data[9];
    unsigned at = protocol == PROTOCOL_TCP ? 16 : 6;
    unsigned transport_len = len - header_len;

    if (!(nic->rxcsum & RXCSUM_TUOFL) || (protocol != PROTOCOL_TCP && protocol != PROTOCOL_UDP) ||
        transport_len < at + 2 || (e1000_get16(data + 6) & 0x3fff)) { /* a fragment */
        return;
    }
    if (protocol == PROTOCOL_UDP && e1000_get16(data + header_len + 6) == 0) {
        return; /* the sender made none */
    }
    uint32_t sum = e1000_sum(data + 12, 8, protocol + transport_len);
    sum = e1000_fold(e1000_sum(data + header_len, transport_len, sum));
    result->status |= STATUS_TCPCS;
    result->errors |= sum == 0xffff ? 0 : ERROR_TCPE;
}

static void
check_sums(const E1000 *nic, const uint8_t *frame, size_t len, RxResult *result)
{
    unsigned start = nic->rxcsum & 0xff;

    if (start < len) {
        result->checksum = ~e1000_fold(e1000_sum(frame + start, len - start, 0));
    }
    result->status |= STATUS_IXSM; /* nothing verified, unless below */
    if (!(nic->rxcsum & (RXCSUM_IPOFL | RXCSUM_TUOFL)) || len < 34 ||
        e1000_get16(frame + 12) != ETHERTYPE_IPV4) {
        return;
    }
    const uint8_t *ip = frame + 14;
    unsigned header_len = (ip[0] & 15) * 4, ip_len = e1000_get16(ip + 2);
    if (ip[0] >> 4 != 4 || header_len < 20 || ip_len < header_len || ip_len > len - 14) {
        return;
    }
    result->status &= ~STATUS_IXSM;
    if (nic->rxcsum & RXCSUM_IPOFL) {
        result->status |= STATUS_IPCS;
        if (e1000_fold(e1000_sum(ip, header_len, 0)) != 0xffff) {
            result->errors |= ERROR_IPE;
        }
    }
    check_transport(nic, ip, ip_len, header_len, result);
}

/* ---- the ring ---- */

static uint32_t
buffer_bytes(const E1000 *nic)
{
    unsigned size = nic->rctl >> 16 & 3;

    if ((nic->rctl & RCTL_BSEX) && size != 0) {
        return 32768u >> size;
    }
    return 2048u >> size;
}

static uint32_t
free_descriptors(const E1000 *nic)
{
    uint32_t count = nic->rdlen / RING_ENTRY_BYTES;

    if (count == 0 || nic->rdh >= count || nic->rdt > count) {
        return 0;
    }
    return nic->rdt >= nic->rdh ? nic->rdt - nic->rdh : count - nic->rdh + nic->rdt;
}

/* Stores the frame over as many descriptors as it takes. TOTAL includes the FCS. */
static void
store(E1000 *nic, const uint8_t *frame, size_t len, size_t total, const RxResult *result)
{
    uint64_t ring = nic->rdbal | (uint64_t)nic->rdbah << 32;
    uint32_t count = nic->rdlen / RING_ENTRY_BYTES, size = buffer_bytes(nic);
    static const uint8_t zero_fcs[FCS_BYTES];

    for (size_t done = 0; done < total;) {
        uint64_t at = ring + (uint64_t)nic->rdh * RING_ENTRY_BYTES;
        uint8_t entry[RING_ENTRY_BYTES];
        size_t piece = MIN(total - done, size);
        size_t from_frame = done < len ? MIN(len - done, piece) : 0;

        vit_pci_dma_read(&nic->pci, at, entry, sizeof(entry));
        uint64_t buffer = e1000_le32(entry) | (uint64_t)e1000_le32(entry + 4) << 32;
        if (buffer) { /* a null buffer takes its share and drops it */
            vit_pci_dma_write(&nic->pci, buffer, frame + done, from_frame);
            vit_pci_dma_write(&nic->pci, buffer + from_frame, zero_fcs, piece - from_frame);
        }
        done += piece;
        memset(entry + 8, 0, 8);
        entry[8] = piece;
        entry[9] = piece >> 8;
        entry[12] = STATUS_DD;
        if (done == total) {
            entry[10] = result->checksum >> 8;
            entry[11] = result->checksum;
            entry[12] |= STATUS_EOP | result->status;
            entry[13] = result->errors;
            entry[14] = result->special;
            entry[15] = result->special >> 8;
        }
        vit_pci_dma_write(&nic->pci, at + 8, entry + 8, 8);
        nic->rdh = nic->rdh + 1 >= count ? 0 : nic->rdh + 1;
    }
}

static void
deliver(E1000 *nic, const uint8_t *frame, size_t len, RxResult *result)
{
    size_t total = len + (nic->rctl & RCTL_SECRC ? 0 : FCS_BYTES);
    uint32_t threshold = nic->rdlen / RING_ENTRY_BYTES >> ((nic->rctl >> 8 & 3) + 1);
    uint32_t causes = INT_RXT0;

    store(nic, frame, len, total, result);
    if (free_descriptors(nic) <= threshold) {
        causes |= INT_RXDMT0;
    }
    e1000_raise(nic, causes);
}

bool
e1000_receive(void *opaque, const uint8_t *frame, size_t len)
{
    E1000 *nic = opaque;
    uint8_t buf[FRAME_LONG_MAX];
    RxResult result = { 0 };
    bool is_master = vit_pci_get16(&nic->pci, VIT_PCI_COMMAND) & VIT_PCI_COMMAND_MASTER;

    if (!(nic->rctl & RCTL_EN) || nic->in_rx || !is_master || len < 14 ||
        (!e1000_link_is_up(nic) && !e1000_phy_loops_back(nic))) {
        return true; /* nobody is there to take it */
    }
    if (!passes_length(nic, len)) {
        return true;
    }
    if (len < FRAME_MIN) {
        memcpy(buf, frame, len);
        memset(buf + len, 0, FRAME_MIN - len);
        frame = buf;
        len = FRAME_MIN;
    }
    if (!passes_vlan(nic, frame) || !passes_address(nic, frame, &result)) {
        return true;
    }
    size_t needed = len + (nic->rctl & RCTL_SECRC ? 0 : FCS_BYTES);
    uint32_t size = buffer_bytes(nic);
    if (free_descriptors(nic) < (needed + size - 1) / size) {
        return false;
    }
    e1000_count_rx(nic, frame, len);
    if ((nic->ctrl & CTRL_VME) && is_tagged(nic, frame)) {
        result.status |= STATUS_VP;
        result.special = e1000_get16(frame + 14);
        memmove(buf + 12, frame + 12 + VLAN_TAG_BYTES, len - 12 - VLAN_TAG_BYTES);
        memmove(buf, frame, 12);
        frame = buf;
        len -= VLAN_TAG_BYTES;
    }
    check_sums(nic, frame, len, &result);
    nic->in_rx = true;
    deliver(nic, frame, len, &result);
    nic->in_rx = false;
    return true;
}
