/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Bytes on the device-test protocol. */

#include "fuzz-monitor.h"

#include "vit-qtest.h"

static const VitQtestOps ops = { 0 };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Rig rig;

    rig_init(&rig);
    VitChardev *chr = vit_char_make("vc", "qtest", NULL, NULL, 0, NULL);
    g_assert_true(vit_chardev_open(chr, NULL, &rig.lock, NULL));
    VitQtest *qtest = vit_qtest_new(&rig.platform, &ops, NULL, chr, NULL, NULL);
    vit_char_vc_input(chr, data, size);
    vit_qtest_free(qtest);
    vit_chardev_free(chr);
    rig_finish(&rig);
    return 0;
}
