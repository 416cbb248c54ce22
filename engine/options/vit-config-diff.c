/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What differs between two configurations, and making one like the other while everything that is
 * the same keeps its identity. Items are matched in rounds: those that are the same item of a
 * copy, equal ones (by signature, in order), ones of the same option with the same id, ones of
 * options that exist once, and what is left of a list in order. Thread: the one that owns both
 * configurations. */

#include <string.h>

#include "vit-config-private.h"

typedef struct {
    VitConfig *from, *to;
    int *to_old;   /* for each item of `to` its match in `from`, or -1 */
    int *from_new; /* the other way round */
} Match;

static VitConfigItem *
item_at(VitConfig *config, unsigned index)
{
    return config->items->pdata[index];
}

static void
join(Match *match, unsigned old_index, unsigned new_index)
{
    match->to_old[new_index] = (int)old_index;
    match->from_new[old_index] = (int)new_index;
}

static void
queue_free(gpointer data)
{
    g_queue_free(data);
}

/* Joins what has the same key; KEY_OF returns NULL for items that have none. */
static void
match_by(Match *match, char *(*key_of)(const VitConfigItem *item))
{
    g_autoptr(GHashTable) table =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, queue_free);

    for (unsigned i = 0; i < match->from->items->len; i++) {
        char *key = match->from_new[i] < 0 ? key_of(item_at(match->from, i)) : NULL;
        if (key == NULL)
            continue;
        GQueue *queue = g_hash_table_lookup(table, key);
        if (queue == NULL) {
            queue = g_queue_new();
            g_hash_table_insert(table, key, queue);
        } else {
            g_free(key);
        }
        g_queue_push_tail(queue, GUINT_TO_POINTER(i + 1));
    }
    for (unsigned i = 0; i < match->to->items->len; i++) {
        g_autofree char *key = match->to_old[i] < 0 ? key_of(item_at(match->to, i)) : NULL;
        GQueue *queue = key != NULL ? g_hash_table_lookup(table, key) : NULL;
        unsigned found = queue != NULL ? GPOINTER_TO_UINT(g_queue_pop_head(queue)) : 0;

        if (found > 0)
            join(match, found - 1, i);
    }
}

static char *
key_by_id(const VitConfigItem *item)
{
    const char *id = vit_config_item_get_id(item);

    return id != NULL ? g_strdup_printf("%s:%s", item->name, id) : NULL;
}

static char *
key_by_option(const VitConfigItem *item)
{
    if (item->type != VIT_ITEM_OPTION || item->option->repeat == VIT_REPEAT_LIST)
        return NULL;
    return g_strdup(item->name);
}

static char *
key_by_serial(const VitConfigItem *item)
{
    return g_strdup_printf("%s:%u", item->name, item->serial);
}

/* What is left of a list, in order: an instance without an id that was changed. */
static char *
key_by_kind(const VitConfigItem *item)
{
    if (item->type != VIT_ITEM_OPTION || vit_config_item_get_id(item) != NULL)
        return NULL;
    const char *driver = item->option->implied;

    return g_strdup_printf("%s:%s", item->name,
                           driver != NULL ? vit_config_item_get(item, driver) : NULL);
}

static void
match_init(Match *match, VitConfig *from, VitConfig *to)
{
    *match = (Match){ .from = from, .to = to };
    match->to_old = g_new(int, to->items->len + 1);
    match->from_new = g_new(int, from->items->len + 1);
    for (unsigned i = 0; i < to->items->len; i++)
        match->to_old[i] = -1;
    for (unsigned i = 0; i < from->items->len; i++)
        match->from_new[i] = -1;
    if (from->lineage == to->lineage)
        match_by(match, key_by_serial);
    match_by(match, vit_config_item_signature);
    match_by(match, key_by_id);
    match_by(match, key_by_option);
    match_by(match, key_by_kind);
}

static void
match_finish(Match *match)
{
    g_free(match->to_old);
    g_free(match->from_new);
}

/* Marks the items of `to` that keep their order: a longest increasing run of matches. */
static bool *
in_order(const Match *match)
{
    unsigned n = match->to->items->len, length = 0;
    bool *kept = g_new0(bool, n + 1);
    g_autofree unsigned *ends = g_new0(unsigned, n + 1); /* best end of a run of each length */
    g_autofree int *previous = g_new0(int, n + 1);

    for (unsigned i = 0; i < n; i++) {
        if (match->to_old[i] < 0)
            continue;
        unsigned low = 0, high = length;
        while (low < high) {
            unsigned middle = (low + high) / 2;
            if (match->to_old[ends[middle]] < match->to_old[i])
                low = middle + 1;
            else
                high = middle;
        }
        previous[i] = low > 0 ? (int)ends[low - 1] : -1;
        ends[low] = i;
        length = MAX(length, low + 1);
    }
    for (int i = length > 0 ? (int)ends[length - 1] : -1; i >= 0; i = previous[i])
        kept[i] = true;
    return kept;
}

/* The slowest of the changes between two items decides. */
static VitChange
slower(VitChange a, VitChange b)
{
    static const int order[] = {
        [VIT_CHANGE_HOT] = 0, [VIT_CHANGE_RESTART] = 1, [VIT_CHANGE_OFF] = 2
    };

    return order[a] >= order[b] ? a : b;
}

