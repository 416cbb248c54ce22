/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The tables given to the guest: -smbios and -acpitable. Thread: any; const data. */

#include "options-schema.h"

static const VitOptionKey k_smbios[] = {
    K_PATH("file", VIT_PATH_READ, NULL,
           "Adds structures from a binary file; cannot be mixed with fields of the same type",
           .mission = "=smbios.file"),
    K_INT("type", NULL, "Structure type", .max = 127),
    { 0 },
};

static const VitOptionKey k_smbios_0[] = {
    K_STRING("vendor", NULL, "BIOS vendor"),      K_STRING("version", NULL, "BIOS version"),
    K_STRING("date", NULL, "BIOS date"),          K_STRING("release", NULL, "BIOS release number"),
    K_BOOL("uefi", "off", "UEFI capability bit"), { 0 },
};

static const VitOptionKey k_smbios_1[] = {
    K_STRING("manufacturer", NULL, "System maker"),
    K_STRING("product", NULL, "Product name"),
    K_STRING("version", NULL, "Product version"),
    K_STRING("serial", NULL, "Serial number"),
    K_UUID("uuid", NULL, "System UUID"),
    K_STRING("sku", NULL, "SKU number"),
    K_STRING("family", NULL, "Product family"),
    { 0 },
};

static const VitOptionKey k_smbios_2[] = {
    K_STRING("manufacturer", NULL, "Board maker"),
    K_STRING("product", NULL, "Board name"),
    K_STRING("version", NULL, "Board version"),
    K_STRING("serial", NULL, "Board serial"),
    K_STRING("asset", NULL, "Asset tag"),
    K_STRING("location", NULL, "Location in chassis"),
    { 0 },
};

static const VitOptionKey k_smbios_3[] = {
    K_STRING("manufacturer", NULL, "Chassis maker"),
    K_STRING("version", NULL, "Chassis version"),
    K_STRING("serial", NULL, "Chassis serial"),
    K_STRING("asset", NULL, "Asset tag"),
    K_STRING("sku", NULL, "Chassis SKU"),
    { 0 },
};

static const VitOptionKey k_smbios_4[] = {
    K_STRING("sock_pfx", NULL, "Prefix of socket names, a number is appended"),
    K_STRING("manufacturer", NULL, "Processor maker"),
    K_STRING("version", NULL, "Processor version"),
    K_STRING("serial", NULL, "Processor serial"),
    K_STRING("asset", NULL, "Asset tag"),
    K_STRING("part", NULL, "Part number"),
    K_INT("max-speed", NULL, "Highest speed in MHz", .max = 65535, .unit = "MHz",
          .mission = "x.smbios.type4.extra"),
    K_INT("current-speed", NULL, "Present speed in MHz", .max = 65535, .unit = "MHz"),
    K_INT("processor-id", NULL, "Processor id"),
    { 0 },
};

static const VitOptionKey k_smbios_8[] = {
    K_STRING("internal_reference", NULL, "Name on the board"),
    K_STRING("external_reference", NULL, "Name on the case"),
    K_INT("connector_type", NULL, "Connector type", .max = 255),
    K_INT("port_type", NULL, "Port type", .max = 255),
    { 0 },
};

static const VitOptionKey k_smbios_11[] = {
    K_STRING("value", NULL, "One string; repeatable", .flags = VIT_OPT_REPEATS),
    K_PATH("path", VIT_PATH_READ, NULL,
           "One string read from a file, which must not hold NUL bytes; repeatable",
           .flags = VIT_OPT_REPEATS),
    { 0 },
};

static const VitOptionKey k_smbios_17[] = {
    K_STRING("loc_pfx", NULL, "Prefix of the locator, a number is appended"),
    K_STRING("bank", NULL, "Bank locator"),
    K_STRING("manufacturer", NULL, "Module maker"),
    K_STRING("serial", NULL, "Module serial"),
    K_STRING("asset", NULL, "Asset tag"),
    K_STRING("part", NULL, "Part number"),
    K_INT("speed", NULL, "Speed in MT/s", .max = 65535, .unit = "MT/s"),
    { 0 },
};

