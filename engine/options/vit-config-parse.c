/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* From words to option instances. Everything in the text ends up in an item, in what stands before
 * one, or in the tail, so that printing gives the same bytes back; what is not understood becomes
 * an item of its own. What an item says is not looked at here (vit-config-validate.c).
 * Forms read: the manual's command line, with its old spellings (bare and negated switches,
 * two dashes, JSON objects).
 * Thread: any; nothing here keeps state. */

#include <string.h>

#include "vit-config-private.h"
#include "vit-token.h"

enum { MAX_TEXT_BYTES = 16 * 1024 * 1024 };

typedef struct {
    const char *text;
    VitWords words;
    VitDiagList *diags;
    VitConfig *config;
    size_t done; /* bytes of text already in items */
} Parser;

/* ---- parameters ---------------------------------------------------------------------------- */

/* Place in the text of the bytes START..END of WORD, relative to the item at BASE. */
static void
to_range(const VitWord *word, size_t base, size_t start, size_t end, uint32_t *out_start,
         uint32_t *out_end)
{
    uint32_t first = word->map[MIN(start, word->len)];
    uint32_t last = end > start ? word->map[end - 1] + 1 : first;

    *out_start = first - (uint32_t)base;
    *out_end = last - (uint32_t)base;
}

static VitParam *
add_param(VitConfigItem *item, const VitWord *word, size_t base, const VitPart *part,
          VitParamStyle style)
{
    g_autofree char *key = vit_part_unescape(word->text + part->start, part->key_end - part->start);
    g_autofree char *value =
        vit_part_unescape(word->text + part->value_start, part->end - part->value_start);
    VitParam *param;

    switch (style) {
    case VIT_STYLE_IMPLIED:
        param = vit_config_item_add_param(item, item->option->implied, value);
        break;
    case VIT_STYLE_BARE: param = vit_config_item_add_param(item, key, "on"); break;
    case VIT_STYLE_NEGATED: param = vit_config_item_add_param(item, key + 2, "off"); break;
    case VIT_STYLE_SIGN:
        param = vit_config_item_add_param(item, key + 1, key[0] == '+' ? "on" : "off");
        break;
    default: param = vit_config_item_add_param(item, key, value); break;
    }
    param->style = (uint8_t)style;
    to_range(word, base, part->start, part->key_end, &param->key_start, &param->key_end);
    to_range(word, base, part->value_start, part->end, &param->value_start, &param->value_end);
    return param;
}

/* Whether NAME without its leading "no" is a switch, and with it is not. */
static bool
is_negated(const VitConfigItem *item, const char *name)
{
    const VitOptionVariant *variant = vit_config_item_get_variant(item);
    bool exact;

    if (!g_str_has_prefix(name, "no") || name[2] == '\0')
        return false;
    if (vit_option_find_key(item->option, variant, name, &exact) != NULL && exact)
        return false;
    const VitOptionKey *key = vit_option_find_key(item->option, variant, name + 2, &exact);
    return key != NULL && exact && key->type == VIT_VALUE_BOOL;
}

static VitParamStyle
style_of(const VitConfigItem *item, const VitWord *word, const VitPart *part, bool is_first)
{
    char first = word->text[part->start];

    if (part->has_value)
        return VIT_STYLE_KEY;
    if (is_first && item->option->implied != NULL)
        return VIT_STYLE_IMPLIED;
    if ((first == '+' || first == '-') && part->end > part->start + 1 &&
        strcmp(item->option->name, "cpu") == 0)
        return VIT_STYLE_SIGN;
    g_autofree char *name = vit_part_unescape(word->text + part->start, part->end - part->start);
    return is_negated(item, name) ? VIT_STYLE_NEGATED : VIT_STYLE_BARE;
}

