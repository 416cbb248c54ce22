/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Fragments put together: the input is frames, each a length and its bytes, with headers made
 * right so that most get past the first checks. */

#include <glib.h>
#include <stdint.h>
#include <string.h>

#include "net-frag.h"
#include "net-frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    NetFrag *frag = net_frag_new();
    int64_t now_ns = 0;

    while (size > 4) {
        uint8_t frame[1600] = { 0 };
        unsigned data_len = data[0] * 6, flags_offset = data[1] << 8 | data[2], id = data[3] & 3;
        size_t copied = MIN(size - 4, data_len);

        memcpy(frame + 34, data + 4, copied);
        finish_ip(frame, 17, GUEST_IP, HOST_IP, data_len);
        put16(frame + 18, id);
        put16(frame + 20, flags_offset);
        put16(frame + 24, 0);
        put16(frame + 24, checksum(frame + 14, 20, 0));
        size_t len;
        const uint8_t *whole = net_frag_take(frag, frame, 34 + data_len, now_ns, &len);
        if (whole) {
            g_assert_cmpuint(len, <=, 14 + 65535);
            g_assert_cmpuint(get16(whole + 20) & 0x3fff, ==, 0);
        }
        now_ns += data[3] * 100000000ll;
        data += 4 + copied;
        size -= 4 + copied;
    }
    net_frag_free(frag);
    return 0;
}
