/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Fills in the boot ROM (boot-rom.S) and hands it, with what it loads, to fw_cfg. */

#include "boot.h"

#include "boot-rom-data.h"

#include "pc/fw-cfg.h"

#include <string.h>

enum {
    /* boot-rom.S has the same numbers */
    ROM_PARAMS = 0x20,
    P_TYPE = 0,
    P_COUNT = 4,
    P_ENTRY = 8,
    P_INFO = 12,
    P_MEMORY = 16,
    P_STACK = 20,
    P_LOADS = 24,
    LOAD_BYTES = 12,

    ROM_PNP_POINTER = 0x1a,
    PNP_LENGTH_AT = 5,
    PNP_CHECKSUM_AT = 9,
    ROM_CHECKSUM_AT = BOOT_ROM_LEN - 1,
};

#define BOOT_ROM_FILE "genroms/vitrine-boot.rom"

static uint8_t
checksum(const uint8_t *bytes, size_t len)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < len; i++) {
        sum += bytes[i];
    }
    return -sum;
}

const char *
boot_install(const BootImage *image, VitDevice *fw_cfg)
{
    uint8_t *rom = g_memdup2(boot_rom_data, BOOT_ROM_LEN);
    uint8_t *params = rom + ROM_PARAMS;
    uint8_t *pnp = rom + boot_get16(rom + ROM_PNP_POINTER);

    boot_put32(params + P_TYPE, image->type);
    boot_put32(params + P_COUNT, image->n_loads);
    boot_put32(params + P_ENTRY, image->entry);
    boot_put32(params + P_INFO, image->info);
    boot_put32(params + P_MEMORY, image->memory_map);
    boot_put32(params + P_STACK, image->stack);
    for (unsigned i = 0; i < image->n_loads; i++) {
        const BootLoad *load = &image->loads[i];
        uint8_t *row = params + P_LOADS + i * LOAD_BYTES;

        boot_put32(row, load->key);
        boot_put32(row + 4, load->address);
        boot_put32(row + 8, g_bytes_get_size(load->data));
        vit_fw_cfg_set(fw_cfg, load->key, g_bytes_ref(load->data));
    }
    pnp[PNP_CHECKSUM_AT] = checksum(pnp, pnp[PNP_LENGTH_AT] * 16);
    rom[ROM_CHECKSUM_AT] = checksum(rom, BOOT_ROM_LEN);
    vit_fw_cfg_set_file(fw_cfg, BOOT_ROM_FILE, g_bytes_new_take(rom, BOOT_ROM_LEN));
    return "/rom@" BOOT_ROM_FILE;
}

void
boot_add_load(BootImage *image, uint16_t key, uint32_t address, GBytes *data)
{
    g_assert(image->n_loads < BOOT_LOADS_MAX);
    image->loads[image->n_loads++] = (BootLoad){ key, address, data };
}

void
boot_image_clear(BootImage *image)
{
    for (unsigned i = 0; i < image->n_loads; i++) {
        g_bytes_unref(image->loads[i].data);
    }
    *image = (BootImage){ 0 };
}

uint16_t
boot_get16(const uint8_t *bytes)
{
    return bytes[0] | bytes[1] << 8;
}

uint32_t
boot_get32(const uint8_t *bytes)
{
    return boot_get16(bytes) | (uint32_t)boot_get16(bytes + 2) << 16;
}

uint64_t
boot_get64(const uint8_t *bytes)
{
    return boot_get32(bytes) | (uint64_t)boot_get32(bytes + 4) << 32;
}

void
boot_put16(uint8_t *bytes, uint16_t value)
{
    bytes[0] = value;
    bytes[1] = value >> 8;
}

void
boot_put32(uint8_t *bytes, uint32_t value)
{
    boot_put16(bytes, value);
    boot_put16(bytes + 2, value >> 16);
}

void
boot_put64(uint8_t *bytes, uint64_t value)
{
    boot_put32(bytes, value);
    boot_put32(bytes + 4, value >> 32);
}
