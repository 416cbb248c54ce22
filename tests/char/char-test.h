/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A front end that records what it is given, and a loop to wait with. */

#include <string.h>
#include <unistd.h>

#include "vit-char.h"
#include "vit-error.h"

typedef struct {
    VitChardevFront front;
    GString *got;
    size_t room; /* bytes it takes; SIZE_MAX = no limit */
    unsigned opened, closed, breaks, mux_in, mux_out, can_write;
} Recorder;

static inline size_t
recorder_can_receive(void *opaque)
{
    return ((Recorder *)opaque)->room;
}

static inline void
recorder_receive(void *opaque, const uint8_t *buf, size_t len)
{
    Recorder *rec = opaque;

    g_assert_cmpuint(len, <=, rec->room);
    rec->room -= rec->room == SIZE_MAX ? 0 : len;
    g_string_append_len(rec->got, (const char *)buf, len);
}

static inline void
recorder_event(void *opaque, VitChardevEvent event)
{
    Recorder *rec = opaque;

    rec->opened += event == VIT_CHARDEV_OPENED;
    rec->closed += event == VIT_CHARDEV_CLOSED;
    rec->breaks += event == VIT_CHARDEV_BREAK;
    rec->mux_in += event == VIT_CHARDEV_MUX_IN;
    rec->mux_out += event == VIT_CHARDEV_MUX_OUT;
}

static inline void
recorder_can_write(void *opaque)
{
    ((Recorder *)opaque)->can_write++;
}

static inline Recorder *
recorder_new(void)
{
    Recorder *rec = g_new0(Recorder, 1);

    rec->got = g_string_new(NULL);
    rec->room = SIZE_MAX;
    rec->front = (VitChardevFront){ .can_receive = recorder_can_receive,
                                    .receive = recorder_receive,
                                    .event = recorder_event,
                                    .can_write = recorder_can_write,
                                    .opaque = rec };
    return rec;
}

static inline void
recorder_free(Recorder *rec)
{
    g_string_free(rec->got, TRUE);
    g_free(rec);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Recorder, recorder_free)

/* Makes and opens a device from "kind,key=value,..." on the default context. */
static inline VitChardev *
open_spec(const char *spec, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(spec, ",", -1);
    g_autoptr(GPtrArray) keys = g_ptr_array_new();
    g_autoptr(GPtrArray) values = g_ptr_array_new();

    for (unsigned i = 1; parts[i]; i++) {
        char *equals = strchr(parts[i], '=');
        *equals = '\0';
        g_ptr_array_add(keys, parts[i]);
        g_ptr_array_add(values, equals + 1);
    }
    g_autoptr(VitChardev) chr = vit_char_make(parts[0], "test", (const char *const *)keys->pdata,
                                              (const char *const *)values->pdata, keys->len, error);
    if (!chr || !vit_chardev_open(chr, NULL, NULL, error)) {
        return NULL;
    }
    return g_steal_pointer(&chr);
}

/* Runs the loop until CONDITION holds, five seconds at most. */
#define WAIT_FOR(condition)                                                \
    do {                                                                   \
        int64_t wait_end_us = g_get_monotonic_time() + 5 * G_USEC_PER_SEC; \
        while (!(condition) && g_get_monotonic_time() < wait_end_us) {     \
            if (!g_main_context_iteration(NULL, FALSE)) {                  \
                g_usleep(500);                                             \
            }                                                              \
        }                                                                  \
        g_assert_true(condition);                                          \
    } while (0)
