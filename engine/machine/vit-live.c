/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Changes of a machine that exists, for the application. The machine keeps the configuration it is
 * now like; a new one is compared with it, and each difference that has a row here is carried out
 * by the call that the monitor's command for it makes. What the new configuration means is taken
 * from its plan, so that ids and paths are those of a machine built from it; plans stay until the
 * machine goes, as parts keep their strings. Everything but the two façade functions runs on the
 * machine thread with the device lock held. */

#include "vit-live.h"

#include "board.h"
#include "facade-private.h"
#include "machine-iothread.h"
#include "machine-monitor.h"

#include "vit-error.h"
#include "vit-net.h"

#include <string.h>

typedef struct LiveStep {
    Machine *machine;
    VitMachinePlan *before, *after;
    const VitConfigItem *old_item, *new_item; /* NULL: comes, goes */
    const char *key;                          /* NULL: the instance */
    char *waits_for;
} LiveStep;

typedef struct LiveRule {
    const char *option;
    const char *key; /* NULL: the instance; "*": any key; ending in '*': that begins so */
    bool (*apply)(LiveStep *step, GError **error); /* NULL: the window's own affair */
} LiveRule;

/* ---- drives ---- */

static const VitPlanDrive *
find_drive(const VitMachinePlan *plan, const VitConfigItem *item)
{
    for (guint i = 0; item && i < plan->drives->len; i++) {
        const VitPlanDrive *drive = plan->drives->pdata[i];

        if (drive->src.serial == vit_config_item_get_serial(item)) {
            return drive;
        }
    }
    return NULL;
}

/* The drive of the machine that the step is about. */
static VitDrive *
get_drive(LiveStep *step, GError **error)
{
    const VitPlanDrive *plan = find_drive(step->before, step->old_item);

    if (!plan) {
        plan = find_drive(step->after, step->new_item);
    }
    if (!plan) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND, "the machine has no such drive");
        return NULL;
    }
    return machine_find_drive(step->machine, plan->id, error);
}

static bool
change_medium(LiveStep *step, GError **error)
{
    const VitPlanDrive *plan = find_drive(step->after, step->new_item);
    VitDrive *drive = get_drive(step, error);

    if (!drive) {
        return false;
    }
    return plan && plan->file
               ? blk_drive_change(drive, plan->file, plan->format, "retain", false, error)
               : blk_drive_eject(drive, false, error);
}

static bool
change_limits(LiveStep *step, GError **error)
{
    const VitPlanDrive *plan = find_drive(step->after, step->new_item);
    VitDrive *drive = plan ? get_drive(step, error) : NULL;
    g_autoptr(BlkOptions) options = blk_options_new();
    g_autoptr(BlkOptions) limits = NULL;

    if (!drive) {
        return false;
    }
    for (unsigned i = 0; i < plan->props.n_props; i++) {
        blk_options_set(options, plan->props.props[i].key, plan->props.props[i].value);
    }
    limits = blk_options_take_throttle(options);
    if (!limits) {
        limits = blk_options_new(); /* none any more */
    }
    return blk_drive_throttle(drive, limits, error);
}

static bool
plug_drive(LiveStep *step, GError **error)
{
    const VitPlanDrive *plan = find_drive(step->after, step->new_item);

    return plan && machine_add_drive(step->machine, plan, error);
}

/* ---- back ends and devices ---- */

static const VitPlanNetdev *
find_netdev(const VitMachinePlan *plan, const VitConfigItem *item)
{
    for (guint i = 0; item && i < plan->netdevs->len; i++) {
        const VitPlanNetdev *netdev = plan->netdevs->pdata[i];

        if (netdev->src.serial == vit_config_item_get_serial(item)) {
            return netdev;
        }
    }
    return NULL;
}

static bool
plug_netdev(LiveStep *step, GError **error)
{
    const VitPlanNetdev *plan = find_netdev(step->after, step->new_item);

    return plan && machine_add_netdev(step->machine, plan, error);
}

static bool
plug_chardev(LiveStep *step, GError **error)
{
    uint32_t serial = vit_config_item_get_serial(step->new_item);

    for (guint i = 0; i < step->after->chardevs->len; i++) {
        const VitPlanChardev *plan = step->after->chardevs->pdata[i];

        if (plan->src.serial == serial) {
            return machine_add_chardev(step->machine, plan, error);
        }
    }
    return true;
}

