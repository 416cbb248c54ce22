/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Drives a fuzz target without libFuzzer:
 *   fuzz-X FILE...                        runs each file once (a corpus, a crash)
 *   fuzz-X --runs N | --seconds N [--seed N] [--max-bytes N]   random inputs, a third of them grown
 *                                         from an earlier one
 * The input that was running when the process dies is written to crash-X, named on stderr.
 * Thread: one. */

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Present where a sanitizer is linked in. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static const uint8_t *current_data;
static size_t current_len;
static char crash_path[256];

static void
write_crash(void)
{
    int fd;

    if (!current_data) {
        return;
    }
    fd = open(crash_path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
    if (fd >= 0) {
        ssize_t written = write(fd, current_data, current_len);

        written += write(STDERR_FILENO, "input written to ", 17);
        written += write(STDERR_FILENO, crash_path, strlen(crash_path));
        written += write(STDERR_FILENO, "\n", 1);
        (void)written;
        close(fd);
    }
    current_data = NULL;
}

static void
on_signal(int number)
{
    write_crash();
    signal(number, SIG_DFL);
    raise(number);
}

static void
run_one(const uint8_t *data, size_t len)
{
    current_data = data;
    current_len = len;
    LLVMFuzzerTestOneInput(data, len);
    current_data = NULL;
}

static int
run_files(char **paths, int count)
{
    for (int i = 0; i < count; i++) {
        g_autofree char *data = NULL;
        gsize len;
        g_autoptr(GError) error = NULL;

        if (!g_file_get_contents(paths[i], &data, &len, &error)) {
            g_printerr("%s\n", error->message);
            return 1;
        }
        run_one((const uint8_t *)data, len);
    }
    g_print("%d inputs ran\n", count);
    return 0;
}

static GBytes *
next_input(GRand *rand, GPtrArray *pool, unsigned max_bytes)
{
    gsize len = 1 + g_rand_int_range(rand, 0, max_bytes);
    uint8_t *bytes = g_malloc(len);
    gsize kept = 0;

    if (pool->len && g_rand_int_range(rand, 0, 3) == 0) {
        GBytes *parent = pool->pdata[g_rand_int_range(rand, 0, pool->len)];
        gsize parent_len;
        const uint8_t *parent_data = g_bytes_get_data(parent, &parent_len);

        kept = MIN(len, parent_len);
        memcpy(bytes, parent_data, kept);
    }
    for (gsize i = kept; i < len; i++) {
        bytes[i] = g_rand_int(rand) >> 11;
    }
    for (gsize i = 0; kept && i < 1 + kept / 32; i++) {
        bytes[g_rand_int_range(rand, 0, len)] = g_rand_int(rand) >> 11;
    }
    return g_bytes_new_take(bytes, len);
}

static int
run_random(gint64 runs, gint64 seconds, guint32 seed, unsigned max_bytes)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    g_autoptr(GPtrArray) pool = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    gint64 end_us = g_get_monotonic_time() + seconds * G_USEC_PER_SEC, done = 0;

    while ((seconds && g_get_monotonic_time() < end_us) || done < runs) {
        GBytes *input = next_input(rand, pool, max_bytes);
        gsize len;
        const uint8_t *data = g_bytes_get_data(input, &len);

        run_one(data, len);
        done++;
        if (pool->len >= 64) {
            g_ptr_array_remove_index_fast(pool, g_rand_int_range(rand, 0, pool->len));
        }
        g_ptr_array_add(pool, input);
    }
    g_print("%" G_GINT64_FORMAT " inputs ran, seed %u\n", done, seed);
    return 0;
}

int
main(int argc, char **argv)
{
    gint64 runs = 0, seconds = 0;
    int seed = 1, max_bytes = 4096;
    const GOptionEntry entries[] = {
        { "runs", 0, 0, G_OPTION_ARG_INT64, &runs, "random inputs to run", "N" },
        { "seconds", 0, 0, G_OPTION_ARG_INT64, &seconds, "time to go on for", "N" },
        { "seed", 0, 0, G_OPTION_ARG_INT, &seed, "of the random numbers", "N" },
        { "max-bytes", 0, 0, G_OPTION_ARG_INT, &max_bytes, "longest input", "N" },
        { 0 },
    };
    g_autoptr(GOptionContext) context = g_option_context_new("[FILE...]");
    g_autoptr(GError) error = NULL;
    g_autofree char *name = g_path_get_basename(argv[0]);

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) || max_bytes < 1) {
        g_printerr("%s\n", error ? error->message : "--max-bytes must be positive");
        return 1;
    }
    g_snprintf(crash_path, sizeof(crash_path), "crash-%s", name);
    if (__sanitizer_set_death_callback) {
        __sanitizer_set_death_callback(write_crash);
    } else {
        signal(SIGSEGV, on_signal);
        signal(SIGBUS, on_signal);
        signal(SIGFPE, on_signal);
        signal(SIGILL, on_signal);
    }
    signal(SIGABRT, on_signal);
    return argc > 1 ? run_files(argv + 1, argc - 1) : run_random(runs, seconds, seed, max_bytes);
}
