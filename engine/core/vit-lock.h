/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The device lock: one per machine, recursive.
 *
 * Invariant: all device state of a machine is read and written with its device lock held. vCPU
 * threads take it in the address space, around an access to a device window; the machine thread
 * holds it whenever it dispatches timers and I/O completions. */

#include "vit-types.h"

#include <pthread.h>

/* What the thread that has the lock does as soon as it has let go of it. Embedded in what is to be
 * done; not touched once RUN has been called. */
typedef struct VitErrand VitErrand;
struct VitErrand {
    void (*run)(VitErrand *errand);
};

typedef struct VitLock {
    pthread_mutex_t mutex; /* recursive */
    pthread_t owner;       /* meaningful while depth > 0 */
    unsigned depth;
    bool takes_errands; /* the owner is in a guest's access, and waits for nobody behind it */
    VitErrand *errand;
} VitLock;

void vit_lock_init(VitLock *lock);
void vit_lock_finish(VitLock *lock);
void vit_lock_take(VitLock *lock);
/* Takes it if nobody else has it. */
bool vit_lock_try(VitLock *lock);
void vit_lock_release(VitLock *lock);
/* For waiting for threads that need the lock: lets go of it however often the calling thread took
 * it, 0 times included, and returns how often; retake() with that number makes it as it was. */
unsigned vit_lock_release_all(VitLock *lock);
void vit_lock_retake(VitLock *lock, unsigned depth);
/* The caller, if it has nothing else to do with the lock, takes an errand along. */
void vit_lock_take_errands(VitLock *lock);
/* Gives the owner one; false: it takes none, or has one. Lock held, as in the next two. */
bool vit_lock_give_errand(VitLock *lock, VitErrand *errand);
/* For those who wait for what it does: theirs again. NULL: there is none. */
VitErrand *vit_lock_get_errand_back(VitLock *lock);
/* Whether the calling thread holds it; for assertions. */
bool vit_lock_is_held(const VitLock *lock);
