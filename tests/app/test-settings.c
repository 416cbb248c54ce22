/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The settings model without widgets: every option has its row, every given parameter is shown,
 * rows write only what they change, and what the engine says of a value is said at its row. */

#include "app-settings.h"

#include "config-random.h"

#include <string.h>

static AppSettings *
settings_of(const char *text)
{
    g_autoptr(VitConfig) config = vit_config_parse(text, VIT_PARSE_DEFAULT, NULL);

    return app_settings_new(config);
}

static void
assert_text(AppSettings *settings, const char *expected)
{
    g_autofree char *text = vit_config_to_text(app_settings_get_config(settings));

    g_assert_cmpstr(text, ==, expected);
}

/* The row of OPTION's KEY on any page; of the INDEX-th group that has it. */
static AppSetting *
find_row(AppSettings *settings, const char *option, const char *key, unsigned index)
{
    for (int page = 0; page < APP_PAGE_LAST; page++) {
        g_autoptr(GPtrArray) groups = app_settings_list_groups(settings, (AppPage)page);

        for (guint g = 0; g < groups->len; g++) {
            const AppSettingGroup *group = groups->pdata[g];

            for (guint s = 0; s < group->settings->len; s++) {
                AppSetting *setting = group->settings->pdata[s];
                const VitOption *its = app_setting_get_option(setting);

                if (its && strcmp(its->name, option) == 0 &&
                    strcmp(app_setting_get_key(setting)->name, key) == 0 && index-- == 0) {
                    return g_object_ref(setting);
                }
            }
        }
    }
    return NULL;
}

/* ---- Rows ---- */

static void
test_every_option_has_a_row(void)
{
    g_autoptr(AppSettings) settings = settings_of("");
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    const VitOption *option;

    for (int page = 0; page < APP_PAGE_LAST; page++) {
        g_autoptr(GPtrArray) groups = app_settings_list_groups(settings, (AppPage)page);
        g_autoptr(GPtrArray) additions = app_settings_list_additions(settings, (AppPage)page);

        for (guint i = 0; i < groups->len; i++) {
            const AppSettingGroup *group = groups->pdata[i];

            g_assert_cmpuint(group->settings->len, >, 0);
            for (guint s = 0; s < group->settings->len; s++) {
                g_assert_nonnull(app_setting_get_title(group->settings->pdata[s]));
                g_assert_nonnull(app_setting_get_help(group->settings->pdata[s]));
            }
            g_hash_table_add(seen, (gpointer)group->option);
        }
        for (guint i = 0; i < additions->len; i++) {
            g_hash_table_add(seen, (gpointer)((AppAddition *)additions->pdata[i])->option);
        }
    }
    for (unsigned i = 0; (option = vit_option_nth(i)); i++) {
        gboolean is_help = option->flags & VIT_OPT_HELP && option->syntax == VIT_SYNTAX_FLAG;
        gboolean elsewhere =
            option->status > VIT_STATUS_NOT_YET && option->status != VIT_STATUS_NEEDS_HARDWARE;

        if (!is_help && !elsewhere && !g_hash_table_contains(seen, option)) {
            g_test_message("-%s has no row", option->name);
            g_test_fail();
        }
    }
}

