/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Properties: what a user may set on a device or backend. One const row per property drives the
 * command line, help, settings rows, introspection and machine.conf. */

#include "vit-types.h"

typedef enum VitPropType {
    VIT_PROP_TYPE_BOOL,      /* bool: on/off */
    VIT_PROP_TYPE_UINT,      /* uint8_t..uint64_t by size; decimal or 0x hex */
    VIT_PROP_TYPE_INT,       /* int8_t..int64_t by size */
    VIT_PROP_TYPE_SIZE,      /* uint64_t with K, M, G, T suffix */
    VIT_PROP_TYPE_STRING,    /* char *, owned, may be NULL */
    VIT_PROP_TYPE_ENUM,      /* int index into values */
    VIT_PROP_TYPE_ONOFFAUTO, /* int: VIT_AUTO, VIT_ON, VIT_OFF */
    VIT_PROP_TYPE_MAC,       /* uint8_t[6] */
    VIT_PROP_TYPE_PCI_SLOT,  /* int32_t devfn, "slot.function" in hex; -1 = automatic */
    VIT_PROP_TYPE_CHARDEV,   /* VitChardev *, by id */
    VIT_PROP_TYPE_DRIVE,     /* VitDrive *, by id or node name */
    VIT_PROP_TYPE_NETDEV,    /* VitNetPort * (the backend's port), by id */
    VIT_PROP_TYPE_RNG,       /* VitRng *, by the id of its object */
    VIT_PROP_TYPE_IOTHREAD,  /* VitIothread *, likewise */
    VIT_PROP_TYPE_FSDEV,     /* VitFsdev *, by id */
} VitPropType;

enum { VIT_AUTO, VIT_ON, VIT_OFF };

enum {
    VIT_PROP_HEX = 1u << 0,      /* print as hex */
    VIT_PROP_HIDDEN = 1u << 1,   /* not in dialogs */
    VIT_PROP_REQUIRED = 1u << 2, /* realize fails without it */
};

struct VitProp {
    const char *name;
    const char *help; /* VIT_N_ marked */
    VitPropType type;
    uint16_t size; /* of the field */
    uint32_t offset;
    uint32_t flags;
    int64_t def, min, max;
    const char *def_string;
    const char *const *values; /* ENUM: NULL-terminated */
    const char *unit;          /* "ns", "bytes", ... */
};

#define VIT_PROP_FIELD(Type, field) \
    .offset = offsetof(Type, field), .size = sizeof(((Type *)0)->field)
/* Unsigned number. */
#define VIT_PROP_UINT(Type, field, name_, def_, min_, max_, help_, ...)                        \
    {                                                                                          \
        .name = name_, .help = help_, .type = VIT_PROP_TYPE_UINT, VIT_PROP_FIELD(Type, field), \
        .def = def_, .min = min_, .max = (int64_t)(max_), ##__VA_ARGS__                        \
    }
#define VIT_PROP_INT(Type, field, name_, def_, min_, max_, help_, ...)                        \
    {                                                                                         \
        .name = name_, .help = help_, .type = VIT_PROP_TYPE_INT, VIT_PROP_FIELD(Type, field), \
        .def = def_, .min = min_, .max = max_, ##__VA_ARGS__                                  \
    }
#define VIT_PROP_BOOL(Type, field, name_, def_, help_, ...)                                    \
    {                                                                                          \
        .name = name_, .help = help_, .type = VIT_PROP_TYPE_BOOL, VIT_PROP_FIELD(Type, field), \
        .def = def_, .max = 1, ##__VA_ARGS__                                                   \
    }
#define VIT_PROP_SIZE(Type, field, name_, def_, min_, max_, help_, ...)                        \
    {                                                                                          \
        .name = name_, .help = help_, .type = VIT_PROP_TYPE_SIZE, VIT_PROP_FIELD(Type, field), \
        .def = def_, .min = min_, .max = (int64_t)(max_), .unit = "bytes", ##__VA_ARGS__       \
    }
