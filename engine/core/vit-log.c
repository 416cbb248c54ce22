/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* -d, -D, -dfilter. Items and ranges are read often and change rarely; the file is written under a
 * lock, a whole text at a time, and flushed, as a guest that ends badly is what logs are for.
 * Thread: any. */

#include "vit-log.h"

#include "vit-error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TRACE "trace:"

typedef struct Range {
    uint64_t first, last;
} Range;

struct VitLogPrivate {
    GMutex lock; /* guards the next five */
    char *path;  /* NULL: standard error */
    FILE *file;  /* opened at the first line */
    bool failed; /* the file cannot be opened: told once */
    GArray *ranges;
    GPtrArray *patterns; /* of trace points */
    void (*dump)(void *opaque, unsigned cpu, bool with_fpu, GString *out);
    void *dump_opaque;
};

static const struct {
    const char *name;
    uint32_t items;
} names[] = {
    { "in_asm", VIT_LOG_IN_ASM },
    { "out_asm", VIT_LOG_OUT_ASM },
    { "int", VIT_LOG_INT },
    { "exec", VIT_LOG_EXEC },
    { "cpu", VIT_LOG_CPU },
    { "fpu", VIT_LOG_FPU },
    { "mmu", VIT_LOG_MMU },
    { "pcall", VIT_LOG_PCALL },
    { "cpu_reset", VIT_LOG_CPU_RESET },
    { "unimp", VIT_LOG_UNIMP },
    { "guest_errors", VIT_LOG_GUEST_ERRORS },
    { "nochain", VIT_LOG_NOCHAIN },
    { "ioport", VIT_LOG_IOPORT },
    { "mmio", VIT_LOG_MMIO },
    { "all", ~(uint32_t)(VIT_LOG_NOCHAIN | VIT_LOG_TRACE) },
    { "none", 0 },
};

VitLog *
vit_log_new(void)
{
    VitLog *log = g_new0(VitLog, 1);

    log->priv = g_new0(VitLogPrivate, 1);
    g_mutex_init(&log->priv->lock);
    log->priv->ranges = g_array_new(FALSE, FALSE, sizeof(Range));
    log->priv->patterns = g_ptr_array_new();
    return log;
}

static void
close_file(VitLogPrivate *priv)
{
    if (priv->file && priv->file != stderr) {
        fclose(priv->file);
    }
    priv->file = NULL;
    priv->failed = false;
}

void
vit_log_free(VitLog *log)
{
    if (log) {
        close_file(log->priv);
        g_mutex_clear(&log->priv->lock);
        g_array_unref(log->priv->ranges);
        g_ptr_array_unref(log->priv->patterns);
        g_free(log->priv->path);
        g_free(log->priv);
        g_free(log);
    }
}

/* ---- Settings ---- */

bool
vit_log_set_items(VitLog *log, const char *items, GError **error)
{
    g_auto(GStrv) words = g_strsplit(items ? items : "", ",", -1);
    g_autoptr(GPtrArray) patterns =
        g_ptr_array_new_with_free_func((GDestroyNotify)g_pattern_spec_free);
    uint32_t wanted = 0;

    for (unsigned i = 0; words[i]; i++) {
        unsigned row = 0;

        if (g_str_has_prefix(words[i], TRACE)) {
            if (!words[i][strlen(TRACE)]) {
                g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                            "\"%s\" wants the name of a trace point behind it, or a pattern: "
                            "trace:rtc*",
                            words[i]);
                return false;
            }
            g_ptr_array_add(patterns, g_pattern_spec_new(words[i] + strlen(TRACE)));
            wanted |= VIT_LOG_TRACE;
            continue;
        }
        while (row < VIT_ARRAY_LEN(names) && strcmp(names[row].name, words[i]) != 0) {
            row++;
        }
        if (row == VIT_ARRAY_LEN(names)) {
            if (!*words[i]) {
                continue;
            }
            g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                        "there is no log item \"%s\" here; -d help lists them", words[i]);
            return false;
        }
        wanted |= names[row].items;
    }
    g_mutex_lock(&log->priv->lock);
    g_ptr_array_unref(log->priv->patterns);
    log->priv->patterns = g_steal_pointer(&patterns);
    g_mutex_unlock(&log->priv->lock);
    __atomic_store_n(&log->items, wanted, __ATOMIC_RELAXED);
    return true;
}

bool
vit_log_traces(const VitLog *log, const char *name)
{
    bool found = false;

    g_mutex_lock(&log->priv->lock);
    for (guint i = 0; !found && i < log->priv->patterns->len; i++) {
        found = g_pattern_spec_match_string(g_ptr_array_index(log->priv->patterns, i), name);
    }
    g_mutex_unlock(&log->priv->lock);
    return found;
}

