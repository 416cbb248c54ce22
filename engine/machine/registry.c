/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What this build has, for option checks and help texts: boards, devices with their properties,
 * CPU models and features, accelerators. All from the same const tables that build machines. */

#include "board.h"

#include "hw-kinds.h"
#include "vit-char.h"

#include <inttypes.h>
#include <string.h>

typedef struct Accel {
    const char *name, *title;
    bool is_default;
} Accel;

static const Accel accels[] = {
    { "tcg", VIT_N_("Software execution of guest code"), true },
    { "kvm", VIT_N_("Hardware virtualisation by the Linux kernel"), false },
    { "qtest", VIT_N_("No CPU runs; devices are driven by a test"), false },
};

/* ---- Listing ---- */

static void
list_machines(VitKindFunc func, void *func_data)
{
    for (unsigned i = 0; board_get(i); i++) {
        const Board *board = board_get(i);
        VitKindInfo info = { .name = board->name, .title = board->title, .is_default = i == 0 };

        func(&info, func_data);
        for (unsigned a = 0; board->aliases && board->aliases[a]; a++) {
            VitKindInfo alias = { .name = board->aliases[a],
                                  .title = board->title,
                                  .alias_of = board->name };
            func(&alias, func_data);
        }
    }
}

static const char *const category_names[VIT_CATEGORY_LAST] = {
    [VIT_CATEGORY_BRIDGE] = "Controller/Bridge/Hub",
    [VIT_CATEGORY_USB] = "USB",
    [VIT_CATEGORY_STORAGE] = "Storage",
    [VIT_CATEGORY_NETWORK] = "Network",
    [VIT_CATEGORY_INPUT] = "Input",
    [VIT_CATEGORY_DISPLAY] = "Display",
    [VIT_CATEGORY_SOUND] = "Sound",
    [VIT_CATEGORY_MISC] = "Misc",
    [VIT_CATEGORY_CPU] = "CPU",
};

/* Which buses take devices later, where they are there at all; a screen's viewers are made with the
 * machine, and what bridges to other buses stays. */
static bool
can_plug(const VitDeviceKind *kind)
{
    return (kind->bus == VIT_BUS_PCI || kind->bus == VIT_BUS_SCSI ||
            kind->bus == VIT_BUS_VIRTIO_SERIAL) &&
           !kind->internal && kind->category != VIT_CATEGORY_DISPLAY &&
           kind->category != VIT_CATEGORY_BRIDGE;
}

static VitKindInfo
device_info(const VitDeviceKind *kind)
{
    return (VitKindInfo){
        .name = kind->name,
        .title = kind->title,
        .bus = vit_bus_type_name(kind->bus),
        .category = category_names[kind->category],
        .internal = kind->internal,
        .hotplug = can_plug(kind),
    };
}

static void
list_devices(VitKindFunc func, void *func_data)
{
    for (unsigned i = 0; vit_hw_kinds[i]; i++) {
        VitKindInfo info = device_info(vit_hw_kinds[i]);

        func(&info, func_data);
        for (unsigned a = 0; vit_hw_kinds[i]->aliases && vit_hw_kinds[i]->aliases[a]; a++) {
            VitKindInfo alias = info;

            alias.name = vit_hw_kinds[i]->aliases[a];
            alias.alias_of = vit_hw_kinds[i]->name;
            func(&alias, func_data);
        }
    }
}

/* Models by name, those that are made of what there is at the end; features by name. */
static int
compare_cpus(const void *a, const void *b)
{
    static const char *const last[] = { "base", "host", "max" };
    const VitKindInfo *const *one = a, *const *two = b;
    int order[2] = { 0, 0 };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(last); i++) {
        order[0] += strcmp((*one)->name, last[i]) == 0;
        order[1] += strcmp((*two)->name, last[i]) == 0;
    }
    return order[0] != order[1] ? order[0] - order[1] : strcmp((*one)->name, (*two)->name);
}

static void
list_sorted(GPtrArray *infos, VitKindFunc func, void *func_data)
{
    g_ptr_array_sort(infos, compare_cpus);
    for (guint i = 0; i < infos->len; i++) {
        func(infos->pdata[i], func_data);
    }
}

static void
list_cpus(VitKindFunc func, void *func_data)
{
    g_autoptr(GPtrArray) infos = g_ptr_array_new_with_free_func(g_free);
    const char *title, *name;

    for (unsigned i = 0; (name = x86_model_name(i, &title)); i++) {
        VitKindInfo info = { .name = name, .title = title, .alias_of = x86_model_alias_target(i) };
        g_ptr_array_add(infos, g_memdup2(&info, sizeof(info)));
    }
    list_sorted(infos, func, func_data);
}

static void
list_cpu_features(VitKindFunc func, void *func_data)
{
    g_autoptr(GPtrArray) infos = g_ptr_array_new_with_free_func(g_free);

    for (unsigned i = 1; i < X86_FEATURE_LAST; i++) {
        VitKindInfo info = { .name = x86_feature_name(i) };
        g_ptr_array_add(infos, g_memdup2(&info, sizeof(info)));
    }
    list_sorted(infos, func, func_data);
}

