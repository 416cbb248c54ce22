/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The configuration object: the list of items, edits on it, undo. An edit never changes an item;
 * it puts another with the same serial in its place, so a state of the undo stack is a list of
 * references. Invariants: serials are unique within a configuration and never used again; the text
 * of unchanged items is never touched; comments survive the removal of what they stand before.
 * Thread: one at a time. */

#include <string.h>

#include "vit-config-private.h"
#include "vit-token.h"
#include "vit-types.h"

enum { MAX_UNDO = 200 };

typedef struct {
    GPtrArray *items;
    char *tail;
    char *label;
} VitConfigState;

G_DEFINE_FINAL_TYPE(VitConfig, vit_config, G_TYPE_OBJECT)

enum { SIGNAL_CHANGED, N_SIGNALS };

static GPtrArray *
items_copy(GPtrArray *items)
{
    GPtrArray *copy = g_ptr_array_new_with_free_func((GDestroyNotify)vit_config_item_unref);

    for (unsigned i = 0; i < items->len; i++)
        g_ptr_array_add(copy, vit_config_item_ref(items->pdata[i]));
    return copy;
}

static VitConfigState *
state_new(VitConfig *config, const char *label)
{
    VitConfigState *state = g_new0(VitConfigState, 1);

    state->items = items_copy(config->items);
    state->tail = g_strdup(config->tail);
    state->label = g_strdup(label);
    return state;
}

static void
state_free(gpointer data)
{
    VitConfigState *state = data;

    if (state == NULL)
        return;
    g_ptr_array_unref(state->items);
    g_free(state->tail);
    g_free(state->label);
    g_free(state);
}

static void
vit_config_init(VitConfig *config)
{
    config->items = g_ptr_array_new_with_free_func((GDestroyNotify)vit_config_item_unref);
    config->tail = g_strdup("");
    config->lineage = (uint64_t)g_random_int() << 32 | g_random_int();
    config->next_serial = 1;
    config->undo = g_ptr_array_new_with_free_func(state_free);
    config->redo = g_ptr_array_new_with_free_func(state_free);
}

static void
vit_config_finalize(GObject *object)
{
    VitConfig *config = VIT_CONFIG(object);

    g_ptr_array_unref(config->items);
    g_ptr_array_unref(config->undo);
    g_ptr_array_unref(config->redo);
    state_free(config->before);
    g_free(config->tail);
    g_free(config->conf_tail);
    g_free(config->conf_head);
    g_free(config->separator);
    g_free(config->folder);
    G_OBJECT_CLASS(vit_config_parent_class)->finalize(object);
}

static void
vit_config_class_init(VitConfigClass *klass)
{
    GObjectClass *object_class = G_OBJECT_CLASS(klass);

    object_class->finalize = vit_config_finalize;
    g_signal_new("changed", VIT_TYPE_CONFIG, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE,
                 0);
}

VitConfig *
vit_config_new(void)
{
    return g_object_new(VIT_TYPE_CONFIG, NULL);
}

VitConfig *
vit_config_copy(VitConfig *config)
{
    VitConfig *copy = vit_config_new();

    g_ptr_array_unref(copy->items);
    copy->items = items_copy(config->items);
    g_free(copy->tail);
    copy->tail = g_strdup(config->tail);
    copy->conf_tail = g_strdup(config->conf_tail);
    copy->conf_head = g_strdup(config->conf_head);
    copy->separator = g_strdup(config->separator);
    copy->folder = g_strdup(config->folder);
    copy->is_read_only = config->is_read_only;
    copy->next_serial = config->next_serial;
    copy->lineage = config->lineage;
    return copy;
}

const char *
vit_config_get_folder(VitConfig *config)
{
    return config->folder;
}

void
vit_config_set_folder(VitConfig *config, const char *folder)
{
    g_autofree char *copy = g_strdup(folder);

    g_free(config->folder);
    config->folder = g_steal_pointer(&copy);
}

char *
vit_config_resolve_path(VitConfig *config, const char *path)
{
    /* What has a protocol before it is no path of the host. */
    if (config->folder == NULL || g_path_is_absolute(path) || strchr(path, ':') != NULL)
        return g_strdup(path);
    return g_build_filename(config->folder, path, NULL);
}

