/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The life of a device: created with defaults, set, realized on a bus, reset, saved and loaded,
 * unrealized, freed. What is common to PCI kinds (configuration space) is done by
 * the steps that vit-pci.h names. */

#include "vit-device.h"

#include "vit-error.h"
#include "vit-pci.h"

#include <string.h>

static const char *const bus_names[VIT_BUS_LAST] = {
    [VIT_BUS_NONE] = "System",   [VIT_BUS_ISA] = "ISA",
    [VIT_BUS_PCI] = "PCI",       [VIT_BUS_IDE] = "IDE",
    [VIT_BUS_FLOPPY] = "floppy", [VIT_BUS_USB] = "usb-bus",
    [VIT_BUS_SCSI] = "SCSI",     [VIT_BUS_VIRTIO] = "virtio-bus",
    [VIT_BUS_I2C] = "i2c-bus",   [VIT_BUS_HDA] = "HDA",
    [VIT_BUS_NVME] = "nvme-bus", [VIT_BUS_VIRTIO_SERIAL] = "virtio-serial-bus",
};

const char *
vit_bus_type_name(VitBusType type)
{
    return type < VIT_BUS_LAST ? bus_names[type] : "?";
}

void
vit_bus_init(VitBus *bus, VitBusType type, const char *name, VitDevice *owner,
             VitPlatform *platform)
{
    *bus = (VitBus){
        .type = type,
        .name = g_strdup(name),
        .owner = owner,
        .platform = platform,
        .devices = g_ptr_array_new(),
    };
    if (owner) {
        if (!owner->child_buses) {
            owner->child_buses = g_ptr_array_new();
        }
        g_ptr_array_add(owner->child_buses, bus);
    }
}

void
vit_bus_finish(VitBus *bus)
{
    if (!bus->name) {
        return;
    }
    if (bus->owner && bus->owner->child_buses) {
        g_ptr_array_remove(bus->owner->child_buses, bus);
    }
    g_clear_pointer(&bus->devices, g_ptr_array_unref);
    g_clear_pointer(&bus->name, g_free);
}

/* ---- Creation and properties ---- */

VitDevice *
vit_device_new(const VitDeviceKind *kind, const char *id)
{
    VitDevice *dev = g_malloc0(kind->size);

    dev->kind = kind;
    dev->id = g_strdup(id);
    dev->irq_out = g_new0(VitIrq, MAX(kind->n_irq_out, 1));
    if (kind->bus == VIT_BUS_PCI) {
        vit_props_set_defaults(vit_pci_props, dev);
    }
    vit_props_set_defaults(kind->props, dev);
    if (kind->init) {
        kind->init(dev);
    }
    return dev;
}

void
vit_device_free(VitDevice *dev)
{
    if (!dev) {
        return;
    }
    vit_device_unrealize(dev);
    if (dev->kind->finalize) {
        dev->kind->finalize(dev);
    }
    vit_props_clear(dev->kind->props, dev);
    if (dev->kind->bus == VIT_BUS_PCI) {
        vit_props_clear(vit_pci_props, dev);
    }
    g_clear_pointer(&dev->child_buses, g_ptr_array_unref);
    g_free(dev->irq_out);
    g_free(dev->id);
    g_free(dev->path);
    g_free(dev);
}

static const VitProp *
device_prop(VitDevice *dev, const char *name)
{
    const VitProp *prop = vit_prop_find(dev->kind->props, name);

    if (!prop && dev->kind->bus == VIT_BUS_PCI) {
        prop = vit_prop_find(vit_pci_props, name);
    }
    return prop;
}

static bool
no_such_prop(VitDevice *dev, const char *name, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    const char *nearest;

    for (const VitProp *prop = dev->kind->props; prop && prop->name; prop++) {
        g_ptr_array_add(names, (char *)prop->name);
    }
    for (const VitProp *prop = vit_pci_props; dev->kind->bus == VIT_BUS_PCI && prop->name; prop++) {
        g_ptr_array_add(names, (char *)prop->name);
    }
    nearest = vit_nearest_name(name, (const char *const *)names->pdata, names->len);
    g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                "device %s has no property \"%s\"%s%s%s; -device %s,help lists them",
                dev->kind->name, name, nearest ? " (did you mean \"" : "", nearest ? nearest : "",
                nearest ? "\"?)" : "", dev->kind->name);
    return false;
}

