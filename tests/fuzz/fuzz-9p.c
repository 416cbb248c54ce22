/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The 9P server: the input is messages, each a length and its bytes, after a version and an attach,
 * against the made-up tree. Sizes are made right so that most get past the first check. */

#include "fs9p.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t version[] = "\x15\0\0\0\x64\xff\xff\0\x20\0\0\x08\0"
                                     "9P2000.L";
    static const uint8_t attach[] = "\x17\0\0\0\x68\1\0\0\0\0\0\xff\xff\xff\xff\0\0\0\0\0\0\0\0";
    static uint8_t answer[8192];
    Fs9pFs *fs = fs9p_synth_new(size & 1);
    Fs9pServer *server = fs9p_server_new(fs, FS9P_MULTIDEVS_REMAP, NULL, NULL);

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
    return 0;
}
