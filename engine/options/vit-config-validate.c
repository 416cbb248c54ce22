/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The first check of a configuration: everything that can be told from the schema, the registry of
 * kinds and the configuration itself. All mistakes are found in one pass, each with its place, and
 * where a name is only mistyped, with the name that was meant. No file is opened.
 * Thread: the one that owns the configuration. */

#include <string.h>

#include "vit-chardev-spec.h"
#include "vit-check-private.h"
#include "vit-token.h"
#include "vit-types.h"

/* ---- telling ------------------------------------------------------------------------------- */

VitRange
vit_check_whole(const VitChecker *checker)
{
    return (VitRange){ 0, checker->item->word_end };
}

VitRange
vit_check_key_range(const VitChecker *checker, unsigned param)
{
    VitRange range;

    vit_config_item_get_key_range(checker->item, (int)param, &range.start, &range.end);
    return range;
}

VitRange
vit_check_value_range(const VitChecker *checker, unsigned param)
{
    VitRange range;

    vit_config_item_get_value_range(checker->item, (int)param, &range.start, &range.end);
    return range;
}

/* The bytes START..END of a value, if it is written without quotes and doubled commas; otherwise
 * all of it. */
VitRange
vit_check_part_range(const VitChecker *checker, unsigned param, size_t start, size_t end)
{
    const VitParam *p = vit_config_item_param(checker->item, param);
    VitRange range = vit_check_value_range(checker, param);

    if (p->value_end - p->value_start != strlen(p->value) || start >= end)
        return range;
    return (VitRange){ p->value_start + start, p->value_start + end };
}

void
vit_check_tell(VitChecker *checker, VitRange range, VitSeverity severity, VitError code,
               const char *fix, const char *replacement, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    vit_diag_list_add(checker->diags, checker->base + range.start, checker->base + range.end,
                      severity, code, checker->item->serial, fix, replacement, "%s", message);
}

char *
vit_check_did_you_mean(const char *nearest)
{
    return nearest != NULL ? g_strdup_printf("did you mean '%s'?", nearest) : NULL;
}

/* Tells of a status that rules something out; WHAT is what the user wrote. False if it does. */
bool
vit_check_status(VitChecker *checker, VitRange range, VitStatus status, const char *reason,
                 const char *what)
{
    switch (status) {
    case VIT_STATUS_INHERIT:
    case VIT_STATUS_AVAILABLE:
    case VIT_STATUS_NEEDS_HARDWARE: return true;
    case VIT_STATUS_NOT_YET:
        vit_check_tell(checker, range, VIT_SEVERITY_ERROR, VIT_ERROR_NOT_AVAILABLE_YET, NULL, NULL,
                       "not available yet: %s%s%s%s", what, reason ? " (" : "",
                       reason ? reason : "", reason ? ")" : "");
        return false;
    default:
        vit_check_tell(checker, range, VIT_SEVERITY_ERROR, vit_status_error(status), NULL, NULL,
                       "%s: %s", what, reason ? reason : "not possible here");
        return false;
    }
}

/* ---- plain arguments ------------------------------------------------------------------------ */

static void
check_list(VitChecker *checker)
{
    const VitConfigItem *item = checker->item;
    const VitOptionKey *key = vit_option_plain_key(item->option);
    g_auto(GStrv) words = g_strsplit(vit_config_item_param(item, 0)->value, ",", -1);
    g_autofree char *what = g_strdup_printf("-%s", item->option->name);
    size_t at = 0;

    for (unsigned i = 0; words[i] != NULL; at += strlen(words[i]) + 1, i++) {
        VitRange range = vit_check_part_range(checker, 0, at, at + strlen(words[i]));

        if (strcmp(item->option->name, "d") != 0 || !g_str_has_prefix(words[i], "trace:"))
            vit_check_value(checker, key, words[i], range, what);
    }
}

