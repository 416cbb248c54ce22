/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The model: reading, printing, editing, undo, differences. */

#include <string.h>

#include "vit-config.h"
#include "vit-types.h"

/* One line per item: name(key=value,...). */
static char *
describe(VitConfig *config)
{
    GString *out = g_string_new(NULL);

    for (unsigned i = 0; i < vit_config_get_n_items(config); i++) {
        VitConfigItem *item = vit_config_get_item(config, i);

        g_string_append_printf(out, "%s%s(", i ? " " : "", vit_config_item_get_name(item));
        for (unsigned p = 0; p < vit_config_item_get_n_params(item); p++)
            g_string_append_printf(out, "%s%s=%s", p ? "," : "",
                                   vit_config_item_get_param_key(item, p),
                                   vit_config_item_get_param_value(item, p));
        g_string_append_c(out, ')');
    }
    return g_string_free(out, FALSE);
}

static void
test_parse(void)
{
    static const struct {
        const char *text, *items;
    } cases[] = {
        { "", "" },
        { "disk.img", "image(file=disk.img)" },
        { "-m 1G,slots=2", "m(size=1G,slots=2)" },
        { "--M q35,usb=on", "machine(type=q35,usb=on)" },
        { "-machine usb,nohpet", "machine(type=usb,hpet=off)" },
        { "-cpu max,+avx,-sse3,aes=off,smep", "cpu(model=max,avx=on,sse3=off,aes=off,smep=on)" },
        { "-drive file=a,,b,readonly,if=none", "drive(file=a,b,readonly=on,if=none)" },
        { "-global ide-hd.physical_block_size=4096",
          "global(driver=ide-hd,property=physical_block_size,value=4096)" },
        { "-global cfi.pflash01.secure=on",
          "global(driver=cfi.pflash01,property=secure,value=on)" },
        { "-global driver=a.b,property=c,value=d=e", "global(driver=a.b,property=c,value=d=e)" },
        { "-set drive.d0.file=a.b=c,d", "set(group=drive,id=d0,arg=file,value=a.b=c,d)" },
        { "-device '{\"driver\":\"e1000\",\"bootindex\":1}'", "device(driver=e1000,bootindex=1)" },
        { "-serial mon:stdio -S", "serial(value=mon:stdio) S()" },
        { "-append 'root=/dev/sda,x' -kernel a,b",
          "append(value=root=/dev/sda,x) kernel(value=a,b)" },
        { "-append -S", "append(value=-S)" },
        { "-m '-S'", "m(size=-S)" },
        { "-m -S", "m(text=-m) S()" },
        { "-frob x -S", "frob(text=-frob x) S()" },
        { "-frob -S", "frob(text=-frob) S()" },
        { "-nic user,hostfwd=tcp::1-:2,hostfwd=tcp::3-:4",
          "nic(type=user,hostfwd=tcp::1-:2,hostfwd=tcp::3-:4)" },
        { "-display vnc=:1,password=on", "display(vnc=:1,password=on)" },
        { "-smbios type=1,serial=x", "smbios(type=1,serial=x)" },
        { "-d int,cpu_reset", "d(value=int,cpu_reset)" },
    };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(cases); i++) {
        g_autoptr(VitConfig) config = vit_config_parse(cases[i].text, VIT_PARSE_DEFAULT, NULL);
        g_autofree char *items = describe(config);
        g_autofree char *text = vit_config_to_text(config);

        g_assert_cmpstr(items, ==, cases[i].items);
        g_assert_cmpstr(text, ==, cases[i].text);
    }
}

