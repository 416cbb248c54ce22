/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The generic register fuzzer: one input picks a device kind, perhaps damages its saved state, and
 * runs the rest as a program of guest accesses, time and outside events. */

#include "hw-kinds.h"
#include "hw-rig.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FLAG_DAMAGE = 1, HEAD_BYTES = 4 };

/* Set VIT_FUZZ_KIND to stay with one kind. */
static const VitDeviceKind *
pick_kind(unsigned number)
{
    const char *wanted = getenv("VIT_FUZZ_KIND");
    unsigned count = 0;

    while (vit_hw_kinds[count]) {
        if (wanted && g_strcmp0(vit_hw_kinds[count]->name, wanted) == 0) {
            return vit_hw_kinds[count];
        }
        count++;
    }
    return vit_hw_kinds[number % count];
}

/* Overwrites bytes of the device's state at the places DATA says, four bytes each. */
static size_t
load_damaged(HwRig *rig, VitDevice *dev, const uint8_t *data, size_t size)
{
    g_autoptr(GBytes) saved = hw_rig_save(dev);
    g_autoptr(GBytes) damaged = NULL;
    gsize len;
    uint8_t *bytes = g_bytes_unref_to_data(g_steal_pointer(&saved), &len);
    size_t used = 1, count = size ? data[0] & 31 : 0;

    for (size_t i = 0; i < count && used + 4 <= size; i++, used += 4) {
        bytes[(data[used] | data[used + 1] << 8) % len] = data[used + 2];
    }
    damaged = g_bytes_new_take(bytes, len);
    if (!hw_rig_load(dev, damaged, NULL)) {
        vit_device_reset(dev);
    }
    hw_rig_map_pci(rig, dev);
    return MIN(used, size);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(HwRig) rig = NULL;
    g_autoptr(VitDevice) dev = NULL;
    g_autoptr(GBytes) saved = NULL;
    size_t used = HEAD_BYTES;

    if (size < HEAD_BYTES) {
        return 0;
    }
    rig = hw_rig_new();
    dev = hw_rig_add(rig, pick_kind(data[0] | data[1] << 8), NULL);
    if (!dev) {
        return 0;
    }
    if (data[2] & FLAG_DAMAGE) {
        used += load_damaged(rig, dev, data + used, size - used);
    }
    hw_rig_run(rig, dev, data + used, size - used);
    hw_rig_complete_io(rig);
    saved = hw_rig_save(dev);
    g_assert_true(hw_rig_load(dev, saved, NULL));
    return 0;
}
