/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* NCR/LSI 53C8xx from the inside: lsi53c8xx.c has registers, interrupts and the devices,
 * lsi53c8xx-script.c the SCRIPTS processor. LSI53C895A PCI to Ultra2 SCSI Controller Technical
 * Manual; register names are the manual's. Thread: device lock held. */

#include "scsi-parallel.h"
#include "vit-clock.h"
#include "vit-pci.h"

enum {
    LSI_REGISTERS = 256,
    LSI_RAM_BYTES = 8192,

    LSI_SCNTL0 = 0x00,
    LSI_SCNTL1 = 0x01,
    LSI_SCNTL2 = 0x02,
    LSI_SCNTL3 = 0x03,
    LSI_SXFER = 0x05,
    LSI_SDID = 0x06,
    LSI_GPREG = 0x07,
    LSI_SFBR = 0x08,
    LSI_SOCL = 0x09,
    LSI_SSID = 0x0a,
    LSI_SBCL = 0x0b,
    LSI_DSTAT = 0x0c,
    LSI_SSTAT0 = 0x0d,
    LSI_SSTAT1 = 0x0e,
    LSI_SSTAT2 = 0x0f,
    LSI_DSA = 0x10,
    LSI_ISTAT0 = 0x14,
    LSI_ISTAT1 = 0x15,
    LSI_CTEST1 = 0x19,
    LSI_CTEST2 = 0x1a,
    LSI_CTEST3 = 0x1b,
    LSI_TEMP = 0x1c,
    LSI_DFIFO = 0x20,
    LSI_CTEST5 = 0x22,
    LSI_DBC = 0x24, /* 3 bytes, then */
    LSI_DCMD = 0x27,
    LSI_DNAD = 0x28,
    LSI_DSP = 0x2c,
    LSI_DSPS = 0x30,
    LSI_DMODE = 0x38,
    LSI_DIEN = 0x39,
    LSI_DCNTL = 0x3b,
    LSI_ADDER = 0x3c,
    LSI_SIEN0 = 0x40,
    LSI_SIEN1 = 0x41,
    LSI_SIST0 = 0x42,
    LSI_SIST1 = 0x43,
    LSI_MACNTL = 0x46,
    LSI_STIME1 = 0x49,
    LSI_STEST1 = 0x4d,
    LSI_STEST3 = 0x4f,
    LSI_STEST4 = 0x52,
    LSI_CCNTL0 = 0x56,
    LSI_CCNTL1 = 0x57,
    LSI_SBDL = 0x58,
    LSI_SCRATCHC = 0x60,
    LSI_MMRS = 0xa0,
    LSI_MMWS = 0xa4,
    LSI_SFS = 0xa8,
    LSI_DRS = 0xac,
    LSI_SBMS = 0xb0,
    LSI_DBMS = 0xb4,
    LSI_PMJAD1 = 0xc0,
    LSI_PMJAD2 = 0xc4,
    LSI_RBC = 0xc8,
    LSI_UA = 0xcc,
    LSI_ESA = 0xd0,
    LSI_IA = 0xd4,
    LSI_SBC = 0xd8, /* 3 bytes */
    LSI_CSBC = 0xdc,

    LSI_SCNTL1_CON = 1 << 4,
    LSI_SCNTL1_RST = 1 << 3,
    LSI_SCNTL2_WSR = 1 << 0,
    LSI_SOCL_ATN = 1 << 3,
    LSI_SOCL_ACK = 1 << 6,
    LSI_DSTAT_DFE = 1 << 7,
    LSI_DSTAT_ABRT = 1 << 4,
    LSI_DSTAT_SSI = 1 << 3,
    LSI_DSTAT_SIR = 1 << 2,
    LSI_DSTAT_IID = 1 << 0,
    LSI_SSTAT0_RST = 1 << 1,
    LSI_ISTAT0_ABRT = 1 << 7,
    LSI_ISTAT0_SRST = 1 << 6,
    LSI_ISTAT0_SIGP = 1 << 5,
    LSI_ISTAT0_SEM = 1 << 4,
    LSI_ISTAT0_CON = 1 << 3,
    LSI_ISTAT0_INTF = 1 << 2,
    LSI_ISTAT0_SIP = 1 << 1,
    LSI_ISTAT0_DIP = 1 << 0,
    LSI_DMODE_MAN = 1 << 0,
    LSI_DCNTL_SSM = 1 << 4,
    LSI_DCNTL_STD = 1 << 2,
    LSI_SIST0_MA = 1 << 7,
    LSI_SIST0_CMP = 1 << 6,
    LSI_SIST0_SEL = 1 << 5,
    LSI_SIST0_RSL = 1 << 4,
    LSI_SIST0_UDC = 1 << 2,
    LSI_SIST0_RST = 1 << 1,
    LSI_SIST1_STO = 1 << 2,
    LSI_SIST1_GEN = 1 << 1,
    LSI_SIST1_HTH = 1 << 0,
    LSI_CCNTL0_ENPMJ = 1 << 7,
    LSI_CCNTL0_PMJCTL = 1 << 6,
    LSI_CCNTL0_ENNDJ = 1 << 5,
    LSI_CCNTL1_64TIMOD = 1 << 2,
    LSI_CCNTL1_EN64TIBMV = 1 << 1,
    LSI_CCNTL1_EN64DBMV = 1 << 0,
};

typedef enum LsiWait { LSI_WAIT_NOTHING, LSI_WAIT_PHASE, LSI_WAIT_RESELECT } LsiWait;

typedef struct Lsi {
    VitPciDevice pci;
    /* the guest's */
    uint8_t regs[LSI_REGISTERS];
    uint8_t ram[LSI_RAM_BYTES];
    bool script_runs; /* fetching, or waiting as WAIT says */
    uint8_t wait;     /* LsiWait */
    bool carry;
    bool selects_nobody; /* which the next instruction that waits for a phase will tell */
    bool mismatch_waits; /* a move has moved all it could; its mismatch follows */
    VitTimer general;    /* STIME1 */
    ScsiParallel parallel;
    /* wiring */
    VitTimer later;  /* the script goes on, after others had their turn */
    bool is_running; /* further out */
    uint32_t done_in_burst;
    bool has_ram;
    VitRegion io_region, memory_region, ram_region;
    ScsiBus bus;
} Lsi;

uint32_t lsi_get32(const Lsi *lsi, unsigned at);
void lsi_set32(Lsi *lsi, unsigned at, uint32_t value);
uint8_t lsi_read_register(Lsi *lsi, unsigned at);
void lsi_write_register(Lsi *lsi, unsigned at, uint8_t value);

/* Raise bits of DSTAT; of SIST0 and SIST1. The script ends unless they are of those that tell of
 * something else. */
void lsi_dma_interrupt(Lsi *lsi, uint8_t bits);
void lsi_scsi_interrupt(Lsi *lsi, uint8_t bits0, uint8_t bits1);
void lsi_update_interrupt(Lsi *lsi);

/* Goes on at DSP until the script ends or has to wait. */
void lsi_run_script(Lsi *lsi);
