/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The plan of a machine: the structure itself, and the walk over a configuration that fills it in.
 * Shorthands become the full thing they stand for; defaults are added at the end, so that an
 * explicit device in their place, wherever it stands on the command line, keeps them away.
 * Thread: the one that owns the configuration. */

#include <string.h>

#include "vit-plan-private.h"

/* ---- the structure ------------------------------------------------------------------------- */

const char *
vit_plan_keep(VitMachinePlan *plan, const char *text)
{
    return text != NULL ? g_string_chunk_insert_const(plan->strings, text) : NULL;
}

const char *
vit_plan_printf(VitMachinePlan *plan, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    return vit_plan_keep(plan, text);
}

const VitPlanProp *
vit_plan_props_find(const VitPlanProps *props, const char *key)
{
    for (unsigned i = props->n_props; i-- > 0;)
        if (strcmp(props->props[i].key, key) == 0)
            return &props->props[i];
    return NULL;
}

const char *
vit_plan_props_get(const VitPlanProps *props, const char *key)
{
    const VitPlanProp *prop = vit_plan_props_find(props, key);

    return prop != NULL ? prop->value : NULL;
}

VitPlanProps
vit_plan_props_of(VitMachinePlan *plan, const VitConfigItem *item, const char *except)
{
    VitPlanProp *props = g_new0(VitPlanProp, vit_config_item_n(item) + 1);
    unsigned n = 0;

    for (unsigned i = 0; i < vit_config_item_n(item); i++) {
        const VitParam *param = vit_config_item_param(item, i);

        if (vit_word_in_list(except, param->key, strlen(param->key), ' '))
            continue;
        props[n++] = (VitPlanProp){ vit_plan_keep(plan, param->key),
                                    vit_plan_keep(plan, param->value), vit_plan_src(item, (int)i) };
    }
    g_ptr_array_add(plan->owned, props);
    return (VitPlanProps){ props, n };
}

static GPtrArray **
lists_of(VitMachinePlan *plan, unsigned index)
{
    GPtrArray **const lists[] = {
        &plan->accels,    &plan->option_roms, &plan->objects,  &plan->chardevs,
        &plan->blockdevs, &plan->drives,      &plan->netdevs,  &plan->nics,
        &plan->audiodevs, &plan->devices,     &plan->globals,  &plan->fw_cfg,
        &plan->smbios,    &plan->acpi_tables, &plan->monitors, &plan->serials,
        &plan->parallels, &plan->debugcons,   &plan->others,   &plan->remote_displays,
    };

    return index < VIT_ARRAY_LEN(lists) ? lists[index] : NULL;
}

static VitMachinePlan *
plan_new(void)
{
    VitMachinePlan *plan = g_new0(VitMachinePlan, 1);
    GPtrArray **list;

    for (unsigned i = 0; (list = lists_of(plan, i)) != NULL; i++)
        *list = g_ptr_array_new_with_free_func(g_free);
    plan->data_dirs = g_ptr_array_new();
    plan->owned = g_ptr_array_new_with_free_func(g_free);
    plan->strings = g_string_chunk_new(1024);
    return plan;
}

void
vit_machine_plan_free(VitMachinePlan *plan)
{
    GPtrArray **list;

    if (plan == NULL)
        return;
    for (unsigned i = 0; (list = lists_of(plan, i)) != NULL; i++)
        g_ptr_array_unref(*list);
    g_ptr_array_unref(plan->data_dirs);
    g_ptr_array_unref(plan->owned);
    g_string_chunk_free(plan->strings);
    g_free(plan);
}

VitPlanChardev *
vit_plan_find_chardev(const VitMachinePlan *plan, const char *id)
{
    for (unsigned i = 0; i < plan->chardevs->len; i++) {
        VitPlanChardev *chardev = plan->chardevs->pdata[i];
        if (g_strcmp0(chardev->id, id) == 0)
            return chardev;
    }
    return NULL;
}

