/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Running a line of the human monitor: finding the command, help, info, completion.
 * Thread: device lock held. */

#include "hmp.h"

#include <string.h>

#include "vit-error.h"
#include "vit-input-hub.h"
#include "vit-prop.h"

void
hmp_state_init(HmpState *state, VitMonitors *monitors)
{
    *state = (HmpState){ .monitors = monitors, .format = 'x', .unit_bytes = 4 };
    state->history = g_ptr_array_new_with_free_func(g_free);
}

void
hmp_state_finish(HmpState *state)
{
    g_ptr_array_unref(state->history);
}

void
hmp_print(HmpCall *call, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_string_append_vprintf(call->out, format, args);
    va_end(args);
}

void
hmp_error(HmpCall *call, GError *error)
{
    if (error) {
        hmp_print(call, "Error: %s\n", error->message);
        g_error_free(error);
    }
}

/* ---- finding ---- */

static bool
is_called(const HmpCommand *command, const char *name)
{
    if (strcmp(command->name, name) == 0) {
        return true;
    }
    if (!command->aliases) {
        return false;
    }
    g_auto(GStrv) aliases = g_strsplit(command->aliases, " ", -1);
    return g_strv_contains((const char *const *)aliases, name);
}

const HmpCommand *
hmp_find(const HmpCommand *table, const char *name)
{
    for (; table->name; table++) {
        if (is_called(table, name)) {
            return table;
        }
    }
    return NULL;
}

static void
unknown_command(HmpState *state, const HmpCommand *table, const char *what, const char *name,
                GString *out)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    for (; table->name; table++) {
        g_ptr_array_add(names, (gpointer)table->name);
    }
    const char *near = vit_nearest_name(name, (const char *const *)names->pdata, names->len);
    g_string_append_printf(out, "unknown %s: '%s'", what, name);
    if (near) {
        g_string_append_printf(out, "; did you mean '%s'?", near);
    }
    g_string_append_c(out, '\n');
}

/* ---- running ---- */

static void
run_command(HmpState *state, const HmpCommand *command, const char *group, const char *text,
            GString *out)
{
    HmpCall call = { .monitors = state->monitors, .state = state, .command = command, .out = out };
    GError *error = NULL;

    if (!command->run) {
        g_string_append_printf(out, "Error: %s%s: %s\n", group, command->name,
                               command->absent ? command->absent : "not available yet");
        return;
    }
    if (hmp_parse_args(&call, text, &error)) {
        command->run(&call);
    } else {
        hmp_print(&call, "%s%s: %s\n", group, command->name, error->message);
        hmp_print(&call, "Try \"help %s%s\" for more information\n", group, command->name);
        g_error_free(error);
    }
    hmp_clear_args(&call);
}

/* The command a line begins with, which may follow its name directly ("x/4i"). */
static char *
command_word(const char **at)
{
    size_t len = 0;

    while (g_ascii_isspace(**at)) {
        (*at)++;
    }
    while ((*at)[len] && !g_ascii_isspace((*at)[len]) && (*at)[len] != '/') {
        len++;
    }
    char *word = g_strndup(*at, len);
    *at += len;
    return word;
}

void
hmp_execute(HmpState *state, const char *line, GString *out)
{
    const char *at = line;
    g_autofree char *word = command_word(&at);

    if (!*word) {
        return;
    }
    const HmpCommand *command = hmp_find(hmp_commands, word);
    if (!command) {
        unknown_command(state, hmp_commands, "command", word, out);
        return;
    }
    run_command(state, command, "", at, out);
}

static void
describe(HmpCall *call, const char *group, const HmpCommand *command)
{
    g_autofree char *args = hmp_describe_args(command);
    const char *aliases = command->aliases ? command->aliases : "";

    hmp_print(call, "%s%s%s%s%s%s -- %s%s\n", group, command->name, *aliases ? "|" : "", aliases,
              *args ? " " : "", args, command->help,
              command->run || command->absent ? "" : " (not available yet)");
}

void
hmp_info(HmpCall *call)
{
    const char *text = hmp_text(call, "subcommand");

    if (!text) {
        for (const HmpCommand *command = hmp_info_commands; command->name; command++) {
            describe(call, "info ", command);
        }
        return;
    }
    const char *at = text;
    g_autofree char *word = command_word(&at);
    const HmpCommand *command = hmp_find(hmp_info_commands, word);
    if (!command) {
        unknown_command(call->state, hmp_info_commands, "info command", word, call->out);
        return;
    }
    run_command(call->state, command, "info ", at, call->out);
}

void
hmp_help(HmpCall *call)
{
    const char *name = hmp_text(call, "name");

    if (!name) {
        for (const HmpCommand *command = hmp_commands; command->name; command++) {
            describe(call, "", command);
        }
        return;
    }
    const char *at = name;
    g_autofree char *first = command_word(&at);
    g_autofree char *second = command_word(&at);
    if (strcmp(first, "info") == 0 && *second) {
        const HmpCommand *command = hmp_find(hmp_info_commands, second);
        if (command) {
            describe(call, "info ", command);
        } else {
            unknown_command(call->state, hmp_info_commands, "info command", second, call->out);
        }
        return;
    }
    const HmpCommand *command = hmp_find(hmp_commands, first);
    if (!command) {
        unknown_command(call->state, hmp_commands, "command", first, call->out);
        return;
    }
    describe(call, "", command);
    if (strcmp(command->name, "info") == 0) {
        for (command = hmp_info_commands; command->name; command++) {
            describe(call, "info ", command);
        }
    }
}

/* ---- completion ---- */