/* ---- looking ------------------------------------------------------------------------------- */

unsigned
vit_config_get_n_items(VitConfig *config)
{
    return config->items->len;
}

VitConfigItem *
vit_config_get_item(VitConfig *config, unsigned index)
{
    return index < config->items->len ? config->items->pdata[index] : NULL;
}

int
vit_config_index_of(VitConfig *config, uint32_t serial)
{
    for (unsigned i = 0; i < config->items->len; i++)
        if (vit_config_get_item(config, i)->serial == serial)
            return (int)i;
    return -1;
}

VitConfigItem *
vit_config_get_by_serial(VitConfig *config, uint32_t serial)
{
    int index = vit_config_index_of(config, serial);

    return index >= 0 ? vit_config_get_item(config, (unsigned)index) : NULL;
}

/* The canonical spelling of an option name that may be an alias. */
static const char *
canonical(const char *name)
{
    const VitOption *option = vit_option_find(name);

    return option != NULL ? option->name : name;
}

VitConfigItem *
vit_config_find(VitConfig *config, const char *option, const char *id)
{
    const char *name = canonical(option);

    for (unsigned i = 0; i < config->items->len; i++) {
        VitConfigItem *item = vit_config_get_item(config, i);

        if (item->type == VIT_ITEM_FOREIGN || item->type == VIT_ITEM_UNKNOWN ||
            strcmp(item->name, name) != 0)
            continue;
        if (id == NULL || g_strcmp0(vit_config_item_get_id(item), id) == 0)
            return item;
    }
    return NULL;
}

const char *
vit_config_get(VitConfig *config, const char *option, const char *key)
{
    const char *name = canonical(option);

    for (unsigned i = config->items->len; i-- > 0;) {
        VitConfigItem *item = vit_config_get_item(config, i);

        if (item->type != VIT_ITEM_OPTION || strcmp(item->name, name) != 0)
            continue;
        const char *value = vit_config_item_get(item, key != NULL ? key : "value");
        if (value != NULL)
            return value;
        if (key == NULL && item->option->syntax == VIT_SYNTAX_FLAG)
            return "on";
    }
    return NULL;
}

/* What is given for OPTION's KEY, or else the default. */
static const char *
get_or_default(VitConfig *config, const char *option, const char *key, const VitOptionKey **out_key)
{
    const VitOption *schema = vit_option_find(option);
    const char *value = vit_config_get(config, option, key);

    *out_key = schema != NULL ? vit_option_find_key(schema, NULL, key != NULL ? key : "value", NULL)
                              : NULL;
    return value == NULL && *out_key != NULL ? (*out_key)->def : value;
}

bool
vit_config_get_size(VitConfig *config, const char *option, const char *key, uint64_t *out)
{
    const VitOptionKey *schema;
    const char *value = get_or_default(config, option, key, &schema);

    return value != NULL && vit_value_parse_size(value, schema ? schema->size_unit : 1, out);
}

bool
vit_config_get_int(VitConfig *config, const char *option, const char *key, int64_t *out)
{
    const VitOptionKey *schema;
    const char *value = get_or_default(config, option, key, &schema);

    return value != NULL && vit_value_parse_int(value, out);
}

bool
vit_config_get_bool(VitConfig *config, const char *option, const char *key, bool *out)
{
    const VitOptionKey *schema;
    const char *value = get_or_default(config, option, key, &schema);

    if (value == NULL && key == NULL) {
        *out = false;
        return true;
    }
    return value != NULL && vit_value_parse_bool(value, out);
}

bool
vit_config_equal(VitConfig *a, VitConfig *b)
{
    if (a->items->len != b->items->len)
        return false;
    for (unsigned i = 0; i < a->items->len; i++)
        if (!vit_config_item_equal(a->items->pdata[i], b->items->pdata[i]))
            return false;
    return true;
}

/* ---- transactions and undo ----------------------------------------------------------------- */

