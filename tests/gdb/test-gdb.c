/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The debugger stub packet by packet, against a machine that is only answers.
 * mission: gdb */

#include "gdb-rig.h"

static void
test_framing(void)
{
    Rig *rig = rig_new(true);

    /* a wrong sum is asked for again, the right one taken, a lost answer sent again */
    g_assert_cmpstr(rig_type(rig, "$qC#b5", 6), ==, "-");
    g_assert_cmpstr(rig_type(rig, "$qC#b4", 6), ==, "+$QC01#f5");
    g_assert_cmpstr(rig_type(rig, "-", 1), ==, "$QC01#f5");
    g_assert_cmpstr(rig_type(rig, "+", 1), ==, "");
    /* noise between packets, a digit that is none */
    g_assert_cmpstr(rig_type(rig, "zz$qC#g4", 8), ==, "-");
    /* what is not known gets the empty answer */
    g_assert_cmpstr(rig_type(rig, "$!#21", 5), ==, "+$#00");
    rig_expect(rig, "QStartNoAckMode", "OK");
    g_assert_cmpstr(rig_type(rig, "$qC#b4", 6), ==, "$QC01#f5");
    rig_free(rig);
}

static void
test_too_long(void)
{
    Rig *rig = rig_new(true);
    g_autoptr(GString) bytes = g_string_new("$m");

    for (unsigned i = 0; i < 2 * GDB_PACKET_MAX; i++) {
        g_string_append_c(bytes, '0');
    }
    g_string_append(bytes, "#00");
    g_assert_cmpstr(rig_type(rig, bytes->str, bytes->len), ==, "-");
    rig_expect(rig, "qC", "QC01");
    rig_free(rig);
}

static void
test_registers(void)
{
    Rig *rig = rig_new(true);
    g_autofree char *all = NULL, *xml = NULL;

    rig->states[0].gpr[X86_RBX] = 0x1122334455667788;
    rig->states[0].zmm[2].u64[1] = 0xabcd;
    rig->states[0].cr3 = 0x12345000;
    all = rig_ask(rig, "g");
    g_assert_true(g_str_has_prefix(all + 16, "8877665544332211"));
    rig_expect(rig, "p1", "8877665544332211");
    rig_expect(rig, "p10", "0010000000000000");
    rig_expect(rig, "P1=0100000000000000", "OK");
    g_assert_cmphex(rig->states[0].gpr[X86_RBX], ==, 1);
    rig_expect(rig, "pffff", "E01");
    rig_expect(rig, "P1=01", "E01");
    /* what was read can be written back, all of it */
    g_free(all);
    all = rig_ask(rig, "g");
    g_autofree X86State *before = g_memdup2(&rig->states[0], sizeof(X86State));
    g_autofree char *write = g_strconcat("G", all, NULL);
    rig_expect(rig, write, "OK");
    g_assert_cmpmem(before, sizeof(X86State), &rig->states[0], sizeof(X86State));
    g_assert_cmpuint(rig->changes, ==, 2);
    rig_free(rig);
}

/* Every register of the description has a value, and none beyond. */
static void
test_description(void)
{
    for (int wide = 0; wide < 2; wide++) {
        Rig *rig = rig_new(wide);
        g_autoptr(GString) xml = g_string_new(NULL);
        unsigned registers = 0;
        bool more = true;

        while (more) {
            g_autofree char *ask =
                g_strdup_printf("qXfer:features:read:target.xml:%zx,3f0", (size_t)xml->len);
            g_autofree char *part = rig_ask(rig, ask);

            g_assert_true(*part == 'm' || *part == 'l');
            more = *part == 'm';
            g_string_append(xml, part + 1);
        }
        g_assert_nonnull(strstr(xml->str, wide ? "i386:x86-64" : ">i386<"));
        g_assert_nonnull(strstr(xml->str, wide ? "\"r15\"" : "\"eip\""));
        g_assert_nonnull(strstr(xml->str, "\"ymm7h\""));
        g_assert_nonnull(strstr(xml->str, "\"cr3\""));
        for (const char *at = xml->str; (at = strstr(at, "<reg ")); at++) {
            registers++;
        }
        for (unsigned i = 0; i <= registers; i++) {
            g_autofree char *ask = g_strdup_printf("p%x", i);
            g_autofree char *value = rig_ask(rig, ask);

            g_assert_cmpint(*value == 'E', ==, i == registers);
        }
        rig_expect(rig, "qXfer:features:read:other.xml:0,100", "E00");
        rig_expect(rig, "qXfer:features:read:target.xml:ffffff,100", "E00");
        rig_free(rig);
    }
}

