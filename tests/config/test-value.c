/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Values of the command line: numbers, sizes, addresses, and the check against a key. */

#include "vit-option.h"
#include "vit-types.h"

static void
test_size(void)
{
    static const struct {
        const char *text;
        uint64_t unit, bytes;
        bool ok;
    } cases[] = {
        { "512", 0, 512, true },
        { "512", VIT_MIB, 512 * VIT_MIB, true },
        { "1G", VIT_MIB, VIT_GIB, true },
        { "1g", 0, VIT_GIB, true },
        { "64K", 0, 65536, true },
        { "1.5G", 0, VIT_GIB + VIT_GIB / 2, true },
        { "100b", VIT_MIB, 100, true },
        { "0x1000", 0, 4096, true },
        { "16E", 0, 0, false },
        { "15E", 0, 15ULL << 60, true },
        { "99999999999999999999", 0, 0, false },
        { "1X", 0, 0, false },
        { "1GB", 0, 0, false },
        { "", 0, 0, false },
        { "-1", 0, 0, false },
        { " 1", 0, 0, false },
        { "G", 0, 0, false },
    };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(cases); i++) {
        uint64_t bytes = 12345;
        bool ok = vit_value_parse_size(cases[i].text, cases[i].unit, &bytes);

        g_test_message("%s", cases[i].text);
        g_assert_cmpint(ok, ==, cases[i].ok);
        g_assert_cmpuint(bytes, ==, ok ? cases[i].bytes : 12345);
    }
}

static void
test_numbers(void)
{
    int64_t value = 7;
    uint64_t large;
    bool on;

    g_assert_true(vit_value_parse_int("-1", &value));
    g_assert_cmpint(value, ==, -1);
    g_assert_true(vit_value_parse_int("0x20", &value));
    g_assert_cmpint(value, ==, 32);
    g_assert_true(vit_value_parse_int("0600", &value));
    g_assert_cmpint(value, ==, 384);
    g_assert_true(vit_value_parse_int("-9223372036854775808", &value));
    g_assert_cmpint(value, ==, INT64_MIN);
    g_assert_false(vit_value_parse_int("9223372036854775808", &value));
    g_assert_cmpint(value, ==, INT64_MIN);
    g_assert_false(vit_value_parse_int("1 ", &value));
    g_assert_false(vit_value_parse_int("--1", &value));
    g_assert_true(vit_value_parse_uint("18446744073709551615", &large));
    g_assert_cmpuint(large, ==, UINT64_MAX);
    g_assert_true(vit_value_parse_bool("yes", &on) && on);
    g_assert_true(vit_value_parse_bool("off", &on) && !on);
    g_assert_false(vit_value_parse_bool("On", &on));
    g_assert_false(vit_value_parse_bool("1", &on));
}

static void
test_addresses(void)
{
    uint8_t mac[6], uuid[16];

    g_assert_true(vit_value_parse_mac("52:54:00:12:34:56", mac));
    g_assert_cmphex(mac[5], ==, 0x56);
    g_assert_false(vit_value_parse_mac("52:54:00:12:34", mac));
    g_assert_false(vit_value_parse_mac("52:54:00:12:34:5g", mac));
    g_assert_false(vit_value_parse_mac("52:54:00:12:34:567", mac));
    g_assert_true(vit_value_parse_uuid("550e8400-e29b-41d4-a716-446655440000", uuid));
    g_assert_cmphex(uuid[0], ==, 0x55);
    g_assert_cmphex(uuid[15], ==, 0x00);
    g_assert_cmphex(uuid[10], ==, 0x44);
    g_assert_false(vit_value_parse_uuid("550e8400e29b41d4a716446655440000", uuid));
    g_assert_false(vit_value_parse_uuid("550e8400-e29b-41d4-a716-44665544000", uuid));
}

static const VitOptionKey *
key_of(const char *option, const char *variant, const char *key)
{
    const VitOption *schema = vit_option_find(option);
    const VitOptionKey *found = vit_option_find_key(
        schema, variant ? vit_option_find_variant(schema, variant) : NULL, key, NULL);

    g_assert_nonnull(found);
    return found;
}

static void
check(const VitOptionKey *key, const char *text, const char *message)
{
    g_autoptr(GError) error = NULL;
    bool ok = vit_value_check(key, text, NULL, &error);

    g_assert_cmpstr(error ? error->message : NULL, ==, message);
    g_assert_cmpint(ok, ==, message == NULL);
}

