/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Help texts: what asks for them, and that they follow the tables.
 * mission: h version cli.help-value cli.device-help machine.help cpu.help accel.help device.help
 * mission: netdev.help chardev.help display.help d.help nic.model.help net.nic.model.help L.help */

#include <glib/gstdio.h>
#include <string.h>

#include "vit-help.h"
#include "vit-types.h"

static const VitKindInfo machines[] = {
    { .name = "pc", .title = "Standard PC", .is_default = true },
    { .name = "pc-i440fx-7.2", .title = "Standard PC", .alias_of = "pc" },
    { 0 },
};
static const VitKindInfo devices[] = {
    { .name = "e1000", .title = "Network card", .category = "Network", .bus = "PCI" },
    { .name = "isa-serial", .title = "Serial port", .category = "Input", .bus = "ISA" },
    { .name = "i8259", .category = "Misc", .internal = true },
    { 0 },
};
static const VitKindInfo cpus[] = { { .name = "max", .title = "Everything" }, { 0 } };
static const VitKindInfo features[] = { { .name = "avx" }, { .name = "sse" }, { 0 } };
static const VitKindInfo accels[] = { { .name = "tcg" }, { .name = "kvm" }, { 0 } };
static const VitKindInfo dirs[] = { { .name = "/usr/share/seabios" }, { 0 } };

static void
list(void *data, VitKindClass klass, VitKindFunc func, void *func_data)
{
    static const VitKindInfo *const lists[] = {
        [VIT_KIND_MACHINE] = machines,     [VIT_KIND_DEVICE] = devices, [VIT_KIND_CPU] = cpus,
        [VIT_KIND_CPU_FEATURE] = features, [VIT_KIND_ACCEL] = accels,   [VIT_KIND_DATA_DIR] = dirs,
        [VIT_KIND_LOG_ITEM] = NULL,        [VIT_KIND_KEYMAP] = NULL,
    };

    for (const VitKindInfo *info = lists[klass]; info != NULL && info->name != NULL; info++)
        func(info, func_data);
}

static void
list_props(void *data, VitKindClass klass, const char *name, VitKindPropFunc func, void *func_data)
{
    static const VitOptionKey mac = { .name = "mac", .type = VIT_VALUE_MAC, .help = "Address" };
    static const VitOptionKey on = {
        .name = "mitigation", .type = VIT_VALUE_BOOL, .def = "on", .help = "Limit interrupts"
    };

    func(&mac, func_data);
    func(&on, func_data);
}

static const VitKindRegistry registry = { .list = list, .list_props = list_props };

static char *
help_of(const char *line)
{
    g_autoptr(VitConfig) config = vit_config_parse(line, VIT_PARSE_DEFAULT, NULL);

    return vit_config_help(config, &registry, "vitrine-run");
}

static void
test_lists(void)
{
    static const struct {
        const char *line, *text;
    } cases[] = {
        { "-machine help", "Supported machines are:\n"
                           "pc                   Standard PC (default)\n"
                           "pc-i440fx-7.2        Standard PC (alias of pc)\n" },
        { "-m 1G -M ?", "Supported machines are:\n"
                        "pc                   Standard PC (default)\n"
                        "pc-i440fx-7.2        Standard PC (alias of pc)\n" },
        { "-device help", "Network devices:\n"
                          "name \"e1000\", bus PCI, desc \"Network card\"\n\n"
                          "Input devices:\n"
                          "name \"isa-serial\", bus ISA, desc \"Serial port\"\n" },
        { "-device e1000,help", "e1000 options:\n"
                                "  mac=<str>              - Address\n"
                                "  mitigation=<bool>      - Limit interrupts (default: on)\n" },
        { "-cpu help", "Available CPUs:\n"
                       "x86 max                   Everything\n\n"
                       "Recognized CPUID flags:\n"
                       "  avx sse\n" },
        { "-accel help", "Accelerators supported in this build:\ntcg\nkvm\n" },
        { "-L help", "/usr/share/seabios\n" },
        { "-nic model=help", "Supported NIC models:\ne1000\n" },
        { "-net nic,model=help", "Supported NIC models:\ne1000\n" },
        { "-name help.img", NULL },
        { "-append help -kernel help", NULL },
        { "-hda help", NULL },
        { "-nic user", NULL },
    };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(cases); i++) {
        g_autofree char *text = help_of(cases[i].line);

        g_test_message("%s", cases[i].line);
        g_assert_cmpstr(text, ==, cases[i].text);
    }
}

