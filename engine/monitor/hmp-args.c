/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Arguments of human commands: what a row declares is taken from the line in order. Flags may
 * stand in any order before the rest. Thread: device lock held. */

#include "hmp.h"

#include <string.h>

#include "vit-error.h"

static bool
fail(GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error_literal(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, message);
    return false;
}

static void
skip_spaces(const char **at)
{
    while (g_ascii_isspace(**at)) {
        (*at)++;
    }
}

static char *
next_quoted(const char **at, GError **error)
{
    GString *word = g_string_new(NULL);

    for ((*at)++; **at && **at != '"'; (*at)++) {
        char c = **at;
        if (c == '\\') {
            (*at)++;
            switch (**at) {
            case 'n': c = '\n'; break;
            case 'r': c = '\r'; break;
            case 't': c = '\t'; break;
            case '\\':
            case '\'':
            case '"': c = **at; break;
            default:
                fail(error, "'\\%.1s' is not an escape; there are \\n \\r \\t \\\\ \\' \\\"", *at);
                g_string_free(word, TRUE);
                return NULL;
            }
        }
        g_string_append_c(word, c);
    }
    if (**at != '"') {
        fail(error, "the closing quote is missing");
        g_string_free(word, TRUE);
        return NULL;
    }
    (*at)++;
    return g_string_free(word, FALSE);
}

char *
hmp_next_word(const char **at, GError **error)
{
    skip_spaces(at);
    if (**at == '"') {
        return next_quoted(at, error);
    }
    size_t len = 0;
    while ((*at)[len] && !g_ascii_isspace((*at)[len])) {
        len++;
    }
    if (len == 0) {
        return NULL;
    }
    char *word = g_strndup(*at, len);
    *at += len;
    return word;
}

/* "/20xw" at *AT. */
static bool
parse_format(HmpState *state, const char **at, HmpFormat *out, GError **error)
{
    *out = (HmpFormat){ .count = 1, .format = state->format, .unit_bytes = state->unit_bytes };
    (*at)++;
    if (g_ascii_isdigit(**at)) {
        char *end;
        out->count = g_ascii_strtoull(*at, &end, 10);
        *at = end;
    }
    for (; **at && !g_ascii_isspace(**at); (*at)++) {
        switch (**at) {
        case 'x':
        case 'd':
        case 'u':
        case 'o':
        case 'c':
        case 'i': out->format = **at; break;
        case 'b': out->unit_bytes = 1; break;
        case 'h': out->unit_bytes = 2; break;
        case 'w':
        case 'L': out->unit_bytes = 4; break;
        case 'g': out->unit_bytes = 8; break;
        default:
            return fail(error,
                        "'%c' is not part of a format; it is /COUNT, then one of x d u o c i, then "
                        "one of b h w g",
                        **at);
        }
    }
    return true;
}

static bool
check_choice(const HmpArg *arg, const char *word, GError **error)
{
    g_auto(GStrv) choices = g_strsplit(arg->choices, " ", -1);

    if (g_strv_contains((const char *const *)choices, word)) {
        return true;
    }
    return fail(error, "%s must be one of %s, not '%s'", arg->name, arg->choices, word);
}

static bool
parse_int(HmpCall *call, const HmpArg *arg, const char **at, HmpValue *value, GError **error)
{
    if (!hmp_expression(call->state, at, arg[1].type != HMP_END, &value->number, error)) {
        return false;
    }
    if (arg->type == HMP_INT && (value->number > UINT32_MAX || value->number < INT32_MIN)) {
        return fail(error, "%s does not fit into 32 bits", arg->name);
    }
    value->given = true;
    return true;
}

static bool
parse_word(HmpCall *call, const HmpArg *arg, const char **at, HmpValue *value, GError **error)
{
    GError *cause = NULL;
    char *word = hmp_next_word(at, &cause);

    if (cause) {
        g_propagate_error(error, cause);
        return false;
    }
    if (!word) {
        return arg->optional || fail(error, "%s is missing", arg->name);
    }
    value->text = word;
    value->given = true;
    if (arg->type == HMP_CHOICE) {
        return check_choice(arg, word, error);
    }
    if (arg->type == HMP_BOOL) {
        value->number = strcmp(word, "on") == 0;
        return value->number || strcmp(word, "off") == 0 ||
               fail(error, "%s must be on or off, not '%s'", arg->name, word);
    }
    return true;
}

