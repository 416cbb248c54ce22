/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Runs a 9P server for a device.
 *
 *  1. Requests are copied before they go to a worker; a worker never touches guest memory, nor
 *     takes the device lock. So who holds that lock may wait for workers (drain).
 *  2. Finished requests stand in a queue of their own; one idle source on the machine's context
 *     delivers them. Everything else here belongs to the device lock.
 *  3. Tflush goes to no worker: it marks the request it names, which, if no worker has begun it,
 *     answers EINTR, and is answered right after it.
 *
 *  4. Reads and writes above the limits are held before they go to a worker, so that other requests
 *     pass them; the source's time says when the next may go. A drain lets all go.
 *
 * Thread: machine thread, device lock held; run_one() on workers. */

#include "fs9p-session.h"

#include <errno.h>
#include <string.h>

enum { WORKERS = 4 };

typedef struct Session Session;

typedef struct Request {
    Session *session;
    VitFsdevDone done;
    void *opaque, *cookie;
    uint8_t *bytes, *answer;
    size_t len, room, answer_len;
    bool is_held;
    gint is_cancelled; /* atomic */
    GSList *flushes;   /* Request: to be answered after it */
} Request;

struct Session {
    VitFsdev fsdev; /* first */
    Fs9pFs *fs;
    Fs9pServer *server;
    GMainContext *context;
    GThreadPool *pool;
    GPtrArray *running; /* Request, not delivered yet */
    VitThrottle throttle;
    GQueue held[2]; /* Request; reads, writes */
    GMutex lock;
    GCond finished;
    GQueue ready; /* Request; under the lock */
    GSource *source;
};

static unsigned
tag_of(const Request *request)
{
    return request->len < FS9P_HEADER_BYTES ? FS9P_NOTAG
                                            : request->bytes[5] | request->bytes[6] << 8;
}

static void
request_free(Request *request)
{
    g_free(request->bytes);
    g_free(request->answer);
    g_free(request);
}

/* On a worker. */
static void
run_one(gpointer data, gpointer opaque)
{
    Request *request = data;
    Session *session = opaque;

    request->answer = g_malloc(MAX(request->room, 1));
    request->answer_len =
        g_atomic_int_get(&request->is_cancelled)
            ? fs9p_answer_error(request->bytes, request->len, EINTR, request->answer, request->room)
            : fs9p_server_handle(session->server, request->bytes, request->len, request->answer,
                                 request->room);
    g_mutex_lock(&session->lock);
    g_queue_push_tail(&session->ready, request);
    g_cond_signal(&session->finished);
    g_mutex_unlock(&session->lock);
    g_main_context_wakeup(session->context);
}

static void
answer(Request *request)
{
    request->done(request->opaque, request->cookie, request->answer, request->answer_len);
    request_free(request);
}

static void
deliver(Session *session, Request *request)
{
    GSList *flushes = g_slist_reverse(g_steal_pointer(&request->flushes));

    g_ptr_array_remove_fast(session->running, request);
    answer(request);
    for (GSList *link = flushes; link; link = link->next) {
        answer(link->data);
    }
    g_slist_free(flushes);
}

static Request *
take_ready(Session *session, bool wait)
{
    Request *request;

    g_mutex_lock(&session->lock);
    while (!(request = g_queue_pop_head(&session->ready)) && wait) {
        g_cond_wait(&session->finished, &session->lock);
    }
    g_mutex_unlock(&session->lock);
    return request;
}

/* ---- Limits ---- */

enum { COUNT_AT = FS9P_HEADER_BYTES + 4 + 8 }; /* of Tread and Twrite */

static bool
is_limited(const Session *session, const Request *request)
{
    bool any = false;

    for (unsigned i = 0; i < VIT_LIMITS; i++) {
        any |= session->throttle.config.limits[i].rate != 0;
    }
    return any && request->len >= COUNT_AT + 4 &&
           (request->bytes[4] == FS9P_TREAD || request->bytes[4] == FS9P_TWRITE);
}

static void
let_go(Session *session, Request *request)
{
    request->is_held = false;
    g_thread_pool_push(session->pool, request, NULL);
}

/* Those whose turn has come; ALL: whatever the limits say. */
static void
let_held_go(Session *session, bool all)
{
    double next_s = -1;

    for (unsigned is_write = 0; is_write < 2; is_write++) {
        GQueue *held = &session->held[is_write];
        Request *request;

        while ((request = g_queue_peek_head(held))) {
            Fs9pReader in = { request->bytes + COUNT_AT, request->bytes + request->len, false };
            double delay_s = all ? 0 : vit_throttle_delay_s(&session->throttle, is_write);

            if (delay_s > 0) {
                next_s = next_s < 0 ? delay_s : MIN(next_s, delay_s);
                break;
            }
            vit_throttle_count(&session->throttle, is_write, fs9p_get(&in, 4));
            g_queue_pop_head(held);
            let_go(session, request);
        }
    }
    g_source_set_ready_time(session->source,
                            next_s < 0 ? -1 : g_get_monotonic_time() + 1 + (int64_t)(next_s * 1e6));
}

static void
hold(Session *session, Request *request)
{
    request->is_held = true;
    g_queue_push_tail(&session->held[request->bytes[4] == FS9P_TWRITE], request);
    let_held_go(session, false);
}

