/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A machine's configuration: an ordered list of option instances with their exact spelling, read
 * from an argument text, from an argument vector, from an ini file or from machine.conf, edited by
 * dialogs, and printed back without losing a byte that nobody changed.
 *
 * Items are immutable and shared: an edit replaces the item, keeping its serial, so that undo is a
 * list of earlier lists. Reading never opens the files a configuration names; that is
 * vit_config_check_host(). Thread: a VitConfig belongs to one thread at a time (in the application
 * the main thread); items may be kept by any. */

#include <gio/gio.h>

#include "vit-kinds.h"

G_BEGIN_DECLS

/* ---- diagnostics ------------------------------------------------------------------------- */

typedef enum {
    VIT_SEVERITY_NOTE,
    VIT_SEVERITY_WARNING,
    VIT_SEVERITY_ERROR,
} VitSeverity;

typedef struct {
    size_t start, end; /* bytes of the text it is about */
    VitSeverity severity;
    VitError code;
    uint32_t serial;   /* item it is about, 0 when none */
    char *message;     /* object and cause */
    char *fix;         /* what to do, may be NULL */
    char *replacement; /* text that, put in place of start..end, mends it; may be NULL */
} VitDiag;

typedef struct VitDiagList VitDiagList;

VitDiagList *vit_diag_list_new(void);
VitDiagList *vit_diag_list_ref(VitDiagList *list);
void vit_diag_list_unref(VitDiagList *list);
unsigned vit_diag_list_get_n(const VitDiagList *list);
const VitDiag *vit_diag_list_get(const VitDiagList *list, unsigned index);
unsigned vit_diag_list_count(const VitDiagList *list, VitSeverity at_least);
void vit_diag_list_sort(VitDiagList *list);
void vit_diag_list_add(VitDiagList *list, size_t start, size_t end, VitSeverity severity,
                       VitError code, uint32_t serial, const char *fix, const char *replacement,
                       const char *format, ...) G_GNUC_PRINTF(9, 10);

/* "program: message", the line of TEXT, carets below it, the fix. Long lines are cut around the
 * place, at COLUMNS. Ownership: caller. */
char *vit_diag_format(const VitDiag *diag, const char *text, const char *program, unsigned columns);

/* The first error of LIST as a GError; false when LIST has one. */
bool vit_diag_list_to_error(const VitDiagList *list, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VitDiagList, vit_diag_list_unref)

/* ---- items ------------------------------------------------------------------------------- */

typedef enum {
    VIT_ITEM_OPTION,  /* a known option */
    VIT_ITEM_IMAGE,   /* the bare disk image; its value is the parameter "file" */
    VIT_ITEM_UNKNOWN, /* not understood, not used, kept: parameter "text" holds the words */
    VIT_ITEM_FOREIGN, /* a group of machine.conf that is no option: the application's or a newer
                         version's */
} VitItemType;

typedef enum {
    VIT_ORIGIN_DEFAULT, /* put there by the program */
    VIT_ORIGIN_DIALOG,  /* set by a settings row */
    VIT_ORIGIN_TEXT,    /* typed */
} VitOrigin;

typedef struct VitConfigItem VitConfigItem;

VitConfigItem *vit_config_item_ref(VitConfigItem *item);
void vit_config_item_unref(VitConfigItem *item);

uint32_t vit_config_item_get_serial(const VitConfigItem *item);
VitItemType vit_config_item_get_item_type(const VitConfigItem *item);
/* Canonical name without dashes; for unknown and foreign items what they were called. */
const char *vit_config_item_get_name(const VitConfigItem *item);
const VitOption *vit_config_item_get_option(const VitConfigItem *item);
const VitOptionVariant *vit_config_item_get_variant(const VitConfigItem *item);
const char *vit_config_item_get_id(const VitConfigItem *item);
VitOrigin vit_config_item_get_origin(const VitConfigItem *item);
bool vit_config_item_is_json(const VitConfigItem *item);

/* Parameters in the order given, including the id. The value of a flag option has none; that of a
 * plain option is called "value". */
unsigned vit_config_item_get_n_params(const VitConfigItem *item);
const char *vit_config_item_get_param_key(const VitConfigItem *item, unsigned index);
const char *vit_config_item_get_param_value(const VitConfigItem *item, unsigned index);
/* The last value of KEY, or NULL. */
const char *vit_config_item_get(const VitConfigItem *item, const char *key);
int vit_config_item_find_param(const VitConfigItem *item, const char *key);

/* The text of the item alone, as it was typed or as it would be printed. */
const char *vit_config_item_get_source(const VitConfigItem *item);
/* Where a parameter lies within that text; INDEX -1 is the option word. */
void vit_config_item_get_range(const VitConfigItem *item, int index, size_t *out_start,
                               size_t *out_end);
