/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A machine that exists only as answers to its debugger: two CPUs' registers, a page of memory. The
 * debugger's side is typed into a vc. */

#include <string.h>

#include "gdb-packet.h"
#include "vit-char.h"
#include "vit-gdb.h"

enum { RIG_CPUS = 2, RIG_MEMORY = 0x1000, RIG_VIRTUAL = 0x40000000 };

typedef struct Rig {
    VitLock lock;
    VitChardev *chr;
    VitCharVcView view;
    VitGdb *gdb;
    GString *seen;
    X86State states[RIG_CPUS];
    uint8_t memory[RIG_MEMORY];
    bool running, refuses_points, killed, masks_irqs;
    VitGdbAction actions[RIG_CPUS];
    unsigned resumes, changes, n_points;
    VitDebugPoint point; /* the last */
} Rig;

static unsigned
rig_get_n_cpus(void *opaque)
{
    return RIG_CPUS;
}

static bool
rig_is_running(void *opaque)
{
    return ((Rig *)opaque)->running;
}

static void
rig_stop(void *opaque)
{
    ((Rig *)opaque)->running = false;
}

static bool
rig_resume(void *opaque, const VitGdbAction *actions, bool step_masks_irqs)
{
    Rig *rig = opaque;

    rig->running = true;
    rig->resumes++;
    rig->masks_irqs = step_masks_irqs;
    memcpy(rig->actions, actions, sizeof(rig->actions));
    return true;
}

static void
rig_kill(void *opaque)
{
    ((Rig *)opaque)->killed = true;
}

static bool
rig_set_points(void *opaque, const VitDebugPoint *points, unsigned n_points)
{
    Rig *rig = opaque;

    if (rig->refuses_points && n_points > rig->n_points) {
        return false;
    }
    rig->n_points = n_points;
    if (n_points) {
        rig->point = points[n_points - 1];
    }
    return true;
}

static char *
rig_run_monitor(void *opaque, const char *line)
{
    return g_strdup_printf("did %s\n", line);
}

static X86State *
rig_get_state(void *opaque, unsigned cpu)
{
    g_assert_cmpuint(cpu, <, RIG_CPUS);
    return &((Rig *)opaque)->states[cpu];
}

static void
rig_state_changed(void *opaque, unsigned cpu)
{
    ((Rig *)opaque)->changes++;
}

/* Virtual addresses from RIG_VIRTUAL up are physical 0 up. */
static uint8_t *
rig_find(Rig *rig, bool physical, uint64_t address, size_t len)
{
    if (!physical) {
        address -= RIG_VIRTUAL;
    }
    return address < RIG_MEMORY && len <= RIG_MEMORY - address ? rig->memory + address : NULL;
}

static bool
rig_read_memory(void *opaque, unsigned cpu, bool physical, uint64_t address, void *buf, size_t len)
{
    const uint8_t *from = rig_find(opaque, physical, address, len);

    if (from) {
        memcpy(buf, from, len);
    }
    return from != NULL;
}

static bool
rig_write_memory(void *opaque, unsigned cpu, bool physical, uint64_t address, const void *buf,
                 size_t len)
{
    uint8_t *to = rig_find(opaque, physical, address, len);

    if (to) {
        memcpy(to, buf, len);
    }
    return to != NULL;
}

static const VitGdbHostOps rig_ops = {
    .get_n_cpus = rig_get_n_cpus,
    .is_running = rig_is_running,
    .stop = rig_stop,
    .resume = rig_resume,
    .kill = rig_kill,
    .set_points = rig_set_points,
    .run_monitor = rig_run_monitor,
    .get_state = rig_get_state,
    .state_changed = rig_state_changed,
    .read_memory = rig_read_memory,
    .write_memory = rig_write_memory,
};

static inline void
rig_output(void *opaque, const uint8_t *buf, size_t len)
{
    g_string_append_len(((Rig *)opaque)->seen, (const char *)buf, (gssize)len);
}

static inline Rig *
rig_new(bool has_long_mode)
{
    Rig *rig = g_aligned_alloc0(1, sizeof(*rig), _Alignof(Rig));

    vit_lock_init(&rig->lock);
    vit_lock_take(&rig->lock);
    rig->seen = g_string_new(NULL);
    rig->chr = vit_char_make("vc", "gdb", NULL, NULL, 0, NULL);
    rig->view = (VitCharVcView){ .output = rig_output, .opaque = rig };
    g_assert_true(vit_chardev_open(rig->chr, NULL, &rig->lock, NULL));
    vit_char_vc_add_view(rig->chr, &rig->view);
    for (unsigned i = 0; i < RIG_CPUS; i++) {
        rig->states[i].rip = 0x1000 * (i + 1);
        rig->states[i].cr0 = X86_CR0_PE;
    }
    rig->gdb = vit_gdb_new(rig->chr, has_long_mode, &rig_ops, rig, NULL);
    g_assert_nonnull(rig->gdb);
    return rig;
}

static inline void
rig_free(Rig *rig)
{
    vit_gdb_free(rig->gdb);
    vit_chardev_free(rig->chr);
    vit_lock_release(&rig->lock);
    vit_lock_finish(&rig->lock);
    g_string_free(rig->seen, TRUE);
    g_aligned_free(rig);
}

/* Sends bytes as they are; what comes is in `seen`, which held nothing before. */
static inline const char *
rig_type(Rig *rig, const char *bytes, size_t len)
{
    g_string_truncate(rig->seen, 0);
    vit_char_vc_input(rig->chr, (const uint8_t *)bytes, len);
    return rig->seen->str;
}

/* Sends one packet, returns the payload of the first answer, "" when there is none. */
static inline char *
rig_ask_bytes(Rig *rig, const char *payload, size_t payload_len)
{
    GString *frame = gdb_frame(payload, payload_len);
    GdbFramer framer;
    char *answer = NULL;

    rig_type(rig, frame->str, frame->len);
    gdb_framer_init(&framer);
    for (gsize i = 0; !answer && i < rig->seen->len; i++) {
        if (gdb_framer_feed(&framer, (uint8_t)rig->seen->str[i]) == GDB_FRAME_PACKET) {
            answer = g_strndup(framer.payload->str, framer.payload->len);
        }
    }
    gdb_framer_finish(&framer);
    g_string_free(frame, TRUE);
    return answer ? answer : g_strdup("");
}

static inline char *
rig_ask(Rig *rig, const char *payload)
{
    return rig_ask_bytes(rig, payload, strlen(payload));
}

#define rig_expect(rig, payload, answer)                      \
    do {                                                      \
        g_autofree char *rig_got = rig_ask((rig), (payload)); \
        g_assert_cmpstr(rig_got, ==, (answer));               \
    } while (0)
