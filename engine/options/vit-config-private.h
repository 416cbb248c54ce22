/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The inside of VitConfig and VitConfigItem, for the files of this folder. */

#include "vit-config.h"
#include "vit-json.h"
#include "vit-option-private.h"

/* How a parameter was written. */
typedef enum {
    VIT_STYLE_KEY,     /* key=value */
    VIT_STYLE_IMPLIED, /* value alone, first */
    VIT_STYLE_BARE,    /* key alone: on */
    VIT_STYLE_NEGATED, /* nokey: off */
    VIT_STYLE_SIGN,    /* +key or -key of -cpu */
    VIT_STYLE_DOTS,    /* part of a.b.c=value of -global and -set */
    VIT_STYLE_PLAIN,   /* the whole argument */
    VIT_STYLE_JSON,
} VitParamStyle;

typedef struct {
    char *key, *value;
    /* bytes of the item's source */
    uint32_t key_start, key_end, value_start, value_end;
    uint8_t style;     /* VitParamStyle */
    uint8_t json_type; /* VitJsonType */
} VitParam;

struct VitConfigItem {
    gatomicrefcount ref_count;
    uint32_t serial;
    VitItemType type;
    VitOrigin origin;
    char *name;
    const VitOption *option;
    GArray *params; /* VitParam */
    char *lead;     /* what stands before it: blanks, comments, the program name; NULL: default */
    char *source;
    uint32_t word_end; /* end of the option word within source */
    bool is_json;
    /* machine.conf: the group as it was read, with the comments before it; NULL when it is not
     * from there or was changed since. */
    char *conf_text;
    /* The group it was read from, kept over changes: comments and spelling of unchanged keys are
     * taken from it. */
    char *conf_base;
};

struct _VitConfig {
    GObject parent_instance;
    GPtrArray *items;  /* VitConfigItem */
    char *tail;        /* text after the last item */
    char *conf_tail;   /* comments after the last group of machine.conf */
    char *conf_head;   /* the first group of machine.conf as it was read */
    char *separator;   /* machine.conf: what stands before an item that does not say otherwise */
    char *folder;      /* relative paths are relative to it; NULL: the current folder */
    bool is_read_only; /* a newer version wrote it and forbids writing */
    uint32_t next_serial;
    uint64_t lineage;       /* shared with copies: the same serial means the same item */
    GPtrArray *undo, *redo; /* VitConfigState */
    unsigned depth;         /* of vit_config_begin() */
    void *before;           /* VitConfigState at the outermost begin */
};

/* ---- items (vit-config-item.c) ------------------------------------------------------------ */

VitConfigItem *vit_config_item_alloc(VitItemType type, const char *name, const VitOption *option);
/* A copy that may be changed; shares nothing. */
VitConfigItem *vit_config_item_clone(const VitConfigItem *item);
unsigned vit_config_item_n(const VitConfigItem *item);
VitParam *vit_config_item_param(const VitConfigItem *item, unsigned index);
VitParam *vit_config_item_add_param(VitConfigItem *item, const char *key, const char *value);
void vit_config_item_remove_param(VitConfigItem *item, unsigned index);
/* Writes the item in full form and finds the places of its parameters in it. False when it cannot
 * be written so that it is read back the same. */
bool vit_config_item_print(VitConfigItem *item, GError **error);
/* The argument of the option as one unquoted word, or NULL for a flag. Ownership: caller. */
char *vit_config_item_argument(const VitConfigItem *item);
/* A text that is the same for equal items and no others. Ownership: caller. */
char *vit_config_item_signature(const VitConfigItem *item);

/* What stands in the text before ITEM when it is the INDEX-th one shown. */
const char *vit_config_item_lead(const VitConfigItem *item, unsigned index);

/* ---- reading (vit-config-parse.c) --------------------------------------------------------- */

/* Reads TEXT, which must hold one item and nothing else. NULL when it does not. */
VitConfigItem *vit_config_item_parse(const char *text);

/* ---- the object (vit-config.c) ------------------------------------------------------------ */

/* Appends without undo or signal; takes ITEM over and gives it a serial unless it has one. */
void vit_config_append(VitConfig *config, VitConfigItem *item);
void vit_config_replace_all(VitConfig *config, GPtrArray *items, const char *tail);
/* Puts a group that is no option in the place of the one of its name, or at the end, now and in
 * every step of undo: what the application notes there is no edit of the user's. */
void vit_config_put_foreign(VitConfig *config, VitConfigItem *item);
int vit_config_index_of(VitConfig *config, uint32_t serial);
/* Expands -hda, -cdrom and the like to the -drive that means the same; NULL when ITEM is no such
 * shorthand. Ownership: caller. */
VitConfigItem *vit_config_item_expand(const VitConfigItem *item);

/* Where each item begins in vit_config_to_text(). Ownership: caller. */
size_t *vit_config_places(VitConfig *config);

/* ---- machine.conf (vit-conf-*.c) ---------------------------------------------------------- */

/* A whole file with a NUL behind it; NULL with ERROR set. Ownership: caller. */
char *vit_conf_read_file(const char *path, size_t *out_len, GError **error);

char *vit_conf_escape(const char *value);
char *vit_conf_unescape(const char *value);

/* One line of machine.conf: a group, a key or something that is neither. */
typedef struct {
    const char *text;
    size_t len;  /* without the line end */
    char *group; /* [group] */
    char *key, *value;
} VitConfLine;

/* Reads the line at *AT and moves it on; false at the end. Free with vit_conf_line_clear(). */
bool vit_conf_next_line(const char **at, VitConfLine *out);
void vit_conf_line_clear(VitConfLine *line);

/* Keys and values that a group of machine.conf holds for ITEM, in order. */
typedef struct {
    char *key, *value;
} VitConfPair;

/* Element-type VitConfPair, freeing its elements. INDEX: place among the shown items. */
GArray *vit_conf_pairs(VitConfig *config, const VitConfigItem *item, unsigned index);
