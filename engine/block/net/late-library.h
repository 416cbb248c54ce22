/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Libraries that are loaded when the first image needs them, and their functions. They stay in
 * memory once loaded: threads, thread-local data and TLS libraries do not survive being unmapped.
 * Thread: any. */

#include <glib.h>
#include <stddef.h>

typedef struct LateFunction {
    const char *name;
    size_t offset; /* of the pointer to it in the caller's table */
} LateFunction;

typedef struct LateLibrary {
    const char *title;             /* "libgfapi" */
    const char *purpose;           /* "Images on GlusterFS" */
    const char *const *names;      /* files, the first that is there is taken; NULL ends */
    const LateFunction *functions; /* a NULL name ends */
} LateLibrary;

/* Fills TABLE and returns the handle; NULL with ERROR when the library is not installed or too
 * old. */
void *late_library_load(const LateLibrary *library, void *table, GError **error);
void late_library_unload(void *handle); /* NULL: nothing */
