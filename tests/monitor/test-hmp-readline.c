/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The line editor: keys in, lines out, and the screen that a terminal would show. */

#include "hmp-readline.h"

#include <string.h>

/* A terminal row as wide as it needs to be: enough to judge what the editor sends. */
typedef struct {
    HmpReadline rl;
    GString *row;
    size_t at;
    char escape[16];
    unsigned escape_len;
    GPtrArray *history;
    char *line; /* the last one entered */
} Screen;

static void
end_escape(Screen *screen, char last)
{
    unsigned count = atoi(screen->escape + 1);

    if (last == 'K') {
        g_string_truncate(screen->row, screen->at);
    } else if (last == 'D') {
        g_assert_cmpuint(count, <=, screen->at);
        screen->at -= count;
    }
    screen->escape_len = 0;
}

static void
show(void *opaque, const char *text, size_t len)
{
    Screen *screen = opaque;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (screen->escape_len) {
            screen->escape[screen->escape_len++ - 1] = c;
            screen->escape[screen->escape_len - 1] = 0;
            if (g_ascii_isalpha(c)) {
                end_escape(screen, c);
            }
        } else if (c == 27) {
            screen->escape_len = 1;
        } else if (c == '\r') {
            screen->at = 0;
        } else if (c == '\n') {
            g_string_truncate(screen->row, 0);
        } else if (c != '\a') {
            if (screen->at < screen->row->len) {
                screen->row->str[screen->at] = c;
            } else {
                g_string_append_c(screen->row, c);
            }
            screen->at++;
            g_assert_cmpuint(screen->at, <, 80);
        }
    }
}

static void
take_line(void *opaque, const char *text)
{
    Screen *screen = opaque;

    g_free(screen->line);
    screen->line = g_strdup(text);
    hmp_readline_start(&screen->rl);
}

static GPtrArray *
complete(void *opaque, const char *before, size_t *out_word_len)
{
    static const char *const words[] = { "eject", "info", "inform", "system_reset" };
    GPtrArray *choices = g_ptr_array_new_with_free_func(g_free);

    *out_word_len = strlen(before);
    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
        if (g_str_has_prefix(words[i], before)) {
            g_ptr_array_add(choices, g_strdup(words[i]));
        }
    }
    return choices;
}

static Screen *
screen_new(void)
{
    Screen *screen = g_new0(Screen, 1);

    screen->row = g_string_new(NULL);
    screen->history = g_ptr_array_new_with_free_func(g_free);
    screen->rl = (HmpReadline){ .prompt = "> ",
                                .history = screen->history,
                                .show = show,
                                .line = take_line,
                                .complete = complete,
                                .opaque = screen };
    hmp_readline_init(&screen->rl);
    hmp_readline_start(&screen->rl);
    return screen;
}

static void
screen_free(Screen *screen)
{
    hmp_readline_finish(&screen->rl);
    g_ptr_array_unref(screen->history);
    g_string_free(screen->row, TRUE);
    g_free(screen->line);
    g_free(screen);
}

static void
type(Screen *screen, const char *keys)
{
    hmp_readline_input(&screen->rl, (const uint8_t *)keys, strlen(keys));
}

/* KEYS typed on an empty line leave TEXT, with the cursor at AT. */
static const struct {
    const char *keys, *text;
    size_t at;
} edits[] = {
    { "abc", "abc", 3 },
    { "abc\001x", "xabc", 1 },
    { "abc\002\002x", "axbc", 2 },
    { "abc\001\006x", "axbc", 2 },
    { "abc\177", "ab", 2 },
    { "abc\010\010", "a", 1 },
    { "abc\001\004", "bc", 0 },
    { "abc\001\177", "abc", 0 },
    { "abc\002\013", "ab", 2 },
    { "abc\002\025", "c", 0 },
    { "one two\027", "one ", 4 },
    { "one two  \027", "one ", 4 },
    { "one two\027\001\031", "twoone ", 3 },
    { "abc\033[D\033[Dx\033[C\033[Cy", "axbcy", 5 },
    { "abc\033[Hx\033[Fy", "xabcy", 5 },
    { "abc\033OHx\033OFy", "xabcy", 5 },
    { "abc\033[1~x\033[4~y", "xabcy", 5 },
    { "abc\033[D\033[3~", "ab", 2 },
    { "one two\033bx", "one xtwo", 5 },
    { "one two\001\033fx", "onex two", 4 },
    { "one two\033[1;5Dx", "one xtwo", 5 },
    { "one two\001\033d", " two", 0 },
    { "one two\033\177", "one ", 4 },
    { "a\033[99Xb\033Zc", "abc", 3 },
    { "a\003\007\033[Ab", "ab", 2 },
    { "ej\t", "eject ", 6 },
    { "in\t", "info", 4 },
    { "xyz\t", "xyz", 3 },
};

