/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Sockets in fibers: they do not block, and a fiber that cannot go on waits for its descriptor. A
 * second descriptor of the same socket lets a reader and a writer wait at the same time.
 * Thread: the lock of the context held. */

#include "nbd-channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { INLINE_IOV = 16 };

struct NbdChannel {
    BlkContext *context;
    int read_fd, write_fd;
};

NbdChannel *
nbd_channel_new(BlkContext *context, int fd)
{
    NbdChannel *channel = g_new0(NbdChannel, 1);

    channel->context = context;
    channel->read_fd = fd;
    channel->write_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    return channel;
}

void
nbd_channel_free(NbdChannel *channel)
{
    if (channel) {
        close(channel->read_fd);
        if (channel->write_fd >= 0) {
            close(channel->write_fd);
        }
        g_free(channel);
    }
}

void
nbd_channel_shut(NbdChannel *channel)
{
    shutdown(channel->read_fd, SHUT_RDWR);
}

/* One transfer of what is possible now: bytes, or a negative errno. Never waits. */
static ssize_t
transfer(NbdChannel *channel, bool write, struct iovec *iov, int count)
{
    struct msghdr message = { .msg_iov = iov, .msg_iovlen = (size_t)count };
    ssize_t done = write ? sendmsg(channel->write_fd, &message, MSG_NOSIGNAL)
                         : recvmsg(channel->read_fd, &message, 0);

    return done < 0 ? -errno : done;
}

static int
transfer_all(NbdChannel *channel, bool write, const BlkVec *vec, uint64_t at, size_t len)
{
    struct iovec inline_iov[INLINE_IOV];
    g_autofree struct iovec *long_iov =
        vec->count > INLINE_IOV ? g_new(struct iovec, vec->count) : NULL;
    struct iovec *iov = long_iov ? long_iov : inline_iov;

    if (channel->write_fd < 0) {
        return -EMFILE;
    }
    while (len > 0) {
        int count = blk_vec_slice(vec, at, len, iov);
        ssize_t done = transfer(channel, write, iov, MIN(count, 1024));

        if (done > 0) {
            at += (uint64_t)done;
            len -= (size_t)done;
        } else if (done == -EAGAIN) {
            int ret = blk_wait_fd(channel->context, write ? channel->write_fd : channel->read_fd,
                                  write ? POLLOUT : POLLIN);
            if (ret < 0) {
                return ret;
            }
        } else if (done != -EINTR) {
            return done == 0 ? -ECONNRESET : (int)done;
        }
    }
    return 0;
}

int
nbd_channel_read_vec(NbdChannel *channel, const BlkVec *vec, uint64_t at, size_t len)
{
    return transfer_all(channel, false, vec, at, len);
}

int
nbd_channel_write_vec(NbdChannel *channel, const BlkVec *vec, uint64_t at, size_t len)
{
    return transfer_all(channel, true, vec, at, len);
}

int
nbd_channel_read(NbdChannel *channel, void *buf, size_t len)
{
    struct iovec iov = { .iov_base = buf, .iov_len = len };
    BlkVec vec = blk_vec_make(&iov, 1);

    return transfer_all(channel, false, &vec, 0, len);
}

int
nbd_channel_write(NbdChannel *channel, const void *buf, size_t len)
{
    struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };
    BlkVec vec = blk_vec_make(&iov, 1);

    return transfer_all(channel, true, &vec, 0, len);
}

int
nbd_channel_skip(NbdChannel *channel, size_t len)
{
    uint8_t buf[4096];
    int ret = 0;

    while (len > 0 && ret == 0) {
        size_t piece = MIN(len, sizeof(buf));
        ret = nbd_channel_read(channel, buf, piece);
        len -= piece;
    }
    return ret;
}