/* Lists made from the schema name what is available and nothing else. */
static void
test_schema_lists(void)
{
    static const char *const lines[] = { "-chardev help", "-netdev help",   "-display help",
                                         "-object help",  "-d help",        "-vga help",
                                         "-k help",       "-audiodev help", "-tpmdev help",
                                         "-smp help",     "-drive help",    "-watchdog help" };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(lines); i++) {
        g_autofree char *text = help_of(lines[i]);

        g_assert_nonnull(text);
        g_assert_true(g_str_has_suffix(text, "\n"));
    }
    g_autofree char *chardevs = help_of("-chardev help");
    g_assert_nonnull(strstr(chardevs, "\nstdio\n"));
    g_assert_null(strstr(chardevs, "console"));
    g_autofree char *socket = help_of("-chardev socket,help");
    g_assert_nonnull(strstr(socket, "  server=<bool>"));
}

/* Every option that is available is in the help, the manual page and the completion. */
static void
test_documents(void)
{
    g_autofree char *help = vit_help_text("vitrine-run"), *man = vit_help_man();
    g_autofree char *bash = vit_help_bash_completion(), *json = vit_help_json();
    const VitOption *option;

    for (unsigned i = 0; (option = vit_option_nth(i)) != NULL; i++) {
        g_autofree char *line = g_strdup_printf("\n-%s", option->name);
        g_autofree char *name = g_strdup_printf("{\"name\":\"%s\"", option->name);
        g_autoptr(GString) roff = g_string_new(line + 1);

        g_string_replace(roff, "-", "\\-", 0);
        g_string_prepend(roff, "\\fB");
        g_assert_nonnull(strstr(json, name));
        if (option->status != VIT_STATUS_AVAILABLE)
            continue;
        g_test_message("%s", option->name);
        g_assert_nonnull(strstr(help, line));
        g_assert_nonnull(strstr(bash, line + 1));
        g_assert_nonnull(strstr(man, roff->str));
    }
    g_autofree char *asked = help_of("-h");
    g_assert_cmpstr(asked, ==, help);
    g_autofree char *version = help_of("-version");
    g_assert_true(g_str_has_prefix(version, "vitrine-run (Vitrine) version "));
}

/* The second check: what is named on the host. */
static void
test_host(void)
{
    g_autofree char *folder = g_dir_make_tmp("vitrine-help-XXXXXX", NULL);
    g_autofree char *file = g_build_filename(folder, "a.img", NULL);
    static const struct {
        const char *line, *said;
    } cases[] = {
        { "-hda a.img -L . -serial file:out.log", "" },
        { "-hda b.img", "the disk image '%s/b.img' does not exist" },
        { "-hda .", "'%s/.' is a folder, not a file" },
        { "-L a.img", "'%s/a.img' is not a folder" },
        { "-kernel k", "the file '%s/k' does not exist" },
        { "-initrd 'a.img x=y,b y'", "the file '%s/b' does not exist" },
        { "-serial file:nodir/out.log", "the folder '%s/nodir' does not exist" },
        { "-drive file=nbd:localhost:1 -cdrom /dev/fdset/2", "" },
        { "-m 4000T", "the machine's memory is larger than" },
    };

    g_assert_true(g_file_set_contents(file, "x", 1, NULL));
    for (unsigned i = 0; i < VIT_ARRAY_LEN(cases); i++) {
        g_autoptr(VitConfig) config = vit_config_parse(cases[i].line, VIT_PARSE_DEFAULT, NULL);
        g_autoptr(VitDiagList) diags = vit_diag_list_new();
        g_auto(GStrv) parts = g_strsplit(cases[i].said, "%s", -1);
        g_autofree char *expected = g_strjoinv(folder, parts);

        vit_config_set_folder(config, folder);
        vit_config_check_host(config, NULL, NULL, diags);
        g_test_message("%s", cases[i].line);
        g_assert_cmpuint(vit_diag_list_count(diags, VIT_SEVERITY_WARNING), ==,
                         cases[i].said[0] != '\0');
        if (cases[i].said[0] != '\0')
            g_assert_true(g_str_has_prefix(vit_diag_list_get(diags, 0)->message, expected));
    }
    g_unlink(file);
    g_rmdir(folder);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/help/lists", test_lists);
    g_test_add_func("/help/schema-lists", test_schema_lists);
    g_test_add_func("/help/documents", test_documents);
    g_test_add_func("/help/host", test_host);
    return g_test_run();
}
