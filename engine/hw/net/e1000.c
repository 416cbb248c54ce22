/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Intel 82540EM gigabit Ethernet controller ("e1000"): PCI function, register file, interrupts.
 *
 * PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual (Intel 317453),
 * chapter 13 for registers. BAR 0 is the register file (128 KiB), BAR 1 the I/O window onto it.
 * Interrupts are throttled by ITR. The 82542's register places, which the manual keeps for old
 * drivers, work too.
 *
 * Deviations: no flash, packet buffer memory reads as zero, no power-management capability and no
 * wake-up. EEPROM and PHY are in e1000-nvm.c and e1000-phy.c, the rings in e1000-tx.c and
 * e1000-rx.c. Thread: device lock held. */

#include "e1000.h"

#include <string.h>

enum {
    MMIO_BYTES = 0x20000,
    IO_BYTES = 64,
    IO_ADDRESS = 0,
    IO_DATA = 4,

    MTA_AT = 0x5200,
    RA_AT = 0x5400,
    VFTA_AT = 0x5600,
    STATS_AT = 0x4000,
    PACKET_BUFFER_AT = 0x10000,
};

/* ---- interrupts ---- */

static void
update_irq(E1000 *nic)
{
    bool wanted = nic->icr & nic->ims;

    if (!wanted) {
        vit_pci_set_irq(&nic->pci, 0);
        return;
    }
    if (nic->pci.irq_level || vit_timer_is_armed(&nic->itr_timer)) {
        return; /* up already, or too soon after the last: the timer comes back */
    }
    vit_pci_set_irq(&nic->pci, 1);
    if (nic->mitigation && nic->itr) {
        int64_t gap_ns = (int64_t)nic->itr * 256;
        vit_timer_mod(&nic->itr_timer, vit_clock_get_ns(nic->pci.dev.platform->clock) + gap_ns);
    }
}

static void
itr_expired(void *opaque)
{
    update_irq(opaque);
}

void
e1000_raise(E1000 *nic, uint32_t causes)
{
    nic->icr |= causes & INT_ALL;
    update_irq(nic);
}

static uint64_t
read_icr(VitDevice *dev, const VitReg *reg)
{
    E1000 *nic = (E1000 *)dev;
    uint32_t value = nic->icr;

    nic->icr = 0;
    update_irq(nic);
    return value;
}

static void
write_icr(VitDevice *dev, const VitReg *reg, uint64_t value)
{
    E1000 *nic = (E1000 *)dev;

    nic->icr &= ~value;
    update_irq(nic);
}

static void
write_ics(VitDevice *dev, const VitReg *reg, uint64_t value)
{
    e1000_raise((E1000 *)dev, value);
}

static void
write_ims(VitDevice *dev, const VitReg *reg, uint64_t value)
{
    E1000 *nic = (E1000 *)dev;

    nic->ims |= value & INT_ALL;
    update_irq(nic);
}

static void
write_imc(VitDevice *dev, const VitReg *reg, uint64_t value)
{
    E1000 *nic = (E1000 *)dev;

    nic->ims &= ~value;
    update_irq(nic);
}

static uint64_t
read_ims(VitDevice *dev, const VitReg *reg)
{
    return ((E1000 *)dev)->ims;
}

/* ---- control ---- */

bool
e1000_link_is_up(const E1000 *nic)
{
    return nic->status & STATUS_LU;
}

void
e1000_load_address(E1000 *nic)
{
    const uint16_t *words = nic->eeprom.words;

    nic->ra[0] = words[0] | (uint32_t)words[1] << 16;
    nic->ra[1] = words[2] | RAH_AV;
}

static const VitReg regs[];

static void
reset_mac(E1000 *nic)
{
    uint32_t link = nic->status & STATUS_LU;

    vit_regs_reset(&nic->pci.dev, regs);
    nic->status |= link;
    nic->vet = nic->init_vet ? 0x8100 : 0;
    memset(nic->mta, 0, sizeof(nic->mta));
    memset(nic->ra, 0, sizeof(nic->ra));
    memset(nic->vfta, 0, sizeof(nic->vfta));
    memset(nic->stats, 0, sizeof(nic->stats));
    memset(&nic->tx, 0, sizeof(nic->tx));
    nic->io_address = 0;
    vit_timer_del(&nic->itr_timer);
    e1000_eeprom_reset(nic);
    e1000_load_address(nic);
    update_irq(nic);
}

