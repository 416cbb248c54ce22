/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Properties: text to field and back, with messages that name range or choices. */

#include "vit-prop.h"

#include "vit-error.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

const VitProp *
vit_prop_find(const VitProp *props, const char *name)
{
    for (; props && props->name; props++) {
        if (strcmp(props->name, name) == 0) {
            return props;
        }
    }
    return NULL;
}

/* ---- Numbers in fields of any width ---- */

static void
field_store(const VitProp *prop, void *object, uint64_t value)
{
    memcpy((char *)object + prop->offset, &value, prop->size); /* little-endian host */
}

static uint64_t
field_load(const VitProp *prop, const void *object)
{
    uint64_t value = 0;

    memcpy(&value, (const char *)object + prop->offset, prop->size);
    return value;
}

static int64_t
field_load_signed(const VitProp *prop, const void *object)
{
    unsigned shift = 64 - prop->size * 8;

    return (int64_t)(field_load(prop, object) << shift) >> shift;
}

/* ---- Parsing words ---- */

bool
vit_parse_bool(const char *text, bool *out_value)
{
    static const char *const yes[] = { "on", "yes", "true", "y", NULL };
    static const char *const no[] = { "off", "no", "false", "n", NULL };

    if (g_strv_contains(yes, text)) {
        *out_value = true;
        return true;
    }
    if (g_strv_contains(no, text)) {
        *out_value = false;
        return true;
    }
    return false;
}

bool
vit_parse_uint(const char *text, uint64_t *out_value)
{
    char *end;
    uint64_t value;

    if (!g_ascii_isdigit(*text)) {
        return false;
    }
    errno = 0;
    value = g_ascii_strtoull(text, &end, g_str_has_prefix(text, "0x") ? 16 : 10);
    if (errno || *end) {
        return false;
    }
    *out_value = value;
    return true;
}

static int
suffix_shift(char suffix)
{
    switch (g_ascii_toupper(suffix)) {
    case 'B': return 0;
    case 'K': return 10;
    case 'M': return 20;
    case 'G': return 30;
    case 'T': return 40;
    case 'P': return 50;
    case 'E': return 60;
    default: return -1;
    }
}

bool
vit_parse_size(const char *text, char default_suffix, uint64_t *out_value)
{
    char *end;
    uint64_t whole;
    double fraction = 0, scaled;
    int shift;

    if (!g_ascii_isdigit(*text)) {
        return false;
    }
    errno = 0;
    whole = g_ascii_strtoull(text, &end, g_str_has_prefix(text, "0x") ? 16 : 10);
    if (errno) {
        return false;
    }
    if (*end == '.') {
        fraction = g_ascii_strtod(end, &end);
        if (!(fraction < 1)) { /* ".5e9" is one, too */
            return false;
        }
    }
    shift = suffix_shift(*end ? *end : default_suffix);
    if (shift < 0 || (*end && end[1])) {
        return false;
    }
    if (shift && whole >> (64 - shift)) {
        return false;
    }
    scaled = fraction * (double)(1ull << shift);
    if (scaled != (double)(uint64_t)scaled && shift == 0) {
        return false;
    }
    *out_value = (whole << shift) + (uint64_t)scaled;
    return true;
}

bool
vit_parse_mac(const char *text, uint8_t out_mac[6])
{
    uint8_t mac[6];

    for (int i = 0; i < 6; i++) {
        int high = g_ascii_xdigit_value(text[0]);
        int low = high < 0 ? -1 : g_ascii_xdigit_value(text[1]);
        char separator;

        if (high < 0) {
            return false;
        }
        mac[i] = low < 0 ? high : high << 4 | low;
        separator = text[low < 0 ? 1 : 2];
        if (i < 5 ? separator != ':' && separator != '-' : separator != '\0') {
            return false;
        }
        text += low < 0 ? 2 : 3;
    }
    memcpy(out_mac, mac, 6);
    return true;
}

static unsigned
edit_distance(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b);
    unsigned row[64];

    if (la >= VIT_ARRAY_LEN(row) || lb >= VIT_ARRAY_LEN(row)) {
        return G_MAXUINT;
    }
    for (size_t j = 0; j <= lb; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= la; i++) {
        unsigned diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            unsigned above = row[j];
            unsigned best = diagonal + (a[i - 1] != b[j - 1]);

            best = MIN(best, above + 1);
            best = MIN(best, row[j - 1] + 1);
            row[j] = best;
            diagonal = above;
        }
    }
    return row[lb];
}

const char *
vit_nearest_name(const char *name, const char *const *candidates, size_t count)
{
    const char *best = NULL;
    unsigned best_distance = MAX(1u, (unsigned)strlen(name) / 3) + 1;

    for (size_t i = 0; i < count; i++) {
        unsigned distance = edit_distance(name, candidates[i]);
        if (distance < best_distance) {
            best_distance = distance;
            best = candidates[i];
        }
    }
    return best;
}

