/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* NBD from both ends. The first byte chooses: what a client says to our server, what a server says
 * to our client from the first byte on, or what it says after a proper agreement, byte for byte; or
 * a talk of records, whose magic numbers, lengths and handles are right, so that options, requests
 * and chunks are reached. */

#include "blk-bitmap.h"
#include "control/blk-control.h"
#include "nbd/nbd-server.h"
#include "nbd/nbd-wire.h"

#include <glib/gstdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    EXPORT_BYTES = 1 << 20,
    MAX_WORDS = 96 * 1024,
    MAX_CHUNKS = 8,
    OUR_OPTIONS_BYTES = 4 + 16 + 16 + 27 + 16 + 8
};

/* What is left of the input; it ends in zeroes. */
typedef struct Input {
    const uint8_t *data;
    size_t len;
} Input;

static uint8_t
take(Input *input)
{
    uint8_t byte = input->len ? *input->data : 0;

    input->data += input->len > 0;
    input->len -= input->len > 0;
    return byte;
}

static uint64_t
take_number(Input *input, unsigned bytes)
{
    uint64_t value = 0;

    while (bytes-- > 0) {
        value = value << 8 | take(input);
    }
    return value;
}

static void
add(GByteArray *words, uint64_t value, unsigned bytes)
{
    uint8_t buf[8];

    nbd_put64(buf, value);
    g_byte_array_append(words, buf + 8 - bytes, bytes);
}

static void
add_text(GByteArray *words, const char *text)
{
    add(words, strlen(text), 4);
    g_byte_array_append(words, (const guint8 *)text, (guint)strlen(text));
}

/* ---- our server ---- */

/* An option: its number, whether its data are queries or bytes of the input, these. */
static void
add_option(GByteArray *words, Input *input)
{
    static const char *const queries[] = { "base:allocation", "base:", "qemu:dirty-bitmap:b",
                                           "qemu:", "x" };
    g_autoptr(GByteArray) body = g_byte_array_new();
    uint8_t option = take(input), count = take(input);

    if (option & 16) {
        add_text(body, option & 32 ? "e" : "");
        add(body, count & 7, option & 64 ? 4 : 2);
        for (unsigned i = 0; i < (count & 7u); i++) {
            add_text(body, queries[take(input) % G_N_ELEMENTS(queries)]);
        }
    } else {
        for (unsigned i = 0; i < (count & 31u); i++) {
            add(body, take(input), 1);
        }
    }
    add(words, NBD_OPTION_MAGIC, 8);
    add(words, option & 15, 4);
    add(words, body->len + (count == 255), 4);
    g_byte_array_append(words, body->data, body->len);
}

static void
add_request(GByteArray *words, Input *input)
{
    uint8_t kind = take(input), flags = take(input);
    uint64_t offset = take_number(input, 3), len = take_number(input, 2);

    add(words, NBD_REQUEST_MAGIC, 4);
    add(words, flags, 2);
    add(words, kind & 7, 2);
    add(words, words->len, 8);
    add(words, kind & 16 ? offset << 40 : offset, 8);
    if ((kind & 7) == NBD_CMD_WRITE) {
        len &= 4095;
        add(words, len, 4);
        g_byte_array_set_size(words, words->len + (guint)len);
        memset(words->data + words->len - len, kind, len);
    } else {
        add(words, kind & 32 ? len << 16 : len, 4);
    }
}

/* Up to six options, some of them as a client would begin, then the export and requests. */
static void
add_talk(GByteArray *words, Input *input)
{
    unsigned options = take(input);

    if (options & 64) {
        add(words, NBD_OPTION_MAGIC, 8);
        add(words, NBD_OPT_STRUCTURED_REPLY, 4);
        add(words, 0, 4);
    }
    if (options & 128) {
        add(words, NBD_OPTION_MAGIC, 8);
        add(words, NBD_OPT_SET_META, 4);
        add(words, 5 + 4 + 19 + 23, 4);
        add_text(words, "e");
        add(words, 2, 4);
        add_text(words, "base:allocation");
        add_text(words, "qemu:dirty-bitmap:b");
    }
    options = (options & 63) % 7;
    for (unsigned i = 0; i < options; i++) {
        add_option(words, input);
    }
    if (input->len > 0 && !(take(input) & 1)) {
        add(words, NBD_OPTION_MAGIC, 8);
        add(words, NBD_OPT_GO, 4);
        add(words, 4 + 1 + 2, 4);
        add_text(words, "e");
        add(words, 0, 2);
    }
    while (input->len > 0 && words->len < MAX_WORDS) {
        add_request(words, input);
    }
}

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
    static const char *const bitmaps[] = { "b", NULL };
    BlkNbdServerOptions server = { .host = "127.0.0.1", .port = "0" };
    Session session = { .graph = graph };
    char buf[4096];
    int fds[2];

    g_autoptr(BlkOptions) options = blk_options_new();
    blk_options_set(options, "driver", "null-co");
    blk_options_set(options, "size", G_STRINGIFY(1048576));
    blk_options_set(options, "read-zeroes", "on");
    g_autoptr(BlkNode) node = blk_open(graph, NULL, options, NULL);
    if (!blk_nbd_server_start(graph, &server, NULL)) {
        return;
    }
    BlkBitmap *bitmap = blk_bitmap_new(node, "b", 4096, NULL);
    blk_bitmap_set(bitmap, 8192, 50000);
    g_assert_nonnull(blk_export_add(graph, "e", node, "", "text", true, bitmaps, NULL));
    g_assert_nonnull(blk_export_add(graph, "e2", node, "e", NULL, true, bitmaps, NULL));
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
    Input *input;     /* of a talk of records */
    const char *path; /* of the socket; gone once one client is there: it finds nobody again */
    GByteArray *words;
} Speaker;

