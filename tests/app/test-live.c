/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* A machine that runs follows its configuration: media, limits, port forwards, devices, reactions;
 * undo takes them back; what must wait is listed with its reason, and what fails says why. The
 * effects are read where the guest or the monitor sees them. */

#include "app-live.h"

#include <glib/gstdio.h>
#include <gio/gio.h>
#include <string.h>

typedef struct Fixture {
    char *folder, *first, *second, *disk;
    VitConfig *config;
    VitMachine *machine;
    AppLive *live;
} Fixture;

static char *
make_file(const char *folder, const char *name)
{
    char *path = g_build_filename(folder, name, NULL);
    g_autofree char *zeros = g_malloc0(1 << 20);

    g_assert_true(g_file_set_contents(path, zeros, 1 << 20, NULL));
    return path;
}

static void
set_up(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;

    f->folder = g_dir_make_tmp("vitrine-live-XXXXXX", NULL);
    f->first = make_file(f->folder, "first.iso");
    f->second = make_file(f->folder, "second.iso");
    f->disk = make_file(f->folder, "disk.raw");
    text = g_strdup_printf("-accel qtest -m 16 -vga none -display none -cdrom %s "
                           "-drive file=%s,format=raw,bps=1000000 "
                           "-netdev user,id=n0 -device e1000,netdev=n0,id=card",
                           f->first, f->disk);
    f->config = vit_config_parse(text, VIT_PARSE_DEFAULT, NULL);
    f->machine = vit_machine_new(f->config, NULL, NULL, &error);
    g_assert_no_error(error);
    f->live = app_live_new(f->machine, f->config, f->config);
}

static void
tear_down(Fixture *f, gconstpointer data)
{
    g_clear_object(&f->live);
    g_clear_object(&f->machine);
    g_clear_object(&f->config);
    g_unlink(f->first);
    g_unlink(f->second);
    g_unlink(f->disk);
    g_rmdir(f->folder);
    g_free(f->first);
    g_free(f->second);
    g_free(f->disk);
    g_free(f->folder);
}

static void
on_result(GObject *source, GAsyncResult *result, gpointer data)
{
    *(GAsyncResult **)data = g_object_ref(result);
}

/* What the monitor says to LINE. */
static char *
ask(Fixture *f, const char *line)
{
    g_autoptr(GAsyncResult) result = NULL;

    vit_machine_run_command_async(f->machine, line, on_result, &result);
    while (!result) {
        g_main_context_iteration(NULL, TRUE);
    }
    return vit_machine_run_command_finish(f->machine, result, NULL);
}

static gboolean
on_timeout(gpointer data)
{
    *(gboolean *)data = TRUE;
    return G_SOURCE_REMOVE;
}

/* Until LINE answers with TEXT in it (or without, when THERE is false). */
static void
wait_for(Fixture *f, const char *line, const char *text, gboolean there)
{
    gboolean late = FALSE;
    guint timer = g_timeout_add_seconds(20, on_timeout, &late);

    for (;;) {
        g_autofree char *answer = ask(f, line);

        if ((strstr(answer, text) != NULL) == there) {
            break;
        }
        if (late) {
            for (guint i = 0; i < app_live_get_waiting(f->live)->len; i++) {
                const AppWaiting *waiting = app_live_get_waiting(f->live)->pdata[i];

                g_printerr("waits: %s: %s\n", waiting->text, waiting->problem);
            }
            g_error("“%s” %s “%s”:\n%s", line, there ? "never had" : "still has", text, answer);
        }
        g_main_context_iteration(NULL, FALSE);
        g_usleep(5000);
    }
    if (!late) {
        g_source_remove(timer);
    }
}

/* Lets everything settle: in the end WAITING changes wait. */
static void
settle(Fixture *f, guint waiting)
{
    gboolean over = FALSE, late = FALSE;
    guint timer = g_timeout_add_seconds(20, on_timeout, &late);

    g_timeout_add(200, on_timeout, &over);
    while (!over || (!late && app_live_get_waiting(f->live)->len != waiting)) {
        g_main_context_iteration(NULL, TRUE);
    }
    if (!late) {
        g_source_remove(timer);
    }
    g_assert_cmpuint(app_live_get_waiting(f->live)->len, ==, waiting);
}