static bool
same_items(GPtrArray *a, GPtrArray *b)
{
    return a->len == b->len &&
           (a->len == 0 || memcmp(a->pdata, b->pdata, a->len * sizeof(gpointer)) == 0);
}

void
vit_config_begin(VitConfig *config, const char *label)
{
    if (config->depth++ == 0)
        config->before = state_new(config, label);
}

void
vit_config_end(VitConfig *config)
{
    VitConfigState *before = config->before;

    g_return_if_fail(config->depth > 0);
    if (--config->depth > 0)
        return;
    config->before = NULL;
    if (same_items(before->items, config->items) && strcmp(before->tail, config->tail) == 0) {
        state_free(before);
        return;
    }
    g_ptr_array_add(config->undo, before);
    if (config->undo->len > MAX_UNDO)
        g_ptr_array_remove_index(config->undo, 0);
    g_ptr_array_set_size(config->redo, 0);
    g_signal_emit_by_name(config, "changed");
}

static void
put_foreign(GPtrArray *items, VitConfigItem *item)
{
    for (unsigned i = 0; i < items->len; i++) {
        VitConfigItem *old = items->pdata[i];

        if (old->type == VIT_ITEM_FOREIGN && strcmp(old->name, item->name) == 0) {
            items->pdata[i] = vit_config_item_ref(item);
            vit_config_item_unref(old);
            return;
        }
    }
    g_ptr_array_add(items, vit_config_item_ref(item));
}

void
vit_config_put_foreign(VitConfig *config, VitConfigItem *item)
{
    VitConfigState *before = config->before;

    if (item->serial == 0)
        item->serial = config->next_serial++;
    put_foreign(config->items, item);
    for (unsigned i = 0; i < config->undo->len; i++)
        put_foreign(((VitConfigState *)config->undo->pdata[i])->items, item);
    for (unsigned i = 0; i < config->redo->len; i++)
        put_foreign(((VitConfigState *)config->redo->pdata[i])->items, item);
    if (before != NULL)
        put_foreign(before->items, item);
    g_signal_emit_by_name(config, "changed");
}

static bool
can_step(GPtrArray *stack, const char **out_label)
{
    if (stack->len == 0)
        return false;
    if (out_label != NULL)
        *out_label = ((VitConfigState *)stack->pdata[stack->len - 1])->label;
    return true;
}

bool
vit_config_can_undo(VitConfig *config, const char **out_label)
{
    return can_step(config->undo, out_label);
}

bool
vit_config_can_redo(VitConfig *config, const char **out_label)
{
    return can_step(config->redo, out_label);
}

static bool
step(VitConfig *config, GPtrArray *from, GPtrArray *to)
{
    if (from->len == 0 || config->depth > 0)
        return false;
    VitConfigState *state = g_ptr_array_steal_index(from, from->len - 1);
    g_ptr_array_add(to, state_new(config, state->label));
    g_ptr_array_unref(config->items);
    config->items = g_steal_pointer(&state->items);
    g_free(config->tail);
    config->tail = g_steal_pointer(&state->tail);
    g_free(state->label);
    g_free(state);
    g_signal_emit_by_name(config, "changed");
    return true;
}

bool
vit_config_undo(VitConfig *config)
{
    return step(config, config->undo, config->redo);
}

bool
vit_config_redo(VitConfig *config)
{
    return step(config, config->redo, config->undo);
}

void
vit_config_replace_all(VitConfig *config, GPtrArray *items, const char *tail)
{
    g_autofree char *copy = g_strdup(tail);

    g_ptr_array_unref(config->items);
    config->items = g_ptr_array_ref(items);
    g_free(config->tail);
    config->tail = g_steal_pointer(&copy);
}

/* ---- editing ------------------------------------------------------------------------------- */

void
vit_config_append(VitConfig *config, VitConfigItem *item)
{
    if (item->serial == 0)
        item->serial = config->next_serial++;
    else
        config->next_serial = MAX(config->next_serial, item->serial + 1);
    g_ptr_array_add(config->items, item);
}

