/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A PCI bus with the PIIX3 IDE function, 2 MiB of RAM, images in a temporary folder, and the
 * accesses a driver makes. */

#include "block-test.h"
#include "ide/piix3-ide.h"
#include "test-platform.h"

enum {
    IDE_DATA = 0x1f0,
    IDE_FEATURE = 0x1f1,
    IDE_COUNT = 0x1f2,
    IDE_LBA0 = 0x1f3,
    IDE_LBA1 = 0x1f4,
    IDE_LBA2 = 0x1f5,
    IDE_DEVICE = 0x1f6,
    IDE_COMMAND = 0x1f7,
    IDE_STATUS = 0x1f7,
    IDE_CONTROL = 0x3f6,
    BM_BASE = 0xc000,
    FIXTURE_RAM_BYTES = 2 << 20,
    PRD_AT = 0x1000,
    FIXTURE_DISK_SECTORS = 4096,
    FIXTURE_DISK_BYTES = FIXTURE_DISK_SECTORS * 512,
};

typedef struct IdeFixture {
    TestPlatform test;
    BlockTest block;
    VitPciBus bus;
    VitRamBlock *ram;
    VitRegion ram_region;
    VitDevice *controller, *devices[4]; /* disk or CD at channel * 2 + unit */
    VitDrive *drives[4];
    int irq[2];
    unsigned irq_count[2];
} IdeFixture;

void ide_fixture_init(IdeFixture *f);
/* With a disk of that size at place 0, the image "disk"; PROPS as below. */
void ide_fixture_init_disk(IdeFixture *f, const char *props);
void ide_fixture_finish(IdeFixture *f);
/* Puts KIND at PLACE (channel * 2 + unit) with a drive on FILENAME (NULL: empty), opened with
 * OPTIONS. PROPS: "name=value,...", may be NULL. */
VitDevice *ide_fixture_add(IdeFixture *f, const VitDeviceKind *kind, unsigned place,
                           const char *filename, const char *options, const char *props);
/* Polls until BSY is clear; gives the status. */
uint8_t ide_wait(IdeFixture *f);
/* Sets up and issues an LBA28 command on device 0. */
void ide_command(IdeFixture *f, uint8_t command, uint32_t lba, uint8_t count);
void ide_command_ext(IdeFixture *f, uint8_t command, uint64_t lba, uint16_t count);
void ide_read_block(IdeFixture *f, void *buf, size_t len);
void ide_write_block(IdeFixture *f, const void *buf, size_t len);
/* One entry of the list at PRD_AT. */
void ide_set_prd(IdeFixture *f, unsigned n, uint32_t address, uint32_t len, bool last);
void ide_start_dma(IdeFixture *f, bool to_memory);
/* Polls until there is an interrupt or the engine has stopped; gives the bus-master status. */
uint8_t ide_wait_dma(IdeFixture *f);
/* Sends a packet to device 0 of channel 0 and waits. */
uint8_t ide_packet(IdeFixture *f, const uint8_t packet[12], uint16_t limit, bool dma);
/* Takes all of a packet's data by programmed I/O; gives its length. */
size_t ide_take_reply(IdeFixture *f, uint8_t *buf, size_t max);