static void
check_device_word(VitChecker *checker)
{
    const VitConfigItem *item = checker->item;
    const VitOption *chardev = vit_option_find("chardev");
    const char *text = vit_config_item_param(item, 0)->value;
    g_autoptr(GError) error = NULL;
    VitChardevSpec spec;
    size_t start, end;

    if (!vit_chardev_spec_init(&spec, text, &start, &end, &error)) {
        vit_check_tell(checker, vit_check_part_range(checker, 0, start, end), VIT_SEVERITY_ERROR,
                       (VitError)error->code, NULL, NULL, "-%s: %s", item->option->name,
                       error->message);
        return;
    }
    const VitOptionVariant *variant =
        spec.backend != NULL ? vit_option_find_variant(chardev, spec.backend) : NULL;
    if (spec.chardev_id != NULL) {
        VitOptionKey key = { .ref = "chardev" };
        g_autofree char *what = g_strdup_printf("-%s", item->option->name);

        size_t len = strlen(text);
        vit_check_reference(checker, &key, spec.chardev_id,
                            vit_check_part_range(checker, 0, len - strlen(spec.chardev_id), len),
                            what);
    } else if (variant != NULL) {
        g_autofree char *what = g_strdup_printf("-%s %s", item->option->name, text);

        if (vit_check_status(checker, vit_check_value_range(checker, 0), variant->status,
                             variant->reason, what))
            for (unsigned i = 0; i < spec.params->len; i++) {
                const VitChardevParam *p = &g_array_index(spec.params, VitChardevParam, i);
                const VitOptionKey *key = vit_option_find_key(chardev, variant, p->key, NULL);
                VitRange range = vit_check_part_range(checker, 0, p->start, p->end);
                g_autofree char *part = g_strdup_printf("-%s %s", item->option->name, p->key);

                if (key == NULL ||
                    (key->status == VIT_STATUS_NOT_YET && vit_check_is_default(key, p->value)))
                    continue;
                if (vit_check_status(checker, range, key->status, key->reason, part))
                    vit_check_value(checker, key, p->value, range, part);
            }
    }
    vit_chardev_spec_finish(&spec);
}

static void
check_plain(VitChecker *checker)
{
    const VitConfigItem *item = checker->item;
    const VitOptionKey *key = vit_option_plain_key(item->option);
    const VitParam *p = vit_config_item_param(item, 0);
    g_autofree char *what = g_strdup_printf("-%s", item->option->name);

    vit_check_value(checker, key, p->value, vit_check_value_range(checker, 0), what);
    if (key->type == VIT_VALUE_ID)
        vit_check_reference(checker, key, p->value, vit_check_value_range(checker, 0), what);
}

/* ---- items ---------------------------------------------------------------------------------- */

/* Of an option that is not there yet: whether what it asks for can ever be there. */
static bool
check_possible(VitChecker *checker)
{
    const VitConfigItem *item = checker->item;
    const VitOptionVariant *variant = vit_config_item_get_variant(item);
    const VitOptionKey *plain = vit_option_plain_key(item->option);
    const VitOptionValue *value =
        item->option->syntax == VIT_SYNTAX_VALUE && plain != NULL
            ? vit_option_find_value(plain, vit_config_item_get(item, "value"))
            : NULL;
    VitStatus status = variant != NULL ? variant->status : value != NULL ? value->status : 0;
    const char *reason = variant != NULL ? variant->reason : value != NULL ? value->reason : NULL;
    g_autofree char *what = g_strdup_printf("-%s", item->option->name);

    if (status <= VIT_STATUS_NOT_YET || status == VIT_STATUS_NEEDS_HARDWARE)
        return true;
    return vit_check_status(checker, vit_check_whole(checker), status, reason, what);
}

static void
check_option(VitChecker *checker)
{
    const VitConfigItem *item = checker->item;
    const VitOption *option = item->option;
    g_autofree char *what = g_strdup_printf("-%s", option->name);

    if (vit_check_asks_for_help(item))
        return;
    VitStatus status = option->status == VIT_STATUS_INHERIT ? VIT_STATUS_NOT_YET : option->status;
    if (status == VIT_STATUS_NOT_YET && !check_possible(checker))
        return;
    if (!vit_check_status(checker, vit_check_whole(checker), status, option->reason, what))
        return;
    if (option->flags & VIT_OPT_DEPRECATED)
        vit_check_tell(checker, vit_check_whole(checker), VIT_SEVERITY_WARNING,
                       VIT_ERROR_INVALID_ARGUMENT, NULL, NULL,
                       "%s is an old option and may go away", what);
    switch (option->syntax) {
    case VIT_SYNTAX_FLAG: break;
    case VIT_SYNTAX_KEYS: vit_check_keys(checker); break;
    case VIT_SYNTAX_LIST: check_list(checker); break;
    case VIT_SYNTAX_DEV: check_device_word(checker); break;
    case VIT_SYNTAX_VALUE: check_plain(checker); break;
    }
}

