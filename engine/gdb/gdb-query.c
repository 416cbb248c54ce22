/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* General queries: what the stub can do, threads, the target description, monitor commands, and
 * the settings that debuggers of QEMU know (qqemu.sstep, qqemu.PhyMemMode).
 * "Debugging with GDB", appendix Remote Serial Protocol, General Query Packets; QEMU's manual, "GDB
 * usage". There is no memory map: what lies where depends on the guest's paging.
 * Thread: machine thread, device lock held, CPUs parked. */

#include "gdb-private.h"

#include <string.h>

/* Bits of sstep. Timers always run. */
enum { STEP_ENABLE = 1, STEP_NO_IRQ = 2 };

static void
supported(VitGdb *gdb, const char *text)
{
    g_autofree char *answer = g_strdup_printf(
        "PacketSize=%x;qXfer:features:read+;vContSupported+;QStartNoAckMode+;swbreak+;hwbreak+",
        GDB_PACKET_MAX);

    gdb->reports_points = strstr(text, "swbreak+") != NULL;
    gdb_send(gdb, answer);
}

static void
no_ack(VitGdb *gdb, const char *text)
{
    gdb->no_ack = true;
    gdb_send_ok(gdb);
}

/* ---- Threads ---- */

static void
current_thread(VitGdb *gdb, const char *text)
{
    g_autofree char *answer = g_strdup_printf("QC%02x", gdb->cpu + 1);

    gdb_send(gdb, answer);
}

static void
more_threads(VitGdb *gdb, const char *text)
{
    g_autoptr(GString) answer = g_string_new(NULL);
    unsigned count = gdb->ops->get_n_cpus(gdb->host);

    while (gdb->listed < count && answer->len < 1000) {
        g_string_append_printf(answer, "%c%02x", answer->len ? ',' : 'm', gdb->listed++ + 1);
    }
    gdb_send(gdb, answer->len ? answer->str : "l");
}

static void
first_threads(VitGdb *gdb, const char *text)
{
    gdb->listed = 0;
    more_threads(gdb, text);
}

static void
describe_thread(VitGdb *gdb, const char *text)
{
    g_autoptr(GString) answer = g_string_new(NULL);
    int cpu;

    if (!gdb_parse_thread(gdb, &text, &cpu) || cpu == GDB_ALL_CPUS) {
        gdb_send_error(gdb);
        return;
    }
    g_autofree char *words = g_strdup_printf(
        "CPU#%d [%s]", cpu,
        gdb->ops->get_state(gdb->host, (unsigned)cpu)->activity == X86_ACTIVE ? "running"
                                                                              : "halted ");
    gdb_append_hex(answer, words, strlen(words));
    gdb_send(gdb, answer->str);
}

/* ---- The target description ---- */

static void
read_features(VitGdb *gdb, const char *text)
{
    size_t total = strlen(gdb->description);
    uint64_t offset, len;

    if (!g_str_has_prefix(text, "target.xml:")) {
        gdb_send(gdb, "E00");
        return;
    }
    text += strlen("target.xml:");
    if (!gdb_parse_number(&text, &offset) || *text++ != ',' || !gdb_parse_number(&text, &len) ||
        offset > total) {
        gdb_send(gdb, "E00");
        return;
    }
    len = MIN(len, GDB_PACKET_MAX / 2 - 4);
    GString *answer = g_string_new(offset + len < total ? "m" : "l");
    g_string_append_len(answer, gdb->description + offset, (gssize)MIN(len, total - offset));
    gdb_send_bytes(gdb, answer->str, answer->len);
    g_string_free(answer, TRUE);
}

/* ---- Monitor ---- */

static void
send_console(VitGdb *gdb, const char *text)
{
    size_t left = strlen(text);

    while (left) {
        size_t part = MIN(left, GDB_PACKET_MAX / 2 - 8);
        g_autoptr(GString) answer = g_string_new("O");

        gdb_append_hex(answer, text, part);
        gdb_send(gdb, answer->str);
        text += part;
        left -= part;
    }
}

static void
run_monitor(VitGdb *gdb, const char *text)
{
    size_t len = strlen(text) / 2;
    g_autofree char *line = g_malloc0(len + 1);

    if (!gdb_parse_hex(text, line, len)) {
        gdb_send_error(gdb);
        return;
    }
    g_autofree char *printed = gdb->ops->run_monitor(gdb->host, line);
    send_console(gdb, printed ? printed : "");
    gdb_send_ok(gdb);
}

/* ---- Settings ---- */

static void
attached(VitGdb *gdb, const char *text)
{
    gdb_send(gdb, "1"); /* the debugger leaves the guest alive when it goes */
}

static void
settings(VitGdb *gdb, const char *text)
{
    gdb_send(gdb, "sstepbits;sstep;PhyMemMode");
}

static void
step_bits(VitGdb *gdb, const char *text)
{
    g_autofree char *answer = g_strdup_printf("ENABLE=%x,NOIRQ=%x", STEP_ENABLE, STEP_NO_IRQ);

    gdb_send(gdb, answer);
}

static void
get_step(VitGdb *gdb, const char *text)
{
    gdb_send(gdb, gdb->masks_irqs ? "0x3" : "0x1");
}

static void
set_step(VitGdb *gdb, const char *text)
{
    uint64_t bits;

    if (g_str_has_prefix(text, "0x")) {
        text += 2;
    }
    if (!gdb_parse_number(&text, &bits) || !(bits & STEP_ENABLE)) {
        gdb_send_error(gdb);
        return;
    }
    gdb->masks_irqs = bits & STEP_NO_IRQ;
    gdb_send_ok(gdb);
}

static void
get_physical(VitGdb *gdb, const char *text)
{
    gdb_send(gdb, gdb->physical ? "1" : "0");
}

static void
set_physical(VitGdb *gdb, const char *text)
{
    if (strcmp(text, "0") != 0 && strcmp(text, "1") != 0) {
        gdb_send_error(gdb);
        return;
    }
    gdb->physical = *text == '1';
    gdb_send_ok(gdb);
}

/* ---- Table ---- */

void
gdb_query(VitGdb *gdb, const char *text)
{
    /* What follows the name is handed on; longer names before their beginnings. */
    static const struct {
        const char *name;
        void (*run)(VitGdb *gdb, const char *text);
    } queries[] = {
        { "qSupported", supported },
        { "QStartNoAckMode", no_ack },
        { "qfThreadInfo", first_threads },
        { "qsThreadInfo", more_threads },
        { "qThreadExtraInfo,", describe_thread },
        { "qXfer:features:read:", read_features },
        { "qRcmd,", run_monitor },
        { "qAttached", attached },
        { "qqemu.Supported", settings },
        { "qqemu.sstepbits", step_bits },
        { "qqemu.sstep", get_step },
        { "Qqemu.sstep=", set_step },
        { "qqemu.PhyMemMode", get_physical },
        { "Qqemu.PhyMemMode:", set_physical },
    };

    if (strcmp(text, "qC") == 0) {
        current_thread(gdb, text);
        return;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(queries); i++) {
        if (g_str_has_prefix(text, queries[i].name)) {
            queries[i].run(gdb, text + strlen(queries[i].name));
            return;
        }
    }
    gdb_send(gdb, "");
}
