/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What a helper of the 9P driver "proxy" answers: the input is all of its answers, behind two bytes
 * that choose the requests. Lengths and types are made right now and then, so that bodies are
 * reached. */

#include "fs9p-fs.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
look(void *opaque, const Fs9pEntry *entry)
{
    unsigned *count = opaque;

    return strlen(entry->name) > 0 && ++*count < 10;
}

static void
request(Fs9pFs *fs, unsigned kind)
{
    static const Fs9pOwner owner = { .mode = 0600, .uid = 1, .gid = 2 };
    static const struct timespec times[2] = { 0 };
    Fs9pFile *file = NULL;
    struct statfs room;
    struct stat st;
    char text[64];
    unsigned count = 0;
    ssize_t n;

    switch (kind & 7) {
    case 0: fs->ops->lstat(fs, "a", &st); break;
    case 1: fs->ops->statfs(fs, "a", &room); break;
    case 2:
        n = fs->ops->readlink(fs, "a", text, sizeof(text));
        g_assert_cmpint(n, <=, (ssize_t)sizeof(text));
        break;
    case 3:
        if (fs->ops->open(fs, "a", 0, &file) == 0) {
            fs->ops->readdir(fs, file, 0, look, &count);
            fs->ops->close(fs, file);
        }
        break;
    case 4:
        n = fs->ops->getxattr(fs, "a", "user.x", text, sizeof(text));
        g_assert_cmpint(n, <=, (ssize_t)sizeof(text));
        break;
    case 5:
        n = fs->ops->listxattr(fs, "a", text, sizeof(text));
        g_assert_cmpint(n, <=, (ssize_t)sizeof(text));
        break;
    case 6: fs->ops->mkdir(fs, "", "b", &owner); break;
    default: fs->ops->utimens(fs, "a", times);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Fs9pProxyConfig config = { 0 };
    uint8_t answers[4096];
    unsigned kinds;
    int ends[2];
    Fs9pFs *fs;

    if (size < 2 || size - 2 > sizeof(answers)) {
        return 0;
    }
    kinds = data[0] | data[1] << 8;
    memcpy(answers, data + 2, size - 2);
    if (kinds & 0x8000 && size >= 10) { /* one answer that is as long as it says */
        uint32_t type = data[2] & 1, len = (uint32_t)size - 10;
        memcpy(answers, &type, 4);
        memcpy(answers + 4, &len, 4);
    }
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
    config.fd = ends[0];
    fs = fs9p_proxy_new(&config, NULL);
    g_assert_cmpint(write(ends[1], answers, size - 2), ==, (ssize_t)(size - 2));
    shutdown(ends[1], SHUT_WR);
    for (unsigned i = 0; i < 5; i++) {
        request(fs, kinds >> 3 * i);
    }
    fs9p_fs_free(fs);
    close(ends[1]);
    return 0;
}
