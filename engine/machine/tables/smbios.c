/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* SMBIOS structures and the 32-bit entry point. System Management BIOS Reference Specification
 * 2.8: entry point 5.2.1; structures 7.1 (BIOS), 7.2 (system), 7.3 (board), 7.4 (chassis), 7.5
 * (processor), 7.17 (memory array), 7.18 (memory device), 7.20 (mapped address), 7.33 (boot). */

#include "tables.h"

#include "vit-error.h"

#include <string.h>

enum { TYPES = 5 };

/* What -smbios type=N may set: text fields in the order of the structure's strings. */
static const struct {
    int type;
    const char *keys[8];
} fields[TYPES] = {
    { 0, { "vendor", "version", "date", "release", "uefi", NULL } },
    { 1, { "manufacturer", "product", "version", "serial", "uuid", "sku", "family", NULL } },
    { 2, { "manufacturer", "product", "version", "serial", "asset", "location", NULL } },
    { 3, { "manufacturer", "version", "serial", "asset", "sku", NULL } },
    { 4, { "sock_pfx", "manufacturer", "version", "serial", "asset", "part", NULL } },
};

struct SmbiosTables {
    GHashTable *values;   /* "TYPE.key" -> text */
    bool user_types[256]; /* of -smbios file= : ours are left out */
    GByteArray *user;     /* their bytes */
    unsigned n_user, user_longest;

    GByteArray *blob; /* while building */
    unsigned n, longest;
    uint16_t handle;
};

SmbiosTables *
smbios_new(void)
{
    SmbiosTables *tables = g_new0(SmbiosTables, 1);

    tables->values = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    tables->user = g_byte_array_new();
    return tables;
}

void
smbios_free(SmbiosTables *tables)
{
    g_hash_table_unref(tables->values);
    g_byte_array_unref(tables->user);
    g_free(tables);
}

bool
smbios_set(SmbiosTables *tables, int type, const char *key, const char *value, GError **error)
{
    for (unsigned i = 0; i < TYPES; i++) {
        if (fields[i].type == type && g_strv_contains(fields[i].keys, key)) {
            g_hash_table_insert(tables->values, g_strdup_printf("%d.%s", type, key),
                                g_strdup(value));
            return true;
        }
    }
    g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_AVAILABLE_YET,
                "type=%d,%s= is not available yet; types 0 to 4 are", type, key);
    return false;
}

bool
smbios_add_file(SmbiosTables *tables, const uint8_t *bytes, size_t len, GError **error)
{
    size_t strings_at = len >= 4 ? bytes[1] : 0;

    if (len < 6 || strings_at < 4 || strings_at + 2 > len || bytes[len - 1] || bytes[len - 2]) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_CORRUPT,
                    "file= is not one SMBIOS structure with its strings (it must end in two zero "
                    "bytes)");
        return false;
    }
    g_byte_array_append(tables->user, bytes, len);
    tables->user_types[bytes[0]] = true;
    tables->n_user++;
    tables->user_longest = MAX(tables->user_longest, len);
    return true;
}

/* ---- Building ---- */

typedef struct Structure {
    GByteArray *bytes;
    GByteArray *strings;
    uint8_t n_strings;
} Structure;

static void
put(Structure *s, uint64_t value, unsigned len)
{
    g_byte_array_append(s->bytes, (const uint8_t *)&value, len); /* little-endian host */
}

static void
put_string(Structure *s, const char *text)
{
    if (!text || !*text) {
        put(s, 0, 1);
        return;
    }
    g_byte_array_append(s->strings, (const uint8_t *)text, strlen(text) + 1);
    put(s, ++s->n_strings, 1);
}

static Structure
begin(SmbiosTables *tables, uint8_t type, uint16_t handle)
{
    Structure s = { g_byte_array_new(), g_byte_array_new(), 0 };

    put(&s, type, 1);
    put(&s, 0, 1); /* length */
    put(&s, handle, 2);
    return s;
}

