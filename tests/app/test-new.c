/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* New machines without widgets: every preset is a machine this build can make, media are told by
 * their volume data, scripts give up their command, advice names the limits, images are copied,
 * moved or left, and what fails leaves nothing behind. */

#include "app-media.h"
#include "app-new.h"

#include <glib/gstdio.h>
#include <string.h>

static const guint64 GIB = 1ull << 30;

/* ---- Presets ---- */

static void
test_presets(void)
{
    const AppPreset *preset;

    for (guint i = 0; (preset = app_preset_nth(i)); i++) {
        AppNewMachine machine = {
            .source = APP_NEW_ISO,
            .name = "A machine",
            .path = "/media/some, thing.iso",
            .preset = preset,
            .ram_bytes = (guint64)preset->ram_mib << 20,
            .disk_bytes = (guint64)preset->disk_mib << 20,
            .cpus = preset->cpus,
        };
        g_autoptr(VitDiagList) diags = vit_diag_list_new();
        g_autoptr(GError) error = NULL;
        g_autoptr(VitConfig) config = app_new_config(&machine, "/vm/x.vitrine", diags, &error);
        g_autoptr(VitConfig) again = NULL;
        g_autofree char *text = NULL;

        g_assert_no_error(error);
        g_assert_nonnull(config);
        text = vit_config_to_text(config);
        again = vit_config_parse(text, VIT_PARSE_DEFAULT, diags);
        g_assert_true(vit_config_equal(config, again));
        vit_config_check(again, vit_engine_get_registry(), diags);
        for (unsigned d = 0; d < vit_diag_list_get_n(diags); d++) {
            g_test_message("%s: %s", preset->id, vit_diag_list_get(diags, d)->message);
        }
        g_assert_cmpuint(vit_diag_list_count(diags, VIT_SEVERITY_WARNING), ==, 0);
        g_assert_nonnull(strstr(text, "some,, thing.iso"));
        /* advice has nothing against its own preset on a large host */
        g_assert_null(app_new_advice(&machine, 64 * GIB, 16, 500 * GIB));
    }
    g_assert_cmpstr(app_preset_find("nothing")->id, ==, "other");
}

static void
test_advice(void)
{
    AppNewMachine machine = {
        .source = APP_NEW_ISO,
        .preset = app_preset_find("win9x"),
        .ram_bytes = 3 * GIB,
        .cpus = 8,
        .disk_bytes = 100 * GIB,
    };
    g_autofree char *said = app_new_advice(&machine, 2 * GIB, 4, 10 * GIB);

    g_assert_nonnull(strstr(said, "only 2.0"));
    g_assert_nonnull(strstr(said, "more than 512.0"));
    g_assert_nonnull(strstr(said, "4 processors"));
    g_assert_nonnull(strstr(said, "1 processor at most"));
    g_assert_nonnull(strstr(said, "Only 10.0"));
}

/* ---- Media ---- */

/* An ISO with only what is looked at. */
static char *
make_iso(const char *folder, const char *volume, const char *publisher, const char *maker)
{
    char *path = g_build_filename(folder, "disc.iso", NULL);
    g_autofree char *data = g_malloc0(20 * 2048);
    char *pvd = data + 16 * 2048, *record = data + 17 * 2048, *catalog = data + 19 * 2048;

    memcpy(pvd, "\1CD001\1", 7);
    memset(pvd + 40, ' ', 32);
    memcpy(pvd + 40, volume, strlen(volume));
    memset(pvd + 318, ' ', 128);
    memcpy(pvd + 318, publisher, strlen(publisher));
    if (maker) {
        memcpy(record, "\0CD001\1EL TORITO SPECIFICATION", 30);
        record[0x47] = 19;
        catalog[0] = 1;
        memcpy(catalog + 4, maker, strlen(maker));
    }
    g_assert_true(g_file_set_contents(path, data, 20 * 2048, NULL));
    return path;
}

