/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Expressions of the human monitor: 64-bit, operators and precedence of C, numbers decimal, 0x and
 * 0 octal, characters in single quotes, registers as $name. Spaces may stand before operators and
 * operands. Thread: device lock held. */

#include "hmp.h"

#include <errno.h>
#include <string.h>

#include "vit-error.h"

enum { DEPTH_MAX = 64 };

typedef struct {
    HmpState *state;
    const char *at;
    bool more;
    unsigned depth;
    GError **error;
} Parser;

static bool parse_binary(Parser *parser, unsigned level, int64_t *out);

static bool
fail(Parser *parser, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error_literal(parser->error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, message);
    return false;
}

static void
skip_spaces(Parser *parser)
{
    while (g_ascii_isspace(*parser->at)) {
        parser->at++;
    }
}

static bool
parse_register(Parser *parser, int64_t *out)
{
    VitMonitors *monitors = parser->state->monitors;
    char name[16];
    size_t len = 0;
    uint64_t value;

    parser->at++;
    while (g_ascii_isalnum(parser->at[len]) || parser->at[len] == '_' || parser->at[len] == '.') {
        len++;
    }
    if (len == 0 || len >= sizeof(name)) {
        return fail(parser, "a register's name is wanted after '$'");
    }
    g_strlcpy(name, parser->at, len + 1);
    parser->at += len;
    if (!monitors->ops->get_register ||
        !monitors->ops->get_register(monitors->host, parser->state->cpu, name, &value)) {
        return fail(parser, "there is no register '$%s'", name);
    }
    *out = value;
    return true;
}

static bool
parse_number(Parser *parser, int64_t *out)
{
    char *end;

    errno = 0;
    uint64_t value = g_ascii_strtoull(parser->at, &end, 0);
    if (end == parser->at) {
        return fail(parser,
                    *parser->at ? "a number or '$register' is wanted at '%s'"
                                : "a number or '$register' is wanted%s",
                    parser->at);
    }
    if (errno == ERANGE) {
        return fail(parser, "the number at '%s' does not fit into 64 bits", parser->at);
    }
    if (g_ascii_isalnum(*end) || *end == '_') {
        return fail(parser, "'%s' is not a number", parser->at);
    }
    parser->at = end;
    *out = value;
    return true;
}

static bool
parse_unary(Parser *parser, int64_t *out)
{
    bool ok;

    skip_spaces(parser);
    if (++parser->depth > DEPTH_MAX) {
        return fail(parser, "the expression is nested too deeply");
    }
    switch (*parser->at) {
    case '+':
        parser->at++;
        ok = parse_unary(parser, out);
        break;
    case '-':
        parser->at++;
        ok = parse_unary(parser, out);
        *out = ok ? (int64_t)(0 - (uint64_t)*out) : 0;
        break;
    case '~':
        parser->at++;
        ok = parse_unary(parser, out);
        *out = ok ? ~*out : 0;
        break;
    case '(':
        parser->at++;
        ok = parse_binary(parser, 0, out);
        skip_spaces(parser);
        if (ok && *parser->at != ')') {
            return fail(parser, "')' is missing");
        }
        parser->at += ok;
        break;
    case '\'':
        if (!parser->at[1] || parser->at[2] != '\'') {
            return fail(parser, "a character is written 'c'");
        }
        *out = (uint8_t)parser->at[1];
        parser->at += 3;
        ok = true;
        break;
    case '$': ok = parse_register(parser, out); break;
    default: ok = parse_number(parser, out);
    }
    parser->depth--;
    return ok;
}

/* Loosest first. */
static const char *const levels[] = { "|", "^", "&", "+-", "*/%" };

static bool
apply(Parser *parser, char op, int64_t right, int64_t *left)
{
    uint64_t a = *left, b = right;

    switch (op) {
    case '|': *left = a | b; return true;
    case '^': *left = a ^ b; return true;
    case '&': *left = a & b; return true;
    case '+': *left = a + b; return true;
    case '-': *left = a - b; return true;
    case '*': *left = a * b; return true;
    default: break;
    }
    if (right == 0) {
        return fail(parser, "division by zero");
    }
    if (right == -1) { /* INT64_MIN / -1 overflows */
        *left = op == '/' ? (int64_t)(0 - a) : 0;
    } else {
        *left = op == '/' ? *left / right : *left % right;
    }
    return true;
}

static bool
parse_binary(Parser *parser, unsigned level, int64_t *out)
{
    if (level == G_N_ELEMENTS(levels)) {
        return parse_unary(parser, out);
    }
    if (!parse_binary(parser, level + 1, out)) {
        return false;
    }
    for (;;) {
        const char *before = parser->at;
        int64_t right;

        skip_spaces(parser);
        char op = *parser->at;
        bool is_next = parser->more && parser->at != before && !g_ascii_isspace(parser->at[1]);
        if (!op || is_next || !strchr(levels[level], op)) {
            parser->at = before;
            return true;
        }
        parser->at++;
        if (!parse_binary(parser, level + 1, &right) || !apply(parser, op, right, out)) {
            return false;
        }
    }
}

bool
hmp_expression(HmpState *state, const char **at, bool more, int64_t *out, GError **error)
{
    Parser parser = { .state = state, .at = *at, .more = more, .error = error };

    if (!parse_binary(&parser, 0, out)) {
        return false;
    }
    *at = parser.at;
    return true;
}
