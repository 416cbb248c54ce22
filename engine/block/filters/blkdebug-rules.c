/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Rules of the filter "blkdebug": each names an event and what happens at it, an error or another
 * state. A rule with a state holds only in that state; it starts as 1. Events are those of requests
 * as they pass the filter; the names of a format's inner steps are refused, as they never come.
 * Thread: the node's context. */

#include "blkdebug-rules.h"

#include "vit-error.h"

#include <errno.h>
#include <string.h>

typedef struct Rule {
    unsigned event; /* index into events; 0: any */
    unsigned io_mask;
    int error;
    int64_t sector; /* negative: any */
    bool once, immediately, spent, is_set_state;
    unsigned state, new_state; /* 0: any */
} Rule;

struct DebugRules {
    GArray *list;
    unsigned state;
};

/* What happens at each request; the place in the array is the event's number. */
static const char *const events[] = { "none",         "read_aio",    "write_aio",     "pwritev",
                                      "pwritev_zero", "flush_to_os", "flush_to_disk", "discard" };

static const char *const io_names[DEBUG_IO_LAST] = { "read",    "write", "write-zeroes",
                                                     "discard", "flush", "block-status" };

static bool
is_event_of(unsigned event, DebugIo io)
{
    switch (io) {
    case DEBUG_IO_READ: return event == 1;
    case DEBUG_IO_WRITE: return event == 2 || event == 3;
    case DEBUG_IO_WRITE_ZEROES: return event == 4;
    case DEBUG_IO_FLUSH: return event == 5 || event == 6;
    case DEBUG_IO_DISCARD: return event == 7;
    default: return false;
    }
}

DebugRules *
debug_rules_new(void)
{
    DebugRules *rules = g_new0(DebugRules, 1);

    rules->list = g_array_new(FALSE, FALSE, sizeof(Rule));
    rules->state = 1;
    return rules;
}

void
debug_rules_free(DebugRules *rules)
{
    if (rules) {
        g_array_unref(rules->list);
        g_free(rules);
    }
}

/* ---- reading ---- */

static bool
find(const char *const *names, unsigned count, const char *name, unsigned *out)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static bool
take_number(const char *text, const char *key, gint64 max, gint64 *out, GError **error)
{
    char *end;

    if (!text) {
        return true;
    }
    *out = g_ascii_strtoll(text, &end, 10);
    if (*end || end == text || *out < 0 || *out > max) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "blkdebug: '%s' is no value for %s.", text, key);
        return false;
    }
    return true;
}

static bool
is_yes(const char *text)
{
    return text &&
           (strcmp(text, "on") == 0 || strcmp(text, "yes") == 0 || strcmp(text, "true") == 0);
}

static bool
take_names(const DebugRuleText *text, Rule *rule, GError **error)
{
    unsigned io;

    if (!text->event || !find(events, G_N_ELEMENTS(events), text->event, &rule->event)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "blkdebug: the event '%s' never happens here; there are none, read_aio, "
                    "write_aio, pwritev, pwritev_zero, flush_to_os, flush_to_disk and discard.",
                    text->event ? text->event : "");
        return false;
    }
    rule->io_mask = (1u << DEBUG_IO_STATUS) - 1;
    if (text->iotype) {
        if (!find(io_names, DEBUG_IO_LAST, text->iotype, &io)) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                        "blkdebug: there are no requests of the type '%s'.", text->iotype);
            return false;
        }
        rule->io_mask = 1u << io;
    }
    return true;
}

bool
debug_rules_add(DebugRules *rules, bool set_state, const DebugRuleText *text, GError **error)
{
    Rule rule = { .is_set_state = set_state };
    gint64 number = EIO, sector = -1, state = 0, new_state = 0;

    if (!take_names(text, &rule, error) ||
        !take_number(text->error, "errno", 4095, &number, error) ||
        !take_number(text->sector, "sector", INT64_MAX / 512, &sector, error) ||
        !take_number(text->state, "state", INT32_MAX, &state, error) ||
        !take_number(text->new_state, "new_state", INT32_MAX, &new_state, error)) {
        return false;
    }
    if (set_state && new_state == 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "blkdebug: set-state needs new_state.");
        return false;
    }
    rule.error = (int)number;
    rule.sector = sector;
    rule.state = (unsigned)state;
    rule.new_state = (unsigned)new_state;
    rule.once = is_yes(text->once);
    rule.immediately = is_yes(text->immediately);
    g_array_append_val(rules->list, rule);
    return true;
}