static void
end(SmbiosTables *tables, Structure *s)
{
    s->bytes->data[1] = s->bytes->len;
    g_byte_array_append(s->bytes, s->strings->data, s->strings->len);
    put(s, 0, s->n_strings ? 1 : 2);
    if (!tables->user_types[s->bytes->data[0]]) {
        g_byte_array_append(tables->blob, s->bytes->data, s->bytes->len);
        tables->longest = MAX(tables->longest, s->bytes->len);
        tables->n++;
    }
    g_byte_array_unref(s->bytes);
    g_byte_array_unref(s->strings);
}

static const char *
value(SmbiosTables *tables, const char *key, const char *fallback)
{
    const char *text = g_hash_table_lookup(tables->values, key);

    return text ? text : fallback;
}

static bool
any_value(SmbiosTables *tables, int type)
{
    GHashTableIter iter;
    gpointer key;
    g_autofree char *prefix = g_strdup_printf("%d.", type);

    g_hash_table_iter_init(&iter, tables->values);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        if (g_str_has_prefix(key, prefix)) {
            return true;
        }
    }
    return false;
}

static void
type_bios(SmbiosTables *tables)
{
    Structure s = begin(tables, 0, 0);
    unsigned major = 0, minor = 0;
    const char *release = value(tables, "0.release", "0.0");
    g_auto(GStrv) parts = g_strsplit(release, ".", 2);

    if (parts[0]) {
        major = g_ascii_strtoull(parts[0], NULL, 10);
        minor = parts[1] ? g_ascii_strtoull(parts[1], NULL, 10) : 0;
    }
    put_string(&s, value(tables, "0.vendor", "Vitrine"));
    put_string(&s, value(tables, "0.version", NULL));
    put(&s, 0xe800, 2); /* segment */
    put_string(&s, value(tables, "0.date", NULL));
    put(&s, 0, 1);    /* ROM size: 64 KiB */
    put(&s, 0x08, 8); /* characteristics are not supported */
    put(&s, 0, 1);
    put(&s, 0x14 | (g_str_equal(value(tables, "0.uefi", "off"), "on") ? 8 : 0), 1);
    put(&s, major, 1);
    put(&s, minor, 1);
    put(&s, 0xffff, 2); /* no embedded controller */
    end(tables, &s);
}

/* The UUID's first three fields are little endian (since 2.6). */
static void
put_uuid(Structure *s, const uint8_t *uuid)
{
    static const uint8_t order[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };

    for (unsigned i = 0; i < 16; i++) {
        put(s, uuid ? uuid[order[i]] : 0, 1);
    }
}

static bool
parse_uuid(const char *text, uint8_t out[16])
{
    unsigned n = 0;

    if (!text || !g_uuid_string_is_valid(text)) {
        return false;
    }
    for (const char *p = text; *p && n < 16; p++) {
        if (*p != '-') {
            out[n++] = g_ascii_xdigit_value(p[0]) << 4 | g_ascii_xdigit_value(p[1]);
            p++;
        }
    }
    return n == 16;
}

static void
type_system(SmbiosTables *tables, const SmbiosInfo *info)
{
    Structure s = begin(tables, 1, 0x100);
    uint8_t uuid[16];
    bool own = parse_uuid(value(tables, "1.uuid", NULL), uuid);

    put_string(&s, value(tables, "1.manufacturer", "Vitrine"));
    put_string(&s, value(tables, "1.product", info->machine_name));
    put_string(&s, value(tables, "1.version", "pc"));
    put_string(&s, value(tables, "1.serial", NULL));
    put_uuid(&s, own ? uuid : info->uuid);
    put(&s, 6, 1); /* wake-up: power switch */
    put_string(&s, value(tables, "1.sku", NULL));
    put_string(&s, value(tables, "1.family", NULL));
    end(tables, &s);
}

