/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* How two configurations differ, one line per key, with the names that the settings use. */

#include "app-live.h"
#include "app-setting.h"

#include <glib/gi18n.h>
#include <string.h>

typedef struct {
    GPtrArray *list;
    VitConfig *running;
    const VitDiffEntry *entry;
} Lister;

static void
difference_free(gpointer data)
{
    AppDifference *difference = data;

    g_clear_pointer(&difference->old_item, vit_config_item_unref);
    g_clear_pointer(&difference->new_item, vit_config_item_unref);
    g_free(difference->text);
    g_free(difference);
}

static const char *
item_title(const VitConfigItem *item)
{
    switch (vit_config_item_get_item_type(item)) {
    case VIT_ITEM_OPTION: return app_setting_title_for(vit_config_item_get_name(item), NULL);
    case VIT_ITEM_IMAGE: return app_setting_title_for("image", NULL);
    default: return _("Not understood");
    }
}

static const char *
param_title(const VitConfigItem *item, const char *key)
{
    const VitOption *option = vit_config_item_get_option(item);

    if (!option || option->syntax != VIT_SYNTAX_KEYS) {
        return item_title(item);
    }
    return app_setting_title_for(option->name, key);
}

static void
add(Lister *lister, const char *key, char *text)
{
    const VitDiffEntry *entry = lister->entry;
    const VitConfigItem *item = entry->new_item ? entry->new_item : entry->old_item;
    AppDifference *difference = g_new0(AppDifference, 1);

    difference->type = entry->type;
    difference->old_item = entry->old_item ? vit_config_item_ref(entry->old_item) : NULL;
    difference->new_item = entry->new_item ? vit_config_item_ref(entry->new_item) : NULL;
    difference->key = g_intern_string(key);
    difference->text = text;
    difference->change = entry->change;
    if (lister->running && entry->type != VIT_DIFF_MOVED) {
        difference->change = vit_live_class(lister->running, item, key, entry->old_item != NULL,
                                            vit_engine_get_registry());
    }
    g_ptr_array_add(lister->list, difference);
}

/* All uses of KEY with commas between; NULL when there is none. */
static char *
values_of(const VitConfigItem *item, const char *key)
{
    GString *text = NULL;

    for (unsigned i = 0; i < vit_config_item_get_n_params(item); i++) {
        if (strcmp(vit_config_item_get_param_key(item, i), key) == 0) {
            if (!text) {
                text = g_string_new(NULL);
            } else {
                g_string_append(text, ", ");
            }
            g_string_append(text, vit_config_item_get_param_value(item, i));
        }
    }
    return text ? g_string_free(text, FALSE) : NULL;
}

static void
add_keys_of(Lister *lister, const VitConfigItem *item, GHashTable *done)
{
    const VitDiffEntry *entry = lister->entry;
    const char *title = item_title(entry->new_item);

    for (unsigned i = 0; i < vit_config_item_get_n_params(item); i++) {
        const char *key = vit_config_item_get_param_key(item, i);
        g_autofree char *from = values_of(entry->old_item, key);
        g_autofree char *to = values_of(entry->new_item, key);

        if (!g_hash_table_add(done, (gpointer)key) || g_strcmp0(from, to) == 0) {
            continue;
        }
        add(lister, key,
            /* Translators: a change of a setting: group, name, value before, value after */
            to ? g_strdup_printf(_("%s: %s changes from %s to %s"), title, param_title(item, key),
                                 from ? from : _("the default"), to)
               : g_strdup_printf(_("%s: %s goes back to the default"), title,
                                 param_title(item, key)));
    }
}

GPtrArray *
app_list_differences(VitConfig *from, VitConfig *to, VitConfig *running)
{
    g_autoptr(GPtrArray) diff = vit_config_diff(from, to);
    Lister lister = { g_ptr_array_new_with_free_func(difference_free), running, NULL };

    for (guint i = 0; i < diff->len; i++) {
        const VitDiffEntry *entry = diff->pdata[i];
        const VitConfigItem *item = entry->new_item ? entry->new_item : entry->old_item;
        const char *source = vit_config_item_get_source(item);
        g_autoptr(GHashTable) done = g_hash_table_new(g_str_hash, g_str_equal);

        lister.entry = entry;
        switch (entry->type) {
        case VIT_DIFF_ADDED:
            /* Translators: what is added, and its argument */
            add(&lister, NULL, g_strdup_printf(_("Adds %s: %s"), item_title(item), source));
            break;
        case VIT_DIFF_REMOVED:
            add(&lister, NULL, g_strdup_printf(_("Removes %s: %s"), item_title(item), source));
            break;
        case VIT_DIFF_MOVED:
            add(&lister, NULL,
                g_strdup_printf(_("Moves %s to another place: %s"), item_title(item), source));
            break;
        case VIT_DIFF_RAW:
            add(&lister, NULL, g_strdup_printf(_("Keeps what is not understood: %s"), source));
            break;
        case VIT_DIFF_CHANGED:
            add_keys_of(&lister, entry->new_item, done);
            add_keys_of(&lister, entry->old_item, done);
            break;
        }
    }
    return lister.list;
}
