/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* machine.conf and the ini form: what is written, what survives, what a kill during a save leaves.
 * mission: readconfig set global global.long */

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vit-config.h"
#include "vit-types.h"

static VitConfig *
read_text(const char *text)
{
    return vit_config_parse(text, VIT_PARSE_DEFAULT, NULL);
}

static VitConfig *
load(const char *data)
{
    g_autoptr(GError) error = NULL;
    VitConfig *config = vit_config_load_data(data, -1, NULL, NULL, &error);

    g_assert_no_error(error);
    return config;
}

static void
expect_conf(VitConfig *config, const char *expected)
{
    g_autofree char *conf = vit_config_to_conf(config);

    g_assert_cmpstr(conf, ==, expected);
}

#define HEAD "[vitrine]\nformat=1\nmin-reader=1\nmin-writer=1\n"

static void
test_write(void)
{
    g_autoptr(VitConfig) config = read_text("-M pc,usb=on\n"
                                            "-m size=1G\n"
                                            "-drive file=a,,b.img,id=d0\n"
                                            "-device e1000 -device e1000\n"
                                            "-nic user,hostfwd=tcp::1-:2,hostfwd=tcp::3-:4\n"
                                            "-S\n"
                                            "-frob 'x y'\n"
                                            "-device '{\"driver\":\"e1000\",\"a\":[1,true]}'\n"
                                            "disk.img");
    expect_conf(config, HEAD "\n"
                             "[machine]\n@source=-M pc,usb=on\ntype=pc\nusb=on\n\n"
                             "[m]\n@source=-m size=1G\nsize=1G\n\n"
                             "[drive:d0]\nfile=a,b.img\n\n"
                             "[device]\ndriver=e1000\n\n"
                             "[device#2]\n@lead=\\s\ndriver=e1000\n\n"
                             "[nic]\ntype=user\nhostfwd=tcp::1-:2\nhostfwd#2=tcp::3-:4\n\n"
                             "[S]\n\n"
                             "[raw]\ntext=-frob 'x y'\n\n"
                             "[device#3]\n@json={\"driver\":\"e1000\",\"a\":[1,true]}\n\n"
                             "[image]\nfile=disk.img\n");
}

static const char sample[] = "# my machine\n" HEAD "colour=blue\n"
                             "\n"
                             "# the board\n"
                             "[machine]\n"
                             "# q35 is newer\n"
                             "type = pc\n"
                             "usb=off\n"
                             "\n"
                             "[vitrine.window]\n"
                             "width=800\n"
                             "\n"
                             "[m]\n"
                             "size=1G\n"
                             "\n"
                             "[future-option]\n"
                             "key=value\n"
                             "what is this\n"
                             "\n"
                             "[S]\n"
                             "# the end\n";

static void
test_keeps(void)
{
    g_autoptr(VitConfig) config = load(sample);
    g_autofree char *text = vit_config_to_text(config);

    g_assert_cmpstr(text, ==, "-machine pc,usb=off\n-m 1G\n-S");
    expect_conf(config, sample);
    g_assert_cmpstr(vit_config_get_meta(config, "vitrine.window", "width"), ==, "800");

    vit_config_set_option(config, "machine", "type", "q35", NULL);
    vit_config_set_option(config, "machine", "hpet", "off", NULL);
    vit_config_set_option(config, "m", "size", "2G", NULL);
    vit_config_set_meta(config, "vitrine.window", "width", "1024");
    vit_config_set_meta(config, "vitrine.window", "height", "768");
    /* what the application notes is no step of undo, and no undo takes it away */
    g_assert_true(vit_config_undo(config));
    g_assert_cmpstr(vit_config_get(config, "m", "size"), ==, "1G");
    g_assert_cmpstr(vit_config_get_meta(config, "vitrine.window", "height"), ==, "768");
    g_assert_true(vit_config_redo(config));
    vit_config_remove_option(config, "S");
    vit_config_add(config, VIT_ORIGIN_DIALOG, NULL, "snapshot", NULL);
    expect_conf(config, "# my machine\n" HEAD "colour=blue\n"
                        "\n"
                        "# the board\n"
                        "[machine]\n"
                        "# q35 is newer\n"
                        "type=q35\n"
                        "usb=off\n"
                        "hpet=off\n"
                        "\n"
                        "[vitrine.window]\n"
                        "width=1024\n"
                        "height=768\n"
                        "\n"
                        "[m]\n"
                        "size=2G\n"
                        "\n"
                        "[future-option]\n"
                        "key=value\n"
                        "what is this\n"
                        "\n"
                        "[snapshot]\n"
                        "# the end\n");
}

