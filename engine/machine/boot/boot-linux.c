/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Linux bzImage by the real-mode entry of the x86 boot protocol (kernel documentation, "The
 * Linux/x86 Boot Protocol", versions 2.00 to 2.15): setup at 10000h, command line at 20000h, the
 * kernel at 100000h (10000h for zImage), the initrd as high as the kernel allows. */

#include "boot.h"

#include "vit-error.h"

#include "pc/fw-cfg.h"

#include <string.h>

enum {
    /* offsets in the setup header */
    SETUP_SECTS = 0x1f1,
    HEADER_MAGIC = 0x202,
    VERSION = 0x206,
    TYPE_OF_LOADER = 0x210,
    LOADFLAGS = 0x211,
    RAMDISK_IMAGE = 0x218,
    RAMDISK_SIZE = 0x21c,
    HEAP_END_PTR = 0x224,
    CMD_LINE_PTR = 0x228,
    INITRD_ADDR_MAX = 0x22c,
    CMDLINE_SIZE = 0x238,
    VID_MODE = 0x1fa,

    LOADFLAG_LOADED_HIGH = 1 << 0,
    LOADFLAG_CAN_USE_HEAP = 1 << 7,
    LOADER_UNKNOWN = 0xff,

    SECTOR = 512,
    SETUP_ADDRESS = 0x10000,
    CMDLINE_ADDRESS = 0x20000,
    KERNEL_ADDRESS = 0x100000,
    HEAP_END = 0xe000, /* offset in the setup segment; the stack starts there */
};

/* "vga=" of the command line goes into the header, as boot loaders do. */
static void
apply_vga_word(const char *cmdline, uint8_t *setup)
{
    const char *word = strstr(cmdline, "vga=");
    uint16_t mode;

    if (!word) {
        return;
    }
    word += 4;
    if (g_str_has_prefix(word, "normal")) {
        mode = 0xffff;
    } else if (g_str_has_prefix(word, "ext")) {
        mode = 0xfffe;
    } else if (g_str_has_prefix(word, "ask")) {
        mode = 0xfffd;
    } else {
        mode = g_ascii_strtoull(word, NULL, 0);
    }
    boot_put16(setup + VID_MODE, mode);
}

static bool
place_initrd(const BootRequest *request, uint8_t *setup, uint16_t version, uint32_t kernel_end,
             uint32_t *out_address, GError **error)
{
    uint64_t top = version >= 0x203 ? boot_get32(setup + INITRD_ADDR_MAX) : 0x37ffffff;
    uint64_t len = g_bytes_get_size(request->initrd);
    uint64_t memory_end = request->below_4g_bytes;
    uint64_t address;

    memory_end -= MIN(memory_end, request->reserved_top_bytes);
    top = MIN(top + 1, memory_end);
    if (len > top || (address = (top - len) & ~0xfffull) < kernel_end) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NO_MEMORY,
                    "the initrd of %" G_GUINT64_FORMAT " KiB does not fit beside the kernel %s in "
                    "%" G_GUINT64_FORMAT " MiB of memory: give more with -m",
                    (guint64)len / 1024, request->kernel_name,
                    (guint64)(request->below_4g_bytes / VIT_MIB));
        return false;
    }
    boot_put32(setup + RAMDISK_IMAGE, address);
    boot_put32(setup + RAMDISK_SIZE, len);
    *out_address = address;
    return true;
}

static bool
truncated(const BootRequest *request, GError **error)
{
    g_set_error(error, VIT_ERROR, VIT_ERROR_CORRUPT,
                "-kernel %s is cut short: its header asks for more than the file has",
                request->kernel_name);
    return false;
}

bool
boot_linux_load(const BootRequest *request, BootImage *out, bool *out_match, GError **error)
{
    gsize len;
    const uint8_t *bytes = g_bytes_get_data(request->kernel, &len);
    size_t setup_len, cmdline_len = strlen(request->cmdline) + 1;
    uint32_t cmdline_max, initrd_address = 0, kernel_address;
    g_autofree uint8_t *setup = NULL;
    uint16_t version;

    *out_match = len > 0x260 && memcmp(bytes + HEADER_MAGIC, "HdrS", 4) == 0;
    if (!*out_match) {
        return true;
    }
    setup_len = ((bytes[SETUP_SECTS] ? bytes[SETUP_SECTS] : 4) + 1) * SECTOR;
    if (setup_len >= len) {
        return truncated(request, error);
    }
    version = boot_get16(bytes + VERSION);
    if (version < 0x202) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "-kernel %s speaks Linux boot protocol %x.%02x; 2.02 (Linux 2.4) or later is "
                    "needed: boot it from a disk instead",
                    request->kernel_name, version >> 8, version & 0xff);
        return false;
    }
    cmdline_max = version >= 0x206 ? boot_get32(bytes + CMDLINE_SIZE) : 255;
    if (cmdline_len > (size_t)MIN(cmdline_max, 0x8000u) + 1) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "-append is %zu bytes long and %s takes %u", cmdline_len - 1,
                    request->kernel_name, cmdline_max);
        return false;
    }

    setup = g_memdup2(bytes, setup_len);
    kernel_address = setup[LOADFLAGS] & LOADFLAG_LOADED_HIGH ? KERNEL_ADDRESS : SETUP_ADDRESS;
    if (kernel_address != KERNEL_ADDRESS) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "-kernel %s is a zImage, which must be loaded low: boot it from a disk instead",
                    request->kernel_name);
        return false;
    }
    setup[TYPE_OF_LOADER] = LOADER_UNKNOWN;
    setup[LOADFLAGS] |= LOADFLAG_CAN_USE_HEAP;
    boot_put16(setup + HEAP_END_PTR, HEAP_END - 0x200);
    boot_put32(setup + CMD_LINE_PTR, CMDLINE_ADDRESS);
    apply_vga_word(request->cmdline, setup);
    if (request->initrd &&
        !place_initrd(request, setup, version, kernel_address + (len - setup_len), &initrd_address,
                      error)) {
        return false;
    }

    out->type = BOOT_LINUX;
    out->entry = SETUP_ADDRESS;
    out->stack = HEAP_END;
    boot_add_load(out, FW_CFG_SETUP_DATA, SETUP_ADDRESS,
                  g_bytes_new_take(g_steal_pointer(&setup), setup_len));
    boot_add_load(out, FW_CFG_CMDLINE_DATA, CMDLINE_ADDRESS,
                  g_bytes_new(request->cmdline, cmdline_len));
    boot_add_load(out, FW_CFG_KERNEL_DATA, kernel_address,
                  g_bytes_new_from_bytes(request->kernel, setup_len, len - setup_len));
    if (request->initrd) {
        boot_add_load(out, FW_CFG_INITRD_DATA, initrd_address, g_bytes_ref(request->initrd));
    }
    return true;
}
