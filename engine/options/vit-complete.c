/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Completion of an argument text. The words before the place tell whether an option is expected or
 * the argument of one; within an argument the comma parts tell key from value. Names come from the
 * schema, the registry and the text itself (ids). What begins with the typed text comes first,
 * then what contains it; what this version does not have comes last. Thread: any. */

#include "vit-complete.h"

#include <string.h>

#include "vit-option-private.h"
#include "vit-token.h"
#include "vit-types.h"

typedef struct {
    const char *text;
    size_t at;
    const VitKindRegistry *registry;
    VitConfig *config; /* of the whole text, for ids; made when needed */
    VitCompletions *out;
    GArray *found; /* VitCompletion */
    bool contains; /* this round offers what contains the typed text */
} Search;

/* ---- offering ------------------------------------------------------------------------------- */

static bool
fits(const Search *search, const char *name)
{
    size_t len = strlen(search->out->typed);
    bool begins = g_ascii_strncasecmp(name, search->out->typed, len) == 0;

    if (!search->contains)
        return begins;
    g_autofree char *a = g_ascii_strdown(name, -1), *b = g_ascii_strdown(search->out->typed, -1);
    return !begins && len > 1 && strstr(a, b) != NULL;
}

static void
offer(Search *search, const char *name, const char *suffix, const char *help, VitStatus status)
{
    if (!fits(search, name))
        return;
    for (unsigned i = 0; i < search->found->len; i++)
        if (strcmp(g_array_index(search->found, VitCompletion, i).label, name) == 0)
            return;
    g_autofree char *spelt = vit_completions_spell(search->out, name);
    VitCompletion completion = {
        .text = g_strconcat(spelt, suffix, NULL),
        .label = g_strdup(name),
        .help = g_intern_string(help),
        .status = status == VIT_STATUS_INHERIT ? VIT_STATUS_AVAILABLE : status,
        .goes_on = suffix[0] != '\0',
    };
    g_array_append_val(search->found, completion);
}

/* ---- values --------------------------------------------------------------------------------- */

static void
offer_ids(Search *search, const char *refs, const char *prefix)
{
    if (search->config == NULL)
        search->config = vit_config_parse(search->text, VIT_PARSE_DEFAULT, NULL);
    for (unsigned i = 0; i < vit_config_get_n_items(search->config); i++) {
        VitConfigItem *item = vit_config_get_item(search->config, i);
        const char *name = vit_config_item_get_name(item), *id = vit_config_item_get_id(item);

        if (id == NULL || !vit_word_in_list(refs, name, strlen(name), '|'))
            continue;
        g_autofree char *full = g_strconcat(prefix, id, NULL);
        offer(search, full, "", VIT_N_("Id of another part of the machine"), VIT_STATUS_AVAILABLE);
    }
}

static void
offer_value(Search *search, const VitOptionKey *key)
{
    switch (key->type) {
    case VIT_VALUE_BOOL:
        offer(search, "on", "", NULL, VIT_STATUS_AVAILABLE);
        offer(search, "off", "", NULL, VIT_STATUS_AVAILABLE);
        break;
    case VIT_VALUE_ENUM:
        for (const VitOptionValue *v = key->values; v != NULL && v->name != NULL; v++)
            offer(search, v->name, "", v->help, v->status);
        break;
    case VIT_VALUE_ID:
        if (key->ref != NULL)
            offer_ids(search, key->ref, "");
        break;
    case VIT_VALUE_PATH: search->out->role = key->role; break;
    default: break;
    }
}

static void
on_kind(const VitKindInfo *info, void *data)
{
    if (!info->internal)
        offer(data, info->name, "", info->title, VIT_STATUS_AVAILABLE);
}

static void
on_feature(const VitKindInfo *info, void *data)
{
    offer(data, info->name, "=", info->title, VIT_STATUS_AVAILABLE);
}

static VitKindClass
class_of(const VitOption *option)
{
    const char *name = option->kind_class;

    return name == NULL                  ? VIT_KIND_ACCEL
           : strcmp(name, "cpu") == 0    ? VIT_KIND_CPU
           : strcmp(name, "device") == 0 ? VIT_KIND_DEVICE
                                         : VIT_KIND_MACHINE;
}

