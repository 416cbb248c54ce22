/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Finds where JSON values end in a stream of bytes, without judging them: brackets are counted,
 * strings skipped. Strings in single quotes, which QMP allows beside RFC 8259, are rewritten in
 * double ones. Size and depth are bounded before any parser sees the text. A byte 0xff, which no
 * JSON contains, starts over: clients send it to get in step.
 * Thread: its user's. */

#include "qmp.h"

void
qmp_framer_init(QmpFramer *framer)
{
    *framer = (QmpFramer){ .text = g_string_new(NULL) };
}

void
qmp_framer_finish(QmpFramer *framer)
{
    g_string_free(framer->text, TRUE);
}

void
qmp_framer_reset(QmpFramer *framer)
{
    GString *text = g_string_truncate(framer->text, 0);

    *framer = (QmpFramer){ .text = text };
}

static void
put(QmpFramer *framer, char c)
{
    if (framer->text->len >= QMP_MESSAGE_MAX || framer->depth > QMP_DEPTH_MAX) {
        framer->too_big = true;
    }
    if (!framer->too_big) {
        g_string_append_c(framer->text, c);
    }
}

static void
end_value(QmpFramer *framer, void (*func)(void *opaque, const char *text), void *opaque)
{
    /* The callback may reset the framer: hand over what it was. */
    g_autofree char *text = framer->too_big ? NULL : g_strdup(framer->text->str);

    qmp_framer_reset(framer);
    func(opaque, text);
}

/* A byte inside a string. */
static void
take_string_byte(QmpFramer *framer, char c)
{
    if (framer->in_escape) {
        framer->in_escape = false;
        if (c != '\'') { /* \' is nothing in JSON */
            put(framer, '\\');
        }
        put(framer, c);
    } else if (c == '\\') {
        framer->in_escape = true;
    } else if (c == framer->quote) {
        put(framer, '"');
        framer->quote = 0;
    } else if (c == '"') {
        put(framer, '\\');
        put(framer, '"');
    } else {
        put(framer, c);
    }
}

/* True: the value ends with this byte. */
static bool
take_byte(QmpFramer *framer, char c)
{
    if (framer->quote) {
        take_string_byte(framer, c);
        return !framer->quote && framer->depth == 0;
    }
    switch (c) {
    case '"':
    case '\'':
        framer->quote = c;
        put(framer, '"');
        return false;
    case '{':
    case '[':
        framer->depth++;
        put(framer, c);
        return false;
    case '}':
    case ']':
        put(framer, c);
        if (framer->depth > 0) {
            framer->depth--;
        }
        return framer->depth == 0;
    case ' ':
    case '\t':
    case '\r':
    case '\n':
        if (framer->depth > 0) {
            put(framer, ' ');
            return false;
        }
        return framer->in_word; /* ends a word; means nothing between values */
    default:
        framer->in_word = framer->depth == 0;
        put(framer, c);
        return false;
    }
}

void
qmp_framer_feed(QmpFramer *framer, const uint8_t *buf, size_t len,
                void (*func)(void *opaque, const char *text), void *opaque)
{
    for (size_t i = 0; i < len; i++) {
        if (buf[i] == 0xff) {
            qmp_framer_reset(framer);
        } else if (buf[i] == 0) {
            put(framer, '?'); /* no C string could carry it; the parser will object */
        } else if (take_byte(framer, buf[i])) {
            end_value(framer, func, opaque);
        }
    }
}