static void
assert_media(const char *folder, const char *volume, const char *publisher, const char *maker,
             const char *title, const char *preset)
{
    g_autofree char *path = make_iso(folder, volume, publisher, maker);
    g_autoptr(AppMedia) media = app_media_probe(path, NULL);

    g_assert_nonnull(media);
    g_assert_cmpstr(media->volume, ==, volume);
    g_assert_cmpstr(media->title, ==, title);
    g_assert_cmpstr(media->preset, ==, preset);
    g_assert_cmpint(media->is_bootable, ==, maker != NULL);
    g_assert_cmpint(app_new_guess_source(path, NULL), ==, APP_NEW_ISO);
    g_unlink(path);
}

static void
test_media(void)
{
    g_autofree char *folder = g_dir_make_tmp("vitrine-XXXXXX", NULL);

    assert_media(folder, "Debian 12.5.0 amd64 n", "", "", "Debian", "linux");
    assert_media(folder, "WXPVOL_EN", "MICROSOFT CORPORATION", "Microsoft Corporation",
                 "Windows XP", "winxp");
    assert_media(folder, "WIN98 SE", "", NULL, "Windows 98", "win9x");
    assert_media(folder, "CCCOMA_X64FRE_EN-US_DV9", "MICROSOFT", "Microsoft Corporation", "Windows",
                 "windows");
    assert_media(folder, "UNHEARD OF", "MICROSOFT CORPORATION", "", "Windows", "windows");
    assert_media(folder, "UNHEARD OF", "", "", "disc", "other");
    assert_media(folder, "FD13-LIVE", "", "", "FreeDOS", "dos");
    g_rmdir(folder);
}

static void
test_formats(void)
{
    g_autofree char *path = NULL;
    char bytes[4096] = "QFI\xfb";
    g_autoptr(AppMedia) qcow2 = NULL;
    g_autoptr(AppMedia) raw = NULL;

    g_close(g_file_open_tmp("vitrine-XXXXXX.img", &path, NULL), NULL);
    g_assert_true(g_file_set_contents(path, bytes, sizeof(bytes), NULL));
    qcow2 = app_media_probe(path, NULL);
    g_assert_cmpstr(qcow2->format, ==, "qcow2");
    g_assert_null(qcow2->volume);
    g_assert_true(g_file_set_contents(path, "short", 5, NULL));
    raw = app_media_probe(path, NULL);
    g_assert_cmpstr(raw->format, ==, "raw");
    g_unlink(path);
}

/* ---- Scripts ---- */

