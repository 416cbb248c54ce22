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
    lock->takes_errands = false;
    lock->errand = NULL;
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
    VitErrand *errand = NULL;

    __atomic_store_n(&lock->depth, lock->depth - 1, __ATOMIC_RELAXED);
    if (lock->depth == 0) {
        /* so that a stale owner never matches the thread that just let go */
        __atomic_store_n(&lock->owner, (pthread_t)0, __ATOMIC_RELAXED);
        errand = lock->errand;
        lock->errand = NULL;
        lock->takes_errands = false;
    }
    pthread_mutex_unlock(&lock->mutex);
    if (errand) {
        errand->run(errand);
    }
}

void
vit_lock_take_errands(VitLock *lock)
{
    lock->takes_errands |= lock->depth == 1; /* else who took it first has more to do */
}

bool
vit_lock_give_errand(VitLock *lock, VitErrand *errand)
{
    if (!lock->takes_errands || lock->errand) {
        return false;
    }
    lock->errand = errand;
    return true;
}

VitErrand *
vit_lock_get_errand_back(VitLock *lock)
{
    VitErrand *errand = lock->errand;

    lock->errand = NULL;
    return errand;
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
