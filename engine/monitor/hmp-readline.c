/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The line editor of the human monitor (ECMA-48 keys and controls). A line longer than the screen
 * is shown in part, around the cursor. A character typed at the end is simply echoed, so that a
 * script on a pipe sees what it sends.
 *
 * Keys: C-a C-e C-b C-f and arrows move, M-b M-f or C-arrows by word; C-h C-d C-k C-u C-w delete,
 * C-y brings back; C-p C-n look into the history; C-l redraws; Tab completes, twice lists.
 * Thread: its user's. */

#include "hmp-readline.h"

#include <string.h>

#define CTRL(letter) ((letter)&0x1f)

enum { ST_PLAIN, ST_ESCAPE, ST_CSI, ST_SS3 };
enum { DELETE = 0x7f };

void
hmp_readline_init(HmpReadline *rl)
{
    rl->text = g_string_new(NULL);
    rl->history_at = -1;
    if (rl->columns < 20) {
        rl->columns = 80;
    }
}

void
hmp_readline_finish(HmpReadline *rl)
{
    g_string_free(rl->text, TRUE);
    g_free(rl->new_line);
    g_free(rl->killed);
}

/* ---- showing ---- */

static void
show(HmpReadline *rl, const char *text)
{
    rl->show(rl->opaque, text, strlen(text));
}

static size_t
width(const HmpReadline *rl)
{
    return rl->columns - strlen(rl->prompt) - 1;
}

static void
draw(HmpReadline *rl)
{
    size_t room = width(rl);

    if (rl->cursor < rl->shown_from || rl->cursor > rl->shown_from + room) {
        /* Half a screen of what is before it. */
        rl->shown_from = rl->cursor > room / 2 ? rl->cursor - room / 2 : 0;
    }
    if (rl->text->len <= room) {
        rl->shown_from = 0;
    }
    size_t len = MIN(rl->text->len - rl->shown_from, room);
    g_autoptr(GString) out = g_string_new("\r");
    g_string_append(out, rl->prompt);
    g_string_append_len(out, rl->text->str + rl->shown_from, len);
    g_string_append(out, "\033[K");
    size_t back = rl->shown_from + len - rl->cursor;
    if (back > 0) {
        g_string_append_printf(out, "\033[%zuD", back);
    }
    rl->show(rl->opaque, out->str, out->len);
}

void
hmp_readline_start(HmpReadline *rl)
{
    g_string_truncate(rl->text, 0);
    rl->cursor = rl->shown_from = 0;
    rl->history_at = -1;
    g_clear_pointer(&rl->new_line, g_free);
    show(rl, rl->prompt);
}

void
hmp_readline_redraw(HmpReadline *rl)
{
    if (rl->text->len == 0) {
        show(rl, rl->prompt);
    } else {
        draw(rl);
    }
}

/* ---- editing ---- */

static void
insert(HmpReadline *rl, const char *text, size_t len)
{
    if (rl->text->len + len > HMP_LINE_MAX) {
        show(rl, "\a");
        return;
    }
    bool at_end = rl->cursor == rl->text->len;
    g_string_insert_len(rl->text, rl->cursor, text, len);
    rl->cursor += len;
    if (at_end && rl->cursor - rl->shown_from <= width(rl)) {
        rl->show(rl->opaque, text, len);
    } else {
        draw(rl);
    }
}

/* Deletes [from, to). */
static void
delete_range(HmpReadline *rl, size_t from, size_t to, bool keep)
{
    if (from >= to) {
        return;
    }
    if (keep) {
        g_free(rl->killed);
        rl->killed = g_strndup(rl->text->str + from, to - from);
    }
    g_string_erase(rl->text, from, to - from);
    rl->cursor = from;
    draw(rl);
}

static void
move_to(HmpReadline *rl, size_t cursor)
{
    if (cursor != rl->cursor) {
        rl->cursor = cursor;
        draw(rl);
    }
}

static size_t
word_before(const HmpReadline *rl)
{
    size_t at = rl->cursor;

    while (at > 0 && rl->text->str[at - 1] == ' ') {
        at--;
    }
    while (at > 0 && rl->text->str[at - 1] != ' ') {
        at--;
    }
    return at;
}

