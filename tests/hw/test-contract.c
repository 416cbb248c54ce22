/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What every device kind owes, whoever wrote it:
 *   fields    every member is a property, a saved field or declared transient
 *   props     limits hold, and a device at its limits realizes or says why not
 *   access    any access to any register at any width does no harm
 *   reset     resetting twice is resetting once
 *   state     save, load into another, save: equal; both then behave alike
 *   bad-state a damaged stream is refused or taken, and the device lives on
 */

#include "hw-kinds.h"
#include "hw-rig.h"
#include "vit-input-hub.h"

#include <string.h>

enum { PROGRAM_BYTES = 60000, DAMAGED_STREAMS = 80 };

/* The same bytes for the same kind and purpose, each time. */
static GBytes *
random_bytes(const VitDeviceKind *kind, unsigned salt, size_t len)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(g_str_hash(kind->name) + salt);
    uint8_t *bytes = g_malloc(len);

    for (size_t i = 0; i < len; i++) {
        bytes[i] = g_rand_int(rand) >> 13;
    }
    return g_bytes_new_take(bytes, len);
}

static VitDevice *
add(HwRig *rig, const VitDeviceKind *kind)
{
    g_autoptr(GError) error = NULL;
    VitDevice *dev = hw_rig_add(rig, kind, &error);

    g_assert_no_error(error);
    return dev;
}

static uint64_t
run(HwRig *rig, VitDevice *dev, GBytes *program)
{
    gsize len;
    const uint8_t *data = g_bytes_get_data(program, &len);

    return hw_rig_run(rig, dev, data, len);
}

/* Fails with the place where two streams part; field names stand in the text before it. */
static void
expect_equal(const VitDeviceKind *kind, const char *what, GBytes *a, GBytes *b)
{
    gsize a_len, b_len, at = 0;
    const uint8_t *a_data = g_bytes_get_data(a, &a_len), *b_data = g_bytes_get_data(b, &b_len);
    g_autoptr(GString) text = g_string_new(NULL);

    if (g_bytes_equal(a, b)) {
        return;
    }
    while (at < MIN(a_len, b_len) && a_data[at] == b_data[at]) {
        at++;
    }
    for (gsize i = at > 60 ? at - 60 : 0; i < at; i++) {
        g_string_append_c(text, g_ascii_isgraph(a_data[i]) ? a_data[i] : '.');
    }
    g_test_message("%s: %s differ at byte %zu: 0x%02x and 0x%02x after \"%s\"", kind->name, what,
                   at, at < a_len ? a_data[at] : 0, at < b_len ? b_data[at] : 0, text->str);
    g_test_fail();
}

/* ---- fields ---- */

static void
cover(uint8_t *layout, const VitField *fields, size_t base)
{
    for (const VitField *field = fields; field && field->name; field++) {
        if (field->type == VIT_FIELD_STRUCT) {
            for (uint32_t i = 0; i < field->count; i++) {
                cover(layout, field->fields, base + field->offset + (size_t)i * field->size);
            }
        } else {
            size_t len = field->type == VIT_FIELD_BUFFER ? sizeof(void *)
                                                         : (size_t)field->size * field->count;

            memset(layout + base + field->offset, 0, len);
        }
    }
}

/* Whether a declared member of FIELDS, or of a struct in it, begins (or its struct ends) at AT. */
static bool
starts_field(const VitField *fields, size_t base, size_t at)
{
    for (const VitField *field = fields; field && field->name; field++) {
        size_t start = base + field->offset;

        if (start == at) {
            return true;
        }
        for (uint32_t i = 0; field->type == VIT_FIELD_STRUCT && i < field->count; i++) {
            size_t element = start + (size_t)i * field->size;

            if (element + field->size == at || starts_field(field->fields, element, at)) {
                return true;
            }
        }
    }
    return false;
}

static bool
starts_member(const VitDeviceKind *kind, size_t at)
{
    for (const VitProp *prop = kind->props; prop && prop->name; prop++) {
        if (prop->offset == at) {
            return true;
        }
    }
    return at == kind->size || starts_field(kind->state, 0, at);
}

/* gcc 12 forgets the hole after a member that follows an array of structs (bars, lines, planes):
 * take what ends where a member begins and is too short to align it otherwise. */
