/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The protocol driver "gluster": files of GlusterFS volumes, by libgfapi.
 *
 * Names: gluster[+tcp|+unix|+rdma]://[HOST[:PORT]]/VOLUME/PATH[?socket=SOCKET], or volume=, path=
 * and server.N.type=, .host=, .port=, .path= for several servers, any of which can tell where the
 * volume lies. Each node is a client of its own. The library's calls block and may be made from
 * several threads, so pool workers make them.
 * Deviations: without an RDMA adapter gluster+rdma is refused; libgfapi would take TCP and not say
 * so. Where there is one, the library's choice holds.
 *
 * Specification: libgfapi's glfs.h. Thread: the lock of the node's context held; run_*() on
 * workers. */

#include "gluster-library.h"

#include "blk-graph-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SERVERS = 8, DEFAULT_PORT = 24007, CHUNK_BYTES = 4 << 20 };

typedef struct GlusterServer {
    char *type, *host, *port, *path, *socket;
} GlusterServer;

typedef struct Gluster {
    /* options */
    char *volume_name, *path, *logfile;
    uint32_t debug;
    GlusterServer servers[SERVERS];
    /* state */
    GlusterLibrary library;
    GlfsVolume *volume;
    GlfsFile *file;
    uint64_t len;
    bool has_zerofill, has_discard, has_seek;
} Gluster;

typedef struct GlusterJob {
    Gluster *gluster;
    bool writable;
    BlkPreallocation prealloc; /* of run_truncate, as far as it gets longer */
    bool is_new;               /* of run_make */
    uint64_t offset, len;
    uint8_t *buf;
    uint64_t run_len; /* of run_status */
    bool is_hole;
    char *message; /* of a failure */
    int code;
} GlusterJob;

/* ---- on workers ---- */

static int
refuse(GlusterJob *job, int code, char *message)
{
    job->message = message;
    job->code = code;
    return -EIO;
}

/* Whether this host has an adapter that does RDMA. */
static bool
has_rdma(void)
{
    g_autoptr(GDir) adapters = g_dir_open("/sys/class/infiniband", 0, NULL);

    return adapters && g_dir_read_name(adapters);
}

static int
add_server(GlusterJob *job, const GlusterServer *server)
{
    const char *type = server->type ? server->type : "tcp";
    const char *path = server->path ? server->path : server->socket;
    int port = server->port ? atoi(server->port) : DEFAULT_PORT;
    bool is_unix = strcmp(type, "unix") == 0, is_rdma = strcmp(type, "rdma") == 0;

    if (!is_unix && !is_rdma && strcmp(type, "tcp") != 0 && strcmp(type, "inet") != 0) {
        return refuse(job, VIT_ERROR_INVALID_ARGUMENT,
                      g_strdup_printf("a server's type is tcp, inet or unix, not '%s'", type));
    }
    if (is_unix ? !path : !server->host || port <= 0 || port > 65535) {
        return refuse(job, VIT_ERROR_INVALID_ARGUMENT,
                      g_strdup(is_unix ? "a server of type unix needs its socket"
                                       : "a server needs host=, and port= from 1 to 65535"));
    }
    if (is_rdma && !has_rdma()) {
        return refuse(job, VIT_ERROR_FAILED,
                      g_strdup("this host has no RDMA adapter; use gluster+tcp"));
    }
    if (job->gluster->library.set_volfile_server(job->gluster->volume,
                                                 is_unix   ? "unix"
                                                 : is_rdma ? "rdma"
                                                           : "tcp",
                                                 is_unix ? path : server->host,
                                                 is_unix ? 0 : port) < 0) {
        return refuse(
            job, VIT_ERROR_FAILED,
            g_strdup_printf("the library does not take the server: %s", g_strerror(errno)));
    }
    return 0;
}

static bool
is_set(const GlusterServer *server)
{
    return server->type || server->host || server->path || server->socket;
}

static int
connect_volume(GlusterJob *job)
{
    Gluster *gluster = job->gluster;
    unsigned count = 0;

    gluster->volume = gluster->library.volume_new(gluster->volume_name);
    if (!gluster->volume) {
        return -ENOMEM;
    }
    for (unsigned i = 0; i < SERVERS; i++) {
        if (is_set(&gluster->servers[i])) {
            int ret = add_server(job, &gluster->servers[i]);
            if (ret < 0) {
                return ret;
            }
            count++;
        }
    }
    if (count == 0) {
        return refuse(job, VIT_ERROR_INVALID_ARGUMENT, g_strdup("there is no server.0.host="));
    }
    gluster->library.set_logging(gluster->volume, gluster->logfile ? gluster->logfile : "-",
                                 (int)gluster->debug);
    if (gluster->library.init(gluster->volume) < 0) {
        return refuse(job, VIT_ERROR_IO,
                      g_strdup_printf("no server gives the volume '%s': %s", gluster->volume_name,
                                      errno ? g_strerror(errno) : "no answer"));
    }
    return 0;
}