static bool
has_kinds(const Search *search, const VitOption *option)
{
    return search->registry != NULL &&
           (option->kind_class != NULL || strcmp(option->name, "accel") == 0);
}

static bool
is_selector(const VitOption *option, const char *key)
{
    const char *selector = vit_option_variant_key(option);

    return selector != NULL && strcmp(selector, key) == 0 &&
           (option->variants != NULL || option->kind_class != NULL);
}

static void
offer_selector(Search *search, const VitOption *option)
{
    if (has_kinds(search, option))
        search->registry->list(search->registry->data, class_of(option), on_kind, search);
    for (const VitOptionVariant *v = option->variants; v != NULL && v->name != NULL; v++)
        offer(search, v->name, "", v->help, v->status);
}

/* ---- parts of an argument ------------------------------------------------------------------- */

typedef struct {
    Search *search;
    const char *given; /* the argument so far, to leave out what it has */
    const char *wanted;
} Props;

static bool
is_given(const char *argument, const char *key)
{
    g_autofree char *needle = g_strdup_printf("%s=", key);
    size_t at = 0, len = strlen(argument);
    VitPart part;

    while (vit_part_next(argument, len, &at, &part))
        if (part.has_value && strncmp(argument + part.start, needle, strlen(needle)) == 0)
            return true;
    return false;
}

static void
offer_key(Search *search, const VitOptionKey *key, const char *argument)
{
    if (!is_given(argument, key->name) || key->flags & VIT_OPT_REPEATS)
        offer(search, key->name, "=", key->help, key->status);
}

static void
on_prop_name(const VitOptionKey *prop, void *data)
{
    Props *props = data;

    offer_key(props->search, prop, props->given);
}

static void
on_prop_value(const VitOptionKey *prop, void *data)
{
    Props *props = data;

    if (strcmp(prop->name, props->wanted) == 0)
        offer_value(props->search, prop);
}

/* The value of the key that selects, from an argument that may not be finished. Ownership: caller.
 */
static char *
kind_in(const VitOption *option, const char *argument)
{
    const char *selector = vit_option_variant_key(option);
    size_t at = 0, len = strlen(argument);
    VitPart part;

    for (unsigned n = 0; selector != NULL && vit_part_next(argument, len, &at, &part); n++) {
        if (part.has_value && part.key_end - part.start == strlen(selector) &&
            strncmp(argument + part.start, selector, part.key_end - part.start) == 0)
            return g_strndup(argument + part.value_start, part.end - part.value_start);
        if (n == 0 && !part.has_value && option->implied != NULL &&
            strcmp(option->implied, selector) == 0 && part.end < len)
            return g_strndup(argument + part.start, part.end - part.start);
    }
    return NULL;
}

static void
offer_keys(Search *search, const VitOption *option, const char *kind, const char *argument)
{
    const VitOptionVariant *variant = kind ? vit_option_find_variant(option, kind) : NULL;
    Props props = { search, argument, NULL };

    for (const VitOptionKey *key = option->keys; key != NULL && key->name != NULL; key++)
        offer_key(search, key, argument);
    for (const VitOptionKey *key = variant ? variant->keys : NULL; key && key->name != NULL; key++)
        offer_key(search, key, argument);
    if (!has_kinds(search, option))
        return;
    if (class_of(option) == VIT_KIND_CPU)
        search->registry->list(search->registry->data, VIT_KIND_CPU_FEATURE, on_feature, search);
    else if (kind != NULL)
        search->registry->list_props(search->registry->data, class_of(option), kind, on_prop_name,
                                     &props);
}

static void
offer_key_value(Search *search, const VitOption *option, const char *kind, const char *name)
{
    const VitOptionVariant *variant = kind ? vit_option_find_variant(option, kind) : NULL;
    const VitOptionKey *key = vit_option_find_key(option, variant, name, NULL);
    Props props = { search, NULL, name };

    if (is_selector(option, name))
        offer_selector(search, option);
    else if (key != NULL)
        offer_value(search, key);
    else if (has_kinds(search, option) && class_of(option) == VIT_KIND_CPU)
        offer_value(search, &(VitOptionKey){ .type = VIT_VALUE_BOOL });
    else if (has_kinds(search, option) && kind != NULL)
        search->registry->list_props(search->registry->data, class_of(option), kind, on_prop_value,
                                     &props);
}