static void
type_board(SmbiosTables *tables)
{
    Structure s = begin(tables, 2, 0x200);

    put_string(&s, value(tables, "2.manufacturer", NULL));
    put_string(&s, value(tables, "2.product", NULL));
    put_string(&s, value(tables, "2.version", NULL));
    put_string(&s, value(tables, "2.serial", NULL));
    put_string(&s, value(tables, "2.asset", NULL));
    put(&s, 1, 1); /* hosting board */
    put_string(&s, value(tables, "2.location", NULL));
    put(&s, 0x300, 2);
    put(&s, 10, 1); /* motherboard */
    put(&s, 0, 1);
    end(tables, &s);
}

static void
type_chassis(SmbiosTables *tables)
{
    Structure s = begin(tables, 3, 0x300);

    put_string(&s, value(tables, "3.manufacturer", "Vitrine"));
    put(&s, 1, 1); /* other */
    put_string(&s, value(tables, "3.version", "pc"));
    put_string(&s, value(tables, "3.serial", NULL));
    put_string(&s, value(tables, "3.asset", NULL));
    put(&s, 3, 1); /* boot-up state: safe */
    put(&s, 3, 1); /* power supply: safe */
    put(&s, 3, 1); /* thermal: safe */
    put(&s, 2, 1); /* security: unknown */
    put(&s, 0, 4);
    put(&s, 0, 1); /* height */
    put(&s, 0, 1); /* power cords */
    put(&s, 0, 1);
    put(&s, 0, 1);
    put_string(&s, value(tables, "3.sku", NULL));
    end(tables, &s);
}

static void
type_processor(SmbiosTables *tables, const SmbiosInfo *info, unsigned socket)
{
    Structure s = begin(tables, 4, 0x400 + socket);
    g_autofree char *designation =
        g_strdup_printf("%s %u", value(tables, "4.sock_pfx", "CPU"), socket);
    unsigned threads = info->cores * info->threads;

    put_string(&s, designation);
    put(&s, 3, 1); /* central processor */
    put(&s, 1, 1); /* family: other */
    put_string(&s, value(tables, "4.manufacturer", info->cpu_vendor));
    put(&s, 0, 8);
    put_string(&s, value(tables, "4.version", info->cpu_model));
    put(&s, 0, 1);      /* voltage */
    put(&s, 0, 2);      /* external clock */
    put(&s, 2000, 2);   /* max speed, MHz */
    put(&s, 2000, 2);   /* current speed */
    put(&s, 0x41, 1);   /* populated, enabled */
    put(&s, 1, 1);      /* upgrade: other */
    put(&s, 0xffff, 2); /* no cache structures */
    put(&s, 0xffff, 2);
    put(&s, 0xffff, 2);
    put_string(&s, value(tables, "4.serial", NULL));
    put_string(&s, value(tables, "4.asset", NULL));
    put_string(&s, value(tables, "4.part", NULL));
    put(&s, MIN(info->cores, 255u), 1);
    put(&s, MIN(info->cores, 255u), 1);
    put(&s, MIN(threads, 255u), 1);
    put(&s, 2, 2); /* characteristics: unknown */
    put(&s, 1, 2);
    put(&s, info->cores, 2);
    put(&s, info->cores, 2);
    put(&s, threads, 2);
    end(tables, &s);
}

enum { DIMM_BYTES_LOG2 = 34 }; /* at most 16 GiB per memory device */