static void
write_ctrl(VitDevice *dev, const VitReg *reg, uint64_t value)
{
    E1000 *nic = (E1000 *)dev;

    if (value & CTRL_RST) {
        reset_mac(nic);
        return;
    }
    if ((value & CTRL_PHY_RST) && !(nic->ctrl & CTRL_PHY_RST)) {
        e1000_phy_reset(nic, false);
    }
    nic->ctrl = value;
}

static void
write_ctrl_ext(VitDevice *dev, const VitReg *reg, uint64_t value)
{
    E1000 *nic = (E1000 *)dev;

    if (value & CTRL_EXT_EE_RST) {
        e1000_load_address(nic);
    }
    nic->ctrl_ext = value & ~(uint64_t)CTRL_EXT_EE_RST;
}

/* The receiver may have got room. */
static void
rx_changed(VitDevice *dev, const VitReg *reg, uint64_t old_value)
{
    vit_net_port_flush(&((E1000 *)dev)->port);
}

static void
tx_changed(VitDevice *dev, const VitReg *reg, uint64_t old_value)
{
    e1000_transmit((E1000 *)dev);
}

/* ---- registers ---- */

#define PLAIN(name_, at_, field, mask, ...) \
    VIT_REG(E1000, name_, at_, field, .write_mask = mask, ##__VA_ARGS__)

/* Those that drivers use all the time come first. */
static const VitReg regs[] = {
    VIT_REG(E1000, "ICR", 0x00c0, icr, .read = read_icr, .write = write_icr),
    PLAIN("TDT", 0x3818, tdt, 0xffff, .written = tx_changed),
    PLAIN("RDT", 0x2818, rdt, 0xffff, .written = rx_changed),
    VIT_REG(E1000, "IMS", 0x00d0, ims, .write = write_ims),
    VIT_REG_FN("IMC", 0x00d8, 4, .read = read_ims, .write = write_imc),
    VIT_REG_FN("ICS", 0x00c8, 4, .write = write_ics),
    PLAIN("ITR", 0x00c4, itr, 0xffff),
    PLAIN("TDH", 0x3810, tdh, 0xffff),
    PLAIN("RDH", 0x2810, rdh, 0xffff),
    VIT_REG(E1000, "STATUS", 0x0008, status, .flags = VIT_REG_RO,
            .reset = STATUS_FD | STATUS_SPEED_1000 | STATUS_ASDV_1000),
    VIT_REG(E1000, "CTRL", 0x0000, ctrl, .write = write_ctrl,
            .reset = CTRL_FD | CTRL_SLU | CTRL_SPEED_1000),
    VIT_REG(E1000, "CTRL_DUP", 0x0004, ctrl, .write = write_ctrl,
            .reset = CTRL_FD | CTRL_SLU | CTRL_SPEED_1000),
    VIT_REG(E1000, "EECD", 0x0010, eecd, .read = e1000_read_eecd, .write = e1000_write_eecd),
    VIT_REG(E1000, "EERD", 0x0014, eerd, .write = e1000_write_eerd),
    VIT_REG(E1000, "CTRL_EXT", 0x0018, ctrl_ext, .write = write_ctrl_ext),
    VIT_REG(E1000, "MDIC", 0x0020, mdic, .write = e1000_write_mdic),
    PLAIN("FCAL", 0x0028, fcal, 0xffffffff),
    PLAIN("FCAH", 0x002c, fcah, 0xffff),
    PLAIN("FCT", 0x0030, fct, 0xffff),
    PLAIN("VET", 0x0038, vet, 0xffff),
    PLAIN("RCTL", 0x0100, rctl, 0x06dfb3fe, .written = rx_changed),
    PLAIN("FCTTV", 0x0170, fcttv, 0xffff),
    PLAIN("TXCW", 0x0178, txcw, 0xc000ffff),
    VIT_REG(E1000, "RXCW", 0x0180, rxcw, .flags = VIT_REG_RO),
    PLAIN("TCTL", 0x0400, tctl, 0x01fffffa, .written = tx_changed),
    PLAIN("TIPG", 0x0410, tipg, 0x3fffffff, .reset = 0x00602006),
    PLAIN("AIT", 0x0458, ait, 0xffff),
    PLAIN("LEDCTL", 0x0e00, ledctl, 0xcfcfcfcf, .reset = 0x07068302),
    PLAIN("PBA", 0x1000, pba, 0x7f, .reset = 0x00100030),
    PLAIN("FCRTL", 0x2160, fcrtl, 0x8000fff8),
    PLAIN("FCRTH", 0x2168, fcrth, 0xfff8),
    PLAIN("RDBAL", 0x2800, rdbal, 0xfffffff0),
    PLAIN("RDBAH", 0x2804, rdbah, 0xffffffff),
    PLAIN("RDLEN", 0x2808, rdlen, 0xfff80),
    PLAIN("RDTR", 0x2820, rdtr, 0xffff),
    PLAIN("RXDCTL", 0x2828, rxdctl, 0x013f3f3f, .reset = 0x00010000),
    PLAIN("RADV", 0x282c, radv, 0xffff),
    PLAIN("RSRPD", 0x2c00, rsrpd, 0xfff),
    PLAIN("TDBAL", 0x3800, tdbal, 0xfffffff0),
    PLAIN("TDBAH", 0x3804, tdbah, 0xffffffff),
    PLAIN("TDLEN", 0x3808, tdlen, 0xfff80),
    PLAIN("TIDV", 0x3820, tidv, 0xffff),
    PLAIN("TXDCTL", 0x3828, txdctl, 0xff3f3f3f),
    PLAIN("TADV", 0x382c, tadv, 0xffff),
    PLAIN("TSPMT", 0x3830, tspmt, 0xffffffff, .reset = 0x01000400),
    PLAIN("RXCSUM", 0x5000, rxcsum, 0x7ff),
    PLAIN("WUC", 0x5800, wuc, 0xf),
    PLAIN("WUFC", 0x5808, wufc, 0xf80ff),
    VIT_REG(E1000, "WUS", 0x5810, wus, .write_mask = 0xf00ff, .flags = VIT_REG_W1C),
    PLAIN("MANC", 0x5820, manc, 0xffffffff),
    PLAIN("IPAV", 0x5838, ipav, 0x1000f),
    VIT_REG(E1000, "WUPL", 0x5900, wupl, .flags = VIT_REG_RO),
    { 0 },
};

/* Where a register of the 82542 lies today (manual table 13-2, "alternate offset"). */
static uint32_t
resolve_alias(uint32_t at)
{
    if (at >= 0x40 && at < 0xc0) {
        return at - 0x40 + RA_AT;
    }
    if (at >= 0x200 && at < 0x400) {
        return at - 0x200 + MTA_AT;
    }
    if (at >= 0x600 && at < 0x800) {
        return at - 0x600 + VFTA_AT;
    }
    switch (at) {
    case 0x108: return 0x2820;                        /* RDTR */
    case 0x110 ... 0x118: return at - 0x110 + 0x2800; /* RDBAL, RDBAH, RDLEN */
    case 0x120: return 0x2810;                        /* RDH */
    case 0x128: return 0x2818;                        /* RDT */
    case 0x160: return 0x2168;                        /* FCRTH */
    case 0x168: return 0x2160;                        /* FCRTL */
    case 0x420 ... 0x428: return at - 0x420 + 0x3800; /* TDBAL, TDBAH, TDLEN */
    case 0x430: return 0x3810;                        /* TDH */
    case 0x438: return 0x3818;                        /* TDT */
    case 0x440: return 0x3820;                        /* TIDV */
    default: return at;
    }
}

static uint32_t *
find_array(E1000 *nic, uint32_t at)
{
    if (at >= MTA_AT && at < MTA_AT + sizeof(nic->mta)) {
        return &nic->mta[(at - MTA_AT) / 4];
    }
    if (at >= RA_AT && at < RA_AT + sizeof(nic->ra)) {
        return &nic->ra[(at - RA_AT) / 4];
    }
    if (at >= VFTA_AT && at < VFTA_AT + sizeof(nic->vfta)) {
        return &nic->vfta[(at - VFTA_AT) / 4];
    }
    return NULL;
}

static const VitReg *
find_reg(uint32_t at)
{
    for (const VitReg *reg = regs; reg->name; reg++) {
        if (reg->at == at) {
            return reg;
        }
    }
    return NULL;
}

static uint64_t
mmio_read(void *opaque, uint64_t offset, unsigned size)
{
    E1000 *nic = opaque;
    uint32_t at = resolve_alias(offset);
    const VitReg *reg = find_reg(at);

    if (reg) {
        return vit_regs_read(&nic->pci.dev, reg, at, 4);
    }
    const uint32_t *word = find_array(nic, at);
    if (word) {
        return *word;
    }
    if (at >= STATS_AT && at < STATS_AT + sizeof(nic->stats)) {
        return e1000_read_stat(nic, (at - STATS_AT) / 4);
    }
    if (at < PACKET_BUFFER_AT) {
        vit_guest_error(&nic->pci.dev, "read of unknown register 0x%x", at);
    }
    return 0;
}

static void
mmio_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    E1000 *nic = opaque;
    uint32_t at = resolve_alias(offset);
    const VitReg *reg = find_reg(at);
    uint32_t *word = find_array(nic, at);

    if (reg) {
        vit_regs_write(&nic->pci.dev, reg, at, value, 4);
    } else if (word) {
        *word = value;
    } else if (at >= STATS_AT && at < STATS_AT + sizeof(nic->stats)) {
        return; /* counters are read-only */
    } else if (at < PACKET_BUFFER_AT) {
        vit_guest_error(&nic->pci.dev, "write to unknown register 0x%x", at);
    }
}

