/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The 9P server: the input is messages, each a length and its bytes, after a version and an attach,
 * against the made-up tree, or (the first byte's lowest bits) against a folder of the host with
 * links that lead out of it, beside which nothing may change. Sizes are made right so that most get
 * past the first check. */

#include "fs9p.h"

#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECRET "what lies beside the folder"

/* DIR/shared, and beside it a secret. Ownership: caller. */
static char *
make_folder(const char *dir)
{
    g_autofree char *secret = g_build_filename(dir, "secret", NULL);
    char *shared = g_build_filename(dir, "shared", NULL);
    g_autofree char *sub = g_build_filename(shared, "a", NULL);
    g_autofree char *file = g_build_filename(shared, "f", NULL);
    g_autofree char *up = g_build_filename(shared, "u", NULL);
    g_autofree char *link = g_build_filename(shared, "l", NULL);

    g_assert_cmpint(g_mkdir_with_parents(sub, 0700), ==, 0);
    g_file_set_contents_full(secret, SECRET, -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL);
    g_file_set_contents_full(file, "text", -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL);
    g_assert_cmpint(symlink("..", up) | symlink("../secret", link), ==, 0);
    return shared;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

/* Nothing beside the folder was touched. */
static void
check_folder(const char *dir)
{
    g_autofree char *secret = g_build_filename(dir, "secret", NULL);
    g_autofree char *text = NULL;
    GDir *entries = g_dir_open(dir, 0, NULL);
    unsigned count = 0;
    struct stat st;

    while (g_dir_read_name(entries)) {
        count++;
    }
    g_dir_close(entries);
    g_assert_cmpuint(count, ==, 2);
    g_assert_true(g_file_get_contents(secret, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, SECRET);
    g_assert_cmpint(lstat(secret, &st), ==, 0);
    g_assert_cmpuint(st.st_mode & 07777, ==, 0600);
    g_assert_cmpuint(st.st_nlink, ==, 1);
    g_assert_cmpuint(st.st_uid, ==, getuid());
    nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t version[] = "\x15\0\0\0\x64\xff\xff\0\x20\0\0\x08\0"
                                     "9P2000.L";
    static const uint8_t attach[] = "\x17\0\0\0\x68\1\0\0\0\0\0\xff\xff\xff\xff\0\0\0\0\0\0\0\0";
    static uint8_t answer[8192];
    static const Fs9pModel models[] = { FS9P_MAPPED_FILE, FS9P_NONE, FS9P_MAPPED_XATTR };
    unsigned kind = size ? data[0] & 3 : 0;
    g_autofree char *dir = kind ? g_dir_make_tmp("fuzz-9p-XXXXXX", NULL) : NULL;
    g_autofree char *shared = kind ? make_folder(dir) : NULL;
    Fs9pLocalConfig config = {
        .path = shared, .model = models[kind % 3], .file_mode = 0600, .dir_mode = 0700
    };
    Fs9pFs *fs = kind ? fs9p_local_new(&config, NULL) : fs9p_synth_new(size & 1);
    Fs9pServer *server;

    if (!fs) { /* a temporary folder without attributes */
        check_folder(dir);
        return 0;
    }
    server = fs9p_server_new(fs, FS9P_MULTIDEVS_REMAP, NULL, NULL);
    if (size) {
        data++;
        size--;
    }

    g_assert_cmpuint(fs9p_server_handle(server, version, 21, answer, sizeof(answer)), ==, 21);
    fs9p_server_handle(server, attach, 23, answer, sizeof(answer));
    while (size > 2) {
        uint8_t message[300] = { 0 };
        size_t room = data[1] & 1 ? sizeof(answer) : data[1], len = data[0], copied, answered;

        copied = MIN(len, size - 2);
        memcpy(message + 4, data + 2, copied);
        message[0] = (uint8_t)(4 + copied);
        message[1] = (4 + copied) >> 8;
        /* small fids, so that they meet */
        message[8] = message[9] = message[10] = 0;
        answered = fs9p_server_handle(server, message, 4 + copied, answer, room);
        g_assert_cmpuint(answered, <=, room);
        if (answered) {
            g_assert_cmpuint(answer[0] | answer[1] << 8 | answer[2] << 16, ==, answered);
        }
        data += 2 + copied;
        size -= 2 + copied;
    }
    fs9p_server_free(server);
    fs9p_fs_free(fs);
    if (kind) {
        check_folder(dir);
    }
    return 0;
}
