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

/* "KIND,id=ID,...": secrets, TLS credentials, and what else images name. */
static bool
add_object(BlkGraph *graph, const char *text, GError **error)
{
    g_autoptr(BlkOptions) options = blk_options_new();
    g_autofree char *kind = g_strndup(text, strcspn(text, ","));
    g_autofree char *id = NULL;

    if (!blk_object_is_known(kind)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "--object %s: objects of this type have no use here; secret and tls-creds-x509 "
                    "are some that have.",
                    text);
        return false;
    }
    if (text[strlen(kind)] && !img_parse_options(options, text + strlen(kind) + 1, error)) {
        return false;
    }
    id = blk_options_take(options, "id");
    if (!id) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "--object %s needs id=.", kind);
        return false;
    }
    return blk_graph_add_object(graph, kind, id, options, error);
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
            if (!add_object(args->graph, optarg, &error)) {
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
