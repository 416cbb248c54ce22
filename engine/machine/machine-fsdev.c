/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* -fsdev, and the half of -virtfs that is one: trees of files that file sharing devices show to the
 * guest. Thread: machine thread, device lock held. */

#include "board.h"
#include "machine-fsdev.h"

#include "fs9p-session.h"
#include "vit-error.h"

#include <string.h>

/* The index of KEY's value in NAMES, DEF without one; -1 with ERROR. */
static int
choose(const VitPlanProps *props, const char *id, const char *key, const char *const *names,
       int def, GError **error)
{
    const char *value = vit_plan_props_get(props, key);
    g_autofree char *all = NULL;

    if (!value && def >= 0) {
        return def;
    }
    for (int i = 0; value && names[i]; i++) {
        if (strcmp(names[i], value) == 0) {
            return i;
        }
    }
    all = g_strjoinv(", ", (char **)names);
    if (value) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "fsdev %s: %s=%s is none of %s",
                    id, key, value, all);
    } else {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "fsdev %s needs %s=, one of %s",
                    id, key, all);
    }
    return -1;
}

/* A mode in octal. */
static bool
get_mode(const VitPlanProps *props, const char *id, const char *key, uint32_t def, uint32_t *out,
         GError **error)
{
    const char *text = vit_plan_props_get(props, key);
    char *end = NULL;
    uint64_t mode = text ? g_ascii_strtoull(text, &end, 8) : def;

    if (text && (!*text || *end || mode > 0777)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "fsdev %s: %s=%s is not an octal mode such as %04o", id, key, text, def);
        return false;
    }
    *out = (uint32_t)mode;
    return true;
}

static bool
is_on(const VitPlanProps *props, const char *key)
{
    const char *text = vit_plan_props_get(props, key);
    bool value = false;

    return text && vit_parse_bool(text, &value) && value;
}

static Fs9pFs *
open_local(const VitPlanProps *props, const char *id, GError **error)
{
    static const char *const models[] = {
        [FS9P_PASSTHROUGH] = "passthrough",
        [FS9P_MAPPED_XATTR] = "mapped-xattr",
        [FS9P_MAPPED_FILE] = "mapped-file",
        [FS9P_NONE] = "none",
        [FS9P_NONE + 1] = NULL,
    };
    static const char *const writeouts[] = { "immediate", NULL };
    Fs9pLocalConfig config = { .path = vit_plan_props_get(props, "path"),
                               .is_readonly = is_on(props, "readonly"),
                               .is_writeout = vit_plan_props_get(props, "writeout") };
    int model;

    if (!config.path || !*config.path) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "fsdev %s needs the folder to share: path=FOLDER", id);
        return NULL;
    }
    model = choose(props, id, "security_model", models, -1, error);
    if (model < 0 || choose(props, id, "writeout", writeouts, 0, error) < 0 ||
        !get_mode(props, id, "fmode", 0600, &config.file_mode, error) ||
        !get_mode(props, id, "dmode", 0700, &config.dir_mode, error)) {
        return NULL;
    }
    config.model = (Fs9pModel)model;
    if ((vit_plan_props_get(props, "fmode") || vit_plan_props_get(props, "dmode")) &&
        model != FS9P_MAPPED_XATTR && model != FS9P_MAPPED_FILE) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "fsdev %s: fmode= and dmode= go with the mapped security models only", id);
        return NULL;
    }
    return fs9p_local_new(&config, error);
}

static Fs9pFs *
open_proxy(const VitPlanProps *props, const char *id, GError **error)
{
    static const char *const of_local[] = { "path", "security_model", "fmode", "dmode" };
    static const VitProp number = {
        .name = "sock_fd", .type = VIT_PROP_TYPE_UINT, .size = sizeof(uint32_t), .max = INT_MAX
    };
    const char *fd_text = vit_plan_props_get(props, "sock_fd");
    Fs9pProxyConfig config = { .path = vit_plan_props_get(props, "socket"),
                               .is_readonly = is_on(props, "readonly"),
                               .is_writeout = vit_plan_props_get(props, "writeout") };
    uint32_t fd = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(of_local); i++) {
        if (vit_plan_props_get(props, of_local[i])) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                        "fsdev %s: %s= is the helper's affair, which serves the folder it was "
                        "started with",
                        id, of_local[i]);
            return NULL;
        }
    }
    if (!config.path == !fd_text) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "fsdev %s needs one of socket=PATH, where virtfs-proxy-helper listens, and "
                    "sock_fd=NUMBER",
                    id);
        return NULL;
    }
    if (fd_text && !vit_prop_parse(&number, &fd, fd_text, NULL, error)) {
        return NULL;
    }
    config.fd = (int)fd;
    return fs9p_proxy_new(&config, error);
}

