/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Look-up in the option schema: options by name and alias, variants, keys with their dotted and
 * directional families, and the nearest name to a mistyped one (Damerau-Levenshtein distance with
 * adjacent transpositions). The tables themselves are in options-*.c.
 * Thread: any; nothing here keeps state. */

#include <string.h>

#include "options-schema.h"
#include "vit-option-private.h"

static const VitOptionArea *const areas[] = {
    &vit_options_app_area,    &vit_options_machine_area, &vit_options_boot_area,
    &vit_options_smbios_area, &vit_options_block_area,   &vit_options_device_area,
    &vit_options_net_area,    &vit_options_chardev_area, &vit_options_display_area,
    &vit_options_audio_area,  &vit_options_object_area,  &vit_options_debug_area,
};

const VitOption *
vit_option_nth(unsigned index)
{
    for (unsigned i = 0; i < VIT_ARRAY_LEN(areas); i++) {
        if (index < areas[i]->n_options)
            return &areas[i]->options[index];
        index -= areas[i]->n_options;
    }
    return NULL;
}

bool
vit_word_in_list(const char *list, const char *word, size_t word_len, char separator)
{
    while (list != NULL && *list != '\0') {
        const char *end = strchrnul(list, separator);

        if ((size_t)(end - list) == word_len && memcmp(list, word, word_len) == 0)
            return true;
        list = *end == separator ? end + 1 : end;
    }
    return false;
}

const VitOption *
vit_option_find(const char *name)
{
    const VitOption *option;
    size_t len = strlen(name);

    if (len == 0)
        return NULL;
    for (unsigned i = 0; (option = vit_option_nth(i)) != NULL; i++)
        if (strcmp(option->name, name) == 0 || vit_word_in_list(option->aliases, name, len, ' '))
            return option;
    return NULL;
}

unsigned
vit_edit_distance(const char *a, const char *b)
{
    enum { MAX = 40 };
    unsigned rows[3][MAX + 1];
    size_t len_a = strlen(a), len_b = strlen(b);

    if (len_a > MAX || len_b > MAX)
        return UINT_MAX;
    for (size_t j = 0; j <= len_b; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= len_a; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= len_b; j++) {
            unsigned cost = a[i - 1] == b[j - 1] ? 0 : 1;
            unsigned best = above[j - 1] + cost;

            best = MIN(best, above[j] + 1);
            best = MIN(best, row[j - 1] + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = MIN(best, above2[j - 2] + 1);
            row[j] = best;
        }
    }
    return rows[len_a % 3][len_b];
}

void
vit_nearest_init(VitNearest *nearest, const char *wanted)
{
    size_t len = strlen(wanted);

    *nearest = (VitNearest){ .wanted = wanted };
    /* One slip in a short word, three in a long one. */
    nearest->limit = len <= 2 ? 0 : len <= 4 ? 1 : len <= 8 ? 2 : 3;
}

void
vit_nearest_offer(VitNearest *nearest, const char *candidate)
{
    unsigned distance = vit_edit_distance(nearest->wanted, candidate);

    if (distance > nearest->limit)
        return;
    if (nearest->best == NULL || distance < nearest->distance) {
        nearest->best = candidate;
        nearest->distance = distance;
    }
}

const char *
vit_option_nearest(const char *name)
{
    const VitOption *option;
    VitNearest nearest;

    vit_nearest_init(&nearest, name);
    for (unsigned i = 0; (option = vit_option_nth(i)) != NULL; i++)
        if (strlen(option->name) > 1)
            vit_nearest_offer(&nearest, option->name);
    return nearest.best;
}

const VitOptionVariant *
vit_option_find_variant(const VitOption *option, const char *name)
{
    for (const VitOptionVariant *v = option->variants; v != NULL && v->name != NULL; v++)
        if (strcmp(v->name, name) == 0)
            return v;
    return NULL;
}

const char *
vit_option_variant_key(const VitOption *option)
{
    return option->variant_key ? option->variant_key : option->implied;
}

/* The part of NAME after in. or out. */
static const char *
strip_direction(const char *name)
{
    if (g_str_has_prefix(name, "in."))
        return name + 3;
    if (g_str_has_prefix(name, "out."))
        return name + 4;
    return NULL;
}

static const VitOptionKey *
find_in(const VitOptionKey *keys, const char *name)
{
    const char *inner = strip_direction(name);

    for (const VitOptionKey *key = keys; key != NULL && key->name != NULL; key++) {
        if (strcmp(key->name, name) == 0)
            return key;
        if (inner != NULL && (key->flags & VIT_OPT_DIRECTIONAL) && strcmp(key->name, inner) == 0)
            return key;
    }
    return NULL;
}

static const VitOptionKey *
find_dotted(const VitOptionKey *keys, const char *name)
{
    for (const VitOptionKey *key = keys; key != NULL && key->name != NULL; key++) {
        size_t len = strlen(key->name);

        if ((key->flags & VIT_OPT_DOTTED) && strncmp(key->name, name, len) == 0 &&
            name[len] == '.' && name[len + 1] != '\0')
            return key;
    }
    return NULL;
}

