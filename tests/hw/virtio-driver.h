/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A virtio driver for tests: finds the structures by the capabilities, agrees on features, keeps
 * split or packed rings in the rig's memory. One request at a time and queue, unless told. */

#include "hw-rig.h"

#define VD_VERSION_1  (1ull << 32)
#define VD_PACKED     (1ull << 34)
#define VD_INDIRECT   (1ull << 28)
#define VD_EVENT_IDX  (1ull << 29)
#define VD_RING_RESET (1ull << 40)

enum { VD_QUEUES = 8, VD_RINGS_AT = 0x10000, VD_QUEUE_BYTES = 0x4000, VD_BUFFERS_AT = 0x60000 };

typedef struct VdQueue {
    uint16_t size, next_desc, avail, used;
    bool avail_wrap, used_wrap;
    uint64_t desc, driver, device, table;
} VdQueue;

typedef struct VirtioDriver {
    HwRig *rig;
    VitDevice *dev;
    uint64_t common, isr, device, notify;
    uint32_t notify_multiplier;
    uint64_t rings_moved; /* bytes behind the usual place, for a second device */
    uint64_t features;
    VdQueue queues[VD_QUEUES];
} VirtioDriver;

typedef struct VdBuf {
    uint64_t address;
    uint32_t len;
    bool is_write;
} VdBuf;

/* Finds the structures; the device is mapped and reset. */
void vd_init(VirtioDriver *vd, HwRig *rig, VitDevice *dev);
/* Features, FEATURES_OK; what the status then is. */
uint8_t vd_negotiate(VirtioDriver *vd, uint64_t features);
uint64_t vd_offered(VirtioDriver *vd);
void vd_setup_queue(VirtioDriver *vd, unsigned n, uint16_t size);
void vd_driver_ok(VirtioDriver *vd);
uint8_t vd_status(VirtioDriver *vd);
uint64_t vd_common_read(VirtioDriver *vd, unsigned at, unsigned size);
void vd_common_write(VirtioDriver *vd, unsigned at, unsigned size, uint64_t value);
uint64_t vd_config_read(VirtioDriver *vd, unsigned at, unsigned size);
/* Puts a buffer into the ring, through an indirect table where that is agreed on. */
void vd_add(VirtioDriver *vd, unsigned n, const VdBuf *bufs, unsigned count);
void vd_kick(VirtioDriver *vd, unsigned n);
/* Takes a used buffer; false when there is none. */
bool vd_take(VirtioDriver *vd, unsigned n, uint32_t *out_len);
/* Add, kick, complete the drives' requests, take. */
uint32_t vd_transfer(VirtioDriver *vd, unsigned n, const VdBuf *bufs, unsigned count);

static inline uint8_t *
vd_ram(VirtioDriver *vd, uint64_t at)
{
    return vd->rig->ram->host + at;
}
