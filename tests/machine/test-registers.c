/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* "info registers" while the guest runs: what it shows is where the guest is, under each executor,
 * also when the registers are in the host's. mission: info-registers */

#include "vit-engine.h"

#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <string.h>

/* A firmware of 64 KiB: into flat 32-bit mode, then EBX counts, in memory too. */
static const uint8_t at_reset[] = { 0xe9, 0x0d, 0xff }; /* jmp ff00 */
static const uint8_t at_ff00[] = {
    0xfa,                                           /* cli */
    0x66, 0x2e, 0x0f, 0x01, 0x16, 0x80, 0xff,       /* lgdt cs:[ff80] */
    0x0f, 0x20, 0xc0,                               /* mov eax, cr0 */
    0x0c, 0x01,                                     /* or al, 1 */
    0x0f, 0x22, 0xc0,                               /* mov cr0, eax */
    0x66, 0xea, 0x40, 0xff, 0x0f, 0x00, 0x08, 0x00, /* jmp 8:000fff40 */
};
static const uint8_t at_ff40[] = {
    0xb8, 0x10, 0x00, 0x00, 0x00,       /* mov eax, 10h */
    0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0, /* mov ds, ax; mov es, ax; mov ss, ax */
    0x43,                               /* inc ebx */
    0x89, 0x1d, 0x00, 0x10, 0x00, 0x00, /* mov [1000h], ebx */
    0xeb, 0xf7,                         /* jmp back to inc */
};
static const uint8_t jump_busy[] = { 0xe6, 0x80, 0xeb, 0xf3 }; /* out 80h, al; jmp back to inc */
static const uint8_t at_ff80[] = { 0x17, 0x00, 0x90, 0xff, 0x0f, 0x00 };
static const uint8_t at_ff98[] = { 0xff, 0xff, 0x00, 0x00, 0x00, 0x9b, 0xcf, 0x00,
                                   0xff, 0xff, 0x00, 0x00, 0x00, 0x93, 0xcf, 0x00 };

static void
on_result(GObject *source, GAsyncResult *result, gpointer data)
{
    *(GAsyncResult **)data = g_object_ref(result);
}

/* What the monitor says to LINE. Ownership: caller. */
static char *
ask(VitMachine *machine, const char *line)
{
    g_autoptr(GAsyncResult) result = NULL;

    vit_machine_run_command_async(machine, line, on_result, &result);
    while (!result) {
        g_main_context_iteration(NULL, TRUE);
    }
    return vit_machine_run_command_finish(machine, result, NULL);
}

static uint32_t
number_after(const char *text, const char *word)
{
    const char *found = strstr(text, word);

    g_assert_nonnull(found);
    return g_ascii_strtoull(found + strlen(word), NULL, 16);
}

static uint32_t
in_memory(VitMachine *machine)
{
    g_autofree char *text = ask(machine, "xp /1xw 0x1000");

    return number_after(text, ": 0x");
}

static char *
write_firmware(const char *dir, bool busy)
{
    char *path = g_build_filename(dir, "bios.bin", NULL);
    g_autofree uint8_t *image = g_malloc0(64 << 10);
    g_autoptr(GError) error = NULL;

    memcpy(image + 0xfff0, at_reset, sizeof(at_reset));
    memcpy(image + 0xff00, at_ff00, sizeof(at_ff00));
    memcpy(image + 0xff40, at_ff40, sizeof(at_ff40));
    if (busy) { /* in place of the jump */
        memcpy(image + 0xff40 + sizeof(at_ff40) - 2, jump_busy, sizeof(jump_busy));
    }
    memcpy(image + 0xff80, at_ff80, sizeof(at_ff80));
    memcpy(image + 0xff98, at_ff98, sizeof(at_ff98));
    g_file_set_contents(path, (const char *)image, 64 << 10, &error);
    g_assert_no_error(error);
    return path;
}