static void
expect_range(const char *text, int param, const char *key, const char *value)
{
    g_autoptr(VitConfig) config = vit_config_parse(text, VIT_PARSE_DEFAULT, NULL);
    const VitConfigItem *item = vit_config_get_item(config, vit_config_get_n_items(config) - 1);
    const char *source = vit_config_item_get_source(item);
    size_t start, end, base, base_end;

    vit_config_item_get_key_range(item, param, &start, &end);
    g_autofree char *got_key = g_strndup(source + start, end - start);
    vit_config_item_get_value_range(item, param, &start, &end);
    g_autofree char *got_value = g_strndup(source + start, end - start);
    g_assert_cmpstr(got_key, ==, key);
    g_assert_cmpstr(got_value, ==, value);
    g_assert_true(vit_config_locate(config, vit_config_item_get_serial(item), &base, &base_end));
    g_assert_cmpint(strncmp(text + base, source, base_end - base), ==, 0);
}

static void
test_ranges(void)
{
    expect_range("-S -m size=1G,slots=2", 1, "slots", "2");
    expect_range("-S -m '1G,slots=2'", 0, "1G", "1G");
    expect_range("-m  \"size=1\"\"G\"", 0, "size", "1\"\"G");
    expect_range("-drive file=a,,b,readonly", 0, "file", "a,,b");
    expect_range("-drive file=a,,b,readonly", 1, "readonly", "readonly");
    expect_range("-global a.b.c=d", 1, "c", "c");
    expect_range("-global a.b.c=d", 2, "d", "d");
    expect_range("-device '{\"driver\": \"e1000\"}'", 0, "\"driver\"", "\"e1000\"");
    expect_range("# x\n-cpu max,+avx", 1, "+avx", "+avx");
    expect_range("-append 'a b'", 0, "a b", "a b");
}

static void
test_print_added(void)
{
    g_autoptr(VitConfig) config = vit_config_new();
    g_autoptr(GError) error = NULL;

    vit_config_add(config, VIT_ORIGIN_DIALOG, &error, "M", "type", "pc", "usb", "on", NULL);
    vit_config_add(config, VIT_ORIGIN_DIALOG, &error, "drive", "file", "a, b's.img", "if", "none",
                   NULL);
    vit_config_add(config, VIT_ORIGIN_DIALOG, &error, "append", "value", "-quiet $x", NULL);
    vit_config_add(config, VIT_ORIGIN_DIALOG, &error, "S", NULL);
    vit_config_add(config, VIT_ORIGIN_DIALOG, &error, "global", "driver", "a", "property", "b",
                   "value", "c,d", NULL);
    vit_config_add(config, VIT_ORIGIN_DIALOG, &error, "name", "guest", "x=y", NULL);
    vit_config_add(config, VIT_ORIGIN_DIALOG, &error, "image", "file", "kvm", NULL);
    g_assert_no_error(error);
    g_autofree char *text = vit_config_to_text(config);
    g_assert_cmpstr(text, ==,
                    "-machine pc,usb=on\n"
                    "-drive 'file=a,, b'\\''s.img,if=none'\n"
                    "-append '-quiet $x'\n"
                    "-S\n"
                    "-global a.b=c,d\n"
                    "-name guest=x=y\n"
                    "'kvm'");
    g_autoptr(VitConfig) again = vit_config_parse(text, VIT_PARSE_DEFAULT, NULL);
    g_assert_true(vit_config_equal(config, again));
    g_assert_cmpuint(vit_config_add(config, VIT_ORIGIN_DIALOG, &error, "frob", NULL), ==, 0);
    g_assert_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND);
}

static const char pane[] = "# my machine\n"
                           "sudo qemu-system-x86_64 -M pc \\\n"
                           "  -m 1G  # memory\n"
                           "  -frob 'keep me' \\\n"
                           "  -hda \"my disk.img\" -nic user,model=e1000\n"
                           "# the end\n";

