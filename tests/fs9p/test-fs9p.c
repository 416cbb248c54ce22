/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* A client's messages against the 9P server and a folder of the host.
 * mission: fsdev.security_model.passthrough fsdev.security_model.mapped-xattr
 * mission: fsdev.security_model.mapped-file fsdev.security_model.none fsdev.readonly
 * mission: fsdev.fmode fsdev.dmode virtfs.multidevs virtfs.multidevs.warn virtfs.multidevs.remap */

#include "fs9p-client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Makes NAME with TEXT in it. */
static void
make_file(Client *client, const char *name, const char *text)
{
    g_assert_cmpuint(client_walk(client, 0, 9, ""), ==, 0);
    g_assert_cmpuint(
        client_call(client, FS9P_TLCREATE, "4s444", 9u, name, (unsigned)O_RDWR, 0604u, 77u), ==, 0);
    g_assert_cmpuint(client_call(client, FS9P_TWRITE, "48s", 9u, (uint64_t)0, ""), ==, EINVAL);
    for (unsigned i = 0; text[i]; i++) {
        g_assert_cmpuint(
            client_call(client, FS9P_TWRITE, "4841", 9u, (uint64_t)i, 1u, (unsigned)text[i]), ==,
            0);
    }
    g_assert_cmpuint(client_call(client, FS9P_TCLUNK, "4", 9u), ==, 0);
}

/* Whether this host can keep what MODEL keeps: other owners as root, attributes of users. */
static bool
can_serve(Client *client, Fs9pModel model)
{
    if (model == PROXY) {
        return client->fs != NULL;
    }
    if (model == FS9P_PASSTHROUGH && geteuid() != 0) {
        g_test_skip("passthrough gives files other owners, which root alone may");
        return false;
    }
    if (model == FS9P_MAPPED_XATTR && setxattr(client->folder, "user.probe", "1", 1, 0) < 0) {
        g_test_skip("the temporary folder takes no extended attributes");
        return false;
    }
    return true;
}

