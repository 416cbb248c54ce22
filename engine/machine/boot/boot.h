/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* -kernel: what a kernel image wants in memory, and how it is to be started. The loaders only look
 * at bytes and fill a BootImage; boot_install() hands it to the guest through fw_cfg and the boot
 * ROM. Images are untrusted: every offset and length is checked. Thread: any. */

#include "vit-device.h"

typedef enum BootType {
    BOOT_LINUX = 1, /* the ROM's numbers */
    BOOT_MULTIBOOT = 2,
    BOOT_PVH = 3,
} BootType;

/* A piece of guest memory to fill before the kernel starts. */
typedef struct BootLoad {
    uint16_t key; /* fw_cfg item that carries it */
    uint32_t address;
    GBytes *data;
} BootLoad;

enum { BOOT_LOADS_MAX = 4 };

typedef struct BootImage {
    BootType type;
    uint32_t entry;      /* Linux: linear address of the setup segment; else of the kernel */
    uint32_t info;       /* multiboot information or start_info, below 64 KiB */
    uint32_t memory_map; /* where the ROM puts the memory map, below 64 KiB */
    uint32_t stack;      /* Linux: initial SP */
    BootLoad loads[BOOT_LOADS_MAX];
    unsigned n_loads;
} BootImage;

typedef struct BootRequest {
    GBytes *kernel;
    const char *kernel_name;     /* for messages */
    GBytes *initrd;              /* NULL: none. Linux and PVH */
    const char *initrd_spec;     /* as given: multiboot modules "file args,file args" */
    const char *cmdline;         /* never NULL */
    uint64_t below_4g_bytes;     /* RAM from 0 up, below 4 GiB */
    uint32_t reserved_top_bytes; /* of it that firmware keeps for its tables */
} BootRequest;

/* Each returns whether KERNEL is of its kind at all in OUT_MATCH; on a match, false = ERROR. */
bool boot_linux_load(const BootRequest *request, BootImage *out, bool *out_match, GError **error);
bool boot_multiboot_load(const BootRequest *request, BootImage *out, bool *out_match,
                         GError **error);
bool boot_pvh_load(const BootRequest *request, BootImage *out, bool *out_match, GError **error);

/* Tries the three in the order of their signatures. */
bool boot_load(const BootRequest *request, BootImage *out, GError **error);
void boot_image_clear(BootImage *image);
/* Puts the loads and the ROM into fw_cfg; returns the name for the boot order. */
const char *boot_install(const BootImage *image, VitDevice *fw_cfg);

/* ---- shared by loaders ---- */

void boot_add_load(BootImage *image, uint16_t key, uint32_t address, GBytes *data /* taken */);
uint16_t boot_get16(const uint8_t *bytes);
uint32_t boot_get32(const uint8_t *bytes);
uint64_t boot_get64(const uint8_t *bytes);
void boot_put16(uint8_t *bytes, uint16_t value);
void boot_put32(uint8_t *bytes, uint32_t value);
void boot_put64(uint8_t *bytes, uint64_t value);

/* ELF: loadable segments as one block from the lowest address; entry; PVH note. */
typedef struct BootElf {
    bool is_64;
    uint64_t entry;
    uint32_t first, last; /* physical, last exclusive with bss */
    GBytes *contents;     /* from `first`, without trailing bss */
    bool has_pvh_entry;
    uint32_t pvh_entry;
} BootElf;
bool boot_is_elf(GBytes *image);
bool boot_elf_load(GBytes *image, const char *name, uint64_t memory_end, BootElf *out,
                   GError **error);
