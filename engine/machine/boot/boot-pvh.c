/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* PVH kernels (ELF with a Xen PHYS32_ENTRY note): Xen's public/arch-x86/hvm/start_info.h, version
 * 1. start_info at 9000h with the command line and one module behind it; memory map and RSDP are
 * added by the boot ROM. */

#include "boot.h"

#include "vit-error.h"

#include "pc/fw-cfg.h"

#include <string.h>

enum {
    START_INFO_MAGIC = 0x336ec578,
    START_INFO_ADDRESS = 0x9000,
    MODULE_ADDRESS = START_INFO_ADDRESS + 64,
    MEMORY_MAP_ADDRESS = 0x9400,
    CMDLINE_ADDRESS = 0x20000,
};

bool
boot_pvh_load(const BootRequest *request, BootImage *out, bool *out_match, GError **error)
{
    size_t cmdline_len = strlen(request->cmdline) + 1;
    uint8_t *info;
    BootElf elf;
    uint64_t initrd_address = 0, initrd_len = 0;

    *out_match = boot_is_elf(request->kernel);
    if (!*out_match) {
        return true;
    }
    if (!boot_elf_load(request->kernel, request->kernel_name, request->below_4g_bytes, &elf,
                       error)) {
        return false;
    }
    if (!elf.has_pvh_entry) {
        g_bytes_unref(elf.contents);
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "-kernel %s is an ELF file without a PVH entry (note Xen/18) and without a "
                    "multiboot header; a Linux vmlinux needs CONFIG_PVH, or use its bzImage",
                    request->kernel_name);
        return false;
    }
    out->type = BOOT_PVH;
    out->entry = elf.pvh_entry;
    out->info = START_INFO_ADDRESS;
    out->memory_map = MEMORY_MAP_ADDRESS;
    boot_add_load(out, FW_CFG_KERNEL_DATA, elf.first, elf.contents);
    if (request->initrd) {
        initrd_len = g_bytes_get_size(request->initrd);
        initrd_address = request->below_4g_bytes -
                         MIN(request->below_4g_bytes, request->reserved_top_bytes + initrd_len);
        initrd_address &= ~0xfffull;
        if (initrd_address < elf.last) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_NO_MEMORY,
                        "the initrd does not fit behind the kernel: give more memory with -m");
            return false;
        }
        boot_add_load(out, FW_CFG_INITRD_DATA, initrd_address, g_bytes_ref(request->initrd));
    }
    if (cmdline_len > 0x8000) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "-append is too long");
        return false;
    }
    info = g_malloc0(128);
    boot_put32(info, START_INFO_MAGIC);
    boot_put32(info + 4, 1); /* version */
    if (request->initrd) {
        boot_put32(info + 12, 1);
        boot_put64(info + 16, MODULE_ADDRESS);
        boot_put64(info + 64, initrd_address);
        boot_put64(info + 72, initrd_len);
    }
    boot_put64(info + 24, CMDLINE_ADDRESS);
    boot_add_load(out, FW_CFG_SETUP_DATA, START_INFO_ADDRESS, g_bytes_new_take(info, 128));
    boot_add_load(out, FW_CFG_CMDLINE_DATA, CMDLINE_ADDRESS,
                  g_bytes_new(request->cmdline, cmdline_len));
    return true;
}
