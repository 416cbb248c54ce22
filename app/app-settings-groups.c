/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Groups of rows from declarations. An option that is one set of keys is one group; of an option
 * that may be given several times each instance is one. A device's rows are the properties its
 * kind declares, a processor's the features the registry lists. Parameters that nobody declared
 * get a row too, so that nothing a machine has is hidden. Thread: main. */

#include "app-settings-private.h"

#include <glib/gi18n.h>
#include <string.h>

typedef struct Maker {
    AppSettings *settings;
    VitConfig *config;
    GPtrArray *groups;
    AppSettingGroup *group;
    VitConfigItem *item; /* NULL for a set of keys */
    GHashTable *names;   /* of the rows made so far */
} Maker;

static void
group_free(gpointer data)
{
    AppSettingGroup *group = data;

    g_free(group->title);
    g_free(group->subtitle);
    g_free(group->argument);
    g_ptr_array_unref(group->settings);
    g_free(group);
}

GPtrArray *
app_setting_groups_new(void)
{
    return g_ptr_array_new_with_free_func(group_free);
}

AppSettingGroup *
app_setting_group_new(const char *title, const char *subtitle)
{
    AppSettingGroup *group = g_new0(AppSettingGroup, 1);

    group->title = g_strdup(title);
    group->subtitle = g_strdup(subtitle);
    group->settings = g_ptr_array_new_with_free_func(g_object_unref);
    return group;
}

/* ---- Rows ---- */

static void
add_key(Maker *maker, const VitOptionKey *key, gboolean is_short_lived)
{
    if (!g_hash_table_add(maker->names, g_strdup(key->name))) {
        return;
    }
    g_ptr_array_add(maker->group->settings,
                    app_setting_new(maker->config, maker->group->option, maker->group->serial, key,
                                    is_short_lived));
}

static void
add_keys(Maker *maker, const VitOptionKey *keys, VitStatus status, const char *reason)
{
    guint first = maker->group->settings->len;

    for (const VitOptionKey *key = keys; key && key->name; key++) {
        add_key(maker, key, FALSE);
    }
    if (status != VIT_STATUS_INHERIT && status != VIT_STATUS_AVAILABLE) {
        for (guint i = first; i < maker->group->settings->len; i++) {
            app_setting_limit(maker->group->settings->pdata[i], status, reason);
        }
    }
}

static void
on_prop(const VitOptionKey *prop, void *data)
{
    add_key(data, prop, TRUE);
}

static void
on_feature(const VitKindInfo *info, void *data)
{
    VitOptionKey key = { .name = info->name,
                         .type = VIT_VALUE_BOOL,
                         .help = N_("Feature of the processor") };

    add_key(data, &key, TRUE);
}

static void
add_registry_keys(Maker *maker, const char *kind)
{
    const VitKindRegistry *registry = vit_engine_get_registry();
    const char *klass = maker->group->option->kind_class;

    if (!klass) {
        return;
    }
    if (strcmp(klass, "cpu") == 0) {
        registry->list(registry->data, VIT_KIND_CPU_FEATURE, on_feature, maker);
    } else if (kind) {
        registry->list_props(registry->data,
                             strcmp(klass, "device") == 0 ? VIT_KIND_DEVICE : VIT_KIND_MACHINE,
                             kind, on_prop, maker);
    }
}

/* Parameters that are given and have no row yet. */
static void
add_undeclared(Maker *maker, VitConfigItem *item)
{
    for (unsigned i = 0; i < vit_config_item_get_n_params(item); i++) {
        const char *key = vit_config_item_get_param_key(item, i);
        const VitOptionKey *known =
            vit_option_find_key(maker->group->option, vit_config_item_get_variant(item), key, NULL);
        AppSetting *setting;

        if (!*key || !g_hash_table_add(maker->names, g_strdup(key))) {
            continue;
        }
        setting = app_setting_new_undeclared(maker->config, maker->group->option,
                                             maker->group->serial, key);
        if (known) { /* one of a dotted family, or of an option that takes any key */
            VitOptionKey named = *known;

            named.name = key;
            g_object_unref(setting);
            setting = app_setting_new(maker->config, maker->group->option, maker->group->serial,
                                      &named, TRUE);
        }
        g_ptr_array_add(maker->group->settings, setting);
    }
}

static const char *
variant_of(const VitOption *option, VitConfig *config, VitConfigItem *item)
{
    const char *key = option->variant_key ? option->variant_key : option->implied;

    if (!key || (!option->variants && !option->kind_class)) {
        return NULL;
    }
    return item ? vit_config_item_get(item, key) : vit_config_get(config, option->name, key);
}

