/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The driver "proxy": a tree that another program serves over a unix socket, so that this one needs
 * no rights of its own. The program is virtfs-proxy-helper, as QEMU's packages have it.
 *
 * A message is type[4] size[4] and SIZE bytes, little endian, strings as in 9P; one is answered
 * before the next goes. Answers are of type 0, or 1 with a negative errno. Opening answers with
 * four bytes of status and the descriptor beside them (SCM_RIGHTS); files are read and written by
 * that directly. Learned from the helper's answers, which the tests ask.
 *
 * A helper that sends what is no answer, or none for half a minute, is given up: EIO from then on.
 * Thread: any, several at a time. */

#include "fs9p-file.h"
#include "fs9p-msg.h"

#include "vit-error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    SUCCESS = 0,
    ERROR = 1,
    OPEN = 2,
    CREATE,
    MKNOD,
    MKDIR,
    SYMLINK,
    LINK,
    LSTAT,
    READLINK,
    STATFS,
    CHMOD,
    CHOWN,
    TRUNCATE,
    UTIMES,
    RENAME,
    REMOVE,
    GETXATTR,
    LISTXATTR,
    SETXATTR,
    REMOVEXATTR,
};

enum { HEADER_BYTES = 8, MESSAGE_MAX = 64 << 10, PATIENCE_S = 30 };

typedef struct Proxy {
    Fs9pFs fs; /* first */
    int socket;
    bool is_writeout;
    GMutex lock; /* of the socket, and what follows */
    bool is_lost;
} Proxy;

/* ---- Messages ---- */

typedef struct Request {
    Proxy *proxy;
    Fs9pWriter out;
    Fs9pReader in;
    uint8_t bytes[MESSAGE_MAX];
} Request;

static int
lose(Proxy *proxy)
{
    proxy->is_lost = true;
    shutdown(proxy->socket, SHUT_RDWR);
    return -EIO;
}

static bool
receive(Proxy *proxy, void *buf, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t got = recv(proxy->socket, (char *)buf + done, len - done, 0);
        if (got <= 0 && !(got < 0 && errno == EINTR)) {
            return false;
        }
        done += got > 0 ? (size_t)got : 0;
    }
    return true;
}

/* Four bytes of status, and the descriptor, which 0 < says is there. */
static int
receive_fd(Proxy *proxy)
{
    union {
        struct cmsghdr align;
        char buf[CMSG_SPACE(sizeof(int))];
    } control;
    int32_t status = 0;
    struct iovec iov = { &status, sizeof(status) };
    struct msghdr message = { .msg_iov = &iov,
                              .msg_iovlen = 1,
                              .msg_control = control.buf,
                              .msg_controllen = sizeof(control.buf) };
    struct cmsghdr *head;
    ssize_t len;
    int fd = -1;

    do {
        len = recvmsg(proxy->socket, &message, MSG_CMSG_CLOEXEC);
    } while (len < 0 && errno == EINTR);
    head = len < 0 ? NULL : CMSG_FIRSTHDR(&message);
    if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS) {
        memcpy(&fd, CMSG_DATA(head), sizeof(fd));
    }
    if (len == sizeof(status) && status < 0 && status > -4096 && fd < 0) {
        return status;
    }
    if (len != sizeof(status) || fd < 0) {
        if (fd >= 0) {
            close(fd);
        }
        return lose(proxy);
    }
    return fd;
}

/* The answer's bytes. */
static int
receive_answer(Request *request)
{
    Proxy *proxy = request->proxy;
    uint8_t header[HEADER_BYTES];
    Fs9pReader in = { header, header + sizeof(header), false };
    uint32_t type, size;

    if (!receive(proxy, header, sizeof(header))) {
        return lose(proxy);
    }
    type = (uint32_t)fs9p_get(&in, 4);
    size = (uint32_t)fs9p_get(&in, 4);
    if (type > ERROR || size > MESSAGE_MAX || !receive(proxy, request->bytes, size)) {
        return lose(proxy);
    }
    request->in = (Fs9pReader){ request->bytes, request->bytes + size, false };
    if (type == ERROR) {
        int32_t status = (int32_t)fs9p_get(&request->in, 4);
        return status < 0 && status > -4096 ? status : -EIO;
    }
    return 0;
}

