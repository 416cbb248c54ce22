/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Help on the terminal: -help, -version and the lists that "help" as a value asks for, laid out as
 * users of this command line know them, so that scripts which read them go on working.
 * Thread: any; nothing here keeps state. */

#include "vit-help.h"

#include <string.h>

#include "vit-help-private.h"
#include "vit-option-private.h"
#include "vit-types.h"

enum { INDENT = 16, WIDTH = 80 };

bool
vit_help_is_there(VitStatus status)
{
    return status == VIT_STATUS_AVAILABLE || status == VIT_STATUS_NEEDS_HARDWARE;
}

VitStatus
vit_help_status(VitStatus own, VitStatus outer)
{
    if (!vit_help_is_there(outer))
        return own > VIT_STATUS_NOT_YET ? own : outer;
    return own == VIT_STATUS_INHERIT ? outer : own;
}

VitStatus
vit_help_option_status(const VitOption *option)
{
    return option->status == VIT_STATUS_INHERIT ? VIT_STATUS_NOT_YET : option->status;
}

/* ---- layout -------------------------------------------------------------------------------- */

/* Appends TEXT in lines of at most WIDTH columns, the next ones indented. */
static void
append_wrapped(GString *out, const char *text, unsigned indent)
{
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    unsigned column = indent;

    for (unsigned i = 0; words[i] != NULL; i++) {
        unsigned len = (unsigned)g_utf8_strlen(words[i], -1);

        if (i > 0 && column + 1 + len > WIDTH) {
            g_string_append_printf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (i > 0) {
            g_string_append_c(out, ' ');
            column++;
        }
        g_string_append(out, words[i]);
        column += len;
    }
    g_string_append_c(out, '\n');
}

static const char *
type_name(const VitOptionKey *key)
{
    switch (key->type) {
    case VIT_VALUE_BOOL: return "bool";
    case VIT_VALUE_INT: return "num";
    case VIT_VALUE_SIZE: return "size";
    case VIT_VALUE_ENUM: return "choice";
    case VIT_VALUE_PATH: return key->role == VIT_PATH_FOLDER ? "folder" : "file";
    case VIT_VALUE_ID:
    case VIT_VALUE_NEW_ID: return "id";
    case VIT_VALUE_UUID: return "uuid";
    default: return "str";
    }
}

/* on|off, or the names of a short enumeration, or a word for what belongs there. */
char *
vit_help_value_form(const VitOptionKey *key)
{
    enum { LONG = 48 };
    g_autoptr(GString) names = g_string_new(NULL);

    if (key->type == VIT_VALUE_BOOL)
        return g_strdup("on|off");
    for (const VitOptionValue *v = key->values; v != NULL && v->name != NULL; v++)
        if (vit_help_is_there(vit_help_status(v->status, VIT_STATUS_AVAILABLE)))
            g_string_append_printf(names, "%s%s", names->len > 0 ? "|" : "", v->name);
    if (names->len > 0 && names->len <= LONG)
        return g_strdup(names->str);
    return g_ascii_strup(type_name(key), -1);
}

static void
append_key(GString *out, const VitOptionKey *key)
{
    g_autofree char *form = vit_help_value_form(key);
    g_autofree char *bounds = NULL;
    g_autoptr(GString) text = g_string_new(NULL);

    if (key->max > key->min && key->type == VIT_VALUE_INT && key->max < 1000000000)
        bounds = g_strdup_printf(", %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, key->min, key->max);
    g_string_append_printf(text, "%s=%s: %s%s", key->name, form, key->help, bounds ? bounds : "");
    if (key->unit != NULL)
        g_string_append_printf(text, " (%s)", key->unit);
    if (key->def != NULL)
        g_string_append_printf(text, " (default: %s)", key->def);
    g_string_append_printf(out, "%*s", INDENT, "");
    append_wrapped(out, text->str, INDENT + 2);
}

/* ---- -help --------------------------------------------------------------------------------- */

static void
append_keys(GString *out, const VitOptionKey *keys, VitStatus outer)
{
    for (const VitOptionKey *key = keys; key != NULL && key->name != NULL; key++)
        if (vit_help_is_there(vit_help_status(key->status, outer)))
            append_key(out, key);
}

static void
append_option(GString *out, const VitOption *option)
{
    g_auto(GStrv) aliases = g_strsplit(option->aliases ? option->aliases : "", " ", -1);

    g_string_append_printf(out, "-%s%s%s", option->name, option->metavar ? " " : "",
                           option->metavar ? option->metavar : "");
    for (unsigned i = 0; aliases[i] != NULL && aliases[i][0] != '\0'; i++)
        g_string_append_printf(out, ", -%s", aliases[i]);
    g_string_append_printf(out, "\n%*s", INDENT, "");
    g_autofree char *help = g_strconcat(
        option->help, option->flags & VIT_OPT_HELP ? " ('help' lists the choices)" : "", NULL);
    append_wrapped(out, help, INDENT);
    if (option->syntax != VIT_SYNTAX_KEYS)
        return;
    append_keys(out, option->keys, VIT_STATUS_AVAILABLE);
    for (const VitOptionVariant *v = option->variants; v != NULL && v->name != NULL; v++) {
        if (!vit_help_is_there(vit_help_status(v->status, VIT_STATUS_AVAILABLE)))
            continue;
        g_string_append_printf(out, "-%s %s%s%s\n%*s", option->name,
                               strcmp(option->name, "smbios") == 0 ? "type=" : "", v->name,
                               v->keys != NULL ? ",..." : "", INDENT, "");
        append_wrapped(out, v->help, INDENT);
        append_keys(out, v->keys, VIT_STATUS_AVAILABLE);
    }
}

static bool
is_first_of_section(unsigned index)
{
    const char *section = vit_option_nth(index)->section;

    for (unsigned i = 0; i < index; i++)
        if (strcmp(vit_option_nth(i)->section, section) == 0)
            return false;
    return true;
}

static void
append_section(GString *out, const char *section)
{
    const VitOption *option;
    bool began = false;

    for (unsigned i = 0; (option = vit_option_nth(i)) != NULL; i++) {
        if (strcmp(option->section, section) != 0 ||
            !vit_help_is_there(vit_help_option_status(option)))
            continue;
        if (!began)
            g_string_append_printf(out, "\n%s:\n", section);
        began = true;
        append_option(out, option);
    }
}

char *
vit_help_text(const char *program)
{
    GString *out = g_string_new(NULL);
    g_autofree char *version = vit_help_version(program);
    g_autoptr(GString) later = g_string_new("Known, but not available yet:");
    const VitOption *option;

    g_string_append_printf(out,
                           "%susage: %s [options] [disk_image]\n\n"
                           "'disk_image' is a hard disk image for IDE hard disk 0\n",
                           version, program);
    for (unsigned i = 0; (option = vit_option_nth(i)) != NULL; i++) {
        if (is_first_of_section(i))
            append_section(out, option->section);
        if (vit_help_option_status(option) == VIT_STATUS_NOT_YET)
            g_string_append_printf(later, " -%s", option->name);
    }
    g_string_append(out, "\n");
    append_wrapped(out, later->str, 2);
    g_string_append(
        out, "\nDuring emulation with a multiplexed terminal (-nographic, -serial mon:stdio):\n"
             "Ctrl-a h    help on the keys\n"
             "Ctrl-a x    end the program\n"
             "Ctrl-a c    switch between console and monitor\n");
    return g_string_free(out, FALSE);
}

char *
vit_help_version(const char *program)
{
    return g_strdup_printf("%s (Vitrine) version " VIT_VERSION "\n"
                           "Copyright the Vitrine authors; licence GPL-2.0-or-later\n",
                           program);
}

/* ---- lists --------------------------------------------------------------------------------- */

typedef struct {
    GString *out;
    const char *category; /* devices: the heading at hand */
    GPtrArray *categories;
    unsigned column;
} Lister;

static void
list_machine(const VitKindInfo *info, void *data)
{
    Lister *lister = data;

    g_string_append_printf(lister->out, "%-20s %s", info->name, info->title ? info->title : "");
    if (info->alias_of != NULL)
        g_string_append_printf(lister->out, " (alias of %s)", info->alias_of);
    if (info->is_default)
        g_string_append(lister->out, " (default)");
    if (info->deprecated)
        g_string_append(lister->out, " (deprecated)");
    g_string_append_c(lister->out, '\n');
}

static void
list_cpu(const VitKindInfo *info, void *data)
{
    Lister *lister = data;

    /* a name without a number is its version of the board's age, which is the first */
    size_t len = strlen(info->name);
    if (info->alias_of != NULL && strncmp(info->alias_of, info->name, len) == 0 &&
        strcmp(info->alias_of + len, "-v1") == 0)
        g_string_append_printf(lister->out, "x86 %-20s  (alias configured by machine type)\n",
                               info->name);
    else if (info->alias_of != NULL)
        g_string_append_printf(lister->out, "x86 %-20s  (alias of %s)\n", info->name,
                               info->alias_of);
    else
        g_string_append_printf(lister->out, "x86 %-20s  %s\n", info->name,
                               info->title ? info->title : "");
}

static void
list_feature(const VitKindInfo *info, void *data)
{
    Lister *lister = data;
    unsigned len = (unsigned)strlen(info->name);

    if (lister->column == 0 || lister->column + 1 + len > 75) /* as wide as tools know it */ {
        g_string_append(lister->out, lister->column == 0 ? "  " : "\n  ");
        lister->column = 2;
    } else {
        g_string_append_c(lister->out, ' ');
        lister->column++;
    }
    g_string_append(lister->out, info->name);
    lister->column += len;
}

static void
list_name(const VitKindInfo *info, void *data)
{
    Lister *lister = data;

    g_string_append_printf(lister->out, "%s\n", info->name);
}

static void
collect_category(const VitKindInfo *info, void *data)
{
    Lister *lister = data;
    const char *category = info->category ? info->category : "Misc";

    if (info->internal)
        return;
    for (unsigned i = 0; i < lister->categories->len; i++)
        if (strcmp(lister->categories->pdata[i], category) == 0)
            return;
    g_ptr_array_add(lister->categories, g_strdup(category));
}

static void
list_device(const VitKindInfo *info, void *data)
{
    Lister *lister = data;

    if (info->internal || strcmp(info->category ? info->category : "Misc", lister->category) != 0)
        return;
    g_string_append_printf(lister->out, "name \"%s\"", info->name);
    if (info->bus != NULL)
        g_string_append_printf(lister->out, ", bus %s", info->bus);
    if (info->alias_of != NULL)
        g_string_append_printf(lister->out, ", alias of \"%s\"", info->alias_of);
    else if (info->title != NULL)
        g_string_append_printf(lister->out, ", desc \"%s\"", info->title);
    g_string_append_c(lister->out, '\n');
}

static void
list_devices(GString *out, const VitKindRegistry *registry)
{
    g_autoptr(GPtrArray) categories = g_ptr_array_new_with_free_func(g_free);
    Lister lister = { .out = out, .categories = categories };

    registry->list(registry->data, VIT_KIND_DEVICE, collect_category, &lister);
    for (unsigned i = 0; i < categories->len; i++) {
        lister.category = categories->pdata[i];
        g_string_append_printf(out, "%s%s devices:\n", i > 0 ? "\n" : "", lister.category);
        registry->list(registry->data, VIT_KIND_DEVICE, list_device, &lister);
    }
}

static void
list_nic(const VitKindInfo *info, void *data)
{
    Lister *lister = data;

    if (!info->internal && info->category != NULL && strcmp(info->category, "Network") == 0)
        g_string_append_printf(lister->out, "%s\n", info->name);
}

static bool
list_kinds(GString *out, const VitOption *option, const VitKindRegistry *registry)
{
    Lister lister = { .out = out };

    if (registry == NULL || registry->list == NULL)
        return false;
    if (strcmp(option->name, "machine") == 0) {
        g_string_append(out, "Supported machines are:\n");
        registry->list(registry->data, VIT_KIND_MACHINE, list_machine, &lister);
    } else if (strcmp(option->name, "cpu") == 0) {
        g_string_append(out, "Available CPUs:\n");
        registry->list(registry->data, VIT_KIND_CPU, list_cpu, &lister);
        g_string_append(out, "\nRecognized CPUID flags:\n");
        registry->list(registry->data, VIT_KIND_CPU_FEATURE, list_feature, &lister);
        g_string_append_c(out, '\n');
    } else if (strcmp(option->name, "accel") == 0) {
        g_string_append(out, "Accelerators supported in this build:\n");
        registry->list(registry->data, VIT_KIND_ACCEL, list_name, &lister);
    } else if (strcmp(option->name, "device") == 0) {
        list_devices(out, registry);
    } else if (strcmp(option->name, "L") == 0) {
        registry->list(registry->data, VIT_KIND_DATA_DIR, list_name, &lister);
    } else {
        return false;
    }
    return true;
}

/* ---- choices of the schema ----------------------------------------------------------------- */

static void
append_prop(const VitOptionKey *key, void *data)
{
    GString *out = data;
    g_autofree char *form = g_strdup_printf("%s=<%s>", key->name, type_name(key));
    g_autofree char *values = key->values != NULL ? vit_help_value_form(key) : NULL;

    g_string_append_printf(out, "  %-22s - %s", form, key->help ? key->help : "");
    if (values != NULL)
        g_string_append_printf(out, " [%s]", values);
    if (key->def != NULL)
        g_string_append_printf(out, " (default: %s)", key->def);
    g_string_append_c(out, '\n');
}

static void
append_props(GString *out, const VitOptionKey *keys, VitStatus outer)
{
    for (const VitOptionKey *key = keys; key != NULL && key->name != NULL; key++)
        if (vit_help_is_there(vit_help_status(key->status, outer)))
            append_prop(key, out);
}

static const char *
heading(const VitOption *option)
{
    static const struct {
        const char *option, *text;
    } table[] = {
        { "chardev", "Available chardev backend types:" },
        { "netdev", "Available netdev backend types:" },
        { "nic", "Available netdev backend types:" },
        { "object", "List of user creatable objects:" },
        { "display", "Available display backend types:" },
        { "audiodev", "Available audio drivers:" },
        { "audio", "Available audio drivers:" },
        { "tpmdev", "Supported TPM types (choose only one):" },
        { "d", "Log items (comma separated):" },
    };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(table); i++)
        if (strcmp(table[i].option, option->name) == 0)
            return table[i].text;
    return NULL;
}

static void
append_values(GString *out, const VitOptionKey *key)
{
    for (const VitOptionValue *v = key->values; v != NULL && v->name != NULL; v++)
        if (vit_help_is_there(vit_help_status(v->status, VIT_STATUS_AVAILABLE)))
            g_string_append_printf(out, "%-20s %s%s\n", v->name, v->help ? v->help : "",
                                   g_strcmp0(key->def, v->name) == 0 ? " (default)" : "");
}

static void
append_choices(GString *out, const VitOption *option)
{
    const char *title = heading(option);
    VitStatus outer = vit_help_option_status(option);
    unsigned n = 0;

    if (title != NULL)
        g_string_append_printf(out, "%s\n", title);
    if (option->variants != NULL) {
        for (const VitOptionVariant *v = option->variants; v->name != NULL; v++)
            if (vit_help_is_there(vit_help_status(v->status, outer))) {
                g_string_append_printf(out, "%s\n", v->name);
                n++;
            }
        if (n == 0)
            g_string_append(out, "(none in this version)\n");
    } else if (option->syntax != VIT_SYNTAX_KEYS && option->keys != NULL &&
               option->keys->values != NULL) {
        append_values(out, option->keys);
    } else {
        g_string_append_printf(out, "%s options:\n", option->name);
        append_props(out, option->keys, outer);
    }
}

char *
vit_help_option(const VitOption *option, const char *kind, const VitKindRegistry *registry)
{
    GString *out = g_string_new(NULL);

    if (kind == NULL) {
        if (!list_kinds(out, option, registry))
            append_choices(out, option);
        return g_string_free(out, FALSE);
    }
    const VitOptionVariant *variant = vit_option_find_variant(option, kind);
    bool is_device = strcmp(option->name, "device") == 0;
    g_string_append_printf(out, "%s options:\n", kind);
    if (is_device && registry != NULL && registry->list_props != NULL)
        registry->list_props(registry->data, VIT_KIND_DEVICE, kind, append_prop, out);
    if (!is_device) {
        VitStatus outer = vit_help_option_status(option);

        if (variant != NULL)
            append_props(out, variant->keys, vit_help_status(variant->status, outer));
        append_props(out, option->keys, outer);
    }
    return g_string_free(out, FALSE);
}

/* ---- what a command line asks for ------------------------------------------------------------ */

static bool
is_help_word(const char *text)
{
    return strcmp(text, "help") == 0 || strcmp(text, "?") == 0;
}

static char *
help_of_item(const VitConfigItem *item, const VitKindRegistry *registry)
{
    const VitOption *option = vit_config_item_get_option(item);
    const char *selector = vit_option_variant_key(option);
    const char *kind = selector != NULL ? vit_config_item_get(item, selector) : NULL;
    bool has_kinds = option->variants != NULL || option->kind_class != NULL;
    bool asks = false, of_kind = false, of_nics = false;

    for (unsigned i = 0; i < vit_config_item_get_n_params(item); i++) {
        const char *key = vit_config_item_get_param_key(item, i);
        const char *value = vit_config_item_get_param_value(item, i);
        bool is_bare = is_help_word(key);

        if (strcmp(key, "model") == 0 && is_help_word(value) && strcmp(option->name, "cpu") != 0)
            asks = of_nics = true;
        else if (is_bare)
            asks = of_kind = true;
        else if (is_help_word(value) &&
                 (option->syntax != VIT_SYNTAX_VALUE || (option->flags & VIT_OPT_HELP)) &&
                 (option->syntax != VIT_SYNTAX_KEYS || g_strcmp0(key, option->implied) == 0))
            asks = true;
    }
    if (!asks)
        return NULL;
    if (of_nics && registry != NULL && registry->list != NULL) {
        GString *out = g_string_new("Supported NIC models:\n");
        Lister lister = { .out = out };

        registry->list(registry->data, VIT_KIND_DEVICE, list_nic, &lister);
        return g_string_free(out, FALSE);
    }
    return vit_help_option(option, of_kind && has_kinds ? kind : NULL, registry);
}

char *
vit_config_help(VitConfig *config, const VitKindRegistry *registry, const char *program)
{
    for (unsigned i = 0; i < vit_config_get_n_items(config); i++) {
        const VitConfigItem *item = vit_config_get_item(config, i);
        char *text;

        if (vit_config_item_get_item_type(item) != VIT_ITEM_OPTION)
            continue;
        if (strcmp(vit_config_item_get_name(item), "help") == 0)
            return vit_help_text(program);
        if (strcmp(vit_config_item_get_name(item), "version") == 0)
            return vit_help_version(program);
        if ((text = help_of_item(item, registry)) != NULL)
            return text;
    }
    return NULL;
}