static void
test_x87_tags(void)
{
    Rig *rig = rig_new(true);
    X86Fpu *fpu = &rig->states[0].fpu;

    /* one push: TOP is 7, physical register 7 in use, with 1.0 */
    fpu->fsw = 7 << 11;
    fpu->ftw = 0x80;
    fpu->st[0].mantissa = 1ull << 63;
    fpu->st[0].sign_exponent = 0x3fff;
    rig_expect(rig, "p18", "0000000000000080ff3f");
    rig_expect(rig, "p22", "ff3f0000");
    rig_free(rig);
}

static void
test_memory(void)
{
    Rig *rig = rig_new(true);

    memcpy(rig->memory + 0x10, "hello", 5);
    rig_expect(rig, "m40000010,5", "68656c6c6f");
    rig_expect(rig, "m10,5", "E01");
    rig_expect(rig, "Mffffffffffffffff,2:0102", "E01");
    rig_expect(rig, "M40000020,2:0102", "OK");
    g_assert_cmpuint(rig->memory[0x21], ==, 2);
    rig_expect(rig, "M40000020,3:0102", "E01");
    rig_expect(rig, "M40000020,2:01zz", "E01");
    g_autofree char *written = rig_ask_bytes(rig, "X40000030,3:\0}#", 15);
    g_assert_cmpstr(written, ==, "OK");
    g_assert_cmpmem(rig->memory + 0x30, 3, "\0}#", 3);
    rig_expect(rig, "qqemu.PhyMemMode", "0");
    rig_expect(rig, "Qqemu.PhyMemMode:1", "OK");
    rig_expect(rig, "qqemu.PhyMemMode", "1");
    rig_expect(rig, "m10,5", "68656c6c6f");
    rig_expect(rig, "m40000010,5", "E01");
    rig_free(rig);
}

static void
test_threads(void)
{
    Rig *rig = rig_new(true);

    rig_expect(rig, "qfThreadInfo", "m01,02");
    rig_expect(rig, "qsThreadInfo", "l");
    rig_expect(rig, "T2", "OK");
    rig_expect(rig, "T3", "E01");
    rig_expect(rig, "Hg3", "E01");
    rig_expect(rig, "Hg2", "OK");
    rig_expect(rig, "p10", "0020000000000000");
    rig_expect(rig, "qC", "QC02");
    rig_expect(rig, "Hg0", "OK");
    rig_expect(rig, "Hg-1", "OK");
    rig_expect(rig, "H", "E01");
    rig_free(rig);
}

static void
test_points(void)
{
    Rig *rig = rig_new(true);

    rig_expect(rig, "Z0,1000,1", "OK");
    g_assert_cmpint(rig->point.kind, ==, VIT_DEBUG_EXECUTE);
    rig_expect(rig, "Z2,40000000,8", "OK");
    g_assert_cmpint(rig->point.kind, ==, VIT_DEBUG_WRITE);
    g_assert_cmpuint(rig->point.len, ==, 8);
    g_assert_cmpuint(rig->n_points, ==, 2);
    rig_expect(rig, "z0,1000,1", "OK");
    g_assert_cmpuint(rig->n_points, ==, 1);
    rig_expect(rig, "z0,9999,1", "OK");
    rig->refuses_points = true;
    rig_expect(rig, "Z1,2000,1", "E01");
    g_assert_cmpuint(rig->n_points, ==, 1);
    rig_expect(rig, "Z5,2000,1", "E01");
    rig_expect(rig, "Z0,2000", "E01");
    rig_expect(rig, "?", "T05thread:01;");
    g_assert_cmpuint(rig->n_points, ==, 0);
    rig_free(rig);
}

