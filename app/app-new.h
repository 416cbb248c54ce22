/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A machine to be made: from install media, a disk image, a machine's folder or an argument text.
 * Thread: main, but where it says any. */

#include "app-library.h"
#include "app-preset.h"

G_BEGIN_DECLS

typedef enum {
    APP_NEW_ISO,    /* installs from it, or runs it alone when there is to be no disk */
    APP_NEW_IMAGE,  /* a disk that is there */
    APP_NEW_FOLDER, /* a machine that is there */
    APP_NEW_TEXT,   /* arguments, or a shell script with them */
} AppNewSource;

typedef enum {
    APP_USE_IN_PLACE,
    APP_USE_COPY,
    APP_USE_MOVE,
} AppUse;

typedef struct {
    AppNewSource source;
    const char *name;
    const char *path;   /* of the ISO, image or folder */
    const char *text;   /* of APP_NEW_TEXT */
    const char *format; /* of the image; NULL: raw */
    const AppPreset *preset;
    guint64 ram_bytes, disk_bytes; /* no disk when 0 */
    guint cpus;
    AppUse use; /* of the image or the folder */
} AppNewMachine;

/* What PATH is. A script or argument text is read into *OUT_TEXT (caller's). Thread: any. */
AppNewSource app_new_guess_source(const char *path, char **out_text);
/* The command within a shell script: continued lines joined, simple variables put in. Ownership:
 * caller; the text itself when it holds no such command. */
char *app_new_find_command(const char *script);

/* The configuration that the machine in FOLDER (which need not be there yet) gets, for review and
 * for making it; problems of a text are in DIAGS. NULL for APP_NEW_FOLDER. Ownership: caller. */
VitConfig *app_new_config(const AppNewMachine *machine, const char *folder, VitDiagList *diags,
                          GError **error);

/* What is doubtful about the sizes on a host with these resources, a line each; NULL when nothing
 * is. Ownership: caller. */
char *app_new_advice(const AppNewMachine *machine, guint64 host_ram_bytes, guint host_cpus,
                     guint64 free_disk_bytes);
guint64 app_host_ram_bytes(void);
/* Free space where new machines are made. */
guint64 app_host_free_bytes(AppLibrary *library);

/* Makes it, as a job when there is much to copy; nothing is left behind when it fails.
 * Ownership: finish() borrows, the library has it. */
void app_new_create_async(AppLibrary *library, const AppNewMachine *machine,
                          GAsyncReadyCallback callback, gpointer data);
AppEntry *app_new_create_finish(AppLibrary *library, GAsyncResult *result, GError **error);

G_END_DECLS
