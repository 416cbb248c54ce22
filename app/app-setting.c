/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* A row of the settings without its widget. It keeps no value of its own: it reads the
 * configuration each time, so that rows and command line can never disagree. Values are checked
 * with the engine's own rules before they are set. */

#include "app-setting.h"

#include <glib/gi18n.h>
#include <string.h>

struct _AppSetting {
    GObject parent;
    VitConfig *config;
    const VitOption *option; /* NULL for the bare disk image */
    uint32_t serial;
    VitOptionKey key;
    VitOptionValue *values; /* of a short-lived key */
    gboolean is_undeclared;
    VitStatus limit;
    const char *limit_reason;
    char *argument;
};

G_DEFINE_FINAL_TYPE(AppSetting, app_setting, G_TYPE_OBJECT)

/* ---- Making ---- */

static gboolean
is_plain(AppSetting *setting)
{
    return setting->option && setting->option->syntax != VIT_SYNTAX_KEYS;
}

static char *
make_argument(AppSetting *setting)
{
    if (!setting->option) {
        return g_strdup("");
    }
    if (is_plain(setting)) {
        return g_strdup_printf("-%s", setting->option->name);
    }
    return g_strdup_printf("-%s %s=", setting->option->name, setting->key.name);
}

/* The registry's keys live only during the call that shows them. */
static void
keep_key(AppSetting *setting)
{
    const VitOptionValue *from = setting->key.values;
    unsigned n = 0;

    setting->key.name = g_intern_string(setting->key.name);
    setting->key.def = g_intern_string(setting->key.def);
    setting->key.help = g_intern_string(setting->key.help);
    setting->key.ref = g_intern_string(setting->key.ref);
    setting->key.unit = g_intern_string(setting->key.unit);
    if (from) {
        while (from[n].name) {
            n++;
        }
        setting->values = g_new0(VitOptionValue, n + 1);
        for (unsigned i = 0; i < n; i++) {
            setting->values[i] = from[i];
            setting->values[i].name = g_intern_string(from[i].name);
            setting->values[i].help = g_intern_string(from[i].help);
        }
        setting->key.values = setting->values;
    }
}

AppSetting *
app_setting_new(VitConfig *config, const VitOption *option, uint32_t serial,
                const VitOptionKey *key, gboolean is_short_lived)
{
    AppSetting *setting = g_object_new(APP_TYPE_SETTING, NULL);

    setting->config = g_object_ref(config);
    setting->option = option;
    setting->serial = serial;
    setting->key = *key;
    if (is_short_lived) {
        keep_key(setting);
    }
    setting->argument = make_argument(setting);
    return setting;
}

AppSetting *
app_setting_new_undeclared(VitConfig *config, const VitOption *option, uint32_t serial,
                           const char *name)
{
    VitOptionKey key = {
        .name = name,
        .type = VIT_VALUE_STRING,
        .help = N_("Not known to this version; kept as it is"),
    };
    AppSetting *setting = app_setting_new(config, option, serial, &key, TRUE);

    setting->is_undeclared = TRUE;
    return setting;
}

void
app_setting_limit(AppSetting *setting, VitStatus status, const char *reason)
{
    setting->limit = status;
    setting->limit_reason = reason;
}

/* ---- What it is ---- */

const VitOption *
app_setting_get_option(AppSetting *setting)
{
    return setting->option;
}

const VitOptionKey *
app_setting_get_key(AppSetting *setting)
{
    return &setting->key;
}

uint32_t
app_setting_get_serial(AppSetting *setting)
{
    return setting->serial;
}

gboolean
app_setting_is_undeclared(AppSetting *setting)
{
    return setting->is_undeclared;
}

gboolean
app_setting_is_prominent(AppSetting *setting)
{
    if (app_setting_is_set(setting) || setting->key.flags & VIT_OPT_REQUIRED) {
        return TRUE;
    }
    /* the launcher's own switches are for a terminal: -help, -pidfile */
    return app_setting_is_available(setting) &&
           !(setting->option && setting->option->flags & VIT_OPT_HOST_ONLY) &&
           (is_plain(setting) || !setting->option ||
            app_setting_has_title(setting->option->name, setting->key.name));
}

