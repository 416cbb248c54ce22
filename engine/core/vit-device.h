/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Devices and their kinds.
 *
 * A kind is one const descriptor at the end of its one file. A device is created (defaults set),
 * given properties, realized on a bus (regions mapped, lines taken), then reset. Everything the
 * guest can change is a saved field; everything the user can set is a property; the rest is
 * declared transient. Thread: device lock held, except create/set which may come before the
 * machine runs. */

#include "vit-irq.h"
#include "vit-platform.h"
#include "vit-prop.h"
#include "vit-reg.h"
#include "vit-state.h"
#include "vit-types.h"

typedef enum VitBusType {
    VIT_BUS_NONE, /* on the board itself: placed by board code */
    VIT_BUS_ISA,
    VIT_BUS_PCI,
    VIT_BUS_IDE,
    VIT_BUS_FLOPPY,
    VIT_BUS_USB,
    VIT_BUS_SCSI,
    VIT_BUS_VIRTIO,
    VIT_BUS_I2C,
    VIT_BUS_HDA,
    VIT_BUS_NVME,
    VIT_BUS_VIRTIO_SERIAL,
    VIT_BUS_LAST
} VitBusType;

/* Base of every bus; the concrete bus (VitIsaBus, VitPciBus, ...) embeds it first. */
struct VitBus {
    VitBusType type;
    char *name;       /* "pci.0", "ide.1" */
    VitDevice *owner; /* bridge or controller, NULL for the root */
    VitPlatform *platform;
    GPtrArray *devices; /* realized devices in order, not owned */
    bool hotplug;
};

void vit_bus_init(VitBus *bus, VitBusType type, const char *name, VitDevice *owner,
                  VitPlatform *platform);
void vit_bus_finish(VitBus *bus);
const char *vit_bus_type_name(VitBusType type);

struct VitDevice {
    const VitDeviceKind *kind;
    char *id;   /* from -device id=, or NULL */
    char *path; /* unique instance name in save-state and qtree, set at realize */
    VitBus *bus;
    VitPlatform *platform;
    GPtrArray *child_buses; /* VitBus*, not owned */
    VitIrq *irq_out;   /* kind->n_irq_out lines, connected by the board; unconnected is harmless */
    VitIrq irq_in_tap; /* the test protocol listens to the input lines here; usually unset */
    int64_t next_guest_error_ns; /* rate limit */
    uint32_t suppressed_guest_errors;
    bool realized, hotplugged;
};

/* What a kind is to the user: the headings of -device help. */
typedef enum VitCategory {
    VIT_CATEGORY_BRIDGE,
    VIT_CATEGORY_USB,
    VIT_CATEGORY_STORAGE,
    VIT_CATEGORY_NETWORK,
    VIT_CATEGORY_INPUT,
    VIT_CATEGORY_DISPLAY,
    VIT_CATEGORY_SOUND,
    VIT_CATEGORY_MISC,
    VIT_CATEGORY_CPU,
    VIT_CATEGORY_LAST
} VitCategory;

struct VitDeviceKind {
    const char *name;           /* as in -device */
    const char *const *aliases; /* NULL-terminated, or NULL */
    const char *title;          /* VIT_N_ marked, one line */
    VitBusType bus;
    VitCategory category;
    size_t size;      /* of the instance; VitDevice (or VitPciDevice...) first */
    size_t base_size; /* of that first member */
    bool internal;    /* made by the board only, not by -device */
    const VitReg *regs;
    const VitProp *props;
    const VitField *state;
    unsigned state_version; /* from 1 */
    unsigned n_irq_in, n_irq_out;
    const void *bus_info;                  /* VitPciInfo for PCI kinds */
    void (*clear_padding)(void *instance); /* VIT_DEVICE_LAYOUT, for the coverage test */

    void (*init)(VitDevice *dev); /* before properties; may be NULL */
    bool (*realize)(VitDevice *dev, GError **error);
    void (*unrealize)(VitDevice *dev);
    void (*finalize)(VitDevice *dev); /* undoes init; may be NULL */
    void (*reset)(VitDevice *dev);    /* power-on values; called after realize and at each reset */
    void (*irq_in)(VitDevice *dev, int n, int level);
    void (*pre_save)(VitDevice *dev);
    bool (*post_load)(VitDevice *dev, unsigned version, GError **error);
    /* Lines for "info qtree"-like listings; may be NULL. */
    void (*describe)(VitDevice *dev, GString *out);
};

/* Gives the coverage test a way to tell padding from members. Once per device file. */
#if defined(__has_builtin)
#if __has_builtin(__builtin_clear_padding)
#define VIT_DEVICE_LAYOUT(Type)                      \
    static void Type##_clear_padding(void *instance) \
    {                                                \
        __builtin_clear_padding((Type *)instance);   \
    }
#define VIT_HAVE_LAYOUT 1
#endif
#endif
#ifndef VIT_HAVE_LAYOUT
#define VIT_DEVICE_LAYOUT(Type)                      \
    static void Type##_clear_padding(void *instance) \
    {                                                \
        (void)instance;                              \
    }
#endif
/* The size lines of a descriptor. */
#define VIT_DEVICE_SIZE(Type, Base) \
    .size = sizeof(Type), .base_size = sizeof(Base), .clear_padding = Type##_clear_padding

/* Creates an unrealized device with defaults. */
VitDevice *vit_device_new(const VitDeviceKind *kind, const char *id);
/* Unrealizes where needed and frees. NULL is fine. */
void vit_device_free(VitDevice *dev);
bool vit_device_set(VitDevice *dev, const char *prop, const char *text,
                    const VitPropResolver *resolver, GError **error);
char *vit_device_get(VitDevice *dev, const char *prop);
/* Puts the device on BUS (of the kind's type; NULL for VIT_BUS_NONE) and resets it. On failure it
 * stays unrealized with nothing left behind. */
bool vit_device_realize(VitDevice *dev, VitBus *bus, VitPlatform *platform, GError **error);
void vit_device_unrealize(VitDevice *dev);
void vit_device_reset(VitDevice *dev);
void vit_device_save(VitDevice *dev, VitStateWriter *writer);
bool vit_device_load(VitDevice *dev, VitStateReader *reader, GError **error);

/* Input line N of DEV as a handle; output line N of DEV goes to LINE. */
VitIrq vit_device_irq_in(VitDevice *dev, int n);
void vit_device_connect(VitDevice *dev, int n, VitIrq line);

/* Rate-limited line in the guest-error log: the guest did something its manual forbids. */
void vit_guest_error(VitDevice *dev, const char *format, ...) G_GNUC_PRINTF(2, 3);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VitDevice, vit_device_free)