static void
test_check(void)
{
    check(key_of("smp", NULL, "cpus"), "4", NULL);
    check(key_of("smp", NULL, "cpus"), "0", "'0' is outside 1 to 1024");
    check(key_of("smp", NULL, "cpus"), "four", "'four' is not a whole number");
    check(key_of("m", NULL, "size"), "1Q",
          "'1Q' is not a size: a number, perhaps followed by one of K, M, G, T");
    check(key_of("m", NULL, "size"), "1K", "'1K' is too small, the least is 1048576 bytes");
    check(key_of("boot", NULL, "menu"), "maybe", "'maybe' is neither on nor off");
    check(key_of("rtc", NULL, "clock"), "vm", NULL);
    check(key_of("rtc", NULL, "clock"), "cpu", "'cpu' is not one of host, rt, vm");
    check(key_of("vga", NULL, "value"), "qxl", "not available yet: qxl");
    check(key_of("vga", NULL, "value"), "tcx", "the TCX framebuffer exists only on sun4m machines");
    check(key_of("display", "gtk", "gl"), "yes", NULL);
    check(key_of("nic", NULL, "mac"), "01:00:00:00:00:00",
          "'01:00:00:00:00:00' is not a network card's address, such as 52:54:00:12:34:56");
    check(key_of("icount", NULL, "sleep"), "on", NULL);
}

static void
test_lookup(void)
{
    bool exact;

    g_assert_cmpstr(vit_option_find("M")->name, ==, "machine");
    g_assert_cmpstr(vit_option_find("h")->name, ==, "help");
    g_assert_null(vit_option_find("mashine"));
    g_assert_null(vit_option_find(""));
    g_assert_cmpstr(vit_option_nearest("mashine"), ==, "machine");
    g_assert_cmpstr(vit_option_nearest("dispaly"), ==, "display");
    g_assert_cmpstr(vit_option_nearest("drvie"), ==, "drive");
    g_assert_null(vit_option_nearest("xyzzyplugh"));
    const VitOption *audio = vit_option_find("audiodev");
    g_assert_nonnull(vit_option_find_key(audio, NULL, "in.frequency", &exact));
    g_assert_true(exact);
    g_assert_null(vit_option_find_key(audio, NULL, "in.timer-period", &exact));
    const VitOption *drive = vit_option_find("drive");
    g_assert_nonnull(vit_option_find_key(drive, NULL, "file.server.0.host", &exact));
    g_assert_false(exact);
    g_assert_null(vit_option_find_key(drive, NULL, "file.", &exact));
}

/* Every enumeration has values, every reference names options, every default passes its own
 * check, and no name is declared twice. */
static void
check_keys(const VitOption *option, const VitOptionKey *keys)
{
    for (const VitOptionKey *key = keys; key != NULL && key->name != NULL; key++) {
        g_test_message("-%s %s", option->name, key->name);
        g_assert_nonnull(key->help);
        g_assert_cmpint(key->type == VIT_VALUE_ENUM, <=, key->values != NULL);
        g_assert_cmpint(key->type == VIT_VALUE_ID, ==, key->ref != NULL);
        g_assert_cmpint(key->type == VIT_VALUE_PATH, ==, key->role != VIT_PATH_NONE);
        if (key->def != NULL) {
            g_autoptr(GError) error = NULL;
            vit_value_check(key, key->def, NULL, &error);
            g_assert_no_error(error);
        }
        for (const VitOptionKey *other = keys; other < key; other++)
            g_assert_cmpstr(other->name, !=, key->name);
        g_auto(GStrv) refs = g_strsplit(key->ref ? key->ref : "", "|", -1);
        for (unsigned i = 0; refs[i] != NULL && refs[i][0] != '\0'; i++)
            g_assert_nonnull(vit_option_find(refs[i]));
    }
}

static void
test_schema(void)
{
    const VitOption *option;

    for (unsigned i = 0; (option = vit_option_nth(i)) != NULL; i++) {
        g_assert_true(vit_option_find(option->name) == option);
        g_assert_nonnull(option->help);
        g_assert_nonnull(option->section);
        g_assert_cmpint(option->syntax == VIT_SYNTAX_FLAG, ==, option->metavar == NULL);
        g_assert_cmpint(option->syntax == VIT_SYNTAX_FLAG, ==,
                        option->keys == NULL && option->variants == NULL);
        check_keys(option, option->keys);
        for (const VitOptionVariant *v = option->variants; v != NULL && v->name != NULL; v++) {
            g_assert_nonnull(v->help);
            check_keys(option, v->keys);
        }
        bool refused = option->status == VIT_STATUS_OTHER_HOST ||
                       option->status == VIT_STATUS_OTHER_TARGET ||
                       option->status == VIT_STATUS_REPLACED;
        g_assert_cmpint(refused, <=, option->reason != NULL);
    }
    g_assert_cmpuint(vit_option_find("device") != NULL, ==, 1);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/value/size", test_size);
    g_test_add_func("/value/numbers", test_numbers);
    g_test_add_func("/value/addresses", test_addresses);
    g_test_add_func("/value/check", test_check);
    g_test_add_func("/value/lookup", test_lookup);
    g_test_add_func("/value/schema", test_schema);
    return g_test_run();
}
