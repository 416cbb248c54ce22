/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Transmission of the 82540EM (manual chapter 3.3 to 3.5): legacy, context and data descriptors,
 * checksums, TCP and UDP segmentation, VLAN tags.
 *
 * Descriptors are done as soon as the tail moves. Whatever they say, one packet takes at most
 * TX_DATA_MAX bytes here, and one visit goes round the ring at most once.
 *
 * Deviations: IFCS is taken as set, so a packet that brings its own FCS keeps it as data; the
 * delays of IDE (TIDV, TADV) are none. Thread: device lock held. */

#include "e1000.h"

#include <string.h>

enum {
    /* Command byte of all descriptors. */
    CMD_EOP = 1 << 0,
    CMD_IC = 1 << 2,  /* legacy */
    CMD_TSE = 1 << 2, /* data and context */
    CMD_RS = 1 << 3,
    CMD_RPS = 1 << 4,
    CMD_DEXT = 1 << 5,
    CMD_VLE = 1 << 6,
    /* Context: what the packet is. */
    TUCMD_TCP = 1 << 0,
    TUCMD_IP = 1 << 1,

    POPTS_IXSM = 1 << 0,
    POPTS_TXSM = 1 << 1,

    STATUS_DD = 1 << 0,

    TCP_FIN = 1 << 0,
    TCP_PSH = 1 << 3,
};

/* ---- one frame ---- */

static void
send_frame(E1000 *nic, const uint8_t *frame, size_t len)
{
    e1000_count_tx(nic, frame, len);
    if (e1000_phy_loops_back(nic) || (nic->rctl & RCTL_LBM) == RCTL_LBM) {
        e1000_receive(nic, frame, len);
    } else if (e1000_link_is_up(nic)) {
        vit_net_port_send(&nic->port, frame, len);
    }
}

/* Puts the checksum of [start, end] (END 0: to the end of the packet) at AT. */
static void
insert_sum(E1000Tx *tx, unsigned at, unsigned start, unsigned end, bool avoid_zero)
{
    unsigned stop = end && end + 1u < tx->len ? end + 1u : tx->len;

    if (start >= stop || at + 2 > tx->len) {
        return;
    }
    uint16_t sum = ~e1000_fold(e1000_sum(tx->data + start, stop - start, 0));
    e1000_put16(tx->data + at, sum == 0 && avoid_zero ? 0xffff : sum);
}

/* The headers of segment number segments_sent: lengths, identification, sequence number, flags. */
static void
adjust_headers(E1000Tx *tx, bool is_last)
{
    const E1000Context *context = &tx->segmentation;
    uint8_t *data = tx->data;
    unsigned ip = context->ipcss, transport = context->tucss;

    if (context->is_ipv4 && ip + 6 <= tx->len) {
        e1000_put16(data + ip + 2, tx->len - ip);
        e1000_put16(data + ip + 4, e1000_get16(data + ip + 4) + tx->segments_sent);
    } else if (!context->is_ipv4 && ip + 40 <= tx->len) {
        e1000_put16(data + ip + 4, tx->len - ip - 40);
    }
    if (context->is_tcp && transport + 14 <= tx->len) {
        uint32_t sequence =
            (uint32_t)e1000_get16(data + transport + 4) << 16 | e1000_get16(data + transport + 6);
        sequence += tx->payload_sent;
        e1000_put16(data + transport + 4, sequence >> 16);
        e1000_put16(data + transport + 6, sequence);
        if (!is_last) {
            data[transport + 13] &= ~(TCP_FIN | TCP_PSH);
        }
    } else if (!context->is_tcp && transport + 6 <= tx->len) {
        e1000_put16(data + transport + 4, tx->len - transport);
    }
    /* The field holds the pseudo header's sum without the length. */
    if (tx->sum_transport && context->tucso + 2u <= tx->len && transport < tx->len) {
        uint32_t sum = e1000_get16(data + context->tucso) + (tx->len - transport);
        e1000_put16(data + context->tucso, e1000_fold(sum));
    }
}