static void
fill_group(Maker *maker)
{
    static const VitOptionKey flag_key = { .name = "value", .type = VIT_VALUE_BOOL, .def = "off" };
    const VitOption *option = maker->group->option;
    const char *kind = variant_of(option, maker->config, maker->item);
    const VitOptionVariant *variant = kind ? vit_option_find_variant(option, kind) : NULL;

    maker->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    if (option->syntax == VIT_SYNTAX_FLAG) {
        add_key(maker, &flag_key, FALSE);
    } else if (option->syntax != VIT_SYNTAX_KEYS) {
        add_key(maker, &option->keys[0], FALSE);
    } else {
        add_keys(maker, option->keys, VIT_STATUS_INHERIT, NULL);
        if (variant) {
            add_keys(maker, variant->keys, variant->status, variant->reason);
        }
        add_registry_keys(maker, kind);
        for (unsigned i = 0; i < vit_config_get_n_items(maker->config); i++) {
            VitConfigItem *item = vit_config_get_item(maker->config, i);

            if (maker->item ? item == maker->item
                            : vit_config_item_get_option(item) == option &&
                                  vit_config_item_get_item_type(item) == VIT_ITEM_OPTION) {
                add_undeclared(maker, item);
            }
        }
    }
    g_clear_pointer(&maker->names, g_hash_table_unref);
}

/* ---- Groups ---- */

static void
add_option_group(Maker *maker, const VitOption *option)
{
    maker->group = app_setting_group_new(
        app_setting_title_for(option->name, NULL),
        option->syntax == VIT_SYNTAX_KEYS ? app_schema_text(option->help) : NULL);
    maker->group->option = option;
    maker->item = NULL;
    fill_group(maker);
    g_ptr_array_add(maker->groups, maker->group);
}

/* "Network card net0 (e1000)" */
static char *
instance_title(VitConfig *config, VitConfigItem *item)
{
    const VitOption *option = vit_config_item_get_option(item);
    const char *kind = variant_of(option, config, item);
    const char *id = vit_config_item_get_id(item);
    const char *name = app_setting_title_for(option->name, NULL);

    if (kind && id) {
        /* Translators: title of a device or option: what, its id, its kind */
        return g_strdup_printf(C_("instance", "%s %s (%s)"), name, id, kind);
    }
    if (kind || id) {
        /* Translators: title of a device or option: what, its kind or id */
        return g_strdup_printf(C_("instance", "%s %s"), name, kind ? kind : id);
    }
    return g_strdup(name);
}

static char *
kind_help(VitConfig *config, VitConfigItem *item)
{
    const VitOption *option = vit_config_item_get_option(item);
    const char *kind = variant_of(option, config, item);
    const VitOptionVariant *variant = kind ? vit_option_find_variant(option, kind) : NULL;
    const VitKindRegistry *registry = vit_engine_get_registry();
    VitKindInfo info;

    if (variant && variant->help) {
        return g_strdup(app_schema_text(variant->help));
    }
    if (kind && g_strcmp0(option->kind_class, "device") == 0 &&
        registry->find(registry->data, VIT_KIND_DEVICE, kind, &info)) {
        return g_strdup(app_schema_text(info.title));
    }
    return g_strdup(app_schema_text(option->help));
}

static void
add_instance_group(Maker *maker, VitConfigItem *item)
{
    g_autofree char *title = instance_title(maker->config, item);
    g_autofree char *help = kind_help(maker->config, item);

    maker->group = app_setting_group_new(title, help);
    maker->group->option = vit_config_item_get_option(item);
    maker->group->serial = vit_config_item_get_serial(item);
    maker->group->argument = g_strdup(vit_config_item_get_source(item));
    maker->item = item;
    fill_group(maker);
    g_ptr_array_add(maker->groups, maker->group);
}

static void
add_image_group(Maker *maker, VitConfigItem *item)
{
    const VitOption *drive = vit_option_find("drive");
    const VitOptionKey *key = vit_option_find_key(drive, NULL, "file", NULL);

    maker->group = app_setting_group_new(app_setting_title_for("image", NULL),
                                         _("The disk given without an option"));
    maker->group->serial = vit_config_item_get_serial(item);
    maker->group->argument = g_strdup(vit_config_item_get_source(item));
    g_ptr_array_add(maker->group->settings,
                    app_setting_new(maker->config, NULL, maker->group->serial, key, FALSE));
    g_ptr_array_add(maker->groups, maker->group);
}

static void
add_unknown_group(Maker *maker, VitConfigItem *item)
{
    maker->group = app_setting_group_new(
        _("Not understood"), _("Kept as it is and not used; the command line can change it"));
    maker->group->serial = vit_config_item_get_serial(item);
    maker->group->argument = g_strdup(vit_config_item_get_source(item));
    maker->group->is_unknown = TRUE;
    g_ptr_array_add(maker->groups, maker->group);
}