static int
read_len(Gluster *gluster)
{
    off_t len = gluster->library.lseek(gluster->file, 0, SEEK_END);

    gluster->len = len < 0 ? 0 : (uint64_t)len;
    return len < 0 ? -errno : 0;
}

static int
run_open(void *arg)
{
    GlusterJob *job = arg;
    Gluster *gluster = job->gluster;

    if (!gluster->volume) {
        int ret = connect_volume(job);
        if (ret < 0) {
            return ret;
        }
    }
    gluster->file =
        gluster->library.open(gluster->volume, gluster->path, job->writable ? O_RDWR : O_RDONLY);
    return gluster->file ? read_len(gluster) : -errno;
}

typedef struct Farewell {
    GlfsVolume *volume;
    int (*fini)(GlfsVolume *volume);
} Farewell;

static gpointer
say_farewell(gpointer arg)
{
    Farewell *farewell = arg;

    farewell->fini(farewell->volume);
    g_free(farewell);
    return NULL;
}

/* glfs_fini() waits ten seconds for requests of its own that never end (seen with 10.3). The file
 * is closed by then, so nobody has to wait for it. */
static int
run_close(void *arg)
{
    Gluster *gluster = ((GlusterJob *)arg)->gluster;

    if (gluster->file) {
        gluster->library.close(gluster->file);
    }
    if (gluster->volume) {
        Farewell *farewell = g_new(Farewell, 1);
        *farewell = (Farewell){ gluster->volume, gluster->library.fini };
        g_thread_unref(g_thread_new("gluster-fini", say_farewell, farewell));
    }
    gluster->file = NULL;
    gluster->volume = NULL;
    return 0;
}

static int
run_read(void *arg)
{
    GlusterJob *job = arg;
    Gluster *gluster = job->gluster;
    uint64_t done = 0;

    while (done < job->len) {
        ssize_t ret = gluster->library.pread(gluster->file, job->buf + done,
                                             MIN(job->len - done, CHUNK_BYTES),
                                             (off_t)(job->offset + done), 0, NULL);
        if (ret < 0) {
            return -errno;
        }
        if (ret == 0) {
            memset(job->buf + done, 0, job->len - done);
            break;
        }
        done += (uint64_t)ret;
    }
    return 0;
}

static int
run_write(void *arg)
{
    GlusterJob *job = arg;
    Gluster *gluster = job->gluster;
    uint64_t done = 0;

    while (done < job->len) {
        ssize_t ret = gluster->library.pwrite(gluster->file, job->buf + done,
                                              MIN(job->len - done, CHUNK_BYTES),
                                              (off_t)(job->offset + done), 0, NULL, NULL);
        if (ret <= 0) {
            return ret < 0 ? -errno : -ENOSPC;
        }
        done += (uint64_t)ret;
    }
    return 0;
}

static int
run_flush(void *arg)
{
    Gluster *gluster = ((GlusterJob *)arg)->gluster;

    return gluster->library.fsync(gluster->file, NULL, NULL) < 0 ? -errno : 0;
}

static int
run_zeroes(void *arg)
{
    GlusterJob *job = arg;
    Gluster *gluster = job->gluster;

    return gluster->library.zerofill(gluster->file, (off_t)job->offset, (off_t)job->len) < 0
               ? -errno
               : 0;
}

static int
run_discard(void *arg)
{
    GlusterJob *job = arg;
    Gluster *gluster = job->gluster;

    return gluster->library.discard(gluster->file, (off_t)job->offset, job->len) < 0 ? -errno : 0;
}

static int
run_truncate(void *arg)
{
    GlusterJob *job = arg;
    Gluster *gluster = job->gluster;

    int ret = read_len(gluster);
    off_t old = (off_t)gluster->len, more = (off_t)job->len - old;

    if (ret < 0) {
        return ret;
    }
    if (job->prealloc == BLK_PREALLOC_FALLOC && more > 0) {
        ret = gluster->library.fallocate(gluster->file, 0, old, (size_t)more);
    } else if (job->prealloc == BLK_PREALLOC_FULL && more > 0) {
        ret = gluster->library.zerofill(gluster->file, old, more);
    } else {
        ret = gluster->library.ftruncate(gluster->file, (off_t)job->len, NULL, NULL);
    }
    if (ret < 0) {
        ret = -errno;
        gluster->library.ftruncate(gluster->file, old, NULL, NULL);
        return ret;
    }
    gluster->len = job->len;
    return 0;
}