static void
offer(GPtrArray *choices, const char *candidate, const char *word)
{
    if (candidate && g_str_has_prefix(candidate, word)) {
        g_ptr_array_add(choices, g_strdup(candidate));
    }
}

static void
offer_commands(GPtrArray *choices, const HmpCommand *table, const char *word)
{
    for (; table->name; table++) {
        offer(choices, table->name, word);
    }
}

static void
offer_files(GPtrArray *choices, const char *word)
{
    const char *slash = strrchr(word, '/');
    g_autofree char *folder = slash ? g_strndup(word, slash + 1 - word) : g_strdup("");
    g_autoptr(GDir) dir = g_dir_open(*folder ? folder : ".", 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir)) && choices->len < 1000) {
        g_autofree char *path = g_strconcat(folder, name, NULL);
        if (!g_str_has_prefix(path, word) || (*name == '.' && *(slash ? slash + 1 : word) != '.')) {
            continue;
        }
        bool is_dir = g_file_test(path, G_FILE_TEST_IS_DIR);
        g_ptr_array_add(choices, g_strconcat(path, is_dir ? "/" : "", NULL));
    }
}

static void
offer_ids(HmpState *state, GPtrArray *choices, HmpArgType type, const char *word)
{
    const VitMonitorHostOps *ops = state->monitors->ops;
    void *host = state->monitors->host;

    if (type == HMP_DRIVE && ops->get_drives) {
        g_autoptr(GPtrArray) drives = ops->get_drives(host);
        for (unsigned i = 0; i < drives->len; i++) {
            offer(choices, ((VitMonitorDrive *)drives->pdata[i])->id, word);
        }
    } else if (type == HMP_CHARDEV && ops->get_chardevs) {
        const GPtrArray *chardevs = ops->get_chardevs(host);
        for (unsigned i = 0; i < chardevs->len; i++) {
            offer(choices, ((VitChardev *)chardevs->pdata[i])->id, word);
        }
    } else if (type == HMP_NETDEV && ops->get_net_ports) {
        const GPtrArray *ports = ops->get_net_ports(host);
        for (unsigned i = 0; i < ports->len; i++) {
            offer(choices, ((VitNetPort *)ports->pdata[i])->name, word);
        }
    }
}

/* The last key of "ctrl-alt-del". */
static void
offer_keys(GPtrArray *choices, const char *word)
{
    const char *dash = strrchr(word, '-');
    g_autofree char *before = dash ? g_strndup(word, dash + 1 - word) : g_strdup("");
    const VitKey *key;

    for (unsigned n = 0; (key = vit_key_nth(n)); n++) {
        if (key->name) {
            g_autofree char *whole = g_strconcat(before, key->name, NULL);
            offer(choices, whole, word);
        }
    }
}

static void
offer_argument(HmpState *state, GPtrArray *choices, const HmpArg *arg, const char *word)
{
    switch (arg->type) {
    case HMP_FILE: offer_files(choices, word); break;
    case HMP_COMMAND: offer_commands(choices, hmp_commands, word); break;
    case HMP_BOOL:
        offer(choices, "on", word);
        offer(choices, "off", word);
        break;
    case HMP_CHOICE: {
        g_auto(GStrv) values = g_strsplit(arg->choices, " ", -1);
        for (char **value = values; *value; value++) {
            offer(choices, *value, word);
        }
        break;
    }
    default: offer_ids(state, choices, arg->type, word);
    }
}

static int
compare(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool
is_flag(const HmpArg *arg)
{
    return arg->type == HMP_FLAG || arg->type == HMP_OPTION || arg->type == HMP_FORMAT;
}

/* The argument that WORD would be, after the words from AT on. Flags, options with their value and
 * formats are recognised by their first character and do not count. */
static const HmpArg *
next_argument(const HmpCommand *command, const char *at, const char *word)
{
    const HmpArg *arg = command->args;
    bool value_follows = false;

    while (at < word && arg->type != HMP_END) {
        size_t len;
        at += strspn(at, " ");
        len = strcspn(at, " ");
        if (at >= word || len == 0) {
            break;
        }
        if (value_follows) {
            value_follows = false;
        } else if (*at == '-' || *at == '/') {
            for (const HmpArg *option = command->args; option->type != HMP_END; option++) {
                value_follows |= option->type == HMP_OPTION && option->name[0] == at[1];
            }
        } else {
            while (is_flag(arg)) {
                arg++;
            }
            arg += arg->type != HMP_END;
        }
        at += len;
    }
    while (is_flag(arg)) {
        arg++;
    }
    return arg;
}

GPtrArray *
hmp_complete(HmpState *state, const char *line, size_t *out_word_len)
{
    GPtrArray *choices = g_ptr_array_new_with_free_func(g_free);
    const HmpCommand *table = hmp_commands;
    const char *at = line;
    g_autofree char *name = command_word(&at);

    /* Down into "info". */
    if (*at && strcmp(name, "info") == 0) {
        table = hmp_info_commands;
        g_free(name);
        name = command_word(&at);
    }
    if (!*at) {
        *out_word_len = strlen(name);
        offer_commands(choices, table, name);
        g_ptr_array_sort(choices, compare);
        return choices;
    }
    const HmpCommand *command = hmp_find(table, name);
    const char *space = strrchr(line, ' ');
    const char *word = space && space >= at ? space + 1 : at;
    const HmpArg *arg = command ? next_argument(command, at, word) : NULL;
    *out_word_len = strlen(word);
    if (arg && arg->name && strcmp(arg->name, "keys") == 0) {
        offer_keys(choices, word);
    } else if (arg) {
        offer_argument(state, choices, arg, word);
    }
    g_ptr_array_sort(choices, compare);
    return choices;
}
