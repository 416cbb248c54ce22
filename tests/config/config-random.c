/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Random configurations made from the schema; see config-random.h. */

#include "config-random.h"

#include <string.h>

#include "vit-types.h"

static unsigned
below(GRand *rand, unsigned limit)
{
    return (unsigned)g_rand_int_range(rand, 0, (int)limit);
}

static char *
random_string(GRand *rand)
{
    static const char *const bits[] = {
        "a",   "disk", "1", ".img", "/tmp/", ",", ",,", "=",  " ",    "'",    "\"", "\\",  "$x",
        "`",   "#",    "é", "日本", "-",     ":", ";",  "&",  "|",    ">",    "\n", "\t",  "on",
        "{",   "}",    "[", "]",    "~",     "^", "!",  "*",  "help", "\r",   "-S", "kvm", "A=1",
        "\\n", "%",    "@", "\\s",  "..",    "(", ")",  "--", "$@",   "2>&1", "+",  "x.y",
    };
    GString *out = g_string_new(NULL);
    unsigned n = below(rand, 6);

    for (unsigned i = 0; i < n; i++)
        g_string_append(out, bits[below(rand, VIT_ARRAY_LEN(bits))]);
    return g_string_free(out, FALSE);
}

char *
random_value(GRand *rand, const VitOptionKey *key)
{
    if (below(rand, 4) == 0)
        return random_string(rand);
    switch (key->type) {
    case VIT_VALUE_BOOL: return g_strdup(below(rand, 2) ? "on" : "off");
    case VIT_VALUE_INT: return g_strdup_printf("%u", below(rand, 5000));
    case VIT_VALUE_SIZE: return g_strdup_printf("%u%c", below(rand, 64) + 1, "KMG"[below(rand, 3)]);
    case VIT_VALUE_ENUM: {
        unsigned n = 0;
        while (key->values[n].name != NULL)
            n++;
        return g_strdup(key->values[below(rand, n)].name);
    }
    case VIT_VALUE_ID:
    case VIT_VALUE_NEW_ID: return g_strdup_printf("id%u", below(rand, 20));
    default: return random_string(rand);
    }
}

static const VitOptionKey *
random_key(GRand *rand, const VitOption *option, const VitOptionVariant *variant)
{
    const VitOptionKey *own = variant != NULL ? variant->keys : NULL;
    unsigned n_own = 0, n = 0;

    while (own != NULL && own[n_own].name != NULL)
        n_own++;
    while (option->keys != NULL && option->keys[n].name != NULL)
        n++;
    if (n + n_own == 0)
        return NULL;
    unsigned choice = below(rand, n + n_own);
    return choice < n_own ? &own[choice] : &option->keys[choice - n_own];
}

static const VitOptionVariant *
random_variant(GRand *rand, const VitOption *option)
{
    unsigned n = 0;

    while (option->variants != NULL && option->variants[n].name != NULL)
        n++;
    return n > 0 ? &option->variants[below(rand, n)] : NULL;
}

static const VitOption *
random_option(GRand *rand)
{
    unsigned n = 0;

    while (vit_option_nth(n) != NULL)
        n++;
    return vit_option_nth(below(rand, n));
}

static void
add(GPtrArray *keys, GPtrArray *values, const char *key, char *value)
{
    g_ptr_array_add(keys, g_strdup(key));
    g_ptr_array_add(values, value);
}

