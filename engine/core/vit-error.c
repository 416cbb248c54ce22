/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The engine's error domain, and errors that several lists of names share.
 * Thread: any. */

#include "vit-error.h"

#include <string.h>

GQuark
vit_error_quark(void)
{
    return g_quark_from_static_string("vit-error-quark");
}

bool
vit_set_absent_error(const VitAbsentName *absent, size_t count, const char *what, const char *name,
                     GError **error)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(absent[i].name, name) != 0) {
            continue;
        }
        g_set_error(error, VIT_ERROR, absent[i].code, "%s '%s'%s: %s", what, name,
                    absent[i].code == VIT_ERROR_NOT_AVAILABLE_YET ? " is not available yet" : "",
                    absent[i].reason);
        return true;
    }
    return false;
}