static void
test_going_on(void)
{
    Rig *rig = rig_new(true);
    VitCpuDebug debug = { .stop = VIT_DEBUG_STOP_STEP };

    rig_expect(rig, "vCont?", "vCont;c;C;s;S");
    rig_expect(rig, "vCont;s:2;c", "");
    g_assert_true(rig->running && rig->masks_irqs);
    g_assert_cmpint(rig->actions[0], ==, VIT_GDB_CONTINUE);
    g_assert_cmpint(rig->actions[1], ==, VIT_GDB_STEP);
    g_string_truncate(rig->seen, 0);
    rig->running = false;
    vit_gdb_stopped(rig->gdb, 1, &debug);
    g_assert_nonnull(strstr(rig->seen->str, "$T05thread:02;#"));

    rig_expect(rig, "vCont;C05:1", "");
    g_assert_cmpint(rig->actions[0], ==, VIT_GDB_CONTINUE);
    g_assert_cmpint(rig->actions[1], ==, VIT_GDB_STAY);
    debug = (VitCpuDebug){ .stop = VIT_DEBUG_STOP_WATCHPOINT,
                           .watch_kind = VIT_DEBUG_ACCESS,
                           .address = 0x40000008 };
    rig->running = false;
    g_string_truncate(rig->seen, 0);
    vit_gdb_stopped(rig->gdb, 0, &debug);
    g_assert_nonnull(strstr(rig->seen->str, "$T05thread:01;awatch:40000008;#"));

    rig_expect(rig, "vCont;x", "E01");
    rig_expect(rig, "vCont;s:9", "E01");
    g_assert_false(rig->running);
    rig_expect(rig, "s3000", "");
    g_assert_cmphex(rig->states[0].rip, ==, 0x3000);
    g_assert_cmpint(rig->actions[0], ==, VIT_GDB_STEP);
    rig_free(rig);
}

static void
test_interrupt(void)
{
    Rig *rig = rig_new(true);

    rig_expect(rig, "c", "");
    g_assert_true(rig->running);
    g_assert_cmpstr(rig_type(rig, "\3", 1), ==, "$T02thread:01;#04");
    g_assert_false(rig->running);
    /* paused by somebody else */
    rig_expect(rig, "c", "");
    rig->running = false;
    g_string_truncate(rig->seen, 0);
    vit_gdb_paused(rig->gdb);
    vit_gdb_paused(rig->gdb);
    g_assert_cmpstr(rig->seen->str, ==, "$T02thread:01;#04");
    rig_expect(rig, "c", "");
    g_string_truncate(rig->seen, 0);
    vit_gdb_exited(rig->gdb, 3);
    g_assert_cmpstr(rig->seen->str, ==, "$W03#ba");
    rig_free(rig);
}

static void
test_rest(void)
{
    Rig *rig = rig_new(true);
    g_autofree char *supported = rig_ask(rig, "qSupported:swbreak+;xmlRegisters=i386");

    g_assert_nonnull(strstr(supported, "qXfer:features:read+"));
    rig_expect(rig, "qAttached", "1");
    rig_expect(rig, "qRcmd,696e666f", "O64696420696e666f0a");
    g_assert_nonnull(strstr(rig->seen->str, "$OK#9a"));
    rig_expect(rig, "qRcmd,6", "O646964200a");
    rig_expect(rig, "qRcmd,zz", "E01");
    rig_expect(rig, "qqemu.sstepbits", "ENABLE=1,NOIRQ=2");
    rig_expect(rig, "Qqemu.sstep=0x1", "OK");
    rig_expect(rig, "qqemu.sstep", "0x1");
    rig_expect(rig, "Qqemu.sstep=0", "E01");
    rig_expect(rig, "vMustReplyEmpty", "");
    rig_expect(rig, "Z0,1000,1", "OK");
    rig_expect(rig, "D", "OK");
    g_assert_true(rig->running);
    g_assert_cmpuint(rig->n_points, ==, 0);
    rig_expect(rig, "k", "");
    g_assert_true(rig->killed);
    rig_free(rig);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/gdb/framing", test_framing);
    g_test_add_func("/gdb/too-long", test_too_long);
    g_test_add_func("/gdb/registers", test_registers);
    g_test_add_func("/gdb/description", test_description);
    g_test_add_func("/gdb/x87-tags", test_x87_tags);
    g_test_add_func("/gdb/memory", test_memory);
    g_test_add_func("/gdb/threads", test_threads);
    g_test_add_func("/gdb/points", test_points);
    g_test_add_func("/gdb/going-on", test_going_on);
    g_test_add_func("/gdb/interrupt", test_interrupt);
    g_test_add_func("/gdb/rest", test_rest);
    return g_test_run();
}
