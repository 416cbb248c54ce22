/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The functions of libiscsi. Thread: any. */

#include "iscsi-library.h"

bool
iscsi_library_load(IscsiLibrary *library, GError **error)
{
    static const char *const names[] = { "libiscsi.so.7", "libiscsi.so", NULL };
    static const VitLateFunction functions[] = {
        ISCSI_LIBRARY_FUNCTIONS(VIT_LATE_ROW, IscsiLibrary){ 0 },
    };
    static const VitLateLibrary late = { .title = "libiscsi",
                                         .purpose = "Images on iSCSI targets",
                                         .names = names,
                                         .functions = functions };

    library->handle = vit_late_library_load(&late, library, error);
    return library->handle != NULL;
}

void
iscsi_library_unload(IscsiLibrary *library)
{
    vit_late_library_unload(g_steal_pointer(&library->handle));
}