const VitOptionKey *
vit_option_find_key(const VitOption *option, const VitOptionVariant *variant, const char *name,
                    bool *out_exact)
{
    const VitOptionKey *own = variant != NULL ? variant->keys : NULL;
    const VitOptionKey *key = find_in(own, name);
    bool exact = true;

    if (key == NULL)
        key = find_in(option->keys, name);
    if (key == NULL) {
        exact = false;
        key = find_dotted(own, name);
        if (key == NULL)
            key = find_dotted(option->keys, name);
    }
    if (out_exact != NULL)
        *out_exact = exact && key != NULL;
    return key;
}

const VitOptionKey *
vit_option_plain_key(const VitOption *option)
{
    return option->keys;
}

/* ---- mission rows ------------------------------------------------------------------------ */

typedef struct {
    VitMissionFunc func;
    void *data;
} Walk;

/* Calls for the automatic row AUTO_ID, or what stands in its place, and the further ones of
 * MISSION. Returns the automatic one, which the declarations inside build on. Ownership: caller. */
static char *
walk_rows(const Walk *walk, const char *auto_id, const char *mission, VitStatus status,
          const char *where)
{
    g_auto(GStrv) extra = g_strsplit(mission ? mission : "", " ", -1);
    char *base = g_strdup(auto_id);

    for (unsigned i = 0; extra[i] != NULL; i++) {
        if (extra[i][0] == '=') {
            g_free(base);
            base = g_strdup(extra[i] + 1);
        } else if (extra[i][0] != '\0') {
            walk->func(extra[i], status, where, walk->data);
        }
    }
    walk->func(base, status, where, walk->data);
    return base;
}

static VitStatus
inherit(VitStatus own, VitStatus outer)
{
    return own == VIT_STATUS_INHERIT ? outer : own;
}

/* A key of something that does not exist cannot be more available than that. */
static VitStatus
combine(VitStatus own, VitStatus outer)
{
    if (outer != VIT_STATUS_AVAILABLE && outer != VIT_STATUS_NEEDS_HARDWARE)
        return inherit(own, outer) == VIT_STATUS_AVAILABLE ? outer : inherit(own, outer);
    return inherit(own, outer);
}

static void
walk_keys(const Walk *walk, const char *outer_id, const VitOptionKey *keys, VitStatus outer,
          bool is_plain, const char *where)
{
    for (const VitOptionKey *key = keys; key != NULL && key->name != NULL; key++) {
        VitStatus status = combine(key->status, outer);
        bool is_value = is_plain && strcmp(key->name, "value") == 0;
        g_autofree char *auto_id =
            is_value ? g_strdup(outer_id) : g_strdup_printf("%s.%s", outer_id, key->name);
        g_autofree char *key_where =
            is_value ? g_strdup(where) : g_strdup_printf("%s,%s=", where, key->name);
        g_autofree char *id = walk_rows(walk, auto_id, key->mission, status, key_where);

        for (const VitOptionValue *v = key->values; v != NULL && v->name != NULL; v++) {
            g_autofree char *value_id = g_strdup_printf("%s.%s", id, v->name);
            g_autofree char *value_where =
                g_strdup_printf("%s%s%s", key_where, is_value ? " " : "", v->name);
            g_free(walk_rows(walk, value_id, v->mission, combine(v->status, status), value_where));
        }
        if (key->flags & VIT_OPT_HELP) {
            g_autofree char *help_id = g_strdup_printf("%s.help", id);
            walk->func(help_id, status, key_where, walk->data);
        }
    }
}

void
vit_mission_walk(VitMissionFunc func, void *data)
{
    const Walk walk = { func, data };
    const VitOption *option;
    unsigned n_specials;
    const VitOptionSpecial *specials = vit_option_specials(&n_specials);

    for (unsigned i = 0; (option = vit_option_nth(i)) != NULL; i++) {
        VitStatus status = inherit(option->status, VIT_STATUS_NOT_YET);
        bool is_plain = option->syntax != VIT_SYNTAX_KEYS;
        g_autofree char *where = g_strdup_printf("-%s", option->name);
        g_autofree char *id = walk_rows(&walk, option->name, option->mission, status, where);

        walk_keys(&walk, id, option->keys, status, is_plain, where);
        if (option->flags & VIT_OPT_HELP) {
            g_autofree char *help_id = g_strdup_printf("%s.help", id);
            /* Help about a thing that does not exist yet is there all the same. */
            func(help_id, VIT_STATUS_AVAILABLE, where, data);
        }
        for (const VitOptionVariant *v = option->variants; v != NULL && v->name != NULL; v++) {
            VitStatus v_status = combine(v->status, status);
            g_autofree char *v_auto = g_strdup_printf("%s.%s", id, v->name);
            g_autofree char *v_where = g_strdup_printf("%s %s", where, v->name);
            g_autofree char *v_id = walk_rows(&walk, v_auto, v->mission, v_status, v_where);

            walk_keys(&walk, v_id, v->keys, v_status, false, v_where);
        }
    }
    for (unsigned i = 0; i < n_specials; i++)
        func(specials[i].mission, specials[i].status, specials[i].where, data);
}