static VitChange
change_of(const VitConfigItem *a, const VitConfigItem *b)
{
    const VitConfigItem *any = a != NULL ? a : b;
    VitChange change = any->option != NULL ? any->option->change : VIT_CHANGE_RESTART;

    if (a == NULL || b == NULL || a->option == NULL)
        return change;
    for (unsigned i = 0; i < b->params->len; i++) {
        const VitParam *param = vit_config_item_param(b, i);
        const VitOptionKey *key =
            vit_option_find_key(b->option, vit_config_item_get_variant(b), param->key, NULL);

        if (key != NULL && g_strcmp0(vit_config_item_get(a, param->key), param->value) != 0)
            change = slower(change, key->change);
    }
    return change;
}

static void
entry_free(gpointer data)
{
    VitDiffEntry *entry = data;

    vit_config_item_unref(entry->old_item);
    vit_config_item_unref(entry->new_item);
    g_free(entry);
}

static void
add_entry(GPtrArray *entries, VitDiffType type, VitConfigItem *old_item, VitConfigItem *new_item)
{
    VitDiffEntry *entry = g_new0(VitDiffEntry, 1);

    entry->type = type;
    entry->old_item = old_item ? vit_config_item_ref(old_item) : NULL;
    entry->new_item = new_item ? vit_config_item_ref(new_item) : NULL;
    entry->change = change_of(old_item, new_item);
    g_ptr_array_add(entries, entry);
}

GPtrArray *
vit_config_diff(VitConfig *from, VitConfig *to)
{
    GPtrArray *entries = g_ptr_array_new_with_free_func(entry_free);
    Match match;

    match_init(&match, from, to);
    g_autofree bool *kept = in_order(&match);
    for (unsigned i = 0; i < from->items->len; i++)
        if (match.from_new[i] < 0 && item_at(from, i)->type != VIT_ITEM_FOREIGN)
            add_entry(entries, VIT_DIFF_REMOVED, item_at(from, i), NULL);
    for (unsigned i = 0; i < to->items->len; i++) {
        VitConfigItem *item = item_at(to, i);
        VitConfigItem *old = match.to_old[i] >= 0 ? item_at(from, (unsigned)match.to_old[i]) : NULL;

        if (item->type == VIT_ITEM_FOREIGN)
            continue;
        if (old == NULL)
            add_entry(entries, item->type == VIT_ITEM_UNKNOWN ? VIT_DIFF_RAW : VIT_DIFF_ADDED, NULL,
                      item);
        else if (!vit_config_item_equal(old, item))
            add_entry(entries, VIT_DIFF_CHANGED, old, item);
        else if (!kept[i])
            add_entry(entries, VIT_DIFF_MOVED, old, item);
    }
    match_finish(&match);
    return entries;
}

/* ITEM of the other configuration as it becomes one of ours, in the place of OLD if there is one.
 */
static VitConfigItem *
adopt(const VitConfigItem *item, VitConfigItem *old)
{
    if (old != NULL && vit_config_item_equal(old, item) && g_strcmp0(old->lead, item->lead) == 0 &&
        strcmp(old->source, item->source) == 0)
        return vit_config_item_ref(old);
    VitConfigItem *copy = vit_config_item_clone(item);
    copy->serial = old != NULL ? old->serial : 0;
    if (old == NULL)
        return copy;
    g_free(copy->conf_base);
    copy->conf_base = g_strdup(old->conf_base);
    if (vit_config_item_equal(old, item) && strcmp(old->source, item->source) == 0)
        copy->origin = old->origin;
    return copy;
}

void
vit_config_apply(VitConfig *config, VitConfig *other, const char *label)
{
    g_autoptr(GPtrArray) items =
        g_ptr_array_new_with_free_func((GDestroyNotify)vit_config_item_unref);
    g_autoptr(VitConfig) shown = vit_config_copy(config);
    g_autofree char *ours = vit_config_to_text(config), *theirs = vit_config_to_text(other);
    unsigned next_foreign = 0;
    Match match;

    if (strcmp(ours, theirs) == 0 && vit_config_equal(config, other))
        return;
    match_init(&match, shown, other);
    vit_config_begin(config, label);
    for (unsigned i = 0; i < other->items->len; i++) {
        VitConfigItem *item = item_at(other, i);
        VitConfigItem *old =
            match.to_old[i] >= 0 ? item_at(shown, (unsigned)match.to_old[i]) : NULL;

        if (item->type == VIT_ITEM_FOREIGN)
            continue;
        /* Groups that the text cannot show stay before whatever followed them. */
        unsigned until = match.to_old[i] >= 0 ? (unsigned)match.to_old[i] : next_foreign;
        for (; next_foreign < until; next_foreign++)
            if (item_at(shown, next_foreign)->type == VIT_ITEM_FOREIGN)
                g_ptr_array_add(items, vit_config_item_ref(item_at(shown, next_foreign)));
        g_ptr_array_add(items, adopt(item, old));
    }
    for (; next_foreign < shown->items->len; next_foreign++)
        if (item_at(shown, next_foreign)->type == VIT_ITEM_FOREIGN)
            g_ptr_array_add(items, vit_config_item_ref(item_at(shown, next_foreign)));
    for (unsigned i = 0; i < items->len; i++) {
        VitConfigItem *item = items->pdata[i];
        if (item->serial == 0)
            item->serial = config->next_serial++;
    }
    vit_config_replace_all(config, items, other->tail);
    vit_config_end(config);
    match_finish(&match);
}