static void
add_reply(GByteArray *words, uint32_t option, uint32_t type, uint32_t len)
{
    add(words, NBD_REPLY_MAGIC, 8);
    add(words, option, 4);
    add(words, type, 4);
    add(words, len, 4);
}

static bool
hear(int fd, void *buf, size_t len)
{
    return len == 0 || recv(fd, buf, len, MSG_WAITALL) == (ssize_t)len;
}

static bool
hear_and_forget(int fd, uint64_t len)
{
    char buf[4096];

    while (len > 0 && hear(fd, buf, MIN(len, sizeof(buf)))) {
        len -= MIN(len, sizeof(buf));
    }
    return len == 0;
}

static void
say(int fd, GByteArray *words)
{
    for (size_t done = 0; done < words->len;) {
        ssize_t ret = send(fd, words->data + done, words->len - done, MSG_NOSIGNAL);
        if (ret <= 0) {
            break;
        }
        done += (size_t)ret;
    }
    g_byte_array_set_size(words, 0);
}

/* One reply to OPTION. False: it was the last. */
static bool
add_answer(GByteArray *words, uint32_t option, Input *input)
{
    static const uint32_t types[] = { NBD_REP_ACK,          NBD_REP_SERVER,     NBD_REP_INFO,
                                      NBD_REP_META_CONTEXT, NBD_REP_ERR_UNSUP,  NBD_REP_ERR_POLICY,
                                      NBD_REP_ERR_TLS_REQD, NBD_REP_ERR_UNKNOWN };
    uint8_t kind = take(input);

    switch (kind & 7) {
    case 0:
    case 1: add_reply(words, option, NBD_REP_ACK, 0); break;
    case 2:
        add_reply(words, option, NBD_REP_INFO, 12);
        add(words, NBD_INFO_EXPORT, 2);
        add(words, kind & 8 ? EXPORT_BYTES : take_number(input, 8), 8);
        add(words, take_number(input, 2), 2);
        return true;
    case 3:
        add_reply(words, option, NBD_REP_INFO, 14);
        add(words, NBD_INFO_BLOCK_SIZE, 2);
        for (unsigned i = 0; i < 3; i++) {
            add(words, UINT64_C(1) << take(input) % 32, 4);
        }
        return true;
    case 4:
        add_reply(words, option, NBD_REP_META_CONTEXT, 4 + 15);
        add(words, take(input), 4);
        g_byte_array_append(words, (const guint8 *)"base:allocation", 15);
        return true;
    default:
        kind = take(input);
        add_reply(words, option, types[kind & 7], kind >> 4);
        for (unsigned i = 0; i < kind >> 4; i++) {
            add(words, take(input), 1);
        }
        return kind & 8;
    }
    return false;
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

static bool
agree_by_records(int fd, Input *input, GByteArray *words)
{
    uint8_t head[16];
    uint32_t option;

    add(words, NBD_MAGIC, 8);
    add(words, NBD_OPTION_MAGIC, 8);
    add(words, take(input), 2);
    say(fd, words);
    if (!hear(fd, head, 4)) {
        return false;
    }
    do {
        if (!hear(fd, head, sizeof(head)) || !hear_and_forget(fd, nbd_get32(head + 12))) {
            return false;
        }
        option = nbd_get32(head + 8);
        if (option == NBD_OPT_EXPORT_NAME) {
            add(words, take_number(input, 4), 8);
            add(words, take_number(input, 2), 2);
            g_byte_array_set_size(words, words->len + 124);
            memset(words->data + words->len - 124, 0, 124);
        } else {
            for (unsigned i = 0; i < MAX_CHUNKS && add_answer(words, option, input); i++) {
            }
        }
        say(fd, words);
    } while (option != NBD_OPT_GO && option != NBD_OPT_EXPORT_NAME);
    return true;
}

/* One chunk, or simple reply, to the request of HEAD. False: it was the last. */
static bool
add_chunk(GByteArray *words, const uint8_t *head, Input *input)
{
    static const uint16_t types[] = { NBD_CHUNK_NONE,  NBD_CHUNK_DATA,
                                      NBD_CHUNK_HOLE,  NBD_CHUNK_STATUS,
                                      NBD_CHUNK_ERROR, NBD_CHUNK_ERROR_OFFSET,
                                      NBD_CHUNK_DATA,  7 };
    uint8_t kind = take(input), shift = take(input);
    uint64_t offset = nbd_get64(head + 16) + (shift & 15) * 512;
    uint32_t asked = nbd_get32(head + 24), len;
    bool has_data = nbd_get16(head + 6) == NBD_CMD_READ;

    if (kind & 8) {
        add(words, NBD_SIMPLE_MAGIC, 4);
        add(words, kind & 16 ? shift : 0, 4);
        g_byte_array_append(words, head + 8, 8);
        len = has_data && asked <= MAX_WORDS ? asked : 0;
        g_byte_array_set_size(words, words->len + len);
        memset(words->data + words->len - len, 0, len);
        return false;
    }
    len = (kind & 7) == 1 || (kind & 7) == 6 ? MIN(asked, (shift >> 4) * 512u + 512)
          : (kind & 7) == 2                  ? 4
          : (kind & 7) == 3                  ? (shift >> 4) * 4u
                                             : shift >> 5;
    add(words, NBD_STRUCTURED_MAGIC, 4);
    add(words, kind & 16 ? NBD_CHUNK_DONE : 0, 2);
    add(words, types[kind & 7], 2);
    g_byte_array_append(words, head + 8, 8);
    add(words, len + ((kind & 7) && (kind & 7) < 3 ? 8 : 0), 4);
    if ((kind & 7) == 1 || (kind & 7) == 2) {
        add(words, kind & 32 ? take_number(input, 8) : offset, 8);
    }
    for (unsigned i = 0; i < len; i++) {
        add(words, i < 32 ? take(input) : 0, 1);
    }
    return !(kind & 16);
}

static void
speak_by_records(int fd, Input *input)
{
    g_autoptr(GByteArray) words = g_byte_array_new();
    uint8_t head[NBD_REQUEST_BYTES];

    if (take(input) & 1) {
        agree(words);
        say(fd, words);
        hear_and_forget(fd, OUR_OPTIONS_BYTES);
    } else if (!agree_by_records(fd, input, words)) {
        return;
    }
    while (input->len > 0 && hear(fd, head, sizeof(head))) {
        if (nbd_get16(head + 6) == NBD_CMD_WRITE && !hear_and_forget(fd, nbd_get32(head + 24))) {
            return;
        }
        for (unsigned i = 0; i < MAX_CHUNKS && add_chunk(words, head, input); i++) {
        }
        say(fd, words);
    }
}

static gpointer
speak(gpointer opaque)
{
    const struct timeval patience = { .tv_usec = 100 * 1000 };
    Speaker *speaker = opaque;
    int fd = accept(speaker->fd, NULL, NULL);
    char buf[4096];

    unlink(speaker->path);
    if (fd >= 0) {
        /* both may wait for the other; then it hangs up */
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        if (speaker->input) {
            speak_by_records(fd, speaker->input);
        } else {
            say(fd, speaker->words);
        }
        shutdown(fd, SHUT_WR);
        while (read(fd, buf, sizeof(buf)) > 0) {
        }
        close(fd);
    }
    return NULL;
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
    blk_image_write_zeroes(image, 8192, 4096, true);
    blk_image_discard(image, 8192, 4096);
    blk_image_flush(image);
    blk_image_read(image, 65536, buf, sizeof(buf));
}

static void
fuzz_client(BlkGraph *graph, bool agreed, bool by_records, const uint8_t *data, size_t size)
{
    Input input = { data, size };
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
    speaker.input = by_records ? &input : NULL;
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
    if (data[0] % 5 == 0) {
        fuzz_server(graph, data + 1, size - 1);
    } else if (data[0] % 5 == 3) {
        Input input = { data + 1, size - 1 };
        g_autoptr(GByteArray) words = g_byte_array_new();
        add_talk(words, &input);
        fuzz_server(graph, words->data, words->len);
    } else {
        fuzz_client(graph, data[0] % 5 == 2, data[0] % 5 == 4, data + 1, size - 1);
    }
    blk_graph_free(graph);
    return 0;
}
