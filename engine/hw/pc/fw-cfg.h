/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* fw_cfg as the board and the loaders fill it. Device lock held, before the guest runs. */

#include "vit-device.h"

/* Selector keys of QEMU's fw_cfg specification (docs/specs/fw_cfg.txt names). */
enum {
    FW_CFG_SIGNATURE = 0x00,
    FW_CFG_ID = 0x01,
    FW_CFG_UUID = 0x02,
    FW_CFG_RAM_SIZE = 0x03,
    FW_CFG_NOGRAPHIC = 0x04,
    FW_CFG_NB_CPUS = 0x05,
    FW_CFG_MACHINE_ID = 0x06,
    FW_CFG_KERNEL_ADDR = 0x07,
    FW_CFG_KERNEL_SIZE = 0x08,
    FW_CFG_KERNEL_CMDLINE = 0x09,
    FW_CFG_INITRD_ADDR = 0x0a,
    FW_CFG_INITRD_SIZE = 0x0b,
    FW_CFG_BOOT_DEVICE = 0x0c,
    FW_CFG_NUMA = 0x0d,
    FW_CFG_BOOT_MENU = 0x0e,
    FW_CFG_MAX_CPUS = 0x0f,
    FW_CFG_KERNEL_ENTRY = 0x10,
    FW_CFG_KERNEL_DATA = 0x11,
    FW_CFG_INITRD_DATA = 0x12,
    FW_CFG_CMDLINE_ADDR = 0x13,
    FW_CFG_CMDLINE_SIZE = 0x14,
    FW_CFG_CMDLINE_DATA = 0x15,
    FW_CFG_SETUP_ADDR = 0x16,
    FW_CFG_SETUP_SIZE = 0x17,
    FW_CFG_SETUP_DATA = 0x18,
    FW_CFG_FILE_DIR = 0x19,
    FW_CFG_FILE_FIRST = 0x20,
    FW_CFG_ARCH_LOCAL = 0x8000,
    FW_CFG_ACPI_TABLES = FW_CFG_ARCH_LOCAL + 0,
    FW_CFG_SMBIOS_ENTRIES = FW_CFG_ARCH_LOCAL + 1,
    FW_CFG_IRQ0_OVERRIDE = FW_CFG_ARCH_LOCAL + 2,
    FW_CFG_E820_TABLE = FW_CFG_ARCH_LOCAL + 3,
    FW_CFG_HPET = FW_CFG_ARCH_LOCAL + 4,
};

/* DATA is taken. Replaces an earlier item of the same KEY. */
void vit_fw_cfg_set(VitDevice *dev, uint16_t key, GBytes *data);
void vit_fw_cfg_set_u16(VitDevice *dev, uint16_t key, uint16_t value);
void vit_fw_cfg_set_u32(VitDevice *dev, uint16_t key, uint32_t value);
void vit_fw_cfg_set_u64(VitDevice *dev, uint16_t key, uint64_t value);
void vit_fw_cfg_set_string(VitDevice *dev, uint16_t key, const char *text); /* with its NUL */

/* A named file, at most 55 bytes of name; replaces an earlier one. DATA is taken. */
void vit_fw_cfg_set_file(VitDevice *dev, const char *name, GBytes *data);
/* A file the firmware may write (same length); WRITTEN (nullable) is called after a write with the
 * bytes as they are then. */
void vit_fw_cfg_set_writable_file(VitDevice *dev, const char *name, GBytes *data,
                                  void (*written)(void *opaque, const uint8_t *bytes, size_t len),
                                  void *opaque);
/* Called when the firmware selects the file, before it reads: the place to build tables that
 * depend on what the firmware has done (PCI bars). */
void vit_fw_cfg_on_select(VitDevice *dev, const char *name, void (*select)(void *opaque),
                          void *opaque);
/* Borrowed; NULL when there is none. */
GBytes *vit_fw_cfg_get_file(VitDevice *dev, const char *name);
