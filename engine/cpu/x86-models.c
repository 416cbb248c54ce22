/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* -cpu: from text to a resolved model.
 *
 * "NAME[,+feature][,-feature][,feature=on|off][,property=value]...". A name is a row of
 * x86-model-rows.c, an alias, "max" or "host". Settings are applied in order after the model's own
 * features, then everything the executor cannot give is taken away: with a warning where it was
 * asked for, as an error under "enforce". Which features can be given is the caller's to say: the
 * interpreter's list is here (what it implements, and for instructions it runs on the host's
 * vector unit also what the host has). Thread: any. */

#include "x86-cpuid.h"
#include "x86-model-rows.h"
#include "vit-error.h"
#include "vit-prop.h"

#include <cpuid.h>
#include <string.h>

_Static_assert(X86_FEATURE_LAST <= 256, "X86OpRow.feature is 8 bits wide");

static const struct {
    const char *name;
    uint32_t leaf, subleaf;
    uint8_t reg, bit;
} features[X86_FEATURE_LAST] = {
#define ROW(symbol, name, leaf, subleaf, reg, bit) \
    [X86_FEATURE_##symbol] = { name, leaf, subleaf, reg, bit },
    X86_FEATURE_LIST(ROW)
#undef ROW
};

/* ---- What the interpreter can give ---- */

/* Implemented without help of the host's vector unit. */
static const char interpreter_features[] =
    "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush acpi fxsr ss "
    "ht monitor cx16 pcid x2apic movbe popcnt tsc-deadline rdrand hypervisor fsgsbase tsc-adjust "
    "bmi1 smep bmi2 erms invpcid rdseed adx smap clflushopt clwb umip pku la57 rdpid fsrm syscall "
    "nx pdpe1gb rdtscp lm lahf-lm cmp-legacy abm 3dnowprefetch topoext invtsc clzero wbnoinvd arat "
    "svm npt nrip-save vmcb-clean flushbyasid svme-addr-chk";
/* Run on the host's vector unit: only where the host has them. */
static const char host_features[] =
    "mmx sse sse2 pni pclmulqdq ssse3 fma sse4.1 sse4.2 aes xsave avx f16c avx2 sha-ni xsaveopt "
    "xgetbv1 mmxext xsavec xsaves xsaveerptr sse4a misalignsse gfni vaes vpclmulqdq";

int
x86_feature_find(const char *name, size_t len)
{
    static const struct {
        const char *alias, *name;
    } aliases[] = {
        { "sse3", "pni" },      { "pclmuldq", "pclmulqdq" },
        { "sse4-1", "sse4.1" }, { "sse4-2", "sse4.2" },
        { "xd", "nx" },         { "ffxsr", "fxsr-opt" },
        { "i64", "lm" },
    };
    char text[40];

    if (len >= sizeof(text)) {
        return -1;
    }
    for (size_t i = 0; i < len; i++) {
        text[i] = name[i] == '_' ? '-' : name[i];
    }
    text[len] = '\0';
    const char *wanted = text;
    for (unsigned i = 0; i < VIT_ARRAY_LEN(aliases); i++) {
        if (g_str_equal(text, aliases[i].alias)) {
            wanted = aliases[i].name;
        }
    }
    for (int i = 1; i < X86_FEATURE_LAST; i++) {
        if (g_str_equal(wanted, features[i].name)) {
            return i;
        }
    }
    return -1;
}

X86FeaturePlace
x86_feature_place(unsigned feature)
{
    return (X86FeaturePlace){ features[feature].leaf, features[feature].subleaf,
                              features[feature].reg, features[feature].bit };
}

static void
set_feature(uint64_t *words, unsigned feature, bool on)
{
    if (on) {
        words[feature / 64] |= 1ull << (feature % 64);
    } else {
        words[feature / 64] &= ~(1ull << (feature % 64));
    }
    if (feature == X86_FEATURE_KVMCLOCK) {
        set_feature(words, X86_FEATURE_KVMCLOCK2, on); /* one name, two bits */
    }
}

static bool
has_feature(const uint64_t *words, unsigned feature)
{
    return words[feature / 64] >> (feature % 64) & 1;
}

/* Applies a list of names, "-" taking away. The list is ours, so unknown names cannot be. */
static void
apply_list(uint64_t *words, const char *list)
{
    while (*list) {
        size_t len = strcspn(list, " ");
        bool off = *list == '-';
        int feature = x86_feature_find(list + off, len - off);
        if (feature > 0) {
            set_feature(words, feature, !off);
        }
        list += len;
        list += strspn(list, " ");
    }
}

static const char host_avx512[] =
    "avx512f avx512dq avx512ifma avx512cd avx512bw avx512vl avx512vbmi avx512vbmi2 avx512vnni "
    "avx512bitalg avx512-vpopcntdq avx512-bf16";

void
x86_interpreter_features(uint64_t out_words[X86_FEATURE_WORDS])
{
    uint64_t native[X86_FEATURE_WORDS] = { 0 };

    memset(out_words, 0, sizeof(native));
    apply_list(out_words, interpreter_features);
    apply_list(native, host_features);
    apply_list(native, host_avx512);
    for (unsigned i = 1; i < X86_FEATURE_LAST; i++) {
        if (has_feature(native, i) && x86_host_has(i)) {
            set_feature(out_words, i, true);
        }
    }
}

/* ---- Model names ---- */

static const X86ModelRow *
find_row(const char *name)
{
    for (unsigned i = 0; i < x86_model_alias_count; i++) {
        if (g_str_equal(name, x86_model_aliases[i].name)) {
            name = x86_model_aliases[i].target;
            break;
        }
    }
    for (unsigned i = 0; i < x86_model_row_count; i++) {
        if (g_str_equal(name, x86_model_rows[i].name)) {
            return &x86_model_rows[i];
        }
    }
    return NULL;
}

static void
apply_row_features(uint64_t *words, const X86ModelRow *row)
{
    if (row->parent) {
        apply_row_features(words, find_row(row->parent));
    }
    apply_list(words, row->features);
}

const char *
x86_model_name(unsigned index, const char **out_title)
{
    static const char *const special[][2] = {
        { "host", "processor with all supported host features " },
        { "max", "Enables all features supported by the accelerator in the current host" },
    };

    if (index < x86_model_alias_count) {
        *out_title = find_row(x86_model_aliases[index].name)->model_id;
        return x86_model_aliases[index].name;
    }
    index -= x86_model_alias_count;
    if (index < x86_model_row_count) {
        const X86ModelRow *row = &x86_model_rows[index];
        *out_title = row->title ? row->title : row->model_id;
        return x86_model_rows[index].name;
    }
    index -= x86_model_row_count;
    if (index < VIT_ARRAY_LEN(special)) {
        *out_title = special[index][1];
        return special[index][0];
    }
    return NULL;
}

const char *
x86_model_alias_target(unsigned index)
{
    return index < x86_model_alias_count ? x86_model_aliases[index].target : NULL;
}

const char *
x86_feature_name(unsigned feature)
{
    return feature > 0 && feature < X86_FEATURE_LAST ? features[feature].name : NULL;
}

static bool
unknown_model(const char *name, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    const char *title, *candidate;

    for (unsigned i = 0; (candidate = x86_model_name(i, &title)); i++) {
        g_ptr_array_add(names, (gpointer)candidate);
    }
    const char *near = vit_nearest_name(name, (const char *const *)names->pdata, names->len);
    if (near) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "-cpu: there is no CPU model \"%s\"; the nearest is \"%s\"", name, near);
    } else {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "-cpu: there is no CPU model \"%s\"; -cpu help lists them", name);
    }
    return false;
}