/* What to put between the last item and a new one: as the user separates them, else a new line. */
static char *
new_lead(VitConfig *config)
{
    if (config->items->len == 0)
        return g_strdup(config->tail);
    if (!vit_is_blank(config->tail)) {
        bool ends_line = g_str_has_suffix(config->tail, "\n");
        return g_strconcat(config->tail, ends_line ? "" : "\n", NULL);
    }
    const VitConfigItem *last = vit_config_get_item(config, config->items->len - 1);
    if (last->lead != NULL && last->lead[0] != '\0' && vit_is_blank(last->lead))
        return g_strdup(last->lead);
    return g_strdup("\n");
}

static void
add_item(VitConfig *config, VitConfigItem *item)
{
    vit_config_begin(config, NULL);
    g_autofree char *blank_tail =
        vit_is_blank(config->tail) && config->items->len > 0 ? g_strdup(config->tail) : NULL;
    item->lead = new_lead(config);
    g_free(config->tail);
    config->tail = blank_tail != NULL ? g_steal_pointer(&blank_tail) : g_strdup("");
    vit_config_append(config, item);
    vit_config_end(config);
}

uint32_t
vit_config_addv(VitConfig *config, VitOrigin origin, const char *option, const char *const *keys,
                const char *const *values, GError **error)
{
    const VitOption *schema = vit_option_find(option);
    bool is_image = schema == NULL && strcmp(option, "image") == 0;

    if (schema == NULL && !is_image) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND, "there is no option -%s", option);
        return 0;
    }
    g_autoptr(VitConfigItem) item = vit_config_item_alloc(
        is_image ? VIT_ITEM_IMAGE : VIT_ITEM_OPTION, is_image ? "image" : schema->name, schema);
    item->origin = origin;
    for (unsigned i = 0; keys[i] != NULL; i++)
        vit_config_item_add_param(item, keys[i], values[i]);
    if (!vit_config_item_print(item, error))
        return 0;
    VitConfigItem *added = g_steal_pointer(&item);
    add_item(config, added);
    return added->serial;
}

uint32_t
vit_config_add(VitConfig *config, VitOrigin origin, GError **error, const char *option, ...)
{
    g_autoptr(GPtrArray) keys = g_ptr_array_new(), values = g_ptr_array_new();
    const char *key;
    va_list args;

    va_start(args, option);
    while ((key = va_arg(args, const char *)) != NULL) {
        const char *value = va_arg(args, const char *);

        if (value == NULL)
            break;
        g_ptr_array_add(keys, (gpointer)key);
        g_ptr_array_add(values, (gpointer)value);
    }
    va_end(args);
    g_ptr_array_add(keys, NULL);
    return vit_config_addv(config, origin, option, (const char *const *)keys->pdata,
                           (const char *const *)values->pdata, error);
}

static void
replace_at(VitConfig *config, unsigned index, VitConfigItem *item)
{
    vit_config_begin(config, NULL);
    vit_config_item_unref(config->items->pdata[index]);
    config->items->pdata[index] = item;
    vit_config_end(config);
}

/* Sets or removes KEY of a copy of an item; false when nothing changes. */
static bool
change_param(VitConfigItem *item, const char *key, const char *value)
{
    int index = vit_config_item_find_param(item, key);
    bool changed = false;

    if (value == NULL) {
        for (; index >= 0; index = vit_config_item_find_param(item, key), changed = true)
            vit_config_item_remove_param(item, (unsigned)index);
        return changed;
    }
    if (index < 0) {
        VitParam *param = vit_config_item_add_param(item, key, value);
        param->json_type = item->is_json ? VIT_JSON_STRING : VIT_JSON_NONE;
        return true;
    }
    VitParam *param = vit_config_item_param(item, (unsigned)index);
    if (strcmp(param->value, value) == 0)
        return false;
    g_free(param->value);
    param->value = g_strdup(value);
    if (item->is_json && param->json_type != VIT_JSON_BOOL && param->json_type != VIT_JSON_NUMBER)
        param->json_type = VIT_JSON_STRING;
    return true;
}

