/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Inside the guest of disk.py: DISK MIBYTES [REQUESTS [cached]]. Requests of 4 KiB past the page
 * cache (or through it), one at a time and 16 at a time, in order and at random, and large ones;
 * each row is told with START and END, between which the host takes the time. What is read has to
 * be what was written. The host runs it on a file of its own too, which is what no emulator can be
 * below. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { DEPTH_MAX = 16, LARGE = 256 * 1024, SMALL = 4096 };

static uint64_t disk_len;
static uint8_t *memory;
static int disk;

static void
die(const char *what)
{
    printf("FAILED %s\n", what);
    fflush(stdout);
    exit(1);
}

static uint64_t
word_at(uint64_t offset)
{
    return (offset / 512 + 1) * 0x9e3779b97f4a7c15ull;
}

static void
fill(uint8_t *buf, uint64_t offset, size_t len)
{
    for (size_t at = 0; at < len; at += 512) {
        uint64_t word = word_at(offset + at);
        memcpy(buf + at, &word, 8);
        memcpy(buf + at + 504, &word, 8);
    }
}

static bool
is_good(const uint8_t *buf, uint64_t offset, size_t len)
{
    for (size_t at = 0; at < len; at += 512) {
        uint64_t word = word_at(offset + at);
        if (memcmp(buf + at, &word, 8) != 0 || memcmp(buf + at + 504, &word, 8) != 0) {
            return false;
        }
    }
    return true;
}

typedef struct Row {
    const char *name;
    bool write, random;
    size_t len;
    unsigned depth;
    long count;
} Row;

static uint64_t
next_offset(const Row *row, long i, uint64_t *state)
{
    uint64_t places = disk_len / row->len;

    if (!row->random) {
        return (uint64_t)i % places * row->len;
    }
    *state = *state * 6364136223846793005ull + 1442695040888963407ull;
    return (*state >> 33) % places * row->len;
}

static void
submit(aio_context_t context, const Row *row, struct iocb *block, long i, uint64_t *state)
{
    uint8_t *buf = (uint8_t *)(uintptr_t)block->aio_buf;
    uint64_t offset = next_offset(row, i, state);

    block->aio_lio_opcode = row->write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
    block->aio_fildes = (uint32_t)disk;
    block->aio_nbytes = row->len;
    block->aio_offset = (int64_t)offset;
    if (row->write) {
        fill(buf, offset, row->len);
    }
    if (syscall(SYS_io_submit, context, 1L, &block) != 1) {
        die("io_submit");
    }
}

static void
run_queue(const Row *row)
{
    struct iocb blocks[DEPTH_MAX];
    struct io_event events[DEPTH_MAX];
    aio_context_t context = 0;
    uint64_t state = 1;
    long sent = 0, done = 0;

    if (syscall(SYS_io_setup, row->depth, &context) != 0) {
        die("io_setup");
    }
    memset(blocks, 0, sizeof(blocks));
    for (; sent < row->depth; sent++) {
        blocks[sent].aio_buf = (uintptr_t)(memory + sent * row->len);
        submit(context, row, &blocks[sent], sent, &state);
    }
    while (done < row->count) {
        long got = syscall(SYS_io_getevents, context, 1L, (long)row->depth, events, NULL);
        for (long e = 0; e < got; e++, done++) {
            struct iocb *block = (struct iocb *)(uintptr_t)events[e].obj;
            if (events[e].res != (int64_t)row->len ||
                (!row->write && !is_good((uint8_t *)(uintptr_t)block->aio_buf,
                                         (uint64_t)block->aio_offset, row->len))) {
                die(row->name);
            }
            if (sent < row->count) {
                submit(context, row, block, sent++, &state);
            }
        }
        if (got < 1) {
            die("io_getevents");
        }
    }
    syscall(SYS_io_destroy, context);
}

static void
run_single(const Row *row)
{
    uint64_t state = 1;

    for (long i = 0; i < row->count; i++) {
        uint64_t offset = next_offset(row, i, &state);
        if (row->write) {
            fill(memory, offset, row->len);
        }
        ssize_t got = row->write ? pwrite(disk, memory, row->len, (off_t)offset)
                                 : pread(disk, memory, row->len, (off_t)offset);
        if (got != (ssize_t)row->len || (!row->write && !is_good(memory, offset, row->len))) {
            die(row->name);
        }
    }
}

int
main(int argc, char **argv)
{
    long n = argc > 3 ? atol(argv[3]) : 4000;
    const Row rows[] = {
        { "prepare", true, false, LARGE, 1, 0 }, /* the whole disk */
        { "read-seq-4k", false, false, SMALL, 1, n },
        { "write-seq-4k", true, false, SMALL, 1, n },
        { "read-rand-4k", false, true, SMALL, 1, n },
        { "write-rand-4k", true, true, SMALL, 1, n },
        { "read-rand-4k-16", false, true, SMALL, 16, 4 * n },
        { "write-rand-4k-16", true, true, SMALL, 16, 4 * n },
        { "read-seq-256k", false, false, LARGE, 1, n / 2 },
    };

    if (argc < 3) {
        return 2;
    }
    disk = open(argv[1], O_RDWR | (argc > 4 ? 0 : O_DIRECT));
    disk_len = (uint64_t)atol(argv[2]) << 20;
    if (disk < 0 || posix_memalign((void **)&memory, 4096, DEPTH_MAX * LARGE) != 0) {
        die(argv[1]);
    }
    memset(memory, 0, DEPTH_MAX * LARGE);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        Row row = rows[i];
        row.count = row.count ? row.count : (long)(disk_len / LARGE);
        printf("START %s\n", row.name);
        fflush(stdout);
        row.depth > 1 ? run_queue(&row) : run_single(&row);
        fsync(disk);
        printf("END %s %ld\n", row.name, row.count);
        fflush(stdout);
    }
    return 0;
}