/* ---- Settings ---- */

typedef struct Parse {
    X86CpuModel *model;
    uint64_t wanted[X86_FEATURE_WORDS];  /* set by the text: absence deserves a word */
    uint64_t removed[X86_FEATURE_WORDS]; /* cleared by the text */
    bool check, enforce;
    bool host_phys_bits;
    uint64_t phys_bits, phys_bits_limit;
    bool level_given, xlevel_given;
    bool level_auto;    /* features and topology may raise the last leaf */
    bool migratable;    /* asked for: nothing that another host may not have */
    bool modern_caches; /* legacy-cache=off */
    bool asked_hv;      /* some Hyper-V enlightenment was asked for */
} Parse;

/* Properties that are numbers with a place of their own. */
static bool
set_number(Parse *parse, const char *key, const char *value, bool *out_known, GError **error)
{
    X86CpuModel *model = parse->model;
    uint64_t number, max = UINT32_MAX;
    static const char *const keys[] = {
        "family",      "model",     "stepping",    "phys-bits",  "host-phys-bits-limit",
        "level",       "min-level", "xlevel",      "min-xlevel", "tsc-frequency",
        "level-func7", "ucode-rev", "min-xlevel2", "xlevel2",    "hv-spinlocks",
    };
    unsigned which;

    for (which = 0; which < VIT_ARRAY_LEN(keys) && !g_str_equal(key, keys[which]); which++) {
    }
    *out_known = which < VIT_ARRAY_LEN(keys);
    if (!*out_known) {
        return true;
    }
    if (which == 0) {
        max = 0xff + 0xf;
    } else if (which == 1) {
        max = 0xff;
    } else if (which == 2) {
        max = 0xf;
    } else if (which == 3 || which == 4) {
        max = 52;
    } else if (which == 9 || which == 11) {
        max = G_MAXINT64;
    }
    bool parsed = which == 9 ? vit_parse_size(value, 'B', &number) : vit_parse_uint(value, &number);
    if (!parsed || number > max || (which == 3 && number && number < 32) ||
        (which == 9 && number && number < 1000000)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "-cpu: \"%s\" is not a value for %s (%s to %" G_GUINT64_FORMAT ")", value, key,
                    which == 3   ? "0 or 32"
                    : which == 9 ? "0 or 1000000"
                                 : "0",
                    max);
        return false;
    }
    switch (which) {
    case 0: model->family = number; break;
    case 1: model->model = number; break;
    case 2: model->stepping = number; break;
    case 3: parse->phys_bits = number; break;
    case 4: parse->phys_bits_limit = number; break;
    case 5:
        parse->level_given = true;
        model->max_leaf = number;
        break;
    case 6: model->max_leaf = MAX(model->max_leaf, number); break;
    case 7:
        parse->xlevel_given = true;
        model->max_extended_leaf = number;
        break;
    case 8: model->max_extended_leaf = MAX(model->max_extended_leaf, number); break;
    case 9: model->tsc_hz = number ? number : model->tsc_hz; break;
    default: break; /* accepted, without effect on an interpreted CPU */
    }
    return true;
}

