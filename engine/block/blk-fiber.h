/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Stackful fibers: what lets format drivers be written as straight code that waits for I/O.
 *
 * This is only the switch. Scheduling, waiting and waking belong to BlkContext; everything outside
 * blk-fiber.c and blk-context.c uses that. A fiber may be suspended by one thread and resumed by
 * another, so code that waits keeps no address of thread-local data (errno!) across the wait:
 * system calls are made by pool workers or in functions that do not wait. */

#include <stdbool.h>
#include <stddef.h>

typedef struct BlkFiber BlkFiber;
typedef void (*BlkFiberFunc)(void *opaque);

/* A suspended fiber with a stack of its own; NULL when the host has no memory. */
BlkFiber *blk_fiber_new(void);
/* Only when it is not running anything. */
void blk_fiber_free(BlkFiber *fiber);
/* Gives an idle fiber its work; the first resume starts it. */
void blk_fiber_set(BlkFiber *fiber, BlkFiberFunc func, void *opaque);
/* Runs FIBER until it suspends or its work ends. True when the work ended. */
bool blk_fiber_resume(BlkFiber *fiber);
/* Called on FIBER's own stack: returns to whoever resumed it. */
void blk_fiber_suspend(BlkFiber *fiber);
/* A pointer that is the scheduler's; it stays when the fiber gets other work. */
void **blk_fiber_home(BlkFiber *fiber);
/* Link for the queue the fiber is on; a fiber is on one at most. */
BlkFiber **blk_fiber_next(BlkFiber *fiber);
