/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The rig's small machine language: bytes become guest accesses, time and outside events. The
 * contract test feeds it random bytes, the fuzzer what it found. */

#include "hw-rig.h"

#include "vit-input-hub.h"

#include <string.h>

typedef struct Window {
    VitAddressSpace *space;
    uint64_t start, len;
} Window;

typedef struct Program {
    HwRig *rig;
    VitDevice *dev;
    const uint8_t *data;
    size_t left;
    GArray *windows; /* Window */
    uint32_t generations[2];
    uint64_t hash;
} Program;

/* ---- Windows of the map ---- */

static void
collect_windows(GArray *out, VitAddressSpace *space)
{
    const VitFlatView *view = vit_address_space_view(space);

    for (uint32_t i = 0; i < view->count; i++) {
        const VitFlatRange *range = &view->ranges[i];
        Window window = { space, range->start, range->last - range->start + 1 };

        if (range->region->type == VIT_REGION_IO) {
            g_array_append_val(out, window);
        }
    }
}

/* Devices move their windows about, so the list is remade when the map changes. */
static void
refresh_windows(Program *p)
{
    VitPlatform *platform = &p->rig->test.platform;
    uint32_t memory = vit_address_space_view(platform->memory)->generation;
    uint32_t io = vit_address_space_view(platform->io)->generation;

    if (p->windows->len && p->generations[0] == memory && p->generations[1] == io) {
        return;
    }
    p->generations[0] = memory;
    p->generations[1] = io;
    g_array_set_size(p->windows, 0);
    collect_windows(p->windows, platform->memory);
    collect_windows(p->windows, platform->io);
}

/* ---- Operands ---- */

static uint64_t
take(Program *p, unsigned bytes)
{
    uint64_t value = 0;
    unsigned count = MIN(bytes, p->left);

    memcpy(&value, p->data, count);
    p->data += count;
    p->left -= count;
    return value;
}

static void
note(Program *p, uint64_t value)
{
    p->hash = (p->hash ^ value) * 0x100000001b3ull;
}

/* ---- Operations ---- */

static void
access_window(Program *p, unsigned op, bool is_write)
{
    unsigned size = 1u << (op >> 4 & 3);
    uint64_t which = take(p, 1), offset = take(p, 2), value;
    const Window *window;

    refresh_windows(p);
    if (p->windows->len == 0) {
        return;
    }
    window = &g_array_index(p->windows, Window, which % p->windows->len);
    if (window->len > 0x10000) {
        offset |= take(p, 2) << 16;
    }
    offset %= window->len;
    if (is_write) {
        value = take(p, size);
        vit_address_space_write(window->space, window->start + offset, size, value);
    } else {
        vit_address_space_read(window->space, window->start + offset, size, &value);
        note(p, value);
    }
}

static void
access_config(Program *p, unsigned op, bool is_write)
{
    VitPciDevice *pci = (VitPciDevice *)p->dev;
    unsigned size = 1u << (op >> 4 & 3), at = take(p, 1);

    size = MIN(size, 4);
    at &= ~(size - 1);
    if (p->dev->kind->bus != VIT_BUS_PCI) {
        return;
    }
    if (is_write) {
        vit_pci_device_config_write(pci, at, take(p, size), size);
    } else {
        note(p, vit_pci_device_config_read(pci, at, size));
    }
}

static void
input_event(Program *p)
{
    VitInputHub *hub = p->rig->test.platform.input;
    unsigned kind = take(p, 1);

    switch (kind & 3) {
    case 0: vit_input_key(hub, take(p, 1), kind & 4); break;
    case 1: vit_input_relative(hub, (int8_t)take(p, 1), (int8_t)take(p, 1)); break;
    case 2: vit_input_button(hub, take(p, 1) % VIT_BUTTON_LAST, kind & 4); break;
    default: vit_input_absolute(hub, take(p, 2), take(p, 2)); break;
    }
    vit_input_sync(hub);
}