/* A JSON number that is no number any more becomes a string, so that it can be read back. */
static void
mend_json_types(VitConfigItem *item)
{
    for (unsigned i = 0; i < item->params->len; i++) {
        VitParam *param = vit_config_item_param(item, i);
        int64_t number;
        bool on;

        if (param->json_type == VIT_JSON_NUMBER && !vit_value_parse_int(param->value, &number))
            param->json_type = VIT_JSON_STRING;
        else if (param->json_type == VIT_JSON_BOOL && !vit_value_parse_bool(param->value, &on))
            param->json_type = VIT_JSON_STRING;
    }
}

bool
vit_config_set(VitConfig *config, uint32_t serial, const char *key, const char *value,
               GError **error)
{
    int index = vit_config_index_of(config, serial);

    if (index < 0) {
        g_set_error_literal(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                            "the entry is not there any more");
        return false;
    }
    const VitConfigItem *old = vit_config_get_item(config, (unsigned)index);
    bool is_shorthand = old->type == VIT_ITEM_IMAGE
                            ? strcmp(key, "file") != 0
                            : old->option != NULL && strcmp(key, "value") != 0;
    g_autoptr(VitConfigItem) item = is_shorthand ? vit_config_item_expand(old) : NULL;
    if (item == NULL)
        item = vit_config_item_clone(old);
    if (item->type == VIT_ITEM_UNKNOWN || item->type == VIT_ITEM_FOREIGN) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' is not understood and can only be edited as text", item->name);
        return false;
    }
    if (!change_param(item, key, value))
        return true;
    mend_json_types(item);
    if (!vit_config_item_print(item, error))
        return false;
    item->origin = VIT_ORIGIN_DIALOG;
    g_clear_pointer(&item->conf_text, g_free);
    replace_at(config, (unsigned)index, g_steal_pointer(&item));
    return true;
}

bool
vit_config_set_option(VitConfig *config, const char *option, const char *key, const char *value,
                      GError **error)
{
    const char *name = canonical(option);
    const VitOption *schema = vit_option_find(option);
    const char *wanted = key != NULL ? key : "value";
    VitConfigItem *last = NULL;

    for (unsigned i = 0; i < config->items->len; i++) {
        VitConfigItem *item = vit_config_get_item(config, i);

        if (item->type != VIT_ITEM_OPTION || strcmp(item->name, name) != 0)
            continue;
        if (last == NULL || vit_config_item_get(item, wanted) != NULL)
            last = item;
    }
    if (schema != NULL && schema->syntax == VIT_SYNTAX_FLAG) {
        bool on = false;
        if (value != NULL && !vit_value_parse_bool(value, &on))
            on = true;
        if (!on)
            return vit_config_remove_option(config, name), true;
        return last != NULL || vit_config_add(config, VIT_ORIGIN_DIALOG, error, name, NULL) != 0;
    }
    if (last == NULL && value == NULL)
        return true;
    if (last == NULL)
        return vit_config_add(config, VIT_ORIGIN_DIALOG, error, name, wanted, value, NULL) != 0;
    /* An option without its last key says nothing any more. */
    if (value == NULL && last->params->len == 1 && vit_config_item_get(last, wanted) != NULL)
        return vit_config_remove(config, last->serial);
    return vit_config_set(config, last->serial, wanted, value, error);
}

/* Comments before a removed item stay: they go before the next one or into the tail. So does what
 * begins the text. */
static void
keep_comments(VitConfig *config, unsigned index, const char *lead)
{
    if (lead == NULL || (vit_is_blank(lead) && (index > 0 || config->items->len == 0)))
        return;
    while (index < config->items->len &&
           vit_config_get_item(config, index)->type == VIT_ITEM_FOREIGN)
        index++;
    if (index >= config->items->len) {
        char *tail = g_strconcat(lead, config->tail, NULL);
        g_free(config->tail);
        config->tail = tail;
        return;
    }
    VitConfigItem *next = vit_config_item_clone(vit_config_get_item(config, index));
    bool is_blank = next->lead == NULL || vit_is_blank(next->lead);
    char *joined = is_blank ? g_strdup(lead) : g_strconcat(lead, next->lead, NULL);
    g_free(next->lead);
    next->lead = joined;
    g_clear_pointer(&next->conf_text, g_free);
    vit_config_item_unref(config->items->pdata[index]);
    config->items->pdata[index] = next;
}

