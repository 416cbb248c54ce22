/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Threads for the I/O of devices. The list of posted calls is a stack: pushed by compare and
 * exchange, emptied as a whole, put into order by whoever empties it. The header has the locking.
 * Thread: see the header; loop() and what it calls run on the thread itself. */

#include "vit-iothread.h"

#include "vit-error.h"

#include <sys/syscall.h>
#include <unistd.h>

enum { FIRST_POLL_NS = 4000 };

struct VitIothread {
    char *id;
    VitLock *lock;
    bool at_once;
    unsigned holders; /* under the lock */
    GMainContext *context;
    GThread *host;
    int64_t host_id; /* atomic; 0: not started yet */
    uint32_t quit;   /* atomic */
    VitIothreadCall *posted;
    int64_t max_ns, grow, shrink, batch; /* atomic */
    VitWorkers workers;
};

static int64_t
now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static bool
has_calls(VitIothread *thread)
{
    return __atomic_load_n(&thread->posted, __ATOMIC_RELAXED) ||
           __atomic_load_n(&thread->quit, __ATOMIC_RELAXED);
}

/* All posted calls, first posted first. Lock held. */
static VitIothreadCall *
take_calls(VitIothread *thread)
{
    VitIothreadCall *call = __atomic_exchange_n(&thread->posted, NULL, __ATOMIC_ACQUIRE);
    VitIothreadCall *first = NULL;

    while (call) {
        VitIothreadCall *next = call->next;
        call->next = first;
        first = call;
        call = next;
    }
    return first;
}

/* True: the list was empty. */
static bool
push_call(VitIothread *thread, VitIothreadCall *call)
{
    VitIothreadCall *head = __atomic_load_n(&thread->posted, __ATOMIC_RELAXED);

    do {
        call->next = head;
    } while (!__atomic_compare_exchange_n(&thread->posted, &head, call, true, __ATOMIC_RELEASE,
                                          __ATOMIC_RELAXED));
    return head == NULL;
}

static void
run_calls(VitIothread *thread)
{
    VitIothreadCall *call;

    vit_lock_take(thread->lock);
    /* A call may cancel another of its batch: each is on the list until its turn. */
    for (call = take_calls(thread); call;) {
        VitIothreadCall *rest = call->next;
        while (rest) {
            VitIothreadCall *next = rest->next;
            push_call(thread, rest);
            rest = next;
        }
        __atomic_store_n(&call->posted, 0, __ATOMIC_SEQ_CST);
        call->func(call->opaque);
        call = take_calls(thread);
    }
    vit_lock_release(thread->lock);
}

/* Waits awake for up to *WINDOW_NS, and makes the window fit what happened. False: nothing came. */
static bool
poll_calls(VitIothread *thread, int64_t *window_ns)
{
    int64_t end_ns = *window_ns > 0 ? now_ns() + *window_ns : 0;

    while (!has_calls(thread)) {
        if (end_ns == 0 || now_ns() >= end_ns) {
            return false;
        }
        __builtin_ia32_pause();
    }
    return true;
}

/* After sleeping SLEPT_NS for the next call. */
static void
adapt(VitIothread *thread, int64_t *window_ns, int64_t slept_ns)
{
    int64_t max_ns = __atomic_load_n(&thread->max_ns, __ATOMIC_RELAXED);
    int64_t grow = __atomic_load_n(&thread->grow, __ATOMIC_RELAXED);
    int64_t shrink = __atomic_load_n(&thread->shrink, __ATOMIC_RELAXED);

    if (slept_ns > max_ns) {
        *window_ns = shrink > 0 ? *window_ns / shrink : 0;
    } else if (*window_ns == 0) {
        *window_ns = MIN(FIRST_POLL_NS, max_ns);
    } else {
        int64_t factor = grow > 0 ? grow : 2;
        *window_ns = *window_ns > max_ns / factor ? max_ns : *window_ns * factor;
    }
}

