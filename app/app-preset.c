/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The presets. Sizes are what the systems' makers asked for, with room; limits are those the
 * systems are known for. Thread: any. */

#include "app-preset.h"

#include <glib/gi18n.h>
#include <string.h>

static const AppPreset presets[] = {
    { "linux", N_("Linux"), "-machine accel=kvm:tcg -nic user,model=virtio-net-pci", "virtio", 2048,
      0, 2, 0, 20480 },
    { "windows", N_("Windows 7 and later"),
      "-machine accel=kvm:tcg -rtc base=localtime -nic user,model=e1000", "ide", 4096, 0, 2, 0,
      65536 },
    { "winxp", N_("Windows 2000 and XP"),
      "-machine accel=kvm:tcg,hpet=off -cpu core2duo -rtc base=localtime -nic user,model=e1000",
      "ide", 1024, 3584, 1, 2, 20480 },
    { "win9x", N_("Windows 95, 98 and Me"),
      "-machine hpet=off -cpu pentium3 -rtc base=localtime -nic none", "ide", 256, 512, 1, 1,
      8192 },
    { "dos", N_("DOS"), "-machine hpet=off -cpu 486 -rtc base=localtime -nic none", "ide", 32, 64,
      1, 1, 2000 },
    { "bsd", N_("BSD"), "-machine accel=kvm:tcg -nic user,model=e1000", "ide", 2048, 0, 2, 0,
      20480 },
    { "other", N_("Anything else"), "", "ide", 1024, 0, 1, 0, 20480 },
};

const AppPreset *
app_preset_nth(guint index)
{
    return index < G_N_ELEMENTS(presets) ? &presets[index] : NULL;
}

const AppPreset *
app_preset_find(const char *id)
{
    for (guint i = 0; i < G_N_ELEMENTS(presets); i++) {
        if (g_strcmp0(presets[i].id, id) == 0) {
            return &presets[i];
        }
    }
    return &presets[G_N_ELEMENTS(presets) - 1];
}