bool
vit_device_set(VitDevice *dev, const char *name, const char *text, const VitPropResolver *resolver,
               GError **error)
{
    const VitProp *prop = device_prop(dev, name);

    if (!prop) {
        return no_such_prop(dev, name, error);
    }
    if (!vit_prop_parse(prop, dev, text, resolver, error)) {
        g_prefix_error(error, "device %s%s%s: ", dev->kind->name, dev->id ? " " : "",
                       dev->id ? dev->id : "");
        return false;
    }
    return true;
}

char *
vit_device_get(VitDevice *dev, const char *name)
{
    const VitProp *prop = device_prop(dev, name);

    return prop ? vit_prop_print(prop, dev) : NULL;
}

/* ---- Realize ---- */

static bool
device_has_required(VitDevice *dev, GError **error)
{
    for (const VitProp *prop = dev->kind->props; prop && prop->name; prop++) {
        bool is_set = false;

        if (!(prop->flags & VIT_PROP_REQUIRED)) {
            continue;
        }
        for (unsigned i = 0; i < prop->size; i++) {
            is_set |= ((const char *)dev)[prop->offset + i] != 0;
        }
        if (!is_set) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "device %s needs %s=: %s",
                        dev->kind->name, prop->name, prop->help);
            return false;
        }
    }
    return true;
}

/* Instance names in save-state and qtree: the id, or bus/kind with a number where several. */
static char *
device_make_path(VitDevice *dev, VitBus *bus)
{
    unsigned same = 0;
    const char *bus_name = bus ? bus->name : "board";

    if (dev->id) {
        return g_strdup_printf("id/%s", dev->id);
    }
    for (guint i = 0; bus && i < bus->devices->len; i++) {
        VitDevice *other = bus->devices->pdata[i];
        same += other->kind == dev->kind && !other->id;
    }
    return same ? g_strdup_printf("%s/%s[%u]", bus_name, dev->kind->name, same)
                : g_strdup_printf("%s/%s", bus_name, dev->kind->name);
}

bool
vit_device_realize(VitDevice *dev, VitBus *bus, VitPlatform *platform, GError **error)
{
    const VitDeviceKind *kind = dev->kind;

    g_return_val_if_fail(!dev->realized, false);
    if ((bus ? bus->type : VIT_BUS_NONE) != kind->bus) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "device %s needs a bus of type %s, not %s", kind->name,
                    vit_bus_type_name(kind->bus), bus ? bus->name : "none");
        return false;
    }
    if (!device_has_required(dev, error)) {
        return false;
    }
    dev->bus = bus;
    dev->platform = platform;
    if (!dev->path) {
        dev->path = device_make_path(dev, bus);
    }
    if (kind->bus == VIT_BUS_PCI && !vit_pci_attach((VitPciDevice *)dev, (VitPciBus *)bus, error)) {
        dev->bus = NULL;
        return false;
    }
    if (kind->realize && !kind->realize(dev, error)) {
        if (kind->bus == VIT_BUS_PCI) {
            vit_pci_detach((VitPciDevice *)dev);
        }
        dev->bus = NULL;
        return false;
    }
    if (kind->bus == VIT_BUS_PCI && !vit_pci_publish((VitPciDevice *)dev, error)) {
        if (kind->unrealize) {
            kind->unrealize(dev);
        }
        vit_pci_detach((VitPciDevice *)dev);
        dev->bus = NULL;
        return false;
    }
    if (bus) {
        g_ptr_array_add(bus->devices, dev);
    }
    dev->realized = true;
    vit_device_reset(dev);
    return true;
}