/* throttling.bps-total and so on. */
static bool
get_limits(const VitPlanProps *props, const char *id, VitThrottleConfig *out, GError **error)
{
    static const VitProp number = {
        .name = "limit", .type = VIT_PROP_TYPE_SIZE, .size = sizeof(uint64_t), .max = INT64_MAX
    };
    bool ok = true;

    *out = (VitThrottleConfig){ 0 };
    for (unsigned i = 0; ok && i < 2 * VIT_LIMITS + 1; i++) {
        VitLimit *limit = &out->limits[i % VIT_LIMITS];
        bool is_size = i == 2 * VIT_LIMITS, is_max = i >= VIT_LIMITS;
        g_autofree char *key =
            is_size ? g_strdup("throttling.iops-size")
                    : g_strconcat("throttling.", vit_throttle_limit_name(i % VIT_LIMITS),
                                  is_max ? "-max" : NULL, NULL);
        const char *text = vit_plan_props_get(props, key);
        VitProp prop = number;

        prop.name = key;
        ok = !text || vit_prop_parse(&prop,
                                     is_size  ? &out->op_bytes
                                     : is_max ? &limit->max
                                              : &limit->rate,
                                     text, NULL, error);
    }
    ok = ok && vit_throttle_check(out, error);
    if (!ok) {
        g_prefix_error(error, "fsdev %s: ", id);
    }
    return ok;
}

static bool
add(Machine *machine, const VitPlanOther *plan, GError **error)
{
    static const char *const multidevs[] = {
        [FS9P_MULTIDEVS_WARN] = "warn",
        [FS9P_MULTIDEVS_REMAP] = "remap",
        [FS9P_MULTIDEVS_FORBID] = "forbid",
        [FS9P_MULTIDEVS_FORBID + 1] = NULL,
    };
    const VitPlanProps *props = &plan->props;
    const char *id = vit_plan_props_get(props, "id"), *driver = plan->value;
    VitThrottleConfig limits;
    int devs;
    Fs9pFs *fs;

    id = id ? id : vit_plan_props_get(props, "mount_tag");
    if (!id || machine_find_fsdev(machine, id)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    id ? "there are two shared folders \"%s\"; give one another id="
                       : "a shared folder needs a name: id=NAME",
                    id);
        return false;
    }
    devs = choose(props, id, "multidevs", multidevs, FS9P_MULTIDEVS_WARN, error);
    if (devs < 0 || !get_limits(props, id, &limits, error)) {
        return false;
    }
    if (g_strcmp0(driver, "synth") == 0) {
        fs = fs9p_synth_new(is_on(props, "readonly"));
    } else if (g_strcmp0(driver, "local") == 0) {
        fs = open_local(props, id, error);
    } else if (g_strcmp0(driver, "proxy") == 0) {
        fs = open_proxy(props, id, error);
    } else {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "fsdev %s: there is no driver '%s'; use local, proxy or synth", id,
                    driver ? driver : "");
        return false;
    }
    if (!fs) {
        return false;
    }
    if (!machine->fsdevs) {
        machine->fsdevs = g_ptr_array_new();
    }
    g_ptr_array_add(machine->fsdevs,
                    fs9p_session_new(id, fs, (Fs9pMultidevs)devs, &limits, machine->context));
    return true;
}

bool
machine_add_fsdevs(Machine *machine, VitDiagList *diags, GError **error)
{
    for (guint i = 0; i < machine->plan->others->len; i++) {
        const VitPlanOther *plan = machine->plan->others->pdata[i];

        if (strcmp(plan->option, "fsdev") == 0 && !add(machine, plan, error)) {
            return machine_plan_error(machine, diags, plan->src, error);
        }
    }
    return true;
}

VitFsdev *
machine_find_fsdev(Machine *machine, const char *id)
{
    for (guint i = 0; machine->fsdevs && i < machine->fsdevs->len; i++) {
        VitFsdev *fsdev = machine->fsdevs->pdata[i];
        if (g_strcmp0(fsdev->id, id) == 0) {
            return fsdev;
        }
    }
    return NULL;
}

void
machine_free_fsdevs(Machine *machine)
{
    for (guint i = 0; machine->fsdevs && i < machine->fsdevs->len; i++) {
        VitFsdev *fsdev = machine->fsdevs->pdata[i];
        fsdev->free(fsdev);
    }
    g_clear_pointer(&machine->fsdevs, g_ptr_array_unref);
}
