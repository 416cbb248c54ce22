/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Values as the command line writes them: numbers, sizes with a suffix, switches, addresses, and
 * the check of a value against its key's declaration. The forms are those users of the manual's
 * command line write: binary size suffixes b K M G T P E in either case, fractions such as 1.5G,
 * 0x and 0 prefixes of integers.
 * Thread: any; nothing here keeps state. */

#include <errno.h>
#include <string.h>

#include "vit-option.h"
#include "vit-prop.h"

bool
vit_value_parse_bool(const char *text, bool *out_value)
{
    return vit_parse_bool(text, out_value);
}

/* Unlike the numbers of devices these may be octal: modes of files are. */
bool
vit_value_parse_uint(const char *text, uint64_t *out_value)
{
    char *end = NULL;

    if (!g_ascii_isdigit(text[0]))
        return false;
    errno = 0;
    uint64_t value = g_ascii_strtoull(text, &end, 0);
    if (errno != 0 || end == text || *end != '\0')
        return false;
    *out_value = value;
    return true;
}

bool
vit_value_parse_int(const char *text, int64_t *out_value)
{
    bool negative = text[0] == '-';
    uint64_t magnitude;

    if (!vit_value_parse_uint(text + (negative ? 1 : 0), &magnitude))
        return false;
    if (magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0))
        return false;
    *out_value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

bool
vit_value_parse_size(const char *text, uint64_t default_unit, uint64_t *out_bytes)
{
    return vit_parse_size(text, default_unit == VIT_MIB ? 'M' : 'B', out_bytes);
}

bool
vit_value_parse_mac(const char *text, uint8_t out_mac[6])
{
    return vit_parse_mac(text, out_mac);
}

bool
vit_value_parse_uuid(const char *text, uint8_t out_uuid[16])
{
    uint8_t uuid[16];
    int n = 0;

    if (strlen(text) != 36)
        return false;
    for (int i = 0; i < 36;) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (text[i++] != '-')
                return false;
            continue;
        }
        int high = g_ascii_xdigit_value(text[i]);
        int low = g_ascii_xdigit_value(text[i + 1]);
        if (high < 0 || low < 0)
            return false;
        uuid[n++] = (uint8_t)(high << 4 | low);
        i += 2;
    }
    memcpy(out_uuid, uuid, sizeof uuid);
    return true;
}

const VitOptionValue *
vit_option_find_value(const VitOptionKey *key, const char *value)
{
    for (const VitOptionValue *v = key->values; v != NULL && v->name != NULL; v++)
        if (strcmp(v->name, value) == 0)
            return v;
    return NULL;
}

VitError
vit_status_error(VitStatus status)
{
    switch (status) {
    case VIT_STATUS_NOT_YET: return VIT_ERROR_NOT_AVAILABLE_YET;
    case VIT_STATUS_OTHER_HOST: return VIT_ERROR_OTHER_HOST;
    case VIT_STATUS_OTHER_TARGET: return VIT_ERROR_OTHER_TARGET;
    default: return VIT_ERROR_INVALID_ARGUMENT;
    }
}

static char *
join_values(const VitOptionKey *key)
{
    enum { LONG = 70 };
    GString *text = g_string_new(NULL);

    for (const VitOptionValue *v = key->values; v != NULL && v->name != NULL; v++) {
        if (v->status == VIT_STATUS_OTHER_HOST || v->status == VIT_STATUS_OTHER_TARGET)
            continue;
        if (text->len > LONG) {
            g_string_append(text, ", ...");
            break;
        }
        g_string_append_printf(text, "%s%s", text->len > 0 ? ", " : "", v->name);
    }
    return g_string_free(text, FALSE);
}

static bool
check_range(const VitOptionKey *key, const char *text, bool is_number, int64_t value,
            GError **error)
{
    const char *unit = key->unit ? key->unit : "";
    const char *space = key->unit ? " " : "";

    if (!is_number) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "'%s' is not a whole number",
                    text);
        return false;
    }
    if (key->max == 0 && key->min == 0)
        return true;
    if (value < key->min || (key->max > key->min && value > key->max)) {
        if (key->max > key->min)
            g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                        "'%s' is outside %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT "%s%s", text,
                        key->min, key->max, space, unit);
        else
            g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                        "'%s' is below the least value, %" G_GINT64_FORMAT "%s%s", text, key->min,
                        space, unit);
        return false;
    }
    return true;
}

