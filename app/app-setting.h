/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* One row of a settings page: a key of an option, of an instance of an option or of a device, read
 * from and written to the configuration that dialogs and command line share. Everything about it
 * comes from the declaration of the key. Thread: main. */

#include "vit-engine.h"

G_BEGIN_DECLS

/* What edits it. */
typedef enum {
    APP_CONTROL_SWITCH, /* on or off, with a default that is one of them */
    APP_CONTROL_CHOICE, /* one of the choices, or not given */
    APP_CONTROL_COMBO,  /* one of the choices or another text */
    APP_CONTROL_NUMBER, /* within a range */
    APP_CONTROL_SIZE,   /* a number with a unit */
    APP_CONTROL_PATH,
    APP_CONTROL_TEXT,
} AppControl;

typedef struct {
    const char *value; /* interned */
    const char *title; /* translated, one line; may be the value itself */
    VitStatus status;
    const char *reason;
} AppChoice;

#define APP_TYPE_SETTING (app_setting_get_type())
G_DECLARE_FINAL_TYPE(AppSetting, app_setting, APP, SETTING, GObject)

/* SERIAL 0: wherever OPTION gives the key last. KEY is copied when IS_SHORT_LIVED. */
AppSetting *app_setting_new(VitConfig *config, const VitOption *option, uint32_t serial,
                            const VitOptionKey *key, gboolean is_short_lived);
/* The text of an instance that nobody declared; it can be changed and removed. */
AppSetting *app_setting_new_undeclared(VitConfig *config, const VitOption *option, uint32_t serial,
                                       const char *name);
/* It stands for a thing that is not there, such as a device of a later version. */
void app_setting_limit(AppSetting *setting, VitStatus status, const char *reason);

const VitOption *app_setting_get_option(AppSetting *setting);
const VitOptionKey *app_setting_get_key(AppSetting *setting);
uint32_t app_setting_get_serial(AppSetting *setting);
AppControl app_setting_get_control(AppSetting *setting);
/* Translated. Ownership: borrowed. */
const char *app_setting_get_title(AppSetting *setting);
const char *app_setting_get_help(AppSetting *setting);
/* As it is written on a command line: "-m size=". Ownership: borrowed. */
const char *app_setting_get_argument(AppSetting *setting);
gboolean app_setting_is_undeclared(AppSetting *setting);
/* Shown at once; the others wait behind "more". */
gboolean app_setting_is_prominent(AppSetting *setting);
VitStatus app_setting_get_status(AppSetting *setting);
gboolean app_setting_is_available(AppSetting *setting);
/* Why it is not available, for a person; NULL when it is. Ownership: caller. */
char *app_setting_dup_status_text(AppSetting *setting);
/* When a change counts in a machine that is like RUNNING now; in words: "At once", "At next
 * start", "Needs power off". */
VitChange app_setting_get_change(AppSetting *setting, VitConfig *running);
const char *app_change_text(VitChange change);

/* What is given, or NULL. Ownership: borrowed until the next edit. */
const char *app_setting_get_value(AppSetting *setting);
gboolean app_setting_is_set(AppSetting *setting);
/* What counts when nothing is given; NULL when there is no default. */
const char *app_setting_get_default(AppSetting *setting);
/* Checks VALUE and sets it as one step of undo; a value equal to the default, or NULL, takes the
 * key out. On failure nothing is changed. */
gboolean app_setting_set(AppSetting *setting, const char *value, GError **error);
gboolean app_setting_reset(AppSetting *setting, GError **error);
/* Elements of AppChoice. Ownership: caller. */
GArray *app_setting_list_choices(AppSetting *setting);

/* The item that gives the value, and which of its parameters does; NULL when none does. */
VitConfigItem *app_setting_find_item(AppSetting *setting, int *out_param);
/* The worst that DIAGS, whose ranges are those of the configuration's text, say about this row;
 * *out_severity is set then. Ownership: caller; NULL when they say nothing. */
char *app_setting_dup_problem(AppSetting *setting, VitDiagList *diags, VitSeverity *out_severity);
/* Whether all of WORDS, in lower case, are found in its names, help, argument or choices. */
gboolean app_setting_matches(AppSetting *setting, const char *const *words);

/* Titles (app-setting-titles.c): the translated name of an option (KEY NULL) or of its key, where
 * it has a name of its own; otherwise the word itself made readable. Ownership: borrowed. */
const char *app_setting_title_for(const char *option, const char *key);
gboolean app_setting_has_title(const char *option, const char *key);
/* Text of the schema in the user's language; NULL for NULL. */
const char *app_schema_text(const char *text);

G_END_DECLS