AppPage
app_settings_page_of_item(VitConfigItem *item)
{
    const VitOption *option = vit_config_item_get_option(item);
    const VitKindRegistry *registry = vit_engine_get_registry();
    const char *kind = option ? vit_config_item_get(item, "driver") : NULL;
    VitKindInfo info;

    if (vit_config_item_get_item_type(item) == VIT_ITEM_IMAGE) {
        return APP_PAGE_STORAGE;
    }
    if (!option) {
        return APP_PAGE_ADVANCED;
    }
    if (kind && g_strcmp0(option->kind_class, "device") == 0) {
        return registry->find(registry->data, VIT_KIND_DEVICE, kind, &info)
                   ? app_page_of_category(info.category)
                   : APP_PAGE_ADVANCED;
    }
    return app_page_of_option(option);
}

static gboolean
is_instance(VitConfigItem *item)
{
    const VitOption *option = vit_config_item_get_option(item);

    return vit_config_item_get_item_type(item) == VIT_ITEM_OPTION && option &&
           option->repeat == VIT_REPEAT_LIST;
}

GPtrArray *
app_settings_list_groups(AppSettings *settings, AppPage page)
{
    Maker maker = { .settings = settings,
                    .config = app_settings_get_config(settings),
                    .groups = app_setting_groups_new() };
    const VitOption *option;

    /* what the machine has, in its order, then what it could have */
    for (unsigned i = 0; i < vit_config_get_n_items(maker.config); i++) {
        VitConfigItem *item = vit_config_get_item(maker.config, i);

        if (app_settings_page_of_item(item) != page) {
            continue;
        }
        if (is_instance(item)) {
            add_instance_group(&maker, item);
        } else if (vit_config_item_get_item_type(item) == VIT_ITEM_IMAGE) {
            add_image_group(&maker, item);
        } else if (vit_config_item_get_item_type(item) == VIT_ITEM_UNKNOWN) {
            add_unknown_group(&maker, item);
        }
    }
    for (unsigned i = 0; (option = vit_option_nth(i)); i++) {
        if (option->repeat != VIT_REPEAT_LIST && app_page_of_option(option) == page &&
            !(option->flags & VIT_OPT_HELP && option->syntax == VIT_SYNTAX_FLAG)) {
            add_option_group(&maker, option);
        }
    }
    return maker.groups;
}

char *
app_settings_page_shape(AppSettings *settings, AppPage page)
{
    VitConfig *config = app_settings_get_config(settings);
    GString *shape = g_string_new(NULL);

    for (unsigned i = 0; i < vit_config_get_n_items(config); i++) {
        VitConfigItem *item = vit_config_get_item(config, i);
        const VitOption *option = vit_config_item_get_option(item);
        const char *kind;

        if (vit_config_item_get_item_type(item) == VIT_ITEM_FOREIGN ||
            app_settings_page_of_item(item) != page) {
            continue;
        }
        kind = option ? variant_of(option, config, item) : NULL;
        g_string_append_printf(
            shape, "%u:%s:%s:%s",
            is_instance(item) || !option ? vit_config_item_get_serial(item) : 0,
            vit_config_item_get_name(item), kind ? kind : "",
            is_instance(item) && vit_config_item_get_id(item) ? vit_config_item_get_id(item) : "");
        for (unsigned p = 0; option && p < vit_config_item_get_n_params(item); p++) {
            bool exact;
            const char *key = vit_config_item_get_param_key(item, p);

            if (!vit_option_find_key(option, vit_config_item_get_variant(item), key, &exact) ||
                !exact) {
                g_string_append_printf(shape, ",%s", key);
            }
        }
        g_string_append_c(shape, '\n');
    }
    return g_string_free(shape, FALSE);
}

/* ---- Search ---- */

GPtrArray *
app_settings_search(AppSettings *settings, const char *text, unsigned limit)
{
    g_autofree char *folded = g_utf8_casefold(text, -1);
    g_auto(GStrv) words = g_strsplit_set(g_strstrip(folded), " \t", -1);
    GPtrArray *found = app_setting_groups_new();
    unsigned n_rows = 0;

    for (int page = 0; page < APP_PAGE_LAST; page++) {
        g_autoptr(GPtrArray) groups = app_settings_list_groups(settings, (AppPage)page);

        for (guint i = 0; i < groups->len && n_rows < limit; i++) {
            const AppSettingGroup *group = groups->pdata[i];
            g_autofree char *title = NULL;
            AppSettingGroup *copy;

            /* Translators: page and group of a found setting, as in "Memory › Size" */
            title = g_strdup_printf(C_("search", "%s › %s"), app_page_title((AppPage)page),
                                    group->title);
            copy = app_setting_group_new(title, NULL);
            copy->option = group->option;
            for (guint s = 0; s < group->settings->len && n_rows < limit; s++) {
                if (app_setting_matches(group->settings->pdata[s], (const char *const *)words)) {
                    g_ptr_array_add(copy->settings, g_object_ref(group->settings->pdata[s]));
                    n_rows++;
                }
            }
            if (copy->settings->len) {
                g_ptr_array_add(found, copy);
            } else {
                group_free(copy);
            }
        }
    }
    return found;
}