/* ---- Parsing values ---- */

static bool
bad_value(const VitProp *prop, const char *text, GError **error, const char *expected)
{
    g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                "\"%s\" is not a value of %s: expected %s", text, prop->name, expected);
    return false;
}

static bool
parse_uint(const VitProp *prop, void *object, const char *text, GError **error)
{
    uint64_t value, max = (uint64_t)prop->max;

    if (!vit_parse_uint(text, &value) || value < (uint64_t)prop->min || value > max) {
        bool hex = prop->flags & VIT_PROP_HEX;
        g_autofree char *expected =
            hex ? g_strdup_printf("a number from 0x%" PRIx64 " to 0x%" PRIx64, prop->min, max)
                : g_strdup_printf("a number from %" PRIu64 " to %" PRIu64 "%s%s",
                                  (uint64_t)prop->min, max, prop->unit ? " " : "",
                                  prop->unit ? prop->unit : "");
        return bad_value(prop, text, error, expected);
    }
    field_store(prop, object, value);
    return true;
}

static bool
parse_int(const VitProp *prop, void *object, const char *text, GError **error)
{
    bool negative = *text == '-';
    uint64_t magnitude;
    int64_t value;

    if (vit_parse_uint(text + negative, &magnitude) && magnitude <= INT64_MAX) {
        value = negative ? -(int64_t)magnitude : (int64_t)magnitude;
        if (value >= prop->min && value <= prop->max) {
            field_store(prop, object, value);
            return true;
        }
    }
    g_autofree char *expected =
        g_strdup_printf("a number from %" PRId64 " to %" PRId64, prop->min, prop->max);
    return bad_value(prop, text, error, expected);
}

static bool
parse_size(const VitProp *prop, void *object, const char *text, GError **error)
{
    uint64_t value;

    if (!vit_parse_size(text, 'B', &value) || value < (uint64_t)prop->min ||
        value > (uint64_t)prop->max) {
        g_autofree char *min = g_format_size_full(prop->min, G_FORMAT_SIZE_IEC_UNITS);
        g_autofree char *max = g_format_size_full(prop->max, G_FORMAT_SIZE_IEC_UNITS);
        g_autofree char *expected =
            g_strdup_printf("a size such as 512K, 64M or 2G, from %s to %s", min, max);
        return bad_value(prop, text, error, expected);
    }
    field_store(prop, object, value);
    return true;
}

static bool
parse_enum(const VitProp *prop, void *object, const char *text, GError **error)
{
    for (int i = 0; prop->values[i]; i++) {
        if (strcmp(prop->values[i], text) == 0) {
            field_store(prop, object, i);
            return true;
        }
    }
    g_autofree char *list = g_strjoinv(", ", (char **)prop->values);
    g_autofree char *expected = g_strdup_printf("one of %s", list);
    return bad_value(prop, text, error, expected);
}

static bool
parse_pci_slot(const VitProp *prop, void *object, const char *text, GError **error)
{
    char *end;
    uint64_t slot = g_ascii_strtoull(text, &end, 16), function = 0;

    if (end == text) {
        slot = 32;
    } else if (*end == '.') {
        const char *digits = end + 1;
        function = g_ascii_strtoull(digits, &end, 16);
        if (end == digits) {
            slot = 32;
        }
    }
    if (*end || slot > 31 || function > 7) {
        return bad_value(prop, text, error, "a PCI slot and function such as 04.0");
    }
    field_store(prop, object, slot << 3 | function);
    return true;
}

static bool
parse_backend(const VitProp *prop, void *object, const char *text, const VitPropResolver *resolver,
              GError **error)
{
    void *backend = NULL;

    if (!resolver || (prop->type == VIT_PROP_TYPE_IOTHREAD && !resolver->iothread) ||
        (prop->type == VIT_PROP_TYPE_FSDEV && !resolver->fsdev)) {
        return bad_value(prop, text, error, "no backend here");
    }
    if (prop->type == VIT_PROP_TYPE_CHARDEV) {
        backend = resolver->chardev(resolver->opaque, text, error);
    } else if (prop->type == VIT_PROP_TYPE_DRIVE) {
        backend = resolver->drive(resolver->opaque, text, error);
    } else if (prop->type == VIT_PROP_TYPE_NETDEV) {
        backend = resolver->netdev(resolver->opaque, text, error);
    } else if (prop->type == VIT_PROP_TYPE_IOTHREAD) {
        backend = resolver->iothread(resolver->opaque, text, error);
    } else if (prop->type == VIT_PROP_TYPE_FSDEV) {
        backend = resolver->fsdev(resolver->opaque, text, error);
    } else {
        backend = resolver->rng(resolver->opaque, text, error);
    }
    if (!backend) {
        return false;
    }
    memcpy((char *)object + prop->offset, &backend, sizeof(backend));
    return true;
}

