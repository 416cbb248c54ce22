/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* See virtio-driver.h. Descriptors are given out in order, each request's in a new place, so that
 * rings wrap. */

#include "virtio-driver.h"

#include <string.h>

enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4, DESC_AVAIL = 1 << 7, DESC_USED = 1 << 15 };

static uint64_t
mmio_read(VirtioDriver *vd, uint64_t at, unsigned size)
{
    uint64_t value;

    vit_address_space_read(vd->rig->test.platform.memory, at, size, &value);
    return value;
}

static void
mmio_write(VirtioDriver *vd, uint64_t at, unsigned size, uint64_t value)
{
    vit_address_space_write(vd->rig->test.platform.memory, at, size, value);
}

uint64_t
vd_common_read(VirtioDriver *vd, unsigned at, unsigned size)
{
    return mmio_read(vd, vd->common + at, size);
}

void
vd_common_write(VirtioDriver *vd, unsigned at, unsigned size, uint64_t value)
{
    mmio_write(vd, vd->common + at, size, value);
}

uint64_t
vd_config_read(VirtioDriver *vd, unsigned at, unsigned size)
{
    return mmio_read(vd, vd->device + at, size);
}

void
vd_init(VirtioDriver *vd, HwRig *rig, VitDevice *dev)
{
    VitPciDevice *pci = (VitPciDevice *)dev;

    memset(vd, 0, sizeof(*vd));
    vd->rig = rig;
    vd->dev = dev;
    for (unsigned cap = pci->config[0x34]; cap; cap = pci->config[cap + 1]) {
        uint64_t at = vit_pci_get32(pci, cap + 8);

        if (pci->config[cap] != VIT_PCI_CAP_VENDOR || pci->config[cap + 3] == 5) {
            continue;
        }
        at += pci->bars[pci->config[cap + 4]].address;
        switch (pci->config[cap + 3]) {
        case 1: vd->common = at; break;
        case 2:
            vd->notify = at;
            vd->notify_multiplier = vit_pci_get32(pci, cap + 16);
            break;
        case 3: vd->isr = at; break;
        case 4: vd->device = at; break;
        default: break;
        }
    }
    g_assert_true(vd->common && vd->isr && vd->device && vd->notify);
    vd_common_write(vd, 0x14, 1, 0);
    g_assert_cmpuint(vd_status(vd), ==, 0);
    vd_common_write(vd, 0x14, 1, 3);
}

uint8_t
vd_status(VirtioDriver *vd)
{
    return (uint8_t)vd_common_read(vd, 0x14, 1);
}

uint64_t
vd_offered(VirtioDriver *vd)
{
    uint64_t features;

    vd_common_write(vd, 0, 4, 0);
    features = vd_common_read(vd, 4, 4);
    vd_common_write(vd, 0, 4, 1);
    return features | vd_common_read(vd, 4, 4) << 32;
}

uint8_t
vd_negotiate(VirtioDriver *vd, uint64_t features)
{
    vd->features = features;
    vd_common_write(vd, 8, 4, 0);
    vd_common_write(vd, 0xc, 4, features & 0xffffffff);
    vd_common_write(vd, 8, 4, 1);
    vd_common_write(vd, 0xc, 4, features >> 32);
    vd_common_write(vd, 0x14, 1, 11);
    return vd_status(vd);
}

void
vd_setup_queue(VirtioDriver *vd, unsigned n, uint16_t size)
{
    VdQueue *q = &vd->queues[n];
    uint64_t at = VD_RINGS_AT + vd->rings_moved + (uint64_t)n * VD_QUEUE_BYTES;

    memset(vd_ram(vd, at), 0, VD_QUEUE_BYTES);
    *q = (VdQueue){ .size = size,
                    .avail_wrap = true,
                    .used_wrap = true,
                    .desc = at,
                    .driver = at + 0x1000,
                    .device = at + 0x2000,
                    .table = at + 0x3000 };
    vd_common_write(vd, 0x16, 2, n);
    vd_common_write(vd, 0x18, 2, size);
    g_assert_cmpuint(vd_common_read(vd, 0x18, 2), ==, size);
    vd_common_write(vd, 0x20, 4, q->desc);
    vd_common_write(vd, 0x24, 4, 0);
    vd_common_write(vd, 0x28, 4, q->driver);
    vd_common_write(vd, 0x2c, 4, 0);
    vd_common_write(vd, 0x30, 4, q->device);
    vd_common_write(vd, 0x34, 4, 0);
    vd_common_write(vd, 0x1c, 2, 1);
    g_assert_cmpuint(vd_common_read(vd, 0x1c, 2), ==, 1);
}

void
vd_driver_ok(VirtioDriver *vd)
{
    vd_common_write(vd, 0x14, 1, 15);
}

static void
put(VirtioDriver *vd, uint64_t at, unsigned size, uint64_t value)
{
    memcpy(vd_ram(vd, at), &value, size);
}

static uint64_t
get(VirtioDriver *vd, uint64_t at, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, vd_ram(vd, at), size);
    return value;
}

