/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The blob of ACPI tables and the loader script. ACPI Specification 6.3, 5.2; loader commands of
 * 128 bytes: ALLOCATE 1, ADD_POINTER 2, ADD_CHECKSUM 3. */

#include "tables.h"

#include <string.h>

enum {
    LOADER_ENTRY = 128,
    LOADER_NAME = 56,
    LOADER_ALLOCATE = 1,
    LOADER_ADD_POINTER = 2,
    LOADER_ADD_CHECKSUM = 3,
    ZONE_HIGH = 1,
    ZONE_FSEG = 2,

    HEADER_LENGTH_AT = 4,
    HEADER_CHECKSUM_AT = 9,
    RSDP_BYTES = 20,
    RSDP_CHECKSUM_AT = 8,
    RSDP_RSDT_AT = 16,
};

static void
put(GByteArray *to, uint64_t value, unsigned len)
{
    g_byte_array_append(to, (const uint8_t *)&value, len); /* little-endian host */
}

void
acpi_put8(AcpiTables *tables, uint8_t value)
{
    put(tables->blob, value, 1);
}

void
acpi_put16(AcpiTables *tables, uint16_t value)
{
    put(tables->blob, value, 2);
}

void
acpi_put32(AcpiTables *tables, uint32_t value)
{
    put(tables->blob, value, 4);
}

void
acpi_put64(AcpiTables *tables, uint64_t value)
{
    put(tables->blob, value, 8);
}

void
acpi_put_zeros(AcpiTables *tables, unsigned n)
{
    while (n--) {
        acpi_put8(tables, 0);
    }
}

/* ---- Loader script ---- */

static void
loader_name(uint8_t *at, const char *name)
{
    g_strlcpy((char *)at, name, LOADER_NAME);
}

static void
loader_allocate(AcpiTables *tables, const char *file, uint32_t align, uint8_t zone)
{
    uint8_t entry[LOADER_ENTRY] = { LOADER_ALLOCATE };

    loader_name(entry + 4, file);
    memcpy(entry + 60, &align, 4);
    entry[64] = zone;
    /* files are placed before anything points at them */
    g_byte_array_prepend(tables->loader, entry, sizeof(entry));
}

static void
loader_add_pointer(AcpiTables *tables, const char *to, const char *target, uint32_t at,
                   uint8_t size)
{
    uint8_t entry[LOADER_ENTRY] = { LOADER_ADD_POINTER };

    loader_name(entry + 4, to);
    loader_name(entry + 60, target);
    memcpy(entry + 116, &at, 4);
    entry[120] = size;
    g_byte_array_append(tables->loader, entry, sizeof(entry));
}

static void
loader_add_checksum(AcpiTables *tables, const char *file, uint32_t at, uint32_t start, uint32_t len)
{
    uint8_t entry[LOADER_ENTRY] = { LOADER_ADD_CHECKSUM };

    loader_name(entry + 4, file);
    memcpy(entry + 60, &at, 4);
    memcpy(entry + 64, &start, 4);
    memcpy(entry + 68, &len, 4);
    g_byte_array_append(tables->loader, entry, sizeof(entry));
}

/* ---- Tables ---- */

AcpiTables *
acpi_tables_new(void)
{
    AcpiTables *tables = g_new0(AcpiTables, 1);

    tables->blob = g_byte_array_new();
    tables->loader = g_byte_array_new();
    tables->rsdp = g_byte_array_new();
    tables->roots = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    tables->oem_id = "VITRIN";
    tables->oem_table_id = "VITRINPC";
    return tables;
}

void
acpi_tables_free(AcpiTables *tables)
{
    g_clear_pointer(&tables->blob, g_byte_array_unref);
    g_clear_pointer(&tables->loader, g_byte_array_unref);
    g_clear_pointer(&tables->rsdp, g_byte_array_unref);
    g_array_unref(tables->roots);
    g_free(tables);
}

uint32_t
acpi_begin(AcpiTables *tables, const char *signature, uint8_t revision)
{
    uint32_t offset;

    while (tables->blob->len % 8) {
        acpi_put8(tables, 0);
    }
    offset = tables->blob->len;
    g_byte_array_append(tables->blob, (const uint8_t *)signature, 4);
    acpi_put32(tables, 0); /* length */
    acpi_put8(tables, revision);
    acpi_put8(tables, 0); /* checksum */
    g_byte_array_append(tables->blob, (const uint8_t *)tables->oem_id, 6);
    g_byte_array_append(tables->blob, (const uint8_t *)tables->oem_table_id, 8);
    acpi_put32(tables, 1);
    g_byte_array_append(tables->blob, (const uint8_t *)"VITR", 4);
    acpi_put32(tables, 1);
    return offset;
}

void
acpi_end(AcpiTables *tables, uint32_t offset, bool is_root)
{
    uint32_t len = tables->blob->len - offset;

    memcpy(tables->blob->data + offset + HEADER_LENGTH_AT, &len, 4);
    loader_add_checksum(tables, ACPI_TABLES_FILE, offset + HEADER_CHECKSUM_AT, offset, len);
    if (is_root) {
        g_array_append_val(tables->roots, offset);
    }
}

void
acpi_pointer(AcpiTables *tables, uint32_t at, uint32_t target)
{
    memcpy(tables->blob->data + at, &target, 4);
    loader_add_pointer(tables, ACPI_TABLES_FILE, ACPI_TABLES_FILE, at, 4);
}

void
acpi_add_raw(AcpiTables *tables, const uint8_t *bytes, size_t len)
{
    uint32_t offset;

    while (tables->blob->len % 8) {
        acpi_put8(tables, 0);
    }
    offset = tables->blob->len;
    g_byte_array_append(tables->blob, bytes, len);
    tables->blob->data[offset + HEADER_CHECKSUM_AT] = 0;
    acpi_end(tables, offset, true);
}

void
acpi_finish(AcpiTables *tables)
{
    uint32_t rsdt = acpi_begin(tables, "RSDT", 1);

    for (guint i = 0; i < tables->roots->len; i++) {
        uint32_t at = tables->blob->len;

        acpi_put32(tables, 0);
        acpi_pointer(tables, at, g_array_index(tables->roots, uint32_t, i));
    }
    acpi_end(tables, rsdt, false);

    g_byte_array_append(tables->rsdp, (const uint8_t *)"RSD PTR ", 8);
    put(tables->rsdp, 0, 1);
    g_byte_array_append(tables->rsdp, (const uint8_t *)tables->oem_id, 6);
    put(tables->rsdp, 0, 1); /* revision: ACPI 1.0 */
    put(tables->rsdp, rsdt, 4);
    loader_add_pointer(tables, ACPI_RSDP_FILE, ACPI_TABLES_FILE, RSDP_RSDT_AT, 4);
    loader_add_checksum(tables, ACPI_RSDP_FILE, RSDP_CHECKSUM_AT, 0, RSDP_BYTES);
    loader_allocate(tables, ACPI_RSDP_FILE, 16, ZONE_FSEG);
    loader_allocate(tables, ACPI_TABLES_FILE, 64, ZONE_HIGH);
}
