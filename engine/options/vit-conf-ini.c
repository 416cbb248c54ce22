/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The ini form of -readconfig and -writeconfig:
 *
 *     [drive "disk0"]
 *       file = "a.img"
 *
 * There is no public grammar; this reads what the program the manual describes writes. Its limits
 * are kept on writing: a value holds no quote. Options that have no keys cannot be said in it and
 * are written as comments, so that nobody misses them silently.
 * Thread: any; reading included files may block. */

#include <stdio.h>
#include <string.h>

#include "vit-config-private.h"
#include "vit-types.h"

/* Groups that are not called like their option. */
static const struct {
    const char *group, *option;
} groups[] = {
    { "memory", "m" },
    { "smp-opts", "smp" },
    { "boot-opts", "boot" },
};

static const VitOption *
option_of_group(const char *group)
{
    for (unsigned i = 0; i < VIT_ARRAY_LEN(groups); i++)
        if (strcmp(groups[i].group, group) == 0)
            return vit_option_find(groups[i].option);
    const VitOption *option = vit_option_find(group);
    return option != NULL && option->syntax == VIT_SYNTAX_KEYS && strcmp(option->name, group) == 0
               ? option
               : NULL;
}

static const char *
group_of_option(const VitOption *option)
{
    for (unsigned i = 0; i < VIT_ARRAY_LEN(groups); i++)
        if (strcmp(groups[i].option, option->name) == 0)
            return groups[i].group;
    return option->name;
}

/* ---- reading ------------------------------------------------------------------------------- */

typedef struct {
    VitConfig *config;
    const char *file_name;
    unsigned line;
    const VitOption *option;
    char *id; /* of the group's head */
    GPtrArray *keys, *values;
} Reader;

static bool G_GNUC_PRINTF(3, 4) fail(const Reader *reader, GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    g_autofree char *shown = g_utf8_make_valid(message, -1);
    g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "%s, line %u: %s", reader->file_name,
                reader->line, shown);
    return false;
}

static bool
end_group(Reader *reader, GError **error)
{
    const VitOption *option = reader->option;

    reader->option = NULL;
    if (option == NULL)
        return true;
    /* Last, so that what selects the kind stands first. */
    if (reader->id != NULL) {
        g_ptr_array_add(reader->keys, g_strdup(option->id_key ? option->id_key : "id"));
        g_ptr_array_add(reader->values, g_steal_pointer(&reader->id));
    }
    g_ptr_array_add(reader->keys, NULL);
    g_autoptr(GError) cause = NULL;
    bool ok = vit_config_addv(reader->config, VIT_ORIGIN_DIALOG, option->name,
                              (const char *const *)reader->keys->pdata,
                              (const char *const *)reader->values->pdata, &cause) != 0;
    g_ptr_array_set_size(reader->keys, 0);
    g_ptr_array_set_size(reader->values, 0);
    return ok || fail(reader, error, "%s", cause->message);
}

/* [GROUP] or [GROUP "ID"] */
static bool
begin_group(Reader *reader, char *text, GError **error)
{
    size_t len = strlen(text);

    if (text[len - 1] != ']')
        return fail(reader, error, "the ']' is missing");
    text[len - 1] = '\0';
    char *name = g_strstrip(text + 1);
    char *quote = strchr(name, '"');
    char *id = NULL;
    if (quote != NULL) {
        char *close = strchr(quote + 1, '"');

        if (close == NULL || close[1] != '\0')
            return fail(reader, error, "the id is not in a pair of quotes");
        *close = '\0';
        *quote = '\0';
        id = quote + 1;
        g_strchomp(name);
    }
    reader->option = option_of_group(name);
    if (reader->option == NULL)
        return fail(reader, error, "there is no group '%s'", name);
    reader->id = g_strdup(id);
    return true;
}

/* KEY = "VALUE" */
static bool
read_key(Reader *reader, char *text, GError **error)
{
    char *equals = strchr(text, '=');

    if (reader->option == NULL)
        return fail(reader, error, "a key stands before the first group");
    if (equals == NULL)
        return fail(reader, error, "'%s' is no key = \"value\"", text);
    *equals = '\0';
    char *key = g_strchomp(text), *value = g_strstrip(equals + 1);
    size_t len = strlen(value);
    if (key[0] == '\0')
        return fail(reader, error, "the key is missing");
    if (len < 2 || value[0] != '"' || value[len - 1] != '"')
        return fail(reader, error, "the value of %s is not in a pair of quotes", key);
    value[len - 1] = '\0';
    g_ptr_array_add(reader->keys, g_strdup(key));
    g_ptr_array_add(reader->values, g_strdup(value + 1));
    return true;
}