uint32_t
random_item(GRand *rand, VitConfig *config)
{
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) values = g_ptr_array_new_with_free_func(g_free);
    const VitOption *option = random_option(rand);
    const char *name = option->name;

    if (below(rand, 12) == 0) {
        name = "image";
        g_autofree char *tail = random_string(rand);
        add(keys, values, "file", g_strconcat(below(rand, 2) ? "d" : "", tail, NULL));
    } else if (strcmp(name, "global") == 0) {
        add(keys, values, "driver", g_strdup(below(rand, 2) ? "ide-hd" : "cfi.pflash01"));
        add(keys, values, "property", g_strdup("prop"));
        add(keys, values, "value", random_string(rand));
    } else if (strcmp(name, "set") == 0) {
        add(keys, values, "group", g_strdup("drive"));
        add(keys, values, "id", g_strdup("id1"));
        add(keys, values, "arg", g_strdup("file.name"));
        add(keys, values, "value", random_string(rand));
    } else if (option->syntax == VIT_SYNTAX_KEYS) {
        const VitOptionVariant *variant = random_variant(rand, option);
        const char *selector = option->variant_key ? option->variant_key : option->implied;
        unsigned n = below(rand, 6);

        if (variant != NULL && selector != NULL)
            add(keys, values, selector, g_strdup(variant->name));
        for (unsigned i = 0; i < n; i++) {
            const VitOptionKey *key = random_key(rand, option, variant);
            if (key != NULL)
                add(keys, values, key->name, random_value(rand, key));
        }
        if (below(rand, 8) == 0)
            add(keys, values, "unknown-key", random_string(rand));
    } else if (option->syntax != VIT_SYNTAX_FLAG) {
        add(keys, values, "value", random_value(rand, option->keys));
    }
    g_ptr_array_add(keys, NULL);
    return vit_config_addv(config, below(rand, 5) ? VIT_ORIGIN_DIALOG : VIT_ORIGIN_DEFAULT, name,
                           (const char *const *)keys->pdata, (const char *const *)values->pdata,
                           NULL);
}

VitConfig *
random_config(GRand *rand, unsigned max_items)
{
    VitConfig *config = vit_config_new();
    unsigned n = below(rand, max_items + 1);

    for (unsigned i = 0; i < n; i++)
        random_item(rand, config);
    return config;
}

/* ---- spellings ----------------------------------------------------------------------------- */

static void
append_separator(GRand *rand, GString *out)
{
    static const char *const separators[] = {
        " ", "  ", "\n", " \\\n  ", "\t", "\r\n", " ^\r\n", " # a comment\n", "\n\n# more\n  ",
    };

    g_string_append(out, separators[below(rand, VIT_ARRAY_LEN(separators))]);
}

static void
append_double_quoted(GString *out, const char *word)
{
    g_string_append_c(out, '"');
    for (; *word != '\0'; word++) {
        if (strchr("\"\\$`", *word) != NULL)
            g_string_append_c(out, '\\');
        g_string_append_c(out, *word);
    }
    g_string_append_c(out, '"');
}

static void
append_backslashed(GString *out, const char *word)
{
    for (const char *c = word; *c != '\0'; c++) {
        /* A backslash before a line end would join lines. */
        if (*c == '\n' || *c == '\r') {
            g_string_append_printf(out, "'%c'", *c);
            continue;
        }
        if (!g_ascii_isalnum(*c) && (unsigned char)*c < 0x80 && strchr("_-./:=,+", *c) == NULL)
            g_string_append_c(out, '\\');
        g_string_append_c(out, *c);
    }
}

static void
append_word(GRand *rand, GString *out, const char *word, bool is_first)
{
    unsigned style = below(rand, 3);
    g_autofree char *quoted = g_shell_quote(word);
    /* What looks like an option or a program says that it is none by its quotes. */
    bool special = word[0] == '-' || word[0] == '\0' || is_first;

    if (special || style == 0)
        g_string_append(out, quoted);
    else if (style == 1)
        append_double_quoted(out, word);
    else
        append_backslashed(out, word);
}

char *
random_spelling(GRand *rand, VitConfig *config)
{
    GString *out = g_string_new(NULL);

    if (below(rand, 3) == 0)
        g_string_append(out, "# a machine\nsudo X=1 qemu-system-x86_64");
    for (unsigned i = 0; i < vit_config_get_n_items(config); i++) {
        const VitConfigItem *item = vit_config_get_item(config, i);
        bool is_image = vit_config_item_get_item_type(item) == VIT_ITEM_IMAGE;
        g_autoptr(VitConfig) alone =
            vit_config_parse(vit_config_item_get_source(item), VIT_PARSE_ARGV, NULL);
        g_auto(GStrv) words = vit_config_to_argv(alone);

        for (unsigned w = 0; words[w] != NULL; w++) {
            if (out->len > 0)
                append_separator(rand, out);
            if (w == 0 && !is_image)
                g_string_append_printf(out, "%s%s", below(rand, 4) ? "" : "-", words[w]);
            else
                append_word(rand, out, words[w], is_image);
        }
    }
    if (below(rand, 2))
        append_separator(rand, out);
    return g_string_free(out, FALSE);
}
