/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The façade: media, terminals, monitor lines, statistics and pictures of a machine whose CPUs
 * stand still (-accel qtest), so that no firmware has to run. mission: change eject set_link */

#include "vit-engine.h"

#include <glib/gstdio.h>
#include <string.h>

typedef struct Rig {
    VitMachine *machine;
    GAsyncResult *result;
    GString *output;
    guint n_media_changed, n_stats;
    char *dir, *iso;
} Rig;

static void
on_result(GObject *source, GAsyncResult *result, gpointer data)
{
    ((Rig *)data)->result = g_object_ref(result);
}

static GAsyncResult *
wait_result(Rig *rig)
{
    while (!rig->result) {
        g_main_context_iteration(NULL, TRUE);
    }
    return g_steal_pointer(&rig->result);
}

static gboolean
on_deadline(gpointer data)
{
    g_error("nothing came within 10 s");
    return G_SOURCE_REMOVE;
}

static void
wait_until(const guint *counter, guint at_least)
{
    guint deadline = g_timeout_add_seconds(10, on_deadline, NULL);

    while (*counter < at_least) {
        g_main_context_iteration(NULL, TRUE);
    }
    g_source_remove(deadline);
}

static void
on_count(VitMachine *machine, guint *counter)
{
    ++*counter;
}

static void
set_up(Rig *rig, gconstpointer data)
{
    g_autoptr(VitDiagList) diags = vit_diag_list_new();
    g_autoptr(VitConfig) config = vit_config_parse(data, VIT_PARSE_DEFAULT, diags);
    g_autoptr(GError) error = NULL;
    g_autofree char *blank = g_malloc0(64 << 10);

    rig->machine = vit_machine_new(config, NULL, diags, &error);
    g_assert_no_error(error);
    rig->output = g_string_new(NULL);
    rig->dir = g_dir_make_tmp("vitrine-facade-XXXXXX", NULL);
    rig->iso = g_build_filename(rig->dir, "medium.iso", NULL);
    g_file_set_contents(rig->iso, blank, 64 << 10, NULL);
    g_signal_connect(rig->machine, "media-changed", G_CALLBACK(on_count), &rig->n_media_changed);
    g_signal_connect(rig->machine, "stats", G_CALLBACK(on_count), &rig->n_stats);
}

static void
tear_down(Rig *rig, gconstpointer data)
{
    g_object_unref(rig->machine);
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    g_string_free(rig->output, TRUE);
    g_unlink(rig->iso);
    g_rmdir(rig->dir);
    g_free(rig->iso);
    g_free(rig->dir);
}

/* ---- Cables ---- */

static VitLink *
find_link(Rig *rig, const char *model)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GAsyncResult) result = NULL;
    g_autoptr(GPtrArray) list = NULL;
    VitLink *found = NULL;

    vit_machine_list_links_async(rig->machine, on_result, rig);
    result = wait_result(rig);
    list = vit_machine_list_links_finish(rig->machine, result, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(list->len, ==, 2);
    for (guint i = 0; i < list->len && !found; i++) {
        if (strcmp(((VitLink *)list->pdata[i])->model, model) == 0) {
            found = g_ptr_array_steal_index(list, i);
        }
    }
    g_assert_nonnull(found);
    return found;
}

static gboolean
set_link(Rig *rig, const char *id, gboolean up, GError **error)
{
    g_autoptr(GAsyncResult) result = NULL;

    vit_machine_set_link_async(rig->machine, id, up, on_result, rig);
    result = wait_result(rig);
    return vit_machine_set_link_finish(rig->machine, result, error);
}

/* Pulled, plugged in; plugging in also mends what the monitor pulled at the other end. */
static void
test_links(Rig *rig, gconstpointer data)
{
    g_autoptr(VitLink) before = find_link(rig, "e1000");
    g_autoptr(VitLink) pulled = NULL;
    g_autoptr(VitLink) other = NULL;
    g_autoptr(VitLink) plugged = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_cmpstr(before->id, ==, "card");
    g_assert_true(before->up);
    g_assert_true(set_link(rig, "card", FALSE, &error));
    pulled = find_link(rig, "e1000");
    g_assert_false(pulled->up);
    other = find_link(rig, "virtio-net-pci");
    g_assert_true(other->up);
    vit_machine_run_command_async(rig->machine, "set_link net0 off", on_result, rig);
    g_object_unref(wait_result(rig));
    g_assert_true(set_link(rig, "card", TRUE, &error));
    plugged = find_link(rig, "e1000");
    g_assert_true(plugged->up);
    g_assert_false(set_link(rig, "net0", FALSE, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND);
}

/* ---- Media ---- */

static VitMedia *
find_media(GPtrArray *list, VitMediaRole role)
{
    for (guint i = 0; i < list->len; i++) {
        if (((VitMedia *)list->pdata[i])->role == role) {
            return list->pdata[i];
        }
    }
    return NULL;
}

static GPtrArray *
list_media(Rig *rig)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GAsyncResult) result = NULL;
    GPtrArray *list;

    vit_machine_list_media_async(rig->machine, on_result, rig);
    result = wait_result(rig);
    list = vit_machine_list_media_finish(rig->machine, result, &error);
    g_assert_no_error(error);
    return list;
}

