/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The AHCI controller from the inside: ahci.c is the function and its registers, ahci-port.c runs
 * commands through the port's ATA channel, ahci-ncq.c runs queued ones. AHCI 1.3.1.
 * Thread: device lock held. */

#include "ide.h"

#include "vit-pci.h"
#include "vit-sg.h"

enum { AHCI_PORTS = 6, AHCI_SLOTS = 32 };

/* Port interrupt status and enable. */
enum {
    AHCI_IS_DHRS = 1 << 0,  /* register FIS */
    AHCI_IS_PSS = 1 << 1,   /* PIO setup FIS */
    AHCI_IS_SDBS = 1 << 3,  /* set device bits FIS */
    AHCI_IS_PCS = 1 << 6,   /* connect change */
    AHCI_IS_OFS = 1 << 24,  /* overflow */
    AHCI_IS_HBFS = 1 << 29, /* bad memory */
    AHCI_IS_TFES = 1 << 30, /* the task file shows an error */
};

/* Port command register. */
enum {
    AHCI_CMD_ST = 1 << 0,
    AHCI_CMD_SUD = 1 << 1,
    AHCI_CMD_POD = 1 << 2,
    AHCI_CMD_CLO = 1 << 3,
    AHCI_CMD_FRE = 1 << 4,
    AHCI_CMD_FR = 1 << 14,
    AHCI_CMD_CR = 1 << 15,
    AHCI_CMD_ATAPI = 1 << 24,
};

/* Where received FISes go. */
enum { AHCI_FIS_PIO = 0x20, AHCI_FIS_D2H = 0x40, AHCI_FIS_SDB = 0x58 };

typedef struct Ahci Ahci;
typedef struct AhciPort AhciPort;

/* A slot of the command list. */
typedef struct AhciHeader {
    uint64_t table;  /* guest address of the command table */
    uint64_t header; /* of this header */
    uint16_t prd_count;
    uint8_t fis_len_bytes;
    bool is_atapi, is_write;
} AhciHeader;

/* Position in a list of physical regions. */
typedef struct AhciPrd {
    uint32_t index, offset_bytes, moved_bytes;
} AhciPrd;

typedef struct AhciNcq {
    AhciPort *port;
    uint8_t slot;
    bool is_read, fua, active;
    uint64_t offset, len_bytes;
    VitSg sg;
} AhciNcq;

/* Without holes, so that arrays of it can be checked for undeclared members. */
struct AhciPort {
    Ahci *ahci;
    IdeBus ide;
    uint64_t list, fis; /* guest addresses */
    uint32_t interrupt_status, interrupt_enable, command, task_file, signature, sata_status,
        sata_control, sata_error, sata_active, command_issue;
    /* the command under way */
    AhciPrd prd, mark;
    uint32_t ncq_waiting; /* queued commands that an error stopped */
    uint8_t slot;
    bool busy;              /* slot is being carried out */
    bool stuck;             /* after an error, until ST is cleared */
    bool want_packet;       /* the drive's next block is the command packet */
    uint64_t ncq_error_lba; /* what log 10h says */
    uint8_t ncq_error_tag, ncq_error_status;
    uint8_t number;
    /* not saved */
    bool in_block, more_blocks, ended;
    uint16_t issue_depth;
    AhciNcq *ncq; /* AHCI_SLOTS of them */
};

struct Ahci {
    VitPciDevice pci;
    VitRegion abar;
    uint32_t host_control, interrupt_status;
    AhciPort ports[AHCI_PORTS];
    bool msi_level;
};

static inline IdeDevice *
ahci_device(const AhciPort *port)
{
    return port->ide.devices[0];
}

static inline VitAddressSpace *
ahci_space(const AhciPort *port)
{
    return ((VitPciBus *)port->ahci->pci.dev.bus)->dma;
}

/* ---- ahci.c ---- */

/* Sets bits of the port's interrupt status and brings the line up to date. */
void ahci_port_interrupt(AhciPort *port, uint32_t bits);

/* ---- ahci-port.c ---- */

extern const IdeHostOps ahci_ide_ops;
uint32_t ahci_port_read(AhciPort *port, unsigned at);
void ahci_port_write(AhciPort *port, unsigned at, uint32_t value);
/* A link that comes up: the device's signature is received. */
void ahci_port_reset(AhciPort *port, bool with_registers);
/* Waits for what is in flight and lets go of it. */
void ahci_port_quiesce(AhciPort *port);
bool ahci_port_can_dma(const AhciPort *port);
AhciHeader ahci_port_header(const AhciPort *port, unsigned slot);
/* Entry INDEX of a command's list of physical regions. */
bool ahci_prd_entry(const AhciPort *port, const AhciHeader *header, uint32_t index,
                    uint64_t *out_address, uint32_t *out_len);
void ahci_port_write_fis(AhciPort *port, unsigned at, const uint8_t *fis, unsigned len);
/* Starts what is issued. */
void ahci_port_run(AhciPort *port);

/* ---- ahci-ncq.c ---- */

bool ahci_is_queued(uint8_t command);
/* Takes a queued command; its end is told by a set device bits FIS. */
void ahci_ncq_start(AhciPort *port, unsigned slot, const AhciHeader *header, const uint8_t fis[20]);
void ahci_ncq_drop(AhciPort *port);
/* Repeats what an error stopped. */
void ahci_ncq_resume(AhciPort *port);
/* READ LOG EXT, page 10h. */
void ahci_ncq_fill_log(const AhciPort *port, uint8_t out[512]);
bool ahci_ncq_in_flight(const AhciPort *port);
