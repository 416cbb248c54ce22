/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* One machine of the library: its folder, its configuration, and its session. A folder is
 * NAME.vitrine with machine.conf, disks/ and the like; the demo machine has none. Thread: main. */

#include "app-session.h"

G_BEGIN_DECLS

#define APP_TYPE_ENTRY (app_entry_get_type())
G_DECLARE_FINAL_TYPE(AppEntry, app_entry, APP, ENTRY, GObject)

/* Signals:
 *   "changed" (): name, configuration, session state or speed;
 *   "picture" (): there is a newer picture of the screen. */

/* Reads FOLDER/machine.conf. An entry whose file cannot be read is there all the same, broken. */
AppEntry *app_entry_new_for_folder(GFile *folder);
/* A machine that lives in no folder. */
AppEntry *app_entry_new_built_in(const char *name, VitConfig *config);

const char *app_entry_get_name(AppEntry *entry);
GFile *app_entry_get_folder(AppEntry *entry); /* NULL for a built-in one */
VitConfig *app_entry_get_config(AppEntry *entry);
AppSession *app_entry_get_session(AppEntry *entry);
/* Why it cannot be started; NULL when it can. */
const char *app_entry_get_problem(AppEntry *entry);
/* One line: state, memory, what it boots. Ownership: caller. */
char *app_entry_describe(AppEntry *entry);
/* What the user wrote about it; "" when nothing. Kept in machine.conf. */
const char *app_entry_get_notes(AppEntry *entry);
gboolean app_entry_set_notes(AppEntry *entry, const char *notes, GError **error);
/* The screen, small, while it runs; NULL before there is one. Borrowed. */
const VitPicture *app_entry_get_picture(AppEntry *entry);
/* Where the last picture is kept; NULL for a built-in one. Ownership: caller. */
char *app_entry_get_picture_path(AppEntry *entry);
/* Whether every word of TEXT is in its name, notes or state. */
gboolean app_entry_matches(AppEntry *entry, const char *text);
/* Writes machine.conf. */
gboolean app_entry_save(AppEntry *entry, GError **error);

G_END_DECLS
