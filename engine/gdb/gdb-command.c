/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Packets that look at and move the guest: registers, memory, points, continue and step.
 * "Debugging with GDB", appendix Remote Serial Protocol, Packets. A packet that is not known gets
 * the empty answer, which is how a debugger finds out what there is.
 * Thread: machine thread, device lock held, CPUs parked. */

#include "gdb-private.h"

#include <string.h>

enum { MEMORY_MAX = GDB_PACKET_MAX / 2 - 8, POINTS_MAX = 1024 };

/* ---- Threads ---- */

bool
gdb_parse_thread(VitGdb *gdb, const char **text, int *out_cpu)
{
    uint64_t number;

    if (strncmp(*text, "-1", 2) == 0) {
        *text += 2;
        *out_cpu = GDB_ALL_CPUS;
        return true;
    }
    if (!gdb_parse_number(text, &number) || number > gdb->ops->get_n_cpus(gdb->host)) {
        return false;
    }
    *out_cpu = number == 0 ? GDB_ALL_CPUS : (int)number - 1;
    return true;
}

static void
select_thread(VitGdb *gdb, const char *text)
{
    char what = *text;
    int cpu;

    if (what) {
        text++;
    }
    if ((what != 'g' && what != 'c') || !gdb_parse_thread(gdb, &text, &cpu)) {
        gdb_send_error(gdb);
        return;
    }
    if (what == 'c') {
        gdb->cpu_continue = cpu;
    } else if (cpu != GDB_ALL_CPUS) {
        gdb->cpu = (unsigned)cpu;
    }
    gdb_send_ok(gdb);
}

static void
thread_alive(VitGdb *gdb, const char *text)
{
    int cpu;

    if (gdb_parse_thread(gdb, &text, &cpu) && cpu != GDB_ALL_CPUS) {
        gdb_send_ok(gdb);
    } else {
        gdb_send_error(gdb);
    }
}

/* ---- Registers ---- */

static void
read_registers(VitGdb *gdb)
{
    const X86State *s = gdb->ops->get_state(gdb->host, gdb->cpu);
    g_autoptr(GString) out = g_string_new(NULL);
    uint8_t value[GDB_REG_BYTES_MAX];
    unsigned bytes;

    for (unsigned i = 0; (bytes = gdb_regs_read(s, gdb->has_long_mode, i, value)); i++) {
        gdb_append_hex(out, value, bytes);
    }
    gdb_send(gdb, out->str);
}

static void
write_registers(VitGdb *gdb, const char *text)
{
    X86State *s = gdb->ops->get_state(gdb->host, gdb->cpu);
    uint8_t value[GDB_REG_BYTES_MAX] = { 0 };
    unsigned bytes;

    for (unsigned i = 0; (bytes = gdb_regs_size(gdb->has_long_mode, i)); i++, text += 2 * bytes) {
        if (!gdb_parse_hex(text, value, bytes)) {
            break; /* a debugger may send fewer than there are */
        }
        gdb_regs_write(s, gdb->has_long_mode, i, value);
    }
    gdb->ops->state_changed(gdb->host, gdb->cpu);
    gdb_send_ok(gdb);
}

static void
read_register(VitGdb *gdb, const char *text)
{
    const X86State *s = gdb->ops->get_state(gdb->host, gdb->cpu);
    g_autoptr(GString) out = g_string_new(NULL);
    uint8_t value[GDB_REG_BYTES_MAX];
    uint64_t number;
    unsigned bytes;

    if (!gdb_parse_number(&text, &number) || number > UINT16_MAX ||
        !(bytes = gdb_regs_read(s, gdb->has_long_mode, (unsigned)number, value))) {
        gdb_send_error(gdb);
        return;
    }
    gdb_append_hex(out, value, bytes);
    gdb_send(gdb, out->str);
}

static void
write_register(VitGdb *gdb, const char *text)
{
    X86State *s = gdb->ops->get_state(gdb->host, gdb->cpu);
    uint8_t value[GDB_REG_BYTES_MAX] = { 0 };
    uint64_t number;
    unsigned bytes;

    if (!gdb_parse_number(&text, &number) || number > UINT16_MAX || *text++ != '=' ||
        !(bytes = gdb_regs_size(gdb->has_long_mode, (unsigned)number)) ||
        !gdb_parse_hex(text, value, bytes)) {
        gdb_send_error(gdb);
        return;
    }
    gdb_regs_write(s, gdb->has_long_mode, (unsigned)number, value);
    gdb->ops->state_changed(gdb->host, gdb->cpu);
    gdb_send_ok(gdb);
}

