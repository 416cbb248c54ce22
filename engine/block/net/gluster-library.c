/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Finding libgfapi and its functions. Signatures as of version 6.0 of its interface, which later
 * versions keep. The library stays in memory once loaded: its threads and thread-local data do not
 * survive being unmapped. Thread: any. */

#include "gluster-library.h"

#include "vit-error.h"
#include "vit-types.h"

#include <dlfcn.h>

gboolean
gluster_library_load(GlusterLibrary *library, GError **error)
{
    static const struct {
        const char *name;
        size_t offset;
    } functions[] = {
        { "glfs_new", offsetof(GlusterLibrary, volume_new) },
        { "glfs_set_volfile_server", offsetof(GlusterLibrary, set_volfile_server) },
        { "glfs_set_logging", offsetof(GlusterLibrary, set_logging) },
        { "glfs_init", offsetof(GlusterLibrary, init) },
        { "glfs_fini", offsetof(GlusterLibrary, fini) },
        { "glfs_open", offsetof(GlusterLibrary, open) },
        { "glfs_creat", offsetof(GlusterLibrary, creat) },
        { "glfs_close", offsetof(GlusterLibrary, close) },
        { "glfs_pread", offsetof(GlusterLibrary, pread) },
        { "glfs_pwrite", offsetof(GlusterLibrary, pwrite) },
        { "glfs_fsync", offsetof(GlusterLibrary, fsync) },
        { "glfs_ftruncate", offsetof(GlusterLibrary, ftruncate) },
        { "glfs_discard", offsetof(GlusterLibrary, discard) },
        { "glfs_zerofill", offsetof(GlusterLibrary, zerofill) },
        { "glfs_lseek", offsetof(GlusterLibrary, lseek) },
    };

    library->handle = dlopen("libgfapi.so.0", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library->handle) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED,
                    "Images on GlusterFS need the library libgfapi, which is not installed here "
                    "(package libgfapi0): %s.",
                    dlerror());
        return FALSE;
    }
    for (unsigned i = 0; i < VIT_ARRAY_LEN(functions); i++) {
        void *symbol = dlsym(library->handle, functions[i].name);
        if (!symbol) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED,
                        "The installed libgfapi is too old: it has no %s.", functions[i].name);
            gluster_library_unload(library);
            return FALSE;
        }
        *(void **)((char *)library + functions[i].offset) = symbol;
    }
    return TRUE;
}

void
gluster_library_unload(GlusterLibrary *library)
{
    if (library->handle) {
        dlclose(library->handle);
        library->handle = NULL;
    }
}