static bool
may_be_hole(const VitDeviceKind *kind, size_t from, size_t to)
{
    size_t len = to - from, alignment = len >= 4 ? 8 : len >= 2 ? 4 : 2;

    return len < 8 && to % alignment == 0 && starts_member(kind, to);
}

static void
test_fields(gconstpointer data)
{
    const VitDeviceKind *kind = data;
    g_autofree uint8_t *layout = g_malloc(kind->size);

#ifndef VIT_HAVE_LAYOUT
    g_test_skip("this compiler cannot tell padding from members");
    return;
#endif
    memset(layout, 0xff, kind->size);
    kind->clear_padding(layout);
    cover(layout, kind->state, 0);
    for (const VitProp *prop = kind->props; prop && prop->name; prop++) {
        memset(layout + prop->offset, 0, prop->size);
    }
    for (size_t from = kind->base_size, to; from < kind->size; from = to + 1) {
        for (to = from; to < kind->size && layout[to]; to++) {
        }
        if (to > from && !may_be_hole(kind, from, to)) {
            g_test_message("%s: bytes %zu to %zu of %zu belong to a member nobody declared",
                           kind->name, from, to - 1, kind->size);
            g_test_fail();
        }
    }
}

/* ---- props ---- */

/* Sets PROP; tells whether the device then can be realized, which it need not. */
static void
try_value(const VitDeviceKind *kind, const VitProp *prop, int64_t value)
{
    g_autoptr(HwRig) rig = hw_rig_new();
    g_autoptr(VitDevice) dev = hw_rig_create(rig, kind);
    g_autoptr(GError) error = NULL;
    g_autofree char *text = prop->type == VIT_PROP_TYPE_INT
                                ? g_strdup_printf("%" G_GINT64_FORMAT, value)
                                : g_strdup_printf("%" G_GUINT64_FORMAT, (uint64_t)value);
    VitBus *bus;

    vit_device_set(dev, prop->name, text, NULL, &error);
    g_assert_no_error(error);
    g_assert_true(hw_rig_find_bus(rig, kind, &bus));
    if (vit_device_realize(dev, bus, &rig->test.platform, &error)) {
        g_assert_no_error(error);
        vit_device_unrealize(dev);
    } else {
        g_assert_nonnull(error);
        g_assert_false(dev->realized);
    }
}

static void
expect_refused(VitDevice *dev, const VitProp *prop, const char *text)
{
    g_autofree char *before = vit_device_get(dev, prop->name);
    g_autofree char *after = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_false(vit_device_set(dev, prop->name, text, NULL, &error));
    g_assert_nonnull(error);
    after = vit_device_get(dev, prop->name);
    g_assert_cmpstr(before, ==, after);
}

static void
test_props(gconstpointer data)
{
    const VitDeviceKind *kind = data;
    g_autoptr(VitDevice) dev = vit_device_new(kind, NULL);

    for (const VitProp *prop = kind->props; prop && prop->name; prop++) {
        g_assert_nonnull(prop->help);
        if (prop->type != VIT_PROP_TYPE_UINT && prop->type != VIT_PROP_TYPE_INT &&
            prop->type != VIT_PROP_TYPE_SIZE) {
            continue;
        }
        expect_refused(dev, prop, "many");
        expect_refused(dev, prop, "");
        if (prop->type != VIT_PROP_TYPE_SIZE) {
            try_value(kind, prop, prop->min);
            try_value(kind, prop, prop->max);
        }
        if (prop->max > 0 && prop->max < INT64_MAX) {
            g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, prop->max + 1);
            expect_refused(dev, prop, text);
        }
        if (prop->min > INT64_MIN) {
            g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, prop->min - 1);
            expect_refused(dev, prop, text);
        }
    }
}

/* ---- access ---- */

static void
test_access(gconstpointer data)
{
    const VitDeviceKind *kind = data;
    g_autoptr(HwRig) rig = hw_rig_new();
    g_autoptr(VitDevice) dev = add(rig, kind);
    g_autoptr(GBytes) program = random_bytes(kind, 1, PROGRAM_BYTES);

    hw_rig_touch_all(rig, dev);
    hw_rig_complete_io(rig);
    vit_device_reset(dev);
    hw_rig_map_pci(rig, dev);
    run(rig, dev, program);
    hw_rig_complete_io(rig);
}

/* ---- reset ---- */