bool
vit_config_remove(VitConfig *config, uint32_t serial)
{
    int index = vit_config_index_of(config, serial);

    if (index < 0)
        return false;
    vit_config_begin(config, NULL);
    g_autoptr(VitConfigItem) item = g_ptr_array_steal_index(config->items, (unsigned)index);
    keep_comments(config, (unsigned)index, item->lead);
    vit_config_end(config);
    return true;
}

bool
vit_config_move(VitConfig *config, uint32_t serial, unsigned index)
{
    int from = vit_config_index_of(config, serial);

    if (from < 0)
        return false;
    index = MIN(index, config->items->len - 1);
    if ((unsigned)from == index)
        return true;
    vit_config_begin(config, NULL);
    VitConfigItem *item = g_ptr_array_steal_index(config->items, (unsigned)from);
    VitConfigItem *moved = vit_config_item_clone(item);
    keep_comments(config, (unsigned)from, item->lead);
    if (moved->lead != NULL && !vit_is_blank(moved->lead)) {
        g_clear_pointer(&moved->lead, g_free);
        g_clear_pointer(&moved->conf_text, g_free);
    }
    vit_config_item_unref(item);
    g_ptr_array_insert(config->items, (int)index, moved);
    vit_config_end(config);
    return true;
}

unsigned
vit_config_remove_option(VitConfig *config, const char *option)
{
    const char *name = canonical(option);
    unsigned removed = 0;

    vit_config_begin(config, NULL);
    for (unsigned i = config->items->len; i-- > 0;) {
        VitConfigItem *item = vit_config_get_item(config, i);

        if (item->type == VIT_ITEM_OPTION && strcmp(item->name, name) == 0) {
            vit_config_remove(config, item->serial);
            removed++;
        }
    }
    vit_config_end(config);
    return removed;
}

char *
vit_config_unused_id(VitConfig *config, const char *prefix)
{
    for (unsigned n = 0;; n++) {
        g_autofree char *id = g_strdup_printf("%s%u", prefix, n);
        bool is_used = false;

        for (unsigned i = 0; i < config->items->len && !is_used; i++)
            is_used = g_strcmp0(vit_config_item_get_id(config->items->pdata[i]), id) == 0;
        if (!is_used)
            return g_steal_pointer(&id);
    }
}

/* ---- shorthands ---------------------------------------------------------------------------- */

VitConfigItem *
vit_config_item_expand(const VitConfigItem *item)
{
    static const struct {
        const char *name, *interface, *index, *media;
    } table[] = {
        { "image", NULL, "0", "disk" },     { "hda", NULL, "0", "disk" },
        { "hdb", NULL, "1", "disk" },       { "hdc", NULL, "2", "disk" },
        { "hdd", NULL, "3", "disk" },       { "cdrom", NULL, "2", "cdrom" },
        { "fda", "floppy", "0", NULL },     { "fdb", "floppy", "1", NULL },
        { "pflash", "pflash", NULL, NULL },
    };

    if (item->type != VIT_ITEM_OPTION && item->type != VIT_ITEM_IMAGE)
        return NULL;
    for (unsigned i = 0; i < VIT_ARRAY_LEN(table); i++) {
        if (strcmp(table[i].name, item->name) != 0)
            continue;
        const char *file =
            vit_config_item_get(item, item->type == VIT_ITEM_IMAGE ? "file" : "value");
        VitConfigItem *drive =
            vit_config_item_alloc(VIT_ITEM_OPTION, "drive", vit_option_find("drive"));
        drive->serial = item->serial;
        drive->origin = item->origin;
        drive->lead = g_strdup(item->lead);
        vit_config_item_add_param(drive, "file", file != NULL ? file : "");
        if (table[i].interface != NULL)
            vit_config_item_add_param(drive, "if", table[i].interface);
        if (table[i].index != NULL)
            vit_config_item_add_param(drive, "index", table[i].index);
        if (table[i].media != NULL)
            vit_config_item_add_param(drive, "media", table[i].media);
        vit_config_item_print(drive, NULL);
        return drive;
    }
    return NULL;
}
