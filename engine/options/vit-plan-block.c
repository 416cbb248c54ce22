/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Drives of a plan: -drive and the shorthands -hda to -pflash and the bare image, with the slot
 * each of them takes. Slots are given out in the order of the command line: index= is a slot
 * number, bus= and unit= name it directly, otherwise the next free one is taken.
 * Thread: the one that owns the configuration. */

#include <string.h>

#include "vit-plan-private.h"

static const struct {
    const char *name;
    VitPlanInterface interface;
} interfaces[] = {
    { "none", VIT_PLAN_IF_NONE },     { "ide", VIT_PLAN_IF_IDE },
    { "floppy", VIT_PLAN_IF_FLOPPY }, { "pflash", VIT_PLAN_IF_PFLASH },
    { "virtio", VIT_PLAN_IF_VIRTIO }, { "scsi", VIT_PLAN_IF_SCSI },
    { "sd", VIT_PLAN_IF_SD },         { "mtd", VIT_PLAN_IF_MTD },
};

static const char *
interface_name(VitPlanInterface interface)
{
    for (unsigned i = 0; i < VIT_ARRAY_LEN(interfaces); i++)
        if (interfaces[i].interface == interface)
            return interfaces[i].name;
    return "none";
}

/* Units on one bus; 0 when there is no such limit. */
static int
units_per_bus(const VitNormalizer *norm, VitPlanInterface interface)
{
    switch (interface) {
    case VIT_PLAN_IF_IDE: return norm->is_q35 ? 1 : 2;
    case VIT_PLAN_IF_SCSI: return 7;
    default: return 0;
    }
}

static int
max_slots(const VitNormalizer *norm, VitPlanInterface interface)
{
    switch (interface) {
    case VIT_PLAN_IF_IDE: return norm->is_q35 ? 6 : 4;
    case VIT_PLAN_IF_FLOPPY: return 2;
    case VIT_PLAN_IF_PFLASH: return 2;
    default: return 1 << 16;
    }
}

static VitPlanDrive *
drive_in(const VitNormalizer *norm, VitPlanInterface interface, int bus, int unit)
{
    for (unsigned i = 0; i < norm->plan->drives->len; i++) {
        VitPlanDrive *drive = norm->plan->drives->pdata[i];

        if (drive->interface == interface && drive->bus == bus && drive->unit == unit)
            return drive;
    }
    return NULL;
}

static void
slot_of_index(const VitNormalizer *norm, VitPlanInterface interface, int index, int *out_bus,
              int *out_unit)
{
    int per_bus = units_per_bus(norm, interface);

    *out_bus = per_bus > 0 ? index / per_bus : 0;
    *out_unit = per_bus > 0 ? index % per_bus : index;
}

static int
get_int(const VitConfigItem *item, const char *key, int fallback)
{
    const char *text = vit_config_item_get(item, key);
    int64_t value;

    return text != NULL && vit_value_parse_int(text, &value) ? (int)value : fallback;
}

/* Finds the slot of DRIVE; false with an error told when it is taken or does not exist. */
static bool
place(VitNormalizer *norm, VitPlanDrive *drive, const VitConfigItem *item)
{
    int index = get_int(item, "index", -1), bus = get_int(item, "bus", -1);
    int unit = get_int(item, "unit", -1);
    int per_bus = units_per_bus(norm, drive->interface);
    const char *name = interface_name(drive->interface);

    if (drive->interface == VIT_PLAN_IF_NONE) {
        drive->bus = drive->unit = -1;
        return true;
    }
    if (index >= 0 && (bus >= 0 || unit >= 0)) {
        vit_plan_error(norm, vit_plan_src(item, vit_config_item_find_param(item, "index")),
                       VIT_ERROR_INVALID_ARGUMENT,
                       "index= cannot be used together with bus= and unit=");
        return false;
    }
    bool searching = index < 0 && unit < 0;
    if (index < 0)
        index = (bus >= 0 ? bus : 0) * per_bus + (unit >= 0 ? unit : 0);
    slot_of_index(norm, drive->interface, index, &drive->bus, &drive->unit);
    while (searching && drive_in(norm, drive->interface, drive->bus, drive->unit) != NULL)
        slot_of_index(norm, drive->interface, ++index, &drive->bus, &drive->unit);
    if (index >= max_slots(norm, drive->interface)) {
        vit_plan_error(norm, drive->src, VIT_ERROR_INVALID_ARGUMENT,
                       "this machine has places for %d %s drives and no more",
                       max_slots(norm, drive->interface), name);
        return false;
    }
    const VitPlanDrive *other = drive_in(norm, drive->interface, drive->bus, drive->unit);
    if (other != NULL) {
        const VitConfigItem *rival = vit_config_get_by_serial(norm->config, other->src.serial);

        vit_plan_error(norm, drive->src, VIT_ERROR_INVALID_ARGUMENT,
                       "%s bus %d unit %d is already taken by '%s'", name, drive->bus, drive->unit,
                       rival != NULL ? rival->source : other->id);
        return false;
    }
    return true;
}

