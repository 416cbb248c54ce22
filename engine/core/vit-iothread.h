/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A thread that does the I/O of devices which name it (-object iothread, iothread=): it runs the
 * handlers of their queues and the completions of their drives, so that neither a CPU at its
 * doorbell nor the machine thread does.
 *
 * Locking. What the thread runs touches device and block state, which is all guarded by the device
 * lock; it takes that lock around each batch, as the machine thread does around its own
 * dispatching. It is thus one more thread that may hold the lock, and nothing that holds it needs
 * to know which. What is new is what happens without the lock:
 *  1. A call is posted from any thread. Posting touches the call's own atomic members, the list
 * head by atomic operations, and the thread's wake-up; no device state. So a CPU rings a bell
 *     without waiting for the lock, however long a batch holds it.
 *  2. Calls leave the list with the lock held only. A thread that holds the lock can therefore take
 *     a call off the list for good (vit_iothread_cancel): it is not about to run elsewhere.
 *  3. A call is marked as not posted before it runs. A bell rung while it runs posts it again, so
 *     none is lost; what it then finds may be nothing, which a queue's handler takes in its stride.
 *  4. The thread never waits for anybody with the lock held, and is joined without it.
 *
 * Under a clock that counts instructions everything is to happen at one place in the instruction
 * stream, so a post runs the call at once in the posting thread, with the lock. */

#include "vit-lock.h"

typedef struct VitIothread VitIothread;

/* Embedded in what is to be called; zero and FUNC, OPAQUE set. One call stands for any number of
 * posts that came before it runs. */
typedef struct VitIothreadCall {
    void (*func)(void *opaque); /* on the thread, device lock held */
    void *opaque;
    struct VitIothreadCall *next;
    uint32_t posted; /* atomic */
} VitIothreadCall;

/* As -object iothread gives them. The thread waits awake for calls up to POLL_MAX_NS before it
 * sleeps; how long is found out: times GROW (0: 2) as calls come just too late, through SHRINK
 * (0: down to nothing) as they do not. Set at any time, lock held. */
typedef struct VitIothreadPolling {
    int64_t max_ns, grow, shrink, batch;
} VitIothreadPolling;

/* Threads that make blocking calls for it: so many stay when they are idle, and so many are the
 * most. */
typedef struct VitWorkers {
    uint32_t min, max;
} VitWorkers;

#define VIT_WORKERS_DEFAULT ((VitWorkers){ .max = 64 })

/* Starts the thread. AT_ONCE: see above. NULL with ERROR. Thread: any. Ownership: caller. */
VitIothread *vit_iothread_new(const char *id, VitLock *lock, bool at_once, GError **error);
/* Ends it; no device uses it any more. Thread: any other; lets go of a lock held once meanwhile. */
void vit_iothread_free(VitIothread *thread);

const char *vit_iothread_get_id(const VitIothread *thread);
int64_t vit_iothread_get_host_id(VitIothread *thread); /* of the host's thread */
/* Where sources are attached that the thread is to dispatch; they take the lock themselves. NULL:
 * it works at once, in the thread that posts. */
GMainContext *vit_iothread_get_context(VitIothread *thread);
void vit_iothread_get_polling(VitIothread *thread, VitIothreadPolling *out);
void vit_iothread_set_polling(VitIothread *thread, const VitIothreadPolling *polling);
/* Before devices use it. */
void vit_iothread_set_workers(VitIothread *thread, VitWorkers workers);
VitWorkers vit_iothread_get_workers(const VitIothread *thread);

/* Runs CALL on the thread, soon. Thread: any, with or without the lock. */
void vit_iothread_post(VitIothread *thread, VitIothreadCall *call);
/* CALL does not run any more. Lock held. */
void vit_iothread_cancel(VitIothread *thread, VitIothreadCall *call);
/* Whether there is a device that uses it. Lock held. */
void vit_iothread_hold(VitIothread *thread);
void vit_iothread_release(VitIothread *thread);
bool vit_iothread_is_held(const VitIothread *thread);