/* FORMAT: a digit is a number of that size, s a string, p a path of the tree. */
static Request *
request_new(Fs9pFs *fs, const char *format, ...)
{
    Request *request = g_new(Request, 1);
    va_list args;

    request->proxy = (Proxy *)fs;
    request->in = (Fs9pReader){ NULL, NULL, true };
    request->out = (Fs9pWriter){ request->bytes, HEADER_BYTES, MESSAGE_MAX, false };
    va_start(args, format);
    for (; *format; format++) {
        if (*format == 's') {
            fs9p_put_string(&request->out, va_arg(args, const char *));
        } else if (*format == 'p') {
            g_autofree char *path = g_strconcat("./", va_arg(args, const char *), NULL);
            fs9p_put_string(&request->out, path);
        } else if (*format == '8') {
            fs9p_put(&request->out, va_arg(args, uint64_t), 8);
        } else {
            fs9p_put(&request->out, va_arg(args, uint32_t), 4);
        }
    }
    va_end(args);
    return request;
}

/* Sends it and waits for what comes back: 0, a descriptor, or a negative errno. */
static int
ask(Request *request, uint32_t type)
{
    Proxy *proxy = request->proxy;
    Fs9pWriter header = { request->bytes, 0, HEADER_BYTES, false };
    int ret;

    if (request->out.is_full) {
        return -ENAMETOOLONG;
    }
    fs9p_put(&header, type, 4);
    fs9p_put(&header, request->out.len - HEADER_BYTES, 4);
    g_mutex_lock(&proxy->lock);
    if (proxy->is_lost) {
        ret = -EIO;
    } else if (send(proxy->socket, request->bytes, request->out.len, MSG_NOSIGNAL) !=
               (ssize_t)request->out.len) {
        ret = lose(proxy);
    } else {
        ret = type == OPEN || type == CREATE ? receive_fd(proxy) : receive_answer(request);
    }
    g_mutex_unlock(&proxy->lock);
    return ret;
}

/* One whose answer has nothing in it. */
static int
tell(Request *request, uint32_t type)
{
    int ret = ask(request, type);

    g_free(request);
    return ret;
}

/* ---- The tree ---- */

static struct timespec
get_time(Fs9pReader *in)
{
    struct timespec time = { .tv_sec = (time_t)fs9p_get(in, 8) };

    time.tv_nsec = (long)fs9p_get(in, 8);
    return time;
}

static int
proxy_lstat(Fs9pFs *fs, const char *path, struct stat *out)
{
    g_autofree Request *request = request_new(fs, "p", path);
    int ret = ask(request, LSTAT);
    Fs9pReader *in = &request->in;

    if (ret < 0) {
        return ret;
    }
    *out = (struct stat){ 0 };
    out->st_dev = fs9p_get(in, 8);
    out->st_ino = fs9p_get(in, 8);
    out->st_nlink = fs9p_get(in, 8);
    out->st_mode = (mode_t)fs9p_get(in, 4);
    out->st_uid = (uid_t)fs9p_get(in, 4);
    out->st_gid = (gid_t)fs9p_get(in, 4);
    out->st_rdev = fs9p_get(in, 8);
    out->st_size = (off_t)fs9p_get(in, 8);
    out->st_blksize = (blksize_t)fs9p_get(in, 8);
    out->st_blocks = (blkcnt_t)fs9p_get(in, 8);
    out->st_atim = get_time(in);
    out->st_mtim = get_time(in);
    out->st_ctim = get_time(in);
    return in->is_bad ? -EIO : 0;
}

static int
proxy_statfs(Fs9pFs *fs, const char *path, struct statfs *out)
{
    g_autofree Request *request = request_new(fs, "p", path);
    int ret = ask(request, STATFS);
    Fs9pReader *in = &request->in;

    if (ret < 0) {
        return ret;
    }
    *out = (struct statfs){ 0 };
    out->f_type = (__fsword_t)fs9p_get(in, 8);
    out->f_bsize = (__fsword_t)fs9p_get(in, 8);
    out->f_blocks = fs9p_get(in, 8);
    out->f_bfree = fs9p_get(in, 8);
    out->f_bavail = fs9p_get(in, 8);
    out->f_files = fs9p_get(in, 8);
    out->f_ffree = fs9p_get(in, 8);
    out->f_fsid.__val[0] = (int)fs9p_get(in, 8);
    out->f_fsid.__val[1] = (int)fs9p_get(in, 8);
    out->f_namelen = (__fsword_t)fs9p_get(in, 8);
    out->f_frsize = (__fsword_t)fs9p_get(in, 8);
    return in->is_bad ? -EIO : 0;
}