VitPlanDrive *
vit_plan_find_drive(const VitMachinePlan *plan, const char *id)
{
    for (unsigned i = 0; i < plan->drives->len; i++) {
        VitPlanDrive *drive = plan->drives->pdata[i];
        if (g_strcmp0(drive->id, id) == 0)
            return drive;
    }
    return NULL;
}

VitPlanNetdev *
vit_plan_find_netdev(const VitMachinePlan *plan, const char *id)
{
    for (unsigned i = 0; i < plan->netdevs->len; i++) {
        VitPlanNetdev *netdev = plan->netdevs->pdata[i];
        if (g_strcmp0(netdev->id, id) == 0)
            return netdev;
    }
    return NULL;
}

VitPlanOther *
vit_plan_find_other(const VitMachinePlan *plan, const char *option)
{
    for (unsigned i = 0; i < plan->others->len; i++) {
        VitPlanOther *other = plan->others->pdata[i];
        if (strcmp(other->option, option) == 0)
            return other;
    }
    return NULL;
}

/* ---- helpers of the walk -------------------------------------------------------------------- */

void
vit_plan_error(VitNormalizer *norm, VitPlanSrc src, VitError code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    g_autoptr(GError) error = g_error_new_literal(VIT_ERROR, (int)code, message);
    vit_config_diag_error(norm->config, src.serial, src.param, error, norm->diags);
    norm->n_errors++;
}

bool
vit_plan_bool(const VitConfigItem *item, const char *key, bool fallback)
{
    const char *value = vit_config_item_get(item, key);
    bool on;

    return value != NULL && vit_value_parse_bool(value, &on) ? on : fallback;
}

VitPlanChardev *
vit_plan_add_chardev(VitNormalizer *norm, VitPlanSrc src, const char *id, const char *backend)
{
    VitPlanChardev *chardev = g_new0(VitPlanChardev, 1);

    chardev->src = src;
    chardev->id = vit_plan_keep(norm->plan, id);
    chardev->backend = vit_plan_keep(norm->plan, backend);
    g_ptr_array_add(norm->plan->chardevs, chardev);
    return chardev;
}

/* ---- lists that need no more than copying ---------------------------------------------------- */

static void
add_device(VitNormalizer *norm, GPtrArray *list, const VitConfigItem *item, const char *name_key)
{
    VitPlanDevice *device = g_new0(VitPlanDevice, 1);
    g_autofree char *except = g_strdup_printf("%s id", name_key);

    device->src = vit_plan_src(item, -1);
    device->name = vit_plan_keep(norm->plan, vit_config_item_get(item, name_key));
    device->id = vit_plan_keep(norm->plan, vit_config_item_get(item, "id"));
    device->props = vit_plan_props_of(norm->plan, item, except);
    g_ptr_array_add(list, device);
}

static void
add_blockdev(VitNormalizer *norm, const VitConfigItem *item)
{
    VitPlanBlockdev *blockdev = g_new0(VitPlanBlockdev, 1);

    blockdev->src = vit_plan_src(item, -1);
    blockdev->driver = vit_plan_keep(norm->plan, vit_config_item_get(item, "driver"));
    blockdev->node_name = vit_plan_keep(norm->plan, vit_config_item_get(item, "node-name"));
    blockdev->props = vit_plan_props_of(norm->plan, item, "driver node-name");
    g_ptr_array_add(norm->plan->blockdevs, blockdev);
}

static void
add_global(VitNormalizer *norm, const VitConfigItem *item)
{
    VitPlanGlobal *global = g_new0(VitPlanGlobal, 1);

    global->src = vit_plan_src(item, vit_config_item_find_param(item, "value"));
    global->driver = vit_plan_keep(norm->plan, vit_config_item_get(item, "driver"));
    global->property = vit_plan_keep(norm->plan, vit_config_item_get(item, "property"));
    global->value = vit_plan_keep(norm->plan, vit_config_item_get(item, "value"));
    g_ptr_array_add(norm->plan->globals, global);
}

