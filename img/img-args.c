/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Command lines by the tables of the commands: parsing, usage, --object. */

#include "img.h"

#include <stdio.h>
#include <string.h>

static unsigned
count_options(const ImgCommand *command)
{
    unsigned count = 0;

    while (command->options[count].id) {
        count++;
    }
    return count;
}

void
img_args_init(ImgArgs *args, const ImgCommand *command, BlkGraph *graph, int argc, char **argv)
{
    unsigned count = count_options(command), longs = 0;
    GString *letters = g_string_new(NULL);

    *args = (ImgArgs){ .command = command, .graph = graph, .argc = argc, .argv = argv };
    args->longs = g_new0(struct option, count + 1);
    for (unsigned i = 0; i < count; i++) {
        const ImgOption *option = &command->options[i];
        if (option->id < 256) {
            g_string_append_c(letters, (char)option->id);
            g_string_append(letters, option->argument ? ":" : "");
        }
        if (option->name) {
            args->longs[longs++] =
                (struct option){ .name = option->name,
                                 .has_arg = option->argument ? required_argument : no_argument,
                                 .val = option->id };
        }
    }
    args->letters = g_string_free(letters, FALSE);
    optind = 0; /* glibc: begin anew */
}

void
img_args_finish(ImgArgs *args)
{
    g_clear_pointer(&args->letters, g_free);
    g_clear_pointer(&args->longs, g_free);
}

static void
stop(ImgArgs *args, int status)
{
    args->stop = true;
    args->status = status;
}

/* "secret,id=ID,data=TEXT" or file=PATH, format=raw|base64. */
static bool
add_secret(BlkGraph *graph, const char *text, GError **error)
{
    g_autoptr(BlkOptions) options = blk_options_new();
    const char *id, *data, *file, *format;
    g_autofree char *content = NULL;
    gsize len;

    if (!g_str_has_prefix(text, "secret,")) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "--object %s: only objects of type secret have a use here.", text);
        return false;
    }
    if (!img_parse_options(options, text + strlen("secret,"), error)) {
        return false;
    }
    id = blk_options_get(options, "id");
    data = blk_options_get(options, "data");
    file = blk_options_get(options, "file");
    format = blk_options_get(options, "format");
    if (!id || !data == !file) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "--object secret needs id=, and either data= or file=.");
        return false;
    }
    if (file && !g_file_get_contents(file, &content, &len, error)) {
        return false;
    }
    if (!file) {
        content = g_strdup(data);
        len = strlen(data);
    }
    if (format && strcmp(format, "base64") == 0) {
        guchar *decoded = g_base64_decode(content, &len);
        g_free(content);
        content = (char *)decoded;
    }
    blk_graph_add_secret(graph, id, g_bytes_new(content, len));
    return true;
}

int
img_args_next(ImgArgs *args)
{
    GError *error = NULL;

    while (!args->stop) {
        int id = getopt_long(args->argc, args->argv, args->letters, args->longs, NULL);

        args->value = optarg;
        args->first = optind;
        if (id == 'h') {
            img_print_usage(args->command);
            stop(args, IMG_OK);
        } else if (id == '?') {
            stop(args, img_usage());
        } else if (id == IMG_OPT_OBJECT) {
            if (!add_secret(args->graph, optarg, &error)) {
                stop(args, img_error_take(error));
            }
        } else {
            return id;
        }
    }
    return -1;
}

void
img_args_take_output(ImgArgs *args, bool *out_json)
{
    *out_json = strcmp(args->value, "json") == 0;
    if (!*out_json && strcmp(args->value, "human") != 0) {
        stop(args, img_error("--output must be used with human or json as argument"));
    }
}

int
img_args_operands(const ImgArgs *args)
{
    return args->argc - args->first;
}

void
img_print_usage(const ImgCommand *command)
{
    printf("Usage: vitrine-img %s [OPTIONS] %s\n%s\n\n", command->name, command->operands,
           command->help);
    for (const ImgOption *option = command->options; option->id; option++) {
        g_autofree char *letter =
            option->id < 256 ? g_strdup_printf("-%c", option->id) : g_strdup("");
        g_autofree char *text = g_strdup_printf(
            "%s%s%s%s%s%s", letter, *letter && option->name ? ", " : "", option->name ? "--" : "",
            option->name ? option->name : "", option->argument ? (option->name ? "=" : " ") : "",
            option->argument ? option->argument : "");
        printf("  %-36s %s\n", text, option->help);
    }
}