static void
type_memory(SmbiosTables *tables, const SmbiosInfo *info)
{
    uint64_t dimm = 1ull << DIMM_BYTES_LOG2;
    unsigned count = (info->ram_bytes + dimm - 1) / dimm;
    uint64_t kib = info->ram_bytes / 1024;
    Structure s = begin(tables, 16, 0x1000);

    put(&s, 1, 1); /* location: other */
    put(&s, 3, 1); /* use: system memory */
    put(&s, 6, 1); /* multi-bit ECC */
    put(&s, kib < 0x80000000 ? kib : 0x80000000, 4);
    put(&s, 0xfffe, 2);
    put(&s, count, 2);
    put(&s, kib < 0x80000000 ? 0 : info->ram_bytes, 8);
    end(tables, &s);

    for (unsigned i = 0; i < count; i++) {
        uint64_t mib = MIN(dimm, info->ram_bytes - i * dimm) / VIT_MIB;
        g_autofree char *name = g_strdup_printf("DIMM %u", i);

        s = begin(tables, 17, 0x1100 + i);
        put(&s, 0x1000, 2);
        put(&s, 0xfffe, 2);
        put(&s, 0xffff, 2); /* widths unknown */
        put(&s, 0xffff, 2);
        put(&s, MIN(mib, 0x7fff), 2);
        put(&s, 9, 1); /* DIMM */
        put(&s, 0, 1);
        put_string(&s, name);
        put(&s, 0, 1);
        put(&s, 7, 1); /* RAM */
        put(&s, 2, 2); /* detail: other */
        put(&s, 0, 2);
        put_string(&s, "Vitrine");
        put(&s, 0, 1);
        put(&s, 0, 1);
        put(&s, 0, 1);
        put(&s, 0, 1);
        put(&s, mib < 0x7fff ? 0 : mib, 4);
        put(&s, 0, 2);
        put(&s, 0, 2);
        put(&s, 0, 2);
        put(&s, 0, 2);
        end(tables, &s);
    }
}

static void
type_mapped(SmbiosTables *tables, uint16_t handle, uint64_t start, uint64_t len)
{
    Structure s = begin(tables, 19, handle);
    uint64_t first_kib = start / 1024, last_kib = (start + len) / 1024 - 1;
    bool wide = last_kib >= 0xffffffff;

    put(&s, wide ? 0xffffffff : first_kib, 4);
    put(&s, wide ? 0xffffffff : last_kib, 4);
    put(&s, 0x1000, 2);
    put(&s, 1, 1);
    put(&s, wide ? start : 0, 8);
    put(&s, wide ? start + len - 1 : 0, 8);
    end(tables, &s);
}

static uint8_t
checksum(const uint8_t *bytes, size_t len)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < len; i++) {
        sum += bytes[i];
    }
    return -sum;
}

static GBytes *
make_anchor(SmbiosTables *tables)
{
    uint8_t anchor[31] = { '_', 'S', 'M', '_' };
    uint16_t len = tables->blob->len, longest = tables->longest, n = tables->n;

    anchor[5] = sizeof(anchor);
    anchor[6] = 2; /* version 2.8 */
    anchor[7] = 8;
    memcpy(anchor + 8, &longest, 2);
    memcpy(anchor + 16, "_DMI_", 5);
    memcpy(anchor + 22, &len, 2);
    /* 24: address, filled in by the firmware */
    memcpy(anchor + 28, &n, 2);
    anchor[30] = 0x28;
    anchor[21] = checksum(anchor + 16, 15);
    anchor[4] = checksum(anchor, sizeof(anchor));
    return g_bytes_new(anchor, sizeof(anchor));
}

void
smbios_build(SmbiosTables *tables, const SmbiosInfo *info, GBytes **out_anchor, GBytes **out_tables)
{
    Structure s;

    tables->blob = g_byte_array_new();
    tables->n = tables->longest = 0;
    g_byte_array_append(tables->blob, tables->user->data, tables->user->len);
    tables->n = tables->n_user;
    tables->longest = tables->user_longest;
    if (any_value(tables, 0)) {
        type_bios(tables); /* otherwise the firmware's own */
    }
    type_system(tables, info);
    if (any_value(tables, 2)) {
        type_board(tables);
    }
    type_chassis(tables);
    for (unsigned i = 0; i < info->sockets; i++) {
        type_processor(tables, info, i);
    }
    type_memory(tables, info);
    type_mapped(tables, 0x1300, 0, info->below_4g_bytes);
    if (info->above_4g_bytes) {
        type_mapped(tables, 0x1301, 4 * VIT_GIB, info->above_4g_bytes);
    }
    s = begin(tables, 32, 0x2000);
    put(&s, 0, 6);
    put(&s, 0, 1); /* no errors */
    end(tables, &s);
    s = begin(tables, 127, 0x7f00);
    end(tables, &s);

    *out_anchor = make_anchor(tables);
    *out_tables = g_byte_array_free_to_bytes(g_steal_pointer(&tables->blob));
}
