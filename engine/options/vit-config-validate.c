/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The first check of a configuration: everything that can be told from the schema, the registry of
 * kinds and the configuration itself. All mistakes are found in one pass, each with its place, and
 * where a name is only mistyped, with the name that was meant. No file is opened.
 * Thread: the one that owns the configuration. */

#include <string.h>

#include "vit-chardev-spec.h"
#include "vit-config-private.h"
#include "vit-known-kinds.h"
#include "vit-token.h"
#include "vit-types.h"

typedef struct {
    VitConfig *config;
    const VitKindRegistry *registry;
    VitDiagList *diags;
    size_t *starts; /* place of each item in the text */
    /* the item at hand */
    const VitConfigItem *item;
    size_t base;
} Checker;

/* ---- telling ------------------------------------------------------------------------------- */

typedef struct {
    size_t start, end;
} Range;

static Range
whole(const Checker *checker)
{
    return (Range){ 0, checker->item->word_end };
}

static Range
key_range(const Checker *checker, unsigned param)
{
    Range range;

    vit_config_item_get_key_range(checker->item, (int)param, &range.start, &range.end);
    return range;
}

static Range
value_range(const Checker *checker, unsigned param)
{
    Range range;

    vit_config_item_get_value_range(checker->item, (int)param, &range.start, &range.end);
    return range;
}

/* The bytes START..END of a value, if it is written without quotes and doubled commas; otherwise
 * all of it. */
static Range
part_range(const Checker *checker, unsigned param, size_t start, size_t end)
{
    const VitParam *p = vit_config_item_param(checker->item, param);
    Range range = value_range(checker, param);

    if (p->value_end - p->value_start != strlen(p->value) || start >= end)
        return range;
    return (Range){ p->value_start + start, p->value_start + end };
}

static void G_GNUC_PRINTF(7, 8)
    tell(Checker *checker, Range range, VitSeverity severity, VitError code, const char *fix,
         const char *replacement, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    vit_diag_list_add(checker->diags, checker->base + range.start, checker->base + range.end,
                      severity, code, checker->item->serial, fix, replacement, "%s", message);
}

#define bad(checker, range, fix, replacement, ...)                                         \
    tell(checker, range, VIT_SEVERITY_ERROR, VIT_ERROR_INVALID_ARGUMENT, fix, replacement, \
         __VA_ARGS__)

static char *
did_you_mean(const char *nearest)
{
    return nearest != NULL ? g_strdup_printf("did you mean '%s'?", nearest) : NULL;
}

/* Tells of a status that rules something out; WHAT is what the user wrote. False if it does. */
static bool
check_status(Checker *checker, Range range, VitStatus status, const char *reason, const char *what)
{
    switch (status) {
    case VIT_STATUS_INHERIT:
    case VIT_STATUS_AVAILABLE:
    case VIT_STATUS_NEEDS_HARDWARE: return true;
    case VIT_STATUS_NOT_YET:
        tell(checker, range, VIT_SEVERITY_ERROR, VIT_ERROR_NOT_AVAILABLE_YET, NULL, NULL,
             "not available yet: %s%s%s%s", what, reason ? " (" : "", reason ? reason : "",
             reason ? ")" : "");
        return false;
    default:
        tell(checker, range, VIT_SEVERITY_ERROR, vit_status_error(status), NULL, NULL, "%s: %s",
             what, reason ? reason : "not possible here");
        return false;
    }
}

/* ---- kinds ---------------------------------------------------------------------------------- */

static bool
find_kind(const Checker *checker, VitKindClass klass, const char *name, VitKindInfo *out)
{
    const VitKindRegistry *registry = checker->registry;

    return registry != NULL && registry->find != NULL &&
           registry->find(registry->data, klass, name, out);
}

static bool
has_kinds(const Checker *checker)
{
    return checker->registry != NULL && checker->registry->find != NULL;
}

static void
offer_kind(const VitKindInfo *info, void *data)
{
    if (!info->internal)
        vit_nearest_offer(data, info->name);
}

static const char *
nearest_kind(const Checker *checker, VitKindClass klass, VitNearest *nearest, const char *name)
{
    const VitKindRegistry *registry = checker->registry;

    vit_nearest_init(nearest, name);
    if (registry != NULL && registry->list != NULL)
        registry->list(registry->data, klass, offer_kind, nearest);
    for (const VitKnownKind *kind = vit_known_kinds; kind->name != NULL; kind++)
        if (kind->klass == klass)
            vit_nearest_offer(nearest, kind->name);
    return nearest->best;
}