static ssize_t
proxy_readlink(Fs9pFs *fs, const char *path, char *out, size_t room)
{
    g_autofree Request *request = request_new(fs, "p4", path, (uint32_t)MIN(room, 4096));
    int ret = ask(request, READLINK);
    g_autofree char *target = ret < 0 ? NULL : fs9p_get_string(&request->in);

    if (ret < 0) {
        return ret;
    }
    return !target                                ? -EIO
           : g_strlcpy(out, target, room) >= room ? -ENAMETOOLONG
                                                  : (ssize_t)strlen(out);
}

static int
take_fd(int fd, bool is_dir, Fs9pFile **out)
{
    if (fd >= 0 && !fs9p_file_is_plain(fd)) {
        close(fd);
        return -ENXIO;
    }
    return fd < 0 ? fd : fs9p_file_new(fd, is_dir, out);
}

enum { SAFE_FLAGS = O_NOFOLLOW | O_NONBLOCK | O_NOCTTY };

static int
proxy_open(Fs9pFs *fs, const char *path, int flags, Fs9pFile **out)
{
    g_autofree Request *request =
        request_new(fs, "p4", path, (uint32_t)((flags & ~O_EXCL) | SAFE_FLAGS));

    return take_fd(ask(request, OPEN), flags & O_DIRECTORY, out);
}

static int
proxy_create(Fs9pFs *fs, const char *dir, const char *name, int flags, const Fs9pOwner *owner,
             Fs9pFile **out)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);
    g_autofree Request *request =
        request_new(fs, "p4444", path, (uint32_t)(flags | O_CREAT | SAFE_FLAGS), owner->mode,
                    owner->uid, owner->gid);

    return take_fd(ask(request, CREATE), false, out);
}

static ssize_t
proxy_pwrite(Fs9pFs *fs, Fs9pFile *file, const void *buf, size_t len, uint64_t at)
{
    return fs9p_file_write(file, buf, len, at, ((Proxy *)fs)->is_writeout);
}

static int
proxy_mkdir(Fs9pFs *fs, const char *dir, const char *name, const Fs9pOwner *owner)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);

    return tell(request_new(fs, "44p4", owner->uid, owner->gid, path, owner->mode), MKDIR);
}

static int
proxy_mknod(Fs9pFs *fs, const char *dir, const char *name, const Fs9pOwner *owner, dev_t rdev)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);

    return tell(request_new(fs, "44p48", owner->uid, owner->gid, path, owner->mode, (uint64_t)rdev),
                MKNOD);
}

static int
proxy_symlink(Fs9pFs *fs, const char *dir, const char *name, const char *target,
              const Fs9pOwner *owner)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);

    return tell(request_new(fs, "44sp", owner->uid, owner->gid, target, path), SYMLINK);
}

static int
proxy_link(Fs9pFs *fs, const char *path, const char *dir, const char *name)
{
    g_autofree char *link = g_build_filename(dir, name, NULL);

    return tell(request_new(fs, "pp", path, link), LINK);
}

static int
proxy_rename(Fs9pFs *fs, const char *old_dir, const char *old_name, const char *new_dir,
             const char *new_name)
{
    g_autofree char *from = g_build_filename(old_dir, old_name, NULL);
    g_autofree char *to = g_build_filename(new_dir, new_name, NULL);

    return tell(request_new(fs, "pp", from, to), RENAME);
}

/* The helper removes either; what the guest asked for is looked at first. */
static int
proxy_unlink(Fs9pFs *fs, const char *dir, const char *name, bool is_dir)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);
    struct stat st;
    int ret = proxy_lstat(fs, path, &st);

    if (ret == 0 && !!S_ISDIR(st.st_mode) != is_dir) {
        ret = is_dir ? -ENOTDIR : -EISDIR;
    }
    return ret < 0 ? ret : tell(request_new(fs, "p", path), REMOVE);
}

static int
proxy_chmod(Fs9pFs *fs, const char *path, uint32_t mode)
{
    return tell(request_new(fs, "p4", path, mode), CHMOD);
}

static int
proxy_chown(Fs9pFs *fs, const char *path, uint32_t uid, uint32_t gid)
{
    return tell(request_new(fs, "p44", path, uid, gid), CHOWN);
}

static int
proxy_truncate(Fs9pFs *fs, const char *path, uint64_t size)
{
    return tell(request_new(fs, "p8", path, size), TRUNCATE);
}

static int
proxy_utimens(Fs9pFs *fs, const char *path, const struct timespec times[2])
{
    return tell(request_new(fs, "p8888", path, (uint64_t)times[0].tv_sec,
                            (uint64_t)times[0].tv_nsec, (uint64_t)times[1].tv_sec,
                            (uint64_t)times[1].tv_nsec),
                UTIMES);
}

/* ---- Attributes: their length is asked for by a size of 0, and comes as a number ---- */