static void
test_medium(Fixture *f, gconstpointer data)
{
    wait_for(f, "info block", "first.iso", TRUE);
    g_assert_true(vit_config_set_option(f->config, "cdrom", NULL, f->second, NULL));
    wait_for(f, "info block", "second.iso", TRUE);
    settle(f, 0);
    vit_config_undo(f->config);
    wait_for(f, "info block", "first.iso", TRUE);
    g_assert_cmpuint(vit_config_remove_option(f->config, "cdrom"), ==, 1);
    wait_for(f, "info block", "first.iso", FALSE);
    vit_config_undo(f->config);
    wait_for(f, "info block", "first.iso", TRUE);
    settle(f, 0);
}

static void
test_failure(Fixture *f, gconstpointer data)
{
    const AppWaiting *waiting;

    g_assert_true(vit_config_set_option(f->config, "cdrom", NULL, "/no/such.iso", NULL));
    settle(f, 1);
    waiting = app_live_find(f->live, "cdrom", 0, "value");
    g_assert_nonnull(waiting);
    g_assert_nonnull(waiting->problem);
    g_assert_nonnull(strstr(waiting->problem, "/no/such.iso"));
    wait_for(f, "info block", "first.iso", TRUE); /* the old medium stayed */
    vit_config_undo(f->config);
    settle(f, 0);
}

static void
test_limits(Fixture *f, gconstpointer data)
{
    VitConfigItem *item = vit_config_find(f->config, "drive", NULL);
    uint32_t serial = vit_config_item_get_serial(item);

    wait_for(f, "info block -v", "bps=1000000", TRUE);
    g_assert_true(vit_config_set(f->config, serial, "bps", "2000000", NULL));
    g_assert_true(vit_config_set(f->config, serial, "iops", "300", NULL));
    wait_for(f, "info block -v", "iops=300", TRUE);
    wait_for(f, "info block -v", "bps=2000000", TRUE);
    g_assert_true(vit_config_set(f->config, serial, "iops", NULL, NULL));
    wait_for(f, "info block -v", "iops=300", FALSE);
    /* the image of a hard disk does not change under the guest */
    g_assert_true(vit_config_set(f->config, serial, "file", f->second, NULL));
    settle(f, 1);
    g_assert_cmpint(app_live_find(f->live, "drive", serial, "file")->change, ==,
                    VIT_CHANGE_RESTART);
    wait_for(f, "info block", "disk.raw", TRUE);
}

static void
test_forward(Fixture *f, gconstpointer data)
{
    uint32_t serial = vit_config_item_get_serial(vit_config_find(f->config, "netdev", "n0"));
    g_autoptr(GSocketListener) taken = g_socket_listener_new();
    g_autoptr(GSocketClient) client = g_socket_client_new();
    g_autoptr(GSocketConnection) connection = NULL;
    guint16 port = g_socket_listener_add_any_inet_port(taken, NULL, NULL);
    g_autofree char *rule = g_strdup_printf("tcp:127.0.0.1:%u-:22", port);

    /* somebody else has the port: said, and tried again with the next change */
    g_assert_true(vit_config_set(f->config, serial, "hostfwd", rule, NULL));
    settle(f, 1);
    g_assert_nonnull(app_live_find(f->live, "netdev", serial, "hostfwd")->problem);
    g_socket_listener_close(taken);
    vit_config_undo(f->config);
    settle(f, 0);
    g_assert_true(vit_config_set(f->config, serial, "hostfwd", rule, NULL));
    wait_for(f, "info usernet", "HOST_FORWARD", TRUE);
    connection = g_socket_client_connect_to_host(client, "127.0.0.1", port, NULL, NULL);
    g_assert_nonnull(connection);
    vit_config_undo(f->config);
    wait_for(f, "info usernet", "HOST_FORWARD", FALSE);
    settle(f, 0);
}

