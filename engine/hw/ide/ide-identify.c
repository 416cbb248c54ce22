/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What devices say of themselves: IDENTIFY DEVICE and IDENTIFY PACKET DEVICE.
 *
 * ATA/ATAPI-6 (T13 1410D) sections 8.15 and 8.16; words 106, 169 and 217 as ACS-2 (T13 2015D)
 * section 7.18. Thread: device lock held. */

#include "ide.h"

#include <string.h>

enum {
    WORD_GENERAL = 0,
    WORD_CYLINDERS = 1,
    WORD_HEADS = 3,
    WORD_SECTORS = 6,
    WORD_SERIAL = 10,
    WORD_BUFFER_TYPE = 20,
    WORD_FIRMWARE = 23,
    WORD_MODEL = 27,
    WORD_MULTIPLE_MAX = 47,
    WORD_DWORD_IO = 48,
    WORD_CAPABILITIES = 49,
    WORD_CAPABILITIES_2 = 50,
    WORD_PIO_TIMING = 51,
    WORD_VALID = 53,
    WORD_CURRENT_CHS = 54,
    WORD_CURRENT_CAPACITY = 57,
    WORD_MULTIPLE = 59,
    WORD_LBA28_SECTORS = 60,
    WORD_MWDMA = 63,
    WORD_PIO_MODES = 64,
    WORD_CYCLE_TIMES = 65, /* four words */
    WORD_ADDITIONAL = 69,
    WORD_QUEUE_DEPTH = 75,
    WORD_SATA = 76,
    WORD_MAJOR_VERSION = 80,
    WORD_MINOR_VERSION = 81,
    WORD_SUPPORTED = 82, /* three words */
    WORD_ENABLED = 85,   /* three words */
    WORD_UDMA = 88,
    WORD_HARDWARE_RESET = 93,
    WORD_LBA48_SECTORS = 100,
    WORD_SECTOR_SIZE = 106,
    WORD_WWN = 108,
    WORD_TRIM = 169,
    WORD_ROTATION_RATE = 217,
};

enum {
    CAPABILITY_IORDY = 1u << 11,
    CAPABILITY_IORDY_DISABLE = 1u << 10,
    CAPABILITY_LBA = 1u << 9,
    CAPABILITY_DMA = 1u << 8,
    /* word 82 and 85 */
    FEATURE_NOP = 1u << 14,
    FEATURE_LOOK_AHEAD = 1u << 6,
    FEATURE_WRITE_CACHE = 1u << 5,
    FEATURE_PACKET = 1u << 4,
    FEATURE_POWER = 1u << 3,
    FEATURE_SMART = 1u << 0,
    /* word 83 and 86 */
    FEATURE_FLUSH_EXT = 1u << 13,
    FEATURE_FLUSH = 1u << 12,
    FEATURE_LBA48 = 1u << 10,
    /* word 84 and 87 */
    FEATURE_WWN = 1u << 8,
    FEATURE_LOGS = 1u << 5,
    FEATURE_SMART_LOG = 1u << 0,
    VALID_WORD = 1u << 14,
    MAX_UDMA = 5,
    MAX_MWDMA = 2,
    MAX_MULTIPLE = 16,
    CYCLE_NS = 120,
};

static void
put(uint8_t *out, unsigned word, uint32_t value)
{
    out[2 * word] = (uint8_t)value;
    out[2 * word + 1] = (uint8_t)(value >> 8);
}

static void
put32(uint8_t *out, unsigned word, uint32_t value)
{
    put(out, word, value);
    put(out, word + 1, value >> 16);
}

/* Two characters a word, first one in the high byte, padded with blanks. */
static void
put_text(uint8_t *out, unsigned word, const char *text, unsigned len)
{
    for (unsigned i = 0; i < len; i++) {
        char c = *text ? *text++ : ' ';
        out[2 * word + (i ^ 1)] = c >= 0x20 && c < 0x7f ? (uint8_t)c : '?';
    }
}

