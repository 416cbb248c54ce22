/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Install media as the new-machine page looks at them: the input changes bytes of a small ISO 9660
 * image with a boot catalogue, or is the file. */

#include "app-media.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SECTOR = 2048, IMAGE_BYTES = 20 * SECTOR };

static void
make_iso(uint8_t *image)
{
    uint8_t *volume = image + 16 * SECTOR, *boot = volume + SECTOR, *catalog = boot + SECTOR;

    memset(image, 0, IMAGE_BYTES);
    memcpy(volume, "\1CD001\1", 7);
    memset(volume + 40, ' ', 32);
    memcpy(volume + 40, "Debian 12", 9);
    memcpy(boot, "\0CD001\1EL TORITO SPECIFICATION", 30);
    boot[0x47] = 18;
    catalog[0] = 1;
    memcpy(catalog + 4, "maker", 5);
    catalog[30] = 0x55;
    catalog[31] = 0xaa;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree uint8_t *image = g_malloc(IMAGE_BYTES);
    g_autoptr(GError) error = NULL;
    g_autoptr(AppMedia) media = NULL;
    size_t len = IMAGE_BYTES;
    int fd;

    if (size < 2) {
        return 0;
    }
    make_iso(image);
    if (data[0] & 1) {
        len = MIN(size - 1, (size_t)IMAGE_BYTES);
        memcpy(image, data + 1, len);
    } else {
        for (size_t at = 1; at + 2 < size; at += 3) {
            image[14 * SECTOR + ((size_t)data[at] << 8 | data[at + 1]) % (6 * SECTOR)] =
                data[at + 2];
        }
        len -= (size_t)(data[0] >> 1) * 300;
    }
    fd = memfd_create("media", MFD_CLOEXEC);
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
    g_assert_true(fd >= 0 && write(fd, image, len) == (ssize_t)len);
    media = app_media_probe(path, &error);
    g_assert_true((media == NULL) == (error != NULL));
    if (media) {
        /* What is shown to people. */
        g_assert_true(!media->volume || g_utf8_validate(media->volume, -1, NULL));
        g_assert_true(!media->title || g_utf8_validate(media->title, -1, NULL));
    }
    close(fd);
    return 0;
}