static bool
set_text(Parse *parse, const char *key, const char *value, bool *out_known, GError **error)
{
    *out_known = true;
    if (g_str_equal(key, "vendor")) {
        if (strlen(value) != 12) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                        "-cpu: vendor \"%s\" must be 12 characters long, like GenuineIntel", value);
            return false;
        }
        g_strlcpy(parse->model->vendor, value, sizeof(parse->model->vendor));
    } else if (g_str_equal(key, "model-id")) {
        g_strlcpy(parse->model->model_id, value, sizeof(parse->model->model_id));
    } else if (g_str_equal(key, "hv-vendor-id")) {
        /* belongs to the Hyper-V interface of KVM */
    } else {
        *out_known = false;
    }
    return true;
}

static bool
starts_with_any(const char *key, const char *const *prefixes)
{
    for (; *prefixes; prefixes++) {
        if (g_str_has_prefix(key, *prefixes)) {
            return true;
        }
    }
    return false;
}

/* Switches that are no features. Those without a field are for KVM or for migration between
 * hosts: known, and without effect here. */
static bool
set_switch(Parse *parse, const char *key, bool on)
{
    static const char *const known[] = {
        "kvm",
        "migratable",
        "pmu",
        "l3-cache",
        "host-cache-info",
        "full-cpuid-auto-level",
        "cpuid-0xb",
        "fill-mtrr-mask",
        "legacy-cache",
        "legacy-multi-node",
        "lmce",
        "tcg-cpuid",
        "vmware-cpuid-freq",
        "start-powered-off",
        "kvm-no-smi-migration",
        "kvm-pv-enforce-cpuid",
        "check",
        "enforce",
        "host-phys-bits",
    };
    static const char *const prefixes[] = { "hv-", "x-", "vmx-", NULL };
    bool found = starts_with_any(key, prefixes);

    for (unsigned i = 0; i < VIT_ARRAY_LEN(known) && !found; i++) {
        found = g_str_equal(key, known[i]);
    }
    if (g_str_equal(key, "check")) {
        parse->check = on;
    } else if (g_str_equal(key, "enforce")) {
        parse->enforce = on;
    } else if (g_str_equal(key, "host-phys-bits")) {
        parse->host_phys_bits = on;
    } else if (g_str_equal(key, "tcg-cpuid")) {
        parse->model->hypervisor_leaves = on;
    } else if (g_str_equal(key, "pmu")) {
        parse->model->has_pmu = on;
    } else if (g_str_equal(key, "l3-cache")) {
        parse->model->l3_cache = on;
    } else if (g_str_equal(key, "cpuid-0xb")) {
        parse->model->cpuid_0xb = on;
    } else if (g_str_equal(key, "legacy-cache")) {
        parse->model->legacy_cache = on;
        parse->modern_caches = !on;
    } else if (g_str_equal(key, "full-cpuid-auto-level")) {
        parse->level_auto = on;
    } else if (g_str_equal(key, "migratable")) {
        parse->migratable = on;
    } else if (g_str_has_prefix(key, "hv-") && on) {
        parse->asked_hv = true;
    }
    return found;
}

