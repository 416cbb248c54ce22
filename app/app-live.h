/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A running machine and its configuration, kept alike: what can change at once is carried out as
 * soon as the configuration says so, by an edit or by its undoing; the rest waits, and is listed.
 * Thread: main. */

#include "vit-engine.h"

G_BEGIN_DECLS

/* Something the running machine is not like yet. */
typedef struct {
    uint32_t serial; /* of the item in the configuration, or of one that is to go */
    const char *option;
    const char *key;  /* interned; NULL: the instance */
    char *text;       /* in words */
    VitChange change; /* VIT_CHANGE_HOT: on its way, or failed */
    char *problem;    /* why it could not be done at once; NULL */
} AppWaiting;

#define APP_TYPE_LIVE (app_live_get_type())
G_DECLARE_FINAL_TYPE(AppLive, app_live, APP, LIVE, GObject)

/* Signals: "changed" (): what the machine is like, or what waits. */

/* MACHINE was just built from CONFIG, which goes on being edited. */
AppLive *app_live_new(VitMachine *machine, VitConfig *built, VitConfig *config);
/* What the machine is like now. Ownership: borrowed. */
VitConfig *app_live_get_running(AppLive *live);
/* Element-type AppWaiting. Ownership: borrowed until "changed". */
GPtrArray *app_live_get_waiting(AppLive *live);
/* About KEY of an item (SERIAL 0: of any of OPTION); NULL. Ownership: borrowed. */
const AppWaiting *app_live_find(AppLive *live, const char *option, uint32_t serial,
                                const char *key);

/* A difference between two configurations, key by key, in words. */
typedef struct {
    VitDiffType type;
    VitConfigItem *old_item, *new_item; /* NULL: comes, goes; owned */
    const char *key;                    /* interned; NULL: the instance */
    char *text;
    VitChange change; /* when it counts in a running machine */
} AppDifference;

/* What becomes of FROM; RUNNING is what the running machine is like, NULL when none runs.
 * Element-type AppDifference. Ownership: caller. */
GPtrArray *app_list_differences(VitConfig *from, VitConfig *to, VitConfig *running);

G_END_DECLS
