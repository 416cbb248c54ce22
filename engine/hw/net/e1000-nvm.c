/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The EEPROM of the 82540EM: its contents (manual chapter 5), the Microwire interface that software
 * drives bit by bit through EECD, and the read register EERD. The part is a 93C46: 64 words, 6
 * address bits; erase and write take no time.
 *
 * Software's writes last as long as the machine; the address comes from the property again with
 * the next. Thread: device lock held. */

#include "e1000.h"

#include <string.h>

enum {
    EECD_SK = 1 << 0,
    EECD_CS = 1 << 1,
    EECD_DI = 1 << 2,
    EECD_DO = 1 << 3,
    EECD_FWE = 3 << 4,
    EECD_REQ = 1 << 6,
    EECD_GNT = 1 << 7,
    EECD_PRES = 1 << 8,

    EERD_START = 1 << 0,
    EERD_DONE = 1 << 4,

    /* Microwire: start bit, two bits of operation, six of address. */
    COMMAND_BITS = 9,
    WRITE_BITS = COMMAND_BITS + 16,
    OP_EXTENDED = 0,
    OP_WRITE = 1,
    OP_READ = 2,
    OP_ERASE = 3,

    WORD_CONTROL1 = 0x0a,
    WORD_SUBSYSTEM_ID = 0x0b,
    WORD_SUBSYSTEM_VENDOR = 0x0c,
    WORD_DEVICE_ID = 0x0d,
    WORD_VENDOR_ID = 0x0e,
    WORD_CHECKSUM = 0x3f,
    CHECKSUM_TARGET = 0xbaba,
    /* Signature 01b, full duplex, load subsystem and device ids. */
    CONTROL1 = 0x4403,
};

void
e1000_eeprom_init(E1000 *nic)
{
    uint16_t *words = nic->eeprom.words;
    uint16_t sum = 0;

    memset(&nic->eeprom, 0, sizeof(nic->eeprom));
    for (unsigned i = 0; i < 3; i++) {
        words[i] = nic->mac[2 * i] | nic->mac[2 * i + 1] << 8;
    }
    words[WORD_CONTROL1] = CONTROL1;
    words[WORD_SUBSYSTEM_ID] = vit_pci_get16(&nic->pci, VIT_PCI_SUBSYSTEM_ID);
    words[WORD_SUBSYSTEM_VENDOR] = vit_pci_get16(&nic->pci, VIT_PCI_SUBSYSTEM_VENDOR_ID);
    words[WORD_DEVICE_ID] = vit_pci_get16(&nic->pci, VIT_PCI_DEVICE_ID);
    words[WORD_VENDOR_ID] = vit_pci_get16(&nic->pci, VIT_PCI_VENDOR_ID);
    for (unsigned i = 0; i < WORD_CHECKSUM; i++) {
        sum += words[i];
    }
    words[WORD_CHECKSUM] = CHECKSUM_TARGET - sum;
}

void
e1000_eeprom_reset(E1000 *nic)
{
    E1000Eeprom *eeprom = &nic->eeprom;

    nic->eecd = EECD_PRES | EECD_DO;
    nic->eerd = 0;
    eeprom->shift = eeprom->bits = eeprom->out_bits = 0;
    eeprom->out = 0;
    eeprom->data_out = true;
    eeprom->write_enabled = false;
}

static void
extended_command(E1000Eeprom *eeprom, unsigned selector)
{
    switch (selector) { /* the upper two bits of the address */
    case 0: eeprom->write_enabled = false; break;
    case 3: eeprom->write_enabled = true; break;
    case 2:
        if (eeprom->write_enabled) {
            memset(eeprom->words, 0xff, sizeof(eeprom->words));
        }
        break;
    default: break; /* write all: takes data, which no driver sends */
    }
}

/* One bit has come in. */
static void
take_bit(E1000Eeprom *eeprom, bool bit)
{
    if (eeprom->bits == 0 && !bit) {
        return; /* before the start bit */
    }
    eeprom->shift = eeprom->shift << 1 | bit;
    eeprom->bits++;
    unsigned operation = eeprom->shift >> 6 & 3, address = eeprom->shift & 63;
    if (eeprom->bits == COMMAND_BITS) {
        switch (operation) {
        case OP_READ:
            eeprom->out = eeprom->words[address];
            eeprom->out_bits = 16;
            eeprom->data_out = false; /* a zero goes before the data */
            break;
        case OP_ERASE:
            if (eeprom->write_enabled) {
                eeprom->words[address] = 0xffff;
            }
            break;
        case OP_EXTENDED: extended_command(eeprom, address >> 4); break;
        default: break;
        }
    } else if (eeprom->bits == WRITE_BITS && eeprom->write_enabled &&
               (eeprom->shift >> 22 & 3) == OP_WRITE) {
        eeprom->words[eeprom->shift >> 16 & 63] = eeprom->shift;
    }
}

/* The clock has risen. */
static void
clock_in(E1000Eeprom *eeprom, bool data_in)
{
    if (eeprom->out_bits > 0) {
        eeprom->out_bits--;
        eeprom->data_out = eeprom->out >> eeprom->out_bits & 1;
        if (eeprom->out_bits == 0) { /* a longer read goes on with the next word */
            eeprom->shift = (eeprom->shift & ~63u) | ((eeprom->shift + 1) & 63);
            eeprom->out = eeprom->words[eeprom->shift & 63];
            eeprom->out_bits = 16;
        }
    } else if (eeprom->bits < WRITE_BITS) {
        take_bit(eeprom, data_in);
    }
}

void
e1000_write_eecd(VitDevice *dev, const VitReg *reg, uint64_t value)
{
    E1000 *nic = (E1000 *)dev;
    uint32_t old = nic->eecd;

    nic->eecd = (value & (EECD_SK | EECD_CS | EECD_DI | EECD_FWE | EECD_REQ)) | EECD_PRES;
    if (nic->eecd & EECD_REQ) {
        nic->eecd |= EECD_GNT;
    }
    if (!(value & EECD_CS)) { /* ends the command; ready again at once */
        nic->eeprom.bits = nic->eeprom.out_bits = 0;
        nic->eeprom.shift = 0;
        nic->eeprom.data_out = true;
    } else if ((value & EECD_SK) && !(old & EECD_SK)) {
        clock_in(&nic->eeprom, value & EECD_DI);
    }
}

uint64_t
e1000_read_eecd(VitDevice *dev, const VitReg *reg)
{
    E1000 *nic = (E1000 *)dev;

    return (nic->eecd & ~EECD_DO) | (nic->eeprom.data_out ? EECD_DO : 0);
}

void
e1000_write_eerd(VitDevice *dev, const VitReg *reg, uint64_t value)
{
    E1000 *nic = (E1000 *)dev;
    unsigned address = value >> 8 & 0xff;

    nic->eerd = value & 0xff00;
    if (value & EERD_START) {
        uint32_t word = nic->eeprom.words[address % EEPROM_WORDS];
        nic->eerd |= EERD_START | EERD_DONE | word << 16;
    }
}