static void
registry_list(void *data, VitKindClass klass, VitKindFunc func, void *func_data)
{
    switch (klass) {
    case VIT_KIND_MACHINE: list_machines(func, func_data); break;
    case VIT_KIND_DEVICE: list_devices(func, func_data); break;
    case VIT_KIND_CPU: list_cpus(func, func_data); break;
    case VIT_KIND_CPU_FEATURE: list_cpu_features(func, func_data); break;
    case VIT_KIND_ACCEL:
        for (unsigned i = 0; i < VIT_ARRAY_LEN(accels); i++) {
            VitKindInfo info = { .name = accels[i].name,
                                 .title = accels[i].title,
                                 .is_default = accels[i].is_default };
            func(&info, func_data);
        }
        break;
    case VIT_KIND_DATA_DIR: firmware_list_dirs(func, func_data); break;
    default: break;
    }
}

/* ---- Finding ---- */

typedef struct Search {
    const char *name;
    VitKindInfo *out;
    bool found;
} Search;

static void
search_one(const VitKindInfo *info, void *data)
{
    Search *search = data;

    if (!search->found && strcmp(info->name, search->name) == 0) {
        *search->out = *info;
        search->found = true;
    }
}

static bool
registry_find(void *data, VitKindClass klass, const char *name, VitKindInfo *out)
{
    Search search = { name, out, false };

    registry_list(data, klass, search_one, &search);
    return search.found;
}

/* ---- Properties as option keys ---- */

static VitValueType
value_type_of(const VitProp *prop)
{
    switch (prop->type) {
    case VIT_PROP_TYPE_BOOL: return VIT_VALUE_BOOL;
    case VIT_PROP_TYPE_UINT:
    case VIT_PROP_TYPE_INT: return VIT_VALUE_INT;
    case VIT_PROP_TYPE_SIZE: return VIT_VALUE_SIZE;
    case VIT_PROP_TYPE_ENUM:
    case VIT_PROP_TYPE_ONOFFAUTO: return VIT_VALUE_ENUM;
    case VIT_PROP_TYPE_MAC: return VIT_VALUE_MAC;
    case VIT_PROP_TYPE_CHARDEV:
    case VIT_PROP_TYPE_DRIVE:
    case VIT_PROP_TYPE_NETDEV:
    case VIT_PROP_TYPE_RNG:
    case VIT_PROP_TYPE_IOTHREAD:
    case VIT_PROP_TYPE_FSDEV: return VIT_VALUE_ID;
    default: return VIT_VALUE_STRING;
    }
}

static void
call_with_prop(const VitProp *prop, VitKindPropFunc func, void *func_data)
{
    static const VitOptionValue on_off_auto[] = {
        { .name = "auto" }, { .name = "on" }, { .name = "off" }, { 0 }
    };
    VitOptionValue values[65] = { 0 };
    char text[32];
    VitOptionKey key = {
        .name = prop->name,
        .type = value_type_of(prop),
        .help = prop->help,
        .unit = prop->unit,
        .def = prop->def_string,
        .flags = prop->flags & VIT_PROP_REQUIRED ? VIT_OPT_REQUIRED : 0,
    };

    switch (prop->type) {
    case VIT_PROP_TYPE_BOOL: key.def = prop->def ? "on" : "off"; break;
    case VIT_PROP_TYPE_UINT:
        g_snprintf(text, sizeof(text), prop->flags & VIT_PROP_HEX ? "0x%" PRIx64 : "%" PRIu64,
                   (uint64_t)prop->def);
        key.def = text;
        key.min = prop->min;
        key.max = prop->max < 0 ? INT64_MAX : prop->max;
        break;
    case VIT_PROP_TYPE_INT:
    case VIT_PROP_TYPE_SIZE:
        g_snprintf(text, sizeof(text), "%" PRId64, prop->def);
        key.def = text;
        key.min = prop->min;
        key.max = prop->max < 0 && prop->type == VIT_PROP_TYPE_SIZE ? INT64_MAX : prop->max;
        break;
    case VIT_PROP_TYPE_ENUM:
        for (unsigned i = 0; prop->values[i] && i + 1 < VIT_ARRAY_LEN(values); i++) {
            values[i].name = prop->values[i];
        }
        key.values = values;
        key.def = prop->values[prop->def];
        break;
    case VIT_PROP_TYPE_ONOFFAUTO:
        key.values = on_off_auto;
        key.def = on_off_auto[prop->def].name;
        break;
    case VIT_PROP_TYPE_CHARDEV: key.ref = "chardev"; break;
    case VIT_PROP_TYPE_DRIVE: key.ref = "drive|blockdev"; break;
    case VIT_PROP_TYPE_NETDEV: key.ref = "netdev"; break;
    case VIT_PROP_TYPE_RNG:
    case VIT_PROP_TYPE_IOTHREAD: key.ref = "object"; break;
    case VIT_PROP_TYPE_FSDEV: key.ref = "fsdev"; break;
    default: break;
    }
    func(&key, func_data);
}

static void
registry_list_props(void *data, VitKindClass klass, const char *name, VitKindPropFunc func,
                    void *func_data)
{
    const VitDeviceKind *kind = klass == VIT_KIND_DEVICE ? machine_find_kind(name) : NULL;

    if (!kind) {
        return;
    }
    for (const VitProp *prop = kind->props; prop && prop->name; prop++) {
        call_with_prop(prop, func, func_data);
    }
    for (const VitProp *prop = vit_pci_props; kind->bus == VIT_BUS_PCI && prop->name; prop++) {
        call_with_prop(prop, func, func_data);
    }
}

static const VitKindRegistry registry = {
    .list = registry_list,
    .find = registry_find,
    .list_props = registry_list_props,
};

const VitKindRegistry *
vit_engine_get_registry(void)
{
    return &registry;
}