bool
vit_config_read_ini(VitConfig *config, const char *data, const char *file_name, VitDiagList *diags,
                    GError **error)
{
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) values = g_ptr_array_new_with_free_func(g_free);
    g_auto(GStrv) lines = g_strsplit(data, "\n", -1);
    Reader reader = { .config = config, .file_name = file_name, .keys = keys, .values = values };
    bool ok = true;

    vit_config_begin(config, NULL);
    for (unsigned i = 0; ok && lines[i] != NULL; i++) {
        char *text = g_strstrip(lines[i]);

        reader.line = i + 1;
        if (text[0] == '\0' || text[0] == '#')
            continue;
        if (text[0] == '[')
            ok = end_group(&reader, error) && begin_group(&reader, text, error);
        else
            ok = read_key(&reader, text, error);
    }
    ok = ok && end_group(&reader, error);
    vit_config_end(config);
    g_free(reader.id);
    return ok;
}

VitConfig *
vit_config_with_includes(VitConfig *config, VitDiagList *diags)
{
    VitConfig *result = vit_config_copy(config);

    for (unsigned i = 0; i < result->items->len; i++) {
        const VitConfigItem *item = vit_config_get_item(result, i);
        const char *name =
            item->type == VIT_ITEM_OPTION ? vit_config_item_get(item, "value") : NULL;
        g_autoptr(VitConfig) included = vit_config_new();
        g_autoptr(GError) error = NULL;
        size_t len;

        if (name == NULL || strcmp(item->name, "readconfig") != 0)
            continue;
        g_autofree char *path = vit_config_resolve_path(config, name);
        g_autofree char *data = vit_conf_read_file(path, &len, &error);
        if (data == NULL || !vit_config_read_ini(included, data, name, diags, &error)) {
            vit_config_diag_error(config, item->serial, 0, error, diags);
            continue;
        }
        g_ptr_array_remove_index(result->items, i);
        for (unsigned j = 0; j < included->items->len; j++) {
            VitConfigItem *copy = vit_config_item_clone(included->items->pdata[j]);

            copy->serial = result->next_serial++;
            g_ptr_array_insert(result->items, (int)(i + j), copy);
        }
        /* Files do not include files: no option of theirs can say so. */
        i += included->items->len - 1;
    }
    return result;
}

/* ---- writing ------------------------------------------------------------------------------- */

static void
write_item(GString *out, const VitConfigItem *item)
{
    const VitOption *option = item->option;
    const char *id = vit_config_item_get_id(item);
    bool can = option != NULL && option->syntax == VIT_SYNTAX_KEYS && !item->is_json;

    for (unsigned i = 0; i < vit_config_item_n(item); i++)
        can = can && strpbrk(vit_config_item_param(item, i)->value, "\"\n") == NULL;
    if (!can) {
        g_autofree char *one_line = g_strdelimit(g_strdup(item->source), "\r\n", ' ');
        g_string_append_printf(out, "# cannot be said here: %s\n\n", one_line);
        return;
    }
    g_string_append_printf(out, "[%s", group_of_option(option));
    if (id != NULL)
        g_string_append_printf(out, " \"%s\"", id);
    g_string_append(out, "]\n");
    for (unsigned i = 0; i < vit_config_item_n(item); i++) {
        const VitParam *param = vit_config_item_param(item, i);

        if (id == NULL || strcmp(param->key, option->id_key) != 0)
            g_string_append_printf(out, "  %s = \"%s\"\n", param->key, param->value);
    }
    g_string_append_c(out, '\n');
}

char *
vit_config_to_ini(VitConfig *config)
{
    GString *out = g_string_new("# configuration file for -readconfig\n\n");

    for (unsigned i = 0; i < config->items->len; i++) {
        const VitConfigItem *item = vit_config_get_item(config, i);
        g_autoptr(VitConfigItem) full = vit_config_item_expand(item);

        if (item->type != VIT_ITEM_FOREIGN && g_strcmp0(item->name, "writeconfig") != 0)
            write_item(out, full != NULL ? full : item);
    }
    return g_string_free(out, FALSE);
}

/* ---- both, for a program that starts -----------------------------------------------------------
 */

static bool
write_to(const char *name, const char *text, GError **error)
{
    g_autoptr(GError) cause = NULL;

    if (strcmp(name, "-") == 0) {
        if (fputs(text, stdout) >= 0 && fflush(stdout) == 0)
            return true;
        g_set_error_literal(error, VIT_ERROR, VIT_ERROR_IO, "standard output cannot be written");
        return false;
    }
    if (g_file_set_contents(name, text, -1, &cause))
        return true;
    g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "the configuration cannot be written: %s",
                cause->message);
    return false;
}

VitConfig *
vit_config_from_command_line(int argc, const char *const *argv, VitDiagList *diags)
{
    g_autoptr(VitConfig) typed = vit_config_parse_argv(argc, argv, diags);
    VitConfig *config = vit_config_with_includes(typed, diags);
    g_autofree char *text = NULL;

    for (unsigned i = 0; i < config->items->len; i++) {
        const VitConfigItem *item = vit_config_get_item(config, i);
        g_autoptr(GError) error = NULL;

        if (item->type != VIT_ITEM_OPTION || strcmp(item->name, "writeconfig") != 0)
            continue;
        if (text == NULL)
            text = vit_config_to_ini(config);
        if (!write_to(vit_config_item_get(item, "value"), text, &error))
            vit_config_diag_error(config, item->serial, 0, error, diags);
    }
    return config;
}