static gpointer
loop(gpointer data)
{
    VitIothread *thread = data;
    int64_t window_ns = 0;

    __atomic_store_n(&thread->host_id, (int64_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
    g_main_context_push_thread_default(thread->context);
    while (!__atomic_load_n(&thread->quit, __ATOMIC_ACQUIRE)) {
        if (!poll_calls(thread, &window_ns)) {
            int64_t asleep_ns = now_ns();
            g_main_context_iteration(thread->context, TRUE);
            if (has_calls(thread)) {
                adapt(thread, &window_ns, now_ns() - asleep_ns);
            }
        } else {
            g_main_context_iteration(thread->context, FALSE); /* completions meanwhile */
        }
        if (__atomic_load_n(&thread->posted, __ATOMIC_RELAXED)) {
            run_calls(thread);
        }
    }
    g_main_context_pop_thread_default(thread->context);
    return NULL;
}

VitIothread *
vit_iothread_new(const char *id, VitLock *lock, bool at_once, GError **error)
{
    VitIothread *thread = g_new0(VitIothread, 1);

    thread->id = g_strdup(id);
    thread->lock = lock;
    thread->at_once = at_once;
    thread->workers = VIT_WORKERS_DEFAULT;
    thread->context = g_main_context_new();
    thread->host = g_thread_try_new("iothread", loop, thread, error);
    if (!thread->host) {
        g_prefix_error(error, "The thread of iothread '%s' cannot be started: ", id);
        g_main_context_unref(thread->context);
        g_free(thread->id);
        g_free(thread);
        return NULL;
    }
    return thread;
}

void
vit_iothread_free(VitIothread *thread)
{
    unsigned depth;

    g_assert(thread->holders == 0);
    __atomic_store_n(&thread->quit, 1, __ATOMIC_RELEASE);
    g_main_context_wakeup(thread->context);
    depth = vit_lock_release_all(thread->lock);
    g_thread_join(thread->host);
    vit_lock_retake(thread->lock, depth);
    g_main_context_unref(thread->context);
    g_free(thread->id);
    g_free(thread);
}

const char *
vit_iothread_get_id(const VitIothread *thread)
{
    return thread->id;
}

int64_t
vit_iothread_get_host_id(VitIothread *thread)
{
    int64_t id;

    while (!(id = __atomic_load_n(&thread->host_id, __ATOMIC_ACQUIRE))) {
        g_thread_yield(); /* it has just been made */
    }
    return id;
}

GMainContext *
vit_iothread_get_context(VitIothread *thread)
{
    return thread->at_once ? NULL : thread->context;
}

void
vit_iothread_get_polling(VitIothread *thread, VitIothreadPolling *out)
{
    *out = (VitIothreadPolling){ .max_ns = __atomic_load_n(&thread->max_ns, __ATOMIC_RELAXED),
                                 .grow = __atomic_load_n(&thread->grow, __ATOMIC_RELAXED),
                                 .shrink = __atomic_load_n(&thread->shrink, __ATOMIC_RELAXED),
                                 .batch = __atomic_load_n(&thread->batch, __ATOMIC_RELAXED) };
}

void
vit_iothread_set_polling(VitIothread *thread, const VitIothreadPolling *polling)
{
    __atomic_store_n(&thread->max_ns, polling->max_ns, __ATOMIC_RELAXED);
    __atomic_store_n(&thread->grow, polling->grow, __ATOMIC_RELAXED);
    __atomic_store_n(&thread->shrink, polling->shrink, __ATOMIC_RELAXED);
    __atomic_store_n(&thread->batch, polling->batch, __ATOMIC_RELAXED);
}

void
vit_iothread_set_workers(VitIothread *thread, VitWorkers workers)
{
    thread->workers = workers;
}

VitWorkers
vit_iothread_get_workers(const VitIothread *thread)
{
    return thread->workers;
}

/* ---- calls ---- */

void
vit_iothread_post(VitIothread *thread, VitIothreadCall *call)
{
    if (thread->at_once) {
        vit_lock_take(thread->lock);
        call->func(call->opaque);
        vit_lock_release(thread->lock);
        return;
    }
    if (__atomic_exchange_n(&call->posted, 1, __ATOMIC_SEQ_CST) == 0 && push_call(thread, call)) {
        g_main_context_wakeup(thread->context);
    }
}

void
vit_iothread_cancel(VitIothread *thread, VitIothreadCall *call)
{
    VitIothreadCall *next;

    g_assert(vit_lock_is_held(thread->lock));
    for (VitIothreadCall *at = take_calls(thread); at; at = next) {
        next = at->next;
        if (at == call) {
            __atomic_store_n(&at->posted, 0, __ATOMIC_SEQ_CST);
        } else if (push_call(thread, at)) {
            g_main_context_wakeup(thread->context);
        }
    }
}

void
vit_iothread_hold(VitIothread *thread)
{
    thread->holders++;
}

void
vit_iothread_release(VitIothread *thread)
{
    thread->holders--;
}

bool
vit_iothread_is_held(const VitIothread *thread)
{
    return thread->holders > 0;
}