static void
read_cache(VitPlanDrive *drive, const VitConfigItem *item)
{
    const char *mode = vit_config_item_get(item, "cache");

    drive->cache_writeback =
        mode == NULL || (strcmp(mode, "writethrough") != 0 && strcmp(mode, "directsync") != 0);
    drive->cache_direct =
        mode != NULL && (strcmp(mode, "none") == 0 || strcmp(mode, "directsync") == 0);
    drive->cache_no_flush = mode != NULL && strcmp(mode, "unsafe") == 0;
    drive->cache_writeback = vit_plan_bool(item, "cache.writeback", drive->cache_writeback);
    drive->cache_direct = vit_plan_bool(item, "cache.direct", drive->cache_direct);
    drive->cache_no_flush = vit_plan_bool(item, "cache.no-flush", drive->cache_no_flush);
}

static VitPlanOnError
read_on_error(const VitConfigItem *item, const char *key, VitPlanOnError fallback)
{
    const char *value = vit_config_item_get(item, key);

    if (value == NULL)
        return fallback;
    return strcmp(value, "ignore") == 0   ? VIT_PLAN_ON_ERROR_IGNORE
           : strcmp(value, "stop") == 0   ? VIT_PLAN_ON_ERROR_STOP
           : strcmp(value, "enospc") == 0 ? VIT_PLAN_ON_ERROR_ENOSPC
                                          : VIT_PLAN_ON_ERROR_REPORT;
}

static const char *
read_switch(const VitConfigItem *item, const char *key, const char *off, const char *on)
{
    const char *value = vit_config_item_get(item, key);
    bool is_on;

    if (value == NULL)
        return off;
    if (vit_value_parse_bool(value, &is_on))
        return is_on ? on : off;
    return value;
}

static const char *
make_id(VitNormalizer *norm, const VitPlanDrive *drive)
{
    const char *name = interface_name(drive->interface);

    if (units_per_bus(norm, drive->interface) > 0)
        return vit_plan_printf(norm->plan, "%s%d-%s%d", name, drive->bus,
                               drive->is_cdrom ? "cd" : "hd", drive->unit);
    if (drive->unit >= 0)
        return vit_plan_printf(norm->plan, "%s%d", name, drive->unit);
    for (unsigned n = 0;; n++) {
        const char *id = vit_plan_printf(norm->plan, "%s%u", name, n);
        if (vit_plan_find_drive(norm->plan, id) == NULL)
            return id;
    }
}

