/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The check of an option that has keys: what it is of, its keys and their values, references to
 * other instances. Names come from the schema and, for machines, devices and CPUs, from the
 * registry; a name that is only mistyped is told with the one that was meant.
 * Thread: the one that owns the configuration. */

#include <string.h>

#include "vit-check-private.h"
#include "vit-known-kinds.h"
#include "vit-types.h"

/* ---- kinds ---------------------------------------------------------------------------------- */

static bool
find_kind(const VitChecker *checker, VitKindClass klass, const char *name, VitKindInfo *out)
{
    const VitKindRegistry *registry = checker->registry;

    return registry != NULL && registry->find != NULL &&
           registry->find(registry->data, klass, name, out);
}

static bool
has_kinds(const VitChecker *checker)
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
nearest_kind(const VitChecker *checker, VitKindClass klass, VitNearest *nearest, const char *name)
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
check_kind(VitChecker *checker, VitKindClass klass, const char *word, unsigned param,
           bool *out_known)
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
        VIT_CHECK_BAD(checker, vit_check_value_range(checker, param), NULL, NULL,
                      "'%s' is part of the board and cannot be added", name);
        return false;
    }
    const VitOptionVariant *variant = vit_config_item_get_variant(checker->item);
    if (variant != NULL && variant->status > VIT_STATUS_NOT_YET)
        return vit_check_status(checker, vit_check_value_range(checker, param), variant->status,
                                variant->reason, what);
    if (vit_known_kind(klass, name, &status, &reason) != NULL) {
        /* Without a registry nobody knows what this build has. */
        if (!has_kinds(checker) && status == VIT_STATUS_NOT_YET)
            return true;
        return vit_check_status(checker, vit_check_value_range(checker, param), status, reason,
                                what);
    }
    const char *best = nearest_kind(checker, klass, &nearest, name);
    g_autofree char *fix = best != NULL ? vit_check_did_you_mean(best)
                                        : g_strdup_printf("-%s help lists them", option);
    VIT_CHECK_BAD(checker, vit_check_value_range(checker, param), fix, best, "there is no %s '%s'",
                  word, name);
    return false;
}

/* ---- values --------------------------------------------------------------------------------- */

bool
vit_check_is_default(const VitOptionKey *key, const char *value)
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
void
vit_check_value(VitChecker *checker, const VitOptionKey *key, const char *value, VitRange range,
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

        vit_check_status(checker, range, status, known ? known->reason : NULL, full);
        return;
    }
    const char *best = key->type == VIT_VALUE_ENUM ? nearest_value(key, value) : NULL;
    if (best != NULL && strcmp(best, value) == 0)
        best = NULL;
    g_autofree char *fix = vit_check_did_you_mean(best);
    vit_check_tell(checker, range, VIT_SEVERITY_ERROR, (VitError)error->code, fix, best, "%s: %s",
                   what, error->message);
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

void
vit_check_reference(VitChecker *checker, const VitOptionKey *key, const char *value, VitRange range,
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
    g_autofree char *fix = nearest.best != NULL ? vit_check_did_you_mean(nearest.best)
                           : ids->len > 0       ? g_strdup_printf("there is %s", ids->str)
                                          : g_strdup_printf("add -%s with id=%s", options, value);
    vit_check_tell(checker, range, VIT_SEVERITY_ERROR, VIT_ERROR_NOT_FOUND, fix, nearest.best,
                   "%s: there is no %s with the id '%s'", what, options, value);
}

/* ---- parameters ----------------------------------------------------------------------------- */

typedef struct {
    const char *wanted;
    VitNearest nearest;
    VitChecker *checker;
    unsigned param;
    const char *what;
    bool found;
    char *best; /* names of the registry live only during the call */
} PropSearch;

