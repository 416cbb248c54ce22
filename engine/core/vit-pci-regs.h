/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Names of the PCI configuration space. PCI Local Bus 3.0, sections 6.1 to 6.8 and appendix H. */

enum {
    VIT_PCI_VENDOR_ID = 0x00,
    VIT_PCI_DEVICE_ID = 0x02,
    VIT_PCI_COMMAND = 0x04,
    VIT_PCI_STATUS = 0x06,
    VIT_PCI_REVISION_ID = 0x08,
    VIT_PCI_PROG_IF = 0x09,
    VIT_PCI_CLASS = 0x0a, /* 16 bits: subclass, class */
    VIT_PCI_CACHE_LINE_SIZE = 0x0c,
    VIT_PCI_LATENCY_TIMER = 0x0d,
    VIT_PCI_HEADER_TYPE = 0x0e,
    VIT_PCI_BAR0 = 0x10,
    VIT_PCI_SECONDARY_BUS = 0x19,   /* header type 1 */
    VIT_PCI_SUBORDINATE_BUS = 0x1a, /* header type 1 */
    VIT_PCI_SUBSYSTEM_VENDOR_ID = 0x2c,
    VIT_PCI_SUBSYSTEM_ID = 0x2e,
    VIT_PCI_ROM = 0x30,
    VIT_PCI_CAPABILITIES = 0x34,
    VIT_PCI_BRIDGE_ROM = 0x38, /* header type 1 */
    VIT_PCI_INTERRUPT_LINE = 0x3c,
    VIT_PCI_INTERRUPT_PIN = 0x3d,
    VIT_PCI_HEADER_LEN = 0x40,
};

enum {
    VIT_PCI_COMMAND_IO = 1u << 0,
    VIT_PCI_COMMAND_MEMORY = 1u << 1,
    VIT_PCI_COMMAND_MASTER = 1u << 2,
    VIT_PCI_COMMAND_PARITY = 1u << 6,
    VIT_PCI_COMMAND_SERR = 1u << 8,
    VIT_PCI_COMMAND_INTX_DISABLE = 1u << 10,
};

enum {
    VIT_PCI_STATUS_INTERRUPT = 1u << 3,
    VIT_PCI_STATUS_CAPABILITIES = 1u << 4,
    VIT_PCI_STATUS_FAST_BACK = 1u << 7,
    VIT_PCI_STATUS_DEVSEL_MEDIUM = 1u << 9,
    VIT_PCI_STATUS_W1C = 0xf900, /* the error bits: writing ones clears */
};

enum {
    VIT_PCI_HEADER_MULTIFUNCTION = 0x80,
    VIT_PCI_ROM_ENABLE = 1u << 0,
};

enum {
    VIT_PCI_CAP_POWER = 0x01,
    VIT_PCI_CAP_MSI = 0x05,
    VIT_PCI_CAP_VENDOR = 0x09,
    VIT_PCI_CAP_EXPRESS = 0x10,
    VIT_PCI_CAP_MSIX = 0x11,
};

#define VIT_PCI_DEVFN(slot, function) ((slot) << 3 | (function))
#define VIT_PCI_SLOT(devfn)           ((devfn) >> 3 & 31)
#define VIT_PCI_FUNCTION(devfn)       ((devfn)&7)