static bool
check_int(const VitOptionKey *key, const char *text, GError **error)
{
    int64_t value = 0;
    uint64_t large;
    bool is_number = vit_value_parse_int(text, &value);

    /* Cookies and seeds use all 64 bits. */
    if (!is_number && key->max == 0 && vit_value_parse_uint(text, &large))
        return true;
    return check_range(key, text, is_number, value, error);
}

static bool
check_size(const VitOptionKey *key, const char *text, GError **error)
{
    uint64_t bytes;

    if (!vit_value_parse_size(text, key->size_unit, &bytes)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' is not a size: a number, perhaps followed by one of K, M, G, T", text);
        return false;
    }
    if (key->min > 0 && bytes < (uint64_t)key->min) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' is too small, the least is %" G_GINT64_FORMAT " bytes", text, key->min);
        return false;
    }
    if (key->max > key->min && bytes > (uint64_t)key->max) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' is too large, the most is %" G_GINT64_FORMAT " bytes", text, key->max);
        return false;
    }
    return true;
}

static bool
check_enum(const VitOptionKey *key, const char *text, VitStatus *out_status, GError **error)
{
    const VitOptionValue *value = vit_option_find_value(key, text);

    if (value == NULL && key->type == VIT_VALUE_ENUM) {
        /* Switches that have more than two positions still take every spelling of the two. */
        bool on;
        if (vit_value_parse_bool(text, &on))
            value = vit_option_find_value(key, on ? "on" : "off");
    }
    if (value == NULL) {
        g_autofree char *values = join_values(key);
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "'%s' is not one of %s", text,
                    values);
        return false;
    }
    if (value->status == VIT_STATUS_INHERIT || value->status == VIT_STATUS_AVAILABLE ||
        value->status == VIT_STATUS_NEEDS_HARDWARE)
        return true;
    if (out_status != NULL)
        *out_status = value->status;
    if (value->status == VIT_STATUS_NOT_YET)
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_AVAILABLE_YET, "not available yet: %s",
                    value->reason ? value->reason : value->name);
    else
        g_set_error_literal(error, VIT_ERROR, vit_status_error(value->status), value->reason);
    return false;
}

bool
vit_value_check(const VitOptionKey *key, const char *text, VitStatus *out_status, GError **error)
{
    uint8_t bytes[16];
    bool on;

    switch (key->type) {
    case VIT_VALUE_BOOL:
        if (vit_value_parse_bool(text, &on))
            return true;
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "'%s' is neither on nor off",
                    text);
        return false;
    case VIT_VALUE_INT: return check_int(key, text, error);
    case VIT_VALUE_SIZE: return check_size(key, text, error);
    case VIT_VALUE_ENUM: return check_enum(key, text, out_status, error);
    case VIT_VALUE_MAC:
        if (vit_value_parse_mac(text, bytes) && (bytes[0] & 1) == 0)
            return true;
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' is not a network card's address, such as 52:54:00:12:34:56", text);
        return false;
    case VIT_VALUE_UUID:
        if (vit_value_parse_uuid(text, bytes))
            return true;
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' is not a UUID, such as 550e8400-e29b-41d4-a716-446655440000", text);
        return false;
    case VIT_VALUE_ID:
    case VIT_VALUE_NEW_ID:
        if (text[0] != '\0')
            return true;
        g_set_error_literal(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "the id is empty");
        return false;
    case VIT_VALUE_PATH:
        if (text[0] != '\0' || key->role == VIT_PATH_NONE)
            return true;
        g_set_error_literal(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "the path is empty");
        return false;
    case VIT_VALUE_STRING:
    case VIT_VALUE_ADDRESS:
    case VIT_VALUE_ANY_KEYS: return true;
    }
    return true;
}