/* Bits 0..MAX supported, the selected one in the high byte. CLASS is that of SET FEATURES 03h. */
static uint16_t
dma_word(const IdeDevice *ide, uint8_t class, unsigned max)
{
    uint16_t word = (uint16_t)((1u << (max + 1)) - 1);

    if ((ide->dma_mode & 0xf8) == class && (ide->dma_mode & 7) <= max) {
        word |= (uint16_t)(1u << (8 + (ide->dma_mode & 7)));
    }
    return word;
}

static void
put_common(IdeDevice *ide, uint8_t *out)
{
    memset(out, 0, IDE_SECTOR_BYTES);
    put_text(out, WORD_SERIAL, ide->serial, 20);
    put_text(out, WORD_FIRMWARE, ide->firmware, 8);
    put_text(out, WORD_MODEL, ide->model, 40);
    put(out, WORD_BUFFER_TYPE, 3);
    put(out, WORD_BUFFER_TYPE + 1, 512); /* buffer, in sectors */
    put(out, WORD_DWORD_IO, 1);
    put(out, WORD_PIO_TIMING, 0x200);
    put(out, WORD_PIO_TIMING + 1, 0x200);
    put(out, WORD_MWDMA, dma_word(ide, 0x20, MAX_MWDMA));
    put(out, WORD_PIO_MODES, 3); /* PIO 3 and 4 */
    for (unsigned i = 0; i < 4; i++) {
        put(out, WORD_CYCLE_TIMES + i, CYCLE_NS);
    }
    put(out, WORD_MAJOR_VERSION, 0x70); /* ATA/ATAPI-4 to -6 */
    put(out, WORD_MINOR_VERSION, 0x18); /* ATA/ATAPI-6 T13 1410D revision 0 */
    put(out, WORD_UDMA, dma_word(ide, 0x40, MAX_UDMA));
    /* 80-wire cable; this device passed and found its number by the jumper. */
    put(out, WORD_HARDWARE_RESET, VALID_WORD | 0x2000 | (ide->number ? 0x0b00 : 0x000b));
}

static void
put_geometry(const IdeDevice *ide, uint8_t *out)
{
    const VitDriveGeometry *chs = &ide->geometry;
    uint32_t track = (uint32_t)ide->current_heads * ide->current_sectors;
    uint64_t sectors = ide->drive->ops->get_len(ide->drive) / IDE_SECTOR_BYTES;
    uint64_t reach = (uint64_t)chs->cylinders * chs->heads * chs->sectors;
    uint32_t cylinders = track ? (uint32_t)MIN(reach / track, 65535) : 0;

    put(out, WORD_CYLINDERS, chs->cylinders);
    put(out, WORD_HEADS, chs->heads);
    put(out, WORD_SECTORS, chs->sectors);
    put(out, WORD_CURRENT_CHS, cylinders);
    put(out, WORD_CURRENT_CHS + 1, ide->current_heads);
    put(out, WORD_CURRENT_CHS + 2, ide->current_sectors);
    put32(out, WORD_CURRENT_CAPACITY, cylinders * track);
    put32(out, WORD_LBA28_SECTORS, (uint32_t)MIN(sectors, 0x0fffffff));
    put32(out, WORD_LBA48_SECTORS, (uint32_t)sectors);
    put32(out, WORD_LBA48_SECTORS + 2, (uint32_t)(sectors >> 32));
}

static void
put_sector_size(const IdeDevice *ide, uint8_t *out)
{
    unsigned exponent = 0;

    while (exponent < 15 && (IDE_SECTOR_BYTES << exponent) < ide->physical_block_bytes) {
        exponent++;
    }
    if (exponent > 0) {
        put(out, WORD_SECTOR_SIZE, VALID_WORD | 0x2000 | exponent);
    }
}