/* What the host side of a port can be; each is a backend of -chardev or a form of its own. */
static void
offer_ports(Search *search)
{
    static const struct {
        const char *form, *help;
    } forms[] = {
        { "stdio", VIT_N_("Standard input and output of the program") },
        { "mon:stdio", VIT_N_("The same, shared with the monitor") },
        { "null", VIT_N_("Nothing: output is thrown away") },
        { "none", VIT_N_("No such port") },
        { "vc", VIT_N_("A page of the machine's window") },
        { "pty", VIT_N_("A new pseudo terminal") },
        { "file:", VIT_N_("Output into a file") },
        { "pipe:", VIT_N_("A pair of named pipes") },
        { "tcp:", VIT_N_("TCP: HOST:PORT,server=on") },
        { "telnet:", VIT_N_("TELNET: HOST:PORT,server=on") },
        { "udp:", VIT_N_("UDP: HOST:PORT") },
        { "unix:", VIT_N_("Unix socket: PATH,server=on") },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(forms); i++)
        offer(search, forms[i].form, "", forms[i].help, VIT_STATUS_AVAILABLE);
    offer_ids(search, "chardev", "chardev:");
}

/* Leaves of the typed word only what stands behind OFFSET. */
static void
narrow(Search *search, const VitWord *word, size_t offset)
{
    VitCompletions *out = search->out;

    out->start = word != NULL ? word->map[offset] : search->at;
    g_free(out->typed);
    out->typed =
        word != NULL ? vit_part_unescape(word->text + offset, word->len - offset) : g_strdup("");
}

static void
complete_keys(Search *search, const VitOption *option, const VitWord *word)
{
    const char *argument = word != NULL ? word->text : "";
    size_t at = 0, len = strlen(argument);
    VitPart part, last = { 0 };
    unsigned n = 0;

    search->out->in_parts = true;
    for (; vit_part_next(argument, len, &at, &part); n++)
        last = part;
    g_autofree char *kind = kind_in(option, argument);
    if (last.has_value) {
        g_autofree char *name = g_strndup(argument + last.start, last.key_end - last.start);
        narrow(search, word, last.value_start);
        offer_key_value(search, option, kind, name);
        return;
    }
    bool has_sign = option->kind_class != NULL && class_of(option) == VIT_KIND_CPU && n > 1 &&
                    (argument[last.start] == '+' || argument[last.start] == '-');
    narrow(search, word, last.start + has_sign);
    if (n <= 1 && option->implied != NULL)
        offer_key_value(search, option, kind, option->implied);
    offer_keys(search, option, kind, argument);
}

static void
complete_argument(Search *search, const VitOption *option, const VitWord *word)
{
    const VitOptionKey *key = option->keys;
    const char *comma;

    switch (option->syntax) {
    case VIT_SYNTAX_FLAG: break;
    case VIT_SYNTAX_KEYS: complete_keys(search, option, word); break;
    case VIT_SYNTAX_LIST:
        comma = word != NULL ? strrchr(word->text, ',') : NULL;
        narrow(search, word, comma != NULL ? (size_t)(comma + 1 - word->text) : 0);
        offer_value(search, key);
        break;
    case VIT_SYNTAX_DEV:
        narrow(search, word, 0);
        offer_ports(search);
        break;
    case VIT_SYNTAX_VALUE:
        narrow(search, word, 0);
        if (is_selector(option, key->name))
            offer_selector(search, option);
        offer_value(search, key);
        break;
    }
}

/* ---- options -------------------------------------------------------------------------------- */

static void
complete_option(Search *search, const VitWord *word)
{
    const VitOption *option;
    const char *dashes = word != NULL && g_str_has_prefix(word->text, "--") ? "--" : "-";

    narrow(search, word, 0);
    if (word == NULL || word->text[0] != '-')
        search->out->role = VIT_PATH_IMAGE;
    for (unsigned i = 0; (option = vit_option_nth(i)) != NULL; i++) {
        g_autofree char *name = g_strconcat(dashes, option->name, NULL);
        VitStatus status =
            option->status == VIT_STATUS_INHERIT ? VIT_STATUS_NOT_YET : option->status;

        if (status <= VIT_STATUS_NOT_YET || status == VIT_STATUS_NEEDS_HARDWARE)
            offer(search, name, "", option->help, status);
    }
}

