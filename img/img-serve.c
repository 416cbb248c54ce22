/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* vitrine-img serve: an image as an NBD export for other programs and hosts, with the options that
 * users of qemu-nbd know. Without --persistent it ends when the last client has gone. With --fork
 * the command returns when the server listens; for that reason it forks before anything else, as
 * the block layer has threads. */

#include "img.h"

#include "nbd/nbd-server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPT_FORK = IMG_OPT_OWN, OPT_PID_FILE, OPT_TLS_CREDS, OPT_TLS_AUTHZ, OPT_CACHE };

typedef struct Serve {
    ImgOpen how;
    const char *name, *description, *pid_file, *shared, *cache;
    BlkNbdServerOptions server;
    GPtrArray *bitmaps;
    bool read_only, persistent, fork, quiet;
    int ready_fd; /* of the parent that waits; -1: none */
} Serve;

static bool
take_option(Serve *serve, int id, const char *value)
{
    switch (id) {
    case 'b': serve->server.host = value; break;
    case 'p': serve->server.port = value; break;
    case 'k': serve->server.path = value; break;
    case 'e': serve->shared = value; break;
    case 'x': serve->name = value; break;
    case 'D': serve->description = value; break;
    case 'B': g_ptr_array_add(serve->bitmaps, (gpointer)value); break;
    case 'r': serve->read_only = true; break;
    case 't': serve->persistent = true; break;
    case 'q': serve->quiet = true; break;
    case OPT_FORK: serve->fork = true; break;
    case OPT_PID_FILE: serve->pid_file = value; break;
    case OPT_TLS_CREDS: serve->server.tls_creds = value; break;
    case OPT_TLS_AUTHZ: serve->server.tls_authz = value; break;
    case OPT_CACHE: serve->how.cache = value; break;
    default: return img_open_take(&serve->how, id, value);
    }
    return true;
}

static bool
check_options(Serve *serve)
{
    guint64 shared = 1;

    if (serve->shared && !g_ascii_string_to_unsigned(serve->shared, 10, 0, 65536, &shared, NULL)) {
        img_error("--shared is a number of clients, or 0 for any: not '%s'", serve->shared);
        return false;
    }
    if (serve->server.path && (serve->server.host || serve->server.port)) {
        img_error("--socket excludes --bind and --port");
        return false;
    }
    if (serve->server.tls_authz && !serve->server.tls_creds) {
        img_error("--tls-authz needs --tls-creds");
        return false;
    }
    serve->server.max_connections = (unsigned)shared;
    serve->server.port = serve->server.port ? serve->server.port : "10809";
    serve->how.write = !serve->read_only;
    g_ptr_array_add(serve->bitmaps, NULL);
    return true;
}

/* In the parent: waits for the child's word and gives the exit status. */
static int
wait_for_child(int fd)
{
    char status = IMG_FAILED;

    while (read(fd, &status, 1) < 0 && errno == EINTR) {
    }
    return status;
}

/* In the child: the caller may go on; from now on there is no terminal. */
static void
tell_parent(Serve *serve)
{
    const char ok = IMG_OK;
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (serve->ready_fd < 0) {
        return;
    }
    for (int fd = 0; fd <= 2 && null_fd >= 0; fd++) {
        dup2(null_fd, fd);
    }
    if (null_fd >= 0) {
        close(null_fd);
    }
    while (write(serve->ready_fd, &ok, 1) < 0 && errno == EINTR) {
    }
    close(serve->ready_fd);
    serve->ready_fd = -1;
}

static int
write_pid_file(const Serve *serve)
{
    g_autofree char *text = g_strdup_printf("%ld\n", (long)getpid());
    g_autoptr(GError) error = NULL;

    if (serve->pid_file && !g_file_set_contents(serve->pid_file, text, -1, &error)) {
        return img_error_take(g_steal_pointer(&error));
    }
    return IMG_OK;
}