static const VitRegionOps mmio_ops = {
    .read = mmio_read,
    .write = mmio_write,
    .min_size = 4,
    .max_size = 4,
};

static uint64_t
io_read(void *opaque, uint64_t offset, unsigned size)
{
    E1000 *nic = opaque;

    switch (offset) {
    case IO_ADDRESS: return nic->io_address;
    case IO_DATA: return nic->io_address < MMIO_BYTES ? mmio_read(nic, nic->io_address, 4) : 0;
    default: return 0;
    }
}

static void
io_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    E1000 *nic = opaque;

    if (offset == IO_ADDRESS) {
        nic->io_address = value & ~3u;
    } else if (offset == IO_DATA && nic->io_address < MMIO_BYTES) {
        mmio_write(nic, nic->io_address, value, 4);
    }
}

static const VitRegionOps io_ops = {
    .read = io_read,
    .write = io_write,
    .min_size = 4,
    .max_size = 4,
};

/* ---- the device ---- */

static void
link_changed(void *opaque, bool up)
{
    e1000_phy_update_link(opaque);
}

static const VitNetPortOps port_ops = {
    .receive = e1000_receive,
    .link_changed = link_changed,
};

static void
e1000_reset(VitDevice *dev)
{
    E1000 *nic = (E1000 *)dev;

    nic->status = 0;
    reset_mac(nic);
    e1000_phy_reset(nic, true);
    nic->icr = 0;
    update_irq(nic);
}

