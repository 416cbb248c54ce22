/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Images at rest, as the application handles them: made, looked at, grown, converted with progress
 * and cancel, checked; what goes wrong is said and leaves nothing behind. */

#include "vit-engine.h"

#include <glib/gstdio.h>
#include <string.h>

static const uint64_t MIB = 1 << 20;

typedef struct Folder {
    char *path, *raw, *qcow2, *again;
} Folder;

static void
set_up(Folder *folder, gconstpointer data)
{
    folder->path = g_dir_make_tmp("vitrine-XXXXXX", NULL);
    folder->raw = g_build_filename(folder->path, "a.raw", NULL);
    folder->qcow2 = g_build_filename(folder->path, "a.qcow2", NULL);
    folder->again = g_build_filename(folder->path, "again.raw", NULL);
}

static void
tear_down(Folder *folder, gconstpointer data)
{
    g_unlink(folder->raw);
    g_unlink(folder->qcow2);
    g_unlink(folder->again);
    g_assert_cmpint(g_rmdir(folder->path), ==, 0); /* nothing else was left */
    g_free(folder->path);
    g_free(folder->raw);
    g_free(folder->qcow2);
    g_free(folder->again);
}

static void
test_create_and_grow(Folder *folder, gconstpointer data)
{
    const char *const formats[] = { "raw", "qcow2" };

    for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
        const char *path = i ? folder->qcow2 : folder->raw;
        g_autoptr(GError) error = NULL;
        g_autoptr(VitDiskInfo) info = NULL;
        g_autoptr(VitDiskInfo) grown = NULL;

        g_assert_true(vit_disk_can_create(formats[i]));
        g_assert_true(vit_disk_create(path, formats[i], 8 * MIB, &error));
        g_assert_no_error(error);
        info = vit_disk_get_info(path, NULL, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(info->format, ==, formats[i]);
        g_assert_cmpuint(info->len_bytes, ==, 8 * MIB);
        g_assert_true(vit_disk_grow(path, formats[i], 20 * MIB, &error));
        g_assert_no_error(error);
        grown = vit_disk_get_info(path, formats[i], NULL);
        g_assert_cmpuint(grown->len_bytes, ==, 20 * MIB);
        /* smaller, and once more under the same name */
        g_assert_false(vit_disk_grow(path, formats[i], 4 * MIB, &error));
        g_assert_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT);
        g_clear_error(&error);
        g_assert_false(vit_disk_create(path, formats[i], 8 * MIB, &error));
        g_assert_error(error, VIT_ERROR, VIT_ERROR_BUSY);
    }
}

static void
on_progress(double fraction, void *data)
{
    double *last = data;

    g_assert_cmpfloat(fraction, >=, *last);
    *last = fraction;
}