#define VIT_PROP_STRING(Type, field, name_, def_, help_, ...)                                    \
    {                                                                                            \
        .name = name_, .help = help_, .type = VIT_PROP_TYPE_STRING, VIT_PROP_FIELD(Type, field), \
        .def_string = def_, ##__VA_ARGS__                                                        \
    }
#define VIT_PROP_ENUM(Type, field, name_, values_, def_, help_, ...)                           \
    {                                                                                          \
        .name = name_, .help = help_, .type = VIT_PROP_TYPE_ENUM, VIT_PROP_FIELD(Type, field), \
        .values = values_, .def = def_, ##__VA_ARGS__                                          \
    }
#define VIT_PROP_ONOFFAUTO(Type, field, name_, def_, help_, ...)       \
    {                                                                  \
        .name = name_, .help = help_, .type = VIT_PROP_TYPE_ONOFFAUTO, \
        VIT_PROP_FIELD(Type, field), .def = def_, ##__VA_ARGS__        \
    }
#define VIT_PROP_MAC(Type, field, name_, help_, ...)                                          \
    {                                                                                         \
        .name = name_, .help = help_, .type = VIT_PROP_TYPE_MAC, VIT_PROP_FIELD(Type, field), \
        ##__VA_ARGS__                                                                         \
    }
#define VIT_PROP_PCI_SLOT(Type, field, name_, help_, ...)                                          \
    {                                                                                              \
        .name = name_, .help = help_, .type = VIT_PROP_TYPE_PCI_SLOT, VIT_PROP_FIELD(Type, field), \
        .def = -1, ##__VA_ARGS__                                                                   \
    }
#define VIT_PROP_BACKEND(Type, field, name_, type_, help_, ...)                                 \
    {                                                                                           \
        .name = name_, .help = help_, .type = type_, VIT_PROP_FIELD(Type, field), ##__VA_ARGS__ \
    }

/* Finds backends by id for properties that name them. Returns NULL with ERROR set. */
typedef struct VitPropResolver {
    VitChardev *(*chardev)(void *opaque, const char *id, GError **error);
    VitDrive *(*drive)(void *opaque, const char *id, GError **error);
    VitNetPort *(*netdev)(void *opaque, const char *id, GError **error);
    struct VitRng *(*rng)(void *opaque, const char *id, GError **error);
    struct VitIothread *(*iothread)(void *opaque, const char *id, GError **error);
    struct VitFsdev *(*fsdev)(void *opaque, const char *id, GError **error);
    void *opaque;
} VitPropResolver;

/* Row by name in a table that ends with a NULL name. */
const VitProp *vit_prop_find(const VitProp *props, const char *name);
/* Writes defaults into OBJECT. */
void vit_props_set_defaults(const VitProp *props, void *object);
/* Parses TEXT into OBJECT; on failure OBJECT is unchanged and the message names range or choices.
 * RESOLVER may be NULL where no backend property occurs. */
bool vit_prop_parse(const VitProp *prop, void *object, const char *text,
                    const VitPropResolver *resolver, GError **error);
/* Canonical text of the value; newly allocated. Backends print as "". */
char *vit_prop_print(const VitProp *prop, const void *object);
/* Frees strings. */
void vit_props_clear(const VitProp *props, void *object);
/* "on", "64M", "0x3f8", ... parsed without an object; shared with the option parser. */
bool vit_parse_bool(const char *text, bool *out_value);
bool vit_parse_uint(const char *text, uint64_t *out_value);
bool vit_parse_size(const char *text, char default_suffix, uint64_t *out_value);
bool vit_parse_mac(const char *text, uint8_t out_mac[6]);
/* Nearest candidate by edit distance, or NULL when none is near. */
const char *vit_nearest_name(const char *name, const char *const *candidates, size_t count);
