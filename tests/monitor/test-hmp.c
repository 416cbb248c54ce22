/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The human monitor's commands: what they print, what they ask of the machine, what they refuse. */

#include "hmp.h"

#include "monitor-rig.h"

/* What LINE must print: exactly, or a part of it. */
static const struct {
    const char *line, *text;
    bool is_part;
} outputs[] = {
    { "info status", "VM status: running\n" },
    { "info name", "gu\"est\n" },
    { "info uuid", "11111111-2222-3333-4444-555555555555\n" },
    { "info kvm", "kvm support: not compiled\n" },
    { "info cpus", "* CPU #0: thread_id=100\n  CPU #1: thread_id=101 (halted)\n" },
    { "info registers", "CPU#0\nEAX=00001000\n" },
    { "info registers -a", "CPU#0\nEAX=00001000\n\nCPU#1\nEAX=00001001\n" },
    { "info irq", "0: 42\n" },
    { "info numa", "Error: info numa: not available yet\n" },
    { "info memory_size_summary", "base memory: 67108864\nplugged memory: 0\n" },
    { "info mice", "* Mouse #0: mouse\n" },
    { "info network", "net0: index=0,type=user\n" },
    { "info chardev", "ring: filename=ringbuf\n" },
    { "info block", "ide0-hd0 (#block1): disk.img (raw)\n"
                    "    Attached to:      /machine/disk\n"
                    "    Cache mode:       writeback\n"
                    "\n"
                    "ide1-cd0: [not inserted]\n"
                    "    Attached to:      cd\n"
                    "    Removable device: not locked, tray closed\n" },
    { "info block nosuch", "Error: Device 'nosuch' not found\n" },
    { "info mtree", "address-space: memory\n", true },
    { "info", "info status -- ", true },
    { "info nosuch", "unknown info command: 'nosuch'\n" },
    { "info statuss", "did you mean 'status'?", true },
    { "", "" },
    { "   ", "" },
    { "nosuchcommand", "unknown command: 'nosuchcommand'\n" },
    { "stp", "did you mean 'stop'?", true },
    { "help stop", "stop|s -- Pauses the CPUs\n" },
    { "? eject", "eject [-f] device -- ", true },
    { "help info status", "info status -- ", true },
    { "help", "savevm -- ", true },
    { "help nosuch", "unknown command: 'nosuch'\n" },
    { "savevm a b c", "Error: savevm: not available yet\n" },
    { "dumpdtb x", "PC boards have no device tree", true },
    { "stop now", "stop: 'now' is too much\nTry \"help stop\" for more information\n" },
    { "print 1 + 2 * 3", "0x7\n" },
    { "p /d (1 + 2) * 3", "9\n" },
    { "p/x $eax+0x10", "0x1010\n" },
    { "p /d -7 / 2", "-3\n" },
    { "p /c 65", "'A'\n" },
    { "p 'a'", "0x61\n" },
    { "p ~0 & 0xff | 0x100 ^ 1", "0x1ff\n" },
    { "p 1/0", "print: division by zero\n", true },
    { "p /d 1 -2", "-1\n" },
    { "sum 4 - 4 4", "16388\n" },
    { "sum 0 +4", "16388\n" },
    { "p $nosuch", "there is no register '$nosuch'", true },
    { "p (1", "')' is missing", true },
    { "p 99999999999999999999", "64 bits", true },
    { "p 12abc", "'12abc' is not a number", true },
    { "p", "expr is missing", true },
    { "xp /4xb 0", "0000000000000000: 0x00 0x01 0x02 0x03\n" },
    { "xp /2xh 1", "0000000000000001: 0x0201 0x0403\n" },
    { "xp /1xw 0", "0000000000000000: 0x03020100\n" },
    { "xp /1xg 0", "0000000000000000: 0x0706050403020100\n" },
    { "xp/9xb 0",
      "0000000000000000: 0x00 0x01 0x02 0x03 0x04 0x05 0x06 0x07\n0000000000000008: 0x08\n" },
    { "xp /2c 0x41", "0000000000000041: 'A' 'B'\n" },
    { "xp /1db 255", "00000000000000ff:   -1\n" },
    { "xp /1ub 255", "00000000000000ff: 255\n" },
    { "xp 0x100000", "Cannot access memory at 0x100000\n", true },
    { "x /2xb 0xc0000010", "00000000c0000010: 0x10 0x11\n" },
    { "x 0", "Cannot access memory at 0x0\n", true },
    { "xp /z 0", "'z' is not part of a format", true },
    { "x /1i 0xc0000000", "not available yet", true },
    { "xp /99999999999x 0", "at most", true },
    { "gva2gpa 0xc0000123", "gpa: 0x123\n" },
    { "gva2gpa 0", "Unmapped\n" },
    { "gpa2hva 0", "(ram) is 0x", true },
    { "sum 0 4", "16388\n" },
    { "o 0x80 0x7f", "" },
    { "i 0x80", "portb[0x0080] = 0x7f\n" },
    { "i /h 0x80", "portw[0x0080] = 0x557f\n" },
    { "cpu 5", "Error: there is no CPU 5; CPUs are 0 to 1\n" },
    { "sendkey ctrl-nokey", "invalid parameter: nokey\n" },
    { "sendkey", "keys is missing", true },
    { "set_link net0 maybe", "up must be on or off", true },
    { "set_link nosuch off", "Error: Device 'nosuch' not found", true },
    { "ringbuf_read mon9 1", "Error: Chardev 'mon9' not found\n" },
    { "log int", "not available yet", true },
    { "change vnc localhost:1", "not available yet", true },
    { "change ide1-cd0 x raw sideways", "must be one of retain read-only read-write", true },
    { "screendump /nonexistent/x.ppm", "/nonexistent/x.ppm", true },
    { "screendump", "filename is missing", true },
    { "screendump /nonexistent/x.ppm nosuch 0", "no display device 'nosuch'", true },
    { "screendump x -f", "a value is missing after -f", true },
    { "memsave 0xc0000000 16 \"unfinished", "closing quote", true },
};