static bool
e1000_realize(VitDevice *dev, GError **error)
{
    E1000 *nic = (E1000 *)dev;
    static const uint8_t no_mac[6] = { 0 };
    static const uint8_t default_mac[6] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };

    if (memcmp(nic->mac, no_mac, 6) == 0) {
        memcpy(nic->mac, default_mac, 6);
    }
    vit_net_port_init(&nic->port, dev->id ? dev->id : dev->kind->name, dev->kind->name, &port_ops,
                      nic);
    if (nic->netdev && !vit_net_port_connect(&nic->port, nic->netdev, error)) {
        vit_net_port_finish(&nic->port);
        return false;
    }
    nic->port.info =
        g_strdup_printf("macaddr=%02x:%02x:%02x:%02x:%02x:%02x", nic->mac[0], nic->mac[1],
                        nic->mac[2], nic->mac[3], nic->mac[4], nic->mac[5]);
    vit_timer_init(&nic->autoneg_timer, dev->platform->clock, e1000_phy_negotiated, nic);
    vit_timer_init(&nic->itr_timer, dev->platform->clock, itr_expired, nic);
    vit_region_init_io(&nic->mmio, "e1000-mmio", &mmio_ops, nic, MMIO_BYTES);
    vit_region_init_io(&nic->io, "e1000-io", &io_ops, nic, IO_BYTES);
    vit_pci_add_bar(&nic->pci, 0, VIT_PCI_BAR_MEM, &nic->mmio);
    vit_pci_add_bar(&nic->pci, 1, VIT_PCI_BAR_IO, &nic->io);
    e1000_eeprom_init(nic);
    return true;
}