/* Whether the kind NAME, given by PARAM, can be used; *out_known is set when its properties are
 * known too. */
static bool
check_kind(Checker *checker, VitKindClass klass, const char *word, unsigned param, bool *out_known)
{
    const char *name = vit_config_item_param(checker->item, param)->value;
    const char *option = checker->item->option->name, *reason = NULL;
    VitKindInfo info = { 0 };
    VitStatus status;
    VitNearest nearest;

    *out_known = find_kind(checker, klass, name, &info);
    g_autofree char *what = g_strdup_printf("-%s %s", option, name);
    if (*out_known) {
        if (!info.internal)
            return true;
        bad(checker, value_range(checker, param), NULL, NULL,
            "'%s' is part of the board and cannot be added", name);
        return false;
    }
    const VitOptionVariant *variant = vit_config_item_get_variant(checker->item);
    if (variant != NULL && variant->status > VIT_STATUS_NOT_YET)
        return check_status(checker, value_range(checker, param), variant->status, variant->reason,
                            what);
    if (vit_known_kind(klass, name, &status, &reason) != NULL) {
        /* Without a registry nobody knows what this build has. */
        if (!has_kinds(checker) && status == VIT_STATUS_NOT_YET)
            return true;
        return check_status(checker, value_range(checker, param), status, reason, what);
    }
    const char *best = nearest_kind(checker, klass, &nearest, name);
    g_autofree char *fix =
        best != NULL ? did_you_mean(best) : g_strdup_printf("-%s help lists them", option);
    bad(checker, value_range(checker, param), fix, best, "there is no %s '%s'", word, name);
    return false;
}

/* ---- values --------------------------------------------------------------------------------- */

static bool
is_default(const VitOptionKey *key, const char *value)
{
    bool a, b;

    if (key->def == NULL)
        return false;
    if (strcmp(key->def, value) == 0)
        return true;
    return vit_value_parse_bool(key->def, &a) && vit_value_parse_bool(value, &b) && a == b;
}

static const char *
nearest_value(const VitOptionKey *key, const char *value)
{
    VitNearest nearest;

    vit_nearest_init(&nearest, value);
    for (const VitOptionValue *v = key->values; v != NULL && v->name != NULL; v++)
        vit_nearest_offer(&nearest, v->name);
    return nearest.best;
}

/* Checks VALUE at RANGE; WHAT is what the message calls it. */
static void
check_value(Checker *checker, const VitOptionKey *key, const char *value, Range range,
            const char *what)
{
    g_autoptr(GError) error = NULL;
    VitStatus status = VIT_STATUS_AVAILABLE;

    if (vit_value_check(key, value, &status, &error))
        return;
    if (status == VIT_STATUS_NOT_YET) {
        const VitOptionValue *known = vit_option_find_value(key, value);
        g_autofree char *full =
            g_strdup_printf("%s%s%s", what, g_str_has_suffix(what, "=") ? "" : " ", value);

        check_status(checker, range, status, known ? known->reason : NULL, full);
        return;
    }
    const char *best = key->type == VIT_VALUE_ENUM ? nearest_value(key, value) : NULL;
    if (best != NULL && strcmp(best, value) == 0)
        best = NULL;
    g_autofree char *fix = did_you_mean(best);
    tell(checker, range, VIT_SEVERITY_ERROR, (VitError)error->code, fix, best, "%s: %s", what,
         error->message);
}

/* Offers the ids that REFS may name, and lists them in LIST. */
static void
offer_ids(VitConfig *config, const char *refs, VitNearest *nearest, const char *id, GString *list,
          bool *out_found)
{
    for (unsigned i = 0; i < config->items->len; i++) {
        const VitConfigItem *item = vit_config_get_item(config, i);
        const char *other = vit_config_item_get_id(item);

        if (other == NULL)
            continue;
        if (!vit_word_in_list(refs, item->name, strlen(item->name), '|') &&
            !(strcmp(item->name, "nic") == 0 && vit_word_in_list(refs, "netdev", 6, '|')))
            continue;
        if (strcmp(other, id) == 0)
            *out_found = true;
        vit_nearest_offer(nearest, other);
        if (list->len < 60)
            g_string_append_printf(list, "%s'%s'", list->len > 0 ? ", " : "", other);
    }
}

