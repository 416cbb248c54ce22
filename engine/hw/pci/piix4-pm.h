/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What a board needs of the PIIX4 power management function, 01.3 of the pc board. Output 0 is the
 * SCI. For the ACPI tables: SMI command port B2h (enable F1h, disable F0h), PM block where
 * firmware has placed it, GPE0 block of 4 bytes at AFE0h; sleep types S5 = 0, S3 = 1, S4 = 2.
 * Thread: device lock held. */

#include "vit-pci.h"

extern const VitDeviceKind vit_PIIX4_PM_kind;

enum {
    VIT_PIIX4_GPE0_PORT = 0xafe0,
    VIT_PIIX4_GPE0_BYTES = 4,
    VIT_PIIX4_SMI_PORT = 0xb2,
    VIT_PIIX4_ACPI_ENABLE = 0xf1,
    VIT_PIIX4_ACPI_DISABLE = 0xf0,
};

/* Where firmware has placed the PM block: 600h by SeaBIOS, B000h by OVMF; 0: not yet. */
uint16_t vit_piix4_pm_base(VitDevice *pm);
/* The user pressed the power button. */
void vit_piix4_pm_power_button(VitDevice *pm);
/* The machine comes back from S3: sets the wake status. */
void vit_piix4_pm_wake(VitDevice *pm);
/* General purpose event N (0..15) happened. */
void vit_piix4_pm_gpe(VitDevice *pm, unsigned n);