static void
check_known_param(VitChecker *checker, const VitOptionKey *key, unsigned param, const char *what)
{
    const VitParam *p = vit_config_item_param(checker->item, param);

    if (key->flags & VIT_OPT_DEPRECATED)
        vit_check_tell(checker, vit_check_key_range(checker, param), VIT_SEVERITY_WARNING,
                       VIT_ERROR_INVALID_ARGUMENT, NULL, NULL,
                       "%s is an old spelling and may go away", what);
    if (p->style == VIT_STYLE_NEGATED) {
        g_autofree char *full = g_strdup_printf("%s=off", p->key);
        g_autofree char *fix = g_strdup_printf("write %s", full);

        vit_check_tell(checker, vit_check_key_range(checker, param), VIT_SEVERITY_WARNING,
                       VIT_ERROR_INVALID_ARGUMENT, fix, full, "'no%s' is an old spelling", p->key);
    }
    if (key->status == VIT_STATUS_NOT_YET && vit_check_is_default(key, p->value))
        return;
    if (!vit_check_status(checker, vit_check_key_range(checker, param), key->status, key->reason,
                          what))
        return;
    if (p->json_type == VIT_JSON_NULL)
        return;
    if (p->style == VIT_STYLE_BARE && key->type != VIT_VALUE_BOOL && key->type != VIT_VALUE_ENUM) {
        VIT_CHECK_BAD(checker, vit_check_key_range(checker, param), NULL, NULL, "%s needs a value",
                      what);
        return;
    }
    g_autofree char *value_what = g_strconcat(what, "=", NULL);
    vit_check_value(checker, key, p->value, vit_check_value_range(checker, param),
                    key->type == VIT_VALUE_ENUM ? value_what : what);
    if (key->type == VIT_VALUE_ID)
        vit_check_reference(checker, key, p->value, vit_check_value_range(checker, param), what);
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
check_unknown_param(VitChecker *checker, PropSearch *search, const VitOptionVariant *variant,
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
    g_autofree char *fix =
        search->nearest.best != NULL ? vit_check_did_you_mean(search->nearest.best)
        : is_bare && search->param > 0
            ? g_strdup("a comma that belongs to a value is written twice")
        : kind != NULL ? g_strdup_printf("-%s %s,help lists them", item->option->name, kind)
                       : NULL;
    VIT_CHECK_BAD(checker, vit_check_key_range(checker, search->param), fix, search->nearest.best,
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
check_feature(VitChecker *checker, unsigned param)
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
    g_autofree char *fix = vit_check_did_you_mean(search.nearest.best);
    VIT_CHECK_BAD(checker, vit_check_key_range(checker, param), fix, NULL,
                  "there is no CPU feature '%s'", p->key);
}

/* -drive also takes the keys of the -blockdev driver that it names. */
static const VitOptionKey *
find_node_key(const VitConfigItem *item, const char *name, bool *out_exact)
{
    const VitOption *blockdev = vit_option_find("blockdev");
    const char *driver = vit_config_item_get(item, "driver");

    if (strcmp(item->option->name, "drive") != 0)
        return NULL;
    if (driver == NULL)
        driver = vit_config_item_get(item, "format");
    const VitOptionVariant *variant =
        driver != NULL ? vit_option_find_variant(blockdev, driver) : NULL;
    return variant != NULL ? vit_option_find_key(blockdev, variant, name, out_exact) : NULL;
}

static void
check_param(VitChecker *checker, unsigned param, const VitOptionVariant *variant, const char *kind,
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

    if (key == NULL)
        key = find_node_key(item, p->key, &exact);
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
        vit_check_status(checker, vit_check_key_range(checker, param), key->status, key->reason,
                         what);
    else if (!is_open || (has_props && registry->list_props != NULL))
        check_unknown_param(checker, &search, variant, kind);
    g_free(search.best);
}

static void
check_repeats(VitChecker *checker, const VitOptionVariant *variant)
{
    const VitConfigItem *item = checker->item;
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    for (unsigned i = 0; i < vit_config_item_n(item); i++) {
        const VitParam *p = vit_config_item_param(item, i);
        const VitOptionKey *key = vit_option_find_key(item->option, variant, p->key, NULL);
        bool may_repeat = key != NULL && (key->flags & VIT_OPT_REPEATS);

        if (!g_hash_table_add(seen, p->key) && !may_repeat)
            vit_check_tell(checker, vit_check_key_range(checker, i), VIT_SEVERITY_WARNING,
                           VIT_ERROR_INVALID_ARGUMENT, NULL, NULL,
                           "'%s' is given twice; the last one counts", p->key);
    }
}

static void
check_required(VitChecker *checker, const VitOptionKey *keys, const char *kind)
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
        VIT_CHECK_BAD(checker, vit_check_whole(checker), fix, NULL,
                      "-%s%s%s needs %s=", item->option->name, kind ? " " : "", kind ? kind : "",
                      key->name);
    }
}