/* What is in DATA leaves, as a segment or a whole packet. */
static void
finish_packet(E1000 *nic, bool is_last)
{
    E1000Tx *tx = &nic->tx;
    const E1000Context *context = tx->tse ? &tx->segmentation : &tx->offload;
    uint8_t *frame = tx->data;
    size_t len = tx->len;

    if (tx->tse) {
        adjust_headers(tx, is_last);
    }
    if (tx->sum_transport) {
        insert_sum(tx, context->tucso, context->tucss, context->tucse, !context->is_tcp);
    }
    if (tx->sum_ip) {
        insert_sum(tx, context->ipcso, context->ipcss, context->ipcse, false);
    }
    if (len < 14) {
        return;
    }
    g_autofree uint8_t *tagged = NULL;
    if (tx->insert_vlan && (nic->ctrl & CTRL_VME)) {
        tagged = g_malloc(len + VLAN_TAG_BYTES + 60);
        memcpy(tagged, frame, 12);
        e1000_put16(tagged + 12, nic->vet);
        e1000_put16(tagged + 14, tx->special);
        memcpy(tagged + 16, frame + 12, len - 12);
        frame = tagged;
        len += VLAN_TAG_BYTES;
    }
    if (len < 60 && (nic->tctl & TCTL_PSP)) {
        memset(frame + len, 0, 60 - len);
        len = 60;
    }
    send_frame(nic, frame, len);
}

/* ---- collecting ---- */

static void
end_packet(E1000Tx *tx)
{
    tx->in_packet = tx->tse = tx->insert_vlan = tx->sum_ip = tx->sum_transport = false;
    tx->len = tx->payload_sent = tx->segments_sent = 0;
}

static void
finish_segment(E1000 *nic, bool is_last)
{
    E1000Tx *tx = &nic->tx;
    unsigned header_len = tx->segmentation.header_len;

    if (tx->segments_sent == 0) {
        memcpy(tx->header, tx->data, header_len);
    }
    unsigned payload = tx->len - header_len;
    finish_packet(nic, is_last);
    memcpy(tx->data, tx->header, header_len);
    tx->len = header_len;
    tx->payload_sent += payload;
    tx->segments_sent++;
}

/* LEN bytes of guest memory join the packet; segments that are full leave. */
static void
add_data(E1000 *nic, uint64_t guest_address, uint32_t len)
{
    E1000Tx *tx = &nic->tx;
    uint32_t limit = TX_DATA_MAX;

    if (tx->tse) {
        limit = tx->segmentation.header_len + tx->segmentation.mss;
    }
    while (len > 0) {
        /* More follows, so it is not the last. A context in the middle of a packet may have made
         * segments shorter than what is here. */
        if (tx->tse && tx->len >= limit) {
            finish_segment(nic, false);
        }
        uint32_t piece = MIN(len, limit - tx->len);
        if (piece == 0) {
            vit_guest_error(&nic->pci.dev, "packet of more than %u bytes is cut", limit);
            return;
        }
        vit_pci_dma_read(&nic->pci, guest_address, tx->data + tx->len, piece);
        tx->len += piece;
        guest_address += piece;
        len -= piece;
    }
}

static void
take_context(E1000 *nic, const uint8_t *entry)
{
    uint32_t command = entry[11];
    E1000Context *context = command & CMD_TSE ? &nic->tx.segmentation : &nic->tx.offload;

    *context = (E1000Context){
        .ipcss = entry[0],
        .ipcso = entry[1],
        .ipcse = entry[2] | entry[3] << 8,
        .tucss = entry[4],
        .tucso = entry[5],
        .tucse = entry[6] | entry[7] << 8,
        .header_len = entry[13],
        .mss = entry[14] | entry[15] << 8,
        .is_tcp = command & TUCMD_TCP,
        .is_ipv4 = command & TUCMD_IP,
    };
}

/* The first descriptor decides for the packet. */
static void
begin_packet(E1000 *nic, const uint8_t *entry, bool is_extended)
{
    E1000Tx *tx = &nic->tx;

    tx->in_packet = true;
    if (!is_extended) {
        return;
    }
    tx->sum_ip = entry[13] & POPTS_IXSM;
    tx->sum_transport = entry[13] & POPTS_TXSM;
    tx->tse = entry[11] & CMD_TSE;
    if (tx->tse && (tx->segmentation.mss == 0 || tx->segmentation.header_len == 0)) {
        vit_guest_error(&nic->pci.dev, "segmentation without MSS or header length");
        tx->tse = false;
    }
}