static int
run_make(void *arg)
{
    GlusterJob *job = arg;
    Gluster *gluster = job->gluster;
    const int flags = O_RDWR | O_CREAT;
    int ret = connect_volume(job);

    if (ret < 0) {
        return ret;
    }
    gluster->file = gluster->library.creat(gluster->volume, gluster->path, flags | O_EXCL, 0600);
    job->is_new = gluster->file != NULL;
    if (!gluster->file && errno == EEXIST) {
        gluster->file =
            gluster->library.creat(gluster->volume, gluster->path, flags | O_TRUNC, 0600);
    }
    if (!gluster->file) {
        return -errno;
    }
    ret = run_truncate(job);
    if (ret < 0 && job->is_new) {
        gluster->library.unlink(gluster->volume, gluster->path);
    }
    return ret;
}

static int
run_remove(void *arg)
{
    GlusterJob *job = arg;
    Gluster *gluster = job->gluster;
    int ret = connect_volume(job);

    return ret == 0 && gluster->library.unlink(gluster->volume, gluster->path) < 0 ? -errno : ret;
}

static int
run_status(void *arg)
{
    GlusterJob *job = arg;
    Gluster *gluster = job->gluster;
    off_t at = (off_t)job->offset;
    off_t data = gluster->library.lseek(gluster->file, at, SEEK_DATA), end;

    if (data < 0) {
        if (errno != ENXIO) {
            return -errno;
        }
        job->is_hole = true;
        job->run_len = job->len;
        return 0;
    }
    if (data < at) {
        return -EIO; /* some versions of the server get it wrong */
    }
    job->is_hole = data > at;
    end = job->is_hole ? data : gluster->library.lseek(gluster->file, at, SEEK_HOLE);
    if (end <= at) {
        return -EIO;
    }
    job->run_len = MIN(job->len, (uint64_t)(end - at));
    return 0;
}

/* ---- in fibers ---- */

static int
run(BlkNode *node, GlusterJob *job, int (*func)(void *arg))
{
    job->gluster = node->state;
    return blk_pool_run(node->context, func, job);
}

static int
read_into(BlkNode *node, uint64_t offset, uint64_t len, uint8_t *buf)
{
    GlusterJob job = { .offset = offset, .len = len, .buf = buf };

    return run(node, &job, run_read);
}

static int
gluster_read(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    return blk_read_by_copy(node, offset, len, vec, at, read_into);
}

static int
write_from(BlkNode *node, uint64_t offset, uint64_t len, uint8_t *buf)
{
    Gluster *gluster = node->state;
    GlusterJob job = { .offset = offset, .len = len, .buf = buf };
    int ret = run(node, &job, run_write);

    if (ret == 0) {
        gluster->len = MAX(gluster->len, offset + len);
    }
    return ret;
}

static int
gluster_write(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
              unsigned flags)
{
    return blk_write_by_copy(node, offset, len, vec, at, write_from);
}

static int
gluster_flush(BlkNode *node)
{
    GlusterJob job = { 0 };

    return node->no_flush ? 0 : run(node, &job, run_flush);
}

static int
gluster_write_zeroes(BlkNode *node, uint64_t offset, uint64_t len, unsigned flags)
{
    Gluster *gluster = node->state;
    GlusterJob job = { .offset = offset, .len = len };
    int ret = gluster->has_zerofill ? run(node, &job, run_zeroes) : -ENOTSUP;

    if (ret == -EOPNOTSUPP || ret == -ENOTSUP) {
        gluster->has_zerofill = false;
        return -ENOTSUP;
    }
    if (ret == 0) {
        gluster->len = MAX(gluster->len, offset + len);
    }
    return ret;
}

static int
gluster_discard(BlkNode *node, uint64_t offset, uint64_t len)
{
    Gluster *gluster = node->state;
    GlusterJob job = { .offset = offset, .len = len };
    int ret = gluster->has_discard ? run(node, &job, run_discard) : 0;

    if (ret == -EOPNOTSUPP || ret == -ENOTSUP) {
        gluster->has_discard = false;
        ret = 0; /* it was a hint */
    }
    return ret;
}