static void
test_files(gconstpointer data)
{
    Fs9pModel model = (Fs9pModel)GPOINTER_TO_INT(data);
    Client *client = client_new(model, false);
    bool is_mapped = model == FS9P_MAPPED_FILE || model == FS9P_MAPPED_XATTR;
    g_autofree char *text = NULL, *path = client_path(client, "sub/two"), *one = NULL;
    struct stat st, host;

    if (!can_serve(client, model)) {
        client_free(client);
        return;
    }
    make_file(client, "one", "hello");
    one = client_path(client, "one");
    g_assert_true(g_file_get_contents(one, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "hello");
    g_assert_cmpuint(client_call(client, FS9P_TMKDIR, "4s44", 0u, "sub", 0711u, 5u), ==, 0);
    g_assert_cmpuint(client_walk(client, 0, 1, "one"), ==, 0);
    g_assert_cmpuint(client_walk(client, 0, 2, "sub"), ==, 0);
    st = client_attributes(client, 1);
    g_assert_cmpuint(st.st_mode, ==, S_IFREG | 0604);
    g_assert_cmpint(st.st_size, ==, 5);
    g_assert_cmpint(lstat(one, &host), ==, 0);
    if (is_mapped) {
        g_assert_cmpuint(host.st_mode & 0777, ==, 0640);
        g_assert_cmpuint(host.st_uid, ==, getuid());
    } else {
        g_assert_cmpuint(host.st_mode & 0777, ==, 0604);
    }
    if (model != FS9P_NONE) {
        g_assert_cmpuint(st.st_uid, ==, 1000);
        g_assert_cmpuint(st.st_gid, ==, 77);
    }
    if (model == FS9P_PASSTHROUGH || model == PROXY) {
        g_assert_cmpuint(host.st_uid, ==, 1000);
        g_assert_cmpuint(host.st_gid, ==, 77);
    }
    /* a fid follows its file */
    g_assert_cmpuint(client_call(client, FS9P_TRENAMEAT, "4s4s", 0u, "one", 2u, "two"), ==, 0);
    g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
    g_assert_cmpint(client_attributes(client, 1).st_size, ==, 5);
    g_assert_cmpuint(client_call(client, FS9P_TSETATTR, "4444488888", 1u, 0xbu, 0751u, 4321u, 0u,
                                 (uint64_t)2, (uint64_t)0, (uint64_t)0, (uint64_t)0, (uint64_t)0),
                     ==, 0);
    st = client_attributes(client, 1);
    g_assert_cmpuint(st.st_mode, ==, S_IFREG | 0751);
    g_assert_cmpint(st.st_size, ==, 2);
    g_assert_cmpuint(model == FS9P_NONE ? 4321 : st.st_uid, ==, 4321);
    if (model == FS9P_MAPPED_XATTR) {
        uint32_t uid = 0;
        g_assert_cmpint(getxattr(path, "user.virtfs.uid", &uid, 4), ==, 4);
        g_assert_cmpuint(GUINT32_FROM_LE(uid), ==, 4321);
    }
    /* a folder renamed takes its files' fids along */
    g_assert_cmpuint(client_call(client, FS9P_TRENAME, "44s", 2u, 0u, "bus"), ==, 0);
    g_assert_cmpint(client_attributes(client, 1).st_size, ==, 2);
    g_assert_cmpuint(client_call(client, FS9P_TSYMLINK, "4ss4", 0u, "link", "/etc/passwd", 0u), ==,
                     0);
    g_assert_cmpuint(client_walk(client, 0, 3, "link"), ==, 0);
    g_assert_cmpuint(client_attributes(client, 3).st_mode & S_IFMT, ==, S_IFLNK);
    g_assert_cmpuint(client_call(client, FS9P_TREADLINK, "4", 3u), ==, 0);
    g_free(text);
    text = fs9p_get_string(&client->in);
    g_assert_cmpstr(text, ==, "/etc/passwd");
    g_assert_cmpuint(client_call(client, FS9P_TLINK, "44s", 0u, 1u, "twin"), ==, 0);
    g_assert_cmpint(client_attributes(client, 1).st_nlink, ==, 2);
    g_assert_cmpuint(client_call(client, FS9P_TUNLINKAT, "4s4", 0u, "bus", (unsigned)AT_REMOVEDIR),
                     ==, ENOTEMPTY);
    g_assert_cmpuint(client_call(client, FS9P_TREMOVE, "4", 1u), ==, 0);
    g_assert_cmpuint(client_call(client, FS9P_TUNLINKAT, "4s4", 0u, "bus", (unsigned)AT_REMOVEDIR),
                     ==, 0);
    g_assert_cmpuint(client_call(client, FS9P_TUNLINKAT, "4s4", 0u, "twin", 0u), ==, 0);
    g_assert_cmpuint(client_walk(client, 0, 5, ".virtfs_metadata"), ==, ENOENT);
    client_free(client);
}

/* Nothing outside is reached, by whatever name. */
static void
test_confined(gconstpointer data)
{
    Client *client = client_new((Fs9pModel)GPOINTER_TO_INT(data), false);
    g_autofree char *link = client_path(client, "out"), *fifo = client_path(client, "fifo");
    struct stat root, up;

    if (!client->fs) {
        client_free(client);
        return;
    }
    g_assert_cmpint(symlink("/etc", link), ==, 0);
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    g_assert_cmpuint(client_walk(client, 0, 1, "out"), ==, 0);
    g_assert_cmpuint(client_attributes(client, 1).st_mode & S_IFMT, ==, S_IFLNK);
    g_assert_cmpuint(client_walk(client, 1, 2, "passwd"), !=, 0);
    g_assert_cmpuint(client_call(client, FS9P_TLOPEN, "44", 1u, 0u), !=, 0);
    g_assert_cmpuint(client_call(client, FS9P_TLCREATE, "4s444", 1u, "x", 2u, 0600u, 0u), !=, 0);
    g_assert_cmpuint(client_walk(client, 0, 3, "../etc"), ==, ENOENT);
    g_assert_cmpuint(client_walk(client, 0, 3, "/etc"), ==, ENOENT);
    root = client_attributes(client, 0);
    g_assert_cmpuint(client_call(client, FS9P_TWALK, "442ss", 0u, 4u, 2u, "..", ".."), ==, 0);
    up = client_attributes(client, 4);
    g_assert_cmpuint(up.st_nlink, ==, root.st_nlink);
    g_assert_cmpuint(client_walk(client, 4, 5, "out"), ==, 0); /* still the folder */
    g_assert_cmpuint(client_walk(client, 0, 6, "fifo"), ==, 0);
    g_assert_cmpuint(client_call(client, FS9P_TLOPEN, "44", 6u, 0u), ==, ENXIO);
    g_assert_cmpuint(client_call(client, FS9P_TMKDIR, "4s44", 0u, "..", 0700u, 0u), ==, EINVAL);
    g_assert_cmpuint(client_call(client, FS9P_TMKDIR, "4s44", 0u, "a/b", 0700u, 0u), ==, ENOENT);
    client_free(client);
}

static void
test_readonly(void)
{
    Client *client = client_new(FS9P_NONE, true);
    g_autofree char *path = client_path(client, "file");

    g_file_set_contents(path, "text", 4, NULL);
    g_assert_cmpuint(client_walk(client, 0, 1, "file"), ==, 0);
    g_assert_cmpuint(client_call(client, FS9P_TLOPEN, "44", 1u, (unsigned)O_RDWR), ==, EROFS);
    g_assert_cmpuint(client_call(client, FS9P_TLOPEN, "44", 1u, (unsigned)O_TRUNC), ==, EROFS);
    g_assert_cmpuint(client_call(client, FS9P_TMKDIR, "4s44", 0u, "a", 0700u, 0u), ==, EROFS);
    g_assert_cmpuint(client_call(client, FS9P_TUNLINKAT, "4s4", 0u, "file", 0u), ==, EROFS);
    g_assert_cmpuint(client_call(client, FS9P_TLOPEN, "44", 1u, 0u), ==, 0);
    g_assert_cmpuint(client_call(client, FS9P_TREAD, "484", 1u, (uint64_t)1, 100u), ==, 0);
    g_assert_cmpuint(fs9p_get(&client->in, 4), ==, 3);
    g_assert_cmpmem(fs9p_get_bytes(&client->in, 3), 3, "ext", 3);
    g_assert_cmpuint(client_call(client, FS9P_TREMOVE, "4", 1u), ==, EROFS);
    client_free(client);
}

static void
note_warning(void *opaque, const char *line)
{
    g_ptr_array_add(opaque, g_strdup(line));
}

/* /proc is another file system than /. mission: virtfs.multidevs.forbid */
static void
test_multidevs(gconstpointer data)
{
    Fs9pMultidevs multidevs = (Fs9pMultidevs)GPOINTER_TO_INT(data);
    const Fs9pLocalConfig config = { .path = "/", .model = FS9P_NONE, .is_readonly = true };
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    Client *client = g_new0(Client, 1);
    struct stat root, other;

    g_assert_cmpint(lstat("/", &root), ==, 0);
    if (lstat("/proc", &other) < 0 || other.st_dev == root.st_dev) {
        g_test_skip("/proc is not mounted");
        g_free(client);
        return;
    }
    client_start(client, fs9p_local_new(&config, NULL), multidevs);
    fs9p_server_free(client->server);
    client->server = fs9p_server_new(client->fs, multidevs, note_warning, warnings);
    g_assert_cmpuint(client_call(client, FS9P_TVERSION, "4s", 65536u, "9P2000.L"), ==, 0);
    g_assert_cmpuint(client_call(client, FS9P_TATTACH, "44ss4", 0u, ~0u, "", "", 1000u), ==, 0);
    for (unsigned i = 0; i < 2; i++) {
        g_assert_cmpuint(client_walk(client, 0, 1 + i, "proc"), ==,
                         multidevs == FS9P_MULTIDEVS_FORBID ? ENODEV : 0);
    }
    g_assert_cmpuint(warnings->len, ==, multidevs == FS9P_MULTIDEVS_REMAP ? 0 : 1);
    client_free(client);
}

/* All entries of FID, in answers of COUNT bytes. */
static unsigned
count_entries(Client *client, unsigned fid, unsigned count)
{
    uint64_t at = 0;
    unsigned entries = 0;

    for (;;) {
        size_t len;
        const uint8_t *end;

        g_assert_cmpuint(client_call(client, FS9P_TREADDIR, "484", fid, at, count), ==, 0);
        len = fs9p_get(&client->in, 4);
        g_assert_cmpuint(len, <=, count);
        if (len == 0) {
            return entries;
        }
        for (end = client->in.at + len; client->in.at < end; entries++) {
            g_autofree char *name = NULL;

            fs9p_get_bytes(&client->in, 13);
            at = fs9p_get(&client->in, 8);
            fs9p_get(&client->in, 1);
            name = fs9p_get_string(&client->in);
            g_assert_nonnull(name);
        }
    }
}

static void
test_readdir(gconstpointer data)
{
    Client *client = client_new((Fs9pModel)GPOINTER_TO_INT(data), false);

    if (!client->fs) {
        client_free(client);
        return;
    }
    for (unsigned i = 0; i < 300; i++) {
        g_autofree char *name = g_strdup_printf("file-%u", i), *path = client_path(client, name);
        g_file_set_contents(path, "", 0, NULL);
    }
    g_assert_cmpuint(client_walk(client, 0, 1, ""), ==, 0);
    g_assert_cmpuint(client_call(client, FS9P_TLOPEN, "44", 1u, 0u), ==, 0);
    g_assert_cmpuint(count_entries(client, 1, 500), ==, 302);
    g_assert_cmpuint(count_entries(client, 1, 60000), ==, 302);
    g_assert_cmpuint(client_call(client, FS9P_TREAD, "484", 1u, (uint64_t)0, 10u), ==, EISDIR);
    client_free(client);
}

/* Attributes, sizes of file systems and times through the helper.
 * mission: fsdev.proxy fsdev.sock_fd intro.tool.virtfs-proxy-helper */
static void
test_proxy(void)
{
    Client *client = client_new(PROXY, false);
    const struct timespec times[2] = { { 11, 22 }, { 33, 44 } };
    const Fs9pOwner owner = { 0640, 5, 6 };
    char buf[5000] = "";
    struct statfs stfs;
    struct stat st;
    Fs9pFs *fs = client->fs;

    if (!fs) {
        client_free(client);
        return;
    }
    g_assert_cmpint(fs->ops->statfs(fs, "", &stfs), ==, 0);
    g_assert_cmpint(stfs.f_bsize, >, 0);
    g_assert_cmpint(fs->ops->mknod(fs, "", "node", &owner, 0), ==, 0);
    g_assert_cmpint(fs->ops->utimens(fs, "node", times), ==, 0);
    g_assert_cmpint(fs->ops->truncate(fs, "node", 5000), ==, 0);
    g_assert_cmpint(fs->ops->chmod(fs, "node", 0604), ==, 0);
    g_assert_cmpint(fs->ops->utimens(fs, "node", times), ==, 0);
    g_assert_cmpint(fs->ops->lstat(fs, "node", &st), ==, 0);
    g_assert_cmpint(st.st_size, ==, 5000);
    g_assert_cmpint(st.st_mtim.tv_sec, ==, 33);
    g_assert_cmpint(st.st_mtim.tv_nsec, ==, 44);
    g_assert_cmpint(st.st_atim.tv_sec, ==, 11);
    g_assert_cmpuint(st.st_mode, ==, S_IFREG | 0604);
    g_assert_cmpint(fs->ops->unlink(fs, "", "node", true), ==, -ENOTDIR);
    if (setxattr(client->folder, "user.probe", "1", 1, 0) == 0) {
        g_assert_cmpint(fs->ops->setxattr(fs, "node", "user.a", "value", 5, 0), ==, 0);
        g_assert_cmpint(fs->ops->getxattr(fs, "node", "user.a", NULL, 0), ==, 5);
        g_assert_cmpint(fs->ops->getxattr(fs, "node", "user.a", buf, 100), ==, 5);
        g_assert_cmpstr(buf, ==, "value");
        g_assert_cmpint(fs->ops->listxattr(fs, "node", NULL, 0), ==, 7);
        g_assert_cmpint(fs->ops->listxattr(fs, "node", buf, 100), ==, 7);
        g_assert_cmpstr(buf, ==, "user.a");
        g_assert_cmpint(fs->ops->removexattr(fs, "node", "user.a"), ==, 0);
        g_assert_cmpint(fs->ops->getxattr(fs, "node", "user.a", buf, 100), ==, -ENODATA);
    }
    /* names that make a message too long are refused, and the next is served */
    memset(buf, 'n', sizeof(buf) - 1);
    g_assert_cmpint(fs->ops->lstat(fs, buf, &st), <, 0);
    g_assert_cmpint(fs->ops->lstat(fs, "node", &st), ==, 0);
    client_free(client);
}

/* Helpers that answer nonsense are given up. */
static void
test_bad_helper(void)
{
    static const struct {
        uint8_t bytes[16];
        size_t len;
    } answers[] = {
        { { 7, 0, 0, 0, 0, 0, 0, 0 }, 8 },                          /* no type */
        { { 0, 0, 0, 0, 0, 0, 2, 0 }, 8 },                          /* too long */
        { { 0, 0, 0, 0, 4, 0, 0, 0, 1, 2 }, 10 },                   /* ends early */
        { { 1, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0 }, 12 },             /* an error that is none */
        { { 1, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0x80 }, 12 },          /* nor is this */
        { { 0, 0, 0, 0, 8, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8 }, 16 }, /* too short to be one */
        { { 0 }, 0 },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(answers); i++) {
        Fs9pProxyConfig config = { 0 };
        Fs9pFile *file;
        struct stat st;
        int ends[2];
        Fs9pFs *fs;

        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
        config.fd = ends[0];
        fs = fs9p_proxy_new(&config, NULL);
        g_assert_cmpint(write(ends[1], answers[i].bytes, answers[i].len), ==,
                        (ssize_t)answers[i].len);
        shutdown(ends[1], SHUT_WR);
        if (i % 2) {
            g_assert_cmpint(fs->ops->open(fs, "a", 0, &file), ==, -EIO);
        }
        g_assert_cmpint(fs->ops->lstat(fs, "a", &st), ==, -EIO);
        g_assert_cmpint(fs->ops->lstat(fs, "a", &st), ==, -EIO);
        fs9p_fs_free(fs);
        close(ends[1]);
    }
}

/* mission: fsdev.synth virtfs.synth */
static void
test_synth(void)
{
    Client *client = g_new0(Client, 1);

    client_start(client, fs9p_synth_new(false), FS9P_MULTIDEVS_WARN);
    g_assert_cmpuint(client_walk(client, 0, 1, "many"), ==, 0);
    g_assert_cmpuint(client_walk(client, 1, 2, "042"), ==, 0);
    g_assert_cmpuint(client_walk(client, 1, 3, "42"), ==, ENOENT);
    g_assert_cmpuint(client_call(client, FS9P_TLOPEN, "44", 1u, 0u), ==, 0);
    g_assert_cmpuint(count_entries(client, 1, 200), ==, 102);
    g_assert_cmpuint(client_call(client, FS9P_TMKDIR, "4s44", 0u, "a", 0700u, 0u), ==, EOPNOTSUPP);
    client_free(client);
}

/* Messages that are none. */
static void
test_hostile(void)
{
    Client *client = client_new(FS9P_NONE, false);
    uint8_t bad[] = { 255, 255, 255, 255, FS9P_TWALK, 3, 0, 0, 0, 0, 0 };

    g_assert_cmpuint(fs9p_server_handle(client->server, bad, sizeof(bad), client->answer, 100), ==,
                     11);
    g_assert_cmpuint(client->answer[4], ==, FS9P_TLERROR + 1);
    g_assert_cmpuint(fs9p_server_handle(client->server, bad, 6, client->answer, 100), ==, 0);
    g_assert_cmpuint(fs9p_server_handle(client->server, bad, 11, client->answer, 10), ==, 0);
    g_assert_cmpuint(client_call(client, 1, ""), ==, EOPNOTSUPP);
    g_assert_cmpuint(client_call(client, 255, ""), ==, EOPNOTSUPP);
    g_assert_cmpuint(client_call(client, FS9P_TWALK, "442", 0u, 1u, 17u), ==, EINVAL);
    g_assert_cmpuint(client_call(client, FS9P_TWALK, "442", 0u, 1u, 3u), ==, EINVAL);
    g_assert_cmpuint(client_call(client, FS9P_TWALK, "442", 0u, ~0u, 0u), ==, EINVAL);
    g_assert_cmpuint(client_walk(client, 0, 1, ""), ==, 0);
    g_assert_cmpuint(client_walk(client, 0, 1, ""), ==, EINVAL); /* in use */
    g_assert_cmpuint(
        client_call(client, FS9P_TXATTRCREATE, "4s84", 1u, "user.a", (uint64_t)1 << 40, 0u), ==,
        E2BIG);
    g_assert_cmpuint(client_call(client, FS9P_TREAD, "484", 1u, (uint64_t)0, 10u), ==, EBADF);
    g_assert_cmpuint(client_call(client, FS9P_TWRITE, "4841", 1u, (uint64_t)0, ~0u, 1u), ==,
                     EINVAL);
    g_assert_cmpuint(client_call(client, FS9P_TVERSION, "4s", 10u, "9P2000.L"), ==, EMSGSIZE);
    g_assert_cmpuint(client_call(client, FS9P_TVERSION, "4s", 8192u, "9P2000"), ==, 0);
    g_assert_false(fs9p_server_is_mounted(client->server));
    client_free(client);
}

/* ---- The session: threads, flush, drain ---- */

typedef struct Answers {
    GString *order;
} Answers;

static void
note(void *opaque, void *cookie, const uint8_t *answer, size_t len)
{
    g_string_append_printf(((Answers *)opaque)->order, "%s%u ", (const char *)cookie, answer[4]);
}

static void
test_session(void)
{
    g_autoptr(GMainContext) context = g_main_context_new();
    VitFsdev *fsdev =
        fs9p_session_new("s", fs9p_synth_new(false), FS9P_MULTIDEVS_WARN, NULL, context);
    Answers answers = { g_string_new(NULL) };
    static const uint8_t version[] = "\x15\0\0\0\x64\xff\xff\0\x20\0\0\x08\0"
                                     "9P2000.L";
    static const uint8_t flush[] = { 9, 0, 0, 0, FS9P_TFLUSH, 2, 0, 0xff, 0xff };
    static const uint8_t no_flush[] = { 9, 0, 0, 0, FS9P_TFLUSH, 2, 0, 5, 0 };

    fsdev->request(fsdev, version, 21, 100, note, &answers, (void *)"v");
    fsdev->request(fsdev, flush, 9, 100, note, &answers, (void *)"f");
    g_assert_cmpstr(answers.order->str, ==, ""); /* only ever from the context */
    while (answers.order->len < 8) {
        g_main_context_iteration(context, TRUE);
    }
    /* the flush after what it names, which was answered or cancelled */
    g_assert_true(strcmp(answers.order->str, "v101 f109 ") == 0 ||
                  strcmp(answers.order->str, "v7 f109 ") == 0);
    g_string_truncate(answers.order, 0);
    fsdev->request(fsdev, no_flush, 9, 100, note, &answers, (void *)"f");
    g_assert_cmpstr(answers.order->str, ==, "f109 ");
    fsdev->request(fsdev, version, 21, 100, note, &answers, (void *)"v");
    fsdev->drain(fsdev);
    g_assert_cmpstr(answers.order->str, ==, "f109 v101 ");
    fsdev->free(fsdev);
    g_string_free(answers.order, TRUE);
}

/* 4000 bytes a second and 400 of them at once: writes of 100 bytes wait, all else passes them.
 * mission: fsdev.throttling.* */
static void
test_limits(void)
{
    const VitThrottleConfig limits = { .limits[VIT_LIMIT_BPS_WRITE] = { .rate = 4000 } };
    g_autoptr(GMainContext) context = g_main_context_new();
    VitFsdev *fsdev =
        fs9p_session_new("s", fs9p_synth_new(false), FS9P_MULTIDEVS_WARN, &limits, context);
    Answers answers = { g_string_new(NULL) };
    uint8_t write[23 + 100] = { sizeof(write), 0, 0, 0, FS9P_TWRITE, 0, 0 };
    static const uint8_t clunk[] = { 11, 0, 0, 0, FS9P_TCLUNK, 99, 0, 1, 0, 0, 0 };
    static const uint8_t flush[] = { 9, 0, 0, 0, FS9P_TFLUSH, 2, 0, 24, 0 };
    int64_t begun_us = g_get_monotonic_time();

    write[19] = 100; /* count */
    for (uint8_t tag = 0; tag < 25; tag++) {
        write[5] = tag;
        fsdev->request(fsdev, write, sizeof(write), 100, note, &answers, (void *)"w");
    }
    fsdev->request(fsdev, clunk, sizeof(clunk), 100, note, &answers, (void *)"c");
    fsdev->request(fsdev, flush, sizeof(flush), 100, note, &answers, (void *)"f");
    while (answers.order->len < 24 * 3 + 3 + 3 + 5) {
        g_main_context_iteration(context, TRUE);
    }
    /* 2400 bytes less 400; the one that was flushed is not counted */
    g_assert_cmpint(g_get_monotonic_time() - begun_us, >, 400000);
    g_assert_nonnull(strstr(answers.order->str, "c7 "));
    g_assert_true(g_str_has_suffix(answers.order->str, "w7 w7 w7 w7 w7 w7 w7 w7 w7 "));
    /* who drains does not wait for limits */
    begun_us = g_get_monotonic_time();
    for (uint8_t tag = 0; tag < 250; tag++) {
        write[5] = tag;
        fsdev->request(fsdev, write, sizeof(write), 100, note, &answers, (void *)"w");
    }
    fsdev->drain(fsdev);
    g_assert_cmpint(g_get_monotonic_time() - begun_us, <, 4000000);
    fsdev->free(fsdev);
    g_string_free(answers.order, TRUE);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/fs9p/files/none", GINT_TO_POINTER(FS9P_NONE), test_files);
    g_test_add_data_func("/fs9p/files/passthrough", GINT_TO_POINTER(FS9P_PASSTHROUGH), test_files);
    g_test_add_data_func("/fs9p/files/mapped-xattr", GINT_TO_POINTER(FS9P_MAPPED_XATTR),
                         test_files);
    g_test_add_data_func("/fs9p/files/mapped-file", GINT_TO_POINTER(FS9P_MAPPED_FILE), test_files);
    g_test_add_data_func("/fs9p/files/proxy", GINT_TO_POINTER(PROXY), test_files);
    g_test_add_data_func("/fs9p/confined/local", GINT_TO_POINTER(FS9P_NONE), test_confined);
    g_test_add_data_func("/fs9p/confined/proxy", GINT_TO_POINTER(PROXY), test_confined);
    g_test_add_func("/fs9p/proxy", test_proxy);
    g_test_add_func("/fs9p/bad-helper", test_bad_helper);
    g_test_add_func("/fs9p/readonly", test_readonly);
    g_test_add_data_func("/fs9p/multidevs/warn", GINT_TO_POINTER(FS9P_MULTIDEVS_WARN),
                         test_multidevs);
    g_test_add_data_func("/fs9p/multidevs/remap", GINT_TO_POINTER(FS9P_MULTIDEVS_REMAP),
                         test_multidevs);
    g_test_add_data_func("/fs9p/multidevs/forbid", GINT_TO_POINTER(FS9P_MULTIDEVS_FORBID),
                         test_multidevs);
    g_test_add_data_func("/fs9p/readdir/local", GINT_TO_POINTER(FS9P_NONE), test_readdir);
    g_test_add_data_func("/fs9p/readdir/proxy", GINT_TO_POINTER(PROXY), test_readdir);
    g_test_add_func("/fs9p/synth", test_synth);
    g_test_add_func("/fs9p/hostile", test_hostile);
    g_test_add_func("/fs9p/session", test_session);
    g_test_add_func("/fs9p/limits", test_limits);
    return g_test_run();
}
