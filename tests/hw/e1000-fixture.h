/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The 82540EM on a PCI bus with 1 MiB of RAM, rings in it, and a peer on its cable that keeps what
 * the NIC sends. Register names are those of the 8254x software developer's manual. */

#include "test-platform.h"
#include "vit-netport.h"
#include "vit-pci.h"

enum {
    MMIO = 0xe0000000,
    IOPORT = 0xc000,
    RAM_BYTES = 1 << 20,
    TX_RING = 0x1000,
    RX_RING = 0x2000,
    TX_BUF = 0x10000,
    RX_BUF = 0x40000, /* 2048 bytes each */
    RING_LEN = 16,
    DEVFN = 3 << 3,
};

enum {
    CTRL = 0x0000,
    STATUS = 0x0008,
    EECD = 0x0010,
    EERD = 0x0014,
    MDIC = 0x0020,
    VET = 0x0038,
    ICR = 0x00c0,
    ITR = 0x00c4,
    ICS = 0x00c8,
    IMS = 0x00d0,
    IMC = 0x00d8,
    RCTL = 0x0100,
    TCTL = 0x0400,
    RDBAL = 0x2800,
    RDLEN = 0x2808,
    RDH = 0x2810,
    RDT = 0x2818,
    TDBAL = 0x3800,
    TDLEN = 0x3808,
    TDH = 0x3810,
    TDT = 0x3818,
    RXCSUM = 0x5000,
    MTA = 0x5200,
    RAL = 0x5400,
    RAH = 0x5404,
    VFTA = 0x5600,
};

typedef struct E1000Fixture {
    TestPlatform test;
    VitPciBus bus;
    VitRamBlock *block;
    VitRegion ram;
    VitDevice *dev;
    VitNetPort peer;
    GPtrArray *sent; /* GBytes that came out of the NIC */
    int irq;
    unsigned irq_rises;
    unsigned tx_at;
} E1000Fixture;

/* Bits of a transmit descriptor's second half. */
enum { EOP = 1 << 24, RS = 1 << 27, DEXT = 1 << 29, VLE = 1 << 30, TSE = 1 << 26, DATA = 1 << 20 };

/* Addresses of frames: ours, another's, everybody's, a group's. */
#define US    "\x52\x54\x00\xab\xcd\xef"
#define OTHER "\x52\x54\x00\x00\x00\x01"
#define ALL   "\xff\xff\xff\xff\xff\xff"
#define GROUP "\x01\x00\x5e\x00\x00\xfb"

/* A test of one file's table; e1000_run() runs them all. */
typedef struct E1000Test {
    const char *name;
    void (*func)(E1000Fixture *f, gconstpointer data);
} E1000Test;

int e1000_run(int argc, char **argv, const E1000Test *tests, unsigned count);

uint32_t e1000_read(E1000Fixture *f, uint32_t at);
void e1000_write(E1000Fixture *f, uint32_t at, uint32_t value);
/* Guest memory at AT. */
uint8_t *e1000_ram(E1000Fixture *f, uint32_t at);
void e1000_step_ms(E1000Fixture *f, unsigned ms);
void e1000_phy_write(E1000Fixture *f, unsigned reg, uint16_t value);

/* ---- rings ---- */

/* Descriptors of 2048 bytes each, all but one the NIC's, then RCTL. */
void e1000_start_rx(E1000Fixture *f, uint32_t rctl);
/* A frame to TO comes over the cable; REST begins with its type. */
void e1000_arrive(E1000Fixture *f, const char *to, const uint8_t *rest, size_t rest_len);
void e1000_start_tx(E1000Fixture *f);
/* A descriptor: buffer, dword 2, dword 3. */
void e1000_add_tx(E1000Fixture *f, uint64_t buffer, uint32_t lower, uint32_t upper);
/* The Nth frame the NIC sent. */
const uint8_t *e1000_sent(E1000Fixture *f, unsigned n, size_t *out_len);

/* ---- contents of frames ---- */

/* The sum of the Internet checksum (RFC 1071), not yet inverted. */
uint16_t e1000_sum16(const uint8_t *at, size_t len, uint32_t sum);
void e1000_put16(uint8_t *at, unsigned value);
unsigned e1000_get16(const uint8_t *at);
/* Ethertype, IPv4 and UDP or TCP headers with correct sums, LEN bytes of data. */
size_t e1000_make_ipv4(uint8_t *body, uint8_t protocol, size_t len);
