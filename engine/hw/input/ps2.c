/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Queues of a PS/2 device. IBM PS/2 Hardware Interface Technical Reference, "Keyboard and auxiliary
 * device controller", "System receiving data". Thread: device lock held. */

#include "input/ps2.h"

#include <string.h>

static void
update_line(VitPs2 *ps2)
{
    vit_irq_set(&ps2->dev.irq_out[0], vit_ps2_has_data(&ps2->dev));
}

void
vit_ps2_write(VitDevice *dev, uint8_t byte)
{
    VitPs2 *ps2 = (VitPs2 *)dev;

    ps2->answer_count = 0; /* what the host did not wait for */
    ps2->receive(dev, byte);
    update_line(ps2);
}

bool
vit_ps2_has_data(const VitDevice *dev)
{
    const VitPs2 *ps2 = (const VitPs2 *)dev;

    return ps2->answer_count > 0 || ps2->report_count > 0;
}

static uint8_t
take(uint8_t *queue, uint8_t *count)
{
    uint8_t byte = queue[0];

    (*count)--;
    memmove(queue, queue + 1, *count);
    return byte;
}

uint8_t
vit_ps2_read(VitDevice *dev)
{
    VitPs2 *ps2 = (VitPs2 *)dev;

    if (ps2->answer_count > 0) {
        ps2->last_byte = take(ps2->answers, &ps2->answer_count);
    } else if (ps2->report_count > 0) {
        ps2->last_byte = take(ps2->reports, &ps2->report_count);
        if (ps2->drained) {
            ps2->drained(dev);
        }
    }
    update_line(ps2);
    return ps2->last_byte;
}

void
vit_ps2_answer(VitPs2 *ps2, uint8_t byte)
{
    if (ps2->answer_count < VIT_PS2_ANSWERS) {
        ps2->answers[ps2->answer_count++] = byte;
        update_line(ps2);
    }
}

bool
vit_ps2_report(VitPs2 *ps2, const uint8_t *bytes, unsigned count)
{
    if (ps2->report_count + count > VIT_PS2_REPORTS) {
        return false;
    }
    memcpy(ps2->reports + ps2->report_count, bytes, count);
    ps2->report_count += count;
    update_line(ps2);
    return true;
}

void
vit_ps2_resend(VitPs2 *ps2)
{
    vit_ps2_answer(ps2, ps2->last_byte);
}

void
vit_ps2_drop_reports(VitPs2 *ps2)
{
    ps2->report_count = 0;
    update_line(ps2);
}

void
vit_ps2_clear(VitPs2 *ps2)
{
    ps2->answer_count = ps2->report_count = 0;
    memset(ps2->answers, 0, sizeof(ps2->answers));
    memset(ps2->reports, 0, sizeof(ps2->reports));
    ps2->last_byte = 0;
    update_line(ps2);
}

void
vit_ps2_loaded(VitPs2 *ps2)
{
    ps2->report_count = MIN(ps2->report_count, VIT_PS2_REPORTS);
    ps2->answer_count = MIN(ps2->answer_count, VIT_PS2_ANSWERS);
}

const VitField vit_ps2_state[] = {
    VIT_TRANSIENT(VitPs2, dev), /* not the queues' business */
    VIT_TRANSIENT(VitPs2, receive),   VIT_TRANSIENT(VitPs2, drained),
    VIT_FIELD_ARRAY(VitPs2, reports), VIT_FIELD_ARRAY(VitPs2, answers),
    VIT_FIELD(VitPs2, report_count),  VIT_FIELD(VitPs2, answer_count),
    VIT_FIELD(VitPs2, last_byte),     { 0 },
};
