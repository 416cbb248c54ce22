/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* One option instance: its parameters, the text it was written as, and the full form it is printed
 * in when no text of its own exists. Items are immutable once a configuration holds them.
 * Thread: any; reference counts are atomic. */

#include <string.h>

#include "vit-config-private.h"
#include "vit-token.h"
#include "vit-types.h"

static void
param_clear(gpointer data)
{
    VitParam *param = data;

    g_free(param->key);
    g_free(param->value);
}

VitConfigItem *
vit_config_item_alloc(VitItemType type, const char *name, const VitOption *option)
{
    VitConfigItem *item = g_new0(VitConfigItem, 1);

    g_atomic_ref_count_init(&item->ref_count);
    item->type = type;
    item->origin = VIT_ORIGIN_TEXT;
    item->name = g_strdup(name);
    item->option = option;
    item->params = g_array_new(FALSE, TRUE, sizeof(VitParam));
    g_array_set_clear_func(item->params, param_clear);
    return item;
}

VitConfigItem *
vit_config_item_ref(VitConfigItem *item)
{
    g_atomic_ref_count_inc(&item->ref_count);
    return item;
}

void
vit_config_item_unref(VitConfigItem *item)
{
    if (item == NULL || !g_atomic_ref_count_dec(&item->ref_count))
        return;
    g_free(item->name);
    g_array_unref(item->params);
    g_free(item->lead);
    g_free(item->source);
    g_free(item->conf_text);
    g_free(item->conf_base);
    g_free(item);
}

VitConfigItem *
vit_config_item_clone(const VitConfigItem *item)
{
    VitConfigItem *copy = vit_config_item_alloc(item->type, item->name, item->option);

    copy->serial = item->serial;
    copy->origin = item->origin;
    copy->lead = g_strdup(item->lead);
    copy->source = g_strdup(item->source);
    copy->word_end = item->word_end;
    copy->is_json = item->is_json;
    copy->conf_text = g_strdup(item->conf_text);
    copy->conf_base = g_strdup(item->conf_base);
    for (unsigned i = 0; i < item->params->len; i++) {
        VitParam param = g_array_index(item->params, VitParam, i);

        param.key = g_strdup(param.key);
        param.value = g_strdup(param.value);
        g_array_append_val(copy->params, param);
    }
    return copy;
}

unsigned
vit_config_item_n(const VitConfigItem *item)
{
    return item->params->len;
}

VitParam *
vit_config_item_param(const VitConfigItem *item, unsigned index)
{
    return &g_array_index(item->params, VitParam, index);
}

VitParam *
vit_config_item_add_param(VitConfigItem *item, const char *key, const char *value)
{
    VitParam param = { .key = g_strdup(key), .value = g_strdup(value) };

    g_array_append_val(item->params, param);
    return vit_config_item_param(item, item->params->len - 1);
}

void
vit_config_item_remove_param(VitConfigItem *item, unsigned index)
{
    g_array_remove_index(item->params, index);
}

uint32_t
vit_config_item_get_serial(const VitConfigItem *item)
{
    return item->serial;
}

VitItemType
vit_config_item_get_item_type(const VitConfigItem *item)
{
    return item->type;
}

const char *
vit_config_item_get_name(const VitConfigItem *item)
{
    return item->name;
}

const VitOption *
vit_config_item_get_option(const VitConfigItem *item)
{
    return item->option;
}

const VitOptionVariant *
vit_config_item_get_variant(const VitConfigItem *item)
{
    const VitOption *option = item->option;

    if (option == NULL || option->variants == NULL)
        return NULL;
    const char *value = vit_config_item_get(item, vit_option_variant_key(option));
    if (value != NULL)
        return vit_option_find_variant(option, value);
    /* -display vnc=:1 names its kind as a key. */
    return item->params->len > 0
               ? vit_option_find_variant(option, vit_config_item_param(item, 0)->key)
               : NULL;
}

const char *
vit_config_item_get_id(const VitConfigItem *item)
{
    if (item->option == NULL || item->option->id_key == NULL)
        return NULL;
    return vit_config_item_get(item, item->option->id_key);
}

VitOrigin
vit_config_item_get_origin(const VitConfigItem *item)
{
    return item->origin;
}

bool
vit_config_item_is_json(const VitConfigItem *item)
{
    return item->is_json;
}

unsigned
vit_config_item_get_n_params(const VitConfigItem *item)
{
    return item->params->len;
}

const char *
vit_config_item_get_param_key(const VitConfigItem *item, unsigned index)
{
    return index < item->params->len ? vit_config_item_param(item, index)->key : NULL;
}

