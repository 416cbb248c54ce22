/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* From a console's surface to a triple buffer. The machine thread publishes; a viewer takes.
 *
 * Invariants:
 *  1. Of the three frames one is the viewer's, one is the newest published (or free when the
 *     viewer has it), one is the writer's. Only their roles change hands, under `mutex`, which is
 *     never held while pixels are copied.
 *  2. Each frame knows what has changed on the surface since it was last written (stale); writing
 *     brings exactly that up to date.
 *  3. What the viewer is told to redraw is everything that changed since the frame it had before.
 */

#include "vit-clock.h"
#include "vit-console.h"
#include "vit-display.h"

typedef struct DisplayPublisher DisplayPublisher;

/* READY is called on the machine thread when a newer frame waits and the viewer has taken the one
 * announced before; RESIZED before it when the size is new; CURSOR when the pointer image or place
 * changed. */
typedef struct DisplayPublisherEvents {
    void (*ready)(void *opaque);
    void (*cursor)(void *opaque);
    void *opaque;
} DisplayPublisherEvents;

DisplayPublisher *display_publisher_new(VitConsole *console, VitClock *clock,
                                        const DisplayPublisherEvents *events);
/* Lets go of the console; the last frame stays. Device lock held. */
void display_publisher_detach(DisplayPublisher *publisher);
/* After detach. Any thread. */
void display_publisher_free(DisplayPublisher *publisher);
/* Asks the console for an update and publishes when there is damage. Machine thread, lock held. */
void display_publisher_refresh(DisplayPublisher *publisher);
/* How many frames were published. Machine thread. */
uint64_t display_publisher_count(const DisplayPublisher *publisher);
/* All of SURFACE as words 0xffRRGGBB. Device lock held. */
void display_publisher_convert(const VitSurface *surface, uint32_t *out_pixels);
/* Viewer's side, any one thread. */
const VitFrame *display_publisher_take(DisplayPublisher *publisher);
void display_publisher_release(DisplayPublisher *publisher);