static void
test_running(gconstpointer accel)
{
    g_autoptr(VitDiagList) diags = vit_diag_list_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *dir = g_dir_make_tmp("vitrine-registers-XXXXXX", NULL);
    g_autofree char *bios = write_firmware(dir, false);
    g_autofree char *arguments = g_strdup_printf(
        "-accel %s -m 16 -nodefaults -display none -bios %s", (const char *)accel, bios);
    g_autoptr(VitConfig) config = vit_config_parse(arguments, VIT_PARSE_DEFAULT, diags);
    VitMachine *machine = vit_machine_new(config, NULL, diags, &error);
    gint64 deadline = g_get_monotonic_time() + 30 * G_TIME_SPAN_SECOND;
    uint32_t before = 0;

    g_assert_no_error(error);
    vit_machine_start(machine);
    for (unsigned looks = 0; looks < 20;) {
        uint32_t stored = in_memory(machine);
        g_autofree char *text = ask(machine, "info registers");

        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        if (stored == before) {
            g_usleep(1000); /* not there yet, or not gone on since the last look */
            continue;
        }
        g_assert_cmpuint(number_after(text, "EBX="), >=, stored);
        g_assert_cmphex(number_after(text, "EIP="), >=, 0xfff4b);
        g_assert_cmphex(number_after(text, "EIP="), <=, 0xfff52);
        before = stored;
        looks++;
    }
    g_object_unref(machine);
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    g_unlink(bios);
    g_rmdir(dir);
}

/* A monitor on a stream is served with the device lock taken twice: a CPU that wants it for its
 * device access must still come to a stop. */
static void
test_busy_device(gconstpointer accel)
{
    g_autoptr(VitDiagList) diags = vit_diag_list_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *dir = g_dir_make_tmp("vitrine-registers-XXXXXX", NULL);
    g_autofree char *bios = write_firmware(dir, true);
    g_autofree char *path = g_build_filename(dir, "monitor", NULL);
    g_autofree char *arguments =
        g_strdup_printf("-accel %s -m 16 -nodefaults -display none -bios %s "
                        "-monitor unix:%s,server=on,wait=off",
                        (const char *)accel, bios, path);
    g_autoptr(VitConfig) config = vit_config_parse(arguments, VIT_PARSE_DEFAULT, diags);
    VitMachine *machine = vit_machine_new(config, NULL, diags, &error);
    g_autoptr(GSocketClient) client = g_socket_client_new();
    g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);
    g_autoptr(GSocketConnection) connection = NULL;
    g_autoptr(GDataInputStream) answers = NULL;
    unsigned shown = 0;

    g_assert_no_error(error);
    vit_machine_start(machine);
    g_socket_client_set_timeout(client, 30);
    connection = g_socket_client_connect(client, G_SOCKET_CONNECTABLE(address), NULL, &error);
    g_assert_no_error(error);
    answers = g_data_input_stream_new(g_io_stream_get_input_stream(G_IO_STREAM(connection)));
    for (unsigned i = 0; i < 50; i++) {
        g_assert_true(
            g_output_stream_write_all(g_io_stream_get_output_stream(G_IO_STREAM(connection)),
                                      "info registers\n", 15, NULL, NULL, &error));
    }
    while (shown < 50) {
        g_autofree char *line = g_data_input_stream_read_line(answers, NULL, NULL, &error);

        g_assert_no_error(error);
        g_assert_nonnull(line);
        shown += g_str_has_prefix(line, "EAX=") || g_str_has_prefix(line, "RAX=");
    }
    g_object_unref(machine);
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    g_unlink(path);
    g_unlink(bios);
    g_rmdir(dir);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/registers/translator", "tcg", test_running);
    g_test_add_data_func("/registers/interpreter", "tcg,x-interpreter=on", test_running);
    g_test_add_data_func("/registers/busy-device", "tcg", test_busy_device);
    return g_test_run();
}