static void
add_fw_cfg(VitNormalizer *norm, const VitConfigItem *item)
{
    VitPlanFwCfg *entry = g_new0(VitPlanFwCfg, 1);

    entry->src = vit_plan_src(item, -1);
    entry->name = vit_plan_keep(norm->plan, vit_config_item_get(item, "name"));
    entry->file = vit_plan_keep(norm->plan, vit_config_item_get(item, "file"));
    entry->string = vit_plan_keep(norm->plan, vit_config_item_get(item, "string"));
    entry->gen_id = vit_plan_keep(norm->plan, vit_config_item_get(item, "gen_id"));
    g_ptr_array_add(norm->plan->fw_cfg, entry);
    if ((entry->file != NULL) + (entry->string != NULL) + (entry->gen_id != NULL) != 1)
        vit_plan_error(norm, entry->src, VIT_ERROR_INVALID_ARGUMENT,
                       "-fw_cfg needs exactly one of file=, string= and gen_id=");
}

static void
add_table(VitNormalizer *norm, GPtrArray *list, const VitConfigItem *item)
{
    VitPlanTable *table = g_new0(VitPlanTable, 1);
    const char *type = vit_config_item_get(item, "type");
    int64_t number = -1;

    if (type != NULL)
        vit_value_parse_int(type, &number);
    table->src = vit_plan_src(item, -1);
    table->type = (int)number;
    table->props = vit_plan_props_of(norm->plan, item, list == norm->plan->smbios ? "type" : NULL);
    g_ptr_array_add(list, table);
}

static void
add_other(VitNormalizer *norm, GPtrArray *list, const VitConfigItem *item)
{
    VitPlanOther *other = g_new0(VitPlanOther, 1);
    const VitOption *option = item->option;
    bool is_keys = option->syntax == VIT_SYNTAX_KEYS;

    other->src = vit_plan_src(item, -1);
    other->option = option->name;
    other->value =
        vit_plan_keep(norm->plan, vit_config_item_get(item, is_keys ? option->implied : "value"));
    other->props = vit_plan_props_of(norm->plan, item, is_keys ? option->implied : "value");
    g_ptr_array_add(list, other);
}

/* ---- default devices that something explicit replaces ---------------------------------------- */

static void
note_replaced(VitNormalizer *norm, const char *driver)
{
    static const struct {
        const char *drivers;
        size_t flag;
    } table[] = {
        { "isa-serial", offsetof(VitNormalizer, default_serial) },
        { "isa-parallel", offsetof(VitNormalizer, default_parallel) },
        { "isa-fdc floppy", offsetof(VitNormalizer, default_floppy) },
        { "ide-cd ide-hd scsi-cd scsi-hd", offsetof(VitNormalizer, default_cdrom) },
        { "VGA isa-vga cirrus-vga isa-cirrus-vga vmware-svga qxl-vga virtio-vga virtio-vga-gl "
          "ati-vga",
          offsetof(VitNormalizer, default_vga) },
    };

    for (unsigned i = 0; driver != NULL && i < VIT_ARRAY_LEN(table); i++)
        if (vit_word_in_list(table[i].drivers, driver, strlen(driver), ' '))
            *(bool *)((char *)norm + table[i].flag) = false;
}

static void
find_defaults(VitNormalizer *norm)
{
    norm->default_serial = norm->default_parallel = norm->default_monitor = true;
    norm->default_floppy = norm->default_cdrom = norm->default_vga = norm->default_net = true;
    for (unsigned i = 0; i < norm->items->len; i++) {
        const VitConfigItem *item = norm->items->pdata[i];

        if (item->type != VIT_ITEM_OPTION)
            continue;
        if (strcmp(item->name, "device") == 0 || strcmp(item->name, "global") == 0)
            note_replaced(norm, vit_config_item_get(item, "driver"));
        else if (strcmp(item->name, "nodefaults") == 0)
            norm->default_serial = norm->default_parallel = norm->default_monitor =
                norm->default_floppy = norm->default_cdrom = norm->default_vga = norm->default_net =
                    false;
        if (strcmp(item->name, "nodefaults") == 0)
            break;
    }
}