static void
test_outputs(void)
{
    Rig rig;

    rig_init(&rig);
    for (unsigned i = 0; i < VIT_PAGE_SIZE; i++) {
        rig.block->host[i] = i;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(outputs); i++) {
        g_autofree char *text = vit_monitors_run_hmp(rig.monitors, outputs[i].line);
        if (outputs[i].is_part) {
            if (!strstr(text, outputs[i].text)) {
                g_error("'%s' should be printed by '%s': %s", outputs[i].text, outputs[i].line,
                        text);
            }
        } else {
            g_assert_cmpstr(text, ==, outputs[i].text);
        }
    }
    rig_finish(&rig);
}

/* What LINE asks of the machine. */
static const struct {
    const char *line, *asked;
} requests[] = {
    { "stop", "stop;" },
    { "s", "stop;" },
    { "cont", "cont;" },
    { "c", "cont;" },
    { "system_reset", "reset;" },
    { "system_powerdown", "powerdown;" },
    { "quit", "quit;" },
    { "q", "quit;" },
    { "eject ide1-cd0", "eject ide1-cd0 0;" },
    { "eject -f ide1-cd0", "eject ide1-cd0 1;" },
    { "drive_add 0 if=none,id=d,file=/a", "drive_add if=none,id=d,file=/a 0;" },
    { "drive_add -n 0 driver=raw,node-name=n", "drive_add driver=raw,node-name=n 1;" },
    { "drive_del d", "drive_del d;" },
    { "change ide1-cd0 /a.iso", "change ide1-cd0 /a.iso - 0 0;" },
    { "change -f ide1-cd0 \"/a b.iso\" raw read-only", "change ide1-cd0 /a b.iso raw 1 1;" },
    { "hostfwd_add tcp::1-:2", "hostfwd - tcp::1-:2 1;" },
    { "hostfwd_remove net0 tcp::1", "hostfwd net0 tcp::1 0;" },
};

static void
test_requests(void)
{
    Rig rig;

    rig_init(&rig);
    for (unsigned i = 0; i < G_N_ELEMENTS(requests); i++) {
        g_string_truncate(rig.log, 0);
        g_free(vit_monitors_run_hmp(rig.monitors, requests[i].line));
        g_assert_cmpstr(rig.log->str, ==, requests[i].asked);
    }
    rig.refuse = true;
    g_autofree char *text = vit_monitors_run_hmp(rig.monitors, "eject ide1-cd0");
    g_assert_cmpstr(text, ==, "Error: not now\n");
    rig_finish(&rig);
}

static void
test_keys(void)
{
    Rig rig;

    rig_init(&rig);
    g_free(vit_monitors_run_hmp(rig.monitors, "sendkey ctrl-alt-delete 20"));
    g_free(vit_monitors_run_hmp(rig.monitors, "sendkey a 20"));
    g_free(vit_monitors_run_hmp(rig.monitors, "sendkey a 20"));
    g_assert_cmpstr(rig.keys->str, ==, "+ctrl +alt +delete ");
    rig_wait_ms(&rig, 200);
    g_assert_cmpstr(rig.keys->str, ==, "+ctrl +alt +delete -delete -alt -ctrl +a -a +a -a ");
    g_string_truncate(rig.keys, 0);
    g_free(vit_monitors_run_hmp(rig.monitors, "mouse_move 10 -5"));
    g_free(vit_monitors_run_hmp(rig.monitors, "mouse_button 5"));
    g_free(vit_monitors_run_hmp(rig.monitors, "mouse_button 1"));
    g_assert_cmpstr(rig.keys->str, ==, "move 10 -5 button 0 1 button 2 1 button 2 0 ");
    /* Freed while keys are down. */
    g_free(vit_monitors_run_hmp(rig.monitors, "sendkey b"));
    rig_finish(&rig);
}

