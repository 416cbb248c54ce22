/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Keys that monitors press: down one after the other, held, released in the contrary order. What
 * is asked for while keys are down waits, so that a script may send a whole text at once.
 * Thread: machine thread; the timeout takes the device lock. */

#include "monitor-private.h"

#include "vit-input-hub.h"

enum { QUEUE_MAX = 4096 };

typedef struct {
    uint16_t code; /* 0: only the pause */
    bool down;
    uint32_t pause_ms; /* afterwards */
} KeyStep;

struct MonKeys {
    VitMonitors *monitors;
    GQueue steps; /* KeyStep * */
    GSource *timeout;
};

static void run_steps(MonKeys *keys);

MonKeys *
mon_keys_new(VitMonitors *monitors)
{
    MonKeys *keys = g_new0(MonKeys, 1);

    keys->monitors = monitors;
    g_queue_init(&keys->steps);
    return keys;
}

static void
clear_timeout(MonKeys *keys)
{
    if (keys->timeout) {
        g_source_destroy(keys->timeout);
        g_clear_pointer(&keys->timeout, g_source_unref);
    }
}

void
mon_keys_free(MonKeys *keys)
{
    clear_timeout(keys);
    g_queue_clear_full(&keys->steps, g_free);
    g_free(keys);
}

static gboolean
on_timeout(gpointer data)
{
    MonKeys *keys = data;
    VitLock *lock = keys->monitors->platform->lock;

    vit_lock_take(lock);
    if (!g_source_is_destroyed(g_main_current_source())) {
        clear_timeout(keys);
        run_steps(keys);
    }
    vit_lock_release(lock);
    return G_SOURCE_REMOVE;
}

static void
run_steps(MonKeys *keys)
{
    VitPlatform *platform = keys->monitors->platform;

    while (!keys->timeout && keys->steps.length > 0) {
        g_autofree KeyStep *step = g_queue_pop_head(&keys->steps);
        if (step->code) {
            vit_input_key(platform->input, step->code, step->down);
            vit_input_sync(platform->input);
        }
        if (step->pause_ms > 0) {
            keys->timeout = g_timeout_source_new(step->pause_ms);
            g_source_set_callback(keys->timeout, on_timeout, keys, NULL);
            g_source_attach(keys->timeout, platform->context);
        }
    }
}

static void
add_step(MonKeys *keys, unsigned code, bool down, unsigned pause_ms)
{
    KeyStep *step = g_new(KeyStep, 1);

    *step = (KeyStep){ .code = code, .down = down, .pause_ms = pause_ms };
    g_queue_push_tail(&keys->steps, step);
}

void
mon_keys_press(MonKeys *keys, const unsigned *codes, unsigned count, unsigned hold_ms)
{
    if (keys->steps.length + 2 * count > QUEUE_MAX) {
        return; /* nobody types that far ahead */
    }
    for (unsigned i = 0; i < count; i++) {
        add_step(keys, codes[i], true, i + 1 == count ? hold_ms : 0);
    }
    for (unsigned i = count; i > 0; i--) {
        /* A gap, so that the same key twice is two keystrokes. */
        add_step(keys, codes[i - 1], false, i == 1 ? 10 : 0);
    }
    run_steps(keys);
}