/* Ids that come into being without being written: ide0-hd0, serial0. */
static bool
is_automatic_id(const char *refs, const char *id)
{
    static const struct {
        const char *option, *prefixes;
    } table[] = {
        { "drive", "ide floppy none virtio pflash scsi" },
        { "chardev", "serial parallel debugcon compat_monitor" },
    };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(table); i++) {
        size_t len = strcspn(id, "0123456789");

        if (len < strlen(id) && vit_word_in_list(table[i].prefixes, id, len, ' ') &&
            vit_word_in_list(refs, table[i].option, strlen(table[i].option), '|'))
            return true;
    }
    return false;
}

static void
check_reference(Checker *checker, const VitOptionKey *key, const char *value, Range range,
                const char *what)
{
    g_autoptr(GString) ids = g_string_new(NULL);
    bool found = false;
    VitNearest nearest;

    vit_nearest_init(&nearest, value);
    offer_ids(checker->config, key->ref, &nearest, value, ids, &found);
    if (found || value[0] == '\0' || is_automatic_id(key->ref, value))
        return;
    g_autofree char *options = g_strdup(key->ref);
    char *bar = strchr(options, '|');
    if (bar != NULL)
        *bar = '\0';
    g_autofree char *fix = nearest.best != NULL ? did_you_mean(nearest.best)
                           : ids->len > 0       ? g_strdup_printf("there is %s", ids->str)
                                          : g_strdup_printf("add -%s with id=%s", options, value);
    tell(checker, range, VIT_SEVERITY_ERROR, VIT_ERROR_NOT_FOUND, fix, nearest.best,
         "%s: there is no %s with the id '%s'", what, options, value);
}

/* ---- parameters ----------------------------------------------------------------------------- */

typedef struct {
    const char *wanted;
    VitNearest nearest;
    Checker *checker;
    unsigned param;
    const char *what;
    bool found;
    char *best; /* names of the registry live only during the call */
} PropSearch;

static void
check_known_param(Checker *checker, const VitOptionKey *key, unsigned param, const char *what)
{
    const VitParam *p = vit_config_item_param(checker->item, param);

    if (key->flags & VIT_OPT_DEPRECATED)
        tell(checker, key_range(checker, param), VIT_SEVERITY_WARNING, VIT_ERROR_INVALID_ARGUMENT,
             NULL, NULL, "%s is an old spelling and may go away", what);
    if (p->style == VIT_STYLE_NEGATED) {
        g_autofree char *full = g_strdup_printf("%s=off", p->key);
        g_autofree char *fix = g_strdup_printf("write %s", full);

        tell(checker, key_range(checker, param), VIT_SEVERITY_WARNING, VIT_ERROR_INVALID_ARGUMENT,
             fix, full, "'no%s' is an old spelling", p->key);
    }
    if (key->status == VIT_STATUS_NOT_YET && is_default(key, p->value))
        return;
    if (!check_status(checker, key_range(checker, param), key->status, key->reason, what))
        return;
    if (p->json_type == VIT_JSON_NULL)
        return;
    if (p->style == VIT_STYLE_BARE && key->type != VIT_VALUE_BOOL && key->type != VIT_VALUE_ENUM) {
        bad(checker, key_range(checker, param), NULL, NULL, "%s needs a value", what);
        return;
    }
    g_autofree char *value_what = g_strconcat(what, "=", NULL);
    check_value(checker, key, p->value, value_range(checker, param),
                key->type == VIT_VALUE_ENUM ? value_what : what);
    if (key->type == VIT_VALUE_ID)
        check_reference(checker, key, p->value, value_range(checker, param), what);
}

static void
try_prop(const VitOptionKey *prop, void *data)
{
    PropSearch *search = data;

    if (strcmp(prop->name, search->wanted) == 0 && !search->found) {
        search->found = true;
        check_known_param(search->checker, prop, search->param, search->what);
        return;
    }
    const char *before = search->nearest.best;
    vit_nearest_offer(&search->nearest, prop->name);
    if (search->nearest.best != before) {
        g_free(search->best);
        search->best = g_strdup(prop->name);
        search->nearest.best = search->best;
    }
}