static void
test_files(void)
{
    Rig rig;
    g_autofree char *dir = g_dir_make_tmp("vitrine-test-XXXXXX", NULL);
    g_autofree char *saved = g_build_filename(dir, "saved", NULL);
    g_autofree char *shot = g_build_filename(dir, "shot.ppm", NULL);
    g_autofree char *save_line = g_strdup_printf("pmemsave 8 8 %s", saved);
    g_autofree char *shot_line = g_strdup_printf("screendump %s", shot);
    g_autofree char *data = NULL;
    g_autofree char *image = NULL;
    gsize len;

    rig_init(&rig);
    memcpy(rig.block->host + 8, "contents", 8);
    g_autofree char *none = vit_monitors_run_hmp(rig.monitors, save_line);
    g_assert_cmpstr(none, ==, "");
    g_assert_true(g_file_get_contents(saved, &data, &len, NULL));
    g_assert_cmpmem(data, len, "contents", 8);
    g_autofree char *also_none = vit_monitors_run_hmp(rig.monitors, shot_line);
    g_assert_cmpstr(also_none, ==, "");
    g_assert_true(g_file_get_contents(shot, &image, &len, NULL));
    g_assert_cmpmem(image, 11, "P6\n4 2\n255\n", 11);
    g_unlink(saved);
    g_unlink(shot);
    g_rmdir(dir);
    rig_finish(&rig);
}

static void
test_ringbuf(void)
{
    Rig rig;

    rig_init(&rig);
    g_free(vit_monitors_run_hmp(rig.monitors, "ringbuf_write ring \"a\\nb\\\\\""));
    g_autofree char *text = vit_monitors_run_hmp(rig.monitors, "ringbuf_read ring 100");
    g_assert_cmpstr(text, ==, "a\nb\\\\\n");
    g_free(vit_monitors_run_hmp(rig.monitors, "set_link net0 off"));
    g_assert_true(rig.nic.link_down);
    rig_finish(&rig);
}

/* The state that stays from line to line is the session's. */
static void
test_session(void)
{
    Rig rig;
    Terminal terminal;

    rig_init(&rig);
    rig.block->host[0] = 0x12;
    terminal_init(&terminal, &rig, VIT_MONITOR_HMP);
    g_assert_true(g_str_has_prefix(terminal.seen->str, "Vitrine "));
    g_assert_true(g_str_has_suffix(terminal.seen->str,
                                   "monitor - type 'help' for more information\r\n(qemu) "));
    g_assert_cmpstr(terminal_type(&terminal, "info status\r"), ==,
                    "info status\r\nVM status: running\r\n(qemu) ");
    g_assert_cmpstr(terminal_type(&terminal, "cpu 1\n"), ==, "cpu 1\r\n(qemu) ");
    g_assert_cmpstr(terminal_type(&terminal, "p $eax\r\n"), ==, "p $eax\r\n0x1001\r\n(qemu) ");
    terminal_type(&terminal, "xp /1xb 0\r");
    g_assert_nonnull(strstr(terminal_type(&terminal, "xp 0\r"), "0000000000000000: 0x12\r\n"));
    g_assert_nonnull(strstr(terminal_type(&terminal, "info history\r"), "0: 'info status'\r\n"));
    g_assert_true(vit_monitors_uses(rig.monitors, terminal.chr));
    g_assert_cmpstr(terminal_type(&terminal, "quit\r"), ==, "quit\r\n"); /* and no prompt */
    terminal_finish(&terminal);
    rig_finish(&rig);
}

