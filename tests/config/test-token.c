/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The tokenizer: words as a shell makes them, with the place of every byte. */

#include <string.h>

#include "vit-json.h"
#include "vit-token.h"
#include "vit-types.h"

static char *
words_of(const char *text, VitDiagList *diags)
{
    GString *out = g_string_new(NULL);
    VitWords words;

    vit_words_init(&words, text, strlen(text), VIT_PARSE_DEFAULT, diags);
    for (unsigned i = 0; i < words.n_words; i++) {
        const VitWord *word = &words.words[i];

        g_string_append_printf(out, "%s%s[%s]", i ? " " : "", word->is_skipped ? "~" : "",
                               word->text);
        g_assert_cmpuint(word->end, <=, strlen(text));
        g_assert_cmpuint(word->start, <, word->end);
        for (size_t b = 0; b < word->len; b++) {
            g_assert_cmpuint(word->map[b], >=, word->start);
            g_assert_cmpuint(word->map[b], <, word->end);
            g_assert_cmpint(text[word->map[b]], ==, word->text[b]);
        }
        g_assert_cmpuint(word->map[word->len], ==, word->end);
    }
    vit_words_finish(&words);
    return g_string_free(out, FALSE);
}

static void
test_words(void)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        { "", "" },
        { "  \n\t ", "" },
        { "-m 1G", "[-m] [1G]" },
        { "-m \\\n  1G", "[-m] [1G]" },
        { "-m ^\r\n  1G", "[-m] [1G]" },
        { "-m 1\\\nG", "[-m] [1G]" },
        { "-append 'a b' \"c $d\" e\\ f", "[-append] [a b] [c $d] [e f]" },
        { "a'b'\"c\"d", "[abcd]" },
        { "''", "[]" },
        { "\"\\\"\\\\\\n\"", "[\"\\\\n]" },
        { "# comment\n-S # another\n-s", "[-S] [-s]" },
        { "a#b", "[a#b]" },
        { "-hda C:\\\\disk.img", "[-hda] [C:\\disk.img]" },
        { "qemu-system-x86_64 -S", "~[qemu-system-x86_64] [-S]" },
        { "sudo -E env A=1 /usr/bin/qemu-system-x86_64 -S",
          "~[sudo] ~[-E] ~[env] ~[A=1] ~[/usr/bin/qemu-system-x86_64] [-S]" },
        { "A=1 B=2 -S", "~[A=1] ~[B=2] [-S]" },
        { "sudo.img -S", "[sudo.img] [-S]" },
        { "'kvm' -S", "[kvm] [-S]" },
        { "kvm -S", "~[kvm] [-S]" },
        { "-S > log 2>&1 < in &", "[-S] ~[>] ~[log] ~[2>&1] ~[<] ~[in] ~[&]" },
        { "-S '&' \\; x", "[-S] [&] [;] [x]" },
        { "-S && rm -rf x", "[-S] ~[&&] ~[rm] ~[-rf] ~[x]" },
        { "vitrine-run \"$@\" -S", "~[vitrine-run] ~[$@] [-S]" },
        { "-netdev user,guestfwd='tcp:1.2.3.4:5-cmd:nc a b'",
          "[-netdev] [user,guestfwd=tcp:1.2.3.4:5-cmd:nc a b]" },
        { "\\", "[\\]" },
    };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(cases); i++) {
        g_autofree char *words = words_of(cases[i].text, NULL);
        g_assert_cmpstr(words, ==, cases[i].words);
    }
}

static void
expect_flag(const char *text, const char *message, size_t start, size_t end)
{
    g_autoptr(VitDiagList) diags = vit_diag_list_new();
    g_free(words_of(text, diags));
    g_test_message("%s", text);
    if (message == NULL) {
        g_assert_cmpuint(vit_diag_list_get_n(diags), ==, 0);
        return;
    }
    g_assert_cmpuint(vit_diag_list_get_n(diags), ==, 1);
    const VitDiag *diag = vit_diag_list_get(diags, 0);
    g_assert_cmpstr(diag->message, ==, message);
    g_assert_cmpuint(diag->start, ==, start);
    g_assert_cmpuint(diag->end, ==, end);
}

static void
test_flags(void)
{
    expect_flag("-hda $HOME/x", "'$HOME' is not expanded", 5, 10);
    expect_flag("-hda \"$HOME/x\"", "'$HOME' is not expanded", 6, 11);
    expect_flag("-hda '$HOME/x'", NULL, 0, 0);
    expect_flag("-hda \\$HOME", NULL, 0, 0);
    expect_flag("-m ${RAM}G", "'${RAM}' is not expanded", 3, 9);
    expect_flag("-m $(nproc)G", "'$(nproc)' is not expanded", 3, 11);
    expect_flag("-m `cat ram`G", "'`cat ram`' is not expanded", 3, 12);
    expect_flag("-append cost=5$", NULL, 0, 0);
    expect_flag("-append 'x", "the quote that begins here is not closed", 8, 9);
    expect_flag("-append \"x", "the quote that begins here is not closed", 8, 9);
    expect_flag("-S; -s", NULL, 0, 0);
    expect_flag("-S | tee log", "'|' begins another command; what follows is not used", 3, 12);
}

