/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Kernels for -kernel: the input changes bytes of a small sound one (Linux, multiboot by offsets,
 * a.out-like, ELF of 32 and of 64 bits with a PVH note), or is the kernel; the rest is its initrd.
 * What is loaded must lie where the request allows. */

#include "boot.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEMPLATES = 5, TEMPLATE_BYTES = 8192, MEMORY_BYTES = 16 << 20 };

static void
make_linux(uint8_t *image)
{
    image[0x1f1] = 3;
    boot_put16(image + 0x1fe, 0xaa55);
    image[0x200] = 0xeb;
    image[0x201] = 0x66;
    memcpy(image + 0x202, "HdrS", 4);
    boot_put16(image + 0x206, 0x020c);
    image[0x211] = 1;
    boot_put32(image + 0x214, 0x100000);
    boot_put32(image + 0x22c, 0x7fffffff);
    boot_put32(image + 0x238, 2047);
    boot_put32(image + 0x260, 0x200000);
}

static void
make_multiboot(uint8_t *image, uint32_t flags)
{
    boot_put32(image + 64, 0x1badb002);
    boot_put32(image + 68, flags);
    boot_put32(image + 72, -(0x1badb002 + flags));
    boot_put32(image + 76, 0x100040); /* header */
    boot_put32(image + 80, 0x100000); /* first byte */
    boot_put32(image + 84, 0x101000);
    boot_put32(image + 88, 0x102000); /* end of bss */
    boot_put32(image + 92, 0x100080); /* entry */
}

static void
make_elf32(uint8_t *image)
{
    memcpy(image, "\177ELF\1\1\1", 7);
    boot_put16(image + 16, 2);
    boot_put16(image + 18, 3);
    boot_put32(image + 24, 0x100000);
    boot_put32(image + 28, 52);
    boot_put16(image + 42, 32);
    boot_put16(image + 44, 2);
    boot_put32(image + 52, 1);
    boot_put32(image + 56, 4096);
    boot_put32(image + 60, 0x100000);
    boot_put32(image + 64, 0x100000);
    boot_put32(image + 68, 1024);
    boot_put32(image + 72, 2048);
    boot_put32(image + 84, 4);
    boot_put32(image + 88, 256);
    boot_put32(image + 100, 20);
    boot_put32(image + 104, 20);
    memcpy(image + 256, "\4\0\0\0\4\0\0\0\22\0\0\0Xen\0\0\0\20\0", 20);
}

static void
make_elf64(uint8_t *image)
{
    memcpy(image, "\177ELF\2\1\1", 7);
    boot_put16(image + 16, 2);
    boot_put16(image + 18, 62);
    boot_put64(image + 24, 0x100000);
    boot_put64(image + 32, 64);
    boot_put16(image + 54, 56);
    boot_put16(image + 56, 2);
    boot_put32(image + 64, 1);
    boot_put64(image + 72, 4096);
    boot_put64(image + 88, 0x100000);
    boot_put64(image + 96, 1024);
    boot_put64(image + 104, 2048);
    boot_put32(image + 120, 4);
    boot_put64(image + 128, 256);
    boot_put64(image + 152, 20);
    memcpy(image + 256, "\4\0\0\0\4\0\0\0\22\0\0\0Xen\0\0\0\20\0", 20);
}

static void
make_template(unsigned number, uint8_t *image)
{
    memset(image, 0, TEMPLATE_BYTES);
    switch (number) {
    case 0: make_linux(image); break;
    case 1: make_multiboot(image, 0x10003); break;
    case 2:
        make_elf32(image);
        make_multiboot(image + 4096, 3);
        break;
    case 3: make_elf32(image); break;
    default: make_elf64(image); break;
    }
}

/* Records of two bytes of place, one of length, and what to put there. */
static size_t
patch(uint8_t *image, const uint8_t *data, size_t size)
{
    size_t at = 0;

    while (at + 3 < size && data[at + 2] != 0xff) {
        size_t place = ((size_t)data[at] << 8 | data[at + 1]) % TEMPLATE_BYTES;
        size_t count = MIN(1u + data[at + 2] % 16u, size - at - 3);
        memcpy(image + place, data + at + 3, MIN(count, TEMPLATE_BYTES - place));
        at += 3 + count;
    }
    return MIN(at, size);
}

static void
load(GBytes *kernel, GBytes *initrd, const char *spec)
{
    BootRequest request = { .kernel = kernel,
                            .kernel_name = "fuzz",
                            .initrd = initrd,
                            .initrd_spec = spec,
                            .cmdline = "console=ttyS0 vga=0x317",
                            .below_4g_bytes = MEMORY_BYTES,
                            .reserved_top_bytes = 1 << 16 };
    g_autoptr(GError) error = NULL;
    BootImage image = { 0 };

    if (!boot_load(&request, &image, &error)) {
        g_assert_nonnull(error);
        return;
    }
    for (unsigned i = 0; i < image.n_loads; i++) {
        g_assert_cmpuint(image.loads[i].address + (uint64_t)g_bytes_get_size(image.loads[i].data),
                         <=, MEMORY_BYTES);
    }
    boot_image_clear(&image);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree uint8_t *image = NULL;
    size_t used;

    if (size < 2) {
        return 0;
    }
    if (data[0] % (TEMPLATES + 1) == TEMPLATES) {
        g_autoptr(GBytes) kernel = g_bytes_new(data + 1, size - 1);
        load(kernel, NULL, NULL);
        return 0;
    }
    image = g_malloc(TEMPLATE_BYTES);
    make_template(data[0] % (TEMPLATES + 1), image);
    used = patch(image, data + 2, size - 2);
    /* A kernel that ends early has a buffer that ends there. */
    g_autoptr(GBytes) kernel = g_bytes_new(image, TEMPLATE_BYTES >> (data[1] % 8));
    g_autoptr(GBytes) initrd = g_bytes_new(data + 2 + used, size - 2 - used);
    load(kernel, data[1] & 8 ? initrd : NULL, data[1] & 16 ? "/dev/null one,/dev/null" : NULL);
    return 0;
}
