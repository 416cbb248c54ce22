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
#include <sys/timerfd.h>
#include <unistd.h>

enum { INLINE_IOV = 16 };

struct NbdChannel {
    BlkContext *context;
    int read_fd, write_fd;
    VitTlsSession *tls; /* or NULL */
    /* While time is limited a fiber waits for this timer and then ends the talk. */
    int timer_fd;
    bool watched, expired;
    BlkWaitQueue watch_ended;
};

NbdChannel *
nbd_channel_new(BlkContext *context, int fd)
{
    NbdChannel *channel = g_new0(NbdChannel, 1);

    channel->context = context;
    channel->timer_fd = -1;
    channel->read_fd = fd;
    channel->write_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    return channel;
}

void
nbd_channel_free(NbdChannel *channel)
{
    if (channel) {
        if (channel->tls) {
            vit_tls_session_bye(channel->tls);
            vit_tls_session_free(channel->tls);
        }
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

/* ---- limited time ---- */

static void
watch_fiber(void *opaque)
{
    NbdChannel *channel = opaque;
    uint64_t count;

    blk_wait_fd(channel->context, channel->timer_fd, POLLIN);
    if (read(channel->timer_fd, &count, sizeof(count)) == sizeof(count) && channel->watched) {
        channel->expired = true;
        nbd_channel_shut(channel);
    }
    close(channel->timer_fd);
    channel->timer_fd = -1;
    blk_wake_all(channel->context, &channel->watch_ended);
}

static void
set_timer(NbdChannel *channel, time_t seconds, long ns)
{
    const struct itimerspec spec = { .it_value = { .tv_sec = seconds, .tv_nsec = ns } };

    timerfd_settime(channel->timer_fd, 0, &spec, NULL);
}

void
nbd_channel_limit_time(NbdChannel *channel, unsigned timeout_s)
{
    channel->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (channel->timer_fd >= 0) {
        channel->watched = true;
        set_timer(channel, timeout_s, 0);
        blk_context_start(channel->context, watch_fiber, channel);
    }
}

void
nbd_channel_unlimit_time(NbdChannel *channel)
{
    channel->watched = false;
    if (channel->timer_fd >= 0) {
        set_timer(channel, 0, 1);
    }
    while (channel->timer_fd >= 0) {
        blk_wait(channel->context, &channel->watch_ended);
    }
}

/* ---- encryption ---- */

bool
nbd_channel_start_tls(NbdChannel *channel, VitTlsCreds *creds, const char *hostname, GError **error)
{
    int ret = 0;

    channel->tls = vit_tls_session_new(creds, channel->read_fd, hostname, error);
    if (!channel->tls) {
        return false;
    }
    while ((ret = vit_tls_session_handshake(channel->tls, error)) == 0) {
        int wait = blk_wait_fd(channel->context, channel->read_fd,
                               vit_tls_session_wants_write(channel->tls) ? POLLOUT : POLLIN);
        if (wait < 0) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "The TLS session cannot begin: %s.",
                        g_strerror(-wait));
            return false;
        }
    }
    return ret > 0;
}

bool
nbd_channel_is_encrypted(const NbdChannel *channel)
{
    return channel->tls != NULL;
}

char *
nbd_channel_dup_peer(const NbdChannel *channel)
{
    return channel->tls ? vit_tls_session_dup_peer(channel->tls) : NULL;
}

/* ---- transfers ---- */

/* One transfer of what is possible now: bytes, or a negative errno. Never waits. */
static ssize_t
transfer(NbdChannel *channel, bool write, struct iovec *iov, int count)
{
    if (channel->tls) {
        return write ? vit_tls_session_send(channel->tls, iov->iov_base, iov->iov_len)
                     : vit_tls_session_receive(channel->tls, iov->iov_base, iov->iov_len);
    }
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
            return channel->expired ? -ETIMEDOUT : done == 0 ? -ECONNRESET : (int)done;
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
