/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Preloaded into the application under test: each write of a copy takes a quarter of a second, so
 * that there is time to look at a job and to cancel it. Files are of 64 bits here and there, so
 * that the name is pwrite64 in both. Any thread. */

#include <dlfcn.h>
#include <unistd.h>

ssize_t
pwrite(int fd, const void *buffer, size_t len, off_t at)
{
    static ssize_t (*real)(int, const void *, size_t, off_t);

    if (!real) {
        real = (ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite64");
    }
    usleep(250000);
    return real(fd, buffer, len, at);
}
