/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The settings of a machine as a whole: its configuration watched, checked and saved, things added
 * to it and taken away. Saving waits a moment, so that a spin button held down writes once; it is
 * vit_config_save() that makes it safe. */

#include "app-settings-private.h"

#include "app-host-check.h"

#include <glib/gi18n.h>
#include <string.h>

enum { SAVE_DELAY_MS = 400, HOST_CHECK_DELAY_MS = 300 };

struct _AppSettings {
    GObject parent;
    VitConfig *config;
    AppEntry *entry;
    VitDiagList *diags;
    AppHostCheck *host_check;
    guint save_timer;
};

G_DEFINE_FINAL_TYPE(AppSettings, app_settings, G_TYPE_OBJECT)

enum { SIGNAL_CHANGED, SIGNAL_SAVE_FAILED, N_SIGNALS };
static guint signals[N_SIGNALS];

/* ---- Checking ---- */

static void
on_host_checked(gpointer settings)
{
    g_signal_emit(settings, signals[SIGNAL_CHANGED], 0);
}

static void
check(AppSettings *settings)
{
    g_clear_pointer(&settings->diags, vit_diag_list_unref);
    settings->diags = vit_diag_list_new();
    vit_config_check(settings->config, vit_engine_get_registry(), settings->diags);
    if (settings->entry) {
        app_host_check_ask(settings->host_check, settings->config, settings->diags);
    }
}

/* ---- Saving ---- */

gboolean
app_settings_save(AppSettings *settings, GError **error)
{
    g_clear_handle_id(&settings->save_timer, g_source_remove);
    return !settings->entry || !app_entry_get_folder(settings->entry) ||
           app_entry_save(settings->entry, error);
}

static gboolean
on_save_timer(gpointer data)
{
    AppSettings *settings = data;
    g_autoptr(GError) error = NULL;

    settings->save_timer = 0;
    if (!app_settings_save(settings, &error)) {
        g_signal_emit(settings, signals[SIGNAL_SAVE_FAILED], 0, error->message);
    }
    return G_SOURCE_REMOVE;
}

static void
on_config_changed(VitConfig *config, AppSettings *settings)
{
    check(settings);
    if (settings->save_timer == 0 && settings->entry) {
        settings->save_timer = g_timeout_add(SAVE_DELAY_MS, on_save_timer, settings);
    }
    g_signal_emit(settings, signals[SIGNAL_CHANGED], 0);
}

/* ---- Access ---- */

AppSettings *
app_settings_new(VitConfig *config)
{
    AppSettings *settings = g_object_new(APP_TYPE_SETTINGS, NULL);

    settings->config = g_object_ref(config);
    g_signal_connect_object(config, "changed", G_CALLBACK(on_config_changed), settings, 0);
    check(settings);
    return settings;
}

static void
forget(gpointer data, GObject *gone)
{
    g_object_set_data(G_OBJECT(data), "app-settings", NULL);
}

AppSettings *
app_settings_for_entry(AppEntry *entry)
{
    AppSettings *settings = g_object_get_data(G_OBJECT(entry), "app-settings");

    if (settings) {
        return g_object_ref(settings);
    }
    settings = app_settings_new(app_entry_get_config(entry));
    settings->entry = g_object_ref(entry);
    g_object_set_data(G_OBJECT(entry), "app-settings", settings);
    g_object_weak_ref(G_OBJECT(settings), forget, entry);
    check(settings);
    return settings;
}

VitConfig *
app_settings_get_config(AppSettings *settings)
{
    return settings->config;
}

AppEntry *
app_settings_get_entry(AppSettings *settings)
{
    return settings->entry;
}

VitDiagList *
app_settings_get_diags(AppSettings *settings)
{
    return settings->diags;
}

/* ---- Adding and removing ---- */

typedef struct Adder {
    GPtrArray *additions;
    const VitOption *option;
    AppPage page;
} Adder;

static void
add_addition(Adder *adder, const char *kind, const char *title, VitStatus status,
             const char *reason)
{
    AppAddition *addition;

    if (status != VIT_STATUS_INHERIT && status != VIT_STATUS_AVAILABLE &&
        status != VIT_STATUS_NEEDS_HARDWARE && status != VIT_STATUS_NOT_YET) {
        return;
    }
    addition = g_new0(AppAddition, 1);
    addition->option = adder->option;
    addition->kind = g_intern_string(kind);
    addition->title = g_intern_string(app_schema_text(title));
    addition->status = status;
    addition->reason = reason;
    g_ptr_array_add(adder->additions, addition);
}

static void
on_device_kind(const VitKindInfo *info, void *data)
{
    Adder *adder = data;

    if (!info->internal && !info->alias_of && app_page_of_category(info->category) == adder->page) {
        add_addition(adder, info->name, info->title, VIT_STATUS_AVAILABLE, NULL);
    }
}

GPtrArray *
app_settings_list_additions(AppSettings *settings, AppPage page)
{
    const VitKindRegistry *registry = vit_engine_get_registry();
    Adder adder = { g_ptr_array_new_with_free_func(g_free), NULL, page };

    for (unsigned i = 0; (adder.option = vit_option_nth(i)); i++) {
        const VitOption *option = adder.option;
        VitStatus status =
            option->status == VIT_STATUS_INHERIT ? VIT_STATUS_NOT_YET : option->status;

        if (option->repeat != VIT_REPEAT_LIST) {
            continue;
        }
        if (g_strcmp0(option->kind_class, "device") == 0) {
            registry->list(registry->data, VIT_KIND_DEVICE, on_device_kind, &adder);
        } else if (app_page_of_option(option) != page) {
            continue;
        } else if (!option->variants) {
            add_addition(&adder, NULL, app_setting_title_for(option->name, NULL), status,
                         option->reason);
        } else {
            for (const VitOptionVariant *v = option->variants; v->name; v++) {
                add_addition(&adder, v->name, v->help ? v->help : v->name,
                             status == VIT_STATUS_NOT_YET      ? status
                             : v->status == VIT_STATUS_INHERIT ? status
                                                               : v->status,
                             v->reason ? v->reason : option->reason);
            }
        }
    }
    return adder.additions;
}

