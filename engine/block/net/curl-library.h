/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* libcurl, loaded when the first image of a web or FTP server is opened: with the two dozen
 * libraries it draws in it took a third of the time that a program of ours needs to start.
 * Thread: any; perform() may block. */

#include <curl/curl.h>
#include <glib.h>

typedef struct CurlLibrary {
    void *handle;
    __typeof__(curl_easy_init) *init;
    __typeof__(curl_easy_reset) *reset;
    __typeof__(curl_easy_setopt) *setopt;
    __typeof__(curl_easy_getinfo) *getinfo;
    __typeof__(curl_easy_perform) *perform;
    __typeof__(curl_easy_strerror) *strerror;
    __typeof__(curl_easy_cleanup) *cleanup;
} CurlLibrary;

/* False with ERROR when the library is not installed. */
gboolean curl_library_load(CurlLibrary *library, GError **error);
void curl_library_unload(CurlLibrary *library);
