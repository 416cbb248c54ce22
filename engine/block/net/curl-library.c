/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The functions of libcurl, preferably of the build that uses GnuTLS, as everything else here does.
 * Thread: any. */

#include "curl-library.h"

#include "vit-late-library.h"

gboolean
curl_library_load(CurlLibrary *library, GError **error)
{
    static const char *const names[] = { "libcurl-gnutls.so.4", "libcurl.so.4", NULL };
    static const VitLateFunction functions[] = {
        { "curl_easy_init", offsetof(CurlLibrary, init) },
        { "curl_easy_reset", offsetof(CurlLibrary, reset) },
        { "curl_easy_setopt", offsetof(CurlLibrary, setopt) },
        { "curl_easy_getinfo", offsetof(CurlLibrary, getinfo) },
        { "curl_easy_perform", offsetof(CurlLibrary, perform) },
        { "curl_easy_strerror", offsetof(CurlLibrary, strerror) },
        { "curl_easy_cleanup", offsetof(CurlLibrary, cleanup) },
        { 0 },
    };
    static const VitLateLibrary late = { .title = "libcurl",
                                         .purpose = "Images on web and FTP servers",
                                         .names = names,
                                         .functions = functions };

    library->handle = vit_late_library_load(&late, library, error);
    return library->handle != NULL;
}

void
curl_library_unload(CurlLibrary *library)
{
    vit_late_library_unload(g_steal_pointer(&library->handle));
}
