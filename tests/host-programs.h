/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Programs of other makers that tests use as judges, clients and servers. `./dev test` installs all
 * of them and says so by VITRINE_TESTS_COMPLETE: there a missing one is a fault. Elsewhere the test
 * that wants it is skipped. */

#include <glib.h>
#include <stdbool.h>

/* The running test goes without WHAT. It may return, or go on with what it has. */
static inline void
test_lacks(const char *what)
{
    if (g_getenv("VITRINE_TESTS_COMPLETE")) {
        g_test_fail_printf("%s is missing, which ./dev test installs", what);
    } else {
        g_autofree char *text = g_strdup_printf("%s is missing", what);
        g_test_skip(text);
    }
}

/* Whether PROGRAM is there; if not, the running test lacks it. */
static inline bool
test_has_program(const char *program)
{
    g_autofree char *found = g_find_program_in_path(program);

    if (!found) {
        test_lacks(program);
    }
    return found != NULL;
}
