/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The tokenizer of argument texts. It reads what people paste: POSIX shell quoting (single and
 * double quotes, backslash), lines continued with a backslash or a Windows caret, plain line
 * breaks, comments, a leading program name with env, sudo or assignments before it, redirections
 * and a trailing '&'. Nothing is expanded: $x and backticks are kept as written and pointed out.
 * Specification: POSIX.1-2017 Shell Command Language, section 2.2 (quoting), 2.3 (tokens).
 * Deviations: a plain line break separates words instead of ending the command.
 * Thread: any; nothing here keeps state. */

#include <string.h>

#include "vit-token.h"
#include "vit-types.h"

typedef struct {
    const char *text;
    size_t len, at;
    VitParseFlags flags;
    VitDiagList *diags;
    GArray *words; /* VitWord */
    GString *word;
    GArray *map; /* uint32_t */
} Lexer;

static bool
is_argv(const Lexer *lex)
{
    return (lex->flags & VIT_PARSE_ARGV) != 0;
}

static char
peek(const Lexer *lex, size_t ahead)
{
    return lex->at + ahead < lex->len ? lex->text[lex->at + ahead] : '\0';
}

static bool
is_blank_char(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

/* Length of a backslash or caret followed by a line end; 0 when there is none here. */
static size_t
continuation_len(const char *text, size_t left)
{
    if (left < 2 || (text[0] != '\\' && text[0] != '^'))
        return 0;
    if (text[1] == '\n')
        return 2;
    return left >= 3 && text[1] == '\r' && text[2] == '\n' ? 3 : 0;
}

static size_t
here_continuation(const Lexer *lex)
{
    if (is_argv(lex))
        return 0;
    return continuation_len(lex->text + lex->at, lex->len - lex->at);
}

static void
skip_blanks(Lexer *lex)
{
    while (lex->at < lex->len) {
        size_t joined = here_continuation(lex);

        if (joined > 0) {
            lex->at += joined;
        } else if (is_blank_char(lex->text[lex->at])) {
            lex->at++;
        } else if (lex->text[lex->at] == '#' && !is_argv(lex)) {
            while (lex->at < lex->len && lex->text[lex->at] != '\n')
                lex->at++;
        } else {
            return;
        }
    }
}

static void
take(Lexer *lex)
{
    uint32_t place = (uint32_t)lex->at;

    g_string_append_c(lex->word, lex->text[lex->at++]);
    g_array_append_val(lex->map, place);
}

/* End of the expansion that begins here; the place itself when it is none. */
static size_t
expansion_end(const Lexer *lex)
{
    size_t end = lex->at + 1;
    char close = '\0';

    if (lex->text[lex->at] == '`') {
        close = '`';
    } else {
        char next = peek(lex, 1);

        if (next == '\0' || (!g_ascii_isalnum(next) && strchr("_{(@*#?$!", next) == NULL))
            return lex->at;
        end++;
        close = next == '{' ? '}' : next == '(' ? ')' : '\0';
    }
    if (close == '\0') {
        while (end < lex->len && (g_ascii_isalnum(lex->text[end]) || lex->text[end] == '_'))
            end++;
        return end;
    }
    while (end < lex->len && lex->text[end] != close && lex->text[end] != '\n')
        end++;
    return end < lex->len && lex->text[end] == close ? end + 1 : end;
}

/* Takes the $ or ` here, and what would be expanded with it, as ordinary text. */
static void
take_expansion(Lexer *lex)
{
    size_t start = lex->at, end = is_argv(lex) ? start : expansion_end(lex);

    if (end > start)
        vit_diag_list_add(lex->diags, start, end, VIT_SEVERITY_WARNING, VIT_ERROR_INVALID_ARGUMENT,
                          0, "write the value itself, or put single quotes around it", NULL,
                          "'%.*s' is not expanded", (int)MIN(end - start, 60), lex->text + start);
    do
        take(lex);
    while (lex->at < end);
}

static void
unterminated(Lexer *lex, size_t start)
{
    vit_diag_list_add(lex->diags, start, start + 1, VIT_SEVERITY_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                      0, "close the quote", NULL, "the quote that begins here is not closed");
}

static void
read_single_quoted(Lexer *lex)
{
    size_t start = lex->at++;

    while (lex->at < lex->len && lex->text[lex->at] != '\'')
        take(lex);
    if (lex->at >= lex->len)
        unterminated(lex, start);
    else
        lex->at++;
}

static void
read_double_quoted(Lexer *lex)
{
    size_t start = lex->at++;

    while (lex->at < lex->len && lex->text[lex->at] != '"') {
        char c = lex->text[lex->at];
        size_t joined = c == '\\' ? here_continuation(lex) : 0;

        if (joined > 0) {
            lex->at += joined;
        } else if (c == '$' || c == '`') {
            take_expansion(lex);
        } else {
            if (c == '\\' && peek(lex, 1) != '\0' && strchr("$`\"\\", peek(lex, 1)))
                lex->at++;
            take(lex);
        }
    }
    if (lex->at >= lex->len)
        unterminated(lex, start);
    else
        lex->at++;
}

static void
finish_word(Lexer *lex, size_t start, bool is_quoted)
{
    uint32_t end = (uint32_t)lex->at;

    g_array_append_val(lex->map, end);
    VitWord word = {
        .start = start,
        .end = lex->at,
        .len = lex->word->len,
        .is_quoted = is_quoted,
    };
    /* A NUL in the middle would hide the rest of the word from every reader. */
    for (size_t i = 0; i < lex->word->len; i++)
        if (lex->word->str[i] == '\0')
            lex->word->str[i] = '?';
    word.text = g_string_free(lex->word, FALSE);
    word.map = (uint32_t *)(void *)g_array_free(lex->map, FALSE);
    g_array_append_val(lex->words, word);
    lex->word = NULL;
    lex->map = NULL;
}

static void
read_word(Lexer *lex)
{
    size_t start = lex->at;
    char first = lex->text[start];
    bool is_quoted = first == '\'' || first == '"' || first == '\\';

    lex->word = g_string_new(NULL);
    lex->map = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    while (lex->at < lex->len && !is_blank_char(lex->text[lex->at])) {
        char c = lex->text[lex->at];
        size_t joined = here_continuation(lex);

        if (joined > 0) {
            lex->at += joined;
        } else if (c == '\'') {
            read_single_quoted(lex);
        } else if (c == '"') {
            read_double_quoted(lex);
        } else if (c == '\\' && lex->at + 1 < lex->len) {
            lex->at++;
            take(lex);
        } else if (c == '$' || c == '`') {
            take_expansion(lex);
        } else {
            take(lex);
        }
    }
    finish_word(lex, start, is_quoted);
}

/* ---- what surrounds the arguments ---------------------------------------------------------- */

static bool
is_assignment(const VitWord *word)
{
    const char *equals = strchr(word->text, '=');

    if (equals == NULL || equals == word->text || g_ascii_isdigit(word->text[0]))
        return false;
    for (const char *c = word->text; c < equals; c++)
        if (!g_ascii_isalnum(*c) && *c != '_')
            return false;
    return true;
}

static bool
is_program(const char *word)
{
    const char *slash = strrchr(word, '/');
    const char *backslash = strrchr(word, '\\');
    const char *base = word;

    if (slash != NULL)
        base = slash + 1;
    if (backslash != NULL && backslash + 1 > base)
        base = backslash + 1;
    return g_str_has_prefix(base, "qemu-system-") || strcmp(base, "qemu-kvm") == 0 ||
           strcmp(base, "kvm") == 0 || strcmp(base, "qemu") == 0 || strcmp(base, "vitrine") == 0 ||
           strcmp(base, "vitrine-run") == 0;
}

static bool
is_launcher(const char *word)
{
    static const char *const names[] = { "sudo",    "env",    "exec",   "nice",   "nohup",
                                         "time",    "doas",   "pkexec", "$",      "%",
                                         "taskset", "setsid", "ionice", "stdbuf", "start",
                                         "command", NULL };

    return g_strv_contains(names, word);
}

/* Marks everything up to the program name, if there is one near the beginning. */
static void
skip_program(Lexer *lex)
{
    enum { LIMIT = 16 };
    unsigned n = MIN(lex->words->len, LIMIT);
    unsigned skip = 0;
    bool launched = false;

    for (unsigned i = 0; i < n; i++) {
        VitWord *word = &g_array_index(lex->words, VitWord, i);

        /* Single quotes are how a word that looks like a program says that it is none. */
        if (lex->text[word->start] == '\'')
            break;
        if (is_program(word->text)) {
            skip = i + 1;
            break;
        }
        if (is_launcher(word->text)) {
            launched = true;
            continue;
        }
        if (word->text[0] == '#' || is_assignment(word) || launched)
            continue;
        break;
    }
    /* Assignments alone are skipped too: nothing else begins like that. */
    if (skip == 0)
        for (; skip < n; skip++) {
            const VitWord *word = &g_array_index(lex->words, VitWord, skip);

            if (!is_assignment(word) || word->is_quoted)
                break;
        }
    for (unsigned i = 0; i < skip; i++) {
        VitWord *word = &g_array_index(lex->words, VitWord, i);

        word->is_skipped = true;
        if (is_assignment(word))
            vit_diag_list_add(lex->diags, word->start, word->end, VIT_SEVERITY_NOTE,
                              VIT_ERROR_INVALID_ARGUMENT, 0, NULL, NULL,
                              "environment variables are not part of a machine and are not used");
    }
}

/* Whether the first LEN bytes of WORD stand in the text as they are, without quotes or escapes. */
static bool
is_bare(const VitWord *word, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (word->map[i] != word->start + i)
            return false;
    return true;
}

/* A word such as >log, 2>&1 or <file; *out_takes_next tells whether the next word is its file. */
static bool
is_redirection(const VitWord *word, bool *out_takes_next)
{
    const char *c = word->text;

    while (g_ascii_isdigit(*c))
        c++;
    if (*c == '&' && c == word->text && c[1] == '>')
        c++;
    if (*c != '<' && *c != '>')
        return false;
    while (*c == '<' || *c == '>' || *c == '&')
        c++;
    *out_takes_next = *c == '\0';
    return is_bare(word, (size_t)(c - word->text));
}

/* "$@", as scripts pass their own arguments on. */
static bool
is_all_arguments(const Lexer *lex, const VitWord *word)
{
    static const char *const forms[] = { "$@", "\"$@\"", "$*", "\"$*\"" };
    size_t len = word->end - word->start;

    for (unsigned i = 0; i < VIT_ARRAY_LEN(forms); i++)
        if (strlen(forms[i]) == len && memcmp(lex->text + word->start, forms[i], len) == 0)
            return true;
    return false;
}

/* Marks redirections, "$@" and everything after an operator that ends the command. */
static void
skip_shell(Lexer *lex)
{
    bool ended = false, skip_next = false;

    for (unsigned i = 0; i < lex->words->len; i++) {
        VitWord *word = &g_array_index(lex->words, VitWord, i);
        bool takes_next = false;

        if (word->is_skipped)
            continue;
        if (ended || skip_next) {
            word->is_skipped = true;
            skip_next = false;
            continue;
        }
        if (is_all_arguments(lex, word)) {
            word->is_skipped = true;
            continue;
        }
        static const char *const enders[] = { "&", "&&", "||", ";", "|", ";;", NULL };
        if (g_strv_contains(enders, word->text) && is_bare(word, word->len)) {
            ended = word->is_skipped = true;
            if (i + 1 < lex->words->len)
                vit_diag_list_add(lex->diags, word->start,
                                  g_array_index(lex->words, VitWord, lex->words->len - 1).end,
                                  VIT_SEVERITY_WARNING, VIT_ERROR_INVALID_ARGUMENT, 0, NULL, NULL,
                                  "'%s' begins another command; what follows is not used",
                                  word->text);
        } else if (is_redirection(word, &takes_next)) {
            word->is_skipped = true;
            skip_next = takes_next;
            vit_diag_list_add(lex->diags, word->start, word->end, VIT_SEVERITY_NOTE,
                              VIT_ERROR_INVALID_ARGUMENT, 0, NULL, NULL,
                              "redirections are not part of a machine and are not used");
        }
    }
}

void
vit_words_init(VitWords *words, const char *text, size_t len, VitParseFlags flags,
               VitDiagList *diags)
{
    Lexer lex = { .text = text, .len = len, .flags = flags, .diags = diags };

    lex.words = g_array_new(FALSE, TRUE, sizeof(VitWord));
    for (;;) {
        skip_blanks(&lex);
        if (lex.at >= lex.len)
            break;
        read_word(&lex);
    }
    if ((flags & (VIT_PARSE_ARGV | VIT_PARSE_FRAGMENT)) == 0)
        skip_program(&lex);
    if ((flags & VIT_PARSE_ARGV) == 0)
        skip_shell(&lex);
    words->n_words = lex.words->len;
    words->words = (VitWord *)(void *)g_array_free(lex.words, FALSE);
}

void
vit_words_finish(VitWords *words)
{
    for (unsigned i = 0; i < words->n_words; i++) {
        g_free(words->words[i].text);
        g_free(words->words[i].map);
    }
    g_free(words->words);
    *words = (VitWords){ 0 };
}

/* ---- comma parts --------------------------------------------------------------------------- */

bool
vit_part_next(const char *text, size_t len, size_t *at, VitPart *out)
{
    size_t i = *at;

    if (i > len || len == 0)
        return false;
    *out = (VitPart){ .start = i, .value_start = i };
    for (; i < len; i++) {
        if (text[i] == ',') {
            if (i + 1 < len && text[i + 1] == ',') {
                i++;
                continue;
            }
            break;
        }
        if (text[i] == '=' && !out->has_value) {
            out->has_value = true;
            out->key_end = i;
            out->value_start = i + 1;
        }
    }
    out->end = i;
    if (!out->has_value)
        out->key_end = i;
    /* Past the end stands for "no further part", a comma at the very end for an empty one. */
    *at = i < len ? i + 1 : len + 1;
    return true;
}

char *
vit_part_unescape(const char *text, size_t len)
{
    GString *out = g_string_sized_new(len);

    for (size_t i = 0; i < len; i++) {
        g_string_append_c(out, text[i]);
        if (text[i] == ',' && i + 1 < len && text[i + 1] == ',')
            i++;
    }
    return g_string_free(out, FALSE);
}

void
vit_part_escape(GString *out, const char *text)
{
    for (; *text != '\0'; text++) {
        g_string_append_c(out, *text);
        if (*text == ',')
            g_string_append_c(out, ',');
    }
}

void
vit_quote_word(GString *out, const char *word)
{
    static const char plain[] = "_@%+=:,./-~";
    bool is_plain = word[0] != '\0' && word[0] != '~';

    for (const char *c = word; *c != '\0' && is_plain; c++)
        if (!g_ascii_isalnum(*c) && strchr(plain, *c) == NULL)
            is_plain = false;
    if (is_plain) {
        g_string_append(out, word);
        return;
    }
    g_string_append_c(out, '\'');
    for (const char *c = word; *c != '\0'; c++) {
        if (*c == '\'')
            g_string_append(out, "'\\''");
        else
            g_string_append_c(out, *c);
    }
    g_string_append_c(out, '\'');
}

void
vit_quote_first_word(GString *out, const char *word)
{
    VitWord probe = { .text = (char *)word };
    size_t before = out->len;

    vit_quote_word(out, word);
    if (out->str[before] == '\'')
        return;
    if (is_program(word) || is_launcher(word) || is_assignment(&probe)) {
        g_string_insert_c(out, (gssize)before, '\'');
        g_string_append_c(out, '\'');
    }
}

bool
vit_is_blank(const char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        size_t step = continuation_len(text, left);

        if (step == 0 && is_blank_char(*text))
            step = 1;
        if (step == 0)
            return false;
        text += step;
        left -= step;
    }
    return true;
}
