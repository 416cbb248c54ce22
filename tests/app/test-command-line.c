/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The draft behind the command line pane: it follows the settings and they follow it, nothing typed
 * is lost, what applying changes is said, mistakes are told with place and fix, files complete, the
 * copied command is one that runs. */

#include "app-command-line.h"

#include "config-random.h"
#include "host-programs.h"

#include <glib/gstdio.h>
#include <string.h>

static AppSettings *
settings_of(const char *text)
{
    g_autoptr(VitConfig) config = vit_config_parse(text, VIT_PARSE_DEFAULT, NULL);

    return app_settings_new(config);
}

static char *
config_text(AppSettings *settings)
{
    return vit_config_to_text(app_settings_get_config(settings));
}

static void
count(AppCommandLine *line, unsigned *n)
{
    (*n)++;
}

static void
test_live_views(void)
{
    g_autoptr(AppSettings) settings = settings_of("-m 1G   # mine\n-frob x");
    VitConfig *config = app_settings_get_config(settings);
    g_autoptr(AppCommandLine) line = app_command_line_new(settings);
    unsigned replaced = 0, outdated = 0;
    g_autofree char *text = NULL;

    g_signal_connect(line, "replaced", G_CALLBACK(count), &replaced);
    g_signal_connect(line, "outdated", G_CALLBACK(count), &outdated);
    /* a row changes the text, and nothing of what it does not know */
    g_assert_true(vit_config_set_option(config, "m", "size", "2G", NULL));
    g_assert_cmpuint(replaced, ==, 1);
    g_assert_cmpstr(app_command_line_get_text(line), ==, "-m 2G   # mine\n-frob x");
    /* typing changes nothing until it is applied */
    app_command_line_set_text(line, "-m 3G   # mine\n-frob x -smp 4");
    g_assert_true(app_command_line_is_changed(line));
    g_assert_cmpstr(vit_config_get(config, "m", "size"), ==, "2G");
    app_command_line_apply(line);
    g_assert_false(app_command_line_is_changed(line));
    g_assert_cmpstr(vit_config_get(config, "m", "size"), ==, "3G");
    g_assert_cmpstr(vit_config_get(config, "smp", "cpus"), ==, "4");
    text = config_text(settings);
    g_assert_cmpstr(text, ==, "-m 3G   # mine\n-frob x -smp 4");
    /* one step of undo takes it all back, in the text too */
    g_assert_true(vit_config_undo(config));
    g_assert_cmpstr(app_command_line_get_text(line), ==, "-m 2G   # mine\n-frob x");
    /* a change elsewhere does not take the draft away */
    app_command_line_set_text(line, "-m 8G");
    g_assert_true(vit_config_set_option(config, "smp", "cpus", "2", NULL));
    g_assert_cmpuint(outdated, ==, 1);
    g_assert_cmpstr(app_command_line_get_text(line), ==, "-m 8G");
    app_command_line_revert(line);
    g_assert_cmpstr(app_command_line_get_text(line), ==, "-m 2G   # mine\n-frob x\n-smp 2");
}

static void
assert_change(AppSettings *settings, const char *text, VitDiffType type, const char *words)
{
    g_autoptr(AppCommandLine) line = app_command_line_new(settings);
    g_autoptr(GPtrArray) changes = NULL;
    const AppCommandChange *change;

    app_command_line_set_text(line, text);
    changes = app_command_line_list_changes(line);
    g_assert_cmpuint(changes->len, ==, 1);
    change = changes->pdata[0];
    g_assert_cmpint(change->type, ==, type);
    g_assert_cmpstr(change->text, ==, words);
}

static void
test_preview(void)
{
    g_autoptr(AppSettings) settings = settings_of("-m 1G -smp 2");

    assert_change(settings, "-m 2G -smp 2", VIT_DIFF_CHANGED,
                  "Memory: Memory size changes from 1G to 2G");
    assert_change(settings, "-m 1G -smp 2 -no-reboot", VIT_DIFF_ADDED,
                  "Adds Stop instead of rebooting: -no-reboot");
    assert_change(settings, "-m 1G", VIT_DIFF_REMOVED, "Removes Processors: -smp 2");
    assert_change(settings, "-m 1G -smp 2 -frob", VIT_DIFF_RAW,
                  "Keeps what is not understood: -frob");
    assert_change(settings, "-m  1G  -smp 2", VIT_DIFF_CHANGED, "Only the spelling changes");
    assert_change(settings, "-m 1G -smp 2,threads=2", VIT_DIFF_CHANGED,
                  "Processors: Threads per core changes from the default to 2");
}

