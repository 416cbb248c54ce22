/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Master of the first IDE channel by programmed I/O. ATA/ATAPI-6: IDENTIFY DEVICE 8.15, READ
 * SECTOR(S) 8.34, WRITE SECTOR(S) 8.62, FLUSH CACHE 8.12. */

#include "demo.h"

enum {
    BASE = 0x1f0,
    STATUS_BUSY = 0x80,
    STATUS_REQUEST = 0x08,
    STATUS_ERROR = 0x01,
    COMMAND_READ = 0x20,
    COMMAND_WRITE = 0x30,
    COMMAND_FLUSH = 0xe7,
    COMMAND_IDENTIFY = 0xec,
    WORDS = 256,
    /* Status reads, of a third of a microsecond at least: ten seconds, as the host may be busy. */
    PATIENCE = 30000000,
};

static bool
wait_not_busy(uint8_t *out_status)
{
    for (unsigned i = 0; i < PATIENCE; i++) {
        uint8_t status = in8(BASE + 7);

        if (status == 0xff || status == 0) {
            return false; /* nobody drives the bus */
        }
        if (!(status & STATUS_BUSY)) {
            *out_status = status;
            return true;
        }
    }
    return false;
}

static bool
start(uint8_t command, uint32_t sector)
{
    uint8_t status;

    out8(BASE + 6, 0xe0 | (sector >> 24 & 15));
    out8(BASE + 2, 1);
    out8(BASE + 3, sector);
    out8(BASE + 4, sector >> 8);
    out8(BASE + 5, sector >> 16);
    out8(BASE + 7, command);
    return wait_not_busy(&status) && (status & STATUS_REQUEST) && !(status & STATUS_ERROR);
}

static void
read_words(uint16_t *to)
{
    for (unsigned i = 0; i < WORDS; i++) {
        to[i] = in16(BASE);
    }
}

bool
disk_identify(char out_model[41], uint32_t *out_sectors)
{
    uint16_t words[WORDS];

    if (!start(COMMAND_IDENTIFY, 0)) {
        return false;
    }
    read_words(words);
    for (unsigned i = 0; i < 20; i++) {
        out_model[i * 2] = words[27 + i] >> 8;
        out_model[i * 2 + 1] = words[27 + i];
    }
    out_model[40] = '\0';
    for (int i = 39; i >= 0 && out_model[i] == ' '; i--) {
        out_model[i] = '\0';
    }
    *out_sectors = words[60] | (uint32_t)words[61] << 16;
    return true;
}

bool
disk_read(uint32_t sector, void *buffer)
{
    if (!start(COMMAND_READ, sector)) {
        return false;
    }
    read_words(buffer);
    return true;
}

bool
disk_write(uint32_t sector, const void *buffer)
{
    const uint16_t *words = buffer;
    uint8_t status;

    if (!start(COMMAND_WRITE, sector)) {
        return false;
    }
    for (unsigned i = 0; i < WORDS; i++) {
        out16(BASE, words[i]);
    }
    if (!wait_not_busy(&status) || (status & STATUS_ERROR)) {
        return false;
    }
    out8(BASE + 7, COMMAND_FLUSH);
    return wait_not_busy(&status) && !(status & STATUS_ERROR);
}
