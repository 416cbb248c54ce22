/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The stub's connection: bytes in, packets out, and when the guest runs. A debugger that connects
 * stops the guest; one that detaches lets it go; one that goes away without a word leaves it as it
 * is, without its points.
 * "Debugging with GDB", appendix Remote Serial Protocol: Stop Reply Packets, Interrupts.
 * Thread: machine thread, device lock held. */

#include "gdb-private.h"

#include <string.h>

static void
write_packet(VitGdb *gdb, const char *payload, size_t len)
{
    g_string_free(gdb->last, TRUE);
    gdb->last = gdb_frame(payload, len);
    vit_chardev_write_all(gdb->chr, gdb->last->str, gdb->last->len);
}

void
gdb_send_bytes(VitGdb *gdb, const char *payload, size_t len)
{
    write_packet(gdb, payload, len);
}

void
gdb_send(VitGdb *gdb, const char *payload)
{
    write_packet(gdb, payload, strlen(payload));
}

void
gdb_send_ok(VitGdb *gdb)
{
    gdb_send(gdb, "OK");
}

void
gdb_send_error(VitGdb *gdb)
{
    gdb_send(gdb, "E01");
}

void
gdb_send_stop(VitGdb *gdb, unsigned signal, const char *detail)
{
    g_autofree char *text =
        g_strdup_printf("T%02xthread:%02x;%s", signal, gdb->stopped_cpu + 1, detail);

    gdb_send(gdb, text);
}

/* ---- Running ---- */

void
gdb_resume(VitGdb *gdb, const VitGdbAction *actions)
{
    gdb->running = true;
    if (!gdb->ops->resume(gdb->host, actions, gdb->masks_irqs)) {
        gdb->running = false;
        gdb_send_stop(gdb, GDB_SIGNAL_INT, "");
    }
}

void
gdb_clear_points(VitGdb *gdb)
{
    if (gdb->points->len) {
        g_array_set_size(gdb->points, 0);
        gdb->ops->set_points(gdb->host, NULL, 0);
    }
}

/* The debugger wants the guest to stand still. */
static void
interrupt(VitGdb *gdb)
{
    bool owed = gdb->running;

    gdb->running = false;
    if (gdb->ops->is_running(gdb->host)) {
        gdb->ops->stop(gdb->host);
    }
    if (owed) {
        gdb_send_stop(gdb, GDB_SIGNAL_INT, "");
    }
}

void
vit_gdb_stopped(VitGdb *gdb, unsigned cpu, const VitCpuDebug *debug)
{
    static const char *const kinds[] = { "", "watch", "rwatch", "awatch" };
    g_autofree char *detail = NULL;

    if (!gdb->running) {
        return;
    }
    gdb->running = false;
    gdb->stopped_cpu = gdb->cpu = cpu;
    switch (debug->stop) {
    case VIT_DEBUG_STOP_WATCHPOINT:
        detail = g_strdup_printf("%s:%" G_GINT64_MODIFIER "x;", kinds[debug->watch_kind & 3],
                                 debug->address);
        break;
    case VIT_DEBUG_STOP_BREAKPOINT:
        detail = g_strdup(gdb->reports_points ? "swbreak:;" : "");
        break;
    default: detail = g_strdup(""); break;
    }
    gdb_send_stop(gdb, GDB_SIGNAL_TRAP, detail);
}

void
vit_gdb_paused(VitGdb *gdb)
{
    if (gdb->running) {
        gdb->running = false;
        gdb_send_stop(gdb, GDB_SIGNAL_INT, "");
    }
}

void
vit_gdb_exited(VitGdb *gdb, int status)
{
    if (gdb->running) {
        g_autofree char *text = g_strdup_printf("W%02x", status & 0xff);

        gdb->running = false;
        gdb_send(gdb, text);
    }
}

/* ---- The connection ---- */

static void
start_session(VitGdb *gdb)
{
    gdb->framer.state = GDB_IDLE;
    gdb->no_ack = gdb->reports_points = gdb->physical = false;
    gdb->masks_irqs = true;
    gdb->cpu = gdb->stopped_cpu = 0;
    gdb->cpu_continue = GDB_ALL_CPUS;
    gdb->running = false;
    gdb_clear_points(gdb);
}

static void
take_packet(VitGdb *gdb)
{
    g_autofree char *payload = g_memdup2(gdb->framer.payload->str, gdb->framer.payload->len + 1);

    if (!gdb->no_ack) {
        vit_chardev_write_all(gdb->chr, "+", 1);
    }
    if (gdb->ops->is_running(gdb->host)) {
        interrupt(gdb); /* nothing can be looked at in a guest that runs */
    }
    gdb_command(gdb, payload, gdb->framer.payload->len);
}

static void
feed(VitGdb *gdb, uint8_t byte)
{
    switch (gdb_framer_feed(&gdb->framer, byte)) {
    case GDB_FRAME_PACKET: take_packet(gdb); break;
    case GDB_FRAME_BAD:
        if (!gdb->no_ack) {
            vit_chardev_write_all(gdb->chr, "-", 1);
        }
        break;
    case GDB_FRAME_INTERRUPT: interrupt(gdb); break;
    case GDB_FRAME_NAK: vit_chardev_write_all(gdb->chr, gdb->last->str, gdb->last->len); break;
    case GDB_FRAME_ACK:
    case GDB_FRAME_NONE: break;
    }
}

static size_t
can_receive(void *opaque)
{
    return GDB_PACKET_MAX;
}

static void
receive(void *opaque, const uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        feed(opaque, buf[i]);
    }
}

static void
event(void *opaque, VitChardevEvent event)
{
    VitGdb *gdb = opaque;

    switch (event) {
    case VIT_CHARDEV_OPENED:
        start_session(gdb);
        if (gdb->ops->is_running(gdb->host)) {
            gdb->ops->stop(gdb->host);
        }
        break;
    case VIT_CHARDEV_CLOSED: start_session(gdb); break;
    default: break;
    }
}

VitGdb *
vit_gdb_new(VitChardev *chr, bool has_long_mode, const VitGdbHostOps *ops, void *opaque,
            GError **error)
{
    VitGdb *gdb = g_new0(VitGdb, 1);

    gdb->chr = chr;
    gdb->ops = ops;
    gdb->host = opaque;
    gdb->has_long_mode = has_long_mode;
    gdb->last = g_string_new(NULL);
    gdb->points = g_array_new(FALSE, FALSE, sizeof(VitDebugPoint));
    gdb->description = gdb_regs_describe(has_long_mode);
    gdb_framer_init(&gdb->framer);
    start_session(gdb);
    gdb->front = (VitChardevFront){
        .can_receive = can_receive,
        .receive = receive,
        .event = event,
        .opaque = gdb,
    };
    if (!vit_chardev_attach(chr, &gdb->front, error)) {
        gdb->chr = NULL;
        vit_gdb_free(gdb);
        return NULL;
    }
    return gdb;
}

void
vit_gdb_free(VitGdb *gdb)
{
    if (!gdb) {
        return;
    }
    gdb_clear_points(gdb);
    if (gdb->chr) {
        vit_chardev_detach(gdb->chr, gdb);
    }
    gdb_framer_finish(&gdb->framer);
    g_string_free(gdb->last, TRUE);
    g_array_unref(gdb->points);
    g_free(gdb->description);
    g_free(gdb);
}

VitChardev *
vit_gdb_get_chardev(const VitGdb *gdb)
{
    return gdb->chr;
}
