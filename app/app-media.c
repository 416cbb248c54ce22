/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Recognising install media by their volume identifier, and those the table does not have by what
 * the boot catalogue or the publisher says. The table is ours to extend: beginning of the
 * identifier, title, preset, advised memory and disk (0: what the preset says). Disk images are
 * told by the magic numbers at their beginning. */

#include "app-media.h"

#include "app-preset.h"

#include <string.h>

enum {
    SECTOR = 2048,
    PVD_SECTOR = 16,
    BOOT_RECORD_SECTOR = 17,
    VOLUME_AT = 40,
    VOLUME_LEN = 32,
    PUBLISHER_AT = 318,
    PUBLISHER_LEN = 128,
    CATALOG_AT = 0x47, /* of the boot record: sector of the catalogue */
    MAKER_AT = 4,      /* of the catalogue: who made it */
    MAKER_LEN = 24,
};

static const struct {
    const char *prefix, *title, *preset;
    unsigned ram_mib, disk_mib;
} known[] = {
    { "Debian", "Debian", "linux", 0, 0 },
    { "d-live", "Debian Live", "linux", 0, 0 },
    { "Ubuntu", "Ubuntu", "linux", 4096, 25600 },
    { "Kubuntu", "Kubuntu", "linux", 4096, 25600 },
    { "Xubuntu", "Xubuntu", "linux", 2048, 25600 },
    { "Linux Mint", "Linux Mint", "linux", 4096, 25600 },
    { "Fedora", "Fedora", "linux", 4096, 0 },
    { "CentOS", "CentOS", "linux", 2048, 0 },
    { "RHEL", "Red Hat Enterprise Linux", "linux", 2048, 0 },
    { "Rocky", "Rocky Linux", "linux", 2048, 0 },
    { "AlmaLinux", "AlmaLinux", "linux", 2048, 0 },
    { "ARCH_", "Arch Linux", "linux", 1024, 0 },
    { "MANJARO", "Manjaro", "linux", 2048, 0 },
    { "EOS_", "EndeavourOS", "linux", 2048, 0 },
    { "openSUSE", "openSUSE", "linux", 0, 0 },
    { "SLE-", "SUSE Linux Enterprise", "linux", 0, 0 },
    { "alpine", "Alpine Linux", "linux", 512, 4096 },
    { "nixos", "NixOS", "linux", 0, 0 },
    { "Gentoo", "Gentoo", "linux", 0, 0 },
    { "VOID_LIVE", "Void Linux", "linux", 1024, 0 },
    { "Kali", "Kali Linux", "linux", 2048, 0 },
    { "TAILS", "Tails", "linux", 2048, 0 },
    { "KNOPPIX", "KNOPPIX", "linux", 1024, 0 },
    { "SYSRESC", "SystemRescue", "linux", 1024, 0 },
    { "RESCUE", "Rescue CD", "linux", 1024, 0 },
    { "GParted", "GParted Live", "linux", 1024, 0 },
    { "clonezilla", "Clonezilla", "linux", 1024, 0 },
    { "TinyCore", "Tiny Core", "linux", 256, 1024 },
    { "Puppy", "Puppy Linux", "linux", 512, 2048 },
    { "slackware", "Slackware", "linux", 1024, 0 },
    { "Haiku", "Haiku", "other", 1024, 8192 },
    { "ReactOS", "ReactOS", "winxp", 512, 4096 },
    { "GRUB", "GRUB rescue", "other", 128, 1024 },
    { "ISOIMAGE", "Rescue CD", "other", 128, 1024 },
    { "iPXE", "iPXE", "other", 128, 1024 },
    { "MT86", "Memtest86+", "other", 256, 0 },
    { "FreeBSD", "FreeBSD", "bsd", 0, 0 },
    { "OpenBSD", "OpenBSD", "bsd", 1024, 0 },
    { "NetBSD", "NetBSD", "bsd", 1024, 0 },
    { "DragonFly", "DragonFly BSD", "bsd", 0, 0 },
    { "FREEDOS", "FreeDOS", "dos", 64, 0 },
    { "FD13", "FreeDOS", "dos", 64, 0 },
    { "FD14", "FreeDOS", "dos", 64, 0 },
    { "MSDOS", "MS-DOS", "dos", 0, 0 },
    { "WIN95", "Windows 95", "win9x", 64, 2000 },
    { "WIN98", "Windows 98", "win9x", 0, 0 },
    { "WIN_98", "Windows 98", "win9x", 0, 0 },
    { "WINME", "Windows Me", "win9x", 0, 0 },
    { "WIN_ME", "Windows Me", "win9x", 0, 0 },
    { "W2K", "Windows 2000", "winxp", 512, 8192 },
    { "W2PFPP", "Windows 2000", "winxp", 512, 8192 },
    { "WXP", "Windows XP", "winxp", 0, 0 },
    { "WXHOEM", "Windows XP", "winxp", 0, 0 },
    { "WXPOEM", "Windows XP", "winxp", 0, 0 },
    { "GRTMPVOL", "Windows XP", "winxp", 0, 0 },
    { "XRMPVOL", "Windows XP", "winxp", 0, 0 },
    { "LRMCFRE", "Windows Vista", "windows", 2048, 40960 },
    { "GRMC", "Windows 7", "windows", 2048, 40960 },
    { "GSP1RM", "Windows 7", "windows", 2048, 40960 },
    { "HRM_", "Windows 8", "windows", 2048, 40960 },
    { "IR3_", "Windows 8.1", "windows", 2048, 40960 },
    { "CCCOMA_X64", "Windows", "windows", 0, 0 },
    { "CCCOMA_X86", "Windows", "windows", 0, 0 },
    { "CPBA_", "Windows", "windows", 0, 0 },
    { "ESD-ISO", "Windows", "windows", 0, 0 },
    { "SSS_X64", "Windows Server", "windows", 0, 0 },
};

