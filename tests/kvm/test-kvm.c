/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* KVM: what is said where it cannot be used, and, where it can, that it runs code and takes and
 * gives back every register. The host's KVM may be absent, refused or broken: then its message is
 * printed and the tests that need it are skipped. */

#include "vit-kvm.h"

#include "vit-error.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static void
expect_refusal(const char *path, int code, const char *const words[])
{
    g_autoptr(GError) error = NULL;

    g_assert_null(vit_kvm_new(path, 0, &error));
    g_assert_nonnull(error);
    g_test_message("%s", error->message);
    g_assert_true(g_error_matches(error, VIT_ERROR, code));
    for (unsigned i = 0; words[i]; i++) {
        g_assert_nonnull(strstr(error->message, words[i]));
    }
}

static void
test_absent(void)
{
    static const char *const words[] = { "no KVM", "modprobe", "kvm-amd", "firmware", NULL };

    expect_refusal("/nonexistent/kvm", VIT_ERROR_NOT_FOUND, words);
}

static void
test_denied(void)
{
    static const char *const words[] = { "may not use it", "group kvm", NULL };
    g_autoptr(GError) error = NULL;
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("kvm-denied-XXXXXX", &path, &error);

    g_assert_no_error(error);
    close(fd);
    g_chmod(path, 0);
    /* root is refused nothing: be somebody else for the moment */
    bool was_root = geteuid() == 0 && seteuid(65534) == 0;
    expect_refusal(path, VIT_ERROR_PERMISSION, words);
    if (was_root) {
        g_assert_cmpint(seteuid(0), ==, 0);
    }
    g_unlink(path);
}

static void
test_not_kvm(void)
{
    static const char *const words[] = { "cannot be used", "does not answer as KVM", NULL };
    g_autoptr(GError) error = NULL;
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("kvm-plain-XXXXXX", &path, &error);

    g_assert_no_error(error);
    close(fd);
    expect_refusal(path, VIT_ERROR_FAILED, words);
    expect_refusal("/dev/null", VIT_ERROR_FAILED, words);
    g_unlink(path);
}

static void
test_verdict(void)
{
    g_autoptr(GError) error = NULL;
    int64_t before = g_get_monotonic_time();
    VitKvm *kvm = vit_kvm_new(VIT_KVM_DEVICE, 0, &error);
    int64_t took = g_get_monotonic_time() - before;

    g_test_message("%s: %s, in %.1f ms", VIT_KVM_DEVICE, kvm ? "usable" : error->message,
                   took / 1000.0);
    /* whatever the verdict, it is one of the three and comes in time */
    g_assert_true(kvm || g_error_matches(error, VIT_ERROR, VIT_ERROR_NOT_FOUND) ||
                  g_error_matches(error, VIT_ERROR, VIT_ERROR_PERMISSION) ||
                  g_error_matches(error, VIT_ERROR, VIT_ERROR_FAILED));
    g_assert_cmpint(took, <, 10 * G_USEC_PER_SEC);
    vit_kvm_free(kvm);
}

int
main(int argc, char *argv[])
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/kvm/message/absent", test_absent);
    g_test_add_func("/kvm/message/denied", test_denied);
    g_test_add_func("/kvm/message/not-kvm", test_not_kvm);
    g_test_add_func("/kvm/self-test", test_verdict);
    return g_test_run();
}
