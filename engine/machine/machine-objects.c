/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* -object: things that devices and backends name by id. Each kind is one row below: how it is made
 * from its properties, how it goes. Thread: machine, device lock held. */

#include "board.h"
#include "machine-rng.h"

#include "vit-error.h"

#include <string.h>

typedef struct ObjectKind {
    const char *name;
    bool (*add)(Machine *machine, const char *id, const BlkOptions *props, GError **error);
    bool (*remove)(Machine *machine, const char *id, GError **error);
} ObjectKind;

/* ---- secret ---- */

static bool
read_secret(const BlkOptions *props, const char *id, char **out_bytes, size_t *out_len,
            GError **error)
{
    const char *data = blk_options_get(props, "data"), *file = blk_options_get(props, "file");
    g_autoptr(GError) cause = NULL;

    if (!data == !file) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "The secret '%s' needs data= or file=, and not both.", id);
        return false;
    }
    if (data) {
        *out_bytes = g_strdup(data);
        *out_len = strlen(data);
    } else if (!g_file_get_contents(file, out_bytes, out_len, &cause)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "The secret '%s' cannot be read: %s", id,
                    cause->message);
        return false;
    }
    return true;
}

static bool
add_secret(Machine *machine, const char *id, const BlkOptions *props, GError **error)
{
    const char *format = blk_options_get(props, "format");
    g_autofree char *bytes = NULL;
    size_t len;

    if (blk_options_get(props, "keyid") || blk_options_get(props, "iv")) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_AVAILABLE_YET,
                    "The secret '%s': encrypted secrets (keyid=) are not available yet; use file= "
                    "with a file that only you can read.",
                    id);
        return false;
    }
    if (!read_secret(props, id, &bytes, &len, error)) {
        return false;
    }
    if (g_strcmp0(format, "base64") == 0) {
        g_base64_decode_inplace(bytes, &len);
    }
    g_autoptr(GBytes) secret = g_bytes_new(bytes, len);
    blk_graph_add_secret(machine->blk, id, secret);
    return true;
}

static bool
remove_secret(Machine *machine, const char *id, GError **error)
{
    blk_graph_remove_secret(machine->blk, id);
    return true;
}

/* ---- throttle-group ---- */

static bool
add_throttle_group(Machine *machine, const char *id, const BlkOptions *props, GError **error)
{
    return blk_graph_add_throttle_group(machine->blk, id, props, error);
}

static bool
remove_throttle_group(Machine *machine, const char *id, GError **error)
{
    return blk_graph_remove_throttle_group(machine->blk, id, error);
}

static const ObjectKind kinds[] = {
    { "secret", add_secret, remove_secret },
    { "throttle-group", add_throttle_group, remove_throttle_group },
    { "rng-builtin", machine_add_rng_builtin, machine_remove_rng },
    { "rng-random", machine_add_rng_random, machine_remove_rng },
};

/* ---- All ---- */

static bool
add_object(Machine *machine, const VitPlanDevice *plan, GError **error)
{
    g_autoptr(BlkOptions) props = blk_options_new();

    for (unsigned i = 0; i < plan->props.n_props; i++) {
        blk_options_set(props, plan->props.props[i].key, plan->props.props[i].value);
    }
    for (unsigned i = 0; i < VIT_ARRAY_LEN(kinds); i++) {
        if (strcmp(kinds[i].name, plan->name) == 0) {
            return kinds[i].add(machine, plan->id, props, error);
        }
    }
    g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_AVAILABLE_YET,
                "objects of the kind '%s' are not available yet", plan->name);
    return false;
}

bool
machine_add_objects(Machine *machine, VitDiagList *diags, GError **error)
{
    for (guint i = 0; i < machine->plan->objects->len; i++) {
        const VitPlanDevice *object = machine->plan->objects->pdata[i];

        if (!add_object(machine, object, error)) {
            return machine_plan_error(machine, diags, object->src, error);
        }
    }
    return true;
}