static void
empty_part(Parser *parser, const VitWord *word, size_t at, bool is_last)
{
    size_t place = word->map[MIN(at, word->len)];

    if (is_last)
        vit_diag_list_add(parser->diags, place > 0 ? place - 1 : place, place, VIT_SEVERITY_WARNING,
                          VIT_ERROR_INVALID_ARGUMENT, 0, NULL, NULL,
                          "nothing follows the last comma");
    else
        vit_diag_list_add(parser->diags, place, place + 1, VIT_SEVERITY_WARNING,
                          VIT_ERROR_INVALID_ARGUMENT, 0,
                          "write a comma that belongs to a value twice", NULL,
                          "nothing stands before this comma");
}

static void
read_keys(Parser *parser, VitConfigItem *item, const VitWord *word, size_t base)
{
    VitPart part;
    size_t at = 0;
    bool is_first = true;

    while (vit_part_next(word->text, word->len, &at, &part)) {
        bool is_last = at > word->len;

        if (part.start == part.end) {
            empty_part(parser, word, part.start, is_last);
        } else if (part.has_value && part.key_end == part.start) {
            uint32_t start, end;

            to_range(word, 0, part.start, part.end, &start, &end);
            vit_diag_list_add(parser->diags, start, end, VIT_SEVERITY_ERROR,
                              VIT_ERROR_INVALID_ARGUMENT, 0, NULL, NULL,
                              "a key is missing before the '='");
            add_param(item, word, base, &part, VIT_STYLE_KEY);
        } else {
            add_param(item, word, base, &part, style_of(item, word, &part, is_first));
        }
        is_first = false;
    }
}

/* A part of -global's or -set's argument that stands between dots. */
static void
add_dotted(VitConfigItem *item, const char *key, const VitWord *word, size_t base, size_t start,
           size_t end)
{
    g_autofree char *value = g_strndup(word->text + start, end - start);
    VitParam *param = vit_config_item_add_param(item, key, value);

    param->style = VIT_STYLE_DOTS;
    to_range(word, base, start, end, &param->value_start, &param->value_end);
    param->key_start = param->value_start;
    param->key_end = param->value_end;
}

/* -global DRIVER.PROP=VALUE: the last dot before the '=' counts, as drivers may have dots in their
 * names and properties have none. False when it is not of that form. */
static bool
read_global(VitConfigItem *item, const VitWord *word, size_t base)
{
    const char *equals = memchr(word->text, '=', word->len);
    const char *dot = equals ? memrchr(word->text, '.', (size_t)(equals - word->text)) : NULL;

    if (dot == NULL || dot == word->text || dot + 1 == equals)
        return false;
    size_t dot_at = (size_t)(dot - word->text), equals_at = (size_t)(equals - word->text);
    add_dotted(item, "driver", word, base, 0, dot_at);
    add_dotted(item, "property", word, base, dot_at + 1, equals_at);
    add_dotted(item, "value", word, base, equals_at + 1, word->len);
    return true;
}

/* -set GROUP.ID.ARG=VALUE: the first two dots count. */
static bool
read_set(VitConfigItem *item, const VitWord *word, size_t base)
{
    const char *equals = memchr(word->text, '=', word->len);
    const char *dot = equals ? memchr(word->text, '.', (size_t)(equals - word->text)) : NULL;
    const char *dot2 = dot ? memchr(dot + 1, '.', (size_t)(equals - dot - 1)) : NULL;

    if (dot2 == NULL || dot == word->text || dot2 == dot + 1 || dot2 + 1 == equals)
        return false;
    size_t a = (size_t)(dot - word->text), b = (size_t)(dot2 - word->text),
           c = (size_t)(equals - word->text);
    add_dotted(item, "group", word, base, 0, a);
    add_dotted(item, "id", word, base, a + 1, b);
    add_dotted(item, "arg", word, base, b + 1, c);
    add_dotted(item, "value", word, base, c + 1, word->len);
    return true;
}

