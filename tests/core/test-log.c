/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Items, ranges and files of the log.
 * mission: d x.d.items dfilter dfilter.start-plus-size dfilter.start-minus-size dfilter.start-end D
 */

#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "vit-log.h"

static void
test_items(void)
{
    g_autoptr(VitLog) log = vit_log_new();
    g_autoptr(GError) error = NULL;

    g_assert_false(vit_log_wants(log, ~0u));
    g_assert_false(vit_log_wants(NULL, ~0u));
    g_assert_true(vit_log_set_items(log, "int,cpu_reset", &error));
    g_assert_true(vit_log_wants(log, VIT_LOG_INT) && vit_log_wants(log, VIT_LOG_CPU_RESET));
    g_assert_false(vit_log_wants(log, VIT_LOG_EXEC));
    g_assert_false(vit_log_set_items(log, "int,nonsense", &error));
    g_assert_nonnull(strstr(error->message, "nonsense"));
    g_assert_true(vit_log_wants(log, VIT_LOG_CPU_RESET));
    g_assert_true(vit_log_set_items(log, "none", NULL));
    g_assert_false(vit_log_wants(log, ~0u));
    g_assert_true(vit_log_set_items(log, "all", NULL));
    g_assert_true(vit_log_wants(log, VIT_LOG_MMIO));
}

static void
test_trace(void)
{
    g_autoptr(VitLog) log = vit_log_new();
    g_autoptr(GError) error = NULL;

    g_assert_true(vit_log_set_items(log, "int,trace:rtc*,trace:pit_read", &error));
    g_assert_true(vit_log_wants(log, VIT_LOG_INT) && vit_log_wants(log, VIT_LOG_TRACE));
    g_assert_true(vit_log_traces(log, "rtc_write"));
    g_assert_true(vit_log_traces(log, "pit_read"));
    g_assert_false(vit_log_traces(log, "pit_write"));
    g_assert_false(vit_log_set_items(log, "trace:", &error));
    g_assert_nonnull(strstr(error->message, "trace:rtc*"));
    g_assert_true(vit_log_traces(log, "rtc_write"));
    g_assert_true(vit_log_set_items(log, "all", NULL));
    g_assert_false(vit_log_wants(log, VIT_LOG_TRACE) || vit_log_traces(log, "rtc_write"));
}

static void
test_ranges(void)
{
    static const struct {
        const char *text;
        uint64_t inside, outside;
    } good[] = {
        { "0x1000+0x10", 0x100f, 0x1010 },
        { "0xffffffc000060000-0x1000", 0xffffffc00005f001, 0xffffffc00005f000 },
        { "0x10..0x20", 0x20, 0x21 },
        { "1..2,0x5000+1", 0x5000, 3 },
        { "0..0xffffffffffffffff", UINT64_MAX, 0 },
    };
    static const char *const bad[] = {
        "", "x", "1", "1+", "1+0", "2..1", "1..2,", "1+2 ", "-1..2", "5-10", "0xffffffffffffffff+2"
    };
    g_autoptr(VitLog) log = vit_log_new();

    g_assert_true(vit_log_in_range(log, 7));
    for (unsigned i = 0; i < VIT_ARRAY_LEN(good); i++) {
        g_assert_true(vit_log_set_filter(log, good[i].text, NULL));
        g_assert_true(vit_log_in_range(log, good[i].inside));
        if (good[i].outside) {
            g_assert_false(vit_log_in_range(log, good[i].outside));
        }
    }
    for (unsigned i = 1; i < VIT_ARRAY_LEN(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_false(vit_log_set_filter(log, bad[i], &error));
        g_assert_nonnull(error);
    }
    g_assert_true(vit_log_set_filter(log, NULL, NULL));
    g_assert_true(vit_log_in_range(log, 3));
}

static void
test_file(void)
{
    g_autoptr(VitLog) log = vit_log_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = g_dir_make_tmp("vitrine-log-XXXXXX", NULL);
    g_autofree char *pattern = g_build_filename(folder, "log-%d.txt", NULL);
    g_autofree char *name = g_strdup_printf("%s/log-%d.txt", folder, (int)getpid());
    g_autofree char *got = NULL;

    g_assert_true(vit_log_set_file(log, pattern, NULL));
    g_assert_false(g_file_test(name, G_FILE_TEST_EXISTS));
    vit_log_printf(log, "%d ", 1);
    vit_log_write(log, "two\n");
    g_assert_true(g_file_get_contents(name, &got, NULL, NULL));
    g_assert_cmpstr(got, ==, "1 two\n");
    g_assert_false(vit_log_set_file(log, "a%s", &error));
    g_clear_error(&error);
    g_assert_false(vit_log_set_file(log, "a%d%d", &error));
    g_unlink(name);
    g_rmdir(folder);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/log/items", test_items);
    g_test_add_func("/log/trace", test_trace);
    g_test_add_func("/log/ranges", test_ranges);
    g_test_add_func("/log/file", test_file);
    return g_test_run();
}
