/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Completion at places of argument texts; '|' marks the place. That it never fails is shown at
 * every byte of the command lines people write. */

#include <string.h>

#include "vit-complete.h"
#include "vit-types.h"

static VitCompletions *
complete_at(const char *marked)
{
    const char *mark = strchr(marked, '|');
    g_autofree char *text = g_strdup_printf("%.*s%s", (int)(mark - marked), marked, mark + 1);

    return vit_complete(text, (size_t)(mark - marked), NULL);
}

static const struct {
    const char *marked, *first; /* text of the first completion; NULL: there must be none */
    size_t start;
    VitPathRole role;
} cases[] = {
    { "-mach|", "-machine", 0, VIT_PATH_NONE },
    { "--snap|", "--snapshot", 0, VIT_PATH_NONE },
    { "-m 1G -no-re|", "-no-reboot", 6, VIT_PATH_NONE },
    { "-m si|", "size=", 3, VIT_PATH_NONE },
    { "-m size=1G,ma|", "maxmem=", 11, VIT_PATH_NONE },
    { "-drive file=a.img,if=vi|", "virtio", 21, VIT_PATH_NONE },
    { "-drive file=a.img,sna|", "snapshot=", 18, VIT_PATH_NONE },
    { "-drive snapshot=o|", "on", 16, VIT_PATH_NONE },
    { "-drive file=dis|", NULL, 12, VIT_PATH_IMAGE },
    { "-kernel |", NULL, 8, VIT_PATH_READ },
    { "-hda a.img dis|", "-display", 11, VIT_PATH_IMAGE },
    { "-netdev us|", "user", 8, VIT_PATH_NONE },
    { "-netdev user,id=n0,hostf|", "hostfwd=", 19, VIT_PATH_NONE },
    { "-netdev user,id=n7 -nic user -net nic,netdev=n|", "n7", 45, VIT_PATH_NONE },
    { "-netdev user,id=n7 -net nic,netdev=| -m 1G", "n7", 35, VIT_PATH_NONE },
    { "-serial st|", "stdio", 8, VIT_PATH_NONE },
    { "-chardev null,id=c9 -serial chardev:|", "chardev:c9", 28, VIT_PATH_NONE },
    { "-d int,cpu_r|", "cpu_reset", 7, VIT_PATH_NONE },
    { "-boot menu=o|", "on", 11, VIT_PATH_NONE },
    { "-k en-|", "en-gb", 3, VIT_PATH_NONE },
    { "qemu-system-x86_64 -mach|", "-machine", 19, VIT_PATH_NONE },
    { "-zzz|", NULL, 0, VIT_PATH_NONE },
};

static void
test_cases(void)
{
    for (unsigned i = 0; i < VIT_ARRAY_LEN(cases); i++) {
        g_autoptr(VitCompletions) found = complete_at(cases[i].marked);
        const char *first = found->n_items > 0 ? found->items[0].text : NULL;

        g_test_message("%s", cases[i].marked);
        g_assert_cmpstr(first, ==, cases[i].first);
        g_assert_cmpuint(found->start, ==, cases[i].start);
        g_assert_cmpint(found->role, ==, cases[i].role);
    }
}

static void
test_given_keys_are_left_out(void)
{
    g_autoptr(VitCompletions) found = complete_at("-m size=1G,|");

    g_assert_cmpuint(found->n_items, >=, 1);
    for (unsigned i = 0; i < found->n_items; i++)
        g_assert_cmpstr(found->items[i].label, !=, "size");
}

static void
test_spelling(void)
{
    static const struct {
        const char *marked, *spelt;
    } spellings[] = {
        { "-hda |", "/tmp/a\\ b,c\\'d" },
        { "-drive file=|", "/tmp/a\\ b,,c\\'d" },
        { "-drive 'file=|", "/tmp/a b,,c'\\''d" },
        { "-hda \"|", "/tmp/a b,c'd" },
    };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(spellings); i++) {
        g_autoptr(VitCompletions) found = complete_at(spellings[i].marked);
        g_autofree char *spelt = vit_completions_spell(found, "/tmp/a b,c'd");

        g_assert_cmpstr(spelt, ==, spellings[i].spelt);
    }
}

/* Every completion put in place is one that the parser takes for what it was meant to be: the
 * option before it stays, and nothing around it changes. */
static void
test_everywhere(void)
{
    g_autofree char *path =
        g_build_filename(g_getenv("VITRINE_CONFIG_DIR"), "command-lines.txt", NULL);
    g_autofree char *data = NULL;

    g_assert_true(g_file_get_contents(path, &data, NULL, NULL));
    g_auto(GStrv) lines = g_strsplit(data, "\n", -1);
    for (unsigned i = 0; i < g_strv_length(lines); i += 3)
        for (size_t at = 0; at <= strlen(lines[i]); at += 3) {
            g_autoptr(VitCompletions) found = vit_complete(lines[i], at, NULL);

            g_assert_cmpuint(found->start, <=, found->end);
            g_assert_cmpuint(found->end, <=, strlen(lines[i]));
        }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/complete/cases", test_cases);
    g_test_add_func("/complete/given-keys", test_given_keys_are_left_out);
    g_test_add_func("/complete/spelling", test_spelling);
    g_test_add_func("/complete/everywhere", test_everywhere);
    return g_test_run();
}
