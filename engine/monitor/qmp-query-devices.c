/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* QMP queries on devices, their kinds and back ends, read from the core's own structures.
 * Thread: device lock held. */

#include "qmp.h"

#include <string.h>

#include "vit-error.h"

/* ---- PCI ---- */

static JsonObject *
describe_bar(unsigned n, const VitPciBar *bar)
{
    JsonObject *region = json_object_new();
    bool is_io = bar->type & VIT_PCI_BAR_IO;

    json_object_set_int_member(region, "bar", n);
    json_object_set_string_member(region, "type", is_io ? "io" : "memory");
    json_object_set_int_member(region, "address", bar->mapped ? (int64_t)bar->address : -1);
    json_object_set_int_member(region, "size", bar->len_bytes);
    if (!is_io) {
        json_object_set_boolean_member(region, "prefetch", bar->type & VIT_PCI_BAR_PREFETCH);
        json_object_set_boolean_member(region, "mem_type_64", bar->type & VIT_PCI_BAR_MEM64);
    }
    return region;
}

static JsonObject *
describe_function(const VitPciBus *bus, const VitPciDevice *pci)
{
    JsonObject *object = json_object_new(), *class_info = json_object_new();
    JsonObject *id = json_object_new();
    JsonArray *regions = json_array_new();

    json_object_set_int_member(object, "bus", bus->number);
    json_object_set_int_member(object, "slot", VIT_PCI_SLOT(pci->devfn));
    json_object_set_int_member(object, "function", VIT_PCI_FUNCTION(pci->devfn));
    json_object_set_int_member(class_info, "class", vit_pci_get16(pci, VIT_PCI_CLASS));
    json_object_set_object_member(object, "class_info", class_info);
    json_object_set_int_member(id, "device", vit_pci_get16(pci, VIT_PCI_DEVICE_ID));
    json_object_set_int_member(id, "vendor", vit_pci_get16(pci, VIT_PCI_VENDOR_ID));
    if ((pci->config[VIT_PCI_HEADER_TYPE] & 0x7f) == 0) {
        json_object_set_int_member(id, "subsystem", vit_pci_get16(pci, VIT_PCI_SUBSYSTEM_ID));
        json_object_set_int_member(id, "subsystem-vendor",
                                   vit_pci_get16(pci, VIT_PCI_SUBSYSTEM_VENDOR_ID));
    }
    json_object_set_object_member(object, "id", id);
    json_object_set_int_member(object, "irq_pin", pci->config[VIT_PCI_INTERRUPT_PIN]);
    if (pci->config[VIT_PCI_INTERRUPT_PIN]) {
        json_object_set_int_member(object, "irq", pci->config[VIT_PCI_INTERRUPT_LINE]);
    }
    json_object_set_string_member(object, "qdev_id", pci->dev.id ? pci->dev.id : "");
    for (unsigned n = 0; n < VIT_PCI_BAR_COUNT; n++) {
        if (pci->bars[n].region) {
            json_array_add_object_element(regions, describe_bar(n, &pci->bars[n]));
        }
    }
    json_object_set_array_member(object, "regions", regions);
    return object;
}

JsonNode *
qmp_query_pci(QmpCall *call, GError **error)
{
    VitMonitors *monitors = call->monitors;

    if (!MON_HAVE(monitors, get_pci_bus, error)) {
        return NULL;
    }
    const VitPciBus *bus = monitors->ops->get_pci_bus(monitors->host);
    JsonArray *buses = json_array_new();
    if (bus) {
        JsonObject *object = json_object_new();
        JsonArray *devices = json_array_new();
        for (unsigned devfn = 0; devfn < 256; devfn++) {
            if (bus->slots[devfn]) {
                json_array_add_object_element(devices, describe_function(bus, bus->slots[devfn]));
            }
        }
        json_object_set_int_member(object, "bus", bus->number);
        json_object_set_array_member(object, "devices", devices);
        json_array_add_object_element(buses, object);
    }
    return qmp_array(buses);
}

/* ---- character devices ---- */

JsonNode *
qmp_query_chardev(QmpCall *call, GError **error)
{
    VitMonitors *monitors = call->monitors;

    if (!MON_HAVE(monitors, get_chardevs, error)) {
        return NULL;
    }
    const GPtrArray *chardevs = monitors->ops->get_chardevs(monitors->host);
    JsonArray *array = json_array_new();
    for (unsigned i = 0; i < chardevs->len; i++) {
        VitChardev *chr = chardevs->pdata[i];
        JsonObject *object = json_object_new();
        g_autofree char *text = vit_chardev_describe(chr);
        json_object_set_boolean_member(object, "frontend-open", vit_chardev_is_attached(chr));
        json_object_set_string_member(object, "filename", text);
        json_object_set_string_member(object, "label", chr->id);
        json_array_add_object_element(array, object);
    }
    return qmp_array(array);
}