static int
gluster_status(BlkNode *node, uint64_t offset, uint64_t len, BlkStatus *out)
{
    Gluster *gluster = node->state;
    GlusterJob job = { .offset = offset, .len = len };

    out->flags = BLK_STATUS_DATA | BLK_STATUS_ALLOCATED | BLK_STATUS_MAPPED;
    out->map_node = node;
    out->map_offset = offset;
    if (gluster->has_seek) {
        if (run(node, &job, run_status) < 0) {
            gluster->has_seek = false;
        } else {
            out->len_bytes = job.run_len;
            out->flags = (job.is_hole ? BLK_STATUS_ZERO : BLK_STATUS_DATA) | BLK_STATUS_ALLOCATED |
                         BLK_STATUS_MAPPED;
        }
    }
    return 0;
}

static int64_t
gluster_get_len(BlkNode *node)
{
    return (int64_t)((Gluster *)node->state)->len;
}

/* ---- opening ---- */

static bool
check_options(Gluster *gluster, GError **error)
{
    if (!gluster->volume_name || !*gluster->volume_name || !gluster->path) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "gluster needs volume=, path= and server.0.host=.");
        return false;
    }
    return true;
}

/* Takes the options, and the library. */
static bool
prepare(BlkNode *node, GError **error)
{
    Gluster *gluster = node->state;
    const GlusterServer *server = &gluster->servers[0];

    if (!check_options(gluster, error) ||
        (!gluster->library.handle && !gluster_library_load(&gluster->library, error))) {
        return false;
    }
    g_free(node->filename);
    node->filename = g_strdup_printf("gluster://%s/%s/%s", server->host ? server->host : "",
                                     gluster->volume_name, gluster->path);
    return true;
}

/* Whether RET is success; FAILED is what could not be done. */
static bool
check(const BlkNode *node, const GlusterJob *job, int ret, const char *failed, GError **error)
{
    if (ret < 0) {
        g_set_error(error, VIT_ERROR,
                    job->message                      ? job->code
                    : ret == -ENOENT                  ? VIT_ERROR_NOT_FOUND
                    : ret == -EACCES || ret == -EPERM ? VIT_ERROR_PERMISSION
                                                      : VIT_ERROR_IO,
                    "'%s' cannot be %s: %s.", node->filename, failed,
                    job->message ? job->message : g_strerror(-ret));
    }
    g_free(job->message);
    return ret == 0;
}

static bool
gluster_open(BlkNode *node, GError **error)
{
    Gluster *gluster = node->state;
    GlusterJob job = { .writable = !node->read_only };
    int ret;

    if (!prepare(node, error)) {
        return false;
    }
    gluster->has_zerofill = gluster->has_discard = gluster->has_seek = true;
    ret = run(node, &job, run_open);
    if ((ret == -EACCES || ret == -EROFS) && job.writable && node->auto_read_only) {
        node->read_only = true;
        job.writable = false;
        ret = run(node, &job, run_open);
    }
    return check(node, &job, ret, "opened", error);
}

static void
gluster_leave(BlkNode *node)
{
    GlusterJob job = { 0 };

    run(node, &job, run_close);
}

static void
gluster_close(BlkNode *node)
{
    Gluster *gluster = node->state;

    if (gluster->library.handle) {
        gluster_leave(node);
        gluster_library_unload(&gluster->library);
    }
}

/* ---- new files, other lengths ---- */

static bool
check_preallocation(const BlkNode *node, BlkPreallocation prealloc, GError **error)
{
    if (prealloc == BLK_PREALLOC_METADATA) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s': a plain file has no metadata to preallocate; use preallocation=off, "
                    "falloc or full.",
                    node->filename);
    }
    return prealloc != BLK_PREALLOC_METADATA;
}

static bool
gluster_truncate(BlkNode *node, uint64_t len, BlkPreallocation prealloc, GError **error)
{
    GlusterJob job = { .len = len, .prealloc = prealloc };

    return check_preallocation(node, prealloc, error) &&
           check(node, &job, run(node, &job, run_truncate), "resized", error);
}

static bool
gluster_make_file(BlkNode *node, const BlkNewFile *wish, bool *out_is_new, GError **error)
{
    GlusterJob job = { .len = wish->len, .prealloc = wish->prealloc };
    int ret;

    if (!prepare(node, error) || !check_preallocation(node, wish->prealloc, error)) {
        return false;
    }
    ret = run(node, &job, run_make);
    *out_is_new = job.is_new;
    if (ret == -ENOENT && !job.message) {
        job.message = g_strdup("the folder it is to lie in does not exist there");
        job.code = VIT_ERROR_NOT_FOUND;
    }
    gluster_leave(node);
    return check(node, &job, ret, "made", error);
}

static void
gluster_remove_file(BlkNode *node)
{
    GlusterJob job = { 0 };

    if (prepare(node, NULL)) {
        run(node, &job, run_remove);
        g_free(job.message);
        gluster_leave(node);
    }
}