static void
test_set_and_reset(void)
{
    g_autoptr(AppSettings) settings = settings_of("-m 1G  # memory\n-smp 2");
    VitConfig *config = app_settings_get_config(settings);
    g_autoptr(AppSetting) memory = find_row(settings, "m", "size", 0);
    g_autoptr(AppSetting) hpet = find_row(settings, "machine", "hpet", 0);
    g_autoptr(AppSetting) flag = find_row(settings, "no-reboot", "value", 0);
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(app_setting_get_control(memory), ==, APP_CONTROL_SIZE);
    g_assert_cmpint(app_setting_get_control(hpet), ==, APP_CONTROL_SWITCH);
    g_assert_cmpstr(app_setting_get_value(memory), ==, "1G");
    g_assert_true(app_setting_set(memory, "2G", &error));
    assert_text(settings, "-m 2G  # memory\n-smp 2");
    g_assert_false(app_setting_set(memory, "2Q", &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT);
    g_assert_nonnull(strstr(error->message, "2Q"));
    assert_text(settings, "-m 2G  # memory\n-smp 2");
    /* what is typed stays, be it the default */
    g_assert_cmpstr(app_setting_get_default(memory), ==, "128M");
    g_assert_true(app_setting_set(memory, "128M", NULL));
    assert_text(settings, "-m 128M  # memory\n-smp 2");
    g_assert_true(app_setting_set(memory, "2G", NULL));
    assert_text(settings, "-m 2G  # memory\n-smp 2");
    g_assert_cmpstr(app_setting_get_default(hpet), ==, "on");
    g_assert_true(app_setting_set(hpet, "on", NULL)); /* the default is not written */
    assert_text(settings, "-m 2G  # memory\n-smp 2");
    g_assert_true(app_setting_set(hpet, "off", NULL));
    assert_text(settings, "-m 2G  # memory\n-smp 2\n-machine hpet=off");
    g_assert_true(app_setting_reset(hpet, NULL));
    assert_text(settings, "-m 2G  # memory\n-smp 2");
    g_assert_true(app_setting_set(flag, "on", NULL));
    g_assert_cmpstr(app_setting_get_value(flag), ==, "on");
    g_assert_true(app_setting_set(flag, "off", NULL));
    assert_text(settings, "-m 2G  # memory\n-smp 2");
    while (vit_config_can_undo(config, NULL)) {
        vit_config_undo(config);
    }
    assert_text(settings, "-m 1G  # memory\n-smp 2");
    vit_config_redo(config);
    assert_text(settings, "-m 2G  # memory\n-smp 2");
}

static void
test_not_available(void)
{
    g_autoptr(AppSettings) settings = settings_of("");
    g_autoptr(AppSetting) epc = find_row(settings, "machine", "dea-key-wrap", 0);
    g_autofree char *why = app_setting_dup_status_text(epc);

    g_assert_false(app_setting_is_available(epc));
    g_assert_nonnull(strstr(why, "s390"));
}

static void
test_problem_at_row(void)
{
    g_autoptr(AppSettings) settings = settings_of("-m 1G -smp cpus=9000 -boot order=cd");
    g_autoptr(AppSetting) cpus = find_row(settings, "smp", "cpus", 0);
    g_autoptr(AppSetting) order = find_row(settings, "boot", "order", 0);
    g_autoptr(AppSetting) memory = find_row(settings, "m", "size", 0);
    VitDiagList *diags = app_settings_get_diags(settings);
    VitSeverity severity;
    g_autofree char *one = app_setting_dup_problem(cpus, diags, &severity);
    g_autofree char *two = app_setting_dup_problem(order, diags, &severity);
    g_autofree char *none = app_setting_dup_problem(memory, diags, &severity);

    g_assert_nonnull(one);
    g_assert_nonnull(strstr(one, "9000"));
    g_autofree char *three = NULL;

    g_assert_null(two);
    g_assert_null(none);
    /* what only the plan of the machine shows */
    g_assert_true(app_setting_set(cpus, "2", NULL));
    g_assert_true(app_setting_set(order, "cx", NULL));
    three = app_setting_dup_problem(order, app_settings_get_diags(settings), &severity);
    g_assert_nonnull(three);
    g_assert_nonnull(strstr(three, "'x'"));
}

/* ---- Devices ---- */

static const AppAddition *
find_addition(GPtrArray *additions, const char *option, const char *kind)
{
    for (guint i = 0; i < additions->len; i++) {
        const AppAddition *addition = additions->pdata[i];

        if (strcmp(addition->option->name, option) == 0 && g_strcmp0(addition->kind, kind) == 0) {
            return addition;
        }
    }
    return NULL;
}

static void
test_add_and_remove(void)
{
    g_autoptr(AppSettings) settings = settings_of("-m 1G");
    g_autoptr(GPtrArray) additions = app_settings_list_additions(settings, APP_PAGE_NETWORK);
    const AppAddition *card = find_addition(additions, "device", "e1000");
    const AppAddition *user = find_addition(additions, "netdev", "user");
    g_autoptr(AppSetting) netdev = NULL;
    g_autoptr(AppSetting) mac = NULL;
    g_autoptr(GError) error = NULL;
    uint32_t serial;

    g_assert_nonnull(card);
    g_assert_nonnull(user);
    g_assert_cmpuint(app_settings_add(settings, user, &error), !=, 0);
    serial = app_settings_add(settings, card, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(serial, !=, 0);
    assert_text(settings, "-m 1G\n-netdev user,id=netdev0\n-device e1000,id=dev0");
    netdev = find_row(settings, "device", "netdev", 0);
    g_assert_nonnull(netdev);
    {
        g_autoptr(GArray) choices = app_setting_list_choices(netdev);

        g_assert_cmpuint(choices->len, ==, 1);
        g_assert_cmpstr(g_array_index(choices, AppChoice, 0).value, ==, "netdev0");
    }
    g_assert_true(app_setting_set(netdev, "netdev0", &error));
    mac = find_row(settings, "device", "mac", 0);
    g_assert_nonnull(mac);
    g_assert_false(app_setting_set(mac, "52:54:00", NULL));
    g_assert_true(app_setting_set(mac, "52:54:00:12:34:56", NULL));
    assert_text(settings, "-m 1G\n-netdev user,id=netdev0\n-device "
                          "e1000,id=dev0,netdev=netdev0,mac=52:54:00:12:34:56");
    g_assert_true(app_settings_remove(settings, serial));
    assert_text(settings, "-m 1G\n-netdev user,id=netdev0");
}

static void
test_search(void)
{
    g_autoptr(AppSettings) settings = settings_of("");
    static const char *const searches[][3] = {
        { "memory size", "m", "size" },     { "-m size", "m", "size" },
        { "hpet", "machine", "hpet" },      { "boot menu", "boot", "menu" },
        { "throw away", "snapshot", NULL }, { "enable-kvm", "enable-kvm", NULL },
    };

    for (guint i = 0; i < G_N_ELEMENTS(searches); i++) {
        g_autoptr(GPtrArray) groups = app_settings_search(settings, searches[i][0], 60);
        gboolean found = FALSE;

        for (guint g = 0; g < groups->len; g++) {
            const AppSettingGroup *group = groups->pdata[g];

            for (guint s = 0; s < group->settings->len; s++) {
                AppSetting *setting = group->settings->pdata[s];
                const char *wanted = searches[i][2] ? searches[i][2] : "value";

                found |= app_setting_get_option(setting) &&
                         strcmp(app_setting_get_option(setting)->name, searches[i][1]) == 0 &&
                         strcmp(app_setting_get_key(setting)->name, wanted) == 0;
            }
        }
        if (!found) {
            g_test_message("“%s” does not find -%s", searches[i][0], searches[i][1]);
            g_test_fail();
        }
    }
}

/* ---- Nothing is lost ---- */

/* Each given parameter has a row that shows its last value, or is part of what is not understood;
 * looking changes nothing. */
static void
assert_all_shown(AppSettings *settings)
{
    VitConfig *config = app_settings_get_config(settings);
    g_autoptr(GHashTable) shown = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (int page = 0; page < APP_PAGE_LAST; page++) {
        g_autoptr(GPtrArray) groups = app_settings_list_groups(settings, (AppPage)page);

        for (guint g = 0; g < groups->len; g++) {
            const AppSettingGroup *group = groups->pdata[g];

            if (group->is_unknown) {
                g_hash_table_add(shown, g_strdup_printf("%u", group->serial));
            }
            for (guint s = 0; s < group->settings->len; s++) {
                AppSetting *setting = group->settings->pdata[s];
                const VitOption *option = app_setting_get_option(setting);

                g_hash_table_add(shown, g_strdup_printf("%u/%s/%s", group->serial,
                                                        option ? option->name : "image",
                                                        app_setting_get_key(setting)->name));
            }
        }
    }
    for (unsigned i = 0; i < vit_config_get_n_items(config); i++) {
        VitConfigItem *item = vit_config_get_item(config, i);
        const VitOption *option = vit_config_item_get_option(item);
        unsigned serial =
            !option || option->repeat == VIT_REPEAT_LIST ? vit_config_item_get_serial(item) : 0;

        if (vit_config_item_get_item_type(item) == VIT_ITEM_UNKNOWN) {
            g_autofree char *id = g_strdup_printf("%u", serial);
            g_assert_true(g_hash_table_contains(shown, id));
            continue;
        }
        if (option && option->flags & VIT_OPT_HELP && option->syntax == VIT_SYNTAX_FLAG) {
            continue;
        }
        for (unsigned p = 0; p < vit_config_item_get_n_params(item); p++) {
            const char *key = vit_config_item_get_param_key(item, p);
            g_autofree char *id =
                g_strdup_printf("%u/%s/%s", serial, option ? option->name : "image", key);

            if (*key && !g_hash_table_contains(shown, id)) {
                g_autofree char *text = vit_config_to_text(config);
                g_test_message("%s is not shown of: %s", id, text);
                g_test_fail();
                return;
            }
        }
    }
}

/* Rows set at random and taken back leave the text as it was. */
static void
poke(AppSettings *settings, GRand *rand)
{
    VitConfig *config = app_settings_get_config(settings);
    g_autofree char *before = vit_config_to_text(config);
    AppPage page = (AppPage)g_rand_int_range(rand, 0, APP_PAGE_LAST);
    g_autoptr(GPtrArray) groups = app_settings_list_groups(settings, page);
    const AppSettingGroup *group;
    AppSetting *setting;
    g_autofree char *value = NULL;
    const char *old;

    assert_text(settings, before);
    if (groups->len == 0) {
        return;
    }
    group = groups->pdata[g_rand_int_range(rand, 0, (gint32)groups->len)];
    if (group->settings->len == 0) {
        return;
    }
    setting = group->settings->pdata[g_rand_int_range(rand, 0, (gint32)group->settings->len)];
    old = app_setting_get_value(setting);
    if (old) {
        g_autofree char *same = g_strdup(old);

        g_assert_true(app_setting_set(setting, same, NULL));
        assert_text(settings, before); /* its own value is no change */
    }
    value = random_value(rand, app_setting_get_key(setting));
    if (!app_setting_set(setting, value, NULL)) {
        assert_text(settings, before); /* refused: nothing happened */
    }
    while (vit_config_can_undo(config, NULL)) {
        vit_config_undo(config);
    }
    assert_text(settings, before);
}

static void
test_random(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(41);
    const char *count = g_getenv("VITRINE_ROUNDS");
    int n = count ? atoi(count) : 1500;

    for (int i = 0; i < n && !g_test_failed(); i++) {
        g_autoptr(VitConfig) config = random_config(rand, 6);
        g_autofree char *text = vit_config_to_text(config);
        g_autoptr(AppSettings) settings = settings_of(text);

        assert_text(settings, text);
        assert_all_shown(settings);
        poke(settings, rand);
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
        g_autoptr(AppSettings) settings = NULL;

        if (!lines[i][0] || lines[i][0] == '#') {
            continue;
        }
        settings = settings_of(lines[i]);
        assert_text(settings, lines[i]);
        assert_all_shown(settings);
        assert_text(settings, lines[i]);
        n++;
    }
    g_assert_cmpuint(n, >=, 190);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/settings/every-option-has-a-row", test_every_option_has_a_row);
    g_test_add_func("/settings/set-and-reset", test_set_and_reset);
    g_test_add_func("/settings/not-available", test_not_available);
    g_test_add_func("/settings/problem-at-row", test_problem_at_row);
    g_test_add_func("/settings/add-and-remove", test_add_and_remove);
    g_test_add_func("/settings/search", test_search);
    g_test_add_func("/settings/random", test_random);
    g_test_add_func("/settings/command-lines", test_command_lines);
    return g_test_run();
}