static gboolean
insert(Rig *rig, const char *drive, const char *path, GError **error)
{
    g_autoptr(GAsyncResult) result = NULL;

    vit_machine_insert_async(rig->machine, drive, path, on_result, rig);
    result = wait_result(rig);
    return vit_machine_insert_finish(rig->machine, result, error);
}

static void
test_media(Rig *rig, gconstpointer data)
{
    g_autoptr(GPtrArray) before = list_media(rig);
    VitMedia *cd = find_media(before, VIT_MEDIA_CDROM);
    g_autofree char *missing = g_build_filename(rig->dir, "no-such.iso", NULL);
    g_autoptr(GPtrArray) full = NULL;
    g_autoptr(GPtrArray) empty = NULL;
    g_autoptr(GAsyncResult) result = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_nonnull(cd);
    g_assert_true(cd->removable);
    g_assert_null(cd->file);
    g_assert_nonnull(find_media(before, VIT_MEDIA_FLOPPY));

    g_assert_true(insert(rig, cd->id, rig->iso, &error));
    g_assert_no_error(error);
    full = list_media(rig);
    g_assert_cmpstr(find_media(full, VIT_MEDIA_CDROM)->file, ==, rig->iso);
    g_assert_cmpuint(find_media(full, VIT_MEDIA_CDROM)->len_bytes, ==, 64 << 10);
    wait_until(&rig->n_media_changed, 1);

    /* a medium that is not there: the old one stays, the message names it */
    g_assert_false(insert(rig, cd->id, missing, &error));
    g_assert_nonnull(strstr(error->message, "no-such.iso"));
    g_clear_error(&error);
    g_assert_false(insert(rig, "no-such-drive", rig->iso, &error));
    g_assert_nonnull(strstr(error->message, "no-such-drive"));
    g_clear_error(&error);

    vit_machine_eject_async(rig->machine, cd->id, FALSE, on_result, rig);
    result = wait_result(rig);
    g_assert_true(vit_machine_eject_finish(rig->machine, result, &error));
    empty = list_media(rig);
    g_assert_null(find_media(empty, VIT_MEDIA_CDROM)->file);
}

/* ---- Monitor lines ---- */

static void
test_command(Rig *rig, gconstpointer data)
{
    g_autoptr(GAsyncResult) first = NULL;
    g_autoptr(GAsyncResult) second = NULL;
    g_autofree char *text = NULL;
    g_auto(GStrv) words = NULL;

    vit_machine_run_command_async(rig->machine, "info name", on_result, rig);
    first = wait_result(rig);
    text = vit_machine_run_command_finish(rig->machine, first, NULL);
    g_assert_cmpstr(text, ==, "facade\n");
    vit_machine_complete_command_async(rig->machine, "info stat", on_result, rig);
    second = wait_result(rig);
    words = vit_machine_complete_command_finish(rig->machine, second, NULL);
    g_assert_true(g_strv_contains((const char *const *)words, "status"));
}

/* ---- Terminals ---- */

