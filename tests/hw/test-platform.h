/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A platform for device tests: two empty address spaces, a clock that moves when told, requests
 * counted, and port and memory access as a guest makes it. */

#include "vit-device.h"

typedef struct TestPlatform {
    VitPlatform platform;
    VitLock lock;
    VitRegion memory_root, io_root;
    unsigned resets, shutdowns, suspends, smis, nmis;
    VitShutdownCause last_cause;
    int last_status;      /* of the last shutdown */
    unsigned a20_changes; /* calls */
    bool a20;
    GString *events; /* "NAME json\n" */
    uint64_t random; /* state of random_bytes: the same for each platform */
    GString *guest_errors;
    GPtrArray *consoles;
} TestPlatform;

void test_platform_init(TestPlatform *test);
void test_platform_finish(TestPlatform *test);

static inline void
test_outb(TestPlatform *test, uint16_t port, uint8_t value)
{
    vit_address_space_write(test->platform.io, port, 1, value);
}

static inline void
test_outw(TestPlatform *test, uint16_t port, uint16_t value)
{
    vit_address_space_write(test->platform.io, port, 2, value);
}

static inline void
test_outl(TestPlatform *test, uint16_t port, uint32_t value)
{
    vit_address_space_write(test->platform.io, port, 4, value);
}

static inline uint64_t
test_in(TestPlatform *test, uint16_t port, unsigned size)
{
    uint64_t value;

    vit_address_space_read(test->platform.io, port, size, &value);
    return value;
}

static inline uint8_t
test_inb(TestPlatform *test, uint16_t port)
{
    return test_in(test, port, 1);
}

static inline uint16_t
test_inw(TestPlatform *test, uint16_t port)
{
    return test_in(test, port, 2);
}

static inline uint32_t
test_inl(TestPlatform *test, uint16_t port)
{
    return test_in(test, port, 4);
}