/* The flag or option that is called LETTER; -1: none. */
static int
find_flag(const HmpCommand *command, char letter)
{
    for (unsigned i = 0; command->args[i].type != HMP_END; i++) {
        HmpArgType type = command->args[i].type;
        if ((type == HMP_FLAG || type == HMP_OPTION) && command->args[i].name[0] == letter) {
            return i;
        }
    }
    return -1;
}

/* Flags at *AT, wherever they stand in the row. */
static bool
parse_flags(HmpCall *call, const char **at, GError **error)
{
    for (skip_spaces(at); **at == '-' && g_ascii_isalpha((*at)[1]); skip_spaces(at)) {
        int i = find_flag(call->command, (*at)[1]);

        if (i < 0) {
            return true; /* a word that begins with a dash; the next argument judges */
        }
        *at += 2;
        call->values[i].given = true;
        if (call->command->args[i].type == HMP_OPTION) {
            g_free(call->values[i].text);
            call->values[i].text = hmp_next_word(at, error);
            if (!call->values[i].text) {
                return fail(error && *error ? NULL : error, "a value is missing after -%s",
                            call->command->args[i].name);
            }
        }
    }
    return true;
}

static bool
parse_one(HmpCall *call, unsigned i, const char **at, GError **error)
{
    const HmpArg *arg = &call->command->args[i];
    HmpValue *value = &call->values[i];

    skip_spaces(at);
    switch (arg->type) {
    case HMP_FLAG:
    case HMP_OPTION: return true;
    case HMP_COMMAND:
    case HMP_REST:
        if (!**at) {
            return arg->optional || fail(error, "%s is missing", arg->name);
        }
        value->text = g_strchomp(g_strdup(*at));
        value->given = true;
        *at += strlen(*at);
        return true;
    case HMP_FORMAT:
        value->format = (HmpFormat){ .count = 1,
                                     .format = call->state->format,
                                     .unit_bytes = call->state->unit_bytes };
        value->given = **at == '/';
        return !value->given || parse_format(call->state, at, &value->format, error);
    case HMP_INT:
    case HMP_LONG:
        if (!**at) {
            return arg->optional || fail(error, "%s is missing", arg->name);
        }
        return parse_int(call, arg, at, value, error);
    default: return parse_word(call, arg, at, value, error);
    }
}

bool
hmp_parse_args(HmpCall *call, const char *text, GError **error)
{
    const char *at = text;

    for (unsigned i = 0; call->command->args[i].type != HMP_END; i++) {
        if (!parse_flags(call, &at, error) || !parse_one(call, i, &at, error)) {
            return false;
        }
    }
    if (!parse_flags(call, &at, error)) {
        return false;
    }
    if (*at) {
        return fail(error, "'%s' is too much", at);
    }
    return true;
}

void
hmp_clear_args(HmpCall *call)
{
    for (unsigned i = 0; i < HMP_ARGS_MAX; i++) {
        g_clear_pointer(&call->values[i].text, g_free);
    }
}

char *
hmp_describe_args(const HmpCommand *command)
{
    GString *text = g_string_new(NULL);

    for (const HmpArg *arg = command->args; arg->type != HMP_END; arg++) {
        const char *before = arg->optional ? "[" : "", *after = arg->optional ? "]" : "";
        g_autofree char *choices = NULL;
        const char *name = arg->name;

        if (arg->type == HMP_FLAG || arg->type == HMP_FORMAT) {
            before = arg->type == HMP_FLAG ? "[-" : "[/";
            after = "]";
        } else if (arg->type == HMP_OPTION) {
            before = "[-";
            after = " value]";
        } else if (arg->type == HMP_BOOL) {
            name = "on|off";
        } else if (arg->type == HMP_CHOICE) {
            choices = g_strdelimit(g_strdup(arg->choices), " ", '|');
            name = choices;
        }
        g_string_append_printf(text, "%s%s%s%s", text->len ? " " : "", before, name, after);
    }
    return g_string_free(text, FALSE);
}

const HmpValue *
hmp_value(const HmpCall *call, const char *name)
{
    for (unsigned i = 0; call->command->args[i].type != HMP_END; i++) {
        if (strcmp(call->command->args[i].name, name) == 0) {
            return &call->values[i];
        }
    }
    g_assert_not_reached(); /* the handler asks for what its row does not declare */
}

const char *
hmp_text(const HmpCall *call, const char *name)
{
    return hmp_value(call, name)->text;
}

int64_t
hmp_number(const HmpCall *call, const char *name)
{
    return hmp_value(call, name)->number;
}

bool
hmp_flag(const HmpCall *call, const char *name)
{
    return hmp_value(call, name)->given;
}
