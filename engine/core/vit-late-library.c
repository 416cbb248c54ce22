/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* dlopen() and dlsym() by tables. Thread: any. */

#include "vit-late-library.h"

#include "vit-error.h"

#include <dlfcn.h>

void *
vit_late_library_load(const VitLateLibrary *library, void *table, GError **error)
{
    void *handle = NULL;

    for (const char *const *name = library->names; *name && !handle; name++) {
        handle = dlopen(*name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    }
    if (!handle) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED,
                    "%s need the library %s, which is not installed here: %s.", library->purpose,
                    library->title, dlerror());
        return NULL;
    }
    for (const VitLateFunction *function = library->functions; function->name; function++) {
        void *symbol = dlsym(handle, function->name);
        if (!symbol) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED,
                        "The installed %s is too old: it has no %s.", library->title,
                        function->name);
            vit_late_library_unload(handle);
            return NULL;
        }
        *(void **)((char *)table + function->offset) = symbol;
    }
    return handle;
}

void
vit_late_library_unload(void *handle)
{
    if (handle) {
        dlclose(handle);
    }
}
