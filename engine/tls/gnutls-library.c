/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The functions of GnuTLS. Thread: any. */

#include "gnutls-library.h"

bool
gnutls_library_load(GnutlsLibrary *library, GError **error)
{
    static const char *const names[] = { "libgnutls.so.30", NULL };
    static const VitLateFunction functions[] = {
        GNUTLS_LIBRARY_FUNCTIONS(VIT_LATE_ROW, GnutlsLibrary){ 0 },
    };
    static const VitLateLibrary late = { .title = "GnuTLS",
                                         .purpose = "Encrypted connections",
                                         .names = names,
                                         .functions = functions };

    library->handle = vit_late_library_load(&late, library, error);
    return library->handle != NULL;
}

void
gnutls_library_unload(GnutlsLibrary *library)
{
    vit_late_library_unload(g_steal_pointer(&library->handle));
}
