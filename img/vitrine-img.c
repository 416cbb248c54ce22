/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* vitrine-img: disk images from the command line. Each command is a row of the table below. */

#include "img.h"

#include "vit-prop.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

typedef struct ImgCommand {
    const char *name, *usage;
    ImgRun run; /* NULL: known, and not available yet */
} ImgCommand;

static const ImgCommand commands[] = {
    { "amend", "[-f FMT] [-t CACHE] -o OPTIONS FILE", NULL },
    { "bench", "[-c COUNT] [-d DEPTH] [-f FMT] [-s BYTES] [-w] FILE", NULL },
    { "bitmap", "(--add | --remove | --clear | --enable | --disable | --merge SOURCE) FILE BITMAP",
      NULL },
    { "check", "[-f FMT] [--output=human|json] [-r leaks|all] [-U] FILE", NULL },
    { "commit", "[-f FMT] [-b BASE] [-d] [-p] FILE", NULL },
    { "compare", "[-f FMT] [-F FMT] [-p] [-s] FILE1 FILE2", NULL },
    { "convert",
      "[-f FMT] [-O FMT] [-o OPTIONS] [-t CACHE] [-T CACHE] [-S BYTES] [-n] [-p] [-q] [-U] [-W]\n"
      "          [-m COUNT] [--image-opts] [--target-image-opts] [--target-is-zero] [--salvage]\n"
      "          SOURCE [SOURCE2...] TARGET",
      img_convert },
    { "create", "[-f FMT] [-o OPTIONS] [-q] FILE [SIZE]", img_create },
    { "dd", "[-f FMT] [-O FMT] [bs=BYTES] [count=N] [skip=N] if=SOURCE of=TARGET", NULL },
    { "info", "[-f FMT] [--output=human|json] [--backing-chain] [--image-opts] [-U] FILE",
      img_info },
    { "map", "[-f FMT] [--start-offset=BYTES] [--max-length=BYTES] [--output=human|json] FILE",
      NULL },
    { "measure", "[-O FMT] [-o OPTIONS] [--output=human|json] (--size BYTES | FILE)", NULL },
    { "rebase", "[-f FMT] [-u] [-p] -b BACKING [-F FMT] FILE", NULL },
    { "resize", "[-f FMT] [--preallocation=off|falloc|full] [--shrink] [-q] FILE [+|-]SIZE",
      img_resize },
    { "serve", "[-f FMT] [-r] [--socket=PATH | --port=N] FILE", NULL },
    { "snapshot", "(-l | -a NAME | -c NAME | -d NAME) FILE", NULL },
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

static void
print_help(void)
{
    printf("Usage: vitrine-img COMMAND [OPTIONS]\n"
           "Makes, shows and changes disk images.\n\n"
           "  -h, --help     this text\n"
           "  -V, --version  version of the program\n\n"
           "Commands:\n");
    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (commands[i].run) {
            printf("  %-8s %s\n", commands[i].name, commands[i].usage);
        }
    }
    printf("\nNot available yet:");
    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (!commands[i].run) {
            printf(" %s", commands[i].name);
        }
    }
    printf("\n\nSizes are in bytes, or with a suffix k, M, G, T, P or E (powers of 1024).\n"
           "Formats: raw. Caches: none, writeback, writethrough, directsync, unsafe.\n");
}

static const ImgCommand *
find_command(const char *name)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static int
unknown_command(const char *name)
{
    const char *names[G_N_ELEMENTS(commands)], *nearest;

    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
        names[i] = commands[i].name;
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
    BlkGraph *graph;
    int status;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("Usage: vitrine-img %s %s\n", command->name, command->usage);
        return IMG_OK;
    }
    if (!command->run) {
        return img_not_yet(command->name);
    }
    graph = blk_graph_new(NULL, NULL, &error);
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
    if (strcmp(argv[1], "-V") == 0 || strcmp(argv[1], "--version") == 0) {
        printf("vitrine-img version %s\nCopyright the Vitrine authors\n", VITRINE_VERSION);
        return IMG_OK;
    }
    command = find_command(argv[1]);
    return command ? run_command(command, argc - 1, argv + 1) : unknown_command(argv[1]);
}
