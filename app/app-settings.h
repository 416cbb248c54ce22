/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The settings of one machine: pages of groups of rows, all made from the option schema and the
 * registry of kinds. It watches the configuration, checks it, and saves it into the machine's
 * folder a moment after each change. Thread: main. */

#include "app-entry.h"
#include "app-setting.h"

G_BEGIN_DECLS

typedef enum {
    APP_PAGE_SYSTEM,
    APP_PAGE_PROCESSOR,
    APP_PAGE_MEMORY,
    APP_PAGE_DISPLAY,
    APP_PAGE_STORAGE,
    APP_PAGE_NETWORK,
    APP_PAGE_SOUND,
    APP_PAGE_PORTS,
    APP_PAGE_INPUT,
    APP_PAGE_BOOT,
    APP_PAGE_ADVANCED, /* everything else */
    APP_PAGE_LAST
} AppPage;

const char *app_page_name(AppPage page);  /* for stacks and actions: "memory" */
const char *app_page_title(AppPage page); /* translated */
const char *app_page_icon(AppPage page);
/* Where the rows of an option or the devices of a category of the registry stand. */
AppPage app_page_of_option(const VitOption *option);
AppPage app_page_of_category(const char *category);

/* An option, an instance of one, or a device, with its rows. */
typedef struct {
    char *title;    /* "Network card net0" */
    char *subtitle; /* what it is for; may be NULL */
    char *argument; /* "-device e1000,…" as it is given; NULL when it is not */
    const VitOption *option;
    uint32_t serial; /* 0 when it is no instance and cannot be removed */
    gboolean is_unknown;
    GPtrArray *settings; /* of AppSetting */
} AppSettingGroup;

/* Something that can be added to a machine. */
typedef struct {
    const VitOption *option;
    const char *kind;  /* variant or kind of device; NULL when the option has none */
    const char *title; /* translated */
    VitStatus status;
    const char *reason;
} AppAddition;

#define APP_TYPE_SETTINGS (app_settings_get_type())
G_DECLARE_FINAL_TYPE(AppSettings, app_settings, APP, SETTINGS, GObject)

/* Signals:
 *   "changed" (): the configuration or what is known to be wrong with it;
 *   "save-failed" (const char *message). */

/* Without a folder to save into. */
AppSettings *app_settings_new(VitConfig *config);
/* The one of ENTRY, shared by all its windows. Ownership: caller. */
AppSettings *app_settings_for_entry(AppEntry *entry);

VitConfig *app_settings_get_config(AppSettings *settings);
/* NULL when it has none. */
AppEntry *app_settings_get_entry(AppSettings *settings);
/* What is wrong, with places in the configuration's text. Ownership: borrowed. */
VitDiagList *app_settings_get_diags(AppSettings *settings);
/* Writes what is not written yet. */
gboolean app_settings_save(AppSettings *settings, GError **error);

/* Element-type AppSettingGroup. Ownership: caller. */
GPtrArray *app_settings_list_groups(AppSettings *settings, AppPage page);
/* The same as long as the page needs no other rows. Ownership: caller. */
char *app_settings_page_shape(AppSettings *settings, AppPage page);
/* The groups of all pages with the rows that have all words of TEXT, at most LIMIT rows. */
GPtrArray *app_settings_search(AppSettings *settings, const char *text, unsigned limit);

/* Element-type AppAddition, without what belongs to other hosts or machines. Ownership: caller. */
GPtrArray *app_settings_list_additions(AppSettings *settings, AppPage page);
/* Returns the serial of the new instance, 0 with ERROR set. Required keys get a first value. */
uint32_t app_settings_add(AppSettings *settings, const AppAddition *addition, GError **error);
gboolean app_settings_remove(AppSettings *settings, uint32_t serial);

G_END_DECLS