const char *
vit_config_item_get_param_value(const VitConfigItem *item, unsigned index)
{
    return index < item->params->len ? vit_config_item_param(item, index)->value : NULL;
}

int
vit_config_item_find_param(const VitConfigItem *item, const char *key)
{
    for (unsigned i = item->params->len; i-- > 0;)
        if (strcmp(vit_config_item_param(item, i)->key, key) == 0)
            return (int)i;
    return -1;
}

const char *
vit_config_item_get(const VitConfigItem *item, const char *key)
{
    int index = key != NULL ? vit_config_item_find_param(item, key) : -1;

    return index >= 0 ? vit_config_item_param(item, (unsigned)index)->value : NULL;
}

const char *
vit_config_item_get_source(const VitConfigItem *item)
{
    return item->source;
}

void
vit_config_item_get_range(const VitConfigItem *item, int index, size_t *out_start, size_t *out_end)
{
    if (index < 0 || index >= (int)item->params->len) {
        *out_start = 0;
        *out_end = item->word_end;
        return;
    }
    const VitParam *param = vit_config_item_param(item, (unsigned)index);
    *out_start = MIN(param->key_start, param->value_start);
    *out_end = MAX(param->key_end, param->value_end);
}

void
vit_config_item_get_value_range(const VitConfigItem *item, int index, size_t *out_start,
                                size_t *out_end)
{
    if (index < 0 || index >= (int)item->params->len) {
        vit_config_item_get_range(item, index, out_start, out_end);
        return;
    }
    const VitParam *param = vit_config_item_param(item, (unsigned)index);
    *out_start = param->value_start;
    *out_end = param->value_end;
    if (*out_end <= *out_start)
        vit_config_item_get_range(item, index, out_start, out_end);
}

void
vit_config_item_get_key_range(const VitConfigItem *item, int index, size_t *out_start,
                              size_t *out_end)
{
    if (index < 0 || index >= (int)item->params->len) {
        vit_config_item_get_range(item, index, out_start, out_end);
        return;
    }
    const VitParam *param = vit_config_item_param(item, (unsigned)index);
    *out_start = param->key_start;
    *out_end = param->key_end;
    if (*out_end <= *out_start)
        vit_config_item_get_range(item, index, out_start, out_end);
}

bool
vit_config_item_equal(const VitConfigItem *a, const VitConfigItem *b)
{
    if (a == b)
        return true;
    if (a->type != b->type || a->params->len != b->params->len || a->is_json != b->is_json ||
        strcmp(a->name, b->name) != 0)
        return false;
    for (unsigned i = 0; i < a->params->len; i++) {
        const VitParam *x = vit_config_item_param(a, i), *y = vit_config_item_param(b, i);

        if (strcmp(x->key, y->key) != 0 || strcmp(x->value, y->value) != 0 ||
            x->json_type != y->json_type)
            return false;
    }
    return true;
}

char *
vit_config_item_signature(const VitConfigItem *item)
{
    GString *out = g_string_new(NULL);

    g_string_append_printf(out, "%d%d%s", item->type, item->is_json, item->name);
    for (unsigned i = 0; i < item->params->len; i++) {
        const VitParam *param = vit_config_item_param(item, i);

        /* Lengths keep ("a", "bc") apart from ("ab", "c"). */
        g_string_append_printf(out, "\n%zu:%s=%zu:%s:%d", strlen(param->key), param->key,
                               strlen(param->value), param->value, param->json_type);
    }
    return g_string_free(out, FALSE);
}

/* ---- the full form ------------------------------------------------------------------------- */

static char *
json_argument(const VitConfigItem *item)
{
    unsigned n = item->params->len;
    g_autofree const char **keys = g_new0(const char *, n + 1);
    g_autofree const char **values = g_new0(const char *, n + 1);
    g_autofree uint8_t *types = g_new0(uint8_t, n + 1);
    GString *out = g_string_new(NULL);

    for (unsigned i = 0; i < n; i++) {
        const VitParam *param = vit_config_item_param(item, i);

        keys[i] = param->key;
        values[i] = param->value;
        types[i] = param->json_type;
    }
    vit_json_write(out, n, keys, values, types);
    return g_string_free(out, FALSE);
}

/* -global driver.property=value and -set group.id.arg=value. */
static char *
dotted_argument(const VitConfigItem *item)
{
    GString *out = g_string_new(NULL);
    unsigned last = item->params->len - 1;

    for (unsigned i = 0; i < item->params->len; i++)
        g_string_append_printf(out, "%s%s",
                               i == 0      ? ""
                               : i == last ? "="
                                           : ".",
                               vit_config_item_param(item, i)->value);
    return g_string_free(out, FALSE);
}

