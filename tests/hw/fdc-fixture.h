/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The floppy controller on an ISA bus, a DMA channel that exists only here, images in a temporary
 * folder, and what a driver does with them. */

#include "block-test.h"
#include "floppy/fdc82077.h"
#include "test-platform.h"
#include "vit-isa.h"

enum {
    FDC_DOR = 0x3f2,
    FDC_MSR = 0x3f4,
    FDC_DSR = 0x3f4,
    FDC_DATA = 0x3f5,
    FDC_DIR = 0x3f7,
    FDC_CCR = 0x3f7,
    FDC_DISK_BYTES = 2880 * 512,
};

typedef struct FdcFixture {
    TestPlatform test;
    BlockTest block;
    VitIsaBus isa;
    VitDevice *fdc, *floppies[2];
    VitDrive *drives[2];
    int irq;
    unsigned irq_count;
    /* the DMA channel */
    uint8_t memory[128 * 1024];
    size_t at, left;
    bool ready, request;
} FdcFixture;

void fdc_fixture_init(FdcFixture *f);
/* A drive with FILENAME in it (NULL: empty), opened with OPTIONS; TYPE NULL: auto. */
void fdc_fixture_add(FdcFixture *f, unsigned unit, const char *filename, const char *options,
                     const char *type);
/* With a 1.44 MB disk in drive 0, the image "floppy", ready for commands. */
void fdc_fixture_init_disk(FdcFixture *f);
void fdc_fixture_finish(FdcFixture *f);
/* The channel has LEN bytes to move and is ready. */
void fdc_set_dma(FdcFixture *f, size_t len);

/* ---- what a driver does ---- */

/* Reset, motor on, 500 kbit/s, DMA. */
void fdc_start(FdcFixture *f);
void fdc_send(FdcFixture *f, const uint8_t *bytes, unsigned len);
#define FDC_SEND(f, ...)                          \
    do {                                          \
        const uint8_t bytes_[] = { __VA_ARGS__ }; \
        fdc_send(f, bytes_, sizeof(bytes_));      \
    } while (0)

/* Takes all result bytes; gives their number, at most 10. */
unsigned fdc_get_result(FdcFixture *f, uint8_t *out);
void fdc_wait_irq(FdcFixture *f);
/* Result bytes of a data command. */
void fdc_expect_result(FdcFixture *f, uint8_t st0, uint8_t st1, uint8_t st2, uint8_t c, uint8_t h,
                       uint8_t r);
void fdc_seek(FdcFixture *f, uint8_t unit, uint8_t track);
/* Polls until the main status is MSR. */
void fdc_wait_byte(FdcFixture *f, uint8_t msr);
/* Where sector R of a 1.44 MB disk lies in its image. */
uint64_t fdc_place(unsigned c, unsigned h, unsigned r);