bool
vit_check_asks_for_help(const VitConfigItem *item)
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
check_accel(VitChecker *checker, unsigned param)
{
    const VitParam *p = vit_config_item_param(checker->item, param);
    const VitOption *option = vit_option_find("accel");
    g_auto(GStrv) names = g_strsplit(p->value, ":", -1);
    size_t at = 0;
    bool ok = true;

    for (unsigned i = 0; names[i] != NULL; i++) {
        const VitOptionVariant *variant = vit_option_find_variant(option, names[i]);
        VitRange range = vit_check_part_range(checker, param, at, at + strlen(names[i]));
        g_autofree char *what = g_strdup_printf("accelerator %s", names[i]);
        VitNearest nearest;

        at += strlen(names[i]) + 1;
        if (variant != NULL) {
            ok = vit_check_status(checker, range, variant->status, variant->reason, what) && ok;
            continue;
        }
        vit_nearest_init(&nearest, names[i]);
        for (const VitOptionVariant *v = option->variants; v->name != NULL; v++)
            vit_nearest_offer(&nearest, v->name);
        g_autofree char *fix = nearest.best ? vit_check_did_you_mean(nearest.best)
                                            : g_strdup("-accel help lists them");
        VIT_CHECK_BAD(checker, range, fix, nearest.best, "there is no accelerator '%s'", names[i]);
        ok = false;
    }
    return ok;
}

static bool
check_variant(VitChecker *checker, unsigned param, const VitOptionVariant *variant)
{
    const VitOption *option = checker->item->option;
    const char *value = vit_config_item_param(checker->item, param)->value;
    g_autofree char *what = g_strdup_printf("-%s %s", option->name, value);
    VitNearest nearest;

    if (variant != NULL) {
        if (variant->flags & VIT_OPT_DEPRECATED)
            vit_check_tell(checker, vit_check_value_range(checker, param), VIT_SEVERITY_WARNING,
                           VIT_ERROR_INVALID_ARGUMENT, NULL, NULL,
                           "%s is an old name and may go away", what);
        return vit_check_status(checker, vit_check_value_range(checker, param), variant->status,
                                variant->reason, what);
    }
    vit_nearest_init(&nearest, value);
    for (const VitOptionVariant *v = option->variants; v->name != NULL; v++)
        vit_nearest_offer(&nearest, v->name);
    g_autofree char *fix = nearest.best ? vit_check_did_you_mean(nearest.best)
                           : (option->flags & VIT_OPT_HELP)
                               ? g_strdup_printf("-%s help lists them", option->name)
                               : NULL;
    VIT_CHECK_BAD(checker, vit_check_value_range(checker, param), fix, nearest.best,
                  "-%s has no kind '%s'", option->name, value);
    return false;
}

/* Checks what the option is of; false when its keys make no sense then. */
static bool
check_selector(VitChecker *checker, const VitOptionVariant *variant, bool *out_has_props)
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
check_dotted(VitChecker *checker)
{
    const VitConfigItem *item = checker->item;
    const VitParam *first = vit_config_item_n(item) > 0 ? vit_config_item_param(item, 0) : NULL;
    bool is_set = strcmp(item->option->name, "set") == 0;

    if (!is_set && strcmp(item->option->name, "global") != 0)
        return true;
    if (first != NULL && (first->style == VIT_STYLE_DOTS ||
                          (!is_set && vit_config_item_get(item, "driver") != NULL)))
        return true;
    VitRange range = vit_check_whole(checker);
    if (first != NULL) {
        range.start = MIN(first->key_start, first->value_start);
        range.end = MAX(first->key_end, first->value_end);
    }
    VIT_CHECK_BAD(checker, range, item->option->metavar, NULL, "-%s is followed by %s",
                  item->option->name,
                  is_set ? "group, id, key and value" : "driver, property and value");
    return false;
}

void
vit_check_keys(VitChecker *checker)
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