static void
offer_keys(VitNearest *nearest, const VitOptionKey *keys)
{
    for (const VitOptionKey *key = keys; key != NULL && key->name != NULL; key++)
        vit_nearest_offer(nearest, key->name);
}

static void
check_unknown_param(Checker *checker, PropSearch *search, const VitOptionVariant *variant,
                    const char *kind)
{
    const VitConfigItem *item = checker->item;

    bool is_bare = vit_config_item_param(item, search->param)->style == VIT_STYLE_BARE;
    /* The keys of other devices are of no use here. */
    if (search->best == NULL && strcmp(item->option->name, "device") != 0) {
        offer_keys(&search->nearest, item->option->keys);
        if (variant != NULL)
            offer_keys(&search->nearest, variant->keys);
    }
    g_autofree char *fix = search->nearest.best != NULL ? did_you_mean(search->nearest.best)
                           : is_bare && search->param > 0
                               ? g_strdup("a comma that belongs to a value is written twice")
                           : kind != NULL
                               ? g_strdup_printf("-%s %s,help lists them", item->option->name, kind)
                               : NULL;
    bad(checker, key_range(checker, search->param), fix, search->nearest.best,
        "-%s%s%s has no key '%s'", item->option->name, kind ? " " : "", kind ? kind : "",
        search->wanted);
}

static VitKindClass
class_of(const char *name)
{
    return strcmp(name, "machine") == 0 ? VIT_KIND_MACHINE
           : strcmp(name, "cpu") == 0   ? VIT_KIND_CPU
                                        : VIT_KIND_DEVICE;
}

typedef struct {
    const char *wanted;
    VitNearest nearest;
    bool found;
} FeatureSearch;

/* sse4_1, sse4-1 and sse4.1 are one feature. */
static bool
same_feature(const char *a, const char *b)
{
    for (; *a != '\0' && *b != '\0'; a++, b++) {
        bool both_marks = strchr("_-.", *a) != NULL && strchr("_-.", *b) != NULL;

        if (*a != *b && !both_marks)
            return false;
    }
    return *a == *b;
}

static void
try_feature(const VitKindInfo *info, void *data)
{
    FeatureSearch *search = data;

    if (same_feature(info->name, search->wanted))
        search->found = true;
    vit_nearest_offer(&search->nearest, info->name);
}

/* A feature of -cpu. Only slips of the pen are told here: the CPU models know names beside those
 * of features and have the last word. */
static void
check_feature(Checker *checker, unsigned param)
{
    const VitParam *p = vit_config_item_param(checker->item, param);
    const VitKindRegistry *registry = checker->registry;
    static const char others[] =
        "family model stepping vendor level xlevel model-id phys-bits check "
        "enforce migratable pmu kvm tsc-frequency l3-cache cpuid-0xb "
        "host-phys-bits host-cache-info min-level min-xlevel tcg-cpuid";
    FeatureSearch search = { .wanted = p->key };

    if (registry == NULL || registry->list == NULL ||
        vit_word_in_list(others, p->key, strlen(p->key), ' ') || g_str_has_prefix(p->key, "hv"))
        return;
    vit_nearest_init(&search.nearest, p->key);
    registry->list(registry->data, VIT_KIND_CPU_FEATURE, try_feature, &search);
    if (search.found || search.nearest.best == NULL)
        return;
    g_autofree char *fix = did_you_mean(search.nearest.best);
    bad(checker, key_range(checker, param), fix, NULL, "there is no CPU feature '%s'", p->key);
}