static void
set_wanted(Parse *parse, unsigned feature, bool on)
{
    set_feature(parse->model->features, feature, on);
    set_feature(parse->wanted, feature, on);
    set_feature(parse->removed, feature, !on);
}

static bool
unknown_setting(const char *key, GError **error)
{
    const char *names[X86_FEATURE_LAST - 1];

    for (unsigned i = 1; i < X86_FEATURE_LAST; i++) {
        names[i - 1] = features[i].name;
    }
    const char *near = vit_nearest_name(key, names, VIT_ARRAY_LEN(names));
    if (near) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "-cpu: there is no feature or property \"%s\"; the nearest is \"%s\"", key,
                    near);
    } else {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "-cpu: there is no feature or property \"%s\"; -cpu help lists them", key);
    }
    return false;
}

/* One setting: "+foo", "-foo", "foo", "foo=on", "property=value". */
static bool
apply_setting(Parse *parse, const char *text, GError **error)
{
    bool known;

    if (text[0] == '+' || text[0] == '-') {
        int feature = x86_feature_find(text + 1, strlen(text + 1));
        if (feature < 0 && !g_str_has_prefix(text + 1, "vmx-")) {
            return unknown_setting(text + 1, error);
        }
        if (feature > 0) {
            set_wanted(parse, feature, text[0] == '+');
        }
        return true;
    }
    const char *equals = strchr(text, '=');
    g_autofree char *key = equals ? g_strndup(text, equals - text) : g_strdup(text);
    const char *value = equals ? equals + 1 : "on";
    g_strdelimit(key, "_", '-');
    if (!set_number(parse, key, value, &known, error) || known) {
        return known && !(error && *error);
    }
    if (!set_text(parse, key, value, &known, error)) {
        return false;
    }
    if (known) {
        return true;
    }
    bool on = false;
    int feature = x86_feature_find(key, strlen(key));
    bool is_switch = feature < 0 && set_switch(parse, key, false);
    if (feature < 0 && !is_switch) {
        return unknown_setting(key, error);
    }
    if (!vit_parse_bool(value, &on)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "-cpu: %s is on or off, not \"%s\"", key, value);
        return false;
    }
    if (is_switch) {
        set_switch(parse, key, on);
    } else {
        set_wanted(parse, feature, on);
    }
    return true;
}

/* ---- The whole text ---- */

static void
start_from_row(X86CpuModel *model, const X86ModelRow *row)
{
    apply_row_features(model->features, row);
    g_strlcpy(model->vendor, row->vendor, sizeof(model->vendor));
    g_strlcpy(model->model_id, row->model_id, sizeof(model->model_id));
    model->family = row->family;
    model->model = row->model;
    model->stepping = row->stepping;
    model->max_leaf = row->max_leaf;
    model->max_extended_leaf = row->max_extended_leaf;
    for (const X86ModelRow *from = row; from && !model->caches;
         from = from->parent ? find_row(from->parent) : NULL) {
        model->caches = from->caches;
    }
    set_feature(model->features, X86_FEATURE_HYPERVISOR, true);
}

/* Identity of the host's CPU. */
static void
start_from_host(X86CpuModel *model)
{
    unsigned r[4] = { 0 };

    __get_cpuid(0, &r[0], &r[1], &r[2], &r[3]);
    model->max_leaf = MIN(r[0], 0xdu);
    memcpy(model->vendor, &r[1], 4);
    memcpy(model->vendor + 4, &r[3], 4);
    memcpy(model->vendor + 8, &r[2], 4);
    __get_cpuid(1, &r[0], &r[1], &r[2], &r[3]);
    model->family = (r[0] >> 8 & 15) + ((r[0] >> 8 & 15) == 15 ? r[0] >> 20 & 0xff : 0);
    model->model = (r[0] >> 4 & 15) | (r[0] >> 12 & 0xf0);
    model->stepping = r[0] & 15;
    for (unsigned i = 0; i < 3; i++) {
        if (__get_cpuid(0x80000002 + i, &r[0], &r[1], &r[2], &r[3])) {
            memcpy(model->model_id + i * 16, r, 16);
        }
    }
    model->max_extended_leaf = 0x80000008;
}