static void
text_clear(DebugRuleText *text)
{
    g_free(text->event);
    g_free(text->iotype);
    g_free(text->error);
    g_free(text->sector);
    g_free(text->once);
    g_free(text->immediately);
    g_free(text->state);
    g_free(text->new_state);
    memset(text, 0, sizeof(*text));
}

static bool
take_line(DebugRuleText *text, const char *line)
{
    g_auto(GStrv) pair = g_strsplit(line, "=", 2);
    const struct {
        const char *key;
        char **place;
    } keys[] = {
        { "event", &text->event }, { "iotype", &text->iotype },
        { "errno", &text->error }, { "sector", &text->sector },
        { "once", &text->once },   { "immediately", &text->immediately },
        { "state", &text->state }, { "new_state", &text->new_state },
    };

    if (g_strv_length(pair) != 2) {
        return false;
    }
    g_strstrip(pair[0]);
    g_strstrip(pair[1]);
    for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (strcmp(keys[i].key, pair[0]) == 0) {
            size_t len = strlen(pair[1]);
            bool quoted = len >= 2 && pair[1][0] == '"' && pair[1][len - 1] == '"';
            g_free(*keys[i].place);
            *keys[i].place = quoted ? g_strndup(pair[1] + 1, len - 2) : g_strdup(pair[1]);
            return true;
        }
    }
    return false;
}

bool
debug_rules_add_file(DebugRules *rules, const char *filename, GError **error)
{
    g_autofree char *content = NULL;
    g_auto(GStrv) lines = NULL;
    DebugRuleText text = { 0 };
    enum { NOWHERE, INJECT, STATE } section = NOWHERE;
    bool ok = true;

    if (!g_file_get_contents(filename, &content, NULL, error)) {
        return false;
    }
    lines = g_strsplit(content, "\n", -1);
    for (unsigned i = 0; ok; i++) {
        const char *line = lines[i] ? g_strstrip(lines[i]) : "[";
        if (*line == '[') {
            ok = section == NOWHERE || debug_rules_add(rules, section == STATE, &text, error);
            text_clear(&text);
            section = strcmp(line, "[inject-error]") == 0 ? INJECT
                      : strcmp(line, "[set-state]") == 0  ? STATE
                                                          : NOWHERE;
            if (!lines[i]) {
                break;
            }
        }
        bool is_known =
            *line == '[' ? section != NOWHERE
                         : !*line || *line == '#' || (section != NOWHERE && take_line(&text, line));
        if (ok && !is_known) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                        "blkdebug: line %u of '%s' is not understood.", i + 1, filename);
            ok = false;
        }
    }
    text_clear(&text);
    return ok;
}

/* ---- use ---- */

static bool
applies(const DebugRules *rules, const Rule *rule, DebugIo io, uint64_t offset, uint64_t len)
{
    if (rule->spent || (rule->state && rule->state != rules->state) ||
        (rule->event != 0 && !is_event_of(rule->event, io))) {
        return false;
    }
    if (rule->is_set_state) {
        return true;
    }
    return (rule->io_mask & (1u << io)) && (rule->sector < 0 || io == DEBUG_IO_FLUSH ||
                                            ((uint64_t)rule->sector * 512 >= offset &&
                                             (uint64_t)rule->sector * 512 - offset < len));
}

int
debug_rules_check(DebugRules *rules, DebugIo io, uint64_t offset, uint64_t len, bool *out_at_once)
{
    unsigned next_state = rules->state;
    int error = 0;

    *out_at_once = false;
    for (guint i = 0; i < rules->list->len; i++) {
        Rule *rule = &g_array_index(rules->list, Rule, i);
        if (!applies(rules, rule, io, offset, len)) {
            continue;
        }
        if (rule->is_set_state) {
            next_state = rule->new_state;
        } else if (error == 0 && rule->error != 0) {
            error = -rule->error;
            *out_at_once = rule->immediately;
            rule->spent = rule->once;
        }
    }
    rules->state = next_state;
    return error;
}
