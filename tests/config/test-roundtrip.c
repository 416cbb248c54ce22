/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The round-trip rules, held by random configurations made from the schema: what is printed reads
 * back the same, what is read prints back the same, applying one's own text is no change, an edit
 * leaves the text of everything else alone, machine.conf loses nothing.
 * 10,000 configurations per run, the same each time unless VITRINE_SEED says which; 0 is a new
 * one, which is printed. */

#include <stdlib.h>
#include <string.h>

#include "config-random.h"
#include "vit-plan.h"
#include "vit-types.h"

enum { N_CONFIGS = 10000, MAX_ITEMS = 8 };

static GRand *
new_rand(void)
{
    const char *text = g_getenv("VITRINE_SEED");
    guint32 seed = text != NULL ? (guint32)strtoul(text, NULL, 0) : 20061;

    if (seed == 0)
        seed = g_random_int();

    g_test_message("VITRINE_SEED=%u", seed);
    return g_rand_new_with_seed(seed);
}

static void
assert_equal(VitConfig *a, VitConfig *b)
{
    if (vit_config_equal(a, b))
        return;
    g_autofree char *x = vit_config_to_text(a), *y = vit_config_to_text(b);
    g_test_message("<<<%s>>>\n<<<%s>>>", x, y);
    g_assert_cmpstr(x, ==, y);
    g_assert_not_reached();
}

static void
assert_text(VitConfig *config, const char *text)
{
    g_autofree char *now = vit_config_to_text(config);

    g_assert_cmpstr(now, ==, text);
}

/* Rules 1 and 2. */
static void
check_text(VitConfig *config)
{
    g_autofree char *text = vit_config_to_text(config);
    g_autoptr(VitConfig) again = vit_config_parse(text, VIT_PARSE_DEFAULT, NULL);
    bool could_undo = vit_config_can_undo(config, NULL);
    g_autoptr(VitConfig) copy = vit_config_copy(config);

    assert_equal(config, again);
    assert_text(again, text);
    g_autoptr(GPtrArray) diff = vit_config_diff(config, again);
    g_assert_cmpuint(diff->len, ==, 0);
    vit_config_apply(copy, again, "Text");
    g_assert_false(vit_config_can_undo(copy, NULL));
    (void)could_undo;
}

static void
check_shell(VitConfig *config)
{
    g_autofree char *shell = vit_config_to_shell(config, "vitrine-run");
    g_auto(GStrv) words = vit_config_to_argv(config);
    g_auto(GStrv) parsed = NULL;

    g_assert_true(g_shell_parse_argv(shell, NULL, &parsed, NULL));
    g_assert_cmpstr(parsed[0], ==, "vitrine-run");
    for (unsigned i = 0; words[i] != NULL || parsed[i + 1] != NULL; i++)
        g_assert_cmpstr(parsed[i + 1], ==, words[i]);
    g_autoptr(VitConfig) again = vit_config_parse(shell, VIT_PARSE_DEFAULT, NULL);
    g_auto(GStrv) back = vit_config_to_argv(again);
    /* The program's own line shows arguments that look like options without their quotes. */
    if (g_strv_length(back) == g_strv_length(words))
        for (unsigned i = 0; words[i] != NULL; i++)
            g_assert_cmpstr(back[i], ==, words[i]);
}

static void
check_conf(VitConfig *config)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *conf = vit_config_to_conf(config);
    g_autofree char *text = vit_config_to_text(config);
    g_autoptr(VitConfig) again = vit_config_load_data(conf, -1, NULL, NULL, &error);

    g_assert_no_error(error);
    assert_equal(config, again);
    assert_text(again, text);
    g_autofree char *conf2 = vit_config_to_conf(again);
    g_assert_cmpstr(conf2, ==, conf);
    /* Any reader of key files can read it. */
    if (g_utf8_validate(conf, -1, NULL)) {
        g_autoptr(GKeyFile) file = g_key_file_new();
        g_key_file_load_from_data(file, conf, (gsize)-1, G_KEY_FILE_NONE, &error);
        g_assert_no_error(error);
    }
}

