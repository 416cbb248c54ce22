/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The device-test protocol of -qtest: a program outside reads and writes ports and memory, listens
 * to interrupt lines and steps the clock, while no CPU runs.
 * Thread: device lock held. */

#include "vit-chardev.h"
#include "vit-device.h"
#include "vit-platform.h"

typedef struct VitQtest VitQtest;

typedef struct VitQtestOps {
    /* A device by id, path or kind name; NULL: none. */
    VitDevice *(*find_device)(void *opaque, const char *name);
    /* The machine stops as after an engine's fault, for the reason TEXT; NULL: cannot. */
    void (*fail)(void *opaque, const char *text);
} VitQtestOps;

/* Speaks on CHR, whose front end it becomes. LOG_PATH NULL or "none": no log. The platform's clock
 * is a stepped one. NULL with ERROR set. */
VitQtest *vit_qtest_new(VitPlatform *platform, const VitQtestOps *ops, void *opaque,
                        VitChardev *chr, const char *log_path, GError **error);
/* Devices that are listened to must still exist. */
void vit_qtest_free(VitQtest *qtest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VitQtest, vit_qtest_free)