static void
put_wwn(const IdeDevice *ide, uint8_t *out)
{
    for (unsigned i = 0; i < 4; i++) {
        put(out, WORD_WWN + i, (uint16_t)(ide->wwn >> (48 - 16 * i)));
    }
}

void
ide_identify_disk(IdeDevice *ide, uint8_t *out)
{
    unsigned wwn = ide->wwn ? FEATURE_WWN : 0;
    unsigned supported =
        FEATURE_NOP | FEATURE_LOOK_AHEAD | FEATURE_WRITE_CACHE | FEATURE_POWER | FEATURE_SMART;
    unsigned enabled = FEATURE_NOP | FEATURE_POWER | (ide->smart_on ? FEATURE_SMART : 0) |
                       (ide->write_cache_on ? FEATURE_WRITE_CACHE : 0) |
                       (ide->read_look_ahead ? FEATURE_LOOK_AHEAD : 0);
    unsigned commands = FEATURE_FLUSH_EXT | FEATURE_FLUSH | FEATURE_LBA48;
    unsigned more = wwn | (ide->bus->is_sata ? FEATURE_LOGS : 0);

    put_common(ide, out);
    put_geometry(ide, out);
    put(out, WORD_GENERAL, 0x0040); /* fixed disk */
    put(out, WORD_MULTIPLE_MAX, 0x8000 | MAX_MULTIPLE);
    put(out, WORD_CAPABILITIES,
        CAPABILITY_IORDY | CAPABILITY_IORDY_DISABLE | CAPABILITY_LBA | CAPABILITY_DMA);
    put(out, WORD_CAPABILITIES_2, VALID_WORD);
    put(out, WORD_VALID, 7); /* words 54-58, 64-70 and 88 */
    put(out, WORD_MULTIPLE, ide->multiple ? 0x100u | ide->multiple : 0);
    put(out, WORD_SUPPORTED, supported);
    put(out, WORD_SUPPORTED + 1, VALID_WORD | commands);
    put(out, WORD_SUPPORTED + 2, VALID_WORD | more);
    put(out, WORD_ENABLED, enabled);
    put(out, WORD_ENABLED + 1, commands);
    put(out, WORD_ENABLED + 2, VALID_WORD | more);
    if (ide->bus->is_sata) {
        put(out, WORD_QUEUE_DEPTH, 31);
        put(out, WORD_SATA, 1u << 8 | 1u << 2 | 1u << 1); /* queueing, 3 and 1.5 Gbit/s */
    }
    put_sector_size(ide, out);
    put_wwn(ide, out);
    put(out, WORD_TRIM, 1);
    put(out, WORD_ROTATION_RATE, ide->rotation_rate);
}

void
ide_identify_packet(IdeDevice *ide, uint8_t *out)
{
    unsigned wwn = ide->wwn ? FEATURE_WWN : 0;

    put_common(ide, out);
    /* CD-ROM, removable, DRQ within 50 us of PACKET, 12-byte packets */
    put(out, WORD_GENERAL, 0x8000 | 0x0500 | 0x0080 | 0x0040);
    put(out, WORD_CAPABILITIES, CAPABILITY_IORDY | CAPABILITY_LBA | CAPABILITY_DMA);
    put(out, WORD_VALID, 6); /* words 64-70 and 88 */
    put(out, 71, 30);        /* ns from PACKET to bus release, */
    put(out, 72, 30);        /* and from SERVICE to BSY clear */
    put(out, WORD_SUPPORTED, FEATURE_NOP | FEATURE_PACKET | FEATURE_POWER | 1u << 9);
    put(out, WORD_SUPPORTED + 1, VALID_WORD);
    put(out, WORD_SUPPORTED + 2, VALID_WORD | wwn);
    put(out, WORD_ENABLED, FEATURE_NOP | FEATURE_PACKET | FEATURE_POWER | 1u << 9);
    put(out, WORD_ENABLED + 2, VALID_WORD | wwn);
    put_wwn(ide, out);
}