static void
test_edits(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(edits); i++) {
        Screen *screen = screen_new();
        g_autofree char *row = g_strconcat("> ", edits[i].text, NULL);
        type(screen, edits[i].keys);
        g_assert_cmpstr(screen->rl.text->str, ==, edits[i].text);
        g_assert_cmpuint(screen->rl.cursor, ==, edits[i].at);
        g_assert_cmpstr(screen->row->str, ==, row);
        g_assert_cmpuint(screen->at, ==, edits[i].at + 2);
        screen_free(screen);
    }
}

static void
test_lines(void)
{
    Screen *screen = screen_new();

    type(screen, "one\r");
    g_assert_cmpstr(screen->line, ==, "one");
    type(screen, "two\r\n"); /* one line, not two */
    g_assert_cmpstr(screen->line, ==, "two");
    type(screen, "three\n");
    g_assert_cmpstr(screen->line, ==, "three");
    type(screen, "\n");
    g_assert_cmpstr(screen->line, ==, "");
    g_assert_cmpuint(screen->history->len, ==, 3);
    screen_free(screen);
}

static void
test_history(void)
{
    Screen *screen = screen_new();

    type(screen, "one\rtwo\rthree\r");
    type(screen, "new\020\020");
    g_assert_cmpstr(screen->rl.text->str, ==, "two");
    type(screen, "\033[A\033[A\033[A");
    g_assert_cmpstr(screen->rl.text->str, ==, "one");
    type(screen, "\016\033[B\033[B");
    g_assert_cmpstr(screen->rl.text->str, ==, "new");
    type(screen, "\033[B");
    g_assert_cmpstr(screen->rl.text->str, ==, "new");
    type(screen, "\025one\r"); /* moves to the end, is not there twice */
    g_assert_cmpuint(screen->history->len, ==, 3);
    g_assert_cmpstr(screen->history->pdata[2], ==, "one");
    for (unsigned i = 0; i < 300; i++) {
        g_autofree char *line = g_strdup_printf("line %u\r", i);
        type(screen, line);
    }
    g_assert_cmpuint(screen->history->len, ==, HMP_HISTORY_MAX);
    screen_free(screen);
}

/* A line longer than the screen: never a column too many, and the cursor's place is right. */
static void
test_long_line(void)
{
    Screen *screen = screen_new();

    for (unsigned i = 0; i < 500; i++) {
        char key[2] = { 'a' + i % 26 };
        type(screen, key);
        g_assert_cmpint(screen->row->str[screen->at - 1], ==, key[0]);
    }
    type(screen, "\001");
    g_assert_true(g_str_has_prefix(screen->row->str, "> abcdef"));
    g_assert_cmpuint(screen->at, ==, 2);
    for (unsigned i = 0; i < 250; i++) {
        type(screen, "\006");
        char before = screen->rl.text->str[screen->rl.cursor - 1];
        g_assert_cmpint(screen->row->str[screen->at - 1], ==, before);
    }
    type(screen, "\013");
    g_assert_cmpuint(screen->rl.text->len, ==, 250);
    for (unsigned i = 0; i < 5000; i++) {
        type(screen, "x");
    }
    g_assert_cmpuint(screen->rl.text->len, ==, HMP_LINE_MAX);
    screen_free(screen);
}

static void
test_list(void)
{
    Screen *screen = screen_new();

    type(screen, "i\t"); /* "info", more than one way to go on */
    g_assert_cmpstr(screen->rl.text->str, ==, "info");
    type(screen, "\t\t"); /* the list, then the line again */
    g_assert_cmpstr(screen->row->str, ==, "> info");
    type(screen, "r\t");
    g_assert_cmpstr(screen->rl.text->str, ==, "inform ");
    screen_free(screen);
}

static void
test_random(void)
{
    Screen *screen = screen_new();

    for (unsigned i = 0; i < 200000; i++) {
        uint8_t key = g_test_rand_int_range(0, 4) ? g_test_rand_int_range(0x20, 0x7f)
                                                  : g_test_rand_int_range(0, 0x20);
        if (key == 12 || key == '\a') {
            continue; /* clears the screen, which the row here knows nothing of */
        }
        hmp_readline_input(&screen->rl, &key, 1);
        g_assert_cmpuint(screen->rl.cursor, <=, screen->rl.text->len);
    }
    screen_free(screen);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/readline/edits", test_edits);
    g_test_add_func("/readline/lines", test_lines);
    g_test_add_func("/readline/history", test_history);
    g_test_add_func("/readline/long-line", test_long_line);
    g_test_add_func("/readline/list", test_list);
    g_test_add_func("/readline/random", test_random);
    return g_test_run();
}
