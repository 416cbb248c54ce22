/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The functions of libgfapi. Signatures as of version 6.0 of its interface, which later versions
 * keep. Thread: any. */

#include "gluster-library.h"

#include "vit-late-library.h"

gboolean
gluster_library_load(GlusterLibrary *library, GError **error)
{
    static const char *const names[] = { "libgfapi.so.0", NULL };
    static const VitLateFunction functions[] = {
        { "glfs_new", offsetof(GlusterLibrary, volume_new) },
        { "glfs_set_volfile_server", offsetof(GlusterLibrary, set_volfile_server) },
        { "glfs_set_logging", offsetof(GlusterLibrary, set_logging) },
        { "glfs_init", offsetof(GlusterLibrary, init) },
        { "glfs_fini", offsetof(GlusterLibrary, fini) },
        { "glfs_open", offsetof(GlusterLibrary, open) },
        { "glfs_creat", offsetof(GlusterLibrary, creat) },
        { "glfs_unlink", offsetof(GlusterLibrary, unlink) },
        { "glfs_close", offsetof(GlusterLibrary, close) },
        { "glfs_pread", offsetof(GlusterLibrary, pread) },
        { "glfs_pwrite", offsetof(GlusterLibrary, pwrite) },
        { "glfs_fsync", offsetof(GlusterLibrary, fsync) },
        { "glfs_fallocate", offsetof(GlusterLibrary, fallocate) },
        { "glfs_ftruncate", offsetof(GlusterLibrary, ftruncate) },
        { "glfs_discard", offsetof(GlusterLibrary, discard) },
        { "glfs_zerofill", offsetof(GlusterLibrary, zerofill) },
        { "glfs_lseek", offsetof(GlusterLibrary, lseek) },
        { 0 },
    };
    static const VitLateLibrary late = { .title = "libgfapi (package libgfapi0)",
                                         .purpose = "Images on GlusterFS",
                                         .names = names,
                                         .functions = functions };

    library->handle = vit_late_library_load(&late, library, error);
    return library->handle != NULL;
}

void
gluster_library_unload(GlusterLibrary *library)
{
    vit_late_library_unload(g_steal_pointer(&library->handle));
}
