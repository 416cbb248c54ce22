/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The PHY inside the 82540EM (an 88E1011: IEEE 802.3 clause 22 and 40 registers and the maker's
 * own) and the management interface to it, MDIC (manual section 8.5 and 13.4.8).
 *
 * The partner at the other end of the cable offers everything, so negotiation ends at 1000 Mb/s
 * full duplex. It takes 100 ms, less than on a wire; with autonegotiation=off it takes no time.
 *
 * Thread: device lock held. */

#include "e1000.h"

#include <string.h>

enum {
    MDIC_READY = 1 << 28,
    MDIC_INT_EN = 1 << 29,
    MDIC_ERROR = 1 << 30,
    MDIC_OP_WRITE = 1,
    MDIC_OP_READ = 2,
    PHY_ADDRESS = 1,

    PHY_CONTROL = 0,
    PHY_STATUS = 1,
    PHY_ID1 = 2,
    PHY_ID2 = 3,
    PHY_ADVERTISE = 4,
    PHY_PARTNER = 5,
    PHY_EXPANSION = 6,
    PHY_NEXT_PAGE = 7,
    PHY_1000T_CONTROL = 9,
    PHY_1000T_STATUS = 10,
    PHY_EXT_STATUS = 15,
    PHY_SPECIFIC_CONTROL = 16,
    PHY_SPECIFIC_STATUS = 17,
    PHY_EXT_CONTROL = 20,

    CONTROL_RESTART = 1 << 9,
    CONTROL_POWER_DOWN = 1 << 11,
    CONTROL_NEGOTIATE = 1 << 12,
    CONTROL_LOOPBACK = 1 << 14,
    CONTROL_RESET = 1 << 15,

    STATUS_LINK = 1 << 2,
    STATUS_NEGOTIATED = 1 << 5,

    /* 1000 Mb/s, full duplex, resolved, link. */
    SPECIFIC_LINK = 0x8000 | 1 << 13 | 1 << 11 | 1 << 10,

    PARTNER_ALL = 0x4de1,       /* acknowledge, pause, 10 and 100 both ways */
    PARTNER_1000T_ALL = 0x7c00, /* master, receivers fine, 1000 both ways */
};
#define NEGOTIATION_NS (100 * VIT_NS_PER_MS)

static const uint16_t reset_values[PHY_REGISTERS] = {
    [PHY_CONTROL] = CONTROL_NEGOTIATE | 1 << 8 | 1 << 6,
    [PHY_STATUS] = 0x7949, /* what it can: all speeds both ways, negotiate, extended registers */
    [PHY_ID1] = 0x0141,
    [PHY_ID2] = 0x0c20,
    [PHY_ADVERTISE] = 0x0de1,
    [PHY_EXPANSION] = 0x0005,
    [PHY_NEXT_PAGE] = 0x2001,
    [PHY_1000T_CONTROL] = 0x0f00,
    [PHY_EXT_STATUS] = 0x3000,
    [PHY_SPECIFIC_CONTROL] = 0x0068,
    [PHY_EXT_CONTROL] = 0x0d60,
};

static const uint16_t write_masks[PHY_REGISTERS] = {
    [PHY_CONTROL] = 0xffc0 & ~(CONTROL_RESET | CONTROL_RESTART),
    [PHY_ADVERTISE] = 0xbfff,
    [PHY_NEXT_PAGE] = 0xbfff,
    [PHY_1000T_CONTROL] = 0xff00,
    [PHY_SPECIFIC_CONTROL] = 0xffff,
    [18] = 0xffff, /* interrupt enable */
    [PHY_EXT_CONTROL] = 0xffff,
    [22] = 0xffff,
    [24] = 0xffff, /* LED control */
    [29] = 0xffff, /* page select, and the page */
    [30] = 0xffff,
};

bool
e1000_phy_loops_back(const E1000 *nic)
{
    return nic->phy[PHY_CONTROL] & CONTROL_LOOPBACK;
}

static bool
cable_is_live(const E1000 *nic)
{
    return !nic->port.link_down && !(nic->port.peer && nic->port.peer->link_down);
}