static void
check_param(Checker *checker, unsigned param, const VitOptionVariant *variant, const char *kind,
            bool has_props)
{
    const VitConfigItem *item = checker->item;
    const VitOption *option = item->option;
    const VitKindRegistry *registry = checker->registry;
    const VitParam *p = vit_config_item_param(item, param);
    bool exact = false;
    const VitOptionKey *key = vit_option_find_key(option, variant, p->key, &exact);
    g_autofree char *what = g_strdup_printf("-%s %s", option->name, p->key);
    PropSearch search = { .wanted = p->key, .checker = checker, .param = param, .what = what };

    vit_nearest_init(&search.nearest, p->key);
    if (has_props && registry->list_props != NULL &&
        g_strcmp0(p->key, vit_option_variant_key(option)) != 0) {
        registry->list_props(registry->data, class_of(option->kind_class), kind, try_prop, &search);
        if (search.found) {
            g_free(search.best);
            return;
        }
        /* A device has its own properties and those of every device, not those of other families.
         */
        if (strcmp(option->name, "device") == 0 &&
            !vit_word_in_list("driver id bus addr", p->key, strlen(p->key), ' '))
            key = NULL;
    }
    bool is_open = (option->flags & VIT_OPT_OPEN) != 0 ||
                   (variant != NULL && (variant->flags & VIT_OPT_OPEN) != 0);
    if (key != NULL && exact)
        check_known_param(checker, key, param, what);
    else if (key != NULL)
        check_status(checker, key_range(checker, param), key->status, key->reason, what);
    else if (!is_open || (has_props && registry->list_props != NULL))
        check_unknown_param(checker, &search, variant, kind);
    g_free(search.best);
}

static void
check_repeats(Checker *checker, const VitOptionVariant *variant)
{
    const VitConfigItem *item = checker->item;
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    for (unsigned i = 0; i < vit_config_item_n(item); i++) {
        const VitParam *p = vit_config_item_param(item, i);
        const VitOptionKey *key = vit_option_find_key(item->option, variant, p->key, NULL);
        bool may_repeat = key != NULL && (key->flags & VIT_OPT_REPEATS);

        if (!g_hash_table_add(seen, p->key) && !may_repeat)
            tell(checker, key_range(checker, i), VIT_SEVERITY_WARNING, VIT_ERROR_INVALID_ARGUMENT,
                 NULL, NULL, "'%s' is given twice; the last one counts", p->key);
    }
}

static void
check_required(Checker *checker, const VitOptionKey *keys, const char *kind)
{
    const VitConfigItem *item = checker->item;

    for (const VitOptionKey *key = keys; key != NULL && key->name != NULL; key++) {
        if ((key->flags & VIT_OPT_REQUIRED) == 0 || vit_config_item_get(item, key->name) != NULL)
            continue;
        bool has_inner = false;
        g_autofree char *dotted = g_strconcat(key->name, ".", NULL);
        for (unsigned i = 0; i < vit_config_item_n(item) && !has_inner; i++)
            has_inner = g_str_has_prefix(vit_config_item_param(item, i)->key, dotted);
        if (has_inner)
            continue;
        g_autofree char *fix = g_strdup_printf("add %s=...: %s", key->name, key->help);
        bad(checker, whole(checker), fix, NULL, "-%s%s%s needs %s=", item->option->name,
            kind ? " " : "", kind ? kind : "", key->name);
    }
}

static bool
asks_for_help(const VitConfigItem *item)
{
    for (unsigned i = 0; i < vit_config_item_n(item); i++) {
        const VitParam *p = vit_config_item_param(item, i);

        if (strcmp(p->value, "help") == 0 || strcmp(p->value, "?") == 0 ||
            (p->style == VIT_STYLE_BARE && (strcmp(p->key, "help") == 0 || p->key[0] == '?')))
            return true;
    }
    return false;
}

/* ---- variants ------------------------------------------------------------------------------- */

static bool
check_accel(Checker *checker, unsigned param)
{
    const VitParam *p = vit_config_item_param(checker->item, param);
    const VitOption *option = vit_option_find("accel");
    g_auto(GStrv) names = g_strsplit(p->value, ":", -1);
    size_t at = 0;
    bool ok = true;

    for (unsigned i = 0; names[i] != NULL; i++) {
        const VitOptionVariant *variant = vit_option_find_variant(option, names[i]);
        Range range = part_range(checker, param, at, at + strlen(names[i]));
        g_autofree char *what = g_strdup_printf("accelerator %s", names[i]);
        VitNearest nearest;

        at += strlen(names[i]) + 1;
        if (variant != NULL) {
            ok = check_status(checker, range, variant->status, variant->reason, what) && ok;
            continue;
        }
        vit_nearest_init(&nearest, names[i]);
        for (const VitOptionVariant *v = option->variants; v->name != NULL; v++)
            vit_nearest_offer(&nearest, v->name);
        g_autofree char *fix =
            nearest.best ? did_you_mean(nearest.best) : g_strdup("-accel help lists them");
        bad(checker, range, fix, nearest.best, "there is no accelerator '%s'", names[i]);
        ok = false;
    }
    return ok;
}

