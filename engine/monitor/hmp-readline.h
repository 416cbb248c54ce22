/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A line editor on a byte stream: keys of a VT100-like terminal in, what the terminal is to show
 * out. Knows nothing of commands. Thread: its user's. */

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct HmpReadline {
    const char *prompt;
    GPtrArray *history; /* char *, not owned here; oldest first */
    /* Shows bytes on the terminal. */
    void (*show)(void *opaque, const char *text, size_t len);
    /* A line was entered, without its end. The user prints the prompt when done with it. */
    void (*line)(void *opaque, const char *text);
    /* Ways to go on from BEFORE, the line up to the cursor; *OUT_WORD_LEN bytes of it are the word
     * that each of them replaces. Ownership: caller. */
    GPtrArray *(*complete)(void *opaque, const char *before, size_t *out_word_len);
    void *opaque;
    unsigned columns; /* of the terminal */

    GString *text;
    size_t cursor;
    size_t shown_from;  /* first byte of the text that is on the screen */
    int history_at;     /* -1: the new line */
    char *new_line;     /* kept while history is looked at */
    char *killed;       /* for Ctrl-y */
    uint8_t escape;     /* state of an escape sequence */
    unsigned parameter; /* of it */
    bool last_was_cr, tab_again;
} HmpReadline;

enum { HMP_LINE_MAX = 4095, HMP_HISTORY_MAX = 100 };

void hmp_readline_init(HmpReadline *rl);
void hmp_readline_finish(HmpReadline *rl);
/* An empty line with its prompt. */
void hmp_readline_start(HmpReadline *rl);
/* The present line again, on a fresh row. */
void hmp_readline_redraw(HmpReadline *rl);
void hmp_readline_input(HmpReadline *rl, const uint8_t *buf, size_t len);
