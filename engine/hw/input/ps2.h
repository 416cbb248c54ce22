/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What keyboard and mouse share: the device's end of a PS/2 cable. Answers to commands overtake
 * reports that wait. Output 0 is high while a byte waits. Thread: device lock held. */

#include "vit-device.h"

enum { VIT_PS2_REPORTS = 64, VIT_PS2_ANSWERS = 16 };

enum {
    VIT_PS2_ACK = 0xfa,
    VIT_PS2_RESEND = 0xfe,
    VIT_PS2_ERROR = 0xfc,
    VIT_PS2_SELF_TEST_PASSED = 0xaa,
};

/* First member of a PS/2 device. */
typedef struct VitPs2 {
    VitDevice dev;
    void (*receive)(VitDevice *dev, uint8_t byte); /* a byte from the host */
    void (*drained)(VitDevice *dev);               /* there is room for reports again; or NULL */
    uint8_t reports[VIT_PS2_REPORTS], answers[VIT_PS2_ANSWERS];
    uint8_t report_count, answer_count;
    uint8_t last_byte; /* for "resend" */
} VitPs2;

extern const VitField vit_ps2_state[];

/* For the controller. */
void vit_ps2_write(VitDevice *dev, uint8_t byte);
bool vit_ps2_has_data(const VitDevice *dev);
/* Next byte; the last one again when none waits. */
uint8_t vit_ps2_read(VitDevice *dev);

/* For the devices. An answer too many is dropped. */
void vit_ps2_answer(VitPs2 *ps2, uint8_t byte);
/* All of BYTES or nothing; false when there is no room. */
bool vit_ps2_report(VitPs2 *ps2, const uint8_t *bytes, unsigned count);
void vit_ps2_resend(VitPs2 *ps2);
void vit_ps2_clear(VitPs2 *ps2);
void vit_ps2_drop_reports(VitPs2 *ps2);
/* Bounds what a stream brought. */
void vit_ps2_loaded(VitPs2 *ps2);