/* A card of its own with a back end of its own, as the guest sees its slot. */
static void
test_devices(Fixture *f, gconstpointer data)
{
    uint32_t serial;

    wait_for(f, "info pci", "id \"late\"", FALSE);
    vit_config_begin(f->config, "Add");
    vit_config_add(f->config, VIT_ORIGIN_DIALOG, NULL, "device", "driver", "e1000", "id", "late",
                   "netdev", "n1", "addr", "0x9", NULL);
    vit_config_add(f->config, VIT_ORIGIN_DIALOG, NULL, "netdev", "type", "user", "id", "n1", NULL);
    vit_config_end(f->config);
    wait_for(f, "info pci", "id \"late\"", TRUE);
    settle(f, 0);
    g_free(ask(f, "o /w 0xcf8 0x80004800"));
    wait_for(f, "i /x 0xcfc", "0x", TRUE);
    /* the guest has to give it free; nobody does here */
    serial = vit_config_item_get_serial(vit_config_find(f->config, "device", "late"));
    g_assert_true(vit_config_remove(f->config, serial));
    settle(f, 1);
    g_assert_nonnull(app_live_find(f->live, "device", 0, NULL)->problem);
    /* eject of slot 9, as a guest's ACPI code does it */
    g_free(ask(f, "o /w 0xae08 0x200"));
    wait_for(f, "info pci", "id \"late\"", FALSE);
    settle(f, 0);
    /* a screen cannot come later */
    vit_config_add(f->config, VIT_ORIGIN_DIALOG, NULL, "device", "driver", "VGA", "id", "v", NULL);
    settle(f, 1);
    g_assert_cmpint(app_live_find(f->live, "device", 0, NULL)->change, ==, VIT_CHANGE_RESTART);
}

static void
test_waiting(Fixture *f, gconstpointer data)
{
    g_assert_true(vit_config_set_option(f->config, "m", "size", "32M", NULL));
    g_assert_true(vit_config_set_option(f->config, "name", "guest", "Other", NULL));
    settle(f, 1); /* the name is there at once */
    g_assert_nonnull(app_live_find(f->live, "m", 0, "size"));
    g_assert_null(app_live_find(f->live, "m", 0, "size")->problem);
    wait_for(f, "info name", "Other", TRUE);
    vit_config_undo(f->config);
    vit_config_undo(f->config);
    settle(f, 0);
    wait_for(f, "info name", "Other", FALSE);
}

/* ---- declarations ---- */

static gboolean
is_there(VitStatus status)
{
    return status == VIT_STATUS_AVAILABLE || status == VIT_STATUS_INHERIT;
}

static void
check_keys(const VitOption *option, const VitOptionKey *keys)
{
    for (const VitOptionKey *key = keys; key && key->name; key++) {
        if (key->change == VIT_CHANGE_HOT && is_there(key->status) &&
            !vit_live_is_built(option->name, key->name)) {
            g_error("-%s %s= is declared to change at once, but nothing changes it", option->name,
                    key->name);
        }
    }
}

/* Whatever is declared to change at once has something that changes it. */
static void
test_declarations(void)
{
    const VitOption *option;
    guint n = 0;

    for (unsigned i = 0; (option = vit_option_nth(i)); i++) {
        if (option->status != VIT_STATUS_AVAILABLE) {
            continue;
        }
        if (option->change == VIT_CHANGE_HOT) {
            n++;
            if (!vit_live_is_built(option->name, NULL)) {
                g_error("-%s is declared to change at once, but nothing changes it", option->name);
            }
        }
        check_keys(option, option->keys);
        for (const VitOptionVariant *v = option->variants; v && v->name; v++) {
            if (is_there(v->status)) {
                check_keys(option, v->keys);
            }
        }
    }
    g_assert_cmpuint(n, >, 8);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/live/declarations", test_declarations);
    g_test_add("/live/medium", Fixture, NULL, set_up, test_medium, tear_down);
    g_test_add("/live/failure", Fixture, NULL, set_up, test_failure, tear_down);
    g_test_add("/live/limits", Fixture, NULL, set_up, test_limits, tear_down);
    g_test_add("/live/forward", Fixture, NULL, set_up, test_forward, tear_down);
    g_test_add("/live/devices", Fixture, NULL, set_up, test_devices, tear_down);
    g_test_add("/live/waiting", Fixture, NULL, set_up, test_waiting, tear_down);
    return g_test_run();
}