static void
take_data(E1000 *nic, const uint8_t *entry, bool is_extended)
{
    E1000Tx *tx = &nic->tx;
    uint64_t guest_address = e1000_le32(entry) | (uint64_t)e1000_le32(entry + 4) << 32;
    uint32_t len = e1000_le32(entry + 8) & (is_extended ? 0xfffff : 0xffff);
    uint8_t command = entry[11];

    if (!tx->in_packet) {
        begin_packet(nic, entry, is_extended);
    }
    add_data(nic, guest_address, len);
    if (!(command & CMD_EOP)) {
        return;
    }
    tx->insert_vlan = command & CMD_VLE;
    tx->special = entry[14] | entry[15] << 8;
    if (!is_extended && (command & CMD_IC)) { /* legacy checksum: CSO and CSS in the descriptor */
        insert_sum(tx, entry[10], entry[13], 0, false);
    }
    if (tx->tse) {
        if (tx->len > tx->segmentation.header_len || tx->segments_sent == 0) {
            finish_segment(nic, true);
        }
    } else {
        finish_packet(nic, true);
    }
    end_packet(tx);
}

/* ---- the ring ---- */

/* Returns the interrupt causes. */
static uint32_t
take_descriptor(E1000 *nic)
{
    uint64_t ring = nic->tdbal | (uint64_t)nic->tdbah << 32;
    uint64_t at = ring + (uint64_t)nic->tdh * RING_ENTRY_BYTES;
    uint8_t entry[RING_ENTRY_BYTES];

    vit_pci_dma_read(&nic->pci, at, entry, sizeof(entry));
    bool is_extended = entry[11] & CMD_DEXT;
    unsigned type = is_extended ? entry[10] >> 4 : 0;
    if (is_extended && type == 0) {
        take_context(nic, entry);
    } else if (!is_extended || type == 1) {
        take_data(nic, entry, is_extended);
    } else {
        vit_guest_error(&nic->pci.dev, "transmit descriptor of unknown type %u", type);
    }
    if (!(entry[11] & (CMD_RS | CMD_RPS))) {
        return 0;
    }
    entry[12] = (entry[12] & 0xf0) | STATUS_DD;
    vit_pci_dma_write(&nic->pci, at + 12, &entry[12], 1);
    return INT_TXDW;
}

void
e1000_transmit(E1000 *nic)
{
    uint32_t count = nic->tdlen / RING_ENTRY_BYTES;
    uint32_t causes = 0;

    if (!(nic->tctl & TCTL_EN) || nic->in_tx || nic->tdh == nic->tdt) {
        return;
    }
    /* A descriptor may lie in our own registers: no second visit from inside. */
    nic->in_tx = true;
    for (uint32_t done = 0; nic->tdh != nic->tdt && done < count; done++) {
        causes |= take_descriptor(nic);
        nic->tdh = nic->tdh + 1 >= count ? 0 : nic->tdh + 1;
    }
    nic->in_tx = false;
    e1000_raise(nic, causes | INT_TXQE);
}

static const VitField context_state[] = {
    VIT_FIELD(E1000Context, ipcss),
    VIT_FIELD(E1000Context, ipcso),
    VIT_FIELD(E1000Context, tucss),
    VIT_FIELD(E1000Context, tucso),
    VIT_FIELD(E1000Context, ipcse),
    VIT_FIELD(E1000Context, tucse),
    VIT_FIELD(E1000Context, mss),
    VIT_FIELD(E1000Context, header_len),
    VIT_FIELD(E1000Context, is_tcp),
    VIT_FIELD(E1000Context, is_ipv4),
    { 0 },
};

const VitField e1000_tx_state[] = {
    VIT_FIELD_NESTED(E1000Tx, offload, context_state),
    VIT_FIELD_NESTED(E1000Tx, segmentation, context_state),
    VIT_FIELD(E1000Tx, in_packet),
    VIT_FIELD(E1000Tx, tse),
    VIT_FIELD(E1000Tx, insert_vlan),
    VIT_FIELD(E1000Tx, sum_ip),
    VIT_FIELD(E1000Tx, sum_transport),
    VIT_FIELD(E1000Tx, special),
    VIT_FIELD(E1000Tx, len),
    VIT_FIELD(E1000Tx, payload_sent),
    VIT_FIELD(E1000Tx, segments_sent),
    VIT_FIELD_BYTES(E1000Tx, header),
    VIT_FIELD_BYTES(E1000Tx, data),
    { 0 },
};
