/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The error domain of the whole engine. Messages name the object, the cause and, where there is
 * one, the next step; they are plain English, marked for translation where they are written and
 * translated by the application. Thread: any. */

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define VIT_ERROR (vit_error_quark())

typedef enum {
    VIT_ERROR_FAILED,            /* anything without a code of its own */
    VIT_ERROR_INVALID_ARGUMENT,  /* an option, property, command argument or value is wrong */
    VIT_ERROR_NOT_FOUND,         /* the named file, device, id or backend does not exist */
    VIT_ERROR_BUSY,              /* locked image, used port, device already attached */
    VIT_ERROR_PERMISSION,        /* the host refuses access */
    VIT_ERROR_NO_MEMORY,         /* host memory or address space is not there */
    VIT_ERROR_IO,                /* the host failed to read or write */
    VIT_ERROR_CORRUPT,           /* an image, a state or a file contradicts itself */
    VIT_ERROR_NOT_AVAILABLE_YET, /* known, but this version does not have it */
    VIT_ERROR_OTHER_HOST,        /* exists only on another host system */
    VIT_ERROR_OTHER_TARGET,      /* exists only on another kind of machine */
    VIT_ERROR_STATE,             /* not possible in the machine's present state */
    VIT_ERROR_LAST
} VitError;

GQuark vit_error_quark(void);

/* A name that users know from elsewhere and that a list of ours lacks. */
typedef struct VitAbsentName {
    const char *name;
    VitError code;
    const char *reason;
} VitAbsentName;

/* Whether NAME is one of COUNT absent names; then *ERROR says why there is no such WHAT. */
bool vit_set_absent_error(const VitAbsentName *absent, size_t count, const char *what,
                          const char *name, GError **error);

G_END_DECLS
