/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Recognising install media by the volume identifier of their ISO image. The table is ours to
 * extend: prefix of the identifier, title, advised memory and disk in MiB and GiB. */

#include "app-media.h"

#include <string.h>

enum { SECTOR = 2048, PVD_SECTOR = 16, VOLUME_AT = 40, VOLUME_LEN = 32 };

static const struct {
    const char *prefix, *title;
    unsigned ram_mib, disk_gib;
} known[] = {
    { "Debian", "Debian", 1024, 20 },     { "d-live", "Debian Live", 1024, 20 },
    { "Ubuntu", "Ubuntu", 4096, 25 },     { "Fedora", "Fedora", 2048, 20 },
    { "CDROM", "Debian", 1024, 20 },      { "ARCH_", "Arch Linux", 1024, 20 },
    { "openSUSE", "openSUSE", 2048, 20 }, { "alpine", "Alpine Linux", 512, 4 },
    { "GRUB", "GRUB rescue", 128, 1 },    { "ISOIMAGE", "Rescue CD", 128, 1 },
    { "iPXE", "iPXE", 128, 1 },           { "FreeBSD", "FreeBSD", 1024, 20 },
    { "FREEDOS", "FreeDOS", 64, 2 },      { "FD13", "FreeDOS", 64, 2 },
    { "WXP", "Windows XP", 512, 10 },     { "GRTMPVOL", "Windows XP", 512, 10 },
    { "WIN98", "Windows 98", 256, 4 },    { "CCCOMA_X64", "Windows", 4096, 64 },
};

static char *
read_volume(GFileInputStream *stream)
{
    char sector[SECTOR];
    gsize got;

    if (!g_seekable_seek(G_SEEKABLE(stream), PVD_SECTOR * SECTOR, G_SEEK_SET, NULL, NULL) ||
        !g_input_stream_read_all(G_INPUT_STREAM(stream), sector, sizeof(sector), &got, NULL,
                                 NULL) ||
        got != sizeof(sector) || memcmp(sector, "\1CD001", 6) != 0) {
        return NULL;
    }
    return g_strchomp(g_strndup(sector + VOLUME_AT, VOLUME_LEN));
}

AppMedia *
app_media_probe(const char *path, GError **error)
{
    g_autoptr(GFile) file = g_file_new_for_path(path);
    g_autoptr(GFileInputStream) stream = g_file_read(file, NULL, error);
    g_autofree char *base = g_path_get_basename(path);
    AppMedia *media;
    char *dot;

    if (!stream) {
        return NULL;
    }
    media = g_new0(AppMedia, 1);
    media->volume = read_volume(stream);
    media->advised_ram_bytes = 1024ull << 20;
    media->advised_disk_bytes = 20ull << 30;
    for (unsigned i = 0; media->volume && i < G_N_ELEMENTS(known); i++) {
        if (g_ascii_strncasecmp(media->volume, known[i].prefix, strlen(known[i].prefix)) == 0) {
            media->title = g_strdup(known[i].title);
            media->advised_ram_bytes = (guint64)known[i].ram_mib << 20;
            media->advised_disk_bytes = (guint64)known[i].disk_gib << 30;
            break;
        }
    }
    if (!media->title) {
        dot = strrchr(base, '.');
        if (dot && dot != base) {
            *dot = '\0';
        }
        media->title = g_strdup(base);
    }
    return media;
}

void
app_media_free(AppMedia *media)
{
    if (media) {
        g_free(media->volume);
        g_free(media->title);
        g_free(media);
    }
}