void
vit_device_unrealize(VitDevice *dev)
{
    if (!dev->realized) {
        return;
    }
    if (dev->kind->unrealize) {
        dev->kind->unrealize(dev);
    }
    if (dev->kind->bus == VIT_BUS_PCI) {
        vit_pci_detach((VitPciDevice *)dev);
    }
    if (dev->bus) {
        g_ptr_array_remove(dev->bus->devices, dev);
    }
    dev->realized = false;
    dev->bus = NULL;
}

void
vit_device_reset(VitDevice *dev)
{
    if (dev->kind->regs) {
        vit_regs_reset(dev, dev->kind->regs);
    }
    if (dev->kind->bus == VIT_BUS_PCI) {
        vit_pci_reset((VitPciDevice *)dev);
    }
    if (dev->kind->reset) {
        dev->kind->reset(dev);
    }
}

/* ---- State ---- */

void
vit_device_save(VitDevice *dev, VitStateWriter *writer)
{
    if (dev->kind->pre_save) {
        dev->kind->pre_save(dev);
    }
    if (dev->kind->bus == VIT_BUS_PCI) {
        g_autofree char *name = g_strconcat(dev->path, "/pci", NULL);
        vit_state_write_section(writer, name, "pci-device", 1, vit_pci_state, dev);
    }
    vit_state_write_section(writer, dev->path, dev->kind->name, dev->kind->state_version,
                            dev->kind->state, dev);
}

bool
vit_device_load(VitDevice *dev, VitStateReader *reader, GError **error)
{
    unsigned version;

    if (dev->kind->bus == VIT_BUS_PCI) {
        g_autofree char *name = g_strconcat(dev->path, "/pci", NULL);
        if (!vit_state_read_section(reader, name, "pci-device", 1, vit_pci_state, dev, &version,
                                    error)) {
            return false;
        }
        vit_pci_loaded((VitPciDevice *)dev);
    }
    if (!vit_state_read_section(reader, dev->path, dev->kind->name, dev->kind->state_version,
                                dev->kind->state, dev, &version, error)) {
        return false;
    }
    return !dev->kind->post_load || dev->kind->post_load(dev, version, error);
}

/* ---- Lines and errors ---- */

static void
device_irq_in(void *opaque, int n, int level)
{
    VitDevice *dev = opaque;

    if (dev->irq_in_tap.func) {
        dev->irq_in_tap.func(dev->irq_in_tap.opaque, n, level);
    }
    dev->kind->irq_in(dev, n, level);
}

VitIrq
vit_device_irq_in(VitDevice *dev, int n)
{
    g_return_val_if_fail(dev->kind->irq_in && n >= 0 && n < (int)dev->kind->n_irq_in,
                         ((VitIrq){ 0 }));
    return (VitIrq){ .func = device_irq_in, .opaque = dev, .n = n };
}

void
vit_device_connect(VitDevice *dev, int n, VitIrq line)
{
    g_return_if_fail(n >= 0 && n < (int)dev->kind->n_irq_out);
    dev->irq_out[n] = line;
}

void
vit_guest_error(VitDevice *dev, const char *format, ...)
{
    VitPlatform *platform = dev->platform;
    g_autofree char *text = NULL;
    g_autofree char *line = NULL;
    int64_t now_ns;
    va_list args;

    if (!platform || !platform->ops || !platform->ops->guest_error) {
        return;
    }
    /* at most ten lines a second and device; the rest are counted */
    now_ns = vit_clock_host_ns(platform->clock);
    if (now_ns < dev->next_guest_error_ns) {
        dev->suppressed_guest_errors++;
        return;
    }
    dev->next_guest_error_ns = now_ns + VIT_NS_PER_SEC / 10;
    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    if (dev->suppressed_guest_errors) {
        line = g_strdup_printf("%s: %s (and %u more)", dev->path ? dev->path : dev->kind->name,
                               text, dev->suppressed_guest_errors);
        dev->suppressed_guest_errors = 0;
    } else {
        line = g_strdup_printf("%s: %s", dev->path ? dev->path : dev->kind->name, text);
    }
    platform->ops->guest_error(platform->opaque, line);
}