/* A value that is right for a key which must be given; NULL when only the user can know. */
static char *
first_value(AppSettings *settings, const VitOptionKey *key)
{
    const char *id;
    VitConfigItem *item;

    if (key->def) {
        return g_strdup(key->def);
    }
    switch (key->type) {
    case VIT_VALUE_ENUM: return g_strdup(key->values[0].name);
    case VIT_VALUE_ID:
        for (unsigned i = 0; key->ref && i < vit_config_get_n_items(settings->config); i++) {
            g_auto(GStrv) options = g_strsplit(key->ref, "|", -1);

            item = vit_config_get_item(settings->config, i);
            id = vit_config_item_get_id(item);
            if (id &&
                g_strv_contains((const char *const *)options, vit_config_item_get_name(item))) {
                return g_strdup(id);
            }
        }
        return NULL;
    default: return NULL;
    }
}

static void
add_required(AppSettings *settings, const VitOptionKey *keys, const char *skip, GPtrArray *names,
             GPtrArray *values)
{
    for (const VitOptionKey *key = keys; key && key->name; key++) {
        g_autofree char *value = NULL;

        if (!(key->flags & VIT_OPT_REQUIRED) || g_strcmp0(key->name, skip) == 0 ||
            key->type == VIT_VALUE_NEW_ID) {
            continue;
        }
        value = first_value(settings, key);
        if (value) {
            g_ptr_array_add(names, (gpointer)key->name);
            g_ptr_array_add(values, g_steal_pointer(&value));
        }
    }
}

uint32_t
app_settings_add(AppSettings *settings, const AppAddition *addition, GError **error)
{
    const VitOption *option = addition->option;
    const VitOptionVariant *variant =
        addition->kind ? vit_option_find_variant(option, addition->kind) : NULL;
    const char *selector = option->variant_key ? option->variant_key : option->implied;
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    g_autoptr(GPtrArray) values = g_ptr_array_new_with_free_func(g_free);
    uint32_t serial;

    if (option->syntax != VIT_SYNTAX_KEYS) {
        const char *def = option->keys ? option->keys[0].def : NULL;

        g_ptr_array_add(names, (gpointer) "value");
        g_ptr_array_add(values, g_strdup(def                                ? def
                                         : option->syntax == VIT_SYNTAX_DEV ? "null"
                                                                            : ""));
    } else {
        if (addition->kind && selector) {
            g_ptr_array_add(names, (gpointer)selector);
            g_ptr_array_add(values, g_strdup(addition->kind));
        }
        if (option->id_key) {
            g_autofree char *prefix =
                g_strdup(strcmp(option->name, "device") == 0 ? "dev" : option->name);

            g_ptr_array_add(names, (gpointer)option->id_key);
            g_ptr_array_add(values, vit_config_unused_id(settings->config, prefix));
        }
        add_required(settings, option->keys, selector, names, values);
        if (variant) {
            add_required(settings, variant->keys, selector, names, values);
        }
    }
    g_ptr_array_add(names, NULL);
    vit_config_begin(settings->config, _("Add"));
    serial = vit_config_addv(settings->config, VIT_ORIGIN_DIALOG, option->name,
                             (const char *const *)names->pdata, (const char *const *)values->pdata,
                             error);
    vit_config_end(settings->config);
    return serial;
}

gboolean
app_settings_remove(AppSettings *settings, uint32_t serial)
{
    gboolean removed;

    vit_config_begin(settings->config, _("Remove"));
    removed = vit_config_remove(settings->config, serial);
    vit_config_end(settings->config);
    return removed;
}

/* ---- GObject ---- */

static void
app_settings_dispose(GObject *object)
{
    AppSettings *settings = APP_SETTINGS(object);

    if (settings->save_timer) {
        app_settings_save(settings, NULL);
    }
    g_clear_pointer(&settings->host_check, app_host_check_free);
    G_OBJECT_CLASS(app_settings_parent_class)->dispose(object);
}

static void
app_settings_finalize(GObject *object)
{
    AppSettings *settings = APP_SETTINGS(object);

    g_clear_object(&settings->config);
    g_clear_object(&settings->entry);
    g_clear_pointer(&settings->diags, vit_diag_list_unref);
    G_OBJECT_CLASS(app_settings_parent_class)->finalize(object);
}

static void
app_settings_class_init(AppSettingsClass *klass)
{
    G_OBJECT_CLASS(klass)->dispose = app_settings_dispose;
    G_OBJECT_CLASS(klass)->finalize = app_settings_finalize;
    signals[SIGNAL_CHANGED] = g_signal_new("changed", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST,
                                           0, NULL, NULL, NULL, G_TYPE_NONE, 0);
    signals[SIGNAL_SAVE_FAILED] =
        g_signal_new("save-failed", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                     NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
}

static void
app_settings_init(AppSettings *settings)
{
    settings->host_check = app_host_check_new(HOST_CHECK_DELAY_MS, on_host_checked, settings);
}