/* ---- the walk -------------------------------------------------------------------------------- */

/* -set GROUP.ID.ARG=VALUE changes what stands before or after it. */
static void
apply_set(VitNormalizer *norm, const VitConfigItem *set)
{
    const char *group = vit_config_item_get(set, "group"), *id = vit_config_item_get(set, "id");
    const char *arg = vit_config_item_get(set, "arg"), *value = vit_config_item_get(set, "value");
    const VitOption *option = group != NULL ? vit_option_find(group) : NULL;

    if (group == NULL || id == NULL || arg == NULL || value == NULL)
        return;
    if (option == NULL) {
        vit_plan_error(norm, vit_plan_src(set, 0), VIT_ERROR_NOT_FOUND,
                       "-set: there is no option -%s", group);
        return;
    }
    for (unsigned i = 0; i < norm->items->len; i++) {
        VitConfigItem *item = norm->items->pdata[i];

        if (item->option != option || g_strcmp0(vit_config_item_get_id(item), id) != 0)
            continue;
        VitConfigItem *changed = vit_config_item_clone(item);
        int index = vit_config_item_find_param(changed, arg);
        if (index >= 0) {
            VitParam *param = vit_config_item_param(changed, (unsigned)index);
            g_free(param->value);
            param->value = g_strdup(value);
        } else {
            vit_config_item_add_param(changed, arg, value);
        }
        vit_config_item_unref(item);
        norm->items->pdata[i] = changed;
        return;
    }
    vit_plan_error(norm, vit_plan_src(set, -1), VIT_ERROR_NOT_FOUND,
                   "-set finds no -%s with the id '%s'", group, id);
}

static void
collect_items(VitNormalizer *norm)
{
    norm->items = g_ptr_array_new_with_free_func((GDestroyNotify)vit_config_item_unref);
    for (unsigned i = 0; i < norm->config->items->len; i++) {
        VitConfigItem *item = norm->config->items->pdata[i];

        if (item->type == VIT_ITEM_OPTION || item->type == VIT_ITEM_IMAGE)
            g_ptr_array_add(norm->items, vit_config_item_ref(item));
    }
    for (unsigned i = 0; i < norm->config->items->len; i++) {
        const VitConfigItem *item = norm->config->items->pdata[i];

        if (item->type == VIT_ITEM_OPTION && strcmp(item->name, "set") == 0)
            apply_set(norm, item);
    }
}

/* -virtfs is -fsdev and the device that shows it to the guest. Without an id the tag names both, so
 * the first keeps that. */
static void
add_virtfs(VitNormalizer *norm, const VitConfigItem *item)
{
    VitMachinePlan *plan = norm->plan;
    VitPlanOther *fsdev = g_new0(VitPlanOther, 1);
    VitPlanDevice *device = g_new0(VitPlanDevice, 1);
    const char *id = vit_config_item_get(item, "id");
    const char *tag = vit_config_item_get(item, "mount_tag");
    VitPlanProp *props = g_new0(VitPlanProp, 2);

    id = vit_plan_keep(plan, id != NULL ? id : tag);
    fsdev->src = device->src = vit_plan_src(item, -1);
    fsdev->option = "fsdev";
    fsdev->value = vit_plan_keep(plan, vit_config_item_get(item, "fsdriver"));
    fsdev->props = vit_plan_props_of(plan, item, "fsdriver");
    g_ptr_array_add(plan->others, fsdev);
    props[0] = (VitPlanProp){ "fsdev", id, device->src };
    props[1] = (VitPlanProp){ "mount_tag", vit_plan_keep(plan, tag), device->src };
    g_ptr_array_add(plan->owned, props);
    device->name = "virtio-9p-pci";
    device->props = (VitPlanProps){ props, 2 };
    g_ptr_array_add(plan->devices, device);
}