/* Same, but of the key or the value of the parameter. */
void vit_config_item_get_value_range(const VitConfigItem *item, int index, size_t *out_start,
                                     size_t *out_end);
void vit_config_item_get_key_range(const VitConfigItem *item, int index, size_t *out_start,
                                   size_t *out_end);

/* Same option, id and parameters; spelling and origin do not count. */
bool vit_config_item_equal(const VitConfigItem *a, const VitConfigItem *b);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VitConfigItem, vit_config_item_unref)

/* ---- the configuration --------------------------------------------------------------------- */

#define VIT_TYPE_CONFIG (vit_config_get_type())
G_DECLARE_FINAL_TYPE(VitConfig, vit_config, VIT, CONFIG, GObject)

/* Signals: "changed" (no arguments), once per edit or transaction. */

VitConfig *vit_config_new(void);
VitConfig *vit_config_copy(VitConfig *config);

unsigned vit_config_get_n_items(VitConfig *config);
/* Ownership: borrowed until the next edit. */
VitConfigItem *vit_config_get_item(VitConfig *config, unsigned index);
VitConfigItem *vit_config_get_by_serial(VitConfig *config, uint32_t serial);
/* First instance of OPTION with ID, or without looking at the id when ID is NULL. */
VitConfigItem *vit_config_find(VitConfig *config, const char *option, const char *id);
/* Last value of OPTION's KEY over all its instances, or NULL; KEY NULL asks for a plain value. */
const char *vit_config_get(VitConfig *config, const char *option, const char *key);
/* Same as a number, from the schema's default when it is not given; false when there is none. */
bool vit_config_get_size(VitConfig *config, const char *option, const char *key, uint64_t *out);
bool vit_config_get_int(VitConfig *config, const char *option, const char *key, int64_t *out);
bool vit_config_get_bool(VitConfig *config, const char *option, const char *key, bool *out);

bool vit_config_equal(VitConfig *a, VitConfig *b);

/* ---- editing ------------------------------------------------------------------------------- */

/* Adds an instance of OPTION at the end; the rest are key, value pairs ended by NULL (a plain
 * option has the one key "value"). Returns its serial, or 0 with ERROR set. */
uint32_t vit_config_add(VitConfig *config, VitOrigin origin, GError **error, const char *option,
                        ...) G_GNUC_NULL_TERMINATED;
uint32_t vit_config_addv(VitConfig *config, VitOrigin origin, const char *option,
                         const char *const *keys, const char *const *values, GError **error);
/* Sets KEY (its last use, or a new parameter at the end). VALUE NULL removes every use. Only this
 * item is printed anew, and setting what is there already changes nothing. */
bool vit_config_set(VitConfig *config, uint32_t serial, const char *key, const char *value,
                    GError **error);
/* Sets OPTION's KEY wherever it is given last, adding an instance when there is none. */
bool vit_config_set_option(VitConfig *config, const char *option, const char *key,
                           const char *value, GError **error);
bool vit_config_remove(VitConfig *config, uint32_t serial);
bool vit_config_move(VitConfig *config, uint32_t serial, unsigned index);
/* Removes every instance of OPTION; returns how many. */
unsigned vit_config_remove_option(VitConfig *config, const char *option);
/* An id of the form PREFIXn that is not in use in any group. Ownership: caller. */
char *vit_config_unused_id(VitConfig *config, const char *prefix);

/* Edits between begin and end are one step of undo and one "changed". They nest. */
void vit_config_begin(VitConfig *config, const char *label);
void vit_config_end(VitConfig *config);
bool vit_config_can_undo(VitConfig *config, const char **out_label);
bool vit_config_can_redo(VitConfig *config, const char **out_label);
bool vit_config_undo(VitConfig *config);
bool vit_config_redo(VitConfig *config);

/* Values of machine.conf outside the options: [GROUP] KEY=value, kept in the application's groups.
 * Setting NULL removes. Ownership: borrowed until the next edit. */
const char *vit_config_get_meta(VitConfig *config, const char *group, const char *key);
void vit_config_set_meta(VitConfig *config, const char *group, const char *key, const char *value);

/* The folder that relative paths are relative to; NULL is the process's own. */
const char *vit_config_get_folder(VitConfig *config);
void vit_config_set_folder(VitConfig *config, const char *folder);
/* PATH made absolute if it is a relative path and a folder is set. Ownership: caller. */
char *vit_config_resolve_path(VitConfig *config, const char *path);

/* ---- text ---------------------------------------------------------------------------------- */

typedef enum {
    VIT_PARSE_DEFAULT = 0,
    VIT_PARSE_ARGV = 1 << 0, /* words quoted by the program itself: no program name in front, no
                                comments, expansions or continued lines */
} VitParseFlags;

/* Always returns a configuration; what was wrong is added to DIAGS (may be NULL), whose ranges are
 * bytes of TEXT. Nothing but TEXT is looked at. */
