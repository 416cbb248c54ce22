/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What the files of the stub share. Thread: machine thread, device lock held. */

#include "gdb-packet.h"
#include "gdb-regs.h"
#include "vit-gdb.h"

/* Thread 1 is CPU 0. In the order the debugger sends them. */
enum { GDB_ALL_CPUS = -1 };

struct VitGdb {
    VitChardev *chr;
    VitChardevFront front;
    const VitGdbHostOps *ops;
    void *host;
    bool has_long_mode;

    GdbFramer framer;
    GString *last; /* the last packet sent, framed: sent again when asked for */
    bool no_ack;
    bool reports_points; /* the debugger knows swbreak and hwbreak */

    bool running;         /* a stop reply is owed */
    unsigned cpu;         /* whose registers and memory: Hg */
    int cpu_continue;     /* who is stepped by s: Hc; GDB_ALL_CPUS */
    unsigned stopped_cpu; /* as last reported */
    unsigned listed;      /* threads told of by q?ThreadInfo */
    bool physical;        /* memory commands are about physical addresses */
    bool masks_irqs;      /* while stepping */
    GArray *points;       /* VitDebugPoint, hardware and software alike */
    char *description;    /* target.xml */
};

/* ---- gdb-server.c ---- */

void gdb_send(VitGdb *gdb, const char *payload);
void gdb_send_bytes(VitGdb *gdb, const char *payload, size_t len);
void gdb_send_ok(VitGdb *gdb);
/* E and two digits; what the numbers mean no debugger looks at. */
void gdb_send_error(VitGdb *gdb);
/* A stop reply of SIGNAL for the CPU that stopped last; DETAIL is "" or "watch:...;". */
void gdb_send_stop(VitGdb *gdb, unsigned signal, const char *detail);
/* Goes on with ACTIONS, one per CPU. */
void gdb_resume(VitGdb *gdb, const VitGdbAction *actions);
void gdb_clear_points(VitGdb *gdb);

enum { GDB_SIGNAL_INT = 2, GDB_SIGNAL_TRAP = 5 };

/* ---- gdb-command.c ---- */

/* Carries out one packet; PAYLOAD ends with a NUL. */
void gdb_command(VitGdb *gdb, const char *payload, size_t len);
/* A thread's number at *TEXT: a CPU, or GDB_ALL_CPUS for -1 and 0. */
bool gdb_parse_thread(VitGdb *gdb, const char **text, int *out_cpu);

/* ---- gdb-query.c ---- */

/* q and Q packets. */
void gdb_query(VitGdb *gdb, const char *text);