static void
test_scripts(void)
{
    static const struct {
        const char *script, *command;
    } scripts[] = {
        { "-m 1G -hda a.img", "-m 1G -hda a.img" },
        { "#!/bin/sh\n# my machine\nRAM=2G\nDISK=\"my disk.img\"\nexec qemu-system-x86_64 -m $RAM "
          "\\\n  -hda \"${DISK}\" \\\n  -smp 2\necho done\n",
          "qemu-system-x86_64 -m 2G \\\n  -hda \"my disk.img\" \\\n  -smp 2" },
        { "#!/bin/sh\nset -e\nsudo vitrine-run -m $UNKNOWN\n", "sudo vitrine-run -m $UNKNOWN" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(scripts); i++) {
        g_autofree char *found = app_new_find_command(scripts[i].script);

        g_assert_cmpstr(found, ==, scripts[i].command);
    }
}

static void
test_script_file(void)
{
    g_autofree char *path = NULL;
    g_autofree char *text = NULL;

    g_close(g_file_open_tmp("vitrine-XXXXXX.sh", &path, NULL), NULL);
    g_assert_true(g_file_set_contents(path, "#!/bin/sh\nqemu-system-x86_64 -m 64\n", -1, NULL));
    g_assert_cmpint(app_new_guess_source(path, &text), ==, APP_NEW_TEXT);
    g_assert_cmpstr(text, ==, "qemu-system-x86_64 -m 64");
    g_unlink(path);
}

/* ---- Making ---- */

typedef struct Made {
    AppEntry *entry;
    GError *error;
    gboolean is_done;
} Made;

static void
on_created(GObject *source, GAsyncResult *result, gpointer data)
{
    Made *made = data;

    made->entry = app_new_create_finish(APP_LIBRARY(source), result, &made->error);
    made->is_done = TRUE;
}

static Made
create(AppLibrary *library, const AppNewMachine *machine)
{
    Made made = { 0 };

    app_new_create_async(library, machine, on_created, &made);
    while (!made.is_done) {
        g_main_context_iteration(NULL, TRUE);
    }
    return made;
}

static unsigned
count_files(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    unsigned n = 0;

    while (dir && g_dir_read_name(dir)) {
        n++;
    }
    return n;
}

static void
test_create(void)
{
    g_autofree char *folder = g_dir_make_tmp("vitrine-XXXXXX", NULL);
    g_autofree char *root_path = g_build_filename(folder, "machines", NULL);
    g_autofree char *image = g_build_filename(folder, "old.img", NULL);
    g_autoptr(GFile) root = g_file_new_for_path(root_path);
    g_autoptr(AppLibrary) library = app_library_new(root, NULL);
    AppNewMachine machine = { .source = APP_NEW_IMAGE,
                              .name = "One",
                              .path = image,
                              .preset = app_preset_find("other"),
                              .ram_bytes = GIB,
                              .cpus = 2,
                              .use = APP_USE_COPY };
    Made made;
    g_autofree char *inside = g_build_filename(root_path, "One.vitrine/disks/old.img", NULL);
    g_autofree char *moved = g_build_filename(root_path, "Two.vitrine/disks/old.img", NULL);

    g_assert_true(g_file_set_contents(image, "data", 4, NULL));
    made = create(library, &machine);
    g_assert_no_error(made.error);
    g_assert_cmpstr(app_entry_get_name(made.entry), ==, "One");
    g_assert_true(g_file_test(inside, G_FILE_TEST_EXISTS));
    g_assert_true(g_file_test(image, G_FILE_TEST_EXISTS));
    g_assert_cmpstr(vit_config_get(app_entry_get_config(made.entry), "drive", "file"), ==, inside);
    g_assert_cmpstr(vit_config_get(app_entry_get_config(made.entry), "smp", "cpus"), ==, "2");
    /* the same name again is refused and leaves nothing */
    made = create(library, &machine);
    g_assert_error(made.error, VIT_ERROR, VIT_ERROR_BUSY);
    g_clear_error(&made.error);
    g_assert_cmpuint(count_files(root_path), ==, 1);
    machine.name = "Two";
    machine.use = APP_USE_MOVE;
    made = create(library, &machine);
    g_assert_no_error(made.error);
    g_assert_true(g_file_test(moved, G_FILE_TEST_EXISTS));
    g_assert_false(g_file_test(image, G_FILE_TEST_EXISTS));
    /* an image that is not there: said, and nothing left */
    machine.name = "Three";
    machine.use = APP_USE_COPY;
    made = create(library, &machine);
    g_assert_nonnull(made.error);
    g_assert_nonnull(strstr(made.error->message, "old.img"));
    g_clear_error(&made.error);
    g_assert_cmpuint(count_files(root_path), ==, 2);
    /* from a script; and one with a mistake is told */
    machine = (AppNewMachine){ .source = APP_NEW_TEXT,
                               .name = "Four",
                               .text = "qemu-system-x86_64 -m 96 -nic none" };
    made = create(library, &machine);
    g_assert_no_error(made.error);
    g_assert_cmpstr(vit_config_get(app_entry_get_config(made.entry), "m", "size"), ==, "96");
    machine.name = "Five";
    machine.text = "-m 96 -mashine pc";
    made = create(library, &machine);
    g_assert_error(made.error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT);
    g_clear_error(&made.error);
    g_assert_cmpuint(count_files(root_path), ==, 3);
    /* a machine's folder, as a copy */
    g_autofree char *four = g_build_filename(root_path, "Four.vitrine", NULL);
    machine = (AppNewMachine){
        .source = APP_NEW_FOLDER, .name = "Six", .path = four, .use = APP_USE_COPY
    };
    made = create(library, &machine);
    g_assert_no_error(made.error);
    g_assert_cmpuint(count_files(root_path), ==, 4);
    app_remove_folder(folder);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/new/presets", test_presets);
    g_test_add_func("/new/advice", test_advice);
    g_test_add_func("/new/media", test_media);
    g_test_add_func("/new/formats", test_formats);
    g_test_add_func("/new/scripts", test_scripts);
    g_test_add_func("/new/script-file", test_script_file);
    g_test_add_func("/new/create", test_create);
    return g_test_run();
}