static void
outside_event(Program *p, unsigned op)
{
    HwRig *rig = p->rig;
    char text[4];

    switch (op >> 4 & 3) {
    case 0: hw_rig_complete_io(rig); break;
    case 1:
        for (unsigned i = 0; i < sizeof(text); i++) {
            text[i] = take(p, 1);
        }
        for (guint i = 0; i < rig->backends->len; i++) {
            hw_rig_type(rig->backends->pdata[i], text, sizeof(text));
        }
        break;
    case 2:
        /* the host stops taking bytes, or takes some again */
        rig->chardev_room = take(p, 1) & 0x80 ? SIZE_MAX : take(p, 1) & 15;
        for (guint i = 0; i < rig->backends->len; i++) {
            vit_chardev_notify_writable(rig->backends->pdata[i]);
        }
        break;
    default:
        if (p->dev->kind->n_irq_in) {
            unsigned n = take(p, 1);
            VitIrq line = vit_device_irq_in(p->dev, (n & 0x7f) % p->dev->kind->n_irq_in);

            vit_irq_set(&line, n >> 7);
        }
        break;
    }
}

static void
write_ram(Program *p)
{
    uint64_t address = take(p, 2) << 4, value = take(p, 8);

    vit_dma_write64(p->rig->test.platform.memory, address, value);
}

static void
step_clock(Program *p)
{
    hw_rig_step_ns(p->rig, 1ll << (take(p, 1) % 26));
}

static void
run_operation(Program *p)
{
    unsigned op = take(p, 1);

    switch (op & 15) {
    case 0 ... 5: access_window(p, op, true); break;
    case 6 ... 9: access_window(p, op, false); break;
    case 10: access_config(p, op, true); break;
    case 11: access_config(p, op, false); break;
    case 12: step_clock(p); break;
    case 13: outside_event(p, op); break;
    case 14:
        if (op & 0x80) {
            input_event(p);
        } else {
            write_ram(p);
        }
        break;
    default:
        if (op >> 4 == 0) {
            vit_device_reset(p->dev);
            hw_rig_map_pci(p->rig, p->dev);
        }
        break;
    }
}

uint64_t
hw_rig_run(HwRig *rig, VitDevice *dev, const uint8_t *data, size_t len)
{
    Program p = {
        .rig = rig,
        .dev = dev,
        .data = data,
        .left = len,
        .windows = g_array_new(FALSE, FALSE, sizeof(Window)),
        .hash = 0xcbf29ce484222325ull,
    };

    while (p.left > 0) {
        run_operation(&p);
    }
    g_array_unref(p.windows);
    return p.hash;
}

/* ---- The orderly pass ---- */

static void
touch_window(const Window *window)
{
    uint64_t step = window->len > 0x2000 ? window->len / 0x2000 | 1 : 1, value;

    for (uint64_t at = 0; at < window->len; at += step) {
        for (unsigned size = 1; size <= 8; size *= 2) {
            vit_address_space_read(window->space, window->start + at, size, &value);
            vit_address_space_write(window->space, window->start + at, size, ~value ^ at);
            vit_address_space_read(window->space, window->start + at, size, &value);
        }
    }
}

void
hw_rig_touch_all(HwRig *rig, VitDevice *dev)
{
    g_autoptr(GArray) windows = g_array_new(FALSE, FALSE, sizeof(Window));

    for (unsigned at = 0; dev->kind->bus == VIT_BUS_PCI && at < 256; at++) {
        for (unsigned size = 1; size <= 4 && (at & (size - 1)) == 0; size *= 2) {
            VitPciDevice *pci = (VitPciDevice *)dev;
            uint32_t value = vit_pci_device_config_read(pci, at, size);

            vit_pci_device_config_write(pci, at, ~value, size);
            vit_pci_device_config_write(pci, at, value, size);
        }
    }
    hw_rig_map_pci(rig, dev);
    collect_windows(windows, rig->test.platform.memory);
    collect_windows(windows, rig->test.platform.io);
    for (guint i = 0; i < windows->len; i++) {
        touch_window(&g_array_index(windows, Window, i));
    }
}
