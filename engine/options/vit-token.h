/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Words of an argument text with the place of every byte, and the comma parts within a word. */

#include "vit-config.h"

typedef struct {
    size_t start, end; /* bytes of the text, quotes included */
    char *text;        /* without quotes and escapes */
    size_t len;
    uint32_t *map;   /* place in the text of each byte of `text`, and of its end */
    bool is_quoted;  /* began with a quote or an escape: never an operator */
    bool is_skipped; /* program name, redirection and the like: kept as white space is */
} VitWord;

typedef struct {
    VitWord *words;
    unsigned n_words;
} VitWords;

/* For VitParseFlags: a piece from the middle of a shell text, so no program name in front. */
#define VIT_PARSE_FRAGMENT ((VitParseFlags)(1 << 8))

/* Splits TEXT. With VIT_PARSE_ARGV nothing is special but quotes, backslashes and blanks. */
void vit_words_init(VitWords *words, const char *text, size_t len, VitParseFlags flags,
                    VitDiagList *diags);
void vit_words_finish(VitWords *words);

/* One part of a comma separated argument, as offsets into a word's text. */
typedef struct {
    size_t start, end;
    size_t key_end;     /* = end when there is no '=' */
    size_t value_start; /* = start when there is no '=' */
    bool has_value;
} VitPart;

/* Finds the part that begins at *AT and moves *AT behind it; false at the end. */
bool vit_part_next(const char *text, size_t len, size_t *at, VitPart *out);
/* TEXT with doubled commas made single. Ownership: caller. */
char *vit_part_unescape(const char *text, size_t len);
/* The other way round, appended to OUT. */
void vit_part_escape(GString *out, const char *text);

/* Appends WORD so that vit_words_init() and a POSIX shell read it back. */
void vit_quote_word(GString *out, const char *word);

/* Same, for the first word of a text: a disk image called kvm is not to be taken for a program. */
void vit_quote_first_word(GString *out, const char *word);

/* Whether the blank text between two items holds nothing but blanks and line continuations. */
bool vit_is_blank(const char *text);