const char *
app_setting_get_title(AppSetting *setting)
{
    const char *name = setting->option ? setting->option->name : "drive";

    return app_setting_title_for(name, is_plain(setting) ? NULL : setting->key.name);
}

const char *
app_setting_get_help(AppSetting *setting)
{
    const char *text = setting->key.help;

    if (is_plain(setting) && setting->option->help) {
        text = setting->option->help;
    }
    return app_schema_text(text);
}

const char *
app_setting_get_argument(AppSetting *setting)
{
    return setting->argument;
}

/* Whether the key says which variant or kind the instance is. */
static gboolean
is_selector(AppSetting *setting)
{
    const VitOption *option = setting->option;
    const char *name = option && option->variant_key ? option->variant_key
                       : option                      ? option->implied
                                                     : NULL;

    return name && (option->variants || option->kind_class) && strcmp(setting->key.name, name) == 0;
}

AppControl
app_setting_get_control(AppSetting *setting)
{
    const VitOptionKey *key = &setting->key;

    if (setting->option && setting->option->syntax == VIT_SYNTAX_FLAG) {
        return APP_CONTROL_SWITCH;
    }
    if (is_selector(setting)) {
        return APP_CONTROL_COMBO;
    }
    switch (key->type) {
    case VIT_VALUE_BOOL: return key->def ? APP_CONTROL_SWITCH : APP_CONTROL_CHOICE;
    case VIT_VALUE_ENUM:
        return setting->option && setting->option->syntax == VIT_SYNTAX_LIST ? APP_CONTROL_TEXT
                                                                             : APP_CONTROL_CHOICE;
    case VIT_VALUE_INT: return APP_CONTROL_NUMBER;
    case VIT_VALUE_SIZE: return APP_CONTROL_SIZE;
    case VIT_VALUE_PATH: return APP_CONTROL_PATH;
    case VIT_VALUE_ID: return key->ref ? APP_CONTROL_COMBO : APP_CONTROL_TEXT;
    default: return APP_CONTROL_TEXT;
    }
}

/* The instance it is about, as the running machine has it; NULL when it has none. */
static VitConfigItem *
find_running(AppSetting *setting, VitConfig *running)
{
    VitConfigItem *found = NULL;

    if (setting->serial) {
        return vit_config_get_by_serial(running, setting->serial);
    }
    for (unsigned i = 0; i < vit_config_get_n_items(running); i++) {
        VitConfigItem *item = vit_config_get_item(running, i);

        if (setting->option && vit_config_item_get_option(item) == setting->option) {
            found = item;
        }
    }
    return found;
}

VitChange
app_setting_get_change(AppSetting *setting, VitConfig *running)
{
    VitConfigItem *item = find_running(setting, running);
    const char *key = setting->key.name;
    g_autoptr(VitConfig) trial = NULL;
    uint32_t serial;

    if (item) {
        return vit_live_class(running, item, key, TRUE, vit_engine_get_registry());
    }
    if (!setting->option || setting->serial) {
        return VIT_CHANGE_RESTART; /* what is not in the machine yet waits as a whole */
    }
    trial = vit_config_new();
    serial =
        setting->option->syntax == VIT_SYNTAX_FLAG
            ? vit_config_add(trial, VIT_ORIGIN_DIALOG, NULL, setting->option->name, NULL)
            : vit_config_add(trial, VIT_ORIGIN_DIALOG, NULL, setting->option->name, key, "0", NULL);
    item = vit_config_get_by_serial(trial, serial);
    return item ? vit_live_class(running, item, key, FALSE, vit_engine_get_registry())
                : VIT_CHANGE_RESTART;
}

const char *
app_change_text(VitChange change)
{
    switch (change) {
    case VIT_CHANGE_HOT: return _("At once");
    case VIT_CHANGE_OFF: return _("Needs power off");
    default: return _("At next start");
    }
}

/* ---- Whether it is there ---- */

static gboolean
rules_out(VitStatus status)
{
    return status != VIT_STATUS_INHERIT && status != VIT_STATUS_AVAILABLE &&
           status != VIT_STATUS_NEEDS_HARDWARE;
}

