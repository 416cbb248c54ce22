/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Passwords of LUKS volumes and encrypted qcow2 images: added, used, erased, by us and by qemu-img
 * in turn; the last one only by force.
 * mission: luks x.drive.luks x-blockdev-amend */

#include "format-disk.h"

#include <string.h>

typedef struct Kind {
    const char *format, *prefix; /* of options */
} Kind;

static const Kind kinds[] = { { "luks", "" }, { "qcow2", "encrypt." } };

typedef struct Volume {
    const Kind *kind;
    BlockTest test;
    char *path;
} Volume;

static const char *const passwords[][2] = { { "s0", "open sesame" },
                                            { "s1", "second" },
                                            { "s2", "third" } };

static void
begin(Volume *volume, const Kind *kind)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(BlkOptions) options = NULL;
    g_autofree char *text = NULL;

    *volume = (Volume){ .kind = kind };
    block_test_init(&volume->test);
    for (unsigned i = 0; i < G_N_ELEMENTS(passwords); i++) {
        block_test_add_secret(&volume->test, passwords[i][0], passwords[i][1]);
    }
    volume->path = block_test_path(&volume->test, "volume");
    text = g_strdup_printf("size=1M,%skey-secret=s0,%siter-time=1%s", kind->prefix, kind->prefix,
                           *kind->prefix ? ",encrypt.format=luks" : "");
    options = block_test_options(text);
    blk_create(volume->test.graph, kind->format, volume->path, options, &error);
    g_assert_no_error(error);
}

static void
finish(Volume *volume)
{
    block_test_finish(&volume->test);
    g_free(volume->path);
}

/* Opens with a secret; NULL when that fails. */
static BlkNode *
open_with(Volume *volume, const char *secret, GError **error)
{
    g_autofree char *text = g_strdup_printf("driver=%s,%skey-secret=%s", volume->kind->format,
                                            volume->kind->prefix, secret);
    g_autoptr(BlkOptions) options = block_test_options(text);

    return blk_open(volume->test.graph, volume->path, options, error);
}

static void
assert_opens(Volume *volume, const char *secret, bool opens)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(BlkNode) node = open_with(volume, secret, &error);

    g_assert_true(opens == (node != NULL));
    g_assert_true(opens || g_error_matches(error, VIT_ERROR, VIT_ERROR_PERMISSION));
}

/* TEXT: "state=active,new-secret=s1"; the prefix is added to each key. */
static bool
amend(Volume *volume, const char *secret, const char *text, bool force, GError **error)
{
    g_autoptr(GError) cause = NULL;
    g_autoptr(BlkNode) node = open_with(volume, secret, &cause);
    g_autoptr(BlkOptions) options = blk_options_new();
    g_auto(GStrv) pairs = g_strsplit(text, ",", -1);

    g_assert_no_error(cause);
    for (char **pair = pairs; *pair; pair++) {
        g_auto(GStrv) parts = g_strsplit(*pair, "=", 2);
        g_autofree char *key = g_strconcat(volume->kind->prefix, parts[0], NULL);
        blk_options_set(options, key, parts[1]);
    }
    return blk_node_amend(node, options, force, NULL, NULL, error);
}

static void
assert_refused(Volume *volume, const char *text, const char *words)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(amend(volume, "s0", text, false, &error));
    if (!strstr(error->message, words) || !strstr(error->message, volume->path)) {
        g_error("%s: \"%s\" does not say \"%s\"", text, error->message, words);
    }
}

static void
test_passwords(gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    Volume volume;

    begin(&volume, data);
    assert_opens(&volume, "s1", false);
    amend(&volume, "s0", "state=active,new-secret=s1,iter-time=1", false, &error);
    g_assert_no_error(error);
    amend(&volume, "s1", "state=active,new-secret=s2,keyslot=5,iter-time=1", false, &error);
    g_assert_no_error(error);
    for (unsigned i = 0; i < G_N_ELEMENTS(passwords); i++) {
        assert_opens(&volume, passwords[i][0], true);
    }
    assert_refused(&volume, "new-secret=s1", "state=");
    assert_refused(&volume, "state=maybe", "active");
    assert_refused(&volume, "state=active", "new-secret");
    assert_refused(&volume, "state=active,new-secret=s1,keyslot=8", "0 to 7");
    assert_refused(&volume, "state=active,new-secret=s1,keyslot=5", "in use");
    assert_refused(&volume, "state=inactive", "old-secret");
    assert_refused(&volume, "state=inactive,keyslot=3", "not in use");

    amend(&volume, "s1", "state=inactive,old-secret=s0", false, &error);
    g_assert_no_error(error);
    assert_opens(&volume, "s0", false);
    assert_opens(&volume, "s1", true);
    amend(&volume, "s1", "state=inactive,keyslot=5", false, &error);
    g_assert_no_error(error);
    assert_opens(&volume, "s2", false);
    g_assert_false(amend(&volume, "s1", "state=inactive,old-secret=s1", false, &error));
    g_assert_nonnull(strstr(error->message, "last key"));
    g_clear_error(&error);
    assert_opens(&volume, "s1", true);
    amend(&volume, "s1", "state=inactive,old-secret=s1", true, &error);
    g_assert_no_error(error);
    assert_opens(&volume, "s1", false);
    finish(&volume);
}

/* The judge opens with our new password and makes one that we open with. */
static void
test_interop(gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL, *opts = NULL, *change = NULL;
    Volume volume;
    int status;

    if (!format_has_judge()) {
        return;
    }
    begin(&volume, data);
    amend(&volume, "s0", "state=active,new-secret=s1,iter-time=1", false, &error);
    g_assert_no_error(error);
    opts = g_strdup_printf("driver=%s,%skey-secret=s1,file.filename=%s", volume.kind->format,
                           volume.kind->prefix, volume.path);
    change = g_strdup_printf("%sstate=active,%snew-secret=s2,%siter-time=10", volume.kind->prefix,
                             volume.kind->prefix, volume.kind->prefix);
    const char *args[] = { "amend",
                           "--object",
                           "secret,id=s1,data=second",
                           "--object",
                           "secret,id=s2,data=third",
                           "--image-opts",
                           "-o",
                           change,
                           opts,
                           NULL };
    status = format_run_judge(args, &text);
    if (status != 0) {
        g_error("qemu-img amend: %s", text);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(passwords); i++) {
        assert_opens(&volume, passwords[i][0], true);
    }
    finish(&volume);
}

int
main(int argc, char **argv)
{
    block_test_use_memory();
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autofree char *passwords_path =
            g_strdup_printf("/block/luks/%s/passwords", kinds[i].format);
        g_autofree char *interop_path = g_strdup_printf("/block/luks/%s/interop", kinds[i].format);
        g_test_add_data_func(passwords_path, &kinds[i], test_passwords);
        g_test_add_data_func(interop_path, &kinds[i], test_interop);
    }
    return g_test_run();
}