static void
e1000_unrealize(VitDevice *dev)
{
    E1000 *nic = (E1000 *)dev;

    vit_timer_del(&nic->autoneg_timer);
    vit_timer_del(&nic->itr_timer);
    vit_net_port_finish(&nic->port);
    vit_region_finish(&nic->mmio);
    vit_region_finish(&nic->io);
}

static bool
e1000_post_load(VitDevice *dev, unsigned version, GError **error)
{
    E1000 *nic = (E1000 *)dev;

    /* The stream is foreign: what indexes buffers must be within them. */
    nic->tx.len = MIN(nic->tx.len, TX_DATA_MAX);
    if (nic->tx.tse) {
        unsigned limit = nic->tx.segmentation.header_len + nic->tx.segmentation.mss;
        nic->tx.len = MIN(nic->tx.len, limit);
        nic->tx.tse = nic->tx.segmentation.mss && nic->tx.len >= nic->tx.segmentation.header_len;
    }
    nic->eeprom.out_bits = MIN(nic->eeprom.out_bits, 16);
    return true;
}

static const VitPciInfo e1000_info = {
    .vendor_id = 0x8086,
    .device_id = 0x100e,
    .revision = 3,
    .class_id = 0x0200,
    .interrupt_pin = 1,
    .rom_file = "efi-e1000.rom",
};

static const VitProp e1000_props[] = {
    VIT_PROP_MAC(E1000, mac, "mac", VIT_N_("Ethernet address")),
    VIT_PROP_BACKEND(E1000, netdev, "netdev", VIT_PROP_TYPE_NETDEV, VIT_N_("Network it is on")),
    VIT_PROP_INT(E1000, bootindex, "bootindex", -1, -1, INT32_MAX, VIT_N_("Place in boot order")),
    VIT_PROP_BOOL(E1000, autonegotiation, "autonegotiation", true,
                  VIT_N_("The link takes time to come up")),
    VIT_PROP_BOOL(E1000, mitigation, "mitigation", true,
                  VIT_N_("Interrupts are throttled as the driver asks")),
    VIT_PROP_BOOL(E1000, init_vet, "init-vet", true,
                  VIT_N_("The VLAN type register starts at its standard value")),
    { 0 },
};

static const VitField eeprom_state[] = {
    VIT_FIELD_ARRAY(E1000Eeprom, words),   VIT_FIELD(E1000Eeprom, shift),
    VIT_FIELD(E1000Eeprom, bits),          VIT_FIELD(E1000Eeprom, out),
    VIT_FIELD(E1000Eeprom, out_bits),      VIT_FIELD(E1000Eeprom, data_out),
    VIT_FIELD(E1000Eeprom, write_enabled), { 0 },
};