/* Everything of DRIVE but its slot and id. */
static void
read_drive(VitNormalizer *norm, VitPlanDrive *drive, const VitConfigItem *item)
{
    const char *name = vit_config_item_get(item, "if");
    VitMachinePlan *plan = norm->plan;

    drive->interface = VIT_PLAN_IF_IDE;
    for (unsigned i = 0; name != NULL && i < VIT_ARRAY_LEN(interfaces); i++)
        if (strcmp(interfaces[i].name, name) == 0)
            drive->interface = interfaces[i].interface;
    drive->is_cdrom = g_strcmp0(vit_config_item_get(item, "media"), "cdrom") == 0;
    const char *file = vit_config_item_get(item, "file");
    if (file == NULL)
        file = vit_config_item_get(item, "file.filename");
    drive->file = file != NULL && file[0] != '\0' ? vit_plan_keep(plan, file) : NULL;
    drive->file_param = vit_config_item_find_param(item, "file");
    const char *format = vit_config_item_get(item, "format");
    drive->format = vit_plan_keep(plan, format ? format : vit_config_item_get(item, "driver"));
    drive->read_only = vit_plan_bool(item, "readonly", false) ||
                       vit_plan_bool(item, "read-only", false) || drive->is_cdrom;
    drive->snapshot = vit_plan_bool(item, "snapshot", plan->snapshot) && !drive->read_only;
    drive->copy_on_read = vit_plan_bool(item, "copy-on-read", false);
    read_cache(drive, item);
    drive->aio = vit_plan_keep(plan, read_switch(item, "aio", "threads", "threads"));
    drive->discard = vit_plan_keep(plan, read_switch(item, "discard", "ignore", "unmap"));
    drive->detect_zeroes = vit_plan_keep(plan, read_switch(item, "detect-zeroes", "off", "on"));
    drive->on_read_error = read_on_error(item, "rerror", VIT_PLAN_ON_ERROR_REPORT);
    drive->on_write_error = read_on_error(item, "werror", VIT_PLAN_ON_ERROR_ENOSPC);
    drive->props = vit_plan_props_of(plan, item, "if bus unit index media id");
}

static void
add_drive(VitNormalizer *norm, const VitConfigItem *item, VitPlanSrc src, bool is_default)
{
    g_autofree VitPlanDrive *drive = g_new0(VitPlanDrive, 1);
    const char *id = vit_config_item_get(item, "id");

    drive->src = src;
    drive->is_default = is_default;
    read_drive(norm, drive, item);
    if (!place(norm, drive, item))
        return;
    drive->id = id != NULL ? vit_plan_keep(norm->plan, id) : make_id(norm, drive);
    if (vit_plan_find_drive(norm->plan, drive->id) != NULL) {
        vit_plan_error(norm, src, VIT_ERROR_INVALID_ARGUMENT,
                       "the drive id '%s' is used twice; give this drive another id=", drive->id);
        return;
    }
    g_ptr_array_add(norm->plan->drives, g_steal_pointer(&drive));
}

/* The -drive that -sd and -mtdblock, which have no slot here, stand for is refused by the
 * validation; nothing is left of them to plan. */
void
vit_plan_block(VitNormalizer *norm, const VitConfigItem *item)
{
    g_autoptr(VitConfigItem) full = vit_config_item_expand(item);
    unsigned before = norm->plan->drives->len;

    if (strcmp(item->name, "sd") == 0 || strcmp(item->name, "mtdblock") == 0)
        return;
    add_drive(norm, full != NULL ? full : item, vit_plan_src(item, -1), false);
    if (full != NULL && norm->plan->drives->len > before) {
        VitPlanDrive *drive = norm->plan->drives->pdata[before];
        /* The shorthand has one parameter, and that is the file. */
        drive->file_param = 0;
    }
}

static void
add_default(VitNormalizer *norm, const char *interface, const char *index, const char *media)
{
    g_autoptr(VitConfigItem) item =
        vit_config_item_alloc(VIT_ITEM_OPTION, "drive", vit_option_find("drive"));

    vit_config_item_add_param(item, "if", interface);
    vit_config_item_add_param(item, "index", index);
    if (media != NULL)
        vit_config_item_add_param(item, "media", media);
    add_drive(norm, item, (VitPlanSrc){ 0, -1 }, true);
}

void
vit_plan_block_defaults(VitNormalizer *norm)
{
    int bus, unit;

    slot_of_index(norm, VIT_PLAN_IF_IDE, 2, &bus, &unit);
    if (norm->default_cdrom && drive_in(norm, VIT_PLAN_IF_IDE, bus, unit) == NULL)
        add_default(norm, "ide", "2", "cdrom");
    if (norm->default_floppy && !norm->is_q35 && drive_in(norm, VIT_PLAN_IF_FLOPPY, 0, 0) == NULL)
        add_default(norm, "floppy", "0", NULL);
}
