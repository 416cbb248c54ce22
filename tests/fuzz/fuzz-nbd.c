/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* NBD from both ends. The first byte chooses: what a client says to our server, what a server says
 * to our client from the first byte on, or what it says after a proper agreement. */

#include "control/blk-control.h"
#include "nbd/nbd-server.h"
#include "nbd/nbd-wire.h"

#include <glib/gstdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { EXPORT_BYTES = 1 << 20 };

/* ---- our server ---- */

typedef struct Session {
    BlkGraph *graph;
    NbdChannel *channel;
    bool ended;
} Session;

static void
session_fiber(void *opaque)
{
    Session *session = opaque;

    nbd_session_run(session->graph, session->channel);
    session->ended = true;
}

static void
fuzz_server(BlkGraph *graph, const uint8_t *data, size_t size)
{
    static const uint8_t hello[] = { 0, 0, 0, 3 };
    BlkNbdServerOptions server = { .host = "127.0.0.1", .port = "0" };
    Session session = { .graph = graph };
    char buf[4096];
    int fds[2];

    g_autoptr(BlkOptions) options = blk_options_new();
    blk_options_set(options, "driver", "null-co");
    blk_options_set(options, "size", "1M");
    blk_options_set(options, "read-zeroes", "on");
    g_autoptr(BlkNode) node = blk_open(graph, NULL, options, NULL);
    if (!blk_nbd_server_start(graph, &server, NULL)) {
        return;
    }
    g_assert_nonnull(blk_export_add(graph, "e", node, "", "text", true, NULL, NULL));
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), ==, 0);
    g_assert_cmpint(write(fds[1], hello, sizeof(hello)), ==, sizeof(hello));
    if (size > 0 && write(fds[1], data, size) < 0) {
        size = 0;
    }
    shutdown(fds[1], SHUT_WR);
    session.channel = nbd_channel_new(blk_graph_get_context(graph), fds[0]);
    blk_context_start(blk_graph_get_context(graph), session_fiber, &session);
    while (!session.ended) {
        while (read(fds[1], buf, sizeof(buf)) > 0) {
        }
        blk_graph_poll(graph, 1);
    }
    nbd_channel_free(session.channel);
    close(fds[1]);
    blk_nbd_server_stop(graph, NULL);
}

/* ---- our client ---- */

typedef struct Speaker {
    int fd;
    const char *path; /* of the socket; gone once one client is there: it finds nobody again */
    GByteArray *words;
} Speaker;

static gpointer
speak(gpointer opaque)
{
    Speaker *speaker = opaque;
    int fd = accept(speaker->fd, NULL, NULL);
    char buf[4096];

    unlink(speaker->path);
    if (fd >= 0) {
        for (size_t done = 0; done < speaker->words->len;) {
            ssize_t ret =
                send(fd, speaker->words->data + done, speaker->words->len - done, MSG_NOSIGNAL);
            if (ret <= 0) {
                break;
            }
            done += (size_t)ret;
        }
        shutdown(fd, SHUT_WR);
        while (read(fd, buf, sizeof(buf)) > 0) {
        }
        close(fd);
    }
    return NULL;
}

static void
add(GByteArray *words, uint64_t value, unsigned bytes)
{
    uint8_t buf[8];

    nbd_put64(buf, value);
    g_byte_array_append(words, buf + 8 - bytes, bytes);
}

static void
add_reply(GByteArray *words, uint32_t option, uint32_t type, uint32_t len)
{
    add(words, NBD_REPLY_MAGIC, 8);
    add(words, option, 4);
    add(words, type, 4);
    add(words, len, 4);
}

static void
agree(GByteArray *words)
{
    static const char context[] = "base:allocation";

    add(words, NBD_MAGIC, 8);
    add(words, NBD_OPTION_MAGIC, 8);
    add(words, NBD_HELLO_FIXED | NBD_HELLO_NO_ZEROES, 2);
    add_reply(words, NBD_OPT_STRUCTURED_REPLY, NBD_REP_ACK, 0);
    add_reply(words, NBD_OPT_SET_META, NBD_REP_META_CONTEXT, 4 + sizeof(context) - 1);
    add(words, 7, 4);
    g_byte_array_append(words, (const guint8 *)context, sizeof(context) - 1);
    add_reply(words, NBD_OPT_SET_META, NBD_REP_ACK, 0);
    add_reply(words, NBD_OPT_GO, NBD_REP_INFO, 12);
    add(words, NBD_INFO_EXPORT, 2);
    add(words, EXPORT_BYTES, 8);
    add(words, 0xffff & ~NBD_FLAG_READ_ONLY, 2);
    add_reply(words, NBD_OPT_GO, NBD_REP_ACK, 0);
}

static void
use(BlkNode *node)
{
    g_autoptr(BlkImage) image = blk_image_new(node, true, NULL);
    uint8_t buf[4096] = { 0 };
    bool zero, has_data;

    blk_image_read(image, 0, buf, sizeof(buf));
    blk_image_get_run(image, 4096, 65536, &zero, &has_data);
    blk_image_write(image, 512, buf, 512);
    blk_image_flush(image);
}

static void
fuzz_client(BlkGraph *graph, bool agreed, const uint8_t *data, size_t size)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    g_autoptr(GByteArray) words = g_byte_array_new();
    Speaker speaker = { .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), .words = words };

    g_snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/vitrine-fuzz-nbd-%d", getpid());
    unlink(address.sun_path);
    g_assert_cmpint(bind(speaker.fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    speaker.path = address.sun_path;
    g_assert_cmpint(listen(speaker.fd, 1), ==, 0);
    if (agreed) {
        agree(words);
    }
    g_byte_array_append(words, data, (guint)size);
    GThread *thread = g_thread_new("speaker", speak, &speaker);
    g_autofree char *name = g_strdup_printf("nbd:unix:%s", address.sun_path);
    g_autoptr(BlkOptions) options = blk_options_new();
    blk_options_set(options, "driver", "raw");
    BlkNode *node = blk_open(graph, name, options, NULL);
    if (node) {
        use(node);
        blk_node_unref(node);
    }
    g_thread_join(thread);
    close(speaker.fd);
    unlink(address.sun_path);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    BlkGraph *graph;

    if (size == 0) {
        return 0;
    }
    graph = blk_graph_new(NULL, NULL, NULL);
    if (data[0] % 3 == 0) {
        fuzz_server(graph, data + 1, size - 1);
    } else {
        fuzz_client(graph, data[0] % 3 == 2, data + 1, size - 1);
    }
    blk_graph_free(graph);
    return 0;
}