/* Who made the disc, when the volume says nothing. */
static const struct {
    const char *maker, *title, *preset;
} makers[] = {
    { "microsoft", "Windows", "windows" }, { "debian", "Debian", "linux" },
    { "canonical", "Ubuntu", "linux" },    { "red hat", "Linux", "linux" },
    { "suse", "openSUSE", "linux" },       { "grub", "Rescue CD", "other" },
    { "linux", "Linux", "linux" },         { "isolinux", "Linux", "linux" },
};

static const struct {
    gsize at, len;
    const char *magic, *format;
} formats[] = {
    { 0, 4, "QFI\xfb", "qcow2" },
    { 0, 4, "KDMV", "vmdk" },
    { 0x40, 4, "\x7f\x10\xda\xbe", "vdi" },
    { 0, 8, "vhdxfile", "vhdx" },
    { 0, 8, "conectix", "vpc" },
    { 0, 4, "QED", "qed" },
    { 0, 16, "WithoutFreeSpace", "parallels" },
};

typedef struct Sector {
    char bytes[SECTOR];
} Sector;

static gboolean
read_sector(GFileInputStream *stream, guint64 number, Sector *out)
{
    gsize got = 0;

    memset(out, 0, sizeof(*out));
    return g_seekable_seek(G_SEEKABLE(stream), (goffset)(number * SECTOR), G_SEEK_SET, NULL,
                           NULL) &&
           g_input_stream_read_all(G_INPUT_STREAM(stream), out->bytes, SECTOR, &got, NULL, NULL) &&
           got == SECTOR;
}

/* A padded field as text that can be shown. */
static char *
field(const Sector *sector, gsize at, gsize len)
{
    g_autofree char *text = g_strndup(sector->bytes + at, len);
    g_autofree char *valid = g_utf8_make_valid(text, -1);

    return g_strdup(g_strstrip(valid));
}

