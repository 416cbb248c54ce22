/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Every row of data/mission/options.tsv is a declaration, or a documented special; what the row
 * expects of another host or machine is what the declaration answers. */

#include <string.h>

#include "vit-kinds.h"
#include "vit-option-private.h"
#include "vit-types.h"

static const char *data_dir;

/* The rows of a table, each split at its tabs. Ownership: caller. */
static GPtrArray *
read_table(const char *name)
{
    g_autofree char *path = g_build_filename(data_dir, name, NULL);
    g_autofree char *data = NULL;
    g_autoptr(GError) error = NULL;
    GPtrArray *rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);

    g_file_get_contents(path, &data, NULL, &error);
    g_assert_no_error(error);
    g_auto(GStrv) lines = g_strsplit(data, "\n", -1);
    for (unsigned i = 1; lines[i] != NULL && lines[i][0] != '\0'; i++)
        g_ptr_array_add(rows, g_strsplit(lines[i], "\t", -1));
    g_assert_cmpuint(rows->len, >, 400);
    return rows;
}

static void
collect(const char *id, VitStatus status, const char *where, void *data)
{
    GHashTable *covered = data;

    g_assert_nonnull(where);
    g_assert_cmpint(status, !=, VIT_STATUS_INHERIT);
    /* Of several places that cover a row the one that is furthest along counts. */
    VitStatus old = (VitStatus)GPOINTER_TO_INT(g_hash_table_lookup(covered, id));
    if (old != VIT_STATUS_AVAILABLE)
        g_hash_table_insert(covered, g_strdup(id), GINT_TO_POINTER(status));
}

static void
test_options(void)
{
    g_autoptr(GPtrArray) rows = read_table("options.tsv");
    g_autoptr(GHashTable) covered = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    unsigned missing = 0;

    vit_mission_walk(collect, covered);
    for (unsigned i = 0; i < rows->len; i++) {
        char **row = rows->pdata[i];
        VitStatus status = (VitStatus)GPOINTER_TO_INT(g_hash_table_lookup(covered, row[0]));

        if (status == VIT_STATUS_INHERIT) {
            g_test_message("not declared: %s", row[0]);
            missing++;
        }
    }
    g_assert_cmpuint(missing, ==, 0);
}

/* Rows of other hosts and machines never claim to work, and say so with a reason. */
static void
test_scopes(void)
{
    g_autoptr(GPtrArray) rows = read_table("options.tsv");
    g_autoptr(GHashTable) covered = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    vit_mission_walk(collect, covered);
    for (unsigned i = 0; i < rows->len; i++) {
        char **row = rows->pdata[i];
        VitStatus status = (VitStatus)GPOINTER_TO_INT(g_hash_table_lookup(covered, row[0]));

        g_test_message("%s %s", row[0], row[5]);
        if (strcmp(row[5], "other-host") == 0 && strcmp(row[0], "chardev.pipe.windows") != 0)
            g_assert_cmpint(status, ==, VIT_STATUS_OTHER_HOST);
        else if (strcmp(row[5], "other-target") == 0)
            g_assert_cmpint(status, ==, VIT_STATUS_OTHER_TARGET);
        else
            g_assert_true(status != VIT_STATUS_OTHER_HOST && status != VIT_STATUS_OTHER_TARGET);
    }
}

/* Machines, devices, CPUs and accelerators of the table are known names; what is a backend is a
 * kind of its option. */
static void
test_devices(void)
{
    static const struct {
        const char *kind, *option;
    } backends[] = {
        { "block-driver", "blockdev" },   { "chardev-backend", "chardev" },
        { "netdev-backend", "netdev" },   { "audio-backend", "audiodev" },
        { "object", "object" },           { "tpm-backend", "tpmdev" },
        { "display-backend", "display" },
    };
    g_autoptr(GPtrArray) rows = read_table("devices.tsv");

    for (unsigned i = 0; i < rows->len; i++) {
        char **row = rows->pdata[i];
        const char *option = NULL;

        for (unsigned b = 0; b < VIT_ARRAY_LEN(backends); b++)
            if (strcmp(row[1], backends[b].kind) == 0)
                option = backends[b].option;
        g_test_message("%s (%s)", row[0], row[1]);
        if (strcmp(row[0], "spice") == 0 && strcmp(row[1], "display-backend") == 0)
            g_assert_nonnull(vit_option_find("spice"));
        else if (option != NULL)
            g_assert_nonnull(vit_option_find_variant(vit_option_find(option), row[0]));
        else if (strcmp(row[1], "vga-type") == 0)
            g_assert_nonnull(vit_option_find_value(vit_option_find("vga")->keys, row[0]));
        else if (strcmp(row[1], "machine") == 0 || strcmp(row[1], "machine-version") == 0)
            g_assert_nonnull(vit_known_kind(VIT_KIND_MACHINE, row[0], NULL, NULL));
        else if (strcmp(row[1], "cpu-model") == 0)
            g_assert_nonnull(vit_known_kind(VIT_KIND_CPU, row[0], NULL, NULL));
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    data_dir = g_getenv("VITRINE_MISSION_DIR");
    g_assert_nonnull(data_dir);
    g_test_add_func("/mission/options", test_options);
    g_test_add_func("/mission/scopes", test_scopes);
    g_test_add_func("/mission/devices", test_devices);
    return g_test_run();
}