VitConfig *vit_config_parse(const char *text, VitParseFlags flags, VitDiagList *diags);
/* ARGV without the program's name. Ranges are bytes of vit_config_to_text(). */
VitConfig *vit_config_parse_argv(int argc, const char *const *argv, VitDiagList *diags);

/* The text of the pane: typed items as typed, others in full form, one per line. Ownership: caller.
 */
char *vit_config_to_text(VitConfig *config);
/* A command that a POSIX shell runs. PROGRAM may be NULL for arguments alone. Ownership: caller. */
char *vit_config_to_shell(VitConfig *config, const char *program);
/* The argument vector itself, NULL-terminated. Ownership: caller. */
char **vit_config_to_argv(VitConfig *config);
/* Where an item lies in vit_config_to_text(); false when it has no place there. */
bool vit_config_locate(VitConfig *config, uint32_t serial, size_t *out_start, size_t *out_end);

typedef enum {
    VIT_DIFF_ADDED,
    VIT_DIFF_REMOVED,
    VIT_DIFF_CHANGED,
    VIT_DIFF_MOVED,
    VIT_DIFF_RAW, /* kept, not understood */
} VitDiffType;

typedef struct {
    VitDiffType type;
    VitConfigItem *old_item; /* NULL when added */
    VitConfigItem *new_item; /* NULL when removed */
    VitChange change;        /* when it would take effect in a running machine */
} VitDiffEntry;

/* What would become of FROM. Empty for equal configurations. Ownership: caller; element-type
 * VitDiffEntry, with a free function. */
GPtrArray *vit_config_diff(VitConfig *from, VitConfig *to);
/* Makes CONFIG equal to OTHER as one step of undo; items that are equal keep serial and origin. */
void vit_config_apply(VitConfig *config, VitConfig *other, const char *label);

/* ---- checks -------------------------------------------------------------------------------- */

/* Keys, values, references, duplicates and clashes, in one pass over everything, without touching
 * the host. REGISTRY may be NULL: then names of machines and devices are only known or unknown to
 * the product. Ranges are bytes of vit_config_to_text(). */
void vit_config_validate(VitConfig *config, const VitKindRegistry *registry, VitDiagList *diags);

/* vit_config_validate(), and when that finds no error also whether a machine can be planned from
 * it: places on buses, boot orders, topologies. Touches no file either. The list is sorted. */
void vit_config_check(VitConfig *config, const VitKindRegistry *registry, VitDiagList *diags);

/* The second step: paths that must exist, folders, ports in use, host memory. HOOK may be NULL;
 * it is called for each parameter after the built-in checks. Thread: any that may block. */
typedef void (*VitHostCheck)(const VitConfigItem *item, unsigned param, const VitOptionKey *key,
                             VitDiagList *diags, size_t start, size_t end, void *data);
void vit_config_check_host(VitConfig *config, VitHostCheck hook, void *data, VitDiagList *diags);

/* Adds an error at an item's parameter (-1: the whole item) from a GError of a later step. */
void vit_config_diag_error(VitConfig *config, uint32_t serial, int param, const GError *error,
                           VitDiagList *diags);

/* ---- files --------------------------------------------------------------------------------- */

#define VIT_CONF_FORMAT 1 /* the format of machine.conf that this version writes */

typedef enum {
    VIT_CONF_WRITABLE,
    VIT_CONF_READ_ONLY, /* a newer version wrote it: may be shown and run, not written */
} VitConfAccess;

/* Reads machine.conf. A file that a newer version says older ones must not read is an error. */
VitConfig *vit_config_load(const char *path, VitConfAccess *out_access, VitDiagList *diags,
                           GError **error);
VitConfig *vit_config_load_data(const char *data, gssize len_bytes, VitConfAccess *out_access,
                                VitDiagList *diags, GError **error);
/* Writes a temporary file beside PATH, flushes it to the disk, keeps the old file as PATH~ and
 * renames: at any moment PATH is the old or the new one. */
bool vit_config_save(VitConfig *config, const char *path, GError **error);
/* The same text without writing it. Ownership: caller. */
char *vit_config_to_conf(VitConfig *config);

/* QEMU's ini form: [group "id"], key = "value". */
bool vit_config_read_ini(VitConfig *config, const char *data, const char *file_name,
                         VitDiagList *diags, GError **error);
char *vit_config_to_ini(VitConfig *config);
/* A copy of CONFIG in which the files of -readconfig stand in place of the option. Reads files.
 * Thread: any that may block. Ownership: caller. */
VitConfig *vit_config_with_includes(VitConfig *config, VitDiagList *diags);
/* What a program is started with: ARGV without its name, the files of -readconfig in place, those
 * of -writeconfig written. Thread: any that may block. Ownership: caller. */
VitConfig *vit_config_from_command_line(int argc, const char *const *argv, VitDiagList *diags);

G_END_DECLS
