/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Network cards and backends of a plan, from -nic, -netdev and the old -net, whose cards and
 * backends meet on hub 0. Without any of them the machine gets one card on a user network.
 * Thread: the one that owns the configuration. */

#include <string.h>

#include "vit-plan-private.h"

static const char nic_keys[] = "mac macaddr model addr vectors name";

static const char *
free_id(VitNormalizer *norm)
{
    for (unsigned n = 0;; n++) {
        g_autofree char *id = g_strdup_printf("net%u", n);

        if (vit_plan_find_netdev(norm->plan, id) == NULL &&
            vit_config_find(norm->config, "netdev", id) == NULL &&
            vit_config_find(norm->config, "nic", id) == NULL)
            return vit_plan_keep(norm->plan, id);
    }
}

static VitPlanNetdev *
add_netdev(VitNormalizer *norm, const VitConfigItem *item, const char *except)
{
    VitPlanNetdev *netdev = g_new0(VitPlanNetdev, 1);
    const char *id = item ? vit_config_item_get(item, "id") : NULL;
    const char *type = item ? vit_config_item_get(item, "type") : "user";

    netdev->src = vit_plan_src(item, -1);
    netdev->type = vit_plan_keep(norm->plan, type != NULL ? type : "user");
    netdev->id = id != NULL ? vit_plan_keep(norm->plan, id) : free_id(norm);
    netdev->hub = -1;
    if (item != NULL)
        netdev->props = vit_plan_props_of(norm->plan, item, except);
    g_ptr_array_add(norm->plan->netdevs, netdev);
    return netdev;
}

static VitPlanNic *
add_nic(VitNormalizer *norm, const VitConfigItem *item)
{
    VitPlanNic *nic = g_new0(VitPlanNic, 1);
    int64_t vectors = -1;

    nic->src = vit_plan_src(item, -1);
    nic->hub = nic->vectors = -1;
    g_ptr_array_add(norm->plan->nics, nic);
    if (item == NULL)
        return nic;
    const char *mac = vit_config_item_get(item, "mac");
    const char *count = vit_config_item_get(item, "vectors");
    nic->mac = vit_plan_keep(norm->plan, mac ? mac : vit_config_item_get(item, "macaddr"));
    nic->model = vit_plan_keep(norm->plan, vit_config_item_get(item, "model"));
    nic->addr = vit_plan_keep(norm->plan, vit_config_item_get(item, "addr"));
    nic->name = vit_plan_keep(norm->plan, vit_config_item_get(item, "name"));
    if (count != NULL && vit_value_parse_int(count, &vectors))
        nic->vectors = (int)vectors;
    return nic;
}

static void
read_nic(VitNormalizer *norm, const VitConfigItem *item)
{
    const char *type = vit_config_item_get(item, "type");
    g_autofree char *except = g_strdup_printf("type id %s", nic_keys);

    if (g_strcmp0(type, "none") == 0)
        return;
    VitPlanNic *nic = add_nic(norm, item);
    nic->netdev = add_netdev(norm, item, except)->id;
}

static void
read_net(VitNormalizer *norm, const VitConfigItem *item)
{
    const char *type = vit_config_item_get(item, "type");

    if (type == NULL || strcmp(type, "none") == 0)
        return;
    if (strcmp(type, "nic") == 0) {
        VitPlanNic *nic = add_nic(norm, item);
        nic->netdev = vit_plan_keep(norm->plan, vit_config_item_get(item, "netdev"));
        nic->hub = nic->netdev != NULL ? -1 : 0;
        return;
    }
    VitPlanNetdev *netdev = add_netdev(norm, item, "type id name");
    netdev->hub = 0;
    netdev->name = vit_plan_keep(norm->plan, vit_config_item_get(item, "name"));
}

void
vit_plan_net(VitNormalizer *norm, const VitConfigItem *item)
{
    norm->default_net = false;
    if (strcmp(item->name, "nic") == 0)
        read_nic(norm, item);
    else if (strcmp(item->name, "net") == 0)
        read_net(norm, item);
    else
        add_netdev(norm, item, "type id");
}

/* A netdev carries one card; a second one would wait for packets that never come. */
static void
check_shared(VitNormalizer *norm)
{
    g_autoptr(GHashTable) users = g_hash_table_new(g_str_hash, g_str_equal);

    for (unsigned i = 0; i < norm->plan->nics->len; i++) {
        const VitPlanNic *nic = norm->plan->nics->pdata[i];

        if (nic->netdev == NULL)
            continue;
        if (!g_hash_table_add(users, (gpointer)nic->netdev))
            vit_plan_error(norm, nic->src, VIT_ERROR_INVALID_ARGUMENT,
                           "the network backend '%s' already has a card; a hub joins several",
                           nic->netdev);
    }
    for (unsigned i = 0; i < norm->plan->devices->len; i++) {
        const VitPlanDevice *device = norm->plan->devices->pdata[i];
        const VitPlanProp *prop = vit_plan_props_find(&device->props, "netdev");

        if (prop != NULL && !g_hash_table_add(users, (gpointer)prop->value))
            vit_plan_error(norm, prop->src, VIT_ERROR_INVALID_ARGUMENT,
                           "the network backend '%s' already has a card; a hub joins several",
                           prop->value);
    }
}

void
vit_plan_net_defaults(VitNormalizer *norm)
{
    if (norm->default_net) {
        VitPlanNic *nic = add_nic(norm, NULL);

        nic->is_default = true;
        nic->netdev = add_netdev(norm, NULL, NULL)->id;
    }
    check_shared(norm);
}
