/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Messages of a 9P client, written and read one after the other. */

#include "fs9p-client.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void
begin(Client *client, unsigned type)
{
    client->out = (Fs9pWriter){ client->request, 0, sizeof(client->request), false };
    fs9p_put(&client->out, 0, 4);
    fs9p_put(&client->out, type, 1);
    fs9p_put(&client->out, 1, 2);
}

unsigned
client_call(Client *client, unsigned type, const char *format, ...)
{
    Fs9pWriter size = { client->request, 0, 4, false };
    size_t len;
    va_list args;

    begin(client, type);
    va_start(args, format);
    for (; *format; format++) {
        if (*format == 's') {
            fs9p_put_string(&client->out, va_arg(args, const char *));
        } else if (*format == '8') {
            fs9p_put(&client->out, va_arg(args, uint64_t), 8);
        } else {
            fs9p_put(&client->out, va_arg(args, unsigned), (unsigned)(*format - '0'));
        }
    }
    va_end(args);
    fs9p_put(&size, client->out.len, 4);
    len = fs9p_server_handle(client->server, client->request, client->out.len, client->answer,
                             sizeof(client->answer));
    g_assert_cmpuint(len, >=, FS9P_HEADER_BYTES);
    client->in = (Fs9pReader){ client->answer, client->answer + len, false };
    g_assert_cmpuint(fs9p_get(&client->in, 4), ==, len);
    if (fs9p_get(&client->in, 1) == FS9P_TLERROR + 1) {
        fs9p_get(&client->in, 2);
        return (unsigned)fs9p_get(&client->in, 4);
    }
    g_assert_cmpuint(client->answer[4], ==, type + 1);
    fs9p_get(&client->in, 2);
    return 0;
}

void
client_start(Client *client, Fs9pFs *fs, Fs9pMultidevs multidevs)
{
    client->fs = fs;
    client->server = fs9p_server_new(fs, multidevs, NULL, NULL);
    g_assert_cmpuint(client_call(client, FS9P_TATTACH, "44ss4", 0u, ~0u, "", "", 0u), ==, EINVAL);
    g_assert_cmpuint(client_call(client, FS9P_TVERSION, "4s", 65536u, "9P2000.L"), ==, 0);
    g_assert_cmpuint(fs9p_get(&client->in, 4), ==, 65536);
    g_assert_cmpuint(client_call(client, FS9P_TATTACH, "44ss4", 0u, ~0u, "", "", 1000u), ==, 0);
}

/* virtfs-proxy-helper, as QEMU's packages bring it; NULL: it cannot run here. */
static const char *
helper_program(void)
{
    static const char *const places[] = { "/usr/lib/qemu/virtfs-proxy-helper",
                                          "/usr/libexec/virtfs-proxy-helper" };

    if (geteuid() != 0) {
        g_test_skip("virtfs-proxy-helper needs root");
        return NULL;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(places); i++) {
        if (g_file_test(places[i], G_FILE_TEST_IS_EXECUTABLE)) {
            return places[i];
        }
    }
    test_lacks("virtfs-proxy-helper");
    return NULL;
}

static void
keep_socket(gpointer data)
{
    dup2(GPOINTER_TO_INT(data), 3);
}

/* The helper on the other end of a pair of sockets. */
static Fs9pFs *
start_helper(Client *client, const char *program)
{
    const char *argv[] = { program, "-n", "-p", client->folder, "-f", "3", NULL };
    Fs9pProxyConfig config = { 0 };
    g_autoptr(GError) error = NULL;
    int ends[2];
    Fs9pFs *fs;

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
    g_spawn_async(NULL, (char **)argv, NULL,
                  G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_LEAVE_DESCRIPTORS_OPEN |
                      G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL,
                  keep_socket, GINT_TO_POINTER(ends[1]), &client->helper, &error);
    g_assert_no_error(error);
    close(ends[1]);
    config.fd = ends[0];
    fs = fs9p_proxy_new(&config, &error);
    g_assert_no_error(error);
    return fs;
}

Client *
client_new(Fs9pModel model, bool is_readonly)
{
    Client *client = g_new0(Client, 1);
    g_autoptr(GError) error = NULL;
    Fs9pLocalConfig config = {
        .model = model, .is_readonly = is_readonly, .file_mode = 0640, .dir_mode = 0750
    };
    Fs9pFs *fs;

    client->folder = g_dir_make_tmp("vitrine-fs9p-XXXXXX", NULL);
    config.path = client->folder;
    if (model == PROXY) {
        const char *program = helper_program();
        fs = program ? start_helper(client, program) : NULL;
    } else {
        fs = fs9p_local_new(&config, &error);
        g_assert_no_error(error);
    }
    if (fs) {
        client_start(client, fs, FS9P_MULTIDEVS_REMAP);
    }
    return client;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

void
client_free(Client *client)
{
    fs9p_server_free(client->server);
    fs9p_fs_free(client->fs);
    if (client->helper) {
        waitpid(client->helper, NULL, 0); /* it ends with its socket */
    }
    if (client->folder) {
        nftw(client->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    }
    g_free(client->folder);
    g_free(client);
}

unsigned
client_walk(Client *client, unsigned fid, unsigned target, const char *name)
{
    return *name ? client_call(client, FS9P_TWALK, "442s", fid, target, 1u, name)
                 : client_call(client, FS9P_TWALK, "442", fid, target, 0u);
}

struct stat
client_attributes(Client *client, unsigned fid)
{
    struct stat st = { 0 };

    g_assert_cmpuint(client_call(client, FS9P_TGETATTR, "48", fid, (uint64_t)0x7ff), ==, 0);
    fs9p_get_bytes(&client->in, 8 + 13);
    st.st_mode = (mode_t)fs9p_get(&client->in, 4);
    st.st_uid = (uid_t)fs9p_get(&client->in, 4);
    st.st_gid = (gid_t)fs9p_get(&client->in, 4);
    st.st_nlink = fs9p_get(&client->in, 8);
    st.st_rdev = fs9p_get(&client->in, 8);
    st.st_size = (off_t)fs9p_get(&client->in, 8);
    return st;
}

char *
client_path(const Client *client, const char *name)
{
    return g_build_filename(client->folder, name, NULL);
}
