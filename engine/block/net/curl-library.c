/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Finding libcurl and its functions, preferably the build that uses GnuTLS, as everything else here
 * does. It stays in memory once loaded: its TLS library does not survive being unmapped.
 * Thread: any. */

#include "curl-library.h"

#include "vit-error.h"
#include "vit-types.h"

#include <dlfcn.h>

gboolean
curl_library_load(CurlLibrary *library, GError **error)
{
    static const char *const names[] = { "libcurl-gnutls.so.4", "libcurl.so.4" };
    static const struct {
        const char *name;
        size_t offset;
    } functions[] = {
        { "curl_easy_init", offsetof(CurlLibrary, init) },
        { "curl_easy_reset", offsetof(CurlLibrary, reset) },
        { "curl_easy_setopt", offsetof(CurlLibrary, setopt) },
        { "curl_easy_getinfo", offsetof(CurlLibrary, getinfo) },
        { "curl_easy_perform", offsetof(CurlLibrary, perform) },
        { "curl_easy_strerror", offsetof(CurlLibrary, strerror) },
        { "curl_easy_cleanup", offsetof(CurlLibrary, cleanup) },
    };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(names) && !library->handle; i++) {
        library->handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    }
    if (!library->handle) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED,
                    "Images on web and FTP servers need the library libcurl, which is not "
                    "installed here: %s.",
                    dlerror());
        return FALSE;
    }
    for (unsigned i = 0; i < VIT_ARRAY_LEN(functions); i++) {
        void *symbol = dlsym(library->handle, functions[i].name);
        if (!symbol) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED,
                        "The installed libcurl is too old: it has no %s.", functions[i].name);
            curl_library_unload(library);
            return FALSE;
        }
        *(void **)((char *)library + functions[i].offset) = symbol;
    }
    return TRUE;
}

void
curl_library_unload(CurlLibrary *library)
{
    if (library->handle) {
        dlclose(library->handle);
        library->handle = NULL;
    }
}
