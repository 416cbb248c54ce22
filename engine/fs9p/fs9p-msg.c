/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Reading and writing the parts of 9P messages: Plan 9 manual, intro(5), and the description of
 * 9P2000.L that comes with diod. Thread: any. */

#include "fs9p-msg.h"

#include <string.h>

const uint8_t *
fs9p_get_bytes(Fs9pReader *in, size_t len)
{
    const uint8_t *bytes = in->at;

    if (in->is_bad || (size_t)(in->end - in->at) < len) {
        in->is_bad = true;
        return NULL;
    }
    in->at += len;
    return bytes;
}

uint64_t
fs9p_get(Fs9pReader *in, unsigned size)
{
    const uint8_t *bytes = fs9p_get_bytes(in, size);
    uint64_t value = 0;

    for (unsigned i = 0; bytes && i < size; i++) {
        value |= (uint64_t)bytes[i] << 8 * i;
    }
    return value;
}

char *
fs9p_get_string(Fs9pReader *in)
{
    size_t len = (size_t)fs9p_get(in, 2);
    const uint8_t *bytes = fs9p_get_bytes(in, len);

    if (!bytes || memchr(bytes, 0, len)) {
        in->is_bad = true;
        return NULL;
    }
    return g_strndup((const char *)bytes, len);
}

uint8_t *
fs9p_put_space(Fs9pWriter *out, size_t len)
{
    uint8_t *space = out->buf + out->len;

    if (out->is_full || fs9p_left(out) < len) {
        out->is_full = true;
        return NULL;
    }
    out->len += len;
    return space;
}

void
fs9p_put(Fs9pWriter *out, uint64_t value, unsigned size)
{
    uint8_t *space = fs9p_put_space(out, size);

    for (unsigned i = 0; space && i < size; i++) {
        space[i] = (uint8_t)(value >> 8 * i);
    }
}

void
fs9p_put_string(Fs9pWriter *out, const char *text)
{
    size_t len = strlen(text);
    uint8_t *space;

    if (len > UINT16_MAX) {
        out->is_full = true;
        return;
    }
    fs9p_put(out, len, 2);
    space = fs9p_put_space(out, len);
    if (space) {
        memcpy(space, text, len);
    }
}

void
fs9p_put_qid(Fs9pWriter *out, const Fs9pQid *qid)
{
    fs9p_put(out, qid->type, 1);
    fs9p_put(out, qid->version, 4);
    fs9p_put(out, qid->path, 8);
}