static void
test_convert(Folder *folder, gconstpointer data)
{
    g_autofree char *content = g_malloc0(6 * MIB);
    g_autofree char *back = NULL;
    g_autoptr(GError) error = NULL;
    VitDiskCheck check = { 0 };
    double fraction = 0;
    gsize len;

    for (gsize i = 0; i < 64 * 1024; i++) {
        content[2 * MIB + i] = (char)(i * 7);
    }
    g_assert_true(g_file_set_contents(folder->raw, content, 6 * MIB, NULL));
    g_assert_true(vit_disk_convert(folder->raw, "raw", folder->qcow2, "qcow2", on_progress,
                                   &fraction, NULL, &error));
    g_assert_no_error(error);
    g_assert_cmpfloat(fraction, ==, 1.0);
    g_assert_true(vit_disk_check(folder->qcow2, "qcow2", FALSE, &check, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(check.errors + check.leaks, ==, 0);
    g_assert_true(
        vit_disk_convert(folder->qcow2, NULL, folder->again, "raw", NULL, NULL, NULL, &error));
    g_assert_true(g_file_get_contents(folder->again, &back, &len, NULL));
    g_assert_cmpmem(content, 6 * MIB, back, len);
}

/* What was written and overwritten by zeroes takes no room afterwards, and shows the same. */
static void
test_compact(Folder *folder, gconstpointer data)
{
    g_autofree char *content = g_malloc0(8 * MIB);
    g_autofree char *back = NULL;
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_autoptr(GError) error = NULL;
    VitDiskCheck check = { 0 };
    gsize len;

    memset(content + 3 * MIB, 0x5a, MIB);
    g_assert_true(g_file_set_contents(folder->raw, content, 8 * MIB, NULL));
    for (unsigned i = 0; i < 2; i++) {
        const char *path = i ? folder->qcow2 : folder->raw, *format = i ? "qcow2" : "raw";
        g_autoptr(VitDiskInfo) before = NULL, after = NULL;
        double fraction = 0;

        if (i) {
            /* an image whose clusters are all taken */
            g_autofree char *full = g_malloc(8 * MIB);
            memset(full, 1, 8 * MIB);
            g_assert_true(g_file_set_contents(folder->again, full, 8 * MIB, NULL));
            g_assert_true(
                vit_disk_convert(folder->again, "raw", path, format, NULL, NULL, NULL, &error));
            g_unlink(folder->again);
            before = vit_disk_get_info(path, format, NULL);
            g_assert_true(vit_disk_compact(path, format, NULL, NULL, NULL, &error));
            after = vit_disk_get_info(path, format, NULL);
            g_assert_cmpint(after->allocated_bytes, >=, 8 * MIB); /* no zeroes, nothing given */
            continue;
        }
        before = vit_disk_get_info(path, format, NULL);
        g_assert_cmpint(before->allocated_bytes, >=, 8 * MIB);
        g_cancellable_cancel(cancellable);
        g_assert_false(vit_disk_compact(path, format, NULL, NULL, cancellable, &error));
        g_assert_error(error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
        g_clear_error(&error);
        g_assert_true(vit_disk_compact(path, format, on_progress, &fraction, NULL, &error));
        g_assert_no_error(error);
        g_assert_cmpfloat(fraction, ==, 1.0);
        after = vit_disk_get_info(path, format, NULL);
        g_assert_cmpint(after->allocated_bytes, <, 2 * MIB);
        g_assert_true(g_file_get_contents(path, &back, &len, NULL));
        g_assert_cmpmem(content, 8 * MIB, back, len);
    }
    g_assert_true(vit_disk_check(folder->qcow2, "qcow2", FALSE, &check, &error));
    g_assert_cmpuint(check.errors + check.leaks, ==, 0);
}

static void
test_cancel(Folder *folder, gconstpointer data)
{
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_autoptr(GError) error = NULL;

    g_assert_true(vit_disk_create(folder->raw, "raw", 8 * MIB, NULL));
    g_cancellable_cancel(cancellable);
    g_assert_false(vit_disk_convert(folder->raw, "raw", folder->qcow2, "qcow2", NULL, NULL,
                                    cancellable, &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    g_assert_false(g_file_test(folder->qcow2, G_FILE_TEST_EXISTS));
}

static void
test_mistakes(Folder *folder, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    VitDiskCheck check;

    g_assert_null(vit_disk_get_info(folder->raw, NULL, &error));
    g_assert_nonnull(strstr(error->message, "a.raw"));
    g_clear_error(&error);
    g_assert_false(
        vit_disk_convert(folder->raw, "raw", folder->qcow2, "qcow2", NULL, NULL, NULL, &error));
    g_assert_nonnull(error);
    g_clear_error(&error);
    /* a raw image has nothing to check, and that is said */
    g_assert_true(vit_disk_create(folder->raw, "raw", MIB, NULL));
    g_assert_false(vit_disk_check(folder->raw, "raw", FALSE, &check, &error));
    g_assert_nonnull(error);
    g_assert_false(vit_disk_can_create("nonsense"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/disk/create-and-grow", Folder, NULL, set_up, test_create_and_grow, tear_down);
    g_test_add("/disk/convert", Folder, NULL, set_up, test_convert, tear_down);
    g_test_add("/disk/compact", Folder, NULL, set_up, test_compact, tear_down);
    g_test_add("/disk/cancel", Folder, NULL, set_up, test_cancel, tear_down);
    g_test_add("/disk/mistakes", Folder, NULL, set_up, test_mistakes, tear_down);
    return g_test_run();
}