VitStatus
app_setting_get_status(AppSetting *setting)
{
    if (setting->limit != VIT_STATUS_INHERIT) {
        return setting->limit;
    }
    if (setting->key.status != VIT_STATUS_INHERIT) {
        return setting->key.status;
    }
    if (setting->option && setting->option->status == VIT_STATUS_INHERIT) {
        return VIT_STATUS_NOT_YET;
    }
    return setting->option ? setting->option->status : VIT_STATUS_AVAILABLE;
}

gboolean
app_setting_is_available(AppSetting *setting)
{
    return !rules_out(app_setting_get_status(setting));
}

char *
app_setting_dup_status_text(AppSetting *setting)
{
    VitStatus status = app_setting_get_status(setting);
    const char *reason = setting->limit != VIT_STATUS_INHERIT ? setting->limit_reason
                         : setting->key.reason                ? setting->key.reason
                         : setting->option                    ? setting->option->reason
                                                              : NULL;

    if (!rules_out(status)) {
        return NULL;
    }
    if (status == VIT_STATUS_NOT_YET) {
        return reason ? g_strdup_printf(_("Not available yet: %s"), app_schema_text(reason))
                      : g_strdup(_("Not available yet"));
    }
    return g_strdup(reason ? app_schema_text(reason) : _("Not possible here"));
}

/* ---- Value ---- */

VitConfigItem *
app_setting_find_item(AppSetting *setting, int *out_param)
{
    VitConfigItem *found = NULL;
    int param = -1;

    for (unsigned i = 0; i < vit_config_get_n_items(setting->config); i++) {
        VitConfigItem *item = vit_config_get_item(setting->config, i);
        int index;

        if (setting->serial ? vit_config_item_get_serial(item) != setting->serial
                            : vit_config_item_get_option(item) != setting->option ||
                                  vit_config_item_get_item_type(item) != VIT_ITEM_OPTION) {
            continue;
        }
        index = vit_config_item_find_param(item, setting->key.name);
        if (index >= 0 || (setting->option && setting->option->syntax == VIT_SYNTAX_FLAG)) {
            found = item;
            param = index;
        }
    }
    if (out_param) {
        *out_param = param;
    }
    return found;
}

const char *
app_setting_get_value(AppSetting *setting)
{
    int param;
    VitConfigItem *item = app_setting_find_item(setting, &param);

    if (!item) {
        return NULL;
    }
    return param < 0 ? "on" : vit_config_item_get(item, setting->key.name);
}

gboolean
app_setting_is_set(AppSetting *setting)
{
    return app_setting_find_item(setting, NULL) != NULL;
}

const char *
app_setting_get_default(AppSetting *setting)
{
    if (setting->option && setting->option->syntax == VIT_SYNTAX_FLAG) {
        return "off";
    }
    return setting->key.def;
}

/* Whether two spellings are the same value of KEY. */
static gboolean
same_value(const VitOptionKey *key, const char *a, const char *b)
{
    bool bool_a, bool_b;
    guint64 size_a, size_b;
    gint64 int_a, int_b;

    if (!a || !b || strcmp(a, b) == 0) {
        return a == b || (a && b);
    }
    switch (key->type) {
    case VIT_VALUE_BOOL:
        return vit_value_parse_bool(a, &bool_a) && vit_value_parse_bool(b, &bool_b) &&
               bool_a == bool_b;
    case VIT_VALUE_SIZE:
        return vit_value_parse_size(a, key->size_unit, &size_a) &&
               vit_value_parse_size(b, key->size_unit, &size_b) && size_a == size_b;
    case VIT_VALUE_INT:
        return vit_value_parse_int(a, &int_a) && vit_value_parse_int(b, &int_b) && int_a == int_b;
    default: return FALSE;
    }
}