static size_t
word_after(const HmpReadline *rl)
{
    size_t at = rl->cursor;

    while (at < rl->text->len && rl->text->str[at] == ' ') {
        at++;
    }
    while (at < rl->text->len && rl->text->str[at] != ' ') {
        at++;
    }
    return at;
}

static void
set_text(HmpReadline *rl, const char *text)
{
    g_string_assign(rl->text, text);
    rl->cursor = rl->text->len;
    draw(rl);
}

/* ---- history ---- */

static void
older(HmpReadline *rl)
{
    if (rl->history_at < 0) {
        if (rl->history->len == 0) {
            return;
        }
        g_free(rl->new_line);
        rl->new_line = g_strdup(rl->text->str);
        rl->history_at = rl->history->len;
    }
    if (rl->history_at > 0) {
        rl->history_at--;
        set_text(rl, rl->history->pdata[rl->history_at]);
    }
}

static void
newer(HmpReadline *rl)
{
    if (rl->history_at < 0) {
        return;
    }
    if (rl->history_at + 1 < (int)rl->history->len) {
        rl->history_at++;
        set_text(rl, rl->history->pdata[rl->history_at]);
        return;
    }
    rl->history_at = -1;
    g_autofree char *text = g_steal_pointer(&rl->new_line);
    set_text(rl, text ? text : "");
}

/* A line that is there already moves to the end. */
static void
remember(HmpReadline *rl, const char *text)
{
    for (unsigned i = 0; i < rl->history->len; i++) {
        if (strcmp(rl->history->pdata[i], text) == 0) {
            g_ptr_array_remove_index(rl->history, i);
            break;
        }
    }
    if (rl->history->len >= HMP_HISTORY_MAX) {
        g_ptr_array_remove_index(rl->history, 0);
    }
    g_ptr_array_add(rl->history, g_strdup(text));
}

static void
enter(HmpReadline *rl)
{
    g_autofree char *text = g_strdup(rl->text->str);

    show(rl, "\r\n");
    if (*text) {
        remember(rl, text);
    }
    g_string_truncate(rl->text, 0);
    rl->cursor = rl->shown_from = 0;
    rl->history_at = -1;
    rl->line(rl->opaque, text);
}

/* ---- completion ---- */

static void
list_choices(HmpReadline *rl, GPtrArray *choices)
{
    size_t widest = 0;

    for (unsigned i = 0; i < choices->len; i++) {
        widest = MAX(widest, strlen(choices->pdata[i]));
    }
    unsigned per_row = MAX(1, rl->columns / (widest + 2));
    g_autoptr(GString) out = g_string_new("\r\n");
    for (unsigned i = 0; i < choices->len; i++) {
        bool row_ends = (i + 1) % per_row == 0 || i + 1 == choices->len;
        const char *choice = choices->pdata[i];
        g_string_append_printf(out, "%-*s%s", row_ends ? 0 : (int)widest + 2, choice,
                               row_ends ? "\r\n" : "");
    }
    rl->show(rl->opaque, out->str, out->len);
    draw(rl);
}

static size_t
common_prefix(GPtrArray *choices)
{
    size_t len = strlen(choices->pdata[0]);

    for (unsigned i = 1; i < choices->len; i++) {
        const char *first = choices->pdata[0], *other = choices->pdata[i];
        size_t same = 0;
        while (same < len && first[same] == other[same]) {
            same++;
        }
        len = same;
    }
    return len;
}

static void
complete(HmpReadline *rl)
{
    g_autofree char *before = g_strndup(rl->text->str, rl->cursor);
    size_t word_len = 0;
    bool again = rl->tab_again;

    if (!rl->complete) {
        return;
    }
    g_autoptr(GPtrArray) choices = rl->complete(rl->opaque, before, &word_len);
    if (choices->len == 0) {
        return;
    }
    const char *first = choices->pdata[0];
    size_t common = common_prefix(choices);
    if (common > word_len) {
        insert(rl, first + word_len, common - word_len);
    }
    if (choices->len == 1) {
        if (!g_str_has_suffix(first, "/")) {
            insert(rl, " ", 1);
        }
    } else if (common <= word_len && again) {
        list_choices(rl, choices);
    } else {
        rl->tab_again = true;
    }
}