/* Who edits the keys by hand is believed, whatever @source says. */
static void
test_hand_edit(void)
{
    g_autoptr(VitConfig) same = load("[m]\n@source=-m 'size=1G'\nsize=1G\n");
    g_autoptr(VitConfig) edited = load("[m]\n@source=-m 'size=1G'\nsize=3G\n");
    g_autoptr(VitConfig) wrong = load("[m]\n@source=-S\nsize=3G\n");
    g_autofree char *a = vit_config_to_text(same), *b = vit_config_to_text(edited);
    g_autofree char *c = vit_config_to_text(wrong);

    g_assert_cmpstr(a, ==, "-m 'size=1G'");
    g_assert_cmpstr(b, ==, "-m 3G");
    g_assert_cmpstr(c, ==, "-m 3G");
}

static void
test_versions(void)
{
    g_autoptr(GError) error = NULL;
    VitConfAccess access;
    g_autoptr(VitConfig) newer = vit_config_load_data(
        "[vitrine]\nformat=9\nmin-reader=1\nmin-writer=9\n[S]\n", -1, &access, NULL, &error);

    g_assert_no_error(error);
    g_assert_cmpint(access, ==, VIT_CONF_READ_ONLY);
    g_assert_false(vit_config_save(newer, "/nonexistent/machine.conf", &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_STATE);
    g_clear_error(&error);
    g_assert_null(vit_config_load_data("[vitrine]\nmin-reader=2\n", -1, NULL, NULL, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_NOT_AVAILABLE_YET);
    g_clear_error(&error);
    g_assert_null(vit_config_load_data("[S]\0[m]", 7, NULL, NULL, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_CORRUPT);
    g_clear_error(&error);
    g_assert_null(vit_config_load("/nonexistent/machine.conf", NULL, NULL, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND);
}

/* ---- saving -------------------------------------------------------------------------------- */

typedef struct {
    char *folder, *path;
} Place;

static void
place_init(Place *place)
{
    /* In memory where that is possible: a kill, unlike a power cut, does not care. */
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : g_get_tmp_dir();

    place->folder = g_mkdtemp(g_build_filename(base, "vitrine-conf-XXXXXX", NULL));
    g_assert_nonnull(place->folder);
    place->path = g_build_filename(place->folder, "machine.conf", NULL);
}

static void
place_finish(Place *place)
{
    GDir *dir = g_dir_open(place->folder, 0, NULL);
    const char *name;

    while ((name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(place->folder, name, NULL);
        g_unlink(path);
    }
    g_dir_close(dir);
    g_rmdir(place->folder);
    g_free(place->folder);
    g_free(place->path);
}

static void
test_save(void)
{
    Place place;
    g_autoptr(GError) error = NULL;
    g_autoptr(VitConfig) one = read_text("-m 1G"), two = read_text("-m 2G -S");

    place_init(&place);
    g_autofree char *backup = g_strconcat(place.path, "~", NULL);
    g_assert_true(vit_config_save(one, place.path, &error));
    g_assert_false(g_file_test(backup, G_FILE_TEST_EXISTS));
    g_assert_true(vit_config_save(two, place.path, &error));
    g_autoptr(VitConfig) now = vit_config_load(place.path, NULL, NULL, &error);
    g_autoptr(VitConfig) before = vit_config_load(backup, NULL, NULL, &error);
    g_assert_no_error(error);
    g_assert_true(vit_config_equal(now, two));
    g_assert_true(vit_config_equal(before, one));
    g_assert_true(vit_config_save(one, place.path, &error));
    g_autoptr(VitConfig) before2 = vit_config_load(backup, NULL, NULL, &error);
    g_assert_true(vit_config_equal(before2, two));
    g_autofree char *resolved = vit_config_resolve_path(now, "disks/a.img");
    g_autofree char *expected = g_build_filename(place.folder, "disks/a.img", NULL);
    g_assert_cmpstr(resolved, ==, expected);

    /* A folder that cannot be written to: nothing is changed. */
    g_assert_false(vit_config_save(one, "/proc/machine.conf", &error));
    g_assert_nonnull(error);
    place_finish(&place);
}

/* Saves the one and the other in turn, and says so after each pair. */
static void
save_for_ever(const char *path, VitConfig *a, VitConfig *b, int fd)
{
    for (;;) {
        if (!vit_config_save(a, path, NULL) || !vit_config_save(b, path, NULL) ||
            write(fd, "x", 1) != 1)
            _exit(1);
    }
}

/* Starts a child that saves, lets it get going and kills it somewhere within a pair of saves. */
static void
kill_one(const char *path, VitConfig *a, VitConfig *b)
{
    int fds[2], status;
    char byte;

    g_assert_cmpint(pipe(fds), ==, 0);
    pid_t child = fork();
    if (child == 0)
        save_for_ever(path, a, b, fds[1]);
    close(fds[1]);
    g_assert_cmpint(read(fds[0], &byte, 1), ==, 1);
    gint64 start_us = g_get_monotonic_time();
    g_assert_cmpint(read(fds[0], &byte, 1), ==, 1);
    gint64 pair_us = g_get_monotonic_time() - start_us;
    g_usleep((gulong)g_random_int_range(0, (gint32)MIN(pair_us + 2, 100000)));
    g_assert_cmpint(kill(child, SIGKILL), ==, 0);
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(WIFSIGNALED(status));
    close(fds[0]);
}

/* kill -9 at any moment of a save: the machine opens, old or new; the one before too. */
static void
test_kill(void)
{
    unsigned runs = g_getenv("VITRINE_LONG") != NULL ? 1000 : 200, n_a = 0, n_b = 0;
    g_autoptr(GString) large = g_string_new("-m 1G");
    Place place;

    place_init(&place);
    for (unsigned i = 0; i < 400; i++)
        g_string_append_printf(large, " -device e1000,id=n%u", i);
    g_autoptr(VitConfig) a = read_text("-m 2G -S"), b = read_text(large->str);
    g_autofree char *backup = g_strconcat(place.path, "~", NULL);
    g_assert_true(vit_config_save(a, place.path, NULL));
    for (unsigned i = 0; i < runs; i++) {
        kill_one(place.path, a, b);
        g_autoptr(GError) error = NULL;
        g_autoptr(VitConfig) now = vit_config_load(place.path, NULL, NULL, &error);
        g_assert_no_error(error);
        bool is_a = vit_config_equal(now, a), is_b = vit_config_equal(now, b);
        g_assert_true(is_a || is_b);
        n_a += is_a;
        n_b += is_b;
        if (g_file_test(backup, G_FILE_TEST_EXISTS)) {
            g_autoptr(VitConfig) before = vit_config_load(backup, NULL, NULL, &error);
            g_assert_no_error(error);
            g_assert_true(vit_config_equal(before, a) || vit_config_equal(before, b));
        }
    }
    g_test_message("%u kills: %u times the one, %u times the other", runs, n_a, n_b);
    place_finish(&place);
}

/* ---- the ini form -------------------------------------------------------------------------- */

static void
test_ini(void)
{
    static const char ini[] = "# comment\n"
                              "[machine]\n"
                              "  type = \"pc\"\n"
                              "[memory]\n"
                              "  size = \"1G\"\n"
                              "\n"
                              "[drive \"d0\"]\n"
                              "  file = \"a, b.img\"\n"
                              "  if = \"none\"\n"
                              "[device]\n"
                              "  driver = \"ide-hd\"\n"
                              "  drive = \"d0\"\n"
                              "[smp-opts]\n  cpus = \"2\"\n"
                              "[global]\n  driver = \"a\"\n  property = \"b\"\n  value = \"c\"\n";
    g_autoptr(VitConfig) config = vit_config_new();
    g_autoptr(GError) error = NULL;

    g_assert_true(vit_config_read_ini(config, ini, "f.cfg", NULL, &error));
    g_autofree char *text = vit_config_to_text(config);
    g_assert_cmpstr(text, ==,
                    "-machine pc\n-m 1G\n-drive 'file=a,, b.img,if=none,id=d0'\n"
                    "-device ide-hd,drive=d0\n-smp 2\n-global a.b=c");
    g_autofree char *out = vit_config_to_ini(config);
    g_autoptr(VitConfig) again = vit_config_new();
    g_assert_true(vit_config_read_ini(again, out, "f.cfg", NULL, &error));
    g_assert_true(vit_config_equal(config, again));

    g_autoptr(VitConfig) plain = read_text("-hda x.img -nographic");
    g_autofree char *written = vit_config_to_ini(plain);
    g_assert_cmpstr(written, ==,
                    "# configuration file for -readconfig\n\n"
                    "[drive]\n  file = \"x.img\"\n  index = \"0\"\n  media = \"disk\"\n\n"
                    "# cannot be said here: -nographic\n\n");
}

static void
test_ini_errors(void)
{
    static const struct {
        const char *ini, *message;
    } cases[] = {
        { "[nosuch]\n", "f.cfg, line 1: there is no group 'nosuch'" },
        { "[drive \"x]\n", "f.cfg, line 1: the id is not in a pair of quotes" },
        { "[drive\n", "f.cfg, line 1: the ']' is missing" },
        { "\nfile = \"x\"\n", "f.cfg, line 2: a key stands before the first group" },
        { "[drive]\nfile = x\n", "f.cfg, line 2: the value of file is not in a pair of quotes" },
        { "[drive]\nfile\n", "f.cfg, line 2: 'file' is no key = \"value\"" },
        { "[drive]\n= \"x\"\n", "f.cfg, line 2: the key is missing" },
    };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(cases); i++) {
        g_autoptr(VitConfig) config = vit_config_new();
        g_autoptr(GError) error = NULL;

        g_assert_false(vit_config_read_ini(config, cases[i].ini, "f.cfg", NULL, &error));
        g_assert_cmpstr(error->message, ==, cases[i].message);
    }
}

static void
test_includes(void)
{
    Place place;
    g_autoptr(VitDiagList) diags = vit_diag_list_new();

    place_init(&place);
    g_assert_true(g_file_set_contents(place.path,
                                      "[memory]\nsize = \"3G\"\n[device]\ndriver = "
                                      "\"e1000\"\n",
                                      -1, NULL));
    g_autofree char *text =
        g_strdup_printf("-S -readconfig %s -nographic -readconfig /nonexistent", place.path);
    g_autoptr(VitConfig) config = read_text(text);
    g_autoptr(VitConfig) full = vit_config_with_includes(config, diags);
    g_assert_cmpuint(vit_config_get_n_items(full), ==, 5);
    g_assert_cmpstr(vit_config_get(full, "m", "size"), ==, "3G");
    g_assert_cmpstr(vit_config_item_get_name(vit_config_get_item(full, 2)), ==, "device");
    g_assert_cmpuint(vit_diag_list_count(diags, VIT_SEVERITY_ERROR), ==, 1);
    g_assert_cmpstr(vit_diag_list_get(diags, 0)->message, ==,
                    "the file '/nonexistent' cannot be read: No such file or directory");

    g_autofree char *written = g_build_filename(place.folder, "out.cfg", NULL);
    const char *argv[] = { "-S", "-readconfig", place.path, "-writeconfig", written };
    g_autoptr(VitConfig) started = vit_config_from_command_line(VIT_ARRAY_LEN(argv), argv, diags);
    g_autofree char *out = NULL;
    g_assert_cmpstr(vit_config_get(started, "m", "size"), ==, "3G");
    g_assert_true(g_file_get_contents(written, &out, NULL, NULL));
    g_assert_cmpstr(out, ==,
                    "# configuration file for -readconfig\n\n"
                    "# cannot be said here: -S\n\n"
                    "[memory]\n  size = \"3G\"\n\n"
                    "[device]\n  driver = \"e1000\"\n\n");
    place_finish(&place);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/conf/write", test_write);
    g_test_add_func("/conf/keeps", test_keeps);
    g_test_add_func("/conf/hand-edit", test_hand_edit);
    g_test_add_func("/conf/versions", test_versions);
    g_test_add_func("/conf/save", test_save);
    g_test_add_func("/conf/kill", test_kill);
    g_test_add_func("/conf/ini", test_ini);
    g_test_add_func("/conf/ini-errors", test_ini_errors);
    g_test_add_func("/conf/includes", test_includes);
    return g_test_run();
}
