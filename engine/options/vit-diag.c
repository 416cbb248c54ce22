/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The list of what is wrong with a configuration, and how one entry looks in a terminal: program,
 * message, the line of text it is about, carets under the place, what to do. Columns are counted
 * as a terminal shows them (wide characters take two, combining ones none).
 * Thread: a list belongs to one thread at a time. */

#include <string.h>

#include "vit-config.h"

struct VitDiagList {
    GPtrArray *diags;
    int ref_count;
};

static void
diag_free(gpointer data)
{
    VitDiag *diag = data;

    g_free(diag->message);
    g_free(diag->fix);
    g_free(diag->replacement);
    g_free(diag);
}

VitDiagList *
vit_diag_list_new(void)
{
    VitDiagList *list = g_new0(VitDiagList, 1);

    list->diags = g_ptr_array_new_with_free_func(diag_free);
    list->ref_count = 1;
    return list;
}

VitDiagList *
vit_diag_list_ref(VitDiagList *list)
{
    list->ref_count++;
    return list;
}

void
vit_diag_list_unref(VitDiagList *list)
{
    if (list == NULL || --list->ref_count > 0)
        return;
    g_ptr_array_unref(list->diags);
    g_free(list);
}

unsigned
vit_diag_list_get_n(const VitDiagList *list)
{
    return list->diags->len;
}

const VitDiag *
vit_diag_list_get(const VitDiagList *list, unsigned index)
{
    return index < list->diags->len ? list->diags->pdata[index] : NULL;
}

unsigned
vit_diag_list_count(const VitDiagList *list, VitSeverity at_least)
{
    unsigned count = 0;

    for (unsigned i = 0; i < list->diags->len; i++)
        if (vit_diag_list_get(list, i)->severity >= at_least)
            count++;
    return count;
}

static int
compare_place(gconstpointer a, gconstpointer b)
{
    const VitDiag *x = *(const VitDiag *const *)a, *y = *(const VitDiag *const *)b;

    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return (int)y->severity - (int)x->severity;
}

void
vit_diag_list_sort(VitDiagList *list)
{
    g_ptr_array_sort(list->diags, compare_place);
}

void
vit_diag_list_add(VitDiagList *list, size_t start, size_t end, VitSeverity severity, VitError code,
                  uint32_t serial, const char *fix, const char *replacement, const char *format,
                  ...)
{
    va_list args;

    if (list == NULL)
        return;
    VitDiag *diag = g_new0(VitDiag, 1);
    diag->start = start;
    diag->end = MAX(start, end);
    diag->severity = severity;
    diag->code = code;
    diag->serial = serial;
    diag->fix = g_strdup(fix);
    diag->replacement = g_strdup(replacement);
    va_start(args, format);
    diag->message = g_strdup_vprintf(format, args);
    va_end(args);
    g_ptr_array_add(list->diags, diag);
}

bool
vit_diag_list_to_error(const VitDiagList *list, GError **error)
{
    for (unsigned i = 0; i < list->diags->len; i++) {
        const VitDiag *diag = vit_diag_list_get(list, i);

        if (diag->severity != VIT_SEVERITY_ERROR)
            continue;
        g_set_error(error, VIT_ERROR, (int)diag->code, "%s%s%s", diag->message,
                    diag->fix ? "; " : "", diag->fix ? diag->fix : "");
        return false;
    }
    return true;
}

/* Terminal columns of the character at *TEXT, which is stepped over. Bytes that are no UTF-8 and
 * control characters count as the one '?' they are printed as. */
static unsigned
step_columns(const char **text, const char *end, GString *out)
{
    gunichar c = g_utf8_get_char_validated(*text, end - *text);

    if (c == (gunichar)-1 || c == (gunichar)-2 || g_unichar_iscntrl(c)) {
        if (out != NULL)
            g_string_append_c(out, c == '\t' ? ' ' : '?');
        (*text)++;
        return 1;
    }
    const char *next = g_utf8_next_char(*text);
    if (out != NULL)
        g_string_append_len(out, *text, next - *text);
    *text = next;
    return g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
}

static unsigned
columns_between(const char *from, const char *to)
{
    unsigned columns = 0;

    while (from < to)
        columns += step_columns(&from, to, NULL);
    return columns;
}

/* Moves FROM on until at most BUDGET columns are left before TO. */
static const char *
skip_to_fit(const char *from, const char *to, unsigned budget)
{
    unsigned columns = columns_between(from, to);

    while (from < to && columns > budget) {
        unsigned step = step_columns(&from, to, NULL);

        columns -= MIN(columns, step);
    }
    return from;
}

static void
append_place(GString *out, const VitDiag *diag, const char *text, unsigned columns)
{
    size_t len = strlen(text);
    const char *start = text + MIN(diag->start, len), *end = text + MIN(diag->end, len);
    const char *line = start, *line_end = start;

    while (line > text && line[-1] != '\n')
        line--;
    while (*line_end != '\0' && *line_end != '\n' && *line_end != '\r')
        line_end++;
    end = CLAMP(end, start, line_end);

    unsigned width = columns > 20 ? columns - 8 : 12;
    const char *from = line;
    bool cut_front = false;
    if (columns_between(line, end) > width) {
        from = skip_to_fit(line, start, width / 3);
        cut_front = from > line;
    }
    g_string_append_printf(out, "\n    %s", cut_front ? "..." : "");
    unsigned shown = cut_front ? 3 : 0;
    const char *at = from;
    while (at < line_end && shown < width)
        shown += step_columns(&at, line_end, out);
    if (at < line_end)
        g_string_append(out, "...");
    g_string_append_printf(out, "\n    %*s",
                           (int)columns_between(from, start) + (cut_front ? 3 : 0), "");
    unsigned carets = MAX(1, columns_between(start, MIN(end, MAX(at, start))));
    for (unsigned i = 0; i < carets; i++)
        g_string_append_c(out, '^');
}

char *
vit_diag_format(const VitDiag *diag, const char *text, const char *program, unsigned columns)
{
    static const char *const words[] = { "note: ", "warning: ", "" };
    GString *out = g_string_new(NULL);

    g_string_append_printf(out, "%s: %s%s", program, words[diag->severity], diag->message);
    if (text != NULL && *text != '\0')
        append_place(out, diag, text, columns);
    if (diag->fix != NULL)
        g_string_append_printf(out, "\n    %s", diag->fix);
    g_string_append_c(out, '\n');
    return g_string_free(out, FALSE);
}