static bool
plug_device(LiveStep *step, GError **error)
{
    const VitConfigItem *item = step->new_item;
    g_autoptr(GPtrArray) keys = g_ptr_array_new();
    g_autoptr(GPtrArray) values = g_ptr_array_new();

    for (unsigned i = 0; i < vit_config_item_get_n_params(item); i++) {
        const char *key = vit_config_item_get_param_key(item, i);

        if (strcmp(key, "driver") != 0) {
            g_ptr_array_add(keys, (gpointer)key);
            g_ptr_array_add(values, (gpointer)vit_config_item_get_param_value(item, i));
        }
    }
    g_ptr_array_add(keys, NULL);
    g_ptr_array_add(values, NULL);
    return machine_device_add(step->machine, vit_config_item_get(item, "driver"),
                              (const char *const *)keys->pdata, (const char *const *)values->pdata,
                              error);
}

static bool
change_device(LiveStep *step, GError **error)
{
    const char *id;

    if (step->new_item) {
        return plug_device(step, error);
    }
    id = vit_config_item_get_id(step->old_item);
    if (!id || !machine_device_del(step->machine, id, error)) {
        return false;
    }
    if (machine_find_device(step->machine, id)) {
        step->waits_for = g_strdup(id);
    }
    return true;
}

/* ---- port forwards ---- */

static VitNetdev *
get_user_netdev(LiveStep *step, GError **error)
{
    const VitPlanNetdev *plan = find_netdev(step->before, step->old_item);

    for (guint i = 0; plan && i < step->machine->netdevs->len; i++) {
        VitNetdev *netdev = step->machine->netdevs->pdata[i];

        if (vit_net_is_user(netdev) && g_strcmp0(netdev->id, plan->id) == 0) {
            return netdev;
        }
    }
    g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                "the machine has no such user network to forward a port to");
    return NULL;
}

static bool
has_value(const VitConfigItem *item, const char *key, const char *value)
{
    for (unsigned i = 0; i < vit_config_item_get_n_params(item); i++) {
        if (strcmp(vit_config_item_get_param_key(item, i), key) == 0 &&
            strcmp(vit_config_item_get_param_value(item, i), value) == 0) {
            return true;
        }
    }
    return false;
}

/* Takes away the rules of FROM that TO has not; all rules that went are put into GONE. */
static bool
remove_forwards(VitNetdev *netdev, const VitConfigItem *from, const VitConfigItem *to,
                GPtrArray *gone, GError **error)
{
    for (unsigned i = 0; i < vit_config_item_get_n_params(from); i++) {
        const char *rule = vit_config_item_get_param_value(from, i);
        g_autofree char *host_side = NULL;

        if (strcmp(vit_config_item_get_param_key(from, i), "hostfwd") != 0 ||
            has_value(to, "hostfwd", rule)) {
            continue;
        }
        host_side = g_strndup(rule, strcspn(rule, "-"));
        if (!vit_net_user_remove_hostfwd(netdev, host_side, error)) {
            return false;
        }
        g_ptr_array_add(gone, (gpointer)rule);
    }
    return true;
}

static bool
change_forwards(LiveStep *step, GError **error)
{
    VitNetdev *netdev = get_user_netdev(step, error);
    g_autoptr(GPtrArray) gone = g_ptr_array_new();

    if (!netdev || !remove_forwards(netdev, step->old_item, step->new_item, gone, error)) {
        return false;
    }
    for (unsigned i = 0; i < vit_config_item_get_n_params(step->new_item); i++) {
        const char *rule = vit_config_item_get_param_value(step->new_item, i);

        if (strcmp(vit_config_item_get_param_key(step->new_item, i), "hostfwd") == 0 &&
            !has_value(step->old_item, "hostfwd", rule) &&
            !vit_net_user_add_hostfwd(netdev, rule, error)) {
            /* as it was: the old rules were possible a moment ago */
            for (guint g = 0; g < gone->len; g++) {
                vit_net_user_add_hostfwd(netdev, gone->pdata[g], NULL);
            }
            return false;
        }
    }
    return true;
}