/* The serial console and the monitor on one terminal. */
static void
test_mux(void)
{
    Rig rig;
    g_autoptr(GError) error = NULL;
    const char *keys[] = { "mux" }, *values[] = { "on" };
    VitChardevFront serial = { .opaque = &rig };

    rig_init(&rig);
    Terminal terminal = { .seen = g_string_new(NULL) };
    terminal.view = (VitCharVcView){ .output = terminal_output, .opaque = &terminal };
    terminal.chr = vit_char_make("vc", "mux0", keys, values, 1, NULL);
    g_assert_true(vit_chardev_open(terminal.chr, NULL, &rig.lock, &error));
    vit_char_vc_add_view(terminal.chr, &terminal.view);
    g_ptr_array_add(rig.chardevs, terminal.chr);
    g_assert_true(vit_chardev_attach(terminal.chr, &serial, NULL));
    g_assert_true(vit_monitors_add(rig.monitors, terminal.chr, VIT_MONITOR_HMP, NULL));
    vit_chardev_take_focus(terminal.chr, &rig);
    g_string_truncate(terminal.seen, 0);
    /* the greeting waits for the first look at the monitor */
    g_assert_cmpstr(terminal_type(&terminal, "\001c"), ==,
                    "Vitrine 0.1.0 monitor - type 'help' for more information\r\n(qemu) ");
    g_assert_nonnull(strstr(terminal_type(&terminal, "info name\r"), "gu\"est"));
    terminal_finish(&terminal);
    rig_finish(&rig);
}

static void
check_completion(Rig *rig, const char *line, const char *expected)
{
    g_auto(GStrv) choices = vit_monitors_complete(rig->monitors, line);
    g_autofree char *joined = g_strjoinv(" ", choices);

    g_assert_cmpstr(joined, ==, expected);
}

static void
test_completion(void)
{
    Rig rig;
    g_autofree char *dir = g_dir_make_tmp("vitrine-test-XXXXXX", NULL);
    g_autofree char *file = g_build_filename(dir, "image.iso", NULL);
    g_autofree char *line = g_strdup_printf("change -f ide1-cd0 %s/im", dir);

    rig_init(&rig);
    check_completion(&rig, "system_p", "system_powerdown");
    check_completion(&rig, "info stat", "stats status");
    check_completion(&rig, "help system_r", "system_reset");
    check_completion(&rig, "eject i", "ide0-hd0 ide1-cd0");
    check_completion(&rig, "eject -f ide1", "ide1-cd0");
    check_completion(&rig, "set_link net0 o", "off on");
    check_completion(&rig, "ringbuf_read r", "ring");
    check_completion(&rig, "change ide1-cd0 x raw read-", "read-only read-write");
    check_completion(&rig, "sendkey ctrl-alt-dele", "ctrl-alt-delete");
    check_completion(&rig, "eject ide1-cd0 x", "");
    check_completion(&rig, "nosuch x", "");
    g_assert_true(g_file_set_contents(file, "", 0, NULL));
    check_completion(&rig, line, file);
    g_unlink(file);
    g_rmdir(dir);
    rig_finish(&rig);
}

/* Each row can be described, and none is there twice. */
static void
test_tables(void)
{
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);

    for (const HmpCommand *command = hmp_commands; command->name; command++) {
        g_autofree char *args = hmp_describe_args(command);
        g_assert_true(g_hash_table_add(names, (gpointer)command->name));
        g_assert_nonnull(command->help);
        g_assert_false(g_str_has_suffix(command->help, "."));
    }
    g_hash_table_remove_all(names);
    for (const HmpCommand *command = hmp_info_commands; command->name; command++) {
        g_assert_true(g_hash_table_add(names, (gpointer)command->name));
    }
}

/* Lines of rubbish, and lines that begin as commands do. */
static void
test_random(void)
{
    static const char alphabet[] = " \t\"\\/$-+*%()'0123456789abcdefx,:;.[]{}~|^&\x7f\xff";
    static const char *const heads[] = { "p ",          "x /",    "xp /",         "info ",
                                         "sendkey ",    "eject ", "i ",           "sum 0 ",
                                         "mouse_move ", "help ",  "ringbuf_read " };
    Rig rig;

    rig_init(&rig);
    for (unsigned i = 0; i < 20000; i++) {
        g_autoptr(GString) line = g_string_new(NULL);
        if (i % 4) {
            g_string_append(line, heads[g_test_rand_int_range(0, G_N_ELEMENTS(heads))]);
        }
        for (int n = g_test_rand_int_range(0, 20); n > 0; n--) {
            g_string_append_c(line, alphabet[g_test_rand_int_range(0, sizeof(alphabet) - 1)]);
        }
        g_free(vit_monitors_run_hmp(rig.monitors, line->str));
        g_strfreev(vit_monitors_complete(rig.monitors, line->str));
    }
    rig_finish(&rig);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/hmp/outputs", test_outputs);
    g_test_add_func("/hmp/requests", test_requests);
    g_test_add_func("/hmp/keys", test_keys);
    g_test_add_func("/hmp/files", test_files);
    g_test_add_func("/hmp/ringbuf", test_ringbuf);
    g_test_add_func("/hmp/session", test_session);
    g_test_add_func("/hmp/mux", test_mux);
    g_test_add_func("/hmp/completion", test_completion);
    g_test_add_func("/hmp/tables", test_tables);
    g_test_add_func("/hmp/random", test_random);
    return g_test_run();
}
