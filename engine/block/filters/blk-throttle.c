/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Throttling of drives and nodes, in groups; the limits themselves are vit-throttle.h's.
 *
 * Within a group the requests of one direction queue in order of arrival, and each member has one
 * place in that queue: members take turns whatever their queue depths.
 *
 * Nobody waits while the graph stands still for a change (drain), or it would for ever.
 * Thread: in a fiber, the graph's lock held. */

#include "blk-throttle.h"

#include "blk-graph-private.h"

#include <string.h>

/* How often a waiting request looks again: a drain or new limits do not wait longer. */
#define POLL_NS INT64_C(50000000)

struct BlkThrottleGroup {
    char *name;
    BlkGraph *graph;
    unsigned ref_count;
    bool is_object; /* -object throttle-group: one of the references */
    VitThrottle throttle;
    bool busy[2];
    BlkWaitQueue queue[2];
};

/* ---- limits from options ---- */

static bool
take_number(BlkOptions *options, const char *prefix, const char *name, const char *suffix,
            uint64_t *out_value, bool *out_any, GError **error)
{
    static const VitProp number = {
        .name = "limit", .type = VIT_PROP_TYPE_SIZE, .size = sizeof(uint64_t), .max = INT64_MAX
    };
    g_autofree char *key = g_strconcat(prefix, name, suffix, NULL);
    g_autofree char *text = blk_options_take(options, key);
    VitProp prop = number;

    if (!text) {
        return true;
    }
    *out_any = true;
    prop.name = key;
    return vit_prop_parse(&prop, out_value, text, NULL, error);
}

bool
blk_throttle_take_options(BlkOptions *options, const char *prefix, VitThrottleConfig *config,
                          bool *out_any, GError **error)
{
    VitThrottleConfig wanted = *config;
    bool any = false;

    for (unsigned i = 0; i < VIT_LIMITS; i++) {
        VitLimit *limit = &wanted.limits[i];
        if (!take_number(options, prefix, vit_throttle_limit_name(i), "", &limit->rate, &any,
                         error) ||
            !take_number(options, prefix, vit_throttle_limit_name(i), "-max", &limit->max, &any,
                         error) ||
            !take_number(options, prefix, vit_throttle_limit_name(i), "-max-length",
                         &limit->burst_s, &any, error)) {
            return false;
        }
    }
    if (!take_number(options, prefix, "iops-size", "", &wanted.op_bytes, &any, error) ||
        !vit_throttle_check(&wanted, error)) {
        return false;
    }
    *config = wanted;
    if (out_any) {
        *out_any = any;
    }
    return true;
}

BlkOptions *
blk_options_take_throttle(BlkOptions *options)
{
    static const char *const older[VIT_LIMITS] = { "bps",  "bps_rd",  "bps_wr",
                                                   "iops", "iops_rd", "iops_wr" };
    static const char *const suffixes[][2] = { { "", "" },
                                               { "_max", "-max" },
                                               { "_max_length", "-max-length" } };

    for (unsigned i = 0; i < VIT_LIMITS * VIT_ARRAY_LEN(suffixes); i++) {
        const char *const *suffix = suffixes[i / VIT_LIMITS];
        g_autofree char *key = g_strconcat(older[i % VIT_LIMITS], suffix[0], NULL);
        g_autofree char *value = blk_options_take(options, key);
        if (value) {
            g_autofree char *name = g_strconcat(
                "throttling.", vit_throttle_limit_name(i % VIT_LIMITS), suffix[1], NULL);
            blk_options_set(options, name, value);
        }
    }
    static const char *const others[][2] = { { "iops_size", "throttling.iops-size" },
                                             { "group", "throttling.group" } };
    for (unsigned i = 0; i < VIT_ARRAY_LEN(others); i++) {
        g_autofree char *value = blk_options_take(options, others[i][0]);
        if (value) {
            blk_options_set(options, others[i][1], value);
        }
    }
    return blk_options_take_sub(options, "throttling");
}

/* ---- groups ---- */

BlkThrottleGroup *
blk_throttle_group_find(BlkGraph *graph, const char *name)
{
    return g_hash_table_lookup(graph->throttle_groups, name);
}

BlkThrottleGroup *
blk_throttle_group_get(BlkGraph *graph, const char *name)
{
    BlkThrottleGroup *group = blk_throttle_group_find(graph, name);

    if (!group) {
        group = g_new0(BlkThrottleGroup, 1);
        group->name = g_strdup(name);
        group->graph = graph;
        g_hash_table_insert(graph->throttle_groups, group->name, group);
    }
    group->ref_count++;
    return group;
}