/* Only what a dialog changed is written anew; everything else keeps its spelling and comments. */
static void
test_edit_keeps_text(void)
{
    g_autoptr(VitConfig) config = vit_config_parse(pane, VIT_PARSE_DEFAULT, NULL);
    g_autoptr(GError) error = NULL;

    g_assert_true(vit_config_set_option(config, "m", "size", "2G", &error));
    g_autofree char *one = vit_config_to_text(config);
    g_assert_cmpstr(one, ==,
                    "# my machine\n"
                    "sudo qemu-system-x86_64 -M pc \\\n"
                    "  -m 2G  # memory\n"
                    "  -frob 'keep me' \\\n"
                    "  -hda \"my disk.img\" -nic user,model=e1000\n"
                    "# the end\n");
    VitConfigItem *disk = vit_config_find(config, "hda", NULL);
    g_assert_true(
        vit_config_set(config, vit_config_item_get_serial(disk), "cache", "none", &error));
    g_assert_true(vit_config_remove_option(config, "machine") == 1);
    g_assert_true(vit_config_set_option(config, "S", NULL, "on", &error));
    g_autofree char *two = vit_config_to_text(config);
    g_assert_cmpstr(two, ==,
                    "# my machine\n"
                    "sudo qemu-system-x86_64 -m 2G  # memory\n"
                    "  -frob 'keep me' \\\n"
                    "  -drive 'file=my disk.img,index=0,media=disk,cache=none' -nic "
                    "user,model=e1000\n"
                    "# the end\n-S");
    g_autoptr(VitConfig) again = vit_config_parse(two, VIT_PARSE_DEFAULT, NULL);
    g_assert_true(vit_config_equal(config, again));
}

static void
count_changes(VitConfig *config, unsigned *count)
{
    (*count)++;
}

static void
test_undo(void)
{
    g_autoptr(VitConfig) config = vit_config_parse(pane, VIT_PARSE_DEFAULT, NULL);
    unsigned changes = 0;
    const char *label = NULL;

    g_signal_connect(config, "changed", G_CALLBACK(count_changes), &changes);
    g_assert_false(vit_config_can_undo(config, NULL));
    /* Setting what is there changes nothing. */
    g_assert_true(vit_config_set_option(config, "m", "size", "1G", NULL));
    g_assert_cmpuint(changes, ==, 0);
    g_assert_false(vit_config_can_undo(config, NULL));

    vit_config_begin(config, "Memory and disk");
    vit_config_set_option(config, "m", "size", "2G", NULL);
    vit_config_set_option(config, "hda", NULL, "other.img", NULL);
    vit_config_end(config);
    g_assert_cmpuint(changes, ==, 1);
    g_assert_true(vit_config_can_undo(config, &label));
    g_assert_cmpstr(label, ==, "Memory and disk");
    g_assert_true(vit_config_undo(config));
    g_assert_cmpuint(changes, ==, 2);
    g_autofree char *text = vit_config_to_text(config);
    g_assert_cmpstr(text, ==, pane);
    g_assert_true(vit_config_redo(config));
    g_assert_cmpstr(vit_config_get(config, "hda", NULL), ==, "other.img");
    g_assert_cmpstr(vit_config_get(config, "m", "size"), ==, "2G");
    g_assert_false(vit_config_redo(config));
    vit_config_undo(config);
    vit_config_remove_option(config, "nic");
    g_assert_false(vit_config_can_redo(config, NULL));
    for (unsigned i = 0; i < 500; i++)
        vit_config_set_option(config, "m", "size", i % 2 ? "1G" : "2G", NULL);
    unsigned steps = 0;
    while (vit_config_undo(config))
        steps++;
    g_assert_cmpuint(steps, ==, 200);
}

