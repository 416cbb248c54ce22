/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Libraries that are loaded when they are first needed, and their functions. They stay in memory
 * once loaded: threads, thread-local data and TLS libraries do not survive being unmapped.
 * Thread: any. */

#include <glib.h>
#include <stddef.h>

typedef struct VitLateFunction {
    const char *name;
    size_t offset; /* of the pointer to it in the caller's table */
} VitLateFunction;

typedef struct VitLateLibrary {
    const char *title;                /* "libgfapi" */
    const char *purpose;              /* "Images on GlusterFS" */
    const char *const *names;         /* files, the first that is there is taken; NULL ends */
    const VitLateFunction *functions; /* a NULL name ends */
} VitLateLibrary;

/* Members and rows of a table whose functions are named once, in a macro LIST(X, ...) that says
 * X(function, ...) of each: "LIST(VIT_LATE_MEMBER)" and "LIST(VIT_LATE_ROW, Table)". Needs the
 * library's header. A variable's member is a pointer to it. */
#define VIT_LATE_MEMBER(function, ...) __typeof__(function) *function;
#define VIT_LATE_ROW(function, table)  { #function, offsetof(table, function) },

/* Fills TABLE and returns the handle; NULL with ERROR when the library is not installed or too
 * old. */
void *vit_late_library_load(const VitLateLibrary *library, void *table, GError **error);
void vit_late_library_unload(void *handle); /* NULL: nothing */