/* ---- Memory ---- */

static bool
parse_range(const char **text, uint64_t *out_address, uint64_t *out_len)
{
    return gdb_parse_number(text, out_address) && *(*text)++ == ',' &&
           gdb_parse_number(text, out_len);
}

static void
read_memory(VitGdb *gdb, const char *text)
{
    g_autoptr(GString) out = g_string_new(NULL);
    g_autofree uint8_t *buf = NULL;
    uint64_t address, len;

    if (!parse_range(&text, &address, &len)) {
        gdb_send_error(gdb);
        return;
    }
    len = MIN(len, MEMORY_MAX);
    buf = g_malloc(MAX(len, 1));
    if (!gdb->ops->read_memory(gdb->host, gdb->cpu, gdb->physical, address, buf, len)) {
        gdb_send_error(gdb);
        return;
    }
    gdb_append_hex(out, buf, len);
    gdb_send(gdb, out->str);
}

/* M has hexadecimal data, X bytes as they are. */
static void
write_memory(VitGdb *gdb, const char *text, const char *end, bool hex)
{
    g_autofree uint8_t *buf = NULL;
    uint64_t address, len;

    if (!parse_range(&text, &address, &len) || *text++ != ':' || len > GDB_PACKET_MAX ||
        (size_t)(end - text) != (hex ? 2 * len : len)) {
        gdb_send_error(gdb);
        return;
    }
    buf = g_malloc(MAX(len, 1));
    if (hex && !gdb_parse_hex(text, buf, len)) {
        gdb_send_error(gdb);
        return;
    }
    if (!hex) {
        memcpy(buf, text, len);
    }
    if (gdb->ops->write_memory(gdb->host, gdb->cpu, gdb->physical, address, buf, len)) {
        gdb_send_ok(gdb);
    } else {
        gdb_send_error(gdb);
    }
}

/* ---- Points ---- */

/* Z0 and Z1 are the same to us: no byte of the guest is changed for either. */
static bool
parse_point(const char *text, VitDebugPoint *out)
{
    static const VitDebugKind kinds[] = { VIT_DEBUG_EXECUTE, VIT_DEBUG_EXECUTE, VIT_DEBUG_WRITE,
                                          VIT_DEBUG_READ, VIT_DEBUG_ACCESS };
    uint64_t address, len;

    if (text[0] < '0' || text[0] > '4' || text[1] != ',') {
        return false;
    }
    out->kind = kinds[text[0] - '0'];
    text += 2;
    if (!parse_range(&text, &address, &len) || len > 4096) {
        return false;
    }
    out->address = address;
    out->len = out->kind == VIT_DEBUG_EXECUTE ? 1 : (uint32_t)MAX(len, 1);
    return true;
}

static bool
set_points(VitGdb *gdb)
{
    return gdb->ops->set_points(gdb->host, (const VitDebugPoint *)(const void *)gdb->points->data,
                                gdb->points->len);
}

static void
insert_point(VitGdb *gdb, const char *text)
{
    VitDebugPoint point;

    if (!parse_point(text, &point) || gdb->points->len >= POINTS_MAX) {
        gdb_send_error(gdb);
        return;
    }
    g_array_append_val(gdb->points, point);
    if (set_points(gdb)) {
        gdb_send_ok(gdb);
        return;
    }
    g_array_set_size(gdb->points, gdb->points->len - 1);
    set_points(gdb);
    gdb_send_error(gdb);
}

static void
remove_point(VitGdb *gdb, const char *text)
{
    VitDebugPoint point;

    if (!parse_point(text, &point)) {
        gdb_send_error(gdb);
        return;
    }
    for (guint i = 0; i < gdb->points->len; i++) {
        const VitDebugPoint *old = &g_array_index(gdb->points, VitDebugPoint, i);

        if (old->kind == point.kind && old->address == point.address && old->len == point.len) {
            g_array_remove_index(gdb->points, i);
            set_points(gdb);
            break;
        }
    }
    gdb_send_ok(gdb);
}

/* ---- Going on ---- */

static VitGdbAction *
new_actions(VitGdb *gdb, VitGdbAction action)
{
    unsigned count = gdb->ops->get_n_cpus(gdb->host);
    VitGdbAction *actions = g_new0(VitGdbAction, count);

    for (unsigned i = 0; i < count; i++) {
        actions[i] = action;
    }
    return actions;
}