static bool
check_variant(Checker *checker, unsigned param, const VitOptionVariant *variant)
{
    const VitOption *option = checker->item->option;
    const char *value = vit_config_item_param(checker->item, param)->value;
    g_autofree char *what = g_strdup_printf("-%s %s", option->name, value);
    VitNearest nearest;

    if (variant != NULL) {
        if (variant->flags & VIT_OPT_DEPRECATED)
            tell(checker, value_range(checker, param), VIT_SEVERITY_WARNING,
                 VIT_ERROR_INVALID_ARGUMENT, NULL, NULL, "%s is an old name and may go away", what);
        return check_status(checker, value_range(checker, param), variant->status, variant->reason,
                            what);
    }
    vit_nearest_init(&nearest, value);
    for (const VitOptionVariant *v = option->variants; v->name != NULL; v++)
        vit_nearest_offer(&nearest, v->name);
    g_autofree char *fix = nearest.best ? did_you_mean(nearest.best)
                           : (option->flags & VIT_OPT_HELP)
                               ? g_strdup_printf("-%s help lists them", option->name)
                               : NULL;
    bad(checker, value_range(checker, param), fix, nearest.best, "-%s has no kind '%s'",
        option->name, value);
    return false;
}

/* Checks what the option is of; false when its keys make no sense then. */
static bool
check_selector(Checker *checker, const VitOptionVariant *variant, bool *out_has_props)
{
    const VitOption *option = checker->item->option;
    const char *selector = vit_option_variant_key(option);
    int param = selector != NULL ? vit_config_item_find_param(checker->item, selector) : -1;

    if (param < 0)
        return true;
    if (strcmp(option->name, "accel") == 0)
        return check_accel(checker, (unsigned)param);
    if (option->kind_class != NULL)
        return check_kind(checker, class_of(option->kind_class),
                          strcmp(option->kind_class, "cpu") == 0 ? "CPU model" : option->kind_class,
                          (unsigned)param, out_has_props);
    if (option->variants == NULL || strcmp(option->name, "smbios") == 0)
        return true;
    return check_variant(checker, (unsigned)param, variant);
}

/* -global and -set have a form of their own; false when it is not kept. */
static bool
check_dotted(Checker *checker)
{
    const VitConfigItem *item = checker->item;
    const VitParam *first = vit_config_item_n(item) > 0 ? vit_config_item_param(item, 0) : NULL;
    bool is_set = strcmp(item->option->name, "set") == 0;

    if (!is_set && strcmp(item->option->name, "global") != 0)
        return true;
    if (first != NULL && (first->style == VIT_STYLE_DOTS ||
                          (!is_set && vit_config_item_get(item, "driver") != NULL)))
        return true;
    Range range = whole(checker);
    if (first != NULL) {
        range.start = MIN(first->key_start, first->value_start);
        range.end = MAX(first->key_end, first->value_end);
    }
    bad(checker, range, item->option->metavar, NULL, "-%s is followed by %s", item->option->name,
        is_set ? "group, id, key and value" : "driver, property and value");
    return false;
}

static void
check_keys(Checker *checker)
{
    const VitConfigItem *item = checker->item;
    const VitOption *option = item->option;
    const VitOptionVariant *variant = vit_config_item_get_variant(item);
    const char *selector = vit_option_variant_key(option);
    const char *kind = selector != NULL && (option->variants != NULL || option->kind_class != NULL)
                           ? vit_config_item_get(item, selector)
                           : NULL;
    bool has_props = false;

    if (!check_dotted(checker) || !check_selector(checker, variant, &has_props))
        return;
    for (unsigned i = 0; i < vit_config_item_n(item); i++) {
        const VitParam *p = vit_config_item_param(item, i);

        if (p->key[0] == '\0')
            continue;
        if (strcmp(option->name, "machine") == 0 && strcmp(p->key, "accel") == 0)
            check_accel(checker, i);
        else if (strcmp(option->name, "cpu") == 0 && strcmp(p->key, "model") != 0)
            check_feature(checker, i);
        else if (selector == NULL || strcmp(p->key, selector) != 0 ||
                 (option->variants == NULL && option->kind_class == NULL) ||
                 strcmp(option->name, "smbios") == 0)
            check_param(checker, i, variant, kind, has_props);
    }
    check_repeats(checker, variant);
    if (!item->is_json || kind != NULL) {
        check_required(checker, option->keys, kind);
        if (variant != NULL)
            check_required(checker, variant->keys, kind);
    }
}

