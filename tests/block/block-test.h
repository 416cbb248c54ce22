/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What the tests of the block layer share: a temporary folder, images with known content, and a
 * filter that fails, delays, counts and remembers as it is told. */

#include "blk-driver.h"
#include "host-programs.h"

typedef struct BlockTest {
    VitLock own_lock, *lock;
    BlkGraph *graph;
    char *dir;
} BlockTest;

/* The format "testcow": a backing image and a bit per 4 KiB. */
extern const BlkDriver block_test_cow_driver;

/* Call first: folders of tests are made in memory where the host has a place for that. */
void block_test_use_memory(void);
/* A graph with the filter "fault", the format "testcow" and an empty folder. The lock is held. */
void block_test_init(BlockTest *test);
/* The same under a lock of the caller's, who holds it. */
void block_test_init_locked(BlockTest *test, VitLock *lock);
/* Frees the graph and removes the folder. */
void block_test_finish(BlockTest *test);
char *block_test_path(BlockTest *test, const char *name);
void block_test_add_secret(BlockTest *test, const char *id, const char *text);
/* A file of LEN bytes of block_test_byte(). Ownership of the path: caller. */
char *block_test_image(BlockTest *test, const char *name, uint64_t len);
uint8_t block_test_byte(uint64_t offset);
/* Whether DATA is what such a file has at OFFSET. */
bool block_test_is_pattern(const uint8_t *data, uint64_t offset, size_t len);
/* What the host finds in the file NAME. */
void block_test_read_image(BlockTest *test, const char *name, uint64_t offset, void *buf,
                           size_t len);
/* Opens with "key=value,key=value" and fails the test when that fails. */
BlkNode *block_test_open(BlockTest *test, const char *filename, const char *options);
BlkOptions *block_test_options(const char *text);

/* ---- the filter ---- */

typedef struct FaultWrite {
    uint64_t offset, len;
    uint8_t *data;  /* NULL: zeroes */
    unsigned epoch; /* flushes completed before it */
} FaultWrite;

typedef struct Fault {
    uint32_t align, memory_align;
    uint64_t delay_ns;
    bool fua;
    /* Errno to give (0: none) and how many requests pass first. */
    int fail_read, fail_write, fail_flush;
    unsigned pass_count;
    unsigned reads, writes, flushes, zeroes, discards, running, most_running;
    bool remember;
    GArray *log; /* FaultWrite */
} Fault;

/* The state of the "fault" node at or below NODE. */
Fault *block_test_fault(BlkNode *node);

/* ---- requests through a drive ---- */

typedef struct Pending {
    bool ended;
    int ret;
} Pending;

void block_test_done(void *opaque, int ret);
/* Dispatches until it has ended; gives its result. */
int block_test_wait(BlockTest *test, Pending *pending);
int block_test_drive_read(BlockTest *test, VitDrive *drive, uint64_t offset, void *buf, size_t len);
int block_test_drive_write(BlockTest *test, VitDrive *drive, uint64_t offset, const void *buf,
                           size_t len);
int block_test_drive_flush(BlockTest *test, VitDrive *drive);
