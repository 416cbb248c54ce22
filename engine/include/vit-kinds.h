/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* How the options learn what machines, devices, CPUs and accelerators this build has without
 * depending on them: the composition root fills in a VitKindRegistry and hands it to
 * vit_config_validate() and to the help functions. Every member may be NULL.
 * Thread: the caller's; the registry's data must be immutable. */

#include "vit-option.h"

G_BEGIN_DECLS

typedef enum {
    VIT_KIND_MACHINE,
    VIT_KIND_DEVICE,
    VIT_KIND_CPU,
    VIT_KIND_CPU_FEATURE,
    VIT_KIND_ACCEL,
    VIT_KIND_LOG_ITEM,
    VIT_KIND_KEYMAP,
    VIT_KIND_DATA_DIR,
    VIT_KIND_LAST
} VitKindClass;

typedef struct {
    const char *name;
    const char *title;    /* one line */
    const char *alias_of; /* NULL unless this is another name of that kind */
    const char *bus;      /* devices: "PCI", "ISA", ... */
    const char *category; /* devices: heading of -device help */
    bool is_default;
    bool deprecated;
    bool internal; /* part of a board, not for -device */
    bool hotplug;  /* devices: on a bus that takes more while the machine runs */
} VitKindInfo;

typedef void (*VitKindFunc)(const VitKindInfo *info, void *data);
typedef void (*VitKindPropFunc)(const VitOptionKey *prop, void *data);

typedef struct {
    void *data;
    /* Calls FUNC once for each kind of KLASS, in the order they are to be shown. */
    void (*list)(void *data, VitKindClass klass, VitKindFunc func, void *func_data);
    /* Fills *OUT for NAME (also an alias); false when there is no such kind. */
    bool (*find)(void *data, VitKindClass klass, const char *name, VitKindInfo *out);
    /* Calls FUNC for each property of kind NAME; the key need not outlive the call. */
    void (*list_props)(void *data, VitKindClass klass, const char *name, VitKindPropFunc func,
                       void *func_data);
} VitKindRegistry;

/* Kinds the product will have, whether or not this build does: title of NAME, or NULL when nobody
 * has heard of it. *out_reason (may be NULL) is set for kinds that belong to another host or
 * machine. */
const char *vit_known_kind(VitKindClass klass, const char *name, VitStatus *out_status,
                           const char **out_reason);

G_END_DECLS
