/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Where firmware lies: -L folders in order, the user's and the system's vitrine/firmware folders,
 * then where distributions put SeaBIOS, the VGA BIOSes, iPXE and OVMF. */

#include "board.h"

#include "vit-error.h"

#include <string.h>

static const char *const system_dirs[] = {
    "/app/share/vitrine/firmware", /* Flatpak */
    "/usr/local/share/vitrine/firmware",
    "/usr/share/vitrine/firmware",
    "/usr/share/seabios",
    "/usr/share/qemu",
    "/usr/lib/ipxe/qemu",
    "/usr/share/ipxe/qemu",
    "/usr/share/ipxe",
    "/usr/share/OVMF",
    "/usr/share/ovmf",
    "/usr/share/edk2/ovmf",
    "/usr/share/u-boot-qemu",
    NULL,
};

/* Which package has what, for the error text: beginning of the name, Debian's package. */
static const struct {
    const char *prefix, *package;
} packages[] = {
    { "bios", "seabios" },   { "vgabios", "seabios" }, { "efi-", "ipxe-qemu" },
    { "pxe-", "ipxe-qemu" }, { "OVMF", "ovmf" },
};

static char *
find_in(const char *dir, const char *name)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);

    return g_file_test(path, G_FILE_TEST_IS_REGULAR) ? g_steal_pointer(&path) : NULL;
}

char *
firmware_find(const Machine *machine, const char *name)
{
    g_autofree char *user_dir =
        g_build_filename(g_get_user_data_dir(), "vitrine", "firmware", NULL);
    char *path;

    if (g_file_test(name, G_FILE_TEST_IS_REGULAR)) {
        return g_strdup(name);
    }
    if (strchr(name, '/')) {
        return NULL;
    }
    for (guint i = 0; machine->plan && i < machine->plan->data_dirs->len; i++) {
        if ((path = find_in(machine->plan->data_dirs->pdata[i], name))) {
            return path;
        }
    }
    if ((path = find_in(user_dir, name))) {
        return path;
    }
    for (unsigned i = 0; system_dirs[i]; i++) {
        if ((path = find_in(system_dirs[i], name))) {
            return path;
        }
    }
    return NULL;
}

static const char *
package_of(const char *name)
{
    for (unsigned i = 0; i < VIT_ARRAY_LEN(packages); i++) {
        if (g_str_has_prefix(name, packages[i].prefix)) {
            return packages[i].package;
        }
    }
    return NULL;
}

GBytes *
firmware_load(const Machine *machine, const char *name, GError **error)
{
    g_autofree char *path = firmware_find(machine, name);
    const char *package = package_of(name);
    char *contents;
    gsize len;

    if (!path) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                    "firmware \"%s\" was not found. Name its folder with -L%s%s", name,
                    package ? ", or install the package " : "", package ? package : "");
        return NULL;
    }
    if (!g_file_get_contents(path, &contents, &len, error)) {
        return NULL;
    }
    return g_bytes_new_take(contents, len);
}

void
firmware_list_dirs(VitKindFunc func, void *func_data)
{
    g_autofree char *user_dir =
        g_build_filename(g_get_user_data_dir(), "vitrine", "firmware", NULL);
    VitKindInfo info = { .name = user_dir };

    func(&info, func_data);
    for (unsigned i = 0; system_dirs[i]; i++) {
        info.name = system_dirs[i];
        func(&info, func_data);
    }
}