/* ---- plain arguments ------------------------------------------------------------------------ */

static void
check_list(Checker *checker)
{
    const VitConfigItem *item = checker->item;
    const VitOptionKey *key = vit_option_plain_key(item->option);
    g_auto(GStrv) words = g_strsplit(vit_config_item_param(item, 0)->value, ",", -1);
    g_autofree char *what = g_strdup_printf("-%s", item->option->name);
    size_t at = 0;

    for (unsigned i = 0; words[i] != NULL; at += strlen(words[i]) + 1, i++) {
        Range range = part_range(checker, 0, at, at + strlen(words[i]));

        if (strcmp(item->option->name, "d") == 0 && g_str_has_prefix(words[i], "trace:"))
            check_status(checker, range, VIT_STATUS_NOT_YET, NULL, "-d trace:");
        else
            check_value(checker, key, words[i], range, what);
    }
}

static void
check_device_word(Checker *checker)
{
    const VitConfigItem *item = checker->item;
    const VitOption *chardev = vit_option_find("chardev");
    const char *text = vit_config_item_param(item, 0)->value;
    g_autoptr(GError) error = NULL;
    VitChardevSpec spec;
    size_t start, end;

    if (!vit_chardev_spec_init(&spec, text, &start, &end, &error)) {
        tell(checker, part_range(checker, 0, start, end), VIT_SEVERITY_ERROR, (VitError)error->code,
             NULL, NULL, "-%s: %s", item->option->name, error->message);
        return;
    }
    const VitOptionVariant *variant =
        spec.backend != NULL ? vit_option_find_variant(chardev, spec.backend) : NULL;
    if (spec.chardev_id != NULL) {
        VitOptionKey key = { .ref = "chardev" };
        g_autofree char *what = g_strdup_printf("-%s", item->option->name);

        size_t len = strlen(text);
        check_reference(checker, &key, spec.chardev_id,
                        part_range(checker, 0, len - strlen(spec.chardev_id), len), what);
    } else if (variant != NULL) {
        g_autofree char *what = g_strdup_printf("-%s %s", item->option->name, text);

        if (check_status(checker, value_range(checker, 0), variant->status, variant->reason, what))
            for (unsigned i = 0; i < spec.params->len; i++) {
                const VitChardevParam *p = &g_array_index(spec.params, VitChardevParam, i);
                const VitOptionKey *key = vit_option_find_key(chardev, variant, p->key, NULL);
                Range range = part_range(checker, 0, p->start, p->end);
                g_autofree char *part = g_strdup_printf("-%s %s", item->option->name, p->key);

                if (key == NULL || (key->status == VIT_STATUS_NOT_YET && is_default(key, p->value)))
                    continue;
                if (check_status(checker, range, key->status, key->reason, part))
                    check_value(checker, key, p->value, range, part);
            }
    }
    vit_chardev_spec_finish(&spec);
}

static void
check_plain(Checker *checker)
{
    const VitConfigItem *item = checker->item;
    const VitOptionKey *key = vit_option_plain_key(item->option);
    const VitParam *p = vit_config_item_param(item, 0);
    g_autofree char *what = g_strdup_printf("-%s", item->option->name);

    check_value(checker, key, p->value, value_range(checker, 0), what);
    if (key->type == VIT_VALUE_ID)
        check_reference(checker, key, p->value, value_range(checker, 0), what);
}

/* ---- items ---------------------------------------------------------------------------------- */

/* Of an option that is not there yet: whether what it asks for can ever be there. */
static bool
check_possible(Checker *checker)
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
    return check_status(checker, whole(checker), status, reason, what);
}

