/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Names of machines, devices and CPUs that are known whether or not this build has them, so that
 * "not available yet" can be told from a slip of the pen. Thread: any; const data. */

#include <string.h>

#include "vit-known-kinds.h"

/* Whether TEXT is -vN, the version suffix of a CPU model. */
static bool
is_version_suffix(const char *text)
{
    if (text[0] != '-' || text[1] != 'v' || text[2] == '\0')
        return false;
    return text[2 + strspn(text + 2, "0123456789")] == '\0';
}

const char *
vit_known_kind(VitKindClass klass, const char *name, VitStatus *out_status, const char **out_reason)
{
    for (const VitKnownKind *kind = vit_known_kinds; kind->name != NULL; kind++) {
        size_t len = strlen(kind->name);

        if (kind->klass != klass || strncmp(kind->name, name, len) != 0)
            continue;
        if (name[len] != '\0' && !(klass == VIT_KIND_CPU && is_version_suffix(name + len)))
            continue;
        if (out_status != NULL)
            *out_status = kind->status;
        if (out_reason != NULL)
            *out_reason = kind->status == VIT_STATUS_OTHER_HOST ? "it exists only on other hosts"
                          : kind->status == VIT_STATUS_OTHER_TARGET
                              ? "it exists only on other kinds "
                                "of machine"
                              : NULL;
        return kind->title;
    }
    return NULL;
}