static void
take_away(Parse *parse, const uint64_t *offered, bool quiet, GArray *missing)
{
    X86CpuModel *model = parse->model;

    for (unsigned i = 1; i < X86_FEATURE_LAST; i++) {
        if (has_feature(model->features, i) && !has_feature(offered, i)) {
            set_feature(model->features, i, false);
            if (!quiet || has_feature(parse->wanted, i)) {
                g_array_append_val(missing, i);
            }
        }
    }
}

/* What means nothing without another feature goes with it, without a word. */
static void
drop_dependents(X86CpuModel *model)
{
    static const struct {
        uint16_t of, leaf_index;
    } dependents[] = {
        { X86_FEATURE_XSAVE, X86_FEATURE_XSAVEOPT },
        { X86_FEATURE_SVM, X86_FEATURE_NPT },
    };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(dependents); i++) {
        uint32_t leaf = features[dependents[i].leaf_index].leaf;
        for (unsigned f = 1; !x86_model_has(model, dependents[i].of) && f < X86_FEATURE_LAST; f++) {
            if (features[f].leaf == leaf) {
                set_feature(model->features, f, false);
            }
        }
    }
}

static unsigned
host_phys_bits(void)
{
    unsigned a = 36, b, c, d;

    return __get_cpuid(0x80000008, &a, &b, &c, &d) ? a & 0xff : 36;
}

static void
settle(Parse *parse)
{
    X86CpuModel *model = parse->model;
    bool lm = x86_model_has(model, X86_FEATURE_LM);

    if (parse->host_phys_bits) {
        model->phys_bits = host_phys_bits();
        if (parse->phys_bits_limit) {
            model->phys_bits = MIN(model->phys_bits, parse->phys_bits_limit);
        }
    } else if (parse->phys_bits) {
        model->phys_bits = parse->phys_bits;
    } else {
        model->phys_bits = lm ? 40 : x86_model_has(model, X86_FEATURE_PSE36) ? 36 : 32;
    }
    model->phys_bits = CLAMP(model->phys_bits, 32u, 52u);
    model->virt_bits = x86_model_has(model, X86_FEATURE_LA57) ? 57 : 48;
    model->hypervisor_bit = x86_model_has(model, X86_FEATURE_HYPERVISOR);
    for (unsigned i = 1; i < X86_FEATURE_LAST; i++) {
        if (!has_feature(model->features, i)) {
            continue;
        }
        uint32_t leaf = features[i].leaf;
        if (leaf < 0x20 && !parse->level_given && parse->level_auto) {
            model->max_leaf = MAX(model->max_leaf, leaf);
        } else if (leaf >> 28 == 8 && !parse->xlevel_given && parse->level_auto) {
            model->max_extended_leaf = MAX(model->max_extended_leaf, leaf);
        }
    }
    if (model->has_pmu && parse->level_auto && !parse->level_given) {
        model->max_leaf = MAX(model->max_leaf, 0xau);
    }
    if (x86_model_has(model, X86_FEATURE_TOPOEXT) && !parse->xlevel_given) {
        model->max_extended_leaf = MAX(model->max_extended_leaf, 0x8000001eu);
    }
    if (lm && !parse->xlevel_given) {
        model->max_extended_leaf = MAX(model->max_extended_leaf, 0x80000008u);
    }
}

/* "CPUID.07H:EBX.hle [bit 4]", or for a bit of an MSR "MSR(10AH).rdctl-no [bit 0]". */
static char *
place_text(unsigned feature)
{
    static const char *const registers[] = { "EAX", "EBX", "ECX", "EDX" };
    uint32_t leaf = features[feature].leaf;

    if (leaf >> 28 == 15) {
        return g_strdup_printf("MSR(%XH).%s [bit %u]", leaf & 0xfffffff, features[feature].name,
                               features[feature].bit + (features[feature].reg == 3 ? 32 : 0));
    }
    return g_strdup_printf("CPUID.%02XH:%s.%s [bit %u]", leaf, registers[features[feature].reg],
                           features[feature].name, features[feature].bit);
}