static void
read_json(VitConfigItem *item, const VitWord *word, size_t base)
{
    size_t at = 0;
    const char *message = NULL;
    g_autoptr(GArray) leaves = vit_json_flatten(word->text, word->len, &at, &message);

    item->is_json = true;
    if (leaves == NULL) {
        item->type = VIT_ITEM_UNKNOWN;
        return;
    }
    for (unsigned i = 0; i < leaves->len; i++) {
        const VitJsonLeaf *leaf = &g_array_index(leaves, VitJsonLeaf, i);
        VitParam *param = vit_config_item_add_param(item, leaf->key, leaf->value);

        param->style = VIT_STYLE_JSON;
        param->json_type = (uint8_t)leaf->type;
        to_range(word, base, leaf->key_start, leaf->key_end, &param->key_start, &param->key_end);
        to_range(word, base, leaf->start, leaf->end, &param->value_start, &param->value_end);
    }
}

static void
read_argument(Parser *parser, VitConfigItem *item, const VitWord *word, size_t base)
{
    const VitOption *option = item->option;

    if (option->syntax != VIT_SYNTAX_KEYS) {
        VitParam *param = vit_config_item_add_param(item, "value", word->text);

        param->style = VIT_STYLE_PLAIN;
        to_range(word, base, 0, word->len, &param->value_start, &param->value_end);
        if (word->len == 0)
            param->value_end = (uint32_t)(word->end - base);
        param->key_start = param->value_start;
        param->key_end = param->value_end;
        return;
    }
    if ((option->flags & VIT_OPT_JSON) && word->text[0] == '{') {
        read_json(item, word, base);
        return;
    }
    bool is_dotted = (strcmp(option->name, "global") == 0 && read_global(item, word, base)) ||
                     (strcmp(option->name, "set") == 0 && read_set(item, word, base));
    if (!is_dotted)
        read_keys(parser, item, word, base);
}

/* ---- items --------------------------------------------------------------------------------- */

static void
finish_item(Parser *parser, VitConfigItem *item, const VitWord *first, size_t end)
{
    item->lead = g_strndup(parser->text + parser->done, first->start - parser->done);
    item->source = g_strndup(parser->text + first->start, end - first->start);
    if (item->word_end == 0)
        item->word_end = (uint32_t)(first->end - first->start);
    if (item->type == VIT_ITEM_UNKNOWN) {
        /* Whatever was read of it so far is not to be used. */
        g_array_set_size(item->params, 0);
        VitParam *param = vit_config_item_add_param(item, "text", item->source);
        param->value_end = (uint32_t)strlen(item->source);
        item->is_json = false;
    }
    parser->done = end;
    vit_config_append(parser->config, item);
}

static const VitOption *
option_of(const VitWord *word)
{
    if (word->text[0] != '-' || word->text[1] == '\0')
        return NULL;
    return vit_option_find(word->text + (word->text[1] == '-' ? 2 : 1));
}

static int
next_word(const Parser *parser, unsigned index)
{
    for (unsigned i = index + 1; i < parser->words.n_words; i++)
        if (!parser->words.words[i].is_skipped)
            return (int)i;
    return -1;
}

/* Whether WORD is meant as OPTION's argument rather than as the next option. */
static bool
is_argument(const VitOption *option, const VitWord *word)
{
    const VitOptionKey *key = vit_option_plain_key(option);

    if (word->is_quoted || option_of(word) == NULL)
        return true;
    return option->syntax == VIT_SYNTAX_VALUE && key != NULL && key->type == VIT_VALUE_STRING;
}

static unsigned
read_known(Parser *parser, unsigned index, const VitOption *option)
{
    VitWord *word = &parser->words.words[index];
    VitConfigItem *item = vit_config_item_alloc(VIT_ITEM_OPTION, option->name, option);
    int next = next_word(parser, index);

    if (option->syntax == VIT_SYNTAX_FLAG) {
        finish_item(parser, item, word, word->end);
        return index;
    }
    if (next < 0 || !is_argument(option, &parser->words.words[next])) {
        item->type = VIT_ITEM_UNKNOWN;
        finish_item(parser, item, word, word->end);
        return index;
    }
    VitWord *argument = &parser->words.words[next];
    read_argument(parser, item, argument, word->start);
    finish_item(parser, item, word, argument->end);
    return (unsigned)next;
}