bool
vit_log_set_file(VitLog *log, const char *path, GError **error)
{
    VitLogPrivate *priv = log->priv;
    g_autofree char *with_process = NULL;
    const char *place = path ? strstr(path, "%d") : NULL;

    if (path && strchr(path, '%') &&
        (!place || strchr(place + 1, '%') || strchr(path, '%') != place)) {
        g_set_error(
            error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
            "the log file \"%s\" may have one %%d, which becomes the process number, and no "
            "other %%",
            path);
        return false;
    }
    with_process =
        place ? g_strdup_printf("%.*s%d%s", (int)(place - path), path, (int)getpid(), place + 2)
              : g_strdup(path);
    g_mutex_lock(&priv->lock);
    close_file(priv);
    g_free(priv->path);
    priv->path = g_steal_pointer(&with_process);
    g_mutex_unlock(&priv->lock);
    return true;
}

/* START+SIZE, START-SIZE, FIRST..LAST; numbers as C writes them. */
static bool
parse_range(const char *text, Range *out)
{
    const char *at = text;
    char *end;
    guint64 first, second;
    bool minus, between;

    if (!g_ascii_isdigit(*at)) {
        return false;
    }
    first = g_ascii_strtoull(at, &end, 0);
    between = g_str_has_prefix(end, "..");
    minus = *end == '-';
    if (end == at || !(between || minus || *end == '+')) {
        return false;
    }
    at = end + (between ? 2 : 1);
    if (!g_ascii_isdigit(*at)) {
        return false;
    }
    second = g_ascii_strtoull(at, &end, 0);
    if (*end || (between ? second < first : second == 0)) {
        return false;
    }
    *out = between ? (Range){ first, second }
           : minus ? (Range){ first - (second - 1), first }
                   : (Range){ first, first + (second - 1) };
    return out->first <= out->last;
}

bool
vit_log_set_filter(VitLog *log, const char *ranges, GError **error)
{
    g_auto(GStrv) words = g_strsplit(ranges ? ranges : "", ",", -1);
    g_autoptr(GArray) parsed = g_array_new(FALSE, FALSE, sizeof(Range));

    for (unsigned i = 0; words[i]; i++) {
        Range range;

        if (!parse_range(words[i], &range)) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                        "\"%s\" is no range of addresses: give START+SIZE, START-SIZE or "
                        "FIRST..LAST",
                        words[i]);
            return false;
        }
        g_array_append_val(parsed, range);
    }
    g_mutex_lock(&log->priv->lock);
    g_array_unref(log->priv->ranges);
    log->priv->ranges = g_steal_pointer(&parsed);
    log->has_filter = log->priv->ranges->len > 0;
    g_mutex_unlock(&log->priv->lock);
    return true;
}

bool
vit_log_in_range(const VitLog *log, uint64_t guest_address)
{
    bool found = !log->has_filter;

    if (found) {
        return true;
    }
    g_mutex_lock(&log->priv->lock);
    for (guint i = 0; !found && i < log->priv->ranges->len; i++) {
        const Range *range = &g_array_index(log->priv->ranges, Range, i);
        found = guest_address >= range->first && guest_address <= range->last;
    }
    g_mutex_unlock(&log->priv->lock);
    return found;
}

/* ---- Writing ---- */

static void
open_file(VitLogPrivate *priv)
{
    priv->file = priv->path ? fopen(priv->path, "we") : stderr;
    if (!priv->file && !priv->failed) {
        priv->failed = true;
        g_printerr("the log file %s cannot be written: %s; the log is lost\n", priv->path,
                   g_strerror(errno));
    }
}

void
vit_log_write(VitLog *log, const char *text)
{
    VitLogPrivate *priv = log->priv;

    g_mutex_lock(&priv->lock);
    if (!priv->file && !priv->failed) {
        open_file(priv);
    }
    if (priv->file) {
        fputs(text, priv->file);
        fflush(priv->file);
    }
    g_mutex_unlock(&priv->lock);
}

void
vit_log_printf(VitLog *log, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    vit_log_write(log, text);
}

void
vit_log_set_dump(VitLog *log, void (*dump)(void *opaque, unsigned cpu, bool with_fpu, GString *out),
                 void *opaque)
{
    log->priv->dump = dump;
    log->priv->dump_opaque = opaque;
}

void
vit_log_append_registers(VitLog *log, unsigned cpu, GString *text)
{
    if (log->priv->dump) {
        log->priv->dump(log->priv->dump_opaque, cpu, vit_log_wants(log, VIT_LOG_FPU), text);
    }
}
