/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Where JSON values end in a stream, however it is cut; and what the writer makes of values. */

#include "qmp.h"

#include <string.h>

static void
take(void *opaque, const char *text)
{
    g_string_append_printf(opaque, "<%s>", text ? text : "(too big)");
}

static char *
frame(const char *bytes, size_t len, size_t chunk)
{
    GString *out = g_string_new(NULL);
    QmpFramer framer;

    qmp_framer_init(&framer);
    for (size_t at = 0; at < len; at += chunk) {
        qmp_framer_feed(&framer, (const uint8_t *)bytes + at, MIN(chunk, len - at), take, out);
    }
    qmp_framer_finish(&framer);
    return g_string_free(out, FALSE);
}

static const struct {
    const char *bytes, *values;
} cases[] = {
    { "{}", "<{}>" },
    { "{}{}\r\n {}", "<{}><{}><{}>" },
    { "{\"a\": [1, {\"b\": 2}]}", "<{\"a\": [1, {\"b\": 2}]}>" },
    { "{\"a\": \"}]\"}", "<{\"a\": \"}]\"}>" },
    { "{\"a\": \"\\\"}\"}", "<{\"a\": \"\\\"}\"}>" },
    { "{'a': 'b'}", "<{\"a\": \"b\"}>" },
    { "{'a\"b': 'c\\'d\\n'}", "<{\"a\\\"b\": \"c'd\\n\"}>" },
    { "{\"it's\": 1}", "<{\"it's\": 1}>" },
    { "[1] 12 \"x\" ", "<[1]><12><\"x\">" },
    { "}", "<}>" },
    { "]{}", "<]><{}>" },
    { "hello\n{}", "<hello><{}>" },
    { "{\"a\": \xff{}", "<{}>" },
    { "\"\xff{}", "<{}>" },
    { "{", "" },
    { "{\n\n}", "<{  }>" },
};

static void
test_cases(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        for (size_t chunk = 1; chunk < 8; chunk++) {
            g_autofree char *out = frame(cases[i].bytes, strlen(cases[i].bytes), chunk);
            g_assert_cmpstr(out, ==, cases[i].values);
        }
    }
}

static void
test_limits(void)
{
    g_autofree char *deep = g_strnfill(100000, '[');
    g_autofree char *wide = g_malloc(QMP_MESSAGE_MAX + 100);
    g_autoptr(GString) text = g_string_new(deep);

    for (unsigned i = 0; i < 100000; i++) {
        g_string_append_c(text, ']');
    }
    g_string_append(text, "{}");
    g_autofree char *out = frame(text->str, text->len, 4096);
    g_assert_cmpstr(out, ==, "<(too big)><{}>");
    memset(wide, 'x', QMP_MESSAGE_MAX + 100);
    wide[0] = '"';
    strcpy(wide + QMP_MESSAGE_MAX + 90, "\"{}");
    g_autofree char *out2 = frame(wide, strlen(wide), 65536);
    g_assert_cmpstr(out2, ==, "<(too big)><{}>");
}

static void
test_random(void)
{
    static const char alphabet[] = "{}[]\"'\\ \n\xff:,a1";

    for (unsigned i = 0; i < 20000; i++) {
        char bytes[32];
        for (unsigned j = 0; j < sizeof(bytes); j++) {
            bytes[j] = alphabet[g_test_rand_int_range(0, sizeof(alphabet) - 1)];
        }
        g_autofree char *whole = frame(bytes, sizeof(bytes), sizeof(bytes));
        g_autofree char *single = frame(bytes, sizeof(bytes), 1);
        g_assert_cmpstr(whole, ==, single);
    }
}

static void
test_writer(void)
{
    static const char *const round_trips[] = {
        "{}",
        "[]",
        "{\"a\": 1, \"b\": [true, false, null], \"c\": {\"d\": -9223372036854775808}}",
        "{\"x\": \"\\\"\\\\\\n\\t\\u0001\\u00e9\\u20ac\\ud83d\\ude00\\u007f\"}",
        "[1.5, \"\"]",
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(round_trips); i++) {
        g_autoptr(JsonParser) parser = json_parser_new();
        g_autoptr(GString) out = g_string_new(NULL);
        g_assert_true(json_parser_load_from_data(parser, round_trips[i], -1, NULL));
        qmp_write(out, json_parser_get_root(parser), false);
        g_assert_cmpstr(out->str, ==, round_trips[i]);
    }
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GString) out = g_string_new(NULL);
    json_parser_load_from_data(parser, "{\"a\": [1, {}], \"b\": []}", -1, NULL);
    qmp_write(out, json_parser_get_root(parser), true);
    g_assert_cmpstr(out->str, ==,
                    "{\n    \"a\": [\n        1,\n        {}\n    ],\n    \"b\": []\n}");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qmp-framer/cases", test_cases);
    g_test_add_func("/qmp-framer/limits", test_limits);
    g_test_add_func("/qmp-framer/random", test_random);
    g_test_add_func("/qmp-framer/writer", test_writer);
    return g_test_run();
}