/* ---- The source: ready while something is to be delivered ---- */

typedef struct ReadySource {
    GSource source;
    Session *session;
} ReadySource;

static gboolean
source_check(GSource *source)
{
    Session *session = ((ReadySource *)source)->session;
    bool is_ready;

    g_mutex_lock(&session->lock);
    is_ready = !g_queue_is_empty(&session->ready);
    g_mutex_unlock(&session->lock);
    return is_ready;
}

static gboolean
source_prepare(GSource *source, gint *timeout)
{
    *timeout = -1;
    return source_check(source);
}

static gboolean
source_dispatch(GSource *source, GSourceFunc func, gpointer data)
{
    Session *session = ((ReadySource *)source)->session;
    Request *request;

    let_held_go(session, false);
    while ((request = take_ready(session, false))) {
        deliver(session, request);
    }
    return G_SOURCE_CONTINUE;
}

static const GSourceFuncs source_funcs = { source_prepare, source_check, source_dispatch };

/* ---- VitFsdev ---- */

static Request *
find_tag(Session *session, unsigned tag)
{
    for (guint i = 0; i < session->running->len; i++) {
        Request *request = session->running->pdata[i];
        if (tag_of(request) == tag) {
            return request;
        }
    }
    return NULL;
}

/* The answer to a flush is made now; whether it goes now hangs on the request it names. */
static void
flush(Session *session, Request *request)
{
    const uint8_t *bytes = request->bytes + FS9P_HEADER_BYTES;
    Request *old =
        request->len >= FS9P_HEADER_BYTES + 2 ? find_tag(session, bytes[0] | bytes[1] << 8) : NULL;

    request->answer = g_malloc(MAX(request->room, 1));
    request->answer_len = fs9p_server_handle(session->server, request->bytes, request->len,
                                             request->answer, request->room);
    if (old) {
        g_atomic_int_set(&old->is_cancelled, 1);
        old->flushes = g_slist_prepend(old->flushes, request);
        if (old->is_held) {
            g_queue_remove(&session->held[old->bytes[4] == FS9P_TWRITE], old);
            let_go(session, old);
        }
    } else {
        answer(request);
    }
}

static void
session_request(VitFsdev *fsdev, const uint8_t *bytes, size_t len, size_t room, VitFsdevDone done,
                void *opaque, void *cookie)
{
    Session *session = (Session *)fsdev;
    Request *request = g_new0(Request, 1);

    *request = (Request){ .session = session,
                          .done = done,
                          .opaque = opaque,
                          .cookie = cookie,
                          .bytes = g_memdup2(bytes, len),
                          .len = len,
                          .room = room };
    if (len >= FS9P_HEADER_BYTES && bytes[4] == FS9P_TFLUSH) {
        flush(session, request);
        return;
    }
    g_ptr_array_add(session->running, request);
    if (is_limited(session, request)) {
        hold(session, request);
    } else {
        let_go(session, request);
    }
}

static void
session_drain(VitFsdev *fsdev)
{
    Session *session = (Session *)fsdev;

    let_held_go(session, true);
    while (session->running->len > 0) {
        deliver(session, take_ready(session, true));
    }
}

static void
session_reset(VitFsdev *fsdev)
{
    fs9p_server_reset(((Session *)fsdev)->server);
}

static bool
session_is_mounted(VitFsdev *fsdev)
{
    return fs9p_server_is_mounted(((Session *)fsdev)->server);
}

static void
session_free(VitFsdev *fsdev)
{
    Session *session = (Session *)fsdev;

    session_drain(fsdev);
    g_thread_pool_free(session->pool, FALSE, TRUE);
    g_source_destroy(session->source);
    g_source_unref(session->source);
    fs9p_server_free(session->server);
    fs9p_fs_free(session->fs);
    g_ptr_array_unref(session->running);
    g_mutex_clear(&session->lock);
    g_cond_clear(&session->finished);
    g_free(fsdev->id);
    g_free(session);
}

static void
warn(void *opaque, const char *line)
{
    g_printerr("fsdev %s: %s.\n", ((VitFsdev *)opaque)->id, line);
}

VitFsdev *
fs9p_session_new(const char *id, Fs9pFs *fs, Fs9pMultidevs multidevs,
                 const VitThrottleConfig *limits, GMainContext *context)
{
    Session *session = g_new0(Session, 1);

    session->fsdev = (VitFsdev){ .id = g_strdup(id),
                                 .request = session_request,
                                 .drain = session_drain,
                                 .reset = session_reset,
                                 .is_mounted = session_is_mounted,
                                 .free = session_free };
    session->fs = fs;
    session->server = fs9p_server_new(fs, multidevs, warn, session);
    session->context = context;
    session->running = g_ptr_array_new();
    session->pool = g_thread_pool_new(run_one, session, WORKERS, FALSE, NULL);
    g_mutex_init(&session->lock);
    g_cond_init(&session->finished);
    g_queue_init(&session->ready);
    vit_throttle_configure(&session->throttle, limits ? limits : &(VitThrottleConfig){ 0 });
    session->source = g_source_new((GSourceFuncs *)&source_funcs, sizeof(ReadySource));
    ((ReadySource *)session->source)->session = session;
    g_source_attach(session->source, context);
    return &session->fsdev;
}
