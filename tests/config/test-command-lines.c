/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Command lines as people write them (command-lines.txt): each reads without an unknown word,
 * prints back byte by byte, survives machine.conf, and has nothing wrong with it except what this
 * version does not have yet. mission: cli.* numa.* drive.* chardev.* */

#include <string.h>

#include "vit-plan.h"

static GPtrArray *lines;

static void
read_lines(void)
{
    g_autofree char *path =
        g_build_filename(g_getenv("VITRINE_CONFIG_DIR"), "command-lines.txt", NULL);
    g_autofree char *data = NULL;
    g_autoptr(GError) error = NULL;

    g_file_get_contents(path, &data, NULL, &error);
    g_assert_no_error(error);
    g_auto(GStrv) all = g_strsplit(data, "\n", -1);
    lines = g_ptr_array_new_with_free_func(g_free);
    for (unsigned i = 0; all[i] != NULL; i++)
        if (all[i][0] != '\0' && all[i][0] != '#')
            g_ptr_array_add(lines, g_strdup(all[i]));
    g_assert_cmpuint(lines->len, >, 140);
}

static void
test_identity(void)
{
    for (unsigned i = 0; i < lines->len; i++) {
        const char *line = lines->pdata[i];
        g_autoptr(VitConfig) config = vit_config_parse(line, VIT_PARSE_DEFAULT, NULL);
        g_autofree char *text = vit_config_to_text(config);

        g_assert_cmpstr(text, ==, line);
        for (unsigned j = 0; j < vit_config_get_n_items(config); j++) {
            VitConfigItem *item = vit_config_get_item(config, j);

            if (vit_config_item_get_item_type(item) == VIT_ITEM_UNKNOWN)
                g_test_message("%s: %s", line, vit_config_item_get_source(item));
            g_assert_cmpint(vit_config_item_get_item_type(item), !=, VIT_ITEM_UNKNOWN);
        }
        g_autofree char *conf = vit_config_to_conf(config);
        g_autoptr(VitConfig) loaded = vit_config_load_data(conf, -1, NULL, NULL, NULL);
        g_autofree char *text2 = vit_config_to_text(loaded);
        g_assert_cmpstr(text2, ==, line);
        g_assert_true(vit_config_equal(config, loaded));
    }
}

/* The words a shell passes to the program are the words we pass on. */
static void
test_words(void)
{
    for (unsigned i = 0; i < lines->len; i++) {
        const char *line = lines->pdata[i];
        g_autoptr(VitConfig) config = vit_config_parse(line, VIT_PARSE_DEFAULT, NULL);
        g_auto(GStrv) words = vit_config_to_argv(config), shell = NULL;
        unsigned n = g_strv_length(words);

        g_assert_true(g_shell_parse_argv(line, NULL, &shell, NULL));
        unsigned n_shell = g_strv_length(shell);
        g_assert_cmpuint(n, <, n_shell);
        for (unsigned w = 0; w < n; w++)
            g_assert_cmpstr(words[n - 1 - w], ==, shell[n_shell - 1 - w]);
        g_autoptr(VitConfig) again =
            vit_config_parse_argv((int)n, (const char *const *)words, NULL);
        g_assert_true(vit_config_equal(config, again));
    }
}

static void
test_valid(void)
{
    unsigned n_bad = 0;

    for (unsigned i = 0; i < lines->len; i++) {
        const char *line = lines->pdata[i];
        g_autoptr(VitDiagList) diags = vit_diag_list_new();
        g_autoptr(VitConfig) config = vit_config_parse(line, VIT_PARSE_DEFAULT, diags);

        vit_config_validate(config, NULL, diags);
        vit_machine_plan_free(vit_config_normalize(config, diags));
        for (unsigned d = 0; d < vit_diag_list_get_n(diags); d++) {
            const VitDiag *diag = vit_diag_list_get(diags, d);
            g_autofree char *shown = vit_diag_format(diag, line, "test", 100);

            if (diag->severity != VIT_SEVERITY_ERROR || diag->code == VIT_ERROR_NOT_AVAILABLE_YET ||
                diag->code == VIT_ERROR_OTHER_HOST || diag->code == VIT_ERROR_OTHER_TARGET)
                continue;
            g_test_message("%s", shown);
            n_bad++;
        }
    }
    g_assert_cmpuint(n_bad, ==, 0);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    read_lines();
    g_test_add_func("/command-lines/identity", test_identity);
    g_test_add_func("/command-lines/words", test_words);
    g_test_add_func("/command-lines/valid", test_valid);
    int status = g_test_run();
    g_ptr_array_unref(lines);
    return status;
}