static void
add_plain_device(VitNormalizer *norm, const VitConfigItem *item)
{
    add_device(norm, norm->plan->devices, item, "driver");
}

static void
add_object(VitNormalizer *norm, const VitConfigItem *item)
{
    add_device(norm, norm->plan->objects, item, "qom-type");
}

static void
add_audiodev(VitNormalizer *norm, const VitConfigItem *item)
{
    add_device(norm, norm->plan->audiodevs, item, "driver");
}

static void
add_smbios(VitNormalizer *norm, const VitConfigItem *item)
{
    add_table(norm, norm->plan->smbios, item);
}

static void
add_acpi_table(VitNormalizer *norm, const VitConfigItem *item)
{
    add_table(norm, norm->plan->acpi_tables, item);
}

static void
add_option_rom(VitNormalizer *norm, const VitConfigItem *item)
{
    add_other(norm, norm->plan->option_roms, item);
}

static void
add_rest(VitNormalizer *norm, const VitConfigItem *item)
{
    add_other(norm, norm->plan->others, item);
}

/* What is done with each option; NULL: vit_plan_machine() reads it as a whole, or it is the
 * program's own. */
static const struct {
    const char *names;
    void (*add)(VitNormalizer *norm, const VitConfigItem *item);
} handlers[] = {
    { "image drive hda hdb hdc hdd cdrom fda fdb pflash sd mtdblock", vit_plan_block },
    { "blockdev", add_blockdev },
    { "nic netdev net", vit_plan_net },
    { "chardev serial parallel monitor qmp qmp-pretty mon debugcon gdb s qtest", vit_plan_char },
    { "device", add_plain_device },
    { "object", add_object },
    { "audiodev", add_audiodev },
    { "global", add_global },
    { "fw_cfg", add_fw_cfg },
    { "smbios", add_smbios },
    { "acpitable", add_acpi_table },
    { "option-rom", add_option_rom },
    { "virtfs", add_virtfs },
    { "machine cpu accel enable-kvm smp m mem-path mem-prealloc usb no-acpi no-hpet nodefaults",
      NULL },
    { "kernel append initrd dtb bios L boot no-fd-bootchk", NULL },
    { "rtc name uuid k no-reboot no-shutdown action watchdog-action", NULL },
    { "display nographic vga full-screen curses sdl vnc spice", NULL },
    { "S snapshot pidfile D d dfilter singlestep daemonize msg echr qtest-log set", NULL },
    { "help version readconfig writeconfig no-user-config", NULL },
};

static void
add_item(VitNormalizer *norm, const VitConfigItem *item)
{
    for (unsigned i = 0; i < VIT_ARRAY_LEN(handlers); i++) {
        if (!vit_word_in_list(handlers[i].names, item->name, strlen(item->name), ' '))
            continue;
        if (handlers[i].add != NULL)
            handlers[i].add(norm, item);
        return;
    }
    add_rest(norm, item);
}

VitMachinePlan *
vit_config_normalize(VitConfig *config, VitDiagList *diags)
{
    g_autoptr(VitMachinePlan) plan = plan_new();
    VitNormalizer norm = { .config = config, .plan = plan, .diags = diags };

    collect_items(&norm);
    find_defaults(&norm);
    vit_plan_machine(&norm);
    for (unsigned i = 0; i < norm.items->len; i++)
        add_item(&norm, norm.items->pdata[i]);
    vit_plan_block_defaults(&norm);
    vit_plan_net_defaults(&norm);
    vit_plan_char_defaults(&norm);
    g_ptr_array_unref(norm.items);
    return norm.n_errors == 0 ? g_steal_pointer(&plan) : NULL;
}

void
vit_config_check(VitConfig *config, const VitKindRegistry *registry, VitDiagList *diags)
{
    vit_config_validate(config, registry, diags);
    if (vit_diag_list_count(diags, VIT_SEVERITY_ERROR) == 0)
        vit_machine_plan_free(vit_config_normalize(config, diags));
    vit_diag_list_sort(diags);
}
