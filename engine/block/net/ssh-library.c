/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The functions of libssh, preferably of the build that uses libgcrypt, as LUKS here does.
 * Thread: any. */

#include "ssh-library.h"

bool
ssh_library_load(SshLibrary *library, GError **error)
{
    static const char *const names[] = { "libssh-gcrypt.so.4", "libssh.so.4", NULL };
    static const VitLateFunction functions[] = {
        SSH_LIBRARY_FUNCTIONS(VIT_LATE_ROW, SshLibrary){ 0 },
    };
    static const VitLateLibrary late = { .title = "libssh",
                                         .purpose = "Images on hosts with SSH",
                                         .names = names,
                                         .functions = functions };

    library->handle = vit_late_library_load(&late, library, error);
    return library->handle != NULL;
}

void
ssh_library_unload(SshLibrary *library)
{
    vit_late_library_unload(g_steal_pointer(&library->handle));
}