static unsigned
read_unknown(Parser *parser, unsigned index)
{
    VitWord *word = &parser->words.words[index];
    const char *name = word->text + (word->text[1] == '-' ? 2 : 1);
    VitConfigItem *item = vit_config_item_alloc(VIT_ITEM_UNKNOWN, name, NULL);
    int next = next_word(parser, index);
    size_t end = word->end;
    unsigned last = index;

    if (next >= 0 && parser->words.words[next].text[0] != '-') {
        end = parser->words.words[next].end;
        last = (unsigned)next;
    }
    finish_item(parser, item, word, end);
    return last;
}

static void
read_image(Parser *parser, unsigned index)
{
    VitWord *word = &parser->words.words[index];
    VitConfigItem *item = vit_config_item_alloc(VIT_ITEM_IMAGE, "image", NULL);
    VitParam *param = vit_config_item_add_param(item, "file", word->text);

    param->style = VIT_STYLE_PLAIN;
    param->value_end = (uint32_t)(word->end - word->start);
    param->key_end = param->value_end;
    if (word->len == 0)
        vit_diag_list_add(parser->diags, word->start, word->end, VIT_SEVERITY_ERROR,
                          VIT_ERROR_INVALID_ARGUMENT, 0, NULL, NULL,
                          "an empty word is no disk image");
    finish_item(parser, item, word, word->end);
}

static void
parse_words(Parser *parser)
{
    for (unsigned i = 0; i < parser->words.n_words; i++) {
        VitWord *word = &parser->words.words[i];
        const VitOption *option = option_of(word);

        if (word->is_skipped)
            continue;
        if (option != NULL)
            i = read_known(parser, i, option);
        else if (word->text[0] == '-' && word->text[1] != '\0')
            i = read_unknown(parser, i);
        else
            read_image(parser, i);
    }
}

VitConfig *
vit_config_parse(const char *text, VitParseFlags flags, VitDiagList *diags)
{
    VitConfig *config = vit_config_new();
    Parser parser = { .text = text, .diags = diags, .config = config };
    size_t len = strlen(text);

    if (len > MAX_TEXT_BYTES) {
        vit_diag_list_add(diags, 0, 0, VIT_SEVERITY_ERROR, VIT_ERROR_INVALID_ARGUMENT, 0, NULL,
                          NULL, "the text is longer than 16 MiB and was not read");
        return config;
    }
    vit_words_init(&parser.words, text, len, flags, diags);
    parse_words(&parser);
    vit_words_finish(&parser.words);
    g_free(config->tail);
    config->tail = g_strdup(text + parser.done);
    return config;
}

VitConfig *
vit_config_parse_argv(int argc, const char *const *argv, VitDiagList *diags)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (int i = 0; i < argc; i++) {
        if (i > 0)
            g_string_append_c(text, ' ');
        if (i == 0)
            vit_quote_first_word(text, argv[i]);
        else
            vit_quote_word(text, argv[i]);
    }
    return vit_config_parse(text->str, VIT_PARSE_ARGV, diags);
}

VitConfigItem *
vit_config_item_parse(const char *text)
{
    g_autoptr(VitDiagList) diags = vit_diag_list_new();
    g_autoptr(VitConfig) config = vit_config_parse(text, VIT_PARSE_ARGV, diags);

    if (config->items->len != 1 || config->tail[0] != '\0')
        return NULL;
    VitConfigItem *item = g_ptr_array_index(config->items, 0);
    if (item->lead[0] != '\0')
        return NULL;
    return vit_config_item_ref(item);
}
