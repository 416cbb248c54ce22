/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Servers of other makers for tests, on free ports of this host. */

#include "block-server.h"

#include <arpa/inet.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

unsigned
block_server_port(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, len), ==, 0);
    g_assert_cmpint(getsockname(fd, (struct sockaddr *)&address, &len), ==, 0);
    close(fd);
    return ntohs(address.sin_port);
}

void
block_server_wait(unsigned port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                   .sin_port = htons((uint16_t)port) };

    for (unsigned i = 0; i < 500; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        bool ok = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
        close(fd);
        if (ok) {
            return;
        }
        g_usleep(10000);
    }
    g_error("no server on port %u", port);
}

bool
block_server_start(const char *program, const char *arguments, GPid *out_pid)
{
    const char *const folders[] = { "/usr/sbin", "/usr/bin", NULL };
    g_autofree char *path = NULL;

    for (unsigned i = 0; folders[i] && !path; i++) {
        g_autofree char *candidate = g_build_filename(folders[i], program, NULL);
        path =
            g_file_test(candidate, G_FILE_TEST_IS_EXECUTABLE) ? g_steal_pointer(&candidate) : NULL;
    }
    if (!path) {
        test_lacks(program);
        return false;
    }
    g_autofree char *line = g_strdup_printf("%s %s", path, arguments);
    g_auto(GStrv) argv = NULL;
    g_autoptr(GError) error = NULL;
    g_assert_true(g_shell_parse_argv(line, NULL, &argv, NULL));
    g_spawn_async(NULL, argv, NULL,
                  G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL |
                      G_SPAWN_STDERR_TO_DEV_NULL,
                  NULL, NULL, out_pid, &error);
    g_assert_no_error(error);
    return true;
}

void
block_server_stop(GPid pid)
{
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
}

void
block_server_check(BlkNode *node)
{
    g_autofree uint8_t *data = g_malloc(BLOCK_SERVER_LEN);
    g_autoptr(BlkImage) image = blk_image_new(node, false, NULL);

    g_assert_cmpuint(blk_image_get_len(image), ==, BLOCK_SERVER_LEN);
    g_assert_cmpint(blk_image_read(image, 0, data, BLOCK_SERVER_LEN), ==, 0);
    for (unsigned i = 0; i < BLOCK_SERVER_LEN; i++) {
        g_assert_cmpuint(data[i], ==, block_test_byte(i));
    }
    g_assert_cmpint(blk_image_read(image, 777777, data, 1000), ==, 0);
    g_assert_cmpuint(data[0], ==, block_test_byte(777777));
}

bool
block_server_has_driver(BlockTest *test, const char *name)
{
    bool found = blk_driver_title(test->graph, name) != NULL;

    if (!found) {
        test_lacks(name);
    }
    return found;
}

/* ---- sshd ---- */

bool
block_ssh_start(BlockSsh *ssh, BlockTest *test, const char *sftp)
{
    g_autofree char *host_key = block_test_path(test, "host");
    g_autofree char *arguments = NULL;

    *ssh = (BlockSsh){ .port = block_server_port() };
    if (!block_server_has_driver(test, "ssh") || !test_has_program("ssh-keygen")) {
        return false;
    }
    ssh->key = block_test_path(test, "user");
    ssh->socket = block_test_path(test, "agent");
    arguments =
        g_strdup_printf("-D -e -f /dev/null -h %s -p %u -o ListenAddress=127.0.0.1 "
                        "-o PidFile=none -o UsePAM=no -o 'Subsystem=sftp internal-sftp %s' "
                        "-o StrictModes=no -o PermitRootLogin=yes -o AuthorizedKeysFile=%s.pub",
                        host_key, ssh->port, sftp, ssh->key);
    if (!g_file_test(host_key, G_FILE_TEST_EXISTS)) {
        block_server_run("ssh-keygen -q -t ed25519 -N '' -f %s", host_key);
        block_server_run("ssh-keygen -q -t ed25519 -N '' -f %s", ssh->key);
    }
    if (!g_file_test("/run/sshd", G_FILE_TEST_IS_DIR)) {
        g_mkdir("/run/sshd", 0755);
    }
    if (!block_server_start("sshd", arguments, &ssh->pid)) {
        block_ssh_stop(ssh);
        return false;
    }
    block_server_wait(ssh->port);
    return true;
}

bool
block_ssh_log_in(BlockSsh *ssh)
{
    g_autofree char *arguments = g_strdup_printf("-D -a %s", ssh->socket);

    if (!block_server_start("ssh-agent", arguments, &ssh->agent)) {
        return false;
    }
    for (unsigned i = 0; i < 500 && !g_file_test(ssh->socket, G_FILE_TEST_EXISTS); i++) {
        g_usleep(10000);
    }
    g_setenv("SSH_AUTH_SOCK", ssh->socket, TRUE);
    return block_server_run("ssh-add -q %s", ssh->key);
}

void
block_ssh_stop(BlockSsh *ssh)
{
    if (ssh->agent) {
        block_server_stop(ssh->agent);
    }
    if (ssh->pid) {
        block_server_stop(ssh->pid);
    }
    g_free(ssh->key);
    g_free(ssh->socket);
    *ssh = (BlockSsh){ 0 };
}

char *
block_ssh_url(const BlockSsh *ssh, const char *path)
{
    return g_strdup_printf("ssh://%s@127.0.0.1:%u%s?host_key_check=no", g_get_user_name(),
                           ssh->port, path);
}

bool
block_server_run(const char *format, ...)
{
    g_autofree char *line = NULL;
    g_auto(GStrv) argv = NULL;
    va_list args;
    int status = -1;

    va_start(args, format);
    line = g_strdup_vprintf(format, args);
    va_end(args);
    return g_shell_parse_argv(line, NULL, &argv, NULL) &&
           g_spawn_sync(NULL, argv, NULL,
                        G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL |
                            G_SPAWN_STDERR_TO_DEV_NULL,
                        NULL, NULL, NULL, NULL, &status, NULL) &&
           status == 0;
}