/* ---- the machine itself ---- */

static bool
change_reactions(LiveStep *step, GError **error)
{
    VitMachinePlan *plan = step->machine->plan;

    plan->reboot_ends = step->after->reboot_ends;
    plan->shutdown_pauses = step->after->shutdown_pauses;
    plan->panic_action = step->after->panic_action;
    plan->watchdog_action = step->after->watchdog_action;
    return true;
}

static bool
change_name(LiveStep *step, GError **error)
{
    step->machine->plan->name = step->after->name;
    return true;
}

static bool
change_iothread(LiveStep *step, GError **error)
{
    const char *id = vit_config_item_get_id(step->new_item);
    const char *text = vit_config_item_get(step->new_item, step->key);
    VitIothread *thread = id ? machine_find_iothread(step->machine, id) : NULL;

    if (!thread) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND, "the machine has no such iothread");
        return false;
    }
    return machine_set_iothread(thread, step->key, text, error);
}

static bool
change_log_items(LiveStep *step, GError **error)
{
    return machine_set_log_items(step->machine,
                                 step->after->log_items ? step->after->log_items : "none", error);
}

static bool
change_log_file(LiveStep *step, GError **error)
{
    return machine_set_log_file(step->machine, step->after->log_file, error);
}

/* ---- what can be done ---- */

static const LiveRule rules[] = {
    { "cdrom", "value", change_medium },
    { "fda", "value", change_medium },
    { "fdb", "value", change_medium },
    { "drive", NULL, plug_drive },
    { "drive", "file", change_medium },
    { "drive", "format", change_medium },
    { "drive", "throttling.*", change_limits },
    { "drive", "bps*", change_limits },
    { "drive", "iops*", change_limits },
    { "drive", "group", change_limits },
    { "netdev", NULL, plug_netdev },
    { "netdev", "hostfwd", change_forwards },
    { "nic", "hostfwd", change_forwards },
    { "net", "hostfwd", change_forwards },
    { "chardev", NULL, plug_chardev },
    { "object", "poll-*", change_iothread },
    { "object", "aio-max-batch", change_iothread },
    { "device", NULL, change_device },
    { "name", "*", change_name },
    { "no-reboot", "value", change_reactions },
    { "no-shutdown", "value", change_reactions },
    { "action", "*", change_reactions },
    { "d", "value", change_log_items },
    { "D", "value", change_log_file },
    { "display", "*", NULL },
    { "full-screen", "value", NULL },
    { "no-quit", "value", NULL },
    { "alt-grab", "value", NULL },
    { "ctrl-grab", "value", NULL },
};

static bool
key_matches(const char *pattern, const char *key)
{
    size_t len = strlen(pattern);

    return pattern[len - 1] == '*' ? strncmp(key, pattern, len - 1) == 0
                                   : strcmp(key, pattern) == 0;
}

/* Of an option that exists once, the instance is its keys. */
static const LiveRule *
find_rule(const VitOption *option, const char *key)
{
    bool is_list = option->repeat == VIT_REPEAT_LIST;

    for (unsigned i = 0; i < VIT_ARRAY_LEN(rules); i++) {
        const LiveRule *rule = &rules[i];

        if (strcmp(rule->option, option->name) == 0 &&
            (key && rule->key ? key_matches(rule->key, key)
             : is_list        ? !key && !rule->key
                              : true)) {
            return rule;
        }
    }
    return NULL;
}

bool
vit_live_is_built(const char *name, const char *key)
{
    const VitOption *option = vit_option_find(name);

    return option && find_rule(option, key) != NULL;
}

static bool
run_rule(LiveStep *step, GError **error)
{
    const VitConfigItem *item = step->new_item ? step->new_item : step->old_item;
    const VitOption *option = vit_config_item_get_option(item);
    const LiveRule *rule = option ? find_rule(option, step->key) : NULL;

    if (!rule) {
        g_set_error(
            error, VIT_ERROR, VIT_ERROR_STATE, "-%s%s%s cannot be changed while the machine runs",
            vit_config_item_get_name(item), step->key ? " " : "", step->key ? step->key : "");
        return false;
    }
    return !rule->apply || rule->apply(step, error);
}

