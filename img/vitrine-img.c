/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* vitrine-img: disk images from the command line. Each command is a file of its own; the help and
 * the manual page (--man) are made from their tables. */

#include "img.h"

#include "vit-prop.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const ImgCommand *const commands[] = {
    &img_amend_command,  &img_bench_command,   &img_bitmap_command,  &img_check_command,
    &img_commit_command, &img_compare_command, &img_convert_command, &img_create_command,
    &img_dd_command,     &img_info_command,    &img_map_command,     &img_measure_command,
    &img_rebase_command, &img_resize_command,  &img_serve_command,   &img_snapshot_command,
};

static volatile sig_atomic_t cancelled;

static void
on_signal(int number)
{
    cancelled = number;
}

bool
img_is_cancelled(void)
{
    return cancelled != 0;
}

static char *
list_formats(void)
{
    g_autoptr(BlkGraph) graph = blk_graph_new(NULL, NULL, NULL);
    g_autofree const char **names = graph ? blk_graph_list_drivers(graph) : NULL;

    return names ? g_strjoinv(" ", (char **)names) : g_strdup("");
}

static void
print_help(void)
{
    g_autofree char *formats = list_formats();

    printf("Usage: vitrine-img COMMAND [OPTIONS]\n"
           "Makes, shows and changes disk images.\n\n"
           "  -h, --help     this text; vitrine-img COMMAND --help for a command's options\n"
           "  -V, --version  version of the program\n\n"
           "Commands:\n");
    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
        printf("  %-9s %s\n", commands[i]->name, commands[i]->help);
    }
    printf("\nSizes are in bytes, or with a suffix k, M, G, T, P or E (powers of 1024).\n"
           "Caches: none, writeback, writethrough, directsync, unsafe.\n"
           "Supported formats: %s\n",
           formats);
}

/* ---- the manual page ---- */

static void
print_roff(const char *text)
{
    for (; *text; text++) {
        printf(*text == '-' ? "\\-" : *text == '\\' ? "\\e" : "%c", *text);
    }
}

static void
print_roff_option(const ImgOption *option)
{
    printf(".TP\n\\fB");
    if (option->id < 256) {
        printf("\\-%c%s", option->id, option->name ? ", " : "");
    }
    if (option->name) {
        printf("\\-\\-");
        print_roff(option->name);
    }
    printf("\\fR");
    if (option->argument) {
        printf(" \\fI");
        print_roff(option->argument);
        printf("\\fR");
    }
    printf("\n");
    print_roff(option->help);
    printf("\n");
}

static void
print_man(void)
{
    printf(".TH VITRINE\\-IMG 1 \"\" \"Vitrine %s\" \"User Commands\"\n"
           ".SH NAME\nvitrine\\-img \\- make, show and change disk images\n"
           ".SH SYNOPSIS\n.B vitrine\\-img\n.I COMMAND\n.RI [ OPTIONS ]\n.SH COMMANDS\n",
           VITRINE_VERSION);
    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
        printf(".SS %s ", commands[i]->name);
        print_roff(commands[i]->operands);
        printf("\n");
        print_roff(commands[i]->help);
        printf("\n");
        for (const ImgOption *option = commands[i]->options; option->id; option++) {
            print_roff_option(option);
        }
    }
    printf(".SH EXIT STATUS\n0 on success, 1 on failure. \\fBcheck\\fR: 2 for corruptions, 3 for "
           "leaks, 63 for formats without a check. \\fBcompare\\fR: 1 when the images differ, 2 on "
           "failure.\n");
}

/* ---- dispatch ---- */

static const ImgCommand *
find_command(const char *name)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
    }
    return NULL;
}

static int
unknown_command(const char *name)
{
    const char *names[G_N_ELEMENTS(commands)], *nearest;

    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
        names[i] = commands[i]->name;
    }
    nearest = vit_nearest_name(name, names, G_N_ELEMENTS(names));
    img_error("there is no command '%s'%s%s%s", name, nearest ? "; did you mean '" : "",
              nearest ? nearest : "", nearest ? "'?" : "");
    return img_usage();
}

static int
run_command(const ImgCommand *command, int argc, char **argv)
{
    GError *error = NULL;
    BlkGraph *graph = blk_graph_new(NULL, NULL, &error);
    int status;

    if (!graph) {
        return img_error_take(error);
    }
    status = command->run(graph, argc, argv);
    blk_graph_free(graph);
    return status;
}

int
main(int argc, char **argv)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESETHAND };
    const ImgCommand *command;

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        img_error("a command is missing");
        return img_usage();
    }
    if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help();
        return IMG_OK;
    }
    if (strcmp(argv[1], "--man") == 0) {
        print_man();
        return IMG_OK;
    }
    if (strcmp(argv[1], "-V") == 0 || strcmp(argv[1], "--version") == 0) {
        printf("vitrine-img version %s\nCopyright the Vitrine authors\n", VITRINE_VERSION);
        return IMG_OK;
    }
    command = find_command(argv[1]);
    return command ? run_command(command, argc - 1, argv + 1) : unknown_command(argv[1]);
}