/* ---- keys ---- */

static void
plain_key(HmpReadline *rl, uint8_t key)
{
    switch (key) {
    case CTRL('a'): move_to(rl, 0); break;
    case CTRL('b'): move_to(rl, rl->cursor - (rl->cursor > 0)); break;
    case CTRL('d'): delete_range(rl, rl->cursor, MIN(rl->cursor + 1, rl->text->len), false); break;
    case CTRL('e'): move_to(rl, rl->text->len); break;
    case CTRL('f'): move_to(rl, MIN(rl->cursor + 1, rl->text->len)); break;
    case CTRL('h'):
    case DELETE: delete_range(rl, rl->cursor - (rl->cursor > 0), rl->cursor, false); break;
    case CTRL('i'): complete(rl); break;
    case CTRL('k'): delete_range(rl, rl->cursor, rl->text->len, true); break;
    case CTRL('l'):
        show(rl, "\033[2J\033[H");
        draw(rl);
        break;
    case CTRL('n'): newer(rl); break;
    case CTRL('p'): older(rl); break;
    case CTRL('u'): delete_range(rl, 0, rl->cursor, true); break;
    case CTRL('w'): delete_range(rl, word_before(rl), rl->cursor, true); break;
    case CTRL('y'):
        if (rl->killed) {
            insert(rl, rl->killed, strlen(rl->killed));
        }
        break;
    case CTRL('m'): enter(rl); break;
    case CTRL('j'):
        if (!rl->last_was_cr) {
            enter(rl);
        }
        break;
    case 0x1b: rl->escape = ST_ESCAPE; break;
    default:
        if (key >= 0x20) {
            insert(rl, (char *)&key, 1);
        }
    }
}

/* The last byte of a control sequence. */
static void
sequence_key(HmpReadline *rl, uint8_t key)
{
    bool by_word = rl->parameter == 5; /* with Ctrl: CSI 1 ; 5 C */

    switch (key) {
    case 'A': older(rl); break;
    case 'B': newer(rl); break;
    case 'C': move_to(rl, by_word ? word_after(rl) : MIN(rl->cursor + 1, rl->text->len)); break;
    case 'D': move_to(rl, by_word ? word_before(rl) : rl->cursor - (rl->cursor > 0)); break;
    case 'H': move_to(rl, 0); break;
    case 'F': move_to(rl, rl->text->len); break;
    case '~':
        switch (rl->parameter) {
        case 1:
        case 7: move_to(rl, 0); break;
        case 4:
        case 8: move_to(rl, rl->text->len); break;
        case 3: plain_key(rl, CTRL('d')); break;
        default: break;
        }
        break;
    default: break;
    }
}

static void
escape_key(HmpReadline *rl, uint8_t key)
{
    rl->escape = ST_PLAIN;
    switch (key) {
    case '[':
        rl->escape = ST_CSI;
        rl->parameter = 0;
        break;
    case 'O': rl->escape = ST_SS3; break;
    case 'b': move_to(rl, word_before(rl)); break;
    case 'f': move_to(rl, word_after(rl)); break;
    case 'd': delete_range(rl, rl->cursor, word_after(rl), true); break;
    case CTRL('h'):
    case DELETE: delete_range(rl, word_before(rl), rl->cursor, true); break;
    default: break;
    }
}

static void
take_key(HmpReadline *rl, uint8_t key)
{
    if (key != CTRL('i')) {
        rl->tab_again = false;
    }
    switch (rl->escape) {
    case ST_PLAIN: plain_key(rl, key); break;
    case ST_ESCAPE: escape_key(rl, key); break;
    case ST_CSI:
        if (g_ascii_isdigit(key)) {
            rl->parameter = MIN(rl->parameter * 10 + key - '0', 1000);
        } else if (key == ';') {
            rl->parameter = 0; /* the last one counts */
        } else {
            rl->escape = ST_PLAIN;
            sequence_key(rl, key);
        }
        break;
    default:
        rl->escape = ST_PLAIN;
        rl->parameter = 0;
        sequence_key(rl, key);
    }
    rl->last_was_cr = key == CTRL('m');
}

void
hmp_readline_input(HmpReadline *rl, const uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        take_key(rl, buf[i]);
    }
}