static void
on_output(VitTerminal *terminal, GBytes *bytes, Rig *rig)
{
    g_string_append_len(rig->output, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
}

static void
wait_output(Rig *rig, const char *text)
{
    guint deadline = g_timeout_add_seconds(10, on_deadline, NULL);

    while (!strstr(rig->output->str, text)) {
        g_main_context_iteration(NULL, TRUE);
    }
    g_source_remove(deadline);
}

static VitTerminal *
find_terminal(Rig *rig, VitTerminalRole role)
{
    for (guint i = 0; i < vit_machine_get_n_terminals(rig->machine); i++) {
        VitTerminal *terminal = vit_machine_get_terminal(rig->machine, i);

        if (vit_terminal_get_role(terminal) == role) {
            return terminal;
        }
    }
    return NULL;
}

static void
test_terminal(Rig *rig, gconstpointer data)
{
    VitTerminal *monitor = find_terminal(rig, VIT_TERMINAL_MONITOR);
    const char *first_line;

    g_assert_nonnull(monitor);
    g_assert_nonnull(find_terminal(rig, VIT_TERMINAL_SERIAL));
    g_assert_cmpuint(vit_terminal_get_number(monitor), ==, 0);
    g_signal_connect(monitor, "output", G_CALLBACK(on_output), rig);
    vit_terminal_open(monitor);
    wait_output(rig, "(qemu) "); /* from before anybody looked */

    g_string_truncate(rig->output, 0);
    vit_terminal_write(monitor, "info name\r", 10);
    wait_output(rig, "facade\r\n(qemu) ");

    /* choices are laid out in the width of the view */
    vit_terminal_set_size(monitor, 30, 24);
    g_string_truncate(rig->output, 0);
    vit_terminal_write(monitor, "info \t\t", 7);
    wait_output(rig, "(qemu) info ");
    for (first_line = rig->output->str; *first_line;) {
        gsize len = strcspn(first_line, "\r\n");

        g_assert_cmpuint(len, <=, 40); /* longest topic plus a gap */
        first_line += len + strspn(first_line + len, "\r\n");
    }
}

/* ---- Statistics and pictures ---- */

static void
test_stats(Rig *rig, gconstpointer data)
{
    gint64 first_ns;

    g_assert_cmpint(vit_machine_get_stats(rig->machine)->host_ns, ==, 0);
    vit_machine_set_stats_interval(rig->machine, 10);
    wait_until(&rig->n_stats, 1);
    first_ns = vit_machine_get_stats(rig->machine)->host_ns;
    g_assert_cmpint(first_ns, >, 0);
    g_assert_cmpuint(vit_machine_get_stats(rig->machine)->n_cpus, ==, 2);
    wait_until(&rig->n_stats, 3);
    g_assert_cmpint(vit_machine_get_stats(rig->machine)->host_ns, >, first_ns);
    vit_machine_set_stats_interval(rig->machine, 0);
}

static void
test_picture(Rig *rig, gconstpointer data)
{
    g_autofree char *path = g_build_filename(rig->dir, "picture.png", NULL);
    g_autoptr(GAsyncResult) result = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(VitPicture) picture = NULL;
    g_autoptr(VitPicture) small = NULL;

    vit_display_take_picture_async(vit_machine_get_display(rig->machine, 0), on_result, rig);
    result = wait_result(rig);
    picture =
        vit_display_take_picture_finish(vit_machine_get_display(rig->machine, 0), result, &error);
    g_assert_no_error(error);
    g_assert_cmpint(picture->width, >, 0);
    small = vit_picture_shrink(picture, 32, 20);
    g_assert_cmpint(small->width, <=, 32);
    g_assert_cmpint(small->height, <=, 20);
    g_assert_true(vit_picture_save(small, path, &error));
    g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
    g_unlink(path);
}

static void
test_shrink(void)
{
    uint32_t pixels[] = { 0xff000000, 0xff0000fe, 0xff00fe00, 0xfffe0000,
                          0xff000000, 0xff000000, 0xff000000, 0xff000000 };
    VitPicture picture = { 4, 2, pixels };
    g_autoptr(VitPicture) small = vit_picture_shrink(&picture, 2, 2);

    g_assert_cmpint(small->width, ==, 2);
    g_assert_cmpint(small->height, ==, 1);
    g_assert_cmphex(small->pixels[0], ==, 0xff00003f);
    g_assert_cmphex(small->pixels[1], ==, 0xff3f3f00);
}

/* Questions on their way when the machine goes are answered or dropped, never lost in the middle.
 */
static void
test_gone(Rig *rig, gconstpointer data)
{
    g_autoptr(GAsyncResult) result = NULL;
    g_autofree char *text = NULL;
    VitMachine *machine = rig->machine;

    vit_machine_run_command_async(machine, "info name", on_result, rig);
    rig->machine = g_object_ref(machine); /* tear_down drops it */
    g_object_unref(machine);
    result = wait_result(rig);
    text = vit_machine_run_command_finish(machine, result, NULL);
    g_assert_cmpstr(text, ==, "facade\n");
}

#define ARGS "-accel qtest -name facade -smp 2 -m 16 -nic none -display gtk"

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/facade/links", Rig,
               "-accel qtest -m 16 -netdev user,id=net0 -device e1000,id=card,netdev=net0 "
               "-netdev user,id=net1 -device virtio-net-pci,netdev=net1",
               set_up, test_links, tear_down);
    g_test_add("/facade/media", Rig, ARGS, set_up, test_media, tear_down);
    g_test_add("/facade/command", Rig, ARGS, set_up, test_command, tear_down);
    g_test_add("/facade/terminal", Rig, ARGS, set_up, test_terminal, tear_down);
    g_test_add("/facade/stats", Rig, ARGS, set_up, test_stats, tear_down);
    g_test_add("/facade/picture", Rig, ARGS, set_up, test_picture, tear_down);
    g_test_add("/facade/gone", Rig, ARGS, set_up, test_gone, tear_down);
    g_test_add_func("/facade/shrink", test_shrink);
    return g_test_run();
}