/* The option that the word at the place is the argument of; NULL when it is an option itself.
 * *out_word is that word, NULL when nothing of it is there yet. */
static const VitOption *
find_context(const Search *search, const VitWords *words, const VitWord **out_word)
{
    const VitOption *owner = NULL;

    *out_word = NULL;
    for (unsigned i = 0; i < words->n_words; i++) {
        const VitWord *word = &words->words[i];
        bool is_last = word->end >= search->at;

        if (word->is_skipped)
            continue;
        if (is_last) {
            *out_word = word;
            return owner;
        }
        if (owner != NULL) {
            owner = NULL;
        } else if (word->text[0] == '-' && !word->is_quoted) {
            const VitOption *option = vit_option_find(word->text + (word->text[1] == '-' ? 2 : 1));

            owner = option != NULL && option->syntax != VIT_SYNTAX_FLAG ? option : NULL;
        }
    }
    return owner;
}

static int
compare(const void *a, const void *b, void *data)
{
    const VitCompletion *one = a, *two = b;

    return (one->status == VIT_STATUS_NOT_YET) - (two->status == VIT_STATUS_NOT_YET);
}

VitCompletions *
vit_complete(const char *text, size_t at, const VitKindRegistry *registry)
{
    g_autoptr(VitDiagList) diags = vit_diag_list_new();
    VitCompletions *out = g_new0(VitCompletions, 1);
    Search search = { .text = text, .registry = registry, .out = out };
    const VitWord *word;
    VitWords words;

    search.at = MIN(at, strlen(text));
    search.found = g_array_new(FALSE, FALSE, sizeof(VitCompletion));
    vit_words_init(&words, text, search.at, VIT_PARSE_DEFAULT, diags);
    const VitOption *owner = find_context(&search, &words, &word);
    for (unsigned i = 0; word != NULL && i < vit_diag_list_get_n(diags); i++) {
        const VitDiag *diag = vit_diag_list_get(diags, i);

        if (diag->start >= word->start && strchr("'\"", text[diag->start]) != NULL &&
            diag->severity == VIT_SEVERITY_ERROR)
            out->quote = text[diag->start];
    }
    out->end = search.at;
    out->typed = g_strdup("");
    for (unsigned round = 0; round < 2; round++) {
        search.contains = round == 1;
        if (owner != NULL && (word == NULL || word->text[0] != '-' || word->is_quoted))
            complete_argument(&search, owner, word);
        else
            complete_option(&search, word);
    }
    out->n_items = search.found->len;
    out->items = (VitCompletion *)(void *)g_array_free(search.found, FALSE);
    if (out->n_items > 0)
        g_qsort_with_data(out->items, (int)out->n_items, sizeof(VitCompletion), compare, NULL);
    vit_words_finish(&words);
    g_clear_object(&search.config);
    return out;
}

char *
vit_completions_spell(const VitCompletions *completions, const char *value)
{
    static const char plain[] = "_@%+=:,./-~";
    GString *escaped = g_string_new(NULL), *out;

    if (completions->in_parts)
        vit_part_escape(escaped, value);
    else
        g_string_append(escaped, value);
    out = g_string_sized_new(escaped->len);
    for (const char *c = escaped->str; *c != '\0'; c++) {
        bool is_plain = g_ascii_isalnum(*c) || strchr(plain, *c) != NULL || (*c & 0x80) != 0;

        if (completions->quote == '\'' && *c == '\'')
            g_string_append(out, "'\\'");
        else if (completions->quote == '"' ? strchr("\"\\$`", *c) != NULL
                                           : completions->quote == 0 && !is_plain)
            g_string_append_c(out, '\\');
        g_string_append_c(out, *c);
    }
    g_string_free(escaped, TRUE);
    return g_string_free(out, FALSE);
}

void
vit_completions_free(VitCompletions *completions)
{
    if (completions == NULL)
        return;
    for (unsigned i = 0; i < completions->n_items; i++) {
        g_free(completions->items[i].text);
        g_free(completions->items[i].label);
    }
    g_free(completions->items);
    g_free(completions->typed);
    g_free(completions);
}