static const VitField e1000_state[] = {
    VIT_FIELD(E1000, io_address),
    VIT_FIELD(E1000, ctrl),
    VIT_FIELD(E1000, status),
    VIT_FIELD(E1000, eecd),
    VIT_FIELD(E1000, eerd),
    VIT_FIELD(E1000, ctrl_ext),
    VIT_FIELD(E1000, mdic),
    VIT_FIELD(E1000, fcal),
    VIT_FIELD(E1000, fcah),
    VIT_FIELD(E1000, fct),
    VIT_FIELD(E1000, vet),
    VIT_FIELD(E1000, icr),
    VIT_FIELD(E1000, itr),
    VIT_FIELD(E1000, ims),
    VIT_FIELD(E1000, rctl),
    VIT_FIELD(E1000, fcttv),
    VIT_FIELD(E1000, txcw),
    VIT_FIELD(E1000, rxcw),
    VIT_FIELD(E1000, tctl),
    VIT_FIELD(E1000, tipg),
    VIT_FIELD(E1000, ait),
    VIT_FIELD(E1000, ledctl),
    VIT_FIELD(E1000, pba),
    VIT_FIELD(E1000, fcrtl),
    VIT_FIELD(E1000, fcrth),
    VIT_FIELD(E1000, rdbal),
    VIT_FIELD(E1000, rdbah),
    VIT_FIELD(E1000, rdlen),
    VIT_FIELD(E1000, rdh),
    VIT_FIELD(E1000, rdt),
    VIT_FIELD(E1000, rdtr),
    VIT_FIELD(E1000, rxdctl),
    VIT_FIELD(E1000, radv),
    VIT_FIELD(E1000, rsrpd),
    VIT_FIELD(E1000, tdbal),
    VIT_FIELD(E1000, tdbah),
    VIT_FIELD(E1000, tdlen),
    VIT_FIELD(E1000, tdh),
    VIT_FIELD(E1000, tdt),
    VIT_FIELD(E1000, tidv),
    VIT_FIELD(E1000, txdctl),
    VIT_FIELD(E1000, tadv),
    VIT_FIELD(E1000, tspmt),
    VIT_FIELD(E1000, rxcsum),
    VIT_FIELD(E1000, wuc),
    VIT_FIELD(E1000, wufc),
    VIT_FIELD(E1000, wus),
    VIT_FIELD(E1000, ipav),
    VIT_FIELD(E1000, manc),
    VIT_FIELD(E1000, wupl),
    VIT_FIELD_ARRAY(E1000, mta),
    VIT_FIELD_ARRAY(E1000, ra),
    VIT_FIELD_ARRAY(E1000, vfta),
    VIT_FIELD_ARRAY(E1000, stats),
    VIT_FIELD_NESTED(E1000, eeprom, eeprom_state),
    VIT_FIELD_ARRAY(E1000, phy),
    VIT_FIELD(E1000, link_was_down),
    VIT_FIELD_NESTED(E1000, tx, e1000_tx_state),
    VIT_FIELD_TIMER(E1000, autoneg_timer),
    VIT_FIELD_TIMER(E1000, itr_timer),
    VIT_TRANSIENT(E1000, mmio),  /* wiring */
    VIT_TRANSIENT(E1000, io),    /* wiring */
    VIT_TRANSIENT(E1000, port),  /* the link, and frames on the wire, which may be lost */
    VIT_TRANSIENT(E1000, in_tx), /* false between accesses */
    VIT_TRANSIENT(E1000, in_rx), /* false between accesses */
    { 0 },
};
VIT_DEVICE_LAYOUT(E1000)

static const char *const aliases[] = { "e1000-82540em", NULL };

const VitDeviceKind vit_e1000_kind = {
    .name = "e1000",
    .aliases = aliases,
    .title = VIT_N_("Intel 82540EM Gigabit Ethernet"),
    .bus = VIT_BUS_PCI,
    .category = VIT_CATEGORY_NETWORK,
    VIT_DEVICE_SIZE(E1000, VitPciDevice),
    .regs = regs,
    .props = e1000_props,
    .state = e1000_state,
    .state_version = 1,
    .bus_info = &e1000_info,
    .realize = e1000_realize,
    .unrealize = e1000_unrealize,
    .reset = e1000_reset,
    .post_load = e1000_post_load,
};