/* Nothing but the value set changes, and nothing of it is lost on disk. */
static void
check_edit(GRand *rand, VitConfig *original)
{
    g_autofree char *conf = vit_config_to_conf(original);
    g_autoptr(VitConfig) config = vit_config_load_data(conf, -1, NULL, NULL, NULL);
    unsigned n = vit_config_get_n_items(config);

    if (n == 0)
        return;
    unsigned chosen = (unsigned)g_rand_int_range(rand, 0, (int)n);
    VitConfigItem *item = vit_config_get_item(config, chosen);
    uint32_t serial = vit_config_item_get_serial(item);
    unsigned n_params = vit_config_item_get_n_params(item);
    g_autofree char *before = vit_config_to_text(config);
    g_autoptr(GPtrArray) sources = g_ptr_array_new_with_free_func(g_free);
    for (unsigned i = 0; i < n; i++)
        g_ptr_array_add(sources,
                        g_strdup(vit_config_item_get_source(vit_config_get_item(config, i))));

    if (n_params == 0 || g_rand_int_range(rand, 0, 4) == 0) {
        g_assert_true(vit_config_remove(config, serial));
        g_ptr_array_remove_index(sources, chosen);
        g_assert_cmpuint(vit_config_get_n_items(config), ==, n - 1);
    } else {
        g_autofree char *key = g_strdup(vit_config_item_get_param_key(
            item, (unsigned)g_rand_int_range(rand, 0, (int)n_params)));
        if (!vit_config_set(config, serial, key, "v1", NULL))
            return;
        g_assert_cmpstr(vit_config_item_get(vit_config_get_item(config, chosen), key), ==, "v1");
        sources->pdata[chosen] =
            (g_free(sources->pdata[chosen]),
             g_strdup(vit_config_item_get_source(vit_config_get_item(config, chosen))));
    }
    for (unsigned i = 0; i < sources->len; i++)
        g_assert_cmpstr(vit_config_item_get_source(vit_config_get_item(config, i)), ==,
                        sources->pdata[i]);
    check_text(config);
    check_conf(config);
    while (vit_config_undo(config))
        ;
    assert_text(config, before);
    check_conf(config);
}

static void
test_rules(void)
{
    g_autoptr(GRand) rand = new_rand();
    unsigned n_items = 0;

    for (unsigned i = 0; i < N_CONFIGS; i++) {
        g_autoptr(VitConfig) config = random_config(rand, MAX_ITEMS);

        n_items += vit_config_get_n_items(config);
        check_text(config);
        check_shell(config);
        check_conf(config);
        if (i % 4 == 0)
            check_edit(rand, config);
    }
    /* Few of the random arguments are impossible to write down. */
    g_assert_cmpuint(n_items, >, N_CONFIGS * MAX_ITEMS / 2 * 85 / 100);
}

/* The same in many spellings: quotes, comments, continued lines, a program in front. */
static void
test_spellings(void)
{
    g_autoptr(GRand) rand = new_rand();

    for (unsigned i = 0; i < N_CONFIGS; i++) {
        g_autoptr(VitConfig) config = random_config(rand, 4);
        g_autofree char *text = random_spelling(rand, config);
        g_autoptr(VitConfig) read = vit_config_parse(text, VIT_PARSE_DEFAULT, NULL);

        if (!vit_config_equal(config, read))
            g_test_message("<<<%s>>>", text);
        assert_equal(config, read);
        assert_text(read, text);
        check_text(read);
        check_conf(read);
        if (i % 4 == 0)
            check_edit(rand, read);
    }
}

/* Words of a QEMU or shell nature thrown together: no byte is lost, nothing breaks. */
static void
test_noise(void)
{
    static const char *const bits[] = {
        "-",
        "--",
        "-m",
        " ",
        " ",
        " ",
        "\n",
        "\\\n",
        "'",
        "\"",
        "#",
        "-drive",
        "file=",
        ",",
        ",,",
        "=",
        "-device",
        "{",
        "}",
        "\"driver\":",
        "\"e1000\"",
        "[",
        "]",
        ":",
        "-frob",
        "x",
        "$y",
        "`z`",
        "&",
        "&&",
        ">",
        "2>&1",
        "-serial",
        "tcp:",
        "mon:",
        "vc:80Cx24C",
        "-cpu",
        "+",
        "kvm",
        "sudo",
        "qemu-system-x86_64",
        "-global",
        "a.b=c",
        "-set",
        "-S",
        "-smp",
        "4",
        "\\",
        "^\n",
        "-append",
        "é",
        "\t",
        "-nic",
        "user",
        "-netdev",
        "id=n",
        "on",
        "off",
        "no",
        "-machine",
    };
    g_autoptr(GRand) rand = new_rand();

    for (unsigned i = 0; i < N_CONFIGS; i++) {
        g_autoptr(GString) text = g_string_new(NULL);
        g_autoptr(VitDiagList) diags = vit_diag_list_new();
        unsigned n = (unsigned)g_rand_int_range(rand, 0, 14);

        for (unsigned w = 0; w < n; w++)
            g_string_append(text, bits[g_rand_int_range(rand, 0, VIT_ARRAY_LEN(bits))]);
        g_autoptr(VitConfig) config = vit_config_parse(text->str, VIT_PARSE_DEFAULT, diags);
        assert_text(config, text->str);
        check_conf(config);
        vit_config_validate(config, NULL, diags);
        for (unsigned d = 0; d < vit_diag_list_get_n(diags); d++) {
            const VitDiag *diag = vit_diag_list_get(diags, d);
            g_autofree char *shown = vit_diag_format(diag, text->str, "p", 80);

            g_assert_cmpuint(diag->end, <=, text->len);
            g_assert_true(g_utf8_validate(shown, -1, NULL));
        }
        vit_machine_plan_free(vit_config_normalize(config, diags));
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/roundtrip/rules", test_rules);
    g_test_add_func("/roundtrip/spellings", test_spellings);
    g_test_add_func("/roundtrip/noise", test_noise);
    return g_test_run();
}