static void
check_unknown(VitChecker *checker)
{
    const VitConfigItem *item = checker->item;
    VitWords words;

    vit_words_init(&words, item->source, strlen(item->source), VIT_PARSE_FRAGMENT, NULL);
    const char *word = words.n_words > 0 ? words.words[0].text : item->source;
    const char *name = word[0] != '-' ? word : word + (word[1] == '-' ? 2 : 1);
    const VitOption *option = vit_option_find(name);
    const char *nearest = vit_option_nearest(name);
    g_autofree char *replacement = nearest ? g_strdup_printf("-%s", nearest) : NULL;
    g_autofree char *fix = replacement ? vit_check_did_you_mean(replacement) : NULL;

    if (option == NULL) {
        VIT_CHECK_BAD(checker, vit_check_whole(checker),
                      fix ? fix : "-help lists the options there are", replacement,
                      "there is no option -%s", name);
    } else if (words.n_words < 2) {
        g_autofree char *form =
            g_strdup_printf("-%s %s", option->name, option->metavar ? option->metavar : "");
        VIT_CHECK_BAD(checker, vit_check_whole(checker), form, NULL, "-%s needs an argument",
                      option->name);
    } else {
        const VitWord *argument = &words.words[1];
        const char *message = "it is not understood";
        size_t at = 0;
        GArray *leaves = vit_json_flatten(argument->text, argument->len, &at, &message);

        g_clear_pointer(&leaves, g_array_unref);
        size_t place = MIN(argument->map[MIN(at, argument->len)], argument->end - 1);

        VIT_CHECK_BAD(checker, ((VitRange){ place, place + 1 }), NULL, NULL,
                      "the JSON object of -%s cannot be read: %s", option->name, message);
    }
    vit_words_finish(&words);
}

static bool
is_wellformed_id(const char *id)
{
    if (!g_ascii_isalpha(id[0]))
        return false;
    for (const char *c = id; *c != '\0'; c++)
        if (!g_ascii_isalnum(*c) && strchr("-._", *c) == NULL)
            return false;
    return strlen(id) <= 127;
}

static void
check_id(VitChecker *checker, GHashTable *ids)
{
    const VitConfigItem *item = checker->item;
    const char *id = vit_config_item_get_id(item);
    const VitOption *option = item->option;

    if (id == NULL || id[0] == '\0')
        return;
    int param = vit_config_item_find_param(item, option->id_key);
    VitRange range = vit_check_value_range(checker, (unsigned)param);
    if (!is_wellformed_id(id)) {
        VIT_CHECK_BAD(
            checker, range, NULL, NULL,
            "'%s' is no id: it begins with a letter and goes on with up to 126 letters, digits, "
            "'-', '.' and '_'",
            id);
        return;
    }
    char *key = g_strdup_printf("%s:%s", option->group ? option->group : option->name, id);
    const VitConfigItem *other = g_hash_table_lookup(ids, key);
    if (other != NULL) {
        VIT_CHECK_BAD(checker, range, "give one of them another id", NULL,
                      "the id '%s' of -%s is already that of -%s", id, option->name,
                      other->option->name);
        g_free(key);
        return;
    }
    g_hash_table_insert(ids, key, (gpointer)item);
}

/* Options of which only the last use counts. */
static void
check_repeated_option(VitChecker *checker, GHashTable *seen)
{
    const VitOption *option = checker->item->option;

    if (option->repeat != VIT_REPEAT_LAST || option->syntax == VIT_SYNTAX_FLAG)
        return;
    if (!g_hash_table_add(seen, (gpointer)option->name))
        vit_check_tell(checker, vit_check_whole(checker), VIT_SEVERITY_WARNING,
                       VIT_ERROR_INVALID_ARGUMENT, NULL, NULL,
                       "-%s is given more than once; this one counts", option->name);
}

void
vit_config_validate(VitConfig *config, const VitKindRegistry *registry, VitDiagList *diags)
{
    g_autoptr(GHashTable) ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    VitChecker checker = { .config = config, .registry = registry, .diags = diags };
    unsigned n_images = 0;

    checker.starts = vit_config_places(config);
    for (unsigned i = 0; i < config->items->len; i++) {
        checker.item = vit_config_get_item(config, i);
        checker.base = checker.starts[i];
        switch (checker.item->type) {
        case VIT_ITEM_OPTION:
            check_repeated_option(&checker, seen);
            check_option(&checker);
            check_id(&checker, ids);
            break;
        case VIT_ITEM_IMAGE:
            if (++n_images == 2)
                VIT_CHECK_BAD(&checker, vit_check_value_range(&checker, 0),
                              "use -hdb or -drive for further disks", NULL,
                              "'%s': only one disk image can be given without an option",
                              vit_config_item_param(checker.item, 0)->value);
            break;
        case VIT_ITEM_UNKNOWN: check_unknown(&checker); break;
        case VIT_ITEM_FOREIGN: break;
        }
    }
    g_free(checker.starts);
}

void
vit_config_diag_error(VitConfig *config, uint32_t serial, int param, const GError *error,
                      VitDiagList *diags)
{
    const VitConfigItem *item = vit_config_get_by_serial(config, serial);
    VitError code = error->domain == VIT_ERROR ? (VitError)error->code : VIT_ERROR_FAILED;
    size_t start = 0, end = 0, base = 0, base_end = 0;

    if (item != NULL && vit_config_locate(config, serial, &base, &base_end))
        vit_config_item_get_value_range(item, param, &start, &end);
    vit_diag_list_add(diags, base + start, base + end, VIT_SEVERITY_ERROR, code, serial, NULL, NULL,
                      "%s", error->message);
}
