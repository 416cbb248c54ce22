/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What ThreadSanitizer cannot see of GLib: its mutexes and conditions are built on futexes inside a
 * library that is not instrumented, and so is the way from attaching a source to its dispatch.
 * These stand in front of GLib's own functions, call them, and tell the sanitizer the order they
 * make. Linked into every program of a build with -Db_sanitize=thread, into nothing else. */

#include <dlfcn.h>
#include <glib.h>

void __tsan_acquire(void *address);
void __tsan_release(void *address);

/* The application is linked with these twice, once for its windows. */
#pragma weak g_mutex_lock
#pragma weak g_mutex_trylock
#pragma weak g_mutex_unlock
#pragma weak g_cond_wait
#pragma weak g_cond_wait_until
#pragma weak g_source_set_callback

/* GLib's own function of the same name. */
#define REAL(name)                                         \
    static __typeof__(&name) real;                         \
    if (!real) {                                           \
        real = (__typeof__(&name))dlsym(RTLD_NEXT, #name); \
    }

void
g_mutex_lock(GMutex *mutex)
{
    REAL(g_mutex_lock)
    real(mutex);
    __tsan_acquire(mutex);
}

gboolean
g_mutex_trylock(GMutex *mutex)
{
    REAL(g_mutex_trylock)
    gboolean taken = real(mutex);

    if (taken) {
        __tsan_acquire(mutex);
    }
    return taken;
}

void
g_mutex_unlock(GMutex *mutex)
{
    REAL(g_mutex_unlock)
    __tsan_release(mutex);
    real(mutex);
}

void
g_cond_wait(GCond *cond, GMutex *mutex)
{
    REAL(g_cond_wait)
    __tsan_release(mutex);
    real(cond, mutex);
    __tsan_acquire(mutex);
}

gboolean
g_cond_wait_until(GCond *cond, GMutex *mutex, gint64 end_time)
{
    REAL(g_cond_wait_until)
    gboolean signalled;

    __tsan_release(mutex);
    signalled = real(cond, mutex, end_time);
    __tsan_acquire(mutex);
    return signalled;
}

/* ---- Sources: what is set up before is seen by the callback ---- */

typedef struct Callback {
    GSourceFunc func;
    gpointer data;
    GDestroyNotify notify;
} Callback;

static gboolean
callback_run(gpointer data)
{
    Callback *callback = data;

    __tsan_acquire(callback);
    return callback->func(callback->data);
}

static void
callback_free(gpointer data)
{
    Callback *callback = data;

    __tsan_acquire(callback);
    if (callback->notify) {
        callback->notify(callback->data);
    }
    g_free(callback);
}

void
g_source_set_callback(GSource *source, GSourceFunc func, gpointer data, GDestroyNotify notify)
{
    REAL(g_source_set_callback)
    Callback *callback;

    /* the others hand their callbacks more than the data */
    if (source->source_funcs != &g_idle_funcs && source->source_funcs != &g_timeout_funcs) {
        real(source, func, data, notify);
        return;
    }
    callback = g_new(Callback, 1);
    *callback = (Callback){ func, data, notify };
    __tsan_release(callback);
    real(source, callback_run, callback, callback_free);
}
