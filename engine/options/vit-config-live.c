/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* When a change of a configuration counts in a running machine. The declarations say which keys and
 * instances can change at once; what they cannot say is looked at here: a medium changes only in a
 * drive that can be opened, a device comes only onto a bus that takes more. Thread: any. */

#include <string.h>

#include "vit-config-private.h"
#include "vit-live.h"

/* ---- conditions ---------------------------------------------------------------------------- */

static bool
is_one_of(const char *text, const char *const *list)
{
    return text != NULL && g_strv_contains(list, text);
}

/* Whether a device of RUNNING that uses drive ID has a tray. */
static bool
is_used_by_tray(VitConfig *running, const char *id)
{
    static const char *const kinds[] = { "ide-cd", "scsi-cd", "floppy", NULL };

    for (unsigned i = 0; i < running->items->len; i++) {
        const VitConfigItem *item = running->items->pdata[i];

        if (strcmp(item->name, "device") == 0 &&
            g_strcmp0(vit_config_item_get(item, "drive"), id) == 0)
            return is_one_of(vit_config_item_get(item, "driver"), kinds);
    }
    return false;
}

static bool
has_tray(VitConfig *running, const VitConfigItem *item)
{
    const char *interface = vit_config_item_get(item, "if");
    const char *id = vit_config_item_get(item, "id");

    if (strcmp(item->name, "drive") != 0)
        return true; /* -cdrom, -fda, -fdb */
    if (g_strcmp0(interface, "floppy") == 0)
        return true;
    if (g_strcmp0(interface, "none") == 0)
        return id != NULL && is_used_by_tray(running, id);
    return g_strcmp0(vit_config_item_get(item, "media"), "cdrom") == 0;
}

/* A drive that is there although nobody asked for it. */
static bool
has_default_drive(VitConfig *running, const VitConfigItem *item)
{
    return strcmp(item->name, "fdb") != 0 && vit_config_find(running, "nodefaults", NULL) == NULL;
}

static bool
can_plug(const VitConfigItem *item, const VitKindRegistry *registry)
{
    const char *driver = vit_config_item_get(item, "driver");
    VitKindInfo info;

    return driver != NULL && registry != NULL && registry->find != NULL &&
           registry->find(registry->data, VIT_KIND_DEVICE, driver, &info) && info.hotplug;
}

/* ---- class --------------------------------------------------------------------------------- */

static VitChange
declared(const VitConfigItem *item, const char *key)
{
    const VitOption *option = item->option;
    const VitOptionKey *found =
        key != NULL && option->syntax == VIT_SYNTAX_KEYS
            ? vit_option_find_key(option, vit_config_item_get_variant(item), key, NULL)
            : NULL;

    if (found != NULL && found->change != VIT_CHANGE_RESTART)
        return found->change;
    /* Of a list each instance is a thing of its own; otherwise keys are like their option. */
    return key != NULL && option->repeat == VIT_REPEAT_LIST && option->syntax == VIT_SYNTAX_KEYS
               ? VIT_CHANGE_RESTART
               : option->change;
}

static VitChange
class_of_instance(VitConfig *running, const VitConfigItem *item, bool is_there,
                  const VitKindRegistry *registry)
{
    VitChange change = declared(item, NULL);
    const char *name = item->name;

    if (change != VIT_CHANGE_HOT)
        return change;
    if (strcmp(name, "device") == 0)
        return can_plug(item, registry) && (!is_there || vit_config_item_get_id(item) != NULL)
                   ? change
                   : VIT_CHANGE_RESTART;
    if (strcmp(name, "drive") == 0)
        return !is_there && g_strcmp0(vit_config_item_get(item, "if"), "none") == 0
                   ? change
                   : VIT_CHANGE_RESTART;
    if (item->option->page != NULL && item->option->syntax == VIT_SYNTAX_VALUE &&
        is_one_of(name, (const char *const[]){ "cdrom", "fda", "fdb", NULL }))
        return is_there || has_default_drive(running, item) ? change : VIT_CHANGE_RESTART;
    /* back ends come at once, and stay until the machine ends */
    if (item->option->repeat == VIT_REPEAT_LIST && item->option->id_key != NULL && is_there)
        return VIT_CHANGE_RESTART;
    return change;
}

VitChange
vit_live_class(VitConfig *running, const VitConfigItem *item, const char *key, bool is_there,
               const VitKindRegistry *registry)
{
    VitChange change;

    if (item->type != VIT_ITEM_OPTION || item->option == NULL)
        return VIT_CHANGE_RESTART;
    if (key == NULL || !is_there)
        return class_of_instance(running, item, is_there, registry);
    change = declared(item, key);
    if (change == VIT_CHANGE_HOT && strcmp(item->name, "drive") == 0 &&
        is_one_of(key, (const char *const[]){ "file", "format", NULL }) && !has_tray(running, item))
        return VIT_CHANGE_RESTART;
    return change;
}

/* ---- taking over --------------------------------------------------------------------------- */

bool
vit_config_take(VitConfig *config, uint32_t serial, const char *key, const VitConfigItem *from)
{
    int index = vit_config_index_of(config, serial);

    if (key == NULL && index < 0) {
        VitConfigItem *copy = vit_config_item_clone(from);

        vit_config_begin(config, NULL);
        copy->serial = serial;
        vit_config_append(config, copy);
        vit_config_end(config);
        return true;
    }
    if (index < 0)
        return false;
    g_autoptr(VitConfigItem) item =
        vit_config_item_clone(key != NULL ? config->items->pdata[index] : from);
    item->serial = serial;
    if (key != NULL) {
        for (int i; (i = vit_config_item_find_param(item, key)) >= 0;)
            vit_config_item_remove_param(item, (unsigned)i);
        for (unsigned i = 0; i < from->params->len; i++) {
            const VitParam *param = vit_config_item_param(from, i);

            if (strcmp(param->key, key) == 0)
                vit_config_item_add_param(item, key, param->value)->json_type = param->json_type;
        }
        if (!vit_config_item_print(item, NULL))
            return false;
        g_clear_pointer(&item->conf_text, g_free);
    }
    vit_config_begin(config, NULL);
    vit_config_item_unref(config->items->pdata[index]);
    config->items->pdata[index] = g_steal_pointer(&item);
    vit_config_end(config);
    return true;
}
