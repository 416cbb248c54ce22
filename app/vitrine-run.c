/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* vitrine-run: the engine behind the manual's command line. Needs no display server and loads no
 * GTK; -display gtk hands over to the application's program, which shows the machine in a window
 * of its own. Also installed as qemu-system-x86_64. */

#include "vit-engine.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Run {
    VitMachine *machine;
    GMainLoop *loop;
    int status;
} Run;

static void
on_state_changed(VitMachine *machine, int state, Run *run)
{
    if (state == VIT_MACHINE_STOPPED) {
        run->status = vit_machine_get_exit_status(machine);
        g_main_loop_quit(run->loop);
    } else if (state == VIT_MACHINE_FAILED) {
        g_printerr("%s: %s\n", g_get_prgname(), vit_machine_get_reason(machine));
        run->status = 1;
        g_main_loop_quit(run->loop);
    }
}

static gboolean
on_signal(gpointer data)
{
    Run *run = data;

    vit_machine_stop(run->machine);
    return G_SOURCE_CONTINUE;
}

static void
print_diags(const VitDiagList *diags, const char *text)
{
    for (unsigned i = 0; i < vit_diag_list_get_n(diags); i++) {
        g_autofree char *line =
            vit_diag_format(vit_diag_list_get(diags, i), text, g_get_prgname(), 100);
        g_printerr("%s\n", line);
    }
}

/* Whether a window is wanted: -display gtk, or nothing said and a display server at hand. */
static bool
wants_window(VitConfig *config)
{
    const char *type = vit_config_get(config, "display", "type");

    if (strcmp(type ? type : vit_config_find(config, "sdl", NULL) ? "sdl" : "", "sdl") == 0) {
        g_printerr("%s: -display sdl is shown in the same window as -display gtk\n",
                   g_get_prgname());
        return true;
    }
    if (type) {
        return strcmp(type, "gtk") == 0;
    }
    if (vit_config_find(config, "nographic", NULL) || vit_config_find(config, "vnc", NULL) ||
        vit_config_find(config, "qtest", NULL) || vit_config_find(config, "daemonize", NULL)) {
        return false;
    }
    return g_getenv("DISPLAY") || g_getenv("WAYLAND_DISPLAY");
}

/* Becomes the application's program with the same arguments; returns only when that fails. */
static void
hand_over(char **argv)
{
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *dir = g_path_get_dirname(self ? self : argv[0]);
    g_autofree char *program = g_build_filename(dir, "vitrine", NULL);
    g_autoptr(GPtrArray) args = g_ptr_array_new();

    g_ptr_array_add(args, program);
    g_ptr_array_add(args, (char *)"--run");
    for (char **arg = argv + 1; *arg; arg++) {
        g_ptr_array_add(args, *arg);
    }
    g_ptr_array_add(args, NULL);
    execv(program, (char **)args->pdata);
    g_printerr("%s: cannot start %s for -display gtk: %s; use -display none or -nographic\n",
               g_get_prgname(), program, g_strerror(errno));
}

/* -pidfile: locked while we run, so that a second one is told. */
static bool
write_pidfile(const char *path)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = g_open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0644);
    g_autofree char *text = g_strdup_printf("%d\n", getpid());

    if (fd < 0 || fcntl(fd, F_SETLK, &lock) != 0 || ftruncate(fd, 0) != 0 ||
        write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
        g_printerr("%s: cannot create PID file %s: %s\n", g_get_prgname(), path,
                   errno == EAGAIN || errno == EACCES ? "another machine uses it"
                                                      : g_strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    return true; /* the descriptor stays open: it holds the lock */
}

/* -daemonize, first half: before any thread is there. The parent waits until the machine is built,
 * so that its exit status tells. Returns the descriptor to report on, in the child. */
static int
daemonize_begin(void)
{
    int fds[2];
    char status = 1;

    if (!g_unix_open_pipe(fds, FD_CLOEXEC, NULL)) {
        return -1;
    }
    switch (fork()) {
    case -1: return -1;
    case 0:
        close(fds[0]);
        setsid();
        return fds[1];
    default:
        close(fds[1]);
        if (read(fds[0], &status, 1) != 1) {
            status = 1;
        }
        _exit(status);
    }
}

static void
daemonize_finish(int fd)
{
    int null = g_open("/dev/null", O_RDWR | O_CLOEXEC, 0);

    for (int i = 0; i < 3; i++) {
        dup2(null, i);
    }
    close(null);
    if (write(fd, "", 1) != 1) {
        return; /* nobody waits any more */
    }
    close(fd);
}

static int
run(VitConfig *config, VitDiagList *diags, const char *text)
{
    const char *pidfile = vit_config_get(config, "pidfile", NULL);
    g_autoptr(GError) error = NULL;
    Run state = { 0 };
    int report_fd = -1;

    if (vit_config_find(config, "daemonize", NULL)) {
        report_fd = daemonize_begin();
        if (report_fd < 0) {
            g_printerr("%s: cannot go to the background: %s\n", g_get_prgname(), g_strerror(errno));
            return EXIT_FAILURE;
        }
    }
    if (pidfile && !write_pidfile(pidfile)) {
        return EXIT_FAILURE;
    }
    state.machine = vit_machine_new(config, NULL, diags, &error);
    print_diags(diags, text);
    if (!state.machine) {
        if (vit_diag_list_count(diags, VIT_SEVERITY_ERROR) == 0) {
            g_printerr("%s: %s\n", g_get_prgname(), error->message);
        }
        if (pidfile) {
            g_unlink(pidfile);
        }
        return EXIT_FAILURE;
    }
    if (report_fd >= 0) {
        daemonize_finish(report_fd);
    }
    state.loop = g_main_loop_new(NULL, FALSE);
    g_signal_connect(state.machine, "state-changed", G_CALLBACK(on_state_changed), &state);
    g_unix_signal_add(SIGINT, on_signal, &state);
    g_unix_signal_add(SIGTERM, on_signal, &state);
    g_unix_signal_add(SIGHUP, on_signal, &state);
    if (!vit_config_find(config, "S", NULL)) {
        vit_machine_start(state.machine);
    }
    g_main_loop_run(state.loop);
    g_object_unref(state.machine);
    g_main_loop_unref(state.loop);
    if (pidfile) {
        g_unlink(pidfile);
    }
    return state.status;
}

int
main(int argc, char **argv)
{
    g_autoptr(VitDiagList) diags = vit_diag_list_new();
    g_autoptr(VitConfig) config = NULL;
    g_autofree char *base = g_path_get_basename(argv[0]);
    g_autofree char *text = NULL;
    g_autofree char *help = NULL;

    g_set_prgname(base);
    signal(SIGPIPE, SIG_IGN);
    config = vit_config_from_command_line(argc - 1, (const char *const *)argv + 1, diags);
    help = vit_config_help(config, vit_engine_get_registry(), base);
    if (help) {
        fputs(help, stdout);
        return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    if (wants_window(config)) {
        hand_over(argv);
        return EXIT_FAILURE;
    }
    text = vit_config_to_text(config);
    return run(config, diags, text);
}