static void
check_option(Checker *checker)
{
    const VitConfigItem *item = checker->item;
    const VitOption *option = item->option;
    g_autofree char *what = g_strdup_printf("-%s", option->name);

    if (asks_for_help(item))
        return;
    VitStatus status = option->status == VIT_STATUS_INHERIT ? VIT_STATUS_NOT_YET : option->status;
    if (status == VIT_STATUS_NOT_YET && !check_possible(checker))
        return;
    if (!check_status(checker, whole(checker), status, option->reason, what))
        return;
    if (option->flags & VIT_OPT_DEPRECATED)
        tell(checker, whole(checker), VIT_SEVERITY_WARNING, VIT_ERROR_INVALID_ARGUMENT, NULL, NULL,
             "%s is an old option and may go away", what);
    switch (option->syntax) {
    case VIT_SYNTAX_FLAG: break;
    case VIT_SYNTAX_KEYS: check_keys(checker); break;
    case VIT_SYNTAX_LIST: check_list(checker); break;
    case VIT_SYNTAX_DEV: check_device_word(checker); break;
    case VIT_SYNTAX_VALUE: check_plain(checker); break;
    }
}

static void
check_unknown(Checker *checker)
{
    const VitConfigItem *item = checker->item;
    VitWords words;

    vit_words_init(&words, item->source, strlen(item->source), VIT_PARSE_FRAGMENT, NULL);
    const char *word = words.n_words > 0 ? words.words[0].text : item->source;
    const char *name = word[0] != '-' ? word : word + (word[1] == '-' ? 2 : 1);
    const VitOption *option = vit_option_find(name);
    const char *nearest = vit_option_nearest(name);
    g_autofree char *replacement = nearest ? g_strdup_printf("-%s", nearest) : NULL;
    g_autofree char *fix = replacement ? did_you_mean(replacement) : NULL;

    if (option == NULL) {
        bad(checker, whole(checker), fix ? fix : "-help lists the options there are", replacement,
            "there is no option -%s", name);
    } else if (words.n_words < 2) {
        g_autofree char *form =
            g_strdup_printf("-%s %s", option->name, option->metavar ? option->metavar : "");
        bad(checker, whole(checker), form, NULL, "-%s needs an argument", option->name);
    } else {
        const VitWord *argument = &words.words[1];
        const char *message = "it is not understood";
        size_t at = 0;
        g_autoptr(GArray) leaves = vit_json_flatten(argument->text, argument->len, &at, &message);
        size_t place = MIN(argument->map[MIN(at, argument->len)], argument->end - 1);

        bad(checker, ((Range){ place, place + 1 }), NULL, NULL,
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
check_id(Checker *checker, GHashTable *ids)
{
    const VitConfigItem *item = checker->item;
    const char *id = vit_config_item_get_id(item);
    const VitOption *option = item->option;

    if (id == NULL || id[0] == '\0')
        return;
    int param = vit_config_item_find_param(item, option->id_key);
    Range range = value_range(checker, (unsigned)param);
    if (!is_wellformed_id(id)) {
        bad(checker, range, NULL, NULL,
            "'%s' is no id: it begins with a letter and goes on with up to 126 letters, digits, "
            "'-', '.' and '_'",
            id);
        return;
    }
    char *key = g_strdup_printf("%s:%s", option->group ? option->group : option->name, id);
    const VitConfigItem *other = g_hash_table_lookup(ids, key);
    if (other != NULL) {
        bad(checker, range, "give one of them another id", NULL,
            "the id '%s' of -%s is already that of -%s", id, option->name, other->option->name);
        g_free(key);
        return;
    }
    g_hash_table_insert(ids, key, (gpointer)item);
}

/* Options of which only the last use counts. */
static void
check_repeated_option(Checker *checker, GHashTable *seen)
{
    const VitOption *option = checker->item->option;

    if (option->repeat != VIT_REPEAT_LAST || option->syntax == VIT_SYNTAX_FLAG)
        return;
    if (!g_hash_table_add(seen, (gpointer)option->name))
        tell(checker, whole(checker), VIT_SEVERITY_WARNING, VIT_ERROR_INVALID_ARGUMENT, NULL, NULL,
             "-%s is given more than once; this one counts", option->name);
}

void
vit_config_validate(VitConfig *config, const VitKindRegistry *registry, VitDiagList *diags)
{
    g_autoptr(GHashTable) ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    Checker checker = { .config = config, .registry = registry, .diags = diags };
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
                bad(&checker, value_range(&checker, 0), "use -hdb or -drive for further disks",
                    NULL, "'%s': only one disk image can be given without an option",
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
