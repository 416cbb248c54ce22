/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The pc board's parts, as its files share them (Machine.board_data). */

#include "board.h"
#include "tables/aml.h"

typedef struct BoardPc {
    VitDevice *host;  /* i440FX-pcihost */
    VitDevice *piix3; /* PCI to ISA bridge */
    VitDevice *pm;    /* PIIX4 power management; NULL with acpi=off */
    VitDevice *pcihp; /* PCI hot plug registers; NULL with acpi=off */
    VitDevice *ide;
    VitDevice *pic, *pit, *rtc, *ioapic, *apic_bus, *hpet, *dma, *i8042, *ferr;
    VitDevice *fdc; /* NULL without floppy controller */
    VitDevice *fw_cfg;
    VitPciBus *pci;
    VitIsaBus *isa;
    uint64_t below_4g_bytes, above_4g_bytes;
    VitRamBlock *bios_block;
    VitRegion bios, bios_isa; /* top of 4 GiB; its end again below 1 MiB */
} BoardPc;

/* board-pc-devices.c: disks, network cards, serial ports, screen. */
bool board_pc_add_drives(Machine *machine, VitDiagList *diags, GError **error);
bool board_pc_add_ports(Machine *machine, VitDiagList *diags, GError **error);
bool board_pc_add_display(Machine *machine, VitDiagList *diags, GError **error);
bool board_pc_add_nics(Machine *machine, VitDiagList *diags, GError **error);

/* board-pc-flash.c: firmware in flash, which takes the place of a BIOS image. OUT_PRESENT tells
 * whether there is any. */
bool board_pc_add_flash(Machine *machine, VitDiagList *diags, bool *out_present, GError **error);

/* board-pc-firmware.c: BIOS image, CMOS, fw_cfg, kernel, boot order. */
bool board_pc_load_bios(Machine *machine, VitDiagList *diags, GError **error);
bool board_pc_fill_firmware(Machine *machine, GError **error);

/* board-pc-hotplug.c */
bool board_pc_build_hotplug(Machine *machine, GError **error);
void board_pc_plugged(Machine *machine, VitDevice *dev);
bool board_pc_unplug(Machine *machine, VitDevice *dev, GError **error);
uint32_t board_pc_take_ejected(Machine *machine);
/* What hot plug adds to PCI0, and to the root of the DSDT. */
void board_pc_hotplug_slots(Machine *machine, Aml *pci);
void board_pc_hotplug_event(Machine *machine, Aml *root);

/* board-pc-devices.c */
void board_pc_fill_drive_cmos(Machine *machine);
/* Adds the firmware paths of devices with a bootindex, in its order. */
void board_pc_fill_boot_paths(Machine *machine, GString *order);
/* board-pc-tables.c: ACPI and SMBIOS. */
bool board_pc_fill_tables(Machine *machine, GError **error);