static void
test_parts(void)
{
    static const struct {
        const char *text, *parts;
    } cases[] = {
        { "", "" },
        { "a", "<a>" },
        { "a,b=c", "<a> <b|c>" },
        { "a=b,,c,d", "<a|b,c> <d>" },
        { "a=b=c", "<a|b=c>" },
        { "a,", "<a> <>" },
        { ",,a", "<,a>" },
        { ",a", "<> <a>" },
        { "a=,,,b", "<a|,> <b>" },
        { "=x", "<|x>" },
    };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(cases); i++) {
        const char *text = cases[i].text;
        g_autoptr(GString) out = g_string_new(NULL);
        size_t at = 0;
        VitPart part;

        while (vit_part_next(text, strlen(text), &at, &part)) {
            g_autofree char *key = vit_part_unescape(text + part.start, part.key_end - part.start);
            g_autofree char *value =
                vit_part_unescape(text + part.value_start, part.end - part.value_start);

            g_string_append_printf(out, "%s<%s%s%s>", out->len ? " " : "", key,
                                   part.has_value ? "|" : "", part.has_value ? value : "");
        }
        g_assert_cmpstr(out->str, ==, cases[i].parts);
    }
}

static void
test_quote(void)
{
    static const char *const words[] = { "a",    "",    "a b",  "it's",  "$x",
                                         "`x`",  "\"",  "\\",   "#x",    "a#b",
                                         "~",    "&",   ">x",   "a\nb",  "^\n",
                                         "\\\n", "é",   "*?[]", "{a,b}", "!x",
                                         "'",    "kvm", "A=1",  "sudo",  "a=b,c:d@e%f+g_h./-" };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(words); i++) {
        g_autoptr(GString) text = g_string_new(NULL);
        g_autofree char *expected = g_strdup_printf("[%s]", words[i]);

        vit_quote_first_word(text, words[i]);
        g_autofree char *read = words_of(text->str, NULL);
        g_assert_cmpstr(read, ==, expected);
        /* A shell agrees. */
        g_auto(GStrv) argv = NULL;
        g_assert_true(g_shell_parse_argv(text->str, NULL, &argv, NULL));
        g_assert_cmpstr(argv[0], ==, words[i]);
        g_assert_null(argv[1]);
    }
}

static char *
flat(const char *text)
{
    size_t at = 0;
    const char *message = NULL;
    GString *out = g_string_new(NULL);
    g_autoptr(GArray) leaves = vit_json_flatten(text, strlen(text), &at, &message);

    if (leaves == NULL) {
        g_string_append_printf(out, "%zu: %s", at, message);
        return g_string_free(out, FALSE);
    }
    for (unsigned i = 0; i < leaves->len; i++) {
        const VitJsonLeaf *leaf = &g_array_index(leaves, VitJsonLeaf, i);
        g_string_append_printf(out, "%s%s=%s", i ? " " : "", leaf->key, leaf->value);
    }
    return g_string_free(out, FALSE);
}

static void
test_json(void)
{
    static const struct {
        const char *text, *flat;
    } cases[] = {
        { "{}", "" },
        { "{\"a\":1}", "a=1" },
        { "{\"a\":{\"b\":[true,{\"c\":\"x\"}],\"d\":null}}", "a.b.0=on a.b.1.c=x a.d=" },
        { "{\"a.b\": \"\\u00e9\\n\"}", "a.b=é\n" },
        { "{\"a\":\"\\ud83d\\ude00\"}", "a=😀" },
        { "{\"a\":[],\"b\":{}}", "a=[] b={}" },
        { "{\"a\":1,}", "7: a string in double quotes is expected here" },
        { "{\"a\" 1}", "5: ':' is missing" },
        { "{\"a\":1 \"b\":2}", "7: ',' or '}' is missing" },
        { "{\"a\":01}", "5: a value is expected here" },
        { "{\"a\":tru}", "5: a value is expected here" },
        { "{\"a\":\"x", "7: the string is not closed" },
        { "{\"a\":1} x", "8: nothing may follow the closing '}'" },
        { "{\"a\":\"\\u0000\"}", "12: \\u needs four hexadecimal digits other than 0000" },
        { "[1]", "0: '{' is expected here" },
    };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(cases); i++) {
        g_autofree char *result = flat(cases[i].text);
        g_assert_cmpstr(result, ==, cases[i].flat);
    }
    g_autofree char *deep = g_strnfill(100000, '[');
    g_autofree char *text = g_strdup_printf("{\"a\":%s", deep);
    g_autofree char *result = flat(text);
    g_assert_true(g_str_has_suffix(result, "nested too deeply"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/token/words", test_words);
    g_test_add_func("/token/flags", test_flags);
    g_test_add_func("/token/parts", test_parts);
    g_test_add_func("/token/quote", test_quote);
    g_test_add_func("/token/json", test_json);
    return g_test_run();
}
