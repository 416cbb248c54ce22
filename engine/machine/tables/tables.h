/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Firmware tables. ACPI tables go to the firmware as one blob with a script of what to place and
 * patch ("etc/table-loader", QEMU's published linker/loader interface); SMBIOS as a blob and its
 * anchor. Thread: any. */

#include "aml.h"

/* ---- ACPI: a blob under construction ---- */

typedef struct AcpiTables {
    GByteArray *blob;   /* etc/acpi/tables */
    GByteArray *loader; /* etc/table-loader */
    GByteArray *rsdp;   /* etc/acpi/rsdp */
    GArray *roots;      /* uint32_t offsets of tables the RSDT lists */
    const char *oem_id, *oem_table_id;
} AcpiTables;

#define ACPI_TABLES_FILE "etc/acpi/tables"
#define ACPI_RSDP_FILE   "etc/acpi/rsdp"
#define ACPI_LOADER_FILE "etc/table-loader"

AcpiTables *acpi_tables_new(void);
void acpi_tables_free(AcpiTables *tables);
/* Starts a table with the standard header; returns its offset. Append its body to tables->blob. */
uint32_t acpi_begin(AcpiTables *tables, const char *signature, uint8_t revision);
/* Sets length, has the firmware compute the checksum; lists it in the RSDT when IS_ROOT. */
void acpi_end(AcpiTables *tables, uint32_t offset, bool is_root);
/* The 4 bytes at AT hold the offset TARGET within the blob: the firmware adds its address. */
void acpi_pointer(AcpiTables *tables, uint32_t at, uint32_t target);
/* A whole table as given by -acpitable. */
void acpi_add_raw(AcpiTables *tables, const uint8_t *bytes, size_t len);
/* RSDT and RSDP. */
void acpi_finish(AcpiTables *tables);

void acpi_put8(AcpiTables *tables, uint8_t value);
void acpi_put16(AcpiTables *tables, uint16_t value);
void acpi_put32(AcpiTables *tables, uint32_t value);
void acpi_put64(AcpiTables *tables, uint64_t value);
void acpi_put_zeros(AcpiTables *tables, unsigned n);

/* ---- SMBIOS ---- */

typedef struct SmbiosTables SmbiosTables;

typedef struct SmbiosInfo {
    const char *machine_name; /* type 1 product by default */
    const uint8_t *uuid;      /* 16 bytes, as -uuid gives them; NULL: none */
    unsigned sockets, cores, threads;
    const char *cpu_vendor, *cpu_model;
    uint64_t ram_bytes, below_4g_bytes, above_4g_bytes;
} SmbiosInfo;

SmbiosTables *smbios_new(void);
void smbios_free(SmbiosTables *tables);
/* Field of -smbios type=TYPE: vendor, version, date, manufacturer, product, serial, uuid, ... False
 * when TYPE has no such field. */
bool smbios_set(SmbiosTables *tables, int type, const char *key, const char *value, GError **error);
/* A structure of -smbios file=. */
bool smbios_add_file(SmbiosTables *tables, const uint8_t *bytes, size_t len, GError **error);
/* Both outputs are the caller's. */
void smbios_build(SmbiosTables *tables, const SmbiosInfo *info, GBytes **out_anchor,
                  GBytes **out_tables);
