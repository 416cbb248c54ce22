/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Which kind of kernel an image is: multiboot by its header, then Linux by "HdrS", then PVH by its
 * ELF note. */

#include "boot.h"

#include "vit-error.h"

bool
boot_load(const BootRequest *request, BootImage *out, GError **error)
{
    static bool (*const loaders[])(const BootRequest *, BootImage *, bool *, GError **) = {
        boot_multiboot_load,
        boot_linux_load,
        boot_pvh_load,
    };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(loaders); i++) {
        BootImage image = { 0 };
        bool match = false;
        bool ok = loaders[i](request, &image, &match, error);

        if (match && ok) {
            *out = image;
            return true;
        }
        boot_image_clear(&image);
        if (match) {
            return false;
        }
    }
    g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                "-kernel %s is neither a Linux bzImage, nor a multiboot kernel, nor an ELF file "
                "with a PVH entry; boot a disk with -drive or a ROM with -bios instead",
                request->kernel_name);
    return false;
}