static const VitOptionKey k_smbios_41[] = {
    K_STRING("designation", NULL, "Label of the device"),
    K_STRING("kind", NULL, "Device kind, e.g. ethernet"),
    K_INT("instance", "1", "Instance number", .min = 1, .max = 255),
    K_ID("pcidev", "device", NULL, "PCI device described; must sit on the root bus"),
    { 0 },
};

static const VitOptionVariant vr_smbios[] = {
    { .name = "0",
      .help = VIT_N_("BIOS information fields"),
      .keys = k_smbios_0,
      .mission = "=smbios.type0" },
    { .name = "1",
      .help = VIT_N_("System information fields"),
      .keys = k_smbios_1,
      .mission = "=smbios.type1" },
    { .name = "2",
      .help = VIT_N_("Base board fields; structure exists only if given"),
      .keys = k_smbios_2,
      .mission = "=smbios.type2" },
    { .name = "3",
      .help = VIT_N_("Chassis fields"),
      .keys = k_smbios_3,
      .mission = "=smbios.type3" },
    { .name = "4",
      .help = VIT_N_("Processor fields"),
      .keys = k_smbios_4,
      .mission = "=smbios.type4" },
    { .name = "8",
      .help = VIT_N_("Port connector entry"),
      .keys = k_smbios_8,
      .since = "7.2",
      .mission = "=x.smbios.type8" },
    { .name = "11",
      .help = VIT_N_("OEM strings; repeatable, strings appear in the order given; meant for short "
                     "hints, prefixed by the application's name"),
      .keys = k_smbios_11,
      .mission = "=smbios.type11" },
    { .name = "17",
      .help = VIT_N_("Memory device fields"),
      .keys = k_smbios_17,
      .mission = "=smbios.type17" },
    { .name = "41",
      .help = VIT_N_(
          "On-board device entry, repeatable; lets Linux name a NIC enoX by instance number"),
      .keys = k_smbios_41,
      .mission = "=smbios.type41" },
    { 0 },
};

static const VitOptionKey k_acpitable[] = {
    K_STRING("sig", NULL, "4-character signature"),
    K_INT("rev", NULL, "Table revision", .max = 255),
    K_STRING("oem_id", NULL, "OEM id, 6 characters"),
    K_STRING("oem_table_id", NULL, "OEM table id, 8 characters"),
    K_INT("oem_rev", NULL, "OEM revision"),
    K_STRING("asl_compiler_id", NULL, "Compiler vendor id, 4 characters"),
    K_INT("asl_compiler_rev", NULL, "Compiler revision"),
    K_PATH("data", VIT_PATH_READ, NULL,
           "Table body only, files concatenated; header comes from the options"),
    K_PATH("file", VIT_PATH_READ, NULL,
           "Complete table including header; given options override header fields"),
    { 0 },
};

static const VitOption options[] = {
    { .name = "smbios",
      .syntax = VIT_SYNTAX_KEYS,
      .repeat = VIT_REPEAT_LIST,
      .metavar = VIT_N_("file=FILE | type=N[,FIELD=VALUE[,...]]"),
      .help = VIT_N_("Fields of the SMBIOS tables that tell the guest who made the machine"),
      .section = VIT_N_("Boot and firmware"),
      .page = VIT_N_("Firmware tables"),
      .variant_key = "type",
      .keys = k_smbios,
      .variants = vr_smbios,
      .change = VIT_CHANGE_OFF,
      .status = VIT_STATUS_AVAILABLE,
      .mission = "smbios.limit" },
    { .name = "acpitable",
      .syntax = VIT_SYNTAX_KEYS,
      .repeat = VIT_REPEAT_LIST,
      .metavar =
          VIT_N_("[sig=TEXT][,rev=N][,oem_id=TEXT][,...],file=FILE[:FILE...]|data=FILE[:FILE...]"),
      .help = VIT_N_(
          "Adds an ACPI table from files; a SLIC table's OEM ids are copied into RSDT and FADT"),
      .section = VIT_N_("Boot and firmware"),
      .page = VIT_N_("Firmware tables"),
      .keys = k_acpitable,
      .change = VIT_CHANGE_OFF,
      .status = VIT_STATUS_AVAILABLE,
      .mission = "acpitable.slic" },
};

const VitOptionArea vit_options_smbios_area = { options, VIT_ARRAY_LEN(options) };