/* c and s, and with a signal, which a machine has no use for, C and S. */
static void
go_on(VitGdb *gdb, const char *text, bool step, bool has_signal)
{
    g_autofree VitGdbAction *actions = new_actions(gdb, VIT_GDB_CONTINUE);
    unsigned cpu = gdb->cpu_continue >= 0 ? (unsigned)gdb->cpu_continue : gdb->cpu;
    uint64_t address, signal;

    if (has_signal && gdb_parse_number(&text, &signal) && *text == ';') {
        text++;
    }
    if (gdb_parse_number(&text, &address)) {
        gdb->ops->get_state(gdb->host, cpu)->rip = address;
        gdb->ops->state_changed(gdb->host, cpu);
    }
    if (step) {
        actions[cpu] = VIT_GDB_STEP;
    }
    gdb_resume(gdb, actions);
}

/* vCont;ACTION[:THREAD]...: the leftmost that fits a thread is its own. */
static void
go_on_each(VitGdb *gdb, const char *text)
{
    unsigned count = gdb->ops->get_n_cpus(gdb->host);
    g_autofree VitGdbAction *actions = new_actions(gdb, VIT_GDB_STAY);
    g_autofree bool *settled = g_new0(bool, count);
    bool good = true;
    uint64_t signal;

    while (good && *text == ';') {
        char what = text[1];
        int cpu = GDB_ALL_CPUS;

        text += what ? 2 : 1;
        good = what && strchr("cCsS", what);
        if (what == 'C' || what == 'S') {
            good = gdb_parse_number(&text, &signal);
        }
        if (*text == ':') {
            text++;
            good = good && gdb_parse_thread(gdb, &text, &cpu);
        }
        for (unsigned i = 0; good && i < count; i++) {
            if (!settled[i] && (cpu == GDB_ALL_CPUS || (unsigned)cpu == i)) {
                settled[i] = true;
                actions[i] = what == 'c' || what == 'C' ? VIT_GDB_CONTINUE : VIT_GDB_STEP;
            }
        }
    }
    if (!good || *text) {
        gdb_send_error(gdb);
    } else {
        gdb_resume(gdb, actions);
    }
}

static void
detach(VitGdb *gdb)
{
    g_autofree VitGdbAction *actions = new_actions(gdb, VIT_GDB_CONTINUE);

    gdb_clear_points(gdb);
    gdb_send_ok(gdb);
    gdb->ops->resume(gdb->host, actions, false);
}

static void
multi_letter(VitGdb *gdb, const char *text)
{
    if (strcmp(text, "Cont?") == 0) {
        gdb_send(gdb, "vCont;c;C;s;S");
    } else if (g_str_has_prefix(text, "Cont;")) {
        go_on_each(gdb, text + 4);
    } else if (g_str_has_prefix(text, "Kill")) {
        gdb_send_ok(gdb);
        gdb->ops->kill(gdb->host);
    } else {
        gdb_send(gdb, "");
    }
}

void
gdb_command(VitGdb *gdb, const char *payload, size_t len)
{
    const char *text = payload + 1, *end = payload + len;

    switch (*payload) {
    case '?':
        gdb_clear_points(gdb);
        gdb->stopped_cpu = gdb->cpu;
        gdb_send_stop(gdb, GDB_SIGNAL_TRAP, "");
        break;
    case 'g': read_registers(gdb); break;
    case 'G': write_registers(gdb, text); break;
    case 'p': read_register(gdb, text); break;
    case 'P': write_register(gdb, text); break;
    case 'm': read_memory(gdb, text); break;
    case 'M': write_memory(gdb, text, end, true); break;
    case 'X': write_memory(gdb, text, end, false); break;
    case 'Z': insert_point(gdb, text); break;
    case 'z': remove_point(gdb, text); break;
    case 'c': go_on(gdb, text, false, false); break;
    case 'C': go_on(gdb, text, false, true); break;
    case 's': go_on(gdb, text, true, false); break;
    case 'S': go_on(gdb, text, true, true); break;
    case 'H': select_thread(gdb, text); break;
    case 'T': thread_alive(gdb, text); break;
    case 'D': detach(gdb); break;
    case 'k': gdb->ops->kill(gdb->host); break;
    case 'q':
    case 'Q': gdb_query(gdb, payload); break;
    case 'v': multi_letter(gdb, text); break;
    default: gdb_send(gdb, ""); break;
    }
}