static bool
report_missing(const Parse *parse, const GArray *missing, bool is_kvm, GPtrArray *out_warnings,
               GError **error)
{
    const char *who = is_kvm ? "host" : "TCG";

    if (!missing->len || (!parse->check && !parse->enforce)) {
        return true;
    }
    g_autoptr(GString) list = g_string_new(NULL);
    for (unsigned i = 0; i < missing->len; i++) {
        unsigned feature = g_array_index(missing, unsigned, i);
        g_autofree char *place = place_text(feature);
        g_string_append_printf(list, "%s%s", i ? ", " : "", features[feature].name);
        if (out_warnings && !parse->enforce) {
            g_ptr_array_add(out_warnings, g_strdup_printf("%s doesn't support requested feature: "
                                                          "%s",
                                                          who, place));
        }
    }
    if (parse->enforce) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "-cpu %s: %s doesn't support requested features: %s; leave \"enforce\" out to "
                    "run without them",
                    parse->model->name, who, list->str);
        return false;
    }
    return true;
}

static bool
check_caches(const Parse *parse, GError **error)
{
    if (parse->modern_caches && parse->model->caches == X86_CACHES_DEFAULT) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "-cpu %s: this model has no caches of its own: leave legacy-cache=off out",
                    parse->model->name);
        return false;
    }
    return true;
}

static void
report_hyperv(const Parse *parse, GPtrArray *out_warnings)
{
    if (parse->asked_hv && out_warnings) {
        g_ptr_array_add(out_warnings,
                        g_strdup_printf("-cpu %s: the guest is not offered the Hyper-V interface: "
                                        "hv-* settings have no effect",
                                        parse->model->name));
    }
}

bool
x86_model_resolve(const char *text, const uint64_t offered[X86_FEATURE_WORDS], bool is_kvm,
                  X86CpuModel *out_model, GPtrArray *out_warnings, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);
    X86CpuModel model = { .tsc_hz = 1000000000,
                          .smp_sockets = 1,
                          .smp_dies = 1,
                          .smp_cores = 1,
                          .smp_threads = 1,
                          .hypervisor_leaves = true,
                          .l3_cache = true,
                          .cpuid_0xb = true };
    Parse parse = { .model = &model, .check = true, .level_auto = true };
    const char *name = parts[0] && *parts[0] ? parts[0] : "qemu64";
    bool is_max = g_str_equal(name, "max") || g_str_equal(name, "host");
    const X86ModelRow *row = is_max ? find_row("qemu64") : find_row(name);

    if (!row) {
        return unknown_model(name, error);
    }
    if (g_str_equal(name, "host") && !is_kvm) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "-cpu host: the host's CPU can only be passed on by KVM; use -accel kvm, or "
                    "-cpu max for everything this accelerator offers");
        return false;
    }
    start_from_row(&model, row);
    if (is_max) {
        if (is_kvm) {
            start_from_host(&model);
        } else {
            g_strlcpy(model.model_id, "QEMU TCG CPU version 2.5+", sizeof(model.model_id));
        }
        memcpy(model.features, offered, sizeof(model.features));
        if (!is_kvm) {
            /* an interpreted MWAIT cannot sleep on memory: guests that idle by it would burn a
             * host CPU, so it is given only to who asks */
            set_feature(model.features, X86_FEATURE_MONITOR, false);
        }
        parse.host_phys_bits = is_kvm;
    }
    g_strlcpy(model.name, name, sizeof(model.name));
    for (unsigned i = 1; parts[0] && parts[i]; i++) {
        if (*parts[i] && !apply_setting(&parse, parts[i], error)) {
            return false;
        }
    }
    g_autoptr(GArray) missing = g_array_new(FALSE, FALSE, sizeof(unsigned));
    bool generic = is_max || g_str_has_prefix(name, "qemu") || g_str_has_prefix(name, "kvm");
    take_away(&parse, offered, generic && !parse.enforce, missing);
    if (!report_missing(&parse, missing, is_kvm, out_warnings, error) ||
        !check_caches(&parse, error)) {
        return false;
    }
    report_hyperv(&parse, out_warnings);
    if (parse.migratable && !has_feature(parse.wanted, X86_FEATURE_INVTSC)) {
        set_feature(model.features, X86_FEATURE_INVTSC, false);
    }
    drop_dependents(&model);
    settle(&parse);
    model.level_auto = parse.level_auto && !parse.level_given;
    *out_model = model;
    return true;
}

bool
x86_model_parse(const char *text, X86CpuModel *out_model, GPtrArray *out_warnings, GError **error)
{
    uint64_t offered[X86_FEATURE_WORDS];

    x86_interpreter_features(offered);
    return x86_model_resolve(text, offered, false, out_model, out_warnings, error);
}
