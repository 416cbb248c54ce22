/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The device lock. Recursive, because a device's DMA may land in another device's window while the
 * access that started it already holds the lock. `owner` is only trusted by the thread it names. */

#include "vit-lock.h"

enum { SPINS = 100 };

void
vit_lock_init(VitLock *lock)
{
    pthread_mutexattr_t attr;

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&lock->mutex, &attr);
    pthread_mutexattr_destroy(&attr);
    lock->depth = 0;
}

void
vit_lock_finish(VitLock *lock)
{
    pthread_mutex_destroy(&lock->mutex);
}

static void
note_taken(VitLock *lock)
{
    if (lock->depth == 0) {
        __atomic_store_n(&lock->owner, pthread_self(), __ATOMIC_RELAXED);
    }
    __atomic_store_n(&lock->depth, lock->depth + 1, __ATOMIC_RELAXED);
}

/* It is mostly held for less than it takes to fall asleep. */
static bool
take_soon(VitLock *lock)
{
    for (unsigned i = 0; i < SPINS; i++) {
        if (__atomic_load_n(&lock->depth, __ATOMIC_RELAXED) == 0 &&
            pthread_mutex_trylock(&lock->mutex) == 0) {
            return true;
        }
        __builtin_ia32_pause();
    }
    return false;
}

void
vit_lock_take(VitLock *lock)
{
    if (pthread_mutex_trylock(&lock->mutex) != 0 && !take_soon(lock)) {
        pthread_mutex_lock(&lock->mutex);
    }
    note_taken(lock);
}

bool
vit_lock_try(VitLock *lock)
{
    if (pthread_mutex_trylock(&lock->mutex) != 0) {
        return false;
    }
    note_taken(lock);
    return true;
}

void
vit_lock_release(VitLock *lock)
{
    __atomic_store_n(&lock->depth, lock->depth - 1, __ATOMIC_RELAXED);
    if (lock->depth == 0) {
        /* so that a stale owner never matches the thread that just let go */
        __atomic_store_n(&lock->owner, (pthread_t)0, __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&lock->mutex);
}

unsigned
vit_lock_release_all(VitLock *lock)
{
    unsigned depth = 0;

    while (vit_lock_is_held(lock)) {
        vit_lock_release(lock);
        depth++;
    }
    return depth;
}

void
vit_lock_retake(VitLock *lock, unsigned depth)
{
    while (depth--) {
        vit_lock_take(lock);
    }
}

bool
vit_lock_is_held(const VitLock *lock)
{
    return __atomic_load_n(&lock->depth, __ATOMIC_RELAXED) > 0 &&
           pthread_equal(__atomic_load_n(&lock->owner, __ATOMIC_RELAXED), pthread_self());
}