/* ---- Thirty typical mistakes ---- */

static const struct {
    const char *text, *object, *cause, *next; /* NULL: the cause says it all */
} mistakes[] = {
    { "-mashine pc", "-mashine", "no option", "'-machine'" },
    { "-machine q36", "q36", "no machine", "'q35'" },
    { "-machine pc,usbb=on", "usbb", "no key", "'usb'" },
    { "-machine pc,hpet=maybe", "maybe", "neither on nor off", NULL },
    { "-cpu qemu46", "qemu46", "no CPU model", "'qemu64'" },
    { "-accel kvmm", "kvmm", "no accelerator", "'kvm'" },
    { "-m 1Q", "1Q", "not a size", "K, M, G" },
    { "-m", "-m", "needs an argument", "SIZE" },
    { "-smp 3000", "3000", "outside 1 to", NULL },
    { "-smp 8,maxcpus=4", "maxcpus", "more than", NULL },
    { "-drive file=a.img,index=9", "ide", "no more", NULL },
    { "-drive file=a.img,idx=1", "idx", "no key", "'id'" },
    { "-hdc a.img -cdrom b.iso", "ide bus 1", "already taken", NULL },
    { "-drive file=a,id=d0 -drive file=b,id=d0", "d0", "already", "another id" },
    { "-device e1001", "e1001", "no device", "'e1000'" },
    { "-device e1000,netdev=n0", "n0", "no netdev", "add -netdev" },
    { "-netdev usr,id=n0", "usr", "no kind", "'user'" },
    { "-netdev user", "user", "needs id=", "add id=" },
    { "-nic user,mac=52:54:00:12:34", "52:54:00:12:34", "not a network card", "such as" },
    { "-serial tcp:localhost", "-serial", "HOST:PORT", NULL },
    { "-serial stido", "stido", "no character device", "stdio" },
    { "-serial stdio -monitor stdio", "serial0", "already used", "mux=on" },
    { "-display gtkk", "gtkk", "no kind", "'gtk'" },
    { "-vga standard", "standard", "not one of", "std" },
    { "-boot order=cx", "'x'", "no boot device", "c is the hard disk" },
    { "-uuid 1234", "1234", "not a UUID", "such as" },
    { "-k fr-xx", "fr-xx", "not one of", "'fr-be'" },
    { "-initrd foo", "-initrd", "only used with", "-kernel" },
    { "-hda 'disk.img", "quote", "not closed", "close the quote" },
    { "-drive file=a,b.img", "b.img", "no key", "written twice" },
    { "disk1.img disk2.img", "disk2.img", "only one", "-hdb" },
    { "-drive file=a.img,format=qcow3", "qcow3", "not one of", "'qcow2'" },
};

static void
test_mistakes(void)
{
    g_autoptr(AppSettings) settings = settings_of("");
    g_autoptr(AppCommandLine) line = app_command_line_new(settings);

    G_STATIC_ASSERT(G_N_ELEMENTS(mistakes) >= 30);
    for (guint i = 0; i < G_N_ELEMENTS(mistakes); i++) {
        const VitDiag *diag;
        g_autofree char *said = NULL;
        gboolean ok;

        app_command_line_set_text(line, mistakes[i].text);
        diag = app_command_line_next_problem(line, (size_t)-1, FALSE);
        if (!diag) {
            g_test_message("nothing is said about %s", mistakes[i].text);
            g_test_fail();
            continue;
        }
        said = g_strdup_printf("%s; %s", diag->message, diag->fix ? diag->fix : "");
        ok = strstr(said, mistakes[i].object) && strstr(said, mistakes[i].cause) &&
             (!mistakes[i].next || strstr(said, mistakes[i].next)) && diag->end > diag->start &&
             diag->end <= strlen(mistakes[i].text);
        if (!ok) {
            g_test_message("%s: %s [%zu..%zu]", mistakes[i].text, said, diag->start, diag->end);
            g_test_fail();
        }
        /* a replacement mends it */
        if (diag->replacement) {
            g_autofree char *mended =
                app_text_splice(mistakes[i].text, diag->start, diag->end, diag->replacement);
            unsigned before =
                vit_diag_list_count(app_command_line_get_diags(line), VIT_SEVERITY_ERROR);

            app_command_line_set_text(line, mended);
            for (unsigned d = 0; d < vit_diag_list_get_n(app_command_line_get_diags(line)); d++) {
                const VitDiag *left = vit_diag_list_get(app_command_line_get_diags(line), d);

                if (strstr(left->message, "there is no") && before <= 1 &&
                    !strstr(mistakes[i].text, "netdev")) {
                    g_test_message("%s is not mended by %s: %s", mistakes[i].text, mended,
                                   left->message);
                    g_test_fail();
                }
            }
        }
    }
}