/* Puts the link bits of PHY and MAC where UP says. */
static void
show_link(E1000 *nic, bool up)
{
    bool was_up = nic->status & STATUS_LU;

    if (up) {
        nic->status |= STATUS_LU;
        nic->phy[PHY_STATUS] |= STATUS_LINK | STATUS_NEGOTIATED;
        nic->phy[PHY_PARTNER] = PARTNER_ALL;
        nic->phy[PHY_1000T_STATUS] = PARTNER_1000T_ALL;
        nic->phy[PHY_SPECIFIC_STATUS] = SPECIFIC_LINK;
    } else {
        nic->status &= ~STATUS_LU;
        nic->phy[PHY_STATUS] &= ~(STATUS_LINK | STATUS_NEGOTIATED);
        nic->phy[PHY_PARTNER] = nic->phy[PHY_1000T_STATUS] = 0;
        nic->phy[PHY_SPECIFIC_STATUS] = 0;
        nic->link_was_down = true;
    }
    if (was_up != up) {
        e1000_raise(nic, INT_LSC);
    }
    if (up) {
        vit_net_port_flush(&nic->port);
    }
}

void
e1000_phy_negotiated(void *opaque)
{
    E1000 *nic = opaque;

    show_link(nic, cable_is_live(nic) && !(nic->phy[PHY_CONTROL] & CONTROL_POWER_DOWN));
}

static void
negotiate(E1000 *nic)
{
    if (nic->autonegotiation) {
        show_link(nic, false);
        vit_timer_mod(&nic->autoneg_timer,
                      vit_clock_get_ns(nic->pci.dev.platform->clock) + NEGOTIATION_NS);
    } else {
        e1000_phy_negotiated(nic);
    }
}

/* The cable was plugged or unplugged. */
void
e1000_phy_update_link(E1000 *nic)
{
    if (cable_is_live(nic)) {
        negotiate(nic);
    } else {
        vit_timer_del(&nic->autoneg_timer);
        show_link(nic, false);
    }
}

void
e1000_phy_reset(E1000 *nic, bool power_on)
{
    memcpy(nic->phy, reset_values, sizeof(nic->phy));
    if (!power_on) {
        negotiate(nic);
        return;
    }
    /* A machine that has just been switched on finds the link made. */
    vit_timer_del(&nic->autoneg_timer);
    e1000_phy_negotiated(nic);
    nic->link_was_down = false;
}

static uint16_t
phy_read(E1000 *nic, unsigned reg)
{
    uint16_t value = nic->phy[reg];

    if (reg == PHY_STATUS && nic->link_was_down) {
        value &= ~STATUS_LINK;
        nic->link_was_down = false;
    }
    return value;
}

static void
phy_write(E1000 *nic, unsigned reg, uint16_t value)
{
    bool was_down = nic->phy[PHY_CONTROL] & CONTROL_POWER_DOWN;

    if (reg == PHY_CONTROL && (value & CONTROL_RESET)) {
        /* Software's settings of the standard registers stay in force through this reset. */
        nic->phy[PHY_CONTROL] = reset_values[PHY_CONTROL];
        negotiate(nic);
        return;
    }
    nic->phy[reg] = (nic->phy[reg] & ~write_masks[reg]) | (value & write_masks[reg]);
    if (reg != PHY_CONTROL) {
        return;
    }
    if (value & CONTROL_POWER_DOWN) {
        vit_timer_del(&nic->autoneg_timer);
        show_link(nic, false);
    } else if (was_down || ((value & CONTROL_NEGOTIATE) && (value & CONTROL_RESTART))) {
        negotiate(nic);
    } else if (!vit_timer_is_armed(&nic->autoneg_timer)) {
        e1000_phy_negotiated(nic); /* forced speed: the partner goes along */
    }
}

void
e1000_write_mdic(VitDevice *dev, const VitReg *reg, uint64_t value)
{
    E1000 *nic = (E1000 *)dev;
    unsigned phy = value >> 21 & 31, at = value >> 16 & 31, operation = value >> 26 & 3;

    nic->mdic = value & ~(uint32_t)(MDIC_READY | MDIC_ERROR);
    if (phy != PHY_ADDRESS || (operation != MDIC_OP_READ && operation != MDIC_OP_WRITE)) {
        nic->mdic |= MDIC_ERROR;
    } else if (operation == MDIC_OP_READ) {
        nic->mdic = (nic->mdic & ~0xffffu) | phy_read(nic, at);
    } else {
        phy_write(nic, at, value);
    }
    nic->mdic |= MDIC_READY;
    if (value & MDIC_INT_EN) {
        e1000_raise(nic, INT_MDAC);
    }
}
