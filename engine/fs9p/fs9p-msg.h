/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The bytes of 9P messages: bounded reading and writing, little endian. A reader or writer that has
 * run over its end stays bad, so that one look at the end suffices. Thread: any. */

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Types of requests; the answer's is one more. */
enum {
    FS9P_TLERROR = 6,
    FS9P_TSTATFS = 8,
    FS9P_TLOPEN = 12,
    FS9P_TLCREATE = 14,
    FS9P_TSYMLINK = 16,
    FS9P_TMKNOD = 18,
    FS9P_TRENAME = 20,
    FS9P_TREADLINK = 22,
    FS9P_TGETATTR = 24,
    FS9P_TSETATTR = 26,
    FS9P_TXATTRWALK = 30,
    FS9P_TXATTRCREATE = 32,
    FS9P_TREADDIR = 40,
    FS9P_TFSYNC = 50,
    FS9P_TLOCK = 52,
    FS9P_TGETLOCK = 54,
    FS9P_TLINK = 70,
    FS9P_TMKDIR = 72,
    FS9P_TRENAMEAT = 74,
    FS9P_TUNLINKAT = 76,
    FS9P_TVERSION = 100,
    FS9P_TAUTH = 102,
    FS9P_TATTACH = 104,
    FS9P_TFLUSH = 108,
    FS9P_TWALK = 110,
    FS9P_TREAD = 116,
    FS9P_TWRITE = 118,
    FS9P_TCLUNK = 120,
    FS9P_TREMOVE = 122,
};

enum {
    FS9P_HEADER_BYTES = 7, /* size[4] type[1] tag[2] */
    FS9P_ERROR_BYTES = FS9P_HEADER_BYTES + 4,
    FS9P_NAMES_MAX = 16, /* of one walk */
};

#define FS9P_NOTAG 0xffffu
#define FS9P_NOFID 0xffffffffu

typedef struct Fs9pReader {
    const uint8_t *at, *end;
    bool is_bad;
} Fs9pReader;

typedef struct Fs9pWriter {
    uint8_t *buf;
    size_t len, room;
    bool is_full;
} Fs9pWriter;

typedef struct Fs9pQid {
    uint8_t type;
    uint32_t version;
    uint64_t path;
} Fs9pQid;

/* A number of SIZE bytes; 0 where there is none. */
uint64_t fs9p_get(Fs9pReader *in, unsigned size);
/* A string without NUL; NULL where there is none. Ownership: caller. */
char *fs9p_get_string(Fs9pReader *in);
/* LEN bytes in place; NULL where there are fewer. */
const uint8_t *fs9p_get_bytes(Fs9pReader *in, size_t len);

void fs9p_put(Fs9pWriter *out, uint64_t value, unsigned size);
void fs9p_put_string(Fs9pWriter *out, const char *text);
void fs9p_put_qid(Fs9pWriter *out, const Fs9pQid *qid);
/* Room for LEN bytes to be filled in; NULL: there is none. */
uint8_t *fs9p_put_space(Fs9pWriter *out, size_t len);

static inline size_t
fs9p_left(const Fs9pWriter *out)
{
    return out->room - out->len;
}