/* Whether ITEM can be written as -global D.P=V or -set G.I.A=V and be read back. */
static bool
wants_dots(const VitConfigItem *item)
{
    static const char *const global[] = { "driver", "property", "value" };
    static const char *const set[] = { "group", "id", "arg", "value" };
    bool is_global = strcmp(item->name, "global") == 0;
    const char *const *keys = is_global ? global : set;
    unsigned n = is_global ? VIT_ARRAY_LEN(global) : VIT_ARRAY_LEN(set);

    if ((!is_global && strcmp(item->name, "set") != 0) || item->params->len != n)
        return false;
    for (unsigned i = 0; i < n; i++) {
        const VitParam *param = vit_config_item_param(item, i);
        /* The driver may have dots, the key of -set too. */
        bool may_dot = i == (is_global ? 0u : 2u);

        if (strcmp(param->key, keys[i]) != 0)
            return false;
        if (i < n - 1 && (param->value[0] == '\0' || strchr(param->value, '=') != NULL ||
                          (!may_dot && strchr(param->value, '.') != NULL)))
            return false;
    }
    return true;
}

static char *
keys_argument(const VitConfigItem *item)
{
    const char *implied = item->option->implied;
    GString *out = g_string_new(NULL);

    for (unsigned i = 0; i < item->params->len; i++) {
        const VitParam *param = vit_config_item_param(item, i);
        /* A value that holds '=' would be taken for a key, an empty or braced one for something
         * else. */
        bool alone = i == 0 && implied != NULL && strcmp(param->key, implied) == 0 &&
                     param->value[0] != '\0' && param->value[0] != '{' &&
                     strchr(param->value, '=') == NULL;

        if (i > 0)
            g_string_append_c(out, ',');
        if (!alone) {
            vit_part_escape(out, param->key);
            g_string_append_c(out, '=');
        }
        vit_part_escape(out, param->value);
    }
    return g_string_free(out, FALSE);
}

char *
vit_config_item_argument(const VitConfigItem *item)
{
    if (item->option == NULL || item->option->syntax == VIT_SYNTAX_FLAG)
        return NULL;
    if (item->is_json)
        return json_argument(item);
    if (item->option->syntax != VIT_SYNTAX_KEYS)
        return g_strdup(item->params->len > 0 ? vit_config_item_param(item, 0)->value : "");
    if (wants_dots(item))
        return dotted_argument(item);
    return keys_argument(item);
}

static void
append_argument(GString *out, const char *argument)
{
    if (argument[0] != '-') {
        if (out->len == 0)
            vit_quote_first_word(out, argument);
        else
            vit_quote_word(out, argument);
        return;
    }
    /* In quotes nothing is taken for an option. */
    g_autoptr(GString) inner = g_string_new(NULL);
    vit_quote_word(inner, argument);
    if (inner->str[0] == '\'')
        g_string_append(out, inner->str);
    else
        g_string_append_printf(out, "'%s'", inner->str);
}

static bool
same_params(const VitConfigItem *a, const VitConfigItem *b)
{
    return b != NULL && vit_config_item_equal(a, b);
}

bool
vit_config_item_print(VitConfigItem *item, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *argument = vit_config_item_argument(item);

    if (item->type == VIT_ITEM_IMAGE && item->params->len != 1) {
        g_set_error_literal(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                            "a disk image is one file and nothing else");
        return false;
    }
    if (item->type == VIT_ITEM_IMAGE) {
        append_argument(text, vit_config_item_param(item, 0)->value);
    } else {
        g_string_append_printf(text, "-%s", item->name);
        if (argument != NULL) {
            g_string_append_c(text, ' ');
            append_argument(text, argument);
        }
    }
    g_autoptr(VitConfigItem) again = vit_config_item_parse(text->str);
    if (!same_params(item, again)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "-%s cannot be written with these keys and values", item->name);
        return false;
    }
    g_array_set_size(item->params, 0);
    for (unsigned i = 0; i < again->params->len; i++) {
        VitParam param = *vit_config_item_param(again, i);

        param.key = g_strdup(param.key);
        param.value = g_strdup(param.value);
        g_array_append_val(item->params, param);
    }
    g_free(item->source);
    item->source = g_steal_pointer(&again->source);
    item->word_end = again->word_end;
    return true;
}
