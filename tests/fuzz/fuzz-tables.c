/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Files and fields for firmware tables: -acpitable data, -smbios file= and -smbios type=. The first
 * byte says which; what was accepted must come out as tables. */

#include "tables/tables.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
add_acpi(const uint8_t *data, size_t size)
{
    AcpiTables *tables = acpi_tables_new();

    tables->oem_id = "FUZZ  ";
    tables->oem_table_id = "FUZZ    ";
    if (size >= 36) { /* shorter ones never come here */
        acpi_add_raw(tables, data, size);
    }
    acpi_finish(tables);
    acpi_tables_free(tables);
}

static void
add_smbios(const uint8_t *data, size_t size, bool as_file)
{
    static const char *const keys[] = { "vendor", "version", "date",  "uefi", "release", "uuid",
                                        "serial", "product", "asset", "path", "value",   "sku" };
    static const SmbiosInfo info = {
        .machine_name = "fuzz", .sockets = 1, .cores = 1, .threads = 1, .ram_bytes = 1 << 24
    };
    SmbiosTables *tables = smbios_new();
    g_autoptr(GBytes) anchor = NULL, out = NULL;

    if (as_file) {
        size_t half = size / 2;
        smbios_add_file(tables, data, half, NULL);
        smbios_add_file(tables, data + half, size - half, NULL);
    }
    for (size_t at = 0; !as_file && at + 3 < size;) {
        size_t len = MIN((size_t)data[at + 2], size - at - 3);
        g_autofree char *value = g_strndup((const char *)data + at + 3, len);
        smbios_set(tables, data[at] % 44, keys[data[at + 1] % G_N_ELEMENTS(keys)], value, NULL);
        at += 3 + len;
    }
    smbios_build(tables, &info, &anchor, &out);
    g_assert_nonnull(out);
    smbios_free(tables);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    switch (data[0] % 3) {
    case 0: add_acpi(data + 1, size - 1); break;
    case 1: add_smbios(data + 1, size - 1, true); break;
    default: add_smbios(data + 1, size - 1, false); break;
    }
    return 0;
}