static void
test_next_problem(void)
{
    g_autoptr(AppSettings) settings = settings_of("-frob -m 1G -zap");
    g_autoptr(AppCommandLine) line = app_command_line_new(settings);

    g_assert_cmpuint(app_command_line_next_problem(line, 0, FALSE)->start, ==, 12);
    g_assert_cmpuint(app_command_line_next_problem(line, 12, FALSE)->start, ==, 0);
    g_assert_cmpuint(app_command_line_next_problem(line, 12, TRUE)->start, ==, 0);
    g_assert_cmpuint(app_command_line_next_problem(line, 0, TRUE)->start, ==, 12);
}

/* ---- Files and shell ---- */

static void
test_files(void)
{
    g_autofree char *folder = g_dir_make_tmp("vitrine-XXXXXX", NULL);
    g_autofree char *file = g_build_filename(folder, "my disk,1.img", NULL);
    g_autofree char *other = g_build_filename(folder, "zeta.iso", NULL);
    g_autofree char *text = g_strdup_printf("-drive file=%s/my", folder);
    g_autoptr(AppSettings) settings = settings_of("");
    g_autoptr(AppCommandLine) line = app_command_line_new(settings);
    g_autoptr(VitCompletions) found = NULL;
    g_autofree char *full = NULL;
    g_autoptr(VitConfig) config = NULL;

    g_assert_true(g_file_set_contents(file, "x", 1, NULL));
    g_assert_true(g_file_set_contents(other, "x", 1, NULL));
    app_command_line_set_text(line, text);
    found = app_command_line_complete(line, strlen(text));
    g_assert_cmpuint(found->n_items, ==, 1);
    full = app_text_splice(text, found->start, found->end, found->items[0].text);
    config = vit_config_parse(full, VIT_PARSE_DEFAULT, NULL);
    g_assert_cmpstr(vit_config_get(config, "drive", "file"), ==, file);
    g_unlink(file);
    g_unlink(other);
    g_rmdir(folder);
}

static void
test_shell(void)
{
    g_autoptr(AppSettings) settings =
        settings_of("-m 1G # comment\n-drive file=disks/a.raw,format=raw -kernel k -append 'a b'");
    VitConfig *config = app_settings_get_config(settings);
    g_autofree char *shell = NULL;
    g_auto(GStrv) argv = NULL;

    vit_config_set_folder(config, "/vm/My machine.vitrine");
    shell = app_config_to_shell(config, "qemu-system-x86_64");
    g_assert_true(g_shell_parse_argv(shell, NULL, &argv, NULL));
    g_assert_cmpstr(argv[0], ==, "qemu-system-x86_64");
    g_assert_true(g_strv_contains((const char *const *)argv, "/vm/My machine.vitrine/k"));
    g_assert_true(g_strv_contains((const char *const *)argv, "a b"));
    g_assert_nonnull(strstr(shell, "file=/vm/My machine.vitrine/disks/a.raw,format=raw"));
}