/* The maker that the boot catalogue names; NULL when there is no catalogue. */
static char *
read_maker(GFileInputStream *stream)
{
    Sector sector;
    guint32 catalog;

    if (!read_sector(stream, BOOT_RECORD_SECTOR, &sector) ||
        memcmp(sector.bytes, "\0CD001", 6) != 0 ||
        memcmp(sector.bytes + 7, "EL TORITO SPECIFICATION", 23) != 0) {
        return NULL;
    }
    memcpy(&catalog, sector.bytes + CATALOG_AT, sizeof(catalog));
    if (!read_sector(stream, GUINT32_FROM_LE(catalog), &sector) || sector.bytes[0] != 1) {
        return NULL;
    }
    return field(&sector, MAKER_AT, MAKER_LEN);
}

static void
set_known(AppMedia *media, const char *title, const char *preset, guint ram_mib, guint disk_mib)
{
    const AppPreset *found = app_preset_find(preset);

    media->is_known = TRUE;
    media->title = g_strdup(title);
    media->preset = preset;
    media->advised_ram_bytes = (guint64)(ram_mib ? ram_mib : found->ram_mib) << 20;
    media->advised_disk_bytes = (guint64)(disk_mib ? disk_mib : found->disk_mib) << 20;
}

static void
recognise(AppMedia *media, const char *publisher, const char *maker)
{
    g_autofree char *said = g_strconcat(publisher, " ", maker ? maker : "", NULL);
    g_autofree char *lower = g_ascii_strdown(said, -1);

    for (unsigned i = 0; i < G_N_ELEMENTS(known); i++) {
        if (g_ascii_strncasecmp(media->volume, known[i].prefix, strlen(known[i].prefix)) == 0) {
            set_known(media, known[i].title, known[i].preset, known[i].ram_mib, known[i].disk_mib);
            return;
        }
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(makers); i++) {
        if (strstr(lower, makers[i].maker)) {
            set_known(media, makers[i].title, makers[i].preset, 0, 0);
            return;
        }
    }
}

static void
read_iso(AppMedia *media, GFileInputStream *stream, const Sector *volume)
{
    g_autofree char *publisher = field(volume, PUBLISHER_AT, PUBLISHER_LEN);
    g_autofree char *maker = read_maker(stream);
    g_autofree char *lower = NULL;

    media->volume = field(volume, VOLUME_AT, VOLUME_LEN);
    media->is_bootable = maker != NULL;
    lower = g_ascii_strdown(media->volume, -1);
    media->is_live = strstr(lower, "live") || strstr(lower, "rescue") || strstr(lower, "knoppix") ||
                     strstr(lower, "tails") || strstr(lower, "gparted");
    recognise(media, publisher, maker);
}

static const char *
format_of(GFileInputStream *stream)
{
    Sector sector;

    read_sector(stream, 0, &sector);
    for (unsigned i = 0; i < G_N_ELEMENTS(formats); i++) {
        if (memcmp(sector.bytes + formats[i].at, formats[i].magic, formats[i].len) == 0) {
            return formats[i].format;
        }
    }
    return "raw";
}

AppMedia *
app_media_probe(const char *path, GError **error)
{
    g_autoptr(GFile) file = g_file_new_for_path(path);
    g_autoptr(GFileInputStream) stream = g_file_read(file, NULL, error);
    g_autofree char *base = g_path_get_basename(path);
    const AppPreset *other = app_preset_find("other");
    AppMedia *media;
    Sector volume;
    char *dot;

    if (!stream) {
        return NULL;
    }
    media = g_new0(AppMedia, 1);
    media->preset = other->id;
    media->advised_ram_bytes = (guint64)other->ram_mib << 20;
    media->advised_disk_bytes = (guint64)other->disk_mib << 20;
    media->format = "raw";
    if (read_sector(stream, PVD_SECTOR, &volume) && memcmp(volume.bytes, "\1CD001", 6) == 0) {
        read_iso(media, stream, &volume);
    } else {
        media->format = format_of(stream);
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