/* A choice that this version does not have is refused here already. */
static gboolean
check_choice(AppSetting *setting, const char *value, GError **error)
{
    g_autoptr(GArray) choices = app_setting_list_choices(setting);

    for (unsigned i = 0; i < choices->len; i++) {
        const AppChoice *choice = &g_array_index(choices, AppChoice, i);

        if (strcmp(choice->value, value) == 0 && rules_out(choice->status)) {
            g_set_error(error, VIT_ERROR, vit_status_error(choice->status),
                        choice->status == VIT_STATUS_NOT_YET ? _("“%s” is not available yet")
                                                             : _("“%s” is not possible here"),
                        value);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean
check_value(AppSetting *setting, const char *value, GError **error)
{
    VitStatus status;

    if (setting->option && setting->option->syntax == VIT_SYNTAX_LIST) {
        return TRUE; /* a list of words; the check of the whole looks at each */
    }
    return vit_value_check(&setting->key, value, &status, error) &&
           check_choice(setting, value, error);
}

static gboolean
write_value(AppSetting *setting, const char *value, GError **error)
{
    VitConfigItem *item = vit_config_get_by_serial(setting->config, setting->serial);

    if (!setting->serial) {
        return vit_config_set_option(setting->config, setting->option->name, setting->key.name,
                                     value, error);
    }
    /* an instance of a plain option is its value and nothing else */
    if (!value && item && is_plain(setting)) {
        return vit_config_remove(setting->config, setting->serial);
    }
    return vit_config_set(setting->config, setting->serial, setting->key.name, value, error);
}

/* What is switched or picked back to the default needs no words; what was typed stays as typed. */
static gboolean
is_picked(AppSetting *setting)
{
    AppControl control = app_setting_get_control(setting);

    return control == APP_CONTROL_SWITCH || control == APP_CONTROL_CHOICE;
}

gboolean
app_setting_set(AppSetting *setting, const char *value, GError **error)
{
    const char *old = app_setting_get_value(setting);
    gboolean ok;

    if (value && old && strcmp(old, value) == 0) {
        return TRUE;
    }
    if (value && !check_value(setting, value, error)) {
        return FALSE;
    }
    if (value && is_picked(setting) && !(setting->key.flags & VIT_OPT_REQUIRED) &&
        !is_selector(setting) && !(setting->serial && is_plain(setting)) &&
        same_value(&setting->key, value, app_setting_get_default(setting))) {
        value = NULL;
    }
    vit_config_begin(setting->config, app_setting_get_title(setting));
    ok = write_value(setting, value, error);
    vit_config_end(setting->config);
    return ok;
}

gboolean
app_setting_reset(AppSetting *setting, GError **error)
{
    return app_setting_set(setting, NULL, error);
}

/* ---- Choices ---- */

static void
add_choice(GArray *choices, const char *value, const char *title, VitStatus status,
           const char *reason)
{
    AppChoice choice = { g_intern_string(value), title && *title ? app_schema_text(title) : NULL,
                         status, reason };

    if (!choice.title) {
        choice.title = choice.value;
    }
    g_array_append_val(choices, choice);
}

static void
on_kind(const VitKindInfo *info, void *data)
{
    if (!info->internal && !info->alias_of) {
        add_choice(data, info->name, g_intern_string(info->title), VIT_STATUS_AVAILABLE, NULL);
    }
}

static void
add_kinds(AppSetting *setting, GArray *choices)
{
    const VitKindRegistry *registry = vit_engine_get_registry();
    const char *klass = setting->option->kind_class;

    if (!klass && strcmp(setting->option->name, "accel") != 0) {
        return;
    }
    registry->list(registry->data,
                   !klass                         ? VIT_KIND_ACCEL
                   : strcmp(klass, "cpu") == 0    ? VIT_KIND_CPU
                   : strcmp(klass, "device") == 0 ? VIT_KIND_DEVICE
                                                  : VIT_KIND_MACHINE,
                   on_kind, choices);
}

static gboolean
has_choice(GArray *choices, const char *value)
{
    for (unsigned i = 0; i < choices->len; i++) {
        if (strcmp(g_array_index(choices, AppChoice, i).value, value) == 0) {
            return TRUE;
        }
    }
    return FALSE;
}

static void
add_variants(AppSetting *setting, GArray *choices)
{
    for (const VitOptionVariant *v = setting->option->variants; v && v->name; v++) {
        if (!has_choice(choices, v->name)) {
            add_choice(choices, v->name, v->help, v->status, v->reason);
        }
    }
}

static void
add_ids(AppSetting *setting, GArray *choices)
{
    g_auto(GStrv) options = g_strsplit(setting->key.ref, "|", -1);

    for (unsigned i = 0; i < vit_config_get_n_items(setting->config); i++) {
        VitConfigItem *item = vit_config_get_item(setting->config, i);
        const char *id = vit_config_item_get_id(item);

        if (id && g_strv_contains((const char *const *)options, vit_config_item_get_name(item))) {
            add_choice(choices, id, NULL, VIT_STATUS_AVAILABLE, NULL);
        }
    }
}

GArray *
app_setting_list_choices(AppSetting *setting)
{
    GArray *choices = g_array_new(FALSE, FALSE, sizeof(AppChoice));
    const VitOptionKey *key = &setting->key;

    if (is_selector(setting)) {
        add_kinds(setting, choices);
        add_variants(setting, choices);
    } else if (key->type == VIT_VALUE_BOOL) {
        add_choice(choices, "on", _("On"), VIT_STATUS_AVAILABLE, NULL);
        add_choice(choices, "off", _("Off"), VIT_STATUS_AVAILABLE, NULL);
    } else if (key->type == VIT_VALUE_ENUM) {
        for (const VitOptionValue *v = key->values; v && v->name; v++) {
            add_choice(choices, v->name, v->help, v->status, v->reason);
        }
    } else if (key->type == VIT_VALUE_ID && key->ref) {
        add_ids(setting, choices);
    }
    return choices;
}

/* ---- Problems ---- */

char *
app_setting_dup_problem(AppSetting *setting, VitDiagList *diags, VitSeverity *out_severity)
{
    const VitDiag *worst = NULL;
    VitConfigItem *item;
    size_t base, base_end, start = 0, end = 0;
    int param;

    item = app_setting_find_item(setting, &param);
    if (!item ||
        !vit_config_locate(setting->config, vit_config_item_get_serial(item), &base, &base_end)) {
        return NULL;
    }
    vit_config_item_get_range(item, param, &start, &end);
    for (unsigned i = 0; i < vit_diag_list_get_n(diags); i++) {
        const VitDiag *diag = vit_diag_list_get(diags, i);

        if (diag->serial == vit_config_item_get_serial(item) && diag->start >= base + start &&
            diag->start < base + MAX(end, start + 1) &&
            (!worst || diag->severity > worst->severity)) {
            worst = diag;
        }
    }
    if (!worst) {
        return NULL;
    }
    *out_severity = worst->severity;
    return worst->fix ? g_strdup_printf("%s; %s", worst->message, worst->fix)
                      : g_strdup(worst->message);
}

/* ---- Search ---- */

static void
add_words(GString *text, const char *words)
{
    g_autofree char *folded = words ? g_utf8_casefold(words, -1) : NULL;

    if (folded) {
        g_string_append_c(text, ' ');
        g_string_append(text, folded);
    }
}

gboolean
app_setting_matches(AppSetting *setting, const char *const *words)
{
    g_autoptr(GString) text = g_string_new(NULL);

    add_words(text, app_setting_get_title(setting));
    add_words(text, app_setting_get_help(setting));
    add_words(text, setting->argument);
    add_words(text, setting->key.help);
    if (setting->option) {
        add_words(text, app_setting_title_for(setting->option->name, NULL));
        add_words(text, setting->option->aliases);
        add_words(text, app_schema_text(setting->option->page));
    }
    for (const VitOptionValue *v = setting->key.values; v && v->name; v++) {
        add_words(text, v->name);
    }
    for (unsigned i = 0; words[i]; i++) {
        if (!strstr(text->str, words[i])) {
            return FALSE;
        }
    }
    return TRUE;
}

/* ---- GObject ---- */

static void
app_setting_finalize(GObject *object)
{
    AppSetting *setting = APP_SETTING(object);

    g_clear_object(&setting->config);
    g_free(setting->values);
    g_free(setting->argument);
    G_OBJECT_CLASS(app_setting_parent_class)->finalize(object);
}

static void
app_setting_class_init(AppSettingClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = app_setting_finalize;
}

static void
app_setting_init(AppSetting *setting)
{
}