/* The copied command really runs: here, and in the program whose options these are. */
static void
test_runs(gconstpointer data)
{
    static const char *const lines[] = {
        "-m 64 -smp 2 -nodefaults",
        "-m 64 -machine pc,hpet=off -cpu qemu64 -rtc base=localtime -boot order=c,menu=on",
        "-m 64 -name 'a b' -drive file=disks/a,,b.raw,format=raw,if=ide,index=0 -nic none",
        "-m 64 -netdev user,id=n0 -device e1000,netdev=n0,mac=52:54:00:12:34:56 -vga std",
        "-m 64 -drive file=disks/a,,b.raw,format=raw,if=none,id=d0 -device ide-hd,drive=d0",
        "-m 64 -uuid 550e8400-e29b-41d4-a716-446655440000 -serial null -parallel none",
    };
    const char *program = data;
    const char *named = program && strrchr(program, '/') ? strrchr(program, '/') + 1 : program;
    g_autofree char *found = program ? g_find_program_in_path(program) : NULL;
    g_autofree char *folder = g_dir_make_tmp("vitrine it's XXXXXX", NULL);
    g_autofree char *disks = g_build_filename(folder, "disks", NULL);
    g_autofree char *disk = g_build_filename(disks, "a,b.raw", NULL);
    g_autofree char *sector = g_malloc0(1 << 20);

    if (!found) {
        test_lacks(program);
    }
    g_mkdir(disks, 0700);
    g_assert_true(g_file_set_contents(disk, sector, 1 << 20, NULL));
    for (guint i = 0; found && i < G_N_ELEMENTS(lines); i++) {
        g_autoptr(AppSettings) settings = settings_of(lines[i]);
        VitConfig *config = app_settings_get_config(settings);
        g_autofree char *shell = NULL;
        g_autofree char *script = NULL;
        g_autofree char *said = NULL;
        g_autoptr(GError) error = NULL;
        const char *argv[] = { "/bin/sh", "-c", NULL, NULL };
        int status = -1;

        vit_config_set_folder(config, folder);
        shell = g_strchomp(app_config_to_shell(config, named));
        g_assert_true(g_str_has_prefix(shell, named));
        script = g_strdup_printf(
            "cd / && printf 'quit\\n' | timeout 20 %s%s -S -display none -monitor stdio 2>&1",
            found, shell + strlen(named));
        argv[2] = script;
        g_assert_true(
            g_spawn_sync(NULL, (char **)argv, NULL, 0, NULL, NULL, &said, NULL, &status, &error));
        if (!g_spawn_check_wait_status(status, &error)) {
            g_test_message("%s\n%s", script, said);
            g_test_fail();
        }
    }
    g_unlink(disk);
    g_rmdir(disks);
    g_rmdir(folder);
}

/* ---- Nothing is lost ---- */

/* Typing any text and applying it, then changing one row and taking that back, gives that text. */
static void
round_trip(const char *text)
{
    g_autoptr(AppSettings) settings = settings_of("-m 1G");
    VitConfig *config = app_settings_get_config(settings);
    g_autoptr(AppCommandLine) line = app_command_line_new(settings);
    g_autofree char *applied = NULL;
    g_autofree char *again = NULL;

    app_command_line_set_text(line, text);
    app_command_line_apply(line);
    applied = config_text(settings);
    g_assert_cmpstr(applied, ==, text);
    g_assert_cmpstr(app_command_line_get_text(line), ==, text);
    /* applying what the pane shows is no change */
    app_command_line_apply(line);
    again = config_text(settings);
    g_assert_cmpstr(again, ==, text);
    if (vit_config_set_option(config, "name", "guest", "another", NULL)) {
        g_autofree char *back = NULL;

        vit_config_undo(config);
        back = config_text(settings);
        g_assert_cmpstr(back, ==, text);
        g_assert_cmpstr(app_command_line_get_text(line), ==, text);
    }
}

static void
test_random(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(42);
    const char *rounds = g_getenv("VITRINE_ROUNDS");
    int n = rounds ? atoi(rounds) : 800;

    for (int i = 0; i < n; i++) {
        g_autoptr(VitConfig) config = random_config(rand, 6);
        g_autofree char *text = random_spelling(rand, config);

        round_trip(text);
    }
}

static void
test_command_lines(void)
{
    g_autofree char *path =
        g_build_filename(g_getenv("VITRINE_CONFIG_DIR"), "command-lines.txt", NULL);
    g_autofree char *data = NULL;
    g_auto(GStrv) lines = NULL;
    unsigned n = 0;

    g_assert_true(g_file_get_contents(path, &data, NULL, NULL));
    lines = g_strsplit(data, "\n", -1);
    for (unsigned i = 0; lines[i]; i++) {
        if (lines[i][0] && lines[i][0] != '#') {
            round_trip(lines[i]);
            n++;
        }
    }
    g_assert_cmpuint(n, >=, 200);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/command-line/live-views", test_live_views);
    g_test_add_func("/command-line/preview", test_preview);
    g_test_add_func("/command-line/mistakes", test_mistakes);
    g_test_add_func("/command-line/next-problem", test_next_problem);
    g_test_add_func("/command-line/files", test_files);
    g_test_add_func("/command-line/shell", test_shell);
    g_test_add_data_func("/command-line/runs/vitrine-run", g_getenv("VITRINE_RUN"), test_runs);
    g_test_add_data_func("/command-line/runs/qemu", "qemu-system-x86_64", test_runs);
    g_test_add_func("/command-line/texts/random", test_random);
    g_test_add_func("/command-line/texts/known", test_command_lines);
    return g_test_run();
}