static int
serve_node(Serve *serve, BlkGraph *graph, BlkNode *node)
{
    GError *error = NULL;
    BlkExport *export = NULL;
    bool seen = false;
    int status;

    if (!blk_nbd_server_start(graph, &serve->server, &error)) {
        return img_error_take(error);
    }
    export =
        blk_export_add(graph, "export", node, serve->name ? serve->name : "", serve->description,
                       !serve->read_only, (const char *const *)serve->bitmaps->pdata, &error);
    status = export ? write_pid_file(serve) : img_error_take(error);
    if (status == IMG_OK) {
        tell_parent(serve);
    }
    while (status == IMG_OK && !img_is_cancelled()) {
        blk_graph_poll(graph, 200);
        seen |= export->clients > 0;
        if (!serve->persistent && seen && export->clients == 0) {
            break;
        }
    }
    blk_nbd_server_stop(graph, NULL);
    if (serve->pid_file && status == IMG_OK) {
        unlink(serve->pid_file);
    }
    return status;
}

static int
serve_file(Serve *serve, BlkGraph *graph, const char *filename)
{
    g_autoptr(BlkNode) node = img_open(graph, filename, &serve->how);

    return node ? serve_node(serve, graph, node) : IMG_FAILED;
}

/* Splits the process when that is wanted; true: go on here. */
static bool
go_on_here(Serve *serve, int *out_status)
{
    int fds[2];
    pid_t pid;

    if (!serve->fork) {
        return true;
    }
    if (pipe(fds) < 0 || (pid = fork()) < 0) {
        *out_status = img_error("no second process can be started: %s", g_strerror(errno));
        return false;
    }
    if (pid > 0) {
        close(fds[1]);
        *out_status = wait_for_child(fds[0]);
        return false;
    }
    close(fds[0]);
    setsid();
    serve->ready_fd = fds[1];
    return true;
}

static int
img_serve(BlkGraph *graph, int argc, char **argv)
{
    Serve serve = { .ready_fd = -1, .how = { .cache = "writeback" } };
    g_autoptr(GPtrArray) bitmaps = g_ptr_array_new();
    ImgArgs args;
    int id, status = IMG_FAILED;

    serve.bitmaps = bitmaps;
    img_args_init(&args, &img_serve_command, graph, argc, argv);
    while ((id = img_args_next(&args)) != -1) {
        take_option(&serve, id, args.value);
    }
    status = args.status;
    if (!args.stop) {
        if (img_args_operands(&args) != 1) {
            status = img_usage();
        } else if (!check_options(&serve)) {
            status = IMG_FAILED;
        } else if (go_on_here(&serve, &status)) {
            status = serve_file(&serve, graph, argv[args.first]);
        }
    }
    img_args_finish(&args);
    return status;
}

static const ImgOption options[] = {
    IMG_ROW_HELP,
    IMG_ROW_OBJECT,
    IMG_ROW_FORMAT,
    IMG_ROW_IMAGE_OPTS,
    { OPT_CACHE, "cache", "CACHE", "cache mode of the image" },
    { 'r', "read-only", NULL, "clients cannot write" },
    { 'b', "bind", "HOST", "address to listen on; else every one" },
    { 'p', "port", "PORT", "port to listen on; else 10809" },
    { 'k', "socket", "PATH", "unix socket to listen on" },
    { 'e', "shared", "N", "how many clients at once, 0 for any; else 1" },
    { 't', "persistent", NULL, "go on when the last client has gone" },
    { 'x', "export-name", "NAME", "name of the export; else the empty one" },
    { 'D', "description", "TEXT", "what clients are told of it" },
    { 'B', "bitmap", "NAME", "offer this dirty bitmap; may be repeated" },
    { OPT_TLS_CREDS, "tls-creds", "ID", "encrypt, with the credentials of an --object" },
    { OPT_TLS_AUTHZ, "tls-authz", "ID", "let in whom this --object allows" },
    { OPT_FORK, "fork", NULL, "return when the server listens" },
    { OPT_PID_FILE, "pid-file", "PATH", "write the server's process number there" },
    IMG_ROW_FORCE_SHARE,
    IMG_ROW_QUIET,
    { 0 },
};

const ImgCommand img_serve_command = {
    .name = "serve",
    .operands = "FILE",
    .help = "gives an image to other programs and hosts by NBD",
    .options = options,
    .run = img_serve,
};