void
blk_throttle_group_unref(BlkThrottleGroup *group)
{
    if (group && --group->ref_count == 0) {
        g_hash_table_remove(group->graph->throttle_groups, group->name);
        g_free(group->name);
        g_free(group);
    }
}

const char *
blk_throttle_group_name(const BlkThrottleGroup *group)
{
    return group->name;
}

void
blk_throttle_group_configure(BlkThrottleGroup *group, const VitThrottleConfig *config)
{
    vit_throttle_configure(&group->throttle, config);
}

const VitThrottleConfig *
blk_throttle_group_config(const BlkThrottleGroup *group)
{
    return &group->throttle.config;
}

bool
blk_graph_add_throttle_group(BlkGraph *graph, const char *id, const BlkOptions *options,
                             GError **error)
{
    g_autoptr(BlkOptions) left = blk_options_copy(options);
    VitThrottleConfig config = { 0 };
    BlkThrottleGroup *group;
    const char *key;

    if (!blk_throttle_take_options(left, "limits.", &config, NULL, error) ||
        !blk_throttle_take_options(left, "x-", &config, NULL, error)) {
        return false;
    }
    key = blk_options_first_key(left);
    if (key) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "A throttle group has no property '%s'.", key);
        return false;
    }
    group = blk_throttle_group_find(graph, id);
    if (group && group->is_object) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "There is already a throttle group '%s'.", id);
        return false;
    }
    group = blk_throttle_group_get(graph, id);
    group->is_object = true;
    blk_throttle_group_configure(group, &config);
    return true;
}

bool
blk_graph_remove_throttle_group(BlkGraph *graph, const char *id, GError **error)
{
    BlkThrottleGroup *group = blk_throttle_group_find(graph, id);

    if (!group || !group->is_object) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND, "There is no throttle group '%s'.", id);
        return false;
    }
    if (group->ref_count > 1) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_BUSY, "The throttle group '%s' is in use.", id);
        return false;
    }
    blk_throttle_group_unref(group);
    return true;
}

static void
drop_object(gpointer key, gpointer value, gpointer opaque)
{
    g_ptr_array_add(opaque, value);
}

void
blk_graph_free_throttle_groups(BlkGraph *graph)
{
    g_autoptr(GPtrArray) groups = g_ptr_array_new();

    g_hash_table_foreach(graph->throttle_groups, drop_object, groups);
    for (unsigned i = 0; i < groups->len; i++) {
        blk_throttle_group_unref(g_ptr_array_index(groups, i));
    }
}

/* ---- members ---- */

void
blk_throttle_join(BlkThrottleMember *member, BlkGraph *graph, BlkThrottleGroup *group)
{
    *member = (BlkThrottleMember){ .group = group, .context = graph->context, .graph = graph };
}

void
blk_throttle_leave(BlkThrottleMember *member)
{
    if (member->group) {
        g_assert(member->waiting_count == 0);
        blk_throttle_group_unref(g_steal_pointer(&member->group));
    }
}

/* One after the other: waits for OWNER to be free, and takes it. */
static void
take_turn(BlkContext *context, bool *owner, BlkWaitQueue *queue)
{
    while (*owner) {
        blk_wait(context, queue);
    }
    *owner = true;
}

static void
give_turn(BlkContext *context, bool *owner, BlkWaitQueue *queue)
{
    *owner = false;
    blk_wake_first(context, queue);
}

void
blk_throttle_wait(BlkThrottleMember *member, bool is_write, uint64_t len)
{
    BlkThrottleGroup *group = member->group;
    double delay_s;

    if (!group) {
        return;
    }
    member->waiting_count++;
    take_turn(member->context, &member->turn_taken[is_write], &member->waiting[is_write]);
    take_turn(member->context, &group->busy[is_write], &group->queue[is_write]);
    while (member->graph->drain_depth == 0 &&
           (delay_s = vit_throttle_delay_s(&group->throttle, is_write)) > 0) {
        blk_sleep_ns(member->context, delay_s < 0.05 ? (int64_t)(delay_s * 1e9) + 1000 : POLL_NS);
    }
    vit_throttle_count(&group->throttle, is_write, len);
    give_turn(member->context, &group->busy[is_write], &group->queue[is_write]);
    give_turn(member->context, &member->turn_taken[is_write], &member->waiting[is_write]);
    member->waiting_count--;
}