static ssize_t
take_value(Request *request, int ret, void *out, size_t room)
{
    const uint8_t *bytes;
    size_t len;

    if (ret < 0) {
        return ret;
    }
    len = fs9p_get(&request->in, room ? 2 : 4);
    bytes = room ? fs9p_get_bytes(&request->in, len) : NULL;
    if (request->in.is_bad || (room && len > room)) {
        return -EIO;
    }
    if (room && len) {
        memcpy(out, bytes, len);
    }
    return (ssize_t)len;
}

static ssize_t
proxy_listxattr(Fs9pFs *fs, const char *path, char *out, size_t room)
{
    g_autofree Request *request = request_new(fs, "4p", (uint32_t)MIN(room, MESSAGE_MAX / 2), path);

    return take_value(request, ask(request, LISTXATTR), out, room);
}

static ssize_t
proxy_getxattr(Fs9pFs *fs, const char *path, const char *name, void *out, size_t room)
{
    g_autofree Request *request =
        request_new(fs, "4ps", (uint32_t)MIN(room, MESSAGE_MAX / 2), path, name);

    return take_value(request, ask(request, GETXATTR), out, room);
}

static int
proxy_setxattr(Fs9pFs *fs, const char *path, const char *name, const void *value, size_t len,
               int flags)
{
    Request *request = request_new(fs, "ps", path, name);
    uint8_t *space;

    fs9p_put(&request->out, len, 2);
    space = len <= UINT16_MAX ? fs9p_put_space(&request->out, len) : NULL;
    if (!space) {
        g_free(request);
        return -E2BIG;
    }
    if (len) {
        memcpy(space, value, len);
    }
    fs9p_put(&request->out, len, 4);
    fs9p_put(&request->out, (uint32_t)flags, 4);
    return tell(request, SETXATTR);
}

static int
proxy_removexattr(Fs9pFs *fs, const char *path, const char *name)
{
    return tell(request_new(fs, "ps", path, name), REMOVEXATTR);
}

/* ---- Life ---- */

static void
proxy_free(Fs9pFs *fs)
{
    Proxy *proxy = (Proxy *)fs;

    close(proxy->socket);
    g_mutex_clear(&proxy->lock);
    g_free(proxy);
}

static const Fs9pOps proxy_ops = {
    .free = proxy_free,
    .lstat = proxy_lstat,
    .statfs = proxy_statfs,
    .readlink = proxy_readlink,
    .open = proxy_open,
    .close = fs9p_file_close,
    .pread = fs9p_file_pread,
    .pwrite = proxy_pwrite,
    .fsync = fs9p_file_fsync,
    .readdir = fs9p_file_readdir,
    .create = proxy_create,
    .mkdir = proxy_mkdir,
    .mknod = proxy_mknod,
    .symlink = proxy_symlink,
    .link = proxy_link,
    .rename = proxy_rename,
    .unlink = proxy_unlink,
    .chmod = proxy_chmod,
    .chown = proxy_chown,
    .truncate = proxy_truncate,
    .utimens = proxy_utimens,
    .listxattr = proxy_listxattr,
    .getxattr = proxy_getxattr,
    .setxattr = proxy_setxattr,
    .removexattr = proxy_removexattr,
};

static int
connect_path(const char *path, GError **error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd;

    if (g_strlcpy(address.sun_path, path, sizeof(address.sun_path)) >= sizeof(address.sun_path)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "the socket's name %s is too long: %zu bytes are the most.", path,
                    sizeof(address.sun_path) - 1);
        return -1;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO,
                    "no helper answers at the socket %s: %s. Start virtfs-proxy-helper with that "
                    "socket first.",
                    path, g_strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}

/* A descriptor that was handed down. */
static int
take_socket(int fd, GError **error)
{
    int type;
    socklen_t len = sizeof(type);

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_STREAM) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "descriptor %d is not a connected socket; sock_fd= names one that the program "
                    "was started with.",
                    fd);
        return -1;
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd;
}

Fs9pFs *
fs9p_proxy_new(const Fs9pProxyConfig *config, GError **error)
{
    const struct timeval patience = { .tv_sec = PATIENCE_S };
    int fd = config->path ? connect_path(config->path, error) : take_socket(config->fd, error);
    Proxy *proxy;

    if (fd < 0) {
        return NULL;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    proxy = g_new0(Proxy, 1);
    proxy->fs = (Fs9pFs){ &proxy_ops, config->is_readonly };
    proxy->socket = fd;
    proxy->is_writeout = config->is_writeout;
    g_mutex_init(&proxy->lock);
    return &proxy->fs;
}