static void
test_apply(void)
{
    g_autoptr(VitConfig) config = vit_config_parse(pane, VIT_PARSE_DEFAULT, NULL);
    g_autofree char *text = vit_config_to_text(config);
    g_autoptr(VitConfig) same = vit_config_parse(text, VIT_PARSE_DEFAULT, NULL);
    g_autoptr(GPtrArray) none = vit_config_diff(config, same);
    uint32_t serial = vit_config_item_get_serial(vit_config_find(config, "nic", NULL));

    g_assert_cmpuint(none->len, ==, 0);
    vit_config_apply(config, same, "Text");
    g_assert_false(vit_config_can_undo(config, NULL));

    g_autoptr(VitConfig) other = vit_config_parse(
        "-nic user,model=e1000 -m 3G -device e1000,id=x -zap", VIT_PARSE_DEFAULT, NULL);
    g_autoptr(GPtrArray) diff = vit_config_diff(config, other);
    g_autoptr(GString) kinds = g_string_new(NULL);
    for (unsigned i = 0; i < diff->len; i++) {
        const VitDiffEntry *entry = diff->pdata[i];
        const VitConfigItem *item = entry->new_item ? entry->new_item : entry->old_item;

        g_string_append_printf(kinds, "%d%s ", entry->type, vit_config_item_get_name(item));
    }
    g_assert_cmpstr(kinds->str, ==, "1machine 1frob 1hda 3nic 2m 0device 4zap ");
    vit_config_apply(config, other, "Text");
    g_assert_true(vit_config_equal(config, other));
    g_assert_cmpuint(vit_config_item_get_serial(vit_config_find(config, "nic", NULL)), ==, serial);
    vit_config_undo(config);
    g_autofree char *back = vit_config_to_text(config);
    g_assert_cmpstr(back, ==, pane);
}

static void
test_argv(void)
{
    const char *argv[] = { "-m", "1G", "-append", "a b $c 'd'", "-drive", "file=x,,y.img", "kvm" };
    g_autoptr(VitConfig) config = vit_config_parse_argv(VIT_ARRAY_LEN(argv), argv, NULL);
    g_auto(GStrv) back = vit_config_to_argv(config);
    g_autofree char *items = describe(config);
    g_autofree char *shell = vit_config_to_shell(config, "vitrine-run");
    g_auto(GStrv) parsed = NULL;

    g_assert_cmpstr(items, ==,
                    "m(size=1G) append(value=a b $c 'd') drive(file=x,y.img) image(file=kvm)");
    for (unsigned i = 0; i < VIT_ARRAY_LEN(argv); i++)
        g_assert_cmpstr(back[i], ==, argv[i]);
    g_assert_null(back[VIT_ARRAY_LEN(argv)]);
    g_assert_true(g_shell_parse_argv(shell, NULL, &parsed, NULL));
    for (unsigned i = 0; i < VIT_ARRAY_LEN(argv); i++)
        g_assert_cmpstr(parsed[i + 1], ==, argv[i]);
}

static void
test_get(void)
{
    g_autoptr(VitConfig) config =
        vit_config_parse("-m 2G -m slots=4 -boot menu=on -snapshot", VIT_PARSE_DEFAULT, NULL);
    uint64_t bytes;
    int64_t number;
    bool on;

    g_assert_true(vit_config_get_size(config, "m", "size", &bytes));
    g_assert_cmpuint(bytes, ==, 2 * VIT_GIB);
    g_assert_true(vit_config_get_int(config, "m", "slots", &number));
    g_assert_cmpint(number, ==, 4);
    g_assert_true(vit_config_get_bool(config, "boot", "menu", &on) && on);
    g_assert_true(vit_config_get_bool(config, "boot", "strict", &on) && !on);
    g_assert_true(vit_config_get_bool(config, "snapshot", NULL, &on) && on);
    g_assert_true(vit_config_get_bool(config, "S", NULL, &on) && !on);
    g_assert_false(vit_config_get_size(config, "m", "maxmem", &bytes));
    g_autoptr(VitConfig) empty = vit_config_new();
    g_assert_true(vit_config_get_size(empty, "m", "size", &bytes));
    g_assert_cmpuint(bytes, ==, 128 * VIT_MIB);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/config/parse", test_parse);
    g_test_add_func("/config/ranges", test_ranges);
    g_test_add_func("/config/print-added", test_print_added);
    g_test_add_func("/config/edit-keeps-text", test_edit_keeps_text);
    g_test_add_func("/config/undo", test_undo);
    g_test_add_func("/config/apply", test_apply);
    g_test_add_func("/config/argv", test_argv);
    g_test_add_func("/config/get", test_get);
    return g_test_run();
}