bool
vit_prop_parse(const VitProp *prop, void *object, const char *text, const VitPropResolver *resolver,
               GError **error)
{
    bool flag;
    uint8_t mac[6];

    switch (prop->type) {
    case VIT_PROP_TYPE_BOOL:
        if (!vit_parse_bool(text, &flag)) {
            return bad_value(prop, text, error, "on or off");
        }
        field_store(prop, object, flag);
        return true;
    case VIT_PROP_TYPE_ONOFFAUTO:
        if (strcmp(text, "auto") == 0) {
            field_store(prop, object, VIT_AUTO);
            return true;
        }
        if (!vit_parse_bool(text, &flag)) {
            return bad_value(prop, text, error, "on, off or auto");
        }
        field_store(prop, object, flag ? VIT_ON : VIT_OFF);
        return true;
    case VIT_PROP_TYPE_UINT: return parse_uint(prop, object, text, error);
    case VIT_PROP_TYPE_INT: return parse_int(prop, object, text, error);
    case VIT_PROP_TYPE_SIZE: return parse_size(prop, object, text, error);
    case VIT_PROP_TYPE_ENUM: return parse_enum(prop, object, text, error);
    case VIT_PROP_TYPE_PCI_SLOT: return parse_pci_slot(prop, object, text, error);
    case VIT_PROP_TYPE_MAC:
        if (!vit_parse_mac(text, mac)) {
            return bad_value(prop, text, error, "an address such as 52:54:00:12:34:56");
        }
        memcpy((char *)object + prop->offset, mac, 6);
        return true;
    case VIT_PROP_TYPE_STRING: {
        char **field = (char **)((char *)object + prop->offset);
        g_free(*field);
        *field = g_strdup(text);
        return true;
    }
    default: return parse_backend(prop, object, text, resolver, error);
    }
}

char *
vit_prop_print(const VitProp *prop, const void *object)
{
    const void *field = (const char *)object + prop->offset;
    static const char *const auto_names[] = { "auto", "on", "off" };
    const uint8_t *mac = field;
    int64_t number;

    switch (prop->type) {
    case VIT_PROP_TYPE_BOOL: return g_strdup(field_load(prop, object) ? "on" : "off");
    case VIT_PROP_TYPE_ONOFFAUTO:
        number = field_load(prop, object);
        return g_strdup(number >= 0 && number <= VIT_OFF ? auto_names[number] : "auto");
    case VIT_PROP_TYPE_UINT:
        return g_strdup_printf(prop->flags & VIT_PROP_HEX ? "0x%" PRIx64 : "%" PRIu64,
                               field_load(prop, object));
    case VIT_PROP_TYPE_SIZE: return g_strdup_printf("%" PRIu64, field_load(prop, object));
    case VIT_PROP_TYPE_INT: return g_strdup_printf("%" PRId64, field_load_signed(prop, object));
    case VIT_PROP_TYPE_ENUM: return g_strdup(prop->values[field_load_signed(prop, object)]);
    case VIT_PROP_TYPE_PCI_SLOT:
        number = field_load_signed(prop, object);
        return number < 0 ? g_strdup("")
                          : g_strdup_printf("%02x.%x", (int)number >> 3, (int)number & 7);
    case VIT_PROP_TYPE_MAC:
        return g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
                               mac[4], mac[5]);
    case VIT_PROP_TYPE_STRING: return g_strdup(*(char *const *)field ? *(char *const *)field : "");
    default: return g_strdup("");
    }
}

void
vit_props_set_defaults(const VitProp *props, void *object)
{
    for (; props && props->name; props++) {
        switch (props->type) {
        case VIT_PROP_TYPE_STRING:
            *(char **)((char *)object + props->offset) = g_strdup(props->def_string);
            break;
        case VIT_PROP_TYPE_MAC:
        case VIT_PROP_TYPE_CHARDEV:
        case VIT_PROP_TYPE_DRIVE:
        case VIT_PROP_TYPE_NETDEV:
        case VIT_PROP_TYPE_RNG:
        case VIT_PROP_TYPE_IOTHREAD:
        case VIT_PROP_TYPE_FSDEV: break; /* zero: none given */
        default: field_store(props, object, props->def); break;
        }
    }
}

void
vit_props_clear(const VitProp *props, void *object)
{
    for (; props && props->name; props++) {
        if (props->type == VIT_PROP_TYPE_STRING) {
            g_clear_pointer((char **)((char *)object + props->offset), g_free);
        }
    }
}
