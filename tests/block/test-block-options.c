/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Flat options and their JSON form. */

#include "blk-options.h"

#include "vit-error.h"

static void
test_sub(void)
{
    g_autoptr(BlkOptions) options = blk_options_new(), sub = NULL;
    g_autofree char *taken = NULL;

    blk_options_set(options, "driver", "raw");
    blk_options_set(options, "file.driver", "file");
    blk_options_set(options, "file.filename", "a");
    blk_options_set(options, "files", "x");
    blk_options_set(options, "driver", "qcow2");
    sub = blk_options_take_sub(options, "file");
    g_assert_cmpstr(blk_options_get(sub, "driver"), ==, "file");
    g_assert_cmpstr(blk_options_get(sub, "filename"), ==, "a");
    g_assert_null(blk_options_get(options, "file.driver"));
    taken = blk_options_take(options, "driver");
    g_assert_cmpstr(taken, ==, "qcow2");
    g_assert_cmpstr(blk_options_first_key(options), ==, "files");
}

static void
test_json(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(BlkOptions) options =
        blk_options_from_json("{\"driver\":\"qcow2\",\"read-only\":true,\"backing\":null,"
                              "\"file\":{\"driver\":\"file\",\"filename\":\"x\"},"
                              "\"children\":[{\"n\":-5},\"two\"],\"size\":1.5}",
                              &error);

    g_assert_no_error(error);
    g_assert_cmpstr(blk_options_get(options, "driver"), ==, "qcow2");
    g_assert_cmpstr(blk_options_get(options, "read-only"), ==, "on");
    g_assert_cmpstr(blk_options_get(options, "backing"), ==, "");
    g_assert_cmpstr(blk_options_get(options, "file.filename"), ==, "x");
    g_assert_cmpstr(blk_options_get(options, "children.0.n"), ==, "-5");
    g_assert_cmpstr(blk_options_get(options, "children.1"), ==, "two");
    g_assert_cmpstr(blk_options_get(options, "size"), ==, "1.5");
}

static void
test_bad_json(void)
{
    g_autofree char *deep = g_strnfill(100000, '[');
    const char *const texts[] = { "", "{", "[1]", "3", "{\"a\":}", "null", deep };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(texts); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(blk_options_from_json(texts[i], &error));
        g_assert_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT);
    }
}

static void
test_words(void)
{
    static const char *const words[] = { "zero", "one", NULL };
    g_autoptr(BlkOptions) options = blk_options_new();
    g_autoptr(GError) error = NULL;
    bool flag = false;
    int word = 0;

    blk_options_set(options, "flag", "on");
    blk_options_set(options, "bad", "maybe");
    blk_options_set(options, "word", "one");
    g_assert_true(blk_options_take_bool(options, "flag", &flag, &error));
    g_assert_true(flag);
    g_assert_true(blk_options_take_bool(options, "absent", &flag, &error));
    g_assert_true(flag);
    g_assert_true(blk_options_take_enum(options, "word", words, &word, &error));
    g_assert_cmpint(word, ==, 1);
    g_assert_false(blk_options_take_bool(options, "bad", &flag, &error));
    g_assert_nonnull(strstr(error->message, "bad=on"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/block/options/sub", test_sub);
    g_test_add_func("/block/options/json", test_json);
    g_test_add_func("/block/options/bad-json", test_bad_json);
    g_test_add_func("/block/options/words", test_words);
    return g_test_run();
}
