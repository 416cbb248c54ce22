/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

#include "test-platform.h"

#include "vit-input-hub.h"

#include <string.h>

static void
request_reset(void *opaque, VitShutdownCause cause)
{
    TestPlatform *test = opaque;

    test->resets++;
    test->last_cause = cause;
}

static void
request_shutdown(void *opaque, VitShutdownCause cause, int status)
{
    TestPlatform *test = opaque;

    test->shutdowns++;
    test->last_cause = cause;
    test->last_status = status;
}

static void
request_suspend(void *opaque)
{
    ((TestPlatform *)opaque)->suspends++;
}

static void
raise_smi(void *opaque)
{
    ((TestPlatform *)opaque)->smis++;
}

static void
raise_nmi(void *opaque)
{
    ((TestPlatform *)opaque)->nmis++;
}

static void
set_a20(void *opaque, bool enabled)
{
    TestPlatform *test = opaque;

    test->a20_changes++;
    test->a20 = enabled;
}

static void
random_bytes(void *opaque, void *buf, size_t len)
{
    TestPlatform *test = opaque;

    for (size_t i = 0; i < len; i++) {
        test->random = test->random * 6364136223846793005ull + 1442695040888963407ull;
        ((uint8_t *)buf)[i] = test->random >> 56;
    }
}

static void
report_event(void *opaque, const char *name, const char *json_data)
{
    g_string_append_printf(((TestPlatform *)opaque)->events, "%s %s\n", name,
                           json_data ? json_data : "");
}

static void
guest_error(void *opaque, const char *line)
{
    g_string_append_printf(((TestPlatform *)opaque)->guest_errors, "%s\n", line);
}

static const VitPlatformOps platform_ops = {
    .request_reset = request_reset,
    .request_shutdown = request_shutdown,
    .request_suspend = request_suspend,
    .raise_smi = raise_smi,
    .raise_nmi = raise_nmi,
    .set_a20 = set_a20,
    .random_bytes = random_bytes,
    .event = report_event,
    .guest_error = guest_error,
};

void
test_platform_init(TestPlatform *test)
{
    memset(test, 0, sizeof(*test));
    vit_lock_init(&test->lock);
    vit_lock_take(&test->lock);
    vit_region_init_container(&test->memory_root, "memory", UINT64_MAX);
    vit_region_init_container(&test->io_root, "io", 0x10000);
    test->guest_errors = g_string_new(NULL);
    test->events = g_string_new(NULL);
    test->consoles = g_ptr_array_new();

    VitPlatform *platform = &test->platform;
    platform->lock = &test->lock;
    platform->clock = vit_clock_new(&test->lock, VIT_CLOCK_STEPPED);
    platform->maps = vit_map_domain_new(&test->lock);
    platform->memory_root = &test->memory_root;
    platform->io_root = &test->io_root;
    platform->memory = vit_address_space_new(platform->maps, "memory", &test->memory_root);
    platform->io = vit_address_space_new(platform->maps, "io", &test->io_root);
    platform->input = vit_input_hub_new();
    platform->consoles = test->consoles;
    platform->ops = &platform_ops;
    platform->opaque = test;
}

void
test_platform_finish(TestPlatform *test)
{
    VitPlatform *platform = &test->platform;

    vit_address_space_free(platform->memory);
    vit_address_space_free(platform->io);
    vit_region_finish(&test->memory_root);
    vit_region_finish(&test->io_root);
    vit_map_domain_free(platform->maps);
    vit_clock_free(platform->clock);
    g_ptr_array_unref(test->consoles);
    vit_input_hub_free(platform->input);
    g_string_free(test->guest_errors, TRUE);
    g_string_free(test->events, TRUE);
    vit_lock_release(&test->lock);
    vit_lock_finish(&test->lock);
}