/* ---- names ---- */

static bool
set_name_error(const char *filename, GError **error)
{
    g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                "'%s' names no file of a volume: write gluster://HOST[:PORT]/VOLUME/PATH, or "
                "gluster+unix:///VOLUME/PATH?socket=SOCKET.",
                filename);
    return false;
}

static bool
take_server(GUri *uri, BlkOptions *options)
{
    const char *scheme = g_uri_get_scheme(uri), *host = g_uri_get_host(uri);
    g_autoptr(GHashTable) query =
        g_uri_get_query(uri)
            ? g_uri_parse_params(g_uri_get_query(uri), -1, "&", G_URI_PARAMS_NONE, NULL)
            : NULL;
    const char *socket = query ? g_hash_table_lookup(query, "socket") : NULL;

    if (strcmp(scheme, "gluster+unix") == 0) {
        blk_options_set(options, "server.0.type", "unix");
        blk_options_set(options, "server.0.path", socket ? socket : "");
        return socket && !(host && *host);
    }
    blk_options_set(options, "server.0.type", strcmp(scheme, "gluster+rdma") == 0 ? "rdma" : "tcp");
    blk_options_set(options, "server.0.host", host && *host ? host : "localhost");
    if (g_uri_get_port(uri) > 0) {
        g_autofree char *port = g_strdup_printf("%d", g_uri_get_port(uri));
        blk_options_set(options, "server.0.port", port);
    }
    return !socket;
}

static bool
gluster_parse_filename(const char *filename, BlkOptions *options, GError **error)
{
    g_autoptr(GUri) uri = g_uri_parse(filename, G_URI_FLAGS_NONE, NULL);
    const char *path = uri ? g_uri_get_path(uri) : "";
    g_auto(GStrv) parts = g_strsplit(*path == '/' ? path + 1 : path, "/", 2);

    if (!uri || g_strv_length(parts) != 2 || !*parts[0] || !*parts[1] ||
        !take_server(uri, options)) {
        return set_name_error(filename, error);
    }
    blk_options_set(options, "volume", parts[0]);
    blk_options_set(options, "path", parts[1]);
    return true;
}

#define SERVER(n)                                                                 \
    VIT_PROP_STRING(Gluster, servers[n].type, "server." #n ".type", NULL,         \
                    VIT_N_("tcp, inet or unix")),                                 \
        VIT_PROP_STRING(Gluster, servers[n].host, "server." #n ".host", NULL,     \
                        VIT_N_("Host of the server")),                            \
        VIT_PROP_STRING(Gluster, servers[n].port, "server." #n ".port", NULL,     \
                        VIT_N_("Its port, 24007 if not given")),                  \
        VIT_PROP_STRING(Gluster, servers[n].path, "server." #n ".path", NULL,     \
                        VIT_N_("Its unix socket")),                               \
        VIT_PROP_STRING(Gluster, servers[n].socket, "server." #n ".socket", NULL, \
                        VIT_N_("Its unix socket"))

static const VitProp options[] = {
    VIT_PROP_STRING(Gluster, volume_name, "volume", NULL, VIT_N_("Volume")),
    VIT_PROP_STRING(Gluster, path, "path", NULL, VIT_N_("Path of the image in it")),
    VIT_PROP_UINT(Gluster, debug, "debug", 4, 0, 9, VIT_N_("How much the library logs")),
    VIT_PROP_STRING(Gluster, logfile, "logfile", NULL,
                    VIT_N_("Where it logs, the standard error if not given")),
    SERVER(0),
    SERVER(1),
    SERVER(2),
    SERVER(3),
    SERVER(4),
    SERVER(5),
    SERVER(6),
    SERVER(7),
    { 0 },
};

static const char *const schemes[] = { "gluster", "gluster+tcp", "gluster+unix", "gluster+rdma",
                                       NULL };

const BlkDriver blk_gluster_driver = {
    .name = "gluster",
    .title = VIT_N_("File of a GlusterFS volume"),
    .role = BLK_ROLE_PROTOCOL,
    .state_size = sizeof(Gluster),
    .options = options,
    .schemes = schemes,
    .parse_filename = gluster_parse_filename,
    .open = gluster_open,
    .close = gluster_close,
    .read = gluster_read,
    .write = gluster_write,
    .write_zeroes = gluster_write_zeroes,
    .discard = gluster_discard,
    .flush = gluster_flush,
    .status = gluster_status,
    .truncate = gluster_truncate,
    .get_len = gluster_get_len,
    .make_file = gluster_make_file,
    .remove_file = gluster_remove_file,
};
