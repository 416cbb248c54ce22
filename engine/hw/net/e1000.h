/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Shared by the files of the 82540EM: its state, register bits, and who does what. Names and
 * numbers are those of the PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's
 * Manual (Intel 317453), chapters 3, 5, 8 and 13. Thread: device lock held. */

#include "vit-netport.h"
#include "vit-pci.h"

enum {
    CTRL_FD = 1 << 0,
    CTRL_SLU = 1 << 6,
    CTRL_SPEED_1000 = 2 << 8,
    CTRL_RST = 1 << 26,
    CTRL_VME = 1 << 30,
    CTRL_PHY_RST = 1u << 31,

    STATUS_FD = 1 << 0,
    STATUS_LU = 1 << 1,
    STATUS_TXOFF = 1 << 4,
    STATUS_SPEED_1000 = 2 << 6,
    STATUS_ASDV_1000 = 2 << 8,

    CTRL_EXT_EE_RST = 1 << 13,

    INT_TXDW = 1 << 0,
    INT_TXQE = 1 << 1,
    INT_LSC = 1 << 2,
    INT_RXDMT0 = 1 << 4,
    INT_RXO = 1 << 6,
    INT_RXT0 = 1 << 7,
    INT_MDAC = 1 << 9,
    INT_ALL = 0x1ffff & ~(1 << 5 | 1 << 8 | 3 << 11),

    RCTL_EN = 1 << 1,
    RCTL_UPE = 1 << 3,
    RCTL_MPE = 1 << 4,
    RCTL_LPE = 1 << 5,
    RCTL_LBM = 3 << 6,
    RCTL_BAM = 1 << 15,
    RCTL_VFE = 1 << 18,
    RCTL_CFIEN = 1 << 19,
    RCTL_CFI = 1 << 20,
    RCTL_BSEX = 1 << 25,
    RCTL_SECRC = 1 << 26,

    TCTL_EN = 1 << 1,
    TCTL_PSP = 1 << 3,

    RXCSUM_IPOFL = 1 << 8,
    RXCSUM_TUOFL = 1 << 9,

    RAH_ASEL_SOURCE = 1 << 16,
    RAH_AV = 1u << 31,

    EEPROM_WORDS = 64,
    PHY_REGISTERS = 32,
    RING_ENTRY_BYTES = 16,
    TX_HEADER_MAX = 255,
    TX_DATA_MAX = 65535 + TX_HEADER_MAX,
    FCS_BYTES = 4,
    VLAN_TAG_BYTES = 4,
};

/* A transmit context: where the checksums lie, and how to cut. */
typedef struct E1000Context {
    uint8_t ipcss, ipcso, tucss, tucso;
    uint16_t ipcse, tucse, mss;
    uint8_t header_len;
    bool is_tcp, is_ipv4;
} E1000Context;

/* The packet being collected from descriptors. */
typedef struct E1000Tx {
    E1000Context offload, segmentation;
    bool in_packet; /* the first descriptor has been seen */
    bool tse, insert_vlan, sum_ip, sum_transport;
    uint16_t special;
    uint32_t len;          /* bytes in data */
    uint32_t payload_sent; /* TCP data in earlier segments */
    uint16_t segments_sent;
    uint8_t header[TX_HEADER_MAX + 1];
    uint8_t data[TX_DATA_MAX + 2];
} E1000Tx;

/* The Microwire interface of the EEPROM (93C46). */
typedef struct E1000Eeprom {
    uint16_t words[EEPROM_WORDS];
    uint32_t shift;   /* bits received since the start bit, which is the highest one */
    uint8_t bits;     /* their number; 0 = waiting for the start bit */
    uint16_t out;     /* word being sent */
    uint8_t out_bits; /* of it still to be sent */
    bool data_out, write_enabled;
} E1000Eeprom;

typedef struct E1000 {
    VitPciDevice pci;
    /* properties */
    uint8_t mac[6];
    VitNetPort *netdev;
    int32_t bootindex;
    bool autonegotiation, mitigation, init_vet;
    /* wiring */
    VitRegion mmio, io;
    VitNetPort port;
    bool in_tx, in_rx;
    /* registers */
    uint32_t io_address;
    uint32_t ctrl, status, eecd, eerd, ctrl_ext, mdic, fcal, fcah, fct, vet;
    uint32_t icr, itr, ims, rctl, fcttv, txcw, rxcw, tctl, tipg, ait, ledctl, pba, fcrtl, fcrth;
    uint32_t rdbal, rdbah, rdlen, rdh, rdt, rdtr, rxdctl, radv, rsrpd;
    uint32_t tdbal, tdbah, tdlen, tdh, tdt, tidv, txdctl, tadv, tspmt;
    uint32_t rxcsum, wuc, wufc, wus, ipav, manc, wupl;
    uint32_t mta[128], ra[32], vfta[128], stats[64];
    E1000Eeprom eeprom;
    uint16_t phy[PHY_REGISTERS];
    bool link_was_down; /* the PHY's link bit latches a failure until it is read */
    E1000Tx tx;
    VitTimer autoneg_timer, itr_timer;
} E1000;

/* e1000.c */
void e1000_raise(E1000 *nic, uint32_t causes);
bool e1000_link_is_up(const E1000 *nic);
void e1000_load_address(E1000 *nic);

/* e1000-nvm.c: the EEPROM. */
void e1000_eeprom_init(E1000 *nic);
void e1000_eeprom_reset(E1000 *nic);
void e1000_write_eecd(VitDevice *dev, const VitReg *reg, uint64_t value);
uint64_t e1000_read_eecd(VitDevice *dev, const VitReg *reg);
void e1000_write_eerd(VitDevice *dev, const VitReg *reg, uint64_t value);

/* e1000-phy.c: the PHY, and the link with it. */
/* POWER_ON: with the machine, else by software. */
void e1000_phy_reset(E1000 *nic, bool power_on);
bool e1000_phy_loops_back(const E1000 *nic);
void e1000_phy_update_link(E1000 *nic);
void e1000_phy_negotiated(void *nic);
void e1000_write_mdic(VitDevice *dev, const VitReg *reg, uint64_t value);

/* e1000-tx.c */
void e1000_transmit(E1000 *nic);
extern const VitField e1000_tx_state[];

/* e1000-rx.c */
bool e1000_receive(void *nic, const uint8_t *frame, size_t len);

/* e1000-stats.c: counters and checksums both directions use. */
void e1000_count_rx(E1000 *nic, const uint8_t *frame, size_t len);
void e1000_count_tx(E1000 *nic, const uint8_t *frame, size_t len);
uint32_t e1000_read_stat(E1000 *nic, unsigned index);
/* Ones' complement sum of BUF on top of SUM, as big-endian words; not folded. */
uint32_t e1000_sum(const uint8_t *buf, size_t len, uint32_t sum);
uint16_t e1000_fold(uint32_t sum);

static inline unsigned
e1000_get16(const uint8_t *at)
{
    return at[0] << 8 | at[1];
}

static inline void
e1000_put16(uint8_t *at, unsigned value)
{
    at[0] = value >> 8;
    at[1] = value;
}

static inline uint32_t
e1000_le32(const uint8_t *at)
{
    return at[0] | at[1] << 8 | at[2] << 16 | (uint32_t)at[3] << 24;
}