static void
put_desc(VirtioDriver *vd, uint64_t at, const VdBuf *buf, uint16_t flags, uint16_t next,
         bool packed)
{
    put(vd, at, 8, buf->address);
    put(vd, at + 8, 4, buf->len);
    put(vd, at + 12, 2, packed ? next : flags);
    put(vd, at + 14, 2, packed ? flags : next);
}

static VdBuf
make_table(VirtioDriver *vd, VdQueue *q, const VdBuf *bufs, unsigned count, bool packed)
{
    uint64_t at = q->table + (q->avail % 8) * 0x100;

    g_assert_cmpuint(count, <=, 16);
    for (unsigned i = 0; i < count; i++) {
        uint16_t flags =
            (bufs[i].is_write ? DESC_WRITE : 0) | (i + 1 < count && !packed ? DESC_NEXT : 0);
        put_desc(vd, at + 16 * i, &bufs[i], flags, packed ? 0 : i + 1, packed);
    }
    return (VdBuf){ at, 16 * count, false };
}

static void
add_split(VirtioDriver *vd, VdQueue *q, const VdBuf *bufs, unsigned count, bool indirect)
{
    uint16_t head = q->next_desc;

    for (unsigned i = 0; i < count; i++) {
        uint16_t at = q->next_desc;
        uint16_t next = (at + 1) % q->size;
        uint16_t flags =
            indirect ? DESC_INDIRECT
                     : (bufs[i].is_write ? DESC_WRITE : 0) | (i + 1 < count ? DESC_NEXT : 0);
        put_desc(vd, q->desc + 16 * at, &bufs[i], flags, next, false);
        q->next_desc = next;
    }
    put(vd, q->driver + 4 + 2 * (q->avail % q->size), 2, head);
    q->avail++;
    put(vd, q->driver + 2, 2, q->avail);
    if (vd->features & VD_EVENT_IDX) {
        put(vd, q->driver + 4 + 2 * q->size, 2, q->used);
    }
}

static void
add_packed(VirtioDriver *vd, VdQueue *q, const VdBuf *bufs, unsigned count, bool indirect)
{
    uint16_t first = q->next_desc, first_flags = 0, id = q->next_desc;

    for (unsigned i = 0; i < count; i++) {
        uint16_t flags =
            (q->avail_wrap ? DESC_AVAIL : DESC_USED) |
            (indirect ? DESC_INDIRECT
                      : (bufs[i].is_write ? DESC_WRITE : 0) | (i + 1 < count ? DESC_NEXT : 0));
        if (i == 0) {
            first_flags = flags;
            flags ^= DESC_AVAIL | DESC_USED;
        }
        put_desc(vd, q->desc + 16 * q->next_desc, &bufs[i], flags, id, true);
        if (++q->next_desc == q->size) {
            q->next_desc = 0;
            q->avail_wrap = !q->avail_wrap;
        }
    }
    put(vd, q->desc + 16 * first + 14, 2, first_flags);
    q->avail++;
    /* how many slots the id stands for */
    put(vd, q->table + 0x800 + 2 * id, 2, count);
}

void
vd_add(VirtioDriver *vd, unsigned n, const VdBuf *bufs, unsigned count)
{
    VdQueue *q = &vd->queues[n];
    bool packed = vd->features & VD_PACKED, indirect = vd->features & VD_INDIRECT;
    VdBuf table;

    if (indirect) {
        table = make_table(vd, q, bufs, count, packed);
        bufs = &table;
        count = 1;
    }
    if (packed) {
        add_packed(vd, q, bufs, count, indirect);
    } else {
        add_split(vd, q, bufs, count, indirect);
    }
}

void
vd_kick(VirtioDriver *vd, unsigned n)
{
    mmio_write(vd, vd->notify + (uint64_t)n * vd->notify_multiplier, 2, n);
}

bool
vd_take(VirtioDriver *vd, unsigned n, uint32_t *out_len)
{
    VdQueue *q = &vd->queues[n];
    uint64_t at;

    if (vd->features & VD_PACKED) {
        uint64_t flags;
        at = q->desc + 16 * q->used;
        flags = get(vd, at + 14, 2);
        if (!!(flags & DESC_AVAIL) != q->used_wrap || !!(flags & DESC_USED) != q->used_wrap) {
            return false;
        }
        *out_len = (uint32_t)get(vd, at + 8, 4);
        q->used += get(vd, q->table + 0x800 + 2 * get(vd, at + 12, 2), 2);
        if (q->used >= q->size) {
            q->used -= q->size;
            q->used_wrap = !q->used_wrap;
        }
        return true;
    }
    if (get(vd, q->device + 2, 2) == q->used) {
        return false;
    }
    at = q->device + 4 + 8 * (q->used % q->size);
    *out_len = (uint32_t)get(vd, at + 4, 4);
    q->used++;
    return true;
}

uint32_t
vd_transfer(VirtioDriver *vd, unsigned n, const VdBuf *bufs, unsigned count)
{
    uint32_t len = 0;

    vd_add(vd, n, bufs, count);
    vd_kick(vd, n);
    hw_rig_complete_io(vd->rig);
    g_assert_true(vd_take(vd, n, &len));
    return len;
}