static void
test_reset(gconstpointer data)
{
    const VitDeviceKind *kind = data;
    g_autoptr(HwRig) rig = hw_rig_new();
    g_autoptr(VitDevice) dev = add(rig, kind);
    g_autoptr(GBytes) program = random_bytes(kind, 2, PROGRAM_BYTES / 4);
    g_autoptr(GBytes) once = NULL, twice = NULL;

    run(rig, dev, program);
    hw_rig_complete_io(rig);
    vit_device_reset(dev);
    once = hw_rig_save(dev);
    vit_device_reset(dev);
    twice = hw_rig_save(dev);
    expect_equal(kind, "first and second reset", once, twice);
}

/* ---- state ---- */

static void
test_state(gconstpointer data)
{
    const VitDeviceKind *kind = data;
    g_autoptr(HwRig) rig = hw_rig_new(), other_rig = hw_rig_new();
    g_autoptr(VitDevice) dev = add(rig, kind), other = add(other_rig, kind);
    g_autoptr(GBytes) program = random_bytes(kind, 3, PROGRAM_BYTES / 4);
    g_autoptr(GBytes) after = random_bytes(kind, 4, PROGRAM_BYTES / 8);
    g_autoptr(GBytes) saved = NULL, again = NULL, later = NULL, other_later = NULL;
    g_autoptr(GError) error = NULL;

    run(rig, dev, program);
    hw_rig_complete_io(rig);
    vit_input_release_all(rig->test.platform.input);
    saved = hw_rig_save(dev);

    hw_rig_copy_world(other_rig, rig);
    g_assert_true(hw_rig_load(other, saved, &error));
    g_assert_no_error(error);
    again = hw_rig_save(other);
    expect_equal(kind, "saved and loaded state", saved, again);

    if (run(rig, dev, after) != run(other_rig, other, after)) {
        g_test_message("%s: original and copy read differently", kind->name);
        g_test_fail();
    }
    hw_rig_complete_io(rig);
    hw_rig_complete_io(other_rig);
    later = hw_rig_save(dev);
    other_later = hw_rig_save(other);
    expect_equal(kind, "later states of original and copy", later, other_later);
}

static void
test_bad_state(gconstpointer data)
{
    const VitDeviceKind *kind = data;
    g_autoptr(HwRig) rig = hw_rig_new();
    g_autoptr(VitDevice) dev = add(rig, kind);
    g_autoptr(GBytes) program = random_bytes(kind, 5, 2000);
    g_autoptr(GBytes) saved = hw_rig_save(dev);
    g_autoptr(GRand) rand = g_rand_new_with_seed(g_str_hash(kind->name));

    for (unsigned i = 0; i < DAMAGED_STREAMS; i++) {
        gsize len;
        uint8_t *bytes = g_bytes_unref_to_data(g_bytes_ref(saved), &len);
        g_autoptr(GBytes) damaged = NULL;
        g_autoptr(GError) error = NULL;

        /* names and lengths near the head are checked anyway; values are what hurts */
        for (unsigned n = 1 + i / 4; n > 0; n--) {
            bytes[g_rand_int_range(rand, 0, len)] = g_rand_int(rand) >> 5;
        }
        damaged = g_bytes_new_take(bytes, len);
        if (!hw_rig_load(dev, damaged, &error)) {
            g_autoptr(GBytes) after_reset = NULL;

            g_assert_nonnull(error);
            g_clear_error(&error);
            vit_device_reset(dev);
            /* nothing of the refused state is left that would be refused again */
            after_reset = hw_rig_save(dev);
            hw_rig_load(dev, after_reset, &error);
            g_assert_no_error(error);
        }
        hw_rig_map_pci(rig, dev);
        run(rig, dev, program);
        hw_rig_complete_io(rig);
    }
}

static void
add_tests(const VitDeviceKind *kind)
{
    static const struct {
        const char *name;
        GTestDataFunc func;
    } tests[] = {
        { "fields", test_fields }, { "props", test_props }, { "access", test_access },
        { "reset", test_reset },   { "state", test_state }, { "bad-state", test_bad_state },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_autofree char *path = g_strdup_printf("/contract/%s/%s", kind->name, tests[i].name);

        g_test_add_data_func(path, kind, tests[i].func);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; vit_hw_kinds[i]; i++) {
        add_tests(vit_hw_kinds[i]);
    }
    return g_test_run();
}