JsonNode *
qmp_query_chardev_backends(QmpCall *call, GError **error)
{
    VitMonitors *monitors = call->monitors;

    if (!MON_HAVE(monitors, get_chardev_kinds, error)) {
        return NULL;
    }
    JsonArray *array = json_array_new();
    for (const VitChardevKind *const *kind = monitors->ops->get_chardev_kinds(monitors->host);
         *kind; kind++) {
        JsonObject *object = json_object_new();
        json_object_set_string_member(object, "name", (*kind)->name);
        json_array_add_object_element(array, object);
    }
    return qmp_array(array);
}

/* ---- kinds ---- */

/* Type names as other programs expect to see them. */
static const char *
type_name(const VitProp *prop)
{
    switch (prop->type) {
    case VIT_PROP_TYPE_BOOL: return "bool";
    case VIT_PROP_TYPE_UINT:
        return prop->size == 1   ? "uint8"
               : prop->size == 2 ? "uint16"
               : prop->size == 4 ? "uint32"
                                 : "uint64";
    case VIT_PROP_TYPE_INT: return prop->size == 8 ? "int64" : "int32";
    case VIT_PROP_TYPE_SIZE: return "size";
    case VIT_PROP_TYPE_ONOFFAUTO: return "OnOffAuto";
    case VIT_PROP_TYPE_PCI_SLOT: return "int32";
    default: return "str";
    }
}

static void
add_default(JsonObject *object, const VitProp *prop)
{
    switch (prop->type) {
    case VIT_PROP_TYPE_BOOL:
        json_object_set_boolean_member(object, "default-value", prop->def);
        break;
    case VIT_PROP_TYPE_UINT:
    case VIT_PROP_TYPE_INT:
    case VIT_PROP_TYPE_SIZE:
    case VIT_PROP_TYPE_PCI_SLOT:
        json_object_set_int_member(object, "default-value", prop->def);
        break;
    case VIT_PROP_TYPE_STRING:
        if (prop->def_string) {
            json_object_set_string_member(object, "default-value", prop->def_string);
        }
        break;
    default: break;
    }
}

static void
add_props(JsonArray *array, const VitProp *props)
{
    for (; props && props->name; props++) {
        JsonObject *object = json_object_new();
        add_default(object, props);
        json_object_set_string_member(object, "name", props->name);
        if (props->help) {
            json_object_set_string_member(object, "description", props->help);
        }
        json_object_set_string_member(object, "type", type_name(props));
        json_array_add_object_element(array, object);
    }
}

JsonNode *
qmp_device_list_properties(QmpCall *call, GError **error)
{
    const char *name = qmp_string(call, "typename");
    const VitDeviceKind *kind = mon_find_kind(call->monitors, name, error);

    if (!kind) {
        return NULL;
    }
    JsonArray *array = json_array_new();
    add_props(array, kind->props);
    if (kind->bus == VIT_BUS_PCI) {
        add_props(array, vit_pci_props);
    }
    return qmp_array(array);
}

static const char *
parent_type(const VitDeviceKind *kind)
{
    switch (kind->bus) {
    case VIT_BUS_PCI: return "pci-device";
    case VIT_BUS_ISA: return "isa-device";
    case VIT_BUS_IDE: return "ide-device";
    case VIT_BUS_USB: return "usb-device";
    case VIT_BUS_NONE: return "sys-bus-device";
    default: return "device";
    }
}

JsonNode *
qmp_qom_list_types(QmpCall *call, GError **error)
{
    VitMonitors *monitors = call->monitors;
    const char *implements = qmp_string(call, "implements");

    if (!MON_HAVE(monitors, get_kinds, error)) {
        return NULL;
    }
    JsonArray *array = json_array_new();
    for (const VitDeviceKind *const *kind = monitors->ops->get_kinds(monitors->host); *kind;
         kind++) {
        const char *parent = parent_type(*kind);
        if (implements && strcmp(implements, "device") != 0 && strcmp(implements, "object") != 0 &&
            strcmp(implements, parent) != 0 && strcmp(implements, (*kind)->name) != 0) {
            continue;
        }
        JsonObject *object = json_object_new();
        json_object_set_string_member(object, "name", (*kind)->name);
        json_object_set_string_member(object, "parent", parent);
        json_array_add_object_element(array, object);
    }
    return qmp_array(array);
}