/* ---- comparing ---- */

/* All uses of KEY, in order. */
static char *
values_of(const VitConfigItem *item, const char *key)
{
    GString *text = g_string_new(NULL);

    for (unsigned i = 0; i < vit_config_item_get_n_params(item); i++) {
        if (strcmp(vit_config_item_get_param_key(item, i), key) == 0) {
            g_string_append_printf(text, "%s\n", vit_config_item_get_param_value(item, i));
        }
    }
    return g_string_free(text, FALSE);
}

/* Each key of ITEM once that the two have not alike. */
static bool
change_keys_of(LiveStep *step, const VitConfigItem *item, GHashTable *done, GError **error)
{
    for (unsigned i = 0; i < vit_config_item_get_n_params(item); i++) {
        const char *key = vit_config_item_get_param_key(item, i);
        g_autofree char *before = values_of(step->old_item, key);
        g_autofree char *after = values_of(step->new_item, key);

        if (!g_hash_table_add(done, (gpointer)key) || strcmp(before, after) == 0) {
            continue;
        }
        step->key = key;
        if (!run_rule(step, error)) {
            return false;
        }
    }
    return true;
}

static bool
change_keys(LiveStep *step, GError **error)
{
    g_autoptr(GHashTable) done = g_hash_table_new(g_str_hash, g_str_equal);

    return change_keys_of(step, step->new_item, done, error) &&
           change_keys_of(step, step->old_item, done, error);
}

static bool
apply_entry(LiveStep *step, const VitDiffEntry *entry, GError **error)
{
    step->old_item = entry->old_item;
    step->new_item = entry->new_item;
    step->key = NULL;
    if (entry->type == VIT_DIFF_MOVED) {
        return true;
    }
    if (entry->type != VIT_DIFF_CHANGED) {
        return run_rule(step, error);
    }
    return change_keys(step, error);
}

VitMachinePlan *
machine_make_plan(VitConfig *next, GError **error)
{
    g_autoptr(VitDiagList) diags = vit_diag_list_new();
    VitMachinePlan *plan;

    vit_config_validate(next, vit_engine_get_registry(), diags);
    if (!vit_diag_list_to_error(diags, error)) {
        return NULL;
    }
    plan = vit_config_normalize(next, diags);
    if (!plan && vit_diag_list_to_error(diags, error)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED, "the configuration contradicts itself");
    }
    return plan;
}

static void
do_change(FacadeCall *call)
{
    Machine *machine = call->machine;
    VitConfig *next = call->object;
    g_autoptr(GPtrArray) diff = vit_config_diff(machine->config, next);
    LiveStep step = { .machine = machine };

    step.before = machine->live_plan ? machine->live_plan : machine->plan;
    step.after = machine_make_plan(next, &call->error);
    if (!step.after) {
        return;
    }
    g_ptr_array_add(machine->live_plans, step.after);
    for (guint i = 0; i < diff->len && !call->error; i++) {
        apply_entry(&step, diff->pdata[i], &call->error);
    }
    if (call->error) {
        g_free(step.waits_for);
        return;
    }
    machine->live_plan = step.after;
    g_set_object(&machine->config, next);
    call->result = step.waits_for ? step.waits_for : g_strdup("");
    call->free_result = g_free;
}

void
vit_machine_change_async(VitMachine *machine, VitConfig *next, GAsyncReadyCallback callback,
                         gpointer data)
{
    GTask *task = g_task_new(machine, NULL, callback, data);
    /* the machine's own: a configuration belongs to one thread */
    VitConfig *copy = vit_config_copy(next);

    g_task_set_task_data(task, copy, g_object_unref);
    vit_machine_call(machine, task, &(FacadeCall){ .run = do_change, .object = copy });
}

gboolean
vit_machine_change_finish(VitMachine *machine, GAsyncResult *result, char **out_waits_for,
                          GError **error)
{
    g_autofree char *text = g_task_propagate_pointer(G_TASK(result), error);

    if (out_waits_for) {
        *out_waits_for = text && *text ? g_strdup(text) : NULL;
    }
    return text != NULL;
}
