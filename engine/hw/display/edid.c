/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* EDID 1.4 base block: preferred timing with reduced blanking, established and standard timings,
 * range limits and a name.
 *
 * VESA E-EDID Standard A.2, sections 3.3 to 3.11; VESA CVT 1.1 for reduced blanking. Deviation:
 * modes beyond 4095 pixels need an extension block, which is not made: the preferred timing stays
 * below. Thread: any. */

#include "edid.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

enum {
    DEFAULT_REFRESH_MHZ = 60000,
    DOTS_PER_INCH = 100,
    RB_H_BLANK = 160,
    RB_H_FRONT = 48,
    RB_H_SYNC = 32,
    RB_V_FRONT = 3,
    RB_V_SYNC = 6,
    RB_MIN_V_BLANK_US = 460,
    MAX_PIXEL_CLOCK_10KHZ = 65535,
};

/* In the order of their bits, from bit 7 of byte 35 on; gaps are timings of other rates. */
static const struct {
    uint8_t byte, bit;
    uint16_t width, height;
} established[] = {
    { 35, 5, 640, 480 },
    { 35, 0, 800, 600 },
    { 36, 3, 1024, 768 },
};

static const struct {
    uint16_t width, height;
    uint8_t aspect; /* 0 16:10, 1 4:3, 2 5:4, 3 16:9 */
} standard[] = {
    { 1920, 1080, 3 }, { 1920, 1200, 0 }, { 1680, 1050, 0 }, { 1600, 1200, 1 },
    { 1600, 900, 3 },  { 1440, 900, 0 },  { 1280, 1024, 2 }, { 1280, 720, 3 },
};

static bool
fits(const VitEdid *edid, uint32_t width, uint32_t height)
{
    return (!edid->max_width || width <= edid->max_width) &&
           (!edid->max_height || height <= edid->max_height);
}

static uint32_t
to_mm(uint32_t pixels)
{
    return pixels * 254 / (DOTS_PER_INCH * 10);
}

/* sRGB primaries and white point, in 1/1024. */
static void
put_chromaticity(uint8_t *block)
{
    static const unsigned xy[8] = { 655, 338, 307, 614, 154, 61, 320, 337 };

    for (unsigned i = 0; i < 8; i++) {
        block[25 + i / 4] |= (xy[i] & 3) << (6 - 2 * (i % 4));
        block[27 + i] = xy[i] >> 2;
    }
}

static void
put_detailed_timing(uint8_t *at, uint32_t width, uint32_t height, uint32_t refresh_mhz)
{
    /* Enough blank lines for the minimum blanking time at this rate. */
    double line_us = (1e9 / refresh_mhz - RB_MIN_V_BLANK_US) / height;
    uint32_t v_blank =
        MAX((uint32_t)(RB_MIN_V_BLANK_US / line_us) + 1, (uint32_t)(RB_V_FRONT + RB_V_SYNC + 6));
    uint64_t clock_10khz =
        (uint64_t)(width + RB_H_BLANK) * (height + v_blank) * refresh_mhz / 10000000;
    uint32_t mm_wide = to_mm(width), mm_high = to_mm(height);

    clock_10khz = MIN(clock_10khz, MAX_PIXEL_CLOCK_10KHZ);
    at[0] = clock_10khz;
    at[1] = clock_10khz >> 8;
    at[2] = width;
    at[3] = RB_H_BLANK;
    at[4] = (width >> 8) << 4 | RB_H_BLANK >> 8;
    at[5] = height;
    at[6] = v_blank;
    at[7] = (height >> 8) << 4 | v_blank >> 8;
    at[8] = RB_H_FRONT;
    at[9] = RB_H_SYNC;
    at[10] = RB_V_FRONT << 4 | RB_V_SYNC;
    at[11] = 0;
    at[12] = mm_wide;
    at[13] = mm_high;
    at[14] = (mm_wide >> 8) << 4 | mm_high >> 8;
    at[17] = 0x1a; /* separate sync, horizontal positive, vertical negative */
}

static void
put_descriptor(uint8_t *at, uint8_t tag, const void *data, unsigned len)
{
    at[3] = tag;
    memset(at + 5, ' ', 13);
    memcpy(at + 5, data, len);
    if (len < 13) {
        at[5 + len] = '\n';
    }
}

static void
put_standard_timings(const VitEdid *edid, uint8_t *block)
{
    unsigned n = 0;

    memset(block + 38, 0x01, 16);
    for (unsigned i = 0; i < G_N_ELEMENTS(standard) && n < 8; i++) {
        if (fits(edid, standard[i].width, standard[i].height)) {
            block[38 + 2 * n] = standard[i].width / 8 - 31;
            block[39 + 2 * n] = standard[i].aspect << 6; /* + 60 Hz */
            n++;
        }
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(established); i++) {
        if (fits(edid, established[i].width, established[i].height)) {
            block[established[i].byte] |= 1u << established[i].bit;
        }
    }
}

void
vit_edid_build(const VitEdid *edid, uint8_t block[VIT_EDID_BYTES])
{
    static const char name[] = "Vitrine";
    static const uint8_t limits[] = { 50, 125, 30, 160, 0xff, 0x01 };
    uint32_t width = CLAMP(edid->width, 64, VIT_EDID_MAX_SIZE);
    uint32_t height = CLAMP(edid->height, 64, VIT_EDID_MAX_SIZE);
    uint32_t refresh_mhz =
        edid->refresh_mhz ? CLAMP(edid->refresh_mhz, 10000, 500000) : DEFAULT_REFRESH_MHZ;
    uint8_t sum = 0;

    memset(block, 0, VIT_EDID_BYTES);
    memset(block + 1, 0xff, 6);
    /* maker "VIT": five bits a letter */
    block[8] = ('V' - '@') << 2 | ('I' - '@') >> 3;
    block[9] = (('I' - '@') << 5 | ('T' - '@')) & 0xff;
    block[10] = 0x01; /* product */
    block[16] = 1;    /* week */
    block[17] = 2026 - 1990;
    block[18] = 1;
    block[19] = 4;
    block[20] = 0xa5; /* digital, 8 bits a colour, DisplayPort */
    block[21] = MIN(to_mm(width) / 10, 255);
    block[22] = MIN(to_mm(height) / 10, 255);
    block[23] = 120;  /* gamma 2.2 */
    block[24] = 0x06; /* sRGB, the first timing is the native one */
    put_chromaticity(block);
    put_standard_timings(edid, block);
    put_detailed_timing(block + 54, width, height, refresh_mhz);
    put_descriptor(block + 72, 0xfd, limits, sizeof(limits));
    put_descriptor(block + 90, 0xfc, name, sizeof(name) - 1);
    put_descriptor(block + 108, 0x10, "", 0);
    memset(block + 113, 0, 13); /* a dummy descriptor holds zeros */
    for (unsigned i = 0; i < VIT_EDID_BYTES - 1; i++) {
        sum += block[i];
    }
    block[VIT_EDID_BYTES - 1] = -sum;
}
