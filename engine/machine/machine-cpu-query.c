/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What monitors tell of CPU models: the list with what this machine's accelerator cannot give of
 * each, and what a model stands for. The QMP reference manual, "query-cpu-definitions" and
 * "query-cpu-model-expansion". Thread: machine. */

#include "machine-monitor.h"

#include "vit-error.h"
#include "vit-kvm.h"
#include "x86-cpuid.h"

#include <json-glib/json-glib.h>

static void
offered_features(const Machine *machine, uint64_t out_words[X86_FEATURE_WORDS])
{
    if (machine->kvm) {
        vit_kvm_features(machine->kvm, out_words);
    } else {
        x86_interpreter_features(out_words);
    }
}

static bool
is_open_ended(const char *name)
{
    return g_str_equal(name, "max") || g_str_equal(name, "host");
}

/* The model as written down, whatever the accelerator can give of it. */
static bool
resolve_whole(Machine *machine, const char *text, const char *name, X86CpuModel *out,
              GError **error)
{
    uint64_t offered[X86_FEATURE_WORDS];

    if (is_open_ended(name)) {
        offered_features(machine, offered);
    } else {
        memset(offered, 0xff, sizeof(offered));
    }
    return x86_model_resolve(text, offered, machine->kvm != NULL, out, NULL, error);
}

static JsonArray *
unavailable_features(Machine *machine, const char *name)
{
    JsonArray *missing = json_array_new();
    uint64_t offered[X86_FEATURE_WORDS];
    X86CpuModel model;

    offered_features(machine, offered);
    if (g_str_equal(name, "host") && !machine->kvm) {
        json_array_add_string_element(missing, "kvm");
    } else if (resolve_whole(machine, name, name, &model, NULL)) {
        for (unsigned i = 1; i < X86_FEATURE_LAST; i++) {
            if (x86_model_has(&model, i) && !(offered[i / 64] >> (i % 64) & 1)) {
                json_array_add_string_element(missing, x86_feature_name(i));
            }
        }
    }
    return missing;
}

JsonNode *
machine_cpu_definitions(void *opaque)
{
    JsonArray *list = json_array_new();
    const char *name, *title;

    for (unsigned i = 0; (name = x86_model_name(i, &title)); i++) {
        JsonObject *object = json_object_new();
        g_autofree char *type = g_strconcat(name, "-x86_64-cpu", NULL);
        const char *target = x86_model_alias_target(i);
        json_object_set_string_member(object, "name", name);
        json_object_set_string_member(object, "typename", type);
        json_object_set_array_member(object, "unavailable-features",
                                     unavailable_features(opaque, name));
        if (target) {
            json_object_set_string_member(object, "alias-of", target);
        }
        json_object_set_boolean_member(object, "static", g_str_equal(name, "base"));
        json_object_set_boolean_member(object, "migration-safe", !is_open_ended(name));
        json_object_set_boolean_member(object, "deprecated", false);
        json_array_add_object_element(list, object);
    }
    return json_node_init_array(json_node_alloc(), list);
}

/* ---- Expansion ---- */

static void
add_setting(JsonObject *props, const char *key, JsonNode *value, gpointer data)
{
    GString *text = data;
    GType type = JSON_NODE_HOLDS_VALUE(value) ? json_node_get_value_type(value) : G_TYPE_INVALID;

    if (type == G_TYPE_BOOLEAN) {
        g_string_append_printf(text, ",%s=%s", key, json_node_get_boolean(value) ? "on" : "off");
    } else if (type == G_TYPE_INT64) {
        g_string_append_printf(text, ",%s=%" G_GINT64_FORMAT, key, json_node_get_int(value));
    } else if (type == G_TYPE_STRING) {
        g_string_append_printf(text, ",%s=%s", key, json_node_get_string(value));
    } else {
        g_string_append_printf(text, ",%s=", key);
    }
}

/* What a static expansion is made of, which is what a CPU needs to look the same anywhere. */
static JsonObject *
static_props(const X86CpuModel *model)
{
    JsonObject *props = json_object_new();

    for (unsigned i = 1; i < X86_FEATURE_LAST; i++) {
        json_object_set_boolean_member(props, x86_feature_name(i), x86_model_has(model, i));
    }
    json_object_set_int_member(props, "family", model->family);
    json_object_set_int_member(props, "model", model->model);
    json_object_set_int_member(props, "stepping", model->stepping);
    json_object_set_int_member(props, "min-level", model->max_leaf);
    json_object_set_int_member(props, "min-xlevel", model->max_extended_leaf);
    json_object_set_string_member(props, "vendor", model->vendor);
    json_object_set_string_member(props, "model-id", model->model_id);
    json_object_set_boolean_member(props, "lmce", false);
    return props;
}

static void
add_full_props(JsonObject *props, const X86CpuModel *model)
{
    json_object_set_int_member(props, "level", model->max_leaf);
    json_object_set_int_member(props, "xlevel", model->max_extended_leaf);
    json_object_set_int_member(props, "phys-bits", model->phys_bits);
    json_object_set_int_member(props, "tsc-frequency", model->tsc_hz);
    json_object_set_boolean_member(props, "l3-cache", model->l3_cache);
    json_object_set_boolean_member(props, "legacy-cache",
                                   model->legacy_cache || model->caches == X86_CACHES_DEFAULT);
    json_object_set_boolean_member(props, "cpuid-0xb", model->cpuid_0xb);
    json_object_set_boolean_member(props, "tcg-cpuid", model->hypervisor_leaves);
}

JsonNode *
machine_expand_cpu_model(void *opaque, bool is_static, JsonObject *wanted, GError **error)
{
    const char *name = json_object_get_string_member(wanted, "name");
    JsonNode *given = json_object_get_member(wanted, "props");
    g_autoptr(GString) text = g_string_new(name);
    X86CpuModel model;

    if (given && !JSON_NODE_HOLDS_OBJECT(given)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "Invalid parameter type for 'model.props', expected: object");
        return NULL;
    }
    if (given) {
        json_object_foreach_member(json_node_get_object(given), add_setting, text);
    }
    if (!resolve_whole(opaque, text->str, name, &model, error)) {
        return NULL;
    }
    JsonObject *result = json_object_new(), *expanded = json_object_new();
    JsonObject *props = static_props(&model);
    if (!is_static) {
        add_full_props(props, &model);
    }
    json_object_set_string_member(expanded, "name", is_static ? "base" : name);
    json_object_set_object_member(expanded, "props", props);
    json_object_set_object_member(result, "model", expanded);
    return json_node_init_object(json_node_alloc(), result);
}
